"""Exports of every method: seconds, size, difference from torch, and images/s of onnxruntime beside those of torch.

    python benchmarks/export.py [--methods dcgan vae] [--preset small] [--threads 1] [--clock processor] [--json]
    python benchmarks/export.py --run RUN          # what fp16 and int8 cost in FD, on the samples of a trained run

Weights are initial ones plus 2 % of noise, since some networks begin at zero; images are 28 x 28 grey, or those of the smallest
size that a part takes. Both run the same batch in one process, in turn; the median counts.

export      seconds from the method to the file, the comparison with torch included
difference  the largest of numbers, or the share of codes that differ
ratio       images/s of onnxruntime over those of torch
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import CLOCKS, facts, make_parser, parse, print_rows

import ganvas
from ganvas.data.spec import DataSpec
from ganvas.errors import RunError
from ganvas.export import export_run, open_model
from ganvas.export.facts import ModelFacts
from ganvas.export.graph import feeds_of
from ganvas.export.parts import Part, parts_of
from ganvas.export.write import onnx_bytes
from ganvas.method import Method
from ganvas.metrics.evaluate import measure_distances
from ganvas.registry import create, method_names, presets

SIDE, TIMES, NOISE = 28, 5, 0.02
SAMPLES = 1000


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
    inputs = part.checks[-1]
    n = len(inputs[0])
    feeds = feeds_of(part, inputs)

    def by_torch() -> object:
        with torch.no_grad():
            return part.expected(*inputs)

    ours, theirs = rate(lambda: session.run(None, feeds), n, clock), rate(by_torch, n, clock)
    return {
        "method": name, "part": part.name, "export s": round(seconds, 1), "kB": round(len(content) / 1000),
        "difference": f"{difference:.1e}", "onnxruntime images/s": round(ours), "torch images/s": round(theirs),
        "ratio": round(ours / theirs, 2),
    }  # fmt: skip


def table(names: Sequence[str], preset: str, clock: Callable[[], float]) -> list[dict[str, Any]]:
    """A row for each part of each method that can be exported."""
    rows: list[dict[str, Any]] = []
    for name in names:
        try:
            method = built(name, preset)
            parts = parts_of(method)
        except RunError:
            continue
        rows += [measured(part, name, method, clock) for part in parts]
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser: argparse.ArgumentParser = make_parser(__doc__, preset="small", threads=1, clock="processor", out="")
    parser.add_argument("--methods", nargs="+", default=method_names())
    parser.add_argument("--run", type=Path, help="a trained run that samples: what precision costs")
    options = parse(parser, arguments)
    if options.run is not None:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            rows = precisions(options.run, Path(folder))
    else:
        rows = table(options.methods, options.preset, CLOCKS[options.clock])
    print_rows(rows, options, facts(options))


if __name__ == "__main__":
    main()
