"""The equations of style and content by hand."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from ganvas.losses.style import (
    FLAT_VARIANCE,
    adain,
    add_gram_slope,
    add_variation_slope,
    content_loss,
    content_scale,
    gram,
    gram_sum,
    moment_loss,
    moments,
    relative,
    style_loss,
    style_scale,
    total_variation,
)

# Two channels of 1 x 2 places: F = [[1, 2], [3, 4]].
KNOWN = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 2, 1, 2)


def test_gram_of_a_known_map() -> None:
    """F F^T = [[1 + 4, 3 + 8], [3 + 8, 9 + 16]], over two places."""
    assert_close(gram_sum(KNOWN), torch.tensor([[[5.0, 11.0], [11.0, 25.0]]]))
    assert_close(gram(KNOWN), torch.tensor([[[2.5, 5.5], [5.5, 12.5]]]))


def test_gram_has_the_gradient_that_differences_give() -> None:
    x = torch.randn(2, 3, 2, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).float()
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    weights = torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(1))
    (gram_sum(x) * weights).sum().backward()
    flat = x.detach().clone().requires_grad_()
    ((flat.flatten(2) @ flat.flatten(2).transpose(1, 2)) * weights).sum().backward()
    assert_close(x.grad, flat.grad)


def test_slopes_are_what_autograd_finds() -> None:
    """Both in a place of their own, added to what is there; channels last, and cut out of a larger one."""
    generator = torch.Generator().manual_seed(0)
    whole = torch.randn(2, 3, 6, 5, dtype=torch.float64, generator=generator).contiguous(
        memory_format=torch.channels_last
    )
    weights = torch.randn(2, 3, 3, generator=generator)
    for x in (whole, whole[:, :, 1:5, :3]):
        leaf = x.detach().float().clone().requires_grad_()
        (gram_sum(leaf) * weights).sum().backward()
        found = torch.ones_like(whole.float())[:, :, : x.shape[2], : x.shape[3]]
        add_gram_slope(found, leaf.detach(), weights)
        assert_close(found - 1, leaf.grad)
        leaf.grad, found = None, torch.ones_like(leaf)
        (0.7 * total_variation(leaf).sum()).backward()
        assert_close(add_variation_slope(found, leaf.detach(), 0.7), total_variation(leaf.detach()))
        assert_close(found.detach() - 1, leaf.grad, atol=1e-6, rtol=1e-5)


def test_an_image_and_its_double_have_one_gram_matrix() -> None:
    assert_close(gram(torch.cat([KNOWN, KNOWN], 3)), gram(KNOWN))


def test_style_and_content_losses_by_hand() -> None:
    """Against nothing: (2.5^2 + 2 * 5.5^2 + 12.5^2) / (4 * 2^2) and (1 + 4 + 9 + 16) / (2 * 2 places)."""
    assert_close(style_scale(gram(KNOWN)), torch.tensor([(6.25 + 60.5 + 156.25) / 16]))
    assert_close(content_loss(KNOWN, torch.zeros_like(KNOWN)), torch.tensor([7.5]))
    # Of one colour: means 1.5 and 3.5, every value half away from its mean.
    assert_close(content_scale(KNOWN), torch.tensor([4 * 0.25 / 4]))


def test_relative_losses_do_not_know_a_networks_scale() -> None:
    other = KNOWN + torch.tensor([0.5, -1.0]).view(1, 2, 1, 1)
    for scale in (1.0, 1000.0):
        a, b = gram(other * scale), gram(KNOWN * scale)
        style = relative(style_loss(a, b), style_scale(b))
        content = relative(content_loss(other * scale, KNOWN * scale), content_scale(KNOWN * scale))
        if scale == 1.0:
            first = style, content
        assert_close((style, content), first)  # pyright: ignore[reportPossiblyUnboundVariable]
    nothing = torch.zeros_like(KNOWN)
    assert_close(relative(style_loss(gram(nothing), gram(KNOWN)), style_scale(gram(KNOWN))), torch.ones(1))


def test_total_variation_by_hand() -> None:
    """[[0, 1], [3, 3]]: down 3^2 + 2^2, across 1 + 0, over four pixels."""
    x = torch.tensor([[0.0, 1.0], [3.0, 3.0]]).view(1, 1, 2, 2)
    assert_close(total_variation(x), torch.tensor([14 / 4]))
    assert_close(total_variation(torch.ones(2, 3, 1, 1)), torch.zeros(2))


def test_moments_of_a_known_map() -> None:
    mean, deviation = moments(KNOWN)
    assert_close(mean, torch.tensor([[1.5, 3.5]]))
    assert_close(deviation, torch.full((1, 2), (0.25 + 1e-5) ** 0.5))


def test_adain_has_the_moments_of_the_style() -> None:
    content = torch.randn(2, 4, 6, 7, generator=torch.Generator().manual_seed(0))
    style = 3 + 2 * torch.randn(1, 4, 3, 9, generator=torch.Generator().manual_seed(1))
    made = moments(adain(content, style))
    wanted = moments(style)
    assert_close(made[0], wanted[0].expand(2, -1), atol=1e-4, rtol=1e-4)
    assert_close(made[1], wanted[1].expand(2, -1), atol=1e-4, rtol=1e-4)
    assert_close(adain(style, style), style, atol=1e-5, rtol=1e-5)
    assert_close(moment_loss(style, wanted), torch.zeros(1))
    assert_close(
        moment_loss(style + 1, wanted), torch.full((1,), 4.0), atol=1e-4, rtol=1e-4
    )  # four means, each off by 1


def test_a_content_of_one_colour_keeps_its_measure() -> None:
    """Features all 2 have no spread, and a mean square of 4: 4 / 2 * FLAT. Those all 2.002 are then nearly the same."""
    flat = torch.full((1, 1, 3, 3), 2.0)
    assert_close(content_scale(flat), torch.tensor([2 * FLAT_VARIANCE]))
    assert relative(content_loss(flat * 1.001, flat), content_scale(flat)).item() < 0.01
