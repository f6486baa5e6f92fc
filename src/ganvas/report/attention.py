"""What a translation looks at: for a few held-out sentences a table of the source's tokens against those of the translation."""

from __future__ import annotations

import numpy as np
import torch

from ganvas.abilities import Translates, offers, translated_rows
from ganvas.data.kinds import KINDS
from ganvas.data.kinds.parallel_text import lengths
from ganvas.errors import GanvasError
from ganvas.report.markup import Content, Html, Section, section, tag, unopened
from ganvas.report.measured import method_class
from ganvas.run import Run

MAX_SENTENCES = 4
SHORTEST, LONGEST = 5, 24  # tokens of a source
TITLE = "Attention"
LEAD = (
    "Held-out sentences, token by token (· is a blank): a row for each token of the translation, darker where it looks at a "
    "token of the source; the mean over the heads of the last layer. Averaged weights."
)


def attention_section(run: Run) -> Section:
    """A table for each of a few held-out sentences; empty for other methods."""
    cls = method_class(run)
    if not KINDS[run.spec.kind].is_parallel or cls is None or not offers(cls, Translates.attention):
        return section("attention", TITLE)
    try:
        tables = _tables(run)
    except GanvasError as error:
        return unopened("attention", TITLE, error)
    return section("attention", TITLE, tables, lead=LEAD)


@torch.no_grad()
def _tables(run: Run) -> list[Html]:
    data, method = run.open_data(), run.method
    if not isinstance(method, Translates):
        return []
    split = data.part("test") or data
    end, tokens = split.spec.text.first, split.spec.text.tokens
    sizes = lengths(split.examples, end) - 1
    chosen = np.flatnonzero((sizes >= SHORTEST) & (sizes <= LONGEST))[:MAX_SENTENCES]
    tables: list[Html] = []
    for index in chosen.tolist():
        source = split.examples[index : index + 1]
        made = translated_rows(method, source, end)
        count, made_count = int(sizes[index]), int(lengths(made, end)[0]) - 1
        given = torch.from_numpy(source[:, : count + 1].astype(np.int64))
        shares = method.attention(given, torch.from_numpy(made[:, : made_count + 1]))[0].numpy()
        names = [tokens[number] for number in source[0, :count].tolist()]
        made_names = [tokens[number] for number in made[0, :made_count].tolist()]
        tables.append(attention_table(names, made_names, shares[:made_count, : count + 1]))
    return tables


def attention_table(source: list[str], translation: list[str], shares: np.ndarray) -> Html:
    """`shares` (T, S + 1) as shades: columns are the source's tokens and its end, rows those of the translation."""
    head: list[Content] = [tag("th", "", scope="col")]
    head += [tag("th", tag("span", _shown(token)), scope="col") for token in [*source, "end"]]
    rows: list[Html] = []
    for token, row in zip(translation, shares.tolist(), strict=True):
        cells = [tag("td", style=f"opacity:{share:.2f}", title=f"{share:.2f}") for share in row]
        rows.append(tag("tr", tag("th", _shown(token), scope="row"), cells))
    caption = f"{''.join(source).strip()} → {''.join(translation).strip()}"
    inside = tag("table", tag("caption", caption), tag("thead", tag("tr", head)), tag("tbody", rows))
    return tag("div", inside, class_="wide attention", tabindex=0, role="group", aria_label=caption)


def _shown(token: str) -> str:
    return token.replace(" ", "·")
