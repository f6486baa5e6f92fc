"""Reading .wav files: bytes written here by hand, since what other programs write is the point."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from ganvas.data import wav
from ganvas.data.image import Broken

GUID = bytes.fromhex("000000001000800000aa00389b71")


def wav_file(
    content: bytes, *, code: int = 1, channels: int = 1, rate: int = 8000, bits: int = 16, said: int | None = None,
    extensible: bool = False, before: bytes = b"", riff: int | None = None,
) -> io.BytesIO:  # fmt: skip
    """A .wav with these samples; `said` is the size that its header gives them, `riff` that of the whole file."""
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else code, channels, rate, rate * block % 2**32, block, bits)
    if extensible:
        form += struct.pack("<HHIH", 22, bits, 0, code) + GUID
    chunks = before + b"fmt " + struct.pack("<I", len(form)) + form
    chunks += b"data" + struct.pack("<I", len(content) if said is None else said) + content
    return io.BytesIO(b"RIFF" + struct.pack("<I", 4 + len(chunks) if riff is None else riff) + b"WAVE" + chunks)


@pytest.mark.parametrize(
    ("content", "options", "expected", "changes"),
    [
        (struct.pack("<4h", 0, 1, -2, 32767), {}, [0, 1, -2, 32767], ()),
        (bytes([0, 128, 129, 255]), {"bits": 8}, [-32768, 0, 256, 32512], ("8-bit integer",)),
        (b"\x00\x01\x00\xff\xff\xff\x00\x00\x80", {"bits": 24}, [1, 0, -32768], ("24-bit integer",)),
        (struct.pack("<2i", 65536, -(2**31)), {"bits": 32}, [1, -32768], ("32-bit integer",)),
        (struct.pack("<3f", 0.5, -1.0, 1.0), {"bits": 32, "code": 3}, [16384, -32768, 32767], ("32-bit float",)),
        (struct.pack("<2d", 0.25, 3.0), {"bits": 64, "code": 3}, [8192, 32767], ("64-bit float", "louder than full scale")),
        (struct.pack("<4h", 100, 300, -5, -5), {"channels": 2}, [200, -5], ("stereo",)),
        (struct.pack("<3h", 1, 2, 3), {"extensible": True}, [1, 2, 3], ()),
        (struct.pack("<2f", 0.5, 0.5), {"bits": 32, "code": 3, "extensible": True}, [16384, 16384], ("32-bit float",)),
        (struct.pack("<2h", 7, 8), {"said": 0xFFFFFFFF}, [7, 8], ("no length in the header",)),
        # What sox, arecord and ffmpeg write into a pipe, and programs that never come back to fill the sizes in.
        (struct.pack("<2h", 7, 8), {"said": 0x7FFFFFFF - 0xFFF - 36}, [7, 8], ("no length in the header",)),
        (struct.pack("<2h", 7, 8), {"said": 0x80000000}, [7, 8], ("no length in the header",)),
        (struct.pack("<2h", 7, 8), {"said": 0xFFFFFFFF - 36}, [7, 8], ("no length in the header",)),
        (struct.pack("<2h", 7, 8), {"said": 0, "riff": 0}, [7, 8], ("no length in the header",)),
        (struct.pack("<2h", 7, 8), {"before": b"LIST" + struct.pack("<I", 3) + b"abc\0"}, [7, 8], ()),
    ],
)  # fmt: skip
def test_every_form_becomes_16_bits(content: bytes, options: dict, expected: list, changes: tuple) -> None:
    clip, found = wav.read(wav_file(content, **options), 8000, 100)
    assert clip.dtype == np.int16 and clip.tolist() == expected and found == changes


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (io.BytesIO(b""), "no .wav file"),
        (io.BytesIO(b"ID3\x04 this is an mp3"), "no .wav file"),
        (io.BytesIO(b"RF64\xff\xff\xff\xffWAVE"), "kind RF64"),
        (io.BytesIO(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0"), "cut short within its header"),
        (io.BytesIO(wav_file(b"").getvalue()[:36]), "no samples in it"),
        (wav_file(b""), "no sound"),
        (wav_file(b"\0\0" * 50, said=4000), "says 4,000 bytes of sound, and 100 are there"),
        (wav_file(b"\0\0" * 4, rate=0), "says 0 samples a second"),
        (wav_file(b"\0\0" * 4, rate=4_000_000_000), "says 4000000000 samples a second"),
        (wav_file(b"\0\0" * 4, channels=0), "says 0 channels"),
        (wav_file(b"\0\0" * 4, bits=12, code=3), "says 16 bits"),
        (wav_file(b"\0\0" * 4, code=7, bits=8), "holds mu-law"),
        (wav_file(struct.pack("<2f", 1.0, float("nan")), bits=32, code=3), "no numbers"),
        (io.BytesIO(b"RIFF\0\0\0\0WAVE" + b"data\x04\0\0\0" + b"\0\0\0\0"), "before what they are"),
    ],
)
def test_what_is_broken_says_why(file: io.BytesIO, reason: str) -> None:
    with pytest.raises(Broken, match=reason):
        wav.read(file, 8000, 100)


@pytest.mark.parametrize(("rate", "wanted"), [(16000, 8000), (44100, 8000), (8000, 11025), (22050, 16000)])
def test_a_tone_keeps_its_height_at_another_rate(rate: int, wanted: int) -> None:
    """What both rates can hold stays, to a ten-thousandth; what only the higher one can is gone."""
    low = min(rate, wanted) / 2
    made = wav.resampled(np.sin(2 * np.pi * 0.8 * low * np.arange(rate) / rate), rate, wanted)
    assert len(made) == wanted
    middle = slice(wanted // 4, 3 * wanted // 4)
    exact = np.sin(2 * np.pi * 0.8 * low * np.arange(wanted) / wanted)
    assert np.abs(made - exact)[middle].max() < 3e-4
    if wanted < rate:
        gone = wav.resampled(np.sin(2 * np.pi * 1.02 * low * np.arange(rate) / rate), rate, wanted)
        assert np.abs(gone[middle]).max() < 3e-4


def test_no_more_is_read_than_is_needed() -> None:
    class Counting(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.most = max(self.most, size or 0)
            return super().read(size)

    file = Counting(wav_file(struct.pack("<h", 5) * 200_000, rate=16000).getvalue())
    clip, _ = wav.read(file, 8000, 1000)
    assert len(clip) == 1000 and abs(int(clip[500]) - 5) <= 1 and file.most < 6000
