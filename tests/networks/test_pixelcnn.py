"""Gated PixelCNN: nothing later is seen, nothing earlier within reach missed; the cache computes what the whole does."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from ganvas.networks.pixelcnn import Incremental, MaskedConv, PixelCNN, gate, multiple, owners


def network(
    channels: int = 1, groups: int | None = None, layers: int = 3, kernel: int = 3, first: int = 3, classes: int = 0
) -> PixelCNN:
    """A small one in double precision, with two outputs a channel and weights large enough that every path counts."""
    torch.manual_seed(1)
    groups = channels if groups is None else groups
    made = PixelCNN(channels, 2 * channels, groups, 6, layers, kernel, first, head=6, classes=classes).double()
    with torch.no_grad():
        made.out.weight.normal_()
        made.skip.bias.fill_(3.0)  # every feature of the head is on: a ReLU that is off would hide a path  # pyright: ignore[reportOptionalMemberAccess]
        made.hidden.bias.fill_(9.0)  # pyright: ignore[reportOptionalMemberAccess]
    return made.requires_grad_(False)


def seen(made: PixelCNN, shape: tuple[int, int, int], c: int, i: int, j: int) -> torch.Tensor:
    """Which values (C, H, W) of the image the outputs of channel c at (i, j) depend on."""
    x = torch.randn(1, *shape, dtype=torch.float64, requires_grad=True)
    total = torch.zeros(shape, dtype=torch.float64)
    for out in made(x)[0].chunk(made.groups)[c if made.groups > 1 else 0][:, i, j]:
        total += torch.autograd.grad(out, x, retain_graph=True)[0][0].abs()
    return total > 0


def allowed(shape: tuple[int, int, int], groups: int, reach: int, c: int, i: int, j: int) -> torch.Tensor:
    """What the outputs of channel c at (i, j) must depend on: `reach` pixels up, to both sides there; left; earlier groups."""
    C, H, W = shape
    k, y, x = torch.meshgrid(torch.arange(C), torch.arange(H), torch.arange(W), indexing="ij")
    above = (y < i) & (i - y <= reach) & ((x - j).abs() <= reach)
    left = (y == i) & (x < j) & (j - x <= reach)
    here = (y == i) & (x == j) & (k < c) & (groups > 1)
    return above | left | here


PLACES = [(0, 0), (0, 4), (2, 3), (3, 0), (4, 8), (5, 4), (6, 8)]


@pytest.mark.parametrize(("channels", "groups"), [(1, 1), (3, 3), (2, 2), (3, 1)])
@pytest.mark.parametrize("place", PLACES, ids=str)
def test_all_earlier_values_within_reach_and_no_later_one_are_seen(
    channels: int, groups: int, place: tuple[int, int]
) -> None:
    """First layer 3 x 3 and two more: a reach of 3. Exactly zero elsewhere; no blind spot to the upper right."""
    made, shape = network(channels, groups), (channels, 7, 9)
    for c in range(groups):
        assert torch.equal(seen(made, shape, c, *place), allowed(shape, groups, 3, c, *place))


@pytest.mark.parametrize(
    ("layers", "kernel", "first", "reach"), [(1, 3, 7, 3), (2, 5, 3, 3), (2, 3, 5, 3), (2, 7, 5, 5)]
)
def test_the_reach_of_other_kernels(layers: int, kernel: int, first: int, reach: int) -> None:
    """Half of the first kernel, and half of the kernel for each further layer."""
    made, shape = network(2, layers=layers, kernel=kernel, first=first), (2, 9, 11)
    for c in range(2):
        assert torch.equal(seen(made, shape, c, 7, 5), allowed(shape, 2, reach, c, 7, 5))


def test_masks_by_hand() -> None:
    """Two groups of two: mask A lets the second see the first, mask B each itself too; the pixel to the left is open."""
    groups = owners(4, 2)
    assert groups.tolist() == [0, 0, 1, 1]
    first, later = MaskedConv(groups, groups, 2, own=False), MaskedConv(groups, groups, 2)
    assert first.mask[:, :, 0, 0].all() and later.mask[:, :, 0, 0].all()
    assert first.mask[:, :, 0, 1].tolist() == [[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]]
    assert later.mask[:, :, 0, 1].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1]]


def test_a_gate_by_hand() -> None:
    """tanh(0.5) sigmoid(-1)"""
    assert gate(torch.tensor([[0.5, -1.0]])).item() == pytest.approx(0.4621172 * 0.2689414, rel=1e-6)


def test_width_is_rounded_up_to_the_groups() -> None:
    assert multiple(64, 3) == 66 and multiple(64, 2) == 64
    assert PixelCNN(3, 6, 3, 4, 1, head=4).features == 6


def test_signals_keep_their_size_through_the_layers() -> None:
    """The gate takes eight ninths of the variance; the weights give it back, in both stacks, at any depth."""
    torch.manual_seed(0)
    made = PixelCNN(1, 1, 1, 48, 10)
    sizes = []
    for layer in made.layers:
        layer.link.register_forward_hook(lambda _, seen, out: sizes.append(seen[0][:, :, 8:].std().item()))  # pyright: ignore[reportAttributeAccessIssue]
    made((torch.rand(4, 1, 20, 20) > 0.5) * 2.0 - 1)
    assert len(sizes) == 10 and min(sizes) > 0.4 and max(sizes) < 2


@pytest.mark.parametrize(
    ("channels", "groups", "classes", "shape"),
    [(1, 1, 0, (6, 7)), (3, 3, 2, (4, 5)), (3, 1, 0, (5, 4)), (2, 2, 0, (1, 6)), (1, 1, 3, (6, 1))],
)
def test_pixel_by_pixel_is_the_whole(channels: int, groups: int, classes: int, shape: tuple[int, int]) -> None:
    made = network(channels, groups, classes=classes, first=5, kernel=5)
    H, W = shape
    label = torch.tensor([0, 1, 1]) if classes else None
    x = torch.randn(3, channels, H, W, dtype=torch.float64)
    whole = made(x, label).unflatten(1, (groups, -1))
    cached = Incremental(made, 3, W, label)
    for i in range(H):
        cached.begin_row()
        for j in range(W):
            for g in range(groups):
                assert_close(cached.raw(j, g), whole[:, g, :, i, j], rtol=1e-10, atol=1e-12)
                part = slice(g * channels // groups, (g + 1) * channels // groups)
                cached.pixel(j)[:, part] = x[:, part, i, j]
        assert torch.equal(cached.row(), x[:, :, i])


def test_the_class_moves_every_layer_of_both_stacks() -> None:
    made = network(classes=2)
    x, label = torch.randn(2, 1, 5, 5, dtype=torch.float64), torch.tensor([0, 1])
    for layer in made.layers:
        layer.classes.weight.zero_()  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
    assert_close(made(x, label), made(x, label.flip(0)))
    for layer in made.layers:
        for part in layer.classes.weight.chunk(2, 1):  # pyright: ignore[reportAttributeAccessIssue, reportCallIssue]
            part[1] = 0.5
            assert (made(x, label) - made(x, label.flip(0))).abs().max() > 1e-3
            part[1] = 0.0


def test_dropped_features_are_left_out() -> None:
    """All gates dropped: the image has no influence left. All kept: as without."""
    made = network()
    x, other = torch.randn(2, 2, 1, 5, 5, dtype=torch.float64)
    none, all_ = torch.zeros(2, 3, 6), torch.ones(2, 3, 6)
    assert torch.equal(made(x, dropout_mask=none), made(other, dropout_mask=none))
    assert torch.equal(made(x, dropout_mask=all_), made(x))
