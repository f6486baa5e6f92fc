"""A transformer that reads one text and writes another: encoder, decoder, and decoding token by token from a cache.

N rows, S tokens of a source, T of a target, V in the vocabulary, W features of a token, H heads.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

FOLLOWS = 4.0  # added at first to the score of copying the token that follows the one just written
TINY = 1e-9  # added to the probability of copying a token that the source does not have

Drop = Callable[[Tensor], Tensor]
"""Dropout of features (N, L, W)."""


def no_dropout(x: Tensor) -> Tensor:
    """The Drop of sampling."""
    return x


@dataclass
class Translations:
    """What the lexicon says of each token of a source: K `tokens` (N, S, K) and their probabilities `shares`, (N, S, K)."""

    tokens: Tensor
    shares: Tensor

    def rows(self, rows: Tensor) -> Translations:
        """Rows (M,) of it, perhaps several times."""
        return Translations(self.tokens[rows], self.shares[rows])

    def of(self, targets: Tensor) -> Tensor:
        """How probable each of targets (N, T) is as a translation of each token of the source, (N, T, S)."""
        found = torch.zeros(*targets.shape, self.tokens.shape[1], device=targets.device)
        for tokens, shares in zip(self.tokens.unbind(2), self.shares.unbind(2), strict=True):
            found = found + shares[:, None] * (tokens[:, None] == targets[..., None])
        return found


@dataclass
class Memory:
    """What the decoder attends to: `keys` and `values` (N, H, S, W / H) of each of its layers, the encoder's output (N, S, W),
    the
    tokens (N, S), and where they are real, (N, S)."""

    keys: list[Tensor]
    values: list[Tensor]
    encoded: Tensor
    tokens: Tensor
    mask: Tensor
    translations: Translations | None = None

    def rows(self, rows: Tensor) -> Memory:
        """Rows (M,) of it, perhaps several times."""
        keys, values = [key[rows] for key in self.keys], [value[rows] for value in self.values]
        translations = None if self.translations is None else self.translations.rows(rows)
        return Memory(keys, values, self.encoded[rows], self.tokens[rows], self.mask[rows], translations)


@dataclass
class Cache:
    """Of T tokens that were decoded: `keys` and `values` (N, H, T, W / H) of each layer's attention to them."""

    keys: list[Tensor]
    values: list[Tensor]
    length: int = 0
    covered: Tensor | None = None
    """With a lexicon, (N, S): how probably each token of the source is translated already."""

    def rows(self, rows: Tensor) -> Cache:
        """Rows (M,) of it, perhaps several times."""
        covered = None if self.covered is None else self.covered[rows]
        return Cache([key[rows] for key in self.keys], [value[rows] for value in self.values], self.length, covered)


def real_tokens(rows: Tensor, end: int) -> Tensor:
    """Which tokens of rows (N, L) belong to the text, (N, L) bool: all up to the first `end`, itself included."""
    is_end = rows == end
    return (is_end.cumsum(1) - is_end.long()) == 0


def positions(start: int, length: int, width: int, device: torch.device) -> Tensor:
    """Sine and cosine of each place from `start` on, in geometrically spaced frequencies, (length, W) (Vaswani 2017, sec.
    3.5)."""
    places = torch.arange(start, start + length, device=device, dtype=torch.float32)[:, None]
    frequencies = torch.exp(
        torch.arange(0, width, 2, device=device, dtype=torch.float32) * (-math.log(10000.0) / width)
    )
    angles = places * frequencies
    return torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :width]


