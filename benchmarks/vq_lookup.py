"""Looking up codes: ours against the package vector-quantize-pytorch, on the same vectors and the same codebook, in one run.

    python benchmarks/vq_lookup.py [--json] [--rounds 20] [--clock processor] [--device cuda]

The package is for this comparison only:
    pip install --no-deps vector-quantize-pytorch torch-einops-utils einops einx loguru sympy mpmath frozendict

look-up   vectors (M, E) to codes (M,) and their vectors, in eval mode, without gradients
training  the same with straight-through gradients, one step of the moving averages and a backward to the vectors; revival of dead
          codes off on both sides
fsq       look-up by finite scalar quantisation, levels 8-5-5-5
ratio     their time over ours, the smallest of all rounds each, in turn
same      share of the places where both chose the same code (rounding decides near ties)
"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

import torch
from common import CLOCKS, best_seconds, facts, make_parser, parse, print_rows
from torch import Tensor

from ganvas.networks.vq import FSQ, Codebook, straight_through, sums_by_code

SIZES = [(3136, 128, 8), (3136, 512, 64), (16384, 1024, 64), (4096, 8192, 32)]  # M, K, E
LEVELS = [8, 5, 5, 5]
HOW = "pip install --no-deps vector-quantize-pytorch torch-einops-utils einops einx loguru sympy mpmath frozendict"

Pair = tuple[Callable[[], Tensor], Callable[[], Tensor]]
"""Ours and theirs; each gives the codes."""


def main(arguments: list[str] | None = None) -> None:
    parser = make_parser(__doc__, clock="wall")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sizes", nargs="+", default=["x".join(map(str, size)) for size in SIZES], metavar="MxKxE")
    parser.add_argument("--device", default="cpu")
    options = parse(parser, arguments)
    try:
        theirs: Any = importlib.import_module("vector_quantize_pytorch")
    except ImportError as error:
        sys.exit(f"vector-quantize-pytorch is not here ({error}); it is for this comparison only: {HOW}")
    device, clock = torch.device(options.device), CLOCKS[options.clock]
    rows = []
    for size in options.sizes:
        M, K, E = map(int, size.split("x"))
        torch.manual_seed(0)
        z, vectors = torch.randn(M, E, device=device), torch.randn(K, E, device=device)
        for name, pair in (("look-up", looking_up(theirs, z, vectors)), ("training", training(theirs, z, vectors))):
            rows.append({"what": name, "size": size, **compared(*pair, options.rounds, clock, device)})
    fsq = theirs.FSQ(LEVELS).to(device).eval()
    ours, z = FSQ(LEVELS).to(device), torch.randn(16384, len(LEVELS), device=device)
    pair = no_gradients(lambda: ours.chosen(z)[0]), no_gradients(lambda: fsq(z[None])[1].flatten())
    rows.append(
        {"what": "fsq", "size": f"16384x{ours.size}x{len(LEVELS)}", **compared(*pair, options.rounds, clock, device)}
    )
    version = importlib.metadata.version("vector-quantize-pytorch")
    print_rows(rows, options, {**facts(options, device), "vector_quantize_pytorch": version})


def book(vectors: Tensor) -> Codebook:
    """Ours with these vectors (K, E)."""
    K, E = vectors.shape
    made = Codebook(K, E).to(vectors.device)
    made.replace(torch.ones(len(vectors), dtype=torch.bool, device=vectors.device), vectors)
    return made


def package(theirs: Any, vectors: Tensor, **settings: Any) -> Any:
    """Theirs with the same vectors."""
    K, E = vectors.shape
    made = theirs.VectorQuantize(dim=E, codebook_size=K, decay=0.99, threshold_ema_dead_code=0, **settings).to(
        vectors.device
    )
    made._codebook.embed.data.copy_(vectors[None])
    made._codebook.embed_avg.data.copy_(vectors[None])
    made._codebook.cluster_size.data.fill_(1)
    return made


def looking_up(theirs: Any, z: Tensor, vectors: Tensor) -> Pair:
    ours, other = book(vectors), package(theirs, vectors).eval()

    def look() -> Tensor:
        codes = ours.nearest(z)
        ours(codes)
        return codes

    return no_gradients(look), no_gradients(lambda: other(z[None])[1].flatten())


def no_gradients(call: Callable[[], Tensor]) -> Callable[[], Tensor]:
    def called() -> Tensor:
        with torch.no_grad():
            return call()

    return called


def training(theirs: Any, z: Tensor, vectors: Tensor) -> Pair:
    ours, other = book(vectors), package(theirs, vectors, commitment_weight=0.25).train()

    def step_ours() -> Tensor:
        leaf = z.clone().requires_grad_()
        codes = ours.nearest(leaf.detach())
        chosen = ours(codes)
        passed = straight_through(leaf, chosen)
        commitment = (leaf - chosen).square().mean()
        shares = torch.bincount(codes, minlength=ours.size).float() / len(codes)
        sums = sums_by_code(codes, leaf.detach(), ours.size) / len(codes)
        (passed.sum() + 0.25 * commitment).backward()
        ours.follow(shares, sums, 0.99)
        return codes

    def step_theirs() -> Tensor:
        leaf = z.clone().requires_grad_()
        passed, codes, commitment = other(leaf[None])
        (passed.sum() + commitment.sum()).backward()
        return codes.flatten()

    return step_ours, step_theirs


def compared(
    ours: Callable[[], Tensor], theirs: Callable[[], Tensor], rounds: int, clock: Callable[[], float], device: torch.device
) -> dict[str, float]:  # fmt: skip
    same = float((ours() == theirs()).float().mean())  # the first call of each, before anything has moved

    def timed(call: Callable[[], Tensor]) -> Callable[[], None]:
        def whole() -> None:
            call()
            if device.type == "cuda":
                torch.cuda.synchronize(device)

        return whole

    mine, other = best_seconds([timed(ours), timed(theirs)], rounds, clock)
    return {
        "ours_ms": round(1e3 * mine, 4),
        "theirs_ms": round(1e3 * other, 4),
        "ratio": round(other / mine, 3),
        "same": round(same, 5),
    }


if __name__ == "__main__":
    main()
