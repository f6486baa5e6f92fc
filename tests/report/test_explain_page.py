"""Colours of maps."""

from __future__ import annotations

import numpy as np

from ganvas.report.explain_page import BLUE, ORANGE, heat, signed


def test_colours_of_maps() -> None:
    change = np.array([[0.0, 1.0], [2.0, 4.0]])
    shown = heat(change)
    assert shown.dtype == np.uint8 and shown.shape == (2, 2, 3)
    assert tuple(shown[0, 0]) == (255, 255, 255) and tuple(shown[1, 1]) == BLUE
    assert (shown[0, 1] > shown[1, 0]).all()
    assert (heat(np.zeros((2, 2))) == 255).all()
    both = signed(np.array([[-4.0, 0.0], [1.0, 4.0]]))
    assert [tuple(both[at]) for at in ((0, 0), (0, 1), (1, 1))] == [ORANGE, (255, 255, 255), BLUE]
    assert tuple(both[1, 0]) == tuple(np.rint(255 + 0.25 * (np.array(BLUE) - 255)).astype(np.uint8))
