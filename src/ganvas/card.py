"""A small card in HTML: what notebooks show of a run or of a data set. It holds all it shows, and every text is escaped."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping

TABLE_STYLE = "border-collapse:collapse;margin:0.3em 0"
CELL_STYLE = "text-align:left;padding:0.1em 0.8em 0.1em 0;vertical-align:top"


def card(title: str, facts: Mapping[str, object], image: bytes | None = None, *, above: str = "") -> str:
    """A title, a table of names and values, and an image (PNG) below. `above` is HTML between title and table."""
    rows = []
    for name, value in facts.items():
        name_cell = f'<th style="{CELL_STYLE};font-weight:normal;opacity:0.7">{html.escape(name)}</th>'
        rows.append(f'<tr>{name_cell}<td style="{CELL_STYLE}">{html.escape(str(value))}</td></tr>')
    parts = [
        f"<div><strong>{html.escape(title)}</strong>{above}",
        f'<table style="{TABLE_STYLE}">{"".join(rows)}</table>',
    ]
    if image is not None:
        data = base64.b64encode(image).decode("ascii")
        parts.append(
            f'<img alt="{html.escape(title)}" src="data:image/png;base64,{data}" style="image-rendering:pixelated">'
        )
    return "".join([*parts, "</div>"])


def progress_bar(share: float) -> str:
    """A bar in HTML that is filled to `share` in [0, 1]."""
    return f'<br><progress value="{min(1.0, max(0.0, share)):.3f}" max="1" style="width:24em"></progress> {share:.0%}'
