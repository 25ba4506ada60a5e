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
#
# **After this chapter you can**
#
# - make [father](glossary.md#father) and [son](glossary.md#son) from an image, and write the training step that uses them;
# - say why a small network is enough, how large its receptive field is, and why it cannot know *where* in the image a [patch](glossary.md#patch) lies;
# - run the [control](glossary.md#control), which shows how much of ZSSR's gain was learned;
# - predict how a wrong [blur kernel](glossary.md#blur-kernel), noise, or a smooth photograph changes the result.
#
# **What you need**: chapter [00](00_tour.ipynb), and some experience with training loops in PyTorch.
# No GPU is needed.
# Reading takes 40 minutes, and computing takes less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 30, "standard": 80, "full": 260})

# %% [markdown]
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
# Where the residual is black, there is nothing to learn; the last section returns to this point.

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
# Networks that learn from many images have tens of millions of weights; the next cell counts the weights of ours:

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

# %%
hand_steps = {"quick": 250, "standard": 800, "full": 3000}[budget]
network = ResidualNetwork(len(given), width=32, depth=4, factor=2, rng=rng)
network = network.to(given.device)
optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
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
    father = torch.stack([random_crop(orient(given, t), (32, 32), rng) for t in turns])
    son = resize(father, scale=0.5)
    restored = network(son, resize(son, scale=2))
    loss = (restored - father).abs().mean()
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
with torch.no_grad():
    by_hand = network(given[None], resize(given, scale=2)[None])[0]
bicubic = resize(given, scale=2).clamp(0, 1)
side = min(80, height, width)
crop = (min(20, height - side), min(150, width - side), side, side)
show(
    {"bicubic": bicubic, "our loop": by_hand},
    alt="Part of the picture by bicubic interpolation, by our loop, and in the ground "
    "truth. The edges by our loop are sharper than those by bicubic interpolation, but "
    "softer than those of the ground truth",
    truth=truth,
    crop=crop,
    zoom=3,
)

# %% [markdown]
# Our loop has a dozen lines and runs for about a second.
# The edges in its result are already sharper than the edges by bicubic interpolation.
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
# - at the end, the **[mean over eight orientations](glossary.md#self-ensemble)** of the image, and **back-projection**, which makes the result agree with the given image.
#
# **Stopping rule**: training ends after a number of steps that the budget fixes beforehand.
# The stopping rule does not use the ground truth.

# %%
from dil_teach import ZSSRSettings, train
from dil_teach.notebook import LivePanel

settings = getattr(ZSSRSettings, budget)(seed=seed)
zssr = ZSSR(given, scale=2, settings=settings)
panel = LivePanel(alt=f"The network's current output for {subject}")

# %%
for progress in train(zssr, report_every=zssr.total_steps // 10):
    panel.update(progress, zssr.raw())

# %% [markdown]
# If you press stop during training, nothing is lost: the current training step is completed first.
# Run the same cell again to continue the training.
# The loss fluctuates because each batch has different fathers.
# The loss also rises when a new stage with a harder task begins.
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
# Most of the change happens early: the network learns the wide edges first, because wide edges are the largest part of the residual.
# The later training steps turn jagged thin edges into smooth lines.
#
# ## Experiment 1: the control
#
# *Back-projection* [@irani1991] downscales the result to the size of the given image and computes the difference between the two.
# Then back-projection adds the upscaled difference to the result, and repeats these steps.
# Back-projection needs no network, so we can also apply it to the result of bicubic interpolation.
# For bicubic interpolation, twenty iterations are best.
# (The output of a well-trained network needs only three iterations. If the blur is wide, more than three iterations would amplify noise.)
# Bicubic interpolation with back-projection is our [control](glossary.md#control).
# Every claim of this chapter about learning is a comparison with the control.

# %%
from dil_teach import psnr_y
from dil_teach.deep.zssr.comparison import compare

CONTROL = "bicubic + back-projection"
results = compare(zssr)
score = {name: psnr_y(image, truth, shave=2) for name, image in results.items()}
for version, decibels in score.items():
    print(f"{version:26}{decibels:6.2f} dB{decibels - score['bicubic']:+7.2f}")

# %%
show(
    {name: results[name] for name in ("bicubic", CONTROL, "raw", "final")},
    alt="Part of the picture: bicubic interpolation, control, raw network, final "
    "result and ground truth. The edges of the control are jagged, with ripples beside "
    "them; the edges of the network are clean lines",
    truth=truth,
    crop=crop,
    zoom=2,
)

# %% [markdown]
# Read the table of scores from the top to the bottom.
# The control gains a little more than one decibel over bicubic interpolation, although it learns nothing.
# The **raw** output of the network is far better than the control, so most of ZSSR's gain was learned (question 1).
# In the network's output, back-projection has little left to correct.
# The mean over eight orientations removes random errors of single orientations.
# Always look at the *raw* score first: a network that learned nothing returns bicubic interpolation, and back-projection would hide this failure.
#
# The photograph of this cup is easy for ZSSR.
# ZSSR is best at long clean curves.
# On most pictures, ZSSR gains less than three decibels over the control (question 5 of *Predict, then unfold*).

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "our loop beats bicubic by over 0.7 dB": psnr_y(by_hand, truth, shave=2)
    > score["bicubic"] + 0.7,
    "the raw network beats bicubic by over 2 dB": score["raw"] > score["bicubic"] + 2,
    "the network's gain is over twice the control's gain": score["raw"]
    - score["bicubic"]
    > 2 * (score[CONTROL] - score["bicubic"]),
    "the final result beats the raw output": score["final"] > score["raw"],
}
check_claims(claims, own)  # the claims may be false for your own photograph

