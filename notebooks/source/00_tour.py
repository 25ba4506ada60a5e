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
# Most networks are trained on millions of pictures before they process yours.
# The networks of this course see **only one picture: yours**.
# A network is trained on it, processes it, and is then discarded.
#
# **After this chapter you can**
#
# - explain how one image can be both the training set and the test;
# - distinguish a *[father](glossary.md#father)* from its *[son](glossary.md#son)*, and say which is the network's input and which its target;
# - predict in which parts of a photograph this helps, and in which it cannot.
#
# **What you need**: you know what a pixel is, and that training a network makes a [loss](glossary.md#loss) smaller.
# You do not need a GPU.
# The [glossary](glossary.md) explains new terms, and [notation](notation.md) the symbols.
# If something does not run, see [if you are stuck](if_you_are_stuck.md).
# Reading takes 15 minutes, computing less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 20, "standard": 35, "full": 95})

# %% [markdown]
# `budget` changes only the number of training steps.
# The [seed](glossary.md#seed) is fixed: two runs of the chapter on one computer give the same pictures, bit for bit.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, press the button and choose a file.
# Then select the cell below the button, and *Run > Run Selected Cell and All Below*.
# The file stays on the computer where this notebook runs.
# Without a file, the chapter uses our photograph.

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
    "your photograph" if own else "an astronaut in front of a flag, with her helmet"
)
show(truth, alt=f"The photograph in full detail, {width} x {height} pixels: {subject}")

# %% [markdown]
# This is the **[ground truth](glossary.md#ground-truth)**, an image with all its detail.
# The methods do not see it; we use it at the end to score them.
# (Our photograph shows Eileen Collins; NASA, public domain.
# Your photograph is downscaled, to keep this short.
# Downscaling also makes it sharp and removes noise; this is the ideal case, as *When it fails* explains.)
#
# ## Predict first
#
# We will remove three of every four pixels, and let two methods restore them.
# One is [bicubic interpolation](glossary.md#bicubic), which learns nothing.
# The other is a network that has seen only the small image.
# Choose your answers before you continue.
# After the pictures, a check tells you why an answer is right or wrong.
# You can leave an exercise as `...`; the chapter still runs.
#
# ## Exercise: what can it learn from?
#
# The network needs pairs of an input and a target.
# It sees only the small image, and no other picture.
# Which pairs can be made from the small image and teach the network to upscale?
# Set `what_to_learn_from` to one of three strings:
#
# - `"itself to itself"`: input and target are both the small image;
# - `"itself to bicubic"`: the input is the small image; the target is the small image upscaled by bicubic interpolation;
# - `"halved to itself"`: the input is the small image at half its size; the target is the small image.
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
# In which parts will the network remove the largest fraction of the error of bicubic interpolation?
# Set `where_it_wins` to one of three strings:
#
# - `"smooth parts"`, such as the grey backdrop;
# - `"outlines"`, such as those of the flag, the suit and the shuttle;
# - `"fine detail"`, such as the round emblem with its letters.
#
# Units: none. (Your answer is checked against the measured gains in PSNR, in dB.)
# Expected run time: none, the answer is one string.

# %% tags=["exercise"]
### BEGIN SOLUTION
where_it_wins = "outlines"
### END SOLUTION

# %% [markdown]
# ## The smallest demo
#
# Our *[forward model](glossary.md#forward-model)* halves the size of the image; this step loses the detail.
# Bicubic interpolation is the simplest way to upscale the small image again.

# %%
from dil_teach import resize

small = resize(truth, scale=0.5).clamp(0, 1)
bicubic = resize(small, scale=2).clamp(0, 1)
show(
    {"ground truth": truth, "given: half the size": small, "bicubic": bicubic},
    alt=f"Three versions of {subject}: full detail; half the size; and the half-size "
    "version upscaled by bicubic interpolation, with blur along every edge",
)

# %% [markdown]
# Bicubic interpolation fits a smooth surface through the given pixels.
# So every edge in the result is blurred, because this method assumes only that images are smooth.
#
# ## The idea: patches recur
#
# Look at small pieces of about 5 by 5 pixels.
# A piece of the flag's edge appears again along the whole edge.
# A piece of a *wide* edge in the foreground looks like an upscaled piece of a *thin* edge farther back.
# Small [patches](glossary.md#patch) of a natural image [recur](glossary.md#recurrence) in it many times, at its own scale and at coarser scales [@glasner2009].
# So the image contains examples of how a small, blurred structure looks when it is large and sharp: **the training set is inside the image.**
#
# To get this training set, we degrade the given image in the same way as the unknown image was degraded.
# We halve its size:

