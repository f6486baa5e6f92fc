"""Down from and up to a hub on this machine: what arrives, what is refused, and what is said of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import ganvas
from command_line import SOURCES, train_once
from ganvas.cli.main import main
from ganvas.errors import GanvasError, MissingExtra, RunError, UsageError
from ganvas.hub import address_of
from hub_server import Hub, serving_hub
from parts import image_file

constants = pytest.importorskip("huggingface_hub.constants")
NAME = "ada/tiny-gan"


@pytest.fixture(scope="module")
def run(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> ganvas.Run:
    return ganvas.load(train_once(tmp_path_factory.mktemp("runs") / "gan", "gan", image_file((1, 8, 8)), 3))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub, and a library with an empty cache, a token and no progress bars."""
    from huggingface_hub.utils import disable_progress_bars

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "hf_of_the_test")
    disable_progress_bars()
    with serving_hub() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


@pytest.mark.filterwarnings("ignore:Use .content=:DeprecationWarning")  # of the library, in its upload by LFS
def test_up_and_down_again(run: ganvas.Run, hub: Hub) -> None:
    hub.lfs_above = 1000  # the weights go by LFS, as on the real hub
    pushed = run.push_to_hub(NAME, licence="mit")
    files = hub.repositories[NAME].commits[pushed.revision]
    assert sorted(files) == ["README.md", "config.json", "manifest.json", "model.safetensors", "samples.png"]
    assert hub.blobs and pushed.url.endswith(pushed.revision)
    assert f"# {NAME}" in files["README.md"].decode() and 'license: "mit"' in files["README.md"].decode()

    again = ganvas.from_pretrained(NAME)
    np.testing.assert_array_equal(again.sample(4, seed=2), run.sample(4, seed=2))
    assert again.name == NAME
    assert json.loads(again.method.made("sample").text())["run"] == "tiny-gan"
    # A model of the hub can be pushed again, with the facts of its training.
    second = again.push_to_hub("bob/copy")
    copied = json.loads(hub.repositories["bob/copy"].commits[second.revision]["config.json"])
    assert copied["facts"] == json.loads(files["config.json"])["facts"] and copied["licence"] == "mit"


def test_a_revision_is_pinned(run: ganvas.Run, hub: Hub) -> None:
    first = run.push_to_hub(NAME)
    hub.repositories[NAME].names["v1"] = first.revision
    changed = run.push_to_hub(NAME, licence="other")
    assert ganvas.from_pretrained(NAME).info["licence"] == "other"
    for revision in ("v1", first.revision):
        assert "licence" not in ganvas.from_pretrained(NAME, revision=revision).info
        assert "licence" not in ganvas.load(f"hf:{NAME}@{revision}").info
    assert first.revision != changed.revision
    run.push_to_hub(NAME, revision="trial", licence="trial")
    assert ganvas.load(f"hf:{NAME}@trial").info["licence"] == "trial"
    assert ganvas.from_pretrained(NAME).info["licence"] == "other"


