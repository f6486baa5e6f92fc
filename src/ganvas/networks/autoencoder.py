"""The discriminator of VAE-GAN: DCGAN's, with access to its features."""

from __future__ import annotations

from torch import Tensor

from ganvas.networks.dcgan import DCGANDiscriminator, Shape


class FeatureDiscriminator(DCGANDiscriminator):
    """DCGAN's discriminator, which also gives its features after `level` downsamplings, or after its last one if it has fewer."""

    def __init__(self, shape: Shape, width: int = 64, norm: str = "batch", level: int = 2) -> None:
        super().__init__(shape, width, norm)
        parts_a_level = 3  # convolution, normalisation, activation
        self.cut = min(parts_a_level * level, len(self.blocks))

    def features(self, x: Tensor) -> Tensor:
        """Features (N, C', H', W') of images (N, C, H, W)."""
        return self.blocks[: self.cut](x)

    def features_and_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`features` and the logits (N, 1) in one pass."""
        features = self.features(x)
        return features, self.head(self.blocks[self.cut :](features)).flatten(1)
