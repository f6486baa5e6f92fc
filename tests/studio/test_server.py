"""The server's connections."""

from __future__ import annotations

import gc
import http.client
import socket
import threading
from pathlib import Path

import uvicorn

from ganvas.studio.config import StudioConfig
from ganvas.studio.server import HEAD_TIMEOUT, Protocol, make_app
from studio_server import wait


def test_a_closed_connection_is_freed_at_once(tmp_path: Path) -> None:
    """And not when the time is over within which it must have said something: under load that would be thousands."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    app, _ = make_app(StudioConfig(tmp_path / "runs"), port)
    server = uvicorn.Server(uvicorn.Config(app, http=Protocol, ws="none", log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        for _ in range(20):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/api/status")
            assert connection.getresponse().read()
            connection.close()
        wait(lambda: open_connections() == 0, HEAD_TIMEOUT / 3)
    finally:
        server.should_exit = True
        thread.join()


def open_connections() -> int:
    """How many connections are in memory."""
    gc.collect()
    return sum(type(one) is Protocol for one in gc.get_objects())
