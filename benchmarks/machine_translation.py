"""seq2seq on sets of real translations from English: likelihood against adversarial training at equal time, beside copying the
source and the translation of the most similar training source.

    python benchmarks/machine_translation.py [--sets pycountry] [--languages fr de] [--minutes 3] [--seeds 0 1 2]
        [--adversarial 0 1] [--longest 100] [--examples 8] [--validate] [--out DIR] [--json]

pycountry   names of countries, languages, scripts and currencies: the package pycountry
django      what Django says to users: the package Django, or Debian's python3-django; --django DIR is its folder
wesnoth     sentences of a game: Debian's wesnoth-1.16-data, --wesnoth DIR is its folder locale

Of --sets what can be found is used. One training of a language reads them all; each is measured by its own held-out sentences. A
message of as many sentences as its translation is cut into sentences. Needs sacrebleu (`pip install "ganvas[text]"`).

A row "or memory" (`ganvas translate --memory`) has the memory's answer in place of the network's translation where the memory is
the surer one: where the share of words and signs that its source and the sentence have in common, in the same order, is at least
the probability that the network gives a token of its own translation (the geometric mean over the tokens).

--validate holds out a tenth of the training part once more and measures by that: for choices, which held-out pairs must not make.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common import facts, folder_of, make_parser, parse, print_rows, progress_file, steps_of, train_run, with_means

from ganvas.abilities import Translates, translated_rows
from ganvas.data import Dataset, open_data
from ganvas.data.catalogues import read_mo
from ganvas.data.kinds.parallel_text import pairs_of, texts_of_rows
from ganvas.data.translation_memory import Answer, answers, surer
from ganvas.metrics import text_scores
from ganvas.tasks.translate_text import certainty

Pair = tuple[str, str]
SETS = ("pycountry", "django", "wesnoth")
WESNOTH = Path("/usr/share/games/wesnoth/1.16/locale")
SENTENCE_END = re.compile(r"(?<=[.!?…”»])\s+(?=[A-ZÀ-ÖØ-Þ“«„\"'<])")
VOCABULARY = 4000
DJANGO = Path("/usr/lib/python3/dist-packages/django")


def main(arguments: list[str] | None = None) -> None:
    """Prints a table, or one JSON object."""
    parser = make_parser(__doc__, minutes=3, seeds=(0, 1, 2), preset="small", out="", threads=1, settings="KEY=VALUE")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--languages", nargs="+", default=["fr", "de"], help="of the translations")
    parser.add_argument("--adversarial", type=float, nargs="+", default=[0.0, 1.0], help="weights to compare")
    parser.add_argument("--wesnoth", type=Path, default=WESNOTH, metavar="DIR")
    parser.add_argument("--django", type=Path, default=package_folder("django") or DJANGO, metavar="DIR")
    parser.add_argument(
        "--longest", type=int, default=100, help="tokens of a sentence; longer ones are in neither split"
    )
    parser.add_argument("--examples", type=int, default=0, help="held-out sentences to print with their translation")
    parser.add_argument("--validate", action="store_true", help="measure by pairs set aside from the training part")
    options = parse(parser, arguments)
    rows: list[dict[str, Any]] = []
    about = facts(options)
    with folder_of(options) as folder:
        for language in options.languages:
            sets = found_sets(options.sets, language, options.wesnoth, options.django)
            data = opened(sets, folder / f"{language}.tsv", options.longest, options.validate)
            names = set_of_each(sets, held_out(data))
            about[f"{language}_train"] = len(data)
            for name, pairs in sets.items():
                about[f"{language}_{name}"] = f"{names.count(name)} of {len(pairs)} held out"
            memory = answers([source for source, _ in pairs_of(held_out(data))], pairs_of(data))
            found = baselines(data, names, memory)
            for weight in options.adversarial:
                for seed in options.seeds:
                    out = folder / f"{language}-{weight:g}-{seed}"
                    found += trained(options, data, names, memory, weight, seed, out)
            rows += [{**row, "what": f"{language}: {row['what']}"} for row in found]
    print_rows(with_means(rows, "steps"), options, about)


# --- the sets -------------------------------------------------------------------------------------------------------------


def package_folder(name: str) -> Path | None:
    """Where an installed package lies."""
    package = importlib.util.find_spec(name)
    return None if package is None or package.origin is None else Path(package.origin).parent


def found_sets(wanted: Sequence[str], language: str, wesnoth: Path, django: Path) -> dict[str, list[Pair]]:
    """The pairs of each wanted set that is there."""
    catalogues = f"{language}/LC_MESSAGES/*.mo"
    places = {
        "pycountry": (package_folder("pycountry"), f"locales/{catalogues}"),
        "django": (django, f"**/locale/{catalogues}"),
        "wesnoth": (wesnoth, catalogues),
    }
    sets: dict[str, list[Pair]] = {}
    for name, (folder, pattern) in places.items():
        if name in wanted and folder is not None and folder.is_dir():
            sets[name] = of_catalogues(folder, pattern)
    return sets


def of_catalogues(root: Path, pattern: str) -> list[Pair]:
    """The sentences of all catalogues below `root`."""
    pairs: list[Pair] = []
    for path in sorted(root.glob(pattern)):
        for source, target in read_mo(path.read_bytes(), str(path)):
            pairs += in_sentences(source, target)
    return pairs


def in_sentences(source: str, target: str) -> list[Pair]:
    """Sentence by sentence, where both sides have as many; lines first."""
    sides = [[line.strip() for line in side.split("\n") if line.strip()] for side in (source, target)]
    lines = (
        list(zip(*sides, strict=True)) if len(sides[0]) == len(sides[1]) else [(" ".join(sides[0]), " ".join(sides[1]))]
    )
    pairs: list[Pair] = []
    for one, other in lines:
        cut = SENTENCE_END.split(one), SENTENCE_END.split(other)
        pairs += zip(*cut, strict=True) if len(cut[0]) == len(cut[1]) else [(one, other)]
    return [(clean(one), clean(other)) for one, other in pairs if clean(one) and clean(other)]


def clean(text: str) -> str:
    """Without tabs and line breaks."""
    return " ".join(re.split(r"[ \t\r\n\f\v]+", text.strip()))


def opened(sets: dict[str, list[Pair]], path: Path, longest: int, validate: bool = False) -> Dataset:
    """All pairs as one data set; with `validate` the training part of it, split once more."""
    data = of_pairs([pair for pairs in sets.values() for pair in pairs], path, longest)
    return of_pairs(pairs_of(data), path.with_stem(f"{path.stem}-train"), longest) if validate else data


def of_pairs(pairs: Sequence[Pair], path: Path, longest: int) -> Dataset:
    """Pairs as a data set, which is written to `path`."""
    lines = ["source\ttarget", *(f"{source}\t{target}" for source, target in pairs)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return open_data(path, pairs="columns", vocabulary=VOCABULARY, longest=longest)


def set_of_each(sets: dict[str, list[Pair]], data: Dataset) -> list[str]:
    """The set of each pair; of one that is in several, the first."""
    known: dict[Pair, str] = {}
    for name, pairs in sets.items():
        for pair in pairs:
            known.setdefault(pair, name)
    return [known[pair] for pair in pairs_of(data)]


def held_out(data: Dataset) -> Dataset:
    """The test split."""
    test = data.part("test")
    assert test is not None
    return test


# --- measures -------------------------------------------------------------------------------------------------------------


def baselines(data: Dataset, names: Sequence[str], memory: Sequence[Answer]) -> list[dict[str, Any]]:
    """Copying, and the translation memory."""
    test = pairs_of(held_out(data))
    return [
        {"what": "copying the source", "seed": "", **by_set([pair[0] for pair in test], test, names), "steps": ""},
        {
            "what": "translation memory",
            "seed": "",
            **by_set([answer.translation for answer in memory], test, names),
            "steps": "",
        },
    ]


def by_set(translations: Sequence[str], test: Sequence[Pair], names: Sequence[str]) -> dict[str, float]:
    """chrF and BLEU of each set."""
    scores: dict[str, float] = {}
    for name in dict.fromkeys(names):
        rows = [index for index, one in enumerate(names) if one == name]
        found = text_scores([translations[row] for row in rows], [test[row][1] for row in rows])
        scores |= {f"{name} chrF": round(found.chrf, 2), f"{name} BLEU": round(found.bleu, 2)}
    return scores


def trained(
    options: argparse.Namespace,
    data: Dataset,
    names: Sequence[str],
    memory: Sequence[Answer],
    weight: float,
    seed: int,
    out: Path,
) -> list[dict[str, Any]]:
    """A training in the folder `out`, by its last weights: alone, and with the memory."""
    run = train_run(
        "seq2seq", data, out, minutes=options.minutes, seed=seed, preset=options.preset,
        settings={**options.settings, "adversarial": weight},
    )  # fmt: skip
    method, test = run.method, held_out(data)
    assert isinstance(method, Translates)
    made = translated_rows(method, test.examples, test.spec.text.first)
    texts = texts_of_rows(made, test.spec.text)
    either = surer(texts, certainty(method, test.examples, made), memory)
    what = f"adversarial {weight:g}" if weight else "likelihood"
    for (source, true), text in list(zip(pairs_of(test), texts, strict=True))[: options.examples]:
        print(f"{source}\n  {what}: {text}\n  true: {true}", file=progress_file(options))
    rows: list[dict[str, Any]] = []
    for label, translations in ((what, texts), (f"{what}, or memory", either)):
        scores = by_set(translations, pairs_of(test), names)
        rows.append({"what": label, "seed": seed, **scores, "steps": steps_of(run)})
    return rows


if __name__ == "__main__":
    main()
