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
# # 13 · Deep Image Prior: why does an untrained network like images?
#
# ZSSR (chapter [09](09_zssr.ipynb)) learned from pairs that it cut out of one image.
# Here there are no pairs at all.
# A network is asked to draw one spoilt image, and nothing else; on the way there it draws, for a while, the image without the damage.
#
# **After this chapter you can**
#
# - watch an untrained network draw a picture before it draws the noise in it, and measure how much it prefers one to the other;
# - say what depth, skips and the input each add to that preference;
# - stop in time without knowing the [truth](glossary.md#ground-truth);
# - turn the same training into denoising, [inpainting](glossary.md#inpainting) or super-resolution by changing one line, the loss;
# - predict where it fails: on texture, in a wide hole, and when nobody stops it.
#
# **What you need**: chapter [09](09_zssr.ipynb), or having seen a training loop in PyTorch.
# No GPU.
# Reading takes 40 minutes, computing less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 35, "standard": 150, "full": 900})

# %% [markdown]
# `budget` changes sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is stated: run the chapter twice on one computer and you get the same pictures, bit for bit.
#
# ## A photograph: ours, or yours
#
# Choose a file to use a photograph of your own, then select the cell below the button, and *Run > Run Selected Cell and All Below*.
# Without one you get a dahlia.
# (Photograph: vultilion, CC BY 2.0, as scikit-learn ships it.)

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo, psnr
from dil_teach.image.augment import add_noise
from dil_teach.notebook import show, uploaded_image

side = {"quick": 64, "standard": 96, "full": 128}[budget]
ours = photo("flower", size=side)
photograph = uploaded_image(button.value, default=ours, max_side=side)
own = photograph is not ours
truth = photograph.to(device())
height, width = truth.shape[1:]
noise_rng = torch.Generator().manual_seed(1000 + seed)
noisy = add_noise(truth, 25 / 255, noise_rng).clamp(0, 1)
subject = "the photograph you chose" if own else "an orange dahlia, dark leaves behind"


# %%
def titled(pictures, against=None):
    """Each picture's score below its name: PSNR over all values of all channels."""
    wanted = truth if against is None else against
    scores = {name: f"{psnr(p, wanted):.2f} dB" for name, p in pictures.items()}
    return {f"{name}\n{scores[name]}": p for name, p in pictures.items()}


show(
    titled({"given": noisy}) | {"truth": truth},
    alt=f"Two pictures of {subject}: the given one, covered with coloured grain, and "
    "the truth, which is smooth in between its edges",
    zoom=4,
)

# %% [markdown]
# The noise is white and Gaussian, with a standard deviation of 25 grey levels.
# `truth` is what the method never sees: it scores the results and decides nothing.
# Most experiments with this method use this noise, on larger images; ours is as small as a stamp, so that all can be trained while you read.
# (Small is hard: the fewer pixels a petal has, the more it looks like noise.)
#
# ## Predict first
#
# Write your answers down; each is tested below.
#
# 1.
#    A network with more weights than the image has values is trained to draw this *noisy* image, by plain least squares.
#    It could draw all of it, noise included.
#    What will be there first: the flower, the noise, or both at once?
# 2.
#    The pixels of the photograph are shuffled: the same colours, in random places.
#    Will the network learn that picture faster, as fast, or more slowly?
# 3.
#    No loss reaches the inside of a hole.
#    What will the network draw there: black, noise, or something that fits?
# 4.
#    Non-local means averages pixels whose patches are alike.
#    It has no weights, and takes a fraction of a second.
#    Which wins at denoising, it or the network?
#
# ## The smallest demo: watch it draw
#
# What has to outlive the loop comes first: the [code](glossary.md#code), which is noise that is drawn once and then stays; the network, which turns the code into a picture; and its optimizer.
# Nobody has trained this network on anything.

# %%
from dil_teach.training.networks import INPUT_CHANNELS, Hourglass, draw_network_input

WIDTHS = 4 * (24,)  # channels at each scale, from the finest
hand_steps = {"quick": 240, "standard": 500, "full": 1500}[budget]
rng = torch.Generator().manual_seed(seed)
code = draw_network_input((height, width), rng).to(truth.device)
network = Hourglass(INPUT_CHANNELS, len(noisy), WIDTHS, 8, rng)
network = network.to(truth.device)
optimizer = torch.optim.Adam(network.parameters(), lr=0.015, fused=True)
losses, drawings = [], []
weights = sum(weight.numel() for weight in network.parameters())
print(f"{weights} weights to draw {noisy.numel()} values")

# %% [markdown]
# And this is Deep Image Prior [@ulyanov2018].
# Draw, compare with the given image, take a step.
# There is no data set, no pair, and no term in the loss that knows what an image is.

# %% tags=["algorithm"]
for _ in range(hand_steps):
    drawn = network(code).sigmoid()
    loss = (drawn - noisy).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if len(losses) % 5 == 0:
        drawings.append((len(losses), drawn.detach()[0]))
print(f"{len(losses)} steps; run this cell again and it carries on.")

# %% [markdown]
# Scrub through what it drew:

# %%
from dil_teach.notebook import scrub

steps = scrub(
    drawings,
    alt="What the network draws after {step} steps: soft blobs at first, then the "
    "flower, clean and a little soft, and at last the flower under coloured grain",
)

