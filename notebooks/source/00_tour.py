# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 · Tour: what can one image teach?
#
# Most networks learn from millions of pictures, and are then shown yours.
# The networks of this course see **one picture only: yours**.
# They learn from it, answer for it, and are thrown away.
#
# **After this chapter you can**
#
# - say how one image can be the training set and the test at once;
# - tell an image's *[father](glossary.md#father)* from its *[son](glossary.md#son)*, and say which of the two a network is asked for;
# - predict in which parts of a photograph this helps, and in which it cannot.
#
# **What you need**: to know what a pixel is, and that a network is trained by making a loss smaller.
# No GPU.
# New words stand in the [glossary](glossary.md), symbols in [notation](notation.md); [if you are stuck](if_you_are_stuck.md) helps when something does not run.
# Reading takes 15 minutes, computing less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 20, "standard": 35, "full": 95})

# %% [markdown]
# `budget` changes only how many steps are trained.
# The [seed](glossary.md#seed) is stated: run the chapter twice on one computer and you get the same pictures, bit for bit.
#
# ## A photograph: ours, or yours
#
# Press the button and choose a file to take a photograph of your own; then select the cell below it, and *Run > Run Selected Cell and All Below*.
# It stays on the computer where this notebook runs.
# Without a file you get ours.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo
from dil_teach.notebook import show, uploaded_image

ours = photo("astronaut", size=256)
photograph = uploaded_image(button.value, default=ours, max_side=256)
height, width = (side - side % 2 for side in photograph.shape[1:])
truth = photograph[:, :height, :width].to(device())
own = photograph is not ours
subject = (
    "your photograph" if own else "an astronaut before a flag, her helmet in her arm"
)
show(truth, alt=f"The photograph in full detail, {width} x {height} pixels: {subject}")

# %% [markdown]
# This is the **[ground truth](glossary.md#ground-truth)**, an image with all its detail.
# The methods will not see it; it comes back at the end to score them.
# (Ours: Eileen Collins, photographed by NASA, public domain.
# Yours is made smaller, to keep this short. That also makes it sharp and free of noise, which is the ideal case: see *When it fails*.)
#
# ## Predict first
#
# We are going to throw away three of every four pixels, and ask two methods to bring them back: [bicubic interpolation](glossary.md#bicubic), which has learned nothing, and a network that has seen nothing but the small image.
# Commit yourself to an answer before you go on; you will be told why it is right or wrong once the pictures have been seen.
# An exercise left as `...` stops nothing.
#
# ## Exercise: what can it learn from?
#
# The network needs pairs of an input and a target.
# It sees neither the large image nor any other picture, only the small one.
# Which pairs can be made from that and teach it to enlarge?
# Set `what_to_learn_from` to one of three strings:
#
# - `"itself to itself"`: input and target are both the small image;
# - `"itself to bicubic"`: the target is the small image, enlarged by bicubic interpolation;
# - `"halved to itself"`: the input is the small image, halved; the target is the small image.
#
# Units: none.
# Expected run time: none, the answer is one string.

# %% tags=["exercise"]
### BEGIN SOLUTION
what_to_learn_from = "halved to itself"
### END SOLUTION

# %% [markdown]
# ## Exercise: where does it win?
#
# Where will the network take away the largest part of bicubic interpolation's error?
# Set `where_it_wins` to one of three strings:
#
# - `"smooth parts"`, such as the grey backdrop;
# - `"outlines"`, such as those of flag, suit and shuttle;
# - `"fine detail"`, such as the round emblem with its lettering.
#
# Units: the answer is compared with a gain in dB.
# Expected run time: none, the answer is one string.

# %% tags=["exercise"]
### BEGIN SOLUTION
where_it_wins = "outlines"
### END SOLUTION

# %% [markdown]
# ## The smallest demo
#
# Halving is our *[forward model](glossary.md#forward-model)*: the step that loses the detail.
# Bicubic interpolation is the plainest way back.

# %%
from dil_teach import resize

small = resize(truth, scale=0.5).clamp(0, 1)
bicubic = resize(small, scale=2).clamp(0, 1)
show(
    {"ground truth": truth, "given: half the size": small, "bicubic": bicubic},
    alt=f"Three versions of {subject}: full detail, half the size, and the half-size "
    "one enlarged by bicubic interpolation, which is soft along every edge",
)

# %% [markdown]
# Bicubic interpolation lays a smooth surface through the pixels that it has.
# Every edge comes out soft, because smoothness is all that it knows of the world.
#
# ## The idea: patches recur
#
# Look at small pieces, 5 by 5 pixels or so.
# A piece of the flag's border is found again all along that border.
# A piece of a *wide* edge in the foreground looks like a *thin* edge further back, enlarged.
# Small [patches](glossary.md#patch) of a natural image [recur](glossary.md#recurrence) in it many times, at its own scale and at coarser ones [@glasner2009].
# So the image itself holds examples of what a small, soft thing looks like when it is large and sharp: **the training set is inside.**
#
# To get at it, do to the given image what was done to the unknown one.
# Halve it:

