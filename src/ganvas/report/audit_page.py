"""audit.html: the verdict of an audit, and each suspicious sample beside the training image that it is nearest to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import ganvas
from ganvas.figure import is_number
from ganvas.files import JsonObject, write_text
from ganvas.report.images import thumbnail
from ganvas.report.markup import Content, Html, Section, contents, document, number, section, sentence, table, tag
from ganvas.run import Run

if TYPE_CHECKING:
    from ganvas.tasks.audit import Audit, Pair

PAIRS = "Samples beside their nearest training images"
SEARCH_TITLES = {"pixels": "whole image", "features": "features", "parts": "half of the image"}


def write_audit_page(result: Audit, path: Path | str, *, of: str, data: str) -> None:
    """Writes the page of an audit: one file, no network. `of` and `data` say what was audited against what."""
    content = result.as_dict()
    sections = [_pairs_section(result), *_sections(content)]
    head = tag(
        "header",
        tag("p", "ganvas · audit", class_="eyebrow"),
        tag("h1", f"Audit of {of}"),
        tag("p", f"Against the training images of {data}.{_weights_of(result)}", class_="note"),
        tag("p", tag("b", sentence(content["verdict"])), class_="verdict"),
        contents(sections),
    )
    foot = tag("footer", f"Written by ganvas {ganvas.__version__}. It needs no network and no other file.")
    page = document(f"Audit of {of} · ganvas", head, [one.html for one in sections], foot)
    write_text(path, str(page))


def audit_section(run: Run) -> Section:
    """The newest audit of a run, for its report; empty where there was none."""
    title = "Privacy and copies"
    content = run.audited
    if not content.get("verdict"):
        return section("audit", title)
    lead = f"The verdict of ganvas audit {run.folder}. Its page, audit.html in the run, shows the pairs."
    inside: list[Content] = [tag("p", tag("b", sentence(str(content["verdict"]))))]
    if content.get("outdated"):
        inside.append(tag("p", sentence(str(content["outdated"])), class_="warn"))
    for part in _tables(content):
        inside += [part]
    return section("audit", title, inside, lead=lead)


def _weights_of(result: Audit) -> str:
    return "" if result.step is None else f" The weights are those of step {number(result.step)}."


def _pairs_section(result: Audit) -> Section:
    lead = (
        f"The {len(result.pairs)} most suspicious of {result.n} samples, each left of the training image that it is nearest to."
        f" Scores above {number(round(result.threshold, 2))} are called copies."
    )
    return section(
        "pairs", PAIRS, tag("ol", [tag("li", _pair(pair)) for pair in result.pairs], class_="copies"), lead=lead
    )


def _pair(pair: Pair) -> list[Html]:
    word = "no copy"
    if pair.exact:
        word = "exact copy"
    elif pair.copy:
        word = "copy"
    about = f"{word}, score {number(round(pair.score, 2))}, by {SEARCH_TITLES.get(pair.search, pair.search)}"
    sample, original = pair.images
    return [
        tag("figure", thumbnail(sample, f"sample {pair.sample}"), tag("figcaption", f"sample {pair.sample}")),
        tag(
            "figure",
            thumbnail(original, f"training image {pair.original}"),
            tag("figcaption", f"training image {pair.original}"),
        ),
        tag("p", about, class_="note"),
    ]


def _sections(content: JsonObject) -> list[Section]:
    calibration = content["calibration"]
    how = (
        f"The threshold was chosen from the distances of {calibration['source']} to the training images, so that"
        f" {content['false_positive_rate']:.0%} of unseen real images at most are called copies."
        f" Feature network: {content['features']}."
    )
    return [
        section(
            "measured",
            "What was measured",
            _tables(content),
            [tag("p", note, class_="note") for note in content["notes"]],
            lead=how,
        )
    ]


def _tables(content: JsonObject) -> list[Html]:
    """Copies, duplicates, membership and extraction as tables; those without rows are left out."""
    low, high = content.get("interval") or (None, None)
    rows: list[list[Content]] = [
        [
            "copies", number(content.get("copies")), number(content.get("n")), _percent(content.get("share")),
            f"{_percent(low)} to {_percent(high)}", number(content.get("exact")), number(content.get("originals")),
        ]
    ]  # fmt: skip
    head = ["", "Copies", "Samples", "Share", "95 % interval", "Byte for byte", "Different originals"]
    tables = [table(head, rows, caption="Copies of training images", numeric=range(1, 7))]
    rows = []
    for one in content.get("duplicates") or []:
        rows.append(
            [one["what"], number(one["n"]), number(one["exact"]), number(one["near"]), number(one["reference"])]
        )
    if rows:
        head = ["", "Images", "Equal", "Near-duplicates", "Among as many training images"]
        tables.append(table(head, rows, caption="Duplicates", numeric=range(1, 5)))
    rows = []
    for one in content.get("membership") or []:
        rows.append([one["test"], number(one["auc"]), f"{number(one['low'])} to {number(one['high'])}", one["help"]])
    if rows:
        caption = "Membership: the chance that a training image scores higher than a held-out one; 0.5 says nothing"
        tables.append(table(["Test", "AUC", "95 % interval", "Score"], rows, caption=caption, numeric=(1, 2)))
    rows = []
    for one in content.get("extraction") or []:
        counts = [number(one[key]) for key in ("training_images", "tries", "copies", "originals")]
        rows.append([one["label"], *counts])
    if rows:
        head = ["Class", "Training images", "Tries", "Copies", "Different originals"]
        tables.append(table(head, rows, caption="Extraction: samples of classes with few images", numeric=range(1, 5)))
    return tables


def _percent(value: object) -> str:
    return f"{value:.2%}" if is_number(value) else number(value)
