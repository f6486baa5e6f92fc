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
    """A tensor of 40 MiB that is freed and made again lies where it was; elsewhere each time is 10,240 pages, or 20 huge ones.
    Not at first: what malloc cuts off to align a tensor, it keeps aside up to seven times, between the tensor and free memory."""
    start_engine("cpu", "fp32")
    faults = 0
    for turn in range(16):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        tensor = torch.full((40 * MIB // 4,), 1.0)
        faults += (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) * (turn >= 10)
        del tensor
    assert faults < 100, faults
