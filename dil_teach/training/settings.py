"""Settings of the methods: their budgets, and the checks of their values."""

from typing import Any


def budget(about: str, **values: Any) -> Any:
    """A class method that makes settings: ``quick``, ``standard`` or ``full``.

    Parameters
    ----------
    about : str
        Its docstring: the purpose, and the time that training takes.
    **values
        Settings that differ from their defaults. A caller can change these and others:
        ``Settings.full(seed=1)``.
    """

    def make_settings(cls: type, **changes: Any) -> Any:
        return cls(**{**values, **changes})

    make_settings.__doc__ = about
    return classmethod(make_settings)


def check_settings(settings: Any, **least: float) -> None:
    """Check that settings are not below their least values, given by name.

    Raises
    ------
    ValueError
        If one is.
    """
    for name, value in least.items():
        if (got := getattr(settings, name)) < value:
            raise ValueError(f"settings: expected {name} at least {value}, got {got}")
