"""WaveNet (van den Oord 2016, arXiv:1609.03499, figures 3 and 4), whole and sample by sample with a cache.

A causal convolution, then gated layers whose taps lie ever farther apart: each sees `kernel` times as far back as the one
before. Every gate also hands its output on to the head (skip connections). What is told to the gates (class, and how far
into the clip a sample lies) changes every HOP samples at most.

Sound is (N, C, 1, T) inside, an image one pixel high: channels_last convolutions are the fast ones on a CPU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import init_fan_in_

# N clips, C inputs a sample, T samples, P features, K taps of a layer, L layers, B blocks of HOP samples
GATE = 3.0  # undoes the gate's loss of variance, see networks/pixelcnn.py
HOP = 64  # samples
TOGETHER = 16  # samples for which the cache prepares at once; a divisor of HOP
WAVES = 6  # sines and cosines of a block's position


class GatedLayer(nn.Module):
    """tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g h) (eq. 3), and the residual, which the last layer has not."""

    def __init__(self, width: int, kernel: int, dilation: int, depth: int, last: bool) -> None:
        super().__init__()
        self.dilation = dilation
        self.conv = nn.Conv2d(width, 2 * width, (1, kernel), dilation=(1, dilation))
        self.residual = None if last else nn.Conv2d(width, width, 1, bias=False)
        init_fan_in_(self.conv)
        if self.residual is not None:
            init_fan_in_(self.residual, GATE / (depth + 1) ** 0.5)

    @property
    def reach(self) -> int:
        """How many samples back the earliest tap lies."""
        return (self.conv.kernel_size[1] - 1) * self.dilation

    def forward(self, x: Tensor, told: Tensor | None) -> tuple[Tensor, Tensor]:
        """The gate's output and the next layer's input, (N, P, 1, T) each; told (N, 2P, 1, B, 1)."""
        # Not F.pad: its gradient comes in another memory layout.
        silence = x.new_zeros(len(x), 1, self.reach, x.shape[1]).permute(0, 3, 1, 2)
        before = self.conv(torch.cat([silence, x], 3))
        if told is not None:
            before = (before.unflatten(3, (-1, HOP)) + told.to(before.dtype)).flatten(3)
        a, b = before.chunk(2, 1)
        g = a.tanh() * b.sigmoid()
        return g, x if self.residual is None else x + self.residual(g)


class Told(nn.Module):
    """What each gate is told, (N, L * 2P, B), of labels (N,) and numbers (N, B) of blocks; `blocks` is a clip's count, 0 to
    tell nothing of places."""

    def __init__(self, classes: int, blocks: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.classes = nn.Embedding(classes, hidden) if classes else None
        self.place = nn.Linear(2 * WAVES, hidden) if blocks else None
        self.hidden = nn.Linear(hidden, hidden)
        self.out = nn.Linear(hidden, outputs, bias=False)
        init_fan_in_(self.hidden, 2**0.5)
        init_fan_in_(self.out, 0.5)
        if self.place is not None:
            init_fan_in_(self.place, 2**0.5)

    def forward(self, label: Tensor | None, numbers: Tensor) -> Tensor:
        known = self.hidden.weight.new_zeros(())
        if self.classes is not None:
            assert label is not None, "a class-conditional network needs labels"
            known = known + self.classes(label)[:, None]
        if self.place is not None:
            known = known + self.place(waves(numbers / self.blocks))
        else:
            numbers = numbers[:, :1]  # the same all along
        return self.out(F.silu(self.hidden(F.silu(known)))).transpose(1, 2).expand(-1, -1, numbers.shape[1])


class WaveNet(nn.Module):
    """Raw parameters (N, T, outputs) of each sample's distribution, given the samples before it.

    x (N, C, T) are the samples, in one or several forms (C); before a clip there is silence, 0. `taps` samples are seen by the
    first convolution. `label` (N,) where classes > 0; `start` (N,): the block at which x begins in its clip of `length` samples,
    0 where not given; with length 0 the gates are not conditioned on places.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, dilations: list[int], kernel: int = 2, taps: int = 2, skip: int = 64,
        classes: int = 0, length: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        L = len(dilations)
        self.inputs, self.width, self.taps = inputs, width, taps
        self.first = nn.Conv2d(inputs, width, (1, taps))
        self.layers = nn.ModuleList(
            GatedLayer(width, kernel, dilation, depth, last=depth == L - 1) for depth, dilation in enumerate(dilations)
        )
        blocks = -(-length // HOP)
        self.told = Told(classes, blocks, 32, L * 2 * width) if classes or blocks else None
        self.skip = nn.Conv2d(L * width, skip, 1)
        self.hidden = nn.Conv2d(skip, skip, 1)
        self.out = nn.Conv2d(skip, outputs, 1)
        init_fan_in_(self.first, 2.0)  # speech is mostly quiet
        init_fan_in_(self.skip, GATE)
        init_fan_in_(self.hidden, 2**0.5)
        init_fan_in_(self.out, 0.1)  # the initial distribution is close to that of the biases

    @property
    def field(self) -> int:
        """Samples before it that a sample's distribution depends on."""
        return self.taps + sum(layer.reach for layer in self.gated)

    @property
    def gated(self) -> list[GatedLayer]:
        """The layers."""
        return [layer for layer in self.layers if isinstance(layer, GatedLayer)]

    def forward(self, x: Tensor, label: Tensor | None = None, start: Tensor | None = None) -> Tensor:
        N, _, T = x.shape
        blocks = -(-T // HOP) if self.told else 0
        # Drop the last sample, so that none sees itself; whole blocks for the conditioning.
        x = F.pad(x, (self.taps, max(0, blocks * HOP - T)))[..., :-1]
        x = self.begin(x)
        told = self.tell(label, start, N, blocks)
        gates = []
        for layer, words in zip(self.gated, told, strict=True):
            g, x = layer(x, words)
            gates.append(g)
        raw = self.out(F.relu(self.hidden(F.relu(self.skip(torch.cat(gates, 1))))))
        return raw[:, :, 0, :T].transpose(1, 2)

    def begin(self, x: Tensor) -> Tensor:
        """The first convolution of (N, C, T + taps - 1), (N, P, 1, T).

        As a product over windows: oneDNN's bf16 convolution with few input channels and a long kernel gave wrong numbers, off by
        as much as they are large (torch 2.13, channels_last).
        """
        windows = x.unfold(2, self.taps, 1).permute(0, 2, 1, 3).flatten(2)  # (N, T, C taps)
        made = F.linear(windows, self.first.weight.flatten(1), self.first.bias)
        return made[:, None].permute(0, 3, 1, 2)

    def tell(self, label: Tensor | None, start: Tensor | None, n: int, blocks: int) -> list[Tensor | None]:
        """What each layer's gates are told, (N, 2P, 1, B, 1) or None."""
        if self.told is None:
            return [None] * len(self.layers)
        numbers = torch.arange(blocks, device=self.out.weight.device).expand(n, -1)
        words = self.told(label, numbers if start is None else numbers + start[:, None])
        return [*words[:, :, None, :, None].chunk(len(self.layers), 1)]


def waves(place: Tensor) -> Tensor:
    """Sines and cosines (..., 2 WAVES) of places, 0 at the start of a clip and 1 at its end."""
    angles = place[..., None] * (math.pi * 2.0 ** torch.arange(WAVES, device=place.device))
    return torch.cat([angles.sin(), angles.cos()], -1)


class Incremental:
    """The same numbers as `WaveNet.forward`, one sample at a time, each computed once: O(layers) a sample.

    `raw()` gives the next sample's (n, outputs), overwritten by the next call; then its value goes to `push`. Each layer keeps
    its last inputs in a ring. Taps that lie TOGETHER samples back or more are worked out for so many samples in one matrix
    product; the others and the present sample are one product a layer and sample. No gradients.
    """

    def __init__(self, network: WaveNet, n: int, label: Tensor | None = None) -> None:
        self.network, self.n, self.label = network, n, label
        self.layers = network.gated
        P, C = network.width, network.inputs
        new = network.out.weight.new_zeros
        self.time = 0
        self.window = new(n, (network.taps + TOGETHER) * C)
        # A ring holds what the farthest tap of the first of TOGETHER samples sees, and those samples.
        sizes = [-(-(layer.reach + TOGETHER) // TOGETHER) * TOGETHER for layer in self.layers]
        self.rings = [new(size, n, P) for size in sizes]
        self.terms = [new(TOGETHER, n, 2 * P) for _ in self.layers]
        self.gates = new(n, len(self.layers) * P)
        self.before = new(n, 2 * P)
        self.halves = self.before.chunk(2, 1)
        self._prepare()

    def _prepare(self) -> None:
        """Weights as matrices (in, out). Those behind sigmoid are halved, see `raw`."""
        network, P = self.network, self.network.width
        self.first = _matrix(network.first), _bias(network.first)
        self.near: list[list[int]] = []  # how far back the taps lie, farthest first, the present sample last
        self.near_weights: list[Tensor] = []
        self.far: list[list[tuple[int, Tensor]]] = []
        self.biases: list[Tensor] = []
        self.inputs: list[Tensor] = []
        for layer in self.layers:
            halved = torch.ones(2 * P, device=self.gates.device)
            halved[P:] = 0.5
            weight = layer.conv.weight.detach()[:, :, 0].permute(2, 1, 0) * halved  # (K, P, 2P)
            back = [layer.reach - tap * layer.dilation for tap in range(len(weight))]
            near = [tap for tap, far in enumerate(back) if far < TOGETHER]
            self.near.append([back[tap] for tap in near])
            self.near_weights.append(weight[near].flatten(0, 1).contiguous())
            self.far.append([(far, weight[tap].contiguous()) for tap, far in enumerate(back) if far >= TOGETHER])
            self.biases.append(_bias(layer.conv) * halved)
            self.inputs.append(self.gates.new_zeros(self.n, len(near) * P))
        self.halved = halved  # pyright: ignore[reportPossiblyUnboundVariable]  # there is a layer at least
        self.residuals = [_matrix(layer.residual) * 0.5 if layer.residual else None for layer in self.layers]
        self.skip = _matrix(network.skip) * 0.5, _bias(network.skip)
        self.hidden = _matrix(network.hidden), _bias(network.hidden)
        self.out = _matrix(network.out), _bias(network.out)

    @torch.no_grad()
    def raw(self) -> Tensor:
        """Parameters of the next sample's distribution, (n, outputs)."""
        step, C = self.time % TOGETHER, self.network.inputs
        if step == 0:
            self._begin()
        P = self.network.width
        slots = [ring[self.time % len(ring)] for ring in self.rings]
        here = self.window.narrow(1, step * C, self.network.taps * C)
        torch.addmm(self.first[1], here, self.first[0], out=slots[0])
        a, b = self.halves
        for depth, ring in enumerate(self.rings):
            torch.addmm(
                self.terms[depth][step],
                self._seen(depth, ring, slots[depth]),
                self.near_weights[depth],
                out=self.before,
            )
            self.before.tanh_()
            g = self.gates.narrow(1, depth * P, P)
            torch.addcmul(a, a, b, out=g)  # a sigmoid(b) = (a + a tanh(b / 2)) / 2; the half lies in the weights
            residual = self.residuals[depth]
            if residual is not None:
                torch.addmm(slots[depth], g, residual, out=slots[depth + 1])
        x = torch.addmm(self.skip[1], self.gates, self.skip[0]).relu_()
        x = torch.addmm(self.hidden[1], x, self.hidden[0]).relu_()
        return torch.addmm(self.out[1], x, self.out[0])

    def push(self, sample: Tensor) -> None:
        """Adds the new sample (n, C) to the cache."""
        C = self.network.inputs
        place = self.network.taps + self.time % TOGETHER
        self.window.narrow(1, place * C, C).copy_(sample)
        self.time += 1

    def _seen(self, depth: int, ring: Tensor, slot: Tensor) -> Tensor:
        """Inputs of a layer at its near taps and now, (n, near * P)."""
        back = self.near[depth]
        if len(back) == 1:
            return slot
        parts = [ring[(self.time - far) % len(ring)] for far in back[:-1]]
        return torch.cat([*parts, slot], 1, out=self.inputs[depth])

    def _begin(self) -> None:
        """Precomputes the parts of the next TOGETHER samples that do not depend on them."""
        C, taps = self.network.inputs, self.network.taps
        if self.time:
            self.window[:, : taps * C] = self.window[:, TOGETHER * C :].clone()
        if self.time % HOP == 0:
            start = torch.full((self.n,), self.time // HOP, device=self.window.device)
            told = self.network.tell(self.label, start, self.n, 1)
            self.told = [None if words is None else words.flatten(1) * self.halved for words in told]
        places = torch.arange(self.time, self.time + TOGETHER, device=self.window.device)
        for depth, ring in enumerate(self.rings):
            words, term = self.told[depth], self.terms[depth]
            term.copy_(self.biases[depth] if words is None else self.biases[depth] + words)
            for far, weight in self.far[depth]:
                term += ring[(places - far) % len(ring)] @ weight


def _matrix(conv: nn.Conv2d) -> Tensor:
    """Weights (out, in, 1, K) as (K * in, out)."""
    return conv.weight.detach()[:, :, 0].permute(2, 1, 0).flatten(0, 1).contiguous()


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias.detach()
