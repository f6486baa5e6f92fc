"""What depends on the real data alone is computed once, and kept in the user's cache as safetensors."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence

import safetensors
import safetensors.torch
from torch import Tensor

from ganvas.errors import GanvasError
from ganvas.files import cache_folder, write_bytes

STORE_VERSION = 2  # raise it when something stored is computed in another way


def remembered(
    kind: str, parts: Sequence[object], keep: bool, compute: Callable[[], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """`compute()`, or what it gave last time for the same `kind` and `parts` (all that the result depends on).

    Not kept where `keep` is false, or where the cache cannot be written: that costs time, never a result.
    """
    if not keep:
        return compute()
    name = hashlib.sha256(json.dumps([STORE_VERSION, *parts]).encode()).hexdigest()[:32]
    path = cache_folder() / "measures" / f"{kind}-{name}.safetensors"
    # A damaged file is computed again and written over.
    with contextlib.suppress(OSError, safetensors.SafetensorError):
        return safetensors.torch.load(path.read_bytes())
    tensors = {key: value.contiguous() for key, value in compute().items()}
    with contextlib.suppress(GanvasError):
        write_bytes(path, safetensors.torch.save(tensors))
    return tensors
