"""Tiles: the same image as in one piece, and no seam to be seen."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganvas.tasks.tiles import reflected, tiled


def photo(height: int, width: int, channels: int = 3, seed: int = 0) -> Tensor:
    """Smooth noise in [-1, 1]."""
    coarse = torch.randn(1, channels, height // 8 + 2, width // 8 + 2, generator=torch.Generator().manual_seed(seed))
    return functional.interpolate(coarse, (height, width), mode="bicubic").clamp(-1, 1)


def convolutions(radius: int, scale: int = 1) -> nn.Module:
    """A net in which an output pixel depends on inputs up to `radius` away."""
    torch.manual_seed(radius)
    layers: list[nn.Module] = []
    for _ in range(radius):
        layers += [nn.Conv2d(3, 3, 3, padding=1), nn.Tanh()]
    layers += [nn.Conv2d(3, 3 * scale**2, 1), nn.PixelShuffle(scale)]
    return nn.Sequential(*layers).requires_grad_(False)


@pytest.mark.parametrize(("height", "width"), [(300, 171), (64, 64), (65, 64), (1, 1), (1, 500), (97, 3)])
@pytest.mark.parametrize("scale", [1, 2])
def test_tiles_give_what_the_whole_gives(height: int, width: int, scale: int) -> None:
    net, image = convolutions(8, scale), photo(height, width)
    made = tiled(net, image, tile=64, overlap=32, scale=scale, context=8)
    assert made.shape == (1, 3, height * scale, width * scale)
    torch.testing.assert_close(made, net(image), atol=1e-5, rtol=0)


def test_the_context_is_what_makes_them_equal() -> None:
    net, image = convolutions(8), photo(150, 150)
    assert (tiled(net, image, tile=64, overlap=32, context=0) - net(image)).abs().max() > 1e-4


def test_no_seam_is_seen_where_the_net_looks_further_than_the_overlap() -> None:
    """Each tile answers with its own mean, as instance norm does: the steps between tiles are spread out, and nowhere steep."""
    image = torch.linspace(-1, 1, 400).expand(1, 1, 200, 400)

    def mean(part: Tensor) -> Tensor:
        return part.mean().expand(part.shape)

    hard = tiled(mean, image, tile=128, overlap=0)
    soft = tiled(mean, image, tile=128, overlap=32)
    assert float(hard.diff(dim=3).abs().max()) > 0.3
    assert (
        float(soft.diff(dim=3).abs().max()) < 0.06
    )  # a step of 0.48 over 16 pixels, at its steepest pi / 2 times the mean
    torch.testing.assert_close(soft[..., -1], hard[..., -1])


@pytest.mark.parametrize("multiple", [1, 8, 32, 96])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 300), (200, 130)])
def test_sizes_are_multiples_and_every_pixel_comes_back(multiple: int, height: int, width: int) -> None:
    seen = []

    def same(part: Tensor) -> Tensor:
        seen.append(part.shape[2:])
        return part

    image = photo(height, width)
    torch.testing.assert_close(tiled(same, image, tile=64, multiple=multiple), image)
    assert all(side % multiple == 0 for sides in seen for side in sides)
    assert max(max(sides) for sides in seen) <= max(64, 2 * multiple)


def test_reflection_worked_by_hand() -> None:
    row = torch.tensor([1.0, 2.0, 3.0]).view(1, 1, 1, 3)
    assert reflected(row, 8)[0, 0, 0].tolist() == [1, 2, 3, 2, 1, 2, 3, 2]
    assert reflected(row, 8).shape[2] == 8 and reflected(row, 3)[0, 0].tolist() == [[1, 2, 3]] * 3


def test_a_large_image_passes_in_small_parts() -> None:
    largest = 0

    def note(part: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, part.numel())
        return part.repeat_interleave(2, 2).repeat_interleave(2, 3)

    tiled(note, torch.zeros(1, 3, 3000, 2000), scale=2)
    assert largest == 3 * 512 * 512
