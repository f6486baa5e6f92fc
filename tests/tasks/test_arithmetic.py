"""The grammar of latent arithmetic, and sums worked by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganvas.errors import UsageError
from ganvas.tasks.arithmetic import (
    OfClass,
    OfImages,
    OfRange,
    Operand,
    Seeds,
    Term,
    evaluate,
    parse_operand,
    parse_terms,
)


def test_terms() -> None:
    assert parse_terms("7") == [Term(1, "7")]
    assert parse_terms("class:7 - class:1 + 0-9") == [Term(1, "class:7"), Term(-1, "class:1"), Term(1, "0-9")]
    assert parse_terms("- 3 + 4") == [Term(-1, "3"), Term(1, "4")]
    assert parse_terms("0.5*3 + 0.5*'my faces/men'") == [Term(0.5, "3"), Term(0.5, "my faces/men")]


def test_operands() -> None:
    assert parse_operand("7") == Seeds(range(7, 8)) and parse_operand("0-9") == Seeds(range(10))
    assert parse_operand("class:seven") == OfClass("seven")
    assert parse_operand("thickness>0.8") == OfRange("thickness", True, 0.8)
    assert parse_operand("class:4<.1") == OfRange("class:4", False, 0.1)
    assert parse_operand("faces/men") == OfImages("faces/men")


def test_mistakes_in_an_expression() -> None:
    for text, message in [
        ("", "an operand is missing at the end"),
        ("3 -", "an operand is missing at the end"),
        ("3 4", "no + or - before 4"),
        ("3 - + 4", "an operand is missing before +"),
        ("'3", "cannot read"),
    ]:
        with pytest.raises(UsageError) as caught:
            parse_terms(text)
        assert message in str(caught.value)
    for text, message in [
        ("9-3", "seeds must be increasing"),
        ("thickness>8", "a share of all samples from 0 to 1"),
        ("class:7-class:1", r"blanks stand around \+ and -"),
    ]:
        with pytest.raises(UsageError, match=message):
            parse_operand(text)


def mean_of(operand: Operand) -> Tensor:
    """Seeds a to b: (a, b)."""
    assert isinstance(operand, Seeds)
    return torch.tensor([float(operand.seeds[0]), float(operand.seeds[-1])])


def test_a_sum_by_hand() -> None:
    """(7, 7) - (1, 1) + (4, 9) = (10, 15), a point; (4, 9) - (1, 1) = (3, 8), a direction."""
    point, step = evaluate("7 - 1 + 4-9", mean_of), evaluate("4-9 - 1", mean_of)
    assert point.value.tolist() == [10, 15] and point.weight == 1
    assert step.value.tolist() == [3, 8] and step.weight == 0
    assert evaluate("0.25*4 + 0.75*8", mean_of).value.tolist() == [7, 7]
    with pytest.raises(UsageError, match=r"the weights of '1 \+ 2' sum to 2"):
        evaluate("1 + 2", mean_of)


def test_images_are_looked_at_last() -> None:
    """To invert them takes long, and a mistake in another operand should be said before."""
    asked: list[Operand] = []

    def mean(operand: Operand) -> Tensor:
        asked.append(operand)
        return torch.tensor([1.0 if isinstance(operand, OfImages) else 5.0])

    assert evaluate("men/ - 2 + class:4", mean).value.tolist() == [1]
    assert asked == [Seeds(range(2, 3)), OfClass("4"), OfImages("men/")]


def test_points_with_layers_take_plain_ones_for_each_layer() -> None:
    def mean(operand: Operand) -> Tensor:
        return torch.ones(3, 2) if operand == Seeds(range(1, 2)) else torch.tensor([1.0, 2.0])

    assert evaluate("1 - 2", mean).value.tolist() == [[0, -1]] * 3
