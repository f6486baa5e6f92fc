"""Tests mirror src/ganvas: who reads a module knows where its tests are, and the other way round."""

from __future__ import annotations

from pathlib import Path

import ganvas

TESTS = Path(__file__).parent
SOURCE = Path(ganvas.__file__).parent

# Folders that stand beside src, or run over all of it.
SPECIAL_FOLDERS = {"benchmarks", "contract", "distributed", "examples", "helpers", "slow", "tools"}

# Tests of something that more than one module has a part in.
NO_SINGLE_MODULE = {
    "test_advice.py",
    "test_docs.py",
    "test_hostile.py",
    "test_imports.py",
    "test_layout.py",
    "test_packaging.py",
    "test_snippets.py",
    "test_words.py",
    "cli/test_audio.py",  # all commands on sound
    "cli/test_like.py",  # what images and sounds say of their making, and `ganvas sample --like`
    "cli/test_text.py",  # all commands on text
    "data/test_heic.py",  # HEIC photos, from one file to a folder
    "data/test_notes.py",  # what is said of files that are passed over, in every kind of source
    "data/test_tile.py",  # data.fit=tile in every kind of source
    "methods/gan/test_classes.py",  # class-conditional training of all GANs
    "methods/gan/test_papers.py",  # what the papers say of GANs whose file is too short for a test file of its own
    "report/test_bounds.py",  # bytes and sizes of a whole report
    "studio/test_browser.py",  # the whole studio, in a browser
    "training/test_interruptions.py",  # signals, kill -9 and full disks
    "training/test_measured_likelihood.py",  # likelihoods in a training and in `ganvas evaluate`
    "training/test_queue.py",  # that no step waits for an accelerator
    "training/test_one_place.py",  # how the parts of training call each other
}


def places_of_module(path: str) -> list[Path]:
    """Where the module or package may be whose tests are in `path`: networks/test_mlp.py tests networks/mlp.py."""
    folder = SOURCE / Path(path).parent
    name = Path(path).stem.removeprefix("test_")
    places = [folder / f"{name}.py", folder / name / "__init__.py"]
    places.append(folder / f"_base_{name}.py")  # what the methods of a family share
    if name == folder.name:
        places.append(folder / "__init__.py")  # the package itself, from inside its folder
    return places


def files_of_tests() -> list[str]:
    """All test files outside the special folders, relative to tests/."""
    paths = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("test_*.py"))]
    return [path.as_posix() for path in paths if path.parts[0] not in SPECIAL_FOLDERS]


def test_every_test_file_stands_where_its_module_does() -> None:
    files = [path for path in files_of_tests() if path not in NO_SINGLE_MODULE]
    assert len(files) > 100
    astray = [path for path in files if not any(place.is_file() for place in places_of_module(path))]
    assert not astray, f"src/ganvas has no module at the place of {', '.join(astray)}: name it after what it tests"


def test_every_exception_exists_and_needs_to_be_one() -> None:
    assert set(files_of_tests()) >= NO_SINGLE_MODULE
    needless = [path for path in NO_SINGLE_MODULE if any(place.is_file() for place in places_of_module(path))]
    assert not needless


def test_helpers_stand_in_one_folder() -> None:
    """Test files never import each other: only conftest.py files and test files lie outside of helpers/."""
    paths = [path.relative_to(TESTS) for path in sorted(TESTS.rglob("*.py"))]
    astray = [
        path.as_posix()
        for path in paths
        if path.parts[0] != "helpers" and path.name != "conftest.py" and not path.name.startswith("test_")
    ]
    assert not astray
