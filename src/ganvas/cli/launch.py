"""`ganvas train --nproc N`: several processes on this machine, by torchrun.

If one of them dies, all start again from the last checkpoint.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ganvas.errors import GanvasError, UsageError

if TYPE_CHECKING:
    from ganvas.cli.choice import Choice
    from ganvas.cli.config import Wish

RESTARTS = 3


def launch(chosen: Choice, nproc: int, *, samples: int | None, json: bool) -> int:
    """Runs the processes until they end, and returns the exit code.

    What `torchrun --standalone --nproc-per-node N --max-restarts 3 -m ganvas train ... --resume auto` does,
    here in this process: each of them gets SIGINT and SIGTERM once, from here.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    folder = check(chosen, nproc)
    command = [
        "--standalone", "--nproc-per-node", str(nproc), "--max-restarts", str(RESTARTS), "-m", "ganvas", "train",
        *words(chosen.wish), "--resume", "auto", "--out", str(folder),
        *([] if samples is None else ["--samples", str(samples)]),
        *(["--json"] if json else []),
    ]  # fmt: skip
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // nproc)))
    logging.disable(logging.WARNING)  # torchrun tells of each signal; the training itself says what it did
    try:
        run.run(run.parse_args(command))
    except SignalException as stop:
        return 128 + stop.sigval
    except ChildFailedError as failed:
        codes = ", ".join(
            f"process {rank} with {failure.exitcode}" for rank, failure in sorted(failed.failures.items())
        )
        raise GanvasError(
            f"the training ended {RESTARTS + 1} times ({codes}); its reason stands above. What was saved is in"
            f" {folder}: continue: ganvas train --resume {folder} --nproc {nproc}"
        ) from None
    return 0


def check(chosen: Choice, nproc: int) -> Path:
    """The run folder, settled before any process asks; UsageError for what would else fail in each of them."""
    from ganvas.registry import create
    from ganvas.training.engine import choose_device
    from ganvas.training.request import new_folder

    if nproc < 1:
        raise UsageError(f"--nproc must be at least 1 (got {nproc})")
    if "WORLD_SIZE" in os.environ:
        raise UsageError("torchrun has started this already, once for each process: omit --nproc")
    wish = chosen.wish
    assert wish.method is not None
    settings = chosen.old.info["settings"] if chosen.old else wish.settings
    size = create(wish.method, wish.preset, settings).batch_size
    if size % nproc:
        raise UsageError(f"batch_size {size} cannot be shared by {nproc} processes: choose a multiple of {nproc}")
    choose_device(wish.device or "auto", nproc - 1)
    return chosen.old.folder if chosen.old else new_folder(wish.out, wish.method, chosen.data.name)


def words(wish: Wish) -> list[str]:
    """The wish as words of a command line, without where it goes."""
    from ganvas.settings import settings_of

    given = {name: getattr(wish, name) for name in settings_of(type(wish)) if name not in ("method", "out")}
    options = [
        word
        for name, value in given.items()
        if value is not None
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    assignments = {**wish.settings, **{f"data.{name}": value for name, value in wish.data_settings.items()}}
    sets = [word for name, value in assignments.items() for word in ("--set", f"{name}={value}")]
    return [wish.method or "", *options, *sets]
