"""report.html of a run: all that is known of it on one page that opens without a network."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import numpy as np

import ganvas
from ganvas.abilities import Samples
from ganvas.data.kinds import KINDS
from ganvas.data.settings import DataSettings
from ganvas.doctor import Finding, diagnose
from ganvas.errors import GanvasError
from ganvas.files import write_text
from ganvas.metrics.abilities import unmeasured
from ganvas.registry import find
from ganvas.report.audit import audit_list, copy_audit
from ganvas.report.chart import Line, line_chart
from ganvas.report.images import film, frames
from ganvas.report.log import Log, read_log
from ganvas.report.markup import (
    DASH,
    Content,
    Html,
    document,
    duration,
    facts,
    folded,
    is_number,
    number,
    plain,
    section,
    table,
    tag,
)
from ganvas.report.measures import entries, explanation, main_metric, reference_of, sentence, value_of
from ganvas.report.sounds import listen
from ganvas.report.texts import sheets_of_text
from ganvas.run import Run, read_json
from ganvas.settings import settings_of

MOST_SHOWN = 200  # events, or classes of a data set


def write_report(folder: Path | str, *, audit: bool = True) -> Path:
    """Writes RUN/report.html and returns its path, at any stage of a run.

    `audit=False` leaves out the nearest training images, which need the data and some seconds. RunError where
    `folder` is no run.
    """
    run = Run(folder)
    path = run.folder / "report.html"
    write_text(path, str(report(run, audit=audit)))
    return path


def report(run: Run, *, audit: bool = True) -> Html:
    """The page of a run as text."""
    log = read_log(run)
    measured = measured_of(run)
    parts = [
        _samples(run),
        _doctor(run),
        _measures(run, log, measured),
        _copies(run, measured) if audit and KINDS[run.spec.kind].is_image else Html(),
        _curves(log, run.spec.unit),
        _settings(run),
        _machine(run, log),
        _data(run),
        _events(log),
    ]
    title = f"{run.info['method']} on {data_name(run)}"
    foot = tag(
        "footer",
        f"Written by ganvas {ganvas.__version__} from the run {run.name}. It needs no network and no other file.",
    )
    return document(f"{title} · ganvas", _header(run, log, measured, title, parts), parts, foot)


def measured_of(run: Run) -> dict[str, Any]:
    """metrics.json with its entries checked; {} where there is none or it is damaged."""
    return _read_measured(run.folder / "metrics.json")


def data_name(run: Run) -> str:
    """The short name of the data."""
    return str(run.info["spec"].get("name") or run.info["data"])


def _read_measured(path: Path) -> dict[str, Any]:
    try:
        found = read_json(path) if path.is_file() else {}
    except GanvasError:
        return {}
    return {**found, "metrics": entries(found.get("metrics"))}


# --- the top ------------------------------------------------------------------------------------------------


def _header(run: Run, log: Log, measured: dict[str, Any], title: str, parts: list[Html]) -> Html:
    cls = _class_of(run)
    about = [tag("p", cls.title[0].upper() + cls.title[1:] + "."), tag("p", cls.paper, class_="note")] if cls else []
    names = [part.split('id="', 1)[1].split('"', 1)[0] for part in parts if part]
    links = [tag("a", _TITLES[name], href=f"#{name}") for name in names]
    return tag(
        "header",
        tag("p", f"ganvas · {run.name}", class_="eyebrow"),
        tag("h1", title),
        about,
        tag("p", _verdict(run, log, measured), class_="verdict"),
        _tiles(run, log, measured),
        tag("nav", links, aria_label="Parts of this page"),
    )


def _verdict(run: Run, log: Log, measured: dict[str, Any]) -> list[Content]:
    metrics = measured.get("metrics", {})
    name = main_metric(metrics)
    state = _state(log)
    if name is None:
        return [f"{state} No measures were taken."]
    best = _read_measured(run.folder / "best" / "metrics.json")
    value = best.get("metrics", {}).get(name, {}).get("value")
    words: list[Content] = [tag("b", f"{name} {number(metrics[name]['value'])}"), sentence(metrics[name]), "."]
    if is_number(value):
        words += [f" Best: {number(value)} at step {number(best.get('step'))}."]
    return [*words, f" {state}"]


def _state(log: Log) -> str:
    finished = log.of("finished")
    last = log.last("step") or 0
    if finished and (finished[-1].get("step") or 0) >= last:
        return "The training is finished."
    share = log.last("progress")
    if share is None:
        return "The training has logged nothing yet."
    return f"The training stands at {share:.0%} of its budget."


def _tiles(run: Run, log: Log, measured: dict[str, Any]) -> Html:
    metrics = measured.get("metrics", {})
    tiles: list[tuple[str, Content, Content]] = []
    for name in [main_metric(metrics), *(key for key in ("coverage", "precision", "modes") if key in metrics)][:3]:
        if name:
            reference = reference_of(metrics[name])
            tiles.append(
                (name, value_of(metrics[name]), None if reference is None else f"reference {number(reference)}")
            )
    tiles.append(("Time", duration(_seconds(log)), "of training"))
    tiles.append(("Steps", number(log.last("step")), f"{number(log.last('images_seen'))} {run.spec.unit} seen"))
    tiles.append(("Parameters", number(run.info.get("parameters")), "in all networks"))
    return tag(
        "dl",
        [
            tag("div", tag("dt", name), tag("dd", value, tag("small", more) if more else None))
            for name, value, more in tiles
        ],
        class_="tiles",
    )


def _seconds(log: Log) -> float | None:
    ends = [event.get("seconds") for event in log.of("finished")] + [log.last("seconds")]
    known = [float(end) for end in ends if is_number(end)]
    return max(known, default=None)


# --- images and measures ----------------------------------------------------------------------------------


def _samples(run: Run) -> Html:
    shown = frames(run.folder / "samples")
    lead = "Each place in the grid keeps its random seed: the slider shows an image as it forms. Averaged weights."
    texts = sheets_of_text(run.folder / "samples")
    if texts:
        lead = "Each text keeps its random seed over the training. Averaged weights."
        return section("samples", _TITLES["samples"], texts, lead=lead)
    if not _paints_by_seed(run):
        lead = "Held-out images, and beside them what the method makes of them. Averaged weights."
    if not shown:
        return section("samples", _TITLES["samples"], tag("p", "There are no grids in samples/ yet.", class_="note"))
    sound = listen(run.folder / "samples")
    if sound:
        lead = (
            "Each place keeps its random seed: the slider shows a clip as it forms, as a spectrogram. Averaged weights."
        )
    return section("samples", _TITLES["samples"], sound, film(shown, "Grid of samples"), lead=lead)


def _paints_by_seed(run: Run) -> bool:
    """False of a method that generates what it is shown, and nothing new. Of one that is not known here, who can tell."""
    try:
        return issubclass(find(run.info["method"]), Samples)
    except GanvasError:
        return True


def _doctor(run: Run) -> Html:
    try:
        diagnosis = diagnose(run)
    except GanvasError:  # a run without a log
        return Html()
    if not diagnosis.findings:
        said = tag("p", f"{diagnosis.line[:1].upper()}{diagnosis.line[1:]}.", class_="note")
        return section("doctor", _TITLES["doctor"], said)
    lead = "What the log says is wrong, the surest first: the numbers, and the one change to make."
    return section("doctor", _TITLES["doctor"], [_finding(run, one) for one in diagnosis.findings], lead=lead)


def _finding(run: Run, finding: Finding) -> Html:
    change = finding.change
    what = tag("code", change.line) if change.settings else change.line
    again = (
        [" (", change.text, "). Or: ", tag("code", f"ganvas doctor {run.folder} --apply")] if change.settings else []
    )
    plot = finding.plot
    lines = [Line(name, x, y, colour, dots=True) for colour, (name, x, y) in enumerate(plot.lines)] if plot else []
    return tag(
        "article",
        tag("h3", f"{finding.name.replace('_', ' ').capitalize()}, {finding.confidence:.0%}"),
        tag("p", finding.meaning),
        facts((name, number(value)) for name, value in finding.evidence.items()),
        tag("p", tag("b", "Change: "), what, again, "."),
        line_chart(plot.title, lines, x_label="step") if plot else None,
    )


def _how_to_measure(run: Run) -> str:
    why = unmeasured(str(run.info.get("method")))
    return f"None: {why}." if why else f"None yet. Measure it with: ganvas evaluate {run.folder}"


def _measures(run: Run, log: Log, measured: dict[str, Any]) -> Html:
    metrics = measured.get("metrics", {})
    if not metrics:
        return section(
            "measures",
            _TITLES["measures"],
            tag("p", _how_to_measure(run), class_="note"),
        )
    best = _read_measured(run.folder / "best" / "metrics.json")
    kept = best.get("metrics", {})
    head: list[Content] = ["Measure", f"Step {number(measured.get('step'))}"]
    head += [f"Best, step {number(best.get('step'))}"] if kept else []
    rows = []
    for name, entry in metrics.items():
        row: list[Content] = [name, value_of(entry)]
        row += [number(kept.get(name, {}).get("value"))] if kept else []
        rows.append(
            [
                *row,
                number(reference_of(entry)),
                number(entry.get("n")),
                entry.get("better") or DASH,
                explanation(name, entry),
            ]
        )
    head += ["Floor", "Samples", "Better", "Meaning"]
    sources = sorted({str(entry["reference_from"]) for entry in metrics.values() if entry.get("reference_from")})
    lead = "The reference is what held-out real images score in place of samples: what a perfect generator would get."
    lead += f" They are: {'; '.join(sources)}." if sources else ""
    shown = table(head, rows, caption="Measures of the samples", numeric=range(1, 5 if kept else 4))
    how = folded("How they were measured", facts((name, _how(entry)) for name, entry in metrics.items()))
    charts = [_metric_chart(name, entry, log) for name, entry in metrics.items()]
    grid = tag("div", charts, class_="charts") if len(log.evaluated) > 1 else None
    return section("measures", _TITLES["measures"], shown, how, grid, lead=lead)


def _how(entry: dict[str, Any]) -> str:
    """What makes two figures comparable: network, counts, rules."""
    known = [(key, value) for key, value in entry.items() if key not in ("value", "reference", "better", "help")]
    return ", ".join(f"{key} {_described(value)}" for key, value in known)


def _metric_chart(name: str, entry: dict[str, Any], log: Log) -> Html:
    rows = [(row["step"], entries(row.get("metrics")).get(name, {}).get("value")) for row in log.evaluated]
    x = np.array([float(step) for step, _ in rows])
    y = np.array([float(value) if is_number(value) else np.nan for _, value in rows])
    return line_chart(
        name,
        [Line(name, x, y, 0, dots=True)],
        x_label="step",
        reference=reference_of(entry),
        note=f"{entry['better']} is better" if entry.get("better") else None,
    )


def _copies(run: Run, measured: dict[str, Any]) -> Html:
    cls = _class_of(run)
    if cls is not None and not issubclass(cls, Samples):
        return Html()  # what it makes of given images is meant to be near them
    title = _TITLES["copies"]
    try:
        suspects = copy_audit(run)
    except GanvasError as error:
        return section(
            "copies",
            title,
            tag("p", f"Not drawn, since the data or the weights could not be opened: {error}", class_="warn"),
        )
    entry = measured.get("metrics", {}).get("copies")
    figure = None
    if entry:
        figure = tag("p", _copies_read(entry))
    lead = (
        f"{len(suspects)} new images (framed), each with the training images nearest to it, the most "
        "suspicious first. Distances are root-mean-square differences, in bytes (0 to 255), of the images made "
        "small (16 x 16 at most). A near neighbour of the same kind is expected; the same image, stroke by "
        "stroke, is a copy."
    )
    return section("copies", title, figure, audit_list(suspects), lead=lead)


def _copies_read(entry: dict[str, Any]) -> list[Content]:
    exact = f" ({number(entry['exact'])} of them byte for byte)" if is_number(entry.get("exact")) else ""
    return [
        tag("b", f"{value_of(entry)} samples{exact}"),
        " are nearer to a training image than nearly all unseen real images are; of as many unseen real ",
        f"images {number(reference_of(entry))} would be. Near that reference nothing was memorised; far above ",
        "it, look at the first pairs below.",
    ]


# --- curves -------------------------------------------------------------------------------------------------


def _curves(log: Log, unit: str) -> Html:
    if not len(log):
        return section("curves", _TITLES["curves"], tag("p", "The log holds no numbers yet.", class_="note"))
    charts = [_chart(log, title, keys) for title, keys in groups(log.curves())]
    speed = _chart(log, f"{unit.capitalize()} per second", ["images_per_second"])
    lead = "Of a noisy curve, the thin line is what was logged and the bold one its moving average."
    return section("curves", _TITLES["curves"], tag("div", charts, speed, class_="charts"), lead=lead)


def groups(keys: list[str]) -> list[tuple[str, list[str]]]:
    """Which curves share a chart: all gradient norms, and the logits of real and fake. Others stand alone."""
    found: dict[str, list[str]] = {}
    for key in keys:
        update, _, name = key.rpartition("/")
        if name == "gradient_norm":
            title = "Gradient norm of each update"
        elif name in ("real", "fake"):
            title = f"Mean logit of real and fake, {update}"
        else:
            title = f"{name[:1].upper()}{name[1:].replace('_', ' ')}, {update}"
        found.setdefault(title, []).append(key)
    order = sorted(found, key=lambda title: (not title.startswith("Loss"), title.startswith("Gradient")))
    return [(title, found[title]) for title in order]


def _chart(log: Log, title: str, keys: list[str]) -> Html:
    steps = log.column("step")
    lines = [Line(_line_name(key, keys), steps, log.column(key), colour) for colour, key in enumerate(keys)]
    lines = [_present(line) for line in lines]
    logarithmic = {"gradient_norm": True, "images_per_second": False}.get(keys[0].rpartition("/")[2])
    return line_chart(title, lines, x_label="step", log=logarithmic)


def _present(line: Line) -> Line:
    """Without the rows before a lazy update's first report: those are no gaps of its own."""
    first = int(np.argmax(np.isfinite(line.y)))
    return Line(line.name, line.x[first:], line.y[first:], line.colour, line.dots)


