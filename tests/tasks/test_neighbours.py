"""Training images planted among samples are nearest to themselves at every depth."""

from __future__ import annotations

import numpy as np

from ganvas.data import open_data
from ganvas.registry import create
from ganvas.tasks.neighbours import neighbours


def test_a_training_image_is_its_own_neighbour() -> None:
    data = open_data("digits")
    method = create("r3gan", "tiny")
    method.setup(data.spec)
    rows = [12, 340]
    shifted = np.roll(data.images[77], 1, axis=1)
    found, network, compared = neighbours(method, np.stack([*data.images[rows], shifted]), [5, 6, 7], data)
    assert network.name == "digits" and compared <= len(data.images)
    assert data.labels is not None
    for one, row in zip(found, rows, strict=False):
        assert list(one.by_depth) == ["pixels", "conv1", "conv2", "conv3", "conv4"]
        near = one.by_depth["pixels"][0]
        assert (near.number, near.distance) == (row, 0) and near.label == data.spec.classes[data.labels[row]]
        assert np.array_equal(near.image, data.images[row])
    assert [one.seed for one in found] == [5, 6, 7]
    if compared == len(data.images):
        for depth in ("conv1", "conv4"):
            near, second = found[0].by_depth[depth]
            assert near.number == 12 and abs(near.distance) < 1e-5 < second.distance
    # A shifted digit is far in pixels, and nearest to the one that it was made of in the deep layers.
    assert found[2].by_depth["conv4"][0].label == data.spec.classes[data.labels[77]]
