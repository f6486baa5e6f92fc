"""A hub on this machine: the part of the Hugging Face hub's HTTP interface that one needs to load and upload a model.

It keeps repositories in memory: a list of commits, branches and tags, and each commit's files. It can be told to answer with an
error, to change a file on its way, and to say that large files go through LFS.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

Files = dict[str, bytes]


@dataclass
class Repository:
    """Commits by their number (40 hex digits), and the names that point to them."""

    commits: dict[str, Files] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    private: bool = False

    def commit(self, files: Files, branch: str = "main") -> str:
        """A new commit with `files` in place of those of the same names."""
        old = self.commits.get(self.names.get(branch, ""), {})
        whole = {**old, **files}
        seed = json.dumps([len(self.commits), sorted(whole), branch]).encode()
        number = hashlib.sha1(seed).hexdigest()
        self.commits[number] = whole
        self.names[branch] = number
        return number

    def number(self, revision: str) -> str | None:
        """The commit of a branch, a tag or a commit."""
        return self.names.get(revision) or (revision if revision in self.commits else None)


class Hub(http.server.ThreadingHTTPServer):
    """`refuses` is the status of every answer where it is not 0; `changes` are bytes that a file is sent with instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repositories: dict[str, Repository] = {}
        self.refuses = 0
        self.read_only = False
        self.changes: dict[str, bytes] = {}
        self.sizes: dict[str, int] = {}  # that the listing claims
        self.blobs: dict[str, bytes] = {}  # uploaded by LFS, by SHA-256
        self.lfs_above = 10**9  # bytes
        self.asked: list[tuple[str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def repository(self, name: str) -> Repository:
        """The repository, made where it does not exist."""
        return self.repositories.setdefault(name, Repository())


class Handler(http.server.BaseHTTPRequestHandler):
    server: Hub  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        self.answer()

    def do_HEAD(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def do_PUT(self) -> None:
        self.answer()

    def answer(self) -> None:
        path = urllib.parse.unquote(self.path.partition("?")[0])
        self.server.asked.append((self.command, path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        writes = self.command in ("POST", "PUT")
        if self.server.refuses or (writes and self.server.read_only):
            self.send(self.server.refuses or 403, b"{}")
            return
        parts = path.strip("/").split("/")
        if path == "/api/repos/create":
            given = json.loads(body)
            name = f"{given['organization']}/{given['name']}" if given.get("organization") else given["name"]
            self.server.repository(name).private = bool(given.get("private"))
            self.json({"url": f"{self.server.url}/{name}"})
        elif path == "/api/validate-yaml":
            self.json({"errors": [], "warnings": []})
        elif path.endswith(".git/info/lfs/objects/batch"):
            self.json(self.lfs_batch(json.loads(body)))
        elif parts[0] == "lfs":
            self.server.blobs[parts[1]] = body
            self.json({})
        elif parts[:2] == ["api", "models"]:
            self.api("/".join(parts[2:4]), parts[4:], body)
        elif len(parts) >= 5 and parts[2] == "resolve":
            self.file("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
        else:
            self.send(404, b"{}")

    def api(self, name: str, rest: list[str], body: bytes) -> None:
        repository = self.server.repositories.get(name)
        if repository is None:
            self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif rest[:1] == ["preupload"]:
            self.json({"files": [self.mode(file) for file in json.loads(body)["files"]]})
        elif rest[:1] == ["branch"]:
            repository.names.setdefault("/".join(rest[1:]), repository.names.get("main", ""))
            self.json({})
        elif rest[:1] == ["commit"]:
            number = repository.commit(self.committed(body), "/".join(rest[1:]))
            url = f"{self.server.url}/{name}/commit/{number}"
            self.json({"success": True, "commitOid": number, "commitUrl": url, "hookOutput": ""})
        else:
            number = repository.number(rest[1] if len(rest) > 1 else "main")
            if number is None:
                self.send(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
                return
            files = repository.commits[number]
            if rest[:1] == ["tree"]:
                self.json([{"type": "file", "path": path, "size": len(content), "oid": blob(content)}
                           for path, content in files.items()])  # fmt: skip
                return
            siblings = []
            for path, content in files.items():
                size = self.server.sizes.get(path, len(content))
                siblings.append({"rfilename": path, "size": size, "blobId": blob(content)})
            self.json({"id": name, "modelId": name, "sha": number, "private": False, "siblings": siblings, "tags": []})

    def file(self, name: str, revision: str, path: str) -> None:
        repository = self.server.repositories.get(name)
        number = None if repository is None else repository.number(revision)
        if repository is None or number is None or path not in repository.commits[number]:
            self.send(404, b"", {"X-Error-Code": "EntryNotFound"})
            return
        content = self.server.changes.get(path, repository.commits[number][path])
        self.send(200, content, {"ETag": f'"{blob(content)}"', "X-Repo-Commit": number, "Accept-Ranges": "bytes"})

    def mode(self, file: dict[str, Any]) -> dict[str, Any]:
        large = file["size"] > self.server.lfs_above
        return {"path": file["path"], "uploadMode": "lfs" if large else "regular", "shouldIgnore": False}

    def lfs_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        objects = []
        for one in asked["objects"]:
            href = f"{self.server.url}/lfs/{one['oid']}"
            objects.append({**one, "authenticated": True, "actions": {"upload": {"href": href, "header": {}}}})
        return {"transfer": "basic", "objects": objects}

    def committed(self, body: bytes) -> Files:
        files: Files = {}
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.server.blobs[value["oid"]]
        return files

    def json(self, content: object) -> None:
        self.send(200, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def blob(content: bytes) -> str:
    """The number that git gives to a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextlib.contextmanager
def serving_hub() -> Iterator[Hub]:
    """A running hub."""
    running = Hub()
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        running.shutdown()
        thread.join()
        running.server_close()
