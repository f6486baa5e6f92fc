"""`--guard`: the training makes the doctor's changes by itself. Also how a new training takes over what an old one learned."""

from __future__ import annotations

from typing import Any

from ganvas.doctor import Diagnosis, Finding
from ganvas.training.trainer import Trainer, has_begun

SURE = 0.8  # a finding must be this sure, twice in a row
CHANGES = 3  # in one session: a training that needs more has another problem


class Guard:
    """Remembers what the doctor said last, and how often it was listened to."""

    def __init__(self) -> None:
        self.changes = 0
        self._said = ""

    def sure_of(self, diagnosis: Diagnosis) -> Finding | None:
        """The finding to act on now, or None. Asking counts: the next call takes a new diagnosis."""
        sure = (one for one in diagnosis.findings if one.confidence >= SURE and one.change.settings)
        finding = next(sure, None)
        said, self._said = self._said, finding.name if finding else ""
        if finding is None or finding.name != said or self.changes == CHANGES:
            return None
        self.changes, self._said = self.changes + 1, ""
        return finding


def take_over(trainer: Trainer, state: dict[str, Any], *, weights: bool = True, counters: bool = True) -> bool:
    """Puts another training's state into a new one with other settings. True where its weights came along.

    Weights, averages and the optimisers' moments come only together, and only where all shapes fit; learning rates and the other
    settings of the optimisers are always the new ones. `counters`: steps, seconds, the feed's place and the random states too.
    """
    mine = trainer.state()
    taken = weights and _fits(trainer, state)
    merged = {**(state if counters else mine), **{key: mine[key] for key in ("method", "average", "optimizers")}}
    if taken:
        # Buffers that only one of the two has (a new augmentation's strength) stay as they are.
        for part in ("method", "average"):
            merged[part] = {name: state[part].get(name, value) for name, value in mine[part].items()}
        merged["optimizers"] = {
            key: {**optimizer, "state": state["optimizers"][key]["state"]}
            for key, optimizer in mine["optimizers"].items()
        }
    merged["counters"] = {**merged["counters"], "begun": taken and has_begun(state)}
    trainer.restore(merged)
    return taken


def _fits(trainer: Trainer, state: dict[str, Any]) -> bool:
    pairs = ((trainer.method, state["method"]), (trainer.average.networks, state["average"]))
    shapes = all(
        name in saved and saved[name].shape == parameter.shape
        for network, saved in pairs
        for name, parameter in network.named_parameters()
    )
    return shapes and trainer.optimizers.keys() == state["optimizers"].keys()
