"""Experiment loggers as callbacks: TensorBoard, Weights & Biases, trackio. `ganvas train --log-to tensorboard,wandb`.

Each gets what log.jsonl gets, under the same keys: losses, figures as metrics/NAME, numbers of health as health/KEY, the grid of
fixed seeds as the image `samples`, and the run's settings. A resumed run continues the same log. Nothing is sent anywhere:
W&B writes offline files unless WANDB_MODE says otherwise, the other two write on this machine.

A logger of your own derives from MetricLogger, or from Callback where it wants other events.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ganvas.data import DataSpec
from ganvas.doctor import Finding
from ganvas.errors import UsageError
from ganvas.figure import Figure, is_number
from ganvas.files import JsonObject, write_text
from ganvas.training.callbacks import Callback
from ganvas.training.config import LOGGERS, logger_names
from ganvas.training.trainer import Trainer

PROJECT = "ganvas"


class MetricLogger(Callback):
    """Turns the events of a training into scalars, images and texts; subclasses say where those go."""

    def __init__(self) -> None:
        self.folder = Path()

    # --- what a subclass does -------------------------------------------------------------------------------

    def begin(self, folder: Path, settings: JsonObject, *, step: int) -> None:
        """Opens the log of the run in `folder`; where `step` is not 0, continues the one that is there."""
        raise NotImplementedError

    def scalars(self, values: dict[str, float], step: int) -> None:
        """Numbers by key."""
        raise NotImplementedError

    def image(self, name: str, pixels: np.ndarray, step: int) -> None:
        """uint8 (H, W, C), C 1 or 3."""
        raise NotImplementedError

    def text(self, name: str, content: str, step: int) -> None:
        """A sentence, or samples that are texts."""
        raise NotImplementedError

    def end(self) -> None:
        """Closes the log; everything is on the disk afterwards."""
        raise NotImplementedError

    # --- events ---------------------------------------------------------------------------------------------

    def opened(self, trainer: Trainer, folder: Path) -> None:
        self.folder = folder

    def started(self, trainer: Trainer) -> None:
        content = json.loads((self.folder / "settings.json").read_text(encoding="utf-8"))
        self.begin(self.folder, flat(content), step=trainer.steps)

    def logged(self, trainer: Trainer, row: dict[str, float]) -> None:
        self.scalars(finite(row, ""), trainer.steps)

    def evaluated(self, trainer: Trainer, metrics: dict[str, Figure], grid: np.ndarray | None) -> None:
        figures = {name: figure.value for name, figure in metrics.items()}
        if figures:
            self.scalars(finite(figures, "metrics/"), trainer.steps)
        if grid is not None:
            self.image("samples", grid if grid.shape[2] in (1, 3) else grid[:, :, :1], trainer.steps)

    def sampled(self, trainer: Trainer, samples: np.ndarray | list[str], spec: DataSpec) -> None:
        if isinstance(samples, list):
            self.text("samples", "\n\n".join(samples), trainer.steps)

    def checked(self, trainer: Trainer, numbers: dict[str, float | str]) -> None:
        self.scalars(finite(numbers, "health/"), trainer.steps)

    def changed(self, trainer: Trainer, finding: Finding) -> None:
        self.text("messages", f"the doctor found {finding.name} and changed {finding.change.line}", trainer.steps)

    def said(self, trainer: Trainer, message: str) -> None:
        self.text("messages", message, trainer.steps)

    def stopped(self, trainer: Trainer) -> None:
        self.end()

    def finished(self, trainer: Trainer) -> None:
        self.end()


class TensorBoardLogger(MetricLogger):
    """RUN/tensorboard, for `tensorboard --logdir RUN`."""

    def begin(self, folder: Path, settings: JsonObject, *, step: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        # What an interrupted training logged after its last checkpoint is passed over.
        purge = step + 1 if step else None
        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=purge)
        table = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
        self._writer.add_text("settings", f"| setting | value |\n| --- | --- |\n{table}", step)
        self._settings = {
            name: value for name, value in settings.items() if isinstance(value, bool | int | float | str)
        }
        self._figures: dict[str, float] = {}

    def scalars(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
            if name.startswith("metrics/"):
                self._figures[name] = value

    def image(self, name: str, pixels: np.ndarray, step: int) -> None:
        self._writer.add_image(name, pixels, step, dataformats="HWC")

    def text(self, name: str, content: str, step: int) -> None:
        self._writer.add_text(name, content, step)

    def end(self) -> None:
        self._writer.add_hparams(self._settings, self._figures, run_name="hparams")
        self._writer.close()


class WandbLogger(MetricLogger):
    """Weights & Biases, offline unless WANDB_MODE is set; RUN/wandb/run.json keeps the id by which a resume continues."""

    def begin(self, folder: Path, settings: JsonObject, *, step: int) -> None:
        wandb = importlib.import_module("wandb")
        self._wandb = wandb
        known = _kept_id(folder / "wandb" / "run.json")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=folder.resolve().name, dir=str(folder), config=settings,
            id=known, resume="allow" if known else None, mode=os.environ.get("WANDB_MODE", "offline"),
            settings=wandb.Settings(silent=True, console="off"),
        )  # fmt: skip
        # A roll-back goes back in steps, which W&B's own counter must not: `step` is an axis.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")
        write_text(folder / "wandb" / "run.json", json.dumps({"id": self._run.id}))

    def scalars(self, values: dict[str, float], step: int) -> None:
        self._run.log({**values, "step": step})

    def image(self, name: str, pixels: np.ndarray, step: int) -> None:
        self._run.log({name: self._wandb.Image(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels), "step": step})

    def text(self, name: str, content: str, step: int) -> None:
        self._run.log({name: self._wandb.Html(f"<pre>{_escaped(content)}</pre>"), "step": step})

    def end(self) -> None:
        self._run.finish()


class TrackioLogger(MetricLogger):
    """trackio's local database (TRACKIO_DIR, or its cache folder), for `trackio show`. What it prints goes to stderr: stdout
    belongs to `--json`."""

    def begin(self, folder: Path, settings: JsonObject, *, step: int) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self._trackio: Any = importlib.import_module("trackio")
            # A new run of an earlier one's name is another run.
            resume = "allow" if step else "never"
            self._trackio.init(project=PROJECT, name=folder.resolve().name, config=settings, resume=resume)

    def scalars(self, values: dict[str, float], step: int) -> None:
        self._trackio.log(values, step=step)

    def image(self, name: str, pixels: np.ndarray, step: int) -> None:
        self._trackio.log(
            {name: self._trackio.Image(pixels.repeat(3, 2) if pixels.shape[2] == 1 else pixels)}, step=step
        )

    def text(self, name: str, content: str, step: int) -> None:
        self._trackio.log({name: content}, step=step)

    def end(self) -> None:
        with contextlib.redirect_stdout(sys.stderr):
            self._trackio.finish()


_CLASSES = {"tensorboard": TensorBoardLogger, "wandb": WandbLogger, "trackio": TrackioLogger}


def make_loggers(log_to: str | None) -> list[Callback]:
    """The callbacks for a setting `log_to`; UsageError names the extra where a package is missing."""
    made: list[Callback] = []
    for name in logger_names(log_to):
        if importlib.util.find_spec(LOGGERS[name]) is None:
            raise UsageError(
                f'--log-to {name} needs the package {LOGGERS[name]}, which is not installed: pip install "ganvas[{name}]"'
            )
        made.append(_CLASSES[name]())
    return made


def finite(row: Mapping[str, object], prefix: str) -> dict[str, float]:
    """What of a row is a finite number, under prefix + key; the step is the axis, not a value."""
    found = {}
    for key, value in row.items():
        if key != "step" and is_number(value):
            found[prefix + key] = float(value)
    return found


def flat(settings: Mapping[str, object], prefix: str = "") -> JsonObject:
    """Nested settings as {"settings.lr": 0.002}; lists as text. Nothing of the machine's paths."""
    plain: JsonObject = {}
    for name, value in settings.items():
        if not prefix and name in ("command", "git"):
            continue
        if isinstance(value, Mapping):
            plain.update(flat(value, f"{prefix}{name}."))
        elif isinstance(value, bool | int | float | str):
            plain[prefix + name] = value
        elif value is not None:
            plain[prefix + name] = json.dumps(value)[:1000]
    return plain


def _kept_id(path: Path) -> str | None:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))["id"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(kept)


def _escaped(content: str) -> str:
    return content.replace("&", "&amp;").replace("<", "&lt;")
