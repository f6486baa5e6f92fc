"""PixelCNN: a likelihood that sums to one, no leak from what is later, images that are a function of their numbers."""

from __future__ import annotations

import itertools
import math
import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from ganvas.data.batch import Batch
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError
from ganvas.losses.autoregressive import LogisticMixture
from ganvas.methods.autoregressive.pixelcnn import GatedPixelCNN
from ganvas.registry import create
from ganvas.sampling import sample
from parts import images, small, trainer_for

OUTPUTS = pytest.mark.parametrize("output", ["binary", "categorical", "logistic_mixture"])


def built(shape: tuple[int, int, int], **settings) -> GatedPixelCNN:
    """Untrained, but with opinions: an output layer of weights that are not small."""
    method = small("pixelcnn", **settings)
    assert isinstance(method, GatedPixelCNN)
    torch.manual_seed(3)
    method.build(DataSpec("none", *shape, 10, classes=("a", "b", "c"), class_counts=(4, 4, 2)))
    method.network.out.weight.data.normal_()
    return method.eval().requires_grad_(False)


def all_images(shape: tuple[int, int, int], levels: int) -> torch.Tensor:
    codes = torch.tensor(list(itertools.product(range(levels), repeat=math.prod(shape))))
    return (codes * (2 / (levels - 1)) - 1).view(-1, *shape)


@OUTPUTS
@pytest.mark.parametrize(("shape", "levels"), [((1, 2, 2), 2), ((2, 1, 2), 2), ((1, 2, 2), 3), ((3, 1, 1), 4)], ids=str)
def test_all_images_together_have_probability_one(output: str, shape: tuple[int, int, int], levels: int) -> None:
    levels = 2 if output == "binary" else levels
    method = built(shape, output=output, levels=levels)
    every = all_images(shape, levels)
    assert len(every) == levels ** math.prod(shape)
    chances = method.log_likelihood(every).double().exp()
    assert chances.sum().item() == pytest.approx(1, abs=1e-5)
    assert chances.max() > 1.05 * chances.min(), "and they are not all alike"


@OUTPUTS
def test_of_each_class_too(output: str) -> None:
    method = built((1, 2, 2), output=output, levels=2, conditional=True)
    method.network.layers[0].classes.weight.normal_()  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    every = all_images((1, 2, 2), 2)
    chances = [method.log_likelihood(every, torch.full((16,), label)).exp() for label in range(3)]
    assert all(one.sum().item() == pytest.approx(1, abs=1e-5) for one in chances)
    assert (chances[0] - chances[1]).abs().max() > 0.01


@OUTPUTS
@pytest.mark.parametrize("place", [(0, 0, 0), (1, 1, 2), (0, 2, 3), (1, 3, 0)], ids=str)
def test_the_chance_of_a_value_does_not_change_with_later_ones(output: str, place: tuple[int, int, int]) -> None:
    """P(x_place <= k | earlier), by a pass over the whole image: the same to the last bit whatever comes later."""
    c, i, j = place
    method = built((2, 4, 4), output=output, levels=4)
    levels = method.distribution.levels
    codes = torch.randint(levels, (1, 2, 4, 4), generator=torch.Generator().manual_seed(0))
    conditional = []
    for seed in range(3):  # other later values each time
        later = torch.randint(levels, codes.shape, generator=torch.Generator().manual_seed(seed))
        mixed = codes.where(earlier(codes.shape, c, i, j), later)
        conditional.append(cumulative(method, mixed, c, i, j))
    assert torch.equal(conditional[0], conditional[1]) and torch.equal(conditional[0], conditional[2])
    if place != (0, 0, 0):
        other = (levels - 1 - codes).where(earlier(codes.shape, c, i, j), codes)
        assert not torch.equal(cumulative(method, other, c, i, j), conditional[0]), "earlier ones do matter"


def earlier(shape: torch.Size, c: int, i: int, j: int) -> torch.Tensor:
    """True where a value comes before channel c of pixel (i, j)."""
    C, W = shape[1], shape[3]
    order = torch.arange(shape[2] * W * C).view(shape[2], W, C).permute(2, 0, 1)[None]
    return order < (i * W + j) * C + c


def cumulative(method: GatedPixelCNN, codes: torch.Tensor, c: int, i: int, j: int) -> torch.Tensor:
    """The cumulative distribution of one value, from a pass over the whole image."""
    values = codes * (2 / (method.distribution.levels - 1)) - 1
    raw = method.network(values)[:, :, i, j]
    groups = method.distribution.groups
    return method.distribution.cumulative(raw.chunk(groups, 1)[c if groups > 1 else 0], values[:, :c, i, j])


@OUTPUTS
@pytest.mark.parametrize("shape", [(1, 7, 6), (3, 4, 5), (2, 1, 3)], ids=str)
@pytest.mark.parametrize("conditional", [False, True])
def test_the_cache_draws_what_full_passes_draw(
    output: str, shape: tuple[int, int, int], conditional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[3] / "benchmarks"))
    from pixelcnn_sampling import plain

    method = built(shape, output=output, levels=16, conditional=conditional)
    latents, labels = method.latents(range(8)), method.labels(range(8))
    made = method.generate(latents, labels)
    assert torch.equal(made, plain(method, latents, labels)[0])
    assert made.unique().numel() >= min(method.distribution.levels, 9), "and they are not all alike"
    sys.modules.pop("pixelcnn_sampling")


