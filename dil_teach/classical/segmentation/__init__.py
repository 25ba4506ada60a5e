"""Segmentation: hints, texture, saliency, cuts and optical flow."""
