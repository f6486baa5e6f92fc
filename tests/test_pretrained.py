"""A model without its training: two files that give the same images, say nothing of the machine, and are read as data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import ganvas
from command_line import train_once
from ganvas.data import write_png
from ganvas.errors import RunError, UsageError
from parts import image_file


@pytest.fixture(scope="module")
def run(_own_cache: None, tmp_path_factory: pytest.TempPathFactory) -> ganvas.Run:
    return ganvas.load(train_once(tmp_path_factory.mktemp("runs") / "secret-place", "gan", image_file((1, 8, 8)), 3))


def test_it_samples_the_same_images(run: ganvas.Run) -> None:
    folder = run.save_pretrained("model")
    assert sorted(one.name for one in folder.iterdir()) == ["config.json", "model.safetensors"]
    again = ganvas.from_pretrained("model")
    np.testing.assert_array_equal(again.sample(5, seed=3), run.sample(5, seed=3))
    assert set(load_file("model/model.safetensors")) == set(run.method.state_dict())
    assert again.spec.shape == run.spec.shape and again.info["method"] == "gan"
    # And a run folder is as good; a pretrained one can be written again.
    np.testing.assert_array_equal(ganvas.from_pretrained(run.folder).sample(2), run.sample(2))
    again.save_pretrained("copy")
    np.testing.assert_array_equal(ganvas.from_pretrained("copy").sample(2), run.sample(2))


def test_nothing_of_this_machine_is_written(run: ganvas.Run) -> None:
    run.save_pretrained("model")
    text = Path("model/config.json").read_text()
    assert "secret-place" not in text and str(Path.home()) not in text and "/tmp" not in text
    assert not {"machine", "command", "device", "codes"} & json.loads(text).keys()


CANARY = "zebra7canary"


def test_no_place_name_or_training_image_is_in_a_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Canaries: the user, the machine, a folder, a file and what is in an image, planted wherever a run could pick them up."""
    monkeypatch.setattr("getpass.getuser", lambda: CANARY)
    monkeypatch.setattr("socket.gethostname", lambda: f"{CANARY}-host.example.org")
    photos = tmp_path / CANARY / f"photos of {CANARY}"
    photos.mkdir(parents=True)
    random = np.random.default_rng(0)
    originals = random.integers(0, 256, (30, 8, 8, 1)).astype(np.uint8)
    for number, image in enumerate(originals):
        write_png(photos / f"{CANARY}-{number}.png", image)
    (photos / f"{CANARY}.txt").write_text("passed over, and named in a note")
    run = ganvas.load(train_once(tmp_path / CANARY / "runs" / f"of-{CANARY}", "gan", photos, 3))
    for name in ("settings.json", "metrics.json"):
        path = run.folder / name
        content = json.loads(path.read_text()) if path.exists() else {}
        if name == "settings.json":
            content["data_settings"]["partner"] = f"/home/{CANARY}/partners"
        else:
            content["metrics"] = {"FD": {"value": 1.0, "note": f"see /home/{CANARY}/x and C:\\Users\\{CANARY}\\y"}}
        path.write_text(json.dumps(content))
    bundle = ganvas.load(run.folder).save_pretrained("bundle", card=True, name="ada/model")
    names = sorted(one.name for one in bundle.iterdir())
    assert names == ["README.md", "config.json", "manifest.json", "model.safetensors", "samples.png"]
    for path in bundle.iterdir():
        content = path.read_bytes()
        assert CANARY.encode() not in content.lower(), path.name
        assert str(tmp_path).encode() not in content, path.name
        assert not [image for image in originals if image.tobytes() in content], path.name
    weights = load_file(bundle / "model.safetensors")
    for tensor in weights.values():
        flat = tensor.float().flatten().numpy()
        for image in originals[:, :, :, 0].reshape(30, -1) / 127.5 - 1:
            assert not any(np.allclose(flat[at : at + 64], image) for at in range(0, flat.size - 63, 64))


def test_no_method_keeps_the_places_in_its_settings() -> None:
    """A setting may hold a path, or the settings of another method as JSON."""
    from ganvas.pretrained import config_of

    inner = json.dumps({"method": "vq_vae", "settings": {"style": f"/home/{CANARY}/a/starry.jpg", "width": 3}})
    info = {"settings": {"first_stage": inner, "style": f"C:\\Users\\{CANARY}\\b.png"}, "data_settings": {}, "data": ""}
    settings = config_of(info, {}, "0")["settings"]
    assert json.loads(settings["first_stage"])["settings"] == {"style": "starry.jpg", "width": 3}
    assert settings["style"] == "b.png"


def test_commands_take_the_folder(run: ganvas.Run, capsys: pytest.CaptureFixture[str]) -> None:
    from ganvas.cli.main import main

    run.save_pretrained("model")
    with pytest.raises(SystemExit) as end:
        main(["sample", "model", "-n", "2", "--out", "images", "--device", "cpu"])
    assert not end.value.code and len(list(Path("images").iterdir())) == 2
    for words, message in [
        (["sample", "model", "--best"], "holds one set of weights"),
        (["train", "--resume", "model"], "without the state of their training"),
        (["evaluate", "model"], "does not say which data it was trained on"),
    ]:
        with pytest.raises(SystemExit) as end:
            main(words)
        assert end.value.code and message in capsys.readouterr().err


def test_what_is_damaged_or_foreign_is_refused(run: ganvas.Run) -> None:
    run.save_pretrained("model")
    with pytest.raises(UsageError, match="holds something else"):
        run.save_pretrained(run.folder)
    weights = Path("model/model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RunError, match="is not the file that config"):
        ganvas.from_pretrained("model").sample(1)
    config = Path("model/config.json")
    config.write_text(json.dumps({"model_type": "bert"}))
    with pytest.raises(RunError, match="is not of ganvas"):
        ganvas.from_pretrained("model")
    shutil.rmtree("model")
    with pytest.raises(RunError, match="there is no run at model"):
        ganvas.from_pretrained("model")


def test_paths_in_settings_keep_their_last_part() -> None:
    from ganvas.pretrained import config_of

    info = {"settings": {"style": "/home/me/starry.jpg", "lr": 0.1}, "data_settings": {"partner": "/a/b", "size": "64"}}
    config = config_of({**info, "data": "/home/me/photos"}, {}, "0")
    assert config["settings"] == {"style": "starry.jpg", "lr": 0.1}
    assert config["data_settings"] == {"size": "64"} and config["data"] == ""
    assert config_of({**info, "data": "digits"}, {}, "0")["data"] == "digits"
