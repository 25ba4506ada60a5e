"""sRGB and linear light: IEC 61966-2-1."""

import torch
from torch import Tensor


def to_linear(srgb: Tensor) -> Tensor:
    """Decode sRGB values to linear light; any shape."""
    return torch.where(
        srgb <= 0.04045, srgb / 12.92, ((srgb.clamp_min(0) + 0.055) / 1.055) ** 2.4
    )


def to_srgb(linear: Tensor) -> Tensor:
    """Encode linear light as sRGB values in [0, 1]; any shape, clamped first."""
    linear = linear.clamp(0, 1)
    curve = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curve).clamp_max(1)
