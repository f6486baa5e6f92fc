"""What autoregressive methods share: the decay of the learning rate, the average of the weights, and Adam on one network.

A latent of these methods holds one uniform number per value to sample, so that an example is a function of its latent alone.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from torch import Tensor
from torch.optim import Adam, Optimizer

from ganvas.abilities import HasLikelihood, Samples
from ganvas.data.batch import Batch
from ganvas.method import setting, step_factor
from ganvas.methods._base import ClassConditional


class Autoregressive(ClassConditional, Samples):
    """A method that samples one value after the other."""

    batch_size: int = setting(32, "images per step, over all processes together", minimum=1)
    lr: float = setting(1e-3, "learning rate of Adam at the start", minimum=0)
    decay: str = setting(
        "cosine", "decay of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    warmup: int = setting(100, "steps over which the learning rate rises to its full value", minimum=0)
    ema: float = setting(0.999, "decay of the weights' average per step", minimum=0, maximum=0.999999)

    value_by_value: ClassVar[bool] = True

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps, self.warmup)


class ExactLikelihood(Autoregressive, HasLikelihood):
    """One network, `network`, whose likelihood is exact: log p(x) is the sum over all values of log p(x_i | earlier)."""

    beta1: float = setting(0.9, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.999, "Adam's second decay", minimum=0, maximum=0.99999)
    temperature: float = setting(1.0, "sampling: below 1 prefers probable values, 0 takes the most probable", minimum=0)

    averaged = ("network",)
    of_sampling = ("temperature",)

    def optimizers(self) -> dict[str, Optimizer]:
        network = self.get_submodule("network")
        return {"network": Adam(network.parameters(), lr=self.lr, betas=(self.beta1, self.beta2), fused=True)}

    @abstractmethod
    def likelihood_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Holds "loss", -log p in nats per value."""
