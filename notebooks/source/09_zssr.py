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
# Chapter 00 showed that it can.
# This chapter takes the method apart, measures what each part contributes, and shows where it fails.
#
# **After this chapter you can**
#
# - make [father](glossary.md#father) and [son](glossary.md#son) from an image, and write the training step that uses them;
# - say why a small network is enough, how far it sees, and why it cannot know *where* in the image a [patch](glossary.md#patch) lies;
# - run the [baseline](glossary.md#baseline) experiment that separates what was learned from what was only corrected;
# - predict how a wrong [blur kernel](glossary.md#blur-kernel), noise, or a smooth photograph changes the result.
#
# **What you need**: chapter [00](00_tour.ipynb), and having seen a training loop in PyTorch before.
# No GPU.
# Reading takes 40 minutes, computing less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 30, "standard": 80, "full": 260})

# %% [markdown]
# `budget` changes sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is fixed, and one thread computes all sums in one order: if you run the chapter twice on one computer, you get the same pictures, bit for bit.
#
# ## A photograph: ours, or yours
#
# Choose a file to use a photograph of your own, then select the cell below the button, and *Run > Run Selected Cell and All Below*.
# Without one you get a coffee cup.
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
# `truth` is the [ground truth](glossary.md#ground-truth): the method never sees it, and it only measures the result.
# `given` has half its size; the method learns from `given` alone.
#
# ## Predict first
#
# Write your answers down; each is tested below.
#
# 1.
#    ZSSR ends with *[back-projection](glossary.md#back-projection)*, a correction that learns nothing.
#    If we also correct the result of [bicubic interpolation](glossary.md#bicubic), how much of ZSSR's gain remains for the network: most, half, or almost none?
# 2.
#    We tell the network that the image was downscaled by bicubic interpolation, but a lens has blurred it more.
#    Will the result be too soft or too sharp?
#    What if we assume more blur than there was?
# 3.
#    You cut the image into small patches and give them to the trained network in random order.
#    Is the result worse?
#
# ## The smallest demo: a father and his son
#
# We do to the given image what was done to the one that we want: we halve it.
# Then we enlarge the son again, and look at the difference.

# %%
from dil_teach.notebook import show

father = given
son = resize(father, scale=0.5).clamp(0, 1)
enlarged_son = resize(son, scale=2)
missing = (father - enlarged_son).abs().mean(dim=0, keepdim=True)
show(
    {"father": father, "son": son, "son, enlarged": enlarged_son}
    | {"missing, 6 times brighter": (6 * missing).clamp(0, 1)},
    alt=f"The given image of {subject}, called the father; its son, half as large; the "
    "son enlarged again, soft; and what it lacks: thin bright lines along all edges",
)

# %% [markdown]
# The picture on the right is **[the lesson](glossary.md#lesson)**: all that a network can learn from this pair.
# We know it for the father, but not for the image that we want.
# Where the lesson is black, there is nothing to learn; this will matter at the end.

# %%
lesson = 255 * float(missing.mean())
print(f"The lesson: {lesson:.2f} grey levels of 255 in the mean.")

# %% [markdown]
# ## Theory: why this can work
#
# **The [forward model](glossary.md#forward-model).**
# A camera of low resolution blurs the scene with a kernel $k$ and keeps every $s$-th sample: $d(x) = (x * k)\downarrow_s$.
# The image $X$ that we want gave us $I = d(X)$.
# Any father $F$, cut from $I$ or from a smaller copy of $I$, has a son $d(F)$ by the *same* $d$.
#
# **The loss.**
# A network $f_\theta$ turns sons back into fathers:
#
# $$\min_\theta\ \sum_{F}\ \bigl\lVert f_\theta(d(F)) - F \bigr\rVert_1 ,\qquad\text{and then}\qquad \hat X = f_\theta(I).$$
#
# Training and test differ by one step of scale.
# No theorem says that this step is harmless.
# It is a property of natural images: small patches [recur](glossary.md#recurrence) in them *across* scales [@glasner2009], so the pairs inside the image resemble the pair that we want.
#
# **A small network: low entropy inside one image.**
# The patches of one image vary far less than those of all images [@zontak2011]; one part of a cup's rim looks like the next part.
# Few and similar examples need few weights.
# Networks that learn from many images at once have tens of millions of weights; this one has:

