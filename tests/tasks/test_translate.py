"""`ganvas translate` as a function: any size, grey, alpha, tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn

from ganvas.data.photo import Photo
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.tasks.tiles import tiled
from ganvas.tasks.translate import overview, translate_images, translate_photo
from parts import images, small, train_small


def built(name: str, channels: int = 3) -> Method:
    method = small(name)
    torch.manual_seed(0)
    method.setup(images((channels, 32, 32) if channels != 2 else (2, 30, 50)).spec)
    return method.eval().requires_grad_(False)


def photo(height: int, width: int, channels: int = 3, alpha: bool = False) -> Photo:
    random = np.random.default_rng(0)
    pixels = random.uniform(-1, 1, (channels, height, width)).astype(np.float32)
    seen = random.uniform(0, 1, (height, width)).astype(np.float32) if alpha else None
    return Photo(pixels, seen, exif=b"something")


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (33, 50)])
def test_any_size_grey_and_alpha(name: str, size: tuple[int, int]) -> None:
    method = built(name)
    for channels in (1, 3):
        for alpha in (False, True):
            given = photo(*size, channels, alpha)
            made = translate_photo(method, given)
            assert made.pixels.shape == (3, *size) and np.abs(made.pixels).max() <= 1
            assert made.exif == given.exif and (made.alpha is given.alpha)


def test_a_method_of_grey_images_takes_the_luma() -> None:
    method, given = built("pix2pix", 1), photo(20, 20)
    grey = np.tensordot(np.array([0.299, 0.587, 0.114], np.float32), given.pixels, 1)[None]
    made = translate_photo(method, given)
    assert made.pixels.shape == (1, 20, 20)
    np.testing.assert_allclose(made.pixels, translate_photo(method, Photo(grey)).pixels, atol=1e-5)


def test_tiles_join() -> None:
    """An image larger than a tile keeps its size, nearly as in one piece: batch norm's averages are the same everywhere."""
    method, given = built("pix2pix"), photo(160, 200)
    whole, parts = translate_photo(method, given).pixels, translate_photo(method, given, tile=128).pixels
    assert parts.shape == whole.shape and np.abs(parts - whole).mean() < 0.02 * np.abs(whole).mean() + 1e-4


@pytest.mark.parametrize("generator", ["retouch", "repaint"])
def test_colours_are_decided_for_the_whole_image(generator: str) -> None:
    """Two tiles of which one is dark and the other half dark: the dark parts of both get the same colour."""
    method = small("pix2pix", generator=generator, norm="none")
    torch.manual_seed(0)
    method.setup(images((3, 32, 32)).spec)
    G = cast(Any, method).G
    nn.init.normal_((G if generator == "retouch" else G.retouched).table.weight, 0.0, 0.3)
    pixels = np.full((3, 64, 200), -0.5, np.float32)
    pixels[:, :, 150:] = 0.8
    made = translate_photo(method.eval().requires_grad_(False), Photo(pixels), tile=124).pixels
    assert np.abs(made[:, :, :140] - pixels[:, :, :140]).max() > 0.01, "the table does something"
    np.testing.assert_allclose(made[:, :, :140], made[:, :1, :1].repeat(64, 1).repeat(140, 2), atol=1e-5)


class Framing(nn.Module):
    """Makes a frame of 9 pixels around all that it is given."""

    multiple = 4

    def forward(self, x: torch.Tensor, draw: object = None, whole: object = None) -> torch.Tensor:
        made = x.clone()
        made[:, :, :9] = made[:, :, -9:] = 1
        made[..., :9] = made[..., -9:] = 1
        return made


@pytest.mark.parametrize("shape", [(70, 90), (20, 400), (300, 40)])
def test_an_image_larger_than_the_trainings_gets_no_frame(shape: tuple[int, int]) -> None:
    """Neither at its border nor between two tiles; one of the size of the training images is what it learned."""
    method = built("pix2pix")
    cast(Any, method).G = Framing()
    dark = Photo(np.full((3, *shape), -0.5, np.float32))
    np.testing.assert_allclose(translate_photo(method, dark, tile=192).pixels, dark.pixels, atol=1e-6)
    same = Photo(np.full((3, 32, 32), -0.5, np.float32))
    assert translate_photo(method, same).pixels.max() == 1


def test_an_overview_is_made_wherever_there_are_two_tiles() -> None:
    """Of the size of a tile, and more than one after it was grown to a multiple."""
    image = torch.rand(1, 3, 64, 124)
    for tile, multiple, parts in ((124, 16, 2), (128, 16, 1), (124, 4, 1), (60, 8, 3)):
        seen = []
        tiled(lambda part, seen=seen: seen.append(1) or part, image, tile=tile, overlap=32, multiple=multiple)
        whole = overview(image, tile, 32, multiple)
        assert (len(seen) > 1) == (whole is not None) == (parts > 1), (tile, multiple, len(seen))
        assert whole is None or all(side % multiple == 0 for side in whole.shape[2:])


def test_directions_and_refusals() -> None:
    both, one = built("cyclegan"), built("pix2pix")
    given = photo(16, 16)
    assert not np.array_equal(translate_photo(both, given).pixels, translate_photo(both, given, "ba").pixels)
    with pytest.raises(UsageError, match=r"translates ab \(got direction ba\)"):
        translate_photo(one, given, "ba")
    with pytest.raises(UsageError, match=r"translates ab and ba \(got direction xy\)"):
        translate_photo(both, given, "xy")
    with pytest.raises(RunError, match=r"gan does not translate images \(.*cyclegan.*do\)"):
        translate_photo(built("gan"), given)
    with pytest.raises(DataError, match=r"2 channels, and image files have 1, 3 or 4: put them into an \.npz"):
        translate_photo(built("pix2pix", 2), given)


def test_arrays_of_any_channels() -> None:
    data = images((2, 30, 50))
    made = translate_images(built("pix2pix", 2), data.images[:5])
    assert made.shape == (5, 30, 50, 2) and made.dtype == np.uint8
    method = built("pix2pix")
    colours = translate_images(method, images((3, 32, 32)).images[:3])
    assert np.array_equal(translate_images(method, images((3, 32, 32)).images[1:3]), colours[1:])
    assert translate_images(method, np.zeros((1, 9, 9, 1), np.uint8)).shape == (1, 9, 9, 3)
    with pytest.raises(UsageError, match="images must be uint8"):
        translate_images(method, np.zeros((1, 9, 9, 3)))
    with pytest.raises(DataError, match="takes 3 channels, and the images have 2"):
        translate_images(method, data.images[:2])


def test_a_run_translates_what_the_command_does(tmp_path: Path) -> None:
    """One computation: arrays by `Run.translate` are those of `translate_images`, photos those of `translate`."""
    run = train_small("cyclegan", tmp_path / "run", 3, images((3, 32, 32)))
    pixels, given = images((3, 32, 32)).images[:5], photo(20, 33, alpha=True)
    assert np.array_equal(run.translate(pixels), translate_images(run.method, pixels))
    back = run.translate(given, "ba")
    assert isinstance(back, Photo) and back.alpha is given.alpha
    assert np.array_equal(back.pixels, translate_photo(run.method, given, "ba").pixels)
    raw = run.translate(pixels, raw=True)
    assert not np.array_equal(raw, run.translate(pixels)), "the weights as trained differ from their average"
    assert np.array_equal(raw, translate_images(run.load_method(raw=True), pixels))
    with pytest.raises(UsageError, match=r"got direction xy"):
        run.translate(pixels, "xy")
