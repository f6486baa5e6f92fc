"""Does `ganvas audit` find copies, and does it leave honest runs alone?

    python benchmarks/audit.py [--work DIR] [--planted 200] [--samples 1000] [--faces olivetti_64.npz] [--seeds 0 1 2] [--json]

Copies of built-in digits, changed in nine ways, are searched for one set after the other: the true positive rate is the share
that is called a copy, at the threshold of the audit. The false positive rate is the share of samples that are called
copies, of three runs a seed on the same digits that planted none, and of unseen digits that calibrated nothing. Then whole
audits: of those runs, of runs that were trained on 100 digits only, and with --faces (400 grey faces of 64 x 64, `x` in an .npz)
of runs that were trained on 60 of them, one a seed. --work keeps the runs with the pages of their audits, and takes those that
are there as done. Minutes are of processor time.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from common import train_run
from PIL import Image

from ganvas.data import Dataset, open_data
from ganvas.metrics.copy_detector import CopyDetector
from ganvas.metrics.evaluate import extractor_for
from ganvas.report.audit_page import write_audit_page
from ganvas.run import Run

HONEST = {"r3gan": (None, 4.0), "vae": ("small", 2.0), "stylegan2": ("small", 6.0)}  # method: preset, minutes
NOISE = 10  # standard deviation, of 255


def planted(originals: np.ndarray, others: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Copies of images (n, H, W, C), changed in each way; `others` fill the second half of the image."""
    random = np.random.default_rng(seed)
    n, height, width, _ = originals.shape
    changed = {
        "exact": originals,
        "mirrored": originals[:, :, ::-1],
        "brightness +10 %": np.clip(originals * 1.1, 0, 255).astype(np.uint8),
        "brightness -10 %": (originals * 0.9).astype(np.uint8),
        "noise": np.clip(originals + random.normal(0, NOISE, originals.shape), 0, 255).astype(np.uint8),
        "JPEG 75": np.stack([jpeg(image, 75) for image in originals]),
    }
    shifts = random.permuted(np.tile([[0, 1], [1, 0], [0, -1], [-1, 0]], (n // 4 + 1, 1)), axis=0)[:n]
    changed["1-pixel shift"] = np.stack([shifted(image, *by) for image, by in zip(originals, shifts, strict=True)])
    crops: list[np.ndarray] = []
    crop_height, crop_width = round(0.9 * height), round(0.9 * width)
    for image in originals:
        top, left = random.integers(0, height - crop_height + 1), random.integers(0, width - crop_width + 1)
        crops.append(resized(image[top : top + crop_height, left : left + crop_width], height, width))
    changed["90 % crop"] = np.stack(crops)
    halves = others.copy()
    halves[:, :, : width // 2] = originals[:, :, : width // 2]
    changed["half of the image"] = halves
    return {name: np.ascontiguousarray(images) for name, images in changed.items()}


def shifted(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """Moved by a pixel; the border is repeated."""
    height, width, _ = image.shape
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")
    return padded[1 - down : 1 - down + height, 1 - right : 1 - right + width]


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Through a JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze()).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer)).reshape(image.shape)


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """By bilinear interpolation."""
    small = Image.fromarray(image.squeeze()).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(small).reshape(height, width, image.shape[2])


def detection(data: Dataset, runs: dict[str, Run], options: argparse.Namespace) -> dict[str, Any]:
    """True and false positive rates at the audit's threshold."""
    test = data.part("test")
    assert test is not None
    detector = CopyDetector(data, test, extractor_for(data, test))
    seed = options.seeds[0]
    random = np.random.default_rng(seed)
    rows = random.choice(len(data.images), options.planted, replace=False)
    copies = planted(np.asarray(data.images[rows]), np.asarray(test.images[: len(rows)]), seed)
    found: dict[str, Any] = {"true": {}, "right": {}, "false": {}}
    for name, images in copies.items():
        detected = detector.detect(images)
        found["true"][name] = float(detected.copies.mean())
        found["right"][name] = float((detected.copies & (detected.originals == rows)).mean())
        print(f"{name:20} TPR {found['true'][name]:.3f}, original named {found['right'][name]:.3f}", file=sys.stderr)
    for name, run in runs.items():
        detected = detector.detect(np.asarray(run.sample(options.samples, seed=1_000_000)))
        found["false"][name] = float(detected.copies.mean())
        print(f"{name:20} FPR {found['false'][name]:.4f}", file=sys.stderr)
    unseen = np.asarray(test.images[1000:])
    if len(unseen):
        found["false"]["unseen digits"] = float(detector.detect(unseen).copies.mean())
        print(f"{'unseen digits':20} FPR {found['false']['unseen digits']:.4f}", file=sys.stderr)
    return found


def run_of(method: str, data: Dataset, out: Path, minutes: float, preset: str | None, seed: int) -> Run:
    """The run that is there, where it is finished, or a new one."""
    return train_run(method, data, out, minutes=minutes, seed=seed, preset=preset)


def audited(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """The whole audit of a run."""
    result = run.audit(count=options.samples)
    print(f"{run.name:20} {result.verdict}", file=sys.stderr)
    write_audit_page(result, run.folder / "audit.html", of=run.name, data=run.spec.name)
    return result.as_dict() | {"pairs": []}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, metavar="DIR")
    parser.add_argument("--planted", type=int, default=200)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--faces", type=Path, metavar="FILE.npz")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    data = open_data("digits")
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        runs: dict[str, Run] = {}
        for seed in options.seeds:
            for method, (preset, minutes) in HONEST.items():
                run = run_of(method, data, work / f"{method}-{seed}", minutes, preset, seed)
                runs[f"{method}, seed {seed}"] = run
        results: dict[str, Any] = {"detection": detection(data, runs, options), "audits": {}}

        test = data.part("test")
        assert test is not None
        hundred = work / "hundred.npz"
        if not hundred.exists():
            np.savez(hundred, x_train=data.images[:100], x_test=test.images)
        for seed in options.seeds:
            run = run_of("r3gan", open_data(hundred), work / f"hundred-{seed}", 4.0, None, seed)
            runs[f"100 digits, seed {seed}"] = run
        if options.faces:
            faces = np.load(options.faces)["x"][..., None]
            order = np.random.default_rng(0).permutation(len(faces))
            some = work / "faces60.npz"
            if not some.exists():
                np.savez(some, x_train=faces[order[:60]], x_test=faces[order[60:]])
            for seed in options.seeds:
                run = run_of("r3gan", open_data(some), work / f"faces60-{seed}", 5.0, None, seed)
                runs[f"60 faces, seed {seed}"] = run
        for name, run in runs.items():
            results["audits"][name] = audited(run, options)
    if options.json:
        print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
