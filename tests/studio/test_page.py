"""The page's files: nothing from elsewhere, third-party files as they were published, and what streams say."""

from __future__ import annotations

import ast
import hashlib
import json
import posixpath
import re
import socket
import threading
from pathlib import Path

from ganvas.studio.page import STATIC, static_files
from studio_server import StudioProcess

VENDOR = STATIC / "vendor"
OWN = [path for path in STATIC.rglob("*") if path.is_file() and VENDOR not in path.parents]


def test_third_party_files_are_those_that_were_published() -> None:
    listed = json.loads((VENDOR / "vendor.json").read_text())
    files = {path.name for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert files == set(listed)
    for name, facts in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == facts["sha256"], name
        assert facts["version"] and facts["license"] and (VENDOR / f"LICENSE-{facts['package']}.txt").is_file()


def test_nothing_comes_from_elsewhere() -> None:
    for path in OWN:
        for address in re.findall(r"(?:https?:)?//[\w.-]+", path.read_text(encoding="utf-8")):
            assert address == "http://www.w3.org" or address.startswith("// "), f"{path.name}: {address}"
    page = (STATIC / "index.html").read_text()
    assert (
        not re.search(r"<script(?![^>]*\bsrc=)", page)
        and "<style" not in page
        and " on" not in re.sub(r">[^<]*<", "><", page)
    )


def test_scripts_use_nothing_that_the_rules_forbid() -> None:
    served = static_files()
    for address, path in served.items():
        if path.suffix == ".js" and VENDOR not in path.parents:
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"innerHTML|dangerouslySetInnerHTML|\beval\(|new Function|document\.write", text), (
                path.name
            )
            for name in re.findall(r'from "([^"]+)"', text):
                found = posixpath.normpath(posixpath.join(posixpath.dirname(address), name))
                assert found in served, f"{address} imports {name}"


def test_only_the_pages_own_files_are_served(studio: StudioProcess) -> None:
    assert b"<title>ganvas studio" in studio.ask("GET", "/").body
    for name, path in static_files().items():
        answer = studio.ask("GET", f"/static/{name}")
        assert answer.status == 200 and answer.body == path.read_bytes()
        assert studio.ask("GET", f"/static/{name}", headers={"If-None-Match": answer.headers["etag"]}).status == 304
    for name in ("../server.py", "vendor/vendor.json", "vendor/LICENSE-htm.txt", "nothing.js", "vendor/../../page.py"):
        assert studio.ask("GET", f"/static/{name}").status == 404


def test_a_stream_says_what_changes(studio: StudioProcess) -> None:
    received = b""
    done = threading.Event()
    with socket.create_connection(("127.0.0.1", studio.port), 10) as connection:
        connection.sendall(f"GET /api/stream?run=first HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}\r\n\r\n".encode())
        while b"event: run" not in received and not done.is_set():
            received += connection.recv(65536)
    assert b"text/event-stream" in received and b"event: jobs" in received
    line = next(line for line in received.decode().splitlines() if line.startswith("data:") and '"row"' in line)
    assert json.loads(line[5:])["row"]["step"] == 6
    assert studio.ask("GET", "/api/stream?run=nothing").status == 404


def test_the_server_never_loads_torch() -> None:
    """It starts quickly, and a model that exhausts memory takes the server not along."""
    heavy = {"torch", "ganvas.run", "ganvas.api", "ganvas.tasks"}
    for path in STATIC.parent.glob("*.py"):
        if path.name in ("worker.py", "decode.py"):
            continue
        for node in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not [name for name in names if name.startswith(tuple(heavy))], path.name
