"""Each trouble, written into an otherwise healthy log, is the one that is found; the healthy log has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ganvas.doctor import FINDING_MEANINGS, FINDINGS, diagnose, expected
from ganvas.doctor.rules import RULES, ramp
from ganvas.doctor.signals import Signals
from ganvas.doctor.unusual import is_count, powers_between, unusual_settings
from ganvas.registry import create, find, method_names, presets
from ganvas.settings import settings_of
from ganvas.training.guard import ACTING_CONFIDENCE
from logs import write_log

DEAD_START = {"samples/gap": 3.5, "samples/pixel_gap": 2.0}  # nothing was learned
NO_COVERAGE = {"coverage": {"value": 0.0, "better": "higher", "n": 500, "reference": 0.9}}
COUNTS = {"train": 5000, "test": 500}
TROUBLES: dict[str, dict[str, Any]] = {
    "bad_data_range": {"data_card": {"channels": [{"min": 0, "max": 1, "mean": 0.2, "std": 0.4}]}},
    "noise_images": {"data_card": {"neighbour_correlation": 0.01}},
    "one_colour_images": {"data_card": {"counts": COUNTS, "one_colour": {"images": 2750, "such_as": ["a.png"]}}},
    "mixed_ranges": {"data_card": {"counts": COUNTS, "other_range": {"images": 1000, "such_as": []}}},
    "repeated_images": {"data_card": {"counts": COUNTS, "duplicates": {"within_train": 2000}}},
    "unrelated_labels": {"changes": {"classes": 10.0, "data/labels_above_chance": 0.4}},
    "label_leak": {"changes": {"data/label_leak": 0.99}},
    "too_little_data": {"changes": {"images": 90.0}},
    "divergence": {"changes": {"samples/pixel_gap": lambda t: 2 * (1 - 2 * t) + 0.1 if t < 0.5 else 1.8}},
    "learning_rate_too_high": {"changes": {"G/weights": lambda t: 10 + 200 * t, "G/dead": 0.5, **DEAD_START}},
    "learning_rate_too_low": {"changes": {"generator/step": 2e-5, "discriminator/step": 2e-5, **DEAD_START}},
    "generator_too_strong": {"changes": {"logits/apart": 0.5, "logits/held_apart": 0.5, **DEAD_START}},
    "vanishing_generator_gradient": {
        "rows": {"generator/gradient_norm": lambda t: 10.0 ** (-8 * t)},
        "changes": {"logits/held_apart": 1.0, **DEAD_START},
    },
    "discriminator_too_strong": {
        "changes": {"logits/margin": 40.0, "logits/held_apart": 1.0, "logits/apart": 1.0, **DEAD_START}
    },
    "mode_collapse": {
        "changes": {
            "samples/diversity": 0.0, "samples/pixel_diversity": 0.0, "samples/near_duplicates": 1.0, "samples/nearest": 0.0,
        }
    },
    "partial_collapse": {"changes": {"samples/near_duplicates": 0.9, "samples/nearest": 0.0}},
    "discriminator_overfits": {"changes": {"logits/overfit": 0.9}},
    "oscillation": {
        "changes": {"samples/drift": 2.0, "samples/drift_back": 1.2, "samples/gap": 2.5, "samples/pixel_gap": 1.6}
    },
    "unusual_setting": {"settings": {"beta1": 0.99}, "changes": DEAD_START},
    "augmentation_too_strong": {
        "rows": {"discriminator/augment_p": 1.0},
        "extra": [{"event": "evaluated", "step": 1000, "metrics": NO_COVERAGE}],
    },
    "not_learned": {"extra": [{"event": "evaluated", "step": 1000, "metrics": NO_COVERAGE}]},
    "stalled": {
        "changes": {
            "samples/drift": 0.0, "samples/gap": lambda t: max(1.5, 3.5 - 10 * t),
            "samples/pixel_gap": lambda t: max(1.0, 2 - 5 * t),
        }
    },
}  # fmt: skip


def test_a_training_that_goes_well_has_no_findings(tmp_path: Path) -> None:
    diagnosis = diagnose(write_log(tmp_path))
    assert diagnosis.healthy is True and diagnosis.findings == () and diagnosis.step == 1000


@pytest.mark.parametrize("name", FINDINGS)
def test_each_trouble_is_found_by_its_name(name: str, tmp_path: Path) -> None:
    diagnosis = diagnose(write_log(tmp_path, **TROUBLES[name]))
    assert diagnosis.healthy is False
    first = diagnosis.findings[0]
    assert first.name == name
    assert 0.5 <= first.confidence <= 1 and first.evidence and first.meaning == FINDING_MEANINGS[name]
    assert first.change.line
    assert first.plot is None or all(len(x) == len(y) > 1 for _, x, y in first.plot.lines)


@pytest.mark.parametrize(("coverage", "healthy"), [(0.88, True), (0.7, False)])
def test_an_overfitted_discriminator_matters_where_samples_cover_less(
    tmp_path: Path, coverage: float, healthy: bool
) -> None:
    figure = {"value": coverage, "better": "higher", "n": 500, "reference": 0.9}
    evaluated = [{"event": "evaluated", "step": 1000, "metrics": {"coverage": figure}}]
    diagnosis = diagnose(write_log(tmp_path, changes={"logits/overfit": 0.9}, extra=evaluated))
    assert diagnosis.healthy is healthy
    assert [finding.name for finding in diagnosis.findings] == ([] if healthy else ["discriminator_overfits"])


@pytest.mark.parametrize(
    ("method", "settings", "change"),
    [
        ("dcgan", {"beta1": 0.99}, {"beta1": 0.5}),
        ("r3gan", {"gamma": 1000.0}, {"gamma": None}),
        ("r3gan", {"gamma": 0.0}, {"gamma": None}),
        ("wgan", {"clip": 5.0}, {"clip": 0.05}),
        ("wgan", {"clip": 1e-6}, {"clip": 0.05}),
        ("wgan", {"n_critic": 50}, {"n_critic": 1}),
        ("dcgan", {"width": 2800}, {"width": 28}),
        ("dcgan", {"width": 3}, {"width": 28}),
    ],
)
def test_the_setting_at_fault_is_named(
    method: str, settings: dict[str, Any], change: dict[str, Any], tmp_path: Path
) -> None:
    first = diagnose(write_log(tmp_path, DEAD_START, method=method, settings=settings)).findings[0]
    assert first.name == "unusual_setting" and first.change.settings == change and first.change.restart
    assert next(iter(settings)) in first.change.text


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("dcgan", {"beta1": 0.99}),
        ("dcgan", {"width": 280, "batch_size": 1024, "z_dim": 1000}),
        ("dcgan", {"width": 4}),  # a seventh
        ("dcgan", {"z_dim": 1}),
        ("r3gan", {"widths": "96-48-24-12-6", "gamma": 0.0}),
        ("stylegan2", {"r1_every": 1}),  # more work, and nothing is lost
        ("pixelcnn", {"levels": 2}),
        ("flow_matching", {"sampling_steps": 1}),
    ],
)
def test_an_unusual_setting_that_does_no_harm_is_at_most_a_note(
    method: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    diagnosis = diagnose(write_log(tmp_path, method=method, settings=settings))
    assert diagnosis.healthy is True
    noted = [finding.name for finding in diagnosis.findings]
    assert noted == (["unusual_setting"] if "beta1" in settings else [])


@pytest.mark.parametrize(
    ("method", "settings", "change"),
    [
        ("dcgan", {"batch_size": 2}, "--set batch_size=16"),
        ("dcgan", {"width": 3}, "--set width=28"),
        ("r3gan", {"widths": "4-2-1"}, "--set widths=96-48-24"),
        ("lsgan", {"augment": "ada", "ada_images": 1000}, "--set ada_images=500000"),
        ("gran", {"width": 1, "disc_width": 1}, "--set disc_width=64 --set width=64"),
    ],
)
def test_far_too_few_of_something_is_noted_before_it_does_harm(
    method: str, settings: dict[str, Any], change: str, tmp_path: Path
) -> None:
    diagnosis = diagnose(write_log(tmp_path, method=method, settings=settings))
    assert [(finding.name, finding.level) for finding in diagnosis.findings] == [("unusual_setting", "note")]
    assert diagnosis.healthy is True and diagnosis.line == "no trouble found (note: unusual_setting)"
    first = diagnosis.findings[0]
    assert 0.5 <= first.confidence < ACTING_CONFIDENCE and first.change.restart
    assert sorted(first.change.line.split(" --")) == sorted(change.split(" --"))
    assert "less than any preset has" in first.change.text


def test_a_note_becomes_a_fault_where_harm_is_seen(tmp_path: Path) -> None:
    """By how far the samples are from the data, or by what the setting may bring about."""
    few = {"batch_size": 2}
    dead = diagnose(write_log(tmp_path / "dead", DEAD_START, settings=few))
    less = {"samples/gap": lambda t: 1.9 if t else 3.5, "samples/pixel_gap": lambda t: 1.1 if t else 2.0}
    circles = {"samples/drift": 2.0, "samples/drift_back": 1.2, **less}
    turning = diagnose(write_log(tmp_path / "turning", circles, settings=few))
    weak = {"logits/apart": 0.5, "logits/held_apart": 0.5, **less}
    chance = diagnose(write_log(tmp_path / "chance", weak, method="wgan_gp", settings={"penalty": 10000.0}))
    for diagnosis in (dead, turning, chance):
        assert diagnosis.healthy is False
        assert (diagnosis.findings[0].name, diagnosis.findings[0].level) == ("unusual_setting", "fault")
        assert "expect worse results" in diagnosis.findings[0].meaning


def test_coverage_is_compared_with_that_of_as_many_images(tmp_path: Path) -> None:
    """A few held-out images are covered by as many others more easily than all training images are by thousands of samples."""
    figure = {"value": 0.03, "better": "higher", "n": 1000, "reference": 0.95, "reference_n": 191}
    levels = []
    for name, fair in (("unfair", {}), ("fair", {"value_at_reference_n": 0.2})):
        evaluated = [{"event": "evaluated", "step": 1000, "metrics": {"coverage": {**figure, **fair}}}]
        levels.append([finding.name for finding in diagnose(write_log(tmp_path / name, extra=evaluated)).findings])
    assert levels == [["not_learned"], []]


def slow(progress: float) -> dict[str, Any]:
    """Gaps of a training that gets to this progress, in both ways of measuring."""
    return {
        "samples/gap": lambda t: 3.5 * (1 - progress) if t else 3.5,
        "samples/pixel_gap": lambda t: 2.0 * (1 - progress) if t else 2.0,
    }


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Healthy trainings of dcgan had got to 0.7 of emoji and 0.8 of digits after 900 steps."""
    table = {"dcgan": {"emoji": [(100, 0.2), (900, 0.7)], "digits": [(900, 0.8), (5000, 0.9)]}}
    monkeypatch.setattr(expected, "table", lambda: table)