# %% [markdown]
# ### The recurrence score
#
# Chapter [01](01_patch_recurrence.ipynb) measured how many patches of an image [recur](glossary.md#recurrence-score) in the same image.
# Do our results have the same internal statistics as the ground truth?
# (To save time, we use only the 96 x 96 pixels in the middle of each image.)

# %%
from dil_teach.patches.recurrence import recurrence_score

top, left = max(height - 96, 0) // 2, max(width - 96, 0) // 2
for version in ("bicubic", CONTROL, "final"):
    middle = results[version][:, top : top + 96, left : left + 96]
    print(f"{version:26}{recurrence_score(middle):.2f}")
middle = truth[:, top : top + 96, left : left + 96]
print(f"{'ground truth':26}{recurrence_score(middle):.2f}")

# %% [markdown]
# The control's result has ripples, and patches with ripples recur less often than patches of the ground truth.
# ZSSR's patches recur *more*, because its result omits structures that occur only once, such as grain and specks.
# On the dahlia and on the astronaut of the tour, ZSSR's recurrence score differs by at most 0.01 from the score of the ground truth.
# On these two images, the scores of bicubic interpolation and of the control are 0.03 to 0.07 lower than the score of the ground truth.
#
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
# The project's README lists our figures on Set5, for three budgets and three seeds, with their computing time.
# A script in `benchmarks/` measures our figures again.
# You cannot compare the values on Set5 with the values of this chapter, because this chapter's photographs have other sizes and contents.
#
# ## Experiment 2: the wrong blur
#
# Real cameras do not use bicubic interpolation.
# We simulate a camera with an oblique anisotropic Gaussian blur that we know.
# (Photograph of the dahlia: vultilion, CC BY 2.0, as scikit-learn ships it.)

# %%
from dil_teach import blur_and_subsample
from dil_teach.image.kernel import gaussian_kernel
from dil_teach.notebook import enlarged


def blur(times):
    return gaussian_kernel((2.0 * times, 1.0 * times), angle=0.5)


flower = photo("flower", size=128).to(device())
blurred = blur_and_subsample(flower, blur(1), scale=2).clamp(0, 1)
kernel_seen = enlarged((blur(1) / blur(1).max()).float()[None], 8)
show(
    {"truth": flower, "the camera's blur, 8 times": kernel_seen, "given": blurred},
    alt="A dahlia in full detail; the blur kernel, an oblique oval that falls to the "
    "right; and the given image, half as large and visibly softer",
    zoom=2,
)

# %% [markdown]
# The camera's blur is wider than the blur of bicubic interpolation, and its width depends on the direction.
# We train six networks, and each training *assumes* a different kernel.
# One training assumes the bicubic kernel.
# The other five trainings assume the camera's blur with its widths multiplied by a factor from 0.5 to 1.5.
# The assumed kernel makes the sons, and back-projection uses the same kernel.
# The given image is the same in all six trainings.
# A small network and few steps keep the training short.
# The network therefore learns less, and we correct its output by twenty iterations of back-projection, as in the control.

