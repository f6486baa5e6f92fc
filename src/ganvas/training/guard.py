"""`--guard`: a training makes the doctor's changes by itself. Also how a new training takes over what an old one learned."""

from __future__ import annotations

from typing import Any

from ganvas.doctor import Diagnosis, Finding
from ganvas.training.trainer import Trainer, has_begun

SURE = 0.8  # a finding must be this sure, twice in a row
CHANGES = 3  # in one session: a training that needs more has another problem


class Guard:
    """Remembers the doctor's last finding, and how many changes were made."""

    def __init__(self) -> None:
        self.changes = 0
        self._last = ""

    def sure_of(self, diagnosis: Diagnosis) -> Finding | None:
        """The finding to act on now, or None. Asking counts: the next call takes a new diagnosis."""
        finding = None
        for one in diagnosis.findings:
            if one.confidence >= SURE and one.change.settings:
                finding = one
                break
        last, self._last = self._last, finding.name if finding else ""
        if finding is None or finding.name != last or self.changes == CHANGES:
            return None
        self.changes, self._last = self.changes + 1, ""
        return finding


def take_over(trainer: Trainer, state: dict[str, Any], *, weights: bool = True, counters: bool = True) -> bool:
    """Puts another training's state into a new one with other settings. True where its weights came along.

    Weights, averages and the optimisers' moments come only together, and only where all shapes fit; learning rates and the other
    settings of the optimisers are always the new ones. `counters`: steps, seconds, the feed's place and the random states too.
    """
    new = trainer.state()
    fits = weights and _fits(trainer, state)
    merged = dict(state if counters else new)
    for part in ("method", "average", "optimizers"):
        merged[part] = new[part]
    if fits:
        # Buffers that only one of the two has (a new augmentation's strength) stay as they are.
        for part in ("method", "average"):
            merged[part] = {name: state[part].get(name, value) for name, value in new[part].items()}
        # Moments are the old ones, learning rates the new ones.
        merged["optimizers"] = {}
        for key, optimizer in new["optimizers"].items():
            merged["optimizers"][key] = {**optimizer, "state": state["optimizers"][key]["state"]}
    merged["counters"] = {**merged["counters"], "begun": fits and has_begun(state)}
    trainer.restore(merged)
    return fits


def _fits(trainer: Trainer, state: dict[str, Any]) -> bool:
    """True where the state has the same optimisers and every parameter, in its shape."""
    for network, saved in ((trainer.method, state["method"]), (trainer.average.networks, state["average"])):
        for name, parameter in network.named_parameters():
            if name not in saved or saved[name].shape != parameter.shape:
                return False
    return trainer.optimizers.keys() == state["optimizers"].keys()
