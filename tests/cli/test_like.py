"""What every written image says of its making, and `ganvas sample --like`."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import numpy as np
import pytest

import ganvas as library
from command_line import QUICK, Command, train_once
from ganvas.data import read_image, read_provenance, write_png
from ganvas.data.mosaic import mosaic
from ganvas.files import sha256
from ganvas.provenance import Provenance
from parts import image_file, train_small

CANARIES = ("canaryuser", "canaryhost", "canaryfolder")


def made_of(path: Path | str) -> Provenance:
    made = read_provenance(path)
    assert made is not None, path
    return made


@pytest.fixture(scope="module")
def conditioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a class-conditional method that samples with a guidance."""
    from parts import small

    method = small("flow_matching").with_settings({"conditional": True})
    return train_small(method, tmp_path_factory.mktemp("runs") / "conditioned", 2).folder


def test_each_sample_is_made_again(ganvas: Command, trained: Path) -> None:
    """In an empty folder, with the run's folder in runs/: nothing is named but the image."""
    shutil.copytree(trained, "runs/copy")
    assert ganvas("sample", "runs/copy", "-n", 3, "--seed", 41, "--raw", "--device", "cpu", "--out", "first").code == 0
    image = Path("first/seed000042.png")
    made = made_of(image)
    assert (made.command, made.run, made.method, made.seed) == ("sample", "copy", "gan", 42)
    assert made.weights == sha256("runs/copy/weights.safetensors") and made.options == {"raw": True}
    for words, place in (([], "samples-copy"), (["--out", "again"], "again")):
        ended = ganvas("sample", "--like", image, "--device", "cpu", *words)
        assert ended.code == 0, ended.err
        assert [path.name for path in Path(place).iterdir()] == ["seed000042.png"]
        assert (Path(place) / "seed000042.png").read_bytes() == image.read_bytes()
    more = ganvas("sample", "runs/copy", "--like", image, "-n", 2, "--out", "more", "--device", "cpu")
    assert more.code == 0 and made_of("more/seed000043.png").seed == 43
    assert np.array_equal(read_image("more/seed000043.png"), read_image("first/seed000043.png"))


def test_class_and_settings_are_those_of_the_image(ganvas: Command, conditioned: Path) -> None:
    words = ("--label", "2", "--set", "sampling_steps=3", "--device", "cpu")
    assert ganvas("sample", conditioned, "-n", 2, "--grid", "two.png", *words).code == 0
    made = made_of("two.png")
    assert made.options == {"label": "2", "n": 2, "grid": True} and made.settings["sampling_steps"] == 3
    assert ganvas("sample", conditioned, "--like", "two.png", "--device", "cpu").code == 0
    assert Path("two-again.png").read_bytes() == Path("two.png").read_bytes()


