"""Edits and what is measured of them, on a method with tiny networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganvas.tasks.editor
from ganvas.data.image_array import ImageArray
from ganvas.errors import RunError, UsageError
from ganvas.sampling import sample, to_uint8
from ganvas.tasks.direction_files import saved_directions
from ganvas.tasks.edit import edit, read_layers, read_noise, read_strengths
from ganvas.tasks.editor import Editor
from ganvas.tasks.latents import Points
from parts import images, small


def built(name: str, **settings: Any) -> Any:
    method = small(name, **settings)
    torch.manual_seed(0)
    method.build(images().spec)
    method.spec = images().spec
    return method.eval().requires_grad_(False)


@pytest.fixture(autouse=True)
def _few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ganvas.tasks.editor, "POINTS", 200)


def test_an_edit_moves_what_was_asked_and_says_so() -> None:
    editor = Editor(built("gan"))
    points = editor.points(range(6))
    np.testing.assert_array_equal(editor.images(points), to_uint8(sample(editor.method, 6)))
    edited = editor.move(points, {"brightness": 2.0})
    first = edited.changes[0]
    assert first.attribute == "brightness" and first.asked and first.deviations > 1 and first.rose == 1
    assert first.change == pytest.approx(float(edited.after.mean() - edited.before.mean()) / 255, abs=1e-6)
    others = [abs(change.deviations) for change in edited.changes[1:]]
    assert others == sorted(others, reverse=True) and edited.same_class is None
    back = editor.move(edited.points, {"brightness": -2.0})
    torch.testing.assert_close(back.points.values, points.values, atol=1e-5, rtol=0)


def test_keeping_another_attribute() -> None:
    """The kept attribute's direction has no part in the edit."""
    editor = Editor(built("gan"))
    ((direction, strength),) = editor.steps({"brightness": 1.5}, keep=["contrast"])
    assert strength == 1.5 and abs(float(direction.vector @ editor.direction("contrast").vector)) < 1e-5
    with pytest.raises(UsageError, match="keep class needs labels"):
        editor.steps({"brightness": 1}, keep=["class"])
    with pytest.raises(UsageError, match="class:1 needs labels"):
        editor.direction("class:1")


def test_classes_are_learnt_from_the_data() -> None:
    editor = Editor(built("gan"), data=images)
    assert editor.probe is not None and editor.probe.classes == ("0", "1", "2")
    assert {"class:0", "class:1", "class:2"} <= set(editor.measured.attributes)
    edited = editor.move(editor.points(range(4)), {"brightness": 0.0})
    assert edited.same_class == 1 and all(change.change == 0 for change in edited.changes)


def test_directions_are_kept_with_the_run(tmp_path: Path) -> None:
    editor = Editor(built("gan"), folder=tmp_path, weights="abc")
    found = editor.find(count=2)
    assert {"pca1", "coarse1", "sefa1", "brightness"} <= {one.name for one in found}
    read = saved_directions(tmp_path, "abc")
    assert list(read) == [one.name for one in found]
    for one in found:
        again = read[one.name]
        assert torch.equal(again.vector, one.vector) and again.effects == one.effects
        assert (again.scale, again.share, again.how, again.space) == (one.scale, one.share, one.how, one.space)
    facts = json.loads((tmp_path / "editing" / "directions.json").read_text())
    assert facts["samples"] == 200 and set(facts["deviations"]) == set(editor.measured.attributes)
    assert saved_directions(tmp_path, "other weights") == {}
    assert Editor(built("gan"), folder=tmp_path, weights="abc").directions().keys() == read.keys()

    for damage in ("{", "[]", '{"format": 1, "weights": "abc", "directions": [{"name": "x"}]}'):
        (tmp_path / "editing" / "directions.json").write_text(damage)
        with pytest.raises(RunError, match="find the directions again"):
            saved_directions(tmp_path, "abc")


