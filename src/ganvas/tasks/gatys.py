"""Style transfer by optimising the image itself (Gatys, Ecker and Bethge 2015, arXiv:1508.06576; CVPR 2016).

Idea: the features of a trained network describe the content of an image, and the correlations between its features (their Gram
matrix) describe its style. So start from a photo and optimise its pixels until the features of one layer match the photo's
(eq. 1) and the Gram matrices of several layers match those of the painting (eq. 4); one loss is their weighted sum (eq. 7).

Departs from the paper: each layer's loss is relative to that of an image without any of the target's features
(losses.style.relative), so that one alpha and beta suit every network; the image is optimised coarse to fine, doubling its size
at each level, which finds large structures faster; Adam with an average of the last images, beside the paper's L-BFGS;
total variation (Johnson 2016); several styles, whose Gram matrices are mixed; masks (Gatys 2016, arXiv:1611.07865, eq. 4);
colour preservation (Gatys 2016, arXiv:1606.05897).

This is a task and not a method: a method learns weights from batches of a data set and is used later. Here one image is
optimised; its size changes, and L-BFGS evaluates the loss several times per step. Losses and networks are shared with the
methods.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import LBFGS, Adam, Optimizer

from ganvas.data.styles import MIN_STYLE_SIDE
from ganvas.errors import DataError, UsageError
from ganvas.networks.features.catalog import find_entry
from ganvas.networks.features.network import FeatureNetwork
from ganvas.settings import setting
from ganvas.tasks.channels import luma_full
from ganvas.tasks.style_target import Target
from ganvas.tasks.tiles import reflected

Size = tuple[int, int]
COARSEST_SIDE = 128  # approximate longer side in pixels at the first level
TILE_SIDE = 1024  # side in pixels of the parts that pass the network one by one


@dataclasses.dataclass
class GatysSettings:
    """Settings of the optimisation."""

    style_layers: str = setting("auto", "layers of the style loss, separated by commas; auto: the network's defaults")
    content_layers: str = setting(
        "auto", "layers of the content loss, separated by commas; auto: the network's defaults"
    )
    alpha: float = setting(1.0, "weight of the content loss", minimum=0)
    beta: float = setting(30.0, "weight of the style loss", minimum=0)
    tv: float = setting(0.3, "weight of the total variation; larger values give smoother images", minimum=0)
    steps: int = setting(
        100, "steps at full size; each smaller size has 1.5 times the steps of the next larger one", minimum=1
    )
    optimizer: str = setting("adam", "optimizer of the image", choices=("adam", "lbfgs"))
    lr: float = setting(0.04, "learning rate of Adam, for an image with values from -1 to 1", minimum=0)
    init: str = setting("content", "initial image", choices=("content", "noise", "style"))
    colour: str = setting(
        "free",
        "free: colours of the style; luminance: change only luminance; match: the style first takes the colours of the content",
        choices=("free", "luminance", "match"),
    )
    style_size: float = setting(1.0, "longer side of the style image, relative to that of the content", minimum=0.05)
    levels: int | None = setting(
        None, "number of sizes, each twice the one before; auto: from about 128 pixels", minimum=1
    )
    pool: str = setting("max", "how VGG downsamples", choices=("max", "average"))
    phases: int | None = setting(
        None,
        "adam: the image is shifted by 0 to phases - 1 pixels in turn before the network; auto: depends on the network",
        minimum=1,
    )
    tile: int | None = setting(
        None, "side in pixels of the tiles that pass the network one by one; auto: 1024", minimum=64
    )


@dataclasses.dataclass(frozen=True)
class Moment:
    """The state of an optimisation after a step, for a `watch` function."""

    share: float
    """Progress in [0, 1]."""
    level: int
    levels: int
    size: Size
    step: int
    """At this level; the first is 1."""
    steps: int
    """Over all levels."""
    losses: dict[str, float]
    """"loss" = alpha content + beta style + tv variation, and these three."""
    image: Callable[[], Tensor]
    """Returns the current image (C, h, w) in [-1, 1] at the size of its level."""


Watch = Callable[[Moment], None]


@dataclasses.dataclass
class Outcome:
    """The result of an optimisation."""

    image: Tensor
    """(C, H, W) in [-1, 1]."""
    losses: dict[str, float]
    steps: int
    seconds: float
    stopped: bool
    """Whether `stop` ended it."""


def optimise(
    content: Tensor,
    styles: Sequence[Tensor],
    network: FeatureNetwork,
    settings: GatysSettings | None = None,
    *,
    weights: Sequence[float] | None = None,
    masks: Sequence[Tensor] | None = None,
    size: int | None = None,
    minutes: float | None = None,
    seed: int = 0,
    watch: Watch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Outcome:
    """`content` (C, H, W) in the style of `styles`, each (C', h, w) with C' 1 or C; all in [-1, 1]. C is 1 or 3.

    `weights`, one per style, are relative (None: equal). `masks` (H, W) in [0, 1], one per style, say where a style is applied;
    pixels outside of all masks do not change. `size` is the longer side during the optimisation, at most that of the content
    (None: that of the content); the result has the size of the content. `minutes` is a time limit, divided over the sizes, that
    replaces `settings.steps`. `stop` is called after each step. The same seed gives the same image.

    DataError for a style of less than 16 pixels a side; UsageError for arguments that do not fit each other.
    """
    settings = settings or GatysSettings()
    device = network.scale.device
    content, styles = content.to(device)[None], [_like(style.to(device)[None], content) for style in styles]
    shares = check_shares(weights, len(styles))
    _check(content, styles, masks)
    job = _Job(content, styles, shares, _stack(masks, device), network, settings)
    whole = content.shape[2], content.shape[3]
    sizes = level_sizes(whole, size, settings.levels)
    plan = _Plan(sizes, settings.steps, minutes)
    generator = torch.Generator().manual_seed(seed)
    x, level, losses = job.start(sizes[0], generator), 0, {}
    for level, at in enumerate(sizes):
        x = F.interpolate(x, at, mode="bicubic", align_corners=False) if x.shape[2:] != at else x
        x, losses = _level(job, x.clamp(-1, 1), plan, level, watch, stop)
        if plan.stopped:
            break
    x = F.interpolate(x, whole, mode="bicubic", align_corners=False) if x.shape[2:] != whole else x
    return Outcome(job.finished(x.clamp(-1, 1))[0].cpu(), losses, plan.steps, plan.seconds, plan.stopped)


# --- optimisation, level by level ------------------------------------------------------------------------------------------


class _Plan:
    """How long each size is optimised, and the progress."""

    def __init__(self, sizes: Sequence[Size], steps: int, minutes: float | None) -> None:
        count = len(sizes)
        self.sizes = sizes
        self.steps_of = [round(steps * 1.5 ** (count - 1 - level)) for level in range(count)]
        work = [count * height * width for count, (height, width) in zip(self.steps_of, sizes, strict=True)]
        self.ends = [sum(work[: level + 1]) / sum(work) for level in range(count)]
        self.limit = None if minutes is None else 60 * minutes
        self.began = time.perf_counter()
        self.steps = 0
        self.stopped = False

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def share(self, level: int, step: int) -> float:
        """Progress in [0, 1] after `step` steps at `level`."""
        if self.limit is not None:
            return min(1.0, self.seconds / self.limit)
        start = self.ends[level - 1] if level else 0.0
        return start + (self.ends[level] - start) * min(1.0, step / self.steps_of[level])

    def has_next(self, level: int, step: int) -> bool:
        """Whether there is another step at this level."""
        if self.limit is not None:
            return self.seconds < self.ends[level] * self.limit or step == 0
        return step < self.steps_of[level]


def _level(
    job: _Job, x: Tensor, plan: _Plan, level: int, watch: Watch | None, stop: Callable[[], bool]
) -> tuple[Tensor, dict[str, float]]:
    """Optimises x (1, C, h, w) at its size until the plan ends the level; returns it and the last losses."""
    settings = job.settings
    height, width = x.shape[2:]
    target = job.target((height, width))
    x = reflected(x, target.multiple).contiguous().requires_grad_()
    optimizer = _optimizer(x, settings)
    average, losses, step = _Average(settings.optimizer == "adam"), {}, 0

    def closure() -> Tensor:
        nonlocal losses
        x.grad = None
        losses = target.gradient(x, step if settings.optimizer == "adam" else 0)
        return losses["loss"]

    while plan.has_next(level, step):
        optimizer.step(closure)  # pyright: ignore
        with torch.no_grad():
            x.clamp_(-1, 1)
        average.add(x.detach())
        step, plan.steps = step + 1, plan.steps + 1
        plan.stopped = stop()
        if watch is not None:
            watch(
                Moment(
                    plan.share(level, step), level + 1, len(plan.sizes), (height, width), step, plan.steps,
                    {name: float(value) for name, value in losses.items()},
                    lambda: job.finished(average.value()[:, :, :height, :width])[0].cpu(),
                )
            )  # fmt: skip
        if plan.stopped:
            break
    return average.value()[:, :, :height, :width], {name: float(value) for name, value in losses.items()}


def _optimizer(x: Tensor, settings: GatysSettings) -> Optimizer:
    if settings.optimizer == "lbfgs":
        return LBFGS([x], max_iter=1, max_eval=8, history_size=10, line_search_fn="strong_wolfe")
    return Adam([x], lr=settings.lr, betas=(0.9, 0.99), fused=True)


class _Average:
    """Moving average of the last images, since Adam oscillates around the optimum."""

    decay = 0.95

    def __init__(self, used: bool) -> None:
        self.used, self.total, self.weight = used, torch.empty(0), 0.0

    def add(self, x: Tensor) -> None:
        if not self.used or not self.weight:
            self.total, self.weight = x.clone(), 1.0
            return
        self.weight = self.decay * self.weight + 1
        self.total.lerp_(x, 1 / self.weight)

    def value(self) -> Tensor:
        return self.total


class _Job:
    """Everything that is the same at all sizes."""

    def __init__(
        self,
        content: Tensor,
        styles: Sequence[Tensor],
        shares: Sequence[float],
        masks: Tensor | None,
        network: FeatureNetwork,
        settings: GatysSettings,
    ) -> None:
        self.original, self.shares, self.masks = content, shares, masks
        self.network, self.settings = network, settings
        self.content, self.styles = content, list(styles)
        if settings.colour == "luminance":
            self.content, self.styles = luminance(content, styles)
        elif settings.colour == "match":
            self.styles = [matched_colours(style, content) for style in styles]
        entry = find_entry(network.name)
        self.style_layers = read_layers(settings.style_layers, entry.style_layers)
        self.content_layers = read_layers(settings.content_layers, entry.content_layers)
        network.check([*self.style_layers, *self.content_layers])

    def start(self, size: Size, generator: torch.Generator) -> Tensor:
        """The first image (1, C, h, w)."""
        shape = (1, self.content.shape[1], *size)
        if self.settings.init == "noise":
            return (torch.randn(shape, generator=generator) * 0.3).to(self.content.device)
        return resized(self.styles[0] if self.settings.init == "style" else self.content, size)

    def finished(self, x: Tensor) -> Tensor:
        """The image as returned: with the content's colours if only luminance is optimised, and the content outside of masks."""
        content = resized(self.original, (x.shape[2], x.shape[3]))
        if self.settings.colour == "luminance":
            x = with_luma(content, x)
        if self.masks is None:
            return x
        inside = resized(self.masks, (x.shape[2], x.shape[3])).sum(1, keepdim=True).clamp(0, 1)
        return torch.lerp(content, x, inside)

    def target(self, size: Size) -> Target:
        """What the image is compared with at this size."""
        longer = max(1, round(max(size) * self.settings.style_size))
        styles = [resized(style, size_with_longer_side(style.shape[2:], longer)) for style in self.styles]
        masks = None if self.masks is None else resized(self.masks, size)
        settings = self.settings
        return Target(
            self.network, resized(self.content, size), styles, self.shares, masks,
            style_layers=self.style_layers, content_layers=self.content_layers,
            alpha=settings.alpha, beta=settings.beta, tv=settings.tv, side=settings.tile or TILE_SIDE,
            phases=settings.phases or find_entry(self.network.name).phases,
        )  # fmt: skip


# --- images ---------------------------------------------------------------------------------------------------------------


def level_sizes(whole: Size, size: int | None = None, levels: int | None = None) -> list[Size]:
    """The sizes (H, W) of the levels, from small to large, each about twice the one before."""
    longest = max(whole) if size is None else min(size, max(whole))
    count = levels or max(1, round(math.log2(longest / COARSEST_SIDE)) + 1)
    return [size_with_longer_side(whole, max(1, round(longest / 2 ** (count - 1 - level)))) for level in range(count)]


def size_with_longer_side(size: Sequence[int], longer: int) -> Size:
    """(H, W) of the same aspect ratio with the longer side `longer`."""
    scale = longer / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def resized(x: Tensor, size: Size) -> Tensor:
    """x (N, C, H, W) at another size, bicubic with antialiasing, clamped to the range of x."""
    if x.shape[2:] == size:
        return x
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    return F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True).clamp(low, high)


