"""What README.md shows runs as it stands there, with the minutes cut to a few steps."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from ganvas.cli.main import main
from ganvas.data.media import wav_bytes
from ganvas.data.photo import Photo, write_photo

README = Path(__file__).parent.parent / "README.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def make_users_files() -> None:
    """What the commands speak of, each as small as it may be."""
    random = np.random.default_rng(0)

    def photo() -> Photo:
        return Photo(random.uniform(-1, 1, (3, 72, 80)).astype(np.float32))

    for name in ("photo.jpg", "painting.jpg", *(f"PHOTOS/{index}.png" for index in range(24))):
        write_photo(Path(name), photo())
    for index in range(24):
        place = Path(f"FOLDER_OF_WAV/{index % 2}/{index}.wav")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(wav_bytes(random.integers(-9000, 9000, 3000).astype(np.int16), 8000))
    words = ["the", "cat", "sat", "on", "a", "mat"]
    Path("book.txt").write_text(" ".join(random.choice(words, 20_000)), encoding="utf-8")


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
    exec(code.replace("minutes=5", "steps=2, measure_samples=50"), names)
    assert names["images"].shape == (64, 28, 28, 1)  # pyright: ignore[reportAttributeAccessIssue]
    assert names["real"].shape == (6630, 28, 28, 1)  # pyright: ignore[reportAttributeAccessIssue]
