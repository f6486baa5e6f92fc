"""relgan: relaxed texts that lead D's gradient back to G, and a temperature that falls over the adversarial phase."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ganvas.data import Dataset, open_data
from ganvas.data.batch import Batch
from ganvas.data.feed import examples_of
from ganvas.data.spec import Window
from ganvas.errors import UsageError
from ganvas.methods.text.relgan import RelGAN
from ganvas.registry import create
from parts import trainer_for


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Texts that say their number, of four digits each."""
    path = tmp_path_factory.mktemp("lines") / "lines.txt"
    path.write_text("".join(f"\n{number:04}" for number in range(400)) + "\n")
    return open_data(path, holdout=0.1)


def built(data: Dataset, **settings: object) -> RelGAN:
    method = create("relgan", "tiny", {"window": 4, "beta_max": 100, **settings})
    assert isinstance(method, RelGAN)
    torch.manual_seed(0)
    method.setup(data.spec)
    return method


def batch_of(data: Dataset, count: int = 6, progress: float = 0.0) -> Batch:
    batch = examples_of(data, torch.arange(count).numpy(), Window(4, from_lines=True))
    batch.generator = torch.Generator().manual_seed(1)
    batch.progress = progress
    return batch


class CountsZeros(nn.Module):
    """A D whose logit is how many zeros it sees."""

    def __init__(self, zero: int) -> None:
        super().__init__()
        self.zero = zero

    def forward(self, seen: Tensor, mask: Tensor | None = None) -> Tensor:
        shares = seen[..., self.zero] if seen.ndim == 3 else (seen == self.zero).float()
        return 3 * shares.sum(1, keepdim=True)


def test_a_relaxed_text_is_near_the_drawn_one_at_the_end(lines: Dataset) -> None:
    """At the largest inverse temperature the shares are almost one-hot, at first they are a mixture; the greatest share is the
    drawn token in both."""
    method = built(lines)
    largest = []
    for progress in (0.0, 1.0):
        batch = batch_of(lines, 64, progress)
        start = batch.generator
        assert start is not None
        state = start.get_state()
        texts, _ = method.sampled(batch)
        start.set_state(state)
        shares, nats = method.relaxed(batch)
        assert torch.equal(shares.argmax(2), texts[:, 1:])
        assert_close(nats, -method.log_probabilities(texts).mean(1))
        largest.append(float(shares.detach().amax(2).mean()))
    assert largest[0] < 0.6 and largest[1] > 0.95, largest


def test_the_next_input_is_the_drawn_token(lines: Dataset) -> None:
    """Logits of one pass over the drawn text are those by which it was drawn, token by token."""
    method, batch = built(lines), batch_of(lines)
    texts, noise = method.sampled(batch)
    state = method.G.unpacked(torch.zeros(6, method.G.state_size))
    for place in range(4):
        logits, state = method.G.step(texts[:, place], state)
        assert torch.equal((logits + noise[:, place]).argmax(1), texts[:, place + 1])


def test_draws_are_as_often_as_probable(lines: Dataset) -> None:
    """Over many texts the first token comes as often as G says."""
    method = built(lines)
    batch = batch_of(lines, 1)
    batch.real = batch.real.expand(4000, -1)
    texts, _ = method.sampled(batch)
    logits, _ = method.G.step(batch.real[:1, 0], method.G.unpacked(torch.zeros(1, method.G.state_size)))
    shares = logits.detach().softmax(1)[0]
    counts = torch.bincount(texts[:, 1], minlength=len(shares)) / 4000
    assert float((counts - shares).abs().max()) < 0.02


def test_the_temperature_falls_over_the_adversarial_phase(lines: Dataset) -> None:
    """beta_max to the power of the phase's share: 1, 10, 100; before it 1."""
    method = built(lines, pretrain=0.5, pretrain_d=0.1, beta_max=100)
    assert [round(method.beta(progress), 4) for progress in (0, 0.6, 0.8, 1)] == [1, 1, 10, 100]


def test_the_loop_tells_the_progress(lines: Dataset) -> None:
    """Every batch of a step has the share of the budget before it, those of repeated updates too."""
    trainer = trainer_for(create("relgan", "tiny", {"window": 4, "critic_steps": 3, "beta_max": 100}), lines, steps=4)
    seen: list[float] = []
    method = trainer.method
    assert isinstance(method, RelGAN)
    told = method.beta
    method.beta = lambda progress: seen.append(progress) or told(progress)  # pyright: ignore[reportAttributeAccessIssue]
    for _ in range(2):
        trainer.step()
    assert sorted(set(seen)) == [0, 0.25]
    assert float(trainer.numbers()["generator/beta"]) == pytest.approx(100**0.25)


def test_g_learns_through_the_relaxed_text(lines: Dataset) -> None:
    """With a D that counts zeros G comes to write zeros, which no likelihood taught it."""
    trainer = trainer_for(create("relgan", "tiny", {"window": 4, "lr_adversarial": 0.02, "lr": 0.02}), lines)
    zero = lines.spec.text.tokens.index("0")
    method = trainer.method
    assert isinstance(method, RelGAN)
    method.D = CountsZeros(zero)  # pyright: ignore[reportAttributeAccessIssue]
    method.dropout = 0.0
    trainer.updates = [update for update in trainer.updates if update.name == "generator"]
    before = float((method.sampled(batch_of(lines, 32))[0][:, 1:] == zero).float().mean())
    for _ in range(60):
        trainer.step()
    after = float((method.sampled(batch_of(lines, 32))[0][:, 1:] == zero).float().mean())
    assert before < 0.3 and after > 0.8, (before, after)


def test_phases_come_one_after_the_other(lines: Dataset) -> None:
    method = built(lines, pretrain=0.5, pretrain_d=0.25)
    spans = {update.name: update.span for update in method.updates()}
    assert spans["likelihood"] == (0, 0.5) and spans["generator"][0] == 0.75 and spans["discriminator"][0] == 0.5
    assert method.schedule(0.5, 9) == pytest.approx(method.lr_adversarial / method.lr)


def test_representations_share_the_features_of_a_token(lines: Dataset) -> None:
    with pytest.raises(UsageError, match="d_embedding=8 is no multiple of representations=3"):
        built(lines, representations=3)


def test_discriminate_is_the_mean_over_representations(lines: Dataset) -> None:
    method, batch = built(lines, representations=4).eval(), batch_of(lines)
    logits = method.D(batch.real[:, 1:])
    assert logits.shape == (6, 4)
    assert_close(method.discriminate(batch, batch.real), logits.mean(1, keepdim=True))
