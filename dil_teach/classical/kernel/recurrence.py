"""A blur kernel from recurring patches: Michaeli and Irani, 'Nonparametric Blind
Super-Resolution', ICCV 2013.

Patches of an image recur at smaller scales. So with the right kernel k, patches q_i of
the image I are similar to patches r_j of J, which is I blurred by k and subsampled by
2. All pixels of r_j are linear functions of k: r_j = R_j k, where each row of R_j holds
the pixels of I around one pixel. The algorithm starts with k = delta and repeats two
steps (paper, section 4):

    w_ij = softmax over the nearest j of  -| q_i - R_j k |^2 / (2 sigma^2)
    k    = argmin of  sum over i and j of  w_ij | q_i - R_j k |^2  +  | D k |^2 ,

where D k are the differences of neighbouring weights of k. The second step solves one
linear system with a row for each weight of k. No R_j is built:
:meth:`KernelByRecurrence.normal_equations` sums over the pixels of J instead.

Departures from the paper:

- Patches are compared by their gradients. Grey values are mostly low frequencies, which
  show no blur: with them the variances of k were 2 to 4 pixels² too large on four
  pictures of BSD200, with gradients at most 0.4 pixels² too large.
- The weights of k are not negative.
- The result is k without weak weights. In theory it is narrower than the unknown kernel
  (:mod:`dil_teach.image.kernel_estimate`). But the least squares widen k, because
  patches recur only approximately, and the two errors nearly cancel: the correction by
  theory made the error of the covariance larger: 0.65 instead of 0.52 pixels² on ten
  pictures with Gaussian blur. The power spectrum's error there was 0.36 pixels².
"""

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy.optimize import nnls
from torch import Tensor

from dil_teach.image.convention import Image, own_copy
from dil_teach.image.kernel import centre_kernel
from dil_teach.image.kernel_estimate import checked_luma, remove_negligible
from dil_teach.patches.extract import BLOCK, extract_patches
from dil_teach.patches.search import nearest_rows
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.settings import budget, check_settings

SIDE = 13
"""Side of the kernel in pixels, as in KernelGAN."""
SIGMA = 10 / 255
"""Standard deviation of the differences between similar patches, in [0, 1]."""
SMOOTHNESS = 0.01
"""Weight of the squared differences of neighbouring weights of the kernel, relative to
the mean of the diagonal of the least squares."""
KEYS = 16384
"""Largest number of patches of the smaller image that are searched."""
NEGLIGIBLE = 0.1
"""Weights of the result below this fraction of the largest become 0."""

Grams = Float[Tensor, "unknowns unknowns"]
Unknowns = Float[Tensor, "unknowns"]


