"""Rules for every method: the random state does not change; losses are positive."""

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
    Dehazing,
    DehazingSettings,
    InGAN,
    InGANSettings,
    KernelByDistribution,
    KernelByRecurrence,
    KernelGAN,
    KernelGANSettings,
    Segmentation,
    SegmentationSettings,
    Separation,
    SeparationSettings,
    TextureExpansion,
    TextureExpansionSettings,
    WatermarkRemoval,
    WatermarkSettings,
    ZSN2NSettings,
    ZSSRSettings,
    photo,
    scene,
)
from dil_teach.training.state import load_state, state_of

SMALL_PRIOR = DeepImagePriorSettings(steps=6, networks=2, widths=(4, 8), skip=2)
METHODS: dict[str, Callable] = {
    "ZSSR": lambda x: ZSSR(x, settings=ZSSRSettings(width=8, depth=3, crop=8)),
    "ZSN2N": lambda x: ZSN2N(x, ZSN2NSettings(width=8)),
    "DeepImagePrior": lambda x: DeepImagePrior(x, settings=SMALL_PRIOR),
    "InGAN": lambda x: InGAN(x, InGANSettings(steps=4, finer_steps=3, coarsest=20)),
    "KernelGAN": lambda x: KernelGAN(x, KernelGANSettings(width=8, crop=40)),
    "KernelByDistribution": lambda x: KernelByDistribution(photo("astronaut", 64)),
    "KernelByRecurrence": lambda x: KernelByRecurrence(photo("astronaut", 64)),
    "TextureExpansion": lambda x: TextureExpansion(x, TextureExpansionSettings()),
    "Segmentation": lambda x: Segmentation(x, settings=SegmentationSettings()),
    "Separation": lambda x: Separation(x[None], SeparationSettings()),
    "Dehazing": lambda x: Dehazing(x, settings=DehazingSettings()),
    "WatermarkRemoval": lambda x: WatermarkRemoval(
        scene("watermark").images["marked"], settings=WatermarkSettings()
    ),
}


def global_state() -> tuple[bytes, str]:
    """The random states of torch and NumPy; beartype uses Python's own state."""
    numpys = str(np.random.get_state())  # noqa: NPY002 (what it must not use)
    return torch.get_rng_state().numpy().tobytes(), numpys


@pytest.mark.parametrize("name", METHODS)
def test_training_keeps_global_randomness_and_the_sign_of_losses(
    name: str,
) -> None:
    image, before = photo("astronaut", 48), global_state()
    method = METHODS[name](image)
    for _ in range(2):
        losses = method.train_step()
        if name not in ("InGAN", "TextureExpansion"):  # the sign varies
            assert all(loss >= 0 for loss in losses.values())
    load_state(method, state_of(method))
    assert global_state() == before


def test_every_public_method_is_tried() -> None:
    public = {name: getattr(dil_teach, name) for name in dil_teach.__all__}
    methods = {name for name, part in public.items() if hasattr(part, "train_step")}
    assert methods == set(METHODS)
