"""Editing in a latent space: traversals of codes, interpolation, and every edit of `Editor` as one image."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Code, Samples
from ganvas.chunks import in_chunks
from ganvas.data import grid, write_png
from ganvas.data.dataset import Dataset
from ganvas.data.image_array import ImageArray
from ganvas.data.image_grid import GRID_GAP
from ganvas.data.photo import ImageLike
from ganvas.errors import UsageError, nearest
from ganvas.method import Method
from ganvas.provenance import Provenance, Value
from ganvas.registry import methods_with
from ganvas.sampling import check_seeds, to_uint8
from ganvas.tasks.direction_files import EDITING_FOLDER
from ganvas.tasks.directions import Direction, moved
from ganvas.tasks.editor import Change, Editor
from ganvas.tasks.invert import OPTIMISER_STEPS, invert
from ganvas.tasks.latents import Points, between, editable, points_of, space_of, synthesised

Seeds = str | int | Iterable[int]
CODE_RANGE = 2.0  # a continuous code is trained in [-1, 1]; beyond that its effect is clearer (Chen 2016, fig. 2)
MAX_TRAVERSALS = 1000  # rows of a traversal
DIRECTION_STRENGTHS = (-3.0, -1.5, 0.0, 1.5, 3.0)  # columns of the grid of directions
SHOWN_SEEDS = 2  # rows of each of them
SHOWN_DIRECTIONS = 60


@dataclass(frozen=True)
class EditOutcome:
    """What an edit gives."""

    text: str
    """What was done, in words."""
    image: ImageArray
    """One image (H, W, C) uint8."""
    frames: ImageArray | None = None
    """Of an edit that can move, (T, H, W, C) uint8."""
    changes: list[Change] = field(default_factory=list)
    """Which attribute moved how much."""
    same_class: float | None = None
    """Share of the images whose class stayed; None where the data have no labels."""
    directions: list[Direction] = field(default_factory=list)
    """The directions found."""


def edit(
    method: Method, images: ImageLike | None = None, *, traverse: bool = False, interpolate: tuple[int, int] | None = None,
    code: Sequence[str] | None = None, seeds: Seeds = "0-7", values: int = 10, steps: int = 8, find: bool = False,
    how: str = "pca,sefa,probe", count: int = 10, direction: Sequence[str] | None = None, keep: Sequence[str] | None = None,
    both: bool = False, reach: str | None = None, arithmetic: str | None = None, save: str | None = None, walk: bool = False,
    mix: tuple[str, str] | None = None, layers: str | None = None, noise: Sequence[str] | None = None,
    truncation: float = 1.0, space: str = "auto", label: str | None = None, frames: int = 24,
    inversion_steps: int = OPTIMISER_STEPS, data: Dataset | None = None,
) -> ImageArray:  # fmt: skip
    """One image (H, W, C) uint8 that shows an edit; see `ganvas edit --help` for each of them, and `Editor` for the parts.

    `images`, as `invert` takes them, are inverted and edited in place of seeds. `data` is what classes are learnt from.
    UsageError unless exactly one edit is asked for, or an option has no effect on it.
    """
    request = EditRequest(
        traverse=traverse, interpolate=interpolate, code=code, seeds=seeds, values=values, steps=steps, find=find, how=how,
        count=count, direction=direction, keep=keep, both=both, reach=reach, arithmetic=arithmetic, save=save, walk=walk, mix=mix,
        layers=layers, noise=noise, truncation=truncation, space=space, label=label, frames=frames,
        inversion_steps=inversion_steps,
    )  # fmt: skip
    request.check(images is not None)
    if traverse or interpolate is not None:
        return plain_edit(method, request).image
    editor = Editor(method, space, data=None if data is None else lambda: data)
    return edit_with(editor, request, images).image


@dataclass(frozen=True)
class EditRequest:
    """The options of `edit`."""

    traverse: bool = False
    interpolate: tuple[int, int] | None = None
    code: Sequence[str] | None = None
    seeds: Seeds = "0-7"
    values: int = 10
    steps: int = 8
    find: bool = False
    how: str = "pca,sefa,probe"
    count: int = 10
    direction: Sequence[str] | None = None
    keep: Sequence[str] | None = None
    both: bool = False
    reach: str | None = None
    arithmetic: str | None = None
    save: str | None = None
    walk: bool = False
    mix: tuple[str, str] | None = None
    layers: str | None = None
    noise: Sequence[str] | None = None
    truncation: float = 1.0
    space: str = "auto"
    label: str | None = None
    frames: int = 24
    inversion_steps: int = OPTIMISER_STEPS

    def kind(self) -> str:
        """The name of the option that says what is done; "" where none does."""
        given = self._kinds()
        return given[0] if given else ""

    def check(self, has_images: bool = False, *, dashes: str = "") -> None:
        """UsageError unless one edit is asked for, and every option has an effect on it; `dashes` stand before an option's
        name."""
        kinds = self._kinds()
        if len(kinds) > 1:
            raise UsageError(f"{dashes}{kinds[0]} and {dashes}{kinds[1]} are two edits: give one of them")
        shown = self.noise or self.truncation != 1
        if not kinds and not shown:
            choices = ", ".join(dashes + one for one in EDIT_KINDS)
            raise UsageError(f"nothing to edit: give one of {choices}, {dashes}noise or {dashes}truncation")
        kind = kinds[0] if kinds else ""
        needs = (
            ("code", self.code, ("traverse",)),
            ("keep", self.keep, ("direction", "reach")),
            ("both", self.both, ("direction", "arithmetic")),
            ("save", self.save, ("arithmetic",)),
            ("layers", self.layers, ("mix", "direction")),
            ("noise", self.noise, ("", "direction", "walk")),
            ("truncation", self.truncation != 1, ("", "direction", "reach", "walk", "mix", "arithmetic")),
            ("images", has_images, ("direction", "arithmetic")),
            ("label", self.label, ("", "direction", "reach", "walk", "mix", "arithmetic")),
            *((name, self._is_changed(name), kinds_with) for name, kinds_with in EDITS_OF_OPTION.items()),
        )
        for name, given, kinds_with in needs:
            if given and kind not in kinds_with:
                shown_name = "IMAGES" if dashes and name == "images" else dashes + name
                raise UsageError(f"{shown_name} needs {' or '.join(dashes + one for one in kinds_with if one)}")
        if has_images:
            self._check_images(dashes)
        if kind == "mix" and not self.layers:
            raise UsageError(f"{dashes}mix needs {dashes}layers: those that come from the columns, such as 4-7")

    def _check_images(self, dashes: str) -> None:
        """UsageError for what is about seeds, where images are given instead."""
        for name in ("seeds", "truncation"):
            if self._is_changed(name):
                raise UsageError(f"{dashes}{name} is about images of seeds, and images are given: omit it")

    def _is_changed(self, name: str) -> bool:
        """Whether an option is not at its default."""
        return any(one.name == name and getattr(self, name) != one.default for one in fields(self))

    def _kinds(self) -> list[str]:
        given = {
            "traverse": self.traverse,
            "interpolate": self.interpolate is not None,
            "find": self.find,
            "direction": self.direction,
            "reach": self.reach is not None,
            "arithmetic": self.arithmetic is not None,
            "walk": self.walk,
            "mix": self.mix is not None,
        }
        return [name for name in EDIT_KINDS if given[name]]


EDITS_OF_OPTION = {  # options by the edits that they have an effect on
    "values": ("traverse",),
    "steps": ("interpolate", "direction", "arithmetic"),
    "how": ("find",),
    "count": ("find",),
    "frames": ("walk",),
}
EDIT_KINDS = ("traverse", "interpolate", "find", "direction", "reach", "arithmetic", "walk", "mix")


def plain_edit(method: Method, request: EditRequest) -> EditOutcome:
    """A traversal of codes, or an interpolation between two seeds."""
    return _noted(_plain_edit(method, request), method, request)


def _plain_edit(method: Method, request: EditRequest) -> EditOutcome:
    if request.interpolate is not None:
        first, last = request.interpolate
        strip = interpolate(method, first, last, steps=request.steps)
        text = f"{request.steps} images from seed {first} to seed {last}"
        return EditOutcome(text, ImageArray(grid(strip, columns=request.steps)), ImageArray(strip))
    codes = ", ".join(one.name for one in chosen_codes(method, request.code))
    image = traverse(method, read_seeds(request.seeds), request.code, values=request.values)
    return EditOutcome(f"a traversal of {codes}", ImageArray(image))


def edit_with(
    editor: Editor,
    request: EditRequest,
    images: ImageLike | None = None,
    invert_images: Callable[[str], Points] | None = None,
) -> EditOutcome:
    """Any edit through a latent space. `images` are inverted and edited; `invert_images` gives the points of the images at a
    path, for arithmetic (None: they are inverted now)."""
    at_path = invert_images or (lambda path: inverted(editor, request, path))
    return _noted(_edit_with(editor, request, images, at_path), editor.method, request)


def inverted(editor: Editor, request: EditRequest, images: ImageLike, labels: np.ndarray | None = None) -> Points:
    """The points of given images, as `invert` takes them, in the editor's space."""
    return invert(
        editor.method, images, labels, space=editor.space.name, steps=request.inversion_steps, reference=0, label=request.label
    ).points  # fmt: skip


