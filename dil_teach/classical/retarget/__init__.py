"""Retargeting by patches and by column warps."""
