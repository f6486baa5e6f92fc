"""From a run to its files."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from ganvas.errors import MissingExtra, RunError, UsageError
from ganvas.export import export_run, open_model
from ganvas.export.facts import facts_from
from ganvas.export.graph import check_difference
from ganvas.export.page import about
from ganvas.export.parts import parts_of
from ganvas.export.write import facts_of, torch_difference
from ganvas.run import Run


def test_a_file_says_where_it_comes_from(sampler: Run, sampler_file: Path) -> None:
    facts = open_model(sampler_file).facts
    assert (facts.method, facts.part, facts.licence, facts.data) == ("cgan", "sample", "CC0-1.0", sampler.spec.name)
    assert facts.weights == sampler.weights_hash() and facts.run == "cgan"
    assert facts.settings["z_dim"] == 8 and 0 <= facts.difference <= 1e-4
    content = sampler_file.read_bytes()
    for private in (str(sampler.folder.parent), str(Path.home()), "/src/ganvas", "site-packages"):
        assert private.encode() not in content, private


def test_the_audit_of_the_run_is_quoted(sampler: Run, tmp_path: Path) -> None:
    """In the metadata and on the page; raw weights have samples of their own, which nobody audited."""
    assert "Audit of copies: not made." in about(facts_of(sampler, sampler.method), "")
    shutil.copytree(sampler.folder, tmp_path / "run")
    verdict = "copies: 3 of 100 samples are copies of 2 training images"
    kept = {"verdict": verdict, "weights": sampler.weights_hash(), "step": 3}
    (tmp_path / "run/audit.json").write_text(json.dumps(kept))
    run = Run(tmp_path / "run")
    facts = facts_of(run, run.method)
    assert facts.audit == verdict and facts_from(facts.with_changes(part="decode").text(), "").audit == verdict
    assert f"Audit of copies: {verdict}." in about(facts, "")
    assert facts_of(run, run.method, raw=True).audit == ""
    (tmp_path / "run/audit.json").write_text(json.dumps({"verdict": verdict}))  # as earlier versions wrote it
    assert facts_of(run, run.method).audit.startswith(f"{verdict} (audited at an unknown step: ")


def test_bytes_out_are_those_of_the_float_model(sampler: Run, sampler_file: Path, tmp_path: Path) -> None:
    (file,) = export_run(sampler, out=tmp_path / "u.onnx", uint8=True)
    assert file.difference <= 1
    model = open_model(file.path)
    assert model.facts.output == "uint8"
    assert np.array_equal(model.sample(5, seed=3), open_model(sampler_file).sample(5, seed=3))


def test_torch_export_gives_the_function(sampler: Run, tmp_path: Path) -> None:
    (file,) = export_run(sampler, "torch", tmp_path / "cgan.pt2")
    function = torch.export.load(file.path).module()
    method = sampler.method
    latents, labels = method.latents(range(6)), method.labels(range(6))  # pyright: ignore
    torch.testing.assert_close(function(latents, labels), method.generate(latents, labels))  # pyright: ignore


def test_smaller_weights(restorer: Run, restorer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.export.graph.to_onnx", lambda *more: onnx.load(restorer_file))  # tracing takes seconds
    sizes = {"fp32": restorer_file.stat().st_size}
    for precision in ("fp16", "int8"):
        (file,) = export_run(restorer, out=tmp_path / f"{precision}.onnx", precision=precision)
        model = open_model(file.path)
        assert model.facts.precision == precision and 0 < file.difference < 0.1
        sizes[precision] = file.size
    assert sizes["fp16"] < sizes["fp32"]


def test_a_file_that_differs_is_not_written(
    sampler: Run, sampler_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the exporter had lost something: what torch is said to give is moved by a thousandth."""
    (part,) = parts_of(sampler.method)
    wrong = dataclasses.replace(part, expected=lambda *inputs: part.expected(*inputs) + 1e-3)
    with pytest.raises(RunError, match=r"differs from torch by 0\.001, and the limit is 0\.0001: nothing was written"):
        torch_difference(wrong)
    model = onnx.load(sampler_file)
    for weight in model.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT and len(weight.dims) == 2:
            array = onnx.numpy_helper.to_array(weight) + np.float32(1e-2)
            weight.CopyFrom(onnx.numpy_helper.from_array(array, weight.name))
    monkeypatch.setattr("ganvas.export.graph.to_onnx", lambda *more: model)
    with pytest.raises(RunError, match="nothing was written"):
        export_run(sampler, out=tmp_path / "wrong.onnx")
    assert not list(tmp_path.iterdir())


def test_limits_by_kind(sampler: Run) -> None:
    (part,) = parts_of(sampler.method)
    check_difference(part, 1.0, True)
    for value, uint8 in ((2.0, True), (1.1e-4, False), (float("nan"), False)):
        with pytest.raises(RunError, match="limit"):
            check_difference(part, value, uint8)


def test_wrong_words(sampler: Run, tmp_path: Path) -> None:
    for words, message in (
        ({"to": "onxx"}, "did you mean onnx"),
        ({"precision": "fp8"}, "fp32, fp16, int8"),
        ({"part": "translate_ab"}, "this run has: sample"),
        ({"out": "model.pt2"}, r"takes a FILE\.onnx"),
        ({"to": "torch", "uint8": True}, "omit them"),
        ({"size": (64, 64)}, "omit --size"),
    ):
        with pytest.raises(UsageError, match=message):
            export_run(sampler, **words)  # pyright: ignore


def test_without_the_packages_the_extra_is_named(sampler: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(MissingExtra, match=r"pip install 'ganvas\[onnx\]'"):
        export_run(sampler)
