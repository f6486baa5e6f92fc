"""What a training does when the numbers, the folder or the wishes are wrong."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor

import ganvas
from ganvas import registry
from ganvas.data import DataSpec
from ganvas.data.batch import Batch
from ganvas.errors import GanvasError, RunError, TrainingError, UsageError
from ganvas.losses.adversarial import discriminator_cross_entropy, non_saturating_generator
from ganvas.method import REGISTERED, setting
from ganvas.methods.gan import Adversarial
from ganvas.networks.mlp import MLPDiscriminator, MLPGenerator
from ganvas.run import Run, RunWriter
from ganvas.training.callbacks import Callback
from ganvas.training.checkpoint import checkpoints, load_state
from ganvas.training.config import TrainConfig
from ganvas.training.engine import Engine
from ganvas.training.evaluator import Evaluator
from ganvas.training.health import Health
from ganvas.training.prepare import prepare
from ganvas.training.run_folder import find_run, new_folder
from ganvas.training.session import Interrupted
from parts import Crash, CrashAfterSaving, folder_of, image_file, images, newest_state, small, train_small, weights


class Shaky(Adversarial):
    """A GAN whose discriminator's loss turns NaN at chosen calls, counted over the whole test."""

    name = "shaky"
    title = "a GAN with an illness"
    paper = "none, arXiv:0"
    batch_size: int = setting(8, "images a step", minimum=1)
    z_dim: int = setting(4, "numbers in a latent", minimum=1)
    calls: ClassVar[int] = 0
    ill: ClassVar[Callable[[int], bool]] = staticmethod(lambda call: False)

    def build(self, spec: DataSpec) -> None:
        self.G, self.D = MLPGenerator(4, [8], spec.shape), MLPDiscriminator(spec.shape, [8])

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        fake = batch.memo("fake", lambda: self.generate_for(batch))
        return {"loss": non_saturating_generator(self.D(fake)).mean()}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        Shaky.calls += 1
        assert Shaky.calls < 200, "this training never ends"
        fake = batch.memo("fake", lambda: self.generate_for(batch)).detach()
        loss = discriminator_cross_entropy(self.D(batch.real), self.D(fake)).mean()
        return {"loss": loss * float("nan") if Shaky.ill(Shaky.calls) else loss}


del REGISTERED["shaky"]  # other tests go over all methods


@pytest.fixture
def shaky(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[int], bool]], Shaky]]:
    registry.method_names()
    monkeypatch.setitem(REGISTERED, "shaky", Shaky)
    # A loss that counts its calls is not pure: only the training itself may call it.
    monkeypatch.setattr(Health, "due", lambda *_: False)

    def make(ill: Callable[[int], bool]) -> Shaky:
        Shaky.calls, Shaky.ill = 0, staticmethod(ill)
        return Shaky()

    yield make


def events(run: Run | Path, kind: str) -> list[dict[str, Any]]:
    return [row for row in Run(folder_of(run)).log() if row.get("event") == kind]


def assert_finite_on_disk(folder: Path) -> None:
    assert all(tensor.isfinite().all() for tensor in Run(folder).read_weights().values() if tensor.is_floating_point())
    for place in checkpoints(folder / "checkpoints"):
        load_state(place)


# --- NaN ----------------------------------------------------------------------------------------------------------------------


def test_nan_rolls_back_and_goes_on_with_new_random_numbers(shaky, tmp_path: Path) -> None:
    run = train_small(shaky({7}.__contains__), tmp_path / "run", 10, checkpoint_every=4)
    assert newest_state(run)["counters"] == {"steps": 10, "rollbacks": 1, "begun": True}
    (row,) = events(run, "said")
    assert "the update discriminator met NaN or inf at step 6, before any weight moved" in row["message"]
    assert "Went back to step 4 with new random numbers (1 of 3)" in row["message"]
    assert_finite_on_disk(run.folder)
    again = train_small(shaky({7}.__contains__), tmp_path / "again", 10, checkpoint_every=4)
    assert weights(again) == weights(run), "the same illness, the same cure"
    assert weights(train_small(shaky(lambda call: False), tmp_path / "well", 10)) != weights(run)


