"""Every GAN here, and what it is compared with, in one table: the same data, minutes and measures. It takes hours, and continues
where it stopped.

    python benchmarks/gan_table.py [--out runs/gan_table] [--minutes 5] [--seeds 0 1 2] [--page docs/experiments/gan_table.md]

Each run is a process of its own with one thread and a budget of processor time, so that a busy machine favours nobody; two may
run side by side (--at-once 2). Digits get every seed, the other sets the first one. --sets takes the three that ganvas has by
itself, which are the default, and anything that `ganvas train` takes, under NAME=PATH or its own name, such as
fashion_mnist=/usr/share/datasets/fashion-mnist. A method comes in the preset named after the set, else `small`, `cpu` or its
defaults: see the table's column. One that stands on another run (a prior over codes) shares its minutes with it, half each.
What is done is kept in OUT/*.json and not done again; --page writes the tables of all that is there, a group for each budget,
and the same as JSON beside it. What the JSON has of before and OUT has not is kept, so that the page grows over several
sessions.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import NEVER, facts, make_parser, parse, shown, steps_of, train_run

if TYPE_CHECKING:
    from ganvas.run import Run

SETS = {"digits": 2000, "stacked_digits": 5000, "emoji": 1720}  # samples measured; of any other set OTHERS
OTHERS = 2000
SHOWN = {
    "FD": "FD", "KD": "KD", "precision": "precision", "recall": "recall", "coverage": "coverage", "modes": "modes",
    "KL": "KL", "copies": "copies",
}  # fmt: skip
FACTS = ("images_per_second", "parameters", "memory_mb", "total_seconds")
PRESETS = ("small", "cpu")
KEY = ("minutes", "data", "method", "seed")  # what a result is of
FIRST_STAGE = "vq_vae"  # what a prior over codes stands on


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=5, seeds=(0, 1, 2), out="runs/gan_table", threads=1)
    parser.add_argument("--methods", nargs="+", help="default: all that generate from nothing")
    parser.add_argument("--sets", nargs="+", default=list(SETS), metavar="SET", help="a name, a path, or NAME=PATH")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--only-page", action="store_true", help="train nothing")
    parser.add_argument("--one", nargs=3, metavar=("METHOD", "SET", "SEED"), help=argparse.SUPPRESS)
    options = parse(parser, arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.one:
        name, data, seed = options.one
        run_one(options.out, name, data, int(seed), options.minutes)
        return
    cells = list(wanted(options.methods or generators(), options.sets, options.seeds))
    if not options.only_page:
        missing = [cell for cell in cells if not result_file(options.out, *cell, options.minutes).exists()]
        train_all(options.out, missing, options.minutes, options.at_once)
    rows = [json.loads(path.read_text()) for path in sorted(options.out.glob("*.json"))]
    if options.page:
        write_page(options.page, rows)
    if options.json:
        print(json.dumps(rows))


# --- what to run ----------------------------------------------------------------------------------------------------------


def generators() -> list[str]:
    """Every method that makes images from nothing but numbers and labels."""
    from ganvas.abilities import Samples
    from ganvas.registry import find, method_names

    found = {name: find(name) for name in method_names()}
    return [name for name, kind in found.items() if issubclass(kind, Samples) and "images" in kind.takes]


def wanted(methods: Iterable[str], sets: Iterable[str], seeds: list[int]) -> Iterable[tuple[str, str, int]]:
    """Seeds first: an unfinished table has every method."""
    for index, seed in enumerate(seeds):
        for data in sets:
            if index == 0 or data == "digits":
                yield from ((name, data, seed) for name in methods)


def result_file(work: Path, name: str, data: str, seed: int, minutes: float) -> Path:
    return work / f"{name}-{named(data)[0]}-{seed}-{minutes:g}min.json"


def named(data: str) -> tuple[str, str]:
    """The name of a set in the table, and what open_data reads: both halves of NAME=PATH, or one word for both."""
    name, equals, path = data.partition("=")
    return (name, path) if equals else (Path(data).stem, data)


def train_all(work: Path, cells: list[tuple[str, str, int]], minutes: float, at_once: int) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running: list[tuple[subprocess.Popen[bytes], tuple[str, str, int]]] = []
    waiting = list(cells)
    while waiting or running:
        while waiting and len(running) < at_once:
            cell = waiting.pop(0)
            if result_file(work, *cell, minutes).exists():  # by another process meanwhile
                continue
            command = [
                sys.executable,
                __file__,
                "--out",
                str(work),
                "--minutes",
                str(minutes),
                "--one",
                *map(str, cell),
            ]
            running.append((subprocess.Popen(command, env=environment), cell))
        for process, cell in list(running):
            if process.poll() is not None:
                running.remove((process, cell))
                print(*cell, "done" if process.returncode == 0 else f"FAILED ({process.returncode})", flush=True)
        time.sleep(0.5)


def run_one(work: Path, name: str, data: str, seed: int, minutes: float) -> None:
    """Trains, measures, writes one result and 64 images, seeds 0 to 63; the run folder keeps its log, not its checkpoints."""
    from ganvas.abilities import TwoStage
    from ganvas.data import open_data
    from ganvas.registry import find, presets
    from ganvas.training.engine import peak_memory

    began = time.perf_counter()
    place = result_file(work, name, data, seed, minutes)
    data, path = named(data)
    dataset = open_data(path)
    out = work / f"{name}-{data}-{seed}"
    stages = [name]
    if issubclass(find(name), TwoStage):
        stages.insert(0, FIRST_STAGE)
    runs: list[Run] = []
    for stage in stages:
        preset = next((known for known in (data, *PRESETS) if known in presets(stage)), None)
        folder = out if stage == name else out.with_name(f"{out.name}-{stage}")
        shutil.rmtree(folder, ignore_errors=True)
        codes = runs[-1].folder if runs else None
        runs.append(
            train_run(
                stage, dataset, folder, minutes=minutes / len(stages), seed=seed, preset=preset, codes=codes,
                samples=SETS.get(data, OTHERS) if stage == name else 0, evaluate_every=NEVER, checkpoint_every=NEVER,
            )
        )  # fmt: skip
        shutil.rmtree(folder / "checkpoints")
    run = runs[-1]
    log = list(run.log())
    finished = [row for row in log if row.get("event") == "finished"][-1]
    logged = [row for row in log if "images_seen" in row][-1]
    measured = [row for row in log if "metrics" in row][-1]
    method = run.method
    result = {
        "method": " + ".join(stages), "data": data, "seed": seed, "preset": run.info["preset"] or "defaults", "minutes": minutes,
        "steps": steps_of(run), "images_seen": logged["images_seen"],
        "images_per_second": round(logged["images_seen"] / finished["seconds"], 1),
        "parameters": sum(parameter.numel() for parameter in method.parameters()),
        "memory_mb": round(peak_memory(next(method.parameters()).device) / 2**20),
        "precision_used": run.info["precision"], **facts(argparse.Namespace()),
        "metrics": measured["metrics"],
        "findings": [finding.name for finding in run.doctor().findings],
        "total_seconds": round(time.perf_counter() - began, 1),
    }  # fmt: skip
    run.sample(64, seed=0).save(place.with_suffix(".png"))
    place.with_suffix(".part").write_text(json.dumps(result, indent=1))
    place.with_suffix(".part").rename(place)


# --- the page -------------------------------------------------------------------------------------------------------------


def write_page(page: Path, rows: list[dict[str, Any]]) -> None:
    """The tables as Markdown, and every result as JSON beside it, with those that the JSON had before."""
    stored = page.with_suffix(".json")
    before = json.loads(stored.read_text()) if stored.exists() else []
    merged = {tuple(row[name] for name in KEY): row for row in [*before, *rows]}
    rows = [merged[key] for key in sorted(merged)]
    stored.write_text(json.dumps(rows, indent=1) + "\n")
    top, _, after = (page.read_text() if page.exists() else HEAD).partition(MARKS[0])
    after = after.partition(MARKS[1])[2]
    page.write_text("".join([top, MARKS[0], "\n\n", *tables(rows), MARKS[1], after or "\n"]))


MARKS = "<!-- written by benchmarks/gan_table.py -->", "<!-- end -->"
HEAD = "# Every GAN here, and what it is compared with, in one table\n\n"


def tables(rows: list[dict[str, Any]]) -> Iterable[str]:
    if not rows:
        yield "No results yet.\n\n"
        return
    for minutes in sorted({row["minutes"] for row in rows}, reverse=True):
        group = [row for row in rows if row["minutes"] == minutes]
        dates = sorted({row["date"] for row in group})
        machines = "; ".join(sorted({row["machine"] for row in group}))
        precisions = " and ".join(sorted({row["precision_used"] for row in group}))
        budget = f"{minutes:g} minute" + "s" * (minutes != 1)
        days = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
        yield f"## {budget.capitalize()}\n\n`python benchmarks/gan_table.py --minutes {minutes:g}`, {days}, {machines}; "
        yield f"one thread, {budget} of processor time per run, {precisions}.\n\n"
        for data in dict.fromkeys([*SETS, *sorted(row["data"] for row in group)]):
            here = [row for row in group if row["data"] == data]
            if here:
                yield from table(f"{data}, {budget}", SETS.get(data, OTHERS), here)


def table(title: str, count: int, rows: list[dict[str, Any]]) -> Iterable[str]:
    names = columns(rows[0]["metrics"])
    methods = sorted({row["method"] for row in rows}, key=lambda name: mean(rows, name, names["FD"]))
    yield f"### {title}\n\n{count:,} samples, {names['FD']}. Mean over seeds, ± standard deviation where there are several.\n\n"
    yield (
        "| method | preset | seeds | computed in | "
        + " | ".join([*names, *(fact.replace("_", " ") for fact in FACTS), "doctor finds"])
        + " |\n"
    )
    yield "| --- " * (5 + len(names) + len(FACTS)) + "|\n"
    references = [shown([row["metrics"][key]["reference"] for row in rows[:1]]) for key in names.values()]
    yield "| *reference* | | | | " + " | ".join(references) + " |" * (2 + len(FACTS)) + "\n"
    for name in methods:
        mine = [row for row in rows if row["method"] == name]
        cells = [shown([row["metrics"][key]["value"] for row in mine]) for key in names.values()]
        facts = [shown([float(row[fact]) for row in mine], spread=False) for fact in FACTS]
        kinds = ", ".join(sorted({row["precision_used"] for row in mine}))
        start = f"| {name} | {mine[0]['preset']} | {len(mine)} | {kinds} | "
        yield start + " | ".join([*cells, *facts, found(mine)]) + " |\n"
    yield "\n"


def found(rows: list[dict[str, Any]]) -> str:
    """The doctor's findings, with the number of runs that have one where it is not all; older results have none."""
    kept = [row["findings"] for row in rows if "findings" in row]
    counts = Counter(name for findings in kept for name in findings)
    names = [f"`{name}`" + f" ({count} of {len(kept)})" * (count < len(kept)) for name, count in counts.most_common()]
    return ", ".join(names) or "nothing" * bool(kept)


def columns(metrics: dict[str, Any]) -> dict[str, str]:
    """{"FD": "FD[digits]", ...}: the figures that this set has."""
    return {short: key for short in SHOWN for key in metrics if key == short or key.startswith(f"{short}[")}


def mean(rows: list[dict[str, Any]], name: str, key: str) -> float:
    return statistics.fmean(row["metrics"][key]["value"] for row in rows if row["method"] == name)


if __name__ == "__main__":
    main()
