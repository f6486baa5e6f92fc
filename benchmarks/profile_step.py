"""Where the processor time of a training step goes, for each method.

    python benchmarks/profile_step.py [--methods gan dcgan] [--rounds 5] [--seconds 1] [--threads 1] [--json]

One step is what `ganvas train` runs: feed, updates, finite check, moving average; preset `small` (or the defaults), fp32, at the
start of a training: of one in phases, such as srgan's, the first phase alone. Images are the built-in digits, or random ones of
64 x 64 x 3 where a method restores, stylises or translates; clips, texts and sentences are random. ms is of processor time
without the profiler, the least of all rounds. Shares are of a step with it, the median of all rounds:

products      convolutions and matrix products, forward and backward
norms         batch, layer, group and instance normalisation
elementwise   activations, losses, sums and everything else that computes
random        random numbers
copies        tensors copied, joined or converted
optimiser     Adam and the moving average
augmentation  forward only
data          the feed
rest          Python, the dispatch of operations, and the profiler itself: what is left
"""

from __future__ import annotations

import collections
import contextlib
import functools
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from common import best_seconds, facts, make_parser, parse, print_rows
from torch.profiler import ProfilerActivity, profile, record_function

from ganvas.abilities import Restores, Stylises, Translates, TwoStage
from ganvas.data import Dataset, open_data
from ganvas.errors import GanvasError
from ganvas.method import Method
from ganvas.registry import create, method_names, presets
from ganvas.training.build import build_trainer
from ganvas.training.engine import start_engine
from ganvas.training.trainer import Budget, Trainer

