"""Images as an array that shows, saves and converts itself, and is a plain array to everybody else."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from ganvas.data import read_image
from ganvas.data.image_array import ImageArray
from ganvas.data.photo import Photo, as_photo
from ganvas.errors import DataError, UsageError
from ganvas.provenance import KEYWORD, Provenance, from_text


def numbered(*shape: int) -> ImageArray:
    return ImageArray(np.arange(np.prod(shape), dtype=np.int64).reshape(shape).astype(np.uint8))


def test_it_is_a_plain_array_to_numpy_and_torch() -> None:
    images = numbered(5, 2, 3, 1)
    assert torch.equal(torch.from_numpy(images), torch.arange(30, dtype=torch.uint8).view(5, 2, 3, 1))
    assert type(images / 255) is np.ndarray and type(images.mean((1, 2))) is np.ndarray
    assert images.sum() == 29 * 30 // 2 and not isinstance(images.max(), np.ndarray)
    assert isinstance(images[1:3], ImageArray) and np.array_equal(images[1], np.arange(6, 12).reshape(2, 3, 1))


def test_to_pil() -> None:
    many = numbered(2, 2, 3, 3).to_pil()
    assert [one.mode for one in many] == ["RGB", "RGB"] and many[0].size == (3, 2)
    assert many[1].getpixel((0, 0)) == (18, 19, 20)
    one = numbered(2, 3, 1).to_pil()
    assert one.mode == "L" and one.getpixel((2, 1)) == 5
    assert numbered(2, 3, 4).to_pil().mode == "RGBA"
    # Two channels: the first in red, the second in cyan.
    assert numbered(1, 1, 2).to_pil().getpixel((0, 0)) == (0, 1, 1)


def test_grid_and_save() -> None:
    """Two images of 2 x 3 side by side with a white gap of 2: 2 x 8."""
    images = numbered(2, 2, 3, 1)
    image_grid = images.grid(columns=2)
    assert image_grid.shape == (2, 8, 1) and isinstance(image_grid, ImageArray)
    assert image_grid[0, :, 0].tolist() == [0, 1, 2, 255, 255, 6, 7, 8]
    images.save("grid.png")
    assert read_image("grid.png").shape == (2, 8, 1)
    images[0].save("one.png")
    assert read_image("one.png")[1, 2, 0] == 5
    with pytest.raises(UsageError, match="written as FILE"):
        images.save("grid.jpg")
    with pytest.raises(UsageError, match="images are uint8"):
        images.astype(np.float32).view(ImageArray).to_pil()


def test_a_notebook_shows_a_bounded_grid() -> None:
    shown = Image.open(io.BytesIO(numbered(100, 4, 4, 1)._repr_png_() or b""))
    assert shown.size == (8 * 6 - 2, 8 * 6 - 2)  # the first 64
    large = Image.open(io.BytesIO(ImageArray(np.zeros((2, 600, 900, 3), np.uint8))._repr_png_() or b""))
    assert max(large.size) == 1024
    made = Provenance(run="r", weights="0" * 64, seed=40)
    for size in (4, 600):
        shown = ImageArray(numbered(2, size, size, 3), made, np.arange(40, 42))._repr_png_() or b""
        assert from_text(Image.open(io.BytesIO(shown)).info[KEYWORD]) == made.with_options(grid=True, columns=None, n=2)
    assert ImageArray(np.zeros((3, 3)))._repr_png_() is None and numbered(0, 4, 4, 1)._repr_png_() is None


def test_a_photo_of_whatever_holds_an_image() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4)).astype(np.uint8)
    photo = as_photo(pixels)
    assert photo.pixels.shape == (3, 5, 4) and photo.alpha is not None
    np.testing.assert_array_equal(photo.to_array(), pixels)
    np.testing.assert_array_equal(as_photo(Image.fromarray(pixels)).to_array(), pixels)
    np.testing.assert_array_equal(np.asarray(photo.to_pil()), pixels)
    photo.save("rgba.png")
    np.testing.assert_array_equal(as_photo("rgba.png").to_array(), pixels)
    assert as_photo(photo) is photo
    assert as_photo(pixels[..., 0]).to_array().shape == (5, 4, 1)


def test_a_photo_in_a_notebook_is_shown_on_white() -> None:
    photo = Photo(np.full((1, 2, 2), -1, np.float32), np.array([[1, 0.5], [0, 1]], np.float32))
    shown = Image.open(io.BytesIO(photo._repr_png_() or b""))
    assert np.asarray(shown).tolist() == [[0, 128], [255, 0]]


def test_orientation_of_a_pil_image_is_applied_and_the_image_stays_as_it_was() -> None:
    """EXIF orientation 6: turned by a quarter, so 3 x 2 becomes 2 x 3."""
    image = Image.fromarray(np.arange(6, dtype=np.uint8).reshape(2, 3))
    exif = image.getexif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", exif=exif)
    opened = Image.open(buffer)
    assert as_photo(opened).size == (3, 2)
    assert opened.getexif()[0x0112] == 6


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (np.zeros((2, 2, 3), np.float32), UsageError),
        (np.zeros((2, 2, 2, 3), np.uint8), UsageError),
        (np.zeros((2, 2, 7), np.uint8), UsageError),
        (7, UsageError),
        ("nowhere.png", DataError),
    ],
)
def test_what_is_no_image(wrong: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        as_photo(wrong)  # pyright: ignore
