"""Models over HTTP: what they can do, samples, points of latent spaces, photos translated, restored and stylised.

What takes long answers with lines of JSON: {"progress": ...} as it goes, then {"result": ...} or {"error": ...}. Closing the
connection cancels it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse

from ganvas.files import JsonObject
from ganvas.strict_json import dumps
from ganvas.studio import schema
from ganvas.studio.http import Endpoint, Handler, answer
from ganvas.studio.jobs import RUN, VALUE
from ganvas.studio.points import POINT
from ganvas.studio.schema import Schema
from ganvas.studio.state import Studio, studio_of

IMAGE = schema.text("id of an image", longest=16, shortest=16)
SEED = schema.integer("of the first", minimum=0, maximum=2**53)
LABEL = schema.text("class by name or number", longest=100)
WEIGHTS = schema.one_of(("last", "best"), "which weights of the run")
MAX_IMAGES_PER_REQUEST = 100
MAX_TEXT_CHARACTERS = 10_000


def _checked(studio: Studio, request: Request, values: JsonObject) -> JsonObject:
    run = request.path_params.get("run")
    if run is not None:
        studio.place.runs.find(run)
        values = {**values, "run": run}
    elif "run" in values:
        studio.place.runs.find(values["run"])
    for name in ("image", "mask"):
        if name in values:
            studio.place.store.image(values[name])
    for one in values.get("styles", ()):
        studio.place.store.image(one)
    return values


def _quick(op: str) -> Handler:
    """A handler whose answer is the result."""

    async def handle(request: Request, values: JsonObject) -> Response:
        studio = studio_of(request)
        return answer(await studio.models.call(op, _checked(studio, request, values)))

    return handle


def _slow(op: str) -> Handler:
    """A handler that answers line by line."""

    async def handle(request: Request, values: JsonObject) -> Response:
        studio = studio_of(request)
        lines = _lines(studio, op, _checked(studio, request, values))
        return StreamingResponse(lines, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})

    return handle


async def _lines(studio: Studio, op: str, values: JsonObject) -> AsyncIterator[bytes]:
    async for message in studio.models.stream(op, values):
        message.pop("id", None)
        yield (dumps(message) + "\n").encode()


async def shared(request: Request, values: JsonObject) -> Response:
    """The zip of a model."""
    path = studio_of(request).place.store.shared(request.path_params["share"])
    headers = {"Cache-Control": "private, no-cache"}
    return FileResponse(path, media_type="application/zip", filename="model.zip", headers=headers)


def _endpoint(
    op: str, path: str, summary: str, properties: dict[str, Schema], required: tuple[str, ...], *, slow: bool
) -> Endpoint:
    make = _slow if slow else _quick
    return Endpoint(
        "POST", path, make(op), summary, body=schema.obj(properties, required=required),
        answer="application/x-ndjson" if slow else "application/json",
    )  # fmt: skip


ENDPOINTS = [
    Endpoint(
        "GET", "/api/runs/{run}/model", _quick("describe"), "what a run's model can do", query={"weights": WEIGHTS}, stream=True
    ),
    Endpoint("GET", "/api/runs/{run}/doctor", _quick("doctor"), "the doctor's findings", stream=True),
    _endpoint(
        "wall", "/api/runs/{run}/wall", "samples of consecutive seeds",
        {
            "seed": SEED, "n": schema.integer(minimum=1, maximum=MAX_IMAGES_PER_REQUEST), "label": LABEL, "weights": WEIGHTS,
            "prompt": schema.text("a text to continue", longest=2000),
            "settings": schema.mapping(VALUE, most=20, help="settings that sampling reads"),
        },
        ("seed", "n"), slow=True,
    ),
    _endpoint(
        "render", "/api/runs/{run}/render", "images of points of the latent space",
        {"points": schema.array(POINT, least=1, most=MAX_IMAGES_PER_REQUEST), "weights": WEIGHTS}, ("points",), slow=False,
    ),
    _endpoint(
        "invert", "/api/runs/{run}/invert", "find a photo in the latent space",
        {"image": IMAGE, "label": LABEL, "steps": schema.integer(minimum=0, maximum=2000), "weights": WEIGHTS}, ("image",),
        slow=True,
    ),
    _endpoint(
        "examples", "/api/runs/{run}/examples", "images of the run's own data",
        {"n": schema.integer(minimum=1, maximum=32)}, (), slow=False,
    ),
    _endpoint(
        "translate", "/api/runs/{run}/translate", "translate a photo or a scribble",
        {"image": IMAGE, "direction": schema.one_of(("ab", "ba")), "weights": WEIGHTS}, ("image",), slow=True,
    ),
    _endpoint(
        "translate_text", "/api/runs/{run}/translate-text", "translate a text, line by line",
        {
            "text": schema.text("each line is translated for itself", longest=MAX_TEXT_CHARACTERS, shortest=1),
            "direction": schema.one_of(("ab", "ba")), "weights": WEIGHTS,
            "settings": schema.mapping(VALUE, most=20, help="settings that translating reads"),
        },
        ("text",), slow=True,
    ),
    _endpoint(
        "restore", "/api/runs/{run}/restore", "denoise, upscale or inpaint a photo",
        {
            "image": IMAGE, "mask": IMAGE, "n": schema.integer(minimum=1, maximum=8), "seed": SEED, "fit": schema.boolean(),
            "weights": WEIGHTS,
        },
        ("image",), slow=True,
    ),
    _endpoint(
        "stylise", "/api/stylise", "a photo in the style of others",
        {
            "run": RUN, "image": IMAGE, "styles": schema.array(IMAGE, most=4),
            "shares": schema.array(schema.number(minimum=0, maximum=100), least=1, most=4),
            "steps": schema.integer(minimum=1, maximum=2000), "size": schema.integer(minimum=64, maximum=1024),
            "strength": schema.number(minimum=0, maximum=1), "preserve_colour": schema.boolean(),
        },
        ("image",), slow=True,
    ),
    Endpoint("GET", "/api/stylise", _quick("stylist"), "the feature network for stylising without a run", stream=True),
    _endpoint(
        "share", "/api/runs/{run}/share", "a zip of the model with its card",
        {"licence": schema.text("of the weights, such as cc-by-4.0", longest=100), "weights": WEIGHTS}, (), slow=True,
    ),
    Endpoint("GET", "/api/shares/{share}", shared, "that zip", answer="application/zip"),
]  # fmt: skip
