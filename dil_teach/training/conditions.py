"""The conditions under which all methods compute, whatever the caller has set.

The order of a sum depends on the number of threads, so its last bits do too, and
training amplifies them: with one and with two threads, results of the same seed
differed by 6 grey levels (ZS-N2N) to 23 (Deep Image Prior), and by 133 inside a filled
hole. A caller may also have turned gradients off, or made float64 the default.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import TypeVar

import torch

Class = TypeVar("Class", bound=type)


@contextmanager
def same_conditions() -> Iterator[None]:
    """Compute with one thread, with gradients and in float32; then restore.

    As a decorator, ``@same_conditions()`` does so in every call of a function. The
    number of threads is that of the calling thread alone, so methods may train side by
    side in several threads; the default type is that of the whole process.
    """
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        torch.set_default_dtype(kind)
        torch.set_num_threads(threads)


def repeatable(method: Class) -> Class:
    """Decorate a class: its constructor and public functions compute as above."""
    for name, part in list(vars(method).items()):
        public = name == "__init__" or not name.startswith("_")
        if public and isinstance(part, FunctionType):
            setattr(method, name, same_conditions()(part))
    return method
