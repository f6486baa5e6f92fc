"""Runs over HTTP: the gallery, one run, its curves and files, the bin."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ganvas.errors import RunError, UsageError
from ganvas.files import JsonObject
from ganvas.studio import schema
from ganvas.studio.http import Endpoint, answer
from ganvas.studio.queue import PAUSED, QUEUED, RUNNING
from ganvas.studio.runs import MAX_SERVED_BYTES, curves
from ganvas.studio.security import REPORT_POLICY
from ganvas.studio.state import Studio, studio_of


def _listed(studio: Studio) -> JsonObject:
    runs, marks = studio.place.runs, studio.queue.marks()
    jobs = {job.run: job for job in reversed(studio.queue.jobs()) if job.kind in ("train", "extend", "apply")}
    cards: list[JsonObject] = []
    for folder, card in runs.cards().items():
        archived, note = marks.get(folder.name, (False, ""))
        job = jobs.get(folder.name)
        if job is not None and job.state in (QUEUED, RUNNING, PAUSED):
            card |= {"job": job.id, "state": {RUNNING: "training"}.get(job.state, job.state)}
        cards.append({**card, "archived": archived, "note": note})
    cards.sort(key=lambda card: -card.get("changed", 0))
    return {"runs": cards}


async def listing(request: Request, values: JsonObject) -> Response:
    """Every run with what a card shows."""
    return answer(await asyncio.to_thread(_listed, studio_of(request)))


async def detail(request: Request, values: JsonObject) -> Response:
    """One run."""
    studio = studio_of(request)
    folder = studio.place.runs.find(request.path_params["run"])
    facts = await asyncio.to_thread(studio.place.runs.detail, folder)
    archived, note = studio.queue.marks().get(folder.name, (False, ""))
    for job in studio.queue.jobs():
        if job.run == folder.name and job.state in (QUEUED, RUNNING, PAUSED):
            facts |= {"job": job.id, "state": {RUNNING: "training"}.get(job.state, job.state)}
            break
    return answer({**facts, "archived": archived, "note": note})


async def rows(request: Request, values: JsonObject) -> Response:
    """The numbers of a training over its steps."""
    studio = studio_of(request)
    folder = studio.place.runs.find(request.path_params["run"])
    log = await asyncio.to_thread(studio.place.runs.log, folder)
    return answer({**curves(log), "events": log.events})


async def sample(request: Request, values: JsonObject) -> Response:
    """A grid, sound or text that the training wrote."""
    studio = studio_of(request)
    folder = studio.place.runs.find(request.path_params["run"])
    path, kind = studio.place.runs.sample_file(folder, request.path_params["name"])
    return FileResponse(path, media_type=kind, headers={"Cache-Control": "no-cache"})


async def report(request: Request, values: JsonObject) -> Response:
    """report.html."""
    return _page(request, "report.html", "this run has no report yet: it is written when the training ends")


async def audit(request: Request, values: JsonObject) -> Response:
    """audit.html: suspicious samples beside their nearest training images."""
    return _page(request, "audit.html", "this run was not audited yet: put an audit into the queue")


def _page(request: Request, name: str, missing: str) -> Response:
    """A page of a run folder, in an origin of its own."""
    path = studio_of(request).place.runs.find(request.path_params["run"]) / name
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_SERVED_BYTES:
        raise RunError(missing)
    headers = {"Content-Security-Policy": REPORT_POLICY, "Cache-Control": "no-cache"}
    return FileResponse(path, media_type="text/html; charset=utf-8", headers=headers)


async def change(request: Request, values: JsonObject) -> Response:
    """Archives a run, or writes a note to it."""
    studio = studio_of(request)
    folder = studio.place.runs.find(request.path_params["run"])
    studio.queue.mark(folder.name, archived=values.get("archived"), note=values.get("note"))
    return answer({"id": request.path_params["run"], **values})


async def remove(request: Request, values: JsonObject) -> Response:
    """Moves a run to the bin."""
    studio = studio_of(request)
    folder = studio.place.runs.find(request.path_params["run"])
    for job in studio.queue.jobs():
        if job.run == folder.name and job.state in (QUEUED, RUNNING, PAUSED):
            raise UsageError(f"job {job.id} works on this run: stop it first")
    return answer({"bin": studio.place.runs.to_bin(folder)})


async def in_bin(request: Request, values: JsonObject) -> Response:
    """What is in the bin."""
    found = studio_of(request).place.runs.in_bin()
    return answer({"runs": [{"id": name, "name": folder.name.partition("-")[2]} for name, folder in found.items()]})


async def take_back(request: Request, values: JsonObject) -> Response:
    """Takes a run out of the bin."""
    return answer({"run": studio_of(request).place.runs.restore(request.path_params["name"])})


async def empty(request: Request, values: JsonObject) -> Response:
    """Deletes what is in the bin, for good."""
    return answer({"removed": await asyncio.to_thread(studio_of(request).place.runs.empty_bin)})


ENDPOINTS = [
    Endpoint("GET", "/api/runs", listing, "every run"),
    Endpoint("GET", "/api/runs/{run}", detail, "one run: figures, settings, samples, events"),
    Endpoint(
        "PATCH", "/api/runs/{run}", change, "archive a run, or note something",
        body=schema.obj({"archived": schema.boolean(), "note": schema.text(longest=2000)}),
    ),
    Endpoint("DELETE", "/api/runs/{run}", remove, "move a run to the bin"),
    Endpoint("GET", "/api/runs/{run}/log", rows, "the numbers of a training over its steps"),
    Endpoint("GET", "/api/runs/{run}/samples/{name}", sample, "a grid of samples", answer="image/png"),
    Endpoint("GET", "/api/runs/{run}/report", report, "the run's report", answer="text/html"),
    Endpoint("GET", "/api/runs/{run}/audit", audit, "the page of the run's audit", answer="text/html"),
    Endpoint("GET", "/api/bin", in_bin, "what is in the bin"),
    Endpoint("POST", "/api/bin/{name}/restore", take_back, "take a run out of the bin", body=schema.obj({})),
    Endpoint("DELETE", "/api/bin", empty, "delete what is in the bin"),
]  # fmt: skip
