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
from ganvas.training.session import prepare
from parts import images, small

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


def test_few_calls_lie_between_the_session_and_the_optimiser(monkeypatch: pytest.MonkeyPatch) -> None:
    """run, step, update_once."""
    depths: set[tuple[str, ...]] = set()

    class Watched(SGD):
        def step(self, *arguments: Any, **more: Any) -> Any:
            names, frame = [], sys._getframe(1)
            while frame is not None:
                if Path(frame.f_code.co_filename).is_relative_to(SOURCE):
                    names.append(frame.f_code.co_name)
                frame = frame.f_back
            depths.add(tuple(names))
            return super().step(*arguments, **more)

    method = small("gan")
    optimizers = type(method).optimizers
    monkeypatch.setattr(
        type(method),
        "optimizers",
        lambda self: {
            key: Watched(optimizer.param_groups[0]["params"], lr=1e-3) for key, optimizer in optimizers(self).items()
        },
    )
    session = prepare(method, images(), out="run", steps=2, precision="fp32", device="cpu", measure_samples=0)
    session.run()
    in_training = {names for names in depths if "_rehearse" not in names}
    assert in_training == {("update_once", "step", "run")}
