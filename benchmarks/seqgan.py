"""seqgan and relgan on texts of a known origin (Yu 2017, sec. 5): an oracle, an LSTM with random weights, draws the training
texts, and how probable it finds generated ones judges them. Needs no data.

    python benchmarks/seqgan.py [--vocabulary 200] [--steps 2000] [--adversarial 250] [--relaxed 1000] [--seeds 0 1 2]
        [--methods seqgan relgan] [--set KEY=VALUE] [--set seqgan.KEY=VALUE] [--json]

oracle       the mean -log p of a token under the oracle, in nats, of 2,048 texts: of random tokens, of the oracle's own, after
             maximum likelihood alone, and after maximum likelihood and the adversarial phase; smaller is better
temperature  maximum likelihood sampled at temperatures below 1: the oracle says nothing of variety, so that such samples score
             better too (Caccia 2018, arXiv:1811.02549)
likelihood   bits per token of unseen texts of the oracle under the trained model: rises where variety is lost
distinct     different pairs of neighbouring tokens over all pairs, in the generated texts
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import facts, make_parser, parse, print_rows, settings_under
from torch import Tensor

from ganvas.data import Dataset, open_data
from ganvas.data.feed import make_feed
from ganvas.losses.truncation import drawn
from ganvas.metrics import measure_likelihood
from ganvas.networks.recurrent import RecurrentText
from ganvas.registry import create
from ganvas.sampling import sample
from ganvas.training.engine import start_engine
from ganvas.training.trainer import Budget, Trainer

LENGTH = 20  # tokens of a text, as in the paper
WIDTH = 32  # of the oracle and of the generator
FIRST = 0x4E00  # code point of the first token; there are 20,992 letters from here on
COUNT = 2048  # generated texts
TEMPERATURES = (0.9, 0.8, 0.7)
PLAIN = "maximum likelihood"


class Oracle:
    """An LSTM whose weights are normal numbers; tokens are numbered, and the one after the last ends a line."""

    def __init__(self, vocabulary: int, seed: int) -> None:
        self.vocabulary = vocabulary
        self.network = RecurrentText(vocabulary + 1, (WIDTH,), WIDTH, "lstm", tied=False)
        generator = torch.Generator().manual_seed(1000 + seed)
        for parameter in self.network.parameters():
            parameter.requires_grad_(False).copy_(torch.randn(parameter.shape, generator=generator))
        self.network.embedding.weight /= WIDTH**0.5  # scaled up again when it is used
        self.network.out.bias[vocabulary] = -1e9  # it ends no line

    def texts(self, count: int, first_seed: int) -> Tensor:
        """(count, LENGTH) tokens."""

        def choose(logits: Tensor, uniform: Tensor) -> Tensor:
            return drawn(logits.softmax(1), uniform)

        start = torch.tensor([self.vocabulary])
        uniforms = []
        for seed in range(first_seed, first_seed + count):
            uniforms.append(torch.rand(LENGTH, generator=torch.Generator().manual_seed(seed)))
        return self.network.continued(start, torch.stack(uniforms), choose)

    @torch.no_grad()
    def nats(self, texts: Tensor) -> Tensor:
        """-log p (n, LENGTH) of each token. A line's end counts as much as the least probable token there."""
        starts = torch.full((len(texts), 1), self.vocabulary)
        logits, _ = self.network(torch.cat([starts, texts[:, :-1]], 1).T)
        nats = -logits.log_softmax(2)[..., : self.vocabulary]
        nats = torch.cat([nats, nats.amax(2, keepdim=True)], 2)
        return nats.gather(2, texts.T[..., None])[..., 0].T


def main(arguments: list[str] | None = None) -> None:
    """Prints a table, or one JSON object."""
    parser = make_parser(__doc__, seeds=(0, 1, 2), preset="small", threads=1, settings="KEY=VALUE")
    parser.add_argument("--vocabulary", type=int, default=200, help="tokens of the oracle (the paper: 5000)")
    parser.add_argument("--texts", type=int, default=5000, help="training texts; a tenth as many are held out")
    parser.add_argument("--steps", type=int, default=2000, help="of maximum likelihood")
    parser.add_argument("--methods", nargs="+", choices=("seqgan", "relgan"), default=["seqgan", "relgan"])
    parser.add_argument(
        "--adversarial", type=int, default=250, help="seqgan: steps of the policy, after as many of D alone"
    )
    parser.add_argument("--relaxed", type=int, default=1000, help="relgan: steps of both, after as many of D alone")
    options = parse(parser, arguments)
    rows = []
    for seed in options.seeds:
        rows += rows_of(seed, options)
    print_rows(rows, options, facts(options))


