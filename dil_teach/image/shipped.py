"""Find the photographs and chapters that ship with the library."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def shipped(relative: str) -> Path:
    """The path of a shipped file or folder, in a checkout or an installed wheel.

    ``relative`` is relative to the root of the repository: ``"data/photos.json"``. A
    FileNotFoundError is raised if nothing is there.
    """
    for root in (_PACKAGE / "_shipped", _PACKAGE.parent):
        if (root / relative).exists():
            return root / relative
    raise FileNotFoundError(
        f"{relative}: expected it in or beside {_PACKAGE}, found none; reinstall "
        "dil_teach, or run it from a complete checkout"
    )
