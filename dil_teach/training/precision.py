"""bfloat16 where the processor has it."""

import torch


def autocast(device: torch.device, wanted: bool = True) -> torch.autocast:
    """A context in which convolutions use bfloat16, where the processor has it.

    Elsewhere it changes nothing: emulated bfloat16 is slower than float32.
    """
    if device.type == "cuda":
        has_bf16 = torch.cuda.get_device_capability(device)[0] >= 8
    else:
        found = getattr(torch.cpu, "get_capabilities", dict)()
        has_bf16 = device.type == "cpu" and any(
            found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")
        )
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and has_bf16)
