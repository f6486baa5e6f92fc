"""Beam search: the most probable text, as far as a few best beginnings lead to it.

N texts at once, K beginnings of each, V tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor

State = TypeVar("State")


def length_factor(length: int, penalty: float) -> float:
    """What log p of a text of `length` tokens is divided by, so that long ones can win: ((5 + length) / 6) ** penalty (Wu 2016,
    arXiv:1609.08144, eq. 14); 0: nothing."""
    return ((5 + length) / 6) ** penalty


def repeated(texts: Tensor, run: int, vocabulary: int) -> Tensor:
    """(N, K, V): -inf for the tokens with which the last `run` tokens of a text would be a run that texts (N, K, L) have already,
    0 for all others. L >= run."""
    runs = texts.unfold(2, run, 1)  # (N, K, L - run + 1, run)
    last = texts[..., texts.shape[2] - run + 1 :]
    same = (runs[..., :-1] == last[:, :, None]).all(3)
    found = torch.zeros(*texts.shape[:2], vocabulary, device=texts.device)
    return found.scatter_add_(2, runs[..., -1], torch.where(same, -torch.inf, 0.0))


@torch.no_grad()
def beam_search(
    step: Callable[[Tensor, State], tuple[Tensor, State]],
    reorder: Callable[[State, Tensor], State],
    state: State,
    n: int,
    *,
    beam: int,
    end: int,
    length: int,
    penalty: float = 0.0,
    no_repeat: int = 0,
    shortest: Tensor | None = None,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Tokens (N, length) of the best text found for each row, filled up with `end`.

    `step(tokens (N * K,), state)` gives log p (N * K, V) of the next token and the new state; `reorder(state, rows)` takes rows
    (N * K,) of it. `state` has N * K rows, those of a text beside each other; the token before the first is `end`. A beginning
    that ends is kept by its log p over `length_factor`; a text is done when K of its beginnings have ended. What has not ended
    after `length` tokens counts as it is. beam=1 is greedy decoding. No run of `no_repeat` tokens occurs twice in a text (Paulus
    2017, arXiv:1705.04304, sec. 2.5); 0: any may. No text has fewer tokens than its number in `shortest` (N,).
    """
    scores = torch.full((n, beam), -torch.inf, device=device)
    scores[:, 0] = 0.0  # all beginnings are equal at first
    texts = torch.full((n, beam, length), end, device=device)
    best = torch.full((n, length), end, device=device)
    best_score = torch.full((n,), -torch.inf, device=device)
    ended = torch.zeros(n, dtype=torch.long, device=device)
    tokens = torch.full((n * beam,), end, device=device)
    first = torch.arange(n, device=device)[:, None] * beam
    for place in range(length):
        log_p, state = step(tokens, state)
        vocabulary = log_p.shape[1]
        extended = scores[..., None] + log_p.view(n, beam, vocabulary)
        if no_repeat and place >= no_repeat:
            extended = extended + repeated(texts[..., :place], no_repeat, vocabulary)
        if shortest is not None:
            extended[..., end].masked_fill_(place < shortest[:, None], -torch.inf)
        extended = extended.flatten(1)
        # As many again as may end, so that K go on.
        found, chosen = extended.topk(min(2 * beam, beam * vocabulary), dim=1)
        origin, token = chosen // vocabulary, chosen % vocabulary
        ends = token == end

        # Those among the first K that end here.
        final = torch.where(ends, found, -torch.inf)[:, :beam] / length_factor(place + 1, penalty)
        value, which = final.max(1)
        running = ended < beam
        better = running & (value > best_score)
        candidate = texts.gather(1, origin.gather(1, which[:, None])[..., None].expand(-1, -1, length))[:, 0]
        best = torch.where(better[:, None], candidate, best)
        best_score = torch.where(better, value, best_score)
        ended = ended + (ends[:, :beam] & (found[:, :beam] > -torch.inf)).sum(1)

        # The best K that go on.
        found = torch.where(ends, -torch.inf, found)
        scores, order = found.topk(beam, dim=1)
        origin, token = origin.gather(1, order), token.gather(1, order)
        texts = texts.gather(1, origin[..., None].expand(-1, -1, length))
        texts[:, :, place] = token
        tokens = token.flatten()
        if bool((ended >= beam).all()):
            break
        if beam > 1:
            state = reorder(state, (first + origin).flatten())

    # What was cut.
    value, which = (scores / length_factor(length, penalty)).max(1)
    better = (ended < beam) & (value > best_score)
    cut = texts.gather(1, which[:, None, None].expand(-1, -1, length))[:, 0]
    return torch.where(better[:, None], cut, best)
