"""A blur kernel from the distribution of patches: KernelGAN's aim without a network.

Patches of an image recur at smaller scales. So the right kernel makes an image two
times smaller whose patches have the same distribution as the image's own patches.
KernelGAN (Bell-Kligler, Shocher and Irani, NeurIPS 2019) compares the distributions by
a discriminator; here the distance is the sliced Wasserstein distance (Bonneel et al.,
'Sliced and Radon Wasserstein barycenters of measures', 2015):

    min over k and c of  the mean over directions d of  W1( d . P(I), d . P(c J_k) ) ,

where J_k is I blurred by k and subsampled by 2, P are whitened 7 x 7 patches, W1 is the
mean difference of the sorted values, k is positive with sum 1, and c is the contrast.
Whitening gives all frequencies the same weight; without it, the low frequencies decide,
and blur does not change them. With c = 1, a difference of contrast between the two
scales is corrected by a wrong kernel: the covariances scatter three times as much.
"""

import dataclasses

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from dil_teach.image.convention import Image, own_copy
from dil_teach.image.kernel import Kernel2d, check_kernel, gaussian_kernel
from dil_teach.image.kernel_estimate import checked_luma, finish
from dil_teach.patches.extract import extract_patches
from dil_teach.patches.sorting import sort_rows
from dil_teach.training.adam import Adam
from dil_teach.training.conditions import repeatable
from dil_teach.training.loop import all_steps_taken
from dil_teach.training.schedules import schedule, set_learning_rate
from dil_teach.training.settings import budget, check_settings

SIDE = 13
"""Side of the kernel in pixels, as in KernelGAN."""
NOISE = 2 / 255
"""Standard deviation of the noise on all patches, in [0, 1]. Without this noise, the
distributions also differ because downscaling averages the rounding errors of the
image."""
CONTRASTS = 0.75, 0.83, 0.91, 1.0, 1.1, 1.2, 1.32
JUDGED = 4096
"""For given kernels, :meth:`KernelByDistribution.distance` tries these contrasts, and
uses this number of patches."""
START = 2.0
"""Variance of the initial Gaussian kernel, in pixels²."""
MIXED = 3.0
"""Mean number of whitened components in a direction. If all 49 are mixed, every
direction shows nearly the same average over frequencies."""


