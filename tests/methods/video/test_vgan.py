from __future__ import annotations

import pytest
import torch

from ganvas.methods.video.vgan import VGAN
from ganvas.networks.video import TwoStreamGenerator
from ganvas.registry import create
from parts import films, trainer_for


def test_a_background_is_learned_with_the_rest() -> None:
    trainer = trainer_for(create("vgan", "tiny", {"background": True, "conditional": True}), films())
    method = trainer.method
    assert isinstance(method, VGAN)
    found = [module for module in method.G.modules() if isinstance(module, TwoStreamGenerator)]
    assert len(found) == 1
    before = found[0].still.project.weight.clone()
    trainer.step()
    assert not torch.equal(found[0].still.project.weight, before)


def test_a_classs_logit_is_of_that_class() -> None:
    trainer = trainer_for(create("vgan", "tiny", {"conditional": True, "frames_seen": 0}), films())
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, VGAN) and batch.label is not None
    with torch.no_grad():
        twice = method.scores(batch, torch.cat([batch.real, batch.real]))[0]
        outputs = method.D.get_submodule("clips")(batch.real)
        own = outputs[torch.arange(len(batch)), 1 + batch.label]
        expected = (outputs[:, 0] + own)[:, None]
    torch.testing.assert_close(twice, torch.cat([expected, expected]), rtol=1e-4, atol=1e-5)


def test_classification_by_hand() -> None:
    """Each network's loss grows by 0.5 times the mean cross-entropy of the class: D's on real clips, G's on its own."""
    losses: list[tuple[float, float]] = []
    for weight in (0.0, 0.5):
        torch.manual_seed(0)
        settings = {"conditional": True, "frames_seen": 0, "classify": weight}
        trainer = trainer_for(create("vgan", "tiny", settings), films())
        method, batch = trainer.method, trainer.feed.next()
        assert isinstance(method, VGAN) and batch.label is not None
        fake = batch.memo("fake", lambda method=method, batch=batch: method.generate_for(batch))
        found = method.generator_loss(batch)["loss"], method.discriminator_loss(batch)["loss"]
        with torch.no_grad():
            rows = torch.arange(len(batch)), batch.label
            shares = [method.D.get_submodule("clips")(clips)[:, 1:].softmax(1)[rows] for clips in (fake, batch.real)]
        added = [-0.5 * share.log().mean().item() if weight else 0.0 for share in shares]
        losses.append((found[0].item() - added[0], found[1].item() - added[1]))
    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_a_second_discriminator_sees_frames_unless_it_is_omitted() -> None:
    for seen, found in ((0, ["clips"]), (3, ["frames", "clips"])):
        trainer = trainer_for(create("vgan", "tiny", {"frames_seen": seen}), films())
        method, batch = trainer.method, trainer.feed.next()
        assert isinstance(method, VGAN) and [name for name, _ in method.D.named_children()] == found
        with torch.no_grad():
            rows = [len(logits) for logits in method.scores(batch, batch.real)]
        assert rows == [8] if seen == 0 else rows == [3 * 8, 8]
        assert len(method.strengths()) == len(found)
