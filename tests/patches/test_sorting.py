"""Sorting rows with gradients."""

import pytest
import torch

from dil_teach.patches.sorting import sort_rows


@pytest.mark.parametrize("with_gradients", [True, False])
def test_values_and_gradients_are_those_of_torch(with_gradients):
    rng = torch.Generator().manual_seed(0)
    rows = torch.randn(5, 300, generator=rng)
    weights = torch.randn(5, 300, generator=rng)
    ours = rows.clone().requires_grad_(with_gradients)
    theirs = rows.clone().requires_grad_(with_gradients)
    ordered, wanted = sort_rows(ours), theirs.sort(dim=1).values
    assert torch.equal(ordered, wanted)
    if with_gradients:
        (ordered * weights).sum().backward()
        (wanted * weights).sum().backward()
        assert torch.equal(ours.grad, theirs.grad)


def test_a_transposed_matrix_is_sorted_along_its_rows():
    columns = torch.tensor([[3.0, 1.0], [2.0, 5.0], [1.0, 4.0]])
    assert sort_rows(columns.T).tolist() == [[1, 2, 3], [1, 4, 5]]
