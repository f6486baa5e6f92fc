"""Networks for super-resolution: ESRGAN and Real-ESRGAN in their three namings, the plain SRResNet of the same authors, the
compact networks of Real-ESRGAN, and the slim ones of UpscalerJS."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ganvas.data.spec import DataSpec
from ganvas.errors import DataError
from ganvas.foreign.files import State, read_tfjs
from ganvas.foreign.layouts import Layout, Rebuilt, Request, Taken, without_prefix

PATCH_SIDE = 128  # pixels of the patches that such networks are trained on
SCALES = (2, 3, 4, 8)
BY_DISCRIMINATOR: Mapping[str, object] = {"batch_size": 1, "first_phase": 0.0, "perceptual": "none", "ema": 0.0}
LACKS_DISCRIMINATOR = ("D", "plain")


class OfESRGAN(Layout):
    name = "esrgan"
    title = "an RRDB network of ESRGAN or Real-ESRGAN"

    def rebuild(self, state: State, request: Request) -> Rebuilt:
        taken = Taken(renamed_rrdb(without_prefix(state, "module.")), self)
        weights: State = {}
        first = taken.convolution("conv_first", "G.first", weights)
        width, inputs = first.shape[:2]
        blocks = taken.count("body.{}.rdb1.conv1.weight")
        for block in range(blocks):
            for dense in range(3):
                for conv in range(5):
                    source = f"body.{block}.rdb{dense + 1}.conv{conv + 1}"
                    taken.convolution(source, f"G.body.{block}.blocks.{dense}.convs.{conv}", weights)
        taken.convolution("conv_body", "G.after_body", weights)
        steps = taken.count("conv_up{}.weight", first=1)
        for number in range(steps):
            taken.convolution(f"conv_up{number + 1}", f"G.up.{number}", weights)
        taken.convolution("conv_hr", "G.full", weights)
        channels = taken.convolution("conv_last", "G.last", weights).shape[0]
        taken.finish()
        growth = weights["G.body.0.blocks.0.convs.0.weight"].shape[0] if blocks else 0
        if growth != width // 2:
            raise DataError(
                f"its dense blocks grow by {growth} channels, and those of ESRGAN by half the width ({width // 2})"
            )
        shrink = 2 if inputs == 4 * channels else 1
        if inputs != channels * shrink**2:
            raise DataError(
                f"the network takes {inputs} channels and gives {channels}: other scales are not known here"
            )
        scale = checked_scale(2**steps // shrink)
        kind = "rrdb_unshuffle" if shrink == 2 else "rrdb"
        settings = {"generator": kind, "scale": scale, "width": width, "blocks": blocks, **BY_DISCRIMINATOR}
        return Rebuilt("srgan", settings, spec_of(channels), weights, LACKS_DISCRIMINATOR)


def renamed_rrdb(state: State) -> State:
    """A state in the names of BasicSR (body.0.rdb1.conv1). Two older namings are known: RRDB_trunk.0.RDB1.conv1, and the places
    in a sequence, model.1.sub.0.RDB1.conv1.0."""
    if "model.0.weight" in state:
        return _from_places(state)
    if "trunk_conv.weight" not in state:
        return state
    names = {"trunk_conv": "conv_body", "HRconv": "conv_hr"}
    renamed: State = {}
    for name, tensor in state.items():
        stem, _, ending = name.rpartition(".")
        stem = names.get(stem, re.sub(r"^upconv", "conv_up", stem))
        stem = re.sub(r"^RRDB_trunk\.(\d+)\.RDB", r"body.\1.rdb", stem)
        renamed[f"{stem}.{ending}"] = tensor
    return renamed


def _from_places(state: State) -> State:
    """model.0 is the first convolution, model.1 the body, then one convolution for each doubling, and two more."""
    places = sorted(
        {int(match[1]) for name in state if (match := re.match(r"model\.(\d{1,3})\.(?:weight|bias)$", name))}
    )
    stems = {f"model.{places[0]}": "conv_first"}
    for number, place in enumerate(places[1:-2], 1):
        stems[f"model.{place}"] = f"conv_up{number}"
    if len(places) >= 3:
        stems[f"model.{places[-2]}"], stems[f"model.{places[-1]}"] = "conv_hr", "conv_last"
    renamed: State = {}
    for name, tensor in state.items():
        stem, _, ending = name.rpartition(".")
        inner = re.match(r"model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0$", stem)
        if inner:
            stem = f"body.{inner[1]}.rdb{inner[2]}.conv{inner[3]}"
        elif re.match(r"model\.1\.sub\.\d+$", stem):
            stem = "conv_body"
        renamed[f"{stems.get(stem, stem)}.{ending}"] = tensor
    return renamed


class OfSRResNet(Layout):
    name = "srresnet"
    title = "the SRResNet without normalisation of BasicSR (MSRResNet)"

    def rebuild(self, state: State, request: Request) -> Rebuilt:
        renamed: State = {}
        for name, tensor in without_prefix(state, "module.").items():
            renamed[name.replace("recon_trunk.", "body.").replace("HRconv.", "conv_hr.")] = tensor
        taken = Taken(renamed, self)
        weights: State = {}
        width, channels = taken.convolution("conv_first", "G.first", weights).shape[:2]
        blocks = taken.count("body.{}.conv1.weight")
        for number in range(blocks):
            taken.convolution(f"body.{number}.conv1", f"G.body.{number}.one", weights)
            taken.convolution(f"body.{number}.conv2", f"G.body.{number}.two", weights)
        scale = 1
        for number in range(taken.count("upconv{}.weight", first=1)):
            outputs = taken.convolution(f"upconv{number + 1}", f"G.up.{number}", weights).shape[0]
            scale *= shuffled(outputs, width)
        taken.convolution("conv_hr", "G.full", weights)
        taken.convolution("conv_last", "G.last", weights)
        taken.finish()
        settings = {"generator": "residual", "scale": checked_scale(scale), "width": width, "blocks": blocks}
        return Rebuilt("srresnet", {**settings, "batch_size": 1, "ema": 0.0}, spec_of(channels), weights)


class OfCompact(Layout):
    name = "compact"
    title = "a compact network of Real-ESRGAN (SRVGGNetCompact)"

    def rebuild(self, state: State, request: Request) -> Rebuilt:
        taken = Taken(without_prefix(state, "module."), self)
        weights: State = {}
        width, channels = taken.convolution("body.0", "G.body.0", weights).shape[:2]
        weights["G.body.1.weight"] = taken.take("body.1.weight", (width,))
        place = 2
        while f"body.{place + 1}.weight" in taken:
            taken.convolution(f"body.{place}", f"G.body.{place}", weights)
            weights[f"G.body.{place + 1}.weight"] = taken.take(f"body.{place + 1}.weight", (width,))
            place += 2
        outputs = taken.convolution(f"body.{place}", f"G.body.{place}", weights).shape[0]
        taken.finish()
        scale = checked_scale(shuffled(outputs, channels))
        settings = {
            "generator": "compact",
            "scale": scale,
            "width": width,
            "blocks": place // 2 - 1,
            **BY_DISCRIMINATOR,
        }
        return Rebuilt("srgan", settings, spec_of(channels), weights, LACKS_DISCRIMINATOR)


class OfUpscalerJS(Layout):
    name = "esrgan_slim"
    title = "a network of the npm package @upscalerjs/esrgan-slim (models/x2/model.json)"
    files = "the model.json of TensorFlow.js, its .bin files beside it"

    def read(self, path: Path) -> State:
        return read_tfjs(path)

    def rebuild(self, state: State, request: Request) -> Rebuilt:
        taken = Taken(as_torch(state), self)
        weights: State = {}
        blocks = taken.count("F_{}_1.weight", first=1)
        names = {"F_m1": "first", "F_0": "second", "GFF_1": "gather", "GFF_2": "after", "SR": "last"}
        names |= {f"UPN{number + 1}": f"tail.{number}" for number in range(3)}
        for number in range(blocks):
            names |= {f"F_{number + 1}_1": f"dense.{number}", f"LFF_{number + 1}": f"fuse.{number}"}
        for source, target in names.items():
            taken.convolution(source, f"G.{target}", weights)
        taken.finish()
        width, channels = weights["G.first.weight"].shape[:2]
        scale = checked_scale(shuffled(weights["G.tail.2.weight"].shape[0], channels))
        settings = {"generator": "slim", "scale": scale, "width": width, "blocks": blocks, **BY_DISCRIMINATOR}
        return Rebuilt("srgan", settings, spec_of(channels), weights, LACKS_DISCRIMINATOR)


def as_torch(state: State) -> State:
    """Keras' kernels (k, k, inputs, outputs) as weights (outputs, inputs, k, k)."""
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, _, part = name.rpartition("/")
        if part == "kernel" and tensor.ndim == 4:
            renamed[f"{layer}.weight"] = tensor.permute(3, 2, 0, 1).contiguous()
        else:
            renamed[f"{layer}.{part}"] = tensor
    return renamed


def shuffled(outputs: int, channels: int) -> int:
    """The factor of a pixel shuffle from `outputs` to `channels` channels."""
    for factor in (2, 3, 4, 8):
        if outputs == channels * factor**2:
            return factor
    raise DataError(f"a layer of the file has {outputs} channels, which no pixel shuffle turns into {channels}")


def checked_scale(scale: int) -> int:
    """DataError for a factor that a run cannot have."""
    if scale not in SCALES:
        raise DataError(f"the network upscales by {scale}, and {', '.join(map(str, SCALES))} are known here")
    return scale


def spec_of(channels: int) -> DataSpec:
    """The shape of the images that a network was trained on."""
    if channels not in (1, 3):
        raise DataError(f"the network takes images of {channels} channels, and 3 or 1 are known here")
    return DataSpec(name="imported", channels=channels, height=PATCH_SIDE, width=PATCH_SIDE, count=0)


UPSCALER_LAYOUTS: Sequence[Layout] = (OfESRGAN(), OfSRResNet(), OfCompact(), OfUpscalerJS())
