"""Patches of images: extraction, search, recurrence, similarity."""
