"""The queue over HTTP, and what a training would take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from ganvas.errors import UsageError
from ganvas.files import JsonObject
from ganvas.studio import jobs, processes, schema
from ganvas.studio.forms import training_form
from ganvas.studio.http import Endpoint, Refused, answer
from ganvas.studio.queue import DONE, RUNNING, Job
from ganvas.studio.runner import error_in
from ganvas.studio.security import REPORT_POLICY
from ganvas.studio.state import Studio, studio_of

LOG_TAIL_BYTES = 64 * 1024  # bytes of a job's log that the page shows
MAX_RESULT_BYTES = 4 * 2**20
DRY_RUN_SECONDS = 180.0  # seconds
IDEMPOTENCY_KEY = re.compile(r"[A-Za-z0-9_-]{8,80}")


def job_facts(studio: Studio, job: Job) -> JsonObject:
    """A job as the page shows it."""
    facts: JsonObject = {
        "id": job.id, "kind": job.kind, "title": job.title, "run": job.run, "state": job.state, "wanted": job.wanted,
        "created": job.created, "started": job.started, "ended": job.ended, "attempts": job.attempts,
        "exit_code": job.exit_code, "message": job.message,
    }  # fmt: skip
    if "source" in job.request:
        facts["source"] = job.request["source"]
    if job.state == RUNNING:
        facts |= _progress(studio, job)
    return facts


def _progress(studio: Studio, job: Job) -> JsonObject:
    """How far a running job is: of a training by its log, of others the last line that they wrote."""
    runs = studio.place.runs
    if job.kind in ("train", "extend", "apply"):
        folder = runs.folder / job.run
        if not (folder / "settings.json").is_file():
            return {"phase": "preparing"}
        row = runs.log(folder).last
        return {
            "progress": row.get("progress"),
            "left": row.get("seconds_left"),
            "step": row.get("step"),
            "phase": "training",
        }
    facts: JsonObject = {"phase": _last_line(studio, job)[:120] or "working"}
    if job.kind == "augmentation":
        wanted = job.request.get("seeds", 5) * (job.request.get("sizes", "10").count(",") + 1)
        facts["progress"] = min(1.0, len(list(studio.queue.file(job.id, "files").glob("cell-*.json"))) / wanted)
    return facts


def _last_line(studio: Studio, job: Job) -> str:
    return error_in(studio.queue.file(job.id, "log"))


def _job(studio: Studio, request: Request) -> Job:
    text = request.path_params["job"]
    if not text.isascii() or not text.isdecimal() or len(text) > 15:
        raise Refused(404, "there is no such job")
    job = studio.queue.job(int(text))
    if job is None:
        raise Refused(404, f"there is no job {text} (any more)")
    return job


async def listing(request: Request, values: JsonObject) -> Response:
    """All jobs."""
    studio = studio_of(request)
    return answer({"jobs": [job_facts(studio, job) for job in studio.queue.jobs()]})


async def add(request: Request, values: JsonObject) -> Response:
    """Accepts a job: it is on the disk when this answers."""
    studio = studio_of(request)
    key = request.headers.get("idempotency-key")
    if key is not None and not IDEMPOTENCY_KEY.fullmatch(key):
        raise UsageError("Idempotency-Key must be 8 to 80 letters, digits, - and _")
    kind, asked = values["kind"], values["request"]
    known = None if key is None else studio.queue.of_key(key)
    if known is not None:  # the answer was lost on its way, and the job was not
        return answer(job_facts(studio, known), 201)
    title, run = jobs.check(studio.place, kind, asked)
    asked = jobs.settled(studio.place, kind, asked)
    job = await asyncio.to_thread(studio.queue.add, kind, asked, title, run, key)
    return answer(job_facts(studio, job), 201)


async def one(request: Request, values: JsonObject) -> Response:
    """One job with what was asked for, and its result where it is done."""
    studio = studio_of(request)
    job = _job(studio, request)
    facts = {**job_facts(studio, job), "request": job.request, "files": _files(studio, job)}
    out = studio.queue.file(job.id, "out")
    if job.state == DONE and out.is_file() and out.stat().st_size <= MAX_RESULT_BYTES:
        with contextlib.suppress(ValueError):
            facts["result"] = json.loads(out.read_bytes())
    return answer(facts)


def _files(studio: Studio, job: Job) -> JsonObject:
    """Names and sizes in bytes of the files that a job gave."""
    folder = studio.queue.file(job.id, "files")
    if job.state != DONE or not folder.is_dir():
        return {}
    return {
        path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()
    }


async def file(request: Request, values: JsonObject) -> Response:
    """A file that a job gave. A page is shown, in an origin of its own; all else is a download."""
    studio = studio_of(request)
    job, name = _job(studio, request), request.path_params["name"]
    if name not in _files(studio, job):
        raise Refused(404, f"job {job.id} has no file {name[:100]} (any more)")
    path = studio.queue.file(job.id, "files") / name
    headers = {"Cache-Control": "no-cache"}
    if job.kind in jobs.PAGE_JOBS and path.suffix == ".html":
        return FileResponse(
            path, media_type="text/html; charset=utf-8", headers={**headers, "Content-Security-Policy": REPORT_POLICY}
        )
    return FileResponse(path, media_type="application/octet-stream", filename=name, headers=headers)


async def log(request: Request, values: JsonObject) -> Response:
    """The end of what a job's command wrote."""
    studio = studio_of(request)
    path = studio.queue.file(_job(studio, request).id, "log")
    if not path.is_file():
        return PlainTextResponse("")
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
        text = file.read().decode("utf-8", "replace")
    return PlainTextResponse(text, headers={"Cache-Control": "no-store"})


