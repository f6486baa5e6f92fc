"""Directions in a latent space: found without labels by PCA (GANSpace) and by factorising the first layers (SeFa), and with
labels or measured attributes by linear probes (InterFaceGAN).

A direction is a vector of length 1. Its strength is counted in standard deviations of random points along it, so that strength 2
is as far as one sample in forty goes by itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.abilities import LatentSpace
from ganvas.chunks import in_chunks
from ganvas.data.kinds import KINDS
from ganvas.errors import UsageError, nearest
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.metrics.attributes import Attribute, measure_attributes
from ganvas.tasks.latents import POINTS, Points, random_points, space_of, synthesised

RIDGE_PENALTY = 0.01  # of linear probes: the penalty over the variance of the points
HELD_OUT_SHARE = 0.25  # share of the points that a probe is measured on
EFFECT_IMAGES = 256  # images that a direction's effect is measured on
LAYER_PREFIX = "pca:"  # before the name of a layer whose features PCA is of
MIN_REMAINDER = 0.05  # a direction of which projection leaves less than this share is refused


@dataclass(frozen=True)
class Effect:
    """What strength 1 of a direction does to an attribute, mean over images."""

    change: float
    """In the attribute's unit."""
    deviations: float
    """In standard deviations of the attribute over samples."""


@dataclass(frozen=True)
class Direction:
    """A direction of a latent space."""

    name: str
    space: str
    """Name of the latent space. A direction of w serves w+ too."""
    vector: Tensor
    """(D,) or (L, D), of length 1, 0 where a code is."""
    scale: float
    """Standard deviation of random points along it: the length of strength 1."""
    how: str
    """How it was found, in words."""
    share: float | None = None
    """Of a probe R^2 on held-out points, of PCA the share of the variance, of SeFa that of the sum of the eigenvalues."""
    effects: Mapping[str, Effect] = field(default_factory=dict)
    """By attribute, measured."""

    def step(self, strength: float = 1.0) -> Tensor:
        """The vector to add to points."""
        return self.vector * (self.scale * strength)

    def as_dict(self) -> JsonObject:
        """Plain values for JSON, all but the vector."""
        effects: JsonObject = {}
        for name, effect in self.effects.items():
            effects[name] = {"change": effect.change, "deviations": effect.deviations}
        return {
            "name": self.name, "space": self.space, "scale": self.scale, "how": self.how, "share": self.share, "effects": effects,
        }  # fmt: skip


# --- without labels -----------------------------------------------------------------------------------------------------


@torch.no_grad()
def principal_directions(
    method: Method,
    space: LatentSpace,
    count: int = 10,
    *,
    of: str = "auto",
    samples: int = POINTS,
) -> list[Direction]:
    """PCA as in GANSpace (Harkonen 2020, arXiv:2004.02546): the directions in which images vary most, named pca1, pca2, ...

    of "points" takes the principal axes of the points themselves (the paper for StyleGAN's w). of "images", or the name of a
    layer of the space's network, takes those of its output and regresses the points on them (the paper for BigGAN, eq. 2).
    "coarse" takes images averaged to 2 x 2, so that what concerns the whole image comes first; its directions are named coarse1,
    coarse2, ...; those of a layer LAYER:pca1, ... "auto" is "points", or "images" of a space whose points vary alike in all
    directions.
    """
    points = random_points(method, space, samples)
    if of == "auto":
        of = "images" if space.normal else "points"
    values = points.values[..., : space.free].flatten(1) if not space.layers else points.values[:, 0, : space.free]
    centred = values - values.mean(0)
    if of == "points":
        axes, shares = principal_axes(centred, count)
        vectors = axes
    else:
        output = synthesised_features(method, space, points, of)
        scores, shares = principal_scores(output - output.mean(0), count)
        # Scores are not correlated with each other, so each has a regression of its own.
        vectors = centred.T @ scores / scores.square().sum(0).clamp_min(1e-20)
    found: list[Direction] = []
    layers = dict(space.network.named_modules()) if space.network is not None else {}
    for number in range(vectors.shape[1]):
        what = {"points": space.name, "coarse": "images averaged to 2 x 2"}.get(of, of)
        how = f"PCA of {what}"
        name = f"pca{number + 1}" if of in ("points", "images") else f"{of}{number + 1}"
        if of in layers:
            name = f"{of}:pca{number + 1}"
        found.append(_direction(name, space, vectors[:, number], points, how, float(shares[number])))
    return found


