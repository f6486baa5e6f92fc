"""Files from strangers, on every entry: a run, resuming, data, importing, exporting, the hub. Hundreds, made from a seed.

Each must end in one of our errors, which are sentences, or do no harm: nothing in a file is executed, nothing is written or read
elsewhere, no exception of a library comes through.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

import exported_models
import ganvas
from command_line import train_once
from foreign_networks import many_styles_state, onnx_bytes, write_tfjs
from ganvas.data.image import png_bytes
from ganvas.data.photo import find_photos
from ganvas.errors import GanvasError
from ganvas.export import export_run, graph, open_model
from ganvas.export.parts import parts_of
from ganvas.foreign import KINDS, import_weights
from ganvas.training.checkpoint import checkpoints, load_state
from hostile import as_torch_file, damaged_safetensors, pickles, tars, torch_archives, tree, wrong_values, zips
from parts import image_file

SECRET = "root:x:0:0"  # of /etc/passwd, which no message may show
LONGEST = 2500  # characters of a message


@pytest.fixture(scope="module")
def run(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> ganvas.Run:
    return ganvas.load(train_once(tmp_path_factory.mktemp("runs") / "gan", "gan", image_file((1, 8, 8)), 3))


def ends_well(call: Callable[[], object], what: str) -> bool:
    """Whether `call` works; False where it ends in an error of ours. Anything else fails the test."""
    try:
        call()
    except GanvasError as error:
        message = str(error)
        assert message and len(message) < LONGEST and SECRET not in message and "Traceback" not in message, what
        return False
    except Exception as error:
        pytest.fail(f"{what}: {type(error).__name__}: {error}")
    return True


def used(folder: Path) -> None:
    """What commands do with a run first."""
    opened = ganvas.load(folder)
    assert repr(opened) and opened.spec
    opened.sample(1, device="cpu")


def test_configs(run: ganvas.Run) -> None:
    """config.json of `save_pretrained`, as it comes from the hub."""
    folder = run.save_pretrained("model", card=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "manifest.json").unlink()
    before = tree(Path.cwd())
    refused = 0
    for what, changed in wrong_values(config, seed=0, count=400):
        (folder / "config.json").write_text(json.dumps(changed))
        refused += not ends_well(lambda: used(folder), what)
    assert refused > 100
    assert tree(Path.cwd()) == before


def test_settings_of_a_run(run: ganvas.Run) -> None:
    """settings.json of a run folder that somebody sent."""
    folder = Path("sent")
    shutil.copytree(run.folder, folder)
    settings = json.loads((folder / "settings.json").read_text())
    for what, changed in wrong_values(settings, seed=1, count=200):
        (folder / "settings.json").write_text(json.dumps(changed))
        ends_well(lambda: used(folder), what)
    for text in (b"", b"[]", b"null", b"{", b"[" * 100_000, b"\xff\xfe\x00", b'{"format": NaN}', b"1e999", b'"x"'):
        (folder / "settings.json").write_bytes(text)
        assert not ends_well(lambda: used(folder), repr(text[:20]))


@pytest.mark.parametrize("name", ["weights.safetensors", "model.safetensors"])
def test_weights(run: ganvas.Run, name: str) -> None:
    folder = Path("sent")
    if name == "weights.safetensors":
        shutil.copytree(run.folder, folder)
    else:
        run.save_pretrained(folder)
    whole = (folder / name).read_bytes()
    for what, content in damaged_safetensors(whole, seed=2):
        (folder / name).write_bytes(content)
        if name == "model.safetensors":  # an attacker writes the right hash beside it
            config = json.loads((folder / "config.json").read_text())
            config["sha256"] = hashlib.sha256(content).hexdigest()
            (folder / "config.json").write_text(json.dumps(config))
        ends_well(lambda: used(folder), what)


def test_checkpoints(run: ganvas.Run) -> None:
    """A checkpoint with a manifest that fits it: a resume reads it, or says what is wrong."""
    folder = Path("sent")
    shutil.copytree(run.folder, folder)
    place = checkpoints(folder / "checkpoints")[-1]
    manifest = json.loads((place / "manifest.json").read_text())
    state, tensors = (place / "state.json").read_bytes(), (place / "state.safetensors").read_bytes()

    def written(state: bytes, tensors: bytes) -> None:
        (place / "state.json").write_bytes(state)
        (place / "state.safetensors").write_bytes(tensors)
        hashes = {"state.json": state, "state.safetensors": tensors}
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in hashes.items()}
        (place / "manifest.json").write_text(json.dumps({**manifest, "sha256": sums}))

    for what, content in damaged_safetensors(tensors, seed=3):
        written(state, content)
        ends_well(lambda: load_state(place), what)
    for text in (b"", b"[]", b"null", b"{", b"[" * 100_000, b"\xff\xfe\x00", b'"x"'):
        written(text, tensors)
        ends_well(lambda: load_state(place), repr(text[:20]))
        (place / "manifest.json").write_bytes(text)
        assert not ends_well(lambda: load_state(place), repr(text[:20]))


def test_a_resume_of_a_changed_checkpoint(run: ganvas.Run) -> None:
    """The whole command, on values of every wrong kind in state.json."""
    folder = Path("sent")
    newest = checkpoints(run.folder / "checkpoints")[-1]
    manifest = json.loads((newest / "manifest.json").read_text())
    state = json.loads((newest / "state.json").read_text())
    for what, changed in [("nothing", state), *wrong_values(state, seed=4, count=12)]:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(run.folder, folder)
        place = folder / "checkpoints" / newest.name
        content = json.dumps(changed).encode()
        (place / "state.json").write_bytes(content)
        manifest["sha256"]["state.json"] = hashlib.sha256(content).hexdigest()
        (place / "manifest.json").write_text(json.dumps(manifest))
        resumed = ends_well(lambda: ganvas.train(resume=folder, steps=4, quiet=True, device="cpu", samples=0), what)
        assert resumed or what != "nothing"


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt", ".safetensors"])
@pytest.mark.parametrize("wrapped", [False, True])
def test_pickles_with_code(tmp_path: Path, suffix: str, wrapped: bool) -> None:
    canary = tmp_path / "executed"
    file = Path(f"weights{suffix}")
    kinds = [name for name, layout in KINDS.items() if "pth" in layout.files]
    for number, (what, content) in enumerate(pickles(canary)):
        file.write_bytes(as_torch_file(content) if wrapped else content)
        kind = kinds[number % len(kinds)]
        assert not ends_well(lambda kind=kind: import_weights(kind, file, "run", licence="MIT"), what)
        assert not canary.exists(), what
    assert not Path("run").exists()


def test_the_pickles_are_dangerous(tmp_path: Path) -> None:
    """They would run as pickles: a test that cannot fail proves nothing."""
    import pickle

    ran = 0
    for what, content in pickles(tmp_path / "executed"):
        if what in ("deep", "memo bomb", "large text", "cut", "torch.load inside") or "__builtin__" in what:
            continue
        try:
            pickle.loads(content)
        except Exception as error:
            assert what == "BUILD", (what, error)
        assert (tmp_path / "executed").exists(), what
        (tmp_path / "executed").unlink()
        ran += 1
    assert ran >= 9


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder around the one that the test works in, which nobody else writes to."""
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    return tmp_path


