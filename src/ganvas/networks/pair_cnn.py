"""A convolutional network that scores pairs of texts.

N pairs, L tokens of a text, V tokens in the vocabulary, E features of an embedding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ganvas.networks.transformer import real_tokens


class PairCNN(nn.Module):
    """One logit per pair of a source and a translation: convolutions of several widths over each, their maxima over time, and a
    network on both and on their product (Yang 2018, arXiv:1703.04887, sec. 3.2; Wu 2017, arXiv:1704.06933, has one
    convolution over all pairs of their tokens instead).

    `end` ends a text; what follows it is not seen.
    """

    def __init__(self, tokens: int, end: int, embedding: int, widths: tuple[int, ...], filters: int) -> None:
        super().__init__()
        self.end = end
        self.embedding = nn.Embedding(tokens, embedding)
        self.source_filters = nn.ModuleList(convolution(embedding, filters, width) for width in widths)
        self.target_filters = nn.ModuleList(convolution(embedding, filters, width) for width in widths)
        features = filters * len(widths)
        self.features = features
        self.hidden = nn.Linear(3 * features, features)
        self.out = nn.Linear(features, 1)
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)

    def forward(self, sources: Tensor, targets: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits (N, 1) of sources (N, S) and targets (N, T) int64. `dropout_mask` (N, features) are factors before the last
        layer."""
        one, other = self._read(sources, self.source_filters), self._read(targets, self.target_filters)
        x = self.hidden(torch.cat([one, other, one * other], 1)).relu()
        if dropout_mask is not None:
            x = x * dropout_mask
        return self.out(x)

    def _read(self, rows: Tensor, filters: nn.ModuleList) -> Tensor:
        x = self.embedding(rows) * real_tokens(rows, self.end)[..., None]
        maxima = [each(x.transpose(1, 2)).relu().amax(2) for each in filters]
        return torch.cat(maxima, 1)


def convolution(features: int, filters: int, width: int) -> nn.Conv1d:
    """Without a bias: a filter beyond the end gives 0, so that a score does not depend on what a row is filled up to."""
    return nn.Conv1d(features, filters, width, padding=width - 1, bias=False)
