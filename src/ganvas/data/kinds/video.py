"""Videos: (C, T, H, W) in [-1, 1] in a batch, uint8 (T, H, W, C) in a data set, animated WebP on the disk.

In a DataSpec channels, height and width are those of a frame; `video` says how many frames a clip has. Packs hold a clip as one
image, its frames below each other, so that packing, cache and splits are those of images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Unpack

import numpy as np

from ganvas.data.animation import write_animation
from ganvas.data.image import viewable, write_png
from ganvas.data.image_grid import bounded_grid, grid
from ganvas.data.kinds.base import Kind, Split
from ganvas.data.kinds.common import common_rows, counts_in_words, duplicates, labels_of
from ganvas.data.kinds.images import channel_facts
from ganvas.data.spec import Card, DataSpec, Facts, VideoFacts, Window
from ganvas.provenance import Provenance

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganvas.data.batch import Batch
    from ganvas.data.kinds.feeds import Feed, FeedOptions

COUNTED_FRAME_SIDE = 32  # pixels of the side of the frames on which the cost of a step is counted
FRAMES_SHOWN = 4  # frames of a clip where one image shows it
COMPARED_FRAMES = 4  # frames of a clip by which it is compared with others
MAX_JOINED_VIDEOS = 36  # clips at most in one film of many
MAX_FILM_PIXELS = 2**20  # of a frame of that film


class Video(Kind[np.ndarray, np.ndarray]):
    name = "video"
    samples = "videos"
    suffix = ".webp"
    formats = ("webp", "gif", "mp4", "frames")
    moves = True
    wanted = MappingProxyType({"frames": 16})
    settings = ("frames", "every", "size", "max_size", "fit", "channels", "alpha", "mirror")

    def settings_like(self, spec: DataSpec, settings: Mapping[str, object]) -> dict[str, object]:
        like = {**settings, "size": f"{spec.height}x{spec.width}", "frames": spec.video.frames}
        if spec.channels in (1, 3):
            like["channels"] = spec.channels
        return like

    def unpacked(self, images: np.ndarray, spec: DataSpec, facts: Facts) -> tuple[np.ndarray, DataSpec]:
        frames = int(facts["frames"])
        video = VideoFacts(frames, float(facts["rate"]))
        spec = dataclasses.replace(spec, height=spec.height // frames, kind=self.name, video=video)
        return images.reshape(len(images), frames, spec.height, spec.width, spec.channels), spec

    def feed(self, data: Split, *, batch_size: int, window: Window, **more: Unpack[FeedOptions]) -> Feed:
        from ganvas.data.kinds.feeds import VideoFeed

        return VideoFeed(
            data.examples, data.labels, None, batch_size=batch_size, mirror=data.settings.mirror, **more
        )  # fmt: skip

    def batch(self, data: Split, rows: np.ndarray, window: Window, device: torch.device | str) -> Batch:
        import torch

        from ganvas.data.batch import Batch, as_video

        clips = torch.from_numpy(np.array(data.examples[rows])).to(device)
        return Batch(as_video(clips), labels_of(data, rows, device))

    less = "a smaller data.size or data.frames"

    def places(self, spec: DataSpec, window: int) -> int:
        return spec.video.frames * spec.height * spec.width

    def small(self, spec: DataSpec) -> DataSpec:
        return dataclasses.replace(spec, height=COUNTED_FRAME_SIDE, width=COUNTED_FRAME_SIDE)

    def noise(self, spec: DataSpec, window: int, random: np.random.Generator) -> np.ndarray:
        shape = (spec.count, spec.video.frames, spec.height, spec.width, spec.channels)
        return random.integers(0, 256, shape).astype(np.uint8)

    def examples_in_words(self, spec: DataSpec) -> str:
        return f"videos of {spec.video.frames} frames of {spec.height}x{spec.width}"

    def card(self, splits: Mapping[str, Split], data: Split) -> Card:
        frames = data.examples.reshape(-1, *data.examples.shape[2:])
        return {
            "channels": channel_facts(frames),
            "total_variance": data.spec.total_variance,
            "duplicates": duplicates(splits),
        }

    def describe(self, spec: DataSpec, card: Card, number: Callable[[float], str]) -> dict[str, str]:
        seconds = spec.video.frames / spec.video.rate
        return {
            self.unit: counts_in_words(card["counts"]),
            "shape": f"{spec.video.frames} frames of {spec.channels} channel{'s' * (spec.channels > 1)}, {spec.height} high,"
            f" {spec.width} wide",
            "rate": f"{number(spec.video.rate)} frames a second, so {number(seconds)} s",
            "total variance": number(card["total_variance"]),
            **common_rows(spec, card),
        }

    def size(self, spec: DataSpec) -> str:
        return f"{spec.video.frames} frames of {spec.channels}x{spec.height}x{spec.width} (CxHxW)"

    def tile(self, data: Split, index: int, gap: int) -> np.ndarray:
        return strip(data.examples[index % len(data.examples)], gap)

    def finished(self, samples: Tensor, spec: DataSpec) -> np.ndarray:
        import torch

        bytes_ = samples.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)
        return bytes_.permute(0, 2, 3, 4, 1).contiguous().cpu().numpy()

    def shown(self, samples: np.ndarray) -> np.ndarray:
        """A few frames side by side."""
        return np.stack([strip(clip) for clip in samples])

    def image_grid(self, samples: np.ndarray, spec: DataSpec) -> np.ndarray:
        return bounded_grid(self.shown(samples))

    is_compared = True

    def as_images(self, values: Tensor) -> Tensor:
        """COMPARED_FRAMES of each clip, first and last among them, as channels."""
        places = np.linspace(0, values.shape[2] - 1, COMPARED_FRAMES).round().astype(int)
        return values[:, :, places].flatten(1, 2)

    def tile_size(self, spec: DataSpec) -> tuple[int, int]:
        shown = min(FRAMES_SHOWN, spec.video.frames)
        return spec.height, shown * spec.width + shown - 1

    def film(self, samples: np.ndarray) -> np.ndarray:
        return film_of_many(samples)

    def suffix_of(self, form: str | None) -> str:
        return "" if form == "frames" else super().suffix_of(form)

    def write(self, path: Path, sample: np.ndarray, spec: DataSpec, provenance: Provenance | None = None) -> None:
        if path.suffix:
            write_animation(path, viewable(sample), [1 / spec.video.rate] * len(sample), provenance)
            return
        for number, frame in enumerate(viewable(sample)):
            write_png(path / f"frame{number:04d}.png", frame, provenance)

    def write_joined(
        self, stem: Path, samples: np.ndarray, spec: DataSpec, provenance: Provenance | None = None
    ) -> None:
        film = self.film(samples)
        write_animation(stem.with_suffix(self.suffix), film, [1 / spec.video.rate] * len(film), provenance)

    def arrays(self, samples: np.ndarray, spec: DataSpec) -> dict[str, np.ndarray]:
        return {"videos": samples, "rate": np.array(spec.video.rate)}


def strip(clip: np.ndarray, gap: int = 1) -> np.ndarray:
    """A few frames of a clip (T, H, W, C), first and last among them, side by side: (H, width, C)."""
    chosen = np.linspace(0, len(clip) - 1, min(FRAMES_SHOWN, len(clip))).round().astype(int)
    return grid(np.asarray(clip[chosen]), columns=len(chosen), gap=gap)


def film_of_many(clips: np.ndarray) -> np.ndarray:
    """The first clips (N, T, H, W, C) as one film (T, height, width, C): a grid in which all move."""
    shown = np.asarray(clips[:MAX_JOINED_VIDEOS])
    return np.stack([bounded_grid(shown[:, frame], MAX_FILM_PIXELS) for frame in range(shown.shape[1])])
