"""How many of the 1000 modes of stacked digits does each GAN cover? dcgan, pacgan and mgan of one width, on one budget.

    python benchmarks/modes.py [--minutes 3] [--seeds 0 1 2] [--methods dcgan pacgan mgan] [--samples 10000] [--json]

A mode is a number from 000 to 999, its numerals read by the shipped digit network in the three channels of a sample; it
counts as covered by the rule of ganvas.metrics.modes. KL is of the samples' modes from the data's, in nats. Floors are
those of the held-out real images: what a perfect generator would get with as few samples. Minutes are of processor time,
all threads together.

All three have the learning rates of pacgan's and mgan's presets `small`, so that nothing but the method differs; --set
dcgan.lr=2e-4 --set dcgan.balance=1 gives dcgan its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from budget import read_settings, trained

from ganvas.data import Dataset, open_data
from ganvas.metrics import measure

SAME = {"lr": "0.001", "balance": "0.2"}
HEAD = f"{'method':10} {'seed':>4} {'steps':>6} {'images/s':>10} {'modes':>6} {'KL':>7}   modes of as many as the reference has"


def row(options: argparse.Namespace, data: Dataset, method: str, seed: int, folder: Path) -> dict[str, Any]:
    """One training and its figures."""
    run = trained(
        method, data, folder / f"{method}-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
        settings=options.settings.get(method), clock=options.clock,
    )  # fmt: skip
    last = list(run.log())[-1]
    figures = measure(run.sample(options.samples, seed=10**6), data, data.part("test"))
    modes, divergence = figures["modes"], figures["KL"]
    fair = modes.value_at_reference_n
    return {
        "method": method, "seed": seed, "steps": last["step"], "seconds": last["seconds"],
        "images_per_second": round(last["step"] * run.method.batch_size / last["seconds"], 1),
        "modes": modes.value, "modes_at_floor_n": modes.value if fair is None else fair, "KL": divergence.value,
        "modes_floor": modes.reference, "KL_floor": divergence.reference, "reference_n": modes.reference_n, "of": modes.of,
        "n": modes.n, "parameters": sum(one.numel() for one in run.method.parameters()),
    }  # fmt: skip


def text(found: dict[str, Any]) -> str:
    return (
        f"{found['method']:10} {found['seed']:4} {found['steps']:6} {found['images_per_second']:10.0f} {found['modes']:6}"
        f" {found['KL']:7.3f}   {found['modes_at_floor_n']}"
    )


def means(rows: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Over seeds: mean and standard deviation of modes and of KL, for each method."""
    found = {}
    for method in dict.fromkeys(one["method"] for one in rows):
        modes = [one["modes"] for one in rows if one["method"] == method]
        divergences = [one["KL"] for one in rows if one["method"] == method]
        found[method] = {
            "modes": statistics.mean(modes), "modes_spread": statistics.pstdev(modes), "modes_least": min(modes),
            "KL": statistics.mean(divergences), "KL_spread": statistics.pstdev(divergences), "seeds": len(modes),
        }  # fmt: skip
    return found


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=["dcgan", "pacgan", "mgan"])
    parser.add_argument("--preset", default="small")
    parser.add_argument("--set", action="append", default=[], metavar="METHOD.KEY=VALUE", help="such as pacgan.pack=3")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--clock", choices=("processor", "wall"), default="processor")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--out", type=Path, help="keep the runs here")
    options = parser.parse_args(arguments)
    options.settings = {"dcgan": dict(SAME)}
    for key, value in read_settings(options.set).items():
        method, _, name = key.partition(".")
        options.settings.setdefault(method, {})[name] = value
    out = sys.stderr if options.json else sys.stdout
    data, rows = open_data("stacked_digits"), []
    print(HEAD, file=out)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in options.seeds:
            for method in options.methods:
                rows.append(row(options, data, method, seed, options.out or Path(scratch)))
                print(text(rows[-1]), file=out, flush=True)
    if options.json:
        report = {"minutes": options.minutes, "clock": options.clock, "preset": options.preset, "set": options.settings}
        print(json.dumps({**report, "threads": torch.get_num_threads(), "rows": rows, "means": means(rows)}))
        return
    for method, found in means(rows).items():
        print(
            f"{method:10} modes {found['modes']:.0f} ± {found['modes_spread']:.0f} of {rows[0]['of']},"
            f" KL {found['KL']:.3f} ± {found['KL_spread']:.3f}, {found['seeds']} seeds"
        )
    print(
        f"reference: {rows[0]['reference_n']} held-out real images cover {rows[0]['modes_floor']}, KL {rows[0]['KL_floor']:.3f};"
        f" figures above are of {rows[0]['n']} samples"
    )


if __name__ == "__main__":
    main()
