"""One HTML file in which a trained model runs: it opens from disk, in a browser, and asks for nothing else.

The model is an ONNX graph, run by onnxruntime-web; both are inside as gzipped base64, with one thread. A sampler shows a wall of
images by seed, with classes, codes, directions, truncation and interpolation; a method that makes images of images takes photos
and drawings.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import html
import json
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ganvas.abilities import LatentSpace, Restores, Samples, Stylises, Translates
from ganvas.data.image import png_bytes
from ganvas.data.pairs import scribbles
from ganvas.data.scene import scene, waves
from ganvas.errors import GanvasError, RunError
from ganvas.export import graph
from ganvas.export.facts import ModelFacts
from ganvas.export.parts import Function, Inputs, Part, parts_of
from ganvas.export.web_runtime import LICENCE, ONNXRUNTIME_WEB_VERSION, web_runtime
from ganvas.figure import primary_figure, read_figures
from ganvas.method import Method
from ganvas.tasks.direction_files import saved_directions
from ganvas.tasks.directions import Direction, principal_directions
from ganvas.tasks.latents import random_points

if TYPE_CHECKING:
    from ganvas.run import Run

MAX_PAGE_FILE_BYTES = 48 * 2**20  # bytes of a page
PAGE_DIRECTIONS = 6
PCA_SAMPLES = 512  # points from which mean and directions are computed
FIRST_IMAGE_SIDE = 256  # pixels, of the image that a page begins with, at most
STYLE_SIDE = 96
PAGE_TITLES = {
    "sample": "New images", "translate": "Translate images", "restore": "Restore images", "stylise": "Stylise images",
}  # fmt: skip


@dataclass(frozen=True)
class Page:
    """A page and what is measured of it."""

    content: bytes
    difference: float
    """The largest difference of its models from torch, by onnxruntime on this machine."""


def page_of(
    run: Run, method: Method, facts: ModelFacts, *, precision: str = "fp32", size: tuple[int, int] | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Page:  # fmt: skip
    """The page of a trained method. RunError where it has nothing to show, GanvasError where that would be too large."""
    parts = parts_of(method, size)
    wanted = [part for part in parts if part.name.partition("_")[0] in PAGE_TITLES]
    if not wanted:
        raise RunError(
            f"{method.name} neither samples, translates, restores nor stylises images, so a page has nothing to show"
        )
    if isinstance(method, Samples):
        models, data = _sampler(run, method, method, wanted[0], facts)
    else:
        models, data = wanted, _transformer(run, method, wanted)
    packed: dict[str, bytes] = {}
    difference = 0.0
    for part in models:
        model = graph.with_precision(graph.to_onnx(part), precision)
        content = model.SerializeToString(deterministic=True)
        own = graph.difference(content, part, False)
        if precision == "fp32":
            graph.check_difference(part, own, False)
        difference = max(difference, own)
        packed[part.name] = gzip.compress(content, 9, mtime=0)
    data["models"] = list(packed)
    source = "weights imported" if "imported" in run.info else f"trained on {facts.data or 'images'}"
    page = _written(facts, source, data, packed, progress)
    if len(page) > MAX_PAGE_FILE_BYTES:
        raise GanvasError(
            f"the page would have {len(page) / 2**20:.0f} MB, and {MAX_PAGE_FILE_BYTES / 2**20:.0f} MB is the most that browsers"
            " open well: export with --precision fp16, or train a narrower network"
        )
    return Page(page, difference)


# --- samplers -----------------------------------------------------------------------------------------------------------


def _sampler(
    run: Run, method: Method, samples: Samples, sample: Part, facts: ModelFacts
) -> tuple[list[Part], dict[str, Any]]:
    """The models of a sampler, and what the page knows of its latents. `samples` is the method itself."""
    latents, labels = samples.latents(range(2)), samples.labels(range(2))
    spaces = [space for space in samples.latent_spaces() if not space.layers]
    data: dict[str, Any] = {
        "part": "sample", "command": "sample", "draws": [dataclasses.asdict(draw) for draw in samples.draws()],
        "class_cuts": sample.facts.get("class_cuts", ()), "classes": sample.facts.get("classes", ()),
        "codes": [dataclasses.asdict(code) for code in samples.codes()], "free": latents.shape[1], "mean": None,
        "directions": [], "normal": False, "points_input": "latents", "synthesis": "sample",
        "synthesis_takes_labels": labels is not None, "map_takes_labels": labels is not None,
    }  # fmt: skip
    if not spaces:
        return [sample], data
    space = spaces[0]
    points = random_points(method, space, PCA_SAMPLES).values
    mean = torch.zeros(space.free) if space.normal else points.mean(0)[: space.free]
    data.update(
        free=space.free, mean=_numbers(mean), normal=space.normal,
        directions=[
            {"name": one.name, "step": _numbers(one.step()[: space.free])} for one in _directions(run, method, space, facts)
        ],
    )  # fmt: skip
    if torch.equal(space.map(latents, labels), latents):
        return [sample], data
    data.update(points_input="points", synthesis="synthesise")
    models = _mapped(samples, space, sample)
    data["synthesis_takes_labels"] = "labels" in models[1].inputs
    data["map_takes_labels"] = "labels" in models[0].inputs
    return models, data


def _mapped(method: Samples, space: LatentSpace, sample: Part) -> list[Part]:
    """Sampling in two models: from latents to points of a space, and from points to images."""

    def mapped(latents: Tensor, labels: Tensor | None = None) -> Tensor:
        return space.map(latents, labels)

    def synthesised(points: Tensor, labels: Tensor | None = None) -> Tensor:
        return space.synthesise(points, labels, []).float().clamp(-1, 1)

    batches: list[Inputs] = []
    for inputs in (sample.traced, *sample.checks):
        batches.append((mapped(*inputs), *inputs[1:]))
    inputs = {"points": {0: "n"}}
    if "labels" in sample.inputs:
        inputs["labels"] = {0: "n"}
    if "labels" in inputs and torch.equal(synthesised(batches[0][0]), synthesised(*batches[0])):
        # The class is in the point already.
        del inputs["labels"]
        batches = [batch[:1] for batch in batches]
    first = Part("map", Function(method, mapped), sample.inputs, "points", sample.traced, sample.checks, mapped)
    second = Part(
        "synthesise", Function(method, synthesised), inputs, "images", batches[0], tuple(batches[1:]), synthesised
    )
    return [first, second]


def _directions(run: Run, method: Method, space: LatentSpace, facts: ModelFacts) -> Sequence[Direction]:
    """Those that `ganvas edit --find` kept with the run, or principal components of images."""
    saved = saved_directions(run.folder, facts.weights)
    fitting = [one for one in saved.values() if one.space == space.name and one.vector.ndim == 1]
    if fitting:
        return fitting[:PAGE_DIRECTIONS]
    return principal_directions(method, space, PAGE_DIRECTIONS, of="images", samples=PCA_SAMPLES)


def _numbers(values: Tensor) -> list[float]:
    return [round(float(value), 6) for value in values]


# --- images from images -------------------------------------------------------------------------------------------------


def _transformer(run: Run, method: Method, parts: Sequence[Part]) -> dict[str, Any]:
    """What the page knows of a method that makes images of images."""
    channels, part = method.spec.channels, parts[0]
    if channels not in (1, 3, 4):
        raise RunError(f"this run was trained on {channels} channels, and a page shows images of 1, 3 or 4")
    facts = {"multiple": 1, "scale": 1, "fixed_size": False, "degradation": "", **part.facts}
    command = part.name.partition("_")[0]
    spec = method.spec
    return {
        "part": command, "command": command, "image_input": next(iter(part.inputs)), "channels": channels,
        "height": facts.get("height", spec.height), "width": facts.get("width", spec.width),
        "multiple": facts["multiple"], "scale": facts["scale"], "fixed_size": facts["fixed_size"],
        "degradation": facts["degradation"], "alpha": spec.alpha, "takes_style": facts.get("takes_style", False),
        "takes_strength": isinstance(method, Stylises),
        "of_edges": isinstance(method, Translates) and run.info["data_settings"].get("pairs") == "edges",
        "draws_on_input": isinstance(method, Translates)
        or (isinstance(method, Restores) and facts["degradation"] == "holes"),
    }  # fmt: skip


def _example(height: int, width: int, channels: int, of_edges: bool = False) -> bytes:
    """A drawn scene as PNG, or its edges, so that a page has something to show: no image of the training goes into it."""
    share = min(1.0, FIRST_IMAGE_SIDE / max(height, width))
    image = scene(max(8, round(height * share)), max(8, round(width * share)), channels)
    return png_bytes(scribbles(image[None])[0] if of_edges else image)


# --- the file -----------------------------------------------------------------------------------------------------------


def _written(
    facts: ModelFacts, source: str, data: dict[str, Any], models: dict[str, bytes], progress: Callable[[int], None]
) -> bytes:
    """The page, UTF-8. `source`: where the weights come from, in words."""
    runtime = web_runtime(progress)
    own = {"version": facts.version, "run": facts.run, "method": facts.method, "weights": facts.weights, **data}
    own.setdefault("channels", facts.channels)
    scripts = []
    for name, content in (("wasm", runtime.wasm), *((f"model-{name}", content) for name, content in models.items())):
        scripts.append(f'<script type="text/plain" id="{name}">{_base64(content)}</script>')
    part = str(data["part"])
    parts = {
        "title": html.escape(f"{PAGE_TITLES[part]}: {facts.method}, {source}"),
        "about": about(facts, source),
        "body": _asset("sampler.html") if part == "sample" else _asset("transformer.html") + _examples(data),
        "facts": json.dumps(own, allow_nan=False).replace("<", "\\u003c"),
        "data": "\n".join(scripts),
        "css": _asset("page.css"),
        "runtime": runtime.script,
        "script": _asset("page.js"),
    }
    for name in ("runtime", "script"):
        if "</script" in parts[name].lower():
            raise GanvasError(f"the {name} of the page would end its own element")
    return string.Template(_asset("page.html")).substitute(parts).encode()


def _examples(data: dict[str, Any]) -> str:
    """The images that the page begins with, hidden."""
    images = {"image": _example(data["height"], data["width"], data["channels"], data["of_edges"])}
    if data["takes_style"]:
        images["style"] = png_bytes(waves(STYLE_SIDE, data["channels"]))
    tags = []
    for name, png in images.items():
        tags.append(f'<img hidden id="example-{name}" alt="" src="data:image/png;base64,{_base64(png)}">')
    return "\n".join(tags)


def about(facts: ModelFacts, source: str) -> str:
    """Lines about the model, as HTML."""
    lines = [f"{facts.method}, {source}, images of {facts.channels} x {facts.height} x {facts.width}"]
    figures = read_figures(dict(facts.figures))
    name = primary_figure(figures)
    if name is not None:
        figure = figures[name]
        beside = "" if figure.reference is None else f", reference {figure.reference:.3g}"
        lines[0] += f"; {name} {figure.value:.3g} (n {figure.n:,}{beside})"
    lines.append(f"Audit of copies: {facts.audit or 'not made'}.")
    if facts.licence:
        lines.append(f"Licence of the model: {facts.licence}")
    lines.append(
        f"Everything is in this file: nothing is sent or fetched. Run by onnxruntime-web"
        f" {ONNXRUNTIME_WEB_VERSION} ({LICENCE}), written by ganvas {facts.version}; weights {facts.weights[:12]}."
    )
    return "".join(f'<p class="note">{html.escape(line)}</p>' for line in lines)


def _asset(name: str) -> str:
    return resources.files("ganvas.export").joinpath("assets", name).read_text(encoding="utf-8")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
