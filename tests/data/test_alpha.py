"""Colours hidden under alpha 0 reach no visible pixel, and alpha comes back, whatever the task and the file."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from ganvas.abilities import Restoration, Restores, Translates
from ganvas.data import open_data, png16
from ganvas.data.alpha import mean_colour, mixed, prepared, unmixed
from ganvas.data.degrade import upscaled
from ganvas.data.image import header, read_image
from ganvas.data.masks import as_mask as restore_mask
from ganvas.data.photo import Photo, read_photo
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, GanvasWarning
from ganvas.method import Method
from ganvas.networks.features.extractor import open_network
from ganvas.registry import create
from ganvas.tasks.gatys import GatysSettings
from ganvas.tasks.restore import restore
from ganvas.tasks.stylise import as_mask, stylise_photo, stylise_with
from ganvas.tasks.translate import translate, translate_images

SIZE = (24, 24)


def spec(channels: int = 3, alpha: str = "white") -> DataSpec:
    return DataSpec("some", channels, *SIZE, 10, paired=True, alpha=alpha)


def built(name: str, channels: int = 3, alpha: str = "white") -> Method:
    """With weights that are zero nowhere, so that it does something."""
    method = create(name, "tiny", {})
    torch.manual_seed(0)
    method.spec = spec(channels, alpha)
    method.build(method.spec)
    method.eval().requires_grad_(False)
    for parameter in method.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.05)
    return method


def soft_disc(height: int, width: int) -> np.ndarray:
    """Alpha (H, W): 1 within a disc, 0 outside, and values between on its edge."""
    rows, columns = np.mgrid[:height, :width]
    distance = np.hypot(rows - height / 2, columns - width / 2)
    return np.clip(min(height, width) / 3 - distance, 0, 1).astype(np.float32)


def photo(hidden: float, size: tuple[int, int] = SIZE, channels: int = 3) -> Photo:
    """A disc of noise; its transparent surroundings have the colour `hidden`."""
    random = np.random.default_rng(0)
    pixels, alpha = random.uniform(-0.6, 0.6, (channels, *size)).astype(np.float32), soft_disc(*size)
    pixels[:, alpha == 0] = hidden
    return Photo(pixels, alpha)


def hole(height: int, width: int) -> np.ndarray:
    mask = np.zeros((height, width), bool)
    mask[height // 3 : height // 2, width // 3 : width // 2] = True
    return mask


class Identity(Method, Restores, Translates):
    """Returns what it gets."""

    name = "identity"

    def __init__(self, channels: int, alpha: str) -> None:
        nn.Module.__init__(self)
        self.weight = nn.Parameter(torch.zeros(1))
        self.spec = spec(channels, alpha)
        self.seen: list[list[float]] = []

    def restoration(self) -> Restoration:
        return Restoration("noise", multiple=1)

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        return degraded

    def directions(self) -> tuple[str, ...]:
        return ("ab",)

    def multiple(self) -> int:
        return 1

    def translate(self, images: Tensor, direction: str = "ab", whole: Tensor | None = None) -> Tensor:
        self.seen.append(((images[0, :, 0, 0] + 1) * 127.5).tolist())
        return images


def stylised(content: Photo) -> Photo:
    style = Photo(np.random.default_rng(1).uniform(-1, 1, (3, 20, 20)).astype(np.float32))
    return stylise_photo(
        content, [style], network=open_network("digits"), settings=GatysSettings(steps=2, levels=1)
    ).photo


def fast(name: str, channels: int) -> Callable[[Photo], Photo]:
    style = Photo(np.random.default_rng(1).uniform(-1, 1, (3, 20, 20)).astype(np.float32))
    method = built(name, channels)
    return lambda content: stylise_with(method, content, style if name == "adain" else None, size=20)


@functools.cache
def tasks() -> dict[str, Callable[[Photo], Photo]]:
    made: dict[str, Callable[[Photo], Photo]] = {"gatys": stylised}
    for channels in (1, 3, 4):
        for name in ("adain", "fast_style"):
            made[f"{name} {channels}"] = fast(name, channels)
        for name, alpha in itertools.product(("denoise", "srresnet", "inpaint", "pix2pix"), ("white", "black")):
            method = built(name, channels, "keep" if channels == 4 else alpha)
            if name == "pix2pix":
                made[f"{name} {channels} {alpha}"] = lambda given, method=method: translate(method, given)
                continue
            made[f"{name} {channels} {alpha}"] = lambda given, method=method, name=name: restore(
                method, given, hole(*given.size) if name == "inpaint" else None, tile=32
            )[0]
    return made


@pytest.mark.parametrize("channels", [1, 3])
def test_hidden_colours_change_nothing_that_can_be_seen(channels: int) -> None:
    """In no task, with no background: the images look the same in any viewer, so the results do."""
    for size in (SIZE, (30, 45)):
        given = [photo(hidden, size, channels) for hidden in (-1.0, 1.0)]
        for name, task in tasks().items():
            one, two = (task(each) for each in given)
            assert one.alpha is not None and two.alpha is not None, name
            assert np.array_equal(one.alpha, two.alpha), name
            visible = one.alpha > 0
            assert visible.any() and np.array_equal(one.pixels[:, visible], two.pixels[:, visible]), name


def test_mixing_and_its_inverse_by_hand() -> None:
    """0.5 of the colour 0.2 on white is 0.6; what no colour can give is clipped; under alpha 0 the result stays."""
    white, half = 1.0, np.full((1, 1), 0.5, np.float32)
    np.testing.assert_allclose(mixed(np.full((1, 1, 1), 0.2, np.float32), half, white), [[[0.6]]], rtol=1e-6)
    np.testing.assert_allclose(unmixed(np.full((1, 1, 1), 0.6, np.float32), half, white), [[[0.2]]], rtol=1e-6)
    assert unmixed(np.full((1, 1, 1), -0.5, np.float32), half, white).tolist() == [[[-1.0]]]
    assert unmixed(np.full((1, 1, 1), -0.5, np.float32), half * 0, white).tolist() == [[[-0.5]]]


@pytest.mark.parametrize("alpha", ["white", "black", "keep"])
def test_a_network_that_changes_nothing_returns_the_image_to_the_bit(alpha: str) -> None:
    """Half-transparent pixels are mixed with the background once, not twice; hidden colours stay what they were."""
    for channels in (3, 4) if alpha == "keep" else (3,):
        method, given = Identity(channels, alpha), photo(0.3)
        for made in (restore(method, given)[0], translate(method, given)):
            assert np.array_equal(made.pixels, given.pixels) and np.allclose(made.alpha, given.alpha, atol=1e-6)  # pyright: ignore


@pytest.mark.parametrize(("alpha", "level"), [("white", 1.0), ("black", -1.0)])
def test_on_the_background_of_the_training_a_result_looks_as_the_network_made_it(alpha: str, level: float) -> None:
    method, given = built("denoise", 3, alpha), photo(0.0)
    assert given.alpha is not None
    seen = Photo(given.pixels * given.alpha + level * (1 - given.alpha))
    (made,), (wanted,) = restore(method, given), restore(method, seen)
    shown = made.pixels * given.alpha + level * (1 - given.alpha)
    reachable = (np.abs(made.pixels) < 1) & (given.alpha > 0)
    assert reachable.mean() > 0.5 * (given.alpha > 0).mean()
    np.testing.assert_allclose(shown[reachable], wanted.pixels[reachable], atol=1e-5)


def test_the_background_is_that_of_the_training() -> None:
    """A square of alpha 0 is seen as white or black by the network, in files and arrays alike."""
    for alpha, level in (("white", 255), ("black", 0)):
        method, pixels = Identity(3, alpha), np.full((1, *SIZE, 4), 90, np.uint8)
        pixels[..., 3] = 0
        translate_images(method, pixels)
        translate(method, Photo(np.zeros((3, *SIZE), np.float32), np.zeros(SIZE, np.float32)))
        assert method.seen == [[level] * 3] * 2


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", [SIZE, (40, 37), (9, 11)])
def test_arrays_and_files_agree(tmp_path: Path, channels: int, size: tuple[int, int]) -> None:
    """The same RGBA image by .npz and by PNG: the same result within a level, with the same alpha."""
    given = photo(0.5, size)
    assert given.alpha is not None
    planes = np.concatenate([(given.pixels + 1) / 2, given.alpha[None]])
    rgba = np.rint(np.moveaxis(planes, 0, 2) * 255).astype(np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    method = built("pix2pix", channels, "keep" if channels == 4 else "black")
    array = translate_images(method, rgba[None])[0]
    made = translate(method, read_photo(tmp_path / "a.png"))
    assert array.shape == (*size, 4) and made.alpha is not None
    colours = np.broadcast_to(made.pixels, (3, *size))
    file = np.concatenate([(colours + 1) * 127.5, made.alpha[None] * 255])
    assert np.abs(np.moveaxis(file, 0, 2) - array).max() <= 1


def files(folder: Path, hidden: int) -> dict[str, Path]:
    """The same images with alpha in every form that is read; their wholly transparent pixels have the colour `hidden`."""
    alpha = np.rint(soft_disc(*SIZE) * 255).astype(np.uint8)
    grey = np.arange(24 * 24, dtype=np.uint16).reshape(SIZE) % 200
    rgba = np.stack([grey, 199 - grey, grey // 2, alpha], -1).astype(np.uint8)
    rgba[alpha == 0, :3] = hidden
    places: dict[str, Path] = {}

    def save(name: str, image: Image.Image, **more: object) -> None:
        places[name] = folder / f"{hidden}-{name}"
        image.save(places[name], **more)  # pyright: ignore[reportArgumentType]

    save("rgba.png", Image.fromarray(rgba))
    save("la.png", Image.fromarray(rgba[..., [0, 3]], "LA"))
    save("rgba.webp", Image.fromarray(rgba), lossless=True, exact=True)
    save("rgba.tif", Image.fromarray(rgba))
    palette = Image.fromarray((alpha > 0).astype(np.uint8), "P")
    palette.putpalette([hidden, hidden, hidden, 10, 200, 90])
    save("palette.png", palette, transparency=0)
    deep = rgba.astype(np.uint16) * 257
    places["deep.png"] = folder / f"{hidden}-deep.png"
    places["deep.png"].write_bytes(png16.encode(deep))
    places["deep-grey.png"] = folder / f"{hidden}-deep-grey.png"
    places["deep-grey.png"].write_bytes(png16.encode(np.ascontiguousarray(deep[..., [0, 3]])))
    return places


def test_every_form_of_alpha_is_seen(tmp_path: Path) -> None:
    denoise, pairs = built("denoise"), (files(tmp_path, 0), files(tmp_path, 255))
    for name in pairs[0]:
        one, two = (restore(denoise, read_photo(each[name]))[0] for each in pairs)
        assert one.alpha is not None, name
        assert np.array_equal(one.pixels[:, one.alpha > 0], two.pixels[:, one.alpha > 0]), name


@pytest.mark.parametrize("how", [{"alpha": "white"}, {"alpha": "black"}, {"alpha": "keep"}])
def test_data_sets_do_not_see_hidden_colours(tmp_path: Path, how: dict[str, str]) -> None:
    """So neither do training, encode and evaluate, which open their images as data."""
    opened = []
    for hidden in (0, 255):
        folder = tmp_path / str(hidden)
        folder.mkdir()
        for name, place in files(tmp_path, hidden).items():
            place.rename(folder / name)
        opened.append(open_data(folder, holdout=0, **how).images)  # pyright: ignore[reportArgumentType]
    assert np.array_equal(*opened)


def test_arrays_kept_with_alpha_have_no_hidden_colours_either(tmp_path: Path) -> None:
    pixels = np.full((4, 16, 9, 4), 70, np.uint8)
    pixels[..., 3] = np.arange(9) * 30
    np.savez(tmp_path / "a.npz", images=pixels)
    kept = open_data(tmp_path / "a.npz", alpha="keep", holdout=0).images
    assert kept[0, 0, 0].tolist() == [255, 255, 255, 0] and kept[0, 0, 1].tolist() == [70, 70, 70, 30]
    assert np.array_equal(open_data(tmp_path / "a.npz", holdout=0).images, pixels), "four channels need not be alpha"


def test_an_enlarged_image_has_enlarged_alpha_and_the_colours_of_its_disc() -> None:
    """A disc of one colour on transparent black, at twice the size: no black at its edge, and alpha between 0 and 1."""
    given = photo(-1.0, (32, 32))
    given.pixels[:, soft_disc(32, 32) > 0] = 0.4
    (made,) = restore(Bicubic(), given)
    assert made.alpha is not None and made.alpha.shape == (64, 64) and 0 <= made.alpha.min() <= made.alpha.max() <= 1
    np.testing.assert_allclose(made.pixels[:, made.alpha > 0.2], 0.4, atol=0.05)


class Bicubic(Identity):
    """Enlarges to twice the size without any learning."""

    name = "bicubic"

    def __init__(self) -> None:
        super().__init__(3, "white")

    def restoration(self) -> Restoration:
        return Restoration("resolution", multiple=1, scale=2)

    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        return upscaled(degraded, 2)


def test_a_run_of_before_has_the_background_of_its_data_settings(tmp_path: Path) -> None:
    values = dataclasses.asdict(spec(alpha="black"))
    assert DataSpec.from_dict(values).alpha == "black"
    del values["alpha"]
    assert DataSpec.from_dict(values).alpha == "white"
    with pytest.raises(ValueError, match="alpha must be one of white, black, keep"):
        DataSpec.from_dict({**values, "alpha": "green"})


def test_prepared_photos_without_alpha_are_what_they_are() -> None:
    plain = Photo(np.zeros((3, *SIZE), np.float32))
    assert prepared(plain, spec()).photo is plain and prepared(plain, spec()).finished(plain) is plain
    assert mean_colour(Photo(np.full((1, 2, 2), 0.5, np.float32))).tolist() == [[[0.5]]]


# --- masks and styles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels", "value"),
    [(np.full((1, 4, 4), -1 + 2 / 255), "1 of 255"), (np.tile([[[0.0]], [[-1]], [[-1]]], (1, 4, 4)), "42 of 255")],
)
def test_a_mask_that_marks_nothing_is_refused(pixels: np.ndarray, value: str) -> None:
    """Values 0 and 1, and the dark red of class 1 in VOC's masks: an error that names the lightest value."""
    mask = Photo(pixels.astype(np.float32))
    for read in (restore_mask, lambda photo, name: as_mask(photo, (4, 4), name)):
        with pytest.raises(DataError, match=rf"m\.png marks nothing: its lightest pixel has the value {value}"):
            read(mask, "m.png")