def test_archives_and_wholes_that_are_no_weights(outside: Path) -> None:
    before = tree(outside)
    for what, content in torch_archives():
        Path("weights.pth").write_bytes(content)
        assert not ends_well(lambda: import_weights("esrgan", "weights.pth", "run", licence="MIT"), what)
    for content in (3, [], {}, {"a": 1}, [torch.zeros(2)], {1: torch.zeros(2)}, {"a": torch.zeros(2).to_sparse()}):
        torch.save(content, "weights.pth")
        assert not ends_well(lambda: import_weights("esrgan", "weights.pth", "run", licence="MIT"), repr(content))
    torch.save(torch.nn.Linear(2, 2), "weights.pth")  # a whole module, which only unpickling could read
    assert not ends_well(lambda: import_weights("esrgan", "weights.pth", "run", licence="MIT"), "a module")
    assert tree(outside) - before == {str(Path.cwd() / "weights.pth")}


def test_damaged_onnx_and_tfjs() -> None:
    draw = random.Random(5)
    whole = onnx_bytes(many_styles_state())
    for number in range(80):
        content = bytearray(whole[: draw.randrange(len(whole))] if number % 3 == 0 else whole)
        for _ in range(draw.choice((1, 3, 30))):
            if content:
                content[draw.randrange(min(len(content), 2000))] = draw.randrange(256)
        Path("styles.onnx").write_bytes(bytes(content))
        shutil.rmtree("run", ignore_errors=True)
        ends_well(lambda: import_weights("multi_style", "styles.onnx", "run", licence="MIT", style="1"), str(number))
    model = write_tfjs(Path("slim"), 2)
    config = json.loads(model.read_text())
    for what, changed in wrong_values(config, seed=6, count=60):
        model.write_text(json.dumps(changed))
        shutil.rmtree("run", ignore_errors=True)
        ends_well(lambda: import_weights("esrgan_slim", model, "run", licence="MIT"), what)


