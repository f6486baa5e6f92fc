"""A training whose minutes are of processor time, so that a busy machine gives every method the same."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from ganvas.data import Dataset
from ganvas.run import Run, is_run, load
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import prepare


def trained(
    method: str, data: Dataset, out: Path, *, minutes: float, seed: int, preset: str | None = "small",
    settings: dict[str, Any] | None = None, clock: str = "processor", codes: Path | None = None, samples: int = 0,
) -> Run:  # fmt: skip
    """One run. `clock` is "processor" (all threads together) or "wall". With `samples` it is measured on the way and saved, as a
    training is otherwise; without, neither."""
    every = None if samples else 10**9
    config = TrainConfig(
        method, data, out=out, minutes=minutes, seed=seed, preset=preset, settings=settings or {}, measure_samples=samples,
        evaluate_every=every, checkpoint_every=every, codes=codes,
    )  # fmt: skip
    session = prepare(config)
    if clock == "processor":
        session.trainer.use_clock(time.process_time)
    try:
        return session.run()
    finally:
        session.engine.close()


def finished(out: Path) -> Run | None:
    """The run of an earlier call, where it came to its end."""
    run = load(out) if is_run(out) else None
    return run if run and any(row.get("event") == "finished" for row in run.log()) else None


def read_settings(pairs: list[str]) -> dict[str, str]:
    """{"pack": "3"} of ["pack=3"]."""
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        sys.exit(f"--set takes key=value (got {wrong[0]})")
    return dict(pair.split("=", 1) for pair in pairs)
