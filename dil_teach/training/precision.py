"""Use of bfloat16 and of cuDNN for convolutions."""

import functools
from collections.abc import Callable
from typing import Any

import torch

BF16_PAYS = 96 * 96
"""Number of pixels from which bfloat16 makes an hourglass network faster. Converting
weights and gradients takes the same time at any size: a quarter of a step at 64 x 64
pixels (measured)."""


def autocast(
    device: torch.device, wanted: bool = True, pixels: int = BF16_PAYS
) -> torch.autocast:
    """A context in which convolutions use bfloat16, if the processor supports it.

    Otherwise it changes nothing, because emulated bfloat16 is slower than float32.

    Parameters
    ----------
    device : torch.device
        Device of the convolutions.
    wanted : bool
        False keeps float32.
    pixels : int
        Number of pixels of the network input, for networks that bfloat16 makes faster
        only on large images. Below ``BF16_PAYS`` pixels float32 is kept.
    """
    if device.type == "cuda":
        supported = torch.cuda.get_device_capability(device)[0] >= 8
    else:
        found = getattr(torch.cpu, "get_capabilities", dict)()
        supported = device.type == "cpu" and any(
            found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")
        )
    enabled = wanted and supported and pixels >= BF16_PAYS
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def without_cudnn(step: Callable) -> Callable:
    """Decorate a method so that it runs without cuDNN if ``self.image`` is on a GPU.

    It is for networks whose input size changes at each step. cuDNN needs about a second
    to prepare for each new size, but PyTorch's own convolutions do not. cuDNN is off in
    the whole process while the method runs.
    """

    @functools.wraps(step)
    def run(self: Any, *arguments: Any, **named: Any) -> Any:
        if not self.image.is_cuda:
            return step(self, *arguments, **named)
        with torch.backends.cudnn.flags(enabled=False):
            return step(self, *arguments, **named)

    return run
