"""Reading .wav files as they are found: PCM of 8 to 32 bits, floats, several channels, any rate.

Sound becomes one channel of 16 bits. What had to be changed for that is reported.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import struct
from typing import BinaryIO

import numpy as np

from ganvas.data.image import Broken

MAX_WAV_BYTES = 2**30  # bytes
RATES = (100, 768_000)
MAX_WAV_CHANNELS = 64
# Sizes that a program writes which cannot go back and fix them: ffmpeg, sox, arecord and others, each their own.
UNKNOWN_LENGTHS = (range(0x7FFF0000, 0x80000001), range(0xFFFF0000, 0x100000000))
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
ENCODINGS = {2: "ADPCM", 6: "A-law", 7: "mu-law", 0x11: "IMA ADPCM", 0x31: "GSM", 0x55: "MP3"}
TAIL_OF_GUID = bytes.fromhex("000000001000800000aa00389b71")  # of every sub-format that is a format number
ZERO_CROSSINGS = 32  # zero crossings of the resampling filter's sinc on each side
KAISER_BETA = 8.0  # of its Kaiser window: 80 dB below
FILTER_CUTOFF = 0.92  # of the lower Nyquist frequency: the middle of the filter's slope, which ends at that frequency


@dataclasses.dataclass(frozen=True)
class Wav:
    """What the header says. `start` and `size` (bytes) are of the samples; `endless`: it does not say where they end."""

    rate: int
    channels: int
    bits: int
    real: bool
    start: int
    size: int
    endless: bool = False

    @property
    def frames(self) -> int:
        """Samples of each channel."""
        return self.size // (self.channels * self.bits // 8)

    @property
    def changes(self) -> tuple[str, ...]:
        """What is not as a clip of ours: stereo, 24 bits."""
        changes: list[str] = []
        if self.real:
            changes.append(f"{self.bits}-bit float")
        elif self.bits != 16:
            changes.append(f"{self.bits}-bit integer")
        if self.endless:
            changes.append("no length in the header")
        if self.channels == 2:
            changes.append("stereo")
        elif self.channels != 1:
            changes.append(f"{self.channels} channels")
        return tuple(changes)


def header(file: BinaryIO) -> Wav:
    """Of a file from its start, without reading the samples. Raises Broken."""
    end = file.seek(0, os.SEEK_END)
    file.seek(0)
    start = file.read(12)
    if start[:4] in (b"RIFX", b"RF64", b"BW64"):
        raise Broken(f"it is of the kind {start[:4].decode()}, and only RIFF is read")
    if len(start) < 12 or start[:4] != b"RIFF" or start[8:] != b"WAVE":
        raise Broken(f"it is no .wav file: it does not start as one ({start.hex(' ')})")
    form, place = None, 12
    while place + 8 <= end:
        file.seek(place)
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"data":
            if form is None:
                raise Broken("it is damaged: the samples come before what they are")
            unknown = any(size in sizes for sizes in UNKNOWN_LENGTHS)
            if size == 0 and int.from_bytes(start[4:8], "little") != end - 8:  # neither size was filled in
                unknown = True
            return _with_samples(form, place + 8, size, end, unknown=unknown)
        if name == b"fmt ":
            form = _form(file.read(min(size, 40)))
        place += 8 + size + size % 2
    if form is None:
        raise Broken("it is cut short within its header")
    raise Broken("it is cut short: there are no samples in it")


def read(file: BinaryIO, rate: int, most: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """(the first `most` samples at `rate` a second or fewer, int16, what was changed). Raises Broken.

    No more is read than that takes.
    """
    head = header(file)
    file.seek(head.start)
    content = file.read(frames_for(most, rate, head) * head.channels * head.bits // 8)
    clip, changes = convert(_samples(content, head).reshape(-1, head.channels), head, rate)
    return clip[:most], changes


def frames_for(count: int, rate: int, head: Wav) -> int:
    """How many samples of each channel it takes to get `count` at `rate`, with those that the filter reaches around them."""
    return min(head.frames, math.ceil((count + 2 * ZERO_CROSSINGS) / rate * head.rate) + 2 * ZERO_CROSSINGS)


def convert(samples: np.ndarray, head: Wav, rate: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Samples (L, channels), int16 or floats in which 1 is full scale, as (int16 (L',), what was changed)."""
    changes = head.changes
    if head.rate != rate:
        changes += (f"{head.rate} a second",)
    if samples.dtype == np.int16 and samples.shape[1] == 1 and head.rate == rate:
        return samples[:, 0], changes
    if samples.dtype == np.int16:
        samples = samples / 32768
    sound = resampled(samples.mean(1), head.rate, rate)
    if np.abs(sound).max(initial=0) > 1 + 1e-3:
        changes += ("louder than full scale",)
    return np.clip(np.rint(sound * 32768), -32768, 32767).astype(np.int16), changes


