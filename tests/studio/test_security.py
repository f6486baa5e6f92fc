"""Hostile requests, over every route: other web pages, other host names, broken HTTP, paths, JSON, tokens."""

from __future__ import annotations

import json
import re
import socket
import stat
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from ganvas.studio import schema
from ganvas.studio.config import StudioConfig
from ganvas.studio.http import Endpoint
from ganvas.studio.security import Guarded, same
from ganvas.studio.server import endpoints, make_app
from studio_server import StudioProcess

ALL = endpoints()
WRITES = [one for one in ALL if one.method != "GET"]
WITH_JSON = [one for one in ALL if one.body is not None]
WITH_FILE = [one for one in ALL if one.raw]
IN_PATH = [one for one in ALL if "{" in one.path]


def filled(one: Endpoint, value: str = "first") -> str:
    return re.sub(r"\{[^}]+\}", value, one.path)


def names(one: Endpoint) -> str:
    return f"{one.method} {one.path}"


@pytest.mark.parametrize("one", ALL, ids=names)
def test_a_foreign_host_name_is_refused(studio: StudioProcess, one: Endpoint) -> None:
    for host in (
        "evil.example",
        f"evil.example:{studio.port}",
        "127.0.0.1",
        f"localhost.evil.example:{studio.port}",
        "",
    ):
        assert studio.ask(one.method, filled(one), headers={"Host": host}).status == 421, host


@pytest.mark.parametrize("one", [*WRITES, *(one for one in ALL if one.stream)], ids=names)
def test_another_web_page_cannot_write_or_listen(studio: StudioProcess, one: Endpoint) -> None:
    own = f"127.0.0.1:{studio.port}"
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{studio.port + 1}"},
        {"Origin": f"https://{own}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": f"http://{own}", "Sec-Fetch-Site": "cross-site"},
    ):
        answer = studio.ask(
            one.method, filled(one), headers={"Content-Type": "application/json", **headers}, body=b"{}"
        )
        assert answer.status == 403 and "another web page" in answer.error, headers
        assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("one", WITH_JSON, ids=names)
def test_only_json_of_the_right_form(studio: StudioProcess, one: Endpoint) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        assert studio.ask(one.method, filled(one), headers={"Content-Type": kind}, body=b"{}").status == 415, kind
    for body in (
        b"", b"{", b"[]", b'"a"', b"NaN", b'{"a": NaN}', b'{"a": 1, "a": 2}', b"[" * 50_000, b'{"a":' * 50_000, b"\xff\xfe{}",
        b'{"unknown": 1}', b'{"__proto__": {}}', b"\x00", json.dumps({"x" * 5000: 1}).encode(),
    ):  # fmt: skip
        answer = studio.ask(one.method, filled(one), headers={"Content-Type": "application/json"}, body=body)
        assert answer.status in (400, 404) and answer.error, (answer.status, body[:40])
    large = b'{"a": "' + b"x" * (2 * 2**20) + b'"}'
    assert studio.ask(one.method, filled(one), headers={"Content-Type": "application/json"}, body=large).status == 413


@pytest.mark.parametrize("one", WITH_FILE, ids=names)
def test_files_only_as_files(studio: StudioProcess, one: Endpoint) -> None:
    for headers, status in (
        ({"Content-Type": "multipart/form-data; boundary=x", "X-Name": "a.png"}, 415),
        ({"Content-Type": "application/octet-stream"}, 400),
        ({"Content-Type": "application/octet-stream", "X-Name": "%ff"}, 400),
        ({"Content-Type": "application/octet-stream", "X-Name": "a%00.png"}, 400),
        ({"Content-Type": "application/octet-stream", "X-Name": "a" * 400}, 400),
    ):
        answer = studio.ask(one.method, filled(one), headers=headers, body=b"content")
        assert answer.status in (status, 404), (headers, answer.body)


HOSTILE_IDS = (
    "..", "%2e%2e", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e", "....//", "%00", "elsewhere", ".studio", "%2fetc%2fpasswd",
    "a" * 3000, "-1", "99999999999999999999", "%F0%9F%98%80", "C%3A%5CWindows", "first%2f..%2ffirst",
)  # fmt: skip


