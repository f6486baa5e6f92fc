"""VQ-VAE and the prior over its codes, in the GANs' table: the same data, measures and clock, its minutes split in two.

    python benchmarks/codes.py [--out runs/codes] [--minutes 1 1] [--seeds 0 1] [--set prior.conditional=true]
    python benchmarks/codes.py --out runs/codes --only-table

Each run has one thread and a budget of processor time; encoding the training images for the prior comes on top and is
printed (`encoding seconds`). 2,000 samples of digits, as in docs/experiments/gan_table.md. What is done is kept in
OUT/*.json and not done again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import Any, cast

import torch
from common import facts, make_parser, parse, settings_under, shown, steps_of, train_run

from ganvas.abilities import TwoStage
from ganvas.data import Dataset, open_data
from ganvas.data.feed import Feed
from ganvas.figure import figures_as_dict
from ganvas.metrics import measure, measure_reconstruction
from ganvas.run import Run
from ganvas.sampling import reconstructed, to_uint8

SAMPLES, FIRST_SEED = 2000, 1_000_000
SHOWN = ("FD[digits]", "KD[digits]", "precision", "recall", "coverage", "modes", "KL", "copies")


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(
        __doc__, minutes=(1.0, 1.0), seeds=(0, 1), preset="small", out="runs/codes", threads=1,
        settings="stage.KEY=VALUE|prior.KEY=VALUE",
    )  # fmt: skip
    parser.add_argument("--data", default="digits")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    parser.add_argument("--only-table", action="store_true", help="train nothing")
    options = parse(parser, arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    if not options.only_table:
        for seed in options.seeds:
            one(options, seed)
    rows = [json.loads(path.read_text()) for path in sorted(options.out.glob("*.json"))]
    print(json.dumps(rows) if options.json else "\n".join(table(rows)))


def one(options: argparse.Namespace, seed: int) -> None:
    """Both stages of one seed, measured; skipped where its result is there."""
    first, second = options.minutes
    settings = options.settings
    words = ["codes", options.data, str(seed), f"{first:g}+{second:g}min"]
    tag = "-".join([*words, *(f"{key}={value}" for key, value in settings.items())])
    place = options.out / f"{tag}.json"
    if place.exists():
        return
    data = open_data(options.data)
    stage = train(options, data, "vq_vae", f"{tag}-stage", first, seed, settings_under("stage", settings))
    prior = train(
        options, data, "code_prior", f"{tag}-prior", second, seed, settings_under("prior", settings), stage.folder
    )
    held = data.part("test")
    assert held is not None
    began = time.process_time()
    samples = prior.sample(options.samples, seed=FIRST_SEED)
    sampling = time.process_time() - began
    result = {
        **facts(options), "seed": seed,
        "reconstruction": figures_as_dict(measure_reconstruction(stage.method, data)),  # pyright: ignore[reportArgumentType]
        "reconstructed": figures_as_dict(measure(to_uint8(reconstructed(cast(Any, stage.method), held.images)), data, held)),
        "metrics": figures_as_dict(measure(samples, data, held)), "sampling_seconds": round(sampling, 1),
        "encoding_seconds": round(encoding(prior, data), 1), "steps": [steps_of(stage), steps_of(prior)],
        "precision": [stage.info["precision"], prior.info["precision"]],
        "parameters": [stage.info["parameters"], prior.info["networks"]["prior"]],
    }  # fmt: skip
    place.write_text(json.dumps(result, indent=1) + "\n")


def train(
    options: argparse.Namespace, data: Dataset, method: str, name: str, minutes: float, seed: int, settings: dict[str, str],
    codes: Path | None = None,
) -> Run:  # fmt: skip
    """A run of one stage, that of an earlier call where it was finished."""
    run = train_run(
        method,
        data,
        options.out / name,
        minutes=minutes,
        seed=seed,
        preset=options.preset,
        settings=settings,
        codes=codes,
    )
    shutil.rmtree(run.folder / "checkpoints", ignore_errors=True)
    return run


def encoding(prior: Run, data: Dataset) -> float:
    """Seconds of processor time to encode all training images once."""
    method = prior.method
    assert isinstance(method, TwoStage)
    feed = Feed(data.images, None, None, batch_size=1, seed=0, generator=torch.Generator())
    began = time.process_time()
    feed.prepare(method.prepare)
    return time.process_time() - began


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown: a row for each choice of minutes and settings, mean over seeds with their standard deviation."""
    kinds = {(tuple(row["minutes"]), tuple(row["settings"].items())): row for row in rows}
    lines = [
        "| minutes | settings | seeds | " + " | ".join(SHOWN) + " | PSNR, dB | codes used | FD of reconstructions |"
    ]
    lines += ["| --- " * (6 + len(SHOWN)) + "|"]
    for minutes, settings in sorted(kinds):
        mine = [row for row in rows if (tuple(row["minutes"]), tuple(row["settings"].items())) == (minutes, settings)]
        cells = [shown([row["metrics"][name]["value"] for row in mine]) for name in SHOWN]
        cells.append(shown([row["reconstruction"]["PSNR"]["value"] for row in mine]))
        used = [
            entry["value"]
            for row in mine
            for name, entry in row["reconstruction"].items()
            if name.startswith("codes_used")
        ]
        cells += [shown(used), shown([row["reconstructed"]["FD[digits]"]["value"] for row in mine])]
        words = ", ".join(f"{key}={value}" for key, value in settings) or "preset"
        lines.append(f"| {minutes[0]:g} + {minutes[1]:g} | {words} | {len(mine)} | " + " | ".join(cells) + " |")
    return lines


if __name__ == "__main__":
    main()