# %%
side_steps = {"quick": 100, "standard": 300, "full": 1000}[budget]
small = ZSSRSettings(
    steps=side_steps,
    gradual=1,
    width=32,
    depth=6,
    crop=16,
    batch=4,
    seed=seed,
    back_projections=20,
)
factors = (0.5, 0.75, 1.0, 1.25, 1.5)
assumed = {times: ZSSR(blurred, 2, blur(times), small) for times in factors}
assumed["bicubic"] = ZSSR(blurred, 2, "bicubic", small)

# %%
from dil_teach import fit

with_blur, with_score = {}, {}
for what, method in assumed.items():
    made = with_blur[what] = compare(fit(method))
    with_score[what] = {n: psnr_y(made[n], flower, shave=2) for n in made}
    ours, control = with_score[what]["final"], with_score[what][CONTROL]
    print(f"assumed blur {what!s:>7}: ZSSR {ours:6.2f} dB, {CONTROL} {control:6.2f} dB")

# %% [markdown]
# Each line begins with the assumed kernel: bicubic, or the width of the assumed blur divided by the width of the true blur.
# The control assumes the same kernel as ZSSR.
# The next figure shows the scores as curves:

# %%
from dil_teach.notebook import curves

bicubic_assumed = with_score["bicubic"]["final"]
show(
    curves(
        {
            "ZSSR": (factors, [with_score[t]["final"] for t in factors]),
            "control": (factors, [with_score[t][CONTROL] for t in factors]),
            "ZSSR assuming bicubic": ((0.5, 1.5), (bicubic_assumed, bicubic_assumed)),
        },
        xlabel="assumed blur / true blur",
        ylabel="PSNR of Y [dB]",
    ),
    alt="Score against the assumed blur. ZSSR and the control are best at the true "
    "blur, where ZSSR is better; both fall steeply if too much blur is assumed",
)

# %% [markdown]
# The experiment has two results.
# First, knowing the blur improves the result more than the network does: if we assume bicubic, we lose most of the gain.
# @michaeli2013 found the same for other methods.
# Second, **with the true blur, the control also reaches most of the gain**.
# With the true blur, learning adds about two thirds of a decibel; if we assume too much blur, learning adds nothing.
# The next figure shows the pictures by ZSSR and by the control.

# %%
from dil_teach.notebook import strip


def render_blur(times):
    nearest = min(factors, key=lambda t: abs(t - times))
    pictures = {}
    for title, key in (("ZSSR", "final"), ("control", CONTROL)):
        decibels = with_score[nearest][key]
        pictures[f"{title}\n{decibels:.2f} dB"] = with_blur[nearest][key]
    return strip(pictures, crop=(60, 12, 48, 48), zoom=3)


# %%
from dil_teach.notebook import Slider, explore

blur_slider = explore(
    render_blur,
    {"times": Slider("Assumed blur / true blur", 0.5, 1.5, 1.0, 0.25)},
    alt="Petals by ZSSR and by the control if {times} times the true blur is assumed. "
    "The petals are soft if this factor is below 1, and clear if it is 1. Above 1 they "
    "are too sharp, with rings around the flower",
    examples=[{"times": times} for times in (0.5, 1.0, 1.5)],
    live=True,
)

# %% [markdown]
# If we assume too little blur, the result stays soft (question 2).
# The sons were sharper than the given image, so the network never saw such a soft image in training.
# If we assume too much blur, the network sharpens too much: outlines become too strong, and rings appear around the outlines.
# Assuming too much blur is a worse mistake than assuming too little blur.
# (Chapters 07 and 11 estimate an unknown kernel.)

# %%
# NBVAL_CHECK_OUTPUT
final = {what: scores["final"] for what, scores in with_score.items()}
claims = {
    "assuming the true blur beats assuming bicubic by over 2 dB": final[1.0]
    > final["bicubic"] + 2,
    "with the true blur, ZSSR beats the control by over 0.3 dB": final[1.0]
    > with_score[1.0][CONTROL] + 0.3,
    "assuming the true blur gives the best score": final[1.0] == max(final.values()),
    "with 1.5 times the true blur, ZSSR is worse than bicubic": final[1.5]
    < with_score[1.5]["bicubic"],
}
check_claims(claims)

