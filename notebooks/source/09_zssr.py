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
# # 09 · ZSSR: can a network learn from one image alone?
#
# Chapter 00 showed that a network can learn from one image alone.
# This chapter takes the method ZSSR apart, measures what each part contributes, and shows where it fails.
# First, here is what such a network can do for an old photograph.

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 40, "standard": 80, "full": 260})

# %%
from dil_teach.course.openings import show_opening

opening = show_opening(
    "zssr",
    {
        "bicubic interpolation": "A coin with a head: blurred, with faint blocks",
        "EDSR+": "Sharp, but with rings, specks and the borders of blocks",
        "ZSSR, compressed sons": "A clean sharp outline, a smooth ground, flat relief",
        "BM3D, then EDSR+": "The same rings and blocks as by EDSR+",
        "ZSSR, plain sons": "The same rings and blocks as by EDSR+",
        "bicubic, before compression": "Blurred, with fine grain, no rings or blocks",
    },
)

# %% [markdown]
# The photograph of this coin is from the archive of the Brooklyn Museum.
# (It has no known copyright restrictions; scikit-image ships it.)
# Its blur and its grain are real, and there is no sharp version of it.
# The compression is ours: we saved the photograph as a JPEG file of quality 50, as on many web pages.
# No score can decide here, so compare the pictures yourself; the last one shows the coin before the compression.
#
# EDSR+ [@lim2017] learned from many sharp photographs that were downscaled by bicubic interpolation.
# It treats the rings and blocks of the compression as detail, and sharpens them.
# The plain version of ZSSR does the same.
# ZSSR with compressed sons learned from this photograph alone, with sons that were compressed like the photograph (the file states the quality).
# It sharpens the outline of the coin and removes the rings, the blocks and the grain; the price is a part of the fine relief.
# *BM3D, then EDSR+* is the [control](glossary.md#control): a denoiser of chapter 03 with the strength of the noise that it estimates.
# Compression has removed most of the grain, so the estimate is below one grey level, and the rings stay.
# (On a photograph with noise alone, this control is as good as ZSSR: see experiment 4.)
# The first figure of the paper [@shocher2018] shows two historic photographs with such defects.
# The section on the compressed face repeats this comparison with a small run.
#
# **After this chapter you can**
#
# - make [father](glossary.md#father) and [son](glossary.md#son) from an image, and write the training step that uses them;
# - say why a small network is enough, how large its receptive field is, and why it cannot know *where* in the image a [patch](glossary.md#patch) lies;
# - run the control, which shows how much of ZSSR's gain was learned;
# - predict how a wrong [blur kernel](glossary.md#blur-kernel), noise, or compression changes the result.
#
# **What you need**: chapter [00](00_tour.ipynb), and some experience with training loops in PyTorch.
# No GPU is needed.
# Reading takes 40 minutes, and computing takes about 40 seconds (*Run > Run All Cells*).
#
# The setting `budget` changes sizes and numbers of training steps, but never the method.
# The [seed](glossary.md#seed) is fixed, and one thread computes all sums in a fixed order.
# Therefore two runs of the chapter on the same computer give exactly the same pictures.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, choose a file.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below* in the menu.
# Without a file, the chapter uses a photograph of a coffee cup.
# (Photograph: Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0.)

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo, resize
from dil_teach.notebook import uploaded_image

name = "coffee"
ours = photo(name, size=256)
photograph = uploaded_image(button.value, default=ours, max_side=256)
own = photograph is not ours or name != "coffee"
height, width = (side - side % 4 for side in photograph.shape[1:])
truth = photograph[:, :height, :width].to(device())
given = resize(truth, scale=0.5).clamp(0, 1)
subject = "the photograph you chose" if own else "a white coffee cup on a red saucer"

# %% [markdown]
# `truth` is the [ground truth](glossary.md#ground-truth): the method never sees it, and we use it only to score the result.
# The image `given` is half as wide and half as high as `truth`; the method learns from `given` alone.
#
# ## Predict first
#
# Write down your answers to these three questions; the chapter tests each answer.
#
# 1.
#    ZSSR ends with *[back-projection](glossary.md#back-projection)*, a correction that learns nothing.
#    We can also correct the result of [bicubic interpolation](glossary.md#bicubic) by back-projection.
#    How much of ZSSR's gain over bicubic interpolation is due to the network alone: most, half, or almost none?
# 2.
#    We tell the network that the image was downscaled by bicubic interpolation, but the camera's lens has blurred the image more than that.
#    Will the network's result be too soft or too sharp?
#    What happens if we assume more blur than the image really has?
# 3.
#    You cut the image into small patches and give them to the trained network in random order.
#    Is the result worse than for the whole image?
#
# ## The smallest demo: a father and his son
#
# The given image is a copy of the unknown image at half its size.
# In the same way, we make a copy of the given image at half its size.
# The given image is called the father, and its copy is called the son.
# Then we upscale the son, and look at the difference between the father and the upscaled son.

# %%
from dil_teach.notebook import show

father = given
son = resize(father, scale=0.5).clamp(0, 1)
enlarged_son = resize(son, scale=2)
missing = (father - enlarged_son).abs().mean(dim=0, keepdim=True)
show(
    {"father": father, "son": son, "upscaled son": enlarged_son}
    | {"missing, 6 times brighter": (6 * missing).clamp(0, 1)},
    alt=f"The given image of {subject}, called the father. Its son is half as large. "
    "The upscaled son is soft. The difference between father and upscaled son shows "
    "thin lines along all edges",
)

# %% [markdown]
# The picture on the right shows the **[high-frequency residual](glossary.md#lesson)**.
# A network can learn nothing else from this pair of father and son.
# We know the residual of the father, but not the residual of the unknown image.
# Where the residual is black, there is nothing to learn.

# %%
lesson = 255 * float(missing.mean())
print(f"The residual is {lesson:.2f} grey levels (of 255) on average.")

# %% [markdown]
# ## Theory: why this can work
#
# **The [forward model](glossary.md#forward-model).**
# A camera of low resolution blurs the scene with a kernel $k$ and keeps every $s$-th sample: $d(x) = (x * k)\downarrow_s$.
# The unknown image is $X$, and the given image is $I = d(X)$.
# We cut a father $F$ from $I$ or from a smaller copy of $I$, and make its son $d(F)$ with the *same* $d$.
#
# **The loss.**
# We train a network $f_\theta$ to turn sons back into fathers, and then apply the trained network to $I$:
#
# $$\min_\theta\ \sum_{F}\ \bigl\lVert f_\theta(d(F)) - F \bigr\rVert_1 ,\qquad\text{and then}\qquad \hat X = f_\theta(I).$$
#
# In training, the network works at a smaller scale than in the test.
# No theorem guarantees that the network also works at the larger scale.
# But in natural images, small patches [recur](glossary.md#recurrence) *across* scales [@glasner2009].
# Therefore the training pairs inside the image resemble the pair of given and unknown image.
#
# **Why a small network is enough.**
# The patches of one image vary far less than the patches of all images: they have low entropy [@zontak2011].
# For example, one part of a cup's rim looks like the next part.
# Therefore a network for one image needs few weights.
# Large networks that learn from many images have tens of millions of weights, and small ones such as SRCNN and VDSR have 57,000 and 660,000; the next cell counts the weights of ours:

# %%
from dil_teach.deep.zssr.network import ResidualNetwork
from dil_teach.notebook import show_source

