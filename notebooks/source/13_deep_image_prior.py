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
# Here there are no pairs.
# We train a network to reproduce one [degraded](glossary.md#degradation) image, and nothing else.
# During training, the network's output is for a while the image without the degradation.
#
# **After this chapter you can**
#
# - watch an untrained network fit a picture before it fits the noise, and measure how much faster it does so;
# - say what depth, skip connections and the network input each contribute to that preference;
# - stop early without knowing the [ground truth](glossary.md#ground-truth);
# - use the same training for denoising, [inpainting](glossary.md#inpainting) or super-resolution by changing one line, the loss;
# - predict where the method fails: on texture, in a wide hole, and without early stopping.
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
# The [seed](glossary.md#seed) is fixed: if you run the chapter twice on one computer, you get the same pictures, bit for bit.
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
# The noise is white and Gaussian, with a [standard deviation](glossary.md#standard-deviation) of 25 grey levels.
# `truth` is the ground truth: the method never sees it, and it only measures the results.
# Most published experiments with this method use this noise, on larger images.
# Our image is very small, so that all networks can be trained while you read.
# (Small images are harder: the fewer pixels a petal has, the more it looks like noise.)
#
# ## Predict first
#
# Write your answers down; each is tested below.
#
# 1.
#    A network with more weights than the image has values is trained to reproduce this *noisy* image, by least squares.
#    It could reproduce all of it, with the noise.
#    What will its output show first: the flower, the noise, or both at once?
# 2.
#    We shuffle the pixels of the photograph: the same colours, in random places.
#    Will the network learn that picture faster, equally fast, or more slowly?
# 3.
#    The loss ignores the inside of a hole.
#    What will the network's output show there: black, noise, or something that fits?
# 4.
#    [Non-local means](glossary.md#non-local-means) averages pixels whose patches are similar.
#    It has no weights, and takes a fraction of a second.
#    Which denoises better, non-local means or the network?
#
# ## The smallest demo: watch it draw
#
# We first make what must exist before the training loop: the network input $z$, the network, and its optimizer.
# The input is noise that we draw once and then keep; it is the [latent code](glossary.md#latent-code) of the picture.
# The network turns it into a picture.
# Nobody has trained this network before.

# %%
from dil_teach.training.networks import INPUT_CHANNELS, Hourglass, draw_network_input

WIDTHS = 4 * (24,)  # channels at each scale, from the finest
hand_steps = {"quick": 240, "standard": 500, "full": 1500}[budget]
rng = torch.Generator().manual_seed(seed)
z = draw_network_input((height, width), rng).to(truth.device)
network = Hourglass(INPUT_CHANNELS, len(noisy), WIDTHS, 8, rng)
network = network.to(truth.device)
optimizer = torch.optim.Adam(network.parameters(), lr=0.015, fused=True)
losses, drawings = [], []
weights = sum(weight.numel() for weight in network.parameters())
print(f"{weights} weights to draw {noisy.numel()} values")

# %% [markdown]
# The next cell is Deep Image Prior [@ulyanov2018].
# It computes the network's output, compares it with the given image, and takes a step.
# There is no data set, no pair, and no term in the loss that describes images.

# %% tags=["algorithm"]
for _ in range(hand_steps):
    drawn = network(z).sigmoid()
    loss = (drawn - noisy).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if len(losses) % 5 == 0:
        drawings.append((len(losses), drawn.detach()[0]))
print(f"{len(losses)} steps; run this cell again and it carries on.")

# %% [markdown]
# Move the slider to see the output after each number of steps:

# %%
from dil_teach.notebook import scrub

steps = scrub(
    drawings,
    alt="What the network draws after {step} steps: soft blobs at first, then the "
    "flower, clean and a little soft, and at last the flower under coloured grain",
)

# %% [markdown]
# First we see blobs of the right colours, then the outline, then the petals.
# The noise comes last, speck by speck.
# Between the blobs and the specks, the output is *cleaner than the image that the network was trained to reproduce*.
# We now measure the outputs against two images: the given one, and the ground truth.

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
    alt="Two curves against the training step: the PSNR to the given image rises to "
    "the end with small dips, the PSNR to the truth rises, peaks early and then falls",
)

