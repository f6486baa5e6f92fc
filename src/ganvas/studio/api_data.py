"""Uploads over HTTP: single images, and data sets of many files."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from ganvas.data.builtin_sets import BUILTIN_SETS
from ganvas.errors import DataError
from ganvas.files import JsonObject, write_text
from ganvas.strict_json import dumps
from ganvas.studio import jobs, processes, schema
from ganvas.studio.http import Endpoint, Refused, answer, chunks_of
from ganvas.studio.state import studio_of
from ganvas.studio.store import MAX_IMAGE_UPLOAD_BYTES, new_id, write_bounded

LOOK_SECONDS = 300.0  # seconds that looking at a data set may take
LOOK_MEMORY_BYTES = 16 * 2**30  # bytes of address space: torch alone reserves several
MAX_NAME_CHARACTERS = 300
MAX_LOOKS = 30


def _name_of(request: Request) -> str:
    """The name of an uploaded file, from the header X-Name (percent-encoded UTF-8)."""
    try:
        name = unquote(request.headers.get("x-name", ""), errors="strict")
    except UnicodeDecodeError:
        raise Refused(400, "X-Name must be a file's name in UTF-8, percent-encoded") from None
    if not name or len(name) > MAX_NAME_CHARACTERS or any(ord(sign) < 32 for sign in name):
        raise Refused(400, f"X-Name must be a file's name of 1 to {MAX_NAME_CHARACTERS} characters")
    return name


def _is_file(request: Request, most: int) -> None:
    if request.headers.get("content-type", "") != "application/octet-stream":
        raise Refused(415, "send the file itself with Content-Type: application/octet-stream")
    length = request.headers.get("content-length", "0")
    if not length.isascii() or not length.isdecimal() or int(length) > most:
        raise Refused(413, f"the file is larger than {most // 2**20} MiB, which is the limit")


async def put_image(request: Request, values: JsonObject) -> Response:
    """Keeps an image: it is decoded in a process of its own with limits, and written anew."""
    studio = studio_of(request)
    _is_file(request, MAX_IMAGE_UPLOAD_BYTES)
    name = _name_of(request)
    number = new_id()
    store = studio.place.store
    with tempfile.TemporaryDirectory(dir=studio.config.folder, prefix=".upload-") as place:
        upload = Path(place) / f"image{Path(name).suffix[:10]}"
        await write_bounded(upload, chunks_of(request), MAX_IMAGE_UPLOAD_BYTES)
        out = Path(place) / "out.png"
        try:
            facts = await studio.decoders.image(request, upload, out)
        except DataError as error:
            raise DataError(str(error).replace(str(upload), name)) from None
        os.replace(out, store.images_folder / f"{number}.png")
    return answer(store.note_image(number, {"kind": "upload", "name": name, **facts}), 201)


async def images(request: Request, values: JsonObject) -> Response:
    """Uploads and results, the newest first."""
    return answer({"images": studio_of(request).place.store.images(values.get("kind", ""))[:200]})


async def image(request: Request, values: JsonObject) -> Response:
    """An image's file."""
    path = studio_of(request).place.store.image(request.path_params["image"])
    return FileResponse(path, media_type="image/png", headers={"Cache-Control": "private, max-age=31536000, immutable"})


async def image_facts(request: Request, values: JsonObject) -> Response:
    """Its name, size and what made it."""
    return answer(studio_of(request).place.store.image_facts(request.path_params["image"]))


async def remove_image(request: Request, values: JsonObject) -> Response:
    """Deletes it."""
    store = studio_of(request).place.store
    store.image(request.path_params["image"])
    store.remove_image(request.path_params["image"])
    return answer({"removed": request.path_params["image"]})


# --- data sets ------------------------------------------------------------------------------------------------------------


async def listing(request: Request, values: JsonObject) -> Response:
    """Built-in sets, folders of this machine that were named on the command line, and what was dropped."""
    studio = studio_of(request)
    sets = [{"source": jobs.SET_PREFIX + name, "name": name, "kind": "set"} for name in BUILTIN_SETS]
    folders = [
        {"source": jobs.FOLDER_PREFIX + name, "name": path.name, "kind": "folder"}
        for name, path in studio.place.folders.items()
    ]
    dropped = []
    for facts in studio.place.store.data_sets():
        dropped.append({**facts, "source": jobs.UPLOAD_PREFIX + facts["id"], "kind": "dropped"})
    return answer({"data": [*sets, *folders, *dropped]})


async def make(request: Request, values: JsonObject) -> Response:
    """An empty data set."""
    return answer(studio_of(request).place.store.new_data(values["name"]), 201)


async def put_file(request: Request, values: JsonObject) -> Response:
    """Adds a file to it; the header X-Name is its name, with sub-folders, which are labels."""
    studio = studio_of(request)
    _is_file(request, 2**40)
    return answer(
        await studio.place.store.receive(request.path_params["data"], _name_of(request), chunks_of(request)), 201
    )


