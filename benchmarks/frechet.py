"""Fréchet distance: ours against scipy's matrix root, in one run, and whether both say the same.

    python benchmarks/frechet.py [--size 2048] [--repeat 3] [--json]

The baseline is the textbook formula with scipy.linalg.sqrtm. Both use the threads that the machine gives them.
Best of `--repeat` runs each; the singular row has half as many images as features. scipy is wanted here and in
tests only.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import scipy.linalg
from common import facts, make_parser, parse, print_rows

from ganvas.metrics import frechet_distance

Gaussian = tuple[np.ndarray, np.ndarray]


def gaussian(size: int, count: int, seed: int) -> Gaussian:
    """Mean and covariance of `count` random vectors whose variances fall off like those of a feature network."""
    random = np.random.default_rng(seed)
    scale = np.linspace(1, 0.1, size) ** 2
    values = random.normal(size=(count, size)) * scale + random.normal(size=size) * 0.1
    return values.mean(0), np.cov(values, rowvar=False)


def by_matrix_root(mu_a: np.ndarray, cov_a: np.ndarray, mu_b: np.ndarray, cov_b: np.ndarray) -> float:
    """The baseline."""
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    return float(((mu_a - mu_b) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(root).real)


def best_time(repeat: int, work: Callable[[], float]) -> tuple[float, float]:
    """Seconds of the fastest of `repeat` runs, and the result."""
    seconds, result = float("inf"), 0.0
    for _ in range(repeat):
        start = time.perf_counter()
        result = work()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, result


def row(name: str, size: int, count: int, repeat: int) -> dict[str, object]:
    """One comparison: seconds of each, ratio, relative difference of the results."""
    a, b = gaussian(size, count, 0), gaussian(size, count, 1)
    theirs, expected = best_time(repeat, lambda: by_matrix_root(*a, *b))
    ours, got = best_time(repeat, lambda: frechet_distance(*a, *b))
    difference = abs(got - expected) / abs(expected)
    return {
        "case": name,
        "size": size,
        "images": count,
        "sqrtm_seconds": round(theirs, 3),
        "seconds": round(ours, 3),
        "ratio": round(theirs / ours, 2),
        "relative_difference": f"{difference:.1e}",
    }


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__)
    parser.add_argument("--size", type=int, default=2048, help="features an image")
    parser.add_argument("--repeat", type=int, default=3)
    options = parse(parser, arguments)
    rows = [
        row("positive definite", options.size, 4 * options.size, options.repeat),
        row("singular", options.size, options.size // 2, options.repeat),
    ]
    print_rows(rows, options, facts(options))


if __name__ == "__main__":
    main()
