"""Style transfer by optimising the image, with the digit network of the package: no test needs a download."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.data.mosaic import mosaic
from ganvas.data.photo import Photo
from ganvas.data.spec import DataSpec
from ganvas.errors import DataError, UsageError
from ganvas.method import Method
from ganvas.networks.features.catalog import CATALOG
from ganvas.networks.features.extractor import build_network, open_network
from ganvas.tasks.gatys import GatysSettings, Moment, Outcome, level_sizes, luma_full, matched_colours, optimise
from ganvas.tasks.style_target import Target
from ganvas.tasks.stylise import as_mask, opaque, stylise_photo, stylise_with
from parts import small

QUICK = GatysSettings(steps=12, levels=1)


def slope(height: int = 40, width: int = 56, channels: int = 3) -> Tensor:
    """An image that gets lighter to the right and has a dark disc, (C, H, W)."""
    rows, columns = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    x = columns * 0.8
    x = torch.where(rows.square() + columns.square() < 0.2, torch.tensor(-0.9), x)
    return torch.stack([x * (1 - 0.2 * channel) for channel in range(channels)])


def painting(side: int = 48, channels: int = 3) -> Tensor:
    x = torch.from_numpy(mosaic(side, cells=40)).permute(2, 0, 1).float() / 127.5 - 1
    return x if channels == 3 else luma_full(x[None])[0]


def photo(x: Tensor, **more: object) -> Photo:
    return Photo(x.numpy().astype(np.float32), **more)  # pyright: ignore[reportArgumentType]


def stylising_method(channels: int) -> Method:
    """adain as it begins, for images of so many channels."""
    method = small("adain")
    torch.manual_seed(0)
    method.setup(DataSpec("some", channels, 24, 24, 10))
    return method.eval().requires_grad_(False)


def run(settings: GatysSettings = QUICK, **more: object) -> tuple[Outcome, list[Moment]]:
    moments: list[Moment] = []
    done = optimise(slope(), [painting()], open_network("digits"), settings, watch=moments.append, **more)  # pyright: ignore
    return done, moments


@pytest.mark.parametrize(("optimizer", "bound"), [("adam", 0.35), ("lbfgs", 0.35)])
def test_the_style_comes_and_the_content_stays(optimizer: str, bound: float) -> None:
    """The style loss falls to a third; a gradient of the wrong sign or place does not bring it below its start."""
    done, moments = run(dataclasses.replace(QUICK, optimizer=optimizer, steps=30, lr=0.08))
    first = moments[0].losses if optimizer == "adam" else {"style": 1.0}
    assert done.losses["style"] < bound * first["style"], (first, done.losses)
    assert done.losses["content"] < 1
    assert done.image.shape == slope().shape and done.image.abs().max() <= 1
    assert [moment.share for moment in moments] == sorted(moment.share for moment in moments)
    assert moments[-1].share == 1


def test_it_ends_near_the_content_without_style() -> None:
    done, _ = run(dataclasses.replace(QUICK, beta=0.0, tv=0.0))
    assert_close(done.image, slope(), atol=0.02, rtol=0)


def target(network: str = "vgg16", side: int = 1024, masks: Tensor | None = None, **more: float) -> Target:
    entry = CATALOG[network]
    layers = {"style_layers": entry.style_layers[:3], "content_layers": entry.style_layers[2:3]}
    styles, shares = [painting(64)[None], painting(64).flip(2)[None]], [0.3, 0.7]
    torch.manual_seed(0)
    made = build_network(network).cut(entry.style_layers[:3]).double()
    made.scale, made.shift = made.scale.double(), made.shift.double()
    return Target(made, slope(96, 160)[None], styles, shares, masks, side=side, beta=10.0, tv=0.1, **layers, **more)  # pyright: ignore


@pytest.mark.parametrize(
    ("network", "masked"),
    [("vgg16", False), ("mobilenet_v2", False), ("efficientnet_lite0", False), ("mobilenet_v2", True)],
)
def test_tiles_give_what_the_whole_gives(network: str, masked: bool) -> None:
    masks = None
    if masked:
        half = torch.linspace(0, 1, 160).expand(96, 160)
        masks = torch.stack([half, 1 - half])[None]
    whole, tiled = target(network, 1024, masks), target(network, 32, masks)
    assert len(whole._tiles((96, 160))) == 1 and len(tiled._tiles((96, 160))) > 4
    x = (
        slope(96, 160)[None] * 0.5 + 0.1 * torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(1))
    ).requires_grad_()
    wanted = whole.gradient(x)
    gradient, x.grad = x.grad, None
    found = tiled.gradient(x)
    assert gradient is not None and x.grad is not None
    for name in wanted:
        assert_close(found[name], wanted[name], atol=1e-6, rtol=1e-4)
    assert_close(x.grad, gradient, atol=1e-5 * float(gradient.abs().max()), rtol=1e-3)


def test_the_gradient_is_that_of_the_loss() -> None:
    """One pixel moved by a little: the loss moves as its gradient says."""
    made = target()
    x = (slope(96, 160)[None] * 0.5).requires_grad_()
    before = float(made.gradient(x)["loss"])
    assert x.grad is not None
    place = (0, 1, *divmod(int(x.grad[0, 1].abs().argmax()), 160))
    step, slope_there = 1e-2, float(x.grad[place])
    moved = x.detach().clone()
    moved[place] += step
    after = float(made.gradient(moved.requires_grad_())["loss"])
    assert (after - before) / step == pytest.approx(slope_there, rel=0.2)


def test_two_styles_are_mixed_by_their_shares() -> None:
    alone, _ = run()
    mixed = optimise(slope(), [painting(), painting().flip(2) * -1], open_network("digits"), QUICK, weights=[1, 0])
    assert_close(mixed.image, alone.image, atol=1e-4, rtol=0)
    other = optimise(slope(), [painting(), painting().flip(2) * -1], open_network("digits"), QUICK, weights=[0, 1])
    assert (other.image - alone.image).abs().mean() > 0.02


def test_outside_of_a_mask_nothing_changes() -> None:
    mask = torch.zeros(40, 56)
    mask[:, :28] = 1
    done, _ = run(masks=[mask])
    assert_close(done.image[:, :, 28:], slope()[:, :, 28:])
    assert (done.image - slope())[:, :, :28].abs().mean() > 0.05


def test_the_same_seed_gives_the_same_image() -> None:
    noise = dataclasses.replace(QUICK, init="noise", steps=3)
    one, again, other = (run(noise, seed=seed)[0].image for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_stop_gives_the_image_so_far() -> None:
    count = iter(range(100))
    done = optimise(slope(), [painting()], open_network("digits"), QUICK, stop=lambda: next(count) == 3)
    assert done.stopped and done.steps == 4 and done.image.shape == slope().shape


def test_minutes_bound_the_time() -> None:
    done, _ = run(dataclasses.replace(QUICK, levels=2, steps=10_000), minutes=0.01)
    assert 2 <= done.steps < 10_000 and done.seconds < 10


def test_colours_stay_where_only_light_is_painted() -> None:
    done, _ = run(dataclasses.replace(QUICK, colour="luminance"))
    chroma = done.image - luma_full(done.image[None])[0]
    kept = slope() - luma_full(slope()[None])[0]
    inside = done.image.abs().amax(0) < 1  # what was cut off at black or white lost its colour
    assert_close(chroma[:, inside], kept[:, inside], atol=1e-5, rtol=0)


def test_a_recoloured_style_has_the_contents_mean_and_covariance() -> None:
    style = painting()[None] * 0.3
    content = 0.1 * torch.randn(1, 3, 50, 60, generator=torch.Generator().manual_seed(0)) + torch.tensor(
        [0.1, 0, -0.2]
    ).view(3, 1, 1)
    made = matched_colours(style, content)[0].flatten(1)
    wanted = content[0].flatten(1)
    assert_close(made.mean(1), wanted.mean(1), atol=2e-3, rtol=0)
    assert_close(torch.cov(made), torch.cov(wanted), atol=1e-3, rtol=0)


def test_sizes_double_up_to_the_last() -> None:
    assert level_sizes((600, 800), 512) == [(96, 128), (192, 256), (384, 512)]
    assert level_sizes((30, 40)) == [(30, 40)]
    assert level_sizes((300, 400), 1024, levels=2) == [(150, 200), (300, 400)]


# --- photos -----------------------------------------------------------------------------------------------------------------


def test_alpha_bits_and_profile_stay_and_grey_stays_grey() -> None:
    alpha = np.tile(np.linspace(0, 1, 56, dtype=np.float32), (40, 1))
    grey = photo(slope(channels=1), alpha=alpha, depth=16, icc=b"profile", exif=b"exif")
    done = stylise_photo(grey, [photo(painting())], network="digits", settings=QUICK).photo
    assert done.pixels.shape == (1, 40, 56) and np.array_equal(done.alpha, alpha)  # pyright: ignore[reportArgumentType]
    assert (done.depth, done.icc, done.exif) == (16, b"profile", b"exif")
    coloured = stylise_photo(grey, [photo(painting())], network="digits", settings=QUICK, rgb=True).photo
    assert coloured.pixels.shape == (3, 40, 56) and coloured.icc is None  # the profile was for grey
    assert np.ptp(coloured.pixels, axis=0).max() > 0.05


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (3, 2)])
def test_a_content_of_a_pixel_comes_back_as_large(shape: tuple[int, int]) -> None:
    done = stylise_photo(photo(torch.zeros(3, *shape)), [photo(painting())], network="digits", settings=QUICK)
    assert done.photo.size == shape and np.isfinite(done.photo.pixels).all()


def test_a_style_of_a_pixel_is_refused() -> None:
    with pytest.raises(DataError, match=r"the style image has 1 x 1 pixels.*16 pixels a side"):
        stylise_photo(photo(slope()), [photo(torch.zeros(3, 1, 1))], network="digits")
    with pytest.raises(DataError, match="style image 2 has 15 x 30 pixels"):
        stylise_photo(photo(slope()), [photo(painting()), photo(torch.zeros(3, 30, 15))], network="digits")


def test_numbers_that_do_not_fit_are_told() -> None:
    styles = [photo(painting())]
    with pytest.raises(UsageError, match=r"1 style\(s\) take 1 weight"):
        stylise_photo(photo(slope()), styles, network="digits", shares=[0.5, 0.5])
    with pytest.raises(DataError, match="a mask must have the size of the content: 56 x 40"):
        stylise_photo(photo(slope()), styles, network="digits", masks=[np.ones((8, 8), np.float32)])
    with pytest.raises(DataError, match="all black"):
        stylise_photo(photo(slope()), styles, network="digits", masks=[np.zeros((40, 56), np.float32)])
    with pytest.raises(DataError, match=r"m\.png has 8 x 9 pixels, and the content 56 x 40"):
        as_mask(photo(torch.ones(1, 9, 8)), (40, 56), "m.png")
    with pytest.raises(UsageError, match="digits has no layer relu1_1"):
        stylise_photo(photo(slope()), styles, network="digits", settings=GatysSettings(style_layers="relu1_1"))


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("colours", [1, 3])
def test_a_trained_method_takes_photos_of_other_channels(channels: int, colours: int) -> None:
    method, alpha = stylising_method(channels), np.full((20, 30), 0.5, np.float32)
    given = photo(slope(20, 30, colours), alpha=alpha)
    made = stylise_with(method, given, photo(painting(channels=1)))
    assert made.pixels.shape == given.pixels.shape and made.alpha is alpha
    assert np.abs(made.pixels - given.pixels).max() > 0.01


def test_a_trained_method_mixes_styles_by_their_weights() -> None:
    content, styles = photo(slope()), [photo(painting()), photo(painting().flip(0) ** 3)]
    method = stylising_method(3)
    single = stylise_with(method, content, styles[0])
    assert_close(stylise_with(method, content, styles, weights=[5, 0]).pixels, single.pixels)
    equal = stylise_with(method, content, styles)
    assert_close(stylise_with(method, content, styles, weights=[2, 2]).pixels, equal.pixels)
    assert np.abs(equal.pixels - single.pixels).max() > 1e-3
    with pytest.raises(UsageError, match=r"2 style\(s\) take 2 weight"):
        stylise_with(method, content, styles, weights=[1])
    with pytest.raises(UsageError, match="weights are the shares of several styles"):
        stylise_with(method, content, styles[0], weights=[1])


def test_channels_that_no_file_has_are_refused() -> None:
    with pytest.raises(DataError, match="adain was trained on 2 channels, and image files have 1, 3 or 4"):
        stylise_with(stylising_method(2), photo(slope()), photo(painting()))


def test_transparent_parts_of_a_style_have_no_style() -> None:
    x = painting()
    alpha = np.ones((48, 48), np.float32)
    alpha[:, 24:] = 0
    seen = opaque(photo(x, alpha=alpha))
    assert_close(seen[:, :, :24], x[:, :, :24])
    assert_close(seen[:, :, 24:], x[:, :, :24].mean((1, 2), keepdim=True).expand(3, 48, 24))
