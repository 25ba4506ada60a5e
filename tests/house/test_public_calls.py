"""Every public call with pictures of any kind: a sound result, or one clear ValueError.

The message names an argument of the call. The picture and all random states stay as
they were. The type checks of the other tests are off here, as they are for a user.
"""

import dataclasses
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

import dil_teach as dil
from dil_teach.classical.denoise import ksvd as ksvd_module
from dil_teach.classical.watermark import total_variation
from dil_teach.image.kernel import gaussian_kernel

Checked = tuple[Any, tuple[int, ...] | None]
"""A result, and the shape that it must have; None for numbers and lists."""

PARTS = {name: getattr(dil, name) for name in dil.__all__}
"""All public names; importing them all here also imports what they need, and some of
these libraries change Python's random state when they are imported."""
NO_PICTURE = {
    *("FractalCode", "Deblurred", "load_frac", "save_frac"),
    *("photo", "photos", "scene", "scenes", "load_image", "load_external_network"),
}
"""Public names that take no picture; neither do the settings."""
TAKE_A_METHOD = {"train", "fit", "fit_all", "save", "resume"}
"""Public names that take a trained method; tests/training tests them."""

SMALL = {
    "ZSSR": dil.ZSSRSettings(width=4, depth=2, crop=8, batch=1),
    "ZSN2N": dil.ZSN2NSettings(width=4),
    "DeepImagePrior": dil.DeepImagePriorSettings(widths=(4, 4), skip=2),
    "InGAN": dil.InGANSettings(steps=2, finer_steps=1, coarsest=16, patch_samples=16),
}


def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def sized(x: Tensor, factor: int = 1) -> tuple[int, ...]:
    return (len(x), factor * x.shape[-2], factor * x.shape[-1])


def sides(x: Tensor) -> tuple[int, int]:
    """Height and width, also of a tensor that has no height."""
    height, width = (1, *x.shape)[-2:]
    return height, width


def hole(x: Tensor) -> Tensor:
    """A mask whose hole is the first pixel."""
    mask = torch.zeros(1, *sides(x), dtype=torch.float32)
    mask[:, :1, :1] = 1
    return mask


def trained(method: Any) -> Any:
    for _ in range(2):
        losses = method.train_step()
        assert all(torch.isfinite(loss) for loss in losses.values())
    return method


@cache
def network() -> Any:
    return dil.load_external_network("srcnn")


@cache
def code() -> dil.FractalCode:
    return dil.fractal_encode(torch.rand(1, 16, 16, generator=rng()))


def places() -> Tensor:
    return torch.tensor([[0, 0], [1, 2]])


def deblurred(x: Tensor) -> list[Checked]:
    found = dil.deblur(x, dil.DeblurSettings(size=3, rounds=1))
    return [(found.image, sized(x)), (found.kernel, (3, 3))]


def completed_film(x: Tensor) -> list[Checked]:
    film = torch.stack([x, x.flip(-1)])
    masks = torch.stack([hole(x), hole(x)])
    return [(dil.complete_film(film, masks, 3).film, film.shape)]


def matches(x: Tensor) -> list[Checked]:
    found = dil.internal_matches(x, places(), patch_size=3, scales=(1.0,))
    return [(found.distance, (2, 1))]


def density(x: Tensor) -> list[Checked]:
    found = dil.recurrence_density(x, places(), (60.0,), patch_size=3)
    return [(found.density, (2, 1))]


def neighbours(x: Tensor) -> list[Checked]:
    height, width = (n - 2 for n in sides(x))
    found = dil.nearest_patches(x, x.flip(-1), 3)
    return [(found.distance, (height, width, 1))]


def recurrence_map(x: Tensor) -> list[Checked]:
    height, width = (n - 2 for n in sides(x))
    return [(dil.recurrence_map(x, 3), (height, width))]


def separation(x: Tensor) -> list[Checked]:
    layers = trained(dil.Separation(torch.stack([x, x.flip(-1)]))).layers()
    return [(layers.first, sized(x)), (layers.second, sized(x))]


def watermark(x: Tensor) -> list[Checked]:
    clean = trained(dil.WatermarkRemoval(x[None], (0, 0, 8, 8))).clean()
    return [(clean, (1, *sized(x)))]


def saved(x: Tensor, folder: Path) -> list[Checked]:
    dil.save_image(x, folder / "x.png")
    return [(dil.load_image(folder / "x.png"), sized(x))]


