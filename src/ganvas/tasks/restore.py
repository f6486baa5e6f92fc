"""Restoring photos with a trained method: denoising, upscaling, inpainting. Any size, in tiles; bit depth and alpha are kept.

The method's ability says what it restores. A photo may have other channels than the training data: a method of grey images
restores the channels of a photo one by one, a method of RGB images takes a grey photo as RGB and the result is grey again.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ganvas.abilities import Restoration, Restores, offers
from ganvas.data.alpha import prepared
from ganvas.data.image import MAX_PIXELS
from ganvas.data.masks import as_mask
from ganvas.data.photo import ImageLike, Photo, as_photo
from ganvas.errors import DataError, RunError, UsageError, nearest
from ganvas.method import Method
from ganvas.registry import methods_with
from ganvas.tasks.channels import luma_full, of_channels, photo_channels
from ganvas.tasks.tiles import tiled

RESTORING_NAMES = {
    "noise": "denoise",
    "resolution": "upscale",
    "holes": "inpaint",
}  # the name of restoring each degradation
RESTORED_OVERLAP = 64  # pixels that two tiles share; a quarter at each side is context, the rest is blended
COMPARISON_SIDE = 1600  # maximum side in pixels of one image in a before/after comparison
COMPARISON_GAP = 8  # pixels between the images of a comparison


def restoration_of(method: Method, task: str = "auto") -> Restoration:
    """What the method restores; RunError if it restores nothing, UsageError if it cannot do `task`."""
    restoration = _restorer(method).restoration()
    if task == "auto":
        return restoration
    if task not in RESTORING_NAMES.values():
        names = ["auto", *RESTORING_NAMES.values()]
        raise UsageError(f"there is no task {task}{nearest(task, names)} (there are: {', '.join(names)})")
    if RESTORING_NAMES[restoration.degradation] != task:
        raise UsageError(
            f"this run of {method.name} can {RESTORING_NAMES[restoration.degradation]}, not {task}: omit --task, or train a "
            "method that can"
        )
    return restoration


def _restorer(method: Method) -> Restores:
    """The method; RunError if it does not restore."""
    if not isinstance(method, Restores):
        raise RunError(f"{method.name} does not restore images (methods that do: {methods_with(Restores)})")
    return method


@torch.no_grad()
def restore(
    method: Method, image: ImageLike, mask: ImageLike | None = None, *,
    task: str = "auto", n: int = 1, seed: int = 0, interpolation: float | None = None, tile: int = 512,
) -> list[Photo]:  # fmt: skip
    """`n` restorations of `image`; the i-th has the seed `seed` + i. n > 1 needs a method with more than one result per image.

    `image` is a path, a PIL image, a Photo or an array uint8 (H, W, C), of any size. `mask`, for inpainting, is another image,
    white where pixels are missing, or an array bool (H, W). `task` is denoise, upscale or inpaint, an error where the method
    cannot; auto is what it can. `interpolation`, from 0 to 1: between the weights of both phases of a training.
    `method` is in eval mode; its device is used. Images are processed in tiles of `tile` pixels.
    DataError if the image or the mask does not fit the method, UsageError if the arguments do not.
    """
    restoration = restoration_of(method, task)
    method = method if interpolation is None else interpolated(method, interpolation)
    photo, mask_name = as_photo(image), ""
    if mask is not None and not (isinstance(mask, np.ndarray) and mask.dtype == bool):
        mask_photo = as_photo(mask)
        mask, mask_name = as_mask(mask_photo), mask_photo.name
    _check(method, restoration, photo, mask, n, seed)
    ready = prepared(photo, method.spec)
    results: list[Photo] = []
    for number in range(n):
        result = _restored(method, restoration, ready.photo, mask, seed + number, tile)
        own_seed = seed + number if restoration.answers else None
        made = method.made("restore", seed=own_seed, inputs=[photo.name], mask=mask_name, interpolation=interpolation)
        results.append(dataclasses.replace(ready.finished(result), provenance=made))
    return results


def _check(method: Method, restoration: Restoration, photo: Photo, mask: np.ndarray | None, n: int, seed: int) -> None:
    if n < 1 or seed < 0 or seed + n > 2**63:
        raise UsageError(f"restoring needs n >= 1 and a seed >= 0 (got n={n}, seed={seed})")
    if n > 1 and not restoration.answers:
        raise UsageError(f"{method.name} gives one result per image, so n must be 1 (got {n})")
    if restoration.degradation == "holes" and mask is None:
        raise UsageError(
            f"{method.name} inpaints and needs a mask of the size of the image, white where pixels are missing"
        )
    if restoration.degradation != "holes" and mask is not None:
        raise UsageError(
            f"a mask is for inpainting, and this run of {method.name} can {RESTORING_NAMES[restoration.degradation]}"
        )
    (height, width), spec = photo.size, method.spec
    if mask is not None and mask.shape != photo.size:
        raise DataError(
            f"the mask has {mask.shape[0]} x {mask.shape[1]} pixels and the image {height} x {width}: the sizes must be equal"
        )
    if not restoration.multiple and photo.size != (spec.height, spec.width):
        raise DataError(
            f"this run of {method.name} takes images of {spec.height} x {spec.width} pixels only, the size of its training,"
            f" and this one has {height} x {width}: crop or resize it and its mask to that size, or train on images of this size"
        )
    if height * width * restoration.scale**2 > 4 * MAX_PIXELS:
        raise DataError(
            f"the result would have {height * restoration.scale} x {width * restoration.scale} pixels;"
            f" the limit is {4 * MAX_PIXELS:,} in total"
        )
    photo_channels(method)
    if mask is not None and photo.alpha is not None and mask.any() and not (photo.alpha[mask] > 0).any():
        raise DataError(
            "the mask marks only transparent pixels, which stay transparent, so nothing of the result would be seen:"
            " give the image without alpha, or another mask"
        )


def _restored(
    method: Method, restoration: Restoration, photo: Photo, mask: np.ndarray | None, seed: int, tile: int
) -> Photo:
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
        result = tiled(
            make,
            whole,
            tile=tile,
            overlap=RESTORED_OVERLAP,
            multiple=max(1, restoration.multiple),
            scale=restoration.scale,
        )
        if holes is not None:  # tiles are blended, and pixels that were not missing must not change by a bit
            result = torch.where(holes, result, image)
        planes.append(result.cpu())
    return _outputs(photo, planes)


def _inputs(photo: Photo, channels: int) -> list[Tensor]:
    """Tensors (1, channels, H, W) that are restored one by one."""
    pixels = torch.from_numpy(photo.pixels)[None]
    if channels == 1:
        return list(pixels.split(1, 1))
    return [of_channels(pixels, channels, photo.alpha)]


def _outputs(photo: Photo, planes: list[Tensor]) -> Photo:
    """The restored photo from the results for each of `_inputs`, with the metadata of `photo`."""
    made = torch.cat(planes, 1)[0]
    alpha = photo.alpha
    if len(made) == 4:
        alpha = None if alpha is None else ((made[3] + 1) / 2).clamp(0, 1).numpy()
        made = made[:3]
    if len(photo.pixels) == 1 and len(made) == 3:
        # Where all three channels are equal, keep their value: the weighted sum could round to another.
        same = (made[0] == made[1]) & (made[1] == made[2])
        made = torch.where(same, made[:1], luma_full(made[None])[0])
    return dataclasses.replace(photo, pixels=made.numpy(), alpha=alpha)


def interpolated(method: Method, share: float) -> Method:
    """The method with weights between those of its two phases: 0 the end of the first, 1 the last."""
    if not isinstance(method, Restores) or not offers(method, Restores.interpolated):
        raise UsageError(
            f"{method.name} was trained in one phase, so interpolation has no effect"
            f" (methods with two: {methods_with(Restores.interpolated)})"
        )
    if not 0 <= share <= 1:
        raise UsageError(f"interpolation must be from 0 to 1 (got {share:g})")
    return method.interpolated(share)


def comparison_image(photo: Photo, results: list[Photo], mask: np.ndarray | None = None) -> np.ndarray:
    """The photo and its results side by side, (H, W, 3) uint8.

    The photo is upsampled to the size of the results. Missing pixels are grey, transparent ones white; very large images
    are downsampled."""
    before = torch.from_numpy(_opaque(photo))
    if mask is not None:
        before = torch.where(torch.from_numpy(mask), 0.0, before)
    size = results[0].size
    images = [before, *(torch.from_numpy(_opaque(one)) for one in results)]
    share = min(1.0, COMPARISON_SIDE / max(size))
    size = max(1, round(size[0] * share)), max(1, round(size[1] * share))
    white = torch.ones(3, size[0], COMPARISON_GAP)
    parts = [_resized(images[0], size)]
    for image in images[1:]:
        parts += [white, _resized(image, size)]
    row = torch.cat(parts, 2)
    return ((row + 1) * 127.5).round().clamp(0, 255).byte().movedim(0, 2).contiguous().numpy()


def _opaque(photo: Photo) -> np.ndarray:
    """The photo (3, H, W) on white."""
    pixels = np.broadcast_to(photo.pixels, (3, *photo.size))
    return pixels.copy() if photo.alpha is None else pixels * photo.alpha + (1 - photo.alpha)


def _resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    if image.shape[1:] == size:
        return image
    return F.interpolate(image[None].float(), size, mode="bicubic", antialias=True, align_corners=False)[0]
