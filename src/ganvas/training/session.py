"""From a wish to a run: opens the data, builds the method, resumes or starts, loops, saves, measures.

The loop itself is `Session.run`; one step is in trainer.py.
"""

from __future__ import annotations

import functools
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

import numpy as np
import torch

import ganvas
from ganvas.data import Dataset, DataSettings
from ganvas.data.feed import make_feed
from ganvas.defaults import MEASURED, MEASURED_SEED
from ganvas.doctor import Finding, diagnose
from ganvas.errors import DataError, GanvasError, RunError, TrainingError, UsageError
from ganvas.method import Method, Prepares, StandsOn, create
from ganvas.preview import preview
from ganvas.report import write_report
from ganvas.run import Run, RunWriter, spec_as_dict
from ganvas.sampling import sample, to_uint8
from ganvas.settings import as_dict
from ganvas.training.callbacks import Callback
from ganvas.training.checkpoint import checkpoints, load_newest, save_state, set_aside_after
from ganvas.training.engine import Engine, compile_networks, machine_name, start_engine
from ganvas.training.guard import Guard, take_over
from ganvas.training.health import Health
from ganvas.training.precision import usable_here
from ganvas.training.recorder import Recorder
from ganvas.training.request import check_same, claimed, find_old, new_folder, open_dataset, read_budget, reopen, stand
from ganvas.training.trainer import Budget, NonFinite, Trainer
from ganvas.training.trial import settle_precision

METHOD, DATA = "r3gan", "digits"  # where none is given
LARGEST_SEED = 2**62
ROLLBACKS = 3  # in a row, before a training gives up
LOG_SECONDS = 1.0  # between two rows of the log; steps shorter than that share one
EVALUATIONS = 5  # over a budget, where --evaluate-every is not given
GRIDS = 20  # likewise, ...
SAMPLING = 0.1  # ... but for those between evaluations once so much of the training's time went into them
SAVE_SECONDS = 60.0  # between two checkpoints, where --checkpoint-every is not given


P = ParamSpec("P")


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


def _running(prepare: Callable[P, Session]) -> Callable[P, Run]:
    """`train` takes what `prepare` takes; one signature is enough to keep right."""

    @functools.wraps(prepare)
    def train(*args: P.args, **kwargs: P.kwargs) -> Run:
        session = prepare(*args, **kwargs)
        try:
            return session.run()
        finally:
            session.engine.close()

    return train


train = _running(prepare)
train.__name__ = train.__qualname__ = "train"
train.__doc__ = """Trains a method on data (r3gan on digits, where none is named) and returns the run.

The budget is the first reached of `minutes`, `images` (real images drawn) and `steps`; five minutes where none is given.
Time spent on grids, metrics and saving does not count. `resume` is a run folder, or "auto": continue where `out` already holds this
run, else start. Method, data, settings and, where none is given, budget of a resumed run come from its folder; giving
other settings is an error. With `guard` the training makes the doctor's changes by itself, where it is sure of them.
Raises GanvasError for whatever a user can fix, and Interrupted after SIGINT or SIGTERM once all is saved.
"""


