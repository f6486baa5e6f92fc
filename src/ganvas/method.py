"""The contract: a Method is one paper; an Update is one optimiser step of it; abilities (ganvas.abilities) say what it can do.

A method states its settings as fields, makes its networks in `build(spec)`, its optimisers in `optimizers()` and its steps
in `updates()`. One loop (ganvas.training.trainer) serves all of them and knows none by name.

    class MyGAN(Adversarial):
        name = "my_gan"
        title = "one line for lists"
        paper = "authors, year, title, arXiv number"
        lr: float = setting(2e-4, "learning rate of Adam, both networks", minimum=0)

        def build(self, spec):
            self.G: nn.Module = ...  # networks are declared where they are made: only settings are fields of the class

        def discriminator_loss(self, batch): ...
"""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ganvas.abilities import NamedModule
from ganvas.data.batch import Batch
from ganvas.data.spec import DataSpec, Window
from ganvas.provenance import Provenance, Value
from ganvas.settings import as_dict, change, setting

__all__ = [
    "REGISTERED",
    "Batch",
    "DataSpec",
    "Method",
    "Update",
    "nothing",
    "setting",
    "step_factor",
]  # fmt: skip

REGISTERED: dict[str, type[Method]] = {}
"""Every method that was imported, by name; ask ganvas.registry, which imports them."""


def nothing(report: dict[str, Tensor], batch: Batch) -> None:
    """The default of Update.after."""


@dataclass(frozen=True)
class Update:
    """One optimiser step of a method."""

    name: str
    """Its key in the log: "discriminator", "r1"."""
    trains: str
    """Key of Method.optimizers(). Only the parameters of that optimiser collect gradients."""
    loss: Callable[[Batch], dict[str, Tensor]]
    """Pure: changes no state. The dict, its report, has "loss", other scalars, which are logged, and the tensors of `means`."""
    repeat: int = 1
    """Times in a row, each on a fresh batch (n_critic)."""
    every: int = 1
    """Only in every n-th step (lazy regularisers)."""
    span: tuple[float, float] = (0.0, math.inf)
    """Only from the first to before the second share of the budget, of which 1 is the end (phases, levels trained in turn)."""
    after: Callable[[dict[str, Tensor], Batch], None] = nothing
    """Called with the report and the batch after the optimiser moved: the only place where state may move (clipping, k_t, ADA's
    p). The report's scalars are means over all processes by then; scalars that it adds are logged too. Tensors of this process
    alone come by Batch.memo."""
    clip: float = 0.0
    """Largest norm of all its gradients together (Pascanu 2013); longer ones are made as short. 0: as they are."""
    start: Callable[[dict[str, Tensor], Batch], None] | None = None
    """In place of `after` in the first step of a training that begins with new weights: what the first batch decides (a
    codebook's k-means)."""
    means: tuple[str, ...] = ()
    """Keys of the report, tensors of any shape, that are means over all processes too when `after` gets them. By
    Batch.gathered a mean can hold every process's own rows."""
    keeps_graph: bool = False
    """A later update of the step goes back through what this one left in Batch.memo, such as D's logits of G's images. Right only
    for networks that no update in between moves."""


