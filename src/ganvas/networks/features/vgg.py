"""VGG-16 and VGG-19 (Simonyan 2014, arXiv:1409.1556) as chains of frozen layers."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ganvas.networks.features.chain import Layer, Pool, folded
from ganvas.networks.features.weights import State, under

VGG_WIDTHS = (64, 128, 256, 512, 512)
VGG16_DEPTHS = (2, 2, 3, 3, 3)
VGG19_DEPTHS = (2, 2, 4, 4, 4)


def trunk(depths: tuple[int, ...], pool: str = "max") -> Iterator[tuple[str, nn.Module]]:
    """The layers before the classifier: `depths` convolutions at each size."""
    channels = 3
    for block, (depth, width) in enumerate(zip(depths, VGG_WIDTHS, strict=True), 1):
        for number in range(1, depth + 1):
            yield f"relu{block}_{number}", Layer(nn.Conv2d(channels, width, 3, padding=1))
            channels = width
        yield f"pool{block}", Pool(pool)


def chain(depths: tuple[int, ...], state: State | None, pool: str) -> Iterator[tuple[str, nn.Module]]:
    """Layers by name. Keys of the state as in torchvision's vgg16 and vgg19: features.{i}."""
    index = 0
    for name, layer in trunk(depths, pool):
        entries = 1  # of the state: a pool, or a convolution and ReLU
        if isinstance(layer, Layer):
            entries = 2
            if state is not None:
                layer.conv.load_state_dict(under(f"features.{index}.", state))
        index += entries
        yield name, layer


def chain_with_norm(state: State | None, pool: str) -> Iterator[tuple[str, nn.Module]]:
    """VGG-16 with batch norm, to relu5_2. Keys of the state as in CRAFT's, where the indices of torchvision's vgg16_bn are in
    slices: module.basenet.slice{1..4}.{i}."""
    plain: State = {}
    for key, value in (state or {}).items():
        plain[_unsliced(key)] = value
    index = 0
    for name, layer in trunk(VGG16_DEPTHS, pool):
        if name == "relu5_3":
            return
        entries = 1  # of the state: a pool, or a convolution, batch norm and ReLU
        if isinstance(layer, Layer):
            entries = 3
            if state is not None:
                norm = nn.BatchNorm2d(layer.conv.out_channels)
                layer.conv.load_state_dict(under(f"features.{index}.", plain))
                norm.load_state_dict(under(f"features.{index + 1}.", plain))
                layer.conv = folded(layer.conv, norm)
        index += entries
        yield name, layer


def _unsliced(key: str) -> str:
    """module.basenet.slice2.14.weight as features.14.weight; slice5 and the rest are no part of VGG."""
    parts = key.split(".")
    if parts[:2] == ["module", "basenet"] and parts[2] in ("slice1", "slice2", "slice3", "slice4"):
        return ".".join(["features", *parts[3:]])
    return key
