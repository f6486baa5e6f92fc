"""The classic nets, layer by layer; parameter counts are worked out on paper."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganvas.data import DataSpec
from ganvas.data.batch import Batch
from ganvas.networks.layers import WideLinear
from ganvas.networks.mlp import MLPDiscriminator, MLPGenerator
from ganvas.registry import create

DIGITS = DataSpec("digits", 1, 28, 28, 100)


def linears(network: nn.Module) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)]


def kinds(network: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in network.modules() if not list(layer.children())]


def count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def built(preset: str, **settings):
    method = create("gan", preset, settings)
    method.build(DIGITS)
    return method


def test_relu_preset_is_the_net_of_many_courses() -> None:
    gan = built("relu")
    assert linears(gan.G) == [(100, 256), (256, 512), (512, 784)]
    assert kinds(gan.G) == ["WideLinear", "ReLU", "WideLinear", "ReLU", "Linear", "Tanh"]
    assert count(gan.G) == 559_632  # 100*256+256 + 256*512+512 + 512*784+784
    assert linears(gan.D) == [(784, 512), (512, 256), (256, 1)]
    assert kinds(gan.D) == ["Flatten", "WideLinear", "ReLU", "WideLinear", "ReLU", "Linear"]
    assert count(gan.D) == 533_505  # 784*512+512 + 512*256+256 + 256*1+1
    assert (gan.batch_size, gan.lr, gan.z_dim) == (100, 2e-4, 100)


def test_batchnorm_preset() -> None:
    gan = built("batchnorm")
    assert linears(gan.G) == [(100, 256), (256, 512), (512, 1024), (1024, 784)]
    normed = ["WideLinear", "BatchNorm1d", "LeakyReLU"]
    assert kinds(gan.G) == ["WideLinear", "LeakyReLU", *normed, *normed, "Linear", "Tanh"]
    assert all(layer.negative_slope == 0.2 for layer in gan.G.modules() if isinstance(layer, nn.LeakyReLU))
    assert count(gan.G) == 1_489_424  # 25,856 + 131,584 + 1,024 + 525,312 + 2,048 + 803,600


def test_small_preset_is_batchnorm_with_dropout_in_d_and_a_high_rate() -> None:
    gan, batchnorm = built("small"), built("batchnorm")
    assert linears(gan.G) == linears(batchnorm.G) and linears(gan.D) == linears(batchnorm.D)
    assert (gan.batch_size, gan.lr, gan.D.dropout, batchnorm.D.dropout) == (32, 1e-3, 0.3, 0.0)


def test_wide_preset() -> None:
    gan = built("wide")
    assert linears(gan.G) == [(100, 128), (128, 256), (256, 512), (512, 1024), (1024, 784)]
    assert count(gan.G) == 1_510_032  # 12,928 + 33,024 + 512 + 131,584 + 1,024 + 525,312 + 2,048 + 803,600
    assert linears(gan.D) == [(784, 512), (512, 256), (256, 1)]


@pytest.mark.parametrize("preset", ["relu", "batchnorm", "wide"])
def test_discriminators_are_free_of_batch_statistics(preset: str) -> None:
    assert not any("Norm" in kind for kind in kinds(built(preset).D))


def test_softmax2_asks_for_the_log_odds_of_real() -> None:
    gan = built("relu", output="softmax2")
    assert linears(gan.D)[-1] == (256, 2)
    scores = torch.tensor([[1.0, 3.0], [2.0, -1.0]])
    gan.D = nn.Sequential(nn.Flatten(), nn.Linear(784, 2))
    with torch.no_grad():
        gan.D[1].weight.zero_()  # pyright: ignore[reportCallIssue]
        gan.D[1].weight[:, :2].copy_(scores.T)  # the first two pixels say which row of scores it is  # pyright: ignore[reportIndexIssue]
        gan.D[1].bias.zero_()  # pyright: ignore[reportCallIssue]
    images = torch.zeros(2, 1, 28, 28)
    images[0, 0, 0, 0] = images[1, 0, 0, 1] = 1
    told = gan.discriminate(Batch(images), images)
    assert told.tolist() == [[2.0], [-3.0]]
    assert torch.allclose(torch.sigmoid(told[:, 0]), torch.softmax(scores, 1)[:, 1])


def test_uniform_noise_lies_in_its_cube_and_normal_noise_does_not() -> None:
    cube = built("relu", noise_kind="uniform").latents(range(50))
    normal = built("relu").latents(range(50))
    assert (
        cube.min() >= -1
        and cube.max() < 1
        and cube.mean().abs() < 0.05
        and cube.var() == pytest.approx(1 / 3, abs=0.03)
    )
    assert normal.max() > 2 and normal.var() == pytest.approx(1, abs=0.06)


def test_dropout_of_d_is_in_its_hidden_layers_and_comes_from_the_draws() -> None:
    """Numbers below the rate drop a unit: if all are, the last bias remains. Others make it 1 / (1 - rate) times as large."""
    D, x = MLPDiscriminator((1, 4, 4), [6, 3], "leaky_relu", dropout=0.75), torch.randn(5, 1, 4, 4)
    layers = [layer for layer in D.layers if isinstance(layer, nn.Linear)]
    assert torch.equal(D(x, lambda width: torch.full((5, width), 0.7)), layers[-1].bias.expand(5, 1))
    for layer in layers:
        nn.init.zeros_(layer.bias)
    torch.testing.assert_close(D(x, lambda width: torch.full((5, width), 0.8)), 16 * D(x))


def test_any_shape() -> None:
    x = MLPGenerator(5, [7], (2, 3, 11))(torch.zeros(4, 5))
    assert x.shape == (4, 2, 3, 11)
    assert MLPDiscriminator((2, 3, 11), [7], outputs=2)(x).shape == (4, 2)


@pytest.mark.parametrize("batch", [8, 16, 17])
def test_wide_images_in_bf16_in_one_thread(batch: int) -> None:
    """16 images of 98,304 values end the process in oneDNN where a core has an L2 cache of 2 MiB and the CPU has bf16."""
    torch.manual_seed(0)
    layer, x = WideLinear(98_304, 16), torch.randn(batch, 98_304)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.autocast("cpu", torch.bfloat16):
        output = layer(x)
    torch.set_num_threads(threads)
    assert output.shape == (batch, 16) and output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), layer(x), rtol=0.05, atol=0.05)


def test_a_faulty_size_goes_through_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    forward = nn.Linear.forward

    def noted(layer: nn.Linear, x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return forward(layer, x)

    monkeypatch.setattr(nn.Linear, "forward", noted)
    layer = WideLinear(98_304, 4)
    with torch.autocast("cpu", torch.bfloat16):
        layer(torch.zeros(16, 98_304))
        layer(torch.zeros(15, 98_304))
    layer(torch.zeros(16, 98_304))
    assert sizes == [8, 8, 15, 16]
