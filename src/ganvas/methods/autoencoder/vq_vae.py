"""VQ-VAE: autoencoder with a codebook (van den Oord, Vinyals, Kavukcuoglu 2017, arXiv:1711.00937).

Idea: represent an image by discrete codes. An encoder computes a small grid of vectors z, each is replaced by the nearest of K
learned vectors (eq. 1, 2), and a decoder reconstructs the image from those. The codes are the indices of the vectors. The model
has no prior over codes: it reconstructs images but generates none; code_prior learns one.

The loss has three terms (eq. 3): the reconstruction error; that of the codebook, which moves codes towards the z that chose them;
and `beta` times the commitment error, which keeps z near its code. Quantisation has no gradient. `through = straight` passes the
decoder's gradient to the encoder unchanged; `rotation` rotates and scales it as z is rotated and scaled to its code (Fifty 2024,
arXiv:2410.06424).

`quantiser` is how the codes are learned: `ema`, by moving averages of the z that chose them in place of the second term (eq. 6 to
8); `gradient`, by that term; or `fsq`, where they are fixed and each dimension of z is rounded to a few levels (Mentzer 2023,
arXiv:2309.15505). Codes are initialised by k-means of the first batch, and a code that is hardly used any more is reset to an
encoder output. `levels = 2` is VQ-VAE-2 (Razavi 2019, arXiv:1906.00446): a coarse grid of half the size for the global structure,
and a fine grid for the rest.

Departs from the paper: k-means initialisation and resets (theirs: none); the moving average is of frequencies, without their
smoothing; error terms are means over a vector's dimensions, as in the authors' code, and the reconstruction error is divided by
the data's variance, so that beta means the same for all data; inference uses an average of all weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from ganvas.abilities import CodeGrid, Demonstrates, Tokenizes
from ganvas.chunks import in_chunks
from ganvas.errors import UsageError
from ganvas.losses.quantised import codebook_error, commitment_error, perplexity, reconstruction_error
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods.autoencoder._base import Autoencoder
from ganvas.networks.vq import (
    FSQ,
    Codebook,
    CodeDecoder,
    CodeEncoder,
    counts_by_code,
    halved,
    rotated,
    straight_through,
    sums_by_code,
)
from ganvas.registry import preset
from ganvas.settings import as_text

OUTPUTS_PER_CODE = 4  # encoder outputs per code that each step reports, for k-means and resets
USED_SHARE = 0.03  # of a uniform share: a code below it does not count as used


@dataclass(frozen=True)
class Chosen:
    """The quantisation of a batch by one level: `z` (M, E) float32, M = N h w, `codes` (M,) int64, their `vectors` (M, E), and
    `passed` (N, E, h, w), the decoder's input."""

    z: Tensor
    codes: Tensor
    vectors: Tensor
    passed: Tensor


