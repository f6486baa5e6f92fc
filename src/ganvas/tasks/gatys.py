"""Style transfer by optimising the image itself (Gatys, Ecker and Bethge 2015, arXiv:1508.06576; CVPR 2016).

Idea: a trained network's features say what is in an image, and the correlations between its features (their Gram matrix) say how
it is painted. So start from a photo and change its pixels until the features of one layer are still the photo's (eq. 1) while the
Gram matrices of several layers are those of the painting (eq. 4); both are weighed in one loss (eq. 7).

Departs from the paper: each layer's loss is relative to what an image with nothing of the target would have
(losses.style.relative), so that one alpha and beta serve every network; from small to large in steps of two, since a brush
stroke is found faster where it is three pixels long; Adam with an average of the last images, beside the paper's L-BFGS;
total variation (Johnson 2016); several styles, whose Gram matrices are mixed; masks (Gatys 2016, arXiv:1611.07865, eq. 4);
colour kept (Gatys 2016, arXiv:1606.05897).

Why this is a task and no method: a method learns from batches of a data set, leaves weights and is used later. Here what is
trained is one image; it changes its size on the way, L-BFGS asks for its loss several times a move, and the image is the
result. What it shares with the methods are the losses and the networks.
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

from ganvas.errors import DataError, UsageError
from ganvas.networks.features.catalog import find_entry
from ganvas.networks.features.network import FeatureNetwork
from ganvas.settings import setting
from ganvas.tasks.channels import luma_full
from ganvas.tasks.style_target import Target
from ganvas.tasks.tiles import reflected

Size = tuple[int, int]
SMALLEST_STYLE = 16  # pixels; less of an image has no style to speak of
COARSEST = 128  # pixels of the longer side, about, at the first level
TILE = 1024  # pixels a side of what passes the network at once


@dataclasses.dataclass
class GatysSettings:
    """What can be set."""

    style_layers: str = setting("auto", "layers that tell style, joined by commas; auto: the network's own")
    content_layers: str = setting("auto", "layers that tell content, joined by commas; auto: the network's own")
    alpha: float = setting(1.0, "weight of the content", minimum=0)
    beta: float = setting(30.0, "weight of the style", minimum=0)
    tv: float = setting(0.3, "weight of the total variation: smoother", minimum=0)
    steps: int = setting(100, "moves at full size; half as many again at each size below", minimum=1)
    optimizer: str = setting("adam", "what moves the image", choices=("adam", "lbfgs"))
    lr: float = setting(0.04, "learning rate of Adam; the image lies in -1 to 1", minimum=0)
    init: str = setting("content", "where it starts", choices=("content", "noise", "style"))
    colour: str = setting(
        "free",
        "free: colours of the style; luminance: only light and dark change; match: the style is recoloured to the content first",
        choices=("free", "luminance", "match"),
    )
    style_size: float = setting(1.0, "longer side of the style image, in longer sides of the content", minimum=0.05)
    levels: int | None = setting(
        None, "sizes on the way, each twice the one before; auto: from about 128 pixels", minimum=1
    )
    pool: str = setting("max", "how VGG halves", choices=("max", "average"))
    phases: int | None = setting(
        None,
        "adam: the network sees the image moved by 0 to phases - 1 pixels in turn; auto: by the network",
        minimum=1,
    )
    tile: int | None = setting(
        None, "pixels a side of the parts that pass the network one by one; auto: 1024", minimum=64
    )


@dataclasses.dataclass(frozen=True)
class Moment:
    """Where an optimisation stands, for those who watch it."""

    share: float
    """Of the whole, in [0, 1]."""
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
    """The image (C, h, w) in [-1, 1] as it would be given now, at the size of its level."""


Watch = Callable[[Moment], None]


@dataclasses.dataclass
class Outcome:
    """What an optimisation gives."""

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

    `weights`, one a style, are shares of the mixture (equal where None). `masks` (H, W) in [0, 1], one a style, say where;
    what no mask covers stays as it was. `size` is the longer side that is worked at, the content's own where None or larger;
    the result has the size of the content. `minutes` is the budget, shared out over the sizes; without it `settings.steps`
    count. `stop` is asked after each step. The same seed gives the same image.

    DataError for a style of less than 16 pixels a side; UsageError for numbers that do not fit each other.
    """
    settings = settings or GatysSettings()
    device = network.scale.device
    content, styles = content.to(device)[None], [_like(style.to(device)[None], content) for style in styles]
    shares = check_shares(weights, len(styles))
    _check(content, styles, masks)
    job = _Job(content, styles, shares, _stack(masks, device), network, settings)
    whole = content.shape[2], content.shape[3]
    sizes = pyramid(whole, size, settings.levels)
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


