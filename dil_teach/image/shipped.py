"""Find the photographs and chapters that ship with the library."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(relative: str) -> Path:
    """Return the path of a shipped file or folder, in a checkout or an installed wheel.

    Parameters
    ----------
    relative : str
        Path relative to the root of the repository, such as ``"data/photos.json"`` or
        ``"notebooks"``.

    Returns
    -------
    Path
        The existing file or folder.

    Raises
    ------
    FileNotFoundError
        If it is neither in the checkout nor in the wheel.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(
        f"{relative}: expected it in or beside {_PACKAGE}, found none; reinstall "
        "dil_teach, or run it from a complete checkout"
    )