# %%
from dil_teach.deep.zssr.network import ResidualNetwork
from dil_teach.notebook import show_source

rng = torch.Generator().manual_seed(seed)
full_size = ResidualNetwork(3, width=64, depth=8, factor=2, rng=rng)
print(sum(weights.numel() for weights in full_size.parameters()), "weights")
show_source(ResidualNetwork.forward)

# %% [markdown]
# Eight convolutions of 3 x 3 work on the *small* image, and each hidden one adds to its input.
# A [pixel shuffle](glossary.md#pixel-shuffle) then turns groups of four channels into one channel of double size, and the result is added to the interpolated image.
# So the network learns only the lesson, and at the start, when its last layer is zero, its output *is* bicubic interpolation.
# (The paper's network works on the interpolated image; at low resolution a step costs a quarter.)
#
# **The [receptive field](glossary.md#receptive-field) is a patch.**
# Each 3 x 3 convolution lets a pixel see one pixel further in each direction, so after `depth` of them it sees $2\cdot\mathrm{depth}+1$ pixels a side.
# Nothing else influences it.
# To the network an image is a **bag of patches** of that size.
#
# ## The method, by hand
#
# We first make what must exist before the training loop: the network, its optimizer, and the random generator.
# They have their own cell.

# %%
hand_steps = {"quick": 250, "standard": 800, "full": 3000}[budget]
network = ResidualNetwork(len(given), width=32, depth=4, factor=2, rng=rng)
network = network.to(given.device)
optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
losses = []

# %% [markdown]
# The next cell is ZSSR.
# It cuts four fathers in random orientations from the given image and makes their sons.
# The network restores the fathers, and the loss is the mean absolute difference.
# There is no other data.

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
print(f"{len(losses)} steps; run this cell again and it carries on.")

# %% [markdown]
# That cell does not make a network, so running it again trains the same one further.
# The test is one line: the given image takes the place of the son.

# %%
with torch.no_grad():
    by_hand = network(given[None], resize(given, scale=2)[None])[0]
bicubic = resize(given, scale=2).clamp(0, 1)
side = min(80, height, width)
crop = (min(20, height - side), min(150, width - side), side, side)
show(
    {"bicubic": bicubic, "our loop": by_hand},
    alt="Part of the picture by bicubic interpolation, by the loop above and in truth: "
    "the loop's edges are tighter than bicubic's, not yet as fine as the truth's",
    truth=truth,
    crop=crop,
    zoom=3,
)

# %% [markdown]
# After a dozen lines and about a second, the edges are already sharper than those of bicubic interpolation.
# (The dB figures are [peak signal-to-noise ratios](glossary.md#psnr) of the [brightness](glossary.md#luma) of the *whole* image against the ground truth; 3 dB more means half the [squared error](glossary.md#squared-error).)
#
# ## The method, as the library has it
#
# The library's step is the same.
# Find data, loss and update in it:

# %%
from dil_teach import ZSSR

show_source(ZSSR.train_step)

# %% [markdown]
# It adds to our loop:
#
# - **more fathers**: `father_and_son` also cuts them from copies of 0.9, 0.8, ... of the image's size, because patches recur across many scales;
# - **a learning rate** that rises, then falls to zero along a cosine, and a limit on the length of the gradient;
# - **gradual scales**: it first learns to enlarge by a smaller factor, and that result gives the fathers of the next stage [@shocher2018, section 3];
# - at the end, the **[mean over eight orientations](glossary.md#self-ensemble)** of the image, and **back-projection**, which makes the result agree with the given image.
#
# **Stopping rule**: the number of steps in the budget, fixed beforehand.
# The ground truth is not used.

# %%
from dil_teach import ZSSRSettings, train
from dil_teach.notebook import LivePanel

settings = getattr(ZSSRSettings, budget)(seed=seed)
zssr = ZSSR(given, scale=2, settings=settings)
panel = LivePanel(alt=f"What the network itself makes of {subject} so far")