def _edit_with(
    editor: Editor, request: EditRequest, images: ImageLike | None, invert_images: Callable[[str], Points]
) -> EditOutcome:
    kind = request.kind()
    if kind == "find":
        return _found(editor, request)
    if kind == "mix":
        return _mixed(editor, request)
    noise = read_noise(request.noise or (), len(editor.space.noise_sizes), editor.method.name)
    if images is not None:
        points = inverted(editor, request, images)
    else:
        points = editor.points(read_seeds(request.seeds), request.label, request.truncation)
    if kind == "walk":
        walked = editor.walk(points, request.frames, noise=noise)
        shown = editor.images(points, noise)
        return EditOutcome(f"a walk through {_images(len(points))}", shown.grid(len(points)), walked)
    if kind == "arithmetic":
        return _combined(editor, request, points, invert_images)
    if kind == "reach":
        return _reached(editor, request, points)
    if kind == "direction":
        strengths = read_strengths(request.direction or ())
        steps = editor.steps(strengths, request.keep or ())
        names = ", ".join(f"{name} {strength:+g}" for name, strength in strengths.items())
        return _moved(editor, request, points, steps, names, noise)
    plain = editor.images(points, noise)
    return EditOutcome(_images(len(points)), plain.grid())


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def edit_provenance(method: Method, request: EditRequest, inputs: Iterable[str] = ()) -> Provenance:
    """The method, names of edited files, and the options that are not at their defaults."""
    options: dict[str, Value] = {}
    for one in fields(request):
        value = getattr(request, one.name)
        if one.name == "seeds":
            options["seeds"] = value if isinstance(value, str) else _in_words(read_seeds(value))
        elif value != one.default:
            options[one.name] = tuple(value) if isinstance(value, list | tuple) else value
    if inputs:
        options.pop("seeds", None)
    return method.made("edit", inputs=inputs).with_options(**options)


