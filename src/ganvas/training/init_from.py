"""`--init-from RUN`: a training begins with the networks that another run trained, whichever method that run is of.

One rule for all methods: networks of the same name must be the same network (layers, their attributes, shapes), and the weights
of the other run's, averaged, are copied. Networks that only this method has, optimisers and counts begin anew.
"""

from __future__ import annotations

from itertools import zip_longest

from torch import nn

from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.settings import as_text


def take_networks(method: Method, trained: Method) -> tuple[str, ...]:
    """Copies into a method that is set up every network that it and `trained` both have, and returns the names of the others;
    UsageError where there is none in common, where one is another network, or where the tokens of a text differ."""
    common, anew = shared(method, trained)
    if not common:
        raise UsageError(
            f"{_name(trained)} trained {', '.join(networks(trained))}, and {method.name} has {', '.join(networks(method))}:"
            " --init-from takes a run with a network of the same name"
        )
    if trained.spec.text != method.spec.text:
        raise UsageError(f"{_name(trained)} learned other tokens than those of {method.spec.name}: omit --init-from")
    for name in common:
        there, here = trained.get_submodule(name), method.get_submodule(name)
        difference = first_difference(there, here)
        if difference:
            raise UsageError(
                f"{name} of {_name(trained)} is not the {name} of this {method.name}: {difference}."
                f" {_advice(trained, method)}"
            )
        here.load_state_dict(there.state_dict())
    method.took_over(common)
    return anew


def begins_with(method: Method, trained: Method) -> str:
    """Which networks a training took from `trained`, in words."""
    common, anew = shared(method, trained)
    sentence = f"{', '.join(common)} with the weights of {_name(trained)}"
    return f"begins with {sentence}" + (f", {', '.join(anew)} with random ones" if anew else "")


def shared(method: Method, trained: Method) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the networks that `trained` has too, and of those that it has not."""
    mine, theirs = networks(method), networks(trained)
    return tuple(name for name in mine if name in theirs), tuple(name for name in mine if name not in theirs)


def networks(method: Method) -> tuple[str, ...]:
    """Names of the networks that a method trains."""
    return tuple(name for name, _ in method.named_children() if name not in method.frozen)


def first_difference(there: nn.Module, here: nn.Module) -> str:
    """How two networks differ first: in a layer's kind, its attributes or a shape. "" where they do not."""
    end: tuple[str, nn.Module | None] = ("", None)
    for (name, one), (other_name, other) in zip_longest(there.named_modules(), here.named_modules(), fillvalue=end):
        if one is None or other is None or name != other_name or type(one) is not type(other):
            return f"{_layer(name, one)} there, {_layer(other_name, other)} here"
        mine = _attributes(other)
        for key, value in _attributes(one).items():
            if mine.get(key) != value:
                return f"{key} of {_layer(name, one)} is {value} there, {mine.get(key)} here"
    shapes = {name: tuple(tensor.shape) for name, tensor in here.state_dict().items()}
    for name, tensor in there.state_dict().items():
        if shapes.get(name) != tuple(tensor.shape):
            return f"{name} is {tuple(tensor.shape)} there, {shapes.get(name)} here"
    return ""


def _layer(name: str, layer: nn.Module | None) -> str:
    return "no further layer" if layer is None else f"{type(layer).__name__} {name}".strip()


def _attributes(layer: nn.Module) -> dict[str, object]:
    """What a layer computes, as far as plain attributes say it: strides, scales, choices."""
    found = {}
    for name, value in vars(layer).items():
        if isinstance(value, bool | int | float | str | tuple) and name != "training" and not name.startswith("_"):
            found[name] = value
    return found


def _name(trained: Method) -> str:
    run = trained.loaded_from.run if trained.loaded_from else ""
    return f"{run} ({trained.name})".strip()


def _advice(trained: Method, method: Method) -> str:
    """The settings that both have and the other run has otherwise."""
    mine = method.settings()
    different = []
    for name, value in trained.settings().items():
        if name in mine and mine[name] != value:
            different.append(f"{name}={as_text(value)}")
    if not different:
        return "No setting that both have makes them the same"
    return f"Some of the settings that it was trained with make them the same (--set): {' '.join(different)}"
