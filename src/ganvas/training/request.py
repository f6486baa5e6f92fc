"""What is asked of a training, checked before anything is built: its budget and data, what a resumed run keeps, where it goes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ganvas.abilities import Tokenizes, TwoStage
from ganvas.data import Dataset, DataSettings, open_data
from ganvas.defaults import MINUTES
from ganvas.errors import DataError, RunError, UsageError
from ganvas.files import explained
from ganvas.method import Method
from ganvas.registry import create, methods_with
from ganvas.run import Run, is_run
from ganvas.settings import as_dict, change
from ganvas.training.trainer import Budget

LOOKS = ("fit", "alpha")  # data settings that change images and not their shape


def read_budget(minutes: float | None = None, images: int | None = None, steps: int | None = None) -> Budget:
    """The budget; UsageError for one that is not positive."""
    for name, value in (("minutes", minutes), ("images", images), ("steps", steps)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name} must be a number above 0 (got {value})")
    if minutes is None and images is None and steps is None:
        minutes = MINUTES
    return Budget(steps, images, minutes)


def find_old(resume: str | Path | None, out: str | Path | None) -> Run | None:
    """The run to continue, or None to start one."""
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) > 0  # torchrun started us again after a crash
    if resume is None and not restarted:
        return None
    if str(resume) == "auto" or resume is None:
        if out is None:
            raise UsageError("--resume auto needs --out, the folder where the run is or will be")
        return Run(out) if is_run(out) else None
    if out is not None and Path(out).resolve() != Path(resume).resolve():
        raise UsageError(f"--resume {resume} continues in that folder, and --out names another ({out}): omit --out")
    return Run(resume)


def check_same(
    old: Run,
    method: str | Method | None,
    data: Any,
    preset: str | None,
    settings: dict[str, Any] | None,
    data_settings: Any,
) -> None:
    """A resumed run keeps its method, data and settings; RunError says which of them differs."""
    info = old.info
    name = method.name if isinstance(method, Method) else method
    if name and name != info["method"]:
        raise RunError(
            f"{old.folder} is a run of {info['method']}, not of {name}: omit the method, or choose another --out"
        )
    source = data.source if isinstance(data, Dataset) else str(data) if data else ""
    if source and source != info["data"] and _place(source) != _place(info["data"]):
        raise RunError(
            f"{old.folder} was trained on {info['data']}, not on {source}: omit --data, or choose another --out"
        )
    if preset is not None and preset != info.get("preset"):
        raise RunError(f"{old.folder} was started with preset {info.get('preset')}, not {preset}: omit --preset")
    had = create(info["method"], None, info["settings"]).settings()
    same = method if isinstance(method, Method) else create(info["method"], None, had)
    given = same.with_settings(settings or {}).settings()
    told = same.filled if isinstance(method, Method) else ()
    changed = [
        f"{key} was {had[key]!r}, not {value!r}"
        for key, value in given.items()
        if had[key] != value and key not in told
    ]
    wished = as_dict(data_settings) if isinstance(data_settings, DataSettings) else data_settings or {}
    before = as_dict(change(DataSettings(), info["data_settings"], where="data."))
    checked = as_dict(change(DataSettings(), {**before, **wished}, where="data."))
    if before["partner"] and checked["partner"] and _place(before["partner"]) == _place(checked["partner"]):
        checked["partner"] = before["partner"]
    changed += [f"data.{key} was {before[key]!r}" for key, value in checked.items() if before[key] != value]
    if changed:
        raise RunError(
            f"a resumed run keeps its settings, and {old.folder} differs: {'; '.join(changed)}."
            " Omit them, or start a new run"
        )


def reopen(old: Run, data: str | Path | Dataset | None) -> Dataset:
    """The data of a run, refused where they are not what they were."""
    info = old.info
    dataset = (
        data
        if isinstance(data, Dataset)
        else open_data(info["data"], settings=change(DataSettings(), info["data_settings"]))
    )
    if dataset.fingerprint != info["fingerprint"]:
        raise RunError(
            f"{old.folder} was trained on {info['data']} with other content: its fingerprint was {info['fingerprint'][:12]},"
            f" now it is {dataset.fingerprint[:12]}. Restore the data, or start a new run"
        )
    return dataset


def open_dataset(data: str | Path | Dataset, data_settings: dict[str, Any] | DataSettings | None) -> Dataset:
    """A dataset as it is, or the source opened with settings."""
    if isinstance(data, Dataset):
        return data
    if isinstance(data_settings, DataSettings):
        return open_data(data, settings=data_settings)
    return open_data(data, **(data_settings or {}))


def stand(method: Method, codes: str | Path | None, data: Dataset) -> tuple[Method, Method | None]:
    """The method conditioned on what it stands on, and that trained method; the method as it is and None where it stands on none.

    UsageError, RunError or DataError where `codes` is missing, is no run of a method that quantises, or one of other images.
    """
    if not isinstance(method, TwoStage):
        if codes is not None:
            raise UsageError(
                f"{method.name} learns images, not the codes of another run: omit --codes, or train"
                f" {methods_with(TwoStage)}"
            )
        return method, None
    makers = methods_with(Tokenizes)
    if codes is None:
        raise UsageError(
            f"{method.name} learns the codes of a trained {makers}: name its run by --codes RUN"
            f" (ganvas train {makers.split(', ')[0]} --data {data.source} makes one)"
        )
    run = Run(codes)
    first = run.load_method()
    if not isinstance(first, Tokenizes):
        raise RunError(f"{codes} is a run of {first.name}, which has no codes: --codes takes a run of {makers}")
    if run.spec.shape != data.spec.shape:
        raise DataError(
            f"{codes} has codes of images of (channels, height, width) {run.spec.shape}; those of {data.name} are"
            f" {data.spec.shape}: choose data.size and data.channels as that run had them"
        )
    known, given = run.info["data_settings"], as_dict(data.settings)
    other = [f"data.{key}={known[key]} (here {given[key]})" for key in LOOKS if known.get(key) != given[key]]
    if run.info["data"] == data.source and other:
        raise DataError(
            f"{codes} saw these images otherwise: with {', '.join(other)}. Give the same, so that the codes mean the same"
        )
    return method.with_first_stage(first), first


def new_folder(out: str | Path | None, method: str, data: str) -> Path:
    """`out` where it is free, else runs/METHOD-DATA, with a number where that exists."""
    if out is not None:
        folder = Path(out)
        if is_run(folder):
            raise RunError(f"{folder} already holds a run. continue it by --resume {folder}, or choose another --out")
        if folder.exists() and (not folder.is_dir() or any(path.suffix != ".part" for path in folder.iterdir())):
            raise RunError(f"{folder} exists and is not an empty folder: choose another --out")
        return folder
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        raise UsageError("a training in several processes needs --out, so that all agree on the folder")
    stem = Path("runs") / f"{method}-{data}".replace("/", "_").replace(":", "_")
    number = 1
    while (folder := stem if number == 1 else stem.with_name(f"{stem.name}-{number}")).exists():
        number += 1
    return folder


def claimed(folder: Path, out: str | Path | None, method: str, data: str) -> Path:
    """`folder`, made now, or where another training made it meanwhile what `new_folder` says of the same wish: the next name
    that is free, or RunError for an `out` that is no longer empty."""
    with explained(folder, "make"):
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            pass
    again = new_folder(out, method, data)
    return again if out is not None else claimed(again, out, method, data)


def _place(source: str) -> Path:
    return Path(source).expanduser().resolve()