# %%
son = resize(small, scale=0.5).clamp(0, 1)
show(
    {"unknown": truth, "given: the father": small, "made from it: the son": son},
    alt="The same picture at three sizes, each half of the one before: the unknown "
    "large image, the given image called the father, and the smaller son made from it",
    zoom=1,
)

# %% [markdown]
# From *unknown* to *given* and from *father* to *son* is one and the same forward model.
# For the pair on the right we have the answer.
# A network that learns to turn **sons back into fathers** can then be asked to turn the given image into the unknown one.
# That is ZSSR, 'zero-shot' super-resolution [@shocher2018].
# What did you predict?

# %%
from dil_teach.course import check

check.what_to_learn_from(what_to_learn_from, small)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Before it has learned anything the network interpolates.
# For which of the pairs would that be good enough?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A target must hold something that its input has lost.
#
# </details>
# <details><summary>Hint 3</summary>
#
# What was done to the unknown image, to get the small one?
#
# </details>

# %% [markdown]
# ## The method
#
# This is one training step, as the library that comes with the course has it: cut fathers out of the given image and make their sons; let the network restore them; make the difference smaller.
# Chapter 09 takes it apart.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import ZSSR
from dil_teach.notebook import show_source

show_source(ZSSR.train_step)

# %% [markdown]
# **When does it stop?**
# After a number of steps that the budget fixes beforehand.
# The ground truth has no say in it.
#
# Training has a cell to itself.
# Stop it with the stop button and nothing is lost; run it again and it carries on.

# %%
from dil_teach import ZSSRSettings, train
from dil_teach.notebook import LivePanel

settings = getattr(ZSSRSettings, budget)(seed=seed)
zssr = ZSSR(small, scale=2, settings=settings)
panel = LivePanel(alt=f"What the network makes of {subject} so far")

