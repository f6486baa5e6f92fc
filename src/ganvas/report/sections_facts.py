"""What a run was: its settings, budget and machine, its data, and the events of its training."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import numpy as np

from ganvas.data.settings import DataSettings
from ganvas.errors import GanvasError
from ganvas.figure import is_number
from ganvas.report.log import Event, Log
from ganvas.report.markup import (
    DASH,
    Content,
    Html,
    Section,
    described,
    duration,
    facts,
    folded,
    number,
    plain,
    section,
    table,
    tag,
)  # fmt: skip
from ganvas.report.measured import method_class
from ganvas.run import Run
from ganvas.settings import as_text, settings_of

MAX_SHOWN = 200  # events, or classes of a data set


def settings_section(run: Run) -> Section:
    """Settings of the method and of the data, beside their defaults."""
    tables = [_settings_table(f"Settings of {run.info['method']}", run.info["settings"], method_class(run))]
    tables.append(_settings_table("Settings of the data", run.info.get("data_settings") or {}, DataSettings))
    lead = "Values that differ from the defaults are marked."
    if run.info.get("preset"):
        lead = f"Preset {run.info['preset']}. {lead}"
    return section("settings", "Settings", tables, lead=lead)


def _settings_table(caption: str, values: Mapping[str, object], owner: type | None) -> Html:
    declared = settings_of(owner) if owner else {}
    rows: list[list[Content]] = []
    for name, value in values.items():
        about = declared.get(name)
        if about is None:  # of a method that is not registered here, or of an earlier version
            rows.append([tag("code", name), plain(value), DASH, ""])
            continue
        default = about.default
        if about.is_list:  # runs of earlier versions hold text
            value, default = as_text(value), as_text(default)
        changed = tag("span", "changed", class_="tag") if default != value else None
        unit = f" [{about.unit}]" if about.unit else None
        rows.append([tag("code", name), [plain(value), changed], plain(default), [about.help, unit]])
    if not rows:
        return Html()
    return table(["Setting", "Value", "Default", "What it is"], rows, caption=caption)


def machine_section(run: Run, log: Log) -> Section:
    """Budget, time, speed, memory, device, versions and command."""
    info = run.info
    budget: list[str] = []
    for unit, value in (info.get("budget") or {}).items():
        if value is not None:
            budget.append(f"{number(value)} {unit}")
    networks = [f"{name} {number(count)}" for name, count in (info.get("networks") or {}).items()]
    why_precision = f": {info['why_precision']}" if info.get("why_precision") else None
    rows: list[tuple[Content, Content]] = [
        ("Budget", ", ".join(budget)),
        ("Time", _times(log)),
        ("Speed", f"{number(log.median('images_per_second'))} images per second (median)"),
        ("Memory", _memory(log)),
        ("Parameters", ", ".join(networks)),
        ("Device", info.get("device")),
        ("Machine", described(info.get("machine"))),
        ("Precision", [str(info.get("precision", DASH)), why_precision]),
        ("Compiled", plain(info["compiled"]) if "compiled" in info else None),
        ("Processes", number(info.get("processes"))),
        ("Threads", number(info.get("threads"))),
        ("Seed", str(info["seed"])),
        ("Versions", described({"ganvas": info["ganvas"], **(info.get("versions") or {})})),
        ("Git", tag("code", info["git"]) if info.get("git") else None),
        ("Command", tag("code", _command(info.get("command")))),
        ("Folder", tag("code", run.folder.resolve().name)),
    ]
    return section("machine", "Budget and machine", facts(rows))


def _times(log: Log) -> str:
    """Of training, and all told where the log says that."""
    training = f"{duration(log.seconds)} of training"
    finished = log.of("finished")
    waited = finished[-1].get("waited") if finished else None
    if not is_number(waited):
        return f"{training}, without grids, measures and saving"
    return f"{training}, {duration(waited)} all told: with preparing, measuring and saving"


def _memory(log: Log) -> str | None:
    """The largest figure in bytes under a key that names memory, in rows or events."""
    sizes: list[float] = []
    for key in log.columns:
        if "memory" in key and np.isfinite(log.column(key)).any():
            sizes.append(float(np.nanmax(log.column(key))))
    for event in log.events:
        for key, value in event.items():
            if "memory" in key and is_number(value):
                sizes.append(float(value))
    largest = max(sizes, default=None)
    return f"{largest / 2**20:,.0f} MiB at most" if largest else None


def _command(command: object) -> str:
    if isinstance(command, list):
        return shlex.join(map(str, command))
    return str(command or DASH)


def data_section(run: Run) -> Section:
    """The data card."""
    try:
        data_card = run.data_card
    except GanvasError as error:
        return section("data", "Data", tag("p", str(error), class_="warn"))
    if not data_card:
        return section("data", "Data", tag("p", "This run has no data card.", class_="note"))
    special = ("classes", "channels", "problems", "settings", "bytes", "passed_over", "notes")
    rows: list[tuple[Content, Content]] = []
    for key, value in data_card.items():
        if key not in special:
            rows.append((_words(key), described(value)))
    for note in _entries(data_card, "notes"):
        rows.append(("note", str(note)))
    return section(
        "data", "Data", facts(rows), _classes(data_card, run.spec.unit), _channels(data_card), _problems(data_card)
    )


def _classes(data_card: Mapping[str, object], unit: str) -> Html:
    classes = data_card.get("classes")
    if not isinstance(classes, dict):
        return Html()
    splits: dict[str, dict[str, object]] = {}
    for split, counts in classes.items():
        if isinstance(counts, dict) and counts:
            splits[split] = counts
    if not splits:
        return Html()
    names = list(next(iter(splits.values())))
    rows: list[list[Content]] = []
    for name in names[:MAX_SHOWN]:
        rows.append([name, *(number(counts.get(name)) for counts in splits.values())])
    how_many = f"{len(names):,} classes"
    if len(names) > MAX_SHOWN:
        how_many += f", the first {MAX_SHOWN}"
    caption = f"{_words(unit)} of each class ({how_many})"
    classes_table = table(["Class", *splits], rows, caption=caption, numeric=range(1, len(splits) + 1))
    return folded(f"Classes ({len(names):,})", classes_table)


def _channels(data_card: Mapping[str, object]) -> Html:
    channels = [channel for channel in _entries(data_card, "channels") if isinstance(channel, dict)]
    if not channels:
        return Html()
    keys = list(channels[0])
    rows: list[list[Content]] = []
    for i, channel in enumerate(channels):
        rows.append([str(i), *(number(channel.get(key)) for key in keys)])
    return folded(
        "Channels",
        table(
            ["Channel", *keys],
            rows,
            caption="Bytes of each channel, training split",
            numeric=range(1, len(keys) + 1),
        ),
    )


def _problems(data_card: Mapping[str, object]) -> Html:
    rows: list[list[Content]] = []
    for problem in _entries(data_card, "problems"):
        if isinstance(problem, list) and len(problem) == 2:
            name, reason = problem
            rows.append([tag("code", str(name)), str(reason)])
    if not rows:
        return Html()
    return folded(
        f"Omitted ({len(rows):,} files)",
        table(["File", "Reason"], rows[:MAX_SHOWN], caption="Files that could not be used"),
    )


def _entries(data_card: Mapping[str, object], key: str) -> list[object]:
    """The list under a key of the data card; [] where there is none."""
    entries = data_card.get(key)
    return entries if isinstance(entries, list) else []


def events_section(log: Log) -> Section:
    """What happened, in order; all saves in one line."""
    saved = log.of("saved")
    others = [event for event in log.events if event["event"] not in ("saved", "changed")]
    lines = [_event(event) for event in others[-MAX_SHOWN:]]
    if saved:
        last = saved[-1]
        times = "once" if len(saved) == 1 else f"{len(saved):,} times"
        lines.append(_line(last, f"Saved {times}, the last time at this step."))
    if not lines:
        return section("events", "Events")
    more = None
    if len(others) > MAX_SHOWN:
        more = tag("p", f"The last {MAX_SHOWN} of {len(others):,}.", class_="note")
    return section("events", "Events", more, tag("ol", lines, class_="events"))


def _event(event: Event) -> Html:
    kind, step = event["event"], event.get("step")
    sentences = {
        "finished": "Finished: the budget is used up.",
        "started": "Resumed." if step else "Started.",
        "resumed": "Resumed.",
    }
    message = event.get("message") or sentences.get(kind, kind)
    return _line(event, str(message))


def _line(event: Event, text: str) -> Html:
    when = f"step {number(event.get('step'))}, {duration(event.get('seconds'))}"
    return tag("li", tag("span", when, class_="faint"), tag("span", text))


def _words(key: str) -> str:
    return key[:1].upper() + key[1:].replace("_", " ")
