"""Figures of kernels: one panel for each kernel, at one scale."""

import numpy as np
import pytest
import torch

from dil_teach.image.kernel import gaussian_kernel
from dil_teach.notebook.figures import figure_html
from dil_teach.notebook.kernels import kernels


def test_each_kernel_has_a_panel_and_the_truth_is_last():
    blur = gaussian_kernel((2.0, 1.0), 0.5)
    figure = kernels({"wide": blur, "narrow": gaussian_kernel((1, 1))}, truth=blur)
    *panels, bar = figure.axes
    titles = [axes.get_title(loc="left") for axes in panels]
    assert titles == ["wide", "narrow", "truth"]
    assert bar.get_ylabel() == "weight / largest weight"
    widths = [axes.get_window_extent().width for axes in panels]
    assert min(widths) == pytest.approx(256)
    assert 'width="9' in figure_html(figure, "Three kernels, all of them drawn")


def test_the_ellipse_has_the_standard_deviations_of_the_kernel():
    figure = kernels({"": gaussian_kernel((2.0, 1.0), size=21)})
    ((x, y),) = [line.get_data() for line in figure.axes[0].lines]
    assert np.max(x) == pytest.approx(2, abs=0.02)
    assert np.max(y) == pytest.approx(1, abs=0.02)


def test_a_kernel_whose_weights_cancel_is_drawn_without_an_ellipse():
    noise = torch.randn(13, 13, generator=torch.Generator().manual_seed(0))
    figure = kernels({"": noise - noise.mean()})
    assert np.ptp(figure.axes[0].lines[0].get_data()) == 0
    assert figure.axes[0].images[0].get_array().min() >= -1


def test_no_kernel_is_refused():
    with pytest.raises(ValueError, match="expected at least one kernel"):
        kernels({})
