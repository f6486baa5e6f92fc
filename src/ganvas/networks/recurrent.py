"""A recurrent network over tokens: LSTM or GRU layers between an embedding and its transpose.

T steps, N rows, V tokens, E features of an embedding, S numbers of state in a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
PARTS = {"lstm": 2, "gru": 1}  # tensors of state a layer: h and c, or h alone

State = list[tuple[Tensor, ...]]  # of each layer (h, c) or (h,), (N, width)


class RecurrentText(nn.Module):
    """Logits of the next token from all earlier ones (Graves 2013, arXiv:1308.0850, sec. 2).

    `cell` is "lstm" (Hochreiter and Schmidhuber 1997, with forget gates) or "gru" (Cho 2014, arXiv:1406.1078). `widths` are
    those of the layers. `tied`: one matrix embeds tokens and scores them (Press and Wolf 2017, arXiv:1608.05859); where the
    last layer is not as wide as an embedding, a linear layer without bias lies between.
    """

    def __init__(self, tokens: int, widths: Sequence[int], embedding: int, cell: str, tied: bool) -> None:
        super().__init__()
        self.cell, self.widths = cell, tuple(widths)
        self.embedding = nn.Embedding(tokens, embedding)
        ins = (embedding, *widths)
        self.layers = nn.ModuleList(CELLS[cell](a, b) for a, b in zip(ins, widths, strict=False))
        last = widths[-1]
        self.project = nn.Linear(last, embedding, bias=False) if tied and last != embedding else nn.Identity()
        self.out = nn.Linear(embedding if tied else last, tokens)
        if tied:
            del self.out.weight
        self.tied = tied
        self._start()

    def _start(self) -> None:
        # Scores start small: with tied weights they are products of two random vectors.
        nn.init.normal_(self.embedding.weight, std=self.embedding.embedding_dim**-0.5)
        nn.init.zeros_(self.out.bias)
        if self.cell == "lstm":
            for layer, width in zip(self.layers, self.widths, strict=True):
                with torch.no_grad():  # gates in the order i, f, g, o; an open forget gate lets the gradient far back
                    layer.get_parameter("bias_ih_l0")[width : 2 * width].fill_(1.0)

    @property
    def state_size(self) -> int:
        """S: numbers of state that a row carries, over all layers."""
        return PARTS[self.cell] * sum(self.widths)

    def forward(
        self, tokens: Tensor, state: Tensor | None = None, kept: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (T, N, V) after each of `tokens` (T, N) int64, and the state (N, S) float32 after the last.

        `state` (N, S) is that before the first, zeros where None. `kept` are factors on what goes up, never on what continues
        (Zaremba 2014, arXiv:1409.2329, fig. 2), each broadcast to (T, N, features): of the embedding, and of each layer.
        """
        x = self._embedded(tokens)
        before = self.unpacked(x.new_zeros(tokens.shape[1], self.state_size) if state is None else state)
        after: State = []
        for index, layer in enumerate(self.layers):
            if kept is not None:
                x = x * kept[index]
            old = tuple(part[None] for part in before[index])
            x, new = layer(x, old if self.cell == "lstm" else old[-1])
            after.append(tuple(part[0] for part in (new if self.cell == "lstm" else (new,))))
        return self._scores(x if kept is None else x * kept[-1]), packed(after)

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (N, V) after one token a row (N,), and the state. For sampling: of a single step the fused layers prepare
        longer than they compute."""
        x = self._embedded(tokens)
        after: State = []
        for layer, old in zip(self.layers, state, strict=True):
            weights = [layer.get_parameter(f"{name}_l0") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            if self.cell == "lstm":
                after.append(torch.lstm_cell(x, old, *weights))
            else:
                after.append((torch.gru_cell(x, old[-1], *weights),))
            x = after[-1][0]
        return self._scores(x), after

    def unpacked(self, state: Tensor) -> State:
        """(N, S) as (h, c) or (h,) of each layer, (N, width)."""
        sizes = [width for width in self.widths for _ in range(PARTS[self.cell])]
        parts: Iterator[Tensor] = iter(part.contiguous() for part in state.split(sizes, dim=1))
        return [tuple(next(parts) for _ in range(PARTS[self.cell])) for _ in self.widths]

    def _embedded(self, tokens: Tensor) -> Tensor:
        # As many as the features of a layer may be: entries of the matrix are small for the scores' sake.
        return self.embedding(tokens) * self.embedding.embedding_dim**0.5

    def _scores(self, features: Tensor) -> Tensor:
        if self.tied:
            return F.linear(self.project(features), self.embedding.weight, self.out.bias)
        return self.out(features)


def packed(state: State) -> Tensor:
    """The state of all layers as (N, S) float32."""
    return torch.cat([part.float() for layer in state for part in layer], dim=1)
