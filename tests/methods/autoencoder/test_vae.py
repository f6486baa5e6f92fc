"""The VAE's bound by hand, what moves it, and that it is a bound."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ganvas.abilities import Encodes, HasLikelihood, Samples
from ganvas.data import open_data
from ganvas.data.batch import Batch
from ganvas.data.spec import DataSpec
from ganvas.errors import UsageError
from ganvas.methods.autoencoder.vae import VAE
from ganvas.metrics import measure_likelihood
from ganvas.registry import create
from parts import images, small, trainer_for

HALF = 784 * math.log(2)  # nats of 28 x 28 coins


class Guess(nn.Module):
    """q(z | x) = N(mu, exp(logvar)) for each number, whatever x is."""

    def __init__(self, mu: float, logvar: float = 0.0) -> None:
        super().__init__()
        self.mu, self.logvar = nn.Parameter(torch.tensor(mu)), logvar

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mu = self.mu.expand(len(x), 8)
        return mu, torch.full_like(mu, self.logvar)


class Says(nn.Module):
    """The same numbers (P,) of every pixel, whatever z is."""

    def __init__(self, *numbers: float) -> None:
        super().__init__()
        self.numbers = nn.Parameter(torch.tensor(numbers))

    def forward(self, z: Tensor) -> Tensor:
        return self.numbers.view(1, -1, 1, 1).expand(len(z), -1, 28, 28)


def by_hand(mu: float = 1.0, said: tuple[float, ...] = (0.0,), **settings: object) -> VAE:
    method = small("vae", **settings)
    assert isinstance(method, VAE)
    method.build(images().spec)
    method.E, method.G = Guess(mu), Says(*said)  # pyright: ignore
    return method


def batch_of(n: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(torch.rand(n, 1, 28, 28, generator=generator) * 2 - 1, generator=generator)


def test_the_bound_by_hand() -> None:
    """784 coins cost log 2 each; mu = 1, sigma = 1 costs 1/2 for each of 8 latent numbers."""
    report = by_hand().bound_loss(batch_of())
    assert_close(report["kl"], torch.tensor(4.0))
    assert_close(report["reconstruction"], torch.tensor(HALF))
    assert_close(report["bound"], torch.tensor(HALF + 4))
    assert_close(report["loss"], torch.tensor(HALF + 4))


def test_beta_and_free_bits_weigh_the_kl_term_and_leave_the_bound_alone() -> None:
    for settings, expected in [({"beta": 3}, 12.0), ({"free_bits": 0.7}, 8 * 0.7), ({"free_bits": 0.3}, 4.0)]:
        report = by_hand(**settings).bound_loss(batch_of())
        assert_close(report["loss"], torch.tensor(HALF + expected))
        assert_close(report["bound"], torch.tensor(HALF + 4))


def test_the_kl_term_is_warmed_up_and_the_checkpoint_knows_how_far() -> None:
    method = by_hand(kl_warmup=4)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0, 1.0):
        batch = batch_of()
        report = method.bound_loss(batch)
        assert_close(report["loss"], torch.tensor(HALF + 4 * share))
        method.updates()[0].after(report, batch)
    assert method.state_dict()["kl_steps"] == 6


def test_more_draws_are_nearer_to_the_truth() -> None:
    """The decoder does not look at z, so log p(x) is -784 log 2 whatever q is; q = N(1, 1) gives away 4 nats with one draw."""
    method, x = by_hand(), torch.rand(64, 1, 28, 28)
    generator = torch.Generator().manual_seed(0)
    one = torch.cat([method.likelihood(x, generator=generator).nats for _ in range(40)])
    many = method.likelihood(x, samples=2000, generator=generator)
    assert one.mean().item() == pytest.approx(HALF + 4, abs=0.4)  # the spread of a weight is sqrt(8), of 2560 draws
    assert HALF - 0.2 < many.nats.mean().item() < HALF + 1.0
    assert (many.unit, many.exact, many.terms) == ("nats", False, 784)


def test_the_right_guess_makes_the_bound_exact() -> None:
    found = by_hand(mu=0.0).likelihood(torch.zeros(3, 1, 28, 28), samples=3)
    assert_close(found.nats, torch.full((3,), HALF))


@pytest.mark.parametrize(
    ("pixels", "said", "bits"),
    [
        ("gaussian", (0.0, 3.0), math.log2(255 / 2 * math.exp(3) * math.sqrt(2 * math.pi))),
        ("logistic_mixture", (0.0, 0.0, 0.0, 0.0, 3.0, 3.0), math.log2(255 / 2 * math.exp(3) * 4)),
    ],
)
def test_levels_are_told_in_bits_a_value(pixels: str, said: tuple[float, ...], bits: float) -> None:
    """A very wide density is flat: the mass of a level is its width, 2 / 255, times the density's height."""
    method = by_hand(mu=0.0, said=said, pixels=pixels)
    found = method.likelihood(torch.zeros(2, 1, 28, 28))
    assert (found.unit, found.exact) == ("bits_per_dim", False) and found.nats.shape == (2,)
    assert (found.nats / found.terms / math.log(2)).tolist() == pytest.approx([bits, bits], rel=1e-3)


def test_what_is_shown_is_the_mean() -> None:
    z = torch.zeros(1, 8)
    three = math.log(3.0)  # a 1 with probability 3/4
    assert by_hand(said=(three,)).generate(z)[0, 0, 0, 0].item() == pytest.approx(0.5)
    assert by_hand(said=(0.3, -2.0), pixels="gaussian").generate(z).mean().item() == pytest.approx(0.3)
    mixed = by_hand(said=(three, 0.0, 0.4, -0.4, -3.0, -3.0), pixels="logistic_mixture")
    assert mixed.generate(z).mean().item() == pytest.approx(0.2)


