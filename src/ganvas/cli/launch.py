"""`ganvas train --nproc N`: several processes on this machine, by torchrun, started again from the last checkpoint if one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganvas.cli.config import Wish
    from ganvas.cli.train import Choice

RESTARTS = 3


def launch(chosen: Choice, nproc: int, *, samples: int, dry_run: bool, json: bool) -> int:
    """Starts the processes, passes SIGINT and SIGTERM on, and returns the exit code."""
    folder = check(chosen, nproc)
    if dry_run:
        from ganvas.cli.train import run_one

        run_one(chosen, samples=samples, dry_run=True, json=json)
        return 0
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(nproc),
        "--max-restarts", str(RESTARTS), "-m", "ganvas", "train", *words(chosen.wish),
        "--resume", "auto", "--out", str(folder), "--samples", str(samples), *(["--json"] if json else []),
    ]  # fmt: skip
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // nproc))}
    return _pass_on(command, {**threads, **os.environ})


def check(chosen: Choice, nproc: int) -> Path:
    """The run folder, settled before any process asks; UsageError for what would else fail in each of them."""
    from ganvas.cli.train import in_torchrun
    from ganvas.errors import UsageError
    from ganvas.method import create
    from ganvas.training.engine import choose_device
    from ganvas.training.session import new_folder

    if nproc < 1:
        raise UsageError(f"--nproc must be at least 1 (got {nproc})")
    if in_torchrun():
        raise UsageError("torchrun has started this already, once for each process: leave --nproc away")
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
    options = [word for name, value in given.items() if value is not None for word in (f"--{name.replace('_', '-')}", str(value))]
    assignments = {**wish.settings, **{f"data.{name}": value for name, value in wish.data_settings.items()}}
    sets = [word for name, value in assignments.items() for word in ("--set", f"{name}={value}")]
    return [wish.method or "", *options, *sets]


def _pass_on(command: list[str], environment: dict[str, str]) -> int:
    # A session of their own: Ctrl-C reaches us alone, and reaches them once, through us.
    child = subprocess.Popen(command, env=environment, start_new_session=True)
    came: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        came.append(number)
        child.send_signal(number)

    previous = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        code = child.wait()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    if came:
        return 128 + came[0]
    return code if code >= 0 else 128 - code
