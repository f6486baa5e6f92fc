"""Latent spaces: their images are the method's own, and what is between, mixed and truncated is what the formulas say."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.abilities import LatentSpace
from ganvas.errors import UsageError
from ganvas.sampling import sample, to_uint8
from ganvas.tasks.latents import (
    Points,
    between,
    mixed,
    points_of,
    space_of,
    synthesised,
    truncated,
)
from parts import images, small


def built(name: str, **settings: Any) -> Any:
    method = small(name, **settings)
    torch.manual_seed(0)
    method.build(images().spec)
    method.spec = images().spec
    return method.eval().requires_grad_(False)


def plane(normal: bool, free: int = 2) -> LatentSpace:
    return LatentSpace("z", lambda z, labels: z, lambda z, labels, noise: z, free, normal=normal)


def test_half_the_way_on_a_circle_and_on_a_line() -> None:
    """Between (2, 0) and (0, 2): 2 (cos 45, sin 45), or (1, 1). A number that is not free stays that of the first."""
    first, last, shares = torch.tensor([2.0, 0]), torch.tensor([0, 2.0]), torch.tensor([0, 0.5, 1])
    torch.testing.assert_close(between(plane(True), first, last, shares)[1], torch.full((2,), math.sqrt(2)))
    assert between(plane(False), first, last, shares).tolist() == [[2, 0], [1, 1], [0, 2]]
    assert between(plane(False, free=1), first, last, shares)[:, 1].tolist() == [0, 0, 0]


def test_truncation_moves_towards_the_mean() -> None:
    points = Points(torch.tensor([[4.0, 8.0]]))
    mean = torch.tensor([2.0, 0.0])
    assert truncated(plane(True), points, mean, 0.5).values.tolist() == [[3, 4]]
    assert truncated(plane(True), points, mean, 0).values.tolist() == [[2, 0]]
    assert truncated(plane(True, free=1), points, mean, 0).values.tolist() == [[2, 8]]


def test_style_mixing_takes_layers_of_the_second() -> None:
    space = LatentSpace("w+", lambda z, labels: z, lambda z, labels, noise: z, 1, layers=3)
    first, second = (
        Points(torch.tensor([[[1.0], [2], [3]]])),
        Points(torch.tensor([[[10.0], [20], [30]], [[4], [5], [6]]])),
    )
    assert mixed(space, first, second, [1, 2]).values.flatten(1).tolist() == [[1, 20, 30], [1, 5, 6]]
    with pytest.raises(UsageError, match=r"no layer 3: w\+ has the layers 0 to 2"):
        mixed(space, first, second, [3])
    with pytest.raises(UsageError, match="style mixing takes a latent space with layers"):
        mixed(plane(True), first, second, [0])


@pytest.mark.parametrize("space", ["w", "w+", "z"])
def test_a_style_based_space_gives_the_images_of_sampling(space: str) -> None:
    method = built("stylegan2", truncation=0.7)
    method.G.mapping.average.copy_(torch.linspace(-1, 1, 8))
    chosen = space_of(method, space)
    expected = to_uint8(sample(method, 3, seed=5))
    np.testing.assert_array_equal(synthesised(method, chosen, points_of(method, chosen, [5, 6, 7])), expected)


def test_noise_seeds_of_layers() -> None:
    """A layer's noise depends on its own seed; without one it is that of sampling."""
    method = built("stylegan2")
    for layer in method.G.synthesis.modules():
        if hasattr(layer, "strength"):
            layer.strength.fill_(0.5)
    space = space_of(method)
    points = points_of(method, space, [0])
    plain = synthesised(method, space, points)
    np.testing.assert_array_equal(synthesised(method, space, points, [None, None]), plain)
    last = [None] * (len(space.noise_sizes) - 1)
    seven = synthesised(method, space, points, [*last, 7])
    assert not np.array_equal(seven, plain)
    np.testing.assert_array_equal(synthesised(method, space, points, [*last, 7]), seven)
    assert not np.array_equal(synthesised(method, space, points, [*last, 8]), seven)
    with pytest.raises(UsageError, match=r"adds noise to \d+ layers \(got 99 noise seeds\)"):
        synthesised(method, space, points, [1] * 99)
    gan = built("gan")
    with pytest.raises(UsageError, match="gan adds no noise to its layers"):
        synthesised(gan, space_of(gan), points_of(gan, space_of(gan), [0]), [1])


def test_what_has_no_latent_space_says_so() -> None:
    with pytest.raises(UsageError, match=r"pixelcnn has no latent space in which images can be edited .*r3gan"):
        space_of(built("pixelcnn"))
    with pytest.raises(UsageError, match=r"gan has no latent space w \(there are: z\)"):
        space_of(built("gan"), "w")
    with pytest.raises(UsageError, match="seeds go from 0"):
        points_of(built("gan"), space_of(built("gan")), [-1])


def test_a_class_for_all() -> None:
    method = built("r3gan", conditional=True)
    space = space_of(method)
    labels = points_of(method, space, range(5), label=2).labels
    assert labels is not None and labels.tolist() == [2] * 5
    np.testing.assert_array_equal(
        synthesised(method, space, points_of(method, space, [3], label="1")), to_uint8(sample(method, 1, 3, label=1))
    )
