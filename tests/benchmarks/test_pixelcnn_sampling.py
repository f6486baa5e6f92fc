"""The benchmark of sampling: its plain loop draws the same images, and its report says so."""

from __future__ import annotations

import json

import pytest


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    import pixelcnn_sampling

    arguments = ["--preset", "tiny", "--side", "12", "--batches", "1", "8", "--rounds", "1", "--forwards", "5"]
    pixelcnn_sampling.main([*arguments, "--json"])
    printed = capsys.readouterr().out
    report = json.loads(printed)
    assert printed.count("\n") == 1 and {"cores", "threads", "torch", "date"} <= report.keys()
    alone, together = report["rows"]
    assert alone["batch"] == 1 and alone["equal"] is True and alone["forwards_timed"] == 144
    assert together["batch"] == 8 and together["equal"] is None and together["forwards_timed"] == 5
    for row in report["rows"]:
        assert row["ratio"] == pytest.approx(row["seconds_plain"] / row["seconds_cached"], rel=0.05, abs=0.1)  # rounded
    pixelcnn_sampling.main([*arguments, "--clock", "processor"])
    assert "ratio" in capsys.readouterr().out


def test_the_cache_is_faster_even_at_this_size() -> None:
    """A third of what is measured on a quiet machine, in processor time and at half the size: a bound that full passes fail."""
    import time
    from argparse import Namespace

    import pixelcnn_sampling
    import torch

    method = pixelcnn_sampling.built("small", 14, torch.device("cpu"))
    row = pixelcnn_sampling.measure(method, 8, Namespace(rounds=1, whole=1, forwards=4), time.process_time)
    assert row["ratio"] > 15