rng = torch.Generator().manual_seed(seed)
full_size = ResidualNetwork(3, width=64, depth=8, factor=2, rng=rng)
print(sum(weights.numel() for weights in full_size.parameters()), "weights")
show_source(ResidualNetwork.forward)

# %% [markdown]
# Eight convolutions of 3 x 3 pixels work on the *small* image, and each hidden layer adds its output to its input.
# A [pixel shuffle](glossary.md#pixel-shuffle) then turns each group of four channels into one channel of double size.
# The output of the pixel shuffle is added to the interpolated image.
# Therefore the network learns only the residual.
# Before training, the weights of the last layer are zero, so the network's output *is* bicubic interpolation.
# (The paper's network works on the interpolated image.
# Our network works at low resolution, where a training step costs only a quarter.)
#
# **The [receptive field](glossary.md#receptive-field) is a patch.**
# Each 3 x 3 convolution adds one pixel on each side to the region that influences an output pixel.
# After `depth` convolutions, the receptive field is $2\cdot\mathrm{depth}+1$ pixels wide and high.
# So for the network, an image is a **bag of patches** that are as large as its receptive field.
#
# ## The method, by hand
#
# We make the network and its optimizer in a separate cell, before the cell with the training loop.
# The library's `Adam` computes the same updates as `torch.optim.Adam`. It only saves two seconds, because it does not import torch's compiler.

# %%
from dil_teach.training.adam import Adam

hand_steps = {"quick": 450, "standard": 1600, "full": 4000}[budget]
network = ResidualNetwork(len(given), width=32, depth=4, factor=2, rng=rng)
network = network.to(given.device)
optimizer = Adam(network.parameters(), lr=2e-3)
losses = []

# %% [markdown]
# The next cell contains the core of ZSSR, its training loop.
# Each training step cuts four fathers in random orientations from the given image and makes their sons.
# The network restores the fathers, and the loss is the mean absolute difference between its output and the fathers.
# The training uses no data except the given image.

# %% tags=["algorithm"]
from dil_teach.image.augment import orient, random_crop

for _ in range(hand_steps):
    turns = torch.randint(8, (4,), generator=rng).tolist()
    fathers = torch.stack([random_crop(orient(given, t), (32, 32), rng) for t in turns])
    sons = resize(fathers, scale=0.5)
    restored = network(sons, resize(sons, scale=2))
    loss = (restored - fathers).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
print(f"Trained for {len(losses)} steps. Run this cell again to continue the training.")

# %% [markdown]
# The cell with the training loop does not make a new network.
# If you run this cell again, it trains the same network further.
# At test time, one line is enough: the given image takes the place of the son.


# %%
def enlarge(low):
    with torch.no_grad():
        return network(low[None], resize(low, scale=2)[None])[0]


by_hand = enlarge(given)

# %% [markdown]
# ## Exercise: eight orientations
#
# The network was trained on fathers in eight orientations, so it can enlarge the given image in eight orientations, too.
# ZSSR's final result is the mean over these eight results.
# The eight results also show where the network is unsure: where they *disagree*.
# Write `eight_fold(enlarge, low)`, which returns the mean and the disagreement.
#
# - `enlarge`: a function that upscales one image by 2, such as `enlarge` above, from Float[Tensor, "c h w"] to Float[Tensor, "c 2h 2w"].
# - `low`: Float[Tensor, "c h w"] in [0, 1], an image that is not always square.
# - Returns the pair `(mean, spread)`, computed from eight results of `enlarge`: one for each of the four quarter turns of `low`, and one for each of the four quarter turns of its mirror image.
#   Bring each result back to the orientation of `low` first.
#   `mean`: Float[Tensor, "c 2h 2w"]. (The paper takes the median instead.)
#   `spread`: Float[Tensor, "1 2h 2w"], the standard deviation over the eight results, computed by `std`; then its mean over the channels.
#
# `x.flip(2)` mirrors an image, and `x.rot90(k, (1, 2))` turns it by `k` quarter turns.
# Do not use the library's `orient_back`.
# Expected run time: eight times that of `enlarge`; the check takes well under a second.


# %% tags=["exercise"]
def eight_fold(enlarge, low):
    ### BEGIN SOLUTION
    answers = []
    for mirrored in (False, True):
        for quarters in range(4):
            turned = (low.flip(2) if mirrored else low).rot90(quarters, (1, 2))
            answer = enlarge(turned).rot90(-quarters, (1, 2))
            answers.append(answer.flip(2) if mirrored else answer)
    answers = torch.stack(answers)
    return answers.mean(dim=0), answers.std(dim=0).mean(dim=0, keepdim=True)
    ### END SOLUTION


# %%
from dil_teach.course import check

check.eight_fold(eight_fold)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Each orientation needs three steps.
# What do you pass to `enlarge`, and what must you do to its result?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A quarter turn changes the shape of an image that is not square.
# So you can stack the eight results only after you have brought each of them back to the orientation of `low`.
# If you mirror first and turn second, which of the two must you undo first?
#
# </details>
# <details><summary>Hint 3</summary>
#
# Collect the eight results in a list.
# `torch.stack` joins these results along a new first axis; take the mean and the standard deviation over this axis.
#
# </details>

# %% [markdown]
# The next two figures use your function if it passed the check, and the library's function otherwise.

# %%
done = check.eight_fold(eight_fold).state == "passed"
fold = eight_fold if done else check.eight_fold.reference
averaged, spread = fold(enlarge, given)
bicubic = resize(given, scale=2).clamp(0, 1)
side = min(80, height, width)
crop = (min(20, height - side), min(150, width - side), side, side)
show(
    {"bicubic": bicubic, "our loop": by_hand, "eight orientations": averaged},
    alt="Part of the picture by bicubic interpolation, by our loop, by our loop in "
    "eight orientations, and in the ground truth. The edges by our loop are sharper "
    "than those by bicubic interpolation, but softer than those of the ground truth",
    truth=truth,
    crop=crop,
)

# %% [markdown]
# Our loop has a dozen lines and runs for a few seconds.
# The edges in its result are already sharper than the edges by bicubic interpolation.
# The mean over eight orientations removes errors that differ between the orientations.
# Does the disagreement, which needs no ground truth, show where the mean is wrong?

# %%
from dil_teach.notebook import beside_maps

wrong = (averaged - truth).abs().mean(dim=0)
rows, columns = (slice(start, start + side) for start in crop[:2])
sure = spread[0] <= spread.median()
for which, where in {"agree most": sure, "disagree most": ~sure}.items():
    error_there = 255 * float(wrong[where].mean())
    print(f"half of the pixels that {which}: wrong by {error_there:.2f} grey levels")

# %%
show(
    beside_maps(
        {"eight orientations": averaged[:, rows, columns].clamp(0, 1)},
        {
            "disagreement of the eight results": 255 * spread[0, rows, columns],
            "error of their mean": 255 * wrong[rows, columns],
        },
        (0, 16),
        "grey levels",
    ),
    alt="The same part by the mean of eight orientations; where the eight results "
    "disagree; and where their mean is wrong. The disagreement is faint, and only "
    "along the edges; the error is bright along the edges, with specks on the wood",
)

# %% [markdown]
# The disagreement finds the edges, and where the eight results disagree most, the error of the mean is over four times as large as elsewhere (the printed errors).
# But the disagreement is far *smaller* than the error, and the specks on the wood do not appear in it.
# All eight results come from one network and one small picture: what this picture does not show, they get wrong together.
# So agreement is no proof, and averaging cannot remove a shared error.
# (The values in dB are [PSNR](glossary.md#psnr) on [luma](glossary.md#luma) over the *whole* image.
# An increase of 3 dB means half the [squared error](glossary.md#squared-error).)
#
# ## The method, as the library has it
#
# The library's training step does the same as our loop.
# Find the data, the loss and the update in the library's code:

