"""One studio that the tests of this folder share, over two small runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the studio's packages are not installed: pip install 'ganvas[studio]'")
pytest.importorskip("uvicorn", reason="the studio's packages are not installed: pip install 'ganvas[studio]'")

from parts import train_small
from studio_server import StudioProcess


@pytest.fixture(scope="session")
def studio_runs(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run `first` of the MLP GAN, one with a name that needs care, and one whose settings are damaged."""
    runs = tmp_path_factory.mktemp("studio") / "runs"
    train_small("gan", runs / "first", 6, samples=0)
    shutil.copytree(runs / "first", runs / "<b>ünï code")
    (runs / "damaged").mkdir()
    (runs / "damaged" / "settings.json").write_text("[1")
    (runs / "elsewhere").symlink_to(runs / "first")
    return runs


@pytest.fixture(scope="session")
def studio(studio_runs: Path) -> Iterator[StudioProcess]:
    """A running studio."""
    process = StudioProcess(studio_runs)
    yield process
    process.stop()


@pytest.fixture
def card(studio: StudioProcess) -> dict[str, object]:
    """The card of the run `first`."""
    cards = json.loads(studio.ask("GET", "/api/runs").body)["runs"]
    return next(card for card in cards if card["id"] == "first")
