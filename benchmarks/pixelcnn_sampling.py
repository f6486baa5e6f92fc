"""Drawing from a gated PixelCNN: the cache against a full forward per pixel, on the same random numbers.

    python benchmarks/pixelcnn_sampling.py [--json] [--batches 1 64] [--preset small] [--clock processor] [--device cuda]

The baseline is the plain loop (`plain`): the canvas goes through the whole network once a pixel and channel, without
gradients, in the network's own memory layout; what it needs of the output is all it reads. A full forward costs the
same at every pixel, so of a large batch only `--forwards` of them are timed, and the median counts for all; batches
that are not larger than `--whole` are drawn to the end, and the images of both ways must be equal.

ratio     time of the plain loop over that of the cache, an image of 28 x 28
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

from ganvas.data.spec import DataSpec
from ganvas.losses.autoregressive import drawn
from ganvas.methods.autoregressive.pixelcnn import GatedPixelCNN
from ganvas.registry import create

Clock = Callable[[], float]


def built(preset: str, side: int, device: torch.device, **settings: Any) -> GatedPixelCNN:
    """An untrained one for side x side grey images: weights have no influence on the time."""
    method = create("pixelcnn", preset, settings)
    assert isinstance(method, GatedPixelCNN)
    torch.manual_seed(0)
    method.build(DataSpec("none", 1, side, side, 0))
    return method.eval().requires_grad_(False).to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


@torch.no_grad()
def plain(
    method: GatedPixelCNN, latents: Tensor, labels: Tensor | None = None, forwards: int | None = None,
    clock: Clock = time.perf_counter,
) -> tuple[Tensor, list[float]]:  # fmt: skip
    """The images of `method.generate(latents, labels)` by a full forward for each pixel and channel, and the seconds
    of each.

    `forwards` ends the loop early.
    """
    C, H, W = method.shape
    n, share = len(latents), method.distribution.outputs // method.distribution.groups
    uniform = latents.view(n, C, H, W)
    images = torch.zeros_like(uniform)
    taken: list[float] = []
    for place in range(H * W * C):
        if place == forwards:
            break
        synchronize(latents.device)
        start = clock()
        i, j, c = place // C // W, place // C % W, place % C
        raw = method.network(images, labels)[:, :, i, j]
        part = raw.split(share, 1)[c if method.distribution.groups > 1 else 0]
        images[:, c, i, j] = drawn(method.distribution, part, uniform[:, c, i, j], images[:, :c, i, j])
        synchronize(latents.device)
        taken.append(clock() - start)
    return images, taken


def synchronize(device: torch.device) -> None:
    """Waits for the GPU's queue."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(method: GatedPixelCNN, n: int, options: argparse.Namespace, clock: Clock) -> dict[str, Any]:
    """One row: n images at once."""
    device = next(method.parameters()).device
    latents = method.latents(range(n)).to(device)
    method.generate(latents)  # warms up
    plain(method, latents, forwards=2)
    cached: list[float] = []
    images = latents
    for _ in range(options.rounds):
        synchronize(device)
        start = clock()
        images = method.generate(latents)
        synchronize(device)
        cached.append(clock() - start)
    whole = n <= options.whole
    slow, taken = plain(method, latents, forwards=None if whole else options.forwards, clock=clock)
    passes = latents.shape[1]
    baseline = sum(taken) if whole else passes * statistics.median(taken)
    ours = statistics.median(cached)
    return {
        "batch": n,
        "seconds_plain": round(baseline, 3),
        "forwards_timed": len(taken),
        "seconds_cached": round(ours, 4),
        "images_per_second": round(n / ours, 2),
        "ratio": round(baseline / ours, 1),
        "equal": bool(torch.equal(slow, images)) if whole else None,
    }


def main(arguments: list[str] | None = None) -> None:
    parser = sampling_parser(__doc__, forwards=12)
    parser.add_argument("--side", type=int, default=28, help="height and width of the images")
    parser.add_argument("--rounds", type=int, default=3, help="runs of the cache; the median counts")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    options = parse(parser, arguments)
    method = built(options.preset, options.side, torch.device(options.device))
    rows = [measure(method, n, options, CLOCKS[options.clock]) for n in options.batches]
    parameters = sum(parameter.numel() for parameter in method.parameters())
    print_rows(rows, options, {**facts(options, options.device), "parameters": parameters})


if __name__ == "__main__":
    main()
