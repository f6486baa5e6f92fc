"""Finding the run that made an image, by what the image's metadata say of it. They are a stranger's words: folders are only
looked for where the user works, and what counts is the hash of the weights found there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ganvas.data.metadata import read_provenance
from ganvas.errors import DataError, GanvasError, RunError, UsageError
from ganvas.provenance import Provenance
from ganvas.run import Run, is_run

PLACES = (".", "runs")  # folders with runs, seen from where the command runs
MOST_FOLDERS = 1000  # of one place that are looked at


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


def run_of(made: Provenance, path: Path | str, given: Path | str | None = None) -> tuple[Run, bool]:
    """The run with the weights that made the image at `path`, and whether they are its best ones instead of its last.

    Looked for in `given`, or else around the image, in this folder and in runs/. RunError where no run has these weights.
    """
    if not made.weights:
        raise RunError(f"{path} does not say by which weights it was made")
    if given is not None:
        run = Run(given)
        best = _has_weights(run, made.weights)
        if best is None:
            raise RunError(
                f"{given} does not have the weights that made {path} (SHA-256 {made.weights[:12]}...{_of_step(made)}): it was"
                f" trained on since, or it is another run. The same seed with its weights of now: --seed {made.seed}"
            )
        return run, best
    for folder in _folders(made, Path(path)):
        try:
            run = Run(folder)
            best = _has_weights(run, made.weights) if run.info["method"] == made.method else None
        except GanvasError:  # somebody else's folder
            continue
        if best is not None:
            return run, best
    raise RunError(
        f"there is no run here with the weights that made {path}: {made.needs()[0]}. Name it: ganvas sample RUN --like {path}"
    )


def _of_step(made: Provenance) -> str:
    return "" if made.step is None else f", of step {made.step}"


def _has_weights(run: Run, digest: str) -> bool | None:
    """False: its last weights have that hash; True: its best ones; None: neither."""
    for best in (False, True):
        try:
            if run.weights_hash(best=best) == digest:
                return best
        except RunError:  # it has none of these
            continue
    return None


def _folders(made: Provenance, path: Path) -> Iterator[Path]:
    """Run folders to ask: those that the image lies in, then those here, those of the same name first."""
    for folder in list(path.resolve().parents)[:3]:
        if is_run(folder):
            yield folder
    found: list[Path] = []
    for place in PLACES:
        if Path(place).is_dir():
            found += sorted(Path(place).iterdir())[:MOST_FOLDERS]
    for folder in sorted(found, key=lambda folder: folder.name != made.run):
        if is_run(folder):
            yield folder
