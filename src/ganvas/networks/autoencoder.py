"""What VAE-GAN adds to DCGAN's pair: a discriminator that shows its features."""

from __future__ import annotations

from torch import Tensor

from ganvas.networks.dcgan import DCGANDiscriminator, Shape


class FeatureDiscriminator(DCGANDiscriminator):
    """DCGAN's discriminator, whose features after `level` downsamplings can be asked for. Levels it has not become its last."""

    def __init__(self, shape: Shape, width: int = 64, norm: str = "batch", level: int = 2) -> None:
        super().__init__(shape, width, norm)
        parts_a_level = 3  # convolution, normalisation, activation
        self.cut = min(parts_a_level * level, len(self.blocks))

    def features(self, x: Tensor) -> Tensor:
        """(N, C', H', W')"""
        return self.blocks[: self.cut](x)

    def features_and_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`features` and the logits (N, 1) by one pass."""
        features = self.features(x)
        return features, self.head(self.blocks[self.cut :](features)).flatten(1)
