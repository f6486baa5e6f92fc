"""Where an image or a sound comes from: run, weights, seed and settings, as the metadata of its file say it.

One line of JSON: in a PNG an iTXt chunk with the keyword "ganvas", in JPEG, WebP and TIFF the EXIF field UserComment, in a GIF
a comment, in a .wav the field ICMT of its LIST/INFO chunk. `ganvas.data.metadata` reads it. It holds names of files and of
the run's folder, and no path, user or host name.
"""

from __future__ import annotations

import dataclasses
import getpass
import json
import math
import re
import shlex
import socket
from collections.abc import Iterator, Mapping
from typing import TypeGuard

from ganvas.files import parse_json
from ganvas.version import __version__

KEYWORD = "ganvas"
MAX_CHARACTERS = 16 * 1024  # characters of the whole text; more is none of ours
MAX_VALUE_CHARACTERS = 1000  # characters of one value
MAX_LIST_VALUES = 200  # of a list, or by name

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...]

WITH_RUN = ("sample", "edit", "invert", "decode", "translate", "restore")  # commands whose first argument is a run
OUTPUT_OPTIONS = {
    "edit": "out.png",
    "invert": "out.npz",
    "stylise": "out.png",
    "decode": "out",
    "translate": "out",
    "restore": "out",
}
FILE_OPTIONS = {"grid": "grid.png", "animate": "steps.gif", "preview": "preview.png"}  # options that name a file
IN_ONE = ("interpolate", "mix")  # options of several words
NO_OPTIONS = ("code-number", "columns", "point")  # what is noted beside the options
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_PLACE = re.compile(  # an absolute path of two parts or more inside a text; not a URL, not "and/or"
    r"""(?<![\w/\\.:])(?:~|[A-Za-z]:|\\)?[/\\](?:[^\s/\\"'<>|]+[/\\])+[^\s/\\"'<>|,;)]*"""
)
_PATH = re.compile(r"[/\\~]|[A-Za-z]:[/\\]")  # the beginning of an absolute path
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What made a file. Everything is optional."""

    command: str = ""
    """The command of `ganvas`, which is a function of ganvas.tasks too; "train" for an image grid of a training."""
    run: str = ""
    """Name of the run's folder."""
    method: str = ""
    weights: str = ""
    """SHA-256 of the file of weights: the run's weights.safetensors or best/weights.safetensors, or a feature extractor's."""
    seed: int | None = None
    """Of this image; of the first one in a grid."""
    step: int | None = None
    """Of the training, in an image grid that it wrote."""
    inputs: tuple[str, ...] = ()
    """Names of the files that were read."""
    options: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    """Options of the command by name, without those that have no influence on the pixels."""
    settings: Mapping[str, Value] = dataclasses.field(default_factory=dict)
    """What `--set` changes: the settings that sampling reads, or those of an optimisation."""
    version: str = __version__
    """Of ganvas."""

    def with_options(self, **options: Value | None) -> Provenance:
        """With more options. None, False and "" are left out: they are what a command does without the option."""
        given: dict[str, Value] = dict(self.options)
        for name, value in options.items():
            if value is not None and value is not False and value != "" and value != ():
                given[name.replace("_", "-")] = value
        return dataclasses.replace(self, options=given)

    def text(self) -> str:
        """One line of JSON, ASCII only."""
        content: dict[str, object] = {KEYWORD: self.version, "command": self.command}
        for name in ("run", "method", "weights"):
            if getattr(self, name):
                content[name] = _without_names(last_part(getattr(self, name)))
        for name in ("seed", "step"):
            if getattr(self, name) is not None:
                content[name] = getattr(self, name)
        if self.inputs:
            content["inputs"] = [_without_names(last_part(one)) for one in self.inputs]
        for name in ("options", "settings"):
            values = {key: _plain(value) for key, value in getattr(self, name).items()}
            if values:
                content[name] = values
        return json.dumps(content, separators=(",", ":"))

    def as_dict(self) -> dict[str, object]:
        """As plain values, for --json."""
        return json.loads(self.text())

    def command_line(self) -> str:
        """The words that make the file again, once what `needs` lists is there; safe to be pasted into a shell."""
        command, words = self.command, list(self.inputs)
        if command == "train":  # a grid of samples is made again by sampling
            command = "sample" if "n" in self.options else "train"
        if command in WITH_RUN:
            words = [self.run or "RUN", *words]
        elif command == "train":
            words = [self.method]
        elif self.run:
            words += ["--run", self.run]
        if command == "sample" and "n" not in self.options:
            words += ["--n", "1"]
        if self.seed is not None and command != "edit":
            words += ["--seed", str(self.seed)]
        for name, value in self.options.items():
            words += _option(name, value)
        for name, value in self.settings.items():
            for one in value if isinstance(value, tuple) else (value,):
                words += ["--set", f"{name}={_word(one)}"]
        if command in OUTPUT_OPTIONS:
            words += ["--out", OUTPUT_OPTIONS[command]]
        return shlex.join(["ganvas", command, *words])

    def needs(self) -> list[str]:
        """What must be there to make the file again, in words."""
        needed: list[str] = []
        if self.run:
            of = f" of {self.method}" if self.method else ""
            needed.append(f"the run {self.run}{of} with the weights of SHA-256 {self.weights or 'unknown'}")
            if self.step is not None:
                needed[-1] += f", those of step {self.step}"
        elif self.weights:
            needed.append(f"weights of SHA-256 {self.weights}")
        files: list[Scalar] = list(self.inputs)
        for option in ("style", "mask"):
            value = self.options.get(option, ())
            files += value if isinstance(value, tuple) else (value,)
        return needed + [f"the file {name}" for name in files]


