"""VQ-VAE: its loss by hand, codes that move in `after` only and alike on all ranks, and a short training that must learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.abilities import Encodes, Samples, Tokenizes
from ganvas.data import open_data
from ganvas.data.batch import Batch, as_image_tensor
from ganvas.data.spec import DataSpec
from ganvas.errors import UsageError
from ganvas.methods.autoencoder.vq_vae import VQVAE
from ganvas.metrics import measure_reconstruction
from ganvas.networks.vq import Codebook
from ganvas.registry import create
from parts import images, small, trainer_for

KINDS = [
    {"quantiser": "ema"},
    {"quantiser": "gradient"},
    {"quantiser": "fsq"},
    {"levels": 2},
    {"levels": 2, "quantiser": "fsq"},
]
all_kinds = pytest.mark.parametrize("settings", KINDS, ids=str)


def built(**settings: object) -> VQVAE:
    method = small("vq_vae", **settings)
    assert isinstance(method, VQVAE)
    torch.manual_seed(0)
    method.build(images().spec)
    return method


def batch_of(n: int = 4, rank: int = 0, ranks: int = 1) -> Batch:
    x = as_image_tensor(images().images[rank * n : (rank + 1) * n])
    return Batch(x, generator=torch.Generator().manual_seed(0), rank=rank, ranks=ranks)


def test_abilities() -> None:
    assert issubclass(VQVAE, Tokenizes) and not issubclass(VQVAE, Encodes) and not issubclass(VQVAE, Samples)


@pytest.mark.parametrize("quantiser", ["ema", "gradient", "fsq"])
def test_the_loss_is_the_sum_of_its_terms(quantiser: str) -> None:
    """Eq. 3: |x - made|^2 over the data's variance, + beta |z - sg e|^2, and + |sg z - e|^2 where the gradient moves codes."""
    method, batch = built(quantiser=quantiser, beta=0.5), batch_of()
    level = method.chosen(batch.real)[0]
    made = method.G([level.passed])
    error = (made - batch.real).square().mean()
    apart = (level.z - level.vectors).square().mean()
    weight = {"ema": 0.5, "gradient": 1.5, "fsq": 0.0}[quantiser]
    assert_close(method.loss(batch)["loss"], error / (images().spec.total_variance / 784) + weight * apart)


def test_codes_of_moving_averages_have_no_gradient_and_others_have() -> None:
    for quantiser, trained in (("ema", False), ("gradient", True)):
        method = built(quantiser=quantiser)
        assert any(name.startswith("Q.") for name, _ in method.named_parameters()) is trained
        method.loss(batch_of())["loss"].backward()
        encoder = [p.grad for p in method.E.parameters()]
        assert all(g is not None and bool(g.abs().sum() > 0) for g in encoder), "the choice lets the gradient through"
    assert method.Q[0].vectors.grad is not None and bool(method.Q[0].vectors.grad.abs().sum() > 0)  # pyright: ignore


# --- the first step, and those after ----------------------------------------------------------------------------------------


def distance(method: VQVAE, x: Tensor) -> float:
    """Mean squared distance from encoder outputs to their codes."""
    with torch.no_grad():
        level = method.chosen(x)[0]
    return float((level.z - level.vectors).square().mean())


def test_codes_start_by_k_means_once() -> None:
    trainer = trainer_for(small("vq_vae", lr=0.0))
    method = trainer.method
    assert isinstance(method, VQVAE)
    x = as_image_tensor(images().images)
    before = distance(method, x)
    trainer.step()
    assert distance(method, x) < before / 3
    book = method.quantisers()[0]
    assert isinstance(book, Codebook) and torch.equal(book.share, torch.full((8,), 1 / 8))
    started = book.vectors.clone()
    trainer.step()
    assert not torch.equal(book.vectors, started) and float((book.vectors - started).abs().max()) < 0.3
    assert float(book.share.sum()) == pytest.approx(1, abs=1e-5)


