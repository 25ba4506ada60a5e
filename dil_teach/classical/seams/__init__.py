"""Seam carving."""
