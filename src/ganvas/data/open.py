"""`open_data`: from a name or a path to images, clips, text or volumes in memory."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ganvas import files
from ganvas.data import (
    arrays,
    audio,
    builtin_sets,
    folder,
    hugging_face,
    objects,
    pack,
    parallel,
    parquet,
    partners,
    public,
    shards,
    sound,
    text,
    video,
    video_source,
    volume,
)
from ganvas.data.dataset import Dataset, missing_split
from ganvas.data.file_kinds import CATALOGUES, IMAGES, PARQUET, TABLES, VIDEOS, VOLUMES
from ganvas.data.image import refuse_endless, suffixes
from ganvas.data.kinds import KINDS, check_settings
from ganvas.data.scan import Files, scan_folder, scan_videos, scan_zip, stamp
from ganvas.data.settings import MAX_SIDE, DataSettings, chosen, make_fingerprint, parse_size
from ganvas.data.source import Listing, Progress, silent
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, GanvasError, MissingExtra, UsageError, nearest
from ganvas.settings import change

OPENABLE = "a zip or tar of images or .wav files, an IDX file (.gz too), .npz, .npy or .parquet, a text in UTF-8"
TORCHVISION = "torchvision:"
Found = Listing | text.Source | parallel.ParallelSource
_read: list[Listing] = []  # what stored_size read last, its partners too, for the open_data that follows it
OF_TORCHVISION = {"MNIST": "mnist", "FashionMNIST": "fashion_mnist", "CIFAR10": "cifar10"}


def open_data(
    source: Any,
    *,
    split: str = "train",
    settings: DataSettings | None = None,
    cache: Path | str | None = None,
    progress: Progress | None = None,
    **changes: object,
) -> Dataset:
    """The images or clips of `source`, one split of them; `.part("test")` gives the other.

    `source` is the name of a set that comes with the package (digits, emoji, emoji:twitter, stacked_digits, shapes) or is
    downloaded once (mnist, fashion_mnist, cifar10), or a path: a folder (sub-folders are labels; train and test
    folders are splits), a zip file of the same, IDX files, .npz or .npy; or a text, or a folder of texts. A folder or zip
    with more .wav files than images, and an .npz with `audio`, are clips. Likewise .binvox files, meshes (.obj, .stl, .ply)
    and an .npz with `volumes` are volumes. hf:OWNER/NAME, parquet:FILE,
    wds:shards-{000..009}.tar and torchvision:CIFAR10 name data sets of this ecosystem. `source` may also be a Python object:
    arrays, lists of images or paths, (images, labels), data sets of torch, torchvision or Hugging Face, a data frame, a dict
    of train and test. `changes` are data settings:
    `open_data("photos", size=64, fit="pad")`.

    Decoded once into `cache` (the user's cache folder). `progress(done, total)` counts bytes while downloading and
    images while decoding. UsageError for settings, DataError for everything about the data.
    """
    asked = change(settings or DataSettings(), changes, where="data.")
    parse_size(asked.size)
    kept = files.cache_folder() if cache is None else Path(cache)
    listing = find(str(source), kept, asked) if isinstance(source, str | Path) else objects.list_object(source)
    if isinstance(listing, text.Source) and asked.partner is not None:
        listing, asked = _aligned(listing, asked)
    if isinstance(listing, Listing):
        listing = _as_read_before(listing)
        listing, asked = partners.joined(listing, asked, lambda other: _as_read_before(_images(other, kept, asked)))
    _read.clear()
    datasets = _opened(listing, asked, kept, progress or silent)
    if split not in datasets:
        raise missing_split(listing.name, split, asked.holdout)
    if asked.unpaired and all(one.partners is None for one in datasets.values()):
        raise DataError(
            f"{listing.name} has no partners to draw in an order of their own: name them with data.partner=PATH"
        )
    return datasets[split]


def stored_size(
    source: str | Path, settings: DataSettings, *, cache: Path | str | None = None
) -> tuple[int, int] | None:
    """(H, W) that data.size=auto gives where max_size sets no limit; no pixel is read. None where nobody has to ask: for sound
    and text, a set that comes with the package, a size that was given."""
    if parse_size(settings.size) is not None or source in builtin_sets.BUILTIN_SETS or source in public.PUBLIC_SETS:
        return None
    kept = files.cache_folder() if cache is None else Path(cache)
    listing = find(str(source), kept, settings)
    if not isinstance(listing, Listing) or listing.identity is None or not KINDS[listing.kind].is_image:
        return None
    asked = dataclasses.replace(settings, max_size=MAX_SIDE)
    _read[:] = [listing]

    def find_partner(other: str) -> Listing:
        _read.append(_images(other, kept, asked))
        return _read[-1]

    listing, asked = partners.joined(listing, asked, find_partner)
    path = kept / "data" / f"{_key(listing, asked)}.size"

    # As it was found the last time, or by reading headers.
    with contextlib.suppress(OSError, ValueError):
        height, width = json.loads(path.read_text())
        return int(height), int(width)
    loaded = listing.load(asked, silent)
    if "train" not in loaded.parts:
        return None
    height, width, _ = loaded.parts["train"].shape
    with contextlib.suppress(GanvasError):
        files.write_text(path, json.dumps([height, width]))
    return height, width


def _as_read_before(listing: Listing) -> Listing:
    """The same source as `stored_size` has read it just now, if it has."""
    for one in _read:
        if listing.identity is not None and (one.identity, one.source) == (listing.identity, listing.source):
            return one
    return listing


def find(source: str, cache: Path, settings: DataSettings) -> Found:
    """The source behind a name or path; nothing is decoded yet. Names come before paths: ./digits is a folder. `settings` say
    whether animations and folders of images are videos."""
    if source in builtin_sets.BUILTIN_SETS:
        return builtin_sets.listing(source)
    if source in public.PUBLIC_SETS:
        return public.listing(source, cache)
    named = _by_prefix(source, cache)
    if named is not None:
        return named
    path = Path(source).expanduser()
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise DataError(_nothing(source, error)) from None
    return _listed_folder(path, settings) if stat.S_ISDIR(mode) else _listed_file(path, settings)


def _by_prefix(source: str, cache: Path) -> Listing | None:
    """A source that names its kind: hf:, parquet:, wds:, torchvision:; None for others."""
    if source.startswith(hugging_face.HUGGING_FACE_PREFIX):
        return hugging_face.list_hub(source)
    if source.startswith(parquet.PARQUET_PREFIX):
        path = Path(source.removeprefix(parquet.PARQUET_PREFIX)).expanduser()
        if not path.exists():
            raise DataError(f"there is no file or folder {path}: parquet: takes a path on this machine")
        return parquet.list_parquet(path, _name(path))
    if source.startswith(shards.SHARDS_PREFIX):
        return _listed_shards(shards.expanded(source.removeprefix(shards.SHARDS_PREFIX)), source)
    if source.startswith(TORCHVISION):
        name = source.removeprefix(TORCHVISION)
        if name in OF_TORCHVISION:
            return public.listing(OF_TORCHVISION[name], cache)
        raise DataError(
            f"by name, {', '.join(TORCHVISION + known for known in OF_TORCHVISION)} are read. Others can be given as objects in"
            f" Python: ganvas.train(data=torchvision.datasets.{name or 'NAME'}(...))"
        )
    if source.startswith(objects.OBJECT_PREFIX):
        raise DataError(
            f"this run was trained on a Python object ({source.removeprefix(objects.OBJECT_PREFIX)}), which no path names: "
            "give it again in Python, as data="
        )
    return None


def _listed_shards(paths: list[Path], source: str) -> Listing:
    files = shards.scan_shards(paths)
    pattern = Path(source.removeprefix(shards.SHARDS_PREFIX)).name
    name = re.split(r"\W*\{|\.", pattern)[0] or "shards"
    listing = folder.list_images(files, name, source)
    if len(paths) > 1:
        pattern = os.path.abspath(os.path.expanduser(source.removeprefix(shards.SHARDS_PREFIX)))
        listing.source = shards.SHARDS_PREFIX + pattern
    return listing


def _nothing(source: str, error: OSError | ValueError) -> str:
    names = [*builtin_sets.BUILTIN_SETS, *public.PUBLIC_SETS]
    if isinstance(error, PermissionError):
        return f"cannot look at {source}: no permission"
    hint = nearest(source, names)
    known = f"Sets by name: {', '.join(names)}; or the path of a folder, {OPENABLE}"
    return f"there is no data set and no path {source!r}{hint or '.'} {known}"


def _images(source: str, cache: Path, settings: DataSettings) -> Listing:
    listing = find(source, cache, settings)
    if not isinstance(listing, Listing):
        raise DataError(f"data.partner={source} holds text, and the partners of images are images")
    return listing


def _aligned(listing: text.Source, settings: DataSettings) -> tuple[parallel.ParallelSource, DataSettings]:
    """A text and its translation, and the settings with data.partner as a whole path."""
    assert settings.partner is not None
    partner = Path(settings.partner).expanduser()
    source = Path(listing.source)
    if not source.is_file():
        raise DataError(f"{source} is a folder, and data.partner names the translation of one file of text")
    if settings.unpaired:
        raise UsageError("data.unpaired is about images: sentences are learned with their own translations")
    return parallel.aligned(source, partner, listing.name), dataclasses.replace(
        settings, partner=str(partner.resolve())
    )


def _opened(listing: Found, settings: DataSettings, cache: Path, progress: Progress) -> dict[str, Dataset]:
    if isinstance(listing, text.Source):
        check_settings(settings, KINDS["text"], listing.name)
        return text.datasets(listing, settings)
    if isinstance(listing, parallel.ParallelSource):
        check_settings(settings, KINDS["parallel_text"], listing.name)
        return parallel.datasets(listing, settings)
    return _datasets(listing, _packed(listing, settings, cache, progress), settings)


def _listed_folder(path: Path, settings: DataSettings) -> Found:
    if settings.pairs == "columns" and settings.partner is None:
        return parallel.of_folder(path, _name(path))
    try:
        images = arrays.idx_files(path)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    if images:
        return _listed_idx(path, images)
    texts = text.of_folder(path, _name(path), IMAGES | suffixes() | sound.suffixes() | video.suffixes() | PARQUET)
    if texts:
        return texts
    files = scan_folder(path)
    others = _listed_others(path, files, settings, scan_folder, scan_videos)
    if others is not None:
        return others
    if not files.names and any(parquet.is_parquet(Path(name)) for name in files.ignored):
        return parquet.list_parquet(path, _name(path))
    if settings.every is not None:
        raise UsageError(f"data.every is about the frames of videos and animations, and {path} holds none: omit it")
    return folder.list_images(files, _name(path), str(path))


Scan = Callable[[Path, frozenset[str]], Files]
"""The files of a folder or .zip that have one of these suffixes."""


def _listed_others(path: Path, images: Files, settings: DataSettings, scan: Scan, scan_large: Scan) -> Listing | None:
    """The sounds, videos (which `scan_large` lists) or volumes of a folder or .zip. None where it holds others, such as
    `images`."""
    if images.outnumbered_by(sound.suffixes()):
        return audio.list_clips(scan(path, sound.suffixes()), _name(path))
    moving = _listed_videos(path, images, settings, scan_large)
    if moving is not None:
        return moving
    if images.outnumbered_by(VOLUMES):
        return volume.list_volumes(scan(path, VOLUMES), _name(path))
    return None


def _listed_videos(path: Path, images: Files, settings: DataSettings, scan: Scan) -> Listing | None:
    """The videos of a folder or .zip, which `scan` lists by suffixes: files, animations where data.every or data.frames asks for
    their frames, or folders of frames where data.frames does. None where it holds others."""
    if images.outnumbered_by(video.suffixes()):
        return video_source.list_videos(scan(path, video.suffixes()), _name(path))
    if not settings.frames and settings.every is None:
        return None
    animations = [name for name in images.names if Path(name).suffix.lower() in video.ANIMATED_SUFFIXES]
    if animations and 2 * len(animations) > len(images.names):
        return video_source.list_videos(scan(path, video.suffixes() | video.ANIMATED_SUFFIXES), _name(path))
    if settings.frames and images.names:
        return video_source.list_frames(images, _name(path))
    return None


def _listed_file(path: Path, settings: DataSettings) -> Found:
    refuse_endless(path)
    suffix = path.suffix.lower()
    resolved, identity = path.resolve(), json.dumps([stamp(path)])
    as_columns = settings.pairs == "columns" and settings.partner is None
    if suffix in CATALOGUES or (as_columns and (suffix in TABLES or text.looks_like_text(path))):
        return parallel.of_file(path, _name(path))
    if suffix == ".npz" and arrays.has_array(path, "videos"):
        load = functools.partial(video_source.load_npz, resolved)
        return Listing(_name(path), str(resolved), identity, load, kind="video")
    if suffix == ".npz" and arrays.has_array(path, "audio"):
        load = functools.partial(audio.load_npz, resolved)
        return Listing(_name(path), str(resolved), identity, load, kind="audio")
    if suffix == ".npz" and arrays.has_array(path, "volumes"):
        load = functools.partial(volume.load_npz, resolved)
        return Listing(_name(path), str(resolved), identity, load, kind="volumes")
    readers = {".npz": arrays.read_npz, ".npy": arrays.read_npy}
    if suffix in readers:
        return arrays.list_stored(_name(path), str(resolved), identity, functools.partial(readers[suffix], resolved))
    if suffix == ".zip":
        files = scan_zip(path)
        others = _listed_others(path, files, settings, scan_zip, scan_zip)
        return folder.list_images(files, _name(path), str(path)) if others is None else others
    if suffix == ".tar":
        return _listed_shards([path], str(path))
    if parquet.is_parquet(path):
        return parquet.list_parquet(path, _name(path))
    if suffix in sound.suffixes():
        raise DataError(
            f"{path} is 1 clip; training needs two at least, and hundreds to be of use. Name the folder they lie in"
        )
    if suffix in VIDEOS and suffix not in video.suffixes():
        raise MissingExtra(f'{path} is a video, which pip install "ganvas[video]" reads')
    if suffix in video.suffixes() or (suffix in video.ANIMATED_SUFFIXES and video.is_animation(path)):
        return video_source.list_videos(scan_videos(path), _name(path))
    if suffix in VOLUMES:
        raise DataError(
            f"{path} is 1 volume; training needs two at least, and hundreds to be of use. Name the folder they lie in"
        )
    if suffix in IMAGES | suffixes():
        raise DataError(
            f"{path} is 1 image; training needs two at least, and hundreds to be of use. Name the folder they lie in"
        )
    if arrays.is_idx(path):
        return _listed_idx(path, {"train": path})
    if text.looks_like_text(path):
        return text.of_file(path, _name(path))
    raise DataError(f"{path} is of no kind that is read here: a folder of images, {OPENABLE}")


def _listed_idx(path: Path, images: dict[str, Path]) -> Listing:
    resolved = {split: one.resolve() for split, one in images.items()}
    read = list(images.values())
    for images_path in images.values():
        labels_path = arrays.labels_beside(images_path)
        if labels_path is not None:
            read.append(labels_path)
    identity = json.dumps([stamp(one) for one in read])
    return arrays.list_stored(
        _name(path), str(path.resolve()), identity, functools.partial(arrays.read_idx_files, resolved)
    )


def _name(path: Path) -> str:
    resolved = path.resolve()
    return (resolved.name if resolved.is_dir() else resolved.name.split(".")[0]) or "data"


def _packed(listing: Listing, settings: DataSettings, cache: Path, progress: Progress) -> pack.Packed:
    if listing.identity is None:
        return pack.in_memory(listing.load(settings, progress))
    path = cache / "data" / f"{_key(listing, settings)}.pack"
    return pack.opened(path) or pack.in_cache(path, listing.load(settings, progress))


def _key(listing: Listing, settings: DataSettings) -> str:
    """Of the listing's content as these settings bring it into a pack."""
    relevant = chosen(settings)
    for name in ("mirror", "unpaired"):  # a pack is the same with and without
        relevant.pop(name, None)
    return hashlib.sha256(json.dumps([pack.PACK_VERSION, listing.identity, relevant]).encode()).hexdigest()[:32]


def _datasets(listing: Listing, packed: pack.Packed, settings: DataSettings) -> dict[str, Dataset]:
    kind = KINDS[packed.facts.get("kind", "images")]
    check_settings(settings, kind, listing.name)
    datasets: dict[str, Dataset] = {}
    for name, split in packed.splits.items():
        count, height, width, channels = split.images.shape
        counts: list[int] = []
        if split.labels is not None:
            counts = np.bincount(split.labels, minlength=len(packed.classes)).tolist()
        has_partners = split.partners is not None
        spec = DataSpec(
            listing.name,
            channels,
            height,
            width,
            count,
            packed.classes,
            paired=has_partners and not settings.unpaired,
            unpaired=has_partners and settings.unpaired,
            total_variance=packed.total_variance,
            class_counts=tuple(counts),
            label_agreement=packed.facts.get("label_agreement"),
            alpha=settings.alpha,
        )
        examples, spec = kind.unpacked(split.images, spec, packed.facts)
        datasets[name] = Dataset(
            name=listing.name,
            split=name,
            spec=spec,
            examples=examples,
            labels=split.labels,
            partners=split.partners,
            fingerprint=make_fingerprint(split.digest, settings),
            source=listing.source,
            settings=settings,
            matched=packed.matched,
            problems=packed.problems,
            facts=packed.facts,
            _parts=datasets,
        )
    return datasets
