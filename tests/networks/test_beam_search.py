"""Beam search against greedy decoding and against all texts that there are."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from ganvas.networks.beam_search import beam_search, length_factor

END, VOCABULARY, LENGTH, TEXTS = 0, 4, 4, 6


class Table:
    """log p of the next token by all tokens before it, random, for each of several texts."""

    def __init__(self, seed: int) -> None:
        self.generator = torch.Generator().manual_seed(seed)
        self.known: dict[tuple[int, tuple[int, ...]], Tensor] = {}

    def after(self, text: int, before: tuple[int, ...]) -> Tensor:
        if (text, before) not in self.known:
            scores = 2 * torch.randn(VOCABULARY, generator=self.generator)
            self.known[text, before] = scores.log_softmax(0)
        return self.known[text, before]

    def searched(self, beam: int, penalty: float) -> list[tuple[int, ...]]:
        """What beam search finds: the state of a row is its text and its tokens so far."""
        state = [(text, ()) for text in range(TEXTS) for _ in range(beam)]

        def step(tokens: Tensor, rows: list) -> tuple[Tensor, list]:
            begun = [
                (text, (*before, token)) if started else (text, ())
                for (text, before), token, started in zip(
                    rows, tokens.tolist(), itertools.repeat(self.started), strict=False
                )
            ]
            self.started = True
            return torch.stack([self.after(*row) for row in begun]), begun

        def reorder(rows: list, chosen: Tensor) -> list:
            return [rows[row] for row in chosen.tolist()]

        self.started = False
        found = beam_search(step, reorder, state, TEXTS, beam=beam, end=END, length=LENGTH, penalty=penalty)
        return [cut(row) for row in found.tolist()]

    def greedy(self, text: int) -> tuple[int, ...]:
        tokens: tuple[int, ...] = ()
        while len(tokens) < LENGTH and (not tokens or tokens[-1] != END):
            tokens = (*tokens, int(self.after(text, tokens).argmax()))
        return cut(tokens)

    def best(self, text: int, penalty: float) -> tuple[int, ...]:
        """Of all texts, by brute force."""
        scores: dict[tuple[int, ...], float] = {}
        for tokens in itertools.product(range(VOCABULARY), repeat=LENGTH):
            ended = tokens[: tokens.index(END) + 1] if END in tokens else tokens
            log_p = sum(float(self.after(text, ended[:place])[token]) for place, token in enumerate(ended))
            scores[ended] = log_p / length_factor(len(ended), penalty)
        return cut(max(scores, key=lambda one: scores[one]))


def cut(tokens: list[int] | tuple[int, ...]) -> tuple[int, ...]:
    return tuple(itertools.takewhile(lambda token: token != END, tokens))


@pytest.mark.parametrize("seed", range(3))
def test_one_beginning_is_greedy_decoding(seed: int) -> None:
    table = Table(seed)
    assert table.searched(1, 0.6) == [table.greedy(text) for text in range(TEXTS)]


@pytest.mark.parametrize("penalty", [0.0, 1.5])
def test_all_beginnings_are_all_texts(penalty: float) -> None:
    table = Table(7)
    assert table.searched(VOCABULARY**LENGTH, penalty) == [table.best(text, penalty) for text in range(TEXTS)]


def test_a_length_penalty_prefers_longer_texts() -> None:
    """And more beginnings find better ones: by these tables at least once each."""
    tables = [Table(seed) for seed in range(4)]
    short = [len(one) for table in tables for one in table.searched(64, 0.0)]
    long = [len(one) for table in tables for one in table.searched(64, 3.0)]
    assert sum(long) > sum(short) and all(a >= b for a, b in zip(long, short, strict=True))
    assert any(table.searched(1, 0.0) != table.searched(4, 0.0) for table in tables)
    assert length_factor(7, 0.5) == pytest.approx(2**0.5) and length_factor(99, 0.0) == 1


@pytest.mark.parametrize(
    ("run", "expected"), [(0, [1, 1, 1, 1, 1, 1]), (1, [1, 2, END]), (2, [1, 1, 2, 1, END]), (3, [1, 1, 1, 2, 1, 1])]
)
def test_no_run_occurs_twice(run: int, expected: list[int]) -> None:
    """Token 1 is always the most probable, then 2, then the end. With runs of two: 1 1, then 2, as 1 1 was there; then 1; then
    the end, as both 1 1 and 1 2 were there."""
    log_p = torch.tensor([0.1, 0.6, 0.3]).log()

    def step(tokens: Tensor, state: int) -> tuple[Tensor, int]:
        return log_p.expand(len(tokens), 3), state

    found = beam_search(step, lambda state, rows: state, 0, 2, beam=1, end=END, length=6, no_repeat=run)
    assert found.tolist() == [(expected + [END] * 6)[:6]] * 2


@pytest.mark.parametrize("beam", [1, 2])
def test_no_text_is_shorter_than_asked(beam: int) -> None:
    """The end is the most probable token each time, then 1: each text ends as soon as it may."""
    log_p = torch.tensor([0.6, 0.3, 0.1]).log()

    def step(tokens: Tensor, state: int) -> tuple[Tensor, int]:
        return log_p.expand(len(tokens), 3), state

    shortest = torch.tensor([0.0, 2.0, 2.1])
    found = beam_search(step, lambda state, rows: state, 0, 3, beam=beam, end=END, length=5, shortest=shortest)
    assert found.tolist() == [[END] * 5, [1, 1, END, END, END], [1, 1, 1, END, END]]
