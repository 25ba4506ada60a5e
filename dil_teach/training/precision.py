"""Precision and memory order of convolutions."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

BF16_PAYS = 96 * 96
"""Smallest number of pixels at which bfloat16 makes an hourglass faster. Converting
weights and gradients takes the same time for any image size. At 64 x 64 pixels, this
time is a quarter of a step (measured)."""


def autocast(
    device: torch.device, wanted: bool = True, pixels: int = BF16_PAYS
) -> torch.autocast:
    """A context in which convolutions use bfloat16, if ``wanted``.

    The context changes nothing on a processor without bfloat16, because emulation is
    slower than float32. It also changes nothing if the network input has under
    ``BF16_PAYS`` ``pixels``, because bfloat16 is not always faster on small images.
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


def channels_last(batch: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The same values, with the channels of each pixel next to each other in memory.

    Convolutions are faster in this order, and give their outputs the same order. A
    batch of one channel is in both orders, and torch then chooses the slow one; so this
    function makes a copy whose strides are not ambiguous.
    """
    pixels = batch.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
    return pixels.permute(0, 3, 1, 2)


def without_cudnn(step: Callable) -> Callable:
    """Decorate a method so that it runs without cuDNN if ``self.image`` is on a GPU.

    Use this decorator if the input size changes at each step: cuDNN prepares each new
    size for about a second. Meanwhile, cuDNN is off in the whole process.
    """

    @functools.wraps(step)
    def run(self: Any, *arguments: Any, **named: Any) -> Any:
        if not self.image.is_cuda:
            return step(self, *arguments, **named)
        with torch.backends.cudnn.flags(enabled=False):
            return step(self, *arguments, **named)

    return run
