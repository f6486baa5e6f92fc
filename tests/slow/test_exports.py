"""Every method all the way to ONNX, minutes of one core: free batch and size, and torch's results, as numbers and as bytes."""

from __future__ import annotations

import onnx
import pytest

from exports import EXPORTED, perturbed
from ganvas.abilities import Restores
from ganvas.export.facts import IMAGE_PARTS, ModelFacts
from ganvas.export.parts import parts_of
from ganvas.export.write import onnx_bytes

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", EXPORTED)
def test_every_part_as_onnx(name: str) -> None:
    method = perturbed(name)
    by_size = isinstance(method, Restores) and method.restoration().by_size
    for part in parts_of(method, (16, 16) if by_size else None):
        facts = ModelFacts(part.name, name, *method.spec.shape)
        content, difference = onnx_bytes(part, facts)
        assert difference <= 1e-4, part.name
        graph = onnx.ModelProto.FromString(content).graph
        assert [one.name for one in graph.input] == list(part.inputs)
        for value in graph.input:
            free = part.inputs[value.name]
            sides = value.type.tensor_type.shape.dim
            assert [bool(side.dim_param) for side in sides] == [number in free for number in range(len(sides))], (
                value.name
            )
        if part.name in IMAGE_PARTS and not by_size:  # which takes a minute each time
            _, levels = onnx_bytes(part, facts, uint8=True)
            assert levels <= 1, part.name
