"""Updates that suddenly make a gradient long are undone, each network by itself."""

import torch
from torch import nn

from dil_teach.training.jumps import JUMP, JumpGuard


def with_gradient(network: nn.Linear, length: float) -> None:
    for weight in network.parameters():
        weight.grad = torch.zeros_like(weight)
    assert network.bias.grad is not None
    network.bias.grad[0] = length


def networks() -> nn.ModuleList:
    return nn.ModuleList(nn.Linear(3, 2) for _ in range(2))


def shifted(network: nn.Module) -> torch.Tensor:
    """Change all weights as an update does, and return them."""
    with torch.no_grad():
        for weight in network.parameters():
            weight += 1
    return nn.utils.parameters_to_vector(network.parameters()).detach().clone()


def test_only_the_network_with_the_long_gradient_goes_back():
    pair = networks()
    guard = JumpGuard(pair)
    for network in pair:
        with_gradient(network, 1.0)
    assert guard.undo_jumps() == 0
    before = nn.utils.parameters_to_vector(pair[0].parameters()).detach().clone()
    shifted(pair[0])
    kept = shifted(pair[1])
    with_gradient(pair[0], 1.01 * JUMP)
    with_gradient(pair[1], 0.99 * JUMP)
    assert guard.undo_jumps() == 1
    assert torch.equal(nn.utils.parameters_to_vector(pair[0].parameters()), before)
    assert torch.equal(nn.utils.parameters_to_vector(pair[1].parameters()), kept)
    assert all(weight.grad is None for weight in pair[0].parameters())
    assert all(weight.grad is not None for weight in pair[1].parameters())


def test_later_updates_do_not_change_the_kept_weights():
    pair = networks()
    guard = JumpGuard(pair)
    for length in (1.0, 10.0):
        for network in pair:
            with_gradient(network, length)
        guard.undo_jumps()
    kept = guard.before.clone()
    shifted(pair[0])
    assert torch.equal(guard.before, kept)


def test_a_lasting_change_of_the_gradient_is_accepted():
    pair = networks()
    guard = JumpGuard(pair)
    lengths = [1.0] + 40 * [5.0]
    undone = []
    for length in lengths:
        for network in pair:
            with_gradient(network, length)
        undone.append(guard.undo_jumps())
    assert undone[1] == 2 and undone[-1] == 0
    assert sum(undone) < 10


def test_the_state_is_in_the_buffers():
    pair = networks()
    guard, other = JumpGuard(pair), JumpGuard(networks())
    for network in pair:
        with_gradient(network, 2.0)
    guard.undo_jumps()
    other.load_state_dict(guard.state_dict())
    assert torch.equal(other.usual, torch.tensor([2.0, 2.0]))
    assert torch.equal(other.before, guard.before)
