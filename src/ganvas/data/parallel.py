"""Parallel text: sentences and their translations, read from files, split and coded.

en.txt with data.partner=fr.txt     aligned files: line i of one is the translation of line i of the other
pairs.tsv  pairs.csv  pairs.jsonl   the first two columns; or those named source and target. Any other file: columns between tabs
app.po  app.mo                      gettext catalogues: each message and its translation
folder/                             all files of these kinds in it
train/a.tsv test/b.tsv              folders named train and test (or val, valid) are splits

Tables and folders are taken so with data.pairs=columns, which a method of parallel text sets by itself.

A sentence has no line breaks: where the two sides of a message have as many lines, each line is a pair; else blanks take their
place. Pairs with an empty side, repeated ones, and those longer than data.longest tokens on a side are omitted, and the data
card counts them. Held out by source sentence: all pairs of a source are in one split, whatever its case, digits and
punctuation; training pairs whose source is a near-duplicate of a held-out one are omitted too, also where the test split has
files of its own. With data.direction=ba the sides change places as soon as they are read.
"""

from __future__ import annotations

import collections
import csv
import dataclasses
import itertools
import re
from collections.abc import Sequence
from pathlib import Path

from ganvas.data import bytepairs, tokens
from ganvas.data.catalogues import Pair, read_mo, read_po
from ganvas.data.dataset import Dataset, datasets_of
from ganvas.data.file_kinds import CATALOGUES, TABLES
from ganvas.data.kinds.parallel_text import coded
from ganvas.data.near_duplicates import near_duplicates, normalised
from ganvas.data.passed_over import groups
from ganvas.data.settings import DataSettings
from ganvas.data.source import hold_out, name_keys
from ganvas.data.text import MAX_FILES, MAX_TEXT_BYTES, Splits, bytes_of, decoded, splits_by_folder, walk
from ganvas.errors import DataError, UsageError
from ganvas.files import parse_json

COLUMN_NAMES = ("source", "target")
BLANKS = re.compile(r"[ \t\n\r\f\v]+")  # not the no-break space, which French has before signs
MAX_PAIRS = 2_000_000


@dataclasses.dataclass(frozen=True)
class ParallelSource:
    """Files of parallel text, by split; nothing is read yet. `targets` is the second of two aligned files. `ignored` are the
    other files of a folder."""

    name: str
    source: str
    files: Splits
    targets: Path | None = None
    ignored: tuple[str, ...] = ()


@dataclasses.dataclass
class Counts:
    """What became of the pairs that were read."""

    read: int = 0
    empty: int = 0
    repeated: int = 0
    too_long: int = 0
    near_duplicates: int = 0

    def notes(self, longest: int) -> list[str]:
        """A sentence for each reason to omit a pair."""
        reasons = {
            "have an empty side": self.empty,
            "repeat an earlier pair": self.repeated,
            f"have more than data.longest={longest} tokens on a side": self.too_long,
            "have a source nearly equal to a held-out one": self.near_duplicates,
        }
        return [f"{count:,} of {self.read:,} pairs {why} and are omitted" for why, count in reasons.items() if count]


# --- which files ----------------------------------------------------------------------------------------------


def of_folder(path: Path, name: str) -> ParallelSource:
    """All catalogues and tables in a folder; DataError where there are none."""
    ignored: list[str] = []
    files = list(itertools.islice(walk(path, ignored), MAX_FILES + 1))
    if len(files) > MAX_FILES:
        raise DataError(f"{path} holds more than {MAX_FILES:,} files: join them into fewer")
    known = [file for file in files if file.suffix.lower() in CATALOGUES | TABLES]
    if not known:
        raise DataError(
            f"{path} holds no parallel text: it takes .tsv, .csv, .jsonl, .po or .mo files, or two aligned files by --data FILE"
            " --set data.partner=FILE"
        )
    ignored += [file.relative_to(path).as_posix() for file in files if file not in set(known)]
    return ParallelSource(
        name, str(path.resolve()), splits_by_folder(path, sorted(known, key=Path.as_posix)), ignored=tuple(ignored)
    )  # fmt: skip


def of_file(path: Path, name: str) -> ParallelSource:
    """One catalogue or table as a source."""
    return ParallelSource(name, str(path.resolve()), {"train": (path,)})


def aligned(source: Path, target: Path, name: str) -> ParallelSource:
    """Two files whose lines belong together."""
    if not target.is_file():
        raise DataError(f"data.partner={target} is no file; the translations of {source} are a file of as many lines")
    return ParallelSource(name, str(source.resolve()), {"train": (source,)}, target)


# --- reading --------------------------------------------------------------------------------------------------


