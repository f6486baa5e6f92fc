"""Catalogues of gettext: .po, which a person writes, and .mo, what msgfmt makes of it. They are read as data; nothing in them
runs.

Of each message its source and its translation. A plural is two: the singular with the first form, the plural with the last.
"""

from __future__ import annotations

import ast
import re
import struct
from collections.abc import Iterator

from ganvas.errors import DataError

MO_MAGIC = 0x950412DE
MAX_MESSAGES = 2**22  # of one catalogue
CONTEXT_END = b"\x04"  # between a message's context and its source in a .mo
KEYWORD = re.compile(r'(msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)\s*(".*")\s*$')

Pair = tuple[str, str]


def read_mo(content: bytes, where: str) -> list[Pair]:
    """Every message with a translation, in the file's order; DataError for a file that is damaged."""
    head = struct.Struct("<7I")
    if len(content) < head.size:
        raise DataError(f"{where} is no .mo catalogue: it has {len(content)} bytes")
    order = "<" if struct.unpack("<I", content[:4])[0] == MO_MAGIC else ">"
    magic, _, count, sources, translations = struct.unpack(f"{order}5I", content[:20])
    if magic != MO_MAGIC:
        raise DataError(f"{where} is no .mo catalogue: it begins with {content[:4].hex()}")
    if count > MAX_MESSAGES or max(sources, translations) + 8 * count > len(content):
        raise DataError(f"{where} is damaged: {count:,} messages do not fit into its {len(content):,} bytes")
    pairs: list[Pair] = []
    charset = "utf-8"
    for number in range(count):
        source = _string(content, sources + 8 * number, order, where)
        translation = _string(content, translations + 8 * number, order, where)
        if not source:  # the catalogue's own header
            charset = _charset(translation.decode("latin-1"), where)
            continue
        source = source.rpartition(CONTEXT_END)[2]
        try:
            forms = [source.decode(charset).split("\0"), translation.decode(charset).split("\0")]
        except UnicodeDecodeError as error:
            raise DataError(
                f"{where}: message {number + 1} of {count} is not {charset}, as its header says ({error.reason} at byte"
                f" {error.start} of the message)"
            ) from None
        pairs += _pairs(*forms)
    return pairs


def _string(content: bytes, place: int, order: str, where: str) -> bytes:
    length, start = struct.unpack_from(f"{order}2I", content, place)
    if start + length > len(content):
        raise DataError(f"{where} is damaged: a message ends at byte {start + length:,} of {len(content):,}")
    return content[start : start + length]


def _charset(header: str, where: str) -> str:
    found = re.search(r"charset=([\w.:-]+)", header)
    name = found[1] if found else "utf-8"
    try:
        "".encode(name)
    except LookupError:
        raise DataError(f"{where} says that it is in {name!r}, which is no encoding known here") from None
    return name


def _pairs(sources: list[str], translations: list[str]) -> list[Pair]:
    """The pairs of one message: singular with the first form, plural with the last."""
    pairs = [(sources[0], translations[0])]
    if len(sources) > 1 and len(translations) > 1:
        pairs.append((sources[1], translations[-1]))
    return [(source, translation) for source, translation in pairs if translation]


# --- .po ------------------------------------------------------------------------------------------------------


def read_po(text: str, where: str) -> list[Pair]:
    """Every message with a translation, in the file's order, without fuzzy and obsolete ones; DataError names the line that is no
    .po."""
    pairs: list[Pair] = []
    for strings, fuzzy in _messages(text, where):
        forms = [value for key, value in strings.items() if key.startswith("msgstr")]
        if fuzzy or not strings.get("msgid") or not forms:
            continue
        sources = [strings["msgid"]]
        if "msgid_plural" in strings:
            sources.append(strings["msgid_plural"])
        pairs += _pairs(sources, forms)
    return pairs


def _messages(text: str, where: str) -> Iterator[tuple[dict[str, str], bool]]:
    """The strings of each message by keyword, and whether its translation is marked as a guess."""
    strings: dict[str, str] = {}
    keyword, fuzzy, next_fuzzy = "", False, False
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            if line.startswith("#,") and "fuzzy" in line:
                next_fuzzy = True
            continue
        found = KEYWORD.match(line)
        if found:
            keyword = found[1]
            begins = keyword == "msgctxt" or (keyword == "msgid" and "msgctxt" not in set(strings) - _ended(strings))
            if begins and strings:
                yield strings, fuzzy
                strings = {}
            if begins:
                fuzzy, next_fuzzy = next_fuzzy, False
            strings[keyword] = _unquoted(found[2], number, where)
        elif line.startswith('"') and keyword:
            strings[keyword] += _unquoted(line, number, where)
        else:
            raise DataError(
                f'{where} is no .po catalogue: line {number} is neither msgid, msgstr, "text" nor a comment'
            )
    if strings:
        yield strings, fuzzy


def _ended(strings: dict[str, str]) -> set[str]:
    """All keywords where a message has its translation, so that the next msgid begins another."""
    return set(strings) if any(key.startswith("msgstr") for key in strings) else set()


def _unquoted(quoted: str, line: int, where: str) -> str:
    """A string of C as text."""
    try:
        value = ast.literal_eval(quoted)  # of one string in double quotes: the escapes of C are those of Python
    except (SyntaxError, ValueError):
        value = None
    if not isinstance(value, str):
        raise DataError(f"{where}: line {line} is no string in double quotes: {quoted[:60]}")
    return value