class VQVAE(Autoencoder, Tokenizes, Demonstrates):
    name = "vq_vae"
    title = "autoencoder with a learned codebook: images as discrete codes"
    paper = "van den Oord et al. 2017, Neural Discrete Representation Learning, arXiv:1711.00937"

    quantiser: str = setting(
        "ema",
        "how the codes are learned: moving averages, gradient, or fixed levels (finite scalar quantisation)",
        choices=("ema", "gradient", "fsq"),
    )
    size: int = setting(
        128, "ema, gradient: codes in a codebook", minimum=2, maximum=65536, when="quantiser=ema,gradient"
    )
    length: int = setting(32, "ema, gradient: numbers in a code's vector", minimum=1, when="quantiser=ema,gradient")
    fsq_levels: tuple[int, ...] = setting(
        (8, 5, 4), "fsq: levels of each number; their product is the number of codes", minimum=1, when="quantiser=fsq"
    )
    levels: int = setting(1, "grids of codes: one, or a coarse one of half the size too", choices=(1, 2))
    downsamplings: int = setting(2, "downsamplings from the image to the (finer) grid", minimum=1, maximum=8)
    through: str = setting(
        "straight",
        "ema, gradient: gradient through the quantisation: straight-through or the rotation trick",
        choices=("straight", "rotation"),
        when="quantiser=ema,gradient",
    )
    beta: float = setting(
        0.25, "ema, gradient: weight of the commitment term", minimum=0, when="quantiser=ema,gradient"
    )
    codebook_decay: float = setting(
        0.99, "ema: decay of a code's moving averages per step", minimum=0, maximum=0.99999, when="quantiser=ema"
    )
    revive: float = setting(
        USED_SHARE,
        "ema, gradient: a code used less than this fraction of a uniform share is reset to an encoder output; 0: never",
        minimum=0,
        maximum=0.99,
        when="quantiser=ema,gradient",
    )
    width: int = setting(64, "channels of the features on the grid", minimum=2)
    blocks: int = setting(2, "residual blocks, each network and level", minimum=0)
    warmup: int = setting(100, "steps over which the learning rate rises to its full value", minimum=0)
    ema: float = setting(0.999, "decay of the average of all weights and codes per step", minimum=0, maximum=0.999999)

    averaged = ("E", "G", "Q")

    def build(self, spec: DataSpec) -> None:
        if min(spec.height, spec.width) < 2**self.downsamplings:
            raise UsageError(
                f"downsamplings={self.downsamplings} leaves nothing of images of {spec.height}x{spec.width}: choose a smaller one"
            )
        fsq = self.fsq_levels
        if self.quantiser == "fsq" and (min(fsq) < 2 or math.prod(fsq) > 65536):
            raise UsageError(
                f"fsq_levels must be 2 or more each, and 65536 codes together at most (got {as_text(fsq)}): try 8-5-5-5"
            )
        self.variance = spec.total_variance / math.prod(spec.shape) or 1.0
        trained = self.quantiser == "gradient"
        # One quantiser per level, the coarse one first.
        self.Q = nn.ModuleList()
        for _ in range(self.levels):
            if self.quantiser == "fsq":
                self.Q.append(FSQ(fsq))
            else:
                self.Q.append(Codebook(self.size, self.length, trained))
        lengths = [quantiser.length for quantiser in self.quantisers()]
        self.E = CodeEncoder(spec.channels, self.width, self.downsamplings, self.blocks, lengths)
        self.G = CodeDecoder(spec.shape, self.width, self.downsamplings, self.blocks, lengths)
        sizes = halved(spec.height, spec.width, self.downsamplings + self.levels - 1)
        self._sizes = sizes[self.downsamplings :][::-1]

    def quantisers(self) -> list[Codebook | FSQ]:
        """The quantiser of each level, the coarse one first."""
        return [quantiser for quantiser in self.Q if isinstance(quantiser, Codebook | FSQ)]

    def optimizers(self) -> dict[str, Optimizer]:
        moved = [*self.E.parameters(), *self.G.parameters(), *self.Q.parameters()]
        return {"autoencoder": AdamW(moved, lr=self.lr, weight_decay=self.weight_decay, fused=True)}

    def updates(self) -> list[Update]:
        kinds, start = ["shares", "sums", "points"], self.start_codes
        if self.quantiser == "fsq":
            kinds, start = ["shares"], None
        means: list[str] = []
        for kind in kinds:
            means += [kind + level for level in self.level_names]
        return [
            Update(
                "autoencoder", trains="autoencoder", loss=self.loss, after=self.follow, start=start, means=tuple(means)
            )
        ]

    @property
    def level_names(self) -> list[str]:
        """The endings of each level's keys in the report."""
        if self.levels == 1:
            return [""]
        return ["_coarse", "_fine"]

    # --- a training step ----------------------------------------------------------------------------------------------------

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 3, its first term divided by the data's variance; and the statistics for `follow`."""
        chosen = self.chosen(batch.real)
        reconstructed = self.G([level.passed for level in chosen])
        error = reconstruction_error(batch.real, reconstructed).mean()
        loss = error / self.variance
        report = {"reconstruction": error.detach()}
        for name, level, quantiser in zip(self.level_names, chosen, self.quantisers(), strict=True):
            for key, value in self.statistics(batch, level, quantiser).items():
                report[key + name] = value
            if isinstance(quantiser, FSQ):
                continue
            commitment = commitment_error(level.z, level.vectors).mean()
            loss = loss + self.beta * commitment
            if quantiser.trained:
                loss = loss + codebook_error(level.z, level.vectors).mean()
            report["commitment" + name] = commitment.detach()
        return {"loss": loss, **report}

    def chosen(self, x: Tensor) -> list[Chosen]:
        """The quantisation of images x (N, C, H, W) by every level, the coarse one first."""
        fine = self.E.fine(x)
        if self.levels == 1:
            return [self.choice(0, self.E.head(0, fine))]
        assert self.E.coarse is not None
        coarse = self.choice(0, self.E.head(0, self.E.coarse(fine)))
        decoded = self.G.decoded(coarse.passed).to(fine.dtype)
        return [coarse, self.choice(1, self.E.head(1, torch.cat([fine, decoded], 1)))]

    def choice(self, level: int, z: Tensor) -> Chosen:
        """The quantisation of z (N, E, h, w) by one level, with a gradient to z."""
        quantiser, (n, _, h, w) = self.quantisers()[level], z.shape
        flat = z.float().movedim(1, -1).flatten(0, 2)
        if isinstance(quantiser, FSQ):
            codes, vectors = quantiser.chosen(flat)
            return Chosen(flat, codes, vectors, vectors.view(n, h, w, -1).movedim(-1, 1))
        codes = quantiser.nearest(flat.detach())
        vectors = quantiser(codes)
        estimator = rotated if self.through == "rotation" else straight_through
        passed = estimator(flat, vectors)
        return Chosen(flat, codes, vectors, passed.view(n, h, w, -1).movedim(-1, 1))

    def statistics(self, batch: Batch, level: Chosen, quantiser: Codebook | FSQ) -> dict[str, Tensor]:
        """Shares (K,) of the codes; for codebooks also the sums (K, E) of z by code, and z of all processes to reset codes to."""
        z, codes = level.z.detach(), level.codes
        shares = counts_by_code(codes, quantiser.size).float() / len(codes)
        if isinstance(quantiser, FSQ):
            return {"shares": shares}
        places = len(codes) // len(batch)
        each = min(places, -(-OUTPUTS_PER_CODE * quantiser.size // (len(batch) * batch.ranks)))
        rows = batch.integers(places, each) + torch.arange(len(batch), device=z.device)[:, None] * places
        sums = sums_by_code(codes, z, quantiser.size) / len(codes)
        return {"shares": shares, "sums": sums, "points": batch.gathered(z[rows])}

    # --- updates of the codes -------------------------------------------------------------------------------------------------

    def start_codes(self, report: dict[str, Tensor], batch: Batch) -> None:
        """After the first step: initialises the codes by k-means."""
        for name, quantiser in zip(self.level_names, self.quantisers(), strict=True):
            if isinstance(quantiser, Codebook):
                quantiser.begin(pool(report["points" + name]))

    def follow(self, report: dict[str, Tensor], batch: Batch) -> None:
        """After every other step: updates the moving averages, and resets unused codes."""
        for name, quantiser in zip(self.level_names, self.quantisers(), strict=True):
            shares = report["shares" + name]
            report["perplexity" + name] = perplexity(shares)
            if isinstance(quantiser, FSQ):
                quantiser.follow(shares, self.codebook_decay)
            else:
                quantiser.follow(shares, report["sums" + name], self.codebook_decay)
                if self.revive:
                    report["revived" + name] = quantiser.revive(pool(report["points" + name]), self.revive)
            report["used" + name] = quantiser.used(USED_SHARE)

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps, self.warmup)

    # --- abilities --------------------------------------------------------------------------------------------------------------

    def grids(self) -> tuple[CodeGrid, ...]:
        """One grid per level, the coarse one first."""
        names = ["codes"] if self.levels == 1 else ["coarse", "fine"]
        grids = []
        for name, (h, w), quantiser in zip(names, self._sizes, self.quantisers(), strict=True):
            grids.append(CodeGrid(name, h, w, quantiser.size))
        return tuple(grids)

    def to_codes(self, images: Tensor) -> Tensor:
        """Codes (n, L) int64 of images (n, C, H, W) in [-1, 1]: each grid row by row, the coarse one first."""
        return torch.cat([level.codes.view(images.shape[0], -1) for level in self.chosen(images)], 1)

    def from_codes(self, codes: Tensor) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] of codes (n, L)."""
        maps = []
        start = 0
        for quantiser, (h, w) in zip(self.quantisers(), self._sizes, strict=True):
            grid = codes[:, start : start + h * w].long().view(-1, h, w)
            maps.append(quantiser(grid).movedim(-1, 1))
            start += h * w
        return self.G(maps).float().clamp(-1, 1)

    def rows(self, batch: Batch) -> Tensor:
        """Image and reconstruction, (n, 2, C, H, W)."""
        images = batch.real

        def reconstructed(rows: Tensor) -> Tensor:
            return self.from_codes(self.to_codes(images[rows.to(images.device)]))

        return torch.stack([images, in_chunks(len(images), reconstructed, device=images.device)], 1)


def pool(points: Tensor) -> Tensor:
    """Points (N, P, E) of each image as (P * N, E): neighbours come from different images, for any number of processes."""
    return points.transpose(0, 1).flatten(0, 1)


@preset("vq_vae")
def tiny() -> VQVAE:
    """Seconds on a CPU; for tests and first looks."""
    return VQVAE(batch_size=16, size=8, length=4, fsq_levels=(3, 3), width=4, blocks=1, warmup=0)


@preset("vq_vae")
def small() -> VQVAE:
    """Digits on two CPU cores, in a minute. Figures: docs/experiments.md."""
    return VQVAE(length=8, blocks=1, lr=3e-3)


@preset("vq_vae")
def paper() -> VQVAE:
    """Sec. 4.1 for 32 x 32: 256 features, two residual blocks, 512 codes, Adam at 2e-4, batch 128. For GPUs."""
    return VQVAE(batch_size=128, size=512, length=64, width=256, lr=2e-4, warmup=0, decay="none")
