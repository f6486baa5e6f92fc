"""The page of generated images: every class, what was omitted, and escaped names."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ganvas.report.augment_page import write_augmented_page
from ganvas.tasks.augment import Augmented, ClassCount


def test_the_page_holds_all_it_shows(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, (30, 8, 8, 1)).astype(np.uint8)
    counts = [ClassCount("<b>", 40, 25, 20, 20), ClassCount("two", 3, 40, 10, 10)]
    result = Augmented(
        images, np.repeat([0, 1], (20, 10)), np.arange(30), ("<b>", "two"), counts, True, 0.9, {"two": images[:2]},
        ("class two: only 10 of 20 images",),
    )  # fmt: skip
    write_augmented_page(result, tmp_path / "page.html", data="a <set>", generator="run")
    text = (tmp_path / "page.html").read_text()
    assert text.count("<img") == 12 + 10 + 2 and "<set>" not in text and "<b>two" not in text
    body = text.split("<body>")[1]
    assert "class &lt;b&gt;" in body and "http" not in body and "class two: only 10 of 20 images" in body
    assert "sees the class asked for in 46.2% of them (it predicts 90.0% of held-out images right)" in body
