"""What sets each method apart, as its paper states it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import Adam, RMSprop
from torch.testing import assert_close

from ganvas.data import DataSpec
from ganvas.data.batch import Batch
from ganvas.errors import UsageError
from ganvas.losses.adversarial import discriminator_report
from ganvas.registry import create
from parts import images, small, trainer_for


def batch_of(n: int = 4, shape: tuple[int, int, int] = (1, 28, 28), seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.rand(n, *shape, generator=generator) * 2 - 1, generator=generator)


class Linear(nn.Module):
    """D(x) = <w, x> with |w| = 5."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        weight = torch.zeros(shape)
        weight[0, 0, 0], weight[0, 0, 1] = 3.0, 4.0
        self.weight = nn.Parameter(weight)

    def forward(self, x):
        return (x * self.weight).sum((1, 2, 3))[:, None]


def built(name: str, **settings):
    method = small(name, **settings)
    method.build(images().spec)
    return method


# --- wgan ----------------------------------------------------------------------------------------------------------------


def test_wgan_clips_every_weight_of_the_critic_and_none_of_g() -> None:
    trainer = trainer_for(small("wgan", lr=0.05, clip=0.01))
    with torch.no_grad():
        for parameter in trainer.method.D.parameters():
            parameter.mul_(100)
    trainer.step()
    largest = [parameter.abs().max().item() for parameter in trainer.method.D.parameters()]
    assert max(largest) == pytest.approx(0.01, rel=1e-6)
    assert max(parameter.abs().max().item() for parameter in trainer.method.G.parameters()) > 0.5


def test_wgan_uses_rmsprop_and_no_batch_norm_in_its_critic() -> None:
    method = built("wgan")
    assert all(isinstance(optimizer, RMSprop) for optimizer in method.optimizers().values())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in method.D.modules())
    paper = create("wgan", "paper")
    assert (paper.n_critic, paper.clip, paper.lr) == (5, 0.01, 5e-5)


@pytest.mark.parametrize("name", ["wgan", "wgan_gp", "hinge_sn"])
def test_critics_get_n_steps_on_fresh_images(name: str) -> None:
    trainer = trainer_for(small(name, n_critic=3))
    trainer.step()
    assert trainer.images_seen == 3 * trainer.method.batch_size
    critic = trainer.updates[0]
    assert critic.trains == "D" and critic.repeat == 3


# --- wgan_gp -------------------------------------------------------------------------------------------------------------


def test_wgan_gp_of_a_linear_critic() -> None:
    """E f(fake) - E f(real) + 10 (5 - 1)^2, wherever the lines run."""
    method = built("wgan_gp")
    method.D, method.G, batch = Linear((1, 28, 28)), Constant(0.0), batch_of()
    report = method.discriminator_loss(batch)
    assert_close(report["penalty"], torch.tensor(16.0))
    assert_close(report["loss"], -method.D(batch.real).mean() + 160)


def test_wgan_gp_follows_the_papers_table() -> None:
    method = create("wgan_gp", "paper")
    assert (method.penalty, method.n_critic, method.lr, method.beta1, method.beta2) == (10.0, 5, 1e-4, 0.0, 0.9)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in built("wgan_gp").D.modules())


# --- the others ----------------------------------------------------------------------------------------------------------


def test_dcgan_follows_the_paper() -> None:
    method = create("dcgan", "paper")
    assert (method.lr, method.beta1, method.batch_size, method.z_dim) == (2e-4, 0.5, 128, 100)
    optimizer = built("dcgan").optimizers()["G"]
    assert isinstance(optimizer, Adam) and optimizer.defaults["betas"] == (0.5, 0.999)


def test_lsgan_asks_d_for_one_and_zero_and_g_for_one() -> None:
    method = built("lsgan")
    method.D, method.G, batch = Linear((1, 28, 28)), Constant(0.5), batch_of()
    # D gives (3 + 4) / 2 = 3.5 for fakes.
    real = method.D(batch.real)
    assert_close(method.discriminator_loss(batch)["loss"], ((real - 1).square() / 2).mean() + 3.5**2 / 2)
    assert_close(method.generator_loss(batch)["loss"], torch.tensor((3.5 - 1) ** 2 / 2))


