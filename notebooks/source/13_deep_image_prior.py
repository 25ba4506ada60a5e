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
# ZSSR (chapter [09](09_zssr.ipynb)) learned from pairs that it made from one image.
# Here there are no pairs at all.
# A network is trained to output one [degraded](glossary.md#degradation) image, and nothing else.
# During this training there is a phase in which its output is the image without the degradation.
#
# **After this chapter you can**
#
# - watch an untrained network fit a picture before it fits the noise in it, and measure this preference;
# - say how depth, skip connections and the network input contribute to this preference;
# - [stop early](glossary.md#early-stopping) without knowing the [truth](glossary.md#ground-truth);
# - use the same training for denoising, [inpainting](glossary.md#inpainting) or super-resolution by changing only one line, the loss;
# - predict where it fails: on texture, in a wide hole, and without early stopping.
#
# **What you need**: chapter [09](09_zssr.ipynb), or some experience with a training loop in PyTorch.
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
# The [seed](glossary.md#seed) is fixed: two runs of the chapter on one computer give the same pictures, bit for bit.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, choose a file, then select the cell below the button, and *Run > Run Selected Cell and All Below*.
# Without a file, the chapter uses a dahlia.
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
# The method never sees `truth`; it only scores the results.
# Most experiments with this method use this noise on larger images; ours is very small, so that every training ends while you read.
# (Small images are harder: the fewer pixels a petal has, the more it looks like noise.)
#
# ## Predict first
#
# Write your answers down; each is tested below.
#
# 1. A network with more weights than the image has values is trained by least squares to output this *noisy* image.
#    It can represent all of it, including the noise.
#    What will appear first: the flower, the noise, or both at once?
# 2. The pixels of the photograph are shuffled: the same colours, in random places.
#    Will the network fit that picture faster, equally fast, or more slowly?
# 3. The loss ignores the pixels inside a hole.
#    What will the network output there: black, noise, or something that fits?
# 4. Non-local means averages pixels with similar patches.
#    It has no weights and takes a fraction of a second.
#    Which denoises better, non-local means or the network?
#
# ## The smallest demo: watch it draw
#
# First we make what must persist between runs of the loop: the [network input](glossary.md#latent-code), which is noise that is drawn once and then fixed; the network, which turns this input into a picture; and its optimizer.
# This network has not been trained on anything.

# %%
from dil_teach.training.networks import INPUT_CHANNELS, Hourglass, draw_network_input

WIDTHS = 4 * (24,)  # channels at each scale, from the finest
hand_steps = {"quick": 240, "standard": 500, "full": 1500}[budget]
rng = torch.Generator().manual_seed(seed)
network_input = draw_network_input((height, width), rng).to(truth.device)
network = Hourglass(INPUT_CHANNELS, len(noisy), WIDTHS, 8, rng)
network = network.to(truth.device)
optimizer = torch.optim.Adam(network.parameters(), lr=0.015, fused=True)
losses, drawings = [], []
weights = sum(weight.numel() for weight in network.parameters())
print(f"{weights} weights for {noisy.numel()} values")

# %% [markdown]
# This loop is Deep Image Prior [@ulyanov2018].
# Compute the output, compare it with the given image, and update the weights.
# There is no data set, no pair, and no term in the loss that describes images.

# %% tags=["algorithm"]
for _ in range(hand_steps):
    drawn = network(network_input).sigmoid()
    loss = (drawn - noisy).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if len(losses) % 5 == 0:
        drawings.append((len(losses), drawn.detach()[0]))
print(f"{len(losses)} steps; run this cell again and it continues.")

# %% [markdown]
# Move the slider through its outputs:

# %%
from dil_teach.notebook import scrub

steps = scrub(
    drawings,
    alt="What the network draws after {step} steps: soft blobs at first, then the "
    "flower, clean and a little soft, and at last the flower under coloured grain",
)

