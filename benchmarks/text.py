"""rnn_text on a text, against n-grams: held-out bits per character after so much of one processor core's time.

    python benchmarks/text.py TEXT [--minutes 6] [--seeds 0 1] [--only characters bytepairs ngrams] [--json]

All are measured on the same last tenth of the text. The recurrent network predicts windows of 1,024 tokens from nothing known
before each (ganvas evaluate); time is the process's own (time.process_time) on one thread, and measuring does not count. The
n-grams are interpolated Kneser-Ney models of characters (Kneser and Ney 1995; Chen and Goodman 1999, eq. 4.33) with one
discount for each order, from counts of the training part; they see the whole text before a character, as far as they look.

bpc       bits per character of the held-out part: -log2 p of the tokens predicted over the characters these make up
curve     the same at shares of the time, of one training whose learning rate falls to zero at its end
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
import torch
from common import facts, heading, make_parser, parse

from ganvas.data import Dataset, open_data
from ganvas.data.feed import make_feed
from ganvas.data.tokens import decode
from ganvas.metrics import measure_likelihood
from ganvas.registry import create
from ganvas.sampling import sample
from ganvas.training.engine import start_engine
from ganvas.training.trainer import Budget, Trainer

MARKS = (1 / 12, 1 / 6, 0.5, 1, 2, 3, 6, 10, 20, 30)  # minutes at which a training is looked at
ORDERS = (1, 3, 5, 7)
KINDS = ("ngrams", "characters", "bytepairs")


def main(arguments: list[str] | None = None) -> None:
    """Prints a table, or one JSON object."""
    parser = make_parser(__doc__, minutes=6, seeds=(0,), preset="small", threads=1, settings="KEY=VALUE")
    parser.add_argument("text", help="a file or folder of text")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16"))
    parser.add_argument("--vocabulary", type=int, default=512, help="of byte pairs")
    parser.add_argument("--show", type=int, default=0, help="print so many characters that it wrote")
    options = parse(parser, arguments)
    characters = open_data(options.text)
    rows = ngrams(characters) if "ngrams" in options.only else []
    for kind in ("characters", "bytepairs"):
        if kind in options.only:
            data = (
                characters
                if kind == "characters"
                else open_data(options.text, tokens=kind, vocabulary=options.vocabulary)
            )
            rows += [curve_of(data, kind, seed, options) for seed in options.seeds]
    about = {**facts(options), "text": characters.name, "characters": characters.facts["characters"]}
    if options.json:
        print(json.dumps({**about, "rows": rows}))
        return
    print(heading(about))
    for row in rows:
        curve = "  ".join(f"{60 * minutes:.0f} s {bpc:.3f}" for minutes, bpc in row.get("curve", []))
        print(f"{row['name']:<24} {row['bpc']:.3f}  {row['seconds']:6.1f} s  {curve}")
        if row.get("wrote"):
            print("\n" + row["wrote"] + "\n")


def curve_of(data: Dataset, kind: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """One training and its curve."""
    method = create("rnn_text", options.preset, options.settings)
    engine = start_engine("cpu", options.precision)
    torch.manual_seed(seed)
    method.setup(data.spec)
    method.train()
    generator = torch.Generator().manual_seed(seed)
    feed = make_feed(data, batch_size=method.batch_size, window=method.text_window(), seed=seed, generator=generator)
    trainer = Trainer(method, feed, engine, Budget(minutes=options.minutes))
    trainer.use_clock(time.process_time)
    marks = [mark for mark in MARKS if mark < 0.99 * options.minutes] + [options.minutes]
    curve: list[tuple[float, float]] = []
    trainer.restart_clock()
    while marks:
        trainer.step()
        trainer.tick()
        if trainer.seconds >= 60 * marks[0]:
            entry = measure_likelihood(trainer.average.method, data)["bits_per_character"]  # pyright: ignore[reportArgumentType]
            curve.append((marks.pop(0), entry.value))
            trainer.restart_clock()
    found = {
        "name": f"rnn_text {kind}, seed {seed}", "bpc": curve[-1][1], "seconds": trainer.seconds, "curve": curve,
        "steps": trainer.steps, "tokens_per_second": trainer.images_seen / trainer.seconds,
        "parameters": sum(parameter.numel() for parameter in method.parameters()), "precision": engine.precision,
        "vocabulary": len(data.spec.text.tokens), "settings": method.settings(),
    }  # fmt: skip
    if options.show:
        tokens = sample(trainer.average.method, 1, 0)[0].long().numpy()
        found["wrote"] = decode(tokens, data.spec.text.tokens)[: options.show]
    return found


# --- n-grams ----------------------------------------------------------------------------------------------------


def ngrams(data: Dataset) -> list[dict[str, Any]]:
    """Interpolated Kneser-Ney of several orders."""
    held = data.part("test")
    assert held is not None
    size, rows = len(data.spec.text.tokens), []
    for order in ORDERS:
        start = time.process_time()
        bits = kneser_ney(data.examples.astype(np.int64), held.examples.astype(np.int64), order, size)
        seconds = time.process_time() - start
        rows.append({"name": f"{order}-gram, Kneser-Ney", "bpc": bits, "seconds": seconds})
    return rows


def kneser_ney(train: np.ndarray, held: np.ndarray, order: int, size: int) -> float:
    """Mean -log2 p of the tokens of `held` from the order-th on, given the order - 1 before each; `size` tokens there are."""
    shares = np.full(len(held), 1 / size)
    for n in range(1, order + 1):
        grams, counts = np.unique(coded(train, n, size), return_counts=True)
        if n < order:  # in how many contexts it occurs, not how often
            longer = np.unique(coded(train, n + 1, size))
            grams, counts = np.unique(longer % size**n, return_counts=True)
        shares = interpolated(shares, coded(held, n, size), grams, counts, size, n)
    return float(-np.log2(shares[order - 1 :]).mean())


def interpolated(
    shares: np.ndarray, asked: np.ndarray, grams: np.ndarray, counts: np.ndarray, size: int, n: int
) -> np.ndarray:
    """p_n = max(c - D, 0) / c(context) + D * followers(context) / c(context) * p_(n - 1); p_(n - 1) in unknown contexts."""
    once, twice = int((counts == 1).sum()), int((counts == 2).sum())
    discount = once / (once + 2 * twice) if once else 0.5  # some, or what was never seen could never come
    contexts, places = np.unique(grams // size, return_inverse=True)
    totals = np.bincount(places, counts)
    followers = np.bincount(places)
    made = shares.copy()
    here = np.arange(n - 1, len(shares))
    context = np.searchsorted(contexts, asked // size).clip(max=len(contexts) - 1)
    known = contexts[context] == asked // size
    gram = np.searchsorted(grams, asked).clip(max=len(grams) - 1)
    own = np.where(grams[gram] == asked, np.maximum(counts[gram] - discount, 0), 0)
    mixed = (own + discount * followers[context] * shares[here]) / totals[context]
    made[here] = np.where(known, mixed, shares[here])
    return made


def coded(tokens: np.ndarray, n: int, size: int) -> np.ndarray:
    """The n-grams of tokens (T,) as numbers (T - n + 1,), the earliest token the most significant."""
    assert size**n < 2**63, "an n-gram must fit into 63 bits"
    made = np.zeros(len(tokens) - n + 1, dtype=np.int64)
    for place in range(n):
        made = made * size + tokens[place : len(tokens) - n + 1 + place]
    return made


if __name__ == "__main__":
    main()
