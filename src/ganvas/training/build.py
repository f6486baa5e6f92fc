"""From a method and its data to a trainer: networks from the seed, a feed from its start, the loop around them."""

from __future__ import annotations

import torch

from ganvas.abilities import TwoStage, offers
from ganvas.data import Dataset
from ganvas.data.feed import make_feed
from ganvas.device import channels_last
from ganvas.method import Method
from ganvas.training.engine import Engine, compile_networks
from ganvas.training.init_from import take_networks
from ganvas.training.trainer import Budget, Trainer


def build_trainer(
    method: Method,
    budget: Budget,
    engine: Engine,
    *,
    data: Dataset,
    seed: int,
    first: Method | None = None,
    init_from: Method | None = None,
    compiled: bool = False,
    resumed: bool = False,
) -> Trainer:
    """Builds an unbuilt method and puts it into the loop. `first` is the trained first stage of a two-stage method; `init_from` a
    trained method whose networks it begins with. `resumed`: a checkpoint is loaded afterwards."""
    torch.manual_seed(seed)
    method.setup(data.spec)
    if first is not None and isinstance(method, TwoStage):
        method.load_first_stage(first)
    if not resumed and offers(method, Method.count_over):
        method.count_over(data.examples, data.partners)
    begun = False
    if not resumed and init_from is not None:
        begun = not take_networks(method, init_from)
    method.train()
    channels_last(method.to(engine.device))
    engine.copy_from_lead(method)
    if compiled:
        compile_networks(method.get_submodule(name) for name in method.averaged)
    generator = torch.Generator(engine.device).manual_seed(seed)
    feed = make_feed(
        data, batch_size=method.batch_size, window=method.text_window(), seed=seed, generator=generator,
        rank=engine.rank, ranks=engine.ranks, device=engine.device,
    )  # fmt: skip
    return Trainer(method, feed, engine, budget, resumed=resumed, begun=begun)
