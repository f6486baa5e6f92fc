"""fast_style and adain: what they take, what a run of theirs needs, and that they learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import ganvas
from ganvas.data import write_png
from ganvas.data.batch import Batch
from ganvas.data.mosaic import mosaic
from ganvas.data.styles import StyleBank
from ganvas.errors import DataError, GanvasError, RunError, UsageError
from ganvas.losses.style import moments
from ganvas.networks.features.extractor import open_network
from ganvas.registry import create
from parts import images, small, train_small, trainer_for

NAMES = ["fast_style", "adain"]


@pytest.mark.parametrize(("name", "key"), [("fast_style", "generator/loss"), ("adain", "decoder/loss")])
def test_a_short_training_lowers_the_loss(name: str, key: str) -> None:
    """By a quarter at least in 40 steps; without a gradient through the feature network it stays where it was."""
    trainer = trainer_for(small(name, lr=5e-3, batch_size=4), images((3, 32, 32)))
    losses = []
    for _ in range(40):
        trainer.step()
        losses.append(trainer.numbers()[key])
    assert np.mean(losses[-4:]) < 0.75 * np.mean(losses[:2]), losses


@pytest.mark.parametrize("name", NAMES)
def test_the_adversarial_term_trains_both(name: str) -> None:
    trainer = trainer_for(small(name, adversarial=0.1), images((3, 32, 32)))
    before = {key: value.clone() for key, value in trainer.method.named_parameters()}
    trainer.step()
    moved = {
        key.split(".")[0] for key, value in trainer.method.named_parameters() if not torch.equal(value, before[key])
    }
    assert moved == {"G", "D"} and set(trainer.reports) > {"discriminator"}


def test_fast_style_keeps_the_feature_network_out_of_its_weights(tmp_path: Path) -> None:
    run = train_small("fast_style", tmp_path / "run", 2, images((3, 32, 32)))
    names = {key.split(".")[1] for key in run.read_weights()}
    assert names == {"G", "origin"}
    assert int(run.read_weights()["method.origin"].sum()) > 0


def test_fast_style_refuses_to_go_on_with_another_painting(tmp_path: Path) -> None:
    place = tmp_path / "painting.png"
    write_png(place, mosaic(48))
    train_small(small("fast_style", style=str(place)), tmp_path / "run", 2, images((3, 32, 32)))
    write_png(place, mosaic(48, seed=1))
    with pytest.raises(RunError, match="began with another painting"):
        ganvas.train(resume=tmp_path / "run", steps=3)
    assert ganvas.load(tmp_path / "run").method.name == "fast_style"  # using it needs no painting at all


def test_adain_moves_the_moments() -> None:
    method = trainer_for(small("adain"), images((3, 32, 32))).method
    features = torch.randn(2, 5, 6, 6)
    wanted = torch.randn(2, 5), torch.rand(2, 5) + 0.5
    mean, deviation = moments(method.with_moments(features, wanted))  # pyright: ignore
    assert_close(mean, wanted[0], atol=1e-4, rtol=1e-4)
    assert_close(deviation, wanted[1], atol=1e-3, rtol=1e-3)


def test_adain_mixes_the_target_features_of_several_styles() -> None:
    """Huang 2017, eq. 15, which is not the mean of two images; a share of 1 is that style alone."""
    method = trainer_for(small("adain"), images((3, 32, 32))).method
    content, one, other = (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    other = other[..., :24] ** 4  # styles may differ in size
    alone = method.stylise(content, one)  # pyright: ignore
    assert_close(method.stylise_mixed(content, [one, other], [1.0, 0.0]), alone)  # pyright: ignore
    mixed = method.stylise_mixed(content, [one, other], [0.25, 0.75])  # pyright: ignore
    seen = []
    method.G.register_forward_pre_hook(lambda _, given: seen.append(given[0]))  # pyright: ignore
    both = [method.stylise(content, style) for style in (one, other)]  # pyright: ignore
    assert_close(mixed, method.G(0.25 * seen[0] + 0.75 * seen[1]).clamp(-1, 1))  # pyright: ignore
    assert (mixed - (0.25 * both[0] + 0.75 * both[1])).abs().max() > 1e-3
    with pytest.raises(UsageError, match="fast_style takes one style at a time"):
        trainer_for(small("fast_style"), images((3, 32, 32))).method.stylise_mixed(content, [one, other], [0.5, 0.5])  # pyright: ignore


def test_adain_brings_its_encoder_along(tmp_path: Path) -> None:
    run = train_small("adain", tmp_path / "run", 2, images((3, 32, 32)))
    stored = run.read_weights()
    assert any(key.startswith("method.E.") for key in stored) and not any(
        key.startswith("average.E.") for key in stored
    )
    x = torch.rand(1, 3, 32, 32)
    assert_close(
        run.method.E(x, ["conv1"])["conv1"],
        trainer_for(small("adain"), images((3, 32, 32))).method.E(x, ["conv1"])["conv1"],
    )  # pyright: ignore


def test_adain_goes_on_without_its_encoders_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run holds the encoder; a new training asks for the file, which is away here."""
    train_small("adain", tmp_path / "run", 2, images((3, 32, 32)))

    def away(*_: object, **__: object) -> None:
        raise GanvasError("the weights are missing")

    monkeypatch.setattr("ganvas.methods.style.adain.open_network", away)
    run = ganvas.train(resume=tmp_path / "run", steps=3)
    assert_close(
        run.method.E(torch.ones(1, 3, 8, 8), ["conv1"]), open_network("digits")(torch.ones(1, 3, 8, 8), ["conv1"])
    )  # pyright: ignore
    with pytest.raises(GanvasError, match="the weights are missing"):
        trainer_for(small("adain"), images((3, 32, 32)))


