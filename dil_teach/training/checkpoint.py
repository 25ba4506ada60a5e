"""Checkpoints: a method's whole state in one safetensors file, and back."""

import copy
import dataclasses
import hashlib
import importlib
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dil_teach.image.convention import Image, Video
from dil_teach.image.files import written_whole
from dil_teach.training.loop import SingleImageMethod


def state_of(method: SingleImageMethod, names: Sequence[str]) -> dict[str, Any]:
    """A copy of a method's attributes: what its ``state_dict`` returns.

    Parameters
    ----------
    method : SingleImageMethod
        Whose state is wanted.
    names : sequence of str
        Its attributes that change as it learns: networks and optimizers (by their own
        ``state_dict``), random generators, tensors, and plain values.

    Returns
    -------
    dict of str to Any
        Nested dicts and lists of tensors, numbers, strings and None.
    """
    state = {}
    for name in names:
        value = getattr(method, name)
        if isinstance(value, torch.Generator):
            value = value.get_state()
        elif hasattr(value, "state_dict"):
            value = value.state_dict()
        state[name] = value
    return copy.deepcopy(state)  # torch returns the very tensors that it trains


def load_state(
    method: SingleImageMethod, names: Sequence[str], state: dict[str, Any]
) -> None:
    """Give a method's attributes the values that :func:`state_of` returned.

    Parameters
    ----------
    method : SingleImageMethod
        Whose attributes change.
    names : sequence of str
        As for :func:`state_of`.
    state : dict of str to Any
        As :func:`state_of` returned it; it may lie on another device.

    Raises
    ------
    KeyError
        If one of the names is missing in the state.
    """
    for name in names:
        value, saved = getattr(method, name), copy.deepcopy(state[name])
        if isinstance(value, torch.Generator):
            value.set_state(saved)
        elif hasattr(value, "load_state_dict"):
            value.load_state_dict(saved)
        else:
            setattr(method, name, _on_device(saved, method.image.device))


def _on_device(value: Any, device: torch.device) -> Any:
    if isinstance(value, list):
        return [_on_device(item, device) for item in value]
    return value.to(device) if isinstance(value, Tensor) else value


def save(
    method: SingleImageMethod,
    path: str | Path,
    provenance: dict[str, str] | None = None,
) -> None:
    """Write a method's whole state to a safetensors file.

    The file is written whole or not at all. It holds the image's hash, so that
    :func:`resume` can tell whether it gets the same image.

    Parameters
    ----------
    method : SingleImageMethod
        Trained as far as it is.
    path : str or Path
        Where to, usually ``*.safetensors``.
    provenance : dict of str, optional
        Where the file comes from: kept in its metadata.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    """
    tensors: dict[str, Tensor] = {}
    tree = {
        "method": f"{type(method).__module__}:{type(method).__qualname__}",
        "image": _fingerprint(method.image),
        "arguments": _without_tensors(method.arguments(), "arguments", tensors),
        "state": _without_tensors(method.state_dict(), "state", tensors),
    }
    about = {**(provenance or {}), "dil_teach": json.dumps(tree)}
    with written_whole(Path(path)) as place:
        save_file(tensors, place, about)


def resume(path: str | Path, image: Image | Video) -> Any:
    """The method that was saved to a file, ready to carry on.

    On a CPU it carries on bit for bit as if it had never stopped.

    Parameters
    ----------
    path : str or Path
        A file that :func:`save` wrote.
    image : Image or Video
        What the method was learning from.

    Returns
    -------
    SingleImageMethod
        Of the class that was saved.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not one of :func:`save`'s, or the image is another one.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such checkpoint; check the name")
    try:
        with safe_open(path, "pt") as file:
            tree = json.loads((file.metadata() or {})["dil_teach"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        trained_on = tree["image"]["shape"], tree["image"]["sha256"]
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path}: expected a checkpoint that dil_teach saved, got another or a "
            f"damaged file ({error}); save it again"
        ) from None
    here = _fingerprint(image)
    if trained_on != (here["shape"], here["sha256"]):
        raise ValueError(
            f"image: {path} was trained on another image (size {trained_on[0]}, here "
            f"{here['shape']}); resume with that one"
        )
    try:
        arguments = _with_tensors(tree["arguments"], tensors)
        method = _named(tree["method"], type)(image, **arguments)
        method.load_state_dict(_with_tensors(tree["state"], tensors))
    except (TypeError, KeyError, AttributeError, RuntimeError, ImportError) as error:
        why = str(error).partition("\n")[0].rstrip(":")  # torch lists every weight
        raise ValueError(
            f"{path}: expected a checkpoint that this version of dil_teach can read, "
            f"got another ({why}); train and save again"
        ) from None
    return method


def _fingerprint(image: Image | Video) -> dict[str, Any]:
    values = image.detach().cpu().contiguous().numpy().tobytes()
    return {"shape": list(image.shape), "sha256": hashlib.sha256(values).hexdigest()}


def _without_tensors(tree: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The tree as JSON holds it; its tensors move to ``tensors``, by name."""
    if isinstance(tree, Tensor):
        tensors[name] = tree.detach().cpu().contiguous().clone()
        return {"tensor": name}
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree)}
        kind = f"{type(tree).__module__}:{type(tree).__qualname__}"
        return {"dataclass": kind, "fields": _without_tensors(fields, name, tensors)}
    if isinstance(tree, FunctionType):
        return {"function": f"{tree.__module__}:{tree.__qualname__}"}
    if isinstance(tree, partial):
        parts = [tree.func, list(tree.args), tree.keywords]
        return {"partial": _without_tensors(parts, name, tensors)}
    if isinstance(tree, dict):
        # pairs, because JSON's own keys are strings alone and an optimizer's are not
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
                    f"checkpoint: expected {name} = {value}, the only value that this "
                    f"version of dil_teach has, got {saved}; train again"
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


def _named(name: str, kind: type) -> Any:
    """The part of this library with this name; a file must not name other code.

    Public classes are found by their own name, so that files outlive a move between
    modules.
    """
    import dil_teach

    module, _, attribute = name.partition(":")
    found = None
    if attribute in dil_teach.__all__:
        found = getattr(dil_teach, attribute)
    elif module.startswith("dil_teach."):
        found = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(found, kind) or not found.__module__.startswith("dil_teach."):
        raise ValueError(f"checkpoint: expected a part of dil_teach, got '{name}'")
    return found
