"""Which precision --precision auto takes, and that trying leaves nothing behind."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from ganvas import precision
from ganvas.precision import choose_precision
from ganvas.registry import method_names
from ganvas.training import engine, trial
from ganvas.training import prepare as prepare_module
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import prepare
from ganvas.training.trainer import NonFinite, Trainer
from ganvas.training.trial import step_ratio
from parts import images, small, train_small, trainer_for, weights

CPU = torch.device("cpu")


@pytest.fixture
def pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose plain convolutions gain by bf16."""
    monkeypatch.setattr(engine, "choose_precision", lambda wish, device: ("bf16" if wish == "auto" else wish, "plain"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Time that passes only where a test says so."""
    time = SimpleNamespace(now=0.0)
    monkeypatch.setattr(trial, "time", SimpleNamespace(perf_counter=lambda: time.now))
    return time


def says(monkeypatch: pytest.MonkeyPatch, ratio: float | None) -> None:
    monkeypatch.setattr(trial, "step_ratio", lambda trainer: ratio)


# --- plain convolutions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratio", "chosen"), [(1.2, "fp32"), (1.3, "bf16")])
def test_auto_asks_for_a_gain(ratio: float, chosen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    monkeypatch.setattr(precision, "bare_ratio", lambda device: ratio)
    taken, why = choose_precision("auto", CPU)
    assert taken == chosen and "timed probe" in why


def test_auto_never_emulates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_bf16", lambda device: False)
    monkeypatch.setattr(precision, "bare_ratio", lambda device: pytest.fail("timed all the same"))
    assert choose_precision("auto", CPU) == ("fp32", "this cpu has no bf16 instructions")


def test_a_wish_is_no_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "bare_ratio", lambda device: pytest.fail("timed all the same"))
    assert choose_precision("bf16", CPU) == ("bf16", "as asked")


# --- a method's own step --------------------------------------------------------------------------------------------------


class Steps:
    """Stands for a trainer: each step takes `cost[precision]` seconds, `lazy` more at every fourth."""

    def __init__(self, clock: SimpleNamespace, cost: dict[str, float], lazy: float = 0.0, phases: int = 1) -> None:
        self.engine = engine.Engine(CPU, "bf16", "")
        self.updates = [SimpleNamespace(span=(phase / phases, (phase + 1) / phases)) for phase in range(phases)]
        self.clock, self.cost, self.lazy = clock, cost, lazy
        self.met: dict[str, list[int]] = {"fp32": [], "bf16": []}

    def trial_step(self, step: int, precision: str) -> None:
        self.met[precision].append(step)
        self.clock.now += self.cost[precision] + (0 if step % 4 else self.lazy)


def test_both_precisions_meet_the_same_steps(clock: SimpleNamespace) -> None:
    steps = Steps(clock, {"fp32": 0.03, "bf16": 0.02}, lazy=0.04)
    ratio = step_ratio(steps)  # pyright: ignore[reportArgumentType]
    assert steps.met["fp32"] == steps.met["bf16"] and sorted(steps.met["fp32"][1:]) == list(range(16))
    assert ratio == pytest.approx((16 * 0.03 + 4 * 0.04) / (16 * 0.02 + 4 * 0.04))


def test_it_stops_after_seconds(clock: SimpleNamespace) -> None:
    steps = Steps(clock, {"fp32": 0.5, "bf16": 0.25})
    assert step_ratio(steps) == pytest.approx(2.0)  # pyright: ignore[reportArgumentType]
    assert len(steps.met["fp32"]) == 4


def test_every_phase_is_met_even_where_time_is_short(clock: SimpleNamespace) -> None:
    """Four phases: once to prepare, once for the clock, which would be up after two steps."""
    steps = Steps(clock, {"fp32": 1.0, "bf16": 0.5}, phases=4)
    assert step_ratio(steps) == pytest.approx(2.0)  # pyright: ignore[reportArgumentType]
    for met in (steps.met["fp32"][:5], steps.met["fp32"][5:]):
        assert len(met) == 5 and {place // 4 for place in met} == {0, 1, 2, 3}


def test_long_steps_are_not_tried(clock: SimpleNamespace) -> None:
    steps = Steps(clock, {"fp32": 2.5, "bf16": 1.0})
    assert step_ratio(steps) is None  # pyright: ignore[reportArgumentType]
    assert clock.now < 4


@pytest.mark.parametrize("name", method_names())
def test_every_method_can_be_tried(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "MAX_STEPS", 1)
    monkeypatch.setattr(trial, "TRIAL_SECONDS", 60.0)  # a busy machine must not fail this
    trainer = trainer_for(small(name))
    ratio = step_ratio(trainer)
    assert ratio is not None and ratio > 0


# --- in a training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "chosen", "why"),
    [
        (0.9, "fp32", "bf16 is 0.90 times as fast as fp32 in this method's own step"),
        (1.1, "bf16", "bf16 is 1.10 times as fast as fp32 in this method's own step"),
        (None, "bf16", "plain"),
    ],
)
def test_the_own_step_decides(
    ratio: float | None, chosen: str, why: str, pays: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    says(monkeypatch, ratio)
    run = train_small("gan", "run", 1, precision="auto")
    assert run.info["precision"] == chosen and why in run.info["why_precision"]


def test_trying_leaves_nothing_behind(pays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = train_small("dcgan", "plain", 3, precision="bf16")
    asked: list[int] = []

    def tried(trainer: Trainer) -> float:
        for _ in range(5):
            trainer.step()
        asked.append(trainer.steps)
        return 2.0

    monkeypatch.setattr(trial, "step_ratio", tried)
    auto = train_small("dcgan", "auto", 3, precision="auto")
    assert asked == [5]
    assert weights(auto) == weights(plain)


def test_the_lead_tries_its_own_share_of_the_batch(pays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    def tried(trainer: Trainer) -> float:
        sizes.append(len(trainer.feed.next()))
        return 2.0

    start = engine.start_engine
    monkeypatch.setattr(prepare_module, "start_engine", lambda *wishes: replace(start(*wishes), ranks=2))
    monkeypatch.setattr(trial, "step_ratio", tried)
    monkeypatch.setattr(engine.Engine, "agree", lambda self, *values: values)
    monkeypatch.setattr(engine.Engine, "copy_from_lead", lambda self, module: None)
    prepare(TrainConfig(small("gan"), images(), out="run", steps=1, device="cpu"))
    assert sizes == [small("gan").batch_size // 2]


def test_too_little_memory_for_fp32_is_no_reason_to_end(pays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(trainer: Trainer) -> float:
        raise torch.OutOfMemoryError("full")

    monkeypatch.setattr(trial, "step_ratio", full)
    assert train_small("gan", "run", 1, precision="auto").info["precision"] == "bf16"


def test_a_resumed_run_keeps_what_it_had(pays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, 0.5)
    first = train_small("gan", "run", 1, precision="auto")
    says(monkeypatch, 2.0)
    second = train_small("gan", None, 2, resume="run", precision="auto")  # pyright: ignore[reportArgumentType]
    assert second.info["precision"] == "fp32" and second.info["why_precision"] == first.info["why_precision"]


def test_a_loss_that_breaks_while_trying_is_met_again_in_training(pays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(trainer: Trainer) -> float:
        raise NonFinite("discriminator")

    monkeypatch.setattr(trial, "step_ratio", breaks)
    assert train_small("gan", "run", 1, precision="auto").info["precision"] == "bf16"


def test_other_processes_follow_the_lead(pays: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rank 1 tries nothing itself and takes what rank 0 found."""
    start = engine.start_engine
    monkeypatch.setattr(prepare_module, "start_engine", lambda *wishes: replace(start(*wishes), rank=1))
    monkeypatch.setattr(trial, "step_ratio", lambda trainer: pytest.fail("tried all the same"))
    monkeypatch.setattr(engine.Engine, "agree", lambda self, *values: (0.5,))
    made = prepare(TrainConfig(small("gan"), images(), out="run", steps=1, device="cpu"))
    assert made.engine.precision == "fp32"