@dataclasses.dataclass(frozen=True)
class KernelByDistributionSettings:
    """Settings; ``quick()``, ``standard()`` and ``full()`` are the budgets."""

    steps: int = 200
    """Number of gradient steps."""
    patch_size: int = 7
    """Side of the patches in pixels."""
    patches: int = 2048
    """Number of patches of each image in a step."""
    directions: int = 32
    """Number of random directions in a step."""
    learning_rate: float = 0.1
    """Initial learning rate of Adam; it falls to 0 along a cosine."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_settings(self, steps=1, patch_size=3, patches=2)
        check_settings(self, directions=1, learning_rate=1e-6)

    quick = budget(
        "Settings for a quick run: about 3 CPU seconds for 128 x 128 pixels."
    )
    standard = budget("Settings for good results.", steps=400, patches=4096)
    full = budget("Settings for the best quality.", steps=800, patches=8192)


@repeatable
class KernelByDistribution:
    """An estimator of the blur kernel of one image, for super-resolution by 2.

    ``ZSSR(image, 2, fit(KernelByDistribution(image)).kernel())`` super-resolves an
    image with an unknown kernel.

    Parameters
    ----------
    image : Image
        The low-resolution image, Float[Tensor, "c h w"] in [0, 1], grey or RGB.
    settings : KernelByDistributionSettings
        Budget, number of patches and directions, and seed.

    Raises
    ------
    ValueError
        If the image is too small or the same at all pixels.
    """

    STATE = ("step", "unknown", "optimizer", "rng")

    def __init__(
        self,
        image: Image,
        settings: KernelByDistributionSettings = KernelByDistributionSettings.quick(),  # noqa: B008 (frozen)
    ) -> None:
        self.grey = checked_luma(image)
        self.image, self.settings = own_copy(image), settings
        self.arguments = {"settings": settings}
        self.step, self.total_steps = 0, settings.steps
        self.rng = torch.Generator().manual_seed(settings.seed)
        self.patches = extract_patches(self.grey, settings.patch_size)
        self.mean = self.patches.mean(0)
        self.whitening = whitening_matrix(self.patches)
        start = gaussian_kernel((START**0.5, START**0.5), size=SIDE)
        log_contrast = torch.zeros(())
        self.unknown = nn.ParameterList([start.log().to(self.grey), log_contrast])
        self.unknown.to(image.device)
        self.optimizer = Adam(self.unknown, betas=(0.9, 0.99))

    done = all_steps_taken

    def train_step(self) -> dict[str, Tensor]:
        """Compare patches of the image and its downscaled copy; update the kernel."""
        progress = self.step / self.total_steps
        set_learning_rate(
            self.optimizer, self.settings.learning_rate * schedule(progress)
        )
        small = self._downscaled()
        directions = self._directions()
        count = min(self.settings.patches, len(small))
        real = self._project(self.patches, count, directions)
        fake = self._project(small, count, directions)
        loss = (sort_rows(real) - sort_rows(fake)).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return {"distance": loss.detach()}

    def _downscaled(self) -> Float[Tensor, "n values"]:
        """Patches of the image at half the size, from a random one of four grids."""
        top, left = torch.randint(2, (2,), generator=self.rng).tolist()
        source = self.grey[:, top:, left:]
        patches = self._patches_of(source, self._kernel())
        return self.unknown[1].exp() * (patches - self.mean) + self.mean

    def _patches_of(
        self, source: Float[Tensor, "1 h w"], kernel: Float[Tensor, "_kh _kw"]
    ) -> Float[Tensor, "n values"]:
        """Patches of an image that is blurred and subsampled by 2."""
        small = F.conv2d(source, kernel[None, None], stride=2)
        return extract_patches(small, self.settings.patch_size)

    def _kernel(self) -> Float[Tensor, "side side"]:
        """Positive weights with sum 1: the softmax of the unknowns."""
        return self.unknown[0].flatten().softmax(0).view(SIDE, SIDE)

    def _directions(self) -> Float[Tensor, "values directions"]:
        """Random directions of length 1 that mix few whitened components."""
        values, number = len(self.whitening), self.settings.directions
        mixed = torch.rand(values, number, generator=self.rng)
        drawn = torch.randn(values, number, generator=self.rng)
        drawn = torch.where(mixed < MIXED / values, drawn, 1e-3 * drawn)
        return self.whitening @ F.normalize(drawn, dim=0).to(self.whitening)

    def _project(
        self,
        patches: Float[Tensor, "n values"],
        count: int,
        directions: Float[Tensor, "values directions"],
    ) -> Float[Tensor, "directions count"]:
        """Random patches with noise, seen from each direction."""
        index = torch.randint(len(patches), (count,), generator=self.rng)
        chosen = patches[index.to(patches.device)]
        noise = torch.randn(chosen.shape, generator=self.rng).to(chosen)
        return ((chosen + NOISE * noise - self.mean) @ directions).T

    def distance(self, raw: Kernel2d) -> float:
        """The distance between two scales for a given kernel and the best contrast.

        Use this distance to compare estimates for one image, for example a Gaussian and
        a kernel of another shape.

        Parameters
        ----------
        raw : Float["kh kw"]
            A kernel between the two scales, like the result of :meth:`raw_kernel`. If
            the unknown kernel is a Gaussian, this kernel has 3/4 of its covariance.
        """
        weights = torch.from_numpy(check_kernel(raw)).to(self.grey)
        rng, self.rng = self.rng, torch.Generator().manual_seed(self.settings.seed)
        directions = torch.cat([self._directions() for _ in range(4)], 1)
        real = sort_rows(self._project(self.patches, JUDGED, directions))
        patches = self._patches_of(self.grey, weights) - self.mean
        fakes = (
            self._project(contrast * patches + self.mean, JUDGED, directions)
            for contrast in CONTRASTS
        )
        found = [float((real - sort_rows(fake)).abs().mean()) for fake in fakes]
        self.rng = rng
        return min(found)

    def raw_kernel(self) -> Float[Tensor, "13 13"]:
        """The kernel that matches the two scales, narrower than the unknown kernel."""
        return self._kernel().detach()

    def kernel(self) -> Float[Tensor, "_kh _kw"]:
        """The estimate of the unknown kernel, for ZSSR at scale 2."""
        return finish(self.raw_kernel())


def whitening_matrix(
    patches: Float[Tensor, "n values"],
) -> Float[Tensor, "values values"]:
    """Columns that turn patches with noise into uncorrelated values of variance 1.

    They are the principal components divided by their standard deviations.
    """
    away = (patches - patches.mean(0)).double()
    covariance = away.T @ away / len(away)
    covariance += NOISE**2 * torch.eye(len(covariance)).to(covariance)
    variances, components = torch.linalg.eigh(covariance)
    return (components / variances.sqrt()).to(patches)
