"""WaveNet as a method: an exact likelihood, clips that follow from their numbers, crops, and a training that learns."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganvas.data.spec import AudioFacts, DataSpec
from ganvas.errors import DataError
from ganvas.losses.autoregressive import drawn, to_values
from ganvas.losses.mulaw import compress, expand, heard
from ganvas.methods.autoregressive.wavenet import WaveNetMethod, lengths, tiny
from ganvas.networks.wavenet import HOP_SAMPLES
from parts import clips, trainer_for


def built(length: int = 100, **settings: Any) -> WaveNetMethod:
    method = tiny().with_settings(settings)
    torch.manual_seed(0)
    method.build(DataSpec("none", 1, 1, length, 10, ("a", "b", "c"), kind="audio", audio=AudioFacts(8000)))
    with torch.no_grad():
        for parameter in method.network.parameters():  # a new network says nearly the same everywhere
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return method.eval().requires_grad_(False)


def test_mu_law_by_hand() -> None:
    """(1 + 255 / 255)^... : 1/255 lies at ln 2 / ln 256 = 1/8; 0.0588 = 15/255 at ln 16 / ln 256 = 1/2."""
    x = torch.tensor([0.0, 1 / 255, -15 / 255, 1.0, -1.0])
    expected = torch.tensor([0.0, 0.125, -0.5, 1.0, -1.0])
    torch.testing.assert_close(compress(x), expected)
    torch.testing.assert_close(expand(expected), x)


def test_silence_is_heard_as_silence() -> None:
    levels = torch.arange(256)
    sound = heard(to_values(levels, 256), 256)
    assert sound[128] == 0 and sound[127] < 0 < sound[129] and sound[0] == -1 and sound[255] == 1
    assert (sound.diff() > 0).all()
    method = built(levels=256)
    assert torch.equal(method.levels_of(sound[None, None]), levels[None]), (
        "what is heard has the code that it came from"
    )
    odd = heard(to_values(torch.arange(3), 3), 3)
    assert odd.tolist() == [-1.0, 0.0, 1.0]


@pytest.mark.parametrize("output", ["categorical", "logistic_mixture"])
def test_all_clips_together_have_probability_one(output: str) -> None:
    """All 4^5 clips of five samples at four levels."""
    method = built(5, output=output, levels=4, conditional=True)
    codes = torch.tensor(list(itertools.product(range(4), repeat=5)))
    for label in (0, 2):
        log_p = method.log_probability(codes, torch.full((len(codes),), label)).sum(1)
        assert math.isclose(float(log_p.double().exp().sum()), 1.0, abs_tol=2e-5)


def test_the_likelihood_counts_the_clip_and_not_its_padding() -> None:
    method = built(100, levels=256)
    clip = torch.rand(3, 1, 100) - 0.5
    clip[0, 0, 70:] = 0
    clip[2] = 0
    found = method.likelihood(clip)
    assert isinstance(found.terms, Tensor) and found.terms.tolist() == [70, 100, 1] and found.exact
    codes = method.levels_of(clip)
    each = -method.log_probability(codes, None)
    torch.testing.assert_close(found.nats, torch.stack([each[0, :70].sum(), each[1].sum(), each[2, :1].sum()]))
    assert lengths(clip).tolist() == [70, 100, 1]
    assert found.unit == "bits_per_sample"


@pytest.mark.parametrize("output", ["categorical", "logistic_mixture"])
@pytest.mark.parametrize("conditional", [False, True])
def test_cached_clips_are_those_of_full_passes(output: str, conditional: bool) -> None:
    """Each sample by a pass over all before it, from the same random numbers."""
    method = built(90, output=output, conditional=conditional, kernel=3)
    latents, labels = method.latents([4, 9]), torch.tensor([2, 0]) if conditional else None
    values = torch.zeros(2, 90)
    for t in range(90):
        raw = method.network(method.forms(values), labels)[:, t]
        values[:, t] = drawn(method.distribution, raw, latents[:, t], latents[:, :0])
    assert torch.equal(heard(values, method.levels)[:, None], method.generate(latents, labels))
    assert len(values.unique()) > 3


def test_drawing_follows_the_distribution() -> None:
    """The first sample of 4,000 clips has the levels that the network says, within 4 standard errors."""
    method = built(1, levels=4)
    p = method.distribution.cumulative(method.network(torch.zeros(1, 2, 1))[:, 0], torch.empty(1, 0))[0]
    codes = method.levels_of(method.generate(torch.rand(4000, 1, generator=torch.Generator().manual_seed(1))))
    for level in range(3):
        share = float((codes <= level).float().mean())
        assert abs(share - float(p[level])) < 4 * math.sqrt(0.25 / 4000)


def test_crops_lie_in_the_clip_and_reach_everywhere() -> None:
    method = built(10 * HOP_SAMPLES, crop=2 * HOP_SAMPLES)
    codes = torch.arange(10 * HOP_SAMPLES).expand(1000, -1)
    long = torch.cat([torch.full((500,), 10 * HOP_SAMPLES), torch.full((500,), 5 * HOP_SAMPLES)])
    cut, start = method.cropped(codes, long, torch.rand(1000, generator=torch.Generator().manual_seed(0)))
    assert cut.shape == (1000, 2 * HOP_SAMPLES)
    assert torch.equal(cut, start[:, None] * HOP_SAMPLES + torch.arange(2 * HOP_SAMPLES)), (
        "each says rightly where it begins"
    )
    assert set(start[:500].tolist()) == set(range(9)), "whole clips: from the first block to the last that fits"
    assert set(start[500:].tolist()) == set(range(4)), "short ones: not far into the silence"
    first = (start[:500] == 0).float().mean()
    assert 0.1 < first < 0.3, "of ten blocks the first is seen by as many crops as others"


def test_classes_need_labels() -> None:
    method = tiny().with_settings({"conditional": True})
    with pytest.raises(DataError, match="put the clips of each class into a sub-folder"):
        method.build(DataSpec("none", 1, 1, 100, 10, kind="audio", audio=AudioFacts(8000)))


def test_it_learns_tones() -> None:
    """Three tones in noise: an untrained network needs 4 bits of 16 levels, one that knows how often each occurs 2.8."""
    method = tiny().with_settings({"lr": 1e-2, "conditional": True, "width": 8, "decay": "none", "crop": 0})
    data = clips()
    trainer = trainer_for(method, data)
    real = torch.from_numpy(np.array(data.examples))[:, None].float() / 32768
    codes = method.levels_of(real)
    counts = torch.bincount(codes.flatten(), minlength=16).double()
    entropy = float(-(counts / counts.sum() * (counts / counts.sum()).clamp_min(1e-9).log2()).sum())
    for _ in range(50):
        trainer.step()
    method.eval()
    held = data.part("test")
    assert held is not None and held.labels is not None
    found = method.likelihood(
        torch.from_numpy(np.array(held.examples))[:, None].float() / 32768, torch.from_numpy(held.labels)
    )
    assert isinstance(found.terms, Tensor)
    bits = float(found.nats.detach().sum() / found.terms.sum()) / math.log(2)
    assert bits < entropy - 1.0, (bits, entropy)
