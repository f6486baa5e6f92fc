"""Names that go: each is accepted for a while, with one warning that says the new name and until when.

    deprecated("the setting halvings", "downsamplings", until="0.3")

A name is kept for two minor versions after the one that renamed it (docs/reference/compatibility.md).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TypeVar

from ganvas.errors import GanvasWarning

V = TypeVar("V")

_warned: set[tuple[str, str]] = set()


class RenamedWarning(GanvasWarning, FutureWarning):
    """A name was used that a later version no longer knows. Python shows it by default, a command line as one line."""


def deprecated(old: str, new: str, *, until: str, stacklevel: int = 2) -> None:
    """Warns (RenamedWarning, a FutureWarning) that `old` is now `new`, once in a process. `until` is the version
    that no longer knows `old`; stacklevel 2 points at the caller of the function that calls this."""
    if (old, new) in _warned:
        return
    _warned.add((old, new))
    message = f"{old} is now called {new}: the old name is accepted until ganvas {until}"
    warnings.warn(message, RenamedWarning, stacklevel=stacklevel + 1)


def with_new_names(values: Mapping[str, V], names: Mapping[str, str], *, what: str, until: str) -> dict[str, V]:
    """`values` with each key of `names` (old name, new name) replaced, and a warning for each. A new name that is given too has
    the last word."""
    renamed: dict[str, V] = {}
    for name, value in values.items():
        new = names.get(name)
        if new is None:
            renamed[name] = value
            continue
        deprecated(f"{what} {name}", new, until=until, stacklevel=3)
        if new not in values:
            renamed[new] = value
    return renamed