def test_nan_in_the_first_step_goes_back_to_the_start(shaky, tmp_path: Path) -> None:
    run = train_small(shaky({1}.__contains__), tmp_path / "run", 3)
    assert "Went back to step 0" in events(run, "said")[0]["message"]


def test_nan_that_stays_ends_the_training(shaky, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(
        TrainingError, match=r"at step 6.*3 roll-backs with new random numbers did not help.*--set lr="
    ) as caught:
        train_small(shaky(lambda call: call >= 7 and (call - 7) % 3 == 0), out, 10, checkpoint_every=4)
    assert caught.value.exit_code == 1 and str(out) in str(caught.value)
    assert len(events(out, "said")) == 3
    assert newest_state(out)["counters"]["steps"] == 4
    assert_finite_on_disk(out)
    well = train_small(shaky(lambda call: False), out, 10, resume=out)
    assert newest_state(well)["counters"]["steps"] == 10


def test_nan_that_comes_earlier_the_second_time_ends_the_training_too(shaky, tmp_path: Path) -> None:
    """At step 9, then always at step 5: there is no progress, so it must not continue for ever."""
    with pytest.raises(TrainingError, match="did not help"):
        train_small(shaky(lambda call: call >= 10 and (call - 10) % 6 == 0), tmp_path / "run", 20)
    assert Shaky.calls == 10 + 3 * 6


def test_many_illnesses_with_progress_between_them_are_survived(shaky, tmp_path: Path) -> None:
    run = train_small(shaky({4, 9, 14, 19, 24}.__contains__), tmp_path / "run", 20, checkpoint_every=1)
    assert newest_state(run)["counters"] == {"steps": 20, "rollbacks": 5, "begun": True}
    assert all("(1 of 3)" in row["message"] for row in events(run, "said"))


def test_a_weight_that_is_not_finite_is_never_saved(shaky, tmp_path: Path) -> None:
    class Poison(Callback):
        def saved(self, trainer) -> None:
            if trainer.steps == 4:
                with torch.no_grad():
                    trainer.average.networks["G"].layers[0].weight[0, 0] = float("inf")  # pyright: ignore[reportAttributeAccessIssue, reportIndexIssue]

    with pytest.raises(GanvasError, match=r"not saved: /average/G\.layers\.0\.weight holds NaN or inf at step 6"):
        train_small(shaky(lambda call: False), tmp_path / "run", 6, callbacks=[Poison()], checkpoint_every=2)
    assert newest_state(tmp_path / "run")["counters"]["steps"] == 4
    assert_finite_on_disk(tmp_path / "run")


def test_an_error_in_the_last_evaluation_loses_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Evaluator, trainer: object, *, with_metrics: bool) -> float:
        raise OSError("no space left for the images")

    monkeypatch.setattr(Evaluator, "evaluate", fail)
    with pytest.raises(OSError, match="no space left"):
        train_small("gan", tmp_path / "run", 3)
    assert newest_state(tmp_path / "run")["counters"]["steps"] == 3


# --- continuing -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A gan of 3 steps, started by name and path so that a resume needs nothing but the folder."""
    return train_small("gan", tmp_path_factory.mktemp("finished") / "run", 3)


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Run:
    """A copy to play with."""
    return Run(shutil.copytree(finished.folder, tmp_path / "copy"))


def resume(run: Run, **more: Any) -> Run:
    chosen: dict[str, Any] = {
        "method": "gan",
        "data": images(),
        "steps": 5,
        "precision": "fp32",
        "samples": 0,
        **more,
    }
    return ganvas.train(resume=run.folder, device="cpu", **chosen)


