"""The transformer: what a token may see, decoding from a cache, copying."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.networks.transformer import NextTokens, Transformer, Translations, attended, positions, real_tokens

END = 0
SOURCES = torch.tensor([[3, 4, 5, END, END], [6, 2, 4, 7, END]])
TARGETS = torch.tensor([[5, 1, END, END], [2, 2, 6, END]])


def network(copying: bool = True, lexicon: int = 0) -> Transformer:
    torch.manual_seed(0)
    net = Transformer(9, END, width=8, heads=2, layers=2, hidden=16, copying=copying, lexicon=lexicon).eval()
    if lexicon:
        net.get_buffer("translations")[:, 1:] = torch.randint(1, 9, (9, lexicon - 1))
        net.get_buffer("probabilities").copy_(torch.rand(9, lexicon).softmax(1))
    return net


def test_a_text_ends_with_its_first_end() -> None:
    assert real_tokens(torch.tensor([[3, END, 4, END], [END, 1, 1, 1], [1, 2, 3, 4]]), END).tolist() == [
        [True, True, False, False], [True, False, False, False], [True] * 4,
    ]  # fmt: skip


def test_attention_by_hand() -> None:
    """Eq. 1: scores 2 ln 3 / sqrt(4) and 0 give shares 3/4 and 1/4; a place that is masked gets nothing."""
    query = torch.tensor([2 * math.log(3.0), 0, 0, 0]).view(1, 1, 1, 4)
    keys = torch.tensor([[1.0, 0, 0, 0], [0, 0, 0, 0], [9, 0, 0, 0]]).view(1, 1, 3, 4)
    values = torch.tensor([[4.0], [8.0], [100.0]]).view(1, 1, 3, 1)
    found, shares = attended(query, keys, values, torch.tensor([True, True, False]))
    assert_close(shares.flatten(), torch.tensor([0.75, 0.25, 0.0]))
    assert_close(found.flatten(), torch.tensor([5.0]))


def test_positions_by_hand() -> None:
    """Sec. 3.5: sin(place), cos(place), sin(place / 100), cos(place / 100) for four features."""
    found = positions(3, 1, 4, torch.device("cpu"))[0]
    assert_close(found, torch.tensor([math.sin(3), math.cos(3), math.sin(0.03), math.cos(0.03)]))


@pytest.mark.parametrize(("copying", "lexicon"), [(True, 0), (False, 0), (True, 2), (False, 2)])
def test_probabilities_sum_to_one_and_targets_have_theirs(copying: bool, lexicon: int) -> None:
    net = network(copying, lexicon)
    found = net(net.encode(SOURCES), TARGETS)
    every = found.all()
    assert_close(every.exp().sum(2), torch.ones(2, 4))
    assert_close(found.of(TARGETS), every.gather(2, TARGETS[..., None])[..., 0])


@pytest.mark.parametrize("lexicon", [0, 2])
def test_a_token_sees_only_those_before_it(lexicon: int) -> None:
    net = network(lexicon=lexicon)
    changed = TARGETS.clone()
    changed[:, 2] = 7
    one, other = (net(net.encode(SOURCES), targets).all() for targets in (TARGETS, changed))
    assert_close(one[:, :3], other[:, :3])
    assert not torch.allclose(one[:, 3], other[:, 3])


@pytest.mark.parametrize("lexicon", [0, 2])
def test_what_fills_a_row_up_is_not_seen(lexicon: int) -> None:
    net = network(lexicon=lexicon)
    short = net(net.encode(SOURCES[:1, :4]), TARGETS[:1, :3]).all()
    filled = net(net.encode(SOURCES[:1]), TARGETS[:1]).all()[:, :3]
    assert_close(short, filled)


@pytest.mark.parametrize(("copying", "lexicon"), [(True, 0), (False, 0), (True, 2), (False, 2)])
def test_decoding_from_the_cache_is_decoding_without(copying: bool, lexicon: int) -> None:
    net = network(copying, lexicon)
    memory = net.encode(SOURCES)
    expected = net(memory, TARGETS).all()
    cache, token = net.start(memory), torch.full((2,), END)
    for place in range(TARGETS.shape[1]):
        found, cache = net.step(memory, cache, token)
        assert_close(found, expected[:, place])
        token = TARGETS[:, place]


def test_copying_by_hand() -> None:
    """Eq. 9 of See 2017: 1/4 of the softmax and 3/4 of the source's places, two of which hold token 2."""
    written = torch.tensor([0.5, 0.25, 0.25]).log().view(1, 1, 3)
    gate = torch.full((1, 1), math.log(1 / 3))
    found = NextTokens(written, gate, torch.tensor([[[0.2, 0.3, 0.5]]]), torch.tensor([[2, 1, 2]]))
    expected = torch.tensor([0.125, 0.0625 + 0.225, 0.0625 + 0.525])
    assert_close(found.all().exp().flatten(), expected)
    assert_close(found.of(torch.tensor([[2]])).exp().flatten(), expected[2:])


def test_attention_to_the_source_is_a_distribution_over_its_tokens() -> None:
    net = network()
    shares: Tensor = net.attention(net.encode(SOURCES), TARGETS)
    assert shares.shape == (2, 4, 5)
    assert_close(shares.sum(2), torch.ones(2, 4))
    assert not shares[0, :, 4].any() and bool(shares[1, :, :4].all())


def test_looking_up_by_hand() -> None:
    """Half of the softmax and half of the lexicon: of the two tokens of the source, aligned with 1/4 and 3/4, the first is always
    translated by token 0, the second by 1 with 0.6 and by 2 with 0.4."""
    written = torch.tensor([0.5, 0.25, 0.25]).log().view(1, 1, 3)
    translations = Translations(torch.tensor([[[0, 0], [1, 2]]]), torch.tensor([[[1.0, 0.0], [0.6, 0.4]]]))
    found = NextTokens(
        written, None, None, torch.tensor([[2, 1]]), torch.zeros(1, 1), torch.tensor([[[0.25, 0.75]]]), translations
    )
    expected = torch.tensor([0.25 + 0.125, 0.125 + 0.225, 0.125 + 0.15])
    assert_close(found.all().exp().flatten(), expected)
    for token in range(3):
        assert_close(found.of(torch.tensor([[token]])).exp().flatten(), expected[token : token + 1])


def test_at_first_the_source_is_translated_from_left_to_right() -> None:
    """Before training: a token whose predecessor was just translated is looked up, and not those that are translated already."""
    net = network(lexicon=1)
    net.get_buffer("translations")[1:, 0] = torch.tensor([2, 3, 4, 5, 6, 7, 8, 1])
    source = torch.tensor([[3, 1, 6, END]])
    memory = net.encode(source)
    cache, token, order = net.start(memory), torch.tensor([END]), []
    for _ in range(3):
        just = torch.zeros(1, 1, 4)
        assert memory.translations is not None and cache.covered is not None
        if cache.length:
            just = memory.translations.of(token[:, None])
        found = net._scores(torch.zeros(1, 1, 8), token[:, None], memory, just, (cache.covered + just[:, 0])[:, None])
        assert found.aligned is not None
        place = int(found.aligned[0, 0, :3].argmax())
        order.append(place)
        _, cache = net.step(memory, cache, token)
        token = net.get_buffer("translations")[source[:, place], 0]
    assert order == [0, 1, 2]
