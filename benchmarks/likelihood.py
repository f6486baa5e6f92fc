"""How likely a method finds held-out images, after so many minutes of one budget.

    python benchmarks/likelihood.py METHOD [--preset small] [--data digits] [--minutes 6] [--seeds 0 1]
        [--importance-samples 500] [--set key=value] [--out DIR] [--json]

Trains, then measures the first 10,000 images of the test split at most (`--n` fewer): nats an image, or bits a value,
exact or a bound by 1 and by `--importance-samples` draws. Minutes are of processor time, all threads together. --out keeps
the runs, and takes those that are there as done. --data takes a path too: an .npz of all of MNIST (x_train, y_train, x_test,
y_test) opens as it is.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from common import Table, facts, finish, folder_of, make_parser, mean_and_spread, parse, steps_of, train_run

from ganvas.abilities import HasLikelihood
from ganvas.data import Dataset, open_data
from ganvas.metrics import likelihood


def row(options: argparse.Namespace, data: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """One training and what it says of the test split."""
    out = folder / f"{options.method}-{options.preset}-{data.name}-{seed}"
    run = train_run(
        options.method, data, out, minutes=options.minutes, seed=seed, preset=options.preset, settings=options.settings,
        clock=options.clock,
    )  # fmt: skip
    if not isinstance(run.method, HasLikelihood):
        sys.exit(f"{options.method} does not say how likely an image is")
    figures = likelihood.measure_likelihood(run.method, data, samples=options.importance_samples, examples=options.n)
    figure = next(iter(figures.values()))
    return {"seed": seed, "steps": steps_of(run), **figure.as_dict()}


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(
        __doc__, minutes=6, seeds=(0,), preset="small", out="", clock="processor", settings="KEY=VALUE"
    )
    parser.add_argument("method")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--importance-samples", type=int, default=500)
    parser.add_argument("--n", type=int, default=likelihood.MAX_EXAMPLES)
    options = parse(parser, arguments)
    data, rows = open_data(options.data), []
    table = Table(["seed", "steps", "value", "by one draw", "unit", "bound or exact", "n", "note"], options)
    with folder_of(options) as folder:
        for seed in options.seeds:
            found = row(options, data, seed, folder)
            rows.append(found)
            by_one = found.get("value_at_1", "")
            kind = found["bound_or_exact"]
            table.row(
                seed, found["steps"], found["value"], by_one, found["unit"], kind, found["n"], found.get("note", "")
            )
    mean, spread = mean_and_spread([found["value"] for found in rows])
    report = {**facts(options), "data": data.name, "mean": mean, "spread": spread, "rows": rows}
    finish(options, report, f"mean {mean:.2f} ± {spread:.2f} of {len(rows)} seeds")


if __name__ == "__main__":
    main()
