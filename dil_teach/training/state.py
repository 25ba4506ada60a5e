"""Everything that training changes in a method: copy it, and restore it."""

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from dil_teach.training.adam import Adam

MOMENTS = {"step", "exp_avg", "exp_avg_sq"}
"""The state of Adam for each weight."""


def state_of(part: Any) -> Any:
    """A copy of everything that training changes in a method or in a part of it.

    A part is an object with ``state_dict``, such as a network or an optimizer; an
    object with ``STATE``, such as a method; a random generator; or a value. The copy
    consists of nested dicts and lists of tensors, numbers, strings and None.
    """
    if isinstance(part, torch.Generator):
        return part.get_state()
    if hasattr(part, "state_dict"):
        part = part.state_dict()  # the tensors themselves, not copies
    elif hasattr(part, "STATE"):
        return {name: state_of(getattr(part, name)) for name in part.STATE}
    return copy.deepcopy(part)


def load_state(part: Any, state: dict[str, Any]) -> None:
    """Restore a method, or a part of it, from the result of :func:`state_of`.

    A part with a method ``load_state_dict`` restores itself. For other parts, the
    attributes in ``STATE`` are set; a KeyError is raised if the state lacks an
    attribute. The state may be on another device.
    """
    if hasattr(part, "load_state_dict"):
        part.load_state_dict(state)
    else:
        load_attributes(part, state, part.STATE)


def load_attributes(method: Any, state: dict[str, Any], names: Sequence[str]) -> None:
    """Restore the named attributes of a method, as :func:`load_state` does."""
    for name in names:
        value, saved = getattr(method, name), copy.deepcopy(state[name])
        if isinstance(value, torch.Generator):
            value.set_state(saved)
        elif isinstance(value, Adam):
            _load_optimizer(value, saved, name)
        elif hasattr(value, "load_state_dict") or hasattr(value, "STATE"):
            load_state(value, saved)
        else:
            _check_kind(value, saved, name)
            setattr(method, name, _on_device(saved, method.image.device))


def _load_optimizer(optimizer: Adam, state: Any, name: str) -> None:
    """Restore the learning rates and the state of Adam; its options stay as they are.

    Shapes are compared, because Adam would read beyond the end of a short tensor.
    """
    groups = optimizer.state_dict()["param_groups"]
    saved = state["param_groups"]
    if [group["params"] for group in saved] != [group["params"] for group in groups]:
        raise ValueError(f"{name}: other groups of weights")
    for group, old in zip(groups, saved, strict=True):
        _check_kind(group["lr"], old["lr"], name)
    weights = optimizer.weights
    for number, moments in state["state"].items():
        if number not in range(len(weights)) or set(moments) != MOMENTS:
            raise ValueError(f"{name}: other weights, or other keys")
        wanted = torch.zeros_like(weights[number], device="cpu")
        for key, moment in moments.items():
            _check_kind(wanted.sum() if key == "step" else wanted, moment, name)
    optimizer.load_state_dict(state)


def _check_kind(value: Any, saved: Any, name: str) -> None:
    """Raise a ValueError unless a saved value can replace a value of a new method.

    Tensors must have the same shape, and numbers stay whole or fractional. Of lists,
    only the length is compared. None stands for a list or another value not made yet.
    """
    if isinstance(value, Tensor):
        alike = isinstance(saved, Tensor) and saved.shape == value.shape
        alike = alike and saved.is_floating_point() == value.is_floating_point()
    elif isinstance(value, list):
        alike = saved is None or (type(saved) is list and len(saved) == len(value))
    elif isinstance(value, float):
        alike = type(saved) in (int, float)
    else:
        alike = value is None or type(saved) is type(value)
    if not alike:
        raise ValueError(f"{name}: a value of another kind or shape")


def _on_device(value: Any, device: torch.device) -> Any:
    if isinstance(value, list):
        return [_on_device(item, device) for item in value]
    return value.to(device) if isinstance(value, Tensor) else value
