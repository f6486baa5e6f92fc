"""`ganvas edit`: what the parts of a latent do, and images edited by them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganvas.cli.options import BestOption, DeviceOption, JsonOption, RawOption, RunArgument
from ganvas.files import JsonObject

if TYPE_CHECKING:
    from ganvas.tasks.edit import EditOutcome, EditRequest
    from ganvas.tasks.editor import Change, Editor
    from ganvas.tasks.latents import Points

SHOWN_EFFECTS = 3  # attributes of a direction in the table
SHOWN_CHANGES = 12  # attributes of an edit in the table; --json has all
SPACE_NAMES = "z, w or w+"


def edit(
    run: RunArgument,
    images: Annotated[
        Path | None,
        typer.Argument(
            metavar="IMAGES",
            help="Images to edit in place of seeds: a photo, a folder or zip of photos, an .npz of images, or the .npz of "
            "`ganvas invert`. They are inverted, and the edit is written back over the originals, into the folder --out.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE|DIR",
            help="FILE.png for an image; FILE.webp, .gif or .mp4 for a video of --walk, --interpolate, --direction or "
            "--arithmetic; with IMAGES a folder.",
        ),
    ] = None,
    traverse: Annotated[
        bool, typer.Option("--traverse", help="One grid per code: a row per seed, a column per value.")
    ] = False,
    interpolate: Annotated[
        tuple[int, int] | None,
        typer.Option(
            metavar="A B", help="Images between that of seed A and that of seed B, by spherical interpolation."
        ),
    ] = None,
    code: Annotated[
        list[str] | None, typer.Option("--code", metavar="NAME", help="Traverse only this code. May be repeated.")
    ] = None,
    seeds: Annotated[
        str, typer.Option(metavar="A-B", help="What is edited: one seed, or the seeds from A to B.")
    ] = "0-7",
    values: Annotated[int, typer.Option(help="Number of columns of a continuous code, which goes from -2 to 2.")] = 10,
    steps: Annotated[int, typer.Option(help="Number of images of each row, both ends included.")] = 8,
    find: Annotated[
        bool,
        typer.Option("--find", help="Find directions, measure what each does, and keep them in the run."),
    ] = False,
    how: Annotated[
        str,
        typer.Option(
            metavar="KINDS",
            help="How directions are found: pca, pca:LAYER (features of a layer), sefa (these without labels), probe (of "
            "attributes and classes).",
        ),
    ] = "pca,sefa,probe",
    count: Annotated[int, typer.Option(help="Number of directions of pca and of sefa.")] = 10,
    direction: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=STRENGTH",
            help="Move along a direction: an attribute, class:NAME, or one that was found or saved. Strength 1 is one standard "
            "deviation. May be repeated.",
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="An attribute, a class:NAME or class (all of them) that should not change. May be repeated.",
        ),
    ] = None,
    both: Annotated[bool, typer.Option("--both", help="Show strengths from the negative one on.")] = False,
    reach: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=CHANGE",
            help="Move each image along an attribute's direction only until the attribute changed by this much, in its "
            "unit, such as thickness=0.5.",
        ),
    ] = None,
    arithmetic: Annotated[
        str | None,
        typer.Option(
            metavar="'A - B + C'",
            help="Sum of seeds (7, 0-9), classes (class:4), shares of an attribute (thickness>0.8) or folders of images, each "
            "averaged.",
        ),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Keep a difference, such as 'A - B', in the run as a direction of that name."
        ),
    ] = None,
    walk: Annotated[bool, typer.Option("--walk", help="A walk through all seeds and back to the first.")] = False,
    mix: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="A-B C-D", help="Style mixing: seeds of the rows, and of the columns."),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="A-B",
            help="Layers that --mix takes from the columns, or that --direction moves alone; 0 is the coarsest.",
        ),
    ] = None,
    noise: Annotated[
        list[str] | None,
        typer.Option(metavar="LAYER=SEED", help="Noise of a layer by its seed, or all=SEED. May be repeated."),
    ] = None,
    truncation: Annotated[
        float, typer.Option(help="1 as sampled, towards 0 nearer to the mean image; above 1 further away.")
    ] = 1.0,
    space: Annotated[
        str, typer.Option(metavar="NAME", help=f"Latent space: auto, or one that the method has ({SPACE_NAMES}).")
    ] = "auto",
    label: Annotated[
        str | None,
        typer.Option(metavar="CLASS", help="Class of the images, for a class-conditional method; also of IMAGES."),
    ] = None,
    frames: Annotated[int, typer.Option(help="Frames of a walk from one image to the next.")] = 24,
    fps: Annotated[float, typer.Option(help="Frames a second of a video.")] = 24.0,
    inversion_steps: Annotated[int, typer.Option(help="Steps of optimisation where IMAGES are inverted.")] = 300,
    raw: RawOption = False,
    best: BestOption = False,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Edit images in the latent space of a run: codes, interpolation, directions, arithmetic, style mixing, noise.

    --find finds directions: by PCA and by factorising the first layers, and for each attribute (thickness, slant, brightness,
    ...) and class of the data by a linear probe. They are kept in RUN/editing with what they do. A table says which attribute
    moved how much, and what else moved.

    A code is a part of the latent with a meaning of its own, such as infogan learns; `ganvas methods NAME` says how it is
    trained.
    """
    from ganvas.cli.output import update_report
    from ganvas.device import choose_device
    from ganvas.errors import UsageError
    from ganvas.run import load
    from ganvas.tasks.edit import EditRequest, edit_with, plain_edit

    request = EditRequest(
        traverse=traverse, interpolate=interpolate, code=code, seeds=seeds, values=values, steps=steps, find=find, how=how,
        count=count, direction=direction, keep=keep, both=both, reach=reach, arithmetic=arithmetic, save=save, walk=walk, mix=mix,
        layers=layers, noise=noise, truncation=truncation, space=space, label=label, frames=frames,
        inversion_steps=inversion_steps,
    )  # fmt: skip
    request.check(images is not None, dashes="--")
    if fps <= 0:
        raise UsageError(f"--fps must be above 0 (got {fps:g})")
    moving = _check_place(out, request, images)
    opened = load(run)
    if traverse or interpolate is not None:
        method = opened.load_method(raw=raw, best=best, device=choose_device(device))
        _write(plain_edit(method, request), out, moving, fps, json)
        return
    editor = opened.editor(space, raw=raw, best=best, device=device)
    if images is not None:
        assert out is not None
        _edit_images(editor, request, images, out, json)
        return
    outcome = edit_with(editor, request, None, lambda path: _inverted(editor, Path(path), request))
    _write(outcome, out, moving, fps, json)
    if find:
        update_report(opened)


