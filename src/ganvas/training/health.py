"""Numbers that say how a training is doing, for the doctor: rows of the log with event "health", 20 over a budget.

Taking them changes nothing: weights, buffers, optimisers and random states are the same bits after as before, so a training
with them is bit-equal to one without. Names of a row's numbers:

samples/*       128 images of fixed seeds from the newest weights (not the average), beside as many held-out real ones
logits/*        logits of D for training images, held-out images and new fakes
UPDATE/*        that update tried once on a batch of its own (rehearsal.py): how far it moves, what that does to its loss
KEY/*           the networks behind one key of `optimizers()`: norm of the weights, share of dead inputs
reference/*     what held-out real images score in place of samples
data/*          facts of the training images
classes         how many classes the method is conditioned on
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from ganvas.abilities import HasDiscriminator, Samples
from ganvas.data import Dataset
from ganvas.data.feed import count_examples, examples_of
from ganvas.method import Batch, Method
from ganvas.sampling import sample
from ganvas.training.rehearsal import norm_of, rehearsal
from ganvas.training.sample_statistics import STATISTICS_SAMPLES, Descriptors, Reference, mean_length, off_diagonal_mean
from ganvas.training.trainer import Trainer, parameters

LOOKS_PER_BUDGET = 20  # over a budget, ...
LOOKS_SHARE = 0.025  # ... as long as they take no more of the training's time than this
MIN_LOOKS = 6  # however much they take, ...
PAUSE_SECONDS = 1.0  # ... if so many seconds of training lie between them

Numbers = dict[str, float | str]

_references: dict[str, Reference] = {}


class Health:
    """Takes the numbers of one training, in the leading process; no other process needs to be there."""

    def __init__(self, method: Method, data: Dataset) -> None:
        self.method, self.data = method, data
        self.set_rate()
        self.spent, self.looks = 0.0, 0
        self.taken_over = False
        """True where the networks began with what another run learned."""
        self._place = -1
        self._before: list[Descriptors] = []

    # --- when ---------------------------------------------------------------------------------------------------

    def set_rate(
        self,
        looks: int = LOOKS_PER_BUDGET,
        *,
        share: float = LOOKS_SHARE,
        least: int = MIN_LOOKS,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """How often the numbers are taken: `looks` times over the budget, as long as that takes no more than `share` of the
        training's time; `least` times whatever it takes, where `pause` seconds of training lie between them."""
        self.looks_wanted, self.share, self.least, self.pause = looks, share, least, pause

    def same_rate_as(self, other: Health) -> None:
        """For a training that continues another one."""
        self.set_rate(other.looks_wanted, share=other.share, least=other.least, pause=other.pause)

    def due(self, trainer: Trainer) -> bool:
        """True where the budget has come to the place of the next look, on all processes alike. Asking counts."""
        place = int(trainer.progress * self.looks_wanted)
        before, self._place = self._place, place
        if before < 0:
            return trainer.steps == 0
        return place > before

    def affordable(self, trainer: Trainer) -> bool:
        """False while this took too much of the training's time already; the start and the end are always affordable."""
        if trainer.steps == 0 or trainer.progress >= 1 or self.spent <= self.share * trainer.seconds:
            return True
        return self.looks < trainer.progress * self.least and self.looks * self.pause <= trainer.seconds

    # --- what ---------------------------------------------------------------------------------------------------

    def take(self, trainer: Trainer) -> Numbers:
        """All numbers of this moment."""
        started = time.perf_counter()
        with trainer.undone():
            numbers: Numbers = {"rollbacks": trainer.rollbacks, "classes": getattr(self.method, "classes", 0)}
            if self.taken_over:
                numbers["taken_over"] = 1
            if self.data.kind.is_compared:
                numbers |= {"images": len(self.data), **self.reference.facts}
                numbers |= self._of_samples(trainer)
            if isinstance(self.method, HasDiscriminator):
                numbers |= self._of_logits(trainer, self.method)
            if trainer.steps:
                numbers |= rehearsal(trainer, self._batch(trainer))
            for key, optimizer in trainer.optimizers.items():
                numbers[f"{key}/weights"] = norm_of(parameters(optimizer))
        if trainer.steps:  # the first look pays for what is computed once
            self.spent += time.perf_counter() - started
            self.looks += 1
        return numbers

    @property
    def reference(self) -> Reference:
        """Computed when it is first needed, and kept for the next training on the same data."""
        key = self.data.fingerprint or str(id(self.data))
        if key not in _references:
            _references.clear()
            _references[key] = Reference(self.data)
        return _references[key]

    def _of_samples(self, trainer: Trainer) -> Numbers:
        """Samples of fixed seeds beside real images, and how far they moved since the last look."""
        if not isinstance(self.method, Samples):
            return {}
        self.method.eval()
        with dead_inputs(self.method) as dead, trainer.engine.autocast():
            images = self.data.kind.as_images(sample(self.method, STATISTICS_SAMPLES, 0))
        self.method.train()
        scores, now = self.reference.compare(images)
        numbers: Numbers = {f"samples/{key}": value for key, value in scores.items()}
        numbers["samples/finite"] = float(torch.isfinite(images).float().mean())
        if self._before:
            # Per distance among the samples, so that a G of little variety does not seem to stand still.
            among = off_diagonal_mean(torch.cdist(now.pixels, now.pixels))
            drift = mean_length(now.pixels - self._before[-1].pixels)
            numbers["samples/drift"] = drift / max(among, 0.02 * self.reference.mean_pixel_distance)
            if len(self._before) > 1:
                drift_back = mean_length(now.pixels - self._before[-2].pixels)
                numbers["samples/drift_back"] = drift_back / max(1e-6, drift)
        self._before = [*self._before[-1:], now]
        return {**numbers, **dead()}

    @torch.no_grad()
    def _of_logits(self, trainer: Trainer, method: HasDiscriminator) -> Numbers:
        """D sees whole batches, of one kind each, since it may look at a batch as a whole."""
        test, generate = self.data.part("test"), getattr(self.method, "generate_for", None)
        real_logits, held_out_logits, fake_logits = [], [], []
        size = self.method.batch_size
        for start in range(0, max(1, STATISTICS_SAMPLES - size + 1), size):
            batch = self._batch(trainer, start=start)
            with trainer.engine.autocast():
                real_logits.append(method.discriminate(batch, method.real_for(batch)))
                if test is not None:
                    unseen = self._batch(trainer, test, start)
                    held_out_logits.append(method.discriminate(unseen, method.real_for(unseen)))
                if generate is not None:
                    fake_logits.append(method.discriminate(batch, generate(batch)))
        return logit_figures(_joined(real_logits), _joined(held_out_logits), _joined(fake_logits))

    def _batch(self, trainer: Trainer, data: Dataset | None = None, start: int = 0) -> Batch:
        """Images `start`, `start + 1`, ... of a split as a batch. It does not depend on where the feed stands."""
        data, device = data or self.data, trainer.engine.device
        count = max(1, self.method.batch_size // trainer.engine.ranks)
        window = self.method.text_window()
        rows = np.arange(start, start + count) % count_examples(data, window)
        batch = examples_of(data, rows, window, device, seed=trainer.steps + start)
        batch.progress = trainer.progress  # D sees what it is trained with by now
        return batch


def _joined(logits: list[Tensor]) -> Tensor | None:
    if not logits:
        return None
    return torch.cat(logits).float().flatten().cpu()


def logit_figures(real: Tensor | None, held_out: Tensor | None, fake: Tensor | None) -> Numbers:
    """Logits (n,) of training images, held-out images and fakes: means, margins in standard deviations, and shares of pairs that
    D ranks right (0.5 is chance)."""
    if real is None:
        return {}
    numbers: Numbers = {"logits/real": float(real.mean()), "logits/real_std": float(real.std())}
    if held_out is not None:
        numbers["logits/held"] = float(held_out.mean())
        numbers["logits/overfit"] = above(real, held_out)
        numbers["logits/overfit_margin"] = _margin(real, held_out)
    if fake is not None:
        numbers["logits/fake"] = float(fake.mean())
        numbers["logits/fake_std"] = float(fake.std())
        numbers["logits/apart"] = above(real, fake)
        numbers["logits/margin"] = _margin(real, fake)
        if held_out is not None:
            numbers["logits/held_apart"] = above(held_out, fake)
    return numbers


def _margin(a: Tensor, b: Tensor) -> float:
    deviation = max(1e-12, float((b.var() + a.var()).div(2).sqrt()))
    return float(a.mean() - b.mean()) / deviation


def above(a: Tensor, b: Tensor) -> float:
    """Share of pairs (a, b) in which a is larger; ties count half. The area under D's ROC curve."""
    difference = a[:, None] - b[None, :]
    return float((difference > 0).float().mean() + 0.5 * (difference == 0).float().mean())


@contextlib.contextmanager
def dead_inputs(method: nn.Module) -> Iterator[Callable[[], Numbers]]:
    """Inside, inner layers note which of their inputs ever vary. The yielded function gives {"G/dead": the share of them that
    did not}: units whose ReLU is shut for every image."""
    varying: dict[nn.Module, Tensor] = {}
    first_layers: dict[str, nn.Module] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[object, ...]], None]:
        def note(layer: nn.Module, inputs: tuple[object, ...]) -> None:
            if first_layers.setdefault(name, layer) is layer:
                return  # of the data themselves many pixels never vary
            if not inputs or not isinstance(inputs[0], Tensor):
                return
            x = inputs[0].detach()
            units = x.movedim(1, 0).flatten(1) if x.ndim == 4 else x.flatten(0, -2).T
            varies = units.amax(1) > units.amin(1)
            varying[layer] = varying.get(layer, torch.zeros_like(varies)) | varies

        return note

    hooks = []
    for name, network in method.named_children():
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
                hooks.append(layer.register_forward_pre_hook(watch(name)))

    def dead() -> Numbers:
        if not varying:
            return {}
        alive = torch.cat([varies.flatten() for varies in varying.values()])
        return {"G/dead": 1 - float(alive.float().mean())}

    try:
        yield dead
    finally:
        for hook in hooks:
            hook.remove()
