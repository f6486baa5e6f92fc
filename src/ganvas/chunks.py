"""Work on many rows in chunks of one fixed size.

Matrix kernels round differently for batches of different sizes, on some processors more than on others. Where a result must
depend on its own row alone, every call of a network therefore gets the same number of rows.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ganvas.defaults import CHUNK

__all__ = ["CHUNK", "in_chunks"]


def in_chunks(
    n: int, make: Callable[[Tensor], Tensor], size: int = CHUNK, device: torch.device | str | None = "cpu"
) -> Tensor:
    """make(rows) of the row numbers 0 to n - 1, `size` of them per call; the last chunk is filled up by repeating its last row.

    `make` gets int64 indices (size,) on the CPU. Results are concatenated on `device` (None: where `make` left them);
    floating-point results become float32.
    """
    results = []
    for start in range(0, n, size):
        rows = torch.arange(start, start + size).clamp_max(n - 1)
        result = make(rows)
        if result.is_floating_point():
            result = result.float()
        results.append(result if device is None else result.to(device))
    return torch.cat(results)[:n]