class Session:
    """One session of training."""

    def __init__(
        self, folder: Path, method: Method, data: Dataset, budget: Budget, engine: Engine, *, seed: int,
        preset: str | None = None, compile: str = "auto", checkpoint_every: int | None = None,
        evaluate_every: int | None = None, measure_samples: int = MEASURED, guard: bool = False,
        callbacks: Sequence[Callback] = (), resumed: bool = False, first: Method | None = None,
        codes: str | Path | None = None, try_precision: bool = False, out: str | Path | None = None,
    ) -> None:  # fmt: skip
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
        if measure_samples < 0 or measure_samples == 1:
            raise UsageError(f"samples must be 0 (measure nothing) or at least 2 (got {measure_samples})")
        for name, value in (("checkpoint-every", checkpoint_every), ("evaluate-every", evaluate_every)):
            if value is not None and value < 1:
                raise UsageError(f"{name} must be at least 1 step (got {value})")
        self.folder, self.data, self.engine, self.seed, self.preset = folder, data, engine, seed, preset
        self.checkpoint_every, self.evaluate_every, self.measure_samples = (
            checkpoint_every,
            evaluate_every,
            measure_samples,
        )
        self.resumed, self.compile, self.out = resumed, compile, out
        self._claimed = False
        self.guard = Guard() if guard else None
        self.writer = RunWriter(folder)
        self.callbacks: list[Callback] = [Recorder(self.writer), *callbacks] if engine.leads else []
        self.first, self.codes = first, codes
        if try_precision:
            self.engine = settle_precision(method, engine, lambda *own: self._trainer(*own, "off"))
        self._build(method, budget)
        self._tell: Callable[..., None] = self._call
        self._caught = 0  # the signal that this process got
        self._stop = 0  # the signal that all processes agreed to end by
        self._failures = 0
        self._failed_at = -1
        self._logged_at = self._saved_at = 0.0
        self._logged_images = 0
        self._seen_grids = self._seen_evaluations = 0
        self._saved_step = -1
        self._given_up: set[str] = set()  # measures that these data do not allow
        self._sampling = 0.0  # seconds that went into samples to look at

    def _build(self, method: Method, budget: Budget) -> None:
        """Networks from the seed, a feed from its start, and the loop around them."""
        method.resumed = self.resumed and bool(checkpoints(self.folder / "checkpoints"))
        self.trainer = self._trainer(method, budget, self.engine, self.compile)
        self.method, self.health = method, Health(method, self.data)

    def _trainer(self, method: Method, budget: Budget, engine: Engine, compile: str) -> Trainer:
        data, seed = self.data, self.seed
        torch.manual_seed(seed)
        method.build(data.spec)
        method.spec = data.spec
        if self.first is not None:
            assert isinstance(method, StandsOn)
            method.adopt(self.first)
        method.train()
        method.to(engine.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        engine.copy_from_lead(method)
        self.compiled = settle_compile(compile, method, engine)
        generator = torch.Generator(engine.device).manual_seed(seed)
        feed = make_feed(
            data, batch_size=method.batch_size, window=method.window, seed=seed, generator=generator,
            rank=engine.rank, ranks=engine.ranks, device=engine.device,
        )  # fmt: skip
        return Trainer(method, feed, engine, budget)

    @property
    def parameters(self) -> int:
        """Parameters of all networks together."""
        return sum(parameter.numel() for parameter in self.method.parameters())

    def begin_from(self, old: Run) -> bool:
        """Starts with what another run of this method learned, from its newest whole checkpoint, and counts anew. False, and
        nothing is taken over, where it has none or its networks have other shapes. To be called before `run`."""
        state = load_newest(old.folder / "checkpoints", self._say)
        self.health.taken_over = state is not None and take_over(self.trainer, state, counters=False)
        return self.health.taken_over

    def claim(self) -> Path:
        """Makes the run's folder this training's own, before another one takes it, and says which it is: a name that nobody
        asked for gives way to the next that is free. Called by `run`; earlier calls may follow a listener's wish to name it."""
        if self.engine.leads and not self.resumed and not self._claimed:
            self.folder = self.writer.folder = claimed(self.folder, self.out, self.method.name, self.data.name)
            self._claimed = True
        return self.folder

    # --- the session --------------------------------------------------------------------------------------------------------

    def run(self) -> Run:
        """Trains until the budget is used up; always leaves a checkpoint of the last step."""
        trainer = self.trainer
        self.claim()
        if self.resumed:
            self._restore_newest()
        if self.engine.leads:
            self.writer.tidy()
            self.writer.info(self.info())
            self.writer.json("data.json", self.data.sheet())
        self._prepare()
        self._skip_past()
        self._tell("started")
        previous = self._listen()
        try:
            if trainer.steps == 0 and self._saved_step < 0:
                self._save()  # a roll-back needs a place to go to
            self._look_if_due()
            trainer.restart_clock()  # setting up is not training
            while self._goes_on():
                self._step()
            self._finish_or_stop()
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        return Run(self.folder)

    def _prepare(self) -> None:
        """What the losses need of each image, once; after any weights were read, and before the clock starts."""
        if isinstance(self.method, Prepares):
            self.trainer.feed.prepare(self.method.prepare)

    def _goes_on(self) -> bool:
        if self._stop or self.trainer.progress < 1:
            return not self._stop
        return not self._sound()

    def _sound(self) -> bool:
        """True where no update met NaN or inf; else back to the last good state."""
        try:
            self.trainer.check_finite()
        except NonFinite as broken:
            self._roll_back(str(broken))
            return False
        return True

    def _step(self) -> None:
        trainer = self.trainer
        try:
            trainer.step()
        except NonFinite as broken:
            self._roll_back(str(broken))
            return
        if trainer.steps % 64 == 0 and not self._sound():
            return
        trainer.tick()
        # What only the lead spends decides too whether all measure: else the others would wait for it.
        stop, self._sampling = trainer.agree(float(self._caught), self._sampling)
        self._stop = int(stop)
        self._log()
        self._evaluate_if_due()
        self._look_if_due()
        self._save_if_due()

    def _finish_or_stop(self) -> None:
        trainer = self.trainer
        if self._stop:
            self._save()
            if self.engine.leads:
                write_report(self.folder, audit=False)
            raise Interrupted(
                f"stopped at step {trainer.steps}, everything is saved. continue: ganvas train --resume {self.folder}",
                self._stop,
            )
        self._log(force=True)
        self._evaluate()
        self._save()
        self._tell("finished")
        if self.engine.leads:
            write_report(self.folder)

    def _roll_back(self, update: str) -> None:
        trainer = self.trainer
        step = trainer.steps
        self._failures += 1  # until a checkpoint beyond the place of failure is saved
        self._failed_at = max(step, self._failed_at)
        reason = f"the update {update} met NaN or inf at step {step}, before any weight moved"
        if self._failures > ROLLBACKS:
            raise TrainingError(
                f"{reason}; {ROLLBACKS} roll-backs with new random numbers did not help."
                f" The last good state is saved in {self.folder}."
                " Try a smaller learning rate (--set lr=...), --precision fp32, or look at the data with: ganvas data DATA"
            )
        drawn = trainer.rollbacks + 1
        self.engine.wait()
        state = load_newest(self.folder / "checkpoints", self._say)
        if state is None:
            raise TrainingError(f"{reason}, and there is no checkpoint to go back to")
        trainer.restore(state)
        trainer.draw_anew(drawn, self.seed)
        self._saved_step = trainer.steps
        self._skip_past()
        self._say(
            f"{reason}. Went back to step {trainer.steps} with new random numbers ({self._failures} of {ROLLBACKS})",
        )
        trainer.restart_clock()

    # --- what happens every so often ----------------------------------------------------------------------------------------

    def _log(self, force: bool = False) -> None:
        trainer = self.trainer
        taken = trainer.seconds - self._logged_at
        if not self.callbacks or taken <= 0 or not (force or taken >= LOG_SECONDS):
            return
        row = {"step": trainer.steps, "images_seen": trainer.images_seen, "seconds": round(trainer.seconds, 3)}
        row["images_per_second"] = round((trainer.images_seen - self._logged_images) / taken, 1)
        row["progress"] = trainer.progress
        self._logged_at, self._logged_images = trainer.seconds, trainer.images_seen
        self._tell("logged", {**row, **trainer.numbers()})

    def _skip_past(self) -> None:
        """What was due before a resume is not due again."""
        trainer = self.trainer
        self._logged_at = self._saved_at = trainer.seconds
        self._logged_images = trainer.images_seen
        self._seen_grids, self._seen_evaluations = int(trainer.progress * GRIDS), int(trainer.progress * EVALUATIONS)

    def _evaluate_if_due(self) -> None:
        trainer = self.trainer
        if self.evaluate_every is not None:
            if trainer.steps % self.evaluate_every == 0 and trainer.progress < 1:
                self._evaluate()
            return
        grids, evaluations = int(trainer.progress * GRIDS), int(trainer.progress * EVALUATIONS)
        due, metrics_due = grids > self._seen_grids, evaluations > self._seen_evaluations
        self._seen_grids, self._seen_evaluations = grids, evaluations
        if due and trainer.progress < 1 and (metrics_due or self._sampling <= SAMPLING * (trainer.seconds + 1)):
            self._evaluate(metrics_too=metrics_due)

    def _evaluate(self, metrics_too: bool = True) -> None:
        trainer = self.trainer
        averaged = trainer.average.method
        self.engine.average_buffers(trainer.average.networks)
        if self.engine.leads:
            sheet = self._preview(averaged)
            metrics = self._measure(averaged) if metrics_too and self.measure_samples else {}
            self._tell("evaluated", metrics, sheet)
            self._keep_best(metrics)
        self.engine.wait()
        trainer.restart_clock()

    def _preview(self, averaged: Method) -> np.ndarray | None:
        """A sheet of what it makes; what is no image is told to the listeners as well."""
        started = time.perf_counter()
        made, sheet = preview(averaged, self.data)
        self._sampling += time.perf_counter() - started
        if made is not None and self.data.spec.kind != "images":
            self._tell("sampled", made, self.data.spec)
        return sheet

    def _look_if_due(self) -> None:
        """Health and diagnosis; they do not count as training."""
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
        """Continues under the settings that a finding asks for (--guard)."""
        old, change = self.trainer, finding.change
        state = old.state()
        before = self.method
        self._build(before.with_settings(change.settings), old.budget)
        for name in before.frozen:
            self.method.get_submodule(name).load_state_dict(before.get_submodule(name).state_dict())
        self.trainer.use_clock(old.clock)
        self.trainer.feed.prepared_as(old.feed)
        kept = take_over(self.trainer, state, weights=not change.anew)
        self.writer.info(self.info())
        self._tell("changed", finding)
        self._say(
            f"the doctor found {finding.name} ({finding.confidence:.0%}) and changed {change.line}"
            + ("" if kept else "; the networks start anew")
        )
        self._saved_step = -1
        self._save()

    def _measure(self, averaged: Method) -> dict[str, Any]:
        """Too few examples to measure by are no reason to stop training; that is said once. Likelihood is by one draw."""
        from ganvas.metrics import measurements

        count, found = self.measure_samples, {}
        asked = measurements(
            averaged, self.data, lambda: to_uint8(sample(averaged, count, MEASURED_SEED)), samples=count
        )
        for what, measured in asked.items():
            if what in self._given_up:
                continue
            try:
                found |= measured()
            except DataError as error:
                self._given_up.add(what)
                self._say(f"not measured: {error}")
        return found

    def _keep_best(self, metrics: dict[str, Any]) -> None:
        """By the Fréchet distance; where nothing is sampled, by the first figure of which less or more is better."""
        sided = [name for name, entry in metrics.items() if entry.get("better") in ("lower", "higher")]
        key = next((name for name in sided if name.startswith("FD")), next(iter(sided), None))
        trainer = self.trainer
        if key is None:
            return
        sign = 1 if metrics[key]["better"] == "lower" else -1
        if trainer.best and not sign * metrics[key]["value"] < sign * trainer.best["value"]:
            return
        trainer.remember_best({"metric": key, "value": metrics[key]["value"], "step": trainer.steps})
        self.writer.weights(self.method, trainer.average.networks, "best/weights.safetensors")
        self.writer.json("best/metrics.json", {"step": trainer.steps, "metrics": metrics})

    def _save_if_due(self) -> None:
        trainer = self.trainer
        if self.checkpoint_every is not None:
            due = trainer.steps % self.checkpoint_every == 0
        else:
            due = trainer.seconds - self._saved_at >= SAVE_SECONDS
        # At the end the last measures come first, so that the state knows the best of all.
        if due and trainer.progress < 1:
            self._save()

    def _save(self) -> None:
        trainer = self.trainer
        if trainer.steps == self._saved_step:
            return
        if not self._sound():
            return
        state = trainer.state()
        if self.engine.leads:
            save_state(self.folder / "checkpoints", trainer.steps, state)
            self.writer.weights(self.method, trainer.average.networks)
            self._tell("saved")
        self.engine.wait()
        self._saved_at, self._saved_step = trainer.seconds, trainer.steps
        if trainer.steps > self._failed_at:
            self._failures = 0
        trainer.restart_clock()

    def _restore_newest(self) -> None:
        state = load_newest(self.folder / "checkpoints", self._say)
        if state is None:
            if checkpoints(self.folder / "checkpoints"):
                raise RunError(
                    f"every checkpoint in {self.folder / 'checkpoints'} is damaged: start a new run with another --out"
                )
            if (self.folder / "weights.safetensors").exists():
                raise RunError(
                    f"{self.folder} holds weights but no checkpoints, so it cannot be trained on: bring back its folder"
                    " checkpoints, or start a new run with another --out"
                )
            return
        try:
            self.trainer.restore(state)
        except (KeyError, RuntimeError, ValueError) as error:
            raise RunError(
                f"the checkpoint in {self.folder} does not fit this version of {self.method.name}: {error}"
            ) from error
        self._saved_step = self.trainer.steps
        if self.engine.leads:  # a kill between the checkpoint and the weights leaves those of the save before
            self.writer.weights(self.method, self.trainer.average.networks)
            set_aside_after(self.folder / "checkpoints", self._saved_step)

    # --- listeners and signals ----------------------------------------------------------------------------------------------

    def _call(self, event: str, *content: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, event)(self.trainer, *content)

    def _say(self, message: str) -> None:
        self._tell("said", message)

    def _listen(self) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}
        return {number: signal.signal(number, self._catch) for number in (signal.SIGINT, signal.SIGTERM)}

    def _catch(self, number: int, frame: FrameType | None) -> None:
        if self._caught:  # asked twice: the user does not want to wait
            raise KeyboardInterrupt
        self._caught = number

    # --- facts --------------------------------------------------------------------------------------------------------------

    def info(self) -> dict[str, Any]:
        """What settings.json holds."""
        budget = self.trainer.budget
        return {
            "ganvas": ganvas.__version__,
            "method": self.method.name,
            "preset": self.preset,
            "settings": self.method.settings(),
            "data": self.data.source,
            "data_settings": as_dict(self.data.settings),
            **({"codes": str(self.codes)} if self.codes is not None else {}),
            "seed": self.seed,
            "budget": {"steps": budget.steps, "images": budget.images, "minutes": budget.minutes},
            "precision": self.engine.precision,
            "why_precision": self.engine.why,
            "device": str(self.engine.device),
            "machine": machine_name(self.engine.device),
            "compiled": self.compiled,
            "processes": self.engine.ranks,
            "checkpoint_every": self.checkpoint_every,
            "evaluate_every": self.evaluate_every,
            "measure_samples": self.measure_samples,
            "parameters": self.parameters,
            "networks": {
                name: sum(p.numel() for p in network.parameters()) for name, network in self.method.named_children()
            },
            "spec": spec_as_dict(self.data.spec),
            "fingerprint": self.data.fingerprint,
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "threads": torch.get_num_threads(),
            "git": git_commit(),
            "command": sys.argv,
        }


def settle_compile(wish: str, method: Method, engine: Engine) -> bool:
    """Compiles where asked; "auto" does not: on a CPU it gave nothing within a budget of minutes (docs/experiments.md)."""
    if wish not in ("auto", "on", "off"):
        raise UsageError(f"compile must be one of auto, on, off (got {wish!r})")
    if wish == "on":
        compile_networks(method.get_submodule(name) for name in method.averaged)
    return wish == "on"


def git_commit() -> str | None:
    """The commit of the working folder, where it is a git checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
