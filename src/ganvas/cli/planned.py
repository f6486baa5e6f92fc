"""Which images a command reads, with which masks, and where each result goes: checked before anything is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from ganvas.data.photo import Photo


def plan(
    images: list[Path], out: Path, endings: Sequence[str] = (".png",)
) -> list[tuple[str, Callable[[], Photo], Path]]:
    """(name, function that reads it, path of its results without `endings`) of each image.

    UsageError if two results would have the same path, or one would overwrite an original."""
    from ganvas.data.photo import find_photos
    from ganvas.errors import UsageError

    planned: list[tuple[str, Callable[[], Photo], Path]] = []
    taken: dict[Path, str] = {}
    every = [(path, find_photos(path)) for path in images]
    originals = {(path / name if path.is_dir() else path).resolve() for path, photos in every for name, _ in photos}
    for _, photos in every:
        for name, read in photos:
            place = out / Path(name).with_suffix("")
            for result in (place.with_name(place.name + ending) for ending in endings):
                if result in taken:
                    raise UsageError(
                        f"{taken[result]} and {name} would both be written to {result}: restore them into two folders"
                    )
                if result.resolve() in originals:
                    raise UsageError(f"the result of {name} would overwrite {result}: choose another --out")
                taken[result] = name
            planned.append((name, read, place))
    return planned


def masks_for(names: list[str], mask: Path | None) -> Callable[[str], np.ndarray] | None:
    """A function from an image's name to its mask: always the one file, or the file of that stem in the folder.

    DataError if a mask is missing."""
    from ganvas.data.layout import normal
    from ganvas.data.masks import as_mask
    from ganvas.data.photo import find_photos, read_photo
    from ganvas.errors import DataError

    if mask is None:
        return None
    if not mask.is_dir():
        only = as_mask(read_photo(mask), f"the mask {mask}")
        return lambda name: only
    readers = {Path(normal(name)).with_suffix(""): read for name, read in find_photos(mask)}
    missing = [name for name in names if Path(normal(name)).with_suffix("") not in readers]
    if missing:
        raise DataError(f"there is no mask for {missing[0]} in {mask}: each mask needs the name of its image")
    return lambda name: as_mask(readers[Path(normal(name)).with_suffix("")](), f"the mask of {name} in {mask}")
