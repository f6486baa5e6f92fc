"""Likelihoods in a training and in `ganvas evaluate`: beside the other figures, or alone."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from ganvas.abilities import HasLikelihood, Likelihood, Samples
from ganvas.data import open_data
from ganvas.files import read_json
from ganvas.method import REGISTERED, Batch, DataSpec, Method, Update, setting
from ganvas.metrics import extractors
from parts import image_file, small, train_small

SHAPE = (1, 28, 28)


@pytest.fixture(autouse=True)
def _no_mobilenet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digit network is faster, and what "auto" takes must not depend on what lies on this machine."""
    monkeypatch.setattr(extractors, "has_mobilenet_weights", lambda: False)


class Coin(nn.Module):
    """One logit for every pixel of every image."""

    def __init__(self) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """-log p(x), (N,), of x in [-1, 1]."""
        return (nn.functional.softplus(self.logit) - self.logit * (x + 1) / 2).flatten(1).sum(1)


@pytest.fixture
def coin(monkeypatch: pytest.MonkeyPatch) -> type[Method]:
    """A method that knows likelihoods and makes no images."""
    monkeypatch.setitem(REGISTERED, "coins", Method)  # so that what is registered below is undone after the test
    del REGISTERED["coins"]

    class Coins(Method, HasLikelihood):
        name = "coins"
        title = "one coin for all pixels"
        paper = "none, arXiv:0"
        averaged = ("coin",)
        batch_size: int = setting(16, "images a step", minimum=1)

        def build(self, spec: DataSpec) -> None:
            self.coin = Coin()

        def optimizers(self) -> dict[str, Optimizer]:
            return {"coin": SGD(self.coin.parameters(), lr=1e-4)}

        def updates(self) -> list[Update]:
            return [Update("coin", trains="coin", loss=self.loss)]

        def loss(self, batch: Batch) -> dict[str, Tensor]:
            return {"loss": self.coin(batch.real).mean()}

        def compute_likelihood(self, examples, labels, samples, generator) -> Likelihood:
            return Likelihood(self.coin(examples), "nats", exact=True)

    return Coins


def test_likelihood_alone(coin: type[Method], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train_small(coin(), tmp_path / "run", 4, samples=40, evaluate_every=2)
    assert not isinstance(run.method, Samples) and not list(run.folder.glob("samples/*"))
    assert run.metrics["metrics"].keys() == {"nats"}
    entry = run.metrics["metrics"]["nats"]
    assert entry["bound_or_exact"] == "exact" and entry["n"] == 4 and entry["value"] < 784 * math.log(2)
    assert read_json(run.folder / "best" / "metrics.json")["metrics"]["nats"]["value"] <= entry["value"]

    from ganvas.cli.main import main

    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(run.folder), "--device", "cpu"])
    shown = capsys.readouterr()
    assert not end.value.code, shown.err
    assert any(line.startswith("nats ") and "(exact, n 4)" in line for line in shown.out.splitlines())


def test_likelihood_beside_the_other_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = train_small("vae", tmp_path / "run", 2, samples=40)
    found = run.metrics["metrics"]
    assert {"nats", "FD[filter_bank]", "coverage"} <= found.keys()
    assert found["nats"]["samples"] == 1 and found["nats"]["bound_or_exact"] == "bound"

    from ganvas.cli.main import main

    words = ["evaluate", str(run.folder), "--samples", "40", "--importance-samples", "9", "--json", "--device", "cpu"]
    with pytest.raises(SystemExit) as end:
        main(words)
    assert not end.value.code
    kept = run.metrics["metrics"]["nats"]
    assert kept["samples"] == 9 and kept["value"] < kept["value_at_1"]
    assert kept["value_at_1"] == pytest.approx(found["nats"]["value"], rel=1e-6), "the same images, the same draws"
    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(run.folder), "--importance-samples", "0"])
    assert end.value.code == 2 and "--importance-samples must be at least 1 (got 0)" in capsys.readouterr().err


def test_without_a_test_split_there_is_none(tmp_path: Path) -> None:
    """Said once, and no reason to stop."""
    data = open_data(image_file(SHAPE), holdout=0)
    run = train_small(small("vae"), tmp_path / "run", 2, data, samples=40, evaluate_every=1)
    assert "nats" not in run.metrics["metrics"] and "coverage" in run.metrics["metrics"]
    said = [row["message"] for row in run.log() if row.get("event") == "said" and "no test split" in row["message"]]
    assert len(said) == 1
