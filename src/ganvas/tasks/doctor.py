"""What is wrong with a training, and one change to make."""

from __future__ import annotations

from pathlib import Path

from ganvas.doctor import Diagnosis, diagnose


def doctor(run: Path | str) -> Diagnosis:
    """The diagnosis of a run folder, or of any folder with a log.jsonl; see `ganvas.doctor.diagnose`."""
    return diagnose(run)
