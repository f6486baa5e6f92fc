"""The patch discriminator: a logit for each patch of an image, not one for the image (Isola 2017, sec. 3.2.2 and 6.1.2).

It scores the texture of patches; the L1 or cycle loss takes care of the image as a whole. Fully convolutional: any height and
width.
"""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.networks.layers import LEAKY_SLOPE, dcgan_weights, init_fan_in_, norm2d

MAX_WIDTH_FACTOR = 8  # times the first width
MIN_LAYER_SIDE = 3  # pixels a side that the two last layers, of stride 1, need


def fitting_layers(layers: int, height: int, width: int) -> int:
    """At most `layers` downsamplings, as many as images of this size allow."""
    while layers and min(height, width) >> layers < MIN_LAYER_SIDE:
        layers -= 1
    return layers


class PatchDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, 1, h, w). `layers` downsamplings, then two convolutions of stride 1, all 4 x 4.

    A logit sees a patch of 16, 34, 70, 142 pixels a side for 1, 2, 3, 4 downsamplings.
    Without downsamplings it sees one pixel: 1 x 1 convolutions, and no norm, which would mix pixels. `norm` as in
    layers.norm2d; the first layer has none.
    """

    def __init__(self, channels: int, width: int, layers: int = 3, norm: str = "batch") -> None:
        super().__init__()
        if layers:
            kernel, padding = 4, 1
            widths = [min(MAX_WIDTH_FACTOR, 2**i) * width for i in range(layers + 1)]
            strides = [2] * layers + [1]
            norms = ["none"] + [norm] * layers
        else:
            kernel, padding = 1, 0
            widths = [width, 2 * width]
            strides = [1, 1]
            norms = ["none", "none"]
        parts: list[nn.Module] = []
        before = channels
        for wide, stride, kind in zip(widths, strides, norms, strict=True):
            conv = nn.Conv2d(before, wide, kernel, stride, padding)
            parts += [normed(conv, kind, wide), nn.LeakyReLU(LEAKY_SLOPE)]
            before = wide
        self.layers = nn.Sequential(*parts, nn.Conv2d(before, 1, kernel, 1, padding))
        initial_weights(self, norm)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def normed(layer: nn.Module, norm: str, channels: int) -> nn.Module:
    """The layer and a norm of its `channels`. A bias before a norm has no effect: Adam would follow rounding errors."""
    if norm == "none":
        return layer
    for part in layer.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d):
            part.bias = None
    return nn.Sequential(layer, norm2d(norm, channels))


def initial_weights(network: nn.Module, norm: str) -> None:
    """N(0, 0.02) where a normalisation follows (Isola 2017, sec. 6.2); else such that the variance is kept."""
    if norm != "none":
        network.apply(dcgan_weights)
        return
    gain = (2 / (1 + LEAKY_SLOPE**2)) ** 0.5
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            init_fan_in_(module, gain)
        elif isinstance(module, nn.ConvTranspose2d):
            # Each pixel of the upsampled image uses a quarter of the 4 x 4 kernel.
            nn.init.normal_(module.weight, 0.0, gain / (4 * module.in_channels) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
