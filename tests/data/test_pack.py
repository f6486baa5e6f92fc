"""The cache: damage, two processes at once, no room, no permission; and the card."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from ganvas.data import DataSettings, arrays, open_data, pack, parquet, png_bytes
from ganvas.data.open import stored_size
from ganvas.data.source import hold_out, mix
from ganvas.errors import DataError

Noise = Callable[..., np.ndarray]


@pytest.fixture
def source(tmp_path: Path, noise: Noise) -> Path:
    np.savez(tmp_path / "a.npz", images=noise(50, 9, 7, 3), labels=np.arange(50) % 5)
    return tmp_path / "a.npz"


def the_pack(cache: Path) -> Path:
    (path,) = (cache / "data").glob("*.pack")
    return path


@pytest.mark.parametrize("damage", ["cut", "empty", "pixel", "index", "tail", "longer"])
def test_a_damaged_pack_is_made_again(damage: str, source: Path, own_cache: Path):
    before = open_data(source).images.copy()
    path = the_pack(own_cache)
    content = bytearray(path.read_bytes())
    if damage in ("pixel", "index", "tail"):
        digit = content.index(b'"total_variance": ') + 10  # another digit: still JSON, still the same length
        content[{"pixel": 1000, "index": digit, "tail": -3}[damage]] ^= 1
    path.write_bytes({"cut": content[:-100], "empty": b"", "longer": content + b"x"}.get(damage, content))
    assert pack.opened(path) is None
    assert (open_data(source).images == before).all() and pack.opened(path) is not None


def test_a_pack_that_lacks_a_key_is_made_again(source: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch):
    before = open_data(source).images.copy()
    path = the_pack(own_cache)
    whole = pack._index

    def lacking(file: BinaryIO) -> dict[str, object]:
        index = whole(file)
        assert index is not None
        return {key: value for key, value in index.items() if key != "total_variance"}

    monkeypatch.setattr(pack, "_index", lacking)
    assert pack.opened(path) is None
    monkeypatch.undo()
    assert (open_data(source).images == before).all()


def test_settings_have_packs_of_their_own(source: Path, own_cache: Path):
    open_data(source)
    open_data(source, size=4)
    open_data(source, mirror=True)
    assert len(list((own_cache / "data").glob("*.pack"))) == 2


def test_a_pack_in_a_named_cache(source: Path, tmp_path: Path):
    assert "elsewhere" in open_data(source, cache=tmp_path / "elsewhere").card()["pack"]


def test_two_processes_may_pack_at_once(source: Path, own_cache: Path):
    code = "import sys; from ganvas.data import open_data; print(open_data(sys.argv[1]).fingerprint)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(source)], env=environment, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    told = {process.communicate(timeout=60)[0] for process in both}
    assert [process.returncode for process in both] == [0, 0] and len(told) == 1
    assert the_pack(own_cache) and not list((own_cache / "data").glob(".*"))


def test_leftovers_of_a_killed_process_go(source: Path, own_cache: Path):
    (own_cache / "data").mkdir()
    old, new = own_cache / "data" / ".x.pack.1.part", own_cache / "data" / ".x.pack.2.part"
    for left in (old, new):
        left.write_bytes(b"x")
    os.utime(old, (time.time() - 90_000, time.time() - 90_000))
    open_data(source)
    assert not old.exists() and new.exists()


def test_packs_that_nobody_opens_go(source: Path, own_cache: Path):
    open_data(source)
    mine = the_pack(own_cache)
    other = mine.with_name("0123.pack")
    shutil.copy(mine, other)
    for path in (mine, other):
        os.utime(path, (time.time() - 61 * 86_400, time.time() - 61 * 86_400))
    open_data(source)  # says that it is in use
    open_data(source, size=8)  # writes a second one
    assert mine.exists() and not other.exists()


def test_a_cache_that_cannot_be_written(source: Path, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match=r"cannot write .*GANVAS_CACHE can name another folder"):
        open_data(source, cache=tmp_path / "file")


def test_shipped_sets_need_no_cache(tmp_path: Path):
    (tmp_path / "file").write_text("x")
    assert len(open_data("digits", cache=tmp_path / "file")) == 6630


def test_large_packs_are_checked_by_samples(tmp_path: Path):
    path = tmp_path / "large"
    path.write_bytes(os.urandom(300_000))
    with open(path, "rb") as file:
        whole = pack._sampled_digest(file.fileno(), 300_000)
        assert pack._sampled_digest(file.fileno(), 299_999) != whole


def test_hold_out_takes_from_each_class_in_turn():
    labels = np.repeat(np.arange(10), 5)  # ten classes of five: a tenth is half an image of each
    train, test = hold_out(mix(np.arange(50)), labels, 0.1)
    assert len(test) == 5 and len(set(labels[test])) == 5
    assert sorted([*train, *test]) == list(range(50))
    assert len(hold_out(mix(np.arange(30)), None, 0.1)[1]) == 3
    assert len(hold_out(mix(np.arange(30)), None, 0.0)[1]) == 0


def test_splitmix_gives_the_published_numbers():
    # The generator seeded with 0 gives these first: its state grows by the constant that `mix` adds.
    assert int(mix(np.array([0]))[0]) == 0xE220A8397B1DCDAF


def test_card_is_json_and_counts(tmp_path: Path):
    images = np.zeros((20, 2, 2, 1), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(20)
    images[5] = images[4]
    arrays = {
        "x_train": images,
        "y_train": np.arange(20) % 2,
        "x_test": images[[4, 7]],
        "y_test": np.array([0, 1]),
    }
    np.savez(tmp_path / "a.npz", **arrays)
    card = open_data(tmp_path / "a.npz").card()
    assert json.loads(json.dumps(card)) == card
    assert card["duplicates"] == {"within_train": 1, "within_test": 0, "test_in_train": 2}
    assert card["counts"] == {"train": 20, "test": 2}
    assert card["classes"] == {"train": {"0": 10, "1": 10}, "test": {"0": 1, "1": 1}}
    values = images[:, 0, 0, 0].astype(float)
    mean, square = values.sum() / 80, (values**2).sum() / 80
    assert card["channels"] == [
        {"min": 0, "max": 19, "mean": round(mean, 4), "std": round((square - mean**2) ** 0.5, 4)}
    ]
    assert card["bytes"] == {"train": 80, "test": 8} and card["settings"]["holdout"] == 0.1


def test_the_source_opens_again(source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(source.parent)
    first = open_data("a.npz", size=5)
    monkeypatch.chdir("/")
    again = open_data(first.source, settings=first.settings)
    assert again.fingerprint == first.fingerprint and again.name == "a"


def test_reading_an_image_needs_no_torch():
    code = "import sys; from ganvas.data import read_image, grid, write_png; assert 'torch' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, check=True
    )


def test_public_names_are_all_there():
    import ganvas.data

    assert all(hasattr(ganvas.data, name) for name in ganvas.data.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        ganvas.data.nothing  # noqa: B018


@pytest.mark.parametrize("form", ["npz", "npy", "idx", "parquet"])
def test_a_first_run_reads_its_source_once(form: str, tmp_path: Path, noise: Noise, monkeypatch: pytest.MonkeyPatch):
    """The size is asked for before the data are opened."""
    pixels = noise(12, 40, 48)
    counted: list[str] = []

    def count(module: object, name: str) -> None:
        plain = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args: counted.append(name) or plain(*args))

    path = tmp_path / f"a.{form}"
    if form == "npz":
        np.savez(path, images=pixels)
        count(arrays, "read_npz")
    elif form == "npy":
        np.save(path, pixels)
        count(arrays, "read_npy")
    elif form == "idx":
        sides = b"".join(side.to_bytes(4, "big") for side in pixels.shape)
        path.write_bytes(b"\0\0\x08\x03" + sides + pixels.tobytes())
        count(arrays, "read_idx")
    else:
        pyarrow, written = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        written.write_table(pyarrow.table({"image": [png_bytes(one[..., None]) for one in pixels]}), path)
        count(parquet, "_read_rows")
    assert stored_size(path, DataSettings()) == (40, 48)
    assert len(counted) == 1
    assert len(open_data(path, holdout=0)) == 12
    assert len(counted) == 1
    open_data(path, holdout=0, fit="pad")  # nothing was kept for another one
    assert len(counted) == 2
