"""Denoising by patches of the image itself: NLM, BM3D and K-SVD."""
