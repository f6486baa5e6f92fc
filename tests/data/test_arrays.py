"""IDX, .npy and .npz: shapes, number types, splits, and headers that promise too much."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ganvas.data import open_data
from ganvas.data.arrays import read_idx, to_images
from ganvas.errors import DataError
from parts import held_out, labels_of

Noise = Callable[..., np.ndarray]


def idx(array: np.ndarray, kind: int = 0x08) -> bytes:
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write_mnist(
    folder: Path, images: np.ndarray, labels: np.ndarray, ending: str = ".gz", split: str = "train"
) -> None:
    pack = gzip.compress if ending == ".gz" else bytes
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{split}-images-idx3-ubyte{ending}").write_bytes(pack(idx(images)))
    (folder / f"{split}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels)))


def npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez_compressed(path, **arrays)  # pyright: ignore[reportArgumentType]
    return path


def rows(dataset: object) -> set[bytes]:
    return {image.tobytes() for image in dataset.images}  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_named_as_mnist_gives_two_labelled_splits(ending: str, tmp_path: Path, noise: Noise):
    images, labels = noise(30, 6, 5), np.arange(30, dtype=np.uint8) % 3
    images[:, 0, 0] = labels
    write_mnist(tmp_path, images[:20], labels[:20], ending)
    write_mnist(tmp_path, images[20:], labels[20:], ending, "t10k")
    train = open_data(tmp_path)
    assert rows(train) == {image.tobytes() for image in images[:20]} and len(held_out(train)) == 10
    assert (train.images[:, 0, 0, 0] == train.labels).all() and train.spec.classes == ("0", "1", "2")
    assert train.images[:, 0, 0, 0].tolist() != images[:20, 0, 0].tolist()  # shuffled, however it was sorted


def test_a_lone_images_file_takes_its_labels(tmp_path: Path, noise: Noise):
    images, labels = noise(20, 4, 4), np.arange(20, dtype=np.uint8) // 2
    write_mnist(tmp_path, images, labels)
    dataset = open_data(tmp_path / "train-images-idx3-ubyte.gz", holdout=0)
    assert len(dataset) == 20 and len(dataset.spec.classes) == 10
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    assert open_data(tmp_path / "train-images-idx3-ubyte.gz").labels is None


def test_idx_by_content_whatever_its_name(tmp_path: Path, noise: Noise):
    (tmp_path / "images.bin").write_bytes(idx(noise(5, 4, 4)))
    assert open_data(tmp_path / "images.bin").images.shape == (5, 4, 4, 1)


def test_an_idx_file_is_not_its_own_labels(tmp_path: Path, noise: Noise):
    (tmp_path / "a.idx").write_bytes(idx(noise(5, 4, 4)))
    with gzip.open(tmp_path / "a.idx.gz", "wb") as file:
        file.write(idx(noise(5, 4, 4)))
    for name in ("a.idx", "a.idx.gz"):
        assert open_data(tmp_path / name).labels is None


def test_labels_of_another_count_are_refused(tmp_path: Path, noise: Noise):
    write_mnist(tmp_path, noise(5, 4, 4), np.arange(4, dtype=np.uint8))
    with pytest.raises(DataError, match=r"labels-idx1-ubyte.gz has shape \(4,\); 5 labels are needed"):
        open_data(tmp_path)


def test_idx_headers_that_promise_too_much(tmp_path: Path, noise: Noise):
    good = idx(noise(5, 4, 4))
    (tmp_path / "cut").write_bytes(good[:-1])
    (tmp_path / "long").write_bytes(good + b"x")
    (tmp_path / "huge").write_bytes(b"\0\0\x08\x03" + b"\xff" * 12)
    (tmp_path / "huge.gz").write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12))
    (tmp_path / "short.gz").write_bytes(gzip.compress(good[:-1]))
    (tmp_path / "cut.gz").write_bytes(gzip.compress(good)[:-9])
    (tmp_path / "other").write_bytes(b"hello")
    for name, reason in (
        ("cut", "declares 5 x 4 x 4 = 80 bytes, which cannot be in a file with 79"),
        ("long", "cannot be in a file with 81"),
        ("huge", "declares 4294967295 x 4294967295"),
        ("huge.gz", "declares 4294967295 x 4294967295"),
        ("short.gz", "holds 79"),
        ("cut.gz", "cannot read"),
        ("other", "is not an IDX file"),
    ):
        with pytest.raises(DataError, match=reason):
            read_idx(tmp_path / name)


def test_endless_files_are_refused(tmp_path: Path):
    for name in ("a.npz", "a.npy", "a.zip", "train-images-idx3-ubyte"):
        (tmp_path / name).symlink_to("/dev/zero")
        with pytest.raises(DataError, match="it is a device"):
            open_data(tmp_path / name)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "b.npz")
        with pytest.raises(DataError, match="it is a pipe"):
            open_data(tmp_path / "b.npz")


def test_npz_with_images_labels_and_partners(tmp_path: Path, noise: Noise):
    images, labels = noise(40, 30, 50, 2), np.repeat([3, 7], 20)
    images[:, 0, 0, 0] = labels
    dataset = open_data(npz(tmp_path / "a.npz", images=images, labels=labels, partners=255 - images))
    assert dataset.spec.shape == (2, 30, 50) and dataset.spec.paired and dataset.name == "a"
    assert dataset.spec.classes == ("3", "7") and len(dataset) == 36
    assert np.bincount(labels_of(held_out(dataset))).tolist() == [2, 2]
    assert (np.where(dataset.labels == 0, 3, 7) == dataset.images[:, 0, 0, 0]).all()
    assert (dataset.partners == 255 - dataset.images).all()


def test_npz_as_keras_writes_it(tmp_path: Path, noise: Noise):
    arrays = {
        "x_train": noise(6, 4, 4, 3),
        "y_train": np.arange(6)[:, None] % 2,
        "x_test": noise(2, 4, 4, 3),
        "y_test": np.array([[0], [1]]),
    }
    dataset = open_data(npz(tmp_path / "a.npz", **arrays))
    assert len(dataset) == 6 and len(held_out(dataset)) == 2 and dataset.spec.classes == ("0", "1")


def test_npz_with_other_names(tmp_path: Path, noise: Noise):
    first = noise(5, 4, 4)
    dataset = open_data(npz(tmp_path / "a.npz", target=np.arange(9), faces=first, more=noise(5, 9, 9)))
    assert rows(dataset) == {image.tobytes() for image in first} and dataset.labels is None
    medical = npz(
        tmp_path / "b.npz",
        train_images=first,
        train_labels=np.arange(5),
        test_images=first[:2],
        test_labels=np.arange(2),
    )
    assert len(held_out(open_data(medical))) == 2
    with pytest.raises(DataError, match=r"holds no images .*target \(9,\)"):
        open_data(npz(tmp_path / "c.npz", target=np.arange(9)))


def test_npz_class_names(tmp_path: Path, noise: Noise):
    names = np.array(["cat", "dog", "emu"])
    path = npz(tmp_path / "a.npz", images=noise(4, 4, 4), labels=np.array([0, 1, 0, 1]), classes=names)
    assert open_data(path).spec.classes == ("cat", "dog", "emu")
    for name, marks in (
        ("e", {"labels": np.array([b"cat", b"dog"] * 2)}),
        ("f", {"labels": np.array([0, 1] * 2), "classes": names[:2].astype("S")}),
    ):
        assert open_data(npz(tmp_path / f"{name}.npz", images=noise(4, 4, 4), **marks)).spec.classes == ("cat", "dog")
    with pytest.raises(DataError, match="labels must be integers from 0 to 2"):
        open_data(npz(tmp_path / "b.npz", images=noise(4, 4, 4), labels=np.array([0, 1, 0, 3]), classes=names))
    with pytest.raises(DataError, match=r"labels \(3,\) do not belong to images \(4, 4, 4\)"):
        open_data(npz(tmp_path / "c.npz", images=noise(4, 4, 4), labels=np.arange(3)))
    with pytest.raises(DataError, match="labels must be integers or text, got float64"):
        open_data(npz(tmp_path / "d.npz", images=noise(4, 4, 4), labels=np.arange(4) + 0.5))


def test_both_splits_have_one_range(tmp_path: Path):
    """The test images are mid grey, which alone would pass for black."""
    train = np.linspace(-1, 1, 4 * 16, dtype=np.float32).reshape(4, 4, 4)
    path = npz(tmp_path / "a.npz", x_train=train, x_test=np.zeros((2, 4, 4), np.float32))
    test = open_data(path).part("test")
    assert test is not None and set(np.unique(test.images)) == {128}


def test_number_types():
    def one(value: object, dtype: str) -> int:
        return to_images(np.full((2, 4, 4), value, dtype=dtype), "x")[0, 0, 0, 0]

    assert one(200, "uint8") == 200 and one(True, "bool") == 255
    assert one(200 * 257, "uint16") == one(200 * 257, ">u2") == 200
    assert one(0.2, "float32") == 51 and one(1.0, "float16") == 255 and one(0.0, "float64") == 0
    nearly = np.array([-1e-7, 1 + 1e-7, 0.2, 0], dtype=np.float32).reshape(1, 2, 2)  # what resizing leaves of [0, 1]
    assert to_images(nearly, "x").ravel().tolist() == [0, 255, 51, 0]
    signed = np.array([-1.0, 0.0, 1.0, 0.6], dtype=np.float32).reshape(1, 2, 2)
    assert to_images(signed, "x").ravel().tolist() == [0, 128, 255, 204]


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.full((2, 4, 4), 255.0), "float64 from 255 to 255.*are taken"),
        (np.full((2, 4, 4), np.nan), "from nan to nan"),
        (np.full((2, 4, 4), 9), r"int64 from 9 to 9.*astype\('uint8'\)"),
        (np.full((2, 4, 4), 1j), "complex128"),
        (np.zeros((4, 4)), r"shape \(4, 4\)"),
        (np.zeros((0, 4, 4)), r"shape \(0, 4, 4\)"),
        (np.zeros((2, 16, 16, 16)), "neither the last nor the second"),
        (np.zeros((2, 3, 3, 3)), "not clear which number is channels"),
    ],
)
def test_arrays_that_are_refused(array: np.ndarray, reason: str):
    with pytest.raises(DataError, match=reason):
        to_images(array, "here")


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 28, 28), (2, 28, 28, 1)),
        ((2, 30, 50, 2), (2, 30, 50, 2)),
        ((2, 3, 32, 48), (2, 32, 48, 3)),
        ((2, 32, 48, 5), (2, 32, 48, 5)),
        ((2, 8, 8, 1), (2, 8, 8, 1)),
        ((2, 1, 8, 8), (2, 8, 8, 1)),
        ((2, 4, 4, 3), (2, 4, 4, 3)),
    ],
)
def test_axes(shape: tuple[int, ...], expected: tuple[int, ...]):
    assert to_images(np.zeros(shape, dtype=np.uint8), "x").shape == expected


def test_npy_stays_unread_until_packed(tmp_path: Path, noise: Noise):
    np.save(tmp_path / "a.npy", noise(12, 3, 16, 20))
    assert open_data(tmp_path / "a.npy").spec.shape == (3, 16, 20)
    np.save(tmp_path / "b.npy", np.asfortranarray(noise(12, 16, 20, 5)))
    fortran = open_data(tmp_path / "b.npy", holdout=0)
    assert rows(fortran) == {np.ascontiguousarray(image).tobytes() for image in noise(12, 16, 20, 5)}


def test_channels_of_arrays(tmp_path: Path, noise: Noise):
    path = npz(tmp_path / "a.npz", images=noise(4, 9, 9, 3))
    assert open_data(path, channels=1).spec.channels == 1
    with pytest.raises(DataError, match="cannot be made of arrays with 5 channels"):
        open_data(npz(tmp_path / "b.npz", images=noise(4, 9, 9, 5)), channels=3)
    five = open_data(tmp_path / "b.npz", size="12x10", fit="pad", holdout=0)
    assert five.images.shape == (4, 12, 10, 5)


def header(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_npy_and_npz_headers_that_promise_too_much(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header((1_000_000, 4096, 4096)) + b"\0" * 64)
    with pytest.raises(DataError, match=r"images\.npy declares 1000000 x 4096 x 4096 uint8"):
        open_data(tmp_path / "a.npz")
    (tmp_path / "a.npy").write_bytes(header((1_000_000, 4096, 4096)) + b"\0" * 64)
    with pytest.raises(DataError, match="declares 1000000 x 4096 x 4096"):
        open_data(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(header((-1, 4, 4)))
    with pytest.raises(DataError, match=r"shape \(-1, 4, 4\)"):
        open_data(tmp_path / "b.npy")


def test_pickled_arrays_are_never_loaded(tmp_path: Path):
    trap = np.empty(3, dtype=object)
    np.savez(tmp_path / "a.npz", images=trap)
    np.save(tmp_path / "a.npy", trap)
    for name in ("a.npz", "a.npy"):
        with pytest.raises(DataError, match="pickled Python objects, which are never loaded"):
            open_data(tmp_path / name)


def test_damaged_npz(tmp_path: Path, noise: Noise):
    path = npz(tmp_path / "a.npz", images=noise(40, 8, 8))
    whole = path.read_bytes()
    path.write_bytes(whole[:-40])
    with pytest.raises(DataError, match=r"cannot read .*a\.npz"):
        open_data(path)
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 255
    path.write_bytes(broken)
    with pytest.raises(DataError, match=r"cannot read .*a\.npz"):
        open_data(path)


def test_several_idx_sets_in_one_folder(tmp_path: Path, noise: Noise):
    for name in ("emnist-letters-train", "emnist-digits-train"):
        write_mnist(tmp_path, noise(4, 4, 4), np.arange(4, dtype=np.uint8), split=name)
    with pytest.raises(DataError, match=r"several sets \(emnist-digits-, emnist-letters-\)"):
        open_data(tmp_path)
    assert len(open_data(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz", holdout=0)) == 4
