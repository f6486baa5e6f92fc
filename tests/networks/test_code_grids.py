"""The prior over codes: it sums to 1, sees what it may, draws what it says, and fills gaps as the exact conditional would."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from ganvas.networks.code_grids import CodeNetwork, GivenCodes, draw, systematic

ONE, TWO = [(3, 4, 5)], [(2, 2, 3), (3, 4, 5)]


def network(grids: list[tuple[int, int, int]], classes: int = 0) -> CodeNetwork:
    torch.manual_seed(0)
    made = CodeNetwork(grids, 4, 6, 2, 3, 3, 8, classes)
    for prior in made.priors:
        torch.nn.init.normal_(prior.out.weight, 0, 1)  # pyright: ignore  # far from even chances
    return made.requires_grad_(False)


def some_codes(grids: list[tuple[int, int, int]], n: int = 2) -> Tensor:
    return torch.cat([torch.randint(size, (n, h * w)) for h, w, size in grids], 1)


def every_code(grids: list[tuple[int, int, int]]) -> Tensor:
    return torch.tensor(list(itertools.product(*[range(size) for h, w, size in grids for _ in range(h * w)])))


@pytest.mark.parametrize("grids", [[(2, 2, 3)], [(1, 1, 2), (2, 2, 2)], [(1, 2, 2), (2, 3, 2)]], ids=str)
def test_probabilities_sum_to_one(grids: list[tuple[int, int, int]]) -> None:
    found = network(grids).log_likelihood(every_code(grids)).double().sum(1).exp().sum()
    assert_close(found, torch.tensor(1.0, dtype=torch.float64), rtol=1e-5, atol=0)


@pytest.mark.parametrize("grids", [ONE, TWO], ids=str)
def test_no_later_code_is_seen(grids: list[tuple[int, int, int]]) -> None:
    """Each code in turn is changed: what is said of it and of those before stays to the bit, of some later one it moves."""
    made, codes = network(grids), some_codes(grids)
    sizes = [size for h, w, size in grids for _ in range(h * w)]

    def said(of: Tensor) -> Tensor:
        """(n, L, the largest K), places in order."""
        raws = [raw.flatten(2).transpose(1, 2) for raw in made(of)]
        return torch.cat([torch.nn.functional.pad(raw, (0, 5 - raw.shape[2])) for raw in raws], 1)

    before = said(codes)
    for place, size in enumerate(sizes):
        changed = codes.clone()
        changed[:, place] = (changed[:, place] + 1) % size
        after = said(changed)
        assert torch.equal(after[:, : place + 1], before[:, : place + 1]), place
        assert place == len(sizes) - 1 or not torch.equal(after[:, place + 1 :], before[:, place + 1 :]), place


def test_the_fine_grid_sees_the_whole_coarse_one() -> None:
    """Its very first code already depends on the last coarse one, and the other way round nothing does."""
    made, codes = network(TWO), some_codes(TWO)
    coarse, fine = made(codes)
    other = codes.clone()
    other[:, 3] = (other[:, 3] + 1) % 3
    assert not torch.equal(made(other)[1][..., 0, 0], fine[..., 0, 0])
    other = codes.clone()
    other[:, 4:] = (other[:, 4:] + 1) % 5
    assert torch.equal(made(other)[0], coarse)


@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("grids", [ONE, TWO], ids=str)
def test_drawn_codes_are_those_of_the_full_network(grids: list[tuple[int, int, int]], classes: int) -> None:
    """The uniform number of each place lies in the interval that the full network gives the code."""
    made, n = network(grids, classes), 40
    label = torch.randint(3, (n,)) if classes else None
    uniform = torch.rand(n, sum(made.places))
    codes = draw(made, uniform, label)
    for raw, part, numbers in zip(
        made(codes, label), codes.split(made.places, 1), uniform.split(made.places, 1), strict=True
    ):
        upper = raw.flatten(2).softmax(1).cumsum(1)
        top = upper.gather(1, part[:, None])[:, 0]
        chance = raw.flatten(2).softmax(1).gather(1, part[:, None])[:, 0]
        assert bool((numbers <= top + 1e-5).all()) and bool((numbers >= top - chance - 1e-5).all())
    assert len(codes.unique(dim=0)) > n / 2


# --- filling gaps -----------------------------------------------------------------------------------------------------------


def test_systematic_resampling_by_hand() -> None:
    """Half, half, nothing, nothing, at 1/8, 3/8, 5/8, 7/8; equal weights change nothing."""
    weights = torch.tensor([[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.1, 0.1, 0.7, 0.1]]).log()
    parents = systematic(weights, torch.tensor([0.5, 0.5, 0.5]))
    assert parents.tolist() == [[0, 0, 1, 1], [0, 1, 2, 3], [1, 2, 2, 2]]
    assert systematic(torch.zeros(1, 1), torch.tensor([0.9])).tolist() == [[0]]


def test_who_goes_on_as_another_has_its_whole_past() -> None:
    """All codes are given, and after each row everybody continues as somebody: the last row's chances are still those of the full
    network on what each one has become, rows, coarse grid and class."""
    grids, n = [(2, 2, 3), (4, 3, 5)], 6
    made, label = network(grids, classes=3), torch.arange(n) % 3
    seen: list[Tensor] = []

    def choose(weights: Tensor) -> Tensor:
        nonlocal label
        seen.append(weights)
        parents = torch.arange(n) if len(seen) == 6 else torch.randint(n, (n,))
        label = label[parents]
        return parents

    known = GivenCodes(some_codes(grids, n), torch.ones(n, 16, dtype=torch.bool))
    codes = draw(made, torch.rand(n, 16), torch.arange(n) % 3, known, choose)
    assert len(seen) == 6
    said = made(codes, label)[1].log_softmax(1)[:, :, -1]  # (n, 5, 3), the last row
    assert_close(seen[-1], said.gather(1, codes[:, None, -3:]).sum((1, 2)), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("grids", [[(2, 2, 3)], [(1, 1, 3), (2, 2, 3)]], ids=str)
def test_gaps_are_filled_as_the_exact_conditional_says(grids: list[tuple[int, int, int]]) -> None:
    """All codes of the last grid's last row are given, all before are missing: a plain draw would not know of them."""
    made, all_codes = network(grids), every_code(grids)
    L, S, n = all_codes.shape[1], 64, 300
    given = torch.zeros(L, dtype=torch.bool)
    given[-2:] = True
    truth = made.log_likelihood(all_codes).sum(1).exp()
    exact = torch.where((all_codes[:, -2:] == torch.tensor([2, 0])).all(1), truth, 0)
    exact = exact / exact.sum()
    known = GivenCodes(torch.tensor([0] * (L - 2) + [2, 0]).expand(n * S, L), given.expand(n * S, L))
    base = torch.arange(n)[:, None] * S

    def choose(weights: Tensor) -> Tensor:
        return (base + systematic(weights.view(n, S), torch.rand(n))).flatten()

    found = draw(made, torch.rand(n * S, L), None, known, choose).view(n, S, L)
    assert bool((found[..., -2:] == torch.tensor([2, 0])).all())

    def apart(codes: Tensor) -> float:
        """Total variation from the exact conditional, over the missing codes."""
        place = (codes.flatten(0, -2)[:, : L - 2] * 3 ** torch.arange(L - 2)).sum(1)
        want = torch.zeros(3 ** (L - 2)).index_add_(0, (all_codes[:, : L - 2] * 3 ** torch.arange(L - 2)).sum(1), exact)
        return float((torch.bincount(place, minlength=len(want)) / len(place) - want).abs().sum() / 2)

    blind = draw(made, torch.rand(n * S, L), None, known)
    assert apart(found) < 0.05 < 0.07 < apart(blind), (apart(found), apart(blind))
