"""ZSSR: the method, its network, large images, and a comparison with baselines."""
