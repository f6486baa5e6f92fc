"""What restoring scores beside the images as they were given: worked by hand, and what `best` goes by."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import ganvas
from ganvas.abilities import Degraded, Restoration, Restores
from ganvas.data import Dataset, open_data
from ganvas.data.batch import Batch
from ganvas.errors import DataError
from ganvas.figure import primary_figure, read_figures
from ganvas.method import Method
from ganvas.metrics import measure_restoration
from ganvas.metrics.method_metrics import unmeasured
from ganvas.networks.features.mobilenet import has_mobilenet_weights
from parts import small

LEVEL = 2 / 255


class Brighter(Method, Restores):
    """Images come 8 levels too bright and go back 4 too bright; in the hole of two rows, where there is one."""

    name = "brighter"

    def __init__(self, degradation: str = "noise", invents: bool = False) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.zeros(1))
        self.told = Restoration(degradation, invents=invents)

    def restoration(self) -> Restoration:
        return self.told

    def degrade(self, batch: Batch) -> Degraded:
        mask = None
        if self.told.degradation == "holes":
            mask = torch.zeros(len(batch), 1, *batch.real.shape[2:])
            mask[:, :, :2] = 1
        more = 8 * LEVEL * (1 if mask is None else mask)
        return Degraded(batch.real + more, batch.real, batch.real + more, mask)

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        return degraded - 4 * LEVEL * (1 if mask is None else mask)


def dark(tmp_path: Path, channels: int = 3, side: int = 16) -> Dataset:
    images = np.random.default_rng(0).integers(20, 200, (40, side, side, channels), np.uint8)
    np.savez(tmp_path / "dark.npz", images=images)
    return open_data(tmp_path / "dark.npz", cache=tmp_path / "cache", holdout=0.25)


def decibels(levels: float) -> float:
    return 20 * math.log10(255 / levels)


def test_worked_by_hand(tmp_path: Path) -> None:
    found = measure_restoration(Brighter(), dark(tmp_path))
    assert list(found) == ["PSNR[Y]", "PSNR[RGB]", "SSIM[Y]", "SSIM[RGB]"]
    entry = found["PSNR[RGB]"]
    assert entry.value == pytest.approx(decibels(4)) and entry.input == pytest.approx(decibels(8))
    assert entry.n == 10 and entry.better == "higher" and entry.input_is == "as it came"
    assert found["PSNR[Y]"].value == pytest.approx(decibels(4 * 219 / 255)), "Y has 219 levels"
    assert [name for name, figure in found.items() if figure.primary] == ["PSNR[Y]"]
    assert 0.9 < found["SSIM[RGB]"].input < found["SSIM[RGB]"].value < 1  # pyright: ignore[reportOperatorIssue, reportOptionalOperand]


def test_holes_are_judged_by_what_was_missing(tmp_path: Path) -> None:
    found = measure_restoration(Brighter("holes"), dark(tmp_path))
    assert found["PSNR[RGB]"].value == pytest.approx(decibels(4)), "the rows that came whole do not dilute it"
    assert "in the hole alone" in found["PSNR[RGB]"].help


def test_grey_images_and_images_too_small_for_ssim(tmp_path: Path) -> None:
    assert list(measure_restoration(Brighter(), dark(tmp_path, channels=1))) == ["PSNR", "SSIM"]
    assert list(measure_restoration(Brighter(), dark(tmp_path, side=10))) == ["PSNR[Y]", "PSNR[RGB]"]


@pytest.mark.skipif(not has_mobilenet_weights(), reason="MobileNetV2's weights are not on this machine")
def test_what_shall_look_right_is_judged_by_features_first(tmp_path: Path) -> None:
    found = measure_restoration(Brighter(invents=True), dark(tmp_path, side=32))
    first = primary_figure(found)
    assert first is not None and first == next(iter(found))
    assert first == "PD[mobilenet_v2]" and found[first].better == "lower"
    assert 0 < found[first].value < found[first].input  # pyright: ignore[reportOperatorIssue]


def test_without_held_out_images_nothing_is_measured(tmp_path: Path) -> None:
    images = np.zeros((40, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "all.npz", images=images)
    data = open_data(tmp_path / "all.npz", cache=tmp_path / "cache", holdout=0)
    with pytest.raises(DataError, match="no test split to degrade and restore"):
        measure_restoration(Brighter(), data)


@pytest.mark.parametrize("name", ["srresnet", "denoise", "inpaint", "srgan"])
def test_a_run_has_figures_and_keeps_its_best(name: str, tmp_path: Path) -> None:
    assert not unmeasured(name)
    data = dark(tmp_path, side=24)
    run = ganvas.train(small(name), data, out=tmp_path / "run", steps=4, evaluate_every=2, device="cpu")
    rows = [row["metrics"] for row in run.log() if row.get("metrics")]
    assert len(rows) == 2
    best = json.loads((run.folder / "best" / "metrics.json").read_text())
    first = primary_figure(read_figures(rows[0]))
    assert first is not None and first == next(iter(rows[0]))
    values = [row[first]["value"] for row in rows]
    wanted = min(values) if rows[0][first]["better"] == "lower" else max(values)
    assert best["metrics"][first]["value"] == wanted
    assert (run.folder / "best" / "weights.safetensors").exists()