# %%
for progress in train(zssr, report_every=zssr.total_steps // 10):
    panel.update(progress, zssr.raw())

# %% [markdown]
# If you press stop during training, nothing is lost: the current step is finished, and the same cell continues.
# The loss jumps because each batch has other fathers, and because each stage begins a harder task.
# Move the slider to see the same part of the picture at different steps:

# %%
from dil_teach.notebook import scrub

top, left = crop[:2]
history = [
    (step, image[:, top : top + side, left : left + side])
    for step, image in panel.history
]
steps = scrub(
    history,
    alt="Part of the picture as the network draws it after {step} steps; its edges get "
    "thinner, and the stairs along them become lines, as the steps go on",
)

# %% [markdown]
# Most of the change comes early: the network learns the wide edges first, because they are the largest part of the lesson.
# The later steps turn the stairs along thin edges into lines.
#
# ## Experiment 1: the control
#
# *Back-projection* [@irani1991] halves the result, compares it with the given image, adds the enlarged difference, and repeats.
# It needs no network: bicubic interpolation may use it as well, with the twenty iterations that suit it best.
# (The output of a well-trained network needs three; with a wide blur, more would amplify noise.)
# Bicubic interpolation with back-projection is our control, the [baseline](glossary.md#baseline) for every claim about learning.

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
    alt="Part of the picture by bicubic interpolation, control, raw network, the final "
    "result and in truth: the control's edges have stairs and ripples beside them, the "
    "network's are clean lines",
    truth=truth,
    crop=crop,
    zoom=2,
)

# %% [markdown]
# Read the table from the top.
# The control gains a little over a decibel without learning.
# The **raw** output of the network is far better, so most of the gain was learned (question 1).
# Back-projection has little left to correct, and the mean of eight orientations removes accidental errors of one orientation.
# Always look at *raw* first: a network that died in training returns bicubic interpolation, and back-projection would hide that.
#
# A warning: this cup is a favourable photograph.
# ZSSR is best at long clean curves, and three decibels over the control are more than most pictures give (question 5 of *Predict, then unfold*).

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "our loop is above bicubic by over 0.7 dB": psnr_y(by_hand, truth, shave=2)
    > score["bicubic"] + 0.7,
    "the raw network beats bicubic by over 2 dB": score["raw"] > score["bicubic"] + 2,
    "it gains over twice what the control gains": score["raw"] - score["bicubic"]
    > 2 * (score[CONTROL] - score["bicubic"]),
    "the final result is above the raw one": score["final"] > score["raw"],
}
check_claims(claims, own)  # on a photograph of yours they may not hold

# %% [markdown]
# ### The thread of the course: the recurrence score
#
# Chapter [01](01_patch_recurrence.ipynb) measured how much of an image [recurs](glossary.md#recurrence-score) in it.
# Does a result have the internal statistics of the ground truth?
# (We use the 96 x 96 pixels in the middle, to save time.)

# %%
from dil_teach.patches.recurrence import recurrence_score

top, left = max(height - 96, 0) // 2, max(width - 96, 0) // 2
for version in ("bicubic", CONTROL, "final"):
    middle = results[version][:, top : top + 96, left : left + 96]
    print(f"{version:26}{recurrence_score(middle):.2f}")
middle = truth[:, top : top + 96, left : left + 96]
print(f"{'the truth':26}{recurrence_score(middle):.2f}")

