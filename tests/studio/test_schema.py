"""Requests are checked by the schema that the OpenAPI file shows."""

from __future__ import annotations

import pytest

from ganvas.errors import UsageError
from ganvas.studio import schema
from ganvas.studio.points import POINT

BODY = schema.obj(
    {
        "name": schema.text(longest=4, shortest=1, pattern="[a-z]+"), "n": schema.integer(minimum=1, maximum=9),
        "x": schema.number(minimum=0), "how": schema.one_of(("fast", "slow")), "flag": schema.boolean(),
        "list": schema.array(schema.integer(), most=2), "any": schema.mapping(schema.number(), most=2),
        "maybe": schema.optional(schema.integer()),
    },
    required=("name",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({}, "lacks name"),
        ({"name": ""}, "name is empty"),
        ({"name": "abcde"}, "longer than 4"),
        ({"name": "a b"}, "must match"),
        ({"name": 3}, "must be a string (got 3)"),
        ({"name": "a", "n": 0}, "n must be from 1 to 9 (got 0)"),
        ({"name": "a", "n": True}, "n must be an integer (got True)"),
        ({"name": "a", "n": 1.5}, "n must be an integer"),
        ({"name": "a", "n": 10**30}, "n must be an integer"),
        ({"name": "a", "x": float("nan")}, "x must be a finite number"),
        ({"name": "a", "x": -1}, "x must be at least 0"),
        ({"name": "a", "how": "fasd"}, "did you mean fast?"),
        ({"name": "a", "list": [1, 2, 3]}, "0 to 2 entries (got 3)"),
        ({"name": "a", "list": ["1"]}, "list[0] must be an integer"),
        ({"name": "a", "any": {"k": "v"}}, "any.k must be a number"),
        ({"name": "a", "nmae": 1}, "has no 'nmae'; did you mean name?"),
        ([], "must be an object"),
    ],
)
def test_refused(value: object, message: str) -> None:
    with pytest.raises(UsageError) as error:
        schema.check(BODY, value)
    assert message in str(error.value)


def test_accepted() -> None:
    schema.check(
        BODY, {"name": "ab", "n": 9, "x": 1, "how": "slow", "flag": True, "list": [], "any": {"a": 1.5}, "maybe": None}
    )


@pytest.mark.parametrize("text", ["\x00", "\x1b[31m", "\ud800", "\x7f"])
def test_control_characters(text: str) -> None:
    with pytest.raises(UsageError, match="control characters"):
        schema.check(schema.text(), text)


def test_points_hold_points_but_not_without_end() -> None:
    value: dict[str, object] = {"seed": 1}
    schema.check(POINT, {"between": [value, {"sum": [{"weight": 1, "of": value}]}], "moves": {"pca1": -2}})
    for _ in range(20):
        value = {"between": [value, {"seed": 2}]}
    with pytest.raises(UsageError, match="nested too deeply"):
        schema.check(POINT, value)
