"""The benchmarks of quality: they run, and their sums are right."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch

from ganvas.abilities import Samples
from ganvas.data import open_data
from ganvas.defaults import MEASURED_SEED
from ganvas.registry import create


def test_digits_that_were_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import cgan_labels

    words = {"--preset": "tiny", "--minutes": "0.002", "--seeds": "0", "--per-class": "3", "--set": "lr=0.001"}
    cgan_labels.main([*(word for pair in words.items() for word in pair), "--json", "--out", str(tmp_path)])
    report = json.loads(capsys.readouterr().out)
    assert report["reference"] > 0.98 and report["settings"] == {"lr": "0.001"}
    (row,) = report["rows"]
    assert row["n"] == 30 and report["mean"] == row["value"] == pytest.approx(sum(row["by_class"].values()) / 10)
    assert (tmp_path / "cgan-0" / "weights.safetensors").exists()


def test_budget_is_processor_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock of ten seconds a look: six seconds are over after the first step."""
    import common

    looks = iter(range(0, 10**6, 10))
    monkeypatch.setitem(common.CLOCKS, "processor", lambda: float(next(looks)))
    run = common.train_run("dcgan", open_data("digits"), tmp_path / "run", minutes=0.1, seed=0, preset="tiny")
    assert list(run.log())[-1]["step"] == 1


def test_means_over_seeds_by_hand() -> None:
    import modes

    rows = [{"method": "dcgan", "modes": count, "KL": 1.0} for count in (100, 300)] + [
        {"method": "mgan", "modes": 7, "KL": 2.0}
    ]
    found = modes.means(rows)
    assert (found["dcgan"]["modes"], found["dcgan"]["modes_spread"], found["dcgan"]["modes_least"]) == (
        200,
        pytest.approx(141.42, abs=0.01),
        100,
    )
    assert (found["mgan"]["KL"], found["mgan"]["KL_spread"], found["mgan"]["seeds"]) == (2.0, 0.0, 1)


def test_settings_on_the_command_line() -> None:
    from common import read_settings, settings_under

    assert settings_under("pacgan", {"pacgan.pack": "3", "lr": "1"}) == {"pack": "3"}
    assert read_settings(["pacgan.pack=3", "lr=1=2"]) == {"pacgan.pack": "3", "lr": "1=2"}
    with pytest.raises(SystemExit, match="--set takes key=value"):
        read_settings(["pack"])


def test_pairs_of_emoji_are_edited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Men in blue, women in red: pairs are found by their names, every fourth is held out, and each strength is a row."""
    import editing
    import numpy as np

    names = [f"{who}-job{number}" for number in range(20) for who in ("man", "woman")]
    assert editing.pairs_of(["female-cook", "runner", "male-cook", "red_haired_man", "red_haired_woman"]) == [
        (2, 0),
        (3, 4),
    ]
    images = np.random.default_rng(0).integers(0, 60, (40, 16, 16, 3)).astype(np.uint8)
    images[0::2, ..., 2] = 220
    images[1::2, ..., 0] = 220
    np.savez(tmp_path / "emoji.npz", google=images, twitter=images, names=np.array(names))
    words = [
        "emoji",
        str(tmp_path / "emoji.npz"),
        "--minutes",
        "0.002",
        "--steps",
        "1",
        "--out",
        str(tmp_path),
        "--json",
    ]
    editing.main(words)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["strength"] for row in rows] == [1.0, 1.5, 2.0]
    assert all(row["edit"] == "man to woman" and row["n"] == 10 and row["probe"] == 1 for row in rows)


def test_volumes_beside_their_floors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real shapes are not told from held-out ones; independent voxels are."""
    import volumes

    words = ["--preset", "tiny", "--minutes", "0.002", "--voxels", "16", "--set", "widths=4-2", "--sets", "2", "--json"]
    volumes.main([*words, "--out", str(tmp_path), "--grid", str(tmp_path / "grid.png")])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert list(rows) == ["other training volumes", "independent voxels", "mean shape", "vae3d", "gan3d"]
    assert [len(row[0]["1-NNA-CD"]) for row in rows.values()] == [2, 1, 1, 2, 2], "sets of samples"
    figures = {name: {key: fmean(each) for key, each in row[0].items()} for name, row in rows.items()}
    assert figures["other training volumes"]["1-NNA-CD"] < 0.7 < 0.85 < figures["independent voxels"]["1-NNA-CD"]
    assert figures["mean shape"]["COV-CD"] < 0.3 < figures["other training volumes"]["COV-CD"]
    assert (tmp_path / "grid.png").exists()


