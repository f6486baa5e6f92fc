"""A convolutional network that scores texts of a fixed length.

N rows, T tokens, V tokens in the vocabulary, E features of an embedding, F features of all convolutions together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class TextCNN(nn.Module):
    """One logit per text from convolutions of several widths, each followed by its maximum over time (Kim 2014, arXiv:1408.5882),
    and a highway layer (Srivastava 2015, arXiv:1505.00387), as SeqGAN's discriminator (Yu 2017, arXiv:1609.05473, eqs. 9 to 12).

    `widths` are the tokens that a filter sees, `filters` how many there are of each width. Widths beyond `length` are omitted.
    """

    def __init__(self, tokens: int, length: int, embedding: int, widths: Sequence[int], filters: Sequence[int]) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding)
        self.convolutions = nn.ModuleList()
        for width, count in zip(widths, filters, strict=True):
            if width <= length:
                self.convolutions.append(nn.Conv1d(embedding, count, width))
        self.features: int = sum(filters[index] for index in range(len(self.convolutions)))
        self.carry = nn.Linear(self.features, self.features)
        self.transform = nn.Linear(self.features, self.features)
        self.out = nn.Linear(self.features, 1)
        nn.init.constant_(self.carry.bias, -1.0)  # a highway that carries its input at first
        nn.init.normal_(self.embedding.weight, std=embedding**-0.5)

    def forward(self, tokens: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits (N, 1) of `tokens` (N, T) int64, or of shares of tokens (N, T, V) that sum to 1. `dropout_mask` (N, F) are
        factors on the features before the last layer."""
        x = self._embedded(tokens).transpose(1, 2)  # (N, E, T)
        maxima = [convolution(x).relu().amax(2) for convolution in self.convolutions]
        features = torch.cat(maxima, 1)
        gate = self.carry(features).sigmoid()
        features = gate * self.transform(features).relu() + (1 - gate) * features
        if dropout_mask is not None:
            features = features * dropout_mask
        return self.out(features)

    def _embedded(self, tokens: Tensor) -> Tensor:
        if tokens.ndim == 3:
            return tokens @ self.embedding.weight
        return self.embedding(tokens)
