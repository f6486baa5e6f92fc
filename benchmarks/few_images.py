"""Does augmentation help a GAN that has few images? One method with each choice of `augment`, on one budget.

    python benchmarks/few_images.py DATA [--method stylegan2] [--preset faces] [--augment none diffaugment ada]
        [--minutes 15] [--seeds 0 1] [--samples 1000] [--sheets DIR] [--work DIR] [--json]

Without augmentation D learns few images memorised: its verdict on training images parts from that on held-out ones
(`overfit`, the share of pairs it tells apart; 0.5 is none), and samples get worse while it trains. The Fréchet and kernel
distances are taken at five points of the budget, of `--samples` new images from all training images; the kernel distance
has no bias from small numbers. Minutes are of processor time. --sheets keeps, for each run, samples above their nearest training
images. --work keeps the runs, and takes those that are there as done.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from budget import finished, trained

from ganvas.data import Dataset, grid, open_data, write_png
from ganvas.metrics import nearest
from ganvas.run import Run

SHOWN = 10  # samples on a sheet
HEAD = f"{'augment':12} {'seed':>4} {'steps':>6} {'at':>5} {'FD':>8} {'KD':>8} {'coverage':>8} {'overfit':>7}"


def run_of(options: argparse.Namespace, data: Dataset, augment: str, seed: int, folder: Path) -> Run:
    """One run, measured five times; the one that is there, where it is finished."""
    out = folder / f"{options.method}-{augment}-{seed}"
    return finished(out) or trained(
        options.method, data, out, minutes=options.minutes, seed=seed, preset=options.preset,
        settings={"augment": augment}, samples=options.samples,
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


def sheet(run: Run, data: Dataset) -> np.ndarray:
    """Samples in the upper row, the nearest training image of each in the lower one."""
    made = run.sample(SHOWN)
    return grid(np.concatenate([made, data.images[nearest(made, data)[0][:, 0]]]), columns=SHOWN)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data")
    parser.add_argument("--method", default="stylegan2")
    parser.add_argument("--preset", default="faces")
    parser.add_argument("--augment", nargs="+", default=["none", "diffaugment", "ada"])
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--sheets", type=Path, metavar="DIR")
    parser.add_argument("--work", type=Path, metavar="DIR")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    data, rows = open_data(options.data), []
    said = sys.stderr if options.json else sys.stdout
    print(HEAD, file=said)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            for augment in options.augment:
                run = run_of(options, data, augment, seed, options.work or Path(scratch))
                if options.sheets:
                    write_png(options.sheets / f"{augment}-{seed}.png", sheet(run, data))
                found = rows_of(run, augment, seed)
                rows += found
                for row in found:
                    print(
                        f"{augment:12} {seed:4} {row['step']:6} {row['share']:5.0%} {row['FD']:8.2f} {row['KD']:8.4f}"
                        f" {row['coverage']:8.3f} {row['overfit']:7.3f}", file=said, flush=True,
                    )  # fmt: skip
    if options.json:
        print(json.dumps({"data": data.name, "minutes": options.minutes, "samples": options.samples, "rows": rows}))


if __name__ == "__main__":
    main()
