"""WaveNet on spoken digits: bits per sample beside two simpler models, and what a recogniser makes of drawn digits.

    python benchmarks/wavenet.py --data fsdd.npz [--out runs/wavenet] [--minutes 5] [--seeds 0] [--n 256]
        [--temperatures 1 0.9] [--grid FILE.png] [--json]

Trains `small` into --out for so many minutes of processor time of one thread, or continues where that stopped; then
measures on the held-out clips (a tenth of each digit, drawn at random over speakers):

bits per sample   Of the 256-way mu-law code, the same codes of the same clips for all, up to each clip's last sample that is
                  not 0.
    histogram     How often each code occurs in training clips.
    linear        Least-squares prediction from the 16 samples before (the 16-bit ones: more than WaveNet sees), fitted on
                  training clips, with a Laplace residual, whose mass within a code's bounds counts: one scale for all
                  ("fixed"), or a scale that follows the last residuals of the clip ("adaptive"; its three numbers are
                  fitted on training clips).
accuracy          Of a convolutional network that is trained here on the log spectrograms of the training clips: on held-out clips
                  (in mu-law code, as drawn ones are), and on clips drawn for digits 0, 1, ... 9 in turn, at each of
                  --temperatures; --grid is of the last one. Guessing is 10 %.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import facts, finish, make_parser, parse, steps_of, train_run
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.data import Dataset, open_data, write_png
from ganvas.data.batch import as_audio
from ganvas.data.image_grid import grid
from ganvas.data.media import to_int16
from ganvas.data.spectrogram import spectrogram
from ganvas.losses.autoregressive import to_levels, to_values
from ganvas.losses.mulaw import compress, expand, heard
from ganvas.method import Method
from ganvas.methods.autoregressive.wavenet import WaveNetMethod, lengths
from ganvas.metrics import measure_likelihood
from ganvas.run import Run

LEVELS = 256
ORDER = 16


# --- simpler models -----------------------------------------------------------------------------------------------------------


def coded(data: Dataset) -> tuple[Tensor, Tensor, Tensor]:
    """Clips (N, L) in [-1, 1], their codes, and which samples count."""
    clips = as_audio(torch.from_numpy(np.array(data.examples)))
    counted = torch.arange(clips.shape[2]) < lengths(clips)[:, None]
    return clips[:, 0], to_levels(compress(clips[:, 0]), LEVELS), counted


def histogram_bits(codes: Tensor, counted: Tensor, held: Tensor, held_counted: Tensor) -> float:
    """Bits a sample of held-out codes by how often each occurs in training, one added to each count."""
    counts = torch.bincount(codes[counted], minlength=LEVELS).double() + 1
    return float(-(counts / counts.sum()).log2()[held[held_counted]].mean())


def fit_predictor(clips: Tensor, counted: Tensor) -> Tensor:
    """(ORDER,) least-squares weights of the samples before, the nearest first."""
    past, now = _past(clips)[counted].double(), clips[counted].double()
    return torch.linalg.solve(past.T @ past + 1e-9 * torch.eye(ORDER), past.T @ now)


def residuals(clips: Tensor, weights: Tensor) -> Tensor:
    """What the predictor misses, (N, L) float64."""
    return torch.stack([clip.double() - _past(clip[None])[0].double() @ weights for clip in clips])


def laplace_bits(clips: Tensor, codes: Tensor, missed: Tensor, scale: Tensor) -> Tensor:
    """-log2 of the mass of a Laplace distribution around the prediction that lies within each code's bounds, (N, L)."""
    edges = expand(to_values(torch.arange(LEVELS + 1) - 0.5, LEVELS)).double()
    edges[0], edges[-1] = -math.inf, math.inf
    predicted = clips.double() - missed
    low, high = (edges[codes] - predicted) / scale, (edges[codes + 1] - predicted) / scale
    low, high = torch.where(low > 0, low, -high), torch.where(low > 0, high, -low)  # mirrored: the far side is `high`
    beside = math.log(0.5) - low + torch.log(-torch.expm1(low - high))
    around = torch.log1p(-0.5 * (low.exp() + (-high).exp()))
    return -torch.where(low > 0, beside, around) / math.log(2)


