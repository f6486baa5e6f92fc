"""Networks of other projects in plain PyTorch, written from their published descriptions, with the names that their files have.

Image ranges are theirs: [-1, 1] for the translators, [0, 1] for the others, 0 to 255 for the slim network.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


def norm_layer(norm: str, channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels) if norm == "batch" else nn.InstanceNorm2d(channels)


class ResnetGenerator(nn.Module):
    """Zhu 2017: c7s1-64, d128, d256, R256 x blocks, u128, u64, c7s1-3; layers by their places in one sequence."""

    def __init__(
        self, width: int, blocks: int, norm: str = "instance", dropout: bool = False, channels: int = 3
    ) -> None:
        super().__init__()
        bias = norm == "instance"
        layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(channels, width, 7, bias=bias)]
        layers += [norm_layer(norm, width), nn.ReLU(True)]
        for factor in (1, 2):
            layers += [nn.Conv2d(width * factor, width * factor * 2, 3, 2, 1, bias=bias)]
            layers += [norm_layer(norm, width * factor * 2), nn.ReLU(True)]
        layers += [ResnetBlock(width * 4, norm, dropout) for _ in range(blocks)]
        for factor in (4, 2):
            up = nn.ConvTranspose2d(width * factor, width * factor // 2, 3, 2, 1, output_padding=1, bias=bias)
            layers += [up, norm_layer(norm, width * factor // 2), nn.ReLU(True)]
        layers += [nn.ReflectionPad2d(3), nn.Conv2d(width, channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class ResnetBlock(nn.Module):
    def __init__(self, width: int, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = norm == "instance"
        layers: list[nn.Module] = [
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=bias),
            norm_layer(norm, width),
        ]
        layers += [nn.ReLU(True), *([nn.Dropout(0.5)] if dropout else [])]
        layers += [nn.ReflectionPad2d(1), nn.Conv2d(width, width, 3, bias=bias), norm_layer(norm, width)]
        self.conv_block = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv_block(x)


class UnetGenerator(nn.Module):
    """Isola 2017, sec. 6.1.1: nested blocks, each with a skip connection around all that is inside it."""

    def __init__(self, width: int, depth: int, norm: str = "batch", channels: int = 3) -> None:
        super().__init__()
        widths = [min(8, 2**level) * width for level in range(depth)]
        block = UnetBlock(widths[-2], widths[-1], None, norm)
        for level in range(depth - 2, 0, -1):
            block = UnetBlock(widths[level - 1], widths[level], block, norm)
        self.model = UnetBlock(channels, width, block, norm, outermost=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)


class UnetBlock(nn.Module):
    def __init__(self, outer: int, inner: int, inside: nn.Module | None, norm: str, outermost: bool = False) -> None:
        super().__init__()
        bias = norm == "instance"
        self.outermost = outermost
        down = nn.Conv2d(outer, inner, 4, 2, 1, bias=bias)
        if outermost:
            assert inside is not None
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1)
            layers: list[nn.Module] = [down, inside, nn.ReLU(True), up, nn.Tanh()]
        elif inside is None:
            up = nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2, True), down, nn.ReLU(True), up, norm_layer(norm, outer)]
        else:
            up = nn.ConvTranspose2d(2 * inner, outer, 4, 2, 1, bias=bias)
            layers = [nn.LeakyReLU(0.2, True), down, norm_layer(norm, inner), inside]
            layers += [nn.ReLU(True), up, norm_layer(norm, outer), nn.Dropout(0.5)]
        self.model = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        if self.outermost:
            return self.model(x)
        return torch.cat([x, self.model(x)], 1)  # the leaky ReLU in place has changed x by then


def conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, 1, kernel // 2)


class RRDBNet(nn.Module):
    """Wang 2018 (arXiv:1809.00219), fig. 3 and 4, in the names of BasicSR."""

    def __init__(self, width: int, blocks: int, scale: int = 4, channels: int = 3) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = conv(channels * (4 if scale == 2 else 1), width)
        self.body = nn.Sequential(*(Rrdb(width, width // 2) for _ in range(blocks)))
        self.conv_body, self.conv_up1, self.conv_up2 = conv(width, width), conv(width, width), conv(width, width)
        self.conv_hr, self.conv_last = conv(width, width), conv(width, channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.scale == 2:
            x = F.pixel_unshuffle(x, 2)
        first = self.conv_first(x)
        y = first + self.conv_body(self.body(first))
        for up in (self.conv_up1, self.conv_up2):
            y = F.leaky_relu(up(F.interpolate(y, scale_factor=2, mode="nearest")), 0.2)
        return self.conv_last(F.leaky_relu(self.conv_hr(y), 0.2))


class Rrdb(nn.Module):
    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1, self.rdb2, self.rdb3 = Rdb(width, growth), Rdb(width, growth), Rdb(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        return self.rdb3(self.rdb2(self.rdb1(x))) * 0.2 + x


class Rdb(nn.Module):
    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        for number in range(5):
            setattr(self, f"conv{number + 1}", conv(width + number * growth, growth if number < 4 else width))

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for number in range(1, 5):
            seen = torch.cat([seen, F.leaky_relu(getattr(self, f"conv{number}")(seen), 0.2)], 1)
        return self.get_submodule("conv5")(seen) * 0.2 + x


def rrdb_of_2018(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state of RRDBNet in the names of ESRGAN's first files: places in a sequence."""
    blocks = 1 + max(int(name.split(".")[1]) for name in state if name.startswith("body."))
    places = {
        "conv_first": "model.0",
        "conv_body": f"model.1.sub.{blocks}",
        "conv_up1": "model.3",
        "conv_up2": "model.6",
    }
    places |= {"conv_hr": "model.8", "conv_last": "model.10"}
    renamed = {}
    for name, tensor in state.items():
        stem, _, ending = name.rpartition(".")
        parts = stem.split(".")
        if parts[0] == "body":
            stem = f"model.1.sub.{parts[1]}.{parts[2].upper()}.{parts[3]}.0"
        renamed[f"{places.get(stem, stem)}.{ending}"] = tensor
    return renamed


