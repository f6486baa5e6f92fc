"""Content, style and smoothness losses on features, one value per example.

Features are (N, C, H, W), from any layer of any network. All of it in float32, whatever precision the features come in.

`relative` makes the losses of different layers and networks comparable: Gatys' eqs. 1 and 4 grow with the square and with the
fourth power of a layer's scale. Measured (docs/experiments/style.md), eq. 4 of an image without features differs between
the layers of VGG-16-BN by a factor of 3,000 to 8,100, of the light networks by 3 to 46, and between networks by 10^9.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

FLOATS_PER_PASS = 2**20  # numbers of a feature map that pass through float32 at once
FLAT_VARIANCE = 1e-3  # variance of features over their mean square below which an image counts as one colour
MIN_SQUARE = 1e-12  # below any square of features that an image gives


def gram(features: Tensor) -> Tensor:
    """G_ij = sum_k F_ik F_jk over the places k (Gatys 2015, arXiv:1508.06576, eq. 3), over their number. (N, C, C).

    Over their number, so that it does not depend on the size of the image: this includes the 1 / M^2 of eq. 4.
    """
    return gram_sum(features) / (features.shape[2] * features.shape[3])


def gram_sum(features: Tensor) -> Tensor:
    """Eq. 3 itself, a plain sum over the places: sums of an image's parts add up to that of the whole. (N, C, C)."""
    return _GramSum.apply(features)  # pyright: ignore[reportReturnType]


class _GramSum(torch.autograd.Function):
    """F F^T in float32 of features that are kept as they came: autograd itself would keep a float32 copy of them."""

    # Places before channels, as channels_last lies in memory: in the other order each gradient would have to be turned around.

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        n, channels = features.shape[:2]
        total = torch.zeros(n, channels, channels, device=features.device)
        for part in features.permute(0, 2, 3, 1).flatten(1, 2).split(max(1, FLOATS_PER_PASS // (n * channels)), 1):
            part = part.float()
            total.baddbmm_(part.transpose(1, 2), part)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (features,) = ctx.saved_tensors
        places = features.permute(0, 2, 3, 1)
        both = (gradient + gradient.transpose(1, 2)).to(features.dtype)
        return (places.flatten(1, 2) @ both).view(places.shape).permute(0, 3, 1, 2)


def add_gram_slope(to: Tensor, features: Tensor, gradient: Tensor) -> None:
    """Adds to `to`, in place, the gradient with respect to `features` (N, C, H, W) of a loss that `gram_sum` goes into with the
    gradient (N, C, C)."""
    places, both = features.permute(0, 2, 3, 1).flatten(1, 2), (gradient + gradient.transpose(1, 2)).to(features.dtype)
    sums = to.permute(0, 2, 3, 1)
    if sums.is_contiguous():
        sums.flatten(1, 2).baddbmm_(places, both)
    else:
        sums.add_((places @ both).view(sums.shape))


def style_loss(gram_: Tensor, target: Tensor) -> Tensor:
    """sum_ij (G_ij - A_ij)^2 / (4 C^2) (Gatys 2015, eq. 4, its M in `gram`). Both (N or 1, C, C); returns (N,)."""
    return (gram_ - target).square().flatten(1).sum(1) / (4 * gram_.shape[1] ** 2)


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Half the sum of (F_ij - P_ij)^2 (Gatys 2015, eq. 1), as a mean over the places j. Returns (N,).

    A mean, for the reason that `gram` is one: the balance of style and content must not depend on the image's size.
    """
    squared = (features.float() - target.float()).square()
    return squared.flatten(1).sum(1) / (2 * features.shape[2] * features.shape[3])


def style_scale(target: Tensor) -> Tensor:
    """`style_loss` of an image without any features: what `relative` divides by. (N,)."""
    return style_loss(torch.zeros_like(target), target)


def content_scale(target: Tensor) -> Tensor:
    """`content_loss` of an image of one colour, whose features are the target's mean everywhere. (N,).

    At least FLAT_VARIANCE times the loss of an image without features, so that a target of one colour does not divide by about 0.
    """
    target = target.float()
    plain = content_loss(target.mean((2, 3), keepdim=True).expand_as(target), target)
    return plain.maximum(FLAT_VARIANCE * content_loss(target.new_zeros(()).expand_as(target), target))


def relative(loss: Tensor, scale: Tensor) -> Tensor:
    """A layer's loss divided by that of an image without features: 0 for equal images, about 1 for unrelated ones. (N,)."""
    return loss / scale.clamp_min(MIN_SQUARE)


def total_variation(x: Tensor) -> Tensor:
    """Mean squared difference of neighbours, down and across (Johnson 2016, arXiv:1603.08155, sec. 3.2). x (N, C, H, W); (N,)."""
    down = (x[:, :, 1:] - x[:, :, :-1]).float().square().flatten(1).sum(1)
    across = (x[..., 1:] - x[..., :-1]).float().square().flatten(1).sum(1)
    return (down + across) / x[0].numel()


def add_variation_slope(to: Tensor, x: Tensor, weight: float) -> Tensor:
    """`total_variation`(x) (N,), and adds to `to`, in place, the gradient of `weight` times its sum: one pass for both."""
    size, total = x[0].numel(), torch.zeros(len(x), device=x.device)
    for axis in (2, 3):
        length = x.shape[axis] - 1
        step = (x.narrow(axis, 1, length) - x.narrow(axis, 0, length)).float()
        total += torch.linalg.vector_norm(step.flatten(1), dim=1).square_()
        to.narrow(axis, 1, length).add_(step, alpha=2 * weight / size)
        to.narrow(axis, 0, length).sub_(step, alpha=2 * weight / size)
    return total / size


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel over its places (Huang 2017, arXiv:1703.06868, eqs. 5 and 6, after Ulyanov).

    Each (N, C). The deviation is the root of the mean square, plus 1e-5 under the root, so that it has a gradient at 0.
    """
    variance, mean = torch.var_mean(features.float(), (2, 3), correction=0)
    return mean, (variance + 1e-5).sqrt()


def adain(content: Tensor, style: Tensor) -> Tensor:
    """sigma(y) (x - mu(x)) / sigma(x) + mu(y) (Huang 2017, eq. 8): x in the moments of y. style (1 or N, C, h, w)."""
    (mean, deviation), (wanted_mean, wanted_deviation) = moments(content), moments(style)
    factor = wanted_deviation / deviation
    shift = wanted_mean - mean * factor
    return torch.addcmul(shift[..., None, None], content.float(), factor[..., None, None])


def moment_loss(features: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
    """|mu(F) - mu(S)|^2 + |sigma(F) - sigma(S)|^2 (Huang 2017, eq. 13, its norms squared as in their code). Returns (N,)."""
    return sum(
        ((ours - wanted).square().sum(1) for ours, wanted in zip(moments(features), target, strict=True)),
        torch.zeros((), device=features.device),
    )


def moment_scale(target: tuple[Tensor, Tensor]) -> Tensor:
    """`moment_loss` of an image without any features. (N,)."""
    return target[0].square().sum(1) + target[1].square().sum(1)
