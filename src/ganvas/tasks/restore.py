"""Restoring photos with a trained method: noise away, more pixels, holes filled. Any size, by tiles; 16 bits and alpha stay.

The method's own ability says what it restores. Channels need not agree with the training: a method of grey images restores the
channels of a photo one by one, a method of RGB takes a grey photo as RGB and gives grey back.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import Restoration, Restores
from ganvas.data.degrade import upscaled
from ganvas.data.image import LARGEST_IMAGE
from ganvas.data.photo import Photo
from ganvas.errors import DataError, RunError, UsageError, nearest
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.tasks.channels import luma_full, of_channels, photo_channels, whiteness
from ganvas.tasks.tiles import tiled

TASKS = {"noise": "denoise", "resolution": "upscale", "holes": "inpaint"}  # what a user calls restoring a degradation
OVERLAP = 64  # of two tiles; a quarter of it each side is context, the rest fades
SHEET_SIDE = 1600  # pixels of one image on a before/after sheet, at most
GAP = 8


def restoration_of(method: Method, task: str = "auto") -> Restoration:
    """RunError where the method restores nothing, UsageError where it does not do `task`."""
    found = _restorer(method).restoration()
    if task == "auto":
        return found
    if task not in TASKS.values():
        known = ["auto", *TASKS.values()]
        raise UsageError(f"there is no task {task}{nearest(task, known)} (there are: {', '.join(known)})")
    if TASKS[found.degradation] != task:
        raise UsageError(
            f"this run of {method.name} can {TASKS[found.degradation]}, not {task}: omit --task, or train a method that can"
        )
    return found


def _restorer(method: Method) -> Restores:
    """The method; RunError where it does not restore."""
    if not isinstance(method, Restores):
        raise RunError(f"{method.name} does not restore images (methods that do: {methods_with(Restores)})")
    return method


@torch.no_grad()
def restore(
    method: Method, photo: Photo, mask: np.ndarray | None = None, *, n: int = 1, seed: int = 0, tile: int = 512
) -> list[Photo]:
    """`photo` restored, `n` times where the method has more than one answer: the i-th is that of seed `seed` + i.

    `mask` (H, W), True where the photo is missing, is for filling holes. `method` is in eval mode; its own device is used.
    DataError where the photo or the mask does not fit the method, UsageError where the request does not.
    """
    found = restoration_of(method)
    _check(method, found, photo, mask, n, seed)
    return [_restored(method, found, photo, mask, seed + number, tile) for number in range(n)]


def _check(method: Method, found: Restoration, photo: Photo, mask: np.ndarray | None, n: int, seed: int) -> None:
    if n < 1 or seed < 0 or seed + n > 2**63:
        raise UsageError(f"restoring needs n >= 1 and a seed >= 0 (got n={n}, seed={seed})")
    if n > 1 and not found.answers:
        raise UsageError(f"{method.name} has one answer to an image, so n must be 1 (got {n})")
    if found.degradation == "holes" and mask is None:
        raise UsageError(
            f"{method.name} fills holes and must be told where: a mask of the size of the image, white where it is missing"
        )
    if found.degradation != "holes" and mask is not None:
        raise UsageError(f"a mask is for filling holes, and this run of {method.name} can {TASKS[found.degradation]}")
    (height, width), spec = photo.size, method.spec
    if mask is not None and mask.shape != photo.size:
        raise DataError(
            f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels and the image {height} x {width}: the sizes must be equal"
        )
    if not found.multiple and photo.size != (spec.height, spec.width):
        raise DataError(
            f"this run of {method.name} takes images of {spec.height} x {spec.width} pixels only, as it was trained on,"
            f" and this one has {height} x {width}: cut or resize it, and its mask, to that size, or train on images of its own"
        )
    if height * width * found.scale**2 > 4 * LARGEST_IMAGE:
        raise DataError(
            f"the result would have {height * found.scale} x {width * found.scale} pixels;"
            f" {4 * LARGEST_IMAGE:,} in all are the limit"
        )
    photo_channels(method)


def _restored(method: Method, found: Restoration, photo: Photo, mask: np.ndarray | None, seed: int, tile: int) -> Photo:
    restoring, device = _restorer(method), method.device
    holes = None if mask is None else torch.from_numpy(mask)[None, None].to(device)
    planes = []
    for inputs in _inputs(photo, method.spec.channels):
        image = inputs.to(device)

        def make(part: Tensor) -> Tensor:
            generator = torch.Generator().manual_seed(seed)
            if holes is None:
                return restoring.restore(part, generator=generator)
            part, where = part[:, :-1], part[:, -1:]
            return restoring.restore(part, where, generator=generator) if bool(where.any()) else part

        whole = image if holes is None else torch.cat([image, holes.float()], 1)
        made = tiled(make, whole, tile=tile, overlap=OVERLAP, multiple=max(1, found.multiple), scale=found.scale)
        # Tiles are faded into each other, and what was not missing shall not change by a bit.
        planes.append((made if holes is None else torch.where(holes, made, image)).cpu())
    return _outputs(photo, planes, found.scale)


def _inputs(photo: Photo, channels: int) -> list[Tensor]:
    """(1, channels, H, W), one or several that are restored one by one."""
    pixels = torch.from_numpy(photo.pixels)[None]
    if channels == 1:
        return list(pixels.split(1, 1))
    return [of_channels(pixels, channels, photo.alpha)]


def _outputs(photo: Photo, planes: list[Tensor], scale: int) -> Photo:
    """What `_inputs` took apart, together again, with all else that the file said."""
    made = torch.cat(planes, 1)[0]
    alpha = photo.alpha
    if len(made) == 4:
        alpha = None if alpha is None else ((made[3] + 1) / 2).clamp(0, 1).numpy()
        made = made[:3]
    elif alpha is not None and scale > 1:
        alpha = upscaled(torch.from_numpy(alpha)[None, None], scale).clamp(0, 1)[0, 0].numpy()
    if len(photo.pixels) == 1 and len(made) == 3:
        # Where all three are what came in, the weighted sum could differ from it by a rounding.
        same = (made[0] == made[1]) & (made[1] == made[2])
        made = torch.where(same, made[:1], luma_full(made[None])[0])
    return dataclasses.replace(photo, pixels=made.numpy(), alpha=alpha)


def as_mask(photo: Photo) -> np.ndarray:
    """(H, W) bool, True where a mask's image is white (lighter than the middle grey, and not transparent)."""
    return whiteness(photo) > 0.5


