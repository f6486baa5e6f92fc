"""Gated PixelCNN (van den Oord 2016, arXiv:1606.05328, figures 1 and 2), whole and pixel by pixel with a cache.

Two stacks, so that there is no blind spot. The vertical one sees the rows above; the horizontal one sees its own row to the left
and, through a link in each layer, the vertical one. Channels are ordered too: features belong to `groups` (R, G, B), and at the
pixel itself a group sees the groups before it in the first layer (mask A), and those up to its own in later ones (mask B). With
groups=1 the pixel is one unit, and none of its channels is seen.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import init_fan_in_

# N images, C channels, H W pixels, P features of a stack, G groups, Q = P / G features of a group, L layers
GATE_GAIN = 3.0  # undoes the gate's loss of variance: for a, b from N(0, 1), E[(tanh a sigmoid b)^2] = 0.115


class MaskedConv(nn.Conv2d):
    """A 1 x `taps` convolution that ends at the pixel itself, where group g sees groups < g (mask A) or <= g (mask B).

    `own` False is mask A. `groups_in` and `groups_out` give the group of each channel. x (N, in, H, W) becomes
    (N, out, H, W).
    """

    mask: Tensor

    def __init__(
        self, groups_in: Tensor, groups_out: Tensor, taps: int = 1, own: bool = True, bias: bool = True
    ) -> None:
        super().__init__(len(groups_in), len(groups_out), (1, taps), bias=bias)
        mask = torch.ones(self.weight.shape)
        order = groups_out[:, None] - groups_in[None]
        allowed = order >= 0 if own else order > 0
        mask[..., -1] = allowed.float()[..., None]
        self.register_buffer("mask", mask, persistent=False)

    @property
    def masked_weight(self) -> Tensor:
        """The weights with the mask applied, (out, in, 1, taps)."""
        return self.weight * self.mask

    def forward(self, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        taps = self.kernel_size[1]
        if taps > 1:
            x = F.pad(x, (taps - 1, 0))
        y = F.conv2d(x, self.masked_weight, self.bias)
        return y.contiguous(memory_format=torch.channels_last)  # with one channel the layout would be another


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2). The last layer of a network has no gate of the vertical stack and no residual."""

    def __init__(
        self, vertical: int, horizontal: Tensor, features: Tensor, kernel: int, classes: int, depth: int, last: bool,
        context: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        first = depth == 0
        P = len(features)
        # Rows above the pixel's own; from the second layer on its own row of v too, which depends on rows above only.
        self.rows = kernel // 2
        if not first:
            self.rows += 1
        self.kernel = kernel
        self.vertical = nn.Conv2d(vertical, 2 * P, (self.rows, kernel))
        self.link = nn.Conv2d(2 * P, 2 * P, 1, bias=False)
        self.horizontal = MaskedConv(horizontal, features.repeat(2), kernel // 2 + 1, own=not first)
        self.residual = None if last else MaskedConv(features, features, bias=False)
        self.classes = nn.Embedding(classes, 4 * P) if classes else None
        self.context = nn.Conv2d(context, 4 * P, 1, bias=False) if context else None
        init_fan_in_(self.vertical, 1.0 if first else GATE_GAIN)
        init_fan_in_(self.link, 0.7)
        init_fan_in_(self.horizontal, 0.7)
        if self.residual is not None:
            init_fan_in_(self.residual, GATE_GAIN / (depth + 1) ** 0.5)
        if self.classes is not None:
            nn.init.normal_(self.classes.weight, 0.0, 0.1)
        if self.context is not None:
            init_fan_in_(self.context, 0.5)

    def condition(self, label: Tensor | None, context: Tensor | None) -> tuple[Tensor, Tensor] | None:
        """What the class (eq. 4) and the context (eq. 5) add to the vertical and to the horizontal stack, (N, 2P, 1 or H', 1 or
        W) each; None where the network has neither."""
        terms = []
        if self.classes is not None:
            assert label is not None, "a class-conditional network needs labels"
            terms.append(self.classes(label)[..., None, None])
        if self.context is not None:
            assert context is not None, "a network with context needs some"
            terms.append(self.context(context))
        if not terms:
            return None
        added = terms[0] if len(terms) == 1 else terms[0] + terms[1]
        vertical, horizontal = added.chunk(2, 1)
        return vertical, horizontal

    def above(self, v: Tensor, label: Tensor | None, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The vertical stack before its gate, and what it adds to the horizontal one, (N, 2P, H', W) each.

        v (N, in, H' + rows - 1, W + kernel - 1) is padded already; context (N, S, H', W).
        """
        condition = self.condition(label, context)
        before = self.vertical(v)
        if condition is None:
            return before, self.link(before)
        before = before + condition[0]
        return before, self.link(before) + condition[1]

    def padded(self, v: Tensor) -> Tensor:
        """Zeros around v (N, in, H, W); in the first layer its last row is cut off, so that no pixel sees its own row."""
        side = self.kernel // 2
        return F.pad(v, (side, side, side, self.rows - 1 - side))


class PixelCNN(nn.Module):
    """Raw parameters (N, outputs, H, W) of each pixel's distribution, given the pixels and channels before it.

    x (N, C, H, W) in [-1, 1]. The outputs of channel c are the c-th of `groups` equal parts; groups is C or 1. `width`
    is rounded up to a multiple of groups. `label` (N,) where classes > 0; `dropout_mask` (N, L, P): factors of the
    horizontal gates; `context_map` (N, context, H, W) where context > 0: a map that every layer sees at the pixel itself.
    """

    def __init__(
        self, channels: int, outputs: int, groups: int, width: int, layers: int, kernel: int = 3, first_kernel: int = 7,
        head: int = 64, classes: int = 0, context: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.channels, self.groups, self.outputs = channels, groups, outputs
        self.features = multiple(width, groups)
        pixel, features = owners(channels, groups), owners(self.features, groups)
        hidden = owners(multiple(head, groups), groups)
        gated_layers: list[nn.Module] = []
        inputs, input_groups, size = channels, pixel, first_kernel
        for depth in range(layers):
            last = depth == layers - 1
            gated_layers.append(GatedLayer(inputs, input_groups, features, size, classes, depth, last, context))
            inputs, input_groups, size = self.features, features, kernel
        self.layers = nn.ModuleList(gated_layers)
        self.skip = MaskedConv(features.repeat(layers), hidden)
        self.hidden = MaskedConv(hidden, hidden)
        self.out = MaskedConv(hidden, owners(outputs, groups))
        init_fan_in_(self.skip, GATE_GAIN)
        init_fan_in_(self.hidden, 2**0.5)
        init_fan_in_(self.out, 0.1)  # the initial distribution is close to that of the biases

    def gated_layers(self) -> list[GatedLayer]:
        """The layers, with their type."""
        return [layer for layer in self.layers if isinstance(layer, GatedLayer)]

    def forward(
        self,
        x: Tensor,
        label: Tensor | None = None,
        dropout_mask: Tensor | None = None,
        context_map: Tensor | None = None,
    ) -> Tensor:
        v = h = x
        gates = []
        for depth, layer in enumerate(self.gated_layers()):
            before, linked = layer.above(layer.padded(v), label, context_map)
            g = gate(linked + layer.horizontal(h))
            if dropout_mask is not None:
                g = g * dropout_mask[:, depth, :, None, None].to(g.dtype)
            gates.append(g)
            if layer.residual is not None:
                v = gate(before)
                residual = layer.residual(g)
                h = residual if depth == 0 else h + residual
        return self.out(F.relu(self.hidden(F.relu(self.skip(torch.cat(gates, 1))))))


def gate(x: Tensor) -> Tensor:
    """tanh of the first half of the channels times sigmoid of the second (eq. 2). (N, 2P, ...) -> (N, P, ...)."""
    # Copied first: on a CPU both are several times as slow on channels with gaps between them.
    a, b = x.chunk(2, 1)
    return a.clone().tanh() * b.clone().sigmoid()


def owners(count: int, groups: int) -> Tensor:
    """The group of each of `count` channels, (count,), in order and of equal sizes. With one group all are 0."""
    return torch.arange(count) // (count // groups)


def multiple(count: int, groups: int) -> int:
    """`count` rounded up to a multiple of `groups`."""
    return -(-count // groups) * groups


class Incremental:
    """The same numbers as `PixelCNN.forward`, one pixel and group at a time, each computed once.

    For i in rows: `begin_row()`; for j in columns, for g in groups: `raw(j, g)` gives (n, outputs / groups), after
    which the channels of g are written into `pixel(j)`. The vertical stack is computed once per row for all columns, from the
    last rows of each layer; the horizontal stack by small matrix products into buffers that are reused. No gradients.
    """

    def __init__(
        self, network: PixelCNN, n: int, width: int, label: Tensor | None = None, context_map: Tensor | None = None
    ) -> None:
        self.network, self.n, self.width, self.label, self.context_map = network, n, width, label, context_map
        self.i = -1
        self.layers = network.gated_layers()
        P, G = network.features, network.groups
        self.new = network.out.weight.new_zeros
        # Buffers of each layer: the last rows of the vertical stack, this row of the horizontal one, and what the former adds.
        self.taps: list[int] = []
        self.above: list[Tensor] = []
        self.rows: list[Tensor] = []
        self.terms: list[Tensor] = []
        inputs = network.channels
        for layer in self.layers:
            taps = layer.horizontal.kernel_size[1]
            above = self.new(n, inputs, layer.rows, width + layer.kernel - 1)
            self.taps.append(taps)
            self.above.append(above.contiguous(memory_format=torch.channels_last))
            self.rows.append(self.new(n, (width + taps - 1) * inputs))
            self.terms.append(self.new(width, G, n, 2 * P // G))
            inputs = P
        self.gates = self.new(n, len(self.layers) * P)
        self.skip, self.hidden = self.new(n, network.skip.out_channels), self.new(n, network.skip.out_channels)
        self.pixels = [self._slots(0, network.channels, j)[0] for j in range(width)]
        self._prepare_layers()
        self._prepare_head()

    def pixel(self, j: int) -> Tensor:
        """The pixel at column j of this row, (n, C), a view to write into."""
        return self.pixels[j]

    def row(self) -> Tensor:
        """The pixels of this row, (n, C, W)."""
        C = self.network.channels
        return self.rows[0].view(self.n, -1, C)[:, self.taps[0] - 1 :].movedim(2, 1)

    @torch.no_grad()
    def begin_row(self) -> None:
        """Begins the next row; the one before must be complete."""
        if self.i >= 0:
            self._push(0, self.row())
        self.i += 1
        context = self.context_map
        if context is not None:
            context = context[:, :, self.i : self.i + 1]
        for depth, layer in enumerate(self.layers):
            before, linked = layer.above(self.above[depth], self.label, context)
            assert layer.horizontal.bias is not None
            linked = linked[:, :, 0] + layer.horizontal.bias[:, None]
            # (n, 2P, W) -> (W, G, n, 2Q), with the halves of sigmoid as in _halved
            parts = linked.unflatten(1, (2, self.network.groups, -1)).permute(4, 2, 0, 1, 3)
            self.terms[depth].copy_(parts.flatten(3))
            self.terms[depth][..., self.terms[depth].shape[3] // 2 :].mul_(0.5)
            if layer.residual is not None:
                self._push(depth + 1, gate(before)[:, :, 0])

    @torch.no_grad()
    def follow(self, parents: Tensor) -> None:
        """At the end of a row: image i becomes a copy of image parents[i] so far, with its label; parents (n,)."""
        for above in self.above:
            above.copy_(above[parents])
        self.rows[0].copy_(self.rows[0][parents])
        if self.label is not None:
            self.label = self.label[parents]
        if self.context_map is not None:
            self.context_map = self.context_map[parents]

    @torch.no_grad()
    def raw(self, j: int, group: int = 0) -> Tensor:
        """Outputs of one group at column j, (n, outputs / groups); overwritten by the next call."""
        for term, window, weight, pre, a, b, g, gates, residual, source, target in self.steps[j][group]:
            torch.addmm(term, window, weight, out=pre).tanh_()
            torch.addcmul(a, a, b, out=g)  # a sigmoid(b) = (a + a tanh(b / 2)) / 2; the half lies in the weights
            if target is not None:
                torch.addmm(source, gates, residual, out=target)
        torch.addmm(self.skip_bias[group], self.gates, self.skip_weight[group], out=self.skip_parts[group]).relu_()
        torch.addmm(self.hidden_bias[group], self.skip, self.hidden_weight[group], out=self.hidden_parts[group]).relu_()
        return torch.addmm(self.out_bias[group], self.hidden, self.out_weight[group])

    def _push(self, depth: int, row: Tensor) -> None:
        """`row` (n, in, W) becomes the newest of the rows that the vertical stack sees in this layer."""
        above, side = self.above[depth], self.layers[depth].kernel // 2
        if above.shape[2] > 1:
            above[:, :, :-1] = above[:, :, 1:].clone()
        above[:, :, -1, side : side + self.width] = row

    def _slots(self, depth: int, size: int, j: int) -> tuple[Tensor, Tensor]:
        """Views into a layer's row: the features at column j, (n, in), and those of all its taps, (n, taps * in)."""
        taps = self.taps[depth]
        row = self.rows[depth]
        return row.narrow(1, (j + taps - 1) * size, size), row.narrow(1, j * size, taps * size)

    def _prepare_layers(self) -> None:
        """Weights as matrices (in, out) by group, and the views that each column works on."""
        P, G = self.network.features, self.network.groups
        Q = P // G
        pre = self.new(self.n, 2 * Q)
        a, b = pre.chunk(2, 1)
        zeros = self.new(self.n, P)
        self.steps: list[list[list[tuple]]] = [[[] for _ in range(G)] for _ in range(self.width)]
        for depth, layer in enumerate(self.layers):
            horizontal = self._by_group(layer.horizontal, halved=True)
            gates = self.gates.narrow(1, depth * P, P)
            residual: list[Tensor] | None = None
            if layer.residual is not None:
                residual = self._by_group(layer.residual, factor=0.5)
            for j in range(self.width):
                # Views: what the layer reads, what its residual is added to, and where the sum is written.
                if depth == 0:  # the first residual is added to nothing
                    _, window = self._slots(depth, self.network.channels, j)
                    source = zeros
                else:
                    source, window = self._slots(depth, P, j)
                for g in range(G):
                    part = slice(g * Q, (g + 1) * Q)
                    weight = target = None
                    if residual is not None:
                        weight = residual[g]
                        target = self._slots(depth + 1, P, j)[0][:, part]
                    self.steps[j][g].append((
                        self.terms[depth][j, g], window, horizontal[g], pre, a, b, gates[:, part], gates, weight,
                        source[:, part], target,
                    ))  # fmt: skip

    def _prepare_head(self) -> None:
        network, G = self.network, self.network.groups
        self.skip_weight, self.skip_bias = self._by_group(network.skip, factor=0.5), _parts(network.skip, G)
        self.hidden_weight, self.hidden_bias = self._by_group(network.hidden), _parts(network.hidden, G)
        self.out_weight, self.out_bias = self._by_group(network.out), _parts(network.out, G)
        self.skip_parts, self.hidden_parts = self.skip.chunk(G, 1), self.hidden.chunk(G, 1)

    def _by_group(self, conv: MaskedConv, *, factor: float = 1.0, halved: bool = False) -> list[Tensor]:
        """The masked weights as one (taps * in, out of the group) matrix per group, times `factor`.

        `halved`: the outputs are a gate's two halves; those of the sigmoid are halved.
        """
        weight = conv.masked_weight.detach()[:, :, 0].movedim(0, 2).transpose(0, 1) * factor  # (taps, in, out)
        matrix = weight.reshape(-1, conv.out_channels)
        if not halved:
            return [part.contiguous() for part in matrix.chunk(self.network.groups, 1)]
        a, b = matrix.chunk(2, 1)
        parts = []
        for of_tanh, of_sigmoid in zip(a.chunk(self.network.groups, 1), b.chunk(self.network.groups, 1), strict=True):
            parts.append(torch.cat([of_tanh, of_sigmoid / 2], 1))
        return parts


def _parts(conv: MaskedConv, groups: int) -> tuple[Tensor, ...]:
    assert conv.bias is not None
    return conv.bias.detach().chunk(groups)
