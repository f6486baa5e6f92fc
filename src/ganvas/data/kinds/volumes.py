"""Volumes: occupancy (D, H, W) in [-1, 1] in a batch, uint8 in a data set, meshes (.obj, .ply) on the disk.

In a DataSpec the channels are the depth D. Packs hold a volume as an image (H, W, D), so that packing, cache and splits are those
of images. z, along D, points up.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ganvas.data.image_grid import bounded_grid
from ganvas.data.kinds.base import Kind, Split
from ganvas.data.kinds.common import common_rows, counts_in_words, duplicates, labels_of
from ganvas.data.kinds.images import to_uint8
from ganvas.data.mesh import obj_text, ply_bytes
from ganvas.data.spec import Card, DataSpec, Facts, Window
from ganvas.data.surface import SURFACE_OCCUPANCY, largest_component, marching_cubes
from ganvas.files import write_aside, write_bytes
from ganvas.provenance import Provenance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.data.batch import Batch
    from ganvas.data.kinds.feeds import Feed, FeedOptions

COUNTED_VOXELS = 16  # a side, of the volumes on which the cost of a step is counted
TURN_FRAMES = 24
TURNTABLE_VOLUMES = 16  # the first ones


class Volumes(Kind[np.ndarray, np.ndarray]):
    name = "volumes"
    samples = "volumes"
    suffix = ".obj"
    formats = ("obj", "ply")
    settings = ("voxels",)
    is_solid = True

    def settings_like(self, spec: DataSpec, settings: Mapping[str, object]) -> dict[str, object]:
        return {**settings, "voxels": spec.width}

    def unpacked(self, images: np.ndarray, spec: DataSpec, facts: Facts) -> tuple[np.ndarray, DataSpec]:
        return images, dataclasses.replace(spec, kind=self.name)

    def feed(self, data: Split, *, batch_size: int, window: Window, **more: Unpack[FeedOptions]) -> Feed:
        from ganvas.data.kinds.feeds import Feed

        return Feed(data.examples, data.labels, None, batch_size=batch_size, **more)

    def batch(self, data: Split, rows: np.ndarray, window: Window, device: torch.device | str) -> Batch:
        from ganvas.data.batch import Batch, as_image_tensor

        return Batch(as_image_tensor(data.examples[rows], device), labels_of(data, rows, device))

    less = "a smaller data.voxels"

    def places(self, spec: DataSpec, window: int) -> int:
        return spec.channels * spec.height * spec.width

    def small(self, spec: DataSpec) -> DataSpec:
        return dataclasses.replace(spec, channels=COUNTED_VOXELS, height=COUNTED_VOXELS, width=COUNTED_VOXELS)

    def noise(self, spec: DataSpec, window: int, random: np.random.Generator) -> np.ndarray:
        return random.integers(0, 256, (spec.count, spec.height, spec.width, spec.channels)).astype(np.uint8)

    def examples_in_words(self, spec: DataSpec) -> str:
        return f"volumes of {self.size(spec)}"

    def card(self, splits: Mapping[str, Split], data: Split) -> Card:
        occupied = 0
        for volume in data.examples:
            occupied += int((volume > SURFACE_OCCUPANCY).sum())
        return {
            "occupied": round(occupied / data.examples.size, 4),
            "total_variance": data.spec.total_variance,
            "duplicates": duplicates(splits),
        }

    def describe(self, spec: DataSpec, card: Card, number: Callable[[float], str]) -> dict[str, str]:
        return {
            self.unit: counts_in_words(card["counts"]),
            "shape": self.size(spec),
            "occupied": f"{number(100 * card['occupied'])} % of the voxels",
            "total variance": number(card["total_variance"]),
            **common_rows(spec, card),
        }

    def size(self, spec: DataSpec) -> str:
        return f"{spec.channels}x{spec.height}x{spec.width} voxels (DxHxW)"

    def tile(self, data: Split, index: int, gap: int) -> np.ndarray:
        from ganvas.data.turntable import rendered

        return rendered(as_volumes(data.examples[index : index + 1]))[0]

    def finished(self, samples: Tensor, spec: DataSpec) -> np.ndarray:
        return as_volumes(to_uint8(samples))

    def shown(self, samples: np.ndarray) -> np.ndarray:
        """Rendered from one side."""
        from ganvas.data.turntable import rendered

        return rendered(samples)

    def image_grid(self, samples: np.ndarray, spec: DataSpec) -> np.ndarray:
        return bounded_grid(self.shown(samples))

    def film(self, samples: np.ndarray) -> np.ndarray:
        from ganvas.data.turntable import turntable

        turned = turntable(samples[:TURNTABLE_VOLUMES], TURN_FRAMES)
        return np.stack([bounded_grid(frame) for frame in turned])

    is_compared = True

    def as_images(self, values: Tensor) -> Tensor:
        """A channel for each depth."""
        return values

    def tile_size(self, spec: DataSpec) -> tuple[int, int]:
        from ganvas.data.turntable import RENDER_SIDE

        return RENDER_SIDE, RENDER_SIDE

    def write(self, path: Path, sample: np.ndarray, spec: DataSpec, provenance: Provenance | None = None) -> None:
        """The surface of the largest piece; a volume without one gives a file without triangles."""
        mesh = marching_cubes(largest_component(sample))
        note = "" if provenance is None else f"ganvas {provenance.text()}"
        if path.suffix.lower() == ".ply":
            write_bytes(path, ply_bytes(mesh, note))
        else:
            write_bytes(path, obj_text(mesh, note).encode())

    def write_joined(
        self, stem: Path, samples: np.ndarray, spec: DataSpec, provenance: Provenance | None = None
    ) -> None:
        """An .npz of the first ones, which the report shows to be turned."""
        shown = samples[:TURNTABLE_VOLUMES]
        write_aside(stem.with_suffix(".npz"), lambda file: np.savez_compressed(file, volumes=shown))

    def arrays(self, samples: np.ndarray, spec: DataSpec) -> dict[str, np.ndarray]:
        return {"volumes": samples}


def as_volumes(examples: np.ndarray) -> np.ndarray:
    """Volumes (N, D, H, W) of what a data set holds, (N, H, W, D)."""
    return np.moveaxis(examples, -1, 1)


def as_examples(volumes: np.ndarray) -> np.ndarray:
    """The reverse of `as_volumes`."""
    return np.moveaxis(volumes, 1, -1)
