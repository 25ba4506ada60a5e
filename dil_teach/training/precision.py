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


def fast_order(batch: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The same values, in the memory order in which convolutions are fast.

    Convolutions give their outputs the same order. In general the order in which the
    channels of a pixel are next to each other is faster. But on x86 processors without
    AVX-512, the usual order is faster: convolutions of 64 channels take less than half
    of the time at 128 x 128 pixels, and nearly as much at 32 x 32 (measured).
    """
    if _usual_order_is_faster(batch.device.type):
        return batch.contiguous()
    # A batch of one channel is in both orders, and torch then chooses the slow one; a
    # copy has strides that are not ambiguous.
    pixels = batch.permute(0, 2, 3, 1).clone(memory_format=torch.contiguous_format)
    return pixels.permute(0, 3, 1, 2)


@functools.cache
def _usual_order_is_faster(device: str) -> bool:
    has = getattr(torch.cpu, "get_capabilities", dict)()
    return device == "cpu" and bool(has.get("avx2")) and not has.get("avx512_f")


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
