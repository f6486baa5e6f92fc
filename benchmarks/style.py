"""Style transfer by optimising the image: time, memory and losses, against a plain implementation of the same layers.

    python benchmarks/style.py                      the table: VGG-16 and MobileNetV2 at 256 and 512 pixels, ours and plain
    python benchmarks/style.py --big 4000x3000 --network vgg16      one step of a large image, by tiles: time and peak memory

    python benchmarks/style.py --gains --content photo.jpg --style painting.jpg     how far the layers' scales are apart, and a
                                                    image with and one without dividing by them, for networks whose weights
                                                    are here

    python benchmarks/style.py --layers stem,block1,block3,block6,block10 --network mobilenet_v2 --content photo.jpg
        --style painting.jpg                        the image made with these style layers and with the network's own, each
                                                    judged by another network, VGG-16-BN: style layer by layer, and content

Each row runs in a process of its own, one after the other. Seconds are processor seconds of one thread, the best of `--repeats`
or of 2 seconds' worth (a busy machine counts little). Memory is the process's peak above what it had with torch and the network
loaded and all code run once on images of 32 pixels; and in all. Linux only: what the drawing of the images takes is kept
out by /proc/self/clear_refs.

The plain implementation is what a tutorial writes: fp32, NCHW, frozen weights, batch norm as it comes, ReLU that makes a new
tensor, max-pooling, Gram matrices by one matrix product, the targets' features computed once and the network cut after its
last layer (both to the baseline's credit: many do neither). Both get random weights of the right shape, which cost as much as
trained ones.

Exactness: the loss and the gradient of the first step at 256 pixels, against the same objective in fp32 by autograd over the
same layers. The losses are those of one objective, ours in fp32 over VGG-16 with random weights, of the images
that each has after `--steps` moves of Adam at 256 pixels.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import gc
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import facts, heading, make_parser, parse
from torch import Tensor, nn

from ganvas.data.mosaic import mosaic
from ganvas.data.photo import Photo, read_photo, write_photo
from ganvas.losses.style import content_loss, gram, relative, style_loss, style_scale, total_variation
from ganvas.networks.features.catalog import CATALOG
from ganvas.networks.features.extractor import build_network, open_network
from ganvas.networks.features.mobilenet import MobileNetV2
from ganvas.networks.features.network import FeatureNetwork
from ganvas.tasks import style_target
from ganvas.tasks.gatys import GatysSettings, resized, size_with_longer_side
from ganvas.tasks.style_target import Target
from ganvas.tasks.stylise import stylise_photo
from ganvas.tasks.tiles import reflected

ALPHA, BETA, TV, LR = 1.0, 30.0, 0.3, 0.04
CONTENT = {"vgg16": ("relu4_2",), "mobilenet_v2": ("block10",)}


def images(height: int, width: int) -> tuple[Tensor, Tensor]:
    """A content and a style (1, 3, H, W) in [-1, 1]."""
    style = torch.from_numpy(mosaic(min(512, max(height, width)))).permute(2, 0, 1)[None].float() / 127.5 - 1
    style = nn.functional.interpolate(style, (height, width), mode="bilinear")
    rows, columns = torch.meshgrid(torch.linspace(0, 9, height), torch.linspace(0, 9, width), indexing="ij")
    content = torch.stack([torch.sin(rows), torch.cos(columns + rows), torch.sin(columns)])[None]
    return content.contiguous(), style.contiguous()


# --- the plain one ----------------------------------------------------------------------------------------------------------


def plain_vgg(network: FeatureNetwork) -> tuple[nn.Sequential, dict[str, int]]:
    """conv, relu, pool one after the other, as torchvision's vgg16.features; the index of each named layer."""
    layers, places = [], {}
    convs = iter(layer.conv for layer in network.layers.values() if hasattr(layer, "conv"))
    for block, depth in enumerate((2, 2, 3, 3, 3), 1):
        for number in range(1, depth + 1):
            conv = next(convs, None)
            if conv is None:  # the last layer that is needed
                return nn.Sequential(*layers), places
            layers += [conv.to(memory_format=torch.contiguous_format), nn.ReLU()]  # pyright: ignore[reportCallIssue]
            places[f"relu{block}_{number}"] = len(layers) - 1
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers), places


def plain_mobilenet() -> tuple[nn.Sequential, dict[str, int]]:
    """torchvision's mobilenet_v2.features."""
    network = MobileNetV2().eval()
    for module in network.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = False
    return network.layers, {"stem": 0, **{f"block{number}": number for number in range(1, 18)}}


