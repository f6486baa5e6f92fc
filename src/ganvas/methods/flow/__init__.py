"""Flows: a velocity field that carries noise to images."""
