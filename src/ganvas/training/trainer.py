"""The training loop: one for all methods, none by name.

    step = for each update that is due: a batch, a loss, the gradients, one move of one optimiser; then the average.

State that decides what the next step computes: parameters and buffers, optimisers, average, both random generators, the feed's
position and the counters below. `state()` holds all of it, so that resuming is bit-equal to never having stopped.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, NotRequired, TypedDict

import torch
from torch import Tensor
from torch.optim import Optimizer

from ganvas.data.batch import Batch
from ganvas.data.feed import Feed
from ganvas.device import is_accelerator, random_state, set_random_state
from ganvas.files import JsonObject
from ganvas.method import Method, Update
from ganvas.training.average import Average
from ganvas.training.engine import Engine
from ganvas.training.undo import untouched

AGREE_SECONDS = 0.1  # between two agreements of several processes on time, stopping and saving, ...
AGREE_STEPS = 64  # ... and no more than so many steps


class NonFinite(Exception):
    """An update met NaN or inf before any weight moved."""


@dataclass(frozen=True)
class Budget:
    """How long to train: the first limit reached ends it. None is no limit."""

    steps: int | None = None
    images: int | None = None
    minutes: float | None = None

    def progress(self, steps: int, images_seen: int, seconds: float, allowance: float | None = None) -> float:
        """Share of the budget used, in [0, 1]. `allowance`: seconds of the minutes that are left for training itself."""
        largest = 0.0
        minutes = self.minutes
        if minutes is not None and allowance is not None:
            minutes = allowance / 60
        for used, limit in ((steps, self.steps), (images_seen, self.images), (seconds / 60, minutes)):
            if limit:
                largest = max(largest, used / limit)
            elif limit is not None:
                return 1.0  # nothing to spend
        return min(1.0, largest)


@dataclass(frozen=True)
class UpdateResult:
    """What an update computed."""

    report: dict[str, Tensor]
    """The loss's dict."""
    gradients: list[Tensor]
    """Of the trained parameters that have one. Of a trial those before clipping."""
    norm: Tensor
    """Euclidean norm of all gradients together, before clipping."""


class Counters(TypedDict):
    """What a trainer counts."""

    steps: int
    seconds: float
    other_seconds: NotRequired[float]
    """Of all but training: preparing, measuring, saving."""
    rollbacks: int
    begun: NotRequired[bool]
    minutes: NotRequired[float]
    """Of the budget, and ..."""
    used: NotRequired[float]
    """... the share of them that was used; neither without minutes."""


class FeedState(TypedDict):
    """The place in the data, and the number of the order that it is a place of."""

    position: int
    salt: int


class TrainerState(TypedDict):
    """Everything that decides the next step."""

    method: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizers: dict[str, dict[str, Any]]
    """As `Optimizer.state_dict` gives them."""
    generator: Tensor
    torch: Tensor
    cuda: Tensor | None
    """The generator of the accelerator, whichever it is."""
    feed: FeedState
    counters: Counters
    best: JsonObject


