"""A photo in the style of paintings, by optimising the image itself or by one forward pass of a trained method.

    from ganvas.data.photo import read_photo, write_photo
    from ganvas.tasks.stylise import stylise

    done = stylise(read_photo("me.jpg"), [read_photo("painting.jpg")], minutes=2)
    write_photo("out.png", done.photo)

Size, alpha, bit depth, colour profile and EXIF of the content are kept; a grey photo stays grey unless `rgb` is true.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Stylises
from ganvas.data.photo import Photo
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.networks.features.extractor import open_network
from ganvas.networks.features.network import FeatureNetwork
from ganvas.registry import methods_with
from ganvas.sampling import check_seeds
from ganvas.tasks.channels import of_channels, photo_channels, whiteness
from ganvas.tasks.gatys import GatysSettings, Watch, check_style, optimise, resized, size_with_longer_side, with_luma
from ganvas.tasks.tiles import reflected

SIZE = 512  # default longer side in pixels during the optimisation
LIGHT = {"mobilenet_v2", "efficientnet_lite0", "digits"}


@dataclasses.dataclass(frozen=True)
class Stylised:
    """A stylised photo, and facts about its optimisation."""

    photo: Photo
    network: str
    sha256: str
    """Of the network's weights."""
    losses: dict[str, float]
    """At the last step: "loss", and its parts "content", "style", "variation"."""
    steps: int
    seconds: float
    stopped: bool
    """Whether it was stopped early."""


def stylise(
    content: Photo,
    styles: Sequence[Photo],
    *,
    network: str | FeatureNetwork = "auto",
    weights_file: Path | str | None = None,
    settings: GatysSettings | None = None,
    shares: Sequence[float] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    size: int | None = SIZE,
    minutes: float | None = None,
    rgb: bool = False,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
    watch: Watch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Stylised:
    """`content` in the style of `styles`, by optimising the image (see ganvas.tasks.gatys). No training is needed.

    `network` is a name of ganvas.networks.features.catalog.CATALOG, or auto; `weights_file` its weights. `shares` are the
    weights of the styles. `masks` (H, W) in [0, 1], one per style, say where a style is applied. `size` is the longer side
    in pixels while optimising (None: that of the content). `minutes` is a time limit that replaces `settings.steps`. `rgb`: a
    grey content may take colours of the styles. `dtype` is the network's precision, float32 or bfloat16.

    DataError, UsageError: images or numbers that cannot be used. GanvasError: no weights of a network; it lists the choices.
    """
    settings = settings or GatysSettings()
    check_seeds(1, seed)
    if size is not None and size < 1:
        raise UsageError(f"size must be 1 pixel or more (got {size})")
    if minutes is not None and not 0 < minutes < float("inf"):
        raise UsageError(f"minutes must be a number above 0 (got {minutes})")
    for number, style in enumerate(styles, 1):
        check_style(style.size, "the style image" if len(styles) == 1 else f"style image {number}")
    opened = open_network(network, weights_file, pool=settings.pool) if isinstance(network, str) else network
    opened = opened.to(device=device, dtype=dtype)
    pixels = torch.from_numpy(content.pixels)
    done = optimise(
        pixels.expand(3, -1, -1) if rgb else pixels,
        [opaque(style) for style in styles],
        opened,
        settings,
        weights=shares,
        masks=None if masks is None else [torch.from_numpy(mask) for mask in masks],
        size=size,
        minutes=minutes,
        seed=seed,
        watch=watch,
        stop=stop,
    )
    photo = _with_pixels(content, done.image)
    return Stylised(photo, opened.name, opened.sha256, done.losses, done.steps, done.seconds, done.stopped)


@torch.no_grad()
def stylise_with(
    method: Method,
    content: Photo,
    style: Photo | None = None,
    *,
    strength: float = 1.0,
    size: int | None = None,
    colour: str = "free",
    rgb: bool = False,
) -> Photo:
    """`content` stylised by one forward pass of a trained method. `style` is for methods that take any style.

    The image is processed as a whole, not in tiles: the method's statistics are those of the whole image, and tiles would
    differ in tone. `size` is the maximum longer side during processing; the result has the size and alpha of the content.
    `colour` is free or luminance. DataError if no photo has the channels of the training.
    """
    if not isinstance(method, Stylises):
        raise RunError(f"{method.name} does not stylise images (methods that do: {methods_with(Stylises)})")
    if not 0 <= strength <= 1:
        raise UsageError(f"strength must be from 0 to 1 (got {strength})")
    if style is not None:
        check_style(style.size)
    device, channels = method.device, photo_channels(method)
    pixels = torch.from_numpy(content.pixels)[None].to(device)
    pixels = pixels.expand(-1, 3, -1, -1) if rgb else pixels
    whole = pixels.shape[2], pixels.shape[3]
    height, width = whole if size is None or size >= max(whole) else size_with_longer_side(whole, size)
    x = reflected(of_channels(resized(pixels, (height, width)), channels), method.multiple())
    style_image = None if style is None else of_channels(opaque(style)[None].to(device), channels)
    result = method.stylise(x, style_image, strength=strength).float()[:, :3, :height, :width].clamp(-1, 1)
    result = resized(result, whole)
    if pixels.shape[1] != result.shape[1]:  # a method of grey images generates luminance; keep the photo's colours
        result = with_luma(pixels, result)
    if colour == "luminance":
        result = with_luma(pixels, result)
    return _with_pixels(content, result[0].cpu())


def as_mask(photo: Photo, size: tuple[int, int], name: str = "the mask") -> np.ndarray:
    """A mask (H, W) in [0, 1]: white is 1, transparent is 0. DataError if its size is not that of the content."""
    if photo.size != size:
        raise DataError(
            f"{name} has {photo.size[1]} x {photo.size[0]} pixels, and the content {size[1]} x {size[0]}: the sizes must be equal"
        )
    return whiteness(photo)


def opaque(photo: Photo) -> Tensor:
    """(C, H, W) in [-1, 1]: transparent pixels take the mean colour of the others, which adds no style."""
    pixels = torch.from_numpy(photo.pixels)
    if photo.alpha is None:
        return pixels
    alpha = torch.from_numpy(photo.alpha)
    mean = (pixels * alpha).sum((1, 2), keepdim=True) / alpha.sum().clamp_min(1e-6)
    return torch.lerp(mean.expand_as(pixels), pixels, alpha)


def _with_pixels(content: Photo, image: Tensor) -> Photo:
    """The photo with other pixels; its colour profile is kept if the number of channels is the same."""
    pixels = np.ascontiguousarray(image.numpy(), dtype=np.float32)
    same = len(pixels) == len(content.pixels)
    return dataclasses.replace(content, pixels=pixels, icc=content.icc if same else None)
