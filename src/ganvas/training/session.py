"""One session of training: the loop around the trainer, and what happens between its steps.

prepare(...)          everything checked and built, nothing written yet
Session.run           the loop
trainer.py            one step;  recovery.py: NaN;  cadence.py: what is due;  evaluator.py: samples and metrics
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any

from ganvas.abilities import TwoStage
from ganvas.data import Dataset, DataSettings
from ganvas.defaults import MEASURED
from ganvas.doctor import Finding, diagnose
from ganvas.errors import DataError, GanvasError, RunError, UsageError
from ganvas.method import Method
from ganvas.registry import create
from ganvas.run import Run, RunWriter
from ganvas.settings import as_dict
from ganvas.training.build import build_trainer
from ganvas.training.cadence import Cadence
from ganvas.training.callbacks import Callback
from ganvas.training.checkpoint import checkpoints, load_newest, save_state, set_aside_after
from ganvas.training.engine import Engine, start_engine
from ganvas.training.evaluator import Evaluator
from ganvas.training.guard import Guard, take_over
from ganvas.training.health import Health
from ganvas.training.manifest import count_parameters, facts
from ganvas.training.precision import usable_here
from ganvas.training.recorder import Recorder
from ganvas.training.recovery import Recovery, restore_newest
from ganvas.training.request import check_same, claimed, find_old, new_folder, open_dataset, read_budget, reopen, stand
from ganvas.training.trainer import Budget, NonFinite
from ganvas.training.trial import settle_precision

METHOD, DATA = "r3gan", "digits"  # where none is given
LARGEST_SEED = 2**62
FINITE_EVERY = 64  # steps between two questions to the GPU whether an update met NaN or inf


class Interrupted(GanvasError):
    """SIGINT or SIGTERM came; everything is saved."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number


def prepare(
    method: str | Method | None = None,
    data: str | Path | Dataset | None = None,
    *,
    out: str | Path | None = None,
    minutes: float | None = None,
    images: int | None = None,
    steps: int | None = None,
    preset: str | None = None,
    settings: dict[str, Any] | None = None,
    data_settings: dict[str, Any] | DataSettings | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    compile: str = "auto",
    resume: str | Path | None = None,
    checkpoint_every: int | None = None,
    evaluate_every: int | None = None,
    measure_samples: int | None = None,
    guard: bool = False,
    codes: str | Path | None = None,
    callbacks: Sequence[Callback] = (),
) -> Session:
    """Everything checked and built, nothing written yet (`--dry-run`). Arguments and errors are those of `train`."""
    budget = read_budget(minutes, images, steps)
    if not 0 <= seed <= LARGEST_SEED:
        raise UsageError(f"seed must be an integer from 0 to {LARGEST_SEED} (got {seed})")
    old = find_old(resume, out)
    if old is not None:
        if minutes is None and images is None and steps is None:
            budget = read_budget(*(old.info["budget"].get(name) for name in ("minutes", "images", "steps")))
        checkpoint_every = checkpoint_every or old.info.get("checkpoint_every")
        evaluate_every = evaluate_every or old.info.get("evaluate_every")
        compile = "on" if compile == "auto" and old.info.get("compiled") else compile
        measure_samples = old.info.get("measure_samples") if measure_samples is None else measure_samples
        check_same(old, method, data, preset, settings, data_settings)
        if codes is not None and resume is not None and str(resume) != "auto":
            raise RunError(f"{old.folder} holds the codes that it learns: omit --codes")
        folder, seed = old.folder, old.info["seed"]
        kept = precision == "auto"  # the same bits as before
        engine = start_engine(device, old.info["precision"] if kept else precision)
        if kept:
            usable, why = usable_here(engine.precision, engine.device), old.info.get("why_precision", "as before")
            if usable != engine.precision:
                why = f"this run had bf16, which this {engine.device.type} only emulates"
            engine = replace(engine, precision=usable, why=why)
        chosen = create(old.info["method"], None, old.info["settings"])
        dataset = reopen(old, data)
        preset, first = old.info.get("preset"), None
    else:
        chosen = (
            method.with_settings(settings or {})
            if isinstance(method, Method)
            else create(method or METHOD, preset, settings)
        )
        dataset = open_dataset(data or DATA, data_settings)
        chosen, first = stand(chosen, codes, dataset)
        folder = new_folder(out, chosen.name, dataset.name)
        engine = start_engine(device, precision)
    return Session(
        folder, chosen, dataset, budget, engine, seed=seed, preset=preset, compile=compile,
        checkpoint_every=checkpoint_every, evaluate_every=evaluate_every,
        measure_samples=MEASURED if measure_samples is None else measure_samples, guard=guard, callbacks=callbacks,
        resumed=old is not None, first=first, try_precision=old is None and precision == "auto", out=out,
        codes=old.info.get("codes") if old else codes,
    )  # fmt: skip


