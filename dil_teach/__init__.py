"""Deep Internal Learning: what can be learned from one single image."""

from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.deep.double_dip import DoubleDIP, DoubleDIPSettings
from dil_teach.deep.ingan import InGAN, InGANSettings
from dil_teach.deep.texture_expansion import TextureExpansion, TextureExpansionSettings
from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings
from dil_teach.deep.zssr import ZSSR, ZSSRSettings
from dil_teach.image import load_image, save_image
from dil_teach.metrics import psnr, psnr_y, ssim
from dil_teach.nearest import nearest_patches
from dil_teach.photos import photo, photos
from dil_teach.recurrence import (
    recurrence_curve,
    recurrence_map,
    recurrence_score,
)
from dil_teach.resize import blur_and_subsample, resize
from dil_teach.scenes import scene, scenes
from dil_teach.similarity import coherence, completeness
from dil_teach.training import fit, fit_all, resume, save, train

__version__ = "0.1.0"

__all__ = [
    "DeepImagePrior",
    "DeepImagePriorSettings",
    "DoubleDIP",
    "DoubleDIPSettings",
    "InGAN",
    "InGANSettings",
    "TextureExpansion",
    "TextureExpansionSettings",
    "ZSN2N",
    "ZSN2NSettings",
    "ZSSR",
    "ZSSRSettings",
    "blur_and_subsample",
    "coherence",
    "completeness",
    "fit",
    "fit_all",
    "load_image",
    "nearest_patches",
    "photo",
    "photos",
    "psnr",
    "psnr_y",
    "recurrence_curve",
    "recurrence_map",
    "recurrence_score",
    "resize",
    "resume",
    "save",
    "save_image",
    "scene",
    "scenes",
    "ssim",
    "train",
]
