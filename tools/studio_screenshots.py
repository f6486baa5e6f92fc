"""Screenshots of every view of the studio, wide and narrow, light and dark, into a folder.

python tools/studio_screenshots.py RUNS OUT --run digits [--use holes]     # needs playwright and chromium
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from PIL import Image

SIZES = {"wide": (1280, 860), "narrow": (390, 844)}
LOOKS = ["wide-light", "wide-dark", "narrow-light", "narrow-dark"]
LONGEST = 1500  # pixels of a page that are kept
COLOURS = 128  # in a file: a third of its size, and no difference to be seen


def views(run: str, use: str | None) -> dict[str, str]:
    """Addresses by name."""
    found = {
        "runs": "runs", "run": f"run/{run}", "curves": f"run/{run}?tab=curves", "data": "data?source=set:digits",
        "train": "train", "queue": "queue", "explore": f"explore/{run}?seed=0", "measure": f"compare?runs={run}",
        "use": "use", "stylise": "use?task=stylise",
    }  # fmt: skip
    return found | ({"model": f"use/{use}"} if use else {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--run", required=True)
    parser.add_argument("--use")
    parser.add_argument("--only", nargs="*", help="names of views; default: all")
    parser.add_argument("--looks", nargs="*", default=LOOKS, help="such as wide-light; default: all four")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "ganvas", "studio", str(asked.runs), "--port", "0", "--no-open"]
    studio = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert studio.stdout is not None
        found = next(filter(None, (re.match(r"open (http://.*/)", line) for line in studio.stdout)))
        chosen = {
            name: view for name, view in views(asked.run, asked.use).items() if not asked.only or name in asked.only
        }
        take(found[1], chosen, asked.looks, asked.out)
    finally:
        studio.send_signal(signal.SIGINT)
        studio.wait()


def take(address: str, chosen: dict[str, str], looks: list[str], out: Path) -> None:
    """One file a view, size and theme."""
    from playwright.sync_api import sync_playwright

    browser = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        for look in looks:
            size, theme = look.split("-")
            width, height = SIZES[size]
            scheme = "dark" if theme == "dark" else "light"
            page = opened.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            for name, view in chosen.items():
                page.goto(f"{address}#/{view}")
                page.wait_for_selector(".page", timeout=120_000)
                settle(page)
                tall = min(LONGEST, int(page.evaluate("document.documentElement.scrollHeight")))
                page.set_viewport_size({"width": width, "height": max(height, tall)})
                page.wait_for_timeout(300)
                with Image.open(io.BytesIO(page.screenshot())) as taken:
                    few = taken.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
                few.save(out / f"studio-{name}-{look}.png", optimize=True)
                page.set_viewport_size({"width": width, "height": height})
                print(name, look, flush=True)
            page.close()
        opened.close()


def settle(page: Any) -> None:
    """Waits for images and models."""
    page.wait_for_timeout(1500)
    page.wait_for_selector(".page progress", state="detached", timeout=120_000)
    page.wait_for_function("() => ![...document.images].some((one) => !one.complete)", timeout=60_000)
    if page.query_selector(".editor"):
        page.wait_for_selector(".editor .large[src]", timeout=120_000)


if __name__ == "__main__":
    main()
