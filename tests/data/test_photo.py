"""Photos in and out: nothing that can be kept is lost."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from ganvas.data import png16
from ganvas.data.photo import Photo, check_written, read_photo, write_photo
from ganvas.errors import DataError, UsageError

RANDOM = np.random.default_rng(0)


def srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def bytes_of(*shape: int) -> np.ndarray:
    return RANDOM.integers(0, 256, shape).astype(np.uint8)


def as_levels(photo: Photo) -> np.ndarray:
    return np.rint((photo.pixels + 1) * 127.5).astype(np.uint8)


def test_pixels_are_in_minus_one_to_one(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 51, 255]], np.uint8)).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_allclose(photo.pixels, [[[-1, -0.6, 1]]], atol=1e-6)
    assert photo.pixels.dtype == np.float32 and photo.alpha is None and photo.depth == 8 and photo.size == (1, 3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_bytes_survive_a_round_trip(tmp_path: Path, channels: int, suffix: str) -> None:
    pixels = bytes_of(9, 7, channels)
    pixels[..., -1] |= 1  # WebP clears the colours under alpha 0
    Image.fromarray(pixels[..., 0] if channels == 1 else pixels).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.pixels.shape[0] == (1 if channels < 3 else 3) and (photo.alpha is None) == (channels in (1, 3))
    write_photo(tmp_path / f"b{suffix}", photo)
    again = read_photo(tmp_path / f"b{suffix}")
    if suffix == ".webp" and channels < 3:  # which has no grey
        again.pixels = again.pixels[:1]
    np.testing.assert_array_equal(again.pixels, photo.pixels)
    np.testing.assert_array_equal(again.alpha, photo.alpha)


def test_sixteen_bits_of_grey_survive(tmp_path: Path) -> None:
    levels = RANDOM.integers(0, 65536, (8, 9)).astype(np.uint16)
    Image.fromarray(levels).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    assert photo.depth == 16
    write_photo(tmp_path / "b.png", photo)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), levels)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_of_colour_survive(tmp_path: Path, channels: int) -> None:
    levels = RANDOM.integers(0, 65536, (channels, 8, 9))
    pixels = (levels / 32767.5 - 1).astype(np.float32)
    alpha = None if channels == 3 else (levels[-1] / 65535).astype(np.float32)
    photo = Photo(pixels if alpha is None else pixels[:-1], alpha, 16, srgb() if channels > 2 else None)
    write_photo(tmp_path / "a.png", photo)
    again = read_photo(tmp_path / "a.png")
    assert again.depth == 16 and again.icc == photo.icc
    np.testing.assert_array_equal(np.rint((again.pixels + 1) * 32767.5), levels[: len(again.pixels)])
    assert again.alpha is None if alpha is None else np.allclose(again.alpha, alpha, atol=1e-6, rtol=0)  # pyright: ignore
    with Image.open(tmp_path / "a.png") as theirs:  # as another program reads it, at 8 bits
        high = np.asarray(theirs.convert({2: "LA", 3: "RGB", 4: "RGBA"}[channels]))
    assert np.abs(np.moveaxis(high, 2, 0) - levels / 257).max() <= 1


def test_every_filter_of_png_is_undone() -> None:
    """Rows filtered by hand, each by another filter, of an image of 2 x 5 pixels of 6 bytes."""
    pixels = RANDOM.integers(0, 65536, (5, 2, 3)).astype(np.uint16)
    plain = pixels.astype(">u2").view(np.uint8).reshape(5, 2, 6).astype(int)
    rows = bytearray()
    for kind, row in enumerate(plain):
        up = plain[kind - 1] if kind else np.zeros((2, 6), int)
        rows.append(kind)
        for x in range(2):
            for byte in range(6):
                a, b = (row[x - 1][byte], up[x - 1][byte]) if x else (0, 0)
                c, above = b, up[x][byte]
                p = a + above - c
                paeth = min((abs(p - a), 0, a), (abs(p - above), 1, above), (abs(p - c), 2, c))[2]
                guess = [0, a, above, (a + above) // 2, paeth][kind]
                rows.append((row[x][byte] - guess) % 256)
    whole = png16.encode(pixels)
    before, rest = whole.split(b"IDAT")[0][:-4], whole[whole.index(b"IEND") - 4 :]
    body = zlib.compress(bytes(rows))
    crc = struct.pack(">I", zlib.crc32(b"IDAT" + body))
    content = before + struct.pack(">I", len(body)) + b"IDAT" + body + crc + rest
    np.testing.assert_array_equal(png16.decode(content), pixels)
    np.testing.assert_array_equal(png16.decode(whole), pixels)


def test_damaged_deep_images_are_refused() -> None:
    content = png16.encode(RANDOM.integers(0, 65536, (6, 7, 3)).astype(np.uint16))
    for broken in (content[:60], content[:70] + b"x" + content[71:], content[:16] + b"\0\0\0\xff" + content[20:]):
        with pytest.raises(ValueError):
            png16.decode(broken)


def test_a_turned_photo_stands_upright_and_says_so(tmp_path: Path) -> None:
    image = Image.fromarray(bytes_of(4, 6, 3))
    exif = image.getexif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    image.save(tmp_path / "a.png", exif=exif)
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(np.moveaxis(as_levels(photo), 0, 2), np.rot90(np.asarray(image), -1))
    write_photo(tmp_path / "b.jpg", photo)
    with Image.open(tmp_path / "b.jpg") as written:
        kept = written.getexif()
    assert kept[0x0112] == 1 and kept[0x010F] == "a maker"
    assert read_photo(tmp_path / "b.jpg").size == (6, 4)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_the_colour_profile_is_kept(tmp_path: Path, suffix: str) -> None:
    profile = srgb()
    Image.fromarray(bytes_of(4, 6, 3)).save(tmp_path / "a.png", icc_profile=profile)
    write_photo(tmp_path / f"b{suffix}", read_photo(tmp_path / "a.png"))
    assert read_photo(tmp_path / f"b{suffix}").icc == profile
    Image.fromarray(bytes_of(4, 6)).save(tmp_path / "grey.png", icc_profile=profile)
    assert read_photo(tmp_path / "grey.png").icc is None, "a profile of RGB says nothing of grey"


def test_palettes_and_cmyk_become_rgb(tmp_path: Path) -> None:
    colour = Image.fromarray(np.full((4, 5, 3), (200, 30, 60), np.uint8))
    colour.quantize(4).save(tmp_path / "palette.png")
    colour.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    for name in ("palette.png", "cmyk.jpg"):
        found = as_levels(read_photo(tmp_path / name))
        assert found.shape == (3, 4, 5) and np.abs(found[:, 0, 0].astype(int) - (200, 30, 60)).max() < 4


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "empty.png").touch()
    Image.fromarray(bytes_of(40, 40, 3)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:1000])
    for name in ("text.png", "pipe.png", "empty.png", "cut.png", "missing.png"):
        with pytest.raises(DataError, match=name):
            read_photo(tmp_path / name)


def test_what_a_kind_of_file_cannot_hold_is_refused_before_it_is_lost(tmp_path: Path) -> None:
    pixels = np.zeros((1, 2, 2), np.float32)
    with pytest.raises(UsageError, match=r"no alpha.*b\.png"):
        write_photo(tmp_path / "b.jpg", Photo(pixels, alpha=np.ones((2, 2), np.float32)))
    for suffix in (".jpg", ".webp"):
        with pytest.raises(UsageError, match="8 bits"):
            write_photo(tmp_path / f"b{suffix}", Photo(pixels, depth=16))
    with pytest.raises(UsageError, match=r"\.png, \.jpg or \.webp"):
        check_written("out.gif")
    assert not list(tmp_path.iterdir())
