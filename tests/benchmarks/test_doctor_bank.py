"""The doctor's validation: its cases, its sums, and that nothing it reports on was tuned on."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.data import open_data
from ganvas.data.feed import examples_of
from ganvas.doctor import FINDINGS, Diagnosis
from ganvas.registry import method_names
from logs import write_log

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.delitem(sys.modules, "doctor", raising=False)
    import doctor

    return doctor


def test_the_cases(bank: ModuleType) -> None:
    found = list(bank.cases("all"))
    assert len({case.name for case in found}) == len(found)
    tuned = {(case.method, case.data, case.seed, case.fault) for case in found if case.part == "tune"}
    reported = {(case.method, case.data, case.seed, case.fault) for case in found if case.part != "tune"}
    assert not tuned & reported and {case.seed for case in found if case.part in ("report", "healthy")} == {1, 2, 3}
    assert not {case.fault for case in found if case.part == "tune"} & set(bank.UNSEEN)
    broken = [case for case in found if case.part == "report"]
    short = [fault for fault in bank.FAULTS.values() if fault.name not in bank.HELD_OUT]
    assert len(broken) == 3 * sum(len(fault.methods or bank.BROKEN) for fault in short)
    assert {case.data for case in broken} == {"digits", "emoji"}
    assert len(bank.FAULTS) >= 8
    healthy = {case.method for case in found if case.part == "healthy"}
    assert (
        {"gan", "r3gan", "stylegan2", "wgan"} < healthy < set(method_names())
        and "vae" not in healthy
        and "gan3d" not in healthy
    )
    for fault in bank.FAULTS.values():
        assert set(fault.fits) <= set(FINDINGS)


@pytest.mark.parametrize("part", ["held_out", "minute"])
def test_what_is_held_out_is_not_what_progress_is_compared_with(bank: ModuleType, part: str) -> None:
    counted = list(bank.cases(part))
    assert {case.fault for case in counted if case.fault} == set(bank.HELD_OUT) and len(bank.HELD_OUT) >= 8
    assert all(bank.twin(case) in counted for case in counted)
    assert {case.seed for case in counted} == {bank.HELD_OUT_SEED} and bank.HELD_OUT_SEED not in bank.EXPECTED_SEEDS
    assert 1 not in bank.EXPECTED_SEEDS  # that of the last count
    assert bank.preset_for("dcgan", "emoji") == "small" and bank.preset_for("lsgan", "emoji") == "emoji"


def test_the_least_progress_at_each_step(bank: ModuleType) -> None:
    long, short = [(100, 0.3), (200, 0.6), (400, 0.9)], [(150, 0.2), (250, 0.7)]
    assert bank.least([long, short, []]) == [(100, 0.3), (150, 0.2), (250, 0.6), (400, 0.9)]
    assert bank.least([]) == []


def test_progress_is_that_of_the_doctor_at_the_time(bank: ModuleType, tmp_path: Path) -> None:
    gaps = {"samples/gap": lambda t: 3.5 - 3.5 * t, "samples/pixel_gap": lambda t: 2.0 - 2.0 * t}
    points = bank.progress_by_steps(write_log(tmp_path / "whole", gaps))
    shorter = bank.score(write_log(tmp_path / "shorter", gaps, looks=6))
    assert [step for step, _ in points] == [400, 500, 600, 700, 800, 900, 1000]
    assert dict(points)[600] == shorter and dict(points)[1000] == bank.score(tmp_path / "whole")


def row(bank: ModuleType, **more: Any) -> dict[str, Any]:
    known = {
        "part": "report",
        "seed": 2,
        "fault": "lr_low",
        "harmed": True,
        "healthy": False,
        "right": True,
        "among": True,
        "notes": [],
        "noted": False,
    }
    return {**known, "fix": {"fixed_half": True, "healthy_again": False}, "score": 0.9, **more}


def test_the_sums(bank: ModuleType) -> None:
    rows = [
        row(bank),
        row(bank, right=False, fix={"fixed_half": False, "healthy_again": False}),
        row(bank, healthy=True, right=False, among=False, fix=None, notes=["unusual_setting"], noted=True),
        row(bank, fault="few_data", fix={"fixed_half": None, "healthy_again": False}),  # nothing to fix
        row(bank, fault="marked", fix=None),  # no setting fixes it
        row(bank, harmed=False, notes=["unusual_setting"]),
        row(bank, part="healthy", fault=None, healthy=True),
        row(bank, part="healthy", fault=None, healthy=False),
        row(bank, part="healthy", fault=None, healthy=False, score=0.1),
        row(bank, part="tune", healthy=False),
    ]
    found = bank.summary(rows)
    assert (found["broken"], found["not_harmed"], found["healthy"], found["too_short_to_be_healthy"]) == (5, 1, 2, 1)
    assert found["detected"] == 4 / 5 and found["right_name"] == 3 / 5 and found["right_among"] == 4 / 5
    assert found["false_alarms"] == 1 / 2 and found["found_without_harm"] == found["noted_without_harm"] == 1
    assert found["only_a_note"] == 1 / 5 and found["notes_of_healthy"] == 0
    assert found["fixable"] == 3 and found["fixed"] == 1 / 3 and found["healthy_again"] == 0


def test_new_faults_are_counted_apart(bank: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Totals of the earlier faults stay as they are when new ones are added."""
    later = [fault for group in bank.GROUPS.values() for fault in group]
    assert set(later) < set(bank.FAULTS) and len(set(later)) == len(later) and not set(later) & set(bank.UNSEEN)
    faults = ("noise", "axes_mixed", "placeholder", "ada_fast")
    chosen = [bank.Case("report", "dcgan", "emoji", 3, fault) for fault in faults]
    chosen.append(bank.Case("healthy", "dcgan", "emoji", 3))
    for case in chosen:
        (tmp_path / case.name).mkdir()
    monkeypatch.setattr(bank, "diagnose", lambda place: Diagnosis(True, (), 100))
    monkeypatch.setattr(bank, "score", lambda place: 0.9)
    monkeypatch.setattr(bank, "evaluated", lambda place, healthy: (float("nan"), float("nan")))
    found = bank.diagnose_bank(tmp_path, verbose=False)
    counts = {key: (sums["broken"] + sums["not_harmed"], sums["healthy"]) for key, sums in found["sums"].items()}
    assert counts == {
        "all_seeds": (1, 1), "untouched_seeds": (1, 1), "new": (2, 1), "far": (0, 1), "far_unseen": (1, 1), "mild": (0, 1),
        "held_out": (0, 0), "minute": (0, 0),
    }  # fmt: skip


