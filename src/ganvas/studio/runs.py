"""Run folders as the page shows them, read without torch: cards, figures, curves, grids of samples.

A folder may come from anybody, so everything read is bounded, and no link is followed.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ganvas import old_names
from ganvas.catalog import catalog, purposes_of
from ganvas.errors import RunError
from ganvas.files import JsonObject, parse_json
from ganvas.studio.config import STUDIO_FOLDER

MAX_RUN_JSON_BYTES = 16 * 2**20  # bytes of settings.json and the like
MAX_SERVED_BYTES = 256 * 2**20  # bytes of a report or of an image grid
MAX_LOG_ROWS = 3000  # of a log that are kept; beyond that every second one is dropped
LOG_READ_BYTES = 8 * 2**20  # bytes of a log
MAX_LOGS = 12  # logs in memory
MAX_LISTED_RUNS = 2000
MAX_SHOWN_EVENTS = 500
RUNNING_SECONDS = 20.0  # seconds after the last line of its log within which a training counts as running
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
SAMPLE_FILE_NAME = re.compile(r"[0-9]{1,12}\.(png|wav|txt)")
SAMPLE_CONTENT_TYPES = {"png": "image/png", "wav": "audio/wav", "txt": "text/plain; charset=utf-8"}


@dataclass
class Log:
    """What was read of a log.jsonl so far."""

    identity: tuple[int, int] = (0, 0)
    offset: int = 0
    keep_every: int = 1
    seen: int = 0
    rows: list[JsonObject] = field(default_factory=list)
    """Rows of numbers."""
    events: list[JsonObject] = field(default_factory=list)
    """All other lines, the last ones."""
    last: JsonObject = field(default_factory=dict)
    """The newest row of numbers."""
    ended: bool = False


class Runs:
    """The runs in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._logs: OrderedDict[Path, Log] = OrderedDict()
        self._lock = threading.Lock()

    # --- which there are ------------------------------------------------------------------------------------------------

    def folders(self) -> dict[str, Path]:
        """Every run folder by its id: its name where that is plain, else a hash of it."""
        found: dict[str, Path] = {}
        if not self.folder.is_dir():
            return found
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if len(found) >= MAX_LISTED_RUNS:
                    break
                if entry.name == STUDIO_FOLDER or not entry.is_dir(follow_symlinks=False):
                    continue
                path = self.folder / entry.name
                if _is_file(path / "settings.json"):
                    found[run_id(entry.name)] = path
        return found

    def find(self, name: str) -> Path:
        """The folder of an id; RunError where there is none."""
        folders = self.folders()
        if name not in folders:
            raise RunError(f"there is no run {name[:100]!r} here: it may have been renamed or moved to the bin")
        return folders[name]

    def name_of(self, folder: Path) -> str:
        """The id of a run folder."""
        return run_id(folder.name)

    # --- what they hold -------------------------------------------------------------------------------------------------

    def cards(self) -> dict[Path, JsonObject]:
        """The card of every run by its folder; without those that are moved away while they are read."""
        found: dict[Path, JsonObject] = {}
        for folder in self.folders().values():
            with contextlib.suppress(FileNotFoundError):
                found[folder] = self.card(folder)
        return found

    def card(self, folder: Path) -> JsonObject:
        """What a card of the gallery shows. FileNotFoundError where the run is moved away meanwhile."""
        card: JsonObject = {"id": run_id(folder.name), "name": folder.name}
        try:
            info = old_names.read_info(read_json(folder / "settings.json"))
            spec = info["spec"]
            card |= {
                "method": str(info["method"]), "data": str(spec.get("name", "")), "kind": str(spec.get("kind", "images")),
                "count": spec.get("count"), "shape": [spec.get("channels"), spec.get("height"), spec.get("width")],
                "parameters": info.get("parameters"), "seed": info.get("seed"), "device": info.get("device"),
            }  # fmt: skip
            facts = catalog().get(card["method"])
            card["purposes"] = purposes_of(dict(facts)) if facts else []
            card["abilities"] = list(facts["abilities"]) if facts else []
        except (RunError, KeyError, TypeError, AttributeError, ValueError) as error:
            if not folder.exists():
                raise FileNotFoundError(folder) from error
            return {**card, "problem": f"its settings.json cannot be read: {error}", "state": "damaged"}
        log = self.log(folder)
        metrics = self.metrics(folder)
        grids = self.samples(folder)
        return {
            **card, "state": self.state(folder, log), "step": log.last.get("step", metrics.get("step", 0)),
            "progress": log.last.get("progress"), "seconds": log.last.get("seconds"), "figure": primary(metrics),
            "newest": grids[-1] if grids else None, "grids": len(grids), "changed": _changed(folder),
            "has_weights": _is_file(folder / "weights.safetensors"),
            "has_best": _is_file(folder / "best" / "weights.safetensors"),
            "has_report": _is_file(folder / "report.html"),
        }  # fmt: skip

    def state(self, folder: Path, log: Log) -> str:
        """ "finished", "training" or "stopped", by its log alone."""
        if log.ended:
            return "finished"
        path = folder / "log.jsonl"
        try:
            age = time.time() - path.stat().st_mtime
        except OSError:
            return "stopped"
        return "training" if age < RUNNING_SECONDS else "stopped"

    def detail(self, folder: Path) -> JsonObject:
        """Everything of a run but its curves."""
        card = self.card(folder)
        if card.get("state") == "damaged":
            return card
        info = read_json(folder / "settings.json")
        shown = (
            "settings",
            "data_settings",
            "budget",
            "precision",
            "why_precision",
            "machine",
            "versions",
            "preset",
            "ganvas",
        )
        log = self.log(folder)
        return {
            **card,
            "info": {name: info[name] for name in shown if name in info},
            "networks": info.get("networks", {}),
            "classes": list(info["spec"].get("classes", []))[:1000],
            "figures": self.metrics(folder),
            "best": _optional_json(folder / "best" / "metrics.json"),
            "audit": _optional_json(folder / "audit.json"),
            "has_audit_page": _is_file(folder / "audit.html"),
            "data_card": _optional_json(folder / "data.json"),
            "samples": self.samples(folder),
            "row": log.last,
            "events": log.events[-MAX_SHOWN_EVENTS:],
            "bytes": _size(folder),
        }

    def metrics(self, folder: Path) -> JsonObject:
        """metrics.json in the names of this version; {} where there is none."""
        content = _optional_json(folder / "metrics.json")
        return old_names.read_metrics(content) if content else {}

    def samples(self, folder: Path) -> list[str]:
        """Names of the grids, sounds and texts that the training wrote, in its order."""
        place = folder / "samples"
        if place.is_symlink() or not place.is_dir():
            return []
        names = [name for name in os.listdir(place) if SAMPLE_FILE_NAME.fullmatch(name)]
        return sorted(names, key=lambda name: (int(name.partition(".")[0]), name))

    def sample_file(self, folder: Path, name: str) -> tuple[Path, str]:
        """The file of one of these, and its type; RunError where there is none."""
        if not SAMPLE_FILE_NAME.fullmatch(name):
            raise RunError(f"there is no sample {name[:40]!r}: samples are named by their step, such as 00000100.png")
        place = folder / "samples"
        path = place / name
        if place.is_symlink() or not _is_file(path):
            raise RunError(f"this run has no sample {name}")
        return path, SAMPLE_CONTENT_TYPES[name.rpartition(".")[2]]

    def log(self, folder: Path) -> Log:
        """The log so far. Only what was added since the last call is read."""
        path = folder / "log.jsonl"
        with self._lock:
            log = self._logs.pop(folder, Log())
            if _is_file(path):
                log = _continued(path, os.lstat(path), log)
            self._logs[folder] = log
            while len(self._logs) > MAX_LOGS:
                self._logs.popitem(last=False)
            return log

    # --- changes --------------------------------------------------------------------------------------------------------

    def to_bin(self, folder: Path) -> str:
        """Moves a run to the bin and returns its id there."""
        place = self.folder / STUDIO_FOLDER / "bin"
        place.mkdir(parents=True, exist_ok=True)
        name = f"{int(time.time() * 1000)}-{folder.name}"
        os.rename(folder, place / name)
        return run_id(name)

    def in_bin(self) -> dict[str, Path]:
        """What is in the bin by id, the newest first."""
        place = self.folder / STUDIO_FOLDER / "bin"
        if not place.is_dir():
            return {}
        return {run_id(name): place / name for name in sorted(os.listdir(place), reverse=True)}

    def restore(self, name: str) -> str:
        """Takes a run out of the bin, under its old name or the next free one; returns that."""
        folders = self.in_bin()
        if name not in folders:
            raise RunError("this is not in the bin (any more)")
        wanted = folders[name].name.partition("-")[2]
        target, number = self.folder / wanted, 1
        while target.exists():
            number += 1
            target = self.folder / f"{wanted}-{number}"
        os.rename(folders[name], target)
        return target.name

    def empty_bin(self) -> int:
        """Deletes what is in the bin for good; returns how many runs that were."""
        folders = self.in_bin()
        for folder in folders.values():
            shutil.rmtree(folder)
        return len(folders)


