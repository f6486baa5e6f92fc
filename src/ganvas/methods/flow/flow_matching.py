"""Flow matching: a velocity field that carries noise to images (Lipman 2022, arXiv:2210.02747; Liu 2022, arXiv:2209.03003).

Idea: a straight line leads from noise to a random image, x_t = (1 - t) x_0 + t x_1, and a network predicts its velocity x_1 -
x_0 from x_t and t alone. The optimal prediction is the mean over all lines through x_t, and the flow along these means
transports the normal distribution to that of the images (Lipman, theorem 2). So a regression trains a generative model: one
network, no adversarial loss. Sampling solves dx = v(x, t) dt from 0 to 1, deterministically, in `sampling_steps` steps of one
evaluation of the network (Euler; two steps of Adams and Bashforth, which is of second order) or of two (midpoint, Heun).

Classes: the label is omitted for some images, so that one network predicts v with and without it, and sampling can extrapolate
from the unconditional to the conditional v (`guidance`; Ho and Salimans 2022, arXiv:2207.12598).

Departs from the paper: v is the optimal prediction linear in x_t for normally distributed images of the data's variance, plus
the output of a network with inputs and outputs of unit variance (Karras 2022, arXiv:2206.00364, sec. 5, derived for straight
lines); times can be sampled more often from the middle (Esser 2024, arXiv:2403.03206, eq. 19); fixed steps in place of an
adaptive solver; a U-Net small enough for two CPU cores; no reflow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from ganvas.abilities import Iteration, LatentSpace, Samples
from ganvas.draws import Draw
from ganvas.errors import UsageError
from ganvas.losses.flow import flow_matching, guided, on_path
from ganvas.method import Batch, DataSpec, Update, setting, step_factor
from ganvas.methods._base import ClassConditional
from ganvas.networks.unet import UNet
from ganvas.registry import preset


class FlowMatching(ClassConditional, Samples):
    name = "flow_matching"
    title = "a velocity field from noise to images, along straight lines"
    paper = "Lipman et al. 2022, Flow Matching for Generative Modeling, arXiv:2210.02747"

    batch_size: int = setting(64, "images per step, over all processes together", minimum=1)
    lr: float = setting(2e-3, "learning rate of Adam at the start", minimum=0)
    beta1: float = setting(0.9, "Adam's first decay", minimum=0, maximum=0.9999)
    beta2: float = setting(0.99, "Adam's second decay", minimum=0, maximum=0.99999)
    decay: str = setting(
        "linear", "decay of the learning rate to zero over the budget", choices=("linear", "cosine", "none")
    )
    warmup: int = setting(100, "steps over which the learning rate rises to its full value", minimum=0)
    widths: tuple[int, ...] = setting((96, 64, 32), "channels from the smallest size up, without full size", minimum=1)
    blocks: int = setting(1, "residual blocks at each size", minimum=0)
    times: str = setting("uniform", "distribution of t in training", choices=("uniform", "logit_normal"))
    solver: str = setting(
        "adams",
        "of dx = v dt; adams and euler take one evaluation per step, midpoint and heun two",
        choices=("adams", "euler", "midpoint", "heun"),
    )
    sampling_steps: int = setting(10, "steps of the solver", minimum=1)
    spacing: float = setting(
        1.3,
        "t after step i of n is (i / n) ^ spacing: 1, equal steps; above 1, shorter ones near the noise",
        minimum=0.1,
        maximum=10,
    )
    conditional: bool = setting(False, "condition the network on the class of each image; the data need labels")
    label_dropout: float = setting(
        0.1, "conditional: share of the images without their label", minimum=0, maximum=1, when="conditional"
    )
    guidance: float = setting(
        1.0, "conditional: classifier-free guidance weight; 1: none, above 1: stronger", minimum=0, when="conditional"
    )
    ema: float = setting(0.999, "decay of the network's average per step", minimum=0, maximum=0.999999)

    averaged = ("v",)
    of_sampling = ("solver", "sampling_steps", "spacing", "guidance")

    def build(self, spec: DataSpec) -> None:
        if self.guidance != 1 and not self.conditional:
            raise UsageError(
                f"guidance={self.guidance:g} works with classes only: set conditional=true, or leave it at 1"
            )
        if self.guidance != 1 and self.label_dropout == 0:
            raise UsageError(
                f"guidance={self.guidance:g} needs a network that was also trained without classes: set label_dropout above 0 in"
                " training, or leave guidance at 1"
            )
        self.shape = spec.shape
        # Standard deviation of a pixel of the data, over images.
        self.deviation = math.sqrt(spec.total_variance / math.prod(spec.shape)) or 0.5
        classes = self.classes_for(spec, self.conditional)
        self.v = UNet(spec.shape, self.widths, self.blocks, classes)

    def optimizers(self) -> dict[str, Optimizer]:
        return {"v": Adam(self.v.parameters(), lr=self.lr, betas=(self.beta1, self.beta2), fused=True)}

    def updates(self) -> list[Update]:
        return [Update("velocity", trains="v", loss=self.velocity_loss)]

    def velocity_loss(self, batch: Batch) -> dict[str, Tensor]:
        noise, t = batch.normal(*self.shape), self.times_of(batch)
        velocity = self.velocity(on_path(noise, batch.real, t), t, self.labels_with_dropout(batch))
        return {"loss": flow_matching(velocity, noise, batch.real).mean()}

    def times_of(self, batch: Batch) -> Tensor:
        """t (N,) in [0, 1): uniform, or more from the middle (Esser 2024, eq. 19, with m = 0, s = 1)."""
        if self.times == "uniform":
            return batch.uniform()
        return batch.normal().sigmoid()

    def labels_with_dropout(self, batch: Batch) -> Tensor | None:
        """The batch's classes (N,), some of them replaced by the number that means no class; None without classes."""
        if not self.classes or batch.label is None:
            return None
        return batch.label.masked_fill(batch.uniform() < self.label_dropout, self.classes)

    def velocity(self, x: Tensor, t: Tensor, label: Tensor | None = None) -> Tensor:
        """v(x, t), float32, (N, C, H, W) for t (N,).

        For images from N(0, s^2): Var x_t = t^2 s^2 + (1 - t)^2, Cov(x_1 - x_0, x_t) = t s^2 - (1 - t), and the variance of the
        velocity given x_t is s^2 / Var x_t.
        """
        s, t_ = self.deviation, t.view(-1, 1, 1, 1)
        variance = (t_ * s).square() + (1 - t_).square()
        linear = (t_ * s * s - (1 - t_)) / variance
        scale = s / variance.sqrt()
        return linear * x + scale * self.v(x / variance.sqrt(), t, label).float()

    def schedule(self, progress: float, steps: int) -> float:
        return step_factor(self.decay, progress, steps, self.warmup)

    # --- sampling -------------------------------------------------------------------------------------------------------

    def draws(self) -> tuple[Draw, ...]:
        """x_0, normal numbers."""
        return (Draw("normal", math.prod(self.shape)),)

    def generate(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (n, C, H, W) in [-1, 1]: the end of the flow from x_0 (n, C * H * W)."""
        *_, x = self.flow(latents, labels)
        return x.clamp(-1, 1)

    def latent_spaces(self) -> tuple[LatentSpace, ...]:
        """z is x_0."""

        def synthesise(points: Tensor, labels: Tensor | None, noise: Sequence[Tensor | None]) -> Tensor:
            *_, x = self.flow(points, labels)
            return x

        free = math.prod(self.shape)
        return (LatentSpace("z", lambda latents, labels: latents, synthesise, free, normal=True, network=self.v),)

    def drawing(self, latents: Tensor, labels: Tensor | None = None) -> Tensor:
        """x after each step of the solver, (n, sampling_steps, C, H, W) in [-1, 1]."""
        return torch.stack(list(self.flow(latents, labels)), 1).clamp(-1, 1)

    def flow(self, latents: Tensor, labels: Tensor | None = None) -> Iterator[Tensor]:
        """x_t (n, C, H, W) after each of `sampling_steps` steps of the solver."""
        steps = self.iteration()
        state = steps.first_state(latents)
        for number in range(steps.steps):
            state = self.step(state, torch.tensor(number, device=state.device), labels)
            yield steps.example(state)

    def iteration(self) -> Iteration:
        """The steps of the solver, from x_0. That of Adams carries v of the step before."""
        carried = self.shape[0] if self.solver == "adams" else 0
        return Iteration(self.sampling_steps, self.shape, self.step, carried)

    def step(self, state: Tensor, number: Tensor, labels: Tensor | None) -> Tensor:
        """The state (n, C or 2C, H, W), x and what is carried, after step `number` () of the solver."""
        t, end = self.time(number), self.time(number + 1)
        length = end - t
        if self.solver == "adams":
            x, before = state.chunk(2, 1)
            here = self.guided_velocity(x, t, labels)
            # Half the step over the one before; the first step has none, and is Euler's.
            previous = t - self.time((number - 1).clamp(min=0))
            ratio = torch.where(number > 0, length / previous / 2, 0.0).to(x.dtype)
            return torch.cat([x + length.to(x.dtype) * (here + ratio * (here - before)), here], 1)
        return state + length.to(state.dtype) * self.slope(state, t, length, labels)

    def time(self, number: Tensor) -> Tensor:
        """t () before step `number`, float64."""
        return (number.double() / self.sampling_steps) ** self.spacing

    def slope(self, x: Tensor, t: Tensor, length: Tensor, labels: Tensor | None) -> Tensor:
        """The mean velocity over a step of `length` () from (x, t), by Euler's, the midpoint or Heun's method."""
        here = self.guided_velocity(x, t, labels)
        if self.solver == "euler":
            return here
        step = length.to(x.dtype)
        if self.solver == "midpoint":
            return self.guided_velocity(x + step / 2 * here, t + length / 2, labels)
        return (here + self.guided_velocity(x + step * here, t + length, labels)) / 2

    def guided_velocity(self, x: Tensor, t: Tensor, labels: Tensor | None) -> Tensor:
        """v with the classes `labels` (n,), with guidance where that is set, in one pass. `t` () is one number for all."""
        t = t.to(x.dtype)
        if labels is None or self.guidance == 1:
            return self.velocity(x, t.expand(x.shape[0]), labels)
        no_class = torch.full_like(labels, self.classes)
        both = self.velocity(x.repeat(2, 1, 1, 1), t.expand(2 * x.shape[0]), torch.cat([labels, no_class]))
        conditional, unconditional = both.chunk(2)
        return guided(conditional, unconditional, self.guidance)


@preset("flow_matching")
def tiny() -> FlowMatching:
    """Seconds on a CPU; for tests and first looks."""
    return FlowMatching(batch_size=16, widths=(8, 8), blocks=1, sampling_steps=3, warmup=0)


@preset("flow_matching")
def small() -> FlowMatching:
    """The defaults, for two CPU cores: about 24 million MACs a pass on digits. One minute of one core:
    FD[digits] 7.9 (reference 0.13, n 1,024). Figures: docs/experiments.md."""
    return FlowMatching()
