"""The first cell of each chapter: versions, device, budget and expected time."""

import os
import platform
from collections.abc import Mapping

import torch

import dil_teach

BUDGETS = ("quick", "standard", "full")


def device() -> torch.device:
    """The device of a chapter's images, and so of all its computations."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def start(budget: str, seconds: Mapping[str, int]) -> None:
    """Print versions, device, budget and expected time.

    On a CPU it limits torch to one thread in this kernel. It is idempotent.

    Parameters
    ----------
    budget : {"quick", "standard", "full"}
        It changes sizes and numbers of steps, never the method.
    seconds : dict of budget to int
        Time of the whole chapter on two CPU cores.

    Raises
    ------
    ValueError
        If the budget is none of these.
    """
    if budget not in BUDGETS:
        raise ValueError(
            f"budget: expected one of {', '.join(BUDGETS)}, got {budget!r}; change it "
            "in the cell above"
        )
    where = device()
    if where.type == "cuda":
        name = torch.cuda.get_device_name(where)
    else:
        # The small batches of one image hardly fill one core. A second thread mostly
        # waits for the first, on a busy machine ten times longer than it computes.
        torch.set_num_threads(1)
        name = f"one thread of {os.cpu_count()} cores"
    print(
        f"dil_teach {dil_teach.__version__}, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
    print(f"Device: {where.type} ({name})")
    print(f"Budget: {budget}, about {seconds[budget]} s in all on two CPU cores")
