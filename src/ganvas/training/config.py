"""TrainConfig: everything that one can ask of a training, declared once.

The options of `ganvas train`, the keys of a --config file, a run's settings.json, the arguments of `ganvas.train` and the
table in docs/cli.md come from its fields. A new option is one more field here; whoever acts on it reads it from the config.

    config = TrainConfig("r3gan", "digits", minutes=5, seed=1)
    config.as_dict()          # the part of settings.json that another training can be started from

No torch is imported here, so that `ganvas train --help` stays light.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from ganvas.catalog import catalog
from ganvas.defaults import MEASURED_SAMPLES, MINUTES
from ganvas.errors import UsageError, nearest
from ganvas.files import JsonObject
from ganvas.settings import as_dict, as_text, check, setting, settings_of
from ganvas.synonyms import argument_advice
from ganvas.training.callbacks import Callback

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any as DataObject

    from ganvas.data import Dataset
    from ganvas.method import Method
else:  # at run time, annotations say what a command line or a file can hold: names
    Path = Dataset = Method = DataObject = str

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

BUDGET_UNITS = ("minutes", "images", "steps")  # in files and settings.json, one table
KEPT_ON_RESUME = ("method", "data", "preset", "seed", "codes", "init_from")  # by a resumed run; its settings too
NOT_RECORDED = (
    "out",
    "device",
    "resume",
    "guard",
    "quiet",
)  # in settings.json: they concern one call, not what is trained
MAX_SEED = 2**62


LOGGERS = {"tensorboard": "tensorboard", "wandb": "wandb", "trackio": "trackio"}
"""Loggers beside the run's own log: name, which is that of the extra too, and package."""


