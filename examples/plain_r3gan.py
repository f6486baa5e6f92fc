"""R3GAN, written out in plain PyTorch: the whole training loop, top to bottom.

    python examples/plain_r3gan.py --steps 3000

The same as `ganvas train r3gan` with the settings in capitals below, and a test holds it to that: from one seed
both give the same losses. To make that so it draws random numbers in the library's order: initial weights of G,
then of D; the images' order from `Feed` (endless shuffled batches in [-1, 1]); noise from a generator of its
own.

Beside plain_dcgan.py: no normalisation, so one pass of D may hold real and fake images together. D ranks each
real image above the fake one beside it, nothing more, and G the other way round. Every fourth step also
flattens D around real and fake images (R1 + R2). The learning rate rises for a moment and then falls to zero, and
images are drawn from a moving average of G.
"""

import argparse
import copy

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ganvas.data import grid, open_data, write_png
from ganvas.data.feed import Feed
from ganvas.networks.strided import StridedDiscriminator, StridedGenerator
from ganvas.sampling import to_uint8

BATCH, Z_DIM, LR, BETAS = 32, 64, 3e-3, (0.0, 0.99)
WIDTHS = (96, 48, 24)
GAMMA, PENALTY_EVERY = 1.0, 4
WARMUP = 100  # steps until the learning rate is LR
DECAY = 0.999  # of the average, a step


def penalty(D: torch.nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """gamma / 2 (R1 + R2): the mean squared gradient of D at real and at fake images."""
    points = torch.cat([real, fake]).requires_grad_()
    (gradient,) = torch.autograd.grad(D(points).sum(), points, create_graph=True)
    r1, r2 = gradient.square().sum((1, 2, 3)).chunk(2)
    return GAMMA / 2 * (r1 + r2).mean()


def train(steps: int, seed: int = 0, data: str = "digits") -> tuple[torch.nn.Module, list[tuple[float, float]]]:
    """The averaged G, and (G's loss, D's loss) of every step."""
    images = open_data(data)
    torch.manual_seed(seed)
    G = StridedGenerator(Z_DIM, images.spec.shape, WIDTHS).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    D = StridedDiscriminator(images.spec.shape, WIDTHS).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    average = copy.deepcopy(G).requires_grad_(False)
    optimizer_G = torch.optim.Adam(G.parameters(), lr=LR, betas=BETAS, fused=True)
    optimizer_D = torch.optim.Adam(D.parameters(), lr=LR, betas=BETAS, fused=True)
    generator = torch.Generator().manual_seed(seed)
    feed = Feed(images.images, None, None, batch_size=BATCH, seed=seed, generator=generator)

    losses = []
    for step in range(steps):
        for optimizer in (optimizer_G, optimizer_D):
            optimizer.param_groups[0]["lr"] = LR * (1 - step / steps) * min(1.0, (step + 1) / WARMUP)
        real = feed.next().real
        z = torch.randn(BATCH, Z_DIM, generator=generator)

        # G: softplus(D(x) - D(G(z))).
        fake = G(z)
        with torch.no_grad():
            real_logits = D(real)
        loss_G = softplus(real_logits - D(fake)).mean()
        optimizer_G.zero_grad()
        loss_G.backward()
        optimizer_G.step()
        fake = fake.detach()

        # D: softplus(D(G(z)) - D(x)).
        real_logits, fake_logits = D(torch.cat([real, fake])).chunk(2)
        loss_D = softplus(fake_logits - real_logits).mean()
        optimizer_D.zero_grad()
        loss_D.backward()
        optimizer_D.step()

        # D again, every fourth step: the penalty alone, four times as strong.
        if step % PENALTY_EVERY == 0:
            optimizer_D.zero_grad()
            (PENALTY_EVERY * penalty(D, real, fake)).backward()
            optimizer_D.step()

        # The average moves fast at first, while there is little to remember.
        decay = min(DECAY, (2 + step) / (11 + step))
        with torch.no_grad():
            for slow, fast in zip(average.parameters(), G.parameters(), strict=True):
                slow.lerp_(fast, 1 - decay)

        losses.append((loss_G.item(), loss_D.item()))
        if step % 100 == 0:
            print(f"step {step}  G {losses[-1][0]:.4f}  D {losses[-1][1]:.4f}")
    return average, losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="trains an R3GAN on digits")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--out", default="plain_r3gan.png")
    options = parser.parse_args()
    trained, _ = train(options.steps)
    with torch.no_grad():
        write_png(options.out, grid(to_uint8(trained(torch.randn(64, Z_DIM)))))
