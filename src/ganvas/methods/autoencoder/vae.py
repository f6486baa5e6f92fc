"""VAE: variational autoencoder (Kingma and Welling 2013, arXiv:1312.6114; Rezende 2014, arXiv:1401.4082).

Idea: each image x is generated from a latent z with prior N(0, 1). The posterior p(z | x) cannot be computed, so an encoder
approximates it by q(z | x) = N(mu, sigma^2), and both are trained together on a lower bound of log p(x) (eq. 3):

    log p(x) >= E_q log p(x | z) - KL(q(z | x) || p(z))

With z = mu + sigma * noise the bound is differentiable (eq. 10). `pixels` is the decoder's distribution of a pixel: the
probability of a 1 (bernoulli), a normal with one learned standard deviation per channel, or a mixture of logistics; the
probabilities of the 256 levels sum to 1 in the last two. Generated images are the decoder's mean, not a sample.

The KL term can rise from 0 over the first steps (`kl_warmup`; Sonderby 2016, arXiv:1602.02282), be weighted by `beta` (Higgins
2017), or be free below `free_bits` per latent dimension (Kingma 2016, arXiv:1606.04934, eq. 15): all against unused latent
dimensions. The reported bound is always the plain one; with k samples of z it is that of Burda (2015, arXiv:1509.00519, eq. 8).

Bernoulli pixels are for images of two values. `binarise` makes them: by a threshold at the middle grey, or stochastically, 1 with
the probability of the grey, in each step and, for measuring, once by a fixed seed. With none the grey itself is the target, whose
bound holds for the mean over stochastic binarisations.

With `conditional`, the decoder gets the class y beside z (Kingma 2014, Semi-supervised learning with deep generative models,
arXiv:1406.5298, eq. 4 without the class's own term): log p(x | y) has the same bound with p(x | z, y). The encoder need not
see y, as the bound holds for any q(z | x).

Departs from the paper: Adam; strided convolutions in place of one hidden layer (preset `paper` has that); one draw of z.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from ganvas.abilities import Encodes, HasLikelihood, LatentSpace, Likelihood, Samples
from ganvas.data.augment import shifted
from ganvas.draws import Draw
from ganvas.errors import UsageError
from ganvas.losses.divergence import normal_kl, normal_log_likelihood
from ganvas.losses.likelihood import (
    bernoulli_log_likelihood,
    discretised_normal_log_likelihood,
    importance_bound,
    logistic_mixture_log_likelihood,
    logistic_mixture_mean,
    mixture_outputs,
)
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods._base import ClassConditional
from ganvas.methods.autoencoder._base import Autoencoder
from ganvas.networks.conditional import labelled
from ganvas.networks.mlp import MLPDiscriminator
from ganvas.networks.strided import StridedDiscriminator, StridedGenerator
from ganvas.networks.variational import GaussianEncoder, MLPDecoder, SharedSigma
from ganvas.registry import preset

OUTPUTS_PER_PASS = 2**22  # outputs of the decoder in one pass of the importance-weighted bound
LIKELIHOOD_NOTES = {
    "stochastic": "images binarised stochastically: 1 with the probability of the grey, once, by a fixed seed",
    "threshold": "images binarised at the middle grey",
    "none": "mean over stochastic binarisations, 1 with the probability of the grey",
}


class VAE(ClassConditional, Autoencoder, Samples, Encodes, HasLikelihood):
    name = "vae"
    title = "variational autoencoder"
    paper = "Kingma and Welling 2013, Auto-Encoding Variational Bayes, arXiv:1312.6114"

    z_dim: int = setting(32, "size of the latent", minimum=1)
    pixels: str = setting(
        "bernoulli",
        "the decoder's distribution of a pixel",
        choices=("bernoulli", "gaussian", "logistic_mixture"),
    )
    components: int = setting(5, "logistic_mixture: components per pixel", minimum=1, when="pixels=logistic_mixture")
    binarise: str = setting(
        "none",
        "bernoulli: how images become 0 and 1; stochastic samples anew at each step",
        choices=("none", "threshold", "stochastic"),
        when="pixels=bernoulli",
    )
    beta: float = setting(1.0, "weight of the KL term; above 1 favours few, separate causes", minimum=0)
    kl_warmup: int = setting(0, "steps over which the KL term's weight rises from 0", minimum=0, when="beta")
    free_bits: float = setting(
        0.0,
        "free bits: KL per latent dimension, mean over the batch, that is not penalised",
        minimum=0,
        unit="nats",
        when="beta",
    )
    network: str = setting("strided", "strided 4x4 convolutions, or fully connected", choices=("strided", "mlp"))
    widths: tuple[int, ...] = setting(
        (128, 64, 32), "channels from the smallest size up; of mlp, units from z up to the image", minimum=1
    )
    shift: int = setting(0, "maximum random shift of training images along each axis", minimum=0, unit="pixels")
    shift_share: float = setting(0.5, "shift: share of the images that are shifted", minimum=0, maximum=1, when="shift")
    conditional: bool = setting(False, "condition the decoder on the class of each image; the data need labels")
    decay: str = setting(
        "linear", "decay of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    ema: float = setting(0.999, "decay of both networks' average per step", minimum=0, maximum=0.999999)

    averaged = ("E", "G")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.kl_steps: Tensor
        self.register_buffer("kl_steps", torch.zeros(()))

    def build(self, spec: DataSpec) -> None:
        if self.binarise != "none" and self.pixels != "bernoulli":
            raise UsageError(
                f"binarise={self.binarise} makes images of two values, which are for pixels=bernoulli"
                f" (got pixels={self.pixels}): set binarise=none, or pixels=bernoulli"
            )
        self.shape = spec.shape
        widths = self.widths
        classes = self.classes_for(spec, self.conditional)
        channels, height, width = spec.shape
        decoded = (self.outputs_per_pixel(), height, width)
        if self.network == "strided":
            self.E = GaussianEncoder(StridedDiscriminator(spec.shape, widths, outputs=2 * self.z_dim))
            G = StridedGenerator(self.z_dim + classes, decoded, widths)
        else:
            self.E = GaussianEncoder(MLPDiscriminator(spec.shape, widths[::-1], "relu", outputs=2 * self.z_dim))
            G = MLPDecoder(self.z_dim + classes, widths, decoded)
        if self.pixels == "gaussian":
            G = SharedSigma(G, channels)
        self.G: nn.Module = labelled(G, classes)

    def optimizers(self) -> dict[str, Optimizer]:
        both = [*self.E.parameters(), *self.G.parameters()]
        return {"vae": AdamW(both, lr=self.lr, weight_decay=self.weight_decay, fused=True)}

    def updates(self) -> list[Update]:
        return [Update("bound", trains="vae", loss=self.bound_loss, after=self.count)]

    def bound_loss(self, batch: Batch) -> dict[str, Tensor]:
        """Eq. 3 negated, with one draw of z, and what `beta`, `kl_warmup` and `free_bits` make of it as "loss"."""
        x = self.binarised(self.moved(batch), lambda: batch.uniform(*self.shape))
        mu, logvar = self.E(x)
        z = mu + (logvar / 2).exp() * batch.normal(self.z_dim)
        reconstruction = -self.log_likelihood(x, self.decoded(z, batch.label)).mean()
        # Of each latent dimension, a mean over the batch, (z_dim,).
        kl_per_dim = normal_kl(mu.reshape(-1, 1), logvar.reshape(-1, 1)).view_as(mu).mean(0)
        kl, weight = kl_per_dim.sum(), self.beta * self.warmed()
        loss = reconstruction + weight * kl_per_dim.clamp_min(self.free_bits).sum()
        parts = {"reconstruction": reconstruction.detach(), "kl": kl.detach()}
        return {"loss": loss, "bound": (reconstruction + kl).detach(), **parts}

    def decoded(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """The decoder's output (N, P, H, W) float32 of z (N, z_dim), and of classes (N,) where it is conditioned on them."""
        outputs = self.G(z, labels) if self.classes else self.G(z)
        return outputs.float()

    def warmed(self) -> Tensor:
        """The factor on the KL term during the warm-up, from 0 to 1, ()."""
        if not self.kl_warmup:
            return torch.ones_like(self.kl_steps)
        return (self.kl_steps / self.kl_warmup).clamp_max(1)

    def count(self, report: dict[str, Tensor], batch: Batch) -> None:
        """After a step: the warm-up continues."""
        if self.kl_warmup:
            self.kl_steps.add_(1)

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress)

    # --- images before they are encoded ---------------------------------------------------------------------------------

    def moved(self, batch: Batch) -> Tensor:
        """The real images (N, C, H, W), some of them shifted by integer numbers of pixels, with repeated borders (`shift`)."""
        if not self.shift:
            return batch.real
        offsets = batch.integers(2 * self.shift + 1, 2) - self.shift
        offsets = offsets * (batch.uniform(1) < self.shift_share)
        return shifted(batch.real, offsets[:, 0], offsets[:, 1])

    def binarised(self, images: Tensor, draw: Callable[[], Tensor]) -> Tensor:
        """The targets of the decoder: of -1 and 1 where `binarise` is set. `draw` gives uniform numbers (N, C, H, W)."""
        if self.binarise == "none":
            return images
        if self.binarise == "threshold":
            return torch.where(images > 0, 1.0, -1.0)
        return torch.where(images > 2 * draw().to(images.device) - 1, 1.0, -1.0)

    # --- the decoder's distribution of a pixel ------------------------------------------------------------------------------

    def log_likelihood(self, x: Tensor, parameters: Tensor) -> Tensor:
        """log p(x | z), (N,), of x (N, C, H, W) in [-1, 1], given the decoder's output `parameters` (N, P, H, W) float32."""
        if self.pixels == "bernoulli":
            return bernoulli_log_likelihood((x + 1) / 2, parameters)
        if self.pixels == "gaussian":
            mu, log_sigma = parameters.chunk(2, 1)
            return discretised_normal_log_likelihood(x, mu, log_sigma)
        return logistic_mixture_log_likelihood(x, parameters)

    def mean(self, parameters: Tensor) -> Tensor:
        """The mean image (N, C, H, W) in [-1, 1], given the decoder's output (N, P, H, W)."""
        if self.pixels == "bernoulli":
            return 2 * parameters.sigmoid() - 1
        if self.pixels == "gaussian":
            return parameters.chunk(2, 1)[0].clamp(-1, 1)
        return logistic_mixture_mean(parameters, self.shape[0]).clamp(-1, 1)

    # --- abilities ------------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """z, normal numbers."""
        return (Draw("normal", self.z_dim),)

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Mean images (n, C, H, W) in [-1, 1]; of the classes `labels` (n,) where the decoder is conditioned on classes."""
        return self.mean(self.decoded(latents, labels))

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """z."""

        def synthesise(points: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            return self.mean(self.decoded(points, labels))

        return (LatentSpace("z", lambda latents, labels: latents, synthesise, self.z_dim, normal=True, network=self.G),)

    def encode(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """mu (n, z_dim) of images (n, C, H, W) in [-1, 1]. Where training binarises stochastically, the grey itself is encoded,
        which is the mean over binarisations."""
        if self.binarise == "threshold":
            images = torch.where(images > 0, 1.0, -1.0)
        return self.E(images)[0]

    def compute_likelihood(
        self, examples: Tensor, labels: Tensor | None, samples: int, generator: torch.Generator | None
    ) -> Likelihood:
        """The negated bound of each image, by `samples` samples of z (Burda 2015, eq. 8); nats for Bernoulli pixels."""
        n, device = len(examples), examples.device
        x = self.binarised(examples, lambda: torch.rand(examples.shape, generator=generator))
        mu, logvar = self.E(x)
        outputs = self.outputs_per_pixel() * self.shape[1] * self.shape[2]
        most = max(1, OUTPUTS_PER_PASS // (n * outputs))
        weights = []
        for start in range(0, samples, most):
            noise = torch.randn(min(most, samples - start), n, self.z_dim, generator=generator).to(device)
            weights.append(self.log_weights(x, mu, logvar, noise, labels))
        unit, note = "bits_per_dim", ""
        if self.pixels == "bernoulli":
            unit, note = "nats", LIKELIHOOD_NOTES[self.binarise]
        bound = -importance_bound(torch.cat(weights))
        return Likelihood(bound, unit, terms=math.prod(self.shape), exact=False, note=note)

    def log_weights(self, x: Tensor, mu: Tensor, logvar: Tensor, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """log p(x, z) / q(z | x), (k, n), of z = mu + sigma * noise, (k, n, z_dim); with the classes of x, p(x, z | y)."""
        k, n, _ = noise.shape
        z = (mu + (logvar / 2).exp() * noise).flatten(0, 1)
        prior = normal_log_likelihood(z, torch.zeros_like(z))
        posterior = normal_log_likelihood(z, mu.repeat(k, 1), logvar.repeat(k, 1))
        reconstruction = self.log_likelihood(
            x.repeat(k, 1, 1, 1), self.decoded(z, None if labels is None else labels.repeat(k))
        )
        return (reconstruction + prior - posterior).view(k, n)

    def outputs_per_pixel(self) -> int:
        """Outputs of the decoder's network for each pixel."""
        channels = self.shape[0]
        if self.pixels == "logistic_mixture":
            return mixture_outputs(channels, self.components)
        return channels


