"""pix2pix and CycleGAN on emoji, Google's into Twitter's: how far from the true partner, beside copying and the nearest one.

    python benchmarks/translation.py --work runs/translation [--minutes 8] [--seeds 0 1] [--methods pix2pix cyclegan]
        [--preset repaint]

Each training is a run folder in WORK with one thread and a budget of processor time; what is done is not done again. Measured on
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

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from ganvas.data import Dataset, grid, open_data, write_png
from ganvas.method import Method
from ganvas.metrics.extractors import choose_extractor, extract
from ganvas.metrics.frechet import Moments, frechet_distance
from ganvas.metrics.kernel import kernel_distance
from ganvas.metrics.restoration import psnr_each
from ganvas.metrics.translation import absolute_errors
from ganvas.run import Run
from ganvas.tasks.translate import translate_images
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import prepare

SHOWN = 12  # test images on a sheet
DRAWS = 5  # of real others


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/translation"))
    parser.add_argument("--minutes", type=float, default=8.0, help="of processor time a training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--methods", nargs="+", default=["pix2pix", "cyclegan"])
    parser.add_argument("--preset", default="repaint")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data = open_data("emoji")
    test = data.part("test")
    assert test is not None and test.partners is not None and data.partners is not None
    rows = {
        "copy": scores(np.asarray(test.images), test.partners),
        "nearest": scores(nearest(data.images, data.partners, test.images), test.partners),
        "nearest unpaired": scores(nearest(data.partners, data.partners, test.images), test.partners),
        "real others": real_others(data, test.partners),
    }
    for name in options.methods:
        for seed in options.seeds:
            method = trained(name, seed, options.minutes, options.work, options.preset).method
            made = translate_images(method, np.asarray(test.images))
            rows[f"{name} seed {seed}"] = scores(made, test.partners)
            write_png(options.work / f"{name}-{options.preset}-{options.minutes:g}-{seed}.png", sheet(test, method))
    extractor = choose_extractor("auto", (32, 32, 3), False).name
    print(f"{len(test)} test emoji, {options.preset}, {options.minutes:g} minutes of one core, {extractor}")
    for label, row in rows.items():
        print(f"{label:24}" + "  ".join(f"{key} {value:.4g}" for key, value in row.items()), flush=True)
    (options.work / f"scores-{options.preset}-{options.minutes:g}.json").write_text(json.dumps(rows, indent=2))


def trained(name: str, seed: int, minutes: float, work: Path, preset: str) -> Run:
    """The finished run, trained now where it is not there yet."""
    folder = work / f"{name}-{preset}-{minutes:g}-{seed}"
    if (folder / "done").exists():
        return Run(folder)
    seen = {"mirror": True, **({"unpaired": True} if name == "cyclegan" else {})}
    config = TrainConfig(
        name, "emoji", out=folder, resume="auto", minutes=minutes, preset=preset, seed=seed, device="cpu",
        data_settings=seen, measure_samples=0,
    )  # fmt: skip
    session = prepare(config)
    session.trainer.use_clock(time.process_time)
    run = session.run()
    (folder / "done").touch()
    return run


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


def sheet(test: Dataset, method: Method) -> np.ndarray:
    """Input, translation, true partner, one column an image."""
    assert test.partners is not None
    chosen = np.linspace(0, len(test) - 1, SHOWN).astype(int)
    inputs = np.asarray(test.images)[chosen]
    rows = [inputs, translate_images(method, inputs), np.asarray(test.partners)[chosen]]
    return grid(np.concatenate(rows), columns=SHOWN)


if __name__ == "__main__":
    main()
