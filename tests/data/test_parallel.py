"""Parallel text: the files it comes in, what is omitted, how it is split, and what is refused."""

from __future__ import annotations

import gettext
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.data import Dataset, open_data
from ganvas.data.catalogues import read_mo, read_po
from ganvas.data.feed import examples_of, make_feed
from ganvas.data.kinds.parallel_text import lengths, pairs_of, rows_of, texts_of_rows
from ganvas.data.near_duplicates import near_duplicates, nearest, normalised, runs_of
from ganvas.errors import DataError, UsageError
from parts import held_out, sentences

PAIRS = [
    (f"the number {word} is odd", f"le nombre {word} est impair")
    for word in ["un", "deux", "trois", "quatre", "cinq", "six"]
]


def written(path: Path, pairs: list[tuple[str, str]] = PAIRS) -> Path:
    """The pairs in a file of the kind that its name says."""
    suffix = path.suffix
    if suffix == ".tsv":
        lines = [f"{one}\t{other}\ta third column" for one, other in pairs]
    elif suffix == ".csv":
        lines = ["id,target,source", *(f'{number},"{other}","{one}"' for number, (one, other) in enumerate(pairs))]
    elif suffix == ".jsonl":
        lines = [json.dumps({"source": one, "target": other}) for one, other in pairs]
    else:
        lines = [f'msgid "{one}"\nmsgstr "{other}"\n' for one, other in pairs]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def mo_bytes(messages: list[tuple[bytes, bytes]], order: str = "<") -> bytes:
    """A .mo as msgfmt lays it out."""
    messages = [(b"", b"Content-Type: text/plain; charset=UTF-8\n"), *messages]
    table = 28 + 16 * len(messages)
    heads: list[bytes] = []
    body = b""
    for side in (0, 1):
        for message in messages:
            heads.append(struct.pack(f"{order}2I", len(message[side]), table + len(body)))
            body += message[side] + b"\0"
    head = struct.pack(f"{order}7I", 0x950412DE, 0, len(messages), 28, 28 + 8 * len(messages), 0, 0)
    return head + b"".join(heads) + body


def opened(path: Path, **changes: Any) -> Dataset:
    return open_data(path, **{"pairs": "columns", "holdout": 0, "vocabulary": 60, **changes})


# --- files ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl", ".po"])
def test_the_same_pairs_from_every_kind_of_file(suffix: str, tmp_path: Path) -> None:
    data = opened(written(tmp_path / f"pairs{suffix}"))
    assert sorted(pairs_of(data)) == sorted(PAIRS)
    assert data.spec.kind == "parallel_text" and data.spec.paired and data.spec.count == 6


def test_two_aligned_files(tmp_path: Path) -> None:
    for side, name in enumerate(("en.txt", "fr.txt")):
        (tmp_path / name).write_text("\n".join(pair[side] for pair in PAIRS) + "\n", encoding="utf-8")
    data = open_data(tmp_path / "en.txt", partner=str(tmp_path / "fr.txt"), vocabulary=60, holdout=0)
    assert sorted(pairs_of(data)) == sorted(PAIRS)
    (tmp_path / "fr.txt").write_text("one line more\n" * 7)
    with pytest.raises(DataError, match=r"en.txt has 6 lines and .*fr.txt has 7: in aligned files line i"):
        open_data(tmp_path / "en.txt", partner=str(tmp_path / "fr.txt"))
    with pytest.raises(DataError, match=r"data.partner=.*nothing.txt is no file"):
        open_data(tmp_path / "en.txt", partner=str(tmp_path / "nothing.txt"))


def test_a_folder_of_several_files(tmp_path: Path) -> None:
    written(tmp_path / "a.tsv", PAIRS[:2])
    (tmp_path / "deep").mkdir()
    written(tmp_path / "deep" / "b.po", PAIRS[2:])
    (tmp_path / "README").write_text("no pairs")
    data = opened(tmp_path)
    assert sorted(pairs_of(data)) == sorted(PAIRS) and "README" in data.notes[0]
    with pytest.raises(DataError, match=r"holds no parallel text: it takes .tsv"):
        (tmp_path / "empty").mkdir()
        opened(tmp_path / "empty")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_catalogue_is_read_as_gettext_reads_it(order: str, tmp_path: Path) -> None:
    """Either byte order; the plural's last form goes with the plural; contexts are no part of the source."""
    content = mo_bytes(
        [
            (b"cat", b"chat"),
            (b"menu\x04Open", b"Ouvrir"),
            (b"%d file\0%d files", b"%d fichier\0%d fichiers"),
            (b"left", b""),
        ],
        order,
    )
    assert read_mo(content, "x.mo") == [
        ("cat", "chat"), ("Open", "Ouvrir"), ("%d file", "%d fichier"), ("%d files", "%d fichiers"),
    ]  # fmt: skip
    (tmp_path / "x.mo").write_bytes(content)
    with open(tmp_path / "x.mo", "rb") as file:
        catalogue = gettext.GNUTranslations(file)
    assert catalogue.gettext("cat") == "chat" and catalogue.pgettext("menu", "Open") == "Ouvrir"