@all_kinds
def test_use_is_logged(settings: dict[str, object]) -> None:
    trainer = trainer_for(small("vq_vae", **settings))
    for _ in range(2):
        trainer.step()
    numbers = trainer.numbers()
    for name in ("_coarse", "_fine") if settings.get("levels") == 2 else ("",):
        assert 1 <= numbers[f"autoencoder/perplexity{name}"] <= 9
        assert 0 < numbers[f"autoencoder/used{name}"] <= 1
        assert ("autoencoder/commitment" + name in numbers) is (settings.get("quantiser") != "fsq")


@pytest.mark.parametrize("levels", [1, 2])
def test_means_over_ranks_hold_what_one_process_sees(levels: int) -> None:
    """Shares, sums and the pool of two half batches, averaged, are those of the whole batch: so all ranks move alike."""
    method = built(levels=levels)
    (update,) = method.updates()
    one = method.loss(batch_of(8))
    halves = [method.loss(batch_of(4, rank, 2)) for rank in (0, 1)]
    for key in update.means:
        assert_close((halves[0][key] + halves[1][key]) / 2, one[key], rtol=1e-5, atol=1e-6)
    assert {key.split("_")[0] for key in update.means} == {"shares", "sums", "points"}


# --- codes and images -----------------------------------------------------------------------------------------------------


@all_kinds
def test_decoding_codes_is_what_the_training_saw(settings: dict[str, object]) -> None:
    method, x = built(**settings), batch_of().real
    with torch.no_grad():
        passed = method.G([level.passed for level in method.chosen(x)]).clamp(-1, 1)
        assert_close(method.from_codes(method.to_codes(x)), passed, rtol=1e-4, atol=1e-5)


def test_two_levels() -> None:
    """A coarse grid of half the size first; both matter to the image, and fine codes depend on the coarse ones."""
    method = built(levels=2)
    grids = method.grids()
    assert [(grid.name, grid.height, grid.width) for grid in grids] == [("coarse", 4, 4), ("fine", 7, 7)]
    with torch.no_grad():
        codes = method.to_codes(batch_of().real)
        assert codes.shape == (4, 65)
        made = method.from_codes(codes)
        for place in (0, 15, 16, 64):
            other = codes.clone()
            other[:, place] = (other[:, place] + 1) % 8
            assert not torch.equal(method.from_codes(other), made), place
        torch.nn.init.normal_(method.G.coarse[0].weight, 0, 3)  # pyright: ignore
        assert not torch.equal(method.to_codes(batch_of().real)[:, 16:], codes[:, 16:])


def test_mistakes_are_told() -> None:
    spec = DataSpec("few", 1, 7, 9, 10)
    with pytest.raises(UsageError, match=r"downsamplings=3 leaves nothing of images of 7x9"):
        create("vq_vae", "tiny", {"downsamplings": 3}).build(spec)
    for levels in ("1-5", "256-256-2"):
        with pytest.raises(UsageError, match="fsq_levels must be 2 or more each, and 65536 codes together at most"):
            create("vq_vae", "tiny", {"quantiser": "fsq", "fsq_levels": levels}).build(spec)


# --- learning ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quantiser", "steps"), [("ema", 120), ("fsq", 100)])
def test_a_short_training_paints_digits_again(quantiser: str, steps: int) -> None:
    """Digits of 14 x 14. The mean of the training images has 13.4 dB on held-out ones, an untrained network less."""
    data = open_data("digits", size=14)
    held = data.part("test")
    assert held is not None
    mean = np.array(data.images, np.float32).mean(0) / 255
    errors = np.square(np.array(held.images, np.float32) / 255 - mean).mean((1, 2, 3))
    flat = float((-10 * np.log10(errors)).mean())
    settings = {
        "downsamplings": 1,
        "width": 16,
        "blocks": 1,
        "size": 32,
        "length": 8,
        "batch_size": 32,
        "lr": 4e-3,
        "warmup": 10,
    }
    trainer = trainer_for(small("vq_vae", quantiser=quantiser, fsq_levels="4-3-3", ema=0.9, **settings), data, steps)
    while trainer.progress < 1:
        trainer.step()
    found = measure_reconstruction(trainer.average.method.eval(), data)  # pyright: ignore
    assert found["PSNR"].value > flat + 3 and found["PSNR"].n == len(held)
    assert found["codes_used"].value > 0.5 and found["perplexity"].value > 4