def _noted(outcome: EditOutcome, method: Method, request: EditRequest) -> EditOutcome:
    made = edit_provenance(method, request)
    frames = None if outcome.frames is None else ImageArray(outcome.frames, made)
    return replace(outcome, image=ImageArray(outcome.image, made), frames=frames)


def _found(editor: Editor, request: EditRequest) -> EditOutcome:
    found = editor.find([one.strip() for one in request.how.split(",")], request.count)
    image = direction_grid(editor, found[:SHOWN_DIRECTIONS])
    if editor.folder is not None:
        write_png(editor.folder / EDITING_FOLDER / "directions.png", image, edit_provenance(editor.method, request))
    return EditOutcome(f"{len(found)} directions of {editor.space.name}", image, directions=found)


def direction_grid(editor: Editor, directions: Sequence[Direction]) -> ImageArray:
    """A block of two rows for each direction: from strength -3 to 3, in 5 columns."""
    points = editor.points(range(SHOWN_SEEDS))
    blocks: list[np.ndarray] = []
    for one in directions:
        columns = [editor.images(moved(editor.space, points, [(one, strength)])) for strength in DIRECTION_STRENGTHS]
        rows = np.stack(columns, 1)
        blocks.append(grid(rows.reshape(-1, *rows.shape[2:]), columns=len(DIRECTION_STRENGTHS)))
    return ImageArray(stacked_grids(blocks))


