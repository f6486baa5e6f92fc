"""Logs made up by hand: a training that goes well, and what to change in it for each trouble."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ganvas.registry import create

Row = dict[str, Any]
Curve = float | Callable[[float], float]  # a number, or a function of the progress in [0, 1]

STEPS, LOOKS = 1000, 10

WELL: dict[str, Curve] = {
    "rollbacks": 0.0,
    "images": 5000.0,
    "samples/gap": lambda t: 3.5 * (1 - t) + 0.2 * t,
    "samples/pixel_gap": lambda t: 2.0 * (1 - t) + 0.1 * t,
    "samples/diversity": lambda t: 0.9 * t,
    "samples/pixel_diversity": lambda t: 0.9 * t,
    "samples/near_duplicates": lambda t: 1 - t if t < 0.5 else 0.0,
    "samples/nearest": lambda t: t,
    "samples/modes": lambda t: 1 + 8 * t,
    "samples/precision": 0.8,
    "samples/finite": 1.0,
    "samples/drift": 0.5,
    "samples/drift_back": 1.5,
    "samples/std": 0.6,
    "reference/modes": 9.5,
    "reference/low": -1.0,
    "reference/high": 1.0,
    "reference/std": 0.6,
    "data/label_leak": 0.4,
    "data/labels_above_chance": 60.0,
    "classes": 10.0,
    "logits/margin": 2.0,
    "logits/apart": 0.9,
    "logits/held_apart": 0.9,
    "logits/overfit": 0.52,
    "generator/step": 0.01,
    "discriminator/step": 0.005,
    "generator/change": -0.5,
    "discriminator/change": -0.05,
    "generator/gradient": 5.0,
    "discriminator/gradient": 5.0,
    "G/weights": lambda t: 10 + 2 * t,
    "D/weights": lambda t: 9 + t,
    "G/dead": 0.0,
}
"""Health rows of a training that goes well."""

DATA_CARD = {"counts": {"train": 5000, "test": 500}, "channels": [{"min": 0, "max": 255, "mean": 30.0, "std": 70.0}]}


def write_log(
    folder: Path,
    changes: Mapping[str, Curve] | None = None,
    *,
    method: str = "dcgan",
    settings: Row | None = None,
    data_card: Row | None = None,
    rows: Mapping[str, Curve] | None = None,
    looks: int = LOOKS,
    extra: list[Row] | None = None,
) -> Path:
    """A log that is well but for `changes` (health) and `rows` (numbers); None in place of a curve leaves it out."""
    folder.mkdir(parents=True, exist_ok=True)
    numbers: dict[str, Curve] = {
        "generator/loss": 1.0, "generator/gradient_norm": 5.0, "discriminator/loss": 1.0, "discriminator/gradient_norm": 5.0,
        "discriminator/real": 1.0, "discriminator/fake": -1.0, "discriminator/accuracy": 0.9, **(rows or {}),
    }  # fmt: skip
    lines = []
    for look in range(looks + 1):
        t = look / LOOKS
        step = round(STEPS * t)
        trains = {"generator/trains": "G", "discriminator/trains": "D"} if look else {}
        health = {**_values({**WELL, **(changes or {})}, t), **trains}
        if look:
            lines.append(
                {"step": step, "images_seen": step * 32, "seconds": step / 10, "progress": t, **_values(numbers, t)}
            )
        else:
            health = {
                key: value for key, value in health.items() if not key.startswith(("generator/", "discriminator/"))
            }
        lines.append({"event": "health", "step": step, "seconds": step / 10, **health})
    with open(folder / "log.jsonl", "w") as log:
        for line in [*lines, *(extra or [])]:
            log.write(json.dumps(line) + "\n")
    info = {"method": method, "settings": create(method, None, settings).settings()}
    (folder / "settings.json").write_text(json.dumps(info))
    (folder / "data.json").write_text(json.dumps({**DATA_CARD, **(data_card or {})}))
    return folder


def _values(curves: dict[str, Curve], t: float) -> Row:
    found = {key: curve(t) if callable(curve) else curve for key, curve in curves.items()}
    return {key: value for key, value in found.items() if value is not None}
