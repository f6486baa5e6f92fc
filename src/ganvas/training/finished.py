"""Whether a run to resume has nothing left to train, seen from its files alone."""

from __future__ import annotations

import shlex

import safetensors

from ganvas.errors import GanvasError
from ganvas.files import JsonObject
from ganvas.run import Run
from ganvas.training.config import BUDGET_UNITS, TrainConfig
from ganvas.training.prepare import check_same


def is_finished(run: Run, config: TrainConfig) -> bool:
    """True where the run came to its end, everything of it is there, and `config` asks for no more than it had; RunError where
    it asks for something else."""
    check_same(run, config)
    end = _end(run)
    if end is None or not _is_whole(run):
        return False
    recorded = run.info.get("budget") or {}
    used = {
        "steps": end.get("step") or 0,
        "images": end.get("images_seen") or 0,
        "minutes": (end.get("waited") or end.get("seconds") or 0) / 60,
    }
    asked = config.budget
    if not asked:
        return True
    return any(limit <= max(used[name], recorded.get(name) or 0) for name, limit in asked.items())


def finished_sentence(run: Run) -> str:
    """One line: that it is finished, and how to train longer."""
    end = _end(run) or {}
    name, limit = "steps", int(end.get("step") or 1)
    recorded = run.info.get("budget") or {}
    for one in BUDGET_UNITS:
        if recorded.get(one) is not None:
            name, limit = one, recorded[one]
            break
    command = f"ganvas train --resume {shlex.quote(str(run.folder))} --{name} {2 * limit:g}"
    if name != "minutes":
        command = f"ganvas train --resume {shlex.quote(str(run.folder))} --{name} {2 * int(limit)}"
    return f"{run.folder} is finished: its budget of {limit:g} {name} is used up. Train longer: {command}"


def _end(run: Run) -> JsonObject | None:
    """The last event of the log where that is its end, with `images_seen` of the row before."""
    images, end = 0, None
    for row in run.log():
        event = row.get("event")
        if event == "finished":
            end = row
        elif event in ("started", "resumed"):
            end = None
        elif "images_seen" in row:
            images = row["images_seen"]
    if end is None:
        return None
    return {"images_seen": images, **end}


def _is_whole(run: Run) -> bool:
    """Settings that can be read, weights that can be opened, the report, and nothing that was left half written."""
    if any(run.folder.glob("*.part")) or any((run.folder / "checkpoints").glob(".*.part")):
        return False
    try:
        if run.spec.count < 1:
            return False
        with safetensors.safe_open(run.weights_file(), "pt"):
            pass
    except (GanvasError, OSError, safetensors.SafetensorError):
        return False
    return (run.folder / "report.html").is_file()