# %% [markdown]
# The loss is the first curve in other units: it falls, apart from short jumps, and shows nothing unusual.
# The similarity to the ground truth has a **maximum**: it rises while the picture forms, and falls while the network fits the noise (question 1).
# The method must stop near that maximum.
# Two questions remain: why does it exist, and how can we find it without the ground truth?

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
# Restoration is commonly written as a search for the picture $x$ that explains the given image $I$ and is likely as an image: $\min_x E(x; I) + R(x)$.
# $E$ is a data term, and $R$ a [prior](glossary.md#prior), which is learned or designed.
# Deep Image Prior searches for the weights $\theta$ of a network instead, and omits the prior:
#
# $$\min_\theta\ E\bigl(f_\theta(z);\, I\bigr),\qquad \hat X = f_\theta(z),$$
#
# with a fixed network input $z$.
# The network is only a parametrization of pictures.
# It is not a *restriction*: with more weights than the image has values, it can represent almost every picture, and in the end it reproduces $I$.
# Its preference shows in *how fast* it reaches different pictures.
#
# **Why structure comes first.**
# A weight of a convolution is used at every pixel.
# Structure needs the same change at many places: an even background, a long edge, a petal that recurs.
# The gradients from these places point in one direction, and add up.
# Noise gives another gradient at each pixel, and most of them cancel.
# The coarse layers in the middle of the network cannot even change one single pixel: each of their values affects 16 x 16 pixels.
# The paper says that the network has a high *impedance* to noise and a low one to signal.
# (This is an observation with a good explanation, not a theorem about photographs.)
#
# It is [recurrence](glossary.md#recurrence) again: the network learns quickly what occurs many times, and slowly what occurs once.
#
# ## Experiment 1: impedance
#
# We measure this impedance [@ulyanov2018, figure 2].
# The same network, with the same initial weights and the same input, learns four targets: the photograph; the photograph with noise, which we have already; the photograph's own pixels in random order; and noise alone.
# To compare them, we divide each loss by the target's variance.
# A value of 1 is the loss of a constant picture, and 0 a perfect fit.

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
# Both orders have *the same pixels*: colours, mean and variance agree, and only the neighbourhoods differ.
# (The targets use another seed than the network input.
# With the same seed, 'random' noise can be a shifted channel of the input, and then the network reproduces it at once: we made this mistake ourselves.)

# %% tags=["algorithm"]
share_steps = {"quick": 90, "standard": 200, "full": 400}[budget]


def unexplained(target, steps=share_steps):
    """The share of the target's variance that is not explained, after each step."""
    again = torch.Generator().manual_seed(seed)
    same_z = draw_network_input(target.shape[1:], again).to(target.device)
    pupil = Hourglass(INPUT_CHANNELS, len(target), WIDTHS, 8, again)
    pupil = pupil.to(target.device)
    adam = torch.optim.Adam(pupil.parameters(), lr=0.015, fused=True)
    left = []
    for _ in range(steps):
        error = (pupil(same_z).sigmoid() - target).square().mean()
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
# The network has almost explained the photograph when it has hardly begun with the shuffled pixels (question 2).
# The noisy photograph shows both: its curve follows that of the photograph until only noise is left, and then falls slowly.
# The bend comes before the best step: after it, the network learns the last details together with the first noise.
#
# All four curves *do* fall: given time, the network reproduces noise as well as anything else.
# Its preference is one of speed, so training must stop in time.

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
# Find them in its source:

# %%
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.notebook import show_source

show_source(DeepImagePrior.train_step)
show_source(DeepImagePrior._update_average)