# %%
son = resize(small, scale=0.5).clamp(0, 1)
show(
    {"unknown": truth, "given: the father": small, "made from it: the son": son},
    alt="The same picture at three sizes, each half of the one before: the unknown "
    "large image, the given image called the father, and the smaller son made from it",
    zoom=1,
)

# %% [markdown]
# The forward model from *father* to *son* is the same as from *unknown* to *given*.
# For father and son we know the answer.
# So we train a network to turn **sons into fathers**, and then apply it to the given image to estimate the unknown one.
# This is ZSSR, '[zero-shot](glossary.md#zero-shot)' super-resolution [@shocher2018].
# The next cell checks your first prediction.

# %%
from dil_teach.course import check

check.what_to_learn_from(what_to_learn_from, small)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Before training, the network only interpolates.
# For which of the pairs would this already be the right answer?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A target must contain something that its input has lost.
#
# </details>
# <details><summary>Hint 3</summary>
#
# How was the small image made from the unknown one?
#
# </details>

# %% [markdown]
# ## The method
#
# This is one training step, from the library of the course.
# It crops fathers from the given image, makes their sons, and applies the network to the sons.
# Then it updates the weights, so that the outputs differ less from the fathers.
# Chapter 09 explains each line.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import ZSSR
from dil_teach.notebook import show_source

show_source(ZSSR.train_step)

# %% [markdown]
# **When does it stop?**
# It stops after a number of steps that the budget fixes in advance.
# The ground truth does not influence this number.
#
# The training has its own cell.
# If you stop it with the stop button, nothing is lost; run the cell again, and it continues.

# %%
from dil_teach import ZSSRSettings, train
from dil_teach.notebook import LivePanel

settings = getattr(ZSSRSettings, budget)(seed=seed)
zssr = ZSSR(small, scale=2, settings=settings)
panel = LivePanel(alt=f"The network's current result for {subject}")

# %%
for progress in train(zssr, report_every=zssr.total_steps // 10):
    panel.update(progress, zssr.raw())

# %% [markdown]
# The loss fluctuates, because each [batch](glossary.md#batch) contains different crops at different sizes, and some crops are harder.
# The picture shows the progress better: its outlines become sharp within the first reports, and later changes are small.
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
# These are [peak signal-to-noise ratios](glossary.md#psnr) of the [luma](glossary.md#luma): higher is better, and 3 dB more means half the [squared error](glossary.md#squared-error).
# The second line is the **[control](glossary.md#control)**: bicubic interpolation, followed by *[back-projection](glossary.md#back-projection)* [@irani1991].
# Back-projection corrects the upscaled image until halving it gives the small image again.
# ZSSR also ends with back-projection, but the control contains no network.
# So only what ZSSR gains **beyond the control** was learned from the image.
#
# Move the divider between bicubic and ZSSR with the mouse, or select the slider and use the arrow keys:

# %%
from dil_teach.notebook import before_after

divider = before_after(
    shown["bicubic"], shown["ZSSR"], names=("bicubic", "ZSSR"), zoom=2
)

# %% [markdown]
# Look at an outline, at the backdrop, and at the emblem.
# Does it look as you predicted?
#
# ## Experiment: where does it win?
#
# This is the absolute error of each method at each pixel, multiplied by six:


# %%
def error(image):
    return (6 * (image - truth).abs().mean(dim=0, keepdim=True)).clamp(0, 1)


show(
    {f"error of {name}": error(image) for name, image in shown.items()},
    alt="Three error maps, bright where the error is large: bicubic's map shows all "
    "outlines, the control's shows them darker, and ZSSR's shows mostly the letters",
)

# %% [markdown]
# Smooth parts are black in all three maps, because no method could gain anything there.
# Bicubic's map shows all outlines.
# In ZSSR's map the long outlines have almost disappeared: they recur along their own length and across scales, so the network had many examples.
# The check measures this on the current photograph.
# A pixel counts as an outline if all gradients in its window of 7 by 7 pixels have the same direction.

# %%
check.where_it_wins(where_it_wins, shown["bicubic"], shown["ZSSR"], truth)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# A method cannot gain anything where no detail was lost.
# Which part is dark in *all* maps?
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
# Which of the three has the most examples?
#
# </details>

# %% [markdown]
# For a closer look, we find the part of the picture where ZSSR removed most of bicubic's error and left little.
# (We use the ground truth only to select this part; no method has seen it.)

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
    alt="The part where ZSSR gains most: the outlines are blurred in bicubic's result, "
    "have ripples in the control, and are nearly as clean as the truth in ZSSR's",
    truth=truth,
    crop=crop_at_largest(before - 2 * after),
)

