"""Clips of sound: (1, L) in [-1, 1] in a batch, int16 (L,) in a data set, mono .wav on the disk.

In a DataSpec a clip has 1 channel, height 1 and width L. Packs hold it as an image one pixel high whose two channels are the
bytes of 16 bits, so that packing, cache and splits are those of images.
"""

from __future__ import annotations

import dataclasses
import io
import struct
import wave
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ganvas.data.image_grid import grid
from ganvas.data.kinds.base import Kind, Split
from ganvas.data.kinds.common import common_rows, counts_in_words, duplicates, labels_of
from ganvas.data.spec import AudioFacts, Card, DataSpec, Facts, Window
from ganvas.data.spectrogram import spectrogram, spectrogram_size
from ganvas.files import write_bytes
from ganvas.provenance import Provenance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.data.batch import Batch
    from ganvas.data.kinds.feeds import Feed, FeedOptions

GAP_SECONDS = 0.25  # seconds of silence between clips that are joined
COUNTED_SAMPLES = 2048  # samples of the clips on which the cost of a step is counted
MAX_JOINED_CLIPS = 16  # clips at most in one file


class Audio(Kind[np.ndarray, np.ndarray]):
    name = "audio"
    samples = "clips"
    suffix = ".wav"
    settings = ("rate", "seconds")

    def settings_like(self, spec: DataSpec, settings: Mapping[str, object]) -> dict[str, object]:
        return {**settings, "rate": spec.audio.rate, "seconds": spec.width / spec.audio.rate}

    def unpacked(self, images: np.ndarray, spec: DataSpec, facts: Facts) -> tuple[np.ndarray, DataSpec]:
        spec = dataclasses.replace(
            spec, channels=1, total_variance=0.0, kind=self.name, audio=AudioFacts(facts["rate"])
        )
        return from_bytes(images), spec

    def feed(self, data: Split, *, batch_size: int, window: Window, **more: Unpack[FeedOptions]) -> Feed:
        from ganvas.data.kinds.feeds import AudioFeed

        return AudioFeed(
            data.examples, data.labels, data.partners, batch_size=batch_size, mirror=data.settings.mirror,
            apart=data.spec.unpaired, **more,
        )  # fmt: skip

    def batch(self, data: Split, rows: np.ndarray, window: Window, device: torch.device | str) -> Batch:
        import torch

        from ganvas.data.batch import Batch, as_audio

        clips = torch.from_numpy(np.array(data.examples[rows])).to(device)
        return Batch(as_audio(clips), labels_of(data, rows, device))

    less = "a smaller data.seconds"

    def small(self, spec: DataSpec) -> DataSpec:
        return dataclasses.replace(spec, width=min(spec.width, COUNTED_SAMPLES))

    def noise(self, spec: DataSpec, window: int, random: np.random.Generator) -> np.ndarray:
        return random.integers(-9000, 9000, (spec.count, spec.width)).astype(np.int16)

    def examples_in_words(self, spec: DataSpec) -> str:
        return f"clips of {spec.width:,} samples"

    def card(self, splits: Mapping[str, Split], data: Split) -> Card:
        return {"duplicates": duplicates(splits)}

    def describe(self, spec: DataSpec, card: Card, number: Callable[[float], str]) -> dict[str, str]:
        rates = ", ".join(f"{count} at {rate}" for rate, count in card["original_rates"].items())
        if "rate_from" in card:
            rates += f"; {card['rate_from']}"
        lengths = ", ".join(f"{name} {number(value)} s" for name, value in card["original_seconds"].items())
        changes = ", ".join(f"{what}: {count}" for what, count in card["converted"].items())
        return {
            self.unit: counts_in_words(card["counts"]),
            "rate": f"{spec.audio.rate} samples a second (files: {rates})",
            "length": f"{spec.width} samples, {number(spec.width / spec.audio.rate)} s ({card['length_rule']})",
            "files": lengths,
            "converted": changes or "nothing",
            **common_rows(spec, card),
        }

    def tile(self, data: Split, index: int, gap: int) -> np.ndarray:
        return spectrogram(data.examples[index])

    def finished(self, samples: Tensor, spec: DataSpec) -> np.ndarray:
        return to_int16(samples)

    def image_grid(self, samples: np.ndarray, spec: DataSpec) -> np.ndarray:
        return grid(np.stack([spectrogram(clip) for clip in samples]))

    def tile_size(self, spec: DataSpec) -> tuple[int, int]:
        return spectrogram_size(spec.width)

    def write(self, path: Path, sample: np.ndarray, spec: DataSpec, provenance: Provenance | None = None) -> None:
        write_bytes(path, wav_bytes(sample, spec.audio.rate, provenance))

    def write_joined(
        self, stem: Path, samples: np.ndarray, spec: DataSpec, provenance: Provenance | None = None
    ) -> None:
        silence = np.zeros(int(GAP_SECONDS * spec.audio.rate), np.int16)
        parts = []
        for clip in samples[:MAX_JOINED_CLIPS]:
            parts += [clip, silence]
        write_bytes(stem.with_suffix(self.suffix), wav_bytes(np.concatenate(parts), spec.audio.rate, provenance))

    def arrays(self, samples: np.ndarray, spec: DataSpec) -> dict[str, np.ndarray]:
        return {"audio": samples, "rate": np.array(spec.audio.rate)}


def to_int16(clips: Tensor) -> np.ndarray:
    """(n, 1, L) in [-1, 1] as (n, L) int16, rounded."""
    return clips.flatten(1).clamp(-1, 1).mul(32767).round().cpu().numpy().astype(np.int16)


def wav_bytes(clip: np.ndarray, rate: int, provenance: Provenance | None = None) -> bytes:
    """A mono 16-bit .wav of a clip (L,) int16; `provenance` goes into the comment (ICMT) of a chunk LIST/INFO behind it."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(clip.astype("<i2").tobytes())
    content = file.getvalue()
    if provenance is None:
        return content
    fields = b"INFO" + _field(b"ISFT", f"ganvas {provenance.version}") + _field(b"ICMT", provenance.text())
    content += b"LIST" + struct.pack("<I", len(fields)) + fields
    return content[:4] + struct.pack("<I", len(content) - 8) + content[8:]


def _field(name: bytes, text: str) -> bytes:
    """A field of a RIFF chunk LIST/INFO: a text that ends in 0, of even length in the file."""
    body = text.encode("ascii") + b"\0"
    return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def as_bytes(clips: Sequence[np.ndarray], length: int) -> np.ndarray:
    """Clips as a pack holds them, (N, 1, length, 2) uint8; silence fills those that are shorter, longer ones are cut."""
    whole = np.zeros((len(clips), 1, length), "<i2")
    for row, clip in zip(whole, clips, strict=True):
        row[0, : len(clip)] = clip[:length]
    return whole[..., None].view(np.uint8)


def from_bytes(packed: np.ndarray) -> np.ndarray:
    """Clips (N, L) int16 of what a pack holds, (N, 1, L, 2) uint8, without copying where the machine agrees."""
    return packed.view("<i2")[:, 0, :, 0]