# %% [markdown]
# The control's ripples recur less than the ground truth does.
# ZSSR's patches recur *more*: its result contains what occurs many times, and omits what occurs once, such as grain and specks.
# On the dahlia and on the astronaut of the tour, ZSSR's score is within 0.01 of the ground truth's; those of bicubic and control are 0.03 to 0.07 lower.
#
# ### The published figures
#
# From the paper [@shocher2018], for images downscaled by bicubic interpolation (brightness, PSNR in dB / SSIM):
#
# | | Set5 | Set14 | BSD100 |
# |---|---|---|---|
# | x2 | 37.37 / .9570 | 33.00 / .9108 | 31.65 / .8920 |
# | x3 | 33.42 / .9188 | | |
# | x4 | 31.13 / .8796 | | |
#
# The project's README lists our figures on Set5, for three budgets and three seeds, with their computing time; a script in `benchmarks/` measures them again.
# They cannot be compared with the photographs of this chapter, which have other sizes and contents.
#
# ## Experiment 2: the wrong blur
#
# Real cameras do not use bicubic interpolation.
# We simulate a camera with a slanted, elongated Gaussian blur that we know.
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
    alt="A dahlia in full detail; the blur of our camera, an oval spot slanted down to "
    "the right; and the given image, half as large and visibly softer",
    zoom=2,
)

# %% [markdown]
# The blur is wider than that of bicubic interpolation, and not the same in all directions.
# Each of six trainings *assumes* another kernel: bicubic, or this blur with its widths multiplied by 0.5 to 1.5.
# The assumed kernel makes the sons, and is used by back-projection; the given image stays the same.
# Small settings keep this short; twenty iterations of back-projection, as in the control, may correct what such a short training has not learned.

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
    print(f"{what!s:>8}: ZSSR {ours:6.2f} dB, {CONTROL} {control:6.2f} dB")

# %% [markdown]
# The number on the left is the assumed blur; the control assumed the same.
# As curves:

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
    alt="Score against the assumed blur: ZSSR and the control both peak where it is "
    "the true one, ZSSR higher; both fall, steeply where too much blur is assumed",
)

# %% [markdown]
# There are two lessons.
# First, knowing the blur is worth more than the network, as @michaeli2013 found for other methods: assuming bicubic loses most of the gain.
# Second, **the control also gets most of what the true blur brings**.
# With the true blur, learning adds a little under a decibel; with too much blur it adds nothing.
# The next figure shows the pictures.

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
    {"times": Slider("Assumed blur, times the true one", 0.5, 1.5, 1.0, 0.25)},
    alt="Petals by ZSSR and by the control, {times} times the true blur assumed: soft "
    "below 1, clear at 1, and above 1 harsh, with rings round the flower",
    examples=[{"times": times} for times in (0.5, 1.0, 1.5)],
    live=True,
)

# %% [markdown]
# If we assume too little blur, the result stays soft (question 2): the sons were sharper than the given image, so the network never saw such a soft image in training.
# If we assume too much, it sharpens what was never blurred: outlines turn harsh, and rings appear around them.
# The second mistake is the worse one.
# (Chapters 07 and 11 estimate the kernel when nobody knows it.)

# %%
# NBVAL_CHECK_OUTPUT
final = {what: scores["final"] for what, scores in with_score.items()}
claims = {
    "the true blur beats bicubic by over 2 dB": final[1.0] > final["bicubic"] + 2,
    "it beats the control by over 0.3 dB": final[1.0] > with_score[1.0][CONTROL] + 0.3,
    "it is the best of all assumptions": final[1.0] == max(final.values()),
    "1.5 times is worse than plain bicubic": final[1.5] < with_score[1.5]["bicubic"],
}
check_claims(claims)

# %% [markdown]
# ## Experiment 3: depth and width
#
# How large must the network be for one image?
# We train six networks in the same way on a small picture of the coffee cup (64 x 64 pixels given):

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
print(f"control, no weights at all: {cup_control:.2f} dB")

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
    alt="The cup's rim and spoon by a network of {depth} layers, {channels} channels "
    "wide, beside the truth: the more layers, the smoother the long curves of the rim",
    examples=[dict(depth="2", channels="8"), dict(depth="8", channels="32")],
)

# %% [markdown]
# A network of a thousand weights equals the control, and a deep one of fewer than five thousand is a little better: a small network is enough to begin with.
# Depth helps if the layers are wide enough: in a patch of five pixels an edge can hardly be told from texture, in one of seventeen it can.
# (Compare the two networks of about 4,500 weights, one wide and one deep.
# The seed alone changes these scores by a tenth of a decibel or two, so train longer before you decide which is better.)
#
# ### How far does it see?
#
# Which pixels of the given image influence one pixel of the output?
# The gradient shows it:

