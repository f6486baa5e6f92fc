"""Fast style transfer: one painting, one network, one pass (Johnson 2016, arXiv:1603.08155).

Idea: Gatys optimises the pixels of one photo until it has the content of the photo and the style of the painting. Instead,
train a network to stylise any photo in one pass, with the same two losses (eq. 5) on its output. Each photo is its own content
target; the painting's Gram matrices are computed once.

Instance norm (Ulyanov 2016, arXiv:1607.08022) in place of batch norm, since it removes the contrast of each photo.

Departs from the paper: losses relative to an image without features (losses.style.relative); the network predicts a residual of
the photo; nearest-neighbour upsampling and convolution in place of transposed ones; the feature network is a setting,
MobileNetV2 by default, since it is 14 MB and fast. With `adversarial` above 0 there is a discriminator of patches of the
painting.

The feature network is not part of the run's weights, since a trained generator does not need it. Its SHA-256 and that of the
painting are in the buffer `origin`, so that a resumed training refuses another network or painting.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.data.styles import StyleBank, fingerprint, read_styles
from ganvas.errors import RunError, UsageError
from ganvas.losses.style import content_loss, content_scale, gram, relative, style_loss, style_scale
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.style._base import StyleTransfer
from ganvas.networks.features.catalog import find_entry
from ganvas.networks.features.extractor import FeatureExtractor
from ganvas.networks.style_transfer import StyleTransferNetwork, WholeStyleNetwork
from ganvas.registry import preset


class FastStyle(StyleTransfer):
    name = "fast_style"
    title = "fast style transfer: one style, one network, one pass"
    paper = "Johnson et al. 2016, Perceptual Losses for Real-Time Style Transfer and Super-Resolution, arXiv:1603.08155"

    style: str = setting("mosaic", "the painting: an image file; mosaic: a built-in pattern")
    style_size: int = setting(
        256,
        "shorter side that the painting is resized to; larger values give larger strokes",
        minimum=16,
        unit="pixels",
        fewer_is_fine=True,
    )
    network: str = setting(
        "mobilenet_v2",
        "feature extractor of the perceptual loss: mobilenet_v2, efficientnet_lite0, vgg16, vgg19 or digits",
    )
    alpha: float = setting(1.0, "weight of the content loss", minimum=0)
    beta: float = setting(30.0, "weight of the style loss", minimum=0)
    widths: tuple[int, ...] = setting(
        (32, 64, 128), "channels from full size down; each after the first halves the size", minimum=1
    )
    blocks: int = setting(5, "residual blocks at the smallest size", minimum=0)
    generator: str = setting(
        "residual",
        "residual: G predicts a change of the photo; whole: the image itself, with a norm in every layer (Dumoulin 2017)",
        choices=("residual", "whole"),
    )
    up_widths: tuple[int, ...] = setting(
        (64, 32),
        "whole: channels from the smallest size up, one for each size above it",
        minimum=1,
        when="generator=whole",
    )
    kernel: int = setting(9, "kernel of the first and last convolution", minimum=1, odd=True, unit="pixels")

    def build(self, spec: DataSpec) -> None:
        find_entry(self.network)
        if self.generator == "whole":
            if len(self.up_widths) != len(self.widths) - 1:
                raise UsageError(
                    f"up_widths needs {len(self.widths) - 1} values, one less than widths (got {len(self.up_widths)})"
                )
            self.G = WholeStyleNetwork(spec.channels, self.widths, self.blocks, self.up_widths, self.kernel)
        else:
            self.G = StyleTransferNetwork(spec.channels, self.widths, self.blocks, self.kernel)
        self.build_discriminator(spec)
        self.origin: Tensor
        self.register_buffer("origin", torch.zeros(32, dtype=torch.uint8))
        self.register_load_state_dict_post_hook(lambda *_: self.check_origin())
        self.expected: Tensor | None = None
        self.extractor: FeatureExtractor | None = None

    def load_frozen(self, device: torch.device) -> None:
        """Reads the painting and the feature network, and computes the painting's Gram matrices."""
        entry = find_entry(self.network)
        layers = [*entry.style_layers, *entry.content_layers]
        extractor = FeatureExtractor(self.network, layers, device=device)
        styles = read_styles(self.style, self.channels, max(self.style_size, *self.size))
        self.style_bank = StyleBank(styles, device)
        with torch.no_grad():
            taps = extractor(styles[0][None].to(device), entry.style_layers)
        self.grams = {name: gram(value) for name, value in taps.items()}
        self.extractor = extractor
        self.expected = fingerprint(styles, extractor.sha256, *layers)
        if self.origin.any():  # weights were loaded
            self.check_origin()

    def start_training(self, resumed: bool) -> None:
        """Sets `origin` to the hash of this training's painting and feature network."""
        if self.expected is not None:
            self.origin.copy_(self.expected)

    def check_origin(self) -> None:
        """After weights were loaded into a training: they must be of this painting and this feature network."""
        if self.expected is not None and not torch.equal(self.origin.cpu(), self.expected):
            raise RunError(
                f"this training began with another painting or another feature network than {self.style} and {self.network}"
                " as they are now: bring back the files of then, or start a new run"
            )

    def updates(self) -> list[Update]:
        generator = Update("generator", trains="G", loss=self.generator_loss)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss)
        return [generator, discriminator] if self.adversarial else [generator]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 5 with the total variation of sec. 3.2, and the discriminator's loss where it has a weight."""
        stylised = batch.memo("stylised", lambda: self.G(batch.real).float())
        parts = self.parts(stylised, batch.real)
        content, style = parts["content"].mean(), parts["style"].mean()
        return self.with_regularisers(self.alpha * content + self.beta * style, content, style, stylised)

    def parts(self, stylised: Tensor, photos: Tensor) -> dict[str, Tensor]:
        """Eqs. 2 and 4 of the paper, each layer relative, means over layers: "content" and "style", (N,)."""
        assert self.extractor is not None, "load_frozen has read it"
        entry = find_entry(self.network)
        with torch.no_grad():
            wanted = self.extractor(photos, entry.content_layers)
        taps = self.extractor(stylised)
        content = [relative(content_loss(taps[name], value), content_scale(value)) for name, value in wanted.items()]
        style = []
        for name in entry.style_layers:
            target = self.grams[name]
            style.append(relative(style_loss(gram(taps[name]), target), style_scale(target)))
        return {"content": torch.stack(content).mean(0), "style": torch.stack(style).mean(0)}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Patches of the painting against stylised photos (Goodfellow 2014, eq. 1)."""
        paintings = self.style_bank.crops(batch, self.size)
        stylised = batch.memo("stylised", lambda: self.G(batch.real).float()).detach()
        return self.discriminator_report(paintings, stylised)

    # --- abilities ------------------------------------------------------------------------------------------------------------

    def multiple(self) -> int:
        """Twice the stride of the generator: instance norm needs more than one position."""
        return 2 * self.G.multiple

    def stylise(self, content: Tensor, style: Tensor | None = None, *, strength: float = 1.0) -> Tensor:
        """(n, C, H, W) in [-1, 1]; strength 0 is the content itself."""
        if style is not None:
            raise UsageError("this fast_style knows one painting, that of its training: omit the style, or train adain")
        return torch.lerp(content, self.G(content).float().clamp(-1, 1), strength)

    def style_losses(self, stylised: Tensor, content: Tensor, style: Tensor | None) -> dict[str, Tensor]:
        """Eq. 5 without the total variation."""
        parts = self.parts(stylised, content)
        return {"loss": self.alpha * parts["content"] + self.beta * parts["style"], **parts}

    def rows(self, batch: Batch) -> Tensor:
        """Photo and stylised photo, (n, 2, C, H, W)."""
        return torch.stack([batch.real, self.stylise(batch.real)], 1)


@preset("fast_style")
def tiny() -> FastStyle:
    """Seconds on a CPU, with the digit network of this package; for tests and first looks."""
    return FastStyle(batch_size=16, network="digits", widths=(4, 8), up_widths=(4,), blocks=1, kernel=3, style_size=32)


@preset("fast_style")
def small() -> FastStyle:
    """Photos cut to 256 x 256: twenty minutes of a CPU core. G makes the whole image, which takes on the painting's colours
    and strokes much faster than a change of the photo does. Figures: docs/methods/fast_style.md."""
    return FastStyle(batch_size=2, widths=(12, 24, 48), blocks=4, kernel=5, lr=2e-3, generator="whole", beta=12.0)


@preset("fast_style")
def paper() -> FastStyle:
    """The paper's network and losses: VGG-16 (its weights are 553 MB), photos of 256 x 256; a GPU and an hour or two."""
    return FastStyle(network="vgg16", decay="none", ema=0.0)
