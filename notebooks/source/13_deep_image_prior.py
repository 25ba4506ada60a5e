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
# ZSSR (chapter [09](09_zssr.ipynb)) learned from training pairs that it cut out of one image.
# In this chapter there are no training pairs.
# We train a network only to reproduce one [degraded](glossary.md#degradation) image.
# For some time during training, the network's output shows the image without the degradation.
#
# **After this chapter you can**
#
# - watch an untrained network fit a picture before it fits the noise, and measure the difference in speed;
# - say what depth, skip connections and the network input each contribute to the network's preference for structure;
# - stop early without knowing the [ground truth](glossary.md#ground-truth);
# - use the same training for denoising, [inpainting](glossary.md#inpainting) or super-resolution by changing one line, the loss;
# - predict where the method fails: on texture, in a wide hole, and without early stopping.
#
# **What you need**: chapter [09](09_zssr.ipynb), or having seen a training loop in PyTorch.
# You need no GPU.
# Reading takes 40 minutes, and computing takes about 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 45, "standard": 150, "full": 900})

# %% [markdown]
# `budget` changes sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is fixed: if you run the chapter twice on one computer, you get the same pictures, bit for bit.
#
# ## A picture emerges from noise
#
# First, a result that was computed beforehand (`data/opening_deep_image_prior.py`): one untrained network is trained to reproduce a noisy photograph of 256 x 256 pixels, and nothing else.
# The animation shows the network's output during the training.

# %%
from dil_teach.course.openings import show_opening

opening = show_opening(
    "deep_image_prior",
    {
        "given": "An orange dahlia, covered with coloured noise",
        "output, early": "A blurred pale disc on a dark ground",
        "result": "The dahlia with its petals, almost without noise",
        "output, too late": "The dahlia with its petals, and noise again",
        "BM3D": "The dahlia with sharp petals, without noise",
        "ground truth": "The dahlia as it was photographed",
    },
)

# %% [markdown]
# The picture emerges first, and the noise emerges last.
# In between, the output is cleaner than the image that the network was trained to reproduce.
# The result is the one that the method's own stopping rule chose, without the ground truth.
# BM3D (chapter [03](03_denoising_with_patches.ipynb)) is a decibel better, and needs three seconds instead of two minutes.
# So the question of this chapter is not which denoiser is best, but why a network that has seen no other image denoises at all.
#
# The same training fills holes.
# The letters of a text hide a fifth of this photograph, and the loss ignores the hidden pixels (`data/opening_inpainting.py`):

# %%
letters = show_opening(
    "inpainting",
    {
        "given": "A face and a space suit under lines of thick white letters",
        "biharmonic interpolation": "No letters, but ragged outlines of the collar",
        "Deep Image Prior": "No letters; smoother outlines, slightly flat skin",
        "ground truth": "The face and the suit as they were photographed",
    },
)

# %% [markdown]
# In the hidden pixels, the network is half a decibel better than biharmonic interpolation, which learns nothing: it continues the outlines of the hair and of the collar with fewer breaks.
# Both lose detail in the eyes.
# Experiment 4 repeats this on a small picture.
#
# ## A photograph: ours, or yours
#
# Choose a photograph of your own, then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# If you choose no photograph, the chapter uses a dahlia.
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
height, width = (n - n % 2 for n in photograph.shape[1:])  # even
truth = photograph[:, :height, :width].to(device())
noise_rng = torch.Generator().manual_seed(1000 + seed)
noisy = add_noise(truth, 25 / 255, noise_rng).clamp(0, 1)
clipped_sigma = float((noisy - truth).square().mean().sqrt())
print(f"Noise after clipping: {255 * clipped_sigma:.1f} grey levels")
subject = "the photograph you chose" if own else "an orange dahlia, dark leaves behind"


# %%
def titled(pictures, against=None):
    """Give each picture a title: its name and its PSNR over all channels."""
    wanted = truth if against is None else against
    scores = {name: f"{psnr(p, wanted):.2f} dB" for name, p in pictures.items()}
    return {f"{name}\n{scores[name]}": p for name, p in pictures.items()}


show(
    titled({"given": noisy}) | {"truth": truth},
    alt=f"Two pictures of {subject}: the given one, covered with coloured noise, and "
    "the ground truth, which is smooth between its edges",
)

# %% [markdown]
# The noise is white and Gaussian, with a [standard deviation](glossary.md#standard-deviation) of 25 grey levels.
# Then all values are clipped to the range of a file, 0 to 255.
# Clipping removes a part of the noise in dark and in bright places, so the noise that remains has a standard deviation of about 23 grey levels here.
# `truth` is the ground truth: we only use it to measure the results, and the method never sees it.
# Our image is very small, so that all networks can be trained while you read.
# (Small images are harder: the fewer pixels a petal has, the more it looks like noise.)
#
# ## Predict first
#
# Write your answers down; this chapter tests each of them.
#
# 1.
#    We train a network to reproduce this *noisy* image, by least squares.
#    The network has more weights than the image has values, so it could reproduce the whole image, including the noise.
#    What will the network's output show first: the flower, the noise, or both at once?
# 2.
#    We shuffle the pixels of the photograph: the colours stay the same, but their positions become random.
#    Will the network learn the shuffled picture faster than the photograph, equally fast, or more slowly?
# 3.
#    An image has a hole, and the loss ignores the pixels in the hole.
#    What will the network's output show in the hole: black, noise, or something that fits?
# 4.
#    [Non-local means](glossary.md#non-local-means) averages pixels whose patches are similar; [BM3D](glossary.md#collaborative-filtering) filters stacks of similar patches together.
#    Both have no trainable weights, and take less than a second.
#    Order the three methods: which one denoises best, and which one worst?
#
# ## The smallest demo: watch it draw
#
# Before the training loop we create the network input $z$, the network, and its optimizer.
# The network input is noise that we sample once and keep fixed; it is the [latent code](glossary.md#latent-code) of the picture.
# The network turns this input into a picture.
# Nobody has trained this network before.
# (Meanwhile, a second thread trains another network, ZS-N2N, for experiment 2.)

# %%
from concurrent.futures import ThreadPoolExecutor

from dil_teach import fit
from dil_teach.deep.zs_n2n import ZSN2N, ZSN2NSettings

zs_steps = {"quick": 120, "standard": 1000, "full": 3000}[budget]
zs_n2n = ZSN2N(noisy, ZSN2NSettings(steps=zs_steps, seed=seed))
zs_training = ThreadPoolExecutor(1).submit(fit, zs_n2n)

# %%
from dil_teach.training.adam import Adam
from dil_teach.training.networks import INPUT_CHANNELS, Hourglass, draw_network_input

