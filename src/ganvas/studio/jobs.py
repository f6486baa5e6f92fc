"""What can be put into the queue, and the command line that does it.

A job is kept as what was asked for, checked; the words of its command line are made of that when it runs, so that nobody can put
words of his own into one. Every command may be run a second time after it was killed, and continues or does the same again.
"""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from ganvas.catalog import DEFAULT_METHOD, catalog
from ganvas.data.builtin_sets import BUILTIN_SETS
from ganvas.errors import DataError, UsageError, nearest
from ganvas.export.facts import EXPORT_SUFFIXES
from ganvas.files import JsonObject
from ganvas.settings import as_text, settings_of
from ganvas.studio import schema
from ganvas.studio.config import STUDIO_FOLDER
from ganvas.studio.queue import Job
from ganvas.studio.runs import PLAIN_NAME, Runs, read_json
from ganvas.studio.schema import Schema
from ganvas.studio.store import Store
from ganvas.training.config import TrainConfig

NOT_IN_FORM = ("method", "data", "out", "codes", "init_from", "resume", "quiet", "log_to")
"""Settings of TrainConfig that the form does not offer. The first four are chosen by id; `resume` and `quiet` are the studio's
own affair; `init_from` reads any folder, and `log_to` may send figures to other machines, so the command line keeps them."""
FORM = tuple(name for name in settings_of(TrainConfig) if name not in NOT_IN_FORM)
SET_PREFIX = "set:"
UPLOAD_PREFIX = "data:"
FOLDER_PREFIX = "folder:"
VALUE: Schema = {
    "type": ["string", "number", "boolean", "null", "array"],
    "maxLength": 200,
    "maxItems": 64,
    "items": schema.integer(),
}
RUN_NAME = schema.text("name of the run's folder", longest=100, shortest=1, pattern=PLAIN_NAME.pattern)
RUN = schema.text("id of a run", longest=120, shortest=1)
WEIGHTS = schema.one_of(("last", "best"), "which weights of the run")
LICENCE = schema.text("licence of the weights, such as cc-by-4.0", longest=100, pattern=r"([A-Za-z0-9][\w .+-]*)?")

SOURCE = schema.text("set:NAME, data:ID or folder:NAME", longest=120, shortest=1)