# %% [markdown]
# - **Noise on the network input**, new at each step and stronger as the training goes on.
#   The network cannot easily memorise which input value belongs to which noisy pixel, because the input always changes a little.
#   In our runs the maximum comes later, and is higher and broader.
# - An **[exponential moving average](glossary.md#exponential-moving-average)** of the outputs.
#   From one step to the next the picture stays the same and the noise in it changes, so the average has less noise.
# - **[Early stopping](glossary.md#early-stopping)** without the ground truth [@wang2023].
#   While the picture forms, the outputs differ from their own moving average, because they improve.
#   While the network learns noise they differ again, because each has other specks.
#   In between they differ least.
#   So we keep the average of the step at which this *moving variance* was smallest, and stop after 100 steps without a new minimum.
#   A second rule stops sooner: it compares the distance between the average and the given image with the strength of the noise, which we *estimate* from that image.
#   An average that is nearer than the noise explains must contain noise.
#   If the average is still much farther away, the minimum is ignored, because the picture is not there yet.
# - With a larger `budget`, **several networks** side by side, each with its own input.
#   Their pictures agree and their errors in the noise do not, so their mean has less noise.
#
# Let $x_t$ be the output of step $t$, and $r$ a small rate.
# The average is $\bar x_t = \bar x_{t-1} + r\,(x_t - \bar x_{t-1})$, and the variance is $v_t = (1 - r)\,\bigl(v_{t-1} + r\, \lVert x_t - \bar x_{t-1} \rVert^2\bigr)$, where the square means the average over all values.
# We divide $v_t$ by the variance of $\bar x_t$ over its own values.
# Otherwise the first steps would give a minimum: the output is then a constant grey, and hardly changes.

# %%
from dataclasses import replace

from dil_teach.notebook import LivePanel

settings = getattr(DeepImagePriorSettings, budget)(seed=seed)
more = max(settings.steps, 380)
narrow = replace(settings, steps=more, widths=(16, 32, 32, 32))  # a small image
dip = DeepImagePrior(noisy, settings=narrow)
panel = LivePanel(alt=f"The moving average of what the network draws of {subject}")
watched = []

# %%
from dil_teach import train

for progress in train(dip, report_every=10):
    variance = progress.losses["variance"]
    watched.append((dip.step, dip.raw(), dip.averaged(), variance))
    if progress.done or dip.step % 100 == 0:
        panel.update(progress, dip.averaged())

# %% [markdown]
# If you press stop during training, nothing is lost: the current step is finished, and the same cell continues.

# %%
answer, stopped, ended = dip.result(), dip.stopped_at, dip.step
rule = "the distance to the given image" if dip.too_near else "the variance"
print(f"Step {ended}: {rule} stopped it. The average of step {stopped} is kept.")

# %% [markdown]
# How good is the step that we kept?
# Now that it is chosen, we may ask the ground truth.
# To see what later steps would have given, we train on, which nobody would do otherwise; the kept answer does not change.

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
hump = {"drawing": (at, raw_score), "moving average": (at, average_score)}
low, high = min(raw_score), max(average_score)
show(
    curves(
        hump | {f"kept: step {stopped}": ((stopped, stopped), (low, high))},
        xlabel="training step",
        ylabel="PSNR against the truth [dB]",
    ),
    alt="Similarity to the truth against the step: the drawing's rises, wobbles and "
    "falls again, the moving average's starts lower and ends higher, smooth; a "
    "line marks the kept step, near that top",
)

# %% [markdown]
# At its best, the average is better than any single output, and its maximum is broad.
# (In the first half it is worse, because it still contains the blobs.)
# The next figures show what the two rules measured.

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
            "moving variance": (at, variances),
            f"kept: step {stopped}": ((stopped, stopped), (0, max(variances))),
        },
        xlabel="training step",
        ylabel="moving variance, as a share",
    ),
    alt="The moving variance against the step: it falls steeply, and then creeps "
    "ever more slowly to the right end; a line marks the kept step",
)

