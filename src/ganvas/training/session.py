"""One session of training: the loop around the trainer, and what happens between its steps.

prepare.py            makes it from a config
Session.run           the loop
trainer.py            one step;  recovery.py: NaN;  cadence.py: what is due;  evaluator.py: samples and metrics
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import cast

from ganvas.abilities import TwoStage
from ganvas.data import Dataset
from ganvas.defaults import MEASURED_SAMPLES
from ganvas.doctor import Finding, diagnose
from ganvas.errors import DataError, GanvasError, UsageError
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.old_names import read_state
from ganvas.run import Run, RunWriter
from ganvas.training.build import build_trainer
from ganvas.training.cadence import Cadence
from ganvas.training.callbacks import Callback
from ganvas.training.checkpoint import checkpoints, load_newest, save_state, set_aside_after, tidy
from ganvas.training.config import TrainConfig
from ganvas.training.engine import Engine
from ganvas.training.evaluator import Evaluator
from ganvas.training.guard import Guard, take_over
from ganvas.training.health import Health
from ganvas.training.image_size import SizeChoice, size_facts, size_sentence
from ganvas.training.init_from import begins_with
from ganvas.training.loggers import make_loggers
from ganvas.training.manifest import count_parameters, facts
from ganvas.training.memory import check_memory
from ganvas.training.recorder import Recorder
from ganvas.training.recovery import Recovery, restore_newest
from ganvas.training.run_folder import claim_folder
from ganvas.training.step_cost import works
from ganvas.training.time_plan import (
    CHECKING_SHARE,
    EVALUATION_COUNTS,
    FEWEST_SAMPLES,
    MEASURING_SHARE,
    Phase,
    TimePlan,
)
from ganvas.training.trainer import Budget, NonFinite, TrainerState
from ganvas.training.trial import settle_precision


class Interrupted(GanvasError):
    """SIGINT or SIGTERM came; everything is saved."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


