"""What sets GRAN apart: it generates in steps that can be watched. Its equations: tests/networks/test_canvas.py."""

from __future__ import annotations

import pytest
import torch

from ganvas.abilities import Samples, offers
from ganvas.errors import RunError, UsageError
from ganvas.networks.canvas import CanvasGenerator
from ganvas.sampling import drawing, sample
from parts import images, small


def built(name: str = "gran", **settings):
    method = small(name, **settings)
    torch.manual_seed(0)
    method.setup(images().spec)
    if isinstance(method.G, CanvasGenerator):
        torch.nn.init.ones_(method.G.scales)  # at 0, as they start, later steps add nothing
    return method.eval()


@pytest.mark.parametrize("steps", [1, 3])
def test_the_drawing_ends_with_the_image(steps: int) -> None:
    method = built(steps=steps)
    assert offers(method, Samples.drawing)
    shown = drawing(method, 5, seed=70)
    assert shown.shape == (5, steps, 1, 28, 28)
    assert shown.min() >= -1 and shown.max() <= 1
    assert torch.equal(shown[:, -1], sample(method, 5, seed=70))
    if steps > 1:
        assert not torch.equal(shown[:, 0], shown[:, 1])


def test_a_drawing_belongs_to_its_seed() -> None:
    method = built()
    assert torch.equal(drawing(method, 1, seed=66)[0], drawing(method, 70)[66])


def test_who_cannot_draw_says_so() -> None:
    with pytest.raises(RunError, match=r"dcgan generates images in one step.*several steps: .*gran"):
        drawing(built("dcgan"), 2)
    with pytest.raises(UsageError, match="n >= 1"):
        drawing(built(), 0)


def test_every_step_is_trained() -> None:
    """G's loss reaches the decoder by all steps, and the encoder between them."""
    method = built(steps=2).train()
    method.G(torch.randn(3, 8)).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in method.G.g.parameters())
