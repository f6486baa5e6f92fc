"""Text as data: what is read, what is refused and why, what is held out, and in which vocabulary."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganvas.data import Dataset, open_data, text
from ganvas.data.text import decoded
from ganvas.data.tokens import decode, encode
from ganvas.errors import DataError, UsageError


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def whole(data: Dataset) -> str:
    parts = [data.part("train"), data.part("test")]
    return "".join(decode(part.examples, data.spec.text.tokens) for part in parts if part is not None)


def test_characters_in_their_order(tmp_path: Path) -> None:
    data = open_data(written(tmp_path / "a.txt", "abcabcabca" * 3))
    assert data.spec.kind == "text" and data.spec.text.tokens == ("a", "b", "c") and data.spec.text.merges == ()
    assert len(data) == 27 and data.examples[:7].tolist() == [0, 1, 2, 0, 1, 2, 0]
    held = data.part("test")
    assert held is not None and decode(held.examples, data.spec.text.tokens) == "bca", "the last tenth is held out"
    with pytest.raises(ValueError, match="read-only"):
        data.examples[0] = 1


def test_the_vocabulary_is_of_the_whole_text_and_merges_of_the_training_part(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "ab" * 90 + "zy" * 10)
    data = open_data(path, tokens="bytepairs", vocabulary=5)
    assert data.spec.text.tokens[:4] == ("a", "b", "y", "z") and data.spec.text.merges == ((0, 1),)
    held = data.part("test")
    assert held is not None and held.examples.tolist() == [3, 2] * 10, "zy is a pair of the held-out part"
    assert whole(data) == "ab" * 90 + "zy" * 10


def test_line_ends_and_marks_are_put_right_and_told(tmp_path: Path) -> None:
    data = open_data(written(tmp_path / "a.txt", b"\xef\xbb\xbfone\r\ntwo\rthree\n"), holdout=0)
    assert whole(data) == "one\ntwo\nthree\n"
    changed = data.card()["changed"]
    assert "byte order mark" in changed[0] and "2 line ends" in changed[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"good\nbad \xff\xfe", r"a\.txt is not UTF-8: byte 9 \(line 2\) is 0xff"),
        (b"caf\xe9 au lait", r"byte 3 \(line 1\) is 0xe9"),
        ("h\u00e9".encode()[:2], r"byte 1 \(line 1\) is 0xc3"),
        (b"a\n\nb\0", r"byte 4 \(line 3\) is NUL"),
        ("plain".encode("utf-16-le"), r"byte 1 \(line 1\) is NUL. If it is UTF-16"),
        (b"", "the file is empty"),
        (b" \n\t\n", "nothing but blanks"),
        (b"\xef\xbb\xbf", "nothing but blanks"),
        (b"x", "has 1 character to train on"),
    ],
)
def test_what_is_no_text_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        open_data(written(tmp_path / "a.txt", content))


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MAX_TEXT_BYTES", 2**20)
    for name in "ab":
        written(tmp_path / "many" / f"{name}.txt", "x" * 600_000)
    assert len(open_data(tmp_path / "many" / "a.txt", holdout=0)) == 600_000
    with pytest.raises(DataError, match=r"b\.txt makes this more than 1 MiB of text"):
        open_data(tmp_path / "many")


def test_one_giant_line_and_strange_signs(tmp_path: Path) -> None:
    content = "\u4e2d\u6587\U0001f600" * 30_000 + "\x1b[2J"
    data = open_data(written(tmp_path / "a.txt", content), tokens="bytepairs", vocabulary=40)
    assert whole(data) == content and "\u4e2d\u6587" in data.spec.text.tokens


def test_a_file_is_text_by_name_or_by_content(tmp_path: Path) -> None:
    assert open_data(written(tmp_path / "script.py", "print(1)\n" * 9)).spec.kind == "text"
    assert open_data(written(tmp_path / "README", "\u00e9" * 70_000)).spec.kind == "text"
    with pytest.raises(DataError, match="is of no kind that is read here"):
        open_data(written(tmp_path / "x.bin", b"\x00\x01\x02" * 9))


def test_folders_of_text(tmp_path: Path) -> None:
    """Joined by name, each ending its line; train and test are splits; an image makes it a folder of images."""
    written(tmp_path / "b.txt", "second")
    written(tmp_path / "a.md", "first")
    written(tmp_path / ".hidden.txt", "never")
    written(tmp_path / "deep" / "c.txt", "third\n")
    assert whole(open_data(tmp_path, holdout=0)) == "first\nsecond\nthird\n"
    split = tmp_path / "split"
    written(split / "train" / "a.txt", "abab")
    written(split / "test" / "a.txt", "ba!")
    data = open_data(split)
    assert len(data) == 4 and whole(data) == "ababba!" and data.spec.text.tokens == ("!", "a", "b")
    written(tmp_path / "x.png", b"no image")
    with pytest.raises(DataError, match="images"):
        open_data(tmp_path)


def test_settings_of_another_kind_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.txt", "some words " * 9)
    with pytest.raises(UsageError, match=r"data\.size is about images, and a is text"):
        open_data(path, size=32)
    with pytest.raises(UsageError, match=r"data\.tokens is about text, and digits is images"):
        open_data("digits", tokens="bytepairs")
    with pytest.raises(UsageError, match=r"data\.vocabulary is for data\.tokens=bytepairs"):
        open_data(path, vocabulary=100)
    with pytest.raises(DataError, match="vocabulary=6 leaves no room for byte pairs beside the 8 characters"):
        open_data(path, tokens="bytepairs", vocabulary=6)


def test_fingerprints_are_of_text_and_tokens(tmp_path: Path) -> None:
    def of(content: str, **settings: Any) -> str:
        return open_data(written(tmp_path / "a.txt", content), **settings).fingerprint

    words = "some words more words " * 9
    same = of(words)
    assert of(words) == same
    assert len({same, of(words + "."), of(words, tokens="bytepairs", vocabulary=20), of(words, holdout=0.2)}) == 4


def test_another_text_in_the_same_vocabulary(tmp_path: Path) -> None:
    learned = open_data(written(tmp_path / "a.txt", "abab cd " * 50), tokens="bytepairs", vocabulary=9)
    other = open_data(written(tmp_path / "b.txt", "dcba abab " * 9))
    again = other.coded_like(learned.spec)
    assert again.spec.text.tokens == learned.spec.text.tokens and whole(again) == "dcba abab " * 9
    assert len(again) < len(other), "in byte pairs"
    strange = open_data(written(tmp_path / "c.txt", "abxy\u20acx" * 9))
    with pytest.raises(DataError, match=r"characters that the vocabulary lacks.*'x' \(18 of them\), 'y' \(9 of them\)"):
        strange.coded_like(learned.spec)


def test_the_card(tmp_path: Path) -> None:
    card = open_data(written(tmp_path / "a.txt", "ab\n" * 30)).card()
    assert card["kind"] == "text" and card["counts"] == {"train": 81, "test": 9}
    assert card["vocabulary"] == 3 and card["first_lines"] == ["ab"] * 8 and card["lines"]["train"] == 27
    assert card["entropy"] == pytest.approx(math.log2(3), abs=1e-4)


def test_decoding_is_of_bytes() -> None:
    assert decoded(b"a\r\nb", "here") == ("a\nb", ["1 line ends of \\r\\n or \\r were made \\n"])
    assert encode("ba", ("a", "b"), (), "x").tolist() == [1, 0]
    assert len(encode("", ("a", "b"), (), "x")) == 0


def test_tokens_are_numbers_that_torch_reads(tmp_path: Path) -> None:
    assert open_data(written(tmp_path / "a.txt", "ab" * 20)).examples.dtype == np.int16
