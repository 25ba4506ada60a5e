"""Notebook tools: figures, live panel, controls, setup."""

import base64
import io
import re
from types import SimpleNamespace

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image as PillowImage
from skimage import data

from dil_teach.image.convention import from_uint8, to_uint8
from dil_teach.notebook import (
    Choice,
    LivePanel,
    Slider,
    Toggle,
    before_after,
    check_claims,
    corners,
    curves,
    enlarged,
    explore,
    figure_html,
    figures,
    live,
    scrub,
    show,
    show_source,
    start,
    strip,
    uploaded_image,
    widgets,
)
from dil_teach.notebook.figures import canvas
from dil_teach.notebook.rows import scale_of
from dil_teach.training.loop import Progress

ALT = "Random grey noise without any structure"


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def pixels_of(html: str) -> np.ndarray:
    (data,) = re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)
    picture = PillowImage.open(io.BytesIO(base64.b64decode(data)))
    return np.asarray(picture.convert("RGB"))


@pytest.fixture
def shown(monkeypatch):
    """A list that collects the displayed objects."""
    bundles: list = []

    class Handle:
        def update(self, bundle, raw):
            bundles.append(bundle)

    def record(thing, raw=False, display_id=None):
        bundles.append(thing)
        return Handle()

    for module in (figures, live, widgets):
        monkeypatch.setattr(module, "display", record)
    return bundles


@pytest.mark.parametrize("alt", ["", "plot", "   too short    here    "])
def test_a_figure_with_a_short_alt_text_is_rejected(alt):
    with pytest.raises(ValueError, match="alt: expected at least 20 characters"):
        figure_html(noise(3, 8, 8), alt)


def test_an_alt_text_may_hold_any_characters():
    html = figure_html(noise(3, 8, 8), 'A "quoted" <b>word</b> & an ampersand')
    assert 'alt="A &quot;quoted&quot; &lt;b&gt;word&lt;/b&gt; &amp; an' in html


def test_show_displays_html_and_plain_text_only(shown):
    show({"noise": noise(3, 8, 8)}, ALT)
    assert set(shown[0]) == {"text/html", "text/plain"}
    assert shown[0]["text/plain"] == ALT


@pytest.mark.parametrize("channels", [1, 3])
def test_a_strip_holds_every_pixel_once_and_shows_it_as_a_sharp_square(channels):
    image = noise(channels, 7, 11)
    html = figure_html(strip(image), ALT)
    assert np.array_equal(pixels_of(html), to_uint8(image.expand(3, -1, -1)))
    assert 'width="264" height="168"' in html and "image-rendering:pixelated" in html


def test_a_strip_crops_its_images():
    image = noise(3, 20, 20)
    row = strip({"a": image, "b": 1 - image}, crop=(2, 3, 4, 5), zoom=2)
    part = image[:, 2:6, 3:8]
    for panel, wanted in zip(row.panels, (part, 1 - part), strict=True):
        assert np.array_equal(pixels_of(f'src="{panel.address}"'), to_uint8(wanted))


@pytest.mark.parametrize(
    ("sizes", "wanted", "scale"),
    [
        ([(128, 128)], None, 4),
        ([(128, 128)] * 4, None, 2),
        ([(128, 128)] * 4, 1, 2),
        ([(48, 48)], 3, 6),
        ([(16, 16)], None, 16),
        ([(256, 256)] * 9, None, 1),
        ([(384, 512)] * 2, None, 445 / 512),
        ([(384, 768)] * 3, None, 880 / 3 / 768),
        ([(64, 64), (128, 128)], None, 3),
    ],
)
def test_pictures_are_at_least_256_pixels_wide_at_one_scale(sizes, wanted, scale):
    found = scale_of(sizes, wanted)
    assert found == pytest.approx(scale)
    assert max(width for _, width in sizes) * found >= 256


def test_the_canvas_shows_every_pixel_as_an_exact_square():
    image = noise(3, 70, 110)
    expected = to_uint8(enlarged(image, 3))
    seen = pixels_of(figure_html(canvas(image, zoom=3), ALT))
    assert seen.shape == expected.shape
    assert abs(seen.astype(int) - expected).max() <= 1  # matplotlib blends, rounding


def test_each_picture_of_a_row_has_an_alt_text():
    html = figure_html({"first": noise(3, 8, 8), "second": noise(3, 8, 8, seed=1)}, ALT)
    found = re.findall(r'<img alt="([^"]+)"', html)
    assert found == [ALT, "second, picture 2 of 2 in this row"]


