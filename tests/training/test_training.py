"""Tests of the training loop: reports, interrupts, continuing, saving, resuming."""

import json
import os
import signal
import threading
from typing import ClassVar

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from dil_teach import (
    ZSN2N,
    ZSSR,
    DeepImagePrior,
    DeepImagePriorSettings,
    InGAN,
    TextureExpansion,
    ZSN2NSettings,
    ZSSRSettings,
    fit,
    fit_all,
    photo,
    resume,
    save,
    train,
)
from dil_teach.training.state import load_state, state_of

SETTINGS = ZSSRSettings(steps=14, width=8, depth=3, crop=8)


@pytest.fixture
def zssr() -> ZSSR:
    return ZSSR(photo("chelsea", 48), settings=SETTINGS)


def test_reports_fall_on_absolute_steps(zssr):
    first = train(zssr, report_every=5)
    assert [next(first).step, next(first).step] == [5, 10]
    # a loop that starts between two reports still reports at multiples of report_every
    zssr.train_step()
    assert [progress.step for progress in train(zssr, report_every=4)] == [12, 14]
    assert zssr.done and list(train(zssr)) == []


def test_progress_says_where_it_stands(zssr):
    *_, last = train(zssr, report_every=14)
    assert last.step == last.total_steps == 14 and last.done
    assert last.losses["loss"] > 0
    with pytest.raises(ValueError, match="report_every"):
        next(train(zssr, report_every=0))


def test_stopping_anywhere_and_carrying_on_is_never_stopping(zssr):
    whole = fit(ZSSR(zssr.image, settings=SETTINGS)).super_resolve()
    for _ in train(zssr, report_every=3):
        break
    assert zssr.step == 3
    assert torch.equal(fit(zssr).super_resolve(), whole)


@pytest.mark.parametrize("stop_at", [0, 1, 6, 7, 8, 13, 14])
def test_resuming_from_a_file_is_never_stopping(zssr, tmp_path, stop_at):
    whole = fit(ZSSR(zssr.image, settings=SETTINGS)).super_resolve()
    for _ in range(stop_at):
        zssr.train_step()
    save(zssr, tmp_path / "stopped.safetensors")
    resumed = resume(tmp_path / "stopped.safetensors", zssr.image)
    assert resumed.step == stop_at and resumed.settings == SETTINGS
    assert torch.equal(fit(resumed).super_resolve(), whole)
    assert [path.name for path in tmp_path.iterdir()] == ["stopped.safetensors"]


def test_a_kernel_survives_the_file(tmp_path):
    kernel = torch.rand(5, 5)
    zssr = ZSSR(photo("chelsea", 48), (2, 3), kernel, SETTINGS)
    zssr.train_step()
    save(zssr, tmp_path / "k.safetensors")
    resumed = resume(tmp_path / "k.safetensors", zssr.image)
    assert torch.equal(resumed.kernel, zssr.kernel) and resumed.size == (96, 144)


def test_resume_refuses_what_it_cannot_trust(zssr, tmp_path):
    path = tmp_path / "z.safetensors"
    save(zssr, path)
    with pytest.raises(ValueError, match="another image"):
        resume(path, zssr.image.flip(-1))
    with pytest.raises(FileNotFoundError, match="no such checkpoint"):
        resume(tmp_path / "none.safetensors", zssr.image)
    evil = path.read_bytes().replace(
        b"dil_teach.deep.zssr.zssr:ZSSR", b"os.path.dir:AaaaaaaaaaA"
    )
    path.write_bytes(evil)
    with pytest.raises(ValueError):
        resume(path, zssr.image)
    path.write_text("not a checkpoint")
    with pytest.raises(ValueError, match="expected a checkpoint"):
        resume(path, zssr.image)
    for said in ("{}", "[1, 2]", '{"image": 3}', '{"image": {}}', "none"):
        save_file({"weight": torch.zeros(3)}, path, {"dil_teach": said})
        with pytest.raises(ValueError, match="expected a checkpoint that dil_teach"):
            resume(path, zssr.image)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save(zssr, tmp_path / "none" / "z.safetensors")


def test_resume_refuses_in_one_line_what_another_version_saved(zssr, tmp_path):
    path = tmp_path / "z.safetensors"
    save(zssr, path)
    with safe_open(path, "pt") as file:
        tree = json.loads(file.metadata()["dil_teach"])
    tree.pop("sha256")  # as in the first versions
    for changed in ({"method": 3}, {"arguments": 3}, {"state": None}):
        metadata = {"dil_teach": json.dumps(tree | changed)}
        save_file({"weight": torch.zeros(3)}, path, metadata)
        with pytest.raises(ValueError, match="version of dil_teach can read") as error:
            resume(path, zssr.image)
        assert "\n" not in str(error.value)


