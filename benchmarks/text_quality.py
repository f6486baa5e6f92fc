"""Quality against variety on real lines of text: the plain likelihood model over sampling temperatures, beside seqgan and relgan.

    python benchmarks/text_quality.py [FILE] [--unit characters] [--vocabulary 1000] [--seeds 0 1 2] [--steps 1000]
        [--adversarial 60] [--relaxed 120] [--set KEY=VALUE] [--set seqgan.KEY=VALUE] [--json]

FILE has an example on each line, held out is its last tenth. Without it: the names of regions that the package pycountry has in
plain letters, in random order. A low temperature gives better texts that are more alike, so a GAN is ahead only where its point
lies beyond the curve of the temperatures (Caccia 2018, arXiv:1811.02549).

BLEU       of 1,000 generated texts against the held-out lines, in percent: larger is better
self_BLEU  of the generated texts against each other: smaller is more variety; `real lines` says what is usual
distance   squared Fréchet distance to the held-out lines by features of another language model, trained on the training lines
judge      nats of a generated token under that language model: smaller is more probable
held_out   bits per character of held-out lines under the generator itself: rises where variety is lost
known      share of generated texts that are a training line, in percent

The plain model has its learning rate fall over all its steps, as a training by itself would; the GANs start from as many steps.
"""

from __future__ import annotations

import argparse
import importlib
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from common import facts, make_parser, parse, print_rows, with_means
from seqgan import PLAIN, trained
from torch import Tensor

from ganvas.data import Dataset, open_data
from ganvas.data.feed import count_examples, examples_of
from ganvas.data.spec import Window
from ganvas.metrics import measure_likelihood
from ganvas.metrics.text_quality import bleu, self_bleu, text_distance
from ganvas.networks.recurrent import RecurrentText
from ganvas.sampling import sample

COUNT = 1000  # generated texts
ORDERS = {"characters": 5, "words": 3}  # of BLEU
JUDGE_SEED = 1000


class Judges(NamedTuple):
    """What generated texts are measured by."""

    data: Dataset
    network: RecurrentText
    real: Tensor
    """Held-out texts (n, window)."""
    known: frozenset[str]
    """Training lines."""
    unit: str


def main(arguments: list[str] | None = None) -> None:
    """Prints a table, or one JSON object."""
    parser = make_parser(__doc__, seeds=(0, 1, 2), preset="small", threads=1, settings="KEY=VALUE")
    parser.add_argument("file", nargs="?", type=Path, help="a text file with an example on each line")
    parser.add_argument("--unit", choices=tuple(ORDERS), default="characters", help="what BLEU counts")
    parser.add_argument("--vocabulary", type=int, default=0, help="byte-pair tokens; 0: tokens are characters")
    parser.add_argument("--methods", nargs="*", choices=("seqgan", "relgan"), default=["seqgan", "relgan"])
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0, 0.9, 0.8, 0.7, 0.6, 0.5])
    parser.add_argument("--steps", type=int, default=1000, help="of maximum likelihood")
    parser.add_argument(
        "--adversarial", type=int, default=60, help="seqgan: steps of the policy, after as many of D alone"
    )
    parser.add_argument("--relaxed", type=int, default=120, help="relgan: steps of both, after as many of D alone")
    options = parse(parser, arguments)
    with tempfile.TemporaryDirectory() as folder:
        tokens = {"tokens": "bytepairs", "vocabulary": options.vocabulary} if options.vocabulary else {}
        data = open_data(options.file or names(Path(folder)), **tokens)
        judges = judges_of(data, options)
        rows = real_rows(judges)
        for seed in options.seeds:
            for name in (PLAIN, *options.methods):
                rows += rows_of(name, seed, judges, options)
    about = {**facts(options), "lines": data.name, "train": len(judges.known), "held_out": len(judges.real)}
    print_rows(with_means(rows), options, about)


