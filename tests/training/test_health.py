"""Looking at a training changes nothing of it; what it sees is right on examples worked by hand."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import Optimizer

import ganvas
from ganvas.abilities import HasDiscriminator
from ganvas.data import Dataset, open_data
from ganvas.doctor import Change, Diagnosis, Finding
from ganvas.method import Batch, DataSpec, Method, Update, setting
from ganvas.training import health, sample_statistics
from ganvas.training.config import TrainConfig
from ganvas.training.guard import MAX_CHANGES, Guard, take_over
from ganvas.training.health import Health, above, dead_inputs, logit_figures
from ganvas.training.prepare import prepare
from ganvas.training.rehearsal import rehearsal
from ganvas.training.sample_statistics import Reference, label_leak
from ganvas.training.session import Session
from ganvas.training.trainer import UpdateResult
from parts import assert_same, images, newest_state, small, train_small, trainer_for, weights

pytestmark = pytest.mark.full_looks


@dataclass(eq=False)
class Straight(Method):
    """One weight at 2, a loss of 3 w, SGD at 0.1."""

    name = "straight"
    batch_size: int = setting(4, "images per step", minimum=1)
    factor: float = setting(3.0, "slope of the loss")
    clip: float = setting(0.0, "largest norm of the gradient", minimum=0)
    phases: bool = setting(False, "two phases, the second with another update")

    def build(self, spec: DataSpec) -> None:
        self.w = nn.Parameter(torch.tensor([2.0]))

    def optimizers(self) -> dict[str, Optimizer]:
        return {"w": torch.optim.SGD([self.w], lr=0.1)}

    def updates(self) -> list[Update]:
        only = Update("only", trains="w", loss=lambda batch: {"loss": self.factor * self.w.sum()}, clip=self.clip)
        if not self.phases:
            return [only]
        return [replace(only, span=(0.0, 0.5)), replace(only, name="later", span=(0.5, math.inf), every=8)]


def digits_like(labels: np.ndarray, images: np.ndarray, tmp_path: Path) -> Dataset:
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    return open_data(tmp_path / "set.npz", holdout=0)


def test_looks_of_this_file_are_of_as_many_samples_as_those_of_a_training() -> None:
    """tests/conftest.py has fewer elsewhere."""
    assert health.STATISTICS_SAMPLES == sample_statistics.STATISTICS_SAMPLES == 128


@pytest.mark.parametrize("name", ["dcgan", "hinge_sn", "r3gan"])
def test_a_look_touches_nothing(name: str) -> None:
    """Batch statistics, power iterations, moments, gradients' places, random states: all as before."""
    trainer = trainer_for(small(name))
    for _ in range(3):
        trainer.step()
    health = Health(trainer.method, images())
    before = trainer.state()
    before = copy.deepcopy(before)
    flags = [parameter.requires_grad for parameter in trainer.method.parameters()]
    first = health.take(trainer)
    assert_same(trainer.state(), before)
    assert [parameter.requires_grad for parameter in trainer.method.parameters()] == flags
    assert all(module.training for module in trainer.method.modules())
    health.take(trainer)
    trainer.step()
    other = trainer_for(small(name))
    for _ in range(4):
        other.step()
    assert_same(trainer.state(), other.state())
    assert {
        "samples/gap",
        "samples/diversity",
        "logits/margin",
        "logits/overfit",
        "G/weights",
        "rollbacks",
    } <= first.keys()


def test_a_look_is_at_the_training_s_place_in_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """What methods do with `Batch.progress` (noise that falls, a temperature) is as it is in a step."""
    trainer = trainer_for(small("dcgan"), steps=4)
    method, seen = trainer.method, set[float]()
    assert isinstance(method, HasDiscriminator)
    trainer.step()
    discriminate = method.discriminate

    def watch(batch: Batch, shown: torch.Tensor) -> torch.Tensor:
        seen.add(batch.progress)
        return discriminate(batch, shown)

    monkeypatch.setattr(method, "discriminate", watch)
    Health(trainer.method, images()).take(trainer)
    assert seen == {0.25}


def test_a_training_is_the_same_with_and_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(
        small("gan"), images(), out=tmp_path / "seen", steps=6, precision="fp32", device="cpu", samples=0,
        evaluate_every=1000,
    )  # fmt: skip
    session = prepare(config)
    session.health.set_rate(3, pause=0)
    seen = session.run()
    monkeypatch.setattr(Health, "due", lambda *_: False)
    unseen = train_small("gan", tmp_path / "unseen", 6)
    looks = [sum(row.get("event") == "health" for row in run.log()) for run in (seen, unseen)]
    assert looks == [4, 0]
    assert weights(seen) == weights(unseen)
    assert_same(newest_state(seen), newest_state(unseen))


