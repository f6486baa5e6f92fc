"""Units planted into real networks are found first; what layers decide, against what is known of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ganvas.method import Method
from ganvas.registry import create
from ganvas.tasks import units as units_module
from ganvas.tasks.latents import Points, points_of, space_of
from ganvas.tasks.units import (
    Layer,
    Measures,
    Unit,
    candidates_of,
    changed,
    dissect,
    estimated_changes,
    images_of,
    influences,
    reach,
    root_mean_square,
    screened_changes,
    synthesise,
    unit_layers,
)
from parts import images


def built(name: str, seed: int = 0, **settings: object) -> Method:
    method = create(name, "tiny", settings)
    torch.manual_seed(seed)
    method.setup(images().spec)
    return method.eval().requires_grad_(False)


def opened(method: Method, count: int = 16) -> tuple[Points, list[Layer], np.ndarray]:
    """Points of seeds, the layers on the way from them, and their images."""
    space = space_of(method)
    points = points_of(method, space, range(count))
    return points, unit_layers(method, space, points), images_of(method, space, points)


def dissected(method: Method, count: int = 12) -> list[Unit]:
    points, layers, before = opened(method)
    return dissect(method, space_of(method), points, layers, Measures(before, None), count)


@pytest.mark.parametrize("seed", range(3))
def test_a_unit_planted_to_draw_a_mark_is_found_first(seed: int) -> None:
    """Of the hidden layer of a perceptron: the planted one lights 6 x 6 pixels of all images."""
    method = built("gan", seed)
    hidden, last = method.G.layers[0], method.G.layers[2]
    mark = torch.zeros(28, 28)
    mark[5:11, 20:26] = 30.0
    hidden.weight[11] = 0.0
    hidden.bias[11] = 1.0
    last.weight[:, 11] = mark.flatten()
    units = dissected(method)
    first = units[0]
    assert (first.layer, first.number, first.name) == ("layers.2", 11, "layers.2 unit 11")
    assert first.ablated.change > 2 * units[1].ablated.change
    marked = np.zeros((28, 28), bool)
    marked[5:11, 20:26] = True
    assert first.where[marked].min() > 50 and first.where[~marked].max() == 0
    assert first.ablated.effects["brightness"].change == pytest.approx(-36 * 0.5 / 784, rel=0.3)
    assert np.array_equal(first.images[0], opened(method)[2][:4])
    assert not np.array_equal(first.images[1], first.images[0])


def test_a_planted_channel_of_a_convolution_is_found_first() -> None:
    """Its kernel lights the 4 x 4 pixels around each position where it is on; forced, it lights the whole image."""
    method = built("r3gan")
    method.G.convs[2].weight[2] = 4.0
    units = dissected(method)
    assert (units[0].layer, units[0].number) == ("convs.2", 2)
    assert units[0].forced.effects["brightness"].deviations > 1


def test_the_estimate_is_the_change_where_the_network_is_linear_in_a_unit() -> None:
    """The last convolution of r3gan is linear in its channels, and fresh images stay inside [-1, 1]."""
    method = built("r3gan")
    space = space_of(method)
    points, layers, _ = opened(method)
    last = layers[-1]
    assert last.name == "convs.2"
    estimate = estimated_changes(method, space, points, [last], projections=400)[0]
    whole = synthesise(method, space, points)
    for number in range(last.units):

        def without(x: torch.Tensor, number: int = number) -> torch.Tensor:
            return x.index_fill(1, torch.tensor([number]), 0.0)

        with changed(last, without):
            change = (synthesise(method, space, points) - whole).square().mean()
        assert float(estimate[number]) == pytest.approx(float(change), rel=0.15)


def test_screening_is_ablation() -> None:
    """Each row has the change of its own unit; a saturated unit, which the estimate misses, is among them."""
    method = built("gan")
    hidden, last = method.G.layers[0], method.G.layers[2]
    hidden.weight[11], hidden.bias[11] = 0.0, 1.0
    last.weight[:, 11] = 0.0
    last.weight[:392, 11] = 60.0
    space = space_of(method)
    points, layers, _ = opened(method)
    few = points.rows(slice(0, 4))
    numbers = [11, *range(25)]
    changes = screened_changes(method, space, few, layers[0], numbers)
    whole = synthesise(method, space, few)
    for place in (0, 3, 25):

        def without(x: torch.Tensor, number: int = numbers[place]) -> torch.Tensor:
            return x.index_fill(1, torch.tensor([number]), 0.0)

        with changed(layers[0], without):
            change = (synthesise(method, space, few) - whole).square().mean()
        assert float(changes[place]) == pytest.approx(float(change), rel=1e-4)
    estimate = estimated_changes(method, space, few, layers)[0]
    assert changes.argmax() == 0 and estimate.argmax() != 11


def test_very_many_units_are_chosen_by_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units_module, "MAX_CANDIDATES", 6)
    method = built("r3gan")
    method.G.convs[2].weight[2] = 4.0
    points, layers, _ = opened(method)
    chosen = candidates_of(method, space_of(method), points, layers)
    assert [len(one) for one in chosen] == [2, 2, 2] and 2 in chosen[2]
    assert dissected(method)[0].name == "convs.2 unit 2"


def test_layers_are_those_that_take_units() -> None:
    """Neither what takes the point (w, or z) nor what takes images, nor time embeddings."""
    method = built("stylegan2")
    names = [layer.name for layer in opened(method)[1]]
    assert names[0] == "stages.0.layers.0.conv" and names[-1].startswith("to_image_layers")
    assert not any("style" in name for name in names)
    flow = built("flow_matching")
    layers = opened(flow, 4)[1]
    assert layers and not any(layer.name.startswith("clock") or "film" in layer.name for layer in layers)
    assert all(layer.units > 2 for layer in layers)
    assert [(one.name, one.units, one.size) for one in opened(built("gan"))[1]] == [("layers.2", 32, (1, 1))]


def test_a_whole_layer_of_a_chain_is_another_image() -> None:
    """Without shortcuts the layer decides everything; one position of the last one reaches its kernel's 4 x 4 pixels."""
    method = built("r3gan")
    points, layers, before = opened(method)
    found = influences(method, space_of(method), points, layers, before)
    others = np.roll(before, 1, axis=0)
    for one in found:
        assert one.change == pytest.approx(root_mean_square(before, others), rel=1e-3)
        assert 0 < one.position_change < one.change
    assert [one.size for one in found] == [(4, 4), (7, 7), (14, 14)]
    assert found[0].reach > found[1].reach > found[2].reach and found[2].reach <= 5
    assert np.count_nonzero(found[2].position) <= 16


