"""The page itself, its token, and what belongs to no topic: status, stream, OpenAPI."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from ganvas.data.builtin_sets import BUILTIN_SETS
from ganvas.errors import GanvasError
from ganvas.files import JsonObject
from ganvas.strict_json import dumps
from ganvas.studio import schema
from ganvas.studio.api_jobs import job_facts
from ganvas.studio.http import Endpoint, Refused, answer
from ganvas.studio.security import COOKIE, same
from ganvas.studio.state import Studio, studio_of
from ganvas.version import __version__

STATIC = Path(__file__).parent / "static"
SOLIDS_SCRIPT = Path(__file__).parents[1] / "report" / "assets" / "solids.js"  # by which reports turn volumes, too
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}  # fmt: skip
TICK_SECONDS = 0.5  # seconds between two looks for something new
HEARTBEAT_SECONDS = 15.0  # seconds after which a silent stream sends a comment
MAX_STREAMS = 40
YEAR_SECONDS = 365 * 24 * 3600


@cache
def static_files() -> dict[str, Path]:
    """Every file of the page by its name in the address; nothing else is served."""
    files: dict[str, Path] = {}
    for path in sorted(STATIC.rglob("*")):
        if path.suffix in CONTENT_TYPES and path.is_file():
            files[path.relative_to(STATIC).as_posix()] = path
    files["lib/solids.js"] = SOLIDS_SCRIPT
    return files


async def index(request: Request, values: JsonObject) -> Response:
    """The page."""
    return _file(request, STATIC / "index.html")


async def static(request: Request, values: JsonObject) -> Response:
    """A file of the page."""
    name = request.path_params["name"]
    if name not in static_files():
        raise Refused(404, "the page has no such file")
    return _file(request, static_files()[name])


def _file(request: Request, path: Path) -> Response:
    """With a tag of its content, so that a new version is seen at once and an old one not sent again."""
    tag = f'"{_digest(path, path.stat().st_mtime_ns)}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return FileResponse(path, media_type=CONTENT_TYPES[path.suffix], headers=headers)


@cache
def _digest(path: Path, changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:24]


async def session(request: Request, values: JsonObject) -> Response:
    """Gives a browser the cookie that stands for the token."""
    studio = studio_of(request)
    if studio.token is None:
        return answer({"needed": False})
    if not same(values["token"], studio.token):
        await asyncio.sleep(0.5)  # trying many takes long
        raise Refused(401, "the token is wrong: it stands in the file that ganvas studio named on its terminal")
    done = answer({"needed": True})
    done.set_cookie(COOKIE, studio.token, max_age=YEAR_SECONDS, httponly=True, samesite="strict", path="/")
    return done


async def status(request: Request, values: JsonObject) -> Response:
    """What the page needs first."""
    studio = studio_of(request)
    counts: dict[str, int] = {}
    for job in studio.queue.jobs():
        counts[job.state] = counts.get(job.state, 0) + 1
    return answer(
        {
            "version": __version__,
            "runs": studio.config.runs.name,
            "jobs": counts,
            "sets": list(BUILTIN_SETS),
            "token": studio.token is not None,
        }
    )


async def api_file(request: Request, values: JsonObject) -> Response:
    """This document."""
    return answer(studio_of(request).document)


async def stream(request: Request, values: JsonObject) -> Response:
    """Server-sent events: `jobs` when the queue changes, `rows` and `samples` of a run as they come."""
    studio = studio_of(request)
    if studio.streams >= MAX_STREAMS:
        raise Refused(503, f"{MAX_STREAMS} pages listen already: close some tabs")
    run = values.get("run")
    if run is not None:
        studio.place.runs.find(run)
    return StreamingResponse(
        _events(studio, run),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(studio: Studio, run: str | None) -> AsyncIterator[bytes]:
    studio.streams += 1
    try:
        sent: dict[str, str] = {}
        silent = 0.0
        yield b"retry: 1500\n\n"
        while not studio.closing.is_set():
            for name, content in (await asyncio.to_thread(_looked, studio, run)).items():
                text = dumps(content)
                if sent.get(name) != text:
                    sent[name] = text
                    silent = 0.0
                    yield f"event: {name}\ndata: {text}\n\n".encode()
            silent += TICK_SECONDS
            if silent >= HEARTBEAT_SECONDS:
                silent = 0.0
                yield b": still here\n\n"
            await asyncio.sleep(TICK_SECONDS)
    finally:
        studio.streams -= 1


def _looked(studio: Studio, run: str | None) -> JsonObject:
    """The state of what a page listens to."""
    active = [job_facts(studio, job) for job in studio.queue.jobs()[:60]]
    events: JsonObject = {"jobs": {"jobs": active}}
    if run is None:
        return events
    try:
        folder = studio.place.runs.find(run)
    except GanvasError:
        return events
    runs = studio.place.runs
    log = runs.log(folder)
    events["run"] = {
        "row": log.last, "seen": log.seen, "ended": log.ended, "state": runs.state(folder, log),
        "samples": runs.samples(folder)[-1:],
        "events": log.events[-30:], "figures": runs.metrics(folder),
    }  # fmt: skip
    return events


ENDPOINTS = [
    Endpoint("GET", "/", index, "the page", answer="text/html", open=True),
    Endpoint("GET", "/static/{name:path}", static, "a file of the page", answer="text/javascript", open=True),
    Endpoint("GET", "/api/openapi.json", api_file, "this document"),
    Endpoint("GET", "/api/status", status, "version, built-in sets and how many jobs there are"),
    Endpoint(
        "POST", "/api/session", session, "a cookie for a token",
        body=schema.obj({"token": schema.text(longest=200, shortest=1)}, required=("token",)), open=True,
    ),
    Endpoint(
        "GET", "/api/stream", stream, "server-sent events: the queue, and one run",
        query={"run": schema.text("id of a run", longest=120)}, answer="text/event-stream", stream=True,
    ),
]  # fmt: skip