def test_images_follow_the_likelihood() -> None:
    """Of 6,000 images of 2 x 2, each of the 16 comes up as often as its probability says, within 4.5 deviations."""
    method = built((1, 2, 2), output="binary")
    made = method.generate(method.latents(range(6000)))
    number = ((made > 0).flatten(1) * torch.tensor([8, 4, 2, 1])).sum(1)
    share = torch.bincount(number, minlength=16) / 6000
    chance = method.log_likelihood(all_images((1, 2, 2), 2)).exp()
    assert ((share - chance).abs() < 4.5 * (chance * (1 - chance) / 6000).sqrt()).all()


def test_a_later_number_of_the_latent_changes_no_earlier_pixel() -> None:
    method = built((1, 5, 5), output="binary")
    latents = method.latents(range(4))
    other = latents.clone()
    other[:, 12:] = 1 - other[:, 12:]  # from pixel (2, 2) on
    one, two = method.generate(latents).flatten(1), method.generate(other).flatten(1)
    assert torch.equal(one[:, :12], two[:, :12]) and not torch.equal(one[:, 12:], two[:, 12:])


def test_the_log_speaks_nats_and_bits() -> None:
    """An output layer of zeros: every level alike, log 4 nats or 2 bits a value."""
    method = built((2, 3, 3), levels=4)
    method.network.out.weight.zero_()
    report = method.likelihood_loss(Batch(torch.rand(5, 2, 3, 3) * 2 - 1))
    assert report["nats"].item() == pytest.approx(18 * math.log(4), rel=1e-6)
    assert report["loss"].item() == pytest.approx(math.log(4), rel=1e-6)
    assert report["bits_per_dim"].item() == pytest.approx(2, rel=1e-6)
    assert_close(method.log_likelihood(torch.zeros(3, 2, 3, 3)), torch.full((3,), -18 * math.log(4)))


def test_binarised_by_a_threshold_or_by_chance() -> None:
    grey = torch.full((400, 1, 4, 4), 0.5)  # three quarters of the way to white
    fixed, drawn = built((1, 4, 4), output="binary"), built((1, 4, 4), output="binary", binarise="stochastic")
    assert fixed.levels_of(grey, None).all() and not fixed.draws_levels
    batch = Batch(grey, generator=torch.Generator().manual_seed(0))
    assert drawn.levels_of(grey, batch.uniform(1, 4, 4)).float().mean().item() == pytest.approx(0.75, abs=0.025)
    black_and_white = torch.rand(50, 1, 4, 4).round() * 2 - 1
    assert_close(drawn.log_likelihood(black_and_white), fixed.log_likelihood(black_and_white))


def test_an_image_is_binarised_alike_wherever_it_stands() -> None:
    method = built((1, 6, 6), output="binary", binarise="stochastic")
    many = torch.rand(9, 1, 6, 6, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = method.log_likelihood(many)
    assert_close(method.log_likelihood(many[4:7].flip(0)), found[4:7].flip(0))
    assert not torch.equal(built((1, 6, 6), output="binary").log_likelihood(many), found), "the threshold gives others"


def test_dropout_takes_part_in_training_only() -> None:
    trainer = trainer_for(small("pixelcnn", dropout=0.5))
    method = trainer.method
    assert isinstance(method, GatedPixelCNN)
    batch = trainer.feed.next()
    first, second = method.likelihood_loss(batch)["nats"], method.likelihood_loss(batch)["nats"]
    assert first != second, "other features each time"
    assert_close(method.log_likelihood(batch.real), method.log_likelihood(batch.real))


def test_the_mixture_begins_with_its_components_side_by_side() -> None:
    method = create("pixelcnn", "tiny", {"output": "logistic_mixture", "mixtures": 3})
    assert isinstance(method, GatedPixelCNN)
    method.build(images((3, 32, 32)).spec)
    assert isinstance(method.distribution, LogisticMixture) and method.distribution.outputs == 3 * (1 + 2 * 3 + 3)
    assert torch.equal(method.network.out.bias.data, method.distribution.bias())  # pyright: ignore[reportOptionalMemberAccess]


def test_a_class_can_be_asked_for() -> None:
    method = built((1, 5, 5), conditional=True)
    method.spec = images().spec
    assert not torch.equal(sample(method, 3, label=0), sample(method, 3, label=1))
    with pytest.raises(DataError, match="pixelcnn learns by class here, and none has no labels"):
        small("pixelcnn", conditional=True).build(DataSpec("none", 1, 5, 5, 10))


@OUTPUTS
def test_it_learns_what_pixels_say_of_each_other(output: str) -> None:
    """Stripes of one random level a column: after the first row everything is known, 8 bits of 64."""
    torch.manual_seed(0)
    method = small("pixelcnn", output=output, levels=2, width=8, lr=0.02)
    assert isinstance(method, GatedPixelCNN)
    method.build(DataSpec("stripes", 1, 8, 8, 10))
    generator, optimizer = torch.Generator().manual_seed(0), method.optimizers()["network"]

    def stripes(n: int) -> torch.Tensor:
        row = torch.randint(2, (n, 1, 1, 8), generator=generator)
        return (row * 2.0 - 1).expand(n, 1, 8, 8)

    for _ in range(120):
        optimizer.zero_grad()
        method.likelihood_loss(Batch(stripes(16)))["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        bits = -method.log_likelihood(stripes(200)).mean() / math.log(2)
    assert 8 - 0.3 < bits < 10
