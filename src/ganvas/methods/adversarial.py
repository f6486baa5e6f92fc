"""What every GAN here has: G and D, their Adam, one update each, and sampling. The papers differ in what they override.

Order of one step: G first, then D on the same fake pictures, detached (Update.hands). Seen from D that is the alternation of
the papers; it saves one forward of G. A method that trains D several times for each G puts D first and draws new noise.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ganvas.errors import UsageError
from ganvas.method import Batch, Method, Update, setting


class Networks(Method):
    """Names what `build` makes. No dataclass, or the two would be settings."""

    G: nn.Module
    D: nn.Module


@dataclass(eq=False)
class Pair(Networks):
    """Base of the GANs: subclasses build `self.G` and `self.D` and state two losses; optimisers are theirs or Adversarial's."""

    batch_size: int = setting(64, "pictures a step, over all processes together", minimum=1)
    z_dim: int = setting(100, "numbers in a latent", minimum=1)
    lr: float = setting(2e-4, "step size of both networks' optimiser", minimum=0)

    averaged = ("G",)

    def updates(self) -> list[Update]:
        return [
            Update("generator", trains="G", loss=self.generator_loss, hands=("fake",)),
            Update("discriminator", trains="D", loss=self.discriminator_loss),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Holds "loss", and "fake" (N, C, H, W) where D's update of the same step may use it."""
        raise NotImplementedError

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Holds "loss"; "real" and "fake" are the mean logits, for the log."""
        raise NotImplementedError

    def pair(self) -> list[tuple[str, nn.Module]]:
        """Both networks under the names that updates train them by."""
        return [("G", self.G), ("D", self.D)]

    # --- noise and sampling ---------------------------------------------------------------------------------------------

    def noise(self, batch: Batch) -> Tensor:
        """z (N, z_dim) for a training step."""
        return batch.normal(self.z_dim)

    def fakes(self, batch: Batch) -> Tensor:
        """Pictures for D's step: those of G's step where they were handed over, else new ones; never with a graph."""
        if "fake" in batch.handed:
            return batch.handed["fake"]
        with torch.no_grad():
            return self.G(self.noise(batch))

    def latents(self, seeds: Iterable[int]) -> Tensor:
        """One z a seed, (n, z_dim), on the CPU."""
        return torch.stack([self.latent(torch.Generator().manual_seed(seed)) for seed in seeds])

    def latent(self, generator: torch.Generator) -> Tensor:
        """One z (z_dim,) for sampling."""
        return torch.randn(self.z_dim, generator=generator)

    def generate(self, latents: Tensor) -> Tensor:
        return self.G(latents).clamp(-1, 1)


@dataclass(eq=False)
class Adversarial(Pair):
    """A GAN whose networks both have Adam."""

    beta1: float = setting(0.5, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.999, "Adam's second decay", minimum=0, maximum=0.99999)

    def optimizers(self) -> dict[str, Optimizer]:
        decays = (self.beta1, self.beta2)
        return {key: Adam(network.parameters(), lr=self.lr, betas=decays, fused=True) for key, network in self.pair()}


def both(D: nn.Module, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of real and fake pictures by one pass through D. Only for a D without batch statistics, which would mix them."""
    real_logits, fake_logits = D(torch.cat([real, fake])).float().chunk(2)
    return real_logits, fake_logits


def judged(loss: Tensor, real: Tensor, fake: Tensor, **more: Tensor) -> dict[str, Tensor]:
    """D's report: the loss, both mean logits, and the share it tells apart (real above the fake paired with it)."""
    apart = (real > fake).float().mean()
    return {"loss": loss, "real": real.detach().mean(), "fake": fake.detach().mean(), "accuracy": apart, **more}


def read_widths(name: str, text: str) -> list[int]:
    """[256, 512] of the setting `name` = "256-512"."""
    try:
        widths = [int(part) for part in text.split("-")]
    except ValueError:
        widths = []
    if not widths or min(widths) < 1:
        raise UsageError(f"{name} must be widths joined by -, such as 256-512 (got {text!r})")
    return widths
