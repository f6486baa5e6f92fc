"""What files say of their making: nothing personal, and nothing that a stranger's file could do with it."""

from __future__ import annotations

import json
import shlex
import socket

import pytest

from ganvas.provenance import KEYWORD, MAX_CHARACTERS, Provenance, from_text

DIGEST = "0123456789abcdef" * 4
MADE = Provenance(
    "sample", run="first run", method="r3gan", weights=DIGEST, seed=42, options={"label": "cat", "raw": True},
    settings={"temperature": 0.8},
)  # fmt: skip


def test_the_text_comes_back() -> None:
    assert from_text(MADE.text()) == MADE
    assert MADE.text().isascii() and "\n" not in MADE.text()
    assert json.loads(MADE.text())[KEYWORD] == MADE.version


def test_the_command_line_makes_it_again() -> None:
    assert shlex.split(MADE.command_line()) == [
        "ganvas", "sample", "first run", "--n", "1", "--seed", "42", "--label", "cat", "--raw", "--set", "temperature=0.8",
    ]  # fmt: skip
    assert MADE.needs() == [f"the run first run of r3gan with the weights of SHA-256 {DIGEST}"]
    stylised = Provenance(
        "stylise", method="gatys", weights=DIGEST, seed=0, inputs=("me.png",), options={"style": ("a b.jpg", "c.jpg"), "size": 64}
    )  # fmt: skip
    assert shlex.split(stylised.command_line()) == [
        "ganvas", "stylise", "me.png", "--seed", "0", "--style", "a b.jpg", "--style", "c.jpg", "--size", "64", "--out",
        "out.png",
    ]  # fmt: skip
    assert stylised.needs() == [f"weights of SHA-256 {DIGEST}", "the file me.png", "the file a b.jpg", "the file c.jpg"]
    edited = Provenance("edit", run="a", seed=3, options={"interpolate": (3, 9), "steps": 4})
    assert edited.command_line() == "ganvas edit a --interpolate 3 9 --steps 4 --out out.png"
    grid = Provenance("train", run="a", method="gan", seed=0, step=400, options={"n": 64, "grid": True})
    assert grid.command_line() == "ganvas sample a --seed 0 --n 64 --grid grid.png"
    assert grid.needs()[0].endswith("those of step 400")


def test_no_path_user_or_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "canaryuser")
    monkeypatch.setattr(socket, "gethostname", lambda: "canary-host.example.org")
    made = Provenance(
        "stylise", run="/home/canaryuser/runs/gan-canaryuser", inputs=("C:\\Users\\canaryuser\\me.png", "/tmp/secret/x.png"),
        options={"style": ("/tmp/secret/canary-host.png",), "label": "CanaryUser's", "other": "~/secret/y.png"},
    )  # fmt: skip
    text = made.text()
    for word in ("canaryuser", "CanaryUser", "canary-host", "secret", "/", "\\", "Users"):
        assert word not in text, (word, text)
    assert json.loads(text)["run"] == "gan-user" and json.loads(text)["inputs"] == ["me.png", "x.png"]
    monkeypatch.setenv("LOGNAME", "gan")
    assert '"method":"r3gan"' in MADE.text(), "a name within another word stays"


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "ganvas", '{"ganvas": 1}', '{"other": "0.1"}', '{"ganvas": "1", "x": ' + "9" * 5000 + "}",
        '{"ganvas": "1", "x": ' + "[" * 8000 + "]" * 8000 + "}", '{"ganvas": "' + "x" * MAX_CHARACTERS + '"}',
    ],
)  # fmt: skip
def test_texts_that_are_none_of_ours(text: str) -> None:
    assert from_text(text) is None


def test_whatever_a_text_holds_is_short_plain_and_typed() -> None:
    hostile = {
        "ganvas": "9\x1b[31m", "command": "sample; rm -rf ~", "run": "../../etc/passwd", "method": ["x"], "weights": "A" * 64,
        "seed": -1, "step": True, "inputs": ["/etc/shadow", 3, "\u202ex"],
        "options": {"out; rm": 1, "label": "x\n\x07y", "n": {"deep": 1}, "list": [1, None, [2]], "big": "z" * 5000},
        "settings": {"temperature": float("inf"), "guidance": float("nan"), "k": 2},
    }  # fmt: skip
    made = from_text(json.dumps(hostile))
    assert made is not None
    assert made == Provenance(
        run="passwd", inputs=("shadow", "", "x"), version="9[31m",
        options={"label": "xy", "list": (1,), "big": "z" * 1000}, settings={"k": 2},
    )  # fmt: skip
    quoted = Provenance("sample", run="$(touch x)", options={"label": "`id`"}).command_line()
    assert quoted == "ganvas sample '$(touch x)' --n 1 --label '`id`'"
    many = from_text(json.dumps({"ganvas": "1", "options": {f"o{i}": i for i in range(1000)}}))
    assert many is not None and len(many.options) == 200
