"""Writes examples/notebooks/*.ipynb from the .py files beside them, with the outputs of running their cells.

python tools/make_notebooks.py [NAME ...]     # real trainings, minutes each; images are kept as a notebook shows them

A .py file holds its cells after lines `# %%` and `# %% [markdown]`, as editors know them. Jupyter is not needed: the cells are
executed in one namespace, in an empty folder; the value of a last expression is shown by `_repr_html_`, `_repr_png_` or repr().
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import io
import json
import os
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

FOLDER = Path(__file__).parent.parent / "examples" / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


class Cell(NamedTuple):
    kind: str
    """code or markdown"""
    source: str


def cells_of(text: str) -> list[Cell]:
    """The cells of a .py file."""
    cells: list[Cell] = []
    for part in f"\n{text}".split("\n# %%")[1:]:
        head, _, body = part.partition("\n")
        body = body.strip("\n")
        if head.strip() == "[markdown]":
            lines = [line.removeprefix("#").removeprefix(" ") for line in body.splitlines()]
            cells.append(Cell("markdown", "\n".join(lines)))
        else:
            cells.append(Cell("code", body))
    return cells


def execute(source: str, names: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Runs a code cell in `names`; its outputs in nbformat 4."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    outputs: list[dict[str, Any]] = []
    if printed.getvalue():
        outputs.append({"output_type": "stream", "name": "stdout", "text": lines_of(printed.getvalue())})
    if value is not None:
        shown = {"data": bundle(value), "metadata": {}, "execution_count": count}
        outputs.append({"output_type": "execute_result", **shown})
    return outputs


def bundle(value: Any) -> dict[str, Any]:
    """What a notebook shows of a value, by MIME type."""
    shown: dict[str, Any] = {}
    html, png = getattr(value, "_repr_html_", None), getattr(value, "_repr_png_", None)
    if html is not None:
        shown["text/html"] = lines_of(html())
    if png is not None and (image := png()) is not None:
        shown["image/png"] = base64.b64encode(image).decode()
    # Beside an image or a page the name is enough: the repr() of a data set holds arrays and paths.
    return {**shown, "text/plain": [type(value).__name__] if shown else lines_of(repr(value))}


def lines_of(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def notebook(cells: list[Cell], outputs: list[list[dict[str, Any]]]) -> dict[str, Any]:
    """The whole file; `outputs` of each cell, empty for markdown."""
    written: list[dict[str, Any]] = []
    count = 0
    for number, (cell, shown) in enumerate(zip(cells, outputs, strict=True)):
        entry: dict[str, Any] = {"cell_type": cell.kind, "id": f"cell-{number}", "metadata": {}}
        if cell.kind == "code":
            count += 1
            entry |= {"execution_count": count, "outputs": shown}
        written.append({**entry, "source": lines_of(cell.source)})
    return {"cells": written, "metadata": METADATA, "nbformat": 4, "nbformat_minor": 5}


def run_cells(cells: list[Cell]) -> list[list[dict[str, Any]]]:
    """Executes all code cells in the current folder."""
    names: dict[str, Any] = {"__name__": "__main__"}
    outputs: list[list[dict[str, Any]]] = []
    count = 0
    for cell in cells:
        count += cell.kind == "code"
        outputs.append(execute(cell.source, names, count) if cell.kind == "code" else [])
    return outputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="default: all")
    names = parser.parse_args().names or [path.stem for path in sorted(FOLDER.glob("*.py"))]
    home = Path.cwd()
    for name in names:
        cells = cells_of((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
        with tempfile.TemporaryDirectory() as scratch:
            os.chdir(scratch)
            try:
                outputs = run_cells(cells)
            finally:
                os.chdir(home)
        page = FOLDER / f"{name}.ipynb"
        page.write_text(json.dumps(notebook(cells, outputs), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"{page.name}: {len(cells)} cells, {page.stat().st_size:,} bytes", flush=True)


if __name__ == "__main__":
    main()