async def act(request: Request, values: JsonObject) -> Response:
    """Pauses (and saves), resumes, stops or moves a job."""
    studio = studio_of(request)
    job, action = _job(studio, request), values["action"]
    queue = studio.queue
    if action == "resume":
        done = queue.resume(job.id)
    elif action == "move":
        done = queue.move(job.id, values.get("before"))
    else:
        done = queue.ask(job.id, action)
    if not done:
        raise Refused(409, f"job {job.id} is {job.state}, so it cannot {action}")
    now = queue.job(job.id)
    assert now is not None
    return answer(job_facts(studio, now))


async def forget(request: Request, values: JsonObject) -> Response:
    """Removes an ended job from the list."""
    studio = studio_of(request)
    job = _job(studio, request)
    if not studio.queue.forget(job.id):
        raise Refused(409, f"job {job.id} is {job.state}: stop it first")
    return answer({"removed": job.id})


async def form(request: Request, values: JsonObject) -> Response:
    """Methods, presets and settings with their limits, as JSON Schema."""
    return answer(training_form())


async def expect(request: Request, values: JsonObject) -> Response:
    """What a training would take on this machine, by a few of its own steps. Writes nothing."""
    studio = studio_of(request)
    config = jobs.config_of(studio.place, values)
    if studio.checking.locked():
        raise Refused(503, "another estimate is being made: try again in a moment")
    words = [sys.executable, "-m", "ganvas", "train", *config.command_line(), "--dry-run", "--json"]
    async with studio.checking:
        ended = await processes.run(request, words, DRY_RUN_SECONDS, studio.config.folder)
    if ended is None:
        raise Refused(503, "the estimate took too long: the training can be started all the same")
    if ended.code:
        raise UsageError(ended.error or f"the estimate ended with exit code {ended.code}")
    facts = json.loads(ended.out)
    shown = (
        "expected",
        "networks",
        "parameters",
        "count",
        "shape",
        "notes",
        "device",
        "precision",
        "size",
        "settings",
        "budget",
    )
    return answer({name: facts[name] for name in shown if name in facts})


ENDPOINTS = [
    Endpoint("GET", "/api/train/form", form, "methods, presets and settings, as JSON Schema"),
    Endpoint("POST", "/api/train/expect", expect, "what a training would take here", body={**jobs.TRAIN, "required": ["data"]}),
    Endpoint("GET", "/api/jobs", listing, "the queue"),
    Endpoint(
        "POST", "/api/jobs", add, "put a job into the queue; the header Idempotency-Key makes it safe to ask again",
        body=schema.obj(
            {"kind": schema.one_of(list(jobs.JOB_SCHEMAS)), "request": schema.mapping({}, most=20, help="see x-requests")},
            required=("kind", "request"),
        ) | {"x-requests": jobs.JOB_SCHEMAS},
    ),
    Endpoint("GET", "/api/jobs/{job}", one, "a job and its result"),
    Endpoint("GET", "/api/jobs/{job}/log", log, "what its command wrote", answer="text/plain"),
    Endpoint("GET", "/api/jobs/{job}/files/{name}", file, "a file that it gave", answer="application/octet-stream"),
    Endpoint(
        "POST", "/api/jobs/{job}", act, "pause, resume, stop or move a job",
        body=schema.obj(
            {
                "action": schema.one_of(("pause", "resume", "stop", "move")),
                "before": schema.optional(schema.integer("job in front of which it is moved; null: to the end", minimum=1)),
            },
            required=("action",),
        ),
    ),
    Endpoint("DELETE", "/api/jobs/{job}", forget, "remove an ended job from the list"),
]  # fmt: skip
