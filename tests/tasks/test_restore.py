"""Restoring photos of any size, depth and number of channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganvas.abilities import Restoration, Restores
from ganvas.data.masks import as_mask
from ganvas.data.photo import Photo
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.registry import create
from ganvas.tasks.restore import comparison_image, restoration_of, restore


def built(name: str, channels: int = 3, **settings: object) -> Method:
    """With weights that are zero nowhere, so that it does something."""
    method = create(name, "tiny", settings)
    torch.manual_seed(0)
    method.setup(DataSpec("some", channels, 24, 24, 10))
    method.eval().requires_grad_(False)
    for parameter in method.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
    return method


def photo(height: int, width: int, channels: int = 3, **more: object) -> Photo:
    random = np.random.default_rng(0)
    return Photo(random.uniform(-0.9, 0.9, (channels, height, width)).astype(np.float32), **more)  # pyright: ignore


def hole(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[height // 4 : height // 2 + 1, width // 4 : width // 2 + 1] = True
    return mask


class Patient(Method, Restores):
    """Fills holes by noise, in images of its own size only."""

    name = "patient"

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.zeros(1))
        self.spec = DataSpec("some", 1, 8, 9, 10)

    def restoration(self) -> Restoration:
        return Restoration("holes", multiple=0, answers=True)

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        assert mask is not None
        noise = torch.rand(degraded.shape, generator=generator) * 2 - 1
        return torch.where(mask > 0, noise, degraded)


def test_what_a_run_can_is_asked_of_its_method() -> None:
    assert restoration_of(built("srgan")).degradation == "resolution"
    assert restoration_of(built("srgan"), "upscale").scale == 2
    with pytest.raises(UsageError, match="this run of denoise can denoise, not inpaint"):
        restoration_of(built("denoise"), "inpaint")
    with pytest.raises(UsageError, match="there is no task upscal; did you mean upscale"):
        restoration_of(built("denoise"), "upscal")
    with pytest.raises(RunError, match=r"dcgan does not restore images \(methods that do: .*denoise"):
        restoration_of(built("dcgan"))


@pytest.mark.parametrize("name", ["denoise", "srresnet", "inpaint"])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (70, 61)])
@pytest.mark.parametrize("channels", [1, 3])
def test_any_photo_by_any_method(name: str, size: tuple[int, int], channels: int) -> None:
    mask = hole(*size) if name == "inpaint" else None
    scale = 2 if name == "srresnet" else 1
    for trained_on in (1, 3, 4):
        given = photo(*size, channels, depth=16, icc=b"profile", exif=b"exif", alpha=np.full(size, 0.5, np.float32))
        (made,) = restore(built(name, trained_on), given, mask, tile=32)
        assert made.pixels.shape == (channels, size[0] * scale, size[1] * scale)
        assert made.alpha is not None and made.alpha.shape == made.size
        assert (made.depth, made.icc, made.exif) == (16, b"profile", b"exif")
        if trained_on != 4:
            np.testing.assert_allclose(made.alpha, 0.5, atol=1e-5)


def test_tiles_leave_no_seam() -> None:
    """In tiles of 128 the image is what it is in one piece, and no steeper where two tiles meet than elsewhere."""
    for name in ("denoise", "srresnet"):
        method, given = built(name), photo(40, 300)
        whole, tiles = restore(method, given, tile=1000)[0], restore(method, given, tile=128)[0]
        assert not np.array_equal(whole.pixels, given.pixels)
        np.testing.assert_allclose(tiles.pixels, whole.pixels, atol=1e-5)


def test_what_is_not_missing_comes_back_to_the_bit_by_tiles_too() -> None:
    given, mask = photo(90, 150), hole(90, 150)
    for tile in (64, 1000):
        (made,) = restore(built("inpaint"), given, mask, tile=tile)
        assert np.array_equal(made.pixels[:, ~mask], given.pixels[:, ~mask])
        assert (made.pixels[:, mask] != given.pixels[:, mask]).mean() > 0.9


def test_a_grey_photo_stays_what_it_is_where_nothing_is_missing() -> None:
    given, mask = photo(20, 30, 1), hole(20, 30)
    (made,) = restore(built("inpaint", 3), given, mask)
    assert np.array_equal(made.pixels[:, ~mask], given.pixels[:, ~mask])


def test_several_answers_belong_to_their_seeds() -> None:
    given, mask = photo(8, 9, 1), hole(8, 9)
    several = restore(Patient(), given, mask, n=3, seed=4)
    assert len(several) == 3 and not np.array_equal(several[0].pixels, several[1].pixels)
    np.testing.assert_array_equal(several[2].pixels, restore(Patient(), given, mask, seed=6)[0].pixels)
    assert isinstance(Patient(), Restores)


def test_what_does_not_fit_is_said() -> None:
    given = photo(20, 30)
    for method, more, kind, words in [
        (built("inpaint"), {}, UsageError, "a mask of the size of the image"),
        (built("inpaint"), {"mask": hole(20, 31)}, DataError, "the mask has 20 x 31 pixels and the image 20 x 30"),
        (built("denoise"), {"mask": hole(20, 30)}, UsageError, "a mask is for inpainting"),
        (built("denoise"), {"n": 2}, UsageError, "one result per image"),
        (built("denoise"), {"seed": -1}, UsageError, "seed >= 0"),
        (Patient(), {"mask": hole(20, 30)}, DataError, "8 x 9 pixels only"),
        (built("denoise", 2), {}, DataError, "2 channels, and image files have 1, 3 or 4"),
    ]:
        with pytest.raises(kind, match=words):
            restore(method, given, **more)


def test_a_result_too_large_for_any_memory_is_refused_first() -> None:
    huge = Photo(np.broadcast_to(np.float32(0), (1, 20_000, 8_000)))
    with pytest.raises(DataError, match="40000 x 16000"):
        restore(built("srresnet"), huge)


def test_a_mask_is_white_where_the_image_is_missing() -> None:
    assert as_mask(Photo(np.array([[[-1, -0.2, 0.2, 1]]], np.float32))).tolist() == [[False, False, True, True]]


def test_what_is_transparent_in_a_mask_is_not_missing() -> None:
    """Programs hide any colour under alpha 0, often white."""
    mask = Photo(np.ones((1, 1, 3), np.float32), alpha=np.array([[0, 0.4, 1]], np.float32))
    assert as_mask(mask).tolist() == [[False, False, True]]


def test_the_grid_stands_before_and_after_side_by_side() -> None:
    given = Photo(np.full((1, 4, 5), -1, np.float32), alpha=np.zeros((4, 5), np.float32))
    after = Photo(np.zeros((1, 8, 10), np.float32))
    shown = comparison_image(given, [after, after])
    assert shown.shape == (8, 10 + 8 + 10 + 8 + 10, 3)
    assert (shown[:, :10] == 255).all(), "transparent shows as white"
    assert (shown[:, 18:28] == 128).all() and (shown[:, 10:18] == 255).all()
    large = Photo(np.zeros((3, 400, 3200), np.float32))
    assert comparison_image(large, [large]).shape == (200, 3208, 3)
    masked = comparison_image(
        Photo(np.ones((3, 4, 4), np.float32)), [Photo(np.ones((3, 4, 4), np.float32))], hole(4, 4)
    )
    assert masked[1, 1].tolist() == [128] * 3 and masked[0, 0].tolist() == [255] * 3
