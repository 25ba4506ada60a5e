"""Options that commands share, and what they print while they work."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tqdm import tqdm

if TYPE_CHECKING:
    from torch import Tensor

    from dil_teach.commands.estimate import Estimate
    from dil_teach.training.loop import Method

In = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN")]
Out = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
Png = Annotated[Path | None, tyro.conf.arg(metavar="PNG")]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
Number = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")]
"""An optional number; without its default of None in the help."""
Budget = Literal["quick", "standard", "full"]


@dataclass(frozen=True)
class Training:
    """How a network is trained."""

    budget: Budget = "quick"
    """Number of training steps: larger budgets take longer."""
    seed: int = 0
    """Seed of all random numbers: the same seed gives the same result."""
    device: str = "cpu"
    """Where to compute: cpu, cuda or mps."""

    def to_device(self, image: "Tensor") -> "Tensor":
        """The image on the device; raises a ValueError for a bad device or seed."""
        import torch

        if not 0 <= self.seed < 2**63:
            raise ValueError(f"--seed: expected 0 to 2**63 - 1, got {self.seed}")
        try:
            torch.ones(1, device=self.device).cpu()
        except (RuntimeError, AssertionError, ImportError):
            raise ValueError(
                f"--device: expected cpu, or cuda or mps where the machine has it, got "
                f"'{self.device}'; leave it out to use the cpu"
            ) from None
        return image.to(self.device)

    def settings(self, kind: Any, **changes: Any) -> Any:
        """The settings of a method, such as ``ZSSRSettings``, at this budget.

        They get the seed if they have a field ``seed``.
        """
        seed = {"seed": self.seed} if hasattr(kind, "seed") else {}
        return getattr(kind, self.budget)(**seed, **changes)


@dataclass(frozen=True)
class Reading:
    """How photographs are read."""

    white_level: Number = None
    """The value of white in a file with 16 bits: 4095 for a camera of 12 bits."""
    max_side: Number = None
    """Largest side in pixels; a larger picture is reduced when it is read."""

    def size(self, size: Sequence[int]) -> tuple[int, int]:
        """Height and width of a picture of this size, after ``--max-side``."""
        side = self.max_side
        if side is not None and side < 1:
            raise ValueError(f"--max-side: expected at least 1, got {side}; try 512")
        scale = min(1.0, side / max(size)) if side else 1.0
        return max(round(scale * size[0]), 1), max(round(scale * size[1]), 1)


PLAIN = Reading()
Read = Annotated[Reading, tyro.conf.OmitArgPrefixes]
"""The options ``--white-level`` and ``--max-side``."""
Options = Annotated[Training, tyro.conf.OmitArgPrefixes]
"""The options ``--budget``, ``--seed`` and ``--device``."""


def train_with_bar(method: "Method", estimate: "Estimate") -> "Method":
    """Train a method to the end, announce how long it takes, and return it.

    A progress bar shows the losses if standard error is a terminal.
    """
    with tqdm(total=method.total_steps, unit="step", leave=False, disable=None) as bar:
        for progress in estimate.watch(method):
            bar.set_postfix(progress.losses, refresh=False)
            bar.update(progress.step - bar.n)
    return method


def say(message: str) -> None:
    """Print a line to standard error, above a progress bar if there is one."""
    tqdm.write(f"dil-teach: {message}", file=sys.stderr)
