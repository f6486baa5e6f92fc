"""Filling holes in held-out digits: the prior over codes, against a mean fill and a plain convolutional network trained with L2.

    python benchmarks/completion.py RUN [--n 500] [--candidates 4] [--minutes 1] [--seed 0] [--json]

RUN is a run of code_prior. The network is trained here, on the training images of that run, with random rectangles as
holes, for `--minutes` of processor time of one thread. Holes: the middle quarter of the image, and its lower half.

PSNR   in dB, mean over images, over the pixels of the hole alone; `best of k` is the nearest of k candidates to the truth,
       which nobody knows who fills a hole: it says that the truth is among the answers
FD     Fréchet distance of the whole, filled images from all training images (its bias falls with n; `nothing missing` is the
       reference)
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Table, facts, finish, make_parser, parse
from torch import Tensor, nn
from torch.optim import Adam

from ganvas.abilities import Restores
from ganvas.chunks import in_chunks
from ganvas.data import Dataset, grid, open_data, write_png
from ganvas.data.batch import as_image_tensor
from ganvas.metrics import measure
from ganvas.metrics.restoration import psnr_each
from ganvas.run import Run
from ganvas.sampling import to_uint8


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, minutes=1, threads=1)
    parser.add_argument("run", type=Path)
    parser.add_argument("--n", type=int, default=500, help="held-out images")
    parser.add_argument("--candidates", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--image", type=Path, help="a PNG of some of them")
    options = parse(parser, arguments)
    run = Run(options.run)
    data = open_data(run.info["data"], **run.info["data_settings"])
    held = data.part("test")
    method = run.method
    assert held is not None and isinstance(method, Restores)
    images = np.asarray(held.images[: options.n])
    mean = as_image_tensor(np.asarray(data.images)).mean(0)
    plain = train_plain(data, options.minutes, options.seed)
    report: dict[str, Any] = {**facts(options), "n": len(images), "nothing missing": {"FD": distance(images, data)}}
    report["holes"] = {}
    table = Table(
        ["hole", "filled by", "PSNR, dB", "FD", "best PSNR", "PSNR of the mean", "seconds per image"], options
    )
    table.row("nothing missing", "", float("inf"), report["nothing missing"]["FD"], "", "", "")
    for name, hole in holes(*images.shape[1:3]).items():
        began = time.process_time()
        candidates = torch.stack([filled(method, images, hole, options.seed + i) for i in range(options.candidates)])
        seconds = (time.process_time() - began) / len(candidates) / len(images)
        ways = {
            "mean image": with_mean(images, hole, mean),
            "plain network": by_network(plain, images, hole),
            "codes": candidates[0],
        }
        found: dict[str, dict[str, float]] = {}
        for way, filled_images in ways.items():
            PSNR = psnr_in_hole(filled_images, images, hole).mean()
            found[way] = {"PSNR": float(PSNR), "FD": distance(to_uint8(filled_images), data)}
        every = np.stack([psnr_in_hole(one, images, hole) for one in candidates])
        found["codes"] |= {
            f"PSNR best of {len(candidates)}": float(every.max(0).mean()),
            f"PSNR of the mean of {len(candidates)}": float(psnr_in_hole(candidates.mean(0), images, hole).mean()),
            "seconds_a_image": round(seconds, 4),
        }
        report["holes"][name] = found
        for way, figures in found.items():
            values = list(figures.values())
            table.row(name, way, *values, *[""] * (5 - len(values)))
        if options.image:
            degraded = torch.where(hole, 0.0, as_image_tensor(images))
            rows = [as_image_tensor(images), degraded, ways["mean image"], ways["plain network"], *candidates]
            few = torch.stack([row[:12] for row in rows]).flatten(0, 1)
            place = options.image.with_stem(f"{options.image.stem}-{name.split()[0]}")
            write_png(place, grid(to_uint8(few), columns=12))
    if options.json:
        finish(options, report)


def holes(height: int, width: int) -> dict[str, Tensor]:
    """Masks (1, 1, H, W), true where pixels are missing."""
    middle, lower = torch.zeros(2, 1, 1, height, width, dtype=torch.bool)
    middle[..., height // 4 : height // 4 + height // 2, width // 4 : width // 4 + width // 2] = True
    lower[..., height // 2 :, :] = True
    return {"middle quarter": middle, "lower half": lower}


def filled(method: Restores, images: np.ndarray, hole: Tensor, seed: int) -> Tensor:
    """One candidate of each image (n, C, H, W)."""
    generator = torch.Generator().manual_seed(seed)

    def of_rows(rows: Tensor) -> Tensor:
        degraded = torch.where(hole, 0.0, as_image_tensor(images[rows.numpy()]))
        return method.restore(degraded, hole.expand(len(rows), -1, -1, -1).float(), generator=generator)

    return in_chunks(len(images), of_rows)


def with_mean(images: np.ndarray, hole: Tensor, mean: Tensor) -> Tensor:
    return torch.where(hole, mean, as_image_tensor(images))


# --- the plain network ----------------------------------------------------------------------------------------------------


class Plain(nn.Module):
    """Damaged images and their mask (N, C + 1, H, W) to whole ones (N, C, H, W): halved twice, six layers between, doubled."""

    def __init__(self, channels: int, width: int = 64) -> None:
        super().__init__()
        inner = [layer for _ in range(6) for layer in (nn.Conv2d(width, width, 3, padding=1), nn.ReLU())]
        self.layers = nn.Sequential(
            nn.Conv2d(channels + 1, width // 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(width // 2, width, 4, 2, 1), nn.ReLU(), *inner,
            nn.ConvTranspose2d(width, width // 2, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width // 2, channels, 4, 2, 1),
        )  # fmt: skip

    def forward(self, degraded: Tensor, hole: Tensor) -> Tensor:
        made = self.layers(torch.cat([degraded, hole.float()], 1))
        return torch.where(hole, made[..., : degraded.shape[2], : degraded.shape[3]], degraded)


def train_plain(data: Dataset, minutes: float, seed: int) -> Plain:
    """By Adam at 1e-3 falling to zero, batches of 64, bf16, squared error in the hole; random rectangles, and both test holes."""
    torch.manual_seed(seed)
    network = Plain(data.spec.channels).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer = Adam(network.parameters(), lr=1e-3, fused=True)
    images, known = as_image_tensor(np.asarray(data.images)), list(holes(data.spec.height, data.spec.width).values())
    began, progress = time.process_time(), 0.0
    while progress < 1:
        optimizer.param_groups[0]["lr"] = 1e-3 * (1 - progress)
        real = images[torch.randint(len(images), (64,))]
        hole = torch.cat(
            [known[int(kind)] if kind < 2 else rectangle(*real.shape[2:]) for kind in torch.randint(4, (64,))]
        )
        with torch.autocast("cpu", torch.bfloat16):
            made = network(torch.where(hole, 0.0, real), hole)
        loss = (made.float() - real).square().sum() / hole.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        progress = (time.process_time() - began) / 60 / minutes
    return network.eval().requires_grad_(False)


def rectangle(height: int, width: int) -> Tensor:
    """A hole (1, 1, H, W) of a quarter to three quarters of each side, anywhere."""
    hole = torch.zeros(1, 1, height, width, dtype=torch.bool)
    h, w = (int(torch.randint(side // 4, 3 * side // 4, ())) for side in (height, width))
    top, left = int(torch.randint(height - h + 1, ())), int(torch.randint(width - w + 1, ()))
    hole[..., top : top + h, left : left + w] = True
    return hole


def by_network(network: Plain, images: np.ndarray, hole: Tensor) -> Tensor:
    def of_rows(rows: Tensor) -> Tensor:
        degraded = torch.where(hole, 0.0, as_image_tensor(images[rows.numpy()]))
        return network(degraded, hole.expand(len(rows), -1, -1, -1)).clamp(-1, 1)

    return in_chunks(len(images), of_rows)


# --- figures ----------------------------------------------------------------------------------------------------------------


def psnr_in_hole(made: Tensor, images: np.ndarray, hole: Tensor) -> np.ndarray:
    """In dB, (n,), over the pixels of the hole, of images written in 8 bits."""
    mask = hole[0, 0].numpy()
    return psnr_each(to_uint8(made)[:, mask][:, None], images[:, mask][:, None])


def distance(images: np.ndarray, data: Dataset) -> float:
    return measure(images, data, data.part("test"))["FD[digits]"].value


if __name__ == "__main__":
    main()
