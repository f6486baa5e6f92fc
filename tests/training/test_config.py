"""TrainConfig is the one declaration of what can be asked of a training: everything else is made from it."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import ganvas
from ganvas.cli.options import with_settings_of
from ganvas.data import DataSettings
from ganvas.errors import UsageError
from ganvas.settings import setting, settings_of
from ganvas.training.config import NOT_RECORDED, TrainConfig
from ganvas.training.environment import Environment, environment

SOURCE = Path(ganvas.__file__).parent
FIELDS = {field.name for field in dataclasses.fields(TrainConfig)}
MOST = 8  # names of fields that one expression elsewhere may hold


@dataclasses.dataclass(frozen=True)
class WithOneMore(TrainConfig):
    """As if somebody had added an option."""

    warmup_every: int | None = setting(None, "Steps between two rests.", minimum=1, metavar="STEPS")


def test_no_settings_may_be_given_as_none() -> None:
    assert TrainConfig("dcgan", settings=None, data_settings=None).settings == {}  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="data_settings must be a dict of names and values"):
        TrainConfig("dcgan", data_settings=[1])  # pyright: ignore[reportArgumentType]


def test_a_new_field_is_an_option_an_argument_and_a_recorded_key() -> None:
    import typer

    given: dict[str, Any] = {}

    @with_settings_of(WithOneMore, arguments=("method",))
    def train(*, json: bool = False, **options: Any) -> None:
        given.update(options)

    app = typer.Typer()
    app.command()(train)
    ended = CliRunner().invoke(app, ["gan", "--warmup-every", "7", "--json"])
    assert ended.exit_code == 0 and (given["method"], given["warmup_every"], given["steps"]) == ("gan", 7, None)

    config = WithOneMore("gan", warmup_every=7)
    assert "warmup_every" in inspect.signature(WithOneMore).parameters
    assert config.as_dict()["warmup_every"] == 7
    assert WithOneMore.from_dict(config.as_dict()) == config
    assert config.command_line(but=()) == ["gan", "--warmup-every", "7"]
    with pytest.raises(UsageError, match=r"warmup_every must be >= 1 \(got 0\)"):
        WithOneMore(warmup_every=0)


def displays(tree: ast.AST) -> Iterator[tuple[int, set[str]]]:
    """(line, names) of every call, function and literal collection of a file: keywords, parameters and constant texts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.lineno, {word.arg for word in node.keywords if word.arg}
        elif isinstance(node, ast.FunctionDef):
            arguments = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            yield node.lineno, {one.arg for one in arguments}
        elif isinstance(node, ast.List | ast.Tuple | ast.Set | ast.Dict):
            values = [key for key in node.keys if key] if isinstance(node, ast.Dict) else node.elts
            yield node.lineno, {one.value for one in values if isinstance(one, ast.Constant) and type(one.value) is str}


def test_there_is_no_second_list_of_options() -> None:
    for path in SOURCE.rglob("*.py"):
        if path == SOURCE / "training" / "config.py":
            continue
        for line, names in displays(ast.parse(path.read_text(encoding="utf-8"))):
            assert len(names & FIELDS) <= MOST, f"{path}:{line} names {sorted(names & FIELDS)}"


def test_the_check_sees_each_kind_of_list() -> None:
    names = sorted(FIELDS)[: MOST + 1]
    for source in (
        f"f({', '.join(f'{name}=1' for name in names)})",
        f"def f({', '.join(names)}): pass",
        f"KEPT = {tuple(names)!r}",
        f"KEPT = {dict.fromkeys(names)!r}",
    ):
        assert max(len(found & FIELDS) for _, found in displays(ast.parse(source))) > MOST


def test_help_of_train_shows_the_fields() -> None:
    shown = inspect.signature(ganvas.train)
    assert list(shown.parameters) == list(inspect.signature(TrainConfig).parameters)
    assert shown.return_annotation == "Run" and ganvas.train.__name__ == "train"
    with pytest.raises(UsageError, match="train has no argument minuts; did you mean minutes"):
        ganvas.train("gan", "digits", minuts=1)  # pyright: ignore[reportCallIssue]


def test_every_setting_has_a_help_text_and_a_form_can_be_made() -> None:
    for name, known in settings_of(TrainConfig).items():
        assert known.help and known.option.startswith("--"), name
    choices = {name: known.choices for name, known in settings_of(TrainConfig).items() if known.choices}
    assert choices == {"precision": ("auto", "fp32", "tf32", "bf16"), "compile": ("auto", "on", "off")}


def test_what_is_recorded_makes_the_same_training_again() -> None:
    config = TrainConfig(
        "gan", "digits", out="run", steps=7, seed=3, device="cpu", precision="fp32", settings={"lr": 0.1},
        data_settings={"fit": "pad"}, checkpoint_every=5, samples=0, guard=True,
    )  # fmt: skip
    recorded = json.loads(json.dumps(config.as_dict()))
    assert not recorded.keys() & set(NOT_RECORDED)
    assert recorded["budget"] == {"minutes": None, "images": None, "steps": 7}
    again = TrainConfig.from_dict({**recorded, "fingerprint": "x", "device": "cuda:7"})
    assert again == dataclasses.replace(config, out=None, device="auto", guard=False)


def test_older_settings_are_read() -> None:
    """Runs of before said `compiled` only, and had no key for what was not given."""
    old = {"method": "gan", "settings": {}, "data": "digits", "data_settings": {}, "seed": 1, "budget": {"steps": 4}}
    config = TrainConfig.from_dict({**old, "precision": "fp32", "compiled": True, "spec": {}, "threads": 1})
    assert (config.steps, config.compile, config.samples) == (4, "on", None)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"seed": 2**62 + 1}, "seed must be an integer from 0 to"),
        ({"seed": -1}, "seed must be >= 0"),
        ({"samples": 1}, r"samples must be 0 \(measure nothing\) or at least 2 \(got 1\)"),
        ({"samples": -1}, "samples must be >= 0"),
        ({"minutes": 0}, r"minutes must be > 0 \(got 0\)"),
        ({"guard": "perhaps"}, "guard must be"),
        ({"out": 3}, "out must be"),
    ],
)
def test_values_are_checked_when_it_is_made(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TrainConfig(**wrong)


def test_paths_and_data_settings_become_plain() -> None:
    config = TrainConfig(data=Path("photos"), out=Path("run"), resume="auto", data_settings=DataSettings(fit="pad"))  # pyright: ignore[reportArgumentType]
    assert (config.data, config.out, config.resume) == ("photos", "run", "auto")
    assert config.data_settings["fit"] == "pad"


def test_the_command_line_of_a_config_gives_it_back() -> None:
    config = TrainConfig("gan", "my data", steps=3, samples=0, guard=True, settings={"lr": 0.1})
    assert config.command_line(but=("guard",)) == [
        "gan", "--data", "my data", "--steps", "3", "--samples", "0", "--set", "lr=0.1",
    ]  # fmt: skip


def test_the_launcher_s_variables_are_read_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RESTART_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert environment() == Environment()
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "3")
    assert environment() == Environment(rank=1, ranks=2, local_ranks=2, restarts=3, launched=True)
    for path in SOURCE.rglob("*.py"):
        texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
        if path != SOURCE / "training" / "environment.py":
            assert not texts & {"RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE"}, path
            assert not any(isinstance(text, str) and text.startswith("TORCHELASTIC_") for text in texts), path


def test_the_older_name_of_samples_is_read() -> None:
    assert TrainConfig.from_dict({"budget": {}, "measure_samples": 5}).samples == 5
    assert TrainConfig.from_dict({"budget": {}, "samples": 7}).samples == 7
