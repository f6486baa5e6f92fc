"""Damage: as Pillow makes it where Pillow makes it, by its statistics where it is random."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ganvas.data.degrade import (
    box_masks,
    downscaled,
    gaussian_noise,
    jpeg,
    poisson_noise,
    quantised,
    salt_and_pepper,
    stroke_masks,
    turned,
    upscaled,
)


def photo(height: int = 48, width: int = 64, channels: int = 3) -> Tensor:
    """Smooth shapes with some noise, at the levels of bytes."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, channels, height // 8, width // 8, generator=random)
    smooth = F.interpolate(coarse, (height, width), mode="bicubic") * 0.5
    return quantised(smooth + 0.05 * torch.randn(1, channels, height, width, generator=random))


def image(x: Tensor) -> Image.Image:
    levels = ((x[0] + 1) * 127.5).round().byte().movedim(0, 2).numpy()
    return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_smaller_and_larger_as_pillow_does_it(scale: int) -> None:
    x = photo(48, 72, 1)
    whole = Image.fromarray(x[0, 0].numpy())
    small = whole.resize((72 // scale, 48 // scale), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(downscaled(x, scale)[0, 0], np.asarray(small), atol=1e-5)
    large = whole.resize((72 * scale, 48 * scale), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(upscaled(x, scale)[0, 0], np.asarray(large), atol=1e-5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("quality", [5, 25, 50, 90])
def test_jpeg_as_pillow_writes_it(channels: int, quality: int) -> None:
    x = photo(channels=channels)
    buffer = io.BytesIO()
    image(x).save(buffer, format="JPEG", quality=quality)
    with Image.open(buffer) as written:
        theirs = np.asarray(written).astype(float)
    ours = (jpeg(x, quality)[0].movedim(0, 2).numpy() + 1) * 127.5
    before = (x[0].movedim(0, 2).numpy() + 1) * 127.5
    theirs = theirs.reshape(ours.shape)
    difference, degradation = np.abs(ours - theirs).mean(), np.abs(before - theirs).mean()
    # The luminance agrees but for ties; the halved colour is rounded at other places.
    assert difference < (0.15 if channels == 1 else 0.2) * degradation, (
        f"{difference} levels from Pillow, which is {degradation} from the original"
    )


def test_jpeg_is_the_same_in_mixed_precision() -> None:
    """A cosine transform in bf16 would add an error of whole levels to the degradation."""
    x = photo()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = jpeg(x, 50)
    assert torch.equal(mixed, jpeg(x, 50))


def test_jpeg_of_each_example_has_its_own_quality_and_any_size() -> None:
    x = photo(13, 21).expand(2, -1, -1, -1)
    both = jpeg(x, torch.tensor([10.0, 90.0]))
    torch.testing.assert_close(both[:1], jpeg(x[:1], 10))
    torch.testing.assert_close(both[1:], jpeg(x[1:], 90))
    assert (both[0] - x[0]).abs().mean() > 1.5 * (both[1] - x[1]).abs().mean()


def test_a_flat_block_survives_jpeg_at_the_precision_of_its_table() -> None:
    """The first number of a flat block is 8 times its level (less 128); K.1 divides it by 32 at quality 25: steps of 4 levels."""
    flat = torch.full((1, 1, 8, 8), 101 * 2 / 255 - 1)
    assert ((jpeg(flat, 25) + 1) * 127.5).round().unique().tolist() == [100]


def test_gaussian_noise_has_the_sigma_asked_for_in_levels() -> None:
    normal = torch.randn(2, 1, 200, 200, generator=torch.Generator().manual_seed(0))
    noise = gaussian_noise(torch.zeros_like(normal), normal, torch.tensor([10.0, 50.0])) * 127.5
    assert noise.std((1, 2, 3)).tolist() == pytest.approx([10, 50], rel=0.02)


@pytest.mark.parametrize("rate", [4.0, 10.0, 60.0])
def test_shot_noise_has_the_mean_and_the_variance_of_poisson(rate: float) -> None:
    x = torch.full((1, 1, 500, 500), rate / 100 * 2 - 1)
    normal = torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
    photons = (poisson_noise(x, normal, 100) + 1) * 50
    torch.testing.assert_close(photons, photons.round(), atol=1e-3, rtol=0)
    assert float(photons.mean()) == pytest.approx(rate, rel=0.02)
    assert float(photons.var()) == pytest.approx(rate, rel=0.03)
    assert poisson_noise(torch.full((1, 1, 9, 9), -1.0), normal[..., :9, :9], 100).unique().tolist() == [-1]


def test_salt_and_pepper() -> None:
    x = torch.full((1, 3, 200, 200), 0.25)
    degraded = salt_and_pepper(x, torch.rand(1, 1, 200, 200, generator=torch.Generator().manual_seed(0)), 0.2)
    shares = [float((degraded == value).float().mean()) for value in (-1, 1, 0.25)]
    assert shares == pytest.approx([0.1, 0.1, 0.8], abs=0.01)
    assert torch.equal(degraded[:, 0] == 0.25, degraded[:, 1] == 0.25), "a pixel is degraded in all channels"


@pytest.mark.parametrize(("height", "width"), [(40, 60), (5, 9), (1, 1)])
def test_boxes_are_of_the_size_said(height: int, width: int) -> None:
    masks = box_masks(torch.rand(50, 4, generator=torch.Generator().manual_seed(0)), height, width)
    assert masks.shape == (50, 1, height, width) and set(masks.unique().tolist()) <= {0.0, 1.0}
    rows, columns = masks.amax((1, 3)).sum(1), masks.amax((1, 2)).sum(1)
    assert torch.equal(masks.sum((1, 2, 3)), rows * columns), "a rectangle"
    assert rows.min() >= max(1, height // 4) and rows.max() <= max(1, (height + 1) // 2)
    assert height == 1 or len(masks.amax((1, 3)).argmax(1).unique()) > 1, "anywhere"


def test_a_stroke_worked_by_hand() -> None:
    """From the middle of a 40 x 40 image to the right by 20, as thin as they are: one pixel."""
    draws = torch.tensor([[0.5, 0.25, 0.0, 1.0, 0.0]])
    mask = stroke_masks(draws, 40, 40)[0, 0]
    assert mask.sum(1).nonzero().tolist() == [[20]]
    assert mask[20].nonzero().flatten().tolist() == list(range(10, 31))


def test_strokes_stay_inside_and_are_not_all_alike() -> None:
    masks = stroke_masks(torch.rand(20, 2 + 3 * 6, generator=torch.Generator().manual_seed(0)), 32, 48)
    shares = masks.mean((1, 2, 3))
    assert shares.min() > 0.01 and shares.max() < 0.5 and len(shares.unique()) > 10


def test_the_eight_views_of_a_square() -> None:
    x = torch.arange(4.0).view(1, 1, 2, 2).expand(8, -1, -1, -1)
    draws = torch.tensor([[a, b, c] for a in (0.1, 0.9) for b in (0.1, 0.9) for c in (0.1, 0.9)])
    views = turned(x, draws)
    assert len({tuple(view.flatten().tolist()) for view in views}) == 8
    assert turned(torch.zeros(8, 1, 2, 3), draws).shape == (8, 1, 2, 3)
