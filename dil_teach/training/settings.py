"""Budgets of the methods' settings, and checks of their values."""

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
    """Raise a ValueError unless all settings are finite and the named ones are large.

    ``least`` maps the name of a setting to the smallest value that it may have. Every
    setting that is a float must be finite, whether it is named or not.
    """
    for name, value in least.items():
        # `not >=`, because every comparison with NaN is false
        if not (got := getattr(settings, name)) >= value:
            raise ValueError(f"settings: expected {name} at least {value}, got {got}")
    for name, got in vars(settings).items():
        if isinstance(got, float) and not math.isfinite(got):
            raise ValueError(f"settings: expected a finite {name}, got {got}")
