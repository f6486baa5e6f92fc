"""InfoGAN: codes with a meaning of their own, found without labels (Chen 2016, arXiv:1606.03657).

Idea: split the latent into noise z and codes c (categories, and numbers in [-1, 1]), and maximise the mutual information
I(c; G(z, c)) of codes and image, so that each code has a visible meaning; a plain GAN is free to entangle its latent. The mutual
information has no closed form, but any network Q(c | x) that predicts the codes from the image bounds it from below (eq. 5):

    L_I = H(c) + E log Q(c | G(z, c)) <= I(c; G(z, c))

G and Q maximise it beside the usual loss (eq. 6). Q is a second head on D's body, so it costs almost nothing.

A category comes to mean what Q predicts most easily, which may be slant or thickness. `warp` rotates, shears, scales and shifts
all images that D and Q see, real and fake: then a category can only mean what is invariant to that. `invariance` maximises the
information between Q's predictions for two warps of the same real image: they should agree, with all categories equally frequent
(Ji 2019, arXiv:1807.06653; warps of real images are from Ojha 2020, arXiv:1910.01112). On digits that is mostly the class.

Departs from the paper: eq. 6 gives Q no optimiser of its own; here D's update trains the body and both heads, with lambda L_I
on the fake images subtracted from its loss, as in the authors' code, and G's update has the same term for G. Q's normal
distribution of a continuous code has variance 1 (theirs for MNIST too), so that its term is a squared error. The layers of
table 1, but down to 4 x 4 pixels and for any height and width; one lambda per kind of code (C.1 has 1 and 0.1). `warp`,
`invariance`, `decay` and networks without hidden layers are not theirs (D then has layer norm: with batch norm G generated one
image per category); preset `small` has them all, the defaults none.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ganvas.abilities import Code
from ganvas.data.affine import affine
from ganvas.draws import Draw
from ganvas.errors import UsageError
from ganvas.losses.adversarial import discriminator_cross_entropy, discriminator_report, non_saturating_generator
from ganvas.losses.divergence import (
    categorical_entropy,
    categorical_log_likelihood,
    normal_log_likelihood,
    paired_information,
    uniform_entropy,
)
from ganvas.method import Batch, DataSpec, Update, setting
from ganvas.methods.gan._base import Adversarial
from ganvas.networks.coded import CodedDiscriminator, CodedGenerator
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.registry import preset


class InfoGAN(Adversarial):
    name = "infogan"
    title = "interpretable codes without labels, by mutual information"
    paper = "Chen et al. 2016, InfoGAN: Interpretable Representation Learning by Information Maximizing GANs, arXiv:1606.03657"

    batch_size: int = setting(128, "images per step, over all processes together", minimum=2)
    z_dim: int = setting(62, "numbers of plain noise in a latent, before the codes", minimum=1, fewer_is_fine=True)
    width: int = setting(64, "channels at the largest inner size, both networks", minimum=1)
    hidden: int = setting(
        1024, "units of the layer before G's and after D's convolutions; Q has an eighth; 0: none", minimum=0
    )
    categorical: tuple[int, ...] = setting(
        (10,), "values of each categorical code, such as 10 or 10-4", minimum=1, may_be_empty=True, fewer_is_fine=True
    )
    continuous: int = setting(2, "codes that are a number in [-1, 1]", minimum=0)
    categorical_weight: float = setting(1.0, "lambda of the categorical codes", minimum=0, when="categorical")
    continuous_weight: float = setting(0.1, "lambda of the continuous codes", minimum=0, when="continuous")
    lr: float = setting(1e-3, "learning rate of Adam, G", minimum=0)
    balance: float = setting(0.2, "learning rate of D and Q over that of G", minimum=0)
    invariance: float = setting(
        0.0,
        "weight of Q predicting the same category for two warps of a real image, all equally often; needs warp",
        minimum=0,
        when="warp",
    )
    warp: float = setting(
        0.0, "strength of random rotation, shear, scale and shift of all inputs of D and Q", minimum=0, maximum=2
    )

    def build(self, spec: DataSpec) -> None:
        if self.invariance and not (self.warp and self.categories()):
            raise UsageError("invariance compares the categories read in two warps: set warp above 0, and categorical")
        coded = sum(code.size for code in self.codes())
        if self.hidden:
            self.G = CodedGenerator(self.z_dim + coded, spec.shape, self.width, self.hidden)
            self.D = CodedDiscriminator(spec.shape, coded, self.width, self.hidden)
        else:
            self.G = DCGANGenerator(self.z_dim + coded, spec.shape, self.width, norm="batch")
            self.D = DCGANDiscriminator(spec.shape, self.width, norm="layer", outputs=1 + coded)

    def updates(self) -> list[Update]:
        return [
            Update("generator", trains="G", loss=self.generator_loss, keeps_graph=True),
            Update("discriminator", trains="D", loss=self.discriminator_loss, after=self.adapt),
        ]

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        latent, fake = batch.memo("generated", lambda: self.generated(batch))
        logits, predicted = batch.memo("fake_outputs", lambda: self.discriminate_and_predict(batch, fake))
        loss = non_saturating_generator(logits).mean() - self.information(latent, predicted)["loss"]
        return {"loss": loss}

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor]:
        latent, fake = batch.memo("generated", lambda: self.generated(batch))
        # Two passes: batch statistics of real and fake images must not mix.
        real_logits, real_codes = self.discriminate_and_predict(batch, batch.real)
        fake_logits, fake_codes = batch.memo(
            "fake_outputs", lambda: self.discriminate_and_predict(batch, fake.detach())
        )
        bounds = self.information(latent, fake_codes)
        loss = discriminator_cross_entropy(real_logits, fake_logits).mean() - bounds["loss"]
        report = {"categorical": bounds["categorical"], "continuous": bounds["continuous"]}
        if self.invariance:
            _, other_codes = self.discriminate_and_predict(batch, batch.real)  # of another warp
            agreement = self.agreement(real_codes, other_codes)
            loss, report["invariance"] = loss - self.invariance * agreement, agreement.detach()
        return {**discriminator_report(loss, real_logits, fake_logits), **report}

    def generated(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """New latents (N, z_dim + codes) and their images (N, C, H, W)."""
        latent = self.noise(batch)
        return latent, self.G(latent)

    def discriminate(self, batch: Batch, images: Tensor) -> Tensor:
        """D's logits (M, 1) alone."""
        return self.discriminate_and_predict(batch, images)[0]

    def discriminate_and_predict(self, batch: Batch, images: Tensor) -> tuple[Tensor, Tensor]:
        """D's logits (M, 1) and Q's predictions of the codes (M, codes), in one pass through the body that they share."""
        outputs = super().discriminate(batch, images)
        return outputs[:, :1], outputs[:, 1:]

    def augmented(self, batch: Batch, images: Tensor, times: int = 1) -> Tensor:
        """`images` (times * N, C, H, W) as D and Q see them: augmented and warped."""
        seen = super().augmented(batch, images, times)
        if not self.warp:
            return seen

        def draw(*shape: int) -> Tensor:
            return torch.cat([batch.uniform(*shape) for _ in range(times)])

        return affine(seen, draw, self.warp)

    def information(self, latent: Tensor, predicted: Tensor) -> dict[str, Tensor]:
        """Eq. 5 of each kind of code, in nats, and "loss": their sum with the weights lambda.

        `predicted` (N, codes) is Q's, in the order of the codes: logits of a categorical code, the mean of a continuous one.
        """
        categorical = continuous = predicted.new_zeros(())
        for code in self.codes():
            target = latent[:, code.start : code.start + code.size]
            prediction = self.prediction_of(code, predicted)
            if code.kind == "categorical":
                log_q = categorical_log_likelihood(target, prediction).mean()
                categorical = categorical + categorical_entropy(code.size) + log_q
            else:
                log_q = normal_log_likelihood(target, prediction).mean()
                continuous = continuous + uniform_entropy(-1, 1) + log_q
        loss = self.categorical_weight * categorical + self.continuous_weight * continuous
        return {"loss": loss, "categorical": categorical.detach(), "continuous": continuous.detach()}

    def prediction_of(self, code: Code, predicted: Tensor) -> Tensor:
        """Q's outputs (N, size) for one code, of all (N, codes)."""
        start = code.start - self.z_dim
        return predicted[:, start : start + code.size]

    def agreement(self, one: Tensor, other: Tensor) -> Tensor:
        """Information between the categories that Q predicts for two warps of the same images, (N, codes) each: a scalar in
        nats, the sum over all categorical codes."""
        terms = []
        for code in self.categories():
            terms.append(paired_information(self.prediction_of(code, one), self.prediction_of(code, other)))
        return torch.stack(terms).sum()

    # --- codes and sampling ---------------------------------------------------------------------------------------------

    def codes(self) -> list[Code]:
        """The codes in their order after the noise: category1 ..., continuous1 ..."""
        if not self.categorical and not self.continuous:
            raise UsageError("infogan needs a code: set categorical to something like 10, or continuous to 1 or more")
        codes = []
        start = self.z_dim
        for number, size in enumerate(self.categorical, 1):
            codes.append(Code(f"category{number}", "categorical", start, size))
            start += size
        for number in range(1, self.continuous + 1):
            codes.append(Code(f"continuous{number}", "continuous", start, 1))
            start += 1
        return codes

    def categories(self) -> list[Code]:
        """The categorical codes alone."""
        return [code for code in self.codes() if code.kind == "categorical"]

    def noise(self, batch: Batch) -> Tensor:
        """Noise and codes (N, z_dim + codes) for a training step."""
        chosen = [one_hot(batch.integers(code.size), code.size) for code in self.categories()]
        return torch.cat([batch.normal(self.z_dim), *chosen, batch.uniform(self.continuous, low=-1, high=1)], 1)

    def draws(self) -> tuple[Draw, ...]:
        """Noise and codes."""
        chosen = [Draw("one_hot", code.size) for code in self.categories()]
        return (Draw("normal", self.z_dim), *chosen, Draw("uniform", self.continuous, -1.0, 1.0))


@preset("infogan")
def tiny() -> InfoGAN:
    """Seconds on a CPU; for tests and first looks."""
    return InfoGAN(batch_size=16, z_dim=8, width=4, hidden=16, categorical=(3,), continuous=1)


@preset("infogan")
def small() -> InfoGAN:
    """Narrow networks for digits, minutes of a CPU. Batches are larger than those of other GANs here, since `invariance` wants
    all categories equally often in each; a weight of 1 for the categories, the default, made each of them one image.
    Figures: docs/experiments/gans.md."""
    return InfoGAN(
        width=16, hidden=0, batch_size=96, lr=3e-3, balance=0.7, categorical_weight=0.25, continuous_weight=0.5, invariance=2.0,
        warp=1.0, decay="second_half",
    )  # fmt: skip
