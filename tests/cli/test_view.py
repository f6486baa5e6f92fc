"""What a training shows: exact lines for scripts, and a live display for people."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from rich.console import Console
from rich.segment import Segment

from ganvas.cli.blocks import Image, colours, crop, half_blocks, shrink
from ganvas.cli.output import clock_time, metrics_line, short_number
from ganvas.cli.view import BUDGET_USED_UP, Lines, Screen, make_view
from ganvas.figure import Figure
from ganvas.training.time_plan import Phase
from ganvas.training.trainer import Trainer
from parts import small, trainer_for

METRICS = {
    "FD[digits]": Figure(3.2104, "lower", 2000, reference=0.151),
    "coverage": Figure(0.8, "higher"),
}


@pytest.fixture(scope="module")
def trainer(_own_cache: None) -> Trainer:
    return trainer_for(small("gan"), steps=100)


def row(seconds: float, progress: float = 0.04) -> dict[str, float]:
    return {
        "step": 120, "images_seen": 1920, "seconds": seconds, "images_per_second": 5321.0, "progress": progress,
        "generator/loss": 0.69314, "generator/gradient_norm": 2.0, "discriminator/loss": 1.3863,
        "discriminator/real": 0.5,
    }  # fmt: skip


def test_lines_keep_their_form(trainer: Trainer) -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    trainer.steps = 120
    lines.started(trainer)
    lines.logged(trainer, row(10.0))
    lines.evaluated(trainer, METRICS, None)
    lines.saved(trainer)
    lines.said(trainer, "a sentence")
    lines.finished(trainer)
    assert stream.getvalue().splitlines()[1:] == [
        "resumed step 120",
        f"said step 120: {BUDGET_USED_UP}",
        "step 120 progress 4.0% images_per_second 5321.0 generator/loss 0.6931 discriminator/loss 1.386",
        "step 120 FD[digits] 3.21 (reference 0.151) coverage 0.8",
        "saved step 120",
        "said step 120: a sentence",
        "finished step 120",
    ]


def test_lines_become_seldom_after_a_minute(trainer: Trainer) -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    shown = []
    for second in (1.0, 2.1, 2.5, 59.0, 61.0, 68.0, 69.5, 70.0, 70.5):
        lines.logged(trainer, row(second, progress=1.0 if second == 70.5 else 0.5))
        shown.append(stream.getvalue().count("\n"))
    assert shown == [1, 2, 2, 3, 3, 4, 4, 4, 5]


def test_lines_go_on_without_a_reader(trainer: Trainer) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    lines = Lines(Gone())
    lines.saved(trainer)
    lines.saved(trainer)
    assert lines.stream is None


def test_without_a_terminal_there_are_lines() -> None:
    assert isinstance(make_view(json=False), Lines)
    assert isinstance(make_view(json=True), Lines)


def screen(width: int = 70, height: int = 30, **options: object) -> tuple[Screen, io.StringIO]:
    stream = io.StringIO()
    chosen = {"force_terminal": True, "color_system": "truecolor", "legacy_windows": False, **options}
    return Screen(Console(file=stream, width=width, height=height, **chosen)), stream  # pyright: ignore


def test_the_display_shows_where_it_stands_and_gives_the_cursor_back(trainer: Trainer) -> None:
    view, stream = screen()
    view.console._environ = {}
    trainer.steps, trainer.seconds = 50, 30.0
    trainer.best = {"metric": "FD[digits]", "value": 3.2104, "step": 40}
    view.started(trainer)
    view.logged(trainer, {**row(30.0), "seconds_left": 30.0})
    view.evaluated(trainer, METRICS, np.zeros((58, 58, 1), np.uint8))
    view.saved(trainer)
    view.said(trainer, "went back to step 40")
    view.close()
    shown = stream.getvalue()
    for text in ("50%", "step 50", "5,321 images/s", "0:30 left", "saved step 50", "went back to step 40"):
        assert text in shown, text
    assert "best FD[digits] 3.21 (reference 0.151) at step 40" in shown
    assert "gradient 2" in shown
    assert "▀▀" in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")


def test_no_blocks_where_the_terminal_has_no_colours(trainer: Trainer) -> None:
    view, stream = screen(color_system=None)
    view.started(trainer)
    view.evaluated(trainer, METRICS, np.zeros((58, 58, 1), np.uint8))
    view.close()
    assert "▀" not in stream.getvalue()


def pixels(image: Image) -> np.ndarray:
    """The image that the half blocks show."""

    def triplets(line: list[Segment], ground: bool) -> list[tuple[int, int, int]]:
        found = []
        for text, style, _ in line:
            assert style and style.color and style.bgcolor
            found += [tuple((style.bgcolor if ground else style.color).triplet or ())] * len(text)
        return found

    return np.array([triplets(line, ground) for line in image.lines for ground in (False, True)])


def test_half_blocks_show_every_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 32, (6, 5, 3)).astype(np.uint8) * 8
    image[2:4, 1:4] = 128  # a run of one colour
    shown = half_blocks(image, 80, 80)
    np.testing.assert_array_equal(pixels(shown), image)
    assert len(shown.lines[1]) == 3


def test_an_odd_last_row_lies_on_white() -> None:
    shown = pixels(half_blocks(np.zeros((3, 2, 1), np.uint8), 10, 10))
    assert shown[:, 0, 0].tolist() == [0, 0, 0, 248]


def test_images_shrink_and_never_grow() -> None:
    assert shrink(np.zeros((60, 40, 3), np.uint8), 20, 100).shape == (30, 20, 3)
    assert shrink(np.zeros((60, 40, 3), np.uint8), 100, 15).shape == (15, 10, 3)
    assert shrink(np.zeros((6, 4, 3), np.uint8), 100, 100).shape == (6, 4, 3)


def test_only_images_that_stay_legible_are_shown() -> None:
    image = np.zeros((8 * 34 - 2, 8 * 34 - 2, 1), np.uint8)  # 8 x 8 images of 32 x 32
    # Drawn at half their size, 17 with the gap: 80 columns hold 4, 40 rows hold 2.
    assert crop(image, 32, 32, 80, 40).shape == (2 * 34 - 2, 4 * 34 - 2, 1)
    assert crop(image, 32, 32, 4, 4).shape == (32, 32, 1)


def test_alpha_is_shown_on_white() -> None:
    image = np.array([[[100, 0, 0, 0], [100, 0, 0, 255]]], np.uint8)
    assert colours(image).tolist() == [[[255, 255, 255], [100, 0, 0]]]


def test_figures() -> None:
    shown = [short_number(value) for value in (3.2104, 0.151, 114.23, 66822.4, 2000, 10, -0.0, None, 1e-5)]
    assert shown == ["3.21", "0.151", "114.2", "66822", "2000", "10", "0", "-", "1e-05"]
    assert metrics_line({}) == ""


def test_clock_times() -> None:
    assert [clock_time(0.4), clock_time(150), clock_time(3725)] == ["0:00", "2:30", "1:02:05"]


def test_every_phase_shows_its_own_progress(trainer: Trainer) -> None:
    """While it measured, the display stood still for a minute: now each phase is named and counted."""
    view, stream = screen(width=100)
    view.phase(Phase("preparing", "networks"))  # before there is a trainer
    assert "preparing  networks" in stream.getvalue()
    view.started(trainer)
    view.logged(trainer, {**row(30.0), "seconds_left": 95.0})
    view.phase(Phase("measuring", "samples", 640, 2000))
    view.live.refresh()
    assert "measuring  samples" in stream.getvalue() and "640 of 2,000  1:35 left" in stream.getvalue()
    view.phase(None)
    stream.truncate(0)
    view.live.refresh()
    assert "measuring" not in stream.getvalue() and "left" in stream.getvalue()
    view.close()


def test_the_display_moves_while_the_training_computes(trainer: Trainer) -> None:
    """A thread of its own draws it: nothing is told meanwhile."""
    view, stream = screen(width=100)
    view.started(trainer)
    view.phase(Phase("report"))
    deadline = time.monotonic() + 20
    while "report  1 s" not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)  # as a long computation would
    view.close()
    assert "report  0 s" in stream.getvalue() and "report  1 s" in stream.getvalue()


def test_nothing_is_left_of_a_display_that_never_began() -> None:
    view, stream = screen()
    view.phase(Phase("preparing", "networks"))
    view.close()
    assert view.live.transient and stream.getvalue().endswith("\x1b[2K")


def test_lines_name_the_phases_that_take_time() -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    for phase in (
        Phase("preparing", "networks"), Phase("measuring", "step 3"), Phase("measuring", "samples", 64, 2000), None,
        Phase("saving", "step 3"), None, Phase("measuring", "step 5"), None, Phase("report"), None,
    ):  # fmt: skip
        lines.phase(phase)
    assert stream.getvalue().splitlines() == ["measuring step 3", "measuring step 5", "report"]
