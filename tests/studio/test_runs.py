"""Run folders, whoever wrote them: what a page shows of them, within bounds."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ganvas.errors import RunError
from ganvas.studio import runs as module
from ganvas.studio.runs import Runs, curves, run_id
from studio_server import served_here


def test_a_real_run(studio_runs: Path) -> None:
    runs = Runs(studio_runs)
    folder = runs.find("first")
    card = runs.card(folder)
    assert (card["method"], card["state"], card["step"], card["has_weights"]) == ("gan", "finished", 6, True)
    detail = runs.detail(folder)
    assert detail["info"]["settings"]["batch_size"] > 0 and detail["bytes"] > 1000 and detail["samples"]
    columns = curves(runs.log(folder))["columns"]
    assert columns["step"][-1] == 6 and len(columns["generator/loss"]) == len(columns["step"])


def write(folder: Path, rows: list[object]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text("{}")
    with open(folder / "log.jsonl", "a") as log:
        log.writelines(json.dumps(row) + "\n" for row in rows)


def test_a_log_is_read_on_and_thinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LOG_ROWS", 100)
    runs, folder = Runs(tmp_path), tmp_path / "r"
    write(folder, [{"step": step, "loss": 1.0} for step in range(50)])
    assert len(runs.log(folder).rows) == 50
    write(folder, [{"step": step, "loss": float("nan")} for step in range(50, 1000)])
    with open(folder / "log.jsonl", "a") as log:
        log.write('not json\n[1]\n{"event": "said", "message": "x"}\n{"step": 10')
    log = runs.log(folder)
    steps = [row["step"] for row in log.rows]
    assert (
        len(steps) <= 101 and steps == sorted(steps) and steps[0] == 0 and log.last["step"] == 999 and log.seen == 1000
    )
    gaps = {b - a for a, b in itertools.pairwise(steps)}
    assert gaps == {log.keep_every}, "evenly spaced, whenever they came"
    assert log.events == [{"event": "said", "message": "x"}] and None in curves(log)["columns"]["loss"]
    with open(folder / "log.jsonl", "a") as rest:
        rest.write("00}\n")
    assert runs.log(folder).last["step"] == 1000, "a line that was half written is read when it is whole"
    (folder / "log.jsonl").write_text('{"step": 1}\n')
    assert runs.log(folder).seen == 1, "another file under the same name is another log"


def test_nothing_outside_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, [])
    (outside / "00000001.png").write_bytes(b"secret")
    runs = Runs(tmp_path / "runs")
    write(tmp_path / "runs" / "r", [])
    (tmp_path / "runs" / "link").symlink_to(outside)
    (tmp_path / "runs" / "r" / "samples").symlink_to(outside)
    assert list(runs.folders()) == ["r"] and runs.samples(runs.find("r")) == []
    for name in ("00000001.png", "../settings.json", "settings.json", "..", "1.png/../x"):
        with pytest.raises(RunError):
            runs.sample_file(runs.find("r"), name)
    for name in ("link", "../outside", "..", "", ".studio", "r/"):
        with pytest.raises(RunError, match="there is no run"):
            runs.find(name)


def test_names_become_plain_ids() -> None:
    assert run_id("r3gan-digits") == "r3gan-digits"
    assert run_id("<img>").startswith("run-") and run_id("<img>") != run_id("<IMG>") and run_id(".x").startswith("run-")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99}', "[" * 20_000, '{"method": [], "spec": 3}', "\x00"])
def test_damaged_settings_are_a_card_of_their_own(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "settings.json").write_text(text)
    runs = Runs(tmp_path)
    card = runs.card(runs.find("r"))
    assert card["state"] == "damaged" and card["problem"]


@pytest.mark.parametrize("part", ["read_json", "_changed"])
def test_a_run_moved_away_while_it_is_read_is_left_out(
    studio_runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Another request can move it to the bin between any two reads. One run asked for by its name is then 404, not a fault."""
    for name in ("gone", "stays"):
        shutil.copytree(studio_runs / "first", tmp_path / name)
    read = getattr(module, part)

    def moved_first(path: Path, *more: object) -> object:
        if "gone" in path.parts:
            shutil.rmtree(tmp_path / "gone", ignore_errors=True)
        return read(path, *more)

    monkeypatch.setattr(module, part, moved_first)
    assert [card["name"] for card in Runs(tmp_path).cards().values()] == ["stays"]
    shutil.copytree(studio_runs / "first", tmp_path / "gone")
    with served_here(tmp_path) as port:
        assert [one["name"] for one in asked(port, "/api/runs")[1]["runs"]] == ["stays"]
        shutil.copytree(studio_runs / "first", tmp_path / "gone")
        assert asked(port, "/api/runs/gone")[0] == 404


def asked(port: int, path: str) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_the_bin(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    write(tmp_path / "r", [])
    name = runs.to_bin(runs.find("r"))
    assert not runs.folders() and list(runs.in_bin()) == [name]
    write(tmp_path / "r", [])
    assert runs.restore(name) == "r-2" and set(runs.folders()) == {"r", "r-2"}
    runs.to_bin(runs.find("r"))
    assert runs.empty_bin() == 1 and not runs.in_bin() and set(runs.folders()) == {"r-2"}
    with pytest.raises(RunError, match="not in the bin"):
        runs.restore("..")
