"""Rows and figures for made-up runs; a page read back: what a browser would load, whether it is whole."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

VOID = {"br", "img", "input", "meta"}
DATA = re.compile(r"data:image/(?:png|jpeg);base64,[A-Za-z0-9+/=]*")

FD = {"value": 4.0, "reference": 0.1, "n": 100, "network": "digits 1234", "better": "lower"}


def row(step: int, **numbers: float | None) -> dict[str, Any]:
    """A row as the training writes it."""
    keyed = {key.replace("__", "/"): value for key, value in numbers.items()}
    return {
        "step": step,
        "images_seen": step * 10,
        "seconds": step / 10,
        "images_per_second": 100.0,
        "progress": step / 30,
        **keyed,
    }


class Page(HTMLParser):
    """Elements with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.raw = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def check(self) -> Page:
        """Asserts that it needs nothing from outside, and that links, labels and images are whole."""
        bare = DATA.sub("", self.raw)
        for outside in ("http:", "https:", "//", "@import", "url("):
            assert outside not in bare, bare[max(0, bare.find(outside) - 80) :][:160]
        assert len(self.all("script")) == 1
        names = [attributes["id"] for _, attributes in self.elements if "id" in attributes]
        assert len(set(names)) == len(names)
        for tag, attributes in self.elements:
            assert not [key for key in attributes if key.startswith("on")], attributes
            assert tag not in ("link", "iframe", "object", "embed", "base", "form")
            if "href" in attributes:
                assert (attributes["href"] or "").removeprefix("#") in names
            if "src" in attributes:
                assert tag == "img" and DATA.fullmatch(attributes["src"] or "")
            if tag == "img":
                assert attributes["alt"]
            if tag == "input" or attributes.get("role") == "img":
                assert attributes["aria-label"]
        return self
