"""What older versions wrote under other names, so that their runs are read as if this version had written them.

Runs of format 1 (November 2026) had other names of settings, weights and log keys. A table holds each renamed name, by method:
whoever renames a setting or a network's attribute adds a line, and an old run in tests/data/runs keeps the promise (see
docs/reference/compatibility.md). Names that are new already pass through, so that files of any age may lie in one folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ganvas.deprecation import deprecated
from ganvas.files import JsonObject

V = TypeVar("V")

RUN_FORMATS = (1, 2)
"""Of settings.json; the last one is written."""

REMOVED_IN = "0.3"
"""The version that no longer accepts old names of settings from users. Runs are read for longer than that."""

_DISCRIMINATOR = {"judge_width": "disc_width", "judge_stages": "disc_stages"}
_TRANSLATION = {"halvings": "downsamplings", "game": "adversarial", "reach": "max_displacement"}
_VIDEO = {"ada_videos": "ada_images"}
OLD_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "adain": _DISCRIMINATOR,
    "cyclegan": _TRANSLATION,
    "denoise": {**_DISCRIMINATOR, "turn": "flip_rotate"},
    "fast_style": _DISCRIMINATOR,
    "gran": _DISCRIMINATOR,
    "inpaint": {**_DISCRIMINATOR, "turn": "flip_rotate"},
    "lapgan": _DISCRIMINATOR,
    "mocogan": _VIDEO,
    "pix2pix": _TRANSLATION,
    "srgan": {**_DISCRIMINATOR, "turn": "flip_rotate"},
    "srresnet": {"turn": "flip_rotate"},
    "stylegan2": {"mapping_pace": "mapping_lr_multiplier"},
    "vgan": _VIDEO,
    "vq_vae": {"halvings": "downsamplings"},
}
"""Settings of a method: old name, new name. They are accepted from users too, with a warning (ganvas.deprecation)."""

OLD_VALUES: Mapping[str, Mapping[tuple[str, object], object]] = {
    "infogan": {("decay", "late"): "second_half"},
    "srgan": {("perceptual", "judge"): "discriminator"},
}
"""Values of a method's settings: (name, old value), new value."""

OLD_OPTIONS: Mapping[str, Mapping[str, str]] = {"restore": {"--sheets": "--grids", "--no-sheets": "--no-grids"}}
"""Options of a command: old name, new name. They are accepted with a warning, and no help shows them."""

IN_CELLS = ("gan3d", "vae3d")
"""Methods whose G ended, and whose D or E began, with a convolution on voxels until 30 November 2026. Now these are on cells of
2 x 2 x 2 voxels, which gives the same sums."""

_HEAD = {"judge": "head"}
OLD_MODULES: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(("cgan", "dcgan", "gran", "hinge_sn", "lapgan", "lsgan", "mgan", "pacgan", "r3gan", "vae"), _HEAD),
    **dict.fromkeys(("vae_gan", "wgan", "wgan_gp"), _HEAD),
    "flow_matching": {"told": "modulation"},
    "infogan": {**_HEAD, "paint": "to_image"},
    "stylegan2": {**_HEAD, "painters": "to_image_layers"},
    "wavenet": {"told": "conditioning"},
}
"""Attributes of a method's networks, as they stand between the dots of a weight's name."""

OLD_HEALTH_KEYS = {
    "floor": "reference", "judge": "logits", "painter": "generator", "pictures": "images", "foretold": "predicted",
    "label_told": "label_leak", "largest_mode": "top_mode_share", "twins": "near_duplicates", "moved": "drift",
    "returned": "drift_back", "label_agreement": "labels_above_chance",
}  # fmt: skip
"""Parts of the keys of the log's health rows, as they stand between the slashes."""

OLD_ROWS = {"painter": "generator", "generators/game": "generators/adversarial"}
"""Updates, and single keys, of the log's rows of losses."""

OLD_FIGURE_KEYS = {"floor": "reference", "floor_n": "reference_n", "floor_from": "reference_from"}
"""What is said of a figure."""


def read_settings(method: str, recorded: Mapping[str, Any]) -> JsonObject:
    """A method's settings in the names and values of this version."""
    names, values = OLD_SETTINGS.get(method, {}), OLD_VALUES.get(method, {})
    settings = {}
    for name, value in recorded.items():
        name = names.get(name, name)
        if isinstance(value, str):
            value = values.get((name, value), value)
        settings[name] = value
    first_stage = settings.get("first_stage")
    if isinstance(first_stage, str) and first_stage:
        settings["first_stage"] = _read_first_stage(first_stage)
    return settings


def read_words(words: Sequence[str]) -> list[str]:
    """A command line with the options of this version, and a warning for each that has another name now."""
    names = OLD_OPTIONS.get(words[0], {}) if words else {}
    renamed: list[str] = []
    for word in words:
        if word in names:
            deprecated(f"the option {word}", names[word], until=REMOVED_IN, stacklevel=3)
        renamed.append(names.get(word, word))
    return renamed


def _read_first_stage(text: str) -> str:
    """The method and settings, as JSON, of the run whose codes are learned."""
    try:
        content = json.loads(text)
        return json.dumps({**content, "settings": read_settings(content["method"], content["settings"])})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return text  # whoever builds it says what is wrong


