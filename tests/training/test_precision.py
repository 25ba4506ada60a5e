"""Precision and memory order of convolutions."""

import pytest
import torch
import torch.nn.functional as F

from dil_teach.training import precision
from dil_teach.training.precision import fast_order


@pytest.mark.parametrize("usual", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_features_keep_the_memory_order_that_is_fast(channels, usual, monkeypatch):
    monkeypatch.setattr(precision, "_usual_order_is_faster", lambda device: usual)
    batch = torch.rand(2, channels, 6, 5, generator=torch.Generator().manual_seed(0))
    ordered = fast_order(batch)
    assert torch.equal(ordered, batch)
    features = F.conv2d(ordered, torch.ones(4, channels, 3, 3))
    assert features.stride()[3 if usual else 1] == 1


def test_processors_without_avx512_keep_the_usual_order(monkeypatch):
    for found, usual in (
        ({"avx2": True, "avx512_f": False}, True),
        ({"avx2": True, "avx512_f": True}, False),
        ({}, False),
    ):
        precision._usual_order_is_faster.cache_clear()
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=found: found)
        assert precision._usual_order_is_faster("cpu") == usual
        assert not precision._usual_order_is_faster("cuda")
    monkeypatch.undo()
    precision._usual_order_is_faster.cache_clear()
