"""The network of many styles computes here what it computes there, for one style and for mixtures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from foreign_networks import ManyStyles, many_styles_state, onnx_bytes
from ganvas.errors import UsageError
from ganvas.foreign import import_weights


@pytest.mark.parametrize(("style", "shares"), [("3", [0, 0, 0, 1, 0]), ("1:0.5,4:1.5", [0, 0.25, 0, 0, 0.75])])
def test_it_gives_the_same_images(style: str, shares: list[float]) -> None:
    state = many_styles_state()
    Path("styles.onnx").write_bytes(onnx_bytes(state))
    run = import_weights("multi_style", "styles.onnx", "run", licence="MIT", style=style)
    x = torch.rand(2, 3, 24, 36, generator=torch.Generator().manual_seed(1))
    expected = ManyStyles(state)(x, torch.tensor(shares, dtype=torch.float32)) * 2 - 1
    assert float((run.method.stylise(x * 2 - 1) - expected).abs().max()) < 1e-5
    photo = np.random.default_rng(0).integers(0, 256, (33, 27, 3)).astype(np.uint8)
    assert run.stylise(photo).pixels.shape == (3, 33, 27)
    assert run.info["imported"]["style"] == style


NONE = {
    "5": "from 0 to 4", "-1": "from 0 to 4", "x": "is a number", "": "is a number", "1:nan": "0 or more", "1:-2": "0 or more",
    "1:0": "more than 0", "1:inf": "0 or more", "1:1e308,2:1e308": "more than 0",
}  # fmt: skip


@pytest.mark.parametrize(("style", "message"), [(None, "holds 5 styles: name one"), *NONE.items()])
def test_styles_that_are_none(style: str | None, message: str) -> None:
    Path("styles.onnx").write_bytes(onnx_bytes(many_styles_state()))
    with pytest.raises(UsageError, match=message):
        import_weights("multi_style", "styles.onnx", "run", licence="MIT", style=style)
