"""Exported models of a few nodes, written by hand: what commands do with a file, without seconds of tracing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ganvas.draws import Draw
from ganvas.export.facts import METADATA_KEY, ModelFacts


def write_model(
    place: Path, facts: ModelFacts, inputs: dict[str, list[Any]], output: str, nodes: list[onnx.NodeProto],
    **constants: Any,
) -> Path:  # fmt: skip
    """An ONNX file of float32 inputs of those shapes, with `constants` as its weights."""
    weights = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()]
    result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
    model = helper.make_model(
        helper.make_graph(nodes, "g", values, [result], weights),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    entry = model.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, facts.text()
    place.write_bytes(model.SerializeToString())
    return place


def image(channels: int, height: str = "h", width: str = "w") -> list[Any]:
    """Axes of images whose batch and size are free."""
    return ["n", channels, height, width]


def sampler(place: Path) -> Path:
    """Four normal numbers, cut at 1, are the four pixels."""
    facts = ModelFacts("sample", "gan", 1, 2, 2, draws=(Draw("normal", 4),), run="four", weights="ab" * 32)
    nodes = [helper.make_node("Reshape", ["latents", "shape"], ["images"])]
    return write_model(place, facts, {"latents": ["n", 4]}, "images", nodes, shape=np.array([-1, 1, 2, 2]))


def translator(place: Path) -> Path:
    """The negative, of sides that are multiples of 4."""
    facts = ModelFacts("translate_ab", "pix2pix", 3, 32, 32, run="negative", multiple=4)
    nodes = [helper.make_node("Neg", ["images"], ["translated"])]
    return write_model(place, facts, {"images": image(3)}, "translated", nodes)


def upscaler(place: Path) -> Path:
    """Each pixel four times."""
    facts = ModelFacts("restore", "srresnet", 3, 32, 32, run="twice", scale=2, degradation="resolution")
    nodes = [helper.make_node("Resize", ["degraded", "", "scales"], ["restored"], mode="nearest")]
    scales = np.array([1, 1, 2, 2], np.float32)
    return write_model(place, facts, {"degraded": image(3)}, "restored", nodes, scales=scales)


def inpainter(place: Path) -> Path:
    """White where pixels are missing."""
    facts = ModelFacts("restore", "inpaint", 3, 32, 32, run="white", degradation="holes")
    nodes = [helper.make_node("Max", ["degraded", "mask"], ["restored"])]
    return write_model(place, facts, {"degraded": image(3), "mask": image(1)}, "restored", nodes)


def stylist(place: Path) -> Path:
    """The mean colour of the style, mixed in by the strength."""
    facts = ModelFacts("stylise", "adain", 3, 32, 32, run="mean", takes_style=True)
    nodes = [
        helper.make_node("ReduceMean", ["style", "sides"], ["mean"]),
        helper.make_node("Sub", ["mean", "content"], ["way"]),
        helper.make_node("Mul", ["way", "strength"], ["part"]),
        helper.make_node("Add", ["content", "part"], ["stylised"]),
    ]
    inputs = {"content": image(3), "style": [1, 3, "style_height", "style_width"], "strength": []}
    return write_model(place, facts, inputs, "stylised", nodes, sides=np.array([2, 3]))
