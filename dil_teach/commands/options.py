"""Options that commands share, and the progress bar."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro
from tqdm import tqdm

if TYPE_CHECKING:
    from torch import Tensor

    from dil_teach.training.loop import Method

In = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="IN")]
Out = Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
Png = Annotated[Path | None, tyro.conf.arg(metavar="PNG")]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
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


Options = Annotated[Training, tyro.conf.OmitArgPrefixes]
"""The options ``--budget``, ``--seed`` and ``--device``."""


def train_with_bar(method: "Method") -> "Method":
    """Train a method to the end, show its losses in a progress bar, and return it."""
    from dil_teach.training.loop import train

    with tqdm(total=method.total_steps, unit="step", leave=False) as bar:
        for progress in train(method, report_every=5):
            bar.set_postfix(progress.losses, refresh=False)
            bar.update(progress.step - bar.n)
    return method
