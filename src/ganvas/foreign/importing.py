"""From a file of weights to a run folder: config.json and model.safetensors, as `Run.save_pretrained` writes them."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import torch
from safetensors.torch import save

from ganvas.errors import DataError, UsageError, nearest
from ganvas.files import JsonObject, sha256, write_bytes, write_text
from ganvas.foreign import styles, translators, upscalers
from ganvas.foreign.layouts import Layout, Rebuilt, Request
from ganvas.method import Method
from ganvas.pretrained import CONFIG, MODEL, config_of
from ganvas.registry import create
from ganvas.run import RUN_FORMAT, Run
from ganvas.strict_json import dumps
from ganvas.version import __version__

KINDS: dict[str, Layout] = {
    layout.name: layout
    for layout in (*translators.TRANSLATOR_LAYOUTS, *upscalers.UPSCALER_LAYOUTS, *styles.STYLE_LAYOUTS)
}
"""Every layout that is known, by name."""


def import_weights(
    kind: str, file: Path | str, out: Path | str, *, licence: str, style: str | None = None, source: str = ""
) -> Run:
    """Brings the weights in `file` into a new folder `out`, and opens it as a run: it translates, restores or stylises.

    `kind` is one of `KINDS`. `licence` is that of the weights, "unknown" where nobody says. `style` is for networks of many
    styles. `source` says where the file came from, such as a URL. The file's SHA-256 is kept. Nothing in the file is executed.
    UsageError, DataError: an unknown kind, a file of another layout, weights that are not finite.
    """
    path, out = Path(file).expanduser(), Path(out)
    if kind not in KINDS:
        raise UsageError(f"unknown kind {kind}{nearest(kind, KINDS)} (there are: {', '.join(KINDS)})")
    if not licence.strip():
        raise UsageError("the licence of the weights is missing: name it, such as MIT, or unknown where nobody says")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists already: name a new folder")
    layout = KINDS[kind]
    rebuilt = layout.rebuild(layout.read(path), Request(style=style))
    method = loaded(rebuilt, path)
    weights = save({name: value.contiguous() for name, value in method.state_dict().items()}, {"format": "pt"})
    imported: JsonObject = {"kind": kind, "file": path.name, "sha256": sha256(path), "licence": licence.strip()}
    if source:
        imported["source"] = source
    if style is not None:
        imported["style"] = style
    config = config_of(_info(rebuilt, method), {}, hashlib.sha256(weights).hexdigest())
    config |= {"imported": imported, "lacks": list(rebuilt.lacks), "licence": licence.strip()}
    write_bytes(out / MODEL, weights)
    write_text(out / CONFIG, dumps(config, indent=2))
    return Run(out)


def loaded(rebuilt: Rebuilt, path: Path) -> Method:
    """The method with the weights in it, and without what the file does not hold."""
    for name, tensor in rebuilt.weights.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise DataError(f"{path} holds numbers that are not finite (in {name}): it is damaged")
    method = create(rebuilt.method, None, dict(rebuilt.settings))
    with torch.random.fork_rng(devices=[]):
        method.setup(rebuilt.spec)
    for name in rebuilt.lacks:
        delattr(method, name)
    state = method.state_dict()
    for name, tensor in state.items():
        if name not in rebuilt.weights and name.startswith("G"):
            raise DataError(f"{path} has no weights for {name}")
        if name not in rebuilt.weights:
            continue
        given = rebuilt.weights[name]
        if given.shape != tensor.shape:
            raise DataError(
                f"{path} has weights of the shape {tuple(given.shape)} for {name}, which takes {tuple(tensor.shape)}"
            )
    method.load_state_dict({**state, **rebuilt.weights})
    return method.requires_grad_(False).eval()


def _info(rebuilt: Rebuilt, method: Method) -> JsonObject:
    """What a run's settings.json would say."""
    return {
        "format": RUN_FORMAT, "ganvas": __version__, "method": rebuilt.method, "settings": method.settings(), "data_settings": {},
        "spec": dataclasses.asdict(rebuilt.spec), "seed": 0, "budget": {}, "precision": "fp32", "fingerprint": "", "data": "",
    }  # fmt: skip
