"""What the units of a generator do: a unit is ablated or forced, and what changes in the images is measured (GAN Dissection, Bau
2019, arXiv:1811.10597, sec. 3.2).

A unit is one channel of what a layer with weights takes, after the activation before it. Ablated, it is 0 everywhere, so that
the layer gets nothing of it. Forced, it has a value everywhere that it otherwise exceeds in 1 % of places only.

Departs from the paper: units are compared with measured attributes and classes in place of a segmentation, and are forced at all
places in place of chosen ones. Which units are tried is decided on a few images.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.abilities import LatentSpace
from ganvas.chunks import CHUNK
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.metrics.attributes import Attribute, fitting_attributes, measure_attributes
from ganvas.metrics.probe import Probe
from ganvas.sampling import to_uint8
from ganvas.tasks.directions import Effect
from ganvas.tasks.latents import Points

FORCED_QUANTILE = 0.99  # of a unit's values, which it is forced to
SCREENED_IMAGES = 4  # images in which every unit is ablated, to choose those that are tried in all
MAX_CANDIDATES = 1024  # units of all layers that are screened so
ESTIMATE_IMAGES = 16  # images of the first-order estimate that chooses these, where there are more
ESTIMATE_PROJECTIONS = 8  # random projections of the change that the estimate takes
KEPT_IMAGES = 4  # images that a result keeps
REACH_SHARE = 0.9  # share of a change that `reach` holds
MAX_NAMED_EFFECTS = 3  # attributes that `described` names
NOTICED_EFFECT = 0.1  # standard deviations, or probability, below which `described` names no effect


# --- what is measured of images -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How images differ from what they were."""

    change: float
    """Root mean square of the change of a pixel, in bytes (0 to 255)."""
    effects: Mapping[str, Effect]
    """By attribute, mean over the images."""
    classes: Mapping[str, float]
    """By class, the mean change of its probability; empty without labels."""
    same_class: float | None
    """Share of the images whose class, read by a probe, stayed; None without labels."""

    def as_dict(self) -> JsonObject:
        """Plain values for JSON."""
        effects: JsonObject = {}
        for name, effect in self.effects.items():
            effects[name] = {"change": effect.change, "deviations": effect.deviations}
        return {
            "change": self.change, "effects": effects, "classes": dict(self.classes), "same_class": self.same_class,
        }  # fmt: skip

    def described(self) -> str:
        """What moved most, in a line: "thickness -0.61, class 7 +0.31"; "" where hardly anything did."""
        moved = [(effect.deviations, name) for name, effect in self.effects.items()]
        moved += [(change, f"class {name}") for name, change in self.classes.items()]
        moved = sorted((one for one in moved if abs(one[0]) >= NOTICED_EFFECT), key=lambda one: -abs(one[0]))
        return ", ".join(f"{name} {amount:+.2f}" for amount, name in moved[:MAX_NAMED_EFFECTS])


class Measures:
    """Measures every attribute that fits the images, and the classes where a probe reads them."""

    def __init__(self, images: np.ndarray, probe: Probe | None) -> None:
        self.attributes: list[Attribute] = fitting_attributes(images)
        self.probe = probe
        self.before = images
        self._values = measure_attributes(images, self.attributes)
        self._probabilities = self._classes(images)

    def deviation(self, one: Attribute) -> float:
        """Standard deviation of an attribute over the images as they were."""
        return float(one.centred(self._values[one.name]).std())

    def outcome(self, after: np.ndarray, rows: slice = slice(None)) -> Outcome:
        """How images uint8 (n, H, W, C) differ from `rows` of those that this was made with."""
        return self._between(
            self.before[rows], {name: values[rows] for name, values in self._values.items()},
            None if self._probabilities is None else self._probabilities[rows], after,
        )  # fmt: skip

    def change(self, before: np.ndarray, after: np.ndarray) -> Outcome:
        """How images differ from others."""
        return self._between(before, measure_attributes(before, self.attributes), self._classes(before), after)

    def _classes(self, images: np.ndarray) -> np.ndarray | None:
        return None if self.probe is None else self.probe.probabilities(images)

    def _between(
        self, before: np.ndarray, values: Mapping[str, np.ndarray], probabilities: np.ndarray | None, after: np.ndarray
    ) -> Outcome:
        now = measure_attributes(after, self.attributes)
        effects: dict[str, Effect] = {}
        for one in self.attributes:
            change = float(one.difference(now[one.name], values[one.name]).mean())
            deviation = self.deviation(one)
            if deviation > 1e-9:
                effects[one.name] = Effect(change, change / deviation)
        classes: dict[str, float] = {}
        same_class = None
        after_probabilities = self._classes(after)
        if self.probe is not None and probabilities is not None and after_probabilities is not None:
            moved = (after_probabilities - probabilities).mean(0)
            classes = dict(zip(self.probe.classes, moved.tolist(), strict=True))
            same_class = float((after_probabilities.argmax(1) == probabilities.argmax(1)).mean())
        return Outcome(root_mean_square(before, after), effects, classes, same_class)


