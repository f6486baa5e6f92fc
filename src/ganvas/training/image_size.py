"""How large images are trained where data.size=auto leaves it open: what the device and the budget allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from ganvas.abilities import Restores, Stylises, Translates
from ganvas.data import Dataset, DataSettings
from ganvas.data.open import stored_size
from ganvas.data.source import reduced
from ganvas.defaults import MINUTES
from ganvas.files import JsonObject
from ganvas.method import Method
from ganvas.run import Run
from ganvas.settings import change
from ganvas.training.memory import MEMORY_SHARE, estimate, free_memory
from ganvas.training.step_cost import noise_spec, step_cost

MAX_AUTO_SIDE = 256  # pixels of the longer side, on a GPU too
IMAGE_SIDES = (256, 192, 128, 96, 64, 48, 32)  # what is chosen from
CORE_FLOPS = 50e9  # operations a second of one core in fp32: what recent ones reach in these networks
ASSUMED_CORES = 2  # of which a budget in steps or images is taken to be: its results must not depend on the machine
TRAINING_SHARE = 0.7  # of the budget; the rest is preparing, measuring and the report
STEPS_TO_GENERATE = 1000  # a generator of fewer steps shows nothing yet
LEAST_BATCH = 32  # images; steps of fewer count by their share of it
STEPS_TO_TRANSFORM = 200  # what turns one image into another learns sooner, ...
SHORTEST_TO_GENERATE, SHORTEST_TO_TRANSFORM = 32, 64  # ... and is to be looked at in detail


@dataclass(frozen=True)
class SizeChoice:
    """`max_size` of the data, for images that are stored as `stored` (height, width), and why."""

    max_size: int
    stored: tuple[int, int]
    why: str


def choose_size(
    method: Method, source: str, settings: Mapping[str, object], device: torch.device, minutes: float | None
) -> SizeChoice | None:
    """None where the size was given, or is small enough whatever the method."""
    asked = change(DataSettings(), dict(settings), where="data.")
    if "max_size" in settings or "images" not in method.takes:
        return None
    stored = stored_size(source, asked)
    if stored is None or max(stored) <= IMAGE_SIDES[-1]:
        return None
    if device.type != "cpu":
        return SizeChoice(MAX_AUTO_SIDE, stored, f"the largest that auto takes on a {device.type}")
    longest, why = _for_cpu(method, stored, minutes)
    return SizeChoice(longest, stored, why)


def _for_cpu(method: Method, stored: tuple[int, int], minutes: float | None) -> tuple[int, str]:
    """The longest side of which the budget has enough steps, and memory enough; the reason in words."""
    cost = step_cost(method)
    if cost is None:
        return MAX_AUTO_SIDE, "the largest that auto takes"
    transforms = isinstance(method, Translates | Restores | Stylises)
    images, shortest = STEPS_TO_GENERATE * max(LEAST_BATCH, method.batch_size), SHORTEST_TO_GENERATE
    if transforms:
        images, shortest = STEPS_TO_TRANSFORM * method.batch_size, SHORTEST_TO_TRANSFORM
    cores = ASSUMED_CORES if minutes is None else max(ASSUMED_CORES, torch.get_num_threads())
    operations = TRAINING_SHARE * 60 * (minutes or MINUTES) * CORE_FLOPS * cores
    longest = MAX_AUTO_SIDE
    for longest in IMAGE_SIDES:
        height, width = reduced(stored, longest)
        enough = images * cost.operations * height * width <= operations
        if enough and _fits(method, height, width):
            break
        if min(height, width) <= shortest:
            break
    budget = f"{minutes:g} minute{'' if minutes == 1 else 's'}" if minutes else f"about {MINUTES:g} minutes"
    return longest, f"what {method.name} learns on a CPU in {budget}"


def _fits(method: Method, height: int, width: int) -> bool:
    needed = estimate(method, replace(noise_spec(), height=height, width=width), 0, method.batch_size)
    free = free_memory(torch.device("cpu"))
    return needed is None or free is None or needed.total <= MEMORY_SHARE * free / 2


def size_facts(choice: SizeChoice | None, data: Dataset) -> JsonObject:
    """For settings.json: the size that is trained, the one that is stored, and why."""
    spec = data.spec
    facts: JsonObject = {"height": spec.height, "width": spec.width, "chosen": choice is not None}
    if choice is not None:
        facts |= {"max_size": choice.max_size, "stored": list(choice.stored), "why": choice.why}
    return facts


def recorded_choice(run: Run) -> SizeChoice | None:
    """The choice in a run's settings.json."""
    facts = run.info.get("size") or {}
    if not facts.get("chosen"):
        return None
    height, width = facts["stored"]
    return SizeChoice(int(facts["max_size"]), (int(height), int(width)), str(facts["why"]))


def size_sentence(choice: SizeChoice | None, data: Dataset) -> str:
    """What was chosen and how to choose another; "" where nothing was."""
    spec = data.spec
    if choice is None or choice.stored == (spec.height, spec.width):
        return ""
    height, width = reduced(choice.stored, 2 * choice.max_size)
    return (
        f"images are trained at {spec.height}x{spec.width} (height x width; stored {choice.stored[0]}x{choice.stored[1]}):"
        f" {choice.why}. Another size: --set data.size=HxW, such as {height}x{width}"
    )
