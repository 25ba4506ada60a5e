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

    On a CPU it sets torch to one thread, for this kernel.

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
    if where.type == "cuda":
        name = torch.cuda.get_device_name(where)
    else:
        # Single images cut into 16 x 16 sons hardly fill one core. A second thread
        # mostly waits for the first: on a busy machine ten times longer than it works.
        torch.set_num_threads(1)
        name = f"one thread of {os.cpu_count()} cores"
    print(
        f"dil_teach {dil_teach.__version__}, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
    print(f"Device: {where.type} ({name})")
    print(f"Budget: {budget}, about {seconds[budget]} s in all on two CPU cores")