def root_mean_square(before: np.ndarray, after: np.ndarray) -> float:
    """Of the change of images uint8 (n, H, W, C), in bytes."""
    return float(np.sqrt(np.square(after.astype(np.float64) - before).mean()))


def change_map(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W) float32: the mean absolute change of each pixel, in bytes, over images uint8 (n, H, W, C) and channels."""
    return np.abs(after.astype(np.float32) - before).mean((0, 3))


# --- layers and their inputs ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """A layer with weights and the units that it takes."""

    name: str
    """In the network, such as "convs.1"."""
    module: nn.Module
    units: int
    """Channels of its input."""
    size: tuple[int, int]
    """Height and width of each; (1, 1) of a vector."""


@torch.no_grad()
def unit_layers(method: Method, space: LatentSpace, points: Points) -> list[Layer]:
    """The layers with weights on the way from points to images, in the order of their first call, that take units.

    Left out are layers that take the point itself, images (no more channels than an image and a channel of noise have), or what
    is the same for all points, such as the time of a flow.
    """
    network = space.network or method
    taken: list[tuple[str, nn.Module, Tensor]] = []

    def keep(name: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if all(module is not other for _, other, _ in taken):
                taken.append((name, module, inputs[0]))

        return hook

    hooks = [module.register_forward_pre_hook(keep(name)) for name, module in weighted(network)]
    try:
        synthesise(method, space, points)
    finally:
        for hook in hooks:
            hook.remove()

    takes_point = set(space.takes)
    if not takes_point and taken and taken[0][2].ndim == 2:
        takes_point = {taken[0][1]}
    found: list[Layer] = []
    for name, module, x in taken:
        if module in takes_point or x.ndim not in (2, 4) or len(x) != len(points):
            continue
        if x.ndim == 4 and x.shape[1] <= method.spec.shape[0] + 1:
            continue
        if not bool((x != x[:1]).any()):
            continue
        size = (x.shape[2], x.shape[3]) if x.ndim == 4 else (1, 1)
        found.append(Layer(name, module, x.shape[1], size))
    return found


def weighted(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """Linear layers and convolutions by name."""
    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    return [(name, module) for name, module in network.named_modules() if isinstance(module, kinds)]


@contextlib.contextmanager
def changed(layer: Layer, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Inside it the layer takes change(x) of its input x, (n, units) or (n, units, h, w), at each call."""

    def hook(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (change(inputs[0]), *inputs[1:])

    handle = layer.module.register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def synthesise(method: Method, space: LatentSpace, points: Points) -> Tensor:
    """Images (n, C, H, W) of points by a single call, so that rows can be exchanged inside; in [-1, 1]."""
    labels = None if points.labels is None else points.labels.to(method.device)
    return space.synthesise(points.values.to(method.device), labels, []).float().clamp(-1, 1)


@torch.no_grad()
def images_of(method: Method, space: LatentSpace, points: Points) -> np.ndarray:
    """Images uint8 (n, H, W, C) of points by a single call."""
    return to_uint8(synthesise(method, space, points).cpu())


# --- units ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Unit:
    """A unit that was ablated and forced."""

    layer: str
    number: int
    """Of the channel."""
    value: float
    """What it was forced to."""
    ablated: Outcome
    forced: Outcome
    where: np.ndarray = field(repr=False)
    """(H, W): mean absolute change of each pixel when it is ablated, in bytes."""
    images: np.ndarray = field(repr=False)
    """Some images as they are, with the unit ablated, and with it forced, uint8 (3, k, H, W, C)."""

    @property
    def name(self) -> str:
        """Such as "convs.1 unit 17"."""
        return f"{self.layer} unit {self.number}"

    def as_dict(self) -> JsonObject:
        """Plain values for JSON, all but the images."""
        return {
            "layer": self.layer, "number": self.number, "value": self.value, "ablated": self.ablated.as_dict(),
            "forced": self.forced.as_dict(),
        }  # fmt: skip


def dissect(
    method: Method, space: LatentSpace, points: Points, layers: Sequence[Layer], measures: Measures, count: int
) -> list[Unit]:
    """About `count` units, as many of each layer, ablated and forced in the images of points, that which changes images most by
    being ablated first. `measures` was made with the images of the points."""
    if not layers or count < 1:
        return []
    each = max(1, count // len(layers))
    found: list[Unit] = []
    for layer, candidates in zip(layers, candidates_of(method, space, points, layers), strict=True):
        changes = screened_changes(method, space, points.rows(slice(0, SCREENED_IMAGES)), layer, candidates)
        values = high_values(method, space, points, layer)
        for place in changes.topk(min(each, len(candidates))).indices.tolist():
            number = candidates[place]
            found.append(_intervened(method, space, points, layer, number, float(values[number]), measures))
    return sorted(found, key=lambda unit: -unit.ablated.change)


def candidates_of(method: Method, space: LatentSpace, points: Points, layers: Sequence[Layer]) -> list[list[int]]:
    """For each layer the units that are screened: all, or where there are very many, those with the largest estimates."""
    if sum(layer.units for layer in layers) <= MAX_CANDIDATES:
        return [list(range(layer.units)) for layer in layers]
    each = max(1, MAX_CANDIDATES // len(layers))
    estimates = estimated_changes(method, space, points.rows(slice(0, ESTIMATE_IMAGES)), layers)
    return [estimate.topk(min(each, len(estimate))).indices.tolist() for estimate in estimates]


@torch.no_grad()
def screened_changes(
    method: Method, space: LatentSpace, points: Points, layer: Layer, numbers: Sequence[int]
) -> Tensor:
    """(k,): the squared change, mean over the images of points and pixels, that ablating each of `numbers` makes."""
    before = synthesise(method, space, points)
    images, at_once = len(points), max(1, CHUNK // len(points))
    changes: list[Tensor] = []
    for start in range(0, len(numbers), at_once):
        block = torch.tensor(numbers[start : start + at_once])
        unit_of_row = block.repeat_interleave(images).to(before.device)

        def without(x: Tensor, unit_of_row: Tensor = unit_of_row) -> Tensor:
            x = x.clone()
            x[torch.arange(len(x), device=x.device), unit_of_row] = 0
            return x

        rows = list(range(images)) * len(block)
        with changed(layer, without):
            after = synthesise(method, space, points.rows(rows))
        changes.append((after - before[rows]).square().flatten(1).mean(1).view(-1, images).mean(1).cpu())
    return torch.cat(changes)


def estimated_changes(
    method: Method, space: LatentSpace, points: Points, layers: Sequence[Layer], projections: int = ESTIMATE_PROJECTIONS
) -> list[Tensor]:
    """For each layer (units,): the squared change of images, mean over images and pixels, that ablating each unit makes to first
    order.

    With a the unit's values, J the Jacobian of the image by them and v standard normal, E (v . J a)^2 = |J a|^2; so one backward
    pass for each v estimates all units of all layers. It does not see what a saturated pixel hides.
    """
    recorded: list[list[Tensor]] = [[] for _ in layers]
    with contextlib.ExitStack() as stack:
        for layer, inputs in zip(layers, recorded, strict=True):

            def keep(x: Tensor, inputs: list[Tensor] = inputs) -> Tensor:
                # A copy in the graph: what two layers share is counted for each.
                inputs.append(x.clone() if x.requires_grad else x.clone().requires_grad_())
                return inputs[-1]

            stack.enter_context(changed(layer, keep))
        values = points.values.clone().requires_grad_()
        with torch.enable_grad():
            images = synthesise(method, space, points.with_values(values))

    flat = [x for inputs in recorded for x in inputs]
    totals = [torch.zeros(layer.units, dtype=torch.float64) for layer in layers]
    generator = torch.Generator().manual_seed(0)
    for _ in range(projections):
        v = torch.randn(images.shape, generator=generator).to(images.device)
        gradients = iter(torch.autograd.grad(images, flat, v, retain_graph=True, allow_unused=True))
        for total, inputs in zip(totals, recorded, strict=True):
            product = torch.zeros(len(points), len(total), dtype=torch.float64)  # v . J a of each image and unit
            for x in inputs:
                gradient = next(gradients)
                if gradient is not None:
                    product += (
                        (x * gradient).detach().flatten(2).sum(2).cpu()
                        if x.ndim == 4
                        else (x * gradient).detach().cpu()
                    )
            total += product.square().mean(0) / (projections * images[0].numel())
    return totals


@torch.no_grad()
def high_values(method: Method, space: LatentSpace, points: Points, layer: Layer) -> Tensor:
    """(units,): what each unit exceeds at 1 % of places, over the images and positions; mean over the layer's calls."""
    quantiles: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        values = x.transpose(0, 1).flatten(1).float()
        rank = max(1, round(FORCED_QUANTILE * values.shape[1]))
        quantiles.append(values.kthvalue(rank, dim=1).values.cpu())
        return x

    with changed(layer, keep):
        synthesise(method, space, points)
    return torch.stack(quantiles).mean(0)


def _intervened(
    method: Method, space: LatentSpace, points: Points, layer: Layer, number: int, value: float, measures: Measures
) -> Unit:
    def set_to(amount: float) -> Callable[[Tensor], Tensor]:
        def change(x: Tensor) -> Tensor:
            x = x.clone()
            x[:, number] = amount
            return x

        return change

    with changed(layer, set_to(0.0)):
        ablated = images_of(method, space, points)
    with changed(layer, set_to(value)):
        forced = images_of(method, space, points)
    shown = np.stack([measures.before[:KEPT_IMAGES], ablated[:KEPT_IMAGES], forced[:KEPT_IMAGES]])
    where = change_map(measures.before, ablated)
    return Unit(layer.name, number, value, measures.outcome(ablated), measures.outcome(forced), where, shown)


# --- layers ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerInfluence:
    """What a layer decides: its inputs are exchanged for those of another image (an interchange intervention, Geiger 2021,
    arXiv:2106.02997)."""

    name: str
    units: int
    size: tuple[int, int]
    change: float
    """Root-mean-square change of a pixel, in bytes, when all of the layer's inputs are another image's."""
    position_change: float
    """The same when they are at the central position only."""
    reach: int
    """Side in pixels of the square, around the middle of that change, that holds 90 % of it."""
    whole: np.ndarray = field(repr=False)
    """(H, W): mean absolute change of each pixel, all positions exchanged."""
    position: np.ndarray = field(repr=False)
    """(H, W): the central position exchanged."""

    def as_dict(self) -> JsonObject:
        """Plain values for JSON, all but the maps."""
        return {
            "name": self.name, "units": self.units, "size": list(self.size), "change": self.change,
            "position_change": self.position_change, "reach": self.reach,
        }  # fmt: skip


def influences(
    method: Method, space: LatentSpace, points: Points, layers: Sequence[Layer], before: np.ndarray
) -> list[LayerInfluence]:
    """The influence of each layer on the images `before` of points."""
    found: list[LayerInfluence] = []
    for layer in layers:
        with changed(layer, lambda x: x.roll(1, 0)):
            whole = images_of(method, space, points)
        with changed(layer, _central_position_rolled):
            position = images_of(method, space, points)
        here = change_map(before, position)
        found.append(
            LayerInfluence(
                layer.name, layer.units, layer.size, root_mean_square(before, whole), root_mean_square(before, position),
                reach(here), change_map(before, whole), here,
            )
        )  # fmt: skip
    return found


def _central_position_rolled(x: Tensor) -> Tensor:
    rolled = x.roll(1, 0)
    if x.ndim == 2:
        return rolled
    x = x.clone()
    row, column = x.shape[2] // 2, x.shape[3] // 2
    x[:, :, row, column] = rolled[:, :, row, column]
    return x


def reach(change: np.ndarray) -> int:
    """Side of the smallest square around the centre of mass of a map (H, W) >= 0 that holds 90 % of it; 0 of an empty one."""
    total = float(change.sum())
    if total <= 0:
        return 0
    rows, columns = np.indices(change.shape)
    row, column = (change * rows).sum() / total, (change * columns).sum() / total
    away = np.maximum(np.abs(rows - row), np.abs(columns - column)).ravel()  # half a side, up to each pixel's middle
    order = np.argsort(away, kind="stable")
    inside = np.cumsum(change.ravel()[order])
    half = away[order][np.searchsorted(inside, REACH_SHARE * total * (1 - 1e-6))]
    return int(min(np.ceil(2 * half + 1 - 1e-6), max(change.shape)))
