"""Images/s of the training loop against a plain tutorial loop, and against the machine's own ceiling, all in one run.

    python benchmarks/train_step.py [--json] [--seconds 45] [--device cuda]

Ours is what `ganvas train` runs: feed, updates, finite check, moving average. The baseline is in
plain_loops.py: same layers, optimiser, batch and precision (fp32), with the better of 0 and 2 DataLoader
workers. Both take turns, a block of steps each, so that timing noise meets both; the figures are medians
over blocks.

ratio           ours in fp32 over the baseline
ratio_best      ours in the precision that --precision auto chooses for this method here, over the same baseline
ceiling_share   FLOP/s of our step over those of its convolutions and matrix products alone (ceiling.py), fp32;
                ..._best likewise
data_share      share of our step spent on the feed, fp32; ..._best likewise
spread          of the ratio over neighbouring blocks: distance of its quartiles over its median.
                Above 0.1: measure again on a quiet machine

The images of the colour rows are random bytes, of the size wanted: neither side decodes or shrinks a file.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ceiling import ceiling, flops, layers, synchronize
from common import Table, facts, finish, heading, make_parser, parse
from plain_loops import Step, batches, copy_dcgan, gan_step, r3gan_step, stylegan2_step, tutorial_dcgan
from torch import Tensor

from ganvas.data import Dataset, open_data
from ganvas.device import choose_device
from ganvas.precision import has_bf16
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import prepare
from ganvas.training.trainer import Trainer

ROUNDS = 9  # blocks of each side
IMAGES = 4096  # random ones


@dataclass(frozen=True)
class Case:
    """One row: a method with settings on images of size x size x channels."""

    network: str
    method: str
    size: int
    channels: int
    settings: dict[str, Any] = field(default_factory=dict)


CPU_CASES = [
    Case("mlp", "gan", 28, 1),
    Case("dcgan", "dcgan", 32, 3, {"batch_size": 64, "width": 64}),
    Case("dcgan", "dcgan", 64, 3, {"batch_size": 64, "width": 64}),
    Case("r3gan", "r3gan", 32, 3, {"batch_size": 32}),
    Case("stylegan2", "stylegan2", 32, 3, {"batch_size": 32, "mapping_layers": 2, "widths": "96-64-32-16"}),
]
GPU_CASES = [
    Case("mlp", "gan", 28, 1, {"batch_size": 1024, "generator": "1024-2048", "discriminator": "2048-1024"}),
    Case("dcgan", "dcgan", 32, 3, {"batch_size": 512, "width": 128}),
    Case("dcgan", "dcgan", 64, 3, {"batch_size": 256, "width": 128}),
    Case("r3gan", "r3gan", 64, 3, {"batch_size": 256, "network": "dense", "blocks": 1, "widths": "512-384-256-128-64"}),
    Case(
        "stylegan2", "stylegan2", 64, 3, {"batch_size": 64, "z_dim": 512, "w_dim": 512, "widths": "512-512-512-256-128"}
    ),
]
SMALL_CASES = [
    Case("mlp", "gan", 28, 1, {"batch_size": 8, "generator": "16", "discriminator": "16"}),
    Case("dcgan", "dcgan", 16, 3, {"batch_size": 8, "width": 4}),
    Case("r3gan", "r3gan", 16, 3, {"batch_size": 4, "widths": "4-4"}),
    Case("stylegan2", "stylegan2", 16, 3, {"batch_size": 4, "mapping_layers": 1, "widths": "4-4", "r1_every": 4}),
]


def images(case: Case, folder: Path) -> Dataset:
    """The built-in digits, or random colour images."""
    if case.channels == 1:
        return open_data("digits")
    path = folder / f"random{case.size}.npz"
    shape = (IMAGES, case.size, case.size, case.channels)
    np.savez(path, images=np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    return open_data(path, holdout=0.0, cache=folder)


def ours(case: Case, data: Dataset, device: torch.device, precision: str, folder: Path) -> Trainer:
    """The trainer of `ganvas train` on a budget that never ends."""
    config = TrainConfig(
        case.method,
        data,
        steps=10**9,
        settings=case.settings,
        device=str(device),
        precision=precision,
        out=folder / "run",
    )
    return prepare(config).trainer


def baseline(case: Case, method: Any, data: Dataset, device: torch.device, workers: int) -> Step:
    """The plain loop on the same layers with the same initial weights."""
    reals = batches(data.images, case.size, method.batch_size, workers)
    G, D = copy.deepcopy(method.G), copy.deepcopy(method.D)
    latent: tuple[int, ...] = (method.z_dim,)
    if case.method == "dcgan":
        plain = tutorial_dcgan(method.z_dim, case.channels, case.size, method.width)
        copy_dcgan((G, D), plain)
        G, D = plain
        latent = (method.z_dim, 1, 1)
    for network in (G, D):
        network.requires_grad_().to(device, memory_format=torch.contiguous_format)  # pyright: ignore[reportCallIssue]
    shared = (G, D, reals, latent, method.lr, (method.beta1, method.beta2), device)
    if case.method == "r3gan":
        return r3gan_step(*shared, method.strength, method.penalty_every)
    if case.method == "stylegan2":
        lazy = (method.r1_every, method.path_weight, method.path_every, method.path_share)
        return stylegan2_step(*shared, method.strength, *lazy, method.mixing)
    return gan_step(*shared)


def seconds_a_step(step: Step, steps: int, device: torch.device, tuned: bool) -> float:
    """Mean over one block. `tuned`: cuDNN may search for its fastest algorithms, as our loop lets it and the default does not."""
    torch.backends.cudnn.benchmark = tuned
    synchronize(device)
    start = time.perf_counter()
    for _ in range(steps):
        step()
    synchronize(device)
    return (time.perf_counter() - start) / steps


def better_workers(
    make: Callable[[int], Step], choices: list[int], device: torch.device, seconds: float
) -> tuple[int, Step]:
    """The number of DataLoader workers with which the baseline is faster, and that baseline, warmed up."""
    tried = []
    for workers in choices:
        step = make(workers)
        first = seconds_a_step(step, 2, device, tuned=False)
        steps = max(2, int(seconds / len(choices) / first))
        tried.append((seconds_a_step(step, steps, device, tuned=False), workers, step))
    _, workers, step = min(tried, key=lambda one: one[0])
    return workers, step


def take_turns(sides: dict[str, Step], device: torch.device, seconds: float) -> dict[str, list[float]]:
    """Seconds a step of each side, one figure a round."""
    steps = {}
    for name, step in sides.items():
        warm = min(seconds_a_step(step, 2, device, tuned=name != "baseline") for _ in range(2))
        steps[name] = max(1, round(seconds / ROUNDS / len(sides) / warm))
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS):
        # There and back: what drifts through a round weighs on both sides alike.
        for name in list(sides)[:: -1 if number % 2 else 1]:
            taken[name].append(seconds_a_step(sides[name], steps[name], device, tuned=name != "baseline"))
    return taken


def feed_seconds(trainer: Trainer, steps: int) -> float:
    """Seconds that a step spends in the feed: the time of a batch, between steps, by the batches that a step draws."""
    device = trainer.engine.device
    spent: list[float] = []
    drawn = 0
    for _ in range(steps):
        before = trainer.images_seen
        trainer.step()
        drawn += trainer.images_seen - before
        synchronize(device)
        start = time.perf_counter()
        trainer.feed.next()
        synchronize(device)
        spent.append(time.perf_counter() - start)
    return statistics.median(spent) * drawn / trainer.feed.batch_size / steps


def inputs(trainer: Trainer) -> list[tuple[torch.nn.Module, Tensor]]:
    """Each network with an input of the step's size."""
    method, device = trainer.method, trainer.engine.device
    latents = torch.randn(method.batch_size, method.z_dim, device=device)
    return [(method.G, latents), (method.D, torch.randn(method.batch_size, *method.spec.shape, device=device))]


