"""Checkpoints: what goes in comes out, and whatever is damaged is named and passed over."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.errors import GanvasError, RunError
from ganvas.training import checkpoint
from ganvas.training.checkpoint import (
    KEPT_CHECKPOINTS,
    checkpoints,
    load_newest,
    load_state,
    pack,
    save_state,
    set_aside_after,
    unpack,
)
from parts import assert_same


def tree(step: int = 0) -> dict[str, Any]:
    return {
        "weights": {"a": torch.randn(3, 2), "deep": {"b": torch.arange(4)}},
        "optimizer": {
            "state": {0: {"step": torch.tensor(3.0), "average": torch.randn(2)}, 1: {}},
            "betas": [0.5, 0.999],
            "fused": True,
        },
        "bytes": torch.arange(9, dtype=torch.uint8),
        "empty": torch.zeros(0, 3),
        "wide": torch.randn(2, 3, 4, 5).contiguous(memory_format=torch.channels_last),
        "counters": {"steps": step, "seconds": 0.1, "none": None, "text": "ü\n"},
    }


def test_what_is_packed_comes_out_again() -> None:
    whole = tree()
    tensors, rest = pack(whole)
    back = unpack(tensors, json.loads(json.dumps(rest)))
    assert_same(back, whole)
    assert set(back["optimizer"]["state"]) == {0, 1}, "numbers stay numbers as keys"
    assert all(tensor.is_contiguous() for tensor in tensors.values())


def test_keys_that_look_alike_stay_apart() -> None:
    whole = {"a": {1: torch.zeros(1), "1": torch.ones(1)}, "b/c": torch.zeros(2), "b": {"c": torch.ones(2)}}
    tensors, rest = pack(whole)
    assert_same(unpack(tensors, rest), whole)


def test_odd_things_are_refused_by_name() -> None:
    with pytest.raises(TypeError, match="a PosixPath at /where/0 cannot be saved"):
        pack({"where": [Path("x")]})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_state_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    save_state(tmp_path, 1, tree(1))
    bad = tree(2)
    bad["weights"]["a"][1, 1] = value
    with pytest.raises(RunError, match="weights/a holds NaN or inf at step 2"):
        save_state(tmp_path, 2, bad)
    assert [place.name for place in checkpoints(tmp_path)] == ["step-00000001"]
    assert load_state(checkpoints(tmp_path)[0])["counters"]["steps"] == 1


def test_the_last_good_ones_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 3, 10, 200_000_000):
        save_state(tmp_path, step, tree(step))
    assert [place.name for place in checkpoints(tmp_path)] == ["step-00000010", "step-200000000"]
    assert KEPT_CHECKPOINTS == 2 and sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000010",
        "step-200000000",
    ]


def saved(folder: Path, *steps: int) -> None:
    for step in steps:
        save_state(folder, step, tree(step))


def newest(folder: Path) -> tuple[int | None, list[str]]:
    said: list[str] = []
    state = load_newest(folder, said.append)
    return state and state["counters"]["steps"], said


def flip_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip_middle, cut_short, empty, Path.unlink])
@pytest.mark.parametrize("name", ["state.safetensors", "state.json", "manifest.json"])
def test_a_damaged_one_is_named_and_the_one_before_is_used(tmp_path: Path, damage, name: str) -> None:
    saved(tmp_path, 1, 2)
    damage(tmp_path / "step-00000002" / name)
    step, said = newest(tmp_path)
    assert step == 1
    assert len(said) == 1 and "step-00000002" in said[0] and "Using the checkpoint before it" in said[0]


def test_each_flipped_bit_of_the_weights_is_seen(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    path = tmp_path / "step-00000001" / "state.safetensors"
    whole = path.read_bytes()
    for place in range(0, len(whole), 37):
        broken = bytearray(whole)
        broken[place] ^= 0x10
        path.write_bytes(broken)
        with pytest.raises(RunError, match="damaged"):
            load_state(path.parent)


def test_a_foreign_format_says_so(tmp_path: Path) -> None:
    saved(tmp_path, 1)
    manifest = tmp_path / "step-00000001" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
    with pytest.raises(RunError, match="has checkpoint format 99"):
        load_state(manifest.parent)


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"format": 1}',
        '{"format": 1, "sha256": []}',
        '{"format": 1, "sha256": {}}',
        '{"format": 1, "sha256": {"../../x": "0"}}',
    ],
)
def test_a_strange_manifest_vouches_for_nothing(tmp_path: Path, content: str) -> None:
    saved(tmp_path, 1)
    (tmp_path / "step-00000001" / "manifest.json").write_text(content)
    with pytest.raises(RunError):
        load_state(tmp_path / "step-00000001")


def test_all_damaged_or_none(tmp_path: Path) -> None:
    assert newest(tmp_path / "nowhere") == (None, [])
    saved(tmp_path, 1, 2)
    for place in checkpoints(tmp_path):
        flip_middle(place / "state.safetensors")
    step, said = newest(tmp_path)
    assert step is None and len(said) == 2


def test_a_damaged_one_does_not_push_out_a_good_one(tmp_path: Path) -> None:
    saved(tmp_path, 1, 2, 3)
    flip_middle(tmp_path / "step-00000003" / "state.safetensors")
    set_aside_after(tmp_path, 2)
    saved(tmp_path, 4)
    flip_middle(tmp_path / "step-00000004" / "state.safetensors")
    assert newest(tmp_path)[0] == 2
    assert (tmp_path / "damaged-step-00000003").exists()


def test_strangers_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    saved(tmp_path, 3)
    (tmp_path / "step-latest").mkdir()
    (tmp_path / "notes.txt").write_text("mine")
    saved(tmp_path, 4, 5)
    assert (tmp_path / "step-latest").is_dir() and (tmp_path / "notes.txt").exists()
    assert newest(tmp_path) == (5, [])


class PowerCut(BaseException):
    """Nothing may catch it."""


class Disk:
    """The calls of `os` and `shutil` that change the disk; after `cut` of them the power is gone, for cleaning up too."""

    def __init__(self, cut: int) -> None:
        self.cut, self.calls = cut, 0

    def watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watching(*arguments: Any, **more: Any) -> Any:
            if self.calls >= self.cut:
                raise PowerCut
            self.calls += 1
            return call(*arguments, **more)

        return watching

    def put_under(self, patched: pytest.MonkeyPatch) -> None:
        for name in ("fsync", "replace", "mkdir", "chmod", "unlink", "rmdir", "rename"):
            patched.setattr(os, name, self.watched(getattr(os, name)))
        patched.setattr(checkpoint.shutil, "rmtree", self.watched(shutil.rmtree))


@pytest.mark.parametrize("same_step", [False, True])
def test_a_power_cut_at_any_call_leaves_a_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_step: bool
) -> None:
    """Before the first call that changes the disk, before the second, ... until the save gets through."""
    for cut in range(100):
        folder = tmp_path / str(cut)
        saved(folder, 1, 2)
        with monkeypatch.context() as patched, contextlib.suppress(PowerCut):
            Disk(cut).put_under(patched)
            save_state(folder, 2 if same_step else 3, tree(99))
            break
        step, said = newest(folder)
        assert step in ((1, 2, 99) if same_step else (2, 99)), f"cut {cut}"
        assert said == [], "nothing half-written has the name of a checkpoint"
        saved(folder, 4)
        assert newest(folder) == (4, []) and not list(folder.glob(".*")), "leftovers go with the next save"
    assert 8 <= cut < 99  # pyright: ignore[reportPossiblyUnboundVariable]


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
    ],
)
def test_a_disk_that_takes_no_more_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    saved(tmp_path, 1, 2)

    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(GanvasError, match=words) as caught:
            save_state(tmp_path, 3, tree(3))
    assert "step-00000003" in str(caught.value) and caught.value.exit_code == 1
    assert newest(tmp_path) == (2, [])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000001", "step-00000002"], (
        "no leftovers on a full disk"
    )
