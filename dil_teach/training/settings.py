"""Budgets of the methods' settings, and checks of their values."""

from typing import Any


def budget(about: str, **values: Any) -> Any:
    """A class method that returns settings: ``quick``, ``standard`` or ``full``.

    Parameters
    ----------
    about : str
        Docstring of the class method: the purpose and the training time.
    **values
        Settings that differ from the defaults. A caller can change any setting, as in
        ``Settings.full(seed=1)``.
    """

    def make_settings(cls: type, **changes: Any) -> Any:
        return cls(**{**values, **changes})

    make_settings.__doc__ = about
    return classmethod(make_settings)


def check_settings(settings: Any, **least: float) -> None:
    """Check that each named setting has at least the given value.

    Raises
    ------
    ValueError
        If a setting is smaller.
    """
    for name, value in least.items():
        if (got := getattr(settings, name)) < value:
            raise ValueError(f"settings: expected {name} at least {value}, got {got}")