# %%
from dil_teach import ZSSR

show_source(ZSSR.train_step)

# %% [markdown]
# The library adds the following parts to our loop:
# - **more fathers**: fathers are also cropped from smaller copies of the image, at 0.9, 0.8, ... of its size, because patches recur across many scales (function `father_and_son`);
# - **a learning-rate schedule**: the learning rate first rises, and then falls to zero along a cosine;
# - **gradient clipping**;
# - **gradual scales**: the network first learns to upscale by a smaller factor, and the fathers of the next stage are cut from the upscaled image [@shocher2018, section 3];
# - at the end, the **[mean over eight orientations](glossary.md#self-ensemble)** of the image, as in your exercise, and **back-projection**, which makes the result agree with the given image.
#
# **Stopping rule**: training ends after a number of steps that the budget fixes beforehand.
# The stopping rule does not use the ground truth.
# To save time, `quick` trains a network of half the width (32 channels instead of 64), for 300 steps.

# %%
from dataclasses import replace

from dil_teach import ZSSRSettings, train
from dil_teach.notebook import LivePanel

settings = getattr(ZSSRSettings, budget)(seed=seed)
if budget == "quick":
    settings = replace(settings, width=32, steps=300)
zssr = ZSSR(given, scale=2, settings=settings)
panel = LivePanel(alt=f"The network's current output for {subject}")


# %%
def fixed_loss():
    with torch.no_grad():
        restored = zssr.network(son[None], resize(son, scale=2)[None])[0]
    return float((restored - given).abs().mean())


# %% [markdown]
# The later experiments use smaller networks, whose training is short.
# The last section, *When it fails*, needs three of them, for a face and for the coin of the first figure, and the result of EDSR+ for the coin.
# (Photograph of the face: NASA, public domain.)
# They need no result of this chapter, so we prepare them now.
# The second core of your computer then computes them, while the first core trains the network of this section.

# %%
from dil_teach.image.augment import jpeg

side_steps = {"quick": 200, "standard": 1000, "full": 2500}[budget]
fewer_steps = {"quick": 160, "standard": 666, "full": 1666}[budget]
batch = 2 if budget == "quick" else 4
small = ZSSRSettings(side_steps, gradual=1, width=32, depth=6, crop=16, batch=batch)
small = replace(small, seed=seed, back_projections=20)
shorter = replace(small, steps=fewer_steps)
face = photo("astronaut")[:, 20:148, 160:288].to(device())
compressed = jpeg(resize(face, scale=0.5).clamp(0, 1), 30)
coin = jpeg(photo("coins")[:, 152:232, 232:312], 50).to(device())
face_as_clean = ZSSR(compressed, settings=shorter)
face_told = ZSSR(compressed, settings=replace(shorter, jpeg_quality=30))
coin_told = ZSSR(coin, settings=replace(shorter, jpeg_quality=50))

# %%
from concurrent.futures import ThreadPoolExecutor

from dil_teach import fit, load_external_network, super_resolve_with

edsr = load_external_network("edsr").to(device())
with ThreadPoolExecutor(1) as pool:  # in parallel with the loop below
    beside = pool.map(fit, (face_as_clean, face_told, coin_told))
    colours = coin.expand(3, -1, -1)
    by_edsr = pool.submit(super_resolve_with, edsr, colours, ensemble=True)
    for progress in train(zssr, report_every=zssr.total_steps // 6):
        progress.losses["whole image and its son"] = fixed_loss()
        panel.update(progress, zssr.raw())
    list(beside)  # wait for the other three networks

# %% [markdown]
# If you press stop during training, nothing is lost: the current training step is completed first.
# Run the same cell again to continue the training.
# The training loss fluctuates because each batch has different fathers, and it rises when a new stage with a harder task begins.
# Therefore the plot has a second curve: the loss of one fixed pair, the whole given image and its son.
# In the first half, the network is trained for a scale of 1.5, and this curve tests a scale of 2, so it shows the progress only in the second half.
# (It is no test of the method, because the network trains on crops of this pair.)
# Move the slider to see the same part of the picture after different numbers of training steps:

# %%
from dil_teach.notebook import scrub

top, left = crop[:2]
history = [
    (step, image[:, top : top + side, left : left + side])
    for step, image in panel.history
]
steps = scrub(
    history,
    alt="Part of the network's output after {step} steps. With more steps, the edges "
    "get thinner, and the jagged outlines become smooth lines",
)

# %% [markdown]
# Most of the change happens early.
# After 50 steps, the output has a pattern of dots, and the outlines are jagged; most of this is gone after 300 steps.
#
# ## Exercise: the control
#
# *Back-projection* [@irani1991] downscales the result to the size of the given image and computes the difference between the two.
# Then back-projection adds the upscaled difference to the result, and repeats these steps.
# Back-projection needs no network, so we can also apply it to the result of bicubic interpolation.
# For bicubic interpolation, twenty iterations are best.
# (The output of a well-trained network needs only three iterations. If the blur is wide, more than three iterations would amplify noise.)
# Bicubic interpolation with back-projection is our [control](glossary.md#control).
# Every claim of this chapter about learning is a comparison with the control.
#
# Write `control(low, kernel, rounds)`, which enlarges `low` to twice its size by bicubic interpolation and then applies back-projection.
# Each round of back-projection downscales the current result with the kernel, and subtracts the downscaled result from `low`.
# Then the round upscales this difference by bicubic interpolation and adds it to the current result.
#
# - `low`: Float[Tensor, "c h w"] in [0, 1], the given image.
# - `kernel`: the kernel that made `low`, either Float[Tensor, "k k"], sampled on the result's pixels, or a name such as `"bicubic"`.
# - `rounds`: int, at least 0.
# - Returns Float[Tensor, "c 2h 2w"], not clamped to [0, 1].
#
# Use `resize` and `blur_and_subsample(image, kernel, scale=2)`, and not the library's `back_project`.
# Expected run time: a few milliseconds per round.


# %% tags=["exercise"]
from dil_teach import blur_and_subsample


def control(low, kernel, rounds):
    ### BEGIN SOLUTION
    high = resize(low, scale=2)
    for _ in range(rounds):
        missing = low - blur_and_subsample(high, kernel, scale=2)
        high = high + resize(missing, scale=2)
    return high
    ### END SOLUTION


# %%
check.control(control)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# If you downscale a perfect result, which image do you get?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Where the downscaled result is brighter than `low`, the result must become darker.
# Do you subtract the downscaled result from `low`, or `low` from the downscaled result?
#
# </details>
# <details><summary>Hint 3</summary>
#
# The body of the loop has two or three lines: downscale, subtract, add.
# In each round, downscale the *current* result, not the first result.
#
# </details>

# %% [markdown]
# ## Experiment 1: the control
#
# The next table and figure use your function if it passed the check, and the library's function otherwise.

# %%
from dil_teach import psnr_y
from dil_teach.course.credit import show_credit
from dil_teach.deep.zssr.comparison import compare

done = check.control(control).state == "passed"
correct = control if done else check.control.reference
CONTROL = "bicubic + back-projection"
results = compare(zssr) | {CONTROL: correct(given, "bicubic", 20).clamp(0, 1)}
score = {name: psnr_y(image, truth, shave=2) for name, image in results.items()}
hand_score = psnr_y(by_hand, truth, shave=2)

# %%
plain = {"bicubic": "bicubic interpolation", "raw": "the network alone"}
plain |= {"ensemble": "mean of eight orientations", "final": "final result"}
here = {plain.get(n, n): score[n] for n in ("bicubic", CONTROL, *list(plain)[1:])}
credit = show_credit("zssr_cup", here={**here, "the loop by hand": hand_score})

# %%
show(
    {name: results[name] for name in ("bicubic", CONTROL, "raw", "final")},
    alt="Part of the picture: bicubic interpolation, control, raw network, final "
    "result and ground truth. The edges of the control are jagged, with ripples beside "
    "them; the edges of the network are clean lines",
    truth=truth,
    crop=crop,
)

# %% [markdown]
# Read the table from the top to the bottom.
# The control gains a little more than one decibel over bicubic interpolation, although it learns nothing.
# The output of the **network alone** is far better than the control, so most of ZSSR's gain was learned (question 1).
# In the network's output, back-projection has little left to correct.
# (The record's runs with `quick` had 64 channels, 500 steps, and 800 steps by hand; if you chose `quick`, this run has less training, and its scores are lower by about 0.7 dB.)
# Our loop, with a smaller network and no gradual scales, also beats the control, and stays below the library's network.
# Always look at the score of the network alone first: a network that learned nothing returns bicubic interpolation, and back-projection would hide this failure.
#
# The photograph of this cup is easy for ZSSR.
# Over 14 pictures of a benchmark, the gain over the control is between 0.3 and 5.6 dB; this cup is among the four with over 3 dB.
# On most pictures, ZSSR gains less than three decibels over the control (question 5 of *Predict, then unfold*).

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "our loop beats the control by over 0.3 dB": hand_score > score[CONTROL] + 0.3,
    "eight orientations improve our loop": psnr_y(averaged, truth, shave=2)
    > hand_score,
    "the network alone beats our loop": score["raw"] > hand_score,
    "the network's gain is over twice the control's gain": score["raw"]
    - score["bicubic"]
    > 2 * (score[CONTROL] - score["bicubic"]),
    "the final result beats the network alone": score["final"] > score["raw"],
}
check_claims(claims, own)  # the claims may be false for your own photograph