@preset("vae")
def tiny() -> VAE:
    """Seconds on a CPU; for tests and first looks."""
    return VAE(batch_size=16, z_dim=8, widths=(8, 4), components=2)


@preset("vae")
def small() -> VAE:
    """Digits, binarised stochastically, on two CPU cores: about 4 million MACs a network. Shifts and weight decay are
    for few images. One minute of one core: 102.6 nats by one draw (test, n 2,000). Figures: docs/experiments.md."""
    return VAE(binarise="stochastic", lr=2e-3, weight_decay=0.01, shift=1)


@preset("vae")
def few() -> VAE:
    """Class-conditional, for `ganvas augment` on tens of images in changed copies: a small latent, so that samples of the prior
    look like the data. 1,200 steps take half a minute of one core. Figures: docs/experiments/augment.md."""
    return VAE(conditional=True, z_dim=8, widths=(64, 32, 16), batch_size=32, lr=3e-3, ema=0.99)


@preset("vae")
def paper() -> VAE:
    """The paper's networks for MNIST, one hidden layer of 500 units each, batch 100; ReLU in place of tanh, Adam of Adagrad."""
    return VAE(
        binarise="stochastic", network="mlp", widths=(500,), z_dim=20, batch_size=100, decay="none", ema=0.0,
    )  # fmt: skip
