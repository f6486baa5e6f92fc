"""Quantisers by hand: who is nearest, how codes move, what passes the gradient; and networks at any size."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from ganvas.networks.vq import (
    FSQ,
    Codebook,
    CodeDecoder,
    CodeEncoder,
    cluster_means,
    nearest,
    rotated,
    straight_through,
    sums_by_code,
)
from parts import SHAPES, Shape


def test_nearest_by_hand_and_by_all_distances() -> None:
    vectors = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 1.0]])
    z = torch.tensor([[1.4, 0.1], [1.6, 0.1], [0.2, 0.6], [0.2, 0.4]])
    assert nearest(z, vectors).tolist() == [0, 1, 2, 0]
    z, vectors = torch.randn(200, 5), torch.randn(30, 5)
    assert torch.equal(nearest(z, vectors), torch.cdist(z, vectors).argmin(1))


def test_sums_by_code_by_hand() -> None:
    z = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    assert_close(sums_by_code(torch.tensor([2, 0, 2]), z, 4), torch.tensor([[3.0, 4.0], [0, 0], [6.0, 8.0], [0, 0]]))


# --- the codebook ---------------------------------------------------------------------------------------------------------


def book(values: list[float]) -> Codebook:
    """Codes of one number, all of an even share."""
    made = Codebook(len(values), 1)
    made.replace(torch.ones(len(values), dtype=torch.bool), torch.tensor(values)[:, None])
    return made


def test_moving_averages_by_hand() -> None:
    """Four outputs 2, 2, 2 and -4; three choose the first. Shares 0.9 * 0.5 + 0.1 * 0.75 = 0.525 and 0.475; sums
    0.9 * 0.5 + 0.1 * 6 / 4 = 0.6 and -0.55."""
    codes = book([1.0, -1.0])
    codes.follow(torch.tensor([0.75, 0.25]), torch.tensor([[1.5], [-1.0]]), 0.9)
    assert_close(codes.share, torch.tensor([0.525, 0.475]))
    assert_close(codes.vectors, torch.tensor([[0.6 / 0.525], [-0.55 / 0.475]]))


def test_codes_settle_at_the_mean_of_those_that_choose_them() -> None:
    codes, z = book([0.5, -0.5]), torch.tensor([[1.0], [2.0], [-3.0], [-1.0], [-2.0]])
    for _ in range(300):
        chosen = codes.nearest(z)
        codes.follow(torch.bincount(chosen, minlength=2) / 5, sums_by_code(chosen, z, 2) / 5, 0.9)
    assert_close(codes.vectors, torch.tensor([[1.5], [-2.0]]))
    assert_close(codes.share, torch.tensor([0.4, 0.6]))


def test_k_means_start() -> None:
    """Four clouds: the codes are their means, though the first four points lie in two of them only."""
    clouds = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0], [9.0, 9.0]])
    points = torch.cat([clouds[i] + 0.01 * torch.randn(50, 2) for i in (0, 1, 2, 3)])
    points = torch.cat([points[[0, 1, 50, 100]], points[4:50], points[51:100], points[101:]])
    codes = Codebook(4, 2)
    codes.begin(points)
    assert_close(cluster_means(points, 4), codes.vectors)
    apart = torch.cdist(points, codes.vectors).min(1).values
    assert float(apart.square().mean()) < float(torch.cdist(points, points[:4]).min(1).values.square().mean()) / 1.5
    assert_close(codes.share, torch.full((4,), 0.25))
    assert_close(codes.sums, codes.vectors / 4)


def test_a_dead_code_starts_again() -> None:
    codes, points = book([0.0, 1.0, 2.0, 3.0]), torch.tensor([[10.0], [11.0], [12.0]])
    codes.share.copy_(torch.tensor([0.97, 0.02, 0.0, 0.01]))
    assert float(codes.used(0.03)) == 0.75, "0.0075 of all places is the least"
    assert float(codes.revive(points, 0.03)) == 1
    assert_close(codes.vectors, torch.tensor([[0.0], [1.0], [12.0], [3.0]]))
    assert_close(codes.share, torch.tensor([0.97, 0.02, 0.25, 0.01]))
    assert float(codes.revive(points, 0.03)) == 0, "it has time to be found"
    codes.share[3] = 0
    codes.revive(points, 0.03)
    assert float(codes.vectors[3]) == 10, "fewer points than codes: from the front"


# --- gradients ------------------------------------------------------------------------------------------------------------


def test_straight_through() -> None:
    z = torch.tensor([[1.0, 2.0]], requires_grad=True)
    passed = straight_through(z, torch.tensor([[5.0, 5.0]]))
    passed.backward(torch.tensor([[3.0, 7.0]]))
    assert passed.tolist() == [[5.0, 5.0]] and z.grad is not None and z.grad.tolist() == [[3.0, 7.0]]


def test_rotation_by_hand() -> None:
    """From (1, 0) to (0, 2) is a quarter turn and twice the length; the gradient (3, 5) turns back to (5, -3), twice."""
    z = torch.tensor([[1.0, 0.0]], requires_grad=True)
    passed = rotated(z, torch.tensor([[0.0, 2.0]]))
    passed.backward(torch.tensor([[3.0, 5.0]]))
    assert_close(passed, torch.tensor([[0.0, 2.0]]))
    assert_close(z.grad, torch.tensor([[10.0, -6.0]]))


def test_rotation_keeps_angles() -> None:
    """Fifty 2024, sec. 4.2: the angle of the gradient to the code is that of the handed-on gradient to z."""
    z, code, gradient = torch.randn(9, 6, requires_grad=True), torch.randn(9, 6), torch.randn(9, 6)
    passed = rotated(z, code)
    assert_close(passed, code, rtol=1e-4, atol=1e-5)
    passed.backward(gradient)
    assert z.grad is not None
    cosine = torch.nn.functional.cosine_similarity
    assert_close(cosine(z.grad, z.detach()), cosine(gradient, code), rtol=1e-4, atol=1e-5)
    zero = torch.zeros(1, 6, requires_grad=True)
    rotated(zero, code[:1]).sum().backward()
    assert zero.grad is not None and bool(torch.isfinite(zero.grad).all())


# --- finite scalar quantisation -------------------------------------------------------------------------------------------


def test_fsq_by_hand() -> None:
    """Three levels lie at -1, 0, 1; four at -1, -1/2, 0, 1/2, and 0 is exactly met. The first digit is the least."""
    fsq = FSQ([3, 4])
    assert (fsq.size, fsq.length) == (12, 2)
    z = torch.tensor([[-9.0, -9.0], [0.0, 0.0], [9.0, 9.0], [0.6, -0.6]])
    # tanh(0.6) * 1.001 = 0.54 rounds to 1; tanh(-0.6 + atanh(0.5 / 1.5015)) * 1.5015 - 0.5 = -0.87 rounds to -1
    assert fsq.nearest(z).tolist() == [0, 7, 11, 5]
    assert fsq(torch.tensor([0, 7, 11, 5])).tolist() == [[-1, -1], [0, 0], [1, 0.5], [1, -0.5]]
    assert_close(fsq.chosen(z)[1], fsq(fsq.nearest(z)))


def test_fsq_reaches_every_code_and_passes_the_gradient() -> None:
    fsq = FSQ([8, 5, 2])
    assert len(set(map(tuple, fsq(torch.arange(80)).tolist()))) == 80
    torch.manual_seed(0)
    z = (torch.randn(20_000, 3) * 4).requires_grad_()
    assert len(fsq.nearest(z).unique()) == 80
    fsq.chosen(z)[1].sum().backward()
    unrounded = z.detach().clone().requires_grad_()
    (fsq.bounded(unrounded) / (fsq.middle)).sum().backward()
    assert z.grad is not None
    assert_close(z.grad, unrounded.grad)
    assert float(z.grad.abs().min()) >= 0 and float(z.grad.abs().max()) > 0.1


# --- networks ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [*SHAPES, (1, 9, 7)], ids=lambda shape: "x".join(map(str, shape)))
@pytest.mark.parametrize("downsamplings", [1, 2, 3])
def test_one_vector_a_cell_at_any_size(shape: Shape, downsamplings: int) -> None:
    channels, height, width = shape
    side = 2**downsamplings
    E, G = CodeEncoder(channels, 4, downsamplings, 1, [3]), CodeDecoder(shape, 4, downsamplings, 1, [3])
    z = E.head(0, E.fine(torch.randn(2, *shape)))
    assert z.shape == (2, 3, math.ceil(height / side), math.ceil(width / side))
    assert G([z]).shape == (2, *shape)
