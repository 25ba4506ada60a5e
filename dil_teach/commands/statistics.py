"""dil-teach statistics: the internal statistics of one photograph."""

import io
import json
from typing import TYPE_CHECKING

from dil_teach.commands.checks import (
    check_apart,
    check_beside,
    check_pixels,
    check_place,
)
from dil_teach.commands.estimate import expect
from dil_teach.commands.files import load_picture, write
from dil_teach.commands.options import In, Out, Read

if TYPE_CHECKING:
    import torch

    from dil_teach.image.convention import Image

MOST_PIXELS = 300_000
"""A photograph has at most this number of pixels, which need half a minute."""
PER_BIN = 60
"""Number of patches that are compared with all others, in each gradient bin."""
SMALLEST_RADIUS = 8
"""Patches of 5 x 5 pixels within fewer pixels nearly all overlap."""
COMPONENTS = (1, 2, 4, 8, 12)
"""Numbers of principal components of which the entropy is estimated. With more than 12,
the estimate needs more patches than a photograph has."""
MOST_SAMPLES = 4000
"""Largest number of patches from which an entropy is estimated."""


def statistics(
    image: In,
    out: Out,
    /,
    reading: Read,
    patch_size: int = 5,
    seed: int = 0,
) -> str:
    """Draw the internal statistics of a photograph (Zontak and Irani 2011).

    The figure shows how similar patches are to their surroundings, by distance and by
    gradient; the error of the best other patch, at the photograph's own scale and at
    smaller scales; and the entropy of the patches, beside that of a Gaussian with the
    same covariance. Patches are grey and do not overlap. A JSON file beside the figure
    contains the numbers. Transparency is ignored.

    Args:
        image: The photograph: PNG, JPEG, TIFF, WebP, ...; grey or colour.
        out: The figure to write, a .png; the numbers get the same name with .json.
        patch_size: Side of a patch in pixels.
        seed: Seed of the choice of patches.
    """
    figures_out = out.with_suffix(".json")
    check_place(out, (".png",))
    check_place(figures_out, (".json",))

    import torch

    import dil_teach
    from dil_teach.notebook.statistics import statistics_figure
    from dil_teach.patches.statistics import (
        BANDWIDTH,
        GRADIENT_NAMES,
        SCALES,
        draw_places,
        gradient_bins,
        gradient_magnitude,
        internal_matches,
        recurrence_density,
    )

    if not 0 <= seed < 2**63:
        raise ValueError(f"--seed: expected 0 to 2**63 - 1, got {seed}")
    photograph = load_picture(image, reading)
    colour, alpha = photograph.colour, photograph.alpha
    check_apart([out, figures_out], image)
    check_beside(figures_out, out)
    height, width = colour.shape[-2:]
    check_pixels(image, (height, width), most=MOST_PIXELS)
    expect("statistics", image, (height, width))
    rng = torch.Generator().manual_seed(seed)
    gradient = gradient_magnitude(colour, patch_size)
    places = draw_places(gradient, PER_BIN, rng)
    bins = gradient_bins(gradient[places[:, 0], places[:, 1]])
    names = [n for i, n in enumerate(GRADIENT_NAMES) if (bins == i).any()]

    def by_bin(values: "torch.Tensor") -> "dict[str, torch.Tensor]":
        numbers = [GRADIENT_NAMES.index(name) for name in names]
        means = (values[bins == i].double().nanmean(0) for i in numbers)
        return dict(zip(names, means, strict=True))

    radii = [max(SMALLEST_RADIUS, 2 * patch_size)]
    while radii[-1] < max(height, width):
        radii.append(2 * radii[-1])
    near = recurrence_density(colour, places, radii, patch_size)
    density = {name: each.tolist() for name, each in by_bin(near.density).items()}
    close = {name: each.tolist() for name, each in by_bin(near.close).items()}
    errors = {}
    for kind, scales in (("own scale", SCALES[:1]), ("five scales", SCALES)):
        found = internal_matches(colour, places, 1, patch_size, scales).distance
        squares = by_bin(found[:, 0])
        errors[kind] = {n: 255 * each.sqrt().item() for n, each in squares.items()}
    entropies, samples, bias = _entropies(colour, patch_size, rng)
    figures = {
        "image": image.name,
        "height": height,
        "width": width,
        "transparency": "none" if alpha is None else "left out of account",
        "patch_size": patch_size,
        "seed": seed,
        "gradient": "mean magnitude in grey levels of luma per pixel",
        "percent_of_patches": {
            name: 100 * (gradient_bins(gradient) == i).double().mean().item()
            for i, name in enumerate(GRADIENT_NAMES)
        },
        "patches_compared": {
            name: int((bins == GRADIENT_NAMES.index(name)).sum()) for name in names
        },
        "radii": radii,
        "bandwidth_in_grey_levels": 255 * BANDWIDTH,
        "density_within_radius": density,
        "similar_patches_within_radius": close,
        "error_of_best_patch_in_grey_levels": errors,
        "entropy_samples": samples,
        "entropy_in_bits": entropies,
        "entropy_bias_for_a_gaussian": bias,
        "dil_teach": dil_teach.__version__,
    }
    text = json.dumps(figures, indent=2, ensure_ascii=False) + "\n"
    figure = statistics_figure(colour, radii, density, errors, entropies)
    drawn = io.BytesIO()  # matplotlib does not notice a full disk
    figure.savefig(drawn, format="png")
    files = {out: drawn.getvalue(), figures_out: text}
    return write(files, f"{len(places)} of {gradient.numel()} patches compared")


def _entropies(
    image: "Image", patch_size: int, rng: "torch.Generator"
) -> tuple[dict[str, dict[int, float]], int, dict[int, float]]:
    """Entropies of the first principal components of patches that do not overlap.

    Also returns the number of patches, and the bias for a Gaussian, in bits. Uniform
    noise of one grey level undoes the quantisation to eight bits.
    """
    import torch

    from dil_teach.image.metrics import luma
    from dil_teach.patches.entropy import (
        entropy,
        gaussian_bias,
        gaussian_entropy,
        principal_components,
    )
    from dil_teach.patches.extract import extract_patches

    patches = 255 * extract_patches(luma(image).float(), patch_size, patch_size)
    order = torch.randperm(len(patches), generator=rng)[:MOST_SAMPLES]
    patches = patches[order] + torch.rand(*patches[order].shape, generator=rng) - 0.5
    patches = patches - patches.mean(1, keepdim=True)
    n = len(patches)
    found: dict[str, dict[int, float]] = {
        "the photograph": {},
        "Gaussian of the same covariance": {},
    }
    bias = {}
    for d in COMPONENTS:
        if d >= min(n, patch_size**2):
            break
        basis = principal_components(patches, d)
        values = patches @ basis
        back = -basis.norm(dim=0).double().log2().sum().item()  # undoes the scaling
        measured = entropy(values), gaussian_entropy(torch.atleast_2d(values.T.cov()))
        for kind, bits in zip(found, measured, strict=True):
            found[kind][d] = bits + back
        bias[d] = gaussian_bias(n, d, rng)[0]
    return found, n, bias