def measure(case: Case, device: torch.device, seconds: float, choices: list[int], folder: Path) -> dict[str, Any]:
    """One row of the report, in about `seconds`."""
    data = images(case, folder)
    chosen = ours(case, data, device, "auto", folder)
    best = chosen.engine.precision
    print(f"{case.network} at {case.size} px: {best} ({chosen.engine.why}) ...", file=sys.stderr)
    trainers = {"fp32": ours(case, data, device, "fp32", folder), **({} if best == "fp32" else {best: chosen})}
    method = trainers["fp32"].method
    workers, plain = better_workers(lambda n: baseline(case, method, data, device, n), choices, device, 0.15 * seconds)
    sides = {"baseline": plain, **{precision: trainer.step for precision, trainer in trainers.items()}}
    taken = take_turns(sides, device, 0.65 * seconds)
    usual = {name: statistics.median(values) for name, values in taken.items()}
    rate = {name: method.batch_size / value for name, value in usual.items()}
    found = layers(inputs(trainers["fp32"]))
    work = mean_flops(trainers["fp32"])
    peaks = {
        name: ceiling(
            found, {"fp32": torch.float32, "bf16": torch.bfloat16}[name], device, 0.1 * seconds / len(trainers)
        )
        for name in trainers
    }
    feeding = {
        name: feed_seconds(trainer, max(3, int(0.03 * seconds / usual[name]))) for name, trainer in trainers.items()
    }
    return {
        "network": case.network,
        "size": case.size,
        "channels": case.channels,
        "batch": method.batch_size,
        "parameters": sum(parameter.numel() for parameter in method.parameters()),
        "baseline_images_per_second": round(rate["baseline"], 1),
        "baseline_workers": workers,
        "images_per_second": round(rate["fp32"], 1),
        "ratio": round(rate["fp32"] / rate["baseline"], 3),
        "images_per_second_best": round(rate[best], 1),
        "ratio_best": round(rate[best] / rate["baseline"], 3),
        "precision_best": best,
        "gflop_per_step": round(work / 1e9, 3),
        "ceiling_gflops": round(peaks["fp32"] / 1e9, 1),
        "ceiling_share": round(work / usual["fp32"] / peaks["fp32"], 3),
        "ceiling_gflops_best": round(peaks[best] / 1e9, 1),
        "ceiling_share_best": round(work / usual[best] / peaks[best], 3),
        "data_share": round(feeding["fp32"] / usual["fp32"], 4),
        "data_share_best": round(feeding[best] / usual[best], 4),
        "spread": round(spread(taken["baseline"], taken["fp32"]), 3),
        "spread_best": round(spread(taken["baseline"], taken[best]), 3),
    }