def least(schema: dict[str, Any]) -> Any:
    """The smallest value that a schema takes: so a route that is added later is asked for in the right form too."""
    if "$self" in schema:
        return {"seed": 0}
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema["type"] if isinstance(schema["type"], str) else schema["type"][0]
    if kind == "object":
        properties = schema.get("properties", {})
        return (
            {"seed": 0}
            if "between" in properties
            else {name: least(properties[name]) for name in schema.get("required", ())}
        )
    if kind == "array":
        return [least(schema["items"]) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return "a" * max(1, schema.get("minLength", 0))
    return {"integer": schema.get("minimum") or 0, "number": schema.get("minimum") or 0.0, "boolean": False}[kind]


@pytest.mark.parametrize("one", WITH_JSON, ids=names)
def test_the_smallest_request_has_the_right_form(one: Endpoint) -> None:
    """Otherwise the test of ids below would be of a request that is refused anyway."""
    assert one.body is not None
    schema.check(one.body, least(one.body))


@pytest.mark.parametrize("one", IN_PATH, ids=names)
def test_no_path_leads_out(studio: StudioProcess, one: Endpoint) -> None:
    for value in HOSTILE_IDS:
        path = filled(one, value)
        if one.raw:
            answer = studio.put_file(path, b"content", "a.png")
        elif one.body is not None:
            answer = studio.ask(one.method, path, least(one.body))
        else:
            answer = studio.ask(one.method, path)
        assert 400 <= answer.status < 500, (path, answer.status, answer.body[:200])
        assert b"root:" not in answer.body and b"Traceback" not in answer.body
        assert str(studio.runs).encode() not in answer.body, "no path of this machine is told"


def test_no_route_is_left_out() -> None:
    """These tests run over `endpoints()`; whatever the app answers is among them."""
    with tempfile.TemporaryDirectory() as place:
        app, _ = make_app(StudioConfig(Path(place) / "runs"), 8790)
        assert isinstance(app, Guarded) and isinstance(app.app, Starlette)
        answered: set[tuple[str, str]] = set()
        for route in app.app.routes:
            assert isinstance(route, Route) and route.methods is not None
            answered |= {(method, route.path) for method in route.methods - {"HEAD"}}
    assert answered == {(one.method, one.path) for one in ALL}


@pytest.mark.parametrize("one", ALL, ids=names)
def test_what_stands_behind_the_question_mark(studio: StudioProcess, one: Endpoint) -> None:
    """Only parameters that a route declares, once each, of their kind; and no other method."""
    path = filled(one)
    queries = ["unknown=1", "run=..%2f..%2fetc", "%00=1", "a" * 5000]
    for name, declared in one.query.items():
        value = least(declared)
        queries += [
            f"{name}={value}&{name}={value}",
            f"{name}={'9' * 400}",
            f"{name}=%00",
            f"{name}=..%2F..%2Fetc%2Fpasswd",
        ]
    for query in queries:
        body = None if one.body is None else json.dumps(least(one.body)).encode()
        headers = {"Content-Type": "application/octet-stream" if one.raw else "application/json", "X-Name": "a.png"}
        answer = studio.ask(one.method, f"{path}?{query}", headers=headers, body=b"x" if one.raw else body)
        assert 400 <= answer.status < 500 and answer.error, (query[:60], answer.status)
    methods = {each.method for each in ALL if each.path == one.path}
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - methods:
        assert studio.ask(method, path).status in (404, 405), method


@pytest.mark.parametrize("one", ALL, ids=names)
def test_every_answer_tells_the_browser_the_rules(studio: StudioProcess, one: Endpoint) -> None:
    if one.stream and one.answer == "text/event-stream":
        return
    headers = studio.ask(one.method, filled(one, "nothing")).headers
    assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert not [name for name in headers if name.startswith("access-control")] and "server" not in headers


@pytest.mark.parametrize("name", ["report", "audit"])
def test_a_page_of_a_run_gets_an_origin_of_its_own(studio: StudioProcess, name: str) -> None:
    page = studio.runs / "first" / f"{name}.html"
    if not page.exists():
        missing = studio.ask("GET", f"/api/runs/first/{name}")
        assert missing.status == 404 and "was not audited yet" in missing.error
        page.write_text("<html></html>")
    answer = studio.ask("GET", f"/api/runs/first/{name}")
    assert answer.status == 200 and b"<html" in answer.body
    policy = answer.headers["content-security-policy"]
    assert (
        policy.startswith("sandbox allow-scripts;")
        and "allow-same-origin" not in policy
        and "connect-src" not in policy
    )


def test_names_come_as_data(studio: StudioProcess) -> None:
    """A folder's name goes out as JSON, never as a part of a page; its id is plain."""
    cards = studio.ask("GET", "/api/runs").json["runs"]
    found = [card for card in cards if card["name"] == "<b>ünï code"]
    assert len(found) == 1 and re.fullmatch("run-[0-9a-f]{16}", found[0]["id"])
    assert studio.ask("GET", f"/api/runs/{found[0]['id']}").json["name"] == "<b>ünï code"
    assert not [card for card in cards if card["name"] == "elsewhere"], "links are not followed"
    assert next(card for card in cards if card["name"] == "damaged")["state"] == "damaged"


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: HOST\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"TRACE / HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"OPTIONS /api/jobs HTTP/1.1\r\nHost: HOST\r\nOrigin: http://evil.example\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: HOST\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: HOST\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n"
        b"Sec-WebSocket-Version: 13\r\nOrigin: http://evil.example\r\n\r\n",
        b"GET /\r\nX: y HTTP/1.1\r\nHost: HOST\r\n\r\n",
    ],
)
def test_broken_http(studio: StudioProcess, sent: bytes) -> None:
    received = studio.send_raw(sent.replace(b"HOST", b"127.0.0.1:%d" % studio.port), seconds=1)
    first = received.split(b"\r\n")[0]
    assert not received or re.match(rb"HTTP/1.1 (4\d\d|505|200)", first), first
    assert b"Traceback" not in received
    if b"websocket" not in sent:
        assert b" 200 " not in first
    assert studio.ask("GET", "/api/status").status == 200