# %% [markdown]
# From left to right: bicubic blurs the outlines; the control sharpens them but leaves ripples beside them; ZSSR makes them sharp and clean.
# (The values in dB are for the whole picture.)
#
# ## When it fails
#
# This is the part where ZSSR has its largest error:

# %%
show(
    shown,
    alt="The part where ZSSR's error is largest: the ground truth shows fine detail "
    "that occurs only once; it is blurred in the results of all three methods",
    truth=truth,
    crop=crop_at_largest(after),
)

# %% [markdown]
# In our photograph, this part contains the emblem and the zip.
# Fine letters and small parts occur only once, at one size.
# The image contains no larger copy of them, so the network cannot learn how they look, and it does not invent them.
# An [internal](glossary.md#internal) method cannot restore such detail; here, networks that were trained on many images have an advantage (chapter 10).
#
# ZSSR also gains little or nothing where no detail was lost, as in a smooth or blurred photograph.
# It can also fail.
# Noise and compression artefacts recur, too.
# If the camera's blur is not the assumed one, the sons are not made as the given image was.
# Chapter 09 shows all these cases, and what helps.
# Full-size photographs from phones often have these faults.
# Your photograph was downscaled here, which removes them.

# %%
# NBVAL_CHECK_OUTPUT
removed = (1 - after / before).flatten()  # fraction of bicubic's error
at_best = removed[(before - 2 * after).argmax()]
at_worst = removed[after.argmax()]
claims = {
    "ZSSR beats bicubic by more than 2 dB": score["ZSSR"] - score["bicubic"] > 2,
    "ZSSR beats its control by more than 1 dB": score["ZSSR"] - score["control"] > 1,
    "where ZSSR is best, it removes over 70% of bicubic's error": at_best > 0.7,
    "where ZSSR is worst, it removes under 65%": at_worst < 0.65,
}
check_claims(claims, own)  # they may not hold for your own photograph

# %% [markdown]
# ## On your own: predict, then try
#
# Take one photograph with a long straight outline, and one without any, such as a lawn or a cloud.
# Before you run the chapter on them, write down for each: will ZSSR beat the control by more than 1 dB?
# In which part will its error be largest?
# Then compare with the pictures.
# Expected run time: half a minute each.
#
# ## What the course contains
#
# The course follows a talk by Michal Irani [@irani_talk].
#
# | chapter | question | state |
# |---|---|---|
# | [00 tour](00_tour.ipynb) | what can one image teach? | you are here |
# | [01 patch recurrence](01_patch_recurrence.ipynb) | do patches recur, within and across scales? | ready |
# | 02 internal statistics | are internal patches better examples than external ones? | planned |
# | 03 denoising | how well can recurring patches remove noise? | planned |
# | 04 completion | can an image fill its own hole? | planned |
# | [05 retargeting with patches](05_retargeting_with_patches.ipynb) | what makes two images alike? | ready |
# | 06 fractals and classical super-resolution | is an image its own codebook? | planned |
# | 07 blur | which kernel made this image? | planned |
# | 08 haze | what does fog do to recurrence? | planned |
# | [09 ZSSR](09_zssr.ipynb) | can a network learn from one image alone? | ready |
# | 10 inside against outside | which is better, and when? | planned |
# | 11 KernelGAN | can a GAN find the kernel? | planned |
# | [12 InGAN](12_ingan.ipynb) | can one network remap an image to any shape? | ready |
# | [13 deep image prior](13_deep_image_prior.ipynb) | why does an untrained network like images? | ready |
# | [14 Double-DIP: layers](14_double_dip_layers.ipynb) | why do two networks split a mixture? | ready |
# | [15 Double-DIP: haze, watermark, video](15_double_dip_haze_watermark_video.ipynb) | what else is a sum of two layers? | ready |
# | 16 capstone | your photograph, your question | planned |
#
# ## Summary
#
# - Small patches of a natural image recur in it, at its own scale and at coarser scales.
# - So a network can be trained on one image: the image provides fathers and sons, and the network learns to turn sons into fathers.
# - Structures that recur become sharp; structures that occur once do not; in smooth parts there is nothing to restore.
# - A control without a network shows how much of the gain was learned.
#
# ## References
