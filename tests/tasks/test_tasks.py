"""Commands, functions of ganvas.tasks and methods of Run: the same names, arguments and defaults."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import typer.main

from ganvas import tasks
from ganvas.cli.main import app
from ganvas.run import Run

LOADING = {"raw", "best", "device"}  # of a Run's methods: which weights, and where
WRITING = {
    "format",
    "out",
    "json",
    "grid",
    "animate",
    "grids",
    "apply",
    "video",
    "fps",
    "preview",
}  # of commands: where the result goes
# What is given, and a function that is told of the progress, which a command line has not.
INPUTS = {"run", "images", "image", "data", "codes", "labels", "content", "style", "mask", "method", "progress"}
SET = "settings"  # what --set NAME=VALUE is in Python


def options(command: str) -> dict[str, Any]:
    """Names of a command's options as Python would write them, with their defaults."""
    group: Any = typer.main.get_command(app)
    found = {}
    for parameter in group.commands[command].params:
        if parameter.param_type_name == "option" and parameter.name != "help":
            name = parameter.opts[0].lstrip("-").replace("-", "_")
            found[SET if name == "set" else name] = parameter.default
    return found


def arguments(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {one.name: None if one.default is one.empty else one.default for one in parameters if one.name != "self"}


# `stylise_with` is `Run.stylise`, and `evaluate_augmentation` is `ganvas augment --evaluate`, of a method.
NAMES = [name for name in tasks.__all__ if name not in ("stylise_with", "evaluate_augmentation")]
# Styling a photo by a run is one function, and without a run another: the command's options are those of both.
WITHOUT_RUN = {"stylise": {"network", "weights", "weights_file", "minutes", "settings", "seed", "precision"}}
# Of the method that --with names, and of --evaluate, whose function is another one.
OF_COMMAND = {"augment": {"with", "evaluate", "sizes", "seeds", "rare", "others", "unlabelled", "preset", "steps"}}


@pytest.mark.parametrize("name", NAMES)
def test_command_method_and_function_agree(name: str) -> None:
    function, method, command = arguments(getattr(tasks, name)), arguments(getattr(Run, name)), options(name)
    for asked, default in method.items():
        if asked in INPUTS:
            continue
        assert asked in command, f"ganvas {name} has no --{asked.replace('_', '-')}, and Run.{name} has {asked}"
        assert command[asked] == default, (
            f"{name}: {asked} is {command[asked]} in a command line and {default} in Python"
        )
    missing = set(command) - set(method) - WRITING - INPUTS - WITHOUT_RUN.get(name, set()) - OF_COMMAND.get(name, set())
    assert not missing, f"Run.{name} lacks what ganvas {name} takes: {sorted(missing)}"
    for asked, default in method.items():
        if asked in LOADING | INPUTS or asked not in function:
            continue
        assert function[asked] == default, asked
    for asked in WITHOUT_RUN.get(name, ()):
        assert function[asked] == command[asked], asked
    assert inspect.getdoc(getattr(tasks, name)) and inspect.getdoc(getattr(Run, name))


def test_every_command_for_a_run_is_a_task() -> None:
    group: Any = typer.main.get_command(app)
    others = {"train", "compare", "methods", "data", "import", "studio"}  # they take no single run
    others |= {"push", "export"}  # they hand a run on: ganvas.hub and ganvas.export
    assert set(group.commands) - others == set(NAMES)
