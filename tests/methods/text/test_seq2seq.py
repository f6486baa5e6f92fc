"""seq2seq: smoothed likelihood, the policy's reward, phases, and translations that depend on their text alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

import ganvas
from ganvas.abilities import translated_rows
from ganvas.data.batch import Batch
from ganvas.data.feed import examples_of
from ganvas.data.kinds.parallel_text import lengths, pairs_of, rows_of, texts_of_rows
from ganvas.errors import DataError, RunError, UsageError
from ganvas.losses.likelihood import smoothed
from ganvas.methods.text.seq2seq import Seq2Seq
from ganvas.networks.transformer import real_tokens
from ganvas.registry import create
from ganvas.tasks.translate_text import certainty
from parts import (
    Crash,
    CrashAfterSaving,
    assert_same,
    held_out,
    newest_state,
    sentences,
    small,
    train_small,
    trainer_for,
    weights,
)


def built(**settings: object) -> Seq2Seq:
    method = create("seq2seq", "tiny", settings)
    assert isinstance(method, Seq2Seq)
    torch.manual_seed(0)
    method.setup(sentences().spec)
    return method


def batch_of(count: int = 6) -> Batch:
    batch = examples_of(sentences(), np.arange(count))
    batch.generator = torch.Generator().manual_seed(1)
    return batch


# --- likelihood -----------------------------------------------------------------------------------------------------------


def test_label_smoothing_by_hand() -> None:
    """Of four tokens, p = 1/2, 1/4, 1/8, 1/8: 0.9 ln 2 and 0.1 of the mean of ln 2, ln 4, ln 8, ln 8."""
    log_p = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()
    found = smoothed(log_p[:, 0], log_p, 0.1)
    assert_close(found, torch.tensor([(0.9 + 0.1 * 9 / 4) * 0.6931472]))
    expected = nn.functional.cross_entropy(log_p, torch.tensor([0]), label_smoothing=0.1)
    assert_close(found[0], expected)


def test_the_loss_is_of_the_real_tokens() -> None:
    """An untrained network with all weights 0 gives every token the same probability."""
    method, batch = built(dropout=0.0, copying=False), batch_of()
    for parameter in method.G.parameters():
        parameter.data.zero_()
    assert batch.partner is not None
    real = int(real_tokens(batch.partner, method.end).sum())
    tokens = len(method.lengths)
    report = method.likelihood_loss(batch)
    nats = float(torch.tensor(float(tokens)).log())
    assert float(report["nats"]) == pytest.approx(nats, abs=1e-5)
    assert float(report["loss"].detach()) == pytest.approx(nats * real / batch.partner.numel(), abs=1e-5)


def test_certainty_is_the_mean_probability_of_a_token() -> None:
    """1/V for a network of zeros, however long the translation, with an end or not; in several blocks."""
    method, data = built(copying=False).eval(), sentences()
    for parameter in method.G.parameters():
        parameter.data.zero_()
    rows = np.resize(data.examples, (40, data.examples.shape[1]))
    translations = np.full((40, 5), method.end)
    for row in range(40):
        translations[row, : row % 6] = method.end + 1
    assert certainty(method, rows, translations) == pytest.approx([1 / len(method.lengths)] * 40)


def test_two_processes_have_the_gradient_of_one() -> None:
    method, whole = built(dropout=0.3), batch_of()
    gradients: list[Tensor] = []
    for rank, ranks in ((0, 1), (0, 2), (1, 2)):
        rows = slice(rank * 6 // ranks, (rank + 1) * 6 // ranks)
        assert whole.partner is not None
        batch = Batch(
            whole.real[rows],
            partner=whole.partner[rows],
            generator=torch.Generator().manual_seed(1),
            rank=rank,
            ranks=ranks,
        )
        loss = method.likelihood_loss(batch)["loss"]
        gradients.append(torch.autograd.grad(loss, method.G.get_parameter("embedding.weight"))[0])
    assert_close(gradients[0], (gradients[1] + gradients[2]) / 2)


@torch.no_grad()
def test_how_likely_a_translation_is() -> None:
    """The sum over its tokens of what the decoder gives them one by one, its end included."""
    method, batch = built().eval(), batch_of(3)
    assert batch.partner is not None
    found = method.partner_likelihood(batch.real, batch.partner)
    memory = method.G.encode(batch.real[1:2])
    cache, token, nats = method.G.start(memory), torch.tensor([method.end]), 0.0
    for following in batch.partner[1].tolist():
        log_p, cache = method.G.step(memory, cache, token)
        nats -= float(log_p[0, following])
        token = torch.tensor([following])
        if following == method.end:
            break
    assert float(found.nats[1]) == pytest.approx(nats, rel=1e-4)
    assert isinstance(found.terms, Tensor)
    text = texts_of_rows(batch.partner[1:2].numpy(), method.spec.text)[0]
    assert int(found.terms[1]) == len(f" {text}\n")


# --- adversarial training -------------------------------------------------------------------------------------------------


def test_its_own_translations_are_drawn_from_the_decoder() -> None:
    """A text that has ended stays ended; as often as the decoder says, the first token is the one."""
    method = built().eval()
    batch = examples_of(sentences(), np.zeros(2000, dtype=int))
    batch.generator = torch.Generator().manual_seed(1)
    texts = method.translations(batch)
    assert batch.partner is not None and texts.shape == batch.partner.shape
    after_end = ~real_tokens(texts, method.end)
    assert bool((texts[after_end] == method.end).all())
    memory = method.G.encode(batch.real[:1])
    expected = method.G.step(memory, method.G.start(memory), torch.tensor([method.end]))[0][0].exp().detach()
    found = torch.bincount(texts[:, 0], minlength=len(expected)) / 2000
    assert float((found - expected).abs().max()) < 0.04


def test_the_policy_learns_what_is_rewarded() -> None:
    """A D that counts one word of the sources: G comes to write it, which no likelihood taught it."""
    method = built(lr=0.02, lr_policy=0.02, batch_size=32, adversarial=1.0)
    trainer = trainer_for(method.with_settings({}), sentences())
    learner = trainer.method
    assert isinstance(learner, Seq2Seq)
    wanted = int(rows_of(["the"], sentences().spec.text, "x")[0, 0])

    class Counts(nn.Module):
        def forward(self, sources: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
            return (targets == wanted).float().mean(1, keepdim=True) * 6 - 3

    learner.D = Counts()  # pyright: ignore[reportAttributeAccessIssue]
    trainer.updates = [update for update in trainer.updates if update.name == "policy"]
    before = float((learner.translations(batch_of(32)) == wanted).float().mean())
    for _ in range(60):
        trainer.step()
    after = float((learner.translations(batch_of(32)) == wanted).float().mean())
    assert before < 0.1 and after > 0.25, (before, after)


def test_phases() -> None:
    method = built(pretrain=0.5, pretrain_d=0.25, warmup=10)
    spans = {update.name: update.span[0] for update in method.updates()}
    assert spans == {"likelihood": 0, "discriminator": 0.5, "policy": 0.75}
    final = method.lr_policy / method.lr
    assert method.schedule(0, 0) == pytest.approx(final + 0.1 * (1 - final))
    assert method.schedule(0.5, 99) == method.schedule(0.9, 999) == pytest.approx(final)
    plain = built(adversarial=0.0, warmup=10)
    assert [update.name for update in plain.updates()] == ["likelihood"] and not hasattr(plain, "D")
    assert plain.schedule(0.5, 99) == pytest.approx(0.5) and plain.schedule(1.0, 99) == 0
    noam = built(adversarial=0.0, warmup=16, decay="noam")
    assert [noam.schedule(0.1, step) for step in (7, 15, 63)] == pytest.approx([0.5, 1.0, 0.5])
    with pytest.raises(UsageError, match="width=10 is no multiple of heads=4"):
        built(width=10, heads=4)


def test_likelihood_alone_resumes_bit_for_bit(tmp_path: Path) -> None:
    """The contract's tests train with D; this is the default."""
    settings = {"adversarial": 0.0}
    whole = train_small(small("seq2seq", **settings), tmp_path / "whole", 6, seed=3)
    with pytest.raises(Crash):
        train_small(
            small("seq2seq", **settings),
            tmp_path / "cut",
            6,
            seed=3,
            checkpoint_every=3,
            callbacks=[CrashAfterSaving(3)],
        )
    resumed = train_small(small("seq2seq", **settings), tmp_path / "cut", 6, resume=tmp_path / "cut")
    assert weights(resumed) == weights(whole)
    assert_same(newest_state(resumed), newest_state(whole))


