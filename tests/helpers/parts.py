"""Tiny but real parts that many tests use: data sets of noise, the smallest form of each method, short trainings."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

import ganvas
from ganvas.abilities import Tokenizes, TwoStage
from ganvas.data import Dataset, open_data
from ganvas.method import Method
from ganvas.registry import create, find, methods_with, presets
from ganvas.run import Run, is_run
from ganvas.settings import settings_of
from ganvas.training.build import build_trainer
from ganvas.training.callbacks import Callback
from ganvas.training.checkpoint import checkpoints, load_state
from ganvas.training.engine import Engine
from ganvas.training.trainer import Budget, Trainer

Shape = tuple[int, int, int]
SHAPES: list[Shape] = [(1, 28, 28), (3, 32, 32), (2, 30, 50)]
SMALLER = {
    "batch_size": 16,
    "z_dim": 8,
    "width": 4,
    "widths": "8-4",
    "n_critic": 2,
    "generator": "16",
    "discriminator": "16",
}


def image_file(shape: Shape, count: int = 40) -> Path:
    """An .npz of labelled noise in the tests' own cache, the same at each call: brighter to the right, class by class;
    partners are mirrored negatives."""
    channels, height, width = shape
    path = Path(os.environ["GANVAS_CACHE"]) / "noise" / f"{channels}x{height}x{width}-{count}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(count)
        labels = random.integers(0, 3, count)
        slope = np.linspace(0, 80, width)[:, None] * (labels[:, None, None, None] / 2)
        images = (random.integers(0, 150, (count, height, width, channels)) + slope).astype(np.uint8)
        np.savez(path, images=images, labels=labels, partners=255 - images[:, :, ::-1])
    return path


@functools.cache
def images(shape: Shape = (1, 28, 28), count: int = 40) -> Dataset:
    """`image_file`, opened. A tenth of it is held out, so batches cross the ends of epochs."""
    return open_data(image_file(shape, count))


def held_out(data: Dataset) -> Dataset:
    """The test split of a data set that has one."""
    part = data.part("test")
    assert part is not None
    return part


def labels_of(data: Any) -> np.ndarray:
    """The labels of a data set or of a block of images that has some."""
    assert data is not None and data.labels is not None
    return data.labels


def folder_of(run: Run | Path) -> Path:
    """The folder of a run, given either way."""
    return run.folder if isinstance(run, Run) else run


@functools.cache
def words(count: int = 800) -> Dataset:
    """A text of `count` words of a small language, the same at each call. A tenth of it is held out."""
    path = Path(os.environ["GANVAS_CACHE"]) / "noise" / f"words-{count}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(count)
    known = ["the", "cat", "sat", "on", "a", "mat,", "and", "dogs", "ran.", "Oh", "no!"]
    lines = [" ".join(random.choice(known, 8)) for _ in range(count // 8)]
    if not path.exists():
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_data(path)


@functools.cache
def sentences(count: int = 120) -> Dataset:
    """Sentences of a small language and their translations, word by word in reverse order, the same at each call."""
    path = Path(os.environ["GANVAS_CACHE"]) / "noise" / f"sentences-{count}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(count)
    known = {
        "the": "le",
        "cat": "chat",
        "sat": "assis",
        "on": "sur",
        "a": "un",
        "mat": "tapis",
        "dogs": "chiens",
        "ran": "courir",
    }
    lines = []
    for number in range(count):
        words = random.choice(list(known), random.integers(2, 7)).tolist()
        lines.append(f"{' '.join(words)} {number}\t{number} {' '.join(known[word] for word in reversed(words))}")
    if not path.exists():
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_data(path, pairs="columns", vocabulary=80)


def clip_file(length: int = 200, count: int = 40) -> Path:
    """An .npz of labelled tones in noise in the tests' own cache, the same at each call: higher class by class."""
    path = Path(os.environ["GANVAS_CACHE"]) / "noise" / f"clips{length}-{count}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(count)
        labels = random.integers(0, 3, count)
        tones = 9000 * np.sin(np.arange(length) * 0.2 * (1 + labels[:, None]))
        audio = (tones + random.normal(0, 900, (count, length))).astype(np.int16)
        lengths = random.integers(length // 2, length + 1, count)
        lengths[: count // 2] = length  # so that auto keeps the whole length
        np.savez(path, audio=audio, labels=labels, lengths=lengths, rate=8000)
    return path


@functools.cache
def clips(length: int = 200, count: int = 40) -> Dataset:
    """`clip_file`, opened."""
    return open_data(clip_file(length, count))


def film_file(height: int = 16, width: int = 16, count: int = 40) -> Path:
    """An .npz of labelled clips in the tests' own cache, the same at each call: noise that grows lighter, class by class."""
    path = Path(os.environ["GANVAS_CACHE"]) / "noise" / f"films{height}x{width}-{count}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(count)
        labels = random.integers(0, 3, count)
        rise = 12 * np.arange(6)[None, :, None, None] * labels[:, None, None, None]
        videos = (random.integers(0, 130, (count, 6, height, width)) + rise).astype(np.uint8)
        np.savez(path, videos=videos, labels=labels)
    return path


@functools.cache
def films(height: int = 16, width: int = 16, count: int = 40) -> Dataset:
    """`film_file`, opened."""
    return open_data(film_file(height, width, count))


@functools.cache
def blocks(side: int = 16, count: int = 40) -> Dataset:
    """Labelled boxes in a grid of side^3 voxels, long in one direction by their class, the same at each call."""
    path = Path(os.environ["GANVAS_CACHE"]) / "noise" / f"blocks{side}-{count}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng(count)
        labels = random.integers(0, 3, count)
        volumes = np.zeros((count, side, side, side), bool)
        for volume, label in zip(volumes, labels, strict=True):
            half = random.integers(2, side // 4, 3)
            half[label] = side // 2 - 1
            start, end = side // 2 - half, side // 2 + half
            volume[start[0] : end[0], start[1] : end[1], start[2] : end[2]] = True
        np.savez_compressed(path, volumes=volumes, labels=labels)
    return open_data(path)


def data_for(method: str | Method, shape: Shape = (1, 28, 28)) -> Dataset:
    """Noise of the kind that the method learns from; `shape` is of images."""
    kind = (find(method) if isinstance(method, str) else method).takes[0]
    made = {"images": lambda: images(shape), "audio": clips, "text": words, "video": films, "volumes": blocks}
    made["parallel_text"] = sentences
    return made[kind]()


def shapes_of(name: str) -> list[Shape]:
    """The shapes that the contract is tried at: three of images, one of all else."""
    return SHAPES if "images" in find(name).takes else SHAPES[:1]


def small(name: str, **settings: Any) -> Method:
    """A method in its preset `tiny`, or made small by hand where it has none."""
    if "tiny" in presets(name):
        return create(name, "tiny", settings)
    known = settings_of(ganvas.create(name))
    return create(name, None, {**{key: value for key, value in SMALLER.items() if key in known}, **settings})


def trainer_for(method: Method, data: Dataset | None = None, steps: int = 100, seed: int = 0) -> Trainer:
    """Builds the method and puts it into the loop's hands, in one process on the CPU."""
    engine = Engine(torch.device("cpu"), "fp32", "as asked")
    return build_trainer(method, Budget(steps=steps), engine, data=data or data_for(method), seed=seed)


def unexpected() -> Any:
    """For Batch.memo, where an earlier update must have computed the value."""
    raise AssertionError("the memo does not hold this value yet")


def train_small(method: str | Method, out: Path | str, steps: int, data: Dataset | None = None, **more: Any) -> Run:
    """A training of few steps without measures; a grid is drawn at its end only."""
    made = small(method) if isinstance(method, str) else method
    chosen: dict[str, Any] = {
        "precision": "fp32",
        "device": "cpu",
        "samples": 0,
        "evaluate_every": 1000,
        **({} if "resume" in more else beneath(made, data or data_for(made.name))),
        **more,
    }
    return ganvas.train(made, data or data_for(made), out=out, steps=steps, **chosen)


def beneath(method: Method, data: Dataset) -> dict[str, Any]:
    """{"codes": a run} for a method that stands on another: of the first that quantises, two steps, made once for each shape."""
    if not isinstance(method, TwoStage):
        return {}
    name = methods_with(Tokenizes).split(", ")[0]
    folder = Path(os.environ["GANVAS_CACHE"]) / "beneath" / "x".join(map(str, data.spec.shape))
    if not is_run(folder):
        train_small(name, folder, 2, data)
    return {"codes": folder}


class Crash(Exception):
    """The power cut of the tests."""


class CrashAfterSaving(Callback):
    """Stops a training right after the checkpoint of one step, as a power cut would."""

    def __init__(self, step: int) -> None:
        self.step = step

    def saved(self, trainer: Trainer) -> None:
        if trainer.steps == self.step:
            raise Crash


def weights(run: Run | Path) -> bytes:
    """The bytes of a run's weights."""
    return (folder_of(run) / "weights.safetensors").read_bytes()


def newest_state(run: Run | Path) -> dict[str, Any]:
    """The newest checkpoint of a run, without the clock, which never reads the same twice."""
    state = load_state(checkpoints(folder_of(run) / "checkpoints")[-1])
    del state["counters"]["seconds"], state["counters"]["other_seconds"]
    return state


def assert_same(a: Any, b: Any, path: str = "") -> None:
    """Two trees are equal to the last bit."""
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            assert_same(a[key], b[key], f"{path}/{key}")
    elif isinstance(a, list):
        assert len(a) == len(b), path
        for number, (one, other) in enumerate(zip(a, b, strict=True)):
            assert_same(one, other, f"{path}/{number}")
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and torch.equal(a, b), path
    else:
        assert a == b, path
