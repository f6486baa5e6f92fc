"""What D sees: pixels moved, colours and probabilities worked out by hand; derivatives of both orders; one row, one image."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.data import augment
from ganvas.data.augment import Draw, adapted, adaptive_augment, diff_augment, shifted

Augment = Callable[[Tensor, Draw], Tensor]
GEOMETRY = (
    "shift_x", "slide_x", "mirror", "quarters", "scale", "stretch", "before", "after", "shift_y", "slide_y",
)  # fmt: skip
COLOUR = ("brightness", "contrast", "flip", "hue", "saturation")
SHAPES = [(1, 28, 28), (3, 32, 32), (2, 30, 50), (4, 9, 7), (1, 1, 1), (5, 1, 6), (3, 2, 1)]


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def drawing(count: int, seed: int = 1) -> Draw:
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.rand(count, *shape, generator=generator)


def scripted(*rows: list[float]) -> Draw:
    """One image's numbers, call by call."""
    calls = iter(rows)
    return lambda *shape: torch.tensor([next(calls)]).view(1, *shape)


def ada(chance: float) -> Augment:
    return lambda images, draw: adaptive_augment(images, torch.tensor(chance), draw)


def placed(images: Tensor, **amounts: float) -> Tensor:
    """Images under ADA's geometry with these amounts, the rest not drawn."""
    row = torch.tensor([[amounts.pop(name, 0.0) for name in GEOMETRY]])
    assert not amounts
    return augment.warped(images, *augment._placement(row.expand(len(images), -1)))


def painted(pixel: list[float], **amounts: float) -> Tensor:
    """One pixel (C,) under ADA's colours with these amounts, the rest not drawn."""
    row = torch.tensor([[amounts.pop(name, 0.0) for name in COLOUR]])
    assert not amounts
    image = torch.tensor(pixel).view(1, -1, 1, 1)
    return augment.recoloured(image, *augment._palette(row, augment._colours(image))).flatten()


# --- what ADA leaves alone --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_at_p_0_nothing_changes(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    images = noise(5, *shape).to(dtype)
    for draw in (drawing(5), lambda *shape: torch.zeros(5, *shape)):  # 0 may be drawn, too
        seen = adaptive_augment(images, torch.tensor(0.0), draw)
        assert seen.dtype == dtype and torch.equal(seen, images)


@pytest.mark.parametrize("channels", range(1, 9))
def test_the_palette_of_nothing_is_exact(channels: int) -> None:
    matrix, offset = augment._palette(torch.zeros(1, 5), channels)
    assert torch.equal(matrix[0], torch.eye(channels)) and not offset.any()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("function", [diff_augment, ada(1.0)])
def test_any_shape_stays(shape: tuple[int, ...], function: Augment) -> None:
    images = noise(5, *shape)
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        seen = function(images.to(dtype), drawing(5))
        assert seen.shape == images.shape and seen.dtype == dtype and seen.isfinite().all()
    assert shape[1:] == (1, 1) or not torch.equal(function(images, drawing(5)), images)


def test_how_often_nothing_is_drawn() -> None:
    """p = 0.1, 16 by 16: eight kinds always show; mirror and luma flip half the time, quarter turns in three of four; a shift
    of -2 to 2 rounds to 0 in a quarter of the cases along each axis."""
    images = noise(2000, 3, 16, 16)
    same = (adaptive_augment(images, torch.tensor(0.1), drawing(2000)) == images).flatten(1).all(1)
    expected = 0.9**8 * 0.95**2 * (1 - 0.1 * 3 / 4) * (1 - 0.1 * 15 / 16)
    assert same.float().mean().item() == pytest.approx(expected, abs=0.03)  # three standard errors
    assert not (adaptive_augment(images, torch.tensor(1.0), drawing(2000)) == images).flatten(1).all(1).any()


# --- ADA's geometry ---------------------------------------------------------------------------------------------------


def test_mirror_and_quarter_turns_are_exact() -> None:
    square, wide = noise(2, 3, 7, 7), noise(2, 3, 6, 9)
    assert torch.equal(placed(square, mirror=1), square.flip(3))
    assert torch.equal(placed(wide, mirror=1), wide.flip(3))
    assert torch.equal(placed(wide, quarters=2), wide.flip(2, 3))
    for number in range(4):
        assert torch.equal(placed(square, quarters=number), square.rot90(number, (2, 3)))