# %% [markdown]
# First, blobs in the right colours appear, then the outline, then the petals, and only then the noise, pixel by pixel.
# Between the blobs and the noise, the output is *cleaner than the image on which it is trained*.
# The next figure measures this, against the training target and against the truth:

# %%
from dil_teach.notebook import curves

at = [step for step, _ in drawings]
to_given = [psnr(picture, noisy) for _, picture in drawings]
to_truth = [psnr(picture, truth) for _, picture in drawings]
show(
    curves(
        {"to the given image": (at, to_given), "to the truth": (at, to_truth)},
        xlabel="training step",
        ylabel="PSNR of the output [dB]",
    ),
    alt="Two curves against the training step: the likeness to the given image rises "
    "to the end with small dips, the likeness to the truth rises, peaks early and then "
    "falls",
)

# %% [markdown]
# The loss, which corresponds to the upper curve, falls with short jumps and does not show this phase.
# The similarity to the truth has a **peak**: it rises while the network fits the picture, and falls while it fits the noise (question 1).
# The whole method depends on this peak.
# Two questions remain: why does the peak exist, and how can we find it without the truth?

# %%
# NBVAL_CHECK_OUTPUT
top = max(to_truth)
claims = {
    "at its peak it is over 3 dB above the given image": top > psnr(noisy, truth) + 3,
    "the peak is in the first two thirds": at[to_truth.index(top)] < 2 * at[-1] / 3,
    "at the end over 0.7 dB of it are lost": to_truth[-1] < top - 0.7,
    "the loss has still fallen": losses[-1] < losses[len(losses) // 2],
}
check_claims(claims, own)  # they may not hold for your own photograph

# %% [markdown]
# ## Theory: why this can work
#
# Restoration is commonly written as a search for the picture $x$ that explains the given image $I$ and is likely as an image: $\min_x E(x; I) + R(x)$, with a data term $E$ and a [prior](glossary.md#prior) $R$ that is learned or designed.
# Deep Image Prior searches for the weights $\theta$ of a network instead, and omits $R$:
#
# $$\min_\theta\ E\bigl(f_\theta(z);\, I\bigr),\qquad \hat X = f_\theta(z),$$
#
# with a fixed network input $z$.
# The network is only a parametrization of pictures.
# It does not *restrict* them: with more weights than pixel values it can represent almost any picture, and after long training it does.
# Its preference shows in *how fast* it reaches each picture.
#
# **Why structure comes first.**
# A weight of a convolution is used at all pixels.
# A structure that occurs at many places (a uniform background, a long edge, a petal that recurs) gives similar gradients from all these places, and they add up.
# Noise gives a different gradient at each pixel, and most of these cancel.
# The coarse layers in the middle of the network cannot change a single pixel: one of their values affects 16 x 16 pixels.
# The paper calls this a high *impedance* to noise and a low impedance to signal.
# (This is a well-founded observation, not a theorem about photographs.)
#
# This is [recurrence](glossary.md#recurrence) again: what occurs often is fast to learn, and what occurs once must be memorized.
#
# ## Experiment 1: impedance
#
# Let us measure this [@ulyanov2018, figure 2].
# The same network, with the same initial weights and the same input, is trained on four targets: the photograph; the noisy photograph, as above; the photograph's pixels in random order; and pure noise.
# To make them comparable, we divide each loss by the target's variance: 1 is the loss of a uniform grey, and 0 a perfect fit.

# %%
order = torch.randperm(height * width, generator=noise_rng).to(truth.device)
shuffled = truth.flatten(1)[:, order].reshape_as(truth)
uniform = torch.rand(truth.shape, generator=noise_rng).to(truth.device)
show(
    {"shuffled": shuffled, "noise": uniform},
    alt="A part of two training targets: pixels of the photograph in random order, a "
    "grain in its own colours; and noise of all colours",
    crop=(0, 0, 32, 32),
    zoom=6,
)

# %% [markdown]
# (The figure shows a part of each.)
# The shuffled picture has *the same pixels*: colours, mean and variance agree, and only the neighbourhoods differ.
# (The targets are drawn with another seed than the network input.
# With the same seed, the 'random' noise can be a shifted channel of the network input, and the network fits it at once: a mistake that we made.)

# %% tags=["algorithm"]
share_steps = {"quick": 90, "standard": 200, "full": 400}[budget]


def unexplained(target, steps=share_steps):
    """The unexplained share of the target's variance after each step."""
    again = torch.Generator().manual_seed(seed)
    same_input = draw_network_input(target.shape[1:], again).to(target.device)
    pupil = Hourglass(INPUT_CHANNELS, len(target), WIDTHS, 8, again)
    pupil = pupil.to(target.device)
    adam = torch.optim.Adam(pupil.parameters(), lr=0.015, fused=True)
    left = []
    for _ in range(steps):
        error = (pupil(same_input).sigmoid() - target).square().mean()
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
# The network has almost fitted the photograph when it has hardly begun to fit the shuffled pixels (question 2).
# The curve of the noisy photograph follows that of the photograph until only noise is left, and then falls slowly.
# The bend comes before the peak of the similarity: after the bend, the last detail is learned together with the first noise.
#
# All four curves *do* fall: after enough steps the network fits noise as well.
# The preference is only a matter of speed, so the training must stop at the right time.

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
# The library's step is the loop above with some additions.
# Find them:

# %%
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.notebook import show_source

show_source(DeepImagePrior.train_step)
show_source(DeepImagePrior._update_average)

# %% [markdown]
# - **Noise on the network input**, drawn again at each step and stronger towards the end.
#   The input is never quite the same, so the network cannot easily memorize which input value belongs to which noisy pixel.
#   In our runs the peak comes later, and is higher and broader.
# - **An [exponential moving average](glossary.md#exponential-moving-average)** of the outputs.
#   From one step to the next the picture stays and the noise in it changes, so the average contains less noise.
# - **[Early stopping](glossary.md#early-stopping)** without the truth [@wang2023].
#   While the network fits the picture, its outputs improve, so they differ from their moving average.
#   While it fits the noise, they differ again, because the fitted noise changes.
#   In between they differ least.
#   So the method keeps the average of the step where this *moving variance* is smallest, and stops after 100 steps without a new minimum.
#   A second rule stops earlier if the average is closer to the given image than the noise level, which is *estimated* from that image: such an average must contain noise.
#   As long as the average is much farther away than the noise level, minima of the variance are ignored, because the picture is not fitted yet.
# - With a larger `budget`, **several networks** are trained, each with its own input.
#   They agree on the picture and differ in the noise, so their mean contains less noise.
#
# Let $x_t$ be the output at step $t$ and $r$ a small rate.
# Then the average is $\bar x_t = \bar x_{t-1} + r\,(x_t - \bar x_{t-1})$ and the variance $v_t = (1 - r)\,\bigl(v_{t-1} + r\, \lVert x_t - \bar x_{t-1} \rVert^2\bigr)$, where the square means the mean over all values.
# The rule divides it by the variance of the values of $\bar x_t$.
# Otherwise the first steps, where the output is a nearly constant grey, would have the smallest variance.

# %%
from dataclasses import replace

from dil_teach.notebook import LivePanel

settings = getattr(DeepImagePriorSettings, budget)(seed=seed)
more = max(settings.steps, 380)
narrow = replace(settings, steps=more, widths=(16, 32, 32, 32))  # a small image
dip = DeepImagePrior(noisy, settings=narrow)
panel = LivePanel(alt=f"The moving average of the network's outputs for {subject}")
watched = []

# %%
from dil_teach import train

for progress in train(dip, report_every=10):
    variance = progress.losses["variance"]
    watched.append((dip.step, dip.raw(), dip.averaged(), variance))
    if progress.done or dip.step % 100 == 0:
        panel.update(progress, dip.averaged())

# %% [markdown]
# If you press stop during the training, nothing is lost: the current step is completed, and the same cell continues.

# %%
answer, stopped, ended = dip.result(), dip.stopped_at, dip.step
rule = "the distance to the given image" if dip.too_near else "the variance"
print(f"Step {ended}: {rule} stopped it. The average of step {stopped} is kept.")

# %% [markdown]
# Is the kept step near the peak?
# Now we may use the truth, because the step has already been chosen.
# To see what follows, we train beyond the stop, which is not done in practice; the answer does not change.

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
peaks = {"output": (at, raw_score), "moving average": (at, average_score)}
low, high = min(raw_score), max(average_score)
show(
    curves(
        peaks | {f"kept: step {stopped}": ((stopped, stopped), (low, high))},
        xlabel="training step",
        ylabel="PSNR against the truth [dB]",
    ),
    alt="PSNR against the step: that of the output rises, fluctuates and falls again; "
    "that of the moving average starts lower, is smooth and ends higher; a line "
    "marks the kept step, near this peak",
)

# %% [markdown]
# At its best the average is better than any single output, and its peak is broad.
# (In the first half it lags behind, because it still contains the early blobs.)
# The next figures show what the two rules measured:

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
    alt="The moving variance against the step: it falls steeply, and then more and "
    "more slowly to the right end; a line marks the kept step",
)