def _line_name(key: str, keys: list[str]) -> str:
    update, _, name = key.rpartition("/")
    return update if len(keys) > 1 and name == "gradient_norm" else name.replace("_", " ")


# --- settings, machine, data, events ------------------------------------------------------------------------


def _settings(run: Run) -> Html:
    cls = _class_of(run)
    tables = [_settings_table(f"Settings of {run.info['method']}", run.info["settings"], cls)]
    tables.append(_settings_table("Settings of the data", run.info.get("data_settings") or {}, DataSettings))
    preset = run.info.get("preset")
    lead = f"Preset {preset}. " if preset else ""
    return section(
        "settings", _TITLES["settings"], tables, lead=lead + "Values that differ from the defaults are marked."
    )


def _settings_table(caption: str, values: dict[str, Any], owner: Any) -> Html:
    known = settings_of(owner) if owner else {}
    rows: list[list[Content]] = []
    for name, value in values.items():
        about = known.get(name)
        differs = about is not None and about.default != value
        rows.append(
            [
                tag("code", name),
                [plain(value), tag("span", "changed", class_="tag") if differs else None],
                plain(about.default) if about else DASH,
                [about.help, f" [{about.unit}]" if about.unit else None] if about else "",
            ]
        )
    return table(["Setting", "Value", "Default", "What it is"], rows, caption=caption) if rows else Html()


