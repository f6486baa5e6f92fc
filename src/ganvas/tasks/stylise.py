"""A photo in the style of paintings, by optimising the image itself or by one forward pass of a trained method.

    from ganvas import tasks

    done = tasks.stylise("me.jpg", "painting.jpg", minutes=2)
    done.photo.save("out.png")

Size, alpha, bit depth, colour profile and EXIF of the content are kept; a grey photo stays grey unless `rgb` is true.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor

from ganvas.abilities import Stylises
from ganvas.data.alpha import prepared, prepared_on_mean
from ganvas.data.masks import mask_from
from ganvas.data.photo import ImageLike, Photo, as_photo
from ganvas.data.styles import MIN_STYLE_SIDE
from ganvas.device import choose_device
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.networks.features.extractor import open_network
from ganvas.networks.features.network import FeatureNetwork
from ganvas.precision import choose_precision
from ganvas.provenance import Provenance
from ganvas.registry import methods_with
from ganvas.sampling import check_seeds
from ganvas.settings import as_dict, change
from ganvas.tasks.channels import of_channels, photo_channels
from ganvas.tasks.gatys import (
    GatysSettings,
    Watch,
    check_shares,
    check_style,
    optimise,
    resized,
    size_with_longer_side,
    with_luma,
)
from ganvas.tasks.tiles import reflected

STYLISED_SIDE = 512  # default longer side in pixels during the optimisation
LIGHT_EXTRACTORS = {"mobilenet_v2", "efficientnet_lite0", "digits"}


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
    content: ImageLike,
    style: ImageLike | Sequence[ImageLike],
    *,
    weights: Sequence[float] | None = None,
    mask: ImageLike | Sequence[ImageLike] | None = None,
    network: str | FeatureNetwork = "auto",
    weights_file: Path | str | None = None,
    size: int | None = None,
    minutes: float | None = None,
    preserve_colour: bool = False,
    rgb: bool = False,
    settings: GatysSettings | Mapping[str, object] | None = None,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    watch: Watch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Stylised:
    """`content` in the style of one image or of several, by optimising the image (see ganvas.tasks.gatys). No training is needed.

    Images are paths, PIL images, arrays uint8 (H, W, C) or Photos. `weights` are the shares of several styles (None: equal), and
    `mask` is one image per style, of the size of the content, white where the style is applied. `network` is the feature
    extractor, `weights_file` its weights. `size` is the longer side in pixels while optimising (None: 512; 0: that of the
    content); the result has the size of the content. `minutes` is a time limit instead of `settings.steps`. `preserve_colour`
    changes luminance only; `rgb` gives a grey photo colours of the styles. `settings` are fields of GatysSettings.

    DataError, UsageError: images or numbers that cannot be used. MissingExtra: no weights of a network.
    """
    photo = as_photo(content)
    masks = None
    if mask is not None:
        masks = []
        for one in _listed(mask):
            name = f"the mask {one}" if isinstance(one, str | Path) else "the mask"
            masks.append(as_mask(as_photo(one), photo.size, name))
    chosen = settings if isinstance(settings, GatysSettings) else change(GatysSettings(), dict(settings or {}))
    if preserve_colour:
        chosen = dataclasses.replace(chosen, colour="luminance")
    where = choose_device(device)
    chosen_precision, _ = choose_precision(precision, where)
    longer_side = STYLISED_SIDE if size is None else size or None
    return stylise_photo(
        photo, [as_photo(one) for one in _listed(style)], network=network, weights_file=weights_file, settings=chosen,
        shares=weights, masks=masks, size=longer_side, minutes=minutes, rgb=rgb, seed=seed, device=where,
        dtype=torch.bfloat16 if chosen_precision == "bf16" else torch.float32, watch=watch, stop=stop,
    )  # fmt: skip


def _listed(images: ImageLike | Sequence[ImageLike]) -> list[ImageLike]:
    """One image or several, as a list. An array (n, H, W, C) is several."""
    if isinstance(images, np.ndarray):
        return [images] if images.ndim < 4 else list(images)
    if isinstance(images, Sequence) and not isinstance(images, str):
        return list(images)
    return [cast(ImageLike, images)]


def stylise_photo(
    content: Photo,
    styles: Sequence[Photo],
    *,
    network: str | FeatureNetwork = "auto",
    weights_file: Path | str | None = None,
    settings: GatysSettings | None = None,
    shares: Sequence[float] | None = None,
    masks: Sequence[np.ndarray] | None = None,
    size: int | None = STYLISED_SIDE,
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
        _check_style(style, "the style image" if len(styles) == 1 else f"style image {number}")
    opened = open_network(network, weights_file, pool=settings.pool) if isinstance(network, str) else network
    opened = opened.to(device=device, dtype=dtype)
    ready = prepared_on_mean(content, "the content")
    pixels = torch.from_numpy(ready.photo.pixels)
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
    photo = ready.finished(_with_pixels(ready.photo, done.image))
    made = Provenance(
        "stylise", method="gatys", weights=opened.sha256, seed=seed, inputs=(content.name,) if content.name else ()
    )
    made = dataclasses.replace(made, settings=_of_settings(settings)).with_options(
        style=tuple(style.name for style in styles if style.name),
        weights=None if shares is None else ",".join(f"{share:g}" for share in shares),
        network=opened.name, size=size or 0, minutes=minutes, rgb=rgb,
    )  # fmt: skip
    photo = dataclasses.replace(photo, provenance=made)
    return Stylised(photo, opened.name, opened.sha256, done.losses, done.steps, done.seconds, done.stopped)


@torch.no_grad()
def stylise_with(
    method: Method,
    content: ImageLike,
    style: ImageLike | Sequence[ImageLike] | None = None,
    *,
    weights: Sequence[float] | None = None,
    strength: float = 1.0,
    size: int | None = None,
    colour: str = "free",
    rgb: bool = False,
) -> Photo:
    """`content` stylised by one forward pass of a trained method. `style` is for methods that take any style; of several, adain
    renders a mixture with the shares `weights` (None: equal).

    The image is processed as a whole, not in tiles: the method's statistics are those of the whole image, and tiles would
    differ in tone. `size` is the maximum longer side during processing; the result has the size and alpha of the content.
    `colour` is free or luminance. DataError if no photo has the channels of the training.
    """
    if not isinstance(method, Stylises):
        raise RunError(f"{method.name} does not stylise images (methods that do: {methods_with(Stylises)})")
    if not 0 <= strength <= 1:
        raise UsageError(f"strength must be from 0 to 1 (got {strength})")
    content = as_photo(content)
    styles = [] if style is None else [as_photo(one) for one in _listed(style)]
    for number, one in enumerate(styles, 1):
        _check_style(one, "the style image" if len(styles) == 1 else f"style image {number}")
    if weights is not None and len(styles) < 2:
        raise UsageError(f"weights are the shares of several styles (got {len(styles)})")
    shares = check_shares(weights, len(styles)) if styles else []
    if content.alpha is not None and not content.alpha.any():
        raise DataError("the content is wholly transparent: give an image with visible pixels")
    device, channels = method.device, photo_channels(method)
    ready = prepared(content, dataclasses.replace(method.spec, channels=3))  # alpha is no part of a style
    pixels = torch.from_numpy(ready.photo.pixels)[None].to(device)
    pixels = pixels.expand(-1, 3, -1, -1) if rgb else pixels
    whole = pixels.shape[2], pixels.shape[3]
    height, width = whole if size is None or size >= max(whole) else size_with_longer_side(whole, size)
    x = reflected(of_channels(resized(pixels, (height, width)), channels), method.multiple())
    style_images = [of_channels(opaque(one)[None].to(device), channels) for one in styles]
    if len(style_images) > 1:
        result = method.stylise_mixed(x, style_images, shares, strength=strength)
    else:
        result = method.stylise(x, style_images[0] if style_images else None, strength=strength)
    result = resized(result.float()[:, :3, :height, :width].clamp(-1, 1), whole)
    if pixels.shape[1] != result.shape[1]:  # a method of grey images generates luminance; keep the photo's colours
        result = with_luma(pixels, result)
    if colour == "luminance":
        result = with_luma(pixels, result)
    made = method.made(
        "stylise", inputs=[content.name], style=tuple(one.name for one in styles if one.name) or None,
        weights=None if weights is None else ",".join(f"{share:g}" for share in weights), strength=strength, size=size, rgb=rgb,
        preserve_colour=colour == "luminance",
    )  # fmt: skip
    return dataclasses.replace(ready.finished(_with_pixels(ready.photo, result[0].cpu())), provenance=made)


def as_mask(photo: Photo, size: tuple[int, int], name: str = "the mask") -> np.ndarray:
    """A mask (H, W) in [0, 1]: white is 1, transparent is 0. DataError if its size is not that of the content, or if it has no
    pixel lighter than middle grey; GanvasWarning if its alpha looks inverted."""
    if photo.size != size:
        raise DataError(
            f"{name} has {photo.size[1]} x {photo.size[0]} pixels, and the content {size[1]} x {size[0]}: the sizes must be equal"
        )
    return mask_from(photo, name)


def opaque(photo: Photo) -> Tensor:
    """(C, H, W) in [-1, 1]: transparent pixels take the mean colour of the others, which adds no style."""
    return torch.from_numpy(prepared_on_mean(photo).photo.pixels)


def _of_settings(settings: GatysSettings) -> dict[str, str | int | float | bool]:
    """Those that are not at their defaults."""
    defaults = as_dict(GatysSettings())
    return {name: value for name, value in as_dict(settings).items() if value != defaults[name]}


def _check_style(style: Photo, name: str) -> None:
    """DataError where too little of a style image can be seen."""
    check_style(style.size, name)
    if style.alpha is None:
        return
    visible = float(style.alpha.sum())
    if visible < MIN_STYLE_SIDE**2:
        what = f"shows {visible:.0f} pixels only" if visible > 0 else "is wholly transparent"
        raise DataError(f"{name} {what}: at least {MIN_STYLE_SIDE**2} pixels of a style image must be visible")


def _with_pixels(content: Photo, image: Tensor) -> Photo:
    """The photo with other pixels; its colour profile is kept if the number of channels is the same."""
    pixels = np.ascontiguousarray(image.numpy(), dtype=np.float32)
    same = len(pixels) == len(content.pixels)
    return dataclasses.replace(content, pixels=pixels, icc=content.icc if same else None)