async def look(request: Request, values: JsonObject) -> Response:
    """Looks at data as a training would: counts, sizes, problems, duplicates, a grid of examples."""
    studio = studio_of(request)
    source = values["source"]
    if source.startswith(jobs.UPLOAD_PREFIX):
        number = source.removeprefix(jobs.UPLOAD_PREFIX)
        if studio.place.store.data(number)["state"] == "filling":
            studio.place.store.change_data(number, state="complete")
        place = studio.place.store.data_folder / number
    else:
        place = _new_look(studio.config.folder / "looks")
    path = jobs.data_of(studio.place, source).source
    grid = place / "grid.png"
    words = ["data", path, "--json"]
    for name, value in values.get("settings", {}).items():
        words += ["--set", f"{name}={value}"]
    limits = f"{LOOK_MEMORY_BYTES}, {LOOK_SECONDS:.0f}"
    code = f"from ganvas.studio import decode; decode.limit({limits}); import runpy; runpy.run_module('ganvas')"
    head = [sys.executable, "-c", code, *words]
    async with studio.looking:
        ended = await processes.run(request, [*head, "--out", str(grid)], LOOK_SECONDS, place)
        if ended is not None and ended.code and b"a grid is of images" in ended.err:  # sound without spectrograms, text
            ended = await processes.run(request, head, LOOK_SECONDS, place)
    if ended is None:
        raise DataError(f"looking at these data took longer than {LOOK_SECONDS:.0f} seconds: give less at once")
    if ended.code:
        message = ended.error or "these data cannot be read: they are damaged, or need more memory than a look may take"
        if source.startswith(jobs.UPLOAD_PREFIX):
            studio.place.store.change_data(source.removeprefix(jobs.UPLOAD_PREFIX), problem=message)
        raise DataError(_without_path(message, path))
    card = json.loads(ended.out)
    for name in ("example_grid", "source"):  # paths of ours
        card.pop(name, None)
    write_text(place / "card.json", dumps(card))
    if source.startswith(jobs.UPLOAD_PREFIX):
        studio.place.store.change_data(
            source.removeprefix(jobs.UPLOAD_PREFIX), problem=None, count=card["counts"].get("train")
        )
    return answer({"source": source, "card": card, "grid": f"/api/looks/{place.name}/grid" if grid.is_file() else None})


def _new_look(folder: Path) -> Path:
    """A folder for what is seen of data that are not ours; the oldest ones go."""
    folder.mkdir(exist_ok=True)
    old = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
    for path in old[: max(0, len(old) - MAX_LOOKS + 1)]:
        shutil.rmtree(path, ignore_errors=True)
    place = folder / new_id()
    place.mkdir()
    return place


def _without_path(message: str, path: str) -> str:
    """Uploads lie in folders of ours, whose names say nothing to anybody."""
    return message.replace(path, "the data") if "/" in path else message


async def grid(request: Request, values: JsonObject) -> Response:
    """The examples of a look."""
    studio, name = studio_of(request), request.path_params["look"]
    place = studio.config.folder / "looks" / name / "grid.png"
    if not name.isalnum() or not name.isascii():
        raise Refused(404, "there is no such look")
    path = place if place.is_file() else studio.place.store.grid(name)
    return FileResponse(path, media_type="image/png", headers={"Cache-Control": "no-cache"})


async def remove(request: Request, values: JsonObject) -> Response:
    """Deletes a data set that was dropped. Runs that were trained on it stay."""
    studio = studio_of(request)
    await asyncio.to_thread(studio.place.store.remove_data, request.path_params["data"])
    return answer({"removed": request.path_params["data"]})


ENDPOINTS = [
    Endpoint("GET", "/api/data", listing, "data that trainings may use"),
    Endpoint(
        "POST", "/api/data", make, "a new data set, to be filled",
        body=schema.obj({"name": schema.text("what it is called", longest=100, shortest=1)}, required=("name",)),
    ),
    Endpoint("PUT", "/api/data/{data}/files", put_file, "add a file; the header X-Name is its name", raw=True),
    Endpoint(
        "POST", "/api/look", look, "what data contain: counts, sizes, problems, a grid",
        body=schema.obj(
            {
                "source": jobs.SOURCE,
                "settings": schema.mapping(jobs.VALUE, most=20, help="settings of the data by name"),
            },
            required=("source",),
        ),
    ),
    Endpoint("GET", "/api/looks/{look}/grid", grid, "the examples of a look", answer="image/png",
        query={"at": schema.integer("of the look; a new one is shown anew", minimum=0)}),
    Endpoint("DELETE", "/api/data/{data}", remove, "delete a data set that was dropped"),
    Endpoint("PUT", "/api/images", put_image, "keep an image; the header X-Name is its name", raw=True),
    Endpoint(
        "GET", "/api/images", images, "uploads and results", query={"kind": schema.one_of(("upload", "result"))},
    ),
    Endpoint("GET", "/api/images/{image}", image, "an image's file", answer="image/png"),
    Endpoint("GET", "/api/images/{image}/facts", image_facts, "its name, size and what made it"),
    Endpoint("DELETE", "/api/images/{image}", remove_image, "delete an image"),
]  # fmt: skip