def _machine(run: Run, log: Log) -> Html:
    info = run.info
    budget = {key: value for key, value in (info.get("budget") or {}).items() if value is not None}
    networks = info.get("networks") or {}
    rows: list[tuple[Content, Content]] = [
        ("Budget", ", ".join(f"{number(value)} {key}" for key, value in budget.items())),
        ("Time", f"{duration(_seconds(log))} of training, without grids, measures and saving"),
        ("Speed", f"{number(_median(log, 'images_per_second'))} images per second (median)"),
        ("Memory", _memory(log)),
        ("Parameters", ", ".join(f"{name} {number(count)}" for name, count in networks.items())),
        ("Device", info.get("device")),
        ("Machine", _described(info.get("machine"))),
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
        ("Versions", _described({"ganvas": info["ganvas"], **(info.get("versions") or {})})),
        ("Git", tag("code", info["git"]) if info.get("git") else None),
        ("Command", tag("code", _command(info.get("command")))),
        ("Folder", tag("code", run.folder.resolve().name)),
    ]
    return section("machine", _TITLES["machine"], facts(rows))


def _median(log: Log, key: str) -> float | None:
    found = log.column(key)
    found = found[np.isfinite(found)]
    return round(float(np.median(found)), 1) if len(found) else None


def _memory(log: Log) -> str | None:
    """The largest figure in bytes under a key that names memory, in rows or events."""
    names = [key for key in log.columns if "memory" in key]
    rows = [float(np.nanmax(log.column(key))) for key in names if np.isfinite(log.column(key)).any()]
    told = [
        float(value) for event in log.events for key, value in event.items() if "memory" in key and is_number(value)
    ]
    largest = max(rows + told, default=None)
    return f"{largest / 2**20:,.0f} MiB at most" if largest else None


