"""Inversion finds the points of generated images again; photos of any size come in and go back at their own."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.data import write_png
from ganvas.data.photo import Photo
from ganvas.errors import DataError, UsageError
from ganvas.metrics.restoration import psnr_each
from ganvas.sampling import sample, to_uint8
from ganvas.tasks import invert
from ganvas.tasks.originals import prepare_photo, write_back
from parts import images, small


def built(name: str, shape: tuple[int, int, int] = (1, 28, 28), **settings: Any) -> Any:
    method = small(name, **settings)
    torch.manual_seed(0)
    method.build(images(shape).spec)
    method.spec = images(shape).spec
    return method.eval().requires_grad_(False)


def test_psnr_by_hand() -> None:
    """An error of 1 level everywhere: 20 log10(255) = 48.13 dB."""
    one = np.zeros((1, 4, 4, 1), np.uint8)
    assert psnr_each(one, one + 1)[0] == pytest.approx(20 * math.log10(255))
    assert psnr_each(one, one)[0] == 100


def test_generated_images_are_found_again() -> None:
    method = built("gan")
    target = to_uint8(sample(method, 2, seed=11))
    start, found = invert(method, target, steps=1, reference=0), invert(method, target, steps=60, reference=2)
    assert found.psnr.min() > 30 and (found.psnr > start.psnr + 3).all()
    np.testing.assert_array_equal(found.psnr, psnr_each(target, found.images))
    assert found.reference_psnr is not None and found.reference_psnr > 30
    assert found.reference_distance is not None and found.points.values.shape == (2, 8)
    assert (found.feature_distance < start.feature_distance).all() and found.how == "60 steps of optimisation"


def test_an_image_is_inverted_by_itself() -> None:
    method = built("gan")
    target = to_uint8(sample(method, 3, seed=11))
    together, alone = invert(method, target, steps=8, reference=0), invert(method, target[1:2], steps=8, reference=0)
    torch.testing.assert_close(together.points.values[1], alone.points.values[0], atol=1e-4, rtol=1e-3)


def test_an_encoder_gives_the_start() -> None:
    method = built("vae")
    target = to_uint8(sample(method, 2, seed=11))
    encoded = invert(method, target, steps=0, reference=0)
    assert encoded.how == "encoder"
    expected = method.encode(torch.from_numpy(target).permute(0, 3, 1, 2).float() / 127.5 - 1)
    torch.testing.assert_close(encoded.points.values, expected, atol=1e-4, rtol=1e-3)
    assert (invert(method, target, steps=5, reference=0).psnr >= encoded.psnr - 1e-6).all()


@pytest.mark.parametrize("space", ["z", "w", "w+"])
def test_spaces_of_a_style_based_method(space: str) -> None:
    method = built("stylegan2")
    target = to_uint8(sample(method, 1, seed=11))
    found = invert(method, target, space=space, steps=10, reference=0)
    assert found.space == space and found.points.values.ndim == (3 if space == "w+" else 2)
    assert found.psnr[0] > psnr_each(target, to_uint8(sample(method, 1, seed=12)))[0]


def test_refusals() -> None:
    method = built("gan")
    target = to_uint8(sample(method, 1))
    with pytest.raises(UsageError, match="gan has no encoder, so inversion needs steps"):
        invert(method, target, steps=0)
    with pytest.raises(UsageError, match="pixelcnn has no latent space"):
        invert(built("pixelcnn"), target)
    with pytest.raises(DataError, match=r"is of images of \(height, width, channels\) \(28, 28, 1\), and these have"):
        invert(method, np.zeros((1, 30, 28, 1), np.uint8))
    with pytest.raises(DataError, match=r"is of images of .* and these have \(28, 28, 3\)"):
        invert(method, np.zeros((1, 28, 28, 3), np.uint8))
    with pytest.raises(DataError, match="images must be uint8"):
        invert(method, np.zeros((0, 28, 28, 1), np.uint8))
    with pytest.raises(UsageError, match="class-conditional, so each of the 1 images needs a label: name one class"):
        invert(built("r3gan", conditional=True), target, steps=1)
    with pytest.raises(UsageError, match=r"labels are class numbers from 0 to 2 \(got 10 to 10\)"):
        invert(built("r3gan", conditional=True), target, np.array([10]), steps=1)
    with pytest.raises(UsageError, match="there is no class 12"):
        invert(built("r3gan", conditional=True), target, label=12, steps=1)
    with pytest.raises(DataError, match="2 channels"):
        prepare_photo(built("gan", (2, 30, 50)), Photo(np.zeros((1, 8, 8), np.float32)))


def test_classes_of_given_images(tmp_path: Path) -> None:
    """By folders named after the classes, or one for all; photos beside such folders have none."""
    method = built("r3gan", conditional=True)
    images = to_uint8(sample(method, 3, seed=11))
    for place, image in zip(("1/a.png", "1/b.png", "2/c.png"), images, strict=True):
        write_png(tmp_path / place, image)
    found = invert(method, tmp_path, steps=1, reference=0)
    assert found.points.labels is not None and found.points.labels.tolist() == [1, 1, 2]
    found = invert(method, tmp_path / "1", label="0", steps=1, reference=0)
    assert found.points.labels is not None and found.points.labels.tolist() == [0, 0]
    write_png(tmp_path / "d.png", images[0])
    with pytest.raises(UsageError, match="each of the 4 images needs a label"):
        invert(method, tmp_path, steps=1)


def test_a_photo_is_cropped_and_an_edit_written_back() -> None:
    """60 x 100 for 28 x 28: the middle 60 x 60. A difference of 51 levels adds 0.4 to what is seen there, so 0.4 / 0.75 to
    colours of that alpha, and nothing elsewhere."""
    method = built("gan")
    random = np.random.default_rng(0)
    pixels = (random.random((3, 60, 100)) - 0.5).astype(np.float32)
    photo = Photo(pixels, np.full((60, 100), 0.75, np.float32))
    prepared = prepare_photo(method, photo)
    assert prepared.image.shape == (28, 28, 1)
    assert (prepared.top, prepared.left, prepared.height, prepared.width) == (0, 20, 60, 60)
    before = np.full((28, 28, 1), 100, np.uint8)
    same = write_back(prepared, before, before)
    np.testing.assert_array_equal(same.pixels, pixels)
    brighter = write_back(prepared, before, before + 51)
    wanted = np.minimum(pixels[:, :, 20:80] + 0.4 / 0.75, 1)
    np.testing.assert_allclose(brighter.pixels[:, :, 20:80], wanted, atol=1e-5)
    np.testing.assert_array_equal(brighter.pixels[:, :, :20], pixels[:, :, :20])
    assert brighter.alpha is photo.alpha and photo.pixels is pixels


def test_a_photo_of_the_training_size_is_as_it_is() -> None:
    method = built("gan", (3, 32, 32))
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3)).astype(np.uint8)
    photo = Photo((image.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1))
    np.testing.assert_array_equal(prepare_photo(method, photo).image, image)