def mean_flops(trainer: Trainer) -> float:
    """FLOPs of a step, averaged over the period of the lazy updates."""
    period = max(update.every for update in trainer.updates)
    return sum(flops(trainer.step) for _ in range(period)) / period


def spread(baseline: list[float], ours: list[float]) -> float:
    """Distance of the quartiles of the ratios of neighbouring blocks, over their median."""
    low, middle, high = statistics.quantiles([a / b for a, b in zip(baseline, ours, strict=True)], n=4)
    return (high - low) / middle


def machine(device: torch.device, options: argparse.Namespace) -> dict[str, Any]:
    """What the figures belong to."""
    found = {**facts(options, device), "bf16": has_bf16(device)}
    if hasattr(os, "getloadavg"):
        found["load_before"] = round(os.getloadavg()[0], 2)
    return found


def show(report: dict[str, Any], options: argparse.Namespace) -> None:
    """The same as a table."""
    columns = [
        "network", "size", "batch", "baseline_images_per_second", "images_per_second", "ratio", "ratio_best", "precision_best",
        "ceiling_share", "data_share", "spread",
    ]  # fmt: skip
    table = Table([column.replace("_", " ") for column in columns], options, heading(report["machine"]))
    for row in report["rows"]:
        table.row(*(row[column] for column in columns))


def rows(cases: list[Case], options: argparse.Namespace, device: torch.device) -> Iterator[dict[str, Any]]:
    """Measures case after case, saying so on stderr."""
    with tempfile.TemporaryDirectory() as folder:
        for case in cases:
            yield measure(case, device, options.seconds, options.workers, Path(folder))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda, which has larger cases")
    parser.add_argument("--seconds", type=float, default=45.0, help="about this long for each row")
    parser.add_argument(
        "--workers", type=int, nargs="+", default=[0, 2], help="DataLoader workers that the baseline may choose from"
    )
    parser.add_argument(
        "--small", action="store_true", help="tiny cases, to see that it runs; their figures mean nothing"
    )
    parser.add_argument("--only", help="rows of this network only")
    options = parse(parser, arguments)
    device = choose_device(options.device)
    cases = SMALL_CASES if options.small else GPU_CASES if device.type == "cuda" else CPU_CASES
    chosen = [case for case in cases if options.only in (None, case.network)]
    report = {"machine": machine(device, options), "rows": list(rows(chosen, options, device))}
    if options.json:
        finish(options, report)
    else:
        show(report, options)


if __name__ == "__main__":
    main()
