"""What the benchmarks share: options, trainings with a budget of processor time, means over seeds, tables and the machine."""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import torch

from ganvas.data import Dataset
from ganvas.run import Run, is_run
from ganvas.training.callbacks import Callback
from ganvas.training.config import TrainConfig
from ganvas.training.engine import machine_name
from ganvas.training.prepare import prepare

NEVER = 10**9  # steps between evaluations, or checkpoints: only at the end of the training
CLOCKS = {"processor": time.process_time, "wall": time.perf_counter}

# --- options --------------------------------------------------------------------------------------------------------------


def make_parser(
    doc: str | None, *, minutes: float | Sequence[float] | None = None, seeds: Sequence[int] = (), preset: str | None = None,
    out: str | None = None, threads: int | None = None, clock: str | None = None, settings: str | None = None,
) -> argparse.ArgumentParser:  # fmt: skip
    """A parser with --threads, --json and the other common options, each where its default is given here.

    `out` "" is a temporary folder (see `folder_of`), `threads` None what PyTorch chooses. `settings` describes --set.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    if isinstance(minutes, int | float):
        parser.add_argument("--minutes", type=float, default=float(minutes), help="of processor time for each training")
    elif minutes is not None:
        parser.add_argument("--minutes", type=float, nargs=len(minutes), default=list(minutes), help="of each stage")
    if seeds:
        parser.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    if preset:
        parser.add_argument("--preset", default=preset)
    if settings:
        parser.add_argument("--set", dest="settings", action="append", default=[], metavar=settings)
    if clock:
        parser.add_argument("--clock", choices=tuple(CLOCKS), default=clock, help="processor: for a busy machine")
    if out is not None:
        where = "finished runs in it are not trained again; default: " + (out or "a temporary folder")
        parser.add_argument("--out", type=Path, default=Path(out) if out else None, metavar="DIR", help=where)
    parser.add_argument("--threads", type=int, default=threads, help="default: " + (str(threads) if threads else "all"))
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def sampling_parser(doc: str | None, forwards: int) -> argparse.ArgumentParser:
    """Options of a benchmark that compares cached sampling with a plain loop."""
    parser = make_parser(doc, preset="small", clock="wall")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64], help="samples generated together")
    parser.add_argument("--forwards", type=int, default=forwards, help="timed passes of the plain loop, large batches")
    parser.add_argument("--whole", type=int, default=1, help="largest batch that the plain loop generates to its end")
    return parser


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The options, with `settings` as a dict; sets PyTorch's number of threads."""
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    if isinstance(getattr(options, "settings", None), list):
        options.settings = read_settings(options.settings)
    return options


def read_settings(pairs: Sequence[str]) -> dict[str, str]:
    """{"pack": "3"} of ["pack=3"]."""
    for pair in pairs:
        if "=" not in pair:
            sys.exit(f"--set takes key=value (got {pair})")
    return dict(pair.split("=", 1) for pair in pairs)


def settings_under(prefix: str, settings: Mapping[str, str]) -> dict[str, str]:
    """Those of `settings` whose keys start with "prefix.", without it."""
    start = prefix + "."
    return {key.removeprefix(start): value for key, value in settings.items() if key.startswith(start)}


@contextlib.contextmanager
def folder_of(options: argparse.Namespace) -> Iterator[Path]:
    """--out, or a temporary folder."""
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        yield options.out
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


# --- trainings ------------------------------------------------------------------------------------------------------------


def train_run(
    method: str, data: Dataset | str, out: Path, *, minutes: float, seed: int, preset: str | None = "small",
    settings: Mapping[str, Any] | None = None, clock: str = "processor", samples: int = 0,
    callbacks: Sequence[Callback] = (), **more: Any,
) -> Run:  # fmt: skip
    """The finished run in `out`; trained here, or continued where it stopped, unless it is finished.

    `clock` is "processor" (the time of all threads together, so that a busy machine gives every method the same) or "wall".
    With `samples` the run is measured and saved on the way, as a training is otherwise; without, only at its end. `more` are
    other fields of TrainConfig.
    """
    run = finished_run(out)
    if run is not None:
        return run
    every = None if samples else NEVER
    defaults = {"samples": samples, "evaluate_every": every, "checkpoint_every": every}
    config = TrainConfig(
        method, data, out=out, minutes=minutes, seed=seed, preset=preset, settings=dict(settings or {}),
        resume="auto" if is_run(out) else None, callbacks=tuple(callbacks), **{**defaults, **more},
    )  # fmt: skip
    session = prepare(config)
    session.use_clock(CLOCKS[clock])
    try:
        return session.run()
    finally:
        session.engine.close()


