"""The benchmarks of codes at their smallest: what they print, and that they continue where they stopped."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest


def test_both_stages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import codes

    arguments = [
        "--out",
        str(tmp_path),
        "--minutes",
        "0.005",
        "0.005",
        "--seeds",
        "0",
        "--preset",
        "tiny",
        "--samples",
        "50",
    ]
    codes.main(arguments)
    (result,) = tmp_path.glob("*.json")
    first, row = result.stat().st_mtime_ns, json.loads(result.read_text())
    assert row["metrics"]["FD[digits]"]["n"] == 50 and min(row["steps"]) >= 1
    assert "| 0.005 + 0.005 | preset | 1 |" in capsys.readouterr().out
    codes.main(arguments)
    assert result.stat().st_mtime_ns == first, "what is done is not done again"


def test_holes_by_hand() -> None:
    import completion
    import numpy as np
    import torch

    middle, lower = completion.holes(28, 28).values()
    assert middle.sum() == 14 * 14 and bool(middle[..., 7:21, 7:21].all()) and lower.sum() == 14 * 28
    images = np.zeros((2, 28, 28, 1), np.uint8)
    made = torch.full((2, 1, 28, 28), -1.0)
    made[1][middle[0]] += 0.4  # 51 of 255 levels, a fifth of the range
    assert completion.psnr_in_hole(made, images, middle).tolist() == pytest.approx([100, 20 * math.log10(5)])
    filled = completion.Plain(1)(torch.zeros(2, 1, 28, 28), lower.expand(2, -1, -1, -1))
    assert filled.shape == (2, 1, 28, 28) and not bool(filled[..., :14, :].any())


def test_the_lookup_says_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    import vq_lookup

    try:
        import vector_quantize_pytorch  # noqa: F401  # pyright: ignore[reportMissingImports]
    except ImportError:
        with pytest.raises(SystemExit, match="pip install --no-deps vector-quantize-pytorch"):
            vq_lookup.main(["--rounds", "1"])
        return
    vq_lookup.main(["--rounds", "1", "--sizes", "200x16x4", "--json"])
    assert all(row["same"] > 0.99 for row in json.loads(capsys.readouterr().out)["rows"])
