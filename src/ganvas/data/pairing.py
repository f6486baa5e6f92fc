"""Partners of image files: the two halves of each image, or the files of the same names in a second place."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from ganvas.data.decode import read_headers
from ganvas.data.layout import without_common_folders
from ganvas.data.scan import Files, Headers, Problems
from ganvas.data.settings import DataSettings
from ganvas.errors import DataError


def in_halves(headers: Headers) -> Headers:
    """The shapes of the halves; images without two equal ones become problems."""
    names: list[str] = []
    shapes: list[tuple[int, int, int]] = []
    problems = list(headers.problems)
    for name, (height, width, channels) in zip(headers.names, headers.shapes.tolist(), strict=True):
        if width % 2 or width == 0:
            problems.append((name, f"{width} pixels wide, so it has no two equal halves"))
        else:
            names.append(name)
            shapes.append((height, width // 2, channels))
    return headers._replace(names=names, shapes=np.array(shapes, dtype=np.int64).reshape(-1, 3), problems=problems)


def by_name(headers: Headers, files: Files, others: Files, settings: DataSettings) -> tuple[Headers, dict[str, str]]:
    """Images that have a sound partner of the same size, with the channels of both, and the partner of each name.

    One error names all that have none, or they become problems where broken images are skipped.
    """
    here, there = str(files.root), str(others.root)

    # Which names belong together. The partner of a broken image is not to blame.
    broken_names = [name for name, _ in headers.problems]
    all_keys = _keys(sorted({*files.names, *broken_names}), here)
    other_keys = _keys(others.names, there)
    sound = set(headers.names)
    partners: dict[str, str] = {}
    alone: Problems = []
    for key, name in all_keys.items():
        if name not in sound:
            continue
        if key in other_keys:
            partners[name] = other_keys[key]
        else:
            alone.append((name, f"no partner in {there}"))
    for key, name in other_keys.items():
        if key not in all_keys:
            alone.append((f"{there}/{name}", f"no image of that name in {here}"))
    if not partners:
        some = f"{headers.names[0]}, ..." if headers.names else "nothing"
        raise DataError(
            f"no image in {there} has the name of one in {here} (there: {others.names[0]}, ...; here: {some}):"
            " partners have the same path and name, endings aside; data.unpaired=true takes any"
        )

    # Which of them have the same size.
    other_headers = read_headers(list(partners.values()), others.open)
    other_shapes = dict(zip(other_headers.names, other_headers.shapes.tolist(), strict=True))
    names: list[str] = []
    shapes: list[tuple[int, int, int]] = []
    unequal: Problems = []
    for name, shape in zip(headers.names, headers.shapes.tolist(), strict=True):
        partner_shape = other_shapes.get(partners.get(name, ""))
        if partner_shape is None:
            continue
        if partner_shape[:2] != shape[:2]:
            unequal.append((name, f"{_size(shape)}, its partner {_size(partner_shape)}"))
            continue
        names.append(name)
        shapes.append((*shape[:2], max(shape[2], partner_shape[2])))

    if not settings.skip_broken and (alone or unequal):
        raise DataError(_unpaired_message(here, there, alone + unequal))
    broken = [(f"{there}/{name}", reason) for name, reason in [*others.problems, *other_headers.problems]]
    problems = [*headers.problems, *alone, *unequal, *broken]
    return headers._replace(names=names, shapes=np.array(shapes).reshape(-1, 3), problems=problems), partners


def _keys(names: Sequence[str], where: str) -> dict[str, str]:
    """Names by what they share with their partner's: without the folders around everything, and without the ending."""
    keys: dict[str, str] = {}
    for path, name in zip(without_common_folders(names), names, strict=True):
        key = os.path.splitext("/".join(path))[0]
        if key in keys:
            raise DataError(
                f"{where} holds {keys[key]} and {name}, which differ in the ending only: it is not clear whose partner is whose"
            )
        keys[key] = name
    return keys


def _unpaired_message(here: str, there: str, problems: Problems) -> str:
    """Everything that is wrong with the pairs in one message; a long list is cut."""
    lines = [f"{len(problems)} images of {here} and {there} do not pair:"]
    lines += [f"  {name}: {reason}" for name, reason in problems[:20]]
    if len(problems) > 20:
        lines.append(f"  ... and {len(problems) - 20} more")
    return "\n".join([*lines, "Repair or remove them; data.skip_broken=true leaves them out."])


def _size(shape: Sequence[int]) -> str:
    return f"{shape[1]} x {shape[0]} pixels"