TRAIN = schema.obj(
    {
        "method": schema.text("name of a method", longest=60),
        "data": SOURCE,
        "name": RUN_NAME,
        "codes": schema.text("id of the run whose codes are learned", longest=120),
        "options": schema.mapping(VALUE, most=40, help="settings of the training by name: " + ", ".join(FORM)),
        "settings": schema.mapping(VALUE, most=200, help="settings of the method by name"),
        "data_settings": schema.mapping(VALUE, most=100, help="settings of the data by name"),
    },
    required=("data", "name"),
)
JOB_SCHEMAS: dict[str, Schema] = {
    "train": TRAIN,
    "extend": schema.obj(
        {"run": RUN, "minutes": schema.number("further minutes", minimum=0.1, maximum=100_000)},
        required=("run", "minutes"),
    ),
    "evaluate": schema.obj({"run": RUN, "samples": schema.integer(minimum=16, maximum=100_000)}, required=("run",)),
    "audit": schema.obj({"run": RUN, "samples": schema.integer(minimum=16, maximum=100_000)}, required=("run",)),
    "directions": schema.obj(
        {"run": RUN, "count": schema.integer("directions of each kind", minimum=1, maximum=40)}, required=("run",)
    ),
    "apply": schema.obj(
        {"run": RUN, "name": RUN_NAME}, required=("run", "name"), help="train with the doctor's change"
    ),
    "augment": schema.obj(
        {
            "run": RUN,
            "per_class": schema.integer("images of each class", minimum=1, maximum=10_000),
            "weights": WEIGHTS,
        },
        required=("run",),
        help="gives labelled images for a classifier, and a page that shows them",
    ),
    "augmentation": schema.obj(
        {
            "source": SOURCE,
            "settings": schema.mapping(VALUE, most=20, help="settings of the data by name"),
            "sizes": schema.text(
                "labelled images of each class, such as 5,10,all",
                longest=60,
                pattern=r"(\d{1,6}|all)(,(\d{1,6}|all)){0,5}",
            ),
            "seeds": schema.integer("each with other labelled images", minimum=2, maximum=20),
            "steps": schema.integer("of each training of a generator", minimum=1, maximum=100_000),
            "per_class": schema.integer("generated images of each class", minimum=1, maximum=10_000),
            "rare": schema.text("a class with few images, whose recall is measured", longest=100),
        },
        required=("source",),
        help="measures whether generated images would help a classifier of these data; gives a page that shows some",
    ),
    "explain": schema.obj({"run": RUN, "weights": WEIGHTS}, required=("run",), help="gives explain.html"),
    "export": schema.obj(
        {"run": RUN, "to": schema.one_of(tuple(EXPORT_SUFFIXES)), "weights": WEIGHTS, "licence": LICENCE},
        required=("run", "to"),
        help="gives files",
    ),
    "push": schema.obj(
        {
            "run": RUN,
            "name": schema.text(
                "OWNER/NAME on the hub",
                longest=200,
                shortest=3,
                pattern=r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}",
            ),
            "weights": WEIGHTS,
            "licence": LICENCE,
            "private": schema.boolean("only its owner can see a new model"),
        },
        required=("run", "name"),
        help="uploads the model to the Hugging Face hub, with the login of this machine",
    ),
}
JOB_TITLES: dict[str, str] = {
    "extend": "Continue {run}", "evaluate": "Measure {run}", "audit": "Audit {run}", "directions": "Find directions of {run}",
    "apply": "Train {run} with the doctor's change", "augment": "Generate labelled images of {run}",
    "augmentation": "Would generated images help? {name}",
    "explain": "Explain {run}", "export": "Export {run} as {to}",
    "push": "Upload {run} as {name}",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Place:
    """Where the things are that a request names by id."""

    runs: Runs
    store: Store
    folders: dict[str, Path]
    """Data of this machine that were named on the command line, by their ids."""

    @classmethod
    def of(cls, folder: Path) -> Place:
        """The place of a studio folder, RUNS/.studio."""
        listed = folder / "folders"
        folders: dict[str, Path] = {}
        if listed.is_file():
            for line in listed.read_text(encoding="utf-8").splitlines():
                name, _, path = line.partition("\t")
                folders[name] = Path(path)
        return cls(Runs(folder.parent), Store(folder), folders)


@dataclasses.dataclass(frozen=True)
class ChosenData:
    """A data set that a request names by its id."""

    name: str
    """What the page calls it."""
    source: str
    """What `--data` takes."""


def data_of(place: Place, identifier: str) -> ChosenData:
    """The data set of this id; DataError or UsageError where there is none."""
    if identifier.startswith(SET_PREFIX):
        known = identifier.removeprefix(SET_PREFIX)
        if known not in BUILTIN_SETS:
            raise UsageError(
                f"there is no set {known}{nearest(known, BUILTIN_SETS)} (there are: {', '.join(BUILTIN_SETS)})"
            )
        return ChosenData(known, known)
    if identifier.startswith(UPLOAD_PREFIX):
        number = identifier.removeprefix(UPLOAD_PREFIX)
        uploaded = place.store.data(number)
        if uploaded["state"] == "filling":
            raise DataError("this data set is still being filled: wait for its files")
        return ChosenData(str(uploaded["name"]), str(place.store.source(number)))
    found = place.folders.get(identifier.removeprefix(FOLDER_PREFIX))
    if not identifier.startswith(FOLDER_PREFIX) or found is None:
        raise UsageError(
            f"{identifier} names no data: choose a set, drop files, or start with ganvas studio --data FOLDER"
        )
    return ChosenData(found.name, str(found))


def config_of(place: Place, request: JsonObject) -> TrainConfig:
    """The training that a request asks for; UsageError says which value is wrong."""
    method = request.get("method") or DEFAULT_METHOD
    facts = catalog().get(method)
    if facts is None:
        raise UsageError(f"there is no method {method}{nearest(method, catalog())}")
    options = dict(request.get("options", {}))
    for name in options:
        if name not in FORM:
            raise UsageError(f"there is no option {name}{nearest(name, FORM)} (there are: {', '.join(FORM)})")
    preset = options.get("preset")
    presets = [one["name"] for one in facts["presets"]]
    if preset is not None and preset not in presets:
        raise UsageError(
            f"{method} has no preset {preset}{nearest(str(preset), presets)} (there are: {', '.join(presets)})"
        )
    known = [one["name"] for one in facts["settings"]]
    settings = dict(request.get("settings", {}))
    for name in settings:
        if name not in known:
            raise UsageError(f"{method} has no setting {name}{nearest(name, known)}")
    data_settings = dict(request.get("data_settings", {}))
    if data_settings.get("partner"):
        data_settings["partner"] = data_of(place, str(data_settings["partner"])).source
    codes = request.get("codes")
    return TrainConfig(
        method, data_of(place, request["data"]).source, settings=settings, data_settings=data_settings,
        codes=None if codes is None else place.runs.find(codes), **options,
    )  # fmt: skip


def check(place: Place, kind: str, request: JsonObject) -> tuple[str, str]:
    """(title, run) of a request; UsageError, DataError or RunError where it cannot be done."""
    if kind not in JOB_SCHEMAS:
        raise UsageError(f"there is no job {kind}{nearest(kind, JOB_SCHEMAS)} (there are: {', '.join(JOB_SCHEMAS)})")
    schema.check(JOB_SCHEMAS[kind], request)
    if kind == "augmentation":
        return JOB_TITLES[kind].format(name=data_of(place, request["source"]).name), ""
    if kind == "train":
        config_of(place, request)
    else:
        place.runs.find(request["run"])
    if kind in ("train", "apply"):
        _check_free(place, request["name"])
    if kind == "train":
        return f"Train {request.get('method') or DEFAULT_METHOD}: {request['name']}", request["name"]
    return JOB_TITLES[kind].format(**request), request["name" if kind == "apply" else "run"]


def settled(place: Place, kind: str, request: JsonObject) -> JsonObject:
    """The request with what depends on when it was made, so that a job that runs a second time does the same."""
    if kind != "extend":
        return request
    log = place.runs.log(place.runs.find(request["run"]))
    seconds = [float(event.get("waited", 0)) for event in log.events] + [float(log.last.get("seconds", 0))]
    return {**request, "until": max(seconds) / 60 + request["minutes"]}


def _check_free(place: Place, name: str) -> None:
    if name == STUDIO_FOLDER or (place.runs.folder / name).exists():
        raise UsageError(f"a run {name} is here already: choose another name")


def command_line(job: Job, folder: Path, results: Path) -> list[str]:
    """The words of a job's process. `results`: a folder for the files that it gives, which is made where the job gives some."""
    if job.kind in FILE_JOBS:
        results.mkdir(parents=True, exist_ok=True)
    words = COMMAND_LINES[job.kind](Place.of(folder), job.request, results)
    return [sys.executable, "-m", "ganvas", *words, "--json"]


def _train(place: Place, request: JsonObject, results: Path) -> list[str]:
    out = str(place.runs.folder / request["name"])
    words = config_of(place, request).command_line()
    return ["train", *words, "--out", out, "--resume", "auto"]


def _extend(place: Place, request: JsonObject, results: Path) -> list[str]:
    return ["train", "--resume", str(place.runs.find(request["run"])), "--minutes", f"{request['until']:.6g}"]


def _evaluate(place: Place, request: JsonObject, results: Path) -> list[str]:
    more = ["--samples", str(request["samples"])] if "samples" in request else []
    return ["evaluate", str(place.runs.find(request["run"])), *more]


def _audit(place: Place, request: JsonObject, results: Path) -> list[str]:
    more = ["--count", str(request["samples"])] if "samples" in request else []
    return ["audit", str(place.runs.find(request["run"])), *more]


def _directions(place: Place, request: JsonObject, results: Path) -> list[str]:
    return ["edit", str(place.runs.find(request["run"])), "--find", "--count", str(request.get("count", 10))]


def _apply(place: Place, request: JsonObject, results: Path) -> list[str]:
    out = place.runs.folder / request["name"]
    if (out / "settings.json").is_file():  # it was interrupted
        return ["train", "--resume", str(out)]
    return ["doctor", str(place.runs.find(request["run"])), "--apply", "--out", str(out)]


def _explain(place: Place, request: JsonObject, results: Path) -> list[str]:
    out = ["--out", str(results / "explain.html")]
    return ["explain", str(place.runs.find(request["run"])), *out, *_chosen(request)]


def _augment(place: Place, request: JsonObject, results: Path) -> list[str]:
    run = place.runs.find(request["run"])
    info = read_json(run / "settings.json")
    data = str(info["data"])
    if data.startswith("-"):
        raise DataError(f"the data of {run.name} have a name that no command takes: {data[:60]!r}")
    shutil.rmtree(results / "images", ignore_errors=True)  # of an attempt that was interrupted
    words = ["augment", data, "--with", str(run), "--out", str(results / "images")]
    words += ["--per-class", str(request.get("per_class", 100))]
    for name, value in info["data_settings"].items():
        if value is not None:
            words += ["--set", f"data.{name}={as_text(value)}"]
    return [*words, *_chosen(request)]


def _augmentation(place: Place, request: JsonObject, results: Path) -> list[str]:
    words = ["augment", data_of(place, request["source"]).source, "--evaluate", "--out", str(results)]
    words += ["--sizes", request.get("sizes", "10"), "--seeds", str(request.get("seeds", 5))]
    for name, option in (("steps", "--steps"), ("per_class", "--per-class"), ("rare", "--rare")):
        if name in request:
            words.append(f"{option}={request[name]}")
    for name, value in request.get("settings", {}).items():
        words += ["--set", f"data.{name}={as_text(value)}"]
    return words


def _export(place: Place, request: JsonObject, results: Path) -> list[str]:
    run, suffix = place.runs.find(request["run"]), EXPORT_SUFFIXES[request["to"]]
    out = results / f"{run.name}{suffix}"
    return ["export", str(run), "--to", request["to"], "--out", str(out), *_chosen(request)]


def _push(place: Place, request: JsonObject, results: Path) -> list[str]:
    more = ["--private"] if request.get("private") else []
    return ["push", str(place.runs.find(request["run"])), request["name"], *more, *_chosen(request)]


def _chosen(request: JsonObject) -> list[str]:
    """Weights and licence."""
    words = ["--best"] if request.get("weights") == "best" else []
    if request.get("licence"):
        words += ["--licence", request["licence"]]
    return words


COMMAND_LINES: dict[str, Callable[[Place, JsonObject, Path], list[str]]] = {
    "train": _train, "extend": _extend, "evaluate": _evaluate, "audit": _audit, "directions": _directions, "apply": _apply,
    "augment": _augment, "augmentation": _augmentation, "explain": _explain, "export": _export, "push": _push,
}  # fmt: skip
FILE_JOBS = ("augment", "augmentation", "explain", "export")
"""Jobs whose files can be downloaded."""
PAGE_JOBS = ("augment", "augmentation", "explain")
"""... of which the HTML files are shown."""


def pack(results: Path) -> None:
    """Packs each folder among the files of a job into a .zip beside it, so that all of them can be downloaded."""
    if not results.is_dir():
        return
    for path in sorted(results.iterdir()):
        if path.is_dir() and not path.is_symlink():
            aside = path.with_name(f".{path.name}")
            shutil.make_archive(str(aside), "zip", path)
            aside.with_name(f"{aside.name}.zip").replace(path.with_name(f"{path.name}.zip"))
            shutil.rmtree(path)