def finished_run(out: Path) -> Run | None:
    """The run in `out`, where its training came to its end."""
    if not is_run(out):
        return None
    run = Run(out)
    return run if any(row.get("event") == "finished" for row in run.log()) else None


def steps_of(run: Run) -> int:
    """Steps that a finished run took."""
    return [row["step"] for row in run.log() if row.get("event") == "finished"][-1]


# --- what is printed ------------------------------------------------------------------------------------------------------


def facts(options: argparse.Namespace, device: str | torch.device = "cpu") -> dict[str, Any]:
    """What figures belong to: machine, versions, date, and the options."""
    asked = {name: value for name, value in vars(options).items() if name not in ("json", "threads", "out")}
    return {
        "machine": machine_name(torch.device(device)), "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **{name: str(value) if isinstance(value, Path) else value for name, value in asked.items()},
    }  # fmt: skip


def heading(about: Mapping[str, Any]) -> str:
    """`facts` in a line."""
    words = [f"{about['machine']}, threads {about['threads']}, torch {about['torch']}, {about['date']}"]
    for name, value in about.items():
        if name not in ("machine", "cores", "threads", "torch", "date") and value not in (None, [], {}):
            words.append(f"{name} {' '.join(map(str, value)) if isinstance(value, list) else value}")
    return ", ".join(words)


def progress_file(options: argparse.Namespace) -> TextIO:
    """Where lines go that are no result: stderr where --json asks for one object on stdout."""
    return sys.stderr if options.json else sys.stdout


def mean_and_spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and standard deviation over seeds; that of a single one is 0."""
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def shown(values: Sequence[float], spread: bool = True) -> str:
    """Mean ± standard deviation over seeds, three digits each."""
    mean, deviation = mean_and_spread(values)
    return f"{digits(mean)} ± {digits(deviation)}" if spread and len(values) > 1 else digits(mean)


T_975 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # of Student's distribution, by the number of seeds


def with_means(rows: Sequence[dict[str, Any]], *but: str) -> list[dict[str, Any]]:
    """`rows`, then for each "what" of several seeds their means with half of a 95 % interval (t distribution); not of the keys
    `but`."""
    groups: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for row in rows:
        groups[row["what"]].append(row)
    means: list[dict[str, Any]] = []
    for what, group in groups.items():
        if len(group) < 2:
            continue
        mean: dict[str, Any] = {"what": what, "seed": "mean"}
        for key in group[0]:
            if key in ("what", "seed"):
                continue
            if key in but or not all(isinstance(row[key], int | float) for row in group):
                mean[key] = ""
                continue
            values = [row[key] for row in group]
            half = T_975[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
            mean[key] = f"{statistics.mean(values):.3g} ± {half:.2g}"
        means.append(mean)
    return [*rows, *means]


def digits(value: float) -> str:
    """Three significant digits."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


class Table:
    """A Markdown table, printed a row at a time under a title: what the figures belong to, where none is given."""

    def __init__(self, columns: Sequence[str], options: argparse.Namespace, title: str = "") -> None:
        self.out = progress_file(options)
        self.widths = [max(8, len(name)) for name in columns]
        print(title or heading(facts(options)), end="\n\n", file=self.out)
        self._print(columns)
        self._print(["---", *["---:"] * (len(columns) - 1)])

    def row(self, *cells: object) -> None:
        """Floats with three digits, others as they are."""
        self._print([digits(cell) if isinstance(cell, float) else str(cell) for cell in cells])

    def _print(self, cells: Sequence[str]) -> None:
        padded = [cell.ljust(width) for cell, width in zip(cells, self.widths, strict=True)]
        print("| " + " | ".join(padded) + " |", file=self.out, flush=True)


def best_seconds(calls: Sequence[Callable[[], object]], rounds: int, clock: Callable[[], float]) -> list[float]:
    """The shortest time of each call over all rounds, in which they take turns."""
    best = [math.inf] * len(calls)
    for _ in range(rounds):
        for number, call in enumerate(calls):
            began = clock()
            call()
            best[number] = min(best[number], clock() - began)
    return best


def print_rows(rows: Sequence[Mapping[str, Any]], options: argparse.Namespace, about: Mapping[str, Any]) -> None:
    """All rows as a table, or the whole report as one JSON object; every row has the same keys."""
    if options.json:
        print(json.dumps({**about, "rows": rows}))
        return
    table = Table([name.replace("_", " ") for name in rows[0]], options, heading(about))
    for row in rows:
        table.row(*row.values())


def finish(options: argparse.Namespace, report: Mapping[str, Any], *lines: str) -> None:
    """Prints the report as one JSON object, or the lines."""
    print(json.dumps(report) if options.json else "\n".join(lines))