SMALL = {"height": 28, "width": 28}


@pytest.mark.usefixtures("reached")
@pytest.mark.parametrize(
    ("progress", "info", "level"),
    [
        (0.55, {"data": "emoji", "spec": SMALL}, "fault"),
        (0.65, {"data": "emoji", "spec": SMALL}, "note"),
        (0.65, {"data": "digits", "spec": SMALL}, "fault"),
        (0.65, {"data": "faces.zip", "spec": SMALL}, "note"),  # the least of all sets
        (0.55, {"data": "faces.zip", "spec": SMALL}, "fault"),
        (0.55, {"data": "faces.zip", "spec": {"height": 64, "width": 64}}, "note"),  # such images were not measured
        (0.55, {"data": "emoji"}, "note"),
    ],
)
def test_a_note_becomes_a_fault_where_healthy_trainings_get_further(
    progress: float, info: dict[str, Any], level: str, tmp_path: Path
) -> None:
    folder = write_log(tmp_path, slow(progress), settings={"beta2": 0.5})
    change_info(folder, info)
    diagnosis = diagnose(folder)
    assert [(finding.name, finding.level) for finding in diagnosis.findings] == [("unusual_setting", level)]
    assert diagnosis.healthy is (level == "note")
    known = diagnosis.findings[0].evidence.get("progress of healthy trainings by then")
    assert (known is None) == (info.get("spec") != SMALL)