# --- binarising and moving ------------------------------------------------------------------------------------------------


def test_stochastic_binarisation_keeps_the_mean_and_belongs_to_the_generator() -> None:
    method = by_hand(binarise="stochastic")
    grey = torch.full((64, 1, 28, 28), 0.5)  # 1 with probability 3/4
    drawn = method.binarised(grey, lambda: torch.rand(grey.shape, generator=torch.Generator().manual_seed(1)))
    assert set(drawn.unique().tolist()) == {-1.0, 1.0}
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.02)
    ends = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2)
    assert torch.equal(method.binarised(ends, lambda: torch.zeros(1, 1, 1, 2)), ends)


def test_threshold_is_the_middle_grey() -> None:
    method = by_hand(binarise="threshold")
    levels = torch.tensor([0, 127, 128, 255]).view(1, 1, 1, 4) / 127.5 - 1
    assert method.binarised(levels, lambda: torch.rand(1)).flatten().tolist() == [-1, -1, 1, 1]


def test_equal_seeds_measure_equal_images_with_any_number_of_draws() -> None:
    """Reconstruction alone tells the images: q is the prior, so that all draws of an image have one weight."""
    method, grey = by_hand(mu=0.0, said=(1.0,), binarise="stochastic"), torch.zeros(5, 1, 28, 28)

    def nats(samples: int, seed: int) -> Tensor:
        return method.likelihood(grey, samples=samples, generator=torch.Generator().manual_seed(seed)).nats

    assert_close(nats(1, 3), nats(7, 3))
    assert not torch.allclose(nats(1, 3), nats(1, 4))
    assert "stochastically" in method.likelihood(grey, generator=torch.Generator().manual_seed(0)).note


def test_two_values_need_bernoulli_pixels() -> None:
    with pytest.raises(UsageError, match=r"binarise=stochastic .* pixels=bernoulli \(got pixels=gaussian\)"):
        create("vae", "small", {"pixels": "gaussian"}).build(DataSpec("data", 1, 8, 8, 10))


def test_a_share_of_the_images_is_moved() -> None:
    x = torch.randn(400, 1, 6, 6)
    for share, low, high in ((0.0, 0, 0), (0.5, 130, 230), (1.0, 320, 390)):  # a ninth of the moves is none
        method = by_hand(shift=1, shift_share=share)
        moved = method.moved(Batch(x, generator=torch.Generator().manual_seed(0)))
        assert low <= int((moved != x).flatten(1).any(1).sum()) <= high


# --- the whole ------------------------------------------------------------------------------------------------------------


def test_it_has_the_abilities() -> None:
    assert all(issubclass(VAE, ability) for ability in (Samples, Encodes, HasLikelihood))
    method = small("vae")
    method.build(images().spec)
    assert isinstance(method, VAE)
    x = torch.rand(3, 1, 28, 28) * 2 - 1
    z = method.eval().encode(x)
    assert z.shape == method.latents(range(3)).shape and torch.equal(z, method.encode(x)), "the middle of q, not a draw"
    assert method.generate(z).shape == x.shape


def test_a_short_training_uses_its_latent() -> None:
    """About 206 nats are the best that pixels without a latent can do on digits; coins cost 543."""
    settings = {"network": "mlp", "widths": "128", "z_dim": 16, "binarise": "stochastic", "batch_size": 64, "lr": 3e-3}
    data = open_data("digits")
    trainer = trainer_for(create("vae", None, settings), data, steps=400)
    for _ in range(400):
        trainer.step()
    method = trainer.average.method
    assert isinstance(method, VAE)
    entry = measure_likelihood(method, data, samples=5)["nats"]
    assert entry.n == 2000 and entry.value < 160 and entry.value < entry.details["value_at_1"] < 170
    held = data.part("test")
    assert held is not None
    x = torch.from_numpy(held.images[:200].copy()).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        again = method.generate(method.encode(x))
    error, blank = (again - x).square().mean(), (x.mean(0) - x).square().mean()
    assert error < 0.5 * blank, "an image comes back as itself, not as the mean of all"


class Grey(nn.Module):
    """Logit 2 of class 0, -2 of class 1, whatever z is."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor([2.0, -2.0]))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        return self.logits[labels].view(-1, 1, 1, 1).expand(len(z), 1, 28, 28)


def test_the_decoder_is_conditioned_on_the_class() -> None:
    """White images: of each pixel log sigmoid(2) = -0.12693 nats where the class says white, log sigmoid(-2) = -2.12693 else."""
    method = small("vae", conditional=True)
    assert isinstance(method, VAE)
    method.build(images().spec)
    method.E, method.G = Guess(0.0), Grey()  # pyright: ignore[reportAttributeAccessIssue]
    # the posterior is the prior: no KL term
    white = torch.ones(2, 1, 28, 28)
    labels = torch.tensor([0, 1])
    one = method.compute_likelihood(white, labels, 3, torch.Generator().manual_seed(0))
    assert_close(one.nats, torch.tensor([784 * 0.126928, 784 * 2.126928]), rtol=1e-4, atol=1e-3)
    batch = Batch(white, label=labels, generator=torch.Generator().manual_seed(0))
    assert float(method.bound_loss(batch)["loss"].detach()) == pytest.approx(784 * 1.126928, rel=1e-4)
    shown = method.generate(torch.zeros(2, 8), labels)
    assert_close(shown[:, 0, 0, 0], torch.tensor([0.761594, -0.761594]))  # 2 sigmoid(2) - 1 = tanh(1)
    assert method.labels(range(50)) is not None and small("vae").labels(range(2)) is None
