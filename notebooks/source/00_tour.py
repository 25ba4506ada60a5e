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
# Most networks are trained on millions of pictures before they process your picture.
# The networks of this course see **only one picture: yours**.
# Each network is trained on your picture, processes it, and is then discarded.
#
# The first figure shows what such a network can do.

# %% tags=["parameters"]
budget = "quick"

# %%
from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 40, "standard": 60, "full": 95})

# %%
from dil_teach import load_image
from dil_teach.image.shipped import shipped
from dil_teach.notebook import before_after, show

files = [shipped("data/openings") / f"tour_{number}.jpg" for number in range(3)]
names = ("bicubic interpolation", "ZSSR", "ground truth")
longer = dict(zip(names, map(load_image, files), strict=True))
first = before_after(longer[names[0]], longer["ZSSR"], names=names[:2])

# %% [markdown]
# Move the divider with the mouse, or select the slider and use the arrow keys.
# Both pictures were made from the same small photograph, which has half of the height and half of the width.
# The left one is interpolated.
# The right one is by a network that had seen nothing but this small photograph.
# The next row shows the face, enlarged, and beside it the photograph from which the small one was made.

# %%
show(
    longer,
    alt="Her face, enlarged. By bicubic interpolation, the eyes, the teeth and the "
    "hair are blurred. By ZSSR, the eyes and the outline of the hair are sharper. In "
    "the ground truth, single hairs and teeth are sharp",
    crop=(50, 106, 96, 96),
    zoom=3,
)

# %% [markdown]
# The network draws the eyes and the outline of the hair sharper than interpolation does, but it cannot bring back single hairs.
# (The pictures are a part of a run at 512 x 512 pixels with the largest budget, which was computed beforehand.)
#
# **After this chapter you can**
#
# - explain how one image can be both the training set and the test;
# - distinguish a *[father](glossary.md#father)* from its *[son](glossary.md#son)*, and say which of the two is the network's input and which is its target;
# - predict in which parts of a photograph learning from one image helps, and in which parts it cannot help.
#
# **What you need**: you know what a pixel is, and that training a network makes a [loss](glossary.md#loss) smaller.
# You do not need a GPU.
# The [glossary](glossary.md) explains new terms; the page [notation](notation.md) explains the symbols.
# If something does not run, see [if you are stuck](if_you_are_stuck.md).
# Reading takes 15 minutes; running all cells takes less than 40 seconds (*Run > Run All Cells*).
#
# `budget` changes only the number of training steps.
# The [seed](glossary.md#seed) is fixed; therefore two runs of the chapter on one computer give exactly the same pictures.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, press the button and choose a file.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# The file stays on the computer where this notebook runs.
# If you choose no file, the chapter uses our photograph.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo
from dil_teach.notebook import show, uploaded_image

ours = photo("astronaut", size=400)
photograph = uploaded_image(button.value, default=ours, max_side=400)
height, width = (side - side % 2 for side in photograph.shape[1:])
truth = photograph[:, :height, :width].to(device())
own = photograph is not ours
subject = (
    "your photograph" if own else "an astronaut in front of a flag, with her helmet"
)
show(truth, alt=f"The photograph in full detail, {width} x {height} pixels: {subject}")

# %% [markdown]
# The photograph above is the **[ground truth](glossary.md#ground-truth)**: an image with all its detail.
# The methods do not see the ground truth; we use it at the end to score their results.
# (Our photograph shows the astronaut Eileen Collins; it is from NASA and in the public domain.
# If your own photograph has more than 400 pixels on a side, it is downscaled, so that the chapter runs quickly.
# Downscaling also makes the photograph sharper and reduces noise; this is the ideal case, as the section *When it fails* explains.)
#
# ## Predict first
#
# We will halve the height and the width, and let two methods restore the photograph.
# The first method is [bicubic interpolation](glossary.md#bicubic), which learns nothing.
# The second method is a network that has seen only the small image.
# Answer the two questions below before you continue.
# When the results are shown, a check tells you why your answer is right or wrong.
# If you leave an exercise unsolved (`...`), the chapter still runs.
#
# ## Exercise: what can the network learn from?
#
# The network needs pairs of an input and a target.
# The network sees only the small image, and no other picture.
# Which pairs can be made from the small image and can teach the network to upscale?
# Set `what_to_learn_from` to one of three strings:
#
# - `"itself to itself"`: input and target are both the small image;
# - `"itself to bicubic"`: the input is the small image; the target is the small image upscaled by bicubic interpolation;
# - `"halved to itself"`: the input is the small image at half its size; the target is the small image.
#
# Units: none.
# Expected run time: none, because the answer is one string.

