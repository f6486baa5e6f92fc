"""What samples become: images and videos as bytes, sound as 16-bit clips, text as text; and how each goes into files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.data.kinds import KINDS
from ganvas.data.kinds.audio import to_int16, wav_bytes
from ganvas.data.kinds.images import to_uint8
from ganvas.files import write_aside

if TYPE_CHECKING:
    from torch import Tensor

    from ganvas.data.spec import DataSpec
    from ganvas.provenance import Provenance

Samples = np.ndarray | list[str]

__all__ = [
    "finished",
    "image_grid",
    "tile_size",
    "to_int16",
    "to_uint8",
    "wav_bytes",
    "write_each",
    "write_joined",
    "write_npz",
]  # fmt: skip


def finished(samples: Tensor, spec: DataSpec) -> Any:  # one of Samples, which one follows from spec.kind
    """What a method generated, in its final form: images uint8 (n, H, W, C), clips int16 (n, L), or a list of texts."""
    return KINDS[spec.kind].finished(samples, spec)


def image_grid(samples: Samples, spec: DataSpec) -> np.ndarray | None:
    """All of them as one image (H, W, C): a grid of images, or of spectrograms; None for text."""
    return KINDS[spec.kind].image_grid(samples, spec)


def tile_size(spec: DataSpec) -> tuple[int, int]:
    """(height, width) of one of them in that grid."""
    return KINDS[spec.kind].tile_size(spec)


def write_each(
    folder: Path,
    samples: Samples,
    seed: int,
    spec: DataSpec,
    provenance: Provenance | None = None,
    form: str | None = None,
) -> None:
    """One file each, named by its seed: seed000042.png, .webp, .wav, .txt or .obj, or in another of the kind's formats. Each
    notes its own seed beside `provenance`."""
    kind = KINDS[spec.kind]
    for number, sample in enumerate(samples, seed):
        own = None if provenance is None else dataclasses.replace(provenance, seed=number)
        kind.write(folder / f"seed{number:06d}{kind.suffix_of(form)}", sample, spec, own)


def write_npz(place: Path, samples: Samples, spec: DataSpec) -> None:
    """`images` uint8 (N, H, W, C); or `audio` int16 (N, L) and `rate`; `texts`, strings; `volumes` (N, D, H, W)."""
    arrays = KINDS[spec.kind].arrays(samples, spec)
    save: Callable[..., None] = np.savez_compressed  # every keyword is an array
    write_aside(place, lambda file: save(file, **arrays))


def write_joined(stem: Path, samples: Samples, spec: DataSpec, provenance: Provenance | None = None) -> None:
    """The first of them in one file, stem.wav, .txt, .webp or .npz, for the report; images are in the grid already."""
    KINDS[spec.kind].write_joined(stem, samples, spec, provenance)