# --- one size after the other -------------------------------------------------------------------------------------------------


class _Plan:
    """How long each size is worked at, and where it all stands."""

    def __init__(self, sizes: Sequence[Size], steps: int, minutes: float | None) -> None:
        count = len(sizes)
        self.sizes = sizes
        self.moves = [round(steps * 1.5 ** (count - 1 - level)) for level in range(count)]
        work = [moves * height * width for moves, (height, width) in zip(self.moves, sizes, strict=True)]
        self.ends = [sum(work[: level + 1]) / sum(work) for level in range(count)]
        self.limit = None if minutes is None else 60 * minutes
        self.began = time.perf_counter()
        self.steps = 0
        self.stopped = False

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    def share(self, level: int, step: int) -> float:
        """Of the whole, in [0, 1], after `step` moves at `level`."""
        if self.limit is not None:
            return min(1.0, self.seconds / self.limit)
        start = self.ends[level - 1] if level else 0.0
        return start + (self.ends[level] - start) * min(1.0, step / self.moves[level])

    def resumed(self, level: int, step: int) -> bool:
        """Whether another move is made at this level."""
        if self.limit is not None:
            return self.seconds < self.ends[level] * self.limit or step == 0
        return step < self.moves[level]


def _level(
    job: _Job, x: Tensor, plan: _Plan, level: int, watch: Watch | None, stop: Callable[[], bool]
) -> tuple[Tensor, dict[str, float]]:
    """Moves x (1, C, h, w) at its size until the plan says enough."""
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

    while plan.resumed(level, step):
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
    """The mean of the last images, the newest weighing most: Adam keeps dancing around where it wants to go."""

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
    """All that stays the same over the sizes."""

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
            self.styles = [recoloured(style, content) for style in styles]
        entry = find_entry(network.name)
        self.style_layers = read_layers(settings.style_layers, entry.style_layers)
        self.content_layers = read_layers(settings.content_layers, entry.content_layers)
        network.check([*self.style_layers, *self.content_layers])

    def start(self, size: Size, generator: torch.Generator) -> Tensor:
        """The first image (1, C, h, w)."""
        shape = (1, self.content.shape[1], *size)
        if self.settings.init == "noise":
            return (torch.randn(shape, generator=generator) * 0.3).to(self.content.device)
        return scaled(self.styles[0] if self.settings.init == "style" else self.content, size)

    def finished(self, x: Tensor) -> Tensor:
        """What is shown of an optimised image: under its light the content's colours, outside of masks the content itself."""
        content = scaled(self.original, (x.shape[2], x.shape[3]))
        if self.settings.colour == "luminance":
            x = with_luma(content, x)
        if self.masks is None:
            return x
        inside = scaled(self.masks, (x.shape[2], x.shape[3])).sum(1, keepdim=True).clamp(0, 1)
        return torch.lerp(content, x, inside)

    def target(self, size: Size) -> Target:
        """What the image is compared with at this size."""
        longer = max(1, round(max(size) * self.settings.style_size))
        styles = [scaled(style, fitted(style.shape[2:], longer)) for style in self.styles]
        masks = None if self.masks is None else scaled(self.masks, size)
        settings = self.settings
        return Target(
            self.network, scaled(self.content, size), styles, self.shares, masks,
            style_layers=self.style_layers, content_layers=self.content_layers,
            alpha=settings.alpha, beta=settings.beta, tv=settings.tv, side=settings.tile or TILE,
            phases=settings.phases or find_entry(self.network.name).phases,
        )  # fmt: skip


# --- images ---------------------------------------------------------------------------------------------------------------


