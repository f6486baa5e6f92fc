"""Tar files and shards, and names of data sets of the ecosystem."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import open_data, png_bytes
from ganvas.errors import DataError, GanvasError, MissingExtra, UsageError
from parts import held_out, labels_of


def png_of(level: int) -> bytes:
    return png_bytes(np.full((8, 8, 1), level, np.uint8))


def write_tar(path: Path, files: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_shards_with_labels(tmp_path: Path):
    for shard in range(3):
        files: dict[str, bytes] = {}
        for number in range(4):
            level = 40 + 10 * (4 * shard + number)
            files[f"{number:04d}.png"] = png_of(level)
            files[f"{number:04d}.cls"] = str(number % 2).encode()
        write_tar(tmp_path / f"s-{shard:02d}.tar", files)
    data = open_data(f"wds:{tmp_path}/s-{{00..02}}.tar", holdout=0)
    assert len(data) == 12 and data.spec.classes == ("0", "1") and data.name == "s"
    assert ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()
    assert len(open_data(data.source, holdout=0)) == 12  # a run can be resumed from what it wrote down
    with pytest.raises(DataError, match=r"there is no file .*s-03\.tar and 1 more"):
        open_data(f"wds:{tmp_path}/s-{{00..04}}.tar")


def test_labels_in_json_and_folders_in_a_tar(tmp_path: Path):
    files: dict[str, bytes] = {}
    for number in range(6):
        files[f"{number}.png"] = png_of(50 + 10 * number)
        files[f"{number}.json"] = json.dumps({"label": "ab"[number % 2], "more": [1]}).encode()
    data = open_data(write_tar(tmp_path / "a.tar", files), holdout=0)
    assert data.spec.classes == ("a", "b") and not data.notes
    folders = {
        f"./{split}/{name}/{number}.png": png_of(90)
        for split in ("train", "test")
        for name in "ab"
        for number in range(3)
    }
    data = open_data(write_tar(tmp_path / "b.tar", folders))
    assert (len(data), len(held_out(data)), data.spec.classes) == (6, 6, ("a", "b"))


def test_what_a_tar_may_not_hold(tmp_path: Path):
    path = tmp_path / "a.tar"
    write_tar(
        path, {f"{number}.png": png_of(90) for number in range(4)} | {"../out.png": b"x", "e.png": b"", "n.txt": b"x"}
    )
    with tarfile.open(path, "a") as archive:
        for name, kind in (("l.png", tarfile.SYMTYPE), ("f.png", tarfile.FIFOTYPE), ("0.png", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    with pytest.raises(DataError) as caught:
        open_data(path)
    for part in (
        "../out.png: its path leads out",
        "e.png: the file is empty",
        "l.png: it is not an ordinary",
        "f.png: it is not",
    ):
        assert part in str(caught.value)
    assert "0.png: the archive holds it twice" in str(caught.value)
    data = open_data(path, skip_broken=True, holdout=0)
    assert len(data) == 4 and "1 file passed over: 1 text (n.txt)" in data.notes


def test_a_damaged_or_compressed_tar(tmp_path: Path):
    (tmp_path / "a.tar").write_bytes(b"no tar at all" * 100)
    with pytest.raises(DataError, match="cannot read the tar file"):
        open_data(tmp_path / "a.tar")
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("x.png"))
    with pytest.raises(DataError, match="unpacked first"):
        open_data(f"wds:{tmp_path}/b.tar.gz")


def test_parquet(tmp_path: Path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    features = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    levels = [40 + 10 * number for number in range(12)]
    images = [{"bytes": png_of(level), "path": "/etc/passwd"} for level in levels]
    table = arrow.table({"image": images, "label": [number % 2 for number in range(12)]})
    table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    parquet.write_table(table, tmp_path / "train-0.parquet", row_group_size=3)
    data = open_data(tmp_path / "train-0.parquet", holdout=0)
    assert data.spec.classes == ("cat", "dog") and sorted(data.images[:, 0, 0, 0].tolist()) == levels
    assert ((data.images[:, 0, 0, 0] // 10) % 2 == labels_of(data)).all()
    parquet.write_table(table.slice(0, 4), tmp_path / "test-0.parquet")
    both = open_data(f"parquet:{tmp_path}")
    assert len(open_data(tmp_path)) == 12  # a folder of nothing else
    assert (len(both), len(held_out(both))) == (12, 4) and open_data(both.source).fingerprint == both.fingerprint
    # A path in a file of others is never opened.
    parquet.write_table(arrow.table({"image": [{"bytes": b"", "path": "/etc/passwd"}] * 3}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="the row holds no bytes of an image"):
        open_data(tmp_path / "x.parquet")
    parquet.write_table(arrow.table({"text": ["a", "b"]}), tmp_path / "y.parquet")
    with pytest.raises(DataError, match="has no column of images"):
        open_data(tmp_path / "y.parquet")
    (tmp_path / "z.parquet").write_bytes(b"PAR1" * 20)
    with pytest.raises(DataError, match="cannot read"):
        open_data(tmp_path / "z.parquet")


def test_without_the_extras(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "datasets", None)
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(MissingExtra, match=r'pip install "ganvas\[parquet\]"'):
        open_data(tmp_path / "a.parquet")
    with pytest.raises(MissingExtra, match=r'pip install "ganvas\[hf\]"'):
        open_data("hf:owner/name")


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ("hf:", UsageError, "a data set of the hub is hf:OWNER/NAME"),
        ("hf:a/b/c", UsageError, "a data set of the hub is hf:OWNER/NAME"),
        ("parquet:nowhere.parquet", DataError, "there is no file or folder nowhere.parquet"),
        ("wds:nowhere.tar", DataError, "there is no file nowhere.tar: wds: takes"),
        ("wds:a-{9..1}.tar", DataError, "must rise"),
        ("torchvision:SVHN", DataError, r"torchvision:CIFAR10 are read.*ganvas.train\(data=torchvision.datasets.SVHN"),
    ],
)
def test_names_that_are_none(source: str, error: type[GanvasError], message: str):
    with pytest.raises(error, match=message):
        open_data(source)


def test_names_of_torchvision_are_read_here(monkeypatch: pytest.MonkeyPatch):
    from ganvas.data import public

    asked: list[str] = []

    def listing(name: str, cache: Path):
        asked.append(name)
        raise DataError("not now")

    monkeypatch.setattr(public, "listing", listing)
    for name in ("MNIST", "FashionMNIST", "CIFAR10"):
        with pytest.raises(DataError, match="not now"):
            open_data(f"torchvision:{name}")
    assert asked == ["mnist", "fashion_mnist", "cifar10"]


def test_hugging_face(monkeypatch: pytest.MonkeyPatch, noise: Callable[..., np.ndarray]):
    datasets = pytest.importorskip("datasets")
    from PIL import Image

    pixels = noise(12, 8, 8, 3)
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    rows = {"img": [Image.fromarray(one) for one in pixels], "label": [number % 2 for number in range(12)]}
    made = datasets.Dataset.from_dict(rows, features=features)
    data = open_data(made, holdout=0)
    assert data.spec.classes == ("cat", "dog") and np.bincount(labels_of(data)).tolist() == [6, 6]
    assert sorted(one.tobytes() for one in data.images) == sorted(one.tobytes() for one in pixels)
    split = open_data(datasets.DatasetDict({"train": made, "validation": made.select(range(3))}))
    assert (len(split), len(held_out(split))) == (12, 3)
    with pytest.raises(DataError, match="no column of images: its columns are text"):
        open_data(datasets.Dataset.from_dict({"text": ["a", "b"]}))

    monkeypatch.setattr(datasets, "load_dataset", lambda name, config, revision: datasets.DatasetDict({"train": made}))
    named = open_data("hf:owner/name:plain@main", holdout=0)
    assert named.name == "owner-name" and named.source == "hf:owner/name:plain@main" and len(named) == 12


def test_hugging_face_offline(monkeypatch: pytest.MonkeyPatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")

    def load_dataset(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach 'owner/name' on the Hub (OfflineModeIsEnabled)")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(
        DataError, match=r"HF_HUB_OFFLINE is set.*unset it once, or run there: hf download --repo-type dataset"
    ):
        open_data("hf:owner/name")
