"""A report stays under 3 MB whatever the images, its charts are of one size, and they tell values under the pointer."""

from __future__ import annotations

import base64
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import write_png
from ganvas.report import write_report
from ganvas.report.chart import Line, line_chart
from ganvas.report.images import MAX_PAGE_BYTES, data_uri, frames, thumbnail
from ganvas.report.markup import table
from parts import images, train_small
from report_parts import Page

LIMIT = 3_000_000


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on images of 96 x 160, with twenty grids of noise of a megapixel each, which no PNG makes smaller."""
    run = train_small("dcgan", tmp_path_factory.mktemp("runs") / "large", 2, images((3, 96, 160)))
    random = np.random.default_rng(0)
    for step in range(20):
        write_png(run.folder / "samples" / f"{step:08d}.png", random.integers(0, 256, (1024, 1024, 3)).astype(np.uint8))
    return run.folder


def test_a_report_of_large_noisy_images_is_under_three_megabytes(large: Path) -> None:
    path = write_report(large)
    page = Page(path.read_text()).check()
    assert path.stat().st_size < LIMIT
    assert len([one for one in page.all("img") if " at step " in (one["alt"] or "")]) >= 20
    assert len([one for one in page.all("img") if "training image" in (one["alt"] or "")]) >= 16


def test_frames_of_photos_become_jpeg_before_they_are_reduced(large: Path) -> None:
    shown = frames(large / "samples", most_bytes=20 * 1_500_000)
    assert all(data_uri(frame.file).startswith("data:image/jpeg;") for frame in shown)
    assert all(frame.width == 1024 for frame in shown)
    assert sum(len(frame.file) for frame in frames(large / "samples")) <= MAX_PAGE_BYTES


def test_small_thumbnails_stay_exact_and_large_ones_small() -> None:
    digit = np.zeros((28, 28, 1), np.uint8)
    assert "data:image/png;" in thumbnail(digit, "a digit")
    photo = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    shown = thumbnail(photo, "a photo")
    encoded = re.search(r"base64,([A-Za-z0-9+/=]+)", shown)
    assert "data:image/jpeg;" in shown and encoded and len(base64.b64decode(encoded[1])) < 8_000


def test_curves_come_first_and_the_doctor_s_chart_has_the_size_of_the_others(large: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(large, tmp_path / "copy")
    text = write_report(copy).read_text()
    sections = re.findall(r'<section id="(\w+)"', text)
    assert sections[0] == "curves"
    # Every chart stands in the grid that gives all of them one width.
    for opened in re.finditer(r'<figure class="plot">', text):
        before = text[: opened.start()]
        assert before.rfind('<div class="charts">') > max(before.rfind("<section"), before.rfind("<article"))


def test_a_chart_carries_the_values_that_its_pointer_shows() -> None:
    steps = np.array([10.0, 20.0, 30.0])
    chart = line_chart("Loss", [Line("loss", steps, np.array([0.5, np.nan, 0.25]))], x_label="step")
    assert 'data-points="10,0.5 30,0.25"' in chart and 'data-name="loss"' in chart
    assert 'data-low="10"' in chart and 'data-high="30"' in chart and 'data-label="step"' in chart


def test_a_table_without_rows_is_none() -> None:
    assert table(["a", "b"], [], caption="nothing") == ""
    assert table(["a", "b"], [["1", "2"]], caption="something") != ""