def test_a_folder_is_enough_to_go_on(tmp_path: Path) -> None:
    """Method, data, settings and budget come from it."""
    made = {"steps": 4, "seed": 5, "precision": "fp32", "device": "cpu", "samples": 0, "evaluate_every": 1000}
    path, wish = image_file((1, 28, 28)), small("gan").settings()
    straight = ganvas.train("gan", path, out="straight", settings=wish, **made)
    with pytest.raises(Crash):
        ganvas.train("gan", path, out="run", settings=wish, checkpoint_every=2, callbacks=[CrashAfterSaving(2)], **made)
    resumed = ganvas.train(resume="run", samples=0)
    assert weights(resumed) == weights(straight)
    assert resumed.info["budget"]["steps"] == 4 and resumed.info["seed"] == 5


def test_a_resume_refuses_another_method(run: Run) -> None:
    with pytest.raises(RunError, match="is a run of gan, not of dcgan: omit the method, or choose another --out"):
        resume(run, method="dcgan")


def test_a_resume_refuses_other_data(run: Run) -> None:
    with pytest.raises(RunError, match=r"was trained on .*1x28x28-40.npz, not on .*1x28x28-30.npz: omit --data"):
        resume(run, data=image_file((1, 28, 28), 30))


def test_a_resume_refuses_other_settings(run: Run) -> None:
    with pytest.raises(RunError, match=r"keeps its settings.*lr was 0.0002, not 0.1.*start a new run"):
        resume(run, settings={"lr": 0.1})
    with pytest.raises(RunError, match=r"lr was 0.0002"):
        resume(run, method=small("gan", lr=0.3))
    with pytest.raises(RunError, match=r"data\.mirror was False"):
        resume(run, data_settings={"mirror": True})
    with pytest.raises(RunError, match="preset"):
        resume(run, preset="wide")
    assert newest_state(resume(run, settings={"lr": "2e-4"}, data_settings={"mirror": "no"}))["counters"]["steps"] == 5


def test_a_resume_refuses_data_that_changed_under_its_name(tmp_path: Path) -> None:
    path = shutil.copy(image_file((1, 28, 28)), tmp_path / "mine.npz")
    made = ganvas.train(small("gan"), path, out="run", steps=1, precision="fp32", device="cpu", samples=0)
    with np.load(path, allow_pickle=False) as old:
        np.savez(path, images=255 - old["images"], labels=old["labels"])
    with pytest.raises(RunError, match=r"its fingerprint was .* now it is .* Restore the data, or start a new run"):
        resume(made, data=path)


def test_a_resume_needs_a_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no run at nowhere: the folder does not exist"):
        train_small("gan", "nowhere", 1, resume="nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(RunError, match=r"other is not a run: it has no settings\.json"):
        train_small("gan", "other", 1, resume="other")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must hold a JSON object"),
        ('{"a": 1}', "is not of a run: it lacks"),
        ("\x00\xff", "is not valid JSON"),
    ],
)
def test_a_foreign_settings_file_is_told(run: Run, content: str, words: str) -> None:
    (run.folder / "settings.json").write_text(content)
    with pytest.raises(RunError, match=words):
        resume(run)


def test_a_run_of_another_version_is_told(run: Run) -> None:
    info = json.loads((run.folder / "settings.json").read_text())
    (run.folder / "settings.json").write_text(json.dumps({**info, "format": 77, "ganvas": "9.9"}))
    with pytest.raises(RunError, match=r"was written by ganvas 9\.9 in format 77; this one reads format"):
        resume(run)


def test_a_run_of_format_1_is_read_under_the_names_of_today(run: Run) -> None:
    info = json.loads((run.folder / "settings.json").read_text())
    spec = {**info["spec"], "kind": "pictures"}
    (run.folder / "settings.json").write_text(json.dumps({**info, "format": 1, "spec": spec}))
    old = Run(run.folder)
    assert (old.info["format"], old.spec.kind) == (2, "images")
    resume(old)


def test_a_checkpoint_of_another_network_is_told(run: Run) -> None:
    info = json.loads((run.folder / "settings.json").read_text())
    info["settings"]["generator"] = "33"
    (run.folder / "settings.json").write_text(json.dumps(info))
    with pytest.raises(RunError, match=r"the checkpoint in .* does not fit"):
        resume(run, method=small("gan", generator="33"))
    with pytest.raises(RunError, match=r"do not fit its settings.json"):
        Run(run.folder).sample(1)


