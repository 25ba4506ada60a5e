"""Watermarks: their opacity, their colour and their box."""
