"""Does `ganvas audit` find copies, and does it leave honest runs alone?

    python benchmarks/audit.py [--out DIR] [--methods r3gan vae stylegan2] [--planted 200] [--samples 1000]
        [--faces olivetti_64.npz] [--seeds 0 1 2] [--json]

Copies of built-in digits, changed in nine ways, are searched for one set after the other: the true positive rate is the share
that is called a copy, at the threshold of the audit. The false positive rate is the share of copies among samples of three runs a
seed on the same digits that planted none, and among unseen digits that calibrated nothing. Those runs get whole audits, and so do
runs that were trained on 100 digits only, and with --faces (400 grey faces of 64 x 64, `x` in an .npz) on 40 faces only.

--out keeps the runs with the pages of their audits, and takes those that are there as done. Minutes are of processor time.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import Table, facts, finish, folder_of, make_parser, parse, steps_of, train_run
from PIL import Image

from ganvas.data import Dataset, open_data
from ganvas.metrics.copy_detector import MAX_CALIBRATION, CopyDetector
from ganvas.metrics.evaluate import extractor_for
from ganvas.report.audit_page import write_audit_page
from ganvas.run import Run

HONEST = {"r3gan": ("cpu", 4.0), "vae": ("small", 2.0), "stylegan2": ("small", 6.0)}  # method: preset, minutes
OVERFITTED = {"digits": (100, 1.0), "faces": (40, 1.5)}  # images, minutes
# A vae with two numbers for each sample: there is room for so few images, and for little between them.
MEMORISES: dict[str, Any] = {"z_dim": 2, "network": "mlp", "widths": (500, 500), "lr": 1e-3, "batch_size": 32}
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


def detection(data: Dataset, options: argparse.Namespace) -> list[dict[str, Any]]:
    """True positive rates by change, and the false positive rate of unseen digits, at the audit's threshold."""
    test = data.part("test")
    assert test is not None
    detector = CopyDetector(data, test, extractor_for(data, test))
    seed = options.seeds[0]
    chosen = np.random.default_rng(seed).choice(len(data.images), options.planted, replace=False)
    copies = planted(np.asarray(data.images[chosen]), np.asarray(test.images[: len(chosen)]), seed)
    table = Table(["images", "n", "called a copy", "with the right original"], options)
    rows: list[dict[str, Any]] = []
    for name, images in copies.items():
        detected = detector.detect(images)
        right = float((detected.copies & (detected.originals == chosen)).mean())
        rows.append({"images": name, "n": len(images), "called": float(detected.copies.mean()), "right": right})
        table.row(*rows[-1].values())
    unseen = np.asarray(test.images[MAX_CALIBRATION:])
    if len(unseen):
        share = float(detector.detect(unseen).copies.mean())
        rows.append({"images": "unseen digits", "n": len(unseen), "called": share, "right": ""})
        table.row(*rows[-1].values())
    return rows


def runs_of(data: Dataset, folder: Path, options: argparse.Namespace) -> Iterator[tuple[str, int, Run]]:
    """What each run was trained on, its seed and the run: those on all digits first."""
    for method in options.methods:
        preset, minutes = HONEST[method]
        for seed in options.seeds:
            out = folder / f"{method}-{seed}"
            yield f"{method}, all digits", seed, train_run(method, data, out, minutes=minutes, seed=seed, preset=preset)
    for what, (count, minutes) in OVERFITTED.items():
        if what == "faces" and not options.faces:
            continue
        few = few_images(what, count, data, folder, options)
        for seed in options.seeds:
            run = train_run(
                "vae", open_data(few), folder / f"{few.stem}-{seed}", minutes=minutes, seed=seed, preset=None, settings=MEMORISES
            )  # fmt: skip
            yield f"vae, {count} {what}", seed, run


def few_images(what: str, count: int, data: Dataset, folder: Path, options: argparse.Namespace) -> Path:
    """An .npz of `count` images to train on; all others, or the test split, are held out."""
    path = folder / f"{what}{count}.npz"
    if path.exists():
        return path
    if what == "digits":
        test = data.part("test")
        assert test is not None
        train, held_out = data.images[:count], np.asarray(test.images)
    else:
        with np.load(options.faces, allow_pickle=False) as content:
            faces = content["x"][..., None]
        order = np.random.default_rng(0).permutation(len(faces))
        train, held_out = faces[order[:count]], faces[order[count:]]
    np.savez(path, x_train=train, x_test=held_out)
    return path


def audited(run: Run, options: argparse.Namespace) -> dict[str, Any]:
    """The whole audit of a run, as `Audit.as_dict` has it: the one that is there, or a new one."""
    if run.audited.get("n") != options.samples:
        result = run.audit(count=options.samples)
        write_audit_page(result, run.folder / "audit.html", of=run.name, data=run.spec.name)
    return run.audited


def audit_row(of: str, seed: int, run: Run, found: dict[str, Any]) -> dict[str, Any]:
    """The main figures of an audit."""
    row = {
        "run": of, "seed": seed, "steps": steps_of(run), "copies": found["share"], "originals": found["originals"],
        "flagged": "yes" if found["flagged"] else "no", "near-duplicates": found["duplicates"][0]["near"],
    }  # fmt: skip
    tests = {one["test"]: one for one in found["membership"]}
    for test in ("discriminator", "nearest sample", "reconstruction", "likelihood"):
        one = tests.get(test)
        row[test] = "" if one is None else f"{one['auc']:.3f} ({one['low']:.3f} to {one['high']:.3f})"
    return row


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, seeds=(0,), out="", threads=1)
    parser.add_argument(
        "--methods", nargs="+", default=list(HONEST), choices=tuple(HONEST), help="trained on all digits"
    )
    parser.add_argument("--planted", type=int, default=200, help="copies of each kind")
    parser.add_argument("--samples", type=int, default=1000, help="of each run")
    parser.add_argument("--faces", type=Path, metavar="FILE.npz")
    options = parse(parser, arguments)
    data = open_data("digits")
    rows: list[dict[str, Any]] = []
    with folder_of(options) as folder:
        detected = detection(data, options)
        table = None
        for of, seed, run in runs_of(data, folder, options):
            rows.append(audit_row(of, seed, run, audited(run, options)))
            table = table or Table(
                list(rows[0]), options, "\nWhole audits; AUC of membership tests with 95 % intervals"
            )
            table.row(*rows[-1].values())
    finish(options, {**facts(options), "detection": detected, "audits": rows})


if __name__ == "__main__":
    main()
