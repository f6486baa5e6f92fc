"""Saliency of discriminators whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ganvas.abilities import HasDiscriminator
from ganvas.data.batch import Batch
from ganvas.registry import create
from ganvas.tasks.saliency import generated_saliency, real_saliency, saliency
from parts import images


def built(name: str, **settings: object) -> HasDiscriminator:
    method = create(name, "tiny", settings)
    torch.manual_seed(0)
    method.setup(images().spec)
    method.eval().requires_grad_(False)
    assert isinstance(method, HasDiscriminator)
    return method


class Weighted(nn.Module):
    """The sum of the pixels, weighted."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * self.weight).sum((1, 2, 3))[:, None]


def test_a_linear_discriminator() -> None:
    """Its gradient is its weight; a bright square where the weight is positive speaks for real, where negative against."""
    method = built("r3gan")
    weight = torch.zeros(28, 28)
    weight[8:12, 8:12], weight[20:24, 20:24] = 2.0, -1.0
    method.D = Weighted(weight)
    real = torch.full((3, 1, 28, 28), -1.0)
    real[:, :, 8:12, 8:12] = 1.0
    real[:, :, 20:24, 20:24] = 1.0
    one, two = saliency(method, Batch(real), "training", [7, 9])
    assert (one.kind, one.number, two.number) == ("training", 7, 9)
    assert one.logit == pytest.approx(32 - 16)
    np.testing.assert_allclose(one.gradient, weight.abs().numpy(), atol=1e-5)
    assert one.occlusion[8:12, 8:12].min() > 0 > one.occlusion[20:24, 20:24].max()
    # The mean of 9 x 9 pixels is brighter by 2 * 16 / 81 at the most; so nearly all of 2 * 2 * 16 is lost in the first square.
    assert one.occlusion[8:12, 8:12].max() == pytest.approx(2 * 16 * (2 - 2 * 16 / 81), rel=0.1)
    assert not one.occlusion[:4].any()
    assert np.array_equal(one.image, ((real[0] + 1) * 127.5).byte().permute(1, 2, 0).numpy())


def test_a_discriminator_that_augments_is_seen_through_the_same_augmentation() -> None:
    """The logits before and after an occlusion differ by the occlusion alone: where nothing is blurred away, nothing falls."""
    method = built("r3gan", augment="diffaugment")
    flat = torch.full((4, 1, 28, 28), 0.3)
    found = saliency(method, Batch(flat), "training", [0])[0]
    assert np.abs(found.occlusion).max() < 1e-5 and found.gradient.max() > 0


def test_images_of_both_kinds() -> None:
    method = built("r3gan", conditional=True)
    real = real_saliency(method, images(), "training", 2)
    made = generated_saliency(method, [4, 5, 6])
    assert [one.number for one in real] == [0, 1] and np.array_equal(real[1].image, images().images[1])
    assert [one.number for one in made] == [4, 5, 6] and {one.kind for one in made} == {"generated"}
    again = generated_saliency(method, [5])[0]
    assert np.array_equal(again.image, made[1].image) and again.logit == pytest.approx(made[1].logit, abs=1e-4)
