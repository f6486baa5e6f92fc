"""Gathers the photos that ordinary packages carry into a folder that `ganvas train --data` takes, for benchmarks/restoration.py.

    pip install scikit-image scikit-learn foolbox           (never imported; only their files are copied)
    apt-get download opencv-doc lomiri-wallpapers-16.04 lomiri-wallpapers-20.04 mate-backgrounds gcompris-qt-data
    mkdir -p debian && for package in *.deb; do dpkg-deb -x $package debian/${package%%_*}; done
    python benchmarks/photos.py photos --look debian [--paintings DIR]

photos/train and photos/test share no photo and no scene; --paintings has nine by van Gogh, without their outermost pixels, which
are the scan's. What is not found is named, and left out. Photos of the last four packages are reduced until their longer side
has at most 1,000 pixels, which leaves little of their compression; those of gcompris are read from Qt's resource files. The
licences are those of the packages; the photos are for measuring and never part of this project.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import os
import shutil
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from PIL import Image, ImageOps

# Where a photo lies within its package.
TEST = [
    "skimage/data/astronaut.png",
    "skimage/data/coffee.png",
    "skimage/data/chelsea.png",
    "skimage/data/motorcycle_left.png",
    "skimage/data/rocket.jpg",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
]
OPENCV = (
    "aero1 aloeL apple baboon board building butterfly ela_original fruits graf1 home left leuvenA messi5 orange rubberwhale1 "
    "smarties squirrel_cls stuff HappyFish"
)
TRAIN = [
    *(f"opencv-doc/examples/data/{name}" for name in OPENCV.split()),
    *(f"opencv-doc/examples/text/scenetext0{number}" for number in range(1, 7)),
    *(f"opencv-doc/examples/hfs/data/00{number}" for number in range(3)),
    "opencv-doc/examples/alphamat/input_images/plant",
    "opencv-doc/examples/dnn_superres/butterfly",
    "skimage/data/hubble_deep_field",
    *(f"foolbox/data/imagenet_{number:02d}_" for number in range(20)),
]
LOMIRI = [
    "Bridge_by", "greentock_by", "picosdeeuropa_by", "seeding_by", "umang_by", "friends_by", "free_by", "life_by", "Dragonfly_by",
    "Picture_1A_by", "sunset_by", "Kleiber_by", "Painting-Colors_by", "Fossa_by",
]  # fmt: skip
MATE = ["Dune", "Wood", "Aqua", "TwoWings", "GreenMeadow", "FreshFlower", "LadyBird", "YellowFlower"]
WALLPAPERS = [f"share/backgrounds/{name}" for name in LOMIRI] + [
    f"share/backgrounds/mate/nature/{name}" for name in MATE
]
# Archives of gcompris whose images are photos, and those in "details" that are paintings.
GCOMPRIS = [
    "explore_world_animals",
    "explore_monuments",
    "explore_farm_animals",
    "explore_world_music",
    "erase",
    "details",
]
VAN_GOGH = (
    "Eglise_dAuvers-sur-Oise", "Gogh4", "PortraitOfPereTanguy", "Van_Gogh_The_Night_Cafe", "VincentVanGogh0012",
    "VincentVanGogh0013", "VincentVanGogh0019", "VincentVanGoghBridge",
)  # fmt: skip
STARRY_NIGHT = "opencv-doc/examples/data/starry_night"
PACKAGES = ("skimage", "sklearn", "foolbox")
EDGE = 12  # pixels left out at each side of a painting
SIDE = 1000  # pixels, the longer side of a photo that is reduced
LEAST_BYTES, LEAST_SIDE = 15_000, 300  # of a photo in an archive; smaller images are drawings and buttons


def gather(out: Path, look: Iterable[Path] = (), paintings: Path | None = None) -> dict[str, list[str]]:
    """Writes photos into out/train and out/test, and paintings; returns names by folder, under "missing" what was not found."""
    roots = [Path("/usr/share/doc"), *(found.parent for found in map(folder_of, PACKAGES) if found)]
    for extra in look:
        roots += [
            Path(folder) for folder, _, _ in os.walk(extra) if Path(folder).name in ("doc", "site-packages", "usr")
        ]
        roots.append(extra)
    copied = [("train", tail) for tail in TRAIN] + [("test", tail) for tail in TEST]
    rewritten = [("train", tail) for tail in WALLPAPERS]
    folders = {"train": out / "train", "test": out / "test"}
    if paintings is not None:
        folders["paintings"] = paintings
        rewritten.append(("paintings", STARRY_NIGHT))
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, list[str]] = {name: [] for name in ("train", "test", "paintings", "missing")}

    def write(image: Image.Image, split: str, stem: str) -> None:
        if split in folders:
            name = f"{stem}.png"
            reduced(image, EDGE if split == "paintings" else 0).save(folders[split] / name)
            names[split].append(name)

    for split, tail in [*copied, *rewritten]:
        found = first_file(roots, tail + "*")
        if found is None:
            names["missing"].append(tail)
            continue
        stem = "-".join(tail.split("/")[-2:]).rstrip("_").split(".")[0]
        if (split, tail) in rewritten:
            with Image.open(found) as image:
                write(image, split, stem)
        else:
            shutil.copyfile(found, folders[split] / (stem + found.suffix))
            names[split].append(stem + found.suffix)
    for archive in GCOMPRIS:
        found = first_file(roots, f"share/gcompris-qt/rcc/{archive}.rcc")
        if found is None:
            names["missing"].append(f"gcompris-qt/rcc/{archive}.rcc")
            continue
        for stem, image in photos_in(found):
            write(image, "paintings" if stem.startswith(VAN_GOGH) else "train", f"{archive}-{stem}")
    return names


def first_file(roots: Iterable[Path], pattern: str) -> Path | None:
    return next((path for root in roots for path in sorted(root.glob(pattern)) if path.is_file()), None)


def reduced(image: Image.Image, edge: int) -> Image.Image:
    """RGB, `edge` pixels cropped at each side, reduced by means of squares of pixels until the longer side has at most `SIDE`."""
    image = ImageOps.crop(image.convert("RGB"), edge)
    return image.reduce(-(-max(image.size) // SIDE))


# --- resource files of Qt --------------------------------------------------------------------------------------------------


def photos_in(path: Path) -> Iterator[tuple[str, Image.Image]]:
    """The stems and images of a resource file that are large enough for photos."""
    for name, content in resources(path.read_bytes()):
        if name.endswith((".jpg", ".webp")) and len(content) > LEAST_BYTES:
            image = Image.open(io.BytesIO(content))
            if min(image.size) >= LEAST_SIDE:
                yield Path(name).stem, image


def resources(file: bytes) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a binary resource file as Qt's rcc writes it (big endian).

    A header; a tree of records of 14 bytes (22 since version 2), each with the place of its name, its flags, and either its
    number of children and the first of them or the place of its content; contents after their length; names after their length
    and hash.
    """
    kind, version, tree, contents, names = struct.unpack_from(">4s4I", file)
    if kind != b"qres":
        raise ValueError("not a resource file of Qt")
    size = 14 if version == 1 else 22

    def named(record: int, folder: str) -> Iterator[tuple[str, bytes]]:
        at = tree + record * size
        place, flags = struct.unpack_from(">IH", file, at)
        length = struct.unpack_from(">H", file, names + place)[0] if record else 0
        name = folder + file[names + place + 6 : names + place + 6 + 2 * length].decode("utf-16-be")
        if flags & 2:
            children, first = struct.unpack_from(">II", file, at + 6)
            for child in range(first, first + children):
                yield from named(child, f"{name}/")
            return
        (start,) = struct.unpack_from(">I", file, at + 10)
        (count,) = struct.unpack_from(">I", file, contents + start)
        content = file[contents + start + 4 : contents + start + 4 + count]
        yield name, zlib.decompress(content[4:]) if flags & 1 else content

    yield from named(0, "")


def folder_of(package: str) -> Path | None:
    """Where an installed package lies; it is not imported."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--look", type=Path, action="append", default=[], help="another folder with unpacked packages")
    parser.add_argument("--paintings", type=Path, metavar="DIR", help="where to write paintings too")
    asked = parser.parse_args()
    names = gather(asked.out, asked.look, asked.paintings)
    for tail in names["missing"]:
        print(f"not found: {tail}", file=sys.stderr)
    counts = {split: len(found) for split, found in names.items()}
    print(
        f"{counts['train']} photos to train on, {counts['test']} held out, {counts['paintings']} paintings, in {asked.out}"
    )


if __name__ == "__main__":
    main()
