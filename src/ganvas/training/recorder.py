"""Writes a training into its run folder: rows, grids, metrics, the best weights."""

from __future__ import annotations

import hashlib

import numpy as np

from ganvas.abilities import Samples
from ganvas.data import DataSpec, media, write_png
from ganvas.doctor import Finding
from ganvas.figure import Figure, figures_as_dict
from ganvas.preview import PREVIEW_SAMPLES
from ganvas.provenance import Provenance
from ganvas.run import RunWriter, weights_bytes
from ganvas.training.callbacks import Callback
from ganvas.training.engine import peak_memory
from ganvas.training.trainer import Trainer


class Recorder(Callback):
    """The callback that every training has."""

    def __init__(self, writer: RunWriter) -> None:
        self.writer = writer

    def started(self, trainer: Trainer) -> None:
        event = "resumed" if trainer.steps else "started"
        self.writer.row({"event": event, "step": trainer.steps, "seconds": trainer.seconds})

    def logged(self, trainer: Trainer, row: dict[str, float]) -> None:
        self.writer.row(row)

    def evaluated(self, trainer: Trainer, metrics: dict[str, Figure], grid: np.ndarray | None) -> None:
        if grid is not None:
            write_png(self.writer.folder / "samples" / f"{trainer.steps:08d}.png", grid, self._provenance(trainer))
        if metrics:
            content = {"step": trainer.steps, "seconds": trainer.seconds, "metrics": figures_as_dict(metrics)}
            self.writer.json("metrics.json", content)
            self.writer.row({"event": "evaluated", **content})

    def sampled(self, trainer: Trainer, samples: np.ndarray | list[str], spec: DataSpec) -> None:
        stem = self.writer.folder / "samples" / f"{trainer.steps:08d}"
        media.write_joined(stem, samples, spec, self._provenance(trainer))

    def _provenance(self, trainer: Trainer) -> Provenance:
        """Of what a step's weights made: their hash is that of weights.safetensors where they are saved at this step."""
        method, samples = trainer.method, isinstance(trainer.method, Samples)
        digest = hashlib.sha256(weights_bytes(method, trainer.average.networks)).hexdigest()
        method_settings = method.settings()
        made = Provenance(
            "train", run=self.writer.folder.resolve().name, method=method.name, weights=digest, step=trainer.steps,
            seed=0 if samples else None, settings={name: method_settings[name] for name in method.of_sampling},
        )  # fmt: skip
        return made.with_options(n=PREVIEW_SAMPLES, grid=True) if samples else made

    def checked(self, trainer: Trainer, numbers: dict[str, float | str]) -> None:
        self.writer.row({"event": "health", "step": trainer.steps, "seconds": trainer.seconds, **numbers})

    def changed(self, trainer: Trainer, finding: Finding) -> None:
        row = {"event": "changed", "step": trainer.steps, "seconds": trainer.seconds}
        self.writer.row({**row, "finding": finding.name, "confidence": finding.confidence, **finding.change.as_dict()})

    def saved(self, trainer: Trainer) -> None:
        self.writer.row({"event": "saved", "step": trainer.steps, "seconds": trainer.seconds})

    def said(self, trainer: Trainer, message: str) -> None:
        self.writer.row({"event": "said", "step": trainer.steps, "seconds": trainer.seconds, "message": message})

    def finished(self, trainer: Trainer) -> None:
        memory = peak_memory(trainer.engine.device)
        row = {"event": "finished", "step": trainer.steps, "seconds": trainer.seconds, "memory_bytes": memory}
        self.writer.row({**row, "waited": round(trainer.seconds + trainer.other_seconds, 1)})
