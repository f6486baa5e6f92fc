"""Run folders written by the real writer, with logs made up by hand; and one real training of a few steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ganvas
from ganvas.data import DataSettings, grid, write_png
from ganvas.registry import create
from ganvas.run import RunWriter
from ganvas.settings import as_dict


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """A run folder: settings.json, data.json, the rows given, metrics where given, grids of the steps given."""

    def make(
        name: str = "run",
        *,
        method: str = "gan",
        settings: dict[str, Any] | None = None,
        rows: list[dict[str, Any]] | None = None,
        metrics: dict[str, Any] | None = None,
        grids: tuple[int, ...] = (),
        data_card: dict[str, Any] | None = None,
        **info: Any,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        writer = RunWriter(folder)
        known = {
            "ganvas": ganvas.__version__, "method": method, "preset": None, "data": "digits", "seed": 0,
            "settings": create(method, None, settings).settings(), "data_settings": as_dict(DataSettings()),
            "spec": {"name": "digits", "channels": 1, "height": 28, "width": 28, "count": 9, "classes": ["0"]},
            "fingerprint": "f" * 64, "budget": {"steps": 30, "images": None, "minutes": None}, "threads": 1,
            "precision": "fp32", "why_precision": "asked for", "device": "cpu", "parameters": 10,
            "networks": {"G": 6, "D": 4}, "versions": {"torch": "2"}, "command": ["ganvas", "train", "gan"],
        }  # fmt: skip
        writer.info({**known, **info})
        writer.json("data.json", {"name": "digits", "counts": {"train": 9}, **(data_card or {})})
        for row in rows or []:
            writer.row(row)
        if metrics:
            writer.json("metrics.json", {"step": 30, "seconds": 3.0, "metrics": metrics})
        for step in grids:
            write_png(folder / "samples" / f"{step:08d}.png", grid(np.full((4, 5, 6, 1), step % 256, np.uint8)))
        return folder

    return make


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real run of a few steps on 30 images of two channels, 9x11, without metrics. Copy it before a change."""
    folder = tmp_path_factory.mktemp("trained")
    images = np.random.default_rng(0).integers(0, 256, (30, 9, 11, 2), dtype=np.uint8)
    np.savez(folder / "data.npz", images=images, labels=np.arange(30) % 3)
    ganvas.train("gan", folder / "data.npz", preset="tiny", steps=6, evaluate_every=2, out=folder / "run", samples=0)
    return folder
