"""The classifier of MGAN: which generator of a mixture generated an image."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def generator_cross_entropy(scores: Tensor, which: Tensor) -> Tensor:
    """-log C_k(x) (Hoang 2018, arXiv:1708.02556, eq. 2, last sum, without beta), k the generator that generated x.

    scores (N, K) before softmax, which (N,) int64. Returns (N,), nats; log K at chance.
    """
    return F.cross_entropy(scores, which, reduction="none")
