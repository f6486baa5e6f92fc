"""rnn_text: exact bits per character, a state that continues from batch to batch, texts that are a function of their numbers."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from ganvas.abilities import Samples
from ganvas.data import Dataset, DataSpec, open_data
from ganvas.data.batch import Batch
from ganvas.data.spec import TextFacts
from ganvas.data.tokens import decode
from ganvas.errors import DataError, UsageError
from ganvas.methods.autoregressive.rnn_text import RecurrentTextModel
from ganvas.metrics import measure_likelihood
from ganvas.registry import create
from ganvas.sampling import continued, sample
from parts import Crash, CrashAfterSaving, newest_state, small, train_small, trainer_for, weights, words


def spec(tokens: tuple[str, ...] = ("a", "b", "\n", "ab"), merges: tuple[tuple[int, int], ...] = ((0, 1),)) -> DataSpec:
    return DataSpec("none", 1, 1, 1, 100, kind="text", text=TextFacts(tokens, merges))


def built(of: DataSpec | None = None, **settings: object) -> RecurrentTextModel:
    method = create("rnn_text", "tiny", settings)
    assert isinstance(method, RecurrentTextModel)
    torch.manual_seed(3)
    method.setup(of or spec())
    method.network.embedding.weight.data.normal_()  # with opinions
    return method.eval().requires_grad_(False)


def rows(count: int = 4, length: int = 9, high: int = 4) -> torch.Tensor:
    return torch.randint(high, (count, length), generator=torch.Generator().manual_seed(5))


# --- likelihood -----------------------------------------------------------------------------------------------------------


def test_a_uniform_model_takes_the_logarithm_of_the_vocabulary() -> None:
    """Each token costs log2(4) = 2 bits; of two-character tokens that is one bit a character."""
    method = built()
    method.network.embedding.weight.zero_()
    found = method.likelihood(torch.tensor([[0, 1, 0, 2, 1], [3, 3, 3, 3, 3]]))
    bits = found.nats / math.log(2)
    assert_close(bits, torch.tensor([8.0, 8.0]))
    assert isinstance(found.terms, torch.Tensor) and found.terms.tolist() == [4.0, 8.0]
    assert found.exact and found.unit == "bits_per_character"
    report = method.likelihood_loss(Batch(torch.tensor([[0, 1, 0, 2, 1], [3, 3, 3, 3, 3]])))
    assert_close(report["loss"], torch.tensor(math.log(4)))
    assert_close(report["bits_per_character"], torch.tensor(16 / 12))


def test_probabilities_sum_to_one_over_all_texts() -> None:
    """Of three tokens after a given one: 4^3 texts."""
    method = built()
    codes = torch.cartesian_prod(*[torch.arange(4)] * 3)
    texts = torch.cat([torch.full((64, 1), 2), codes], dim=1)
    total = (-method.likelihood(texts).nats.double()).exp().sum()
    assert_close(total, torch.tensor(1.0, dtype=torch.float64), atol=1e-5, rtol=0)


def test_a_character_costs_as_much_in_either_unit(tmp_path: Path) -> None:
    """Measured over whole windows, terms are characters predicted: byte pairs and characters compare."""
    path = tmp_path / "a.txt"
    path.write_text("the cat sat. " * 200)
    for tokens in ("characters", "bytepairs"):
        data = open_data(path, tokens=tokens, **({"vocabulary": 16} if tokens == "bytepairs" else {}))  # pyright: ignore[reportArgumentType]
        method = built(data.spec)
        method.network.embedding.weight.zero_()
        entry = measure_likelihood(method, data)["bits_per_character"]
        held = data.part("test")
        assert held is not None
        count = (len(held) - 1) * math.log2(len(data.spec.text.tokens))
        characters = len(decode(held.examples[1:], data.spec.text.tokens))
        assert entry.value == pytest.approx(count / characters, rel=1e-5)
        assert entry.details["bound_or_exact"] == "exact" and entry.n == 1


# --- the carried state ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_the_carried_state_makes_windows_one_long_pass(cell: str) -> None:
    trainer = trainer_for(small("rnn_text", cell=cell, dropout=0.0), words())
    method, feed = trainer.method, trainer.feed
    assert isinstance(method, RecurrentTextModel)
    parts, text = [], []
    with torch.no_grad():
        for step in range(4):
            batch = feed.next()
            assert batch.begins == (step == 0)
            report = method.likelihood_loss(batch)
            method.carry_state(report, batch)
            parts.append(report["loss"])
            text.append(batch.real[:, :-1])
        whole = torch.cat([*text, batch.real[:, -1:]], dim=1)  # pyright: ignore[reportPossiblyUnboundVariable]
        expected = method.likelihood(whole).nats.mean() / (whole.shape[1] - 1)
        alone = method.likelihood(batch.real).nats.mean() / method.window  # pyright: ignore[reportPossiblyUnboundVariable]
    assert_close(torch.stack(parts).mean(), expected, atol=1e-5, rtol=1e-5)
    assert abs(float(parts[-1] - alone)) > 1e-4, "what came before matters"


def test_the_state_starts_anew_where_a_batch_begins() -> None:
    method = built(batch_size=4)
    fresh = method.likelihood_loss(Batch(rows()))
    method.state.normal_(generator=torch.Generator().manual_seed(1))
    begun = method.likelihood_loss(Batch(rows(), begins=True))
    assert torch.equal(begun["loss"], fresh["loss"])
    states = [method.predicted(Batch(rows(), begins=True))[1]]
    method.state.zero_()
    states.append(method.predicted(Batch(rows(), begins=True))[1])
    assert torch.equal(*states), "nothing of the state before goes in"
    method.state.normal_(generator=torch.Generator().manual_seed(1))
    assert not torch.equal(method.likelihood_loss(Batch(rows(), begins=False))["loss"], fresh["loss"])


def test_each_process_moves_its_own_rows() -> None:
    method = built(batch_size=4)
    method.state.normal_(generator=torch.Generator().manual_seed(1))
    before = method.state.clone()
    states = []
    for batch in (Batch(rows(), begins=False), Batch(rows()[2:], rank=1, ranks=2, begins=False)):
        method.state.copy_(before)
        report = method.likelihood_loss(batch)
        assert torch.equal(method.state, before), "a loss moves no state"
        method.carry_state(report, batch)
        states.append(method.state.clone())
    whole, second = states
    assert torch.equal(second[:2], before[:2]) and not torch.equal(whole[:2], before[:2])
    assert_close(second[2:], whole[2:], atol=1e-6, rtol=1e-5)


def test_a_resume_needs_the_state(tmp_path: Path) -> None:
    """It is in the checkpoint; without it the next steps are others."""
    whole = train_small("rnn_text", tmp_path / "whole", 6)
    state = newest_state(whole)["method"]["state"]
    assert state.shape == (16, 32) and state.abs().sum() > 0
    with pytest.raises(Crash):
        train_small("rnn_text", tmp_path / "cut", 6, checkpoint_every=3, callbacks=[CrashAfterSaving(3)])
    resumed = train_small("rnn_text", tmp_path / "cut", 6, resume=tmp_path / "cut")
    assert weights(resumed) == weights(whole)
    with pytest.raises(Crash):
        train_small("rnn_text", tmp_path / "lost", 6, checkpoint_every=3, callbacks=[CrashAfterSaving(3)])
    forget = RecurrentTextModel.carry_state
    try:
        RecurrentTextModel.carry_state = lambda self, report, batch: None
        lost = train_small("rnn_text", tmp_path / "lost", 6, resume=tmp_path / "lost")
    finally:
        RecurrentTextModel.carry_state = forget
    assert weights(lost) != weights(whole)


def test_dropout_comes_from_the_batch() -> None:
    method = built(dropout=0.5)
    batch = Batch(rows(), generator=torch.Generator().manual_seed(0))
    masks = method.dropout_masks(batch)
    assert masks is not None and [tuple(mask.shape) for mask in masks] == [(1, 4, 8), (1, 4, 16)]
    assert set(torch.cat([mask.flatten() for mask in masks]).tolist()) == {0.0, 2.0}
    assert built().dropout_masks(batch) is None


# --- sampling -------------------------------------------------------------------------------------------------------------


def test_a_text_is_a_function_of_its_numbers() -> None:
    """Each token's interval by the probabilities of a whole pass over what was drawn."""
    method = built()
    latents = method.latents(range(5))
    made = method.generate(latents)
    text = torch.cat([torch.full((5, 1), 2), made], dim=1)  # it begins after a line break
    logits, _ = method.network(text[:, :-1].T)
    upto = logits.softmax(2).cumsum(2).permute(1, 0, 2)
    drawn = (latents[:, :, None] >= upto[:, :, :-1]).sum(2)
    assert torch.equal(drawn, made) and len(made.unique()) == 4


