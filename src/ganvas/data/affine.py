"""Random turns, slants, sizes and places: what leaves the kind of thing that an image shows as it is."""

from __future__ import annotations

import torch
from torch import Tensor

from ganvas.data.augment import Draw, warped

# radians; sideways a unit of height; powers of two; of the image's side
TURN, SLANT, SCALE, SHIFT = 0.35, 0.4, 0.35, 0.1
MOVED_SHARE = 0.7  # of the images; the others stay as they are, so that nothing of this is mistaken for the data's own


def affine(images: Tensor, draw: Draw, strength: float = 1.0) -> Tensor:
    """Images (N, C, H, W), seven in ten of them turned, slanted, scaled in both directions and moved, each by an amount uniform
    up to `strength` times the numbers above. Linear in the images; randomness by `draw(7)` alone (see ganvas.data.augment).
    """
    with torch.autocast(images.device.type, enabled=False):  # bfloat16 coordinates would be off by a pixel
        uniform = draw(7)
        amounts = torch.where(uniform[:, 6:] < MOVED_SHARE, (2 * uniform[:, :6] - 1) * strength, 0.0)
        sides = amounts.new_tensor([images.shape[3], images.shape[2]])
        matrix, offset = placement(amounts, sides)
        x = images if images.dtype == torch.float64 else images.float()
        return warped(x, matrix, offset).to(images.dtype)


def placement(amounts: Tensor, sides: Tensor) -> tuple[Tensor, Tensor]:
    """matrix (N, 2, 2) and offset (N, 2) of `warped`, of amounts (N, 6) in [-1, 1]: turn, slant, width, height, right, down."""
    turn, slant, width, height = (amounts[:, :4] * amounts.new_tensor([TURN, SLANT, SCALE, SCALE])).unbind(1)
    cosine, sine, zero, one = turn.cos(), turn.sin(), torch.zeros_like(turn), torch.ones_like(turn)
    turned = torch.stack([cosine, -sine, sine, cosine], 1).view(-1, 2, 2)
    slanted = torch.stack([one, slant, zero, one], 1).view(-1, 2, 2)
    scaled = torch.diag_embed(torch.stack([width.exp2(), height.exp2()], 1))
    return turned @ slanted @ scaled, amounts[:, 4:] * SHIFT * sides