class Session:
    """One training: from its first step, or its newest checkpoint, to the end of its budget."""

    def __init__(
        self, folder: Path, method: Method, data: Dataset, budget: Budget, engine: Engine, *, seed: int,
        preset: str | None = None, compile: str = "auto", checkpoint_every: int | None = None,
        evaluate_every: int | None = None, measure_samples: int = MEASURED, guard: bool = False,
        callbacks: Sequence[Callback] = (), resumed: bool = False, first: Method | None = None,
        codes: str | Path | None = None, try_precision: bool = False, out: str | Path | None = None,
    ) -> None:  # fmt: skip
        check_fit(method, data, engine, guard=guard)
        check_counts(checkpoint_every, evaluate_every, measure_samples)
        self.folder, self.data, self.engine, self.seed, self.preset = folder, data, engine, seed, preset
        self.checkpoint_every, self.evaluate_every = checkpoint_every, evaluate_every
        self.measure_samples = measure_samples
        self.resumed, self.out, self.codes = resumed, out, codes
        self.compiled = wants_compiling(compile)

        # Who takes part.
        self.writer = RunWriter(folder)
        self.callbacks: list[Callback] = [Recorder(self.writer), *callbacks] if engine.leads else []
        self.guard = Guard() if guard else None
        self.recovery = Recovery(seed, self._say)
        self.cadence = Cadence(checkpoint_every, evaluate_every)
        self.evaluator = Evaluator(data, measure_samples, self.writer, self._tell)

        # Networks, feed and loop.
        self._build = functools.partial(build_trainer, data=data, seed=seed, first=first)
        if try_precision:
            self.engine = settle_precision(method, engine, self._build)
        self._set_up(method, budget)

        self._claimed = False
        self._saved_step = -1
        self._caught = 0  # the signal that this process got
        self._stop = 0  # the signal that all processes agreed to end by

    def _set_up(self, method: Method, budget: Budget) -> None:
        """A trainer at its first step."""
        resumed = self.resumed and bool(checkpoints(self.checkpoints))
        self.trainer = self._build(method, budget, self.engine, compiled=self.compiled, resumed=resumed)
        self.method, self.health = method, Health(method, self.data)

    @property
    def checkpoints(self) -> Path:
        """The folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def parameters(self) -> int:
        """Parameters of all networks together."""
        return count_parameters(self.method)

    def info(self) -> dict[str, Any]:
        """What settings.json holds."""
        budget = self.trainer.budget
        asked = {
            "method": self.method.name,
            "preset": self.preset,
            "settings": self.method.settings(),
            "data": self.data.source,
            "data_settings": as_dict(self.data.settings),
            "seed": self.seed,
            "budget": {"steps": budget.steps, "images": budget.images, "minutes": budget.minutes},
            "checkpoint_every": self.checkpoint_every,
            "evaluate_every": self.evaluate_every,
            "measure_samples": self.measure_samples,
        }
        if self.codes is not None:
            asked["codes"] = str(self.codes)
        return {**asked, **facts(self.method, self.data, self.engine, compiled=self.compiled)}

    # --- before the first step ------------------------------------------------------------------------------

    def begin_from(self, old: Run) -> bool:
        """Starts with what another run of this method learned, from its newest whole checkpoint, and counts anew. False, and
        nothing is taken over, where it has none or its networks have other shapes. To be called before `run`."""
        state = load_newest(old.folder / "checkpoints", self._say)
        self.health.taken_over = state is not None and take_over(self.trainer, state, counters=False)
        return self.health.taken_over

    def claim(self) -> Path:
        """Makes the run's folder this training's own, before another one takes it, and says which it is: a name that nobody
        asked for gives way to the next that is free. Called by `run`, or earlier where the name is needed."""
        if self.engine.leads and not self.resumed and not self._claimed:
            self.folder = self.writer.folder = claimed(self.folder, self.out, self.method.name, self.data.name)
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
            self.writer.info(self.info())
            self.writer.json("data.json", self.data.sheet())
        if isinstance(self.method, TwoStage):  # after any weights were read, and before the clock starts
            self.trainer.feed.prepare(self.method.prepare)
        self.cadence.skip_past(self.trainer)
        self._tell("started")

        with self._signals_caught():
            if self.trainer.steps == 0:
                self._save()  # a roll-back needs a place to go to
            self._check_health()
            self.trainer.restart_clock()  # setting up is not training

            # The loop.
            while not self._stop and not self._is_complete():
                try:
                    self.trainer.step()
                    if self.trainer.steps % FINITE_EVERY == 0:
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
            self._evaluate()
            self._save()
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
        trainer.tick()
        # What only the lead spends on samples decides too whether all evaluate: else the others would wait for it.
        stop, cadence.sampling_seconds = trainer.agree(float(self._caught), cadence.sampling_seconds)
        self._stop = int(stop)
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
            self._tell("logged", {**row, **self.trainer.numbers()})

    def _evaluate(self, *, with_metrics: bool = True) -> None:
        trainer = self.trainer
        self.engine.average_buffers(trainer.average.networks)
        if self.engine.leads:
            self.cadence.sampling_seconds += self.evaluator.evaluate(trainer, with_metrics=with_metrics)
        self.engine.wait()
        trainer.restart_clock()

    def _check_health(self) -> None:
        """Health and diagnosis, where they are due; with --guard the change that a finding asks for."""
        if not self.health.due(self.trainer):
            return
        if self.callbacks and self.health.affordable(self.trainer):
            self._log(force=True)  # the doctor reads both
            self._tell("checked", self.health.take(self.trainer))
            diagnosis = diagnose(self.folder)
            self._tell("diagnosed", diagnosis)
            finding = self.guard.sure_of(diagnosis) if self.guard and self.trainer.progress < 1 else None
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
        kept = take_over(self.trainer, state, weights=not change.anew)
        self.writer.info(self.info())
        self._tell("changed", finding)
        self._say(
            f"the doctor found {finding.name} ({finding.confidence:.0%}) and changed {change.line}"
            + ("" if kept else "; the networks start anew")
        )
        self._saved_step = -1
        self._save()

    def _save(self) -> None:
        trainer = self.trainer
        if trainer.steps == self._saved_step or not self._is_finite():
            return
        state = trainer.state()
        if self.engine.leads:
            save_state(self.checkpoints, trainer.steps, state)
            self.writer.weights(self.method, trainer.average.networks)
            self._tell("saved")
        self.engine.wait()
        self._saved_step = trainer.steps
        self.cadence.saved(trainer)
        self.recovery.saved(trainer.steps)
        trainer.restart_clock()

    # --- callbacks and signals ------------------------------------------------------------------------------

    def _tell(self, event: str, *content: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self.trainer, *content)

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
            f"{data.name} has {len(data)} {data.spec.unit}, fewer than a batch of {method.batch_size}: add some, or choose"
            f" --set batch_size={max(1, len(data) // 2)} or less"
        )


def check_counts(checkpoint_every: int | None, evaluate_every: int | None, measure_samples: int) -> None:
    """UsageError for numbers of steps or samples that make no sense."""
    if measure_samples < 0 or measure_samples == 1:
        raise UsageError(f"samples must be 0 (measure nothing) or at least 2 (got {measure_samples})")
    for name, value in (("checkpoint-every", checkpoint_every), ("evaluate-every", evaluate_every)):
        if value is not None and value < 1:
            raise UsageError(f"{name} must be at least 1 step (got {value})")


def wants_compiling(compile: str) -> bool:
    """Compiles where asked; "auto" does not: on a CPU it gave nothing within a budget of minutes (docs/experiments.md)."""
    if compile not in ("auto", "on", "off"):
        raise UsageError(f"compile must be one of auto, on, off (got {compile!r})")
    return compile == "on"