def adaptive_scale(missed: Tensor, decay: float, share: float, least: float) -> Tensor:
    """A scale for each sample from the residuals before it, (N, L): `share` of their fading mean size, and `least`."""
    sizes, mean = missed.abs(), torch.full((len(missed),), 0.01, dtype=torch.float64)
    scale = torch.empty_like(missed)
    for t in range(missed.shape[1]):
        scale[:, t] = mean
        mean = decay * mean + (1 - decay) * sizes[:, t]
    return share * scale + least


def linear_bits(train: Dataset, held: Dataset) -> dict[str, Any]:
    """Both linear predictors, fitted on the first 400 training clips."""
    clips, codes, counted = (one[:400] for one in coded(train))
    weights = fit_predictor(clips, counted)
    missed = residuals(clips, weights)
    fixed = missed[counted].abs().mean()
    options = [(d, s, b) for d in (0.75, 0.85, 0.9, 0.95) for s in (0.8, 1.0, 1.2) for b in (1e-5, 1e-4, 4e-4)]
    part = slice(0, 100)

    def cost(option: tuple[float, float, float]) -> float:
        bits = laplace_bits(clips[part], codes[part], missed[part], adaptive_scale(missed[part], *option))
        return float(bits[counted[part]].mean())

    best = min(options, key=cost)
    clips, codes, counted = coded(held)
    missed = residuals(clips, weights)
    return {
        "fixed": float(laplace_bits(clips, codes, missed, fixed)[counted].mean()),
        "adaptive": float(laplace_bits(clips, codes, missed, adaptive_scale(missed, *best))[counted].mean()),
        "adaptive_chosen": dict(zip(("decay", "share", "least"), best, strict=True)),
    }


def _past(clips: Tensor) -> Tensor:
    """(N, L, ORDER), the nearest sample first; silence before a clip."""
    return F.pad(clips, (ORDER, 0)).unfold(1, ORDER, 1)[:, :-1].flip(2)


# --- a recogniser -------------------------------------------------------------------------------------------------------------


