"""What a trained method does inside: which units make what, what each layer decides, which latent dimensions do nothing, what the
discriminator looks at, and which training images generated ones are like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Code, HasDiscriminator, LatentSpace, Samples
from ganvas.data import Dataset
from ganvas.errors import RunError, UsageError
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.metrics.copying import check_images
from ganvas.metrics.probe import Probe
from ganvas.registry import methods_with
from ganvas.sampling import finished_samples, to_uint8
from ganvas.tasks.editor import Editor
from ganvas.tasks.latents import Points, editable, points_of, random_points, space_of
from ganvas.tasks.neighbours import Neighbours, neighbours
from ganvas.tasks.saliency import Saliency, generated_saliency, real_saliency
from ganvas.tasks.units import (
    MAX_CANDIDATES,
    NOTICED_EFFECT,
    LayerInfluence,
    Measures,
    Outcome,
    Unit,
    dissect,
    images_of,
    influences,
    unit_layers,
)

EXPLAINED_IMAGES = 64  # images of each intervention
MIN_IMAGES, MAX_IMAGES = 8, 256  # of them
TRIED_UNITS = 64
MAX_UNITS = 4096
SALIENCY_IMAGES = 4  # images of each kind whose saliency is computed
COMPARED_SAMPLES = 6  # samples whose nearest training images are found
MAX_DIMENSIONS = 128  # latent dimensions that are tried
MOVED_IMAGES = 16  # images of each dimension
IDLE_SHARE = 0.05  # a dimension does nothing where it changes images by less than this share of what the strongest does
KEPT_DIMENSIONS = 8  # of which the result keeps images
NAMED_DIMENSIONS = 8  # idle dimensions that the summary names
DIMENSION_STRENGTHS = (-2.0, -1.0, 0.0, 1.0, 2.0)  # of these, in standard deviations

Progress = Callable[[str], None]
"""Called with what is done next, in words."""


@dataclass(frozen=True)
class Dimension:
    """A number of the latent, or a code, and what it does."""

    name: str
    """"z 17", or the name of a code."""
    outcome: Outcome
    """From one standard deviation below to one above; of a code from one value to another."""
    images: np.ndarray | None = field(default=None, repr=False)
    """One image at five values, -2 to 2 standard deviations, uint8 (5, H, W, C), of the strongest dimensions."""

    def as_dict(self) -> JsonObject:
        """Plain values for JSON, all but the images."""
        return {"name": self.name, **self.outcome.as_dict()}


@dataclass(frozen=True)
class Explanation:
    """The result of `explain`. Parts that a method has not the abilities for are empty, and `notes` say why."""

    space: str
    """The latent space that points were taken from; "" without one."""
    seed: int
    count: int
    """Images in which each unit was ablated and forced."""
    units: list[Unit]
    """That which changes images most by being ablated first."""
    layers: list[LayerInfluence]
    """In the order in which an image is made."""
    dimensions: list[Dimension]
    """The strongest first."""
    all_dimensions: int
    """How many the space has, codes left out."""
    saliency: list[Saliency]
    neighbours: list[Neighbours]
    features: str
    """The network that neighbours are found by; "" without them."""
    compared: int
    """Training images that were compared by features."""
    moved: int
    """Images in which each dimension was moved."""
    probe: Probe | None
    """What reads classes."""
    notes: list[str]
    """What was not done, and why."""

    @property
    def idle(self) -> list[Dimension]:
        """The dimensions and codes that do nothing: they change images by less than 5 % of what the strongest does."""
        if not self.dimensions:
            return []
        limit = IDLE_SHARE * self.dimensions[0].outcome.change
        return [one for one in self.dimensions if one.outcome.change <= limit]

    def strongest_units(self) -> dict[str, Unit]:
        """By attribute, and by "class NAME": the unit that moves it most when it is ablated; those that none moves are left
        out."""
        best: dict[str, tuple[float, Unit]] = {}
        for unit in self.units:
            moved = {name: effect.deviations for name, effect in unit.ablated.effects.items()}
            moved |= {f"class {name}": change for name, change in unit.ablated.classes.items()}
            for name, amount in moved.items():
                least = best[name][0] if name in best else NOTICED_EFFECT
                if abs(amount) > least:
                    best[name] = abs(amount), unit
        return {name: unit for name, (_, unit) in best.items()}

    @property
    def summary(self) -> list[str]:
        """The main findings, a sentence each."""
        found: list[str] = []
        if self.units:
            first = self.units[0]
            moved = first.ablated.described() or "no attribute moves by much"
            found.append(
                f"the unit that images depend on most is {first.name}: without it a pixel changes by"
                f" {first.ablated.change:.1f} of 255 (root mean square); {moved}"
            )
        if self.dimensions:
            names = ", ".join(one.name for one in self.idle[:NAMED_DIMENSIONS])
            more = ", ..." if len(self.idle) > NAMED_DIMENSIONS else ""
            tried = f"{len(self.dimensions)} latent dimensions that were tried"
            found.append(
                f"{len(self.idle)} of {tried} do nothing: {names}{more}"
                if self.idle
                else f"all of the {tried} do something"
            )
        return found

    def as_dict(self) -> JsonObject:
        """Plain values for JSON, all but the images."""
        probe = None
        if self.probe is not None:
            probe = {"features": self.probe.features, "accuracy": self.probe.accuracy, "n": self.probe.n}
        by_attribute: JsonObject = {}
        for name, unit in self.strongest_units().items():
            by_attribute[name] = unit.name
        return {
            "summary": self.summary, "space": self.space, "seed": self.seed, "count": self.count,
            "units": [one.as_dict() for one in self.units], "by_attribute": by_attribute,
            "layers": [one.as_dict() for one in self.layers],
            "dimensions": [one.as_dict() for one in self.dimensions], "all_dimensions": self.all_dimensions,
            "idle": [one.name for one in self.idle], "saliency": [one.as_dict() for one in self.saliency],
            "neighbours": [one.as_dict() for one in self.neighbours], "features": self.features,
            "compared": self.compared, "probe": probe, "notes": self.notes,
        }  # fmt: skip


def explain(
    method: Method,
    data: Dataset | None = None,
    *,
    space: str = "auto",
    count: int = EXPLAINED_IMAGES,
    units: int = TRIED_UNITS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Explanation:
    """What a trained method does inside, as far as its abilities go.

    Of methods with a latent space: `units` units of its network, ablated and forced in the images of `count` seeds from `seed`
    on; the influence of each layer; what each dimension of the latent does. Of methods with a discriminator: its saliency for
    real and generated images. `data` are the training images; without them there are no classes, no real images and no
    neighbours.

    RunError where the method generates no images from noise; UsageError for a number out of range or an unknown space.
    """
    sampler = _checked(method, count, units)
    told = progress or (lambda words: None)
    notes: list[str] = []
    seeds = list(range(seed, seed + max(SALIENCY_IMAGES, COMPARED_SAMPLES)))
    samples = np.asarray(finished_samples(method, COMPARED_SAMPLES, seed))
    if data is not None:
        check_images(samples, data)
    else:
        notes.append("no classes, real images or nearest training images: the training data are not at hand")

    # What happens on the way from the latent to the image.
    found_units: list[Unit] = []
    layers: list[LayerInfluence] = []
    dimensions: list[Dimension] = []
    name, all_dimensions, probe = "", 0, None
    if sampler.latent_spaces():
        chosen = space_of(method, space)
        name, all_dimensions = chosen.name, chosen.free
        points = points_of(method, chosen, range(seed, seed + count))
        told("classes of the training data")
        probe = None if data is None else Editor(method, chosen.name, data=lambda: data).probe
        measures = Measures(images_of(method, chosen, points), probe)
        all_layers = unit_layers(method, chosen, points)
        if not all_layers:
            notes.append(
                f"no units: no layer of {method.name} takes, for each image alone, more channels than an image has"
            )
        told(f"influence of {len(all_layers)} layers")
        layers = influences(method, chosen, points, all_layers, measures.before)
        every = sum(layer.units for layer in all_layers)
        if every > MAX_CANDIDATES:
            notes.append(
                f"of {every:,} units {MAX_CANDIDATES:,} were compared, chosen by a first-order estimate of their effect"
            )
        told(f"{units} units, ablated and forced")
        found_units = dissect(method, chosen, points, all_layers, measures, units)
        told("latent dimensions")
        dimensions = _dimensions(method, chosen, points.rows(slice(0, MOVED_IMAGES)), measures)
        if chosen.free > MAX_DIMENSIONS:
            notes.append(f"{MAX_DIMENSIONS} of {chosen.free} dimensions of {name} were tried, evenly spaced")
    else:
        notes.append(
            f"no units, layers or dimensions: {method.name} has no latent space that its images follow smoothly (methods that"
            f" have one: {methods_with(Samples.latent_spaces)})"
        )

    # What the discriminator looks at.
    looked: list[Saliency] = []
    if isinstance(method, HasDiscriminator):
        told("saliency of the discriminator")
        looked = _saliency(method, data, seeds[:SALIENCY_IMAGES])
    else:
        notes.append(f"no saliency: {method.name} has no discriminator")

    # Which training images samples are like.
    near: list[Neighbours] = []
    features, compared = "", 0
    if data is not None:
        told("nearest training images")
        near, network, compared = neighbours(method, samples, seeds[:COMPARED_SAMPLES], data)
        features = network.name
    return Explanation(
        space=name,
        seed=seed,
        count=count,
        units=found_units,
        layers=layers,
        dimensions=dimensions,
        all_dimensions=all_dimensions,
        saliency=looked,
        neighbours=near,
        features=features,
        compared=compared,
        moved=min(MOVED_IMAGES, count),
        probe=probe,
        notes=notes,
    )


def _checked(method: Method, count: int, units: int) -> Samples:
    """The method; an error where it generates no images or a number is out of range."""
    if not isinstance(method, Samples) or "images" not in method.takes:
        raise RunError(f"{method.name} generates no images from noise, so there is nothing to explain")
    if not MIN_IMAGES <= count <= MAX_IMAGES:
        raise UsageError(f"count must lie between {MIN_IMAGES} and {MAX_IMAGES} (got {count})")
    if not 1 <= units <= MAX_UNITS:
        raise UsageError(f"units must lie between 1 and {MAX_UNITS} (got {units})")
    return method


def _saliency(method: HasDiscriminator, data: Dataset | None, seeds: Sequence[int]) -> list[Saliency]:
    looked: list[Saliency] = []
    for part, kind in (("train", "training"), ("test", "held-out")):
        split = None if data is None else data.part(part)
        if split is not None and len(split.images):
            looked += real_saliency(method, split, kind, min(SALIENCY_IMAGES, len(split.images)))
    return looked + generated_saliency(method, seeds)


# --- latent dimensions ----------------------------------------------------------------------------------------------------


def _dimensions(method: Method, space: LatentSpace, points: Points, measures: Measures) -> list[Dimension]:
    """What each free dimension does, and each code, the strongest first."""
    values = random_points(method, space).values
    deviations = values.reshape(-1, values.shape[-1]).std(0)
    tried = np.linspace(0, space.free - 1, min(space.free, MAX_DIMENSIONS)).astype(int).tolist()

    def moved(dimension: int, strength: float) -> Points:
        at = points.values.clone()
        at[..., dimension] += strength * deviations[dimension]
        return points.with_values(at)

    found: list[tuple[Dimension, int]] = []
    for dimension in tried:
        low, high = (images_of(method, space, moved(dimension, strength)) for strength in (-1, 1))
        found.append((Dimension(f"{space.name} {dimension}", measures.change(low, high)), dimension))
    found.sort(key=lambda one: -one[0].outcome.change)

    # The strongest with images; then the codes among them.
    shown: list[Dimension] = []
    for place, (one, dimension) in enumerate(found):
        if place < KEPT_DIMENSIONS:
            steps = [images_of(method, space, moved(dimension, strength))[0] for strength in DIMENSION_STRENGTHS]
            one = Dimension(one.name, one.outcome, np.stack(steps))
        shown.append(one)
    sampler = editable(method)
    for code in sampler.codes():
        shown.append(_code(sampler, code, len(points), measures))
    return sorted(shown, key=lambda one: -one.outcome.change)


@torch.no_grad()
def _code(method: Samples, code: Code, count: int, measures: Measures) -> Dimension:
    """A continuous code from -1 to 1, a categorical one from each image's value to the next."""
    device = method.device
    latents, labels = method.latents(range(count)), method.labels(range(count))

    def images(values: Tensor) -> np.ndarray:
        at = latents.clone()
        at[:, code.start : code.start + code.size] = values
        made = method.generate(at.to(device)) if labels is None else method.generate(at.to(device), labels.to(device))
        return to_uint8(made.cpu())

    own = latents[:, code.start : code.start + code.size]
    if code.kind == "continuous":
        low, high = images(torch.full_like(own, -1)), images(torch.ones_like(own))
    else:
        low, high = images(own), images(own.roll(1, 1))
    return Dimension(code.name, measures.change(low, high))