# %% [markdown]
# The variance falls steeply while the network fits the picture, and then more and more slowly.
# This rule finds the minimum only after it has waited; within the steps shown here there may be none.

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
# The squared distance of the truth from the given image is the noise variance: 1 in these units.
# An average below the limit has fitted some of the noise.
# (The limit is below 1, because texture makes the noise estimate too large.)
# On our dahlia this rule stops first; the variance alone would have waited until after the peak.
# With other photographs and seeds the variance rule stops first, so each rule corrects the other.
# Neither is exact: one looks for a *stable* output, the other trusts an estimate.
# The loss in PSNR against the best step, which only the truth knows (an [oracle](glossary.md#oracle)):

# %%
# NBVAL_CHECK_OUTPUT
given_away = max(average_score) - psnr(answer, truth)
claims = {
    "the average gains over 4 dB": psnr(answer, truth) > psnr(noisy, truth) + 4,
    "the average beats the best single output": max(average_score) > max(raw_score),
    "the rule gives away under 0.6 dB": given_away < 0.6,
}
check_claims(claims, own)

# %% [markdown]
# ## Exercise: when to stop
#
# Implement the rule: `stopping_step(variances, patience)`.
#
# - `variances`: `Float[Tensor, "n"]`, the moving variance after each step, starting with step 1 (squared values of [0, 1]).
# - `patience`: an integer.
#   The training stops after this number of steps without a new minimum.
#   What would come later is never known.
# - returns the step, an `int` counted from 1, with the smallest variance before the stop, or before the end of the list.
#   A variance that equals the minimum is not a new minimum.
#
# Expected run time: well under a second.


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
# Go through the steps in order, and remember the step with the smallest variance so far.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The waiting time is the difference between the current step and that step.
# A new minimum resets it to 0.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `break` leaves the loop.
# Return the remembered step, not the step at which the loop ended; add 1, because Python counts from 0.
#
# </details>

