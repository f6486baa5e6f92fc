"""Volumes inside a page: the surfaces of the newest samples, to be turned by hand (assets/solids.js)."""

from __future__ import annotations

import base64
import math
from functools import cache
from pathlib import Path

import numpy as np

from ganvas.data.arrays import npz_members
from ganvas.data.surface import largest_component, marching_cubes
from ganvas.data.volume import occupancy
from ganvas.errors import GanvasError
from ganvas.report.images import files_by_step
from ganvas.report.markup import Html, number, tag
from ganvas.report.style import SOLIDS_SCRIPT

SCRIPT = Path(__file__).parent / "assets" / "solids.js"
SHOWN_SOLIDS = 8  # of the newest samples
MAX_SOLID_BYTES = 800 * 2**10  # of all surfaces of a page together, in base64
MAX_SURFACE_SIDE = 64  # voxels; volumes of longer sides are reduced before
CANVAS_SIDE = 320  # pixels
KEEPS_FREE = 2  # voxels more than the longest side: the surface of a full grid lies half a voxel outside


def packed_surface(volume: np.ndarray) -> dict[str, str | float]:
    """The surface of the largest piece of a volume (D, H, W) uint8, as solids.js reads it."""
    while max(volume.shape) > MAX_SURFACE_SIDE:
        volume = _halved(volume)
    mesh = marching_cubes(largest_component(volume))
    longest = max(volume.shape)
    sides = np.array(volume.shape[::-1])
    within = (mesh.vertices - (sides - 1) / 2) / (longest + KEEPS_FREE) + 0.5
    return {
        "vertices": base64.b64encode((within * 65535).round().astype("<u2").tobytes()).decode(),
        "faces": base64.b64encode(mesh.faces.astype("<u4").tobytes()).decode(),
        "side": (longest + KEEPS_FREE) / longest,
    }


@cache
def solids_script() -> str:
    """assets/solids.js as a part of a page's one script, and the call for what `turn` returned."""
    return SCRIPT.read_text(encoding="utf-8").replace("export function", "function") + SOLIDS_SCRIPT


def turn(folder: Path) -> Html:
    """The newest samples/STEP.npz of volumes on canvases, hidden where scripts are off; nothing where there is none that can be
    read."""
    files = files_by_step(folder, ".npz")
    if not files:
        return Html()
    step, path = files[-1]
    try:
        with npz_members(path) as (shapes, read):
            if len(shapes.get("volumes", ())) != 4:
                return Html()
            volumes = occupancy(read("volumes")[:SHOWN_SOLIDS], path.name)
    except (GanvasError, OSError):
        return Html()

    canvases: list[Html] = []
    used = 0
    for place, volume in enumerate(volumes, 1):
        surface = packed_surface(volume)
        used += len(str(surface["vertices"])) + len(str(surface["faces"]))
        if used > MAX_SOLID_BYTES:
            break
        canvases.append(
            tag(
                "canvas", width=CANVAS_SIDE, height=CANVAS_SIDE, tabindex=0, role="img",
                aria_label=f"Sample {place}, turned by the arrow keys", data_vertices=surface["vertices"],
                data_faces=surface["faces"], data_side=surface["side"],
            )
        )  # fmt: skip
    if not canvases:
        return Html()
    label = (
        f"Samples of step {number(step)}, the largest piece of each. Drag one, or use the arrow keys, to turn them all."
    )
    return tag("figure", tag("div", canvases), tag("figcaption", label), class_="solids", hidden=True)


def _halved(volume: np.ndarray) -> np.ndarray:
    """Mean of blocks of 2 x 2 x 2 voxels; a border is repeated where a side is odd."""
    even = np.pad(volume, [(0, side % 2) for side in volume.shape], mode="edge")
    d, h, w = (math.ceil(side / 2) for side in volume.shape)
    return np.rint(even.reshape(d, 2, h, 2, w, 2).mean(axis=(1, 3, 5))).astype(np.uint8)
