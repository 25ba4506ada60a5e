"""The Adam optimizer: Kingma and Ba, ICLR 2015."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

EPSILON = 1e-8
"""Added to the denominator of a step, as in the paper."""


class Adam:
    """Adam with the kernels and the results of ``torch.optim.Adam``.

    The first object of the class ``torch.optim.Adam`` imports torch's compiler, which
    takes two seconds. This class does not use the compiler.

    Parameters
    ----------
    parameters : iterable of Tensor, or of dict
        The weights; or groups of weights, each a dict with ``"params"`` and options
        that replace those below. The option ``"maximize"`` is True for weights that
        increase the loss.
    lr : float
        Learning rate. To change the rate, change ``group["lr"]`` of each group in
        ``param_groups``.
    betas : (float, float)
        Decay rates of the moving averages of the gradient and of its square.
    """

    def __init__(
        self,
        parameters: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        weights = list(parameters)
        groups = [each for each in weights if isinstance(each, dict)]
        for group in groups or [{"params": weights}]:
            options = {"lr": lr, "betas": betas, "maximize": False, **group}
            self.param_groups.append({**options, "params": list(group["params"])})

    @property
    def weights(self) -> list[Tensor]:
        """The weights of all groups."""
        return [weight for group in self.param_groups for weight in group["params"]]

    def zero_grad(self) -> None:
        """Forget the gradients of all weights."""
        for weight in self.weights:
            weight.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Update all weights that have a gradient."""
        for group in self.param_groups:
            weights = [w for w in group["params"] if w.grad is not None]
            if not weights:
                continue
            self.state |= {w: _moments(w) for w in weights if w not in self.state}
            moments = [self.state[weight] for weight in weights]
            beta1, beta2 = group["betas"]
            adam(
                weights,
                [weight.grad for weight in weights],
                *([m[key] for m in moments] for key in ("exp_avg", "exp_avg_sq")),
                max_exp_avg_sqs=[],
                state_steps=[m["step"] for m in moments],
                fused=weights[0].device.type != "mps",
                amsgrad=False,
                beta1=beta1,
                beta2=beta2,
                lr=group["lr"],
                weight_decay=0.0,
                eps=EPSILON,
                maximize=group["maximize"],
            )

    def state_dict(self) -> dict[str, Any]:
        """The state as numbered weights, in the form of ``torch.optim.Adam``."""
        numbers = {weight: number for number, weight in enumerate(self.weights)}
        groups = [
            {**group, "params": [numbers[weight] for weight in group["params"]]}
            for group in self.param_groups
        ]
        state = {numbers[weight]: moments for weight, moments in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Restore the state and the learning rates; the other options stay."""
        for group, old in zip(self.param_groups, saved["param_groups"], strict=True):
            group["lr"] = old["lr"]
        weights = self.weights
        self.state = {
            weights[number]: {
                key: value.to(weights[number]) for key, value in m.items()
            }
            for number, m in saved["state"].items()
        }


def _moments(weight: Tensor) -> dict[str, Tensor]:
    """The state of a weight before the first step."""
    return {
        "step": weight.new_zeros(()),
        "exp_avg": torch.zeros_like(weight),
        "exp_avg_sq": torch.zeros_like(weight),
    }