WIDTHS = 4 * (24,)  # channels at each scale, the finest scale first
hand_steps = {"quick": 180, "standard": 500, "full": 1500}[budget]
rng = torch.Generator().manual_seed(seed)
z = draw_network_input((height, width), rng).to(truth.device)
network = Hourglass(INPUT_CHANNELS, len(noisy), WIDTHS, 8, rng)
network = network.to(truth.device)
optimizer = Adam(network.parameters(), lr=0.015)
losses, drawings = [], []
weights = sum(weight.numel() for weight in network.parameters())
print(f"The network has {weights} weights for {noisy.numel()} output values.")

# %% [markdown]
# The next cell is Deep Image Prior [@ulyanov2018].
# The cell computes the network's output, compares this output with the given image, and updates the weights.
# There is no data set and no training pair, and no term of the loss describes images.

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
print(f"Trained for {len(losses)} steps; run this cell again to continue.")

# %% [markdown]
# Move the slider to see the output after each number of steps:

# %%
from dil_teach.notebook import scrub

steps = scrub(
    drawings,
    alt="The network's output after {step} steps: soft blobs at first, then the "
    "flower, clean and slightly soft, and at last the flower with coloured noise",
)

# %% [markdown]
# First we see blobs of the right colours, then the outline of the flower, then its petals, and last the noise.
# We now compare the outputs with two images: the given image and the ground truth.

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
    alt="Two curves against the training step: the PSNR to the given image rises until "
    "the end, with small dips; the PSNR to the truth peaks earlier, then falls",
)

# %% [markdown]
# The first curve, the PSNR to the *given image*, is the loss in other units: it is $-10 \log_{10}$ of the loss, so it rises while the loss falls.
# The second curve, the PSNR to the *ground truth*, has a **maximum**: it rises while the picture forms, and falls while the network fits the noise (question 1).
# We want to stop near the maximum of the second curve.
# But during training we can compute only the first curve, and nothing marks this step on it.
# Two questions remain: why does the second curve have a maximum, and how can we find it without the ground truth?

