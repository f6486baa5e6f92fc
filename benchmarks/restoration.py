"""Restorations on held-out photos against what needs no training: dB, SSIM and distances by features.

    python benchmarks/photos.py photos --look debian
    python benchmarks/restoration.py photos [--minutes 5] [--only srresnet denoise] [--scale 4] [--set width=48] [--out runs]
        [--seeds 0] [--json]
    python benchmarks/restoration.py photos --only srresnet --minutes 10
    python benchmarks/restoration.py photos --only srresnet srgan --from-srresnet --minutes 8
    python benchmarks/restoration.py photos --degraded [--minutes 5]

Trains srresnet and srgan (x2, or --scale), denoise (Gaussian, blind) and inpaint, each `--minutes` of processor time on one
thread, on photos/train, and restores all of photos/test through `ganvas.tasks.restore`, as `ganvas restore` does. It continues
where it stopped. Baselines: bicubic; non-local means and wavelets of scikit-image and BM3D (colour), told the noise's sigma; for
holes the mean of their rim, the three steps of inpaint's filling without training, scikit-image's biharmonic and OpenCV's Telea.
Those whose package is missing are left out, and said.

--from-srresnet trains srgan's second phase alone, from the weights of the srresnet in --out.

--degraded compares presets of srresnet in place of that, `small` (trained on clean small images) and `photo`, for as many
minutes: on clean small images; on DRAWS draws for each photo of what `photo` is trained on; and on photos degraded otherwise: out
of focus (a disc, not a Gaussian), reduced by Lanczos, and saved as JPEG twice by Pillow, the second time with other blocks.

srgan learns by the features of --perceptual. Images are judged by those of MobileNetV2 and VGG-16-BN, of which it must not
have seen any: hence EfficientNet-Lite0. All want their weights (see ganvas.networks.features.weights).
"""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Table, facts, finish, heading, make_parser, parse, steps_of, train_run
from PIL import Image
from torch import Tensor

from ganvas.data import DataSettings, open_data
from ganvas.data.batch import Batch
from ganvas.data.degrade import box_masks, downscaled, gaussian_noise, quantised, stroke_masks, upscaled
from ganvas.data.photo import Photo, find_photos
from ganvas.data.photo_degradation import filtered
from ganvas.errors import GanvasError
from ganvas.methods.image_to_image import srresnet
from ganvas.methods.image_to_image.inpaint import Inpaint
from ganvas.metrics import mobilenet_distance, psnr_rgb, psnr_y, ssim_rgb, ssim_y
from ganvas.metrics.restoration import PD_LAYERS
from ganvas.networks.features.distances import unit_distance
from ganvas.networks.features.extractor import FeatureExtractor, open_network
from ganvas.networks.inpainter import initially_filled, smoothly_filled
from ganvas.run import Run
from ganvas.tasks.restore import restore

SIGMA = 25.0  # levels
VGG_LAYERS = ("relu1_1", "relu2_1", "relu3_1")
DRAWS = 2  # degradations of each photo
PRESETS = ("small", "photo")  # of srresnet, that --degraded compares
UPSCALERS = ("srresnet", "srgan")
METHODS = (*UPSCALERS, "denoise", "inpaint")
Figures = dict[str, dict[str, float]]  # what is measured of each way
Distances = dict[str, Callable[[np.ndarray, np.ndarray], float]]  # distances of two images by features


def train(
    method: str, options: argparse.Namespace, out: Path, seed: int, settings: dict[str, Any], preset: str, **more: Any
) -> Run:
    """The run, trained until its minutes of processor time are used. `settings` stand beside the preset."""
    data = open_data(options.photos, settings=DataSettings(size=options.size, fit="tile"))
    return train_run(
        method, data, out, minutes=options.minutes, seed=seed, preset=preset, settings=settings, device="cpu", **more
    )


# --- images in levels of 0 to 255, (H, W, 3) -----------------------------------------------------------------


def as_levels(pixels: Tensor | np.ndarray) -> np.ndarray:
    """(C, H, W) in [-1, 1] as bytes."""
    return np.rint((np.asarray(pixels).transpose(1, 2, 0) + 1) * 127.5).clip(0, 255).astype(np.uint8)


def as_bytes(image: np.ndarray) -> np.ndarray:
    """An image in [0, 1] as bytes."""
    return np.rint(image * 255).clip(0, 255).astype(np.uint8)


def through(
    run: Run, degraded: Tensor, mask: np.ndarray | None = None, interpolation: float | None = None
) -> np.ndarray:
    """An image (3, H, W) restored by a run."""
    method = run.method if interpolation is None else run.method.interpolated(interpolation)  # pyright: ignore
    return as_levels(restore(method, Photo(degraded.numpy()), mask)[0].pixels)