def _mixed(editor: Editor, request: EditRequest) -> EditOutcome:
    """The first row and column are the images that are mixed, as in the paper's figure."""
    assert request.mix is not None
    rows, columns = (editor.points(read_seeds(seeds), request.label, request.truncation) for seeds in request.mix)
    layers = read_layers(request.layers)
    inner = editor.mix(rows, columns, layers)
    left, top = editor.images(rows), editor.images(columns)
    corner = np.full_like(top[:1], 255)
    lines: list[np.ndarray] = [np.concatenate([corner, top])]
    for row in range(len(rows)):
        lines.append(np.concatenate([left[row : row + 1], inner[row]]))
    image = grid(np.concatenate(lines), columns=len(columns) + 1)
    text = f"{_images(len(rows))} with layers {request.layers} of {len(columns)} others"
    return EditOutcome(text, ImageArray(image))


def _combined(
    editor: Editor, request: EditRequest, points: Points, invert_images: Callable[[str], Points]
) -> EditOutcome:
    expression = request.arithmetic or ""
    name = request.save or "arithmetic"
    combined = editor.combine(expression, invert=invert_images, label=request.label, name=name)
    if combined.direction is None:
        if request.save:
            raise UsageError(f"--save keeps a direction, and {expression!r} is a point: its weights sum to 1, not to 0")
        if request.truncation != 1:
            raise UsageError(f"truncation is about images that are moved, and {expression!r} is a point: omit it")
        text = f"{expression}: its operands, and last the result"
        return EditOutcome(text, combined.images.grid(len(combined.images)))
    direction = combined.direction
    if request.save:
        direction = editor.add(direction)
    return _moved(editor, request, points, [(direction, 1.0)], expression, [])


def _reached(editor: Editor, request: EditRequest, points: Points) -> EditOutcome:
    """A row of the images, and below it the edited ones."""
    asked = read_strengths([request.reach or ""])
    ((name, change),) = asked.items()
    if change == 0:
        raise UsageError(f"reach asks for a change other than 0, such as {name}=0.5 (got {request.reach})")
    unit = editor.attribute(name).unit
    ((direction, _),) = editor.steps({name: 1.0}, request.keep or ())
    done, strengths = editor.reach(points, direction, name, change)
    rows = grid(np.concatenate([done.before, done.after]), columns=len(points))
    text = (
        f"{_images(len(points))} moved until {name} changed by {change:+g}{' ' if unit else ''}{unit},"
        f" mean strength {strengths.mean():.2f}"
    )
    return EditOutcome(text, ImageArray(rows), changes=done.changes, same_class=done.same_class)


def _moved(
    editor: Editor,
    request: EditRequest,
    points: Points,
    steps: Sequence[tuple[Direction, float]],
    names: str,
    noise: Sequence[int | None],
) -> EditOutcome:
    layers = read_layers(request.layers)
    edited_images = editor.move(points, steps, layers=layers, noise=noise)
    sweep = editor.sweep(points, steps, request.steps, both=request.both, layers=layers, noise=noise)
    image = grid(sweep.reshape(-1, *sweep.shape[2:]), columns=request.steps)
    # As a video all images move together, there and back.
    shown = [grid(sweep[:, column]) for column in range(request.steps)]
    moving = np.stack([*shown, *shown[-2:0:-1]])
    text = f"{_images(len(points))} moved by {names}"
    return EditOutcome(text, ImageArray(image), ImageArray(moving), edited_images.changes, edited_images.same_class)