class Method(NamedModule):
    """Base of all methods. A subclass is a dataclass whose fields are its settings: MyGAN(lr=1e-3).

    A subclass that states `name`, `title` and `paper` is registered by its name. After `build(spec)` the networks are
    attributes. A state that moves (BEGAN's k, ADA's p) is a registered buffer, so that checkpoints hold it.
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
    ema: float = 0.999
    """Decay of that average, a step; a method that has it as a setting overrides this."""
    of_sampling: ClassVar[tuple[str, ...]] = ()
    """Settings that only sampling reads: those that a trained method may be given anew (`ganvas sample --set`)."""
    window: int = 0
    """Tokens of text that a row of a batch predicts; methods that take text have it as a setting."""
    from_lines: ClassVar[bool] = False
    """Rows of text begin where a line does, in random order; otherwise they continue where those of the last batch ended."""
    carried: ClassVar[tuple[str, ...]] = ()
    """Buffers with one row for each of the global batch, which go from step to step (the state of a recurrent network).
    Each process keeps its own rows right."""
    loaded_from: Provenance | None = None
    """Run, weights and settings of a trained method, where it was loaded from a run."""
    spec: DataSpec
    batch_size: int

    if TYPE_CHECKING:
        # typing.dataclass_transform would ask for each setting: it knows a default by its keyword only.
        def __init__(self, **settings: Any) -> None: ...

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _make_dataclass(cls)
        _register(cls)

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

    def setup(self, spec: DataSpec) -> None:
        """`build` for data of this shape, which stays known as `spec`. A trained method's user calls this, a subclass overrides
        `build`."""
        self.build(spec)
        self.spec = spec

    def load_frozen(self, device: torch.device) -> None:
        """Reads what only losses and measuring need and no checkpoint holds: a frozen feature network, style images.

        Called after `build`, where a training starts or resumes, and where `style_losses` of a trained method are computed.
        Draws nothing at random.
        """

    def start_training(self, resumed: bool) -> None:
        """Called once after `load_frozen`, where a training starts or resumes; `resumed`: a checkpoint is loaded afterwards, so
        what it holds (`frozen` too) need not come from elsewhere. Draws nothing at random."""

    def took_over(self, names: tuple[str, ...]) -> None:
        """Called once after `setup`, where a training begins with weights of another run (--init-from): the networks `names` hold
        them by now. For what else is to start from there."""

    def count_over(self, examples: np.ndarray, partners: np.ndarray | None) -> None:
        """Called once after `setup`, where a training begins with new weights, with all training examples as they are
        stored, and their partners: for what is counted rather than trained. Draws nothing at random, so that all processes come
        to the same."""

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

    def with_settings(self, values: Mapping[str, object]) -> Self:
        """An unbuilt copy with `values` checked and put in; UsageError names an unknown key or a bad value."""
        return change(self, values)

    def made(
        self, command: str, *, seed: int | None = None, inputs: Iterable[str] = (), **options: Value | None
    ) -> Provenance:
        """What the metadata of an image say that this method made in `command`: of `inputs`, names of files, with `options`."""
        base = self.loaded_from or Provenance(method=self.name)
        settings = base.settings if command in ("sample", "edit", "train") else {}
        named = tuple(name for name in inputs if name)
        return dataclasses.replace(base, command=command, seed=seed, inputs=named, settings=settings).with_options(
            **options
        )

    def text_window(self) -> Window:
        """What a row of a batch of text holds."""
        return Window(self.window, self.from_lines)

    def settings(self) -> dict[str, Any]:
        """Every setting as a plain value."""
        return as_dict(self)


def _make_dataclass(cls: type[Method]) -> None:
    """Makes `cls` a dataclass of its settings; other annotated attributes, such as networks, are no fields."""
    annotations = inspect.get_annotations(cls)
    settings = {}
    for name, kind in annotations.items():
        value = cls.__dict__.get(name)
        if isinstance(value, dataclasses.Field):
            settings[name] = kind
            if "setting" not in value.metadata:
                raise TypeError(f"{cls.__name__}.{name} must be a setting(...), so that flags and help can show it")
        elif isinstance(value, bool | int | float | str) and "ClassVar" not in str(kind):
            raise TypeError(
                f"{cls.__name__}.{name} must be a setting(...), so that flags and help can show it; where nobody is to set it,"
                f" annotate it as ClassVar"
            )
    cls.__annotations__ = settings
    dataclasses.dataclass(eq=False, kw_only=True)(cls)
    cls.__annotations__ = annotations


def _register(cls: type[Method]) -> None:
    """Makes a class known by its name, if it states name, title and paper itself. Bases of methods state none of them."""
    stated = [key for key in ("name", "title", "paper") if cls.__dict__.get(key)]
    if stated in ([], ["name"]):
        return
    if len(stated) < 3:
        raise TypeError(
            f"{cls.__name__} needs the class attributes name, title and paper (it states {', '.join(stated)})"
        )
    known = REGISTERED.get(cls.name)
    if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise TypeError(
            f"{cls.__module__}.{cls.__name__} and {known.__module__}.{known.__name__} both have the name {cls.name}"
        )
    REGISTERED[cls.name] = cls


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
