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

from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report
from ganvas.losses.policy import advantages, policy_gradient
from ganvas.losses.truncation import drawn, probabilities
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.text._base import AdversarialText
from ganvas.networks.recurrent import State
from ganvas.networks.text_cnn import TextCNN
from ganvas.registry import preset


class SeqGAN(AdversarialText):
    name = "seqgan"
    title = "text GAN trained by policy gradient with rollouts"
    paper = "Yu 2017, SeqGAN: Sequence Generative Adversarial Nets with Policy Gradient, arXiv:1609.05473"

    filter_widths: tuple[int, ...] = setting((1, 2, 3, 4, 5, 8, 12, 20), "tokens that D's filters see", minimum=1)
    filters: tuple[int, ...] = setting((32, 64, 64, 32, 32, 32, 32, 32), "D's filters of each width", minimum=1)
    rollouts: int = setting(16, "completions of each unfinished text, whose mean score is its reward", minimum=1)
    critic_steps: int = setting(3, "steps of D for each policy step of G", minimum=1)
    baseline: bool = setting(
        True,
        "subtract the mean reward of each place (over the texts of one process), and scale rewards to a variance of 1",
    )
    lr_policy: float = setting(
        1e-3, "learning rate of Adam at the end of maximum likelihood and for policy steps, G", minimum=0
    )

    def build(self, spec: DataSpec) -> None:
        super().build(spec)
        self.D = TextCNN(len(spec.text.tokens), self.window, self.embedding, self.filter_widths, self.filters)

    def later_lr(self) -> float:
        """That of policy steps."""
        return self.lr_policy

    def updates(self) -> list[Update]:
        start = self.adversarial_start
        return [
            *self.likelihood_updates(),
            Update("policy", trains="G", loss=self.policy_loss, clip=self.clip, span=(start, math.inf)),
            Update(
                "discriminator", trains="D", loss=self.discriminator_loss, repeat=self.critic_steps,
                span=(self.pretrain, math.inf),
            ),
        ]  # fmt: skip

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
        return self.scored(batch, images[:, 1:])

    def generate_for(self, batch: Batch) -> Tensor:
        """New texts (N, window + 1)."""
        return self.sampled(batch)[0]


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