# %% [markdown]
# The variance falls steeply while the picture forms, and then more and more slowly.
# The rule knows where its minimum is only after waiting; within the steps shown here there may be none.

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
# The distance between the ground truth and the given image is that of the noise, 1 in these units.
# An average that is nearer than the limit contains some of the noise.
# (The limit is below 1 because texture makes the estimate too large.)
# On our dahlia this rule stops first; the variance alone would have waited longer, until the average is worse.
# On other photographs and seeds the variance stops first: each rule covers the failures of the other.
# Neither is exact: one looks for *small changes*, the other trusts an estimate.
# We now compare the kept step with the best one, which only the ground truth knows (an [oracle](glossary.md#oracle)):

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
# Write the rule as a function: `stopping_step(variances, patience)`.
#
# - `variances`: `Float[Tensor, "n"]`, the moving variance after each step, beginning with step 1 (squared values of [0, 1]).
# - `patience`: a whole number of steps.
#   Training stops after `patience` steps without a new minimum, and later variances are never known.
# - returns the step, an `int` counted from 1, whose variance was smallest when training stopped or the list ended.
#   A variance that equals the minimum is not a new minimum.
#
# Expected run time: a few milliseconds.


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
# Go through the steps in order and remember one thing: which step had the smallest variance so far.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The current step minus that step is the time waited.
# Each new minimum sets it back to 0.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `break` leaves the loop.
# Return the step that you remembered, not the one at which you left the loop; add 1, because Python counts from 0.
#
# </details>

# %% [markdown]
# ## Experiment 2: who else can do this?
#
# Four denoisers get the same image.
# None of them gets any other information.
# Where a method needs the strength of the noise, we *estimate* it from the image itself, with a filter that responds little to edges [@immerkaer1996].
#
# - **[Total variation](glossary.md#total-variation)** [@rudin1992]: a picture near the given one, in which the sum of differences between neighbouring pixels is small.
# - **Non-local means** [@buades2005]: each pixel becomes the mean of pixels in *similar patches*; this uses recurrence directly.
# - **ZS-N2N** [@mansour2023]: two small images take from each block of 2 x 2 pixels the mean of one diagonal and of the other.
#   They show the same picture with independent noise, and a network of two hidden layers learns to predict one from the other.
#   It can predict the picture, but not the noise [@lehtinen2018].

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
# The difference shows hardly anything of the subject.
# Both halves show the same picture without a shift, because the two diagonals of a block share their centre.
# They differ where detail is finer than a block.
# Their noise is independent.

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
# The network is better than non-local means (question 4), but only by a few tenths of a decibel with the first two seeds; with the third they are equal.
# On small copies of the coffee cup, the pagoda and the astronaut it was ahead by 0.2 to 0.4 dB, and on the cat by 0.6 dB.
# ZS-N2N, with so few steps, comes last or nearly last.
# Non-local means needs a fraction of a second.
# Why is it so good?
# It was designed for white Gaussian noise of one strength; it gets an estimate of that strength; and a flower has many patches that recur.
# The network must learn all of this from one small image.
# Both are much better than total variation, whose prior, flat regions between edges, is weaker.
#
# The advantage of the network is that nobody had to describe the noise for it.
# Experiment 4 gives it other degradations, for which non-local means has no formula.
# It also gains from more pixels and more computing, that is, from larger budgets.
# The script `benchmarks/deep_image_prior.py` measures this on five photographs of 128 x 128 pixels with three seeds.
# At `standard` the mean is 28.5 dB for the network, 27.9 for non-local means, 27.4 for ZS-N2N and 26.7 for total variation.
# On one of the five, this dahlia, non-local means is still a tenth of a decibel better.

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
# Noise does not recur.
# Does a denoised image have the internal statistics of the ground truth?

# %%
from dil_teach import recurrence_score

measured = denoised | {"truth": truth}
del measured["total variation"]  # to keep this short
recurs = {name: recurrence_score(image) for name, image in measured.items()}
for name, value in recurs.items():
    print(f"{name:17}{value:.2f}")

# %% [markdown]
# In the noisy image nothing recurs, and each denoiser restores some recurrence.
# Of the three results, the patches of non-local means recur most, and at this size (`quick`) *more* than those of the ground truth.
# It averages similar patches, which makes them more similar than they were.
# Deep Image Prior is just below the ground truth: it invents little, and still contains some noise, which does not recur.
# The score is not a PSNR; it shows in which *way* a picture is wrong.

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
# ## Experiment 3: depth, skips and the network input
#
# If the prior is the network's architecture, another architecture is another prior.
# To see the prior alone, we leave out pixels: the loss ignores a square and a band, and elsewhere the image has the same noise as before.
# The output inside them depends on the prior only.

