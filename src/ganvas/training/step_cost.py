"""What one step of a method costs: operations and bytes, counted on a few small examples before anything large is built.

Counting is exact and the same on every machine: nothing is timed here. Costs of larger examples follow in proportion to their
places (pixels of images, samples of sound, tokens of text), which is right for convolutions and near enough elsewhere to choose a
size and to refuse what cannot fit.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ganvas.data import Dataset, DataSettings
from ganvas.data.kinds import KINDS
from ganvas.data.spec import DataSpec
from ganvas.errors import GanvasError
from ganvas.method import Batch, Method, Update
from ganvas.training.build import build_trainer
from ganvas.training.engine import Engine
from ganvas.training.manifest import count_parameters
from ganvas.training.trainer import Budget, NonFinite, Trainer

COUNTED_SIDE = 32  # pixels of the images that are counted on
BATCH_SIZES = (4, 8, 16, 32)  # the first that the method accepts

Facts = tuple[str, int, tuple[str, ...], bool, bool]
"""Name, channels, classes, paired, unpaired."""
ANY_IMAGES: Facts = ("noise", 3, ("0", "1", "2"), True, False)


@dataclasses.dataclass(frozen=True)
class StepCost:
    """Of one step, of each place of each example of a batch (see Kind.places), but for the weights."""

    operations: float
    """Floating-point operations of matrix products and convolutions, a multiplication and an addition being two. Updates that
    come seldom count by their share."""
    activations: float
    """Bytes that the largest update keeps for its gradients."""
    weights: float
    """Bytes of parameters, gradients, optimisers' state and averages, of the examples that were counted on."""
    counted_on: DataSpec
    """Those examples."""


def step_cost(method: Method, spec: DataSpec | None = None) -> StepCost | None:
    """The cost of `method`'s own step; None where it cannot be counted: on codes, and where the method refuses examples this
    small. `spec`: of the data; None: images."""
    return _counted(type(method), json.dumps(method.settings()), _small(spec))


def works(method: Method, batch_size: int, ranks: int = 1, spec: DataSpec | None = None) -> bool:
    """Whether the method trains with batches of that size: one step is tried on small examples."""
    if batch_size % ranks:
        return False
    try:
        trial = method.with_settings({"batch_size": batch_size})
        _trainer_on_noise(trial, _small(spec)).step()
    except (GanvasError, NonFinite, ValueError, RuntimeError):
        return False
    return True


@functools.lru_cache(maxsize=8)
def _counted(cls: type[Method], settings: str, small: DataSpec) -> StepCost | None:
    values = json.loads(settings)
    if small.kind not in cls.takes:
        return None
    for batch_size in BATCH_SIZES:
        try:
            method = cls().with_settings({**values, "batch_size": batch_size})
            return _count(_trainer_on_noise(method, small))
        except (GanvasError, NonFinite, ValueError, RuntimeError):
            continue  # too few for its batch statistics or packs, say; what is really wrong is said when it is built
    return None


def _small(spec: DataSpec | None) -> DataSpec:
    """What is counted on in place of data like these."""
    if spec is None:
        return noise_spec()
    if KINDS[spec.kind].is_image:
        return noise_spec(8, ("noise", spec.channels, spec.classes, spec.paired, spec.unpaired))
    small = KINDS[spec.kind].small(spec)
    return dataclasses.replace(small, name="noise", count=8, class_counts=tuple(1 for _ in spec.classes))


def _trainer_on_noise(method: Method, small: DataSpec) -> Trainer:
    """The method in a trainer of its own, on noise of that shape; random states stay as they were."""
    with torch.random.fork_rng(devices=[]):
        engine = Engine(torch.device("cpu"), "fp32", "counted")
        data = _noise(dataclasses.replace(small, count=max(8, method.batch_size)), method.window)
        return build_trainer(method, Budget(steps=1000), engine, data=data, seed=0)


def noise(count: int, facts: Facts) -> Dataset:
    """Random images with labels and partners, as far as `facts` has them."""
    return _noise(noise_spec(max(count, 8), facts), 0)


def _noise(spec: DataSpec, window: int) -> Dataset:
    examples = KINDS[spec.kind].noise(spec, window, np.random.default_rng(0))
    labels = None
    if spec.classes:
        labels = np.arange(spec.count) % len(spec.classes)
    partners = None
    if spec.paired or spec.unpaired:
        partners = KINDS[spec.kind].noise_partners(examples)
    return Dataset(spec.name, "train", spec, examples, labels, partners, "", "", DataSettings())


def noise_spec(count: int = 8, facts: Facts = ANY_IMAGES) -> DataSpec:
    """What a method may know of `noise`."""
    name, channels, classes, paired, unpaired = facts
    return DataSpec(
        name, channels, COUNTED_SIDE, COUNTED_SIDE, count, classes, paired=paired, unpaired=unpaired,
        total_variance=channels * COUNTED_SIDE * COUNTED_SIDE / 4, class_counts=tuple(1 for _ in classes),
    )  # fmt: skip


def _count(trainer: Trainer) -> StepCost:
    """Counts each update once; of a training in phases the dearest phase."""
    with torch.random.fork_rng(devices=[]):
        operations = largest = 0.0
        for span in {update.span for update in trainer.updates}:
            batch = trainer.feed.next()
            total, held = 0.0, 0
            for update in trainer.updates:
                if update.span != span:
                    continue
                counted, kept = _count_update(trainer, update, batch)
                total += counted * update.repeat / update.every
                largest = max(largest, held + kept)
                held = held + kept if update.keeps_graph else 0
            operations = max(operations, total)
    spec = trainer.method.spec
    places = KINDS[spec.kind].places(spec, trainer.method.window) * trainer.method.batch_size
    return StepCost(operations / places, largest / places, weight_bytes(trainer), spec)


def _count_update(trainer: Trainer, update: Update, batch: Batch) -> tuple[int, int]:
    """(operations, bytes kept for gradients) of one update."""
    weights = {parameter.data_ptr() for parameter in trainer.method.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with Operations() as operations, torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        trainer.update_once(update, batch)
    return operations.count, sum(kept.values())


class Operations(TorchDispatchMode):
    """Counts the floating-point operations inside of the block."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        counter = flop_registry.get(func._overloadpacket)
        if counter is not None:
            self.count += counter(*args, **(kwargs or {}), out_val=result)
        return result


def weight_bytes(trainer: Trainer) -> int:
    """Parameters, their gradients, what optimisers keep of them, and the averages."""
    total = 2 * sum(parameter.nbytes for parameter in trainer.method.parameters())
    total += sum(buffer.nbytes for buffer in trainer.method.buffers())
    total += sum(parameter.nbytes for parameter in trainer.average.networks.parameters())
    for optimizer in trainer.optimizers.values():
        for state in optimizer.state.values():
            total += sum(value.nbytes for value in state.values() if isinstance(value, Tensor))
    return total


def meta_parameters(method: Method, spec: DataSpec) -> int | None:
    """Parameters of the method's networks for data of this shape, built without memory; None where that cannot be done."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            unbuilt: nn.Module = method.with_settings({})
            unbuilt.build(spec)  # pyright: ignore[reportCallIssue]
            return count_parameters(unbuilt)
    except (GanvasError, NotImplementedError, RuntimeError, ValueError, TypeError):
        return None
