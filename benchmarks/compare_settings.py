"""Settings of one or several methods against each other: the same data, processor time and seeds, one line each as it is done.

    python benchmarks/compare_settings.py "r3gan" "r3gan lr=0.006" "dcgan:small lr=0.006 batch_size=16" \
        [--data digits] [--minutes 1] [--seeds 0 1 2] [--out runs/compare_settings]

A candidate is METHOD[:PRESET] and its settings. Results are kept in OUT/results.jsonl; what stands there is not trained again,
so that a search goes on where it stopped, and what failed stays on record.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import Table, facts, make_parser, parse, read_settings, shown, steps_of, train_run

from ganvas.data import Dataset, open_data
from ganvas.figure import figures_as_dict
from ganvas.metrics import measure

FIGURES = ("FD", "precision", "recall", "coverage", "modes")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=1, seeds=(0,), out="runs/compare_settings", threads=1)
    parser.add_argument("candidates", nargs="+", metavar="METHOD[:PRESET] KEY=VALUE ...")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--samples", type=int, default=2000)
    options = parse(parser, arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    data = open_data(options.data)
    results = options.out / "results.jsonl"
    rows: list[dict[str, Any]] = []
    table = Table(["candidate", "seeds", "steps", *FIGURES], options)
    for candidate in options.candidates:
        group: list[dict[str, Any]] = []
        for seed in options.seeds:
            key = {"candidate": candidate, "data": options.data, "minutes": options.minutes, "seed": seed}
            row = known(results, key)
            if row is None:
                row = {**key, **trained(candidate, data, options.minutes, seed, options.samples), **facts(options)}
                with results.open("a") as file:
                    file.write(json.dumps(row) + "\n")
            group.append(row)
        cells: list[str] = []
        for figure in FIGURES:
            cells.append(shown([value_of(row["metrics"], figure) for row in group]))
        table.row(candidate, len(group), shown([row["steps"] for row in group], spread=False), *cells)
        rows += group
    if options.json:
        print(json.dumps(rows))


def known(results: Path, key: dict[str, Any]) -> dict[str, Any] | None:
    """The result of this candidate, data, budget and seed, where it is on record."""
    if not results.exists():
        return None
    for line in results.read_text().splitlines():
        row = json.loads(line)
        if all(row[name] == value for name, value in key.items()):
            return row
    return None


def value_of(metrics: dict[str, Any], figure: str) -> float:
    """The value of "FD", whatever its features: FD[digits]."""
    for name, fields in metrics.items():
        if name.partition("[")[0] == figure:
            return fields["value"]
    return math.nan


def trained(candidate: str, data: Dataset, minutes: float, seed: int, samples: int) -> dict[str, Any]:
    """Steps and figures of one training."""
    name, *pairs = candidate.split()
    method, _, preset = name.partition(":")
    place = Path(tempfile.mkdtemp())
    try:
        run = train_run(
            method,
            data,
            place / "run",
            minutes=minutes,
            seed=seed,
            preset=preset or None,
            settings=read_settings(pairs),
        )
        images = run.sample(samples, seed=1_000_000)
        return {"steps": steps_of(run), "metrics": figures_as_dict(measure(images, data, data.part("test")))}
    finally:
        shutil.rmtree(place)


if __name__ == "__main__":
    main()
