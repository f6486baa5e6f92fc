"""The table of every GAN: what is run, what is kept, what is written."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import common  # noqa: E402
import gan_table  # noqa: E402

from ganvas.registry import method_names  # noqa: E402

STAGES = ("code_prior-digits-0-vq_vae", "code_prior-digits-0")


def test_all_that_paints_from_nothing_is_in_it() -> None:
    found = set(gan_table.generators())
    assert {"dcgan", "gan", "r3gan", "stylegan2", "lapgan", "vae", "code_prior", "flow_matching", "pixelcnn"} <= found
    assert not found & {"pix2pix", "vq_vae", "denoise", "adain", "wavenet", "rnn_text"} and found <= set(method_names())


def test_a_prior_shares_its_minutes_with_the_codes_it_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gan_table.SETS, "digits", 50)
    gan_table.run_one(tmp_path, "code_prior", "digits", 0, 0.01)
    (result,) = (json.loads(path.read_text()) for path in tmp_path.glob("*.json"))
    assert result["method"] == "vq_vae + code_prior"
    stages = [json.loads((tmp_path / name / "settings.json").read_text()) for name in STAGES]
    assert [stage["method"] for stage in stages] == ["vq_vae", "code_prior"]
    assert [stage["budget"]["minutes"] for stage in stages] == [0.005, 0.005]


def test_seeds_come_first_so_that_an_unfinished_table_has_every_method() -> None:
    cells = list(gan_table.wanted(["a", "b"], ["digits", "emoji"], [0, 1]))
    assert cells == [
        ("a", "digits", 0), ("b", "digits", 0), ("a", "emoji", 0), ("b", "emoji", 0), ("a", "digits", 1), ("b", "digits", 1),
    ]  # fmt: skip


def test_one_cell_trains_measures_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(gan_table.SETS, "digits", 50)
    gan_table.run_one(tmp_path, "gan", "digits", 3, 0.004)
    place = gan_table.result_file(tmp_path, "gan", "digits", 3, 0.004)
    row = json.loads(place.read_text())
    assert row["method"] == "gan" and row["seed"] == 3 and row["steps"] > 0
    assert row["images_seen"] == row["steps"] * 32 and row["metrics"]["FD[digits]"]["n"] == 50
    assert not (tmp_path / "gan-digits-3/checkpoints").exists()
    page = tmp_path / "page.md"
    page.write_text(
        "# Mine\n\nWords before.\n\n<!-- written by benchmarks/gan_table.py -->old<!-- end -->\n\nWords after.\n"
    )
    assert place.with_suffix(".png").exists()
    gan_table.write_page(page, [row])
    text = page.read_text()
    assert text.startswith("# Mine\n\nWords before.") and text.endswith("Words after.\n") and "old" not in text
    assert "| gan | small | 1 |" in text and json.loads(page.with_suffix(".json").read_text()) == [row]
    gan_table.write_page(page, [{**row, "minutes": 30}])
    text = page.read_text()
    assert text.index("## 30 minutes") < text.index("## 0.004 minutes"), "what the page had stays, longer budgets first"
    gan_table.write_page(page, [{**row, "minutes": 30, "steps": 1}])
    assert [kept["steps"] for kept in json.loads(page.with_suffix(".json").read_text())] == [row["steps"], 1]


def test_a_set_of_ones_own_under_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """48 images in a file: the row, its folder and its title have the name that was given, and a preset of that name is taken."""
    images = np.random.default_rng(0).integers(0, 256, (48, 16, 16, 3), np.uint8)
    np.savez(tmp_path / "mine.npz", images=images)
    monkeypatch.setattr(gan_table, "OTHERS", 20)
    gan_table.run_one(tmp_path, "stylegan2", f"faces={tmp_path / 'mine.npz'}", 0, 0.004)
    row = json.loads((tmp_path / "stylegan2-faces-0-0.004min.json").read_text())
    assert row["data"] == row["preset"] == "faces" and row["metrics"]["FD[filter_bank]"]["n"] == 20
    gan_table.write_page(tmp_path / "page.md", [row, {**row, "data": "digits"}])
    text = (tmp_path / "page.md").read_text()
    assert text.index("### digits, 0.004 minutes") < text.index("### faces, 0.004 minutes\n\n20 samples")
    assert [gan_table.named(data) for data in ("emoji", "a/b.npz")] == [("emoji", "emoji"), ("b", "a/b.npz")]


def test_means_and_spread_over_seeds() -> None:
    """2, 4 and 6: mean 4, standard deviation 2."""
    assert common.shown([2.0, 4.0, 6.0]) == "4.00 ± 2.00"
    assert [common.shown([value]) for value in (1234.5, 0.01234, 0.0)] == ["1,234", "0.0123", "0"]
    assert common.mean_and_spread([100, 300]) == (200, pytest.approx(141.42, abs=0.01))
    assert common.mean_and_spread([7]) == (7, 0)
