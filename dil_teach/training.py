"""The one training loop, and saving and resuming.

The method owns its state; the loop is disposable. Stop a loop anywhere, start another
on the same method, and it carries on at the next step.
"""

import dataclasses
import hashlib
import importlib
import json
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dil_teach.image import Image, Video


@runtime_checkable
class SingleImageMethod(Protocol):
    """What the loop asks of a method. Nobody inherits it."""

    image: Image | Video
    """The one image that it learns from, or the few that share a layer."""
    step: int
    """Training steps taken so far."""
    total_steps: int
    """Steps after which it stops at the latest."""

    @property
    def done(self) -> bool:
        """Its stopping rule: whether there is nothing left to learn."""
        ...

    def train_step(self) -> dict[str, Tensor]:
        """One step: data, loss, update. Returns the losses by name."""
        ...

    def arguments(self) -> dict[str, Any]:
        """What, beside the image, it was constructed with, by name."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that carrying on needs: nested dicts of tensors, numbers and strings."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state that :meth:`state_dict` gave."""
        ...


Method = TypeVar("Method", bound=SingleImageMethod)


@dataclasses.dataclass(frozen=True)
class Progress:
    """What a loop reports: where the method stands, and its losses of that step."""

    step: int
    total_steps: int
    losses: dict[str, float]
    done: bool


def train(method: SingleImageMethod, report_every: int = 50) -> Iterator[Progress]:
    """Train a method until it is done, reporting as it goes.

    It never prints, draws or saves. An interrupt (Ctrl-C, a notebook's stop button) is
    held back until the step in hand is whole; then train again to carry on.

    Parameters
    ----------
    method : SingleImageMethod
        Its state changes; it needs no loop's help to carry on.
    report_every : int
        Reports fall on the multiples of this, and on the last step.

    Yields
    ------
    Progress

    Raises
    ------
    ValueError
        If ``report_every`` is not positive.
    """
    if report_every < 1:
        raise ValueError(f"report_every: expected at least 1 step, got {report_every}")
    while not method.done:
        with _interrupts_held_back():
            losses = method.train_step()
        if method.done or method.step % report_every == 0:
            values = {name: float(loss) for name, loss in losses.items()}
            yield Progress(method.step, method.total_steps, values, method.done)


@contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Let an interrupt through at the end of the block, not inside it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers interrupts to the main thread alone
        return
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield  # ignored, or not Python's to handle
        return
    held: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held:
        before(*held[0])


def fit(method: Method) -> Method:
    """Train a method to its end, and return it."""
    for _ in train(method):
        pass
    return method


def fit_all(methods: Iterable[Method]) -> list[Method]:
    """Train several methods to their ends, side by side, and return them.

    As many at a time as there are cores, each in a thread of its own: what they learn
    is the same to the bit as one after another. An interrupt is held back until the
    steps in hand are whole; then train again to carry on.

    Parameters
    ----------
    methods : iterable of SingleImageMethod
        No two of which share anything that is trained.

    Returns
    -------
    list of SingleImageMethod
        The same, in their order.
    """
    methods = list(methods)
    stopped = threading.Event()

    def work(method: SingleImageMethod) -> None:
        while not (method.done or stopped.is_set()):
            method.train_step()

    at_a_time = max((os.cpu_count() or 1) // torch.get_num_threads(), 1)
    with ThreadPoolExecutor(at_a_time) as pool:
        try:
            with _interrupts_held_back():  # else a thread might start unseen
                tasks = [pool.submit(work, method) for method in methods]
            for task in as_completed(tasks):
                task.result()
        except BaseException:  # an interrupt is one
            stopped.set()
            raise
    return methods


def autocast(device: torch.device, wanted: bool = True) -> torch.autocast:
    """A context in which convolutions use bfloat16, where the processor has it.

    Elsewhere it changes nothing: emulated bfloat16 is slower than float32.
    """
    if device.type == "cuda":
        has_bf16 = torch.cuda.get_device_capability(device)[0] >= 8
    else:
        found = getattr(torch.cpu, "get_capabilities", dict)()
        has_bf16 = device.type == "cpu" and any(
            found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16")
        )
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and has_bf16)


def save(
    method: SingleImageMethod,
    path: str | Path,
    provenance: dict[str, str] | None = None,
) -> None:
    """Write a method's whole state to a safetensors file.

    The file is written beside its place and then renamed. It holds the image's hash, by
    which :func:`resume` can tell whether it gets the same image.

    Parameters
    ----------
    method : SingleImageMethod
        Trained as far as it is.
    path : str or Path
        Where to, usually ``*.safetensors``.
    provenance : dict of str, optional
        What a reader of the file should know of where it comes from: kept beside the
        state, in the file's metadata.

    Raises
    ------
    OSError
        If the folder does not exist or cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent}: no such folder; make it first")
    tensors: dict[str, Tensor] = {}
    tree = {
        "method": f"{type(method).__module__}:{type(method).__qualname__}",
        "image": _fingerprint(method.image),
        "arguments": _without_tensors(method.arguments(), "arguments", tensors),
        "state": _without_tensors(method.state_dict(), "state", tensors),
    }
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        about = {**(provenance or {}), "dil_teach": json.dumps(tree)}
        save_file(tensors, beside, about)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


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
            f"{path}: expected a checkpoint of this version of dil_teach, got another "
            f"({why}); train and save again"
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
        return _named(tree["dataclass"], type)(**_with_tensors(tree["fields"], tensors))
    if "function" in tree:
        return _named(tree["function"], FunctionType)
    if "tuple" in tree:
        return tuple(_with_tensors(tree["tuple"], tensors))
    return {key: _with_tensors(value, tensors) for key, value in tree["dict"]}


def _named(name: str, kind: type) -> Any:
    """What this library has under this name; a file must not name any other code."""
    module, _, attribute = name.partition(":")
    found = None
    if module.startswith("dil_teach."):
        found = getattr(importlib.import_module(module), attribute, None)
    if not isinstance(found, kind) or getattr(found, "__module__", None) != module:
        raise ValueError(f"checkpoint: expected a part of dil_teach, got '{name}'")
    return found
