"""HTML that is escaped unless it says otherwise: a class name or a path from a run cannot become markup.

tag("p", "seen by ", tag("b", name), class_="note")        # -> <p class="note">seen by <b>...</b></p>
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ganvas.errors import RunError
from ganvas.figure import is_number
from ganvas.files import JsonObject
from ganvas.report.style import PAGE_SCRIPT, PAGE_STYLE

EMPTY = frozenset({"br", "img", "input", "meta"})  # elements that have no end tag


DASH = "\u2013"  # what stands where there is no value


class Html(str):
    """Text that is markup already. Every other str is escaped."""

    __slots__ = ()


Content = str | int | Iterable["Content"] | None
Attribute = str | int | float | bool | None


def join(*content: Content) -> Html:
    """All content in a row: Html as it is, text escaped, None left out, lists opened."""
    return Html("".join(_pieces(content)))


def tag(name: str, /, *content: Content, **attributes: Attribute) -> Html:
    """An element. `class_` is class, `_` in names is `-`; True gives a bare attribute, None and False none."""
    words = "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in attributes.items())
    start = f"<{name}{words}>"
    if name in EMPTY:
        return Html(start)
    return Html(f"{start}{join(*content)}</{name}>")


def table(
    head: Sequence[Content],
    rows: Iterable[Sequence[Content]],
    *,
    caption: str,
    numeric: Iterable[int] = (),
) -> Html:
    """A table. The first cell of each row is its header; columns `numeric` align right."""
    right = frozenset(numeric)
    titles: list[Html] = []
    for i, cell in enumerate(head):
        titles.append(tag("th", cell, scope="col", class_="n" if i in right else None))
    body: list[Html] = []
    rows = list(rows)
    if not rows:  # a heading alone says nothing
        return Html()
    for row in rows:
        body.append(tag("tr", [_cell(i, cell, right) for i, cell in enumerate(row)]))
    top = tag("tr", titles)
    described = tag("caption", caption)
    return tag(
        "div",
        tag("table", described, tag("thead", top), tag("tbody", body)),
        class_="wide",
        tabindex=0,
        role="group",
        aria_label=caption,
    )


def facts(pairs: Iterable[tuple[Content, Content]]) -> Html:
    """Names and values as a definition list; pairs without a value are left out."""
    lines: list[Html] = []
    for name, value in pairs:
        if value not in (None, ""):
            lines.append(tag("div", tag("dt", name), tag("dd", value)))
    return tag("dl", lines)


@dataclass(frozen=True)
class Section:
    """A part of a page: its anchor, its heading, and its markup, which is empty where there is nothing to show."""

    id: str
    title: str
    html: Html

    def __bool__(self) -> bool:
        return bool(self.html)


def section(id: str, title: str, *content: Content, lead: Content = None) -> Section:
    """A section with its heading and an introduction; empty where there is no content."""
    inside = join(*content)
    if not inside:
        return Section(id, title, Html())
    heading = tag("h2", title)
    introduction = tag("p", lead, class_="lead") if lead else None
    return Section(id, title, tag("section", heading, introduction, inside, id=id, aria_label=title))


def kept_section(
    id: str, title: str, content: Callable[[], JsonObject], shown: Callable[[JsonObject], tuple[Content, str]]
) -> Section:
    """A result that a run keeps: `shown` makes what stands in the section and its lead out of `content`. Empty where there was
    none; one that cannot be read says so."""
    try:
        found = content()
        if not found:
            return section(id, title)
        inside, lead = shown(found)
    except (RunError, KeyError, TypeError, AttributeError, ValueError) as error:
        return section(id, title, tag("p", f"It could not be read: {error}", class_="warn"))
    return section(id, title, inside, lead=lead)


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def unopened(id: str, title: str, error: Exception) -> Section:
    """A section that says why it has nothing to show."""
    why = f"Not shown, since the data or the weights could not be opened: {error}"
    return section(id, title, tag("p", why, class_="warn"))


def contents(sections: Iterable[Section]) -> Html:
    """Links to all sections that show something."""
    links = [tag("a", one.title, href=f"#{one.id}") for one in sections if one]
    return tag("nav", links, aria_label="Parts of this page")


def folded(summary: str, *content: Content) -> Html:
    """Content behind a line to click."""
    return tag("details", tag("summary", summary), *content)


def document(title: str, *content: Content, script: str = "") -> Html:
    """The whole file. Its own policy forbids the browser to load anything, or to run a script but ours: PAGE_SCRIPT and, behind
    it, `script`."""
    script = PAGE_SCRIPT + script
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(PAGE_STYLE)),
    )
    body = tag("body", tag("main", *content), tag("script", Html(script)))
    return Html(f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n')


# --- how values read ----------------------------------------------------------------------------------------


def number(value: object) -> str:
    """Four significant digits, thousands by comma; a dash for what is no finite number."""
    if not is_number(value):
        return DASH
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 1e9):
        return f"{int(value):,}"
    if abs(value) >= 1e6 or abs(value) < 1e-3:
        return f"{value:.3g}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def plain(value: object) -> str:
    """A setting as a user would type it."""
    if value is None:
        return "auto"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def described(content: object) -> str | None:
    """Plain values in words: lists and objects by comma, at most 20 of a list."""
    if isinstance(content, dict):
        return ", ".join(f"{key} {described(value)}" for key, value in content.items())
    if isinstance(content, list):
        values = ", ".join(str(described(value)) for value in content[:20])
        return values + " …" if len(content) > 20 else values
    if isinstance(content, bool):
        return "yes" if content else "no"
    if isinstance(content, int | float):
        return number(content)
    return None if content is None else str(content)


def duration(seconds: object) -> str:
    """ "48 s", "5 min 2 s", "3 h 20 min"; a dash for what is no number."""
    if not is_number(seconds):
        return DASH
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600 and whole % 60 == 0:
        return f"{whole // 60} min"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _pieces(content: Iterable[Content]) -> Iterable[str]:
    for piece in content:
        if piece is None:
            continue
        if isinstance(piece, Html):
            yield str(piece)
        elif isinstance(piece, str | int | float):
            yield html.escape(str(piece))
        else:
            yield from _pieces(piece)


def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    return f' {name}="{html.escape(str(value))}"'


def _cell(index: int, content: Content, right: frozenset[int]) -> Html:
    align = "n" if index in right else None
    if index == 0:
        return tag("th", content, scope="row", class_=align)
    return tag("td", content, class_=align)
