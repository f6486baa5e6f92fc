"""Latent arithmetic: "A - B + C", each a mean of points (Radford 2016, arXiv:1511.06434, fig. 7: man with glasses - man + woman).

    7               the point of a seed
    0-9             the mean of several seeds
    class:4         the mean of samples of a class
    thickness>0.8   the mean of the samples whose attribute is above that share of all samples (a quantile); also <
    men/glasses/    the mean of the images of a folder, inverted

Operands stand between + and -, with blanks around these; a number and * before an operand is its weight: "0.5*A + 0.5*B". Weights
that sum to 1 give a point, which is an image; weights that sum to 0 give a direction, to be added to other images.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ganvas.errors import UsageError

MAX_SEEDS = 10_000
_WEIGHT = re.compile(r"(\d+(?:\.\d+)?)\*(.+)", re.DOTALL)
_SEEDS = re.compile(r"(\d+)(?:-(\d+))?")
_RANGE = re.compile(r"([^<>]+)([<>])(.*)", re.DOTALL)
_JOINED = re.compile(r"[+-]class:")  # a second operand in what is one word


@dataclass(frozen=True)
class Term:
    """An operand with its weight, below 0 after a minus."""

    weight: float
    operand: str


@dataclass(frozen=True)
class Seeds:
    """The mean of seeds."""

    seeds: range


@dataclass(frozen=True)
class OfClass:
    """The mean of samples of a class, by name or number."""

    name: str


@dataclass(frozen=True)
class OfRange:
    """The mean of samples whose attribute is above or below a quantile."""

    attribute: str
    above: bool
    quantile: float


@dataclass(frozen=True)
class OfImages:
    """The mean of images in a folder, a file or an .npz, inverted."""

    path: str


Operand = Seeds | OfClass | OfRange | OfImages


def parse_terms(expression: str) -> list[Term]:
    """The terms of an expression; UsageError says what is wrong with it."""
    try:
        words = shlex.split(expression)
    except ValueError as error:
        raise UsageError(f"cannot read {expression!r}: {error}") from None
    terms: list[Term] = []
    sign: float | None = 1.0
    for word in words:
        if word in ("+", "-"):
            if sign is not None and terms:
                raise UsageError(f"an operand is missing before {word} in {expression!r}")
            sign = 1.0 if word == "+" else -1.0
            continue
        if sign is None:
            raise UsageError(f"there is no + or - before {word} in {expression!r} (blanks stand around both)")
        weighted = _WEIGHT.fullmatch(word)
        weight, operand = (float(weighted[1]), weighted[2]) if weighted else (1.0, word)
        terms.append(Term(sign * weight, operand))
        sign = None
    if sign is not None:
        raise UsageError(f"an operand is missing at the end of {expression!r}: write, for example, 'A - B + C'")
    return terms


def parse_operand(text: str) -> Operand:
    """What an operand names; UsageError for a quantile out of range or too many seeds."""
    seeds = _SEEDS.fullmatch(text)
    if seeds:
        first, last = int(seeds[1]), int(seeds[2] or seeds[1])
        if not 1 <= last + 1 - first <= MAX_SEEDS:
            raise UsageError(f"seeds must be increasing, with at most {MAX_SEEDS} of them (got {text})")
        return Seeds(range(first, last + 1))
    limits = _RANGE.fullmatch(text)
    if limits:
        try:
            quantile = float(limits[3])
        except ValueError:
            quantile = -1.0
        if not 0 <= quantile <= 1:
            raise UsageError(
                f"{limits[1]}{limits[2]} takes a share of all samples from 0 to 1, such as {limits[1]}>0.8 (got {text})"
            )
        return OfRange(limits[1], limits[2] == ">", quantile)
    if text.startswith("class:"):
        if _JOINED.search(text):
            raise UsageError(f"blanks stand around + and -, as in 'A - B + C' (got {text})")
        return OfClass(text.removeprefix("class:"))
    return OfImages(text)


@dataclass(frozen=True)
class Sum:
    """The value of an expression."""

    value: Tensor
    """(D,) or (L, D)."""
    weight: float
    """Sum of the weights: 1 for a point, 0 for a direction."""
    terms: tuple[Term, ...]
    means: tuple[Tensor, ...]
    """The mean point of each term."""


def evaluate(expression: str, mean_of: Callable[[Operand], Tensor]) -> Sum:
    """The value of an expression; `mean_of` gives the mean point of an operand. UsageError unless its weights sum to 1 or 0."""
    terms = parse_terms(expression)
    total = sum(term.weight for term in terms)
    weight = float(round(total))
    if abs(total - weight) > 1e-6 or weight not in (0.0, 1.0):
        raise UsageError(
            f"the weights of {expression!r} sum to {total:g}: 1 gives an image, 0 a direction that is added to others"
        )
    # Images last: to invert them takes long, and a mistake in another operand is said before.
    operands = [parse_operand(term.operand) for term in terms]
    found: dict[int, Tensor] = {}
    for number in sorted(range(len(operands)), key=lambda one: isinstance(operands[one], OfImages)):
        found[number] = mean_of(operands[number])
    means = [found[number] for number in range(len(operands))]
    return Sum(weighted(means, terms), weight, tuple(terms), tuple(means))


def weighted(means: Sequence[Tensor], terms: Sequence[Term]) -> Tensor:
    """The weighted sum of points; vectors (D,) join points with layers (L, D) as the same vector for each layer."""
    shape = torch.broadcast_shapes(*(mean.shape for mean in means))
    value = torch.zeros(shape)
    for mean, term in zip(means, terms, strict=True):
        value = value + term.weight * mean.expand(shape)
    return value
