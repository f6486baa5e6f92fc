"""The moving average, worked out by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.testing import assert_close

from ganvas.method import Method
from ganvas.training.average import Average
from parts import small, trainer_for


class Parts(Method):
    averaged = ("G",)

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.G = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
        self.D = nn.Linear(1, 1)
        nn.init.constant_(self.G[0].weight, 1.0)  # pyright: ignore[reportArgumentType]


def test_average_by_hand() -> None:
    method = Parts()
    average = Average(method)
    with torch.no_grad():
        method.G[0].weight.fill_(3.0)  # pyright: ignore[reportCallIssue]
        method.G[1].running_mean.fill_(8.0)  # pyright: ignore[reportCallIssue]
        method.G[1].num_batches_tracked.fill_(17)  # pyright: ignore[reportCallIssue]
    average.update(0.75)
    G = average.networks["G"]
    assert_close(G[0].weight, torch.tensor([[1.5]]))  # 0.75 * 1 + 0.25 * 3  # pyright: ignore[reportIndexIssue]
    assert_close(G[1].running_mean, torch.tensor([2.0]))  # 0.75 * 0 + 0.25 * 8  # pyright: ignore[reportIndexIssue]
    assert G[1].num_batches_tracked == 17, "a counter is copied"  # pyright: ignore[reportIndexIssue]
    average.update(0.75)
    assert_close(G[0].weight, torch.tensor([[1.875]]))  # pyright: ignore[reportIndexIssue]
    average.update(0.0)
    assert_close(G[0].weight, method.G[0].weight)  # pyright: ignore[reportIndexIssue]
    assert method.G[0].weight.item() == 3.0  # pyright: ignore[reportCallIssue]


def test_the_averaged_method_shares_all_but_the_average() -> None:
    method = Parts()
    average = Average(method)
    assert average.method.D is method.D and average.method.G is not method.G
    assert average.method.G is average.networks["G"] and method.G.training and not average.method.G.training
    assert not any(parameter.requires_grad for parameter in average.networks.parameters())
    assert method.G[0].weight.requires_grad


def test_the_loop_averages_after_each_step() -> None:
    """Decay (1 + t) / (10 + t) at first: 2/11 of the start is left after step 1."""
    trainer = trainer_for(small("gan"))
    start = trainer.method.G.layers[0].weight.detach().clone()
    trainer.step()
    now = trainer.method.G.layers[0].weight.detach()
    assert_close(trainer.average.networks["G"].layers[0].weight, start * 2 / 11 + now * 9 / 11)  # pyright: ignore[reportAttributeAccessIssue, reportIndexIssue]
