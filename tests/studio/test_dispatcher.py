"""Jobs by the real command line, through pauses and kill -9 of the server and of the process that runs a job."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio_server import StudioProcess, runner_of, wait


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory, _own_cache: None) -> Iterator[StudioProcess]:
    process = StudioProcess(tmp_path_factory.mktemp("jobs") / "runs")
    yield process
    for job in process.ask("GET", "/api/jobs").json["jobs"]:
        process.ask("POST", f"/api/jobs/{job['id']}", {"action": "stop"})
    process.stop()


def events(run: Path, name: str) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [row for row in rows if row.get("event") == name]


def test_a_job_survives_the_death_of_the_server_and_is_not_run_again(own: StudioProcess) -> None:
    long, short = own.train("long", 100_000, minutes=10), own.train("short")
    own.until(long, "running")
    wait(lambda: own.job(long).get("step") or 0 > 0, 60)
    before = runner_of(own.runs / ".studio", long)
    own.kill()
    assert before is not None and Path(f"/proc/{before}").exists(), "the job needs no server"
    own.start()
    assert own.job(long)["state"] == "running" and own.job(short)["state"] == "queued"
    assert runner_of(own.runs / ".studio", long) == before

    # Pausing saves; the other job follows; resuming continues where it was.
    assert own.ask("POST", f"/api/jobs/{long}", {"action": "pause"}).status == 200
    assert own.until(long, "paused")["attempts"] == 1
    assert own.until(short, "done", "failed")["state"] == "done"
    (first,) = events(own.runs / "long", "started")
    assert own.ask("POST", f"/api/jobs/{long}", {"action": "resume"}).status == 200
    wait(lambda: (own.runs / "long" / "log.jsonl").is_file() and bool(events(own.runs / "long", "resumed")), 60)
    assert first["step"] == 0 and int(str(events(own.runs / "long", "resumed")[0]["step"])) > 0

    # kill -9 of the process that runs it: the command saves and ends, and the job goes on from there.
    runner = runner_of(own.runs / ".studio", long)
    assert runner is not None
    wait(lambda: own.job(long).get("step") is not None, 30)
    os.kill(runner, signal.SIGKILL)
    wait(lambda: len(events(own.runs / "long", "resumed")) == 2, 90)
    assert own.job(long)["attempts"] == 2

    # Ctrl-C saves the running training, and the next start continues it.
    wait(lambda: own.job(long).get("step") is not None, 30)
    own.stop()
    own.start()
    wait(lambda: len(events(own.runs / "long", "resumed")) == 3, 90)
    steps = [int(str(row["step"])) for row in events(own.runs / "long", "resumed")]
    assert steps == sorted(steps) and steps[0] > 0, "equal where it was killed before it saved again"
    assert own.ask("POST", f"/api/jobs/{long}", {"action": "stop"}).status == 200
    own.until(long, "stopped")
    assert own.job(short)["attempts"] == 1 and len(events(own.runs / "short", "started")) == 1, "it was run once"


def test_a_failure_is_told_in_the_commands_own_words(own: StudioProcess) -> None:
    number = own.train("impossible", 3, device="cuda:7")
    job = own.until(number, "failed")
    assert "cuda" in job["message"] and "Traceback" not in job["message"] and job["exit_code"] != 0
    assert "cuda" in own.ask("GET", f"/api/jobs/{number}/log").body.decode()
    assert own.ask("POST", f"/api/jobs/{number}", {"action": "pause"}).status == 409
    assert own.ask("DELETE", f"/api/jobs/{number}").status == 200
    assert own.ask("GET", f"/api/jobs/{number}").status == 404


def test_files_of_an_export_are_downloaded_and_go_with_the_job(own: StudioProcess) -> None:
    pytest.importorskip("onnxruntime", reason="exports need ganvas[onnx]")
    own.until(own.train("shared"), "done")
    asked = own.ask("POST", "/api/jobs", {"kind": "export", "request": {"run": "shared", "to": "onnx"}})
    number = asked.json["id"]
    assert own.until(number, "done", "failed")["state"] == "done", own.job(number)
    facts = own.ask("GET", f"/api/jobs/{number}").json
    assert facts["title"] == "Export shared as onnx" and list(facts["files"]) == ["shared.onnx"]
    answer = own.ask("GET", f"/api/jobs/{number}/files/shared.onnx")
    assert answer.status == 200 and len(answer.body) == facts["files"]["shared.onnx"]
    assert answer.headers["content-disposition"].startswith("attachment")
    for name in ("other.onnx", "..%2F..%2Fqueue.sqlite", "%2E%2E"):
        assert own.ask("GET", f"/api/jobs/{number}/files/{name}").status == 404
    folder = own.runs / ".studio" / "jobs" / f"{number}.files"
    assert folder.is_dir()
    assert own.ask("DELETE", f"/api/jobs/{number}").status == 200 and not folder.exists()


@pytest.mark.slow
def test_labelled_images_come_as_a_page_and_a_zip(own: StudioProcess) -> None:
    options = {"preset": "tiny", "steps": 3, "samples": 0, "precision": "fp32"}
    request = {"method": "cgan", "data": "set:digits", "name": "labelled", "options": options}
    own.until(own.ask("POST", "/api/jobs", {"kind": "train", "request": request}).json["id"], "done")
    content = {"kind": "augment", "request": {"run": "labelled", "per_class": 2}}
    number = own.ask("POST", "/api/jobs", content).json["id"]
    assert own.until(number, "done", "failed", seconds=240)["state"] == "done", own.job(number)
    facts = own.ask("GET", f"/api/jobs/{number}").json
    assert list(facts["files"]) == ["images.html", "images.zip"] and len(facts["result"]["classes"]) == 10
    page = own.ask("GET", f"/api/jobs/{number}/files/images.html")
    assert page.headers["content-security-policy"].startswith("sandbox") and b"<html" in page.body
    with zipfile.ZipFile(io.BytesIO(own.ask("GET", f"/api/jobs/{number}/files/images.zip").body)) as archive:
        images = [name for name in archive.namelist() if name.endswith(".png")]
    assert len(images) == sum(one["kept"] for one in facts["result"]["classes"])


def test_a_closed_page_ends_the_estimate_that_it_asked_for(own: StudioProcess) -> None:
    """Otherwise the next one would be refused until the first is done."""
    request = {"method": "r3gan", "data": "set:digits"}
    body = json.dumps(request).encode()
    head = (
        f"POST /api/train/expect HTTP/1.1\r\nHost: 127.0.0.1:{own.port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", own.port), 10) as connection:
        connection.sendall(head.encode() + body)
        wait(lambda: bool(estimates(own)), 20)
    wait(lambda: not estimates(own), 5)
    assert own.ask("POST", "/api/train/expect", {"method": "nothing", "data": "set:digits"}).status == 400


def estimates(studio: StudioProcess) -> list[int]:
    """Processes that time a training for this studio."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words, place = (entry / "cmdline").read_bytes().split(b"\0"), os.readlink(entry / "cwd")
            except OSError:
                continue
            if b"--dry-run" in words and place == str(studio.runs / ".studio"):
                found.append(int(entry.name))
    return found


def test_only_one_studio_on_the_same_runs(own: StudioProcess) -> None:
    with pytest.raises(AssertionError, match="is running already"):
        StudioProcess(own.runs)
