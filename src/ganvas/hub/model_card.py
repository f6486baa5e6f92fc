"""README.md of a shared model, written from its config.json alone: the same folder always gives the same card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ganvas.abilities import Encodes, Restores, Samples, Stylises, Tokenizes, Translates
from ganvas.data.kinds import KINDS
from ganvas.figure import Figure, read_figures, warnings_of
from ganvas.method import Method
from ganvas.registry import create, find

README, SAMPLES = "README.md", "samples.png"
NO_LICENCE = "unknown"
MAX_TEXT_CHARACTERS = 1000  # of a generated text on the card
USES = (  # ability, a line of Python, a command; {run} is the model
    (Samples, "images = run.sample(16, seed=0)", "ganvas sample {run} --n 16 --out images"),
    (Translates, 'run.translate("photo.jpg").save("out.png")', "ganvas translate {run} photo.jpg --out results"),
    (Restores, 'run.restore("photo.jpg")[0].save("out.png")', "ganvas restore {run} photo.jpg --out results"),
    (Stylises, 'run.stylise("photo.jpg").save("out.png")', "ganvas stylise photo.jpg --run {run} --out out.png"),
    (Encodes, 'latents = run.encode("photos")', "ganvas encode {run} photos --out latents.npz"),
    (Tokenizes, 'codes = run.encode("photos")', "ganvas encode {run} photos --out codes.npz"),
)
USE_OF_TEXTS = (
    'text = run.translate("A sentence.")',
    'ganvas translate {run} "A sentence."',
)  # of a method of parallel text


def model_card(config: Mapping[str, Any], name: str, *, caption: str = "", text: str | None = None) -> str:
    """The card of a model named `name` (owner/name), in Markdown with the hub's metadata on top.

    `caption` is of samples.png where that lies beside it. `text` is a generated text to be shown.
    """
    method = find(config["method"])
    figures = read_figures(config["metrics"])
    facts = config.get("facts", {})
    parts = [_metadata(config, method, figures, name), f"# {name}", f"{method.title}: {method.paper}."]
    if "imported" in config:
        parts.append(_imported(config["imported"]))
    if caption:
        parts.append(f"![{caption.rstrip('.')}]({SAMPLES})\n\n{caption}")
    if text:
        parts += ["A sample:", _fenced("text", text[:MAX_TEXT_CHARACTERS])]
    parts += [
        "## Load it", _loading(method, name, str(config["sha256"])),
        "## The model", _table(_model(config, facts)),
        "## Data", _data(config, facts.get("data", {})),
        "## Figures", _figures(figures),
        "## Diagnosis of the training", _doctor(facts.get("doctor")),
        "## Audit of copies", _audit(facts.get("audit", {})),
        "## Licence", _licence(str(config.get("licence", NO_LICENCE))),
        "## Limits", _limits(config, figures, facts),
    ]  # fmt: skip
    return "\n\n".join(parts) + "\n"


def _metadata(config: Mapping[str, Any], method: type[Method], figures: Mapping[str, Figure], name: str) -> str:
    """The block that the hub reads. JSON strings are YAML strings."""
    task = hub_task(method, config["spec"].get("kind", "images"))
    data = str(config["spec"].get("name", ""))
    lines = ["---", "library_name: ganvas"]
    licence = str(config.get("licence", NO_LICENCE))
    lines.append(f"license: {json.dumps(licence.lower())}")
    lines += ["tags:", "- ganvas", f"- {method.name}"]
    if task:
        lines.append(f"pipeline_tag: {task}")
    if figures and task:
        lines += ["model-index:", f"- name: {json.dumps(name)}", "  results:", "  - task:", f"      type: {task}"]
        lines += ["    dataset:", f"      name: {json.dumps(data)}", f"      type: {json.dumps(data)}", "    metrics:"]
        for key, figure in figures.items():
            lines += [
                f"    - name: {json.dumps(key)}",
                f"      type: {json.dumps(key)}",
                f"      value: {figure.value!r}",
            ]
    return "\n".join([*lines, "---"])


def hub_task(method: type[Method], kind: str) -> str:
    """The hub's name of what a method does; "" where it has none."""
    if issubclass(method, Translates | Restores | Stylises) and not KINDS[kind].is_parallel:
        return "image-to-image"
    return KINDS[kind].hub_task if issubclass(method, Samples | Translates) else ""


def uses(method: type[Method]) -> list[tuple[str, str]]:
    """What a method can do, as a line of Python and a command each."""
    if any(KINDS[kind].is_parallel for kind in method.takes):
        return [USE_OF_TEXTS]
    return [(line, command) for ability, line, command in USES if issubclass(method, ability)]


def _loading(method: type[Method], name: str, digest: str) -> str:
    python = ["import ganvas", "", f'run = ganvas.from_pretrained("{name}")']
    shell = ['pip install "ganvas[hub]"']
    for line, command in uses(method):
        python.append(line)
        shell.append(command.format(run=f"hf:{name}"))
    pinned = (
        'A revision, `from_pretrained(..., revision="COMMIT")` or `hf:NAME@COMMIT`, pins the files. The weights are read as'
        f" safetensors, nothing is unpickled. SHA-256 of model.safetensors: `{digest}`."
    )
    return "\n\n".join([_fenced("python", "\n".join(python)), _fenced("sh", "\n".join(shell)), pinned])


