"""Completion: fill a hole, or make more of a texture, from the image's own patches."""
