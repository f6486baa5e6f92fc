"""What GANs of text have in common: a recurrent generator G that learns by maximum likelihood first, then with a discriminator D.

Three phases as shares of the budget: G by maximum likelihood, D alone on G's texts, then both in turn. A text is `window` tokens
from the start of a line on; rows hold the token before it too. G's likelihood stays exact all along.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from ganvas.abilities import HasDiscriminator, HasLikelihood, Likelihood
from ganvas.losses.truncation import drawn, probabilities
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods._base import TokenByToken
from ganvas.networks.recurrent import RecurrentText

LIKELIHOOD_NOTE = "each text predicted from the start of its line on"


class AdversarialText(TokenByToken, HasDiscriminator, HasLikelihood):
    """Base of the GANs of text: subclasses build `self.D`, and define `later_lr`, `updates` and the adversarial losses."""

    takes = ("text",)
    from_lines = True

    batch_size: int = setting(64, "texts per step, over all processes together", minimum=1)
    window: int = setting(20, "tokens of a text, from the start of its line on", minimum=2)
    width: int = setting(128, "features of G's LSTM", minimum=1)
    embedding: int = setting(64, "features of a token, in G and in D", minimum=1)
    dropout: float = setting(0.25, "dropout rate before D's last layer", minimum=0, maximum=0.9)
    pretrain: float = setting(
        0.6, "share of the budget in which G learns by maximum likelihood alone", minimum=0, maximum=1
    )
    pretrain_d: float = setting(0.1, "share of the budget after that in which D alone learns", minimum=0, maximum=1)
    lr: float = setting(1e-2, "learning rate of Adam at the start, G", minimum=0)
    lr_d: float = setting(1e-3, "learning rate of Adam, D", minimum=0)
    clip: float = setting(
        5.0, "maximum norm of G's gradient, larger ones are scaled down to it; 0: no clipping", minimum=0
    )
    ema: float = setting(0.99, "decay of the weights' average per step", minimum=0, maximum=0.999999)
    length: int = setting(20, "sampling: tokens of a text", minimum=1)
    temperature: float = setting(1.0, "sampling: below 1 prefers probable tokens, 0 takes the most probable", minimum=0)

    averaged = ("G",)
    of_sampling = ("length", "temperature")

    def build(self, spec: DataSpec) -> None:
        """G; subclasses call this before they build D."""
        self.learn_tokens(spec)
        self.G = RecurrentText(len(spec.text.tokens), (self.width,), self.embedding, "lstm", tied=False)

    @abstractmethod
    def later_lr(self) -> float:
        """G's learning rate at the end of maximum likelihood and after it."""

    def optimizers(self) -> dict[str, Optimizer]:
        # D learns where the schedule's factor is later_lr / lr.
        lr_d = self.lr_d * self.lr / max(self.later_lr(), 1e-12)
        return {
            "G": Adam(self.G.parameters(), lr=self.lr, fused=True),
            "D": Adam(self.D.parameters(), lr=lr_d, fused=True),
        }

    def schedule(self, progress: float, steps: int) -> float:
        """Falls along a cosine from 1 to later_lr / lr over the first phase, and stays there."""
        final = self.later_lr() / max(self.lr, 1e-12)
        if progress >= self.pretrain:
            return final
        return final + (1 - final) * step_factor("cosine", progress / self.pretrain)

    @property
    def adversarial_start(self) -> float:
        """Share of the budget at which G begins to learn from D."""
        return min(1.0, self.pretrain + self.pretrain_d)

    # --- maximum likelihood ---------------------------------------------------------------------------------------------

    def likelihood_updates(self) -> list[Update]:
        """The first phase; none where it has no share."""
        if not self.pretrain:
            return []
        span = (0.0, self.pretrain)
        return [Update("likelihood", trains="G", loss=self.likelihood_loss, clip=self.clip, span=span)]

    def likelihood_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log p in nats per token."""
        nats = -self.log_probabilities(batch.real)
        bits = nats.detach().sum() / self.lengths[batch.real[:, 1:]].sum() / math.log(2)
        return {"loss": nats.mean(), "bits_per_character": bits}

    def log_probabilities(self, texts: Tensor) -> Tensor:
        """log p (N, window) of all tokens of texts (N, window + 1) but the first, each given those before it."""
        logits, _ = self.G(texts.T[:-1])
        nats = F.cross_entropy(logits.flatten(0, 1).float(), texts.T[1:].flatten(), reduction="none")
        return -nats.view(-1, len(texts)).T

    def compute_likelihood(
        self, examples: Tensor, labels: Tensor | None, samples: int, generator: torch.Generator | None
    ) -> Likelihood:
        """Exact, of tokens (n, L) from the second on, each given those before it in its row."""
        nats = -self.log_probabilities(examples).sum(1)
        terms = self.lengths[examples[:, 1:]].sum(1)
        return Likelihood(nats, unit="bits_per_character", terms=terms, note=LIKELIHOOD_NOTE)

    # --- discriminator --------------------------------------------------------------------------------------------------

    def scored(self, batch: Batch, texts: Tensor) -> Tensor:
        """D's logits (M, S), float32, of `texts` without the token before them: (M, T) int64, or shares of tokens (M, T, V).
        M = k * len(batch). While training with dropout."""
        mask = None
        if self.dropout and self.training:
            times = len(texts) // len(batch)
            features = self.D.get_parameter("out.weight").shape[1]
            kept = torch.cat([batch.uniform(features) for _ in range(times)]) >= self.dropout
            mask = kept / (1 - self.dropout)
        return self.D(texts, mask).float()

    # --- sampling -------------------------------------------------------------------------------------------------------

    def continue_text(self, start: Tensor, latents: Tensor) -> Tensor:
        """Tokens (n, L) int64 that follow `start` (S,) int64, from latents (n, L)."""

        def choose(logits: Tensor, uniform: Tensor) -> Tensor:
            return drawn(probabilities(logits, self.temperature), uniform)

        return self.G.continued(start, latents, choose)
