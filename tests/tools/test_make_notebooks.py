"""The committed notebooks hold the cells of their .py files, small outputs without paths of a machine, and run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

import ganvas
from modules import module_at
from tiny import tiny_train

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "notebooks"
NAMES = ("compare_and_diagnose", "first_model", "own_folder")
LARGEST = 600_000  # bytes
TOOL = module_at(ROOT / "tools" / "make_notebooks.py")
OPEN = ganvas.open_data


def open_few(source: Any, **options: Any) -> ganvas.Dataset:
    """Of the emoji only so many as the audit needs."""
    return OPEN(source, **options).first(150) if source == "emoji" else OPEN(source, **options)


def cells_of(name: str) -> list[Any]:
    return TOOL.cells_of((FOLDER / f"{name}.py").read_text(encoding="utf-8"))


def test_every_notebook_is_tested_and_listed() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.py")) == sorted(NAMES)
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)
    for page in ("examples/README.md", "README.md", "docs/index.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        assert all(f"notebooks/{name}.ipynb" in text for name in NAMES), page


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed(name: str) -> None:
    text = (FOLDER / f"{name}.ipynb").read_text(encoding="utf-8")
    found = json.loads(text)
    cells = cells_of(name)
    expected = TOOL.notebook(cells, [cell.get("outputs", []) for cell in found["cells"]])
    assert found == expected, "run tools/make_notebooks.py"
    assert len(text.encode()) < LARGEST
    outputs = [output for cell in found["cells"] for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert not re.search(r"(?<![\w/.])/(?:home|root|tmp|work|Users)/", text)


@pytest.mark.parametrize("name", NAMES)
def test_the_cells_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ganvas, "train", tiny_train)
    monkeypatch.setattr(ganvas, "open_data", open_few)
    outputs = TOOL.run_cells(cells_of(name))
    shown = [output for cell in outputs for output in cell]
    assert any("image/png" in output.get("data", {}) for output in shown)
    assert any(output["output_type"] == "stream" for output in shown)


def test_cells_and_outputs_by_hand() -> None:
    cells = TOOL.cells_of("# %% [markdown]\n# # Title\n#\n# text\n\n# %%\na = 1\n\n# %%\nprint(a)\na + 1\n")
    assert [tuple(cell) for cell in cells] == [
        ("markdown", "# Title\n\ntext"), ("code", "a = 1"), ("code", "print(a)\na + 1"),
    ]  # fmt: skip
    assert TOOL.run_cells(cells) == [
        [],
        [],
        [
            {"output_type": "stream", "name": "stdout", "text": ["1\n"]},
            {"output_type": "execute_result", "data": {"text/plain": ["2"]}, "metadata": {}, "execution_count": 2},
        ],
    ]