@pytest.mark.usefixtures("reached")
def test_less_progress_than_usual_alone_is_no_fault(tmp_path: Path) -> None:
    """Data may be harder than those that were measured."""
    folder = write_log(tmp_path / "a", slow(0.55))
    change_info(folder, {"data": "emoji", "spec": SMALL})
    assert diagnose(folder).healthy is True and diagnose(folder).findings == ()
    other = write_log(tmp_path / "b", slow(0.55), method="lsgan", settings={"beta2": 0.5})
    change_info(other, {"data": "emoji", "spec": SMALL})
    assert [finding.level for finding in diagnose(other).findings] == ["note"], "of lsgan nothing is known here"
    taken = write_log(tmp_path / "c", {**slow(0.55), "taken_over": 1.0}, settings={"beta2": 0.5})
    change_info(taken, {"data": "emoji", "spec": SMALL})
    assert [finding.level for finding in diagnose(taken).findings] == ["note"]


@pytest.mark.usefixtures("reached")
def test_a_training_behind_in_the_middle_may_still_get_there(tmp_path: Path) -> None:
    gaps = {"samples/gap": lambda t: 3.5 - 1.9 * t, "samples/pixel_gap": lambda t: 2 - 1.1 * t}
    levels = []
    for looks in (8, 10):
        folder = write_log(tmp_path / str(looks), gaps, settings={"beta2": 0.5}, looks=looks)
        change_info(folder, {"data": "emoji", "spec": SMALL})
        levels.append([finding.level for finding in diagnose(folder).findings])
    assert levels == [["note"], ["fault"]]


