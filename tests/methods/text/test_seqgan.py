"""seqgan: completions of unfinished texts, their mean score as a reward, and rows that begin where lines do."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from ganvas.data import Dataset, open_data
from ganvas.data.batch import Batch
from ganvas.data.feed import count_examples, examples_of, make_feed
from ganvas.data.spec import Window
from ganvas.errors import DataError
from ganvas.methods.text.seqgan import SeqGAN
from ganvas.metrics import measure_likelihood
from ganvas.registry import create
from parts import small, trainer_for


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Texts that say their number, of four digits each."""
    path = tmp_path_factory.mktemp("lines") / "lines.txt"
    path.write_text("".join(f"\n{number:04}" for number in range(400)) + "\n")
    return open_data(path, holdout=0.1)


def built(data: Dataset, **settings: object) -> SeqGAN:
    method = create("seqgan", "tiny", {"window": 4, **settings})
    assert isinstance(method, SeqGAN)
    torch.manual_seed(0)
    method.setup(data.spec)
    return method


def batch_of(data: Dataset, count: int = 6) -> Batch:
    batch = examples_of(data, torch.arange(count).numpy(), Window(4, from_lines=True))
    batch.generator = torch.Generator().manual_seed(1)
    return batch


# --- rows -----------------------------------------------------------------------------------------------------------------


def test_an_epoch_has_the_start_of_every_line_once(lines: Dataset) -> None:
    generator = torch.Generator().manual_seed(0)
    window = Window(4, from_lines=True)
    feed = make_feed(lines, batch_size=24, window=window, seed=0, generator=generator)
    tokens = lines.spec.text.tokens
    texts = []
    for _ in range(15):
        for row in feed.next().real.tolist():
            texts.append("".join(tokens[number] for number in row))
    assert count_examples(lines, window) == 360 == len(texts)
    assert sorted(texts) == [f"\n{number:04}" for number in range(360)]
    assert texts != sorted(texts)


def test_two_processes_share_the_rows_of_one(lines: Dataset) -> None:
    window = Window(4, from_lines=True)
    rows = []
    for rank, ranks in ((0, 1), (0, 2), (1, 2)):
        feed = make_feed(
            lines, batch_size=8, window=window, seed=3, generator=torch.Generator(), rank=rank, ranks=ranks
        )
        feed.next()
        rows.append(feed.next().real)
    assert torch.equal(rows[0], torch.cat(rows[1:]))


def test_a_text_without_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("abc " * 300)
    data = open_data(path)
    with pytest.raises(DataError, match="has no line with 8 tokens after its start: put one example on each line"):
        trainer_for(small("seqgan"), data)


# --- rewards --------------------------------------------------------------------------------------------------------------


def test_completions_keep_what_is_there(lines: Dataset) -> None:
    """The completion that was cut after token t begins as its text does, and goes on in its own way."""
    method, batch = built(lines, rollouts=5), batch_of(lines)
    texts, states = method.sampled(batch)
    completed = method.completions(batch, texts, states)
    assert completed.shape == (3, 6, 5, 5)
    for cut in range(3):
        kept = completed[cut, :, :, : cut + 2]
        assert torch.equal(kept, texts[:, None, : cut + 2].expand_as(kept))
    assert not torch.equal(completed[0, :, 0, 2:], completed[0, :, 1, 2:])


