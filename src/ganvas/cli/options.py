"""Options of the commands: those that several share, and those that are made from the fields of a dataclass."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from ganvas.settings import Setting, as_text, settings_of
from ganvas.training.config import TrainConfig

Command = Callable[..., None]

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, as `ganvas train` writes it.")]
RawOption = Annotated[bool, typer.Option("--raw", help="The weights as trained, without their moving average.")]
BestOption = Annotated[
    bool, typer.Option("--best", help="The weights of the step with the best metric instead of the last.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
ProgressJsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on stdout at the end; progress goes to stderr.")
]
PngOut = Annotated[Path, typer.Option(metavar="FILE.png", help="Where the image is written.")]
PngFolder = Annotated[Path, typer.Option(metavar="DIR", help="A folder for the results, NAME.png each.")]


def with_settings_of(owner: type, *, arguments: tuple[str, ...]) -> Callable[[Command], Command]:
    """Decorates a command that takes `**options`: it gets one option for each setting of `owner`, before its own options.

    `arguments` are given by position. What the command line does not name comes as None, or as False.
    """

    def decorate(command: Command) -> Command:
        known = settings_of(owner)
        parameters = inspect.signature(command, eval_str=True).parameters.values()
        own = [one for one in parameters if one.kind is not inspect.Parameter.VAR_KEYWORD]
        made = [_argument(known[name]) for name in arguments]
        made += [_option(one) for name, one in known.items() if name not in arguments]
        command.__signature__ = inspect.Signature([*made, *own])  # pyright: ignore[reportFunctionMemberAccess]
        return command

    return decorate


def command_line(config: TrainConfig, *, but: tuple[str, ...]) -> list[str]:
    """The words that ask `ganvas train` for this config, without those named."""
    words = [str(config.method)] if config.method else []
    known = settings_of(config)
    for name, value in config.given().items():
        if name == "method" or name in but:
            continue
        words += [flag(known[name])] if value is True else [flag(known[name]), str(value)]
    settings = {**config.settings, **{f"data.{name}": value for name, value in config.data_settings.items()}}
    for name, value in settings.items():
        words += ["--set", f"{name}={as_text(value)}"]
    return words


def flag(known: Setting) -> str:
    """ "--checkpoint-every" """
    return known.flag or f"--{known.name.replace('_', '-')}"


def _argument(known: Setting) -> inspect.Parameter:
    info = typer.Argument(metavar=known.metavar or known.name.upper(), help=known.help)
    return _parameter(known, Annotated[_type(known), info], None)


def _option(known: Setting) -> inspect.Parameter:
    metavar = known.metavar or "|".join(known.choices or ()) or None
    info = typer.Option(flag(known), metavar=metavar, help=known.help, show_default=False)
    return _parameter(known, Annotated[_type(known), info], False if known.type is bool else None)


def _parameter(known: Setting, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(known.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _type(known: Setting) -> Any:
    """What the parser reads: a number or a flag where the setting is one, else text."""
    if known.type is bool:
        return bool
    numbers = [one for one in typing.get_args(known.type) if one in (int, float)]
    return (numbers[0] if numbers else str) | None