def test_pieces_are_cut_from_all_over_each_style() -> None:
    """Styles whose pixels tell style, row and column: every piece is one of a piece, and every place comes up."""
    sizes = [(5, 7), (4, 4)]
    styles = []
    for k, size in enumerate(sizes):
        rows, columns = torch.meshgrid(*map(torch.arange, size), indexing="ij")
        styles.append(torch.stack([torch.full(size, k), rows, columns]).float())
    batch = Batch(torch.zeros(2000, 3, 4, 3), generator=torch.Generator().manual_seed(0))
    cut = StyleBank(styles, torch.device("cpu")).crops(batch, (4, 3))
    assert cut.shape == (2000, 3, 4, 3)
    assert torch.equal(cut[:, 0], cut[:, 0, :1, :1].expand(-1, 4, 3))
    assert torch.equal(cut[:, 1] - cut[:, 1, :1, :1], torch.arange(4.0).view(1, 4, 1).expand(2000, 4, 3))
    assert torch.equal(cut[:, 2] - cut[:, 2, :1, :1], torch.arange(3.0).expand(2000, 4, 3))
    places = {tuple(int(number) for number in piece[:, 0, 0]) for piece in cut}
    wanted = {(k, row, column) for k, (h, w) in enumerate(sizes) for row in range(h - 3) for column in range(w - 2)}
    assert places == wanted


def test_mistakes_are_told() -> None:
    with pytest.raises(UsageError, match="style_size is for the images that style names"):
        trainer_for(small("adain", style_size=64), images((3, 32, 32)))
    with pytest.raises(UsageError, match="no feature network vgg61"):
        trainer_for(small("fast_style", network="vgg61"), images((3, 32, 32)))
    with pytest.raises(DataError, match=r"there is no style image at nowhere\.png"):
        trainer_for(small("fast_style", style="nowhere.png"), images((3, 32, 32)))
    write_png("dot.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(DataError, match=r"dot\.png has 1 x 1 pixels"):
        trainer_for(small("adain", style="dot.png"), images((3, 32, 32)))
    with pytest.raises(UsageError, match="kernel must be odd"):
        trainer_for(small("fast_style", kernel=4), images((3, 32, 32)))
    method = trainer_for(small("adain"), images((3, 32, 32))).method
    with pytest.raises(UsageError, match="name one by --style"):
        method.stylise(torch.zeros(1, 3, 8, 8))  # pyright: ignore
    assert create("adain").settings()["network"] == "mobilenet_v2"