class Plain:
    """Losses as modules' outputs, summed and sent backward."""

    def __init__(
        self, name: str, content: Tensor, style: Tensor, network: nn.Sequential, places: dict[str, int]
    ) -> None:
        self.network = network.requires_grad_(False)
        self.style = [places[layer] for layer in CATALOG[name].style_layers]
        self.content = [places[layer] for layer in CONTENT[name]]
        self.last = max([*self.style, *self.content])
        self.mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        self.deviation = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        with torch.no_grad():
            wanted = self.features(content)
            self.wanted = {index: wanted[index] for index in self.content}
            self.grams = self.gram_matrices(self.features(style))

    def features(self, x: Tensor) -> dict[int, Tensor]:
        x, found = ((x + 1) / 2 - self.mean) / self.deviation, {}
        for index, layer in enumerate(self.network):
            x = layer(x)
            if index in self.style or index in self.content:
                found[index] = x
            if index == self.last:
                break
        return found

    def gram_matrices(self, features: dict[int, Tensor]) -> dict[int, Tensor]:
        flat = {index: features[index].flatten(2)[0] for index in self.style}
        return {index: one @ one.t() / one.shape[1] for index, one in flat.items()}

    def gradient(self, x: Tensor, turn: int = 0) -> dict[str, Tensor]:
        x.grad = None
        taps = self.features(x)
        style = sum(
            (gram - self.grams[index]).square().sum() / self.grams[index].square().sum()
            for index, gram in self.gram_matrices(taps).items()
        ) / len(self.style)
        content = sum(
            (taps[i] - self.wanted[i]).square().sum() / self.wanted[i].var() / taps[i].numel() for i in self.content
        )
        variation = (x[:, :, 1:] - x[:, :, :-1]).square().mean() + (x[..., 1:] - x[..., :-1]).square().mean()
        loss = ALPHA * content + BETA * style + TV * variation
        loss.backward()
        return {"loss": loss.detach()}


# --- one row, in a process of its own -----------------------------------------------------------------------------------------


def status(name: str) -> float:
    """MB, of what the kernel knows of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    raise SystemExit(f"/proc/self/status has no {name}: memory is measured on Linux only")


def resident() -> float:
    """MB now."""
    return status("VmRSS")


def peak() -> float:
    """MB at most, since `forget_peak`."""
    return status("VmHWM")


def forget_peak() -> None:
    """Also gives back to the system what is free by now, or it would count as had before."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def ours(name: str, content: Tensor, style: Tensor, network: FeatureNetwork, tile: int = 1024) -> Target:
    return Target(
        network, content, [style], [1.0], style_layers=CATALOG[name].style_layers, content_layers=CONTENT[name], alpha=ALPHA,
        beta=BETA, tv=TV, side=tile, phases=CATALOG[name].phases,
    )  # fmt: skip


def row(options: argparse.Namespace) -> dict[str, object]:
    """Times steps of one implementation."""
    torch.manual_seed(0)
    content, style = images(*options.shape)
    name = options.network
    network = build_network(name)
    network.cut([*CATALOG[name].style_layers, *CONTENT[name]])
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    if options.kind == "plain":
        chain, places = plain_vgg(network) if name == "vgg16" else plain_mobilenet()
        make = functools.partial(Plain, name, network=chain, places=places)
    else:
        make = functools.partial(ours, name, network=network.to(dtype), tile=options.tile)
    del network
    small = [image[:, :, :32, :32].contiguous() for image in (content, style)]
    first = small[0].clone().requires_grad_()
    make(content=small[0], style=small[1]).gradient(first)
    torch.optim.Adam([first], lr=LR, fused=options.kind == "ours").step()  # reads code of some 30 MB
    del first
    forget_peak()
    before = resident()
    target = make(content=content, style=style)
    multiple = target.multiple if isinstance(target, Target) else 1
    x = reflected(content * 0.5, multiple).contiguous().requires_grad_()
    optimizer = torch.optim.Adam([x], lr=LR, fused=options.kind == "ours")
    seconds = []
    losses: dict[str, Tensor] = {}
    while len(seconds) < (options.steps or options.repeats) or (not options.steps and sum(seconds) < options.least):
        turn = len(seconds)
        start = time.process_time()
        losses = target.gradient(x, turn)
        optimizer.step()
        seconds.append(time.process_time() - start)
    if options.keep:
        np.save(options.keep, x.detach().numpy())
    return {
        "network": name, "kind": options.kind, "precision": options.precision, "shape": options.shape, "seconds": min(seconds),
        "memory": peak() - before, "whole": peak(), "loss": float(losses["loss"]),
    }  # fmt: skip


