"""Images as an array that can also show, save and convert itself."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.data.image import as_pil, png_bytes, png_info, viewable, write_png
from ganvas.data.image_grid import grid
from ganvas.errors import UsageError
from ganvas.provenance import Provenance

if TYPE_CHECKING:
    from PIL.Image import Image

NOTEBOOK_IMAGES = 64  # images in the grid that a notebook shows
NOTEBOOK_SIDE = 1024  # pixels of its longer side at most


class ImageArray(np.ndarray):
    """Images, uint8 (n, H, W, C), or one image (H, W, C): a NumPy array with a few methods more.

        images = run.sample(16)
        images.to_pil()                  # a list of 16 PIL images; images[0].to_pil() is one
        images.grid(columns=8)           # one image of all
        images.grid().save("grid.png")
        torch.from_numpy(images)         # it is a plain array to everybody else

    Slices are of this class; the result of a calculation, such as `images / 255`, is a plain array.
    """

    provenance: Provenance | None
    """What made the image, or the first of them; files get it as metadata."""
    _seeds: np.ndarray | None  # (n,), of each image

    def __new__(
        cls, images: np.ndarray, provenance: Provenance | None = None, seeds: np.ndarray | None = None
    ) -> ImageArray:
        """`provenance` is of the first image, `seeds` (n,) int64 are those of all where they differ."""
        made = np.asarray(images).view(cls)
        if provenance is None and isinstance(images, ImageArray):
            provenance, seeds = images.provenance, images._seeds
        made.provenance, made._seeds = provenance, seeds
        return made

    def __array_finalize__(self, array: object) -> None:
        # Whatever NumPy makes of images need not be images of those seeds.
        self.provenance = self._seeds = None

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if not isinstance(part, ImageArray) or self.ndim != 4 or self.provenance is None:
            return part
        if part.ndim not in (3, 4) or isinstance(key, tuple) or np.ndim(key) > 1:
            return part
        if self._seeds is None:
            part.provenance = self.provenance
        elif part.size:
            seeds = self._seeds[key]
            part.provenance = dataclasses.replace(self.provenance, seed=int(np.ravel(seeds)[0]))
            part._seeds = seeds if part.ndim == 4 else None
        return part

    def __iter__(self) -> Any:
        return (self[index] for index in range(len(self)))

    def __array_wrap__(self, array: np.ndarray, *_: object) -> Any:
        """Calculations return plain arrays, and plain numbers where they return one."""
        return array[()] if array.ndim == 0 else np.asarray(array)

    def to_pil(self) -> Any:
        """A PIL image of one image, a list of them of several. Two channels are shown in red and cyan, of five and more the first
        three; see `ganvas.data.grid`."""
        if self._checked().ndim == 4:
            return [_pil(image) for image in self]
        return _pil(self)

    def grid(self, columns: int | None = None, gap: int = 2) -> ImageArray:
        """One image (H, W, C) of all, row by row; see `ganvas.data.grid`."""
        images = self._checked()
        if images.ndim == 3:
            return ImageArray(grid(images[None], columns, gap), images.provenance)
        return ImageArray(grid(images, columns, gap), images._of_grid(columns))

    def save(self, path: Path | str) -> None:
        """Writes a .png file: the image, or a grid of the images."""
        path = Path(path)
        if path.suffix.lower() != ".png":
            raise UsageError(f"an array of images is written as FILE.png (got {path}); for other formats use to_pil()")
        write_png(path, self if self._checked().ndim == 3 else self.grid())

    def _repr_png_(self) -> bytes | None:
        """What a notebook shows: the image, or a grid of the first images; None where the array holds no images."""
        if not self._is_images() or self.size == 0:
            return None
        shown = self if self.ndim == 3 else self[:NOTEBOOK_IMAGES].grid()
        if max(shown.shape[:2]) <= NOTEBOOK_SIDE:
            return png_bytes(shown, shown.provenance)
        image, buffer = _pil(shown), io.BytesIO()
        image.thumbnail((NOTEBOOK_SIDE, NOTEBOOK_SIDE))
        image.save(buffer, format="PNG", pnginfo=png_info(shown.provenance))
        return buffer.getvalue()

    def _of_grid(self, columns: int | None) -> Provenance | None:
        if self.provenance is None or self._seeds is None or not self.size:
            return self.provenance
        first = int(self._seeds[0])
        made = dataclasses.replace(self.provenance, seed=first).with_options(grid=True, columns=columns)
        if np.array_equal(self._seeds, first + np.arange(len(self))):
            return made.with_options(n=len(self))
        return made.with_options(seeds=tuple(self._seeds.tolist()))

    def _is_images(self) -> bool:
        return self.dtype == np.uint8 and self.ndim in (3, 4)

    def _checked(self) -> ImageArray:
        """The array; UsageError where it no longer holds images."""
        if not self._is_images():
            raise UsageError(f"images are uint8 (n, H, W, C) or (H, W, C) (this array is {self.dtype} {self.shape})")
        return self


def _pil(image: np.ndarray) -> Image:
    return as_pil(viewable(np.asarray(image)))
