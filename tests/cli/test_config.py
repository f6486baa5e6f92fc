"""--set and --config: what is read, what beats what, and which key a message names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ganvas.cli.config import check_settings, config_of, read_assignments, read_config
from ganvas.errors import UsageError
from ganvas.training.config import TrainConfig


def written(text: str, name: str = "config.toml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


WHOLE = """
method = "gan"
data = "digits"
seed = 7
checkpoint_every = 100

[budget]
minutes = 2

[settings]
lr = 1e-3

[data_settings]
size = "30x50"
"""


def test_a_file_is_read() -> None:
    config = read_config(written(WHOLE))
    assert (config.method, config.data, config.seed, config.checkpoint_every) == ("gan", "digits", 7, 100)
    assert config.budget == {"minutes": 2.0}
    assert (config.settings, config.data_settings) == ({"lr": 1e-3}, {"size": "30x50"})


def test_the_command_line_beats_the_file() -> None:
    line = {"seed": 1, "steps": 9, "device": None, "guard": False}
    config = config_of(line, ["beta1=0.5", "data.fit=pad"], written(WHOLE))
    assert (config.method, config.seed) == ("gan", 1)
    assert config.budget == {"steps": 9}
    assert config.settings == {"lr": 1e-3, "beta1": "0.5"}
    assert config.data_settings == {"size": "30x50", "fit": "pad"}
    assert config.merged({"preset": "tiny"}).settings == {}
    assert config_of({"preset": "tiny"}, [], written(WHOLE)).settings == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metod = 'gan'", "unknown key metod; did you mean method?"),
        ("seed = 'seven'", "seed must be a value of type int | None, not the text 'seven'"),
        ("seed = 1.5", "seed must be >= 0, a value of type int | None (got 1.5)"),
        ("seed = true", "seed must be >= 0"),
        ("steps = 0", "steps must be >= 1 (got 0)"),
        ("minutes = nan", "minutes must be a finite number (got nan)"),
        ("settings.lr = inf", "settings.lr must be a finite number (got inf)"),
        ("settings = 3", "settings must be a table of names and values (got 3)"),
        ("budget.stepps = 3", "unknown key budget.stepps; did you mean steps?"),
        ("budget.steps = '3'", "budget.steps must be a value of type int | None, not the text '3'"),
        ("steps = 3\nbudget.steps = 4", "steps is given twice: as steps and as budget.steps"),
        ("data_settings.fitt = 'pad'", "unknown setting data_settings.fitt; did you mean data_settings.fit?"),
        (
            "data_settings.fit = 'pat'",
            "data_settings.fit must be one of crop, pad, stretch, tile (got 'pat'); did you mean pad?",
        ),
        ("data_settings.mirror = 'yes'", "data_settings.mirror must be a value of type bool, not the text 'yes'"),
        ("precision = 'fp16'", "precision must be one of auto, fp32, tf32, bf16 (got 'fp16')"),
        ("seed = 1\nseed = 2", "(at line 2, column 9): seed = 2"),
        ("fingerprint = 'x'", "unknown key fingerprint"),
        ("[settings", "not valid TOML"),
    ],
)
def test_toml_mistakes_name_file_and_key(text: str, message: str) -> None:
    with pytest.raises(UsageError) as told:
        read_config(written(text))
    assert str(told.value).startswith("config.toml: ")
    assert message in str(told.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"seed": 1, "seed": 2}', "config.json: seed is given twice"),
        ('{"settings": {"lr": 1, "lr": 2}}', "config.json: settings.lr is given twice"),
        ('{"settings": {"lr": NaN}}', "settings.lr must be a finite number (got nan)"),
        ('{"settings": {"deep": [{"x": 1e999}]}}', "settings.deep.0.x must be a finite number (got inf)"),
        ('{"seed": ', "config.json: not valid JSON"),
        ("[1, 2]", "config.json must hold a JSON object, and holds a list"),
        ("[" * 100_000, "config.json: tables are nested too deeply"),
    ],
)
def test_json_mistakes_name_file_and_key(text: str, message: str) -> None:
    with pytest.raises(UsageError) as told:
        read_config(written(text, "config.json"))
    assert message in str(told.value)


def test_files_that_are_none() -> None:
    Path("folder.toml").mkdir()
    Path("huge.json").write_bytes(b" " * (2**20 + 1))
    Path("latin.toml").write_bytes(b'method = "g\xe4n"')
    for name, message in [
        ("config.yaml", "--config reads .toml and .json files (got config.yaml)"),
        ("folder.toml", "--config folder.toml is not a file"),
        ("huge.json", "--config huge.json is larger than 1048576 bytes"),
        ("latin.toml", "latin.toml is not text in UTF-8"),
    ]:
        with pytest.raises(UsageError, match=message.replace("(", r"\(").replace(")", r"\)")):
            read_config(Path(name))


def test_settings_of_the_method_are_checked_by_dotted_path() -> None:
    def told(**settings: Any) -> str:
        with pytest.raises(UsageError) as error:
            file = TrainConfig("r3gan", settings=settings)
            check_settings(Path("w.toml"), file, file)
        return str(error.value)

    assert told(lrr=1).startswith("w.toml: unknown setting settings.lrr; did you mean settings.lr?")
    assert told(lr="0.1") == "w.toml: settings.lr must be a value of type float, not the text '0.1'"
    assert told(lr=-1) == "w.toml: settings.lr must be >= 0 (got -1)"
    file = TrainConfig("r3gan", settings={"lr": 1, "gamma": "auto"})
    check_settings(Path("w.toml"), file, file)


def test_a_run_s_own_settings_are_a_config(trained: Path) -> None:
    config = read_config(trained / "settings.json")
    assert (config.method, config.preset, config.seed, config.precision) == ("gan", "tiny", 0, "fp32")
    assert config.budget == {"steps": 6}
    assert config.settings["batch_size"] == 16
    assert config.device == "auto"  # not the one where that run ran
    check_settings(trained / "settings.json", config, config)


def test_assignments() -> None:
    assert read_assignments(["lr=1e-3", "data.fit=pad", "loss = a=b"]) == (
        {"lr": "1e-3", "loss": "a=b"},
        {"fit": "pad"},
    )
    for wrong, message in [
        (["lr"], r"--set takes NAME=VALUE, such as lr=0.001 or data.fit=pad \(got 'lr'\)"),
        (["=3"], "--set takes NAME=VALUE"),
        (["lr=1", "lr=2"], "--set lr is given twice: as 1 and as 2"),
        (["data.fit=pad", "data.fit=crop"], "--set data.fit is given twice"),
    ]:
        with pytest.raises(UsageError, match=message):
            read_assignments(wrong)
