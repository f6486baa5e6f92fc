"""Exports of every method: seconds, size, difference from torch, and images/s of onnxruntime beside those of torch.

    python benchmarks/export.py [--methods dcgan vae] [--preset small] [--threads 1] [--clock processor] [--out DIR] [--json]
    python benchmarks/export.py --run RUN          # what fp16 and int8 cost in FD, on the samples of a trained run
    python benchmarks/export.py --start RUN        # seconds of `ganvas sample`, 1,000 images, start included: run and file

Weights are initial ones plus 2 % of noise, since some networks begin at zero; images are 28 x 28 grey, or those of the smallest
size that a part takes. Both run the same batch in one process, in turn; the median counts. Samplers make 64 images at once,
others the images of the comparison. With --out, methods that are done are not measured again.

export      seconds from the method to the file, the comparison with torch included
difference  the largest of numbers, or the share of codes that differ
ratio       images/s of onnxruntime over those of torch
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import CLOCKS, facts, folder_of, make_parser, parse, print_rows

import ganvas
from ganvas.abilities import Restores, Samples
from ganvas.data.spec import DataSpec
from ganvas.errors import RunError
from ganvas.export import export_run, open_model
from ganvas.export.facts import ModelFacts
from ganvas.export.graph import feeds_of
from ganvas.export.parts import Inputs, Part, parts_of
from ganvas.export.write import onnx_bytes
from ganvas.method import Method
from ganvas.metrics.evaluate import measure_distances
from ganvas.registry import create, method_names, presets

SIDE, TIMES, NOISE = 28, 5, 0.02
SMALLER = (16, 16)  # where the size is fixed, and tracing takes as long as the image is large
BATCH, SAMPLES, REPEATS = 64, 1000, 3


def built(name: str, preset: str) -> Method:
    """A method with weights away from zero."""
    method = create(name, preset if preset in presets(name) else "tiny")
    torch.manual_seed(0)
    classes = tuple("0123456789")
    method.setup(
        DataSpec(
            "none", 1, SIDE, SIDE, 1000, classes=classes, class_counts=(100,) * 10, total_variance=100.0,
            kind=method.takes[0], paired=True,
        )
    )  # fmt: skip
    with torch.no_grad():
        for weight in method.parameters():
            weight.add_(torch.randn_like(weight), alpha=NOISE)
    return method.eval().requires_grad_(False)


def rate(make: Callable[[], object], n: int, clock: Callable[[], float]) -> float:
    """Images/s of a call that makes n images, the median of some."""
    make()
    taken: list[float] = []
    for _ in range(TIMES):
        began = clock()
        make()
        taken.append(clock() - began)
    return n / max(statistics.median(taken), 1e-9)


def measured(part: Part, name: str, method: Method, clock: Callable[[], float]) -> dict[str, Any]:
    """One row of the table."""
    import onnxruntime

    began = clock()
    content, difference = onnx_bytes(part, ModelFacts(part.name, name, *method.spec.shape))
    seconds = clock() - began
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    inputs = inputs_of(part, method)
    n = len(inputs[0])
    feeds = feeds_of(part, inputs)

    def by_torch() -> object:
        with torch.no_grad():
            return part.expected(*inputs)

    ours, theirs = rate(lambda: session.run(None, feeds), n, clock), rate(by_torch, n, clock)
    return {
        "method": name, "part": part.name, "export s": round(seconds, 1), "kB": round(len(content) / 1000),
        "difference": f"{difference:.1e}", "n": n, "onnxruntime images/s": round(ours), "torch images/s": round(theirs),
        "ratio": round(ours / theirs, 2),
    }  # fmt: skip


def inputs_of(part: Part, method: Method) -> Inputs:
    """What is timed."""
    if part.name != "sample" or not isinstance(method, Samples):
        return part.checks[-1]
    labels = method.labels(range(BATCH))
    latents = method.latents(range(BATCH))
    return (latents,) if labels is None else (latents, labels)


def rows_of(name: str, preset: str, clock: Callable[[], float]) -> list[dict[str, Any]]:
    """A row for each part of a method; none where it cannot be exported."""
    try:
        method = built(name, preset)
        by_size = isinstance(method, Restores) and method.restoration().by_size
        parts = parts_of(method, SMALLER if by_size else None)
    except RunError:
        return []
    return [measured(part, name, method, clock) for part in parts]


def table(names: Sequence[str], preset: str, clock: Callable[[], float], folder: Path) -> list[dict[str, Any]]:
    """The rows of all methods; those of a method that is done lie in `folder`."""
    rows: list[dict[str, Any]] = []
    for name in names:
        done = folder / f"{name}-{preset}.json"
        if not done.exists():
            done.write_text(json.dumps(rows_of(name, preset, clock)))
            print(f"{name} is done", file=sys.stderr, flush=True)
        rows += json.loads(done.read_text())
    return rows


def precisions(run: Path, folder: Path) -> list[dict[str, Any]]:
    """FD of a run's samples against its held-out data, by the run itself and by files of each precision."""
    opened = ganvas.load(run)
    train, test = opened.open_data(), opened.open_data(split="test")
    rows: list[dict[str, Any]] = []
    theirs = np.asarray(opened.sample(SAMPLES, seed=0))
    for precision in ("fp32", "fp16", "int8"):
        (file,) = export_run(opened, out=folder / f"{precision}.onnx", part="sample", precision=precision)
        images = open_model(file.path).sample(SAMPLES, seed=0)
        figures = measure_distances(images, train, test)
        name = next(name for name in figures if name.startswith("FD"))
        rows.append(
            {
                "precision": precision, "kB": round(file.size / 1000), "difference": f"{file.difference:.1e}",
                "levels, mean": round(float(np.abs(images.astype(int) - theirs).mean()), 3),
                name: round(figures[name].value, 3), "n": SAMPLES,
            }
        )  # fmt: skip
    return rows