# %% tags=["exercise"]
### BEGIN SOLUTION
what_to_learn_from = "halved to itself"
### END SOLUTION

# %% [markdown]
# ## Exercise: where does the network win?
#
# In which parts of the photograph will the network remove the largest fraction of the error of bicubic interpolation?
# Set `where_it_wins` to one of three strings:
#
# - `"smooth parts"`, such as the grey backdrop;
# - `"outlines"`, such as those of the flag, the suit and the shuttle;
# - `"fine detail"`, such as the round emblem with its letters.
#
# Units: none. (Your answer is checked against the measured gains in PSNR, in dB.)
# Expected run time: none, because the answer is one string.

# %% tags=["exercise"]
### BEGIN SOLUTION
where_it_wins = "outlines"
### END SOLUTION

# %% [markdown]
# ## The smallest demo
#
# Our *[forward model](glossary.md#forward-model)* halves the size of the image; halving loses the detail.
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
# Bicubic interpolation assumes only that images are smooth, and therefore blurs every edge in the result.
#
# ## The idea: patches recur
#
# Look at small pieces of about 5 by 5 pixels.
# Every small piece of the flag's edge looks like the other pieces of the same edge.
# A piece of a *wide* edge in the foreground looks like an upscaled piece of a *thin* edge in the background.
# Small [patches](glossary.md#patch) of a natural image [recur](glossary.md#recurrence) many times in the same image, at the same scale and at coarser scales [@glasner2009].
# Therefore the image contains examples of how a small, blurred structure looks when it is large and sharp: **the training set is inside the image.**
#
# To get this training set, we degrade the given image in the same way as the unknown image was degraded.
# We halve the size of the given image:

# %%
son = resize(small, scale=0.5).clamp(0, 1)
show(
    {"unknown": truth, "given: the father": small, "the father halved: the son": son},
    alt="The same picture at three sizes, each half of the previous size: the "
    "unknown large image, the given image called the father, and the smaller son",
)

# %% [markdown]
# The forward model that makes the *son* from the *father* has also made the *given* image from the *unknown* image.
# For the son, we know the right answer: the father.
# Therefore we train a network to turn **sons into fathers**, and then apply the network to the given image to estimate the unknown image.
# This method is ZSSR, '[zero-shot](glossary.md#zero-shot)' super-resolution [@shocher2018].
# The next cell checks your first prediction.

# %%
from dil_teach.course import check

check.what_to_learn_from(what_to_learn_from, small)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Before training, the network only interpolates.
# For which of the three kinds of pairs is interpolation already the right answer?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A target must contain something that its input has lost.
#
# </details>
# <details><summary>Hint 3</summary>
#
# How was the small image made from the unknown large image?
#
# </details>

# %% [markdown]
# ## The method
#
# The next cell shows one training step of ZSSR, from the library of the course.
# The step crops fathers from the given image, makes their sons, and applies the network to the sons.
# Then the step updates the weights of the network, so that its outputs differ less from the fathers.
# Chapter 09 explains each line of this step.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import ZSSR
from dil_teach.notebook import show_source

show_source(ZSSR.train_step)

# %% [markdown]
# **When does the training stop?**
# The training stops after a number of steps that the budget fixes in advance.
# The ground truth does not influence the number of steps.
#
# The training runs in a cell of its own.
# If you stop the training with the stop button, nothing is lost; run the cell again to continue the training.
# (To save time, `quick` trains a network with 32 instead of 64 channels in this chapter.)

# %%
from dataclasses import replace

import torch

from dil_teach import ZSSRSettings, train
from dil_teach.notebook import LivePanel

settings = getattr(ZSSRSettings, budget)(seed=seed)
if budget == "quick":
    settings = replace(settings, width=32)
zssr = ZSSR(small, scale=2, settings=settings)
panel = LivePanel(alt=f"The network's current result for {subject}")


