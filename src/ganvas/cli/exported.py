"""What `ganvas sample`, `translate`, `restore` and `stylise` do with an exported model in place of a run. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import numpy as np

    from ganvas.data.photo import Photo
    from ganvas.export.runtime import ExportedModel


def is_exported(path: Path) -> bool:
    """Whether a path names an exported model, a file, and not a run's folder."""
    return path.suffix.lower() == ".onnx"


def opened(path: Path, refused: Mapping[str, object]) -> ExportedModel:
    """The model. UsageError where an option is given that needs the run itself; `refused` are their values by name."""
    from ganvas.errors import UsageError
    from ganvas.export.runtime import open_model

    for name, value in refused.items():
        if value:
            raise UsageError(f"{name} needs the run itself, and {path} is an exported model: omit it, or name the run")
    return open_model(path)


def sample(
    path: Path, n: int, seed: int, label: str | None, out: Path | None, grid: Path | None, refused: Mapping[str, object]
) -> None:
    """`ganvas sample MODEL.onnx`."""
    import numpy as np

    from ganvas.data import media, write_png
    from ganvas.data.image_grid import bounded_grid
    from ganvas.export.photos import made_by, spec_of

    model = opened(path, refused)
    spec, made = spec_of(model.facts), made_by(model.facts, "sample", seed=seed, label=label)
    if out is None and grid is None:
        out = Path(f"samples-{path.stem}")
    blocks: list[np.ndarray] = []
    first = seed
    for block in model.sample_blocks(n, seed=seed, label=label):
        if out is not None and out.suffix.lower() != ".npz":
            media.write_each(out, block, first, spec, made)
        if grid is not None or (out is not None and out.suffix.lower() == ".npz"):
            blocks.append(block)
        first += len(block)
    if out is not None:
        if out.suffix.lower() == ".npz":
            media.write_npz(out, np.concatenate(blocks), spec)
        typer.echo(f"{n} images written to {out}")
    if grid is not None:
        images = np.concatenate(blocks)
        write_png(grid, bounded_grid(images), made.with_options(n=n, grid=True))
        typer.echo(f"a grid of {n} images written to {grid}")


def translator(path: Path, direction: str, refused: Mapping[str, object]) -> Any:
    """A function that translates a photo or an array uint8 (n, H, W, C), for `ganvas translate MODEL.onnx`."""
    import numpy as np

    from ganvas.data.photo import Photo
    from ganvas.errors import UsageError
    from ganvas.export.photos import translated
    from ganvas.export.runtime import from_uint8, to_uint8

    model = opened(path, refused)
    if not model.facts.part.startswith("translate"):
        model.translate(np.zeros((1, 1, 1, 1), np.float32))  # says which command it is for
    if model.facts.part != f"translate_{direction}":
        raise UsageError(
            f"{path} translates {model.facts.part.removeprefix('translate_')} only (got direction {direction}): each direction is"
            " a file of its own"
        )

    def translate_one(images: Any) -> Any:
        if isinstance(images, Photo):
            return translated(model, images)
        if images.shape[3] != model.facts.channels:
            raise UsageError(f"{path} takes {model.facts.channels} channels, and the images have {images.shape[3]}")
        return to_uint8(model.translate(from_uint8(images)))

    return translate_one


def restore(
    path: Path, images: list[Path], out: Path, mask: Path | None, refused: Mapping[str, object], *, json: bool
) -> None:
    """`ganvas restore MODEL.onnx`: one result for each image, without before/after grids."""
    from ganvas.cli.output import write_json
    from ganvas.cli.planned import masks_for, plan
    from ganvas.data.photo import write_photo
    from ganvas.errors import DataError
    from ganvas.export.photos import restored

    model = opened(path, refused)
    planned = plan(images, out)
    masks = masks_for([name for name, _, _ in planned], mask)
    done: list[dict[str, Any]] = []
    problems: list[str] = []
    for name, read, place in planned:
        file = place.with_name(f"{place.name}.png")
        try:
            result = restored(model, read(), None if masks is None else masks(name))
        except DataError as error:
            problems.append(str(error) if name in str(error) else f"{name}: {error}")
            continue
        write_photo(file, result)
        done.append({"image": name, "files": [str(file)], "size": list(result.size)})
        if not json:
            typer.echo(f"{name} -> {file}")
    if json:
        write_json({"task": model.facts.degradation, "restored": done, "problems": problems})
    if problems:
        head = f"{len(problems)} of {len(planned)} images failed:"
        raise DataError(problems[0] if len(planned) == 1 else "\n  ".join([head, *problems]))


def stylise(
    path: Path, photo: Photo, paintings: list[Photo], strength: float, refused: Mapping[str, object]
) -> tuple[Photo, dict[str, Any]]:
    """`ganvas stylise --run MODEL.onnx`."""
    import time

    from ganvas.errors import UsageError
    from ganvas.export.photos import stylised

    if len(paintings) > 1:
        raise UsageError(f"a model takes one style at a time (got {len(paintings)})")
    model = opened(path, refused)
    began = time.perf_counter()
    result = stylised(model, photo, paintings[0] if paintings else None, strength)
    seconds = round(time.perf_counter() - began, 2)
    return result, {"run": str(path), "method": model.facts.method, "seconds": seconds}