def test_a_completion_goes_on_from_the_state_of_its_text(lines: Dataset) -> None:
    """A generator that repeats the last token but one: it must know what came before the cut."""
    method, batch = built(lines, rollouts=2), batch_of(lines)
    tokens = len(lines.spec.text.tokens)

    class Alternates(nn.Module):
        state_size = 2

        def unpacked(self, state: Tensor) -> list[tuple[Tensor, ...]]:
            return [(state[:, :1], state[:, 1:])]

        def step(self, token: Tensor, state: list[tuple[Tensor, ...]]) -> tuple[Tensor, list[tuple[Tensor, ...]]]:
            older = state[0][1][:, 0].long()
            logits = torch.full((len(token), tokens), -1e4)
            logits[torch.arange(len(token)), older] = 1e4
            return logits, [(state[0][1], token[:, None].float())]

    method.G = Alternates()  # pyright: ignore[reportAttributeAccessIssue]
    texts, states = method.sampled(batch)
    assert torch.equal(texts[:, 2:], texts[:, :-2])
    completed = method.completions(batch, texts, states)
    assert torch.equal(completed, texts[None, :, None].expand_as(completed))


def test_a_reward_is_the_mean_score_of_the_completions(lines: Dataset) -> None:
    """A D that counts zeros, by hand: eq. 4."""
    method, batch = built(lines, rollouts=3), batch_of(lines)
    zero = lines.spec.text.tokens.index("0")

    class CountsZeros(nn.Module):
        def forward(self, seen: Tensor, mask: Tensor | None = None) -> Tensor:
            share = (seen == zero).float().mean(1, keepdim=True)
            return (share * 0.8 + 0.1).logit()

    method.D = CountsZeros()  # pyright: ignore[reportAttributeAccessIssue]
    texts, states = method.sampled(batch)
    batch.generator = torch.Generator().manual_seed(2)
    completed = method.completions(batch, texts, states)
    batch.generator = torch.Generator().manual_seed(2)
    rewards = method.rewards(batch, texts, states)
    shares = (completed[..., 1:] == zero).float().mean((2, 3)).T * 0.8 + 0.1
    assert_close(rewards[:, :-1], shares)
    assert_close(rewards[:, -1], (texts[:, 1:] == zero).float().mean(1) * 0.8 + 0.1)


def test_the_policy_learns_what_is_rewarded(lines: Dataset) -> None:
    """With a D that counts zeros G comes to write zeros, which no likelihood taught it."""
    method = built(lines, batch_size=32, rollouts=2, lr_policy=0.02, lr=0.02)
    trainer = trainer_for(method.with_settings({}), lines)
    zero = lines.spec.text.tokens.index("0")

    class CountsZeros(nn.Module):
        def forward(self, seen: Tensor, mask: Tensor | None = None) -> Tensor:
            return (seen == zero).float().mean(1, keepdim=True) * 6 - 3

    learner = trainer.method
    assert isinstance(learner, SeqGAN)
    learner.D = CountsZeros()  # pyright: ignore[reportAttributeAccessIssue]
    trainer.updates = [update for update in trainer.updates if update.name == "policy"]
    before = float((learner.sampled(batch_of(lines, 32))[0][:, 1:] == zero).float().mean())
    for _ in range(60):
        trainer.step()
    after = float((learner.sampled(batch_of(lines, 32))[0][:, 1:] == zero).float().mean())
    assert before < 0.3 and after > 0.8, (before, after)


# --- phases and likelihood --------------------------------------------------------------------------------------------------


def test_likelihood_comes_first_then_d_then_both(lines: Dataset) -> None:
    method = built(lines, pretrain=0.5, pretrain_d=0.25)
    spans = {update.name: update.span for update in method.updates()}
    assert spans["likelihood"] == (0, 0.5) and spans["policy"][0] == 0.75 and spans["discriminator"][0] == 0.5
    assert method.schedule(0, 0) == 1.0
    assert method.schedule(0.5, 9) == pytest.approx(method.lr_policy / method.lr)


def test_held_out_lines_are_predicted_from_their_start(lines: Dataset) -> None:
    """Digits that are drawn evenly cost log2(11) bits each, of 11 characters with the line's end."""
    method = built(lines)
    for parameter in method.G.parameters():
        parameter.data.zero_()
    figure = measure_likelihood(method, lines)["bits_per_character"]
    assert figure.value == pytest.approx(3.459432, abs=1e-4)
    assert figure.n == 39
