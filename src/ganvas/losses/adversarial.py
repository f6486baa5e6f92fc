"""Losses of G and D on the logits. `real` and `fake` are logits (before any sigmoid), (N,) or (N, 1); values have their shape."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus


def discriminator_cross_entropy(real: Tensor, fake: Tensor) -> Tensor:
    """-log D(x) - log(1 - D(G(z))) (Goodfellow 2014, eq. 1, negated), with D = sigmoid(logit)."""
    return softplus(-real) + softplus(fake)  # softplus, not log(sigmoid): stays finite for large logits


def minimax_generator(fake: Tensor) -> Tensor:
    """log(1 - D(G(z))), which G minimises (Goodfellow 2014, eq. 1). Its gradient vanishes if D is certain."""
    return -softplus(fake)


def non_saturating_generator(fake: Tensor) -> Tensor:
    """-log D(G(z)) (Goodfellow 2014, sec. 3, last paragraph)."""
    return softplus(-fake)


def least_squares(logits: Tensor, target: float) -> Tensor:
    """(D(x) - target)^2 / 2 (Mao 2017, eq. 2)."""
    return (logits - target).square() / 2


def wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    """f(G(z)) - f(x), which the critic minimises (Arjovsky 2017, algorithm 1, line 5, negated)."""
    return fake - real


def wasserstein_generator(fake: Tensor) -> Tensor:
    """-f(G(z)) (Arjovsky 2017, algorithm 1, line 10)."""
    return -fake


def hinge_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """max(0, 1 - D(x)) + max(0, 1 + D(G(z))) (Miyato 2018, eq. 16, negated)."""
    return (1 - real).relu() + (1 + fake).relu()


def relativistic_discriminator(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(D(G(z)) - D(x)), real and fake in pairs (Jolicoeur-Martineau 2018; Huang 2024, eq. 2)."""
    return softplus(fake - real)


def relativistic_generator(real: Tensor, fake: Tensor) -> Tensor:
    """softplus(D(x) - D(G(z))): the same pairs with the opposite sign."""
    return softplus(real - fake)


def discriminator_report(
    loss: Tensor, real: Tensor, fake: Tensor, *, boundary: float | None = 0.0, **more: Tensor
) -> dict[str, Tensor]:
    """D's report: the loss, both mean logits, its accuracy (real above the fake paired with it), and for ADA "sign":
    the mean sign of the real logits above `boundary` (Karras 2020, arXiv:2006.06676, r_t of sec. 3.1).

    `boundary` None, if only differences of logits have a meaning: each real logit is compared with the fake one of its pair.
    """
    real, fake = real.detach(), fake.detach()
    accuracy = (real > fake).float().mean()
    sign = (real - (fake if boundary is None else boundary)).sign().mean()
    return {"loss": loss, "real": real.mean(), "fake": fake.mean(), "accuracy": accuracy, "sign": sign, **more}
