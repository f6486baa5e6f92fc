"""Checks of settings that several methods share."""

from __future__ import annotations

from ganvas.errors import UsageError


def check_odd(name: str, size: int) -> None:
    """UsageError where a kernel of `size` has no middle, so that no padding would keep the size of an image."""
    if size % 2 == 0:
        raise UsageError(f"{name} must be odd (got {size})")


def read_widths(name: str, text: str) -> list[int]:
    """[256, 512] of the setting `name` = "256-512"."""
    try:
        widths = [int(part) for part in text.split("-")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1:
        raise UsageError(f"{name} must be widths joined by -, such as 256-512 (got {text!r})")
    return widths
