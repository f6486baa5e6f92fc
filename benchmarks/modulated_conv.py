"""StyleGAN2's modulated convolution: scaled activations and one dense convolution, against a kernel per image, in one run.

    python benchmarks/modulated_conv.py [--rounds 20] [--batch 32] [--threads 1] [--bf16] [--clock processor] [--json]

scaled    x times the style, a convolution whose weights all images share, the demodulation on its output (ganvas.networks.style)
grouped   weights times the style and the demodulation, one kernel per image, in a convolution of as many groups as images, as the
          authors' code does (Karras 2020, sec. 2.2)
ratio     time of grouped over scaled, forward and backward, the smallest of all rounds each, in turn

Sizes are channels x height: layers of the presets `small` and `faces`, and one of the paper's. difference is the largest between
both outputs, relative to their largest value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from common import CLOCKS, best_seconds, facts, make_parser, parse, print_rows
from torch import Tensor
from torch.nn import functional as F

from ganvas.networks.style import EqualConv, demodulation, modulated

SIZES = ["64x8", "32x14", "16x28", "64x16", "32x32", "16x64", "512x16"]

Way = Callable[[EqualConv, Tensor, Tensor], Tensor]


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, threads=1, clock="wall")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="CxH")
    parser.add_argument("--bf16", action="store_true", help="under autocast; the difference is always in fp32")
    options = parse(parser, arguments)
    rows = []
    for size in options.sizes:
        channels, height = map(int, size.split("x"))
        torch.manual_seed(0)
        conv = EqualConv(channels, channels, 3)
        x = (
            torch.randn(options.batch, channels, height, height)
            .contiguous(memory_format=torch.channels_last)
            .requires_grad_()
        )
        style = 1 + torch.randn(options.batch, channels) / 2
        ways = (scaled, grouped)
        a, b = (way(conv, x, style).detach() for way in ways)
        steps = [functools.partial(step, way, conv, x, style, options.bf16) for way in ways]
        seconds, other = best_seconds(steps, options.rounds, CLOCKS[options.clock])
        rows.append({
            "size": size, "scaled_ms": 1e3 * seconds, "grouped_ms": 1e3 * other,
            "ratio": other / seconds, "difference": float((a - b).abs().max() / a.abs().max()),
        })  # fmt: skip
    print_rows(rows, options, facts(options))


def step(way: Way, conv: EqualConv, x: Tensor, style: Tensor, bf16: bool) -> None:
    """Forward and backward."""
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        y = way(conv, x, style)
    y.float().square().mean().backward()


def scaled(conv: EqualConv, x: Tensor, style: Tensor) -> Tensor:
    """x (N, C, H, W), style (N, C)."""
    return modulated(conv, x, style) * demodulation(conv, style)[:, :, None, None]


def grouped(conv: EqualConv, x: Tensor, style: Tensor) -> Tensor:
    """The same, with a kernel per image."""
    count, channels, *size = x.shape
    weight = conv.weight * conv.scale * style[:, None, :, None, None]
    weight = weight * (weight.square().sum((2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    y = F.conv2d(x.reshape(1, count * channels, *size), weight.flatten(0, 1), padding=1, groups=count)
    return y.view(count, channels, *size)


if __name__ == "__main__":
    main()
