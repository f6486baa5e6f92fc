"""GRAN's generator: additions to a canvas, equations 4 to 7."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.networks.canvas import CanvasGenerator, StepNorm

SHAPE = (2, 15, 12)


def canvas_generator(steps: int = 3) -> CanvasGenerator:
    torch.manual_seed(0)
    G = CanvasGenerator(5, SHAPE, steps, width=4, hidden=6)
    nn.init.ones_(G.scales)
    return G


def latents(n: int = 3) -> torch.Tensor:
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_the_last_canvas_is_the_image(steps: int) -> None:
    G, z = canvas_generator(steps), latents()
    canvases = G.canvases(z)
    assert canvases.shape == (3, steps, *SHAPE)
    assert torch.equal(canvases[:, -1], G(z))
    assert G(z).abs().max() <= 1


def test_a_decoder_of_zeros_paints_grey() -> None:
    G = canvas_generator()
    for parameter in G.f.parameters():
        nn.init.zeros_(parameter)
    assert not G.canvases(latents()).any()


def test_additions_are_summed_before_the_tanh() -> None:
    """A decoder that always adds 0.5: tanh(0.5), tanh(1), tanh(1.5)."""
    G = canvas_generator()
    for parameter in G.f.parameters():
        nn.init.zeros_(parameter)
    nn.init.constant_(G.f.convs[-1].conv.bias, 0.5)  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
    for step, canvas in enumerate(G.canvases(latents(1))[0], start=1):
        assert_close(canvas, torch.full(SHAPE, math.tanh(0.5 * step)))


def test_one_step_is_one_decoder_and_no_encoder() -> None:
    G, z = canvas_generator(1), latents()
    h_z = torch.tanh(z @ G.read_z.weight.T + G.read_z.bias)
    assert G.g is None
    assert_close(G(z), G.f(torch.cat([h_z, torch.zeros(3, 6)], 1), 0).tanh())


def test_it_starts_as_a_generator_of_one_step() -> None:
    """The scales of what later steps add are learned from 0."""
    G, z = CanvasGenerator(5, SHAPE, 3, width=4, hidden=6), latents()
    first, *others = G.additions(z)
    assert_close(G(z), first.tanh())
    assert not torch.stack(others).any()
    G(z).sum().backward()
    assert G.scales.grad is not None and G.scales.grad.all()


def test_what_later_steps_add_is_scaled() -> None:
    G, z = canvas_generator(2).eval(), latents()
    first, second = G.additions(z)
    nn.init.constant_(G.scales, 0.25)
    assert_close(G.additions(z), [first, second / 4])


def test_the_second_step_sees_what_the_first_added() -> None:
    """Eqs. 5 and 6: addition 2 is f of h_z and of what g reads in addition 1 (not in the squashed canvas)."""
    G, z = canvas_generator(3).eval(), latents()
    first, second, third = G.additions(z)
    h_z = torch.tanh(G.read_z(z))
    assert_close(second, G.f(torch.cat([h_z, G.g(first, 0)], 1), 1))  # pyright: ignore[reportOptionalCall]
    assert_close(third, G.f(torch.cat([h_z, G.g(second, 1)], 1), 2))  # pyright: ignore[reportOptionalCall]
    assert not torch.allclose(first, second)


def test_the_steps_share_all_weights_but_batch_norm() -> None:
    def weights(steps: int) -> int:
        G = canvas_generator(steps)
        norms = [one for module in G.modules() if isinstance(module, nn.BatchNorm2d) for one in module.parameters()]
        own = [*norms, G.scales]
        return sum(parameter.numel() for parameter in G.parameters()) - sum(parameter.numel() for parameter in own)

    assert weights(2) == weights(5)


def test_each_step_has_statistics_of_its_own() -> None:
    """After one training pass, those of a step are the mean of what came by in that step."""
    norm = StepNorm(1, 2).train()
    norm(torch.full((2, 1, 2, 2), 10.0), 1)
    assert [one.running_mean.item() for one in norm.steps] == [0.0, 1.0]  # momentum 0.1  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 28, 28), (2, 30, 50)])
def test_any_size(shape: tuple[int, int, int]) -> None:
    assert CanvasGenerator(5, shape, 2, width=4, hidden=6)(latents()).shape == (3, *shape)
