"""What the page calls a point: how an image of a latent space comes about, as plain values. The same values give the same image.

{"seed": 5}                                             the image of a seed
{"image": ID}                                           a dropped photo, inverted
{"between": [POINT, POINT], "share": 0.25}              on the way from one to another
{"sum": [{"weight": 1, "of": POINT}, ...]}              arithmetic; the weights sum to 1
and with each of them  label, truncation, moves {"thickness": 1.5} along directions, codes {"c1": 0.5}
"""

from __future__ import annotations

from ganvas.studio import schema
from ganvas.studio.schema import Schema

SOURCES = ("seed", "image", "between", "sum")


def point() -> Schema:
    """The schema of a point, which may hold points."""
    inner: Schema = {"$self": point, "type": "object"}
    return schema.obj(
        {
            "seed": schema.integer("of an image", minimum=0, maximum=2**53),
            "image": schema.text("id of an inverted image", longest=16),
            "between": schema.array(inner, least=2, most=2, help="two points"),
            "share": schema.number("0 the first, 1 the second", minimum=0, maximum=1),
            "sum": schema.array(
                schema.obj({"weight": schema.number(minimum=-10, maximum=10), "of": inner}, required=("weight", "of")),
                least=1, most=16,
            ),
            "label": schema.text("class by name or number", longest=100),
            "truncation": schema.number("1 as sampled, 0 the mean image", minimum=0, maximum=2),
            "moves": schema.mapping(schema.number(minimum=-20, maximum=20), most=60, help="strengths by direction"),
            "codes": schema.mapping(schema.number(minimum=-10, maximum=10), most=60, help="values of the latent's codes"),
        }
    )  # fmt: skip


POINT = point()