# %%
window = 25  # pixels of the given image a side; the output has twice as many


def influence(network):
    low = torch.rand(1, 3, window, window, generator=rng).to(device()).requires_grad_()
    high = network(low, resize(low.detach(), scale=2))
    high[..., window, window].sum().backward()
    seen = low.grad.abs().sum(dim=1)
    return (seen / seen.max()) ** 0.25


fields = {depth: influence(pupils[depth, 32].network) for depth in (2, 4, 8)}
reach = {depth: int((f > 0).any(dim=1).sum()) for depth, f in fields.items()}
show(
    {f"{d} layers: {reach[d]} pixels a side": f for d, f in fields.items()},
    alt="Three black squares, on each a brighter square of the pixels that one output "
    "pixel depends on: 5 pixels a side for 2 layers, 9 for 4, 17 for 8",
)

# %% [markdown]
# White pixels have the largest influence, black ones have none: 5, 9 and 17 pixels a side, $2\cdot\mathrm{depth}+1$.
# Everything farther away could belong to another photograph.
#
# ### An image is a bag of patches
#
# If that is true, the network does not need the whole image.
# We cut the picture into all its 9 x 9 patches, shuffle them, and give each one *alone* to the network of four layers.
# Of each output we keep only the 2 x 2 pixels in its middle:

# %% tags=["algorithm"]
from dil_teach.patches.extract import average_patches, extract_patches

four_layers = pupils[4, 32].network
patches = extract_patches(small_cup, patch_size=9)  # a row each
order = torch.randperm(len(patches), generator=rng).to(device())
bag = patches[order]
with torch.no_grad():
    alone = bag.unflatten(1, (3, 9, 9))
    answers = four_layers(alone, resize(alone, scale=2))[:, :, 8:10, 8:10]
    at_once = four_layers(small_cup[None], resize(small_cup, scale=2)[None])[0]
sorted_answers = torch.empty_like(answers)
sorted_answers[order] = answers
inner = at_once[:, 8:-8, 8:-8]  # a patch must lie inside: 4 given pixels of border
rebuilt = average_patches(sorted_answers.flatten(1), inner.shape[1:], 2, stride=2)
mosaic = average_patches(bag[:144], (108, 108), patch_size=9, stride=9)

# %%
difference = 255 * float((rebuilt - inner).abs().max())
show(
    {
        f"64 of {len(bag)} patches": mosaic,
        "their answers, sorted": rebuilt,
        "the whole image at once": inner,
    },
    alt="A mosaic of patches in random order, in which no cup can be seen; the cup "
    "put together from their outputs; and the same cup made from the whole image",
    crop=(18, 36, 72, 72),
    zoom=3,
)

# %% [markdown]
# The two cups are the same (question 3): the network never knew where a patch came from.
# It learned a table from small patches to their sharper versions, and an image teaches it by its patches, not by what it shows.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the receptive field is 2 * depth + 1": reach == {2: 5, 4: 9, 8: 17},
    "shuffled patches: same to half a grey level": difference < 0.5,
    "wide: depth 8 beats depth 2 by over 0.3 dB": learned_score[8, 32]
    > learned_score[2, 32] + 0.3,
    "the deep, wide one beats the control by 0.5 dB": learned_score[8, 32]
    > cup_control + 0.5,
}
check_claims(claims)

# %% [markdown]
# ## Experiment 4: augmentation, and noise
#
# Now we use a noisy photograph: the cat's face with white noise of [standard deviation](glossary.md#standard-deviation) 10 grey levels.
# (Photograph: Stéfan van der Walt, CC0.)
# Noise in the given image misleads ZSSR.
# The sons are halved, and halving averages noise away.
# Sons are therefore *cleaner* than their fathers, and the network learns to invent noise.
# The remedy is to add noise to the sons only.
# The network then learns to sharpen *and* to denoise.
# We omit back-projection, because it would restore the noise.

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
    alt="The cat's eye by bicubic, raw network, final result and in truth; noise on "
    "the sons: {noise} (without it grain is amplified, with it smoothed); eight "
    "orientations: {augment}",
    examples=[dict(augment=True, noise=False), dict(augment=True, noise=True)],
)

