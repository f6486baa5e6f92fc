"""A recurrent network over tokens: LSTM or GRU layers between an embedding and its transpose.

T steps, N rows, V tokens, E features of an embedding, S numbers of state in a row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.precision import has_bf16

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
STATE_TENSORS = {"lstm": 2, "gru": 1}  # tensors of state per layer: h and c, or h alone
LAYER_WEIGHTS = (
    "weight_ih_l0",
    "weight_hh_l0",
    "bias_ih_l0",
    "bias_hh_l0",
)  # of a layer, in the order of torch.lstm_cell

State = list[tuple[Tensor, ...]]  # of each layer (h, c) or (h,), (N, width)


class RecurrentText(nn.Module):
    """Logits of the next token from all earlier ones (Graves 2013, arXiv:1308.0850, sec. 2).

    `cell` is "lstm" (Hochreiter and Schmidhuber 1997, with forget gates) or "gru" (Cho 2014, arXiv:1406.1078). `widths` are
    those of the layers. `tied`: one matrix embeds tokens and scores them (Press and Wolf 2017, arXiv:1608.05859); where the
    last layer is not as wide as an embedding, a linear layer without bias comes between them.
    """

    def __init__(self, tokens: int, widths: Sequence[int], embedding: int, cell: str, tied: bool) -> None:
        super().__init__()
        self.cell, self.widths = cell, tuple(widths)
        self.embedding = nn.Embedding(tokens, embedding)
        self.layers = nn.ModuleList(CELLS[cell](a, b) for a, b in pairwise([embedding, *widths]))
        last = widths[-1]
        self.project: nn.Module = nn.Identity()
        if tied and last != embedding:
            self.project = nn.Linear(last, embedding, bias=False)
        if tied:  # scores by the matrix of the embedding, and a bias
            self.out = nn.Linear(embedding, tokens)
            del self.out.weight
        else:
            self.out = nn.Linear(last, tokens)
        self.tied = tied
        self._initialise()

    def _initialise(self) -> None:
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
        return STATE_TENSORS[self.cell] * sum(self.widths)

    def forward(
        self, tokens: Tensor, state: Tensor | None = None, dropout_masks: Sequence[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Logits (T, N, V) after each of `tokens` (T, N) int64, and the state (N, S) float32 after the last.

        `state` (N, S) is that before the first, zeros where None. `dropout_masks` are factors on the outputs of the embedding and
        of each layer, broadcast to (T, N, features); the state itself has no dropout (Zaremba 2014, arXiv:1409.2329, fig. 2).
        """
        x, after = self._outputs(tokens, state, dropout_masks)
        return self._scores(x), packed(after)

    def outputs(self, tokens: Tensor) -> Tensor:
        """The last layer's outputs (T, N, width) after each of `tokens` (T, N) int64, which the logits are made of."""
        return self._outputs(tokens, None, None)[0]

    def _outputs(
        self, tokens: Tensor, state: Tensor | None, dropout_masks: Sequence[Tensor] | None
    ) -> tuple[Tensor, State]:
        x = self._embedded(tokens)
        if state is None:
            state = x.new_zeros(tokens.shape[1], self.state_size)
        before = self.unpacked(state)
        after: State = []
        for index, layer in enumerate(self.layers):
            if dropout_masks is not None:
                x = x * dropout_masks[index]
            x, after_layer = _through(layer, x, before[index])
            after.append(after_layer)
        if dropout_masks is not None:
            x = x * dropout_masks[-1]
        return x, after

    def step(self, tokens: Tensor, state: State) -> tuple[Tensor, State]:
        """Logits (N, V) after one token per row (N,), and the new state. For sampling: the fused layers have a large overhead
        for a single step."""
        x = self._embedded(tokens)
        after: State = []
        for layer, old in zip(self.layers, state, strict=True):
            weights = [layer.get_parameter(name) for name in LAYER_WEIGHTS]
            if self.cell == "lstm":
                after.append(torch.lstm_cell(x, old, *weights))
            else:
                after.append((torch.gru_cell(x, old[-1], *weights),))
            x = after[-1][0]
        return self._scores(x), after

    @torch.no_grad()
    def continued(self, start: Tensor, uniforms: Tensor, choose: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        """Tokens (N, T) int64 that follow `start` (S,), the same for all rows, or (N, S) int64; `choose` makes a token (N,) of
        logits (N, V) and of the random numbers of its place, `uniforms` (N, T) or (N, T, ...)."""
        n, length = uniforms.shape[:2]
        *before, token = start.expand(n, start.shape[-1]).T
        state = self.unpacked(uniforms.new_zeros(n, self.state_size))
        for known in before:
            _, state = self.step(known, state)
        tokens = []
        for place in range(length):
            logits, state = self.step(token, state)
            token = choose(logits, uniforms[:, place])
            tokens.append(token)
        return torch.stack(tokens, dim=1)

    def unpacked(self, state: Tensor) -> State:
        """(N, S) as (h, c) or (h,) of each layer, (N, width)."""
        unpacked: State = []
        start = 0
        for width in self.widths:
            parts = []
            for _ in range(STATE_TENSORS[self.cell]):
                parts.append(state[:, start : start + width].contiguous())
                start += width
            unpacked.append(tuple(parts))
        return unpacked

    def _embedded(self, tokens: Tensor) -> Tensor:
        # Scaled up to a variance of 1: the entries of the matrix are small so that the scores start small.
        return self.embedding(tokens) * self.embedding.embedding_dim**0.5

    def _scores(self, features: Tensor) -> Tensor:
        if self.tied:
            return F.linear(self.project(features), self.embedding.weight, self.out.bias)
        return self.out(features)


def _through(layer: nn.Module, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
    """The outputs (T, N, width) of an LSTM or GRU for inputs (T, N, features), and its state after the last."""
    precision: AbstractContextManager[object] = nullcontext()
    if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not has_bf16(x.device):
        # On a CPU without bf16 instructions oneDNN has no LSTM in bf16, not even an emulated one.
        precision = torch.autocast("cpu", enabled=False)
    with precision:
        if len(state) == 2:
            x, (h, c) = layer(x, (state[0][None], state[1][None]))
            return x, (h[0], c[0])
        x, h = layer(x, state[0][None])
        return x, (h[0],)


def packed(state: State) -> Tensor:
    """The state of all layers as (N, S) float32."""
    parts = []
    for layer in state:
        parts += [part.float() for part in layer]
    return torch.cat(parts, dim=1)