def test_temperature_top_k_and_top_p_reach_the_draw() -> None:
    latents = built().latents(range(30))
    greedy = built(temperature=0).generate(latents)
    assert (greedy == greedy[0]).all(), "no chance is left"
    for near in (built(top_k=1), built(top_p=0.0), built(temperature=1e-4)):
        assert torch.equal(near.generate(latents), greedy)
    free = built().generate(latents)
    assert len(free.unique(dim=0)) == 30
    two = built(top_k=2).generate(latents)
    assert len(two.unique(dim=0)) > 1 and not torch.equal(two, free)


def test_going_on_from_a_prompt() -> None:
    """What was read before counts, and comes first."""
    method = built()
    made = continued(method, "abab\nb", 3, seed=4)
    assert made.shape == (3, 4 + 20) and made[:, :4].tolist() == [[3, 3, 2, 1]] * 3
    with pytest.raises(DataError, match="vocabulary lacks"):
        continued(method, "x", 1)
    with pytest.raises(UsageError, match="prompt is empty"):
        continued(method, "", 1)
    start = torch.tensor([0, 1, 0])
    latents = method.latents(range(6))
    again = method.continue_text(start, latents)
    text = torch.cat([start.expand(6, -1), again], dim=1)
    logits, _ = method.network(text[:, :-1].T)
    upto = logits[2:].softmax(2).cumsum(2).permute(1, 0, 2)
    assert torch.equal((latents[:, :, None] >= upto[:, :, :-1]).sum(2), again)
    assert not torch.equal(again, method.continue_text(torch.tensor([1]), latents))


