"""What D sees instead of the images themselves, real and fake alike, so that few images last longer.

Idea: D learns few images memorised. Show it nothing but images that were recoloured, moved and partly hidden at random; G's
gradient goes through the same changes, so that G is not taught to generate them.

    diff_augment      DiffAugment (Zhao 2020, arXiv:2006.10738, sec. 3.2): colour, translation and cutout, always.
    adaptive_augment  ADA's blit, geometric and colour transformations (Karras 2020, arXiv:2006.06676, appendix B), each with
                      probability p, which `adapted` moves by how sure D is of the training images (sec. 3.1).
    small_changes     what classifiers are usually trained with: small shifts, rotations and changes of size.

Departs from the papers: ADA's image-space filters and corruptions are left out, as in most of the authors' own runs; its warp is
bilinear, without their oversampling by two, so that images made smaller alias a little, real and fake ones alike.

Both are linear in the images but for a constant, in ops whose derivatives have derivatives: gradient penalties pass through.
Both take (N, C, H, W) in [-1, 1] of any C, H and W; values may leave [-1, 1], as in the papers. Randomness comes from `draw`
alone, and image i depends on the i-th row of it alone. Four channels are a colour and its alpha, which keeps its values; any
other count is as many colours of equal rank.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

LARGEST_SHIFT, LARGEST_TURN, LARGEST_SCALE = 0.1, 15, 0.15  # share of a side, degrees, power of two: of `small_changes`

Draw = Callable[..., Tensor]
"""draw(*shape): uniform numbers in [0, 1), (N, *shape), on the device of the N images."""


def diff_augment(images: Tensor, draw: Draw) -> Tensor:
    """Brightness, saturation and contrast, then translation by up to an eighth, then a hidden half by half (Zhao 2020).

    What is moved in or hidden is 0: the middle of the range, as in the paper, which differs from a black ground as from a
    white one. One channel has no saturation.
    """
    with torch.autocast(images.device.type, enabled=False):
        x = _workable(images)
        return _moved_and_cut(_jittered(x, draw(3)), draw(4)).to(images.dtype)


def adaptive_augment(images: Tensor, p: Tensor, draw: Draw) -> Tensor:
    """Mirroring, quarter turns, whole shifts, scaling, turns, stretching, fractional shifts and colour, each with probability p.

    p () in [0, 1]. An image for which nothing was drawn comes back bit for bit. Quarter turns of images that are not square
    are half turns. One channel has no saturation, and only three have a hue; luma flip of one channel is the negative.
    """
    with torch.autocast(images.device.type, enabled=False):  # bfloat16 coordinates would be off by a pixel
        x = _workable(images)
        geometry = _drawn_geometry(p, draw, x.shape[2], x.shape[3])
        colour = _drawn_colour(p, draw)
        matrix, shift = _palette(colour.to(x.dtype), _colours(x))
        return recoloured(warped(x, *_placement(geometry)), matrix, shift).to(images.dtype)


def small_changes(images: Tensor, draw: Draw, *, mirror: bool = False) -> Tensor:
    """Shifted by up to a tenth of each side, rotated by up to 15 degrees, and up to 11 % smaller or larger, always.

    No class of digits, letters or clothes changes by that. `mirror` also flips half of the images left to right.
    """
    x = _workable(images)
    height, width = x.shape[2:]
    amounts = draw(5).to(x.dtype) * 2 - 1
    angle, scale = amounts[:, 0] * (LARGEST_TURN * math.pi / 180), (amounts[:, 1] * LARGEST_SCALE).exp2()
    matrix = _rotation(angle.cos(), angle.sin()) * scale[:, None, None]
    offset = torch.stack([amounts[:, 2] * (width * LARGEST_SHIFT), amounts[:, 3] * (height * LARGEST_SHIFT)], dim=1)
    if mirror:
        across = torch.where(amounts[:, 4] < 0, -1.0, 1.0)
        matrix = _diagonal(across, torch.ones_like(across)) @ matrix
        offset = offset * torch.stack([across, torch.ones_like(across)], dim=1)
    return warped(x, matrix, offset).to(images.dtype)


def adapted(p: Tensor, sign: Tensor, target: float, batch_size: int, images: float) -> Tensor:
    """The next p (): one step of batch_size / images up where `sign` () exceeds `target`, down where it is below (Karras 2020,
    sec. 3.1, r_t = E[sign(D(real))]).

    `images` are the real images in which p would go from 0 to 1. The result is in [0, 1]; a sign of NaN leaves p alone.
    """
    direction = (sign > target).to(p.dtype) - (sign < target).to(p.dtype)  # neither holds for NaN
    return (p + direction * (batch_size / images)).clamp(0, 1)


def shifted(images: Tensor, down: Tensor, across: Tensor) -> Tensor:
    """Images (N, C, H, W) moved down and to the right by whole pixels (N,), int64; what comes in repeats the border."""
    n, channels, height, width = images.shape
    rows = (torch.arange(height, device=images.device) - down[:, None]).clamp(0, height - 1)
    columns = (torch.arange(width, device=images.device) - across[:, None]).clamp(0, width - 1)
    places = (rows[:, :, None] * width + columns[:, None, :]).view(n, 1, -1).expand(-1, channels, -1)
    return images.flatten(2).gather(2, places).view(n, channels, height, width)


# --- the two linear maps: places and colours ---------------------------------------------------------------------------


def warped(images: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Images (N, C, H, W) whose pixel at r shows what was at matrix @ r + offset, between four pixels by bilinear weights.

    r = (x to the right, y down) in pixels from the middle; matrix (N, 2, 2), offset (N, 2). Beyond the border the image goes
    on mirrored, its edge pixels twice. Whole places have weights of exactly 1 and 0.
    """
    n, channels, height, width = images.shape
    right = torch.arange(width, device=images.device) - (width - 1) / 2
    down = (torch.arange(height, device=images.device) - (height - 1) / 2)[:, None]
    (xx, xy), (yx, yy) = (row.unbind(1) for row in matrix[..., None, None].unbind(1))
    x0, y0 = offset[..., None, None].unbind(1)
    left, rightward = _split(xx * right + (xy * down + x0), width)
    top, downward = _split(yx * right + (yy * down + y0), height)
    first = top.mul_(width).add_(left).long().view(n, 1, -1).expand(-1, channels, -1)
    flat = images.flatten(2)
    rightward = rightward.to(images.dtype).view(n, 1, -1)
    downward = downward.to(images.dtype).view(n, 1, -1)
    step, line = min(1, width - 1), width * min(1, height - 1)

    def corner(step: int) -> Tensor:
        return flat[:, :, step:].gather(2, first)  # the same places in an image that begins later: no second index

    upper = corner(0).lerp(corner(step), rightward)
    lower = corner(line).lerp(corner(line + step), rightward)
    return upper.lerp(lower, downward).view_as(images)


