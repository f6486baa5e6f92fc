"""`ganvas train`: what it prints, what it leaves, how it continues, and how it refuses."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch

from command_line import QUICK, Command, finish, start, train_once
from ganvas.cli import main as cli_main
from ganvas.cli.view import BUDGET_USED_UP

TINY = ("--preset", "tiny", *QUICK)


def test_json_is_alone_on_stdout_and_lines_go_to_stderr(ganvas: Command) -> None:
    words = ("--steps", 4, "--samples", 50, "--checkpoint-every", 2, "--seed", 3)
    ended = ganvas("train", "gan", "--data", "digits", *words, "--json", *TINY)
    assert ended.code == 0, ended.err
    found = ended.json
    assert found.keys() == {
        "run", "method", "data", "steps", "images_seen", "seconds", "parameters", "device", "precision", "metrics",
        "doctor", "size", "waited", "phases", "next",
    }  # fmt: skip
    assert found["size"] == {"height": 28, "width": 28, "chosen": False}
    assert found["waited"] >= found["seconds"]
    assert found["next"][0] == "ganvas sample runs/gan-digits --n 16 --grid grid.png"
    assert found["doctor"]["healthy"] is None, "four steps are too few to tell"
    assert (found["run"], found["method"], found["data"]) == ("runs/gan-digits", "gan", "digits")
    assert (found["steps"], found["images_seen"]) == (4, 64)  # 16 images a step
    # G: 8 -> 32 -> 784 and D: 784 -> 32 -> 1, weights and biases.
    assert found["parameters"] == (8 * 32 + 32) + (32 * 784 + 784) + (784 * 32 + 32) + (32 + 1)
    assert found["metrics"]["FD[digits]"].keys() >= {"value", "reference", "n"}
    assert found["metrics"]["FD[digits]"]["n"] == 50
    run = Path("runs/gan-digits")
    assert (run / "report.html").is_file()
    assert json.loads((run / "settings.json").read_text())["seed"] == 3
    lines = ended.err.splitlines()
    assert lines[0] == "run runs/gan-digits"
    assert re.fullmatch(r"started gan on digits: cpu, fp32 \(as asked\), 51313 parameters", lines[1])
    assert [line for line in lines if line.startswith("saved")] == ["saved step 0", "saved step 2", "saved step 4"]
    assert lines[-1] == "finished step 4"
    row = next(line for line in lines if line.startswith("step 4 progress"))
    assert re.fullmatch(
        r"step 4 progress 100\.0% images_per_second [\d.]+ generator/loss \S+ discriminator/loss \S+", row
    )
    assert any(re.match(r"step 4 FD\[digits\] \S+ \(reference \S+\) ", line) for line in lines)


def test_a_longer_budget_goes_on_and_the_old_one_is_kept(ganvas: Command, trained: Path) -> None:
    shutil.copytree(trained, "mine")
    ended = ganvas("train", "--resume", "mine", "--samples", 0)
    assert ended.code == 0, ended.err
    assert ended.lines == [
        "mine is finished: its budget of 6 steps is used up. Train longer: ganvas train --resume mine --steps 12"
    ]
    ended = ganvas("train", "gan", "--resume", "auto", "--out", "mine", "--images", 8 * 16, "--samples", 0)
    assert ended.code == 0, ended.err
    assert "resumed step 6" in ended.lines
    assert "finished step 8" in ended.lines
    end = ended.lines.index("run     mine")
    assert ended.lines[end + 1] == "report  mine/report.html"
    assert re.fullmatch(r"time    0:\d\d all told: training 0:0\d.*", ended.lines[end + 2])
    assert ended.lines[end + 3].startswith("doctor: not enough to tell")
    assert ended.lines[end + 4 : end + 6] == ["next:", "  ganvas sample mine --n 16 --grid grid.png"]
    info = json.loads(Path("mine/settings.json").read_text())
    assert (info["preset"], info["precision"], info["budget"]["images"]) == ("tiny", "fp32", 128)


def test_resume_auto_starts_where_there_is_nothing(ganvas: Command, two_channels: Path) -> None:
    words = (
        "train",
        "gan",
        "--data",
        two_channels,
        "--steps",
        2,
        "--samples",
        0,
        "--resume",
        "auto",
        "--out",
        "new",
        *TINY,
    )
    first = ganvas(*words)
    assert first.code == 0, first.err
    assert "resumed" not in first.out
    (line,) = ganvas(*words).lines
    assert line.startswith("new is finished: its budget of 2 steps is used up.")


def test_the_advice_of_a_finished_run_can_be_followed(ganvas: Command, trained: Path) -> None:
    """Also where the folder's name has to be quoted."""
    shutil.copytree(trained, "my run's")
    (line,) = ganvas("train", "--resume", "my run's").lines
    words = shlex.split(line.partition("Train longer: ")[2])
    ended = ganvas(*words[1:], "--samples", 0)
    assert ended.code == 0 and "finished step 12" in ended.lines
    assert ganvas("train", "--resume", "my run's", "--json").json["finished"] is True


