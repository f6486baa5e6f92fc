"""Measures of generated images: functions on feature arrays (N, D), and `measure` for images."""

from ganvas.figure import Figure, primary_figure
from ganvas.metrics.copying import Copies, find_copies, nearest
from ganvas.metrics.evaluate import measure
from ganvas.metrics.fid import fid
from ganvas.metrics.frechet import Moments, frechet_distance
from ganvas.metrics.kernel import kernel_distance
from ganvas.metrics.labels import label_accuracy
from ganvas.metrics.likelihood import measure_likelihood
from ganvas.metrics.method_metrics import measurements
from ganvas.metrics.precision_recall import (
    DensityCoverage,
    PrecisionRecall,
    density_coverage,
    precision_recall,
)
from ganvas.metrics.reconstruction import measure_reconstruction
from ganvas.metrics.restoration import (
    compare_images,
    luma_bt601_studio,
    mobilenet_distance,
    psnr_rgb,
    psnr_y,
    ssim_rgb,
    ssim_y,
)
from ganvas.metrics.restored import measure_restoration
from ganvas.metrics.solids import measure_solids
from ganvas.metrics.stylising import measure_stylising
from ganvas.metrics.text_quality import bleu, self_bleu, text_distance
from ganvas.metrics.text_translation import (
    measure_partner_likelihood,
    measure_text_translation,
    text_scores,
)
from ganvas.metrics.translation import measure_translation
from ganvas.metrics.videos import measure_videos

__all__ = [
    "Copies",
    "DensityCoverage",
    "Figure",
    "Moments",
    "PrecisionRecall",
    "bleu",
    "compare_images",
    "density_coverage",
    "fid",
    "find_copies",
    "frechet_distance",
    "kernel_distance",
    "label_accuracy",
    "luma_bt601_studio",
    "measure",
    "measure_likelihood",
    "measure_partner_likelihood",
    "measure_reconstruction",
    "measure_restoration",
    "measure_solids",
    "measure_stylising",
    "measure_text_translation",
    "measure_translation",
    "measure_videos",
    "measurements",
    "mobilenet_distance",
    "nearest",
    "precision_recall",
    "primary_figure",
    "psnr_rgb",
    "psnr_y",
    "self_bleu",
    "ssim_rgb",
    "ssim_y",
    "text_distance",
    "text_scores",
]