def read_info(info: Mapping[str, Any]) -> JsonObject:
    """settings.json of any format that is known, as the last one."""
    spec = dict(info["spec"])
    if spec.get("kind") == "pictures":
        spec["kind"] = "images"
    if "spread" in spec:
        spec["total_variance"] = spec.pop("spread")
    if "rate" in spec:
        spec["audio"] = {"rate": spec.pop("rate")}
    if "tokens" in spec:
        spec["text"] = {"tokens": spec.pop("tokens"), "merges": spec.pop("merges", [])}
    return {
        **info,
        "spec": spec,
        "settings": read_settings(info["method"], info["settings"]),
        "format": RUN_FORMATS[-1],
    }


def read_weights(method: str, weights: Mapping[str, V]) -> dict[str, V]:
    """Tensors by the names, and in the layout, that they have in this version's networks."""
    modules = OLD_MODULES.get(method, {})
    renamed = {_renamed(name, ".", modules): value for name, value in weights.items()}
    return _weights_in_cells(renamed) if method in IN_CELLS else renamed


def read_state(method: str, state: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint, with its weights and averages by the names of this version."""
    renamed = dict(state)
    for part in ("method", "average"):
        if isinstance(renamed.get(part), Mapping):
            renamed[part] = read_weights(method, renamed[part])
    if method in IN_CELLS and isinstance(renamed.get("optimizers"), Mapping):
        renamed["optimizers"] = {key: _moments_in_cells(key, one) for key, one in renamed["optimizers"].items()}
    return renamed


def read_row(row: Mapping[str, Any]) -> JsonObject:
    """A row of log.jsonl."""
    event = row.get("event")
    if event == "health":
        return {_renamed(key, "/", OLD_HEALTH_KEYS): value for key, value in row.items()}
    if event == "evaluated":
        return read_metrics(row)
    if event is not None:
        return dict(row)
    renamed = {}
    for key, value in row.items():
        update, slash, rest = key.partition("/")
        renamed[OLD_ROWS.get(key, OLD_ROWS.get(update, update) + slash + rest)] = value
    return renamed


def read_metrics(content: Mapping[str, Any]) -> JsonObject:
    """metrics.json, or a row of the log that holds figures."""
    metrics = content.get("metrics")
    if not isinstance(metrics, Mapping):
        return dict(content)
    figures = {}
    for name, figure in metrics.items():
        figures[name] = figure
        if isinstance(figure, Mapping):
            figures[name] = {OLD_FIGURE_KEYS.get(key, key): value for key, value in figure.items()}
    return {**content, "metrics": figures}


def _on_voxels(value: Any) -> bool:
    return tuple(getattr(value, "shape", ()))[1:] == (1, 4, 4, 4)


def _kernel_in_cells(kernel: Any, transposed: bool) -> Any:
    """The kernel (n, 1, 4, 4, 4) of a convolution of stride 2 as (n, 8, 2, 2, 2), that of a transposed one as (8, n, 2, 2, 2)."""
    split = kernel.reshape(-1, 2, 2, 2, 2, 2, 2)  # of each axis the cell, and the place in it
    if not transposed:
        return split.permute(0, 2, 4, 6, 1, 3, 5).flatten(1, 3).contiguous()
    return split.flip(1, 3, 5).permute(2, 4, 6, 0, 1, 3, 5).flatten(0, 2).contiguous()


def _weights_in_cells(weights: Mapping[str, Any]) -> dict[str, Any]:
    read = dict(weights)
    for name, value in weights.items():
        if not _on_voxels(value):
            continue
        of_generator = "G" in name.split(".")
        read[name] = _kernel_in_cells(value, transposed=of_generator)
        bias = name.removesuffix("weight") + "bias"
        if of_generator and bias in weights:
            read[bias] = weights[bias].repeat(8)
    return read


def _moments_in_cells(key: str, optimizer: Any) -> Any:
    """The optimiser `key`, with moments of those kernels, and of the bias of G's, as if it had trained cells."""
    try:
        state = dict(optimizer["state"])
        kernels = [index for index, moments in state.items() if _on_voxels(moments["exp_avg"])]
        for index in kernels:
            transposed = key != "D" and index == kernels[-1]  # E's parameters come before G's
            state[index] = {
                name: _kernel_in_cells(value, transposed) if _on_voxels(value) else value
                for name, value in state[index].items()
            }
            if transposed:  # one bias had the sum of the gradients of eight
                bias = state[index + 1]
                means = {"exp_avg": bias["exp_avg"].repeat(8) / 8, "exp_avg_sq": bias["exp_avg_sq"].repeat(8) / 64}
                state[index + 1] = {**bias, **means}
        return {**optimizer, "state": state}
    except (TypeError, KeyError, AttributeError, RuntimeError):
        return optimizer  # whoever restores it says what is wrong


def _renamed(name: str, separator: str, parts: Mapping[str, str]) -> str:
    if not parts:
        return name
    return separator.join(parts.get(part, part) for part in name.split(separator))
