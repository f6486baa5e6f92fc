"""Pretrained weights: where their files are looked for, how they are checked and read, and what to do where there are none.

Looked for, in this order: a path given by the user; the folder $GANVAS_WEIGHTS; our cache and that of torch.hub; an installed
package that carries the file (found by its metadata, never imported); download. What counts is the SHA-256.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import safetensors.torch
import torch
from torch import Tensor, nn

from ganvas.download import DownloadError, is_intact, mirrored
from ganvas.download import download as download_file
from ganvas.errors import GanvasError
from ganvas.files import cache_folder
from ganvas.networks.features.catalog import CATALOG, WeightsFile

# Name of a parameter in a file of weights, and its value.
State = dict[str, Tensor]
N = TypeVar("N", bound=nn.Module)


def shipped(path: Path, sha256: str, make: Callable[[], N]) -> N:
    """A network whose weights come with the package, in evaluation mode and without gradients. GanvasError for a damaged file."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise GanvasError(f"{path} is damaged (its SHA-256 is another): install ganvas again")
    with torch.random.fork_rng(devices=[]):  # first weights are drawn at random: no training should notice
        network = make()
    network.load_state_dict(safetensors.torch.load(content))
    return network.eval().requires_grad_(False)


def find_weights(weights: WeightsFile, path: Path | str | None = None, *, download: bool = True) -> Path:
    """The weights file, its SHA-256 checked; see the top of this file for where it is looked for.

    GanvasError where `path` is not that file, or where nothing is found: it names all the choices.
    """
    if path is not None:
        return _checked(weights, Path(path))
    stored = next(stored_weights(weights), None)
    if stored is not None:
        return stored
    if download and weights.urls:
        return _downloaded(weights)
    raise _missing(weights, "nothing was found on this machine")


def has_weights(weights: WeightsFile) -> bool:
    """Whether the file is on this machine."""
    return next(stored_weights(weights), None) is not None


def stored_weights(weights: WeightsFile) -> Iterator[Path]:
    """Every path on this machine that holds the intact file."""
    folders = [cache_folder() / "weights", Path(torch.hub.get_dir()) / "checkpoints"]
    own = os.environ.get("GANVAS_WEIGHTS")
    if own:
        folders.insert(0, Path(own).expanduser())
    candidates = [folder / weights.name for folder in folders] + _packaged(weights)
    return (path for path in candidates if is_intact(path, weights.remote))


def networks_at_hand() -> Iterator[str]:
    """Names of the feature networks whose weights' files are on this machine, in the catalogue's order; of those that were
    trained on photos only."""
    for name, entry in CATALOG.items():
        if entry.weights is not None and not entry.weights.remark and has_weights(entry.weights):
            yield name


def read_weights(path: Path, weights: WeightsFile) -> State:
    """Tensors by name from a file saved by torch.save; GanvasError where it holds anything else."""
    if not path.is_file():
        raise GanvasError(f"there are no {weights.title} weights at {path}: {choices(weights)}")
    try:
        state = torch.load(path, weights_only=True, map_location="cpu", mmap=zipfile.is_zipfile(path))
    except Exception as error:  # a damaged file fails in many ways
        raise GanvasError(
            f"{path} cannot be read as weights ({type(error).__name__}): name a file like {weights.name}, saved by torch.save"
        ) from None
    if not isinstance(state, dict):
        raise GanvasError(f"{path} holds no weights by name, as {weights.name} does")
    return state


def under(prefix: str, state: State) -> State:
    """The part of a state whose names begin with `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def choices(weights: WeightsFile) -> str:
    """What a user can do to have the weights, in one sentence; a package that carries them comes first."""
    file = f"put {weights.name} into {cache_folder() / 'weights'} (or into the folder that $GANVAS_WEIGHTS names)"
    return f"{weights.install}, or {file}" if weights.package else file


def _checked(weights: WeightsFile, path: Path) -> Path:
    """The file that the user named, or that of the folder that the user named."""
    path = path.expanduser()
    if path.is_dir():
        path = path / weights.name
    if not path.is_file():
        raise GanvasError(f"there are no {weights.title} weights at {path}: name the file {weights.name} or its folder")
    if not is_intact(path, weights.remote):
        again = f"; {weights.install} brings the right one"
        if weights.urls:
            again = f"; get it again from {weights.urls[0]}"
        raise GanvasError(
            f"{path} is not {weights.maker}'s {weights.name} (its SHA-256 should be {weights.sha256}): "
            f"it may be cut short, or of another version{again}"
        )
    return path


def _packaged(weights: WeightsFile) -> list[Path]:
    if not weights.package:
        return []
    try:
        files = importlib.metadata.files(weights.package) or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(str(file.locate())) for file in files if file.name == weights.name]


def _downloaded(weights: WeightsFile) -> Path:
    urls = mirrored(weights.remote, "weights", weights.urls)
    try:
        return download_file(weights.remote, urls, cache_folder() / "weights")
    except DownloadError as error:
        raise _missing(weights, f"downloading them failed ({'; '.join(error.failures)})") from None
    except GanvasError as error:  # the cache cannot be written
        raise _missing(weights, str(error)) from None


def _missing(weights: WeightsFile, reason: str) -> GanvasError:
    return GanvasError(f"the weights of {weights.title} are missing: {reason}. To have them: {choices(weights)}")