def with_luma(content: Tensor, light: Tensor) -> Tensor:
    """The colours of `content` (N, C, H, W) with the luma of `light` (N, 1 or C, H, W)."""
    return (content + luma_full(light) - luma_full(content)).clamp(-1, 1)


def luminance(content: Tensor, styles: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Luma of the content and of the styles, these with the mean and deviation of the content's (Gatys 2016, arXiv:1606.05897,
    sec. 4)."""
    target = luma_full(content)
    matched = []
    for style in map(luma_full, styles):
        scale = target.std(correction=0) / style.std(correction=0).clamp_min(1e-4)
        matched.append(((style - style.mean()) * scale + target.mean()).clamp(-1, 1))
    return target, matched


def matched_colours(style: Tensor, content: Tensor) -> Tensor:
    """`style` with the mean and the covariance of the content's colours (Gatys 2016, arXiv:1606.05897, sec. 3, Cholesky)."""
    mean, root = _colours(style)
    wanted_mean, wanted_root = _colours(content)
    change = wanted_root @ torch.linalg.inv(root)
    moved = change @ (style[0].flatten(1).double() - mean) + wanted_mean
    return moved.float().view_as(style).clamp(-1, 1)


def _colours(x: Tensor) -> tuple[Tensor, Tensor]:
    flat = x[0].flatten(1).double()
    mean = flat.mean(1, keepdim=True)
    centred = flat - mean
    covariance = centred @ centred.T / flat.shape[1] + 1e-5 * torch.eye(len(flat), dtype=flat.dtype, device=flat.device)
    return mean, torch.linalg.cholesky(covariance)