def rewrite(path, **replacements):
    """Replace texts in a checkpoint's description of its method; remove its hash."""
    with safe_open(path, "pt") as file:
        tree = json.loads(file.metadata()["dil_teach"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    tree.pop("sha256", None)
    about = json.dumps(tree)
    for old, new in replacements.items():
        assert old in about
        about = about.replace(old, new)
    save_file(tensors, path, {"dil_teach": about})


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A small checkpoint in the middle of training, and its image."""
    image = photo("chelsea", 16)
    method = ZSN2N(image, ZSN2NSettings(steps=5, width=2))
    method.train_step()
    path = tmp_path_factory.mktemp("checkpoint") / "z.safetensors"
    save(method, path)
    return path, image


def refused(path, image):
    """The one line with which a checkpoint is refused."""
    with pytest.raises(ValueError, match="expected a checkpoint") as error:
        resume(path, image)
    assert "\n" not in str(error.value) and str(error.value).startswith(str(path))
    return str(error.value)


def test_any_flipped_bit_is_found(checkpoint, tmp_path):
    path, image = tmp_path / "damaged.safetensors", checkpoint[1]
    whole = checkpoint[0].read_bytes()
    length = int.from_bytes(whole[:8], "little") + 8  # of the header
    places = [*range(0, length, 29), *range(length, len(whole), 131)]
    for number, place in enumerate(places):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << number % 8
        path.write_bytes(damaged)
        assert "damaged" in refused(path, image)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        # another tensor as the state of Adam: torch would read beyond its end
        ('"exp_avg", {"tensor": "state.optimizer.state.0.exp_avg"}',
         '"exp_avg", {"tensor": "state.optimizer.state.5.exp_avg"}'),
        ('"step", {"tensor": "state.optimizer.state.0.step"}', '"step", 3'),
        ('"exp_avg_sq"', '"exp_avg_squared"'),
        ('["step", 1]', '["step", 6]'),
        ('["step", 1]', '["step", 1.5]'),
        ('["step", 1]', '["step", null]'),
        ('["params", [0', '["params", [1'),
        ('"method"', '"methods"'),
        ('["width", 2]', '["width", 3]'),
        ('["settings"', '["weight", ' + 2000 * "[" + 2000 * "]" + '], ["settings"'),
    ],
)  # fmt: skip
def test_a_file_without_a_hash_must_fit_the_method(checkpoint, tmp_path, old, new):
    path, image = tmp_path / "old.safetensors", checkpoint[1]
    path.write_bytes(checkpoint[0].read_bytes())
    rewrite(path)
    assert resume(path, image).step == 1
    rewrite(path, **{old: new})
    refused(path, image)


@pytest.mark.parametrize("name", ["ZSSR", "ZSN2N"])
def test_a_checkpoint_of_version_0_1_0_can_be_resumed(zssr, tmp_path, name):
    method = zssr if name == "ZSSR" else ZSN2N(zssr.image, ZSN2NSettings(steps=6))
    method.train_step()
    save(method, tmp_path / "old.safetensors")
    folder = "zssr.zssr" if name == "ZSSR" else "zs_n2n"
    moved = {
        f"dil_teach.deep.{folder}:{name}": f"dil_teach.deep.former_place:{name}",
    }
    rewrite(tmp_path / "old.safetensors", **moved)
    resumed = fit(resume(tmp_path / "old.safetensors", zssr.image))
    state, wanted = resumed.network.state_dict(), fit(method).network.state_dict()
    assert all(torch.equal(state[weight], wanted[weight]) for weight in wanted)


@pytest.mark.parametrize(
    ("kind", "constant", "other"),
    [
        (InGAN, '"loss", "hinge"', '"loss", "least squares"'),
        (TextureExpansion, '"width", 48', '"width", 16'),
    ],
)
def test_a_setting_that_was_removed_must_have_its_default(
    tmp_path, kind, constant, other
):
    method = kind(photo("chelsea", 48))
    save(method, tmp_path / "old.safetensors")
    seed = '["seed", 0]'
    rewrite(tmp_path / "old.safetensors", **{seed: f"{seed}, [{constant}]"})
    resumed = resume(tmp_path / "old.safetensors", method.image)
    assert resumed.settings == method.settings
    rewrite(tmp_path / "old.safetensors", **{constant: other})
    with pytest.raises(ValueError, match="train and save again") as error:
        resume(tmp_path / "old.safetensors", method.image)
    said = str(error.value)
    assert "supports no other value" in said and "\n" not in said


def test_a_deep_image_prior_of_version_0_1_0_is_refused_in_one_line(zssr, tmp_path):
    settings = DeepImagePriorSettings(steps=3, widths=(4, 8), skip=2)
    save(DeepImagePrior(zssr.image, settings=settings), tmp_path / "old.safetensors")
    rewrite(tmp_path / "old.safetensors", input_noise="code_noise")
    with pytest.raises(ValueError, match="train and save again") as error:
        resume(tmp_path / "old.safetensors", zssr.image)
    assert "\n" not in str(error.value) and "code_noise" in str(error.value)


def test_a_function_from_outside_the_library_is_not_saved(zssr, tmp_path):
    settings = DeepImagePriorSettings(steps=3, widths=(4, 8), skip=2)
    dip = DeepImagePrior(zssr.image, lambda drawn: 1 - drawn, settings)
    with pytest.raises(ValueError, match="expected a function of dil_teach"):
        save(dip, tmp_path / "own.safetensors")
    assert not list(tmp_path.iterdir())


class SlowMethod:
    """A method in whose step an interrupt arrives."""

    STATE = ("step",)
    total_steps = 5
    image = torch.rand(1, 2, 2)
    arguments: ClassVar[dict] = {}

    def __init__(self) -> None:
        self.step = self.half_steps = 0

    @property
    def done(self) -> bool:
        return self.step >= self.total_steps

    def train_step(self) -> dict[str, torch.Tensor]:
        self.half_steps += 1
        if self.step == 2 and self.half_steps == 5:
            os.kill(os.getpid(), signal.SIGINT)
            torch.rand(200, 200) @ torch.rand(200, 200)  # Python handles signals here
        self.half_steps += 1
        self.step += 1
        return {"loss": torch.tensor(1.0)}


def test_an_interrupt_never_leaves_half_a_step():
    method = SlowMethod()
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(method)
    assert method.step == 3 and method.half_steps == 6
    assert signal.getsignal(signal.SIGINT) is before
    assert fit(method).step == 5 and method.half_steps == 10


class AlternatingMethod(SlowMethod):
    """Odd steps have one loss, even steps another; step 1 has a third."""

    total_steps = 6

    def train_step(self) -> dict[str, torch.Tensor]:
        self.step += 1
        first = {"start": torch.tensor(0.0)} if self.step == 1 else {}
        name = "even" if self.step % 2 == 0 else "odd"
        return first | {name: torch.tensor(float(self.step))}


def test_a_report_has_the_latest_value_of_each_loss_since_the_last_report():
    reports = [progress.losses for progress in train(AlternatingMethod(), 4)]
    assert reports == [{"start": 0, "odd": 3, "even": 4}, {"odd": 5, "even": 6}]


def test_it_trains_outside_the_main_thread_too():
    method = SlowMethod()
    method.half_steps = 100  # no interrupt
    thread = threading.Thread(target=fit, args=(method,))
    thread.start()
    thread.join()
    assert method.done


def test_side_by_side_they_learn_the_same_to_the_bit(zssr):
    images = [zssr.image, zssr.image.flip(-1), zssr.image.flip(-2)]
    alone = [fit(ZSSR(i, settings=SETTINGS)).super_resolve() for i in images]
    methods = [ZSSR(image, settings=SETTINGS) for image in images]
    assert fit_all(iter(methods)) == methods
    for method, wanted in zip(methods, alone, strict=True):
        assert method.done and torch.equal(method.super_resolve(), wanted)
    assert fit_all([]) == []
    twice = ZSSR(zssr.image, settings=SETTINGS)
    assert fit_all([twice, twice]) == [twice, twice]
    assert twice.done and torch.equal(twice.super_resolve(), alone[0])


def test_an_interrupt_stops_all_between_two_steps():
    methods = [SlowMethod() for _ in range(3)]
    for method in methods[1:]:
        method.half_steps, method.total_steps = 100, 10**9  # they run until stopped
    with pytest.raises(KeyboardInterrupt):
        fit_all(methods)
    for method, began in zip(methods, (0, 100, 100), strict=True):
        assert method.half_steps - began == 2 * method.step
        method.total_steps = method.step + 2
    assert all(method.done for method in fit_all(methods))


def test_what_goes_wrong_in_one_stops_all():
    class Broken(SlowMethod):
        def train_step(self) -> dict[str, torch.Tensor]:
            raise RuntimeError("broken")

    endless = SlowMethod()
    endless.half_steps, endless.total_steps = 100, 10**9
    with pytest.raises(RuntimeError, match="broken"):
        fit_all([Broken(), endless])
    assert not endless.done


def test_the_users_random_state_is_left_alone():
    before = torch.get_rng_state()
    fit(ZSSR(photo("chelsea", 48), settings=SETTINGS)).super_resolve()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_state_is_a_snapshot(zssr):
    """Further training changes neither a copied state nor a method that loaded it."""
    other = ZSSR(zssr.image, settings=SETTINGS)
    for _ in range(3):
        zssr.train_step()
    state = state_of(zssr)
    load_state(other, state)
    whole = fit(zssr).super_resolve()
    assert torch.equal(fit(other).super_resolve(), whole)
    load_state(zssr, state)
    assert torch.equal(fit(zssr).super_resolve(), whole)
