from __future__ import annotations

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
    trainer = trainer_for(create("vgan", "tiny", {"conditional": True, "loss": "relativistic", "noise": 0.0}), films())
    method, batch = trainer.method, trainer.feed.next()
    assert isinstance(method, VGAN) and batch.label is not None
    with torch.no_grad():
        twice = method.scores(batch, torch.cat([batch.real, batch.real]))[0]
        expected = method.D(batch.real, batch.label)
    torch.testing.assert_close(twice, torch.cat([expected, expected]), rtol=1e-4, atol=1e-5)
