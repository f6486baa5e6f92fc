"""What stylised held-out photos lack of their content and of their style, beside the photos as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Stylises
from ganvas.data.feed import examples_of
from ganvas.metrics.held import held_out
from ganvas.metrics.readers import Progress

if TYPE_CHECKING:
    from ganvas.data.dataset import Dataset

HELD = 200  # photos at most
AT_ONCE = 4  # photos

Entry = dict[str, Any]
WHAT = {
    "loss": "content and style, weighed as in training",
    "style": "what the style's statistics lack, 0 where they are all there, about 1 where nothing is",
    "content": "what the photo's features lack, 0 where they are all there, about 1 where nothing is",
}


@torch.no_grad()
def measure_stylising(
    method: Stylises, data: Dataset, *, seed: int = 0, progress: Progress | None = None
) -> dict[str, Entry]:
    """Means over held-out photos, spread evenly over the test split: {"value", "input", "n", ...}.

    stylised loss, stylised style, stylised content
        see Stylises.style_losses; `input` is the same of the photos themselves, whose content lacks nothing. Styles are drawn as in
        training.

    Reads what training read: the painting, the feature network. GanvasError where that is away, DataError where `data` have no
    test split.
    """
    held, chosen = held_out(data, HELD, "stylise")
    device = method.device
    method.load_frozen(device)
    blocks = np.array_split(chosen, -(-len(chosen) // AT_ONCE))  # none alone: photos may be each other's styles
    made: list[dict[str, Tensor]] = []
    photos: list[dict[str, Tensor]] = []
    for rows in blocks:
        batch = examples_of(held, rows)
        batch.generator = torch.Generator().manual_seed(seed + len(made))
        style = method.styles_of(batch)
        content, style = batch.real.to(device), None if style is None else style.to(device)
        made.append(method.style_losses(method.stylise(content, style), content, style))
        photos.append(method.style_losses(content, content, style))
        if progress:
            progress("stylising", len(made), len(blocks))
    common = {"n": len(chosen), "split": held.split, "input_is": "the photo itself", "better": "lower"}
    return {
        f"stylised {name}": {"value": _mean(made, name), "input": _mean(photos, name), "help": what, **common}
        for name, what in WHAT.items()
    }


def _mean(rows: list[dict[str, Tensor]], name: str) -> float:
    return float(torch.cat([row[name] for row in rows]).mean())
