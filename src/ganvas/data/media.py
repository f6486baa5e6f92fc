"""What samples become: images as bytes, sound as 16-bit clips, text as text; and how each goes into files."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.data.image import viewable, write_png
from ganvas.data.sheets import grid
from ganvas.data.spectrogram import spectrogram, spectrogram_size
from ganvas.files import write_aside, write_bytes, write_text

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.data.spec import DataSpec

GAP = 0.25  # seconds of silence between clips that are joined
JOINED = 16  # clips, or texts, at most in one file
SUFFIXES = {"images": ".png", "audio": ".wav", "text": ".txt"}


def to_uint8(images: Tensor) -> np.ndarray:
    """(n, C, H, W) in [-1, 1] as (n, H, W, C) uint8, rounded."""
    import torch

    bytes_ = images.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
    return bytes_.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_int16(clips: Tensor) -> np.ndarray:
    """(n, 1, L) in [-1, 1] as (n, L) int16, rounded."""
    return clips.flatten(1).clamp(-1, 1).mul(32767).round().cpu().numpy().astype(np.int16)


def to_texts(numbers: Tensor, tokens: tuple[str, ...]) -> list[str]:
    """(n, L) token numbers as n texts."""
    return ["".join(tokens[number] for number in row) for row in numbers.long().tolist()]


def finished(made: Tensor, spec: DataSpec) -> Any:
    """What a method generated, in its final form: images uint8 (n, H, W, C), clips int16 (n, L), or a list of texts."""
    if spec.kind == "text":
        return to_texts(made, spec.tokens)
    return to_int16(made) if spec.kind == "audio" else to_uint8(made)


def sheet(made: Any, spec: DataSpec) -> np.ndarray | None:
    """All of them as one image (H, W, C): a grid of images, or of spectrograms; None for text."""
    if spec.kind == "text":
        return None
    return grid(made if spec.kind == "images" else np.stack([spectrogram(clip) for clip in made]))


def tile_size(spec: DataSpec) -> tuple[int, int]:
    """(height, width) of one of them on a sheet."""
    return spectrogram_size(spec.width) if spec.kind == "audio" else (spec.height, spec.width)


def wav_bytes(clip: np.ndarray, rate: int) -> bytes:
    """A mono 16-bit .wav of a clip (L,) int16."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(clip.astype("<i2").tobytes())
    return file.getvalue()


def write_each(folder: Path, made: Any, seed: int, spec: DataSpec) -> None:
    """One file each, named by its seed: seed000042.png, .wav or .txt."""
    for index, one in enumerate(viewable(made) if spec.kind == "images" else made):
        place = folder / f"seed{seed + index:06d}{SUFFIXES[spec.kind]}"
        if spec.kind == "images":
            write_png(place, one)
        elif spec.kind == "audio":
            write_bytes(place, wav_bytes(one, spec.rate))
        else:
            write_text(place, one)


def write_npz(place: Path, made: Any, spec: DataSpec) -> None:
    """`images` uint8 (N, H, W, C); or `audio` int16 (N, L) and `rate`; or `texts`, an array of strings."""
    arrays = {
        "images": lambda: {"images": made},
        "audio": lambda: {"audio": made, "rate": np.array(spec.rate)},
        "text": lambda: {"texts": np.array(made)},
    }[spec.kind]()
    write_aside(place, lambda file: np.savez_compressed(file, **arrays))


def write_sheet(stem: Path, made: Any, spec: DataSpec) -> None:
    """The first of them in one file, stem.wav or stem.txt, to listen to or to read."""
    if spec.kind == "audio":
        silence = np.zeros(int(GAP * spec.rate), np.int16)
        joined = [part for clip in made[:JOINED] for part in (clip, silence)]
        write_bytes(stem.with_suffix(".wav"), wav_bytes(np.concatenate(joined), spec.rate))
    if spec.kind == "text":
        rule = "\n\n" + "-" * 40 + "\n\n"
        write_text(stem.with_suffix(".txt"), rule.join(made[:JOINED]) + "\n")
