"""Where a training goes: the run to resume, a free folder for a new one, and taking it before another training does."""

from __future__ import annotations

from pathlib import Path

from ganvas.errors import RunError, UsageError
from ganvas.files import explained
from ganvas.run import Run, is_run
from ganvas.training.config import TrainConfig
from ganvas.training.environment import environment


def find_run(config: TrainConfig) -> Run | None:
    """The run to resume, or None to start one. After a crash torchrun starts the processes again: they resume too."""
    resume, out = config.resume, config.out
    if resume is None and environment().restarts == 0:
        return None
    if resume is None or resume == "auto":
        if out is None:
            raise UsageError("--resume auto needs --out, the folder where the run is or will be")
        if not is_run(out):
            return None
        return Run(out)
    if out is not None and Path(out).resolve() != Path(resume).resolve():
        raise UsageError(f"--resume {resume} continues in that folder, and --out names another ({out}): omit --out")
    return Run(resume)


def new_folder(out: str | Path | None, method: str, data: str) -> Path:
    """`out` where it is free, else runs/METHOD-DATA, with a number where that exists."""
    if out is not None:
        check_free(out)
        return Path(out)
    if environment().ranks > 1:
        raise UsageError("a training in several processes needs --out, so that all agree on the folder")
    stem = Path("runs") / f"{method}-{data}".replace("/", "_").replace(":", "_")
    folder, number = stem, 1
    while folder.exists():
        number += 1
        folder = stem.with_name(f"{stem.name}-{number}")
    return folder


def check_free(out: str | Path) -> None:
    """RunError where `out` cannot become a run folder: it holds a run already, or something else."""
    folder = Path(out)
    if is_run(folder):
        raise RunError(f"{folder} already holds a run. Continue it with --resume {folder}, or choose another --out")
    if folder.exists() and (not folder.is_dir() or any(path.suffix != ".part" for path in folder.iterdir())):
        raise RunError(f"{folder} exists and is not an empty folder: choose another --out")


def claim_folder(folder: Path, out: str | Path | None, method: str, data: str) -> Path:
    """Makes `folder` now. Where another training made it meanwhile: the next free name, or RunError if `out` asked for it."""
    while True:
        with explained(folder, "make"):
            try:
                folder.mkdir(parents=True)
                return folder
            except FileExistsError:
                pass
        folder = new_folder(out, method, data)
        if out is not None:  # an empty folder that was asked for is taken as it is
            return folder
