"""Which features order real images, blur and noise as people do? Those that need no weights, and networks trained on photos.

    python benchmarks/extractors.py [--data photos emoji FOLDER FILE.npz] [--n 1000] [--size 64] [--extractors ...] [--json]

Of each data set one half is `real`, and what is compared with it is made of the other half, as many images:

held-out      the other half as it is
blur          by a Gaussian of 0.5, 1 and 2 pixels at 32 pixels a side (in proportion at other sizes)
noise         with Gaussian noise of 8, 25 and 64 levels added
JPEG          saved at quality 20
patches       cut into 4 x 4 patches, which are shuffled
mean image    the mean of the real half, again and again
memorised     a tenth of the real half, drawn with replacement
uniform noise, Gaussian noise (with the real mean and deviation by channel), smooth noise (4 x 4 random colours, enlarged)

FD, precision and recall of each, by each extractor. At the end: whether all pure noise has a precision of at most 0.1 and a
larger FD than a blur of 0.5 or 1 pixels, and whether stronger blur and noise have the larger FD.

photos are pieces of the photos in scikit-learn (and of scikit-image, where it is installed); emoji is built in. Random
convolutions and pixels are here for comparison only; `ganvas evaluate` knows the others.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import itertools
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Table, digits, facts, finish, heading, make_parser, parse
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from ganvas.data import open_data, read_image
from ganvas.metrics.extractors import choose_extractor, extract, has_efficientnet_weights
from ganvas.metrics.frechet import Moments, frechet_distance
from ganvas.metrics.precision_recall import overlap
from ganvas.networks.features.mobilenet import has_mobilenet_weights

PHOTOS = {
    "sklearn": ["china.jpg", "flower.jpg"],
    "skimage": ["astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg"],
}
FOLDERS = {"sklearn": "datasets/images", "skimage": "data"}
BLUR, NOISE = (0.5, 1, 2), (8, 25, 64)
PURE = ("uniform noise", "Gaussian noise", "smooth noise")
NEIGHBOURS = 5

Features = Callable[[np.ndarray], Tensor]


# --- data -----------------------------------------------------------------------------------------------------------------


def photo_pieces(size: int, count: int) -> np.ndarray:
    """Random squares of `size` pixels from photos whose shorter side is reduced to three times as many."""
    photos: list[np.ndarray] = []
    for package, names in PHOTOS.items():
        spec = importlib.util.find_spec(package)
        for name in names if spec and spec.origin else ():
            path = Path(spec.origin).parent / FOLDERS[package] / name  # pyright: ignore
            if path.exists():
                image = Image.open(path).convert("RGB")
                scale = 3 * size / min(image.size)
                shape = round(image.width * scale), round(image.height * scale)
                photos.append(np.asarray(image.resize(shape, Image.Resampling.LANCZOS)))
    random = np.random.default_rng(0)
    pieces: list[np.ndarray] = []
    for number in range(count):
        photo = photos[number % len(photos)]
        top, left = (int(random.integers(side - size + 1)) for side in photo.shape[:2])
        pieces.append(photo[top : top + size, left : left + size])
    return np.stack(pieces)


def open_images(data: str, size: int, count: int) -> np.ndarray:
    """Images uint8 (N, H, W, C) in random order, at most `count`."""
    if data == "photos":
        images = photo_pieces(size, count)
    elif Path(data).is_dir() and any(Path(data).glob("*.jpg")):  # pairs side by side count by their left half
        images = np.stack([left_half(path, size) for path in sorted(Path(data).glob("*.jpg"))])
    else:
        images = np.asarray(open_data(data, holdout=0).images)
    return images[np.random.default_rng(0).permutation(len(images))[:count]]


def left_half(path: Path, size: int) -> np.ndarray:
    """The left square of an image, reduced to `size`."""
    image = Image.fromarray(read_image(path))
    side = min(image.size)
    return np.asarray(image.convert("RGB").crop((0, 0, side, side)).resize((size, size), Image.Resampling.LANCZOS))


# --- what is compared with real images --------------------------------------------------------------------------------------


def cases(real: np.ndarray, held_out: np.ndarray, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(seed)
    yield "held-out", held_out
    for deviation in BLUR:
        yield f"blur {deviation}", blurred(held_out, deviation * held_out.shape[1] / 32)
    for levels in NOISE:
        yield f"noise {levels}", as_bytes(held_out + random.normal(size=held_out.shape) * levels)
    yield "JPEG", np.stack([jpeg(image) for image in held_out])
    yield "patches", shuffled_patches(held_out, random)
    yield "mean image", np.repeat(as_bytes(real.mean(0, keepdims=True, dtype=np.float64)), len(held_out), 0)
    yield "memorised", real[random.integers(0, len(real) // 10, len(held_out))]
    yield "uniform noise", random.integers(0, 256, held_out.shape, dtype=np.uint8)
    mean, deviation = real.mean((0, 1, 2)), real.std((0, 1, 2))
    yield "Gaussian noise", as_bytes(random.normal(mean, deviation, held_out.shape))
    colours = torch.from_numpy(random.uniform(size=(len(held_out), held_out.shape[3], 4, 4)) * 255)
    smooth = F.interpolate(colours, held_out.shape[1:3], mode="bicubic")
    yield "smooth noise", as_bytes(smooth.permute(0, 2, 3, 1).numpy())


def as_bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


def blurred(images: np.ndarray, deviation: float) -> np.ndarray:
    reach = math.ceil(3 * deviation)
    kernel = torch.exp(-torch.arange(-reach, reach + 1).square() / (2 * deviation**2))
    kernel = kernel / kernel.sum()
    channels = images.shape[3]
    x = torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float()
    x = F.pad(x, (reach,) * 4, mode="reflect")
    x = F.conv2d(x, kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    x = F.conv2d(x, kernel.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return as_bytes(x.permute(0, 2, 3, 1).numpy())


def jpeg(image: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(file, "JPEG", quality=20)
    return np.asarray(Image.open(file)).reshape(image.shape)


def shuffled_patches(images: np.ndarray, random: np.random.Generator, across: int = 4) -> np.ndarray:
    n, height, width, channels = images.shape
    h, w = height // across, width // across
    cut = images[:, : h * across, : w * across].reshape(n, across, h, across, w, channels)
    patches = cut.swapaxes(2, 3).reshape(n, across**2, h, w, channels)
    patches = np.stack([one[random.permutation(across**2)] for one in patches])
    return (
        patches.reshape(n, across, across, h, w, channels).swapaxes(2, 3).reshape(n, h * across, w * across, channels)
    )


# --- features ---------------------------------------------------------------------------------------------------------------


def planar(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images.copy()).permute(0, 3, 1, 2).float() / 255


def pixels(images: np.ndarray) -> Tensor:
    """8 x 8 mean colours."""
    return F.adaptive_avg_pool2d(planar(images), 8).flatten(1)


def random_convolutions(images: np.ndarray) -> Tensor:
    """Three layers of random 3 x 3 filters (He's scale) with ReLU, by mean and deviation, and the last by place too."""
    generator, found = torch.Generator().manual_seed(0), []
    x = planar(images) * 2 - 1
    for width in (32, 64, 128):
        weight = torch.randn(width, x.shape[1], 3, 3, generator=generator) * math.sqrt(2 / (9 * x.shape[1]))
        x = F.relu(F.conv2d(x, weight, padding=1))
        found += [x.mean((2, 3)), x.std((2, 3))]
        x = F.avg_pool2d(x, 2)
    return torch.cat([*found, F.adaptive_avg_pool2d(x, 2).flatten(1)], 1)


PLAIN: dict[str, Features] = {"pixels": pixels, "random convolutions": random_convolutions}
SHIPPED = ("digits", "filter_bank", "mobilenet_v2", "efficientnet_lite0")


def features_of(name: str, images: np.ndarray) -> tuple[Tensor, Tensor]:
    """Features for FD, and those for precision and recall."""
    if name in PLAIN:
        features = torch.cat([PLAIN[name](images[start : start + 100]) for start in range(0, len(images), 100)])
        return features, features
    extractor = choose_extractor(name, (images.shape[1], images.shape[2], images.shape[3]), False)
    features = extract(extractor, images, "images")
    return features, extractor.for_neighbours(features)


def measure(name: str, real: np.ndarray, others: dict[str, np.ndarray]) -> dict[str, Any]:
    """FD, precision and recall of each of the others, and milliseconds for an image."""
    began = time.process_time()
    features, neighbours = features_of(name, real)
    milliseconds = 1e3 * (time.process_time() - began) / len(real)
    moments, rows = Moments().add(features), {}
    for case, images in others.items():
        own, near = features_of(name, images)
        theirs = Moments().add(own)
        shares = overlap(neighbours, near, NEIGHBOURS)
        FD = frechet_distance(theirs.mean, theirs.covariance, moments.mean, moments.covariance)
        rows[case] = {"FD": FD, "precision": shares.precision, "recall": shares.recall}
    return {"milliseconds": milliseconds, "features": features.shape[1], "rows": rows, "checks": checks(rows)}


def checks(rows: dict[str, dict[str, float]]) -> dict[str, bool]:
    """What must hold for figures that one may trust."""
    blur = [rows[f"blur {deviation}"]["FD"] for deviation in BLUR]
    noise = [rows[f"noise {levels}"]["FD"] for levels in NOISE]
    return {
        "no precision for noise": max(rows[case]["precision"] for case in PURE) <= 0.1,
        "noise beyond blur": min(rows[case]["FD"] for case in PURE) > max(blur[:2]),
        "blur in order": all(a < b for a, b in itertools.pairwise([rows["held-out"]["FD"], *blur])),
        "noise in order": all(a < b for a, b in itertools.pairwise([rows["held-out"]["FD"], *noise])),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, threads=1)
    parser.add_argument("--data", nargs="+", default=["photos", "emoji"], help="photos, or what ganvas.open_data takes")
    parser.add_argument("--n", type=int, default=1000, help="images of each half, at most")
    parser.add_argument("--size", type=int, default=64, help="of pieces of photos")
    parser.add_argument("--extractors", nargs="+", choices=[*PLAIN, *SHIPPED], help="default: all that are here")
    parser.add_argument("--seed", type=int, default=0)
    options = parse(parser, arguments)
    missing = {"mobilenet_v2": not has_mobilenet_weights(), "efficientnet_lite0": not has_efficientnet_weights()}
    here = [*PLAIN, *(name for name in SHIPPED if not missing.get(name))]
    names: list[str] = options.extractors or here
    report: dict[str, Any] = {**facts(options), "data": {}}
    for data in options.data:
        images = open_images(data, options.size, 2 * options.n)
        half = len(images) // 2
        real, others = images[:half], dict(cases(images[:half], images[half : 2 * half], options.seed))
        found = {name: measure(name, real, others) for name in names}
        report["data"][data] = {"shape": real.shape, "extractors": found}
        if not options.json:
            show(f"{Path(data).stem}, {half} images of {real.shape[1:]}; {heading(facts(options))}", found, options)
    if options.json:
        finish(options, report)


def show(title: str, found: dict[str, dict[str, Any]], options: argparse.Namespace) -> None:
    """FD, precision and recall in one cell for each extractor."""
    table = Table(["", *(f"{name}: FD, precision, recall" for name in found)], options, title)
    for case in next(iter(found.values()))["rows"]:
        cells = []
        for one in found.values():
            row = one["rows"][case]
            cells.append(f"{digits(row['FD']).replace(',', '')}, {row['precision']:.2f}, {row['recall']:.2f}")
        table.row(case, *cells)
    table.row("ms for an image", *(f"{one['milliseconds']:.2f}" for one in found.values()))
    for check in next(iter(found.values()))["checks"]:
        table.row(check, *("yes" if one["checks"][check] else "**no**" for one in found.values()))
    print()


if __name__ == "__main__":
    main()
