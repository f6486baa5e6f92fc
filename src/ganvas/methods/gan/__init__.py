"""Adversarial methods: a generator against a discriminator."""

from ganvas.methods.gan._base import Adversarial, NonSaturating, Pair

__all__ = ["Adversarial", "NonSaturating", "Pair"]
