"""The first cell of each chapter: versions, device, budget and expected time."""

import os
import platform
from collections.abc import Mapping

import torch

import dil_teach


def device() -> torch.device:
    """The device for a chapter's images: the GPU if torch can use one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def start(budget: str, seconds: Mapping[str, int]) -> None:
    """Print versions, device, budget and expected time.

    On a CPU the function limits torch to one thread in this kernel. The function is
    idempotent.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
        The budget changes image sizes and numbers of steps, never the method. Any other
        value raises a ValueError.
    seconds : dict of budget to int
        Expected time of the whole chapter on two CPU cores.
    """
    if budget not in seconds:
        names = ", ".join(seconds)
        raise ValueError(f"budget: expected one of {names}, got {budget!r}")
    where = device()
    if where.type == "cuda":
        name = torch.cuda.get_device_name(where)
    else:
        # Small batches hardly occupy one core, so a second thread would mostly wait.
        # On a busy machine, it waits ten times longer than it computes.
        torch.set_num_threads(1)
        name = f"one thread of {os.cpu_count()} cores"
    python = f"Python {platform.python_version()}"
    print(f"dil_teach {dil_teach.__version__}, {python}, torch {torch.__version__}")
    print(f"Device: {where.type} ({name})")
    print(f"Budget: {budget}, about {seconds[budget]} s in all on two CPU cores")