def test_a_mask_that_repaints_all_but_a_hole_is_warned_of() -> None:
    """Opaque white around a transparent hole; strokes of white on transparency are what masks look like."""
    alpha = np.ones((6, 6), np.float32)
    alpha[2:4, 2:4] = 0
    white = np.ones((1, 6, 6), np.float32)
    with pytest.warns(GanvasWarning, match="all but the hole is marked"):
        assert np.array_equal(restore_mask(Photo(white, alpha)), alpha > 0)
    assert restore_mask(Photo(white, 1 - alpha)).sum() == 4
    white[:, 0] = -1  # black and opaque in a part: drawn on purpose
    assert restore_mask(Photo(white, alpha)).sum() == 36 - 6 - 4


def test_a_mask_of_transparent_pixels_would_have_no_effect() -> None:
    given = photo(0.0)
    mask = np.zeros(SIZE, bool)
    mask[0, 0] = True
    with pytest.raises(DataError, match="marks only transparent pixels"):
        restore(built("inpaint"), given, mask)
    mask[12, 12] = True
    (made,) = restore(built("inpaint"), given, mask)
    changed = (made.pixels != given.pixels).any(0)
    assert changed[12, 12] and not changed[~mask].any()


def test_a_style_that_cannot_be_seen_is_refused() -> None:
    content, blank = Photo(np.zeros((3, 20, 20), np.float32)), np.zeros((20, 20), np.float32)
    style = Photo(np.zeros((3, 20, 20), np.float32), blank)
    network = open_network("digits")
    with pytest.raises(DataError, match="the style image is wholly transparent"):
        stylise_photo(content, [style], network=network)
    with pytest.raises(DataError, match="the style image is wholly transparent"):
        stylise_with(built("adain"), content, style)
    blank[0, :7] = 1
    with pytest.raises(DataError, match="style image 2 shows 7 pixels only: at least 256"):
        stylise_photo(content, [content, style], network=network)
    with pytest.raises(DataError, match="the content is wholly transparent"):
        stylise_photo(Photo(content.pixels, np.zeros((20, 20), np.float32)), [content], network=network)
    with pytest.raises(DataError, match="the content is wholly transparent"):
        stylise_with(built("adain"), Photo(content.pixels, np.zeros((20, 20), np.float32)), content)


def test_a_transparent_colour_of_16_bits_is_seen(tmp_path: Path) -> None:
    """PNG's tRNS names one colour of 16 bits; its neighbour, equal in 8 bits, stays opaque. In data sets and photos alike."""
    for name, pixels in (
        ("grey.png", np.array([[[1000], [1001], [65535]]], np.uint16)),
        ("rgb.png", np.array([[[1000, 2000, 3000], [1000, 2000, 3001], [65535, 0, 0]]], np.uint16)),
    ):
        content = png16.encode(pixels)
        body = pixels[0, 1].astype(">u2").tobytes()
        key = struct.pack(">I", len(body)) + b"tRNS" + body + struct.pack(">I", zlib.crc32(b"tRNS" + body))
        place = content.index(b"IDAT") - 4
        (tmp_path / name).write_bytes(content[:place] + key + content[place:])
        assert read_image(tmp_path / name)[0, :, -1].tolist() == [255, 0, 255]
        alpha = read_photo(tmp_path / name).alpha
        assert alpha is not None and alpha.tolist() == [[1, 0, 1]]
        with open(tmp_path / name, "rb") as file:
            assert header(file)[2] == pixels.shape[2] + 1
