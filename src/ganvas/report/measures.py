"""How a figure reads on a page: what its measure means, its value, and what it is compared with."""

from __future__ import annotations

from ganvas.figure import Figure
from ganvas.report.markup import number

MEASURE_MEANINGS = {
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
    "nats": "negative log-likelihood of held-out images, mean per image, or a bound of it",
    "bits_per_dim": "negative log-likelihood of held-out images, in bits per value, or a bound of it",
    "bits_per_character": "negative log-likelihood of held-out text, in bits per character",
    "bits_per_sample": "negative log-likelihood of held-out audio, in bits per sample",
    "MSE": "mean squared error of held-out images, encoded and decoded again, values in [0, 1]",
    "PSNR": "how near the outputs are to the true images, in dB",
    "perplexity": "effective number of codes: as many, used equally often, would have the same entropy",
    "codes_used": "share of the codes that held-out images use at all",
    "copies": "samples nearer to a training image than nearly all unseen real images are",
}


def explanation(name: str, figure: Figure | None) -> str:
    """What the measure says; the figure's own words where it has some."""
    if figure is not None and figure.help:
        return figure.help
    return MEASURE_MEANINGS.get(name.split("[")[0], "")


def value_text(figure: Figure) -> str:
    """The value, with what it is out of where it counts: "9 of 10"."""
    if isinstance(figure.value, int) and figure.of is not None:
        return f"{number(figure.value)} of {number(figure.of)}"
    return number(figure.value)


def sentence(figure: Figure) -> str:
    """ " (lower is better; reference 0.15; 2,000 samples)" """
    facts: list[str] = []
    if figure.better:
        facts.append(f"{figure.better} is better")
    if figure.reference is not None:
        facts.append(f"reference {number(figure.reference)}")
    if figure.n is not None:
        facts.append(f"{number(figure.n)} samples")
    return f" ({'; '.join(facts)})" if facts else ""
