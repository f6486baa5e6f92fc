"""DCGAN, written out in plain PyTorch: the whole training loop, top to bottom.

    python examples/plain_dcgan.py --steps 1000

The same as `ganvas train dcgan --preset small`, and a test holds it to that: from one seed both give the same
losses. To make that so it draws random numbers in the library's order: initial weights of G, then of D; the
images' order from `Feed` (endless shuffled batches in [-1, 1]); noise from a generator of its own.
channels_last keeps the colours of a pixel side by side in memory: faster convolutions, and the same rounding as
the library's.

Beside plain_gan.py: other networks, beta1 0.5, and two rules of batch norm. D sees real and fake images in
two passes, since one batch must not hold both; and G is put into eval mode before it draws, so that an image
does not depend on its neighbours.
"""

import argparse

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy

from ganvas.data import grid, open_data, write_png
from ganvas.data.feed import Feed
from ganvas.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from ganvas.sampling import to_uint8

BATCH, Z_DIM, WIDTH, LR, BETAS = 64, 100, 28, 2e-4, (0.5, 0.999)


def train(steps: int, seed: int = 0, data: str = "digits") -> tuple[torch.nn.Module, list[tuple[float, float]]]:
    """The trained G, and (G's loss, D's loss) of every step."""
    images = open_data(data)
    torch.manual_seed(seed)
    G = DCGANGenerator(Z_DIM, images.spec.shape, WIDTH)
    D = DCGANDiscriminator(images.spec.shape, WIDTH)
    G.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    D.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    optimizer_G = torch.optim.Adam(G.parameters(), lr=LR, betas=BETAS, fused=True)
    optimizer_D = torch.optim.Adam(D.parameters(), lr=LR, betas=BETAS, fused=True)
    generator = torch.Generator().manual_seed(seed)
    feed = Feed(images.images, None, None, batch_size=BATCH, seed=seed, generator=generator)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    losses = []
    for step in range(steps):
        real = feed.next().real
        z = torch.randn(BATCH, Z_DIM, generator=generator)

        # G: -log D(G(z)).
        fake = G(z)
        loss_G = cross_entropy(D(fake), ones)
        optimizer_G.zero_grad()
        loss_G.backward()
        optimizer_G.step()

        # D: -log D(x) - log(1 - D(G(z))).
        loss_D = cross_entropy(D(real), ones) + cross_entropy(D(fake.detach()), zeros)
        optimizer_D.zero_grad()
        loss_D.backward()
        optimizer_D.step()

        losses.append((loss_G.item(), loss_D.item()))
        if step % 100 == 0:
            print(f"step {step}  G {losses[-1][0]:.4f}  D {losses[-1][1]:.4f}")
    return G, losses


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="trains a DCGAN on digits")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--out", default="plain_dcgan.png")
    options = parser.parse_args()
    trained, _ = train(options.steps)
    trained.eval()
    with torch.no_grad():
        write_png(options.out, grid(to_uint8(trained(torch.randn(64, Z_DIM)))))
