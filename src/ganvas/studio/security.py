"""What stands before every route: who may ask, and what browsers are told.

A web page somewhere else, opened in the same browser, must not be able to use the studio: neither by a form or script (Origin,
Sec-Fetch-Site, content types that need a preflight, no CORS grant), nor by a host name that it binds to this address (Host), nor
in a frame. Programs send no Origin and are answered.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ganvas.studio.http import refusal

COOKIE = "ganvas_studio"
MAX_TARGET_CHARACTERS = 4096  # characters of path and query
MAX_HEADERS = 64
MAX_HEADER_BYTES = 32 * 1024  # bytes
READ_METHODS = ("GET", "HEAD")
HTTP_METHODS = (*READ_METHODS, "POST", "PUT", "PATCH", "DELETE")
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
REPORT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:;"
    " media-src data:; frame-ancestors 'none'"
)
"""Of a run's report, which is one file with its script inside: an origin of its own, and no network."""
RESPONSE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Guarded:
    """An ASGI app behind these rules. `open_paths` are answered without a token; `streams` are as guarded as writes."""

    def __init__(
        self, app: ASGIApp, hosts: frozenset[str], token: str | None, *, open_paths: re.Pattern[str], streams: re.Pattern[str]
    ) -> None:  # fmt: skip
        self.app, self.hosts, self.token = app, hosts, token
        self.open_paths, self.streams = open_paths, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":  # no WebSocket is offered
            await send({"type": "websocket.close", "code": 1008})
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                names = {name.lower() for name, _ in headers}
                for name, value in {**RESPONSE_HEADERS, "Content-Security-Policy": PAGE_POLICY}.items():
                    if name.lower().encode() not in names:
                        headers.append((name.lower().encode(), value.encode()))
                message = {**message, "headers": headers}
            await send(message)

        problem = self.problem(scope)
        if problem is not None:
            await refusal(*problem)(scope, receive, send_guarded)
            return
        await self.app(scope, receive, send_guarded)

    def problem(self, scope: Scope) -> tuple[int, str] | None:
        """Why a request is refused, (status, sentence); None where it is not."""
        headers = headers_of(scope)
        method, path = scope["method"], scope["path"]
        if len(scope.get("raw_path") or b"") + len(scope.get("query_string") or b"") > MAX_TARGET_CHARACTERS:
            return 414, "the address is too long"
        if scope.get("http_version") not in ("1.0", "1.1"):
            return 505, "only HTTP/1.1 is spoken here"
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MAX_HEADERS or size > MAX_HEADER_BYTES or headers is None:
            return 431, "the request has too many or too long headers, or one of them twice"
        if headers.get("host", "").lower() not in self.hosts:
            return 421, "this name is not one of the studio's: open it under the address that ganvas studio printed"
        if method not in HTTP_METHODS:
            return 405, f"{method[:20]} is not answered here"
        guarded = method not in READ_METHODS or self.streams.fullmatch(path) is not None
        if guarded and not self.from_here(headers):
            return 403, "this request comes from another web page: open the studio's own page"
        if self.token is None or self.open_paths.fullmatch(path):
            return None
        if not self.knows_token(headers):
            return 401, "the token is missing or wrong: open the studio's page and enter it"
        return None

    def from_here(self, headers: Mapping[str, str]) -> bool:
        """Whether the studio's own page asks, or a program that is no browser."""
        site = headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        origin = headers.get("origin")
        if origin is None:
            return True
        scheme, _, host = origin.partition("://")
        return scheme == "http" and host.lower() == headers.get("host", "").lower()

    def knows_token(self, headers: Mapping[str, str]) -> bool:
        """By Authorization: Bearer, or by the cookie that /api/session gave. Compared in constant time."""
        given = ""
        authorization = headers.get("authorization", "")
        if authorization.lower().startswith("bearer "):
            given = authorization[7:].strip()
        elif "cookie" in headers:
            try:
                cookie = SimpleCookie(headers["cookie"]).get(COOKIE)
            except CookieError:
                cookie = None
            given = cookie.value if cookie is not None else ""
        return same(given, self.token or "")


def same(given: str, token: str) -> bool:
    """Whether two secrets are equal, in a time that says nothing of where they differ."""
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "surrogateescape"), token.encode())


def headers_of(scope: Scope) -> dict[str, str] | None:
    """Headers by their name in lower case; None where one that decides something occurs twice."""
    values: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in values and key in (
            "host",
            "origin",
            "authorization",
            "content-type",
            "content-length",
            "sec-fetch-site",
        ):
            return None
        values[key] = value.decode("latin-1")
    return values
