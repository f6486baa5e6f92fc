"""Devices by name, and what is asked of them; accelerators that are not here are stood in for by what PyTorch would say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ganvas import device, precision
from ganvas.device import choose_device, free_memory, peak_memory, random_state, same_random_state, scalar
from ganvas.errors import UsageError
from ganvas.precision import choose_precision, tf32_allowed, usable_here
from ganvas.training.engine import Engine

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


def stand_in(monkeypatch: pytest.MonkeyPatch, kind: str, **functions: Any) -> None:
    """torch.cuda or torch.xpu of a machine that has one."""
    known = {"is_available": lambda: True, "device_count": lambda: 2, "set_device": lambda device: None}
    monkeypatch.setattr(torch, kind, SimpleNamespace(**{**known, **functions}))


@pytest.mark.parametrize("name", ["cuda", "cuda:1", "xpu", "mps"])
def test_what_is_not_here_is_named(name: str) -> None:
    kind = name.partition(":")[0]
    if device.available(kind):
        pytest.skip("there is one")
    with pytest.raises(UsageError, match=f"device {name} is not usable here: this PyTorch .* sees no .*--device auto"):
        choose_device(name)


@pytest.mark.parametrize("name", ["gpu", "meta", "cpu:x", ""])
def test_what_is_no_device_is_told_what_is(name: str) -> None:
    with pytest.raises(UsageError, match="device must be auto, cpu, cuda, cuda:N, xpu, xpu:N or mps"):
        choose_device(name)


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_auto_finds_an_accelerator_and_its_rank(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for other in ("cuda", "xpu"):
        stand_in(monkeypatch, other, is_available=lambda other=other: other == kind)
    assert choose_device("auto", local_rank=1) == torch.device(kind, 1)
    with pytest.raises(UsageError, match=f"device {kind}:5 does not exist: this machine has 2"):
        choose_device(f"{kind}:5")


def test_free_memory_is_asked_in_the_words_of_each_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert free_memory(CPU) is None and peak_memory(CPU) is None and random_state(CPU) is None
    stand_in(monkeypatch, "cuda", mem_get_info=lambda device: (3 * 2**30, 80 * 2**30))
    assert free_memory(CUDA) == 3 * 2**30
    stand_in(monkeypatch, "cuda")  # an older one
    monkeypatch.setattr(torch, "accelerator", SimpleNamespace(get_memory_info=lambda device: (7, 9)))
    assert free_memory(CUDA) == 7
    monkeypatch.setattr(torch, "accelerator", SimpleNamespace())
    assert free_memory(CUDA) is None


def test_random_states_come_back() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    with same_random_state(CPU):
        torch.rand(5)
    assert torch.equal(torch.rand(2), expected)


def test_a_number_is_filled_in_by_the_device() -> None:
    assert scalar(0.1, CPU).dtype == torch.float32 and scalar(0.1, CPU).shape == ()
    assert torch.equal(scalar(torch.tensor([1, 2]), CPU), torch.tensor([1.0, 2.0]))


# --- TF32 -----------------------------------------------------------------------------------------------------------------


def allowed() -> tuple[bool, bool]:
    return bool(torch.backends.cuda.matmul.allow_tf32), bool(torch.backends.cudnn.allow_tf32)


def test_tf32_only_where_a_gpu_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="precision tf32 is not usable here: this cpu has no TF32"):
        choose_precision("tf32", CPU)
    assert usable_here("tf32", CPU) == "fp32"
    for capability, has in (((7, 5), False), ((8, 0), True), ((9, 0), True)):
        stand_in(monkeypatch, "cuda", get_device_capability=lambda device, answer=capability: answer)
        assert precision.has_tf32(CUDA) == has
        assert usable_here("tf32", CUDA) == ("tf32" if has else "fp32")


def test_auto_takes_tf32_where_bf16_does_not_pay_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_tf32", lambda device: True)
    monkeypatch.setattr(precision, "has_bf16", lambda device: True)
    monkeypatch.setattr(precision, "bare_ratio", lambda device: 1.1)
    chosen, why = choose_precision("auto", CUDA)
    assert chosen == "tf32" and "1.10 times as fast" in why and "TF32" in why
    assert choose_precision("fp32", CUDA) == ("fp32", "as asked")


def test_tf32_is_for_updates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """In between, where samples are measured, fp32 is fp32."""
    before = allowed()
    try:
        device.forbid_tf32()
        with Engine(CUDA, "tf32", "").arithmetic():
            assert allowed() == (True, True)
        assert allowed() == (False, False)
        with Engine(CUDA, "fp32", "").arithmetic(), pytest.raises(ValueError, match="left"), tf32_allowed():
            raise ValueError("left by an error")
        assert allowed() == (False, False)
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
