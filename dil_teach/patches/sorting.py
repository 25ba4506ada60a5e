"""Sort the values of many rows, with gradients."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


def sort_rows(rows: Float[Tensor, "n values"]) -> Float[Tensor, "n values"]:
    """The values of each row in ascending order; gradients flow back to the rows.

    On a CPU, numpy sorts with vector instructions: for 64 rows of 2,048 values, it
    takes less than a third of torch's time to find the order, and less than a tenth to
    sort values without gradients (measured).
    """
    if rows.device.type != "cpu":
        return rows.sort(dim=1).values
    values = rows.detach().numpy()
    if not rows.requires_grad:
        return torch.from_numpy(np.sort(values, axis=1))
    return rows.gather(1, torch.from_numpy(np.argsort(values, axis=1)))