def principal_axes(centred: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The first principal axes (D, k) of centred rows (n, D), and their shares of the variance (k,)."""
    _, sizes, axes = torch.linalg.svd(centred.double(), full_matrices=False)
    shares = sizes.square() / sizes.square().sum().clamp_min(1e-30)
    return axes[:count].T.float(), shares[:count]


def principal_scores(centred: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The first principal components (n, k) of centred rows (n, D), and their shares of the variance (k,)."""
    if centred.shape[1] <= len(centred):
        axes, shares = principal_axes(centred, count)
        return centred @ axes, shares
    variances, vectors = torch.linalg.eigh((centred @ centred.T).double())
    sizes, vectors = variances.flip(0)[:count].clamp_min(0), vectors.flip(1)[:, :count]
    return (vectors * sizes.sqrt()).float(), sizes / variances.sum()


@torch.no_grad()
def factorised_directions(
    method: Method, space: LatentSpace, count: int = 10, *, layers: Sequence[int] | None = None
) -> list[Direction]:
    """SeFa (Shen and Zhou 2021, arXiv:2007.06600): the eigenvectors of A^T A with the largest eigenvalues, named sefa1, ...

    A (outputs, D) are the weights of the layers that take a point, stacked; `layers` chooses some of them.
    """
    weights = first_weights(method, space)
    if layers is not None:
        for layer in layers:
            if not 0 <= layer < len(weights):
                raise UsageError(f"there is no layer {layer}: {len(weights)} layer(s) take a point of {space.name}")
        weights = [weights[layer] for layer in layers]
    stacked = torch.cat(weights)
    if not bool(stacked.abs().sum() > 0):
        raise UsageError(f"no layer of {method.name} takes a point of {space.name} alone, so none can be factorised")
    axes, shares = principal_axes(stacked, count)
    points = random_points(method, space)
    return [
        _direction(f"sefa{number + 1}", space, axes[:, number], points, "SeFa", float(shares[number]))
        for number in range(axes.shape[1])
    ]


@torch.no_grad()
def first_weights(method: Method, space: LatentSpace) -> list[Tensor]:
    """The weights (outputs, D) of each layer that takes a point: what a linear layer adds for each of the D numbers."""
    start = random_points(method, space, 1)
    unit = torch.eye(space.free, start.values.shape[-1])
    if space.takes:
        ends = torch.cat([torch.zeros_like(unit[:1]), unit]).to(method.device)
        outputs = [layer(ends).flatten(1) for layer in space.takes]
    else:
        values = torch.cat([start.values, start.values + unit])
        outputs = [_first_output(method, space, start.rows([0] * len(values)).with_values(values))]
    return [(output[1:] - output[:1]).T.float().cpu() for output in outputs]


class _Stop(Exception):
    """Ends a forward pass after the layer that was asked for."""


def _first_output(method: Method, space: LatentSpace, points: Points) -> Tensor:
    """What the first layer with weights gives for all points, (n, F)."""
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        outputs.append(output.flatten(1))
        raise _Stop

    network = space.network or method
    layers = [
        module
        for module in network.modules()
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and module.weight is not None
    ]
    hooks = [layer.register_forward_hook(keep) for layer in layers]
    device = method.device
    labels = None if points.labels is None else points.labels.to(device)
    try:
        space.synthesise(points.values.to(device), labels, [])
    except _Stop:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    if len(outputs[0]) != len(points):  # it takes something else, the time of a flow
        return torch.zeros(len(points), 1)
    return outputs[0]


@torch.no_grad()
def synthesised_features(method: Method, space: LatentSpace, points: Points, of: str) -> Tensor:
    """(n, F): the images of points, the same averaged to 2 x 2 ("coarse"), or what the layer named `of` gives on the way to them.
    UsageError for an unknown layer."""
    device, labels = method.device, points.labels
    layers: dict[str, nn.Module] = {}
    if of not in ("images", "coarse"):
        layers = feature_layers(method, space)
        if of not in layers:
            names = ", ".join(["images", "coarse", *layers])
            raise UsageError(f"no layer {of} gives features{nearest(of, layers)} (there are: {names})")
    outputs: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        outputs.append(output)

    def of_rows(rows: Tensor) -> Tensor:
        of_class = None if labels is None else labels[rows].to(device)
        images = space.synthesise(points.values[rows].to(device), of_class, []).clamp(-1, 1)
        if of == "coarse":
            images = F.adaptive_avg_pool2d(KINDS[method.spec.kind].as_images(images), 2)
        if hook is None:
            return images.flatten(1)
        features = outputs[-1].flatten(1)  # of the last step, where a method takes many
        outputs.clear()
        return features

    hook = layers[of].register_forward_hook(keep) if of in layers else None
    try:
        return in_chunks(len(points), of_rows)
    finally:
        if hook is not None:
            hook.remove()


@torch.no_grad()
def feature_layers(method: Method, space: LatentSpace) -> dict[str, nn.Module]:
    """The layers of the space's network by name that give a tensor with a row for each image, in the order of the network."""
    if space.network is None:
        return {}
    points = random_points(method, space, 2)
    modules = {name: module for name, module in space.network.named_modules() if name}
    found: set[str] = set()
    hooks = []
    for name, module in modules.items():

        def keep(module: nn.Module, inputs: object, output: object, name: str = name) -> None:
            if isinstance(output, Tensor) and output.shape[:1] == (len(points),):
                found.add(name)

        hooks.append(module.register_forward_hook(keep))
    labels = None if points.labels is None else points.labels.to(method.device)
    try:
        space.synthesise(points.values.to(method.device), labels, [])
    finally:
        for hook in hooks:
            hook.remove()
    return {name: module for name, module in modules.items() if name in found}


# --- with labels and measured attributes --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Random points, their images and the attributes measured of these: what probes are fitted on."""

    space: LatentSpace
    points: Points
    images: np.ndarray
    values: dict[str, np.ndarray]
    """(n,) of each attribute by name."""
    attributes: dict[str, Attribute]

    def deviation(self, name: str) -> float:
        """Standard deviation of an attribute over the images."""
        return float(self.attributes[name].centred(self.values[name]).std())


def measure_samples(
    method: Method, space: LatentSpace, attributes: Sequence[Attribute], samples: int = POINTS
) -> Measured:
    """Measures the attributes of the images of `samples` random points."""
    points = random_points(method, space, samples)
    images = synthesised(method, space, points)
    return Measured(
        space, points, images, measure_attributes(images, attributes), {one.name: one for one in attributes}
    )


def probed_direction(measured: Measured, name: str) -> Direction:
    """The direction along which an attribute grows fastest, by a linear probe (Shen 2020, arXiv:1907.10786), named after it.

    Ridge regression of the attribute on the points: its gradient. Of a class the attribute is its probability, and the direction
    the one that separates it from all others, as a linear discriminant does.
    """
    points, space = measured.points, measured.space
    attribute = measured.attributes[name]
    target = torch.from_numpy(attribute.centred(measured.values[name]))
    values = points.values[..., : space.free]
    values = (values[:, 0] if space.layers else values).double()

    # Fit on three quarters, measure R^2 on the rest.
    fitted = round(len(values) * (1 - HELD_OUT_SHARE))
    gradient = ridge(values[:fitted], target[:fitted])
    predicted = (values[fitted:] - values[:fitted].mean(0)) @ gradient + target[:fitted].mean()
    error = (target[fitted:] - predicted).square().mean()
    share = 1 - float(error / target[fitted:].var(correction=0).clamp_min(1e-30))
    return _direction(name, space, gradient.float(), points, f"linear probe of {name}", share)


def ridge(values: Tensor, target: Tensor, weight: float = RIDGE_PENALTY) -> Tensor:
    """The gradient (D,) of a linear fit of target (n,) on values (n, D), penalised by `weight` of the mean variance."""
    x, y = values - values.mean(0), target - target.mean()
    covariance = x.T @ x / len(x)
    penalty = weight * covariance.diagonal().mean()
    return torch.linalg.solve(covariance + penalty * torch.eye(len(covariance), dtype=x.dtype), x.T @ y / len(x))


def random_direction(space: LatentSpace, like: Direction, seed: int) -> Direction:
    """A direction drawn at random, with the length of strength 1 of another: what any step of that length does."""
    drawn = torch.randn(like.vector.shape, generator=torch.Generator().manual_seed(seed))
    drawn[..., space.free :] = 0
    return Direction(f"random{seed}", space.name, drawn / drawn.norm(), like.scale, "drawn at random")


# --- what directions do -------------------------------------------------------------------------------------------------


def orthogonal_to(direction: Direction, kept: Sequence[Direction]) -> Direction:
    """The direction without what it shares with each of `kept` (Shen 2020, sec. 3.2), so that they move as little as can be.

    UsageError where next to nothing is left of it.
    """
    if not kept:
        return direction
    shape = torch.broadcast_shapes(direction.vector.shape, *(one.vector.shape for one in kept))
    vector = direction.vector.expand(shape).flatten()
    basis = torch.stack([one.vector.expand(shape).flatten() for one in kept], 1)
    orthonormal = torch.linalg.svd(basis, full_matrices=False)
    used = 1e-5 * orthonormal.S.max() < orthonormal.S
    axes = orthonormal.U[:, used]
    left = vector - axes @ (axes.T @ vector)
    share = float(left.norm() / vector.norm())
    if share < MIN_REMAINDER:
        names = ", ".join(one.name for one in kept)
        raise UsageError(f"nothing is left of {direction.name} when {names} must not change: keep less")
    # As long a step as before in what is left: strength keeps its meaning.
    vector = (left / left.norm()).view(shape)
    return dataclasses.replace(direction, vector=vector, effects={}, how=f"{direction.how}, orthogonal to kept ones")


def moved(
    space: LatentSpace, points: Points, steps: Sequence[tuple[Direction, float]], layers: Sequence[int] = ()
) -> Points:
    """Points moved along several directions, each by its strength; in a space with layers at `layers` only, where some are
    named."""
    values = points.values.clone()
    for direction, strength in steps:
        check_fits(space, direction)
        step = direction.step(strength).expand(values.shape[1:]).clone()
        if layers:
            if not space.layers:
                raise UsageError(f"only a latent space with layers has some to choose, such as w+ (got {space.name})")
            outside = [layer for layer in range(space.layers) if layer not in layers]
            step[outside] = 0
        values = values + step
    return points.with_values(values)


def check_fits(space: LatentSpace, direction: Direction) -> None:
    """UsageError where a direction is of another space."""
    if direction.space != space.name and not (space.layers and space.name == f"{direction.space}+"):
        raise UsageError(f"direction {direction.name} is of {direction.space}, and the points are of {space.name}")


def with_effects(
    method: Method, measured: Measured, directions: Sequence[Direction], *, images: int = EFFECT_IMAGES
) -> list[Direction]:
    """The directions with their effects: half the change of each attribute from strength -1 to 1, mean over images."""
    space, attributes = measured.space, list(measured.attributes.values())
    points = measured.points.rows(slice(0, images))
    deviations = {one.name: measured.deviation(one.name) for one in attributes}
    done: list[Direction] = []
    for direction in directions:
        up = measure_attributes(synthesised(method, space, moved(space, points, [(direction, 1)])), attributes)
        down = measure_attributes(synthesised(method, space, moved(space, points, [(direction, -1)])), attributes)
        effects: dict[str, Effect] = {}
        for one in attributes:
            change = float(one.difference(up[one.name], down[one.name]).mean() / 2)
            effects[one.name] = Effect(change, change / max(deviations[one.name], 1e-12))
        done.append(dataclasses.replace(direction, effects=effects))
    return done


def strongest(direction: Direction) -> str:
    """The attribute that a direction moves most, in standard deviations; "" where none was measured."""
    return max(direction.effects, key=lambda name: abs(direction.effects[name].deviations), default="")


def explained(measured: Measured, direction: Direction, name: str) -> float:
    """R^2 of an attribute and the place of random points along a direction: how much of it the direction explains."""
    values = measured.attributes[name].centred(measured.values[name])
    points = measured.points.values
    places = (points.flatten(1) @ direction.vector.expand(points.shape[1:]).flatten()).double().numpy()
    if values.std() < 1e-12 or places.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(places, values)[0, 1] ** 2)