@pytest.mark.parametrize("turn", ["before", "after"])
def test_a_turn_by_180_degrees_flips_both_axes(turn: str) -> None:
    images = noise(2, 3, 9, 14)
    assert_close(placed(images, **{turn: math.pi}), images.flip(2, 3), atol=1e-5, rtol=0)


def test_a_turn_by_90_degrees_is_a_quarter_turn() -> None:
    images = noise(2, 3, 8, 8)
    assert_close(placed(images, after=math.pi / 2), placed(images, quarters=1), atol=1e-5, rtol=0)


def test_a_shift_moves_a_pixel() -> None:
    image = torch.zeros(1, 1, 6, 8)
    image[0, 0, 2, 3] = 1
    expected = torch.zeros(1, 1, 6, 8)
    expected[0, 0, 1, 5] = 1  # two to the right, one up
    assert torch.equal(placed(image, shift_x=2, shift_y=-1), expected)
    assert torch.equal(placed(image, slide_x=2, slide_y=-1), expected)
    halves = placed(image, slide_x=0.25)[0, 0, 2]
    assert halves.tolist() == [0, 0, 0, 0.75, 0.25, 0, 0, 0]


def test_beyond_the_border_the_image_goes_on_mirrored() -> None:
    image = torch.tensor([1.0, 2, 3, 4]).view(1, 1, 1, 4)
    for shift, expected in [
        (2, [2, 1, 1, 2]),
        (-2, [3, 4, 4, 3]),
        (4, [4, 3, 2, 1]),
        (8, [1, 2, 3, 4]),
        (-9, [2, 3, 4, 4]),
    ]:
        assert placed(image, shift_x=shift).flatten().tolist() == expected


def test_scale_and_stretch_change_the_slope() -> None:
    across = torch.arange(16.0).expand(1, 1, 16, 16)
    down = across.mT

    def slopes(**amounts: float) -> tuple[float, float]:
        inner = slice(5, 10)
        return (
            placed(across, **amounts)[0, 0, 8, inner].diff().mean().item(),
            placed(down, **amounts)[0, 0, inner, 8].diff().mean().item(),
        )

    assert slopes(scale=1) == (0.5, 0.5)  # twice the size
    assert slopes(stretch=1) == (0.5, 2)  # twice as wide, half as high


def test_the_order_is_the_papers() -> None:
    image = noise(1, 2, 8, 8)
    steps = [{"mirror": 1.0}, {"quarters": 3.0}, {"shift_x": 1.0, "shift_y": -2.0}]
    together = placed(image, **{key: value for step in steps for key, value in step.items()})
    for step in steps:
        image = placed(image, **step)
    assert torch.equal(together, image)
    # Of affine maps of a ramp nothing is lost in between, far from the border.
    ramp = torch.linspace(-1, 1, 64).expand(1, 1, 64, 64) * 0.7 + torch.linspace(-1, 1, 64).view(1, 1, 64, 1) * 0.3
    shift = {"shift_x": 2.0, "shift_y": -3.0}
    steps = [
        shift,
        {"scale": 0.2},
        {"before": 0.4},
        {"stretch": 0.3},
        {"after": -0.9},
        {"slide_x": 1.3, "slide_y": 0.4},
    ]
    together = placed(ramp, **{key: value for step in steps for key, value in step.items()})
    for step in steps:
        ramp = placed(ramp, **step)
    inner = slice(28, 36)
    assert_close(together[..., inner, inner], ramp[..., inner, inner], atol=1e-5, rtol=0)


def test_images_that_are_not_square_are_turned_by_half_only() -> None:
    amounts = augment._drawn_geometry(torch.tensor(1.0), drawing(400), 6, 8)
    assert amounts[:, GEOMETRY.index("quarters")].unique().tolist() == [0, 2]
    amounts = augment._drawn_geometry(torch.tensor(1.0), drawing(400), 8, 8)
    assert amounts[:, GEOMETRY.index("quarters")].unique().tolist() == [0, 1, 2, 3]


