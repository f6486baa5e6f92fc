"""How quickly the studio answers: its start, the first paint of the page, and a slider's image, beside those of torch alone.

python benchmarks/studio.py [RUN] [--repeats 60]   # RUN: a run folder of digits; without one a small model is trained
python benchmarks/studio.py [RUN] --soak 30        # 30 minutes of requests, streams and jobs; the memory of the server (Linux)
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import http.client
import io
import json
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ASKERS = 4  # threads that ask one request after another
LISTENERS = 3  # threads that open a stream, listen for a while and drop it
PAUSE_SECONDS = 0.05  # between two requests of one thread
WARM_MINUTES = 3  # at the beginning, which the slope of the memory leaves out


def start(runs: Path) -> tuple[subprocess.Popen[str], int, float]:
    """A studio, its port, and the seconds until its page was answered."""
    began = time.perf_counter()
    words = [sys.executable, "-m", "ganvas", "studio", str(runs), "--port", "0", "--no-open"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = 0
    for line in process.stdout:
        found = re.match(r"open http://127.0.0.1:(\d+)/", line)
        if found:
            port = int(found[1])
            break
    while True:
        try:
            ask(port, "GET", "/")
            return process, port, time.perf_counter() - began
        except ConnectionRefusedError:
            time.sleep(0.01)


def ask(port: int, method: str, path: str, content: object = None, name: str = "") -> bytes:
    """The body of an answer. Bytes go as the file `name`, anything else as JSON."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers, body = {}, None
    if isinstance(content, bytes):
        headers, body = {"Content-Type": "application/octet-stream", "X-Name": name}, content
    elif content is not None:
        headers, body = {"Content-Type": "application/json"}, json.dumps(content).encode()
    connection.request(method, path, body, headers)
    answer = connection.getresponse().read()
    connection.close()
    return answer


def painted(port: int) -> float | None:
    """Seconds from the request to the first content on the page, in a browser with an empty cache; None without playwright."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        return None
    if browser is None:
        return None
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        milliseconds = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        opened.close()
    return milliseconds / 1000


def shown(name: str, values: list[float]) -> None:
    ordered = sorted(1000 * value for value in values)
    print(
        f"{name:<42} median {statistics.median(ordered):7.1f} ms   95 % {ordered[int(0.95 * (len(ordered) - 1))]:7.1f} ms"
        f"   least {ordered[0]:7.1f} ms   n {len(ordered)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=60)
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="put the studio under load instead, for so long")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place) / "runs"
        if asked.run is None:
            import ganvas

            ganvas.train("r3gan", "digits", steps=20, samples=0, out=runs / "digits", quiet=True)
        else:
            shutil.copytree(asked.run, runs / "digits")
        if asked.soak is None:
            measure(runs, asked.repeats)
        else:
            Soak(runs, asked.soak).run()


def measure(runs: Path, repeats: int) -> None:
    """Prints all figures of a studio over one run, `digits`."""
    import ganvas
    from ganvas.tasks.latents import points_of, space_of, synthesised

    starts = []
    for _ in range(3):
        process, port, seconds = start(runs)
        starts.append(seconds)
        process.terminate()
        process.wait()
    shown("start until the page is answered", starts)

    method = ganvas.load(runs / "digits").method
    space = space_of(method)
    alone = []
    for number in range(repeats):
        began = time.perf_counter()
        synthesised(method, space, points_of(method, space, [number]))
        alone.append(time.perf_counter() - began)
    shown("baseline: an image in this process", alone)

    process, port, _ = start(runs)
    try:
        paints = [painted(port) for _ in range(5)]
        if None not in paints:
            shown("first paint of the page, a new browser", [seconds for seconds in paints if seconds is not None])
        ask(port, "POST", "/api/runs/digits/render", {"points": [{"seed": 0}]})
        slider = []
        for number in range(repeats):
            point = {"between": [{"seed": 1}, {"seed": 2}], "share": number / repeats, "truncation": 0.9}
            began = time.perf_counter()
            ask(port, "POST", "/api/runs/digits/render", {"points": [point]})
            slider.append(time.perf_counter() - began)
        shown("slider to image, by HTTP", slider)
        for name, content in (("of 64 x 64", small_png()), ("of 1600 x 1200", photo())):
            uploads = []
            for _ in range(repeats + 1):
                began = time.perf_counter()
                ask(port, "PUT", "/api/images", content, name="a.png")
                uploads.append(time.perf_counter() - began)
            shown(f"upload of an image {name}", uploads[1:])
            print(f"... the first one: {1000 * uploads[0]:.1f} ms")
        gallery = []
        for _ in range(repeats):
            began = time.perf_counter()
            ask(port, "GET", "/api/runs")
            gallery.append(time.perf_counter() - began)
        shown("list of runs", gallery)
        print(f"ratio to the baseline: {statistics.median(slider) / statistics.median(alone):.2f}")
    finally:
        process.terminate()
        process.wait()


class Soak:
    """A studio over one run, `digits`, under a mixed load: requests right and wrong, streams opened and dropped, jobs."""

    def __init__(self, runs: Path, minutes: float) -> None:
        self.minutes = minutes
        self.process, self.port, _ = start(runs)
        self.end = time.monotonic() + 60 * minutes
        self.answers: collections.Counter[int] = collections.Counter()
        self.counts: collections.Counter[str] = collections.Counter()
        self.seconds: dict[str, list[float]] = {}
        self.lock = threading.Lock()
        self.image = small_png()

    def run(self) -> None:
        """Prints memory once a minute and all counts at the end; exits with 1 where anything was answered with 500."""
        workers: list[Callable[[int], None]] = [self.asks] * ASKERS + [self.listens] * LISTENERS + [self.works]
        threads = [threading.Thread(target=one, args=(number,)) for number, one in enumerate(workers)]
        for thread in threads:
            thread.start()
        memory: list[tuple[float, float]] = []
        began = time.monotonic()
        try:
            while time.monotonic() < self.end:
                time.sleep(min(60.0, max(0.1, self.end - time.monotonic())))
                memory.append(((time.monotonic() - began) / 60, resident(self.process.pid)))
                self.print_minute(*memory[-1])
            for thread in threads:
                thread.join()
            self.print_end(memory)
        finally:
            self.process.terminate()
            self.process.wait()
        if self.answers[500]:
            sys.exit(1)

    def print_minute(self, minute: float, mebibytes: float) -> None:
        models = [f"{resident(child):.1f}" for child in children(self.process.pid)]
        handles = len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        threads = len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))
        print(
            f"minute {minute:5.1f}: server {mebibytes:.1f} MiB, {handles} open files, {threads} threads; its children"
            f" {' '.join(models)} MiB; {sum(self.answers.values())} answers",
            flush=True,
        )

    def print_end(self, memory: list[tuple[float, float]]) -> None:
        for kind, seconds in self.seconds.items():
            shown(f"under load: {kind}", seconds)
        print("answers by status:", ", ".join(f"{status}: {count}" for status, count in sorted(self.answers.items())))
        print(", ".join(f"{name}: {count}" for name, count in sorted(self.counts.items())))
        print(f"memory of the server: {memory[0][1]:.1f} MiB at first, {memory[-1][1]:.1f} MiB at last")
        later = [one for one in memory if one[0] > WARM_MINUTES]
        if len(later) > 2:
            slope = statistics.linear_regression(*zip(*later, strict=True)).slope
            print(f"slope after minute {WARM_MINUTES}: {60 * slope:+.2f} MiB an hour, n {len(later)}")

    def ask(self, kind: str, method: str, path: str, content: object = None, *, file: bytes | None = None) -> bytes:
        """The body of an answer, counted by its status and timed by `kind`. A request that is cut off is counted as such."""
        headers = {"Content-Type": "application/json"} if content is not None else {}
        body = json.dumps(content).encode() if content is not None else file
        if file is not None:
            headers = {"Content-Type": "application/octet-stream", "X-Name": "a.png"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        began = time.perf_counter()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            received = answer.read()
        except (OSError, http.client.HTTPException):
            self.counted("requests cut off")
            return b"{}"
        finally:
            connection.close()
        with self.lock:
            self.answers[answer.status] += 1
            self.seconds.setdefault(kind, []).append(time.perf_counter() - began)
        return received

    def counted(self, name: str) -> None:
        with self.lock:
            self.counts[name] += 1

    def asks(self, number: int) -> None:
        """One request after another, drawn from a mix of right and wrong ones."""
        draw = random.Random(number)
        while time.monotonic() < self.end:
            seed = draw.randrange(1000)
            kind = draw.randrange(12)
            if kind == 0:
                self.ask(
                    "a slider's image",
                    "POST",
                    "/api/runs/digits/render",
                    {"points": [{"seed": seed, "truncation": 0.8}]},
                )
            elif kind == 1:
                self.ask("four samples", "POST", "/api/runs/digits/wall", {"seed": seed, "n": 4})
            elif kind == 2:
                image = json.loads(self.ask("upload of an image", "PUT", "/api/images", file=self.image)).get("id")
                self.ask("files and pages", "DELETE", f"/api/images/{image}")
            elif kind == 3:
                self.ask("refusals", "GET", f"/api/runs/nothing-{seed}")
            elif kind == 4:
                self.ask(
                    "refusals",
                    "POST",
                    "/api/jobs",
                    {"kind": "train", "request": {"name": "../x", "data": "set:digits"}},
                )
            else:
                paths = (
                    "/",
                    "/static/app.js",
                    "/api/status",
                    "/api/runs",
                    "/api/runs/digits",
                    "/api/runs/digits/log",
                    "/api/jobs",
                )
                self.ask("files and pages", "GET", draw.choice(paths))
            time.sleep(PAUSE_SECONDS)

    def listens(self, number: int) -> None:
        """Opens a stream, reads what comes for up to three seconds and drops it in the middle."""
        draw = random.Random(number)
        while time.monotonic() < self.end:
            seconds = draw.uniform(0, 3)
            ends = time.monotonic() + seconds
            try:
                with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
                    connection.sendall(
                        f"GET /api/stream?run=digits HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode()
                    )
                    connection.settimeout(0.2)
                    while time.monotonic() < ends:
                        with contextlib.suppress(TimeoutError):
                            connection.recv(65536)
                self.counted("streams dropped")
            except OSError:
                self.counted("streams cut off")

    def works(self, number: int) -> None:
        """Trains a tiny model, waits until it is done, and removes job and run."""
        options = {"preset": "tiny", "steps": 20, "samples": 0, "precision": "fp32"}
        while time.monotonic() < self.end:
            number += 1
            request = {"method": "gan", "data": "set:digits", "name": f"soak-{number}", "options": options}
            job = json.loads(self.ask("jobs", "POST", "/api/jobs", {"kind": "train", "request": request})).get("id")
            state = ""
            while state not in ("done", "failed", "stopped") and time.monotonic() < self.end:
                time.sleep(0.5)
                state = json.loads(self.ask("jobs", "GET", f"/api/jobs/{job}")).get("state", "")
            self.counted(f"jobs {state}")
            self.ask("jobs", "DELETE", f"/api/jobs/{job}")
            self.ask("jobs", "DELETE", f"/api/runs/soak-{number}")
            self.ask("jobs", "DELETE", "/api/bin")


def small_png() -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 60).save(buffer, "PNG")
    return buffer.getvalue()


def photo() -> bytes:
    """A JPEG of waves and noise, about as hard to compress as a photo."""
    import numpy as np
    from PIL import Image

    rows, columns = np.mgrid[0:1200, 0:1600]
    noise = np.random.default_rng(0).normal(0, 6, (1200, 1600, 3))
    waves = np.stack([60 * np.sin(columns / 90 + number) + 50 * np.cos(rows / 70) for number in range(3)], 2)
    buffer = io.BytesIO()
    Image.fromarray((128 + waves + noise).clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def resident(process: int) -> float:
    """Resident memory in MiB; 0 where it has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def children(process: int) -> list[int]:
    """Processes that were started by this one and still run."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in path.read_text().split()]
    return found


if __name__ == "__main__":
    main()