# %% [markdown]
# First come blobs of the right colours, then the outline, then the petals; and only then, speck by speck, the noise.
# Between the blobs and the specks lies a picture that is *cleaner than what it was told to draw*.
# Measured, against what it is trained on and against what it never sees:

# %%
from dil_teach.notebook import curves

at = [step for step, _ in drawings]
to_given = [psnr(picture, noisy) for _, picture in drawings]
to_truth = [psnr(picture, truth) for _, picture in drawings]
show(
    curves(
        {"to the given image": (at, to_given), "to the truth": (at, to_truth)},
        xlabel="training step",
        ylabel="PSNR of the drawing [dB]",
    ),
    alt="Two curves against the training step: the likeness to the given image rises "
    "to the end with small dips, the likeness to the truth rises, peaks early and then "
    "falls",
)

# %% [markdown]
# The loss, which is the upper story told in other units, falls, short jumps apart, and gives no sign.
# The likeness to the truth has a **hump**: rising while the picture forms, falling while the noise does (question 1).
# The whole method lives on that hump.
# Two questions are left: why is it there, and how does one find its top without the curve that we are not allowed to see?

# %%
# NBVAL_CHECK_OUTPUT
top = max(to_truth)
claims = {
    "at the top it is over 3 dB above what it was given": top > psnr(noisy, truth) + 3,
    "the top comes in the first two thirds": at[to_truth.index(top)] < 2 * at[-1] / 3,
    "at the end over 0.7 dB of it are lost": to_truth[-1] < top - 0.7,
    "the loss has fallen all the same": losses[-1] < losses[len(losses) // 2],
}
check_claims(claims, own)  # on a photograph of yours they may not hold

# %% [markdown]
# ## Theory: why this can work
#
# Restoration is commonly written as a search for the picture $x$ that explains the given image $I$ and is likely as an image: $\min_x E(x; I) + R(x)$, with a data term $E$ and a [prior](glossary.md#prior) $R$, learned or thought up.
# Deep Image Prior searches among the weights $\theta$ of a network instead, and leaves the prior out:
#
# $$\min_\theta\ E\bigl(f_\theta(z);\, I\bigr),\qquad \hat X = f_\theta(z),$$
#
# with a fixed code $z$.
# The network is nothing but a way to write pictures down.
# It is no *restriction*: with more weights than values it can write down nearly any picture, and does so in the end.
# What it prefers shows in *how fast* each is reached.
#
# **Why structure comes first.**
# A weight of a convolution works at every pixel alike.
# What is wanted at many places, an even ground, a long edge, a petal that recurs, pulls it in one direction from all these places, and the pulls add up.
# Noise pulls in another direction at each pixel, and most of that cancels.
# The coarse layers in the middle of the network cannot even say 'this one pixel': one of their values paints 16 x 16 pixels.
# The paper calls it a high *impedance* to noise and a low one to signal.
# (It is an observation with a good reason, and no theorem about photographs.)
#
# It is [recurrence](glossary.md#recurrence) once more: what comes again is cheap to learn, what occurs once has to be learned by heart.
#
# ## Experiment 1: impedance
#
# Then let us measure it [@ulyanov2018, figure 2].
# The same network, with the same weights to begin with and the same code, draws four targets: the photograph; the photograph with noise, which we have already; the photograph's own pixels in random order; and noise alone.
# So that they can be compared, each loss is divided by the target's variance: 1 is what an even grey leaves to be explained, 0 is nothing.

# %%
order = torch.randperm(height * width, generator=noise_rng).to(truth.device)
shuffled = truth.flatten(1)[:, order].reshape_as(truth)
uniform = torch.rand(truth.shape, generator=noise_rng).to(truth.device)
show(
    {"shuffled": shuffled, "noise": uniform},
    alt="A part of two pictures to be drawn: pixels of the photograph in random order, "
    "a grain in its own colours; and noise of all colours",
    crop=(0, 0, 32, 32),
    zoom=6,
)

# %% [markdown]
# (A part of each.)
# Shuffled or not, *the pixels are the same*: colours, mean and variance agree, only the neighbourhoods differ.
# (The targets come from another seed than the code.
# At the code's own seed, 'random' noise can be a channel of the code shifted along, and then the network draws it at once: a trap that we fell into.)

# %% tags=["algorithm"]
share_steps = {"quick": 90, "standard": 200, "full": 400}[budget]


def unexplained(target, steps=share_steps):
    """The share of the target's variance that is left, after each step."""
    again = torch.Generator().manual_seed(seed)
    same_code = draw_network_input(target.shape[1:], again).to(target.device)
    pupil = Hourglass(INPUT_CHANNELS, len(target), WIDTHS, 8, again)
    pupil = pupil.to(target.device)
    adam = torch.optim.Adam(pupil.parameters(), lr=0.015, fused=True)
    left = []
    for _ in range(steps):
        error = (pupil(same_code).sigmoid() - target).square().mean()
        adam.zero_grad()
        error.backward()
        adam.step()
        left.append(error.item() / float(target.var(dim=(1, 2)).mean()))
    return left


# %%
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

targets = {"photograph": truth, "shuffled": shuffled, "noise": uniform}
with ThreadPoolExecutor(cpu_count()) as pool:  # side by side
    found = pool.map(unexplained, targets.values())
shares = dict(zip(targets, found, strict=True))

# %%
with_noise = [x / float(noisy.var(dim=(1, 2)).mean()) for x in losses[:share_steps]]
all_shares = shares | {"photograph and noise": with_noise}
show(
    curves(
        {name: (range(1, len(s) + 1), s) for name, s in all_shares.items()},
        xlabel="training step",
        ylabel="unexplained share of variance",
    ),
    alt="Four falling curves: the photograph falls steeply to nearly zero; the noisy "
    "one follows it and flattens at a tenth; shuffled pixels and noise stay high for "
    "40 steps and fall late",
)

# %% [markdown]
# The photograph is nearly explained when the shuffled pixels have hardly begun (question 2).
# The noisy photograph does both: it follows the photograph's curve until only noise is left to be explained, and then becomes slow.
# The bend comes before the top of the hump: after it the last detail is learned together with the first noise.
#
# All four *do* fall: given time, the network draws noise as well as anything.
# The preference is one of speed, so it must be used in time.

# %%
# NBVAL_CHECK_OUTPUT
early = {name: share[39] for name, share in all_shares.items()}
claims = {
    "after 40 steps under a fifth of the photograph is left": early["photograph"] < 0.2,
    "and over half of its shuffled pixels": early["shuffled"] > 0.5,
    "and over half of the noise": early["noise"] > 0.5,
    "in the end noise too is half explained": shares["noise"][-1] < 0.5,
}
check_claims(claims, own)

# %% [markdown]
# ## The method, as the library has it
#
# The library's step is the loop above, with some additions.
# Find them:

# %%
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.notebook import show_source

show_source(DeepImagePrior.train_step)
show_source(DeepImagePrior._update_average)

# %% [markdown]
# - **Noise on the code**, new at each step and stronger as the training goes on.
#   The network cannot easily learn by heart which input value belongs to which noisy pixel, for the input is never quite the same.
#   In our runs the hump comes later, and is higher and broader.
# - **A [running average](glossary.md#running-average)** of what was drawn.
#   From one step to the next the picture stays and the noise in it wobbles, so the average has less of it.
# - **A [stopping rule](glossary.md#early-stopping)** that needs no truth [@wang2023].
#   While the picture forms, drawings differ from their own running average, for they improve.
#   While noise is learned they differ again, each by other specks.
#   In between they differ least: keep the average of the step at which this *running variance* was least, and stop when 100 steps have brought no smaller one.
#   A second rule stops sooner where the average lies nearer to the given image than the noise allows, whose strength is *estimated* from that image: what is nearer than that must have drawn noise.
#   And where the average is still much farther away than that, calm does not count: the picture is not drawn yet.
# - With a larger `budget`, **several networks** side by side, each with a code of its own: what they draw of the picture agrees, and what they draw of the noise does not, so their mean has less of it.
#
# With $x_t$ for the drawing of step $t$ and a small rate $r$, the average is $\bar x_t = \bar x_{t-1} + r\,(x_t - \bar x_{t-1})$ and the variance $v_t = (1 - r)\,\bigl(v_{t-1} + r\, \lVert x_t - \bar x_{t-1} \rVert^2\bigr)$, the square standing for the mean over all values.
# It is compared as a share of the variance of $\bar x_t$ over its own values; otherwise the grey of the first steps, in which nothing changes for there is nothing yet, would look calm.

# %%
from dataclasses import replace

from dil_teach.notebook import LivePanel

settings = getattr(DeepImagePriorSettings, budget)(seed=seed)
more = max(settings.steps, 380)
narrow = replace(settings, steps=more, widths=(16, 32, 32, 32))  # a small image
dip = DeepImagePrior(noisy, settings=narrow)
panel = LivePanel(alt=f"The running average of what the network draws of {subject}")
watched = []

# %%
from dil_teach import train

for progress in train(dip, report_every=10):
    variance = progress.losses["variance"]
    watched.append((dip.step, dip.raw(), dip.averaged(), variance))
    if progress.done or dip.step % 100 == 0:
        panel.update(progress, dip.averaged())

# %% [markdown]
# Press stop while it trains and nothing is lost: the step in hand is finished, and the same cell carries on.

# %%
answer, stopped, ended = dip.result(), dip.stopped_at, dip.step
rule = "the distance to the given image" if dip.too_near else "the variance"
print(f"Step {ended}: {rule} stopped it. The average of step {stopped} is kept.")

# %% [markdown]
# Where is the kept step on the hump?
# The truth may answer now; it is asked after the choice.
# To see what was missed we train on beyond the stop, which nobody would do otherwise; the answer stays.

# %%
while dip.step < dip.total_steps:
    losses_now = dip.train_step()
    if dip.step % 10 == 0:
        variance = float(losses_now["variance"])
        watched.append((dip.step, dip.raw(), dip.averaged(), variance))

# %%
seen = [entry for entry in watched if entry[0] >= 50]
at = [step for step, *_ in seen]
raw_score = [psnr(raw, truth) for _, raw, _, _ in seen]
average_score = [psnr(average, truth) for _, _, average, _ in seen]

# %%
hump = {"drawing": (at, raw_score), "running average": (at, average_score)}
low, high = min(raw_score), max(average_score)
show(
    curves(
        hump | {f"kept: step {stopped}": ((stopped, stopped), (low, high))},
        xlabel="training step",
        ylabel="PSNR against the truth [dB]",
    ),
    alt="Likeness to the truth against the step: the drawing's rises, wobbles and "
    "falls again, the running average's starts lower and ends higher, smooth; a "
    "line marks the kept step, near that top",
)

# %% [markdown]
# At its best the average is better than any single drawing, and its hump is broad.
# (In the first half it lags behind, for it still holds the blobs.)
# Now what the two rules saw:

# %%
from dil_teach.classical.denoising import noise_level
from dil_teach.deep.deep_image_prior import TOO_NEAR

variances = [variance for *_, variance in seen]
sigma = noise_level(noisy)
misses = [(average - noisy).square().mean().item() for _, _, average, _ in seen]
distances = [miss / sigma**2 for miss in misses]

# %%
show(
    curves(
        {
            "running variance": (at, variances),
            f"kept: step {stopped}": ((stopped, stopped), (0, max(variances))),
        },
        xlabel="training step",
        ylabel="running variance, as a share",
    ),
    alt="The running variance against the step: it falls steeply, and then creeps "
    "ever more slowly to the right end; a line marks the kept step",
)

# %% [markdown]
# It falls steeply while the picture forms, and then ever more slowly.
# Where its least lies, this rule knows only after it has waited; within the steps shown here there need not be one.

# %%
show(
    curves(
        {
            "distance": (at, distances),
            "limit": ((at[0], at[-1]), (TOO_NEAR, TOO_NEAR)),
            f"kept: step {stopped}": ((stopped, stopped), (0, max(distances))),
        },
        xlabel="training step",
        ylabel="squared distance / noise variance",
    ),
    alt="The average's squared distance from the given image, over the noise's "
    "estimated variance: it falls to the limit of 0.85 and below; a line marks the "
    "kept step, near the crossing",
)

# %% [markdown]
# The truth's own distance from the given image is the noise, 1 in these units.
# An average that is nearer than the limit has drawn some of it.
# (The limit is below 1, for texture makes the estimate too large.)
# On our dahlia this rule stops first; the variance alone would have waited longer, into the falling side of the hump.
# On other photographs and seeds the variance comes first: each rule guards the other.
# Neither is exact: one looks for *calm*, the other trusts an estimate.
# What it gives away against the best step, which only the truth knows (an [oracle](glossary.md#oracle)):

# %%
# NBVAL_CHECK_OUTPUT
given_away = max(average_score) - psnr(answer, truth)
claims = {
    "the average gains over 4 dB": psnr(answer, truth) > psnr(noisy, truth) + 4,
    "the average beats the best single drawing": max(average_score) > max(raw_score),
    "the rule gives away under 0.6 dB": given_away < 0.6,
}
check_claims(claims, own)

# %% [markdown]
# ## Exercise: when to stop
#
# Write the rule down: `stopping_step(variances, patience)`.
#
# - `variances`: `Float[Tensor, "n"]`, the running variance after each step, the first being that of step 1 (squared values of [0, 1]).
# - `patience`: for how many steps, a whole number, a smaller variance than the least so far is waited for.
#   When so many have gone by without one, training stops, and what would come later is never known.
# - returns the step, an `int` counted from 1, whose variance was least when training stopped, or when the list was over.
#   A variance that only equals the least is not smaller.
#
# Expected run time: none to speak of.


# %% tags=["exercise"]
def stopping_step(variances, patience):
    ### BEGIN SOLUTION
    best = 0
    for step in range(len(variances)):
        if variances[step] < variances[best]:
            best = step
        elif step - best >= patience:
            break
    return best + 1
    ### END SOLUTION


# %%
from dil_teach.course import check

check.stopping_step(stopping_step)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Walk through the steps in order and keep one thing in mind: which step had the least variance so far.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# How long you have waited is the difference between the step in hand and that step.
# Each smaller variance sets it back to 0 by itself.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `break` leaves the loop.
# What is returned is the step that was kept in mind, and not the one at which the loop was left; add 1, since Python counts from 0.
#
# </details>

# %% [markdown]
# ## Experiment 2: who else can do this?
#
# Four denoisers on the same image.
# All are told nothing but the image; where a method wants the noise's strength, it gets an *estimate* from the image itself, by a filter that leaves edges out [@immerkaer1996].
#
# - **Total variation** [@rudin1992]: the picture nearest to the given one whose neighbouring pixels differ little in sum.
# - **Non-local means** [@buades2005]: each pixel becomes the mean of pixels in *similar patches*: recurrence, used directly.
# - **ZS-N2N** [@mansour2023]: from each 2 x 2 pixels the mean of one diagonal goes into one small image, that of the other into a second.
#   They show the same picture under independent noise, and a network of two hidden layers learns to predict one from the other.
#   What it can predict is the picture [@lehtinen2018].

# %%
from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings, pair_downsample

first, second = pair_downsample(noisy[None])
difference = (first - second)[0].abs()
show(
    {
        "first": first[0],
        "second": second[0],
        "3 x difference": (3 * difference).clamp(0, 1),
    },
    alt="Two half-size noisy pictures of the same thing, and their difference, which "
    "is grain with faint outlines: the noise differs, the picture nearly agrees",
    zoom=5,
)

# %% [markdown]
# In the difference hardly anything of the subject is seen.
# Both halves hold the same picture, unshifted, for the two diagonals of a block share their centre; they differ where detail is finer than a block.
# Their noise has nothing to do with one another.

# %%
zs_steps = {"quick": 200, "standard": 1000, "full": 3000}[budget]
zs_n2n = ZSN2N(noisy, ZSN2NSettings(steps=zs_steps, seed=seed))

# %%
from dil_teach import fit
from dil_teach.classical.denoising import nlm_denoise, tv_denoise

denoised = {
    "given": noisy,
    "total variation": tv_denoise(noisy, sigma),
    "non-local means": nlm_denoise(noisy, sigma),
    "ZS-N2N": fit(zs_n2n).result(),
    "deep image prior": answer,
}
print(f"Estimated noise: {255 * sigma:.1f} grey levels; it was 25.")
score = {name: psnr(image, truth) for name, image in denoised.items()}
for name, decibels in score.items():
    print(f"{name:17}{decibels:6.2f} dB")

# %%
part = (height // 8, width // 8, 3 * height // 4, 3 * width // 4)
show(
    titled(denoised) | {"truth": truth},
    alt=f"{subject}: given, by total variation (flat patches), by non-local means "
    "(smooth, clear outlines), by ZS-N2N (some grain left), by Deep Image Prior (a "
    "little soft), and in truth",
    crop=part,
    zoom=4,
)

# %% [markdown]
# All four gain about five decibels or more.
# The network is ahead of non-local means (question 4), but only just: by a few tenths of a decibel at the first two seeds, and at the third they are even; on the coffee cup, the pagoda and the astronaut, made as small, it was ahead by 0.2 to 0.4, on the cat by 0.6.
# ZS-N2N, in its few steps here, comes last or nearly.
# And non-local means needs a fraction of a second.
# Why is it so good?
# White Gaussian noise of one strength is what it was made for; it is given an estimate of that strength; and a flower is full of patches that recur.
# The network has to find out all of this from one small image.
# Both are well ahead of total variation, whose belief, flat pieces between edges, is poorer.
#
# What the network has instead is that nobody wrote down for it what noise is like.
# Experiment 4 will give it other damages, for which non-local means has no formula.
# It also gains from more pixels and more computing, which larger budgets give it; the project's script `benchmarks/deep_image_prior.py` measures all of these on five photographs of 128 x 128 pixels: at `standard` the network has 28.5 dB, non-local means 27.9, ZS-N2N 27.4 and total variation 26.7 (means of five photographs and three seeds), and on one of the five, this dahlia, non-local means is still a tenth of a decibel ahead.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "all four gain over 4 dB": min(list(score.values())[1:]) > score["given"] + 4,
    "deep image prior is within 0.5 dB of the best": score["deep image prior"]
    > max(score.values()) - 0.5,
}
check_claims(claims, own)

# %% [markdown]
# ### The thread of the course: the recurrence score
#
# Chapter [01](01_patch_recurrence.ipynb) measured how much of an image [recurs](glossary.md#recurrence-score) in it.
# Noise recurs nowhere.
# Does a denoised image have the internal statistics of the truth?

# %%
from dil_teach import recurrence_score

measured = denoised | {"truth": truth}
del measured["total variation"]  # to keep this short
recurs = {name: recurrence_score(image) for name, image in measured.items()}
for name, value in recurs.items():
    print(f"{name:17}{value:.2f}")

# %% [markdown]
# In the noisy image nothing recurs, and each denoiser brings some of it back.
# Look at non-local means: of the three results its patches recur the most, and at this size (`quick`) *more* than the truth's.
# It makes patches alike by averaging them, and where they were alike only roughly, it has made that up.
# Deep Image Prior comes out just below the truth: it has made up little, and some of the noise is still in it, of which no two specks are the same.
# None of these is a PSNR; they tell in which *way* a picture is wrong.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "hardly anything recurs in the noisy image": recurs["given"] < 0.05,
    "deep image prior brings recurrence back": recurs["deep image prior"]
    > recurs["given"] + 0.08,
    "non-local means brings the most": recurs["non-local means"]
    > max(recurs["ZS-N2N"], recurs["deep image prior"]),
}
check_claims(claims, own)

