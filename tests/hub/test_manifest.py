"""The manifest notices every changed file, and points nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ganvas.errors import RunError
from ganvas.hub import MANIFEST, check_manifest, write_manifest

FILES = {"config.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    write_manifest(tmp_path, FILES)
    return tmp_path


def test_it_holds_sizes_and_hashes(folder: Path) -> None:
    check_manifest(folder, FILES)
    entry = json.loads((folder / MANIFEST).read_text())["files"]["config.json"]
    # `printf '{}' | sha256sum`
    assert entry == {"size": 2, "sha256": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"}


@pytest.mark.parametrize("name", FILES)
def test_changed_and_missing_files(folder: Path, name: str) -> None:
    content = FILES[name]
    for changed in (content + b"x", content[:-1] + b"?"):
        (folder / name).write_bytes(changed)
        with pytest.raises(RunError, match=rf"{name} is not the file that manifest.json names"):
            check_manifest(folder, FILES)
    (folder / name).unlink()
    with pytest.raises(RunError, match=r"is missing, and manifest.json names it"):
        check_manifest(folder, FILES)


def test_a_file_that_is_not_named(folder: Path) -> None:
    write_manifest(folder, ["config.json"])
    with pytest.raises(RunError, match=r"does not name model.safetensors"):
        check_manifest(folder, FILES)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"files": []}', "[" * 100_000, '{"files": {"config.json": 3}}',
        '{"files": {"../secret": {"size": 1, "sha256": "' + "0" * 64 + '"}}}',
        '{"files": {"/etc/passwd": {"size": 1, "sha256": "' + "0" * 64 + '"}}}',
        '{"files": {"config.json": {"size": "2", "sha256": "' + "0" * 64 + '"}}}',
        '{"files": {"config.json": {"size": 2, "sha256": "short"}}}', " " * 70_000,
    ],
    ids=range(11),
)  # fmt: skip
def test_a_damaged_manifest(folder: Path, content: str) -> None:
    (folder / MANIFEST).write_text(content)
    with pytest.raises(RunError, match=r"manifest.json is damaged"):
        check_manifest(folder, FILES)
