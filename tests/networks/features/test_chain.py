"""The way back through a frozen network: autograd's gradient, and how little is kept for it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from ganvas.networks.features.catalog import CATALOG
from ganvas.networks.features.chain import Layer, Pool, input_gradient
from ganvas.networks.features.extractor import build_network
from ganvas.networks.features.network import FeatureNetwork

CASES = [(name, "max") for name in CATALOG if name != "vgg19"] + [("vgg16", "average")]


def layers_of(name: str) -> list[str]:
    """The first, the last and some between: one with an activation, one without, sums of residual blocks."""
    return list(dict.fromkeys([*CATALOG[name].style_layers, *CATALOG[name].content_layers]))[:4]


def opened(name: str, pool: str = "max") -> FeatureNetwork:
    """With random weights, in float64."""
    torch.manual_seed(0)
    made = build_network(name, pool=pool).double()
    made.scale, made.shift = made.scale.double(), made.shift.double()
    return made


def of_walk(network: FeatureNetwork, x: Tensor, weights: dict[str, Tensor]) -> tuple[dict[str, Tensor], Tensor]:
    """Features, and the gradient of the sum of each layer's features by `weights` and of their squares."""
    walk, found = network.walk(weights), {}
    entered = network.prepare(x)
    walk.forward(entered.detach(), lambda name, y: found.update({name: network.by_image(y, len(x)).clone()}))

    def slope(name: str, y: Tensor, gradient: Tensor) -> None:
        gradient.add_((weights[name] + 2 * network.by_image(y, len(x))).reshape(gradient.shape))

    (gradient,) = torch.autograd.grad(entered, x, walk.back(slope))
    return found, gradient


@pytest.mark.parametrize("shape", [(1, 3, 32, 48), (2, 3, 21, 17), (1, 3, 1, 3)])
@pytest.mark.parametrize(("name", "pool"), CASES)
def test_the_way_back_gives_autograds_gradient(name: str, pool: str, shape: tuple[int, ...]) -> None:
    network = opened(name, pool)
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 2 - 1).double().requires_grad_()
    taps = network.by_autograd(x, layers_of(name))
    weights = {layer: torch.randn_like(value) for layer, value in taps.items()}
    loss = torch.stack([(value * weights[layer] + value.square()).sum() for layer, value in taps.items()]).sum()
    (wanted,) = torch.autograd.grad(loss, x)
    found, gradient = of_walk(network, x, weights)
    assert all(torch.equal(found[layer], taps[layer]) for layer in weights)
    # `prepare` is in float32.
    assert_close(gradient, wanted, atol=1e-6 * float(wanted.abs().max()), rtol=1e-5)


def test_pooling_takes_the_first_of_equal_ones_and_nothing_of_zeros() -> None:
    """By hand: 3 twice, so the upper left; all 0, so none; a lower right 2."""
    x = torch.tensor([[3.0, 3.0, 0.0, 0.0, 0.0, 1.0], [1.0, 3.0, 0.0, 0.0, 1.0, 2.0]]).view(1, 1, 2, 6)
    pool = Pool("max")
    y, offsets = pool.without_graph(x)
    assert y.flatten().tolist() == [3, 0, 2] and offsets is not None
    assert offsets.flatten().tolist() == [0, 0, 7]
    back = pool.back(torch.tensor([5.0, 7.0, 9.0]).view(1, 1, 1, 3), y, offsets, (2, 6))
    assert back.view(2, 6).tolist() == [[5, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 9]]


@pytest.mark.parametrize("size", [(12, 10), (13, 9), (2, 3)])
def test_pooling_by_bands_is_that_of_the_whole(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.networks.features.chain.NUMBERS_PER_BAND", 8 * 2 * 5 * size[1])
    x = torch.randn(2, 5, *size).relu_().contiguous(memory_format=torch.channels_last).requires_grad_()
    wanted = F.max_pool2d(x, 2)
    y, offsets = Pool("max").without_graph(x.detach())
    assert torch.equal(y, wanted)
    gradient = torch.randn_like(y)
    (slope,) = torch.autograd.grad(wanted, x, gradient)
    assert torch.equal(Pool("max").back(gradient.clone(), y, offsets, size), slope * (x > 0))


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(3, 1, 1), (5, 2, 1), (1, 1, 1), (3, 1, 4), (5, 2, 4)])
def test_the_gradient_at_the_input_of_a_convolution(kernel: int, stride: int, groups: int) -> None:
    conv = nn.Conv2d(4, 4, kernel, stride, kernel // 2, groups=groups).double().requires_grad_(False)
    x = torch.randn(2, 4, 9, 8, dtype=torch.float64, requires_grad=True)
    y = conv(x)
    gradient = torch.randn_like(y)
    (wanted,) = torch.autograd.grad(y, x, gradient)
    assert_close(input_gradient(conv, gradient, (9, 8)), wanted)


def test_little_is_kept() -> None:
    """VGG-16 to relu3_1, in numbers for a pixel: the pooled ones, 64 / 4 and 128 / 16, and where they are from; relu2_1 and
    relu3_1, 128 / 4 and 256 / 16, which were asked for. Autograd keeps 64 + 64 more, and places in four times the bytes."""
    walk, side = build_network("vgg16").walk(["relu1_1", "relu2_1", "relu3_1"]), 32
    walk.forward(torch.zeros(1, 3, side, side), lambda *_: None)
    numbers = sum(stored.y.numel() for stored in walk.stored if stored.y is not None)
    assert numbers == side**2 * (64 / 4 + 128 / 16 + 128 / 4 + 256 / 16)
    places = [stored.offsets for stored in walk.stored if stored.offsets is not None]
    assert sum(one.numel() * one.itemsize for one in places) == 2 * side**2 * (64 / 4 + 128 / 16)
    walk.back(lambda *_: None)
    assert not walk.stored


@pytest.mark.parametrize("activation", ["relu", "relu6"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_pass_gives_what_two_give(activation: str, dtype: torch.dtype) -> None:
    layer = Layer(nn.Conv2d(6, 6, 3, 2, 1, groups=6), activation).to(dtype).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    x = (20 * torch.randn(2, 6, 9, 8)).to(dtype, memory_format=torch.channels_last)
    with torch.no_grad():
        assert_close(
            layer.without_graph(x),
            layer.activated(layer.conv(x)),
            atol=0.1 if dtype == torch.bfloat16 else 1e-4,
            rtol=0.01,
        )


def test_nothing_is_kept_where_no_way_back_is_wanted() -> None:
    walk = build_network("mobilenet_v2").walk(["block3"])
    walk.forward(torch.zeros(1, 3, 32, 32), lambda *_: None, back=False)
    assert not walk.stored and walk.start is None


def test_bf16_gradients_are_near_those_of_float32() -> None:
    """Within a few of its roundings (2^-8): the cosine of the two gradients is above 0.99."""
    x = (torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1).requires_grad_()
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)
        network = build_network("mobilenet_v2").to(dtype)
        shapes = network(x.detach(), ["stem", "block3"])
        weights = {name: torch.ones_like(value) for name, value in shapes.items()}
        gradients.append(of_walk(network, x, weights)[1].flatten())
    assert float(F.cosine_similarity(*gradients, dim=0)) > 0.99
