"""The patch discriminator: a logit for each patch of an image, not one for the image (Isola 2017, sec. 3.2.2 and 6.1.2).

It scores the texture of patches; the image as a whole is left to the L1 or cycle loss. Fully convolutional: any height and
width.
"""

from __future__ import annotations

from torch import Tensor, nn

from ganvas.networks.layers import dcgan_weights, init_fan_in_, norm2d

SLOPE = 0.2
MOST = 8  # times the first width
LEAST = 3  # pixels that the two layers of stride 1 at the end take


def receptive_field(layers: int) -> int:
    """Side of the patch that one logit sees: 1, 16, 34, 70, 142 for 0 to 4 downsamplings."""
    side = 1
    for stride in [1, 1, *[2] * layers] if layers else []:
        side = (side - 1) * stride + 4
    return side


def fitting_layers(layers: int, height: int, width: int) -> int:
    """At most `layers` downsamplings, as many as images of this size allow."""
    while layers and min(height, width) >> layers < LEAST:
        layers -= 1
    return layers


class PatchDiscriminator(nn.Module):
    """Images (N, C, H, W) to logits (N, 1, h, w). `layers` downsamplings, then two convolutions of stride 1, all 4 x 4.

    `layers` 0 classifies each pixel by itself, with 1 x 1 convolutions and without a norm, which would mix pixels. `norm` as in
    layers.norm2d; the first layer has none.
    """

    def __init__(self, channels: int, width: int, layers: int = 3, norm: str = "batch") -> None:
        super().__init__()
        widths = [min(MOST, 2**i) * width for i in range(layers + 1)] if layers else [width, 2 * width]
        kernel, padding = (4, 1) if layers else (1, 0)
        strides = [2] * layers + [1] if layers else [1, 1]
        parts: list[nn.Module] = []
        before = channels
        for number, (wide, stride) in enumerate(zip(widths, strides, strict=True)):
            kind = norm if number and layers else "none"
            parts += [normed(nn.Conv2d(before, wide, kernel, stride, padding), kind, wide), nn.LeakyReLU(SLOPE)]
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
    gain = (2 / (1 + SLOPE**2)) ** 0.5
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            init_fan_in_(module, gain)
        elif isinstance(module, nn.ConvTranspose2d):
            # Each pixel of the upsampled image uses a quarter of the 4 x 4 kernel.
            nn.init.normal_(module.weight, 0.0, gain / (4 * module.in_channels) ** 0.5)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