@dataclasses.dataclass(frozen=True)
class KernelByRecurrenceSettings:
    """Settings; ``quick()``, ``standard()`` and ``full()`` are the budgets."""

    steps: int = 12
    """Number of iterations: 10 to 15 in the paper."""
    patch_size: int = 5
    """Side of the patches of gradients in pixels."""
    patches: int = 6000
    """Number of patches q_i, drawn from the half with the larger gradients."""
    neighbours: int = 3
    """Number of patches r_j with a weight for each q_i."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, patch_size=2, patches=2, neighbours=1)

    quick = budget("Settings for a quick run: about 2 CPU seconds at any image size.")
    standard = budget("Settings for good results.", patches=12000)
    full = budget("Settings for the best quality.", patches=24000, steps=15)


@repeatable
class KernelByRecurrence:
    """An estimator of the blur kernel of one image, for super-resolution by 2.

    ``ZSSR(image, 2, fit(KernelByRecurrence(image)).kernel())`` super-resolves an image
    with an unknown kernel.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : KernelByRecurrenceSettings
        Number of iterations and patches, and seed of the random choice of patches.

    Raises
    ------
    ValueError
        If the image is too small or the same at all pixels.
    """

    STATE = ("step", "estimate", "agreement", "rng")

    def __init__(
        self,
        image: Image,
        settings: KernelByRecurrenceSettings = KernelByRecurrenceSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        self.grey = checked_luma(image)
        self.image, self.settings = own_copy(image), settings
        self.arguments = {"settings": settings}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        self.slopes = gradients(self.grey, 1)
        # a difference of neighbours in J is one of pixels at a distance of 2 in I
        self.parents = gradients(self.grey, 2)
        self.estimate = torch.zeros(SIDE, SIDE, dtype=torch.float64)
        self.estimate[SIDE // 2, SIDE // 2] = 1
        self.agreement = torch.zeros(())

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Find the nearest patches with the current kernel, then solve for the kernel.

        The kernels of the left and the right half of the image are solved for too.
        """
        queries, left = self._queries()
        keys, corners = self._keys()
        distance, index = nearest_rows(queries, keys, self.settings.neighbours)
        weights = (-distance / (2 * SIGMA**2)).softmax(1)
        halves = [
            self.normal_equations(queries[half], corners[index[half]], weights[half])
            for half in (left, ~left)
        ]
        both = halves[0][0] + halves[1][0], halves[0][1] + halves[1][1]
        self.estimate = solve(*both)
        one, other = (solve(*half).flatten() for half in halves)
        self.agreement = F.cosine_similarity(one, other, dim=0)
        self.step += 1
        return {"distance": distance[:, 0].mean()}

    def _queries(self) -> tuple[Float[Tensor, "n values"], Tensor]:
        """Random patches of the image, and whether they are in its left half."""
        patches = extract_patches(self.slopes, self.settings.patch_size)
        strong = patches.square().sum(1).argsort(descending=True, stable=True)
        strong = self._some(strong[: len(strong) // 2], self.settings.patches)
        width = self.slopes.shape[2] - self.settings.patch_size + 1
        return patches[strong], strong % width < width / 2

    def _keys(self) -> tuple[Float[Tensor, "m values"], Int[Tensor, "m"]]:
        """Random patches of the smaller image J, and their top left pixels in J."""
        kernel = self.estimate.to(self.grey)[None, None]
        small = F.conv2d(self.parents[:, None], kernel, stride=2)[:, 0]
        patches = extract_patches(small, self.settings.patch_size)
        height, width = small.shape[1:]
        places = torch.arange(height * width, device=small.device).view(height, width)
        inner = 1 - self.settings.patch_size
        places = places[:inner, :inner].flatten()
        chosen = self._some(torch.arange(len(places), device=small.device), KEYS)
        return patches[chosen], places[chosen]

    def _some(self, index: Int[Tensor, "n"], count: int) -> Int[Tensor, "m"]:
        """At most ``count`` random entries."""
        order = torch.randperm(len(index), generator=self.rng)[:count]
        return index[order.to(index.device)]

    def normal_equations(
        self,
        queries: Float[Tensor, "n values"],
        corners: Int[Tensor, "n neighbours"],
        weights: Float[Tensor, "n neighbours"],
    ) -> tuple[Grams, Unknowns]:
        """Sum over i and j of  w_ij R_j^T R_j  and of  w_ij R_j^T q_i.

        A row of R_j belongs to one pixel x of J: it holds the window of I around x. So
        the sums are sums over x: of the windows, weighted by the sum of w_ij of all
        patches on x, and by the sum of w_ij q_i there.

        Parameters
        ----------
        queries : Float[Tensor, "n values"]
            The patches q_i.
        corners : Int[Tensor, "n neighbours"]
            The top left pixel in J of each nearest patch r_j.
        weights : Float[Tensor, "n neighbours"]
            The weights w_ij.
        """
        windows = self.parents.unfold(1, SIDE, 2).unfold(2, SIDE, 2)
        height, width = windows.shape[1:3]
        across = torch.arange(self.settings.patch_size, device=corners.device)
        inside = (across[:, None] * width + across).flatten()
        pixels = (corners[..., None] + inside).flatten()
        each = weights[..., None].expand(-1, -1, len(inside)).double()
        gram = weights.new_zeros(SIDE**2, SIDE**2, dtype=torch.float64)
        right = gram[0].clone()
        for channel, of_query in zip(
            windows, queries.view(len(queries), 2, 1, -1).unbind(1), strict=True
        ):
            total = right.new_zeros(height * width)
            wanted = total.index_add(0, pixels, (each * of_query).flatten())
            total = total.index_add(0, pixels, each.flatten())
            for x in total.nonzero()[:, 0].split(BLOCK):
                rows = channel[x // width, x % width].flatten(1)
                gram += (rows.T @ (total[x, None].float() * rows)).double()
                right += rows.double().T @ wanted[x]
        return gram, right

    def confidence(self) -> float:
        """Similarity of the kernels of the left and the right half, from 0 to 1.

        It is the cosine of the angle between them. The blur is the same in both halves,
        but the scene is not. A low value says that the scene made the estimate. A high
        value does not prove the estimate: on 22 pictures of BSD200 it was 0.94 or more,
        also where the variances were 4 pixels² too large.
        """
        return float(self.agreement)

    def raw_kernel(self) -> Float[Tensor, "13 13"]:
        """The solution of the last iteration."""
        return self.estimate

    def kernel(self) -> Float[Tensor, "_kh _kw"]:
        """The estimate of the unknown kernel, for ZSSR at scale 2."""
        return centre_kernel(remove_negligible(self.estimate, NEGLIGIBLE), 2)


def gradients(grey: Float[Tensor, "1 h w"], step: int) -> Float[Tensor, "2 _h _w"]:
    """Differences of pixels at a distance of ``step``, in x and in y."""
    inner = grey[:, :-step, :-step]
    return torch.cat([grey[:, :-step, step:] - inner, grey[:, step:, :-step] - inner])


def solve(gram: Grams, right: Unknowns) -> Float[Tensor, "13 13"]:
    """The smooth kernel without negative weights and with sum 1 (least squares)."""
    unit = F.pad(torch.eye(SIDE**2).view(-1, SIDE, SIDE), (1, 1, 1, 1)).to(gram)
    smooth = sum(
        side @ side.T
        for side in (unit.diff(dim=1).flatten(1), unit.diff(dim=2).flatten(1))
    )
    matrix = gram + SMOOTHNESS * gram.diagonal().mean() * smooth
    factor = torch.linalg.cholesky(matrix)
    target = torch.linalg.solve_triangular(factor, right[:, None], upper=False)[:, 0]
    weights, _ = nnls(factor.T.cpu().numpy(), target.cpu().numpy())
    kernel = torch.from_numpy(np.asarray(weights)).to(gram).view(SIDE, SIDE)
    return kernel / kernel.sum()
