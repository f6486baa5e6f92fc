"""What every measure asks of its input: finite numbers in (N, D), as float64 tensors on the CPU."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ganvas.errors import DataError

Values = Tensor | ArrayLike
"""What measures take: a tensor, an array, or nested lists of numbers."""

# 4 million float64 are 32 MB: large enough for a fast matrix product, small enough for any machine.
VALUES_PER_BLOCK = 4_000_000


def as_features(values: Values, name: str, least: int = 1) -> Tensor:
    """`values` as (N, D) float64. DataError if they are not 2-D, not finite, or fewer than `least` rows."""
    features = _as_double(values, name)
    if features.ndim != 2 or features.shape[1] == 0:
        raise DataError(f"{name} must be an array (N, D), one row of features for each image (got {_shape(features)})")
    if len(features) < least:
        raise DataError(
            f"{name} has {len(features)} rows, and this measure needs at least {least}: give it more images"
        )
    return finite(features, name)


def as_pair(a: Values, b: Values, names: tuple[str, str], least: int = 1) -> tuple[Tensor, Tensor]:
    """Two sets of features of the same width, checked as `as_features` does."""
    first, second = as_features(a, names[0], least), as_features(b, names[1], least)
    if first.shape[1] != second.shape[1]:
        raise DataError(
            f"{names[0]} has {first.shape[1]} features a row and {names[1]} {second.shape[1]}: "
            "both must come from the same feature network"
        )
    return first, second


def as_mean_and_covariance(mu: Values, covariance: Values, name: str) -> tuple[Tensor, Tensor]:
    """A mean (D,) and its covariance (D, D); a single feature may come as two scalars."""
    mu = finite(torch.atleast_1d(_as_double(mu, f"mu_{name}")), f"mu_{name}")
    covariance = finite(torch.atleast_2d(_as_double(covariance, f"cov_{name}")), f"cov_{name}")
    if mu.ndim != 1 or covariance.shape != (len(mu), len(mu)):
        raise DataError(
            f"a mean (D,) goes with a covariance (D, D): mu_{name} is {_shape(mu)}, cov_{name} {_shape(covariance)}"
        )
    largest = float(covariance.diagonal().abs().max())  # of a covariance no other value is larger
    if float(covariance.sub(covariance.T).abs_().max()) > 1e-6 * largest:
        raise DataError(f"cov_{name} is not symmetric, so it is no covariance")
    return mu, covariance


def finite(values: Tensor, name: str) -> Tensor:
    """`values` if all are finite, else a DataError that says how many are not and where the first is."""
    # A sum is much cheaper than a look at each value, and finite only if all of them are.
    if math.isfinite(values.sum()) or bool(torch.isfinite(values).all()):
        return values
    bad = (~torch.isfinite(values)).nonzero()
    raise DataError(
        f"{name} holds {len(bad)} values that are NaN or infinite, the first at {tuple(bad[0].tolist())}: "
        "look at what made them (a network with NaN weights?)"
    )


def blocks(rows: int, columns: int) -> Iterator[slice]:
    """Slices of `rows` such that one slice times `columns` stays within VALUES_PER_BLOCK values."""
    step = max(1, VALUES_PER_BLOCK // max(1, columns))
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


def squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """|a_i - b_j|^2 of rows (N, D) and (M, D), as (N, M).

    From the dot product, so what is smaller than its rounding is set to exactly zero: equal rows are at distance
    0.
    """
    a_square, b_square = a.square().sum(1), b.square().sum(1)
    distances = torch.addmm(b_square, a, b.T, alpha=-2).add_(a_square[:, None])
    # The rounding of a dot product grows like the square root of its length.
    rounding = 4 * torch.finfo(a.dtype).eps * max(1.0, a.shape[1] ** 0.5)
    noise = (a_square * rounding)[:, None] + b_square * rounding
    return distances.masked_fill_(distances <= noise, 0.0)


def _as_double(values: Values, name: str) -> Tensor:
    if isinstance(values, Tensor):
        return values.detach().to("cpu", torch.float64)
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be an array of numbers ({error})") from None
    if array.ndim and array.flags.writeable and array.flags.c_contiguous:
        return torch.from_numpy(array)
    return torch.tensor(array.copy())  # torch likes neither read-only arrays nor negative strides


def _shape(values: Tensor) -> str:
    return f"of shape {tuple(values.shape)}"
