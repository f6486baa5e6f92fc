"""An image is turned as its file says, wherever and in whatever form the file says it; header and pixels agree."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, PngImagePlugin, features

from ganvas.data import image, open_data, orientation, png16, read_image
from ganvas.data.image import decode, header

HEIGHT, WIDTH = 24, 48
TURN = 6  # the camera was turned: the upright image is 48 high and 24 wide


def gradient() -> np.ndarray:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([x * 5, y * 10, 255 - x * 5], -1).astype(np.uint8)


def exif_of(turn: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    return exif.tobytes()


def xmp_of(turn: int) -> str:
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="{turn}"/></x:xmpmeta>'


def png(chunks: list[tuple[bytes, bytes]], *, behind: bool = True, pixels_per_chunk: int = 2**20) -> bytes:
    """A PNG of the gradient whose pixels lie in chunks of that many bytes, with more chunks before or behind them."""
    lines = np.concatenate([np.zeros((HEIGHT, 1), np.uint8), gradient().reshape(HEIGHT, -1)], 1)
    packed = zlib.compress(lines.tobytes(), 0)
    parts = [(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))]
    data = [(b"IDAT", packed[at : at + pixels_per_chunk]) for at in range(0, len(packed), pixels_per_chunk)]
    parts += [*data, *chunks] if behind else [*chunks, *data]
    content = png16.SIGNATURE
    for kind, body in [*parts, (b"IEND", b"")]:
        content += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return content


def raw_profile(turn: int) -> bytes:
    """As ImageMagick writes EXIF into a PNG."""
    raw = b"Exif\0\0" + exif_of(turn).removeprefix(b"Exif\0\0")
    text = f"\nexif\n{len(raw):8d}\n{raw.hex()}\n".encode()
    return b"Raw profile type exif\0\0" + zlib.compress(text)


PLACES: dict[str, Callable[[int], tuple[bytes, bytes]]] = {
    "eXIf": lambda turn: (b"eXIf", exif_of(turn).removeprefix(b"Exif\0\0")),
    "profile": lambda turn: (b"zTXt", raw_profile(turn)),
    "xmp": lambda turn: (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp_of(turn).encode()),
    "packed xmp": lambda turn: (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp_of(turn).encode())),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("chunk", [2**20, 20])
def test_png(place: str, behind: bool, chunk: int):
    content = png([PLACES[place](TURN)], behind=behind, pixels_per_chunk=chunk)
    pixels = decode(io.BytesIO(content))
    assert header(io.BytesIO(content)) == pixels.shape == (WIDTH, HEIGHT, 3)
    assert (pixels == np.rot90(gradient(), -1)).all()


def test_png_with_several_says_the_same_twice():
    """EXIF counts before a profile, and that before XMP, in whatever order they stand."""
    content = png([PLACES["xmp"](3), PLACES["profile"](1), PLACES["eXIf"](8)])
    assert header(io.BytesIO(content)) == decode(io.BytesIO(content)).shape == (WIDTH, HEIGHT, 3)
    assert (decode(io.BytesIO(content)) == np.rot90(gradient())).all()


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_and_turn(kind: str, turn: int):
    if kind == "AVIF" and "avif" not in features.get_supported():
        pytest.skip("this Pillow has no AVIF")
    file = io.BytesIO()
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(kind, {})
    Image.fromarray(gradient()).save(file, kind, exif=exif_of(turn), **options)
    pixels = decode(io.BytesIO(file.getvalue()))
    assert header(io.BytesIO(file.getvalue())) == pixels.shape
    upright = {
        1: gradient(), 2: gradient()[:, ::-1], 3: gradient()[::-1, ::-1], 4: gradient()[::-1],
        5: gradient().swapaxes(0, 1), 6: np.rot90(gradient(), -1), 7: gradient()[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(gradient()),
    }[turn]  # fmt: skip
    assert pixels.shape == upright.shape and np.abs(pixels.astype(int) - upright).mean() < 6


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_xmp_beside_pixels(kind: str):
    file = io.BytesIO()
    Image.fromarray(gradient()).save(file, kind, xmp=xmp_of(TURN).encode())
    assert header(file) == decode(file).shape == (WIDTH, HEIGHT, 3)


def test_a_set_has_the_size_of_its_images(tmp_path):
    """A profile behind the pixels used to turn them after the size had been chosen: three quarters were cropped away."""
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(png([PLACES["profile"](TURN)]))
    data = open_data(tmp_path, holdout=0)
    assert data.images.shape[1:] == read_image(tmp_path / "0.png").shape == (WIDTH, HEIGHT, 3)
    assert (data.images[0] == np.rot90(gradient(), -1)).all() and not data.notes


def test_damaged_metadata_leave_the_image_as_it_is():
    for block in (b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + b"\1" * 20, b"\0" * 100):
        assert orientation.of_exif(block) is None
        assert header(io.BytesIO(png([(b"eXIf", block)]))) == (HEIGHT, WIDTH, 3)
    bomb = b"Raw profile type exif\0\0" + zlib.compress(b"\n" * 2**24)
    assert decode(io.BytesIO(png([(b"zTXt", bomb)]))).shape == (HEIGHT, WIDTH, 3)


@pytest.mark.parametrize("behind", [False, True])
def test_text_beyond_the_limit_is_ignored_and_the_pixels_are_read(behind: bool, tmp_path):
    large = b"Comment\0\0" + zlib.compress(b"x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1))
    profile = b"name\0\0" + zlib.compress(b"x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1))
    chunks = [(b"zTXt", large)] if behind else [(b"zTXt", large), (b"iCCP", profile)]
    content = png([*chunks, PLACES["eXIf"](TURN)], behind=behind)
    (tmp_path / "a.png").write_bytes(content)
    assert (read_image(tmp_path / "a.png") == np.rot90(gradient(), -1)).all()
    from ganvas.data.photo import read_photo

    assert read_photo(tmp_path / "a.png").size == (WIDTH, HEIGHT)
    assert image.header(io.BytesIO(content)) == (WIDTH, HEIGHT, 3)
