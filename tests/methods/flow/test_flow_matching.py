"""Flow matching: the velocity of a normal distribution in closed form, the solvers' order, classes and guidance."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.abilities import Samples, offers
from ganvas.data.batch import Batch
from ganvas.data.spec import DataSpec
from ganvas.errors import UsageError
from ganvas.methods.flow.flow_matching import FlowMatching
from ganvas.registry import create

SPREAD = 0.5
SPEC = DataSpec("animals", 1, 8, 8, 10, classes=("cat", "dog"), class_counts=(5, 5), total_variance=64 * SPREAD**2)


def built(**settings: object) -> FlowMatching:
    method = create("flow_matching", "tiny", settings)
    assert isinstance(method, FlowMatching)
    torch.manual_seed(0)
    method.spec = SPEC
    method.build(SPEC)
    return method


def times(*numbers: float) -> Tensor:
    return torch.tensor(numbers)


@torch.no_grad()
def stirred(**settings: object) -> FlowMatching:
    """With weights that are zero nowhere, so that time and class reach the velocity."""
    method = built(**settings).requires_grad_(False).eval()
    for parameter in method.parameters():
        parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.1)
    return method


def test_a_fresh_network_knows_the_flow_of_a_normal_distribution() -> None:
    """v(x, 0) = -x, v(x, 1) = x, and by hand at 1/2 with s = 1/2: (1/8 - 1/2) / (1/16 + 1/4) = -1.2."""
    method, x = built(), torch.ones(3, 1, 8, 8)
    v = method.velocity(x, times(0.0, 0.5, 1.0))
    assert_close(v[:, 0, 0, 0], times(-1.0, -1.2, 1.0))
    assert v.dtype == torch.float32


def test_it_is_the_best_linear_guess() -> None:
    """Regression of x_1 - x_0 on x_t over normal numbers of spread s has that slope, and leaves s^2 / Var x_t."""
    generator = torch.Generator().manual_seed(0)
    x0, x1 = torch.randn(200_000, generator=generator), SPREAD * torch.randn(200_000, generator=generator)
    t = 0.3
    x = (1 - t) * x0 + t * x1
    slope = (x * (x1 - x0)).mean() / x.square().mean()
    assert built().velocity(torch.ones(1, 1, 8, 8), times(t))[0, 0, 0, 0].item() == pytest.approx(
        slope.item(), abs=0.02
    )
    left = (x1 - x0 - slope * x).square().mean()
    assert left.item() == pytest.approx(SPREAD**2 / ((t * SPREAD) ** 2 + (1 - t) ** 2), rel=0.02)


def test_the_solvers_have_their_order() -> None:
    """That flow maps x_0 to s x_0. Twice the steps: half of Euler's error, a quarter or less of the others'."""

    def error(solver: str, steps: int) -> float:
        made = built(solver=solver, sampling_steps=steps).generate(torch.ones(1, 64))
        return abs(made[0, 0, 0, 0].item() - SPREAD)

    limits = {"euler": (1.7, 2.3), "adams": (2.8, 20.0), "midpoint": (2.8, 20.0), "heun": (2.8, 20.0)}
    for solver, (low, high) in limits.items():
        ratio = error(solver, 16) / error(solver, 32)
        assert low < ratio < high, f"{solver}: {ratio}"
    assert error("heun", 40) < 1e-3


def test_adams_takes_the_velocity_of_the_step_before() -> None:
    """By hand, v = (a + 1) x at t = a / 2 in place of the network's; times 0, 1/4, 1 with spacing 2."""
    method = built(solver="adams", sampling_steps=2, spacing=2.0)
    method.guided_velocity = lambda x, t, labels: (2 * t.float() + 1) * x  # pyright: ignore[reportAttributeAccessIssue]
    one, two = (x[0, 0, 0, 0].item() for x in method.flow(torch.ones(1, 64)))
    assert one == pytest.approx(1.25)
    before, here = 1.0, 1.5 * 1.25
    assert two == pytest.approx(1.25 + 0.75 * (here + 0.75 / 0.25 / 2 * (here - before)))


def test_spacing_shortens_the_steps_near_the_noise() -> None:
    steps = built(sampling_steps=4, spacing=2.0)
    assert [steps.time(torch.tensor(number)).item() for number in range(5)] == [0.0, 0.0625, 0.25, 0.5625, 1.0]


