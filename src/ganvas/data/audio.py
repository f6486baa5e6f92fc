"""Clips of sound, from .wav files (FLAC, Ogg, MP3 with the extra `[audio]`) in a folder or a zip, or from an .npz with `audio`.

Folders mean what they mean for images: sub-folders are labels, train and test are splits. All clips come to one rate and one
length, and travel as bytes until they are a data set (see kinds/audio.py).
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ganvas.data import arrays, passed_over, sound, wav
from ganvas.data.image import Broken
from ganvas.data.kinds.audio import as_bytes
from ganvas.data.labels import choose_labels, class_name
from ganvas.data.layout import arrange, ordered
from ganvas.data.scan import Files, Problems
from ganvas.data.settings import DataSettings
from ganvas.data.source import (
    Block,
    Counter,
    Listing,
    Loaded,
    Part,
    Progress,
    block_rows,
    broken_message,
    hold_out,
    mix,
)
from ganvas.errors import DataError

DEFAULT_SAMPLE_RATE = 8000  # of an .npz that does not say
WHOLE, LONGEST = (
    95,
    4.0,
)  # percent of the clips that are not cut, and seconds of a clip, where data.seconds is not given


class Clip(NamedTuple):
    """One clip (L,) int16 at the rate of the set, and what was changed; `samples` is None where it cannot be read."""

    samples: np.ndarray | None
    changes: Sequence[str] = ()
    problem: tuple[str, str] | None = None


def list_clips(files: Files, name: str) -> Listing:
    """The .wav files that `scan_folder` or `scan_zip` found."""
    load = functools.partial(_load, files)
    return Listing(name, str(files.root), files.identity("audio"), load, kind="audio")


def load_npz(path: Path, settings: DataSettings, progress: Progress) -> Loaded:
    """`audio` (N, L), or one row with the `lengths` (N,) of clips that follow each other, int16 or floats in [-1, 1]; with
    `labels` (N,), `classes` and `rate` where they are there."""
    with arrays.npz_members(path) as (shapes, read):
        arrays_read: dict[str, np.ndarray] = {}
        for name in ("audio", "lengths", "rate", "classes"):
            if name in shapes:
                arrays_read[name] = read(name)
        labels, labels_name = None, ""
        for name in arrays.LABEL_NAMES:
            if name in shapes:
                labels, labels_name = read(name), name
                break
    clips = _clips(arrays_read["audio"], arrays_read.get("lengths"), str(path))
    if labels is not None:
        labels = arrays.checked_labels(labels, len(clips), f"{path}: {labels_name}", "clip")
    own = _own_rate(arrays_read.get("rate"), path)
    rate = settings.rate or own
    seconds = np.array([len(clip) for clip in clips]) / own
    length = _length(seconds, rate, settings)
    facts = _facts(seconds, collections.Counter([own] * len(clips)), rate, length, settings)
    facts["rate_from"] = f"the file has no `rate`, so {DEFAULT_SAMPLE_RATE} was assumed"
    if "rate" in arrays_read:
        facts["rate_from"] = "the file"
    head = wav.Wav(own, 1, 16, False, 0, 0)

    def read_clip(row: int) -> Clip:
        samples, changes = wav.convert(clips[row][:, None], head, rate)
        return Clip(samples, changes)

    class_names = None
    if "classes" in arrays_read:
        class_names = [class_name(one) for one in arrays_read["classes"].tolist()]
    chosen = choose_labels({"train": labels}, {"train": len(clips)}, class_names, "clips")
    used, numbers = chosen.rows["train"], chosen.numbers["train"]
    train, test = hold_out(mix(used), None if numbers is None else numbers[used], settings.holdout)
    rows = {"train": used[train], "test": used[test]}
    parts = _parts(rows, numbers, length, read_clip, progress)
    facts["notes"] = list(chosen.notes)
    return Loaded(str(path), parts, chosen.classes, not settings.skip_broken, facts=facts)


def _load(files: Files, settings: DataSettings, progress: Progress) -> Loaded:
    """Reads every header, decides rate, length, splits and labels, and leaves the samples to the blocks."""
    names, heads, problems = _headers(files)
    if not names:
        raise DataError(broken_message(str(files.root), problems, 0, "clips"))
    rates: collections.Counter[int] = collections.Counter()
    seconds: list[float] = []
    for head in heads:
        rates[head.rate] += 1
        seconds.append(head.frames / head.rate)
    rate = settings.rate or max(rates, key=lambda one: (rates[one], one))  # the commonest, of those the highest
    length = _length(np.array(seconds), rate, settings)
    facts = _facts(np.array(seconds), rates, rate, length, settings)
    layout = arrange(names)
    facts |= {
        "ignored_files": len(files.ignored),
        "passed_over": passed_over.groups(files.ignored, files.suffixes),
        "unused_folders": layout.unused,
        "notes": [*passed_over.mixed(len(names), "sounds", files.ignored), *layout.notes],
    }

    def read_clip(row: int) -> Clip:
        try:
            with files.open(names[row]) as file:
                samples, changes = sound.read(file, rate, length)
        except (Broken, OSError) as error:
            return Clip(None, problem=(names[row], str(error)))
        return Clip(samples, changes)

    parts = _parts(ordered(names, layout, settings), layout.labels, length, read_clip, progress)
    return Loaded(str(files.root), parts, layout.classes, not settings.skip_broken, problems, facts)


def _headers(files: Files) -> tuple[list[str], list[wav.Wav], Problems]:
    """Names with a sound header and those headers; the problems are of the scan and of the others."""
    names: list[str] = []
    heads: list[wav.Wav] = []
    problems = list(files.problems)
    for name in files.names:
        try:
            with files.open(name) as file:
                heads.append(sound.header(file))
            names.append(name)
        except (Broken, OSError) as error:
            problems.append((name, str(error)))
    return names, heads, problems


def _length(seconds: np.ndarray, rate: int, settings: DataSettings) -> int:
    """Samples of each clip at `rate`, for clips that are `seconds` (N,) long."""
    usual = min(LONGEST, float(np.percentile(seconds, WHOLE)))
    return max(1, int(np.ceil(round((settings.seconds or usual) * rate, 6))))


def _facts(
    seconds: np.ndarray, rates: collections.Counter[int], rate: int, length: int, settings: DataSettings
) -> dict[str, object]:
    """What the data card says of clips `seconds` (N,) long, of which there are so many at each of `rates`."""
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


def _parts(
    rows: dict[str, np.ndarray],
    labels: np.ndarray | None,
    length: int,
    read_clip: Callable[[int], Clip],
    progress: Progress,
) -> dict[str, Part]:
    """Clips `rows` by split, each `length` samples: as bytes (1, length, 2)."""
    shape = (1, length, 2)
    counter = Counter(progress, sum(len(part) for part in rows.values()))

    def blocks(part: np.ndarray) -> Iterator[Block]:
        step = block_rows(shape)
        for start in range(0, len(part), step):
            chosen = part[start : start + step]
            good: list[np.ndarray] = []
            good_rows: list[int] = []
            problems: Problems = []
            converted: collections.Counter[str] = collections.Counter()
            for row in chosen.tolist():
                clip = read_clip(row)
                if clip.samples is not None:
                    good.append(clip.samples)
                    good_rows.append(row)
                if clip.problem is not None:
                    problems.append(clip.problem)
                converted.update(clip.changes)
            counter.add(len(chosen))
            good_labels = None if labels is None else labels[np.array(good_rows, dtype=np.int64)]
            yield Block(as_bytes(good, length), good_labels, problems, {"converted": converted})

    parts: dict[str, Part] = {}
    for split, part in rows.items():
        if len(part):
            parts[split] = Part(shape, functools.partial(blocks, part))
    return parts


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
        return DEFAULT_SAMPLE_RATE
    low, high = wav.RATES
    if rate.size != 1 or rate.dtype.kind not in "iuf" or not low <= float(rate.reshape(-1)[0]) <= high:
        raise DataError(f"{path}: rate must be one number of samples a second, from {low} to {high:,}")
    return round(float(rate.reshape(-1)[0]))
