"""Files that an attacker, or a bad disk, could hand in: pickles with code, damaged safetensors, archives that lead elsewhere,
configs with values of every wrong kind. All are made from a seed, and all are small.
"""

from __future__ import annotations

import io
import json
import os
import random
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

WRONG: tuple[Any, ...] = (
    None, True, -1, 0, 3, 10**9, 10**30, -0.5, 1e308, "", "x", "x" * 5000, "../../etc/passwd", "/etc/passwd", "\x00\n%s{}", [],
    [[[]]], [10**12], {}, {"a": {"b": None}}, ["a", 1, None],
)  # fmt: skip


def wrong_values(config: dict[str, Any], seed: int, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """(what was changed, a config) with one value of any depth replaced by a wrong one, removed, or two of them exchanged."""
    draw = random.Random(seed)
    places = list(_places(config, ()))
    for number in range(count):
        place = draw.choice(places)
        changed = json.loads(json.dumps(config))
        parent = changed
        for step in place[:-1]:
            parent = parent[step]
        name = "/".join(map(str, place))
        if number % 8 == 7 and isinstance(parent, dict):
            del parent[place[-1]]
            yield f"without {name}", changed
            continue
        value = draw.choice(WRONG)
        parent[place[-1]] = value
        yield f"{name} = {str(value)[:40]!r}", changed


def _places(node: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    items: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        items = list(node.items())
    elif isinstance(node, list):
        items = list(enumerate(node[:2]))
    for key, value in items:
        yield (*path, key)
        yield from _places(value, (*path, key))


# --- safetensors ---------------------------------------------------------------------------------------------------------------


def safetensors_of(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """A file of that header; `length` is what it says of the header's length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def damaged_safetensors(whole: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Files that are no safetensors any more, or others than they were."""
    size = struct.unpack("<Q", whole[:8])[0]
    header, data = json.loads(whole[8 : 8 + size]), whole[8 + size :]
    names = [name for name in header if name != "__metadata__"]
    draw = random.Random(seed)

    for number in (0, 1, 7, 8, 9, 20, size // 2, 8 + size, len(whole) // 2, len(whole) - 1):
        yield f"cut to {number}", whole[:number]
    for length in (0, 1, size - 1, size + 1, len(whole), 2**31, 2**62, 2**64 - 1):
        yield f"header length {length}", struct.pack("<Q", length) + whole[8:]
    yield "more bytes", whole + b"\0" * 64
    for text in (
        b"",
        b"{}",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"a": 1}',
        b'{"a": {}}',
        b'{"a": null}',
    ):
        yield f"header {text[:20]!r}", safetensors_of(text, data)

    def changed(**parts: Any) -> bytes:
        copy = json.loads(json.dumps(header))
        copy[names[0]] = {**copy[names[0]], **parts}
        return safetensors_of(copy, data)

    for offsets in ([0, 0], [0, 2**60], [-4, 4], [8, 4], [0, len(data)], [0], "0", [0.5, 4], [2**64, 2**65], None):
        yield f"offsets {offsets}", changed(data_offsets=offsets)
    for shape in ([], [0], [-1], [2**62, 4], [2**40], ["3"], 3, [1.5], [[1]], None, [1] * 5000):
        yield f"shape {str(shape)[:30]}", changed(shape=shape)
    for dtype in ("F16", "I64", "BOOL", "X9", "", 3, None, "pickle", "F64"):
        yield f"dtype {dtype}", changed(dtype=dtype)
    for name in (names[0] + "x", "", "../../x", "x" * 10_000, "__metadata__"):
        copy = {**header}
        copy[name] = copy.pop(names[0])
        yield f"renamed to {name[:20]}", safetensors_of(copy, data)
    copy = json.loads(json.dumps(header))
    if len(names) > 1:
        copy[names[1]]["data_offsets"] = copy[names[0]]["data_offsets"]
        yield "overlapping tensors", safetensors_of(copy, data)
    for number in range(60):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 1, 3, 20))):
            content[draw.randrange(min(len(content), 8 + size + 64))] = draw.randrange(256)
        yield f"random bytes {number}", bytes(content)


# --- pickles -------------------------------------------------------------------------------------------------------------------


