"""What README.md shows runs as it stands there, with the minutes cut to a few steps."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from ganvas.cli.main import main
from users_files import make_users_files

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_commands(capsys: pytest.CaptureFixture[str]) -> None:
    make_users_files()
    lines = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("ganvas ")]
    assert len(lines) >= 5
    for line in lines:
        short = line.replace("--minutes 5", "--steps 2 --samples 50").replace("--preset small", "--preset tiny")
        words = shlex.split(short, comments=True)[1:]
        words += {
            "evaluate": ["--samples", "50"],
            # The other feature networks are not in the package.
            "stylise": ["--network", "digits", "--set", "steps=2"],
        }.get(words[0], [])
        try:
            main(words)
        except SystemExit as end:
            assert not end.code, f"{line}: {capsys.readouterr().err}"
    assert Path("digits.png").is_file() and Path("runs/digits/report.html").is_file()


def test_python() -> None:
    (code,) = blocks("python")
    names: dict[str, object] = {}
    exec(code.replace("minutes=5", "steps=2, samples=50"), names)
    assert names["images"].shape == (64, 28, 28, 1)  # pyright: ignore[reportAttributeAccessIssue]
    assert names["real"].shape == (6630, 28, 28, 1)  # pyright: ignore[reportAttributeAccessIssue]