def test_a_damaged_checkpoint_is_named_and_leaves_no_trace(run: Run, tmp_path: Path) -> None:
    newest = checkpoints(run.folder / "checkpoints")[-1] / "state.safetensors"
    newest.write_bytes(newest.read_bytes()[:-100])
    resumed = resume(run)
    (row,) = events(resumed, "said")
    assert "step-00000003" in row["message"] and "Using the checkpoint before it" in row["message"]
    assert (run.folder / "checkpoints" / "damaged-step-00000003").exists()
    assert weights(resumed) == weights(train_small("gan", tmp_path / "straight", 5))


def test_a_run_with_nothing_but_damaged_checkpoints_stops(run: Run) -> None:
    for place in checkpoints(run.folder / "checkpoints"):
        (place / "manifest.json").unlink()
    with pytest.raises(RunError, match=r"every checkpoint in .* is damaged: start a new run with another --out"):
        resume(run)


def test_damaged_weights_are_told_and_written_anew(run: Run) -> None:
    (run.folder / "weights.safetensors").write_bytes(b"no")
    with pytest.raises(RunError, match=r"weights\.safetensors is damaged .*ganvas train --resume"):
        Run(run.folder).sample(1)
    assert resume(run).sample(1).shape == (1, 28, 28, 1)


def test_what_a_killed_process_left_half_written_goes(run: Run) -> None:
    left = [run.folder / ".weights.safetensors.ab1.part", run.folder / "samples" / ".00000001.png.x.part"]
    for path in left:
        path.write_bytes(b"half")
    resume(run)
    assert not any(path.exists() for path in left)


def test_a_checkpoint_half_removed_goes_even_if_nothing_is_left_to_train(run: Run) -> None:
    """Killed after its last checkpoint, while it dropped an old one: a resume has no step to save."""
    left = run.folder / "checkpoints" / ".step-00000001.123.old.part"
    left.mkdir()
    (left / "state.json").write_text("{}")
    resume(run, steps=3)
    assert not left.exists()


def test_auto_starts_or_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Crash):
        train_small("gan", "run", 6, resume="auto", checkpoint_every=2, callbacks=[CrashAfterSaving(4)])
    resumed = train_small("gan", "run", 6, resume="auto")
    assert weights(resumed) == weights(train_small("gan", "straight", 6))
    with pytest.raises(UsageError, match="--resume auto needs --out"):
        ganvas.train(small("gan"), images(), steps=1, resume="auto")


def test_auto_starts_where_a_run_was_killed_before_its_first_line(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".settings.json.abc.part").write_text("{")
    assert train_small("gan", "run", 1, resume="auto").folder == Path("run")


def test_find_run(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run.folder
    assert find_run(TrainConfig(out=folder)) is None
    assert find_run(TrainConfig(resume="auto", out="free")) is None
    for asked, out in (("auto", folder), (folder, None), (folder, folder), (str(folder), folder / ".." / folder.name)):
        found = find_run(TrainConfig(resume=asked, out=out))
        assert found is not None and found.folder.resolve() == folder.resolve()
    with pytest.raises(UsageError, match="continues in that folder, and --out names another"):
        find_run(TrainConfig(resume=folder, out="elsewhere"))
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "0")
    assert find_run(TrainConfig(out=folder)) is None
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "1")
    assert find_run(TrainConfig(out=folder)) is not None, "torchrun started us again"
    assert find_run(TrainConfig(out="free")) is None


# --- places and wishes --------------------------------------------------------------------------------------------------------


def test_a_place_that_is_taken_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"already holds a run. Continue it with --resume"):
        train_small("gan", run.folder, 1)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("precious")
    for place in ("full", "full/thesis.tex"):
        with pytest.raises(RunError, match="exists and is not an empty folder: choose another --out"):
            train_small("gan", place, 1)
    assert (tmp_path / "full" / "thesis.tex").read_text() == "precious"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GanvasError, match=r"cannot make file/run: Not a directory"):
        train_small("gan", "file/run", 1)