def test_what_is_missing_of_a_finished_run_is_made_anew(ganvas: Command, trained: Path) -> None:
    shutil.copytree(trained, "mine")
    for name in ("report.html", "weights.safetensors"):
        (Path("mine") / name).unlink()
        ended = ganvas("train", "--resume", "mine", "--samples", 0)
        assert ended.code == 0 and f"said step 6: {BUDGET_USED_UP}" in ended.lines
        assert (Path("mine") / name).is_file()


@pytest.mark.parametrize("name", ["dcgan", "vae", "vq_vae"])
def test_the_next_commands_run(ganvas: Command, name: str, tmp_path: Path, two_channels: Path) -> None:
    place = tmp_path / "my runs"
    run = train_once(place, name, two_channels, 2)
    end = ganvas("train", "--resume", run, "--steps", 3, "--samples", 0)
    assert end.code == 0, end.err
    commands = end.lines[end.lines.index("next:") + 1 :]
    assert any(" sample " in line for line in commands) == (name != "vq_vae")
    for command in commands:
        words = shlex.split(command)
        assert words[0] == "ganvas" and str(run) in words
        ended = ganvas(*words[1:])
        assert ended.code == 0, (command, ended.err)


def test_dry_run_shows_and_writes_nothing(ganvas: Command) -> None:
    words = ("train", "gan", "--data", "digits", "--minutes", 2, "--set", "z_dim=4", "--dry-run", *TINY)
    shown = ganvas(*words)
    assert shown.code == 0, shown.err
    assert "6630 images, 1x28x28" in shown.out
    assert re.search(r"budget +2 minutes", shown.out)
    assert re.search(r"z_dim +4\n", shown.out)
    facts = ganvas(*words, "--json").json
    assert facts["networks"]["G"] == {"layers": 2, "parameters": (4 * 32 + 32) + (32 * 784 + 784)}
    assert facts["precision"] == "fp32"
    assert not list(Path().iterdir())


def test_dry_run_says_what_a_training_takes(ganvas: Command) -> None:
    words = ("train", "gan", "--data", "digits", "--dry-run", "--samples", 64, *TINY)
    expected = ganvas(*words, "--minutes", 2, "--json").json["expected"]
    assert expected["seconds"] == pytest.approx(120, abs=1)
    assert 30 <= expected["training_seconds"] < 120
    rate = expected["images"] / expected["training_seconds"]
    assert rate == pytest.approx(expected["images_per_second"], rel=0.05)
    assert 10**8 < expected["memory_bytes"] < 10**10
    steps = ganvas(*words, "--steps", 500, "--json").json["expected"]
    assert (steps["steps"], steps["images"]) == (500, 500 * 16)
    assert steps["seconds"] > steps["training_seconds"] > 0
    assert re.search(r"expected +[\d,]+ images/s, .* all told .* of memory", ganvas(*words, "--minutes", 1).out)