def run_id(name: str) -> str:
    """What stands for a folder's name in addresses."""
    if PLAIN_NAME.fullmatch(name):
        return name
    return "run-" + hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def primary(metrics: JsonObject) -> JsonObject | None:
    """Name, value and reference of the figure by which runs are compared."""
    figures = metrics.get("metrics")
    if not isinstance(figures, dict):
        return None
    for name, figure in figures.items():
        if isinstance(figure, dict) and figure.get("primary"):
            return {
                "name": name,
                "value": figure.get("value"),
                "reference": figure.get("reference"),
                "better": figure.get("better"),
            }
    return None


def curves(log: Log) -> JsonObject:
    """The rows of a log as one list of values a name; None where a row lacks it."""
    names: dict[str, None] = {}
    for row in log.rows:
        for name, value in row.items():
            if isinstance(value, int | float):
                names[name] = None
    columns = {name: [_number(row.get(name)) for row in log.rows] for name in names}
    return {"names": list(names), "columns": columns}


def read_json(path: Path) -> JsonObject:
    """A JSON object from a regular file of bounded size; RunError says what is wrong with it."""
    try:
        if not _is_file(path):
            raise RunError(f"{path.name} is missing")
        with open(path, "rb") as file:
            content = file.read(MAX_RUN_JSON_BYTES + 1)
    except OSError as error:
        raise RunError(f"{path.name} cannot be read: {error.strerror}") from error
    if len(content) > MAX_RUN_JSON_BYTES:
        raise RunError(f"{path.name} is larger than {MAX_RUN_JSON_BYTES} bytes")
    try:
        value = parse_json(content)
    except ValueError as error:
        raise RunError(f"{path.name} is not valid JSON") from error
    if not isinstance(value, dict):
        raise RunError(f"{path.name} holds no JSON object")
    return value


