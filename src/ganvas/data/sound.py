"""Sound files: .wav by our own reader, FLAC, Ogg and MP3 through soundfile (the extra `[audio]`).

What is read becomes one channel of 16 bits; see wav.py.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Any, BinaryIO

import numpy as np

from ganvas.data import wav
from ganvas.data.file_kinds import WAV
from ganvas.data.image import Broken, reason
from ganvas.data.wav import Wav

COMPRESSED = frozenset({".flac", ".ogg", ".oga", ".mp3", ".opus", ".aif", ".aiff"})


@functools.cache
def suffixes() -> frozenset[str]:
    """Endings of the sound files that this installation reads; lower case."""
    if importlib.util.find_spec("soundfile") is None:
        return WAV
    return WAV | COMPRESSED


def header(file: BinaryIO) -> Wav:
    """Rate, channels and length, without reading the samples. Raises Broken."""
    if _is_wav(file):
        return wav.header(file)
    with _opened(file) as sound:
        return _head(sound)


def read(file: BinaryIO, rate: int, most: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """(the first `most` samples at `rate` a second or fewer, int16, what was changed). Raises Broken."""
    if _is_wav(file):
        return wav.read(file, rate, most)
    with _opened(file) as sound:
        head = _head(sound)
        try:
            samples = sound.read(wav.frames_for(most, rate, head), dtype="float64", always_2d=True)
        except Exception as error:  # of libsndfile
            raise Broken(reason(error)) from error
        if not len(samples) or not np.isfinite(samples).all():
            raise Broken("it holds no sound, or samples that are no numbers")
        clip, changes = wav.convert(samples, head, rate)
        return clip[:most], (sound.format, *changes)


def _is_wav(file: BinaryIO) -> bool:
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    return start in (b"RIFF", b"RIFX", b"RF64", b"BW64")


def _opened(file: BinaryIO) -> Any:
    """A SoundFile. Raises Broken."""
    try:
        import soundfile  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        try:
            wav.header(file)
        except Broken as error:
            raise Broken(f'{error}. FLAC, Ogg and MP3 are read with pip install "ganvas[audio]"') from None
        raise
    try:
        return soundfile.SoundFile(file)
    except Exception as error:  # of libsndfile
        raise Broken(f"it is no .wav file, and no other sound file that is read here ({reason(error)})") from error


def _head(sound: Any) -> Wav:
    """As a .wav of 16 bits would have it. Raises Broken for what cannot be."""
    rate, channels, frames = int(sound.samplerate), int(sound.channels), int(sound.frames)
    if not wav.RATES[0] <= rate <= wav.RATES[1] or not 1 <= channels <= wav.MAX_WAV_CHANNELS:
        raise Broken(f"its header says {channels} channels of {rate} samples a second")
    if not 0 < frames < 2**40:
        raise Broken("it holds no sound")
    return Wav(rate, channels, 16, False, 0, frames * channels * 2)
