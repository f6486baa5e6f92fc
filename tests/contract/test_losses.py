"""Losses of every update of every preset: each can be called alone, purely, and says the same where earlier updates of the step
left it part of its work in the batch's memo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.utils.parametrizations import _SpectralNorm

from ganvas.method import Batch, Method, Update
from ganvas.networks.features.catalog import CATALOG
from ganvas.registry import create, find, method_names, presets
from ganvas.settings import settings_of
from ganvas.training.trainer import Trainer, parameters
from parts import small, trainer_for

Case = tuple[str, str, dict[str, Any]]


def cases() -> list[Case]:
    """Every preset, and what no preset has: discriminators and penalties that are off by default, two phases."""
    found: list[Case] = []
    for name in method_names():
        found += [(name, preset, {}) for preset in presets(name)]
        for key in ("adversarial", "gamma"):
            known = settings_of(find(name)).get(key)
            if known is not None and known.default == 0:
                found.append((name, "tiny", {key: 0.1}))
    return [*found, ("pix2pix", "tiny", {"discriminator": "digits", "perceptual": "digits", "dropout": 0.2})]


every_case = pytest.mark.parametrize(
    ("name", "preset", "settings"), cases(), ids=lambda value: value if isinstance(value, str) else "-".join(value)
)


def shrunk(name: str, preset: str, settings: dict[str, Any]) -> Method:
    """A preset with the sizes of `tiny`, and the digit network in place of one whose weights may be missing."""
    method, sized, usual = create(name, preset), small(name).settings(), create(name).settings()
    for key, value in method.settings().items():
        is_size = (
            isinstance(value, int | str | tuple)
            and not isinstance(value, bool)
            and not settings_of(find(name))[key].choices
        )
        if is_size and sized[key] != usual[key]:
            settings = {key: sized[key], **settings}
        elif isinstance(value, str) and value in CATALOG:
            settings = {key: "digits", **settings}
    return method.with_settings({**settings, "batch_size": 8})


@every_case
def test_a_loss_alone_is_pure(name: str, preset: str, settings: dict[str, Any]) -> None:
    """Called again with the same randomness and the same statistics, a loss says the same; it moves no parameter."""
    trainer = trainer_for(shrunk(name, preset, settings))
    method, feed = trainer.method, trainer.feed
    for update in trainer.updates:
        batch, state = feed.next(), feed.generator.get_state()
        buffers = {key: value.clone() for key, value in method.named_buffers()}
        before = {key: value.clone() for key, value in method.named_parameters()}
        outside = torch.get_rng_state()
        first = update.loss(batch)
        feed.generator.set_state(state)
        for key, value in method.named_buffers():  # running statistics and power iterations may move in a forward
            value.copy_(buffers[key])
        second = update.loss(replace(batch))
        assert first["loss"].ndim == 0 and first["loss"].requires_grad
        assert first.keys() == second.keys() and set(update.means) <= first.keys()
        assert all(value.ndim == 0 or key in update.means for key, value in first.items())
        assert all(torch.equal(first[key], second[key]) for key in first), update.name
        assert all(torch.equal(value, before[key]) for key, value in method.named_parameters()), update.name
        assert torch.equal(torch.get_rng_state(), outside), f"{update.name} draws from the global generator"


# --- with and without a memo ----------------------------------------------------------------------------------------------


@dataclass
class Recording(Batch):
    """Records who first asked for each value of the memo (an update or another value), and the state of the random numbers."""

    first_asked: dict[str, tuple[str, Tensor]] = field(default_factory=dict)
    asking: str = ""

    def memo(self, key: str, compute: Callable[[], Any]) -> Any:
        if key in self._memo:
            return super().memo(key, compute)
        self.begin(key)
        asking, self.asking = self.asking, key
        value = super().memo(key, compute)
        self.asking = asking
        self.end(key)
        return value

    def begin(self, key: str) -> None:
        assert self.generator is not None
        self.first_asked[key] = (self.asking, self.generator.get_state())

    def end(self, key: str) -> None:
        """Nothing to do."""


@dataclass
class Replay(Recording):
    """Draws the random numbers of a value that another update had computed as they were then, and does not count them."""

    after: dict[str, Tensor] = field(default_factory=dict)

    def begin(self, key: str) -> None:
        assert self.generator is not None
        asking, state = self.first_asked[key]
        if asking != self.asking:
            self.after[key] = self.generator.get_state()
            self.generator.set_state(state)

    def end(self, key: str) -> None:
        assert self.generator is not None
        if key in self.after:
            self.generator.set_state(self.after[key])


@dataclass
class Outcome:
    """What one update said and asked of its parameters, and where buffers and random numbers stood before."""

    report: dict[str, Tensor]
    gradients: list[Tensor | None]
    buffers: dict[str, Tensor]
    state: Tensor


def outcome(trainer: Trainer, update: Update, batch: Recording) -> Outcome:
    assert batch.generator is not None
    buffers = {key: value.clone() for key, value in trainer.method.named_buffers()}
    state = batch.generator.get_state()
    batch.asking = update.name
    report = update.loss(batch)
    gradients = torch.autograd.grad(
        report["loss"],
        parameters(trainer.optimizers[update.trains]),
        retain_graph=update.keeps_graph,
        allow_unused=True,
    )
    return Outcome(report, list(gradients), buffers, state)


def due_together(updates: list[Update]) -> list[list[Update]]:
    """The updates of a step in each phase of the training."""
    starts = sorted({update.span[0] for update in updates})
    return [[update for update in updates if update.span[0] <= start < update.span[1]] for start in starts]


@every_case
def test_a_memo_changes_no_number(name: str, preset: str, settings: dict[str, Any]) -> None:
    """With what earlier updates of the step computed, or with work of its own: the same loss and gradients, but for rounding."""
    trainer = trainer_for(shrunk(name, preset, settings))
    method, feed = trainer.method, trainer.feed
    for module in method.modules():
        if isinstance(module, _SpectralNorm):
            module.eval()  # else each pass of a D comes nearer to the norm
    for updates in due_together(trainer.updates):
        batch = feed.next()
        given = {one.name: getattr(batch, one.name) for one in fields(Batch) if one.init}
        recording = Recording(**given)
        together = [outcome(trainer, update, recording) for update in updates]
        for update, expected in zip(updates, together, strict=True):
            feed.generator.set_state(expected.state)
            for key, value in method.named_buffers():
                value.copy_(expected.buffers[key])
            alone = outcome(trainer, update, Replay(**given, first_asked=recording.first_asked))
            assert alone.report.keys() == expected.report.keys()
            for key, value in alone.report.items():
                torch.testing.assert_close(
                    value, expected.report[key], rtol=1e-4, atol=1e-5, msg=f"{update.name}/{key}"
                )
            for one, other in zip(alone.gradients, expected.gradients, strict=True):
                assert (one is None) == (other is None), update.name
                assert one is None or other is None or torch.allclose(one, other, rtol=1e-3, atol=1e-6), update.name
