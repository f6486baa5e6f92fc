"""One step of the loop: which updates are due, what they share, what stops it before a weight moves."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from ganvas.method import Batch, DataSpec, Method, Update, setting
from ganvas.registry import method_names
from ganvas.settings import settings_of
from ganvas.training.trainer import Budget, NonFinite, Trainer, TrainerState, parameters
from parts import assert_same, images, small, trainer_for


class Counting(Method):
    """Two weights; each update notes that it was asked, and on what."""

    name = "counting"
    batch_size: int = setting(4, "images a step", minimum=1)
    lr: float = setting(0.5, "learning rate", minimum=0)
    averaged = ("G",)

    def build(self, spec: DataSpec) -> None:
        self.G, self.D = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.G.weight, 1.0)
        nn.init.constant_(self.D.weight, 1.0)
        self.notes: list[tuple[str, float]] = []
        self.poison: dict[str, float] = {}

    def optimizers(self):  # pyright: ignore[reportIncompatibleMethodOverride]
        return {key: SGD(getattr(self, key).parameters(), lr=self.lr) for key in ("G", "D")}

    def updates(self) -> list[Update]:
        return [
            Update("first", trains="G", loss=self.first),
            Update("second", trains="D", loss=self.second, repeat=2, after=self.after),
            Update("lazy", trains="D", loss=self.lazy, every=3),
        ]

    def first(self, batch: Batch) -> dict[str, Tensor]:
        self.notes.append(("first", float(batch.real.sum())))
        batch.memo("gift", lambda: self.G.weight.sum() * 7)
        return {"loss": (self.G.weight * 2).sum() + self.poison.get("first", 0.0)}

    def second(self, batch: Batch) -> dict[str, Tensor]:
        self.notes.append(("second", float(batch.real.sum())))
        self.gift = batch.memo("gift", lambda: None)
        assert self.D.weight.requires_grad and not self.G.weight.requires_grad
        return {"loss": (self.D.weight * self.poison.get("second", 3.0)).sum(), "square": self.D.weight.square().sum()}

    def lazy(self, batch: Batch) -> dict[str, Tensor]:
        self.notes.append(("lazy", float(batch.real.sum())))
        return {"loss": self.D.weight.sum() * 0}

    def after(self, report: dict[str, Tensor], batch: Batch) -> None:
        self.notes.append(("after", float(self.D.weight.detach())))


def counting(steps: int = 100) -> Trainer:
    return trainer_for(Counting(), steps=steps)


def test_updates_come_in_order_as_often_as_they_ask_on_fresh_batches() -> None:
    trainer = counting()
    for _ in range(4):
        trainer.step()
    names = [name for name, _ in trainer.method.notes]
    with_lazy = ["first", "second", "after", "second", "after", "lazy"]
    assert names == with_lazy + with_lazy[:-1] * 2 + with_lazy
    batches = [value for name, value in trainer.method.notes if name == "second"][:2]
    assert batches[0] != batches[1], "a repeat draws new images"
    assert trainer.method.notes[0][1] == trainer.method.notes[1][1], "the first turn shares the batch of the step"
    assert trainer.images_seen == 4 * 2 * 4


def test_the_optimiser_moves_before_after_is_called() -> None:
    trainer = counting()
    trainer.step()
    assert [value for name, value in trainer.method.notes if name == "after"] == [-0.5, -2.0]  # 1 - 0.5 * 3, again
    assert trainer.method.G.weight.item() == 0.0  # 1 - 0.5 * 2


def test_a_memo_lasts_one_step_and_a_repeat_has_none() -> None:
    trainer = counting()
    trainer.updates = trainer.updates[:2]
    trainer.step()
    assert trainer.method.gift is None, "the second turn has a batch of its own"
    trainer.updates[1] = Update("second", trains="D", loss=trainer.method.second)
    trainer.step()
    assert trainer.method.gift.item() == 0.0, "7 times G's weight as it was when G's update computed it"  # pyright: ignore[reportAttributeAccessIssue]
    trainer.updates = trainer.updates[1:]
    trainer.step()
    assert trainer.method.gift is None


def test_a_memo_is_computed_once() -> None:
    batch, calls = Batch(torch.zeros(2, 1)), []
    assert [batch.memo("key", lambda: calls.append(1) or "value") for _ in range(3)] == ["value"] * 3
    assert len(calls) == 1 and batch.memo("other key", lambda: 2) == 2
    assert replace(batch).memo("key", lambda: "new") == "new", "a copy remembers nothing"


class Chain(Counting):
    """D's update goes back through what G's computed, to D's own weight."""

    def updates(self) -> list[Update]:
        return [
            Update("first", trains="G", loss=self.first, keeps_graph=True),
            Update("second", trains="D", loss=self.second),
        ]

    def first(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": batch.memo("product", self.product)}

    def second(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": -batch.memo("product", self.product)}

    def product(self) -> Tensor:
        return (self.G.weight * 3 * self.D.weight).sum()


def test_a_later_update_goes_back_through_a_graph_that_is_kept() -> None:
    trainer = trainer_for(Chain())
    trainer.step()
    assert trainer.method.G.weight.item() == -0.5, "1 - 0.5 * 3 * 1"
    assert trainer.method.D.weight.item() == 2.5, "1 + 0.5 * 3 * 1: by G's weight of before"
    assert trainer.method.G.weight.grad is not None, "D's backward left nothing in G's gradient"
    assert trainer.method.G.weight.grad.item() == 3.0


def test_going_back_through_a_graph_that_is_not_kept_is_an_error() -> None:
    trainer = trainer_for(Chain())
    trainer.updates[0] = replace(trainer.updates[0], keeps_graph=False)
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        trainer.step()


def test_a_report_holds_scalars() -> None:
    trainer = counting()
    trainer.updates = [
        Update("first", trains="G", loss=lambda batch: {**trainer.method.first(batch), "images": batch.real})
    ]
    with pytest.raises(TypeError, match=r"counting: update first reports 'images' of shape .* batch\.memo"):
        trainer.step()


def test_numbers_are_named_by_update() -> None:
    trainer = counting()
    trainer.step()
    numbers = trainer.numbers()
    assert (
        numbers["first/loss"] == 2.0
        and numbers["first/gradient_norm"] == 2.0
        and numbers["second/gradient_norm"] == 3.0
    )
    assert numbers["second/square"] == 0.25, "the loss of the second turn, taken at weight -0.5"


def test_step_sizes_follow_the_schedule() -> None:
    trainer = counting(steps=4)
    trainer.method.schedule = lambda progress, steps: (1 - progress) * (steps + 1)  # pyright: ignore
    trainer.updates = trainer.updates[:1]
    moves = []
    for _ in range(4):
        before = trainer.method.G.weight.item()
        trainer.step()
        moves.append(before - trainer.method.G.weight.item())
    assert moves == pytest.approx([1.0, 1.5, 1.5, 1.0])  # 1 * 1, 3/4 * 2, 1/2 * 3, 1/4 * 4


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("update", ["first", "second"])
def test_nan_and_inf_stop_before_the_weights_of_that_update_move(update: str, value: float) -> None:
    trainer = counting()
    trainer.method.poison = {update: value}  # pyright: ignore[reportArgumentType]
    trained = trainer.method.G if update == "first" else trainer.method.D
    with pytest.raises(NonFinite, match=update):
        trainer.step()
    assert trained.weight.item() == 1.0
    assert ("after", 1.0) not in trainer.method.notes and trainer.steps == 0


def test_a_finite_loss_with_an_infinite_gradient_stops_too() -> None:
    trainer = counting()
    trainer.updates = [
        Update("root", trains="G", loss=lambda batch: {"loss": (trainer.method.G.weight - 1).sqrt().sum()})
    ]
    with pytest.raises(NonFinite, match="root"):
        trainer.step()
    assert trainer.method.G.weight.item() == 1.0


def test_updates_of_one_name_or_without_optimiser_are_refused() -> None:
    class Twice(Counting):
        def updates(self) -> list[Update]:
            return [Update("same", trains="G", loss=self.first), Update("same", trains="D", loss=self.second)]

    class Nobody(Counting):
        def updates(self) -> list[Update]:
            return [Update("lost", trains="E", loss=self.first)]

    with pytest.raises(TypeError, match="two updates share a name"):
        trainer_for(Twice())
    with pytest.raises(TypeError, match=r"update lost trains 'E', which optimizers\(\) has not"):
        trainer_for(Nobody())


def test_a_method_needs_words_and_settings_to_be_registered() -> None:
    with pytest.raises(TypeError, match="Untitled needs the class attributes name, title and paper"):

        class Untitled(Counting):
            name = "untitled"
            paper = "y"

    with pytest.raises(TypeError, match=r"Bare.rate must be a setting"):

        class Bare(Counting):
            name = "bare"
            title = "x"
            paper = "y"
            rate: float = 1.0

    assert not {"counting", "untitled", "bare"} & set(method_names())


def test_only_settings_are_fields() -> None:
    """Networks and constants may be annotated; they are neither settings nor arguments."""

    class Annotated(Counting):
        G: nn.Module
        extra: ClassVar[int] = 3
        depth: int = setting(2, "layers", minimum=1)

    assert set(settings_of(Annotated)) == {"batch_size", "lr", "depth"}
    assert Annotated(depth=4, lr=0.1).settings() == {"batch_size": 4, "lr": 0.1, "depth": 4}
    assert set(Annotated.__annotations__) == {"G", "extra", "depth"}
    with pytest.raises(TypeError, match="unexpected keyword argument 'G'"):
        Annotated(G=nn.Linear(1, 1))  # pyright: ignore


# --- budget and state -----------------------------------------------------------------------------------------------------


def test_budget_ends_at_the_first_limit() -> None:
    assert Budget(steps=10).progress(5, 0, 0.0) == 0.5
    assert Budget(images=200).progress(0, 50, 0.0) == 0.25
    assert Budget(minutes=2.0).progress(0, 0, 30.0) == 0.25
    assert Budget(steps=10, images=200, minutes=2.0).progress(1, 180, 30.0) == 0.9
    assert Budget(steps=10).progress(11, 0, 0.0) == 1.0


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def in_minutes(minutes: float) -> tuple[Trainer, Clock]:
    trainer, clock = trainer_for(small("dcgan")), Clock()
    trainer.budget = Budget(minutes=minutes)
    trainer.use_clock(clock)
    return trainer, clock


def test_progress_of_minutes_never_falls() -> None:
    """Of 40 s for training 20 are used; then a fast measurement leaves 50 s, of which 20 would be less."""
    trainer, clock = in_minutes(1.0)
    seen: list[float] = []
    for now, allowed in ((0.0, 40.0), (20.0, 50.0), (24.0, 50.0), (26.0, 50.0), (27.0, 45.0)):
        clock.now = now
        trainer.tick()
        seen.append(trainer.progress)
        trainer.allow(allowed, 0.0)
        seen.append(trainer.progress)
    assert seen == [0.0, 0.0, 0.5, 0.5, 0.5, 0.5, 0.52, 0.52, 0.54, 0.6]


def test_a_resumed_training_of_minutes_starts_at_its_progress() -> None:
    """Before the first measurement it knows nothing of what they leave; of more minutes it has used less."""
    trainer, clock = in_minutes(1.0)
    trainer.allow(40.0, 0.0)
    clock.now = 20.0
    trainer.tick()
    trainer.allow(50.0, 0.0)
    state = trainer.state()
    for minutes, progress in ((1.0, 0.5), (2.0, 20 / 120)):
        resumed, _ = in_minutes(minutes)
        resumed.restore(state)
        assert resumed.progress == progress


@pytest.mark.parametrize("name", ["dcgan", "wgan", "r3gan"])
def test_a_state_restored_is_bit_equal_from_there_on(name: str) -> None:
    """In one process, so that layouts in memory are the restored ones: channels_last weights, row by row checkpoints."""
    from ganvas.training.checkpoint import pack, unpack

    trainer = trainer_for(small(name))
    for _ in range(3):
        trainer.step()
    tensors, rest = pack(trainer.state())
    frozen = {key: value.clone() for key, value in tensors.items()}

    def kept() -> TrainerState:
        return unpack({key: value.clone() for key, value in frozen.items()}, rest)

    def onwards() -> dict[str, Tensor]:
        for _ in range(3):
            trainer.step()
        return {key: value.clone() for key, value in trainer.method.state_dict().items()}

    straight = onwards()
    trainer.restore(kept())
    assert trainer.steps == 3
    assert_same(onwards(), straight)
    trainer = trainer_for(small(name))  # one that has no memory of its own
    trainer.restore(kept())
    assert_same(onwards(), straight)


def test_drawing_anew_gives_other_numbers_and_the_same_ones_again() -> None:
    def first_batch(rollbacks: int) -> tuple[list[float], list[float]]:
        trainer = trainer_for(small("gan"), images())
        if rollbacks:
            trainer.draw_anew(rollbacks, seed=0)
        batch = trainer.feed.next()
        return batch.real.flatten().tolist(), batch.normal(2).flatten().tolist()

    none, once, again, twice = first_batch(0), first_batch(1), first_batch(1), first_batch(2)
    assert once == again
    assert (
        len({tuple(one[0]) for one in (none, once, twice)}) == 3
        and len({tuple(one[1]) for one in (none, once, twice)}) == 3
    )


@pytest.mark.parametrize(("clip", "factor"), [(0.0, 1.0), (100.0, 1.0), (0.05, None)])
def test_an_update_may_clip_its_gradients(clip: float, factor: float | None) -> None:
    """All of them together, to the norm that was asked for; the log keeps the norm as it was."""

    def gradients(clip: float) -> tuple[torch.Tensor, float]:
        trainer = trainer_for(small("gan"))
        trainer.updates = [replace(trainer.updates[0], clip=clip)]
        trainer.step()
        mine = [p.grad for p in parameters(trainer.optimizers[trainer.updates[0].trains]) if p.grad is not None]
        norm = float(trainer.reports[trainer.updates[0].name]["gradient_norm"])
        return torch.cat([gradient.flatten() for gradient in mine]), norm

    whole, norm = gradients(0.0)
    found, logged = gradients(clip)
    assert 0.1 < norm < 100 and logged == norm
    torch.testing.assert_close(found, whole * (clip / norm if factor is None else factor))
    if factor is None:
        assert float(found.norm()) == pytest.approx(clip, rel=1e-5)
