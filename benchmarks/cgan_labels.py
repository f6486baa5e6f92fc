"""Of the digits asked for, how many are that digit? Read by the shipped digit network.

    python benchmarks/cgan_labels.py [--minutes 3] [--seeds 0 1 2] [--per-class 100] [--set join=concat] [--json]

Trains a conditional method on the built-in digits, `--minutes` of processor time a seed, then asks for each of the ten
classes. `reference` is what the network reads in held-out real digits: it measures no better than that. Coverage and
FD[digits] stand beside it, since one good image of each class would read as well.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from common import Table, facts, finish, folder_of, make_parser, mean_and_spread, parse, steps_of, train_run

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
    run = train_run(
        options.method, data, folder / f"{options.method}-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
        settings=options.settings, clock=options.clock,
    )  # fmt: skip
    return {"seed": seed, "steps": steps_of(run), **asked_for(run, data, options.per_class)}


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(
        __doc__, minutes=3, seeds=(0, 1, 2), preset="small", out="", clock="processor", settings="KEY=VALUE"
    )
    parser.add_argument("--method", default="cgan")
    parser.add_argument("--per-class", type=int, default=100)
    parser.add_argument("--data", default="digits", help="data that the digit network reads")
    options = parse(parser, arguments)
    data = open_data(options.data)
    reference, rows = reference_of(data), []
    table = Table(["seed", "steps", "accuracy", "FD[digits]", "coverage", "recall", "accuracy by class"], options)
    with folder_of(options) as folder:
        for seed in options.seeds:
            found = row(options, data, seed, folder)
            rows.append(found)
            shares = " ".join(f"{name}:{share:.2f}" for name, share in found["by_class"].items())
            table.row(
                seed, found["steps"], found["value"], found["FD[digits]"], found["coverage"], found["recall"], shares
            )
    values = [found["value"] for found in rows]
    mean, spread = mean_and_spread(values)
    report = {
        **facts(options),
        "reference": reference,
        "mean": mean,
        "spread": spread,
        "least": min(values),
        "rows": rows,
    }
    finish(
        options, report, f"mean {mean:.4f} ± {spread:.4f}, least {min(values):.4f}; held-out real digits {reference:.4f}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
