"""TextCNN: what a filter sees, and shares of tokens in place of tokens."""

from __future__ import annotations

import torch
from torch.nn import functional as F
from torch.testing import assert_close

from ganvas.networks.text_cnn import TextCNN


def built(**more: object) -> TextCNN:
    torch.manual_seed(0)
    return TextCNN(7, 6, 5, (1, 3), (4, 4)).eval().requires_grad_(False)


def test_certain_shares_are_tokens() -> None:
    network = built()
    tokens = torch.randint(7, (3, 6), generator=torch.Generator().manual_seed(1))
    assert_close(network(F.one_hot(tokens, 7).float()), network(tokens))


def test_filters_of_one_token_do_not_see_the_order() -> None:
    """A filter of width 1 and a maximum over time; one of width 3 sees it."""
    network = built()
    tokens = torch.tensor([[0, 1, 2, 3, 4, 5]])
    network.convolutions[1].get_parameter("weight").zero_()
    assert_close(network(tokens.flip(1)), network(tokens))
    torch.nn.init.normal_(network.convolutions[1].get_parameter("weight"))
    assert not torch.allclose(network(tokens.flip(1)), network(tokens), atol=1e-4)


def test_filters_wider_than_a_text_are_omitted() -> None:
    network = TextCNN(7, 6, 5, (1, 3, 20), (4, 4, 9))
    assert len(network.convolutions) == 2 and network.features == 8
    assert network(torch.zeros(2, 6, dtype=torch.int64)).shape == (2, 1)


def test_each_representation_sees_its_own_features_by_the_same_filters() -> None:
    """Two representations of two features: another second half of the embedding changes the second logit alone, and equal
    halves give equal logits."""
    torch.manual_seed(0)
    network = TextCNN(7, 6, 4, (1, 3), (4, 4), representations=2).eval().requires_grad_(False)
    tokens = torch.tensor([[0, 1, 2, 3, 4, 5], [6, 5, 4, 3, 2, 1]])
    weight, before = network.embedding.weight, network(tokens)
    assert before.shape == (2, 2)
    weight[:, 2:] += 1
    after = network(tokens)
    assert_close(after[:, 0], before[:, 0])
    assert not torch.allclose(after[:, 1], before[:, 1], atol=1e-3)
    weight[:, 2:] = weight[:, :2]
    assert_close(network(tokens)[:, 0], network(tokens)[:, 1])
