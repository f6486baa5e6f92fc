"""A layout: how a known project names the weights of a network, and what the same network is here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from ganvas.data.spec import DataSpec
from ganvas.errors import DataError
from ganvas.foreign.files import State, read_state

MAX_BLOCKS = 200  # of a chain of layers; no known network has more


@dataclass(frozen=True)
class Request:
    """What the user says of the weights."""

    style: str | None = None
    """Of a network of many styles: "7", or shares of several, "3:0.5,12:0.5"."""


@dataclass(frozen=True)
class Rebuilt:
    """A network of ours that computes what the foreign one does."""

    method: str
    settings: Mapping[str, object]
    spec: DataSpec
    weights: State
    """By the names of the method's modules, such as "G.first.weight"."""
    lacks: tuple[str, ...] = ()
    """Parts of the method that the file does not hold, such as a discriminator."""
    notes: tuple[str, ...] = field(default=())


class Layout(ABC):
    """One layout. `name` is what a user asks for."""

    name: ClassVar[str]
    title: ClassVar[str]
    """One line: whose weights these are."""
    files: ClassVar[str] = "a .pth or .safetensors file"

    @abstractmethod
    def rebuild(self, state: State, request: Request) -> Rebuilt:
        """Our network for the tensors of a file; DataError where they are not of this layout."""

    def read(self, path: Path) -> State:
        """The tensors of a file; DataError where it cannot be read."""
        return read_state(path)


class Taken:
    """Takes tensors out of a state one by one, so that what is missing and what is left over are both noticed."""

    def __init__(self, state: State, layout: Layout) -> None:
        self.left, self.layout = dict(state), layout

    def __contains__(self, name: str) -> bool:
        return name in self.left

    def take(self, name: str, shape: tuple[int | None, ...] | None = None) -> Tensor:
        """A tensor of floats by name; `shape` has None for any length."""
        if name not in self.left:
            raise DataError(
                f"the file has no tensor {name}, which {self.layout.name} needs ({self.layout.title}): is it another layout?"
            )
        tensor = self.left.pop(name)
        fits = shape is None or (
            tensor.ndim == len(shape) and all(a is None or a == b for a, b in zip(shape, tensor.shape, strict=True))
        )
        if not tensor.is_floating_point() or not fits or tensor.numel() == 0:
            raise DataError(
                f"{name} of the file has the shape {tuple(tensor.shape)} ({tensor.dtype}), and {self.layout.name} needs"
                f" {shape or 'floats'}"
            )
        return tensor.float()

    def convolution(self, source: str, target: str, into: State) -> Tensor:
        """Weight (outputs, inputs, k, k) and bias of a convolution under another name; returns the weight."""
        weight = self.take(f"{source}.weight", (None, None, None, None))
        into[f"{target}.weight"] = weight
        into[f"{target}.bias"] = self.take(f"{source}.bias", (weight.shape[0],))
        return weight

    def count(self, pattern: str, first: int = 0) -> int:
        """How many names there are of `pattern` with a number in it, from `first` on: "body.{}.weight"."""
        number = 0
        while pattern.format(first + number) in self.left:
            number += 1
            if number > MAX_BLOCKS:
                raise DataError(
                    f"the file has more than {MAX_BLOCKS} blocks, more than any network of {self.layout.name}"
                )
        return number

    def drop(self, names: Iterable[str]) -> None:
        """Forgets tensors that have no effect, where they are there."""
        for name in names:
            self.left.pop(name, None)

    def finish(self) -> None:
        """DataError where tensors are left over: then it is another network."""
        if self.left:
            names = ", ".join(sorted(self.left)[:3])
            raise DataError(
                f"the file holds {len(self.left)} tensors that {self.layout.name} has no place for ({names}, ...): it is another"
                " network"
            )


def without_prefix(state: State, prefix: str) -> State:
    """A state without a prefix that all of its names have, such as DataParallel's "module."."""
    if state and all(name.startswith(prefix) for name in state):
        return {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state
