"""RelGAN: a text GAN by the Gumbel-softmax (Nie 2019, RelGAN, ICLR; Kusner 2016, arXiv:1611.04051).

Idea: D's gradient flows back into G through a relaxed draw. G adds Gumbel noise to its logits; the greatest sum is the token that
it draws, and the softmax of the sums times `beta` is what D sees (sec. 2.2). With a small beta the gradient is smooth and the
text a mixture of tokens; with a large one D sees almost the token, and the gradient is of high variance. beta grows
exponentially from 1 to `beta_max` over the adversarial phase: the temperature 1 / beta falls.

D gives a text several logits, one for each of `representations` embeddings of its own (sec. 2.3), so that G's gradient comes from
many sides. The losses are relativistic (Jolicoeur-Martineau 2018, arXiv:1807.00734, RSGAN): how much more real a real text is
than a generated one, on the average of representations:

    G  -log sigmoid(D(fake) - D(real))        D  -log sigmoid(D(real) - D(fake))

Three phases, as shares of the budget: G by maximum likelihood (`pretrain`), D alone (`pretrain_d`), then one step of G and
`critic_steps` of D in turn. The next input of G is the drawn token, not the relaxed one, as in the authors' code: so G sees in
training what it sees in sampling, the texts are drawn first, and one pass over them gives all logits with their gradients.

Departs from the paper: G is an LSTM rather than a relational memory (sec. 2.1), so that it is the same network as seqgan's and
maximum likelihood's, and what differs is the training alone; on a CPU its steps are fused. D alone has a phase before the
adversarial one; its linear layer of 100 features is omitted, since a linear layer follows it; gradients are clipped to a norm of
`clip`; samples come from an average of the weights.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.losses.adversarial import discriminator_report, relativistic_discriminator, relativistic_generator
from ganvas.losses.relaxation import gumbel_noise, gumbel_softmax
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.text._base import AdversarialText
from ganvas.networks.text_cnn import TextCNN
from ganvas.registry import preset


class RelGAN(AdversarialText):
    name = "relgan"
    title = "text GAN trained through a Gumbel-softmax"
    paper = (
        "Nie 2019, RelGAN: Relational Generative Adversarial Networks for Text Generation, ICLR; "
        "Kusner 2016, GANS for Sequences of Discrete Elements with the Gumbel-softmax Distribution, arXiv:1611.04051"
    )

    embedding: int = setting(64, "features of a token in G", minimum=1)
    representations: int = setting(8, "embeddings of a text in D, each with a logit of its own", minimum=1)
    d_embedding: int = setting(
        64, "features of a token in D, over all representations; a multiple of representations", minimum=1
    )
    filter_widths: tuple[int, ...] = setting((2, 3, 4, 5), "tokens that D's filters see", minimum=1)
    filters: tuple[int, ...] = setting((32, 32, 32, 32), "D's filters of each width", minimum=1)
    critic_steps: int = setting(3, "steps of D for each adversarial step of G", minimum=1)
    beta_max: float = setting(
        100.0, "inverse temperature of the relaxed texts at the end of the budget; 1 at first", minimum=1
    )
    lr_adversarial: float = setting(
        1e-3, "learning rate of Adam at the end of maximum likelihood and for adversarial steps, G", minimum=0
    )

    def build(self, spec: DataSpec) -> None:
        if self.d_embedding % self.representations:
            raise UsageError(
                f"d_embedding={self.d_embedding} is no multiple of representations={self.representations}"
            )  # fmt: skip
        super().build(spec)
        tokens = len(spec.text.tokens)
        self.D = TextCNN(
            tokens, self.window, self.d_embedding, self.filter_widths, self.filters, self.representations
        )  # fmt: skip

    def later_lr(self) -> float:
        """That of adversarial steps."""
        return self.lr_adversarial

    def updates(self) -> list[Update]:
        start = self.adversarial_start
        return [
            *self.likelihood_updates(),
            Update("generator", trains="G", loss=self.generator_loss, clip=self.clip, span=(start, math.inf)),
            Update(
                "discriminator", trains="D", loss=self.discriminator_loss, repeat=self.critic_steps,
                span=(self.pretrain, math.inf),
            ),
        ]  # fmt: skip

    # --- the relaxed texts ----------------------------------------------------------------------------------------------

    def beta(self, progress: float) -> float:
        """The inverse temperature, beta_max to the power of the share of the adversarial phase that is over (sec. 2.2)."""
        start = self.adversarial_start
        share = max(0.0, progress - start) / max(1e-12, 1 - start)
        return self.beta_max ** min(1.0, share)

    def sampled(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """New texts (N, window + 1) that begin as the batch's do, and the Gumbel noise (N, window, V) that they were drawn by."""
        noise = gumbel_noise(batch.uniform(self.window, self.G.embedding.num_embeddings))

        def choose(logits: Tensor, noise: Tensor) -> Tensor:
            return (logits + noise).argmax(1)

        first = batch.real[:, :1]
        return torch.cat([first, self.G.continued(first, noise, choose)], 1), noise

    def relaxed(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """New texts as D sees them, (N, window, V) with their graph, and -log p (N,) of the tokens that were drawn."""
        texts, noise = self.sampled(batch)
        logits, _ = self.G(texts.T[:-1])
        log_p = logits.float().log_softmax(2).transpose(0, 1)
        nats = -log_p.gather(2, texts[:, 1:, None]).mean((1, 2))
        return gumbel_softmax(log_p, noise, self.beta(batch.progress)), nats

    # --- losses ---------------------------------------------------------------------------------------------------------

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log sigmoid(D(fake) - D(real)) on the average of representations (sec. 2.3)."""
        fakes, nats = batch.memo("relaxed", lambda: self.relaxed(batch))
        real, fake = self.scored(batch, batch.real[:, 1:]), self.scored(batch, fakes)
        loss = relativistic_generator(real, fake).mean()
        beta = torch.full_like(loss, self.beta(batch.progress))
        return {"loss": loss, "entropy": nats.detach().mean(), "beta": beta}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log sigmoid(D(real) - D(fake)) on the average of representations."""
        fakes, _ = batch.memo("relaxed", lambda: self.relaxed(batch))
        real, fake = self.scored(batch, batch.real[:, 1:]), self.scored(batch, fakes.detach())
        loss = relativistic_discriminator(real, fake).mean()
        return discriminator_report(loss, real, fake, boundary=None)

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """Mean logits (M, 1) over representations of texts (M, window + 1), M = k * len(batch); large means real. The token
        before the text is not seen."""
        return self.scored(batch, images[:, 1:]).mean(1, keepdim=True)

    def generate_for(self, batch: Batch) -> Tensor:
        """New texts (N, window + 1)."""
        return self.sampled(batch)[0]


@preset("relgan")
def tiny() -> RelGAN:
    """Seconds on a CPU; for tests and first looks. Without the first phases, so that each step trains both networks, and at one
    temperature."""
    return RelGAN(
        batch_size=8, window=8, width=16, embedding=8, representations=2, d_embedding=8, filter_widths=(1, 3),
        filters=(8, 8), pretrain=0, pretrain_d=0, critic_steps=2, beta_max=1, length=8,
    )  # fmt: skip


@preset("relgan")
def small() -> RelGAN:
    """Lines of text on a CPU core or two. Figures: docs/experiments/seqgan.md."""
    return RelGAN()


@preset("relgan")
def paper() -> RelGAN:
    """The sizes of the authors' oracle experiment: texts of 20 tokens, 64 representations of one feature each."""
    return RelGAN(
        width=32, embedding=32, representations=64, filters=(300, 300, 300, 300), critic_steps=5,
        lr_adversarial=1e-4, lr_d=1e-4,
    )  # fmt: skip
