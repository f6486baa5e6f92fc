"""What all handlers of one studio share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from starlette.requests import Request

from ganvas.files import JsonObject
from ganvas.studio.config import StudioConfig
from ganvas.studio.decoders import Decoders
from ganvas.studio.dispatcher import Dispatcher
from ganvas.studio.jobs import Place
from ganvas.studio.models import Models
from ganvas.studio.queue import Queue


@dataclass
class Studio:
    """One studio while it serves."""

    config: StudioConfig
    place: Place
    queue: Queue
    dispatcher: Dispatcher
    models: Models
    decoders: Decoders
    token: str | None
    document: JsonObject = field(default_factory=dict)
    """The OpenAPI file."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    streams: int = 0
    """How many pages listen."""
    looking: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    """Processes that look at data sets."""
    checking: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One dry run at a time."""


def studio_of(request: Request) -> Studio:
    """The studio that answers a request."""
    return request.app.state.studio
