"""EfficientNet-Lite0 (Tan 2019, arXiv:1905.11946) as a chain of frozen layers.

Lite: no squeeze-and-excitation, and ReLU6 for swish. Padding is TensorFlow's "same".
"""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from ganvas.networks.features.chain import Layer, folded, inverted_residual
from ganvas.networks.features.weights import State, under

# Table 1: kernel, expansion, channels, repeats, stride of the first.
BLOCKS = (
    (3, 1, 16, 1, 1),
    (3, 6, 24, 2, 2),
    (5, 6, 40, 2, 2),
    (3, 6, 80, 3, 2),
    (5, 6, 112, 3, 1),
    (5, 6, 192, 4, 2),
    (3, 6, 320, 1, 1),
)
Normed = tuple[nn.Conv2d, nn.BatchNorm2d]


def chain(state: State | None) -> Iterator[tuple[str, nn.Module]]:
    """The layers by name. Keys of the state: _conv_stem, _blocks.{i}._expand_conv ..."""
    stem = _pair(state, "_conv_stem", "_bn0", nn.Conv2d(3, 32, 3, 2, bias=False))
    yield "stem", Layer(folded(*stem), "relu6", same=True)
    number, channels = 0, 32
    for kernel, expansion, outputs, repeats, first_stride in BLOCKS:
        for repeat in range(repeats):
            stride = first_stride if repeat == 0 else 1
            place, hidden = f"_blocks.{number}.", channels * expansion
            parts = []
            if expansion > 1:
                widen = nn.Conv2d(channels, hidden, 1, bias=False)
                parts.append(("expand", *_pair(state, place + "_expand_conv", place + "_bn0", widen)))
            depthwise = nn.Conv2d(hidden, hidden, kernel, stride, groups=hidden, bias=False)
            parts.append(("depthwise", *_pair(state, place + "_depthwise_conv", place + "_bn1", depthwise)))
            project = nn.Conv2d(hidden, outputs, 1, bias=False)
            parts.append(("block", *_pair(state, place + "_project_conv", place + "_bn2", project)))
            number += 1
            yield from inverted_residual(number, parts, stride == 1 and channels == outputs, same=True)
            channels = outputs


def _pair(state: State | None, conv_key: str, norm_key: str, conv: nn.Conv2d) -> Normed:
    """A convolution and its batch norm, with their weights where there is a state."""
    norm = nn.BatchNorm2d(conv.out_channels, eps=1e-3)
    if state is not None:
        conv.load_state_dict(under(conv_key + ".", state))
        norm.load_state_dict(under(norm_key + ".", state))
    return conv, norm