def test_a_po_has_escapes_plurals_contexts_and_guesses() -> None:
    text = """
# a comment
msgid ""
msgstr "Content-Type: text/plain\\n"

msgctxt "menu"
msgid "Open \\"it\\"\\n"
"now"
msgstr "Ouvrez\\t"
"maintenant"

#, fuzzy, c-format
msgid "guess"
msgstr "devine"

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d fichier"
msgstr[1] "%d fichiers"

msgid "not yet"
msgstr ""

#~ msgid "gone"
#~ msgstr "parti"
msgid "é"
msgstr "e"
"""
    assert read_po(text, "x.po") == [
        ('Open "it"\nnow', "Ouvrez\tmaintenant"), ("%d file", "%d fichier"), ("%d files", "%d fichiers"), ("é", "e"),
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"x.po is no .po catalogue: line 2 is neither"):
        read_po('msgid "a"\nmsgtr "b"\n', "x.po")
    with pytest.raises(DataError, match=r"x.po: line 1 is no string in double quotes"):
        read_po('msgid "a" + "b"\n', "x.po")


def test_a_damaged_catalogue_is_refused() -> None:
    good = mo_bytes([(b"cat", b"chat"), (b"dog", b"chien")])
    with pytest.raises(DataError, match=r"x.mo is damaged: a message ends at byte"):
        read_mo(good[:-12], "x.mo")
    with pytest.raises(DataError, match=r"4,294,967,295 messages do not fit"):
        read_mo(good[:8] + b"\xff" * 4 + good[12:], "x.mo")
    with pytest.raises(DataError, match=r"x.mo is no .mo catalogue: it begins with 4d5a0000"):
        read_mo(b"MZ\0\0" + good[4:], "x.mo")
    with pytest.raises(DataError, match=r"message 2 of 3 is not UTF-8, as its header says"):
        read_mo(good.replace(b"cat\0", b"c\xe9t\0"), "x.mo")
    with pytest.raises(DataError, match=r"'klin8', which is no encoding known here"):
        read_mo(good.replace(b"=UTF-8", b"=klin8"), "x.mo")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"one\tun\ntwo\n", r"a.tsv: line 2 has 1 column, and a pair takes a sentence and its translation, with a tab"),
        ("a.txt", b"one\ntwo\n", r"a.txt: line 1 has 1 column"),
        ("a.csv", b'one,un\n"two,deux\n', r"a.csv: line \d is no CSV"),
        ("a.jsonl", b'["one", "un"]\n{"source": "two"}\n', r"a.jsonl: line 2 is no pair"),
        ("a.jsonl", b'["one", "un"]\n[1,\n', r"a.jsonl: line 2 is no JSON"),
        ("a.tsv", b"one\tun\nco\xfbt\tcost\n", r"a.tsv is not UTF-8: byte 9 \(line 2\) is 0xfb"),
        ("a.tsv", b"one\tun\n", r"has 1 pair of sentences with two sides; training needs two"),
    ],
)  # fmt: skip
def test_bad_files_are_told(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        opened(tmp_path / name)


def test_what_is_omitted_is_counted(tmp_path: Path) -> None:
    """An empty side, a repeated pair, a long one; every other pair is there, with single blanks and its no-break spaces."""
    lines = [
        "a  cat\tun chat\xa0!",
        "\t",
        "a dog\t ",
        "a cat\tun chat\xa0!",
        "qwertyuiopasdfghjklzxcvbnm" + "\tlong",
        "the end\tla\u2028fin",
    ]
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n\n", encoding="utf-8")
    data = opened(tmp_path / "a.tsv", longest=20)
    assert sorted(pairs_of(data)) == [("a cat", "un chat\xa0!"), ("the end", "la\u2028fin")]
    assert data.notes == [
        "3 of 7 pairs have an empty side and are omitted",
        "1 of 7 pairs repeat an earlier pair and are omitted",
        "1 of 7 pairs have more than data.longest=20 tokens on a side and are omitted",
    ]
    with pytest.raises(UsageError, match=r"data.vocabulary=8 leaves no room for byte pairs beside the \d+ characters"):
        opened(tmp_path / "a.tsv", vocabulary=8)
    with pytest.raises(DataError, match=r"every pair of .* has more than data.longest=1 tokens"):
        opened(tmp_path / "a.tsv", longest=1)


def test_messages_of_as_many_lines_are_paired_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "x.mo").write_bytes(mo_bytes([(b"one\n\ntwo", b"un\ndeux"), (b"a\nb", b"c"), (b"z", b"y")]))
    assert set(pairs_of(opened(tmp_path / "x.mo"))) == {("one", "un"), ("two", "deux"), ("a b", "c"), ("z", "y")}


