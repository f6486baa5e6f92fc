"""How a training fares, in numbers: what the doctor reads beside the losses. Rows of the log, event "health", 20 over a budget.

It looks and never touches: weights, buffers, optimisers and random states are the same bits after as before, so a training
with it is bit-equal to one without. Names of a row's numbers:

samples/*       128 images of fixed seeds from the newest weights (not the average), against as many held-out real ones
logits/*         what D says of training images, held-out images and new fakes
UPDATE/*        that update taken once more on a batch of its own, and undone: how far it moves, what that does to its loss;
                updates of another phase (Update.span) are left out
KEY/*           the networks behind one key of `optimizers()`: norm of the weights, share of dead inputs
reference/*         what real images score in place of samples
data/*          facts of the training images
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.data import Dataset
from ganvas.data.batch import as_image_tensor
from ganvas.data.feed import count_examples, examples_of
from ganvas.method import Batch, HasDiscriminator, Method, Samples, Update
from ganvas.metrics.modes import cluster_centres, entropy, nearest_row
from ganvas.metrics.readers import choose_reader
from ganvas.sampling import sample, to_uint8
from ganvas.training.trainer import Trainer, in_phase, parameters
from ganvas.training.undo import same_buffers, same_weights

LOOKED_AT = 128  # samples, and as many real images
REFERENCE = 512  # real images that samples are compared with
CLUSTERS = 10
LABELLED = 4096  # images at most in which marks of the label are looked for
A_CLASS = 5  # images of a class at least, on the average, for that
NEIGHBOURS = 5
SHARE = 0.025  # of the training's time that may go into this
LOOKS = 20  # over a budget
LEAST = 6  # of them happen however short the training is ...
PACE = 1.0  # ... but for those that come within so many seconds of training
LEAST_SPREAD = 1e-6  # of images that are all the same, to divide by
SIDE = 16  # pixels compared are those of images made this small

Numbers = dict[str, Any]


@dataclass(frozen=True)
class View:
    """Images as the measures see them: `features` (n, 64) of the digit network, `pixels` (n, P) in [-1, 1] made small."""

    features: Tensor
    pixels: Tensor

    @classmethod
    def of(cls, images: Tensor) -> View:
        """Of images (n, C, H, W) in [-1, 1] on the CPU; not finite values count as 0."""
        images = torch.nan_to_num(images.float(), 0.0, 1.0, -1.0).clamp(-1, 1)
        grey = to_uint8(images.mean(1, keepdim=True))
        reader = choose_reader("digits", (grey.shape[1], grey.shape[2], 1), True)
        small = F.adaptive_avg_pool2d(images, (min(SIDE, images.shape[2]), min(SIDE, images.shape[3])))
        return cls(reader.features(grey).clone(), small.flatten(1))


class Reference:
    """What is known of the real images, computed once: REFERENCE training images and LOOKED_AT held-out ones."""

    def __init__(self, data: Dataset) -> None:
        held = data.part("test")
        self.real = as_image_tensor(data.images[:REFERENCE])
        # Without a split of its own, the second part of the training images stands in.
        apart = held.images if held is not None and len(held.images) >= NEIGHBOURS else data.images[REFERENCE:]
        self.held = as_image_tensor((apart if len(apart) else data.images)[:LOOKED_AT])
        self.view = View.of(self.real)
        k = min(NEIGHBOURS, len(self.real) - 1)
        within = torch.cdist(self.view.features, self.view.features)
        self.within = max(LEAST_SPREAD, off_diagonal_mean(within))
        pixels_within = off_diagonal_mean(torch.cdist(self.view.pixels, self.view.pixels))
        self.pixels_within = max(LEAST_SPREAD, pixels_within)
        self.radii = within.kthvalue(k + 1, dim=1).values  # the nearest one is the image itself
        self.centres = cluster_centres(self.view.features, min(CLUSTERS, len(self.real)))
        nearest = nearest_other(self.view.pixels)
        self.twin_distance = 0.5 * float(nearest.quantile(0.05))
        # Of as many images as there are samples: the more there are, the nearer is the nearest.
        self.nearest = max(LEAST_SPREAD, float(nearest_other(self.view.pixels[:LOOKED_AT]).median()))
        self.facts = {f"reference/{key}": value for key, value in self.compare(self.held)[0].items()}
        self.facts["data/label_told"] = label_told(data)

    def compare(self, images: Tensor) -> tuple[Numbers, View]:
        """Numbers of images (n, C, H, W) in [-1, 1] against the real ones, without their prefix, and their view."""
        view = View.of(images)
        across = torch.cdist(view.features, self.view.features)
        across_pixels = torch.cdist(view.pixels, self.view.pixels)
        own, own_pixels = torch.cdist(view.features, view.features), torch.cdist(view.pixels, view.pixels)
        counts = torch.bincount(nearest_row(view.features, self.centres), minlength=len(self.centres))
        nearest = nearest_other(view.pixels)
        spread, spread_pixels = off_diagonal_mean(own), off_diagonal_mean(own_pixels)
        return {
            "diversity": spread / self.within,
            "pixel_diversity": spread_pixels / self.pixels_within,
            "gap": (2 * float(across.mean()) - spread - self.within) / self.within,
            "pixel_gap": (2 * float(across_pixels.mean()) - spread_pixels - self.pixels_within) / self.pixels_within,
            "coverage": float((across <= self.radii).any(0).float().mean()),
            "precision": float((across <= self.radii).any(1).float().mean()),
            "modes": float(np.exp(entropy(counts))),
            "top_mode_share": float(counts.max() / counts.sum()),
            "near_duplicates": float((nearest < self.twin_distance).float().mean()),
            "nearest": float(nearest.median()) / self.nearest,
            **pixel_facts(images),
        }, view


_references: dict[str, Reference] = {}


class Health:
    """Takes the numbers of one training. For the leading process only; no other process needs to be there."""

    def __init__(self, method: Method, data: Dataset) -> None:
        self.method, self.data = method, data
        self.set_rate()
        self.spent, self.looks = 0.0, 0
        self._place = -1
        self.taken_over = False
        """True where the networks did not start from nothing."""
        self._before: list[View] = []

    def set_rate(self, looks: int = LOOKS, *, share: float = SHARE, least: int = LEAST, pace: float = PACE) -> None:
        """How often the numbers are taken: `looks` times over the budget, as long as they take no more than `share` of the
        training's time; `least` of them whatever they take, but no more than one in `pace` seconds."""
        self.looks_wanted, self.share, self.least, self.pace = looks, share, least, pace

    def same_rate_as(self, other: Health) -> None:
        """For a training that continues another one."""
        self.set_rate(other.looks_wanted, share=other.share, least=other.least, pace=other.pace)

    @property
    def reference(self) -> Reference:
        """Made when it is first needed, which takes a fraction of a second, and kept for the next training on the same data."""
        key = self.data.fingerprint or str(id(self.data))
        if key not in _references:
            _references.clear()
            _references[key] = Reference(self.data)
        return _references[key]

    def due(self, trainer: Trainer) -> bool:
        """True where the budget has come to the place of the next look, on all processes alike. Asking counts."""
        place = int(trainer.progress * self.looks_wanted)
        before, self._place = self._place, place
        return place > before if before >= 0 else trainer.steps == 0

    def affordable(self, trainer: Trainer) -> bool:
        """False while too much of the training's time went into this already; the start and the end are always worth it."""
        if trainer.steps == 0 or trainer.progress >= 1 or self.spent <= self.share * trainer.seconds:
            return True
        return self.looks < trainer.progress * self.least and self.looks * self.pace <= trainer.seconds

    def take(self, trainer: Trainer) -> Numbers:
        """All numbers of this moment. Nothing else has changed afterwards."""
        started = time.perf_counter()
        with trainer.undone():
            found: Numbers = {"rollbacks": trainer.rollbacks}
            found |= {"taken_over": 1} if self.taken_over else {}
            if self.data.spec.kind == "images":
                found |= {"images": len(self.data), **self.reference.facts}
                found |= self._samples(trainer, self.reference)
            if isinstance(self.method, HasDiscriminator):
                found |= self._judgements(trainer, self.method)
            if trainer.steps:
                found |= rehearsal(trainer, self._batch(trainer))
            found |= weights(trainer)
        if trainer.steps:  # the first look pays for what is computed once
            self.spent += time.perf_counter() - started
            self.looks += 1
        return found

    def _samples(self, trainer: Trainer, reference: Reference) -> Numbers:
        if not isinstance(self.method, Samples):
            return {}
        self.method.eval()
        with watched_inputs(self.method) as dead, trainer.engine.autocast():
            images = sample(self.method, LOOKED_AT, 0)
        self.method.train()
        compared, view = reference.compare(images)
        found = {f"samples/{key}": value for key, value in compared.items()}
        found["samples/finite"] = float(torch.isfinite(images).float().mean())
        if self._before:
            # In units of the samples' own spread, so that a G of little variety does not look still.
            spread = off_diagonal_mean(torch.cdist(view.pixels, view.pixels))
            moved = rms(view.pixels - self._before[-1].pixels)
            found["samples/drift"] = moved / max(spread, 0.02 * reference.pixels_within)
            if len(self._before) > 1:
                back = rms(view.pixels - self._before[-2].pixels)
                found["samples/drift_back"] = back / max(1e-6, moved)
        self._before = [*self._before[-1:], view]
        return {**found, **dead()}

    def _batch(self, trainer: Trainer, data: Dataset | None = None, start: int = 0) -> Batch:
        """Images `start`, `start + 1`, ... of a split as a batch. It does not depend on where the feed stands."""
        data, device = data or self.data, trainer.engine.device
        share = max(1, self.method.batch_size // trainer.engine.ranks)
        rows = np.arange(start, start + share) % count_examples(data, self.method.window)
        batch = examples_of(data, rows, self.method.window, device)
        batch.generator = torch.Generator(device).manual_seed(trainer.steps + start)
        return batch

    @torch.no_grad()
    def _judgements(self, trainer: Trainer, discriminating: HasDiscriminator) -> Numbers:
        """D sees whole batches, of one kind each, since it may look at a batch as a whole."""
        logits: dict[str, list[Tensor]] = {"real": [], "held": [], "fake": []}
        held, generate = self.data.part("test"), getattr(self.method, "generate_for", None)
        for start in range(0, max(1, LOOKED_AT - self.method.batch_size + 1), self.method.batch_size):
            real = self._batch(trainer, start=start)
            with trainer.engine.autocast():
                logits["real"].append(discriminating.discriminate(real, real.real))
                if held is not None:
                    fresh = self._batch(trainer, held, start)
                    logits["held"].append(discriminating.discriminate(fresh, fresh.real))
                if generate is not None:
                    logits["fake"].append(discriminating.discriminate(real, generate(real)))
        return logit_figures(
            *(torch.cat(parts).float().flatten().cpu() if parts else None for parts in logits.values())
        )


# --- numbers --------------------------------------------------------------------------------------------------------------


def logit_figures(real: Tensor | None, held: Tensor | None, fake: Tensor | None) -> Numbers:
    """D's logits (n,) of training images, held-out images and fakes, as means, in units of their spread, and as shares
    of pairs that they tell apart (0.5 is chance)."""
    if real is None:
        return {}
    found = {"logits/real": float(real.mean()), "logits/real_std": float(real.std())}
    if held is not None:
        spread = max(1e-12, float((held.var() + real.var()).div(2).sqrt()))
        found |= {"logits/held": float(held.mean()), "logits/overfit": above(real, held)}
        found["logits/overfit_margin"] = float(real.mean() - held.mean()) / spread
    if fake is not None:
        spread = max(1e-12, float((fake.var() + real.var()).div(2).sqrt()))
        found |= {
            "logits/fake": float(fake.mean()),
            "logits/fake_std": float(fake.std()),
            "logits/apart": above(real, fake),
        }
        found["logits/margin"] = float(real.mean() - fake.mean()) / spread
        if held is not None:
            found["logits/held_apart"] = above(held, fake)
    return found


def above(a: Tensor, b: Tensor) -> float:
    """Share of pairs (a, b) in which a is larger; ties count half. The area under D's ROC curve."""
    difference = a[:, None] - b[None, :]
    return float((difference > 0).float().mean() + 0.5 * (difference == 0).float().mean())


def pixel_facts(images: Tensor) -> Numbers:
    """Range, spread and clipping of images in [-1, 1]."""
    values = torch.nan_to_num(images.float())
    flat = values.flatten()
    some = flat[:: max(1, len(flat) // 50_000)]
    low, high = torch.quantile(some, torch.tensor([0.01, 0.99])).tolist()
    return {
        "low": low, "high": high, "mean": float(values.mean()), "std": float(values.std()),
        "contrast": float(values.flatten(1).std(1).mean()), "saturated": float((values.abs() > 0.99).float().mean()),
    }  # fmt: skip


def label_told(data: Dataset) -> float:
    """How much the label alone says of a single pixel: the largest share of a pixel's variance that lies between the classes
    (epsilon squared, without the bias of few images). Near 1: the label is drawn into the images. NaN where there are no
    labels, or too few images of a class; pixels that hardly ever vary are left out."""
    if data.labels is None:
        return float("nan")
    labels = np.asarray(data.labels[:LABELLED])
    _, member, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(counts) < 2 or len(labels) < A_CLASS * len(counts):
        return float("nan")
    pixels = torch.from_numpy(np.array(data.images[:LABELLED])).flatten(1).float()
    pixels -= pixels.mean(0)
    sums = torch.zeros(len(counts), pixels.shape[1]).index_add_(0, torch.from_numpy(member), pixels)
    total = pixels.square().sum(0)
    between = (sums.square() / torch.from_numpy(counts)[:, None]).sum(0)
    varying = total > 0.1 * total.mean()
    if not bool(varying.any()):
        return float("nan")
    left = (1 - between[varying] / total[varying]) * (len(labels) - 1) / (len(labels) - len(counts))
    return 1 - float(left.min())


def off_diagonal_mean(distances: Tensor) -> float:
    """Mean of (n, n) without its diagonal; 0 for one row."""
    n = len(distances)
    return float(distances.sum() - distances.diagonal().sum()) / max(1, n * (n - 1))


def nearest_other(points: Tensor) -> Tensor:
    """Distance (n,) from each row to the nearest other row."""
    # By subtraction: the quick way by products leaves copies a little apart.
    distances = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return distances.fill_diagonal_(float("inf")).min(1).values


def rms(difference: Tensor) -> float:
    """Mean length of the rows."""
    return float(difference.norm(dim=1).mean())


def weights(trainer: Trainer) -> Numbers:
    """The norm of all weights that each optimiser trains."""
    return {f"{key}/weights": norm(parameters(optimizer)) for key, optimizer in trainer.optimizers.items()}


def norm(tensors: list[Tensor]) -> float:
    """Euclidean norm of all together."""
    return float(torch.stack([tensor.detach().float().norm() for tensor in tensors]).norm())


# --- one update, taken and undone -----------------------------------------------------------------------------------------


def rehearsal(trainer: Trainer, batch: Batch) -> Numbers:
    """Each update of the present phase on the same batch, its optimiser moved once and put back. Of each such update:

    step        length of the move over the norm of the weights
    gradient    norm of the gradient
    predicted   change of the loss if it were straight: gradient times move
    change      what the loss on the same batch does change by. Above 0, or far from `predicted`, the step is too long for
                the loss's curvature.

    and of all of them `trains`, the key of their optimiser. Call it inside of `trainer.undone()`.
    """
    numbers: Numbers = {}
    handed: dict[str, Tensor] = {}
    for update in trainer.updates:
        numbers[f"{update.name}/trains"] = update.trains
        if not in_phase(update, trainer.progress):
            continue
        batch.handed = dict(handed)
        measured, report = _rehearse(trainer, update, batch)
        handed |= {key: report[key].detach() for key in update.hands}
        numbers |= {f"{update.name}/{key}": value for key, value in measured.items()}
    return numbers


def _rehearse(trainer: Trainer, update: Update, batch: Batch) -> tuple[Numbers, dict[str, Tensor]]:
    optimizer = trainer.optimizers[update.trains]
    trained = parameters(optimizer)
    with same_weights(optimizer):
        # One move, and what the gradients promised of it.
        before = [parameter.detach().clone() for parameter in trained]
        with same_buffers(trainer.method):
            _seed(trainer, batch)
            result = trainer.update_once(update, batch, commit=False)
        moves = [parameter.detach() - old for parameter, old in zip(trained, before, strict=True)]
        with_gradient = [move for move, one in zip(moves, trained, strict=True) if one.grad is not None]
        predicted = sum(float((g * move).sum()) for g, move in zip(result.gradients, with_gradient, strict=True))

        # The loss at the new weights, with the same random numbers.
        with same_buffers(trainer.method):
            _seed(trainer, batch)
            with trainer.engine.autocast():
                later = update.loss(batch)
        change = float(later["loss"].detach() - result.report["loss"].detach())
    optimizer.zero_grad(set_to_none=True)
    numbers = {
        "step": norm(moves) / max(1e-12, norm(before)),
        "gradient": float(result.norm),
        "predicted": predicted,
        "change": change,
    }
    return numbers, result.report


def _seed(trainer: Trainer, batch: Batch) -> None:
    """The same random numbers for each loss of one look."""
    torch.manual_seed(trainer.steps)
    if batch.generator is not None:
        batch.generator.manual_seed(trainer.steps)


# --- watching ---------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def watched_inputs(method: nn.Module) -> Iterator[Callable[[], Numbers]]:
    """While it holds, inner layers note which of their inputs ever vary. The yielded function says, as "KEY/dead", which
    share of them did not: units whose ReLU is shut for every image."""
    lively: dict[nn.Module, Tensor] = {}
    first: dict[str, nn.Module] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def look(module: nn.Module, inputs: tuple[Any, ...]) -> None:
            if first.setdefault(name, module) is module or not inputs or not isinstance(inputs[0], Tensor):
                return  # of the data themselves many pixels never vary
            x = inputs[0].detach()
            x = x.movedim(1, 0).flatten(1) if x.ndim == 4 else x.flatten(0, -2).T
            varies = x.amax(1) > x.amin(1)
            lively[module] = lively.get(module, torch.zeros_like(varies)) | varies

        return look

    layers = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    hooks = [
        module.register_forward_pre_hook(watch(name))
        for name, network in method.named_children()
        for module in network.modules()
        if isinstance(module, layers)
    ]

    def dead() -> Numbers:
        if not lively:
            return {}
        return {"G/dead": 1 - float(torch.cat([found.flatten() for found in lively.values()]).float().mean())}

    try:
        yield dead
    finally:
        for hook in hooks:
            hook.remove()
