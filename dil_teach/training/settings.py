"""Budgets of the methods' settings, and checks of their values."""

import dataclasses
import math
from typing import Any


def budget(about: str, **values: Any) -> Any:
    """A class method that returns settings: ``quick``, ``standard`` or ``full``.

    ``about`` is the docstring of this class method, and ``values`` are the settings
    that differ from the defaults. A caller can change any setting, for example
    ``Settings.full(seed=1)``.
    """

    def make_settings(cls: type, **changes: Any) -> Any:
        return cls(**{**values, **changes})

    make_settings.__doc__ = about
    return classmethod(make_settings)


def check_settings(settings: Any, **least: float) -> None:
    """Raise a ValueError unless settings are numbers of their kind and large enough.

    ``least`` maps the name of a setting to the smallest value that it may have. A
    setting whose default is an int must be whole; one whose default is a float, finite;
    one whose default is a tuple, a tuple of such numbers; and one whose default is
    None, None or whole.
    """
    for field in dataclasses.fields(settings):
        _check_kind(field.name, getattr(settings, field.name), field.default)
    for name, value in least.items():
        # `not >=`, because every comparison with NaN is false
        if not (got := getattr(settings, name)) >= value:
            raise ValueError(f"settings: expected {name} at least {value}, got {got}")
    for name, got in vars(settings).items():
        numbers = got if isinstance(got, tuple) else (got,)
        if any(isinstance(n, float) and not math.isfinite(n) for n in numbers):
            raise ValueError(f"settings: expected a finite {name}, got {got}")
    seed = getattr(settings, "seed", 0)
    if not -(2**63) <= seed < 2**64:
        raise ValueError(f"settings: expected a seed of 64 bits, got {seed}; try 0")


KINDS = {bool: (bool, "True or False"), int: (int, "whole"), float: (float, "a number")}
"""For each type of a default: the type that a value must have, and its name."""


def _check_kind(name: str, got: Any, default: Any) -> None:
    """Raise a ValueError unless a value has the kind of its default."""
    if default is None and got is not None:
        default = 0  # an optional whole number
    if isinstance(default, tuple):
        if not isinstance(got, tuple):
            raise ValueError(f"settings: expected {name} to be a tuple, got {got!r}")
        for number in got:
            _check_kind(name, number, default[0])
    elif type(default) in KINDS:
        kind, words = KINDS[type(default)]
        # a bool is an int, and an int may stand for a float
        alike = type(got) is int if kind is int else isinstance(got, kind)
        if not alike and not (kind is float and type(got) is int):
            raise ValueError(f"settings: expected {name} to be {words}, got {got!r}")
