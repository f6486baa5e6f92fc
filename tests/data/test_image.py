"""One image: what each kind of file becomes, fitting, PNG and grids. Pixels are worked out by hand."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganvas.data import grid, open_data, png_bytes, read_image, write_png
from ganvas.data.image import Broken, OldPillow, fit, header, to_channels, warn_of_old_pillow
from ganvas.errors import DataError


def reread(image: Image.Image, path: Path, **more: object) -> np.ndarray:
    """Through a file; header and pixels must agree on the shape."""
    image.save(path, **more)  # pyright: ignore[reportArgumentType]
    array = read_image(path)
    with open(path, "rb") as file:
        assert header(file) == array.shape
    return array


def test_grey_and_colour(tmp_path: Path):
    assert reread(Image.new("L", (5, 3), 77), tmp_path / "a.png").tolist() == [[[77]] * 5] * 3
    assert reread(Image.new("RGB", (5, 3), (1, 2, 3)), tmp_path / "a.png").tolist() == [[[1, 2, 3]] * 5] * 3


@pytest.mark.parametrize(
    ("mode", "value", "expected"),
    [
        ("LA", (9, 4), [9, 4]),
        ("RGBA", (9, 8, 7, 4), [9, 8, 7, 4]),
        ("1", 1, [255]),
        ("I;16", 257 * 200, [200]),
        ("I;16", 65535, [255]),
    ],
)
def test_png_modes(mode: str, value: int, expected: list[int], tmp_path: Path):
    assert reread(Image.new(mode, (2, 2), value), tmp_path / "a.png")[0, 0].tolist() == expected


def test_palettes(tmp_path: Path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert reread(image, tmp_path / "a.png").tolist() == [[[10, 20, 30], [200, 100, 50]]]
    seen = reread(image, tmp_path / "a.png", transparency=1)
    assert seen[..., 3].tolist() == [[255, 0]] and seen[0, 0].tolist() == [10, 20, 30, 255]


def test_grey_with_one_transparent_level_has_alpha(tmp_path: Path):
    image = Image.new("L", (2, 1), 7)
    image.putpixel((1, 0), 9)
    assert reread(image, tmp_path / "a.png", transparency=9).tolist() == [[[7, 255], [9, 0]]]


def test_cmyk_becomes_rgb(tmp_path: Path):
    seen = reread(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), tmp_path / "a.jpg", quality=100)
    assert seen.shape == (8, 8, 3) and abs(seen[4, 4].astype(int) - [255, 0, 0]).max() <= 2


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_is_obeyed(kind: str, orientation: int, tmp_path: Path):
    # Upright: 2 rows, 3 columns of blocks, each of another level. Stored as a camera held that way stores it.
    upright = np.kron(np.array([[0, 50, 100], [150, 200, 250]], dtype=np.uint8), np.ones((16, 16), dtype=np.uint8))
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored)).convert("RGB")
    seen = reread(image, tmp_path / f"a.{kind}", exif=exif)
    assert seen.shape == (32, 48, 3)
    assert np.abs(seen[..., 0].astype(int) - upright).max() <= 12  # JPEG and WebP lose a little


def test_first_frame_of_an_animation(tmp_path: Path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert read_image(tmp_path / "a.gif")[0, 0, :3].tolist() == [255, 0, 0]


def test_floats(tmp_path: Path):
    assert reread(Image.fromarray(np.full((2, 2), 0.2, dtype=np.float32)), tmp_path / "a.tif")[0, 0].tolist() == [51]
    Image.fromarray(np.full((2, 2), 80.0, dtype=np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(DataError, match=r"b\.tif: float values from 80 to 80; they must lie in 0 to 1"):
        read_image(tmp_path / "b.tif")


def test_integers_beyond_16_bits_are_refused(tmp_path: Path):
    Image.fromarray(np.full((2, 2), 70_000, dtype=np.int32)).save(tmp_path / "a.tif")
    with pytest.raises(DataError, match="integer values from 70000 to 70000"):
        read_image(tmp_path / "a.tif")


def test_damaged_files_say_why(tmp_path: Path):
    good = png_bytes(np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8))
    for name, content, reason in (
        ("text.png", b"hello", "not an image"),
        ("cut.png", good[:200], "truncated|broken|incomplete"),
        ("empty.png", b"", "the file is empty"),
        ("cut.jpg", b"\xff\xd8\xff\xe0", "not an image|truncated"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=reason) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(DataError, match="it is a folder"):
        read_image(tmp_path)


def test_a_bomb_is_refused_by_its_header(tmp_path: Path):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")  # 50 kB of file, 400 million pixels
    with pytest.raises(DataError, match="400000000 pixels"):
        read_image(tmp_path / "bomb.png")
    Image.new("1", (10_000, 10_000)).save(tmp_path / "large.png")
    with pytest.raises(DataError, match="10000 x 10000 pixels; 80,000,000 in all"):
        read_image(tmp_path / "large.png")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_and_devices_are_not_read(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(DataError, match="it is a pipe"):
        read_image(tmp_path / "pipe.png")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="it is a device"):
        read_image(tmp_path / "zero.png")


def test_programs_are_never_started_for_an_image(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n")
    with pytest.raises(DataError, match="not an image"):
        read_image(tmp_path / "a.png")


def test_alpha_is_mixed_with_the_background():
    half = np.full((1, 1, 4), (100, 0, 200, 51), dtype=np.uint8)  # a fifth: 100 / 5 + 255 * 4 / 5 = 224
    assert to_channels(half, 3, 255)[0, 0].tolist() == [224, 204, 244]
    assert to_channels(half, 3, 0)[0, 0].tolist() == [20, 0, 40]
    assert to_channels(half, 4, 255)[0, 0].tolist() == [100, 0, 200, 51]
    assert to_channels(half[..., :3], 4, 255)[0, 0].tolist() == [100, 0, 200, 255]


def test_luma_is_rec_601():
    red, green, blue = (to_channels(np.array([[colour]], dtype=np.uint8), 1, 255).item() for colour in np.eye(3) * 255)
    assert (red, green, blue) == (76, 150, 29)


def test_fit_crops_the_middle_pads_evenly_and_stretches():
    image = np.zeros((4, 12, 1), dtype=np.uint8)
    image[:, 4:8] = 200
    assert (fit(image, (4, 4), "crop", 255) == 200).all()
    padded = fit(image, (12, 12), "pad", 255)
    assert (padded[:4] == 255).all() and (padded[8:] == 255).all() and (padded[4:8] == image).all()
    assert fit(image, (4, 6), "stretch", 255).shape == (4, 6, 1)
    assert fit(image, (4, 12), "crop", 255) is image


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
def test_fit_gives_the_asked_shape(channels: int, how: str):
    for source in ((7, 5), (5, 7), (1, 9), (64, 3)):
        assert fit(np.zeros((*source, channels), dtype=np.uint8), (6, 4), how, 255).shape == (6, 4, channels)


def test_padding_of_images_with_alpha_is_transparent():
    padded = fit(np.full((2, 4, 4), 9, dtype=np.uint8), (4, 4), "pad", 255)
    assert padded[0, 0].tolist() == [255, 255, 255, 0]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png_round_trip(channels: int, tmp_path: Path):
    image = np.random.default_rng(0).integers(0, 256, (5, 6, channels), dtype=np.uint8)
    write_png(tmp_path / "new" / "a.png", image)
    assert (read_image(tmp_path / "new" / "a.png") == image).all()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_png_of_two_channels_is_red_and_cyan(tmp_path: Path):
    write_png(tmp_path / "a.png", np.array([[[10, 20]]], dtype=np.uint8))
    assert read_image(tmp_path / "a.png").tolist() == [[[10, 20, 20]]]


def test_grid_places_row_by_row():
    images = np.arange(5, dtype=np.uint8).reshape(5, 1, 1, 1)
    assert grid(images, columns=3, gap=1)[..., 0].tolist() == [
        [0, 255, 1, 255, 2],
        [255] * 5,
        [3, 255, 4, 255, 255],
    ]
    assert grid(np.zeros((9, 4, 6, 5), dtype=np.uint8)).shape == (3 * 6 - 2, 3 * 8 - 2, 3)


def test_broken_is_not_an_error_of_the_user_by_itself():
    assert not issubclass(Broken, DataError)  # only with a file name does it make sense to a user


@pytest.mark.parametrize("how", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(1, 40000, 3), (40000, 1, 1), (2, 9000, 4)])
def test_a_long_strip_fits_without_being_resized_whole(shape: tuple[int, int, int], how: str):
    """1 x 40000 at a size of 256 used to become 256 x 10,240,000 before it was cropped."""
    import tracemalloc

    strip = np.full(shape, 255, np.uint8)
    tracemalloc.start()
    fitted = fit(strip, (256, 256), how, 255)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fitted.shape == (256, 256, shape[2]) and (fitted[..., :3] == 255).all()
    assert peak < 4 * 2**20


def test_the_crop_of_a_strip_is_its_middle():
    strip = np.zeros((10, 1000, 1), np.uint8)
    strip[:, 495:505] = 200
    assert (fit(strip, (20, 20), "crop", 0)[:, 3:17] > 190).all()  # twice the size: columns 495 to 504
    wide = np.repeat(strip, 3, axis=2)
    assert np.array_equal(fit(wide, (20, 20), "crop", 0), np.repeat(fit(strip, (20, 20), "crop", 0), 3, axis=2))
    ordinary = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    whole = np.asarray(Image.fromarray(ordinary).resize((30, 20), Image.Resampling.BICUBIC))
    assert np.array_equal(fit(ordinary, (20, 20), "crop", 0), whole[:, 5:25])


@pytest.mark.parametrize(
    ("version", "warned"), [("11.0.0", True), ("12.3.0", True), ("13.0.0", False), ("14.1.0", False)]
)
def test_an_old_pillow_is_warned_of_once(version: str, warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_png(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    monkeypatch.setattr("PIL.__version__", version)
    warn_of_old_pillow.cache_clear()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        read_image(tmp_path / "a.png")
        read_image(tmp_path / "a.png")
    ours = [one for one in caught if one.category is OldPillow]
    assert len(ours) == warned
    if warned:
        assert f"Pillow {version} opens the images" in str(ours[0].message) and "pillow>=13" in str(ours[0].message)
    warn_of_old_pillow.cache_clear()


def large_jpeg(path: Path, side: int = 13_000, **more: object) -> Path:
    """A square JPEG of `side` pixels whose left half is lighter than its right one; 169 megapixels by default."""
    pixels = np.zeros((16, side), np.uint8)
    pixels[:, : side // 2] = 200
    Image.fromarray(np.broadcast_to(pixels[:1], (side, side))).save(path, quality=80, **more)  # pyright: ignore[reportArgumentType]
    return path


def test_very_large_jpegs_are_decoded_small(tmp_path: Path):
    """200 megapixels, above Pillow's own limit: in a process of its own, to see what memory it takes."""
    large_jpeg(tmp_path / "a.jpg", 14_200)
    shutil.copy(tmp_path / "a.jpg", tmp_path / "b.jpg")
    code = """
import json, resource, sys
from ganvas.data import open_data
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = open_data(sys.argv[1], size=32, holdout=0)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([after - before, data.notes, data.images[0, 16, [4, 28], 0].tolist()]))
"""
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    kilobytes, notes, (left, right) = json.loads(ended.stdout)
    assert kilobytes < 400_000  # the pixels of both, whole and as RGB, are 1.2 GB
    assert any("2 of 2 images have more than 80,000,000 pixels (a.jpg, b.jpg)" in note for note in notes), notes
    assert abs(left - 200) < 4 and right < 4
    with pytest.raises(DataError, match=r"a\.jpg: .*pixels"):  # a task gives no smaller photo back than it was given
        read_image(tmp_path / "a.jpg")


def test_a_progressive_jpeg_is_not_reduced(tmp_path: Path):
    """Its coefficients would all be in memory."""
    for name in "ab":
        large_jpeg(tmp_path / f"{name}.jpg", 9_200, progressive=True)
    with pytest.raises(DataError, match="9200 x 9200 pixels; 80,000,000 in all are the limit"):
        open_data(tmp_path, size=32)
