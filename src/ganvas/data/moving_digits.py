"""moving_digits: real digits that move in straight lines and bounce off the border (after Srivastava 2015, arXiv:1502.04681).

Each clip shows one digit of the shipped set, at constant speed in one of eight directions. Test clips show test digits. Speed,
direction, place and digit of a clip are functions of its number alone, so that every machine has the same clips.
"""

from __future__ import annotations

import numpy as np

from ganvas.data.source import mix

CLIP_SIDE = 32  # pixels of a frame
DIGIT = 20  # pixels of the digit, resized from 28
FRAMES = 16
RATE = 8.0  # frames a second
SPEEDS = (1.0, 2.0, 3.0)  # pixels a frame
CLIP_DIRECTIONS = 8  # multiples of 45 degrees, counted from the right, clockwise as seen
COUNTS = {"train": 4000, "test": 1000}  # clips
AT_ONCE = 500  # clips that are drawn together
CLIPS_VERSION = 1  # of the clips: another number where they change


class Motion:
    """Of clips (N,): `digits`, rows of the set of digits; `speed` in pixels a frame; `direction`, a number below
    CLIP_DIRECTIONS; and the `start`, (N, 2), row and column of the digit's upper left corner, in pixels."""

    def __init__(self, count: int, digits: int, offset: int = 0) -> None:
        numbers = mix(np.arange(5 * count).reshape(count, 5) + 5 * offset)
        self.digits = (numbers[:, 0] % np.uint64(digits)).astype(np.int64)
        self.speed = np.array(SPEEDS)[(numbers[:, 1] % np.uint64(len(SPEEDS))).astype(np.int64)]
        self.direction = (numbers[:, 2] % np.uint64(CLIP_DIRECTIONS)).astype(np.int64)
        self.start = (numbers[:, 3:] % np.uint64(CLIP_SIDE - DIGIT + 1)).astype(np.float64)

    def places(self, frames: int) -> np.ndarray:
        """(N, T, 2): row and column of the upper left corner in each frame, reflected at the borders."""
        angle = self.direction * (2 * np.pi / CLIP_DIRECTIONS)
        step = self.speed[:, None] * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        free = float(CLIP_SIDE - DIGIT)
        straight = self.start[:, None] + np.arange(frames)[None, :, None] * step[:, None]
        folded = np.mod(straight, 2 * free)
        return np.where(folded > free, 2 * free - folded, folded)


def moving_clips(images: np.ndarray, motion: Motion, frames: int = FRAMES) -> np.ndarray:
    """Clips uint8 (N, T, CLIP_SIDE, CLIP_SIDE, 1) of digits uint8 (M, 28, 28), moved by linear interpolation between pixels."""
    resized = np.stack([_small(image) for image in images])
    places = motion.places(frames)
    count = len(places)
    clips = np.empty((count, frames, CLIP_SIDE, CLIP_SIDE, 1), np.uint8)
    reach = np.arange(DIGIT + 1)
    for start in range(0, count, AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, count))
        digits = resized[motion.digits[rows]]
        number = np.arange(len(rows))[:, None, None]
        for frame in range(frames):
            whole = places[rows, frame].astype(np.int64)
            moved = _shifted(digits, places[rows, frame] - whole)
            canvas = np.zeros(
                (len(rows), CLIP_SIDE + 1, CLIP_SIDE + 1), np.uint8
            )  # at the border, the last row and column are empty
            down, right = whole[:, 0, None] + reach, whole[:, 1, None] + reach
            canvas[number, down[:, :, None], right[:, None, :]] = moved
            clips[rows, frame, :, :, 0] = canvas[:, :CLIP_SIDE, :CLIP_SIDE]
    return clips


def _small(image: np.ndarray) -> np.ndarray:
    """uint8 (28, 28) as float32 (DIGIT, DIGIT)."""
    from PIL import Image

    resized = Image.fromarray(image).resize((DIGIT, DIGIT), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.float32)


def _shifted(images: np.ndarray, parts: np.ndarray) -> np.ndarray:
    """(N, DIGIT + 1, DIGIT + 1) uint8 of (N, DIGIT, DIGIT): moved down and right by the `parts` of a pixel, (N, 2)."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    down, right = parts[:, 0, None, None].astype(np.float32), parts[:, 1, None, None].astype(np.float32)
    rows = down * padded[:, :-1] + (1 - down) * padded[:, 1:]
    both = right * rows[:, :, :-1] + (1 - right) * rows[:, :, 1:]
    return np.rint(both).astype(np.uint8)