def test_videos_beside_their_floors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Real clips score as held-out ones do; still and shuffled ones and those of single frames do not."""
    import videos

    words = ["--preset", "tiny", "--frame-preset", "tiny", "--minutes", "0.002", "--n", "60", "--json"]
    videos.main([*words, "--methods", "mocogan", "--out", str(tmp_path), "--grid", str(tmp_path / "grid.png")])
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert list(rows) == ["held out", "still images", "shuffled frames", "generated frames", "mocogan"]
    distances = {name: row[0]["FD[motion]"] for name, row in rows.items()}
    assert all(distances[name] > 2 * distances["held out"] for name in rows if name != "held out")
    assert rows["still images"][0]["warped_error"] == 0 < rows["held out"][0]["warped_error"]
    assert (tmp_path / "grid.png").exists()
    videos.main([*words, "--methods", "mocogan", "--out", str(tmp_path), "--only-methods"])
    assert json.loads(capsys.readouterr().out)["rows"] == {"mocogan": rows["mocogan"]}


def test_the_digit_that_was_asked_for() -> None:
    """Real clips of the classes of the seeds, and real clips of other classes."""
    import videos

    data = open_data("moving_digits")
    method = create("mocogan", "tiny", {"conditional": True})
    method.spec = data.spec
    method.build(data.spec)
    assert isinstance(method, Samples) and data.labels is not None
    asked = method.labels(range(MEASURED_SEED, MEASURED_SEED + 40))
    assert asked is not None
    labels = np.array(data.labels)
    first = np.array([np.flatnonzero(labels == digit)[0] for digit in range(10)])
    of_asked, of_next = first[asked.numpy()], first[(asked.numpy() + 1) % 10]
    right, wrong = (videos.digit_asked(method, np.asarray(data.examples)[rows]) for rows in (of_asked, of_next))
    assert right is not None and wrong is not None
    assert right > 0.7 and wrong < 0.1
    plain = create("mocogan", "tiny")
    plain.spec = data.spec
    plain.build(data.spec)
    assert videos.digit_asked(plain, np.asarray(data.examples)[:4]) is None


def test_means_with_intervals_by_hand() -> None:
    """1, 2 and 3: a standard deviation of 1, half of the interval is 4.303 / sqrt(3) = 2.48."""
    import common

    rows = [{"what": "a", "seed": seed, "BLEU": seed + 1.0, "steps": 7, "note": ""} for seed in range(3)]
    found = common.with_means([*rows, {"what": "b", "seed": 0, "BLEU": 1.0, "steps": 1, "note": ""}], "steps")
    assert found[4:] == [{"what": "a", "seed": "mean", "BLEU": "2 ± 2.5", "steps": "", "note": ""}]


def test_quality_and_variety_of_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row is there, real lines resemble held-out ones more than an untrained generator's, and copies are counted."""
    import text_quality

    monkeypatch.setattr(text_quality, "COUNT", 30)
    names = ["Anna", "Anne", "Annika", "Hanna", "Johanna", "Joanna", "Marianne", "Susanna"] * 25
    path = tmp_path / "names.txt"
    path.write_text("\n" + "\n".join(names) + "\n")
    short = ["--steps", "2", "--adversarial", "1", "--relaxed", "1", "--temperatures", "1", "0", "--preset", "tiny"]
    text_quality.main([str(path), *short, "--seeds", "0", "--json"])
    report = json.loads(capsys.readouterr().out)
    rows = {row["what"]: row for row in report["rows"]}
    assert list(rows) == [
        "real lines", "maximum likelihood, temperature 1", "maximum likelihood, temperature 0", "seqgan", "relgan",
    ]  # fmt: skip
    assert rows["real lines"]["BLEU"] > 90 and rows["real lines"]["known"] == 100
    assert rows["real lines"]["distance"] < rows["relgan"]["distance"]
    alike = rows["maximum likelihood, temperature 0"]
    assert alike["self_BLEU"] == 100 or alike["self_BLEU"] == 0, "one text thirty times, or too short for BLEU"


def restoration_words(folder: Path) -> list[str]:
    """A short training of a tiny network on smooth noise."""
    from PIL import Image

    random = np.random.default_rng(0)
    for part, count in (("train", 3), ("test", 1)):
        (folder / "photos" / part).mkdir(parents=True)
        for number in range(count):
            coarse = Image.fromarray(random.integers(0, 256, (9, 10, 3)).astype(np.uint8))
            coarse.resize((80, 72), Image.Resampling.BICUBIC).save(folder / "photos" / part / f"{number}.png")
    sizes = ["--set", "width=4", "--set", "blocks=1", "--set", "batch_size=2"]
    return [str(folder / "photos"), "--minutes", "0.002", *sizes, "--json", "--out", str(folder / "runs")]


def test_srgan_from_the_weights_of_srresnet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its interpolation at 0 is srresnet."""
    import restoration

    words = ["--only", "srresnet", "srgan", "--from-srresnet", "--perceptual", "none", "--size", "32", "--scale", "4"]
    restoration.main([*restoration_words(tmp_path), *words])
    rows = json.loads(capsys.readouterr().out)["seeds"]["0"]["larger"]
    assert rows["srgan --interpolation 0"] == rows["srresnet"] != rows["bicubic"]
    info = json.loads((tmp_path / "runs" / "srgan-from-srresnet-x4-0" / "settings.json").read_text())
    assert info["settings"]["first_phase"] == 0 and info["spec"]["height"] == 32


def test_degraded_photos_are_the_same_for_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bicubic and both presets on three kinds of degraded photos, of which the clean one is the nearest to the original."""
    import restoration

    restoration.main([*restoration_words(tmp_path), "--degraded"])
    tables = json.loads(capsys.readouterr().out)["seeds"]["0"]
    assert list(tables) == ["clean, bicubic", "as trained on", "out of focus, JPEG twice"]
    for rows in tables.values():
        assert list(rows) == ["bicubic", "srresnet small", "srresnet photo"]
    clean, *degraded = (rows["bicubic"]["PSNR[Y]"] for rows in tables.values())
    assert clean > max(degraded) + 1
    photo = torch.rand(3, 20, 24) * 2 - 1
    for kind in (restoration.photo_like, restoration.out_of_focus):
        assert kind(photo, 2, 5).shape == (3, 10, 12) and torch.equal(kind(photo, 2, 5), kind(photo, 2, 5))
        assert not torch.equal(kind(photo, 2, 5), kind(photo, 2, 6))