# %%
def fixed_loss():
    with torch.no_grad():
        restored = zssr.network(son[None], resize(son, scale=2)[None])[0]
    return float((restored - small).abs().mean())


# %%
for progress in train(zssr, report_every=zssr.total_steps // 10):
    progress.losses["whole father and son"] = fixed_loss()
    panel.update(progress, zssr.raw())

# %% [markdown]
# The training loss fluctuates, because each [batch](glossary.md#batch) contains different crops at different sizes, and some crops are harder than others.
# It does not show the progress.
# The second curve does: it is the loss of one fixed pair, the whole father and its son, and it falls from left to right.
# (It rises a little in the middle, where the network starts to learn a larger scale.)
# The outlines of the picture become sharp in the first few updates, and later changes are small.
#
# ## What came out

# %%
from dil_teach import psnr_y
from dil_teach.course.credit import show_credit
from dil_teach.deep.zssr.comparison import compare

results = compare(zssr)
shown = {
    "bicubic": results["bicubic"],
    "control": results["bicubic + back-projection"],
    "ZSSR": results["final"],
}
score = {name: psnr_y(image, truth, shave=2) for name, image in shown.items()}
alone = psnr_y(results["raw"], truth, shave=2)

# %%
here = {
    "bicubic interpolation": score["bicubic"],
    "bicubic + back-projection": score["control"],
    "the network alone": alone,
    "final result": score["ZSSR"],
}
credit = show_credit("zssr_tour", here=here)

# %% [markdown]
# The numbers in this table are [peak signal-to-noise ratios](glossary.md#psnr) of the [luma](glossary.md#luma): a higher value is better, and 3 dB more means half the [squared error](glossary.md#squared-error).
# The second row is the **[control](glossary.md#control)**: bicubic interpolation, followed by *[back-projection](glossary.md#back-projection)* [@irani1991].
# Back-projection corrects the upscaled image until halving it gives the small image again.
# ZSSR also ends with back-projection, but the control contains no network.
# Therefore only the gain of ZSSR **over the control** was learned from the image.
# Almost all of this gain is already in the output of the network alone; the mean over eight orientations of the image adds a little, and the final back-projection almost nothing.
#
# The next figure shows the longer run of the first figure with its ground truth:

# %%
from dil_teach.course.openings import beside_opening, show_opening

opening = show_opening(
    "tour",
    {
        "bicubic interpolation": "A smiling astronaut with a flag and a shuttle, soft",
        "ZSSR": "The same astronaut with sharp outlines of flag, suit and shuttle",
        "ground truth": "The same astronaut, sharp, with single strands of hair",
    },
)

# %% [markdown]
# In the longer run, the outlines by ZSSR are nearly as sharp as in the ground truth, and the hair is not.
# The next cell compares the two runs.
# The longer run enlarged the photograph to another size, so compare the differences, not the values.

# %%
beside_opening(
    opening,
    {
        "bicubic interpolation": score["bicubic"],
        "bicubic + back-projection": score["control"],
        "the network alone": alone,
        "ZSSR": score["ZSSR"],
    },
)

# %% [markdown]
# In both runs, ZSSR is better than the control, and most of this gain is due to the network alone.
#
# How good is a network that has seen only one image?
# On Set5, a well-known data set of five images, ZSSR with the largest budget reaches 37.5 dB.
# VDSR [@kim2016], a network of 20 layers that was trained on 291 photographs, reaches 37.6 dB on the same small images (chapter [09](09_zssr.ipynb) prints both records).
#
# Here is the divider for this run:

# %%
divider = before_after(shown["bicubic"], shown["ZSSR"], names=("bicubic", "ZSSR"))

# %% [markdown]
# Look at an outline, at the grey backdrop, and at the emblem.
# In which of these parts is ZSSR better than bicubic interpolation, and did you predict this result?
#
# ## Experiment: where does the network win?
#
# The next pictures show the absolute error of each method at each pixel:

# %%
from dil_teach.notebook import beside_maps

show(
    beside_maps(
        {},
        {
            f"error of {name}": 255 * (image - truth).abs().mean(dim=0)
            for name, image in shown.items()
        },
        limits=(0, 40),
        label="absolute error [grey levels]",
    ),
    alt="Three error maps, bright where the error is large: the map of bicubic "
    "shows all outlines, the map of the control shows darker outlines, and the map of "
    "ZSSR shows mostly the emblem, the collar and the hair",
)

# %% [markdown]
# Smooth parts are dark in all three error maps, because no detail was lost there.
# The error map of bicubic interpolation shows all outlines.
# In the error map of ZSSR, the long outlines are clearly darker, but most remain visible.
# Long outlines recur along their own length and across scales, so the network had many examples of them.
# The next check measures the gain in each part of the current photograph.
# A pixel is part of an outline if the slopes in its window of 7 by 7 pixels are strong enough, and most of them have one direction.

# %%
check.where_it_wins(where_it_wins, shown["bicubic"], shown["ZSSR"], truth)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# A method cannot gain anything where no detail was lost.
# Which part is dark in *all* error maps?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Which parts are bright in the error map of bicubic interpolation, but dark in the error map of ZSSR?
#
# </details>
# <details><summary>Hint 3</summary>
#
# A part must have lost detail, *and* the small image must contain examples of what was lost.
# Smooth parts have lost nothing.
# Of the other two kinds of parts, which kind looks alike in many places and at many sizes?
#
# </details>

# %% [markdown]
# For a closer look, we find the parts of the picture where ZSSR gains most and least *over the control*.
# (We use the ground truth only to select these parts; no method has seen the ground truth.)

# %%
import torch.nn.functional as F

side = min(64, height, width)


def window_errors(image):
    error = (image - truth).square().mean(dim=0, keepdim=True)
    return F.avg_pool2d(error, side, stride=4)[0]


def crop_at_largest(values):
    row, column = divmod(int(values.argmax()), values.shape[1])
    return 4 * row, 4 * column, side, side


error = {name: window_errors(image) for name, image in shown.items()}
gain = 10 * torch.log10(error["control"] / error["ZSSR"])  # dB, learned
lossy = error["bicubic"] >= error["bicubic"].median()  # detail was lost here
best = torch.where(lossy, gain, -torch.inf)
worst = torch.where(lossy, -gain, -torch.inf)

# %%
show(
    shown,
    alt="The part where ZSSR gains most: the outlines are blurred in bicubic's result, "
    "have ripples in the control, and are nearly as clean as the truth in ZSSR's image",
    truth=truth,
    crop=crop_at_largest(best),
)

# %% [markdown]
# Bicubic interpolation blurs the outlines; the control sharpens the outlines but leaves ripples beside them; ZSSR makes the outlines sharp and clean.
# (The values in dB are for the whole picture.)
#
# ## When it fails
#
# The next pictures show the part where ZSSR gains least over the control, among the half of all parts that lost most detail:

# %%
show(
    shown,
    alt="The part where ZSSR gains least: hair and an eye. The results of the control "
    "and of ZSSR are equally soft; in the ground truth, there are single strands of "
    "hair, and a clear eye",
    truth=truth,
    crop=crop_at_largest(worst),
)
print(f"Here, ZSSR's gain over the control is {float(gain[lossy].min()):.2f} dB;")
print(f"in the best part, it is {float(gain[lossy].max()):.2f} dB.")

# %% [markdown]
# In our photograph, this part contains hair and the eyes.
# The strands of hair are thinner than a pixel of the small image, and no other part of the photograph shows them larger.
# Both eyes have the same size, so neither of them shows the other in more detail.
# So the image contains no example of how this detail looks, and the network learned nothing that helps: its gain over the control is almost zero here.
# An [internal](glossary.md#internal) method cannot restore detail that occurs only once; for such detail, networks that were trained on many images have an advantage (chapter 10).
#
# ZSSR also gains little or nothing where no detail was lost, as in a smooth or blurred photograph.
# ZSSR can also be worse than bicubic interpolation.
# In a photograph with noise or compression artefacts, the network also learns from these faults.
# If the camera's blur differs from the assumed blur, the sons are not degraded in the same way as the given image.
# Chapter 09 shows all these cases, and what helps against them.
# Full-size photographs from phones often have noise, compression artefacts and an unknown blur.
# If your photograph is large, this chapter downscales it, which reduces its noise, artefacts and blur.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "ZSSR beats bicubic by more than 2 dB": score["ZSSR"] - score["bicubic"] > 2,
    "ZSSR beats the control by more than 1 dB": score["ZSSR"] - score["control"] > 1,
    "the network alone has over 80% of ZSSR's gain over the control": alone
    - score["control"]
    > 0.8 * (score["ZSSR"] - score["control"]),
    "in its best part, ZSSR gains over 4 dB over the control": gain[lossy].max() > 4,
    "in its worst part, it gains under 0.5 dB": gain[lossy].min() < 0.5,
}
check_claims(claims, own)  # the claims may not hold for your own photograph