def test_hooks_are_gone_afterwards() -> None:
    method = built("r3gan")
    before = opened(method)[2]
    dissected(method, 3)
    assert np.array_equal(opened(method)[2], before)
    layer = opened(method)[1][0]
    with pytest.raises(KeyError), changed(layer, lambda x: x * 0):
        raise KeyError
    assert np.array_equal(opened(method)[2], before)


def test_reach_by_hand() -> None:
    change = np.zeros((9, 9))
    assert reach(change) == 0
    change[4, 4] = 1
    assert reach(change) == 1
    change[3:6, 3:6] = 1
    assert reach(change) == 3
    change[:] = 0
    change[4, 4:6] = 1  # the middle lies between two pixels
    assert reach(change) == 2
    change[4, 4] = 20  # nine tenths are in one pixel, but the middle is not quite on it
    assert reach(change) <= 2
    assert reach(np.ones((4, 7))) == 7


def test_outcomes_by_hand() -> None:
    before = np.zeros((4, 8, 8, 1), np.uint8)
    before[:, 2:6, 2:6] = np.array([50, 100, 150, 200], np.uint8)[:, None, None, None]
    after = before.copy()
    after[:, 2:6, 2:6] += 51
    outcome = Measures(before, None).outcome(after)
    assert outcome.change == pytest.approx(51 / 2)  # a quarter of the pixels
    assert outcome.effects["brightness"].change == pytest.approx(0.2 / 4)
    values = np.array([50, 100, 150, 200]) / 255 / 4
    assert outcome.effects["brightness"].deviations == pytest.approx(0.05 / values.std())
    assert outcome.same_class is None and not outcome.classes
    assert outcome.described().startswith(("brightness +", "contrast +", "sharpness +"))
    still = Measures(before, None).outcome(before)
    assert still.change == 0 and still.described() == ""
