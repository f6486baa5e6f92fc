"""A prior over the codes of a trained VQ-VAE (van den Oord 2017, arXiv:1711.00937, sec. 3.3; Razavi 2019, arXiv:1906.00446).

Idea: an autoencoder with a codebook turns each image into a small grid of codes. A gated PixelCNN learns the distribution of
these grids, code by code, and the decoder turns sampled codes into images. So the expensive sampling, one step after the other,
runs over a few dozen codes instead of all pixels. Where there is a coarse and a fine grid, each has its own network, and that
of the fine grid sees the whole coarse grid (Razavi 2019, algorithm 2).

The first stage is a frozen part of this method, saved with its weights. Every training image is encoded once before training;
with data.mirror a second time, mirrored, since the codes of a mirrored image are not the mirrored codes.

The method also fills holes in images, see `restore`.

A latent holds one uniform number per code: an image is a function of its latent alone. The likelihood in the log is that of the
codes. It says nothing about images, for which several codes could stand, so none is reported.

Departs from the paper: the fine prior sees the coarse codes by convolutions where Razavi's has residual blocks, and no network
has attention; dropout of whole features and weight decay, since a few thousand images are soon memorised; filling holes is ours.
"""

from __future__ import annotations

import json
import math
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer

from ganvas.abilities import CodeGrid, Restoration, Restores, Tokenizes, TwoStage
from ganvas.chunks import in_chunks
from ganvas.draws import Draw
from ganvas.errors import UsageError
from ganvas.method import Batch, DataSpec, Method, Update, setting
from ganvas.methods.autoregressive._base import Autoregressive
from ganvas.networks.code_grids import CodeNetwork, GivenCodes, draw, systematic
from ganvas.registry import create, methods_with, preset

CODE_GRIDS_PER_CALL = 4  # images; fewer are filled up to it
FIRST_STAGE = ("vq_vae", "small")  # method and preset of the first stage, where the setting is empty


