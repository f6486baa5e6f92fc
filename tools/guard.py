"""Shows whether a change of the code changed a number: records what every method computes, and compares it later.

    python tools/guard.py record FILE.json [METHOD ...]
    python tools/guard.py compare FILE.json [METHOD ...]

`record` trains every registered method (preset tiny, fp32, CPU, one thread, fixed seeds, data made here) and uses the run by
every command that takes one. FILE.json then holds, for each method and shape of data:

    steps      every logged scalar of every step, as float hex
    weights    shape and sha256 of every tensor of weights.safetensors (raw and averaged)
    made       sha256 of what it makes: samples, previews, restored, translated and stylised images, codes, reconstructions
    figures    every number that `ganvas evaluate --json` says
    choices    the scalars of two steps with every choice of every setting, where the rest is as in tiny
    names      keys of its settings.json, its log and of every --json; they are listed where they differ, and no failure

and for "cli": the keys of the other --json outputs, and the default of every setting of every method and preset.

`compare` does the same again and compares on the same machine: exit code 1 where a number differs. Numbers are compared
without their names (as multisets), so renamed log keys, weights and figures are no failure: they are printed as "keys removed"
and "keys added". METHOD names (and "cli") restrict either command to those; `compare` of some takes seconds.
`record` of some replaces those in an existing FILE.json and keeps the others.

Whatever here touches ganvas stands in the section "what of ganvas is used": adapt it there when names or modules move. A number
that changes on purpose: say which and why in the commit, and record that method anew.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported
os.environ["NO_COLOR"] = "1"

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import ganvas

STEPS = 20
CHOICE_STEPS = 2
SEED = 3
IMAGE_SHAPES = ((1, 28, 28), (3, 32, 32))
NEEDS_CODES_OF = {"code_prior": "vq_vae"}  # a method that learns the codes of a run of another
DEVICE = ("--device", "cpu")
OF_THE_MACHINE = {
    "second", "seconds", "minute", "minutes", "machine", "memory", "date", "time", "threads", "versions", "fingerprint",
    "sha256", "git",
}  # fmt: skip

Record = dict[str, Any]


# --- what of ganvas is used: adapt here ---------------------------------------------------------------------------------


def method_names() -> list[str]:
    """All registered methods."""
    listed = run_command("methods", "--json").json
    return sorted(entry["name"] for entry in listed["methods"])


def kind_of_data(method: str) -> str:
    """ "images", "audio" or "text": what a method learns from."""
    kind = str(ganvas.create(method).takes[0])
    return kind if kind in ("audio", "text") else "images"


def choices_of(method: str) -> list[tuple[str, str]]:
    """Every (setting, choice) of a method's settings that have choices."""
    settings = run_command("methods", method, "--json").json["settings"]
    allowed = {setting["name"]: str(setting["allowed"]) for setting in settings}
    return [
        (name, choice)
        for name, words in allowed.items()
        if words.startswith("one of ")
        for choice in words.removeprefix("one of ").split(", ")
    ]


class Watcher(ganvas.Callback):
    """Keeps every logged scalar of every step; with checkpoint_every=1 a training calls `saved` after each one."""

    def __init__(self) -> None:
        self.steps: dict[int, dict[str, float]] = {}

    def saved(self, trainer: Any) -> None:
        self.steps[trainer.steps] = dict(trainer.numbers())


def train(method: str, data: Path, out: Path, steps: int, **settings: str) -> Watcher:
    """A training of the preset tiny with all that depends on the machine pinned; `out` becomes its run folder."""
    watcher = Watcher()
    more: dict[str, Any] = {}
    if method in NEEDS_CODES_OF:
        more["codes"] = codes_run(NEEDS_CODES_OF[method], data)
    ganvas.train(
        method, data, out=out, preset="tiny", settings=settings, steps=steps, seed=SEED, device="cpu", precision="fp32",
        compile="off", samples=0, evaluate_every=10**6, checkpoint_every=1, callbacks=[watcher], **more,
    )  # fmt: skip
    return watcher


