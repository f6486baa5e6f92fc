"""No step of a training waits for an accelerator: the host only adds to the device's queue, until the log asks for numbers.

Seen without a GPU on PyTorch's device `meta`, whose tensors have shapes and no values: whatever would need a value on the host
raises there, and whatever moves between host and device shows as an operation with tensors of both.
"""

from __future__ import annotations

import contextlib
import importlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils import _foreach_utils
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from ganvas.data.batch import Batch
from ganvas.data.kinds import feeds
from ganvas.method import Method
from ganvas.registry import method_names
from ganvas.training import build
from ganvas.training.engine import Engine
from ganvas.training.trainer import Budget, NonFinite, Trainer
from parts import data_for, images, small, trainer_for

META = torch.device("meta")
STEPS = 4
FROM_PYTHON = ("tensor", "as_tensor", "from_numpy")


class Crossings(TorchDispatchMode):
    """Counts the operations that have tensors of two devices, and those that read a value for the host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        devices = {leaf.device.type for leaf in tree_leaves((args, kwargs, out)) if isinstance(leaf, Tensor)}
        reads = "_local_scalar_dense" in str(func) and "meta" in devices
        # Numbers of Python that become tensors of the host, and are added to others as scalars, are no copies.
        if len(devices) > 1 or reads:
            self.found[str(func)] += 1
        return out


class OfTheHost(torch.Generator):
    """There is no generator on `meta`, where nothing is drawn."""

    def __new__(cls, device: str | torch.device = "cpu") -> OfTheHost:
        return super().__new__(cls, "cpu")  # pyright: ignore[reportCallIssue]


@pytest.fixture
def meta(monkeypatch: pytest.MonkeyPatch) -> None:
    """`meta` passes for an accelerator: with fused optimisers, without autocast, and with random numbers of shape alone."""
    supported = _foreach_utils._get_fused_kernels_supported_devices()
    for module in (_foreach_utils, importlib.import_module("torch.optim.optimizer")):
        monkeypatch.setattr(module, "_get_fused_kernels_supported_devices", lambda: [*supported, "meta"], raising=False)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: contextlib.nullcontext())
    monkeypatch.setattr(torch, "Generator", OfTheHost)


@contextlib.contextmanager
def values_are_false() -> Iterator[None]:
    """Setting up may ask for values, once."""
    ask = Tensor.__bool__
    Tensor.__bool__ = lambda self: self.device.type != "meta" and ask(self)
    try:
        yield
    finally:
        Tensor.__bool__ = ask


def on_meta(method: Method) -> Trainer:
    with values_are_false():
        engine = Engine(META, "fp32", "")
        trainer = build.build_trainer(method, Budget(steps=100), engine, data=data_for(method.name), seed=0)
    trainer.feed._rows_at(0)  # the order of the first epoch is sent once
    return trainer


def waits(trainer: Trainer, monkeypatch: pytest.MonkeyPatch, steps: int = STEPS) -> Counter[str]:
    """What STEPS steps did that waits. Orders of later epochs are sent from page-locked memory, which does not."""
    found: Counter[str] = Counter()
    monkeypatch.setattr(
        feeds, "to_device", lambda order, device: torch.empty(order.shape, dtype=order.dtype, device=device)
    )
    for name in FROM_PYTHON:
        make = getattr(torch, name)

        def counted(*args: Any, make: Any = make, name: str = name, **kwargs: Any) -> Tensor:
            made = make(*args, **kwargs)
            found[f"torch.{name} on the device"] += made.device.type == "meta"
            return made

        monkeypatch.setattr(torch, name, counted)
    with Crossings() as crossings:
        for _ in range(steps):
            trainer.step()
    return +(found + crossings.found)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter")
@pytest.mark.parametrize("name", method_names())
def test_no_step_waits(name: str, meta: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four steps or more, with the first one, in which codebooks begin, and across the end of an epoch of 36."""
    trainer = on_meta(small(name))
    steps = max(STEPS, 36 // trainer.method.batch_size + 1)
    assert waits(trainer, monkeypatch, steps) == {}
    assert trainer.steps == steps


def test_the_log_asks_once(meta: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """`numbers` is one question for all numbers of all updates; on `meta` it has no answer."""
    trainer = on_meta(small("r3gan"))
    trainer.step()
    asked = []
    monkeypatch.setattr(Tensor, "tolist", lambda self: asked.append(self.shape) or [0.0] * len(self))
    numbers = trainer.numbers()
    assert asked == [(len(numbers),)] and len(numbers) > 4


@pytest.mark.parametrize(
    "wait",
    [
        lambda loss: loss * float(loss),
        lambda loss: loss if loss > 0 else -loss,
        lambda loss: loss + loss.cpu().to(loss.device),
        lambda loss: loss * torch.tensor([2.0], device=loss.device).sum(),
        lambda loss: loss + loss.expand(3)[torch.ones(3, dtype=torch.bool, device=loss.device)].sum(),
    ],
    ids=["float", "if", "cpu", "tensor of a list", "boolean mask"],
)
def test_what_waits_is_seen(wait: Any, meta: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of these in a loss would stop the queue in every step."""
    trainer = on_meta(small("gan"))
    first = trainer.updates[0]

    def loss(batch: Batch) -> dict[str, Tensor]:
        report = first.loss(batch)
        return {**report, "loss": wait(report["loss"])}

    trainer.updates[0] = type(first)(first.name, first.trains, loss)
    try:
        found = waits(trainer, monkeypatch, 1)
    except (RuntimeError, NotImplementedError):
        return  # there is no value on `meta`
    assert found


@pytest.mark.parametrize("name", ["gan", "wgan"])
def test_nan_on_an_accelerator_moves_nothing_and_is_heard_of_later(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fused optimiser and of one that is not: this CPU passes for an accelerator."""
    trainer = trainer_for(small(name), images())
    trainer.step()
    monkeypatch.setattr("ganvas.training.trainer.is_accelerator", lambda device: True)
    before = {key: value.clone() for key, value in trainer.method.D.named_parameters()}
    monkeypatch.setattr(trainer.feed, "_as_input", lambda stored: torch.full((len(stored), 1, 28, 28), torch.nan))
    trainer.step()
    for key, value in trainer.method.D.named_parameters():
        assert torch.equal(value, before[key]), key
    with pytest.raises(NonFinite):
        trainer.check_finite()
    trainer.check_finite()  # said once
