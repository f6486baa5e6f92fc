"""Does the 10-way code that InfoGAN finds without labels mean the digit? Read by the shipped digit network.

    python benchmarks/infogan_codes.py [--minutes 3] [--seeds 0 1 2] [--samples 2000] [--set width=28] [--grids DIR] [--json]

Trains on the built-in digits, `--minutes` of processor time a seed; labels are never given. Then
  agreement  of the digits read in new images with the code they were made from, after the best one-to-one matching
             (ganvas.metrics.codes): best of the seeds, and their mean;
  real       the same for held-out real digits: the code that Q reads in an image, with its true class;
  found      digits that have a code of their own: more than half of the new images of that code are read as that digit.
Chance gives a little more than 0.1 and none found.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Table, facts, finish, folder_of, make_parser, mean_and_spread, parse, steps_of, train_run

from ganvas.abilities import Code
from ganvas.data import Dataset, open_data, write_png
from ganvas.metrics.codes import code_agreement, cross_table
from ganvas.metrics.extractors import numerals
from ganvas.run import Run
from ganvas.sampling import sample, to_uint8
from ganvas.tasks.edit import traverse


def category(run: Run) -> Code:
    """The first categorical code."""
    method: Any = run.method
    return next(code for code in method.codes() if code.kind == "categorical")


def sampled(run: Run, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """The codes of `samples` new images, and the digits read in them, (samples,) each."""
    method, code = run.method, category(run)
    latents = method.latents(range(samples))  # pyright: ignore[reportCallIssue]
    codes = latents[:, code.start : code.start + code.size].argmax(1)
    return codes.numpy(), numerals(to_uint8(sample(method, samples)), 1)[:, 0].numpy()


def digits_found(codes: np.ndarray, classes: np.ndarray) -> int:
    """How many classes have a code of which more than half the examples are of that class."""
    counts = cross_table(codes, classes)
    return int((2 * counts > counts.sum(1, keepdims=True)).any(0).sum())


@torch.no_grad()
def real_agreement(run: Run, data: Dataset) -> float:
    """Agreement on the held-out images and their labels."""
    test, method, code = data.part("test"), run.method, category(run)
    assert test is not None and test.labels is not None
    images = torch.from_numpy(np.array(test.images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    read = method.D(images)[:, 1 + code.start - run.info["settings"]["z_dim"] :]  # pyright: ignore[reportCallIssue]
    return code_agreement(read[:, : code.size].argmax(1).numpy(), np.asarray(test.labels))


def row(options: argparse.Namespace, data: Dataset, seed: int, folder: Path) -> dict[str, Any]:
    """One training and its figures."""
    run = train_run(
        "infogan", data, folder / f"infogan-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
        settings=options.settings, clock=options.clock,
    )  # fmt: skip
    if options.grids:
        write_png(options.grids / f"infogan-{seed}.png", traverse(run.method, range(8)))
    codes, classes = sampled(run, options.samples)
    return {
        "seed": seed, "steps": steps_of(run), "agreement": code_agreement(codes, classes), "real": real_agreement(run, data),
        "found": digits_found(codes, classes),
    }  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(
        __doc__, minutes=3, seeds=(0, 1, 2), preset="small", out="", clock="processor", settings="KEY=VALUE"
    )
    parser.add_argument("--samples", type=int, default=2000, help="new images that agreement is read from")
    parser.add_argument("--grids", type=Path, metavar="DIR", help="write a traversal grid of each seed")
    options = parse(parser, arguments)
    data, rows = open_data("digits"), []
    table = Table(["seed", "steps", "agreement", "on real digits", "found"], options)
    with folder_of(options) as folder:
        for seed in options.seeds:
            found = row(options, data, seed, folder)
            rows.append(found)
            table.row(seed, found["steps"], found["agreement"], found["real"], found["found"])
    values = [found["agreement"] for found in rows]
    mean, spread = mean_and_spread(values)
    report = {**facts(options), "best": max(values), "mean": mean, "spread": spread, "rows": rows}
    finish(options, report, f"best {max(values):.3f}, mean {mean:.3f} ± {spread:.3f} of {len(rows)} seeds")


if __name__ == "__main__":
    main()
