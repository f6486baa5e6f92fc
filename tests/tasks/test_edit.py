"""Traversals and interpolations: what changes, and what stays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from ganvas.abilities import Code, Samples
from ganvas.data.kinds import KINDS
from ganvas.errors import UsageError
from ganvas.method import Method
from ganvas.sampling import sample, to_uint8
from ganvas.tasks import directions, editor
from ganvas.tasks.edit import chosen_codes, edit, edited, interpolate, traverse
from ganvas.tasks.invert import invert
from ganvas.tasks.latents import spherical
from parts import blocks, films, images, small


def built(name: str, **settings: Any) -> Any:
    method = small(name, **settings)
    torch.manual_seed(0)
    data = images((3, 32, 32))
    method.setup(data.spec)
    return method.eval().requires_grad_(False)


def test_a_category_takes_each_value_and_all_else_stays() -> None:
    latents = torch.arange(12.0).view(2, 6)
    changed = edited(latents, Code("kind", "categorical", 1, 3))
    assert changed.shape == (2, 3, 6)
    assert changed[1, :, 1:4].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert (changed[1, :, [0, 4, 5]] == torch.tensor([6.0, 10.0, 11.0])).all()
    assert torch.equal(latents, torch.arange(12.0).view(2, 6)), "the latents given are left alone"


def test_a_number_goes_from_minus_two_to_two() -> None:
    changed = edited(torch.zeros(1, 3), Code("number", "continuous", 2, 1), values=5)
    assert changed[0, :, 2].tolist() == [-2, -1, 0, 1, 2] and not changed[..., :2].any()


def test_the_grid_has_a_block_a_code() -> None:
    """Three categories and one number: 2 rows of 3 columns and of 4, 32 pixels each, gaps of 2, and 6 between blocks."""
    method = built("infogan")
    grid = traverse(method, [4, 9], values=4)
    assert grid.shape == (2 * (2 * 34 - 2) + 6, 4 * 34 - 2, 3) and grid.dtype == np.uint8
    assert (grid[:66, 3 * 34 :] == 255).all(), "the narrow block stands on white"
    one = traverse(method, [4, 9], ["category1"])
    np.testing.assert_array_equal(one, grid[:66, : 3 * 34 - 2])


def test_the_own_value_of_a_seed_gives_its_own_image() -> None:
    method = built("infogan")
    latents = method.latents([7])
    (code,) = chosen_codes(method, ["category1"])
    own = int(latents[0, code.start : code.start + code.size].argmax())
    grid = traverse(method, [7], ["category1"])
    np.testing.assert_array_equal(grid[:, own * 34 : own * 34 + 32], to_uint8(sample(method, 1, seed=7))[0])


def test_a_traversal_needs_codes() -> None:
    with pytest.raises(UsageError, match=r"the latent of gan has no codes .*methods with codes: .*infogan"):
        traverse(built("gan"), [0])
    method = built("infogan")
    with pytest.raises(UsageError, match="there is no code categry1; did you mean category1"):
        traverse(method, [0], ["categry1"])
    with pytest.raises(UsageError, match="at least one seed and one value"):
        traverse(method, [])


def test_the_great_circle_by_hand() -> None:
    """Between (2, 0) and (0, 2), a third of the way: 2 (cos 30, sin 30). Equal and opposite ends: the straight line."""
    way = spherical(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), torch.tensor([0.0, 1 / 3, 1.0]))
    expected = [[2, 0], [2 * math.cos(math.pi / 6), 2 * math.sin(math.pi / 6)], [0, 2]]
    torch.testing.assert_close(way, torch.tensor(expected))
    end = torch.tensor([1.0, 1.0])
    assert torch.equal(spherical(end, end, torch.tensor([0.3])), end[None])
    assert spherical(end, -end, torch.tensor([0.25])).tolist() == [[0.5, 0.5]]


def test_an_interpolation_ends_at_both_seeds() -> None:
    method = built("gan")
    strip = interpolate(method, 3, 11, steps=5)
    assert strip.shape == (5, 32, 32, 3)
    ends = [to_uint8(sample(method, 1, seed=seed))[0] for seed in (3, 11)]
    np.testing.assert_array_equal(strip[0], ends[0])
    np.testing.assert_array_equal(strip[-1], ends[1])
    assert not np.array_equal(strip[2], strip[0])


def test_an_interpolation_keeps_the_codes_of_the_first() -> None:
    method = built("infogan")
    strip = interpolate(method, 3, 11, steps=4)
    np.testing.assert_array_equal(strip[0], to_uint8(sample(method, 1, seed=3))[0])
    latents = method.latents([3, 11])
    latents[1, 8:] = latents[0, 8:]
    np.testing.assert_array_equal(strip[-1], to_uint8(method.generate(latents))[1])


def test_an_interpolation_needs_a_latent_space() -> None:
    with pytest.raises(UsageError, match="pixelcnn has no latent space in which images can be edited"):
        interpolate(built("pixelcnn"), 0, 1)
    with pytest.raises(UsageError, match="at least 2 steps"):
        interpolate(built("gan"), 0, 1, steps=1)
    with pytest.raises(UsageError, match="has no latent space"):
        interpolate(Method(), 0, 1)


def test_what_has_codes_is_what_says_so() -> None:
    from ganvas.abilities import Code
    from ganvas.registry import create, method_names, presets

    for name in method_names():
        method = create(name, "tiny" if "tiny" in presets(name) else None)
        if isinstance(method, Samples):
            assert all(isinstance(code, Code) for code in method.codes()), name


def test_volumes_are_shown_rendered_and_videos_by_their_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first image of an interpolation is that of the first seed, as `ganvas sample --grid` shows it."""
    monkeypatch.setattr(editor, "POINTS", 64)  # each is rendered
    monkeypatch.setattr(directions, "POINTS", 64)
    monkeypatch.setattr(directions, "EFFECT_IMAGES", 16)
    for name, data in (("gan3d", blocks()), ("mocogan", films())):
        method = small(name)
        method.build(data.spec)
        method.spec = data.spec
        method.eval()
        strip = interpolate(method, 3, 7, steps=4)
        kind = KINDS[data.spec.kind]
        assert strip.shape[1:3] == kind.tile_size(data.spec)
        expected = kind.shown(kind.finished(sample(method, 1, seed=3), data.spec))
        assert np.abs(strip[:1].astype(int) - expected).max() <= 2
        with pytest.raises(UsageError, match=f"{name} generates {kind.samples}, and only images can be inverted"):
            invert(method, strip)
        with pytest.raises(UsageError, match="class:1 needs a classifier, which is trained on images only"):
            edit(method, direction=["class:1=1"], data=data)
        with pytest.raises(UsageError, match="hue is measured of colour images"):
            edit(method, direction=["hue=1"], data=data)
        moved = edit(method, direction=["brightness=2"], seeds="0-1", steps=3)
        assert moved.shape[1] >= 3 * kind.tile_size(data.spec)[1]
