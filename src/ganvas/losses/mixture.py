"""What a mixture of generators asks of the classifier that tells them apart."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def told_apart(scores: Tensor, which: Tensor) -> Tensor:
    """-log C_k(x) (Hoang 2018, arXiv:1708.02556, eq. 2, last sum, without beta), k the generator that painted x.

    scores (N, K) before softmax, which (N,) int64. Returns (N,), nats; log K is guessing.
    """
    return F.cross_entropy(scores, which, reduction="none")