class Constant(nn.Module):
    """Grey images of one value."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))

    def forward(self, z):
        return self.value.expand(len(z), 1, 28, 28)


@pytest.mark.parametrize(("loss", "expected"), [("minimax", -3.5297505), ("non_saturating", 0.0297505)])
def test_gan_losses_of_g(loss: str, expected: float) -> None:
    """softplus(3.5) = 3.5297505; softplus(-3.5) = 0.0297505."""
    method = built("gan", loss=loss)
    method.D, method.G = Linear((1, 28, 28)), Constant(0.5)
    assert method.generator_loss(batch_of())["loss"].item() == pytest.approx(expected, abs=1e-6)


def test_gan_drops_units_of_d_while_training_only() -> None:
    """Which ones, the batch's random numbers decide."""
    method = built("gan", dropout=0.5, discriminator=(64, 32))
    x = batch_of().real
    first, again, other = (method.discriminate(Batch(x, generator=seeded(seed)), x) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    method.eval()
    assert torch.equal(method.discriminate(Batch(x, generator=seeded(1)), x), method.D(x))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_hinge_of_g_is_minus_d() -> None:
    method = built("hinge_sn")
    method.D, method.G = Linear((1, 28, 28)), Constant(0.5)
    assert method.generator_loss(batch_of())["loss"].item() == pytest.approx(-3.5)
    batch = batch_of()
    real = method.D(batch.real)
    assert_close(method.discriminator_loss(batch)["loss"], ((1 - real).relu() + 4.5).mean())


# --- r3gan ---------------------------------------------------------------------------------------------------------------


def test_gamma_follows_the_spread_of_the_data() -> None:
    method = create("r3gan", None, {"widths": "8-4"})
    method.build(DataSpec("data", 1, 8, 8, 10, total_variance=200.0))
    assert method.strength == 1.0
    method = create("r3gan", None, {"widths": "8-4", "gamma": 0.3})
    method.build(DataSpec("data", 1, 8, 8, 10, total_variance=200.0))
    assert method.strength == 0.3


@pytest.mark.parametrize("every", [1, 4])
def test_penalties_of_a_linear_critic(every: int) -> None:
    """R1 = R2 = 25 with any images: gamma / 2 (R1 + R2) = 2 / 2 * 50, and `every` times that in every n-th step."""
    method = built("r3gan", gamma=2.0, penalty_every=every)
    method.D, batch = Linear((1, 28, 28)), batch_of()
    report = method.penalty_loss(batch)
    assert_close(report["r1"], torch.tensor(25.0))
    assert_close(report["r2"], torch.tensor(25.0))
    assert_close(report["loss"], torch.tensor(50.0 * every))


@pytest.mark.parametrize("every", [1, 3])
def test_penalties_come_in_every_nth_step(every: int) -> None:
    trainer = trainer_for(small("r3gan", penalty_every=every))
    due = []
    for _ in range(2 * every):
        trainer.reports = {}
        trainer.step()
        due.append(any(key.endswith("/r1") for key in trainer.numbers()))
    assert due == [number % every == 0 for number in range(2 * every)]


def test_penalties_in_every_step_are_part_of_d_loss() -> None:
    """As in the paper: one step of D on eq. 2 and gamma / 2 (R1 + R2) together."""
    method = built("r3gan", gamma=2.0, penalty_every=1)
    assert [update.trains for update in method.updates()] == ["G", "D"]
    method.D, batch = Linear((1, 28, 28)), batch_of()
    batch.memo("fake", lambda: torch.full_like(batch.real, 0.5))
    gap = (3.5 - method.D(batch.real)).flatten()
    report = method.updates()[1].loss(batch)
    assert_close(report["loss"], torch.nn.functional.softplus(gap).mean() + 50)


def test_r3gan_pairs_real_and_fake() -> None:
    method = built("r3gan")
    method.D, method.G, batch = Linear((1, 28, 28)), Constant(0.5), batch_of()
    gap = (3.5 - method.D(batch.real)).flatten()
    report = method.generator_loss(batch)
    assert_close(report["loss"], torch.nn.functional.softplus(-gap).mean())
    assert_close(method.discriminator_loss(batch)["loss"], torch.nn.functional.softplus(gap).mean())


def test_r3gan_step_size_falls_to_zero() -> None:
    kinds = ("linear", "cosine", "none")
    straight, round_, flat = (create("r3gan", None, {"decay": kind, "warmup": 0}) for kind in kinds)
    assert [straight.schedule(share, 9) for share in (0.0, 0.25, 1.0)] == [1.0, 0.75, 0.0]
    assert [round_.schedule(share, 9) for share in (0.0, 0.5, 1.0)] == pytest.approx([1.0, 0.5, 0.0])
    assert flat.schedule(0.9, 9) == 1.0


def test_r3gan_step_size_rises_first() -> None:
    """A hundredth of it in the first step, all of it in the hundredth and after."""
    rising = create("r3gan", None, {"decay": "none", "warmup": 100})
    assert [rising.schedule(0.0, steps) for steps in (0, 49, 99, 5000)] == [0.01, 0.5, 1.0, 1.0]


# --- shared ----------------------------------------------------------------------------------------------------------------


def test_both_keeps_images_apart() -> None:
    method = create("gan")
    method.D = Linear((1, 2, 2))
    real, fake = torch.ones(3, 1, 2, 2), torch.zeros(3, 1, 2, 2)
    found = method.both(Batch(real), fake)  # pyright: ignore
    assert [one.flatten().tolist() for one in found] == [[7.0] * 3, [0.0] * 3]


def test_the_sign_counts_from_the_boundary() -> None:
    """Real logits 1 and -1, fake ones 2 and -3: half of them above 0, both above -2; one above the fake paired with it."""
    loss, real, fake = torch.tensor(0.0), torch.tensor([1.0, -1.0]), torch.tensor([2.0, -3.0])
    signs = [discriminator_report(loss, real, fake, boundary=boundary)["sign"].item() for boundary in (0.0, -2.0, None)]
    assert signs == [0.0, 1.0, 0.0]


def test_balance_is_the_step_size_of_d_over_that_of_g() -> None:
    for name in ("dcgan", "wgan"):
        method = create(name, "tiny", {"lr": 0.01, "balance": 4})
        method.build(DataSpec("data", 1, 8, 8, 10))
        rates = {key: optimizer.param_groups[0]["lr"] for key, optimizer in method.optimizers().items()}
        assert rates == {"G": 0.01, "D": 0.04}


def test_accuracy_is_the_share_told_apart() -> None:
    report = discriminator_report(
        torch.tensor(0.0), torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([0.0, 3.0, 2.0, 5.0])
    )
    assert report["accuracy"].item() == 0.5 and report["real"].item() == 2.5 and report["fake"].item() == 2.5


def test_widths_are_read_or_refused() -> None:
    for given in ("256-512", "256,512", "(256, 512)", [256, 512], (256, 512)):
        assert create("gan", None, {"generator": given}).settings()["generator"] == (256, 512)
    for given in ("", "256-", "a-b", "256-0", "-5", "none", [], [256, 0], [2.5], [True]):
        with pytest.raises(UsageError, match="generator must be integers >= 1 joined by -"):
            create("gan", None, {"generator": given})


@pytest.mark.parametrize("name", ["dcgan", "r3gan", "stylegan2", "infogan", "lapgan", "pix2pix"])
def test_d_sees_each_image_once_a_step(name: str) -> None:
    """G's loss and D's go back through the same passes; penalties, which are not due in the second step, have their own."""
    settings = {"loss": "relativistic"} if name == "pix2pix" else {}
    trainer = trainer_for(small(name, **settings))
    trainer.step()
    first = next(layer for layer in trainer.method.D.modules() if isinstance(layer, nn.Conv2d | nn.Linear))
    seen: list[int] = []
    first.register_forward_hook(lambda layer, inputs, output: seen.append(len(inputs[0])))
    trainer.step()
    assert sum(seen) == 2 * trainer.method.batch_size


def test_vae_gan_s_d_sees_reconstructions_and_samples_once_for_two_updates() -> None:
    """And the real images twice: their features are needed before, without a graph, as are those of E's reconstructions."""
    trainer = trainer_for(small("vae_gan"))
    first = next(layer for layer in trainer.method.D.modules() if isinstance(layer, nn.Conv2d))
    seen: list[int] = []
    first.register_forward_hook(lambda layer, inputs, output: seen.append(len(inputs[0])))
    trainer.step()
    assert sum(seen) == 5 * trainer.method.batch_size
