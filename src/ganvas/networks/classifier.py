"""A small classifier: strided convolutions down to 4 x 4, then one linear layer. Seconds on a CPU, from tens of images on."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

CLASSIFIER_WIDTHS = (16, 32, 32)  # channels, at half the size, a quarter, and all smaller ones
SMALLEST = 4  # pixels of the longer side that the linear layer sees, at most


class Classifier(nn.Module):
    """Logits (N, classes) of images (N, C, H, W) in [-1, 1]."""

    def __init__(self, shape: tuple[int, int, int], classes: int, dropout: float = 0.5) -> None:
        super().__init__()
        channels, height, width = shape
        sizes = [(height, width)]
        while len(sizes) == 1 or max(sizes[-1]) > SMALLEST:
            sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
        widths = [channels]
        for stage in range(len(sizes) - 1):
            widths.append(CLASSIFIER_WIDTHS[min(stage, len(CLASSIFIER_WIDTHS) - 1)])
        layers: list[nn.Module] = []
        for stage, (inputs, outputs) in enumerate(pairwise(widths)):
            kernel = 5 if stage == 0 else 3
            layers += [
                nn.Conv2d(inputs, outputs, kernel, stride=2, padding=kernel // 2, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(inplace=True),
            ]
        self.features = nn.Sequential(*layers, nn.Flatten())
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(widths[-1] * sizes[-1][0] * sizes[-1][1], classes)

    def forward(self, images: Tensor) -> Tensor:
        return self.linear(self.dropout(self.features(images)))
