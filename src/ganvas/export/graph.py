"""From a part of a method to an ONNX graph: traced by torch.export, completed, reduced in precision, compared with torch."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ganvas.errors import GanvasError, MissingExtra, RunError
from ganvas.export.facts import METADATA_KEY, ModelFacts
from ganvas.export.parts import Free, Inputs, Part

if TYPE_CHECKING:
    import onnx

FLOAT_LIMIT, LEVEL_LIMIT, CODE_LIMIT = 1e-4, 1, 1e-3
"""The largest difference from torch: of numbers (of those beyond 1 relative to the largest), of uint8 images in levels, and the
share of discrete codes that differ."""
MAX_GRAPH_BYTES = 2**31 - 2**20  # bytes; a protobuf holds no more than 2 GiB
EXPORT_PRECISIONS = ("fp32", "fp16", "int8")
NEEDS = "exporting to ONNX needs the packages onnx, onnxscript and onnxruntime: pip install 'ganvas[onnx]'"


def needed() -> None:
    """MissingExtra where a package is missing."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingExtra(f"{NEEDS} ({error})") from error


def traced(part: Part) -> torch.export.ExportedProgram:
    """The part as torch.export has it, with free batch and size."""
    axes: list[dict[int, object] | None] = []
    for free in _traced_axes(part):
        axes.append(dict.fromkeys(free, torch.export.Dim.DYNAMIC) if free else None)
    with torch.no_grad(), _quietly():
        try:
            return torch.export.export(part.module.eval(), part.traced, dynamic_shapes=(tuple(axes),))
        except torch._dynamo.exc.UserError as error:  # pyright: ignore[reportAttributeAccessIssue]
            raise RunError(f"{part.name} cannot be exported with free batch and size: {error}") from error


def _traced_axes(part: Part) -> list[Free]:
    axes = list(part.inputs.values())
    if part.iteration is not None:  # a step takes its number too
        axes.insert(1, {})
    return axes