# --- archives and exports -------------------------------------------------------------------------------------------------------


def test_archives_of_images(outside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As data, as photos to translate, and in place of files of our own."""
    png = png_bytes(np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3))
    Path("work").mkdir()
    monkeypatch.setenv("GANVAS_CACHE", str(Path("work/cache").resolve()))
    Path("secret").write_bytes(png)  # what links could lead to
    before = tree(outside)
    archives = [*(("zip", *one) for one in zips(png)), *(("tar", *one) for one in tars(png))]
    assert len(archives) >= 91
    good = refused = 0
    for number, (suffix, what, content) in enumerate(archives):
        file = Path(f"work/data.{suffix}")
        file.write_bytes(content)
        opened = ends_well(lambda file=file: ganvas.open_data(file, size="8"), what)
        good, refused = good + opened, refused + (not opened)
        if suffix == "zip":
            ends_well(lambda file=file: photos_of(file), what)
        others = {
            ".onnx": open_model,
            ".pth": lambda place: import_weights("esrgan", place, "work/run", licence="MIT"),
            ".npz": ganvas.open_data,
        }
        for other, call in others.items():
            place = Path(f"work/file{other}")
            place.write_bytes(content)
            assert not ends_well(lambda place=place, call=call: call(place), f"{what} as {other}")
        assert not Path("executed").exists()
        assert {one for one in tree(outside) - before if "/work/" not in one} == set(), (number, what)
    assert good > 10 and refused > 20


def photos_of(file: Path) -> None:
    for _, read in find_photos(file):
        read()


def test_exports_of_changed_runs(run: ganvas.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """settings.json and weights of others, up to a file: it is written whole, or not at all."""
    folder = Path("sent")
    shutil.copytree(run.folder, folder)
    (part,) = parts_of(run.method)
    traced = graph.to_onnx(part).SerializeToString()  # seconds; the same for all that follow
    monkeypatch.setattr(graph, "to_onnx", lambda *more: onnx.ModelProto.FromString(traced))
    settings = (folder / "settings.json").read_text()
    out = Path("model.onnx")

    def exported() -> None:
        export_run(ganvas.load(folder), out=out)
        assert open_model(out).sample(1).shape == (1, 8, 8, 1)

    assert ends_well(exported, "nothing")
    weights = (folder / "weights.safetensors").read_bytes()
    for what, changed in wrong_values(json.loads(settings), seed=7, count=80):
        out.unlink(missing_ok=True)
        (folder / "settings.json").write_text(json.dumps(changed))
        assert ends_well(exported, what) == out.exists(), what
    (folder / "settings.json").write_text(settings)
    for number, (what, content) in enumerate(damaged_safetensors(weights, seed=8)):
        if number % 3 == 0:
            out.unlink(missing_ok=True)
            (folder / "weights.safetensors").write_bytes(content)
            assert ends_well(exported, what) == out.exists(), what
    assert not list(Path.cwd().glob(".*.part"))


def test_metadata_and_bytes_of_exported_models() -> None:
    model = exported_models.sampler(Path("four.onnx"))
    whole = model.read_bytes()
    proto = onnx.ModelProto.FromString(whole)
    facts = json.loads(proto.metadata_props[0].value)
    refused = 0
    for what, changed in wrong_values(facts, seed=9, count=300):
        proto.metadata_props[0].value = json.dumps(changed)
        model.write_bytes(proto.SerializeToString())
        refused += not ends_well(lambda: open_model(model).sample(2), what)
    assert refused > 50
    draw = random.Random(10)
    for number in range(150):
        content = bytearray(whole)
        for _ in range(draw.choice((1, 1, 3, 20))):
            content[draw.randrange(len(content))] = draw.randrange(256)
        model.write_bytes(bytes(content))
        ends_well(lambda: open_model(model).sample(2), str(number))


@pytest.mark.parametrize("entry", ["export", "push"])
def test_a_full_disk(run: ganvas.Run, entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so, and leaves no part of a file."""
    if entry == "export":
        (part,) = parts_of(run.method)
        traced = graph.to_onnx(part)
        monkeypatch.setattr(graph, "to_onnx", lambda *more: traced)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    before = tree(Path.cwd())
    with pytest.raises(GanvasError, match="the disk is full: free some space"):
        if entry == "export":
            export_run(run, out="model.onnx")
        else:
            run.push_to_hub("ada/tiny-gan")
    assert tree(Path.cwd()) == before
