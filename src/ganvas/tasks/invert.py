"""Inversion: the point of a latent space whose image is nearest to a given one.

Where the method encodes, its encoder gives the start; else the nearest of some hundred random samples does. Then the point is
optimised (Abdal 2019, arXiv:1904.03189) on the squared difference of pixels and the distance of features. Each image is optimised
by itself, whatever is beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import Encodes, LatentSpace
from ganvas.chunks import in_chunks
from ganvas.data.batch import as_image_tensor
from ganvas.data.kinds import KINDS
from ganvas.data.photo import ImageLike, as_photo
from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.metrics.restoration import psnr_each
from ganvas.networks.features.catalog import find_entry
from ganvas.networks.features.distances import unit_distance
from ganvas.networks.features.extractor import FeatureExtractor
from ganvas.networks.features.weights import networks_at_hand
from ganvas.sampling import class_number, to_uint8
from ganvas.tasks.latents import Points, editable, mapped, points_of, random_points, space_of, synthesised
from ganvas.tasks.originals import check_images, images_at, prepare_photo

OPTIMISER_STEPS = 300
LEARNING_RATE = 0.1  # learning rate of Adam, in standard deviations of the space's points
START_CANDIDATES = 1024  # random samples, of which the nearest are starts
STARTS_PER_IMAGE = 3  # starts of each image
REFERENCE_IMAGES = 16  # generated images that are inverted again
REFERENCE_SEED = 3_000_000  # the first of their seeds
POINTS_PER_BATCH = 64  # points that are optimised together
FIRST_STEPS_SHARE = 0.25  # share of the steps after which an image goes on from its best start only

Progress = Callable[[int, int, np.ndarray, int], None]
"""Called with the step, the number of all steps, the images so far of those that are optimised now, uint8 (m, H, W, C), and the
number of the first of these."""


@dataclass(frozen=True)
class Inversion:
    """Images in a latent space."""

    points: Points
    space: str
    images: np.ndarray
    """What the points generate, uint8 (n, H, W, C)."""
    psnr: np.ndarray
    """Of these to the given images, in dB, (n,)."""
    feature_distance: np.ndarray
    """Likewise, (n,): 0 where features agree."""
    features: str
    """The network that features are from."""
    how: str
    """In words: encoder, optimisation or both."""
    reference_psnr: float | None = None
    """Mean PSNR of generated images inverted in the same way: what can be expected where an exact answer exists."""
    reference_distance: float | None = None
    """Mean feature distance of these."""


def invert(
    method: Method,
    images: ImageLike,
    labels: np.ndarray | None = None,
    *,
    space: str = "auto",
    steps: int = OPTIMISER_STEPS,
    feature_weight: float = 0.1,
    prior_weight: float = 0.0,
    reference: int = REFERENCE_IMAGES,
    label: int | str | None = None,
    progress: Progress | None = None,
) -> Inversion:
    """Points whose images are nearest to `images`: uint8 (n, H, W, C) of the size and channels of the training; one photo of any
    size (a PIL image, a Photo), of which the middle is taken; or the path of a photo, a folder or zip of photos, or an .npz.

    `steps` 0 takes the encoder's answer as it is. `feature_weight` is the weight of the feature distance beside the squared
    difference of pixels, `prior_weight` that of the points' distance from the mean in standard deviations, squared: above 0 it
    gives points that are easier to edit. A class-conditional method takes `labels` (n,), which an .npz or folders named after
    classes may bring, or one `label` for all images, a number or a name. `reference` generated images are inverted again for
    comparison (0: none). UsageError where the method has no latent space, neither steps nor an encoder, or lacks labels.
    """
    chosen = space_of(method, space)
    kind = KINDS[method.spec.kind]
    if not kind.is_image:
        raise UsageError(
            f"{method.name} generates {kind.samples}, and only images can be inverted: edit those of seeds"
        )
    if isinstance(images, str | Path):
        given = images_at(images, method)
        images, labels = given.images, given.labels if labels is None else labels
    elif not (isinstance(images, np.ndarray) and images.ndim == 4):
        images = prepare_photo(method, as_photo(images)).image[None]
    check_images(method, images)
    if steps < 0 or (steps == 0 and not isinstance(method, Encodes)):
        raise UsageError(
            f"{method.name} has no encoder, so inversion needs steps of optimisation (got steps={steps})"
            if steps == 0
            else f"steps must be 0 or more (got {steps})"
        )
    number = class_number(method, label)
    if number is not None:
        labels = np.full(len(images), number)
    classes = _classes(method, labels, len(images))
    extractor = feature_network(method)
    weights = (feature_weight, prior_weight)
    points = _inverted(method, chosen, images, classes, extractor, steps, weights, progress)
    made = synthesised(method, chosen, points)

    # What can be expected: generated images, of which an exact answer exists.
    reference_psnr = reference_distance = None
    if reference:
        known = points_of(method, chosen, range(REFERENCE_SEED, REFERENCE_SEED + reference))
        targets = synthesised(method, chosen, known)
        again = _inverted(method, chosen, targets, known.labels, extractor, steps, weights, None)
        remade = synthesised(method, chosen, again)
        reference_psnr = float(psnr_each(targets, remade).mean())
        reference_distance = float(feature_distances(extractor, method, targets, remade).mean())
    return Inversion(
        points=points,
        space=chosen.name,
        images=made,
        psnr=psnr_each(images, made),
        feature_distance=feature_distances(extractor, method, images, made),
        features=extractor.name,
        how=_words(method, steps),
        reference_psnr=reference_psnr,
        reference_distance=reference_distance,
    )


def feature_network(method: Method) -> FeatureExtractor:
    """The network whose features are compared, with its first layers."""
    name = feature_network_name(method.spec.classes)
    return FeatureExtractor(name, find_entry(name).disc_layers[:3], device=method.device)


def feature_network_name(classes: Sequence[str]) -> str:
    """Of digits the digit network, else the best whose weights are on this machine; the digit network where there are none."""
    if classes and all(one.isdecimal() for one in classes):
        return "digits"
    return next(iter(networks_at_hand()), "digits")


@torch.no_grad()
def feature_distances(extractor: FeatureExtractor, method: Method, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """`unit_distance` of each pair of images uint8 (n, H, W, C), (n,)."""
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        chosen = rows.numpy()
        a, b = as_image_tensor(first[chosen], device), as_image_tensor(second[chosen], device)
        return unit_distance(extractor.maps(a), extractor.maps(b), eps=1e-10)

    return in_chunks(len(first), of_rows, POINTS_PER_BATCH).numpy()


def _inverted(
    method: Method,
    space: LatentSpace,
    images: np.ndarray,
    labels: Tensor | None,
    extractor: FeatureExtractor,
    steps: int,
    weights: tuple[float, float],
    progress: Progress | None,
) -> Points:
    """Points of all images, a block of them at a time."""
    parts: list[Tensor] = []
    block = max(1, POINTS_PER_BATCH // STARTS_PER_IMAGE)
    total = math.ceil(len(images) / block) * max(1, steps)
    statistics = random_points(method, space, START_CANDIDATES)
    samples = synthesised(method, space, statistics)
    for start in range(0, len(images), block):
        here = slice(start, start + block)
        classes = None if labels is None else labels[here]
        starts = _starts(method, space, images[here], classes, statistics, samples)
        if steps == 0:
            parts.append(starts[:, 0])
            continue

        def told(step: int, made: np.ndarray, start: int = start) -> None:
            if progress is not None:
                progress(start // block * steps + step, total, made, start)

        parts.append(
            _optimised(method, space, images[here], classes, starts, statistics, extractor, steps, weights, told)
        )
    return Points(torch.cat(parts), labels)


@torch.no_grad()
def _starts(
    method: Method,
    space: LatentSpace,
    images: np.ndarray,
    labels: Tensor | None,
    statistics: Points,
    samples: np.ndarray,
) -> Tensor:
    """(n, k, ...): what the encoder says, where there is one, and the nearest random samples (of the image's class)."""
    x = torch.from_numpy(np.array(images).reshape(len(images), -1)).float()
    y = torch.from_numpy(samples.reshape(len(samples), -1)).float()
    distances = torch.cdist(x, y)
    if labels is not None and statistics.labels is not None:
        distances = distances + 1e6 * (labels[:, None] != statistics.labels[None])
    starts = statistics.values[distances.topk(STARTS_PER_IMAGE, largest=False).indices]
    if isinstance(method, Encodes):
        target = as_image_tensor(images, method.device)
        latents = method.encode(target, None if labels is None else labels.to(method.device)).cpu()
        encoded = mapped(method, space, latents, labels)
        starts = torch.cat([encoded[:, None], starts[:, 1:]], 1)
    return starts


def _optimised(
    method: Method,
    space: LatentSpace,
    images: np.ndarray,
    labels: Tensor | None,
    starts: Tensor,
    statistics: Points,
    extractor: FeatureExtractor,
    steps: int,
    weights: tuple[float, float],
    told: Callable[[int, np.ndarray], None],
) -> Tensor:
    """The best point of each image, (n, ...), from its starts (n, k, ...)."""
    device = method.device
    mean = statistics.values.mean(0).to(device)
    deviation = statistics.values.std(0).clamp_min(1e-3).to(device)
    deviation[..., space.free :] = 0  # codes stay those of the start
    target = as_image_tensor(images, device)
    classes = None if labels is None else labels.to(device)

    # Some steps from every start, then the rest from the best start of each image.
    first = max(1, round(FIRST_STEPS_SHARE * steps)) if steps > 1 else 0
    tries = starts.shape[1]
    many = starts.flatten(0, 1).to(device)
    found, scores = _descend(
        method, space, many, target.repeat_interleave(tries, 0),
        None if classes is None else classes.repeat_interleave(tries), mean, deviation, extractor, weights, first,
        lambda step, made: told(step, made[::tries]),
    )  # fmt: skip
    best = scores.view(-1, tries).argmin(1)
    chosen = found.view(-1, tries, *found.shape[1:])[torch.arange(len(best)), best]
    found, _ = _descend(
        method, space, chosen, target, classes, mean, deviation, extractor, weights, steps - first,
        lambda step, made: told(first + step, made),
    )  # fmt: skip
    return found.cpu()


def _descend(
    method: Method,
    space: LatentSpace,
    start: Tensor,
    target: Tensor,
    labels: Tensor | None,
    mean: Tensor,
    deviation: Tensor,
    extractor: FeatureExtractor,
    weights: tuple[float, float],
    steps: int,
    told: Callable[[int, np.ndarray], None],
) -> tuple[Tensor, Tensor]:
    """Adam on the points (m, ...) with a learning rate that falls to zero; the best points on the way, and their scores (m,)."""
    feature_weight, prior_weight = weights
    move = torch.zeros_like(start, requires_grad=True)
    optimizer = torch.optim.Adam([move], lr=LEARNING_RATE)
    best, best_score = start.clone(), torch.full((len(start),), math.inf, device=start.device)
    with torch.no_grad():
        wanted = extractor.maps(target) if feature_weight else []
    for step in range(steps + 1):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 + math.cos(math.pi * step / max(1, steps))) / 2
        with torch.enable_grad():
            points = start + deviation * move
            images = space.synthesise(points, labels, [])
            shown = images.clamp(-1, 1)
            others = torch.zeros(len(points), device=points.device)
            if feature_weight:
                others = others + feature_weight * unit_distance(extractor.maps(shown), wanted)
            if prior_weight:
                away = (points - mean)[..., : space.free] / deviation[..., : space.free]
                others = others + prior_weight * away.square().flatten(1).mean(1)
            # Beyond [-1, 1] a clamped image has no gradient, so that of the image itself is followed.
            loss = _squared_error(images, target) + others
        with torch.no_grad():
            score = _squared_error(shown, target) + others
            better = score < best_score
            best[better] = points[better]
            best_score = torch.where(better, score, best_score)
        if step % max(1, steps // 10) == 0:
            told(step, _bytes(images))
        if step < steps:
            (move.grad,) = torch.autograd.grad(loss.sum(), move)
            optimizer.step()
    return best, best_score


def _squared_error(images: Tensor, target: Tensor) -> Tensor:
    """Mean over the pixels of each image, (n,)."""
    return F.mse_loss(images, target, reduction="none").flatten(1).mean(1)


def _bytes(images: Tensor) -> np.ndarray:
    return to_uint8(images.detach().clamp(-1, 1).float().cpu())


def _classes(method: Method, labels: np.ndarray | None, count: int) -> Tensor | None:
    """Labels as a tensor where the method needs them; UsageError where they are missing."""
    if editable(method).labels([0]) is None:
        return None
    if labels is None or len(labels) != count:
        raise UsageError(
            f"this {method.name} is class-conditional, so each of the {count} images needs a label: name one class for all with"
            " label, put photos into folders named after the classes, or `labels` into the .npz"
        )
    classes = torch.as_tensor(np.asarray(labels), dtype=torch.int64)
    least, most, last = int(classes.min()), int(classes.max()), len(method.spec.classes) - 1
    if least < 0 or most > last:
        raise UsageError(f"labels are class numbers from 0 to {last} (got {least} to {most})")
    return classes


def _words(method: Method, steps: int) -> str:
    encodes = isinstance(method, Encodes)
    if steps == 0:
        return "encoder"
    return f"{'encoder and ' if encodes else ''}{steps} steps of optimisation"
