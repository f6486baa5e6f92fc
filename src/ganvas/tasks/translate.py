"""Translation with a trained method. Images of any size, in tiles, keep alpha, EXIF and bit depth of the file; texts see
translate_text."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import Translates
from ganvas.chunks import in_chunks
from ganvas.data.alpha import BACKGROUND_LEVELS, mixed, opacity, prepared, unmixed
from ganvas.data.batch import as_image_tensor
from ganvas.data.image import to_channels, without_hidden_colours
from ganvas.data.image_array import ImageArray
from ganvas.data.media import to_uint8
from ganvas.data.photo import ImageLike, Photo, as_photo
from ganvas.defaults import BORDER_PIXELS
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.tasks.channels import luma_full, of_channels, photo_channels
from ganvas.tasks.tiles import in_one_piece, tiled
from ganvas.tasks.translate_text import takes_texts, translate_texts

if TYPE_CHECKING:
    from PIL.Image import Image

    from ganvas.data.kinds.parallel_text import Pairs

TRANSLATED_OVERLAP = 128  # pixels that two tiles share; a quarter at each side is context, the rest is blended


def translator(method: Method, direction: str = "ab") -> Translates:
    """The method; RunError if it does not translate, UsageError if not in that direction."""
    if not isinstance(method, Translates):
        raise RunError(f"{method.name} does not translate images ({methods_with(Translates)} do)")
    directions = method.directions()
    if direction not in directions:
        raise UsageError(
            f"this run of {method.name} translates {' and '.join(directions)} (got direction {direction}): ab is from the images"
            " it was trained on to their partners, ba the reverse"
        )
    return method


@overload
def translate(method: Method, images: np.ndarray, direction: str = "ab", known: Pairs | None = None) -> ImageArray: ...
@overload
def translate(
    method: Method, images: list[str] | tuple[str, ...], direction: str = "ab", known: Pairs | None = None
) -> list[str]: ...
@overload
def translate(method: Method, images: str, direction: str = "ab", known: Pairs | None = None) -> Any: ...
@overload
def translate(
    method: Method, images: Photo | Image | Path, direction: str = "ab", known: Pairs | None = None
) -> Photo: ...
def translate(
    method: Method, images: ImageLike | list[str] | tuple[str, ...], direction: str = "ab", known: Pairs | None = None
) -> ImageArray | Photo | str | list[str]:
    """Images or texts translated by a method in eval mode, on its device.

    A method of parallel text takes a text, whose translation is a str, or a list of texts; each line is translated for itself.
    `known` are pairs, those of the training as a rule, whose translations are taken where they are surer, see `translate_texts`.

    Arrays, uint8 (n, H, W, C) or one (H, W, C), give an array of the same size. A path, a PIL image or a Photo gives a Photo, of
    any size, with its alpha and EXIF; large ones are processed in tiles. `direction` "ab" is from the images that the method was
    trained on to their partners, "ba" the reverse.
    RunError where the method does not translate, UsageError where not in that direction.
    """
    if takes_texts(method) or isinstance(images, list | tuple):
        translator(method, direction)
        if isinstance(images, str):
            return translate_texts(method, [images], known=known)[0]
        if not isinstance(images, list | tuple):
            raise RunError(f"{method.name} translates texts: give it a text or a list of texts")
        return translate_texts(method, images, known=known)
    if isinstance(images, np.ndarray) and images.ndim == 4:
        return ImageArray(translate_images(method, images, direction), method.made("translate", direction=direction))
    result = translate_photo(method, as_photo(images), direction)
    return result.to_array() if isinstance(images, np.ndarray) else result


@torch.no_grad()
def translate_photo(method: Method, photo: Photo, direction: str = "ab", *, tile: int = 512) -> Photo:
    """A photo of any size, translated at that size, with the alpha and EXIF of the original (a method of four channels translates
    alpha too). `method` is in eval mode.

    A method of RGB images takes a grey photo as RGB and returns RGB; a method of grey images takes the luma of a colour
    photo. Large photos are processed in tiles of `tile` pixels. DataError if no photo has the channels of the training.
    """
    translating = translator(method, direction)
    channels = photo_channels(method, ": put them into an .npz")
    ready = prepared(photo, method.spec)
    image = of_channels(torch.from_numpy(ready.photo.pixels)[None], channels, ready.photo.alpha)
    pixels = _translated(translating, image, direction, tile)[0].numpy()
    # A colour profile holds for one number of channels: grey images need another than RGB images.
    icc = photo.icc if len(photo.pixels) == min(channels, 3) else None
    alpha = None
    if channels == 4:  # what is transparent is translated too
        pixels, alpha = pixels[:3], (pixels[3] + 1) / 2
    made = method.made("translate", inputs=[photo.name], direction=direction)
    return ready.finished(dataclasses.replace(ready.photo, pixels=pixels, alpha=alpha, icc=icc, provenance=made))


def _translated(translating: Translates, image: Tensor, direction: str, tile: int) -> Tensor:
    """An image (1, C, H, W) of any size, translated, in [-1, 1] on the CPU."""
    (height, width), spec = image.shape[2:], translating.spec
    larger = height > spec.height or width > spec.width
    margin = BORDER_PIXELS if larger else 0
    image = mirrored_border(image, margin).to(translating.device)
    whole = overview(image, tile, TRANSLATED_OVERLAP, translating.multiple())
    result = tiled(
        lambda part: translating.translate(part, direction, whole),
        image,
        tile=tile,
        overlap=TRANSLATED_OVERLAP,
        multiple=translating.multiple(),
    )
    return result[:, :, margin : margin + height, margin : margin + width].clamp(-1, 1).cpu()


def mirrored_border(image: Tensor, margin: int) -> Tensor:
    """An image (1, C, H, W) mirrored by `margin` pixels beyond each border.

    Otherwise a large image gets a visible frame: at a border the network does what it learned at the border of small images.
    """
    return torch.from_numpy(np.pad(image.numpy(), [(0, 0), (0, 0), (margin, margin), (margin, margin)], mode="reflect"))


def overview(image: Tensor, tile: int, overlap: int, multiple: int) -> Tensor | None:
    """A large image (1, C, H, W) downsampled to the size of one tile, in multiples of `multiple`; None if it fits in one tile."""
    sides = image.shape[2:]
    if in_one_piece(sides, tile=tile, overlap=overlap, multiple=multiple):
        return None
    size = [max(1, round(side * tile / max(sides) / multiple)) * multiple for side in sides]
    return F.interpolate(image, size=size, mode="bilinear", antialias=True, align_corners=False)


@torch.no_grad()
def translate_images(method: Method, images: np.ndarray, direction: str = "ab", *, tile: int = 512) -> np.ndarray:
    """Images uint8 (n, H, W, C) translated as `translate` does: uint8 of the same size, with the channels of the training.

    RGBA images give RGBA: a method without alpha gets them on the background of its training, and their alpha is put back.
    """
    translating, channels = translator(method, direction), method.spec.channels
    if images.ndim != 4 or images.dtype != np.uint8 or not len(images):
        raise UsageError(f"images must be uint8 (n, H, W, C), at least one (got {images.dtype} {images.shape})")
    given = images.shape[3]
    if given != channels and not {given, channels} <= {1, 3, 4}:
        raise DataError(f"this run of {method.name} takes {channels} channels, and the images have {given}")

    # What alpha hides reaches no network.
    alphas: np.ndarray | None = None
    if given == 4 and channels == 4 and method.spec.alpha == "keep":
        images = without_hidden_colours(images)
    elif given == 4 and channels != 4:
        images, alphas = images[..., :3], images[..., 3:]
    elif given != channels:
        images = to_channels(images, channels, 255)

    background = BACKGROUND_LEVELS[method.spec.alpha]

    def as_input(rows: np.ndarray) -> Tensor:
        """(m, C, H, W) in [-1, 1] with the channels of the training."""
        x = as_image_tensor(images[rows])
        if alphas is None:
            return x
        x = torch.from_numpy(mixed(x.numpy(), opacity(alphas[rows]), background))
        return luma_full(x) if channels == 1 else x

    def of_rows(rows: Tensor) -> Tensor:
        return translating.translate(as_input(rows.numpy()).to(method.device), direction)

    if images.shape[1:3] == (method.spec.height, method.spec.width):
        result = in_chunks(len(images), of_rows)
    else:  # with a border and in tiles
        each = [_translated(translating, as_input(np.array([row])), direction, tile) for row in range(len(images))]
        result = torch.cat(each).float()
    if alphas is not None:
        shares = opacity(alphas)
        colours = unmixed(result.expand(-1, 3, -1, -1).numpy(), shares, background)
        result = torch.from_numpy(np.concatenate([colours, shares * 2 - 1], axis=1))
    return to_uint8(result)
