"""Generators of the public PyTorch repository of CycleGAN and pix2pix (`latest_net_G.pth`): residual networks and U-Nets.

They are equal in eval mode. The repository's test script leaves batch norm and dropout in training mode unless it is given
its option eval, so its images of a pix2pix network can differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ganvas.data.spec import DataSpec
from ganvas.errors import DataError
from ganvas.foreign.files import State
from ganvas.foreign.layouts import Layout, Rebuilt, Request, Taken, without_prefix

TRAINED_SIDE = 256  # pixels that these networks were trained at, where the file does not say
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class OfCycleGAN(Layout):
    name = "cyclegan"
    title = "a generator of the public CycleGAN repository"
    method = "cyclegan"
    generator = "G_AB"
    lacks = ("G_BA", "D_A", "D_B")
    settings = {"batch_size": 1, "pool": 0, "ema": 0.0}

    def rebuild(self, state: State, request: Request) -> Rebuilt:
        taken = Taken(without_prefix(state, "module."), self)
        if "model.model.0.weight" in taken:
            settings, weights, spec = unet(taken)
        else:
            settings, weights, spec = resnet(taken)
        taken.finish()
        named = {f"{self.generator}.{name}": value for name, value in weights.items()}
        return Rebuilt(self.method, {**self.settings, **settings}, spec, named, self.lacks)


class OfPix2Pix(OfCycleGAN):
    name = "pix2pix"
    title = "a generator of the public pix2pix repository"
    method = "pix2pix"
    generator = "G"
    lacks = ("D",)
    settings = {"batch_size": 1, "ema": 0.0}


def resnet(taken: Taken) -> tuple[dict[str, object], State, DataSpec]:
    """A residual generator: settings, weights by our names, spec. It names its layers by their places in a sequence."""
    norm = norm_of(taken, "model.2")
    weights: State = {}
    first = taken.take("model.1.weight", (None, None, 7, 7))
    width, channels = first.shape[:2]
    weights["first.0.weight"] = first
    layers = [("model.1", "model.2", "first", width), ("model.4", "model.5", "down.0", 2 * width)]
    layers.append(("model.7", "model.8", "down.1", 4 * width))
    for source, _, target, _ in layers[1:]:
        weights[f"{target}.0.weight"] = taken.take(f"{source}.weight", (None, None, 3, 3))
    blocks = taken.count("model.{}.conv_block.1.weight", first=10)
    for number in range(blocks):
        place = f"model.{10 + number}.conv_block"
        # With dropout in it, a block has one layer more.
        second = 6 if f"{place}.6.weight" in taken and taken.left[f"{place}.6.weight"].ndim == 4 else 5
        for index, name in ((1, "one"), (second, "two")):
            target = f"blocks.{number}.{name}"
            weights[f"{target}.0.weight"] = taken.take(f"{place}.{index}.weight", (4 * width, 4 * width, 3, 3))
            layers.append((f"{place}.{index}", f"{place}.{index + 1}", target, 4 * width))
    place = 10 + blocks
    for number in range(2):
        source, target, outputs = f"model.{place + 3 * number}", f"up.{number}", width * (2 - number)
        weights[f"{target}.0.weight"] = taken.take(f"{source}.weight", (2 * outputs, outputs, 3, 3))
        layers.append((source, f"model.{place + 3 * number + 1}", target, outputs))
    weights["last.weight"] = taken.take(f"model.{place + 7}.weight", (None, width, 7, 7))
    weights["last.bias"] = taken.take(f"model.{place + 7}.bias", (weights["last.weight"].shape[0],))
    for source, norm_source, target, outputs in layers:
        take_norm(taken, source, norm_source, f"{target}.1", outputs, norm, weights)
    check_channels(channels, weights["last.weight"].shape[0])
    settings = {"generator": "resnet", "width": width, "blocks": blocks, "norm": norm, "transposed": True}
    return settings, weights, spec_of(channels, TRAINED_SIDE)


def unet(taken: Taken) -> tuple[dict[str, object], State, DataSpec]:
    """A U-Net, whose blocks are nested: each holds the next smaller size between its way down and its way up."""
    prefixes = ["model.model."]
    while f"{prefixes[-1]}{1 if len(prefixes) == 1 else 3}.model.1.weight" in taken and len(prefixes) < 11:
        prefixes.append(f"{prefixes[-1]}{1 if len(prefixes) == 1 else 3}.model.")
    depth = len(prefixes)
    if depth < 3:
        raise DataError(f"the file holds a U-Net of {depth} sizes, and those of the repository have more")
    norm = norm_of(taken, f"{prefixes[1]}2")
    weights: State = {}
    first = taken.take(f"{prefixes[0]}0.weight", (None, None, 4, 4))
    width, channels = first.shape[:2]
    weights["down.0.weight"] = first
    weights["down.0.bias"] = bias_or_zeros(taken, f"{prefixes[0]}0", width)
    for level in range(1, depth):
        prefix, innermost = prefixes[level], level == depth - 1
        down = taken.take(f"{prefix}1.weight", (None, None, 4, 4))
        outputs, inputs = down.shape[:2]
        up_place, norm_place = (3, 4) if innermost else (5, 6)
        up = taken.take(f"{prefix}{up_place}.weight", (outputs if innermost else 2 * outputs, inputs, 4, 4))
        target = f"up.{depth - 1 - level}"
        if innermost:
            weights[f"down.{level}.weight"] = down
            weights[f"down.{level}.bias"] = bias_or_zeros(taken, f"{prefix}1", outputs)
        else:
            weights[f"down.{level}.0.weight"] = down
            take_norm(taken, f"{prefix}1", f"{prefix}2", f"down.{level}.1", outputs, norm, weights)
        weights[f"{target}.0.weight"] = up if innermost else _skip_last(up)
        take_norm(taken, f"{prefix}{up_place}", f"{prefix}{norm_place}", f"{target}.1", inputs, norm, weights)
    last = taken.take(f"{prefixes[0]}3.weight", (2 * width, None, 4, 4))
    weights[f"up.{depth - 1}.weight"] = _skip_last(last)
    weights[f"up.{depth - 1}.bias"] = taken.take(f"{prefixes[0]}3.bias", (last.shape[1],))
    check_channels(channels, last.shape[1])
    settings = {"generator": "unet", "width": width, "downsamplings": depth, "norm": norm, "relu_skips": True}
    return settings, weights, spec_of(channels, 2**depth)


def _skip_last(weight: torch.Tensor) -> torch.Tensor:
    """Weights (inputs, outputs, k, k) of a transposed convolution whose input has the skip connection's channels first, for an
    input that has them last."""
    skip, rest = weight.chunk(2)
    return torch.cat([rest, skip])


def norm_of(taken: Taken, place: str) -> str:
    """ "batch" where the norm at `place` has weights, else "instance"."""
    return "batch" if f"{place}.weight" in taken else "instance"


def take_norm(taken: Taken, convolution: str, place: str, target: str, channels: int, norm: str, into: State) -> None:
    """The norm behind a convolution. What has no effect is dropped: a bias in front of an instance norm, and its statistics."""
    shape = (channels,)
    if norm == "batch":
        for name in ("weight", "bias", "running_mean", "running_var"):
            into[f"{target}.{name}"] = taken.take(f"{place}.{name}", shape)
        into[f"{target}.num_batches_tracked"] = torch.zeros((), dtype=torch.int64)
        taken.drop([f"{place}.num_batches_tracked"])
        return
    into[f"{target}.weight"], into[f"{target}.bias"] = torch.ones(shape), torch.zeros(shape)
    taken.drop([f"{convolution}.bias", *(f"{place}.{name}" for name in STATISTICS)])


def bias_or_zeros(taken: Taken, place: str, channels: int) -> torch.Tensor:
    """A convolution's bias, zeros where it has none."""
    return taken.take(f"{place}.bias", (channels,)) if f"{place}.bias" in taken else torch.zeros(channels)


def check_channels(inputs: int, outputs: int) -> None:
    """DataError where a network changes the number of channels."""
    if inputs != outputs or inputs not in (1, 3):
        raise DataError(f"the network takes {inputs} channels and gives {outputs}: here both are 3, or both 1")


def spec_of(channels: int, side: int, name: str = "imported") -> DataSpec:
    """The shape of the images that a network was trained on."""
    return DataSpec(name=name, channels=channels, height=side, width=side, count=0, paired=True)


TRANSLATOR_LAYOUTS: Sequence[Layout] = (OfCycleGAN(), OfPix2Pix())
