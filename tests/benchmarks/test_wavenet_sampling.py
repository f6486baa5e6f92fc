"""The benchmarks of WaveNet: the plain loop draws the same clips; the simpler models cost what they should."""

from __future__ import annotations

import json
import math

import pytest
import torch


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    import wavenet_sampling

    arguments = ["--preset", "tiny", "--samples", "150", "--batches", "1", "8", "--forwards", "5"]
    wavenet_sampling.main([*arguments, "--json"])
    printed = capsys.readouterr().out
    report = json.loads(printed)
    assert printed.count("\n") == 1 and {"cores", "threads", "torch", "date", "field"} <= report.keys()
    alone, together = report["rows"]
    assert alone["batch"] == 1 and alone["equal"] is True and alone["forwards_timed"] == 150
    assert together["batch"] == 8 and together["equal"] is None and together["forwards_timed"] == 5


def test_the_cache_is_much_faster() -> None:
    """At 16 clips of 600 samples, in processor time: a bound that full passes fail."""
    import time
    from argparse import Namespace

    import wavenet_sampling

    method = wavenet_sampling.built("small", 600)
    row = wavenet_sampling.measure(method, 16, Namespace(whole=1, forwards=2), time.process_time)
    assert row["ratio"] > 15


def test_a_laplace_distribution_over_codes_sums_to_one() -> None:
    """Over all 256 codes, wherever the prediction lies; and a code that is sure costs nothing."""
    import wavenet

    codes = torch.arange(256)[None].expand(3, -1)
    clips = torch.zeros(3, 256)
    missed = torch.tensor([[0.0], [0.3], [-0.9]]).expand(-1, 256).double()
    bits = wavenet.laplace_bits(clips, codes, missed, torch.tensor(0.01, dtype=torch.float64))
    torch.testing.assert_close((-bits * math.log(2)).exp().sum(1), torch.ones(3, dtype=torch.float64))
    assert bits.min() >= 0 and int(bits[0].argmin()) in range(100, 156)


def test_the_predictor_finds_a_recursion() -> None:
    """x_t = 1.6 x_(t-1) - 0.9 x_(t-2) + noise: two weights, the others nothing."""
    import wavenet

    torch.manual_seed(0)
    clips = torch.zeros(8, 2000)
    for t in range(2, 2000):
        clips[:, t] = 1.6 * clips[:, t - 1] - 0.9 * clips[:, t - 2] + 0.01 * torch.randn(8)
    weights = wavenet.fit_predictor(clips, torch.ones(8, 2000, dtype=torch.bool))
    expected = torch.zeros(16, dtype=torch.float64)
    expected[:2] = torch.tensor([1.6, -0.9])
    torch.testing.assert_close(weights, expected, atol=0.05, rtol=0)
    assert wavenet.residuals(clips, weights).std() < 0.011
    scale = wavenet.adaptive_scale(torch.tensor([[1.0, 3.0, 0.0]]).double(), 0.5, 2.0, 0.1)
    torch.testing.assert_close(scale, torch.tensor([[0.12, 1.11, 3.605]]).double())


def test_a_histogram_costs_its_entropy() -> None:
    import wavenet

    codes = torch.randint(0, 4, (100, 1000), generator=torch.Generator().manual_seed(0))
    all_of_them = torch.ones(100, 1000, dtype=torch.bool)
    assert abs(wavenet.histogram_bits(codes, all_of_them, codes, all_of_them) - 2.0) < 0.01