# --- translating ----------------------------------------------------------------------------------------------------------


def test_a_translation_depends_on_its_text_alone() -> None:
    method = built().eval()
    data = sentences()
    rows = data.examples[:40]
    many = texts_of_rows(translated_rows(method, rows, method.end), data.spec.text)
    alone = texts_of_rows(translated_rows(method, rows[17:18], method.end), data.spec.text)
    backwards = texts_of_rows(translated_rows(method, rows[::-1].copy(), method.end), data.spec.text)
    assert alone == [many[17]] and backwards == many[::-1] and len(set(many)) > 1


def test_a_translation_is_as_long_as_asked_at_least() -> None:
    """An untrained network without a length penalty prefers to end at once."""
    rows, end = sentences().examples[:20], sentences().spec.text.first
    asked = 1.2 * lengths(rows, end) - 1.2  # a source's end is none of its tokens
    found: list[np.ndarray] = []
    for shortest in (0.0, 1.2):
        method = built(shortest=shortest, length_penalty=0.0, beam=8).eval()
        found.append(
            lengths(np.pad(translated_rows(method, rows, end), ((0, 0), (0, 1)), constant_values=end), end) - 1
        )
    assert (found[0] < asked).any() and (found[1] >= asked).all()


def test_it_learns_to_translate(tmp_path: Path) -> None:
    """Word by word in reverse order: most words of unseen sentences after some seconds, where copying has none but the number."""
    settings = {"adversarial": 0.0, "width": 32, "hidden": 64, "lr": 5e-3, "batch_size": 32, "dropout": 0.0, "ema": 0.9}
    data = sentences(800)
    run = train_small(small("seq2seq", **settings), tmp_path / "run", 250, data)
    pairs = pairs_of(held_out(data))
    found = run.translate([pair[0] for pair in pairs])
    right = total = 0
    for text, (_, wanted) in zip(found, pairs, strict=True):
        total += len(wanted.split())
        right += sum(one == other for one, other in zip(text.split(), wanted.split(), strict=False))
    assert right / total > 0.4, right / total