def read(source: ParallelSource, split: str, notes: list[str]) -> list[Pair]:
    """The pairs of all files of a split in order; what was changed while reading is added to `notes`."""
    files = source.files[split]
    left = MAX_TEXT_BYTES
    if source.targets is not None:
        sides: list[list[str]] = []
        for path in (files[0], source.targets):
            text, size = _text(path, left, notes)
            left -= size
            sides.append(_lines(text))
        return _zipped(sides[0], sides[1], files[0], source.targets)
    pairs: list[Pair] = []
    for path in files:
        suffix = path.suffix.lower()
        if suffix == ".mo":
            content = bytes_of(path, left)
            left -= len(content)
            pairs += _in_lines(read_mo(content, str(path)))
            continue
        text, size = _text(path, left, notes)
        left -= size
        if suffix == ".po":
            pairs += _in_lines(read_po(text, str(path)))
        else:
            pairs += {".csv": _csv, ".jsonl": _jsonl}.get(suffix, _tsv)(text, str(path))
        if len(pairs) > MAX_PAIRS:
            raise DataError(f"{source.source} holds more than {MAX_PAIRS:,} pairs: take a part of them")
    return pairs


def _text(path: Path, left: int, notes: list[str]) -> tuple[str, int]:
    content = bytes_of(path, left)
    text, changed = decoded(content, str(path))
    notes += [f"{path.name}: {change}" for change in changed]
    return text, len(content)


def _lines(text: str) -> list[str]:
    """The lines; the end of the last one begins no other."""
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _zipped(sources: list[str], targets: list[str], one: Path, other: Path) -> list[Pair]:
    if len(sources) != len(targets):
        raise DataError(
            f"{one} has {len(sources):,} lines and {other} has {len(targets):,}: in aligned files line i of one is the"
            " translation of line i of the other. Find where they part, or put the pairs into one .tsv"
        )
    return list(zip(sources, targets, strict=True))


def _in_lines(messages: list[Pair]) -> list[Pair]:
    """Line by line, where both sides have as many lines that are not blank."""
    pairs: list[Pair] = []
    for sides in messages:
        lines = [[line for line in side.split("\n") if line.strip()] for side in sides]
        if len(lines[0]) == len(lines[1]) > 1:
            pairs += zip(lines[0], lines[1], strict=True)
        else:
            pairs.append(sides)
    return pairs


def _columns(rows: Sequence[tuple[int, Sequence[str]]], where: str, between: str) -> list[Pair]:
    """The columns of rows (line, cells): those that the first row names, else the first two."""
    first, second, start = 0, 1, 0
    names = [cell.strip().casefold() for cell in rows[0][1]] if rows else []
    if all(name in names for name in COLUMN_NAMES):
        first, second, start = names.index("source"), names.index("target"), 1
    pairs: list[Pair] = []
    for line, cells in rows[start:]:
        if len(cells) == 0 or (len(cells) == 1 and not cells[0].strip()):
            pairs.append(("", ""))
            continue
        if len(cells) <= max(first, second):
            raise DataError(
                f"{where}: line {line} has {len(cells)} column{'s' * (len(cells) != 1)}, and a pair takes a sentence and its"
                f" translation, with {between} between: {cells[0][:60]!r}"
            )
        pairs.append((cells[first], cells[second]))
    return pairs


def _tsv(text: str, where: str) -> list[Pair]:
    rows = [(number, line.split("\t")) for number, line in enumerate(_lines(text), 1)]
    return _columns(rows, where, "a tab")


def _csv(text: str, where: str) -> list[Pair]:
    reader = csv.reader(text.split("\n"), strict=True)
    rows: list[tuple[int, Sequence[str]]] = []
    try:
        for cells in reader:
            rows.append((reader.line_num, cells))
    except csv.Error as error:
        raise DataError(f"{where}: line {reader.line_num} is no CSV: {error}") from None
    return _columns(rows, where, "a comma")


def _jsonl(text: str, where: str) -> list[Pair]:
    pairs: list[Pair] = []
    for number, line in enumerate(_lines(text), 1):
        if not line.strip():
            pairs.append(("", ""))
            continue
        try:
            value = parse_json(line)
        except ValueError as error:
            raise DataError(f"{where}: line {number} is no JSON: {error}") from None
        sides = [value.get(name) for name in COLUMN_NAMES] if isinstance(value, dict) else value
        if not isinstance(sides, list) or len(sides) < 2 or not all(isinstance(side, str) for side in sides[:2]):
            raise DataError(
                f'{where}: line {number} is no pair: it takes {{"source": "...", "target": "..."}}, or an array of two texts'
            )
        pairs.append((str(sides[0]), str(sides[1])))
    return pairs


# --- data sets ------------------------------------------------------------------------------------------------


