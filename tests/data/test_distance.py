from __future__ import annotations

import itertools

import pytest
import torch

from ganvas.data.distance import MAX_REACH, surface_distances


def by_hand(inside: torch.Tensor, reach: float) -> torch.Tensor:
    """Each voxel against all others of the other kind."""
    found = torch.empty(inside.shape)
    places = [torch.argwhere(inside).float(), torch.argwhere(~inside).float()]
    for place in itertools.product(*(range(side) for side in inside.shape)):
        own = bool(inside[place])
        others = places[1] if own else places[0]
        distance = (others - torch.tensor(place)).norm(dim=1).min() - 0.5
        found[place] = (distance if own else -distance) / reach
    return found.clamp(-1, 1)


@pytest.mark.parametrize("reach", [1.0, 2.5, MAX_REACH])
def test_distances_are_those_from_the_nearest_voxel_of_the_other_kind(reach: float) -> None:
    torch.manual_seed(0)
    inside = torch.rand(2, 9, 6, 7) < 0.03
    inside[1] = False
    inside[1, 2:8, 1:5, 1:6] = True
    found = surface_distances(inside, reach)
    for volume, distances in zip(inside, found, strict=True):
        assert torch.allclose(distances, by_hand(volume, reach), atol=1e-6)
    assert torch.equal(found > 0, inside), "the surface stays where it is"


def test_without_a_surface_all_is_far() -> None:
    assert (surface_distances(torch.zeros(1, 4, 4, 4, dtype=torch.bool), 3) == -1).all()
    assert (surface_distances(torch.ones(1, 4, 4, 4, dtype=torch.bool), 3) == 1).all()
