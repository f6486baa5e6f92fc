"""Making a file of `ganvas sample` again, by what its metadata say; `Run.sample` and `ganvas sample --like` do it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganvas.data.metadata import read_provenance
from ganvas.errors import DataError, UsageError
from ganvas.provenance import Provenance, Value


def provenance_of(path: Path | str) -> Provenance:
    """What made an image or a .wav; DataError where its metadata do not say it."""
    made = read_provenance(path)
    if made is None:
        raise DataError(
            f"{path} does not say what made it: its metadata hold nothing of ganvas. Many programs and web sites remove them"
        )
    return made


def check_sampled(made: Provenance, path: Path | str) -> None:
    """UsageError unless `ganvas sample` can make the image again; it names the command that did, and what that needs."""
    if made.command == "sample" and made.seed is not None and "seeds" not in made.options:
        return
    if made.command == "train" and made.seed is not None and "n" in made.options:
        return
    needed = "; ".join(made.needs()) or "nothing else"
    raise UsageError(f"{path} was not made by ganvas sample. What made it: {made.command_line()} (needed: {needed})")


@dataclass(frozen=True)
class Wanted:
    """The arguments of `sample` that make a file again, and what made it."""

    made: Provenance
    n: int
    """How many samples the file shows."""
    seed: int
    """Of the first."""
    label: str | None
    prompt: str | None
    motion: int | None
    raw: bool
    settings: dict[str, Value]


def wanted(path: Path | str) -> Wanted:
    """What `sample` takes to make the file again. UsageError where another command made it."""
    made = provenance_of(path)
    check_sampled(made, path)
    count, label, prompt = (made.options.get(name) for name in ("n", "label", "prompt"))
    motion = made.options.get("motion")
    return Wanted(
        made=made,
        n=count if isinstance(count, int) and count > 0 else 1,
        seed=made.seed or 0,
        label=None if label is None else str(label),
        prompt=None if prompt is None else str(prompt),
        motion=motion if isinstance(motion, int) else None,
        raw=made.options.get("raw") is True,
        settings=dict(made.settings),
    )