def figures(made: np.ndarray, whole: np.ndarray, distances: Distances) -> dict[str, float]:
    found = {
        "PSNR[Y]": psnr_y(made, whole), "PSNR[RGB]": psnr_rgb(made, whole), "SSIM[Y]": ssim_y(made, whole),
        "SSIM[RGB]": ssim_rgb(made, whole),
    }  # fmt: skip
    return found | {f"PD[{name}]": distance(made, whole) for name, distance in distances.items()}


def open_distances() -> Distances:
    """The distances whose networks are on this machine."""
    found: Distances = {}
    try:
        mobilenet = FeatureExtractor(open_network("mobilenet_v2", download=False), PD_LAYERS)
        found["mobilenet_v2"] = lambda made, whole: mobilenet_distance(made, whole, mobilenet)
        found["vgg16_bn"] = by_vgg(FeatureExtractor(open_network("vgg16_bn", download=False), VGG_LAYERS))
    except GanvasError as error:
        print(f"a distance by features is left out: {error}", file=sys.stderr)
    return found


def by_vgg(extractor: FeatureExtractor) -> Callable[[np.ndarray, np.ndarray], float]:
    """The same distance (Zhang 2018, eq. 1, without learned weights) by three layers of VGG-16-BN."""

    @torch.no_grad()
    def distance(made: np.ndarray, whole: np.ndarray) -> float:
        a, b = (torch.from_numpy(x.astype(np.float32)).movedim(2, 0)[None] / 127.5 - 1 for x in (made, whole))
        return float(unit_distance(extractor.maps(a), extractor.maps(b)))

    return distance


