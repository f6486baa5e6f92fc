"""An update is computed in one place, few calls below the session, and nobody writes a trainer's attributes from outside."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from torch.optim import SGD

import ganvas
from ganvas.cli.main import main
from ganvas.training.config import TrainConfig
from ganvas.training.prepare import prepare
from parts import image_file, images, small, train_small

SOURCE = Path(ganvas.__file__).parent
ROOT = Path(__file__).parents[2]
TRAINER = re.compile(r"\b_?trainers?\b")


def written(target: ast.expr) -> Iterator[ast.Attribute]:
    """The attributes that an assignment writes."""
    if isinstance(target, ast.Tuple | ast.List):
        for one in target.elts:
            yield from written(one)
    elif isinstance(target, ast.Starred):
        yield from written(target.value)
    elif isinstance(target, ast.Attribute):
        yield target


def outside_writes(source: str) -> list[str]:
    """What a file assigns to attributes of a trainer, or of something that a trainer holds."""
    found = []
    for node in ast.walk(ast.parse(source)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign | ast.For):
            targets = [node.target]
        elif isinstance(node, ast.With):
            targets = [item.optional_vars for item in node.items if item.optional_vars is not None]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
            found += [ast.unparse(node)] if TRAINER.search(ast.unparse(node.args[0])) else []
        for target in targets:
            found += [ast.unparse(one) for one in written(target) if TRAINER.search(ast.unparse(one.value))]
    return found


def test_only_the_trainer_writes_its_attributes() -> None:
    files = [path for folder in ("benchmarks", "examples", "tools") for path in (ROOT / folder).rglob("*.py")]
    for path in [*SOURCE.rglob("*.py"), *files]:
        if path != SOURCE / "training" / "trainer.py":
            assert outside_writes(path.read_text(encoding="utf-8")) == [], path


@pytest.mark.parametrize(
    "line",
    [
        "trainer.best = {}",
        "session.trainer.clock = time",
        "trainer.seconds, stop = 1, 2",
        "self.trainer.feed.prepared = []",
        "for trainer.steps in range(3): pass",
        "trainer.steps += 1",
        "setattr(trainer, 'steps', 1)",
    ],
)
def test_the_check_sees_each_way_to_write(line: str) -> None:
    assert len(outside_writes(line)) == 1
    assert outside_writes("self.trainer = build()\nsteps = trainer.steps") == []


Calls = set[tuple[str, ...]]


@pytest.fixture
def calls_of_a_step(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The names of our functions that were running whenever an optimizer of the method `gan` moved, innermost first."""
    seen: Calls = set()

    class Watched(SGD):
        def step(self, *arguments: Any, **more: Any) -> Any:
            names, frame = [], sys._getframe(1)
            while frame is not None:
                if Path(frame.f_code.co_filename).is_relative_to(SOURCE):
                    names.append(frame.f_code.co_name)
                frame = frame.f_back
            if "_rehearse" not in names:
                seen.add(tuple(names))
            return super().step(*arguments, **more)

    gan = type(small("gan"))
    optimizers = gan.optimizers
    monkeypatch.setattr(
        gan,
        "optimizers",
        lambda self: {
            key: Watched(optimizer.param_groups[0]["params"], lr=1e-3) for key, optimizer in optimizers(self).items()
        },
    )
    return seen


def test_few_calls_lie_between_the_session_and_the_optimiser(calls_of_a_step: Calls) -> None:
    config = TrainConfig(small("gan"), images(), out="run", steps=2, precision="fp32", device="cpu", samples=0)
    prepare(config).run()
    assert calls_of_a_step == {("update_once", "step", "run")}


def test_five_calls_lie_between_the_command_line_and_the_optimiser(calls_of_a_step: Calls) -> None:
    data = image_file((1, 28, 28))
    command = [
        "train",
        "gan",
        "--preset",
        "tiny",
        "--data",
        str(data),
        "--steps",
        "2",
        "--samples",
        "0",
        "--out",
        "run",
    ]
    with pytest.raises(SystemExit) as end:
        main([*command, "--device", "cpu", "--precision", "fp32"])
    assert not end.value.code
    assert calls_of_a_step == {("update_once", "step", "run", "train", "main")}


def test_five_calls_lie_between_python_and_the_optimiser(calls_of_a_step: Calls) -> None:
    train_small("gan", "run", 2)
    assert calls_of_a_step == {("update_once", "step", "run", "train", "checked")}  # checked names a wrong argument
