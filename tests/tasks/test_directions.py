"""Directions by known factors: a linear generator, a known weight, an attribute that is one number of the latent."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ganvas.abilities import LatentSpace
from ganvas.errors import UsageError
from ganvas.metrics.attributes import Attribute, find_attribute
from ganvas.tasks.directions import (
    Direction,
    explained,
    factorised_directions,
    find_directions,
    first_weights,
    measure_samples,
    moved,
    orthogonal_to,
    principal_directions,
    probed_direction,
    random_direction,
    strongest,
    with_effects,
)
from ganvas.tasks.latents import Points, points_of, space_of
from parts import images, small

SIZES = (0.2, 0.1, 0.05, 0.02, 0.0, 0.0, 0.0, 0.0)  # singular values of the linear generator


def built(name: str, **settings: Any) -> Any:
    method = small(name, **settings)
    torch.manual_seed(0)
    method.build(images().spec)
    method.spec = images().spec
    return method.eval().requires_grad_(False)


def linear_space() -> tuple[LatentSpace, Tensor]:
    """z (8,) to 4 x 4 grey images by one matrix with known singular values, and its right singular vectors (8, 8) as columns."""
    generator = torch.Generator().manual_seed(3)
    left = torch.linalg.qr(torch.randn(16, 8, generator=generator)).Q
    right = torch.linalg.qr(torch.randn(8, 8, generator=generator)).Q
    layer = nn.Linear(8, 16)
    with torch.no_grad():
        layer.weight.copy_(left @ torch.diag(torch.tensor(SIZES)) @ right.T)
        layer.bias.copy_(torch.linspace(-0.1, 0.1, 16))
    layer.requires_grad_(False)
    return (
        LatentSpace("z", lambda z, labels: z, lambda z, labels, noise: layer(z).view(-1, 1, 4, 4), 8, network=layer),
        right,
    )


def test_pca_of_a_linear_generator_is_its_singular_vectors() -> None:
    space, right = linear_space()
    found = principal_directions(built("gan"), space, 4, of="images", samples=4000)
    shares = [size**2 / sum(one**2 for one in SIZES) for size in SIZES]
    for number, direction in enumerate(found):
        assert direction.name == f"pca{number + 1}" and float(direction.vector.norm()) == pytest.approx(1)
        assert abs(float(direction.vector @ right[:, number])) > 0.995, number
        assert direction.share == pytest.approx(shares[number], rel=0.1)
        assert direction.scale == pytest.approx(1, rel=0.05)


def test_pca_of_points_is_their_principal_axes() -> None:
    """Points that were stretched three times along one axis."""
    space, _ = linear_space()
    stretched = torch.ones(8)
    stretched[5] = 3
    space = LatentSpace("w", lambda z, labels: z * stretched, space.synthesise, 8)
    (first,) = principal_directions(built("gan"), space, 1)
    assert first.how == "PCA of w" and abs(float(first.vector[5])) > 0.99 and first.scale == pytest.approx(3, rel=0.1)


def test_sefa_of_a_known_weight() -> None:
    """The eigenvectors of A^T A, largest eigenvalue first: here the columns of `right`, to rounding."""
    space, right = linear_space()
    (weight,) = first_weights(built("gan"), space)
    assert weight.shape == (16, 8)
    torch.testing.assert_close(torch.linalg.svdvals(weight), torch.tensor(SIZES), atol=1e-6, rtol=1e-5)
    for number, direction in enumerate(factorised_directions(built("gan"), space, 4)):
        assert abs(float(direction.vector @ right[:, number])) == pytest.approx(1, abs=1e-5)


def test_the_layers_that_take_a_latent() -> None:
    """Of a GAN the first layer; of a style-based one each style layer, but not the mapping network; never a class vector."""
    gan = built("r3gan", conditional=True)
    (weight,) = first_weights(gan, space_of(gan))
    torch.testing.assert_close(weight, gan.G.network.project.weight[:, :8], atol=1e-6, rtol=1e-5)
    style = built("stylegan2")
    weights = first_weights(style, space_of(style, "w"))
    layers = [one.style for one in style.G.synthesis.modules() if hasattr(one, "style")]
    assert len(weights) == len(layers) > 4
    for one, layer in zip(weights, layers, strict=True):
        torch.testing.assert_close(one, layer.weight * layer.scale, atol=1e-6, rtol=1e-5)
    flow = built("flow_matching")
    with pytest.raises(UsageError, match="no layer of flow_matching takes a point of z alone"):
        factorised_directions(flow, space_of(flow))


def first_number() -> tuple[LatentSpace, Attribute]:
    """Images whose brightness is the first number of z, and nothing else."""

    def synthesise(z: Tensor, labels: Tensor | None, noise: object) -> Tensor:
        return (z[:, :1] / 4)[:, :, None, None].expand(-1, 1, 6, 6)

    return LatentSpace("z", lambda z, labels: z, synthesise, 8), find_attribute("brightness")


def test_a_probe_finds_the_number_that_an_attribute_follows() -> None:
    space, brightness = first_number()
    method = built("gan")
    measured = measure_samples(method, space, [brightness], 500)
    direction = probed_direction(measured, "brightness")
    assert float(direction.vector[0]) > 0.999 and (direction.share or 0) > 0.99
    assert explained(measured, direction, "brightness") > 0.99
    # Strength 1 is one standard deviation: z changes by 1, the image by 1/4 of [-1, 1], brightness by 1/8.
    (done,) = with_effects(method, measured, [direction])
    assert done.effects["brightness"].change == pytest.approx(1 / 8, rel=0.05)
    assert done.effects["brightness"].deviations == pytest.approx(1, rel=0.05)
    assert strongest(done) == "brightness"
    random = random_direction(space, direction, 0)
    assert explained(measured, random, "brightness") < 0.7 and float(random.vector.norm()) == pytest.approx(1)


def test_keeping_an_attribute_is_a_projection() -> None:
    """(1, 1, 0) without what it shares with (1, 0, 0) is (0, 1, 0); without both axes nothing is left."""

    def along(name: str, *numbers: float) -> Direction:
        return Direction(
            name, "z", torch.tensor(numbers) / math.sqrt(sum(one * one for one in numbers)), 1.0, "by hand"
        )

    both, x, y = along("both", 1, 1, 0), along("x", 1, 0, 0), along("y", 0, 1, 0)
    torch.testing.assert_close(orthogonal_to(both, [x]).vector, y.vector)
    torch.testing.assert_close(orthogonal_to(both, [x, x]).vector, y.vector)
    assert orthogonal_to(both, []) is both
    with pytest.raises(UsageError, match="nothing is left of both when x, y must not change"):
        orthogonal_to(both, [x, y])


def test_moving_along_several_directions() -> None:
    space = LatentSpace("w", lambda z, labels: z, lambda z, labels, noise: z, 2)
    right, up = (
        Direction("right", "w", torch.tensor([1.0, 0]), 2.0, ""),
        Direction("up", "w", torch.tensor([0, 1.0]), 1, ""),
    )
    points = Points(torch.zeros(1, 2))
    assert moved(space, points, [(right, 1.5), (up, -1)]).values.tolist() == [[3, -1]]
    layered = LatentSpace("w+", lambda z, labels: z, lambda z, labels, noise: z, 2, layers=3)
    some = moved(layered, Points(torch.zeros(1, 3, 2)), [(right, 1)], layers=[1])
    assert some.values[0].tolist() == [[0, 0], [2, 0], [0, 0]]
    with pytest.raises(UsageError, match="direction right is of w, and the points are of z"):
        moved(LatentSpace("z", lambda z, labels: z, lambda z, labels, noise: z, 2), points, [(right, 1)])
    with pytest.raises(UsageError, match="only a latent space with layers"):
        moved(space, points, [(right, 1)], layers=[0])


def test_codes_are_no_directions() -> None:
    """Of a latent with one-hot codes only the noise before them is free."""
    method = built("infogan")
    space = space_of(method)
    assert space.free == 8 and points_of(method, space, [0]).values.shape == (1, 12)
    for direction in find_directions(method, space, count=2, samples=64):
        assert direction.vector.shape == (12,) and not direction.vector[8:].any()


def test_all_kinds_at_once() -> None:
    method = built("stylegan2")
    attributes = [find_attribute("brightness"), find_attribute("slant")]
    found = find_directions(method, attributes=attributes, count=2, samples=64)
    assert [one.name for one in found] == [
        "pca1", "pca2", "coarse1", "coarse2", "sefa1", "sefa2", "brightness", "slant",
    ]  # fmt: skip
    for one in found:
        assert set(one.effects) == {"brightness", "slant"} and one.space == "w" and one.scale > 0
        assert all(np.isfinite(effect.change) for effect in one.effects.values())
    of_layer = find_directions(method, how=["pca:stages.1"], count=2, samples=64)
    assert [one.name for one in of_layer] == ["stages.1:pca1", "stages.1:pca2"]
    assert of_layer[0].how == "PCA of stages.1" and not torch.equal(of_layer[0].vector, found[0].vector)
    with pytest.raises(UsageError, match=r"directions are found by pca, pca:LAYER, sefa or probe \(got ica\)"):
        find_directions(method, how=["ica"])
    # A list of layers is no layer, and one whose weights others use gives nothing by itself.
    for name in ("stages.9", "stages", "to_image_layers"):
        with pytest.raises(UsageError, match=rf"no layer {name} gives features; did you mean {name[:6]}"):
            principal_directions(method, space_of(method), of=name, samples=8)