def names(folder: Path) -> Path:
    """A file of names of regions."""
    pycountry = importlib.import_module("pycountry")
    found = sorted({region.name for region in pycountry.subdivisions if region.name.isascii()})
    random.Random(0).shuffle(found)
    path = folder / "names.txt"
    path.write_text("\n" + "\n".join(found) + "\n", encoding="utf-8")
    return path


def judges_of(data: Dataset, options: argparse.Namespace) -> Judges:
    """A language model of another seed, held-out texts, and the training lines."""
    trainer = trained(data, PLAIN, JUDGE_SEED, options)
    method = trainer.average.method
    test = data.part("test")
    assert test is not None
    window = method.text_window()
    rows = torch.arange(min(COUNT, count_examples(test, window))).numpy()
    real = examples_of(test, rows, window).real[:, 1:]
    known = frozenset(lines_of(every_row(data, window), data))
    return Judges(data, method.G, real, known, options.unit)


def every_row(data: Dataset, window: Window) -> Tensor:
    """All texts of a split (n, window)."""
    rows = torch.arange(count_examples(data, window)).numpy()
    return examples_of(data, rows, window).real[:, 1:]


def rows_of(name: str, seed: int, judges: Judges, options: argparse.Namespace) -> list[dict[str, Any]]:
    """A training; of the plain model a row for each temperature."""
    start = time.process_time()
    method = trained(judges.data, name, seed, options).average.method
    seconds = time.process_time() - start
    bits = measure_likelihood(method, judges.data)["bits_per_character"].value  # pyright: ignore[reportArgumentType]
    rows: list[dict[str, Any]] = []
    for temperature in options.temperatures if name == PLAIN else (1.0,):
        setattr(method, "temperature", temperature)  # noqa: B010 - a setting, which nn.Module does not know
        what = f"{name}, temperature {temperature:g}" if name == PLAIN else name
        texts = sample(method, COUNT, 0).long()
        rows.append(row(what, seed, judges, texts, bits, seconds))
        print(rows[-1], file=sys.stderr, flush=True)  # as soon as it is there: all seeds take a while
    return rows


def real_rows(judges: Judges) -> list[dict[str, Any]]:
    """What half of the held-out lines score, with the other half as the real ones."""
    middle = len(judges.real) // 2
    other = judges._replace(real=judges.real[middle:])
    return [row("real lines", "", other, judges.real[:middle])]


def row(
    what: str, seed: int | str, judges: Judges, texts: Tensor, bits: float | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """One line of the table, of texts (n, window); `bits` and `seconds` are of a trained generator."""
    lines, real = lines_of(texts, judges.data), lines_of(judges.real, judges.data)
    order = ORDERS[judges.unit]
    made, held_out = units(lines, judges.unit), units(real, judges.unit)
    known = sum(line in judges.known for line in lines) / len(lines)
    return {
        "what": what, "seed": seed, "BLEU": round(bleu(made, held_out, order), 2),
        "self_BLEU": round(self_bleu(made, order), 2),
        "distance": round(text_distance(judges.network, texts, judges.real), 4), "judge": round(nats(judges, texts), 4),
        "held_out": "" if bits is None else round(bits, 4), "known": round(100 * known, 2),
        "seconds": "" if seconds is None else round(seconds, 1),
    }  # fmt: skip


@torch.no_grad()
def nats(judges: Judges, texts: Tensor) -> float:
    """Mean -log p of a token under the language model, from a line's start on."""
    start = texts.new_full((len(texts), 1), judges.data.spec.text.first)
    logits, _ = judges.network(torch.cat([start, texts[:, :-1]], 1).T)
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), texts.T.flatten()))


def lines_of(texts: Tensor, data: Dataset) -> list[str]:
    """Texts up to the end of their first line."""
    tokens = data.spec.text.tokens
    lines: list[str] = []
    for text in texts.tolist():
        lines.append("".join(tokens[number] for number in text).split("\n")[0])
    return lines


def units(lines: Sequence[str], unit: str) -> list[list[str]]:
    """Words, or characters."""
    return [line.split() if unit == "words" else list(line) for line in lines]


if __name__ == "__main__":
    main()
