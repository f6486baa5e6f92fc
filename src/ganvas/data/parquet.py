"""Images in parquet files, as Hugging Face stores its data sets: a column of encoded images, perhaps one of labels.

parquet:train.parquet      a file, or a folder of them (train-*.parquet and test-*.parquet are splits)

Read through pyarrow (the extra `[parquet]`), row by row into a temporary file; never more than a few rows are in memory.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ganvas.data import folder, image
from ganvas.data.file_kinds import PARQUET
from ganvas.data.labels import UNLABELLED
from ganvas.data.layout import TEST_NAMES
from ganvas.data.objects import LABEL_COLUMNS
from ganvas.data.scan import Files, stamp
from ganvas.data.settings import DataSettings
from ganvas.data.source import Listing, Loaded, Progress
from ganvas.data.spool import Spool
from ganvas.errors import DataError, MissingExtra
from ganvas.files import parse_json

PARQUET_PREFIX = "parquet:"
ROWS_IN_MEMORY = 32  # that are in memory at once
PARQUET_IMAGE_COLUMNS = ("image", "images", "img", "jpg", "png", "photo")
MAX_CLASSES = 100_000


def is_parquet(path: Path) -> bool:
    """By its name."""
    return path.suffix.lower() in PARQUET


def list_parquet(path: Path, name: str) -> Listing:
    """A parquet file, or a folder of them."""
    paths = [path]
    if path.is_dir():
        paths = sorted(one for one in path.rglob("*") if is_parquet(one) and one.is_file())
    if not paths:
        raise DataError(f"there are no parquet files in {path}")
    for one in paths:
        image.refuse_endless(one)
    identity = json.dumps(["parquet", [stamp(one) for one in paths]])
    files = functools.cache(lambda: _files(path.resolve(), paths))

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        return folder.load_files(files(), settings, progress)

    return Listing(name, PARQUET_PREFIX + str(path.resolve()), identity, load)


def _files(root: Path, paths: list[Path]) -> Files:
    """Spools all images, to be read from there as from a folder."""
    module = _pyarrow()
    spool = Spool()
    files = Files(root, spool.open, frozenset())
    labels: dict[str, int | str] = {}
    for path in paths:
        prefix = _split(path) + "/" if len(paths) > 1 else ""
        try:
            _read_rows(module, path, f"{prefix}{path.stem}", spool, files, labels)
        except (module.lib.ArrowException, OSError, ValueError) as error:
            raise DataError(f"cannot read {path}: {error}") from error
    files.labels = labels
    return files


def _read_rows(module: Any, path: Path, stem: str, spool: Spool, files: Files, labels: dict[str, int | str]) -> None:
    """Appends the images of one file."""
    file = module.parquet.ParquetFile(path)
    column, label_column = _columns(file.schema_arrow, path)
    names = _class_names(file.schema_arrow, label_column)
    columns = [column] if label_column is None else [column, label_column]
    row = 0
    for batch in file.iter_batches(batch_size=ROWS_IN_MEMORY, columns=columns):
        for value, label in _rows(batch, column, label_column):
            name = f"{stem}/{row:08d}"
            row += 1
            content = value.get("bytes") if isinstance(value, dict) else value
            if not isinstance(content, bytes) or not content:
                files.problems.append((name, "the row holds no bytes of an image"))  # a path would lead out of the file
            elif len(content) > image.MAX_IMAGE_BYTES:
                files.problems.append(
                    (name, f"{len(content):,} bytes; an image may have {image.MAX_IMAGE_BYTES:,} at most")
                )
            else:
                spool.add(name, content)
                files.names.append(name)
                if isinstance(label, int | str) and not (names and label == UNLABELLED):
                    labels[name] = names[label] if isinstance(label, int) and 0 <= label < len(names) else label


def _rows(batch: Any, column: str, label_column: str | None) -> Iterator[tuple[Any, Any]]:
    values = batch.column(column).to_pylist()
    labels = [None] * len(values) if label_column is None else batch.column(label_column).to_pylist()
    return zip(values, labels, strict=True)


def _columns(schema: Any, path: Path) -> tuple[str, str | None]:
    """The columns of images and of labels; DataError where there are no images."""
    images: list[str] = []
    for field in schema:
        kind = str(field.type)
        if kind in ("binary", "large_binary") or (kind.startswith("struct<") and "bytes: binary" in kind):
            images.append(field.name)
    if not images:
        raise DataError(f"{path} has no column of images (bytes of files): its columns are {', '.join(schema.names)}")
    column = next((name for name in PARQUET_IMAGE_COLUMNS if name in images), images[0])
    return column, next((name for name in LABEL_COLUMNS if name in schema.names), None)


def _class_names(schema: Any, label_column: str | None) -> list[str]:
    """Names of the labels, where the file was written by Hugging Face's `datasets`."""
    text = (schema.metadata or {}).get(b"huggingface")
    if text is None or label_column is None:
        return []
    try:
        names = parse_json(text)["info"]["features"][label_column]["names"]
    except (ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in names[:MAX_CLASSES]] if isinstance(names, list) else []


def _split(path: Path) -> str:
    """train, or test where the file's name begins so."""
    stem = path.stem.lower()
    return "test" if any(stem.startswith(name) for name in TEST_NAMES) else "train"


def _pyarrow() -> Any:
    try:
        import pyarrow  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError:
        raise MissingExtra('parquet files are read through pyarrow: pip install "ganvas[parquet]"') from None
    return pyarrow