def _optional_json(path: Path) -> JsonObject:
    try:
        return read_json(path)
    except RunError:
        return {}


def _continued(path: Path, state: os.stat_result, log: Log) -> Log:
    """The log with the lines that were added."""
    identity = (state.st_dev, state.st_ino)
    if log.identity != identity or state.st_size < log.offset:
        log = Log(identity)
    with open(path, "rb") as file:
        file.seek(log.offset)
        while True:
            block = file.read(LOG_READ_BYTES)
            whole = block.rfind(b"\n") + 1
            if not whole:
                if len(block) == LOG_READ_BYTES:  # one line of many megabytes is none of ours
                    log.offset += len(block)
                    continue
                break
            for line in block[:whole].splitlines():
                _add(log, line)
            log.offset += whole
            file.seek(log.offset)
    return log


def _add(log: Log, line: bytes) -> None:
    try:
        row: Any = parse_json(line)
    except ValueError:
        return
    if not isinstance(row, dict):
        return
    row = old_names.read_row(row)
    event = row.get("event")
    if event is None:
        log.last = row
        log.ended = False
        if log.seen % log.keep_every == 0:
            log.rows.append(row)
        log.seen += 1
        if len(log.rows) > MAX_LOG_ROWS:
            del log.rows[1::2]
            log.keep_every *= 2
        return
    if event == "health":
        return
    log.ended = event == "finished"
    log.events.append(row)
    if len(log.events) > 2 * MAX_SHOWN_EVENTS:
        del log.events[:MAX_SHOWN_EVENTS]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if value == value and abs(value) != float("inf") else None


def _is_file(path: Path) -> bool:
    """A regular file that is no link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _changed(folder: Path) -> float:
    times = [folder.stat().st_mtime]
    for name in ("log.jsonl", "metrics.json"):
        if _is_file(folder / name):
            times.append((folder / name).stat().st_mtime)
    return max(times)


def _size(folder: Path) -> int:
    """Bytes of all its files."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total
