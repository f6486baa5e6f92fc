"""Every example runs, at tiny size; the plain loops give the library's own losses."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganvas
from ganvas import registry
from ganvas.data import open_data, read_image
from ganvas.method import REGISTERED, Method
from parts import trainer_for
from studio_server import StudioProcess

EXAMPLES = Path(__file__).parents[2] / "examples"
ARGUMENTS = {
    "new_gan_in_one_file": ["--steps", "3", "--preset", "tiny", "--out", "run"],
    "train_and_sample": ["--method", "gan", "--preset", "tiny", "--minutes", "0.002"],
    "use_metrics": [],
    "plain_gan": ["--steps", "2"],
    "plain_dcgan": ["--steps", "2"],
    "plain_r3gan": ["--steps", "2"],
    "plain_loop_with_ganvas_networks": ["--preset", "tiny", "--steps", "3"],
    "with_lightning": ["--steps", "3"],
    "with_accelerate": ["--steps", "3"],
    "studio_client": ["--steps", "2", "--name", "client"],
    "features_for_scikit_learn": ["--preset", "tiny", "--minutes", "0.02"],
}


@pytest.fixture(autouse=True)
def _registry_as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A method that an example registers is unknown again after it."""
    registry.method_names()  # all of ours are known before the copy
    before = dict(REGISTERED)
    monkeypatch.setattr(registry, "_presets", {name: dict(known) for name, known in registry._presets.items()})
    yield
    REGISTERED.clear()
    REGISTERED.update(before)


def run_example(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    path = str(EXAMPLES / f"{name}.py")
    monkeypatch.setattr(sys, "argv", [path, *ARGUMENTS[name]])
    return runpy.run_path(path, run_name="__main__")


def test_every_example_is_run_here_and_listed() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.py")) == sorted(ARGUMENTS)
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert all(f"[{name}.py]({name}.py)" in readme for name in ARGUMENTS)


def test_new_gan_in_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    made = run_example("new_gan_in_one_file", monkeypatch)
    assert ganvas.load("run").info["method"] == "squared_hinge"
    assert read_image("run/grid.png").shape[:2] > (28 * 8, 28 * 8)
    assert isinstance(ganvas.create("squared_hinge", "tiny"), made["SquaredHinge"])
    with pytest.raises(ganvas.GanvasError, match="margin must be >= 0"):
        ganvas.create("squared_hinge", settings={"margin": -1})


def test_studio_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("starlette", reason="the studio's packages are not installed: pip install 'ganvas[studio]'")
    studio = StudioProcess(tmp_path / "runs")
    try:
        monkeypatch.setitem(
            ARGUMENTS, "studio_client", [*ARGUMENTS["studio_client"], "--url", f"http://127.0.0.1:{studio.port}"]
        )
        run_example("studio_client", monkeypatch)
    finally:
        studio.stop()
    assert (read_image("client-3.png") == ganvas.load(tmp_path / "runs" / "client").sample(1, seed=3)[0]).all()


def test_squared_hinge_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Margin 1, real logits 0 and 3, fake logits -2 and 1: violations 1 + 0 and 0 + 4, so the mean is 2.5."""
    import torch

    made = runpy.run_path(str(EXAMPLES / "new_gan_in_one_file.py"), run_name="example")
    gan = made["SquaredHinge"]()
    gan.D = lambda images: images.flatten(1).sum(1, keepdim=True)
    real, fake = torch.tensor([0.0, 3.0]).view(2, 1, 1, 1), torch.tensor([-2.0, 1.0]).view(2, 1, 1, 1)
    batch = ganvas.Batch(real)
    batch.memo("fake", lambda: fake)
    assert gan.discriminator_loss(batch)["loss"].item() == 2.5


def test_train_and_sample(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("train_and_sample", monkeypatch)
    assert read_image("samples.png").shape[2] in (1, 3)
    assert "(64, 28, 28, 1)" in capsys.readouterr().out


def test_use_metrics(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    run_example("use_metrics", monkeypatch)
    reference, good, dropped = (figures(line) for line in capsys.readouterr().out.splitlines())
    assert reference["frechet"] < good["frechet"] < dropped["frechet"]
    assert (
        reference["coverage"] > 0.9
        and dropped["coverage"] < 0.4
        and dropped["precision"] > 0.9 > 0.4 > dropped["recall"]
    )


def test_use_metrics_on_files(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    features = np.random.default_rng(0).normal(size=(60, 4))
    np.save("real.npy", features)
    np.save("fake.npy", features)
    monkeypatch.setitem(ARGUMENTS, "use_metrics", ["real.npy", "fake.npy"])
    run_example("use_metrics", monkeypatch)
    same, _ = (figures(line) for line in capsys.readouterr().out.splitlines())
    assert same["frechet"] == 0 and same["coverage"] == 1 and same["recall"] == 1


def figures(line: str) -> dict[str, float]:
    words = line.split()[-12:]
    return dict(zip(words[::2], map(float, words[1::2]), strict=True))


PLAIN = {
    "plain_gan": ("gan", {}),
    "plain_dcgan": ("dcgan", {"BATCH": "batch_size", "WIDTH": "width"}),
    "plain_r3gan": ("r3gan", {name: name.lower() for name in ("GAMMA", "PENALTY_EVERY", "WARMUP")}),
}


@pytest.mark.parametrize("name", PLAIN)
def test_plain_loop_has_the_losses_of_the_library(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To 1e-6 relative over the first steps: with a lazy penalty, two steps of each network, a falling learning rate."""
    steps, seed = 5, 3
    made = runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="example")
    _, theirs = made["train"](steps, seed)
    trainer = trainer_for(library_method(name, made), open_data("digits"), steps=steps, seed=seed)
    ours = []
    for _ in range(steps):
        trainer.step()
        numbers = trainer.numbers()
        ours.append((numbers["generator/loss"], numbers["discriminator/loss"]))
    np.testing.assert_allclose(theirs, ours, rtol=1e-6)
    assert abs(ours[-1][0] / ours[0][0] - 1) > 1e-4  # the networks did move in between


