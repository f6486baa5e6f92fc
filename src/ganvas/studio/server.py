"""The web server: routes behind the guard, the dispatcher of the queue beside them."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import socket
import sys
import threading
import webbrowser
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from ganvas.errors import DataError, GanvasError, RunError, UsageError
from ganvas.files import write_text
from ganvas.studio import api_data, api_jobs, api_models, api_runs, page
from ganvas.studio.config import StudioConfig
from ganvas.studio.decoders import Decoders
from ganvas.studio.dispatcher import Dispatcher
from ganvas.studio.http import Endpoint, Refused, body_of, query_of, refusal
from ganvas.studio.jobs import Place
from ganvas.studio.locks import FileLock
from ganvas.studio.models import Models
from ganvas.studio.openapi import openapi, pattern_of
from ganvas.studio.queue import Queue
from ganvas.studio.security import Guarded
from ganvas.studio.state import Studio
from ganvas.studio.store import NotHere

MAX_CONNECTIONS = 400  # beyond that a client gets 503
HEAD_TIMEOUT = 15.0  # seconds within which a new connection must have sent the head of a request
BACKLOG = 256
M_ARENA_MAX = -8  # of malloc.h

log = logging.getLogger("ganvas.studio")


def endpoints() -> list[Endpoint]:
    """Every route, in the order of the OpenAPI file."""
    return [*page.ENDPOINTS, *api_runs.ENDPOINTS, *api_jobs.ENDPOINTS, *api_data.ENDPOINTS, *api_models.ENDPOINTS]


def make_app(config: StudioConfig, port: int) -> tuple[ASGIApp, Studio]:
    """The guarded app and its state. The studio folder is made here."""
    folder = config.folder
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    lines = []
    for number, path in enumerate(config.data):
        lines.append(
            f"{number}-{''.join(sign for sign in path.name if sign.isalnum() or sign in '._-')[:60]}\t{path}\n"
        )
    write_text(folder / "folders", "".join(lines))
    place = Place.of(folder)
    queue = Queue(folder)
    token = config.token()
    studio = Studio(
        config, place, queue, Dispatcher(queue), Models(folder), Decoders(folder), token, openapi(endpoints())
    )
    routes = [Route(one.path, _handled(one), methods=[one.method]) for one in endpoints()]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        studio.dispatcher.start()
        try:
            yield
        finally:
            studio.closing.set()
            await studio.models.close()
            await studio.decoders.close()
            await asyncio.to_thread(studio.dispatcher.close)

    handlers: dict[Any, Any] = {HTTPException: _http_error, Exception: _fault}
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers)
    app.router.redirect_slashes = False
    app.state.studio = studio
    guarded = Guarded(
        app, config.allowed_hosts(port), token,
        open_paths=pattern_of(one for one in endpoints() if one.open),
        streams=pattern_of(one for one in endpoints() if one.stream),
    )  # fmt: skip
    return guarded, studio


def _handled(endpoint: Endpoint) -> Any:
    """A handler that reads and checks the request first, and turns errors of users into sentences."""

    async def handle(request: Request) -> Response:
        try:
            values = query_of(request, endpoint)
            values |= await body_of(request, endpoint)
            return await endpoint.handler(request, values)
        except Refused as error:
            return refusal(error.status, error.message)
        except UsageError as error:
            return refusal(400, str(error))
        except RunError as error:
            return refusal(404, str(error))
        except NotHere as error:
            return refusal(404, str(error))
        except DataError as error:
            return refusal(422, str(error))
        except GanvasError as error:
            return refusal(409, str(error))
        except FileNotFoundError:  # a run to the bin, an image out of the store: another request's doing
            return refusal(404, "this was moved or removed while it was read")

    return handle


async def _http_error(_: Request, error: Any) -> Response:
    return refusal(error.status_code, {404: "there is nothing at this address", 405: "this address takes another method"}.get(
        error.status_code, str(error.detail)
    ))  # fmt: skip


async def _fault(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return refusal(500, "this failed by a fault of the studio: what it printed on its terminal has the details")


class Protocol(H11Protocol):
    """Closes a connection that says nothing at first."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self.silent = self.loop.call_later(HEAD_TIMEOUT, self._close_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing keeps a closed connection in memory until the time is over."""
        self.silent.cancel()
        super().connection_lost(exc)

    def _close_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


def serve(config: StudioConfig, *, open_page: bool = False) -> None:
    """Runs a studio until Ctrl-C. UsageError where its port is taken, or where one runs on these runs already."""
    _share_one_heap()
    config.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(config.folder / "studio.lock")
    if not lock.take():
        raise UsageError(f"a studio of {config.runs} is running already: use its page, or end it first")
    listener = _listener(config)
    port = listener.getsockname()[1]
    app, studio = make_app(config, port)
    shown = config.names[0] if config.names else config.host
    address = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
    print(f"studio of {config.runs}\nopen {address}", flush=True)
    if studio.token is not None:
        print(f"the page asks for a token; it stands in {config.folder / 'token'}", flush=True)
    print("Ctrl-C ends it; the running training is saved and continues at the next start", flush=True)
    if open_page and sys.stdout.isatty():
        threading.Timer(0.5, webbrowser.open, (address,)).start()
    settings = uvicorn.Config(
        app, http=Protocol, ws="none", log_level="warning", access_log=False, server_header=False, date_header=True,
        proxy_headers=False, limit_concurrency=MAX_CONNECTIONS, backlog=BACKLOG, timeout_keep_alive=15,
        timeout_graceful_shutdown=3, h11_max_incomplete_event_size=32 * 1024,
    )  # fmt: skip
    server = uvicorn.Server(settings)
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        lock.free()


def _share_one_heap() -> None:
    """glibc gives every thread a heap of its own, and each keeps what it took at its busiest. Threads do little here."""
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)


def _listener(config: StudioConfig) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {config.host}, port {config.port}: {error.strerror or error}. Choose another port: --port 0"
        ) from None
    return listener