def test_a_config_file_and_a_run_s_settings_start_a_training(
    ganvas: Command, trained: Path, two_channels: Path
) -> None:
    Path("wish.toml").write_text(
        f'method = "gan"\npreset = "tiny"\ndata = "{two_channels}"\nsteps = 1\nsettings.lr = 0.5\ndata_settings.mirror = true'
    )
    facts = ganvas("train", "--config", "wish.toml", "--set", "lr=0.25", "--dry-run", "--json", *QUICK).json
    assert (facts["settings"]["lr"], facts["settings"]["batch_size"], facts["budget"]["steps"]) == (0.25, 16, 1)
    assert facts["data_settings"]["mirror"] is True
    facts = ganvas("train", "--config", trained / "settings.json", "--dry-run", "--json", "--device", "cpu").json
    first = json.loads((trained / "settings.json").read_text())
    assert facts["settings"] == first["settings"]
    assert (facts["budget"], facts["precision"]) == (first["budget"], "fp32")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ["gan"],
            2,
            "--data is missing: give a folder of images, of .wav files or of text, a .zip, .npz, .npy, IDX or .txt file,"
            " or one of digits, ",
        ),
        (["gna", "--data", "digits"], 2, "unknown method gna; did you mean gan?"),
        (["cifar10"], 2, "cifar10 is data, not a method: ganvas train --data cifar10"),
        (["empty"], 2, "empty is data, not a method: ganvas train --data empty"),
        (["gan", "--data", "nowhere"], 1, "there is no data set and no path 'nowhere'"),
        (["gan", "--data", "empty"], 1, "empty is empty"),
        (["gan", "--data", "digits", "--set", "lrr=1"], 2, "unknown setting lrr; did you mean lr?"),
        (["gan", "--data", "digits", "--set", "data.fitt=1"], 2, "unknown setting data.fitt; did you mean "),
        (
            ["gan", "--data", "digits", "--set", "lr=fast"],
            2,
            "lr must be >= 0, a value of type float (got 'fast')",
        ),
        (["gan", "--data", "digits", "--preset", "tini"], 2, "gan has no preset tini; did you mean tiny?"),
        (["gan", "--data", "digits", "--steps", "0"], 2, "steps must be >= 1 (got 0)"),
        (["gan", "--data", "digits", "--minutes", "nan"], 2, "minutes must be a finite number"),
        (["gan", "--data", "digits", "--checkpoint-every", "0"], 2, "checkpoint_every must be >= 1 (got 0)"),
        (["gan", "--data", "digits", "--precision", "fp16"], 2, "precision must be one of auto, fp32, tf32, bf16"),
        (
            ["gan", "--data", "digits", "--device", "tpu"],
            2,
            "device must be auto, cpu, cuda, cuda:N, xpu, xpu:N or mps (got 'tpu')",
        ),
        (["gan", "--data", "digits", "--nproc", "0"], 2, "--nproc must be at least 1 (got 0)"),
        (["gan", "--data", "digits", "--nproc", "3"], 2, "batch_size 100 cannot be shared by 3 processes"),
        (
            ["gan", "--data", "digits", "--out", "full"],
            1,
            "full exists and is not an empty folder: choose another --out",
        ),
        (["gan", "--data", "digits", "--out", "full/file/run", "--steps", "1"], 1, "cannot make full/file/run"),
        (["gan", "--data", "digits", "--resume", "auto"], 2, "--resume auto needs --out"),
        (["--resume", "nowhere"], 1, "there is no run at nowhere: the folder does not exist"),
        (["--resume", "full"], 1, "full is not a run: it has no settings.json"),
        (["gan", "--config", "none.toml"], 1, "cannot read none.toml: No such file or directory"),
    ],
)
def test_refusals_are_one_sentence(ganvas: Command, words: list[str], code: int, message: str) -> None:
    Path("empty").mkdir()
    Path("full").mkdir()
    Path("full/file").touch()
    ended = ganvas("train", *words)
    assert ended.err.startswith(f"error: {message}"), ended.err
    assert ended.code == code
    assert ended.err.count("\n") == 1
    assert not Path("runs").exists()