def _command(command: Any) -> str:
    words = command if isinstance(command, list) else [command or DASH]
    return shlex.join(map(str, words)) if isinstance(command, list) else str(words[0])


def _described(content: Any) -> str | None:
    if isinstance(content, dict):
        return ", ".join(f"{key} {_described(value)}" for key, value in content.items())
    if isinstance(content, list):
        return ", ".join(str(_described(value)) for value in content[:20]) + (" …" if len(content) > 20 else "")
    if isinstance(content, int | float) and not isinstance(content, bool):
        return number(content)
    return None if content is None else "yes" if content is True else "no" if content is False else str(content)


def _data(run: Run) -> Html:
    try:
        sheet = run.data_sheet
    except GanvasError as error:
        return section("data", _TITLES["data"], tag("p", str(error), class_="warn"))
    if not sheet:
        return section("data", _TITLES["data"], tag("p", "This run has no data sheet.", class_="note"))
    special = ("classes", "channels", "problems", "settings", "bytes")
    rows: list[tuple[Content, Content]] = [
        (_words(key), _described(value)) for key, value in sheet.items() if key not in special
    ]
    return section(
        "data", _TITLES["data"], facts(rows), _classes(sheet, run.spec.unit), _channels(sheet), _problems(sheet)
    )


def _classes(sheet: dict[str, Any], unit: str) -> Html:
    classes = sheet.get("classes")
    splits = (
        {name: counts for name, counts in classes.items() if isinstance(counts, dict) and counts}
        if isinstance(classes, dict)
        else {}
    )
    if not splits:
        return Html()
    names = list(next(iter(splits.values())))
    rows = [[name, *(number(counts.get(name)) for counts in splits.values())] for name in names[:MOST_SHOWN]]
    caption = f"{_words(unit)} of each class ({len(names):,} classes" + (
        f", the first {MOST_SHOWN})" if len(names) > MOST_SHOWN else ")"
    )
    return folded(
        f"Classes ({len(names):,})",
        table(["Class", *splits], rows, caption=caption, numeric=range(1, len(splits) + 1)),
    )


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
        f"Left out ({len(problems):,} files)",
        table(["File", "Reason"], rows, caption="Files that could not be used"),
    )


