"""Fractal image compression."""
