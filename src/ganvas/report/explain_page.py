"""explain.html: what a method does inside, with images; and the section of a run's report that quotes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import ganvas
from ganvas.data import grid
from ganvas.data.image import png_bytes, viewable
from ganvas.files import JsonObject, write_text
from ganvas.report.images import Frame, image, smaller
from ganvas.report.markup import (
    DASH,
    Content,
    Html,
    Section,
    contents,
    document,
    folded,
    kept_section,
    number,
    section,
    sentence,
    table,
    tag,
)
from ganvas.run import Run

if TYPE_CHECKING:
    from ganvas.tasks.explain import Dimension, Explanation
    from ganvas.tasks.neighbours import Neighbours
    from ganvas.tasks.saliency import Saliency
    from ganvas.tasks.units import LayerInfluence, Outcome, Unit

MAX_SHOWN_UNITS = 12
MAX_SHOWN_LAYERS = 24
MAX_ROWS = 200
MAX_PAGE_IMAGE_BYTES = 12 * 2**10  # of an image of the page, before base64 adds a third
SHOWN_SIDE = 72  # pixels that a single image or map is shown with
BLUE, ORANGE = (0, 114, 178), (213, 94, 0)  # Okabe and Ito

HOW_UNITS = (
    "A unit is one channel of what a layer takes. Ablated, it is 0 everywhere; forced, it has a value that it otherwise exceeds"
    " in 1 % of places only. The map shows where images change when it is ablated, the darkest pixel the most. Attributes are in"
    " standard deviations of the samples, classes in probability."
)
HOW_LAYERS = (
    "The inputs of a layer are exchanged for those of another image: all of them (left), or those at the central position"
    " (right). The maps show where the image changes, each on a scale of its own. Reach is the side of the square, in pixels,"
    " that holds 90 % of what the central position changes."
)
HOW_SALIENCY = (
    "The gradient map is darkest where the discriminator's logit changes most with a pixel (mean of 16 noisy copies). The"
    " occlusion map is blue where the logit falls when a square is blurred, so that the square speaks for \u201creal\u201d, and"
    " orange where it rises. Each map has a scale of its own."
)


def write_explain_page(result: Explanation, path: Path | str, *, of: str) -> None:
    """Writes the page of an explanation: one file, no network. `of` says of what."""
    sections = [
        _units_section(result),
        _layers_section(result.layers),
        _dimensions_section(result),
        _saliency_section(result.saliency),
        _neighbours_section(result),
        section("notes", "What was left out", [tag("p", sentence(note), class_="note") for note in result.notes]),
    ]
    head = tag(
        "header",
        tag("p", "ganvas · explain", class_="eyebrow"),
        tag("h1", f"Inside {of}"),
        [tag("p", sentence(one), class_="verdict") for one in result.summary],
        tag("p", _measured_on(result.as_dict()), class_="note"),
        contents(sections),
    )
    foot = tag("footer", f"Written by ganvas {ganvas.__version__}. It needs no network and no other file.")
    write_text(path, str(document(f"Inside {of} · ganvas", head, [one.html for one in sections], foot)))


def explain_section(run: Run) -> Section:
    """The newest explanation of a run, for its report; empty where there was none."""

    def shown(content: JsonObject) -> tuple[Content, str]:
        sentences = [tag("p", tag("b", sentence(str(one)))) for one in content["summary"]]
        lead = f"From ganvas explain {run.folder}. Its page, explain.html in the run, shows the images."
        return [*sentences, *_tables(content), tag("p", _measured_on(content), class_="note")], lead

    return kept_section("explain", "Inside the model", lambda: run.explained, shown)


def _measured_on(content: JsonObject) -> str:
    words = f"Measured on {number(content['count'])} images of the seeds from {content['seed']} on."
    if content["space"]:
        words += f" Latent space: {content['space']}."
    probe = content["probe"]
    if probe:
        words += (
            f" Classes are read by a linear probe on {probe['features']} features, which is right on {probe['accuracy']:.1%} of"
            f" {number(probe['n'])} held-out images."
        )
    return words


def _tables(content: JsonObject) -> list[Html]:
    """Of a report: the strongest unit of each attribute, and the layers."""
    by_name = {f"{unit['layer']} unit {unit['number']}": unit for unit in content["units"]}
    rows: list[list[Content]] = []
    for name, unit_name in list(content["by_attribute"].items())[:MAX_ROWS]:
        unit = by_name[unit_name]
        rows.append([name, unit_name, _amount(unit["ablated"], name), _amount(unit["forced"], name)])
    head = ["Attribute", "Unit that moves it most", "Ablated", "Forced"]
    units = table(head, rows, caption="Attributes in standard deviations, classes in probability", numeric=(2, 3))
    rows = []
    for one in content["layers"][:MAX_ROWS]:
        height, width = one["size"]
        size = f"{height} x {width}"
        rows.append([one["name"], number(one["units"]), size, number(round(one["change"], 1)), number(one["reach"])])
    head = ["Layer takes", "Units", "Positions", "Change of 255", "Reach of one position, px"]
    layers = table(head, rows, caption="Layers whose inputs are another image's", numeric=(1, 3, 4))
    return [units, layers]


def _amount(outcome: JsonObject, name: str) -> str:
    """How much an attribute, or "class NAME", moved."""
    if name in outcome["effects"]:
        return f"{outcome['effects'][name]['deviations']:+.2f}"
    change = outcome["classes"].get(name.removeprefix("class "))
    return DASH if change is None else f"{change:+.2f}"


# --- units ----------------------------------------------------------------------------------------------------------------


def _units_section(result: Explanation) -> Section:
    shown = [tag("li", _unit(unit)) for unit in result.units[:MAX_SHOWN_UNITS]]
    rows: list[list[Content]] = []
    for unit in result.units[:MAX_ROWS]:
        rows.append(
            [
                unit.name, number(round(unit.ablated.change, 2)), unit.ablated.described() or DASH,
                number(round(unit.forced.change, 2)), unit.forced.described() or DASH,
            ]
        )  # fmt: skip
    head = ["Unit", "Ablated: change of 255", "moves", "Forced: change of 255", "moves"]
    everything = table(head, rows, caption="All units that were tried", numeric=(1, 3))
    strongest = _tables(result.as_dict())[0]
    inside: list[Content] = []
    if shown:
        inside = [strongest, tag("ol", shown, class_="strips"), folded(f"All {len(result.units)} units", everything)]
    return section("units", "What units make", inside, lead=HOW_UNITS)


def _unit(unit: Unit) -> list[Html]:
    words = f"Ablated: {_outcome(unit.ablated)}. Forced to {number(round(unit.value, 2))}: {_outcome(unit.forced)}."
    names = ("as they are", "ablated", "forced")
    rows = [_row(images, name) for images, name in zip(unit.images, names, strict=True)]
    where = _figure(heat(unit.where), "where it acts")
    return [tag("h3", unit.name), tag("p", words, class_="note"), tag("div", where, rows, class_="row")]


def _outcome(outcome: Outcome) -> str:
    words = f"a pixel changes by {outcome.change:.1f} of 255"
    if outcome.described():
        words += f", {outcome.described()}"
    if outcome.same_class is not None:
        words += f", class kept in {outcome.same_class:.0%}"
    return words


# --- layers and dimensions ------------------------------------------------------------------------------------------------


def _layers_section(layers: Sequence[LayerInfluence]) -> Section:
    shown: list[Html] = []
    for one in layers[:MAX_SHOWN_LAYERS]:
        height, width = one.size
        words = f"{one.units} units at {height} x {width} positions. All: {one.change:.1f} of 255. One: {one.position_change:.1f}"
        words += f", reach {one.reach} px." if one.size != (1, 1) else "."
        maps = [_figure(heat(one.whole), "all positions")]
        if one.size != (1, 1):
            maps.append(_figure(heat(one.position), "central position"))
        shown.append(tag("li", tag("h3", one.name), tag("p", words, class_="note"), tag("div", maps, class_="row")))
    more = None
    if len(layers) > MAX_SHOWN_LAYERS:
        more = tag("p", f"The first {MAX_SHOWN_LAYERS} of {len(layers)} layers.", class_="note")
    content = [tag("ol", shown, class_="strips two"), more] if shown else []
    return section("layers", "What each layer decides", content, lead=HOW_LAYERS)


def _dimensions_section(result: Explanation) -> Section:
    title = "Latent dimensions"
    if not result.dimensions:
        return section("dimensions", title)
    lead = (
        f"Each dimension of {result.space} goes from one standard deviation below to one above in {result.moved} images, a code"
        " from one value to another. One does nothing where it changes images by less than 5 % of what the strongest does."
    )
    strips: list[Html] = []
    for one in result.dimensions:
        if one.images is not None:
            words = f"a pixel changes by {one.outcome.change:.1f} of 255"
            if one.outcome.described():
                words += f", {one.outcome.described()}"
            row = _row(one.images, "-2 to 2 standard deviations")
            strips.append(
                tag("li", tag("h3", one.name), tag("p", sentence(words), class_="note"), tag("div", row, class_="row"))
            )
    rows = [
        [one.name, number(round(one.outcome.change, 2)), one.outcome.described() or DASH] for one in result.dimensions
    ]
    listed = table(
        ["Dimension", "Change of 255", "Moves"], rows, caption="All dimensions that were tried", numeric=(1,)
    )
    idle = ", ".join(one.name for one in result.idle[:MAX_ROWS])
    return section(
        "dimensions",
        title,
        tag("p", tag("b", f"{len(result.idle)} of {len(result.dimensions)} do nothing"), f": {idle}." if idle else "."),
        _bars(result.dimensions, len(result.idle)),
        tag("p", "Change by each dimension, the strongest first; those that do nothing are orange.", class_="note"),
        tag("ol", strips, class_="strips two"),
        folded("All dimensions", listed),
        lead=lead,
    )


def _bars(dimensions: Sequence[Dimension], idle: int) -> Html:
    """A bar for each dimension; the last `idle` ones do nothing."""
    most = max(dimensions[0].outcome.change, 1e-9)
    bars: list[Html] = []
    for place, one in enumerate(dimensions):
        height = max(0.5, 100 * one.outcome.change / most)
        colour = "f1" if place >= len(dimensions) - idle else "f0"
        title = tag("title", f"{one.name}: {one.outcome.change:.2f}")
        bars.append(tag("rect", title, x=place, y=100 - height, width=0.8, height=height, class_=colour))
    label = f"Change by each of {len(dimensions)} latent dimensions"
    view = f"0 0 {len(dimensions)} 100"
    return tag("svg", bars, class_="bars", viewBox=view, preserveAspectRatio="none", role="img", aria_label=label)


# --- the discriminator, and training images -----------------------------------------------------------------------------------


def _saliency_section(saliency: Sequence[Saliency]) -> Section:
    shown: list[Html] = []
    for one in saliency:
        name = f"seed {one.number}" if one.kind == "generated" else f"{one.kind} image {one.number}"
        row = [
            _figure(one.image, "image"),
            _figure(heat(one.gradient), "gradient"),
            _figure(signed(one.occlusion), "occlusion"),
        ]
        kind = "generated, " if one.kind == "generated" else ""
        words = f"{kind}logit {one.logit:.2f}"
        shown.append(
            tag("li", tag("h3", name), tag("p", sentence(words), class_="note"), tag("div", row, class_="row"))
        )
    content = [tag("ol", shown, class_="strips two")] if shown else []
    return section("saliency", "What the discriminator looks at", content, lead=HOW_SALIENCY)


def _neighbours_section(result: Explanation) -> Section:
    title = "Nearest training images at each depth"
    lead = (
        f"As pixels, then by the layers of the feature network {result.features}, from the first to the last: cosine distance of"
        f" features averaged to at most 4 x 4 positions, among {number(result.compared)} training images."
    )
    shown = [tag("li", _neighbours(one)) for one in result.neighbours]
    content = [tag("ol", shown, class_="strips")] if shown else []
    return section("neighbours", title, content, lead=lead)


def _neighbours(one: Neighbours) -> list[Html]:
    row = [_figure(one.image, f"seed {one.seed}")]
    for depth, found in one.by_depth.items():
        pair = [_shown(each.image, SHOWN_SIDE, f"training image {each.number}") for each in found]
        about: list[str] = []
        for each in found:
            label = f" class {each.label}" if each.label else ""
            about.append(f"{each.number}{label} ({number(round(each.distance, 3))})")
        row.append(tag("figure", tag("div", pair, class_="row"), tag("figcaption", f"{depth}: {', '.join(about)}")))
    return [tag("h3", f"Sample of seed {one.seed}"), tag("div", row, class_="row")]


# --- images ---------------------------------------------------------------------------------------------------------------


def heat(change: np.ndarray) -> np.ndarray:
    """A map (H, W) >= 0 as uint8 (H, W, 3): white 0, blue its largest value."""
    share = change / max(float(change.max()), 1e-12)
    return _mixed(share[..., None], BLUE)


def signed(change: np.ndarray) -> np.ndarray:
    """A map (H, W) as uint8 (H, W, 3): white 0, blue above it, orange below, on one scale."""
    share = (change / max(float(np.abs(change).max()), 1e-12))[..., None]
    return np.where(share >= 0, _mixed(share, BLUE), _mixed(-share, ORANGE))


def _mixed(share: np.ndarray, colour: Iterable[int]) -> np.ndarray:
    return np.rint(255 + share.clip(0, 1) * (np.array(list(colour)) - 255)).astype(np.uint8)


def _row(images: np.ndarray, caption: str) -> Html:
    """Images (k, H, W, C) in a row."""
    return _figure(grid(images, columns=len(images), gap=1), caption, SHOWN_SIDE * len(images))


def _figure(pixels: np.ndarray, caption: str, width: int = SHOWN_SIDE) -> Html:
    return tag("figure", _shown(pixels, width, caption), tag("figcaption", caption))


def _shown(pixels: np.ndarray, width: int, alt: str) -> Html:
    """An img of pixels uint8 (H, W, C), `width` pixels wide, of bounded size."""
    height = max(1, round(width * pixels.shape[0] / pixels.shape[1]))
    pixels = viewable(pixels)
    file = smaller(Frame(0, png_bytes(pixels), pixels.shape[1], pixels.shape[0]), MAX_PAGE_IMAGE_BYTES).file
    return image(file, alt, width, height, loading="lazy")
