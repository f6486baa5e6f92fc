"""The measures on feature arrays, without a run: anybody's model, any feature network.

    python examples/use_metrics.py [REAL.npy FAKE.npy]

Arrays are (images, features), from the same feature network. Without files it makes three sets of points on
ten clusters: the "real" ones, those of a model that has all clusters, and those of a model that dropped seven
and draws the others too sharply. What to look for: the second keeps its precision and loses its recall and
coverage. The reference is what a perfect model would get: other real points.
"""

import argparse

import numpy as np

from ganvas.metrics import density_coverage, frechet_distance, kernel_distance, precision_recall


def points(random: np.random.Generator, count: int, clusters: int, spread: float) -> np.ndarray:
    """(count, 16), around the first `clusters` of ten centres."""
    centres = np.random.default_rng(0).normal(size=(10, 16)) * 3
    return centres[random.integers(0, clusters, count)] + spread * random.normal(size=(count, 16))


def report(name: str, real: np.ndarray, fake: np.ndarray) -> None:
    """One line of figures."""
    frechet = frechet_distance(real.mean(0), np.cov(real, rowvar=False), fake.mean(0), np.cov(fake, rowvar=False))
    precision, recall = precision_recall(real, fake, k=5)
    density, coverage = density_coverage(real, fake, k=5)
    print(
        f"{name:14} frechet {frechet:8.3f}  kernel {kernel_distance(real, fake):9.4f}  precision {precision:.3f}  "
        f"recall {recall:.3f}  density {density:.3f}  coverage {coverage:.3f}"
    )


parser = argparse.ArgumentParser(description="Fréchet and kernel distance, precision, recall, density, coverage")
parser.add_argument("files", nargs="*", metavar="FILE.npy", help="real and fake features, (images, features)")
options = parser.parse_args()

if options.files:
    real, fake = (np.load(path, allow_pickle=False) for path in options.files)
    report("fake", real, fake)
    half = len(real) // 2
    report("reference (halves)", real[:half], real[half:])
else:
    random = np.random.default_rng(1)
    real = points(random, 1000, clusters=10, spread=1.0)
    report("reference", real, points(random, 1000, clusters=10, spread=1.0))
    report("good model", real, points(random, 1000, clusters=10, spread=1.1))
    report("modes dropped", real, points(random, 1000, clusters=3, spread=0.7))
