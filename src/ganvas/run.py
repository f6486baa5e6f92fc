"""A run: the folder that a training leaves, and everything a later command needs.

RUN/settings.json         method, data, every setting, budget, seed, versions, command
    weights.safetensors   "average.*" (for sampling) and "method.*" (as trained)
    log.jsonl             one JSON object a line: rows of numbers, metrics, events
    data.json             the data sheet
    metrics.json          the newest metrics
    samples/              grids of the same seeds over time, STEP.png
    best/                 weights and metrics of the best step so far
    checkpoints/          the training's whole state, for --resume
    report.html           one page, no network
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ganvas.data.media import finished
from ganvas.data.spec import DataSpec
from ganvas.errors import RunError, UsageError
from ganvas.files import JsonObject, explained, write_bytes, write_text
from ganvas.method import Method
from ganvas.registry import create
from ganvas.sampling import continued, sample

if TYPE_CHECKING:
    from ganvas.data.photo import Photo

FORMAT = 2  # 1 had other names of settings, keys and weights
INFO_TYPES = (  # of what settings.json must hold, and in words
    (dict, ("settings", "data_settings", "spec", "budget"), "names and values"),
    (str, ("method", "data", "precision", "fingerprint"), "text"),
    (int, ("seed",), "an integer"),
)
LARGEST_JSON = 64 * 2**20  # bytes; a settings file beyond that is not one of ours

Translated = TypeVar("Translated", np.ndarray, "Photo")


class Run:
    """A run folder, opened for reading. `ganvas.load(path)` makes one."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.info = read_info(self.folder)

    def __repr__(self) -> str:
        return f"Run({str(self.folder)!r})"

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.folder.resolve().name

    @property
    def spec(self) -> DataSpec:
        """Shape and facts of the data that it was trained on."""
        try:
            return DataSpec.from_dict(self.info["spec"])
        except (TypeError, ValueError) as error:
            raise RunError(
                f"{self.folder / 'settings.json'} is damaged: spec does not describe data ({error})"
            ) from error

    @property
    def method(self) -> Method:
        """The trained method with the averaged weights, in eval mode, on the CPU."""
        return self._ready(raw=False, best=False, device="cpu")

    def load_method(
        self, *, raw: bool = False, best: bool = False, device: str | torch.device = "cpu",
        settings: Mapping[str, object] | None = None,
    ) -> Method:  # fmt: skip
        """The trained method in eval mode. `raw`: without the moving average; `best`: of the best step instead of the last;
        `settings`: new values of those that only sampling reads."""
        weights = self.read_weights(best=best)
        method = create(self.info["method"], None, self.info["settings"])
        if settings:
            method = _sampled_with(method, settings)
        # Building draws initial weights, which are then replaced: the caller's random state must not notice.
        with torch.random.fork_rng(devices=[]):
            method.build(self.spec)
        method.spec = self.spec
        try:
            method.load_state_dict(_under("method.", weights))
            if not raw:
                for name in method.averaged:
                    method.get_submodule(name).load_state_dict(_under(f"average.{name}.", weights))
        except RuntimeError as error:
            raise RunError(f"the weights of {self.folder} do not fit its settings.json: {error}") from error
        return method.requires_grad_(False).eval().to(device)

    def weights_file(self, *, best: bool = False) -> Path:
        """Where the newest weights lie (or the best ones); RunError where none are saved yet."""
        path = self.folder / ("best/weights.safetensors" if best else "weights.safetensors")
        if not path.is_file():
            raise RunError(
                f"{path} is missing: this run has saved no weights yet. Train on with: ganvas train --resume {self.folder}"
            )
        return path

    def read_weights(self, *, best: bool = False) -> dict[str, Tensor]:
        """The tensors of weights.safetensors by name."""
        path = self.weights_file(best=best)
        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise RunError(
                f"{path} is damaged ({error}). Each resume writes it anew: ganvas train --resume {self.folder}"
            ) from error

    def sample(
        self, n: int = 64, *, seed: int = 0, label: int | str | None = None, prompt: str | None = None,
        raw: bool = False, best: bool = False, settings: Mapping[str, object] | None = None,
    ) -> Any:  # fmt: skip
        """New images, uint8 (n, H, W, C); of other kinds clips int16 (n, L), or a list of texts. Number i is the one of seed
        `seed + i`, whatever n is.

        `label`, a class by number or name, asks a class-conditional method for that class only; `prompt` is a text to continue
        from. `settings` are those that only sampling reads, such as temperature.
        """
        method = self.load_method(raw=raw, best=best, settings=settings) if raw or best or settings else self.method
        if prompt is not None:
            return finished(continued(method, prompt, n, seed), method.spec)
        return finished(sample(method, n, seed, label), method.spec)

    def translate(
        self, images: Translated, direction: str = "ab", *, raw: bool = False, best: bool = False,
        device: str | torch.device = "cpu",
    ) -> Translated:  # fmt: skip
        """Images into their other kind: uint8 (n, H, W, C) of one size give as many of the same size, with the channels of the
        training; a data.photo.Photo of any size gives a Photo with its alpha and EXIF, large ones by overlapping tiles.

        `direction` "ab" is from the images that the run was trained on to their partners, "ba" back. RunError where the method
        does not translate, UsageError where not in that direction.
        """
        from ganvas.tasks.translate import translate, translate_images

        method = self._ready(raw, best, device)
        if isinstance(images, np.ndarray):
            return translate_images(method, images, direction)
        return translate(method, images, direction)

    def _ready(self, raw: bool, best: bool, device: str | torch.device) -> Method:
        """As `load_method`, read once only."""
        key = (raw, best, str(device))
        if key not in self._loaded:
            self._loaded[key] = self.load_method(raw=raw, best=best, device=device)
        return self._loaded[key]

    @functools.cached_property
    def _loaded(self) -> dict[tuple[bool, bool, str], Method]:
        return {}

    def log(self) -> Iterator[JsonObject]:
        """Every row of log.jsonl in order. A last line that a crash cut short is left out."""
        path = self.folder / "log.jsonl"
        if not path.is_file():
            return
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict):
                    yield row

    @property
    def metrics(self) -> JsonObject:
        """The newest metrics, {} where none were computed."""
        return self._json("metrics.json")

    @property
    def data_sheet(self) -> JsonObject:
        """The data sheet written at the start of the training."""
        return self._json("data.json")

    def _json(self, name: str) -> JsonObject:
        path = self.folder / name
        if not path.is_file():
            return {}
        return read_json(path)