# --- options that are written as text -----------------------------------------------------------------------------------


def read_strengths(texts: Sequence[str]) -> dict[str, float]:
    """{"thickness": 2.0} of ["thickness=2"]; UsageError for anything else."""
    strengths: dict[str, float] = {}
    for text in texts:
        name, equals, number = text.rpartition("=")
        try:
            strength = float(number)
        except ValueError:
            strength = math.nan
        if not equals or not name or not math.isfinite(strength):
            raise UsageError(f"a direction is NAME=STRENGTH, such as thickness=2 or pca1=-1.5 (got {text})")
        strengths[name] = strengths.get(name, 0.0) + strength
    return strengths


def read_layers(text: str | None) -> list[int]:
    """[0, 4, 5, 6] of "0,4-6"; [] of None."""
    layers: list[int] = []
    if text is None:
        return layers
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UsageError(f"layers are numbers from 0 or ranges, such as 0-3 or 2,5-7 (got {text})")
        layers += range(int(first), min(int(last or first), int(first) + MAX_TRAVERSALS) + 1)
    return layers


def read_noise(texts: Sequence[str], layers: int, method: str) -> list[int | None]:
    """A seed or None for each layer that adds noise, of ["all=3", "5=8"]; [] without texts."""
    if not texts:
        return []
    if not layers:
        raise UsageError(f"{method} adds no noise to its layers, so there are no noise seeds to choose")
    seeds: list[int | None] = [None] * layers
    for text in texts:
        place, equals, seed = text.partition("=")
        if not equals or not seed.isdecimal() or not (place == "all" or place.isdecimal()):
            raise UsageError(f"noise is LAYER=SEED or all=SEED, such as 5=8 (got {text})")
        if place == "all":
            seeds = [int(seed)] * layers
            continue
        if int(place) >= layers:
            raise UsageError(f"there is no layer {place} of noise: this {method} has the layers 0 to {layers - 1}")
        seeds[int(place)] = int(seed)
    return seeds


def _in_words(seeds: Sequence[int]) -> str:
    """Seeds as `read_seeds` reads them where they follow each other, else joined by commas."""
    if len(seeds) > 1 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]}-{seeds[-1]}"
    return ",".join(map(str, seeds))


def read_seeds(seeds: Seeds) -> list[int]:
    """The seeds of "5", 5 or "0-7" (both ends included), or of any iterable; UsageError for other texts, or over 1000 seeds."""
    if isinstance(seeds, int):
        return [seeds]
    if isinstance(seeds, str):
        first, dash, last = seeds.partition("-")
        if not first.strip().isdecimal() or (dash and not last.strip().isdecimal()):
            raise UsageError(f"seeds are one number or two joined by -, such as 0-7 (got {seeds})")
        start, end = int(first), int(last or first) + 1
        if not 1 <= end - start <= MAX_TRAVERSALS:
            raise UsageError(f"seeds must be increasing, with at most {MAX_TRAVERSALS} of them (got {seeds})")
        return list(range(start, end))
    return list(seeds)


def traverse(
    method: Method,
    seeds: Iterable[int],
    names: Sequence[str] | None = None,
    *,
    values: int = 10,
    reach: float = CODE_RANGE,
) -> np.ndarray:
    """An image (H, W, C) uint8 with a grid per code: a row per seed, a column per value of the code, all else fixed.

    A categorical code takes each of its values, a continuous one `values` numbers from -reach to reach. `names` are the codes
    to traverse (None: all). UsageError if the method has no codes, or none of that name.
    """
    chosen, seeds = chosen_codes(method, names), list(seeds)
    if not seeds or values < 1:
        raise UsageError("a traversal needs at least one seed and one value")
    for seed in seeds:
        check_seeds(1, seed)
    sampling = _with_codes(method)
    latents, labels = sampling.latents(seeds), sampling.labels(seeds)
    grids = []
    for code in chosen:
        images = traversal(sampling, code, latents, labels, values, reach)
        grids.append(grid(images.reshape(-1, *images.shape[2:]), columns=images.shape[1]))
    return stacked_grids(grids)