# %% [markdown]
# Without noise on the sons every speck is sharpened, and the result is *worse* than bicubic.
# With it, the fur between the eyes has less noise, and the outline of the eye is firm.
# The effect of the orientations shows in the *raw* score.
# Without them the network has an eighth of the examples, and [overfits](glossary.md#overfitting): with the longer training of a larger `budget` its raw score falls again, with them it does not.
# The *final* score averages over eight orientations of the given image anyway, which hides most of that.

# %%
# NBVAL_CHECK_OUTPUT
best, plain = cat_score[True, True], cat_score[True, False]
claims = {
    "without noise on the sons: below bicubic": plain["final"] < plain["bicubic"],
    "with noise on the sons: above bicubic": best["final"] > best["bicubic"],
    "it is worth over 1 dB": best["final"] > plain["final"] + 1,
    "orientations raise the raw score by over 0.15 dB": best["raw"]
    > cat_score[False, True]["raw"] + 0.15,
}
check_claims(claims)

# %% [markdown]
# ## Exercise: the son
#
# So far the library made the sons.
# Make one yourself, as a camera with known blur and noise does: `make_son(father, kernel, sigma, rng)`.
#
# - `father`: Float[Tensor, "c h w"] in [0, 1], height and width even; outside it, its border pixels are repeated.
# - `kernel`: Float[Tensor, "k k"], k even, correlation weights on the father's pixels, sum 1.
#   Its middle is the middle of the array, between two pixels.
# - `sigma`: standard deviation of white Gaussian noise, in units of [0, 1].
#   `rng`: the `torch.Generator` that draws it.
# - Returns the son, Float[Tensor, "c h/2 w/2"].
#   Its pixel $i$ lies at $2i + \tfrac12$ of the father, in rows and in columns: halfway between the two pixels that it replaces.
#   The values are not clamped to [0, 1].
#
# Use torch only, not `blur_and_subsample`.
# Expected run time: well under a second.
# The cell below yours says what is right and what is not.
# You can continue without solving an exercise: the chapter's own cells use the library.

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
# Blur and subsampling are one convolution with a stride.
# What torch calls a convolution is a correlation, which you need here.
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
# The first pixel of the son lies at 0.5.
# A kernel of 2 x 2 then needs no border, and one of 4 x 4 a single pixel on each side.
#
# </details>

# %% [markdown]
# ## Exercise: eight orientations
#
# The final result is the mean over eight orientations.
# Write `eight_fold(enlarge, low)`.
#
# - `enlarge`: a function that doubles one image, Float[Tensor, "c h w"] to Float[Tensor, "c 2h 2w"], such as `zssr`'s network with its interpolation.
# - `low`: Float[Tensor, "c h w"] in [0, 1], not always square.
# - Returns the mean of eight results of `enlarge`, Float[Tensor, "c 2h 2w"]: one for each way to turn and mirror `low`, each turned back to the orientation of `low`.
#   (The paper takes the median.)
#
# `orient(image, o)` brings an image into orientation `o`, from 0 to 7, and `orient_back` undoes it.
# Expected run time: eight times that of `enlarge`; of the check, well under a second.

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
# What is enlarged, and what must be done to the result?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A photograph that is not square changes its shape when it is turned by a quarter.
# The eight results can be added only after each has been turned back.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Collect the eight results in a list; `torch.stack` gives them a new first axis, over which you take the mean.
#
# </details>

# %% [markdown]
# ## Exercise: eight orientations and a slanted blur
#
# In experiment 2, which of the eight orientations of the *given* image may be enlarged and averaged?
# Set `allowed_orientations` to a set of numbers, as in `orient`: `o % 4` quarter turns, after a mirroring if `o` is 4 or more.
# For example `{0, 4}`: unchanged, and mirrored.
#
# Units: none.
# Expected run time: none, the answer is a set of numbers.

# %% tags=["exercise"]
### BEGIN SOLUTION
allowed_orientations = {0, 2}  # as it is, and upside down
### END SOLUTION

