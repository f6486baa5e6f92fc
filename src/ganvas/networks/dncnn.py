"""DnCNN (Zhang 2017, arXiv:1608.03981): 3 x 3 convolutions that predict the noise, which is then subtracted."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ganvas.networks.layers import norm2d
from ganvas.networks.resample import cut, grown_to
from ganvas.networks.srresnet import ResidualBlock


class DnCNN(nn.Module):
    """Noisy images (N, C, H, W) to clean ones, x - R(x) (sec. III-A); initially nothing is subtracted.

    `body` "plain" is a stack of convolutions, as in the paper; "residual" adds every second one to what was before. `fold` 2 puts
    each 2 x 2 pixels into channels first and back at the end (FFDNet, Zhang 2018, arXiv:1710.04026): a quarter of the MACs, and
    twice the receptive field. `depth` counts convolutions.
    """

    def __init__(
        self,
        channels: int,
        *,
        width: int = 64,
        depth: int = 17,
        norm: str = "batch",
        body: str = "plain",
        fold: int = 1,
    ) -> None:
        super().__init__()
        self.fold = fold
        folded = channels * fold**2
        layers: list[nn.Module] = [nn.Conv2d(folded, width, 3, padding=1), nn.ReLU(inplace=True)]
        nn.init.kaiming_normal_(layers[0].weight)  # pyright: ignore[reportArgumentType]
        if body == "plain":
            layers += _plain(width, depth - 2, norm)
        else:
            layers += _residual(width, depth - 2, norm)
        last = nn.Conv2d(width, folded, 3, padding=1)
        nn.init.zeros_(last.weight)
        assert last.bias is not None
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(*layers, last)

    def forward(self, x: Tensor) -> Tensor:
        noise = F.pixel_shuffle(self.layers(F.pixel_unshuffle(grown_to(x, self.fold), self.fold)), self.fold)
        return x.float() - cut(noise, (x.shape[2], x.shape[3])).float()


def _plain(width: int, depth: int, norm: str) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for _ in range(depth):
        # Batch norm would cancel a bias in front of it.
        conv = nn.Conv2d(width, width, 3, padding=1, bias=norm != "batch")
        nn.init.kaiming_normal_(conv.weight)
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)
        layers += [conv, norm2d(norm, width), nn.ReLU(inplace=True)]
    return layers


def _residual(width: int, depth: int, norm: str) -> list[nn.Module]:
    return [ResidualBlock(width, norm) for _ in range((depth + 1) // 2)]