def test_the_loss_by_hand() -> None:
    """Images of 0 and a fresh network: x_t = (1 - t) x_0, the line's velocity is -x_0, and v is known."""
    method = built()
    generator = torch.Generator().manual_seed(0)
    loss = method.velocity_loss(Batch(torch.zeros(5, 1, 8, 8), generator=generator))["loss"]
    generator.manual_seed(0)
    again = Batch(torch.zeros(5, 1, 8, 8), generator=generator)
    noise, t = again.normal(1, 8, 8), again.uniform().view(-1, 1, 1, 1)
    variance = (t * SPREAD) ** 2 + (1 - t) ** 2
    v = (t * SPREAD**2 - (1 - t)) / variance * (1 - t) * noise
    assert_close(loss, (v + noise).square().mean())


def test_times_from_the_middle() -> None:
    batch = Batch(torch.zeros(20_000, 1, 1, 1), generator=torch.Generator().manual_seed(0))
    even, middle = built().times_of(batch), built(times="logit_normal").times_of(batch)
    for t in (even, middle):
        assert t.shape == (20_000,) and t.min() >= 0 and t.max() <= 1
    assert ((even - 0.5).abs() < 0.25).float().mean().item() == pytest.approx(0.5, abs=0.02)
    inside = math.erf(math.log(3) / math.sqrt(2))  # sigmoid(log 3) = 3/4
    assert ((middle - 0.5).abs() < 0.25).float().mean().item() == pytest.approx(inside, abs=0.02)


def test_labels_are_left_away_for_a_share_of_the_images() -> None:
    label = torch.arange(1000) % 2
    for share, low, high in ((0.0, 0, 0), (0.1, 60, 140), (1.0, 1000, 1000)):
        labels = built(conditional=True, label_dropout=share).labels_with_dropout(
            Batch(torch.zeros(1000, 1, 1, 1), label)
        )
        assert labels is not None and low <= int((labels == 2).sum()) <= high
        assert torch.equal(labels[labels < 2], label[labels < 2])
    assert built().labels_with_dropout(Batch(torch.zeros(1000, 1, 1, 1), label)) is None


def test_guidance_goes_from_all_images_to_the_class_and_beyond() -> None:
    x, cats = torch.randn(3, 1, 8, 8), torch.zeros(3, dtype=torch.int64)
    untold = stirred(conditional=True).velocity(x, x.new_full((3,), 0.4))
    told = stirred(conditional=True).velocity(x, x.new_full((3,), 0.4), cats)
    assert (told - untold).abs().max() > 1e-3
    for weight in (0.0, 1.0, 3.0):
        found = stirred(conditional=True, guidance=weight).guided_velocity(x, torch.tensor(0.4), cats)
        assert_close(found, untold + weight * (told - untold), atol=1e-5, rtol=1e-4)


def test_guidance_needs_a_network_that_also_knows_no_class() -> None:
    with pytest.raises(UsageError, match="set label_dropout above 0 in training"):
        built(conditional=True, label_dropout=0.0, guidance=2.0)
    built(conditional=True, label_dropout=0.0, guidance=1.0)


def test_guidance_needs_classes() -> None:
    with pytest.raises(UsageError, match="guidance=2 works with classes only: set conditional=true"):
        built(guidance=2.0)


def test_the_last_step_of_the_drawing_is_the_image() -> None:
    method = stirred(sampling_steps=4)
    assert offers(FlowMatching, Samples.drawing) and issubclass(FlowMatching, Samples)
    latents = method.latents(range(2))
    assert latents.shape == (2, 64)
    drawn = method.drawing(latents)
    assert drawn.shape == (2, 4, 1, 8, 8) and torch.equal(drawn[:, -1], method.generate(latents))


def test_two_classes_are_learned() -> None:
    """Cats are dark, dogs are bright; a few steps carry any noise to one or the other."""
    method = built(conditional=True, sampling_steps=8)
    (optimizer,) = method.optimizers().values()
    generator = torch.Generator().manual_seed(0)
    label = torch.arange(32) % 2
    real = (label.float() - 0.5).view(-1, 1, 1, 1).expand(32, 1, 8, 8).contiguous()
    for _ in range(250):
        optimizer.zero_grad()
        method.velocity_loss(Batch(real, label, generator=generator))["loss"].backward()
        optimizer.step()
    with torch.no_grad():
        made = method.generate(method.latents(range(8)), torch.arange(8) % 2)
    wanted = (torch.arange(8) % 2 - 0.5).view(-1, 1, 1, 1)
    assert (made - wanted).abs().mean() < 0.15