def mean_figures(
    answer: Callable[[Tensor, int], np.ndarray], photos: list[Tensor], distances: Distances, scale: int = 1
) -> dict[str, float]:
    """Means over the photos, cut to multiples of `scale`."""
    rows = []
    for number, photo in enumerate(photos):
        height, width = (side // scale * scale for side in photo.shape[1:])
        whole = photo[:, :height, :width]
        rows.append(figures(answer(whole, number), as_levels(whole), distances))
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


# --- three tasks -------------------------------------------------------------------------------------------------------


def upscaling(runs: dict[str, Run], photos: list[Tensor], distances: Distances, scale: int) -> Figures:
    """So many times the height and width."""

    def small(whole: Tensor) -> Tensor:
        return quantised(downscaled(whole[None], scale))[0]

    def measured(answer: Callable[[Tensor], np.ndarray]) -> dict[str, float]:
        return mean_figures(lambda whole, _: answer(small(whole)), photos, distances, scale)

    found = {"bicubic": measured(lambda x: as_levels(upscaled(x[None], scale)[0]))}
    for name in UPSCALERS:
        if name in runs:
            found[name] = measured(lambda x, run=runs[name]: through(run, x))
    if "srgan" in runs:
        for share in (0.0, 0.5):
            found[f"srgan --interpolation {share:g}"] = measured(
                lambda x, share=share: through(runs["srgan"], x, interpolation=share)
            )
    return found


def degraded_enlarging(
    runs: dict[str, Run], photos: list[Tensor], distances: Distances, scale: int
) -> dict[str, Figures]:
    """By the kind of degradation: bicubic and the presets of srresnet; each image is degraded once, the same for all."""
    drawn = [photo for photo in photos for _ in range(DRAWS)]
    kinds: dict[str, tuple[list[Tensor], Callable[[Tensor, int], Tensor]]] = {
        "clean, bicubic": (photos, lambda whole, _: quantised(downscaled(whole[None], scale))[0]),
        "as trained on": (drawn, lambda whole, number: photo_like(whole, scale, number)),
        "out of focus, JPEG twice": (drawn, lambda whole, number: out_of_focus(whole, scale, number)),
    }
    tables = {}
    for kind, (images, small) in kinds.items():
        found = tables[kind] = {}
        found["bicubic"] = mean_figures(
            lambda x, i, small=small: as_levels(upscaled(small(x, i)[None], scale)[0]), images, distances, scale
        )
        for preset, run in runs.items():
            found[f"srresnet {preset}"] = mean_figures(
                lambda x, i, small=small, run=run: through(run, small(x, i)), images, distances, scale
            )
    return tables


def photo_like(whole: Tensor, scale: int, number: int) -> Tensor:
    """(3, h, w) by draw `number` of what the preset `photo` is trained on."""
    degradation = srresnet.photo().photo_degradation()
    return degradation(whole[None], scale, Batch(whole[None], generator=torch.Generator().manual_seed(number)))[0]


def out_of_focus(whole: Tensor, scale: int, number: int) -> Tensor:
    """(3, h, w): blurred by a disc of 1 to 3 pixels, reduced by Lanczos, JPEG of quality 60 to 90 twice with shifted blocks."""
    radius, first, second = np.random.default_rng(number).uniform((1, 60, 60), (3, 90, 90))
    places = torch.arange(-4.0, 5.0)
    disc = (radius + 0.5 - torch.hypot(places[:, None], places)).clamp(0, 1)  # its edge by the share of a pixel
    blurred = Image.fromarray(as_levels(filtered(whole[None], (disc / disc.sum())[None])[0]))
    small = blurred.resize((blurred.width // scale, blurred.height // scale), Image.Resampling.LANCZOS)
    saved = pillow_jpeg(np.asarray(small), round(first))
    saved = pillow_jpeg(np.pad(saved, ((3, 0), (5, 0), (0, 0)), mode="edge"), round(second))[3:, 5:]
    return torch.from_numpy(saved.transpose(2, 0, 1).astype(np.float32)) / 127.5 - 1


def pillow_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """An image (H, W, 3) saved as JPEG, its colour at half the size, and read again."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="JPEG", quality=quality, subsampling="4:2:0")
    with Image.open(buffer) as saved:
        return np.asarray(saved)


def denoising(runs: dict[str, Run], photos: list[Tensor], distances: Distances, scale: int) -> Figures:
    """Gaussian noise, SIGMA, the same for every way."""

    def noisy(whole: Tensor, number: int) -> Tensor:
        normal = torch.randn(whole.shape, generator=torch.Generator().manual_seed(number))
        return gaussian_noise(whole[None], normal[None], SIGMA)[0]

    def told(denoiser: Callable[..., np.ndarray], *given: float, **more: Any) -> Callable[[Tensor, int], np.ndarray]:
        """By a function of images (H, W, 3) in [0, 1]."""

        def answer(whole: Tensor, number: int) -> np.ndarray:
            return as_bytes(denoiser((noisy(whole, number).numpy().transpose(1, 2, 0) + 1) / 2, *given, **more))

        return answer

    found = {"noisy": mean_figures(lambda x, number: as_levels(noisy(x, number)), photos, distances)}
    if has("skimage"):
        scikit, common = importlib.import_module("skimage.restoration"), {"sigma": SIGMA / 255, "channel_axis": -1}
        found["non-local means"] = mean_figures(
            told(scikit.denoise_nl_means, patch_size=5, patch_distance=6, h=0.8 * SIGMA / 255, fast_mode=True, **common),
            photos, distances,
        )  # fmt: skip
        found["wavelets, BayesShrink"] = mean_figures(
            told(
                scikit.denoise_wavelet, method="BayesShrink", mode="soft", convert2ycbcr=True, rescale_sigma=True, **common
            ),
            photos, distances,
        )  # fmt: skip
    if has("bm3d"):
        block_matched = told(importlib.import_module("bm3d").bm3d_rgb, SIGMA / 255)
        found["BM3D"] = mean_figures(block_matched, photos, distances)
    if "denoise" in runs:
        found["denoise"] = mean_figures(lambda x, number: through(runs["denoise"], noisy(x, number)), photos, distances)
    return found


def filling(runs: dict[str, Run], photos: list[Tensor], distances: Distances, scale: int) -> Figures:
    """In the hole alone: PSNR[RGB]. Holes lie on a grid of 96 pixels, boxes and strokes in turn."""
    ways: dict[str, Callable[[Tensor, np.ndarray], np.ndarray]] = {
        "mean of the rim": rim_mean,
        "smooth filling": lambda x, mask: without_training(smoothly_filled, x, mask),
        "the same, diffused along edges": lambda x, mask: without_training(initially_filled, x, mask),
        "the same, and few cosines": lambda x, mask: without_training(with_cosines, x, mask),
    }
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

    image = as_levels(photo)
    parts, count = ndimage.label(mask, np.ones((3, 3)))  # pyright: ignore
    for part in range(1, count + 1):
        inside = parts == part
        rim = ndimage.binary_dilation(inside, np.ones((3, 3))) & ~mask
        image[inside] = image[rim].mean(0)
    return image


def with_cosines(photo: Tensor, mask: Tensor) -> Tensor:
    """What a run of inpaint restores whose network adds 0."""
    return Inpaint().with_cosines(initially_filled(photo, mask), mask)


def without_training(fill: Callable[[Tensor, Tensor], Tensor], photo: Tensor, mask: np.ndarray) -> np.ndarray:
    """By the filling that inpaint starts from, or a part of it."""
    return as_levels(fill(photo[None], torch.from_numpy(mask)[None, None].float())[0])


def biharmonic(photo: Tensor, mask: np.ndarray) -> np.ndarray:
    inpaint = importlib.import_module("skimage.restoration").inpaint_biharmonic
    found = inpaint(as_levels(photo) / 255, mask, channel_axis=-1, split_into_regions=True)
    return as_bytes(found)


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


TASKS = {"larger": (upscaling, UPSCALERS), "noise": (denoising, ("denoise",)), "holes": (filling, ("inpaint",))}


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(
        __doc__,
        minutes=5,
        seeds=(0,),
        out="runs-restoration",
        threads=1,
        settings="NAME=VALUE beside the preset, of each method",
    )
    parser.add_argument("photos", type=Path)
    parser.add_argument("--only", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--size", type=int, default=64, help="height and width of the patches to train on")
    parser.add_argument("--scale", type=int, default=2, choices=(2, 3, 4))
    parser.add_argument("--perceptual", default="efficientnet_lite0", help="what srgan compares: see its settings")
    parser.add_argument("--from-srresnet", action="store_true", help="srgan begins with the weights of srresnet's run")
    parser.add_argument("--degraded", action="store_true", help="presets of srresnet on degraded photos")
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--measure-only", action="store_true", help="the runs in --out as they are")
    options = parse(parser, arguments)
    tables: dict[str, dict[str, Figures]] = {}
    for seed in options.seeds:
        if options.degraded:
            runs = {preset: run_of("srresnet", seed, options, preset) for preset in PRESETS}
        else:
            runs = {name: run_of(name, seed, options) for name in options.only}
        for name, run in runs.items():
            print(f"{name}, seed {seed}: {steps_of(run)} steps", file=sys.stderr)
        if not options.train_only:
            measure = measured_degraded if options.degraded else measured
            tables[str(seed)] = measure(runs, seed, options)
    if options.json:
        finish(options, {**facts(options), "seeds": tables})


def run_of(name: str, seed: int, options: argparse.Namespace, preset: str = "small") -> Run:
    """The run of a method, trained where --measure-only does not forbid it."""
    upscales = name in UPSCALERS
    start = name if preset == "small" else f"{name}-{preset}"
    if name == "srgan" and options.from_srresnet:
        start = "srgan-from-srresnet"
    folder = options.out / (f"{start}-x{options.scale}-{seed}" if upscales else f"{start}-{seed}")
    if options.measure_only:
        return Run(folder)
    settings: dict[str, Any] = {"scale": options.scale} if upscales else {}
    more: dict[str, Any] = {}
    if name == "srgan":
        settings["perceptual"] = options.perceptual
        if options.from_srresnet:
            settings["first_phase"] = 0.0
            more["init_from"] = options.out / f"srresnet-x{options.scale}-{seed}"
    settings |= options.settings
    return train(name, options, folder, seed, settings, preset, **more)


def measured(runs: dict[str, Run], seed: int, options: argparse.Namespace) -> dict[str, Figures]:
    """The figures of each task, printed as they come."""
    distances, photos = open_distances(), held_out_photos(options)
    tables = {}
    for title, (task, names) in TASKS.items():
        if not any(name in runs for name in names):
            continue
        tables[title] = task(runs, photos, distances, options.scale)
        print_figures(title, tables[title], len(photos), seed, options)
    return tables


def measured_degraded(runs: dict[str, Run], seed: int, options: argparse.Namespace) -> dict[str, Figures]:
    """The figures of each kind of degradation, printed."""
    photos = held_out_photos(options)
    tables = degraded_enlarging(runs, photos, open_distances(), options.scale)
    for kind, rows in tables.items():
        print_figures(kind, rows, len(photos), seed, options)
    return tables


def held_out_photos(options: argparse.Namespace) -> list[Tensor]:
    return [torch.from_numpy(read().pixels) for _, read in find_photos(options.photos / "test")]


def print_figures(title: str, rows: Figures, photos: int, seed: int, options: argparse.Namespace) -> None:
    columns = list(next(iter(rows.values())))
    table = Table(["", *columns], options, f"{title}, means of {photos} photos, seed {seed}; {heading(facts(options))}")
    for name, row in rows.items():
        table.row(name, *(row[column] for column in columns))


if __name__ == "__main__":
    main()