# %%
from dil_teach import resize

bias_truth = resize(truth, scale=0.75).clamp(0, 1)
rows, columns = bias_truth.shape[1:]
gap = torch.zeros(1, rows, columns, device=truth.device)
gap[:, 2 * rows // 5 : 2 * rows // 5 + rows // 4, columns // 4 : columns // 2] = 1
gap[:, rows // 8 : rows // 8 + 4] = 1
degraded = add_noise(bias_truth, 25 / 255, noise_rng).clamp(0, 1)
show(
    {"given": (1 - gap) * degraded, "truth": bias_truth},
    alt="A smaller copy with noise, a black square over the middle of it and a black "
    "band near its top; and the truth",
    zoom=4,
)

# %% [markdown]
# The loss ignores the black pixels.
# The network gets one of three inputs: *noise*, as before; *shaken*, the same noise with a small change at each step, as in the library; or *position*, two smooth ramps that give each pixel's row and column.
# It has one scale or four, and at each scale [skip connections](glossary.md#skip-connection) of eight channels or none.

# %% tags=["algorithm"]
from functools import cache

bias_steps = {"quick": 40, "standard": 120, "full": 300}[budget]
ramps = [torch.linspace(-1, 1, n, device=truth.device) for n in (rows, columns)]
position = torch.stack(torch.meshgrid(*ramps, indexing="ij"))[None]


@cache  # each network is trained when its output is first needed
def drawing(depth, skip, kind):
    rng = torch.Generator().manual_seed(seed)
    z = draw_network_input((rows, columns), rng).to(truth.device)
    z = position if kind == "position" else z
    net = Hourglass(z.shape[1], len(degraded), WIDTHS[:depth], skip, rng).to(
        truth.device
    )
    adam = torch.optim.Adam(net.parameters(), lr=0.02, fused=True)
    for _ in range(bias_steps):
        shaking = 0.03 * torch.randn(z.shape, generator=rng).to(z.device)
        drawn = net(z + shaking if kind == "shaken" else z).sigmoid()
        error = ((1 - gap) * (drawn - degraded)).square().mean()
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
        "kind": Choice("Network input", ("noise", "shaken", "position"), "noise"),
    },
    alt="The output of a network of {depth} scale(s) for the input '{kind}', skips: "
    "{skips}; one scale leaves the square dark, four close it; skips bring detail and "
    "noise, the input 'position' neither",
    examples=[dict(zip(("depth", "skips", "kind"), e, strict=True)) for e in static],
)

# %% [markdown]
# Use the controls to find three things:
#
# - **Depth fills gaps.**
#   With one scale and noise as the input, the square stays a dark hole with ragged edges, because the [receptive field](glossary.md#receptive-field) of a pixel in its middle does not reach the rim.
#   With four scales the coarse layers reach everywhere, and the hole is filled (question 3: something that fits).
# - **Skip connections transmit detail, and noise.**
#   Without them all information passes through the coarse layers, which remove petals and noise.
#   With them the petals appear sooner, and so does the noise.
# - **The input sets the texture of the output.**
#   From noise the network reproduces noise easily, because its input already contains noise.
#   From the smooth ramps it makes smooth pictures: no noise, but no petals either, and it fills gaps smoothly.
#   If the noise is shaken, the network cannot rely on it to reproduce the noise of the image.
#
# No architecture is best for everything, just as no prior is.
# The library uses several scales, narrow skip connections and shaken noise.

# %%
rough = {
    (skip, kind): float(drawing(4, skip, kind).diff(dim=2).abs().mean())
    for skip, kind in ((0, "noise"), (8, "noise"), (8, "position"))
}
closed = min(in_gap(4, s, "noise") - in_gap(1, s, "noise") for s in (0, 8))

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "input noise: four scales fill the gaps over 3 dB better": closed > 3,
    "four scales, noise: skips make it rougher": rough[8, "noise"]
    > 1.1 * rough[0, "noise"],
    "skips: position is smoother than noise": rough[8, "position"]
    < 0.9 * rough[8, "noise"],
}
check_claims(claims, own)

