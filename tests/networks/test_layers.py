"""Small parts that several networks share."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from ganvas.networks.layers import PReLU


def test_prelu_by_hand() -> None:
    """Gradients 1, 2 and 3 at -2, 0 and 4: of the slope 1 * -2, of the input 0.25, 0.5 and 3."""
    layer, x = PReLU(), torch.tensor([[-2.0, 0.0, 4.0]], requires_grad=True)
    (layer(x) * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [[0.25, 0.5, 3.0]]
    assert layer.weight.grad is not None and layer.weight.grad.tolist() == [-2.0]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_prelu_is_pytorch_s(layout: torch.memory_format) -> None:
    """Its output and the input's gradient to the last bit; the slope's is a sum in another order."""
    torch.manual_seed(0)
    layer, x, to_y = PReLU(), *torch.randn(2, 5, 6, 7, 4)
    layer.weight.data.fill_(-0.3)
    results = []
    for function in (layer, lambda x: F.prelu(x, layer.weight)):
        points = x.clone(memory_format=layout).requires_grad_()
        y = function(points)
        (y * to_y).sum().backward()
        results.append((y, points.grad, layer.weight.grad))
        layer.weight.grad = None
    (y, to_x, slope), (plain_y, plain_x, plain_slope) = results
    assert torch.equal(y, plain_y) and torch.equal(to_x, plain_x)
    torch.testing.assert_close(slope, plain_slope)


def test_prelu_is_not_pytorch_s_slow_gradient() -> None:
    x = torch.randn(2, 3, requires_grad=True)
    assert PReLU()(x).grad_fn.name() == "_SharedSlopeBackward"  # pyright: ignore[reportOptionalMemberAccess]