# %% [markdown]
# ### The recurrence score
#
# Chapter [01](01_patch_recurrence.ipynb) measured how many patches of an image [recur](glossary.md#recurrence-score) in the same image.
# It concluded that a result should have the same score as its ground truth.
# (To save time, we use only the 96 x 96 pixels in the middle of each image.)

# %%
from statistics import mean

from dil_teach.patches import recurrence as r

top, left = max(height - 96, 0) // 2, max(width - 96, 0) // 2
middles = {
    name: image[:, top : top + 96, left : left + 96]
    for name, image in {**results, "ground truth": truth}.items()
}
where = r.detailed(middles["ground truth"])  # the same places in each image


def scores(image):
    """The fraction of patches with a good match: of all, and of the detailed ones."""
    found = [r.match_distances(image, scale=s, most=1)[..., 0] for s in r.SCALES]
    good = torch.stack(found) <= r.good_distance(image)
    return float(good.double().mean()), float(good[:, where].double().mean())


# %%
from os import cpu_count

names = ("bicubic", CONTROL, "final", "ground truth")
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    found = pool.map(scores, [middles[name] for name in names])
recurs = dict(zip(names, found, strict=True))
print(f"{'':26}all patches  detailed patches")
for name in names:
    print(f"{name:26}{recurs[name][0]:11.2f}{recurs[name][1]:18.2f}")

# %% [markdown]
# By the first column, bicubic interpolation is nearest to the ground truth.
# But this column misleads: three quarters of the patches are smooth, and smooth patches recur in every version.
# A blurred patch also recurs easily, because blur removes what distinguishes it from others.
# Therefore images should be compared at equal [gradient](glossary.md#gradient-magnitude) [@zontak2011].
# The second column takes only the places where the *ground truth* has most contrast: a quarter of all patches.
# There, the patches of bicubic interpolation recur far less often than those of the ground truth: interpolation leaves a staircase along oblique outlines, so their pieces differ.
# The control has the same problem, with ripples.
# The patches of ZSSR find matches about as often as those of the ground truth.
# (Overlapping patches count as matches here, so this says mostly that the outlines are as regular as those of the ground truth.)

# %%
# NBVAL_CHECK_OUTPUT
away = {
    name: [abs(a - b) for a, b in zip(pair, recurs["ground truth"], strict=True)]
    for name, pair in recurs.items()
}
claims = {
    "over all patches, bicubic's score is nearest to the truth's": away["bicubic"][0]
    < min(away[CONTROL][0], away["final"][0]),
    "over detailed patches, ZSSR's score is nearest": away["final"][1]
    < min(away["bicubic"][1], away[CONTROL][1]),
    "there, bicubic's score is lower by over 0.1": recurs["bicubic"][1]
    < recurs["ground truth"][1] - 0.1,
}
check_claims(claims, own)

# %% [markdown]
# ### The published figures
#
# For images downscaled by bicubic interpolation, the paper [@shocher2018] reports these values (PSNR in dB / SSIM, both on luma):
#
# | | Set5 | Set14 | BSD100 |
# |---|---|---|---|
# | x2 | 37.37 / .9570 | 33.00 / .9108 | 31.65 / .8920 |
# | x3 | 33.42 / .9188 | | |
# | x4 | 31.13 / .8796 | | |
#
# The next cell reads our own figures on Set5 at scale 2 from the records of two benchmarks.
# Both use the same given images; VDSR [@kim2016] has its published weights.

# %%
from dil_teach.course.records import record

set5 = [r for r in record("inside_outside_ideal") if r["pictures"] == "Set5"]
inside = mean(row["final"] for row in record("zssr_set5_full"))
outside = mean(row["VDSR, published weights"] for row in set5)
print(f"ZSSR, full, trained on the one given image:   {inside:.2f} dB")
print(f"VDSR, trained on 291 other photographs:       {outside:.2f} dB")
check_claims({"they differ by under 0.1 dB": abs(inside - outside) < 0.1})

# %% [markdown]
# A network that has seen nothing but the small image itself reaches, to within a tenth of a decibel, a network of 20 layers that was trained on 291 photographs for this very downscaling.
# Larger external networks are better on Set5 (chapter [10](10_inside_against_outside.ipynb)).
# You cannot compare the values on Set5 with the values of this chapter, because this chapter's photographs have other sizes and contents.
#
# ## Exercise: the son
#
# Real cameras do not use bicubic interpolation.
# Write a forward model with any blur and with noise: `make_son(father, kernel, sigma, rng)`.
#
# - `father`: Float[Tensor, "c h w"] in [0, 1], with even height and width; pad it by repeating its border pixels.
# - `kernel`: Float[Tensor, "k k"] with even k, the correlation weights of the father's pixels; their sum is 1.
#   The kernel's centre is the centre of this array, which lies between pixels.
# - `sigma`: standard deviation of white Gaussian noise, for values in [0, 1].
#   `rng`: the `torch.Generator` of the noise.
# - Returns the son, Float[Tensor, "c h/2 w/2"].
#   Pixel $i$ of the son has the coordinate $2i + \tfrac12$ in the father, in rows and in columns.
#   This coordinate is halfway between the two pixels of the father that pixel $i$ replaces.
#   The son's values are not clamped to [0, 1].
#
# Use only torch; do not use `blur_and_subsample`.
# Expected run time: well under a second.

