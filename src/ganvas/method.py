"""The contract: a Method is one paper; an Update is one optimiser step of it; abilities (ganvas.abilities) say what it can do.

A method states its settings as fields, makes its networks in `build(spec)`, its optimisers in `optimizers()` and its steps
in `updates()`. One loop (ganvas.training.trainer) serves all of them and knows none by name.

    @register
    @dataclass(eq=False)
    class MyGAN(Adversarial):
        name = "my_gan"
        lr: float = setting(2e-4, "learning rate of Adam, both networks", minimum=0)

        def discriminator_loss(self, batch): ...
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.abilities import (
    Blends,
    Code,
    CodeGrid,
    Continues,
    Degraded,
    Degrades,
    Draws,
    Encodes,
    HasCodes,
    HasDiscriminator,
    HasLikelihood,
    Likelihood,
    Prepares,
    Quantises,
    Resembles,
    Restoration,
    Restores,
    Samples,
    Shows,
    StandsOn,
    Stylises,
    Translates,
)
from ganvas.data.batch import Batch
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, UsageError, nearest
from ganvas.settings import as_dict, change, setting, settings_of

__all__ = [
    "Batch",
    "Blends",
    "Classes",
    "Code",
    "CodeGrid",
    "Continues",
    "DataSpec",
    "Degraded",
    "Degrades",
    "Draws",
    "Encodes",
    "HasCodes",
    "HasDiscriminator",
    "HasLikelihood",
    "Likelihood",
    "Method",
    "Prepares",
    "Quantises",
    "Resembles",
    "Restoration",
    "Restores",
    "Samples",
    "Shows",
    "StandsOn",
    "Stylises",
    "Translates",
    "Update",
    "create",
    "find",
    "method_names",
    "methods_with",
    "nothing",
    "preset",
    "presets",
    "register",
    "setting",
    "step_factor",
    "uniforms",
    "unmeasured",
]  # fmt: skip


def nothing(report: dict[str, Tensor]) -> None:
    """The default of Update.after."""


@dataclass(frozen=True)
class Update:
    """One optimiser step of a method."""

    name: str
    """Its key in the log: "discriminator", "r1"."""
    trains: str
    """Key of Method.optimizers(). Only the parameters of that optimiser collect gradients."""
    loss: Callable[[Batch], dict[str, Tensor]]
    """Pure: no state moves. The dict holds "loss" (scalar); the other scalars are logged."""
    repeat: int = 1
    """Times in a row, each on a fresh batch (n_critic)."""
    every: int = 1
    """Only in every n-th step (lazy regularisers)."""
    span: tuple[float, float] = (0.0, math.inf)
    """Only from the first to before the second share of the budget, of which 1 is the end (phases, levels trained in turn)."""
    after: Callable[[dict[str, Tensor]], None] = nothing
    """Called with the loss's dict after the optimiser moved: the only place where state may move (clipping, k_t, ADA's p).
    Its scalars are means over all processes by then; scalars that it adds are logged too."""
    clip: float = 0.0
    """Largest norm of all its gradients together (Pascanu 2013); longer ones are made as short. 0: as they are."""
    start: Callable[[dict[str, Tensor]], None] | None = None
    """In place of `after` in the first step of a training that begins with new weights: what the first batch decides (a
    codebook's k-means)."""
    means: tuple[str, ...] = ()
    """Keys of the loss's dict, tensors of any shape, that are means over all processes too when `after` gets them. By
    Batch.gathered a mean can hold every process's own rows."""
    hands: tuple[str, ...] = ()
    """Keys of the loss's dict that the later updates of this step find, detached, in Batch.handed."""
    shares: tuple[str, ...] = ()
    """Likewise with their graph, in Batch.shared: a later update goes back through what this one computed. Right only for
    networks that no update in between moves."""


class Method(nn.Module):
    """Base of all methods. Subclasses are dataclasses with `eq=False`; every field is a `setting`.

    After `build(spec)` the networks are attributes. A state that moves (BEGAN's k, ADA's p) is a registered buffer, so that
    checkpoints hold it.
    """

    name: ClassVar[str] = ""
    title: ClassVar[str] = ""
    """One line for lists: what it is, who, when."""
    paper: ClassVar[str] = ""
    """Citation with arXiv number or venue."""
    takes: ClassVar[tuple[str, ...]] = ("images",)
    """Kinds of data that it learns from (see DataSpec.kind)."""
    averaged: ClassVar[tuple[str, ...]] = ()
    """Attributes whose exponential moving average is kept, and used for sampling."""
    frozen: ClassVar[tuple[str, ...]] = ()
    """Attributes that were trained elsewhere, go into the weights and never move: the first stage of a two-stage method."""
    filled: ClassVar[tuple[str, ...]] = ()
    """Settings that the training writes, so that the run tells all of itself; a resumed run keeps them."""
    resumed: bool = False
    """Set before `begin` where a checkpoint is read after it: what that holds (`frozen` too) need not come from elsewhere."""
    ema: float = 0.999
    """Decay of that average, a step; a method that has it as a setting overrides this."""
    of_sampling: ClassVar[tuple[str, ...]] = ()
    """Settings that only sampling reads: those that a trained method may be given anew (`ganvas sample --set`)."""
    window: int = 0
    """Tokens of text that a row of a batch predicts; methods that take text have it as a setting."""
    carried: ClassVar[tuple[str, ...]] = ()
    """Buffers with one row for each of the global batch, which go from step to step (the state of a recurrent network).
    Each process keeps its own rows right."""
    spec: DataSpec
    batch_size: int

    def __post_init__(self) -> None:
        nn.Module.__init__(self)

    def train(self, mode: bool = True) -> Self:
        """As nn.Module's, but what is frozen stays as it was trained: its statistics must not move, nor its dropout drop."""
        super().train(mode)
        for name in self.frozen:
            if name in self._modules:
                self.get_submodule(name).eval()
        return self

    def build(self, spec: DataSpec) -> None:
        """Makes the networks for data of this shape. Draws initial weights from torch's global generator."""
        raise NotImplementedError

    def begin(self, device: torch.device) -> None:
        """Called once after `build` where a training begins or continues, never where a trained run is only used.

        The place for what only training needs and no checkpoint should hold: a frozen network's weights from elsewhere, a style
        image. Draws nothing at random.
        """

    def optimizers(self) -> dict[str, Optimizer]:
        """The optimisers by key; no parameter belongs to two."""
        raise NotImplementedError

    def updates(self) -> list[Update]:
        """What one step does, in order. Names differ from each other."""
        raise NotImplementedError

    def schedule(self, progress: float, steps: int) -> float:
        """Factor on every learning rate at `progress` (0 at the start, 1 at the end of the budget), after `steps` steps."""
        return 1.0

    def average_decay(self, steps: int) -> float:
        """Decay of the moving average at step `steps` (1 is the first). 0 follows the raw weights."""
        return min(self.ema, (1 + steps) / (10 + steps))

    def with_settings(self: M, values: dict[str, Any]) -> M:
        """An unbuilt copy with `values` checked and put in; UsageError names an unknown key or a bad value."""
        return change(self, values)

    def settings(self) -> dict[str, Any]:
        """Every setting as a plain value."""
        return as_dict(self)


M = TypeVar("M", bound=Method)


class Classes(Method):
    """A method that can be conditioned on classes. No dataclass, or these would be settings."""

    classes = 0
    """Classes that the networks are conditioned on; 0 where they are not (see `learn_classes`)."""
    class_share: Tensor

    def learn_classes(self, spec: DataSpec) -> int:
        """To be called by `build` where the networks are conditioned on classes: notes them, and returns how many there are."""
        if not spec.classes:
            raise DataError(
                f"{self.name} learns by class here, and {spec.name} has no labels: put the {spec.unit} of each class into"
                " a sub-folder of its own, or `labels` into the .npz"
            )
        counts = torch.tensor(spec.class_counts or [1] * len(spec.classes), dtype=torch.float32)
        used = [
            name
            for name, count in zip(spec.classes, spec.class_counts or [1] * len(spec.classes), strict=True)
            if count
        ]
        if len(used) < 2:
            raise DataError(
                f"{self.name} learns by class here, and all {spec.unit} of {spec.name} are of one class ({used[0]}):"
                " it takes two or more"
            )
        self.register_buffer("class_share", counts / counts.sum(), persistent=False)
        self.classes = len(spec.classes)
        return self.classes

    def labels(self, seeds: Iterable[int]) -> Tensor | None:
        """A class a seed, as often as in the data; None where the networks are not conditioned on classes."""
        if not self.classes:
            return None
        # Other random numbers than the latent's of the same seed, or the class would follow from z.
        draws = [torch.rand((), generator=torch.Generator().manual_seed(_mixed(seed))) for seed in seeds]
        return self.class_of(torch.stack(draws))

    def class_of(self, uniform: Tensor) -> Tensor:
        """A class for each number in [0, 1), as often as in the data, int64."""
        cuts = self.class_share.to(uniform.device).cumsum(0)[:-1].contiguous()
        return torch.searchsorted(cuts, uniform.contiguous(), right=True)


def _mixed(seed: int) -> int:
    """Another seed for each seed, far from its neighbours' (a multiplication modulo 2^63 by an odd number)."""
    return (seed + 1) * 0x9E3779B97F4A7C15 % 2**63


def uniforms(seeds: Iterable[int], length: int) -> Tensor:
    """Numbers in [0, 1), (n, length), on the CPU; row i depends on seed i only. The latents of what is drawn value by value."""
    return torch.stack([torch.rand(length, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


def step_factor(decay: str, progress: float, steps: int = 0, warmup: int = 0) -> float:
    """Factor on a learning rate: rising over `warmup` steps, then falling to zero over the budget, for Method.schedule.

    `decay` is linear, cosine, second_half (at its full height for half of the budget, then linear) or none.
    """
    falling = {
        "linear": 1 - progress,
        "cosine": (1 + math.cos(math.pi * progress)) / 2,
        "second_half": min(1.0, 2 - 2 * progress),
        "none": 1.0,
    }
    return falling[decay] * min(1.0, (steps + 1) / max(1, warmup))


# --- the registry: a method is known as soon as its file is imported ---------------------------------------------------

_methods: dict[str, type[Method]] = {}
_presets: dict[str, dict[str, Callable[[], Method]]] = {}
_imported = False
C = TypeVar("C", bound=type[Method])
P = TypeVar("P", bound=Callable[[], Method])


def register(cls: C) -> C:
    """Class decorator: makes a method known by its `name`."""
    if not cls.name or not cls.paper or not cls.title:
        raise TypeError(f"{cls.__name__} needs the class attributes name, title and paper")
    if [field.name for field in fields(cls) if field.name not in settings_of(cls)]:  # pyright: ignore[reportArgumentType]
        raise TypeError(f"every field of {cls.__name__} must be a setting(...), so that flags and help can show it")
    _methods[cls.name] = cls
    return cls


def preset(name: str) -> Callable[[P], P]:
    """Decorator for a plain function that returns an unbuilt method: `--preset FUNCTION_NAME` of method `name`.

    Its docstring says the expected time, machine and score, and where they come from.
    """

    def keep(make: P) -> P:
        _presets.setdefault(name, {})[make.__name__] = make
        return make

    return keep


def method_names() -> list[str]:
    """All registered methods, sorted."""
    _import_all()
    return sorted(_methods)


def find(name: str) -> type[Method]:
    """The class of a method; UsageError offers the nearest name."""
    _import_all()
    if name not in _methods:
        raise UsageError(f"unknown method {name}{nearest(name, _methods)} (there are: {', '.join(sorted(_methods))})")
    return _methods[name]


def methods_with(ability: type) -> str:
    """The names of the methods that have an ability, for messages: "gran, flow_matching"."""
    return ", ".join(name for name in method_names() if issubclass(find(name), ability))


def unmeasured(name: str) -> str:
    """Why `ganvas evaluate` has no figures for a run of this method, and what to do; "" where it has some."""
    measurable = (Samples, HasLikelihood, Quantises, Translates, Resembles, Degrades)
    if name not in method_names() or issubclass(cls := find(name), measurable):
        return ""
    told = f"{name} makes images out of others, which its run alone cannot be measured by"
    uses = {Restores: "restore", Stylises: "stylise"}
    for ability, use in uses.items():
        if issubclass(cls, ability):
            return f"{told}: put results of `ganvas {use}` into a folder for `ganvas evaluate FOLDER --data REAL_ONES`"
    return told


def presets(name: str) -> dict[str, Callable[[], Method]]:
    """The presets of a method by name."""
    find(name)
    return dict(_presets.get(name, {}))


def create(name: str, preset: str | None = None, settings: dict[str, Any] | None = None) -> Method:
    """An unbuilt method: its preset (or its defaults), with `settings` checked and put in."""
    cls = find(name)
    made = cls()
    if preset is not None:
        known = presets(name)
        if preset not in known:
            raise UsageError(
                f"{name} has no preset {preset}{nearest(preset, known)} (there are: {', '.join(sorted(known)) or 'none'})"
            )
        made = known[preset]()
    return made.with_settings(settings or {})


def _import_all() -> None:
    global _imported
    if _imported:
        return
    _imported = True
    import ganvas.methods

    for module in pkgutil.walk_packages(ganvas.methods.__path__, "ganvas.methods."):
        importlib.import_module(module.name)
