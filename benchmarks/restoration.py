"""Restorations on held-out photos against what needs no training: dB, SSIM and a distance by features.

    python benchmarks/photos.py photos --look opencv-doc
    python benchmarks/restoration.py photos [--minutes 5] [--only srresnet denoise] [--out runs] [--seed 0] [--json]

Trains srresnet and srgan (x2), denoise (Gaussian, blind) and inpaint, each `--minutes` of processor time on one thread, on
photos/train, and restores all of photos/test through `ganvas.tasks.restore`, as `ganvas restore` does. It goes on where it
stopped. Baselines: bicubic; non-local means and wavelets of scikit-image, told the noise's sigma; for holes the mean of their
rim, scikit-image's biharmonic and OpenCV's Telea. Those whose package is missing are left out, and said. MobileNetV2's distance
needs its weights (see ganvas.networks.features).
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganvas.data import DataSettings, open_data
from ganvas.data.degrade import box_masks, downscaled, gaussian_noise, quantised, stroke_masks, upscaled
from ganvas.data.photo import Photo, find_photos
from ganvas.errors import GanvasError
from ganvas.metrics import mobilenet_distance, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from ganvas.networks.features import MobileNetV2, mobilenet_v2
from ganvas.run import Run, is_run
from ganvas.tasks.restore import restore
from ganvas.training.session import prepare

SIGMA = 25.0  # levels
PATCH = {"srresnet": 64, "srgan": 64, "denoise": 64, "inpaint": 64}
Table = dict[str, dict[str, float]]  # what is measured of each way
SETTINGS: dict[str, dict[str, Any]] = {}  # beside the preset `small`


def trained(method: str, photos: Path, out: Path, minutes: float, seed: int) -> Run:
    """The run, trained until its minutes of processor time are used."""
    settings = DataSettings(size=PATCH[method], fit="tile")
    session = prepare(
        method, open_data(photos, settings=settings), out=out, minutes=minutes, seed=seed, preset="small",
        settings=SETTINGS.get(method), measure_samples=0, evaluate_every=10**9, device="cpu",
        resume="auto" if is_run(out) else None,
    )  # fmt: skip
    session.trainer.clock = time.process_time
    try:
        return session.run()
    finally:
        session.engine.close()


# --- pictures in levels of 0 to 255, (H, W, 3) -----------------------------------------------------------------


def as_levels(pixels: Tensor | np.ndarray) -> np.ndarray:
    """(C, H, W) in [-1, 1] as bytes."""
    return np.rint((np.asarray(pixels).transpose(1, 2, 0) + 1) * 127.5).clip(0, 255).astype(np.uint8)


def through(run: Run, damaged: Tensor, mask: np.ndarray | None = None, balance: float | None = None) -> np.ndarray:
    """A picture (3, H, W) mended by a run."""
    method = run.method if balance is None else run.method.blended(balance)  # pyright: ignore
    return as_levels(restore(method, Photo(damaged.numpy()), mask)[0].pixels)


def figures(made: np.ndarray, whole: np.ndarray, network: MobileNetV2 | None) -> dict[str, float]:
    found = {
        "PSNR[Y]": psnr_y(made, whole), "PSNR[RGB]": psnr_rgb(made, whole), "SSIM[Y]": ssim_y(made, whole),
        "SSIM[RGB]": ssim_rgb(made, whole),
    }  # fmt: skip
    return found | ({"PD[mobilenet_v2]": mobilenet_distance(made, whole, network)} if network else {})


def mean_figures(
    answer: Callable[[Tensor, int], np.ndarray], photos: list[Tensor], network: MobileNetV2 | None, scale: int = 1
) -> dict[str, float]:
    """Means over the photos, cut to multiples of `scale`."""
    rows = []
    for number, photo in enumerate(photos):
        height, width = (side // scale * scale for side in photo.shape[1:])
        whole = photo[:, :height, :width]
        rows.append(figures(answer(whole, number), as_levels(whole), network))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


# --- three tasks -------------------------------------------------------------------------------------------------------


def enlarging(runs: dict[str, Run], photos: list[Tensor], network: MobileNetV2 | None) -> Table:
    """Twice the height and width."""

    def small(whole: Tensor) -> Tensor:
        return quantised(downscaled(whole[None], 2))[0]

    found = {"bicubic": mean_figures(lambda x, _: as_levels(upscaled(small(x)[None], 2)[0]), photos, network, 2)}
    for name in ("srresnet", "srgan"):
        if name in runs:
            found[name] = mean_figures(lambda x, _, run=runs[name]: through(run, small(x)), photos, network, 2)
    if "srgan" in runs:
        for share in (0.0, 0.5):
            found[f"srgan --balance {share:g}"] = mean_figures(
                lambda x, _, share=share: through(runs["srgan"], small(x), balance=share), photos, network, 2
            )
    return found


def denoising(runs: dict[str, Run], photos: list[Tensor], network: MobileNetV2 | None) -> Table:
    """Gaussian noise, SIGMA, the same for every way."""

    def noisy(whole: Tensor, number: int) -> Tensor:
        normal = torch.randn(whole.shape, generator=torch.Generator().manual_seed(number))
        return gaussian_noise(whole[None], normal[None], SIGMA)[0]

    def told(function: str, **more: Any) -> Callable[[Tensor, int], np.ndarray]:
        def answer(whole: Tensor, number: int) -> np.ndarray:
            x = (noisy(whole, number).numpy().transpose(1, 2, 0) + 1) / 2
            found = getattr(importlib.import_module("skimage.restoration"), function)(
                x, sigma=SIGMA / 255, channel_axis=-1, **more
            )
            return np.rint(found * 255).clip(0, 255).astype(np.uint8)

        return answer

    found = {"noisy": mean_figures(lambda x, number: as_levels(noisy(x, number)), photos, network)}
    if has("skimage"):
        non_local = told("denoise_nl_means", patch_size=5, patch_distance=6, h=0.8 * SIGMA / 255, fast_mode=True)
        found["non-local means"] = mean_figures(non_local, photos, network)
        wavelets = told("denoise_wavelet", method="BayesShrink", mode="soft", convert2ycbcr=True, rescale_sigma=True)
        found["wavelets, BayesShrink"] = mean_figures(wavelets, photos, network)
    if "denoise" in runs:
        found["denoise"] = mean_figures(lambda x, number: through(runs["denoise"], noisy(x, number)), photos, network)
    return found


def filling(runs: dict[str, Run], photos: list[Tensor], network: MobileNetV2 | None) -> Table:
    """In the hole alone: PSNR[RGB]. Holes lie on a grid of 96 pixels, boxes and strokes in turn."""
    ways: dict[str, Callable[[Tensor, np.ndarray], np.ndarray]] = {"mean of the rim": rim_mean}
    if has("skimage"):
        ways["biharmonic"] = biharmonic
    if has("cv2"):
        ways["Telea"] = telea
    if "inpaint" in runs:
        ways["inpaint"] = lambda x, mask: through(runs["inpaint"], x, mask)
    found = {}
    for name, way in ways.items():
        errors = {"boxes": [], "strokes": []}
        for number, photo in enumerate(photos):
            for kind, rows in errors.items():
                mask = holes(photo, kind, number)
                made = way(torch.where(torch.from_numpy(mask), 0.0, photo), mask)
                rows.append(psnr_rgb(made[mask][None], as_levels(photo)[mask][None]))
        found[name] = {f"PSNR[RGB] in {kind}": float(np.mean(rows)) for kind, rows in errors.items()}
    return found


def holes(photo: Tensor, kind: str, seed: int, side: int = 96) -> np.ndarray:
    """(H, W) bool: one hole for each square of `side`."""
    mask = np.zeros(photo.shape[1:], bool)
    generator = torch.Generator().manual_seed(seed)
    for top in range(0, mask.shape[0] - side + 1, side):
        for left in range(0, mask.shape[1] - side + 1, side):
            draws = torch.rand(1, 4 if kind == "boxes" else 26, generator=generator)
            one = (box_masks if kind == "boxes" else stroke_masks)(draws, side, side)[0, 0]
            mask[top : top + side, left : left + side] = one.numpy() > 0
    return mask


def rim_mean(photo: Tensor, mask: np.ndarray) -> np.ndarray:
    """Each hole filled by the mean of the pixels that touch it."""
    from scipy import ndimage

    picture = as_levels(photo)
    parts, count = ndimage.label(mask, np.ones((3, 3)))  # pyright: ignore
    for part in range(1, count + 1):
        inside = parts == part
        rim = ndimage.binary_dilation(inside, np.ones((3, 3))) & ~mask
        picture[inside] = picture[rim].mean(0)
    return picture


def biharmonic(photo: Tensor, mask: np.ndarray) -> np.ndarray:
    inpaint = importlib.import_module("skimage.restoration").inpaint_biharmonic
    found = inpaint(as_levels(photo) / 255, mask, channel_axis=-1, split_into_regions=True)
    return np.rint(found * 255).clip(0, 255).astype(np.uint8)


def telea(photo: Tensor, mask: np.ndarray) -> np.ndarray:
    cv2 = importlib.import_module("cv2")
    return cv2.inpaint(as_levels(photo), mask.astype(np.uint8), 5, cv2.INPAINT_TELEA)


def has(package: str) -> bool:
    try:
        importlib.import_module(package)
    except ImportError:
        print(f"{package} is not installed: its baselines are left out", file=sys.stderr)
        return False
    return True


TASKS = {"x2": (enlarging, ("srresnet", "srgan")), "noise": (denoising, ("denoise",)), "holes": (filling, ("inpaint",))}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--only", nargs="+", choices=list(PATCH), default=list(PATCH))
    parser.add_argument("--out", type=Path, default=Path("runs-restoration"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--measure-only", action="store_true", help="the runs in --out as they are")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    runs = {}
    for name in asked.only:
        folder = asked.out / f"{name}-{asked.seed}"
        runs[name] = (
            Run(folder) if asked.measure_only else trained(name, asked.photos, folder, asked.minutes, asked.seed)
        )
        last = list(runs[name].log())[-1]
        print(f"{name}: {last.get('step')} steps in {last.get('seconds', 0):.0f} s of processor time", file=sys.stderr)
    if asked.train_only:
        return
    try:
        network = mobilenet_v2(download=False)
    except GanvasError as error:
        network = None
        print(f"no distance by features: {error}", file=sys.stderr)
    photos = [torch.from_numpy(read().pixels) for _, read in find_photos(asked.photos / "test")]
    tables = {
        title: table(runs, photos, network)
        for title, (table, names) in TASKS.items()
        if any(name in runs for name in names)
    }
    if asked.json:
        print(json.dumps({"photos": len(photos), "minutes": asked.minutes, "seed": asked.seed, **tables}, indent=2))
        return
    for title, rows in tables.items():
        head = list(next(iter(rows.values())))
        print(f"\n{title}, means of {len(photos)} photos, seed {asked.seed}\n")
        print("| | " + " | ".join(head) + " |\n| --- |" + " ---: |" * len(head))
        for name, row in rows.items():
            print(
                f"| {name} | "
                + " | ".join(
                    f"{row[key]:.4f}" if "dB" not in key and row[key] < 2 else f"{row[key]:.2f}" for key in head
                )
                + " |"
            )


if __name__ == "__main__":
    main()
