"""Images into another kind with a trained method. Any size, by tiles; alpha, EXIF and the bits of the file stay."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import Translates
from ganvas.chunks import in_chunks
from ganvas.data.batch import as_image_tensor
from ganvas.data.image import to_channels
from ganvas.data.media import to_uint8
from ganvas.data.photo import Photo
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.tasks.channels import of_channels, photo_channels
from ganvas.tasks.tiles import in_one_piece, tiled

OVERLAP = 128  # pixels that two tiles share; a quarter of it each side is context, the rest fades
MARGIN = 32  # pixels to each side by which an image larger than those of the training is continued, see `continued`


def translator(method: Method, direction: str = "ab") -> Translates:
    """The method; RunError where it does not translate, UsageError where not in that direction."""
    if not isinstance(method, Translates):
        raise RunError(f"{method.name} does not translate images ({methods_with(Translates)} do)")
    known = method.directions()
    if direction not in known:
        raise UsageError(
            f"this run of {method.name} translates {' and '.join(known)} (got direction {direction}): ab is from the images"
            " it was trained on to their partners, ba back"
        )
    return method


@torch.no_grad()
def translate(method: Method, photo: Photo, direction: str = "ab", *, tile: int = 512) -> Photo:
    """A photo of any size, translated at that size, with the alpha and EXIF of the original. `method` is in eval mode, on its own device.

    A method of RGB takes a grey photo as RGB and gives colour back; a method of grey images takes the luma of a coloured
    one. Large photos pass by tiles of `tile` pixels. DataError where no photo has the channels of the training.
    """
    translating = translator(method, direction)
    channels = photo_channels(method, ": put them into an .npz")
    device = method.device
    image = of_channels(torch.from_numpy(photo.pixels)[None], channels, photo.alpha)
    larger = photo.pixels.shape[1] > method.spec.height or photo.pixels.shape[2] > method.spec.width
    margin = MARGIN if larger else 0
    image = continued(image, margin).to(device)
    whole = overview(image, tile, OVERLAP, translating.multiple())
    made = tiled(
        lambda part: translating.translate(part, direction, whole),
        image,
        tile=tile,
        overlap=OVERLAP,
        multiple=translating.multiple(),
    )
    height, width = photo.pixels.shape[1:]
    pixels = made[0, :, margin : margin + height, margin : margin + width].clamp(-1, 1).cpu().numpy()
    # A profile tells what the values of one kind of image mean; grey ones have another than coloured ones.
    icc = photo.icc if len(photo.pixels) == min(channels, 3) else None
    alpha = photo.alpha
    if channels == 4:
        alpha = None if alpha is None else (pixels[3] + 1) / 2
        pixels = pixels[:3]
    return dataclasses.replace(photo, pixels=pixels, alpha=alpha, icc=icc)


def continued(image: Tensor, margin: int) -> Tensor:
    """An image (1, C, H, W) mirrored by `margin` beyond each border.

    What a network does at a border it learned on the border of small images, and in a large one it would be a frame.
    """
    return torch.from_numpy(np.pad(image.numpy(), [(0, 0), (0, 0), (margin, margin), (margin, margin)], mode="reflect"))


def overview(image: Tensor, tile: int, overlap: int, multiple: int) -> Tensor | None:
    """An image (1, C, H, W) that passes by tiles, made as small as one, its sides multiples; None where it passes whole."""
    sides = image.shape[2:]
    if in_one_piece(sides, tile=tile, overlap=overlap, multiple=multiple):
        return None
    size = [max(1, round(side * tile / max(sides) / multiple)) * multiple for side in sides]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)


@torch.no_grad()
def translate_images(method: Method, images: np.ndarray, direction: str = "ab") -> np.ndarray:
    """Images uint8 (n, H, W, C) of one size, translated: uint8, with the channels that the method was trained on."""
    translating, channels = translator(method, direction), method.spec.channels
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
        raise UsageError(f"images are uint8 (n, H, W, C), one at least (got {images.dtype} {images.shape})")
    if images.shape[3] != channels:
        if not {images.shape[3], channels} <= {1, 3, 4}:
            raise DataError(
                f"this run of {method.name} takes {channels} channels, and the images have {images.shape[3]}"
            )
        images = to_channels(images, channels, 255)
    device = method.device

    def of_rows(rows: Tensor) -> Tensor:
        return translating.translate(as_image_tensor(images[rows.numpy()], device), direction)

    return to_uint8(in_chunks(len(images), of_rows))
