"""Explanations of real methods at their smallest: planted idle dimensions, codes, what is left out, and errors."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from ganvas import tasks
from ganvas.errors import DataError, RunError, UsageError
from ganvas.method import Method
from ganvas.registry import create
from ganvas.strict_json import dumps
from parts import data_for, images


def built(name: str, **settings: object) -> Method:
    method = create(name, "tiny", settings)
    torch.manual_seed(0)
    method.setup(data_for(name).spec)
    return method.eval().requires_grad_(False)


def test_dimensions_that_do_nothing_are_named() -> None:
    method = built("r3gan")
    method.G.project.weight[:, [2, 5]] = 0.0
    found = tasks.explain(method, count=8, units=3)
    assert {one.name for one in found.idle} == {"z 2", "z 5"} and found.all_dimensions == method.z_dim
    assert {one.name for one in found.dimensions[-2:]} == {"z 2", "z 5"}
    assert all(one.outcome.change == 0 for one in found.idle)
    assert found.dimensions[0].images is not None and found.dimensions[0].images.shape == (5, 28, 28, 1)
    assert "2 of 8 latent dimensions that were tried do nothing: z" in found.summary[1]
    # Without data: no classes, neighbours or real images; the discriminator still sees generated ones.
    assert not found.neighbours and found.probe is None and {one.kind for one in found.saliency} == {"generated"}
    assert "the training data are not at hand" in found.notes[0]
    method.G.project.weight[:] = torch.randn(method.G.project.weight.shape)
    assert "all of the 8 latent dimensions" in tasks.explain(method, count=8, units=3).summary[1]


def test_codes_are_dimensions_too() -> None:
    method = built("infogan")
    free = method.latent_spaces()[0].free
    assert isinstance(free, int)
    code = method.codes()[0]
    method.G.choose[0].weight[:, code.start : code.start + code.size] = 0.0
    found = tasks.explain(method, count=8, units=3)
    names = [one.name for one in found.dimensions]
    assert len(names) == free + len(method.codes()) and {one.name for one in method.codes()} <= set(names)
    assert [one.name for one in found.idle] == [code.name]


def test_all_parts_with_data(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tasks.explain(built("r3gan", conditional=True), images(), count=8, units=6, seed=3)
    assert len(found.units) == 6 and found.units[0].ablated.same_class is not None
    changes = [unit.ablated.change for unit in found.units]
    assert changes == sorted(changes, reverse=True)
    assert [layer.name for layer in found.layers] == ["network.convs.0", "network.convs.1", "network.convs.2"]
    assert [one.kind for one in found.saliency] == ["training"] * 4 + ["held-out"] * 4 + ["generated"] * 4
    assert [one.seed for one in found.neighbours] == [3, 4, 5, 6, 7, 8]
    assert set(found.strongest_units()) <= {*found.units[0].ablated.effects, "class 0", "class 1", "class 2"}
    plain = json.loads(dumps(found.as_dict()))
    assert plain["units"][0]["ablated"]["change"] == pytest.approx(changes[0])
    assert plain["probe"]["n"] > 0 and plain["notes"] == [] and plain["seed"] == 3
    # Where a space has many dimensions, some are tried, and it is said.
    monkeypatch.setattr(sys.modules["ganvas.tasks.explain"], "MAX_DIMENSIONS", 4)
    found = tasks.explain(built("r3gan"), count=8, units=3)
    assert [one.name for one in sorted(found.dimensions, key=lambda one: one.name)] == ["z 0", "z 2", "z 4", "z 7"]
    assert "4 of 8 dimensions of z were tried" in found.notes[-1]


def test_the_same_again() -> None:
    one, two = (tasks.explain(built("vae"), images(), count=8, units=6) for _ in range(2))
    assert one.as_dict() == two.as_dict()
    assert any("no saliency: vae has no discriminator" in note for note in one.notes)


def test_what_has_no_latent_space_shows_neighbours_only() -> None:
    found = tasks.explain(built("pixelcnn"), images(), count=8)
    assert not found.units and not found.layers and not found.dimensions and found.space == ""
    assert len(found.neighbours) == 6 and found.summary == []
    assert any("pixelcnn has no latent space" in note and "r3gan" in note for note in found.notes)


def test_clear_errors() -> None:
    for name in ("denoise", "rnn_text"):
        with pytest.raises(RunError, match=f"{name} generates no images from noise, so there is nothing to explain"):
            tasks.explain(built(name))
    method = built("r3gan")
    with pytest.raises(UsageError, match=r"count must lie between 8 and 256 \(got 3\)"):
        tasks.explain(method, count=3)
    with pytest.raises(UsageError, match=r"units must lie between 1 and 4096 \(got 0\)"):
        tasks.explain(method, units=0)
    with pytest.raises(UsageError, match=r"r3gan has no latent space w"):
        tasks.explain(method, space="w")
    with pytest.raises(DataError, match="these images are 28 x 28 x 1"):
        tasks.explain(method, images((3, 32, 32)))