def datasets(source: ParallelSource, settings: DataSettings) -> dict[str, Dataset]:
    """Every split of the source as token numbers: examples (N, S) and partners (N, T), int16."""
    changed: list[str] = []
    counts = Counts()
    parts = {split: _turned(read(source, split, changed), settings.direction) for split in source.files}
    pairs = _cleaned(parts["train"], counts)
    if len(pairs) < 2:
        raise DataError(
            f"{source.source} has {len(pairs)} pair{'s' * (len(pairs) != 1)} of sentences with two sides; training needs two at"
            " least, and thousands to be of use"
        )
    if "test" in parts:
        splits = _apart(pairs, _cleaned(parts["test"], counts), counts)
    else:
        splits = _split(pairs, settings.holdout, counts)
    if not splits["train"]:
        raise DataError(f"every source of {source.source} is nearly one of its test part: nothing is left to train on")

    # A vocabulary for both sides: every character, and byte pairs of the training part.
    texts = {name: [side for pair in part for side in pair] for name, part in splits.items()}
    characters = tokens.characters_of(["\n ", *itertools.chain(*texts.values())], source.source)
    if settings.vocabulary <= len(characters):
        raise UsageError(
            f"data.vocabulary={settings.vocabulary} leaves no room for byte pairs beside the {len(characters)} characters of"
            f" {source.source}: raise it"
        )
    pieces: collections.Counter[str] = collections.Counter()
    for text in texts["train"]:
        pieces.update(bytepairs.pieces_of(f" {text}"))
    merges = tuple(bytepairs.learn(pieces, tokens.numbered(characters), settings.vocabulary))
    vocabulary = bytepairs.texts_of(characters, merges)

    in_numbers = coded(source.name, source.source, splits, vocabulary, merges, settings.longest, changed)
    counts.too_long = sum(part.facts["too_long"] for part in in_numbers.values())
    if not len(in_numbers["train"].examples):
        raise DataError(
            f"every pair of {source.source} has more than data.longest={settings.longest} tokens on a side: raise it"
        )
    facts: dict[str, object] = {"notes": counts.notes(settings.longest)}
    if source.ignored:
        facts["passed_over"] = groups(source.ignored, CATALOGUES | TABLES)
    found = {}
    for name, part in in_numbers.items():
        if len(part.examples):
            found[name] = part._replace(facts={**part.facts, **facts, "too_long": counts.too_long})
    return datasets_of(found, source.source, settings)


def _turned(pairs: list[Pair], direction: str) -> list[Pair]:
    """With the sides changed for `direction` ba."""
    if direction == "ab":
        return pairs
    return [(target, source) for source, target in pairs]


def _cleaned(pairs: list[Pair], counts: Counts) -> list[Pair]:
    """With single blanks, without pairs that have an empty side or were there before."""
    counts.read += len(pairs)
    kept: dict[Pair, None] = {}
    for source, target in pairs:
        pair = BLANKS.sub(" ", source).strip(" "), BLANKS.sub(" ", target).strip(" ")
        if not pair[0].strip() or not pair[1].strip():
            counts.empty += 1
        elif pair in kept:
            counts.repeated += 1
        else:
            kept[pair] = None
    return list(kept)


def _split(pairs: list[Pair], share: float, counts: Counts) -> dict[str, list[Pair]]:
    """Held out by normalised source; training pairs that are near-duplicates of held-out ones are omitted. In an order that
    follows
    from the sources alone."""
    groups_of: dict[str, list[Pair]] = collections.defaultdict(list)
    for pair in pairs:
        groups_of[normalised(pair[0])].append(pair)
    names = sorted(groups_of)
    train_rows, test_rows = hold_out(name_keys(names), None, share)
    if not len(test_rows):
        return {"train": [pair for row in train_rows for pair in groups_of[names[row]]]}
    train = [pair for row in train_rows for pair in groups_of[names[row]]]
    test = [pair for row in test_rows for pair in groups_of[names[row]]]
    return _apart(train, test, counts)


def _apart(train: list[Pair], test: list[Pair], counts: Counts) -> dict[str, list[Pair]]:
    """Both parts, without the training pairs whose source is, or nearly is, one of the test part."""
    sources = list(dict.fromkeys(normalised(pair[0]) for pair in train))
    held_out = list(dict.fromkeys(normalised(pair[0]) for pair in test))
    taken = set(held_out)
    for source, is_near in zip(sources, near_duplicates(sources, held_out).tolist(), strict=True):
        if is_near:
            taken.add(source)
    kept = [pair for pair in train if normalised(pair[0]) not in taken]
    counts.near_duplicates += len(train) - len(kept)
    return {"train": kept, "test": test} if test else {"train": kept}