# %% [markdown]
# ## Experiment 3: depth and width
#
# How large must a network be to learn from one image?
# We train six networks of different sizes in the same way.
# The given image is a small picture of the coffee cup, with 64 x 64 pixels:

# %%
from dataclasses import replace

cup = photo("coffee", size=128).to(device())
small_cup = resize(cup, scale=0.5).clamp(0, 1)
sizes = [(depth, channels) for depth in (2, 4, 8) for channels in (8, 32)]
pupils = {
    (depth, channels): ZSSR(
        small_cup, settings=replace(small, depth=depth, width=channels)
    )
    for depth, channels in sizes
}

# %%
learned, learned_score = {}, {}
for shape, pupil in pupils.items():
    learned[shape] = fit(pupil).super_resolve()
    learned_score[shape] = psnr_y(learned[shape], cup, shave=2)
    weights = sum(weight.numel() for weight in pupil.network.parameters())
    print(f"depth {shape[0]}, width {shape[1]:2}: {weights:6} weights,", end=" ")
    print(f"{learned_score[shape]:.2f} dB")
cup_control = psnr_y(compare(pupil)[CONTROL], cup, shave=2)
print(f"control, without a network: {cup_control:.2f} dB")

# %%
from dil_teach.notebook import Choice


def render_size(depth, channels):
    image = learned[int(depth), int(channels)]
    title = f"{depth} layers, {channels} channels"
    return strip({title: image}, crop=(44, 40, 64, 64), zoom=3, truth=cup)


size_choice = explore(
    render_size,
    {
        "depth": Choice("Layers", ("2", "4", "8"), "8"),
        "channels": Choice("Channels", ("8", "32"), "32"),
    },
    alt="The cup's rim and spoon by a network with {depth} layers of {channels} "
    "channels, and in the ground truth. With more layers, the rim is smoother",
    examples=[dict(depth="2", channels="8"), dict(depth="8", channels="32")],
)

# %% [markdown]
# A network with a thousand weights scores about the same as the control.
# A deep network with fewer than five thousand weights is a little better than the control.
# So even a small network can learn from one image.
# More layers help if each layer has enough channels.
# In a patch that is five pixels wide, an edge looks almost like texture.
# In a patch that is seventeen pixels wide, edges and texture can be distinguished.
# (Compare the two networks of about 4,500 weights, one wide and one deep.
# The seed alone changes these scores by 0.1 to 0.2 dB, so train longer before you decide which of the two networks is better.)
#
# ### How large is the receptive field?
#
# Which pixels of the given image influence one pixel of the output?
# The gradient of an output pixel with respect to the given image shows these pixels:

# %%
window = 25  # side of the window, in pixels of the given image


def influence(network):
    low = torch.rand(1, 3, window, window, generator=rng).to(device()).requires_grad_()
    high = network(low, resize(low.detach(), scale=2))
    high[..., window, window].sum().backward()
    seen = low.grad.abs().sum(dim=1)
    return (seen / seen.max()) ** 0.25


fields = {depth: influence(pupils[depth, 32].network) for depth in (2, 4, 8)}
reach = {depth: int((f > 0).any(dim=1).sum()) for depth, f in fields.items()}
show(
    {f"{d} layers: {reach[d]} pixels wide": f for d, f in fields.items()},
    alt="Three black squares. In each, a bright square shows the pixels that influence "
    "one output pixel. The bright square is 5 pixels wide for 2 layers, 9 pixels for 4 "
    "layers, and 17 pixels for 8 layers",
)

# %% [markdown]
# White pixels have the largest influence on the output pixel, and black pixels have no influence.
# The bright squares are 5, 9 and 17 pixels wide, which is $2\cdot\mathrm{depth}+1$ pixels.
# Pixels outside the bright square do not influence the output; they could belong to another photograph.
#
# ### An image is a bag of patches
#
# Each output pixel depends on one patch only, so the network should not need the whole image.
# We cut the picture into all its patches of 9 x 9 pixels and shuffle the patches.
# Then we give each patch *alone* to the network of four layers.
# From each output, we keep only the 2 x 2 pixels in the middle:

# %% tags=["algorithm"]
from dil_teach.patches.extract import average_patches, extract_patches

four_layers = pupils[4, 32].network
patches = extract_patches(small_cup, patch_size=9)  # one per row
order = torch.randperm(len(patches), generator=rng).to(device())
bag = patches[order]
with torch.no_grad():
    alone = bag.unflatten(1, (3, 9, 9))
    answers = four_layers(alone, resize(alone, scale=2))[:, :, 8:10, 8:10]
    at_once = four_layers(small_cup[None], resize(small_cup, scale=2)[None])[0]
