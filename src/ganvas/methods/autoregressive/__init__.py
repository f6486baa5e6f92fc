"""Autoregressive methods: one pixel, code, sample or token after the other, each with its likelihood."""
