"""The random numbers of torch's generator on a CPU, by numpy: the latents of a seed without torch.

The generator is the Mersenne Twister (mt19937) with the lower 32 bits of the seed. Uniform numbers and integers equal torch's to
the bit, and so do fewer than 16 normal numbers. For 16 and more, torch computes the logarithm and the sine of the Box-Muller
transform in float32, with approximations that depend on the processor: its own numbers differ by about 1e-6 between processors,
and these from all of them by as much. No image changes visibly by that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from ganvas.draws import Draw, label_seed

NORMALS_PER_BLOCK = 16  # normal numbers that torch computes at once
F24, F53 = np.float32(2**-24), 2.0**-53


class Generator:
    """As torch.Generator().manual_seed(seed)."""

    def __init__(self, seed: int) -> None:
        self.state = np.random.RandomState(seed & 0xFFFFFFFF)
        self.kept: float | None = None  # the second of a pair of normal numbers

    def words(self, n: int) -> np.ndarray:
        """n random integers of 32 bits, uint64."""
        return self.state.randint(0, 2**32, n, dtype=np.uint32).astype(np.uint64)

    def uniform(self, n: int) -> np.ndarray:
        """torch.rand(n), float32 in [0, 1)."""
        return (self.words(n) & np.uint64(2**24 - 1)).astype(np.float32) * F24

    def integer(self, size: int) -> int:
        """torch.randint(size, ())."""
        return int(self.words(1)[0] % np.uint64(size))

    def normal(self, n: int) -> np.ndarray:
        """torch.randn(n), float32."""
        if n < NORMALS_PER_BLOCK:
            return np.array([self._normal() for _ in range(n)], np.float32)
        uniform = self.uniform(n)
        whole = n - n % NORMALS_PER_BLOCK
        normal = _normal_blocks(uniform[:whole])
        if n % NORMALS_PER_BLOCK:  # the last block overlaps the one before it, with new numbers
            last = _normal_blocks(self.uniform(NORMALS_PER_BLOCK))
            normal = np.concatenate([normal[: n - NORMALS_PER_BLOCK], last])
        return normal

    def _normal(self) -> float:
        """One number; each second one comes from the pair that was computed before."""
        if self.kept is not None:
            number, self.kept = self.kept, None
            return number
        high_angle, low_angle, high_radius, low_radius = (int(word) for word in self.words(4))
        angle = 2 * np.pi * _double(high_angle, low_angle)
        radius = np.sqrt(-2 * np.log1p(-_double(high_radius, low_radius)))
        self.kept = float(radius * np.sin(angle))
        return float(radius * np.cos(angle))


def _double(high: int, low: int) -> float:
    """A number in [0, 1) of two words."""
    return ((high << 32 | low) & (2**53 - 1)) * F53


def _normal_blocks(uniform: np.ndarray) -> np.ndarray:
    """Normal numbers of uniform ones, block by block: the first half of a block gives radii, the second angles."""
    halves = uniform.reshape(-1, 2, NORMALS_PER_BLOCK // 2)
    radius = np.sqrt(-2 * np.log((np.float32(1) - halves[:, 0]).astype(np.float64)))
    angle = 2 * np.pi * halves[:, 1].astype(np.float64)
    pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
    return pairs.astype(np.float32).ravel()


def latents(draws: Sequence[Draw], seeds: Iterable[int]) -> np.ndarray:
    """One latent per seed, (n, D) float32; latent i depends on seed i only. As ganvas.abilities.Samples.latents."""
    return np.stack([_latent(draws, seed) for seed in seeds])


def _latent(draws: Sequence[Draw], seed: int) -> np.ndarray:
    generator = Generator(seed)
    parts: list[np.ndarray] = []
    for draw in draws:
        if draw.kind == "normal":
            parts.append(generator.normal(draw.size))
        elif draw.kind == "uniform":
            scale, low = np.float32(draw.high - draw.low), np.float32(draw.low)
            parts.append(generator.uniform(draw.size) * scale + low)
        else:
            one_hot = np.zeros(draw.size, np.float32)
            one_hot[generator.integer(draw.size)] = 1
            parts.append(one_hot)
    return np.concatenate(parts)


def labels(class_cuts: Sequence[float], seeds: Iterable[int]) -> np.ndarray:
    """One class per seed, (n,) int64, as ganvas.abilities.Samples.labels."""
    numbers = np.array([Generator(label_seed(seed)).uniform(1)[0] for seed in seeds], np.float32)
    return np.searchsorted(np.array(class_cuts, np.float32), numbers, side="right").astype(np.int64)
