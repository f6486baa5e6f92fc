"""`ganvas export`: a run's method as files."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganvas.errors import UsageError, nearest
from ganvas.export import graph
from ganvas.export.facts import EXPORT_SUFFIXES, IMAGE_PARTS, ModelFacts
from ganvas.export.parts import Part, part_named, parts_of
from ganvas.files import write_bytes
from ganvas.method import Method
from ganvas.version import __version__

if TYPE_CHECKING:
    from ganvas.run import Run


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    part: str
    size: int
    """Bytes."""
    difference: float
    """From torch: see ModelFacts.difference."""
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for --json."""
        return {**vars(self), "path": str(self.path)}


def export_run(
    run: Run, to: str = "onnx", out: Path | str | None = None, *, part: str | None = None, precision: str = "fp32",
    uint8: bool = False, size: tuple[int, int] | None = None, licence: str = "", raw: bool = False, best: bool = False,
    done: Callable[[Exported], None] = lambda exported: None,
) -> list[Exported]:  # fmt: skip
    """Writes what a run's method can do: `to` "onnx", "torch" (torch.export's .pt2) or "page" (one HTML file).

    A file holds one part: sample, encode, decode, translate_ab, translate_ba, restore or stylise. `part` names the only one to
    write, to `out` (default: NAME.onnx here). Where a method has several and none is named, each goes to OUT-PART. `precision` is
    fp32, fp16 or int8 (ONNX only), `uint8`: images come as bytes. `size` (H, W) is for methods whose computation depends on
    it. `licence` is written into the file. `done` is called with each file.
    Everything is compared with torch before it is written. RunError where the method cannot be exported, or differs;
    UsageError for a part or an option that it cannot take; MissingExtra without the extra [onnx].
    """
    if to not in EXPORT_SUFFIXES:
        raise UsageError(f"--to takes {', '.join(EXPORT_SUFFIXES)} (got {to}{nearest(to, EXPORT_SUFFIXES)})")
    if precision not in graph.EXPORT_PRECISIONS:
        raise UsageError(f"--precision takes {', '.join(graph.EXPORT_PRECISIONS)} (got {precision})")
    if to == "page" and (part is not None or uint8):
        raise UsageError("a page shows all of a method, and needs no --part and no --uint8: omit them")
    if to == "torch" and (precision != "fp32" or uint8):
        raise UsageError("--precision and --uint8 are for --to onnx: omit them")
    place = Path(f"{run.name}{EXPORT_SUFFIXES[to]}") if out is None else Path(out)
    if place.suffix.lower() != EXPORT_SUFFIXES[to]:
        raise UsageError(f"--out takes a FILE{EXPORT_SUFFIXES[to]} for --to {to} (got {place})")
    if to != "torch":
        graph.needed()
    method = run.load_method(raw=raw, best=best)
    facts = facts_of(run, method, licence, raw=raw, best=best)
    if to == "page":
        return [_page(run, method, facts, place, precision, size, done)]
    parts = parts_of(method, size)
    if part is not None:
        parts = [part_named(parts, part)]
    files: list[Exported] = []
    for one in parts:
        path = place if len(parts) == 1 else place.with_name(f"{place.stem}-{one.name}{place.suffix}")
        began = time.perf_counter()
        if to == "torch":
            content, difference = torch_bytes(one)
        else:
            content, difference = onnx_bytes(one, facts, precision, uint8)
        write_bytes(path, content)
        files.append(Exported(path, one.name, len(content), difference, time.perf_counter() - began))
        done(files[-1])
    return files


def _page(
    run: Run, method: Method, facts: ModelFacts, place: Path, precision: str, size: tuple[int, int] | None,
    done: Callable[[Exported], None],
) -> Exported:  # fmt: skip
    from ganvas.export.page import page_of

    began = time.perf_counter()
    page = page_of(run, method, facts, precision=precision, size=size)
    write_bytes(place, page.content)
    file = Exported(place, "page", len(page.content), page.difference, time.perf_counter() - began)
    done(file)
    return file


def facts_of(run: Run, method: Method, licence: str = "", *, raw: bool = False, best: bool = False) -> ModelFacts:
    """What files say of a run, without the part: no path of this machine is among it. Without `licence`: what an imported or
    downloaded run says of its own."""
    weights = run.weights_hash(best=best)
    config = run.config(weights, best=best)
    spec = method.spec
    verdict = "" if raw or best else run.audit_verdict()  # an audit is of the averaged weights of the end
    return ModelFacts(
        part="sample", method=method.name, channels=spec.channels, height=spec.height, width=spec.width,
        settings=config["settings"], data=spec.name, licence=licence or str(run.info.get("licence", "")),
        run=run.name, weights=weights,
        figures=config["metrics"], audit=verdict, alpha=spec.alpha, version=__version__,
    )  # fmt: skip


def onnx_bytes(part: Part, facts: ModelFacts, precision: str = "fp32", uint8: bool = False) -> tuple[bytes, float]:
    """The ONNX file of a part, and how much it differs from torch."""
    levels = uint8 and part.name in IMAGE_PARTS
    model = graph.with_precision(graph.to_onnx(part, levels), precision)
    difference = graph.difference(model.SerializeToString(), part, levels)
    if precision == "fp32":
        graph.check_difference(part, difference, levels)
    output = "uint8" if levels else "float32"
    own = facts.with_changes(part=part.name, output=output, precision=precision, difference=difference, **part.facts)
    return graph.with_facts(model, own), difference


def torch_bytes(part: Part) -> tuple[bytes, float]:
    """The .pt2 file of a part, and how much it differs from torch: torch.export.load(file).module() is the function."""
    program = graph.traced(part)
    difference = torch_difference(part, program)
    file = io.BytesIO()
    torch.export.save(program, file)
    return file.getvalue(), difference


def torch_difference(part: Part, program: torch.export.ExportedProgram | None = None) -> float:
    """How much a traced part differs from the method, over its checks. RunError where that is too much."""
    program = graph.traced(part) if program is None else program
    module = program.module()
    largest = 0.0
    for inputs in part.checks:
        with torch.no_grad():
            given, expected = _called(module, part, inputs), part.expected(*inputs)
        largest = max(largest, graph.compared(given.numpy(), expected, False))
    graph.check_difference(part, largest, False)
    return largest


def _called(module: Callable[..., torch.Tensor], part: Part, inputs: tuple[torch.Tensor, ...]) -> torch.Tensor:
    if part.iteration is None:
        return module(*inputs)
    state = part.iteration.first_state(inputs[0])
    for number in range(part.iteration.steps):
        state = module(state, torch.tensor(number), *inputs[1:])
    return part.iteration.example(state).clamp(-1, 1)
