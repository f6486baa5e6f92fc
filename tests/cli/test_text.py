"""Text on the command line: its card, a training, texts written and measured, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from command_line import Command, train_once
from ganvas.cli.view import _lines
from parts import words


@pytest.fixture(scope="module")
def text_run(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_once(tmp_path_factory.mktemp("text") / "run", "rnn_text", Path(words().source), 4)


def test_the_card_of_a_text(ganvas: Command, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"one \x1b[2Jtwo\r\n" * 30)
    shown = ganvas("data", path, "--set", "tokens=bytepairs", "--set", "vocabulary=16")
    assert shown.code == 0 and "first lines:\n  one \ufffd[2Jtwo" in shown.out and "\x1b" not in shown.out
    assert "30 line ends" in shown.out and "vocabulary     16" in shown.out
    card = ganvas("data", path, "--json").json
    assert card["kind"] == "text" and "example_grid" not in card
    refused = ganvas("data", path, "--out", tmp_path / "x.png")
    assert refused.code == 2 and "omit --out" in refused.err


def test_texts_are_written_as_files(ganvas: Command, text_run: Path, tmp_path: Path) -> None:
    assert ganvas("sample", text_run, "-n", 2, "--seed", 3, "--out", tmp_path / "s").code == 0
    made = [(tmp_path / "s" / f"seed00000{seed}.txt").read_text() for seed in (3, 4)]
    assert [len(text) for text in made] == [20, 20] and made[0] != made[1]
    again = ganvas("sample", text_run, "-n", 1, "--seed", 4, "--out", tmp_path / "t")
    assert again.code == 0 and (tmp_path / "t" / "seed000004.txt").read_text() == made[1]


def test_prompt_and_settings_of_sampling(ganvas: Command, text_run: Path, tmp_path: Path) -> None:
    words = ("--set", "temperature=0", "--set", "length=9", "--prompt", "the cat")
    assert ganvas("sample", text_run, "-n", 2, *words, "--out", tmp_path / "s").code == 0
    made = [(tmp_path / "s" / f"seed00000{seed}.txt").read_text() for seed in (0, 1)]
    assert made[0] == made[1] and made[0].startswith("the cat") and len(made[0]) == 16


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("--set", "lr=1"), "lr was settled by training; what can be set when rnn_text samples: length, temperature"),
        (("--set", "data.size=3"), "data.size is a setting of training data"),
        (("--set", "top_p=2"), "top_p must be >= 0 and <= 1"),
        (("--prompt", "\u20ac"), "the prompt has characters that the vocabulary lacks"),
        (("--prompt", ""), "the prompt is empty"),
        (("--prompt", "a", "--label", "b"), "--prompt and --label do not go together"),
        (("--grid", "x.png"), "texts cannot be shown as a grid"),
        (("-n", 0), "a sample needs n >= 1"),
    ],
    ids=str,
)
def test_what_cannot_be_sampled_is_told_and_nothing_written(
    ganvas: Command,
    text_run: Path,
    line: tuple[object, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = ganvas("sample", text_run, *line)
    assert ended.code in (1, 2) and said in ended.err and not list(tmp_path.iterdir())


def test_a_run_is_measured_on_its_own_text_and_on_another(ganvas: Command, text_run: Path, tmp_path: Path) -> None:
    entry = ganvas("evaluate", text_run, "--json").json["metrics"]["bits_per_character"]
    assert entry["bound_or_exact"] == "exact" and 2 < entry["value"] < 6
    other = tmp_path / "other.txt"
    other.write_text("dogs ran on a mat, and no cat sat. " * 9)
    found = ganvas("evaluate", text_run, "--data", other, "--set", "holdout=0.9", "--json").json["metrics"]
    assert found["bits_per_character"]["value"] != entry["value"]
    other.write_text("zebras " * 99)
    refused = ganvas("evaluate", text_run, "--data", other)
    assert (
        refused.code == 1
        and "characters that the vocabulary lacks" in refused.err
        and "'z' (99 of them)" in refused.err
    )
    assert "holds images" in ganvas("evaluate", text_run, "--data", "digits").err


def test_methods_and_data_of_different_kinds(ganvas: Command, tmp_path: Path) -> None:
    source = words().source
    assert "gan learns from images, and words-800 holds text" in ganvas("train", "gan", "--data", source).err
    assert "rnn_text learns from text, and digits holds images" in ganvas("train", "rnn_text", "--data", "digits").err


def test_the_terminal_shows_the_first_lines() -> None:
    console = Console(width=10, record=True, file=io.StringIO())
    shown = _lines("one\ntwelve letters\n\x1b[2Jlast\nmore", 10, 4)
    assert shown is not None
    console.print(shown)
    assert console.export_text().splitlines() == ["one", "twelve let", "ters", "\ufffd[2Jlast"]
    assert _lines("one", 10, 0) is None
