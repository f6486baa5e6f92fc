"""Measures of generated videos: distances of clips and of frames, consistency over time, and how a digit moves.

Distances of clips are Fréchet distances as in FVD (Unterthiner 2018, arXiv:1812.01717), on features of the shipped motion
network, which was trained on moving digits, in place of I3D. What only makes sense of one digit in a clip is measured where the
digit network reads the held-out clips' own labels.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.data.batch import as_video
from ganvas.errors import DataError
from ganvas.figure import Better, Figure
from ganvas.metrics.extractors import Progress, choose_extractor, extract, numerals
from ganvas.metrics.frechet import distance_of_features
from ganvas.metrics.labels import class_numbers
from ganvas.metrics.precision_recall import overlap
from ganvas.metrics.store import remembered
from ganvas.networks.features.motion import motion_network, motion_network_card, prepared

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

MAX_VIDEOS = 1000  # samples, and held-out clips, at most
MAX_REAL_VIDEOS = 4000
FRAMES_PER_CLIP = 2  # whose features are compared
DETAILED_VIDEOS = 200  # clips whose frames are looked at one by one: flow, digits
CLIPS_PER_BATCH = 50
NEIGHBOURS = 5
BLOCK, REACH = 8, 4  # of the flow: pixels of a block's side, pixels that it may move along each axis
WINDOW = 20  # pixels of the side that a digit is read in, as `moving_digits` has it
MIN_SHARE = 0.75  # of a clip's frames in which a digit that stays itself is read
TRUSTED_SHARE = 0.8  # of held-out clips that are read as labelled, from which on digits are measured
FOREIGN = (
    "the motion network knows moving digits only, and these are none that the digit network can read: it orders still, shuffled"
    " and noisy clips, but knows no objects"
)
VIDEO_MEANINGS = {
    "FD[motion]": "Fréchet distance of clips from training clips, on features of the motion network: what moves, and how",
    "coverage": "share of training clips with a sample nearby, on the same features: variety",
    "warped_error": "difference of a frame from the one before, moved by the flow between them, in levels of 255; 0 where all"
    " stands still",
    "motion_distance": "how far the movements of the digit per frame are from those of training clips, in pixels (Wasserstein-1"
    " distance, mean of both axes)",
    "digit_kept": f"share of clips in which the digit network reads one digit in {MIN_SHARE:.0%} of the frames at least",
}
SIMPLER_CLIPS = ("still images", "shuffled frames")
FRAMES_MEAN = "Fréchet distance of frames from frames of training clips, whatever their order"


def measure_videos(clips: np.ndarray, data: Dataset, progress: Progress | None = None) -> dict[str, Figure]:
    """Figures of generated clips uint8 (n, T, H, W, C), at most MAX_VIDEOS of them; the distance of clips is the primary one.

    References are those of as many held-out clips, and details have `baselines`: those of `simpler_clips`. DataError without a
    test split.
    """
    held_out = data.part("test")
    if held_out is None or len(held_out) < 2:
        raise DataError(f"{data.name} has no test split to compare videos with: raise data.holdout")
    clips = clips[:MAX_VIDEOS]
    real, held = data.examples[:MAX_REAL_VIDEOS], held_out.examples[: min(MAX_VIDEOS, len(clips))]
    if min(len(clips), len(held), len(real)) < 2:
        raise DataError("measuring videos needs at least 2 samples; a few hundred give figures that mean something")

    # What depends on the real clips alone is kept.
    keep = bool(data.fingerprint) and bool(held_out.fingerprint)
    frames = choose_extractor("auto", clips.shape[2:], False)
    parts = [data.fingerprint, held_out.fingerprint, motion_network_card()["sha256"], frames.key, MAX_REAL_VIDEOS]

    def of_training() -> dict[str, Tensor]:
        return {
            "motion": motion_features(real, progress),
            "frames": extract(frames, some_frames(real), "frames of training videos", progress),
            "readable": torch.tensor(reads_digits(held_out)),
        }

    known = remembered("videos", parts, keep, of_training)
    readable = bool(known["readable"])
    real_movements = functools.cache(lambda: movements(real))

    def measured(some: np.ndarray, what: str) -> dict[str, float]:
        features = motion_features(some, progress)
        found = {
            "FD[motion]": distance_of_features(features, known["motion"]),
            f"FD[{frames.name}]": distance_of_features(
                extract(frames, some_frames(some), f"frames of {what}", progress), known["frames"]
            ),
            "coverage": covered(features, known["motion"]),
            "warped_error": warped_error(some[:DETAILED_VIDEOS]),
        }
        if readable:
            found["motion_distance"] = motion_distance(movements(some), real_movements())
            found["digit_kept"] = float(stays_itself(digits_read(some[:DETAILED_VIDEOS])).mean())
        return found

    def of_held_out() -> dict[str, Tensor]:
        return {name: torch.tensor(value, dtype=torch.float64) for name, value in measured(held, "held-out").items()}

    references = remembered("video-reference", [*parts, len(held)], keep, of_held_out)

    def of_simpler() -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for what, some in simpler_clips(np.asarray(held)).items():
            for name, value in measured(some, what).items():
                found[f"{what}: {name}"] = torch.tensor(value, dtype=torch.float64)
        return found

    simpler = remembered("video-baselines", [*parts, len(held)], keep, of_simpler)

    figures: dict[str, Figure] = {}
    for name, value in measured(clips, "samples").items():
        is_distance = name.startswith("FD") or name == "motion_distance"
        better: Better | None = "lower" if is_distance else None if name == "warped_error" else "higher"
        warning = frames.warning if name == f"FD[{frames.name}]" else ""
        if name in ("FD[motion]", "coverage") and not readable:
            warning = FOREIGN
        detailed = name in ("warped_error", "digit_kept")
        figures[name] = Figure(
            value, better, min(len(clips), DETAILED_VIDEOS) if detailed else len(clips), float(references[name]),
            min(len(held), DETAILED_VIDEOS) if detailed else len(held), f"{len(held)} held-out videos",
            help=VIDEO_MEANINGS.get(name, FRAMES_MEAN), warning=warning, primary=name == "FD[motion]",
            details={"baselines": {what: float(simpler[f"{what}: {name}"]) for what in SIMPLER_CLIPS}},
        )  # fmt: skip
    return figures


def simpler_clips(clips: np.ndarray) -> dict[str, np.ndarray]:
    """What knows no motion, made of real clips (n, T, H, W, C): the first frame of each repeated, and its frames in random order,
    the same at each call."""
    order = np.random.default_rng(0).permuted(np.tile(np.arange(clips.shape[1]), (len(clips), 1)), axis=1)
    still, shuffled = SIMPLER_CLIPS
    return {
        still: np.repeat(clips[:, :1], clips.shape[1], axis=1),
        shuffled: clips[np.arange(len(clips))[:, None], order],
    }


# --- features -----------------------------------------------------------------------------------------------------------


@torch.inference_mode()
def motion_features(clips: np.ndarray, progress: Progress | None = None) -> Tensor:
    """Features (n, 64) of clips uint8 (n, T, H, W, C)."""
    parts: list[Tensor] = []
    for start in range(0, len(clips), CLIPS_PER_BATCH):
        some = torch.from_numpy(np.array(clips[start : start + CLIPS_PER_BATCH]))
        parts.append(motion_network().features(prepared(as_video(some))))
        if progress:
            progress("features of videos", min(len(clips), start + CLIPS_PER_BATCH), len(clips))
    return torch.cat(parts)


def some_frames(clips: np.ndarray) -> np.ndarray:
    """FRAMES_PER_CLIP frames (m, H, W, C) of each clip (n, T, H, W, C), the same ones at each call."""
    places = np.random.default_rng(0).integers(clips.shape[1], size=(len(clips), FRAMES_PER_CLIP))
    return np.concatenate([clips[np.arange(len(clips)), column] for column in places.T])


def covered(features: Tensor, real: Tensor) -> float:
    """Coverage (Naeem 2020) of as many real features as there are of samples."""
    n = min(len(features), len(real))
    return overlap(real[:n], features[:n], min(NEIGHBOURS, n - 1)).coverage


# --- time ---------------------------------------------------------------------------------------------------------------


def warped_error(clips: np.ndarray) -> float:
    """Root mean square difference of each frame of clips uint8 (n, T, H, W, C) from the frame before, warped by the flow between
    them, in levels of 255; mean over clips. 0 for clips of one frame.

    The flow moves blocks of BLOCK x BLOCK pixels by whole pixels, REACH at most, to where they match best (block matching).
    """
    if clips.shape[1] < 2:
        return 0.0
    errors: list[Tensor] = []
    for start in range(0, len(clips), CLIPS_PER_BATCH):
        x = torch.from_numpy(np.array(clips[start : start + CLIPS_PER_BATCH])).permute(0, 1, 4, 2, 3).float()
        best = matched(x[:, :-1].flatten(0, 1), x[:, 1:].flatten(0, 1))
        errors.append(best.mean((1, 2)).unflatten(0, (len(x), -1)).mean(1).sqrt())
    return float(torch.cat(errors).mean())


def matched(before: Tensor, after: Tensor) -> Tensor:
    """Mean squared difference of each block of `after` (N, C, H, W) from the part of `before` that is most like it, (N, rows,
    columns) of blocks. Beyond its border `before` repeats its edge."""
    height, width = before.shape[-2:]
    padded = F.pad(before, (REACH, REACH, REACH, REACH), mode="replicate")
    best: Tensor | None = None
    for down in range(2 * REACH + 1):
        for across in range(2 * REACH + 1):
            moved = padded[..., down : down + height, across : across + width]
            error = (after - moved).square().mean(1, keepdim=True)
            blocks = F.avg_pool2d(error, (min(BLOCK, height), min(BLOCK, width)), ceil_mode=True)[:, 0]
            best = blocks if best is None else torch.minimum(best, blocks)
    assert best is not None
    return best


# --- one digit in a clip --------------------------------------------------------------------------------------------------


def centres(clips: np.ndarray) -> np.ndarray:
    """(n, T, 2): row and column of the centre of mass of each frame, by brightness; the middle where all is black."""
    weight = np.asarray(clips, np.float64).mean(-1)
    total = weight.sum((2, 3))
    rows = (weight.sum(3) * np.arange(weight.shape[2])).sum(2)
    columns = (weight.sum(2) * np.arange(weight.shape[3])).sum(2)
    middle = [(weight.shape[2] - 1) / 2, (weight.shape[3] - 1) / 2]
    found = np.stack([rows, columns], 2) / np.maximum(total, 1e-9)[..., None]
    return np.where(total[..., None] > 0, found, middle)


def movements(clips: np.ndarray) -> np.ndarray:
    """(n * (T - 1), 2): how far the centre of mass moves from each frame to the next, in pixels down and to the right."""
    return np.diff(centres(clips), axis=1).reshape(-1, 2)


def motion_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Wasserstein-1 distance of movements (n, 2) and (m, 2), in pixels, each axis by itself, mean of both."""
    levels = (np.arange(1000) + 0.5) / 1000
    gaps = np.quantile(a, levels, axis=0) - np.quantile(b, levels, axis=0)
    return float(np.abs(gaps).mean())


