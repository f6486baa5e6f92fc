"""What of a run goes with the model that is shared: counts, sizes and figures; no path, no name of a file, no image."""

from __future__ import annotations

from collections.abc import Mapping

from ganvas.doctor import Diagnosis
from ganvas.files import JsonObject

OF_DATA = (  # of the data card: what says nothing of single files
    "name", "kind", "shape", "counts", "classes", "paired", "duplicates", "size_rule", "original_sizes", "fingerprint", "rate",
    "seconds", "vocabulary",
)  # fmt: skip
OF_AUDIT = (
    "verdict", "n", "copies", "exact", "share", "interval", "originals", "false_positive_rate", "threshold", "features",
    "membership", "step", "outdated",
)  # fmt: skip


def facts_of(
    info: Mapping[str, object],
    data_card: Mapping[str, object],
    audited: Mapping[str, object],
    diagnosis: Diagnosis | None,
) -> JsonObject:
    """Facts for config.json and for the card, of a run's settings.json, data card, audit and diagnosis."""
    facts: JsonObject = {}
    for name in ("parameters", "networks"):
        if name in info:
            facts[name] = info[name]
    facts["data"] = _chosen(data_card, OF_DATA)
    facts["audit"] = _chosen(audited, OF_AUDIT)
    if diagnosis is not None:
        facts["doctor"] = {"healthy": diagnosis.healthy, "note": diagnosis.note, "step": diagnosis.step}
        facts["doctor"]["findings"] = [
            {
                "name": finding.name,
                "level": finding.level,
                "confidence": round(finding.confidence, 3),
                "meaning": finding.meaning,
            }
            for finding in diagnosis.findings
        ]
    return facts


def _chosen(values: Mapping[str, object], names: tuple[str, ...]) -> JsonObject:
    return {name: values[name] for name in names if name in values}