def resampled(sound: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """(L,) at `rate` samples a second as (ceil(L wanted / rate),) at `wanted`, by a windowed sinc; silence around.

    Tones up to 0.84 of the lower of both Nyquist frequencies stay as they are, those above it are gone (80 dB).
    """
    if rate == wanted:
        return sound
    up, down = wanted // math.gcd(rate, wanted), rate // math.gcd(rate, wanted)
    half = math.ceil(ZERO_CROSSINGS * max(1.0, rate / wanted))
    count = -(-len(sound) * up // down)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(sound, (half, half + down)), 2 * half + 1)
    result = np.empty(count)
    # Output m lies at m down / up between the samples. All m that are equal modulo `up` have one filter.
    for phase in range(min(up, count)):
        first, fraction = divmod(phase * down, up)
        rows = windows[first::down][: len(range(phase, count, up))]
        result[phase::up] = rows @ _filter(half, fraction / up, min(1.0, wanted / rate))
    return result


@functools.lru_cache(maxsize=512)
def _filter(half: int, fraction: float, share: float) -> np.ndarray:
    """Taps (2 half + 1,) for a place `fraction` behind the middle one; `share` is the lower rate over the present one."""
    distance = np.arange(-half, half + 1) - fraction
    window = np.i0(KAISER_BETA * np.sqrt(np.clip(1 - (distance / (half + 1)) ** 2, 0, None))) / np.i0(KAISER_BETA)
    taps = np.sinc(distance * share * FILTER_CUTOFF) * window
    return taps / taps.sum()


def _form(content: bytes) -> tuple[int, int, int, bool]:
    """Rate, channels, bits, and whether they are floats, of a chunk `fmt `."""
    if len(content) < 16:
        raise Broken("it is cut short within its header")
    code, channels, rate, _, block, bits = struct.unpack("<HHIIHH", content[:16])
    if code == EXTENSIBLE and len(content) >= 40 and content[26:40] == TAIL_OF_GUID:
        code = struct.unpack("<H", content[24:26])[0]
    if code not in (PCM, FLOAT):
        kind = ENCODINGS.get(code, f"format {code}")
        raise Broken(f"it holds {kind}; plain samples (PCM) and floats are read")
    if not RATES[0] <= rate <= RATES[1]:
        raise Broken(f"its header says {rate} samples a second; {RATES[0]} to {RATES[1]:,} can be")
    if not 1 <= channels <= MAX_WAV_CHANNELS:
        raise Broken(f"its header says {channels} channels; 1 to {MAX_WAV_CHANNELS} can be")
    bits = -(-bits // 8) * 8  # 20 bits lie in 24
    known_bits = (32, 64) if code == FLOAT else (8, 16, 24, 32)
    if bits not in known_bits or block != channels * bits // 8:
        raise Broken(f"its header says {bits} bits and {block} bytes for a sample of {channels} channels")
    return rate, channels, bits, code == FLOAT


def _with_samples(form: tuple[int, int, int, bool], start: int, size: int, end: int, *, unknown: bool) -> Wav:
    rate, channels, bits, real = form
    present, block = end - start, channels * bits // 8
    endless = unknown and present > 0
    if not endless and size > present:
        raise Broken(f"it is cut short: its header says {size:,} bytes of sound, and {present:,} are there")
    if endless:
        size = present
    if size < block:
        raise Broken("it holds no sound")
    return Wav(rate, channels, bits, real, start, size - size % block, endless)


def _samples(content: bytes, head: Wav) -> np.ndarray:
    """Interleaved samples: int16 as they are, else floats in which 1 is full scale."""
    if head.real:
        sound = np.frombuffer(content, f"<f{head.bits // 8}").astype(np.float64)
        if not np.isfinite(sound).all():
            raise Broken("some of its samples are no numbers")
        return sound
    if head.bits == 16:
        return np.frombuffer(content, "<i2").astype(np.int16)
    if head.bits == 8:  # the only ones without a sign
        return (np.frombuffer(content, np.uint8).astype(np.float64) - 128) / 128
    if head.bits == 32:
        return np.frombuffer(content, "<i4") / 2.0**31
    wide = np.zeros((len(content) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0] / 2.0**31
