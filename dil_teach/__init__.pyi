# The public names: read by type checkers, and by lazy_loader at run time.
from .classical.completion.efros_leung import fill_hole, synthesise
from .classical.completion.wexler import complete_film, complete_image
from .classical.deblur.blind import Deblurred, DeblurSettings, deblur, estimate_blur
from .classical.denoise.bm3d import bm3d
from .classical.denoise.ksvd import ksvd
from .classical.denoise.nlm import nlm, nlm_weights
from .classical.fractal.frac_file import load_frac, save_frac
from .classical.fractal.fractal import (
    FractalCode,
    FractalSettings,
    fractal_decode,
    fractal_encode,
)
from .classical.kernel.choice import choose_kernel
from .classical.kernel.distribution import (
    KernelByDistribution,
    KernelByDistributionSettings,
)
from .classical.kernel.recurrence import KernelByRecurrence, KernelByRecurrenceSettings
from .classical.super_resolution.freedman_fattal import super_resolve_by_local_examples
from .classical.super_resolution.glasner import super_resolve_by_recurrence
from .deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from .deep.double_dip.dehazing import Dehazing, DehazingSettings
from .deep.double_dip.segmentation import Segmentation, SegmentationSettings
from .deep.double_dip.separation import Separation, SeparationSettings
from .deep.double_dip.watermark import WatermarkRemoval, WatermarkSettings
from .deep.external_sr.external_sr import load_external_network, super_resolve_with
from .deep.ingan.ingan import InGAN, InGANSettings
from .deep.kernelgan.kernelgan import KernelGAN, KernelGANSettings
from .deep.texture_expansion.texture_expansion import (
    TextureExpansion,
    TextureExpansionSettings,
)
from .deep.zs_n2n import ZSN2N, ZSN2NSettings
from .deep.zssr.zssr import ZSSR, ZSSRSettings
from .image.files import load_image, save_image
from .image.metrics import psnr, psnr_y, ssim
from .image.photos import photo, photos
from .image.resize import blur_and_subsample, resize
from .image.scenes import scene, scenes
from .patches.recurrence import (
    recurrence_curve,
    recurrence_map,
    recurrence_score,
)
from .patches.search import nearest_patches
from .patches.similarity import coherence, completeness
from .patches.statistics import internal_matches, recurrence_density
from .training.checkpoint import resume, save
from .training.loop import fit, fit_all, train

__all__ = [
    "DeblurSettings",
    "Deblurred",
    "DeepImagePrior",
    "DeepImagePriorSettings",
    "Dehazing",
    "DehazingSettings",
    "FractalCode",
    "FractalSettings",
    "InGAN",
    "InGANSettings",
    "KernelByDistribution",
    "KernelByDistributionSettings",
    "KernelByRecurrence",
    "KernelByRecurrenceSettings",
    "KernelGAN",
    "KernelGANSettings",
    "Segmentation",
    "SegmentationSettings",
    "Separation",
    "SeparationSettings",
    "TextureExpansion",
    "TextureExpansionSettings",
    "WatermarkRemoval",
    "WatermarkSettings",
    "ZSN2N",
    "ZSN2NSettings",
    "ZSSR",
    "ZSSRSettings",
    "blur_and_subsample",
    "bm3d",
    "choose_kernel",
    "coherence",
    "complete_film",
    "complete_image",
    "completeness",
    "deblur",
    "estimate_blur",
    "fill_hole",
    "fit",
    "fit_all",
    "fractal_decode",
    "fractal_encode",
    "internal_matches",
    "ksvd",
    "load_external_network",
    "load_frac",
    "load_image",
    "nearest_patches",
    "nlm",
    "nlm_weights",
    "photo",
    "photos",
    "psnr",
    "psnr_y",
    "recurrence_curve",
    "recurrence_density",
    "recurrence_map",
    "recurrence_score",
    "resize",
    "resume",
    "save",
    "save_frac",
    "save_image",
    "scene",
    "scenes",
    "ssim",
    "super_resolve_by_local_examples",
    "super_resolve_by_recurrence",
    "super_resolve_with",
    "synthesise",
    "train",
]
__version__: str