# %% [markdown]
# ## Experiment 2: who else can do this?
#
# Four denoisers on the same image.
# All get only the image.
# If a method needs the noise level, it gets an *estimate* from the image itself, by a filter that ignores edges [@immerkaer1996].
#
# - **Total variation** [@rudin1992]: a picture close to the given one in which the sum of the differences between neighbouring pixels is small.
# - **Non-local means** [@buades2005]: each pixel becomes a weighted mean of pixels with *similar patches*.
#   This uses recurrence directly.
# - **ZS-N2N** [@mansour2023]: in each block of 2 x 2 pixels, the mean of one diagonal goes into one small image and the mean of the other diagonal into a second.
#   Both show the same picture with independent noise, and a network with two hidden layers learns to predict one from the other.
#   It can predict only the picture, not the noise [@lehtinen2018].

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
# The difference shows almost nothing of the subject.
# Both halves show the same picture at the same position, because the two diagonals of a block have the same centre; they differ where detail is finer than a block.
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
# The network is better than non-local means (question 4), but only slightly: by a few tenths of a decibel with the first two seeds, and equal with the third.
# On the coffee cup, the pagoda and the astronaut at the same size it was better by 0.2 to 0.4 dB, on the cat by 0.6 dB.
# ZS-N2N, with the few steps used here, is last or nearly last.
# Non-local means needs only a fraction of a second.
# Why is it so good?
# It was designed for white Gaussian noise of one strength, it is given an estimate of that strength, and a flower is full of patches that recur.
# The network must learn all of this from one small image.
# Both are much better than total variation, whose assumption, flat regions between edges, describes images less well.
#
# The advantage of the network is that nobody has to tell it what the noise looks like.
# Experiment 4 uses other degradations, for which non-local means has no formula.
# It also gains from more pixels and more computation, as in the larger budgets.
# The script `benchmarks/deep_image_prior.py` measures all four on five photographs of 128 x 128 pixels: at `standard` the network reaches 28.5 dB, non-local means 27.9, ZS-N2N 27.4 and total variation 26.7 (means of five photographs and three seeds).
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
# Does a denoised image have the internal statistics of the truth?

