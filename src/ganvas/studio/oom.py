"""Which process goes where memory runs out."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

OOM_SCORE_ADJ = "500"  # oom_score_adj: the job or the model process goes, and not the studio or the desktop


def first_to_be_killed() -> None:
    """Makes this process and its children the kernel's first choice; on Linux only."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text(OOM_SCORE_ADJ)
