"""Options of the commands: those that several share, and those that are made from the fields of a dataclass."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ganvas.cli import completion
from ganvas.settings import Setting, settings_of

Command = Callable[..., None]
COMPLETED: dict[str, Callable[..., Any]] = {  # what the shell offers for the options that are made from settings
    "method": completion.methods, "data": completion.data, "preset": completion.presets, "device": completion.devices,
    "resume": completion.runs, "codes": completion.runs, "out": completion.paths,
}  # fmt: skip

RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", autocompletion=completion.runs, help="A run folder, as `ganvas train` writes it."),
]
RawOption = Annotated[bool, typer.Option("--raw", help="The weights as trained, without their moving average.")]
BestOption = Annotated[
    bool, typer.Option("--best", help="The weights of the step with the best metric instead of the last.")
]
DeviceOption = Annotated[
    str, typer.Option(autocompletion=completion.devices, help="auto, cpu, cuda, cuda:N, xpu or mps.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
ProgressJsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout at the end; progress goes to stderr.")
]
PngOut = Annotated[Path, typer.Option(metavar="FILE.png", help="Where the image is written.")]
PngFolder = Annotated[Path, typer.Option(metavar="DIR", help="A folder for the results, NAME.png each.")]


def set_option(help: str) -> Any:
    """--set KEY=VALUE, which may be repeated: for a parameter of type list[str] | None."""
    return typer.Option(
        "--set", metavar="KEY=VALUE", autocompletion=completion.settings, help=f"{help} May be repeated."
    )


DataSetOption = Annotated[list[str] | None, set_option("A setting of --data, such as size=64.")]


def with_settings_of(owner: type, *, arguments: tuple[str, ...]) -> Callable[[Command], Command]:
    """Decorates a command that takes `**options`: it gets one option for each setting of `owner`, before its own options.

    `arguments` are given by position. What the command line does not name comes as None, or as False.
    """

    def decorate(command: Command) -> Command:
        settings = settings_of(owner)
        # The arguments, the options of the other settings, and the command's own.
        parameters = [_argument(settings.pop(name)) for name in arguments]
        parameters += map(_option, settings.values())
        for parameter in inspect.signature(command, eval_str=True).parameters.values():
            if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
                parameters.append(parameter)
        command.__signature__ = inspect.Signature(parameters)  # pyright: ignore[reportFunctionMemberAccess]
        return command

    return decorate


def _argument(setting: Setting) -> inspect.Parameter:
    metavar = setting.metavar or setting.name.upper()
    info = typer.Argument(metavar=metavar, help=setting.help, autocompletion=_completed(setting))
    return _parameter(setting, Annotated[_type(setting), info], None)


def _option(setting: Setting) -> inspect.Parameter:
    metavar = setting.metavar or "|".join(map(str, setting.choices or ())) or None
    info = typer.Option(
        setting.option, metavar=metavar, help=setting.help, show_default=False, autocompletion=_completed(setting)
    )
    return _parameter(setting, Annotated[_type(setting), info], False if setting.type is bool else None)


def _completed(setting: Setting) -> Callable[..., Any] | None:
    """What the shell offers for a value."""
    if setting.choices:
        return completion.one_of(setting.choices)
    return COMPLETED.get(setting.name)


def _parameter(setting: Setting, annotation: object, default: bool | None) -> inspect.Parameter:
    return inspect.Parameter(setting.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _type(setting: Setting) -> Any:
    """What the parser reads: a number or a flag where the setting is one, else text."""
    if setting.type is bool:
        return bool
    for option in typing.get_args(setting.type):
        if option in (int, float):
            return option | None
    return str | None
