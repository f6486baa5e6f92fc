"""One rank of the trainings that tests/distributed/test_ranks.py starts by torchrun: worker.py FOLDER CASE...

Each case trains for a few steps; every rank leaves its own parameters as CASE/rank-R.safetensors. In the first life of the
processes, rank 1 of the case `killed` dies in the middle. The case `clock` has a budget in minutes and saves by the clock;
its rank 1 comes late. In the case `slow` the lead takes so long to look at what is made that it looks less often. In the case
`signal` only rank 1 is asked to stop, in the middle of a long training; how often the ranks agreed until then is left too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

import ganvas.training.cadence
import ganvas.training.evaluator
import ganvas.training.trainer
from ganvas.training import health, sample_statistics
from ganvas.training.config import TrainConfig
from ganvas.training.engine import Engine
from ganvas.training.prepare import prepare
from ganvas.training.session import Interrupted
from ganvas.training.trainer import Trainer
from parts import beneath, data_for, small

STEPS = 5
DIES_AT = 3
SIGNAL_AT = 40
SECONDS = 4.0


def main(folder: Path, cases: list[str]) -> None:
    rank, first_life = int(os.environ["RANK"]), os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    health.STATISTICS_SAMPLES = sample_statistics.STATISTICS_SAMPLES = 16  # as in tests/conftest.py
    for case in cases:
        if case == "killed" and rank == 1 and first_life:
            die_in_step(DIES_AT)
        torch.manual_seed(1000 + rank)  # what a rank drew before must not matter
        clock, slow, asked_to_stop = case == "clock", case == "slow", case == "signal"
        agreed = agreements() if asked_to_stop else []
        if asked_to_stop:  # a step may take longer than the usual tenth of a second where other work is done
            ganvas.training.trainer.AGREE_SECONDS = 1.0
        if asked_to_stop and rank == 1:
            interrupt_in_step(SIGNAL_AT)
        if slow and rank == 0:
            look_slowly()
        method = small("r3gan" if case in ("killed", "clock", "slow", "signal") else case)
        data = data_for(method.name)
        clips = {"frames": data.spec.video.frames} if data.spec.video.frames else {}  # not the length that is usual
        config = TrainConfig(
            method, data.source, data_settings=clips, out=folder / case / "run", device="cpu",
            steps=None if clock else 10**6 if asked_to_stop else STEPS, minutes=SECONDS / 60 if clock else None, precision="fp32",
            checkpoint_every=None if clock else 2, evaluate_every=None if clock or slow else 4, samples=0,
            **beneath(method, data),
        )  # fmt: skip
        session = prepare(config)
        if clock:
            ganvas.training.cadence.SAVE_SECONDS = SECONDS / 16
            time.sleep(0.3 * rank)
        with contextlib.suppress(Interrupted):
            session.run()
        session.engine.close()
        tensors = {key: value.contiguous() for key, value in session.method.state_dict().items()}
        if asked_to_stop:
            tensors["agreements"], tensors["steps"] = torch.tensor(len(agreed)), torch.tensor(session.trainer.steps)
        save_file(
            tensors,
            folder / case / f"rank-{rank}.safetensors",
        )


def look_slowly() -> None:
    preview = ganvas.training.evaluator.preview

    def slow(*arguments: object) -> object:
        time.sleep(0.5)
        return preview(*arguments)  # pyright: ignore[reportArgumentType]

    ganvas.training.evaluator.preview = slow  # pyright: ignore[reportAttributeAccessIssue]


def agreements() -> list[int]:
    """Grows by one with each agreement of all ranks."""
    agree, seen = Engine.agree, []

    def counted(self: Engine, *values: float) -> tuple[float, ...]:
        seen.append(1)
        return agree(self, *values)

    Engine.agree = counted
    return seen


def interrupt_in_step(number: int) -> None:
    step = Trainer.step

    def interrupted(self: Trainer) -> None:
        step(self)
        if self.steps == number:
            signal.raise_signal(signal.SIGINT)

    Trainer.step = interrupted


def die_in_step(number: int) -> None:
    step = Trainer.step

    def dying(self: Trainer) -> None:
        if self.steps == number:
            os._exit(17)
        step(self)

    Trainer.step = dying


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
