"""Videos inside a page: the newest film of many samples as a data URI, of bounded size."""

from __future__ import annotations

import base64
import warnings
from pathlib import Path

from ganvas.data.image import Broken, open_image, open_regular
from ganvas.report.images import files_by_step
from ganvas.report.markup import Html, number, tag

MAX_FILM_BYTES = 1100 * 2**10  # of a film on a page, before base64 adds a third; a larger one is only named


def watch(folder: Path) -> Html:
    """The newest samples/STEP.webp, moving; its name where it is too large; nothing where there is none that can be read."""
    files = files_by_step(folder, ".webp")
    if not files:
        return Html()
    step, path = files[-1]
    try:
        with open_regular(path) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            opened = open_image(file)
            width, height = opened.image.size
            moving = opened.more_frames
            file.seek(0)
            content = file.read()
    except Broken:
        return Html()
    if not moving or opened.image.format != "WEBP":
        return Html()
    label = f"Samples of step {number(step)}, all moving"
    if len(content) > MAX_FILM_BYTES:
        return tag("p", f"{label}: samples/{path.name}", class_="note")
    address = "data:image/webp;base64," + base64.b64encode(content).decode()
    return tag("figure", tag("img", src=address, alt=label, width=width, height=height), tag("figcaption", label))