class Recogniser(nn.Module):
    """Which of `classes` is said in a clip (N, L) in [-1, 1]: three convolutions over its log spectrogram, mean over time."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*_stage(1, 24), *_stage(24, 48), *_stage(48, 64))
        self.drop = nn.Dropout(0.3)
        self.out = nn.Linear(64 * 5, classes)

    def forward(self, clips: Tensor) -> Tensor:
        spectrum = torch.stft(clips, 256, 128, window=torch.hann_window(256), return_complex=True).abs()[:, 1:]
        bands = spectrum.unfold(1, 6, 3).mean(3)[:, None]  # (N, 1, 41, frames)
        x = self.body((bands + 1e-3).log() / 3)
        return self.out(self.drop(x.mean(3).flatten(1)))


def _stage(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)]


def train_recogniser(clips: Tensor, labels: Tensor, classes: int, epochs: int, seed: int = 0) -> Recogniser:
    """On clips in mu-law code, a little louder or quieter, earlier or later, and with some noise, so that it hears the digit."""
    torch.manual_seed(seed)
    network = Recogniser(classes).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.02)
    steps = epochs * (len(clips) // 50)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for step in range(steps):
        if step % (len(clips) // 50) == 0:
            order = torch.randperm(len(clips))
        rows = order[step % (len(clips) // 50) * 50 :][:50]  # pyright: ignore[reportPossiblyUnboundVariable]
        gain = torch.empty(50, 1).uniform_(-0.7, 0.7).exp()
        later = torch.randint(0, 800, (50,)).tolist()
        shifted = torch.stack([clip.roll(n) for clip, n in zip(clips[rows], later, strict=True)])
        noise = torch.empty(50, 1).uniform_(0, 0.01) * torch.randn_like(shifted)
        optimizer.zero_grad()
        F.cross_entropy(network(shifted * gain + noise), labels[rows], label_smoothing=0.05).backward()
        optimizer.step()
        schedule.step()
    return network.eval().requires_grad_(False)


def accuracy(network: Recogniser, clips: Tensor, labels: Tensor) -> float:
    """Share of clips (N, L) that are heard as they should."""
    heard_as = torch.cat([network(part).argmax(1) for part in clips.split(100)])
    return float((heard_as == labels).float().mean())


# --- all together -------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def drawn(method: Method, n: int, classes: int) -> tuple[Tensor, Tensor]:
    """n clips (n, L) of seeds 0, 1, ..., of the classes in turn, and those."""
    assert isinstance(method, WaveNetMethod)
    labels = torch.arange(n) % classes
    clips = [method.generate(method.latents(rows.tolist()), labels[rows])[:, 0] for rows in torch.arange(n).split(64)]
    return torch.cat(clips), labels


def measure(
    data: Dataset, run: Run, n: int, epochs: int, temperatures: Sequence[float], place: Path | None
) -> dict[str, Any]:
    """All figures of a trained run."""
    held, classes = data.part("test"), len(data.spec.classes)
    assert held is not None and data.labels is not None and held.labels is not None
    method = run.load_method()
    _, codes, counted = coded(data)
    _, held_codes, held_counted = coded(held)
    wavenet = measure_likelihood(method, data)["bits_per_sample"].value  # pyright: ignore[reportArgumentType]
    bits = {"histogram": histogram_bits(codes, counted, held_codes, held_counted), "linear": linear_bits(data, held)}
    network = train_recogniser(heard_codes(codes), torch.from_numpy(data.labels), classes, epochs)
    methods = {one: run.load_method(settings={"temperature": one}) for one in temperatures}
    started = time.process_time()
    clips = {temperature: drawn(one, n, classes) for temperature, one in methods.items()}
    seconds = (time.process_time() - started) / len(clips)
    if place is not None:
        write_grid(place, data, *clips[temperatures[-1]])
    return {
        "bits_per_sample": {"wavenet": wavenet, **bits},
        "below": {
            "histogram": bits["histogram"] - wavenet,
            "linear_fixed": bits["linear"]["fixed"] - wavenet,
            "linear_adaptive": bits["linear"]["adaptive"] - wavenet,
        },
        "clips": len(held), "samples": int(held_counted.sum()),
        "accuracy": {
            "real": accuracy(network, heard_codes(held_codes), torch.from_numpy(held.labels)), "real_n": len(held),
            "drawn": {f"{one:g}": accuracy(network, *made) for one, made in clips.items()}, "drawn_n": n,
        },
        "drawing": {"seconds": seconds, "clips_at_once": 64, "samples_per_second": n * data.spec.width / seconds},
    }  # fmt: skip


def heard_codes(codes: Tensor) -> Tensor:
    """What mu-law codes sound like."""
    return heard(to_values(codes, LEVELS), LEVELS)


def write_grid(place: Path, data: Dataset, made: Tensor, labels: Tensor, across: int = 5) -> None:
    """Spectrograms, a class a row: real clips of the training split, then drawn ones."""
    assert data.labels is not None
    tiles: list[np.ndarray] = []
    clips = to_int16(made[:, None])
    for label in range(len(data.spec.classes)):
        real = np.flatnonzero(data.labels == label)[:across]
        ours = torch.nonzero(labels == label)[:across, 0].tolist()
        tiles += [spectrogram(data.examples[row]) for row in real] + [spectrogram(clips[row]) for row in ours]
    write_png(place, grid(np.stack(tiles), columns=2 * across))


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(
        __doc__, minutes=5, seeds=(0,), preset="small", out="runs/wavenet", threads=1, settings="KEY=VALUE"
    )
    parser.add_argument("--data", required=True, help="clips with labels: an .npz or a folder of .wav")
    parser.add_argument("--precision", default="auto", help="auto, fp32 or bf16")
    parser.add_argument("--n", type=int, default=256, help="clips generated for the recogniser")
    parser.add_argument("--temperatures", type=float, nargs="+", default=[1.0], help="of drawing")
    parser.add_argument("--epochs", type=int, default=5, help="of the recogniser")
    parser.add_argument("--grid", type=Path, help="spectrograms of real and generated clips, FILE.png")
    options = parse(parser, arguments)
    data = open_data(options.data)
    reports = []
    for seed in options.seeds:
        run = train_run(
            "wavenet", data, options.out / str(seed), minutes=options.minutes, seed=seed, preset=options.preset,
            settings=options.settings, device="cpu", precision=options.precision, checkpoint_every=200,
        )  # fmt: skip
        report = {
            **facts(options), "seed": seed, "precision": run.info["precision"], "parameters": run.info["parameters"],
            "steps": steps_of(run), **measure(data, run, options.n, options.epochs, options.temperatures, options.grid),
        }  # fmt: skip
        reports.append(report)
        if not options.json:
            for name, value in report.items():
                print(f"{name:<16} {json.dumps(value)}")
    if options.json:
        finish(options, {"rows": reports})


if __name__ == "__main__":
    main()