def test_arithmetic_of_seeds_and_shares() -> None:
    editor = Editor(built("gan"))
    latents = editor.method.latents(range(10))
    combined = editor.combine("7 - 1 + 4")
    torch.testing.assert_close(combined.sum.value, latents[7] - latents[1] + latents[4])
    assert combined.direction is None and combined.images.shape == (4, 28, 28, 1)
    np.testing.assert_array_equal(combined.images[0], to_uint8(sample(editor.method, 1, seed=7))[0])

    step = editor.combine("brightness>0.8 - brightness<0.2")
    assert step.direction is not None and len(step.images) == 2
    values = editor.measured.values["brightness"]
    bright, dark = values > np.quantile(values, 0.8), values < np.quantile(values, 0.2)
    points = editor.measured.points.values
    difference = points[torch.from_numpy(bright)].mean(0) - points[torch.from_numpy(dark)].mean(0)
    torch.testing.assert_close(step.direction.step(), difference)
    assert editor.move(editor.points([0, 1]), [(step.direction, 1.0)]).changes[0].change != 0

    with pytest.raises(UsageError, match="faces/men is no operand"):
        editor.combine("faces/men - 1 + 2")
    with pytest.raises(UsageError, match="nowhere/ is no operand"):
        editor.combine(". - nowhere/", invert=lambda path: pytest.fail(f"{path} was inverted first"))
    with pytest.raises(UsageError, match="is 0: its operands have the same mean"):
        editor.combine("3 - 3")
    with pytest.raises(UsageError, match="class:1 needs labels"):
        editor.combine("class:1")


def test_classes_in_arithmetic() -> None:
    """Of an unconditional method the samples that the probe reads as the class; of a conditional one its own, behind a
    mapping."""
    editor = Editor(built("gan"), data=images)
    assert editor.probe is not None
    chosen = editor.probe.predict(editor.measured.images) == 1
    if chosen.any():
        expected = editor.measured.points.values[torch.from_numpy(chosen)].mean(0)
        torch.testing.assert_close(editor.combine("class:1").sum.value, expected)
    with pytest.raises(UsageError, match="there is no class 7"):
        editor.combine("class:7")
    conditional = Editor(built("r3gan", conditional=True))
    with pytest.raises(UsageError, match="the class of this r3gan is chosen beside z"):
        conditional.combine("class:1")
    style = Editor(built("stylegan2", conditional=True))
    one, two = style.combine("class:1").sum.value, style.combine("class:2").sum.value
    assert one.shape == (8,) and not torch.equal(one, two)


def test_a_walk_is_closed_and_passes_its_points() -> None:
    editor = Editor(built("gan"))
    points = editor.points([3, 5, 9])
    way = editor.walk(points, 4)
    assert isinstance(way, ImageArray) and way.shape == (12, 28, 28, 1)
    np.testing.assert_array_equal(way[::4], editor.images(points))
    open_way = editor.walk(points, 4, closed=False)
    assert len(open_way) == 9
    np.testing.assert_array_equal(open_way[-1], editor.images(points)[2])
    with pytest.raises(UsageError, match="two points and one frame"):
        editor.walk(editor.points([1]))


def test_a_sweep_starts_at_the_image_and_ends_at_the_edit() -> None:
    editor = Editor(built("gan"))
    points = editor.points([0, 1])
    steps = editor.steps({"contrast": 1.0})
    sweep, edited = editor.sweep(points, steps, 3), editor.move(points, steps)
    assert sweep.shape == (2, 3, 28, 28, 1)
    np.testing.assert_array_equal(sweep[:, 0], edited.before)
    np.testing.assert_array_equal(sweep[:, -1], edited.after)
    both = editor.sweep(points, steps, 3, both=True)
    np.testing.assert_array_equal(both[:, 1], edited.before)


