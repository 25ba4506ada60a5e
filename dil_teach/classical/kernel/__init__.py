"""The blur kernel of one image."""