def attended(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(d)) V, (N, H, T, d), and the shares (N, H, T, S) (eq. 1). `mask`, broadcast to these, is False where
    nothing may be looked at."""
    scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    shares = scores.float().softmax(3).to(values.dtype)
    return shares @ values, shares


class Attention(nn.Module):
    """Several heads of attention over W features (sec. 3.2.2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def split(self, x: Tensor) -> Tensor:
        """(N, L, W) as (N, H, L, W / H)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def read(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values (N, H, S, W / H) of what is looked at, (N, S, W)."""
        return self.split(self.key(memory)), self.split(self.value(memory))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """New features (N, T, W) of x (N, T, W), and the shares (N, H, T, S)."""
        mixed, shares = attended(self.split(self.query(x)), keys, values, mask)
        return self.out(mixed.transpose(1, 2).flatten(2)), shares


class FeedForward(nn.Sequential):
    """Two layers for each token by itself (eq. 2)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, width))


class EncoderLayer(nn.Module):
    """Attention within the source, then a feed-forward network; each is normalised before and added after (Xiong 2020,
    arXiv:2002.04745, table 1)."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.attention, self.forward_net = Attention(width, heads), FeedForward(width, hidden)

    def forward(self, x: Tensor, mask: Tensor, drop: Drop) -> Tensor:
        """(N, S, W) to the same; `mask` (N, 1, 1, S)."""
        normed = self.norms[0](x)
        x = x + drop(self.attention(normed, *self.attention.read(normed), mask)[0])
        return x + drop(self.forward_net(self.norms[1](x)))


class DecoderLayer(nn.Module):
    """Attention within the target so far, attention to the source, then a feed-forward network."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.own, self.source = Attention(width, heads), Attention(width, heads)
        self.forward_net = FeedForward(width, hidden)

    def forward(
        self, x: Tensor, own: tuple[Tensor, Tensor] | None, own_mask: Tensor | None, source: tuple[Tensor, Tensor],
        source_mask: Tensor, drop: Drop,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:  # fmt: skip
        """(N, T, W) to the same, the shares of the source (N, H, T, S), and keys and values of all tokens so far: those of
        `own`, then those of x."""
        normed = self.norms[0](x)
        keys, values = self.own.read(normed)
        if own is not None:
            keys, values = torch.cat([own[0], keys], 2), torch.cat([own[1], values], 2)
        x = x + drop(self.own(normed, keys, values, own_mask)[0])
        found, shares = self.source(self.norms[1](x), *source, source_mask)
        x = x + drop(found)
        return x + drop(self.forward_net(self.norms[2](x))), shares, (keys, values)


@dataclass
class NextTokens:
    """How probable each token is in T places: `written` is log p (N, T, V) of the softmax over the vocabulary. Where tokens are
    copied, `gate` (N, T) is the logit of writing rather than copying, and `shares` (N, T, S) are those of the places of `source`
    (N, S) to copy from. With a lexicon `looked_up` (N, T) is the logit of taking one of `translations` instead of both, and
    `aligned` (N, T, S) are the shares of the places that are translated."""

    written: Tensor
    gate: Tensor | None
    shares: Tensor | None
    source: Tensor
    looked_up: Tensor | None = None
    aligned: Tensor | None = None
    translations: Translations | None = None

    def of(self, targets: Tensor) -> Tensor:
        """log p (N, T) of targets (N, T), without working it out for other tokens."""
        log_p = self.written.gather(2, targets[..., None])[..., 0]
        if self.gate is not None and self.shares is not None:
            copied = (self.shares * (self.source[:, None] == targets[..., None])).sum(2)
            log_p = mixed(log_p, copied, self.gate)
        if self.looked_up is not None and self.aligned is not None and self.translations is not None:
            translated = (self.aligned * self.translations.of(targets)).sum(2)
            log_p = mixed(log_p, translated, -self.looked_up)
        return log_p

    def all(self) -> Tensor:
        """log p (N, T, V) of all tokens."""
        log_p = self.written
        if self.gate is not None and self.shares is not None:
            places = self.source[:, None].expand_as(self.shares)
            copied = torch.zeros_like(log_p).scatter_add_(2, places, self.shares)
            log_p = mixed(log_p, copied, self.gate[..., None])
        if self.looked_up is not None and self.aligned is not None and self.translations is not None:
            shares = (self.aligned[..., None] * self.translations.shares[:, None]).flatten(2)
            tokens = self.translations.tokens.flatten(1)[:, None].expand_as(shares)
            translated = torch.zeros_like(log_p).scatter_add_(2, tokens, shares)
            log_p = mixed(log_p, translated, -self.looked_up[..., None])
        return log_p


def mixed(log_p: Tensor, other: Tensor, gate: Tensor) -> Tensor:
    """The logarithm of the mixture of exp(log_p), with the weight sigmoid(gate), and the probabilities `other`."""
    return torch.logaddexp(log_p + F.logsigmoid(gate), (other + TINY).log() + F.logsigmoid(-gate))


class Transformer(nn.Module):
    """How probable each token of a target is, given the source and the tokens before (Vaswani 2017, arXiv:1706.03762).

    One matrix embeds both texts and scores the next token (sec. 3.4). With `copying` a token comes with probability g from that
    softmax, else it is copied from the source, by a further attention (See 2017, arXiv:1704.04368, eqs. 8 and 9) that prefers the
    tokens of the source that come after the one just written. With `lexicon` a token can be one of that many translations which
    a table has for the tokens of the source (Arthur 2016, arXiv:1606.02006): a further attention chooses the token to translate,
    at first from left to right, each once. The encoder reads the embeddings of those translations too. The table is a buffer,
    in which every token is its own translation until it is filled.
    `end` is the token that ends a text, and that stands before its first.
    """

    def __init__(
        self, tokens: int, end: int, width: int, heads: int, layers: int, hidden: int, copying: bool, lexicon: int = 0
    ) -> None:
        super().__init__()
        self.end, self.width = end, width
        self.embedding = nn.Embedding(tokens, width)
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, hidden) for _ in range(layers))
        self.decoder = nn.ModuleList(DecoderLayer(width, heads, hidden) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.bias = nn.Parameter(torch.zeros(tokens))
        sizes = (width, 1) if copying else ()
        # Queries and keys are of one matrix, so that at first a place looks at those of the source that are like it: at the same
        # place, and at the same tokens. The other part is the gate.
        self.copier = nn.ModuleList(nn.Linear(width, size) for size in sizes)
        if copying:
            self.follow = nn.Parameter(torch.tensor(FOLLOWS))
        self.lexicon = lexicon
        if lexicon:
            own = torch.arange(tokens)[:, None].repeat(1, lexicon)
            self.translations: Tensor  # (V, K)
            self.probabilities: Tensor  # (V, K)
            self.register_buffer("translations", own)
            self.register_buffer("probabilities", torch.full((tokens, lexicon), 1 / lexicon))
            self.translated = nn.Linear(width, width)  # of the embedding of a token's translations
            self.aligner = nn.ModuleList([nn.Linear(width, width), nn.Linear(width, 1)])
            # What a token of the source scores more where its translation was just written, where that of the token before it
            # was, and where its translation was written at any time.
            self.alignment = nn.Parameter(torch.tensor([0.0, FOLLOWS, -FOLLOWS]))
        nn.init.normal_(self.embedding.weight, std=width**-0.5)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def encode(self, sources: Tensor, drop: Drop = no_dropout) -> Memory:
        """Of sources (N, S) int64."""
        mask = real_tokens(sources, self.end)
        x = self._embedded(sources, 0)
        translations = None
        if self.lexicon:
            translations = Translations(self.translations[sources], self.probabilities[sources])
            expected = (self.embedding(translations.tokens) * translations.shares[..., None]).sum(2)
            x = x + self.translated(expected * math.sqrt(self.width))
        x = drop(x)
        for layer in self.encoder:
            x = layer(x, mask[:, None, None], drop)
        x = self.norms[0](x)
        pairs = [layer.get_submodule("source").read(x) for layer in self.decoder]  # pyright: ignore[reportCallIssue]
        return Memory([pair[0] for pair in pairs], [pair[1] for pair in pairs], x, sources, mask, translations)

    def forward(self, memory: Memory, targets: Tensor, drop: Drop = no_dropout) -> NextTokens:
        """What can stand in the places of targets (N, T) int64, given the tokens before."""
        before = self._before(targets)
        just = covered = None
        if memory.translations is not None:
            just = memory.translations.of(before)
            # `end` before the first is no translation.
            just = torch.cat([torch.zeros_like(just[:, :1]), just[:, 1:]], 1)
            covered = just.cumsum(1)
        return self._scores(self._decoded(memory, targets, drop)[0], before, memory, just, covered)

    def attention(self, memory: Memory, targets: Tensor) -> Tensor:
        """How much each token of `targets` (N, T), as it is written, looks at each of the source, (N, T, S): the mean over the
        heads
        of the last layer."""
        return self._decoded(memory, targets, no_dropout)[1].mean(1)

    def start(self, memory: Memory) -> Cache:
        """Before the first token."""
        n, _, _, size = memory.keys[0].shape
        empty = memory.keys[0].new_empty(n, memory.keys[0].shape[1], 0, size)
        covered = None if memory.translations is None else torch.zeros_like(memory.mask, dtype=torch.float32)
        return Cache([empty] * len(self.decoder), [empty] * len(self.decoder), covered=covered)

    def step(self, memory: Memory, cache: Cache, tokens: Tensor) -> tuple[Tensor, Cache]:
        """log p (N, V) of the next token after `tokens` (N,), which follow those in the cache, and the new cache."""
        x = self._embedded(tokens[:, None], cache.length)
        keys, values = [], []
        mask = memory.mask[:, None, None]
        for index, layer in enumerate(self.decoder):
            own = cache.keys[index], cache.values[index]
            source = memory.keys[index], memory.values[index]
            x, _, after = layer(x, own, None, source, mask, no_dropout)
            keys.append(after[0])
            values.append(after[1])
        just, covered = None, cache.covered
        if memory.translations is not None and covered is not None:
            just = memory.translations.of(tokens[:, None]) * bool(cache.length)
            covered = covered + just[:, 0]
        every = None if covered is None else covered[:, None]
        log_p = self._scores(self.norms[1](x), tokens[:, None], memory, just, every).all()[:, 0]
        return log_p, Cache(keys, values, cache.length + 1, covered)

    def _before(self, tokens: Tensor) -> Tensor:
        """The token before each of (N, L), the same; `end` before the first."""
        return torch.cat([torch.full_like(tokens[:, :1], self.end), tokens[:, :-1]], 1)

    def _embedded(self, tokens: Tensor, start: int) -> Tensor:
        x = self.embedding(tokens) * math.sqrt(self.width)
        return x + positions(start, tokens.shape[1], self.width, x.device)

    def _decoded(self, memory: Memory, targets: Tensor, drop: Drop) -> tuple[Tensor, Tensor]:
        """Features (N, T, W) after the tokens before each of `targets`, and the last layer's shares of the source."""
        before = self._before(targets)
        causal = torch.ones(before.shape[1], before.shape[1], dtype=torch.bool, device=before.device).tril()
        x = drop(self._embedded(before, 0))
        shares = x
        for index, layer in enumerate(self.decoder):
            source = memory.keys[index], memory.values[index]
            x, shares, _ = layer(x, None, causal, source, memory.mask[:, None, None], drop)
        return self.norms[1](x), shares

    def _scores(
        self, x: Tensor, before: Tensor, memory: Memory, just: Tensor | None, covered: Tensor | None
    ) -> NextTokens:
        """Of features x (N, T, W) after the tokens `before` (N, T). `just` (N, T, S): how probably these are the translation of
        each token of the source; `covered`: the same, summed over all tokens up to there."""
        written = F.linear(x, self.embedding.weight, self.bias).float().log_softmax(2)
        found = NextTokens(written, None, None, memory.tokens)
        if len(self.copier):
            alike, gate = self.copier
            follows = self._before(memory.tokens)[:, None] == before[..., None]  # (N, T, S)
            found.shares = self._chosen(alike, x, memory, self.follow * follows)
            found.gate = gate(x)[..., 0].float()
        if just is not None and covered is not None:
            alike, gate = self.aligner
            # Where nothing was written yet the first token of the source comes next.
            first = (before == self.end).float()[..., None]
            previous = torch.cat([first, just[..., :-1]], 2)
            features = torch.stack([just, previous, covered.clamp_max(1)], 3)
            found.aligned = self._chosen(alike, x, memory, features @ self.alignment)
            found.looked_up, found.translations = gate(x)[..., 0].float(), memory.translations
        return found

    def _chosen(self, alike: nn.Module, x: Tensor, memory: Memory, more: Tensor) -> Tensor:
        """The shares (N, T, S) that an attention of features x (N, T, W) gives each token of the source; `alike` reads both,
        and `more` (N, T, S) is added to the scores."""
        scores = (alike(x) @ alike(memory.encoded).transpose(1, 2)).float() / math.sqrt(self.width)
        return (scores + more).masked_fill(~memory.mask[:, None], -torch.inf).softmax(2)