def test_the_lexicon_is_counted_before_the_first_step(tmp_path: Path) -> None:
    """Where a training begins, of its pairs, in the averaged network too; what resumes has it from the checkpoint."""
    settings = {"adversarial": 0.0, "lexicon": 2}
    data = sentences(400)
    trainer = trainer_for(create("seq2seq", "tiny", settings), data)
    tokens = data.spec.text.tokens
    average = trainer.average.method
    assert isinstance(trainer.method, Seq2Seq) and isinstance(average, Seq2Seq)
    found = trainer.method.G.get_buffer("translations")[:, 0]
    words = [number for number in range(len(tokens)) if len(tokens[number]) > 3]
    translated = [tokens[int(found[number])] for number in words if int(found[number]) != number]
    assert len(translated) > 3 and torch.equal(average.G.get_buffer("translations")[:, 0], found)
    run = train_small(small("seq2seq", **settings), tmp_path / "run", 2, data)
    assert torch.equal(run.load_method().G.get_buffer("translations")[:, 0], found)
    resumed = train_small(small("seq2seq", **settings), tmp_path / "run", 4, data, resume=tmp_path / "run")
    assert torch.equal(resumed.load_method().G.get_buffer("translations")[:, 0], found)


def test_texts_in_and_out(tmp_path: Path) -> None:
    run = train_small("seq2seq", tmp_path / "run", 2)
    one = run.translate("the cat sat 1", device="cpu")
    assert isinstance(one, str) and run.translate(["a mat", "the cat sat 1"], device="cpu")[1] == one
    assert run.translate("the cat sat 1\n\n  the   cat sat 1", device="cpu") == f"{one}\n\n{one}"
    assert run.translate([], device="cpu") == []
    greedy = run.translate("the cat sat 1", device="cpu", beam=1)
    method = run.load_method(settings={"beam": 1})
    assert greedy == ganvas.tasks.translate(method, "the cat sat 1")
    with pytest.raises(DataError, match=r"the text has characters that the vocabulary lacks.*'é'"):
        run.translate("été", device="cpu")
    with pytest.raises(DataError, match=r"line 2 of the text has 1,\d+ tokens, more than 1,024"):
        run.translate("a\n" + "u" * 1100, device="cpu")
    with pytest.raises(RunError, match="seq2seq translates texts: give it a text"):
        run.translate(np.zeros((1, 8, 8, 1), np.uint8))  # pyright: ignore
    with pytest.raises(UsageError, match=r"translates ab \(got direction ba\)"):
        run.translate("a", "ba")