# %% tags=["exercise"]
import torch.nn.functional as F


def make_son(father, kernel, sigma, rng):
    ### BEGIN SOLUTION
    border = len(kernel) // 2 - 1
    padded = F.pad(father[:, None], 4 * [border], mode="replicate")
    son = F.conv2d(padded, kernel[None, None], stride=2)[:, 0]
    return son + sigma * torch.randn(son.shape, generator=rng)
    ### END SOLUTION


# %%
check.make_son(make_son)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# One convolution with a stride does both the blur and the subsampling.
# The convolution of torch is in fact a correlation, and you need a correlation here.
#
# </details>
# <details><summary>Hint 2</summary>
#
# To blur each channel separately, use the channels as the batch.
# For the border, look at `F.pad` and its modes.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The first pixel of the son has the coordinate 0.5 in the father.
# Therefore a kernel of 2 x 2 pixels needs no padding, and a kernel of 4 x 4 pixels needs one pixel of padding on each side.
#
# </details>

# %% [markdown]
# ## Experiment 2: the wrong blur
#
# We use this forward model as a camera with an oblique anisotropic Gaussian blur that we know.
# The given image is made by your function if it passed the check, and by the library's function otherwise.
# (Photograph of the dahlia: vultilion, CC BY 2.0, as scikit-learn ships it.)

# %%
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.notebook import enlarged


def blur(times):
    return gaussian_kernel((2.0 * times, times), angle=0.5, size=20).float()


done = check.make_son(make_son).state == "passed"
camera = make_son if done else check.make_son.reference
flower = photo("flower", size=128)
blurred = camera(flower, blur(1), 0.0, rng).clamp(0, 1).to(device())
flower = flower.to(device())

# %%
kernel_seen = enlarged((blur(1) / blur(1).max())[None], 8)
show(
    {"truth": flower, "the camera's blur, 8 times": kernel_seen, "given": blurred},
    alt="A dahlia in full detail; the blur kernel, an oblique oval that falls to the "
    "right; and the given image, half as large and visibly softer",
)

# %% [markdown]
# The camera's blur is wider than the blur of bicubic interpolation, and its width depends on the direction.
# We train three networks, and each training *assumes* a different kernel: the bicubic kernel, which is too narrow, the camera's blur, and the camera's blur with 1.5 times its widths.
# The assumed kernel makes the sons, and back-projection uses the same kernel.
# The given image is the same in all three trainings.
# The network is the small one of the settings `small` above; its output is corrected by twenty iterations of back-projection, as in the control.

# %%
assumed = {"bicubic": "bicubic", "true": blur(1), "too wide": blur(1.5)}
methods = {what: ZSSR(blurred, 2, kernel, small) for what, kernel in assumed.items()}

# %%
from dil_teach import fit_all

fit_all(methods.values())  # in parallel
with ThreadPoolExecutor(cpu_count()) as pool:
    made = pool.map(compare, methods.values())
with_blur, with_score = dict(zip(methods, made, strict=True)), {}
for what, made in with_blur.items():
    with_score[what] = {n: psnr_y(made[n], flower, shave=2) for n in made}
    print(f"assumed blur {what:>8}:", end=" ")
    print(
        ", ".join(f"{n} {with_score[what][n]:.2f}" for n in (CONTROL, "raw", "final"))
    )

# %% [markdown]
# Each line begins with the assumed kernel.
# The control assumes the same kernel as ZSSR.
# The next table separates what the kernel contributes from what the network contributes.

# %%
right, wrong = with_score["true"], with_score["bicubic"]
here = {
    "bicubic interpolation": right["bicubic"],
    "back-projection, bicubic kernel assumed": wrong[CONTROL],
    "ZSSR, bicubic kernel assumed": wrong["final"],
    "back-projection, true kernel": right[CONTROL],
    "the network alone, true kernel": right["raw"],
    "ZSSR, true kernel": right["final"],
}
credit = show_credit("zssr_blur", here=here)

# %% [markdown]
# The experiment has two results.
# First, knowing the blur improves the result more than the network does: if we assume bicubic, we lose most of the gain.
# @michaeli2013 showed that an estimated kernel improves other methods, too.
# Second, **the control with the true blur already has most of the gain**, two thirds of it or more.
# Learning adds the rest: about one and a half decibels in the record.
# (With the budget `quick`, this run has a third of the record's training steps, and learning adds only about one decibel: compare methods only when they have converged.)
#
# The next figure shows the pictures by ZSSR and by the control.

# %%
from dil_teach.notebook import strip


def render_blur(kernel):
    made = with_blur[kernel]
    pictures = {"control": made[CONTROL], "network": made["raw"], "ZSSR": made["final"]}
    return strip(pictures, crop=(60, 12, 48, 48), truth=flower)


# %%
from dil_teach.notebook import Choice, explore

blur_choice = explore(
    render_blur,
    {"kernel": Choice("Assumed blur", tuple(assumed), "true")},
    alt="Petals by the control, by the network alone, by ZSSR, and in the ground "
    "truth; the assumed blur is {kernel}. If it is bicubic, the petals are soft; if it "
    "is the true blur, they are clear; if it is too wide, they have dark and bright "
    "rings",
    examples=[{"kernel": kernel} for kernel in assumed],
    live=True,
)

# %% [markdown]
# If we assume too little blur, such as that of bicubic downscaling, the result stays soft (question 2).
# The sons were sharper than the given image, so the network never saw such a soft image in training.
# If we assume too much blur, the network sharpens too much: outlines become too strong, and rings appear around the outlines.
# Back-projection with this wrong kernel makes the rings stronger: here the network alone is better than the final result, and the control is better than ZSSR.
# Here, assuming too much blur is a worse mistake than assuming too little blur, and most of the damage comes from the back-projection at the end.
# (Chapters 07 and 11 estimate an unknown kernel.)

# %%
# NBVAL_CHECK_OUTPUT
final = {what: scores["final"] for what, scores in with_score.items()}
by_kernel, learned = right[CONTROL] - right["bicubic"], final["true"] - right[CONTROL]
much = with_score["too wide"]
true_kernel = {
    "assuming the true blur gives the best score": final["true"] == max(final.values()),
    "it beats assuming bicubic by over 3 dB": final["true"] > final["bicubic"] + 3,
    "with it, ZSSR beats the control by over 0.7 dB": learned > 0.7,
    "with it, the control has over 60% of ZSSR's gain": by_kernel > 1.5 * learned,
}
check_claims(true_kernel)

# %%
# NBVAL_CHECK_OUTPUT
worse = {name: final["too wide"] < much[name] for name in ("bicubic", CONTROL, "raw")}
check_claims(
    {f"with too much blur, ZSSR is worse than {n}": w for n, w in worse.items()}
)

# %% [markdown]
# ## Experiment 3: depth and width
#
# How large must a network be to learn from one image?
# A benchmark (`benchmarks/credit_zssr.py`) trained networks of six sizes on a small picture of the coffee cup, with 64 x 64 pixels, and with three seeds each.
# The next cell shows its record:

# %%
from dil_teach.notebook import curves

by_size = record("zssr_sizes")
longest = [row for row in by_size if row["steps"] == 2000]
for row in longest:
    short = next(r for r in by_size if r["weights"] == row["weights"])["mean"]
    print(
        f"{row['depth']} layers, {row['width']:2} channels: {row['weights']:6} weights,"
        f" {short:.2f} dB after 500 steps, {row['mean']:.2f} dB after 2000"
    )

