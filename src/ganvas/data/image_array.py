"""Images as an array that can also show, save and convert itself."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ganvas.data.image import png_bytes, viewable, write_png
from ganvas.data.image_grid import grid
from ganvas.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

SHOWN = 64  # images in the grid that a notebook shows
SHOWN_SIDE = 1024  # pixels of its longer side at most


class ImageArray(np.ndarray):
    """Images, uint8 (n, H, W, C), or one image (H, W, C): a NumPy array with a few methods more.

        images = run.sample(16)
        images.to_pil()                  # a list of 16 PIL images; images[0].to_pil() is one
        images.grid(columns=8)           # one image of all
        images.grid().save("grid.png")
        torch.from_numpy(images)         # it is a plain array to everybody else

    Slices are of this class; the result of a calculation, such as `images / 255`, is a plain array.
    """

    def __new__(cls, images: np.ndarray) -> ImageArray:
        return np.asarray(images).view(cls)

    def __array_wrap__(self, array: np.ndarray, *_: Any) -> Any:
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
        return ImageArray(grid(images if images.ndim == 4 else images[None], columns, gap))

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
        shown = self if self.ndim == 3 else ImageArray(self[:SHOWN]).grid()
        if max(shown.shape[:2]) <= SHOWN_SIDE:
            return png_bytes(shown)
        image, buffer = _pil(shown), io.BytesIO()
        image.thumbnail((SHOWN_SIDE, SHOWN_SIDE))
        image.save(buffer, format="PNG")
        return buffer.getvalue()

    def _is_images(self) -> bool:
        return self.dtype == np.uint8 and self.ndim in (3, 4)

    def _checked(self) -> ImageArray:
        """The array; UsageError where it no longer holds images."""
        if not self._is_images():
            raise UsageError(f"images are uint8 (n, H, W, C) or (H, W, C) (this array is {self.dtype} {self.shape})")
        return self


def _pil(image: np.ndarray) -> Image:
    from PIL import Image

    pixels = viewable(np.asarray(image))
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
