"""What images and clips have alike: labels, duplicates, rows of the data card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from ganvas.data.kinds.base import Split
from ganvas.data.spec import Card, DataSpec

if TYPE_CHECKING:
    import torch
    from torch import Tensor


def labels_of(data: Split, rows: np.ndarray, device: torch.device | str) -> Tensor | None:
    """The labels (n,) of the examples `rows`, where there are any."""
    import torch

    if data.labels is None:
        return None
    return torch.from_numpy(np.array(data.labels[rows])).to(device)


def counts_in_words(counts: Mapping[str, int]) -> str:
    """ "90 train, 10 test" """
    return ", ".join(f"{count} {split}" for split, count in counts.items())


def common_rows(spec: DataSpec, card: Card) -> dict[str, str]:
    """Rows of `ganvas data` that images and clips have alike."""
    repeated = counts_in_words(card["duplicates"]).replace("_", " ")
    memory = ", ".join(f"{size / 2**20:.1f} MiB {name}" for name, size in card["bytes"].items())
    classes = "none (no labels)"
    if spec.classes:
        classes = f"{len(spec.classes)}"
    return {"classes": classes, "duplicates": repeated, "memory": memory}


def duplicates(splits: Mapping[str, Split]) -> dict[str, int]:
    """How many examples are bit-equal to an earlier one of their split, and how many test examples occur in training."""
    counts: dict[str, int] = {}
    digests: dict[str, list[bytes]] = {}
    for name, part in splits.items():
        digests[name] = _digests(part.examples)
        counts[f"within_{name}"] = len(digests[name]) - len(set(digests[name]))
    if len(digests) == 2:
        train = set(digests["train"])
        counts["test_in_train"] = sum(digest in train for digest in digests["test"])
    return counts


def _digests(examples: np.ndarray) -> list[bytes]:
    return [hashlib.blake2b(np.ascontiguousarray(one).data, digest_size=16).digest() for one in examples]