def to_onnx(part: Part, uint8: bool = False) -> onnx.ModelProto:
    """The part as an ONNX model in float32. `uint8`: images come as uint8 (n, H, W, C)."""
    needed()
    from onnxscript.optimizer import fold_constants, remove_unused_nodes

    names = list(part.inputs)
    if part.iteration is not None:
        names = ["state", "number", *names[1:]]
    unrolled = bool(part.facts.get("fixed_size"))
    with torch.no_grad(), _quietly():
        program = torch.onnx.export(
            traced(part), dynamo=True, input_names=names, output_names=[part.output], verbose=False, optimize=not unrolled
        )  # fmt: skip
    assert program is not None
    if (
        unrolled
    ):  # loops of thousands of nodes: the rewriter takes minutes over them, folding constants halves their start
        fold_constants(program.model)
        remove_unused_nodes(program.model)
    model = program.model_proto
    del model.metadata_props[:]
    _tidy(model.graph)
    if part.iteration is not None:
        _repeat(model, part)
    if uint8:
        _as_levels(model.graph)
    _name_axes(model.graph, part, uint8)
    model.producer_name = "ganvas"
    if model.ByteSize() > MAX_GRAPH_BYTES:
        raise GanvasError(
            f"{part.name} has {model.ByteSize():,} bytes, and an ONNX file holds {MAX_GRAPH_BYTES:,}: export with"
            " --precision fp16"
        )
    return model


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without the remarks of torch's exporter about itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _tidy(graph: onnx.GraphProto) -> None:
    """Drops notes about this machine's source files, and shapes of inner values."""
    del graph.value_info[:]
    del graph.metadata_props[:]
    graph.name, graph.doc_string = "ganvas", ""
    for value in (*graph.input, *graph.output, *graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
        del node.metadata_props[:]


def _repeat(model: onnx.ModelProto, part: Part) -> None:
    """Makes of the graph of a step one that takes latents and repeats the step: an ONNX Loop, whose weights stay outside."""
    from onnx import TensorProto, helper, numpy_helper

    step, iteration = model.graph, part.iteration
    assert iteration is not None
    _rename_output(step, step.output[0].name, "next_state")  # its own name is that of the outer output
    state, number, next_state = step.input[0].name, step.input[1].name, step.output[0].name
    condition = helper.make_tensor_value_info("go_on", TensorProto.BOOL, [])
    body = helper.make_graph(
        [*step.node, helper.make_node("Identity", ["go_on"], ["go_on_next"])],
        "step",
        [
            helper.make_tensor_value_info(number, TensorProto.INT64, []),
            condition,
            helper.make_tensor_value_info(state, TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on_next", TensorProto.BOOL, []),
            helper.make_tensor_value_info(next_state, TensorProto.FLOAT, None),
        ],
    )
    constants = {
        "steps": np.array(iteration.steps, np.int64),
        "start_shape": np.array([-1, *iteration.shape], np.int64),
        "lowest": np.array(-1, np.float32),
        "highest": np.array(1, np.float32),
    }
    start, end, before, after = "start", "end", [], []
    if iteration.carried:  # zeros behind the example's channels, which are cut off at the end
        start, end = "whole_start", "whole_end"
        padding = np.zeros((2, 1 + len(iteration.shape)), np.int64)
        padding[1, 1] = iteration.carried
        constants |= {"padding": padding.flatten(), "axis": np.array([1], np.int64)}
        constants |= {"first": np.array([0], np.int64), "channels": np.array([iteration.shape[0]], np.int64)}
        before = [helper.make_node("Pad", ["start", "padding"], [start])]
        after = [helper.make_node("Slice", [end, "first", "channels", "axis"], ["end"])]
    nodes = [
        helper.make_node("Reshape", ["latents", "start_shape"], ["start"]),
        *before,
        helper.make_node("Loop", ["steps", "", start], [end], body=body),
        *after,
        helper.make_node("Clip", ["end", "lowest", "highest"], [part.output]),
    ]
    inputs = [helper.make_tensor_value_info("latents", TensorProto.FLOAT, list(part.checks[0][0].shape))]
    inputs += [one for one in step.input if one.name == "labels"]
    output = helper.make_tensor_value_info(part.output, TensorProto.FLOAT, [None, *iteration.shape])
    weights = [*step.initializer, *(numpy_helper.from_array(value, name) for name, value in constants.items())]
    model.graph.CopyFrom(helper.make_graph(nodes, "ganvas", inputs, [output], weights))


def _rename_output(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                if name == old:
                    names[place] = new
    for value in graph.output:
        if value.name == old:
            value.name = new


def _as_levels(graph: onnx.GraphProto) -> None:
    """Adds to a graph whose output are images (n, C, H, W) in [-1, 1] what makes them uint8 (n, H, W, C), rounded as in files."""
    from onnx import TensorProto, helper, numpy_helper

    output = graph.output[0]
    name = output.name
    _rename_output(graph, name, "in_range")
    for value, constant in (("one", 1.0), ("half_range", 127.5), ("lower", -1.0)):
        graph.initializer.append(numpy_helper.from_array(np.array(constant, np.float32), value))
    graph.node.extend(
        [
            helper.make_node("Clip", ["in_range", "lower", "one"], ["clipped"]),
            helper.make_node("Add", ["clipped", "one"], ["above_zero"]),
            helper.make_node("Mul", ["above_zero", "half_range"], ["scaled"]),
            helper.make_node("Round", ["scaled"], ["rounded"]),
            helper.make_node("Cast", ["rounded"], ["levels"], to=TensorProto.UINT8),
            helper.make_node("Transpose", ["levels"], [name], perm=[0, 2, 3, 1]),
        ]
    )
    output.CopyFrom(helper.make_tensor_value_info(name, TensorProto.UINT8, [None, None, None, None]))


def _name_axes(graph: onnx.GraphProto, part: Part, uint8: bool) -> None:
    """Names the free axes: n, height, width."""
    for value in graph.input:
        for axis, name in part.inputs.get(value.name, {}).items():
            value.type.tensor_type.shape.dim[axis].dim_param = name
    with torch.no_grad():
        shape = part.expected(*part.traced).shape if part.iteration is None else part.expected(*part.checks[0]).shape
    free: Free = {0: "n"}
    given = part.inputs[next(iter(part.inputs))]
    if 2 in given:
        scale = part.facts.get("scale", 1)
        prefix = "" if scale == 1 else f"{scale}*"
        free = {0: "n", 2: f"{prefix}height", 3: f"{prefix}width"}
    dims: list[int | str] = [free.get(axis, side) for axis, side in enumerate(shape)]
    if uint8:
        dims = [dims[0], dims[2], dims[3], dims[1]]
    output = graph.output[0].type.tensor_type
    del output.shape.dim[:]
    for dim in dims:
        added = output.shape.dim.add()
        if isinstance(dim, str):
            added.dim_param = dim
        else:
            added.dim_value = dim


def with_precision(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """The model with weights of fp16 (computing in fp16 too, where the runtime can) or of int8. Inputs and outputs stay."""
    if precision == "fp32":
        return model
    with _quietly():
        if precision == "fp16":
            from onnxruntime.transformers.float16 import convert_float_to_float16

            return convert_float_to_float16(model, keep_io_types=True)
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic

        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "int8.onnx"
            quantize_dynamic(model, place, weight_type=QuantType.QUInt8, per_channel=True)
            return onnx.load(place)


def with_facts(model: onnx.ModelProto, facts: ModelFacts) -> bytes:
    """The bytes of the file, with `facts` as metadata."""
    del model.metadata_props[:]
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, facts.text()
    return model.SerializeToString(deterministic=True)


def difference(content: bytes, part: Part, uint8: bool) -> float:
    """The largest difference between the exported model and torch, over the part's checks: of numbers, of uint8 images in levels,
    of codes the share that differ."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    largest = 0.0
    for inputs in part.checks:
        with torch.no_grad():
            expected = part.expected(*inputs)
        given = session.run(None, feeds_of(part, inputs))[0]
        largest = max(largest, compared(np.asarray(given), expected, uint8))
    return largest


def feeds_of(part: Part, inputs: Inputs) -> dict[str, np.ndarray]:
    """Inputs by name, as onnxruntime takes them."""
    return {name: value.numpy() for name, value in zip(part.inputs, inputs, strict=True)}


def compared(given: np.ndarray, expected: torch.Tensor, uint8: bool) -> float:
    """The largest difference of two results, see `difference`."""
    from ganvas.data.media import to_uint8

    if not expected.is_floating_point():
        return float((given != expected.numpy()).mean())
    if uint8:
        return float(np.abs(given.astype(np.int16) - to_uint8(expected)).max())
    known = expected.float().numpy()
    if given.shape != known.shape or not np.isfinite(given).all():
        return float("inf")
    return float(np.abs(given - known).max() / max(1.0, np.abs(known).max()))


def check_difference(part: Part, value: float, uint8: bool) -> None:
    """RunError where a model in float32 differs from torch by more than the limit."""
    limit, unit = FLOAT_LIMIT, ""
    if part.output == "codes":
        limit, unit = CODE_LIMIT, " of the codes"
    elif uint8:
        limit, unit = float(LEVEL_LIMIT), " of 255 levels"
    if not value <= limit:
        raise RunError(
            f"the exported {part.name} differs from torch by {value:.3g}{unit}, and the limit is {limit:g}: nothing was written."
            " This is a fault of the export; please report it with the run's settings.json"
        )