def load(folder: Path | str) -> Run:
    """Opens a run folder; RunError says what is wrong with it."""
    return Run(folder)


def is_run(folder: Path | str) -> bool:
    """True where the folder holds a run's settings.json."""
    return (Path(folder) / "settings.json").is_file()


def read_info(folder: Path) -> JsonObject:
    """settings.json, checked for format."""
    if not folder.exists():
        raise RunError(f"there is no run at {folder}: the folder does not exist")
    if not is_run(folder):
        raise RunError(
            f"{folder} is not a run: it has no settings.json. Name a run's folder; ganvas train METHOD --data DATA"
            " --out RUN makes one"
        )
    info = read_json(folder / "settings.json")
    needed = {
        "format", "ganvas", "method", "settings", "data", "data_settings", "spec", "seed", "budget", "precision", "fingerprint",
    }  # fmt: skip
    missing = sorted(needed - info.keys())
    if missing:
        raise RunError(f"{folder / 'settings.json'} is not of a run: it lacks {', '.join(missing)}")
    for kind, keys, what in INFO_TYPES:
        wrong = [key for key in keys if not isinstance(info[key], kind)]
        if wrong:
            raise RunError(f"{folder / 'settings.json'} is damaged: {', '.join(wrong)} must be {what}")
    if info["format"] != FORMAT:
        raise RunError(
            f"{folder} was written by ganvas {info['ganvas']} in format {info['format']}; this one reads format {FORMAT}:"
            " use the ganvas that wrote it, or train again"
        )
    return info


def read_json(path: Path) -> JsonObject:
    """A JSON object from a file of bounded size."""
    with explained(path, "read"):
        if path.stat().st_size > LARGEST_JSON:
            raise RunError(f"{path} is larger than {LARGEST_JSON} bytes, so it is not one of ours")
        text = path.read_bytes()
    try:
        content = json.loads(text)
    except ValueError as error:
        raise RunError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{path} must hold a JSON object, and holds a {type(content).__name__}")
    return content


class RunWriter:
    """The writing side, used by the training only. The folder is made by the first write."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def info(self, info: Mapping[str, object]) -> None:
        """Writes settings.json."""
        write_text(self.folder / "settings.json", dumps({"format": FORMAT, **info}, indent=2))

    def tidy(self) -> None:
        """Removes what a killed process left half-written. The checkpoints tidy their own folder."""
        with explained(self.folder, "tidy"):
            for left in (*self.folder.glob(".*.part"), *self.folder.glob("*/.*.part")):
                if left.is_file():
                    left.unlink(missing_ok=True)

    def json(self, name: str, content: Mapping[str, object]) -> None:
        """Writes a JSON file of the run."""
        write_text(self.folder / name, dumps(content, indent=2))

    def row(self, row: Mapping[str, object]) -> None:
        """Appends one line to log.jsonl."""
        path = self.folder / "log.jsonl"
        with explained(path), open(path, "ab+") as log:
            # Where a crash cut the last line short, it must not take this one with it.
            if log.tell() and not _ends_a_line(log):
                log.write(b"\n")
            log.write(dumps(row).encode() + b"\n")

    def weights(self, method: nn.Module, average: nn.ModuleDict, name: str = "weights.safetensors") -> None:
        """Writes both sets of weights."""
        tensors = {}
        for prefix, module in (("method.", method), ("average.", average)):
            for key, value in module.state_dict().items():
                tensors[prefix + key] = value.detach().cpu().contiguous()
        write_bytes(self.folder / name, save(tensors))


def spec_as_dict(spec: DataSpec) -> JsonObject:
    """A spec as plain values for settings.json."""
    return dataclasses.asdict(spec)


def dumps(content: object, indent: int | None = None) -> str:
    """Strict JSON: NaN and the infinities become null, since no other reader takes them."""
    return json.dumps(_strict(content), indent=indent, allow_nan=False)


def _strict(node: object) -> object:
    if isinstance(node, dict):
        return {str(key): _strict(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_strict(value) for value in node]
    if isinstance(node, np.generic):
        node = node.item()
    if isinstance(node, float) and not math.isfinite(node):
        return None
    if isinstance(node, Path):
        return str(node)
    return node


def _sampled_with(method: Method, settings: Mapping[str, object]) -> Method:
    """With new values of settings that only sampling reads; UsageError for any other."""
    changed = method.with_settings(dict(settings))
    for name in settings:
        if name not in method.of_sampling:
            can = ", ".join(method.of_sampling) or "nothing"
            raise UsageError(f"{name} was settled by training; what can be set when {method.name} samples: {can}")
    return changed


def _ends_a_line(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    matching = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            matching[name.removeprefix(prefix)] = tensor
    return matching