def test_how_far_healthy_trainings_got_was_measured() -> None:
    for method, sets in expected.table().items():
        assert method in method_names() and sets.keys() <= {"digits", "emoji"}
        for points in sets.values():
            steps = [step for step, _ in points]
            assert steps == sorted(set(steps)) and steps[0] >= 100 and all(-1 <= value <= 1 for _, value in points)
    assert expected.at([(100, 0.2), (200, 0.4)], 99) is None and expected.at([(100, 0.2), (200, 0.4)], 200) == 0.4


def change_info(folder: Path, info: dict[str, Any]) -> None:
    path = folder / "settings.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **info}))


def test_a_training_that_still_improves_is_not_harmed_before_its_end(tmp_path: Path) -> None:
    gaps = {"samples/gap": lambda t: 3.5 - 1.5 * t, "samples/pixel_gap": lambda t: 2 - 0.8 * t}
    middle, end = (
        diagnose(write_log(tmp_path / str(looks), gaps, settings={"beta2": 0.5}, looks=looks)) for looks in (8, 10)
    )
    assert middle.healthy is True and [finding.level for finding in middle.findings] == ["note"]
    assert end.healthy is False and end.findings[0].name == "unusual_setting"
    assert end.findings[0].change.line == "--set beta2=0.999"


def test_faults_come_before_notes(tmp_path: Path) -> None:
    diagnosis = diagnose(write_log(tmp_path, {"logits/overfit": 0.62}, settings={"beta2": 0.5}))
    assert [finding.level for finding in diagnosis.findings] == ["note"]
    both = diagnose(write_log(tmp_path, {"data/label_leak": 0.878}, settings={"beta2": 0.5}))
    assert [(finding.name, finding.level) for finding in both.findings] == [
        ("label_leak", "fault"),
        ("unusual_setting", "note"),
    ]
    assert both.findings[0].confidence < both.findings[1].confidence and both.healthy is False


