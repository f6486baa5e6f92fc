"""Clips of sound, from .wav files in a folder or a zip, or from an .npz with `audio`.

Folders mean what they mean for images: sub-folders are labels, train and test are splits. All clips come to one rate and one
length, and travel as bytes until they are a data set (see kinds/audio.py).
"""

from __future__ import annotations

import collections
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data import arrays, folder, image, wav
from ganvas.data.folder import Found, Opener
from ganvas.data.image import Broken
from ganvas.data.kinds.audio import as_bytes
from ganvas.data.settings import DataSettings
from ganvas.data.source import (
    Counter,
    Listing,
    Loaded,
    Part,
    Progress,
    as_text,
    block_rows,
    broken_message,
    hold_out,
    label_numbers,
    mix,
)
from ganvas.errors import DataError

USUAL_RATE = 8000  # of an .npz that does not say
WHOLE, LONGEST = (
    95,
    4.0,
)  # percent of the clips that are not cut, and seconds of a clip, where data.seconds is not given

Clip = Callable[[int], np.ndarray | None]


def outnumbers(found: Found) -> bool:
    """Whether there are more .wav files than what was looked for."""
    sounds = sum(Path(name).suffix.lower() in wav.SUFFIXES and not folder.is_hidden(name) for name in found.ignored)
    return sounds > len(found.names) + len(found.problems)


def list_folder(path: Path, name: str) -> Listing:
    """The .wav files under a folder."""
    root = path.resolve()
    found = folder.scan_folder(root, wav.SUFFIXES)
    return _listing(found, name, root, lambda item: image.open_regular(root / item))


def list_zip(path: Path, name: str) -> Listing:
    """The .wav files in a zip."""
    archive = folder.open_zip(path)
    found = folder.scan_zip(archive, path, wav.SUFFIXES)
    return _listing(found, name, path.resolve(), lambda item: folder.unzipped(archive, item))


def load_npz(path: Path, settings: DataSettings, progress: Progress) -> Loaded:
    """`audio` (N, L), or one row with the `lengths` (N,) of clips that follow each other, int16 or floats in [-1, 1]; with
    `labels` (N,), `classes` and `rate` where they are there."""
    with arrays.npz_members(path) as (shapes, read):
        names = [name for name in ("audio", "lengths", "rate", "classes") if name in shapes]
        held = {name: read(name) for name in names}
        marks = next((name for name in arrays.LABEL_NAMES if name in shapes), None)
        labels = None if marks is None else read(marks)
    clips = _clips(held["audio"], held.get("lengths"), str(path))
    if labels is not None:
        labels = arrays.checked_labels(labels, len(clips), f"{path}: {marks}", "clip")
    own = _own_rate(held.get("rate"), path)
    rate = settings.rate or own
    facts = _facts(
        np.array([len(clip) for clip in clips]) / own, collections.Counter([own] * len(clips)), rate, settings
    )
    facts["rate_from"] = "the file" if "rate" in held else f"the file has no `rate`, so {USUAL_RATE} was assumed"
    changed: collections.Counter[str] = collections.Counter()
    head = wav.Wav(own, 1, 16, False, 0, 0)

    def clip(row: int) -> np.ndarray:
        made, changes = wav.convert(clips[row][:, None], head, rate)
        _note(facts, changed, changes)
        return made

    classes = held.get("classes")
    names, numbers = label_numbers([labels], None if classes is None else [as_text(one) for one in classes.tolist()])
    train, test = hold_out(mix(np.arange(len(clips))), numbers[0], settings.holdout)
    rows = {"train": train, "test": test}
    return _loaded(str(path), rows, numbers[0], names, clip, facts, settings, progress)


def _listing(found: Found, name: str, root: Path, opener: Opener) -> Listing:
    identity = json.dumps(["audio", str(root), found.stamps, found.problems])
    return Listing(name, str(root), identity, lambda settings, progress: _load(found, root, opener, settings, progress))


def _load(found: Found, root: Path, opener: Opener, settings: DataSettings, progress: Progress) -> Loaded:
    """Reads every header, decides rate, length, splits and labels, and leaves the samples to the blocks."""
    problems = list(found.problems)
    names, heads = _headers(found.names, opener, problems)
    if not names:
        raise DataError(broken_message(str(root), problems, 0, "clips"))
    rates = collections.Counter(head.rate for head in heads)
    rate = settings.rate or max(rates, key=lambda one: (rates[one], one))
    facts = _facts(np.array([head.frames / head.rate for head in heads]), rates, rate, settings)
    tree = folder.arrange(names)
    facts |= {"ignored_files": len(found.ignored), "unused_folders": tree.unused}
    changed: collections.Counter[str] = collections.Counter()

    def clip(row: int) -> np.ndarray | None:
        try:
            with opener(names[row]) as file:
                made, changes = wav.read(file, rate, facts["length"])
        except (Broken, OSError) as error:
            problems.append((names[row], str(error)))
            return None
        _note(facts, changed, changes)
        return made

    rows = folder.ordered(names, tree, settings)
    loaded = _loaded(str(root), rows, tree.labels, tree.classes, clip, facts, settings, progress)
    loaded.problems = problems
    return loaded