# %%
check.allowed_orientations(allowed_orientations, blur(1))

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Turn the given image by 90 degrees.
# Which camera could have taken it?
#
# </details>
# <details><summary>Hint 2</summary>
#
# A camera whose blur is turned as well.
# The network was trained for the blur that is not turned.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Which turns and mirrorings leave a slanted oval unchanged?
#
# </details>

# %% [markdown]
# ## Exercise: the control
#
# Without a control, nobody knows what was learned.
# Write `control(low, kernel, rounds)`: bicubic interpolation to twice the size, then back-projection.
# Each round downscales the current result, as `low` was downscaled, subtracts it from `low`, and adds the difference to the result after bicubic enlargement.
#
# - `low`: Float[Tensor, "c h w"] in [0, 1], the given image.
# - `kernel`: Float[Tensor, "k k"] on the pixels of the result, or a name such as `"bicubic"`: how `low` was made.
# - `rounds`: int, 0 or more.
# - Returns Float[Tensor, "c 2h 2w"], not clamped to [0, 1].
#
# Use `resize` and `blur_and_subsample(image, kernel, scale=2)`, and not the library's `back_project`.
# Expected run time: a few milliseconds a round.


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
# If the result were perfect, what would it be after downscaling?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Where it is then brighter than `low`, the result must become darker: which of the two do you subtract from the other?
#
# </details>
# <details><summary>Hint 3</summary>
#
# The loop has two or three lines: downscale, compare, add.
# Compare the *current* result, not the first one.
#
# </details>

# %% [markdown]
# ## Predict, then unfold
#
# The talk that this course follows [@irani_talk] compares ZSSR with networks that learned from many images.
# EDSR+ [@lim2017] was trained on pairs made by bicubic interpolation; its '+' means the average over eight orientations.
# Blind-SR was trained on many blurs.
# The figures are those of its examples, in dB.
# Decide on an answer before you unfold: a minute is enough for each.
#
# ### 1. The ideal case
#
# The image was downscaled by bicubic interpolation, as in EDSR+'s training; it shows a structure that repeats at many sizes.
# EDSR+ reaches 25.29 dB.
# Does ZSSR reach about 24, 25 or 26?
#
# <details><summary>Answer</summary>
#
# 25.68 dB.
# Even under the conditions that the other network was trained for, the image's own patches can teach better, if it has enough of them.
# On *average* over a benchmark of bicubic images the large networks are better.
#
# </details>
#
# ### 2. Another blur
#
# Now the blur is not bicubic's, and ZSSR knows it.
# EDSR+ reaches 26.42 dB on one image and 24.44 on another.
# Blind-SR was trained on many blurs and should be better.
# By how much is ZSSR better than EDSR+: 0.3, 1 or 3 dB?
# (Use experiment 2.)
#
# <details><summary>Answer</summary>
#
# | | EDSR+ | Blind-SR | ZSSR |
# |---|---|---|---|
# | first image | 26.42 | 27.29 | 29.42 |
# | second image | 24.44 | 25.36 | 27.62 |
#
# Three decibels, and two over Blind-SR.
# Ask the question of experiment 1: what would bicubic interpolation with back-projection reach, with the same blur?
# The talk does not say.
# In our own experiment it reached most of it.
#
# On all of BSD100 with random blurs the paper gives 28.81 dB for ZSSR with an estimated kernel and 29.68 dB with the true one.
#
# </details>
#
# ### 3. A poor image
#
# The image has noise, compression, and an unknown sensor.
# EDSR+ reaches 24.91 dB on one such image, 35.88 on another.
# Which part of experiment 4 makes ZSSR better, and by about how much?
#
# <details><summary>Answer</summary>
#
# 26.25 and 37.80 dB: 1.3 and 1.9 more.
# The sons are degraded as the image is, so the network learns to restore.
# A network that was trained on clean pairs takes noise for detail.
#
# </details>
#
# ### 4. Time
#
# ZSSR trains a new network for each image.
# How long did training and result take on two GPUs of the time, a K80 and a V100?
#
# <details><summary>Answer</summary>
#
# 54 seconds on the K80, 9 on the V100.
# On two CPU cores ours took as long as the cell above took you: small crops at low resolution are cheap.
#
# </details>
#
# ### 5. Other photographs
#
# Four more images are available: `"flower"` (a dahlia), `"chelsea"` (a cat), `"china"` (a pagoda among trees) and `"facade"`, a street front which is *rendered*, not photographed.
# For which does ZSSR gain most over the control?
# Write down an order.
# Then change `name` near the top of the chapter and run all of it (half a minute each).
#
# <details><summary>Answer</summary>
#
# The dahlia, by far: its petals are one clean edge in twenty sizes.
# The facade comes second, well behind, although it recurs more than the other images.
# At this size the bars of its far windows are thinner than a pixel, and what recurs must also be *resolved* by the given image.
# Cat and pagoda gain little: fur and leaves are textures, similar everywhere and nowhere the same.
#
# </details>
#
# ## When it fails: a smooth photograph
#
# This is a camera's picture of the retina around the optic disc, at the camera's own resolution.
# (Photograph: Mikael Häggström, CC0.)
# Its vessels branch into thinner vessels, which is recurrence across scales.
# Predict the gain over the control.

