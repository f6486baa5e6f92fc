"""Samples over time, and the training images nearest to new ones."""

from __future__ import annotations

from ganvas.abilities import Samples
from ganvas.errors import GanvasError
from ganvas.figure import Figure, is_number
from ganvas.report.audit import audit_list, copy_audit
from ganvas.report.films import watch
from ganvas.report.images import film, frames
from ganvas.report.markup import Content, Section, number, section, tag, unopened
from ganvas.report.measured import Measured, method_class
from ganvas.report.measures import value_text
from ganvas.report.solids import turn
from ganvas.report.sounds import listen
from ganvas.report.texts import text_samples
from ganvas.run import Run

SAMPLES_TITLE = "Samples over time"


def samples_section(run: Run) -> Section:
    """The grids of samples/ with a slider; beside it the newest sounds, films, and volumes to be turned. Texts: the newest and
    the first."""
    folder = run.folder / "samples"
    texts = text_samples(folder)
    if texts:
        lead = "Each text keeps its random seed over the training. Averaged weights."
        if not _samples_by_seed(run):
            lead = "Held-out sentences, what the method makes of them, and their true translations. Averaged weights."
        return section("samples", SAMPLES_TITLE, texts, lead=lead)

    grids = frames(folder)
    sound, moving, solids = listen(folder), watch(folder), turn(folder)
    lead = "Each place in the grid keeps its random seed: the slider shows an image as it forms. Averaged weights."
    if not _samples_by_seed(run):
        lead = "Held-out images, and beside them what the method makes of them. Averaged weights."
    if not grids:
        return section("samples", SAMPLES_TITLE, tag("p", "There are no grids in samples/ yet.", class_="note"))
    if sound:
        lead = (
            "Each place keeps its random seed: the slider shows a clip as it forms, as a spectrogram. Averaged weights."
        )
    if moving:
        lead = "Each place keeps its random seed: the slider shows a few frames of each video as it forms. Averaged weights."
    if solids:
        lead = "Each place keeps its random seed: the slider shows a volume as it forms. Averaged weights."
    return section("samples", SAMPLES_TITLE, sound, moving, solids, film(grids, "Grid of samples"), lead=lead)


def copies_section(run: Run, measured: Measured) -> Section:
    """New images beside their nearest training images; empty for a method whose outputs are meant to be near its inputs."""
    title = "Nearest training images"
    if not _samples_by_seed(run):
        return section("copies", title)
    try:
        suspects = copy_audit(run)
    except GanvasError as error:
        return unopened("copies", title, error)
    copies = measured.figures.get("copies")
    summary = tag("p", _copies_summary(copies)) if copies else None
    lead = (
        f"{len(suspects)} new images (framed), each with the training images nearest to it, the most "
        "suspicious first. Distances are root-mean-square differences, in bytes (0 to 255), of the images "
        "reduced to at most 16 x 16. A near neighbour of the same kind is expected; the same image, stroke by "
        "stroke, is a copy."
    )
    return section("copies", title, summary, audit_list(suspects), lead=lead)


def _samples_by_seed(run: Run) -> bool:
    """False of a method that only transforms images. A method that is not known here is taken to sample."""
    method = method_class(run)
    return method is None or issubclass(method, Samples)


def _copies_summary(copies: Figure) -> list[Content]:
    exact = copies.details.get("exact")
    exactly = f" ({number(exact)} of them byte for byte)" if is_number(exact) else ""
    return [
        tag("b", f"{value_text(copies)} samples{exactly}"),
        " are nearer to a training image than nearly all unseen real images are; of the same number of unseen real ",
        f"images {number(copies.reference)} would be. Near that reference nothing was memorised; far above ",
        "it, look at the first pairs below.",
    ]
