"""Gathers the photos that ordinary packages carry into a folder that `ganvas train --data` takes, for benchmarks/restoration.py.

    pip install scikit-image scikit-learn foolbox           (never imported; only their files are copied)
    apt-get download opencv-doc && dpkg-deb -x opencv-doc_*.deb opencv-doc
    python benchmarks/photos.py photos --look opencv-doc

photos/train and photos/test share no photo and no scene. What is not found is named, and left out. The licences are those of the
packages; the photos are for measuring and never part of this project.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

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
PACKAGES = ("skimage", "sklearn", "foolbox")


def gather(out: Path, look: Iterable[Path] = ()) -> dict[str, list[str]]:
    """Copies the photos into out/train and out/test; returns the names by split, and under "missing" what was not found."""
    roots = [Path("/usr/share/doc"), *(found.parent for found in map(folder_of, PACKAGES) if found)]
    for extra in look:
        roots += [Path(folder) for folder, _, _ in os.walk(extra) if Path(folder).name in ("doc", "site-packages")]
        roots.append(extra)
    names: dict[str, list[str]] = {"train": [], "test": [], "missing": []}
    for split, tails in (("train", TRAIN), ("test", TEST)):
        for tail in tails:
            found = next((path for root in roots for path in sorted(root.glob(tail + "*")) if path.is_file()), None)
            if found is None:
                names["missing"].append(tail)
                continue
            (out / split).mkdir(parents=True, exist_ok=True)
            name = "-".join(tail.split("/")[-2:]).rstrip("_").split(".")[0] + found.suffix
            shutil.copyfile(found, out / split / name)
            names[split].append(name)
    return names


def folder_of(package: str) -> Path | None:
    """Where an installed package lies; it is not imported."""
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--look", type=Path, action="append", default=[], help="another folder with unpacked packages")
    asked = parser.parse_args()
    names = gather(asked.out, asked.look)
    for tail in names["missing"]:
        print(f"not found: {tail}", file=sys.stderr)
    print(f"{len(names['train'])} photos to train on, {len(names['test'])} held out, in {asked.out}")


if __name__ == "__main__":
    main()
