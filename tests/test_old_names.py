"""Runs of every format that was ever written are read, resumed and measured as if this version had written them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import ganvas
from ganvas import old_names
from ganvas.doctor import diagnose
from ganvas.errors import RunError
from ganvas.networks.video import cells, from_cells
from ganvas.registry import create, find, method_names
from ganvas.report.measured import newest
from ganvas.run import Run
from ganvas.settings import settings_of
from ganvas.training.prepare import recorded_config
from parts import blocks, small, trainer_for

RUNS = Path(__file__).parent / "data" / "runs"
GOLDEN = sorted(path.name for path in RUNS.iterdir())
every_format = pytest.mark.parametrize("name", GOLDEN)
SAME = 2  # levels of 255, between processors


def golden(name: str, folder: Path) -> Path:
    """A copy that a test may train on, without what the run must give."""
    return Path(shutil.copytree(RUNS / name, folder / "run", ignore=shutil.ignore_patterns("expected.npz")))


def test_a_run_of_each_format_is_kept() -> None:
    kept = {json.loads((RUNS / name / "settings.json").read_text())["format"] for name in GOLDEN}
    assert kept == set(old_names.RUN_FORMATS), "tools/make_golden_run.py makes one of the newest format"
    for name in GOLDEN:
        assert sum(path.stat().st_size for path in (RUNS / name).rglob("*") if path.is_file()) < 200_000


@every_format
def test_its_images_are_the_same(name: str) -> None:
    run = Run(RUNS / name)
    with np.load(RUNS / name / "expected.npz") as expected:
        images = expected["images"].astype(int)
    assert images.std() > 10, "an image of one colour says nothing"
    assert np.abs(np.asarray(run.sample(len(images), seed=3)).astype(int) - images).max() <= SAME


@every_format
def test_it_is_trained_on(name: str, tmp_path: Path) -> None:
    """From its checkpoint, whose optimisers come along; afterwards it is a run of the newest format."""
    folder = golden(name, tmp_path)
    before = Run(folder)
    steps = before.info["budget"]["steps"]
    ganvas.train(resume=folder, steps=steps + 2, device="cpu")
    run = Run(folder)
    assert json.loads((folder / "settings.json").read_text())["format"] == old_names.RUN_FORMATS[-1]
    rows = [row for row in run.log() if "event" not in row]
    assert rows[-1]["step"] == steps + 2
    assert before.info["settings"].items() <= run.info["settings"].items(), "newer settings join with their defaults"
    assert run.info["spec"]["kind"] == "images"
    assert run.sample(1).shape == (1, 16, 16, 1)


@every_format
def test_its_figures_log_and_config_are_read(name: str) -> None:
    run = Run(RUNS / name)
    figure = newest(run).figures["FD[digits]"]
    assert figure.reference is not None and figure.value > figure.reference > 0
    health = [row for row in run.log() if row.get("event") == "health"]
    assert {"reference/coverage", "logits/real", "discriminator/predicted", "images"} <= health[-1].keys()
    assert diagnose(run.folder).step == run.info["budget"]["steps"]
    assert recorded_config(run).method == "dcgan"


def test_a_format_of_the_future_is_refused(tmp_path: Path) -> None:
    folder = golden(GOLDEN[-1], tmp_path)
    info = json.loads((folder / "settings.json").read_text())
    (folder / "settings.json").write_text(json.dumps({**info, "format": 99}))
    with pytest.raises(RunError, match="in format 99; this one reads formats 1 and 2: use the ganvas that wrote it"):
        Run(folder)


# --- the tables -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "old", "new"),
    [(method, *pair) for method, names in old_names.OLD_SETTINGS.items() for pair in names.items()],
)
def test_an_old_setting_is_read_and_no_method_has_it(method: str, old: str, new: str) -> None:
    known = settings_of(find(method))
    if new not in known:  # a table of the family, of which the method has a part
        pytest.skip(f"{method} has no {new}")
    assert old not in known
    default = known[new].default
    assert old_names.read_settings(method, {old: default}) == {new: default}


def test_each_line_of_the_table_is_of_use() -> None:
    """A new name that no method has would be a typing error, and lose a setting."""
    for names in old_names.OLD_SETTINGS.values():
        for new in names.values():
            assert any(
                new in settings_of(find(method))
                for method, known in old_names.OLD_SETTINGS.items()
                if new in known.values()
            )


@pytest.mark.parametrize("method", sorted(old_names.OLD_MODULES))
def test_old_weights_are_found_under_new_names(method: str) -> None:
    """Each new name is an attribute of the method's networks today, and the old one is not."""
    assert method in method_names()
    parts = {part for name in trainer_for(small(method)).method.state_dict() for part in name.split(".")}
    for old, new in old_names.OLD_MODULES[method].items():
        assert new in parts and old not in parts
        assert old_names.read_weights(method, {f"method.G.{old}.weight": 1}) == {f"method.G.{new}.weight": 1}


