"""WaveNet (van den Oord 2016, arXiv:1609.03499, figures 3 and 4), whole and sample by sample with a cache.

A causal convolution, then gated layers with increasing dilation: each sees `kernel` times as far back as the one before. The
outputs of all gates go to the head (skip connections). The gates are conditioned on the class and on the position in the clip,
which is constant over blocks of HOP_SAMPLES samples.

Audio is (N, C, 1, T) inside, an image one pixel high, since channels_last convolutions are faster on a CPU.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import init_fan_in_

# N clips, C inputs a sample, T samples, P features, K taps of a layer, L layers, B blocks of HOP_SAMPLES samples
GATE = 3.0  # undoes the gate's loss of variance, see networks/pixelcnn.py
HOP_SAMPLES = 64  # samples
SAMPLES_PER_PRODUCT = 16  # samples that the cache prepares in one matrix product; a divisor of HOP_SAMPLES
WAVES = 6  # sines and cosines of a block's position


class GatedLayer(nn.Module):
    """tanh(W_f * x + V_f h) sigmoid(W_g * x + V_g h) (eq. 3), and the residual, which the last layer lacks."""

    def __init__(self, width: int, kernel: int, dilation: int, depth: int, last: bool) -> None:
        super().__init__()
        self.dilation = dilation
        self.conv = nn.Conv2d(width, 2 * width, (1, kernel), dilation=(1, dilation))
        self.residual = None if last else nn.Conv2d(width, width, 1, bias=False)
        init_fan_in_(self.conv)
        if self.residual is not None:
            init_fan_in_(self.residual, GATE / (depth + 1) ** 0.5)

    @property
    def span(self) -> int:
        """How many samples back the earliest tap lies."""
        return (self.conv.kernel_size[1] - 1) * self.dilation

    def forward(self, x: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """The gate's output and the next layer's input, (N, P, 1, T) each; condition (N, 2P, 1, B, 1)."""
        # Not F.pad: its gradient comes in another memory layout.
        silence = x.new_zeros(len(x), 1, self.span, x.shape[1]).permute(0, 3, 1, 2)
        before = self.conv(torch.cat([silence, x], 3))
        if condition is not None:
            before = (before.unflatten(3, (-1, HOP_SAMPLES)) + condition.to(before.dtype)).flatten(3)
        a, b = before.chunk(2, 1)
        g = a.tanh() * b.sigmoid()
        if self.residual is not None:
            x = x + self.residual(g)
        return g, x


class Conditioning(nn.Module):
    """What is added in each gate, (N, L * 2P, B), from labels (N,) and block numbers (N, B). `blocks` is the number of blocks of
    a clip; 0: no conditioning on positions."""

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
        embedding = self.hidden.weight.new_zeros(())
        if self.classes is not None:
            assert label is not None, "a class-conditional network needs labels"
            embedding = embedding + self.classes(label)[:, None]
        if self.place is not None:
            embedding = embedding + self.place(waves(numbers / self.blocks))
        else:
            numbers = numbers[:, :1]  # the same for all blocks
        return self.out(F.silu(self.hidden(F.silu(embedding)))).transpose(1, 2).expand(-1, -1, numbers.shape[1])


class WaveNet(nn.Module):
    """Raw parameters (N, T, outputs) of each sample's distribution, given the samples before it.

    x (N, C, T) are the samples, in C representations; before a clip there is silence, 0. The first convolution sees `taps`
    samples. `label` (N,) where classes > 0; `start` (N,): the block at which x begins in its clip of `length` samples, 0 where
    not given; with length 0 the gates are not conditioned on positions.
    """

    def __init__(
        self, inputs: int, outputs: int, width: int, dilations: list[int], kernel: int = 2, taps: int = 2, skip: int = 64,
        classes: int = 0, length: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        L = len(dilations)
        self.inputs, self.width, self.taps = inputs, width, taps
        self.first = nn.Conv2d(inputs, width, (1, taps))
        gated_layers: list[nn.Module] = []
        for depth, dilation in enumerate(dilations):
            gated_layers.append(GatedLayer(width, kernel, dilation, depth, last=depth == L - 1))
        self.layers = nn.ModuleList(gated_layers)
        blocks = -(-length // HOP_SAMPLES)
        self.conditioning: Conditioning | None = None
        if classes or blocks:
            self.conditioning = Conditioning(classes, blocks, 32, L * 2 * width)
        self.skip = nn.Conv2d(L * width, skip, 1)
        self.hidden = nn.Conv2d(skip, skip, 1)
        self.out = nn.Conv2d(skip, outputs, 1)
        init_fan_in_(self.first, 2.0)  # speech is mostly quiet
        init_fan_in_(self.skip, GATE)
        init_fan_in_(self.hidden, 2**0.5)
        init_fan_in_(self.out, 0.1)  # the initial distribution is close to that of the biases

    @property
    def field(self) -> int:
        """Receptive field: the number of earlier samples that a sample's distribution depends on."""
        return self.taps + sum(layer.span for layer in self.gated)

    @property
    def gated(self) -> list[GatedLayer]:
        """The layers, with their type."""
        return [layer for layer in self.layers if isinstance(layer, GatedLayer)]

    def forward(self, x: Tensor, label: Tensor | None = None, start: Tensor | None = None) -> Tensor:
        N, _, T = x.shape
        blocks = 0
        if self.conditioning is not None:
            blocks = -(-T // HOP_SAMPLES)
        # Drop the last sample, so that none sees itself; whole blocks for the conditioning.
        x = F.pad(x, (self.taps, max(0, blocks * HOP_SAMPLES - T)))[..., :-1]
        x = self.first_layer(x)
        conditions = self.conditions(label, start, N, blocks)
        gates = []
        for layer, condition in zip(self.gated, conditions, strict=True):
            g, x = layer(x, condition)
            gates.append(g)
        raw = self.out(F.relu(self.hidden(F.relu(self.skip(torch.cat(gates, 1))))))
        return raw[:, :, 0, :T].transpose(1, 2)

    def first_layer(self, x: Tensor) -> Tensor:
        """The first convolution of (N, C, T + taps - 1), (N, P, 1, T).

        As a product over windows: oneDNN's bf16 convolution with few input channels and a long kernel gave wrong numbers, off by
        as much as they are large (torch 2.13, channels_last).
        """
        windows = x.unfold(2, self.taps, 1).permute(0, 2, 1, 3).flatten(2)  # (N, T, C taps)
        features = F.linear(windows, self.first.weight.flatten(1), self.first.bias)
        return features[:, None].permute(0, 3, 1, 2)

    def conditions(self, label: Tensor | None, start: Tensor | None, n: int, blocks: int) -> list[Tensor | None]:
        """What is added in each layer's gates, (N, 2P, 1, B, 1), or None without conditioning."""
        if self.conditioning is None:
            return [None] * len(self.layers)
        numbers = torch.arange(blocks, device=self.out.weight.device).expand(n, -1)
        if start is not None:
            numbers = numbers + start[:, None]
        added = self.conditioning(label, numbers)
        return [*added[:, :, None, :, None].chunk(len(self.layers), 1)]


def waves(place: Tensor) -> Tensor:
    """Sines and cosines (..., 2 WAVES) of positions `place` (...), 0 at the start of a clip and 1 at its end."""
    angles = place[..., None] * (math.pi * 2.0 ** torch.arange(WAVES, device=place.device))
    return torch.cat([angles.sin(), angles.cos()], -1)


class Incremental:
    """The same numbers as `WaveNet.forward`, one sample at a time, each computed once: O(layers) per sample.

    `raw()` gives the next sample's (n, outputs), overwritten by the next call; then its value goes to `push`. Each layer keeps
    its last inputs in a ring buffer. Taps that lie SAMPLES_PER_PRODUCT samples back or more are computed for that many samples
    in one matrix product; the others and the current sample are one product per layer and sample. No gradients.
    """

    def __init__(self, network: WaveNet, n: int, label: Tensor | None = None) -> None:
        self.network, self.n, self.label = network, n, label
        self.layers = network.gated
        P, C = network.width, network.inputs
        new = network.out.weight.new_zeros
        self.time = 0
        self.window = new(n, (network.taps + SAMPLES_PER_PRODUCT) * C)
        self.rings: list[Tensor] = []
        self.terms: list[Tensor] = []
        for layer in self.layers:
            # Holds what the farthest tap of the first of SAMPLES_PER_PRODUCT samples sees, and those samples.
            size = -(-(layer.span + SAMPLES_PER_PRODUCT) // SAMPLES_PER_PRODUCT) * SAMPLES_PER_PRODUCT
            self.rings.append(new(size, n, P))
            self.terms.append(new(SAMPLES_PER_PRODUCT, n, 2 * P))
        self.gates = new(n, len(self.layers) * P)
        self.before = new(n, 2 * P)
        self.halves = self.before.chunk(2, 1)
        self._prepare()

    def _prepare(self) -> None:
        """Weights as matrices (in, out). Those of the sigmoid are halved, see `raw`."""
        network, P = self.network, self.network.width
        self.first = _matrix(network.first), _bias(network.first)
        self.near: list[list[int]] = []  # how far back the taps lie, farthest first, the present sample last
        self.near_weights: list[Tensor] = []
        self.far: list[list[tuple[int, Tensor]]] = []
        self.biases: list[Tensor] = []
        self.inputs: list[Tensor] = []
        self.residuals: list[Tensor | None] = []
        self.halved = torch.ones(2 * P, device=self.gates.device)
        self.halved[P:] = 0.5
        for layer in self.layers:
            weight = layer.conv.weight.detach()[:, :, 0].permute(2, 1, 0) * self.halved  # (K, P, 2P)
            near, near_taps, far = [], [], []
            for tap in range(len(weight)):
                back = layer.span - tap * layer.dilation
                if back < SAMPLES_PER_PRODUCT:
                    near.append(back)
                    near_taps.append(tap)
                else:
                    far.append((back, weight[tap].contiguous()))
            self.near.append(near)
            self.near_weights.append(weight[near_taps].flatten(0, 1).contiguous())
            self.far.append(far)
            self.biases.append(_bias(layer.conv) * self.halved)
            self.inputs.append(self.gates.new_zeros(self.n, len(near) * P))
            self.residuals.append(None if layer.residual is None else _matrix(layer.residual) * 0.5)
        self.skip = _matrix(network.skip) * 0.5, _bias(network.skip)
        self.hidden = _matrix(network.hidden), _bias(network.hidden)
        self.out = _matrix(network.out), _bias(network.out)

    @torch.no_grad()
    def raw(self) -> Tensor:
        """Parameters of the next sample's distribution, (n, outputs)."""
        step, C = self.time % SAMPLES_PER_PRODUCT, self.network.inputs
        if step == 0:
            self._begin()
        P = self.network.width
        slots = [ring[self.time % len(ring)] for ring in self.rings]
        here = self.window.narrow(1, step * C, self.network.taps * C)
        torch.addmm(self.first[1], here, self.first[0], out=slots[0])
        a, b = self.halves
        for depth, ring in enumerate(self.rings):
            inputs = self._inputs(depth, ring, slots[depth])
            torch.addmm(self.terms[depth][step], inputs, self.near_weights[depth], out=self.before)
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
        place = self.network.taps + self.time % SAMPLES_PER_PRODUCT
        self.window.narrow(1, place * C, C).copy_(sample)
        self.time += 1

    def _inputs(self, depth: int, ring: Tensor, slot: Tensor) -> Tensor:
        """Inputs of a layer at its near taps, the current sample last, (n, near * P)."""
        back = self.near[depth]
        if len(back) == 1:
            return slot
        parts = [ring[(self.time - far) % len(ring)] for far in back[:-1]]
        return torch.cat([*parts, slot], 1, out=self.inputs[depth])

    def _begin(self) -> None:
        """Precomputes the parts of the next SAMPLES_PER_PRODUCT samples that do not depend on them."""
        C, taps = self.network.inputs, self.network.taps
        if self.time:
            self.window[:, : taps * C] = self.window[:, SAMPLES_PER_PRODUCT * C :].clone()
        if self.time % HOP_SAMPLES == 0:
            start = torch.full((self.n,), self.time // HOP_SAMPLES, device=self.window.device)
            self.constants: list[Tensor] = []  # of each layer: the bias, and the condition of this block
            for bias, condition in zip(self.biases, self.network.conditions(self.label, start, self.n, 1), strict=True):
                if condition is not None:
                    bias = bias + condition.flatten(1) * self.halved
                self.constants.append(bias)
        places = torch.arange(self.time, self.time + SAMPLES_PER_PRODUCT, device=self.window.device)
        for depth, ring in enumerate(self.rings):
            term = self.terms[depth]
            term.copy_(self.constants[depth])
            for far, weight in self.far[depth]:
                term += ring[(places - far) % len(ring)] @ weight


def _matrix(conv: nn.Conv2d) -> Tensor:
    """Weights (out, in, 1, K) as (K * in, out)."""
    return conv.weight.detach()[:, :, 0].permute(2, 1, 0).flatten(0, 1).contiguous()


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias.detach()