def test_trainings_prepared_together_get_a_folder_each() -> None:
    """Neither folder is there yet when the names are chosen."""
    made = [
        prepare(TrainConfig(small("gan"), images(), steps=1, precision="fp32", device="cpu", samples=0)) for _ in "ab"
    ]
    assert made[0].folder == made[1].folder
    runs = [session.run() for session in made]
    assert runs[1].folder.name == f"{runs[0].folder.name}-2"
    assert all(sum(row.get("event") == "started" for row in run.log()) == 1 for run in runs)


def test_a_folder_that_was_asked_for_is_not_shared() -> None:
    made = [
        prepare(TrainConfig(small("gan"), images(), out="run", steps=1, precision="fp32", device="cpu", samples=0))
        for _ in "ab"
    ]
    made[0].run()
    with pytest.raises(RunError, match="run already holds a run"):
        made[1].run()


@pytest.mark.parametrize("wrong", [{"method": ["gan"]}, {"seed": "seven"}, {"fingerprint": None}, {"budget": 3}])
def test_settings_of_another_kind_are_damaged(wrong: dict[str, Any], tmp_path: Path) -> None:
    run = train_small("gan", tmp_path / "run", 1)
    path = run.folder / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **wrong}))
    with pytest.raises(RunError, match=f"is damaged: {next(iter(wrong))} must be"):
        train_small("gan", None, 2, resume=run.folder)  # pyright: ignore[reportArgumentType]


@pytest.mark.skipif(os.name == "nt" or sys.platform == "darwin", reason="names are text there")
def test_names_that_are_no_utf8_reach_the_report(tmp_path: Path) -> None:
    for name in (b"caf\xe9", "thé".encode()):
        folder = tmp_path / "data" / os.fsdecode(name)
        folder.mkdir(parents=True)
        for number in range(20):
            shade = np.full((8, 8, 1), number * 10, np.uint8)
            ganvas.data.write_png(folder / f"{number}.png", shade)
    out = tmp_path / os.fsdecode(b"out\xff")
    ganvas.train(small("gan"), tmp_path / "data", out=out, steps=1, precision="fp32", device="cpu", samples=0)
    assert "caf\\udce9" in (out / "report.html").read_text(encoding="utf-8")


def test_an_empty_folder_that_was_asked_for_is_taken() -> None:
    Path("run").mkdir()
    assert train_small("gan", "run", 1).info["method"] == "gan"