def test_half_open_connections_do_not_stop_others(studio: StudioProcess) -> None:
    open_ones = [socket.create_connection(("127.0.0.1", studio.port), 5) for _ in range(100)]
    try:
        for one in open_ones[:50]:
            one.sendall(b"GET /api/status HTTP/1.1\r\nHo")
        statuses: list[int] = []

        def ask() -> None:
            for _ in range(10):
                statuses.append(studio.ask("GET", "/api/status").status)

        threads = [threading.Thread(target=ask) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(statuses) == 500 and set(statuses) <= {200, 503} and statuses.count(200) > 400
    finally:
        for one in open_ones:
            one.close()


def test_what_the_studio_keeps_is_the_users_own(studio: StudioProcess) -> None:
    assert stat.S_IMODE((studio.runs / ".studio").stat().st_mode) == 0o700


# --- the token ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> StudioProcess:
    runs = tmp_path_factory.mktemp("remote")
    return StudioProcess(runs, "--host", "0.0.0.0", "--name", "studio.test")


def test_another_address_takes_a_token(remote: StudioProcess) -> None:
    try:
        _check_token(remote)
    finally:
        remote.stop()


def _check_token(remote: StudioProcess) -> None:
    path = remote.runs / ".studio" / "token"
    token = path.read_text()
    assert len(token) >= 43 and stat.S_IMODE(path.stat().st_mode) == 0o600
    host = {"Host": f"studio.test:{remote.port}"}
    for one in ALL:
        if one.open:
            continue
        for wrong in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Cookie": "ganvas_studio=wrong"},
            {"Authorization": f"Basic {token}"},
        ):
            assert remote.ask(one.method, filled(one), headers={**host, **wrong}).status == 401, names(one)
        assert remote.ask(one.method, f"{filled(one)}?token={token}", headers=host).status == 401, "never in an address"
    assert remote.ask("GET", "/api/status", headers={**host, "Authorization": f"Bearer {token}"}).status == 200
    assert remote.ask("GET", "/api/status", headers={"Host": f"127.0.0.1:{remote.port}"}).status == 421
    assert remote.ask("POST", "/api/session", {"token": "x"}, headers=host).status == 401
    answer = remote.ask("POST", "/api/session", {"token": token}, headers=host)
    cookie = answer.headers["set-cookie"]
    assert answer.status == 200 and "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert remote.ask("GET", "/api/status", headers={**host, "Cookie": cookie.partition(";")[0]}).status == 200
    assert token not in answer.body.decode()


def test_secrets_are_compared_whole() -> None:
    assert same("abc", "abc") and not same("abd", "abc") and not same("", "") and not same("\udcff", "abc")


def test_where_it_listens(tmp_path: Path) -> None:
    for host, loopback in (
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.8.8.8", True),
        ("10.0.0.1", False),
    ):
        config = StudioConfig(tmp_path, host)
        assert config.is_loopback == loopback and (config.token() is None) == loopback
    hosts = StudioConfig(tmp_path, "::1").allowed_hosts(80)
    assert {"localhost", "[::1]:80", "127.0.0.1:80"} <= hosts
    assert not StudioConfig(tmp_path, "10.0.0.1").allowed_hosts(8790) & {"localhost:8790", "127.0.0.1:8790"}
