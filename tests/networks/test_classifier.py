"""The small classifier: any size of image, and independence of the images in a batch once it is trained."""

from __future__ import annotations

import pytest
import torch

from ganvas.networks.classifier import Classifier


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 64, 48), (2, 5, 3), (1, 1, 1)])
def test_any_size(shape: tuple[int, int, int]) -> None:
    network = Classifier(shape, 7).eval()
    images = torch.rand(3, *shape)
    assert network(images).shape == (3, 7)
    torch.testing.assert_close(network(images)[1:2], network(images[1:2]))
