"""The stack of dilated convolutions: who sees whom, and the cache that gives the same numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.networks.wavenet import HOP_SAMPLES, SAMPLES_PER_PRODUCT, Incremental, WaveNet


def network(
    dilations: list[int], kernel: int = 2, taps: int = 3, classes: int = 0, length: int = 0, width: int = 8
) -> WaveNet:
    torch.manual_seed(0)
    made = WaveNet(2, 5, width, dilations, kernel, taps, 32, classes, length)
    for parameter in made.parameters():  # so that biases and the last layer count too
        torch.nn.init.normal_(parameter, 0.0, 0.3)
    return made.eval()


def seen_by(net: WaveNet, place: int, length: int, label: Tensor | None = None) -> list[int]:
    """Samples that the distribution of the one at `place` depends on."""
    x = torch.randn(1, 2, length, requires_grad=True)
    net(x, label)[0, place].square().sum().backward()
    assert x.grad is not None
    return torch.nonzero(x.grad[0].abs().sum(0))[:, 0].tolist()


@pytest.mark.parametrize(
    ("dilations", "kernel", "taps", "field"),
    [
        ([1, 2, 4, 8], 2, 1, 16),  # the paper's figure 3: 16 samples
        ([1, 2, 4, 8], 2, 3, 18),
        ([1, 2, 4] * 2, 2, 1, 15),  # each stack adds 7
        ([1, 4, 16], 4, 2, 65),  # 2 + 3 (1 + 4 + 16)
        ([1, 3], 3, 1, 9),
    ],
)
def test_a_sample_sees_its_field_and_nothing_else(dilations: list[int], kernel: int, taps: int, field: int) -> None:
    """By gradient: the last `field` samples before it, not itself, not those to come."""
    net = network(dilations, kernel, taps)
    assert net.field == field
    assert seen_by(net, 80, 100) == list(range(80 - field, 80))
    assert seen_by(net, 3, 100) == list(range(3))
    assert seen_by(net, 0, 100) == []


def test_gates_that_are_told_see_no_further() -> None:
    net = network([1, 2, 4], classes=3, length=200)
    assert seen_by(net, 90, 150, torch.tensor([1])) == list(range(90 - net.field, 90))


def test_class_and_place_matter() -> None:
    net, x = network([1, 2], classes=3, length=300), torch.randn(2, 2, 100)
    labels = torch.tensor([0, 1])
    with torch.no_grad():
        raw = net(x, labels)
        assert not torch.allclose(raw, net(x, labels.flip(0)))
        assert not torch.allclose(raw, net(x, labels, torch.tensor([1, 0]))[:, :100])
        later = net(torch.cat([torch.zeros(2, 2, HOP_SAMPLES), x], 2), labels)[:, HOP_SAMPLES:]
        moved = net(x, labels, torch.tensor([1, 1]))
    far = net.field  # from there on only what is in both is seen
    torch.testing.assert_close(later[:, far:], moved[:, far:])


@pytest.mark.parametrize("length", [1, HOP_SAMPLES - 1, HOP_SAMPLES, 2 * HOP_SAMPLES + 5])
def test_any_length(length: int) -> None:
    net = network([1, 2], length=200)
    x = torch.randn(1, 2, 2 * HOP_SAMPLES + 5)
    with torch.no_grad():
        torch.testing.assert_close(net(x[:, :, :length]), net(x)[:, :length])


@pytest.mark.parametrize(
    ("dilations", "kernel", "taps", "told"),
    [
        ([1, 2, 4, 8, 16, 32], 2, 3, True),  # taps on both sides of TOGETHER
        ([1, 4, 16], 4, 32, True),  # of one layer some near, some far
        ([1, 3, 9, 27], 3, 1, False),
        ([1], 2, 1, False),
    ],
)
def test_the_cache_gives_the_same_numbers(dilations: list[int], kernel: int, taps: int, told: bool) -> None:
    """Beyond the field, and beyond several of its own blocks."""
    length = 3 * HOP_SAMPLES + SAMPLES_PER_PRODUCT + 3
    net = network(dilations, kernel, taps, classes=4 if told else 0, length=length if told else 0)
    x, label = torch.randn(3, 2, length), torch.tensor([2, 0, 3])
    with torch.no_grad():
        whole = net(x, label)
    cached = Incremental(net, 3, label)
    for t in range(length):
        torch.testing.assert_close(cached.raw(), whole[:, t], rtol=1e-4, atol=1e-4)
        cached.push(x[:, :, t])


def test_bf16_says_nearly_the_same() -> None:
    """At the sizes of `small`, in the memory layout of trainings: a kernel that is wrong is off by its own size."""
    torch.manual_seed(0)
    net = WaveNet(2, 30, 64, [1, 4, 16], 4, 32, 96).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    x = torch.randn(2, 2, 512)
    with torch.no_grad():
        exact = net(x)
        with torch.autocast("cpu", torch.bfloat16):
            rough = net(x).float()
    assert (rough - exact).norm() < 0.05 * exact.norm()