class Session:
    """One training: from its first step, or its newest checkpoint, to the end of its budget."""

    def __init__(
        self, config: TrainConfig, folder: Path, method: Method, data: Dataset, engine: Engine, *, resumed: bool = False,
        first: Method | None = None, size: SizeChoice | None = None, started: float | None = None, counted: bool = True,
    ) -> None:  # fmt: skip
        """`config` as `start` or `resume` settled it. `first` is the trained first stage of a two-stage method; `size` says why
        the images have their size, where nobody gave it; `started` is when the command began, by time.perf_counter; `counted`:
        nobody asked for a number of samples to measure by, so a budget in minutes may lower it."""
        check_fit(method, data, engine, guard=config.guard)
        self.size, self.memory = size, check_memory(method, data, engine)
        self.config, self.folder, self.data, self.engine = config, folder, data, engine
        self.resumed, self.compiled = resumed, config.compile == "on"
        seed = config.seed or 0
        samples = MEASURED_SAMPLES if config.samples is None else config.samples

        # Who takes part.
        self.writer = RunWriter(folder)
        self.callbacks: list[Callback] = []
        if engine.leads:
            self.callbacks = [Recorder(self.writer), *make_loggers(config.log_to), *config.callbacks]
        self.guard = Guard() if config.guard else None
        self.recovery = Recovery(seed, self._say)
        self.cadence = Cadence(config.checkpoint_every, config.evaluate_every)
        self.plan = TimePlan(config.minutes, time.perf_counter() if started is None else started, self._tell_phase)
        self.evaluator = Evaluator(data, samples, self.writer, self._tell, self.plan)
        self.samples_may_vary = counted

        # Networks, feed and loop.
        self.init_from: Method | None = None
        if config.init_from is not None and not (resumed and checkpoints(self.checkpoints)):
            self.init_from = Run(config.init_from).load_method()
        self._build = functools.partial(build_trainer, data=data, seed=seed, first=first, init_from=self.init_from)
        with self.plan.phase("preparing", "networks"):
            if config.precision == "auto":
                self.plan.progress("timing fp32 and bf16", 0, 0)
                self.engine = settle_precision(method, engine, self._build)
            self._set_up(method, Budget(config.steps, config.images, config.minutes))

        self._claimed = False
        self._saved_step = -1
        self._caught = 0  # the signal that this process got
        self._stop = 0  # the signal that all processes agreed to end by

    def _set_up(self, method: Method, budget: Budget) -> None:
        """A trainer at its first step."""
        resumed = self.resumed and bool(checkpoints(self.checkpoints))
        self.trainer = self._build(method, budget, self.engine, compiled=self.compiled, resumed=resumed)
        self.method, self.health = method, Health(method, self.data)
        self.health.taken_over = self.config.init_from is not None

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def parameters(self) -> int:
        """Parameters of all networks together."""
        return count_parameters(self.method)

    def info(self) -> JsonObject:
        """What settings.json holds: the config as it was settled, and facts about this run."""
        config = replace(self.config, settings=self.method.settings(), precision=self.engine.precision)
        values = {**config.as_dict(), **facts(self.method, self.data, self.engine, compiled=self.compiled)}
        if self.data.kind.is_image:
            values["size"] = size_facts(self.size, self.data)
        return values

    # --- before the first step ------------------------------------------------------------------------------

    def use_clock(self, clock: Callable[[], float]) -> None:
        """Minutes are those of training alone, by this clock (time.process_time for a benchmark on a busy machine), and measuring
        is not made to fit them. To be called before `run`."""
        self.plan.budget = None
        self.trainer.use_clock(clock)

    def settle_measuring(self) -> None:
        """Where the budget is in minutes: as many measurements, by as many samples, as a share of them allows. One small
        measurement is timed for that; it computes what depends on the real data alone, too."""
        plan, wanted = self.plan, self.evaluator.count
        if plan.budget is None or not wanted:
            return
        times = 0.0
        if self.engine.leads:
            measured = min(wanted, FEWEST_SAMPLES)
            with plan.phase("preparing", "timing a measurement"):
                seconds = self.evaluator.seconds_of(self.trainer, measured)
            plan.settle_measuring(seconds, measured, wanted, fixed=not self.samples_may_vary)
            times = float(plan.evaluations)
            self._say_measuring(wanted, seconds)
            self.evaluator.count = plan.samples
            self.config = replace(self.config, samples=plan.samples)
        (times,) = self.engine.agree(times)
        plan.evaluations = self.cadence.evaluations = int(times)

    def _say_measuring(self, wanted: int, seconds: float) -> None:
        plan = self.plan
        if not plan.samples:
            self._say(
                f"nothing is measured: {min(wanted, FEWEST_SAMPLES)} samples take {seconds:.0f} s, more than a budget of"
                f" {self.config.minutes:g} minutes has for that. Afterwards: ganvas evaluate {self.folder}"
            )
        elif plan.samples < wanted or plan.evaluations < EVALUATION_COUNTS[0]:
            times = "once, at the end" if plan.evaluations == 1 else f"{plan.evaluations} times"
            self._say(
                f"measured by {plan.samples} samples, {times}: more would take over {MEASURING_SHARE:.0%} of"
                f" {self.config.minutes:g} minutes (--samples N decides otherwise; ganvas evaluate measures again)"
            )

    def begin_from(self, old: Run) -> bool:
        """Starts with what another run of this method learned, from its newest whole checkpoint, and counts from 0. False, and
        nothing is taken over, where it has none or its networks have other shapes. To be called before `run`."""
        state = load_newest(old.folder / "checkpoints", self._say)
        if state is not None:
            state = cast(TrainerState, read_state(self.method.name, state))
        self.health.taken_over = state is not None and take_over(self.trainer, state, counters=False)
        return self.health.taken_over

    def claim(self) -> Path:
        """Makes the run's folder this training's own, before another one takes it, and says which it is: a name that nobody
        asked for gives way to the next that is free. Called by `run`, or earlier where the name is needed."""
        if self.engine.leads and not self.resumed and not self._claimed:
            self.folder = self.writer.folder = claim_folder(
                self.folder, self.config.out, self.method.name, self.data.name
            )
            self._claimed = True
        return self.folder

    # --- the training ---------------------------------------------------------------------------------------

    def run(self) -> Run:
        """Trains until the budget is used up; always leaves a checkpoint of the last step."""
        # The run folder, and the state to continue from.
        self._tell("opened", self.claim())
        if self.resumed and restore_newest(self.trainer, self.folder, self._say):
            self._saved_step = self.trainer.steps
            if self.engine.leads:
                # A kill between the checkpoint and the weights leaves those of the save before.
                self.writer.weights(self.method, self.trainer.average.networks)
                set_aside_after(self.checkpoints, self._saved_step)
        if self.engine.leads:
            self.writer.tidy()
            tidy(self.checkpoints)
            self.writer.info(self.info())
            self.writer.json("data.json", self.data.card())
            for note in self.data.notes:
                self._say(f"data: {note}")
        self.plan.resume(self.trainer.seconds, self.trainer.other_seconds)
        if isinstance(self.method, TwoStage):  # after any weights were read, and before the clock starts
            with self.plan.phase("preparing", "codes of all images"):
                self.trainer.feed.prepare(self.method.prepare)
        self._tell("started")
        if self.init_from is not None:
            self._say(begins_with(self.method, self.init_from))
        sentence = size_sentence(self.size, self.data)
        if sentence and not self.resumed:
            self._say(sentence)
        self.settle_measuring()
        if self.engine.leads:
            self.writer.info(self.info())
        self._allow()
        self.cadence.skip_past(self.trainer)

        with self._signals_caught():
            if self.trainer.steps == 0:
                self._save()  # a roll-back needs a place to go to
            self._check_health()
            self.trainer.restart_clock()  # setting up is not training

            # The loop.
            while not self._stop and not self._is_complete():
                try:
                    self.trainer.step()
                    if self.cadence.finite_due(self.trainer):
                        self.trainer.check_finite()
                except NonFinite as broken:
                    self._roll_back(broken)
                else:
                    self._after_step()

            # The end.
            if self._stop:
                self._save()
                self._tell("stopped")
                raise Interrupted(
                    f"stopped at step {self.trainer.steps}, everything is saved. continue: ganvas train --resume {self.folder}",
                    self._stop,
                )
            self._log(force=True)
            try:
                self._evaluate()
            finally:
                self._save()  # an error in measuring costs no training
            with self.plan.phase("report"):
                self._tell("finished")
        return Run(self.folder)

    def _is_complete(self) -> bool:
        """True where the budget is used up and no update of it met NaN or inf."""
        return self.trainer.progress >= 1 and self._is_finite()

    def _is_finite(self) -> bool:
        """False, and back at the last good state, where an update since the last question met NaN or inf."""
        try:
            self.trainer.check_finite()
        except NonFinite as broken:
            self._roll_back(broken)
            return False
        return True

    def _roll_back(self, broken: NonFinite) -> None:
        self.recovery.roll_back(self.trainer, self.folder, broken)
        self._saved_step = self.trainer.steps
        self.cadence.skip_past(self.trainer)
        self.trainer.restart_clock()

    def _after_step(self) -> None:
        """What all processes have to agree on, then everything that is due."""
        trainer, cadence = self.trainer, self.cadence
        if trainer.agreement_due:
            # What only the lead spends on samples decides too whether all evaluate: else the others would wait for it.
            stop, cadence.sampling_seconds = trainer.agree(float(self._caught), cadence.sampling_seconds)
            self._stop = int(stop)
            self._allow()
        self._log()
        due = cadence.evaluation_due(trainer)
        if due is not None:
            self._evaluate(with_metrics=due == "metrics")
        self._check_health()
        if cadence.save_due(self.trainer):
            self._save()

    # --- every so often; none of it counts as training ------------------------------------------------------

    def _log(self, *, force: bool = False) -> None:
        if not self.callbacks:
            return
        row = self.cadence.row_due(self.trainer, force=force)
        if row is not None:
            left = self.plan.seconds_left(self.trainer.seconds, self.trainer.progress)
            if left is not None:
                row["seconds_left"] = round(left, 1)
            self._tell("logged", {**row, **self.trainer.numbers()})

    def _allow(self) -> None:
        """What a budget in minutes leaves for training: the leading process says it."""
        plan, trainer = self.plan, self.trainer
        if plan.budget is None:
            trainer.allow(None, plan.other(trainer.seconds))
            return
        allowed = 0.0
        if self.engine.leads:
            allowed = plan.allowance(trainer.seconds, trainer.progress) or 0.0
        (allowed,) = self.engine.agree(allowed)
        trainer.allow(allowed, plan.other(trainer.seconds))

    def _evaluate(self, *, with_metrics: bool = True) -> None:
        trainer = self.trainer
        self.engine.average_buffers(trainer.average.networks)
        if self.engine.leads:
            ended = trainer.progress >= 1
            with_metrics = with_metrics and (ended or self.plan.affordable("measuring", MEASURING_SHARE, reserved=1))
            self.cadence.sampling_seconds += self.evaluator.evaluate(trainer, with_metrics=with_metrics)
        self.engine.wait()
        trainer.restart_clock()

    def _check_health(self) -> None:
        """Health and diagnosis, where they are due; with --guard the change that a finding asks for."""
        if not self.health.due(self.trainer):
            return
        affordable = self.plan.affordable("checking", CHECKING_SHARE) or self.trainer.progress >= 1
        if self.callbacks and affordable and self.health.affordable(self.trainer):
            self._log(force=True)  # the doctor reads both
            with self.plan.phase("checking", "how the training is doing"):
                numbers = self.health.take(self.trainer)
            self._tell("checked", numbers)
            diagnosis = diagnose(self.folder)
            self._tell("diagnosed", diagnosis)
            if self.guard and self.trainer.progress < 1:
                finding = self.guard.sure_of(diagnosis)
                if finding is not None:
                    self._change(finding)
        self.engine.wait()
        self.trainer.restart_clock()

    def _change(self, finding: Finding) -> None:
        """Continues under the settings that a finding asks for."""
        old, old_method, old_health, change = self.trainer, self.method, self.health, finding.change
        state = old.state()
        self._set_up(old_method.with_settings(change.settings), old.budget)
        for name in old_method.frozen:
            self.method.get_submodule(name).load_state_dict(old_method.get_submodule(name).state_dict())
        self.trainer.use_clock(old.clock)
        self.trainer.feed.prepared_as(old.feed)
        self.health.same_rate_as(old_health)
        kept = take_over(self.trainer, state, weights=not change.restart)
        self.writer.info(self.info())
        self._allow()
        self._tell("changed", finding)
        message = f"the doctor found {finding.name} ({finding.confidence:.0%}) and changed {change.line}"
        if not kept:
            message += "; the networks start again from random weights"
        self._say(message)
        self._saved_step = -1
        self._save()

    def _save(self) -> None:
        trainer = self.trainer
        if trainer.steps == self._saved_step or not self._is_finite():
            return
        trainer.allow(trainer.allowance, self.plan.other(trainer.seconds))
        with self.plan.phase("saving", f"step {trainer.steps}"):
            state = trainer.state()
            if self.engine.leads:
                save_state(self.checkpoints, trainer.steps, state)
                self.writer.weights(self.method, trainer.average.networks)
        if self.engine.leads:
            self._tell("saved")
        self.engine.wait()
        self._saved_step = trainer.steps
        self.cadence.saved(trainer)
        self.recovery.saved(trainer.steps)
        trainer.restart_clock()

    # --- callbacks and signals ------------------------------------------------------------------------------

    def _tell(self, event: str, *content: object) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self.trainer, *content)

    def _tell_phase(self, phase: Phase | None) -> None:
        for callback in self.callbacks:
            callback.phase(phase)

    def _say(self, message: str) -> None:
        self._tell("said", message)

    @contextlib.contextmanager
    def _signals_caught(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the training after the step; outside of the main thread they cannot be caught."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self._catch) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self._caught:  # asked twice: the user does not want to wait
            raise KeyboardInterrupt
        self._caught = number


def check_fit(method: Method, data: Dataset, engine: Engine, *, guard: bool) -> None:
    """UsageError or DataError where method, data and processes do not go together."""
    if method.batch_size % engine.ranks:
        raise UsageError(
            f"batch_size {method.batch_size} cannot be shared by {engine.ranks} processes:"
            f" choose a multiple of {engine.ranks}"
        )
    if guard and engine.ranks > 1:
        raise UsageError("--guard changes a training in one process only: omit it, or train in one")
    if data.spec.kind not in method.takes:
        raise DataError(
            f"{method.name} learns from {' or '.join(method.takes)}, and {data.name} holds {data.spec.kind}"
        )
    if len(data) < method.batch_size:
        raise DataError(
            f"{data.name} has {len(data)} {data.spec.unit}, fewer than a batch of {method.batch_size}: add some"
            f"{_smaller_batch(method, data, engine.ranks)}"
        )


def _smaller_batch(method: Method, data: Dataset, ranks: int) -> str:
    """The largest batch of so few examples that the method trains with, as advice; "" where there is none."""
    for batch_size in range(len(data), 0, -1):
        if works(method, batch_size, ranks, data.spec):
            return f", or choose --set batch_size={batch_size}"
    return ""
