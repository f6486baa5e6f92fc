"""Translators and the patch discriminator: sizes, receptive fields, where the noise comes from."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ganvas.networks.layers import clamped_to_image, dropout
from ganvas.networks.patch import PatchDiscriminator, fitting_layers
from ganvas.networks.resample import enlarged
from ganvas.networks.translator import (
    RepaintTranslator,
    ResNetTranslator,
    RetouchTranslator,
    Translator,
    UNetTranslator,
    apply_lut,
    fitting_downsamplings,
    warp,
)


@pytest.mark.parametrize(("layers", "side"), [(0, 1), (1, 16), (2, 34), (3, 70)])
def test_a_logit_sees_a_patch(layers: int, side: int) -> None:
    """70 x 70 for three downsamplings (Isola 2017, sec. 6.1.2), found by gradient."""
    network = PatchDiscriminator(3, 2, layers, norm="none").double()
    x = torch.rand(1, 3, 160, 160, dtype=torch.float64, requires_grad=True)
    logits = network(x)
    logits[0, 0, logits.shape[2] // 2, logits.shape[3] // 2].backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1)) > 0
    assert int(seen.any(0).sum()) == int(seen.any(1).sum()) == side


def test_patches_of_256_pixels() -> None:
    assert PatchDiscriminator(6, 2, 3)(torch.rand(1, 6, 256, 256)).shape == (1, 1, 30, 30)


@pytest.mark.parametrize("size", [(28, 28), (32, 32), (30, 50), (6, 6), (1, 1)])
def test_layers_fit_the_image(size: tuple[int, int]) -> None:
    layers = fitting_layers(3, *size)
    assert layers == {28: 3, 32: 3, 30: 3, 6: 1, 1: 0}[size[0]]
    assert PatchDiscriminator(2, 2, layers, "instance")(torch.rand(2, 2, *size)).shape[:2] == (2, 1)


def networks(channels: int = 3) -> list[Translator]:
    return [
        UNetTranslator(channels, 4, 3, "batch", 0.5),
        UNetTranslator(channels, 4, 8, "instance", 0.5),
        UNetTranslator(channels, 4, 2, "none", 0.0, resize=True),
        ResNetTranslator(channels, 4, 1, "instance"),
        ResNetTranslator(channels, 4, 1, "batch", 0.5, resize=False),
        UNetTranslator(channels, 4, 2, "none", 0.0, skip=True),
        ResNetTranslator(channels, 4, 1, "instance", skip=True),
        RetouchTranslator(channels, 4, "batch", 0.5, max_displacement=2),
        RepaintTranslator(channels, 4, 2, "batch", 0.5, max_displacement=2),
    ]


@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (30, 50), (33, 17)])
def test_what_comes_out_is_as_large(number: int, size: tuple[int, int]) -> None:
    network = networks(2)[number]
    made = network(torch.rand(2, 2, *size) * 2 - 1)
    assert made.shape == (2, 2, *size) and bool(torch.isfinite(made).all()) and float(made.detach().abs().max()) <= 1


def test_halvings_leave_a_pixel() -> None:
    assert [fitting_downsamplings(8, side, side) for side in (256, 64, 32, 28, 5, 2, 1)] == [8, 6, 5, 4, 2, 1, 1]


def test_dropout_is_the_only_noise_and_comes_from_the_draws() -> None:
    network, x = UNetTranslator(3, 4, 4, "none", 0.5), torch.rand(2, 3, 16, 16)
    outside = torch.get_rng_state()

    def draw(seed: int) -> torch.Tensor:
        generator = torch.Generator().manual_seed(seed)
        return network(x, lambda *shape: torch.rand(2, *shape, generator=generator))

    assert torch.equal(network(x), network(x)) and torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1)) and not torch.equal(draw(0), network(x))
    assert torch.equal(torch.get_rng_state(), outside)
    kept = dropout(torch.ones(1, 100, 10, 10), 0.25, lambda *shape: torch.rand(1, *shape))
    assert kept.unique().tolist() == pytest.approx([0, 4 / 3]) and abs(float(kept.mean()) - 1) < 0.03


@pytest.mark.parametrize("resize", [False, True])
def test_with_skip_it_begins_as_the_identity_and_learns(resize: bool) -> None:
    """Bit for bit, at any size; and all but the last layer wait for nothing more than its first step."""
    for network in (
        UNetTranslator(3, 4, 3, "batch", 0.0, resize, skip=True),
        ResNetTranslator(3, 4, 1, resize=resize, skip=True),
        RetouchTranslator(3, 4),
        RetouchTranslator(3, 4, max_displacement=2),
        RepaintTranslator(3, 4, 2, max_displacement=2),
    ):
        x = torch.rand(2, 3, 17, 20) * 2 - 1
        assert torch.equal(network(x), x)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
        for _ in range(2):
            optimizer.zero_grad()
            network(x).square().mean().backward()
            optimizer.step()
        assert all(bool(p.grad.any()) for p in network.parameters() if p.grad is not None and p.ndim == 4)


def test_only_a_gradient_that_leads_back_passes() -> None:
    """Gradient descent moves against the gradient: above 1 a positive one leads back, below -1 a negative one."""
    x = torch.tensor([-2.0, -2.0, -1.0, 0.5, 1.0, 2.0, 2.0], requires_grad=True)
    made = clamped_to_image(x)
    made.backward(torch.tensor([1.0, -1.0, 1.0, 3.0, -1.0, 1.0, -1.0]))
    assert made.tolist() == [-1, -1, -1, 0.5, 1, 1, 1]
    assert x.grad is not None and x.grad.tolist() == [0, -1, 1, 3, -1, 1, 0]


def test_pixels_are_pulled_from_where_the_flow_says() -> None:
    """(x, y) from here: half a pixel to the right is the mean of two; beyond the border its last pixel."""
    image = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    assert torch.equal(warp(image, flow), image)
    flow[:, 0] = 0.5
    assert warp(image, flow)[0, 0].tolist() == [[0.5, 1.5, 2.5, 3], [4.5, 5.5, 6.5, 7], [8.5, 9.5, 10.5, 11]]
    flow[:, 0], flow[:, 1] = -1, 5
    assert warp(image, flow)[0, 0].tolist() == [[8, 8, 9, 10]] * 3


def test_a_table_of_colours() -> None:
    """One channel, knots at -1, 0, 1: half way between two it is their mean. Three: each corner of the cube has its own row."""
    x = torch.tensor([-1.0, -0.5, 0.0, 1.0]).view(1, 1, 2, 2)
    found = apply_lut(x, torch.tensor([[[0.2, 0.6, -1.0]]]))
    torch.testing.assert_close(found.flatten(), torch.tensor([0.2, 0.4, 0.6, -1.0]))
    table = torch.zeros(1, 3, 27)
    table[0, :, 2 * 9 + 0 * 3 + 1] = torch.tensor([0.1, 0.2, 0.3])  # red 1, green -1, blue 0
    colours = torch.tensor([[1.0, -1.0, 0.0], [1.0, -1.0, 0.5], [0.0, -1.0, 0.0], [0.5, -0.5, 0.0]])
    found = apply_lut(colours.T.reshape(1, 3, 2, 2), table).flatten(2)[0].T
    torch.testing.assert_close(found, torch.outer(torch.tensor([1, 0.5, 0, 0.25]), torch.tensor([0.1, 0.2, 0.3])))
    more = apply_lut(torch.rand(2, 5, 4, 6), torch.rand(2, 5, 27))
    assert more.shape == (2, 5, 4, 6)


def test_enlarged_is_bilinear() -> None:
    x = torch.rand(2, 3, 5, 7)
    torch.testing.assert_close(enlarged(x, 4), F.interpolate(x, scale_factor=4, mode="bilinear"))
