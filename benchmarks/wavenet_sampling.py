"""Drawing from a WaveNet: the cache against a full pass per sample, on the same random numbers.

    python benchmarks/wavenet_sampling.py [--json] [--batches 1 64] [--preset small] [--samples 512] [--clock processor]

The baseline (`plain`) passes over as many of the last samples as the network sees and reads the last output. A pass costs the
same at every sample once so many are there, so of a large batch only `--forwards` are timed, at the end of the clip, and
their median counts for all; batches that are not larger than `--whole` are drawn to the end, and both must give the same.

ratio     time of the plain loop over that of the cache, a clip of so many samples
equal     both gave the same levels everywhere (null where the plain loop was not run to its end)
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganvas.data.spec import AudioFacts, DataSpec
from ganvas.losses.autoregressive import drawn
from ganvas.losses.mulaw import heard
from ganvas.methods.autoregressive.wavenet import WaveNetMethod
from ganvas.networks.wavenet import HOP
from ganvas.registry import create

Clock = Callable[[], float]


def built(preset: str, samples: int, **settings: Any) -> WaveNetMethod:
    """An untrained one for clips of so many samples: weights have no influence on the time."""
    method = create("wavenet", preset, settings)
    assert isinstance(method, WaveNetMethod)
    torch.manual_seed(0)
    method.build(DataSpec("none", 1, 1, samples, 0, ("a", "b"), kind="audio", audio=AudioFacts(8000)))
    return method.eval().requires_grad_(False).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


@torch.no_grad()
def plain(
    method: WaveNetMethod, latents: Tensor, labels: Tensor | None, forwards: int | None = None,
    clock: Clock = time.perf_counter,
) -> tuple[Tensor, list[float]]:  # fmt: skip
    """The clips of `method.generate` by a pass for each sample, and the seconds of each; `forwards`: only the last ones,
    after silence."""
    n, length = latents.shape
    values, taken = torch.zeros(n, length), []
    for t in range(0 if forwards is None else length - forwards, length):
        start = clock()
        # From a whole block on, since places are told in blocks.
        first = max(0, t - method.network.field) // HOP
        seen = method.forms(values[:, first * HOP : t + 1])
        raw = method.network(seen, labels, torch.full((n,), first))[:, -1]
        values[:, t] = drawn(method.distribution, raw, latents[:, t], latents[:, :0])
        taken.append(clock() - start)
    return heard(values, method.levels)[:, None], taken


def measure(method: WaveNetMethod, n: int, options: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """One row: n clips at once."""
    latents, labels = method.latents(range(n)), torch.arange(n) % 2 if method.classes else None
    length = latents.shape[1]
    method.generate(latents[:, :], labels)  # warms up
    start = clock()
    clips = method.generate(latents, labels)
    ours = clock() - start
    whole = n <= options.whole
    slow, taken = plain(method, latents, labels, None if whole else options.forwards, clock)
    baseline = sum(taken) if whole else length * statistics.median(taken)
    return {
        "batch": n,
        "seconds_plain": round(baseline, 3),
        "forwards_timed": len(taken),
        "seconds_cached": round(ours, 4),
        "samples_per_second": round(n * length / ours),
        "ratio": round(baseline / ours, 1),
        "equal": bool(torch.equal(slow, clips)) if whole else None,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 64], help="clips at once")
    parser.add_argument("--preset", default="small", help="network that is measured")
    parser.add_argument("--samples", type=int, default=2048, help="length of a clip")
    parser.add_argument(
        "--forwards", type=int, default=5, help="passes of the plain loop that are timed for a large batch"
    )
    parser.add_argument("--whole", type=int, default=1, help="largest batch that the plain loop draws to its end")
    parser.add_argument("--clock", choices=["wall", "processor"], default="wall", help="processor: for a busy machine")
    options = parser.parse_args(arguments)
    clock = time.process_time if options.clock == "processor" else time.perf_counter
    method = built(options.preset, options.samples)
    report = {
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "date": datetime.date.today().isoformat(),
        "clock": options.clock,
        "preset": options.preset,
        "samples": options.samples,
        "field": method.network.field,
        "parameters": sum(parameter.numel() for parameter in method.parameters()),
        "rows": [measure(method, n, options, clock) for n in options.batches],
    }
    if options.json:
        print(json.dumps(report))
        return
    print(", ".join(f"{key} {value}" for key, value in report.items() if key != "rows"))
    for row in report["rows"]:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