def test_presets_are_not_unusual() -> None:
    """Not even `tiny`, which is no yardstick for others."""
    for name in method_names():
        for preset in (None, *presets(name)):
            info = {"method": name, "preset": preset, "settings": create(name, preset).settings()}
            assert unusual_settings(Signals(Path(), info=info)) == [], (name, preset)
    tiny = {"method": "dcgan", "settings": create("dcgan", "tiny").settings()}
    found = {one.name: one.too_few for one in unusual_settings(Signals(Path(), info=tiny))}
    assert found == {"width": True, "z_dim": False}


def test_a_setting_without_effect_is_not_named(tmp_path: Path) -> None:
    """`ada_images` is ADA's, and the default is no augmentation; a condition may hang on another one."""
    idle = {"ada_images": 1000, "ada_target": 0.99}
    assert diagnose(write_log(tmp_path, DEAD_START, settings=idle)).findings[0].name != "unusual_setting"
    used = diagnose(write_log(tmp_path, DEAD_START, settings={**idle, "augment": "ada"})).findings[0]
    assert used.name == "unusual_setting" and "ada_images" in used.change.settings

    settings = create("cyclegan", None, {"max_displacement": 60.0, "generator": "retouch"}).settings()
    for generator, named in (("retouch", ["max_displacement"]), ("unet", [])):
        info = {"method": "cyclegan", "settings": {**settings, "generator": generator}}
        assert [one.name for one in unusual_settings(Signals(Path(), info=info))] == named


@pytest.mark.parametrize(
    ("method", "key", "value", "usual", "powers"),
    [
        ("dcgan", "beta2", 0.5, 0.999, 2.7),
        ("dcgan", "beta2", 0.99, 0.999, 1.0),
        ("dcgan", "beta1", 0.001, 0.5, 0.3),  # as good as 0
        ("dcgan", "beta1", 0.0, 0.5, 0.3),
        ("r3gan", "ema", 0.0, 0.999, 3.0),
        ("r3gan", "ema", 0.99999, 0.999, 2.0),
        ("rnn_text", "dropout", 0.9, 0.0, 1.0),
        ("rnn_text", "dropout", 0.001, 0.1, 0.05),
        ("rnn_text", "top_p", 0.9, 1.0, 0.05),
        ("rnn_text", "temperature", 10.0, 1.0, 1.0),
        ("flow_matching", "label_dropout", 1.0, 0.1, 3.0),
        ("r3gan", "gamma", 0.0, 0.05, 3.0),
    ],
)
def test_how_far_a_setting_is(method: str, key: str, value: float, usual: float, powers: float) -> None:
    assert powers_between(value, usual, settings_of(find(method))[key]) == pytest.approx(powers, abs=0.01)


def test_what_counts_as_a_count() -> None:
    def counts(name: str) -> set[str]:
        return {key for key, setting in settings_of(find(name)).items() if is_count(setting, find(name))}

    assert counts("dcgan") == {"batch_size", "width", "ada_images"}
    assert "widths" in counts("r3gan") and "warmup" not in counts("r3gan")  # 0 is a choice there
    assert "r1_every" not in counts("stylegan2") and "sampling_steps" not in counts("flow_matching")
    assert "levels" not in counts("pixelcnn") and "categorical" not in counts("infogan")


def test_a_generator_is_not_called_strong_where_the_augmentation_is(tmp_path: Path) -> None:
    """D is trained on augmented images, and its logits in the log are of images as they are."""
    changes = {"logits/apart": 0.5, "logits/held_apart": 0.5}
    strong = {"discriminator/augment_p": lambda t: min(1.0, 3 * t)}
    findings = diagnose(write_log(tmp_path, changes, rows=strong, settings={"augment": "ada"})).findings
    assert [finding.name for finding in findings] == ["augmentation_too_strong"]
    assert findings[0].change.settings == {"augment": "diffaugment"}
    weak = {"discriminator/augment_p": 0.6}
    assert diagnose(write_log(tmp_path, rows=weak, settings={"augment": "ada"})).healthy is True


