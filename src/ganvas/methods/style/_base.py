"""What style transfer methods share: Adam, the total variation, and an optional discriminator of patches of the paintings."""

from __future__ import annotations

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from ganvas.abilities import Demonstrates, Stylises
from ganvas.data.spec import DataSpec
from ganvas.losses.adversarial import discriminator_cross_entropy, non_saturating_generator
from ganvas.losses.style import total_variation
from ganvas.method import Method, setting, step_factor
from ganvas.networks.style_transfer import StrokeDiscriminator


class StyleTransfer(Method, Stylises, Demonstrates):
    """A network `G` that stylises photos in one pass."""

    batch_size: int = setting(4, "images per step, over all processes together", minimum=1)
    tv: float = setting(0.3, "weight of the total variation; larger values give smoother images", minimum=0)
    adversarial: float = setting(
        0.0, "weight of the adversarial loss on patches of the paintings; 0: no discriminator", minimum=0
    )
    disc_width: int = setting(
        32, "adversarial: channels of the discriminator's first layer", minimum=1, when="adversarial"
    )
    lr: float = setting(1e-3, "learning rate of Adam", minimum=0)
    decay: str = setting(
        "linear", "decay of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    ema: float = setting(0.99, "decay of the generator's average per step", minimum=0, maximum=0.999999)

    averaged = ("G",)

    def build_discriminator(self, spec: DataSpec) -> None:
        """For `build`, after G: builds D where the adversarial loss has a weight."""
        if self.adversarial:
            self.D: nn.Module = StrokeDiscriminator(spec.channels, self.disc_width)
        self.channels, self.size = spec.channels, (spec.height, spec.width)

    def optimizers(self) -> dict[str, Optimizer]:
        optimizers: dict[str, Optimizer] = {"G": Adam(self.get_submodule("G").parameters(), lr=self.lr, fused=True)}
        if self.adversarial:
            optimizers["D"] = Adam(self.D.parameters(), lr=self.lr, betas=(0.5, 0.999), fused=True)
        return optimizers

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress)

    def with_regularisers(self, loss: Tensor, content: Tensor, style: Tensor, stylised: Tensor) -> dict[str, Tensor]:
        """G's report: `loss`, the weighted content and style losses, plus the total variation and the adversarial loss."""
        variation = total_variation(stylised).mean()
        loss = loss + self.tv * variation
        report = {"content": content.detach(), "style": style.detach(), "variation": variation.detach()}
        if self.adversarial:
            adversarial = non_saturating_generator(self.D(stylised)).mean()
            loss = loss + self.adversarial * adversarial
            report["adversarial"] = adversarial.detach()
        return {"loss": loss, **report}

    def discriminator_report(self, paintings: Tensor, stylised: Tensor) -> dict[str, Tensor]:
        """D's report: paintings against stylised photos (Goodfellow 2014, eq. 1)."""
        real, fake = self.D(paintings), self.D(stylised)
        return {"loss": discriminator_cross_entropy(real, fake).mean(), "real": real.mean(), "fake": fake.mean()}
