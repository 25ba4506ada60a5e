"""Patch methods and their contemporaries: one file a paper."""