def find_directions(
    method: Method,
    space: LatentSpace | None = None,
    *,
    attributes: Sequence[Attribute] = (),
    how: Sequence[str] = ("pca", "sefa", "probe"),
    count: int = 10,
    samples: int = POINTS,
    measured: Measured | None = None,
) -> list[Direction]:
    """Directions of all kinds with their measured effects: pca1 ..., coarse1 ..., sefa1 ..., and one named after each attribute.

    `how` chooses the kinds; "pca:LAYER" is PCA of the features of a layer of the space's network. SeFa is omitted where no
    layer takes a point alone, and nothing else is asked for. `measured` are the `attributes` of `samples` random points in
    `space`, where they are measured already.
    """
    space = space or space_of(method)
    for one in how:
        if one not in ("pca", "sefa", "probe") and not one.startswith(LAYER_PREFIX):
            raise UsageError(f"directions are found by pca, {LAYER_PREFIX}LAYER, sefa or probe (got {one})")
    if measured is None:
        measured = measure_samples(method, space, attributes, samples)
    found: list[Direction] = []
    if "pca" in how:
        found += principal_directions(method, space, count, samples=samples)
        found += principal_directions(method, space, count, of="coarse", samples=samples)
    for one in how:
        if one.startswith(LAYER_PREFIX):
            found += principal_directions(method, space, count, of=one.removeprefix(LAYER_PREFIX), samples=samples)
    if "sefa" in how:
        try:
            found += factorised_directions(method, space, count)
        except UsageError:
            if len(how) == 1:
                raise
    if "probe" in how:
        for one in attributes:
            if measured.deviation(one.name) > 1e-9:
                found.append(probed_direction(measured, one.name))
    return with_effects(method, measured, found)


def _direction(name: str, space: LatentSpace, free: Tensor, points: Points, how: str, share: float | None) -> Direction:
    """A direction from its free numbers (free,), with the standard deviation of the points along it."""
    vector = torch.zeros(points.values.shape[-1])
    vector[: space.free] = free.float() / free.float().norm().clamp_min(1e-12)
    flat = points.values[:, 0] if space.layers else points.values
    scale = float((flat @ vector).std())
    of = space.name.removesuffix("+") if space.layers else space.name
    return Direction(name, of, vector, scale, how, share)
