"""The process of a training: freed memory."""

from __future__ import annotations

import platform

import pytest
import torch

from ganvas.training.engine import start_engine

resource = pytest.importorskip("resource", reason="page faults are counted on Unix")
MIB = 2**20


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
def test_large_tensors_take_no_new_pages() -> None:
    """A tensor of 64 MiB that is freed and made again lies where it was; elsewhere each time is 16,384 pages, or 32 huge ones."""
    start_engine("cpu", "fp32")
    faults = 0
    for turn in range(6):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        tensor = torch.full((64 * MIB // 4,), 1.0)
        faults += (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * (turn > 1)
        del tensor
    assert faults < 100, faults
