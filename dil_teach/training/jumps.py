"""Undo an update of a network that suddenly makes its gradient long.

Adam at a constant learning rate sometimes takes a step into a place where the loss is
steep. The gradient there is several times longer than before, the next steps are wrong
too, and the loss grows for many steps.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.utils import parameters_to_vector, vector_to_parameters

JUMP = 4.0
"""A gradient that is this many times longer than usual counts as a jump. Deep Image
Prior once lost 6 dB at 256 x 256 pixels after a gradient 16 times as long as usual."""


class JumpGuard(nn.Module):
    """The weights of networks before their last update, and usual gradient lengths.

    These values are buffers, so that checkpoints save them. The networks have equally
    many weights.
    """

    before: Tensor
    usual: Tensor

    def __init__(self, networks: Iterable[nn.Module]) -> None:
        super().__init__()
        self.weights = [list(network.parameters()) for network in networks]
        before = [parameters_to_vector(weights) for weights in self.weights]
        self.register_buffer("before", torch.stack(before).detach())
        self.register_buffer("usual", self.before.new_zeros(len(before)))

    def undo_jumps(self) -> int:
        """Undo the last update of each network whose gradient is suddenly long.

        Call this function between ``backward`` and the optimizer's step. After a jump,
        a network has its weights from before the last update, and its gradients are
        None, so that the optimizer leaves it as it is. The length that counts as usual
        then grows by a tenth, so that training cannot come to a halt.

        Returns
        -------
        int
            The number of networks whose last update was undone.
        """
        undone = 0
        for weights, before, usual in zip(
            self.weights, self.before, self.usual, strict=True
        ):
            gradients = [w.grad.flatten() for w in weights if w.grad is not None]
            length = torch.cat(gradients).norm()
            if usual > 0 and length > JUMP * usual:
                undone += 1
                usual *= 1.1
                vector_to_parameters(before.clone(), weights)
                for weight in weights:
                    weight.grad = None
            else:
                usual += (0.1 if usual > 0 else 1.0) * (length - usual)
                before.copy_(parameters_to_vector(weights).detach())
        return undone