def traversal(
    method: Samples,
    code: Code,
    latents: Tensor,
    labels: Tensor | None = None,
    values: int = 10,
    reach: float = CODE_RANGE,
) -> np.ndarray:
    """Images (seeds, settings of the code, H, W, C) uint8."""
    changed = edited(latents, code, values, reach)
    seeds, settings = changed.shape[:2]
    repeated = None if labels is None else labels.repeat_interleave(settings)
    images = generate_images(method, changed.flatten(0, 1), repeated)
    return images.reshape(seeds, settings, *images.shape[1:])


def edited(latents: Tensor, code: Code, values: int = 10, reach: float = CODE_RANGE) -> Tensor:
    """Latents (n, L) with `code` set to each of its values in turn, (n, values, L)."""
    settings = torch.eye(code.size) if code.kind == "categorical" else torch.linspace(-reach, reach, values)[:, None]
    changed = latents[:, None].repeat(1, len(settings), 1)
    changed[..., code.start : code.start + code.size] = settings
    return changed


def interpolate(method: Method, first: int, last: int, steps: int = 8) -> np.ndarray:
    """Images (steps, H, W, C) uint8 interpolated from seed `first` to seed `last`, both included.

    Normal latents go on a great circle, so that they keep the length they have in training. Class and codes are those of
    `first`. UsageError if the method has no latent space.
    """
    if steps < 2:
        raise UsageError(f"an interpolation needs at least 2 steps (got {steps})")
    space = next((one for one in editable(method).latent_spaces() if one.normal), space_of(method))
    ends = points_of(method, space, [first, last])
    way = between(space, ends.values[0], ends.values[1], torch.linspace(0, 1, steps))
    return synthesised(method, space, ends.rows([0] * steps).with_values(way))


@torch.no_grad()
def generate_images(method: Samples, latents: Tensor, labels: Tensor | None = None) -> np.ndarray:
    """Images (n, H, W, C) uint8 from latents on the CPU, generated on the method's device in chunks of one size."""
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        z = latents[rows].to(device)
        if labels is None:
            return method.generate(z)
        return method.generate(z, labels[rows].to(device))

    return to_uint8(in_chunks(len(latents), of_rows))


def chosen_codes(method: Method, names: Sequence[str] | None = None) -> list[Code]:
    """The codes with these names (None: all); UsageError for a name that does not exist."""
    by_name = {code.name: code for code in _with_codes(method).codes()}
    for name in names or ():
        if name not in by_name:
            raise UsageError(f"there is no code {name}{nearest(name, by_name)} (there are: {', '.join(by_name)})")
    return [by_name[name] for name in names or by_name]


def _with_codes(method: Method) -> Samples:
    """The method; UsageError if it has no codes."""
    if not isinstance(method, Samples) or not method.codes():
        raise UsageError(
            f"the latent of {method.name} has no codes to edit (methods with codes: {methods_with(Samples.codes)})"
        )
    return method


def stacked_grids(grids: Sequence[np.ndarray]) -> np.ndarray:
    """Images (H, W, C) uint8 of any width below each other, left-aligned on white."""
    width, between = max(one.shape[1] for one in grids), 3 * GRID_GAP
    height = sum(one.shape[0] for one in grids) + between * (len(grids) - 1)
    canvas = np.full((height, width, grids[0].shape[2]), 255, np.uint8)
    top = 0
    for one in grids:
        canvas[top : top + one.shape[0], : one.shape[1]] = one
        top += one.shape[0] + between
    return canvas
