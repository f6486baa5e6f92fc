"""The server's connections."""

from __future__ import annotations

import gc
import http.client
from pathlib import Path

from ganvas.studio.server import HEAD_TIMEOUT, Protocol
from studio_server import served_here, wait


def test_a_closed_connection_is_freed_at_once(tmp_path: Path) -> None:
    """And not when the time is over within which it must have said something: under load that would be thousands."""
    with served_here(tmp_path / "runs") as port:
        for _ in range(20):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request("GET", "/api/status")
            assert connection.getresponse().read()
            connection.close()
        wait(lambda: open_connections() == 0, HEAD_TIMEOUT / 3)


def open_connections() -> int:
    """How many connections are in memory."""
    gc.collect()
    return sum(type(one) is Protocol for one in gc.get_objects())
