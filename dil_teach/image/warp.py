"""Geometric transformations: from where in an image each place of the output comes.

Places are (x, y), the middle of the image is (0, 0), its left and top edges are -1, its
right and bottom edges 1: so one transformation serves an image at all its scales.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dil_teach.image.resize import resize
from dil_teach.image.scale import per_axis

Places = Float[Tensor, "_h _w 2"]

SQUARE = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]])
"""The image's corners: top left, top right, bottom right, bottom left."""
NODES = 33
"""Places are kept at so many nodes along each axis, and are linear in between."""
INVERSIONS = 30
"""Steps of the search for the inverse of a smooth warp; each at least halves its error
where neighbouring places move by less than half of their distance from one another."""
SETTLED = 0.01
"""How far its last step may still move, in half sides."""


@dataclass(frozen=True)
class Transformation:
    """A map of an image to an output of any size, and back; see the functions below."""

    scales: tuple[float, float]
    """Height and width of the output, as multiples of the image's."""
    source: Float[Tensor, "nodes nodes 2"] | None = None
    """Where in the image each node of the output comes from; None: where it is."""
    output: Float[Tensor, "nodes nodes 2"] | None = None
    """The inverse: where in the output each node of the image goes."""

    def inverse(self) -> "Transformation":
        """The transformation that brings the output back to the image."""
        scales = (1 / self.scales[0], 1 / self.scales[1])
        return Transformation(scales, self.output, self.source)

    def size_of(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width in pixels of the output for an image of this size."""
        height, width = (
            max(1, round(scale * side))
            for scale, side in zip(self.scales, size, strict=True)
        )
        return height, width

    def places(self, size: tuple[int, int], device: torch.device) -> Places:
        """Where in the image each pixel of an output of this size comes from."""
        middles = pixel_middles(size, device)
        if self.source is None:
            return middles
        nodes = self.source.to(device).permute(2, 0, 1)[None]
        found = F.grid_sample(
            nodes, middles[None], padding_mode="border", align_corners=True
        )
        return found[0].permute(1, 2, 0)

    def inside(
        self, size: tuple[int, int], device: torch.device
    ) -> Bool[Tensor, "h w"]:
        """Which pixels of an output of this size come from within the image."""
        return (self.places(size, device).abs() <= 1).all(-1)

    def shape(
        self, size: tuple[int, int], device: torch.device
    ) -> Bool[Tensor, "h w"] | None:
        """:meth:`inside`; None for resizing, which leaves nothing outside."""
        return None if self.source is None else self.inside(size, device)


def pixel_middles(size: tuple[int, int], device: torch.device) -> Places:
    """The place of each pixel's middle in an image of this height and width."""
    y, x = ((2 * torch.arange(side, device=device) + 1) / side - 1 for side in size)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def resizing(scale_y: float, scale_x: float) -> Transformation:
    """Plain resizing, as much as this in height and width.

    Parameters
    ----------
    scale_y, scale_x : float
        Output over input; 1 keeps a side, 2 doubles it.

    Raises
    ------
    ValueError
        If one is not positive and finite.
    """
    return Transformation(per_axis((scale_y, scale_x)))


def homography(
    corners: Float[Tensor, "4 2"], scales: tuple[float, float] = (1.0, 1.0)
) -> Transformation:
    """The homography that brings the image's corners to these places of the output.

    Parameters
    ----------
    corners : Float[Tensor, "4 2"]
        Of the top left, top right, bottom right and bottom left corner: (x, y), -1 to
        1 within the output. What lies outside of the quadrilateral between them comes
        from outside of the image: see :meth:`Transformation.inside`.
    scales : (float, float)
        Height and width of the output, as multiples of the image's.

    Raises
    ------
    ValueError
        If the corners span no convex quadrilateral, in that order.

    References
    ----------
    R. Hartley and A. Zisserman, "Multiple View Geometry", 2004, section 4.1: four
    points determine the eight numbers of a homography.
    """
    scales = per_axis(scales)
    if tuple(corners.shape) != (4, 2) or not _convex(corners):
        raise ValueError(
            "corners: expected (x, y) of the top left, top right, bottom right and "
            f"bottom left corner of a convex shape, got {corners.tolist()}; "
            "move a corner outwards"
        )
    forward = _matrix(SQUARE.double(), corners.detach().cpu().double())
    nodes = _nodes().double()
    return Transformation(
        scales,
        _apply(torch.linalg.inv(forward), nodes).float(),
        _apply(forward, nodes).float(),
    )


def smooth_warp(
    displacement: Float[Tensor, "_n _n 2"], scales: tuple[float, float] = (1.0, 1.0)
) -> Transformation:
    """A warp whose output takes each place from a little beside it.

    Parameters
    ----------
    displacement : Float[Tensor, "n n 2"]
        At n x n nodes spread evenly over the output from edge to edge, how far (x, y)
        from there the place in the image lies; smoothly interpolated in between.
    scales : (float, float)
        Height and width of the output, as multiples of the image's.

    Raises
    ------
    ValueError
        If it folds: places that are neighbours change sides; or if they move by more
        than their distance from one another, where the search finds no inverse.
    """
    scales = per_axis(scales)
    coarse = displacement.detach().cpu().float().permute(2, 0, 1)[None]
    moved = F.interpolate(coarse, (NODES, NODES), mode="bicubic", align_corners=True)
    nodes = _nodes()
    source = nodes + moved[0].permute(1, 2, 0)
    rows, columns = source.diff(dim=0)[:, :-1], source.diff(dim=1)[:-1]
    turned = columns[..., 0] * rows[..., 1] - columns[..., 1] * rows[..., 0]
    if not bool((turned > 0).all()):
        raise ValueError(
            "displacement: expected a warp without folds, got one whose neighbouring "
            "places change sides; make it smaller or smoother"
        )
    before = output = nodes
    for _ in range(INVERSIONS):  # the place q with q + moved(q) = node
        there = F.grid_sample(
            moved, output[None], padding_mode="border", align_corners=True
        )
        before, output = output, nodes - there[0].permute(1, 2, 0)
    if (output - before).abs().max() > SETTLED:
        raise ValueError(
            "displacement: expected neighbouring places to move by less than their "
            "distance from one another, got a warp whose inverse is not found; make it "
            "smaller or smoother"
        )
    return Transformation(scales, source, output)


def random_homography(
    scales: tuple[float, float], reach: float, rng: torch.Generator
) -> Transformation:
    """A homography that moves each corner inwards by up to `reach`, below 1."""
    inwards = reach * torch.rand(4, 2, generator=rng)
    return homography(SQUARE * (1 - inwards), scales)


def random_smooth_warp(
    scales: tuple[float, float], reach: float, rng: torch.Generator
) -> Transformation:
    """A smooth warp that moves 3 x 3 places, the edges resting, by up to `reach`.

    One that would fold, as one in thousands does at a reach of 0.15, is made weaker.
    """
    bend = torch.zeros(5, 5, 2)
    bend[1:-1, 1:-1] = torch.rand(3, 3, 2, generator=rng) * 2 - 1
    bend *= reach
    while True:
        try:
            return smooth_warp(bend, scales)
        except ValueError:
            bend /= 2


def warp(
    image: Float[Tensor, "n c h w"], transformation: Transformation, size: tuple
) -> Float[Tensor, "n c h2 w2"]:
    """Move pixels only: what an output of this size takes from an image, interpolated.

    Bicubic and antialiased as far as the sizes differ; bilinear for the rest. What
    lies outside of the image is its border, repeated.
    """
    resized = resize(image, size=size)
    if transformation.source is None:
        return resized
    places = transformation.places(size, image.device)[None].to(image.dtype)
    return F.grid_sample(
        resized,
        places.expand(len(image), -1, -1, -1),
        padding_mode="border",
        align_corners=False,
    )


def _nodes() -> Places:
    steps = torch.linspace(-1, 1, NODES)
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)


def _convex(corners: Float[Tensor, "4 2"]) -> bool:
    sides = corners.roll(-1, 0) - corners
    after = sides.roll(-1, 0)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    return bool(torch.isfinite(corners).all() and (turns > 1e-3).all())


def _matrix(
    given: Float[Tensor, "4 2"], wanted: Float[Tensor, "4 2"]
) -> Float[Tensor, "3 3"]:
    """The homography that brings four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(given.tolist(), wanted.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = torch.linalg.solve(given.new_tensor(rows), given.new_tensor(values))
    return torch.cat([solved, solved.new_ones(1)]).view(3, 3)


def _apply(matrix: Float[Tensor, "3 3"], places: Places) -> Places:
    moved = torch.cat([places, torch.ones_like(places[..., :1])], -1) @ matrix.T
    # far beyond a horizon, far away: the mask leaves it out
    weight = moved[..., 2:].clamp_min(1e-3)
    return (moved[..., :2] / weight).clamp(-50, 50)
