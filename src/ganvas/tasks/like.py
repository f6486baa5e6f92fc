"""Making a file of `ganvas sample` again, by what its metadata say; `Run.sample` and `ganvas sample --like` do it."""

from __future__ import annotations

from pathlib import Path

from ganvas.data.metadata import read_provenance
from ganvas.errors import DataError, UsageError
from ganvas.provenance import Provenance


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


def wanted(path: Path | str) -> tuple[Provenance, int, int, dict[str, str]]:
    """What made the file, how many samples it shows, the seed of the first, and the other arguments of `sample`.

    UsageError where another command made it.
    """
    made = provenance_of(path)
    check_sampled(made, path)
    count, more = made.options.get("n", 1), {}
    for name in ("label", "prompt"):
        if name in made.options:
            more[name] = str(made.options[name])
    return made, count if isinstance(count, int) and count > 0 else 1, made.seed or 0, more
