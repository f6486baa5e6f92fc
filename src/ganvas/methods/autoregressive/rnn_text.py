"""A recurrent network that predicts text (Graves 2013, Generating Sequences With Recurrent Neural Networks, arXiv:1308.0850).

Idea: p(text) is the product of p(x_t | all earlier tokens) (eq. 5), and the state of an LSTM summarises all earlier tokens.
Trained to predict the next token, it generates text by sampling one token after another, each of which is its next input. Its
likelihood is exact.

Truncated backpropagation through time: a step sees `window` tokens of each row, and the next step starts from the final state,
without its gradient, since the rows of the next batch continue where these ended. The state is zero where the feed starts over.
Tokens are characters or byte pairs (data.tokens); figures are in bits per character, so that both can be compared.

Dropout is applied between layers and not between time steps (Zaremba 2014, arXiv:1409.2329, eq. 4); tied weights embed and score
tokens by one matrix (Press and Wolf 2017, arXiv:1608.05859); gradients are clipped to a norm of `clip` (Pascanu 2013,
arXiv:1211.5063, algorithm 1).

A latent holds one uniform number per token: the token is the one whose interval of the cumulative distribution contains the
number. So a text is a function of its latent alone, at a given temperature.

Departs from the paper: no peephole connections and no skip connections, gradients clipped by their total norm, Adam with one
decay of the learning rate instead of RMSProp, an average of the weights for sampling, dropout of the same features in all steps
of a window (Gal and Ghahramani 2016, arXiv:1512.05287).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import Likelihood
from ganvas.losses.truncation import drawn, probabilities
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods._base import TokenByToken
from ganvas.methods.autoregressive._base import ExactLikelihood
from ganvas.networks.recurrent import RecurrentText
from ganvas.registry import preset

LIKELIHOOD_NOTE = "each window predicted from its first token on, with nothing known before it"


class RecurrentTextModel(TokenByToken, ExactLikelihood):
    name = "rnn_text"
    title = "recurrent language model with an exact likelihood"
    paper = "Graves 2013, Generating Sequences With Recurrent Neural Networks, arXiv:1308.0850"
    takes = ("text",)

    batch_size: int = setting(64, "rows of text per step, over all processes together", minimum=1)
    window: int = setting(32, "tokens of each row per step, the length of backpropagation through time", minimum=1)
    cell: str = setting("lstm", "type of the recurrent layers", choices=("lstm", "gru"))
    widths: tuple[int, ...] = setting((320,), "features of each layer, the first nearest to the tokens", minimum=1)
    embedding: int = setting(128, "features of a token; 0: as the last layer", minimum=0)
    tied: bool = setting(True, "share the weights of the embedding and the output layer")
    dropout: float = setting(0.2, "dropout rate between layers", minimum=0, maximum=0.9)
    clip: float = setting(
        1.0, "maximum norm of the gradient, larger ones are scaled down to it; 0: no clipping", minimum=0
    )
    lr: float = setting(6e-3, "learning rate of Adam at the start", minimum=0)
    beta2: float = setting(0.99, "Adam's second decay", minimum=0, maximum=0.99999)
    warmup: int = setting(50, "steps over which the learning rate rises to its full value", minimum=0)
    ema: float = setting(0.99, "decay of the weights' average per step", minimum=0, maximum=0.999999)
    length: int = setting(500, "sampling: tokens of a text", minimum=1)
    top_k: int = setting(0, "sampling: keep only the top_k most probable tokens; 0: all", minimum=0)
    top_p: float = setting(
        1.0, "sampling: keep the fewest tokens with a total probability of at least top_p; 1: all", minimum=0, maximum=1
    )

    carried = ("state",)
    of_sampling = ("length", "temperature", "top_k", "top_p")

    def build(self, spec: DataSpec) -> None:
        widths = self.widths
        self.network = RecurrentText(len(spec.text.tokens), widths, self.embedding or widths[-1], self.cell, self.tied)
        self.state: Tensor  # (batch_size, S): where each row of the global batch stands
        self.register_buffer("state", torch.zeros(self.batch_size, self.network.state_size))
        self.learn_tokens(spec)

    def updates(self) -> list[Update]:
        return [
            Update("likelihood", trains="network", loss=self.likelihood_loss, after=self.carry_state, clip=self.clip)
        ]

    # --- likelihood -----------------------------------------------------------------------------------------------------

    def likelihood_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log p in nats per token (eq. 6)."""
        tokens = batch.real.T
        logits, _ = batch.memo("predicted", lambda: self.predicted(batch))
        nats = _nats(logits, tokens[1:])
        loss = nats.mean()
        bits = nats.detach().sum() / self.lengths[tokens[1:]].sum() / math.log(2)
        return {"loss": loss, "bits_per_character": bits}

    def predicted(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Logits (window, N, V) of every token but the first, and the state (N, S) after the last."""
        before = self.state[self.rows(batch)]
        if batch.begins:
            before = torch.zeros_like(before)
        return self.network(batch.real.T[:-1], before, self.dropout_masks(batch))

    def rows(self, batch: Batch) -> slice:
        """This process's rows of `state`."""
        return slice(batch.rank * len(batch), (batch.rank + 1) * len(batch))

    def carry_state(self, report: dict[str, Tensor], batch: Batch) -> None:
        """The next batch continues where this one ended."""
        _, after = batch.memo("predicted", lambda: self.predicted(batch))
        self.state[self.rows(batch)] = after.detach()

    def dropout_masks(self, batch: Batch) -> list[Tensor] | None:
        """Factors (1, N, features) of the embedding and of each layer, 0 or 1 / (1 - dropout); None without dropout."""
        if not self.dropout:
            return None
        masks = []
        for features in (self.network.embedding.embedding_dim, *self.network.widths):
            masks.append((batch.uniform(features)[None] >= self.dropout) / (1 - self.dropout))
        return masks

    def compute_likelihood(
        self, examples: Tensor, labels: Tensor | None, samples: int, generator: torch.Generator | None
    ) -> Likelihood:
        """Exact, of tokens (n, L) from the second on, each given those before it in its row."""
        tokens = examples.T
        logits, _ = self.network(tokens[:-1])
        nats = _nats(logits, tokens[1:]).sum(0)
        terms = self.lengths[tokens[1:]].sum(0)
        return Likelihood(nats, unit="bits_per_character", terms=terms, note=LIKELIHOOD_NOTE)

    # --- sampling -------------------------------------------------------------------------------------------------------

    def continue_text(self, start: Tensor, latents: Tensor) -> Tensor:
        """Tokens (n, L) int64 that follow `start` (S,) int64, from latents (n, L)."""

        def choose(logits: Tensor, uniform: Tensor) -> Tensor:
            return drawn(probabilities(logits, self.temperature, self.top_k, self.top_p), uniform)

        return self.network.continued(start, latents, choose)


def _nats(logits: Tensor, tokens: Tensor) -> Tensor:
    """-log p (T, N) float32 in nats of tokens (T, N), given logits (T, N, V)."""
    return F.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten(), reduction="none").view(tokens.shape)


@preset("rnn_text")
def tiny() -> RecurrentTextModel:
    """Seconds on a CPU; for tests and first looks."""
    return RecurrentTextModel(batch_size=16, window=8, widths=(16,), embedding=8, dropout=0.0, warmup=0, length=20)


@preset("rnn_text")
def small() -> RecurrentTextModel:
    """A book of a megabyte on a CPU core or two, in minutes. Figures: docs/experiments/rnn_text.md."""
    return RecurrentTextModel()


@preset("rnn_text")
def large() -> RecurrentTextModel:
    """For hours, or a GPU, and several megabytes: two layers of 1,024 with dropout."""
    return RecurrentTextModel(
        batch_size=64, window=128, widths=(1024, 1024), embedding=256, dropout=0.3, lr=1e-3, warmup=200, ema=0.999
    )
