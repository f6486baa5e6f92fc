"""StyleGAN2's layers against their definitions, worked by hand where that is possible."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from ganvas.networks.style import (
    Blur,
    EqualConv,
    EqualLinear,
    EqualUpConv,
    Mapping,
    StyleDiscriminator,
    StyleGenerator,
    StyleLayer,
    demodulation,
    minibatch_deviation,
    modulated,
)
from parts import SHAPES, Shape

KINDS = ["skip", "residual"]


def generator(shape: Shape = (1, 12, 12), **settings) -> StyleGenerator:
    torch.manual_seed(0)
    return StyleGenerator(6, shape, [8, 4], 5, **{"mapping_layers": 2, **settings})


def set_strengths(G: StyleGenerator, value: float) -> None:
    for module in G.modules():
        if isinstance(module, StyleLayer):
            module.strength.data.fill_(value)


# --- equalised weights ------------------------------------------------------------------------------------------------------


def test_equalised_weights_are_scaled_at_run_time() -> None:
    """Weights (3, 4) of a layer with two inputs act as (3, 4) / sqrt 2, and its bias as it is."""
    layer = EqualLinear(2, 1, bias=0.5)
    layer.weight.data.copy_(torch.tensor([[3.0, 4.0]]))
    assert layer(torch.ones(1, 2)).item() == pytest.approx(7 / math.sqrt(2) + 0.5)


def test_pace_changes_the_speed_and_not_the_start() -> None:
    """Adam moves each weight by lr = 0.1: with 4 inputs of 1 the output moves by 4 * 0.1 / sqrt 4, and by 0.1 for the bias; times
    lr_multiplier."""
    for lr_multiplier in (1.0, 0.01):
        torch.manual_seed(0)
        layer = EqualLinear(4, 1, lr_multiplier)
        assert_close(layer.weight * layer.scale, at_pace_one() / math.sqrt(4))
        before = layer(torch.ones(1, 4)).item()
        optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
        layer(torch.ones(1, 4)).sum().backward()
        optimizer.step()
        assert before - layer(torch.ones(1, 4)).item() == pytest.approx(lr_multiplier * (0.2 + 0.1), rel=1e-3)


def at_pace_one() -> torch.Tensor:
    torch.manual_seed(0)
    return EqualLinear(4, 1).weight.detach()


def test_a_fresh_convolution_keeps_the_variance() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 32, 16, 16)
    inside = EqualConv(32, 64, 3)(x)[:, :, 1:-1, 1:-1]
    assert inside.var().item() == pytest.approx(1.0, abs=0.05)


# --- resampling ---------------------------------------------------------------------------------------------------------------


def test_blur_by_hand() -> None:
    """One lit pixel becomes the filter [1, 3, 3, 1] / 8 in each direction."""
    x = torch.zeros(1, 2, 6, 6)
    x[:, 1, 2, 2] = 64
    y = Blur(2, padding=2)(x)
    line = torch.tensor([1.0, 3.0, 3.0, 1.0])
    assert_close(y[0, 1, 1:5, 1:5], line[:, None] * line)
    assert not y[0, 0].any() and y.sum() == 64


def test_doubling_and_halving_meet_any_size() -> None:
    x = torch.ones(1, 2, 7, 13)
    assert EqualUpConv(2, 3, (13, 25))(x).shape == (1, 3, 13, 25)
    assert EqualConv(2, 3, 3, down=True)(x).shape == (1, 3, 4, 7)


def test_doubling_is_bilinear() -> None:
    """A kernel with its centre only doubles an image as bilinear interpolation does (but for the border, where zeros stand)."""
    up = EqualUpConv(1, 1, (12, 12))
    up.weight.data.zero_()
    up.weight.data[..., 1, 1] = 1 / up.scale
    x = torch.rand(1, 1, 6, 6)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert_close(up(x)[..., 1:-1, 1:-1], expected[..., 1:-1, 1:-1])


# --- modulation ---------------------------------------------------------------------------------------------------------------


def test_modulation_and_demodulation_by_hand() -> None:
    """Weights (3, 4), style (2, 1): (6, 4), of norm sqrt 52. On x = (1, 1) that gives 10, demodulated 10 / sqrt 52."""
    conv = EqualConv(2, 1, 1)
    conv.weight.data.copy_(torch.tensor([3.0, 4.0]).view(1, 2, 1, 1) / conv.scale)
    style = torch.tensor([[2.0, 1.0]])
    y = modulated(conv, torch.ones(1, 2, 1, 1), style)
    assert y.item() == pytest.approx(10.0)
    assert (y * demodulation(conv, style)).item() == pytest.approx(10 / math.sqrt(52))


@pytest.mark.parametrize("up", [False, True])
def test_it_is_a_convolution_with_weights_of_each_image(up: bool) -> None:
    """Eqs. 1 and 3 as they stand: a kernel for each image, in one grouped convolution."""
    torch.manual_seed(0)
    n, c, k = 3, 4, 5
    conv = EqualUpConv(c, k, (12, 12)) if up else EqualConv(c, k, 3)
    x, style = torch.randn(n, c, 6, 6), torch.randn(n, c)
    weight = conv.weight * conv.scale  # (k, c, 3, 3), or (c, k, 3, 3) where transposed
    inputs = 1 if up else 2
    weight = weight[None] * style.view(n, c, 1, 1, 1).transpose(1, inputs)
    weight = weight / (weight.square().sum((inputs, 3, 4), keepdim=True) + 1e-8).sqrt()
    grouped = x.view(1, n * c, 6, 6)
    if up:
        y = F.conv_transpose2d(grouped, weight.view(n * c, k, 3, 3), stride=2, groups=n)
        expected = conv.blur(y.view(n, k, 13, 13))  # pyright: ignore
    else:
        expected = F.conv2d(grouped, weight.view(n * k, c, 3, 3), padding=1, groups=n).view(n, k, 6, 6)
    assert_close(modulated(conv, x, style) * demodulation(conv, style)[:, :, None, None], expected)


def test_demodulation_gives_back_the_variance() -> None:
    torch.manual_seed(0)
    conv, style = EqualConv(64, 32, 3), torch.randn(2, 64) * 5
    y = modulated(conv, torch.randn(2, 64, 16, 16), style) * demodulation(conv, style)[:, :, None, None]
    assert y[..., 1:-1, 1:-1].var().item() == pytest.approx(1.0, abs=0.1)


# --- G ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [*SHAPES, (1, 64, 64), (1, 3, 3), (3, 5, 9)], ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_any_shape(shape: Shape, kind: str) -> None:
    G, D = generator(shape, kind=kind), StyleDiscriminator(shape, [8, 4], kind, outputs=3)
    images = G(torch.randn(2, 6))
    assert images.shape == (2, *shape)
    assert D(images).shape == (2, 3)
    assert len(G.synthesis.noise_sizes) == G.synthesis.inputs - 1


def test_the_mapping_network_sees_directions_only() -> None:
    mapping, z = Mapping(6, 5), torch.randn(2, 6)
    assert_close(mapping(3 * z), mapping(z))


def test_noise_counts_by_its_strength() -> None:
    G, w = generator(), torch.randn(2, 6, 5)
    noise = [[torch.randn(2, 1, *size) for size in G.synthesis.noise_sizes] for _ in range(2)]
    assert torch.equal(G.synthesis(w, noise[0]), G.synthesis(w, noise[1])), "a fresh strength is zero"
    set_strengths(G, 0.5)
    assert not torch.allclose(G.synthesis(w, noise[0]), G.synthesis(w, noise[1]))
    assert torch.equal(G.synthesis(w), G.synthesis(w)), "without noise of the caller it is a fixed one"


@pytest.mark.parametrize("kind", KINDS)
def test_every_style_input_and_every_noise_is_used(kind: str) -> None:
    G = generator((1, 12, 12), kind=kind)
    set_strengths(G, 0.5)
    styles = torch.randn(2, G.synthesis.inputs, 5, requires_grad=True)
    noise = [torch.randn(2, 1, *size, requires_grad=True) for size in G.synthesis.noise_sizes]
    G.synthesis(styles, noise).square().sum().backward()
    assert styles.grad is not None and styles.grad.square().sum((0, 2)).min() > 0
    assert all(one.grad is not None and one.grad.any() for one in noise)


def test_truncation_draws_to_the_mean() -> None:
    z = torch.randn(3, 6)
    G = generator(truncation=0.0)
    G.mapping.average.copy_(torch.randn(5))
    images = G(z)
    assert_close(images[0], images[1])
    assert_close(images[0], G.synthesis(G.mapping.average.expand(1, G.synthesis.inputs, 5))[0])
    G.truncation = 0.5
    half = (G.mapping(z) + G.mapping.average) / 2
    assert_close(G(z), G.synthesis(half[:, None].expand(-1, G.synthesis.inputs, -1)))


def test_a_class_moves_w() -> None:
    mapping, z = Mapping(6, 5, classes=3), torch.randn(1, 6).expand(3, 6)
    w = mapping(z, torch.tensor([0, 1, 0]))
    assert_close(w[0], w[2])
    assert not torch.allclose(w[0], w[1])


# --- D ------------------------------------------------------------------------------------------------------------------------


def test_minibatch_deviation_by_hand() -> None:
    """Neighbours 0 and 2: deviation 1. Neighbours 5 and 5: none (1e-4, which keeps the root's slope finite)."""
    x = torch.tensor([0.0, 2.0, 5.0, 5.0]).view(4, 1, 1, 1).expand(4, 2, 3, 3)
    assert_close(minibatch_deviation(x, 2).flatten(), torch.tensor([1.0, 1.0, 1e-4, 1e-4]))
    assert_close(
        minibatch_deviation(x, 4).flatten(), torch.full((4,), math.sqrt(4.5))
    )  # about 3: 9 + 1 + 4 + 4, over 4
    assert_close(minibatch_deviation(x, 3), minibatch_deviation(x, 2))  # 3 does not divide 4
    assert_close(minibatch_deviation(x[2:], 2), minibatch_deviation(x, 2)[2:])  # half a batch has the same groups


def test_images_meet_inside_their_group_only() -> None:
    torch.manual_seed(0)
    D, x = StyleDiscriminator((1, 8, 8), [8, 4], group=2), torch.randn(4, 1, 8, 8)
    changed = x.clone()
    changed[3] += 1
    moved = (D(x) - D(changed)).flatten().abs() > 1e-6
    assert moved.tolist() == [False, False, True, True]
    alone = StyleDiscriminator((1, 8, 8), [8, 4], group=1)
    assert ((alone(x) - alone(changed)).flatten().abs() > 1e-6).tolist() == [False, False, False, True]


@pytest.mark.parametrize("channels", [1, 3])
def test_layers_stay_channels_last(channels: int) -> None:
    """Otherwise all that follows is slow on a CPU (grey images fit both layouts, so a convolution of them may choose)."""
    networks = torch.nn.ModuleList([generator((channels, 16, 16)), StyleDiscriminator((channels, 16, 16), [8, 4])])
    networks.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    layouts = []
    for module in networks.modules():
        if isinstance(module, EqualConv | EqualUpConv | Blur) and getattr(module, "out_channels", 8) > channels:
            module.register_forward_hook(
                lambda _, __, y: layouts.append(y.is_contiguous(memory_format=torch.channels_last))
            )
    networks[1](networks[0](torch.randn(4, 6)))
    assert len(layouts) > 10 and all(layouts)
