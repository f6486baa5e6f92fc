"""A convolutional network that scores texts of a fixed length.

N rows, T tokens, V tokens in the vocabulary, S representations, E features of an embedding in each, F features of all
convolutions together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class TextCNN(nn.Module):
    """One logit per text from convolutions of several widths, each followed by its maximum over time (Kim 2014, arXiv:1408.5882),
    and a highway layer (Srivastava 2015, arXiv:1505.00387), as SeqGAN's discriminator (Yu 2017, arXiv:1609.05473, eqs. 9 to 12).

    `widths` are the tokens that a filter sees, `filters` how many there are of each width. Widths beyond `length` are omitted.
    With several `representations` each has an embedding of its own, of embedding / representations features, and a logit by the
    same filters, as RelGAN's (Nie 2019, sec. 2.3).
    """

    def __init__(
        self,
        tokens: int,
        length: int,
        embedding: int,
        widths: Sequence[int],
        filters: Sequence[int],
        representations: int = 1,
    ) -> None:
        super().__init__()
        self.representations = representations
        self.embedding = nn.Embedding(tokens, embedding)
        self.convolutions = nn.ModuleList()
        for width, count in zip(widths, filters, strict=True):
            if width <= length:
                self.convolutions.append(nn.Conv1d(embedding // representations, count, width))
        self.features: int = sum(filters[index] for index in range(len(self.convolutions)))
        self.carry = nn.Linear(self.features, self.features)
        self.transform = nn.Linear(self.features, self.features)
        self.out = nn.Linear(self.features, 1)
        nn.init.constant_(self.carry.bias, -1.0)  # a highway that carries its input at first
        nn.init.normal_(self.embedding.weight, std=(embedding // representations) ** -0.5)

    def forward(self, tokens: Tensor, dropout_mask: Tensor | None = None) -> Tensor:
        """Logits (N, S) of `tokens` (N, T) int64, or of shares of tokens (N, T, V) that sum to 1. `dropout_mask` (N, F) are
        factors on the features before the last layer, the same for all representations of a text."""
        x = (
            self._embedded(tokens).unflatten(2, (self.representations, -1)).permute(0, 2, 3, 1).flatten(0, 1)
        )  # (N * S, E, T)
        maxima: list[Tensor] = []
        for convolution in self.convolutions:
            scores = convolution(x)
            maxima.append(F.max_pool1d(scores, scores.shape[2])[..., 0])  # half the time of amax, on a CPU
        features = torch.cat(maxima, 1).relu()
        gate = self.carry(features).sigmoid()
        features = gate * self.transform(features).relu() + (1 - gate) * features
        features = features.unflatten(0, (-1, self.representations))
        if dropout_mask is not None:
            features = features * dropout_mask[:, None]
        return self.out(features).squeeze(2)

    def _embedded(self, tokens: Tensor) -> Tensor:
        if tokens.ndim == 3:
            return tokens @ self.embedding.weight
        return self.embedding(tokens)