def pickles(canary: Path) -> Iterator[tuple[str, bytes]]:
    """Pickles that make the file `canary` when they are loaded as pickles, as plain files and as torch.save writes them.

    They are written by hand, opcode by opcode, so that no pickle module is needed.
    """
    command = f"open({str(canary)!r}, 'w').close()"
    short = command.encode()
    text = b"\x8c" + bytes([len(short)]) + short if len(short) < 256 else b"X" + struct.pack("<I", len(short)) + short
    for module in ("builtins", "__builtin__"):
        for function in ("eval", "exec"):
            by_global = b"c" + f"{module}\n{function}\n".encode() + text + b"\x85R."
            yield f"{module}.{function}", b"\x80\x02" + by_global
            by_stack = (
                b"\x8c"
                + bytes([len(module)])
                + module.encode()
                + b"\x8c\x04"
                + function.encode()
                + b"\x93"
                + text
                + b"\x85R."
            )
            yield f"{module}.{function}, protocol 4", b"\x80\x04" + by_stack
    shell = f"touch {canary}".encode()
    argument = b"X" + struct.pack("<I", len(shell)) + shell
    for module in ("os", "posix", "subprocess"):
        function = "getoutput" if module == "subprocess" else "system"
        yield f"{module}.{function}", b"\x80\x02c" + f"{module}\n{function}\n".encode() + argument + b"\x85R."
    yield "INST", b"(" + argument + b"ios\nsystem\n."
    yield "inside a dict", b"\x80\x02}X\x01\x00\x00\x00acos\nsystem\n" + argument + b"\x85Rs."
    yield "BUILD", b"\x80\x02cos\nsystem\n" + argument + b"\x85R}b."
    yield "torch.load inside", b"\x80\x02ctorch\nload\n" + argument + b"\x85R."
    yield "deep", b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b"."
    yield "memo bomb", b"\x80\x02]q\x00" + b"(h\x00h\x00h\x00h\x00l0" * 20_000 + b"."
    yield "large text", b"\x80\x02X" + struct.pack("<I", 2**32 - 1) + b"a."
    yield "cut", b"\x80\x02]"


