"""Which process of a training this one is, as torchrun says it in environment variables.

The only file that reads them. It imports no torch, so that the command line can ask before anything heavy is loaded.
"""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Environment:
    """One process among `ranks`; the defaults are those of a process that nobody launched."""

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    """Number of this process on this machine."""
    local_ranks: int = 1
    restarts: int = 0
    """How often torchrun started all processes again after a crash."""
    launched: bool = False
    """True where a launcher started this process."""
    by_torchrun: bool = False


def environment() -> Environment:
    """What the environment says now."""
    ranks = int(os.environ.get("WORLD_SIZE", 1))
    return Environment(
        rank=int(os.environ.get("RANK", 0)),
        ranks=ranks,
        local_rank=int(os.environ.get("LOCAL_RANK", 0)),
        local_ranks=int(os.environ.get("LOCAL_WORLD_SIZE", ranks)),
        restarts=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)),
        launched="WORLD_SIZE" in os.environ,
        by_torchrun=bool(os.environ.get("TORCHELASTIC_RUN_ID")),
    )