def rrdb_of_2019(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same in the names of ESRGAN's later files."""
    words = {"conv_body": "trunk_conv", "body.": "RRDB_trunk.", ".rdb": ".RDB", "conv_hr": "HRconv"}
    words["conv_up"] = "upconv"
    renamed = {}
    for name, tensor in state.items():
        for new, old in words.items():
            name = name.replace(new, old)
        renamed[name] = tensor
    return renamed


class MSRResNet(nn.Module):
    """The SRResNet of Wang 2018, without batch norm (Lim 2017)."""

    def __init__(self, width: int, blocks: int, scale: int, channels: int = 3) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = conv(channels, width)
        self.body = nn.Sequential(*(self.block(width) for _ in range(blocks)))
        steps = [2, 2] if scale == 4 else [scale]
        self.steps = steps
        for number, step in enumerate(steps):
            setattr(self, f"upconv{number + 1}", conv(width, width * step**2))
        self.conv_hr, self.conv_last = conv(width, width), conv(width, channels)

    def block(self, width: int) -> nn.Module:
        return nn.Sequential(OrderedDict(conv1=conv(width, width), relu=nn.ReLU(), conv2=conv(width, width)))

    def forward(self, x: Tensor) -> Tensor:
        y = F.leaky_relu(self.conv_first(x), 0.1)
        for block in self.body:
            y = y + block(y)
        for number, step in enumerate(self.steps):
            y = F.leaky_relu(F.pixel_shuffle(self.get_submodule(f"upconv{number + 1}")(y), step), 0.1)
        y = self.conv_last(F.leaky_relu(self.conv_hr(y), 0.1))
        return y + F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


class SRVGGNetCompact(nn.Module):
    """The compact networks of Real-ESRGAN."""

    def __init__(self, width: int, blocks: int, scale: int, channels: int = 3) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = [conv(channels, width), nn.PReLU(width)]
        for _ in range(blocks):
            layers += [conv(width, width), nn.PReLU(width)]
        self.body = nn.ModuleList([*layers, conv(width, channels * scale**2)])

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for layer in self.body:
            y = layer(y)
        return F.pixel_shuffle(y, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


class ManyStyles(nn.Module):
    """Dumoulin 2017 (arXiv:1610.07629): conditional instance norm in every layer, reflected borders, a sigmoid at the end. Its
    state is a dict of tensors by the names of the package's ONNX file."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        super().__init__()
        self.state = state

    def layer(self, x: Tensor, name: str, shares: Tensor, stride: int = 1) -> Tensor:
        weight = self.state[f"{name}.w"]
        pad = weight.shape[2] // 2
        y = F.conv2d(F.pad(x, (pad,) * 4, mode="reflect"), weight, stride=stride)
        mean = y.mean((2, 3), keepdim=True)
        deviation = ((y - mean).square().mean((2, 3), keepdim=True) + 1e-5).sqrt()
        gamma, beta = shares @ self.state[f"{name}.norm.gamma"], shares @ self.state[f"{name}.norm.beta"]
        return (y - mean) / deviation * gamma[:, None, None] + beta[:, None, None]

    def forward(self, x: Tensor, shares: Tensor) -> Tensor:
        y = F.relu(self.layer(x, "contract.0", shares))
        y = F.relu(self.layer(y, "contract.1", shares, 2))
        y = F.relu(self.layer(y, "contract.2", shares, 2))
        number = 0
        while f"res.{number}.0.w" in self.state:
            inner = F.relu(self.layer(y, f"res.{number}.0", shares))
            y = y + self.layer(inner, f"res.{number}.1", shares)
            number += 1
        for name in ("expand.0", "expand.1"):
            y = F.relu(self.layer(F.interpolate(y, scale_factor=2, mode="nearest"), name, shares))
        return torch.sigmoid(self.layer(y, "expand.2", shares))


def many_styles_state(styles: int = 5, width: int = 6, blocks: int = 2) -> dict[str, Tensor]:
    """Random weights of ManyStyles."""
    random = torch.Generator().manual_seed(0)
    shapes = {"contract.0": (width, 3, 9), "contract.1": (width, width, 3), "contract.2": (width, width, 3)}
    for number in range(blocks):
        shapes |= {f"res.{number}.0": (width, width, 3), f"res.{number}.1": (width, width, 3)}
    shapes |= {"expand.0": (4, width, 3), "expand.1": (2, 4, 3), "expand.2": (3, 2, 9)}
    state = {}
    for name, (outputs, inputs, kernel) in shapes.items():
        state[f"{name}.w"] = torch.randn(outputs, inputs, kernel, kernel, generator=random) / kernel
        state[f"{name}.norm.gamma"] = torch.randn(styles, outputs, generator=random)
        state[f"{name}.norm.beta"] = torch.randn(styles, outputs, generator=random)
    return state


# --- files ------------------------------------------------------------------------------------------------------------


def onnx_bytes(state: dict[str, Tensor]) -> bytes:
    """An ONNX file of nothing but the tensors of a graph, by the format's description."""

    def number(value: int) -> bytes:
        out = b""
        while value > 127:
            out += bytes([value & 127 | 128])
            value >>= 7
        return out + bytes([value])

    def part(field: int, content: bytes) -> bytes:
        return number(field << 3 | 2) + number(len(content)) + content

    graph = b""
    for name, tensor in state.items():
        sides = b"".join(b"\x08" + number(side) for side in tensor.shape)
        graph += part(5, sides + b"\x10\x01" + part(8, name.encode()) + part(9, tensor.numpy().astype("<f4").tobytes()))
    return b"\x08\x08" + part(7, graph)


def slim_layers(scale: int, width: int = 8, blocks: int = 2) -> list[tuple[str, int, int, int]]:
    """(name, kernel, inputs, outputs) of each convolution of a slim network."""
    layers = [("F_m1", 3, 3, width), ("F_0", 3, width, width)]
    for number in range(1, blocks + 1):
        layers += [(f"F_{number}_1", 3, width, 4), (f"LFF_{number}", 1, width + 4, width)]
    layers += [
        ("GFF_1", 1, blocks * width, width),
        ("GFF_2", 3, width, width),
        ("UPN1", 5, width, 64),
        ("UPN2", 3, 64, 32),
    ]
    return [*layers, ("UPN3", 3, 32, 3 * scale**2), ("SR", 3, 3 * scale**2, 3)]


def write_tfjs(folder: Path, scale: int) -> Path:
    """model.json and its file of numbers for a slim network of random weights."""
    random = np.random.default_rng(scale)
    weights: list[dict[str, Any]] = []
    numbers = b""
    for name, kernel, inputs, outputs in slim_layers(scale):
        for part, shape in (("kernel", [kernel, kernel, inputs, outputs]), ("bias", [outputs])):
            values = random.normal(0, 1.4 / kernel / inputs**0.5, shape)
            numbers += values.astype("<f4").tobytes()
            weights.append({"name": f"{name}/{part}", "shape": shape, "dtype": "float32"})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "group1-shard1of1.bin").write_bytes(numbers)
    manifest = [{"paths": ["group1-shard1of1.bin"], "weights": weights}]
    (folder / "model.json").write_text(json.dumps({"format": "layers-model", "weightsManifest": manifest}))
    return folder / "model.json"


def slim_network(model: Path, x: Tensor, scale: int) -> Tensor:
    """What TensorFlow.js computes of images (N, 3, H, W), values from 0 to 255, by the model.json of a slim network."""
    manifest = json.loads(model.read_text())["weightsManifest"][0]
    numbers = np.frombuffer((model.parent / manifest["paths"][0]).read_bytes(), "<f4")
    tensors, place = {}, 0
    for weight in manifest["weights"]:
        size = int(np.prod(weight["shape"]))
        tensors[weight["name"]] = torch.from_numpy(numbers[place : place + size].reshape(weight["shape"]).copy())
        place += size

    def layer(y: Tensor, name: str) -> Tensor:
        kernel = tensors[f"{name}/kernel"].permute(3, 2, 0, 1)
        return F.conv2d(y, kernel, tensors[f"{name}/bias"], padding=kernel.shape[2] // 2)

    first = layer(x, "F_m1")
    y = layer(first, "F_0")
    results = []
    while f"F_{len(results) + 1}_1/kernel" in tensors:
        number = len(results) + 1
        y = layer(torch.cat([y, F.relu(layer(y, f"F_{number}_1"))], 1), f"LFF_{number}") + y
        results.append(y)
    y = layer(layer(torch.cat(results, 1), "GFF_1"), "GFF_2") + first
    y = layer(F.relu(layer(F.relu(layer(y, "UPN1")), "UPN2")), "UPN3")
    return layer(F.interpolate(y, scale_factor=scale, mode="nearest"), "SR")
