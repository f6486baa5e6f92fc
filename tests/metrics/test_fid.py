"""FID and KID need an optional package."""

from __future__ import annotations

import numpy as np
import pytest

from ganvas.errors import GanvasError, MissingExtra
from ganvas.metrics import fid


def test_fid_names_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch_fidelity", None)
    images = np.zeros((2, 8, 8, 3), np.uint8)
    with pytest.raises(MissingExtra, match=r"pip install ganvas\[fid\]"):
        fid(images, images)
    with pytest.raises(GanvasError, match="C 1 or 3; fake is uint8"):
        fid(images, images[..., :2])
