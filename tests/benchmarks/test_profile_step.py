"""The profile of a step: every operation belongs to one part, and the shares add up."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from ganvas.methods.gan.dcgan import DCGAN
from ganvas.registry import find


def event(name: str, parent: Any = None) -> Any:
    return SimpleNamespace(name=name, cpu_parent=parent)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("aten::mkldnn_convolution", "products"),
        ("aten::convolution_backward", "products"),
        ("aten::addmm", "products"),
        ("aten::native_batch_norm_backward", "norms"),
        ("aten::linalg_vector_norm", "elementwise"),
        ("aten::normal_", "random"),
        ("aten::copy_", "copies"),
        ("aten::leaky_relu_backward", "elementwise"),
    ],
)
def test_parts_by_name(name: str, part: str) -> None:
    from profile_step import part_of

    assert part_of(event(name)) == part


def test_parts_by_what_calls_them() -> None:
    from profile_step import part_of

    step = event("Optimizer.step#Adam.step")
    assert part_of(event("aten::copy_", event("aten::to", step))) == "optimiser"
    assert part_of(event("aten::mul_", event("data"))) == "data"


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    import profile_step

    methods = ["dcgan", "rnn_text"]
    profile_step.main(["--methods", *methods, "--preset", "tiny", "--rounds", "1", "--seconds", "0.01", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert {"machine", "threads", "torch", "date"} <= report.keys()
    assert [row["method"] for row in report["rows"]] == methods
    for row in report["rows"]:
        shares = {part: row[part] for part in profile_step.SHARES}
        assert row["ms"] > 0 and shares["products"] > 0 and shares["optimiser"] > 0 and shares["data"] > 0
        assert sum(shares.values()) + row["rest"] == pytest.approx(1, abs=0.01) and 0 < row["rest"] < 1
    assert report["rows"][0]["norms"] > 0 == report["rows"][1]["norms"]


def test_augmentation_has_a_share(tmp_path) -> None:
    from profile_step import named_parts, profiled, trainer_of

    trainer = trainer_of(DCGAN(batch_size=4, width=2, augment="diffaugment"), tmp_path)
    with named_parts(trainer):
        parts = {part for part, _ in profiled(trainer, 1)}
    assert "augmentation" in parts and "augmented_images" not in vars(trainer.method)


@pytest.mark.parametrize("name", ["pix2pix", "srresnet", "seq2seq", "wavenet", "mocogan", "vae3d", "code_prior"])
def test_data_of_each_kind(name: str, tmp_path) -> None:
    from profile_step import block, trainer_of

    from parts import small

    trainer = trainer_of(small(name), tmp_path)
    block(trainer, 1)
    assert trainer.steps == 1 and trainer.feed.batch_size == trainer.method.batch_size
    assert trainer.method.spec.kind in find(name).takes
