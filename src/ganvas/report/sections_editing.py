"""Directions of the latent space that `ganvas edit --find` kept in the run: what each does, and images along them."""

from __future__ import annotations

from pathlib import Path

from ganvas.errors import RunError
from ganvas.figure import is_number
from ganvas.files import JsonObject, read_json
from ganvas.report.images import data_uri, read_frame, smaller
from ganvas.report.markup import Content, Section, number, section, table, tag
from ganvas.run import Run

DIRECTIONS_TITLE = "Directions of the latent space"
MAX_EFFECTS_BYTES = 300 * 2**10  # of the image, before base64 adds a third
PAGE_EFFECTS = 3
MAX_TABLE_ROWS = 200


def editing_section(run: Run) -> Section:
    """A table of the directions with their effects, and their images; empty where none were found."""
    folder = run.folder / "editing"
    if not (folder / "directions.json").is_file():
        return section("editing", DIRECTIONS_TITLE)
    try:
        content = read_json(folder / "directions.json")
        rows = [_row(one) for one in list(content["directions"])[:MAX_TABLE_ROWS]]
    except (RunError, KeyError, TypeError, AttributeError) as error:
        return section("editing", DIRECTIONS_TITLE, tag("p", f"They could not be read: {error}", class_="warn"))
    if not rows:
        return section("editing", DIRECTIONS_TITLE)
    lead = (
        f"Found in {content.get('space')} with {number(content.get('samples'))} samples. Strength 1 is one standard deviation "
        "of the samples along a direction; effects are mean changes at strength 1, in standard deviations of each attribute."
    )
    probe = content.get("probe")
    note = None
    if isinstance(probe, dict) and is_number(probe.get("accuracy")):
        note = tag(
            "p",
            f"Classes are read by a linear probe on {probe.get('features')} features, which is right on "
            f"{probe['accuracy']:.1%} of {number(probe.get('n'))} held-out images.",
            class_="note",
        )
    head = ["Direction", "Found by", "Share", "What it moves most"]
    listed = table(head, rows, caption="Directions and what they do", numeric=(2,))
    return section("editing", DIRECTIONS_TITLE, listed, note, _image(folder / "directions.png"), lead=lead)


def _row(direction: JsonObject) -> list[Content]:
    effects: list[tuple[float, str]] = []
    for name, effect in direction["effects"].items():
        if is_number(effect.get("deviations")):
            effects.append((float(effect["deviations"]), str(name)))
    effects.sort(key=lambda effect: -abs(effect[0]))
    moved = ", ".join(f"{name} {deviations:+.2f}" for deviations, name in effects[:PAGE_EFFECTS])
    return [str(direction["name"]), str(direction["how"]), number(direction.get("share")), moved]


def _image(path: Path) -> Content:
    frame = read_frame(0, path)
    if frame is None:
        return None
    description = "Two images for each direction, from strength -3 to 3"
    frame = smaller(frame, MAX_EFFECTS_BYTES)
    image = tag("img", src=data_uri(frame.file), alt=description, width=frame.width, height=frame.height)
    return tag("figure", image, tag("figcaption", f"{description}, in the order of the table."))
