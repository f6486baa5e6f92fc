"""The page of generated images: every class, what was omitted, and escaped names; and the section of a run's report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ganvas.report import write_report
from ganvas.report.augment_page import write_augmented_page
from ganvas.run import load
from ganvas.tasks.augment import Augmented, ClassCount
from parts import images, train_small
from report_parts import Page


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


def test_the_report_has_what_a_run_generated(tmp_path: Path) -> None:
    """How many agreed, where there was a check; of which weights, where these are gone; damaged files are told."""
    folder, data = tmp_path / "run", images()
    run = train_small("cgan", folder, 2, data)

    def text() -> str:
        return Page(write_report(folder, audit=False).read_text()).check().text

    assert "Labelled images for a classifier" not in text()
    run.augment(per_class=4, check=False, device="cpu")
    assert "No agreement check" in text() and f"12 images for {data.name}" in text()
    counts = [ClassCount("<b>", 40, 25, 21, 20), ClassCount("two", 3, 44, 10, 10)]
    result = Augmented(
        data.images[:30], np.repeat([0, 1], (20, 10)), np.arange(30), ("<b>", "two"), counts, True, 0.9,
        notes=("class two: only 10 of 20 images",),
    )  # fmt: skip
    run.keep_augmented(result, run.method, data)
    assert run.augmented["step"] == 2 and "outdated" not in run.augmented
    found = text()
    assert "<b>40252120" in found and "two3441010" in found  # cells, one after the other
    assert "sees the class asked for in 44.9% of them" in found and "class two: only 10 of 20 images" in found
    train_small("cgan", folder, 3, data, resume=folder)
    assert "Generated at step 2 of 3; the run was trained further since" in text()
    assert load(folder).augmented["n"] == 30
    (folder / "augment.json").write_text(json.dumps({"n": 3}))
    assert "It could not be read" in text()