# %%
# NBVAL_CHECK_OUTPUT
top = max(to_truth)
claims = {
    "the best output is over 3 dB better than the given image": top
    > psnr(noisy, truth) + 3,
    "the best output is not in the last tenth of the steps": at[to_truth.index(top)]
    < 0.9 * at[-1],
    "the last output is over 0.3 dB worse than the best": to_truth[-1] < top - 0.3,
    "the loss still falls in the second half": losses[-1] < losses[len(losses) // 2],
}
check_claims(claims, own)  # they may not hold for your own photograph

# %% [markdown]
# ## Theory: why this can work
#
# Restoration is often written as a minimisation: $\min_x E(x; I) + R(x)$.
# The data term $E$ is small if the picture $x$ explains the given image $I$.
# $R$ is a learned or designed [prior](glossary.md#prior); it is small if $x$ is a likely image.
# Deep Image Prior optimises the weights $\theta$ of a network instead of $x$, and it omits $R$:
#
# $$\min_\theta\ E\bigl(f_\theta(z);\, I\bigr),\qquad \hat X = f_\theta(z).$$
#
# The network input $z$ is fixed, and the network is only a parametrization of pictures.
# It does not *restrict* them: it has more weights than the image has values, so it can represent almost every picture, and reproduces $I$ after enough steps.
# But training reaches some pictures *faster* than others, and this difference in speed is the network's preference.
#
# **Why structure comes first.**
# A convolution uses the same weights at every pixel.
# Structure needs the same change at many positions; examples are an even background, a long edge, or a petal that recurs.
# The gradients from all positions of a structure point in one direction and add up.
# Noise gives a different gradient at each pixel, and most of these gradients cancel.
# The coarse layers in the middle of the network cannot change one pixel alone: each of their values affects at least 16 x 16 pixels.
# The paper says that the network has a high *impedance* (resistance) to noise and a low impedance to signal.
#
# **What theory and later work add.**
#
# - **[Spectral bias](glossary.md#spectral-bias).**
#   The network fits low spatial frequencies earlier than high ones [@shi2022].
#   A photograph has most of its variance in low frequencies, and white noise has the same variance in all frequencies.
# - **Fixed upsampling is enough.**
#   The deep decoder [@heckel2019] has only fixed upsampling and 1 x 1 convolutions, and fewer weights than the image has values.
#   It cannot represent much noise, so it needs no early stopping.
# - **A proof for a small network.**
#   @heckel2020 prove for a generator with two layers that gradient descent fits the structured part of an image faster than noise, and that early stopping therefore denoises.
#   The cause in their proof is the fixed filter of the upsampling.
#   Our networks are deeper and are trained with Adam, so the theorem does not cover them.
# - **A Gaussian process.**
#   With infinitely many channels, the output of an untrained network is a Gaussian process whose covariance depends only on the offset between two pixels [@cheng2019].
#   The same authors train with Langevin dynamics: each update adds noise to the weights, and the result is the mean of many outputs.
#   No stopping rule is needed, because this mean does not overfit.
#
# Smoothness and [recurrence](glossary.md#recurrence) are two explanations, and natural structure has both properties.
# The proof is about smoothness; the mini-project at the end separates the two.
#
# ## Experiment 1: impedance
#
# We measure the impedance of a network to different targets [@ulyanov2018, figure 2].
# We train the same network, with the same initial weights and the same input, on three more targets: the photograph, its own pixels in random order, and noise alone.
# The demo has already trained this network on a fourth target, the photograph with noise.
# To compare the targets, we divide each loss by the target's variance.
# After this division, the loss is 1 for a constant picture and 0 for a perfect fit.

# %%
order = torch.randperm(height * width, generator=noise_rng).to(truth.device)
shuffled = truth.flatten(1)[:, order].reshape_as(truth)
uniform = torch.rand(truth.shape, generator=noise_rng).to(truth.device)
show(
    {"shuffled": shuffled, "noise": uniform},
    alt="Parts of two target pictures: the photograph's pixels in random order, which "
    "look like noise in the photograph's colours; and noise of all colours",
    crop=(0, 0, 32, 32),
)

# %% [markdown]
# (The figure shows a part of each target.)
# The photograph and its shuffled copy have *the same pixels*: colours, mean and variance agree, and only the neighbours of each pixel differ.
# (The targets use a different seed from the network input.
# With the same seed, the noise target can be a shifted copy of an input channel, and the network reproduces such a target at once.
# We made this mistake ourselves.)

# %% tags=["algorithm"]
share_steps = {"quick": 46, "standard": 200, "full": 400}[budget]


def unexplained(target, steps=share_steps):
    """Return the unexplained fraction of the target's variance after each step."""
    again = torch.Generator().manual_seed(seed)
    same_z = draw_network_input(target.shape[1:], again).to(target.device)
    pupil = Hourglass(INPUT_CHANNELS, len(target), WIDTHS, 8, again)
    pupil = pupil.to(target.device)
    adam = Adam(pupil.parameters(), lr=0.015)
    left = []
    for _ in range(steps):
        error = (pupil(same_z).sigmoid() - target).square().mean()
        adam.zero_grad()
        error.backward()
        adam.step()
        left.append(error.item() / float(target.var(dim=(1, 2)).mean()))
    return left


# %%
from os import cpu_count

grass = photo("grass")[:, 200:264, 200:264].to(device())  # for 'When it fails'
targets = {"photograph": truth, "shuffled": shuffled, "noise": uniform}
targets["grass"] = grass
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    found = pool.map(unexplained, targets.values())
shares = dict(zip(targets, found, strict=True))
of_grass = shares.pop("grass")

# %%
with_noise = [x / float(noisy.var(dim=(1, 2)).mean()) for x in losses[:share_steps]]
all_shares = shares | {"photograph and noise": with_noise}
show(
    curves(
        {name: (range(1, len(s) + 1), s) for name, s in all_shares.items()},
        xlabel="training step",
        ylabel="unexplained fraction of variance",
    ),
    alt="Four falling curves: the curve of the photograph falls steeply to nearly "
    "zero; the curve of the noisy photograph follows it and flattens at 0.1; the "
    "curves of shuffled pixels and of noise fall slowly, and late",
)

# %% [markdown]
# At step 40, the network has reproduced the photograph almost completely, but less than half of the variance of the shuffled pixels (question 2).
# The curve of the noisy photograph first follows the curve of the clean photograph.
# When only noise is left to learn, the curve of the noisy photograph falls slowly.
# This curve bends before the best step, because the network learns the last details together with the first noise.
#
# All four curves *do* fall: after enough steps the network reproduces noise, too, so training must stop in time.

# %%
# NBVAL_CHECK_OUTPUT
early = {name: share[39] for name, share in all_shares.items()}
claims = {
    "photograph: at step 40, under 1/5 of the variance is unexplained": early[
        "photograph"
    ]
    < 0.2,
    "shuffled: at step 40, over 1/2 of the variance is unexplained": early["shuffled"]
    > 0.5,
    "noise: at step 40, over 1/2 of the variance is unexplained": early["noise"] > 0.5,
    "noise: at the end, less is unexplained than at step 40": shares["noise"][-1]
    < early["noise"] - 0.05,
}
check_claims(claims, own)

# %% [markdown]
# ## The method in the library
#
# The library's training step is the loop of the demo with some additions.
# Find the additions in the source:

# %%
from dil_teach.deep.deep_image_prior import DeepImagePrior, DeepImagePriorSettings
from dil_teach.notebook import show_source

show_source(DeepImagePrior.train_step)
show_source(DeepImagePrior._update_average)

# %% [markdown]
# - **Noise on the network input**: this noise is new at each step and becomes stronger during the training.
#   The network cannot easily memorise which input value belongs to which noisy pixel, because the input always changes a little.
#   In our runs, this noise makes the maximum of the PSNR later, higher and broader.
# - An **[exponential moving average](glossary.md#exponential-moving-average)** of the outputs.
#   From output to output the picture stays the same and the noise changes, so the average has less noise.
# - **[Early stopping](glossary.md#early-stopping)** without the ground truth [@wang2023].
#   While the picture forms, the outputs differ from their own moving average, because the outputs improve.
#   While the network learns noise, they differ from it again, because each output has different noise.
#   The *moving variance* measures this difference; it is smallest when the picture has formed and the noise has not.
#   So we keep the average of the step with the smallest moving variance, and stop after 100 steps without a new minimum.
# - The **[discrepancy principle](glossary.md#discrepancy-principle)** [@morozov1966] is a second stopping rule.
#   A good answer differs from the given image by the noise, neither more nor less.
#   If the distance is smaller than the noise, the average must contain noise, and training stops.
#   If the distance is much larger than the noise, the picture is not complete, so we ignore a minimum of the variance.
#   This rule needs the strength of the noise, which we *estimate* from the given image.
# - A **guard against jumps** undoes an update after which the gradient is suddenly four times longer than usual.
#   Without this guard, one such update cost 6 dB on a photograph of 256 x 256 pixels.
# - With a larger `budget`, we train **several networks** in parallel, each with its own input.
#   Their outputs agree in the picture and differ in the noise, so the mean has less noise.
#
# Let $x_t$ be the output of step $t$, and $r$ a small rate.
# The moving average is $\bar x_t = \bar x_{t-1} + r\,(x_t - \bar x_{t-1})$.
# The moving variance is $v_t = (1 - r)\,\bigl(v_{t-1} + r\, \lVert x_t - \bar x_{t-1} \rVert^2\bigr)$, where $\lVert \cdot \rVert^2$ means the average of the squares of all values.
# We divide $v_t$ by the variance of the values of $\bar x_t$.
# Without this division, the minimum of $v_t$ would be in the first steps, where the output is a constant grey and hardly changes.

# %%
from dataclasses import replace

from dil_teach.notebook import LivePanel

settings = getattr(DeepImagePriorSettings, budget)(seed=seed)
more = max(settings.steps, 380)
narrow = replace(settings, steps=more, widths=(16, 32, 32, 32))  # a small image
dip = DeepImagePrior(noisy, settings=narrow)
panel = LivePanel(alt=f"The moving average of the network's outputs for {subject}")
watched = []

# %% [markdown]
# While you train the network for denoising, a second thread trains four more networks for the end of the chapter.
# They get a JPEG image and a small image (experiment 4), a street front with a wide hole, and noisy grass (*When it fails*).

# %%
from dil_teach import resize
from dil_teach.image.augment import jpeg
from dil_teach.image.degradation import downsampled, masked

brief_steps = {"quick": 80, "standard": 320, "full": 800}[budget]
widths = (16, 16, 32, 32) if budget == "quick" else (16, 32, 64, 64)
brief = replace(settings, steps=brief_steps, networks=1, widths=widths, average=0.95)
hole_steps = 120 if budget == "quick" else brief_steps
for_holes = replace(
    brief, steps=hole_steps, input_noise=0.4 if budget == "quick" else 0.1
)

# %%
blocky, half = jpeg(truth, quality=10), resize(truth, scale=0.5).clamp(0, 1)
without_blocks = DeepImagePrior(blocky, settings=brief)
enlarging = replace(brief, steps=1000)  # super-resolution has its own stopping rule
enlarger = DeepImagePrior(half, downsampled(2), enlarging)
street = photo("facade", size=64).to(device())
wide = torch.zeros(1, 64, 64, device=street.device)
wide[:, 20:44, 20:44] = 1
broken = (1 - wide) * street
mason = DeepImagePrior(broken, masked(wide), for_holes)
grass_rng = torch.Generator().manual_seed(2000 + seed)
noisy_grass = add_noise(grass, 25 / 255, grass_rng).clamp(0, 1)
grass_dip = DeepImagePrior(noisy_grass, settings=brief)

# %%
from dil_teach import train

others = mason, without_blocks, grass_dip, enlarger
second_thread = ThreadPoolExecutor(1)
waiting = [second_thread.submit(fit, other) for other in others]
for progress in train(dip, report_every=10):
    variance = progress.losses["variance"]
    watched.append((dip.step, dip.raw(), dip.averaged(), variance))
    if progress.done or dip.step % 200 == 0:
        panel.update(progress, dip.averaged())

# %% [markdown]
# If you press stop during training, nothing is lost: the current step is finished.
# Run the same cell again to continue the training.

# %%
answer, stopped, ended = dip.result(), dip.stopped_at, dip.step
waited = ended - stopped >= dip.settings.patience
rule = "The variance rule" if waited else "Neither rule"
rule = "The discrepancy principle" if dip.too_near else rule
print(f"{rule} ended the training; the last step was {ended} of {more}.")
print(f"We keep the average of step {stopped}.")

# %% [markdown]
# How good is the step that we kept?
# Now that the step is chosen, we may compare its average with the ground truth.
# We continue the training for a few more steps, only to see the later steps; the kept answer does not change.

# %%
later = {"quick": 20, "standard": 100, "full": 100}[budget]
while dip.step < min(ended + later, dip.total_steps):
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
hump = {"output": (at, raw_score), "moving average": (at, average_score)}
low, high = min(raw_score), max(average_score)
show(
    curves(
        hump | {f"kept: step {stopped}": ((stopped, stopped), (low, high))},
        xlabel="training step",
        ylabel="PSNR against the truth [dB]",
    ),
    alt="PSNR against the truth over the steps: the output's curve rises, fluctuates "
    "and falls; the curve of the moving average is smooth, starts lower and ends "
    "higher; a line marks the kept step, near the maximum of the average",
)

# %% [markdown]
# At its best step, the moving average is better than any single output, and the maximum of its curve is broad.
# (In the first half of the steps the average is worse than the output, because the average still contains the early blobs.)
#
# ## Exercise: when to stop
#
# Write the variance rule as a function: `stopping_step(variances, patience)`.
#
# - `variances`: `Float[Tensor, "n"]`, the moving variance after each step, beginning with step 1 (in squares of pixel values, which are in [0, 1]).
# - `patience`: a whole number of steps.
#   Training stops after `patience` steps without a new minimum, so your function must ignore later variances.
# - Returns an `int`: the step with the smallest variance before training stops or the list ends.
#   The steps are counted from 1.
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
# Go through the steps in order and remember only the step that had the smallest variance so far.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# The waiting time is the current step minus the step of the minimum.
# Each new minimum sets the waiting time back to 0.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `break` leaves the loop.
# Return the remembered step, not the step at which you left the loop; add 1, because Python counts from 0.
#
# </details>

# %% [markdown]
# The next figure uses your function if it passed the check, and the library's function otherwise.
# We have the moving variance of every tenth step, so a patience of 100 steps is 10 values.

# %%
solved = check.stopping_step(stopping_step).state == "passed"
by_hand = stopping_step if solved else check.stopping_step.reference
variances = torch.tensor([variance for *_, variance in seen])
by_variance = at[by_hand(variances, 10) - 1]

# %%
show(
    curves(
        {
            "moving variance": (at, variances),
            f"variance rule: step {by_variance}": (2 * (by_variance,), (0, 0.1)),
            f"kept: step {stopped}": ((stopped, stopped), (0, 0.1)),
        },
        xlabel="training step",
        ylabel="moving variance / variance",
    ),
    alt="The moving variance against the training step: the curve falls steeply, and "
    "then more and more slowly; one line marks the step of the variance rule, and "
    "another line the kept step",
)

# %% [markdown]
# The moving variance falls steeply while the picture forms, and then more and more slowly.
# In this run it has no minimum: it still falls after the best step, although the explanation above predicts that it rises.
# The variance rule alone keeps the smallest value that it has seen.
# The library combined it with the discrepancy principle, which the next figure shows.

# %%
from dil_teach.deep.deep_image_prior import TOO_NEAR
from dil_teach.image.metrics import noise_level

sigma = noise_level(noisy)
misses = [(average - noisy).square().mean().item() for _, _, average, _ in seen]
distances = [miss / sigma**2 for miss in misses]

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
    alt="The average's squared distance from the given image, divided by the "
    "estimated noise variance: the curve falls below the limit of 0.85; a line marks "
    "the kept step, near the crossing",
)

