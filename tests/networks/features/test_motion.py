"""The shipped motion network: what it tells of test clips, the scale of its features, damage."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from ganvas.data import open_data
from ganvas.data.batch import as_video
from ganvas.data.moving_digits import COUNTS, SPEEDS, Motion, moving_clips
from ganvas.errors import GanvasError
from ganvas.networks.features import motion as motion_module
from ganvas.networks.features.digits import WEIGHTS_FOLDER
from ganvas.networks.features.motion import motion_network, motion_network_card, prepared
from parts import labels_of

TOLD = 200  # test clips


def test_tells_speed_direction_and_digit_of_test_clips() -> None:
    data = open_data("digits", split="test")
    motion = Motion(TOLD, len(data.images), COUNTS["train"])
    clips = as_video(torch.from_numpy(moving_clips(np.asarray(data.images)[..., 0], motion)))
    network = motion_network()
    features = network.features(prepared(clips))
    assert features.shape == (TOLD, 64)
    truth = (np.searchsorted(SPEEDS, motion.speed), motion.direction, labels_of(data)[motion.digits])
    stated = motion_network_card()["accuracies"]
    for name, logits, true in zip(("speed", "direction", "digit"), network.logits(features), truth, strict=True):
        share = float((logits.argmax(1) == torch.from_numpy(true)).float().mean())
        assert share > 0.8 and share == pytest.approx(stated[name], abs=0.06), name
    assert float(features.var(0).sum()) == pytest.approx(64, rel=0.15)
    assert float(features.mean(0).abs().max()) < 0.4


def test_other_clips_are_prepared() -> None:
    clips = torch.rand(2, 3, 5, 20, 48)
    ready = prepared(clips)
    assert ready.shape == (2, 1, 16, 32, 32)
    same = torch.rand(2, 1, 16, 32, 32)
    assert torch.equal(prepared(same), same)


def test_weights_are_small_and_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = (WEIGHTS_FOLDER / "motion.safetensors").read_bytes()
    assert len(content) < 300_000
    assert hashlib.sha256(content).hexdigest() == motion_network_card()["sha256"]
    (tmp_path / "motion.safetensors").write_bytes(content[:-1])
    monkeypatch.setattr(motion_module, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(GanvasError, match=r"motion\.safetensors is damaged"):
        motion_network.__wrapped__()
