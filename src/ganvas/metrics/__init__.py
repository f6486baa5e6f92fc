"""Measures of generated pictures: functions on feature arrays (N, D), and `measure` for pictures."""

from ganvas.metrics.frechet import Moments, frechet_distance
from ganvas.metrics.kernel import kernel_distance
from ganvas.metrics.precision_recall import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)

__all__ = [
    "DensityCoverage",
    "Moments",
    "PrecisionRecall",
    "density_coverage",
    "frechet_distance",
    "kernel_distance",
    "precision_recall",
]
