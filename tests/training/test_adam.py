"""The optimizer against torch's own, and what training imports."""

import subprocess
import sys

import pytest
import torch
from torch import Tensor

from dil_teach.training.adam import Adam


def step_of(optimizer: Adam | torch.optim.Adam, weights: list[Tensor], step: int):
    """One update; the third weight has a gradient in every third step only."""
    optimizer.zero_grad()
    used = [w for k, w in enumerate(weights) if k != 2 or step % 3 == 0]
    torch.stack([(w - k).square().sum() for k, w in enumerate(used)]).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("maximize", [False, True])
def test_the_results_are_those_of_torch_bit_for_bit(maximize):
    rng = torch.Generator().manual_seed(0)
    start = [torch.randn(5, 3, generator=rng) for _ in range(4)]
    ours, theirs = ([w.clone().requires_grad_() for w in start] for _ in range(2))
    first, second = (
        make([{"params": w[:2], "lr": 0.3}, {"params": w[2:], "maximize": maximize}])
        for make, w in (
            (lambda groups: Adam(groups, lr=0.01, betas=(0.8, 0.95)), ours),
            (
                lambda groups: torch.optim.Adam(
                    groups, lr=0.01, betas=(0.8, 0.95), fused=True
                ),
                theirs,
            ),
        )
    )
    for step in range(10):
        step_of(first, ours, step)
        step_of(second, theirs, step)
    assert all(map(torch.equal, ours, theirs))
    assert not any(map(torch.equal, ours, start))
    moments = first.state_dict()["state"], second.state_dict()["state"]
    assert moments[0].keys() == moments[1].keys()
    for number, wanted in moments[1].items():
        assert all(torch.equal(moments[0][number][k], m) for k, m in wanted.items())


def test_a_restored_optimizer_continues_with_the_same_bits():
    weights = [torch.ones(3).requires_grad_()]
    whole = Adam(weights, lr=0.1)
    step_of(whole, weights, 0)
    saved, middle = whole.state_dict(), weights[0].detach().clone()
    saved["state"] = {
        number: {key: value.clone() for key, value in moments.items()}
        for number, moments in saved["state"].items()
    }
    step_of(whole, weights, 1)
    again = [middle.requires_grad_()]
    resumed = Adam(again, lr=5.0)
    resumed.load_state_dict(saved)
    step_of(resumed, again, 1)
    assert torch.equal(again[0], weights[0])


TRAIN = """
import sys
import dil_teach as d
from dil_teach.classical.least_squares import correct_by_least_squares
x = d.photo("coffee", 64)
x = x[:, :40, :48]
for method in (d.ZSSR(x, 2), d.DeepImagePrior(x), d.ZSN2N(x)):
    method.train_step()
d.KernelGAN(d.photo("coffee", 96)).train_step()
d.bm3d(x, 0.1)
d.recurrence_score(x)
kernel = d.image.kernel.gaussian_kernel((1.0, 1.0))
correct_by_least_squares(d.resize(x, 2), x, kernel, 2)
print(*(m for m in ("torch._dynamo", "sympy", "scipy.stats") if m in sys.modules))
"""


def test_training_imports_no_compiler_and_no_symbolic_mathematics():
    """Each of them takes one to two seconds, and nothing here uses them."""
    found = subprocess.run(
        [sys.executable, "-c", TRAIN], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []
