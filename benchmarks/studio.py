"""How quickly the studio answers: its start, the first paint of the page, and a slider's image, beside those of torch alone.

python benchmarks/studio.py [RUN] [--repeats 60]   # RUN: a run folder of digits; without one a small model is trained
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


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


def ask(port: int, method: str, path: str, content: object = None) -> bytes:
    """The body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    body = None if content is None else json.dumps(content).encode()
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
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
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        runs = Path(place) / "runs"
        if asked.run is None:
            import ganvas

            ganvas.train("r3gan", "digits", steps=20, samples=0, out=runs / "digits", quiet=True)
        else:
            shutil.copytree(asked.run, runs / "digits")
        measure(runs, asked.repeats)


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


if __name__ == "__main__":
    main()
