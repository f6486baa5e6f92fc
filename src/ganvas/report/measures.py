"""How a measure reads on a page. An entry is one of `ganvas.metrics.measure`: value, reference, n, better ..."""

from __future__ import annotations

from typing import Any

from ganvas.report.markup import is_number, number

MEANINGS = {
    "FD": "Fréchet distance of samples from real images in the features of the network in brackets",
    "KD": "kernel distance in the same features; without bias, so it may fall below 0",
    "FID": "Fréchet distance in the features of Inception",
    "precision": "share of samples that lie among real images: quality",
    "recall": "share of real images that lie among samples: variety",
    "density": "how many real neighbourhoods hold a sample, on average: quality, robust to outliers",
    "coverage": "share of real images with a sample near them: variety, robust to outliers",
    "modes": "modes of the data that the samples reach",
    "entropy": "evenness of the samples' modes, in nats",
    "KL": "divergence of the samples' modes from those of real images, in nats",
    "nats": "what held-out images cost: minus the mean log-likelihood an image, or a bound of it",
    "bits_per_dim": "what held-out images cost, in bits a value: minus the mean log-likelihood, or a bound of it",
    "bits_per_character": "what held-out text costs, in bits a character: minus the mean log-likelihood",
    "bits_per_sample": "what held-out sound costs, in bits a sample: minus the mean log-likelihood",
    "MSE": "mean squared error of held-out images painted again, values in [0, 1]",
    "PSNR": "how near held-out images come back, in dB",
    "perplexity": "how many codes held-out images would need if all were chosen as often",
    "codes_used": "share of the codes that held-out images choose at all",
    "copies": "samples nearer to a training image than nearly all unseen real images are",
}


def entries(metrics: Any) -> dict[str, dict[str, Any]]:
    """The well-formed ones among what a file holds; a bare number becomes an entry."""
    if not isinstance(metrics, dict):
        return {}
    whole = {str(name): entry if isinstance(entry, dict) else {"value": entry} for name, entry in metrics.items()}
    return {name: entry for name, entry in whole.items() if is_number(entry.get("value"))}


def main_metric(metrics: dict[str, Any]) -> str | None:
    """The measure that runs are compared by: the Fréchet distance where there is one, else the first."""
    return next((name for name in metrics if name.startswith(("FD", "FID"))), next(iter(metrics), None))


def reference_of(entry: dict[str, Any]) -> float | None:
    """What real images score, where it is known."""
    reference = entry.get("reference")
    return float(reference) if is_number(reference) else None


def explanation(name: str, entry: dict[str, Any]) -> str:
    """What the measure says; its own words where the entry has some."""
    return str(entry.get("help") or MEANINGS.get(name.split("[")[0], ""))


def value_of(entry: dict[str, Any]) -> str:
    """The value, with what it is out of where it counts: "9 of 10"."""
    whole = isinstance(entry["value"], int) and is_number(entry.get("of"))
    return f"{number(entry['value'])} of {number(entry['of'])}" if whole else number(entry["value"])


def sentence(entry: dict[str, Any]) -> str:
    """ " (lower is better; reference 0.15; 2,000 samples)" """
    known = [
        f"{entry['better']} is better" if entry.get("better") else None,
        f"reference {number(reference_of(entry))}" if reference_of(entry) is not None else None,
        f"{number(entry['n'])} samples" if is_number(entry.get("n")) else None,
    ]
    inside = "; ".join(filter(None, known))
    return f" ({inside})" if inside else ""
