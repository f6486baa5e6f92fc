"""Volumes: gan3d and vae3d on the built-in shapes, on one budget of processor time, beside floors that need no training.

    python benchmarks/volumes.py [--minutes 30] [--seeds 0 1 2] [--voxels 32] [--set widths=32-16] [--grid FILE.png] [--out DIR]

Rows, each measured by metrics/solids.py against the held-out shapes:

other training volumes   as many training shapes: what the best generator would score
independent voxels       each voxel inside with its frequency in the training shapes, independent of the others
mean shape               of the voxels that are inside more often than not; where that is nothing, of the most frequent ones
vae3d                    samples of the variational autoencoder
gan3d                    samples of the GAN

--grid writes an image of each row's first shapes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import Table, facts, finish, folder_of, heading, make_parser, parse, shown, train_run

from ganvas.data import open_data, write_png
from ganvas.data.dataset import Dataset
from ganvas.data.image_grid import grid
from ganvas.data.kinds.volumes import as_volumes
from ganvas.data.turntable import rendered
from ganvas.defaults import MEASURED_SEED
from ganvas.figure import Figure
from ganvas.metrics.solids import MAX_SOLIDS, measure_solids, simpler_solids
from ganvas.sampling import finished_samples

METHODS = ("vae3d", "gan3d")
FIGURES = ("MMD-CD", "COV-CD", "1-NNA-CD", "one_piece", "largest_piece", "watertight", "occupied")
GRID_SHAPES = 8


def floors(data: Dataset, n: int) -> dict[str, np.ndarray]:
    """Volumes (n, D, H, W) uint8 that no method made, by the name of their row."""
    train = as_volumes(data.examples)
    # Not the first ones, which the reference of the figures takes already.
    return {"other training volumes": train[n : 2 * n], **simpler_solids(train, n)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=30.0, seeds=[0], preset="small", out="", threads=1, settings="KEY=VALUE")
    parser.add_argument("--voxels", type=int, default=32, help="voxels a side")
    parser.add_argument("--grid", type=Path, metavar="FILE.png", help="an image of each row's first shapes")
    options = parse(parser, arguments)
    data = open_data("shapes", voxels=options.voxels)
    test = data.part("test")
    assert test is not None
    n = min(MAX_SOLIDS, len(test))
    about = facts(options)
    rows: dict[str, list[dict[str, Figure]]] = {}
    images: list[np.ndarray] = []
    for name, volumes in floors(data, n).items():
        rows[name] = [measure_solids(volumes, data)]
        images.append(volumes[:GRID_SHAPES])
    with folder_of(options) as folder:
        for method in METHODS:
            rows[method] = []
            for seed in options.seeds:
                run = train_run(
                    method, data, folder / f"{method}-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
                    settings=options.settings, precision="fp32",
                )  # fmt: skip
                samples = finished_samples(run.load_method(), n, MEASURED_SEED)
                rows[method].append(measure_solids(samples, data))
                if seed == options.seeds[0]:
                    images.append(samples[:GRID_SHAPES])
                print(f"{method}, seed {seed}: done", file=sys.stderr)
    if options.grid is not None:
        write_png(options.grid, grid(rendered(np.concatenate(images), side=96), columns=GRID_SHAPES))

    table = Table(["volumes", *FIGURES], options, heading(about))
    values: dict[str, list[dict[str, float]]] = {}
    for name, measured in rows.items():
        values[name] = [{figure: each[figure].value for figure in FIGURES} for each in measured]
        table.row(name, *(shown([each[figure] for each in values[name]]) for figure in FIGURES))
    finish(options, {**about, "n": n, "rows": values})


if __name__ == "__main__":
    main()
