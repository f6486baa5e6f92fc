"""Numbers that a training and the command line must share, apart from both so that `--help` needs no torch."""

from __future__ import annotations

MINUTES = 5.0  # a training's budget where none is given
MEASURED_SAMPLES = 2000  # samples for the metrics of a training, and of `ganvas evaluate RUN`
IMPORTANCE_SAMPLES = 500  # draws an image where `ganvas evaluate` measures a bound of the likelihood
MEASURED_SEED = (
    1_000_000  # of the first of them: far from a grid's seeds, so that an image shown is not one that was measured
)
CHUNK = 64  # rows per call of a network, see ganvas.chunks
BORDER_PIXELS = 32  # pixels added at each side of an image larger than those of the training, before it is translated