CALLS: dict[str, Callable[[Tensor], list[Checked]]] = {
    "ZSSR": lambda x: [
        (trained(dil.ZSSR(x, settings=SMALL["ZSSR"])).super_resolve(), sized(x, 2))
    ],
    "ZSN2N": lambda x: [(trained(dil.ZSN2N(x, SMALL["ZSN2N"])).result(), sized(x))],
    "DeepImagePrior": lambda x: [
        (
            trained(dil.DeepImagePrior(x, settings=SMALL["DeepImagePrior"])).result(),
            sized(x),
        )
    ],
    "InGAN": lambda x: [(trained(dil.InGAN(x, SMALL["InGAN"])).retarget(), sized(x))],
    "KernelGAN": lambda x: [(trained(dil.KernelGAN(x)).raw_kernel(), (13, 13))],
    "KernelByDistribution": lambda x: [
        (trained(dil.KernelByDistribution(x)).raw_kernel(), (13, 13))
    ],
    "KernelByRecurrence": lambda x: [
        (trained(dil.KernelByRecurrence(x)).raw_kernel(), (13, 13))
    ],
    "TextureExpansion": lambda x: [
        (trained(dil.TextureExpansion(x)).result(), sized(x, 2))
    ],
    "Segmentation": lambda x: [
        (trained(dil.Segmentation(x)).mask(), (1, *x.shape[-2:]))
    ],
    "Dehazing": lambda x: [(trained(dil.Dehazing(x)).haze_free(), sized(x))],
    "Separation": separation,
    "WatermarkRemoval": watermark,
    "blur_and_subsample": lambda x: [
        (
            dil.blur_and_subsample(x, gaussian_kernel((1.0, 1.0), size=3), (2, 1)),
            (len(x), round(x.shape[-2] / 2), x.shape[-1]),
        )
    ],
    "resize": lambda x: [(dil.resize(x, size=(5, 7)), (len(x), 5, 7))],
    "bm3d": lambda x: [(dil.bm3d(x, 0.1), sized(x))],
    "ksvd": lambda x: [(dil.ksvd(x, 0.1), sized(x))],
    "nlm": lambda x: [(dil.nlm(x, 0.1, patch_size=3, reach=1), sized(x))],
    "nlm_weights": lambda x: [
        (dil.nlm_weights(x, 0.1, 0, 0, patch_size=3, reach=1), (3, 3))
    ],
    "choose_kernel": lambda x: [(dil.choose_kernel(x).kernel, (13, 13))],
    "deblur": deblurred,
    "estimate_blur": lambda x: [(dil.estimate_blur(x, 3, 1), (3, 3))],
    "coherence": lambda x: [(dil.coherence(x, x.flip(-1), 3), None)],
    "completeness": lambda x: [(dil.completeness(x, x.flip(-1), 3), None)],
    "complete_film": completed_film,
    "complete_image": lambda x: [(dil.complete_image(x, hole(x), 3).image, sized(x))],
    "fill_hole": lambda x: [(dil.fill_hole(x, hole(x), rng(), 3).image, sized(x))],
    "synthesise": lambda x: [
        (dil.synthesise(x, (4, 5), rng(), 3).image, (len(x), 4, 5))
    ],
    "fractal_encode": lambda x: [
        (dil.fractal_decode(dil.fractal_encode(x)), sized(x)),
    ],
    "fractal_decode": lambda x: [(dil.fractal_decode(code(), start=x), (1, 16, 16))],
    "internal_matches": matches,
    "recurrence_density": density,
    "nearest_patches": neighbours,
    "psnr": lambda x: [(dil.psnr(x, torch.zeros_like(x)), None)],
    "psnr_y": lambda x: [(dil.psnr_y(x, torch.zeros_like(x)), None)],
    "ssim": lambda x: [(dil.ssim(x, torch.zeros_like(x)), None)],
    "recurrence_map": recurrence_map,
    "recurrence_curve": lambda x: [(dil.recurrence_curve(x, 3), None)],
    "recurrence_score": lambda x: [(dil.recurrence_score(x, 3), None)],
    "super_resolve_by_local_examples": lambda x: [
        (dil.super_resolve_by_local_examples(x), sized(x, 2))
    ],
    "super_resolve_by_recurrence": lambda x: [
        (dil.super_resolve_by_recurrence(x), sized(x, 2))
    ],
    "super_resolve_with": lambda x: [
        (dil.super_resolve_with(network(), x), sized(x, 2))
    ],
}


@pytest.fixture(autouse=True)
def as_for_a_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No type checks, and few iterations of the slowest methods."""
    jaxtyping.config.update("jaxtyping_disable", True)
    monkeypatch.setitem(CALLS, "save_image", partial(saved, folder=tmp_path))
    monkeypatch.setattr(total_variation, "STEPS", 4)
    learn = partial(ksvd_module.learn_dictionary, iterations=1)
    monkeypatch.setattr(ksvd_module, "learn_dictionary", learn)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


NAMES = sorted({*CALLS, "save_image"})
SLOW = {
    "ksvd",
    "super_resolve_by_recurrence",
    "WatermarkRemoval",
    "Segmentation",
    "InGAN",
}
FLOATS = (torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
OTHERS = (torch.bool, torch.complex64)


def global_state() -> tuple[Any, ...]:
    numpys = str(np.random.get_state())  # noqa: NPY002 (what must not change)
    torchs = torch.get_rng_state().numpy().tobytes()
    threads, kind = torch.get_num_threads(), torch.get_default_dtype()
    return random.getstate(), numpys, torchs, threads, kind


def picture(channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Noise on a ramp, float32 in [0, 1]."""
    drawn = torch.Generator().manual_seed(seed)
    ramp = torch.linspace(0, 0.5, width, dtype=torch.float32)
    noise = torch.rand((channels, height, width), generator=drawn, dtype=torch.float32)
    return 0.5 * noise + ramp