class Trainer:
    """One method on one feed. `steps`, `images_seen` and `seconds` count over all sessions.

    Others read its attributes and call its methods; only this file writes them (a test keeps it so).
    """

    def __init__(
        self, method: Method, feed: Feed, engine: Engine, budget: Budget, *, resumed: bool = False, begun: bool = False
    ) -> None:
        """`resumed`: a checkpoint is loaded afterwards; `begun`: all networks are trained ones."""
        self.method, self.feed, self.engine, self.budget = method, feed, engine, budget
        method.load_frozen(engine.device)
        method.start_training(resumed)
        self.optimizers = method.optimizers()
        self.updates = method.updates()
        self.average = Average(method)
        self.reports: dict[str, dict[str, Tensor]] = {}
        self.steps = 0
        self.seconds = 0.0
        self.other_seconds = 0.0
        self.allowance: float | None = None
        self._used = 0.0  # share of the minutes at the last `allow`
        self.rollbacks = 0
        self.begun = begun  # whether what the first batch decides (Update.start) is decided
        self.best: JsonObject = {}
        self.clock: Callable[[], float] = time.perf_counter
        self._since = self.clock()
        self._agreed = (0, 0.0)  # steps and seconds at the last agreement of all processes
        self._next_agreement = 0
        self._rates: dict[str, list[float]] = {}
        self._trained: dict[str, list[Tensor]] = {}
        for key, optimizer in self.optimizers.items():
            self._rates[key] = [group["lr"] for group in optimizer.param_groups]
            self._trained[key] = parameters(optimizer)
        self._open: str | None = ""
        self._broken: dict[str, Tensor | int] = {}
        self._check()

    # --- one step ---------------------------------------------------------------------------------------------------------

    def step(self) -> None:
        """All updates that are due, then the average. NonFinite comes before the weights of that update have moved."""
        progress = self.progress
        self._set_rates(self.method.schedule(progress, self.steps))
        batch = self._next_batch(progress)
        for update in self.updates:
            if not in_phase(update, progress):
                self.reports.pop(update.name, None)  # a phase that is over has nothing new to say
                continue
            if self.steps % update.every:
                continue
            for turn in range(update.repeat):
                if turn:
                    batch = self._next_batch(progress)
                self.update_once(update, batch)
        self.steps += 1
        self.begun = True
        self.average.update(self.method.average_decay(self.steps))

    def _next_batch(self, progress: float) -> Batch:
        batch = self.feed.next()
        batch.progress = progress
        return batch

    def update_once(self, update: Update, batch: Batch, *, commit: bool = True) -> UpdateResult:
        """A loss, its gradients, one move of the optimiser: the only place where an update is computed.

        NonFinite comes before a weight has moved. Without `commit` it is a trial by this process alone, whose move the caller
        undoes (see `undone`): NaN is no error, no state moves in `after`, and the log does not hear of it.
        """
        optimizer, parameters = self.optimizers[update.trains], self._trained[update.trains]

        # Loss and gradients.
        self._freeze_all_but(None if update.keeps_graph else update.trains)
        with self.engine.arithmetic():
            with self.engine.autocast():
                report = update.loss(batch)
            _check_report(report, update, self.method.name)
            optimizer.zero_grad(set_to_none=True)
            # A kept graph leads to others' parameters too. Naming ours costs a copy of each gradient, so elsewhere nobody is
            # named.
            if update.keeps_graph or batch.graph_kept:
                report["loss"].backward(inputs=parameters, retain_graph=update.keeps_graph)
                batch.graph_kept |= update.keeps_graph
            else:
                report["loss"].backward()
        gradients = []
        for parameter in parameters:
            if parameter.grad is not None:
                gradients.append(parameter.grad)

        # The mean over all processes.
        scalars = _scalars(report)
        loss = scalars["loss"]
        means = [report[key].detach() for key in update.means]
        if commit:
            self.engine.average([*gradients, *scalars.values(), *means])

        # NaN or inf. On an accelerator, asking for the answer would wait for the queue, so `check_finite` asks later. Until then
        # the fused kernel itself skips the move, and other optimisers get zeros; a roll-back undoes what zeros do to moments.
        norms = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateImportUsage]
        norm = torch.linalg.vector_norm(torch.stack(norms))
        if is_accelerator(loss.device):
            broken = ~torch.isfinite(norm + loss)
            if optimizer.defaults.get("fused"):
                optimizer.found_inf = broken.float()  # pyright: ignore[reportAttributeAccessIssue]
            else:
                for gradient in gradients:
                    gradient.masked_fill_(broken, 0.0)
            if commit:
                self._broken[update.name] = self._broken.get(update.name, 0) + broken.float()
        elif commit and not bool(torch.isfinite(norm + loss)):
            raise NonFinite(update.name)

        # The move.
        result = UpdateResult(report, gradients, norm)
        if not commit:
            result = replace(result, gradients=[gradient.clone() for gradient in gradients])
        if update.clip:
            shorten(gradients, norm, update.clip)
        optimizer.step()
        if not commit:
            return result

        # What follows from it: the method's state, later updates of this step, the log.
        follow = update.after
        if update.start is not None and not self.begun:
            follow = update.start
        with torch.no_grad():
            follow(report, batch)
        self.reports[update.name] = {**_scalars(report), "gradient_norm": norm}
        return result

    @contextlib.contextmanager
    def undone(self) -> Iterator[None]:
        """Inside, the method may be used and updates tried; random states, buffers, modes and gradients are as before
        afterwards. The move of a tried update is undone by `same_weights` around it."""
        trained = self._open
        try:
            with untouched(self.method, self.engine.device):
                yield
        finally:
            self._open = trained

    def trial_step(self, step: int, precision: str) -> None:
        """The step of that number in that precision, for a trainer that is thrown away afterwards (see trial.py)."""
        self.engine = replace(self.engine, precision=precision)
        self.steps = step
        self.step()

    def check_finite(self) -> None:
        """Asks for the answers that `step` left on the GPU; call it every so often, and before saving."""
        broken, self._broken = self._broken, {}
        for name, count in broken.items():
            if float(count) > 0:
                raise NonFinite(name)

    def _freeze_all_but(self, trains: str | None) -> None:
        """None freezes nothing: a graph that another update goes back through must know its parameters too."""
        if self._open == trains:
            return
        for key, parameters in self._trained.items():
            for parameter in parameters:
                parameter.requires_grad_(trains in (None, key))
        self._open = trains

    def _set_rates(self, factor: float) -> None:
        for key, optimizer in self.optimizers.items():
            for group, rate in zip(optimizer.param_groups, self._rates[key], strict=True):
                group["lr"] = rate * factor

    # --- where it stands --------------------------------------------------------------------------------------------------

    @property
    def images_seen(self) -> int:
        """Images or clips of the data drawn so far, or tokens of a text, by all processes, repeats included."""
        return self.feed.position

    @property
    def progress(self) -> float:
        """Share of the budget used, in [0, 1]."""
        return max(self._used, self.budget.progress(self.steps, self.images_seen, self.seconds, self.allowance))

    def allow(self, seconds: float | None, other_seconds: float) -> None:
        """A budget in minutes leaves so many seconds for training (None: all); `other_seconds` went into all else so far. Where
        that is more than was expected, progress stands still until it is used: a learning rate that fell does not rise again."""
        minutes = Budget(minutes=self.budget.minutes)
        self._used = max(self._used, minutes.progress(0, 0, self.seconds, self.allowance))
        self.allowance, self.other_seconds = seconds, other_seconds

    def tick(self) -> None:
        """Adds the time since the last tick to `seconds`."""
        now = self.clock()
        self.seconds += now - self._since
        self._since = now

    @property
    def agreement_due(self) -> bool:
        """Whether all processes agree after this step, on all of them alike. One process agrees with itself each step; several
        do about every AGREE_SECONDS and at the end of the budget, and `seconds` stands still in between."""
        return self.engine.ranks == 1 or self.steps >= self._next_agreement or self.progress >= 1

    def agree(self, *values: float) -> tuple[float, ...]:
        """Counts the time since the last agreement, and returns of each value the largest over all processes; the largest
        `seconds` are from now on those of all."""
        self.tick()
        self.seconds, *agreed = self.engine.agree(self.seconds, *values)
        steps, seconds = self._agreed
        per_step = (self.seconds - seconds) / max(1, self.steps - steps)
        wait = AGREE_SECONDS / per_step if per_step > 0 else 1.0
        self._next_agreement = self.steps + int(min(max(wait, 1), AGREE_STEPS))
        self._agreed = self.steps, self.seconds
        return tuple(agreed)

    def use_clock(self, clock: Callable[[], float]) -> None:
        """Seconds are those of `clock` from here on: time.process_time for a benchmark on a busy machine."""
        self.clock = clock
        self.restart_clock()

    def restart_clock(self) -> None:
        """Time before this call does not count."""
        self._since = self.clock()

    def numbers(self) -> dict[str, float]:
        """The newest value of every logged scalar, as "update/key". The only place where the loop's tensors are read."""
        names, scalars = [], []
        for update, report in self.reports.items():
            for key, value in report.items():
                names.append(f"{update}/{key}")
                scalars.append(value.float())
        if not names:
            return {}
        values = torch.stack(scalars).tolist()  # one question to the device for all of them
        return dict(zip(names, values, strict=True))

    def remember_best(self, best: JsonObject) -> None:
        """The best evaluation so far, {"metric", "value", "step"}, kept in checkpoints."""
        self.best = best

    # --- state ------------------------------------------------------------------------------------------------------------

    def state(self) -> TrainerState:
        """Everything that decides the next step, as a tree for `save_state`."""
        self.engine.average_buffers(self.method, but=self.method.carried)
        for name in self.method.carried:
            self.engine.gather_rows(self.method.get_buffer(name))
        self.engine.average_buffers(self.average.networks)
        return {
            "method": self.method.state_dict(),
            "average": self.average.networks.state_dict(),
            "optimizers": {key: optimizer.state_dict() for key, optimizer in self.optimizers.items()},
            "generator": self.feed.generator.get_state(),
            "torch": torch.get_rng_state(),
            "cuda": random_state(self.engine.device),
            "feed": {"position": self.feed.position, "salt": self.feed.salt},
            "counters": self._counters(),
            "best": self.best,
        }

    def _counters(self) -> Counters:
        counters: Counters = {
            "steps": self.steps,
            "seconds": self.seconds,
            "other_seconds": self.other_seconds,
            "rollbacks": self.rollbacks,
            "begun": self.begun,
        }
        if self.budget.minutes is not None:
            counters["minutes"], counters["used"] = self.budget.minutes, self._used
        return counters

    def restore(self, state: TrainerState) -> None:
        """Goes back (or on) to a state of the same method and data."""
        self.method.load_state_dict(state["method"])
        self.average.networks.load_state_dict(state["average"])
        for key, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][key])
            _lay_out_as_parameters(optimizer)
        self.feed.generator.set_state(state["generator"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] is not None and is_accelerator(self.engine.device):
            set_random_state(self.engine.device, state["cuda"])
        self.feed.position = state["feed"]["position"]
        self.feed.reshuffle(state["feed"]["salt"])
        self.reports, self._broken = {}, {}
        counters = state["counters"]
        self.steps, self.seconds = counters["steps"], counters["seconds"]
        self.other_seconds = counters.get("other_seconds", 0.0)
        # Of more minutes, or fewer, another share was used.
        self._used = counters.get("used", 0.0) if counters.get("minutes") == self.budget.minutes else 0.0
        self.rollbacks, self.best = counters["rollbacks"], state["best"]
        self.begun = has_begun(state)
        self._agreed, self._next_agreement = (self.steps, self.seconds), self.steps

    def draw_anew(self, rollbacks: int, seed: int) -> None:
        """Other random numbers from here on, after a roll-back; the same ones for the same number of roll-backs."""
        self.rollbacks = rollbacks
        self.feed.reshuffle(rollbacks)
        self.feed.generator.manual_seed(seed + 7919 * rollbacks)

    def _check(self) -> None:
        names = [update.name for update in self.updates]
        if len(set(names)) < len(names):
            raise TypeError(
                f"{self.method.name}: two updates share a name in {names}, and would overwrite each other's log"
            )
        for update in self.updates:
            if update.trains not in self.optimizers:
                raise TypeError(
                    f"{self.method.name}: update {update.name} trains {update.trains!r}, which optimizers() has not"
                )


def in_phase(update: Update, progress: float) -> bool:
    """True where an update belongs to the phase at `progress`, however seldom it comes there (Update.every)."""
    start, end = update.span
    return start <= progress < end


def _check_report(report: dict[str, Tensor], update: Update, method: str) -> None:
    """TypeError where a loss returns what nobody would read."""
    for key, value in report.items():
        if value.ndim and key not in update.means:
            raise TypeError(
                f"{method}: update {update.name} reports {key!r} of shape {tuple(value.shape)}, and a report holds scalars:"
                " leave a tensor for later updates or `after` in batch.memo(...), or name it in Update.means"
            )


def _scalars(report: dict[str, Tensor]) -> dict[str, Tensor]:
    """What of a report goes into the log, without its graph."""
    scalars = {}
    for key, value in report.items():
        if value.ndim == 0:
            scalars[key] = value.detach()
    return scalars


def has_begun(state: TrainerState) -> bool:
    """Whether the training of a state had taken its first step, or had taken over from one that had."""
    counters = state["counters"]
    return bool(counters.get("begun", counters["steps"]))  # older checkpoints count steps alone


def shorten(gradients: list[Tensor], norm: Tensor, longest: float) -> None:
    """Scales gradients whose `norm` together is above `longest` down to it, in place."""
    torch._foreach_mul_(gradients, (longest / norm.clamp_min(1e-12)).clamp_max(1))  # pyright: ignore[reportPrivateImportUsage]


def parameters(optimizer: Optimizer) -> list[Tensor]:
    """All tensors that an optimiser moves."""
    tensors = []
    for group in optimizer.param_groups:
        tensors += group["params"]
    return tensors


def _lay_out_as_parameters(optimizer: Optimizer) -> None:
    """A checkpoint is laid out row by row, the networks channels_last; the fused kernels walk memory and ask for no strides."""
    for parameter, state in optimizer.state.items():
        for key, value in state.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                state[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
