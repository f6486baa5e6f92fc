"""How likely a method finds held-out images, after so many minutes of one budget.

    python benchmarks/likelihood.py METHOD [--preset small] [--data digits] [--minutes 6] [--seeds 0 1]
        [--importance-samples 500] [--set key=value] [--work DIR] [--json]

Trains, then measures the first 10,000 images of the test split at most (`--n` fewer): nats an image, or bits a value,
exact or a bound by 1 and by `--importance-samples` draws. Minutes are of processor time, all threads together. --work keeps
the runs, and takes those that are there as done. --data takes a path too: an .npz of all of MNIST (x_train, y_train, x_test,
y_test) opens as it is.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from budget import finished, read_settings, trained

from ganvas.abilities import HasLikelihood
from ganvas.data import Dataset, open_data
from ganvas.metrics import likelihood
from ganvas.run import Run


def run_of(options: argparse.Namespace, data: Dataset, seed: int, folder: Path) -> Run:
    """The run of a seed: the one that is there, or a new one."""
    out = folder / f"{options.method}-{options.preset}-{data.name}-{seed}"
    return finished(out) or trained(
        options.method, data, out, minutes=options.minutes, seed=seed, preset=options.preset,
        settings=read_settings(options.set), clock=options.clock,
    )  # fmt: skip


def row(options: argparse.Namespace, data: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """One training and what it says of the test split."""
    run = run_of(options, data, seed, folder)
    if not isinstance(run.method, HasLikelihood):
        sys.exit(f"{options.method} does not say how likely an image is")
    figures = likelihood.measure_likelihood(run.method, data, samples=options.importance_samples, examples=options.n)
    entry = next(iter(figures.values()))
    last = [one for one in run.log() if "step" in one][-1]
    return {"seed": seed, "steps": last["step"], **entry.as_dict()}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("method")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--minutes", type=float, default=6)
    parser.add_argument("--clock", choices=("processor", "wall"), default="processor")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--importance-samples", type=int, default=500)
    parser.add_argument("--n", type=int, default=likelihood.MAX_EXAMPLES)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--work", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    data, rows = open_data(options.data), []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            found = row(options, data, seed, options.work or Path(scratch))
            rows.append(found)
            by_one = f" ({found['value_at_1']:.2f} by one draw)" if "value_at_1" in found else ""
            print(
                f"seed {seed}: {found['value']:.2f} {found['unit']}, {found['bound_or_exact']}{by_one}, "
                f"n {found['n']}, after {found['steps']} steps; {found.get('note', '')}",
                file=sys.stderr if options.json else sys.stdout, flush=True,
            )  # fmt: skip
    mean = statistics.mean(found["value"] for found in rows)
    if options.json:
        print(json.dumps({"method": options.method, "data": data.name, "minutes": options.minutes, "rows": rows}))
    else:
        print(f"mean {mean:.2f} of {len(rows)} seeds")


if __name__ == "__main__":
    main()
