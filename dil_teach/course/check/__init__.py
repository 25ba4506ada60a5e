"""Checks of the exercises: ``check.NAME(answer)`` explains the first mistake."""

# ruff: noqa: F401

from dil_teach.course.check.blur import error_ratio, update_kernel
from dil_teach.course.check.capstone import failure_map, verdict
from dil_teach.course.check.completion import coherence_vote, efros_leung_step
from dil_teach.course.check.deep_image_prior import damage_loss, stopping_step
from dil_teach.course.check.denoising_with_patches import (
    patch_weights,
    threshold_group,
    update_atom,
)
from dil_teach.course.check.double_dip_layers import exclusion, separate_by_search
from dil_teach.course.check.engine import Verdict
from dil_teach.course.check.fractals_and_classical_sr import (
    across_scales,
    contractive_map,
)
from dil_teach.course.check.haze import airlight_from_pair, airlight_of_votes
from dil_teach.course.check.haze_watermark_video import flicker, lift_haze, remove_mark
from dil_teach.course.check.ingan import multi_scale_loss, sliced_distance
from dil_teach.course.check.inside_against_outside import control_loss, srcnn
from dil_teach.course.check.internal_statistics import crossing, neighbour_entropy
from dil_teach.course.check.kernelgan import collapse, scene_transform
from dil_teach.course.check.patch_recurrence import (
    nearest_match,
    paste_parents_by_hand,
)
from dil_teach.course.check.retargeting_with_patches import least_seam, similarity
from dil_teach.course.check.tour import what_to_learn_from, where_it_wins
from dil_teach.course.check.zssr import control, eight_fold, make_son