def _check_place(out: Path | None, request: EditRequest, images: Path | None) -> bool:
    """Whether `out` is a video; UsageError where the result cannot be written there."""
    from ganvas.data.animation import animation_format, moves
    from ganvas.errors import UsageError

    if out is None:
        if request.find:
            return False
        raise UsageError("--out FILE is missing: it says where the result is written")
    if images is not None:
        if out.suffix.lower() in (".png", ".npz", ".webp", ".gif", ".mp4") or out.is_file():
            raise UsageError(f"--out takes a folder where images are edited (got {out})")
        return False
    if out.suffix.lower() == ".png" and not request.walk:
        return False
    can_move = request.walk or request.interpolate is not None or request.direction or request.arithmetic
    if can_move and (moves(out) or request.walk):
        animation_format(out)
        return True
    raise UsageError(f"--out takes a FILE.png{', .webp, .gif or .mp4' if can_move else ''} (got {out})")


def _write(outcome: EditOutcome, out: Path | None, moving: bool, fps: float, json: bool) -> None:
    from ganvas.cli.output import write_json
    from ganvas.data import write_png
    from ganvas.data.animation import write_animation
    from ganvas.errors import UsageError

    if moving:
        if outcome.frames is None:
            raise UsageError("the weights of this expression sum to 1, so it is one image: --out takes a FILE.png")
        frames = outcome.frames
        write_animation(out or "", frames, [1 / fps] * len(frames), frames.provenance)
    elif out is not None:
        write_png(out, outcome.image)
    if json:
        write_json(
            {
                "done": outcome.text,
                "out": None if out is None else str(out),
                "directions": [one.as_dict() for one in outcome.directions],
                **_change_facts(outcome.changes, outcome.same_class),
            }
        )
        return
    typer.echo(outcome.text if out is None else f"{outcome.text} written to {out}")
    _print_directions(outcome)
    _print_changes(outcome.changes, outcome.same_class)


def _change_facts(changes: list[Change], same_class: float | None) -> JsonObject:
    import dataclasses

    return {"changes": [dataclasses.asdict(one) for one in changes], "same_class": same_class}


