"""Screenshots of pages that `ganvas export RUN --to page` wrote, opened from disk; fails where a page asks for anything.

python tools/page_screenshots.py OUT PAGE.html [...] [--photo FILE] [--draw] [--press NAME]     # needs playwright and chromium
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

WIDTH, HEIGHT = 1000, 700
LONGEST = 2000  # pixels of a page that are kept
INSIDE = ("file:", "data:", "blob:")
Stroke = list[tuple[float, float]]


def circle(x: float, y: float, radius: float, begin: float = 0, end: float = 1) -> Stroke:
    """An arc; shares of the canvas, and of the whole turn."""
    angles = [2 * math.pi * (begin + (end - begin) * step / 24) for step in range(25)]
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]


FACE = [circle(0.5, 0.5, 0.42), circle(0.36, 0.42, 0.05), circle(0.64, 0.42, 0.05), circle(0.5, 0.52, 0.22, 0.06, 0.44)]


def draw(page: Page, strokes: list[Stroke]) -> None:
    """Clears the input and draws on it with the mouse."""
    page.get_by_role("button", name="clear").click()
    box = page.locator("#input").bounding_box()
    assert box is not None
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def settled(page: Page) -> None:
    """Until the page is ready and shows results of what it was last given."""
    page.wait_for_selector("body[data-state]", timeout=180_000)
    page.wait_for_timeout(300)
    seen = ""
    for _ in range(60):
        now = page.locator("#time").inner_text() + str(
            page.evaluate("[...document.querySelectorAll('canvas')].map((one) => one.toDataURL().length).join()")
        )
        if now == seen:
            break
        seen = now
        page.wait_for_timeout(500)
    state = page.evaluate("document.body.dataset.state")
    if state != "ready":
        raise SystemExit(f"{page.url}: {page.locator('#message').inner_text()}")


def take(files: list[Path], out: Path, photo: Path | None, drawn: bool, pressed: str, dark: bool) -> None:
    """One PNG for each page. SystemExit where a page fails, or asks for something outside."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
        )
        for file in files:
            page = opened.new_page(
                viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="dark" if dark else "light"
            )
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto(file.resolve().as_uri())
            settled(page)
            if photo is not None:
                page.locator("input[type=file]").first.set_input_files(photo)
            if drawn:
                draw(page, FACE)
            if pressed:
                page.get_by_role("button", name=pressed, exact=True).first.click()
            settled(page)
            tall = min(LONGEST, int(page.evaluate("document.documentElement.scrollHeight")))
            page.set_viewport_size({"width": WIDTH, "height": max(tall, 200)})
            place = out / f"{file.stem}.png"
            page.screenshot(path=str(place))
            outside = [url for url in asked if not url.startswith(INSIDE)]
            if outside:
                raise SystemExit(f"{file} asked for {', '.join(outside)}")
            notes = f"{page.locator('#message').inner_text()}, {page.locator('#time').inner_text()}"
            print(f"{place}: {file.stat().st_size:,} bytes, {notes}, {len(asked)} requests, none outside")
            page.close()
        opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a folder")
    parser.add_argument("pages", type=Path, nargs="+")
    parser.add_argument("--photo", type=Path, help="the photo that a page is given")
    parser.add_argument("--draw", action="store_true", help="draw a face on the input")
    parser.add_argument("--press", default="", metavar="NAME", help="press the button of that name, such as a class")
    parser.add_argument("--dark", action="store_true", help="dark colours")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    take(asked.pages, asked.out, asked.photo, asked.draw, asked.press, asked.dark)


if __name__ == "__main__":
    main()
