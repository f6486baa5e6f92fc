"""onnxruntime for browsers: the npm package onnxruntime-web of Microsoft (MIT), fetched once, checked, and kept in the cache."""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ganvas.download import DownloadError, RemoteFile, download, mirrored
from ganvas.errors import GanvasError
from ganvas.files import cache_folder, write_bytes

ONNXRUNTIME_WEB_VERSION = "1.30.0"
LICENCE = "MIT, Copyright (c) Microsoft Corporation"
PACKAGE = RemoteFile(
    f"onnxruntime-web-{ONNXRUNTIME_WEB_VERSION}.tgz",
    33_106_585,
    "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71",
)
URLS = (f"https://registry.npmjs.org/onnxruntime-web/-/{PACKAGE.name}",)
SCRIPT = RemoteFile(
    "ort.wasm.bundle.min.mjs", 73_054, "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90"
)
WASM = RemoteFile(
    "ort-wasm-simd-threaded.wasm", 14_239_897, "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
)


@dataclass(frozen=True)
class WebRuntime:
    """What a page needs of it."""

    script: str
    """JavaScript of a module, which sets the global `ort`."""
    wasm: bytes
    """WebAssembly, gzipped."""


def web_runtime(progress: Callable[[int], None] = lambda done: None) -> WebRuntime:
    """From the cache, or from the npm registry. GanvasError where neither has it."""
    folder = cache_folder() / "onnxruntime-web" / ONNXRUNTIME_WEB_VERSION
    script, wasm = folder / SCRIPT.name, folder / f"{WASM.name}.gz"
    if not (script.is_file() and wasm.is_file() and _right(script.read_bytes(), SCRIPT)):
        _fetch(folder, progress)
    packed = wasm.read_bytes()
    return WebRuntime(_with_global(script.read_text(encoding="utf-8")), packed)


def _fetch(folder: Path, progress: Callable[[int], None]) -> None:
    """Writes both files into `folder`."""
    try:
        package = download(PACKAGE, mirrored(PACKAGE, "npm", URLS), folder, progress)
    except DownloadError as error:
        raise GanvasError(
            f"a page needs onnxruntime-web {ONNXRUNTIME_WEB_VERSION}, {PACKAGE.size / 1e6:.0f} MB from the npm registry, fetched"
            f" once: {error}. Without a network, put the package's file into {folder}"
        ) from error
    with tarfile.open(package, "r:gz") as files:
        contents = {file.name: _read(files, file) for file in (SCRIPT, WASM)}
    write_bytes(folder / f"{WASM.name}.gz", gzip.compress(contents[WASM.name], 9, mtime=0))
    write_bytes(folder / SCRIPT.name, contents[SCRIPT.name])
    package.unlink()


def _read(files: tarfile.TarFile, wanted: RemoteFile) -> bytes:
    """One file of the package, into memory: nothing is unpacked by its own path."""
    member = files.extractfile(f"package/dist/{wanted.name}")
    content = b"" if member is None else member.read(wanted.size + 1)
    if not _right(content, wanted):
        raise GanvasError(f"{PACKAGE.name} does not hold {wanted.name} as it should: remove the file and try again")
    return content


def _right(content: bytes, wanted: RemoteFile) -> bool:
    return len(content) == wanted.size and hashlib.sha256(content).hexdigest() == wanted.sha256


def _with_global(module: str) -> str:
    """The module without its exports, which are put into the global `ort`: a page from disk cannot import a file."""
    found = re.search(r"export\{([^}]*)\};?", module)
    if found is None:
        raise GanvasError(f"{SCRIPT.name} has no exports: remove it from the cache and try again")
    names: list[str] = []
    for one in found.group(1).split(","):
        own, _, public = one.partition(" as ")
        if public in ("InferenceSession", "Tensor", "env"):
            names.append(f"{public}:{own}")
    script = module[: found.start()] + f"globalThis.ort={{{','.join(names)}}};" + module[found.end() :]
    return re.sub(r"//# sourceMappingURL=\S*", "", script)
