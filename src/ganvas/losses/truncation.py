"""Which of many tokens may be drawn: temperature, top-k, top-p; and the draw itself from a given random number.

All take n rows of V tokens, float32.
"""

from __future__ import annotations

import torch
from torch import Tensor


def probabilities(logits: Tensor, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Tensor:
    """(n, V) probabilities of tokens by their `logits` (n, V).

    Logits are divided by `temperature`; 0 leaves the most probable token only. Of those, `top_k` most probable ones stay (Fan
    2018, arXiv:1805.04833, sec. 5; 0: all), and of these the fewest whose share is at least `top_p` (Holtzman 2020,
    arXiv:1904.09751, eq. 2; 1: all). Among equally probable tokens at the border the first stays.
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
    # A token stays where those before it do not yet make up top_p; the first always does.
    ordered = ordered * (ordered.cumsum(1) - ordered < max(top_p, 1e-9))
    kept = torch.zeros_like(shares).scatter_(1, places, ordered)
    return kept / kept.sum(1, keepdim=True)


def drawn(shares: Tensor, uniform: Tensor) -> Tensor:
    """The tokens (n,) int64 whose interval of the cumulative `shares` (n, V) holds `uniform` (n,) in [0, 1)."""
    upto = shares.cumsum(1)
    # Divided by the total as it was summed: tokens of share 0 at the end stay out of reach of any number below 1.
    return (uniform[:, None] >= upto[:, :-1] / upto[:, -1:]).sum(1)