def sheet(photo: Photo, made: list[Photo], mask: np.ndarray | None = None) -> np.ndarray:
    """Before and after beside each other, (H, W, 3) uint8: enlarged by bicubic where there are more pixels, holes in grey,
    transparency on white; made smaller where they are very large."""
    before = torch.from_numpy(_opaque(photo))
    if mask is not None:
        before = torch.where(torch.from_numpy(mask), 0.0, before)
    size = made[0].size
    images = [before, *(torch.from_numpy(_opaque(one)) for one in made)]
    share = min(1.0, SHEET_SIDE / max(size))
    size = max(1, round(size[0] * share)), max(1, round(size[1] * share))
    shown = [_fitted(image, size) for image in images]
    white = torch.ones(3, size[0], GAP)
    row = torch.cat([part for image in shown for part in (white, image)][1:], 2)
    return ((row + 1) * 127.5).round().clamp(0, 255).byte().movedim(0, 2).contiguous().numpy()


def _opaque(photo: Photo) -> np.ndarray:
    """(3, H, W), on white."""
    pixels = np.broadcast_to(photo.pixels, (3, *photo.size))
    return pixels.copy() if photo.alpha is None else pixels * photo.alpha + (1 - photo.alpha)


def _fitted(image: Tensor, size: tuple[int, int]) -> Tensor:
    if image.shape[1:] == size:
        return image
    return F.interpolate(image[None].float(), size, mode="bicubic", antialias=True, align_corners=False)[0]
