"""Volumes: gan3d and vae3d on the built-in shapes, on one budget of processor time, beside floors that need no training.

    python benchmarks/volumes.py [--minutes 30] [--seeds 0 1 2] [--methods gan3d] [--truncations 1 1.3] [--set pack=2]
        [--grid FILE.png] [--out DIR]

Rows, each measured by metrics/solids.py against the held-out shapes. Figures of samples are means over --sets sets, each of as
many shapes as are held out: coverage of a single set says little. --json has those of each set.

other training volumes   up to as many training shapes: what the best generator would score
independent voxels       each voxel inside with its frequency in the training shapes, independent of the others
mean shape               of the voxels that are inside more often than not; where that is nothing, of the most frequent ones
vae3d                    samples of the variational autoencoder
gan3d                    samples of the GAN

--truncations samples from each training several times, with the latents times each number; without it as the preset says.
--grid writes an image of each row's first shapes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
from common import Table, facts, finish, folder_of, heading, make_parser, parse, shown, steps_of, train_run

from ganvas.data import open_data, write_png
from ganvas.data.dataset import Dataset
from ganvas.data.image_grid import grid
from ganvas.data.kinds.volumes import as_volumes
from ganvas.data.turntable import rendered
from ganvas.defaults import MEASURED_SEED
from ganvas.metrics.solids import MAX_SOLIDS, measure_solids, simpler_solids
from ganvas.sampling import finished_samples

METHODS = ("vae3d", "gan3d")
FIGURES = ("MMD-CD", "COV-CD", "coverage", "1-NNA-CD", "one_piece", "largest_piece", "watertight", "occupied")
GRID_SHAPES = 8


def floors(data: Dataset, n: int, sets: int) -> dict[str, np.ndarray]:
    """Volumes (n or a multiple of it, D, H, W) uint8 that no method made, by the name of their row."""
    train = as_volumes(data.examples)
    # Not the first ones, which the reference of the figures takes already.
    others = train[n:][: n * sets]
    return {"other training volumes": others[: len(others) // n * n], **simpler_solids(train, n)}


def measured(volumes: np.ndarray, n: int, data: Dataset) -> dict[str, list[float]]:
    """Each of FIGURES for every n of the volumes (a multiple of n, D, H, W) uint8."""
    sets = [measure_solids(volumes[start : start + n], data) for start in range(0, len(volumes), n)]
    return {figure: [each[figure].value for each in sets] for figure in FIGURES}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=30.0, seeds=[0], preset="small", out="", threads=1, settings="KEY=VALUE")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=METHODS)
    parser.add_argument("--sets", type=int, default=4, help="sets of samples")
    parser.add_argument("--truncations", type=float, nargs="+", default=[], metavar="FACTOR", help="of z, in sampling")
    parser.add_argument("--voxels", type=int, default=32, help="voxels a side")
    parser.add_argument("--grid", type=Path, metavar="FILE.png", help="an image of each row's first shapes")
    options = parse(parser, arguments)
    data = open_data("shapes", voxels=options.voxels)
    test = data.part("test")
    assert test is not None
    n = min(MAX_SOLIDS, len(test))
    about = facts(options)
    rows: dict[str, list[dict[str, list[float]]]] = {}
    images: list[np.ndarray] = []
    for name, volumes in floors(data, n, options.sets).items():
        rows[name] = [measured(volumes, n, data)]
        images.append(volumes[:GRID_SHAPES])
    with folder_of(options) as folder:
        for method in options.methods:
            for seed in options.seeds:
                run = train_run(
                    method, data, folder / f"{method}-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
                    settings=options.settings, precision="fp32",
                )  # fmt: skip
                for factor in options.truncations or [None]:
                    trained = run.load_method(settings=None if factor is None else {"truncation": factor})
                    samples = finished_samples(trained, n * options.sets, MEASURED_SEED)
                    row = rows.setdefault(method if factor is None else f"{method}, truncation {factor:g}", [])
                    row.append(measured(samples, n, data))
                    if seed == options.seeds[0]:
                        images.append(samples[:GRID_SHAPES])
                print(f"{method}, seed {seed}: {steps_of(run):,} steps", file=sys.stderr)
    if options.grid is not None:
        write_png(options.grid, grid(rendered(np.concatenate(images), side=96), columns=GRID_SHAPES))

    table = Table(["volumes", *FIGURES], options, heading(about))
    for name, trainings in rows.items():
        table.row(name, *(shown([fmean(each[figure]) for each in trainings]) for figure in FIGURES))
    finish(options, {**about, "n": n, "rows": rows})


if __name__ == "__main__":
    main()
