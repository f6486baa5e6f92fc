"""Requests and answers: JSON in, JSON out, every refusal a sentence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from ganvas.files import JsonObject
from ganvas.strict_json import dumps
from ganvas.studio import schema
from ganvas.studio.schema import Schema

MAX_REQUEST_BYTES = 2**20  # bytes of a request
CLIENT_TIMEOUT = 30.0  # seconds that a client may be silent in the middle of a request

Handler = Callable[[Request, JsonObject], Awaitable[Response]]


class Refused(Exception):
    """An answer that is an error: its status and a sentence that says what to do."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Endpoint:
    """One entry of the API."""

    method: str
    path: str
    handler: Handler
    summary: str
    body: Schema | None = None
    """What the JSON of the request must be; None: it has none."""
    query: dict[str, Schema] = field(default_factory=dict)
    raw: bool = False
    """The body is a file, application/octet-stream."""
    answer: str = "application/json"
    open: bool = False
    """Answered without a token."""
    stream: bool = False
    """Its answer goes on for long, so it is asked from this page only, as a write is."""


def answer(content: object, status: int = 200) -> Response:
    """JSON that nobody stores."""
    return Response(dumps(content), status, media_type="application/json", headers={"Cache-Control": "no-store"})


def refusal(status: int, message: str) -> Response:
    """{"error": sentence}."""
    return answer({"error": message}, status)


async def body_of(request: Request, endpoint: Endpoint) -> JsonObject:
    """The JSON of a request, checked; {} where the endpoint takes none. Refused, or UsageError by the schema."""
    if endpoint.body is None:
        return {}
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused(415, "the body must be JSON: send it with Content-Type: application/json")
    content = bytearray()
    async for chunk in chunks_of(request):
        content += chunk
        if len(content) > MAX_REQUEST_BYTES:
            raise Refused(413, f"the request is larger than {MAX_REQUEST_BYTES} bytes")
    try:
        value = json.loads(content.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_unique)
    except RecursionError:
        raise Refused(400, "the JSON is nested too deeply") from None
    except ValueError as error:
        raise Refused(400, f"the body is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise Refused(400, "the body must be a JSON object")
    schema.check(endpoint.body, value)
    return value


async def chunks_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes; Refused where the client is silent for too long or goes away."""
    stream = request.stream().__aiter__()
    while True:
        try:
            chunk = await asyncio.wait_for(anext(stream), CLIENT_TIMEOUT)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise Refused(408, "the request was not sent to its end in time") from None
        except ClientDisconnect:
            raise Refused(400, "the request was cut off") from None
        yield chunk


def query_of(request: Request, endpoint: Endpoint) -> JsonObject:
    """The values behind the ?, read as their schemas say; UsageError for others."""
    values: JsonObject = {}
    for name, text in request.query_params.multi_items():
        declared = endpoint.query.get(name)
        if declared is None or name in values:
            raise Refused(400, f"the address has no parameter {name[:40]!r}, or has it twice")
        value: Any = text
        if declared["type"] == "integer":
            if not text.lstrip("-").isascii() or not text.lstrip("-").isdecimal() or len(text) > 20:
                raise Refused(400, f"{name} must be an integer")
            value = int(text)
        schema.check(declared, value, name)
        values[name] = value
    return values


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")


def _unique(pairs: list[tuple[str, object]]) -> JsonObject:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a name occurs twice in an object")
    return value