def from_text(text: str) -> Provenance | None:
    """What a file's metadata say, or None where they are none of ours. Whatever they hold, values are short, plain and typed."""
    if len(text) > MAX_CHARACTERS or f'"{KEYWORD}"' not in text:
        return None
    try:
        content = parse_json(text)
    except ValueError:
        return None
    if not isinstance(content, dict) or not isinstance(content.get(KEYWORD), str):
        return None
    weights, inputs = _text(content.get("weights")), content.get("inputs")
    command = _text(content.get("command"))
    return Provenance(
        command=command if _NAME.fullmatch(command) else "",
        run=last_part(_text(content.get("run"))),
        method=last_part(_text(content.get("method"))),
        weights=weights if _DIGEST.fullmatch(weights) else "",
        seed=_count(content.get("seed")),
        step=_count(content.get("step")),
        inputs=tuple(last_part(_text(one)) for one in inputs[:MAX_LIST_VALUES]) if isinstance(inputs, list) else (),
        options=_values(content.get("options")),
        settings=_values(content.get("settings")),
        version=_text(content[KEYWORD]),
    )


def _values(content: object) -> dict[str, Value]:
    values: dict[str, Value] = {}
    if not isinstance(content, dict):
        return values
    for name, value in list(content.items())[:MAX_LIST_VALUES]:
        if not _NAME.fullmatch(name):
            continue
        if isinstance(value, list):
            values[name] = tuple(
                _text(one) if isinstance(one, str) else one for one in value[:MAX_LIST_VALUES] if _is_scalar(one)
            )
        elif _is_scalar(value):
            values[name] = _text(value) if isinstance(value, str) else value
    return values


def _is_scalar(value: object) -> TypeGuard[Scalar]:
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def _text(value: object) -> str:
    """A text without control characters, cut to a bounded length; "" for anything else."""
    if not isinstance(value, str):
        return ""
    return "".join(one for one in value[:MAX_VALUE_CHARACTERS] if one.isprintable())


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63 else None


def _option(name: str, value: Value) -> list[str]:
    """The words of one option; a list is an option that is repeated, or one of several words."""
    if name in NO_OPTIONS:
        return []
    if name in FILE_OPTIONS:
        return [f"--{name}", FILE_OPTIONS[name]]
    if isinstance(value, tuple) and name in IN_ONE:
        return [f"--{name}", *map(_word, value)]
    words: list[str] = []
    for one in value if isinstance(value, tuple) else (value,):
        words += [f"--{name}"] if one is True else [f"--{name}", _word(one)]
    return words


def _word(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _plain(value: Value) -> object:
    """For JSON."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value[:MAX_LIST_VALUES]]
    if not isinstance(value, str):
        return value
    return _without_names(last_part(value) if _PATH.match(value) else value)


def last_part(path: str) -> str:
    """The last part of a path as any system writes it."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def without_places(text: str) -> str:
    """A text without this machine: of an absolute path its last part, "user" and "host" for this user's and machine's names."""
    return _named(_PLACE.sub(lambda match: last_part(match[0]), text))


def _without_names(text: str) -> str:
    """With "user" and "host" in place of this user's and this machine's names."""
    return _named(text[:MAX_VALUE_CHARACTERS])


def _named(text: str) -> str:
    for name, instead in _own_names():
        text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", instead, text, flags=re.IGNORECASE)
    return text


def _own_names() -> Iterator[tuple[str, str]]:
    host = socket.gethostname()
    for name in (host, host.partition(".")[0]):
        if len(name) > 2:
            yield name, "host"
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return
    if len(user) > 2:
        yield user, "user"