sorted_answers = torch.empty_like(answers)
sorted_answers[order] = answers
inner = at_once[:, 8:-8, 8:-8]  # without the border of 4 given pixels
rebuilt = average_patches(sorted_answers.flatten(1), inner.shape[1:], 2, stride=2)
mosaic = average_patches(bag[:144], (108, 108), patch_size=9, stride=9)

# %%
difference = 255 * float((rebuilt - inner).abs().max())
show(
    {
        f"64 of {len(bag)} patches": mosaic,
        "outputs, put in order": rebuilt,
        "output for the whole image": inner,
    },
    alt="A mosaic of patches in random order, in which no cup is visible; the cup put "
    "together from the outputs for single patches; and the same cup made from the "
    "whole image",
    crop=(18, 36, 72, 72),
    zoom=3,
)

# %% [markdown]
# The cup made from shuffled patches equals the cup made from the whole image (question 3), because the network never knew where a patch came from.
# The network learned a function that turns small patches into sharper patches.
# Therefore only the patches of an image matter, not the objects that the image shows.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the receptive field is 2 * depth + 1 pixels wide": reach == {2: 5, 4: 9, 8: 17},
    "shuffled patches change the result by under half a grey level": difference < 0.5,
    "with 32 channels, 8 layers beat 2 layers by over 0.3 dB": learned_score[8, 32]
    > learned_score[2, 32] + 0.3,
    "8 layers of 32 channels beat the control by over 0.5 dB": learned_score[8, 32]
    > cup_control + 0.5,
}
check_claims(claims)

# %% [markdown]
# ## Experiment 4: augmentation, and noise
#
# Now we use a noisy photograph: the face of a cat with white noise.
# The [standard deviation](glossary.md#standard-deviation) of the noise is 10 grey levels.
# (Photograph: Stéfan van der Walt, CC0.)
# Noise in the given image misleads ZSSR.
# Downscaling averages the noise, so the sons have *less* noise than their fathers.
# From such pairs of noisy fathers and cleaner sons, the network learns to add noise.
# The remedy is to add noise to the sons only.
# With noise on the sons, the network learns to sharpen *and* to denoise.
# In this experiment we omit back-projection, because it would restore the noise.

# %%
from itertools import product

from dil_teach.image.augment import add_noise

sigma = 10 / 255
cat = photo("chelsea", size=128).to(device())
noise_rng = torch.Generator().manual_seed(seed)
noisy = add_noise(resize(cat, scale=0.5), sigma, noise_rng).clamp(0, 1)
longer = replace(small, steps=2 * side_steps)
modes = {
    (augment, sons): ZSSR(
        noisy, settings=replace(longer, augment=augment, noise=sons * sigma)
    )
    for augment, sons in product((False, True), repeat=2)
}

# %%
cats, cat_score = {}, {}
for mode, method in modes.items():
    cats[mode] = compare(fit(method))
    cat_score[mode] = {n: psnr_y(cats[mode][n], cat, shave=2) for n in cats[mode]}
    turned, noisy_sons = ("on " if switch else "off" for switch in mode)
    print(f"8 orientations {turned}, noisy sons {noisy_sons}:", end=" ")
    print(", ".join(f"{n} {cat_score[mode][n]:.2f}" for n in ("raw", "final")), "dB")
print(f"bicubic: {cat_score[True, True]['bicubic']:.2f} dB")

# %%
from dil_teach.notebook import Toggle


def render_mode(augment, noise):
    made = {name: cats[augment, noise][name] for name in ("bicubic", "raw", "final")}
    return strip(made, crop=(26, 18, 54, 54), zoom=2, truth=cat)


toggles = explore(
    render_mode,
    {
        "augment": Toggle("Fathers in eight orientations", True),
        "noise": Toggle("Noise on the sons", True),
    },
    alt="The cat's eye: bicubic, raw network, final result and ground truth. Noise on "
    "the sons: {noise}; eight orientations: {augment}. Without noise on the sons, "
    "grain is amplified; with noise on the sons, grain is smoothed",
    examples=[dict(augment=True, noise=False), dict(augment=True, noise=True)],
)

