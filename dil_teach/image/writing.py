"""Write files completely or not at all, several of them together."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class _Staged:
    """A file or folder that is not yet at its place."""

    path: Path
    """As the caller named it, for messages."""
    target: Path
    """The same, with symbolic links followed."""
    hidden: Path
    """A private folder beside the target."""

    @property
    def place(self) -> Path:
        """Where the caller writes."""
        return self.hidden / "new" / self.target.name

    @property
    def old(self) -> Path:
        """What was at the target before."""
        return self.hidden / "old"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file or folder; rename it to ``path`` at the end.

    As :func:`written_together`, for one path.
    """
    with written_together([path]) as (place,):
        yield place


@contextmanager
def written_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Yield temporary paths for files or folders; rename all of them at the end.

    Each temporary path has the same name, in a private folder beside its target. If the
    block or the renaming fails or is interrupted, all targets are as before. So no file
    is ever incomplete. Symbolic links are followed. A new file gets the mode of the
    file that it replaces, or that of the umask. An empty folder is replaced.

    An OSError is raised if a target cannot be written, or if something other than a
    file or a folder is there.
    """
    staged: list[_Staged] = []
    try:
        for path in paths:
            with _errors_name([path], []):
                staged.append(_stage(path))
        with _errors_name(paths, staged):
            yield [each.place for each in staged]
            for each in staged:
                _finish(each)
            _rename_all(staged)
    finally:
        for each in staged:
            shutil.rmtree(each.hidden, ignore_errors=True)


def write_file(place: Path, content: bytes) -> None:
    """Write bytes to a file; raise an OSError if the disk has no room for all."""
    with open(place, "wb") as file:
        file.write(content)


def _stage(path: Path) -> _Staged:
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; create it first")
    check_replaceable(path)
    hidden = Path(tempfile.mkdtemp(prefix=".", dir=target.parent))
    (hidden / "new").mkdir()
    return _Staged(path, target, hidden)


def check_replaceable(path: Path) -> None:
    """Raise an OSError if there is a device, a pipe or a socket at a path."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(
            f"{path}: expected a file to write, got a device or a pipe; name a file"
        )


@contextmanager
def _errors_name(paths: Sequence[Path], staged: Sequence[_Staged]) -> Iterator[None]:
    """Let the message of an OSError name the caller's path, not the temporary one."""
    try:
        yield
    except OSError as error:
        if error.strerror is None:  # our own message, with the temporary path
            message = str(error)
            for each in staged:
                message = message.replace(str(each.place), str(each.path))
            raise type(error)(message) from None
        named = str(error.filename or "")
        inside = [each.path for each in staged if named.startswith(str(each.hidden))]
        raise OSError(
            f"{(inside or paths)[0]}: cannot be written ({error.strerror}); "
            "choose a folder that you may write to, with enough room"
        ) from None


def _finish(each: _Staged) -> None:
    """Bring a written file or folder to the disk, with its final mode."""
    folder = each.place.is_dir()
    for file in each.place.rglob("*") if folder else [each.place]:
        if file.is_file():
            with open(file, "rb+") as written:
                os.fsync(written)
    if not folder:
        if each.target.is_dir():
            raise OSError(f"{each.path}: expected a file to write, got a folder")
        same_mode = each.target
        if not same_mode.exists():
            same_mode = each.hidden / "mode"
            same_mode.touch()  # as the umask says; safetensors hides its files
        each.place.chmod(same_mode.stat().st_mode & 0o777)


def _rename_all(staged: Sequence[_Staged]) -> None:
    begun: list[_Staged] = []
    try:
        for each in staged:
            begun.append(each)
            if each.target.is_dir():
                each.target.rmdir()  # some systems cannot rename onto an empty folder
                each.old.mkdir()
            elif each.target.exists():
                _link(each.target, each.old)  # so that there is a file at any moment
            os.replace(each.place, each.target)
    except BaseException:
        for each in reversed(begun):
            if not each.place.exists() and not each.old.is_file():
                os.replace(each.target, each.place)
            if each.old.exists():
                os.replace(each.old, each.target)
        raise


def _link(file: Path, other: Path) -> None:
    try:
        os.link(file, other)
    except OSError:  # some file systems have no hard links
        shutil.copy2(file, other)
