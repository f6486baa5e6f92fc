"""Before and after of a drawn scene, for every method that makes images of images."""

from __future__ import annotations

import numpy as np
import pytest

from exports import perturbed
from ganvas.abilities import Restores, Samples, Stylises, Translates
from ganvas.data.scene import scene
from ganvas.registry import find, method_names
from ganvas.tasks.demonstration import SIDE, demonstration
from ganvas.tasks.restore import COMPARISON_GAP

OF_IMAGES = [
    name
    for name in method_names()
    if issubclass(find(name), Translates | Restores | Stylises)
    and not issubclass(find(name), Samples)
    and "images" in find(name).takes
]


@pytest.mark.parametrize("name", OF_IMAGES)
def test_every_method_shows_what_it_does(name: str) -> None:
    method = perturbed(name)
    shown = demonstration(method)
    assert shown is not None and "no image of the training" in shown.caption
    height, width, channels = shown.image.shape
    side = (width - COMPARISON_GAP) // 2
    assert channels == 3 and height >= side and shown.image.dtype == np.uint8
    before, after = shown.image[:side, :side], shown.image[:side, -side:]
    assert not np.array_equal(before, after)
    if isinstance(method, Stylises):
        assert np.array_equal(before, scene(SIDE, SIDE))
    if isinstance(method, Restores) and method.restoration().degradation == "holes":
        unlike = (before != scene(SIDE, SIDE)).any(2)
        assert 0 < unlike.mean() < 0.1  # the hole, and nothing else
        assert np.array_equal(after[~unlike], before[~unlike])


def test_a_sampler_and_a_translator_of_texts_show_none() -> None:
    assert demonstration(perturbed("gan")) is None
    assert demonstration(perturbed("seq2seq")) is None