def test_a_setting_near_to_the_presets_is_not_blamed(tmp_path: Path) -> None:
    found = diagnose(write_log(tmp_path, DEAD_START, settings={"beta1": 0.7, "beta2": 0.998})).findings
    assert "unusual_setting" not in [finding.name for finding in found]


def test_copies_of_a_few_images_are_little_data(tmp_path: Path) -> None:
    card = {"counts": {"train": 4000}, "duplicates": {"within_train": 3975}}
    first = diagnose(write_log(tmp_path, {"images": 4000.0}, data_card=card)).findings[0]
    assert first.name == "too_little_data" and first.evidence["different ones"] == 25


def test_a_discriminator_that_does_not_learn(tmp_path: Path) -> None:
    """A factor leaves a zero as it is."""
    changes = {"logits/apart": 0.5, "logits/held_apart": 0.5, "discriminator/step": 0.0, **DEAD_START}
    first = diagnose(write_log(tmp_path, changes, settings={"balance": 0.0})).findings[0]
    assert first.name == "generator_too_strong" and first.change.settings == {"balance": 1.0}


def test_rules_and_names_are_the_same() -> None:
    assert set(RULES) == set(FINDINGS) == set(TROUBLES)


def test_a_low_or_high_loss_alone_means_nothing(tmp_path: Path) -> None:
    for number, loss in enumerate((0.0, 1e-6, 50.0, -300.0)):
        folder = write_log(tmp_path / str(number), rows={"generator/loss": loss, "discriminator/loss": loss})
        assert diagnose(folder).healthy is True


def test_an_accuracy_of_one_alone_means_nothing(tmp_path: Path) -> None:
    changes = {"logits/apart": 1.0, "logits/held_apart": 1.0}
    assert diagnose(write_log(tmp_path, changes, rows={"discriminator/accuracy": 1.0})).healthy is True


def test_effects_stand_behind_their_cause(tmp_path: Path) -> None:
    """A learning rate far too low leaves samples alike and still: neither is the trouble."""
    still = {
        "generator/step": 2e-5, "discriminator/step": 2e-5, "samples/drift": 0.0, "samples/near_duplicates": 1.0,
        "samples/nearest": 0.0, "samples/diversity": 0.0, "samples/pixel_diversity": 0.0, **DEAD_START,
    }  # fmt: skip
    assert [finding.name for finding in diagnose(write_log(tmp_path, still)).findings] == ["learning_rate_too_low"]


def test_fading_steps_at_the_end_are_no_stall(tmp_path: Path) -> None:
    fading = {"samples/drift": lambda t: 0.5 if t < 0.95 else 0.0, "generator/step": lambda t: 0.01 * (1.0 - t)}
    assert diagnose(write_log(tmp_path, fading)).healthy is True


def test_nan_is_told_from_the_sentences_of_the_log(tmp_path: Path) -> None:
    said = {
        "event": "said",
        "step": 900,
        "message": "the update discriminator met NaN or inf at step 912, before any weight",
    }
    first = diagnose(write_log(tmp_path, extra=[said, said])).findings[0]
    assert first.name == "divergence" and first.evidence["updates with NaN"] == 2


@pytest.mark.parametrize(
    ("value", "low", "high", "wanted"),
    [
        (0.0, 1, 2, 0.0),
        (1.5, 1, 2, 0.5),
        (3.0, 1, 2, 1.0),
        (1.25, 2, 1, 0.75),
        (0.0, 2, 1, 1.0),
        (float("nan"), 1, 2, 0.0),
    ],
)
def test_ramp(value: float, low: float, high: float, wanted: float) -> None:
    assert ramp(value, low, high) == wanted


def test_odd_images_are_named_and_labels_matter_only_where_they_are_used(tmp_path: Path) -> None:
    found = diagnose(write_log(tmp_path / "a", **TROUBLES["one_colour_images"])).findings[0]
    assert found.change.line == "leave out the images of one colour, such as a.png"
    unused = {**TROUBLES["unrelated_labels"]["changes"], "classes": 0.0}
    assert diagnose(write_log(tmp_path / "b", unused)).healthy
