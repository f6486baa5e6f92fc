"""A few runs of two steps and their exports, made once; tests read them and never write into them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas.export import export_run
from ganvas.run import Run
from parts import images, train_small

COLOUR = (3, 32, 32)


@pytest.fixture(scope="session")
def folder(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("exports")


@pytest.fixture(scope="session")
def sampler(folder: Path) -> Run:
    """A class-conditional GAN, trained until its images differ."""
    return train_small("cgan", folder / "cgan", 60)


@pytest.fixture(scope="session")
def sampler_file(sampler: Run, folder: Path) -> Path:
    export_run(sampler, out=folder / "cgan.onnx", licence="CC0-1.0")
    return folder / "cgan.onnx"


@pytest.fixture(scope="session")
def restorer(folder: Path) -> Run:
    """It doubles the size of RGB images."""
    return train_small("srresnet", folder / "srresnet", 2, images(COLOUR))


@pytest.fixture(scope="session")
def restorer_file(restorer: Run, folder: Path) -> Path:
    export_run(restorer, out=folder / "srresnet.onnx")
    return folder / "srresnet.onnx"