def test_where_a_text_begins() -> None:
    assert built().first == 2 and built(spec(("x", " "), ())).first == 1 and built(spec(("x", "y"), ())).first == 0


def test_settings_of_sampling_may_be_changed_and_no_others(tmp_path: Path) -> None:
    run = train_small("rnn_text", tmp_path / "run", 3, words())
    texts = run.sample(2, settings={"length": 7, "temperature": "0"})
    assert texts[0] == texts[1] and len(texts[0]) == 7
    assert len(run.sample(1)[0]) == 20, "the run itself stays as it was"
    assert run.sample(1, prompt="the cat", settings={"length": 3})[0].startswith("the cat")
    with pytest.raises(
        UsageError, match=r"lr was settled by training; what can be set .* length, temperature, top_k, top_p"
    ):
        run.sample(1, settings={"lr": 1})
    with pytest.raises(UsageError, match="temperature must be >= 0"):
        run.sample(1, settings={"temperature": -1})


def test_a_method_of_images_takes_no_prompt() -> None:
    trainer = trainer_for(small("gan"))
    with pytest.raises(UsageError, match=r"gan cannot continue a text.*rnn_text"):
        continued(trainer.method, "once", 1)


# --- learning -------------------------------------------------------------------------------------------------------------


def entropy(data: Dataset, known: int) -> float:
    """Bits per character of a character given the `known` before it, from counts of the training part itself."""
    text = decode(data.examples, data.spec.text.tokens)
    longer = Counter(text[i : i + known + 1] for i in range(len(text) - known))
    shorter = Counter(text[i : i + known] for i in range(len(text) - known))
    total = sum(longer.values())
    return -sum(n / total * math.log2(n / shorter[key[:known]]) for key, n in longer.items())


def test_it_learns_more_than_counts_of_pairs_know() -> None:
    """Held-out bits per character after some seconds, below the entropy given one character, and far below that given none."""
    data = words()
    method = small("rnn_text", widths="48", embedding=16, window=32, lr=1e-2, ema=0.9)
    trainer = trainer_for(method, data, steps=120)
    for _ in range(120):
        trainer.step()
    averaged = trainer.average.method
    assert isinstance(averaged, RecurrentTextModel) and isinstance(averaged, Samples)
    found = measure_likelihood(averaged, data)["bits_per_character"].value
    assert entropy(data, 0) > 3.3 and 1.5 < entropy(data, 1) < 2.5
    assert found < entropy(data, 1) - 0.3
    known = {"the", "cat", "sat", "on", "a", "mat,", "and", "dogs", "ran.", "Oh", "no!"}
    made = [decode(row.numpy(), data.spec.text.tokens) for row in sample(averaged, 20).long()]
    written = [word for text in made for word in text.split()[:-1]]
    assert sum(word in known for word in written) > 0.6 * len(written)
