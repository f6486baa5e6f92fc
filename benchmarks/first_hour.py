"""The first hour of a new user: every command that one would try, on photos, with seconds and peak memory of each.

    pip install scikit-image scikit-learn         (never imported; only their photos are read)
    python benchmarks/first_hour.py /tmp/hour --write docs/experiments/first_hour.md

Two folders are made of the photos that these packages carry, by crops of fixed seeds: `wide`, 450 images of 512x256, and
`phone`, 20 of 4032x3024. Exit code 1 where a command fails, takes more than 3 GB, or `--minutes 1` more than 75 s, `--minutes 5`
more than 330 s.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import resource
import shutil
import sys
import time
from pathlib import Path

import numpy as np
from photos import folder_of
from PIL import Image

PHOTOS = {
    "skimage": (
        "astronaut.png", "chelsea.png", "coffee.png", "hubble_deep_field.jpg", "motorcycle_left.png", "retina.jpg",
        "rocket.jpg", "ihc.png",
    ),
    "sklearn": ("china.jpg", "flower.jpg"),
}  # fmt: skip
INSIDE = {"skimage": "data", "sklearn": "datasets/images"}
FOLDERS = {"wide": (450, (512, 256)), "phone": (20, (4032, 3024))}  # how many, (width, height)
MOST_MEMORY = 3_000_000_000  # bytes of one command
MOST_SECONDS = {"1": 75.0, "5": 330.0}  # of one with --minutes


@dataclasses.dataclass(frozen=True)
class Tried:
    """One command, and what it took."""

    words: tuple[str, ...]
    seconds: float
    processor: float
    """Seconds of CPU time, which other work on the machine changes little."""
    memory: int
    code: int
    said: str

    @property
    def failures(self) -> list[str]:
        """In what it misses the bounds."""
        failures: list[str] = []
        if self.code:
            failures.append(f"exit code {self.code}: {self.said.strip().splitlines()[-1] if self.said.strip() else ''}")
        if self.memory > MOST_MEMORY:
            failures.append(f"{self.memory / 1e9:.2f} GB of memory")
        for minutes, most in MOST_SECONDS.items():
            asked = ("--minutes", minutes) in zip(self.words, self.words[1:], strict=False)
            if asked and self.seconds > most:
                failures.append(f"{self.seconds:.0f} s for --minutes {minutes}")
        return failures


# --- the photos ---------------------------------------------------------------------------------------------------------


def make_folder(folder: Path, count: int, size: tuple[int, int], seed: int) -> None:
    """`count` JPEG files: crops of the packages' photos, of random place and scale, resized to `size` (width, height)."""
    if folder.is_dir() and len(list(folder.iterdir())) == count:
        return
    folder.mkdir(parents=True, exist_ok=True)
    photos = packaged_photos()
    random = np.random.default_rng(seed)
    width, height = size
    for number in range(count):
        photo = photos[int(random.integers(len(photos)))]
        scale = float(random.uniform(0.5, 1.0))
        across = min(photo.width, photo.height * width / height) * scale
        down = across * height / width
        left, top = float(random.uniform(0, photo.width - across)), float(random.uniform(0, photo.height - down))
        box = (left, top, left + across, top + down)
        photo.resize(size, Image.Resampling.BICUBIC, box=box).save(folder / f"{number:04d}.jpg", quality=90)


def packaged_photos() -> list[Image.Image]:
    """The photos that lie in the installed packages."""
    photos: list[Image.Image] = []
    for package, names in PHOTOS.items():
        folder = folder_of(package)
        if folder is None:
            sys.exit(f"{package} is not installed: pip install scikit-image scikit-learn")
        photos += [Image.open(folder / INSIDE[package] / name).convert("RGB") for name in names]
    return photos


# --- the commands -------------------------------------------------------------------------------------------------------