def _model(config: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, str]:
    rows = {"method": str(config["method"]), "ganvas": str(config["ganvas"])}
    if config.get("preset"):
        rows["preset"] = str(config["preset"])
    spec = config["spec"]
    rows["shape (channels, height, width)"] = f"{spec.get('channels')}, {spec.get('height')}, {spec.get('width')}"
    if "parameters" in facts:
        rows["parameters, with what only training needs"] = f"{facts['parameters']:,}"
    for name, value in config["budget"].items():
        if value:
            rows[f"budget, {name}"] = f"{value:g}"
    if "imported" not in config:
        rows |= {"seed": str(config["seed"]), "precision": str(config["precision"])}
    defaults = create(config["method"]).settings()
    for name, value in config["settings"].items():
        if name in defaults and _plain(value) != _plain(defaults[name]):
            rows[f"{name} (default {_short(defaults[name])})"] = _short(value)
    return rows


def _data(config: Mapping[str, Any], card: Mapping[str, Any]) -> str:
    spec = config["spec"]
    rows = {"name": str(spec.get("name", "")), "kind": str(spec.get("kind", "images"))}
    counts = card.get("counts") or ({"train": spec["count"]} if spec.get("count") else {})
    for split, count in counts.items():
        rows[f"{split} examples"] = f"{count:,}"
    classes = spec.get("classes", ())
    if classes:
        rows["classes"] = f"{len(classes)}: {', '.join(map(str, classes[:20]))}{', ...' if len(classes) > 20 else ''}"
    if card.get("size_rule"):
        rows["size"] = str(card["size_rule"])
    for name, count in card.get("duplicates", {}).items():
        rows[f"duplicates {name.replace('_', ' ')}"] = str(count)
    if config.get("fingerprint"):
        rows["fingerprint"] = f"`{config['fingerprint']}`"
    return (
        _table(rows)
        + "\n\nNo training image is in this repository. Ask the owner for the licence and the source of the data."
    )


def _figures(figures: Mapping[str, Figure]) -> str:
    if not figures:
        return "None was measured."
    lines = [
        "| figure | value | better | held-out real data | samples | reference of |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, figure in figures.items():
        reference = "" if figure.reference is None else f"{figure.reference:.4g}"
        count = "" if figure.n is None else str(figure.n)
        cells = [name, f"{figure.value:.4g}", figure.better or "", reference, count, figure.reference_from]
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    notes = []
    networks = sorted({figure.network for figure in figures.values() if figure.network})
    if networks:
        notes.append(f"Feature networks, with the hash of their weights: {'; '.join(networks)}.")
    for warning, names in warnings_of(figures).items():
        notes.append(f"{', '.join(names)}: {warning}")
    return "\n\n".join(["\n".join(lines), *notes])


def _doctor(doctor: Mapping[str, Any] | None) -> str:
    if doctor is None:
        return "There is no log of the training, so it was not diagnosed."
    lines: list[str] = []
    for finding in doctor["findings"]:
        kind = "note, " if finding.get("level") == "note" else ""
        lines.append(
            f"- {kind}{finding['name'].replace('_', ' ')} (confidence {finding['confidence']:.2f}): {finding['meaning']}"
        )
    if not lines:
        verdict = "Nothing was found." if doctor["healthy"] else "No verdict"
        lines.append(f"{verdict}: {doctor['note']}." if doctor["note"] else verdict)
    return "\n".join(lines)


def _audit(audit: Mapping[str, Any]) -> str:
    if not audit:
        return "Not made. `ganvas audit` looks for copies of training images among samples."
    lines = [str(audit["verdict"])]
    if audit.get("outdated"):
        lines.append(f"**Not of these weights**: {audit['outdated']}.")
    interval = audit.get("interval") or [0, 0]
    lines.append(
        f"{audit['copies']} of {audit['n']} samples are copies ({audit['share']:.2%}, 95 % interval {interval[0]:.2%} to"
        f" {interval[1]:.2%}), {audit['exact']} of them exact; compared with {audit['originals']:,} training images at a"
        f" threshold that calls at most {audit['false_positive_rate']:.0%} of unseen real images copies."
    )
    for test in audit.get("membership", ()):
        lines.append(
            f"Membership inference, {test['test']}: AUC {test['auc']:.3f} (95 % interval {test['low']:.3f} to {test['high']:.3f};"
            " 0.5 is chance)."
        )
    return "\n\n".join(lines)


def _licence(licence: str) -> str:
    if licence == NO_LICENCE:
        return "None is stated: ask the owner before you use the weights for more than a look."
    return f"The weights: {licence}. The licence of the training data is another matter."


def _limits(config: Mapping[str, Any], figures: Mapping[str, Figure], facts: Mapping[str, Any]) -> str:
    lines = ["It knows what its training data show, with their gaps and biases, and nothing else."]
    count = config["spec"].get("count")
    if count:
        kind = KINDS[config["spec"].get("kind", "images")]
        lines.append(
            f"It was trained on {count:,} {kind.unit}; few and similar ones are memorised rather than learned."
        )
    if not figures:
        lines.append("Its quality was not measured.")
    if not facts.get("audit"):
        lines.append("Whether it repeats training data was not examined.")
    elif facts["audit"]["copies"]:
        lines.append("The audit found copies of training images: see above.")
    lines.append("Generated images are not evidence of anything: do not use them to identify or to deceive people.")
    return "\n".join(f"- {line}" for line in lines)


def _imported(imported: Mapping[str, Any]) -> str:
    return (
        f"The weights were not trained by ganvas: they come from {imported['file']} (SHA-256 `{imported['sha256']}`), layout"
        f" {imported['kind']}, licence {imported['licence']}."
    )


def _table(rows: Mapping[str, str]) -> str:
    return "\n".join(
        ["| | |", "| --- | --- |", *(f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items())]
    )


def _cell(text: str) -> str:
    """A table's cell: no line ends, no bars, no HTML."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _fenced(language: str, text: str) -> str:
    """A block of code, with a fence longer than any in it."""
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _short(value: object) -> str:
    text = json.dumps(_plain(value))
    return text if len(text) <= 80 else f"{text[:77]}..."