class CodePrior(Autoregressive, TwoStage, Restores):
    name = "code_prior"
    title = "gated PixelCNN over the codes of a VQ-VAE; generates images and fills holes"
    paper = "van den Oord et al. 2017, Neural Discrete Representation Learning, arXiv:1711.00937"

    first_stage: str = setting(
        "", "the method whose codes are learned and its settings, as JSON; --codes RUN writes it"
    )
    conditional: bool = setting(False, "condition every gate on the class of each image; the data need labels")
    length: int = setting(32, "numbers in the vector that stands for a code in the network", minimum=1)
    width: int = setting(64, "features of each stack", minimum=1)
    layers: int = setting(6, "gated layers", minimum=1)
    kernel: int = setting(3, "height and width of what a layer sees, before masking", choices=(3, 5, 7), unit="codes")
    first_kernel: int = setting(5, "the same of the first layer", choices=(3, 5, 7), unit="codes")
    head: int = setting(128, "features of the two layers before the output", minimum=1)
    dropout: float = setting(0.1, "dropout rate of the features of each gate", minimum=0, maximum=0.9)
    lr: float = setting(1e-3, "learning rate of AdamW at the start", minimum=0)
    weight_decay: float = setting(0.01, "AdamW's weight decay", minimum=0)
    particles: int = setting(16, "restoring: drafts at a time, of which the intact codes choose", minimum=1)
    sweeps: int = setting(3, "restoring: times that the hole is filled, the last one counts", minimum=1)

    averaged = ("prior",)
    frozen = ("first",)
    filled = ("first_stage",)

    def build(self, spec: DataSpec) -> None:
        self.shape = spec.shape
        first = self.unbuilt_first()
        if not isinstance(first, Tokenizes):
            raise UsageError(f"first_stage names {first.name}, which has no codes")
        first.setup(spec)
        self.first = first.requires_grad_(False)
        classes = self.classes_for(spec, self.conditional)
        grids = [(grid.height, grid.width, grid.size) for grid in self.first.grids()]
        self.prior = CodeNetwork(
            grids, self.length, self.width, self.layers, self.kernel, self.first_kernel, self.head, classes
        )

    def optimizers(self) -> dict[str, Optimizer]:
        return {"prior": AdamW(self.prior.parameters(), lr=self.lr, weight_decay=self.weight_decay, fused=True)}

    def updates(self) -> list[Update]:
        return [Update("likelihood", trains="prior", loss=self.likelihood_loss)]

    # --- the first stage ----------------------------------------------------------------------------------------------------

    def with_first_stage(self, first: nn.Module) -> Self:
        """See TwoStage."""
        if not isinstance(first, Method) or not isinstance(first, Tokenizes):
            name = type(first).__name__
            if isinstance(first, Method):
                name = first.name
            raise UsageError(f"{name} has no codes to learn; those of {methods_with(Tokenizes)} have")
        return self.with_settings({"first_stage": json.dumps({"method": first.name, "settings": first.settings()})})

    def load_first_stage(self, first: nn.Module) -> None:
        """See TwoStage."""
        self.first.load_state_dict(first.state_dict())

    def unbuilt_first(self) -> Method:
        """The first stage that the setting `first_stage` describes; UsageError where it describes none."""
        if not self.first_stage:
            return create(*FIRST_STAGE)
        try:
            described = json.loads(self.first_stage)
            return create(described["method"], None, described["settings"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise UsageError(f"first_stage is written by --codes RUN, and this is no such thing ({error!r})") from None

    @torch.no_grad()
    def prepare(self, images: Tensor) -> Tensor:
        """Codes (n, L) int32 of images (n, C, H, W)."""
        with torch.autocast(images.device.type, enabled=False):
            return self.first.to_codes(images).int()

    # --- a training step ----------------------------------------------------------------------------------------------------

    def likelihood_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log p in nats per code; "bits_per_code", of two grids also that of each, is for the log."""
        codes = batch.prepared
        if codes is None:
            codes = self.prepare(batch.real)
        codes = codes.long()
        dropout_masks = None
        if self.dropout:
            size = (len(self.prior.grids), self.layers, self.prior.features)
            dropout_masks = ((batch.uniform(*size) >= self.dropout) / (1 - self.dropout)).unbind(1)
        label = batch.label if self.classes else None
        nats = -self.prior.log_likelihood(codes, label, dropout_masks).mean(0)
        loss = nats.sum() / codes.shape[1]
        report = {"bits_per_code": loss.detach() / math.log(2)}
        if len(nats) > 1:
            for grid, grid_nats, count in zip(self.first.grids(), nats.detach(), self.prior.places, strict=True):
                report[f"bits_per_code_{grid.name}"] = grid_nats / count / math.log(2)
        return {"loss": loss, **report}

    # --- sampling -------------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """One uniform number per code."""
        return (Draw("uniform", sum(self.prior.places)),)

    @torch.no_grad()
    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1]; of the classes `labels` (n,) where the network is conditioned on classes."""
        return self.first.from_codes(draw(self.prior, latents, labels if self.classes else None))

    # --- restoring ------------------------------------------------------------------------------------------------------------

    def restoration(self) -> Restoration:
        return Restoration("holes", multiple=0, answers=True)

    @torch.no_grad()
    def restore(
        self, degraded: Tensor, mask: Tensor | None = None, *, generator: torch.Generator | None = None
    ) -> Tensor:
        """Images (n, C, H, W) in [-1, 1] whose holes, mask (n, 1, H, W) = 1, are filled; see Restores.

        A code is missing where its cell of pixels touches the hole; the others are intact. Missing codes are sampled in raster
        order, given the intact ones. The network sees the intact codes before a missing one as usual. Those after it, which no
        autoregressive network sees, select among drafts by a particle filter: `particles` drafts are sampled at once, and after
        each row of the grid the drafts are resampled by the probability that each gave to the row's intact codes (exact for many
        drafts). With two grids this continues from the coarse to the fine one. A class-conditional prior gets no class here: each
        draft has its own, as often as in the data, and the intact codes select among these as well.

        The receptive field of the encoder is larger than a cell, so the filling changes intact codes near its edge. So this is
        done `sweeps` times: the hole is first filled with the mean of the intact pixels, then with the result of the sweep
        before, and the image is encoded anew each time.
        """
        if mask is None:
            raise UsageError(f"{self.name} fills holes, and needs a mask that says where they are")
        n, S, L = len(degraded), self.particles, sum(self.prior.places)
        hole = mask > 0.5
        # Image by image, so that the numbers of an image do not depend on n.
        uniform = torch.stack([torch.rand(self.sweeps, S, 2 * L + 1, generator=generator) for _ in range(n)])
        uniform = uniform.to(degraded.device)

        def restored(rows: Tensor) -> Tensor:
            rows = rows.to(degraded.device)
            return self._restored(degraded[rows], hole[rows], uniform[rows])

        # An image depends on its own input and random numbers alone: networks always get the same number of rows.
        return in_chunks(n, restored, CODE_GRIDS_PER_CALL, degraded.device)

    def _restored(self, degraded: Tensor, hole: Tensor, uniform: Tensor) -> Tensor:
        """`restore` of one chunk. degraded (n, C, H, W), hole (n, 1, H, W) bool, uniform (n, sweeps, S, 2 L + 1)."""
        S = self.particles
        missing = torch.cat([_touched(hole, grid) for grid in self.first.grids()], 1)
        whole = torch.where(hole, _surroundings(degraded, hole), degraded)
        for sweep in range(self.sweeps):
            codes = self.prepare(whole).long()
            given = GivenCodes(codes.repeat_interleave(S, 0), ~missing.repeat_interleave(S, 0))
            codes = self._drafted(uniform[:, sweep], given)
            whole = torch.where(hole, self.first.from_codes(codes), degraded)
        return whole

    def _drafted(self, uniform: Tensor, given: GivenCodes) -> Tensor:
        """Codes (n, L), one of S drafts per image. uniform (n, S, 2 L + 1): L to sample, L to resample, one for the class."""
        n, S, _ = uniform.shape
        L = given.codes.shape[1]
        label = self.class_of(uniform[..., -1].flatten()) if self.classes else None
        offsets = iter(uniform[:, 0, L:-1].unbind(1))
        base = torch.arange(n, device=uniform.device)[:, None] * S

        def choose(weights: Tensor) -> Tensor:
            return (base + systematic(weights.view(n, S), next(offsets))).flatten()

        codes = draw(self.prior, uniform[..., :L].flatten(0, 1), label, given, choose)
        return codes.view(n, S, L)[:, 0]


def _touched(hole: Tensor, grid: CodeGrid) -> Tensor:
    """The codes of a grid whose cells touch the hole (n, 1, H, W), (n, h * w) bool."""
    height, width = hole.shape[-2:]
    cell = _cell(height, grid.height), _cell(width, grid.width)
    padding = (0, grid.width * cell[1] - width, 0, grid.height * cell[0] - height)
    return F.max_pool2d(F.pad(hole.float(), padding), cell).flatten(1) > 0.5


def _cell(pixels: int, codes: int) -> int:
    """Side in pixels of the cell of a code: a power of two, since sizes are halved, odd ones rounded up."""
    return 1 << (-(-pixels // codes) - 1).bit_length()


def _surroundings(degraded: Tensor, hole: Tensor) -> Tensor:
    """The mean intact value of each channel, (n, C, 1, 1); 0 where nothing is intact."""
    intact = (~hole).float()
    return (degraded * intact).sum((2, 3), keepdim=True) / intact.sum((2, 3), keepdim=True).clamp_min(1)


@preset("code_prior")
def tiny() -> CodePrior:
    """Seconds on a CPU; for tests and first looks."""
    first = create("vq_vae", "tiny")
    small = CodePrior(
        batch_size=16, length=4, width=4, layers=2, first_kernel=3, head=8, warmup=0, particles=4, sweeps=2
    )
    return small.with_first_stage(first)


@preset("code_prior")
def small() -> CodePrior:
    """Codes of digits on two CPU cores, in minutes. Figures: docs/experiments.md."""
    return CodePrior(length=16, width=48, layers=5, dropout=0.05, lr=3e-3)


@preset("code_prior")
def paper() -> CodePrior:
    """The size of a PixelCNN of those years for 32 x 32 codes: 20 layers of 256 features. For GPUs."""
    return CodePrior(batch_size=128, width=256, layers=20, head=512, dropout=0.1, lr=3e-4, ema=0.9999)
