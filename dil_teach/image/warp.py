"""Geometric transformations: where in an image the value of each output pixel is.

Places are (x, y), from -1 at the left and top edges of an image to 1 at its right and
bottom edges. In these coordinates, a transformation is the same at all scales.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from dil_teach.image.resize import resize
from dil_teach.image.scale import per_axis

Places = Float[Tensor, "_h _w 2"]
Mask = Bool[Tensor, "_h _w"]

SQUARE = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float32)
"""The corners of the image, in this order: top left, top right, bottom right, bottom
left."""
NODES = 33
"""Number of grid points (nodes) along each axis. Between the nodes, places are
interpolated linearly."""
INVERSIONS = 30
"""Number of fixed-point iterations for the inverse of a smooth warp. Each iteration at
least halves the error if the displacement changes by under half a pixel per pixel."""
SETTLED = 0.01
"""Largest accepted change in the last iteration, in normalised coordinates."""


@dataclass(frozen=True)
class Transformation:
    """A map from an image to an output of any size, and back."""

    scales: tuple[float, float]
    """Height and width of the output, divided by those of the image."""
    source: Float[Tensor, "nodes nodes 2"] | None = None
    """For each node of the output, its place in the image; None for plain resizing."""
    output: Float[Tensor, "nodes nodes 2"] | None = None
    """For each node of the image, its place in the output; None for plain resizing."""

    def inverse(self) -> "Transformation":
        """The transformation from the output back to the image."""
        scales = (1 / self.scales[0], 1 / self.scales[1])
        return Transformation(scales, self.output, self.source)

    def size_of(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the output in pixels, for an image of this size."""
        (y, x), (height, width) = self.scales, size
        return max(1, round(y * height)), max(1, round(x * width))

    def places(self, size: tuple[int, int], device: torch.device) -> Places:
        """For each pixel of an output of this size, its place in the image."""
        centres = pixel_centres(size, device)
        if self.source is None:
            return centres
        return _interpolate(self.source.to(device).permute(2, 0, 1), centres)

    def inside(self, size: tuple[int, int], device: torch.device) -> Mask:
        """True where a pixel of an output of this size comes from inside the image."""
        return (self.places(size, device).abs() <= 1).all(-1)

    def shape(self, size: tuple[int, int], device: torch.device) -> Mask | None:
        """As :meth:`inside`; None for resizing, where all pixels come from inside."""
        return None if self.source is None else self.inside(size, device)


def pixel_centres(size: tuple[int, int], device: torch.device) -> Places:
    """The place of each pixel's centre in an image of this height and width."""
    y, x = ((2 * torch.arange(side, device=device) + 1) / side - 1 for side in size)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), -1)


def resizing(scale_y: float, scale_x: float) -> Transformation:
    """Plain resizing of the height and the width; 2 doubles a side."""
    return Transformation(per_axis((scale_y, scale_x)))


def homography(
    corners: Float[Tensor, "4 2"], scales: tuple[float, float] = (1.0, 1.0)
) -> Transformation:
    """The homography that moves the image's corners to these places of the output.

    Four points determine the eight parameters of a homography: R. Hartley and A.
    Zisserman, "Multiple View Geometry", 2004, section 4.1.

    Parameters
    ----------
    corners : Float[Tensor, "4 2"]
        (x, y) of the top left, top right, bottom right and bottom left corner of a
        convex shape; the output spans -1 to 1. Output pixels outside this shape
        come from outside the image: see :meth:`Transformation.inside`.
    scales : (float, float)
        Height and width of the output, divided by those of the image.
    """
    scales = per_axis(scales)
    if tuple(corners.shape) != (4, 2) or not _convex(corners):
        raise ValueError(
            "corners: expected (x, y) of a convex shape's corners, clockwise from the "
            f"top left, got {corners.tolist()}; move a corner outwards"
        )
    forward = _homography_matrix(SQUARE.double(), corners.detach().cpu().double())
    nodes = _nodes().double()
    source = _apply_homography(torch.linalg.inv(forward), nodes)
    output = _apply_homography(forward, nodes)
    return Transformation(scales, source.float(), output.float())