def test_offline_the_cache_is_enough(run: ganvas.Run, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    run.push_to_hub(NAME)
    expected = ganvas.from_pretrained(NAME).sample(2)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    asked = len(hub.asked)
    np.testing.assert_array_equal(ganvas.from_pretrained(NAME).sample(2), expected)
    with pytest.raises(RunError, match=r"HF_HUB_OFFLINE is set, and the cache has no copy of ada/other"):
        ganvas.from_pretrained("ada/other")
    with pytest.raises(UsageError, match="an upload needs the network"):
        run.push_to_hub(NAME)
    assert len(hub.asked) == asked  # nobody was asked
    # Without the variable and without a server, the cache is enough too.
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    np.testing.assert_array_equal(ganvas.from_pretrained(NAME).sample(2), expected)
    with pytest.raises(RunError, match=r"127.0.0.1:9 cannot be reached, and the cache has no copy"):
        ganvas.from_pretrained("ada/other")


def test_what_is_not_there(run: ganvas.Run, hub: Hub) -> None:
    with pytest.raises(RunError, match="has no model ada/nothing, or it is private"):
        ganvas.from_pretrained("ada/nothing")
    run.push_to_hub(NAME)
    with pytest.raises(RunError, match="has no revision v9: name a branch, a tag"):
        ganvas.from_pretrained(NAME, revision="v9")
    hub.repository("ada/bert").commit({"config.json": b"{}", "pytorch_model.bin": b"\x80\x04."})
    with pytest.raises(RunError, match=r"holds no model.safetensors: it is not a model of ganvas"):
        ganvas.from_pretrained("ada/bert")
    hub.repository("ada/bert").commit({"model.safetensors": b"12345678"})
    with pytest.raises(RunError, match="is not of ganvas"):
        ganvas.from_pretrained("ada/bert")
    assert ("GET", "/ada/bert/resolve/main/pytorch_model.bin") not in hub.asked
    assert not [path for _, path in hub.asked if path.endswith("pytorch_model.bin")]


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_changed_file_is_noticed(run: ganvas.Run, hub: Hub, name: str) -> None:
    pushed = run.push_to_hub(NAME)
    content = bytearray(hub.repositories[NAME].commits[pushed.revision][name])
    content[-3] ^= 1
    hub.changes[name] = bytes(content)
    with pytest.raises(GanvasError, match=rf"{name} is not the file that manifest.json names"):
        ganvas.from_pretrained(NAME)


def test_a_model_that_is_too_large_is_not_downloaded(run: ganvas.Run, hub: Hub) -> None:
    run.push_to_hub(NAME)
    hub.sizes["model.safetensors"] = 2**40
    with pytest.raises(RunError, match="is the limit"):
        ganvas.from_pretrained(NAME)
    assert not [path for _, path in hub.asked if "/resolve/" in path]


def test_an_upload_that_is_refused(run: ganvas.Run, hub: Hub) -> None:
    hub.read_only = True
    with pytest.raises(RunError, match=r"does not let you write ada/tiny-gan \(HTTP 403\): run `hf auth login`"):
        run.push_to_hub(NAME)
    hub.read_only, hub.refuses = False, 500
    with pytest.raises(RunError, match="HTTP 500"):
        run.push_to_hub(NAME)
    assert not hub.repositories


@pytest.mark.parametrize(
    "name",
    [
        "",
        "gan",
        "a/b/c",
        "../b",
        "a/..",
        "/a/b",
        "a/b.git/../c",
        "https://huggingface.co/a/b",
        "a b/c",
        "a/b@v1",
        "a--b/c",
    ],
)
def test_names_that_are_none(run: ganvas.Run, hub: Hub, name: str) -> None:
    with pytest.raises(UsageError, match="is OWNER/NAME"):
        run.push_to_hub(name)
    assert not hub.asked


def test_addresses() -> None:
    assert address_of("hf:ada/gan@v1.2") == ("ada/gan", "v1.2")
    assert address_of("ada/gan") == ("ada/gan", None)
    assert address_of("hf:ada/gan@../../x") is None and address_of("./runs/gan") is None
    with pytest.raises(UsageError, match="is hf:OWNER/NAME or hf:OWNER/NAME@REVISION"):
        ganvas.load("hf:ada")
    with pytest.raises(UsageError, match="revision must be a branch"):
        ganvas.from_pretrained("ada/gan", revision="../x")
    with pytest.raises(UsageError, match="has no revisions"):
        ganvas.from_pretrained(".", revision="main")
    with pytest.raises(RunError, match="there is no run at some/where/else"):
        ganvas.from_pretrained("some/where/else")


def test_without_the_library(run: ganvas.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: run.push_to_hub(NAME), lambda: ganvas.from_pretrained(NAME)):
        with pytest.raises(MissingExtra, match=r'pip install "ganvas\[hub\]"'):
            call()


def test_commands(run: ganvas.Run, hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    def command(*words: str) -> int:
        with pytest.raises(SystemExit) as end:
            main([*words])
        return int(end.value.code or 0)

    assert command("push", str(run.folder), NAME, "--licence", "mit", "--json") == 0
    pushed = json.loads(capsys.readouterr().out)
    assert pushed["revision"] in hub.repositories[NAME].commits and pushed["name"] == NAME
    assert command("sample", f"hf:{NAME}@{pushed['revision']}", "-n", "2", "--out", "images", "--device", "cpu") == 0
    assert len(list(Path("images").iterdir())) == 2
    # To be looked at first.
    before = len(hub.asked)
    assert command("push", str(run.folder), NAME, "--out", "look") == 0
    assert {"README.md", "config.json"} < {one.name for one in Path("look").iterdir()} and len(hub.asked) == before
    assert "no licence is stated" in capsys.readouterr().err
    assert command("push", str(run.folder), "nobody") == 2
    assert "is OWNER/NAME" in capsys.readouterr().err
    assert command("push", "nowhere", NAME) == 1


def test_the_environment_of_a_process_of_its_own(run: ganvas.Run, hub: Hub, tmp_path: Path) -> None:
    """HF_ENDPOINT and HF_HOME as a user sets them."""
    pushed = run.push_to_hub(NAME)
    code = f"import ganvas; run = ganvas.from_pretrained('{NAME}', revision='{pushed.revision}'); print(run.sample(2).sum())"
    home = {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(SOURCES)}
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **home}, capture_output=True, text=True)
    assert not done.returncode, done.stderr
    assert done.stdout == f"{run.sample(2).sum()}\n"
    assert (tmp_path / "home" / "hub" / "models--ada--tiny-gan").is_dir()
