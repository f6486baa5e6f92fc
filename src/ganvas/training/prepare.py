"""From a config to a session: checks what was asked, opens the data, builds the method, and starts or resumes a run."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganvas.abilities import Tokenizes, TwoStage
from ganvas.catalog import DEFAULT_METHOD
from ganvas.data import Dataset, DataSettings, open_data
from ganvas.data.kinds import KINDS
from ganvas.data.labels import NO_LABELS
from ganvas.defaults import MEASURED_SAMPLES, MINUTES
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.precision import usable_here
from ganvas.registry import create, methods_with
from ganvas.run import Run
from ganvas.settings import as_dict, change
from ganvas.training.config import KEPT_ON_RESUME, TrainConfig
from ganvas.training.engine import Engine, choose_device, start_engine
from ganvas.training.environment import environment
from ganvas.training.image_size import SizeChoice, choose_size, recorded_choice
from ganvas.training.run_folder import check_free, find_run, new_folder
from ganvas.training.session import Session
from ganvas.training.time_plan import FEWEST_SAMPLES

MAX_MEASURED_BYTES = 2**28  # of samples that are measured, at most
DEFAULT_DATA = "digits"  # where none is given
SHAPE_KEEPING = ("fit", "alpha")  # data settings that change images and not their shape

Opener = Callable[[str, Mapping[str, object]], Dataset]


def open_plainly(source: str, settings: Mapping[str, Any]) -> Dataset:
    """The data of a source; the command line has an opener with a progress bar."""
    return open_data(source, **settings)


def prepare(config: TrainConfig) -> Session:
    """Everything checked and built, nothing written yet."""
    started = time.perf_counter()
    run = find_run(config)
    config = with_objects_opened(config, run)
    if run:
        return resume(run, config, started=started)
    return start(config, started=started)


def with_objects_opened(config: TrainConfig, run: Run | None) -> TrainConfig:
    """Data that are a Python object become a Dataset, with the settings of the run to resume where there is one."""
    if config.data is None or isinstance(config.data, str | Path | Dataset):
        return config
    settings: dict[str, Any] = dict(config.data_settings if run is None else run.info["data_settings"])
    return dataclasses.replace(config, data=open_data(config.data, **settings))


def start(config: TrainConfig, opener: Opener = open_plainly, *, started: float | None = None) -> Session:
    """A new run of the method, data and settings of `config`. A budget in minutes counts from `started` on, by
    time.perf_counter."""
    if started is None:
        started = time.perf_counter()
    # Whatever can be refused before the data are opened, which may take minutes.
    method = create_method(config)
    if config.out is not None:
        check_free(config.out)
    if config.init_from is not None:
        Run(config.init_from)
    config = with_kind(config, method)
    config, size = with_size(config, method)
    data = open_dataset(config.data or DEFAULT_DATA, config.data_settings, opener)
    method, first_stage = with_codes(method, config.codes, data)
    # What was left open gets its value now.
    if not config.budget:
        config = dataclasses.replace(config, minutes=MINUTES)
    counted = config.samples is None
    if counted:
        config = dataclasses.replace(config, samples=usual_samples(data))
    settled = dataclasses.replace(
        config,
        method=method.name,
        settings=method.settings(),
        data=data.source,
        data_settings=as_dict(data.settings),
        seed=config.seed or 0,
    )
    folder = new_folder(config.out, method.name, data.name)
    engine = start_engine(config.device, config.precision)
    try:
        return Session(
            settled, folder, method, data, engine, first=first_stage, size=size, started=started, counted=counted
        )
    except DataError as error:
        why = [note for note in data.notes if note.startswith(NO_LABELS)]
        if why and "no labels" in str(error):
            raise DataError(f"{error}. Here: {why[0]}") from error
        raise


def with_kind(config: TrainConfig, method: Method) -> TrainConfig:
    """With the data settings that a source takes which could be of several kinds, where the method learns from one kind only."""
    if len(method.takes) != 1 or isinstance(config.data, Dataset):
        return config
    wanted = KINDS[method.takes[0]].wanted
    return dataclasses.replace(config, data_settings={**wanted, **config.data_settings}) if wanted else config


def usual_samples(data: Dataset) -> int:
    """Samples in a measurement where nobody says how many: fewer of images so large that they would fill the memory."""
    each = max(1, data.examples[:1].nbytes)
    return max(FEWEST_SAMPLES, min(MEASURED_SAMPLES, MAX_MEASURED_BYTES // each))


def resume(run: Run, config: TrainConfig, opener: Opener = open_plainly, *, started: float | None = None) -> Session:
    """Continues `run`. What `config` gives must be as it was, but for budget, intervals, device and precision."""
    if run.is_pretrained:
        raise UsageError(f"{run.folder} holds weights without the state of their training, so it cannot be resumed")
    if started is None:
        started = time.perf_counter()
    check_same(run, config)
    asked = config.given()
    for name in KEPT_ON_RESUME:
        asked.pop(name, None)
    settled = dataclasses.replace(recorded_config(run).merged(asked), callbacks=config.callbacks)
    method = create(run.info["method"], None, run.info["settings"])
    data = reopen(run, config.data, opener)
    engine = engine_as_before(run, config)
    return Session(
        settled,
        run.folder,
        method,
        data,
        engine,
        resumed=True,
        size=recorded_choice(run),
        started=started,
        counted=False,
    )


# --- the method ---------------------------------------------------------------------------------------------------------


def create_method(config: TrainConfig) -> Method:
    """The unbuilt method that a config names, or the one that it holds, with the config's settings."""
    if isinstance(config.method, Method):
        return config.method.with_settings(dict(config.settings))
    return create(config.method or DEFAULT_METHOD, config.preset, dict(config.settings))


