"""What all tests share: a cache of their own, one thread, no leftovers of a surrounding launcher."""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: tests run beside each other on few cores


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported meanwhile stays to the end: the garbage collector need not go through it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests never read or write the user's cache; one for the whole session, so that sets are decoded once."""
    os.environ["GANVAS_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True, scope="session")
def _without_waiting_for_the_disk() -> Iterator[None]:
    """No test cuts the power, and each training waits some thirty times for the disk; those of shared fixtures too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(autouse=True, scope="session")
def _short_looks() -> Iterator[int]:
    """Each training is looked at for the doctor when it begins, under way and at its end. That changes nothing of it, and takes
    longer than the few steps that tests train: here with few samples. The number of before is yielded."""
    from ganvas.training import health, sample_statistics

    usual = health.STATISTICS_SAMPLES
    with pytest.MonkeyPatch.context() as patch:
        for module in (health, sample_statistics):
            patch.setattr(module, "STATISTICS_SAMPLES", 16)
        yield usual


@pytest.fixture(autouse=True)
def _full_looks(request: pytest.FixtureRequest, _short_looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """In tests of what the doctor's numbers say, and in long trainings, they are of as many samples as usual."""
    if request.node.get_closest_marker("full_looks") or request.node.get_closest_marker("slow"):
        monkeypatch.setattr("ganvas.training.health._references", {})  # those kept are of few samples
        for module in ("health", "sample_statistics"):
            monkeypatch.setattr(f"ganvas.training.{module}.STATISTICS_SAMPLES", _short_looks)


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a command writes by default lands in the test's own folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """A test that draws without a seed draws the same whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