def test_a_resumed_run_keeps_what_it_is(ganvas: Command, trained: Path) -> None:
    for words, message in [
        (["dcgan"], f"{trained} is a run of gan, not of dcgan"),
        (["--data", "digits"], f"{trained} was trained on "),
        (["--seed", "1"], f"{trained} was started with seed 0, not 1"),
        (["--set", "lr=1"], "a resumed run keeps its settings, and "),
        (["--set", "data.mirror=yes"], "a resumed run keeps its settings, and "),
    ]:
        ended = ganvas("train", *words, "--resume", trained)
        assert (ended.code, ended.out) == (1, "")
        assert ended.err.startswith(f"error: {message}"), ended.err
    ended = ganvas("train", "gan", "--data", "digits", "--out", trained)
    assert ended.err.startswith(f"error: {trained} already holds a run. Continue it with --resume {trained}")


def test_ctrl_c_saves_and_says_how_to_go_on() -> None:
    words = ("train", "gan", "--data", "digits", "--minutes", 5, "--samples", 0, "--out", "mine", *TINY)
    process = start(*words)
    assert process.stdout
    for line in process.stdout:  # lines come as they happen, so this ends at the first one
        if line.startswith("step "):
            break
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 130
    step = re.fullmatch(
        r"stopped at step (\d+), everything is saved. continue: ganvas train --resume mine\n", ended.err
    )
    assert step, ended.err
    assert ended.lines[-1] == f"saved step {step[1]}"


def test_two_processes_share_a_training(ganvas: Command, two_channels: Path) -> None:
    words = (
        "gan",
        "--data",
        two_channels,
        "--steps",
        5,
        "--samples",
        0,
        "--out",
        "both",
        "--set",
        "lr=0.001",
        *TINY,
    )
    ended = finish(start("train", *words, "--nproc", 2, "--json"))
    assert ended.code == 0, ended.err
    assert (ended.json["steps"], ended.json["images_seen"]) == (5, 80)
    info = json.loads(Path("both/settings.json").read_text())
    assert (info["processes"], info["settings"]["lr"]) == (2, 0.001)
    assert [line for line in ended.err.splitlines() if line.startswith("run ")] == ["run both"]


def test_without_a_method_the_default_is_trained_as_in_python(ganvas: Command) -> None:
    facts = ganvas("train", "--data", "digits", "--preset", "tiny", "--dry-run", "--json", *QUICK).json
    assert facts["method"] == "mgan"


def test_the_options_are_the_arguments_of_ganvas_train() -> None:
    """What can be asked on a command line can be asked in Python under the same name, and the other way round."""
    import inspect
    from typing import Any

    import typer.main

    import ganvas as library
    from ganvas.cli.main import app

    group: Any = typer.main.get_command(app)
    options = {parameter.name: parameter for parameter in group.commands["train"].params if parameter.name != "help"}
    flags = {name: parameter.opts[0] for name, parameter in options.items()}
    arguments = inspect.signature(library.train).parameters
    in_a_shell_only = {"config_file", "nproc", "dry_run", "json"}
    assert set(options) - in_a_shell_only - {"assignments"} == set(arguments) - {
        "settings",
        "data_settings",
        "callbacks",
    }
    for name in set(options) & set(arguments) - {"method"}:
        assert flags[name] == "--" + name.replace("_", "-")
    assert flags["assignments"] == "--set"  # settings, and data_settings as data.NAME


def test_five_frames_from_the_command_to_the_optimizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """main, train, run, step, update_once."""
    package = str(Path(cli_main.__file__).parents[1])
    depths: list[int] = []
    step = torch.optim.Adam.step

    def counted(self: torch.optim.Adam, closure: None = None) -> object:
        frame, ours = sys._getframe(), 0
        while frame is not None:
            ours += frame.f_code.co_filename.startswith(package)
            frame = frame.f_back
        depths.append(ours)
        return step(self, closure)

    monkeypatch.setattr(torch.optim.Adam, "step", counted)
    words = "train gan --preset tiny --data digits --steps 1 --samples 0 --device cpu --precision fp32 --quiet"
    with pytest.raises(SystemExit) as ended:
        cli_main.main([*words.split(), "--out", str(tmp_path / "run")])
    assert ended.value.code == 0
    # The two updates of the one step; what follows is the health check, which tries steps and takes them back.
    assert len(depths) >= 2 and max(depths[:2]) <= 5