# %%
from dil_teach import recurrence_score

measured = denoised | {"truth": truth}
del measured["total variation"]  # to keep this short
recurs = {name: recurrence_score(image) for name, image in measured.items()}
for name, value in recurs.items():
    print(f"{name:17}{value:.2f}")

# %% [markdown]
# In the noisy image nothing recurs, and each denoiser restores some recurrence.
# The patches of non-local means recur the most of the three results, and at this size (`quick`) *more* than those of the truth.
# It makes patches more similar by averaging them, also where the true patches are only roughly similar.
# Deep Image Prior has slightly less recurrence than the truth: it adds little false similarity, but some noise remains, and noise does not recur.
# These scores are not a PSNR; they show in which *way* a picture is wrong.

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
# If the prior is in the architecture of the network, another architecture is another prior.
# To see this prior alone, we remove pixels: a square and a band that the loss ignores, in addition to the same noise as before.
# What appears there comes only from the network.

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
# The network gets no information about the black pixels.
# It gets one of three inputs: *noise*, as before; the same noise plus *changing* noise that is drawn again at each step, as in the library; or the *position*, two smooth ramps that encode the row and the column of a pixel.
# It has one scale or four, and at each scale [skip connections](glossary.md#skip-connection) of eight channels or none.

# %% tags=["algorithm"]
from functools import cache

bias_steps = {"quick": 40, "standard": 120, "full": 300}[budget]
ramps = [torch.linspace(-1, 1, n, device=truth.device) for n in (rows, columns)]
position = torch.stack(torch.meshgrid(*ramps, indexing="ij"))[None]


@cache  # each is trained only once, when it is first shown
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
        drawn = net(z + shaking if kind == "changing noise" else z).sigmoid()
        error = ((1 - gap) * (drawn - degraded)).square().mean()
        adam.zero_grad()
        error.backward()
        adam.step()
    with torch.no_grad():
        return net(z).sigmoid()[0]


# %%
def psnr_in(region, image, wanted):
    """PSNR of only the pixels in a region, such as a hole."""
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
    ("4", True, "changing noise"),
    ("4", True, "position"),
)

# %%
build_choice = explore(
    render_build,
    {
        "depth": Choice("Scales", ("1", "4"), "4"),
        "skips": Toggle("Skips of eight channels", True),
        "kind": Choice(
            "Network input", ("noise", "changing noise", "position"), "noise"
        ),
    },
    alt="The output of a network of {depth} scale(s) for the input '{kind}', skips: "
    "{skips}; one scale leaves the square dark, four fill it; skips add detail and "
    "grain, the input 'position' neither",
    examples=[dict(zip(("depth", "skips", "kind"), e, strict=True)) for e in static],
)

