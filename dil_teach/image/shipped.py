"""Where the photographs and chapters that ship with the library lie."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(relative: str) -> Path:
    """Path of a shipped file or folder, in a checkout and in an installed wheel alike.

    Parameters
    ----------
    relative : str
        Path below the repository's root, such as ``"data/photos.json"`` or
        ``"notebooks"``.

    Returns
    -------
    Path
        The existing file or folder.

    Raises
    ------
    FileNotFoundError
        If it lies neither in the checkout nor in the wheel.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(
        f"{relative} does not ship with this dil_teach (looked beside {_PACKAGE}): "
        "reinstall the package, or run from a complete checkout"
    )
