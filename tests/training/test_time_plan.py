"""A budget in minutes is all that one waits; what a budget in steps computes does not depend on the clock."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import ganvas
from ganvas.training.callbacks import Callback
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import start
from ganvas.training.time_plan import FEWEST_SAMPLES, REPORT_SECONDS, SAMPLE_COUNTS, Phase, TimePlan
from ganvas.training.trainer import Budget
from parts import images, newest_state, small, train_small


def plan(minutes: float | None = 1.0, ago: float = 0.0) -> TimePlan:
    """A plan of a command that began `ago` seconds before."""
    return TimePlan(minutes, time.perf_counter() - ago, lambda phase: None)


def test_training_gets_what_all_else_leaves() -> None:
    """Of 60 s, 10 s went into preparing and 5 measurements of 1 s, a save of 2 s and the report are still to come."""
    times = plan(1.0, ago=10.0)
    times.newest |= {"measuring": 1.0, "saving": 2.0}
    assert times.allowance(0.0, 0.0) == pytest.approx(60 - 10 - 5 - 2 - REPORT_SECONDS, abs=0.1)
    # Later: 30 s in all, of which 15 s were training; three measurements are left.
    later = plan(1.0, ago=30.0)
    later.newest |= {"measuring": 1.0, "saving": 2.0}
    assert later.allowance(15.0, 0.4) == pytest.approx(60 - 15 - 3 - 2 - REPORT_SECONDS, abs=0.1)


def test_training_gets_a_quarter_however_long_opening_the_data_takes() -> None:
    assert plan(1.0, ago=500.0).allowance(0.0, 0.0) == 15.0


def test_a_measurement_that_became_slow_is_left_out_but_the_last() -> None:
    """Of 12 s for measuring, 5 went; one more of 3 s and the last one fit, of 4 s they do not."""
    times = plan(1.0)
    times.spent["measuring"] = 5.0
    times.newest["measuring"] = 3.0
    assert times.affordable("measuring", 0.2, reserved=1)
    times.newest["measuring"] = 4.0
    assert not times.affordable("measuring", 0.2, reserved=1)
    assert plan(None).affordable("measuring", 0.2)


def test_progress_goes_by_the_allowance() -> None:
    assert Budget(minutes=1.0).progress(0, 0, 20.0, 40.0) == 0.5
    assert Budget(minutes=1.0).progress(0, 0, 30.0) == 0.5
    assert Budget(steps=10).progress(5, 0, 30.0, 40.0) == 0.5


def test_earlier_sessions_count() -> None:
    """Minutes are counted from the start of the run: 20 s of training and 5 s of all else went before."""
    times = plan(1.0, ago=10.0)
    times.resume(20.0, 5.0)
    assert times.other(20.0) == pytest.approx(15.0, abs=0.1)
    assert times.other(24.0) == pytest.approx(11.0, abs=0.1)


@pytest.mark.parametrize(
    ("each", "evaluations", "samples"),
    [
        (0.0001, 5, 2000),  # 2000 samples take 0.2 s of the 12 s that a minute has for measuring
        (0.0023, 5, 1000),  # 1043 in 2.4 s
        (0.0030, 5, 500),  # 800 in 2.4 s
        (0.0100, 4, 256),  # 12 s are 4 times 300 samples
        (0.0400, 1, 256),  # once, of 300
        (0.1000, 1, 64),  # once, of 120
        (1.0000, 1, 0),  # 64 samples alone take a minute
    ],
)
def test_measuring_takes_a_fifth_of_the_budget(each: float, evaluations: int, samples: int) -> None:
    times = plan(1.0)
    times.settle_measuring(each * FEWEST_SAMPLES, FEWEST_SAMPLES, 2000, fixed=False)
    assert (times.evaluations, times.samples) == (evaluations, samples)
    assert times.evaluations * times.samples * each <= 12.0


def test_who_asks_for_a_number_of_samples_gets_it() -> None:
    times = plan(1.0)
    times.settle_measuring(0.1 * FEWEST_SAMPLES, FEWEST_SAMPLES, 2000, fixed=True)
    assert (times.evaluations, times.samples) == (1, 2000)
    assert times.to_come(0.0) > 200


def test_without_minutes_nothing_varies() -> None:
    times = plan(None, ago=1000.0)
    times.settle_measuring(1e6, 64, 2000, fixed=False)
    assert times.samples == 2000 and times.allowance(1.0, 0.5) is None


class Phases(Callback):
    """Which phases were told, in their order."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.open = False
        self.rows: list[dict[str, float]] = []

    def phase(self, phase: Phase | None) -> None:
        self.open = phase is not None
        if phase is not None and (not self.names or self.names[-1] != phase.name):
            self.names.append(phase.name)

    def logged(self, trainer: object, row: dict[str, float]) -> None:
        assert not self.open
        self.rows.append(row)


def test_every_phase_is_told(tmp_path: Path) -> None:
    phases = Phases()
    train_small("dcgan", tmp_path / "run", 3, callbacks=[phases], samples=64)
    assert set(phases.names) == {"preparing", "saving", "checking", "sampling", "measuring", "report"}
    assert phases.names[0] == "preparing" and phases.names[-1] == "report" and not phases.open


class Slow(Callback):
    """Writes a report that takes a second, as one of a large run does."""

    def saved(self, trainer: object) -> None:
        time.sleep(0.2)


def test_minutes_are_all_told(tmp_path: Path) -> None:
    """6 s with measurements, saves and the report; before, they came on top, and measuring was of 2000 samples five times."""
    started = time.perf_counter()
    phases = Phases()
    run = ganvas.train(
        small("gan"),
        images(),
        out=tmp_path / "run",
        minutes=0.1,
        device="cpu",
        precision="fp32",
        callbacks=[phases, Slow()],
    )
    waited = time.perf_counter() - started
    (finished,) = [row for row in run.log() if row.get("event") == "finished"]
    # On a busy machine preparing may take more than its part; training gets a quarter then.
    assert waited < 7.5 or finished["seconds"] < 2.0
    assert 1.5 <= finished["seconds"] < 6.0
    assert all("seconds_left" in row for row in phases.rows if row["progress"] > 0)
    assert run.info["samples"] in (0, 2000, *SAMPLE_COUNTS)


def test_a_benchmark_counts_training_alone(tmp_path: Path) -> None:
    config = TrainConfig(
        small("gan"), images(), out=tmp_path / "run", minutes=0.02, device="cpu", precision="fp32", samples=0
    )
    session = start(config, started=time.perf_counter() - 100)
    session.use_clock(time.process_time)
    session.run()
    assert session.trainer.seconds == pytest.approx(1.2, abs=0.3)


def test_steps_do_not_depend_on_the_time_that_went_before(tmp_path: Path) -> None:
    states = []
    for number, ago in enumerate((0.0, 10_000.0)):
        out = tmp_path / str(number)
        config = TrainConfig(small("dcgan"), images(), out=out, steps=4, device="cpu", precision="fp32", samples=64)
        start(config, started=time.perf_counter() - ago).run()
        states.append(newest_state(out))
    first, second = states
    assert first["counters"] == second["counters"] and first["best"] == second["best"]
    for name, value in first["method"].items():
        assert value.equal(second["method"][name])
