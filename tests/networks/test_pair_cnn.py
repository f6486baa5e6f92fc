"""The discriminator of sentence pairs."""

from __future__ import annotations

import torch
from torch.testing import assert_close

from ganvas.networks.pair_cnn import PairCNN


def test_a_score_is_of_the_pair_and_not_of_what_fills_it_up() -> None:
    torch.manual_seed(0)
    net = PairCNN(9, 0, embedding=6, widths=(1, 2, 3), filters=5)
    source, target = torch.tensor([[3, 4, 0]]), torch.tensor([[5, 6, 7, 0]])
    filled = torch.tensor([[3, 4, 0, 0, 8]]), torch.tensor([[5, 6, 7, 0, 1, 2]])
    assert_close(net(source, target), net(*filled))
    assert net(source, target).shape == (1, 1)
    other = torch.tensor([[5, 6, 8, 0]])
    assert not torch.allclose(net(source, target), net(source, other))
    assert not torch.allclose(net(source, target) - net(source, other), net(target, target) - net(target, other))