def digits_read(clips: np.ndarray) -> np.ndarray:
    """(n, T) int64: the digit that the digit network reads in each frame, in a window about its centre of mass."""
    n, frames = clips.shape[:2]
    half = WINDOW // 2
    padded = np.pad(np.asarray(clips), ((0, 0), (0, 0), (half, half), (half, half), (0, 0)))
    corner = np.rint(centres(clips) + 0.5).astype(np.int64)
    reach = np.arange(WINDOW)
    rows = (corner[..., 0, None] + reach)[:, :, :, None]
    columns = (corner[..., 1, None] + reach)[:, :, None, :]
    which = np.arange(n)[:, None, None, None], np.arange(frames)[None, :, None, None]
    windows = padded[(*which, rows, columns)].reshape(-1, WINDOW, WINDOW, clips.shape[-1])
    return numerals(windows, 1).view(n, frames).numpy()


def stays_itself(read: np.ndarray) -> np.ndarray:
    """(n,) bool: whether one digit is read in MIN_SHARE of a clip's frames at least; of `digits_read`, (n, T)."""
    counts = np.stack([(read == digit).sum(1) for digit in range(10)], 1)
    return counts.max(1) >= MIN_SHARE * read.shape[1]


def reads_digits(held_out: Dataset) -> bool:
    """Whether the digit network reads the labels of held-out clips: in most frames, of TRUSTED_SHARE of them at least."""
    numbers = class_numbers(held_out.spec.classes, 1)
    if numbers is None or held_out.labels is None:
        return False
    some = slice(0, DETAILED_VIDEOS)
    true = np.array(numbers)[np.array(held_out.labels[some])]
    right = (digits_read(held_out.examples[some]) == true).mean(1) >= MIN_SHARE
    return bool(right.mean() >= TRUSTED_SHARE)
