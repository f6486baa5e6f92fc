from __future__ import annotations

import pytest
import torch

from ganvas.errors import DataError
from ganvas.networks.volume import VolumeDiscriminator, VolumeGenerator, smallest


@pytest.mark.parametrize("norm", [False, True])
def test_sizes(norm: bool) -> None:
    z, shape = torch.randn(3, 5), (8, 16, 12)
    volumes = VolumeGenerator(5, shape, (6, 4), norm)(z)
    assert volumes.shape == (3, *shape)
    assert VolumeDiscriminator(shape, (4, 6), norm, outputs=2)(volumes).shape == (3, 2)


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


def test_outputs_begin_where_they_are_told() -> None:
    volumes = VolumeGenerator(8, (16, 16, 16), (8, 4), False, start=-1.0)(torch.randn(4, 8)).detach()
    assert abs(float(volumes.mean()) + 1) < 0.3 and float(volumes.std()) > 0.1


def test_sides_must_be_multiples() -> None:
    assert smallest((8, 16, 24), 3) == (1, 2, 3)
    with pytest.raises(DataError, match=r"12x16x16 voxels are no multiple of 8.*data.voxels"):
        VolumeGenerator(4, (12, 16, 16), (4, 4, 4), False)
