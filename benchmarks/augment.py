"""Do generated images help a classifier on few labelled images? `ganvas augment --evaluate` on three sets.

    python benchmarks/augment.py [--sets digits fashion brain] [--sizes 5 10 50 all] [--seeds 5] [--rare] [--unlabelled]
        [--method vae] [--preset few] [--steps 1200] [--work DIR] [--fashion DIR] [--brain DIR] [--json]

Built-in digits; Fashion-MNIST as Debian's package dataset-fashion-mnist installs it (MIT); and grey patches of a brain, 28 x 28,
out of Debian's package mricron-data (BSD-3-clause): an axial slice of Colin Holmes' T1 image, twice as bright, around a point of
a region of the AAL atlas, eight regions. The left half of the brain is for training, the right half, mirrored, for testing: it
is one person's brain, so the figures say nothing of other people's. --rare asks for a rare class in place of sizes. --work keeps
every finished cell and generator.
"""

from __future__ import annotations

import argparse
import gzip
import json
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import NEVER, facts, heading, make_parser, parse

import ganvas
from ganvas.data import Dataset, open_data
from ganvas.method import Method
from ganvas.tasks.augment import conditional_settings
from ganvas.tasks.augmentation import Evaluation, evaluate_augmentation

RARE = {"digits": "8", "fashion": "6", "brain": "Insula"}  # 6: shirts, which look like t-shirts, pullovers and coats
OTHERS = 100  # labelled images of each other class
REGIONS = (
    "Calcarine", "Cerebelum_8", "Cerebelum_Crus1", "Frontal_Mid", "Insula", "Precuneus", "Temporal_Mid", "Thalamus",
)  # fmt: skip
SIDE, PATCHES = 28, 300  # pixels of a patch (1 mm each), patches of a region in each half
DTYPES = {2: "<u1", 4: "<i2", 16: "<f4", 512: "<u2"}  # of NIfTI-1


def opened(name: str, options: argparse.Namespace, work: Path) -> Dataset:
    """A set by name."""
    if name == "digits":
        return open_data("digits")
    if name == "fashion":
        return open_data(options.fashion)
    path = work / "brain.npz"
    if not path.exists():
        splits = brain_patches(options.brain)
        np.savez(
            path, x_train=splits["train"][0], y_train=splits["train"][1], x_test=splits["test"][0], y_test=splits["test"][1]
        )  # fmt: skip
    return open_data(path)


def brain_patches(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Patches uint8 (n, 28, 28) around points of eight regions, and the regions' names (n,), of each half of the brain."""
    image = np.minimum(read_volume(folder / "ch2.nii.gz").astype(np.uint16) * 2, 255).astype(np.uint8)
    atlas = read_volume(folder / "aal.nii.gz")
    numbers: dict[str, int] = {}
    for line in (folder / "aal.nii.txt").read_text().splitlines():
        words = line.split()
        if len(words) > 1:
            numbers[words[1]] = int(words[0])
    splits: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    random = np.random.default_rng(0)
    for split, side in (("train", "L"), ("test", "R")):
        patches: list[np.ndarray] = []
        names: list[str] = []
        for region in REGIONS:
            points = np.argwhere(atlas == numbers[f"{region}_{side}"])
            for z, y, x in random.permutation(points)[:PATCHES].tolist():
                top, left = y - SIDE // 2, x - SIDE // 2
                patch = image[z, top : top + SIDE, left : left + SIDE][::-1]  # the front of the head is up
                if patch.shape != (SIDE, SIDE):
                    continue
                patches.append(patch[:, ::-1] if side == "R" else patch)
                names.append(region)
        splits[split] = np.stack(patches), np.array(names)
    return splits


def read_volume(path: Path) -> np.ndarray:
    """The voxels (Z, Y, X) of a NIfTI-1 file."""
    content = gzip.decompress(path.read_bytes())
    width, height, depth = struct.unpack("<3h", content[42:48])
    (code,), (offset,) = struct.unpack("<h", content[70:72]), struct.unpack("<f", content[108:112])
    voxels = np.frombuffer(content, DTYPES[code], count=width * height * depth, offset=int(offset))
    return voxels.reshape(depth, height, width)


def evaluated(name: str, options: argparse.Namespace, work: Path) -> Evaluation:
    """Everything asked for of one set."""
    data = opened(name, options, work)
    folder = work / (f"{name}-rare" if options.rare else f"{name}-rest" if options.unlabelled else name)

    def make(images: Dataset, cell: str, seed: int) -> Method:
        run = ganvas.train(
            options.method, images, out=folder / "generators" / cell, preset=options.preset or None,
            settings={**conditional_settings(options.method), **options.settings}, seed=seed, steps=options.steps, samples=0,
            evaluate_every=NEVER, checkpoint_every=NEVER, resume="auto", quiet=True, device="cpu", precision="fp32",
        )  # fmt: skip
        return run.method

    return evaluate_augmentation(
        data, make, generator=f"{options.method} {options.preset} {options.settings}, {options.steps} steps",
        sizes=[None if size == "all" else int(size) for size in options.sizes], seeds=options.seeds,
        first_seed=options.first_seed, rare=RARE[name] if options.rare else None, others=OTHERS, unlabelled=options.unlabelled,
        folder=folder, report=lambda line: print(f"{name}: {line}", file=sys.stderr, flush=True),
    )  # fmt: skip


def print_tables(name: str, result: Evaluation) -> None:
    """Markdown, as docs/experiments/augment.md has it."""
    for size in result.sizes:
        cells = [cell for cell in result.cells if cell.size == size]
        agreement = [cell.agreement for cell in cells if cell.agreement is not None]
        print(f"\n{name}, {result.size_name(size)}; {len(cells)} seeds, {result.test_images} held-out images,", end="")
        print(f" agreement {np.mean(agreement):.2f}\n")
        head, rows = result.table(size)
        for row in (head, ["---", *["---:"] * (len(head) - 1)], *rows):
            print("| " + " | ".join(row) + " |")
        print(f"\n{result.verdict(size)}.")


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, preset="few", threads=1, settings="KEY=VALUE")
    parser.add_argument("--sets", nargs="+", default=["digits", "fashion", "brain"], choices=tuple(RARE))
    parser.add_argument("--sizes", nargs="+", default=["5", "10", "50", "all"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rare", action="store_true")
    parser.add_argument("--unlabelled", action="store_true")
    parser.add_argument("--method", default="vae")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--work", type=Path, metavar="DIR")
    parser.add_argument("--fashion", type=Path, default=Path("/usr/share/datasets/fashion-mnist"))
    parser.add_argument("--brain", type=Path, default=Path("/usr/share/mricron/templates"))
    options = parse(parser, arguments)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        if not options.json:
            print(heading(facts(options)))
        for name in options.sets:
            result = evaluated(name, options, work)
            found[name] = result.as_dict()
            if not options.json:
                print_tables(name, result)
    if options.json:
        print(json.dumps({**facts(options), "sets": found}, indent=2))


if __name__ == "__main__":
    main()
