"""A photo in the style of paintings: by optimising the image itself, or by one pass of a trained method.

    from ganvas.data.photo import read_photo, write_photo
    from ganvas.tasks.stylise import stylise

    done = stylise(read_photo("me.jpg"), [read_photo("painting.jpg")], minutes=2)
    write_photo("out.png", done.photo)

Size, alpha, bits, colour profile and EXIF of the content stay; a grey photo stays grey unless `rgb` is asked for.
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
from ganvas.tasks.gatys import GatysSettings, Watch, check_style, fitted, optimise, scaled, with_luma
from ganvas.tasks.tiles import reflected

SIZE = 512  # pixels of the longer side that are worked at, where nothing else is asked for
LIGHT = {"mobilenet_v2", "efficientnet_lite0", "digits"}


@dataclasses.dataclass(frozen=True)
class Stylised:
    """A stylised photo, and how it came about."""

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

    `network` is a name of ganvas.networks.features.catalog.CATALOG, or auto; `weights_file` its weights. `shares`, one a style,
    weigh them against each other. `masks` (H, W) in [0, 1], one a style, say where. `size` is the longer side worked at (None:
    the content's own). With `minutes` it works so long, else `settings.steps`. `rgb`: a grey content may take the styles'
    colours. `dtype` is the network's precision, float32 or bfloat16.

    DataError, UsageError: images or numbers that cannot be used. GanvasError: no network's weights, with all the choices.
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
    photo = _filled(content, done.image)
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
    """`content` by one pass of a trained method that stylises. `style`, for those that take any; the others know their own.

    The image passes as a whole: the method's statistics are of all of it, and tiles would each be painted in a tone of
    their own. `size` bounds the longer side that is worked at; the result has the size of the content, and its alpha. `colour`
    free or luminance. DataError where no photo has the channels of the training.
    """
    if not isinstance(method, Stylises):
        raise RunError(f"{method.name} does not stylise images (methods that do: {methods_with(Stylises)})")
    if not 0 <= strength <= 1:
        raise UsageError(f"strength goes from 0 to 1 (got {strength})")
    if style is not None:
        check_style(style.size)
    device, channels = method.device, photo_channels(method)
    pixels = torch.from_numpy(content.pixels)[None].to(device)
    pixels = pixels.expand(-1, 3, -1, -1) if rgb else pixels
    whole = pixels.shape[2], pixels.shape[3]
    worked = whole if size is None or size >= max(whole) else fitted(whole, size)
    x = reflected(of_channels(scaled(pixels, worked), channels), method.multiple())
    told = None if style is None else of_channels(opaque(style)[None].to(device), channels)
    made = method.stylise(x, told, strength=strength).float()[:, :3, : worked[0], : worked[1]].clamp(-1, 1)
    made = scaled(made, whole)
    if pixels.shape[1] != made.shape[1]:  # a method of grey images generates light and dark; colours stay
        made = with_luma(pixels, made)
    made = with_luma(pixels, made) if colour == "luminance" else made
    return _filled(content, made[0].cpu())


def as_mask(photo: Photo, size: tuple[int, int], name: str = "the mask") -> np.ndarray:
    """(H, W) in [0, 1], white is 1; alpha counts as black. DataError where its size is not that of the content."""
    if photo.size != size:
        raise DataError(
            f"{name} has {photo.size[1]} x {photo.size[0]} pixels, and the content {size[1]} x {size[0]}: the sizes must be equal"
        )
    return whiteness(photo)


def opaque(photo: Photo) -> Tensor:
    """(C, H, W) in [-1, 1]: what is transparent takes the mean colour of the rest, which has no style of its own."""
    pixels = torch.from_numpy(photo.pixels)
    if photo.alpha is None:
        return pixels
    alpha = torch.from_numpy(photo.alpha)
    mean = (pixels * alpha).sum((1, 2), keepdim=True) / alpha.sum().clamp_min(1e-6)
    return torch.lerp(mean.expand_as(pixels), pixels, alpha)


def _filled(content: Photo, image: Tensor) -> Photo:
    """The content's file with other pixels."""
    pixels = np.ascontiguousarray(image.numpy(), dtype=np.float32)
    same = len(pixels) == len(content.pixels)
    return dataclasses.replace(content, pixels=pixels, icc=content.icc if same else None)
