"""Exported models on onnxruntime."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import ganvas
from ganvas.draws import Draw
from ganvas.errors import DataError, MissingExtra, RunError, UsageError
from ganvas.export import open_model
from ganvas.export.facts import METADATA_KEY, ModelFacts
from ganvas.export.runtime import from_uint8, to_uint8
from ganvas.run import Run
from ganvas.tasks import restore


def test_seeds_give_the_images_of_the_run(sampler: Run, sampler_file: Path) -> None:
    """Within one of 255 levels, whatever n is, and with the classes of the seeds."""
    model = open_model(sampler_file)
    ours, theirs = model.sample(70, seed=5), np.asarray(sampler.sample(70, seed=5))
    assert ours.shape == theirs.shape and ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.array_equal(model.sample(3, seed=72), ours[67:70])
    assert not np.array_equal(ours[0], ours[1])
    name = model.facts.classes[1]
    only = np.asarray(sampler.sample(4, seed=0, label=name))
    assert np.abs(model.sample(4, seed=0, label=name).astype(int) - only).max() <= 1
    assert np.array_equal(model.sample(4, seed=0, label=1), model.sample(4, seed=0, label=name))


def test_restoring_at_any_size(restorer: Run, restorer_file: Path) -> None:
    model = open_model(restorer_file)
    for height, width in ((32, 32), (21, 45)):
        image = np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)
        ours = to_uint8(model.restore(from_uint8(image[None])))[0]
        (photo,) = restore(restorer.method, image)
        theirs = np.asarray(photo.to_array())
        assert ours.shape == theirs.shape == (2 * height, 2 * width, 3)
        assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_wrong_calls(sampler_file: Path, restorer_file: Path) -> None:
    model, restorer = open_model(sampler_file), open_model(restorer_file)
    with pytest.raises(UsageError, match="holds the part sample of a cgan: use it with ganvas sample"):
        model.restore(np.zeros((1, 1, 8, 8), np.float32))
    with pytest.raises(UsageError, match="there is no class 7"):
        model.sample(1, label=7)
    with pytest.raises(UsageError, match="n >= 1"):
        model.sample(0)
    with pytest.raises(UsageError, match="a mask is for inpainting"):
        restorer.restore(np.zeros((1, 3, 8, 8), np.float32), np.zeros((1, 1, 8, 8), np.float32))
    with pytest.raises(RunError, match="cannot compute this"):
        restorer.restore(np.zeros((1, 1, 8, 8), np.float32))


# --- files of others ----------------------------------------------------------------------------------------------------


def model_of(nodes: list[onnx.NodeProto], weights: list[TensorProto], facts: ModelFacts | None = None) -> bytes:
    """A file with the metadata of ours, that adds to its input what `nodes` compute."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("latents", TensorProto.FLOAT, ["n", 4])], [value("images", TensorProto.FLOAT, None)], weights
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    entry = model.metadata_props.add()
    entry.key, entry.value = (
        METADATA_KEY,
        (facts or ModelFacts("sample", "gan", 1, 2, 2, draws=(Draw("normal", 4),))).text(),
    )
    return model.SerializeToString()


@pytest.mark.parametrize("kind", ["relative", "above", "absolute"])
def test_weights_in_other_files_are_not_read(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.arange(4, dtype=np.float32).tobytes())
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path if kind == "relative" else tmp_path / "here")
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    location = {"relative": "secret.bin", "above": "../secret.bin", "absolute": str(secret)}[kind]
    for key, value in (("location", location), ("length", "16")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    Path("hostile.onnx").write_bytes(model_of([helper.make_node("Add", ["latents", "w"], ["images"])], [weight]))
    with pytest.raises(DataError, match=r"hostile\.onnx cannot be opened as an ONNX model"):
        open_model("hostile.onnx")


def test_absurd_sizes_and_foreign_code_fail_in_a_sentence(tmp_path: Path) -> None:
    shape = onnx.numpy_helper.from_array(np.array([2**45], np.int64), "shape")
    nodes = [
        helper.make_node("ConstantOfShape", ["shape"], ["huge"]),
        helper.make_node("ReduceSum", ["huge"], ["sum"], keepdims=0),
        helper.make_node("Add", ["latents", "sum"], ["images"]),
    ]
    place = tmp_path / "m.onnx"
    place.write_bytes(model_of(nodes, [shape]))
    with pytest.raises((RunError, DataError), match=r"m\.onnx"):
        open_model(place).run(latents=np.zeros((1, 4), np.float32))
    place.write_bytes(model_of([helper.make_node("Exec", ["latents"], ["images"], domain="evil")], []))
    with pytest.raises(DataError, match="cannot be opened"):
        open_model(place)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"PK\x03\x04", os.urandom(1000), b"\x80\x04\x95cos\nsystem\n"])
def test_what_is_no_model_is_told(content: bytes, tmp_path: Path) -> None:
    place = tmp_path / "m.onnx"
    place.write_bytes(content)
    with pytest.raises(DataError, match=r"m\.onnx"):
        open_model(place)


def test_a_foreign_model_is_told(tmp_path: Path) -> None:
    content = onnx.ModelProto.FromString(model_of([helper.make_node("Identity", ["latents"], ["images"])], []))
    del content.metadata_props[:]
    place = tmp_path / "m.onnx"
    place.write_bytes(content.SerializeToString())
    with pytest.raises(DataError, match="was not written by ganvas export"):
        open_model(place)
    with pytest.raises(DataError, match="does not exist"):
        open_model(tmp_path / "nothing.onnx")


def test_every_cut_of_a_file_is_told(sampler_file: Path, tmp_path: Path) -> None:
    whole = sampler_file.read_bytes()
    place = tmp_path / "m.onnx"
    for length in range(0, len(whole) - 1, len(whole) // 20):
        place.write_bytes(whole[:length])
        with pytest.raises((DataError, RunError), match=r"m\.onnx"):
            open_model(place).sample(1)


# --- without torch ------------------------------------------------------------------------------------------------------


def test_sampling_imports_neither_torch_nor_onnx(sampler_file: Path) -> None:
    code = (
        "import sys; from ganvas.export.runtime import open_model; open_model(sys.argv[1]).sample(2);"
        "print(sorted({'torch', 'onnx', 'PIL', 'typer', 'safetensors'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(ganvas.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code, str(sampler_file)], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == "[]"


def test_without_onnxruntime_the_package_is_named(sampler_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtra, match="pip install onnxruntime"):
        open_model(sampler_file)