def test_what_is_drawn_has_the_papers_spread() -> None:
    """Sides of 32 and 64: whole shifts to an eighth, slides with an eighth as deviation, the rest as in appendix B."""
    geometry = augment._drawn_geometry(torch.tensor(1.0), drawing(20000), 32, 64)
    colour = augment._drawn_colour(torch.tensor(1.0), drawing(20000))
    amounts = dict(zip(GEOMETRY + COLOUR, torch.cat([geometry, colour], dim=1).unbind(1), strict=True))
    for name, deviation in {
        "slide_x": 8, "slide_y": 4, "scale": 0.2, "stretch": 0.2, "brightness": 0.2, "contrast": 0.5, "saturation": 1,
        "before": math.pi / math.sqrt(3), "after": math.pi / math.sqrt(3), "hue": math.pi / math.sqrt(3),
    }.items():  # fmt: skip
        assert amounts[name].std().item() == pytest.approx(deviation, rel=0.03), name  # pyright: ignore[reportArgumentType]
        assert amounts[name].mean().item() == pytest.approx(0, abs=0.04 * deviation), name  # pyright: ignore[reportArgumentType]
    assert amounts["shift_x"].unique().tolist() == list(range(-8, 9))
    assert amounts["shift_y"].unique().tolist() == list(range(-4, 5))
    for name in ("mirror", "flip"):
        assert amounts[name].unique().tolist() == [0, 1] and amounts[name].mean().item() == pytest.approx(
            0.5, abs=0.015
        )


def test_two_turns_happen_as_often_as_one_would() -> None:
    turns = augment._drawn_geometry(torch.tensor(0.36), drawing(20000), 8, 8)[:, 6:8] != 0
    assert turns.float().mean(0).tolist() == pytest.approx([0.2, 0.2], abs=0.01)  # 1 - sqrt(1 - 0.36)
    assert turns.any(1).float().mean().item() == pytest.approx(0.36, abs=0.012)


def test_x_and_y_happen_together_and_kinds_apart() -> None:
    """Sides so long that no shift rounds to 0."""
    happened = augment._drawn_geometry(torch.tensor(0.5), drawing(4000), 10**6, 10**6) != 0
    shift_x, slide_x, *others, shift_y, slide_y = happened.unbind(1)
    assert torch.equal(shift_x, shift_y) and torch.equal(slide_x, slide_y)
    for one, other in itertools.combinations([shift_x, slide_x, others[0], others[2], others[3]], 2):
        both = one.float().mean() * other.float().mean()
        assert (one & other).float().mean().item() == pytest.approx(both.item(), abs=0.025)


def test_a_normal_number_of_0_is_finite() -> None:
    edges = augment._normal(torch.tensor([0.0, 0.5, 1 - 2**-24]))
    assert edges.isfinite().all() and edges[1] == 0 and edges[0] < -5 and edges[2] > 5


# --- ADA's colours -----------------------------------------------------------------------------------------------------


def test_brightness_adds_and_contrast_multiplies_after_it() -> None:
    assert_close(painted([0.1, -0.2, 0.4], brightness=0.3), torch.tensor([0.4, 0.1, 0.7]))
    assert_close(painted([0.1, -0.2, 0.4], contrast=1), torch.tensor([0.2, -0.4, 0.8]))
    assert_close(painted([0.1, -0.2], brightness=0.3, contrast=1), torch.tensor([0.8, 0.2]))
    assert_close(painted([0.1], brightness=0.3, contrast=1, flip=1), torch.tensor([-0.8]))


def test_the_luma_flip_turns_the_grey_share_around() -> None:
    assert_close(painted([0.3], flip=1), torch.tensor([-0.3]))
    assert_close(painted([0.3, 0.3, 0.3], flip=1), torch.tensor([-0.3, -0.3, -0.3]))
    assert_close(painted([0.5, 0.1, 0.3], flip=1), torch.tensor([-0.1, -0.5, -0.3]))  # mean 0.3, differences 0.2 -0.2 0


def test_hue_turns_around_grey() -> None:
    colour = torch.tensor([0.5, 0.1, -0.4])
    turned = painted(colour.tolist(), hue=1.0)
    assert_close(turned.mean(), colour.mean())
    assert_close(turned.norm(), colour.norm())
    third = painted(colour.tolist(), hue=2 * math.pi / 3)
    assert any(torch.allclose(third, colour.roll(by), atol=1e-6) for by in (1, 2))  # red becomes green or blue
    assert_close(painted([0.2, 0.2, 0.2], hue=1.0), torch.full((3,), 0.2))


