"""Public sets by name: downloaded once into the cache (see ganvas.download), from the first mirror that has the right bytes.

The sums in PUBLIC_SETS: MNIST's occur in many independent projects (TensorFlow's mirror, torch.rb, Guild AI); Fashion-MNIST's
were also found by putting file name and time back into the gzip headers of Debian's dataset-fashion-mnist, which gives these
very sums; CIFAR-10's occur in TensorFlow Datasets, torch.rb and GoMLX. $GANVAS_MIRROR names a server (URL) that is asked first,
as $GANVAS_MIRROR/SET/FILE.
"""

from __future__ import annotations

import dataclasses
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ganvas.data import arrays
from ganvas.data.settings import DataSettings
from ganvas.data.source import Arrays, Listing, Loaded, Progress, from_arrays
from ganvas.download import DownloadError, RemoteFile, download, is_intact, mirrored
from ganvas.errors import DataError


@dataclasses.dataclass(frozen=True)
class PublicSet:
    """`mirrors` are folders (URL) that hold all `files`; `read` makes images of the folder they were put in."""

    files: tuple[RemoteFile, ...]
    mirrors: tuple[str, ...]
    read: Callable[[Path, DataSettings, Progress], Loaded]
    classes: tuple[str, ...]
    home: str


def _read_idx(classes: tuple[str, ...]) -> Callable[[Path, DataSettings, Progress], Loaded]:
    return lambda folder, settings, progress: arrays.load_idx(arrays.idx_files(folder), settings, progress, classes)


CIFAR_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
CIFAR_ROW = 1 + 3 * 32 * 32  # label, then the red, green and blue planes


def read_cifar(folder: Path, settings: DataSettings, progress: Progress) -> Loaded:
    """CIFAR-10 from the archive of its binary version."""
    (path,) = (folder / remote.name for remote in PUBLIC_SETS["cifar10"].files)
    batches = {"train": [f"data_batch_{number}.bin" for number in range(1, 6)], "test": ["test_batch.bin"]}
    rows_of_file: dict[str, np.ndarray] = {}
    splits: dict[str, Arrays] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if not name.endswith(".bin") or member.size % CIFAR_ROW:
                    continue
                file = archive.extractfile(member)
                if file is not None:
                    rows_of_file[name] = np.frombuffer(file.read(), dtype=np.uint8).reshape(-1, CIFAR_ROW)
        for split, names in batches.items():
            rows = np.concatenate([rows_of_file[name] for name in names])
            images = rows[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            splits[split] = Arrays(images, rows[:, 0])
    except (tarfile.TarError, OSError, EOFError, zlib.error, KeyError) as error:
        raise DataError(f"{path} is not the binary version of CIFAR-10: {error}") from error
    return from_arrays(str(path), splits, settings, progress, classes=CIFAR_CLASSES)


_DIGITS = tuple(str(digit) for digit in range(10))
_CLOTHES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")

PUBLIC_SETS: dict[str, PublicSet] = {
    "mnist": PublicSet(
        (
            RemoteFile(
                "train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            RemoteFile(
                "train-labels-idx1-ubyte.gz",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            RemoteFile(
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            RemoteFile(
                "t10k-labels-idx1-ubyte.gz",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        ("https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist"),
        _read_idx(_DIGITS),
        _DIGITS,
        "http://yann.lecun.com/exdb/mnist/",
    ),
    "fashion_mnist": PublicSet(
        (
            RemoteFile(
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            RemoteFile(
                "train-labels-idx1-ubyte.gz",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            RemoteFile(
                "t10k-images-idx3-ubyte.gz",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            RemoteFile(
                "t10k-labels-idx1-ubyte.gz",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
        _read_idx(_CLOTHES),
        _CLOTHES,
        "https://github.com/zalandoresearch/fashion-mnist",
    ),
    "cifar10": PublicSet(
        (
            RemoteFile(
                "cifar-10-binary.tar.gz",
                170052171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            ),
        ),
        (
            "https://www.cs.toronto.edu/~kriz",
            "https://storage.googleapis.com/s4tf-hosted-binaries/datasets/CIFAR10",
        ),
        read_cifar,
        CIFAR_CLASSES,
        "https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
}


def listing(name: str, cache: Path) -> Listing:
    """The set `name`, one of PUBLIC_SETS; its files are fetched when it is first read."""
    public_set = PUBLIC_SETS[name]

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        return public_set.read(fetch(name, cache, progress), settings, progress)

    return Listing(name, name, f"{name} {[file.sha256 for file in public_set.files]}", load)


def fetch(name: str, cache: Path, progress: Progress) -> Path:
    """The folder with all files of a set, downloading what is missing or wrong. DataError says what to put where
    by hand."""
    public_set, folder = PUBLIC_SETS[name], cache / "downloads" / name
    missing = [remote for remote in public_set.files if not is_intact(folder / remote.name, remote)]
    total, done = sum(remote.size for remote in missing), 0
    for index, remote in enumerate(missing):
        urls = mirrored(remote, name, [f"{mirror}/{remote.name}" for mirror in public_set.mirrors])
        try:
            download(remote, urls, folder, lambda here, before=done: progress(before + here, total))
        except DownloadError as error:
            raise DataError(_by_hand(name, folder, missing[index:], error.failures)) from None
        done += remote.size
    return folder


def _by_hand(name: str, folder: Path, missing: list[RemoteFile], failures: list[str]) -> str:
    lines = [f"cannot download {name}:"]
    for failure in failures:
        lines.append(f"  {failure}")
    lines.append(f"Without a network, put into {folder} (home page {PUBLIC_SETS[name].home}):")
    for remote in missing:
        lines.append(f"  {remote.name} ({remote.size:,} bytes, SHA-256 {remote.sha256})")
    return "\n".join(lines)
