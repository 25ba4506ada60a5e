"""The first cell of each chapter: what runs, where, and how long it takes."""

import os
import platform
from collections.abc import Mapping

import torch

import dil_teach

BUDGETS = ("quick", "standard", "full")


def device() -> torch.device:
    """Where a chapter puts its images, and with them all that it computes."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def start(budget: str, seconds: Mapping[str, int]) -> None:
    """Print versions, device, budget and expected time; can be run again at will.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
        Changes sizes and numbers of steps, never the method.
    seconds : dict of budget to int
        What the chapter takes from its first cell to its last, on two CPU cores.

    Raises
    ------
    ValueError
        If there is no such budget.
    """
    if budget not in BUDGETS:
        raise ValueError(
            f"budget must be one of {', '.join(BUDGETS)}, got {budget!r}: "
            "change it in the cell above"
        )
    where = device()
    name = (
        torch.cuda.get_device_name(where)
        if where.type == "cuda"
        else f"{os.cpu_count()} CPU cores"
    )
    print(
        f"dil_teach {dil_teach.__version__}, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
    print(f"Device: {where.type} ({name})")
    print(f"Budget: {budget}, about {seconds[budget]} s in all on two CPU cores")
