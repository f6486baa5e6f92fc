"""Videos as a source: their frames as images, or clips of `data.frames` frames each.

    films/a.mp4 films/b.gif            files of video and animations; folders are labels and splits, as of images
    walk/0.png walk/1.png              with data.frames, a folder of images whose names count is one video
    a.npz                              `videos` uint8 (N, T, H, W, C) or (N, T, H, W), `labels` (N,), `rate`

Each file is decoded once, in its own order, and what is taken of it goes to a temporary file at the size of the training. Frames
that follow each other are nearly equal: neither does each become an image, nor are some of them held out of the others. Of ten
videos and more, whole ones are held out, else the last part of each.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ganvas.data import arrays, image, passed_over, video
from ganvas.data.image import Broken, fit, to_channels
from ganvas.data.labels import choose_labels, class_name
from ganvas.data.layout import Layout, arrange, ordered
from ganvas.data.scan import Files, Problems
from ganvas.data.settings import DataSettings
from ganvas.data.source import (
    Block,
    Counter,
    Listing,
    Loaded,
    Part,
    Progress,
    background,
    block_rows,
    broken_message,
    hold_out,
    mix,
    name_keys,
    resize_notes,
    size_facts,
    size_rule,
    target_shape,
)
from ganvas.data.video import ANIMATED_SUFFIXES, VideoHead
from ganvas.errors import DataError, UsageError

IMAGES_PER_SECOND = 2.0  # frames of a video that become images, where data.every is not given
FRAME_THUMBNAIL_SIDE = 16  # pixels of the side at which frames are compared
SAME_LEVELS = 2.0  # of 255: frames whose thumbnails differ by less, on average, are taken as equal
MIN_WHOLE_VIDEOS = 10  # videos, of which whole ones are held out
MAX_CLIP_SIDE = 64  # pixels of the longer side of clips, where data.max_size is not set
RATE_TOLERANCE = 1.1  # of the rates of several videos, largest over smallest, before it is told
MAX_SOURCE_FRAMES = 1_000_000  # taken of all videos together


class Video(NamedTuple):
    """A file of video, or a folder of frames. `frames` gives each frame in turn, and raises Broken."""

    name: str
    head: VideoHead
    frames: Callable[[], Iterator[np.ndarray]]
    is_animation: bool = False


class Taken(NamedTuple):
    """What was taken of all videos: `records` hold it, and say of which video and which place in it each is."""

    records: Records
    videos: np.ndarray
    places: np.ndarray
    problems: Problems
    omitted: int


class Records:
    """Arrays uint8 of one shape in a temporary file that goes when this does."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.count = shape, 0
        self._bytes = int(np.prod(shape))
        self._file = tempfile.TemporaryFile()  # noqa: SIM115, closed by __del__
        self._lock = threading.Lock()

    def __del__(self) -> None:
        self._file.close()

    def add(self, array: np.ndarray) -> None:
        """Appends one."""
        self._file.seek(self.count * self._bytes)
        self._file.write(np.ascontiguousarray(array).data)
        self.count += 1

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(n, *shape) of the rows (n,)."""
        result = np.empty((len(rows), *self.shape), np.uint8)
        with self._lock:
            for place, row in enumerate(rows.tolist()):
                self._file.seek(row * self._bytes)
                result[place] = np.frombuffer(self._file.read(self._bytes), np.uint8).reshape(self.shape)
        return result


def list_videos(files: Files, name: str) -> Listing:
    """Files of video, and animations, as a source."""
    found = functools.cache(lambda: _read_heads(files))

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        videos, problems = found()
        return _load(files, videos, problems, settings, progress)

    return Listing(name, str(files.root), files.identity("video"), load)


def list_frames(files: Files, name: str) -> Listing:
    """Folders of images whose names count, each folder one video, for data.frames."""

    def load(settings: DataSettings, progress: Progress) -> Loaded:
        return _load(files, _in_folders(files), list(files.problems), settings, progress)

    return Listing(name, str(files.root), files.identity("frames"), load, kind="video")


def load_npz(path: Path, settings: DataSettings, progress: Progress) -> Loaded:
    """`videos` uint8 (N, T, H, W, C) or (N, T, H, W), with `labels` (N,), `classes` and `rate` where they are there. Videos that
    are longer than data.frames are cut into several clips."""
    with arrays.npz_members(path) as (shapes, read):
        whole = read("videos")
        labels = read("labels") if "labels" in shapes else None
        classes = [class_name(one) for one in read("classes").tolist()] if "classes" in shapes else None
        rate = float(read("rate").reshape(-1)[0]) if "rate" in shapes else 8.0
    if (
        whole.dtype != np.uint8
        or whole.ndim not in (4, 5)
        or not whole.size
        or (whole.ndim == 5 and whole.shape[4] not in (1, 3))
    ):
        raise DataError(
            f"{path}: videos are uint8 (N, T, H, W) or (N, T, H, W, 1 or 3) (got {whole.dtype} {whole.shape})"
        )
    whole = whole[..., None] if whole.ndim == 4 else whole
    if labels is not None:
        labels = arrays.checked_labels(labels, len(whole), f"{path}: labels", "video")
    return from_videos(str(path), {"train": (whole, labels)}, rate, settings, progress, classes)


def from_videos(
    where: str,
    splits: dict[str, tuple[np.ndarray, np.ndarray | None]],
    rate: float,
    settings: DataSettings,
    progress: Progress,
    classes: Sequence[str] | None = None,
) -> Loaded:
    """Videos uint8 (N, T, H, W, C) by split, with labels (N,) or None, as a source of clips."""
    labels = choose_labels(
        {name: split[1] for name, split in splits.items()}, {name: len(split[0]) for name, split in splits.items()},
        classes, "videos",
    )  # fmt: skip
    sizes = np.array([splits["train"][0].shape[2:4]])
    every = settings.every or 1
    length = settings.frames or splits["train"][0].shape[1] // every
    channels = splits["train"][0].shape[4] if settings.channels == "auto" else int(settings.channels)
    height, width, channels = target_shape(sizes, channels, _bounded(settings))
    parts: dict[str, Part] = {}
    rows = {name: chosen[np.argsort(mix(chosen), kind="stable")] for name, chosen in labels.rows.items()}
    if "test" not in rows:
        own, used = labels.numbers["train"], labels.rows["train"]
        train, test = hold_out(mix(used), None if own is None else own[used], settings.holdout)
        rows = {"train": used[train], "test": used[test]}
    counter = Counter(progress, sum(len(one) for one in rows.values()))
    for name, chosen in rows.items():
        source = name if name in splits else "train"
        numbers = labels.numbers["train" if source == "train" else name]
        whole = splits[source][0]
        if length * every > whole.shape[1]:
            raise DataError(
                f"{where}: videos of {whole.shape[1]} frames hold no clip of data.frames={length}, every {every}.:"
                f" set data.frames to {max(1, whole.shape[1] // every)} or less"
            )
        if len(chosen):
            clips = functools.partial(_array_clips, whole, numbers, chosen, (length, every), (height, width, channels))
            parts[name] = Part((length * height, width, channels), functools.partial(clips, settings, counter))
    facts = {
        "kind": "video", "frames": length, "rate": rate / every, "original_sizes": size_facts(sizes),
        "size_rule": size_rule(sizes, settings), "notes": list(labels.notes),
    }  # fmt: skip
    return Loaded(where, parts, labels.classes, facts=facts)


def _array_clips(
    whole: np.ndarray,
    numbers: np.ndarray | None,
    rows: np.ndarray,
    cut: tuple[int, int],
    shape: tuple[int, int, int],
    settings: DataSettings,
    counter: Counter,
) -> Iterator[Block]:
    """The clips of the videos `rows`: as many of each as follow each other in it."""
    length, every = cut
    each = whole.shape[1] // (length * every)
    step = max(1, block_rows((length * shape[0], *shape[1:])) // each)
    for start in range(0, len(rows), step):
        some = rows[start : start + step]
        frames = whole[some, : each * length * every : every]
        if frames.shape[2:] != shape:
            fitted = [_fitted(frame, shape, settings) for frame in frames.reshape(-1, *frames.shape[2:])]
            frames = np.stack(fitted)
        clips = frames.reshape(len(some) * each, length * shape[0], *shape[1:])
        counter.add(len(some))
        yield Block(clips, None if numbers is None else np.repeat(numbers[some], each))


# --- files --------------------------------------------------------------------------------------------------------------


def _read_heads(files: Files) -> tuple[list[Video], Problems]:
    """Every file that is a video, and the problems of the scan and of the others."""
    videos: list[Video] = []
    problems: Problems = list(files.problems)
    for name in files.names:
        is_animation = Path(name).suffix.lower() in ANIMATED_SUFFIXES
        try:
            with files.open(name) as file:
                head = video.header(file, name)
            videos.append(Video(name, head, functools.partial(_frames_of, files, name), is_animation))
        except (Broken, OSError) as error:
            problems.append((name, str(error)))
    return videos, problems


def _frames_of(files: Files, name: str) -> Iterator[np.ndarray]:
    with files.open(name) as file:
        yield from video.frames(file, name)


def _in_folders(files: Files) -> list[Video]:
    """The images of each folder, in the order of the numbers in their names."""
    folders: dict[str, list[str]] = {}
    for name in files.names:
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    videos: list[Video] = []
    for folder, names in sorted(folders.items()):
        names.sort(key=_by_number)
        with files.open(names[0]) as file:
            height, width, _ = image.header(file)
        head = VideoHead(height, width, 8.0, len(names))
        videos.append(Video(folder or "frames", head, functools.partial(_frames_in_folder, files, names)))
    return videos


def _by_number(name: str) -> list[str | int]:
    """A key that sorts 2.png before 10.png."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"(\d+)", name)]