def with_codes(method: Method, codes: str | Path | None, data: Dataset) -> tuple[Method, Method | None]:
    """The method set up for the codes of a trained first stage, and that first stage; None for a method that needs none.

    UsageError, RunError or DataError where `codes` is missing, is no run of a method that quantises, or one of other images.
    """
    if not isinstance(method, TwoStage):
        if codes is not None:
            raise UsageError(
                f"{method.name} learns images, not the codes of another run: omit --codes, or train"
                f" {methods_with(TwoStage)}"
            )
        return method, None
    makers = methods_with(Tokenizes)
    if codes is None:
        raise UsageError(
            f"{method.name} learns the codes of a trained {makers}: name its run by --codes RUN"
            f" (ganvas train {makers.split(', ')[0]} --data {data.source} makes one)"
        )
    run = Run(codes)
    first_stage = run.load_method()
    if not isinstance(first_stage, Tokenizes):
        raise RunError(f"{codes} is a run of {first_stage.name}, which has no codes: --codes takes a run of {makers}")
    if run.spec.shape != data.spec.shape:
        raise DataError(
            f"{codes} has codes of images of (channels, height, width) {run.spec.shape}; those of {data.name} are"
            f" {data.spec.shape}: choose data.size and data.channels as that run had them"
        )
    recorded, given = run.info["data_settings"], as_dict(data.settings)
    different = []
    for key in SHAPE_KEEPING:
        if recorded.get(key) != given[key]:
            different.append(f"data.{key}={recorded[key]} (here {given[key]})")
    if run.info["data"] == data.source and different:
        raise DataError(
            f"{codes} saw these images otherwise: with {', '.join(different)}. Give the same, so that the codes mean the"
            " same"
        )
    return method.with_first_stage(first_stage), first_stage


# --- the data -----------------------------------------------------------------------------------------------------------


def with_size(config: TrainConfig, method: Method) -> tuple[TrainConfig, SizeChoice | None]:
    """The config with data.max_size, where data.size=auto leaves the size to this training, and why it is that; of a two-stage
    method the size of the first stage's images."""
    settings = dict(config.data_settings)
    if isinstance(config.data, Dataset):
        return config, None
    if isinstance(method, TwoStage):
        recorded = Run(config.codes).info["data_settings"].get("max_size") if config.codes else None
        if recorded is not None:
            settings.setdefault("max_size", recorded)
        return dataclasses.replace(config, data_settings=settings), None
    minutes = config.minutes or (None if config.budget else MINUTES)
    device = choose_device(config.device, environment().local_rank)
    choice = choose_size(method, str(config.data or DEFAULT_DATA), settings, device, minutes)
    if choice is not None:
        settings["max_size"] = choice.max_size
    return dataclasses.replace(config, data_settings=settings), choice


def open_dataset(data: str | Path | Dataset, settings: Mapping[str, object], opener: Opener = open_plainly) -> Dataset:
    """A dataset as it is, or the source opened with settings."""
    if isinstance(data, Dataset):
        return data
    return opener(str(data), settings)