def smooth_warp(
    displacement: Float[Tensor, "_n _n 2"], scales: tuple[float, float] = (1.0, 1.0)
) -> Transformation:
    """A smooth warp, given by displacements at a few nodes.

    A ValueError is raised if the warp folds, or its inverse is not found.

    Parameters
    ----------
    displacement : Float[Tensor, "n n 2"]
        Position in the image minus position in the output, (x, y). The n x n nodes are
        an even grid over the output, with its edges; bicubic between the nodes.
    scales : (float, float)
        As in :func:`homography`.
    """
    scales = per_axis(scales)
    coarse = displacement.detach().cpu().float().permute(2, 0, 1)[None]
    moved = F.interpolate(coarse, (NODES, NODES), mode="bicubic", align_corners=True)
    nodes = _nodes()
    source = nodes + moved[0].permute(1, 2, 0)
    rows, columns = source.diff(dim=0)[:, :-1], source.diff(dim=1)[:-1]
    turned = columns[..., 0] * rows[..., 1] - columns[..., 1] * rows[..., 0]
    if not (turned > 0).all():
        raise ValueError(
            "displacement: expected a warp without folds, got one that folds; make it "
            "smaller or smoother"
        )
    before = output = nodes
    for _ in range(INVERSIONS):  # find the place q with q + moved(q) = node
        before, output = output, nodes - _interpolate(moved[0], output)
    if (output - before).abs().max() > SETTLED:
        raise ValueError(
            "displacement: expected displacements that change slowly, got a warp whose "
            "inverse is not found; make them smaller or smoother"
        )
    return Transformation(scales, source, output)


def random_homography(
    scales: tuple[float, float], reach: float, rng: torch.Generator
) -> Transformation:
    """A homography that moves each corner inwards by at most ``reach`` half sides."""
    inwards = reach * torch.rand(4, 2, generator=rng)
    return homography(SQUARE * (1 - inwards), scales)


def random_smooth_warp(
    scales: tuple[float, float], reach: float, rng: torch.Generator
) -> Transformation:
    """A smooth warp that moves each of 3 x 3 inner nodes by at most ``reach``.

    The unit of ``reach`` is half a side. The edges do not move. If the warp folds (once
    in thousands of draws for a reach of 0.15), its displacements are halved.
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
    """Transform an image by interpolation; ``size`` is the size of the output.

    The image is resized (bicubic, antialiased), then warped (bilinear). Outside the
    image, the border pixels are repeated.
    """
    resized = resize(image, size=size)
    if transformation.source is None:
        return resized
    places = transformation.places(size, image.device)[None].to(image.dtype)
    places = places.expand(len(image), -1, -1, -1)
    return F.grid_sample(resized, places, padding_mode="border", align_corners=False)


def _interpolate(values: Float[Tensor, "2 nodes nodes"], places: Places) -> Places:
    """Interpolate values between the nodes, at these places."""
    values, places = values[None], places[None]
    found = F.grid_sample(values, places, padding_mode="border", align_corners=True)
    return found[0].permute(1, 2, 0)


def _nodes() -> Places:
    steps = torch.linspace(-1, 1, NODES)
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), -1)


def _convex(corners: Float[Tensor, "4 2"]) -> bool:
    sides = corners.roll(-1, 0) - corners
    after = sides.roll(-1, 0)
    turns = sides[:, 0] * after[:, 1] - sides[:, 1] * after[:, 0]
    return bool(corners.isfinite().all() and (turns > 1e-3).all())


def _homography_matrix(
    given: Float[Tensor, "4 2"], wanted: Float[Tensor, "4 2"]
) -> Float[Tensor, "3 3"]:
    """The homography that maps four points to four others."""
    rows, values = [], []
    for (x, y), (u, v) in zip(given.tolist(), wanted.tolist(), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solved = torch.linalg.solve(given.new_tensor(rows), given.new_tensor(values))
    return torch.cat([solved, solved.new_ones(1)]).view(3, 3)


def _apply_homography(matrix: Float[Tensor, "3 3"], places: Places) -> Places:
    moved = torch.cat([places, torch.ones_like(places[..., :1])], -1) @ matrix.T
    # places beyond the horizon go far outside the image, where the mask excludes them
    weight = moved[..., 2:].clamp_min(1e-3)
    return (moved[..., :2] / weight).clamp(-50, 50)