def as_torch_file(pickle: bytes) -> bytes:
    """A pickle in the archive that torch.save writes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("archive/data.pkl", pickle)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/data/0", b"\0" * 64)
    return file.getvalue()


def torch_archives() -> Iterator[tuple[str, bytes]]:
    """Archives that are no torch.save files, though they begin like one: bombs, and names that lead elsewhere."""
    for name, mode, content in [
        ("a bomb", zipfile.ZIP_DEFLATED, {"archive/data.pkl": b"\0" * 50_000_000}),
        ("names that lead elsewhere", zipfile.ZIP_STORED, {"../../data.pkl": b"\x80\x02N.", "/etc/x": b"x"}),
        ("nothing", zipfile.ZIP_STORED, {}),
        ("a text", zipfile.ZIP_STORED, {"archive/data.pkl": b"hello", "archive/version": b"3"}),
        ("many parts", zipfile.ZIP_STORED, {f"archive/data/{number}": b"" for number in range(21_000)}),
    ]:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", mode) as archive:
            for path, data in content.items():
                archive.writestr(path, data)
        yield name, file.getvalue()
        yield f"{name}, cut", file.getvalue()[: len(file.getvalue()) // 2]


def tree(folder: Path) -> set[str]:
    """Every file and folder below one, to see whether anything was written."""
    return {os.path.join(place, name) for place, folders, files in os.walk(folder) for name in (*folders, *files)}


# --- archives of images --------------------------------------------------------------------------------------------------------

NAMES = (
    "../out.png", "../../../../../../tmp/out.png", "/tmp/out.png", "a/../../out.png", "..\\out.png", "C:\\out.png",
    "//host/out.png", "a/./b/../../../out.png", "~/out.png", "a\nb.png", "\x1b[31m.png", "a" * 300 + ".png",
    "/".join("ab" * 300) + ".png", ".png", "CON.png", "../settings.json", "../../.ssh/authorized_keys", "weights.safetensors",
    "data.pkl", "\u202egnp.png",
)  # fmt: skip


def zips(png: bytes) -> Iterator[tuple[str, bytes]]:
    """Archives that lead elsewhere, are bombs, or are damaged; `png` is an image that is whole."""

    def made(members: list[tuple[str | zipfile.ZipInfo, bytes]], mode: int = zipfile.ZIP_DEFLATED) -> bytes:
        file = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(file, "w", mode) as archive:
            warnings.simplefilter("ignore")  # of equal names
            for name, content in members:
                archive.writestr(name, content)
        return file.getvalue()

    for name in NAMES:
        yield f"zip, {name[:30]!r}", made([(name, png), ("b.png", png)])
    for target in ("/etc/passwd", "../../secret", "b.png"):
        link = zipfile.ZipInfo("link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        yield f"zip, a link to {target}", made([(link, target.encode()), ("b.png", png)])
    whole = made([("a.png", png), ("b.png", png)])
    for length in (0, 4, 22, len(whole) // 2, len(whole) - 1):
        yield f"zip, cut to {length}", whole[:length]
    yield "zip, a bomb", made([("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 30_000_000), ("b.png", png)])
    yield "zip, an image of 10^10 pixels", made([("a.png", _png_of_size(100_000, 100_000)), ("b.png", png)])
    yield "zip, equal names", made([("a.png", png), ("a.png", b"x"), ("A.png", png)])
    yield "zip, an archive inside", made([("a.zip", whole), ("b.png", png)])
    yield "zip, many parts", made([(f"{number}.png", b"") for number in range(3000)], zipfile.ZIP_STORED)
    yield "zip, nothing", made([])
    yield (
        "zip, pickles",
        made(
            [
                ("data.pkl", b"cos\nsystem\n(S'touch executed'\ntR."),
                ("data.npy", b"\x93NUMPY\x01\x00v\x00{'descr': '|O'"),
            ]
        ),
    )
    yield from _random_bytes("zip", whole, seed=11)
    content = bytearray(whole)
    content[6] |= 1  # encrypted, says the local header
    yield "zip, encrypted", bytes(content)
    place = whole.index(b"PK\x01\x02")
    for name, offset, value in (
        ("method", 10, 99),
        ("CRC", 16, 0x12345678),
        ("size", 24, 2**31),
        ("offset", 42, 2**30),
    ):
        content = bytearray(whole)
        struct.pack_into("<H" if name == "method" else "<I", content, place + offset, value)
        yield f"zip, another {name}", bytes(content)


def tars(png: bytes) -> Iterator[tuple[str, bytes]]:
    """The same as tar, with links and devices."""

    def made(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as archive:
            for info, content in members:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return file.getvalue()

    def of(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        return info

    for name in NAMES:
        if "\n" not in name:
            yield f"tar, {name[:30]!r}", made([(of(name), png), (of("b.png"), png)])
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        for target in ("/etc/passwd", "../../secret", "a.png", "b.png"):
            yield f"tar, a link to {target}", made([(of("a.png", kind, target), b""), (of("b.png"), png)])
    for kind in (tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE):
        yield f"tar, a device {kind!r}", made([(of("a.png", kind), b""), (of("b.png"), png)])
    whole = made([(of("a.png"), png), (of("b.png"), png)])
    for length in (0, 100, 512, 700, len(whole) // 2):
        yield f"tar, cut to {length}", whole[:length]
    for offset in (124, 148, 156, 257):  # size, sum, type, magic
        content = bytearray(whole)
        content[offset : offset + 4] = b"\xff\xff7z"
        yield f"tar, bytes at {offset}", bytes(content)
    yield from _random_bytes("tar", whole, seed=12)
    yield "tar, an image of 10^10 pixels", made([(of("a.png"), _png_of_size(100_000, 100_000)), (of("b.png"), png)])
    yield "tar, equal names", made([(of("a.png"), png), (of("a.png"), b"x")])
    yield (
        "tar, a label that is a pickle",
        made([(of("a.png"), png), (of("a.cls"), b"cos\nsystem\n."), (of("a.json"), b"[" * 10_000)]),
    )


def _random_bytes(kind: str, whole: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    draw = random.Random(seed)
    for number in range(8):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 3, 20))):
            content[draw.randrange(min(len(content), 2000))] = draw.randrange(256)
        yield f"{kind}, random bytes {number}", bytes(content)


def _png_of_size(height: int, width: int) -> bytes:
    """A PNG that says it is of that size, of a few bytes."""
    header = struct.pack(">II5B", width, height, 8, 2, 0, 0, 0)
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, content in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b"")):
        parts.append(struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content)))
    return b"".join(parts)
