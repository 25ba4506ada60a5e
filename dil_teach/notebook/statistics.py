"""A figure of the internal statistics of one photograph."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from dil_teach.image.convention import Image, to_uint8
from dil_teach.notebook.figures import CURVES


def statistics_figure(
    image: Image,
    radii: Sequence[float],
    density: Mapping[str, Sequence[float]],
    errors: Mapping[str, Mapping[str, float]],
    entropies: Mapping[str, Mapping[int, float]],
) -> Figure:
    """Four panels: the photograph, and three measurements of its patches.

    Parameters
    ----------
    image : Image
        Float[Tensor, "c h w"].
    radii : sequence of float
        Distances in pixels.
    density : dict of gradient bin to densities
        The density of similar patches within each radius, for each gradient bin.
    errors : dict of searched scales to dict of gradient bin to error
        Errors of the best representatives, in grey levels.
    entropies : dict of distribution to dict of components to entropy
        Entropies in bits, for rising numbers of principal components.
    """
    figure = Figure(figsize=(11, 8), dpi=120, layout="constrained")
    (shown, near), (best, bits) = figure.subplots(2, 2)
    shown.imshow(to_uint8(image), cmap="gray", vmin=0, vmax=255)
    shown.set_title("the photograph")
    shown.set_axis_off()

    for (name, values), (colour, dash) in zip(density.items(), CURVES, strict=False):
        near.plot(radii, values, label=name, color=colour, linestyle=dash, marker=".")
    near.set(
        title="density of similar patches around a patch",
        xlabel="within this distance [pixels]",
        ylabel="mean similarity, 0 to 1",
        xscale="log",
        yscale="log",
    )
    near.set_xticks(radii, [f"{r:g}" for r in radii])
    near.minorticks_off()
    near.legend(  # beside the curves, because they may lie anywhere
        title="gradient\n[grey levels/pixel]",
        frameon=False,
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )

    names = list(dict.fromkeys(name for bars in errors.values() for name in bars))
    for number, (kind, bars) in enumerate(errors.items()):
        places = [
            i + 0.38 * (number - (len(errors) - 1) / 2) for i in range(len(names))
        ]
        heights = [bars.get(name, 0.0) for name in names]
        best.bar(places, heights, 0.36, label=kind, color=CURVES[number][0])
    best.set_xticks(range(len(names)), names)
    best.set(
        title="error of the best other patch",
        xlabel="gradient [grey levels/pixel]",
        ylabel="root mean squared error [grey levels]",
    )
    best.legend(frameon=False)

    for (name, values), (colour, dash) in zip(entropies.items(), CURVES, strict=False):
        x, y = list(values), list(values.values())
        bits.plot(x, y, label=name, color=colour, linestyle=dash, marker=".")
    bits.set(
        title="entropy of the patches",
        xlabel="principal components",
        ylabel="differential entropy [bits]",
    )
    bits.legend(frameon=False)
    for axes in (near, best, bits):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.3)
    return figure
