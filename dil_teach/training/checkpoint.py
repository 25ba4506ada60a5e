"""Checkpoints: save a method to one safetensors file, and resume it."""

import dataclasses
import importlib
import json
from functools import partial
from hashlib import sha256
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from dil_teach.image.convention import Image, Video
from dil_teach.image.files import written_whole
from dil_teach.training.loop import SingleImageMethod
from dil_teach.training.state import load_state, state_of


def save(
    method: SingleImageMethod,
    path: str | Path,
    provenance: dict[str, str] | None = None,
) -> None:
    """Save a method's arguments and state to a safetensors file.

    The file is written completely or not at all. The file contains a hash of the image,
    so that :func:`resume` can check that it gets the same image, and a hash of all the
    rest, so that it can refuse a damaged file.

    An OSError is raised if the file cannot be written, and a ValueError if an argument
    of the method is a function from outside this library.

    Parameters
    ----------
    method : SingleImageMethod
        A method at any step of its training.
    path : str or Path
        The file to write, usually ``*.safetensors``.
    provenance : dict of str, optional
        The origin of the file, saved in its metadata.
    """
    tensors: dict[str, Tensor] = {}
    tree = {
        "method": _name(type(method)),
        "image": _fingerprint(method.image),
        "arguments": _without_tensors(method.arguments, "arguments", tensors),
        "state": _without_tensors(state_of(method), "state", tensors),
    }
    tree["sha256"] = digest(tree, tensors)
    about = {**(provenance or {}), "dil_teach": json.dumps(tree)}
    with written_whole(Path(path)) as place:
        save_file(tensors, place, about)


def resume(path: str | Path, image: Image | Video) -> Any:
    """Load a method from a file, to continue training or to use its result.

    On a CPU, training that is stopped and resumed gives the same bits as without stop.

    A FileNotFoundError is raised if there is no such file. A ValueError is raised if
    :func:`save` did not write the file, if the file is damaged, if this version of the
    library cannot read it, or if the method was trained on another image.

    Files of earlier versions have no hash. They are accepted, because keys and shapes
    are compared with those of a new method: damage can only change the numbers.

    Parameters
    ----------
    path : str or Path
        A file that :func:`save` wrote.
    image : Image or Video
        The image that the method was trained on.

    Returns
    -------
    SingleImageMethod
        A method of the class that was saved.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint; check the name")
    here = _fingerprint(image)
    expected = "that dil_teach saved, got another or a damaged file"
    try:
        with safe_open(path, "pt") as file:
            tree = json.loads((file.metadata() or {})["dil_teach"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        _check_whole(tree, tensors)
        size = tree["image"]["shape"]
        if tree["image"] == here:
            expected = "that this version of dil_teach can read, got another"
            arguments = _with_tensors(tree["arguments"], tensors)
            method = _named(tree["method"], type)(image, **arguments)
            load_state(method, _with_tensors(tree["state"], tensors))
            if not 0 <= method.step <= method.total_steps:
                raise ValueError(f"step {method.step} of {method.total_steps}")
            return method
    except Exception as error:  # a damaged or an old file can cause any error
        why = str(error).partition("\n")[0].rstrip(":")  # torch lists all weights
        raise ValueError(
            f"{path}: expected a checkpoint {expected} ({why}); train and save again"
        ) from None
    raise ValueError(
        f"image: {path} was trained on another image (size {size}, here "
        f"{here['shape']}); resume with that image"
    )


def _fingerprint(image: Image | Video) -> dict[str, Any]:
    if not isinstance(image, Tensor):
        raise ValueError(
            f"image: expected the training image, a tensor, got {type(image)}; "
            "load_image and photo return one"
        )
    return {"shape": list(image.shape), "sha256": sha256(_bytes(image)).hexdigest()}


def _bytes(tensor: Tensor) -> memoryview:
    """The bytes of a tensor of any type, in the order of its values."""
    values = tensor.detach().cpu().contiguous().flatten()
    return values.view(torch.uint8).numpy().data


def digest(description: Any, tensors: dict[str, Tensor]) -> str:
    """SHA-256 over JSON values and tensors with their names, types and shapes."""
    found = sha256(json.dumps(description).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        found.update(_bytes(tensor))
    return found.hexdigest()


def _check_whole(tree: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Raise a ValueError unless a file has the known keys, and the hash it names."""
    wanted = tree.pop("sha256", None)
    if set(tree) != {"method", "image", "arguments", "state"}:
        raise ValueError("other keys")
    if wanted is not None and wanted != digest(tree, tensors):
        raise ValueError("its content does not match its SHA-256")


def _without_tensors(tree: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The tree as JSON values; its tensors are moved to ``tensors``, by name."""
    if isinstance(tree, Tensor):
        tensors[name] = tree.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
        fields = _without_tensors(fields, name, tensors)
        return {"dataclass": _name(type(tree)), "fields": fields}
    if isinstance(tree, FunctionType):
        if not tree.__module__.startswith("dil_teach.") or "<" in tree.__qualname__:
            raise ValueError(
                f"{name}: expected a function of dil_teach, got '{tree.__qualname__}'; "
                "use such a function, or do not save"
            )
        return {"function": _name(tree)}
    if isinstance(tree, partial):
        parts = [tree.func, list(tree.args), tree.keywords]
        return {"partial": _without_tensors(parts, name, tensors)}
    if isinstance(tree, dict):
        # as pairs, because JSON has only string keys, and optimizers have number keys
        pairs = [
            [key, _without_tensors(value, f"{name}.{key}", tensors)]
            for key, value in tree.items()
        ]
        return {"dict": pairs}
    if isinstance(tree, tuple):
        return {"tuple": _without_tensors(list(tree), name, tensors)}
    if isinstance(tree, list):
        return [_without_tensors(v, f"{name}.{i}", tensors) for i, v in enumerate(tree)]
    return tree


def _with_tensors(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of :func:`_without_tensors`."""
    if isinstance(tree, list):
        return [_with_tensors(value, tensors) for value in tree]
    if not isinstance(tree, dict):
        return tree
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "dataclass" in tree:
        kind = _named(tree["dataclass"], type)
        fields = _with_tensors(tree["fields"], tensors)
        for name, value in getattr(kind, "CONSTANT", {}).items():
            if (saved := fields.pop(name, value)) != value:
                raise ValueError(
                    f"expected {name} = {value}, because this version supports no "
                    f"other value, got {saved}"
                )
        return kind(**fields)
    if "function" in tree:
        return _named(tree["function"], FunctionType)
    if "partial" in tree:
        function, arguments, named = _with_tensors(tree["partial"], tensors)
        return partial(function, *arguments, **named)
    if "tuple" in tree:
        return tuple(_with_tensors(tree["tuple"], tensors))
    return {key: _with_tensors(value, tensors) for key, value in tree["dict"]}


def _name(part: type | FunctionType) -> str:
    return f"{part.__module__}:{part.__qualname__}"


def _named(name: str, kind: type) -> Any:
    """Find a class or function of this library by its :func:`_name`.

    A public class may have moved to another module since the name was saved.
    """
    import dil_teach

    module, _, attribute = name.partition(":")
    found = None
    if attribute in dil_teach.__all__:
        found = getattr(dil_teach, attribute)
    elif module.startswith("dil_teach."):
        found = getattr(importlib.import_module(module), attribute)
    if not isinstance(found, kind) or not found.__module__.startswith("dil_teach."):
        raise ValueError(f"expected a part of dil_teach, got '{name}'")
    return found
