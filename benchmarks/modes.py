"""How many of the 1000 modes of stacked digits does each GAN cover? Each in its own preset, on one budget.

    python benchmarks/modes.py [--minutes 3] [--seeds 0 1 2] [--methods dcgan pacgan mgan] [--samples 26000] [--json]

A mode is a number from 000 to 999, its numerals read by the shipped digit network in the three channels of a sample; it
counts as covered by the rule of ganvas.metrics.modes. KL is of the samples' modes from the data's, in nats. References are
those of the held-out real images: what a perfect generator would get with as few samples. Minutes are of processor time,
all threads together. --set dcgan.lr=2e-4 changes a setting of one method.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from common import Table, facts, finish, folder_of, make_parser, mean_and_spread, parse, settings_under, train_run

from ganvas.data import Dataset, open_data
from ganvas.metrics import measure

COLUMNS = ["method", "seed", "steps", "images/s", "modes", "KL", "modes of as many as the reference has"]


def row(options: argparse.Namespace, data: Dataset, method: str, seed: int, folder: Path) -> dict[str, Any]:
    """One training and its figures."""
    run = train_run(
        method, data, folder / f"{method}-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
        settings=settings_under(method, options.settings), clock=options.clock,
    )  # fmt: skip
    last = list(run.log())[-1]
    figures = measure(run.sample(options.samples, seed=10**6), data, data.part("test"))
    modes, divergence = figures["modes"], figures["KL"]
    fair = modes.value_at_reference_n
    return {
        "method": method, "seed": seed, "steps": last["step"], "seconds": last["seconds"],
        "images_per_second": round(last["step"] * run.method.batch_size / last["seconds"], 1),
        "modes": modes.value, "modes_at_reference_n": modes.value if fair is None else fair, "KL": divergence.value,
        "modes_reference": modes.reference, "KL_reference": divergence.reference, "reference_n": modes.reference_n,
        "of": modes.of, "n": modes.n, "parameters": sum(one.numel() for one in run.method.parameters()),
    }  # fmt: skip


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Over seeds: mean and standard deviation of modes and of KL, for each method."""
    found = {}
    for method in dict.fromkeys(one["method"] for one in rows):
        mine = [one for one in rows if one["method"] == method]
        modes, modes_spread = mean_and_spread([one["modes"] for one in mine])
        KL, KL_spread = mean_and_spread([one["KL"] for one in mine])
        found[method] = {
            "modes": modes, "modes_spread": modes_spread, "modes_least": min(one["modes"] for one in mine),
            "KL": KL, "KL_spread": KL_spread, "seeds": len(mine),
        }  # fmt: skip
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(
        __doc__, minutes=3, seeds=(0, 1, 2), preset="small", out="", clock="processor", settings="METHOD.KEY=VALUE"
    )
    parser.add_argument("--methods", nargs="+", default=["dcgan", "pacgan", "mgan"])
    parser.add_argument("--samples", type=int, default=26_000)
    options = parse(parser, arguments)
    data, rows = open_data("stacked_digits"), []
    table = Table(COLUMNS, options)
    with folder_of(options) as folder:
        for seed in options.seeds:
            for method in options.methods:
                found = row(options, data, method, seed, folder)
                rows.append(found)
                speed = round(found["images_per_second"])
                table.row(
                    method, seed, found["steps"], speed, found["modes"], found["KL"], found["modes_at_reference_n"]
                )
    lines = []
    for method, found in means(rows).items():
        lines.append(
            f"{method:10} modes {found['modes']:.0f} ± {found['modes_spread']:.0f} of {rows[0]['of']},"
            f" KL {found['KL']:.3f} ± {found['KL_spread']:.3f}, {found['seeds']} seeds"
        )
    lines.append(
        f"reference: {rows[0]['reference_n']} held-out real images cover {rows[0]['modes_reference']},"
        f" KL {rows[0]['KL_reference']:.3f}; figures above are of {rows[0]['n']} samples"
    )
    finish(options, {**facts(options), "rows": rows, "means": means(rows)}, *lines)


if __name__ == "__main__":
    main()
