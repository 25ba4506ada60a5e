"""ZSSR, and what large images need."""
