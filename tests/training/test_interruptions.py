"""Ctrl-C, a scheduler's SIGTERM, kill -9 and a full disk: nothing is lost, and the result does not show that it happened."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

import children
from ganvas.run import Run, is_run
from ganvas.training.checkpoint import checkpoints, load_newest, load_state
from parts import assert_same, newest_state, train_small, weights

KILLS = 20
STEPS = 40


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_stops(tmp_path: Path, number: int, code: int) -> None:
    out = tmp_path / "run"
    child = children.start(out, 1_000_000, checkpoint_every=1000)
    children.wait_for_step(out, 0)
    time.sleep(0.05)  # between two checkpoints
    os.kill(child.pid, number)  # pyright: ignore[reportArgumentType]
    child.join(30)
    assert child.exitcode == code
    reached = newest_state(out)["counters"]["steps"]
    assert children.message(out) == (
        f"stopped at step {reached}, everything is saved. continue: ganvas train --resume {out}"
    )
    resumed = train_small("gan", out, reached + 3, resume=out)
    assert newest_state(resumed)["counters"]["steps"] == reached + 3
    assert weights(resumed) == weights(train_small("gan", tmp_path / "straight", reached + 3))


def test_kill_9_at_random_instants(tmp_path: Path) -> None:
    """Twenty kills, wherever they fall: between steps, inside of a save, before the first. `--resume auto` continues."""
    straight = train_small("gan", tmp_path / "straight", STEPS)
    instants = random.Random(20)
    out, lives, kills, places = tmp_path / "run-0", 1, 0, set()
    patience = 0.1  # seconds; more on a machine that does not get anywhere in that time
    while kills < KILLS:
        early = kills % 5 == 0  # while it opens its data and reads its last state
        until, longest = ("alive", 0.3) if early else ("started", patience)
        before = newest_step(out)
        child = children.start(out, STEPS, until, resume="auto", checkpoint_every=1 + kills % 3)
        time.sleep(instants.uniform(0, longest))
        if child.exitcode is not None:  # it was faster, or its run was finished already: again in another folder
            assert child.exitcode == 0
            assert_equal_runs(out, straight)
            out, lives = tmp_path / f"run-{lives}", lives + 1
            continue
        child.kill()
        child.join(30)
        kills += 1
        places.add(newest_step(out))
        patience *= 1.0 if early or newest_step(out) != before else 1.5
        assert_nothing_is_broken(out)
    assert len(places) > 3, "the kills fell into the training"
    train_small("gan", out, STEPS, resume="auto", checkpoint_every=2)
    assert_equal_runs(out, straight)


def assert_equal_runs(run: Path, straight: Run) -> None:
    assert weights(run) == weights(straight)
    assert_same(newest_state(run), newest_state(straight))
    assert not list(run.rglob("*.part"))


def newest_step(out: Path) -> str:
    found = checkpoints(out / "checkpoints") if out.exists() else []
    return found[-1].name if found else "none"


def assert_nothing_is_broken(out: Path) -> None:
    said: list[str] = []
    if not is_run(out):  # killed before the first line was written
        return
    state = load_newest(out / "checkpoints", said.append)
    assert said == []
    if (out / "weights.safetensors").exists():
        assert state is not None and Run(out).read_weights()
    list(Run(out).log())


def test_a_full_disk_ends_with_a_sentence_and_the_last_checkpoint(tmp_path: Path) -> None:
    out = tmp_path / "run"
    child = children.start(out, 12, checkpoint_every=4, small_files_after=4)
    child.join(60)
    assert child.exitcode == 1
    assert "cannot" in children.message(out) and str(out) in children.message(out)
    assert [place.name for place in sorted((out / "checkpoints").iterdir())] == ["step-00000000", "step-00000004"]
    assert load_state(out / "checkpoints" / "step-00000004")["counters"]["steps"] == 4
    assert Run(out).sample(1).shape == (1, 28, 28, 1)
    resumed = train_small("gan", out, 12, resume=out)
    assert weights(resumed) == weights(train_small("gan", tmp_path / "straight", 12))
