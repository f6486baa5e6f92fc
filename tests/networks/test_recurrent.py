"""The recurrent network: a step by hand, steps against whole passes, and what goes up but never on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from ganvas.networks.recurrent import RecurrentText, packed

cells = pytest.mark.parametrize("cell", ["lstm", "gru"])


def network(cell: str = "lstm", widths: tuple[int, ...] = (6, 5), tied: bool = True) -> RecurrentText:
    torch.manual_seed(0)
    return RecurrentText(7, widths, 4, cell, tied)


def tokens(steps: int = 9, rows: int = 3) -> torch.Tensor:
    return torch.randint(7, (steps, rows), generator=torch.Generator().manual_seed(1))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@torch.no_grad()
def test_an_lstm_step_by_hand() -> None:
    """One feature. The embedding of the token is 0.5, and of the size that enters the layer: 0.5 * sqrt(1)."""
    made = RecurrentText(2, (1,), 1, "lstm", tied=True)
    made.embedding.weight.copy_(torch.tensor([[0.5], [-2.0]]))
    layer = made.layers[0]
    layer.get_parameter("weight_ih_l0").copy_(torch.tensor([[1.0], [2.0], [3.0], [4.0]]))  # i, f, g, o
    layer.get_parameter("weight_hh_l0").copy_(torch.tensor([[0.1], [0.2], [0.3], [0.4]]))
    layer.get_parameter("bias_ih_l0").copy_(torch.tensor([0.0, 1.0, 0.0, 0.0]))
    layer.get_parameter("bias_hh_l0").zero_()
    h, c = 0.7, -0.3
    i, f, g, o = (sigmoid(0.57), sigmoid(2.14), math.tanh(1.71), sigmoid(2.28))
    c_new = f * c + i * g
    h_new = o * math.tanh(c_new)
    logits, after = made(torch.tensor([[0]]), torch.tensor([[h, c]]))
    assert_close(after, torch.tensor([[h_new, c_new]]))
    assert_close(logits, torch.tensor([[[0.5 * h_new, -2.0 * h_new]]]))


@cells
@pytest.mark.parametrize("tied", [True, False])
def test_steps_are_the_whole_pass(cell: str, tied: bool) -> None:
    made, text = network(cell, tied=tied), tokens()
    logits, after = made(text)
    state = made.unpacked(torch.zeros(3, made.state_size))
    for t in range(len(text)):
        one, state = made.step(text[t], state)
        assert_close(one, logits[t], atol=1e-5, rtol=1e-5)
    assert_close(packed(state), after, atol=1e-5, rtol=1e-5)


@cells
def test_two_passes_with_the_state_between_are_one(cell: str) -> None:
    made, text = network(cell), tokens()
    logits, after = made(text)
    first, between = made(text[:4])
    second, end = made(text[4:], between)
    assert_close(torch.cat([first, second]), logits, atol=1e-5, rtol=1e-5)
    assert_close(end, after, atol=1e-5, rtol=1e-5)
    assert (second - made(text[4:])[0]).abs().max() > 1e-4, "the state says something"


@cells
def test_no_later_token_is_seen(cell: str) -> None:
    made, text = network(cell), tokens()
    other = text.clone()
    other[5:] = (other[5:] + 1) % 7
    a, b = made(text)[0], made(other)[0]
    assert torch.equal(a[:5], b[:5]) and not torch.equal(a[5], b[5])


@cells
def test_state_is_packed_and_unpacked(cell: str) -> None:
    made = network(cell)
    state = torch.arange(3.0 * made.state_size).view(3, -1)
    assert made.state_size == (22 if cell == "lstm" else 11)
    assert torch.equal(packed(made.unpacked(state)), state)
    assert [tuple(part.shape[1] for part in layer) for layer in made.unpacked(state)] == (
        [(6, 6), (5, 5)] if cell == "lstm" else [(6,), (5,)]
    )


def test_one_matrix_embeds_and_scores() -> None:
    tied, free = network(), network(tied=False)
    assert tied.out.get_parameter("bias").shape == (7,) and not hasattr(tied.out, "weight")
    assert isinstance(tied.project, nn.Linear) and isinstance(network(widths=(6, 4)).project, nn.Identity)
    tied(tokens())[0][0].sum().backward()
    assert tied.embedding.weight.grad is not None and (tied.embedding.weight.grad.abs().sum(1) > 0).all(), (
        "each token's row is moved by its score, read or not"
    )
    assert free.out.weight.shape == (7, 5)


@torch.no_grad()
def test_dropout_takes_what_goes_up_and_never_what_goes_on() -> None:
    """With everything of the embedding left out, the input is nothing but zeros; the state still moves by itself."""
    made, text = network(widths=(6,)), tokens()
    state = torch.randn(3, made.state_size, generator=torch.Generator().manual_seed(2))
    kept = [torch.zeros(1, 3, 4), torch.ones(1, 3, 6)]
    a, after = made(text, state, kept)
    b, _ = made((text + 1) % 7, state, kept)
    assert torch.equal(a, b) and (after - state).abs().max() > 0.01
    above = [torch.ones(1, 3, 4), torch.zeros(1, 3, 6)]
    logits, same = made(text, state, above)
    assert_close(same, made(text, state)[1])
    assert_close(logits, made.out.bias.expand_as(logits))


def test_forget_gates_begin_open() -> None:
    bias = network(widths=(6,)).layers[0].get_parameter("bias_ih_l0").detach()
    assert (bias[6:12] == 1).all() and (bias[:6] != 1).all()
