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
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from common import CLOCKS, facts, parse, print_rows, sampling_parser
from torch import Tensor

from ganvas.data.spec import AudioFacts, DataSpec
from ganvas.losses.autoregressive import drawn
from ganvas.losses.mulaw import heard
from ganvas.methods.autoregressive.wavenet import WaveNetMethod
from ganvas.networks.wavenet import HOP_SAMPLES
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
        first = max(0, t - method.network.field) // HOP_SAMPLES
        seen = method.forms(values[:, first * HOP_SAMPLES : t + 1])
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
    parser = sampling_parser(__doc__, forwards=5)
    parser.add_argument("--samples", type=int, default=2048, help="length of a clip")
    options = parse(parser, arguments)
    method = built(options.preset, options.samples)
    rows = [measure(method, n, options, CLOCKS[options.clock]) for n in options.batches]
    parameters = sum(parameter.numel() for parameter in method.parameters())
    print_rows(rows, options, {**facts(options), "field": method.network.field, "parameters": parameters})


if __name__ == "__main__":
    main()