@pytest.mark.parametrize("crop", [(0, 0, 21, 5), (-1, 0, 5, 5), (0, 0, 0, 5)])
def test_a_crop_outside_the_image_is_rejected(crop):
    with pytest.raises(ValueError, match="crop: expected"):
        strip(noise(3, 20, 20), crop=crop)


def test_the_truth_is_last_and_images_of_its_size_get_a_score():
    truth = noise(3, 20, 20)
    images = {
        "same": truth,
        "off": (truth + 0.1).clamp(0, 1),
        "small": noise(3, 10, 10),
    }
    texts = [panel.caption for panel in strip(images, truth=truth).panels]
    assert texts[0].split("\n") == ["same", "inf dB"]
    assert re.search(r"\n2\d\.\d\d dB", texts[1])
    assert texts[2:] == ["small", "ground truth"]


def test_a_crop_of_a_finished_figure_is_rejected():
    with pytest.raises(ValueError, match="pass them to strip"):
        show(strip(noise(3, 8, 8)), ALT, crop=(0, 0, 4, 4))


def test_no_images_and_too_many_curves_are_rejected():
    with pytest.raises(ValueError, match="at least one image"):
        strip({})
    with pytest.raises(ValueError, match="at most 5, got 6"):
        curves({str(i): ([0], [0]) for i in range(6)}, "x", "y")


def test_a_large_photograph_stays_small_on_the_page():
    photograph = from_uint8(data.astronaut()[:256, :256])
    assert len(figure_html(photograph, ALT)) < 130_000


def test_a_chart_has_a_palette_and_keeps_its_colours():
    figure = curves({"a": (range(90), range(90)), "b": ([0, 89], [60, 9])}, "x", "y")
    html = figure_html(figure, ALT)
    seen = pixels_of(html).astype(int)
    exact = np.array(figure.canvas.buffer_rgba())[..., :3]
    file = io.BytesIO()
    PillowImage.fromarray(exact).save(file, "png")
    assert len(html) < 0.6 * (4 / 3 * len(file.getvalue()))
    assert np.abs(seen - exact).mean() < 0.1


def test_the_same_picture_gives_the_same_bytes():
    image = noise(3, 32, 32)
    lines = {"loss": ([1, 2, 3], [3.0, 2.0, 1.0])}
    for picture in (image, {"a": image}):
        assert figure_html(picture, ALT) == figure_html(picture, ALT)
    one, two = (curves(lines, "step", "loss") for _ in range(2))
    assert figure_html(one, ALT) == figure_html(two, ALT)


def test_show_source_shows_the_code_of_the_library(shown):
    show_source(strip)
    assert "`strip` in `dil_teach/notebook/figures.py`" in shown[0].data
    assert "def strip(" in shown[0].data


CONTROLS = {
    "size": Slider("Patch size", 3, 9, 5, 2),
    "border": Choice("Border", ("clamp", "mirror"), "clamp"),
    "noisy": Toggle("Noise", False),
}


def test_corners_are_the_defaults_and_all_extremes():
    values = corners(CONTROLS)
    assert values[0] == {"size": 5, "border": "clamp", "noisy": False}
    assert len(values) == 1 + 2 * 2 * 2
    assert {"size": 9, "border": "mirror", "noisy": True} in values


def test_controls_have_labels_change_the_picture_and_show_static_examples(shown):
    explorer = explore(
        lambda size, border, noisy: noise(1, size, size),
        CONTROLS,
        "Noise of {size} x {size} pixels",
        examples=[corners(CONTROLS)[0]],
    )
    panel, static = shown
    size, border, noisy, area = panel.children
    assert isinstance(size, ipywidgets.IntSlider)
    labels = [control.description for control in (size, border, noisy)]
    assert labels == ["Patch size", "Border", "Noise"]
    assert 'alt="Noise of 5 x 5 pixels"' in area.value
    size.value = 9
    assert 'alt="Noise of 9 x 9 pixels"' in area.value
    assert 'alt="Noise of 5 x 5 pixels"' in static["text/html"]
    assert explorer.try_corners() == 9


def test_an_error_in_a_control_is_shown_and_raised(shown):
    def render(size, border, noisy):
        if size > 5:
            raise ValueError("this size <breaks>")
        return noise(1, size, size)

    explorer = explore(render, CONTROLS, ALT, examples=[])
    size, *_, area = shown[0].children
    with pytest.raises(ValueError, match="this size"):
        size.value = 7
    assert "ValueError: this size &lt;breaks&gt;" in area.value
    with pytest.raises(ValueError, match="this size"):
        explorer.try_corners()