# %% [markdown]
# ## Exercise: one loss for three kinds of damage
#
# The loss alone tells the network how the image was degraded.
# Write one loss for three degradations: `damage_loss(drawn, given, mask, scale)`.
#
# - `drawn`: `Float[Tensor, "1 c h w"]` in [0, 1], the network's output.
# - `given`: `Float[Tensor, "c h2 w2"]` in [0, 1], the degraded image: as large as the output, or `scale` times smaller.
# - `mask`: `Float[Tensor, "1 h2 w2"]`, 1 in the hole and 0 where the image is known; or `None` if all of it is known.
# - `scale`: a whole number: how many times larger the output is than the given image; 1 for noise and holes.
#   The camera downscales as `resize` does.
# - returns a tensor without axes.
#   Degrade the output as the camera did, subtract the given image, set the difference to 0 in the hole, and take the mean of its squares over all values.
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
# Do to the output what was done to the image, and then compare.
# You need not undo anything.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `1 - mask` is 1 where the image is known.
# Multiply the *difference* by it, not the output alone.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `resize(drawn, 1 / scale)` downscales the output.
# Skip it if `scale` is 1.
# Then take the square and `mean()`; do not call `item()`, because the gradient must pass.
#
# </details>

# %% [markdown]
# ## Experiment 4: swap the loss
#
# We now restore three kinds of degraded image with one network.
# For the first, paint a hole on the picture with the pointer, or with the sliders and buttons below it; then select the next cell and *Run > Run Selected Cell and All Below*.
# Slanted scratches are already painted.

# %%
from dil_teach.notebook import paint

