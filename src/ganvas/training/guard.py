"""`--guard`: a training makes the doctor's changes by itself. Also how a new training takes over what an old one learned."""

from __future__ import annotations

from ganvas.doctor import Diagnosis, Finding
from ganvas.training.trainer import Trainer, TrainerState, has_begun

ACTING_CONFIDENCE = 0.8  # a finding must be this sure, twice in a row
MAX_CHANGES = 3  # in one session: a training that needs more has another problem


class Guard:
    """Remembers the doctor's last finding, and how many changes were made."""

    def __init__(self) -> None:
        self.changes = 0
        self._last = ""

    def sure_of(self, diagnosis: Diagnosis) -> Finding | None:
        """The finding to act on now, or None. Asking counts: the next call takes a new diagnosis."""
        last, self._last = self._last, ""
        for finding in diagnosis.findings:
            if finding.level == "note" or finding.confidence < ACTING_CONFIDENCE or not finding.change.settings:
                continue
            if finding.name != last or self.changes == MAX_CHANGES:
                self._last = finding.name
                return None
            self.changes += 1
            return finding
        return None


def take_over(trainer: Trainer, state: TrainerState, *, weights: bool = True, counters: bool = True) -> bool:
    """Puts another training's state into a new one with other settings. True where its weights came along.

    Weights, averages and the optimisers' moments come only together, and only where all shapes fit; learning rates and the other
    settings of the optimisers are always the new ones. `counters`: steps, seconds, the feed's place and the random states too.
    """
    new = trainer.state()
    fits = weights and _fits(trainer, state)
    merged = state.copy() if counters else new.copy()
    merged["method"], merged["average"], merged["optimizers"] = new["method"], new["average"], new["optimizers"]
    if fits:
        # Buffers that only one of the two has (a new augmentation's strength) stay as they are.
        merged["method"] = {name: state["method"].get(name, value) for name, value in new["method"].items()}
        merged["average"] = {name: state["average"].get(name, value) for name, value in new["average"].items()}
        # Moments are the old ones, learning rates the new ones.
        merged["optimizers"] = {}
        for key, optimizer in new["optimizers"].items():
            merged["optimizers"][key] = {**optimizer, "state": state["optimizers"][key]["state"]}
    merged["counters"] = {**merged["counters"], "begun": fits and has_begun(state)}
    trainer.restore(merged)
    return fits


def _fits(trainer: Trainer, state: TrainerState) -> bool:
    """True where the state has the same optimisers and every parameter, in its shape."""
    for network, saved in ((trainer.method, state["method"]), (trainer.average.networks, state["average"])):
        for name, parameter in network.named_parameters():
            if name not in saved or saved[name].shape != parameter.shape:
                return False
    return trainer.optimizers.keys() == state["optimizers"].keys()
