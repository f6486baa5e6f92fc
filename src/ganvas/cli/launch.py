"""`ganvas train --nproc N`: several processes on this machine, by torchrun.

If one of them dies, all start again from the last checkpoint.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

from ganvas.cli.opening import open_shown
from ganvas.device import choose_device
from ganvas.errors import GanvasError, UsageError
from ganvas.registry import create
from ganvas.run import Run
from ganvas.training.config import TrainConfig
from ganvas.training.environment import environment
from ganvas.training.prepare import check_same, create_method, open_dataset, reopen, with_kind
from ganvas.training.run_folder import check_free, new_folder

MAX_RESTARTS = 3


def launch(config: TrainConfig, resumed: Run | None, nproc: int, *, json: bool) -> int:
    """Runs the processes until they end, and returns the exit code.

    What `torchrun --standalone --nproc-per-node N --max-restarts 3 -m ganvas train ... --resume auto` does,
    here in this process: each of them gets SIGINT and SIGTERM once, from here.
    """
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    folder = check(config, resumed, nproc)
    command = [
        "--standalone", "--nproc-per-node", str(nproc), "--max-restarts", str(MAX_RESTARTS), "-m", "ganvas", "train",
        *config.command_line(but=("resume", "out")), "--resume", "auto", "--out", str(folder),
    ]  # fmt: skip
    if json:
        command.append("--json")
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
            f"the training ended {MAX_RESTARTS + 1} times ({codes}); its reason stands above. What was saved is in"
            f" {folder}: continue: ganvas train --resume {folder} --nproc {nproc}"
        ) from None
    return 0


def check(config: TrainConfig, resumed: Run | None, nproc: int) -> Path:
    """The run folder, settled before any process asks; UsageError for what would else fail in each of them."""
    if nproc < 1:
        raise UsageError(f"--nproc must be at least 1 (got {nproc})")
    if config.guard:
        raise UsageError("--guard changes a training in one process only: omit --nproc")
    if environment().launched:
        raise UsageError("torchrun has started this already, once for each process: omit --nproc")
    if resumed:
        check_same(resumed, config)
        method = create(resumed.info["method"], None, resumed.info["settings"])
        data = reopen(resumed, config.data, open_shown)
    else:
        method = create_method(config)
        if config.out is not None:
            check_free(config.out)
        data = open_dataset(config.data or "", with_kind(config, method).data_settings, open_shown)
    size = method.batch_size
    if size % nproc:
        raise UsageError(f"batch_size {size} cannot be shared by {nproc} processes: choose a multiple of {nproc}")
    choose_device(config.device, nproc - 1)
    if resumed:
        return resumed.folder
    return new_folder(config.out, method.name, data.name)