def last_of_generator(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """The last layer of gan3d's and vae3d's G on x (N, C, D, H, W), with this version's weights."""
    return F.pad(from_cells(F.conv3d(x, weight, bias, padding=1)), (-1,) * 6)


def first_of_discriminator(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
    """The first layer of gan3d's D and vae3d's E on x (N, 1, D, H, W), with this version's weights."""
    return F.conv3d(cells(F.pad(x, (1,) * 6)), weight, bias)


@pytest.mark.parametrize("method", old_names.IN_CELLS)
def test_convolutions_on_voxels_are_read_as_ones_on_cells(method: str) -> None:
    """With their weights both layers give what those of before 30 November 2026 gave, and an optimiser's moments are theirs."""
    first = "D.convs.0" if method == "gan3d" else "E.body.convs.0"
    up, down = nn.ConvTranspose3d(3, 1, 4, stride=2, padding=1), nn.Conv3d(1, 5, 4, stride=2, padding=1)
    old, state, expected = {}, {}, {}
    for name, layer, x in ((first, down, torch.randn(2, 1, 8, 6, 4)), ("G.convs.1", up, torch.randn(2, 3, 4, 3, 2))):
        optimizer = torch.optim.Adam(layer.parameters())
        expected[name] = (x, layer(x).detach())
        layer(x).square().sum().backward()
        old |= {f"method.{name}.{key}": value.detach().clone() for key, value in layer.state_dict().items()}
        optimizer.step()
        for moments in optimizer.state_dict()["state"].values():
            state[len(state)] = moments
    optimizers = {"vae": {"state": state}}
    if method == "gan3d":
        optimizers = {"D": {"state": {0: state[0], 1: state[1]}}, "G": {"state": {0: state[2], 1: state[3]}}}
    read = old_names.read_state(method, {"method": old, "optimizers": optimizers})
    moments = [each for optimizer in read["optimizers"].values() for each in optimizer["state"].values()]

    for number, (name, (x, y)) in enumerate(expected.items()):
        apply = last_of_generator if name.startswith("G") else first_of_discriminator
        weight, bias = (read["method"][f"method.{name}.{key}"].requires_grad_() for key in ("weight", "bias"))
        outputs = apply(weight, bias, x)
        assert torch.allclose(outputs, y, atol=1e-5)
        outputs.square().sum().backward()
        assert torch.allclose(moments[2 * number]["exp_avg"], 0.1 * weight.grad, atol=1e-4)
        assert moments[2 * number]["exp_avg_sq"].shape == weight.shape
        assert torch.allclose(moments[2 * number + 1]["exp_avg"].sum(), 0.1 * bias.grad.sum(), atol=1e-4)
        assert moments[2 * number + 1]["exp_avg_sq"].shape == bias.shape


def test_what_is_on_cells_already_stays() -> None:
    state = trainer_for(create("vae3d", "tiny"), blocks()).method.state_dict()
    read = old_names.read_weights("vae3d", state)
    assert all(read[name] is value for name, value in state.items())


def test_names_of_another_method_are_left_alone() -> None:
    """A method of somebody's own may call a network or a setting as it likes."""
    assert old_names.read_weights("theirs", {"D.judge.weight": 1}) == {"D.judge.weight": 1}
    assert old_names.read_settings("theirs", {"turn": 3}) == {"turn": 3}


def test_a_first_stage_is_read_too() -> None:
    text = json.dumps({"method": "vq_vae", "settings": {"halvings": 3}})
    (settings,) = old_names.read_settings("code_prior", {"first_stage": text}).values()
    assert json.loads(settings) == {"method": "vq_vae", "settings": {"downsamplings": 3}}
    assert old_names.read_settings("code_prior", {"first_stage": "no JSON"}) == {"first_stage": "no JSON"}


@pytest.mark.parametrize(
    ("row", "read"),
    [
        ({"step": 1, "painter/loss": 2.0}, {"step": 1, "generator/loss": 2.0}),
        ({"generators/game": 1.0, "generators/loss": 2.0}, {"generators/adversarial": 1.0, "generators/loss": 2.0}),
        ({"event": "health", "samples/twins": 0.1}, {"event": "health", "samples/near_duplicates": 0.1}),
        ({"event": "health", "data/label_agreement": 60.0}, {"event": "health", "data/labels_above_chance": 60.0}),
        ({"event": "said", "message": "floor/x"}, {"event": "said", "message": "floor/x"}),
    ],
)
def test_rows_of_a_log(row: dict[str, Any], read: dict[str, Any]) -> None:
    assert old_names.read_row(row) == read == old_names.read_row(read)


def test_an_old_option_is_accepted_with_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganvas.deprecation._warned", set())
    words = ["restore", "run", "in.png", "--no-sheets", "--out", "out"]
    with pytest.warns(FutureWarning, match=r"the option --no-sheets is now called --no-grids: .* until ganvas 0\.3"):
        assert old_names.read_words(words) == ["restore", "run", "in.png", "--no-grids", "--out", "out"]
    assert old_names.read_words(["sample", "--no-sheets"]) == ["sample", "--no-sheets"], (
        "never an option of this command"
    )
    assert old_names.read_words([]) == []


def test_old_options_are_no_options_and_new_ones_are() -> None:
    import typer.main

    from ganvas.cli.main import app

    group: Any = typer.main.get_command(app)
    for command, names in old_names.OLD_OPTIONS.items():
        flags: set[str] = set()
        for parameter in group.commands[command].params:
            flags |= {*parameter.opts, *parameter.secondary_opts}
        assert not flags & set(names) and set(names.values()) <= flags


def test_a_user_may_still_give_an_old_name() -> None:
    with pytest.warns(
        FutureWarning, match=r"vq_vae's setting halvings is now called downsamplings: .* until ganvas 0\.3"
    ):
        method = create("vq_vae", None, {"halvings": 3})
    assert method.settings()["downsamplings"] == 3
