"""The package of the npm registry, as a server of our own gives it: what is not the right file is not used."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from ganvas.download import RemoteFile
from ganvas.errors import GanvasError
from ganvas.export import web_runtime as module

SCRIPT = (
    b"const a=1,b=2,c=3;export{a as InferenceSession,b as Tensor,c as env,a as default};\n//# sourceMappingURL=x.map\n"
)
WASM = b"\0asm wasm"


def remote(name: str, content: bytes) -> RemoteFile:
    return RemoteFile(name, len(content), hashlib.sha256(content).hexdigest())


def package(**contents: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as files:
        for name, content in contents.items():
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(content)
            files.addfile(info, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in place of the registry, and an empty cache."""
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "SCRIPT", remote("s.mjs", SCRIPT))
    monkeypatch.setattr(module, "WASM", remote("w.wasm", WASM))
    return tmp_path


def serve(registry: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    place = registry / "package.tgz"
    place.write_bytes(content)
    monkeypatch.setattr(module, "PACKAGE", remote("package.tgz", content))
    monkeypatch.setattr(module, "URLS", (place.as_uri(),))


def test_the_right_files_are_kept(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(registry, monkeypatch, package(**{"s.mjs": SCRIPT, "w.wasm": WASM, "../../evil": b"x"}))
    runtime = module.web_runtime()
    assert runtime.script.startswith("const a=1,b=2,c=3;globalThis.ort={InferenceSession:a,Tensor:b,env:c};")
    assert "export" not in runtime.script and "sourceMappingURL" not in runtime.script
    assert gzip.decompress(runtime.wasm) == WASM
    folder = registry / "cache" / "onnxruntime-web" / module.ONNXRUNTIME_WEB_VERSION
    assert sorted(one.name for one in folder.iterdir() if not one.name.startswith(".")) == ["s.mjs", "w.wasm.gz"]
    (registry / "package.tgz").unlink()
    assert module.web_runtime() == runtime  # without the registry


def test_wrong_files_are_refused(registry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(registry, monkeypatch, package(**{"s.mjs": SCRIPT + b" ", "w.wasm": WASM}))
    with pytest.raises(GanvasError, match=r"does not hold s\.mjs as it should"):
        module.web_runtime()
    monkeypatch.setattr(module, "PACKAGE", remote("package.tgz", b"another"))
    monkeypatch.setenv("GANVAS_CACHE", str(registry / "empty"))
    with pytest.raises(GanvasError, match="from the npm registry, fetched once"):
        module.web_runtime()
