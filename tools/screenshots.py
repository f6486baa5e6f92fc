"""Screenshots for the docs of a real training: the terminal view while it runs, and its report.

python tools/screenshots.py docs/images [--steps 2500] [--at FOLDER]     # needs chromium; trains in FOLDER, once
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.terminal_theme import MONOKAI

import ganvas
from ganvas.cli.view import Screen
from ganvas.training.trainer import Trainer

COLUMNS, LINES = 120, 40  # of the terminal
TAKEN_AT = 0.6  # of the training, earliest
REPORT_SIZE = (1180, 1445)  # pixels, width and height: the top of the report and its first curves
SAMPLES_SIZE = (1180, 760)  # of its section of samples, which is shown alone:
ONLY_SAMPLES = "<style>header, nav, section:not(#samples) { display: none } main { padding-top: 0 }</style></head>"
NAMES = ("chromium", "chromium-browser", "google-chrome")
MARGIN = 9  # pixels around the terminal
COLOURS = 128  # of each file's palette
# rich's own page names fonts of another server; the docs load nothing from elsewhere.
PAGE = """<svg class="rich-terminal" viewBox="0 0 {terminal_width} {terminal_height}" style="background: #1c1c1c; padding: 9px" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: monospace; font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>{lines}</defs>
<g shape-rendering="crispEdges">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>"""


class Recorder(Screen):
    """The terminal view on a terminal that nobody sees; keeps one page of it as SVG."""

    def __init__(self) -> None:
        # Open as long as the console.
        sink = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        super().__init__(Console(file=sink, force_terminal=True, color_system="truecolor", width=COLUMNS, height=LINES))
        self.svg = ""

    def logged(self, trainer: Trainer, row: dict[str, float]) -> None:
        super().logged(trainer, row)
        if not self.svg and self.grid is not None and self.diagnosis is not None and trainer.progress >= TAKEN_AT:
            page = Console(
                record=True, file=self.console.file, force_terminal=True, color_system="truecolor", width=COLUMNS
            )
            page.print(self._renderable())
            self.svg = page.export_svg(code_format=PAGE, theme=MONOKAI, unique_id="terminal")


def train(steps: int) -> str:
    """Trains r3gan on digits in the current folder; the terminal view of it as SVG."""
    recorder = Recorder()
    try:
        ganvas.train("r3gan", "digits", steps=steps, out="runs/digits", quiet=True, callbacks=[recorder])
    finally:
        recorder.close()
    return recorder.svg


def photograph(page: Path, size: tuple[int, int], out: Path) -> None:
    """What chromium shows of a file, at `size` (width, height) in pixels, as a PNG with a palette."""
    browser = next((found for name in NAMES if (found := shutil.which(name))), None)
    if browser is None:
        sys.exit("chromium is not installed (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as scratch:
        taken = Path(scratch) / "page.png"
        words = [browser, "--headless", "--no-sandbox", "--hide-scrollbars", f"--user-data-dir={scratch}/profile"]
        words += [f"--window-size={size[0]},{size[1]}", f"--screenshot={taken}", page.resolve().as_uri()]
        subprocess.run(words, check=True, capture_output=True, timeout=300)
        image = Image.open(taken).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(out, optimize=True)
    print(out.name, image.size, f"{out.stat().st_size:,} bytes", flush=True)


def svg_size(svg: str) -> tuple[int, int]:
    """Pixels of a page that export_svg wrote, with a margin on both sides."""
    width, height = svg.partition('viewBox="0 0 ')[2].partition('"')[0].split()
    return round(float(width)) + 2 * MARGIN, round(float(height)) + 2 * MARGIN


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--at", type=Path)
    asked = parser.parse_args()
    out = asked.out.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        place = asked.at or Path(scratch)
        place.mkdir(parents=True, exist_ok=True)
        os.chdir(place)  # so that no path of this machine is shown
        view, report = Path("terminal.svg"), Path("runs/digits/report.html")
        if not report.is_file():
            view.write_text(train(asked.steps), encoding="utf-8")
        photograph(view, svg_size(view.read_text(encoding="utf-8")), out / "terminal.png")
        photograph(report, REPORT_SIZE, out / "report.png")
        samples = Path("samples.html")
        samples.write_text(report.read_text(encoding="utf-8").replace("</head>", ONLY_SAMPLES, 1), encoding="utf-8")
        photograph(samples, SAMPLES_SIZE, out / "report-samples.png")
        os.chdir(out)


if __name__ == "__main__":
    main()