def commands() -> list[str]:
    """What a new user tries, in this order; in a folder that holds `wide` and `phone`."""
    return [
        "methods",
        "data wide",
        "data phone",
        "train r3gan --data wide --dry-run",
        "train r3gan --data wide --minutes 1 --out runs/wide",
        "train r3gan --data phone --minutes 1 --set batch_size=16 --out runs/phone",
        "sample runs/wide --n 16 --grid grid.png",
        "evaluate runs/wide",
        "doctor runs/wide",
        "edit runs/wide --interpolate 0 1 --out interpolated.png",
        "train r3gan --resume runs/wide",
        "train --resume runs/wide --minutes 1.5",
        "train vae --data wide --minutes 1 --out runs/vae",
        "encode runs/vae wide --out codes.npz",
        "evaluate runs/vae",
        "compare runs/wide runs/vae",
        "train denoise --data wide --minutes 1 --out runs/denoise",
        "restore runs/denoise phone/0000.jpg --out restored",
        "train r3gan --data wide --minutes 5 --out runs/five",
    ]


def run(words: list[str], folder: Path) -> Tried:
    """One command in a process of its own; its peak memory as the system counted it."""
    environment = {**os.environ, "GANVAS_CACHE": str(folder / "cache")}
    log = folder / "last.txt"
    began = time.perf_counter()
    with open(log, "wb") as output:
        process = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "ganvas", *words],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), 1), (os.POSIX_SPAWN_DUP2, output.fileno(), 2)],
        )
        _, status, used = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    said = log.read_text(errors="replace")
    processor = used.ru_utime + used.ru_stime
    return Tried(tuple(words), seconds, processor, peak_bytes(used), os.waitstatus_to_exitcode(status), said)


def peak_bytes(used: resource.struct_rusage) -> int:
    """Largest resident size of that process alone, in bytes."""
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def table(tried: list[Tried]) -> str:
    """A Markdown table."""
    lines = ["| command | seconds | of CPU | peak memory |", "| --- | ---: | ---: | ---: |"]
    for one in tried:
        command = f"ganvas {' '.join(one.words)}"
        lines.append(f"| `{command}` | {one.seconds:.1f} | {one.processor:.1f} | {one.memory / 1e9:.2f} GB |")
    return "\n".join(lines)


def sizes(folder: Path) -> str:
    """What the runs left on the disk, as sentences."""
    sentences: list[str] = []
    for report in sorted((folder / "runs").glob("*/report.html")):
        grids = sum(path.stat().st_size for path in report.parent.glob("samples/*.png"))
        sentences.append(
            f"- `{report.parent.name}`: report {report.stat().st_size / 1e6:.2f} MB, grids {grids / 1e6:.2f} MB in all"
        )
    return "\n".join(sentences)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the hour is played; runs in it are replaced")
    parser.add_argument("--write", type=Path, help="a Markdown file for the results")
    parser.add_argument("--only", default="", help="only commands that contain this")
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    for seed, (name, (count, size)) in enumerate(FOLDERS.items()):
        make_folder(folder / name, count, size, seed)
    if not asked.only:
        shutil.rmtree(folder / "runs", ignore_errors=True)
        shutil.rmtree(folder / "cache", ignore_errors=True)
    os.chdir(folder)

    tried: list[Tried] = []
    for line in commands():
        if asked.only in line:
            one = run(line.split(), folder)
            tried.append(one)
            times = f"{one.seconds:7.1f} s ({one.processor:.1f} s of CPU)"
            print(f"{times} {one.memory / 1e9:6.2f} GB  ganvas {line}", flush=True)
            for failure in one.failures:
                print(f"          {failure}", flush=True)
    if asked.write is not None:
        text = asked.write.read_text(encoding="utf-8") if asked.write.is_file() else "<!-- results -->\n"
        head = text.partition("<!-- results -->")[0]
        results = f"{table(tried)}\n\nOn the disk:\n\n{sizes(folder)}\n\nPython {platform.python_version()}.\n"
        asked.write.write_text(f"{head}<!-- results -->\n\n{results}", encoding="utf-8")
    if any(one.failures for one in tried):
        sys.exit(1)


if __name__ == "__main__":
    main()