# %%
retina = photo("retina")[:, 560:688, 260:388].to(device())
small_retina = resize(retina, scale=0.5).clamp(0, 1)
smooth = ZSSR(small_retina, settings=small)

# %%
smooth_results = compare(fit(smooth))
smooth_score = {n: psnr_y(i, retina, shave=2) for n, i in smooth_results.items()}
show(
    {name: smooth_results[name] for name in ("bicubic", CONTROL, "final")},
    alt="The rim of the optic disc and thin vessels, soft, by bicubic interpolation, "
    "control and ZSSR, beside the truth: no difference between the four can be seen",
    truth=retina,
    crop=(16, 16, 96, 96),
    zoom=2,
)

# %% [markdown]
# All four are the same picture, at more than 50 dB: the error is about half a grey level, which nobody can see.
# A gain of ZSSR over the control, if there is one, means nothing.
# The lens spreads each point over several pixels, so *nothing in the image is sharper than bicubic interpolation can show*; vessels recur, but the thin ones are as soft as the thick ones.
# The lesson could have told you so before training, and without the ground truth:

# %%
smooth_son = resize(small_retina, scale=0.5)
smooth_missing = (small_retina - resize(smooth_son, scale=2)).abs()
smooth_lesson = 255 * float(smooth_missing.mean())
print(f"The lesson: {smooth_lesson:.2f} grey levels; of the first image {lesson:.2f}.")

# %% [markdown]
# If the enlarged son almost equals its father, there is little to learn.
# The same happens with photographs directly from a telephone, whose pixels are finer than its lens: downscale them first, or estimate the blur and give it to ZSSR.
# You have met other failures: a wrong blur, noise that is not modelled, and (in the tour) detail that occurs once.

# %%
# NBVAL_CHECK_OUTPUT
learned_here = smooth_score["final"] - smooth_score[CONTROL]
claims = {
    "bicubic alone is over 50 dB": smooth_score["bicubic"] > 50,
    "ZSSR gains under 1 dB on the control": learned_here < 1,
    "that is under half its gain on the cup": learned_here
    < 0.5 * (score["final"] - score[CONTROL]),
    "the lesson is under a third of the cup's": smooth_lesson < lesson / 3,
}
check_claims(claims, own)

# %% [markdown]
# ## Summary
#
# - An image gives its own training pairs: fathers, and the sons that the same forward model makes of them.
# - A network with few weights is enough, because one image has little variety inside; it sees patches of $2\cdot\mathrm{depth}+1$ pixels, in no order.
# - Learning adds what exceeds the control, bicubic interpolation with back-projection by the same blur.
# - The sons must be degraded as the given image was: the right blur is worth more than the network, and noise belongs on the sons.
# - Where nothing in the image is sharper than bicubic interpolation can show, there is nothing to learn, and the lesson shows it beforehand.
#
# ## References
