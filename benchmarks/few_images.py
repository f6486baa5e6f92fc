"""Does augmentation help a GAN that has few images? One method with each choice of `augment`, on one budget.

    python benchmarks/few_images.py DATA [--method stylegan2] [--preset faces] [--augment none diffaugment ada]
        [--minutes 15] [--seeds 0 1] [--samples 1000] [--grids DIR] [--out DIR] [--json]

Without augmentation D learns few images memorised: its verdict on training images parts from that on held-out ones
(`overfit`, the share of pairs it tells apart; 0.5 is none), and samples get worse while it trains. The Fréchet and kernel
distances are taken at five points of the budget, of `--samples` new images from all training images; the kernel distance
has no bias from small numbers. Minutes are of processor time. --grids keeps, for each run, samples above their nearest training
images. --out keeps the runs, and takes those that are there as done.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from common import Table, facts, finish, folder_of, make_parser, parse, train_run

from ganvas.data import Dataset, grid, open_data, write_png
from ganvas.metrics import nearest
from ganvas.run import Run

COLUMNS = ["augment", "seed", "step", "share", "FD", "KD", "coverage", "overfit"]
IN_A_ROW = 10  # samples in an image grid


def run_of(options: argparse.Namespace, data: Dataset, augment: str, seed: int, folder: Path) -> Run:
    """One run, measured five times; the one that is there, where it is finished."""
    return train_run(
        options.method, data, folder / f"{options.method}-{augment}-{seed}", minutes=options.minutes, seed=seed,
        preset=options.preset, settings={"augment": augment}, samples=options.samples,
    )  # fmt: skip


def rows_of(run: Run, augment: str, seed: int) -> list[dict[str, Any]]:
    """One row an evaluation: where in the budget, its figures, and how far D's verdict parted by then."""
    found, overfit, minutes = [], float("nan"), run.info["budget"]["minutes"]
    for row in run.log():
        if row.get("event") == "health":
            overfit = row.get("logits/overfit", overfit)
        if row.get("event") == "evaluated" and row.get("metrics"):
            figures = {name.partition("[")[0]: entry["value"] for name, entry in row["metrics"].items()}
            share = row["seconds"] / 60 / minutes
            found.append(
                {"augment": augment, "seed": seed, "step": row["step"], "share": share, "overfit": overfit, **figures}
            )
    return found


def image_grid(run: Run, data: Dataset) -> np.ndarray:
    """Samples in the upper row, the nearest training image of each in the lower one."""
    made = run.sample(IN_A_ROW)
    return grid(np.concatenate([made, data.images[nearest(made, data)[0][:, 0]]]), columns=IN_A_ROW)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=15, seeds=(0,), preset="faces", out="")
    parser.add_argument("data")
    parser.add_argument("--method", default="stylegan2")
    parser.add_argument("--augment", nargs="+", default=["none", "diffaugment", "ada"])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--grids", type=Path, metavar="DIR")
    options = parse(parser, arguments)
    data, rows = open_data(options.data), []
    table = Table(COLUMNS, options)
    with folder_of(options) as folder:
        for seed in options.seeds:
            for augment in options.augment:
                run = run_of(options, data, augment, seed, folder)
                if options.grids:
                    write_png(options.grids / f"{augment}-{seed}.png", image_grid(run, data))
                found = rows_of(run, augment, seed)
                rows += found
                for row in found:
                    table.row(*(row.get(name, float("nan")) for name in COLUMNS))
    finish(options, {**facts(options), "data": data.name, "rows": rows})


if __name__ == "__main__":
    main()