# --- splits ---------------------------------------------------------------------------------------------------------------


def test_a_source_is_in_one_split_whatever_its_case_and_digits(tmp_path: Path) -> None:
    words = ["ant", "bee", "cow", "dog", "eel", "fox", "gnu", "hen"]
    lines = []
    for index in range(40):
        source = f"{words[index % 8]} {words[index // 8]} sees {words[(3 * index) % 7]}"
        for number, form in enumerate((source, source.upper() + "!", f"{source} .", f"{source}?")):
            lines.append(f"{form}\ttranslation {index} {number}")
    (tmp_path / "a.tsv").write_text("\n".join(lines) + "\n")
    data = opened(tmp_path / "a.tsv", holdout=0.2, vocabulary=200)
    test = held_out(data)
    train_sources = {normalised(pair[0]) for pair in pairs_of(data)}
    test_sources = {normalised(pair[0]) for pair in pairs_of(test)}
    assert len(test_sources) == 8 and len(test) == 32 and not train_sources & test_sources
    again = opened(tmp_path / "a.tsv", holdout=0.2, vocabulary=200)
    assert again.fingerprint == data.fingerprint and np.array_equal(again.examples, data.examples)


def test_near_duplicates_by_hand() -> None:
    """Runs of four characters with a blank before and after: "abcdef" has 5, "abcdefg" 6, of which 4 are common: 4 / 7."""
    assert near_duplicates(["abcdef"], ["abcdefg"], near=4 / 7).tolist() == [True]
    assert near_duplicates(["abcdef"], ["abcdefg"], near=4 / 7 + 0.01).tolist() == [False]
    assert normalised("The 12,345 Cats!") == "the 0 0 cats" and normalised("…") == "…"
    long = "a sentence that is long enough to be nearly the same as another"
    assert near_duplicates([long + " one", "something else"], [long, "third"]).tolist() == [True, False]


def test_near_duplicates_as_all_pairs_have_them() -> None:
    random = np.random.default_rng(0)
    texts = ["".join(random.choice(list("ab "), 12)) for _ in range(80)]

    def near(one: str, other: str) -> bool:
        a, b = runs_of(one), runs_of(other)
        return len(a & b) / len(a | b) >= 0.5

    expected = [any(near(one, other) for other in texts[40:]) for one in texts[:40]]
    assert 5 < sum(expected) < 35
    assert near_duplicates(texts[:40], texts[40:], near=0.5).tolist() == expected


def test_the_nearest_known_text() -> None:
    known = ["open the file", "close the window", "the the the"]
    assert nearest(["close a window", "Open file!", "zzz"], known) == [1, 0, 0]


# --- numbers and batches --------------------------------------------------------------------------------------------------


def test_rows_come_back_as_texts() -> None:
    facts = sentences().spec.text
    texts = ["the cat sat 1", "a", "dogs  on"]
    rows = rows_of(texts, facts, "x")
    assert texts_of_rows(rows, facts) == texts and rows.dtype == np.int16
    assert (rows == facts.first).sum(1).tolist() == [rows.shape[1] - size + 1 for size in lengths(rows, facts.first)]
    with pytest.raises(DataError, match=r"x has characters that the vocabulary lacks.*'€' \(1 of them\)"):
        rows_of(["the cat", "5 €"], facts, "x")


