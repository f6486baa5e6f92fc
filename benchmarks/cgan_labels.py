"""Of the digits asked for, how many are that digit? Read by the shipped digit network.

    python benchmarks/cgan_labels.py [--minutes 3] [--seeds 0 1 2] [--per-class 100] [--set join=concat] [--json]

Trains a conditional method on the built-in digits, `--minutes` of processor time a seed, then asks for each of the ten
classes. `reference` is what the network reads in held-out real digits: it measures no better than that. Coverage and
FD[digits] stand beside it, since one good image of each class would read as well.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from budget import read_settings, trained

from ganvas.data import Dataset, open_data
from ganvas.metrics import label_accuracy, measure
from ganvas.run import Run


def asked_for(run: Run, data: Dataset, per_class: int) -> dict[str, Any]:
    """label_accuracy of `per_class` images of each class, each of a seed of its own, and how varied they are."""
    classes = run.spec.classes
    images = [run.sample(per_class, seed=number * per_class, label=number) for number in range(len(classes))]
    labels = np.repeat(np.arange(len(classes)), per_class)
    figures = measure(np.concatenate(images), data, data.part("test"))
    varied = {name: figures[name].value for name in ("FD[digits]", "coverage", "recall")}
    return {**label_accuracy(np.concatenate(images), labels, classes).as_dict(), **varied}


def reference_of(data: Dataset) -> float:
    """label_accuracy of the held-out images under their own labels."""
    test = data.part("test")
    assert test is not None and test.labels is not None
    return label_accuracy(test.images, test.labels, data.spec.classes).value


def row(options: argparse.Namespace, data: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """One training and its figure."""
    run = trained(
        options.method, data, folder / f"{options.method}-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
        settings=read_settings(options.set), clock=options.clock,
    )  # fmt: skip
    last = list(run.log())[-1]
    return {"seed": seed, "steps": last["step"], **asked_for(run, data, options.per_class)}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--method", default="cgan")
    parser.add_argument("--preset", default="small")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--clock", choices=("processor", "wall"), default="processor")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--data", default="digits", help="data that the digit network reads")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    options = parser.parse_args(arguments)
    data = open_data(options.data)
    reference, rows = reference_of(data), []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            rows.append(row(options, data, seed, options.out or Path(scratch)))
            shares = " ".join(f"{name}:{share:.2f}" for name, share in rows[-1]["by_class"].items())
            line = (
                f"seed {seed}: {rows[-1]['value']:.4f} of {rows[-1]['n']} after {rows[-1]['steps']} steps, FD[digits]"
                f" {rows[-1]['FD[digits]']:.1f}, coverage {rows[-1]['coverage']:.3f}, recall {rows[-1]['recall']:.3f}   {shares}"
            )
            print(line, file=sys.stderr if options.json else sys.stdout, flush=True)
    values = [found["value"] for found in rows]
    report = {
        "method": options.method, "preset": options.preset, "set": read_settings(options.set), "minutes": options.minutes,
        "clock": options.clock, "threads": torch.get_num_threads(), "reference": reference, "mean": statistics.mean(values),
        "least": min(values), "rows": rows,
    }  # fmt: skip
    if options.json:
        print(json.dumps(report))
        return
    print(f"mean {report['mean']:.4f}, least {report['least']:.4f}; held-out real digits {reference:.4f}")


if __name__ == "__main__":
    main()
