"""Penalties of critics whose gradient is known: w of <w, x>, and A x of x'Ax / 2."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from ganvas.losses.gradient import between, one_centred, squared_gradient

W = torch.tensor([[3.0, 0.0], [0.0, 4.0]])  # |W| = 5, as an image of 1 x 2 x 2


def images(n: int = 7) -> torch.Tensor:
    return torch.rand(n, 1, 2, 2, generator=torch.Generator().manual_seed(0)).requires_grad_()


def test_squared_gradient_of_a_linear_critic() -> None:
    x = images()
    assert_close(squared_gradient(x, (x * W).sum((1, 2, 3))), torch.full((7,), 25.0))
    assert_close(squared_gradient(x, (x * W).sum((1, 2, 3))[:, None]), torch.full((7,), 25.0))  # logits may be (N, 1)


def test_one_centred_of_a_linear_critic() -> None:
    x = images()
    assert_close(one_centred(x, (x * W).sum((1, 2, 3))), torch.full((7,), 16.0))  # (5 - 1)^2
    assert_close(one_centred(x, (x * W / 5).sum((1, 2, 3))), torch.zeros(7), atol=1e-10, rtol=0)


def test_penalties_train_the_critic() -> None:
    """d|w|^2/dw = 2 w and d(|w| - 1)^2/dw = 2 (|w| - 1) w / |w|."""
    w, x = W.clone().requires_grad_(), images(4)
    squared_gradient(x, (x * w).sum((1, 2, 3))).mean().backward()
    assert_close(w.grad, 2 * W)
    w.grad = None
    one_centred(x, (x * w).sum((1, 2, 3))).mean().backward()
    assert_close(w.grad, 2 * 4 * W / 5)


def test_each_image_has_its_own_gradient() -> None:
    """D(x) = |x|^2 / 2 has the gradient x."""
    x = images()
    logits = x.square().sum((1, 2, 3)) / 2
    assert_close(squared_gradient(x, logits), x.detach().square().sum((1, 2, 3)))
    assert_close(one_centred(x, logits), (x.detach().flatten(1).norm(dim=1) - 1).square())


def test_second_derivatives_agree_with_differences() -> None:
    """For D(x) = a x^3 on one pixel: P(a) = (3 a x^2)^2, so dP/da = 18 a x^4."""
    a, x = torch.tensor(0.5, requires_grad=True), torch.tensor([[2.0]], requires_grad=True)
    penalty = squared_gradient(x, (a * x**3).flatten()).sum()
    assert_close(penalty, torch.tensor(36.0))
    penalty.backward()
    assert_close(a.grad, torch.tensor(18 * 0.5 * 16.0))


def test_a_flat_critic_has_a_finite_slope() -> None:
    w, x = torch.zeros(2, 2, requires_grad=True), images(3)
    value = one_centred(x, (x * w).sum((1, 2, 3)))
    value.sum().backward()
    assert_close(value.detach(), torch.ones(3), atol=1e-5, rtol=0)
    assert torch.isfinite(w.grad).all()  # pyright: ignore[reportArgumentType]


def test_between_lies_on_the_lines() -> None:
    real, fake = torch.full((3, 1, 2, 2), 2.0), torch.full((3, 1, 2, 2), -2.0, requires_grad=True)
    share = torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1)
    points = between(real, fake, share)
    assert_close(points[:, 0, 0, 0], torch.tensor([-2.0, -1.0, 2.0]))
    assert (points.flatten(1) == points[:, 0, 0, :1]).all(), "one share an image"
    assert points.is_leaf and points.requires_grad