# %%
lines = {
    f"{channels} channels": [r for r in longest if r["width"] == channels]
    for channels in (8, 32)
}
points = {
    n: ([r["depth"] for r in g], [r["mean"] for r in g]) for n, g in lines.items()
}
points["control"] = ((2, 8), (longest[0]["control"],) * 2)
show(
    curves(points, xlabel="layers", ylabel="PSNR of Y [dB]"),
    alt="PSNR against the number of layers, for 8 and for 32 channels, and the control "
    "as a level line. Both curves rise with the number of layers; the one for 32 "
    "channels is higher. With two layers of 8 channels, the network is no better than "
    "the control",
)

# %% [markdown]
# A network with a thousand weights is no better than the control.
# A network with fewer than five thousand weights beats the control by one and a half decibels, if it has eight layers.
# So even a small network can learn from one image, and more layers and more channels help.
#
# Compare the two networks of about 4,500 weights, one wide and one deep: after 2000 steps, the deep network is better by 0.6 dB, and it is better with each seed.
# A likely reason is its receptive field: in a patch that is five pixels wide, an edge looks almost like texture; in a patch that is seventeen pixels wide, they can be distinguished.
# The table also warns: after 500 steps, some networks are still far from their final scores.
#
# ### How large is the receptive field?
#
# Which pixels of the given image influence one pixel of the output?
# The gradient of an output pixel with respect to the given image shows these pixels.
# We compute it for the network of our loop, with four layers, and for the library's network, with eight:

# %%
window = 25  # side of the window, in pixels of the given image


def influence(net):
    low = torch.rand(1, len(given), window, window, generator=rng).to(device())
    high = net(low.requires_grad_(), resize(low.detach(), scale=2))
    high[..., window, window].sum().backward()
    seen = low.grad.abs().sum(dim=1)
    return (seen / seen.max()) ** 0.25


fields = {4: influence(network), 8: influence(zssr.network)}
reach = {depth: int((f > 0).any(dim=1).sum()) for depth, f in fields.items()}
show(
    {f"{d} layers: {reach[d]} pixels wide": f for d, f in fields.items()},
    alt="Two black squares. In each, a bright square shows the pixels that influence "
    "one output pixel. The bright square is 9 pixels wide for 4 layers, and 17 pixels "
    "for 8 layers",
)

# %% [markdown]
# White pixels have the largest influence on the output pixel, and black pixels have no influence.
# (We show the fourth root of the influence, because most of it comes from the middle.)
# The bright squares are 9 and 17 pixels wide, which is $2\cdot\mathrm{depth}+1$ pixels.
# Pixels outside the bright square do not influence the output; they could belong to another photograph.
#
# ### An image is a bag of patches
#
# Each output pixel depends on one patch only, so the network should not need the whole image.
# We cut a picture into all its patches of 9 x 9 pixels and shuffle the patches.
# Then we give each patch *alone* to the network of our loop.
# From each output, we keep only the 2 x 2 pixels in the middle:

# %% tags=["algorithm"]
from math import isqrt

from dil_teach.patches.extract import average_patches, extract_patches

piece = given[:, :64, :64]
patches = extract_patches(piece, patch_size=9)  # one per row
order = torch.randperm(len(patches), generator=rng).to(device())
bag = patches[order]
with torch.no_grad():
    alone = bag.unflatten(1, (len(given), 9, 9))
    answers = network(alone, resize(alone, scale=2))[:, :, 8:10, 8:10]
    at_once = network(piece[None], resize(piece, scale=2)[None])[0]
sorted_answers = torch.empty_like(answers)
sorted_answers[order] = answers
inner = at_once[:, 8:-8, 8:-8]  # without the border of 4 given pixels
rebuilt = average_patches(sorted_answers.flatten(1), inner.shape[1:], 2, stride=2)
per = min(12, isqrt(len(bag)))  # patches in each row of the mosaic
mosaic = average_patches(bag[: per**2], (9 * per, 9 * per), 9, stride=9)

# %%
difference = 255 * float((rebuilt - inner).abs().max())
show(
    {
        f"{per**2} of {len(bag)} patches": mosaic,
        "outputs, put in order": rebuilt,
        "output for the whole image": inner,
    },
    alt=f"A mosaic of patches in random order, in which {subject} cannot be seen; the "
    "picture put together from the outputs for single patches; and the same picture "
    "made from the whole image",
)

# %% [markdown]
# The picture made from shuffled patches equals the picture made from the whole image (question 3), because the network never knew where a patch came from.
# This holds only away from the borders: the convolutions pad the image with zeros, so within four pixels of a border, the network can see where the border is.
# We left out these pixels.
# The network learned a function that turns small patches into sharper patches.
# Therefore only the patches of an image matter, not the objects that the image shows.

# %%
# NBVAL_CHECK_OUTPUT
size_scores = {(r["depth"], r["width"]): r["seeds"] for r in longest}
claims = {
    "the receptive field is 2 * depth + 1 pixels wide": reach == {4: 9, 8: 17},
    "shuffled patches change the result by under half a grey level": difference < 0.5,
    "two layers of 8 channels do not beat the control by 0.1 dB": mean(
        size_scores[2, 8]
    )
    < longest[0]["control"] + 0.1,
    "at 4,500 weights, 8 layers beat 2 layers with every seed": min(size_scores[8, 8])
    > max(size_scores[2, 32]),
    "8 layers of 32 channels beat the control by over 2 dB": min(size_scores[8, 32])
    > longest[0]["control"] + 2,
}
check_claims(claims)

# %% [markdown]
# ## Experiment 4: augmentation, and noise
#
# Now we use a noisy photograph: the face of a cat with white noise.
# The [standard deviation](glossary.md#standard-deviation) of the noise is 10 grey levels.
# (Photograph: Stéfan van der Walt, CC0.)
#
# Noise in the given image misleads ZSSR.
# A son is the downscaled father, so its noise is weaker than the father's, but it is the *same* noise: each speck of the son is a blurred speck of the father.
# The loss is the mean absolute difference, and a network that minimises it cannot invent noise: it predicts only what the son tells about the father.
# But the son tells where the father's specks are, so the network learns to sharpen the son's noise into the father's noise, as it sharpens edges.
#
# The remedy is to add noise to the sons only.
# This noise is not in the fathers, and it is stronger than what is left of the father's noise in the son, so the son hardly predicts the father's noise.
# So the network learns to remove noise while it sharpens what remains.
# The paper gives this argument: structures of the image recur across scales, and noise does not [@shocher2018].
# In this experiment we omit back-projection if the sons are noisy, because it would restore the noise.

# %%
from dil_teach.image.augment import add_noise

sigma = 10 / 255
cat = photo("chelsea", size=128).to(device())
clean = resize(cat, scale=0.5)
noise_rng = torch.Generator().manual_seed(seed)
noisy = add_noise(clean, sigma, noise_rng).clamp(0, 1)
modes = {
    "plain sons": shorter,
    "noisy sons": replace(shorter, noise=sigma),
    "noisy sons, one orientation": replace(shorter, noise=sigma, augment=False),
}


# %%
def amplification(method):
    """The noise in the network's output, relative to bicubic interpolation."""
    with torch.no_grad():
        with_noise, without = (
            method.network(low[None], resize(low, scale=2)[None])
            for low in (noisy, clean)
        )
    interpolated = resize(noisy - clean, scale=2)
    return float((with_noise - without).std() / interpolated.std())


