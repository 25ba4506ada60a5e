"""No method touches the random state of its user's program."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

import dil_teach
from dil_teach import (
    ZSN2N,
    ZSSR,
    DeepImagePrior,
    DeepImagePriorSettings,
    InGAN,
    InGANSettings,
    TextureExpansion,
    TextureExpansionSettings,
    ZSN2NSettings,
    ZSSRSettings,
    photo,
)

SMALL_PRIOR = DeepImagePriorSettings(steps=6, networks=2, widths=(4, 8), skip=2)
METHODS: dict[str, Callable] = {
    "ZSSR": lambda x: ZSSR(x, settings=ZSSRSettings(width=8, depth=3, crop=8)),
    "ZSN2N": lambda x: ZSN2N(x, ZSN2NSettings(width=8)),
    "DeepImagePrior": lambda x: DeepImagePrior(x, settings=SMALL_PRIOR),
    "InGAN": lambda x: InGAN(x, InGANSettings(steps=4, finer_steps=3, coarsest=20)),
    "TextureExpansion": lambda x: TextureExpansion(x, TextureExpansionSettings()),
}
OLD = {"DoubleDIP"}


def global_state() -> tuple[bytes, str]:
    """Of torch and NumPy; Python's own is used by beartype, which checks the tests."""
    numpys = str(np.random.get_state())  # noqa: NPY002 (what it must not use)
    return torch.get_rng_state().numpy().tobytes(), numpys


@pytest.mark.parametrize("name", METHODS)
def test_construction_and_training_keep_the_global_random_state(name: str) -> None:
    image, before = photo("astronaut", 48), global_state()
    method = METHODS[name](image)
    for _ in range(2):
        method.train_step()
    method.load_state_dict(method.state_dict())
    assert global_state() == before


def test_every_public_method_is_tried() -> None:
    public = {name: getattr(dil_teach, name) for name in dil_teach.__all__}
    methods = {name for name, part in public.items() if hasattr(part, "train_step")}
    assert methods - OLD == set(METHODS)