def test_what_the_lead_spent_on_looking_is_agreed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or it would skip a grid for which the others wait."""
    made = prepare(TrainConfig(small("gan"), images(), out="run", steps=2, precision="fp32", device="cpu", samples=0))
    monkeypatch.setattr(Engine, "agree", lambda self, *values: (*values[:2], 7.0))
    made.run()
    assert made.cadence.sampling_seconds >= 7.0


def test_free_names_are_counted_on(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        folder = new_folder(None, "gan", "my/data:x")
        folder.mkdir(parents=True)
        names.append(folder.as_posix())
    assert names == ["runs/gan-my_data_x", "runs/gan-my_data_x-2", "runs/gan-my_data_x-3"]


@pytest.mark.parametrize(
    "wish",
    [
        {"steps": 0},
        {"minutes": 0.0},
        {"minutes": -1.0},
        {"images": 0},
        {"minutes": float("nan")},
        {"minutes": float("inf")},
    ],
)
def test_a_budget_must_be_positive(wish: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(wish))} must be (> 0|>= 1|a finite number)"):
        TrainConfig(**wish)


def test_a_budget_of_images_ends_at_the_first_step_beyond(tmp_path: Path) -> None:
    run = ganvas.train(small("gan"), images(), out="run", images=40, precision="fp32", device="cpu", samples=0)
    state = newest_state(run)
    assert state["counters"]["steps"] == 3 and state["feed"]["position"] == 48  # batches of 16


def test_a_budget_of_minutes_ends(tmp_path: Path) -> None:
    run = ganvas.train(small("gan"), images(), out="run", minutes=0.004, precision="fp32", device="cpu", samples=0)
    (row,) = events(run, "finished")
    assert 0.06 <= row["seconds"] < 2  # a quarter of them at least is left for training


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"precision": "fp64"}, "precision must be one of auto, fp32, tf32, bf16"),
        ({"device": "gpu"}, "device must be auto, cpu, cuda"),
        ({"compile": "maybe"}, "compile must be one of auto, on, off"),
        ({"checkpoint_every": 0}, "checkpoint_every must be >= 1"),
        ({"evaluate_every": -1}, "evaluate_every must be >= 1"),
    ],
)
def test_wishes_are_checked_before_anything_is_written(wish: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        train_small("gan", "run", 1, **wish)
    assert not Path("run").exists()


# --- what a run holds ---------------------------------------------------------------------------------------------------------


def test_a_run_holds_what_later_commands_need(finished: Run) -> None:
    info = finished.info
    assert (
        info["method"] == "gan"
        and info["seed"] == 0
        and info["budget"] == {"steps": 3, "images": None, "minutes": None}
    )
    assert ganvas.create("gan", settings=info["settings"]).settings() == small("gan").settings()
    assert info["settings"].keys() == small("gan").settings().keys()
    assert info["fingerprint"] == images().fingerprint
    assert finished.spec == images().spec
    assert finished.data_card["shape"] == [1, 28, 28]
    rows = [row for row in finished.log() if "event" not in row]
    assert rows[-1]["step"] == 3 and rows[-1]["images_seen"] == 48 and rows[-1]["progress"] == 1.0
    assert {"generator/loss", "discriminator/loss", "discriminator/gradient_norm"} <= rows[-1].keys()
    assert [row["step"] for row in events(finished, "saved")] == [0, 3]
    assert (finished.folder / "samples" / "00000003.png").is_file()


def test_listeners_hear_it_all_in_order(tmp_path: Path) -> None:
    heard: list[tuple[str, int]] = []

    class Ear(Callback):
        def __getattribute__(self, name: str) -> Any:
            if name in ("started", "saved", "evaluated", "finished"):
                return lambda trainer, *more: heard.append((name, trainer.steps))
            return super().__getattribute__(name)

    train_small("gan", "run", 4, checkpoint_every=2, evaluate_every=3, callbacks=[Ear()])
    assert heard == [
        ("started", 0),
        ("saved", 0),
        ("saved", 2),
        ("evaluated", 3),
        ("evaluated", 4),
        ("saved", 4),
        ("finished", 4),
    ]


def test_a_torn_last_line_of_the_log_takes_no_other_with_it(run: Run) -> None:
    whole = list(run.log())
    with open(run.folder / "log.jsonl", "a") as log:
        log.write('{"step": 99, "gener')
    assert list(run.log()) == whole
    for step in (100, 101):
        RunWriter(run.folder).row({"step": step})
    assert list(run.log()) == [*whole, {"step": 100}, {"step": 101}]


def test_the_best_of_the_last_measures_is_in_the_state(tmp_path: Path) -> None:
    """Also where the last step is one that saves: what a longer training has to beat."""
    run = ganvas.train(
        small("gan"), "digits", out="run", steps=2, checkpoint_every=2, evaluate_every=2, samples=200, precision="fp32",
        device="cpu",
    )  # fmt: skip
    best = newest_state(run)["best"]
    assert (
        best["metric"] == "FD[digits]"
        and best["step"] == 2
        and best["value"] == run.metrics["metrics"]["FD[digits]"]["value"]
    )
    assert (run.folder / "best" / "weights.safetensors").read_bytes() == weights(run)


def test_interrupted_says_how_to_exit() -> None:
    assert Interrupted("stopped", 2).exit_code == 130 and Interrupted("stopped", 15).exit_code == 143