SHARES: tuple[str, ...] = ("products", "norms", "elementwise", "random", "copies", "optimiser", "augmentation", "data")
PRODUCTS = ("convolution", "conv", "mkldnn", "mm", "addmm", "bmm", "baddbmm", "linear", "lstm", "gru", "attention")
RANDOM = ("normal_", "uniform_", "random_", "bernoulli_", "randperm", "exponential_")
COPIES = ("copy_", "clone", "contiguous", "_to_copy", "cat", "stack", "repeat", "constant_pad_nd", "fill_", "zero_")
SMALLEST_SHARE = 0.02  # of the time of an operation that is named


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, threads=1)
    parser.add_argument("--methods", nargs="+", metavar="METHOD", help="default: all")
    parser.add_argument("--preset", default="", help="default: small, where there is one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="about this long for each round of each method")
    options = parse(parser, arguments)
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")  # the profiler says when it starts and stops
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in options.methods or method_names():
            chosen = options.preset or ("small" if "small" in presets(name) else "")
            print(f"{name} ...", file=sys.stderr)
            try:
                trainer = trainer_of(create(name, chosen or None), Path(folder))
            except GanvasError as error:  # no weights of a feature network, say
                print(f"{name}: {error}", file=sys.stderr)
                continue
            rows.append({"method": name, "preset": chosen or "-", **measure(trainer, options.rounds, options.seconds)})
    print_rows(rounded(rows), options, facts(options))


def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Three digits after the point."""
    return [{key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()} for row in rows]


def trainer_of(method: Method, folder: Path) -> Trainer:
    """On data that the method learns from, in fp32. What a method stands on (the first stage of code_prior) is not trained."""
    data = data_for(method, folder)
    trainer = build_trainer(method, Budget(steps=10**9), start_engine("cpu", "fp32"), data=data, seed=0)
    if isinstance(method, TwoStage):
        trainer.feed.prepare(method.prepare)
    return trainer


def data_for(method: Method, folder: Path) -> Dataset:
    """Digits, or random data of the kind that the method takes."""
    kind = method.takes[0]
    random = np.random.default_rng(0)
    builtin = {"video": "moving_digits", "volumes": "shapes"}
    if kind in builtin:
        return open_data(builtin[kind])
    if kind == "audio":
        sound = random.integers(-9000, 9000, (200, 8000)).astype(np.int16)
        np.savez(folder / "clips.npz", audio=sound, labels=np.arange(len(sound)) % 3, rate=8000)
        return open_data(folder / "clips.npz", cache=folder)
    if kind == "text":
        lines = ["".join(random.choice(list("etaoin shrdlu"), 40)) for _ in range(5000)]
        (folder / "lines.txt").write_text("\n".join(lines), encoding="utf-8")
        return open_data(folder / "lines.txt", cache=folder)
    if kind == "parallel_text":
        words = [" ".join(random.choice(list("abcdefghij"), 8)) for _ in range(4000)]
        pairs = [f"{words[number]}\t{words[number - 1]}" for number in range(len(words))]
        (folder / "pairs.tsv").write_text("\n".join(pairs), encoding="utf-8")
        return open_data(folder / "pairs.tsv", pairs="columns", vocabulary=80, cache=folder)
    if not isinstance(method, Restores | Stylises | Translates) or isinstance(method, TwoStage):
        return open_data("digits")
    images = random.integers(0, 256, (256, 64, 64, 3), dtype=np.uint8)
    np.savez(folder / "colour.npz", images=images, partners=255 - images)
    return open_data(folder / "colour.npz", cache=folder)


def measure(trainer: Trainer, rounds: int, seconds: float) -> dict[str, Any]:
    """ms of a step, the shares, and the costliest operations that are no products."""
    period = functools.reduce(math.lcm, (update.every for update in trainer.updates))
    block(trainer, 2 * period)
    began = time.process_time()
    block(trainer, period)
    steps = period * max(1, round(seconds / (time.process_time() - began + 1e-9)))
    (best,) = best_seconds([lambda: block(trainer, steps)], rounds, time.process_time)
    with named_parts(trainer):
        profiles = [profiled(trainer, period) for _ in range(rounds)]
    shares: dict[str, float] = dict.fromkeys(SHARES, 0.0)
    costliest: list[tuple[float, str]] = []
    for part, name in set.union(*(set(one) for one in profiles)):
        share = statistics.median(one.get((part, name), 0.0) for one in profiles)
        shares[part] += share
        if part != "products":
            costliest.append((share, name.removeprefix("aten::")))
    costliest.sort(reverse=True)
    named = [f"{name} {share:.2f}" for share, name in costliest[:3] if share > SMALLEST_SHARE]
    return {
        "batch": trainer.method.batch_size, "ms": 1e3 * best / steps, **shares, "rest": 1 - sum(shares.values()),
        "costliest": ", ".join(named),
    }  # fmt: skip


def block(trainer: Trainer, steps: int) -> None:
    for _ in range(steps):
        trainer.step()


@contextlib.contextmanager
def named_parts(trainer: Trainer) -> Iterator[None]:
    """Inside, the profiler knows the feed, the moving average and the augmentation by name."""
    parts: list[tuple[Any, str, str]] = [(trainer.feed, "next", "data"), (trainer.average, "update", "optimiser")]
    if hasattr(trainer.method, "augmented_images"):
        parts.append((trainer.method, "augmented_images", "augmentation"))
    with contextlib.ExitStack() as patches:
        for owner, attribute, name in parts:
            named = record_function(name)(getattr(owner, attribute))
            patches.enter_context(mock.patch.object(owner, attribute, named))
        yield


def profiled(trainer: Trainer, steps: int) -> dict[tuple[str, str], float]:
    """The share of each operation, without those that it calls, by part and name."""
    with profile(activities=[ProfilerActivity.CPU]) as found:
        began = time.perf_counter()
        block(trainer, steps)
        seconds = time.perf_counter() - began
    spent: dict[tuple[str, str], float] = collections.defaultdict(float)
    for event in found.events() or []:
        if "::" in event.name and not event.name.startswith("autograd::"):  # an operation
            spent[part_of(event), event.name] += event.self_cpu_time_total / 1e6 / seconds
    return spent


def part_of(event: Any) -> str:
    """The part of the step that an operation belongs to."""
    around = event
    while around is not None:
        if around.name in SHARES:
            return around.name
        if around.name.startswith("Optimizer."):
            return "optimiser"
        around = around.cpu_parent
    name = event.name.split("::", 1)[1]
    if "norm" in name and name not in ("linalg_vector_norm", "_foreach_norm", "normal_", "norm"):
        return "norms"
    if name in RANDOM:
        return "random"
    if name in COPIES:
        return "copies"
    if any(part in name for part in PRODUCTS):
        return "products"
    return "elementwise"


if __name__ == "__main__":
    main()