def test_saturation_leaves_grey_and_doubles_the_rest() -> None:
    assert_close(painted([0.5, 0.1, 0.3], saturation=1), torch.tensor([0.7, -0.1, 0.3]))
    assert_close(painted([0.5, 0.1], saturation=1), torch.tensor([0.7, -0.1]))
    assert_close(painted([0.4, 0.4, 0.4], saturation=-2), torch.full((3,), 0.4))


def test_one_channel_has_neither_hue_nor_saturation() -> None:
    assert torch.equal(painted([0.3], hue=2.0, saturation=-3), torch.tensor([0.3]))
    assert_close(painted([0.5, 0.1], hue=2.0), torch.tensor([0.5, 0.1]))


@pytest.mark.parametrize("amounts", [{"brightness": 0.4}, {"contrast": 1}, {"flip": 1}, {"hue": 1}, {"saturation": 1}])
def test_alpha_keeps_its_values(amounts: dict[str, float]) -> None:
    seen = painted([0.5, 0.1, -0.3, 0.7], **amounts)
    assert seen[3].item() == pytest.approx(0.7) and torch.equal(seen[:3], painted([0.5, 0.1, -0.3], **amounts))


# --- DiffAugment ---------------------------------------------------------------------------------------------------------

PLAIN = [0.5, 0.5, 0.5]
"""No brightness, saturation and contrast of 1."""
LOW, HIGH = 0.0, 1 - 2**-24


@pytest.mark.parametrize(("height", "width"), [(8, 8), (28, 28), (30, 50)])
def test_the_cutout_hides_a_half_by_a_half(height: int, width: int) -> None:
    ones = torch.ones(1, 3, height, width)
    hole = diff_augment(ones, scripted(PLAIN, [0.5, 0.5, 0.5, 0.5])) == 0
    assert hole.sum().item() == 3 * math.ceil(height / 2) * math.ceil(width / 2)
    rows, columns = hole[0, 0].any(1).nonzero().flatten(), hole[0, 0].any(0).nonzero().flatten()
    assert rows.diff().eq(1).all() and columns.diff().eq(1).all()
    for places, size in ((rows, height), (columns, width)):
        assert abs(places.float().mean().item() - (size - 1) / 2) <= 0.5
    corner = diff_augment(ones, scripted(PLAIN, [0.5, 0.5, LOW, LOW]))[0, 0] == 0
    quarter = math.ceil(height / 4), math.ceil(width / 4)  # its middle in the corner: the rest is outside
    assert corner[: quarter[0], : quarter[1]].all() and corner.sum().item() == math.prod(quarter)


def test_the_translation_reaches_an_eighth() -> None:
    image = torch.full((1, 1, 32, 32), 0.5)
    image[0, 0, 8, 4] = 1
    # Up by 4, right by 4, the hole below right.
    right_up = diff_augment(image, scripted(PLAIN, [LOW, HIGH, HIGH, HIGH]))
    assert right_up[0, 0, 4, 8] == 1 and (right_up == 1).sum() == 1
    assert (right_up[..., :4] == 0).all() and (right_up[..., 28:, :] == 0).all()  # nothing moved in from there: 0
    assert (right_up[..., :16, 4:] != 0).all()
    shifts = set()
    for down, right in itertools.product([LOW, 0.3, 0.5, HIGH], repeat=2):
        seen = diff_augment(image, scripted(PLAIN, [down, right, HIGH, HIGH]))
        ((row, column),) = (seen[0, 0] == 1).nonzero().tolist()
        shifts.add((row - 8, column - 4))
    assert shifts == set(itertools.product([-4, -2, 0, 4], repeat=2))