# %%
trained = fit_all(ZSSR(noisy, settings=chosen) for chosen in modes.values())
cats, cat_score, gain = {}, {}, {}
for mode, method in zip(modes, trained, strict=True):
    cats[mode], gain[mode] = compare(method), amplification(method)
    cat_score[mode] = {n: psnr_y(cats[mode][n], cat, shave=2) for n in cats[mode]}
    print(f"{mode}: network {cat_score[mode]['raw']:.2f} dB,", end=" ")
    print(f"final {cat_score[mode]['final']:.2f} dB, noise times {gain[mode]:.2f}")


# %%
def render_mode(mode):
    made = {"bicubic": cats[mode]["bicubic"], "network": cats[mode]["raw"]}
    made["final"] = cats[mode]["final"]
    return strip(made, crop=(26, 18, 54, 54), truth=cat)


mode_choice = explore(
    render_mode,
    {"mode": Choice("Training", tuple(modes), "noisy sons")},
    alt="The cat's eye: bicubic, network alone, final result and ground truth, trained "
    "with {mode}. With plain sons, the grain is sharper than in the bicubic picture; "
    "with noisy sons, most of it is gone",
    examples=[{"mode": mode} for mode in list(modes)[:2]],
)

# %% [markdown]
# With plain sons, the network sharpens every speck of noise: it amplifies the noise by 40 to 50%, compared with bicubic interpolation, and the result is *worse* than bicubic interpolation.
# With noisy sons, the network reduces the noise, and the result is better than bicubic interpolation.
#
# Is ZSSR a good denoiser, then?
# The next table has the controls: BM3D, a denoiser of chapter [03](03_denoising_with_patches.ipynb), is told the same strength of the noise, and then the image is enlarged.

# %%
noisy_score, plain_score = cat_score["noisy sons"], cat_score["plain sons"]
here = {
    "bicubic interpolation": noisy_score["bicubic"],
    "ZSSR, no noise on the sons": plain_score["final"],
    "the network alone, noisy sons": noisy_score["raw"],
    "mean of eight orientations, noisy sons": noisy_score["final"],
}
credit = show_credit("zssr_noise", here=here)

# %% [markdown]
# On this cat, the answer is no: BM3D followed by ZSSR is a little better than ZSSR with noisy sons, and BM3D followed by EDSR+ is best.
# So most of ZSSR's gain here is denoising, and a classical denoiser does it as well.
# An advantage of ZSSR is that the same training takes other degradations.
# The next cell reads a benchmark's record on five photographs of up to 512 x 512 pixels, in which nobody tells the methods the strength of the noise: both use the same estimate.
# (For JPEG, ZSSR reads the quality from the file and compresses the sons.)

# %%
both = ("EDSR+ of BM3D", "ZSSR, noise mode")
degraded = [r for r in record("inside_outside_poor_quality") if both[0] in r]
ahead = {}
for kind in dict.fromkeys(row["degradation"] for row in degraded):
    rows = [row for row in degraded if row["degradation"] == kind]
    means = {method: mean(row[method] for row in rows) for method in both}
    ahead[kind] = means[both[1]] - means[both[0]]
    print(f"{kind:9}", ", ".join(f"{m} {value:.2f} dB" for m, value in means.items()))

# %% [markdown]
# With white noise, for which BM3D is made, both are equal.
# Speckle is stronger where the image is brighter; there, ZSSR is better by 0.7 dB.
# For JPEG, ZSSR is better by 1.1 dB, and 0.9 dB better than bicubic interpolation.
# But this comparison is not fair: ZSSR knows the quality of the file, and the estimate of white noise is almost 0, so BM3D removes nearly nothing.
#
# The effect of training with eight orientations is visible in the score of the *network alone*.
# Without the eight orientations, the network has only an eighth of the training examples; [overfitting](glossary.md#overfitting) is a likely reason for its lower score.
# In all cases, the *final* result is the mean over eight orientations of the given image, which hides most of this difference.

# %%
# NBVAL_CHECK_OUTPUT
over_bicubic = {mode: s["final"] - s["bicubic"] for mode, s in cat_score.items()}
one_way = cat_score["noisy sons, one orientation"]
claims = {
    "with plain sons, ZSSR is worse than bicubic": over_bicubic["plain sons"] < 0,
    "with noisy sons, it beats bicubic by over 0.3 dB": over_bicubic["noisy sons"]
    > 0.3,
    "with plain sons, the network amplifies the noise": gain["plain sons"] > 1.2,
    "with noisy sons, the network reduces the noise": gain["noisy sons"] < 0.9,
    "eight orientations add over 0.1 dB to the network alone": noisy_score["raw"]
    > one_way["raw"] + 0.1,
    "with speckle, ZSSR beats EDSR+ after BM3D": ahead["speckle"] > 0.5,
    "with JPEG, too": ahead["JPEG 50"] > 0.5,
}
check_claims(claims)

# %% [markdown]
# ## Predict, then unfold
#
# The talk that this course follows [@irani_talk] compares ZSSR with two other methods.
# EDSR+ [@lim2017] learned from many images, on pairs made by bicubic interpolation; its '+' means the mean over eight orientations.
# Blind-SR [@michaeli2013] is an internal method without a network: it estimates the blur kernel from the recurrence of patches across scales, and enlarges the image with this kernel.
# All values in these questions are PSNR in dB, from the examples of the talk.
# For each question, decide on your answer before you unfold ours; you need at most a minute.
#
# ### 1. The ideal case
#
# The image was downscaled by bicubic interpolation, as in EDSR+'s training.
# The image shows a structure that repeats at many sizes.
# EDSR+ reaches 25.29 dB on this image.
# Does ZSSR reach about 24, 25 or 26 dB?
#
# <details><summary>Answer</summary>
#
# ZSSR reaches 25.68 dB.
# EDSR+ was trained for exactly this kind of downscaling.
# But if an image contains enough similar patches, a network can learn more from them than from many other images.
# On *average* over a benchmark of images downscaled by bicubic interpolation, large networks such as EDSR+ are better.
#
# </details>
#
# ### 2. Another blur
#
# Now the image has another blur.
# Blind-SR and ZSSR use the kernel that Blind-SR estimates from the image.
# EDSR+ reaches 26.42 dB on one such image and 24.44 dB on another.
# By how much is ZSSR better than EDSR+: 0.3, 1 or 3 dB?
# (Use the results of experiment 2.)
#
# <details><summary>Answer</summary>
#
# | | EDSR+ | Blind-SR | ZSSR |
# |---|---|---|---|
# | first image | 26.42 | 27.29 | 29.42 |
# | second image | 24.44 | 25.36 | 27.62 |
#
# ZSSR gains three decibels over EDSR+, and two decibels over Blind-SR.
# Blind-SR and ZSSR learn from the image alone, and have the same kernel; so their difference is what the network adds to an internal method without a network.
# As in experiment 1, ask: which score would the control reach with the same kernel?
# The talk does not report the score of a control.
# In our experiment 2, the control reached most of the gain.
#
# On BSD100 with random blurs, the paper reports 28.81 dB for ZSSR with an estimated kernel and 29.68 dB with the true kernel.
#
# One more question: for the oblique blur of experiment 2, in which of the eight orientations may the *given* image be enlarged and averaged?
# Only in two: unchanged, and after a half turn.
# Any other turn or reflection also turns the blur, and the network was trained for the kernel that is not turned.
# (In training, all eight orientations are allowed, because the sons are blurred after the turn.)
#
# </details>
#
# ### 3. A degraded image
#
# The image has noise and compression artefacts, and comes from an unknown sensor.
# EDSR+ reaches 24.91 dB on one such image and 35.88 dB on another.
# Which part of experiment 4 makes ZSSR better than EDSR+, and by about how many decibels?
#
# <details><summary>Answer</summary>
#
# ZSSR reaches 26.25 dB on the first image and 37.80 dB on the second, which is 1.3 and 1.9 dB more than EDSR+.
# Noise on the sons helps: the network then ignores what does not recur across scales.
# A network that was trained on clean pairs mistakes noise for detail.
# The talk has no control with a denoiser before EDSR+; our table above has one.
#
# </details>
#
# ### 4. Time
#
# ZSSR trains a new network for each image.
# How long did the training for one image take on a K80 and on a V100, two GPUs of that time?
#
# <details><summary>Answer</summary>
#
# The training took 54 seconds on the K80 and 9 seconds on the V100.
# With the budget `quick`, our training takes about ten seconds on a CPU, because it has few steps on small crops at low resolution; with `full`, the first picture of this chapter took 45 seconds.
#
# </details>
#
# ### 5. Other photographs
#
# Four more images are available: `"flower"` (a dahlia), `"chelsea"` (a cat), `"china"` (a pagoda among trees) and `"facade"` (a house front).
# The house front is *rendered*, not photographed.
# On which of the four images does ZSSR gain most over the control?
# Write down the four images, ordered by the gain that you expect.
# Then set `name` near the top of the chapter to each image in turn, and run all cells (half a minute for each image).
#
# <details><summary>Answer</summary>
#
# ZSSR gains most by far on the dahlia, because the clean edge of its petals recurs at many sizes.
# The facade comes second, with a much smaller gain, although the facade recurs more than the other images.
# At this size, the bars of the facade's distant windows are thinner than a pixel.
# ZSSR can learn only from detail that the given image resolves.
# On the cat and the pagoda, ZSSR gains little, because patches of fur and leaves look alike but do not recur.
#
# </details>
#
# ## When it fails: a compressed face
#
# The next photograph is the face of the astronaut, at half its size and compressed as JPEG with quality 30.
# We give it to ZSSR as if it were a clean photograph, and once more with sons that are compressed in the same way.
# Predict: which of bicubic interpolation, control and ZSSR is nearest to the ground truth?

