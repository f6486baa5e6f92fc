"""One rank of the trainings that tests/distributed/test_ranks.py starts by torchrun: worker.py FOLDER CASE...

Each case trains for a few steps; every rank leaves its own parameters as CASE/rank-R.safetensors. In the first life of the
processes, rank 1 of the case `killed` dies in the middle. The case `clock` has a budget in minutes and saves by the clock;
its rank 1 comes late. In the case `slow` the lead takes so long to look at what is made that it looks less often.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

import ganvas.training.cadence
import ganvas.training.evaluator
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import prepare
from ganvas.training.trainer import Trainer
from parts import beneath, data_for, small

STEPS = 5
DIES_AT = 3
SECONDS = 1.0


def main(folder: Path, cases: list[str]) -> None:
    rank, first_life = int(os.environ["RANK"]), os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    for case in cases:
        if case == "killed" and rank == 1 and first_life:
            die_in_step(DIES_AT)
        torch.manual_seed(1000 + rank)  # what a rank drew before must not matter
        clock, slow = case == "clock", case == "slow"
        if slow and rank == 0:
            look_slowly()
        method = small("r3gan" if case in ("killed", "clock", "slow") else case)
        config = TrainConfig(
            method, data_for(method.name).source, out=folder / case / "run", device="cpu",
            steps=None if clock else STEPS, minutes=SECONDS / 60 if clock else None, precision="fp32",
            checkpoint_every=None if clock else 2, evaluate_every=None if clock or slow else 4, measure_samples=0,
            **beneath(method, data_for(method.name)),
        )  # fmt: skip
        session = prepare(config)
        if clock:
            ganvas.training.cadence.SAVE_SECONDS = SECONDS / 4
            time.sleep(0.3 * rank)
        session.run()
        session.engine.close()
        save_file(
            {key: value.contiguous() for key, value in session.method.state_dict().items()},
            folder / case / f"rank-{rank}.safetensors",
        )


def look_slowly() -> None:
    preview = ganvas.training.evaluator.preview

    def slow(*arguments: object) -> object:
        time.sleep(0.5)
        return preview(*arguments)  # pyright: ignore[reportArgumentType]

    ganvas.training.evaluator.preview = slow  # pyright: ignore[reportAttributeAccessIssue]


def die_in_step(number: int) -> None:
    step = Trainer.step

    def dying(self: Trainer) -> None:
        if self.steps == number:
            os._exit(17)
        step(self)

    Trainer.step = dying


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
