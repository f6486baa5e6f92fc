"""New images, clips or texts of a trained method."""

from __future__ import annotations

from typing import Any

import numpy as np

from ganvas.data.image_array import ImageArray
from ganvas.data.kinds import KINDS
from ganvas.method import Method
from ganvas.sampling import finished_samples


def sample(
    method: Method, n: int = 64, *, seed: int = 0, label: int | str | None = None, prompt: str | None = None,
    motion: int | None = None,
) -> Any:  # fmt: skip
    """`n` new samples of a method in eval mode, on its device. Number i is that of seed `seed` + i, whatever `n` is.

    Images come as an ImageArray, uint8 (n, H, W, C); sound as int16 (n, L); texts as a list. `label`, a class by number or name,
    asks a class-conditional method for that class only. `prompt` is the beginning of each text. Videos are uint8 (n, T, H, W, C);
    `motion` is the seed of the one whose motion all get, where a method tells motion from content.
    RunError where the method does not sample, UsageError for a class or prompt that it cannot take.
    """
    samples = finished_samples(method, n, seed, label, prompt, motion)
    if isinstance(samples, np.ndarray) and KINDS[method.spec.kind].is_image:
        made = method.made("sample", seed=seed, label=label)
        return ImageArray(samples, made, np.arange(seed, seed + len(samples)))
    return samples