# %% [markdown]
# ## On your own: predict, then try
#
# Take one photograph with a long straight outline, and another photograph without straight outlines, such as a lawn or a cloud.
# Before you run the chapter on each photograph, predict whether ZSSR will beat the control by more than 1 dB.
# Also predict in which part of the photograph the error of ZSSR will be largest.
# Then compare your predictions with the results.
# Expected run time: half a minute for each photograph.
#
# **Mini-project.** Write one page about your two photographs, with the pictures of the best and the worst part of each.
#
# | criterion | points | full points if |
# |---|---|---|
# | prediction | 2 | both predictions were written down before the run |
# | control | 3 | each gain is stated over bicubic interpolation and over the control, and the difference is explained |
# | best and worst part | 3 | each is explained by what recurs in the photograph, or does not |
# | honesty | 2 | the page names a prediction that was wrong, or a result that you cannot explain |
#
# ## What the course contains
#
# The course follows a talk by Michal Irani of the Weizmann Institute of Science, 'Deep Internal Learning' [@irani_talk].
# We could not verify when and where the version that we follow was given, so each chapter cites the papers behind the talk.
# The main ones are on recurrence [@glasner2009] [@zontak2011], ZSSR [@shocher2018], KernelGAN [@bellkligler2019], InGAN [@shocher2019] and Double-DIP [@gandelsman2019].
#
# | chapter | question | state |
# |---|---|---|
# | [00 tour](00_tour.ipynb) | what can one image teach? | you are here |
# | [01 patch recurrence](01_patch_recurrence.ipynb) | do patches recur, within and across scales? | ready |
# | [02 internal statistics](02_internal_statistics.ipynb) | are internal patches better examples than external ones? | ready |
# | [03 denoising with patches](03_denoising_with_patches.ipynb) | how far do recurring patches carry? | ready |
# | [04 completion](04_completion.ipynb) | can an image fill its own hole? | ready |
# | [05 retargeting with patches](05_retargeting_with_patches.ipynb) | what makes two images alike? | ready |
# | [06 fractals and classical super-resolution](06_fractals_and_classical_sr.ipynb) | is an image its own codebook? | ready |
# | [07 blur](07_blur.ipynb) | which kernel made this image? | ready |
# | [08 haze](08_haze.ipynb) | what does fog do to recurrence? | ready |
# | [09 ZSSR](09_zssr.ipynb) | can a network learn from one image alone? | ready |
# | [10 inside against outside](10_inside_against_outside.ipynb) | who wins, and when? | ready |
# | [11 KernelGAN](11_kernelgan.ipynb) | can a GAN find the kernel? | ready |
# | [12 InGAN](12_ingan.ipynb) | can one network remap an image to any shape? | ready |
# | [13 deep image prior](13_deep_image_prior.ipynb) | why does an untrained network like images? | ready |
# | [14 Double-DIP: layers](14_double_dip_layers.ipynb) | why do two networks split a mixture? | ready |
# | [15 Double-DIP: haze, watermark, video](15_double_dip_haze_watermark_video.ipynb) | what else is a sum of two layers? | ready |
# | [16 capstone](16_capstone.ipynb) | your photograph, your question | ready |
#
# ## Summary
#
# - Small patches of a natural image recur in the same image, at the same scale and at coarser scales.
# - Therefore a network can be trained on one image: the image provides fathers and sons, and the network learns to turn sons into fathers.
# - Structures that recur become sharp; structures that occur once do not; in smooth parts there is nothing to restore.
# - A control without a network shows how much of the gain of ZSSR was learned.
#
# ## References
