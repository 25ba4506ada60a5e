"""Find the photographs and chapters that are installed with the library."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(relative: str) -> Path:
    """The path of a file or folder, given relative to the root of the repository.

    Example: ``"data/photos.json"``, in a checkout or in an installed package.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(
        f"{relative}: expected this in or beside {_PACKAGE}, found none; reinstall "
        "dil_teach, or run it from a complete checkout"
    )
