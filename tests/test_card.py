"""The cards of notebooks: escaped, self-contained and small."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

import ganvas
from ganvas.card import card, progress_bar
from ganvas.data import open_data
from parts import train_small


def test_text_is_escaped_and_the_image_is_inside() -> None:
    shown = card("<b>a & b</b>", {"<i>": "<script>alert(1)</script>"}, b"png")
    assert "<script>" not in shown and "<i>" not in shown and "&lt;b&gt;a &amp; b&lt;/b&gt;" in shown
    assert re.findall(r'src="([^"]*)"', shown) == ["data:image/png;base64,cG5n"]
    assert 'value="1.000"' in progress_bar(1.7) and "50%" in progress_bar(0.5)


def test_a_run_shows_figures_and_samples(tmp_path: Path) -> None:
    run = train_small("gan", tmp_path / "<run>", 2)
    figures = {"metrics": {"FD[<x>]": {"value": 3.14159, "better": "lower", "reference": 0.5, "n": 10}}}
    (run.folder / "metrics.json").write_text(json.dumps(figures))
    shown = run._repr_html_()
    assert "Run &lt;run&gt;" in shown and "<run>" not in shown
    assert "FD[&lt;x&gt;]" in shown and "3.14 (reference 0.5)" in shown
    assert shown.count('src="data:image/png;base64,') == 1 and "http" not in shown
    assert len(shown) < 200_000
    assert "audit" not in shown
    verdict = "copies: 40 of 1000 samples (4.0%) are copies of 7 training images"
    (run.folder / "audit.json").write_text(json.dumps({"verdict": verdict}))
    assert verdict in run._repr_html_()
    run.save_pretrained(tmp_path / "model")
    assert "src=" not in ganvas.from_pretrained(tmp_path / "model")._repr_html_()


def test_a_data_set_shows_counts_classes_and_images() -> None:
    shown = open_data("digits")._repr_html_()
    assert "6,630 images" in shown and "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" in shown and "src=" in shown
    assert len(shown) < 100_000
    Path("book.txt").write_text(" ".join(map(str, np.arange(5000))))
    assert "src=" not in open_data("book.txt")._repr_html_()
