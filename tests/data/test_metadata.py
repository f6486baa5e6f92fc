"""Provenance in the metadata of every format that is written, and read from files of strangers."""

from __future__ import annotations

import io
import struct
import wave
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ganvas.data import png16, read_provenance, write_png
from ganvas.data.animation import write_animation
from ganvas.data.image import png_bytes
from ganvas.data.image_array import ImageArray
from ganvas.data.kinds.audio import wav_bytes
from ganvas.data.metadata import EXIF_IFD, SOFTWARE, USER_COMMENT, exif_with
from ganvas.data.photo import Photo, read_photo, write_photo
from ganvas.data.wav import read as read_wav
from ganvas.errors import DataError
from ganvas.provenance import KEYWORD, Provenance

MADE = Provenance("sample", run="first", method="r3gan", weights="0a" * 32, seed=7, settings={"temperature": 0.5})
PIXELS = np.random.default_rng(0).integers(0, 256, (9, 7, 3)).astype(np.uint8)


def photo(depth: int = 8, **more: object) -> Photo:
    pixels = np.moveaxis(PIXELS, 2, 0).astype(np.float32) / 127.5 - 1
    return Photo(pixels, depth=depth, provenance=MADE, **more)  # pyright: ignore[reportArgumentType]


def test_every_format_of_a_photo(tmp_path: Path) -> None:
    for name, depth in (("a.png", 8), ("deep.png", 16), ("a.jpg", 8), ("a.webp", 8)):
        write_photo(tmp_path / name, photo(depth))
        assert read_provenance(tmp_path / name) == MADE, name
        assert read_photo(tmp_path / name).depth == depth
    with Image.open(tmp_path / "a.png") as image:
        assert image.info[KEYWORD] == MADE.text() and image.info["Software"].startswith("ganvas ")
    for name in ("a.jpg", "a.webp"):
        with Image.open(tmp_path / name) as image:
            assert image.getexif()[SOFTWARE].startswith("ganvas ")
            assert image.getexif().get_ifd(EXIF_IFD)[USER_COMMENT] == b"ASCII\0\0\0" + MADE.text().encode()
            image.save(tmp_path / "b.tif", exif=image.getexif())
            assert read_provenance(tmp_path / "b.tif") == MADE
            image.save(tmp_path / "b.png", exif=image.getexif())
            assert read_provenance(tmp_path / "b.png") == MADE, "EXIF in a PNG"
    write_png(tmp_path / "plain.png", PIXELS)
    assert read_provenance(tmp_path / "plain.png") is None


def test_the_exif_of_the_original_stays(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F], exif[SOFTWARE] = "a maker", "a camera"
    exif.get_ifd(EXIF_IFD)[0x829A] = 0.5
    for name in ("a.jpg", "a.webp", "a.png"):
        write_photo(tmp_path / name, photo(exif=exif.tobytes()))
        with Image.open(tmp_path / name) as image:
            kept = image.getexif()
            assert (kept[0x010F], kept[SOFTWARE], kept.get_ifd(EXIF_IFD)[0x829A]) == ("a maker", "a camera", 0.5)
        assert read_provenance(tmp_path / name) == MADE
    full = Image.Exif()
    full[0x010F] = "x" * 65400  # no room in a JPEG: the original's block is kept, ours is omitted
    write_photo(tmp_path / "full.jpg", photo(exif=full.tobytes()))
    with Image.open(tmp_path / "full.jpg") as image:
        assert len(image.getexif()[0x010F]) == 65400
    assert read_provenance(tmp_path / "full.jpg") is None


@pytest.mark.parametrize("suffix", [".png", ".apng", ".webp", ".gif"])
def test_animations(tmp_path: Path, suffix: str) -> None:
    frames = np.stack([PIXELS, 255 - PIXELS])
    write_animation(tmp_path / f"a{suffix}", frames, [0.1, 0.2], MADE)
    assert read_provenance(tmp_path / f"a{suffix}") == MADE
    with Image.open(tmp_path / f"a{suffix}") as image:
        assert image.n_frames == 2  # pyright: ignore[reportAttributeAccessIssue]


def test_sound_notes_it_behind_its_samples(tmp_path: Path) -> None:
    """The chunk LIST/INFO leaves header and samples as they were; every reader finds the same sound."""
    clip = np.arange(-50, 51, dtype=np.int16)
    plain, noted = wav_bytes(clip, 8000), wav_bytes(clip, 8000, MADE)
    assert noted[8 : len(plain)] == plain[8:] and struct.unpack("<I", noted[4:8])[0] == len(noted) - 8
    (tmp_path / "a.wav").write_bytes(noted)
    assert read_provenance(tmp_path / "a.wav") == MADE
    with wave.open(io.BytesIO(noted)) as reader:
        assert reader.readframes(1000) == clip.tobytes()
    with open(tmp_path / "a.wav", "rb") as file:
        np.testing.assert_array_equal(read_wav(file, 8000, 1000)[0], clip)
    (tmp_path / "b.wav").write_bytes(plain)
    assert read_provenance(tmp_path / "b.wav") is None


