"""What a run was: its settings, budget and machine, its data, and the events of its training."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from ganvas.data.settings import DataSettings
from ganvas.errors import GanvasError
from ganvas.figure import is_number
from ganvas.report.log import Log
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

MOST_SHOWN = 200  # events, or classes of a data set


def settings_section(run: Run) -> Section:
    """Settings of the method and of the data, beside their defaults."""
    tables = [_settings_table(f"Settings of {run.info['method']}", run.info["settings"], method_class(run))]
    tables.append(_settings_table("Settings of the data", run.info.get("data_settings") or {}, DataSettings))
    lead = "Values that differ from the defaults are marked."
    if run.info.get("preset"):
        lead = f"Preset {run.info['preset']}. {lead}"
    return section("settings", "Settings", tables, lead=lead)


def _settings_table(caption: str, values: dict[str, Any], owner: Any) -> Html:
    declared = settings_of(owner) if owner else {}
    rows: list[list[Content]] = []
    for name, value in values.items():
        about = declared.get(name)
        default = about.default if about else None
        if about and about.is_list:  # runs of earlier versions hold text
            value, default = as_text(value), as_text(default)
        differs = about is not None and default != value
        rows.append(
            [
                tag("code", name),
                [plain(value), tag("span", "changed", class_="tag") if differs else None],
                plain(default) if about else DASH,
                [about.help, f" [{about.unit}]" if about.unit else None] if about else "",
            ]
        )
    return table(["Setting", "Value", "Default", "What it is"], rows, caption=caption) if rows else Html()


def machine_section(run: Run, log: Log) -> Section:
    """Budget, time, speed, memory, device, versions and command."""
    info = run.info
    budget = {key: value for key, value in (info.get("budget") or {}).items() if value is not None}
    networks = info.get("networks") or {}
    rows: list[tuple[Content, Content]] = [
        ("Budget", ", ".join(f"{number(value)} {key}" for key, value in budget.items())),
        ("Time", f"{duration(log.seconds)} of training, without grids, measures and saving"),
        ("Speed", f"{number(log.median('images_per_second'))} images per second (median)"),
        ("Memory", _memory(log)),
        ("Parameters", ", ".join(f"{name} {number(count)}" for name, count in networks.items())),
        ("Device", info.get("device")),
        ("Machine", described(info.get("machine"))),
        (
            "Precision",
            [
                str(info.get("precision", DASH)),
                f": {info['why_precision']}" if info.get("why_precision") else None,
            ],
        ),
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


def _memory(log: Log) -> str | None:
    """The largest figure in bytes under a key that names memory, in rows or events."""
    names = [key for key in log.columns if "memory" in key]
    rows = [float(np.nanmax(log.column(key))) for key in names if np.isfinite(log.column(key)).any()]
    events = [
        float(value) for event in log.events for key, value in event.items() if "memory" in key and is_number(value)
    ]
    largest = max(rows + events, default=None)
    return f"{largest / 2**20:,.0f} MiB at most" if largest else None


def _command(command: Any) -> str:
    if isinstance(command, list):
        return shlex.join(map(str, command))
    return str(command or DASH)


def data_section(run: Run) -> Section:
    """The data sheet."""
    try:
        sheet = run.data_sheet
    except GanvasError as error:
        return section("data", "Data", tag("p", str(error), class_="warn"))
    if not sheet:
        return section("data", "Data", tag("p", "This run has no data sheet.", class_="note"))
    special = ("classes", "channels", "problems", "settings", "bytes")
    rows: list[tuple[Content, Content]] = [
        (_words(key), described(value)) for key, value in sheet.items() if key not in special
    ]
    return section("data", "Data", facts(rows), _classes(sheet, run.spec.unit), _channels(sheet), _problems(sheet))


def _classes(sheet: dict[str, Any], unit: str) -> Html:
    classes = sheet.get("classes")
    if not isinstance(classes, dict):
        return Html()
    splits = {name: counts for name, counts in classes.items() if isinstance(counts, dict) and counts}
    if not splits:
        return Html()
    names = list(next(iter(splits.values())))
    rows = [[name, *(number(counts.get(name)) for counts in splits.values())] for name in names[:MOST_SHOWN]]
    shown = f"{len(names):,} classes"
    if len(names) > MOST_SHOWN:
        shown += f", the first {MOST_SHOWN}"
    caption = f"{_words(unit)} of each class ({shown})"
    classes_table = table(["Class", *splits], rows, caption=caption, numeric=range(1, len(splits) + 1))
    return folded(f"Classes ({len(names):,})", classes_table)


def _channels(sheet: dict[str, Any]) -> Html:
    channels = [channel for channel in sheet.get("channels") or [] if isinstance(channel, dict)]
    if not channels:
        return Html()
    keys = list(channels[0])
    rows = [[str(i), *(number(channel.get(key)) for key in keys)] for i, channel in enumerate(channels)]
    return folded(
        "Channels",
        table(
            ["Channel", *keys],
            rows,
            caption="Bytes of each channel, training split",
            numeric=range(1, len(keys) + 1),
        ),
    )


def _problems(sheet: dict[str, Any]) -> Html:
    problems = [problem for problem in sheet.get("problems") or [] if isinstance(problem, list) and len(problem) == 2]
    if not problems:
        return Html()
    rows = [[tag("code", str(name)), str(reason)] for name, reason in problems[:MOST_SHOWN]]
    return folded(
        f"Omitted ({len(problems):,} files)",
        table(["File", "Reason"], rows, caption="Files that could not be used"),
    )


def events_section(log: Log) -> Section:
    """What happened, in order; all saves in one line."""
    saved = log.of("saved")
    others = [event for event in log.events if event["event"] not in ("saved", "changed")]
    lines = [_event(event) for event in others[-MOST_SHOWN:]]
    if saved:
        last = saved[-1]
        times = "once" if len(saved) == 1 else f"{len(saved):,} times"
        lines.append(_line(last, f"Saved {times}, the last time at this step."))
    if not lines:
        return section("events", "Events")
    more = None
    if len(others) > MOST_SHOWN:
        more = tag("p", f"The last {MOST_SHOWN} of {len(others):,}.", class_="note")
    return section("events", "Events", more, tag("ol", lines, class_="events"))


def _event(event: dict[str, Any]) -> Html:
    kind, step = event["event"], event.get("step")
    sentences = {
        "finished": "Finished: the budget is used up.",
        "started": "Resumed." if step else "Started.",
        "resumed": "Resumed.",
    }
    message = event.get("message") or sentences.get(kind, kind)
    return _line(event, str(message))


def _line(event: dict[str, Any], text: str) -> Html:
    when = f"step {number(event.get('step'))}, {duration(event.get('seconds'))}"
    return tag("li", tag("span", when, class_="faint"), tag("span", text))


def _words(key: str) -> str:
    return key[:1].upper() + key[1:].replace("_", " ")