def _print_directions(outcome: EditOutcome) -> None:
    """A row for each direction: what it moves most, in standard deviations at strength 1."""
    from ganvas.cli.output import print_table, short_number

    if not outcome.directions:
        return
    rows: list[list[str]] = []
    for one in outcome.directions:
        ordered = sorted(one.effects.items(), key=lambda item: -abs(item[1].deviations))[:SHOWN_EFFECTS]
        moved = ", ".join(f"{name} {effect.deviations:+.2f}" for name, effect in ordered)
        rows.append([one.name, one.how, short_number(one.share), moved])
    print_table(
        ("direction", "found by", "share", "moves most, in standard deviations at strength 1"), rows, right=(2,)
    )


def _print_changes(changes: list[Change], same_class: float | None) -> None:
    """A row for each attribute, those asked for first, then those that moved most."""
    from ganvas.cli.output import print_table, short_number

    if not changes:
        return
    rows: list[list[str]] = []
    for one in changes[:SHOWN_CHANGES]:
        unit = f" {one.unit}" if one.unit else ""
        rows.append(
            [
                f"{one.attribute}{' (asked)' if one.asked else ''}",
                f"{short_number(one.before)}{unit}",
                f"{one.change:+.3g}{unit}",
                f"{one.deviations:+.2f}",
                f"{one.rose:.0%}",
                f"{one.fell:.0%}",
            ]
        )
    print_table(("attribute", "before", "change", "deviations", "rose", "fell"), rows, right=(1, 2, 3, 4, 5))
    typer.echo("deviations: of the attribute over samples; rose, fell: share of the images, by half of one or more")
    if same_class is not None:
        typer.echo(f"same class: {same_class:.1%} of the images, read by a probe")


# --- given images -------------------------------------------------------------------------------------------------------


def _inverted(editor: Editor, path: Path, request: EditRequest) -> Points:
    """The points of the images at a path: read from the .npz of `ganvas invert`, or inverted now."""
    from ganvas.cli.invert import points_in_file
    from ganvas.tasks.edit import inverted

    kept = points_in_file(path, editor)
    return inverted(editor, request, path) if kept is None else kept


def _edit_images(editor: Editor, request: EditRequest, path: Path, out: Path, json: bool) -> None:
    """Edits given images, and writes each at its own size with its alpha."""
    from ganvas.cli.invert import original_of, places_of_edits, points_in_file, write_edited
    from ganvas.cli.output import write_json
    from ganvas.errors import UsageError
    from ganvas.tasks.directions import moved
    from ganvas.tasks.edit import edit_provenance, inverted, read_layers, read_noise, read_strengths
    from ganvas.tasks.originals import images_at

    for name, changed in (("both", request.both), ("steps", request.steps != type(request).steps)):
        if changed:
            raise UsageError(f"--{name} is about a grid, and of IMAGES the edited ones are written: omit it")
    noise = read_noise(request.noise or (), len(editor.space.noise_sizes), editor.method.name)
    layers = read_layers(request.layers)
    # All that can be wrong is found before the inversion, which takes long.
    kept = points_in_file(path, editor)
    if kept is None:
        given = images_at(path, editor.method)
        count, find_points = len(given.images), lambda: inverted(editor, request, given.images, given.labels)
    elif request.label is not None:
        raise UsageError(f"{path} has the classes of its images: omit --label")
    else:
        count, find_points = len(kept), lambda: kept
    original = original_of(path)
    places = places_of_edits(out, original, count)
    if request.direction:
        steps = editor.steps(read_strengths(request.direction), request.keep or ())
    else:
        combined = editor.combine(
            request.arithmetic or "",
            invert=lambda other: _inverted(editor, Path(other), request),
            name=request.save or "arithmetic",
        )
        if combined.direction is None:
            raise UsageError("images are moved by a difference, such as 'A - B', whose weights sum to 0")
        direction = editor.add(combined.direction) if request.save else combined.direction
        steps = [(direction, 1.0)]
    moved(editor.space, editor.points([0]), steps, layers)
    edited = editor.move(find_points(), steps, layers=layers, noise=noise)
    made = edit_provenance(editor.method, request, [path.name])
    files = write_edited(places, original, edited.before, edited.after, editor.method, made)
    if json:
        write_json({"edited": files, **_change_facts(edited.changes, edited.same_class)})
        return
    for file in files:
        typer.echo(str(file["file"]))
    _print_changes(edited.changes, edited.same_class)