def test_how_often_it_looks(tmp_path: Path) -> None:
    """Twenty places over the budget; a very short training is looked at when it begins, once under way, and at its end."""
    run = train_small("gan", tmp_path / "run", 40)
    steps = [row["step"] for row in run.log() if row.get("event") == "health"]
    assert steps[0] == 0 and steps[1] == 2 and steps[-1] == 40
    trainer = trainer_for(small("gan"), steps=40)
    health = Health(trainer.method, images())

    def at(step: int) -> Any:
        return SimpleNamespace(steps=step, progress=step / 40, seconds=100.0)

    assert [step for step in range(41) if health.due(at(step))] == [0, *range(2, 41, 2)]
    health.spent, health.looks = 2.4, 12
    assert health.affordable(at(20))
    health.spent = 2.6
    assert not health.affordable(at(20))
    assert health.affordable(at(40)), "the end"


def test_a_resumed_training_does_not_look_twice(tmp_path: Path) -> None:
    run = train_small("gan", tmp_path / "run", 4)
    train_small("gan", run.folder, 4, resume=run.folder)
    steps = [row["step"] for row in run.log() if row.get("event") == "health"]
    assert len(steps) == len(set(steps))


def test_a_rehearsed_step_of_a_straight_loss() -> None:
    """SGD at 0.1 on loss = 3 w: the move is -0.3, and the loss changes by gradient times move, -0.9, to the letter."""

    trainer = trainer_for(Straight())
    found = rehearsal(trainer, trainer.feed.next())
    assert found["only/step"] == pytest.approx(0.3 / 2.0)
    assert found["only/gradient"] == pytest.approx(3.0)
    assert found["only/predicted"] == pytest.approx(-0.9) == pytest.approx(found["only/change"])
    assert float(trainer.method.w.detach()) == 2.0 and trainer.method.w.grad is None


def test_a_clipped_step_is_rehearsed_as_it_is_taken() -> None:
    """The gradient is said as it was, 3; the move is that of a gradient of 1, -0.1, and so is what the loss changes by, -0.3."""
    trainer = trainer_for(Straight(clip=1.0))
    found = rehearsal(trainer, trainer.feed.next())
    assert found["only/gradient"] == pytest.approx(3.0)
    assert found["only/step"] == pytest.approx(0.1 / 2.0)
    assert found["only/predicted"] == pytest.approx(-0.3) == pytest.approx(found["only/change"])


def test_only_updates_of_the_present_phase_are_rehearsed() -> None:
    """Two phases of a budget of two steps; however seldom an update comes in its phase, it is looked at."""
    trainer = trainer_for(Straight(phases=True), steps=2)
    first = rehearsal(trainer, trainer.feed.next())
    assert "only/step" in first and "later/step" not in first
    trainer.step()
    second = rehearsal(trainer, trainer.feed.next())
    assert "only/step" not in second and "later/step" in second
    assert first["later/trains"] == second["only/trains"] == "w", "a fact, in every phase"


def test_a_rehearsal_runs_the_code_of_the_loop() -> None:
    """Each update by `Trainer.update_once`, as a trial; the log and the method's state do not hear of it."""
    trainer = trainer_for(small("wgan"))
    trainer.step()
    reports, seen, once = dict(trainer.reports), [], trainer.update_once

    def watched(update: Update, batch: Batch, *, commit: bool = True) -> UpdateResult:
        seen.append((update.name, commit))
        return once(update, batch, commit=commit)

    before = copy.deepcopy(trainer.state())
    trainer.update_once = watched
    with trainer.undone():
        rehearsal(trainer, trainer.feed.next())
    assert seen == [(update.name, False) for update in trainer.updates]
    assert trainer.reports.keys() == reports.keys() and all(trainer.reports[key] is reports[key] for key in reports)
    assert_same(trainer.state()["method"], before["method"])
    assert_same(trainer.state()["optimizers"], before["optimizers"])


def test_nan_in_a_rehearsal_is_no_failure() -> None:
    """It is the training itself that has to meet it, and to go back."""
    trainer = trainer_for(Straight(factor=float("nan")))
    found = rehearsal(trainer, trainer.feed.next())
    assert np.isnan(found["only/gradient"]) and float(trainer.method.w.detach()) == 2.0


def test_shares_of_pairs() -> None:
    assert above(torch.tensor([2.0, 3.0]), torch.tensor([1.0])) == 1.0
    assert above(torch.tensor([1.0]), torch.tensor([1.0])) == 0.5
    assert above(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.5])) == 0.75
    found = logit_figures(torch.tensor([3.0, 5.0]), torch.tensor([3.0, 5.0]), torch.tensor([-1.0, 1.0]))
    assert found["logits/overfit"] == 0.5 and found["logits/apart"] == found["logits/held_apart"] == 1.0
    assert found["logits/margin"] == pytest.approx(4 / 2**0.5)  # means 4 and 0, both variances 2