# %% [markdown]
# Use the controls to see three effects:
#
# - **Depth fills the hole.**
#   With one scale and noise as input, the square remains a dark hole with ragged edges: a pixel in its middle does not see the rim.
#   With four scales, the coarse ones produce values everywhere, and the hole is filled (question 3: something that fits).
# - **Skip connections transmit detail, and noise.**
#   Without them everything must pass through the coarse layers: petals are lost, and so is the grain.
#   With them the petals appear sooner, and so does the noise.
# - **The network input determines the texture.**
#   From noise the network easily produces grain, because the input already contains it.
#   From the smooth ramps it produces smooth pictures, without grain and also without petals, and it fills holes smoothly.
#   With changing noise the network cannot rely on the grain of the input.
#
# There is no best architecture, just as there is no best prior.
# The library uses several scales, narrow skip connections and changing noise.

# %%
rough = {
    (skip, kind): float(drawing(4, skip, kind).diff(dim=2).abs().mean())
    for skip, kind in ((0, "noise"), (8, "noise"), (8, "position"))
}
closed = min(in_gap(4, s, "noise") - in_gap(1, s, "noise") for s in (0, 8))

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "noise as input: four scales fill the gaps over 3 dB better": closed > 3,
    "four scales, noise: skips make it rougher": rough[8, "noise"]
    > 1.1 * rough[0, "noise"],
    "skips: position is smoother than noise": rough[8, "position"]
    < 0.9 * rough[8, "noise"],
}
check_claims(claims, own)

# %% [markdown]
# ## Exercise: one loss for three degradations
#
# Only the loss describes the degradation.
# Write one that describes three degradations: `damage_loss(drawn, given, mask, scale)`.
#
# - `drawn`: `Float[Tensor, "1 c h w"]` in [0, 1], the output of the network.
# - `given`: `Float[Tensor, "c h2 w2"]` in [0, 1], the degraded image: as large as the output, or `scale` times smaller.
# - `mask`: `Float[Tensor, "1 h2 w2"]`, 1 in the hole and 0 where the image is known; or `None` if all of it is known.
# - `scale`: an integer, the size of the output over the size of the given image; 1 for noise and holes.
#   The camera downscales as `resize` does.
# - returns a scalar tensor: the mean over all values of the squared difference between the given image and the degraded output, with the differences in the hole set to 0.
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
# Apply the degradation to the output, and only then compare.
# No step has to be inverted.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `1 - mask` is 1 where the image is known.
# Multiply the *difference* by it, not only the output.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `resize(drawn, 1 / scale)` is the picture that the camera would take.
# Omit it if `scale` is 1.
# Then square, and take `mean()`; do not use `item()`, because the gradient must pass through.
#
# </details>

# %% [markdown]
# ## Experiment 4: change the loss
#
# Now one network restores three degradations.
# First, paint your own hole on the picture, with the pointer or with the sliders and buttons below it.
# Then select the next cell and *Run > Run Selected Cell and All Below*.
# Slanted scratches are painted initially.

# %%
from dil_teach.notebook import paint