# %% [markdown]
# In these units, the distance between the ground truth and the given image is 1.
# If the distance of the moving average is below the limit, the average contains some of the noise.
# (The limit is below 1 because texture makes the noise estimate too large.)
# On our dahlia the discrepancy principle stops first; the variance rule alone would stop later, when the average is already worse.
# (The variance has no minimum in this run, so the variance rule has not stopped yet: its line is only the end of our list.)
# In our benchmark of 15 runs with up to 560 steps, the discrepancy principle ended three runs, the limit of steps twelve, and the variance rule none.
# So these runs do not show that both rules are needed.
# We now compare the kept step with the best step, which an [oracle](glossary.md#oracle) finds with the ground truth:

# %%
# NBVAL_CHECK_OUTPUT
given_away = max(average_score) - psnr(answer, truth)
claims = {
    "the kept average is over 4 dB better than the given image": psnr(answer, truth)
    > psnr(noisy, truth) + 4,
    "the best average is better than the best output": max(average_score)
    > max(raw_score),
    "the kept average is at most 0.6 dB worse than the best": given_away < 0.6,
}
check_claims(claims, own)

# %% [markdown]
# ## Experiment 2: other denoisers
#
# Five denoisers get the same noisy image and no other information.
# Where they need the strength of the noise, we *estimate* it from the image itself, with a filter that responds little to edges [@immerkaer1996].
#
# - **[Total variation](glossary.md#total-variation)** [@rudin1992] finds a picture near the given image, in which the sum of the differences between neighbouring pixels is small.
# - **Non-local means** [@buades2005] replaces each pixel by the mean of the pixels with *similar patches*, so this method uses recurrence directly.
# - **BM3D** [@dabov2007] stacks similar patches and filters each stack as a whole (chapter [03](03_denoising_with_patches.ipynb)).
#   It is the strongest control for white noise.
# - **ZS-N2N** [@mansour2023] makes two half-size images from the given image.
#   Each block of 2 x 2 pixels has two diagonals; the mean of each diagonal becomes a pixel of one of the half-size images.
#   The two half-size images show the same picture with independent noise, and a network with two hidden layers learns to predict one of them from the other.
#   The network can predict the picture, but not the noise [@lehtinen2018].

# %%
from dil_teach.deep.zs_n2n import pair_downsample

first, second = pair_downsample(noisy[None])
difference = (first - second)[0].abs()
show(
    {
        "first": first[0],
        "second": second[0],
        "3 x difference": (3 * difference).clamp(0, 1),
    },
    alt="Two noisy half-size versions of the picture, and their difference, which "
    "shows noise with faint outlines",
)