def test_each_image_of_an_array_has_its_own_seed(tmp_path: Path) -> None:
    images = ImageArray(np.stack([PIXELS] * 5), MADE, np.arange(7, 12))
    for part, seed in ((images[2], 9), (images[-1], 11), (images[1:][0], 8), (images[[4, 0]][0], 11)):
        part.save(tmp_path / "one.png")
        made = read_provenance(tmp_path / "one.png")
        assert made is not None and made.seed == seed
    assert [image.provenance.seed for image in images] == [7, 8, 9, 10, 11]
    images[1:4].save(tmp_path / "grid.png")
    made = read_provenance(tmp_path / "grid.png")
    assert made is not None and (made.seed, made.options) == (8, {"grid": True, "n": 3})
    images[::2].grid(columns=2).save(tmp_path / "some.png")
    made = read_provenance(tmp_path / "some.png")
    assert made is not None and made.options["seeds"] == (7, 9, 11) and "n" not in made.options
    turned = images.transpose(0, 2, 1, 3)
    for changed in (images[:, 2:], images[images > 3], images[None], turned, images.copy(), images[0][::-1]):
        assert changed.provenance is None, "no longer the images of those seeds"


def chunk(kind: bytes, body: bytes, length: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(body) if length is None else length)
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body))
    )


def with_chunk(more: bytes) -> bytes:
    whole = png_bytes(PIXELS)
    return whole[:33] + more + whole[33:]


def test_files_of_strangers(tmp_path: Path) -> None:
    """Bounded whatever they claim: compressed texts, lengths beyond the file, other keywords, damaged blocks."""
    bomb = zlib.compress(b"{" + b" " * 50_000_000)
    itxt = KEYWORD.encode() + b"\0"
    for number, more in enumerate(
        [
            chunk(b"iTXt", itxt + b"\1\0\0\0" + bomb),
            chunk(b"iTXt", itxt + b"\1\0\0\0" + b"no zlib"),
            chunk(b"iTXt", itxt),
            chunk(b"iTXt", b""),
            chunk(b"iTXt", b"other\0\0\0\0\0" + MADE.text().encode()),
            chunk(b"iTXt", itxt + b"\0\0\0\0" + b"{" * 100_000),
            chunk(b"eXIf", b"MM\0*" + b"\xff" * 500),
            chunk(b"junk", b"", 0xFFFFFFFF),
        ]
    ):
        place = tmp_path / f"{number}.png"
        place.write_bytes(with_chunk(more))
        assert read_provenance(place) is None, number
    packed = tmp_path / "packed.png"
    packed.write_bytes(with_chunk(chunk(b"iTXt", itxt + b"\1\0en\0\0" + zlib.compress(MADE.text().encode()))))
    assert read_provenance(packed) == MADE, "other programs compress it"
    with pytest.raises(DataError, match="not an image"):
        (tmp_path / "a.png").write_bytes(b"nothing")
        read_provenance(tmp_path / "a.png")
    with pytest.raises(DataError, match="there is no such file"):
        read_provenance(tmp_path / "none.png")
    (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0WAVELIST\xff\xff\xff\xffINFO")
    assert read_provenance(tmp_path / "a.wav") is None


def test_png_texts_are_not_decompressed_beyond_their_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The chunk is small, what is in it is not: no more than the longest text is unpacked."""
    import ganvas.data.metadata as metadata

    sizes: list[int] = []

    def noted(text: str) -> None:
        sizes.append(len(text))

    monkeypatch.setattr(metadata, "from_text", noted)
    body = KEYWORD.encode() + b"\0\1\0\0\0" + zlib.compress(b" " * 10_000_000)
    (tmp_path / "a.png").write_bytes(with_chunk(chunk(b"iTXt", body)))
    read_provenance(tmp_path / "a.png")
    assert sizes == [metadata.MAX_CHARACTERS + 1]


def test_pillow_reads_what_16_bit_files_say(tmp_path: Path) -> None:
    content = png16.encode(np.zeros((2, 2, 3), np.uint16), text=(KEYWORD, "a text, \u00e9"))
    with Image.open(io.BytesIO(content)) as image:
        assert image.info[KEYWORD] == "a text, \u00e9"
    info = PngInfo()
    info.add_itxt(KEYWORD, MADE.text())
    Image.fromarray(PIXELS).save(tmp_path / "a.png", pnginfo=info)
    assert read_provenance(tmp_path / "a.png") == MADE
    assert exif_with(MADE, None)[:4] == b"Exif"