def of_type(image: Tensor, kind: torch.dtype) -> Tensor:
    return (100 * image if kind in INTEGERS else image).to(kind)


def numbers(value: Any) -> Tensor:
    return torch.as_tensor(value).detach().double()


def check_call(name: str, image: Tensor) -> ValueError | None:
    """A sound result, or a ValueError that names an argument; nothing else changes."""
    before, state = image.detach().clone(), global_state()
    try:
        results = CALLS[name](image)
    except ValueError as error:
        names = str(error).partition(":")[0].split(", ")
        arguments = {*inspect.signature(PARTS[name]).parameters, "settings"}
        assert set(names) <= arguments, error
        assert "\n" not in str(error)
        refused = error
    else:
        refused = None
        for result, shape in results:
            if result is None:  # no kernel was found
                continue
            assert torch.isfinite(numbers(result)).all()
            assert shape is None or tuple(result.shape) == tuple(shape)
    assert torch.equal(image.detach(), before), "the picture has changed"
    assert global_state() == state
    return refused


def test_every_public_name_is_tried() -> None:
    classes = {name for name in PARTS if name.endswith("Settings")}
    assert {*NAMES, *NO_PICTURE, *TAKE_A_METHOD, *classes} == set(PARTS)


@pytest.mark.parametrize("name", NAMES)
def test_any_picture_gives_a_result_or_one_clear_error(name: str) -> None:
    side = st.integers(1, 20 if name in SLOW else 40)

    @settings(
        deadline=None,
        max_examples=3,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.sampled_from([1, 3]), side, side, st.integers(0, 99))
    def try_one(channels: int, height: int, width: int, seed: int) -> None:
        check_call(name, picture(channels, height, width, seed))

    try_one()


@pytest.mark.parametrize("name", NAMES)
def test_another_type_gives_a_result_or_one_clear_error(name: str) -> None:
    image = picture(3, 24, 20)
    for kind in (*FLOATS, *INTEGERS, *OTHERS):
        refused = check_call(name, of_type(image, kind))
        assert refused or kind in FLOATS, f"{name} accepts {kind}"


@pytest.mark.parametrize("name", NAMES)
def test_no_pixels_are_refused(name: str) -> None:
    for shape in ((3, 0, 9), (1, 9, 0), (0, 9, 9), (0,), (9,)):
        assert check_call(name, torch.zeros(shape)), shape


def sample(name: str) -> Tensor:
    """A picture that the call accepts; kernels need more pixels."""
    size = (33, 32) if name == "TextureExpansion" else (24, 23)
    if name in ("choose_kernel", "deblur", "estimate_blur") or "Kernel" in name:
        size = 64, 66
    image = picture(1 if name == "fractal_decode" else 3, *size)
    if name == "WatermarkRemoval":
        image[:, 2:7, 2:7] += 0.3 * (1 - image[:, 2:7, 2:7])
    return image


@pytest.mark.parametrize("name", NAMES)
def test_values_that_are_not_finite_are_refused(name: str) -> None:
    if name in ("resize", "blur_and_subsample"):
        return  # they run in training, where this check would cost time
    image = sample(name)
    for value in (torch.nan, torch.inf):
        image[0, 3, 3] = value
        with pytest.raises(ValueError, match="finite"):
            CALLS[name](image)


@contextmanager
def double_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "choose_kernel"])
def test_the_conditions_of_the_caller_do_not_matter(name: str) -> None:
    image = sample(name)
    wanted = CALLS[name](image)
    with torch.inference_mode():
        inside = CALLS[name](image.clone())
    with double_by_default(), torch.no_grad():
        double = CALLS[name](image.clone().requires_grad_())
    for found in (inside, double):
        for (result, _), (first, _) in zip(found, wanted, strict=True):
            assert torch.allclose(numbers(result), numbers(first), atol=1e-4)


@pytest.mark.parametrize(
    "name", [n for n in NAMES if n[0].isupper() and n != "Separation"]
)
def test_the_callers_tensor_can_change_later(name: str) -> None:
    # not Separation, whose call above stacks copies of the picture
    image, kept, train = sample(name), [], trained

    def watched(method: Any) -> Any:
        before = method.image.clone()
        image.zero_()
        assert torch.equal(method.image, before)
        kept.append(method)
        return train(method)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "trained", watched)
        CALLS[name](image)
    assert len(kept) == 1


@pytest.mark.parametrize(
    "settings_class",
    [part for name, part in PARTS.items() if name.endswith("Settings")],
)
def test_settings_of_another_kind_are_refused(settings_class: type) -> None:
    for field in dataclasses.fields(settings_class):
        for wrong in (float("nan"), "many", (float("nan"),), 2.5):
            if isinstance(field.default, float) and wrong == 2.5:
                continue
            with pytest.raises(ValueError, match=rf"\b{field.name}\b"):
                settings_class(**{field.name: wrong})
