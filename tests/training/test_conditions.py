"""Methods compute under the same conditions, whatever their caller has set."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import torch

from dil_teach import (
    ZSN2N,
    ZSSR,
    DeepImagePrior,
    DeepImagePriorSettings,
    ZSN2NSettings,
    ZSSRSettings,
    fit,
    fit_all,
    photo,
)
from dil_teach.training.conditions import same_conditions

ROOT = Path(__file__).parents[2]


def results() -> dict[str, str]:
    """A hash of the result of each method after a few steps."""
    image = photo("chelsea", 64)
    small = DeepImagePriorSettings(steps=3, widths=(16, 32))
    methods = [
        ZSSR(image, settings=ZSSRSettings(steps=4)),
        ZSN2N(image, ZSN2NSettings(steps=4)),
        DeepImagePrior(image, settings=small),
    ]
    found = {}
    for method in methods:
        fit(method)
        result = method.super_resolve if isinstance(method, ZSSR) else method.result
        values = result().numpy().tobytes()
        found[type(method).__name__] = hashlib.sha256(values).hexdigest()
    return found


def test_the_number_of_threads_changes_no_bit() -> None:
    assert torch.get_num_threads() == 1  # conftest.py
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(
        [sys.executable, __file__],
        env=os.environ | path | {"OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"threads": 2} | results()


def test_the_conditions_of_the_caller_return() -> None:
    torch.set_num_threads(2)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), same_conditions():
            assert torch.get_num_threads() == 1
            assert torch.zeros(1).dtype == torch.float32
            assert torch.is_grad_enabled()
        method = fit(ZSN2N(photo("chelsea", 16), ZSN2NSettings(steps=1, width=2)))
        assert fit_all([method]) == [method]
        assert torch.get_num_threads() == 2
        assert torch.get_default_dtype() == torch.float64
        assert torch.is_grad_enabled()
        threads = []
        later = threading.Thread(target=lambda: threads.append(torch.get_num_threads()))
        later.start()
        later.join()
        assert threads == [2]
    finally:
        torch.set_num_threads(1)
        torch.set_default_dtype(torch.float32)


if __name__ == "__main__":
    print(json.dumps({"threads": torch.get_num_threads()} | results()))