def codes_run(method: str, data: Path) -> Path:
    """A short run whose codes another method learns, made once for each file of data."""
    folder = data.parent / f"codes-{method}-{data.stem}"
    if not folder.exists():
        train(method, data, folder, 2)
    return folder


def samples(folder: Path, n: int, seed: int, **more: Any) -> Any:
    """New samples of a run: uint8 (n, H, W, C), int16 (n, L), or a list of texts; ganvas.GanvasError where it has none."""
    return ganvas.load(folder).sample(n, seed=seed, **more)


def numbers_in(text: str) -> Iterator[float]:
    """Numbers in a text that is nothing but numbers and separators, such as "8-8-16"."""
    if re.fullmatch(r"[\d.,\-x ()\[\]]+", text):
        yield from map(float, re.findall(r"\d+(?:\.\d+)?", text))


class Ended:
    """What a command left behind."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        """The JSON object on stdout."""
        return json.loads(self.out)


def run_command(*words: object) -> Ended:
    """`python -m ganvas WORDS` in this process."""
    from ganvas.cli.main import main

    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Ended(code, out.getvalue(), err.getvalue())


def commands_for(kind: str, folder: Path, data: Path, inputs: Path, out: Path) -> dict[str, list[object]]:
    """Every command that takes a run, by a name of its own. Where a method cannot do it, its exit code is recorded."""
    found: dict[str, list[object]] = {
        "evaluate": ["evaluate", folder, "--samples", 16, "--importance-samples", 3, "--json", *DEVICE],
        "doctor": ["doctor", folder, "--json"],
    }
    if kind != "images":
        sample = ["sample", folder, "-n", 2, "--seed", 7, *DEVICE]
        found["sample"] = [*sample, "--out", out / "sample"]
        found["continue"] = [*sample, "--prompt", "the cat", "--out", out / "continue"]
        return found
    photo, style, mask = inputs / "photo.png", inputs / "style.png", inputs / "mask.png"
    own, own_mask = inputs / data.stem / "own.png", inputs / data.stem / "mask.png"
    stylise = ["stylise", photo, "--run", folder, "--json", *DEVICE]
    restore = ["restore", folder, photo, "--json", *DEVICE]
    restore_own = ["restore", folder, own, "--mask", own_mask, "--json", *DEVICE]
    made: dict[str, list[object]] = {
        "animate": ["sample", folder, "-n", 2, "--animate", out / "animate" / "a.png", *DEVICE],
        "edit": ["edit", folder, "--traverse", "--seeds", "3-4", "--values", 3, "--out", out / "edit" / "a.png", *DEVICE],
        "interpolate": ["edit", folder, "--interpolate", 3, 8, "--steps", 3, "--out", out / "interpolate" / "a.png", *DEVICE],
        "encode": ["encode", folder, data, "--split", "test", "--out", out / "encode" / "a.npz", *DEVICE],
        "decode": ["decode", folder, out / "encode" / "a.npz", "--out", out / "decode", *DEVICE],
        "restore": [*restore, "--out", out / "restore"],
        "restore-mask": [*restore, "--mask", mask, "--out", out / "restore-mask"],
        "restore-own": [*restore_own, "--out", out / "restore-own"],
        "restore-many": [*restore_own, "-n", 3, "--seed", 4, "--out", out / "restore-many"],
        "translate": ["translate", folder, photo, "--out", out / "translate", "--json", *DEVICE],
        "translate-back": ["translate", folder, photo, "--direction", "ba", "--out", out / "translate-back", *DEVICE],
        "translate-array": ["translate", folder, data, "--out", out / "translate-array", "--json", *DEVICE],
        "stylise": [*stylise, "--out", out / "stylise" / "a.png"],
        "stylise-by": [*stylise, "--style", style, "--strength", 0.7, "--out", out / "stylise-by" / "a.png"],
    }  # fmt: skip
    return {**found, **made}


def commands_of_cli(runs: dict[str, Path], data: dict[str, Path], inputs: Path, out: Path) -> dict[str, list[object]]:
    """The --json commands that are about more than one run, or about none."""
    photo, style = inputs / "photo.png", inputs / "style.png"
    images = data["images"]
    training = ["--preset", "tiny", "--steps", 3, "--samples", 8, "--precision", "fp32", "--json", *DEVICE]
    quick = ["--precision", "fp32", "--set", "steps=3", "--set", "levels=2", "--json", *DEVICE]
    return {
        "train": ["train", "dcgan", "--data", images, "--out", out / "train", *training],
        "train --dry-run": ["train", "dcgan", "--data", images, "--dry-run", "--out", out / "dry", *training],
        "methods": ["methods", "--json"],
        "methods NAME": ["methods", "r3gan", "--json"],
        "data images": ["data", images, "--out", out / "images.png", "--json"],
        "data audio": ["data", data["audio"], "--out", out / "audio.png", "--json"],
        "data text": ["data", data["text"], "--json"],
        "compare": ["compare", *runs.values(), "--out", out / "compare.html", "--json"],
        "evaluate IMAGES": ["evaluate", images, "--data", images, "--json"],
        "stylise by optimising": [
            "stylise", photo, "--style", style, "--network", "digits", "--out", out / "gatys.png", *quick,
        ],
    }  # fmt: skip


# --- data and inputs: noise, the same at each call ----------------------------------------------------------------------


def write_data(folder: Path, count: int = 48) -> dict[str, Path]:
    """Labelled images of each shape with partners, labelled clips, and a text: files by "images 1x28x28", "audio", "text"."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, Path] = {}
    for channels, height, width in IMAGE_SHAPES:
        random = np.random.default_rng(count)
        labels = random.integers(0, 3, count)
        slope = np.linspace(0, 80, width)[:, None] * (labels[:, None, None, None] / 2)
        images = (random.integers(0, 150, (count, height, width, channels)) + slope).astype(np.uint8)
        name = f"images {channels}x{height}x{width}"
        found[name] = folder / f"images-{channels}x{height}x{width}.npz"
        np.savez(found[name], images=images, labels=labels, partners=255 - images[:, :, ::-1])
    random = np.random.default_rng(count)
    labels = random.integers(0, 3, count)
    tones = 9000 * np.sin(np.arange(200) * 0.2 * (1 + labels[:, None]))
    lengths = random.integers(100, 201, count)
    lengths[: count // 2] = 200
    audio = (tones + random.normal(0, 900, (count, 200))).astype(np.int16)
    found["audio"] = folder / "clips.npz"
    np.savez(found["audio"], audio=audio, labels=labels, lengths=lengths, rate=8000)
    words = ["the", "cat", "sat", "on", "a", "mat,", "and", "dogs", "ran.", "Oh", "no!"]
    found["text"] = folder / "words.txt"
    found["text"].write_text("".join(" ".join(random.choice(words, 8)) + "\n" for _ in range(100)), encoding="utf-8")
    return found


def write_inputs(folder: Path) -> Path:
    """photo.png with alpha, its mask.png, and style.png; for each file of images a folder with a photo and a mask of its size."""
    folder.mkdir(parents=True, exist_ok=True)
    style = np.random.default_rng(1).integers(0, 256, (10, 12, 3)).astype(np.uint8)
    Image.fromarray(style.repeat(4, 0).repeat(4, 1)).save(folder / "style.png")
    write_photo(folder / "photo.png", folder / "mask.png", 32, 40, 4)
    for channels, height, width in IMAGE_SHAPES:
        own = folder / f"images-{channels}x{height}x{width}"
        own.mkdir(exist_ok=True)
        write_photo(own / "own.png", own / "mask.png", height, width, channels)
    return folder


def write_photo(path: Path, mask_path: Path, height: int, width: int, channels: int) -> None:
    """A smooth image of 1, 3 or 4 channels, and a mask with one hole."""
    rows, columns = np.mgrid[0:height, 0:width]
    photo = np.stack([columns * 5, rows * 6, 255 - columns * 5, np.full_like(rows, 200)], 2).astype(np.uint8)
    Image.fromarray(photo[..., 0] if channels == 1 else photo[..., :channels]).save(path)
    mask = np.zeros((height, width), np.uint8)
    mask[8:20, 10:24] = 255
    Image.fromarray(mask).save(mask_path)


# --- recording ----------------------------------------------------------------------------------------------------------


class Guard:
    """Data and runs of one call of this tool, in a folder that is removed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = write_data(folder / "data")
        self.inputs = write_inputs(folder / "inputs")

    def cases(self, method: str) -> dict[str, Path]:
        """The files of data that a method is tried on."""
        kind = kind_of_data(method)
        return {name: path for name, path in self.data.items() if name.startswith(kind)}

    def record(self, method: str) -> Record:
        """Everything of one method: a record for each of its `cases`."""
        if method == "cli":
            return {"cli": self.record_cli()}
        return {name: self.record_case(method, name, number) for number, name in enumerate(self.cases(method))}

    def record_case(self, method: str, case: str, number: int) -> Record:
        """One method on one file of data. What takes long without saying more is done for the first file only."""
        data = self.data[case]
        folder = self.folder / "runs" / f"{method}-{data.stem}"
        with quiet():
            watcher = train(method, data, folder, STEPS)
        made: dict[str, str] = {}
        names: dict[str, list[str]] = {
            "log keys": sorted({key for row in watcher.steps.values() for key in row}),
            "log.jsonl": keys_of_log(folder / "log.jsonl"),
            "settings.json": sorted(keys_of(json.loads((folder / "settings.json").read_text()))),
            "files of the run": sorted(files_of(folder)),
        }
        figures: dict[str, str] = {}
        previews = [path for path in sorted((folder / "samples").rglob("*")) if path.is_file()]
        for path in previews:
            made |= hashes_of_file(f"preview {path.relative_to(folder / 'samples')}", path)
        made |= self.sampled(folder, {"seed 5": {}, **({"label 1": {"label": 1}} if number == 0 else {})})
        kind = kind_of_data(method)
        out = self.folder / "out" / folder.name
        for name, words in commands_for(kind, folder, data, self.inputs, out).items():
            (out / name).mkdir(parents=True, exist_ok=True)
            with quiet():
                ended = run_command(*words)
            made[f"exit code of {name}"] = str(ended.code)
            if ended.code == 0 and "--json" in words:
                names[f"{name} --json"] = sorted(keys_of(ended.json))
            if name == "evaluate" and ended.code == 0:
                figures = dict(numbers_of(ended.json))
            for path in sorted((out / name).rglob("*")):
                if path.is_file():
                    made |= hashes_of_file(f"{name} {path.relative_to(out / name)}", path)
        record: Record = {
            "steps": {str(step): in_hex(row) for step, row in sorted(watcher.steps.items())},
            "weights": weights_of(folder / "weights.safetensors"),
            "made": made,
            "figures": figures,
            "names": names,
        }
        if number == 0:
            record["choices"] = self.choices(method, data)
        return record

    def sampled(self, folder: Path, asked: dict[str, dict[str, Any]]) -> dict[str, str]:
        """Hashes of samples, one for each way of asking."""
        found: dict[str, str] = {}
        for name, more in asked.items():
            with quiet():
                try:
                    found[f"samples, {name}"] = hash_of(samples(folder, 6, seed=5, **more))
                except ganvas.GanvasError:
                    found[f"samples, {name}"] = "none"
        return found

    def choices(self, method: str, data: Path) -> dict[str, dict[str, str]]:
        """The scalars at the end of few steps with every choice of every setting."""
        found: dict[str, dict[str, str]] = {}
        for setting, choice in choices_of(method):
            name = f"{setting}={choice}"
            folder = self.folder / "choices" / f"{method}-{name}"
            with quiet():
                try:
                    watcher = train(method, data, folder, CHOICE_STEPS, **{setting: choice})
                    found[name] = in_hex(watcher.steps[CHOICE_STEPS])
                except ganvas.GanvasError:
                    found[name] = {"refused": "refused"}
            shutil.rmtree(folder, ignore_errors=True)
        return found

    def record_cli(self) -> Record:
        """Keys of what the other commands print, figures of those that measure, and the default of every setting."""
        data = {"images": self.data["images 1x28x28"], "audio": self.data["audio"], "text": self.data["text"]}
        runs: dict[str, Path] = {}
        for method in ("dcgan", "vae"):
            runs[method] = self.folder / "runs" / f"cli-{method}"
            with quiet():
                train(method, data["images"], runs[method], 3)
                run_command("evaluate", runs[method], "--samples", 16, "--importance-samples", 3, "--json", *DEVICE)
        out = self.folder / "out" / "cli"
        out.mkdir(parents=True, exist_ok=True)
        made: dict[str, str] = {}
        names: dict[str, list[str]] = {}
        figures: dict[str, str] = {}
        for name, words in commands_of_cli(runs, data, self.inputs, out).items():
            with quiet():
                ended = run_command(*words)
            made[f"exit code of {name}"] = str(ended.code)
            if ended.code == 0:
                names[f"{name} --json"] = sorted(keys_of(ended.json))
            if ended.code == 0 and name.startswith(("evaluate", "data", "stylise")):
                figures |= {f"{name}: {key}": value for key, value in numbers_of(ended.json)}
        for path in sorted(out.glob("*.png")):
            made |= hashes_of_file(path.name, path)
        settings: dict[str, dict[str, str]] = {}
        for method in method_names():
            settings[method] = dict(numbers_of(run_command("methods", method, "--json").json))
        return {"made": made, "figures": figures, "names": names, "choices": settings}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no output but errors'."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield


def in_hex(row: dict[str, float]) -> dict[str, str]:
    """Floats as exact text."""
    return {key: float(value).hex() for key, value in row.items()}


def weights_of(path: Path) -> dict[str, str]:
    """ "shape dtype hash" of each tensor by name."""
    return {key: hash_of(value) for key, value in load_file(path).items()}


def hash_of(content: Any) -> str:
    """Shape and short hash of an array or a tensor, or of a list of texts."""
    if isinstance(content, torch.Tensor):
        content = content.detach().cpu().contiguous().numpy()
    if isinstance(content, np.ndarray):
        array = np.ascontiguousarray(content)
        shape = "x".join(map(str, array.shape)) or "scalar"
        return f"{shape} {array.dtype} {hashlib.sha256(array.tobytes()).hexdigest()[:32]}"
    return hashlib.sha256(json.dumps(list(content)).encode()).hexdigest()[:32]


def hashes_of_file(name: str, path: Path) -> dict[str, str]:
    """Hashes of what a file holds: pixels of an image (every frame), arrays of numbers in an .npz, bytes of any other."""
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            # Texts such as the hash of the weights file depend on the weights' names.
            return {f"{name} {key}": hash_of(arrays[key]) for key in arrays.files if arrays[key].dtype.kind in "biuf"}
    if path.suffix in (".png", ".gif", ".webp", ".jpg"):
        with Image.open(path) as image:
            found: dict[str, str] = {}
            for frame in range(getattr(image, "n_frames", 1)):
                image.seek(frame)
                found[f"{name} #{frame}"] = hash_of(np.asarray(image.convert("RGBA")))
            return found
    return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:32]}


def keys_of(node: Any, path: str = "") -> set[str]:
    """Every path of keys in a JSON tree; elements of lists share one."""
    if isinstance(node, dict):
        return {path or "{}"}.union(*(keys_of(value, f"{path}/{key}") for key, value in node.items()))
    if isinstance(node, list):
        return {path}.union(*(keys_of(value, f"{path}[]") for value in node))
    return {path}


def keys_of_log(path: Path) -> list[str]:
    """Every key of every kind of row, but for those that come and go with the clock."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return sorted({f"{row.get('event', 'row')}: {key}" for row in rows for key in row})


def files_of(folder: Path) -> set[str]:
    """The files of a run, checkpoints and previews by folder only."""
    kept = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) if len(path.parts) == 1 else f"{path.parts[0]}/" for path in kept}