def test_before_and_after_meet_at_the_divider(shown):
    before, after = noise(3, 6, 10, seed=1), noise(3, 6, 10, seed=2)
    slider = before_after(before, after, ("before", "after"))
    assert torch.equal(slider.render(position=1.0), before)
    assert torch.equal(slider.render(position=0.0), after)
    middle = slider.render(position=0.5)
    assert torch.equal(middle[:, :, :4], before[:, :, :4])
    assert torch.equal(middle[:, :, 6:], after[:, :, 6:])
    assert middle[:, :, 4].max() == 0
    assert middle[:, :, 5].min() == 1
    assert slider.try_corners() == 3
    with pytest.raises(ValueError, match="the shape of before"):
        before_after(before, after[:, :5], ("before", "after"))


def test_the_live_panel_keeps_a_history_and_draws_once_a_cell(shown, monkeypatch):
    shell = SimpleNamespace(execution_count=1)
    monkeypatch.setattr(live, "get_ipython", lambda: shell)
    panel = LivePanel("The noise that this test shows")
    for step in (50, 100, 150):
        progress = Progress(step, 200, {"loss": 1 / step}, done=False)
        panel.update(progress, noise(3, 8, 8, seed=step))
    assert "Step 150 of 200, loss 0.006667" in shown[-1]["text/html"]
    assert "loss went from 0.02 to 0.006667" in shown[-1]["text/html"]
    shell.execution_count = 2  # the cell was stopped and runs again
    panel.update(Progress(200, 200, {"loss": 0.1}, done=True), noise(3, 8, 8, seed=200))
    assert [step for step, _ in panel.history] == [50, 100, 150, 200]

    slider = scrub(panel.history, "Noise after {step} steps of nothing")
    assert torch.equal(slider.render(step=120), noise(3, 8, 8, seed=100))
    assert slider.try_corners() == 3


def test_restarting_the_training_drops_later_previews():
    panel = LivePanel("The noise that this test shows")
    for step in (50, 100, 50):
        panel.update(Progress(step, 100, {"loss": 1.0}, step == 100), noise(3, 8, 8))
    assert [step for step, _ in panel.history] == [50]


def test_an_empty_history_is_rejected():
    with pytest.raises(ValueError, match="train first"):
        scrub([], ALT)


@pytest.mark.parametrize("version", [7, 8])
def test_an_uploaded_photograph_is_read_and_downscaled(version, capsys):
    image = noise(4, 60, 100)
    file = io.BytesIO()
    PillowImage.fromarray(to_uint8(image)).save(file, "PNG")
    value = (
        {"a.png": {"metadata": {}, "content": file.getvalue()}}
        if version == 7
        else ({"name": "a.png", "content": memoryview(file.getvalue())},)
    )
    default = noise(3, 8, 8)
    whole = uploaded_image(value, default)
    assert torch.allclose(whole, image[:3], atol=1 / 255)
    assert not capsys.readouterr().out
    assert uploaded_image(value, default, max_side=50).shape == (3, 30, 50)
    assert "100 x 60 pixels was downscaled to 50 x 30" in capsys.readouterr().out


@pytest.mark.parametrize("nothing", [{}, ()])
def test_without_an_upload_the_default_is_returned(nothing):
    default = noise(3, 8, 8)
    assert uploaded_image(nothing, default, max_side=4) is default


def test_an_upload_that_is_not_a_picture_is_rejected():
    with pytest.raises(ValueError, match="picture"):
        uploaded_image(({"content": memoryview(b"a letter")},), noise(3, 8, 8))


def test_start_prints_versions_budget_and_time(capsys, monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    seconds = {"quick": 25, "standard": 45, "full": 90}
    start("standard", seconds)
    out = capsys.readouterr().out
    assert "torch " + torch.__version__ in out
    assert "Budget: standard, about 45 s" in out
    with pytest.raises(ValueError, match="quick, standard, full"):
        start("fast", seconds)


def test_a_claim_that_fails_is_an_error_here_and_a_sentence_on_your_photograph(capsys):
    claims = {"ZSSR is better than bicubic": False, "the sky is blue": True}
    with pytest.raises(AssertionError, match="does not hold: ZSSR is better"):
        check_claims(claims)
    capsys.readouterr()
    check_claims(claims, own_photograph=True)
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("On your photograph, this claim does not hold: ZSSR is")
    assert second == "the sky is blue: True"


def test_static_examples_are_hidden_beside_a_live_panel_only(shown):
    explore(lambda: noise(1, 5, 5), {}, ALT, examples=[{}])
    panel, static = shown
    assert "dil-live" in panel._dom_classes
    assert 'class="dil-static"' in static["text/html"]
    assert ".jp-OutputArea:has(.dil-live) .dil-static" in static["text/html"]