def reopen(run: Run, data: str | Path | Dataset | None = None, opener: Opener = open_plainly) -> Dataset:
    """The data of a run, or `data` where it is open already; RunError where they are not what they were."""
    info = run.info
    dataset = data if isinstance(data, Dataset) else opener(info["data"], info["data_settings"])
    if dataset.fingerprint != info["fingerprint"]:
        raise RunError(
            f"{run.folder} was trained on {info['data']} with other content: its fingerprint was {info['fingerprint'][:12]},"
            f" now it is {dataset.fingerprint[:12]}. Restore the data, or start a new run"
        )
    return dataset


# --- what a resumed run keeps ---------------------------------------------------------------------------------------------


def recorded_config(run: Run) -> TrainConfig:
    """The config that a run was trained with."""
    try:
        return TrainConfig.from_dict(run.info)
    except UsageError as error:
        raise RunError(f"{run.folder / 'settings.json'} is damaged: {error}") from error


def engine_as_before(run: Run, config: TrainConfig) -> Engine:
    """In the precision of the run, so that its bits stay the same, unless another one is asked for or the device has none."""
    if config.precision != "auto":
        return start_engine(config.device, config.precision)
    engine = start_engine(config.device, run.info["precision"])
    precision = usable_here(engine.precision, engine.device)
    if precision == engine.precision:
        why = run.info.get("why_precision", "as before")
    else:
        why = f"this run had bf16, which this {engine.device.type} only emulates"
    return dataclasses.replace(engine, precision=precision, why=why)


def check_same(run: Run, config: TrainConfig) -> None:
    """RunError where a config gives another method, data, preset, seed or other settings than the run to resume has."""
    info = run.info
    name = config.method.name if isinstance(config.method, Method) else config.method
    if name and name != info["method"]:
        raise RunError(
            f"{run.folder} is a run of {info['method']}, not of {name}: omit the method, or choose another --out"
        )
    source = config.data.source if isinstance(config.data, Dataset) else config.data
    if source and source != info["data"] and _path(source) != _path(info["data"]):
        raise RunError(
            f"{run.folder} was trained on {info['data']}, not on {source}: omit --data, or choose another --out"
        )
    if config.preset is not None and config.preset != info.get("preset"):
        raise RunError(f"{run.folder} was started with preset {info.get('preset')}, not {config.preset}: omit --preset")
    if config.seed is not None and config.seed != info["seed"]:
        raise RunError(
            f"{run.folder} was started with seed {info['seed']}, not {config.seed}: omit --seed, or start a new run"
        )
    changed = [*_changed_settings(run, config), *_changed_data_settings(run, config)]
    if changed:
        raise RunError(
            f"a resumed run keeps its settings, and {run.folder} differs: {'; '.join(changed)}."
            " Omit them, or start a new run"
        )
    begun = run.info.get("init_from")
    if config.init_from is not None and (begun is None or _path(begun) != _path(config.init_from)):
        raise RunError(
            f"{run.folder} began with {f'the weights of {begun}' if begun else 'random weights'}, not with those of"
            f" {config.init_from}: omit --init-from, or start a new run"
        )
    if config.codes is not None and config.resume not in (None, "auto"):
        raise RunError(f"{run.folder} holds the codes that it learns: omit --codes")


def _changed_settings(run: Run, config: TrainConfig) -> list[str]:
    recorded = create(run.info["method"], None, run.info["settings"])
    asked = config.method if isinstance(config.method, Method) else recorded
    before, now = recorded.settings(), asked.with_settings(dict(config.settings)).settings()
    filled = asked.filled if isinstance(config.method, Method) else ()
    changed = []
    for key, value in now.items():
        if before[key] != value and key not in filled:
            changed.append(f"{key} was {before[key]!r}, not {value!r}")
    return changed


def _changed_data_settings(run: Run, config: TrainConfig) -> list[str]:
    recorded = change(DataSettings(), run.info["data_settings"], where="data.")
    before, now = as_dict(recorded), as_dict(change(recorded, config.data_settings, where="data."))
    if before["partner"] and now["partner"] and _path(before["partner"]) == _path(now["partner"]):
        now["partner"] = before["partner"]
    changed = []
    for key, value in now.items():
        if before[key] != value:
            changed.append(f"data.{key} was {before[key]!r}")
    return changed


def _path(source: str | Path) -> Path:
    return Path(source).expanduser().resolve()
