"""Sampling of tokens and levels: temperature, top-k, top-p, and the choice by a given random number.

All take n rows of V tokens, float32.
"""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """(n, V) probabilities of tokens by their `logits` (n, V).

    Logits are divided by `temperature`; 0 keeps only the most probable token. Then the `top_k` most probable tokens are kept (Fan
    2018, arXiv:1805.04833, sec. 5; 0: all), then the fewest with a total probability of at least `top_p` (Holtzman 2020,
    arXiv:1904.09751, eq. 2; 1: all). Among equally probable tokens at the border the first is kept.
    """
    if temperature == 0:
        return torch.zeros_like(logits).scatter_(1, logits.argmax(1, keepdim=True), 1.0)
    shares = (logits.float() / temperature).softmax(1)
    if not (0 < top_k < shares.shape[1] or top_p < 1):
        return shares
    ordered, places = shares.sort(dim=1, descending=True, stable=True)
    if top_k:
        ordered[:, top_k:] = 0
    ordered = ordered / ordered.sum(1, keepdim=True)
    # A token is kept if those before it do not add up to top_p; the first is always kept.
    ordered = ordered * (ordered.cumsum(1) - ordered < max(top_p, 1e-9))
    kept = torch.zeros_like(shares).scatter_(1, places, ordered)
    return kept / kept.sum(1, keepdim=True)


def drawn(shares: Tensor, uniform: Tensor) -> Tensor:
    """The tokens (n,) int64 whose interval of the cumulative `shares` (n, V) holds `uniform` (n,) in [0, 1)."""
    upto = shares.cumsum(1)
    # Divided by the computed total, so that no number below 1 chooses tokens of probability 0 at the end.
    return (uniform[:, None] >= upto[:, :-1] / upto[:, -1:]).sum(1)