def test_an_epoch_has_every_pair_once_and_batches_of_similar_length() -> None:
    data = sentences()
    end = data.spec.text.first
    feed = make_feed(data, batch_size=12, seed=0, generator=torch.Generator().manual_seed(0))
    found, filled, total = [], 0, 0
    for _ in range(len(data) // 12):
        batch = feed.next()
        assert batch.partner is not None
        found += zip(
            texts_of_rows(batch.real.numpy(), data.spec.text),
            texts_of_rows(batch.partner.numpy(), data.spec.text),
            strict=True,
        )
        assert bool((batch.real == end).any(1).all()) and bool((batch.real[:, -2] != end).any()), (
            "cut after the longest"
        )
        filled += int((batch.real == end).sum()) - 12
        total += batch.real.numel()
    assert len(set(found)) == len(found) == len(data) // 12 * 12 and set(found) <= set(pairs_of(data))
    assert filled / total < 0.15, "rows of a batch are nearly as long as each other"


def test_two_processes_share_the_rows_of_one() -> None:
    rows = []
    for rank, ranks in ((0, 1), (0, 2), (1, 2)):
        feed = make_feed(sentences(), batch_size=8, seed=3, generator=torch.Generator(), rank=rank, ranks=ranks)
        batch = feed.next()
        for _ in range(14):
            batch = feed.next()
        rows.append((batch.real, batch.partner))
    for side in (0, 1):
        assert torch.equal(rows[0][side], torch.cat([rows[1][side], rows[2][side]]))


def test_other_data_come_in_the_vocabulary_of_the_first(tmp_path: Path) -> None:
    data = sentences()
    (tmp_path / "other.tsv").write_text("the cat\tchat le\na mat 7\t7 tapis un\nthe dogs\tchiens le\n")
    other = opened(tmp_path / "other.tsv")
    coded = other.coded_like(data.spec)
    assert coded.spec.text == data.spec.text and sorted(pairs_of(coded)) == sorted(pairs_of(other))
    (tmp_path / "other.tsv").write_text("the cat €\tchat le\na mat 7\t7 tapis un\n")
    with pytest.raises(DataError, match="has characters that the vocabulary lacks"):
        opened(tmp_path / "other.tsv").coded_like(data.spec)


def test_a_batch_of_chosen_rows() -> None:
    test = held_out(sentences())
    batch = examples_of(test, np.array([2, 0]))
    assert batch.partner is not None
    found = texts_of_rows(batch.real.numpy(), test.spec.text), texts_of_rows(batch.partner.numpy(), test.spec.text)
    assert [pair[0] for pair in pairs_of(test)][2::-2] == found[0]
    assert [pair[1] for pair in pairs_of(test)][2::-2] == found[1]


# --- own splits and the other direction -----------------------------------------------------------------------------------


def test_folders_for_training_and_testing_are_splits(tmp_path: Path) -> None:
    """Training pairs whose source is nearly a test source are omitted, and counted; test pairs all stay."""
    train = [*PAIRS, ("The cat, sat on the mat!", "le chat"), ("the dog sat on the mats", "le chien")]
    test = [("the cat sat on the mat", "le chat assis"), ("the dog sat on the mat", "le chien assis")]
    for folder, pairs in (("Train", train), ("val", test)):
        (tmp_path / folder).mkdir()
        written(tmp_path / folder / "a.tsv", pairs)
    data = opened(tmp_path, vocabulary=80)
    assert sorted(pairs_of(data)) == sorted(PAIRS)
    assert pairs_of(held_out(data)) == test
    assert data.notes == ["2 of 10 pairs have a source nearly equal to a held-out one and are omitted"]
    written(tmp_path / "Train" / "a.tsv", [test[0], test[1]])
    with pytest.raises(DataError, match="nearly one of its test part: nothing is left to train on"):
        opened(tmp_path, vocabulary=80)


def test_the_other_direction_has_the_sides_changed(tmp_path: Path) -> None:
    """And is held out by what is its source then."""
    path = written(tmp_path / "a.tsv", [(f"number {word}", "nombre") for word in "abcdef"] + PAIRS)
    data = opened(path, direction="ba", holdout=0.3)
    everything = pairs_of(data) + pairs_of(held_out(data))
    assert {(one, other) for other, one in everything} <= {*PAIRS, *((f"number {word}", "nombre") for word in "abcdef")}
    counts = [sum(source == "nombre" for source, _ in pairs_of(part)) for part in (data, held_out(data))]
    assert sorted(counts) == [0, 6]
    assert data.fingerprint != opened(path, holdout=0.3).fingerprint