def _like(style: Tensor, content: Tensor) -> Tensor:
    """`style` (1, C', h, w) with the channels of the content (C, H, W): RGB becomes luma, grey is repeated."""
    channels = content.shape[0]
    if style.shape[1] == channels:
        return style
    return luma_full(style) if channels == 1 else luma_full(style).expand(-1, channels, -1, -1)


# --- checks -----------------------------------------------------------------------------------------------------------------


def read_layers(text: str, default: Sequence[str]) -> tuple[str, ...]:
    """Reads "relu1_1,relu2_1" as layers; "auto" gives the default."""
    if text.strip() == "auto":
        return tuple(default)
    layers = tuple(part.strip() for part in text.split(",") if part.strip())
    if not layers:
        raise UsageError(f"layers must be names separated by commas, such as {','.join(default)} (got {text!r})")
    return layers


def check_shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """Weights of the styles, normalised to the sum 1."""
    weights = [1.0] * count if weights is None else list(weights)
    if len(weights) != count or min(weights) < 0 or not 0 < sum(weights) < math.inf:
        raise UsageError(
            f"{count} style(s) take {count} weight(s), 0 or more and not all 0 (got {', '.join(f'{one:g}' for one in weights)})"
        )
    return [weight / sum(weights) for weight in weights]