# %% [markdown]
# ## Experiment 3: depth, skips and the code
#
# If the prior lies in the network's build, then another build is another prior.
# To see it bare, we leave out pixels: a square and a band that the loss never hears of, beside the same noise as before.
# What appears there is the network's own opinion.

# %%
from dil_teach import resize

bias_truth = resize(truth, scale=0.75).clamp(0, 1)
rows, columns = bias_truth.shape[1:]
gap = torch.zeros(1, rows, columns, device=truth.device)
gap[:, 2 * rows // 5 : 2 * rows // 5 + rows // 4, columns // 4 : columns // 2] = 1
gap[:, rows // 8 : rows // 8 + 4] = 1
spoilt = add_noise(bias_truth, 25 / 255, noise_rng).clamp(0, 1)
show(
    {"given": (1 - gap) * spoilt, "truth": bias_truth},
    alt="A smaller copy with noise, a black square over the middle of it and a black "
    "band near its top; and the truth",
    zoom=4,
)

# %% [markdown]
# Black is what nobody tells the network.
# It gets one of three codes: *noise*, as before; the same noise *shaken* anew at each step, as the library does; or the *position*, two smooth ramps that say how far down and how far right a pixel lies.
# It has one scale or four, and at each scale [skips](glossary.md#skip-connection) of eight channels or none.

# %% tags=["algorithm"]
from functools import cache

bias_steps = {"quick": 40, "standard": 120, "full": 300}[budget]
ramps = [torch.linspace(-1, 1, n, device=truth.device) for n in (rows, columns)]
position = torch.stack(torch.meshgrid(*ramps, indexing="ij"))[None]


@cache  # each is trained when it is first looked at, and never again
def drawing(depth, skip, kind):
    rng = torch.Generator().manual_seed(seed)
    z = draw_network_input((rows, columns), rng).to(truth.device)
    z = position if kind == "position" else z
    net = Hourglass(z.shape[1], len(spoilt), WIDTHS[:depth], skip, rng).to(truth.device)
    adam = torch.optim.Adam(net.parameters(), lr=0.02, fused=True)
    for _ in range(bias_steps):
        shaking = 0.03 * torch.randn(z.shape, generator=rng).to(z.device)
        drawn = net(z + shaking if kind == "shaken" else z).sigmoid()
        error = ((1 - gap) * (drawn - spoilt)).square().mean()
        adam.zero_grad()
        error.backward()
        adam.step()
    with torch.no_grad():
        return net(z).sigmoid()[0]


# %%
def psnr_in(region, image, wanted):
    """PSNR over the pixels of a region, such as a hole, alone."""
    inside = region[0] > 0.5
    return psnr(image[:, inside][None], wanted[:, inside][None])


def in_gap(*build):
    return psnr_in(gap, drawing(*build), bias_truth)


# %%
from dil_teach.notebook import Choice, Toggle, explore, strip


def render_build(depth, skips, kind):
    build = int(depth), 8 * skips, kind
    return strip({f"{in_gap(*build):.1f} dB in the gaps": drawing(*build)}, zoom=5)


static = (
    ("1", False, "noise"),
    ("4", False, "noise"),
    ("4", True, "noise"),
    ("4", True, "shaken"),
    ("4", True, "position"),
)

# %%
build_choice = explore(
    render_build,
    {
        "depth": Choice("Scales", ("1", "4"), "4"),
        "skips": Toggle("Skips of eight channels", True),
        "kind": Choice("Code", ("noise", "shaken", "position"), "noise"),
    },
    alt="What a network of {depth} scale(s) draws from the code '{kind}', skips: "
    "{skips}; one scale leaves the square dark, four close it; skips bring detail and "
    "grain, the code 'position' neither",
    examples=[dict(zip(("depth", "skips", "kind"), e, strict=True)) for e in static],
)

# %% [markdown]
# Three things to find with the controls:
#
# - **Depth carries across.**
#   With one scale and the code of noise the square stays a dark hole with ragged edges: a pixel in its middle does not see the rim.
#   With four scales the coarse ones have an opinion everywhere, and the hole closes (question 3: something that fits).
# - **Skips carry detail, and noise.**
#   Without them everything has to pass through the coarse layers: petals are lost, and grain with them.
#   With them the petals come sooner, and so do the specks.
# - **The code is the paper that it draws on.**
#   From noise it draws grain with ease, for grain is there already.
#   From the smooth ramps it draws smooth things: no grain and no petals either, and it fills gaps smoothly.
#   Shaking the noise takes from its grain what the network could rely on.
#
# There is no best build, as there is no best prior.
# The library takes several scales, thin skips and shaken noise.

# %%
rough = {
    (skip, kind): float(drawing(4, skip, kind).diff(dim=2).abs().mean())
    for skip, kind in ((0, "noise"), (8, "noise"), (8, "position"))
}
closed = min(in_gap(4, s, "noise") - in_gap(1, s, "noise") for s in (0, 8))

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "code noise: four scales fill the gaps over 3 dB better": closed > 3,
    "four scales, noise: skips make it rougher": rough[8, "noise"]
    > 1.1 * rough[0, "noise"],
    "skips: position is smoother than noise": rough[8, "position"]
    < 0.9 * rough[8, "noise"],
}
check_claims(claims, own)

# %% [markdown]
# ## Exercise: one loss for three kinds of damage
#
# What the damage was is said by the loss alone.
# Write one that can say three things: `damage_loss(drawn, given, mask, scale)`.
#
# - `drawn`: `Float[Tensor, "1 c h w"]` in [0, 1], what the network draws.
# - `given`: `Float[Tensor, "c h2 w2"]` in [0, 1], the spoilt image: as large as the drawing, or `scale` times smaller.
# - `mask`: `Float[Tensor, "1 h2 w2"]`, 1 where there is a hole and 0 where the image is known; or `None`, where all is known.
# - `scale`: a whole number, how many times the drawing is larger than what is given; 1 for noise and holes.
#   The camera shrinks as `resize` does.
# - returns a tensor without axes: the mean over all values of the squared difference between what is given and what the camera would have made of the drawing, those in the hole set to 0.
#
# Expected run time: under a second.


# %% tags=["exercise"]
def damage_loss(drawn, given, mask, scale):
    ### BEGIN SOLUTION
    seen = resize(drawn, 1 / scale) if scale > 1 else drawn
    difference = seen - given
    if mask is not None:
        difference = (1 - mask) * difference
    return difference.square().mean()
    ### END SOLUTION


# %%
check.damage_loss(damage_loss)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Do to the drawing what was done to the image, and only then compare.
# Nothing has to be undone.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `1 - mask` is 1 where the image is known.
# Multiply the *difference* by it, not the drawing alone.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `resize(drawn, 1 / scale)` is the small camera's picture.
# Leave it alone where `scale` is 1.
# Then the square, then `mean()`; no `item()`, for a gradient has to come through.
#
# </details>

# %% [markdown]
# ## Experiment 4: swap the loss
#
# Now three damages, one network.
# First a hole of your own: paint on the picture with the pointer, or with the sliders and buttons below it, then select the next cell and *Run > Run Selected Cell and All Below*.
# Slanted scratches are there to begin with.

# %%
from dil_teach.notebook import paint

y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
scratches = ((y - x) % (24 * side // 64) < 5 * side // 64)[None].float()
painter = paint(truth, "hole", mask=scratches)

# %% [markdown]
# Striped is what gets lost.
# Then half the resolution, and a JPEG file of quality 10:

# %%
from dil_teach.image.augment import jpeg

hole = painter.mask
low = resize(truth, scale=0.5).clamp(0, 1)
blocky = jpeg(truth, quality=10)
show(
    {"scratched": (1 - hole) * truth, "half as large": low, "JPEG": blocky},
    alt="Three spoilt images: one with black scratches, one half as large, one with "
    "square blocks and false colours",
    zoom=4,
)

# %% [markdown]
# Three tasks that other fields of research solve by three kinds of programs.
# Here the method is the same, and the loss differs: on the known pixels alone; after shrinking; and the plain one, for JPEG's blocks are drawn late as noise is.
# Compare them with your `damage_loss`:

# %%
from dil_teach.image.degradation import downsampled, hide, identity, masked

for degradation in (identity, hide, downsampled):
    show_source(degradation)

# %%
brief_steps = {"quick": 140, "standard": 320, "full": 800}[budget]
brief = replace(
    settings, steps=brief_steps, networks=1, widths=(16, 32, 64, 64), average=0.95
)
for_holes = replace(brief, input_noise=0.4 if budget == "quick" else 0.1)
tasks = {
    "inpainting": DeepImagePrior((1 - hole) * truth, masked(hole), for_holes),
    "super-resolution": DeepImagePrior(low, downsampled(2), for_holes),
    "JPEG": DeepImagePrior(blocky, settings=brief),
}

# %% [markdown]
# (`fit_all` trains several methods side by side, as many at a time as your computer has cores.
# The library lets the noise on the code grow over the first 300 steps, and takes less of it for holes and resolution, where no noise can be memorised. In so few steps as `quick` takes, a larger setting gives as much.)
#
# To train with a loss of your own, set it before training: `tasks["inpainting"].loss = lambda drawn: damage_loss(drawn, (1 - hole) * truth, hole, 1)`.
# Each has its control, which has no network: biharmonic interpolation for the hole [@damelin2018], the smoothest surface that meets its rim; bicubic interpolation; and the JPEG image as it is.

# %%
from dil_teach import fit_all
from dil_teach.classical.inpainting import biharmonic

fit_all(tasks.values())
controls = {
    "inpainting": biharmonic((1 - hole) * truth, hole),
    "super-resolution": resize(low, scale=2).clamp(0, 1),
    "JPEG": blocky,
}
results = {name: task.result() for name, task in tasks.items()}
gains = {}
for name, result in results.items():
    where = hole if name == "inpainting" else torch.ones_like(hole)
    ours, theirs = (psnr_in(where, i, truth) for i in (result, controls[name]))
    gains[name] = ours - theirs
    print(f"{name:17} {ours:6.2f} dB, control {theirs:6.2f} dB")

# %%
panels = {}
for name, result in results.items():
    panels |= {f"{name}: control": controls[name], f"{name}: network": result}
show(
    panels,
    alt="Three pairs, control and network: scratches filled with smears across the "
    "petals, and filled plainly, the outline closed; enlarged softly, and a smooth "
    "disc with a fine lattice; the "
    "JPEG image with its blocks, and a smooth flower without blocks or petals",
    crop=part,
    zoom=3,
)

# %% [markdown]
# One method against its controls:
#
# - **Scratches: the network wins.**
#   Biharmonic interpolation continues brightness smoothly from the rim; the network continues *edges* too, for an outline that goes on is cheaper to draw than one that breaks off.
#   (Where scratches are only two pixels wide, smooth is as good as it gets, and biharmonic interpolation was half a decibel ahead: try it with the brush.)
# - **Scattered holes: it depends on the picture.**
#   At `standard` and 128 pixels (`benchmarks/results/dip_inpaint.json`), with half of the pixels gone, the network is ahead by 1.2 dB on the coffee cup, by half a decibel on the astronaut and the pagoda, by less on this dahlia; and behind by 0.3 dB on the cat.
#   Fur is fine, soft and much the same everywhere, which is what the smoothest surface is made for and what a network draws late (see *Texture* below).
# - **JPEG: the network wins**, without having been told of blocks.
#   They are drawn late, as noise is, though so are the petals, and at this quality both go together: the result is smoother than anyone would like, and nearer to the truth all the same.
# - **Half the resolution: bicubic interpolation wins.**
#   All is known but the finest detail, and the loss leaves that detail open.
#   In so few steps the network has not drawn the petals either, which the small image does show; and it fills in what is open with what comes easily to it, here a fine lattice, which is not what was there.
#   Super-resolution needs to be taught the lesson of chapter 09, what detail *this* image has; here nothing teaches it.
#
# (`result()` for the hole keeps the known pixels exactly and takes the network's word only inside it.)

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "scratches: the network is ahead": gains["inpainting"] > 0,
    "JPEG: it is over 0.3 dB ahead": gains["JPEG"] > 0.3,
    "half the resolution: bicubic is ahead": gains["super-resolution"] < 0,
}
own_hole = not torch.equal(hole.cpu(), scratches)
check_claims(claims, own or own_hole)

# %% [markdown]
# ## When it fails
#
# **Texture.**
# Grass is everywhere similar and nowhere the same.
# (Photograph: linolafett, CC0.)
# To the network it is closer to noise than to a flower, and it says so when it is asked to draw clean grass:

# %%
grass = photo("grass")[:, 200:264, 200:264].to(device())
grass_share = unexplained(grass, 40)[-1]
print(f"Unexplained after 40 steps: {grass_share:.0%} of the grass,", end=" ")
print(f"{shares['photograph'][39]:.0%} of our photograph, ", end="")
print(f"{shares['shuffled'][39]:.0%} of its shuffled pixels.")
noisy_grass = add_noise(grass, 25 / 255, noise_rng).clamp(0, 1)
grass_dip = DeepImagePrior(noisy_grass, settings=brief)

street = photo("facade", size=64).to(device())  # for the failure after this one
wide = torch.zeros(1, 64, 64, device=street.device)
wide[:, 20:44, 20:44] = 1
broken = (1 - wide) * street
mason = DeepImagePrior(broken, masked(wide), for_holes)

# %%
fit_all([grass_dip, mason])
drawn_grass = grass_dip.result()
tv_grass = tv_denoise(noisy_grass, noise_level(noisy_grass))
lawn = {"given": noisy_grass, "total variation": tv_grass}
lawn["deep image prior"] = drawn_grass
show(
    titled(lawn, against=grass) | {"truth": grass},
    alt="Grass given with noise, by total variation, which smears the blades, by Deep "
    "Image Prior, which smears them as well, and in truth",
    zoom=3,
)

# %% [markdown]
# Two decibels, where the photograph gained six, and total variation does as well: blades and specks are drawn in nearly the same steps, so there is hardly a moment at which one is there and the other is not.
# The hump is low, and the best stopping rule gains little there.
#
# **A wide hole.**
# What lies in its middle is far from all that is known.
# (A street front, rendered, which is no photograph: the windows are in rows, and every reader knows what is missing.)

# %%
walls = {"given": broken, "biharmonic": biharmonic(broken, wide)}
walls["deep image prior"] = mason.result()
show(
    walls | {"truth": street},
    alt="A brick front with a black square where windows should be: biharmonic "
    "interpolation paints a pale glow there, Deep Image Prior a dull cloud in the "
    "colours of wall and shutters, without windows; and the truth with its windows",
    zoom=3,
)

# %% [markdown]
# The glow of the smoothest surface is farther off than the cloud in the wall's and the shutters' colours, but neither has built a window.
# The network cannot *copy*: nothing in it says that this window is like that one, only that its filters are the same everywhere.
# Methods that look up patches do copy (chapter 04, planned, is about them).
#
# **Nobody stops it.**
# That was the first curve: at its right end the drawing has the noise back.
# And a stopping rule is needed anew for each kind of damage; the library's holds for denoising, while for holes and resolution, where there is no noise to be learned, it trains to the end of its steps.

# %%
# NBVAL_CHECK_OUTPUT
grass_gain = psnr(drawn_grass, grass) - psnr(noisy_grass, grass)
claims = {
    "grass: over twice as much unexplained as of the photograph": grass_share
    > 2 * shares["photograph"][39],
    "its gain is under 60 percent of the photograph's": grass_gain
    < 0.6 * (score["deep image prior"] - score["given"]),
    "the wide hole is under 20 dB": psnr_in(wide, walls["deep image prior"], street)
    < 20,
}
check_claims(claims, own)

# %% [markdown]
# ## Summary
#
# - An untrained network draws structure before noise.
#   It is no limit of what it can draw, but of how fast; so it must be stopped, and two rules, the calm of the running variance and the distance to the given image, say when without knowing the truth.
# - The reason is sharing: filters that work everywhere learn quickly what comes again everywhere.
#   It is recurrence, built into a network instead of looked up.
# - Another build is another prior: depth carries across holes, skips carry detail and noise, a smooth code draws smooth pictures.
# - The loss alone says what the damage was.
#   One network denoises, fills holes, enlarges and cleans JPEG.
# - Ask the control each time.
#   At white noise non-local means is nearly as good on a small picture, and far faster; fine texture and wide holes are beyond the network and the controls that we tried.
#
# [Chapter 14](14_double_dip_layers.ipynb) lets two such networks draw one image together, and each takes the part that is easier for it.
#
# ## References