def numbers_of(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(path, exact text) of every number in a JSON tree but for those of the clock and the machine."""
    if isinstance(node, dict | list):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in items:
            if not OF_THE_MACHINE.intersection(re.split(r"[^a-z0-9]+", str(key).lower())):
                name = value.get("name", key) if isinstance(value, dict) and isinstance(node, list) else key
                yield from numbers_of(value, f"{path}/{name}")
    elif isinstance(node, bool):
        if not path.endswith("/primary"):  # the mark of a run's main figure says nothing of its value
            yield path, str(node)
    elif isinstance(node, int | float):
        yield path, float(node).hex()
    elif isinstance(node, str):
        for place, number in enumerate(numbers_in(node)):
            yield f"{path}#{place}", number.hex()


# --- comparing ----------------------------------------------------------------------------------------------------------


def compare_records(old: Record, new: Record) -> tuple[list[str], list[str]]:
    """(numbers that differ, keys that differ) of one method, as lines."""
    failures: list[str] = []
    renamed: list[str] = []
    for case, was in old.items():
        now = new.get(case)
        if now is None:
            failures.append(f"{case}: is not made any more")
            continue
        found, keys = compare_case(was, now)
        failures += [f"{case}: {line}" for line in found]
        renamed += [f"{case}: {line}" for line in keys]
    return failures, renamed


def compare_case(old: Record, new: Record) -> tuple[list[str], list[str]]:
    """As `compare_records`, of one file of data."""
    failures: list[str] = []
    renamed: list[str] = []
    for step in sorted({*old.get("steps", {}), *new.get("steps", {})}, key=int):
        failures += different(f"step {step}", old["steps"].get(step, {}), new["steps"].get(step, {}))
    for part in ("weights", "figures", "made"):
        failures += different(part, old.get(part, {}), new.get(part, {}))
        renamed += keys_changed(part, old.get(part, {}), new.get(part, {}))
    before, after = old.get("choices", {}), new.get("choices", {})
    for name in before.keys() & after.keys():
        failures += different(f"choices {name}", before[name], after[name])
    # A renamed choice is found by its numbers.
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    known = [sorted(after[name].values()) for name in come]
    failures += [f"choices {name}: no choice has these numbers now" for name in sorted(gone)
                 if sorted(before[name].values()) not in known]  # fmt: skip
    renamed += keys_changed("choices", before, after)
    for name in sorted({*old["names"], *new["names"]}):
        renamed += keys_changed(name, old["names"].get(name, []), new["names"].get(name, []))
    return failures, renamed


def different(part: str, old: dict[str, str], new: dict[str, str]) -> list[str]:
    """A line for each value that is in one multiset only, with its name."""
    lost, found = Counter(old.values()) - Counter(new.values()), Counter(new.values()) - Counter(old.values())
    was = named(old, lost, new)
    now = named(new, found, old)
    lines: list[str] = []
    for name in list(was):
        if name in now:
            lines.append(f"{part}: {name} was {shown(was.pop(name))}, is {shown(now.pop(name))}")
    lines += [f"{part}: {name} = {shown(value)} is gone" for name, value in was.items()]
    lines += [f"{part}: {name} = {shown(value)} is new" for name, value in now.items()]
    return lines


def named(values: dict[str, str], wanted: Counter[str], other: dict[str, str]) -> dict[str, str]:
    """The entries of `values` that account for the multiset `wanted`; those first that `other` has not under this name."""
    left = Counter(wanted)
    found: dict[str, str] = {}
    for name in sorted(values, key=lambda name: other.get(name) == values[name]):
        if left[values[name]] > 0:
            left[values[name]] -= 1
            found[name] = values[name]
    return found


def shown(value: str) -> str:
    """A float for the eye where the text is one in hex."""
    try:
        return f"{float.fromhex(value)!r}" if value.startswith(("0x", "-0x")) else value
    except ValueError:
        return value


def keys_changed(part: str, old: Any, new: Any) -> list[str]:
    """A line each for the keys that went and those that came."""
    removed, added = sorted(set(old) - set(new)), sorted(set(new) - set(old))
    lines = [f"{part}: keys removed: {', '.join(removed)}"] if removed else []
    return lines + ([f"{part}: keys added: {', '.join(added)}"] if added else [])


# --- the command line ---------------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """What decides the last bits of a number beside the code."""
    return {
        "torch": torch.__version__,
        "numpy": np.__version__,
        "kernels": torch.backends.cpu.get_cpu_capability(),
        "processor": next(
            (line.split(":")[1].strip() for line in cpu_facts().splitlines() if line.startswith("model name")),
            platform.processor(),
        ),
    }


def cpu_facts() -> str:
    """/proc/cpuinfo where there is one."""
    path = Path("/proc/cpuinfo")
    return path.read_text() if path.exists() else ""


def each(names: list[str], take: Callable[[str], str]) -> None:
    """take(name) of every method, with a line of progress."""
    for number, name in enumerate(names, 1):
        began = time.perf_counter()
        said = take(name)
        print(f"[{number}/{len(names)}] {name}: {said} ({time.perf_counter() - began:.1f} s)", flush=True)


def record(file: Path, names: list[str], guard: Guard) -> int:
    """Writes `file`; methods that it holds and that are not asked for stay."""
    kept = json.loads(file.read_text()) if file.exists() else {"methods": {}}
    if kept["methods"] and kept.get("machine") != machine():
        kept = {"methods": {}}

    def take(name: str) -> str:
        kept["methods"][name] = guard.record(name)
        file.write_text(json.dumps({"machine": machine(), "methods": kept["methods"]}, indent=1, sort_keys=True))
        return "recorded"

    each(names, take)
    return 0


def compare(file: Path, names: list[str], guard: Guard) -> int:
    """Prints what differs from `file`; 1 where a number does."""
    known = json.loads(file.read_text())
    if known["machine"] != machine():
        print(f"recorded on another machine, so last bits may differ: {known['machine']}, here {machine()}")
    failed: list[str] = []
    renamed: Counter[str] = Counter()

    def take(name: str) -> str:
        if name not in known["methods"]:
            return "not in the file"
        try:
            now = guard.record(name)
        except Exception:
            failed.append(name)
            traceback.print_exc()
            return "BROKEN"
        failures, keys = compare_records(known["methods"][name], now)
        renamed.update(keys)
        for line in failures[:20]:
            print(f"    {name}, {line}")
        if len(failures) > 20:
            print(f"    {name}: and {len(failures) - 20} more")
        if failures:
            failed.append(name)
        return f"{len(failures)} NUMBERS DIFFER" if failures else "equal"

    each(names, take)
    if renamed:
        print("\nrenamed or other keys (no failure):")
        for line, count in renamed.items():
            print(f"    {line}" + (f" (for {count} methods)" if count > 1 else ""))
    print("\n" + (f"numbers differ: {', '.join(failed)}" if failed else "equal: every number is as recorded"))
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("do", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("methods", nargs="*", metavar="METHOD")
    asked = parser.parse_args()
    file = asked.file.resolve()
    torch.set_num_threads(1)
    began = time.perf_counter()
    there = os.getcwd()
    with tempfile.TemporaryDirectory(prefix="guard-") as folder:
        os.environ["GANVAS_CACHE"] = f"{folder}/cache"
        os.chdir(folder)  # whatever a command writes by default lands here
        try:
            names = asked.methods or ["cli", *method_names()]
            unknown = set(names) - {"cli", *method_names()}
            if unknown:
                parser.error(f"unknown methods: {', '.join(sorted(unknown))}")
            ends = {"record": record, "compare": compare}[asked.do](file, names, Guard(Path(folder)))
        finally:
            os.chdir(there)
    print(f"{time.perf_counter() - began:.0f} s")
    return ends


if __name__ == "__main__":
    sys.exit(main())
