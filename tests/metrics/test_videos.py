"""Measures of videos: flow, movements and digits by hand; real clips beside still, shuffled and noisy ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganvas.data import Dataset, open_data
from ganvas.errors import DataError
from ganvas.metrics.videos import (
    centres,
    digits_read,
    matched,
    measure_videos,
    motion_distance,
    movements,
    simpler_clips,
    stays_itself,
    warped_error,
)
from parts import films, held_out


def textured(count: int, height: int = 24, width: int = 24) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 1), dtype=np.uint8)


def test_a_known_shift_is_undone() -> None:
    """Noise that moves two pixels down and one to the left in each frame: no error but in blocks where new pixels come in."""
    large = textured(1, 40, 40)[0]
    clip = np.stack([large[12 - 2 * t : 36 - 2 * t, 4 + t : 28 + t] for t in range(4)])
    before, after = (torch.from_numpy(clip[t : t + 1, ..., 0]).float()[None] for t in (0, 1))
    blocks = matched(before, after)[0]
    assert blocks.shape == (3, 3)
    assert not blocks[1:, :2].any(), "blocks away from the upper and right border match to the bit"
    assert blocks[0].min() > 100 and blocks[:, 2].min() > 100
    unrelated = matched(torch.from_numpy(textured(1)[..., 0]).float()[None], after)[0]
    assert unrelated.min() > 100


def test_the_error_of_a_step_of_brightness_by_hand() -> None:
    """All pixels 10 levels brighter in each frame: no movement explains that. Standing still has no error."""
    ramp = np.stack([np.full((16, 16, 3), 10 * t, np.uint8) for t in range(5)])
    still = np.repeat(textured(1), 5, axis=0)
    assert warped_error(ramp[None]) == pytest.approx(10)
    assert warped_error(still[None]) == 0 == warped_error(still[None, :1])
    assert warped_error(np.stack([ramp[..., :1], 2 * ramp[..., :1]])) == pytest.approx(15)


def test_centres_and_movements_by_hand() -> None:
    clip = np.zeros((1, 3, 8, 8, 1), np.uint8)
    clip[0, 0, 2, 3] = 9
    clip[0, 1, 4, 2] = clip[0, 1, 4, 4] = 7
    assert centres(clip).tolist() == [[[2, 3], [4, 3], [3.5, 3.5]]]
    assert movements(clip).tolist() == [[2, 0], [-0.5, 0.5]]


def test_distance_of_movements_by_hand() -> None:
    """All at rest against all 3 right and 1 up: (3 + 1) / 2. The order of the movements has no effect."""
    rest, moving = np.zeros((10, 2)), np.tile([-1.0, 3.0], (10, 1))
    assert motion_distance(rest, moving) == pytest.approx(2)
    some = np.random.default_rng(0).normal(size=(50, 2))
    assert motion_distance(some, some[::-1]) == 0


def test_a_digit_stays_itself_in_three_quarters_of_the_frames() -> None:
    read = np.array([[3, 3, 3, 8], [3, 3, 8, 8], [1, 2, 3, 4]])
    assert stays_itself(read).tolist() == [True, False, False]


def clips_of(data: Dataset, rows: slice) -> np.ndarray:
    return np.asarray(data.examples[rows])


def test_the_digit_of_a_real_clip_is_read_wherever_it_is() -> None:
    data = held_out(open_data("moving_digits"))
    assert data.labels is not None
    read = digits_read(clips_of(data, slice(60)))
    assert (read == np.asarray(data.labels[:60])[:, None]).mean() > 0.9


def test_real_clips_beside_still_and_shuffled_ones() -> None:
    data = open_data("moving_digits").first(300)
    clips = clips_of(held_out(data), slice(100, 180))
    real = measure_videos(clips, data)
    main = real["FD[motion]"]
    assert main.primary and main.n == 80 and main.reference is not None and not main.warning
    assert main.value < 1.5 * main.reference

    still, shuffled = (
        measure_videos(some, data) for some in simpler_clips(clips_of(held_out(data), slice(80))).values()
    )
    for name, figure in real.items():
        expected = {"still images": still[name].value, "shuffled frames": shuffled[name].value}
        assert figure.details["baselines"] == pytest.approx(expected), "both of the first 80 held-out clips"
    for wrong in (still, shuffled):
        assert wrong["FD[motion]"].value > 3 * main.value
        assert wrong["motion_distance"].value > 3 * real["motion_distance"].value
        assert wrong["FD[filter_bank]"].value < 3 * real["FD[filter_bank]"].value, "each frame is a real one"
    assert still["warped_error"].value == 0 < real["warped_error"].value < shuffled["warped_error"].value
    assert still["coverage"].value < 0.5 * real["coverage"].value
    assert real["digit_kept"].value > 0.9


def test_simpler_clips_repeat_a_frame_or_shuffle_them() -> None:
    clips = np.arange(2 * 6).reshape(2, 6, 1, 1, 1)
    still, shuffled = (some[..., 0, 0, 0].tolist() for some in simpler_clips(clips).values())
    assert still == [[0] * 6, [6] * 6]
    assert [sorted(one) for one in shuffled] == [list(range(6)), list(range(6, 12))]
    assert shuffled[0] != list(range(6)) and shuffled[0] != [one - 6 for one in shuffled[1]]


def test_noise_without_digits_is_measured_with_a_warning() -> None:
    data = films()
    found = measure_videos(clips_of(data, slice(8)), data)
    assert "knows moving digits only" in found["FD[motion]"].warning
    assert "digit_kept" not in found and "motion_distance" not in found


def test_without_a_test_split_there_is_nothing_to_compare_with() -> None:
    data = films()
    alone = open_data(data.source, holdout=0)
    with pytest.raises(DataError, match=r"no test split.*data.holdout"):
        measure_videos(clips_of(alone, slice(8)), alone)
    with pytest.raises(DataError, match="at least 2 samples"):
        measure_videos(clips_of(data, slice(1)), data)
