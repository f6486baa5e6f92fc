"""pix2pix and CycleGAN on emoji, Google's into Twitter's: how far from the true partner, beside copying and the nearest one.

    python benchmarks/translation.py [--out runs/translation] [--minutes 8] [--seeds 0 1] [--methods pix2pix cyclegan]
        [--preset repaint]

Each training is a run folder in --out with one thread and a budget of processor time; what is done is not done again. Measured on
the 191 test emoji, whose partners no training saw (CycleGAN sees no pairs at all):

L1, PSNR   of each translation against its true partner; L1 in [-1, 1], PSNR over RGB, means over images
FD, KD     between all translations and all true partners, in MobileNetV2 where its weights are there, else in the digit network;
           FD of so few images is mostly its bias, of which KD has none

copy is the input itself; nearest the partner of the training emoji nearest to it, in pixels; nearest unpaired the training emoji
of the other kind nearest to it, which needs no pairs either, as cyclegan; real others are as many training partners drawn at
random, means of 5 draws: real images that have nothing to do with the input, the level of FD by chance. Nearest gives real
images too.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from common import Table, facts, finish, make_parser, parse, train_run

from ganvas.data import Dataset, grid, open_data, write_png
from ganvas.method import Method
from ganvas.metrics.extractors import choose_extractor, extract
from ganvas.metrics.frechet import Moments, frechet_distance
from ganvas.metrics.kernel import kernel_distance
from ganvas.metrics.restoration import psnr_each
from ganvas.metrics.translation import absolute_errors
from ganvas.run import Run
from ganvas.tasks.translate import translate_images

IN_A_ROW = 12  # test images in an image grid
DRAWS = 5  # of real others


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=8, seeds=(0,), preset="repaint", out="runs/translation", threads=1)
    parser.add_argument("--methods", nargs="+", default=["pix2pix", "cyclegan"])
    options = parse(parser, arguments)
    data = open_data("emoji")
    test = data.part("test")
    assert test is not None and test.partners is not None and data.partners is not None
    rows = {
        "copy": scores(np.asarray(test.images), test.partners),
        "nearest": scores(nearest(data.images, data.partners, test.images), test.partners),
        "nearest unpaired": scores(nearest(data.partners, data.partners, test.images), test.partners),
        "real others": real_others(data, test.partners),
    }
    table = Table(["", *rows["copy"]], options)
    for label, row in rows.items():
        table.row(label, *row.values())
    name_of_try = f"{options.preset}-{options.minutes:g}"
    for name in options.methods:
        for seed in options.seeds:
            label, folder = f"{name} seed {seed}", options.out / f"{name}-{name_of_try}-{seed}"
            method = train(name, seed, options.minutes, folder, options.preset).method
            rows[label] = scores(translate_images(method, np.asarray(test.images)), test.partners)
            write_png(folder.with_suffix(".png"), image_grid(test, method))
            table.row(label, *rows[label].values())
    report = {**facts(options), "n": len(test), "rows": rows}
    (options.out / f"scores-{name_of_try}.json").write_text(json.dumps(report, indent=2))
    finish(options, report, f"{len(test)} test emoji")


def train(name: str, seed: int, minutes: float, folder: Path, preset: str) -> Run:
    """The finished run, trained now where it is not there yet. CycleGAN gets no pairs."""
    data_settings = {"mirror": True, **({"unpaired": True} if name == "cyclegan" else {})}
    return train_run(
        name, "emoji", folder, minutes=minutes, seed=seed, preset=preset, device="cpu", data_settings=data_settings
    )


def scores(made: np.ndarray, partners: np.ndarray) -> dict[str, float]:
    """L1, PSNR, FD and KD of images uint8 (N, H, W, C) against their partners."""
    extractor = choose_extractor("auto", made.shape[1:], False)  # pyright: ignore[reportArgumentType]
    one, other = (extract(extractor, np.ascontiguousarray(images), "emoji") for images in (made, partners))
    a, b = Moments().add(one), Moments().add(other)
    return {
        "L1": float(absolute_errors(made, partners).mean()),
        "PSNR": float(psnr_each(made, partners).mean()),
        f"FD[{extractor.name}]": frechet_distance(a.mean, a.covariance, b.mean, b.covariance),
        f"KD[{extractor.name}]": kernel_distance(one, other),
    }


def real_others(train: Dataset, partners: np.ndarray) -> dict[str, float]:
    """Means over 5 draws of as many training partners."""
    assert train.partners is not None
    random = np.random.default_rng(0)
    draws = [random.choice(len(train), len(partners), replace=False) for _ in range(DRAWS)]
    found = [scores(np.asarray(train.partners)[np.sort(rows)], partners) for rows in draws]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def nearest(known: np.ndarray, partners: np.ndarray | None, asked: np.ndarray) -> np.ndarray:
    """The partner of the known image nearest to each of those asked."""
    assert partners is not None
    a, b = (torch.from_numpy(np.array(some)).float().flatten(1) for some in (asked, known))
    return np.asarray(partners)[torch.cdist(a, b).argmin(1).numpy()]


def image_grid(test: Dataset, method: Method) -> np.ndarray:
    """Input, translation, true partner, one column an image."""
    assert test.partners is not None
    chosen = np.linspace(0, len(test) - 1, IN_A_ROW).astype(int)
    inputs = np.asarray(test.images)[chosen]
    rows = [inputs, translate_images(method, inputs), np.asarray(test.partners)[chosen]]
    return grid(np.concatenate(rows), columns=IN_A_ROW)


if __name__ == "__main__":
    main()
