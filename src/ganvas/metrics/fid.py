"""FID proper: Fréchet distance of the Inception-v3 features of Heusel 2017, through the package torch-fidelity."""

from __future__ import annotations

import importlib

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from ganvas.errors import DataError, MissingExtra


class _Images(Dataset):
    """uint8 (N, H, W, C) as torch-fidelity wants it: one uint8 tensor (3, H, W) at a time."""

    def __init__(self, images: np.ndarray) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Tensor:
        image = torch.from_numpy(np.array(self.images[index])).permute(2, 0, 1)
        return image.expand(3, -1, -1).contiguous()


def fid(real: np.ndarray, fake: np.ndarray) -> float:
    """FID between images uint8 (N, H, W, C), grey or RGB: the digits that torch-fidelity gives.

    MissingExtra without the package. It downloads Inception's weights the first time.
    """
    for name, images in (("real", real), ("fake", fake)):
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3) or len(images) < 2:
            raise DataError(
                f"FID needs at least 2 images uint8 (N, H, W, C) with C 1 or 3; {name} is {images.dtype} {images.shape}"
            )
    try:
        fidelity = importlib.import_module("torch_fidelity")
    except ImportError:
        raise MissingExtra(
            "FID proper needs the package torch-fidelity: pip install ganvas[fid] "
            "(without it there are FD[digits], FD[mobilenet_v2] and FD[filter_bank], which are other numbers)"
        ) from None
    results = fidelity.calculate_metrics(
        input1=_Images(fake), input2=_Images(real), fid=True, cuda=torch.cuda.is_available(), verbose=False
    )
    return float(results["frechet_inception_distance"])