# %% [markdown]
# In the difference of the two half-size images, the subject of the photograph is almost invisible.
# The half-size images are not shifted against each other, because the two diagonals of a block have the same centre; their noise is independent.

# %%
from dil_teach import bm3d
from dil_teach.classical.denoising import nlm_denoise, tv_denoise

denoised = {
    "given": noisy,
    "total variation": tv_denoise(noisy, sigma),
    "non-local means": nlm_denoise(noisy, sigma),
    "BM3D": bm3d(noisy, sigma).clamp(0, 1),
    "ZS-N2N": zs_training.result().result(),  # trained above
    "deep image prior": answer,
}
print(f"Estimated noise: {255 * sigma:.1f} grey levels", end=", ")
print(f"true noise after clipping: {255 * clipped_sigma:.1f} grey levels.")
score = {name: psnr(image, truth) for name, image in denoised.items()}
for name, decibels in score.items():
    print(f"{name:17}{decibels:6.2f} dB")

# %%
part = (height // 8, width // 8, 3 * height // 4, 3 * width // 4)
show(
    titled(denoised) | {"truth": truth},
    alt=f"Seven pictures of {subject}: the given image; the results of total variation "
    "(flat regions), non-local means (smooth, clear outlines), BM3D (clean, clear "
    "outlines), ZS-N2N (some noise left) and Deep Image Prior (slightly soft); and the "
    "ground truth",
    crop=part,
)

# %% [markdown]
# ZS-N2N leaves some noise; total variation removes the petals, and the other three keep some of them.
# The next table compares this small run with the longer run at the start of the chapter.

# %%
from dil_teach.course.openings import beside_opening

here = {"given": "given", "result": "deep image prior", "BM3D": "BM3D"}
beside_opening(opening, {name: score[method] for name, method in here.items()})

# %% [markdown]
# All five denoisers improve the PSNR by over four decibels.
# BM3D is the best of them, and Deep Image Prior does *not* beat it: BM3D is 0.4 dB better here, and better with each of our three seeds.
# Deep Image Prior is better than non-local means, but only by a few tenths of a decibel with the first two seeds.
# With the third seed, Deep Image Prior and non-local means are equally good (question 4).
# With so few training steps, ZS-N2N has the lowest PSNR of the five denoisers, or nearly the lowest.
# BM3D and non-local means were designed for white Gaussian noise of constant strength, and many patches of a flower recur; the network must learn from one small image what they have built in.
# The stop of this run used the same estimate of the noise.
# The advantage of Deep Image Prior is that experiment 4 can give it other degradations, for which non-local means and BM3D have no formula.
# The script `benchmarks/deep_image_prior.py` compares the denoisers on five photographs of 128 x 128 pixels with three seeds, with the budget `standard`:

# %%
from dil_teach.course.credit import show_credit
from dil_teach.course.records import differences, record

part_names = {
    "given": "noisy photograph",
    "total variation": "total variation",
    "ZS-N2N": "ZS-N2N (a trained network)",
    "non-local means": "non-local means",
    "BM3D": "BM3D",
    "deep image prior": "moving average of the kept step",
}
credit = show_credit(
    "dip_denoise", {part_names[name]: score[name] for name in part_names}
)
lead = differences(record("dip_denoise"), "BM3D", "DIP")
print(f"BM3D is better in {sum(d > 0 for d in lead)} of {len(lead)} runs.")

# %% [markdown]
# The column *this run* is our small picture.
# Averaging gains half a decibel over the last outputs of the networks.
# An oracle that knows the best step gains 0.2 to 0.3 dB more in the three runs that a rule ended; the other runs do not test the rules.
# K-SVD and Deep Image Prior are equally good, and BM3D is 0.7 dB better.
# (In 12 of the 15 runs, the limit of 560 steps ended the training before a rule did.
# The budget `standard` now allows 840 steps; in the three runs that we repeated, this changed the PSNR by less than 0.1 dB.)

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "all five denoisers improve the PSNR by over 4 dB": min(list(score.values())[1:])
    > score["given"] + 4,
    "deep image prior is at most 0.3 dB worse than non-local means": score[
        "deep image prior"
    ]
    > score["non-local means"] - 0.3,
    "BM3D is the best denoiser": max(score, key=score.get) == "BM3D",
}
check_claims(claims, own)

# %% [markdown]
# ### The thread of the course: the recurrence score
#
# Chapter [01](01_patch_recurrence.ipynb) measured which fraction of an image's patches [recurs](glossary.md#recurrence-score) in the image.
# Noise does not recur.
# Does a denoised image have the internal statistics of the ground truth?

# %%
from dil_teach import recurrence_score

measured = denoised | {"truth": truth}
del measured["total variation"]  # to save time
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    found = pool.map(recurrence_score, measured.values())
recurs = dict(zip(measured, found, strict=True))
for name, value in recurs.items():
    print(f"{name:17}{value:.2f}")

# %% [markdown]
# In the noisy image almost nothing recurs, and each denoiser restores some recurrence.
# Non-local means and BM3D have the highest scores; at this size (`quick`), they are even *higher* than the score of the ground truth.
# Both replace similar patches by what they have in common, so these patches become even more similar.
# The score of Deep Image Prior is just below the score of the ground truth, because its result still contains some noise, which does not recur.
# Unlike the PSNR, the recurrence score does not measure the error; it shows in which *way* a picture is wrong.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "hardly anything recurs in the noisy image": recurs["given"] < 0.05,
    "deep image prior restores recurrence": recurs["deep image prior"]
    > recurs["given"] + 0.08,
    "non-local means and BM3D restore the most recurrence": min(
        recurs["non-local means"], recurs["BM3D"]
    )
    > max(recurs["ZS-N2N"], recurs["deep image prior"]),
}
check_claims(claims, own)

# %% [markdown]
# ## Experiment 3: depth, skips and the network input
#
# If the network's architecture is the prior, another architecture is another prior.
# To see the effect of the prior alone, we leave out pixels: the loss ignores a square and a band.
# In the square and the band, the output depends only on the prior.
# All other pixels have noise of the same strength as before.

