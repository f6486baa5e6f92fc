"""report.html: complete, self-contained, safe against what a run may hold, and written for unfinished runs too."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ganvas
from ganvas.data import write_png
from ganvas.errors import RunError
from ganvas.report import write_report
from ganvas.report.audit import copy_audit
from ganvas.report.images import MAX_ANIMATION_FRAMES, frames
from ganvas.report.log import read_log
from ganvas.run import Run
from report_parts import FD, Page, row

ROWS = [
    row(i, generator__loss=i / 10, discriminator__real=1.0, discriminator__fake=-1.0, generator__gradient_norm=2.0)
    for i in range(1, 31)
]


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8")).check()


@pytest.fixture
def copied(trained: Path, tmp_path: Path) -> Path:
    """The real run and its data, to change."""
    folder = tmp_path / "copied"
    shutil.copytree(trained, folder)
    info = json.loads((folder / "run" / "settings.json").read_text())
    info["data"] = str(folder / "data.npz")
    (folder / "run" / "settings.json").write_text(json.dumps(info))
    return folder


def test_a_real_run(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "run", tmp_path / "run")
    page = read(write_report(tmp_path / "run"))
    assert page.all("h1") and "gan on data" in page.text
    for part in ("samples", "measures", "copies", "curves", "settings", "machine", "data", "events"):
        assert [section for section in page.all("section") if section["id"] == part], part
    # Three grids (steps 2, 4, 6), then 16 samples with 5 neighbours each.
    assert len(page.all("img")) == 3 + 16 * 6
    assert "The training is finished." in page.text
    assert "Loss, generator" in page.text and "Gradient norm of each update" in page.text
    assert "arXiv:1406.2661" in page.text
    assert not list((tmp_path / "run").glob("*.part")) and not list((tmp_path / "run").glob(".*"))


def test_measures_with_floor_and_samples(make_run: Callable[..., Path]) -> None:
    events = [
        {
            "event": "evaluated",
            "step": step,
            "seconds": 1.0,
            "metrics": {"FD[digits]": {**FD, "value": 40.0 / step}},
        }
        for step in (5, 10)
    ]
    metrics = {"FD[digits]": FD, "modes": {"value": 9, "reference": 10, "of": 10, "n": 100, "better": "higher"}}
    folder = make_run(rows=ROWS + events, metrics=metrics, grids=(10, 20, 30))
    (folder / "best").mkdir()
    (folder / "best" / "metrics.json").write_text(
        json.dumps({"step": 10, "metrics": {"FD[digits]": {**FD, "value": 3.25}}})
    )
    page = read(write_report(folder, audit=False))
    assert "FD[digits] 4 (lower is better; reference 0.1; 100 samples). Best: 3.25 at step 10." in page.text
    assert "9 of 10" in page.text
    assert "network digits 1234" in page.text
    assert page.raw.count('class="reference"') == 1
    slider = next(field for field in page.all("input") if field["type"] == "range")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "2")


HOSTILE = "</script></style><script>alert(1)</script><img src=x onerror=alert(2)>\"'><svg onload=alert(3)>"


def test_text_from_a_run_stays_text(make_run: Callable[..., Path]) -> None:
    folder = make_run(
        rows=[*ROWS, {**row(31), f"{HOSTILE}/loss": 1.0}, {"event": HOSTILE, "step": HOSTILE, "message": HOSTILE}],
        metrics={HOSTILE: {**FD, "better": HOSTILE, "n": HOSTILE, "help": HOSTILE, "reference_from": HOSTILE}},
        data_card={"classes": {"train": {HOSTILE: 3}}, HOSTILE: HOSTILE, "problems": [[HOSTILE, HOSTILE]]},
        data=HOSTILE, command=[HOSTILE], git=HOSTILE, device=HOSTILE, why_precision=HOSTILE, preset=HOSTILE,
        networks={HOSTILE: 1}, versions={HOSTILE: HOSTILE}, budget={HOSTILE: 1}, machine={HOSTILE: [HOSTILE]},
        spec={"name": HOSTILE, "channels": 1, "height": 1, "width": 1, "count": 1},
    )  # fmt: skip
    info = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**info, "method": HOSTILE, "settings": {HOSTILE: HOSTILE}}))
    page = read(write_report(folder))
    assert page.all("img") == []
    assert page.text.count("alert(1)") > 10


@pytest.mark.parametrize(
    "rows",
    [[], ROWS[:1], [{"event": "started"}], [{"step": "x"}, {"step": None}, {"step": True}, {"step": 10**400}]],
)
def test_a_run_that_has_hardly_begun(make_run: Callable[..., Path], rows: list[dict[str, object]]) -> None:
    page = read(write_report(make_run(rows=rows), audit=False))
    assert "No measures were taken." in page.text and "There are no grids" in page.text


def test_a_log_cut_short_and_damaged_files(make_run: Callable[..., Path]) -> None:
    folder = make_run(rows=ROWS, metrics={"FD[digits]": FD})
    with open(folder / "log.jsonl", "a") as log:
        log.write('{"step": 31, "generator/lo')
    (folder / "metrics.json").write_text("{")
    (folder / "data.json").write_text("[]")
    page = read(write_report(folder, audit=False))
    assert "Loss, generator" in page.text and "No measures were taken." in page.text
    assert "The training stands at 100% of its budget." in page.text


def test_numbers_that_are_none_are_gaps(make_run: Callable[..., Path]) -> None:
    rows = [row(step, generator__loss=None if 10 < step < 15 else float(step)) for step in range(1, 31)]
    page = read(write_report(make_run(rows=rows), audit=False))
    path = next(attributes["d"] for attributes in page.all("path"))
    assert path and path.count("M") == 2


def test_what_a_roll_back_took_back_is_not_drawn(make_run: Callable[..., Path]) -> None:
    again = [row(step, generator__loss=7.0) for step in range(21, 26)]
    log = read_log(Run(make_run(rows=[*ROWS, {"event": "said", "step": 20, "message": "went back"}, *again])))
    assert log.column("step").tolist() == list(range(1, 26))
    assert log.column("generator/loss")[19:].tolist() == [2.0, 7.0, 7.0, 7.0, 7.0, 7.0]
    assert [event["message"] for event in log.of("said")] == ["went back"]


def test_the_last_step_logged_twice_counts_once(make_run: Callable[..., Path]) -> None:
    log = read_log(Run(make_run(rows=[*ROWS, {**ROWS[-1], "images_per_second": 0.0}])))
    assert len(log) == 30 and log.last("images_per_second") == 100.0


def test_changed_settings_are_marked(make_run: Callable[..., Path]) -> None:
    page = read(write_report(make_run(settings={"lr": 0.5}), audit=False))
    assert page.raw.count(">changed<") == 1
    assert "learning rate of both optimisers" in page.text


def test_events_and_memory(make_run: Callable[..., Path]) -> None:
    events = [
        {"event": "saved", "step": 10, "seconds": 1.0},
        {"event": "said", "step": 12, "seconds": 1.2, "message": "the checkpoint of step 10 is damaged"},
        {"event": "resumed", "step": 12, "seconds": 1.2},
        {"event": "saved", "step": 30, "seconds": 3.0},
        {"event": "finished", "step": 30, "seconds": 3.0, "peak_memory": 300 * 2**20},
    ]
    page = read(write_report(make_run(rows=ROWS + events), audit=False))
    for told in (
        "the checkpoint of step 10 is damaged",
        "Resumed.",
        "Saved 2 times",
        "300 MiB at most",
        "G 6, D 4",
    ):
        assert told in page.text


def test_a_planted_copy_comes_first(copied: Path) -> None:
    run = Run(copied / "run")
    images = np.random.default_rng(1).integers(0, 256, (30, 9, 11, 2), dtype=np.uint8)
    images[17] = run.sample(4, seed=0)[3]
    np.savez(copied / "data.npz", images=images)
    info = {**run.info, "fingerprint": ganvas.open_data(copied / "data.npz").fingerprint}
    (copied / "run" / "settings.json").write_text(json.dumps(info))
    suspects = copy_audit(Run(copied / "run"))
    assert suspects[0].seed == 3 and suspects[0].distances[0] == 0.0
    assert (suspects[0].neighbours[0] == suspects[0].image).all()
    firsts = [suspect.distances[0] for suspect in suspects]
    assert firsts == sorted(firsts) and firsts[1] > 0


def test_data_that_changed_or_went_are_said(copied: Path) -> None:
    np.savez(copied / "data.npz", images=np.zeros((30, 9, 11, 2), np.uint8))
    assert "holds other images now" in read(write_report(copied / "run")).text
    (copied / "data.npz").unlink()
    page = read(write_report(copied / "run"))
    assert "Not shown, since the data or the weights could not be opened" in page.text
    assert len(page.all("img")) == 3


def test_missing_weights_are_said(copied: Path) -> None:
    (copied / "run" / "weights.safetensors").unlink()
    assert "has saved no weights yet" in read(write_report(copied / "run")).text


def test_frames_are_spread_and_bounded(make_run: Callable[..., Path]) -> None:
    folder = make_run(grids=tuple(range(10, 1010, 10))) / "samples"
    steps = [frame.step for frame in frames(folder)]
    assert len(steps) == MAX_ANIMATION_FRAMES and steps[0] == 10 and steps[-1] == 1000 and steps == sorted(set(steps))
    assert [frame.step for frame in frames(folder, 1)] == [1000]
    (folder / "00002000.png").write_bytes(b"no image")
    (folder / "notes.png").write_bytes(b"no image")
    assert frames(folder)[-1].step < 2000


def test_large_grids_are_made_smaller(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    for step in range(4):
        write_png(tmp_path / f"{step:08d}.png", noise)
    shown = frames(tmp_path, most_bytes=200_000)
    assert len(shown) == 4 and sum(len(frame.file) for frame in shown) <= 200_000
    assert all(64 <= frame.width == frame.height < 300 for frame in shown)


def test_no_run_no_report(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        write_report(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()


def test_directions_of_a_latent_space(make_run: Callable[..., Path]) -> None:
    """With what each moves most, the largest first; damaged files are told, and no directions show nothing."""
    folder = make_run(rows=ROWS)
    assert "Directions of the latent space" not in read(write_report(folder, audit=False)).text
    effects = {
        "slant": {"change": 1.0, "deviations": 0.1}, "<b>": {"change": 1.0, "deviations": -0.5},
        "width": {"change": 2.0, "deviations": None},
    }  # fmt: skip
    direction = {"name": "pca1", "space": "z", "how": "PCA of images", "share": 0.25, "scale": 1.0, "effects": effects}
    probe = {"features": "digits", "accuracy": 0.987, "n": 2000}
    content = {"format": 1, "space": "z", "samples": 2000, "probe": probe, "directions": [direction]}
    (folder / "editing").mkdir()
    (folder / "editing" / "directions.json").write_text(json.dumps(content))
    write_png(folder / "editing" / "directions.png", np.zeros((4, 6, 1), np.uint8))
    page = read(write_report(folder, audit=False))
    assert "pca1" in page.text and "<b> -0.50, slant +0.10" in page.text and "98.7% of 2,000" in page.text
    assert [image for image in page.all("img") if (image["alt"] or "").startswith("Two images for each direction")]
    (folder / "editing" / "directions.json").write_text('{"directions": [{"name": "x"}]}')
    assert "They could not be read" in read(write_report(folder, audit=False)).text
