"""Kinds of data. What differs between images, sound, text, parallel text, video and
volumes is asked of one object: `KINDS[spec.kind]`."""

from __future__ import annotations

from collections.abc import Sequence

from ganvas.data.kinds.audio import Audio
from ganvas.data.kinds.base import Coded, Kind, Split
from ganvas.data.kinds.images import Images
from ganvas.data.kinds.parallel_text import ParallelText
from ganvas.data.kinds.text import Text
from ganvas.data.kinds.video import Video
from ganvas.data.kinds.volumes import Volumes
from ganvas.data.settings import DataSettings
from ganvas.errors import UsageError

__all__ = ["KINDS", "Coded", "Kind", "Split", "check_settings", "shown_settings"]

KINDS: dict[str, Kind] = {kind.name: kind for kind in (Images(), Audio(), Text(), ParallelText(), Video(), Volumes())}


def check_settings(settings: DataSettings, kind: Kind, name: str) -> None:
    """UsageError for a setting that has no effect on data of this kind and is not at its default."""
    defaults = DataSettings()
    for other in KINDS.values():
        for key in other.settings:
            if key not in kind.settings and getattr(settings, key) != getattr(defaults, key):
                raise UsageError(f"data.{key} is about {other.name}, and {name} is {kind.name}: omit it")
    kind.check_settings(settings)


def shown_settings(kind: Kind, names: Sequence[str]) -> list[str]:
    """Those of the data settings `names` that say something about data of this kind."""
    foreign: set[str] = set()
    for other in KINDS.values():
        if other is not kind:
            foreign.update(set(other.settings) - set(kind.settings))
    return kind.shown_settings(names, frozenset(foreign))
