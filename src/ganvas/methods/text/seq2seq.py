"""Translation of texts by a transformer (Vaswani 2017, arXiv:1706.03762), with adversarial training as a setting.

Idea: an encoder reads the source, all tokens at once; a decoder writes the translation token by token, and at each looks at the
source and at what it has written (fig. 1). Training is by maximum likelihood of the true translations, with label smoothing
(sec. 5.4); a new text is the one that beam search finds.

Maximum likelihood looks at one token at a time and never at what the decoder writes by itself. With `adversarial` a
discriminator learns to tell true pairs from pairs of a source and G's own translation (Wu 2017, arXiv:1704.06933; Yang 2018,
arXiv:1703.04887), and G, trained by likelihood before, is rewarded by how true D finds what it wrote:

    G  -log p(true | source)  -  adversarial * (D(source, y) - baseline) log p(y | source),   y drawn from G
    D  -log D(source, true) - log(1 - D(source, y))

Three phases, as shares of the budget: likelihood (`pretrain`), likelihood and D (`pretrain_d`), all three. Likelihood goes on
to the end, one step for each policy step (Wu 2017, sec. 3.3), since a policy alone drifts off.

Departs from the paper: layers are normalised before, not after (Xiong 2020, arXiv:2002.04745), so that no long warm-up is
needed; a token can be copied from the source (See 2017, arXiv:1704.04368, `copying`; what follows the token just written
first), which names and placeholders need; it can be looked up in a lexicon (Arthur 2016, arXiv:1606.02006, `lexicon`), which is
counted over the pairs before training (Brown 1993; Liang 2006), so that few pairs are enough for words; a cosine instead of the
square root's decay (`decay`); dropout omits the same features in all places of a text (Gal 2016, arXiv:1512.05287); the average
of the weights is exponential; beam search can have a least length (`shortest`). Of the adversarial papers: the reward is of the
whole sentence, without rollouts; its mean over the sentences of one process is the baseline; D reads both texts by convolutions
of their own.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ganvas.abilities import Likelihood, Translates
from ganvas.data.lexicon import lexicon
from ganvas.errors import UsageError
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report
from ganvas.losses.likelihood import smoothed
from ganvas.losses.policy import advantages, policy_gradient
from ganvas.losses.truncation import drawn
from ganvas.method import Batch, DataSpec, Method, Update, setting, step_factor
from ganvas.networks.beam_search import beam_search
from ganvas.networks.pair_cnn import PairCNN
from ganvas.networks.transformer import Cache, Transformer, real_tokens
from ganvas.registry import preset

MORE_TOKENS = 10  # that a translation may have beyond LONGER times those of its source
LONGER = 2


class Seq2Seq(Method, Translates):
    name = "seq2seq"
    title = "translation of texts by a transformer, adversarial training as a setting"
    paper = (
        "Vaswani 2017, Attention Is All You Need, arXiv:1706.03762; "
        "Wu 2017, Adversarial Neural Machine Translation, arXiv:1704.06933"
    )
    takes = ("parallel_text",)

    batch_size: int = setting(64, "pairs per step, over all processes together", minimum=1)
    width: int = setting(256, "features of a token; a multiple of heads", minimum=2)
    heads: int = setting(4, "heads of each attention", minimum=1)
    layers: int = setting(3, "layers of the encoder, and of the decoder", minimum=1)
    hidden: int = setting(512, "features inside of the feed-forward networks", minimum=1)
    copying: bool = setting(True, "a token of the source can be copied, by an attention of its own")
    lexicon: int = setting(
        0,
        "translations of each token that a lexicon, counted over the training pairs, offers; 0: no lexicon",
        minimum=0,
    )
    dropout: float = setting(
        0.2,
        "dropout rate of the embedding and of each layer's output, the same features in all places of a text",
        minimum=0,
        maximum=0.9,
    )
    smoothing: float = setting(
        0.1, "label smoothing: share of the target spread evenly over all tokens", minimum=0, maximum=0.9
    )
    lr: float = setting(1e-3, "largest learning rate of Adam, G", minimum=0)
    decay: str = setting(
        "cosine",
        "how the learning rate falls: cosine, to zero over the budget, or noam, with the square root of the steps",
        choices=("cosine", "noam"),
    )
    warmup: int = setting(200, "steps in which the learning rate rises", minimum=0)
    clip: float = setting(
        1.0, "maximum norm of G's gradient, larger ones are scaled down to it; 0: no clipping", minimum=0
    )
    adversarial: float = setting(0.0, "weight of D's reward; 0: likelihood alone, without D", minimum=0)
    pretrain: float = setting(
        0.7,
        "adversarial: share of the budget in which G learns by likelihood alone",
        minimum=0,
        maximum=1,
        when="adversarial",
    )
    pretrain_d: float = setting(
        0.05,
        "adversarial: share of the budget after that in which D learns and has no influence",
        minimum=0,
        maximum=1,
        when="adversarial",
    )
    baseline: bool = setting(
        True,
        "adversarial: subtract the mean reward (over the texts of one process), and scale rewards to a variance of 1",
        when="adversarial",
    )
    lr_policy: float = setting(
        1e-4,
        "adversarial: learning rate of Adam after the first phase, G; until there it falls to this",
        minimum=0,
        when="adversarial",
    )
    lr_d: float = setting(1e-3, "adversarial: learning rate of Adam, D", minimum=0, when="adversarial")
    d_embedding: int = setting(64, "adversarial: features of a token in D", minimum=1, when="adversarial")
    d_filters: int = setting(64, "adversarial: D's filters of each width", minimum=1, when="adversarial")
    d_widths: tuple[int, ...] = setting(
        (1, 2, 3, 4), "adversarial: tokens that D's filters see", minimum=1, when="adversarial"
    )
    d_dropout: float = setting(
        0.2, "adversarial: dropout rate before D's last layer", minimum=0, maximum=0.9, when="adversarial"
    )
    ema: float = setting(0.995, "decay of the weights' average per step", minimum=0, maximum=0.999999)
    beam: int = setting(
        4, "sampling: beginnings that beam search keeps; 1: the most probable token each time", minimum=1
    )
    length_penalty: float = setting(
        1.5, "sampling: exponent by which longer translations are preferred; 0: none", minimum=0, maximum=4
    )

    no_repeat: int = setting(
        4, "sampling: no run of this many tokens occurs twice in a translation; 0: any may", minimum=0
    )

    shortest: float = setting(
        0.0,
        "sampling: no translation has fewer tokens than this many times its source; 0: any may",
        minimum=0,
        maximum=2,
    )

    averaged = ("G",)
    of_sampling = ("beam", "length_penalty", "no_repeat", "shortest")

    def build(self, spec: DataSpec) -> None:
        if self.width % self.heads:
            raise UsageError(f"width={self.width} is no multiple of heads={self.heads}")
        self.lengths: Tensor  # (V,) characters of each token
        lengths = torch.tensor([len(token) for token in spec.text.tokens], dtype=torch.float32)
        self.register_buffer("lengths", lengths, persistent=False)
        self.end = spec.text.first
        tokens = len(spec.text.tokens)
        self.G = Transformer(
            tokens, self.end, self.width, self.heads, self.layers, self.hidden, self.copying, self.lexicon
        )
        if self.adversarial:
            self.D = PairCNN(tokens, self.end, self.d_embedding, self.d_widths, self.d_filters)

    def count_over(self, examples: np.ndarray, partners: np.ndarray | None) -> None:
        """The lexicon, of all training pairs."""
        if self.lexicon:
            assert partners is not None
            tokens, shares = lexicon(examples, partners, self.end, len(self.spec.text.tokens), self.lexicon)
            self.G.get_buffer("translations").copy_(torch.from_numpy(tokens))
            self.G.get_buffer("probabilities").copy_(torch.from_numpy(shares))

    def optimizers(self) -> dict[str, Optimizer]:
        optimizers: dict[str, Optimizer] = {
            "G": Adam(self.G.parameters(), lr=self.lr, betas=(0.9, 0.98), eps=1e-9, fused=True)
        }
        if self.adversarial:
            # D learns where the schedule's factor is lr_policy / lr.
            lr_d = self.lr_d * self.lr / max(self.lr_policy, 1e-12)
            optimizers["D"] = Adam(self.D.parameters(), lr=lr_d, fused=True)
        return optimizers

    def schedule(self, progress: float, steps: int) -> float:
        """Rises over `warmup` steps, then falls to zero at the end of the budget; with `adversarial` to lr_policy / lr at the
        end of
        the first phase, where it stays."""
        final, phase = 0.0, 1.0
        if self.adversarial:
            final, phase = self.lr_policy / max(self.lr, 1e-12), self.pretrain
        if progress >= phase:
            return final
        if self.decay == "noam":
            warmup = max(1, self.warmup)
            return max(final, min(math.sqrt(warmup / (steps + 1)), (steps + 1) / warmup))
        return final + (1 - final) * step_factor("cosine", progress / phase, steps, self.warmup)

    def updates(self) -> list[Update]:
        likelihood = Update("likelihood", trains="G", loss=self.likelihood_loss, clip=self.clip)
        if not self.adversarial:
            return [likelihood]
        d_starts = self.pretrain
        policy_starts = min(1.0, self.pretrain + self.pretrain_d)
        discriminator = Update("discriminator", trains="D", loss=self.discriminator_loss, span=(d_starts, math.inf))
        policy = Update("policy", trains="G", loss=self.policy_loss, clip=self.clip, span=(policy_starts, math.inf))
        return [likelihood, discriminator, policy]

    # --- maximum likelihood ---------------------------------------------------------------------------------------------

    def likelihood_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log p in nats of the true translations with smoothed labels; the smooth part is about what is written, not copied.
        Sums over tokens are divided by the places of the global
        batch, so that each token counts the same whichever process has it."""
        targets = partners(batch)

        def drop(x: Tensor) -> Tensor:
            if not self.dropout:
                return x
            kept = batch.uniform(1, x.shape[2]) >= self.dropout
            return x * (kept / (1 - self.dropout))

        found = self.G(self.G.encode(batch.real, drop), targets, drop)
        real = real_tokens(targets, self.end)
        log_p = found.of(targets)
        loss = (smoothed(log_p, found.written, self.smoothing) * real).sum() / targets.numel()
        nats = -(log_p.detach() * real).sum()
        bits = nats / (self.lengths[targets] * real).sum() / math.log(2)
        return {"loss": loss, "nats": nats / real.sum(), "bits_per_character": bits}

    def log_probabilities(self, sources: Tensor, targets: Tensor) -> Tensor:
        """log p (N, T) of each token of targets (N, T), given those before; 0 behind a text's end."""
        return self.G(self.G.encode(sources), targets).of(targets) * real_tokens(targets, self.end)

    # --- adversarial training -------------------------------------------------------------------------------------------

    def translations(self, batch: Batch) -> Tensor:
        """G's own translations of the batch's sources (N, T), drawn token by token, cut where the true ones end."""
        return batch.memo("translations", lambda: self._drawn(batch))

    @torch.no_grad()
    def _drawn(self, batch: Batch) -> Tensor:
        length = partners(batch).shape[1]
        uniforms = batch.uniform(length)
        memory = self.G.encode(batch.real)
        cache = self.G.start(memory)
        token = torch.full_like(batch.real[:, 0], self.end)
        going = torch.ones_like(token, dtype=torch.bool)
        tokens: list[Tensor] = []
        for place in range(length):
            log_p, cache = self.G.step(memory, cache, token)
            token = drawn(log_p.exp(), uniforms[:, place])
            token = torch.where(going, token, self.end)
            going = going & (token != self.end)
            tokens.append(token)
        return torch.stack(tokens, 1)

    def policy_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The negative expected reward's gradient, weighted (Wu 2017, eqs. 3 and 4; Yang 2018, eq. 8): the reward of each
        token is
        that of its sentence."""
        texts = self.translations(batch)
        with torch.no_grad():
            scores = self.D(batch.real, texts).float().sigmoid()  # (N, 1)
        log_p = self.log_probabilities(batch.real, texts)
        rewards = advantages(scores, scale=True) if self.baseline else scores
        rewards = rewards.expand_as(log_p)
        loss = self.adversarial * policy_gradient(log_p, rewards).sum() / texts.numel()
        return {"loss": loss, "reward": scores.mean(), "entropy": -log_p.detach().sum(1).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Cross-entropy of true pairs and pairs with G's translation (Wu 2017, eq. 5)."""
        sources = torch.cat([batch.real, batch.real])
        targets = torch.cat([partners(batch), self.translations(batch)])
        mask = None
        if self.d_dropout:
            kept = torch.cat([batch.uniform(self.D.features) for _ in range(2)]) >= self.d_dropout
            mask = kept / (1 - self.d_dropout)
        real, fake = self.D(sources, targets, mask).float().chunk(2)
        return discriminator_report(discriminator_cross_entropy(real, fake).mean(), real, fake)

    # --- translating ----------------------------------------------------------------------------------------------------

    def directions(self) -> tuple[str, ...]:
        """From the sources to their translations."""
        return ("ab",)

    def multiple(self) -> int:
        """Texts have any length."""
        return 1

    @torch.no_grad()
    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        """Translations (n, T) int64 of texts (n, S) int64: the best that beam search finds, at most LONGER * S + MORE_TOKENS
        long."""
        memory = self.G.encode(images)
        each = torch.arange(len(images), device=images.device).repeat_interleave(self.beam)
        memory = memory.rows(each)  # rows of one text are equal, so that reordering them changes nothing

        def step(tokens: Tensor, cache: Cache) -> tuple[Tensor, Cache]:
            return self.G.step(memory, cache, tokens)

        shortest = self.shortest * (images != self.end).sum(1)
        return beam_search(
            step, Cache.rows, self.G.start(memory), len(images), beam=self.beam, end=self.end,
            length=LONGER * images.shape[1] + MORE_TOKENS, penalty=self.length_penalty,
            no_repeat=self.no_repeat, shortest=shortest, device=images.device,
        )  # fmt: skip

    def attention(self, images: Tensor, translations: Tensor) -> Tensor:
        """How much each token of translations (n, T) looks at each token of texts (n, S), (n, T, S)."""
        return self.G.attention(self.G.encode(images), translations)

    def partner_likelihood(self, images: Tensor, partners: Tensor) -> Likelihood:
        """Of the true translations (n, T) of texts (n, S), exact, the end included."""
        real = real_tokens(partners, self.end)
        nats = -self.log_probabilities(images, partners).sum(1)
        return Likelihood(nats, unit="bits_per_character", terms=(self.lengths[partners] * real).sum(1))