# %% [markdown]
# Without noise on the sons, the network sharpens every speck of noise, and the result is *worse* than that of bicubic interpolation.
# With noise on the sons, the fur between the eyes has less noise, and the outline of the eye is clear.
# The effect of training with eight orientations is visible in the *raw* score.
# Without the eight orientations, the network has only an eighth of the training examples, and it [overfits](glossary.md#overfitting).
# If a network without the eight orientations is trained longer, with a larger `budget`, its raw score falls again.
# With eight orientations, the raw score does not fall again.
# In all cases, the *final* result is the mean over eight orientations of the given image.
# The mean over eight orientations hides most of the difference between the raw scores.

# %%
# NBVAL_CHECK_OUTPUT
best, plain = cat_score[True, True], cat_score[True, False]
claims = {
    "without noise on the sons, ZSSR is worse than bicubic": plain["final"]
    < plain["bicubic"],
    "with noise on the sons, ZSSR is better than bicubic": best["final"]
    > best["bicubic"],
    "noise on the sons improves ZSSR by over 1 dB": best["final"] > plain["final"] + 1,
    "eight orientations add over 0.15 dB to the raw output": best["raw"]
    > cat_score[False, True]["raw"] + 0.15,
}
check_claims(claims)

# %% [markdown]
# ## Exercise: the son
#
# So far the library made the sons.
# Now make a son yourself, by a forward model with known blur and noise.
# Write `make_son(father, kernel, sigma, rng)`.
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
# The cell below your solution checks the solution.
# You can continue without solving an exercise, because the chapter's own cells use the library's functions.

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
from dil_teach.course import check

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
# ## Exercise: eight orientations
#
# ZSSR's final result is the mean over eight orientations of the given image.
# Write `eight_fold(enlarge, low)`, which computes a mean over eight orientations.
#
# - `enlarge`: a function that upscales one image by 2, from Float[Tensor, "c h w"] to Float[Tensor, "c 2h 2w"].
# - `low`: Float[Tensor, "c h w"] in [0, 1], an image that is not always square.
# - Returns Float[Tensor, "c 2h 2w"], the mean of eight results of `enlarge`, one for each orientation.
#   Before you take the mean, bring each result back to the orientation of `low`.
#   (The paper takes the median instead of the mean.)
#
# `orient(image, o)` brings an image into orientation `o`, a number from 0 to 7.
# `orient_back(image, o)` brings an image back from orientation `o`.
# Expected run time: eight times that of `enlarge`; the check takes well under a second.

# %% tags=["exercise"]
from dil_teach.image.augment import orient, orient_back


def eight_fold(enlarge, low):
    ### BEGIN SOLUTION
    answers = [orient_back(enlarge(orient(low, o)), o) for o in range(8)]
    return torch.stack(answers).mean(dim=0)
    ### END SOLUTION


# %%
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
# So you can add the eight results only after you have brought each of them back to the orientation of `low`.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Collect the eight results in a list.
# `torch.stack` joins these results along a new first axis; take the mean over this axis.
#
# </details>

# %% [markdown]
# ## Exercise: eight orientations and an oblique blur
#
# For the blur of experiment 2, which of the eight orientations of the *given* image can you upscale and average?
# Set `allowed_orientations` to a set of orientation numbers.
# As in `orient`, the number `o` means `o % 4` quarter turns, after a reflection if `o` is 4 or more.
# For example, `{0, 4}` means the unchanged image and the mirrored image.
#
# Units: orientation numbers have no unit.
# Expected run time: none, because the answer is only a set of numbers.

# %% tags=["exercise"]
### BEGIN SOLUTION
allowed_orientations = {0, 2}  # the unchanged image, and a half turn
### END SOLUTION

# %%
check.allowed_orientations(allowed_orientations, blur(1))

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Turn the given image by 90 degrees.
# Which blur kernel could have made the turned image?
#
# </details>
# <details><summary>Hint 2</summary>
#
# If you turn the image, its blur kernel is turned as well.
# But the network was trained for the kernel that is not turned.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Which rotations and reflections leave an oblique oval unchanged?
#
# </details>

