"""What holds for the export of every registered method: free batch and size, the same result, latents without torch; or a reason.

Here each part is traced by torch.export, the first half of the way to ONNX; tests/export goes all the way for some, and
tests/slow for all.
"""

from __future__ import annotations

import numpy as np
import pytest

from exports import EXPORTED, REFUSED, perturbed
from ganvas.abilities import Restores, Samples
from ganvas.errors import RunError
from ganvas.export import random_numbers
from ganvas.export.facts import EXPORT_PARTS
from ganvas.export.parts import parts_of
from ganvas.export.write import torch_difference
from ganvas.registry import find, method_names


@pytest.mark.parametrize("name", EXPORTED)
def test_every_part_has_free_batch_and_size(name: str) -> None:
    method = perturbed(name)
    if isinstance(method, Restores) and method.restoration().by_size:
        return  # a minute to trace: tests/slow
    for part in parts_of(method):
        difference = torch_difference(part)  # over batches and sizes that were not traced
        assert difference <= 1e-4, part.name
        assert all(0 in free for name, free in part.inputs.items() if name not in ("style", "strength"))


def test_parts_cover_what_methods_do() -> None:
    """All methods together have every part, so that a lost one is noticed."""
    names = {part.name for name in EXPORTED for part in parts_of(perturbed(name))}
    assert names == set(EXPORT_PARTS)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_exported_says_why(name: str) -> None:
    method = perturbed(name)
    reason = "exports are of images only"
    if isinstance(method, Samples) and method.value_by_value:
        reason = "samples value by value, each from those before it"
    with pytest.raises(RunError, match=rf"^{name} .*{reason}.*Generate with: ganvas sample RUN$"):
        parts_of(method)


@pytest.mark.parametrize("name", [name for name in method_names() if issubclass(find(name), Samples)])
def test_latents_and_labels_need_no_torch(name: str) -> None:
    """The numbers of numpy are those of torch: uniform ones, integers and labels to the bit."""
    method = perturbed(name)
    assert isinstance(method, Samples)
    seeds = [0, 1, 7, 2**32 + 5, 2**62]
    draws = method.draws()
    ours, theirs = random_numbers.latents(draws, seeds), method.latents(seeds).numpy()
    assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
    np.testing.assert_allclose(ours, theirs, atol=3e-6, rtol=0)
    start = 0
    for draw in draws:
        if draw.kind != "normal" or draw.size < 16:
            end = start + draw.size
            assert np.array_equal(ours[:, start:end], theirs[:, start:end]), draw
        start += draw.size
    assert start == theirs.shape[1]
    labels, shares = method.labels(range(200)), method.class_shares()
    assert (labels is None) == (shares is None)
    if labels is not None and shares is not None:
        cuts = shares.cumsum(0)[:-1].tolist()
        assert np.array_equal(random_numbers.labels(cuts, range(200)), labels.numpy())
        assert len(labels.unique()) == len(shares)
