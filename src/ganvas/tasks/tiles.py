"""Applies a network to an image of any size: padded to a valid size, and in overlapping, blended tiles if it is large.

Two neighbouring tiles share `overlap` pixels. The outer `context` pixels of a tile are affected by the cut and are not
used; over the rest of the overlap one tile is blended into the other along a raised cosine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def tiled(
    make: Callable[[Tensor], Tensor],
    image: Tensor,
    *,
    tile: int = 512,
    overlap: int = 32,
    multiple: int = 1,
    scale: int = 1,
    context: int | None = None,
) -> Tensor:
    """make(image), (1, C', H * scale, W * scale) float32, for an `image` (1, C, H, W) of any size.

    `make` takes (1, C, h, w), h and w multiples of `multiple`, and returns (1, C', h * scale, w * scale). The image is padded to
    multiples by reflection at the lower and right border; the padding is removed again. An image with both sides up to `tile`
    is processed as a whole, others in tiles of that size, which needs the memory of one tile beside image and result. If no
    output pixel depends on inputs further away than `context` (default: a quarter of `overlap`), the result equals make(image).
    """
    height, width = image.shape[2:]
    padded = reflected(image, multiple)
    tops, tall = _starts(padded.shape[2], tile, overlap, multiple)
    lefts, wide = _starts(padded.shape[3], tile, overlap, multiple)
    if len(tops) == len(lefts) == 1:
        return make(padded).float()[:, :, : height * scale, : width * scale]
    margin = overlap // 4 if context is None else min(context, overlap // 2)
    rows = _weights(tops, tall, padded.shape[2], margin, overlap, scale, image.device)
    columns = _weights(lefts, wide, padded.shape[3], margin, overlap, scale, image.device)
    whole: Tensor | None = None
    for top, row in zip(tops, rows, strict=True):
        for left, column in zip(lefts, columns, strict=True):
            made = make(padded[:, :, top : top + tall, left : left + wide]).float()
            if whole is None:
                whole = made.new_zeros(1, made.shape[1], padded.shape[2] * scale, padded.shape[3] * scale)
            made = made * row[:, None] * column
            whole[:, :, top * scale : (top + tall) * scale, left * scale : (left + wide) * scale] += made
    assert whole is not None
    return whole[:, :, : height * scale, : width * scale]


def in_one_piece(size: Sequence[int], *, tile: int, overlap: int, multiple: int) -> bool:
    """Whether `tiled` processes an image of `size` (H, W) as a whole."""
    return all(len(_starts(_rounded_up(side, multiple), tile, overlap, multiple)[0]) == 1 for side in size)


def _rounded_up(size: int, multiple: int) -> int:
    """`size` rounded up to a multiple."""
    return -(-size // multiple) * multiple


def reflected(image: Tensor, multiple: int) -> Tensor:
    """(..., H, W) padded by reflection at the lower and right border to multiples of `multiple`; a side of 1 is repeated."""
    for axis in (-2, -1):
        size = image.shape[axis]
        padded = _rounded_up(size, multiple)
        if padded > size:
            period = max(1, 2 * (size - 1))
            index = torch.arange(padded, device=image.device) % period
            image = image.index_select(axis, torch.minimum(index, period - index) if size > 1 else index)
    return image


def _starts(size: int, tile: int, overlap: int, multiple: int) -> tuple[list[int], int]:
    """Starts of the tiles of one axis, and their length, all multiples of `multiple`."""
    if size <= max(tile, multiple):
        return [0], size
    length = max(tile // multiple, 1) * multiple
    step = (length - overlap) // multiple * multiple
    if step < 1:  # `multiple` needs larger tiles
        step = multiple
        length = _rounded_up(overlap + multiple, multiple)
    if size <= length:
        return [0], size
    count = -(-(size - length) // step) + 1
    return [min(number * step, size - length) for number in range(count)], length


def _weights(
    starts: list[int], length: int, size: int, margin: int, overlap: int, scale: int, device: torch.device
) -> list[Tensor]:
    """Blending weights (length * scale,) of each tile of one axis; the weights of a pixel sum to 1.

    At the border of the image a tile is not cut, so its weight stays 1.
    """
    # In pixels of the result, at their centres.
    position = (torch.arange(length * scale, dtype=torch.float64) + 0.5) / scale
    fade = max(overlap - 2 * margin, 1e-9)

    def rise(distance: Tensor) -> Tensor:
        """0 within the margin of a cut, then a raised cosine up to 1."""
        return torch.sin(((distance - margin) / fade).clamp(0, 1) * torch.pi / 2) ** 2

    shares = []
    total = torch.zeros(size * scale, dtype=torch.float64)
    for start in starts:
        weight = torch.ones_like(position)
        if start > 0:
            weight = weight * rise(position)
        if start + length < size:
            weight = weight * rise(length - position)
        shares.append(weight)
        total[start * scale : (start + length) * scale] += weight
    return [
        (share / total[start * scale : (start + length) * scale]).float().to(device)
        for start, share in zip(starts, shares, strict=True)
    ]
