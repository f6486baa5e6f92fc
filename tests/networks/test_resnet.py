"""R3GAN's pair: no normalisation, blocks that start as the identity, so that a fresh network is linear."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.networks.layers import BiasedActivation, init_fan_in_, norm2d
from ganvas.networks.resnet import Residual, ResNetDiscriminator, ResNetGenerator, fitted

KINDS = pytest.mark.parametrize("kind", ["dense", "grouped"])


@KINDS
def test_a_fresh_block_is_the_identity(kind: str) -> None:
    x = torch.randn(2, 8, 5, 5)
    assert torch.equal(Residual(8, kind, 2, 4, depth=4)(x), x)


@KINDS
def test_a_fresh_pair_is_linear(kind: str) -> None:
    G, D = ResNetGenerator(6, (1, 12, 10), [8, 4], 2, kind), ResNetDiscriminator((1, 12, 10), [8, 4], 2, kind)
    z, x = torch.randn(3, 6), torch.randn(3, 1, 12, 10)
    assert_close(G(2 * z), 2 * G(z))
    assert_close(D(-3 * x), -3 * D(x))
    assert G(z).std() > 0.05 and D(x).abs().max() > 1e-3, "and not zero"


@KINDS
def test_no_normalisation_anywhere(kind: str) -> None:
    for network in (
        ResNetGenerator(6, (1, 12, 10), [8, 4], 2, kind),
        ResNetDiscriminator((1, 12, 10), [8, 4], 2, kind),
    ):
        assert not any("Norm" in type(module).__name__ for module in network.modules())
        assert not list(network.buffers())


def test_grouped_block_is_the_papers() -> None:
    """1x1 up, grouped 3x3, 1x1 down, none with a bias; the last starts at zero."""
    convs = [module for module in Residual(32, "grouped", 2, 16, depth=4).modules() if isinstance(module, nn.Conv2d)]
    assert [(one.in_channels, one.out_channels, one.kernel_size[0], one.groups) for one in convs] == [
        (32, 64, 1, 1),
        (64, 64, 3, 4),
        (64, 32, 1, 1),
    ]
    assert all(one.bias is None for one in convs) and convs[-1].weight.abs().max() == 0


def test_groups_divide_the_channels() -> None:
    convs = [module for module in Residual(10, "grouped", 3, 16, depth=1).modules() if isinstance(module, nn.Conv2d)]
    assert convs[1].groups == 1
    convs = [module for module in Residual(14, "grouped", 3, 16, depth=1).modules() if isinstance(module, nn.Conv2d)]
    assert convs[1].groups == 2  # 42 channels in groups of about 16: 2 x 21


def test_dense_block() -> None:
    convs = [module for module in Residual(32, "dense", 2, 16, depth=4).modules() if isinstance(module, nn.Conv2d)]
    assert [(one.in_channels, one.out_channels, one.kernel_size[0], one.groups) for one in convs] == [
        (32, 32, 3, 1),
        (32, 32, 3, 1),
    ]


def test_the_discriminator_uses_each_cell() -> None:
    D = ResNetDiscriminator((1, 8, 8), [4, 4], 1, "dense")
    x = torch.zeros(1, 1, 8, 8, requires_grad=True)
    D(x).backward()
    assert (x.grad != 0).all()


@pytest.mark.parametrize(
    ("widths", "stages", "expected"), [([8, 4, 2], 3, [8, 4, 2]), ([8, 4, 2], 5, [8, 8, 8, 4, 2]), ([8, 4, 2], 1, [2])]
)
def test_widths_are_fitted_at_the_small_end(widths, stages, expected) -> None:
    assert fitted(widths, stages) == expected


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 5, 9), (3, 7, 64)])
def test_odd_and_tiny_images(shape) -> None:
    x = ResNetGenerator(6, shape, [8, 4], 1, "dense")(torch.randn(3, 6))
    assert x.shape == (3, *shape)
    assert ResNetDiscriminator(shape, [8, 4], 1, "dense")(x).shape == (3, 1)


def test_variance_kept() -> None:
    torch.manual_seed(0)
    layer = init_fan_in_(nn.Linear(400, 1000), gain=3.0)
    assert layer(torch.randn(200, 400)).std().item() == pytest.approx(3, rel=0.02)
    assert layer.bias.abs().max() == 0  # pyright: ignore[reportOptionalMemberAccess]


def test_biased_activation() -> None:
    activation = BiasedActivation(2)
    with torch.no_grad():
        activation.bias.copy_(torch.tensor([1.0, -1.0]))
    x = torch.tensor([[[[0.0, -2.0]], [[0.0, 2.0]]]])
    assert_close(activation(x), torch.tensor([[[[1.0, -0.2]], [[-0.2, 1.0]]]]))
    # The second moment of lrelu(n) is (1 + 0.04) / 2, which the gain undoes.
    assert activation.gain**2 * (1 + 0.04) / 2 == pytest.approx(1)


def test_layer_norm_sees_one_image_only() -> None:
    x = torch.randn(4, 3, 5, 5) * 7 + 2
    for kind in ("layer", "instance"):
        norm = norm2d(kind, 3).train()
        assert_close(norm(x)[:1], norm(x[:1]))
        assert_close(norm(x).mean((1, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    assert not torch.allclose(norm2d("batch", 3).train()(x)[:1], norm2d("batch", 3).train()(x[:1]))
