"""Figure 1 of the DCGAN paper, its initial weights, and spectral norms that are one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator, SNDiscriminator


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def shapes_inside(network: nn.Module, kind: type, x: torch.Tensor) -> list[tuple[int, ...]]:
    """(C, H, W) after each module of a kind."""
    seen: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda module, arguments, result: seen.append(tuple(result.shape[1:])))
    network(x)
    return seen


@pytest.fixture(scope="module")
def paper() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return DCGANGenerator(100, (3, 64, 64), 128).eval(), DCGANDiscriminator((3, 64, 64), 128).eval()


def test_generator_is_figure_1(paper) -> None:
    G, _ = paper
    levels = shapes_inside(G, nn.ReLU, torch.zeros(1, 100))
    assert levels == [(1024, 4, 4), (512, 8, 8), (256, 16, 16), (128, 32, 32)]
    assert G(torch.zeros(1, 100)).shape == (1, 3, 64, 64)
    # 100 -> 4*4*1024 and its norm; 4x4 kernels without bias between norms; the last one has a bias and no norm.
    expected = 100 * 16 * 1024 + 2 * 1024
    expected += 16 * 1024 * 512 + 2 * 512 + 16 * 512 * 256 + 2 * 256 + 16 * 256 * 128 + 2 * 128 + 16 * 128 * 3 + 3
    assert count(G) == expected == 12_658_435


def test_discriminator_mirrors_it(paper) -> None:
    _, D = paper
    levels = shapes_inside(D, nn.LeakyReLU, torch.zeros(1, 3, 64, 64))
    assert levels == [(128, 32, 32), (256, 16, 16), (512, 8, 8), (1024, 4, 4)]
    assert D(torch.zeros(2, 3, 64, 64)).shape == (2, 1)
    norms = [module.num_features for module in D.modules() if isinstance(module, nn.BatchNorm2d)]
    assert norms == [256, 512, 1024], "no norm at D's first layer (sec. 3)"
    assert all(module.negative_slope == 0.2 for module in D.modules() if isinstance(module, nn.LeakyReLU))
    expected = 16 * 3 * 128 + 128
    expected += 16 * 128 * 256 + 2 * 256 + 16 * 256 * 512 + 2 * 512 + 16 * 512 * 1024 + 2 * 1024 + 16 * 1024
    assert count(D) == expected == 11_036_288


def test_initial_weights(paper) -> None:
    """N(0, 0.02) and N(1, 0.02) (sec. 4): the standard error of a deviation over n numbers is 0.02 / sqrt(2 n)."""
    for network in paper:
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear) and module.weight.numel() > 5000:
                weight = module.weight.detach()
                slack = 5 * 0.02 / (2 * weight.numel()) ** 0.5
                assert abs(weight.std().item() - 0.02) < slack and abs(weight.mean().item()) < 2 * slack
            elif isinstance(module, nn.BatchNorm2d):
                assert abs(module.weight.mean().item() - 1) < 0.01 and module.bias.abs().max() == 0


def test_no_hidden_fully_connected_layer_nor_pooling(paper) -> None:
    kinds = {type(module).__name__ for network in paper for module in network.modules()}
    assert not any("Pool" in kind for kind in kinds)
    assert (
        sum(isinstance(module, nn.Linear) for network in paper for module in network.modules()) == 1
    )  # z's projection


@pytest.mark.parametrize(("side", "levels"), [(32, 3), (28, 3), (64, 4)])
def test_levels(side: int, levels: int) -> None:
    strided = [
        module
        for module in DCGANDiscriminator((1, side, side), 2).modules()
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2)
    ]
    assert len(strided) == levels


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 4), (2, 5, 9), (3, 7, 64), (1, 3, 40)])
@pytest.mark.parametrize("last", ["up", "conv3"])
def test_odd_and_tiny_images(shape, last: str) -> None:
    x = DCGANGenerator(6, shape, 2, last=last)(torch.randn(3, 6))
    assert x.shape == (3, *shape) and x.abs().max() <= 1
    assert DCGANDiscriminator(shape, 2, norm="layer")(x).shape == (3, 1)
    assert SNDiscriminator(shape, 2)(x).shape == (3, 1)


def test_spectral_norms_are_one() -> None:
    torch.manual_seed(0)
    D = SNDiscriminator((3, 32, 32), 8)
    x = torch.randn(2, 3, 32, 32)
    for _ in range(40):  # one power iteration a pass in train mode
        D(x)
    D.eval()
    layers = [module for module in D.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    assert len(layers) == 1 + 2 * 3 + 1
    for layer in layers:
        largest = torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item()
        assert largest == pytest.approx(1, abs=0.02), layer


def test_spectral_norm_follows_the_weights() -> None:
    torch.manual_seed(0)
    D = SNDiscriminator((1, 8, 8), 4)
    x = torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        for parameter in D.parameters():
            parameter.mul_(50)
    for _ in range(40):
        D(x)
    layer = D.head
    assert torch.linalg.matrix_norm(layer.weight, 2).item() == pytest.approx(1, abs=0.02)
