"""Attributes by hand-worked values, and that each says nothing of what it does not measure."""

from __future__ import annotations

import numpy as np
import pytest

from ganvas.errors import DataError, UsageError
from ganvas.metrics.attributes import (
    ATTRIBUTES,
    attribute,
    find_attribute,
    fitting_attributes,
    measure_attributes,
)


def blank(height: int = 28, width: int = 28, channels: int = 1, value: int = 0) -> np.ndarray:
    return np.full((1, height, width, channels), value, np.uint8)


def measured(name: str, *images: np.ndarray) -> list[float]:
    return ATTRIBUTES[name].measure(np.concatenate(images)).tolist()


def bar(left: int, top: int, width: int, height: int, value: int = 255, background: int = 0) -> np.ndarray:
    image = blank(value=background)
    image[0, top : top + height, left : left + width] = value
    return image


def diagonal(lean: int) -> np.ndarray:
    """A line of 20 pixels from the bottom up, `lean` columns to the right for each row."""
    image = blank(28, 60)
    for step in range(20):
        image[0, 24 - step, 30 + lean * step // 2] = 255
    return image


def test_thickness_of_bars() -> None:
    """A bar of 3 x 20: an area of 60 and an outline of 46, but where the outline turns at one corner, which is sqrt(2) for 2."""
    outline = 46 - 2 + 2**0.5
    assert measured("thickness", bar(10, 4, 3, 20))[0] == pytest.approx(2 * 60 / outline)
    thin, thick = measured("thickness", bar(10, 4, 1, 20), bar(10, 4, 4, 20))
    assert 0.9 < thin < 1.05 and 3.3 < thick < 4
    assert measured("thickness", blank()) == [0]


def test_ink_is_what_differs_from_the_background() -> None:
    for name in ("thickness", "slant", "width", "height"):
        white_on_black, black_on_white = measured(name, bar(5, 6, 3, 9), bar(5, 6, 3, 9, value=0, background=255))
        assert white_on_black == pytest.approx(black_on_white), name
        half = measured(name, bar(5, 6, 3, 9, value=128))[0]
        assert half == pytest.approx(white_on_black), name


def test_slant_of_lines() -> None:
    """One column for each row is 45 degrees; upright is 0; to the left is negative."""
    upright, right, left = measured("slant", diagonal(0), diagonal(2), diagonal(-2))
    assert upright == 0 and right == pytest.approx(45) and left == pytest.approx(-45)


def test_width_and_height_reach_over_gaps() -> None:
    image = bar(4, 6, 2, 3)
    image[0, 15, 20] = 255
    assert measured("width", image) == [17] and measured("height", image) == [10]
    image[0, 15, 21] = 64  # a quarter of the ink, half of what counts fully
    assert measured("width", image)[0] == pytest.approx(17 + 2 * 64 / 255)
    assert measured("width", blank()) == [0]


def test_brightness_and_contrast() -> None:
    """Half black, half white: a mean of a half, a standard deviation of a half."""
    image = blank()
    image[0, :14] = 255
    assert measured("brightness", image)[0] == pytest.approx(0.5)
    assert measured("contrast", image)[0] == pytest.approx(0.5)
    assert measured("contrast", blank(value=77))[0] == pytest.approx(0)
    red = blank(channels=3)
    red[..., 0] = 255
    assert measured("brightness", red)[0] == pytest.approx(0.299)


def test_sharpness_of_one_point() -> None:
    """A white pixel on black in 5 x 5: of 9 Laplacians one is -4 and four are 1, so the mean is 0 and the variance 20 / 9."""
    image = blank(5, 5)
    image[0, 2, 2] = 255
    assert measured("sharpness", image)[0] == pytest.approx((20 / 9) ** 0.5)
    assert measured("sharpness", blank(2, 9)) == [0]


def test_symmetry() -> None:
    """Equal halves 1, opposite halves -1, a plain image 1."""
    apart = blank()
    apart[0, :, :14] = 255
    assert measured("symmetry", bar(13, 4, 2, 20), apart, blank()) == pytest.approx([1, -1, 1])


def test_colours() -> None:
    """Pure colours have a saturation of 1; hues are 60 degrees apart."""
    hues = {
        (255, 0, 0): 0,
        (255, 255, 0): 60,
        (0, 255, 0): 120,
        (0, 255, 255): 180,
        (0, 0, 255): 240,
        (255, 0, 255): 300,
    }
    for colour, expected in hues.items():
        image = np.broadcast_to(np.array(colour, np.uint8), (1, 4, 4, 3))
        assert measured("hue", image)[0] == pytest.approx(expected, abs=1e-6)
        assert measured("saturation", image) == [1]
    assert measured("saturation", blank(channels=3, value=90)) == [0]


def test_a_difference_of_hues_goes_the_shorter_way() -> None:
    hue, slant = find_attribute("hue"), find_attribute("slant")
    before, after = np.array([350.0, 10.0]), np.array([10.0, 350.0])
    assert hue.difference(after, before).tolist() == [20, -20]
    assert slant.difference(after, before).tolist() == [-340, 340]
    np.testing.assert_allclose(hue.centred(np.array([350.0, 10.0, 30.0])), [-20, 0, 20], atol=1e-9)
    assert slant.centred(np.array([1.0, 3.0])).tolist() == [-1, 1]


def test_attributes_that_fit() -> None:
    """No colours of grey images, no strokes on a busy background."""
    random = np.random.default_rng(0)
    digits = np.concatenate([bar(5, 5, 3, 12)] * 5)
    noise = random.integers(0, 256, (5, 28, 28, 3)).astype(np.uint8)
    assert {"thickness", "slant", "brightness"} <= {one.name for one in fitting_attributes(digits)}
    assert not {"hue", "saturation"} & {one.name for one in fitting_attributes(digits)}
    assert {"hue", "saturation"} <= {one.name for one in fitting_attributes(noise)}
    assert not {"thickness", "slant"} & {one.name for one in fitting_attributes(noise)}


def test_every_attribute_takes_any_image() -> None:
    random = np.random.default_rng(0)
    for channels in (1, 2, 3, 4, 5):
        images = random.integers(0, 256, (3, 6, 9, channels)).astype(np.uint8)
        for values in measure_attributes(images, fitting_attributes(images)).values():
            assert values.shape == (3,) and values.dtype == np.float64 and np.isfinite(values).all()


def test_a_new_attribute_is_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    @attribute("corner", "", "the first pixel")
    def corner(images: np.ndarray) -> np.ndarray:
        return images[:, 0, 0, 0] / 255

    try:
        assert measure_attributes(blank(value=255), [find_attribute("corner")])["corner"].tolist() == [1]
    finally:
        del ATTRIBUTES["corner"]


def test_refusals() -> None:
    with pytest.raises(UsageError, match="there is no attribute thicknes; did you mean thickness"):
        find_attribute("thicknes")
    with pytest.raises(DataError, match="hue is of colour images, and these have 1 channel"):
        measure_attributes(blank(), [find_attribute("hue")])
    with pytest.raises(DataError, match=r"images must be uint8 \(N, H, W, C\)"):
        measure_attributes(blank().astype(float), [find_attribute("contrast")])