def test_a_mark_of_the_label_is_seen(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = np.arange(300) % 3
    images = random.integers(0, 256, (300, 8, 8, 1)).astype(np.uint8)
    assert label_leak(digits_like(labels, images, tmp_path)) < 0.2
    images[:, 0, 0, 0] = 100 * labels
    assert label_leak(digits_like(labels, images, tmp_path)) == pytest.approx(1.0)


def test_labels_that_say_nothing_of_the_images_are_seen(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 300)
    images = (60 * labels[:, None, None, None] + random.integers(0, 60, (300, 8, 8, 1))).astype(np.uint8)
    related = digits_like(labels, images, tmp_path)
    assert Reference(related).labels_above_chance(related) > 10
    shuffled = digits_like(random.permutation(labels), images, tmp_path)
    assert abs(Reference(shuffled).labels_above_chance(shuffled)) < 3
    few = digits_like(labels[:60], images[:60], tmp_path)
    assert np.isnan(Reference(few).labels_above_chance(few))


def test_no_labels_or_too_few_of_each_say_nothing(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
    assert np.isnan(label_leak(digits_like(np.arange(40) % 20, images, tmp_path)))
    np.save(tmp_path / "plain.npy", images)
    assert np.isnan(label_leak(open_data(tmp_path / "plain.npy")))


def test_dead_units_are_counted() -> None:
    """Of four hidden ReLU units the biases shut one for good, and one is stuck at a constant: a half is dead."""
    first, last = nn.Linear(3, 4), nn.Linear(4, 1)
    with torch.no_grad():
        first.bias.copy_(torch.tensor([0.0, -1e6, 0.0, 5.0]))
        first.weight[3] = 0.0
    method = nn.ModuleDict({"G": nn.Sequential(first, nn.ReLU(), last)})
    with dead_inputs(method) as dead:
        method["G"](torch.randn(64, 3))
    assert dead() == {"G/dead": 0.5}
    assert not last._forward_pre_hooks


def test_a_collapsed_generator_and_one_that_paints_the_data() -> None:
    """What makes the scale: the same image over and over has no diversity; real images have gap 0 and diversity 1."""
    data = open_data("digits")
    reference = Health(small("gan"), data).reference
    same, _ = reference.compare(torch.zeros(128, 1, 28, 28))
    assert same["diversity"] < 0.01 and same["pixel_diversity"] < 0.01, "but for rounding none"
    assert same["nearest"] == 0 and same["near_duplicates"] == same["top_mode_share"] == 1
    assert reference.facts["reference/gap"] == pytest.approx(0, abs=0.1)
    assert reference.facts["reference/diversity"] == pytest.approx(1, abs=0.1)
    assert reference.facts["reference/near_duplicates"] < 0.1 and same["gap"] > 1
    again, _ = reference.compare(reference.held_out[:8].repeat(16, 1, 1, 1))
    assert again["near_duplicates"] == 1 and again["nearest"] == 0 and again["diversity"] > 0.7


@pytest.mark.parametrize("count", [3, 40])
def test_images_that_are_all_the_same(count: int, tmp_path: Path) -> None:
    """Nothing is divided by their spread, which is 0."""
    np.save(tmp_path / "same.npy", np.zeros((count, 8, 8, 1), np.uint8))
    trainer = trainer_for(small("gan"), open_data(tmp_path / "same.npy"))
    trainer.step()
    found = Health(trainer.method, open_data(tmp_path / "same.npy")).take(trainer)
    assert all(np.isfinite(value) for key, value in found.items() if key.startswith(("samples/", "reference/")))


def test_a_failure_inside_is_tidied_up() -> None:
    trainer = trainer_for(small("dcgan"))
    state = torch.get_rng_state()
    with pytest.raises(ZeroDivisionError), trainer.undone():
        torch.rand(3)
        trainer.method.eval()
        raise ZeroDivisionError
    assert torch.equal(torch.get_rng_state(), state) and trainer.method.training


# --- the guard ------------------------------------------------------------------------------------------------------------


def said(name: str, confidence: float = 0.9, **settings: float) -> Diagnosis:
    return Diagnosis(False, (Finding(name, confidence, {}, Change("because", dict(settings))),), 100)


def test_the_guard_waits_for_a_second_opinion() -> None:
    guard = Guard()
    assert guard.sure_of(said("stalled", lr=1.0)) is None
    assert guard.sure_of(said("divergence", lr=1.0)) is None, "another one"
    assert guard.sure_of(said("divergence", 0.6, lr=1.0)) is None, "not sure"
    assert guard.sure_of(said("divergence")) is None, "nothing to change"
    note = Finding("unusual_setting", 0.9, {}, Change("because", {"lr": 1.0}), level="note")
    assert [guard.sure_of(Diagnosis(True, (note,), 100)) for _ in range(3)] == [None] * 3, "a note is no fault"
    assert guard.sure_of(said("divergence", lr=1.0)) is None
    found = guard.sure_of(said("divergence", lr=1.0))
    assert found is not None and found.name == "divergence"
    for _ in range(2 * MAX_CHANGES):
        guard.sure_of(said("divergence", lr=1.0))
    assert guard.changes == MAX_CHANGES


@pytest.mark.parametrize("restart", [False, True])
def test_a_guarded_training_changes_itself(restart: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change = Change("a larger learning rate", {"lr": 0.5, "beta1": 0.2}, restart)
    finding = Finding("learning_rate_too_low", 0.9, {"relative step": 1e-6}, change)
    once = iter([finding])
    monkeypatch.setattr(Guard, "sure_of", lambda *_: next(once, None))
    run = train_small("gan", tmp_path / "run", 6, guard=True)
    assert run.info["settings"]["lr"] == 0.5 and run.info["settings"]["beta1"] == 0.2
    events = [row for row in run.log() if row.get("event") in ("changed", "said")]
    assert events[0]["finding"] == "learning_rate_too_low" and events[0]["settings"] == {"lr": 0.5, "beta1": 0.2}
    assert "changed --set lr=0.5 --set beta1=0.2" in events[1]["message"]
    assert ("start again" in events[1]["message"]) is restart
    state = newest_state(run)
    assert state["counters"]["steps"] == 6
    group = state["optimizers"]["G"]["param_groups"][0]
    assert group["lr"] == 0.5 and group["betas"][0] == 0.2
    resumed = ganvas.train(resume=run.folder, data=images(), steps=9)
    assert newest_state(resumed)["counters"]["steps"] == 9


def test_a_new_training_takes_over_weights_and_moments_but_not_the_step_size() -> None:
    old = trainer_for(small("dcgan", lr=1e-3))
    for _ in range(3):
        old.step()
    new = trainer_for(small("dcgan", lr=5e-4), seed=1)
    assert take_over(new, old.state(), counters=False)
    assert new.steps == 0 and new.feed.position == 0
    assert_same(new.state()["method"], old.state()["method"])
    assert_same(new.state()["optimizers"]["G"]["state"], old.state()["optimizers"]["G"]["state"])
    assert new.optimizers["G"].param_groups[0]["lr"] == 5e-4
    wider = trainer_for(small("dcgan", width=5))
    before = wider.state()["method"]["G.project.weight"].clone()
    assert not take_over(wider, old.state(), counters=False)
    assert torch.equal(wider.state()["method"]["G.project.weight"], before)
    augmented = trainer_for(small("dcgan", augment="ada"))
    assert take_over(augmented, old.state()) and augmented.steps == 3
    augmented.step()


def test_what_the_first_batch_decided_is_taken_over_too() -> None:
    """A codebook that was learned is not made anew by k-means of the new training's first batch."""
    old = trainer_for(small("vq_vae"))
    for _ in range(3):
        old.step()
    still = {"lr": 0.0, "codebook_decay": 0.99999, "revive": 0.0}
    new = trainer_for(small("vq_vae", **still), seed=1)
    assert take_over(new, old.state(), counters=False)
    again = trainer_for(small("vq_vae", **still), seed=1)
    again.restore(new.state())  # a checkpoint of step 0 knows of it
    learned = old.method.get_buffer("Q.0.vectors")
    for trainer in (new, again):
        trainer.step()
        assert torch.allclose(trainer.method.get_buffer("Q.0.vectors"), learned, atol=1e-3)
    anew = trainer_for(small("vq_vae", **still), seed=1)
    assert not take_over(anew, old.state(), weights=False) and anew.steps == 3
    before = anew.method.get_buffer("Q.0.vectors").clone()
    anew.step()
    assert not torch.allclose(anew.method.get_buffer("Q.0.vectors"), before, atol=1e-2), "networks anew: k-means again"


def test_two_processes_cannot_be_guarded(tmp_path: Path) -> None:
    from dataclasses import replace

    from ganvas.errors import UsageError
    from ganvas.training.engine import start_engine

    engine = replace(start_engine("cpu", "fp32"), ranks=2)
    with pytest.raises(UsageError, match="--guard changes a training in one process only"):
        Session(TrainConfig(steps=2, guard=True), tmp_path, small("gan"), images(), engine)
