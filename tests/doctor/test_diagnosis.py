"""Short logs, foreign logs, damaged logs; what a diagnosis looks like as JSON; what is advised;
short trainings on volumes and on videos."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from ganvas.data import open_data
from ganvas.doctor import Diagnosis, diagnose
from ganvas.doctor.signals import read
from ganvas.errors import RunError
from ganvas.networks.video import MotionContentGenerator
from ganvas.networks.volume import VolumeGenerator
from ganvas.registry import create
from ganvas.settings import change
from ganvas.training.health import Health
from logs import write_log
from parts import train_small

pytestmark = pytest.mark.full_looks


def test_json_has_what_was_promised(tmp_path: Path) -> None:
    found = diagnose(write_log(tmp_path, {"data/label_leak": 1.0})).as_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["healthy"] is False
    assert {"name", "level", "confidence", "evidence", "change"} <= found["findings"][0].keys()


@pytest.mark.parametrize("looks", [0, 1, 3])
def test_not_enough_to_tell(looks: int, tmp_path: Path) -> None:
    diagnosis = diagnose(write_log(tmp_path, looks=looks))
    assert diagnosis.healthy is None and diagnosis.findings == ()
    assert diagnosis.line.startswith("not enough to tell: the log")


def test_what_lies_in_the_data_is_told_at_once(tmp_path: Path) -> None:
    data_card = {"channels": [{"min": 0, "max": 1, "mean": 0.2, "std": 0.4}]}
    diagnosis = diagnose(write_log(tmp_path, data_card=data_card, looks=1))
    assert diagnosis.healthy is False and [one.name for one in diagnosis.findings] == ["bad_data_range"]


def test_no_log(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no log"):
        diagnose(tmp_path)


def test_a_log_of_format_1_is_read_as_one_of_today(tmp_path: Path) -> None:
    from ganvas.doctor.signals import read

    (tmp_path / "log.jsonl").write_text(json.dumps({"step": 0, "event": "health", "floor/std": 0.5}) + "\n")
    assert read(tmp_path).newest_health["reference/std"] == 0.5


def test_distances_are_all_of_one_figure(tmp_path: Path) -> None:
    """Where the Fréchet distance came out as no number, the kernel distance does not stand in for it."""
    from ganvas.doctor.rules import progress
    from ganvas.doctor.signals import read

    kernel = {"value": 950.0, "better": "lower", "reference": -0.2}
    rows = [
        {"step": 10 * step, "event": "evaluated", "metrics": {"FD[x]": {**kernel, "value": distance}, "KD[x]": kernel}}
        for step, distance in enumerate([630.0, 315.0, None], start=1)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert progress(read(tmp_path)) == 0.5


def test_translations_start_from_their_inputs(tmp_path: Path) -> None:
    """The first evaluation is late in a short training; how far the inputs are from the data is known."""
    from ganvas.doctor.rules import progress
    from ganvas.doctor.signals import read

    figure = {"better": "lower", "reference": 100.0, "input": 500.0, "input_is": "copied"}
    rows = [
        {"step": step, "event": "evaluated", "metrics": {"FD[x]": {"value": distance, **figure}}}
        for step, distance in enumerate([150.0, 125.0])
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert progress(read(tmp_path)) == 0.75


def foreign(path: Path, numbers: dict[str, float | None] | None = None, rows: int = 40) -> Path:
    """A log of another program: rows of numbers alone."""
    known = {
        "generator/loss": 1.0, "discriminator/loss": 1.0, "discriminator/real": 1.0, "discriminator/fake": -1.0,
        "discriminator/accuracy": 0.8, "generator/gradient_norm": 2.0,
    }  # fmt: skip
    lines = [json.dumps({"step": 10 * i, **known, **(numbers or {})}) for i in range(1, rows + 1)]
    path.mkdir(exist_ok=True)
    (path / "log.jsonl").write_text("\n".join(lines))
    return path


def test_a_foreign_log(tmp_path: Path) -> None:
    assert diagnose(foreign(tmp_path)).healthy is True
    assert diagnose(foreign(tmp_path, {"images_seen": 1e6})).healthy is True, "of how many images, nobody knows"
    diverged = diagnose(foreign(tmp_path, {"discriminator/loss": None}))
    assert diverged.findings[0].name == "divergence"
    assert diverged.findings[0].change.settings == {}, "nothing is known of its settings"
    assert diverged.findings[0].change.line
    assert diagnose(tmp_path / "log.jsonl").findings[0].name == "divergence", "the file itself will do"
    with open(tmp_path / "log.jsonl", "a") as log:
        log.write('\n{"event": ["what"], "step": 3}\n')
    assert diagnose(tmp_path).findings[0].name == "divergence", "events of another kind say nothing"


def test_a_foreign_log_whose_loss_runs_away(tmp_path: Path) -> None:
    lines = (foreign(tmp_path) / "log.jsonl").read_text().splitlines()
    rows = [{**json.loads(line), "discriminator/loss": 10.0 ** (i / 4)} for i, line in enumerate(lines)]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, rows)))
    first = diagnose(tmp_path).findings[0]
    assert first.name == "divergence" and first.evidence["growth of a loss in powers of ten"] > 5


def test_a_short_foreign_log(tmp_path: Path) -> None:
    assert diagnose(foreign(tmp_path, rows=15)).healthy is None


def test_a_log_without_a_discriminator_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text("\n".join(json.dumps({"step": i, "vae/loss": 1.0}) for i in range(200)))
    assert "nothing about a discriminator" in diagnose(tmp_path).line


def test_what_was_taken_back_does_not_count(tmp_path: Path) -> None:
    folder = write_log(tmp_path)
    with open(folder / "log.jsonl", "a") as log:
        log.write(json.dumps({"event": "health", "step": 500, "samples/gap": 3.0}) + '\n{"event": "heal')
    signals = read(folder)
    assert [row["step"] for row in signals.health] == [0, 100, 200, 300, 400, 500]
    assert signals.last("samples/gap") == 3.0


def test_after_a_change_only_the_start_and_what_came_later_count(tmp_path: Path) -> None:
    folder = write_log(tmp_path)
    with open(folder / "log.jsonl", "a") as log:
        log.write(json.dumps({"event": "changed", "step": 1000, "settings": {"lr": 1}}) + "\n")
        log.write(json.dumps({"event": "health", "step": 1100, "samples/gap": 3.0}) + "\n")
    signals = read(folder)
    assert [row["step"] for row in signals.health] == [0, 1100] and signals.rows == []
    assert diagnose(folder).healthy is None


LOW = {"generator/step": 2e-5, "discriminator/step": 2e-5, "samples/gap": 3.5, "samples/pixel_gap": 2.0}
STRONG = {"logits/margin": 40.0, "logits/held_apart": 1.0, "samples/gap": 3.5, "samples/pixel_gap": 2.0}


@pytest.mark.parametrize(
    ("method", "settings", "changes", "wanted"),
    [
        ("dcgan", {"lr": 1e-6}, LOW, {"lr": 3e-4}),  # 300 times: the most that is advised at once
        ("dcgan", {"balance": 10.0}, STRONG, {"balance": 1.0}),
        ("dcgan", {}, STRONG, {"balance": 0.25}),
        ("wgan", {"balance": 1e-9}, STRONG, {"balance": 1e-9 / 4}),
        ("dcgan", {}, {"logits/overfit": 0.9}, {"augment": "diffaugment"}),
        ("r3gan", {"augment": "diffaugment"}, {"logits/overfit": 0.9}, {"balance": 0.5}),
        (
            "gan", {"loss": "minimax"},
            {"logits/held_apart": 1.0, "samples/gap": 3.5, "samples/pixel_gap": 2.0}, {"loss": "non_saturating"},
        ),
        (
            "dcgan", {"z_dim": 2}, {"samples/near_duplicates": 0.9, "samples/nearest": 0.0}, {"z_dim": 64},
        ),
        (
            "dcgan", {"beta1": 0.99},
            {"samples/drift": 2.0, "samples/drift_back": 1.2, "samples/gap": 2.5, "samples/pixel_gap": 1.6}, {"beta1": 0.5},
        ),
    ],
)  # fmt: skip
def test_the_change_is_one_that_the_method_takes(method, settings, changes, wanted, tmp_path: Path) -> None:
    rows = {"generator/gradient_norm": lambda t: 10.0 ** (-8 * t)} if method == "gan" else {}
    folder = write_log(tmp_path, changes, method=method, settings=settings, rows=rows)
    advised = diagnose(folder).findings[0].change
    assert advised.settings == wanted
    changed = change(create(method, None, settings), advised.settings)
    assert all(getattr(changed, key) == value for key, value in wanted.items())
    assert advised.line == " ".join(f"--set {key}={value:g}" if isinstance(value, float) else f"--set {key}={value}"
                                    for key, value in wanted.items()) or "e-" in advised.line  # fmt: skip


SHORT = 120


def trained_shortly(name: str, out: Path) -> Diagnosis:
    settings: dict[str, object] = {"batch_size": 16}
    if name == "gan3d":
        data, settings = open_data("shapes", voxels=16), {"batch_size": 16, "lr": 0.004, "widths": (16, 8)}
    else:
        data = open_data("moving_digits", size=16, frames=8)
    return diagnose(train_small(create(name, "tiny", settings), out, SHORT, data))


@pytest.mark.parametrize(("name", "generator"), [("gan3d", VolumeGenerator), ("mocogan", MotionContentGenerator)])
def test_collapse_of_volumes_and_videos_is_found_and_nothing_else(
    name: str, generator: type[torch.nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Health, "affordable", lambda *_: True
    )  # in so few seconds a fast machine would take fewer looks
    healthy = trained_shortly(name, tmp_path / "healthy")
    assert healthy.healthy is True and not healthy.note, healthy

    forward = generator.forward
    monkeypatch.setattr(generator, "forward", lambda self, z, *more: forward(self, torch.ones_like(z), *more))
    collapsed = trained_shortly(name, tmp_path / "collapsed")
    assert collapsed.healthy is False
    assert [found.name for found in collapsed.findings] == ["mode_collapse"]
