"""A command line in this process, and one trained run that the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command_line import Command, Ended, train_once
from ganvas.cli.main import main
from parts import image_file


@pytest.fixture
def ganvas(capsys: pytest.CaptureFixture[str]) -> Command:
    """`ganvas("train", "gan", ...)`, run by main() in this process."""

    def run(*words: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        return Ended(int(end.value.code or 0), shown.out, shown.err)

    return run


@pytest.fixture(scope="session")
def two_channels(_own_cache: None) -> Path:
    """Forty labelled images of 30 x 50 with two channels."""
    return image_file((2, 30, 50))


@pytest.fixture(scope="session")
def trained(two_channels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the MLP GAN after six steps; tests read it and never write into it."""
    return train_once(tmp_path_factory.mktemp("runs") / "first", "gan", two_channels, 6)


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """Twelve grey PNG files of 8 x 6 in two classes."""
    from ganvas.data import write_png

    random = np.random.default_rng(0)
    for number in range(12):
        place = tmp_path / "images" / ("even", "odd")[number % 2] / f"{number}.png"
        write_png(place, random.integers(0, 256, (8, 6, 1)).astype(np.uint8))
    return tmp_path / "images"
