"""Trainings in processes of their own, to be interrupted. They are forked from a server that has imported everything once."""

from __future__ import annotations

import multiprocessing
import resource
import signal
import sys
import time
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ganvas.errors import GanvasError
from ganvas.training.callbacks import Callback
from ganvas.training.checkpoint import checkpoints
from ganvas.training.trainer import Trainer
from parts import train_small

_server = multiprocessing.get_context("forkserver")
# torch._dynamo comes with the first optimiser, and takes longer than all the rest.
_server.set_forkserver_preload(["torch._dynamo", "ganvas.api", "ganvas.data.open", "ganvas.methods.gan.gan"])


_open: list[Connection] = []  # a child that speaks to nobody would die of it


def start(out: Path, steps: int, until: str = "alive", **more: Any) -> BaseProcess:
    """A training in a child. This call returns when the child is "alive", or about to begin with its first step ("started"), or
    has ended before that: the run was finished, or it failed."""
    here, there = _server.Pipe(duplex=False)
    child = _server.Process(target=_train, args=(str(out), steps, there, more), daemon=True)
    child.start()
    there.close()
    _open.append(here)
    try:
        while here.recv() != until:
            pass
    except EOFError:
        child.join()
    return child


def _train(out: str, steps: int, parent: Connection, more: dict[str, Any]) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parent.send("alive")
    listeners: list[Callback] = [Started(parent)]
    small_files_after = more.pop("small_files_after", None)
    if small_files_after is not None:
        listeners.append(SmallFilesAfter(small_files_after))
    try:
        train_small("gan", out, steps, callbacks=listeners, **more)
    except GanvasError as error:
        Path(out).with_suffix(".message").write_text(str(error))
        sys.exit(error.exit_code)


class Started(Callback):
    """Tells the parent that the loop begins."""

    def __init__(self, parent: Connection) -> None:
        self.parent = parent

    def started(self, trainer: Trainer) -> None:
        self.parent.send("started")


class SmallFilesAfter(Callback):
    """After the checkpoint of a step, the kernel refuses to write any file beyond 2 kB: the nearest thing to a full disk."""

    def __init__(self, step: int) -> None:
        self.step = step

    def saved(self, trainer: Trainer) -> None:
        if trainer.steps == self.step:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))


def message(out: Path) -> str:
    """What the child said before it ended."""
    return out.with_suffix(".message").read_text()


def wait_for_step(out: Path, step: int, seconds: float = 30.0) -> None:
    """Until a checkpoint of that step or a later one is there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = checkpoints(out / "checkpoints") if out.exists() else []
        if found and int(found[-1].name.removeprefix("step-")) >= step:
            return
        time.sleep(0.005)
    raise AssertionError(f"no checkpoint of step {step} in {seconds} s")
