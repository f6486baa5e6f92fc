"""report.html of a run: samples, figures, curves and settings on one page that opens without a network."""

from __future__ import annotations

from pathlib import Path

import ganvas
from ganvas.data.kinds import KINDS
from ganvas.figure import primary_figure
from ganvas.files import write_text
from ganvas.report.attention import attention_section
from ganvas.report.audit_page import audit_section
from ganvas.report.augment_page import augment_section
from ganvas.report.explain_page import explain_section
from ganvas.report.log import Log, read_log
from ganvas.report.markup import Content, Html, Section, contents, document, duration, number, tag
from ganvas.report.measured import Measured, best, data_name, method_class, newest
from ganvas.report.measures import sentence, value_text
from ganvas.report.sections_curves import curves_section
from ganvas.report.sections_editing import editing_section
from ganvas.report.sections_facts import data_section, events_section, machine_section, settings_section
from ganvas.report.sections_measures import doctor_section, measures_section
from ganvas.report.sections_samples import copies_section, samples_section
from ganvas.report.solids import solids_script
from ganvas.run import Run

TILE_FIGURES = ("coverage", "precision", "modes")  # figures at the top, after the primary one
MAX_TILES = 3


def write_report(folder: Path | str, *, audit: bool = True) -> Path:
    """Writes RUN/report.html and returns its path, at any stage of a run.

    `audit=False` omits the nearest training images, which need the data and some seconds. RunError where `folder` is no run.
    """
    run = Run(folder)
    path = run.folder / "report.html"
    write_text(path, str(report(run, audit=audit)))
    return path


def report(run: Run, *, audit: bool = True) -> Html:
    """The page of a run as text."""
    log = read_log(run)
    measured = newest(run)
    sections = [
        curves_section(log, run.spec.unit),
        samples_section(run),
        attention_section(run),
        doctor_section(run),
        measures_section(run, log, measured),
    ]
    if audit and KINDS[run.spec.kind].is_image:
        sections.append(copies_section(run, measured))
    sections.append(audit_section(run))
    sections += [
        editing_section(run),
        explain_section(run),
        augment_section(run),
        settings_section(run),
        machine_section(run, log),
        data_section(run),
        events_section(log),
    ]
    title = f"{run.info['method']} on {data_name(run)}"
    foot = tag(
        "footer",
        f"Written by ganvas {ganvas.__version__} from the run {run.name}. It needs no network and no other file.",
    )
    head = _header(run, log, measured, title, sections)
    script = solids_script() if KINDS[run.spec.kind].is_solid else ""
    return document(f"{title} · ganvas", head, [one.html for one in sections], foot, script=script)


def _header(run: Run, log: Log, measured: Measured, title: str, sections: list[Section]) -> Html:
    method = method_class(run)
    about: list[Html] = []
    if method is not None:
        about = [
            tag("p", method.title[0].upper() + method.title[1:] + "."),
            tag("p", method.paper, class_="note"),
        ]
    return tag(
        "header",
        tag("p", f"ganvas · {run.name}", class_="eyebrow"),
        tag("h1", title),
        about,
        tag("p", _verdict(run, log, measured), class_="verdict"),
        _tiles(run, log, measured),
        contents(sections),
    )


def _verdict(run: Run, log: Log, measured: Measured) -> list[Content]:
    name = primary_figure(measured.figures)
    if name is None:
        return [f"{_state(log)} No measures were taken."]
    figure = measured.figures[name]
    words: list[Content] = [tag("b", f"{name} {number(figure.value)}"), sentence(figure), "."]
    kept = best(run)
    if name in kept.figures:
        words.append(f" Best: {number(kept.figures[name].value)} at step {number(kept.step)}.")
    return [*words, f" {_state(log)}"]


def _state(log: Log) -> str:
    finished = log.of("finished")
    last = log.last("step") or 0
    if finished and (finished[-1].get("step") or 0) >= last:
        return "The training is finished."
    share = log.last("progress")
    if share is None:
        return "The training has logged nothing yet."
    return f"The training stands at {share:.0%} of its budget."


def _tiles(run: Run, log: Log, measured: Measured) -> Html:
    figures = measured.figures
    primary = primary_figure(figures)
    tiles: list[Html] = []
    for name in dict.fromkeys((primary or "", *TILE_FIGURES)):
        if name not in figures or len(tiles) == MAX_TILES:
            continue
        reference = figures[name].reference
        below = "" if reference is None else f"reference {number(reference)}"
        tiles.append(_tile(name, value_text(figures[name]), below))
    tiles += [
        _tile("Time", duration(log.seconds), "of training"),
        _tile("Steps", number(log.last("step")), f"{number(log.last('images_seen'))} {run.spec.unit} seen"),
        _tile("Parameters", number(run.info.get("parameters")), "in all networks"),
    ]
    return tag("dl", tiles, class_="tiles")


def _tile(name: str, value: str, below: str) -> Html:
    note = tag("small", below) if below else None
    return tag("div", tag("dt", name), tag("dd", value, note))
