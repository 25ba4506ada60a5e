"""Deep Internal Learning: what can be learned from one single image."""

from dil_teach.deep.zssr import ZSSR, ZSSRSettings
from dil_teach.image import load_image, save_image
from dil_teach.metrics import psnr, psnr_y, ssim
from dil_teach.photos import photo, photos
from dil_teach.resize import blur_and_subsample, resize
from dil_teach.training import fit, resume, save, train

__version__ = "0.1.0"

__all__ = [
    "ZSSR",
    "ZSSRSettings",
    "blur_and_subsample",
    "fit",
    "load_image",
    "photo",
    "photos",
    "psnr",
    "psnr_y",
    "resize",
    "resume",
    "save",
    "save_image",
    "ssim",
    "train",
]
