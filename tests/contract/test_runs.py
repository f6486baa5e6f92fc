"""What holds for every method in a run folder: the same seed gives the same bytes, a resume leaves no trace."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import ganvas
from ganvas.abilities import Samples, Tokenizes
from ganvas.errors import RunError
from ganvas.registry import method_names
from ganvas.tasks.encode import decode, encode
from parts import Crash, CrashAfterSaving, assert_same, data_for, newest_state, small, train_small, trainer_for, weights

all_methods = pytest.mark.parametrize("name", method_names())


@all_methods
def test_repeat_resume_and_go_on_are_bit_equal(name: str, tmp_path: Path) -> None:
    """Stopped in the middle, or ended with half of the budget: the other half starts in its fourth step, and the lazy updates,
    every fourth one, come in both halves."""
    whole = train_small(name, tmp_path / "whole", 6, seed=3)

    # A second time, cut in the middle.
    with pytest.raises(Crash):
        train_small(name, tmp_path / "cut", 6, seed=3, checkpoint_every=3, callbacks=[CrashAfterSaving(3)])
    half = newest_state(tmp_path / "cut")
    assert half["counters"]["steps"] == 3
    torch.manual_seed(99)  # whatever the new process did before must not matter
    resumed = train_small(name, tmp_path / "cut", 6, resume=tmp_path / "cut")
    assert weights(resumed) == weights(whole)
    assert_same(newest_state(resumed), newest_state(whole))

    # Finished, and continued with a larger budget.
    run = train_small(name, tmp_path / "run", 3, seed=3)
    short = weights(run)
    same = train_small(name, run.folder, 3, resume=run.folder)
    assert weights(same) == short, "nothing is left to do"
    longer = train_small(name, run.folder, 6, resume=run.folder)
    assert newest_state(longer)["counters"]["steps"] == 6
    assert weights(longer) != short
    method = small(name)
    if method.schedule(0.3, 4) == method.schedule(0.9, 4):
        # Where the budget decides no learning rate, the pause leaves no trace.
        assert weights(longer) == weights(whole)


@all_methods
def test_another_seed_begins_with_other_weights_and_other_examples(name: str) -> None:
    one, other = (trainer_for(small(name), seed=seed) for seed in (3, 4))
    pairs = zip(one.method.parameters(), other.method.parameters(), strict=True)
    assert any(not torch.equal(weight, changed) for weight, changed in pairs), "the networks do not depend on the seed"
    assert not torch.equal(one.feed.next().real, other.feed.next().real)


def test_the_seed_of_a_training_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    runs = [train_small("gan", tmp_path / str(seed), 1, seed=seed) for seed in (3, 4)]
    assert [run.info["seed"] for run in runs] == [3, 4]
    assert weights(runs[0]) != weights(runs[1])


@all_methods
def test_save_load_use(name: str, tmp_path: Path) -> None:
    data = data_for(name, (2, 30, 50))
    run = train_small(name, tmp_path / "run", 2, data)
    loaded = ganvas.load(run.folder)
    if isinstance(loaded.method, Samples):
        made = loaded.sample(5, seed=2)
        if data.spec.kind == "images":
            assert made.shape == (5, 30, 50, 2) and made.dtype == np.uint8
        assert np.array_equal(made, run.sample(7, seed=0)[2:])
    else:
        with pytest.raises(RunError, match="cannot generate images from noise"):
            loaded.sample(5)
    if isinstance(loaded.method, Tokenizes):
        made = decode(loaded.method, encode(loaded.method, data.images[:5]))
        assert made.shape == (5, 30, 50, 2) and made.dtype == np.uint8
    assert loaded.spec == data.spec
    told = loaded.method.filled
    ours, theirs = loaded.method.settings(), small(name).settings()
    assert {**ours, **dict.fromkeys(told)} == {**theirs, **dict.fromkeys(told)} and not loaded.method.training

    stored = loaded.read_weights()
    raw, averaged = loaded.load_method(raw=True).state_dict(), loaded.method.state_dict()
    assert all(torch.equal(stored[f"method.{key}"], value) for key, value in raw.items())
    smooth = {key: value for key, value in stored.items() if key.startswith("average.")}
    assert smooth and all(torch.equal(averaged[key.removeprefix("average.")], value) for key, value in smooth.items())
    assert any(not torch.equal(raw[key], averaged[key]) for key in raw), "the average is not the last step"