def test_diff_augments_colours_by_hand() -> None:
    """Two pixels, (0.6, 0, 0) and (0, 0, 0), mean 0.1."""
    image = torch.zeros(1, 3, 1, 2)
    image[0, 0, 0, 0] = 0.6

    def seen(*uniform: float) -> list[float]:
        return augment._jittered(image, torch.tensor([uniform])).flatten().tolist()

    assert seen(0.75, 0.5, 0.5) == pytest.approx([0.85, 0.25, 0.25, 0.25, 0.25, 0.25])  # all brighter by a quarter
    assert seen(0.5, 0.0, 0.5) == pytest.approx([0.2, 0, 0.2, 0, 0.2, 0], abs=1e-7)  # grey: 0.6 / 3
    assert seen(0.5, 0.5, 0.0) == pytest.approx([0.35, 0.05, 0.05, 0.05, 0.05, 0.05])  # half as far from 0.1
    assert seen(0.75, 0.5, 0.0) == pytest.approx([0.6, 0.3, 0.3, 0.3, 0.3, 0.3])  # half as far from 0.1 + 0.25
    grey = torch.tensor([0.2, 0.6]).view(1, 1, 1, 2)
    assert augment._jittered(grey, torch.tensor([[0.5, 0.0, 0.5]])).flatten().tolist() == pytest.approx([0.2, 0.6])
    four = torch.cat([image, torch.full((1, 1, 1, 2), 0.9)], dim=1)
    bright = augment._jittered(four, torch.tensor([[0.75, 0.2, 0.1]]))
    assert torch.equal(bright[:, 3], four[:, 3])
    assert_close(bright[:, :3], augment._jittered(image, torch.tensor([[0.75, 0.2, 0.1]])))


# --- derivatives --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [diff_augment, ada(0.8)])
@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 3, 5), (4, 2, 3)])
def test_derivatives_of_both_orders(function: Augment, shape: tuple[int, ...]) -> None:
    images = noise(3, *shape).double().requires_grad_()

    def seen(x: Tensor) -> Tensor:
        return function(x, drawing(3)) ** 3

    assert torch.autograd.gradcheck(seen, images)
    assert torch.autograd.gradgradcheck(seen, images)


@pytest.mark.parametrize("function", [diff_augment, ada(0.8)])
def test_the_gradient_is_the_adjoint(function: Augment) -> None:
    """<A x, y> = <x, A' y>, where A' is what backward computes."""
    x, y = noise(6, 3, 9, 11).double().requires_grad_(), noise(6, 3, 9, 11, seed=2).double()
    moved = function(x, drawing(6))
    (back,) = torch.autograd.grad(moved, x, y)
    constant = function(torch.zeros_like(x), drawing(6))
    assert_close(((moved - constant) * y).sum(), (x * back).sum())


@pytest.mark.parametrize("function", [diff_augment, ada(0.8)])
def test_a_gradient_penalty_trains_the_critic_behind(function: Augment) -> None:
    """D(x) = <w, A x> has the gradient A' w, whose squared norm has the derivative 2 A A' w at w."""
    x, w = noise(4, 2, 6, 6).double().requires_grad_(), noise(4, 2, 6, 6, seed=2).double().requires_grad_()
    moved = function(x, drawing(4))
    (at_x,) = torch.autograd.grad((moved * w).sum(), x, create_graph=True)
    (at_w,) = torch.autograd.grad(at_x.square().sum(), w)
    constant = function(torch.zeros_like(x), drawing(4))
    assert_close(at_w, 2 * (function(at_x, drawing(4)) - constant))


# --- randomness, layout, precision -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [diff_augment, ada(0.7)])
def test_an_image_depends_on_its_own_draws_only(function: Augment) -> None:
    images = noise(6, 3, 12, 12)
    before = torch.get_rng_state()
    first, again = function(images, drawing(6)), function(images, drawing(6))
    assert torch.equal(first, again) and torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, function(images, drawing(6, seed=2)))
    rows = torch.tensor([4, 1])

    def two(*shape: int, whole: Draw = drawing(6)) -> Tensor:  # noqa: B008
        return whole(*shape)[rows]

    assert_close(function(images[rows], two), first[rows], atol=1e-6, rtol=0)


@pytest.mark.parametrize("function", [diff_augment, ada(0.7)])
def test_layout_and_autocast_change_nothing(function: Augment) -> None:
    images = noise(6, 3, 12, 12)
    expected = function(images, drawing(6))
    assert_close(function(images.to(memory_format=torch.channels_last), drawing(6)), expected, atol=1e-6, rtol=0)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(function(images, drawing(6)), expected)


@pytest.mark.parametrize("function", [diff_augment, ada(0.7)])
def test_no_value_is_asked_for(function: Augment, monkeypatch: pytest.MonkeyPatch) -> None:
    """To read a number, or to branch on one, would stop a GPU's queue."""

    def asked(*_: object) -> None:
        raise AssertionError("a value was asked for")

    images, draw = noise(4, 3, 8, 8), drawing(4)
    for way in ("item", "tolist", "nonzero", "__bool__", "__int__", "__float__", "__index__"):
        monkeypatch.setattr(Tensor, way, asked)
    assert function(images, draw).shape == images.shape


