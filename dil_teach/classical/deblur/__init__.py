"""Blind deblurring of one image."""
