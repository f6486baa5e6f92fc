"""Two gloo ranks on one CPU against one process on the same global batch; and a rank that dies and is started again.

All cases go through one launch of torchrun, since most of its time is the import of torch.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ganvas.abilities import Restores, Translates
from ganvas.errors import UsageError
from ganvas.files import write_text
from ganvas.registry import method_names
from ganvas.run import Run
from ganvas.training.engine import start_engine
from ganvas.training.trainer import AGREE_STEPS
from parts import beneath, data_for, images, newest_state, small, train_small, weights
from worker import DIES_AT, SIGNAL_AT, STEPS

CASES = ["killed", "clock", "slow", *method_names(), "signal"]
all_methods = pytest.mark.parametrize("name", method_names())


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two ranks left all cases: of one launch, where several processes run these tests."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, said = base / "ranks", base / "ranks.txt"
    try:
        folder.mkdir()
    except FileExistsError:
        end = time.monotonic() + 500
        while not said.is_file() and time.monotonic() < end:
            time.sleep(0.2)
        assert said.is_file() and not said.read_text(), "the launch failed in another process"
        return folder
    failed = "it did not end"
    try:
        failed = launch(folder)
    finally:
        write_text(said, failed)
    assert not failed, failed
    return folder


def launch(folder: Path) -> str:
    """All cases by two ranks into `folder`. Returns the end of what torchrun said where it failed, else ""."""
    for case in CASES:
        (folder / case).mkdir()
    for name in method_names():
        beneath(small(name), data_for(name))  # its files, before both ranks would make them
    tests = Path(__file__).parents[1]
    paths = [str(tests / "helpers"), str(tests.parent / "src"), os.environ.get("PYTHONPATH", "")]
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "--max-restarts",
        "1",
    ]
    torchrun = subprocess.Popen(
        [*command, str(tests / "helpers" / "worker.py"), str(folder), *CASES],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        said = torchrun.communicate(timeout=400)[1]
    except subprocess.TimeoutExpired:
        torchrun.terminate()  # not killed: it has to end its workers first
        said = "no end after 400 s: " + torchrun.communicate(timeout=60)[1]
    return said[-4000:] or "without a word" if torchrun.returncode else ""


def ranks(folder: Path, case: str) -> list[dict[str, torch.Tensor]]:
    return [load_file(folder / case / f"rank-{rank}.safetensors") for rank in (0, 1)]


@all_methods
def test_ranks_stay_bit_equal(launched: Path, name: str) -> None:
    """Parameters at each rank, and the buffers too once they are averaged for saving."""
    one, other = ranks(launched, name)
    assert one.keys() == other.keys()
    different = [key for key in one if not torch.equal(one[key], other[key])]
    assert not different


def uses_batch_statistics(method: nn.Module) -> bool:
    """Batch norm, or rewards less their mean over the batch."""
    norms = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in method.modules())
    return norms or getattr(method, "baseline", False)


@all_methods
def test_two_ranks_equal_one_process_on_the_same_global_batch(launched: Path, name: str, tmp_path: Path) -> None:
    alone = train_small(name, tmp_path / "alone", STEPS)
    assert newest_state(alone)["feed"] == newest_state(launched / name / "run")["feed"]
    expected = {
        key.removeprefix("method."): value for key, value in alone.read_weights().items() if key.startswith("method.")
    }
    one, _ = ranks(launched, name)
    if uses_batch_statistics(alone.load_method(raw=True)):
        assert any(not torch.equal(one[key], expected[key]) for key in one), "each rank normalises its own half"
        return
    # Absolute errors and hinges have a kink, where rounding decides whether a gradient cancels.
    limit = 1e-3 if isinstance(alone.method, Translates | Restores) else 1e-5
    for key, value in expected.items():
        # Of each tensor as a whole: Adam turns the rounding of a single gradient near 0 into a move of full size. A bias that
        # began at 0 and got nowhere yet is no scale: five steps of Adam move a weight by about 0.01.
        scale = value.float().norm().clamp_min(1e-2)
        distance = (one[key] - value).float().norm() / scale
        assert distance <= limit, f"{key}: {distance:.1e}"


def test_the_lead_alone_writes(launched: Path) -> None:
    run = Run(launched / "gan" / "run")
    assert [row["step"] for row in run.log() if row.get("event") == "saved"] == [0, 2, 4, 5]
    assert run.sample(3).shape == (3, 28, 28, 1)


def test_a_killed_rank_is_started_again_and_nothing_shows(launched: Path) -> None:
    """It died in step 3; both went back to the checkpoint of step 2, and ended where undisturbed ones did."""
    run = Run(launched / "killed" / "run")
    saved = [row["step"] for row in run.log() if row.get("event") == "saved"]
    assert DIES_AT == 3 and saved == [0, 2, 4, 5]
    assert newest_state(run)["counters"] == {"steps": STEPS, "rollbacks": 0, "begun": True}
    one, other = ranks(launched, "killed")
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert weights(run) == weights(launched / "r3gan" / "run")


def test_ranks_agree_on_the_clock(launched: Path) -> None:
    """Learning rates, saving and the end all follow the time; ranks that read different clocks would part or hang."""
    run = Run(launched / "clock" / "run")
    assert len([row for row in run.log() if row.get("event") == "saved"]) >= 4
    one, other = ranks(launched, "clock")
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_ranks_agree_on_when_to_look(launched: Path) -> None:
    """That it came to its end is the test: where the lead alone knows what looking costs, the others wait for it for ever."""
    run = Run(launched / "slow" / "run")
    assert len([row for row in run.log() if row.get("event") == "finished"]) == 1


def test_a_signal_to_one_rank_stops_both_at_the_same_step(launched: Path) -> None:
    """And they agreed far more seldom than each step, so that none waits for the other in between."""
    one, other = ranks(launched, "signal")
    assert all(torch.equal(one[key], other[key]) for key in one)
    assert SIGNAL_AT <= one["steps"] <= SIGNAL_AT + AGREE_STEPS
    assert one["agreements"] < one["steps"] / 2
    saved = [row["step"] for row in Run(launched / "signal" / "run").log() if row.get("event") == "saved"]
    assert saved[-1] == one["steps"]


def test_a_batch_that_cannot_be_shared_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from ganvas.training import prepare

    monkeypatch.setattr(prepare, "start_engine", lambda *wishes: replace(start_engine("cpu", "fp32"), ranks=3))
    with pytest.raises(UsageError, match="batch_size 16 cannot be shared by 3 processes: choose a multiple of 3"):
        train_small("gan", tmp_path / "run", 1, images())


def test_several_processes_need_a_named_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UsageError, match="a training in several processes needs --out"):
        train_small("gan", None, 1, images())  # pyright: ignore