def start_to_end(run: Path, folder: Path) -> list[dict[str, Any]]:
    """Seconds of `ganvas sample MODEL --n 1000`, start included: of the run by torch, and of its ONNX file."""
    (file,) = export_run(ganvas.load(run), out=folder / "model.onnx", part="sample")
    rows: list[dict[str, Any]] = []
    for model in (run, file.path):
        for out in ("samples.npz", "samples"):
            words = [
                sys.executable,
                "-m",
                "ganvas",
                "sample",
                str(model),
                "--n",
                str(SAMPLES),
                "--out",
                str(folder / out),
            ]
            taken: list[tuple[float, float]] = []
            for _ in range(REPEATS):
                began, before = time.perf_counter(), _of_children()
                environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                subprocess.run(words, check=True, capture_output=True, env=environment)
                taken.append((_of_children() - before, time.perf_counter() - began))
            used, wall = min(taken)
            rows.append(
                {
                    "model": "run, torch" if model == run else "file, onnxruntime",
                    "written": "one .npz" if out.endswith(".npz") else "1,000 PNG files", "n": SAMPLES,
                    "processor s": round(used, 2), "wall s": round(wall, 2),
                }
            )  # fmt: skip
    return rows


def _of_children() -> float:
    """Processor seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(arguments: Sequence[str] | None = None) -> None:
    parser: argparse.ArgumentParser = make_parser(__doc__, preset="small", threads=1, clock="processor", out="")
    parser.add_argument("--methods", nargs="+", default=method_names())
    parser.add_argument("--run", type=Path, help="a trained run that samples: what precision costs")
    parser.add_argument("--start", type=Path, metavar="RUN", help="a trained run that samples: seconds of a command")
    options = parse(parser, arguments)
    if options.run is not None or options.start is not None:
        options.methods = []
    with folder_of(options) as folder:
        if options.run is not None:
            rows = precisions(options.run, folder)
        elif options.start is not None:
            rows = start_to_end(options.start, folder)
        else:
            rows = table(options.methods, options.preset, CLOCKS[options.clock], folder)
    print_rows(rows, options, facts(options))


if __name__ == "__main__":
    main()