def partners(batch: Batch) -> Tensor:
    """The true translations (N, T) of a batch."""
    assert batch.partner is not None
    return batch.partner


@preset("seq2seq")
def tiny() -> Seq2Seq:
    """Seconds on a CPU; for tests and first looks. Without the first phases, so that each step trains both networks."""
    return Seq2Seq(
        batch_size=8, width=16, heads=2, layers=1, hidden=32, warmup=10, adversarial=0.1, pretrain=0, pretrain_d=0,
        d_embedding=8, d_filters=4, d_widths=(1, 2), beam=2,
    )  # fmt: skip


@preset("seq2seq")
def small() -> Seq2Seq:
    """Some ten thousand sentences or names, minutes of a CPU core; `shortest` is for languages whose texts are about as long as
    their sources. Figures: docs/experiments/machine_translation.md."""
    return Seq2Seq(width=128, hidden=256, layers=2, lexicon=8, lr=3e-3, warmup=100, shortest=0.8)


@preset("seq2seq")
def paper() -> Seq2Seq:
    """The base model of the paper, for millions of sentences and a GPU."""
    return Seq2Seq(
        batch_size=1024, width=512, heads=8, layers=6, hidden=2048, copying=False, dropout=0.1, decay="noam",
        warmup=4000, lr=7e-4,
    )  # fmt: skip