def _events(log: Log) -> Html:
    saved = log.of("saved")
    told = [event for event in log.events if event["event"] not in ("saved", "changed")]
    lines = [_event(event) for event in told[-MOST_SHOWN:]]
    if saved:
        last = saved[-1]
        times = "once" if len(saved) == 1 else f"{len(saved):,} times"
        lines.append(_line(last, f"Saved {times}, the last time at this step."))
    if not lines:
        return Html()
    more = tag("p", f"The last {MOST_SHOWN} of {len(told):,}.", class_="note") if len(told) > MOST_SHOWN else None
    return section("events", _TITLES["events"], more, tag("ol", lines, class_="events"))


def _event(event: dict[str, Any]) -> Html:
    kind, step = event["event"], event.get("step")
    known = {
        "finished": "Finished: the budget is used up.",
        "started": "Resumed." if step else "Started.",
        "resumed": "Resumed.",
    }
    message = event.get("message") or known.get(kind, kind)
    return _line(event, str(message))


def _line(event: dict[str, Any], text: str) -> Html:
    when = f"step {number(event.get('step'))}, {duration(event.get('seconds'))}"
    return tag("li", tag("span", when, class_="faint"), tag("span", text))


def _words(key: str) -> str:
    return key[:1].upper() + key[1:].replace("_", " ")


def _class_of(run: Run) -> Any:
    """The method's class, or None where it is not registered here (somebody's own file)."""
    try:
        return find(run.info["method"])
    except GanvasError:
        return None


_TITLES = {
    "samples": "Samples over time",
    "doctor": "What the doctor says",
    "measures": "Measures",
    "copies": "Nearest training images",
    "curves": "Training curves",
    "settings": "Settings",
    "machine": "Budget and machine",
    "data": "Data",
    "events": "Events",
}