y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
scratches = ((y - x) % (24 * side // 64) < 5 * side // 64)[None].float()
painter = paint(truth, "hole", mask=scratches)

# %% [markdown]
# The striped pixels are removed.
# The other two images have half the resolution, and JPEG compression of quality 10:

# %%
from dil_teach.image.augment import jpeg

hole = painter.mask
low = resize(truth, scale=0.5).clamp(0, 1)
blocky = jpeg(truth, quality=10)
show(
    {"scratched": (1 - hole) * truth, "half as large": low, "JPEG": blocky},
    alt="Three degraded images: one with black scratches, one half as large, one with "
    "square blocks and false colours",
    zoom=4,
)

# %% [markdown]
# Other fields of research solve these three tasks with three kinds of programs.
# Here only the [degradation](glossary.md#degradation) $d$ in the loss $\lVert d(f_\theta(z)) - I \rVert^2$ differs: hide the hole; downscale; and the identity for JPEG, because the network fits JPEG's blocks late, like noise.
# These are the library's degradations; compare them with your `damage_loss`:

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
# (`fit_all` trains several methods in parallel, one for each core of your computer.
# In the library the noise on the input grows during the first 300 steps, and is weaker for holes and low resolution, where there is no noise to memorise.
# With so few steps as in `quick`, a larger setting gives the same noise.)
#
# To train with a degradation of your own, pass any differentiable function of the output: `DeepImagePrior(image, lambda drawn: 1 - drawn)` restores a negative.
# Each result has a [baseline](glossary.md#baseline) without a network: biharmonic interpolation for the hole [@damelin2018], the smoothest surface that meets its rim; bicubic interpolation; and the JPEG image itself.

# %%
from dil_teach import fit_all
from dil_teach.classical.inpainting import biharmonic

fit_all(tasks.values())
baselines = {
    "inpainting": biharmonic((1 - hole) * truth, hole),
    "super-resolution": resize(low, scale=2).clamp(0, 1),
    "JPEG": blocky,
}
results = {name: task.result() for name, task in tasks.items()}
gains = {}
for name, result in results.items():
    where = hole if name == "inpainting" else torch.ones_like(hole)
    ours, theirs = (psnr_in(where, i, truth) for i in (result, baselines[name]))
    gains[name] = ours - theirs
    print(f"{name:17} {ours:6.2f} dB, baseline {theirs:6.2f} dB")

# %%
panels = {}
for name, result in results.items():
    panels |= {f"{name}: baseline": baselines[name], f"{name}: network": result}
show(
    panels,
    alt="Three pairs, baseline and network: scratches filled with smears across the "
    "petals, and filled plainly, the outline closed; enlarged softly, and a smooth "
    "disc with a fine lattice; the "
    "JPEG image with its blocks, and a smooth flower without blocks or petals",
    crop=part,
    zoom=3,
)

# %% [markdown]
# We compare the method with its baselines:
#
# - **Scratches: the network is better.**
#   Biharmonic interpolation continues the brightness smoothly from the rim.
#   The network also continues *edges*, because it fits a continuous outline faster than a broken one.
#   (Where scratches are only two pixels wide, smoothness is enough, and biharmonic interpolation was half a decibel better: try it with the brush.)
# - **Scattered holes: it depends on the picture.**
#   At `standard` and 128 pixels (`benchmarks/results/dip_inpaint.json`), we removed half of the pixels.
#   The network is better by 1.2 dB on the coffee cup, by half a decibel on the astronaut and the pagoda, and by less on this dahlia; on the cat it is 0.3 dB worse.
#   Fur is fine, soft and similar everywhere: a smooth surface suits it, and the network fits it late (see *Texture* below).
# - **JPEG: the network is better**, although nobody told it about blocks.
#   It fits blocks late, like noise, but petals as well, and at this quality both are lost: the result is too smooth, and still nearer to the ground truth.
# - **Half the resolution: bicubic interpolation is better.**
#   Only the finest detail is unknown, and the loss does not determine it.
#   In so few steps the network has not fitted the petals either, which the small image does show.
#   It fills in a fine lattice, which is easy for it but was not in the picture.
#   Super-resolution needs the lesson of chapter 09, the detail that *this* image has; here the network does not learn it.
#
# (For the hole, `result()` keeps the known pixels exactly and uses the network's output only inside the hole.)

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
# Grass is similar everywhere, but nowhere the same.
# (Photograph: linolafett, CC0.)
# The network learns clean grass more slowly than a flower, almost like noise:

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
# The network gains two decibels, where the photograph gained six, and total variation gains as much.
# It fits blades and noise in nearly the same steps, so there is hardly a step with one but without the other.
# The maximum is low, and even the best stopping rule gains little there.
#
# **A wide hole.**
# The middle of a wide hole is far from all known pixels.
# (This street front is rendered, not photographed: its windows are in rows, and every reader knows what is missing.)

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
# The smooth glow is farther from the ground truth than the cloud in the colours of wall and shutters, but neither shows a window.
# The network cannot *copy*: its filters are the same everywhere, but nothing in it says that one window resembles another.
# Methods that search for patches do copy (chapter 04, planned, is about them).
#
# **No early stopping.**
# The first curve showed it: at its right end the output contains the noise again.
# Each kind of degradation needs its own stopping rule.
# The library's rule is for denoising; for holes and low resolution, where there is no noise to overfit, it takes all of its steps.

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
# - An untrained network fits structure before noise.
#   It can reproduce both, but at different speeds; so training must stop early.
#   Two rules find the step without the ground truth: the moving variance, and the distance to the given image.
# - The reason is weight sharing: filters that are used everywhere quickly learn what occurs everywhere.
#   This is recurrence, built into a network instead of found by search.
# - Another architecture is another prior: depth fills holes, skip connections transmit detail and noise, and a smooth input gives smooth pictures.
# - The loss alone says how the image was degraded.
#   One network denoises, fills holes, enlarges, and cleans JPEG.
# - Always compare with the baseline.
#   With white noise, non-local means is nearly as good on a small picture, and far faster; fine texture and wide holes are too difficult for the network and for the baselines that we tried.
#
# [Chapter 14](14_double_dip_layers.ipynb) lets two such networks reproduce one image together; each takes the part that is easier for it.
#
# ## References
