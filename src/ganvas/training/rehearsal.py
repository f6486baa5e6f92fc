"""An update tried once more and undone: how far it moves the weights, and what that does to its loss."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ganvas.data.batch import Batch
from ganvas.method import Update
from ganvas.training.trainer import Trainer, in_phase, parameters
from ganvas.training.undo import same_buffers, same_weights


def rehearsal(trainer: Trainer, batch: Batch) -> dict[str, float | str]:
    """Each update of the present phase on the same batch, its optimiser moved once and put back. Of each such update:

    step        length of the move over the norm of the weights
    gradient    norm of the gradient
    predicted   change of the loss if it were straight: gradient times move
    change      what the loss on the same batch does change by. Above 0, or far from `predicted`, the step is too long for
                the loss's curvature.

    and of all of them `trains`, the key of their optimiser. Call it inside of `trainer.undone()`.
    """
    numbers: dict[str, float | str] = {}
    for update in trainer.updates:
        numbers[f"{update.name}/trains"] = update.trains
        if not in_phase(update, trainer.progress):
            continue
        for key, value in _rehearse(trainer, update, batch).items():
            numbers[f"{update.name}/{key}"] = value
    return numbers


def _rehearse(trainer: Trainer, update: Update, batch: Batch) -> dict[str, float]:
    optimizer = trainer.optimizers[update.trains]
    trained = parameters(optimizer)
    with same_weights(optimizer):
        # One move, and what the gradients promised of it.
        before = [parameter.detach().clone() for parameter in trained]
        with same_buffers(trainer.method):
            _seed(trainer, batch)
            result = trainer.update_once(update, replace(batch), commit=False)  # a copy has an empty memo
        gradients = iter(result.gradients)  # of those that have one
        moves, predicted = [], 0.0
        for parameter, old in zip(trained, before, strict=True):
            move = parameter.detach() - old
            moves.append(move)
            if parameter.grad is not None:
                predicted += float((next(gradients) * move).sum())

        # The loss at the new weights, with the same random numbers.
        with same_buffers(trainer.method):
            _seed(trainer, batch)
            with trainer.engine.autocast():
                later = update.loss(replace(batch))
        change = float((later["loss"] - result.report["loss"]).detach())
    optimizer.zero_grad(set_to_none=True)
    return {
        "step": norm_of(moves) / max(1e-12, norm_of(before)),
        "gradient": float(result.norm),
        "predicted": predicted,
        "change": change,
    }


def _seed(trainer: Trainer, batch: Batch) -> None:
    """The same random numbers for each loss of one look."""
    torch.manual_seed(trainer.steps)
    if batch.generator is not None:
        batch.generator.manual_seed(trainer.steps)


def norm_of(tensors: list[Tensor]) -> float:
    """Euclidean norm of all together."""
    return float(torch.stack([tensor.detach().float().norm() for tensor in tensors]).norm())