def recoloured(images: Tensor, matrix: Tensor, offset: Tensor) -> Tensor:
    """Every pixel c (K,) of images (N, K or more, H, W) as matrix @ c + offset; further channels stay.

    matrix (N, K, K), offset (N, K).
    """
    colours = matrix.shape[1]
    if colours == 1:
        mixed = torch.addcmul(offset[..., None, None], images[:, :1], matrix[..., None])
    else:
        mixed = torch.baddbmm(offset[..., None], matrix, images[:, :colours].flatten(2))
        mixed = mixed.view(-1, colours, *images.shape[2:])
    return mixed if colours == images.shape[1] else torch.cat([mixed, images[:, colours:]], dim=1)


def _split(place: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Places from the middle as the pixel before each, 0 to size - 2, and how far beyond it they lie, 0 to 1."""
    # In place: to allocate these costs more than to compute them. Seen from the border, the first pixel's middle is at 0.5.
    mirrored = place.add_(size / 2).remainder_(2 * size).sub_(size).abs_().neg_().add_(size - 0.5).clamp_(0, size - 1)
    before = mirrored.floor().clamp_(max=max(0, size - 2))
    return before, mirrored.sub_(before)


# --- ADA's transformations (Karras 2020, appendix B): every amount is 0 where it was not drawn --------------------------


def _drawn_geometry(p: Tensor, draw: Draw, height: int, width: int) -> Tensor:
    """(N, 10), in the order that `_placement` names: shifts and slides in pixels, turns in radians, scale and stretch as powers
    of two, the rest as discrete codes.
    """
    uniform, normal = draw(6), _normal(draw(4))
    shift_x = ((uniform[:, 0:1] - 0.5) * (width / 4)).round()
    shift_y = ((uniform[:, 1:2] - 0.5) * (height / 4)).round()
    mirror = _integers(uniform[:, 2:3], 2)
    quarters = _integers(uniform[:, 3:4], 4) if height == width else 2 * _integers(uniform[:, 3:4], 2)
    turns = (uniform[:, 4:] * 2 - 1) * math.pi
    slide_x, slide_y = normal[:, 0:1] * (width / 8), normal[:, 1:2] * (height / 8)
    amounts = torch.cat([shift_x, slide_x, mirror, quarters, 0.2 * normal[:, 2:], turns, shift_y, slide_y], dim=1)
    chance = draw(8)
    chance = torch.cat([chance, chance[:, :2]], dim=1)  # along x and y together
    turning = 1 - (1 - p).sqrt()  # either of two turns, so that there is one at least with probability p
    return _kept(amounts, chance, torch.cat([p.expand(6), turning.expand(2), p.expand(2)]))


def _placement(geometry: Tensor) -> tuple[Tensor, Tensor]:
    """matrix (N, 2, 2) and offset (N, 2) of `warped`: the way back from a pixel to where it came from.

    An image is mirrored, turned by quarters, shifted, scaled, turned, stretched, turned again and slid, in the paper's order.
    """
    shift_x, slide_x, mirror, quarters, scale, stretch, before, after, shift_y, slide_y = geometry.unbind(1)
    shift, slide = torch.stack([shift_x, shift_y], dim=1), torch.stack([slide_x, slide_y], dim=1)
    odd = quarters % 2
    upright = _diagonal(1 - 2 * mirror, torch.ones_like(mirror))
    blit = upright @ _rotation((1 - quarters) * (1 - odd), (2 - quarters) * odd)  # cos and sin without rounding
    stretched = _diagonal((-scale - stretch).exp2(), (stretch - scale).exp2())
    matrix = blit @ _rotation(before.cos(), before.sin()) @ stretched @ _rotation(after.cos(), after.sin())
    return matrix, -(blit @ shift[..., None] + matrix @ slide[..., None])[..., 0]


def _drawn_colour(p: Tensor, draw: Draw) -> Tensor:
    """(N, 5): brightness, contrast, luma flip, hue, saturation; contrast and saturation as powers of two, hue in radians."""
    uniform, normal = draw(2), _normal(draw(3))
    flip, hue = _integers(uniform[:, :1], 2), (uniform[:, 1:] * 2 - 1) * math.pi
    amounts = torch.cat([0.2 * normal[:, :1], 0.5 * normal[:, 1:2], flip, hue, normal[:, 2:]], dim=1)
    return _kept(amounts, draw(5), p)


def _palette(colour: Tensor, colours: int) -> tuple[Tensor, Tensor]:
    """matrix (N, K, K) and offset (N, K) of `recoloured` for K = `colours`.

    Along the grey axis (1, ..., 1): brightness, contrast and flip. Around it, where there is a third colour: hue. Away from it:
    saturation.
    """
    brightness, contrast, flip, hue, saturation = (part[:, None, None] for part in colour.unbind(1))
    eye = torch.eye(colours, device=colour.device, dtype=colour.dtype)
    grey = colour.new_full((colours, colours), 1 / colours)
    around = eye - grey
    if colours == 3:
        # The cross product with the unit grey: what a quarter turn around grey makes of a colour.
        quarter = (eye.roll(1, dims=1) - eye.roll(1, dims=0)) / math.sqrt(3)
        around = hue.cos() * around + hue.sin() * quarter
    matrix = contrast.exp2() * ((1 - 2 * flip) * grey + saturation.exp2() * around)
    # The order is the paper's: brightness comes first, and is scaled and flipped with the rest.
    offset = (brightness * contrast.exp2() * (1 - 2 * flip)).expand(-1, colours, -1)
    return matrix, offset[..., 0]


# --- DiffAugment's (Zhao 2020, sec. 3.2) ---------------------------------------------------------------------------------


def _jittered(x: Tensor, uniform: Tensor) -> Tensor:
    """Brightness by -0.5 to 0.5, saturation by 0 to 2 about each pixel's grey, contrast by 0.5 to 1.5 about the mean."""
    colours = _colours(x)
    uniform = uniform.to(x.dtype)
    brightness, saturation, contrast = uniform[:, 0:1] - 0.5, uniform[:, 1:2] * 2, uniform[:, 2:3] + 0.5
    grey = x.new_full((colours, colours), 1 / colours)
    rest = torch.eye(colours, device=x.device, dtype=x.dtype) - grey
    matrix = contrast[..., None] * (grey + saturation[..., None] * rest)
    mean = x[:, :colours].mean(dim=(1, 2, 3))[:, None]
    return recoloured(x, matrix, (brightness + (1 - contrast) * mean).expand(-1, colours))


def _moved_and_cut(x: Tensor, uniform: Tensor) -> Tensor:
    """x moved by whole pixels, then with a hole of half its height and width, whose middle is anywhere in the image."""
    n, channels, height, width = x.shape
    row, row_seen, row_cut = _moved_axis(uniform[:, 0:1], uniform[:, 2:3], height)
    column, column_seen, column_cut = _moved_axis(uniform[:, 1:2], uniform[:, 3:4], width)
    places = row[:, :, None] * width + column[:, None, :]
    seen = row_seen[:, :, None] & column_seen[:, None, :] & ~(row_cut[:, :, None] & column_cut[:, None, :])
    found = x.flatten(2).gather(2, places.view(n, 1, -1).expand(-1, channels, -1))
    return torch.where(seen.view(n, 1, -1), found, 0).view_as(x)


def _moved_axis(shift: Tensor, middle: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each place of one axis (N, size): where it came from, whether that is in the image, whether the hole hides it."""
    reach, hole = (size + 4) // 8, (size + 1) // 2
    place = torch.arange(size, device=shift.device)
    source = place - (_integers(shift, 2 * reach + 1) - reach).long()
    start = _integers(middle, size + 1 - hole % 2) - hole // 2
    return source.clamp(0, size - 1), source == source.clamp(0, size - 1), (place >= start) & (place < start + hole)


# --- small parts -------------------------------------------------------------------------------------------------------------


def _workable(images: Tensor) -> Tensor:
    """float32 at least: bfloat16 has too few digits for a sum of weights."""
    return images if images.dtype in (torch.float32, torch.float64) else images.float()


def _colours(x: Tensor) -> int:
    """Channels that are colour: all, but alpha of four."""
    return 3 if x.shape[1] == 4 else x.shape[1]


def _kept(amounts: Tensor, chance: Tensor, p: Tensor) -> Tensor:
    """`amounts` where they were drawn, with probability p, else 0."""
    return torch.where(chance < p, amounts, 0)


def _normal(uniform: Tensor) -> Tensor:
    """Standard normal numbers from uniform ones in [0, 1), finite at 0 too (there -5.4)."""
    return math.sqrt(2) * torch.erfinv(2 * uniform.clamp(min=2**-25) - 1)


def _integers(uniform: Tensor, count: int) -> Tensor:
    """0 to count - 1, as floats. The largest float below 1 times `count` never rounds up to `count`."""
    return (uniform * count).floor()


def _diagonal(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([x, y], dim=1))


def _rotation(cos: Tensor, sin: Tensor) -> Tensor:
    """(N, 2, 2)"""
    return torch.stack([cos, -sin, sin, cos], dim=1).view(-1, 2, 2)
