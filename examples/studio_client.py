"""A client of the studio's HTTP API: trains a model, waits for it, and saves four samples as PNG files.

ganvas studio                         # in one terminal
python examples/studio_client.py      # in another; --url and --minutes change what it asks
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any


class Client:
    """Requests to one studio. `token` is needed where it does not run on this machine."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self.url, self.token = url.rstrip("/"), token

    def ask(self, method: str, path: str, content: object = None, key: str | None = None) -> bytes:
        """The body of the answer; urllib.error.HTTPError holds the sentence of a refusal."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if key:
            headers["Idempotency-Key"] = key
        body = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=300) as answer:
            return answer.read()

    def train(self, name: str, **request: Any) -> int:
        """Puts a training into the queue; returns its job."""
        content = {"kind": "train", "request": {"name": name, **request}}
        return json.loads(self.ask("POST", "/api/jobs", content, key=uuid.uuid4().hex))["id"]

    def wait(self, job: int) -> dict[str, Any]:
        """The job when it has ended."""
        while True:
            facts = json.loads(self.ask("GET", f"/api/jobs/{job}"))
            if facts["state"] in ("done", "failed", "stopped"):
                return facts
            print(facts["state"], facts.get("progress") or "", flush=True)
            time.sleep(2)

    def samples(self, run: str, n: int) -> list[bytes]:
        """PNG files of the seeds 0 to n - 1."""
        lines = self.ask("POST", f"/api/runs/{run}/wall", {"seed": 0, "n": n}).splitlines()
        last = json.loads(lines[-1])
        if "error" in last:
            raise SystemExit(last["error"])
        return [base64.b64decode(item["png"]) for item in last["result"]["items"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="http://127.0.0.1:8790")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--name", default=f"client-{int(time.time())}")
    asked = parser.parse_args()
    options: dict[str, Any] = {"minutes": asked.minutes}
    if asked.steps:
        options |= {"steps": asked.steps, "samples": 0}
    client = Client(asked.url, os.environ.get("STUDIO_TOKEN"))
    job = client.wait(client.train(asked.name, method="r3gan", data="set:digits", options=options))
    if job["state"] != "done":
        raise SystemExit(f"the training {job['state']}: {job['message']}")
    for seed, content in enumerate(client.samples(asked.name, 4)):
        Path(f"{asked.name}-{seed}.png").write_bytes(content)
        print(f"{asked.name}-{seed}.png")


if __name__ == "__main__":
    main()
