"""Videos: mocogan and vgan on moving digits, on one budget of processor time, beside floors that know no motion.

    python benchmarks/videos.py [--minutes 20] [--seeds 0 1 2] [--methods mocogan vgan] [--grid FILE.png] [--out DIR] [--n 1000]

Rows, each measured by metrics/videos.py against the held-out clips:

held out           held-out clips: what the best generator would score
still images       held-out clips whose first frame is repeated
shuffled frames    held-out clips whose frames are shuffled in time
generated frames   clips of frames that r3gan generates one by one, trained on single frames on the same budget (--frame-minutes)
mocogan            samples
vgan               samples

Below the table: digit_asked, the share of clips of a class-conditional method in which the digit network reads the digit that
was asked for in three quarters of the frames.

--grid writes an image: clips of each row, frame by frame. --data takes another set of videos. --only-methods leaves out all rows
but those of methods.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import Table, facts, finish, folder_of, heading, make_parser, parse, shown, train_run

from ganvas.abilities import Samples
from ganvas.data import open_data, write_png
from ganvas.data.dataset import Dataset
from ganvas.data.image_grid import grid
from ganvas.defaults import MEASURED_SEED
from ganvas.figure import Figure
from ganvas.method import Method
from ganvas.metrics.labels import class_numbers
from ganvas.metrics.videos import (
    DETAILED_VIDEOS,
    MAX_VIDEOS,
    MIN_SHARE,
    digits_read,
    measure_videos,
    simpler_clips,
)
from ganvas.sampling import finished_samples

FRAME_GAN = "r3gan"
GRID_CLIPS, GRID_FRAMES = 2, 8  # of each row


def floors(data: Dataset, n: int) -> dict[str, np.ndarray]:
    """Clips (n, T, H, W, C) uint8 that no method made, by the name of their row."""
    held_out = data.part("test")
    assert held_out is not None
    clips = np.asarray(held_out.examples[:n])
    return {"held out": clips, **simpler_clips(clips)}


def single_frames(data: Dataset, folder: Path) -> Path:
    """An .npz of a quarter of the frames of the training clips."""
    path = folder / "frames.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        images = np.asarray(data.examples[:, ::4])
        np.savez_compressed(path, images=images.reshape(-1, *images.shape[2:]))
    return path


def frame_by_frame(data: Dataset, folder: Path, n: int, minutes: float, seed: int, preset: str) -> np.ndarray:
    """Clips (n, T, H, W, C) of images of a GAN that knows single frames only."""
    run = train_run(
        FRAME_GAN, str(single_frames(data, folder)), folder / f"{FRAME_GAN}-{seed}", minutes=minutes, seed=seed,
        preset=preset, precision="fp32",
    )  # fmt: skip
    frames = data.spec.video.frames
    images = finished_samples(run.load_method(), n * frames, MEASURED_SEED)
    return images.reshape(n, frames, *images.shape[1:])


def digit_asked(method: Method, clips: np.ndarray) -> float | None:
    """Share of the first samples that are read as the class of their seed in MIN_SHARE of the frames; None where classes are no
    digits or the method knows none."""
    some = clips[:DETAILED_VIDEOS]
    numbers = class_numbers(method.spec.classes, 1)
    labels = method.labels(range(MEASURED_SEED, MEASURED_SEED + len(some))) if isinstance(method, Samples) else None
    if labels is None or numbers is None:
        return None
    right = digits_read(some) == np.array(numbers)[labels.numpy()]
    return float((right.mean(1) >= MIN_SHARE).mean())


def frames_of(clips: np.ndarray) -> np.ndarray:
    """Frames of the first clips, clip by clip: (GRID_CLIPS * GRID_FRAMES, H, W, C)."""
    places = np.linspace(0, clips.shape[1] - 1, GRID_FRAMES).round().astype(int)
    return clips[:GRID_CLIPS, places].reshape(-1, *clips.shape[2:])


def main(arguments: Sequence[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=20.0, seeds=[0], preset="small", out="", threads=1, settings="KEY=VALUE")
    parser.add_argument("--data", default="moving_digits", help="videos")
    parser.add_argument("--methods", nargs="*", default=["mocogan", "vgan"], help="methods of videos")
    parser.add_argument("--frame-preset", default="cpu", help=f"preset of {FRAME_GAN}")
    parser.add_argument(
        "--frame-minutes", type=float, help=f"of processor time for {FRAME_GAN}; default: those of --minutes"
    )
    parser.add_argument("--n", type=int, default=MAX_VIDEOS, help="clips of each row")
    parser.add_argument("--grid", type=Path, metavar="FILE.png", help="an image of a few clips of each row")
    parser.add_argument("--precision", default="fp32", help="of the trainings of --methods")
    parser.add_argument("--only-methods", action="store_true", help="no rows but those of --methods")
    options = parse(parser, arguments)
    data = open_data(options.data)
    about = facts(options)
    rows: dict[str, list[dict[str, Figure]]] = {}
    as_asked: dict[str, list[float]] = {}
    images: list[np.ndarray] = []

    def add(name: str, clips: np.ndarray) -> None:
        if name not in rows:
            images.append(frames_of(clips))
        rows.setdefault(name, []).append(measure_videos(clips, data))
        print(f"{name}: done", file=sys.stderr)

    if not options.only_methods:
        for name, clips in floors(data, options.n).items():
            add(name, clips)
    with folder_of(options) as folder:
        for seed in [] if options.only_methods else options.seeds:
            minutes = options.minutes if options.frame_minutes is None else options.frame_minutes
            add("generated frames", frame_by_frame(data, folder, options.n, minutes, seed, options.frame_preset))
        for method in options.methods:
            for seed in options.seeds:
                run = train_run(
                    method, data, folder / f"{method}-{seed}", minutes=options.minutes, seed=seed, preset=options.preset,
                    settings=options.settings, precision=options.precision,
                )  # fmt: skip
                trained = run.load_method()
                clips = finished_samples(trained, options.n, MEASURED_SEED)
                add(method, clips)
                asked = digit_asked(trained, clips)
                if asked is not None:
                    as_asked.setdefault(method, []).append(asked)
    if options.grid is not None:
        write_png(options.grid, grid(np.concatenate(images), columns=GRID_FRAMES))

    figures = list(next(iter(rows.values()))[0])
    table = Table(["videos", *figures], options, heading(about))
    values: dict[str, list[dict[str, float]]] = {}
    for name, measured in rows.items():
        values[name] = [{figure: each[figure].value for figure in figures} for each in measured]
        table.row(name, *(shown([each[figure] for each in values[name]]) for figure in figures))
    report = {**about, "n": options.n, "rows": values, "digit_asked": as_asked}
    finish(options, report, *(f"{name}: digit_asked {shown(shares)}" for name, shares in as_asked.items()))


if __name__ == "__main__":
    main()