def ask(**facts: object) -> dict[str, Any]:
    """A row from a new process."""
    words = [word for key, value in facts.items() for word in (f"--{key}", str(value))]
    done = subprocess.run([sys.executable, __file__, "--row", *words], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def table(options: argparse.Namespace) -> None:
    """Everything, as Markdown."""
    print(heading(facts(argparse.Namespace())), end="\n\n")
    print(
        "| network | pixels | plain s | ours s | times faster | plain MB (in all) | ours MB (in all) | of the plain's |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    found = {}
    for name in ("vgg16", "mobilenet_v2"):
        for size in (256, 512):
            case = {"network": name, "shape": f"{size}x{size}", "repeats": options.repeats}
            a = ask(kind="plain", precision="fp32", **case)
            b = ask(kind="ours", precision=options.precision, **case)
            found[name, size] = b
            print(
                f"| {name} | {size} | {a['seconds']:.3f} | {b['seconds']:.3f} | {a['seconds'] / b['seconds']:.1f} |"
                f" {a['memory']:.0f} ({a['whole']:.0f}) | {b['memory']:.0f} ({b['whole']:.0f}) |"
                f" {b['memory'] / a['memory']:.2f} ({b['whole'] / a['whole']:.2f}) |",
                flush=True,
            )
    for size in (256, 512):
        ratio = found["vgg16", size]["seconds"] / found["mobilenet_v2", size]["seconds"]
        print(f"mobilenet_v2 over vgg16, both ours, {size} pixels: {ratio:.1f} times as fast")
    for name in CONTENT:
        exactness(name)
    losses(options)


def exactness(name: str) -> None:
    """Ours in fp32 and in bf16 against autograd, printed."""
    content, style = images(256, 256)
    x = (content * 0.5).requires_grad_()
    torch.manual_seed(0)
    network = build_network(name).cut([*CATALOG[name].style_layers, *CONTENT[name]])
    target = ours(name, content, style, network)
    taps = network.by_autograd(x, target.layers)
    apart = [
        relative(style_loss(gram(taps[n]), target.grams[0][n]), style_scale(target.grams[0][n]))
        for n in CATALOG[name].style_layers
    ]
    kept = [relative(content_loss(taps[n], target.content[n]), target.content_scale[n]) for n in CONTENT[name]]
    loss = ALPHA * torch.stack(kept).mean() + BETA * torch.stack(apart).mean() + TV * total_variation(x)[0]
    (wanted,), loss = torch.autograd.grad(loss, x), loss.detach()
    for dtype in (torch.float32, torch.bfloat16):
        network.to(dtype)
        found = ours(name, content, style, network).gradient(x)["loss"]
        assert x.grad is not None
        away = float((x.grad - wanted).norm() / wanted.norm())
        print(
            f"exactness, {name} {dtype}: loss {float(found):.6g} for {float(loss):.6g}, a share of"
            f" {abs(float(found / loss) - 1):.1e} away; gradient {away:.1e} away",
            flush=True,
        )


def losses(options: argparse.Namespace) -> None:
    """One objective for all: VGG-16's in fp32, of what each has after the same moves."""
    torch.manual_seed(0)
    content, style = images(256, 256)
    judge = ours("vgg16", content, style, build_network("vgg16").cut(CATALOG["vgg16"].style_layers))
    start = judge.gradient((content * 0.5).requires_grad_())
    print(f"one objective, at the start: { ({name: round(float(value), 4) for name, value in start.items()}) }")
    for name in ("vgg16", "mobilenet_v2"):
        for kind, precision in (("plain", "fp32"), ("ours", options.precision)):
            keep = Path(options.work) / f"{name}-{kind}.npy"
            ask(
                network=name, kind=kind, precision=precision, shape="256x256", repeats=1, steps=options.steps, keep=keep
            )
            x = torch.from_numpy(np.load(keep)).requires_grad_()
            now = {key: round(float(value), 4) for key, value in judge.gradient(x).items()}
            print(f"after {options.steps} moves, {name} {kind}: {now}", flush=True)


def gains(options: argparse.Namespace) -> None:
    """Eq. 4 against an image without features, layer by layer; and what comes of one sum of them as they are."""
    content, style = read_photo(options.content), read_photo(options.style)
    for name in ("mobilenet_v2", "efficientnet_lite0", "vgg16_bn"):
        layers = CATALOG[name].style_layers
        network = open_network(name, wanted=[*layers, *CATALOG[name].content_layers], download=False)
        for title, photo in (("content", content), ("style", style)):
            x = torch.from_numpy(photo.pixels)[None]
            with torch.no_grad():
                taps = network(resized(x, size_with_longer_side(photo.size, 256)), layers)
            scales = {layer: float(style_scale(gram(taps[layer]))) for layer in layers}
            apart = max(scales.values()) / min(scales.values())
            told = ", ".join(f"{layer} {scale:.2g}" for layer, scale in scales.items())
            print(f"{name}, {title}: {told}; the largest is {apart:.0f} times the smallest", flush=True)
        one_scale = torch.tensor([sum(scales.values()) / len(scales)])
        for word, scale_of in (("with", style_scale), ("without", lambda _, scale=one_scale: scale)):
            style_target.style_scale = scale_of  # pyright: ignore[reportPrivateImportUsage]
            settings = GatysSettings(steps=options.steps or 40)
            done = stylise_photo(content, [style], network=name, settings=settings, size=224, dtype=torch.bfloat16)
            write_photo(Path(options.work) / f"{name}-{word}.png", done.photo)


def layers(options: argparse.Namespace) -> None:
    """What comes of other style layers, by the extractors of a network that had no part in it."""
    content, style = read_photo(options.content), read_photo(options.style)
    entry = CATALOG["vgg16_bn"]
    judge = open_network("vgg16_bn", wanted=[*entry.style_layers, *entry.content_layers], download=False)

    def seen(photo: Photo) -> dict[str, Tensor]:
        with torch.no_grad():
            return judge(
                resized(torch.from_numpy(photo.pixels)[None], size_with_longer_side(photo.size, 256)),
                [*entry.style_layers, *entry.content_layers],
            )

    wanted, kept = seen(style), seen(content)
    for named in (options.layers, "auto"):
        settings = GatysSettings(style_layers=named, **({"steps": options.steps} if options.steps else {}))
        done = stylise_photo(
            content, [style], network=options.network, settings=settings, size=256, dtype=torch.bfloat16
        )
        taps = seen(done.photo)
        apart = [
            relative(style_loss(gram(taps[n]), gram(wanted[n])), style_scale(gram(wanted[n])))
            for n in entry.style_layers
        ]
        lost = float(
            (taps[entry.content_layers[0]] - kept[entry.content_layers[0]]).square().mean()
            / kept[entry.content_layers[0]].var()
        )
        told = ", ".join(f"{name} {float(value):.4f}" for name, value in zip(entry.style_layers, apart, strict=True))
        print(f"{named}: style {float(torch.stack(apart).mean()):.4f} ({told}), content {lost:.3f}", flush=True)
        write_photo(Path(options.work) / f"{options.network}-{named.replace(',', '-')}.png", done.photo)


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, threads=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--least", type=float, default=2.0, help="and so many processor seconds, at least")
    parser.add_argument(
        "--steps", type=int, default=0, help="moves before losses are compared (default: 20 in the table)"
    )
    parser.add_argument("--precision", default="bf16", choices=("bf16", "fp32"))
    parser.add_argument("--big", help="HEIGHTxWIDTH or WIDTHxHEIGHT of one large image")
    parser.add_argument("--network", default="vgg16", choices=tuple(CONTENT))
    parser.add_argument("--tile", type=int, default=1024)
    parser.add_argument("--work", default=".", help="where images go between processes")
    parser.add_argument("--gains", action="store_true", help="measure the layers' scales")
    parser.add_argument("--layers", help="style layers, joined by commas, to be compared with the network's own")
    parser.add_argument("--content", help="a photo, for --gains and --layers")
    parser.add_argument("--style", help="a painting, likewise")
    parser.add_argument("--row", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--kind", default="ours", help=argparse.SUPPRESS)
    parser.add_argument("--shape", default="256x256", help=argparse.SUPPRESS)
    parser.add_argument("--keep", default="", help=argparse.SUPPRESS)
    options = parse(parser, arguments)
    if options.gains:
        gains(options)
        return
    if options.layers:
        layers(options)
        return
    options.shape = tuple(int(side) for side in (options.big or options.shape).split("x"))
    if options.row or options.big:
        options.repeats, options.least = (1, 0.0) if options.big else (options.repeats, options.least)
        print(json.dumps(row(options)))
        return
    options.steps = options.steps or 20
    table(options)


if __name__ == "__main__":
    main()