def test_new_faults_break_what_they_say(bank: ModuleType) -> None:
    data = open_data("emoji")
    mixed = bank.FAULTS["axes_mixed"].data(data)["images"]
    assert mixed.shape == data.images.shape and mixed[0, 0, 0, 0] == data.images[0, 0, 0, 0]
    assert mixed[0, 0, 0, 1] == data.images[1, 0, 0, 0]  # the neighbour in memory is another image's pixel
    copies = bank.FAULTS["placeholder"].data(data)["images"]
    assert np.mean([np.array_equal(image, copies[0]) for image in copies]) == pytest.approx(0.4, abs=0.01)

    near = bank.FAULTS["near_copies"].data(data)["images"]
    assert len(near) == 4000 and len(np.unique(near.reshape(len(near), -1), axis=0)) > 3500
    assert (near != np.tile(near[:25], (160, 1, 1, 1))).any(-1).sum((1, 2)).max() <= 2
    wrong = bank.FAULTS["wrong_labels"].data(data)["labels"]
    assert 0.1 < (wrong == data.labels).mean() < 0.4
    negatives = bank.FAULTS["negatives"].data(data)["images"]
    assert (negatives[::2] == 255 - data.images[::2]).all() and (negatives[1::2] == data.images[1::2]).all()

    images = torch.linspace(-1, 1, 7).requires_grad_()
    method = SimpleNamespace(generate_for=lambda batch: images)
    bank.FAULTS["rounded"].surgery(method)
    rounded = method.generate_for(None)
    rounded.sum().backward()
    assert torch.allclose(rounded, images, atol=1 / 127) and images.grad is not None and not images.grad.any()


def test_a_fault_breaks_what_it_says(bank: ModuleType) -> None:
    """The settings follow the method's own; surgery is felt by the method that is trained."""
    case = bank.Case("report", "dcgan", "digits", 1, "lr_low")
    method, _, steps = bank.make(case)
    healthy, _, _ = bank.make(bank.Case("healthy", "dcgan", "digits", 1))
    assert method.settings()["lr"] == pytest.approx(healthy.settings()["lr"] / 300) and steps == 288
    fixed, _, _ = bank.make(case, {"lr": 0.002})
    assert fixed.settings()["lr"] == 0.002
    one, _, _ = bank.make(bank.Case("report", "dcgan", "digits", 1, "one_latent"))
    few, _, _ = bank.make(bank.Case("report", "r3gan", "digits", 1, "few_latents"))
    assert [len(method.latents(range(20)).unique(dim=0)) for method in (one, few)] == [1, 6]
    asleep, _, _ = bank.make(bank.Case("report", "dcgan", "digits", 1, "asleep"))
    assert asleep.with_settings({}).schedule(0.5, 100) == 0.0


def test_a_held_out_fault_breaks_what_it_says(bank: ModuleType) -> None:
    made = {
        name: bank.make(bank.Case("minute", bank.FAULTS[name].methods[0], data, 4, name))
        for name, data in bank.HELD_OUT.items()
    }
    spec = open_data("digits").spec
    frozen, flipped, half = (made[name][0] for name in ("frozen", "flipped", "half_range"))
    frozen.build(spec)
    (group,) = frozen.optimizers()["G"].param_groups
    assert [id(one) for one in group["params"]] == [id(one) for one in list(frozen.G.parameters())[-2:]]

    healthy = bank.make(bank.Case("minute", "dcgan", "digits", 4))[0]
    batch = examples_of(open_data("digits"), np.arange(16), healthy.text_window(), "cpu", seed=0)
    losses = []
    for method in (healthy, flipped):
        torch.manual_seed(0)
        method.build(spec)
        seen = dataclasses.replace(batch, generator=torch.Generator().manual_seed(0))
        losses.append(method.updates()[0].loss(seen)["loss"].item())
    assert losses[0] == -losses[1] > 0

    half.build(spec)
    half.discriminate = lambda batch, images: images.flatten(1).amin(1, keepdim=True)
    report = half.updates()[1].loss(batch)
    assert report["real"] == 0.0 > report["fake"] and half.real_for(batch).min() == 0

    settings = {name: method.settings() for name, (method, _, _) in made.items()}
    assert (
        settings["critic_often"]["n_critic"] == 30
        and settings["wide"]["width"] == 336
        and settings["class_weight"]["beta"] == 500
    )
