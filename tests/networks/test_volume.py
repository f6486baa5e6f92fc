from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from ganvas.errors import DataError
from ganvas.networks.volume import VolumeDiscriminator, VolumeGenerator, smallest


@pytest.mark.parametrize(("norm", "widths"), [(False, (6, 4)), (True, (6, 4)), (True, (6, 1))])
def test_sizes(norm: bool, widths: tuple[int, int]) -> None:
    z, shape = torch.randn(3, 5), (8, 16, 12)
    volumes = VolumeGenerator(5, shape, widths, norm)(z)
    assert volumes.shape == (3, *shape)
    assert VolumeDiscriminator(shape, widths[::-1], norm, outputs=2)(volumes).shape == (3, 2)


def test_initial_variances_are_kept() -> None:
    torch.manual_seed(0)
    generator, discriminator = (
        VolumeGenerator(64, (32, 32, 32), (32, 16, 8), False),
        VolumeDiscriminator((32, 32, 32), (8, 16, 32), False),
    )
    seen: list[float] = []
    for conv in (*generator.convs[:-1], *discriminator.convs):
        conv.register_forward_hook(lambda _, __, y: seen.append(float(y.std())))
    with torch.no_grad():
        generator(torch.randn(8, 64))
        discriminator(torch.randn(8, 32, 32, 32))
    assert all(0.6 < one < 2.2 for one in seen), seen


def test_the_last_convolution_is_a_transposed_one() -> None:
    """Voxel p of a cell is of tap p of a 4-wide kernel for the input behind it, and of tap p + 2 for the one before it."""
    torch.manual_seed(0)
    generator = VolumeGenerator(5, (8, 8, 12), (3,), False)
    seen: list[torch.Tensor] = []
    conv = cast(nn.Conv3d, generator.convs[0])
    conv.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        conv.bias = nn.Parameter(torch.full_like(cast(torch.Tensor, conv.bias), 0.5))
        volumes = generator(torch.randn(2, 5))
        places = conv.weight.view(2, 2, 2, 3, 2, 2, 2).flip(4, 5, 6)  # (place in a cell, channel, tap)
        kernel = places.permute(3, 4, 0, 5, 1, 6, 2).reshape(3, 1, 4, 4, 4)
        expected = F.conv_transpose3d(seen[0], kernel, torch.full((1,), 0.5), stride=2, padding=1)
    torch.testing.assert_close(volumes, expected[:, 0], rtol=1e-4, atol=1e-5)


def test_outputs_begin_where_they_are_told() -> None:
    volumes = VolumeGenerator(8, (16, 16, 16), (8, 4), False, start=-1.0)(torch.randn(4, 8)).detach()
    assert abs(float(volumes.mean()) + 1) < 0.3 and float(volumes.std()) > 0.1


def test_sides_must_be_multiples() -> None:
    assert smallest((8, 16, 24), 3) == (1, 2, 3)
    with pytest.raises(DataError, match=r"12x16x16 voxels are no multiple of 8.*data.voxels"):
        VolumeGenerator(4, (12, 16, 16), (4, 4, 4), False)
