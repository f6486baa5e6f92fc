"""Real trainings, run by hand (`make slow`, about ten minutes on two cores); dated results are in docs/experiments.md."""

from __future__ import annotations

import pytest

import ganvas

pytestmark = pytest.mark.slow


def test_five_minutes_of_r3gan_beat_a_hundred_epochs_of_the_mlp_gan() -> None:
    new = ganvas.train("r3gan", "digits", minutes=5, out="r3gan").metrics["metrics"]
    old = ganvas.train("gan", "digits", preset="relu", images=663_000, out="gan").metrics["metrics"]
    for name, entry in new.items():
        print(name, entry["value"], old[name]["value"], "reference", entry["reference"])
    assert new["FD[digits]"]["value"] < 3 < old["FD[digits]"]["value"]
    assert new["coverage"]["value"] > 0.7 > old["coverage"]["value"]
    assert new["modes"]["value"] == 10 > old["modes"]["value"]