y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
scratches = ((y - x) % (24 * side // 64) < 5 * side // 64)[None].float()
painter = paint(truth, "hole", mask=scratches)

# %% [markdown]
# The striped pixels are removed.
# The other two degradations are half the resolution, and JPEG at quality 10:

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
# Usually these three tasks need three different programs.
# Here the method is the same, and only the loss differs: for the hole, it uses only the known pixels; for the resolution, it compares after downscaling; for JPEG, it is the plain loss, because the network fits JPEG's blocks as late as noise.
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
# (`fit_all` trains several methods in parallel, as many as your computer has cores.
# In the library, the noise on the network input grows over the first 300 steps.
# For holes and resolution it is weaker, because there is no noise to memorize.
# With the few steps of `quick`, a larger value gives the same result.)
#
# To train with a loss of your own, set it before training: `tasks["inpainting"].loss = lambda drawn: damage_loss(drawn, (1 - hole) * truth, hole, 1)`.
# Each has a control without a network: biharmonic interpolation for the hole [@damelin2018], the smoothest surface that continues its rim; bicubic interpolation; and the JPEG image itself.

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
# Compare the method with its controls:
#
# - **Scratches: the network is better.**
#   Biharmonic interpolation continues the brightness smoothly from the rim.
#   The network also continues *edges*, because a continuous outline is easier to fit than a broken one.
#   (For scratches that are only two pixels wide, a smooth surface is sufficient, and biharmonic interpolation was half a decibel better: try it with the brush.)
# - **Scattered holes: it depends on the picture.**
#   At `standard` and 128 pixels (`benchmarks/results/dip_inpaint.json`), with half of the pixels missing, the network is better by 1.2 dB on the coffee cup, by half a decibel on the astronaut and the pagoda, and by less on this dahlia; it is worse by 0.3 dB on the cat.
#   Fur is fine, soft and similar everywhere.
#   The smoothest surface suits it well, and a network fits it late (see *Texture* below).
# - **JPEG: the network is better**, although it has no information about blocks.
#   It fits them late, like noise.
#   But it fits the petals late too, and at this quality both are lost together: the result is very smooth, but closer to the truth.
# - **Half the resolution: bicubic interpolation is better.**
#   Everything is known except the finest detail, and the loss does not determine that detail.
#   With so few steps the network has not fitted the petals either, although the small image shows them.
#   It fills in the missing detail with what is easy for it, here a fine lattice, which is wrong.
#   For super-resolution a network must learn which detail *this* image has, as in chapter 09; here nothing teaches it.
#
# (`result()` for the hole keeps the known pixels exactly and uses the network only inside the hole.)

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
# All parts of grass are similar, but no two are the same.
# (Photograph: linolafett, CC0.)
# For the network it is closer to noise than to a flower, as the training on clean grass shows:

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
# The gain is two decibels, compared with six for the photograph, and total variation gains as much.
# The network fits blades and noise in almost the same steps, so there is hardly a step where one is present and the other is not.
# The peak is low, and even the best stopping rule gains little.
#
# **A wide hole.**
# The middle of the hole is far from all known pixels.
# (The house front is rendered, not photographed.
# The windows are in rows, so every reader knows what is missing.)

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
# The glow of the smoothest surface is farther from the truth than the cloud in the colours of wall and shutters, but neither result shows a window.
# The network cannot *copy*: it has no way to know that this window looks like that one; only its filters are the same everywhere.
# Methods that search for patches do copy (chapter 04, planned).
#
# **Without early stopping.**
# The first curve showed this: at its right end the output contains the noise again ([overfitting](glossary.md#overfitting)).
# Each degradation also needs its own stopping rule.
# The library's rule is for denoising.
# For holes and resolution there is no noise to fit, so the training uses all its steps.

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
#   This is a limit of speed, not of what it can represent.
#   So the training must stop early.
#   Two rules find the step without the truth: the minimum of the moving variance, and the distance to the given image.
# - The reason is weight sharing: filters that are used everywhere quickly learn what occurs everywhere.
#   It is recurrence, built into a network instead of searched for.
# - Another architecture is another prior: depth fills holes, skip connections transmit detail and noise, a smooth network input gives smooth pictures.
# - Only the loss describes the degradation.
#   The same network denoises, fills holes, upscales and removes JPEG artefacts.
# - Always compare with a control.
#   For white noise on a small picture, non-local means is almost as good and far faster; fine texture and wide holes are too difficult for the network and for the controls that we tried.
#
# [Chapter 14](14_double_dip_layers.ipynb) trains two such networks on one image, and each fits the part that is easier for it.
#
# ## References