# %%
bias_truth = resize(truth, scale=0.75).clamp(0, 1)
rows, columns = bias_truth.shape[1:]
gap = torch.zeros(1, rows, columns, device=truth.device)
gap[:, 2 * rows // 5 : 2 * rows // 5 + rows // 4, columns // 4 : columns // 2] = 1
gap[:, rows // 8 : rows // 8 + 4] = 1
degraded = add_noise(bias_truth, 25 / 255, noise_rng).clamp(0, 1)
show(
    {"given": (1 - gap) * degraded, "truth": bias_truth},
    alt="A smaller, noisy copy of the photograph, with a black square in the middle "
    "and a black band near the top; and the ground truth",
)

# %% [markdown]
# The loss ignores the black pixels.
# The network gets one of three inputs:
#
# - *noise*, as before;
# - *shaken*: the same noise with a small random change at each step, as in the library;
# - *position*: two smooth ramps that give each pixel's row and column.
#
# The network has one scale or four scales.
# Each scale has a [skip connection](glossary.md#skip-connection) of eight channels, or no skip connection.

# %% tags=["algorithm"]
from functools import cache

bias_steps = {"quick": 40, "standard": 120, "full": 300}[budget]
ramps = [torch.linspace(-1, 1, n, device=truth.device) for n in (rows, columns)]
position = torch.stack(torch.meshgrid(*ramps, indexing="ij"))[None]


@cache  # each network is trained once
def drawing(depth, skip, kind):
    rng = torch.Generator().manual_seed(seed)
    z = draw_network_input((rows, columns), rng).to(truth.device)
    z = position if kind == "position" else z
    net = Hourglass(z.shape[1], len(degraded), WIDTHS[:depth], skip, rng).to(
        truth.device
    )
    adam = Adam(net.parameters(), lr=0.02)
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
    """Return the PSNR over the pixels inside a region, such as a hole."""
    inside = region[0] > 0.5
    return psnr(image[:, inside][None], wanted[:, inside][None])


def in_gap(*build):
    return psnr_in(gap, drawing(*build), bias_truth)


# %%
from dil_teach.notebook import Choice, Toggle, explore, strip


def render_build(depth, skips, kind):
    build = int(depth), 8 * skips, kind
    return strip({f"PSNR in the gaps: {in_gap(*build):.1f} dB": drawing(*build)})


static = (
    ("1", False, "noise"),
    ("4", False, "noise"),
    ("4", True, "noise"),
    ("4", True, "shaken"),
    ("4", True, "position"),
)
builds = [(int(depth), 8 * skips, kind) for depth, skips, kind in static]
with ThreadPoolExecutor(cpu_count()) as pool:  # trains the networks in parallel
    list(pool.map(lambda build: drawing(*build), [*builds, (1, 8, "noise")]))

# %%
build_choice = explore(
    render_build,
    {
        "depth": Choice("Scales", ("1", "4"), "4"),
        "skips": Toggle("Skips of eight channels", True),
        "kind": Choice("Network input", ("noise", "shaken", "position"), "noise"),
    },
    alt="The output of a network; scales: {depth}; input: {kind}; skip connections: "
    "{skips}. One scale leaves the square dark, and four scales fill it. Skip "
    "connections bring detail and noise; the input 'position' brings neither.",
    examples=[dict(zip(("depth", "skips", "kind"), e, strict=True)) for e in static],
)

# %% [markdown]
# Change the three settings and look for three effects:
#
# - **Depth fills gaps.**
#   With one scale and noise as the input, the square stays a dark hole with ragged edges.
#   The [receptive field](glossary.md#receptive-field) of the pixels in the middle of the square does not reach the boundary of the square.
#   With four scales the receptive field is large enough, and the network fills the hole with something that fits (question 3).
# - **Skip connections transmit detail, and noise.**
#   Without skip connections, all information passes through the coarse layers, which remove petals and noise.
#   With skip connections, grain appears sooner, and with more steps also the petals.
# - **The input sets the texture of the output.**
#   If the input is noise, the network easily reproduces noise, because its input already contains noise.
#   If the input consists of smooth ramps, the output is smooth, also in the gaps: it has neither noise nor petals.
#   If the input noise changes a little at each step (*shaken*), the network cannot use the input to reproduce the noise of the image.
#
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
    "noise as input: four scales fill gaps over 3 dB better than one": closed > 3,
    "noise as input: skip connections make the output rougher": rough[8, "noise"]
    > 1.1 * rough[0, "noise"],
    "position as input gives a smoother output than noise": rough[8, "position"]
    < 0.9 * rough[8, "noise"],
}
check_claims(claims, own)

# %% [markdown]
# ## Exercise: one loss for three degradations
#
# Only the loss tells the network how the image was degraded.
# Write one loss for three degradations: `damage_loss(drawn, given, mask, scale)`.
#
# - `drawn`: `Float[Tensor, "1 c h w"]` in [0, 1], the network's output.
# - `given`: `Float[Tensor, "c h2 w2"]` in [0, 1], the degraded image: as large as the output, or `scale` times smaller.
# - `mask`: `Float[Tensor, "1 h2 w2"]`, 1 in the hole and 0 where the image is known; or `None` if all of it is known.
# - `scale`: a whole number that says how many times larger the output is than the given image; it is 1 for noise and holes.
#   The degradation downscales with `resize`.
# - Returns a tensor without axes.
#   Apply the degradation to the output, subtract the given image, set the difference to 0 in the hole, and take the mean of its squares over all values.
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
# Degrade the output as the image was degraded, and then compare the degraded output with the given image.
# You need not undo the degradation.
#
# </details>
#
# <details><summary>Hint 2</summary>
#
# `1 - mask` is 1 where the image is known.
# Multiply the *difference* by `1 - mask`, not only the output.
#
# </details>
#
# <details><summary>Hint 3</summary>
#
# `resize(drawn, 1 / scale)` downscales the output.
# Do not downscale if `scale` is 1.
# Then take the square of the difference and `mean()`; do not call `item()`, because the gradient must flow back through the loss.
#
# </details>

# %% [markdown]
# The next cells train two networks with your loss if it passed the check, and with the library's loss otherwise.
# The first image is the noisy one with the gaps of experiment 3; the second image is half as large as the photograph.

# %% tags=["algorithm"]
solved = check.damage_loss(damage_loss).state == "passed"
loss_by_hand = damage_loss if solved else check.damage_loss.reference


def restored(given, mask, scale, steps=40):
    """Train a network with the loss of the exercise, and return its output."""
    rng = torch.Generator().manual_seed(seed)
    size = (scale * given.shape[1], scale * given.shape[2])
    z = draw_network_input(size, rng).to(given.device)
    net = Hourglass(INPUT_CHANNELS, len(given), WIDTHS, 8, rng).to(given.device)
    adam = Adam(net.parameters(), lr=0.02)
    for _ in range(steps):
        adam.zero_grad()
        loss_by_hand(net(z).sigmoid(), given, mask, scale).backward()
        adam.step()
    return net(z).sigmoid()[0].detach()


with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    enlarged = pool.submit(restored, half, None, 2)
    filled = pool.submit(restored, degraded, gap, 1)

# %%
show(
    {
        "given: noise and gaps": (1 - gap) * degraded,
        "restored": filled.result(),
        "given: half the size": half,
        "enlarged": enlarged.result(),
    },
    alt="A noisy picture with black gaps, and the network's output without noise or "
    "gaps; a small picture, and the network's output at twice its size",
)

# %% [markdown]
# One loss function and one architecture, trained twice, restore both images; the outputs are soft, because 40 steps are few.
#
# ## Experiment 4: swap the loss
#
# We now restore three kinds of degraded image with the same kind of network.
# For the first image, paint a hole on the picture with the pointer, or with the sliders and buttons below the picture.
# Then select the next cell and choose *Run > Run Selected Cell and All Below*.
# Diagonal scratches are already painted.

# %%
from dil_teach.notebook import paint

y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
scratches = ((y - x) % (24 * side // 64) < 5 * side // 64)[None].float()
painter = paint(truth, "hole", mask=scratches)

# %% [markdown]
# The next cell removes the pixels of the painted hole.
# The second image has half the resolution, and the third image has JPEG compression of quality 10:

# %%
hole = painter.mask
show(
    {"scratched": (1 - hole) * truth, "half as large": half, "JPEG": blocky},
    alt="Three degraded images: one with black scratches, one half as large, one with "
    "square blocks and false colours",
)

# %% [markdown]
# Usually these three tasks need three different programs.
# Here only the [degradation](glossary.md#degradation) $d$ in the loss $\lVert d(f_\theta(z)) - I \rVert^2$ differs.
# The degradation $d$ hides the hole, or downscales the output.
# For JPEG the degradation $d$ is the identity, because the network fits JPEG's blocks late, like noise.
# These are the library's degradations; compare them with your `damage_loss`:

# %%
from dil_teach.image.degradation import downsampled, hide, identity

for degradation in (identity, hide, downsampled):
    show_source(degradation)

# %%
tasks = {
    "super-resolution": enlarger,  # trained by the second thread, as for JPEG
    "inpainting": DeepImagePrior((1 - hole) * truth, masked(hole), for_holes),
    "JPEG": without_blocks,
}

# %% [markdown]
# (`fit_all` trains several methods in parallel, one for each core of your computer.
# With the budget `quick`, these networks have fewer channels, to save time.
# In the library the noise on the input grows during the first 300 steps.
# With the budgets `standard` and `full`, holes get less noise on the network's input than the other tasks, because the given image contains no noise that the network could memorise; `quick` has too few steps for that.)
#
# To train with a degradation of your own, pass any differentiable function of the output.
# For example, `DeepImagePrior(image, lambda drawn: 1 - drawn)` restores a photographic negative.
# We compare each result with a [baseline](glossary.md#baseline) without a network.
# For the hole, the baseline is biharmonic interpolation [@damelin2018], the smoothest surface that agrees with the known pixels around the hole.
# For JPEG, the baseline is the given image itself.
# For low resolution, there are two baselines: bicubic interpolation, and bicubic interpolation followed by [back-projection](glossary.md#back-projection), which makes the result agree with the small image.

# %%
from dil_teach import fit_all
from dil_teach.classical.back_projection import back_project
from dil_teach.classical.inpainting import biharmonic

trained = [work.result() for work in waiting]  # waits for the second thread
fit_all(tasks.values())
results = {name: task.result() for name, task in tasks.items()}

# %%
bicubic = resize(half, scale=2)
by_projection = back_project(bicubic, half, "bicubic", 2).clamp(0, 1)
baselines = {
    "inpainting": biharmonic((1 - hole) * truth, hole),
    "super-resolution": by_projection,
    "JPEG": blocky,
}
gains = {}
for name in ("inpainting", "super-resolution", "JPEG"):
    result = results[name]
    where = hole if name == "inpainting" else torch.ones_like(hole)
    ours, theirs = (psnr_in(where, i, truth) for i in (result, baselines[name]))
    gains[name] = ours - theirs
    print(f"{name:17} Deep Image Prior {ours:6.2f} dB, baseline {theirs:6.2f} dB")

# %%
panels = {}
for name in ("inpainting", "JPEG"):
    panels[f"{name}: baseline"] = baselines[name]
    panels[f"{name}: network"] = results[name]
show(
    panels | {"truth": truth},
    alt="Two pairs of results, each of the baseline and the network, and the truth. "
    "Scratches: the baseline leaves smears across the petals, the network a plain fill "
    "with a closed outline. JPEG: the baseline shows blocks, the network a smooth "
    "flower without blocks or petals.",
    crop=part,
)

# %% [markdown]
# We compare the method with its baselines:
#
# - **Scratches: the network is better.**
#   Biharmonic interpolation continues the brightness smoothly from the boundary.
#   The network also continues *edges*, because it fits a continuous outline faster than a broken outline.
#   (For scratches only two pixels wide, smoothness is enough, and biharmonic interpolation is better than the network.
#   Try such narrow scratches with the brush.)
# - **Scattered holes: the better method depends on the picture.**
#   Our benchmark removed half of the pixels from photographs of 128 x 128 pixels, with the budget `standard` (`benchmarks/results/dip_inpaint.json`).
#   The network is better than biharmonic interpolation by 1.2 dB on the coffee cup, by half a decibel on the astronaut and the pagoda, and by less on this dahlia.
#   On the cat, the network is 0.3 dB worse than biharmonic interpolation.
#   The cat's fur is fine, soft and similar everywhere: a smooth surface fits the fur well, and the network fits the fur late (see *Texture* below).
# - **JPEG: the network is better**, although its loss does not mention blocks.
#   The network fits both blocks and petals late, like noise, so at this JPEG quality its result shows neither.
#   The result of the network is too smooth, but still nearer to the ground truth than the JPEG image.
#
# (For the hole, `result()` keeps the known pixels exactly and uses the network's output only inside the hole.)

# %%
credit = show_credit("dip_inpaint")

# %% [markdown]
# ### Super-resolution: who does the work?
#
# The small image has no noise, so the discrepancy principle, taken literally, would train until the downscaled output equals the small image.
# That is too long: the last details take many steps, and meanwhile the network draws fine detail that no pixel of the small image determines.
# So the library stops earlier: when the downscaled average differs from the small image by less than half of the small image's own finest detail (what it loses when *it* is downscaled by two).
# Back-projection then adds the detail that the network has not fitted, as inpainting puts back the known pixels.

# %%
enlarged = tasks["super-resolution"]
larger = {
    "bicubic": bicubic.clamp(0, 1),
    "bicubic + back-projection": by_projection,
    "network's output": enlarged.averaged(),
    "network + back-projection": results["super-resolution"],
}
print(f"The rule stopped the training after {enlarged.step} steps.")
show(
    titled(larger) | {"truth": truth},
    alt="Five enlarged flowers: bicubic interpolation is blurred, with back-projection "
    "it is sharper; the network's output has lost most petals; after back-projection "
    "the petals are there; and the ground truth",
    crop=part,
)

# %% [markdown]
# The network's own output has lost most of the petals, and back-projection brings them back.

# %%
part_names = {
    "bicubic": "bicubic interpolation",
    "bicubic + back-projection": "bicubic and back-projection",
    "network's output": "moving average of the outputs",
    "network + back-projection": "moving average and back-projection",
}
here = {part: psnr(larger[name], truth) for name, part in part_names.items()}
credit = show_credit("dip_super_resolve", here)

# %% [markdown]
# The table says who does the work on five photographs:
#
# - From bicubic interpolation to bicubic interpolation *with back-projection*, the PSNR rises by more than a decibel, without a network.
#   So on the five photographs most of the gain over bicubic interpolation (1.1 of 1.6 dB) is the work of back-projection; in this run it is about half.
# - The network's own output is *worse* than bicubic interpolation, because it has not fitted the finest detail of the small image yet.
# - After back-projection, the network's picture is better than the bicubic picture after the same back-projection.
#   This difference is the work of the network: it draws sharp edges, where the small image does not say how sharp they are.
#
# Longer training does not replace back-projection.
# On one of the three photographs on which we chose the rule (`room`), the network's own output became better than bicubic interpolation after 480 steps, but by then the result after back-projection was getting worse again.
# On the other two photographs, the network's own output did not reach bicubic interpolation in 800 steps.

# %%
by_itself = (
    credit[part_names["bicubic + back-projection"]] - credit[part_names["bicubic"]]
)
whole = credit[part_names["network + back-projection"]] - credit[part_names["bicubic"]]

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "scratches: the network is better than the baseline": gains["inpainting"] > 0,
    "JPEG: the network is over 0.3 dB better than the baseline": gains["JPEG"] > 0.3,
    "super-resolution: over 0.5 dB better than bicubic interpolation": psnr(
        results["super-resolution"], truth
    )
    > psnr(larger["bicubic"], truth) + 0.5,
    "super-resolution: better than back-projection alone": gains["super-resolution"]
    > 0,
    "five photographs: back-projection makes most of the gain": by_itself > whole / 2,
}
own_hole = not torch.equal(hole.cpu(), scratches)
check_claims(claims, own or own_hole)

# %% [markdown]
# ## When it fails
#
# **Texture.**
# Grass is similar everywhere, but never repeats exactly.
# (Photograph: linolafett, CC0.)
# The network learns clean grass more slowly than a flower, but faster than shuffled pixels:

# %%
grass_share = of_grass[39]
print(f"Unexplained variance after 40 steps: {grass_share:.0%} for the grass", end=", ")
print(f"{shares['photograph'][39]:.0%} for our photograph", end=", ")
print(f"{shares['shuffled'][39]:.0%} for its shuffled pixels.")

# %%
drawn_grass = grass_dip.result()
level = noise_level(noisy_grass)
lawn = {
    "given": noisy_grass,
    "total variation": tv_denoise(noisy_grass, level),
    "BM3D": bm3d(noisy_grass, level).clamp(0, 1),
    "deep image prior": drawn_grass,
}
show(
    titled(lawn, against=grass) | {"truth": grass},
    alt="Noisy grass; the results of total variation, of BM3D and of Deep Image Prior, "
    "all with smeared blades; and the ground truth",
)

# %% [markdown]
# On grass this network, with fewer steps, improves the PSNR by about one and a half decibels; total variation improves it slightly more, and BM3D by over one decibel more than the network.
# The network fits fine blades only a little earlier than noise; we did not look for its best step.
#
# **A wide hole.**
# The middle of a wide hole is far from all known pixels.
# (This street front is rendered, not photographed: its windows are in rows, so every reader knows which windows are missing.)

# %%
walls = {"given": broken, "biharmonic": biharmonic(broken, wide)}
walls["deep image prior"] = mason.result()
show(
    walls | {"truth": street},
    alt="A brick front with a black square instead of windows. Biharmonic "
    "interpolation fills the square with a pale glow, and Deep Image Prior with a dull "
    "cloud in the colours of wall and shutters. The ground truth shows the windows.",
)

# %% [markdown]
# The network's cloud in the colours of wall and shutters is nearer to the ground truth than the smooth glow, but neither result shows a window.
# The network cannot *copy* a window: its filters are the same everywhere, but it has no mechanism that finds a similar window.
# Methods that search for patches can copy (chapter [04](04_completion.ipynb)).
#
# **No early stopping.**
# Each kind of degradation needs its own stopping rule.
# The variance rule and the discrepancy principle are for noise.
# Super-resolution has a rule of its own (experiment 4).
# For a hole in an image without noise, the library takes all training steps.

# %%
# NBVAL_CHECK_OUTPUT
grass_gain = psnr(drawn_grass, grass) - psnr(noisy_grass, grass)
claims = {
    "grass: over twice the unexplained variance of the photograph": grass_share
    > 2 * shares["photograph"][39],
    "grass: the PSNR gain is under 60% of the gain on the photograph": grass_gain
    < 0.6 * (score["deep image prior"] - score["given"]),
    "in the wide hole, the network's PSNR is under 20 dB": psnr_in(
        wide, walls["deep image prior"], street
    )
    < 20,
}
check_claims(claims, own)

# %% [markdown]
# ## Mini-project: smooth, or recurrent?
#
# Two explanations of the network's preference were given: it fits *smooth* (low-frequency) patterns first, or it fits *recurrent* patterns first.
# Design targets that separate the two, and measure them with `unexplained(target, steps)`.
# For example, a fine texture tile that repeats exactly is recurrent but not smooth, and large blobs at random places are smooth but hardly recurrent.
# Write one page with the curves and a conclusion.
#
# | criterion | points |
# |---|---|
# | Targets: at least four, in pairs that differ in one property only; mean and variance are equal in each pair | 3 |
# | Measurement: curves of `unexplained` with three seeds, and their spread | 2 |
# | Control: the recurrence score (chapter 01) and the spectrum of each target are measured, not assumed | 2 |
# | Conclusion: it says which property predicts the order of the curves, and where it fails | 2 |
# | Architecture: one repetition without skip connections, or with another upsampling | 1 |
#
# ## Summary
#
# - An untrained network fits structure before noise.
#   It can reproduce both, so training must stop early; two stopping rules need no ground truth.
# - Structure comes first because of the architecture: upsampling makes smooth pictures easy. Whether shared filters also make repeated patterns easy is the question of the mini-project.
# - Another architecture is another prior: depth fills holes, skip connections transmit detail and noise, and a smooth input gives smooth pictures.
# - Only the loss describes the degradation.
#   The same kind of network denoises, fills holes, enlarges, and removes JPEG blocks.
# - Always compare a result with the result of a baseline.
#   With white noise, BM3D is better than the network on all our small pictures, and far faster.
#   In super-resolution, back-projection makes most of the gain over bicubic interpolation, and the network makes the rest.
#   Fine texture and wide holes are too difficult for the network and for the baselines that we tried.
#
# In [chapter 14](14_double_dip_layers.ipynb), two such networks reproduce one image together, and each takes the part that is easier for it.
#
# ## References