def logger_names(log_to: str | None) -> list[str]:
    """The loggers that a setting `log_to` names, each once; UsageError where there is no such one."""
    names = []
    for name in (log_to or "none").replace(" ", "").split(","):
        if name not in ("none", *LOGGERS):
            raise UsageError(
                f"log_to must be {', '.join(LOGGERS)} or none (got {name!r}){nearest(name, LOGGERS)}; several are joined by"
                " commas"
            )
        if name != "none" and name not in names:
            names.append(name)
    return names


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """One training as it is asked for; making it checks every value, and UsageError names the wrong one.

    `settings` are the method's, `data_settings` the data's. `callbacks` listen to the training.
    """

    method: str | Method | None = setting(None, "Which method; `ganvas methods` lists them. Default: mgan.")
    data: str | Path | Dataset | DataObject | None = setting(
        None,
        "A folder (sub-folders are labels), a .zip, .npz, .npy or IDX file, a text, or a set by name: digits, hf:OWNER/NAME.",
    )
    _: dataclasses.KW_ONLY
    out: str | Path | None = setting(None, "The run folder to make. Default: runs/METHOD-DATA.", metavar="RUN")
    minutes: float | None = setting(
        None,
        "Budget in minutes, all told: preparing, training, measuring, saving and the report. The first budget reached ends it;"
        f" {MINUTES:g} minutes if none is given.",
        above=0,
    )
    images: int | None = setting(None, "Budget in images, clips or tokens drawn, repeats included.", minimum=1)
    steps: int | None = setting(None, "Budget in steps.", minimum=1)
    preset: str | None = setting(None, "A preset of the method; `ganvas methods NAME` shows them.")
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    data_settings: Mapping[str, object] = dataclasses.field(default_factory=dict)
    seed: int | None = setting(None, "All random draws follow from it. Default: 0.", minimum=0)
    device: str = setting("auto", "auto, cpu, cuda, cuda:N, xpu or mps. auto: a GPU if there is one.")
    precision: str = setting(
        "auto",
        "auto: bf16 if it is faster on this machine, else tf32 where a GPU has it.",
        choices=("auto", "fp32", "tf32", "bf16"),
    )
    compile: str = setting("auto", "Compile the networks.", choices=("auto", "on", "off"))
    resume: str | Path | None = setting(
        None, "Continue this run. auto: continue the run in --out if there is one, else start it.", metavar="RUN|auto"
    )
    codes: str | Path | None = setting(
        None, "code_prior: the run of a vq_vae whose codes it learns; its weights are copied.", metavar="RUN"
    )
    init_from: str | Path | None = setting(
        None,
        "Begin with the weights of another run, of any method: of every network that both have, by name. The rest begins anew.",
        metavar="RUN",
    )
    checkpoint_every: int | None = setting(
        None, "Steps between two checkpoints. Default: one a minute.", minimum=1, metavar="STEPS"
    )
    evaluate_every: int | None = setting(
        None,
        "Steps between two measurements. Default: five over the budget, fewer where they would take more than a fifth of"
        " its minutes.",
        minimum=1,
        metavar="STEPS",
    )
    samples: int | None = setting(
        None,
        f"Images in a measurement; 0: measure nothing. Default: {MEASURED_SAMPLES}, fewer where a budget in minutes is short.",
        minimum=0,
    )
    guard: bool = setting(False, "Make the doctor's changes while training, where it is sure of them.")
    quiet: bool = setting(False, "Show no progress.")
    log_to: str | None = setting(
        None,
        f"Also log to {', '.join(LOGGERS)}; several joined by commas. none: to none of them.",
        metavar="LOGGER",
    )
    callbacks: Sequence[Callback] = ()

    def __post_init__(self) -> None:
        if isinstance(self.log_to, list | tuple):
            object.__setattr__(self, "log_to", ",".join(map(str, self.log_to)))
        for name, declared in settings_of(self).items():
            value = getattr(self, name)
            if isinstance(value, os.PathLike):
                value = os.fspath(value)
            is_name = declared.type == str | None and (isinstance(value, str) or name in ("method", "data"))
            if not is_name:
                value = check(declared, value)
            object.__setattr__(self, name, value)
        for name in ("settings", "data_settings"):
            value = getattr(self, name)
            if value is None:
                object.__setattr__(self, name, {})
            elif not isinstance(value, Mapping) and not dataclasses.is_dataclass(value):
                raise UsageError(f"{name} must be a dict of names and values (got {value!r})")
        if dataclasses.is_dataclass(self.data_settings):  # a DataSettings is as good as a mapping
            object.__setattr__(self, "data_settings", as_dict(self.data_settings))
        if (self.seed or 0) > MAX_SEED:
            raise UsageError(f"seed must be an integer from 0 to {MAX_SEED} (got {self.seed})")
        logger_names(self.log_to)
        if self.samples == 1:
            raise UsageError("samples must be 0 (measure nothing) or at least 2 (got 1)")

    @property
    def budget(self) -> dict[str, float]:
        """The limits that were given, by name."""
        limits = {}
        for name, limit in self._limits().items():
            if limit is not None:
                limits[name] = limit
        return limits

    def _limits(self) -> dict[str, float | None]:
        return {name: getattr(self, name) for name in BUDGET_UNITS}

    def given(self) -> JsonObject:
        """The settings that are not at their default."""
        values = as_dict(self)
        for name, declared in settings_of(self).items():
            if values[name] == declared.default:
                del values[name]
        return values

    def as_dict(self) -> JsonObject:
        """Plain values for settings.json, from which `from_dict` makes the same training again."""
        values = as_dict(self)
        for name in (*BUDGET_UNITS, *NOT_RECORDED):
            del values[name]
        return {**values, "settings": self.settings, "data_settings": self.data_settings, "budget": self._limits()}

    def command_line(self, *, but: tuple[str, ...] = ()) -> list[str]:
        """The words that ask `ganvas train` for this config, without the settings named in `but`."""
        words = []
        if self.method:
            words.append(str(self.method))
        declared = settings_of(self)
        for name, value in self.given().items():
            if name == "method" or name in but:
                continue
            words.append(declared[name].option)
            if value is not True:
                words.append(str(value))
        for name, value in self.settings.items():
            words += ["--set", f"{name}={as_text(value)}"]
        for name, value in self.data_settings.items():
            words += ["--set", f"data.{name}={as_text(value)}"]
        return words

    @classmethod
    def from_dict(cls, info: JsonObject) -> TrainConfig:
        """The config in a run's settings.json, of this version or an older one; the facts beside it are passed over."""
        values = {}
        for name in (*settings_of(cls), "settings", "data_settings"):
            if name in info and name not in NOT_RECORDED:
                values[name] = info[name]
        if "samples" not in info:  # its older name
            values["samples"] = info.get("measure_samples")
        if "compile" not in info and info.get("compiled"):
            values["compile"] = "on"
        for name in BUDGET_UNITS:
            values[name] = info["budget"].get(name)
        return cls(**values)

    def merged(self, over: JsonObject) -> TrainConfig:
        """With the values of `over` in place of its own. A budget replaces the whole budget, a preset all settings; `settings`
        and `data_settings` are replaced one by one."""
        changes = dict(over)
        if any(over.get(name) is not None for name in BUDGET_UNITS):
            for name in BUDGET_UNITS:
                changes.setdefault(name, None)
        settings = {} if over.get("preset") else self.settings
        changes["settings"] = {**settings, **over.get("settings", {})}
        changes["data_settings"] = {**self.data_settings, **over.get("data_settings", {})}
        return dataclasses.replace(self, **changes)


def takes_fields_of(
    config: Callable[Arguments, TrainConfig],
) -> Callable[[Callable[..., Result]], Callable[Arguments, Result]]:
    """Decorates a function that hands its arguments to `config`: type checkers and `help()` show the arguments of that."""

    names = list(inspect.signature(config).parameters)

    def decorate(function: Callable[..., Result]) -> Callable[Arguments, Result]:
        @functools.wraps(function)
        def checked(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
            for name in options:
                if name not in names:
                    hint = argument_advice(name, names) or _setting_hint(name) or nearest(name, names)
                    raise UsageError(
                        f"{function.__name__} has no argument {name}{hint} (there are: {', '.join(names)})"
                    )
            return function(*args, **options)

        returns = inspect.signature(function).return_annotation
        checked.__signature__ = inspect.signature(config).replace(return_annotation=returns)  # pyright: ignore
        return checked

    return decorate


def _setting_hint(name: str) -> str:
    """Where to put a setting of a method or of the data that was given as an argument."""
    from ganvas.data import DataSettings

    if any(name == one["name"] for facts in catalog().values() for one in facts["settings"]):
        return f'; use settings={{"{name}": ...}}'
    return f'; use data_settings={{"{name}": ...}}' if name in settings_of(DataSettings) else ""
