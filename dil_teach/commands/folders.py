"""Let each command that takes a picture take a folder of pictures, too."""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import tyro

from dil_teach.commands.checks import FORMATS, check_parent
from dil_teach.commands.options import say

RESULTS = {
    "out": "",
    "mask_out": ".png",
    "transmission_out": ".png",
    "airlight_out": ".json",
    "out_first": ".png",
    "out_second": ".png",
    "save_checkpoint": ".safetensors",
    "film": ".mp4",
}
"""Parameters that name a file to write, and its suffix in a folder of results; an empty
suffix is that of the picture. All other paths are files to read."""
NO_PICTURE = {
    "recurrence": ".png",
    "statistics": ".png",
    "estimate-kernel": ".npy",
    "compress": ".frac",
}
"""Suffix of ``out`` for commands whose result is no version of the picture."""
TAKE_FILMS = ("super-resolve", "denoise", "inpaint", "dehaze", "segment", "retarget")
"""Commands that also take a video."""
AsVideo = Annotated[
    bool,
    tyro.conf.FlagCreatePairsOff,
    tyro.conf.arg(
        help="IN is a folder with the frames of one video. Without it, a folder "
        "contains separate pictures: OUT is a folder for their results, and other "
        "paths are folders with one file for each picture, or one file for all."
    ),
]


def for_folders(name: str, command: Callable[..., str]) -> Callable[..., str]:
    """A command that takes a folder of pictures in place of its first argument.

    It works on one picture after the other, goes on after a picture that fails, and
    raises a ValueError at the end if one failed. A command that takes videos gets the
    option ``--as-video``: then the folder is passed on as it is.
    """
    if name == "decompress":  # its input is no picture
        return command
    signature = inspect.signature(command)
    first = next(iter(signature.parameters))
    films = name in TAKE_FILMS

    @functools.wraps(command)
    def run(*values: Any, as_video: bool = False, **options: Any) -> str:
        given = signature.bind(*values, **options)
        folder = given.arguments[first]
        if as_video and not (isinstance(folder, Path) and folder.is_dir()):
            raise ValueError(
                f"--as-video: expected a folder of frames, got {folder}; leave out "
                "--as-video"
            )
        if as_video or not (isinstance(folder, Path) and folder.is_dir()):
            return command(*values, **options)
        results = RESULTS | {"out": NO_PICTURE.get(name, "")}
        return _for_each(command, given, folder, first, results)

    if films:
        parameters = dict(signature.parameters)
        parameters["as_video"] = inspect.Parameter(
            "as_video", inspect.Parameter.KEYWORD_ONLY, default=False
        )
        run.__signature__ = signature.replace(parameters=[*parameters.values()])  # type: ignore[attr-defined]
        run.__annotations__ = command.__annotations__ | {"as_video": AsVideo}
    return run


def _for_each(
    command: Callable[..., str],
    given: inspect.BoundArguments,
    folder: Path,
    first: str,
    results: Mapping[str, str],
) -> str:
    """Call the command for each picture of a folder; tell at the end which failed."""
    from dil_teach.image.films import frame_files

    pictures = frame_files(folder)
    made = _prepare_results(folder, given, results)
    stems = [picture.stem.lower() for picture in pictures]
    failed: dict[str, str] = {}
    for picture in pictures:
        # two pictures of one stem, such as 1.png and 1.jpg, keep their whole names
        stem = picture.stem if stems.count(picture.stem.lower()) == 1 else picture.name
        try:
            each = inspect.BoundArguments(given.signature, given.arguments.copy())
            each.arguments[first] = picture
            for name, path in given.arguments.items():
                if name == first or not isinstance(path, Path):
                    continue
                if name in results:
                    suffix = results[name] or _same_suffix(picture)
                    each.arguments[name] = path / (stem + suffix)
                elif path.is_dir():
                    each.arguments[name] = _partner(path, picture)
            print(command(*each.args, **each.kwargs))
        except (ValueError, OSError) as error:
            failed[picture.name] = str(error)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "memory" not in str(error):
                raise  # a bug of ours
            failed[picture.name] = f"{picture}: not enough memory"
    for out in made:
        if not any(out.iterdir()):
            out.rmdir()
    for why in failed.values():
        say(f"failed: {' '.join(why.split())}")
    if failed:
        raise ValueError(
            f"{folder}: {len(failed)} of {len(pictures)} pictures failed: "
            f"{', '.join(failed)}; the others are done"
        )
    return f"{folder}: {len(pictures)} pictures done"


def _prepare_results(
    folder: Path, given: inspect.BoundArguments, results: Mapping[str, str]
) -> list[Path]:
    """Make the folders of the results that do not exist yet, and return them."""
    outs = [
        path
        for name, path in given.arguments.items()
        if name in results and isinstance(path, Path)
    ]
    for number, out in enumerate(outs):
        if not out.is_dir() and (out.suffix or out.exists()):
            raise ValueError(
                f"{out}: expected a folder for the results, because {folder} is a "
                "folder; name one without a dot"
            )
        taken = [each.resolve() for each in (folder, *outs[:number])]
        if out.resolve() in taken:
            raise ValueError(
                f"{out}: expected another folder for the results; name a new one"
            )
        check_parent(out)
    made = [out for out in outs if not out.exists()]
    for out in made:
        out.mkdir()
    return made


def _same_suffix(picture: Path) -> str:
    """The picture's own suffix, or .png if commands do not write its format."""
    return picture.suffix if picture.suffix.lower() in FORMATS else ".png"


def _partner(folder: Path, picture: Path) -> Path:
    """The file of a folder that belongs to a picture: its mask, for example."""
    found = [file for file in folder.iterdir() if file.stem == picture.stem]
    if len(found) != 1:
        raise ValueError(
            f"{folder}: expected one file with the name {picture.stem} for {picture}, "
            f"got {len(found)}"
        )
    return found[0]