def library_method(name: str, made: dict[str, Any]) -> Method:
    """The library's method with the constants of the example as its settings."""
    known, also = PLAIN[name]
    names = {"BATCH": "batch_size", "Z_DIM": "z_dim", "LR": "lr", **also}
    settings = {setting: made[constant] for constant, setting in names.items()}
    settings["beta1"], settings["beta2"] = made["BETAS"]
    for constant, setting in {"WIDTHS": "widths", "WIDTHS_G": "generator", "WIDTHS_D": "discriminator"}.items():
        if constant in made:
            settings[setting] = "-".join(map(str, made[constant]))
    if "conditional" in ganvas.settings.settings_of(registry.find(known)):
        settings["conditional"] = False  # the examples know no labels
    return ganvas.create(known, settings=settings)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_loop_as_a_script(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run_example(name, monkeypatch)
    assert read_image(f"{name}.png").shape[:2] > (28 * 8, 28 * 8)


def test_plain_loops_are_plain() -> None:
    for name in PLAIN:
        text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        assert "ganvas.training" not in text and "ganvas.methods" not in text and "ganvas.losses" not in text


def test_plain_loop_with_ganvas_networks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each update of the method moved what it trains."""
    method = run_example("plain_loop_with_ganvas_networks", monkeypatch)["method"]
    fresh = ganvas.create("dcgan", "tiny")
    torch.manual_seed(0)
    fresh.setup(method.spec)
    assert torch.count_nonzero(method.G.first[0].running_mean) and not torch.count_nonzero(
        fresh.G.first[0].running_mean
    )
    said = capsys.readouterr().out
    assert "0 generator {'loss'" in said and "0 discriminator {'loss'" in said and "(4, 28, 28, 1)" in said


@pytest.mark.filterwarnings("ignore")
def test_with_lightning(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lightning")
    made = run_example("with_lightning", monkeypatch)
    assert made["trainer"].global_step == 6  # two updates in each of three batches


@pytest.mark.filterwarnings("ignore")
def test_with_accelerate(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("accelerate")
    run_example("with_accelerate", monkeypatch)
    assert "(4, 28, 28, 1)" in capsys.readouterr().out


def test_examples_name_what_the_package_exports() -> None:
    """In one process with other tests, a submodule that somebody imported would be there by chance."""
    for path in EXAMPLES.rglob("*.py"):
        named = set(re.findall(r"(?<![\w./])ganvas\.(\w+)", path.read_text(encoding="utf-8")))
        modules = set(re.findall(r"(?:from|import) ganvas\.(\w+)", path.read_text(encoding="utf-8")))
        assert named - modules <= set(ganvas.__all__), path.name


def test_loops_are_short() -> None:
    """At most thirty lines of code each, imports, docstrings, comments and blank lines aside."""
    for name in (
        "plain_loop_with_ganvas_networks",
        "with_lightning",
        "with_accelerate",
        "features_for_scikit_learn",
    ):
        text = re.sub(r'""".*?"""', "", (EXAMPLES / f"{name}.py").read_text(encoding="utf-8"), flags=re.DOTALL)
        lines = [line.strip() for line in text.splitlines()]
        code = [line for line in lines if line and not line.startswith(("#", "import ", "from "))]
        assert len(code) <= 30, name


def test_features_for_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even a VAE that trained for a second tells digits apart far better than chance."""
    pytest.importorskip("sklearn")
    assert run_example("features_for_scikit_learn", monkeypatch)["accuracy"] > 0.2