# %%
for progress in train(zssr, report_every=zssr.total_steps // 10):
    panel.update(progress, zssr.raw())

# %% [markdown]
# The loss jumps about, as each batch holds other pieces of the image, at other sizes, some of them harder.
# The picture is the better witness: its outlines tighten within the first reports, the rest is polish.
#
# ## What came out

# %%
from dil_teach import psnr_y
from dil_teach.deep.zssr.comparison import compare

results = compare(zssr)
shown = {
    "bicubic": results["bicubic"],
    "control": results["bicubic + back-projection"],
    "ZSSR": results["final"],
}
score = {name: psnr_y(image, truth, shave=2) for name, image in shown.items()}
for name in shown:
    print(f"{name:8} {score[name]:.2f} dB")

# %% [markdown]
# These are [peak signal-to-noise ratios](glossary.md#psnr) of the [brightness](glossary.md#luma): higher is better, and 3 dB more means half the squared error.
# The second line is the **[control](glossary.md#control) experiment**: bicubic interpolation, then *[back-projection](glossary.md#back-projection)* [@irani1991], which corrects an enlarged image until halving it gives the small one again.
# ZSSR ends with it too, but it contains no network.
# So only what ZSSR gains **beyond the control** was learned from the image.
#
# Move the divider between bicubic and ZSSR, with the mouse, or with the arrow keys once the slider has the focus:

# %%
from dil_teach.notebook import before_after

divider = before_after(
    shown["bicubic"], shown["ZSSR"], names=("bicubic", "ZSSR"), zoom=2
)

# %% [markdown]
# Stop at an outline, on the backdrop, on the emblem.
# Does it look as you predicted?
#
# ## Experiment: where does it win?
#
# Here is how far each method is from the ground truth at each pixel, made six times brighter:


# %%
def error(image):
    return (6 * (image - truth).abs().mean(dim=0, keepdim=True)).clamp(0, 1)


show(
    {f"error of {name}": error(image) for name, image in shown.items()},
    alt="Three maps of error, bright where wrong: bicubic is wrong at all outlines, "
    "the control less so; in ZSSR's map most outlines are gone and lettering stays",
)

# %% [markdown]
# Smooth parts are black in all three maps: there was nothing to gain.
# Bicubic's map is a drawing of the outlines, and in ZSSR's map the long outlines have all but vanished: they recur along their own length and across scales, so the network had many examples.
# The check measures it on the photograph in hand.
# It takes for an outline what has slopes that all point one way, in windows of 7 by 7 pixels.

# %%
check.where_it_wins(where_it_wins, shown["bicubic"], shown["ZSSR"], truth)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Where nothing was lost nothing can be gained: which part is dark in *all* the maps?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Which bright parts of bicubic's map are dark in ZSSR's?
#
# </details>
# <details><summary>Hint 3</summary>
#
# The network learns from examples in this image.
# Of what does it hold most?
#
# </details>

# %% [markdown]
# To see the gain from close by, find the part of the picture where ZSSR took most of bicubic's error away and left little.
# (The ground truth picks what we look at; no method has seen it.)

# %%
import torch.nn.functional as F

side = min(64, height, width)


def window_errors(image):
    error = (image - truth).square().mean(dim=0, keepdim=True)
    return F.avg_pool2d(error, side, stride=4)[0]


def crop_at_largest(values):
    row, column = divmod(int(values.argmax()), values.shape[1])
    return 4 * row, 4 * column, side, side


# %%
before, after = window_errors(shown["bicubic"]), window_errors(shown["ZSSR"])
show(
    shown,
    alt="The part where ZSSR gains most: outlines are blurred with bicubic, rippled in "
    "the control, and with ZSSR nearly as clean as in the ground truth beside it",
    truth=truth,
    crop=crop_at_largest(before - 2 * after),
)

# %% [markdown]
# From left to right: bicubic smears the outlines, the control sharpens them but leaves ripples beside them, ZSSR draws them clean.
# (The dB figures are those of the whole picture.)
#
# ## When it fails
#
# Now the part in which ZSSR is most wrong:

# %%
show(
    shown,
    alt="The part where ZSSR is most wrong: fine, one-off detail that the ground truth "
    "shows stays an unreadable blur with bicubic, with the control and with ZSSR",
    truth=truth,
    crop=crop_at_largest(after),
)

# %% [markdown]
# In our photograph that is the emblem and the zip.
# Fine lettering and small parts occur once, at one size.
# No larger copy of them exists in the image, so nothing inside could teach the network how they look, and it does not invent them.
# That is what an [internal](glossary.md#internal) method cannot do, and where networks that were trained on many images have the advantage (chapter 10).
#
# It gains little or nothing, too, where nothing is lost to begin with (a smooth or a blurred photograph), and it can be led astray: noise and compression recur as well, and a camera whose blur is not the assumed one breaks the likeness between the two halvings.
# Chapter 09 shows all of these, and what helps.
# A photograph straight from a telephone is such a case; yours, made smaller here, is not.

# %%
# NBVAL_CHECK_OUTPUT
removed = (1 - after / before).flatten()  # the share of bicubic's error
at_best = removed[(before - 2 * after).argmax()]
at_worst = removed[after.argmax()]
claims = {
    "ZSSR beats bicubic by more than 2 dB": score["ZSSR"] - score["bicubic"] > 2,
    "and its control by more than 1 dB": score["ZSSR"] - score["control"] > 1,
    "it removes over 70% of bicubic's error where it is best": at_best > 0.7,
    "and under 65% where it is most wrong": at_worst < 0.65,
}
check_claims(claims, own)  # on a photograph of yours they may not hold

# %% [markdown]
# ## On your own: predict, then try
#
# Take a photograph with a long straight outline and one without any (a lawn, a cloud).
# Before you run the chapter on them, write down for each: will ZSSR beat the control by more than 1 dB?
# Which part will be its worst?
# Then let the pictures answer.
# Expected run time: half a minute each.
#
# ## What the course holds
#
# The course follows a talk by Michal Irani [@irani_talk].
#
# | chapter | question | state |
# |---|---|---|
# | [00 tour](00_tour.ipynb) | what can one image teach? | you are here |
# | [01 patch recurrence](01_patch_recurrence.ipynb) | do patches recur, within and across scales? | ready |
# | 02 internal statistics | is the inside better than the outside? | planned |
# | 03 denoising | how far do recurring patches carry? | planned |
# | 04 completion | can an image fill its own hole? | planned |
# | [05 retargeting with patches](05_retargeting_with_patches.ipynb) | what makes two images alike? | ready |
# | 06 fractals and classical super-resolution | is an image its own codebook? | planned |
# | 07 blur | which kernel made this image? | planned |
# | 08 haze | what does fog do to recurrence? | planned |
# | [09 ZSSR](09_zssr.ipynb) | can a network learn from one image alone? | ready |
# | 10 inside against outside | who wins, and when? | planned |
# | 11 KernelGAN | can a GAN find the kernel? | planned |
# | [12 InGAN](12_ingan.ipynb) | can one network remap an image to any shape? | ready |
# | [13 deep image prior](13_deep_image_prior.ipynb) | why does an untrained network like images? | ready |
# | [14 Double-DIP: layers](14_double_dip_layers.ipynb) | why do two networks split a mixture? | ready |
# | [15 Double-DIP: haze, watermark, video](15_double_dip_haze_watermark_video.ipynb) | what else is a sum of two layers? | ready |
# | 16 capstone | your photograph, your question | planned |
#
# ## Summary
#
# - Small patches of a natural image recur in it, at its own scale and at coarser ones.
# - So one image can train a network: it makes its own sons, and the network learns to turn them back into their fathers.
# - What recurs comes back sharp, what occurs once does not, and where all is smooth there is nothing to bring back.
# - A control without a network says how much of a gain was learned.
#
# ## References