def check_style(size: Sequence[int], name: str = "the style image") -> None:
    """DataError if an image of `size` (H, W) is too small to have a style."""
    if min(size) < MIN_STYLE_SIDE:
        raise DataError(
            f"{name} has {size[1]} x {size[0]} pixels: a style image needs at least {MIN_STYLE_SIDE} pixels a side"
        )


def _check(content: Tensor, styles: Sequence[Tensor], masks: Sequence[Tensor] | None) -> None:
    if not styles:
        raise UsageError("at least one style image is needed")
    for style in styles:
        check_style(style.shape[2:])
    if masks is not None and len(masks) != len(styles):
        raise UsageError(f"each style needs its own mask: {len(styles)} style(s), {len(masks)} mask(s)")
    for mask in masks or ():
        if mask.shape != content.shape[2:]:
            raise DataError(
                f"a mask must have the size of the content: {content.shape[3]} x {content.shape[2]} pixels,"
                f" this one has {mask.shape[-1]} x {mask.shape[-2]}"
            )
        if not bool((mask > 0).any()):
            raise DataError(
                "a mask is all black, so its style would be applied nowhere: paint white where the style should be"
            )


def _stack(masks: Sequence[Tensor] | None, device: torch.device) -> Tensor | None:
    return None if masks is None else torch.stack(list(masks)).float()[None].to(device)
