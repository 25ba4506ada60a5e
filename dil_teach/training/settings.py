"""Budgets of the methods' settings, and checks of their values."""

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
    """Raise a ValueError if a named setting is smaller than the given value."""
    for name, value in least.items():
        if (got := getattr(settings, name)) < value:
            raise ValueError(f"settings: expected {name} at least {value}, got {got}")