# %% [markdown]
# ## Exercise: the control
#
# Without a control, nobody knows how much of a gain was learned.
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
# ## Predict, then unfold
#
# The talk that this course follows [@irani_talk] compares ZSSR with networks that learned from many images.
# EDSR+ [@lim2017] was trained on pairs made by bicubic interpolation; its '+' means the mean over eight orientations.
# Blind-SR was trained on images with many different blurs.
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
# Now the image has another blur, and ZSSR knows this blur.
# EDSR+ reaches 26.42 dB on one such image and 24.44 dB on another.
# Blind-SR was trained on many blurs and should be better than EDSR+.
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
# As in experiment 1, ask: which score would the control reach with the same blur?
# The talk does not report the score of a control.
# In our experiment 2, the control reached most of the gain.
#
# On BSD100 with random blurs, the paper reports 28.81 dB for ZSSR with an estimated kernel and 29.68 dB with the true kernel.
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
# Noise on the sons helps: the sons are then degraded in the same way as the image, so the network learns to remove the degradation.
# A network that was trained on clean pairs mistakes noise for detail.
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
# Our training takes only seconds on two CPU cores, because small crops at low resolution need little computing.
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
# ## When it fails: a smooth photograph
#
# The next photograph shows the retina around the optic disc, at the resolution of the camera.
# (Photograph: Mikael Häggström, CC0.)
# The blood vessels of the retina branch into thinner vessels, so the vessels recur across scales.
# Predict ZSSR's gain over the control on this photograph.

# %%
retina = photo("retina")[:, 560:688, 260:388].to(device())
small_retina = resize(retina, scale=0.5).clamp(0, 1)
smooth = ZSSR(small_retina, settings=small)

# %%
smooth_results = compare(fit(smooth))
smooth_score = {n: psnr_y(i, retina, shave=2) for n, i in smooth_results.items()}
show(
    {name: smooth_results[name] for name in ("bicubic", CONTROL, "final")},
    alt="The rim of the optic disc and thin vessels, all soft. The results of bicubic "
    "interpolation, control and ZSSR and the ground truth look the same",
    truth=retina,
    crop=(16, 16, 96, 96),
    zoom=2,
)

# %% [markdown]
# All four pictures look the same: at more than 50 dB, the error is about half a grey level, which is invisible.
# So a gain of ZSSR over the control would mean nothing on this photograph.
# The camera's lens spreads each point over several pixels, so *bicubic interpolation can already show the sharpest detail of the image*.
# The vessels recur, but thin vessels are as soft as thick vessels.
# The residual shows this problem before training, and without the ground truth:

# %%
smooth_son = resize(small_retina, scale=0.5)
smooth_missing = (small_retina - resize(smooth_son, scale=2)).abs()
smooth_lesson = 255 * float(smooth_missing.mean())
print(f"The residual of the retina is {smooth_lesson:.2f} grey levels on average;")
print(f"the residual of the first image is {lesson:.2f} grey levels.")

# %% [markdown]
# If the upscaled son almost equals its father, there is little to learn.
# Full-size smartphone photographs have the same problem, because their pixels are smaller than the finest detail that the lens resolves.
# Downscale a full-size smartphone photograph first, or estimate its blur kernel and give this kernel to ZSSR.
# You have also seen other causes of failure: a wrong blur, noise that the sons do not have, and (in the tour) detail that occurs only once.

# %%
# NBVAL_CHECK_OUTPUT
learned_here = smooth_score["final"] - smooth_score[CONTROL]
claims = {
    "bicubic interpolation alone reaches over 50 dB": smooth_score["bicubic"] > 50,
    "ZSSR gains under 1 dB over the control": learned_here < 1,
    "ZSSR's gain is under half of its gain on the cup": learned_here
    < 0.5 * (score["final"] - score[CONTROL]),
    "the retina's residual is under a third of the cup's residual": smooth_lesson
    < lesson / 3,
}
check_claims(claims, own)

# %% [markdown]
# ## Summary
#
# - An image provides its own training pairs: fathers, and the sons that the forward model makes from them.
# - A network with few weights is enough, because the patches of one image vary little.
#   The network sees patches that are $2\cdot\mathrm{depth}+1$ pixels wide, and it does not know their positions.
# - Only ZSSR's gain over the control was learned.
#   The control is bicubic interpolation, followed by back-projection with the same blur.
# - The sons must be degraded in the same way as the given image.
#   Knowing the true blur improves the result more than the network does.
#   For a noisy image, add noise to the sons.
# - If bicubic interpolation can show the sharpest detail of the image, there is nothing to learn.
#   The residual shows before training whether there is something to learn.
#
# ## References
