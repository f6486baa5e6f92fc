"""A hundred times kill -9 of the studio's server, or of the process that runs a job, while trainings come in and run."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
import uuid
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the studio's packages are not installed: pip install 'ganvas[studio]'")

from ganvas.studio.queue import DONE, MAX_ATTEMPTS, Queue
from studio_server import StudioProcess, runner_of, wait

KILLS = int(os.environ.get("KILLS", "100"))
JOBS = int(os.environ.get("JOBS", "30"))


@pytest.mark.slow
def test_no_accepted_job_is_lost_or_done_twice(tmp_path: Path) -> None:
    draw = random.Random(0)
    studio = StudioProcess(tmp_path / "runs")
    queue = Queue(studio.runs / ".studio")
    accepted: dict[int, str] = {}
    names = [f"job-{number}" for number in range(JOBS)]
    killed = {"server": 0, "runner": 0}
    while sum(killed.values()) < KILLS:
        for name in names[len(accepted) : len(accepted) + 1 + draw.randrange(2)]:
            request = {
                "method": "gan", "data": "set:digits", "name": name,
                "options": {"preset": "tiny", "steps": 30, "samples": 0, "precision": "fp32"},
            }  # fmt: skip
            content, key = {"kind": "train", "request": request}, uuid.uuid4().hex
            for _ in range(2):  # the same key twice is one job
                answer = studio.ask("POST", "/api/jobs", content, headers={"Idempotency-Key": key})
                assert answer.status == 201
                accepted[answer.json["id"]] = name
        time.sleep(draw.uniform(0.0, 3.0))
        running = [job for job in queue.jobs() if job.state == "running" and job.attempts < MAX_ATTEMPTS]
        victim = runner_of(studio.runs / ".studio", running[0].id) if running else None
        if victim is not None and draw.random() < 0.4:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            killed["runner"] += 1
        else:
            studio.kill()
            studio.start()
            killed["server"] += 1
    assert len(accepted) == JOBS, "all were put in on the way"
    wait(lambda: all(job.state == DONE for job in queue.jobs()), 1200)
    studio.stop()
    assert {job.id: job.run for job in queue.jobs()} == accepted
    for name in accepted.values():
        rows = [json.loads(line) for line in (studio.runs / name / "log.jsonl").read_text().splitlines()]
        ends = [row for row in rows if row.get("event") == "finished"]
        assert len(ends) == 1 and ends[0]["step"] == 30, name
    print(f"{killed['server']} kills of the server, {killed['runner']} of a runner, {JOBS} jobs done once each")
