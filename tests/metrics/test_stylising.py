"""What a run of a method that stylises scores on held-out photos, beside the photos themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import ganvas
from ganvas.data import open_data, write_png
from ganvas.data.batch import Batch
from ganvas.data.mosaic import mosaic
from ganvas.errors import DataError, RunError
from ganvas.metrics import measure_stylising
from parts import image_file, images, small, train_small, trainer_for

NAMES = ["fast_style", "adain"]


@pytest.mark.parametrize("name", NAMES)
def test_photos_themselves_lack_no_content_and_much_of_the_style(name: str) -> None:
    method = trainer_for(small(name), images((3, 32, 32))).method
    photos = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    batch = Batch(photos, generator=torch.Generator().manual_seed(0))
    style = method.styles_of(batch)  # pyright: ignore[reportCallIssue]
    lacks: dict[str, Tensor] = method.style_losses(photos, photos, style)  # pyright: ignore[reportCallIssue]
    assert all(value.shape == (3,) for value in lacks.values())
    assert float(lacks["content"].abs().max()) < 1e-6 and float(lacks["style"].min()) > 0.005
    weight = {"fast_style": "beta", "adain": "style_weight"}[name]
    assert torch.allclose(lacks["loss"], getattr(method, weight) * lacks["style"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_training_brings_style_that_the_photos_lack(name: str, tmp_path: Path) -> None:
    """After 60 steps the held-out paintings lack less of it than at the start; the photos' own figure stays."""
    data = images((3, 32, 32))
    run = train_small(small(name, lr=5e-3, batch_size=4, ema=0.0, style="mosaic"), tmp_path / "run", 60, data)
    found = measure_stylising(run.load_method(), data)  # pyright: ignore[reportArgumentType]
    begun = trainer_for(small(name, style="mosaic"), data).method
    before = measure_stylising(begun, data)  # pyright: ignore[reportArgumentType]
    assert set(found) == {"stylised loss", "stylised style", "stylised content"}
    assert found["stylised loss"].value < 0.8 * before["stylised loss"].value
    assert found["stylised style"].input == pytest.approx(before["stylised style"].input, rel=1e-4)
    assert found["stylised content"].input == pytest.approx(0, abs=1e-6)


def test_another_painting_is_not_measured_by(tmp_path: Path) -> None:
    place = tmp_path / "painting.png"
    write_png(place, mosaic(48))
    train_small(small("fast_style", style=str(place)), tmp_path / "run", 2, images((3, 32, 32)))
    write_png(place, mosaic(48, seed=1))
    with pytest.raises(RunError, match="began with another painting"):
        measure_stylising(ganvas.load(tmp_path / "run").load_method(), images((3, 32, 32)))  # pyright: ignore[reportArgumentType]


def test_it_needs_held_out_photos() -> None:
    data = open_data(image_file((3, 32, 32)), holdout=0.0)
    with pytest.raises(DataError, match="no test split to stylise"):
        measure_stylising(small("adain"), data)  # pyright: ignore[reportArgumentType]
