"""Checks of the exercises: ``check.NAME(answer)`` says what is wrong first, and why.

Each looks at the shape, at a case that can be worked by hand, at a property and at a
random case, in this order, and returns a `Verdict`.
"""

from dil_teach.course.check.back_projection import control
from dil_teach.course.check.deep_image_prior import damage_loss, stopping_step
from dil_teach.course.check.double_dip_layers import (
    compose,
    exclusion,
    solve_mixtures,
)
from dil_teach.course.check.father_and_son import make_son
from dil_teach.course.check.haze_watermark_video import flicker, front_layer, haze
from dil_teach.course.check.ingan import invert, multi_scale_loss
from dil_teach.course.check.orientations import allowed_orientations, eight_fold
from dil_teach.course.check.patch_recurrence import (
    mean_removed_ssd,
    percentage_against_scale,
)
from dil_teach.course.check.retargeting_with_patches import least_seam, similarity
from dil_teach.course.check.tour import what_to_learn_from, where_it_wins
from dil_teach.course.check.verdict import Verdict

__all__ = [
    "Verdict",
    "allowed_orientations",
    "compose",
    "control",
    "damage_loss",
    "eight_fold",
    "exclusion",
    "flicker",
    "front_layer",
    "haze",
    "invert",
    "least_seam",
    "make_son",
    "mean_removed_ssd",
    "multi_scale_loss",
    "percentage_against_scale",
    "similarity",
    "solve_mixtures",
    "stopping_step",
    "what_to_learn_from",
    "where_it_wins",
]