@pytest.mark.parametrize("sign", [1, -1])
def test_each_image_goes_as_far_as_it_needs(sign: int) -> None:
    """The strength at which the attribute changed enough, to within a sixteenth of the tried ones' distance, or the largest."""
    editor = Editor(built("gan"))
    points, direction = editor.points(range(12)), editor.direction("brightness")
    change = sign * 0.7 * editor.measured.deviation("brightness")
    edited, strengths = editor.reach(points, direction, "brightness", change, most=2.0, tries=8)
    measure = editor.attribute("brightness").measure
    moved_by = (measure(edited.after) - measure(edited.before)) * sign
    assert len(np.unique(strengths)) > 1 and (strengths * sign > 0).all() and np.abs(strengths).max() <= 2
    assert ((moved_by >= abs(change)) | (np.abs(strengths) == 2)).all()
    less = editor.images(
        points.with_values(
            points.values + torch.from_numpy(strengths - sign * 0.25 / 16).float()[:, None] * direction.step()
        )
    )
    assert ((measure(less) - measure(edited.before)) * sign < abs(change)).all()


def test_style_mixing_as_a_grid() -> None:
    method = built("stylegan2")
    editor = Editor(method, "w+")
    rows, columns = editor.points([0, 1]), editor.points([5, 6, 7])
    mixed = editor.mix(rows, columns, [0, 1])
    assert mixed.shape == (2, 3, 28, 28, 1)
    everything = editor.mix(rows, columns, range(editor.space.layers))
    np.testing.assert_array_equal(everything[0], editor.images(columns))
    nothing = editor.mix(rows, columns, [])
    np.testing.assert_array_equal(nothing[:, 2], editor.images(rows))
    grid = edit(method, mix=("0-1", "5-7"), layers="0-1", space="w+")
    assert grid.shape == (3 * 30 - 2, 4 * 30 - 2, 1)


def test_truncation_to_the_mean_gives_one_image() -> None:
    editor = Editor(built("stylegan2"))
    same = editor.images(editor.points([1, 2], truncation=0.0))
    np.testing.assert_array_equal(same[0], same[1])


def test_images_of_one_call() -> None:
    method = built("gan")
    rows = edit(method, direction=["brightness=2", "contrast=-1"], keep=["symmetry"], seeds="0-1", steps=3)
    assert rows.shape == (2 * 30 - 2, 3 * 30 - 2, 1)
    assert edit(method, truncation=0.5, seeds="0-3").shape == (58, 58, 1)
    assert edit(method, arithmetic="0-3 - 4 + 5").shape == (28, 4 * 30 - 2, 1)
    assert edit(method, find=True, how="sefa", count=2).shape == (2 * 58 + 6, 5 * 30 - 2, 1)
    assert edit(method, walk=True, seeds="0-2", frames=2).shape == (28, 3 * 30 - 2, 1)
    assert edit(method, reach="brightness=-0.01", seeds="0-2", keep=["symmetry"]).shape == (58, 3 * 30 - 2, 1)
    given = to_uint8(sample(method, 2))
    assert edit(method, given, direction=["brightness=1"], steps=2, inversion_steps=2).shape == (58, 58, 1)
    with pytest.raises(UsageError, match="images needs direction or arithmetic"):
        edit(method, given, walk=True)


def test_options_as_text() -> None:
    assert read_strengths(["thickness=2", "class:4=-1.5"]) == {"thickness": 2.0, "class:4": -1.5}
    assert read_layers("0,4-6") == [0, 4, 5, 6] and read_layers(None) == []
    assert read_noise(["all=3", "1=8"], 3, "m") == [3, 8, 3] and read_noise([], 3, "m") == []
    for wrong in ("thickness", "=2", "a=b", "a=nan"):
        with pytest.raises(UsageError, match="a direction is NAME=STRENGTH"):
            read_strengths([wrong])
    for wrong in ("", "a", "3-", "1,,2"):
        with pytest.raises(UsageError, match="layers are numbers from 0"):
            read_layers(wrong)
    with pytest.raises(UsageError, match="there is no layer 3 of noise: this m has the layers 0 to 2"):
        read_noise(["3=1"], 3, "m")
    with pytest.raises(UsageError, match="noise is LAYER=SEED"):
        read_noise(["3"], 3, "m")


def test_points_keep_their_classes() -> None:
    points = Points(torch.arange(4.0).view(2, 2), torch.tensor([5, 6]))
    repeated = points.repeat(2).labels
    assert repeated is not None and repeated.tolist() == [5, 5, 6, 6]
