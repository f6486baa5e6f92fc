from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test reads or writes the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("GANVAS_CACHE", str(folder))
    monkeypatch.delenv("GANVAS_MIRROR", raising=False)
    return folder


@pytest.fixture
def save() -> Callable[..., Path]:
    """save(path, level, size=(8, 8), mode="L"): an image of one value, its folders made."""

    def saver(
        path: Path, level: int | tuple[int, ...], size: tuple[int, int] = (8, 8), mode: str = "L", **more: object
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, size, level).save(path, **more)  # pyright: ignore[reportArgumentType]
        return path

    return saver


@pytest.fixture
def noise() -> Callable[..., np.ndarray]:
    """noise(*shape): uint8, the same in each test."""
    return lambda *shape: np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)
