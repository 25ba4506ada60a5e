"""Texture expansion."""