def _frames_in_folder(files: Files, names: Sequence[str]) -> Iterator[np.ndarray]:
    for name in names:
        with files.open(name) as file:
            try:
                yield image.decode(file)
            except Broken as error:
                raise Broken(f"{name}: {error}") from error


def _load(files: Files, videos: list[Video], problems: Problems, settings: DataSettings, progress: Progress) -> Loaded:
    """Decides shape, splits and labels; the decoding is left to the first block that is drawn."""
    where = str(files.root)
    if not videos:
        raise DataError(broken_message(where, problems, 0, "videos"))
    if settings.fit == "tile":
        raise UsageError("data.fit=tile cuts photos into patches: of videos, use crop, pad or stretch")
    in_clips = settings.frames > 0
    names = [one.name for one in videos]
    sizes = np.array([one.head[:2] for one in videos])
    channels = 3 if settings.channels == "auto" else int(settings.channels)
    shape = target_shape(sizes, channels, _bounded(settings) if in_clips else settings)
    every = [settings.every or _usual_every(one, in_clips) for one in videos]
    total = sum((one.head.frame_count or 0) // step for one, step in zip(videos, every, strict=True))
    counter = Counter(progress, max(1, total))
    taken = functools.cache(lambda: _take(videos, every, shape, settings, counter))

    # Splits and labels are those of the files.
    layout = arrange(names)
    by_time = "test" not in layout.rows and len(names) < MIN_WHOLE_VIDEOS
    rows = {"train": layout.rows["train"]} if by_time else ordered(names, layout, settings)
    splits = ["train", "test"] if by_time and settings.holdout > 0 else list(rows)
    record_shape = (settings.frames * shape[0] if in_clips else shape[0], *shape[1:])
    parts: dict[str, Part] = {}
    for split in splits:
        if by_time or len(rows[split]):
            blocks = functools.partial(_blocks, taken, names, rows, layout, split, settings.holdout, by_time)
            parts[split] = Part(record_shape, blocks)
    facts: dict[str, Any] = {
        "ignored_files": len(files.ignored),
        "passed_over": passed_over.groups(files.ignored, files.suffixes),
        "original_sizes": size_facts(sizes),
        "size_rule": size_rule(sizes, settings),
        "notes": [
            *passed_over.mixed(len(names), "videos", files.ignored),
            *layout.notes,
            _what_is_taken(every, settings, in_clips),
            *resize_notes(sizes, shape, settings, "videos" if in_clips else "images"),
        ],
    }
    if in_clips:
        rates = np.array([one.head.rate / step for one, step in zip(videos, every, strict=True)])
        usual = float(np.median(rates))
        if rates.max() > RATE_TOLERANCE * rates.min():
            facts["notes"] = [*facts["notes"], _mixed_rates(rates, usual)]
        facts |= {"kind": "video", "frames": settings.frames, "rate": round(usual, 3)}
    return Loaded(where, parts, layout.classes, not settings.skip_broken, problems, facts)


def _bounded(settings: DataSettings) -> DataSettings:
    """Clips take `frames` times the memory of images: where nobody says how large, they are smaller."""
    if settings.max_size != DataSettings().max_size:
        return settings
    return dataclasses.replace(settings, max_size=MAX_CLIP_SIDE)


def _usual_every(one: Video, in_clips: bool) -> int:
    if in_clips or one.is_animation:
        return 1
    return max(1, round(one.head.rate / IMAGES_PER_SECOND))


def _mixed_rates(rates: np.ndarray, usual: float) -> str:
    return (
        f"the videos have {rates.min():g} to {rates.max():g} frames a second; all clips count as {usual:g}, and none is"
        " resampled, so that movements differ in speed: train on files of one rate"
    )


def _what_is_taken(every: Sequence[int], settings: DataSettings, in_clips: bool) -> str:
    steps = f"{min(every)}" if min(every) == max(every) else f"{min(every)} to {max(every)}"
    if in_clips:
        which = " that follow each other in the file" if steps == "1" else f", every {steps}. of the file"
        return f"videos are cut into clips of {settings.frames} frames{which} (data.frames, data.every)"
    why = "" if settings.every else f", about {IMAGES_PER_SECOND:g} a second"
    return (
        f"the images are frames of videos, every {steps}.{why} (data.every); those nearly equal to the one taken before are"
        " omitted"
    )


def _fitted(frame: np.ndarray, shape: tuple[int, int, int], settings: DataSettings) -> np.ndarray:
    paper = background(settings)
    return fit(to_channels(frame, shape[2], paper), shape[:2], settings.fit, paper)


def _take(
    videos: Sequence[Video], every: Sequence[int], shape: tuple[int, int, int], settings: DataSettings, counter: Counter
) -> Taken:
    """Decodes all videos."""
    in_clips = settings.frames > 0
    records = Records((settings.frames * shape[0] if in_clips else shape[0], *shape[1:]))
    owners: list[int] = []
    places: list[int] = []
    problems: Problems = []
    omitted = 0
    for number, (one, step) in enumerate(zip(videos, every, strict=True)):
        before, last, clip = records.count, None, []
        try:
            for index, frame in enumerate(one.frames()):
                if index % step:
                    continue
                counter.add(1)
                if records.count >= MAX_SOURCE_FRAMES:
                    raise DataError(
                        f"more than {MAX_SOURCE_FRAMES:,} frames are taken of these videos: raise data.every"
                    )
                fitted = _fitted(frame, shape, settings)
                if in_clips:
                    clip.append(fitted)
                    if len(clip) < settings.frames:
                        continue
                    fitted, clip = np.concatenate(clip), []
                else:
                    thumbnail = _thumbnail(fitted)
                    if last is not None and np.abs(thumbnail - last).mean() < SAME_LEVELS:
                        omitted += 1
                        continue
                    last = thumbnail
                records.add(fitted)
                owners.append(number)
                places.append(records.count - before - 1)
        except Broken as error:
            problems.append((one.name, f"after {records.count - before} {'clips' if in_clips else 'images'}: {error}"))
        if in_clips and records.count == before and (not problems or problems[-1][0] != one.name):
            problems.append(
                (one.name, f"too short: {len(clip)} frames (every {step}.) hold no clip of {settings.frames}")
            )
    return Taken(records, np.array(owners, np.int64), np.array(places, np.int64), problems, omitted)


def _thumbnail(frame: np.ndarray) -> np.ndarray:
    """float32, grey, FRAME_THUMBNAIL_SIDE pixels at most a side: means of areas."""
    grey = frame.mean(axis=2, dtype=np.float32)
    down, across = max(1, grey.shape[0] // FRAME_THUMBNAIL_SIDE), max(1, grey.shape[1] // FRAME_THUMBNAIL_SIDE)
    rows, columns = grey.shape[0] // down, grey.shape[1] // across
    return grey[: rows * down, : columns * across].reshape(rows, down, columns, across).mean(axis=(1, 3))


def _blocks(
    taken: Callable[[], Taken],
    names: Sequence[str],
    rows: dict[str, np.ndarray],
    layout: Layout,
    split: str,
    holdout: float,
    by_time: bool,
) -> Iterator[Block]:
    """What was taken of the videos of one split, in a fixed shuffled order."""
    done = taken()
    chosen = _rows_by_time(done, split, holdout) if by_time else np.flatnonzero(np.isin(done.videos, rows[split]))
    keys = name_keys([f"{names[done.videos[row]]}/{done.places[row]}" for row in chosen.tolist()])
    chosen = chosen[np.argsort(keys, kind="stable")]
    counted = {"frames_of_videos": {"taken": len(chosen)}}
    if split == "train":
        counted["frames_of_videos"]["omitted"] = done.omitted
    empty = np.zeros((0, *done.records.shape), np.uint8)
    no_labels = None if layout.labels is None else np.zeros(0, np.int64)
    yield Block(empty, no_labels, done.problems, counted)
    step = block_rows(done.records.shape)  # pyright: ignore[reportArgumentType]
    for start in range(0, len(chosen), step):
        some = chosen[start : start + step]
        labels = None if layout.labels is None else layout.labels[done.videos[some]]
        yield Block(done.records.read(some), labels)


def _rows_by_time(done: Taken, split: str, holdout: float) -> np.ndarray:
    """The first part of each video for training, the last for testing."""
    rows: list[int] = []
    for number in range(int(done.videos.max(initial=-1)) + 1):
        own = np.flatnonzero(done.videos == number)
        kept = len(own) - int(round(len(own) * holdout, 9))
        rows += (own[:kept] if split == "train" else own[kept:]).tolist()
    return np.array(rows, np.int64)
