"""WaveNet (van den Oord 2016, A Generative Model for Raw Audio, arXiv:1609.03499).

Idea: p(x) is the product of p(x_t | all earlier samples) (eq. 1), by causal convolutions with increasing dilation, so that few
layers have a large receptive field. The likelihood is exact and training needs one pass; sampling takes one pass per sample, of
which a cache computes the newest column only.

A sample is one of 256 mu-law levels, with a softmax or a discretised mixture of logistics over the same levels, so that bits per
sample of both can be compared. Every gate is conditioned on the class (eq. 5) and on the position in the clip, without which a
network that sees a quarter of a second could not know how much of a word is over.

A latent holds one uniform number per sample: the level is the one whose interval of the cumulative distribution contains the
number. So a clip is a function of its latent alone.

Likelihoods count the samples up to a clip's last that is not 0: the silence that pads clips to one length costs almost nothing,
and would make the figure look better. Training sees some of it, so that generated words end.

Departs from the paper: the first convolution sees more samples, linear and mu-law; taps and dilations are settings; the gates are
conditioned on the position in the clip; Adam with one decay of the learning rate and clipped gradients, initial weights that
compensate for the gate's loss of variance, an average of the weights for sampling; one skip matrix over all gates together, which
equals the sum of the paper's.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ganvas.abilities import Likelihood
from ganvas.draws import Draw
from ganvas.losses.autoregressive import Categorical, LogisticMixture, drawn, to_levels, to_values
from ganvas.losses.mulaw import compress, heard
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.autoregressive._base import ExactLikelihood
from ganvas.networks.wavenet import HOP_SAMPLES, Incremental, WaveNet
from ganvas.registry import preset

SAMPLES_PER_PASS = 2**16  # samples per pass without gradients
SILENT_FRACTION = 4  # a crop may include silence after the end of the clip: 1 / SILENT_FRACTION of its length


class WaveNetMethod(ExactLikelihood):
    name = "wavenet"
    title = "WaveNet: audio with an exact likelihood, sample by sample"
    paper = "van den Oord et al. 2016, WaveNet: A Generative Model for Raw Audio, arXiv:1609.03499"
    takes = ("audio",)

    batch_size: int = setting(16, "clips per step, over all processes together", minimum=1)
    output: str = setting(
        "categorical",
        "a sample's distribution over mu-law levels: a softmax, or a mixture of logistics",
        choices=("categorical", "logistic_mixture"),
    )
    levels: int = setting(256, "mu-law levels of a sample", minimum=2, maximum=256, fewer_is_fine=True)
    mixtures: int = setting(10, "logistic_mixture: components", minimum=1, when="output=logistic_mixture")
    width: int = setting(64, "features of a layer", minimum=1)
    layers: int = setting(10, "gated layers of a stack, with increasing dilation", minimum=1, maximum=16)
    stacks: int = setting(2, "stacks, each starting at dilation 1", minimum=1)
    kernel: int = setting(
        2, "taps of a layer; the dilation of each layer is this many times that of the layer before", choices=(2, 3, 4)
    )
    taps: int = setting(32, "samples that the first convolution sees", minimum=1)
    skip: int = setting(128, "features of the two layers before the output", minimum=1)
    crop: int = setting(4096, "length of the random crop of each clip, in samples; 0: whole clips", minimum=0)
    place: bool = setting(True, "condition every gate on the position in the clip")
    conditional: bool = setting(False, "condition every gate on the class of each clip; the data need labels")
    clip: float = setting(
        2.0,
        "maximum norm of the gradient; larger gradients, as silence causes, are scaled down to it; 0: no clipping",
        minimum=0,
    )

    def build(self, spec: DataSpec) -> None:
        self.length = spec.width
        if self.output == "logistic_mixture":
            self.distribution = LogisticMixture(1, self.levels, self.mixtures)
        else:
            self.distribution = Categorical(1, self.levels)
        classes = self.classes_for(spec, self.conditional)
        dilations = [self.kernel**layer for layer in range(self.layers)] * self.stacks
        self.network = WaveNet(
            2, self.distribution.outputs, self.width, dilations, self.kernel, self.taps, self.skip, classes,
            self.length if self.place else 0,
        )  # fmt: skip
        if isinstance(self.distribution, LogisticMixture) and self.network.out.bias is not None:
            with torch.no_grad():
                self.network.out.bias.copy_(self.distribution.bias())

    def updates(self) -> list[Update]:
        return [Update("likelihood", trains="network", loss=self.likelihood_loss, clip=self.clip)]

    # --- likelihood -----------------------------------------------------------------------------------------------------

    def likelihood_loss(self, batch: Batch) -> dict[str, Tensor]:
        """-log p in nats per sample of the crops; "bits_per_sample" is for the log."""
        codes, start = self.levels_of(batch.real), None
        if 0 < self.crop < self.length:
            codes, start = self.cropped(codes, lengths(batch.real), batch.uniform())
        loss = -self.log_probability(codes, batch.label, start).mean()
        return {"loss": loss, "bits_per_sample": loss.detach() / math.log(2)}

    def cropped(self, codes: Tensor, lengths: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Crops (N, crop) of codes (N, L) and the blocks (N,) at which they start, by `uniform` (N,).

        Starts are drawn from half a crop before the clip to half a crop after its tail, then clamped into it: so the first
        samples are seen as often as those in the middle.
        """
        crop = -(-self.crop // HOP_SAMPLES) * HOP_SAMPLES
        last = (lengths + self.crop // SILENT_FRACTION).clamp_max(self.length) - crop
        wanted = uniform * (last + crop) - crop / 2
        start = wanted.clamp_min(0).minimum(last.clamp_min(0)).div(HOP_SAMPLES, rounding_mode="floor").long()
        places = start[:, None] * HOP_SAMPLES + torch.arange(min(crop, self.length), device=codes.device)
        return codes.gather(1, places), start

    def compute_likelihood(
        self, examples: Tensor, labels: Tensor | None, samples: int, generator: torch.Generator | None
    ) -> Likelihood:
        """Exact, of each clip (n, 1, L) up to its last sample that is not 0."""
        codes, terms = self.levels_of(examples), lengths(examples)
        counted = torch.arange(self.length, device=codes.device) < terms[:, None]
        step = max(1, SAMPLES_PER_PASS // self.length)
        log_p = []
        for start in range(0, len(codes), step):
            part = slice(start, start + step)
            log_p.append(self.log_probability(codes[part], None if labels is None else labels[part]))
        nats = -(torch.cat(log_p) * counted).sum(1)
        note = f"{self.levels} mu-law levels; silence that fills clips up is not counted"
        return Likelihood(nats, unit="bits_per_sample", terms=terms, note=note)

    def log_probability(self, codes: Tensor, label: Tensor | None, start: Tensor | None = None) -> Tensor:
        """log p (N, T) in nats of each code of (N, T), given those before it."""
        raw = self.network(self.forms(to_values(codes, self.levels)), label if self.classes else None, start)
        # Each sample is an image of one pixel to the distribution.
        each = self.distribution.log_likelihood(
            raw.flatten(0, 1)[..., None, None], codes.flatten()[:, None, None, None]
        )
        return each.view(codes.shape)

    def levels_of(self, clips: Tensor) -> Tensor:
        """Levels (N, L) of clips (N, 1, L) in [-1, 1]."""
        return to_levels(compress(clips[:, 0]), self.levels)

    def forms(self, values: Tensor) -> Tensor:
        """The network's input (N, 2, T) from values (N, T) of levels: mu-law and linear."""
        return torch.stack([values, heard(values, self.levels)], 1)

    # --- sampling -------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """One uniform number per sample."""
        return (Draw("uniform", self.length),)

    @torch.no_grad()
    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Clips (n, 1, L) in [-1, 1]; of the classes `labels` (n,) where the network is conditioned on classes."""
        uniform = latents.t().contiguous()
        network = Incremental(self.network, len(latents), labels if self.classes else None)
        values, none = torch.empty_like(uniform), latents[:, :0]
        for t in range(self.length):
            values[t] = drawn(self.distribution, network.raw(), uniform[t], none, self.temperature)
            network.push(self.forms(values[t][:, None])[..., 0])
        return heard(values.t(), self.levels)[:, None]


def lengths(clips: Tensor) -> Tensor:
    """Samples of clips (N, 1, L) before the silence at their end, (N,); at least 1."""
    places = torch.arange(1, clips.shape[2] + 1, device=clips.device)
    return ((clips[:, 0] != 0) * places).amax(1).clamp_min(1)


@preset("wavenet")
def tiny() -> WaveNetMethod:
    """Seconds on a CPU; for tests and first looks. 16 levels."""
    return WaveNetMethod(
        batch_size=16, levels=16, mixtures=2, width=4, layers=3, stacks=1, taps=4, skip=8, crop=128, warmup=0
    )


@preset("wavenet")
def small() -> WaveNetMethod:
    """Spoken digits of 8,000 samples a second on one or two CPU cores, in minutes. Figures: docs/methods/wavenet.md."""
    return WaveNetMethod(
        batch_size=4, output="logistic_mixture", width=64, layers=5, stacks=1, kernel=4, skip=96, crop=2048,
        conditional=True, lr=4e-3,
    )  # fmt: skip


@preset("wavenet")
def paper() -> WaveNetMethod:
    """As the paper's for speech: three stacks of ten layers with two taps, 256 levels by a softmax. For GPUs."""
    return WaveNetMethod(
        batch_size=8, width=256, layers=10, stacks=3, kernel=2, taps=2, skip=256, crop=16000, place=False, ema=0.9999
    )