def test_a_grid_of_the_training_is_made_again(ganvas: Command, trained: Path) -> None:
    """The last grid is of the weights that were saved; an earlier one says whose it was."""
    grids = sorted((trained / "samples").glob("*.png"))
    made = made_of(grids[-1])
    assert (made.command, made.step, made.seed, made.options["n"]) == ("train", 6, 0, 64)
    ended = ganvas("sample", "--like", grids[-1], "--grid", "again.png", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert np.array_equal(read_image("again.png"), read_image(grids[-1]))
    earlier = ganvas("sample", "--like", grids[0], "--device", "cpu")
    assert earlier.code == 1 and "there is no run here with the weights" in earlier.err
    assert f"those of step {int(grids[0].stem)}" in earlier.err


def test_what_like_refuses(ganvas: Command, trained: Path, tmp_path: Path) -> None:
    assert ganvas("sample", trained, "-n", 1, "--out", "o", "--device", "cpu").code == 0
    image = "o/seed000000.png"
    lost = ganvas("sample", "--like", image)
    assert lost.code == 1 and "the run first of gan with the weights of SHA-256" in lost.err
    other = train_once(tmp_path / "other", "gan", image_file((2, 30, 50)), 2)
    wrong = ganvas("sample", other, "--like", image)
    assert wrong.code == 1 and "does not have the weights that made o/seed000000.png" in wrong.err
    both = ganvas("sample", trained, "--like", image, "--seed", 3)
    assert both.code == 2 and "--seed and --like do not go together" in both.err
    assert ganvas("sample").code == 2
    write_png("plain.png", np.zeros((4, 4, 3), np.uint8))
    plain = ganvas("sample", trained, "--like", "plain.png")
    assert plain.code == 1 and "plain.png does not say what made it" in plain.err
    foreign = Provenance("translate", run="a", method="pix2pix", weights="ab" * 32, inputs=("me.png",))
    write_png("foreign.png", np.zeros((4, 4, 3), np.uint8), foreign)
    told = ganvas("sample", trained, "--like", "foreign.png")
    assert told.code == 2 and "ganvas translate a me.png --out out (needed: the run a of pix2pix" in told.err
    write_png("none.png", np.zeros((4, 4, 3), np.uint8), Provenance("sample", run="first", method="gan", seed=2))
    assert "does not say by which weights" in ganvas("sample", trained, "--like", "none.png").err
    bad = Provenance("sample", run="x", method="gan", weights=made_of(image).weights, seed=2, settings={"lr": 1.0})
    write_png("bad.png", np.zeros((4, 4, 3), np.uint8), bad)
    assert ganvas("sample", trained, "--like", "bad.png").code == 2, "training's settings cannot be changed"


def test_data_shows_what_made_an_image(ganvas: Command, trained: Path) -> None:
    assert ganvas("sample", trained, "-n", 1, "--seed", 5, "--out", "o", "--device", "cpu").code == 0
    shown = ganvas("data", "o/seed000005.png")
    assert shown.code == 0 and "made by  ganvas sample first --n 1 --seed 5" in shown.out, shown.out + shown.err
    told = ganvas("data", "o/seed000005.png", "--json").json
    assert told["seed"] == 5 and told["weights"] == sha256(trained / "weights.safetensors") and len(told["needs"]) == 1
    write_png("plain.png", np.zeros((4, 4, 3), np.uint8))
    assert "does not say what made it" in ganvas("data", "plain.png").err


def test_no_image_tells_who_made_it_where(ganvas: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User, host and folders are in no byte of what sample, edit, translate, restore, stylise, decode and a training write."""
    monkeypatch.setenv("LOGNAME", "canaryuser")
    monkeypatch.setenv("USER", "canaryuser")
    monkeypatch.setattr(socket, "gethostname", lambda: "canaryhost.example")
    base = tmp_path / "canaryfolder" / "canaryuser"
    data = image_file((3, 32, 32))
    write_png(base / "canaryuser.png", mosaic(40, cells=20))
    photo, out = base / "canaryuser.png", tmp_path / "out"
    runs = {}
    for name in ("gran", "pix2pix", "denoise", "adain", "vae", "infogan"):
        more = ["--set", "network=digits"] if name == "adain" else []
        words = ["train", name, "--preset", "tiny", "--data", data, "--steps", 1, "--samples", 0]
        runs[name] = base / f"{name}-canaryuser"
        ended = ganvas(*words, *more, "--out", runs[name], *QUICK)
        assert ended.code == 0, ended.err
    cpu = ("--device", "cpu")
    commands = [
        ("sample", runs["gran"], "-n", 2, "--out", out / "a", "--grid", out / "grid.png", "--animate", out / "a.gif", *cpu),
        ("sample", runs["gran"], "-n", 2, "--animate", out / "a.webp", *cpu),
        ("edit", runs["infogan"], "--traverse", "--seeds", "0-1", "--out", out / "edit.png", *cpu),
        ("translate", runs["pix2pix"], photo, "--out", out / "translated", *cpu),
        ("restore", runs["denoise"], photo, "--out", out / "restored", *cpu),
        ("stylise", photo, "--run", runs["adain"], "--style", photo, "--out", out / "by-run.jpg", *cpu),
        ("stylise", photo, "--style", photo, "--out", out / "gatys.webp", "--network", "digits", "--video", out / "v.gif",
         "--set", "steps=2", "--set", "levels=1", "--precision", "fp32", *cpu),
        ("encode", runs["vae"], data, "--out", out / "codes-canaryuser.npz", *cpu),
        ("decode", runs["vae"], out / "codes-canaryuser.npz", "--out", out / "decoded", *cpu),
    ]  # fmt: skip
    for words in commands:
        ended = ganvas(*words)
        assert ended.code == 0, (words, ended.err)
    images = [path for path in out.rglob("*") if path.suffix in (".png", ".gif", ".jpg", ".webp")]
    images += [path for folder in runs.values() for path in (folder / "samples").glob("*.png")]
    assert len(images) > 12
    for path in images:
        made = made_of(path)
        assert made.command and made.weights, path
        assert made.run.endswith("-user") or made.method == "gatys", (path, made.run)
        for canary in (*CANARIES, str(tmp_path)):
            assert canary not in made.text() and canary.encode() not in path.read_bytes(), (path, canary)
    assert made_of(out / "translated" / "canaryuser.png").inputs == ("user.png",)
    assert made_of(out / "gatys.webp").options["style"] == ("user.png",)


def test_the_library_writes_it_too(trained: Path) -> None:
    run = library.load(trained)
    images = run.sample(3, seed=10)
    images[1].save("one.png")
    images.save("all.png")
    assert made_of("one.png").seed == 11 and made_of("one.png").weights == run.weights_hash()
    assert made_of("all.png").options == {"n": 3, "grid": True}
    assert np.array_equal(run.sample(like="one.png"), images[1:2])
    assert np.array_equal(run.sample(like="all.png"), images)


def test_weights_are_hashed_once(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []

    def counted(path: Path) -> str:
        hashed.append(path)
        return sha256(path)

    monkeypatch.setattr("ganvas.run.sha256", counted)
    run = library.load(trained)
    for seed in range(3):
        run.sample(1, seed=seed)[0].save(f"{seed}.png")
        run.sample(1, seed=seed, raw=True)[0].save(f"{seed}.png")
    assert hashed == [trained / "weights.safetensors"]