# --- ADA's p -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p", "sign", "after"),
    [
        (0.5, 0.8, 0.564),  # D sure of the training images: 64 / 1000 more
        (0.5, 0.2, 0.436),
        (0.5, 0.6, 0.5),  # as it should be
        (0.02, -1.0, 0.0),
        (0.99, 1.0, 1.0),
        (0.5, math.nan, 0.5),
    ],
)
def test_p_follows_the_sign(p: float, sign: float, after: float) -> None:
    moved = adapted(torch.tensor(p), torch.tensor(sign), target=0.6, batch_size=64, images=1000)
    assert moved.ndim == 0 and moved.item() == pytest.approx(after)


def test_shifted_by_whole_pixels() -> None:
    """Down by 1 and to the left by 2, the border repeated; 0 leaves it as it is."""
    image = torch.arange(12.0).view(1, 1, 3, 4).repeat(2, 1, 1, 1)
    moved = shifted(image, torch.tensor([1, 0]), torch.tensor([-2, 0]))
    assert moved[0, 0].tolist() == [[2, 3, 3, 3], [2, 3, 3, 3], [6, 7, 7, 7]]
    assert torch.equal(moved[1], image[1])


def test_images_are_shifted_down_and_to_the_right() -> None:
    x = torch.arange(6.0).view(1, 1, 2, 3).repeat(3, 1, 1, 1)
    found = shifted(x, torch.tensor([0, 1, 0]), torch.tensor([0, 0, -1]))
    assert found.flatten(1).tolist() == [[0, 1, 2, 3, 4, 5], [0, 1, 2, 0, 1, 2], [1, 2, 2, 4, 5, 5]]


# --- what classifiers are trained with --------------------------------------------------------------------------------


def test_small_changes_by_hand() -> None:
    """Numbers of 0.5 change nothing. They are of the angle, the size, the shifts to the right and down, and the mirroring."""
    image = noise(1, 2, 10, 20)
    none = [0.5, 0.5, 0.5, 0.5, 0.5]
    assert_close(augment.small_changes(image, scripted(none)), image)
    # A tenth of 20 pixels, times (0.75 * 2 - 1): what was one pixel to the right.
    moved = augment.small_changes(image, scripted([0.5, 0.5, 0.75, 0.5, 0.5]))
    assert_close(moved[..., :-1], image[..., 1:])
    moved = augment.small_changes(image, scripted([0.5, 0.5, 0.5, 0.0, 0.5]))  # a whole tenth of 10
    assert_close(moved[..., 1:, :], image[..., :-1, :])
    assert_close(augment.small_changes(image, scripted([0.5] * 4 + [0.1]), mirror=True), image.flip(3))
    assert_close(augment.small_changes(image, scripted([0.5] * 4 + [0.1])), image)
    # Mirrored and then moved.
    both = augment.small_changes(image, scripted([0.5, 0.5, 0.75, 0.5, 0.1]), mirror=True)
    assert_close(both[..., :-1], image.flip(3)[..., 1:])


def test_small_changes_turn_by_at_most_15_degrees() -> None:
    """A pixel far to the right of the middle rises by its distance times sin(15 degrees)."""
    image = torch.zeros(1, 1, 41, 41)
    image[0, 0, 20, 36] = 1
    turned = augment.small_changes(image, scripted([1.0, 0.5, 0.5, 0.5, 0.5]))[0, 0]
    rows, columns = torch.arange(41.0), torch.arange(41.0)
    row = float((turned.sum(1) * rows).sum() / turned.sum()) - 20
    column = float((turned.sum(0) * columns).sum() / turned.sum()) - 20
    assert abs(row) == pytest.approx(16 * math.sin(math.radians(15)), abs=0.3)
    assert column == pytest.approx(16 * math.cos(math.radians(15)), abs=0.3)
    larger = augment.small_changes(image, scripted([0.5, 0.0, 0.5, 0.5, 0.5]))[0, 0]
    column = float((larger.sum(0) * columns).sum() / larger.sum()) - 20
    assert column == pytest.approx(16 * 2**0.15, abs=0.3)