# %%
as_clean, told = compare(face_as_clean), compare(face_told)

# %%
face_score = {n: psnr_y(as_clean[n], face, shave=2) for n in as_clean}
told_score = psnr_y(told["final"], face, shave=2)
here = {plain.get(n, n): face_score[n] for n in ("bicubic", CONTROL, "raw", "final")}
here["final result, compressed sons"] = told_score
credit = show_credit("zssr_jpeg", here=here)

# %%
pictures = {"bicubic": as_clean["bicubic"], "ZSSR": as_clean["final"]}
pictures["ZSSR, compressed sons"] = told["final"]
show(
    pictures,
    alt="The hair and eyes of a face. By bicubic interpolation, they are soft, with "
    "visible blocks; by ZSSR, blocks and rings are sharper; by ZSSR with compressed "
    "sons, they are weaker, and the eyes stay vague; the truth has clear eyes",
    truth=face,
    crop=(16, 16, 96, 96),
)

# %% [markdown]
# ZSSR and the control are both *worse* than bicubic interpolation: they sharpen the borders of the blocks, and the rings around outlines.
# The blocks of a JPEG file are always 8 pixels wide.
# In a son they would be 4 pixels wide, so the sons do not show what compression does to the given image.
# Compressed sons repair this: the result is better than bicubic interpolation, but only by a fifth of a decibel.
# The eyes and the strands of hair stay vague.
# The eyes occur once, at one size, and compression has deleted their detail: the image has no example to learn from.
# A network that was trained on faces would draw clear eyes, but not necessarily this woman's eyes.
#
# Here is the coin of the first figure again, with this smaller network:

# %%
of_coin = {
    "bicubic": resize(coin, 2).clamp(0, 1),
    "EDSR+": by_edsr.result()[:1],
    "ZSSR, compressed sons": coin_told.super_resolve().clamp(0, 1),
}

# %%
show(
    of_coin,
    alt="The coin of the first figure: blurred by bicubic interpolation; with rings "
    "and the borders of blocks by EDSR+; nearly without them by ZSSR",
    crop=(8, 8, 144, 144),
    zoom=2,
)

# %% [markdown]
# EDSR+ sharpens the rings and the blocks, as in the longer run.
# ZSSR has seen only this part of the photograph, but it removes nearly all of them.
#
# There is also nothing to learn where an image has no detail at the scale of its pixels, for example in a full-size photograph from a phone.
# Then the upscaled son equals its father, and the residual shows this before training:

# %%
retina = photo("retina")[:, 560:688, 260:388].to(device())
small_retina = resize(retina, scale=0.5).clamp(0, 1)
upscaled_son = resize(resize(small_retina, scale=0.5), scale=2)
smooth_lesson = 255 * float((small_retina - upscaled_son).abs().mean())
print(
    f"The residual of a smooth photograph, a retina: {smooth_lesson:.2f} grey levels;"
)
print(f"the residual of the first photograph: {lesson:.2f} grey levels.")

# %% [markdown]
# Downscale such a photograph first, or estimate its blur kernel and give this kernel to ZSSR.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "on the compressed face, ZSSR is worse than bicubic": face_score["final"]
    < face_score["bicubic"],
    "and so is the control": face_score[CONTROL] < face_score["bicubic"],
    "with compressed sons, ZSSR gains under 0.5 dB over bicubic": 0
    < told_score - face_score["bicubic"]
    < 0.5,
    "the retina's residual is under a third of the first one": smooth_lesson
    < lesson / 3,
}
check_claims(claims, own)

# %% [markdown]
# ## Mini-project: rescue an old photograph
#
# Choose an old photograph: scan or photograph a print, or download one in the public domain.
# Cut out a part of at most 256 x 256 pixels, and enlarge it by 2 as well as you can, with anything from this course.
# You have no ground truth, so first practise on a *twin*: a sharp photograph that you degrade until it looks like yours, and that you can score.
# Expected run time: about half a minute for each training.
#
# | criterion | points | full points if |
# |---|---|---|
# | degradation | 3 | you name blur, noise and compression, and say how you estimated each of them |
# | twin | 2 | its degradation is stated as a forward model, and its residual is near that of your photograph |
# | controls | 3 | bicubic interpolation, back-projection, and a denoiser before an enlargement have the same information as ZSSR, and three seeds show the spread |
# | result | 2 | you show the pictures at one scale, and name one part that is better and one that is worse than by bicubic interpolation |
# | honesty | 2 | no setting was chosen by the score that you report, and you say what your twin cannot tell |
#
# ## Summary
#
# - An image provides its own training pairs: fathers, and the sons that the forward model makes from them.
# - A network with few weights is enough, because the patches of one image vary little.
#   The network sees patches that are $2\cdot\mathrm{depth}+1$ pixels wide, and it does not know their positions.
# - Only ZSSR's gain over the control was learned.
#   The control is bicubic interpolation, followed by back-projection with the same blur.
# - The sons must be degraded in the same way as the given image.
#   Knowing the true blur improves the result more than the network does.
#   For a noisy image, add noise to the sons: the network then ignores what does not recur across scales.
#   A denoiser before the enlargement can do as well.
# - A recurrence score compares images only at places of equal contrast: smooth and blurred patches recur by themselves.
# - ZSSR cannot restore what occurs once, and it sharpens the blocks of a compressed image.
#   The residual shows before training whether there is something to learn.
#
# ## References