def pyramid(whole: Size, size: int | None = None, levels: int | None = None) -> list[Size]:
    """The sizes (H, W) that are worked at, from small to large, each about twice the one before."""
    longest = max(whole) if size is None else min(size, max(whole))
    count = levels or max(1, round(math.log2(longest / COARSEST)) + 1)
    return [fitted(whole, max(1, round(longest / 2 ** (count - 1 - level)))) for level in range(count)]


def fitted(size: Sequence[int], longer: int) -> Size:
    """(H, W) of the same shape whose longer side is `longer`."""
    scale = longer / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def scaled(x: Tensor, size: Size) -> Tensor:
    """(N, C, *size), bicubic with antialiasing, no value beyond those of x."""
    if x.shape[2:] == size:
        return x
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    made = F.interpolate(x, size, mode="bicubic", align_corners=False, antialias=True)
    return made.clamp(low, high)


def with_luma(content: Tensor, light: Tensor) -> Tensor:
    """The colours of `content` (N, C, H, W) under the luma of `light` (N, 1 or C, H, W)."""
    return (content + luma_full(light) - luma_full(content)).clamp(-1, 1)


def luminance(content: Tensor, styles: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Light and dark alone, the styles' with the mean and the deviation of the content's (Gatys 2016, arXiv:1606.05897, sec.
    4)."""
    target = luma_full(content)
    matched = []
    for style in map(luma_full, styles):
        spread = target.std(correction=0) / style.std(correction=0).clamp_min(1e-4)
        matched.append(((style - style.mean()) * spread + target.mean()).clamp(-1, 1))
    return target, matched


def recoloured(style: Tensor, content: Tensor) -> Tensor:
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
    """`style` (1, C', h, w) with as many channels as the content (C, H, W)."""
    channels = content.shape[0]
    if style.shape[1] == channels:
        return style
    return luma_full(style) if channels == 1 else luma_full(style).expand(-1, channels, -1, -1)


# --- checks -----------------------------------------------------------------------------------------------------------------


def read_layers(text: str, default: Sequence[str]) -> tuple[str, ...]:
    """The layers of "relu1_1,relu2_1", or the default for "auto"."""
    if text.strip() == "auto":
        return tuple(default)
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise UsageError(f"layers are names joined by commas, such as {','.join(default)} (got {text!r})")
    return found


def check_shares(weights: Sequence[float] | None, count: int) -> list[float]:
    """One share a style, together 1."""
    weights = [1.0] * count if weights is None else list(weights)
    if len(weights) != count or min(weights) < 0 or not 0 < sum(weights) < math.inf:
        raise UsageError(
            f"{count} style(s) take {count} weight(s), 0 or more and not all 0 (got {', '.join(f'{one:g}' for one in weights)})"
        )
    return [weight / sum(weights) for weight in weights]


def check_style(size: Sequence[int], name: str = "the style image") -> None:
    """DataError where an image (H, W) is too small to have a style."""
    if min(size) < SMALLEST_STYLE:
        raise DataError(
            f"{name} has {size[1]} x {size[0]} pixels: a style is told from how things repeat, which takes"
            f" {SMALLEST_STYLE} pixels a side at least"
        )


def _check(content: Tensor, styles: Sequence[Tensor], masks: Sequence[Tensor] | None) -> None:
    if not styles:
        raise UsageError("a style is needed, one image at least")
    for style in styles:
        check_style(style.shape[2:])
    if masks is not None and len(masks) != len(styles):
        raise UsageError(f"each style takes a mask of its own: {len(styles)} style(s), {len(masks)} mask(s)")
    for mask in masks or ():
        if mask.shape != content.shape[2:]:
            raise DataError(
                f"a mask has the size of the content: {content.shape[3]} x {content.shape[2]} pixels,"
                f" this one has {mask.shape[-1]} x {mask.shape[-2]}"
            )
        if not bool((mask > 0).any()):
            raise DataError("a mask is black all over, so its style would be nowhere: white is where it goes")


def _stack(masks: Sequence[Tensor] | None, device: torch.device) -> Tensor | None:
    return None if masks is None else torch.stack(list(masks)).float()[None].to(device)
