"""What a translation scores: facts worked by hand, and methods whose figures are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganvas.abilities import Translates
from ganvas.data import open_data
from ganvas.errors import DataError
from ganvas.figure import primary_figure
from ganvas.metrics import measure_translation
from ganvas.metrics.restoration import psnr_each
from ganvas.metrics.translation import absolute_errors
from parts import images, train_small


class Copies(Translates):
    """Gives back what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(()))

    def directions(self) -> tuple[str, ...]:
        return ("ab", "ba")

    def multiple(self) -> int:
        return 1

    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        return images


class Perfect(Copies):
    """Partners of the noise are its mirrored negatives."""

    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        return -images.flip(3)


def test_errors_by_hand() -> None:
    """51 levels of 255 off everywhere: 0.4 of values in [-1, 1], 20 log10(5) = 13.979 dB; bytes must not wrap around."""
    wanted = np.full((2, 4, 4, 3), 30, np.uint8)
    made = wanted.copy()
    made[1] = 81
    assert absolute_errors(made, wanted).tolist() == pytest.approx([0, 0.4])
    assert absolute_errors(wanted, made).tolist() == pytest.approx([0, 0.4])
    assert psnr_each(made, wanted).tolist() == pytest.approx([100, 13.9794], abs=1e-4)


def test_copying_scores_what_stands_beside_it() -> None:
    found = measure_translation(Copies(), images((3, 32, 32)))
    names = [name.split("[")[0] for name in found]
    assert names[:4] == ["L1", "PSNR", "FD", "KD"] and len(names) == 8 and list(found)[4] == "L1 ba"
    assert all(entry.value == entry.input and entry.n == 4 for entry in found.values())
    assert found["L1"].value == found["L1 ba"].value > 0.1


def test_the_true_partners_score_the_floor() -> None:
    for direction in ("", " ba"):
        found = measure_translation(Perfect(), images((3, 32, 32)))
        fd = next(name for name in found if name.startswith("FD") and name.endswith("]" + direction))
        assert found["L1" + direction].value < 1e-6 and found["PSNR" + direction].value == 100
        assert found[fd].value == pytest.approx(found[fd].reference) and found[fd].input != found[fd].value


def test_the_primary_figure_is_l1_of_the_first_direction() -> None:
    found = measure_translation(Copies(), images((3, 32, 32)))
    assert [name for name, figure in found.items() if figure.primary] == ["L1"] and primary_figure(found) == "L1"


def test_at_most_so_many() -> None:
    assert measure_translation(Copies(), images((3, 32, 32)), samples=3)["L1"].n == 3


def test_two_heaps_have_no_true_partners(tmp_path: Path) -> None:
    noise = images((3, 32, 32))
    assert noise.partners is not None
    for name, side in (("a", noise.images), ("b", noise.partners)):
        np.savez(tmp_path / f"{name}.npz", images=side)
    apart = open_data(tmp_path / "a.npz", partner=str(tmp_path / "b.npz"), unpaired=True)
    found = measure_translation(Copies(), apart)
    assert not [name for name in found if name.startswith(("L1", "PSNR"))]
    assert [name.partition("[")[0] for name, figure in found.items() if figure.primary] == ["FD"]
    with pytest.raises(DataError, match=r"no test split with two images of each kind.*raise data\.holdout"):
        measure_translation(
            Copies(), open_data(tmp_path / "a.npz", partner=str(tmp_path / "b.npz"), unpaired=True, holdout=0)
        )


def test_a_training_is_measured_and_keeps_its_best(tmp_path: Path) -> None:
    run = train_small("pix2pix", tmp_path / "run", 4, evaluate_every=2, samples=100)
    metrics = run.metrics["metrics"]
    assert {"L1", "PSNR"} < set(metrics) and metrics["L1"]["input"] > 0
    best = json.loads((run.folder / "best" / "metrics.json").read_text())
    assert best["step"] in (2, 4) and set(best["metrics"]) == set(metrics)
    errors = {row["step"]: row["metrics"]["L1"]["value"] for row in run.log() if row.get("event") == "evaluated"}
    assert best["step"] == min(errors, key=lambda step: (errors[step], step)), (
        "by L1, whatever the Fréchet distance says"
    )
    assert run.load_method(best=True).name == "pix2pix"