def _headers(names: Sequence[str], opener: Opener, problems: list[tuple[str, str]]) -> tuple[list[str], list[wav.Wav]]:
    """Names with a sound header and those headers; the others go to `problems`."""
    good, heads = [], []
    for name in names:
        try:
            with opener(name) as file:
                heads.append(wav.header(file))
            good.append(name)
        except (Broken, OSError) as error:
            problems.append((name, str(error)))
    return good, heads


def _facts(seconds: np.ndarray, rates: collections.Counter[int], rate: int, settings: DataSettings) -> dict[str, Any]:
    """What the sheet says of clips `seconds` (N,) long, of which there are so many at each of `rates`."""
    usual = min(LONGEST, float(np.percentile(seconds, WHOLE)))
    wanted = settings.seconds or usual
    length = max(1, int(np.ceil(round(wanted * rate, 6))))
    # Half a sample of a converted clip is no cut.
    cut, padded = int((seconds * rate > length + 0.5).sum()), int((seconds * rate < length - 0.5).sum())
    rule = "set" if settings.seconds else f"{WHOLE} of 100 clips are whole, at most {LONGEST:g} s"
    return {
        "kind": "audio",
        "rate": rate,
        "length": length,
        "length_rule": f"{rule}: {cut} are cut, {padded} have silence added at their end",
        "original_seconds": {
            "min": round(float(seconds.min()), 4),
            "median": round(float(np.median(seconds)), 4),
            "max": round(float(seconds.max()), 4),
        },
        "original_rates": {str(one): count for one, count in sorted(rates.items())},
        "converted": {},
    }


def _note(facts: dict[str, Any], changed: collections.Counter[str], changes: Sequence[str]) -> None:
    changed.update(changes)
    facts["converted"] = dict(sorted(changed.items()))


def _loaded(
    where: str, rows: dict[str, np.ndarray], labels: np.ndarray | None, classes: tuple[str, ...], clip: Clip,
    facts: dict[str, Any], settings: DataSettings, progress: Progress,
) -> Loaded:  # fmt: skip
    counter = Counter(progress, sum(len(part) for part in rows.values()))
    parts = {split: _part(part, labels, facts["length"], clip, counter) for split, part in rows.items() if len(part)}
    return Loaded(where, parts, classes, not settings.skip_broken, facts=facts)


def _part(rows: np.ndarray, labels: np.ndarray | None, length: int, clip: Clip, counter: Counter) -> Part:
    """Clips `rows` of one split, each `length` samples: as bytes (1, length, 2)."""
    part = Part((1, length, 2), lambda: drawn())

    def drawn() -> Iterator[np.ndarray]:
        kept: list[int] = []
        step = block_rows(part.shape)
        for start in range(0, len(rows), step):
            block = rows[start : start + step].tolist()
            sound = [(row, one) for row in block if (one := clip(row)) is not None]
            kept += [row for row, _ in sound]
            counter.add(len(block))
            if sound:
                yield as_bytes([one for _, one in sound], length)
        part.labels = None if labels is None else labels[kept]

    return part


def _clips(audio: np.ndarray, lengths: np.ndarray | None, where: str) -> list[np.ndarray]:
    """Each clip int16 (L,), from (N, L) or from one row and its lengths."""
    if audio.dtype.kind == "f":
        if not np.abs(audio).max(initial=0) <= 1.001:  # a NaN fails too
            raise DataError(f"{where}: audio holds floats outside [-1, 1]; scale them, or store int16")
        audio = np.clip(np.rint(audio.astype(np.float64) * 32768), -32768, 32767).astype(np.int16)
    if audio.dtype != np.int16:
        raise DataError(f"{where}: audio holds {audio.dtype}; int16, or floats in [-1, 1], are taken")
    if audio.ndim not in (1, 2) or not audio.size:
        raise DataError(f"{where}: audio has shape {audio.shape}; (N, L), or one row with `lengths`, is taken")
    if lengths is None:
        if audio.ndim == 1:
            raise DataError(
                f"{where}: audio is one row of {len(audio):,} samples, and there are no `lengths` to cut it by"
            )
        return list(audio)
    if lengths.dtype.kind not in "iu" or lengths.ndim != 1 or not len(lengths) or lengths.min() < 1:
        raise DataError(f"{where}: lengths must be integers above 0, one for each clip")
    if audio.ndim == 2:
        if len(lengths) != len(audio) or lengths.max() > audio.shape[1]:
            raise DataError(f"{where}: lengths {lengths.shape} do not fit audio {audio.shape}")
        return [clip[:length] for clip, length in zip(audio, lengths, strict=True)]
    if int(lengths.sum()) != len(audio):
        raise DataError(f"{where}: lengths sum to {int(lengths.sum()):,}, and audio holds {len(audio):,} samples")
    return np.split(audio, np.cumsum(lengths)[:-1])


def _own_rate(rate: np.ndarray | None, path: Path) -> int:
    if rate is None:
        return USUAL_RATE
    low, high = wav.RATES
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not low <= float(rate.reshape(-1)[0]) <= high:
        raise DataError(f"{path}: rate must be one number of samples a second, from {low} to {high:,}")
    return round(float(rate.reshape(-1)[0]))
