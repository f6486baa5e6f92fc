"""The benchmark of the loop: its baseline has the library's networks and images, and its counts are right."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ganvas.data import open_data
from ganvas.data.feed import Feed
from ganvas.methods.gan.gan import GAN
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from parts import trainer_for

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(("size", "channels"), [(32, 3), (64, 1)])
def test_tutorial_networks_compute_what_the_library_s_do(size: int, channels: int) -> None:
    from plain_loops import copy_dcgan, tutorial_dcgan

    torch.manual_seed(0)
    G, D = DCGANGenerator(10, (channels, size, size), 4), DCGANDiscriminator((channels, size, size), 4)
    plain_G, plain_D = tutorial_dcgan(10, channels, size, 4)
    assert [p.numel() for p in plain_G.parameters()] == [p.numel() for p in G.parameters()]
    copy_dcgan((G, D), (plain_G, plain_D))
    z = torch.randn(6, 10)
    torch.testing.assert_close(plain_G(z.view(6, 10, 1, 1)), G(z))
    torch.testing.assert_close(plain_D(G(z)).view(6, 1), D(G(z)))


def test_baseline_sees_the_images_that_the_feed_gives() -> None:
    from plain_loops import ArrayImages

    images = np.random.default_rng(0).integers(0, 256, (5, 6, 6, 3), dtype=np.uint8)
    slow = torch.stack([image for image, _ in (ArrayImages(images, 6)[index] for index in range(5))])
    feed = Feed(images, None, None, batch_size=5, seed=0, generator=torch.Generator())
    order = feed._permutation(0, 5, 0)
    torch.testing.assert_close(feed.next().real, slow[order])


def test_flops_by_hand() -> None:
    """A linear layer of 3 x 5 on 7 rows: 2 * 7 * 3 * 5 forward, as much for the gradient of the weights, and of the input."""
    from ceiling import flops

    layer, x = nn.Linear(3, 5), torch.randn(7, 3, requires_grad=True)
    assert flops(lambda: layer(x)) == 210
    assert flops(lambda: layer(x).sum().backward()) == 630
    conv = nn.Conv2d(3, 8, 4, stride=2, padding=1, bias=False)
    assert flops(lambda: conv(torch.randn(2, 3, 8, 8))) == 2 * 2 * 4 * 4 * 8 * 3 * 4 * 4


def test_flops_of_a_step_by_hand() -> None:
    """A GAN whose G has W_G weights after its first layer's w_G, D likewise, batch N.

    G's step: G and D forward; D's input gradients (2N W_D), G's weight gradients, G's input gradients but for z.
    D's step, on N real images: forward; on these and on the verdicts of G's step: weight gradients, input gradients but for
    the images.
    """
    from train_step import mean_flops

    trainer = trainer_for(GAN(batch_size=4, z_dim=8, generator=(16,), discriminator=(12,)), open_data("digits"))
    w_G, W_G, w_D, W_D = 8 * 16, 16 * 784, 784 * 12, 12
    generator_step = (w_G + W_G) + (w_D + W_D) + (w_D + W_D) + (w_G + W_G) + W_G
    discriminator_step = (w_D + W_D) + 2 * ((w_D + W_D) + W_D)
    assert mean_flops(trainer) == 2 * 4 * (generator_step + discriminator_step)


def test_layers_and_ceiling() -> None:
    from ceiling import ceiling, layers

    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))
    found = layers([(network, torch.zeros(5, 1, 4, 4))])
    assert [shape for _, shape in found] == [(5, 1, 4, 4), (5, 8)]
    assert 0 < ceiling(found, torch.float32, torch.device("cpu"), 0.01) < math.inf
    assert all(parameter.grad is None for parameter in network.parameters())


def test_spread_by_hand() -> None:
    """Ratios 1, 2, 3: quartiles 1 and 3 around 2."""
    from train_step import spread

    assert spread([1.0, 4.0, 9.0], [1.0, 2.0, 3.0]) == 1.0


def test_report(capsys: pytest.CaptureFixture[str]) -> None:
    import train_step

    train_step.main(["--small", "--json", "--seconds", "0.2", "--workers", "0"])
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    # Which precision is the faster is the machine's to say, and a busy one says now this, now that.
    assert printed.out.count("\n") == 1 and re.search(r"mlp at 28 px: (fp32|bf16) \(", printed.err)
    assert {"machine", "cores", "threads", "bf16", "torch", "date"} <= report["machine"].keys()
    assert [row["network"] for row in report["rows"]] == ["mlp", "dcgan", "r3gan", "stylegan2"]
    for row in report["rows"]:
        assert row["ratio"] == pytest.approx(row["images_per_second"] / row["baseline_images_per_second"], rel=0.01)
        assert row["ratio_best"] > 0 and row["ceiling_share"] > 0 and 0 < row["data_share"] < 1
        assert row["precision_best"] == "fp32" or report["machine"]["bf16"]


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    import train_step

    train_step.main(["--small", "--only", "mlp", "--seconds", "0.2", "--workers", "0"])
    assert "ratio best" in capsys.readouterr().out


def test_every_benchmark_is_listed() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(f"[{path.name}]({path.name})" in readme for path in FOLDER.glob("*.py"))
