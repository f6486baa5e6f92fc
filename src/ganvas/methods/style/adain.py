"""AdaIN: arbitrary styles by matching the moments of features (Huang and Belongie 2017, arXiv:1703.06868).

Idea: much of a style is the mean and the standard deviation of each channel of a trained network's features. So encode the photo,
give each channel the mean and deviation of the painting's (eq. 8), and train a decoder to turn such features into images: its
image, encoded again, should have the target features (eq. 12), and the painting's moments in the layers before (eq. 13). The
painting can be any, also an unseen one, and its strength can be chosen afterwards (eq. 14).

Departs from the paper: the encoder is a setting, by default MobileNetV2's first four blocks; losses relative to an image
without features; the total variation keeps the images smooth. With `adversarial` above 0 there is a discriminator of
patches of the paintings.

The encoder is pretrained and frozen, but stylising needs it; so it is saved with the weights, once (0.1 MB for MobileNetV2, 12
MB for VGG to relu4_1), and a run needs no other file.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ganvas.data.styles import StyleBank, read_styles
from ganvas.errors import UsageError
from ganvas.losses.style import (
    adain,
    content_loss,
    content_scale,
    moment_loss,
    moment_scale,
    moments,
    relative,
)
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.style._base import StyleTransfer
from ganvas.networks.features.catalog import find_entry
from ganvas.networks.features.extractor import build_network, open_network
from ganvas.networks.resample import cut, fitted, grown_to
from ganvas.networks.style_transfer import Decoder
from ganvas.registry import preset

OTHER_STYLES = "others"
STYLE_SIDE = 256  # pixels, the shorter side of a style image


class AdaIN(StyleTransfer):
    name = "adain"
    title = "AdaIN: arbitrary style transfer by feature statistics"
    paper = "Huang and Belongie 2017, Arbitrary Style Transfer with Adaptive Instance Normalization, arXiv:1703.06868"

    batch_size: int = setting(8, "images per step, over all processes together", minimum=1)
    style: str = setting(
        OTHER_STYLES,
        "where styles to train on come from: an image, a folder of images, mosaic (built-in patterns), or"
        " others: each image's partner, or without partners another image of the batch",
    )
    style_size: int | None = setting(
        None, "shorter side of the style images that `style` names; auto: 256", minimum=16, unit="pixels"
    )
    network: str = setting("mobilenet_v2", "the encoder: mobilenet_v2, efficientnet_lite0, vgg16, vgg19 or digits")
    style_weight: float = setting(10.0, "lambda of eq. 11, weight of the style loss", minimum=0)
    widths: tuple[int, ...] = setting((64, 32), "channels of the decoder from the smallest size up", minimum=1)
    ema: float = setting(0.99, "decay of the decoder's average per step", minimum=0, maximum=0.999999)

    frozen = ("E",)

    def build(self, spec: DataSpec) -> None:
        entry = find_entry(self.network)
        self.E = build_network(self.network)  # its weights come with `start_training` or from the run
        self.layers: list[str] = self.E.up_to(entry.adain_layer, entry.style_layers)
        self.E.cut(self.layers)
        stride, _ = self.E.field(self.layers)
        self.stride, self.encoder = stride, entry.adain_layer
        widths = fitted(self.widths, stride.bit_length() - 1)
        self.G = Decoder(self.E.channels(entry.adain_layer, spec.channels), spec.channels, widths)
        self.build_discriminator(spec)

    def load_frozen(self, device: torch.device) -> None:
        """Reads the styles."""
        if self.style == OTHER_STYLES and self.style_size is not None:
            raise UsageError(
                f"style_size is for the images that style names, and with style={OTHER_STYLES} those of the data serve, as they"
                " are: omit style_size, or name an image or a folder by style"
            )
        self.style_bank: StyleBank | None = None
        if self.style != OTHER_STYLES:
            side = max(self.style_size or STYLE_SIDE, *self.size)
            self.style_bank = StyleBank(read_styles(self.style, self.channels, side), device)

    def start_training(self, resumed: bool) -> None:
        """Reads the encoder's weights where no checkpoint has them."""
        if not resumed:
            self.E.load_state_dict(open_network(self.network, wanted=self.layers).state_dict())

    def updates(self) -> list[Update]:
        decoder = Update("decoder", trains="G", loss=self.decoder_loss)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss)
        return [decoder, discriminator] if self.adversarial else [decoder]

    def decoder_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 11: L_c (eq. 12) and lambda L_s (eq. 13), each layer relative; and the total variation."""
        wanted, target = batch.memo("targets", lambda: self.targets(batch))
        stylised = batch.memo("stylised", lambda: self.G(target).float())
        taps = self.E(stylised, self.layers)
        content = relative(content_loss(taps[self.encoder], target), content_scale(target)).mean()
        style = torch.stack([loss.mean() for loss in self.style_terms(taps, wanted)]).mean()
        return self.with_regularisers(content + self.style_weight * style, content, style, stylised)

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Paintings against stylised photos (Goodfellow 2014, eq. 1)."""
        paintings = batch.memo("paintings", lambda: self.styles_of(batch))
        _, target = batch.memo("targets", lambda: self.targets(batch))
        stylised = batch.memo("stylised", lambda: self.G(target).float()).detach()
        return self.discriminator_report(paintings, stylised)

    @torch.no_grad()
    def targets(self, batch: Batch) -> tuple[dict[str, tuple[Tensor, Tensor]], Tensor]:
        """The moments of each layer's features of the paintings, and the target features of the decoder's images (eq. 8)."""
        paintings = batch.memo("paintings", lambda: self.styles_of(batch))
        wanted = self.moments_of(paintings)
        return wanted, self.with_moments(self.taps(batch.real)[self.encoder], wanted[self.encoder])

    def style_terms(self, taps: dict[str, Tensor], wanted: dict[str, tuple[Tensor, Tensor]]) -> list[Tensor]:
        """Eq. 13, relative, (N,) of each layer, of features `taps` against the moments `wanted`."""
        terms = []
        for name in self.layers:
            terms.append(relative(moment_loss(taps[name], wanted[name]), moment_scale(wanted[name])))
        return terms

    # --- parts of it ----------------------------------------------------------------------------------------------------------

    def styles_of(self, batch: Batch) -> Tensor:
        """A style for each content, (N, C, H, W)."""
        if self.style_bank is not None:
            return self.style_bank.crops(batch, self.size)
        return self.partners_or_others(batch)

    def partners_or_others(self, batch: Batch) -> Tensor:
        """Each image's partner, or without partners the image before it in the batch, (N, C, H, W)."""
        if batch.partner is None:
            return batch.real.roll(1, 0)
        return batch.partner

    def taps(self, x: Tensor) -> dict[str, Tensor]:
        """Features (N, F, h, w) by layer, of images of any size, padded to a multiple of the encoder's stride."""
        return self.E(grown_to(x, self.stride), self.layers)

    def moments_of(self, x: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """Mean and deviation, (N, F) each, of each layer's features of images x."""
        return {name: moments(features) for name, features in self.taps(x).items()}

    def with_moments(self, features: Tensor, wanted: tuple[Tensor, Tensor]) -> Tensor:
        """Eq. 8: `features` (N, F, h, w) with the moments `wanted`."""
        mean, deviation = moments(features)
        factor = wanted[1] / deviation
        return torch.addcmul((wanted[0] - mean * factor)[..., None, None], features.float(), factor[..., None, None])

    # --- abilities ------------------------------------------------------------------------------------------------------------

    def multiple(self) -> int:
        """The encoder's stride."""
        return self.stride

    def stylise(self, content: Tensor, style: Tensor | None = None, *, strength: float = 1.0) -> Tensor:
        """(n, C, H, W) in [-1, 1] (eq. 14): strength 0 decodes the content's own features."""
        if style is None:
            raise UsageError("adain generates in the style of any image: name one by --style")
        features = self.taps(content)[self.encoder].float()
        target = adain(features, self.taps(style)[self.encoder])
        return self.decoded(features, target, strength, content)

    def stylise_mixed(
        self, content: Tensor, styles: Sequence[Tensor], shares: Sequence[float], *, strength: float = 1.0
    ) -> Tensor:
        """(n, C, H, W) in [-1, 1] (eq. 15): the target features are the mean of those of each style, weighted by `shares`."""
        features = self.taps(content)[self.encoder].float()
        target = torch.zeros_like(features)
        for style, share in zip(styles, shares, strict=True):
            target = target + share * adain(features, self.taps(style)[self.encoder])
        return self.decoded(features, target, strength, content)

    def decoded(self, features: Tensor, target: Tensor, strength: float, content: Tensor) -> Tensor:
        """The image (n, C, H, W) of features between those of the content and the target (eq. 14), of the size of `content`."""
        stylised = self.G(torch.lerp(features, target, strength)).float().clamp(-1, 1)
        return cut(stylised, (content.shape[2], content.shape[3]))

    def style_losses(self, stylised: Tensor, content: Tensor, style: Tensor | None) -> dict[str, Tensor]:
        """The training's style loss, and as content loss the distance to the photo's own features at the encoder's last layer."""
        assert style is not None
        taps, wanted = self.taps(stylised), self.moments_of(style)
        photo = self.taps(content)[self.encoder]
        content_term = relative(content_loss(taps[self.encoder], photo), content_scale(photo))
        style_term = torch.stack(self.style_terms(taps, wanted)).mean(0)
        return {"loss": content_term + self.style_weight * style_term, "content": content_term, "style": style_term}

    def rows(self, batch: Batch) -> Tensor:
        """Photo, style and stylised photo, (n, 3, C, H, W); the styles are partners or other photos."""
        styles = self.partners_or_others(batch)
        return torch.stack([batch.real, styles, self.stylise(batch.real, styles)], 1)


@preset("adain")
def tiny() -> AdaIN:
    """Seconds on a CPU, with the digit network of this package as the encoder; for tests and first looks."""
    return AdaIN(batch_size=16, network="digits", widths=(8, 4))


@preset("adain")
def small() -> AdaIN:
    """Photos cut to 128 x 128, on two CPU cores: minutes. Figures: docs/methods/adain.md."""
    return AdaIN(lr=2e-3, batch_size=4)


@preset("adain")
def paper() -> AdaIN:
    """The paper's: VGG-19 to relu4_1 (its weights are 575 MB), a decoder of its size, photos of 256 x 256; hours on a GPU."""
    return AdaIN(network="vgg19", widths=(256, 128, 64), lr=1e-4, decay="none", ema=0.0, tv=0.0)
