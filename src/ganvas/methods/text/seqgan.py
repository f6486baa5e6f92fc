"""SeqGAN: a text GAN by policy gradient (Yu 2017, SeqGAN, arXiv:1609.05473).

Idea: tokens are discrete, so D's gradient cannot flow back into G. G is seen as a policy instead: its action is the next token,
and the reward of an action is how real D finds the text that follows. D scores whole texts only, so a text that is not finished
is completed `rollouts` times by G itself, and the mean score of the completions is the reward of its last token (eq. 4).

Three phases (algorithm 1), as shares of the budget: G by maximum likelihood (lines 1 to 3), D on G's texts (line 4), then both in
turn (lines 6 to 19): one step of G by policy gradient (eq. 8), `critic_steps` steps of D on new texts (eq. 5).

A text here is `window` tokens from the start of a line on. G is an LSTM, D a convolutional network (eqs. 9 to 12). A sample
may be longer than `window`: G continues from its state, although D never saw so long a text.

Departs from the paper: the completions come from G itself rather than from an older copy; the mean reward of each place is
subtracted (a baseline, Williams 1992, `baseline`), and rewards are scaled; gradients are clipped to a norm of `clip`; samples
come from an average of the weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Adam, Optimizer

from ganvas.abilities import Draw, HasDiscriminator, HasLikelihood, Likelihood, Samples
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report
from ganvas.losses.policy import advantages, policy_gradient
from ganvas.losses.truncation import drawn, probabilities
from ganvas.method import Batch, DataSpec, Method, Update, setting, step_factor
from ganvas.networks.recurrent import RecurrentText, State
from ganvas.networks.text_cnn import TextCNN
from ganvas.registry import preset

LIKELIHOOD_NOTE = "each text predicted from the start of its line on"


class SeqGAN(Method, Samples, HasDiscriminator, HasLikelihood):
    name = "seqgan"
    title = "text GAN trained by policy gradient with rollouts"
    paper = "Yu 2017, SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient, arXiv:1609.05473"
    takes = ("text",)
    from_lines = True

    batch_size: int = setting(64, "texts per step, over all processes together", minimum=1)
    window: int = setting(20, "tokens of a text, from the start of its line on", minimum=2)
    width: int = setting(128, "features of G's LSTM", minimum=1)
    embedding: int = setting(64, "features of a token, in G and in D", minimum=1)
    filter_widths: tuple[int, ...] = setting((1, 2, 3, 4, 5, 8, 12, 20), "tokens that D's filters see", minimum=1)
    filters: tuple[int, ...] = setting((32, 64, 64, 32, 32, 32, 32, 32), "D's filters of each width", minimum=1)
    dropout: float = setting(0.25, "dropout rate before D's last layer", minimum=0, maximum=0.9)
    pretrain: float = setting(
        0.6, "share of the budget in which G learns by maximum likelihood alone", minimum=0, maximum=1
    )
    pretrain_d: float = setting(0.1, "share of the budget after that in which D alone learns", minimum=0, maximum=1)
    rollouts: int = setting(16, "completions of each unfinished text, whose mean score is its reward", minimum=1)
    critic_steps: int = setting(3, "steps of D for each policy step of G", minimum=1)
    baseline: bool = setting(
        True,
        "subtract the mean reward of each place (over the texts of one process), and scale rewards to a variance of 1",
    )
    lr: float = setting(1e-2, "learning rate of Adam at the start, G", minimum=0)
    lr_policy: float = setting(
        1e-3, "learning rate of Adam at the end of maximum likelihood and for policy steps, G", minimum=0
    )
    lr_d: float = setting(1e-3, "learning rate of Adam, D", minimum=0)
    clip: float = setting(
        5.0, "maximum norm of G's gradient, larger ones are scaled down to it; 0: no clipping", minimum=0
    )
    ema: float = setting(0.99, "decay of the weights' average per step", minimum=0, maximum=0.999999)
    length: int = setting(20, "sampling: tokens of a text", minimum=1)
    temperature: float = setting(1.0, "sampling: below 1 prefers probable tokens, 0 takes the most probable", minimum=0)

    value_by_value = True
    averaged = ("G",)
    of_sampling = ("length", "temperature")

    def build(self, spec: DataSpec) -> None:
        self.lengths: Tensor  # (V,) characters of each token
        lengths = torch.tensor([len(token) for token in spec.text.tokens], dtype=torch.float32)
        self.register_buffer("lengths", lengths, persistent=False)
        self.first = spec.text.first
        tokens = len(spec.text.tokens)
        self.G = RecurrentText(tokens, (self.width,), self.embedding, "lstm", tied=False)
        self.D = TextCNN(tokens, self.window, self.embedding, self.filter_widths, self.filters)

    def optimizers(self) -> dict[str, Optimizer]:
        # D learns where the schedule's factor is lr_policy / lr.
        lr_d = self.lr_d * self.lr / max(self.lr_policy, 1e-12)
        return {
            "G": Adam(self.G.parameters(), lr=self.lr, fused=True),
            "D": Adam(self.D.parameters(), lr=lr_d, fused=True),
        }

    def schedule(self, progress: float, steps: int) -> float:
        """Falls along a cosine from 1 to lr_policy / lr over the first phase, and stays there."""
        final = self.lr_policy / max(self.lr, 1e-12)
        if progress >= self.pretrain:
            return final
        return final + (1 - final) * step_factor("cosine", progress / self.pretrain)

    def updates(self) -> list[Update]:
        d_starts = self.pretrain
        policy_starts = min(1.0, self.pretrain + self.pretrain_d)
        likelihood = Update("likelihood", trains="G", loss=self.likelihood_loss, clip=self.clip, span=(0, d_starts))
        policy = Update("policy", trains="G", loss=self.policy_loss, clip=self.clip, span=(policy_starts, math.inf))
        discriminator = Update(
            "discriminator", trains="D", loss=self.discriminator_loss, repeat=self.critic_steps, span=(d_starts, math.inf)
        )  # fmt: skip
        if not self.pretrain:
            return [policy, discriminator]
        return [likelihood, policy, discriminator]

    # --- maximum likelihood ---------------------------------------------------------------------------------------------

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

    # --- policy gradient ------------------------------------------------------------------------------------------------

    def policy_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The negative expected reward's gradient (eq. 8), on the average of all tokens."""
        texts, states = self.sampled(batch)
        scores = self.rewards(batch, texts, states)
        rewards = advantages(scores, scale=True) if self.baseline else scores
        log_probabilities = self.log_probabilities(texts)
        loss = policy_gradient(log_probabilities, rewards).mean()
        return {"loss": loss, "reward": scores[:, -1].mean(), "entropy": -log_probabilities.detach().mean()}

    @torch.no_grad()
    def sampled(self, batch: Batch) -> tuple[Tensor, list[State]]:
        """New texts (N, window + 1) that begin as the batch's do, and G's state before each token but the first."""
        uniforms = batch.uniform(self.window)
        state = self.G.unpacked(uniforms.new_zeros(len(batch), self.G.state_size))
        token = batch.real[:, 0]
        tokens, states = [token], []
        for place in range(self.window):
            logits, state = self.G.step(token, state)
            token = drawn(probabilities(logits), uniforms[:, place])
            tokens.append(token)
            states.append(state)
        return torch.stack(tokens, dim=1), states

    @torch.no_grad()
    def rewards(self, batch: Batch, texts: Tensor, states: list[State]) -> Tensor:
        """D's share of real (N, window) that follows each token of `texts` but the first: the mean over `rollouts` completions of
        a text cut after it, and for the last token that of the text itself (eq. 4)."""
        completed = self.completions(batch, texts, states)
        shares = self.D(completed.flatten(0, 2)[:, 1:]).sigmoid().view(completed.shape[:3]).mean(2)  # (window - 1, N)
        whole = self.D(texts[:, 1:]).sigmoid()
        return torch.cat([shares.T, whole], dim=1).float()

    def completions(self, batch: Batch, texts: Tensor, states: list[State]) -> Tensor:
        """(window - 1, N, rollouts, window + 1): `texts` cut after each token but the first and the last, and completed."""
        n, rollouts, cuts = len(texts), self.rollouts, self.window - 1
        uniforms = batch.uniform(rollouts, cuts, cuts).flatten(0, 1)  # of each completion, (cut, place)
        copies = texts[:, None].expand(-1, rollouts, -1).flatten(0, 1)
        completed = copies[None].repeat(cuts, 1, 1)  # (cut, n * rollouts, window + 1)
        tokens, state = copies[:0, 0], None
        for place in range(cuts):
            # The texts that are cut here join those that were cut before.
            fresh = [tuple(part.repeat_interleave(rollouts, 0) for part in layer) for layer in states[place]]
            tokens = torch.cat([tokens, copies[:, place + 1]])
            if state is None:
                state = fresh
            else:
                joined = []
                for old, new in zip(state, fresh, strict=True):
                    joined.append(tuple(torch.cat(pair) for pair in zip(old, new, strict=True)))
                state = joined
            logits, state = self.G.step(tokens, state)
            tokens = drawn(probabilities(logits), uniforms[:, : place + 1, place].T.flatten())
            completed[: place + 1, :, place + 2] = tokens.view(place + 1, n * rollouts)
        return completed.view(cuts, n, rollouts, self.window + 1)

    # --- discriminator --------------------------------------------------------------------------------------------------

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of real and new texts (eq. 5)."""
        texts, _ = self.sampled(batch)
        real, fake = self.discriminate(batch, torch.cat([batch.real, texts])).chunk(2)
        return discriminator_report(discriminator_cross_entropy(real, fake).mean(), real, fake)

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """Logits (M, 1) of texts (M, window + 1), M = k * len(batch); large means real. The token before the text is not seen."""
        mask = None
        if self.dropout and self.training:
            times = len(images) // len(batch)
            features = self.D.get_parameter("out.weight").shape[1]
            kept = torch.cat([batch.uniform(features) for _ in range(times)]) >= self.dropout
            mask = kept / (1 - self.dropout)
        return self.D(images[:, 1:], mask).float()

    def generate_for(self, batch: Batch) -> Tensor:
        """New texts (N, window + 1)."""
        return self.sampled(batch)[0]

    # --- measuring and sampling -----------------------------------------------------------------------------------------

    def compute_likelihood(
        self, examples: Tensor, labels: Tensor | None, samples: int, generator: torch.Generator | None
    ) -> Likelihood:
        """Exact, of tokens (n, L) from the second on, each given those before it in its row."""
        nats = -self.log_probabilities(examples).sum(1)
        terms = self.lengths[examples[:, 1:]].sum(1)
        return Likelihood(nats, unit="bits_per_character", terms=terms, note=LIKELIHOOD_NOTE)

    def draws(self) -> tuple[Draw, ...]:
        """One uniform number per token."""
        return (Draw("uniform", self.length),)

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Tokens (n, L) int64 from latents (n, L), of a text that starts on a new line."""
        return self.continue_text(torch.tensor([self.first], device=latents.device), latents)

    def continue_text(self, start: Tensor, latents: Tensor) -> Tensor:
        """Tokens (n, L) int64 that follow `start` (S,) int64, from latents (n, L)."""

        def choose(logits: Tensor, uniform: Tensor) -> Tensor:
            return drawn(probabilities(logits, self.temperature), uniform)

        return self.G.continued(start, latents, choose)


@preset("seqgan")
def tiny() -> SeqGAN:
    """Seconds on a CPU; for tests and first looks. Without the first phases, so that each step trains both networks."""
    return SeqGAN(
        batch_size=8, window=8, width=16, embedding=8, filter_widths=(1, 3), filters=(8, 8), pretrain=0,
        pretrain_d=0, rollouts=2, critic_steps=2, length=8,
    )  # fmt: skip


@preset("seqgan")
def small() -> SeqGAN:
    """Lines of text on a CPU core or two. Figures: docs/experiments/seqgan.md."""
    return SeqGAN()


@preset("seqgan")
def paper() -> SeqGAN:
    """The sizes of the paper's experiment: texts of 20 tokens from a vocabulary of 5,000."""
    return SeqGAN(
        width=32, embedding=32, filter_widths=(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 20),
        filters=(100, 200, 200, 200, 200, 100, 100, 100, 100, 100, 160, 160),
    )  # fmt: skip
