"""moving_digits: places by hand, motion within the frame, test digits apart."""

from __future__ import annotations

import numpy as np

from ganvas.data import moving_digits, open_data
from ganvas.data.moving_digits import CLIP_SIDE, DIGIT, Motion, moving_clips
from parts import held_out, labels_of


def test_a_digit_bounces_off_the_border():
    motion = Motion(1, 1)
    motion.start, motion.speed, motion.direction = np.array([[0.0, 10.0]]), np.array([3.0]), np.array([0])
    places = motion.places(6)[0]
    assert places[:, 0].tolist() == [0] * 6
    assert places[:, 1].tolist() == [10, 11, 8, 5, 2, 1]  # 13 is reflected at 12, -1 at 0


def test_moved_by_whole_and_by_half_pixels():
    image = np.zeros((1, 28, 28), np.uint8)
    image[0, 10:18, 10:18] = 200
    motion = Motion(1, 1)
    motion.start, motion.speed, motion.direction = np.array([[2.0, 1.0]]), np.array([1.0]), np.array([0])
    clip = moving_clips(image, motion, 3)[0, ..., 0].astype(int)
    assert np.array_equal(clip[0, :, :-1], clip[1, :, 1:])
    motion.speed = np.array([0.5])
    half = moving_clips(image, motion, 2)[0, ..., 0].astype(int)
    assert np.abs(half[1, :, 1:] - (half[0, :, 1:] + half[0, :, :-1]) / 2).max() <= 1


def test_the_set():
    data = open_data("moving_digits")
    assert data.examples.shape == (4000, 16, CLIP_SIDE, CLIP_SIDE, 1) and data.spec.video == (
        data.spec.video.__class__
    )(16, 8.0)
    test = held_out(data)
    assert len(test) == 1000 and np.bincount(labels_of(data)).min() > 300
    # Ink stays: no digit leaves the frame.
    ink = data.examples[:200].sum(axis=(2, 3, 4), dtype=np.int64)
    assert (np.abs(ink - ink[:, :1]) < 0.04 * ink[:, :1]).all()
    # The digits of the test clips are those of the test images, which training clips never show.
    train, held = Motion(4000, 6630), Motion(1000, 2000, 4000)
    assert train.digits.max() < 6630 and held.digits.max() < 2000
    assert not np.array_equal(train.speed[:1000], held.speed)
    assert set(train.speed.tolist()) == set(moving_digits.SPEEDS) and len(set(train.direction.tolist())) == 8
    short = open_data("moving_digits", frames=4, holdout=0)
    assert short.examples.shape[1] == 4 and DIGIT < CLIP_SIDE