def rows_of(seed: int, options: argparse.Namespace) -> list[dict[str, Any]]:
    """All rows of one oracle."""
    oracle = Oracle(options.vocabulary, seed)
    random = torch.randint(options.vocabulary, (COUNT, LENGTH), generator=torch.Generator().manual_seed(seed))
    rows = [
        row("random tokens", seed, oracle, random),
        row("the oracle's own", seed, oracle, oracle.texts(COUNT, 10**6)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        data = written(oracle, options.texts, Path(folder))
        for name in (PLAIN, *options.methods):
            start = time.process_time()
            trainer = trained(data, name, seed, options)
            seconds = time.process_time() - start
            method = trainer.average.method
            bits = measure_likelihood(method, data)["bits_per_character"].value  # pyright: ignore[reportArgumentType]
            for temperature in (1.0, *TEMPERATURES) if name == PLAIN else (1.0,):
                setattr(method, "temperature", temperature)  # noqa: B010 - a setting, which nn.Module does not know
                label = name if temperature == 1 else f"{name}, temperature {temperature}"
                texts = numbers(sample(method, COUNT, 0), data, options.vocabulary)
                rows.append(row(label, seed, oracle, texts, bits=bits, seconds=seconds))
    return rows


def written(oracle: Oracle, count: int, folder: Path) -> Dataset:
    """The oracle's texts as a file with one on each line, opened; the last tenth of it is held out."""
    texts = oracle.texts(count + count // 10, 0).numpy()
    lines = ["".join(chr(FIRST + token) for token in line) for line in texts]
    path = folder / "oracle.txt"
    path.write_text("\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return open_data(path, holdout=1 / 11)


def trained(data: Dataset, name: str, seed: int, options: argparse.Namespace) -> Trainer:
    """Steps of maximum likelihood, then of D alone and of both; of PLAIN those of maximum likelihood alone."""
    later = {PLAIN: 0, "seqgan": options.adversarial, "relgan": options.relaxed}[name]
    total = options.steps + 2 * later
    phases = {"pretrain": options.steps / total, "pretrain_d": later / total}
    kind = "seqgan" if name == PLAIN else name
    shared = {key: value for key, value in options.settings.items() if "." not in key}
    own = settings_under(kind, options.settings)
    method = create(kind, options.preset, {**phases, **shared, **own})
    torch.manual_seed(seed)
    method.setup(data.spec)
    method.train()
    generator = torch.Generator().manual_seed(seed)
    feed = make_feed(
        data, batch_size=method.batch_size, window=method.text_window(), seed=seed, generator=generator
    )  # fmt: skip
    trainer = Trainer(method, feed, start_engine("cpu", "fp32"), Budget(steps=total))
    for _ in range(total):
        trainer.step()
        trainer.tick()
    trainer.average.method.eval()
    return trainer


def numbers(samples: Tensor, data: Dataset, vocabulary: int) -> Tensor:
    """Samples (n, LENGTH) as the oracle numbers tokens."""
    numbered = []
    for token in data.spec.text.tokens:
        numbered.append(vocabulary if token == "\n" else ord(token) - FIRST)
    return torch.tensor(numbered)[samples.long()]


def row(
    name: str, seed: int, oracle: Oracle, texts: Tensor, bits: float = math.nan, seconds: float = 0
) -> dict[str, Any]:
    """One line of the table, with a 95 % interval over texts."""
    each = oracle.nats(texts).mean(1)
    pairs = (texts[:, :-1] * (oracle.vocabulary + 1) + texts[:, 1:]).numpy()
    return {
        "what": name, "seed": seed, "oracle": round(float(each.mean()), 3),
        "interval": round(1.96 * float(each.std()) / math.sqrt(len(each)), 3), "likelihood": round(bits, 3),
        "distinct": round(len(np.unique(pairs)) / pairs.size, 3), "seconds": round(seconds),
    }  # fmt: skip


if __name__ == "__main__":
    main()
