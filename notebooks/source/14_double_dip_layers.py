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
# # 14 · Double-DIP: why do two networks split a mixture?
#
# In chapter 13, one untrained network reproduced one picture.
# In this chapter two networks reproduce one picture together.
# Under some conditions, each network outputs one of the picture's two layers.
# This chapter shows under which conditions the networks separate the layers.
#
# **After this chapter you can**
#
# - show by experiment that a network needs more steps for a [mixture](glossary.md#mixture) than for its [layers](glossary.md#layer), and name pictures for which this is false;
# - write the model of Double-DIP, and the penalties that make the networks separate the layers;
# - separate foreground and background from a few brushed [hints](glossary.md#hint), and say when an older method separates them better;
# - separate two mixtures, and explain why one mixture is [ill-posed](glossary.md#ill-posed);
# - explain why you must not choose a result by its reconstruction error.
#
# **What you need**: a training loop in PyTorch, and chapter [01](01_patch_recurrence.ipynb) for recurrence.
# You need no GPU.
# Reading takes 45 minutes, and computing takes less than 40 seconds (*Run > Run All Cells*).
# The [glossary](glossary.md) explains the words, and the [notation](notation.md) the symbols.
# If something does not run, see [if you are stuck](if_you_are_stuck.md).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 35, "standard": 150, "full": 500})

# %% [markdown]
# ## Predict first
#
# Write down your answers; this chapter tests each of them.
#
# 1.
#    We train two separate networks to reproduce two photographs of the same contrast, one network for each photograph.
#    Then one network learns to reproduce the sum of the two photographs; the sum is rescaled to the contrast of one photograph.
#    Is the sum easier to reproduce than one photograph, equally hard on average, or harder than one photograph?
#    What is your answer for photographs of grass and of gravel?
# 2.
#    Now *two* networks together reproduce the sum of two photographs, and no loss assigns a photograph to a network.
#    Does each network output one of the photographs?
# 3.
#    We train twice on one image and get different reconstruction errors.
#    Does the training with the smaller error give the better layers?
# 4.
#    A graph-cut method from 2004 uses only colours and edges.
#    On which pictures is this method better than two networks?
#
# ## The smallest demo: a picture and a mixture
#
# We use four grey textures and two mixtures of them.
# A network reproduces a picture of high contrast in fewer steps than a picture of low contrast.
# So we first scale all six pictures to the *same* mean and contrast.
# (Otherwise the mean of two pictures would be harder only because it has less contrast.)

# %%
from dil_teach import photo, resize
from dil_teach.notebook import show

side = {"quick": 48, "standard": 64, "full": 64}[budget]


def same_contrast(picture):
    return 0.5 + 0.2 * (picture - picture.mean()) / picture.std()


def texture(name, pixels):
    """Return the middle of a photograph, downscaled by a factor of `pixels`."""
    grey = photo(name).mean(dim=0, keepdim=True)
    wide = round(pixels * side)
    top, left = ((length - wide) // 2 for length in grey.shape[1:])
    cut = grey[:, top : top + wide, left : left + wide]
    return same_contrast(resize(cut, size=(side, side))).to(device())


# %%
parts = {"bricks": texture("brick", 4), "coins": texture("coins", 4.7)}
parts |= {"grass": texture("grass", 4), "gravel": texture("gravel", 4)}
pictures = dict(parts)
for one, other in (("bricks", "coins"), ("grass", "gravel")):
    pictures[f"{one} + {other}"] = same_contrast(parts[one] + parts[other])
show(
    {name: picture.clamp(0, 1) for name, picture in pictures.items()},
    alt="Six small grey pictures: a brick wall, rows of coins, grass, gravel, a "
    "mixture of the wall and the coins, and a mixture of grass and gravel",
)

# %% [markdown]
# In the fifth picture you can see both the wall and the coins.
# In the sixth you see neither grass nor gravel, but a third texture.
# (Photographs: bricks and gravel CC0Textures, grass linolafett, all CC0; coins Brooklyn Museum, no known copyright restrictions.)
#
# The next function reproduces a picture as the mean of the outputs of one or more networks.
# Each network is the hourglass of chapter 13 with its own fixed input; only the weights are learned:

# %% tags=["algorithm"]
from dil_teach.training.networks import INPUT_CHANNELS, Hourglass, draw_network_input

draw_steps = {"quick": 50, "standard": 120, "full": 250}[budget]


def draw(picture, networks=1, widths=(16, 32, 32)):
    """Return the networks' outputs, and each step's error divided by the variance."""
    rng = torch.Generator().manual_seed(seed)
    codes = [
        draw_network_input(picture.shape[1:], rng).to(picture) for _ in range(networks)
    ]
    pencils = [Hourglass(INPUT_CHANNELS, 1, widths, 4, rng) for _ in range(networks)]
    pencils = torch.nn.ModuleList(pencils).to(picture.device)
    optimizer = torch.optim.Adam(pencils.parameters(), lr=0.01, fused=True)
    missing = []
    for _ in range(draw_steps):
        layers = [
            pencil(code).sigmoid()[0]
            for pencil, code in zip(pencils, codes, strict=True)
        ]
        loss = (sum(layers) / networks - picture).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        missing.append(loss.item() / picture.var().item())
    return [layer.detach() for layer in layers], missing


# %%
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

MIXED = "bricks + coins"
jobs = {name: (picture,) for name, picture in pictures.items()}
jobs |= {"two networks": (pictures[MIXED], 2)}
jobs |= {"wide": (pictures[MIXED], 1, (24, 46, 46))}
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    drawn = pool.map(lambda job: draw(*job), jobs.values())
drawn = dict(zip(jobs, drawn, strict=True))
missing = {name: left for name, (_, left) in drawn.items()}
pair = drawn["two networks"][0]

# %%
from dil_teach.notebook import Choice, curves, explore


def in_decibels(values):
    """Average the errors over ten steps and convert to dB (0 dB is the variance)."""
    steady = torch.tensor(values).unfold(0, 10, 5).mean(dim=1)
    return range(10, len(values) + 1, 5), (10 * steady.log10()).tolist()


def curves_of(pair):
    names = {"both": pair} | {name: name for name in pair.split(" + ")}
    lines = {f"{n}, one network": in_decibels(missing[names[n]]) for n in names}
    if pair == MIXED:
        lines["both, two networks"] = in_decibels(missing["two networks"])
    return curves(lines, "training step", "error / variance [dB]")


# %%
chosen = explore(
    curves_of,
    {"pair": Choice("Mixture", (MIXED, "grass + gravel"), MIXED)},
    alt="Curves of the error against the training step for {pair}: one network for "
    "each layer, and one network for the mixture. For bricks and coins, the error of "
    "the mixture ends well above the errors of its layers. For grass and gravel, the "
    "three curves nearly coincide.",
    examples=[{"pair": MIXED}, {"pair": "grass + gravel"}],
)

# %% [markdown]
# After these few steps, one network has reproduced the wall or the coins far better than their mixture.
# (At first, the wall's error falls slowly.)
# Two networks reproduce the mixture about as well as one network reproduces a layer.
# Grass and gravel behave differently: their mixture is as hard as each of them.
# **This is a difference of speed, not a limit.**
# In a longer run with three seeds and 48 pixels, the error of the mixture is 1.9 to 2.0 times the mean error of its layers after 50 steps, 1.4 to 3.0 times after 250 steps, and 1.4 to 2.1 times after 500 steps.
# But after 500 steps, less than 1% of the variance of the mixture is missing, too.
# The next cell prints the errors at the end (means of the last ten steps), in percent of the picture's variance:

# %%
left = {name: sum(values[-10:]) / 10 for name, values in missing.items()}
for mixture in (MIXED, "grass + gravel"):
    of_layers = sum(left[name] for name in mixture.split(" + ")) / 2
    print(f"{mixture}, one network: {left[mixture]:.1%}; its layers: {of_layers:.1%}")
print(f"{MIXED}, one network with twice the weights: {left['wide']:.1%}")
print(f"{MIXED}, two networks: {left['two networks']:.1%}")

# %%
# NBVAL_CHECK_OUTPUT
harder = {m: 2 * left[m] / sum(left[n] for n in m.split(" + ")) for m in pictures}
ratio = 1.1 if budget == "full" else 1.6
claims = {
    f"bricks + coins: over {ratio} times the error of the layers": harder[MIXED]
    > ratio,
    "grass + gravel: under 1.4 times the error of the layers": harder["grass + gravel"]
    < 1.4,
    "one wide network has over 1.2 times the error of two networks": left["wide"]
    > 1.2 * left["two networks"],
    "two networks have under 0.8 times the error of one": left["two networks"]
    < 0.8 * left[MIXED],
}
check_claims(claims)

# %% [markdown]
# Double-DIP rests on this experiment [@gandelsman2019].
# The authors form the sums of a hundred pairs of photographs, and compare the mean losses in the first steps of the training.
# They report that the loss of such a sum is larger than the losses of both photographs together.
# The wide network is our control experiment: it has as many weights as two networks, but a larger error.
# So the number of weights does not explain why two networks are better than one.
#
# Did the two networks separate the layers (question 2)?
# The next cell shows the outputs of the two networks:

# %%
likeness = {}
for number, layer in enumerate(pair, start=1):
    for name in ("bricks", "coins"):
        both = torch.stack([layer.flatten(), parts[name].flatten()])
        likeness[number, name] = float(both.corrcoef()[0, 1])
        print(f"network {number} and {name}: correlation {likeness[number, name]:.2f}")
show(
    {f"network {number}": layer for number, layer in enumerate(pair, start=1)}
    | {name: parts[name].clamp(0, 1) for name in ("bricks", "coins")},
    alt="The outputs of two networks for the mixture of bricks and coins, next to the "
    "bricks and the coins alone: both outputs show bricks and coins",
)

# %% [markdown]
# Not in this run.
# One output shows more of the wall and the other output shows more of the coins, but each output shows both.
# The mean of the outputs does not change if one output is too bright in a region and the other output is too dark there.
#
# **The paper shows the opposite**: two networks that reproduce the sum of two textures output one texture each.
# This is its central demonstration, so we repeated it on our bricks and coins with the recipe of the authors' published code: networks without skip connections at fine scales (ours have none), the absolute error, rotated and mirrored copies, and the exclusion loss, which this chapter explains below.
# We measure the correlation of each output with its own texture minus its correlation with the other texture: 0 for the mixture, at most 1.
# With this recipe, 64 pixels and one seed, the measure is 0.44 after 800 steps and after 2,400 steps: one output shows most of the wall, the other most of the coins, and some coins are in the wrong output.
# With skip connections in the same recipe, it is 0.00, 0.23 and 0.10 (three seeds, 800 steps); without the exclusion loss, it is 0.03, 0.52 and 0.15.
# So two networks can separate two textures, but only in part, and chance decides how far.
# **Two networks can fit an image easily without finding its layers.**
# The experiment shows that the networks can easily reproduce the correct split.
# But other splits are easy to reproduce, too, so the method needs penalties that exclude the wrong splits.
# The rest of this chapter is about penalties that exclude wrong splits.
#
# ## Theory: two simple layers make a complicated mixture
#
# Let one layer have $n$ kinds of patches and the other $m$ kinds.
# If the layers are independent, each kind of patch of the first layer can overlap each kind of patch of the second layer.
# So the mixture has up to $n \cdot m$ kinds of patches.
# In bits: let $X$ and $Y$ be independent patches of the two layers, with discrete values, and let their sum be exact, without rounding.
# Then $\max(H(X), H(Y)) \le H(X + Y) \le H(X) + H(Y)$.
# The upper bound needs no independence; the entropies *add up* only if $X$ and $Y$ are independent and each value of the sum has one split into $x$ and $y$.
# So a mixture is at least as complex as each of its layers, but it need not be more complex.
# An hourglass uses the same filters in the whole picture, so it learns each kind of patch only once.
# Patches that [recur](glossary.md#recurrence) need no further learning.
# So it is easier to learn $n$ kinds of patches in one network and $m$ kinds in another network than $n \cdot m$ kinds in one network.
# If nothing recurs in the layers, two networks have no such advantage.
# The [recurrence score](glossary.md#recurrence-score) of chapter 01 shows both cases, with and without recurrence:

# %%
from dil_teach.patches.recurrence import recurrence_score

recurs = {name: recurrence_score(p.clamp(0, 1)) for name, p in pictures.items()}
for name, score in recurs.items():
    print(f"{name:15} recurrence score {score:.2f}")

# %% [markdown]
# Bricks and coins recur, and their mixture recurs less than either of them.
# Grass, gravel and their mixture hardly recur.
#
# ## The method: one model
#
# $$I = m\,y_1 + (1 - m)\,y_2$$
#
# The front layer $y_1$, the back layer $y_2$ and the [mask](glossary.md#mask) $m$ are each the output of a network or of a simpler function.
# If the mask is a picture of zeros and ones, the model describes a segmentation.
# If the mask is one number, the model describes a mixture.
# Chapter [15](15_double_dip_haze_watermark_video.ipynb) shows other cases of this model.
# The next cell shows a complete training step of the library:

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach import Separation
from dil_teach.notebook import show_source

show_source(Separation.train_step)

# %% [markdown]
# This training step belongs to `Separation`, which comes later in this chapter.
# `self.dip` contains the two networks, the mask and the optimizer, and the reconstruction loss is the same in all applications.
# The applications differ in their *penalties* (here the exclusion), whose weights are in the settings.
# **Stopping rule**: training ends after the number of steps in the budget.
#
# ## Exercise: compositing
#
# Write `compose(front, back, mask)`, the model itself.
#
# - `front`, `back`: Float[Tensor, "c h w"] in [0, 1], the two layers.
# - `mask`: Float[Tensor, "1 h w"] in [0, 1], the fraction of the front layer in each pixel.
# - Returns the image, Float[Tensor, "c h w"].
#
# Expected run time: under a millisecond.


# %% tags=["exercise"]
def compose(front, back, mask):
    ### BEGIN SOLUTION
    return mask * front + (1 - mask) * back
    ### END SOLUTION


# %%
from dil_teach.course import check

check.compose(compose)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Where the mask is 1, only the front layer is visible; where the mask is 0, only the back layer is visible.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Where the mask is 0.3, the front layer has a weight of 0.3.
# What is the weight of the back layer?
#
# </details>
# <details><summary>Hint 3</summary>
#
# torch broadcasts a mask of one channel to the three channels of a layer.
#
# </details>

# %% [markdown]
# ## Segmentation, by hand: hints and a mask penalty
#
# First we follow the paper on Double-DIP: two networks output the layers in colour, and a third network outputs the mask.
# Two hints are given: a disk inside the foreground, and the border of the picture as background.
# We also know that each pixel belongs to exactly one of the two layers.
# The scene is rendered from photographs, so the true mask is known.
# (Dahlia: vultilion, CC BY 2.0, as scikit-learn ships it; bricks CC0Textures, CC0.)

# %% tags=["algorithm"]
import torch.nn.functional as F

from dil_teach.image.scenes import scene


def small_scene(name, side):
    """Return a rendered scene and its hints, resized to `side` x `side` pixels."""
    small = {}
    for part, whole in scene(name).images.items():
        if part.endswith("hint"):
            small[part] = F.adaptive_max_pool2d(whole, side).to(device())
        else:
            small[part] = resize(whole, size=(side, side)).clamp(0, 1).to(device())
    return small


def agreement(mask, truth):
    """Intersection over union."""
    one, other = mask > 0.5, truth > 0.5
    return float((one & other).sum() / (one | other).sum())


# %%
def hint_loss(mask, front_hint, back_hint):
    """Cross-entropy: the mask should be 1 in the front hint and 0 in the back hint."""
    sure = mask.clamp(1e-4, 1 - 1e-4)
    in_front = (sure.log() * front_hint).sum() / front_hint.sum()
    in_back = ((1 - sure).log() * back_hint).sum() / back_hint.sum()
    return -in_front - in_back


# %%
def learn(dip, front_hint, back_hint, binary):
    """Train two networks and a mask; `binary` is the weight of the mask penalty."""
    for step in range(dip.steps):
        layers = dip.draw()
        greyness = (layers.mask * (1 - layers.mask)).mean()
        losses = {
            "reconstruction": dip.reconstruction(layers),
            "hint": 0.1 * hint_loss(layers.mask, front_hint, back_hint),
            "binary": binary * greyness,
        }
        dip.update(layers, losses, step)
    return dip


# %% [markdown]
# The second penalty, after the hint loss, is a *binarising* penalty: $m(1-m)$ is 0 for a mask of 0 or 1, and largest for 0.5.
# (The paper uses another binarising penalty, the inverse of the sum of $|m - \frac12|$.
# The paper's penalty is infinite if the whole mask is 0.5, as it is at the start.)
# The next cells train three times, with the penalty weights 0, 0.1 and 1:

# %%
from dil_teach.deep.double_dip.double_dip import DoubleDIP, Network

flower = small_scene("dahlia", side)
image = flower["image"][None]
hints = [flower[f"{name}_hint"][None] for name in ("foreground", "background")]
steps = {"quick": 36, "standard": 150, "full": 400}[budget]


def learned_with(binary):
    rng = torch.Generator().manual_seed(seed)
    front, back = (Network(image, rng, widths=(16, 32, 32)) for _ in range(2))
    mask = Network(image, rng, channels=1, widths=(16, 32, 32))
    return learn(DoubleDIP(image, front, back, mask, rng, steps), *hints, binary)


# %%
weights = (0.0, 0.1, 1.0)
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    by_weight = dict(zip(weights, pool.map(learned_with, weights), strict=True))
error, greyness, overlap = {}, {}, {}
for binary, dip in by_weight.items():
    found = dip.layers()
    error[binary] = float((found.compose() - dip.image).square().mean())
    greyness[binary] = float((found.mask * (1 - found.mask)).mean())
    overlap[binary] = agreement(found.mask[0], flower["mask"])
    print(f"weight {binary:4}: reconstruction error {error[binary]:.4f}", end=", ")
    print(f"greyness {greyness[binary]:.3f}, IoU {overlap[binary]:.2f}")

# %%
from dil_teach.notebook import Slider


def render_binary(level):
    binary = sorted(by_weight)[level]
    found = by_weight[binary].layers()
    return {
        f"mask, weight {binary}": found.mask[0],
        "front": found.front[0],
        "back": found.back[0],
        "composite": found.compose()[0],
    }


# %%
mask_slider = explore(
    render_binary,
    {"level": Slider("Mask penalty: 0 = none, 1 = some, 2 = much", 0, 2, 1, 1)},
    alt="Mask, front layer, back layer and their composite at mask penalty {level}. "
    "Without a penalty, the mask is mostly grey; with a strong penalty, the mask is "
    "nearly binary and roughly as round as the flower. The composite is always the "
    "same.",
    examples=[{"level": 0}, {"level": 2}],
    live=True,
)

# %% [markdown]
# Without the penalty the mask is grey nearly everywhere, because both networks can reproduce nearly every pixel.
# With the penalty the mask becomes nearly binary, but not necessarily correct, as the IoU shows.
# Now compare the composites on the right, or the reconstruction errors above: **the reconstruction is equally good with each weight.**
# The reconstruction error does not distinguish a good mask from a bad mask, because two networks that can output any colours can fit the image with any mask.
# ([Intersection over union](glossary.md#intersection-over-union), IoU, is 1 for the true mask.
# Another seed gives other masks with the same reconstruction errors.)

# %%
# NBVAL_CHECK_OUTPUT
worst, best = max(error.values()), min(error.values())
claims = {
    "weight 1 gives under 3/4 of the greyness of weight 0": greyness[1.0]
    < 0.75 * greyness[0.0],
    "the reconstruction errors differ by a factor under 1.5": worst < 1.5 * best,
}
check_claims(claims)

# %% [markdown]
# ## Segmentation in the library
#
# The library makes three changes to the paper's method:
#
# - The networks output **texture features** (the first ten [principal components](glossary.md#principal-components)) instead of colours, because two textures may have the same colours.
# - The mask is a **small function of these texture features** at each pixel, not a third hourglass, so it cannot memorise positions.
# - The hints **grow**: pixels that look like the marked pixels are added to the hints step by step, without any network.
#   The mask starts from the grown hints.
#   A final [graph cut](glossary.md#graph-cut) along the picture's edges makes the mask binary.
#
# Choose a photograph of your own, select the cell below, and choose *Run > Run Selected Cell and All Below*.
# If you choose no photograph, the chapter uses a picture of a blob of bricks on grass, both in grey.
# (The picture is rendered from photographs by CC0Textures and linolafett, CC0.)

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach.notebook import paint, uploaded_image

blob = small_scene("blob", 80 if budget == "quick" else 128)
picture = uploaded_image(button.value, default=blob["image"], max_side=128)
own = picture is not blob["image"]
picture = picture.to(device())
subject = "the photograph you chose" if own else "a blob of bricks on grass"
to_begin = {} if own else blob
figure = paint(picture, "foreground hint", mask=to_begin.get("foreground_hint"))
ground = paint(picture, "background hint", mask=to_begin.get("background_hint"))

# %% [markdown]
# Paint other hints, one stroke inside and one outside, and run the next cells again.
# Our hints are a disk and the border of the picture.
# If you give no hints, the library computes them: the border is the background hint, and salient pixels are the foreground hint.

# %%
from dataclasses import replace

from dil_teach import Segmentation, SegmentationSettings
from dil_teach.notebook import LivePanel

cut_steps = {"quick": 30, "standard": 150, "full": 600}[budget]
settings = getattr(SegmentationSettings, budget)(steps=cut_steps, seed=seed)
painted = [p.mask.to(device()) if p.mask.any() else None for p in (figure, ground)]
cut = Segmentation(picture, *painted, settings)
panel = LivePanel(alt=f"The networks' current mask of {subject}")

# %%
from dil_teach import fit, train

for progress in train(cut, report_every=cut.total_steps // 3):
    losses = {name: progress.losses[name] for name in ("reconstruction", "hint")}
    panel.update(replace(progress, losses=losses), cut.dip.layers().mask[0])

# %% [markdown]
# The mask starts from the grown hints, and the networks change the mask during training.
# If you pressed stop, run the cell again to continue the training.
# There are three baselines: the nearest hint, the grown hints alone, and a well-known older method [@rother2004].
# The **nearest-hint** baseline assigns each pixel to the nearer of the two hints.
# **GrabCut** models the colours of each layer as a Gaussian mixture, and finds the minimum-cost boundary between the layers.

# %%
from scipy.ndimage import distance_transform_edt

from dil_teach.classical.segmentation.grab_cut import grab_cut


def nearer(front_hint, back_hint):
    """Return a mask: 1 where the foreground hint is nearer. The image is not used."""
    inside, outside = (
        torch.from_numpy(distance_transform_edt(1 - hint[0].cpu().numpy()))
        for hint in (front_hint, back_hint)
    )
    return (inside < outside)[None].float().to(front_hint.device)


marked = [cut.start.foreground[0], cut.start.background[0]]
masks = {"nearest hint": nearer(*marked)}
masks["GrabCut"] = grab_cut(picture, *marked, seed=seed)
masks["grown hints"] = cut.start.mask[0]
masks |= {"the networks' mask": cut.dip.layers().mask[0], "final": cut.mask()}

# %%
truth = torch.full_like(picture[:1], torch.nan) if own else blob["mask"]
score = {name: agreement(mask, truth) for name, mask in masks.items()}
for name in () if own else score:
    print(f"{name:22} IoU {score[name]:.2f}")
show(
    {"picture": picture} | masks | ({} if own else {"truth": truth}),
    alt=f"Masks of {subject}. Nearest hint: a simple shape. GrabCut: a mask that lacks "
    "much of the foreground. Grown hints: a mask close to the outline. Networks: a "
    "mask close to the outline. Final: a sharp mask close to the outline.",
    zoom=2,
)

# %% [markdown]
# (For your own photograph only the pictures are shown, because its true mask is unknown.)
# GrabCut fails here, because bricks and grass have the same greys, so colour does not distinguish them.
# Therefore GrabCut cuts where a boundary costs little.
# Compare the last three IoU values: **the grown hints did most of the work, before any network.**
# A classifier grows the hints; the networks start from its mask, and add almost nothing to its IoU.
# The last graph cut adds a few hundredths, and it needs no network either.
# On six practice scenes, on which no result of this chapter is reported, the mean IoU of the grown hints with the same last cut is 0.937 without networks, and 0.931 with networks (budget `quick`).
# For comparison, the version of the paper that we wrote above, three networks on colours, had the IoU printed there.
#
# ### Foreground and background: where GrabCut wins
#
# In the next scene the layers differ in colour: the astronaut on a green lawn.
# (Eileen Collins: NASA, public domain.
# Grass: linolafett, CC0.)

# %%
woman = small_scene("astronaut", 128)
her_hints = [woman["foreground_hint"], woman["background_hint"]]
her_cut = Segmentation(woman["image"], *her_hints, settings)

# %%
fit(her_cut)
her_masks = {"nearest hint": nearer(*her_hints)}
her_masks["GrabCut"] = grab_cut(woman["image"], *her_hints, seed=seed)
her_masks["ours, final"] = her_cut.mask()
her_score = {name: agreement(m, woman["mask"]) for name, m in her_masks.items()}
show(
    {"picture": woman["image"]}
    | {f"{name}\nIoU {her_score[name]:.3f}": m for name, m in her_masks.items()},
    alt="An astronaut on a lawn and three masks of her: the nearest hint gives a "
    "rounded box, GrabCut follows the outline exactly, our mask misses a part of her "
    "head",
    zoom=1,
)

# %% [markdown]
# GrabCut's mask is better than ours and takes a small part of the time (question 4).
# Our mask misses a part of the astronaut's head.
# If the layers differ in colour, a colour model is the right model, because it can classify single pixels.
# A texture model needs a window of several pixels.
# Where the foreground is narrow, this window contains mostly background.
# *Before you choose a method, ask how the layers differ.*
#
# ### Computed hints
#
# The paper takes its hints from a [saliency](glossary.md#saliency) map that another program computes [@goferman2012].
# Without this program, users could not reproduce the results of the paper.
# Here the patch search of chapter 01 computes the saliency from the image's own patches.
# A patch is salient if its most similar patches still differ from it, or if these similar patches lie close to it in the image.

# %%
from dil_teach.classical.segmentation.saliency import saliency

bloom = small_scene("dahlia", side)
unaided = fit(Segmentation(bloom["image"], settings=settings))
found = {"salient": saliency(bloom["image"])}
found["foreground hint"] = unaided.start.foreground[0]
found["final mask"] = unaided.mask()
unaided_score = agreement(found["final mask"], bloom["mask"])
print(f"IoU of the mask without any given hint: {unaided_score:.2f}")
show(
    {"picture": bloom["image"]} | found,
    alt="The dahlia on bricks; the saliency, which is bright in the flower; the hint "
    "of the most salient pixels, a region inside the flower; and the final mask, which "
    "covers the whole flower",
    zoom=3,
)

# %% [markdown]
# One flower on a wall of equal bricks is the best case for saliency, because the background recurs.
# If the foreground recurs and the background does not, saliency marks the wrong layer, and you have to paint the hints.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "bricks on grass: the IoU of our final mask is over 0.88": score["final"] > 0.88,
    "bricks on grass: GrabCut's IoU is over 0.15 lower than ours": score["GrabCut"]
    < score["final"] - 0.15,
    "bricks on grass: the grown hints' IoU is under 0.1 lower": score["grown hints"]
    > score["final"] - 0.1,
    "astronaut: GrabCut's IoU is higher than ours": her_score["GrabCut"]
    > her_score["ours, final"],
    "dahlia without given hints: our IoU is over 0.9": unaided_score > 0.9,
}
check_claims(claims, own)

# %% [markdown]
# ## Two mixtures: exclusion
#
# A window shows both the garden and a reflection of the room.
# Two photographs of the window, one with a dark room and one with a bright room, are two mixtures of the same layers:
#
# $$I_1 = a_1 y_1 + (1 - a_1)\,y_2, \qquad I_2 = a_2 y_1 + (1 - a_2)\,y_2.$$
#
# The coefficients $a_1$ and $a_2$ are unknown.
# If the coefficients were known, each pixel would have two equations for two unknowns.
#
# ## Exercise: two equations
#
# Write `solve_mixtures(first, second, a1, a2)`.
#
# - `first`, `second`: Float[Tensor, "c h w"] in [0, 1], the mixtures.
# - `a1`, `a2`: two different floats in [0, 1], the coefficients of the first layer.
#   Each coefficient may be 0 or 1, and `a1` may be larger or smaller than `a2`.
# - Returns the tuple of the two layers, each Float[Tensor, "c h w"].
#   Do not clamp the values: values outside [0, 1] are a sign of wrong coefficients.
#
# Expected run time: under a millisecond.


# %% tags=["exercise"]
def solve_mixtures(first, second, a1, a2):
    ### BEGIN SOLUTION
    difference = (first - second) / (a1 - a2)
    return first + (1 - a1) * difference, second - a2 * difference
    ### END SOLUTION


# %%
check.solve_mixtures(solve_mixtures)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Subtract one equation from the other: which combination of the layers remains?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The difference of the mixtures is $(a_1 - a_2)$ times the difference of the layers.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The first mixture is the first layer minus $(1 - a_1)$ times the difference of the layers.
# Solve this equation for the first layer.
#
# </details>

# %% [markdown]
# The two equations give the layers, so only the two coefficients are still unknown.
# Change the two coefficients with the sliders.
# (The layers: a dahlia by vultilion and a pagoda by danielbuechele, both CC BY 2.0, as scikit-learn ships them; mixed by us.)

# %%
from dil_teach.classical.exclusion_search import (
    edge_strength,
    edges,
    exclusion_search,
    unmix,
)
from dil_teach.notebook import Toggle, strip

glass = small_scene("mix_dahlia", 64)["mixtures"]
layers = small_scene("mix_dahlia", 64)["layers"]
true_shares = tuple(scene("mix_dahlia").known["coefficients"])
rng = torch.Generator().manual_seed(seed)
grain = 5 / 255 * torch.randn(glass.shape, generator=rng).to(device())
noisy = (glass + grain).clamp(0, 1)
middle = (8, 8, 48, 48)  # the part that the figures show


# %%
def meeting(y1, y2):
    """The exclusion of two layers, from 0 to 1: how much their edges coincide."""
    one, two = (edge_strength(edges(y)[None]) for y in (y1, y2))
    return float((one * two).mean())


# %%
def render_shares(a1, a2, noise):
    given = noisy if noise else glass
    y1, y2 = unmix(given, (a1, a2))
    again = torch.stack([a * y1 + (1 - a) * y2 for a in (a1, a2)])
    error = float((again - given).abs().max())
    title = f"exclusion {meeting(y1, y2):.3f}, largest error {255 * error:.1f}"
    solved = {"first layer": y1.clamp(0, 1), "second layer": y2.clamp(0, 1)}
    return strip(solved | {title: given[0]}, crop=middle, zoom=3)


# %%
shares = explore(
    render_shares,
    {
        "a1": Slider("First layer's weight in mixture 1", 0.5, 1.0, 0.6, 0.02),
        "a2": Slider("First layer's weight in mixture 2", 0.0, 0.48, 0.4, 0.02),
        "noise": Toggle("Noise of 5 grey levels on both mixtures", False),
    },
    alt="Two layers computed with the coefficients {a1} and {a2} (noise: {noise}), and "
    "the first mixture. At 0.6 and 0.4 the layers are a dahlia and a pagoda; at other "
    "coefficients each layer contains a ghost of the other layer.",
    examples=[dict(a1=a, a2=round(1 - a, 1), noise=False) for a in (0.6, 0.8)],
    live=True,
)

# %% [markdown]
# With the coefficients (0.6, 0.4) the layers are a dahlia and a pagoda; with (0.8, 0.2) each layer contains a ghost of the other layer.
# But the *largest error* of the reconstruction, in grey levels, is always 0.
# **Every pair of coefficients explains both mixtures exactly**, so the reconstruction error cannot find the right pair.
# But the exclusion, the first number in the title, changes with the coefficients.
#
# **[Exclusion](glossary.md#exclusion).**
# The dahlia and the pagoda are independent pictures.
# If both layers have an edge at the same position, one of the two edges is probably a ghost of the other edge.
# So we want layers whose edges coincide as little as possible [@sarel2004; @zhang2018].
#
# ## Exercise: exclusion
#
# Write `exclusion(a, b)`, a loss for training.
#
# - `a`, `b`: Float[Tensor, "c h w"] in [0, 1], two layers of one shape.
# - *Edges*: the absolute differences of neighbouring pixels, in two directions, vertical and horizontal.
#   *Strength* of an edge $e$: $\tanh\bigl(e / (2 \bar e)\bigr)$, where $\bar e$ is the mean of the layer's edges in this direction, over all channels.
# - Returns one number, a tensor without axes, through which a gradient can flow.
#   For each direction, multiply the strengths of the two layers and take the mean over all edges; then take the mean over the two directions.
#   For a layer without any edges the result is 0, and its gradient is finite.
#
# Expected run time: a millisecond.


# %% tags=["exercise"]
def exclusion(a, b):
    ### BEGIN SOLUTION
    def strength_of(layer, axis):
        edge = layer.diff(dim=axis).abs()
        return torch.tanh(edge / (2 * edge.mean()).clamp_min(1e-6))

    down, across = ((strength_of(a, d) * strength_of(b, d)).mean() for d in (1, 2))
    return (down + across) / 2
    ### END SOLUTION


# %%
check.exclusion(exclusion)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
# `layer.diff(dim=1)` returns the vertical differences.
# What are these differences in a constant layer, and what happens when you divide by their mean?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Because of the division by the mean, a pale reflection has the same weight as a strong reflection.
# The function `tanh` limits the weight of a single hard edge.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Use `.clamp_min(1e-6)` on the divisor.
# Do not use a square root, because its derivative at 0 is infinite.
#
# </details>

# %% [markdown]
# The library uses the mean of the exclusion loss over three scales.
# Two methods minimise the exclusion loss.
# The *classical search* tries pairs of coefficients and solves for the layers; it takes a tenth of a second and needs no network.
# In *Double-DIP*, two networks output the layers.
# The coefficients of Double-DIP start from a classical search on blurred mixtures, and change slowly together with the weights.
# The panel shows the training on the mixtures without noise:

# %%
from dil_teach import SeparationSettings

separation_steps = {"quick": 72, "standard": 500, "full": 1500}[budget]
mixing = SeparationSettings(steps=separation_steps, seed=seed)
from_clean, from_noisy = Separation(glass, mixing), Separation(noisy, mixing)

# %%
ghost_panel = LivePanel(alt="The output of network 1 (left) and of network 2 (right)")
for progress in train(from_clean, report_every=from_clean.total_steps // 4):
    seen = from_clean.layers()
    beside = torch.cat([seen.network_first, seen.network_second], dim=2)
    ghost_panel.update(progress, beside[:, 8:56])
fit(from_noisy)

# %% [markdown]
# The exclusion has so small a weight that its curve lies on the axis, but the exclusion determines the result.
# Move the slider to see the outputs of the two networks:

# %%
from dil_teach.notebook import scrub

history = scrub(
    ghost_panel.history,
    alt="The outputs of the two networks after {step} steps: two blurred mixtures at "
    "first, then a dahlia on the left and a pagoda on the right",
)

# %% [markdown]
# Here the layers separate early, while both are still blurred: the exclusion loss excludes most other splits.
# At this budget a red ghost of the dahlia remains on the pagoda.
# The final layers are not blurred: once the coefficients are known, a [closed form](glossary.md#closed-form) gives the layers, with all the detail of the mixtures.

# %% tags=["algorithm"]
from dil_teach.image.metrics import psnr


def quality(found):
    return [psnr(y.clamp(0, 1), truth) for y, truth in zip(found, layers, strict=True)]


answers = {}
for words, given, separation in (
    ("clean", glass, from_clean),
    ("noisy", noisy, from_noisy),
):
    tried = {"search": exclusion_search(given)}
    tried["search, blurred first"] = exclusion_search(given, blur=1.0)
    learned = separation.layers()
    tried["networks"] = learned.coefficients
    for how, found in tried.items():
        answers[words, how] = found, quality(unmix(given, found))
    own_layers = (learned.network_first, learned.network_second)
    answers[words, "networks' own layers"] = learned.coefficients, quality(own_layers)
    answers[words, "true coefficients"] = (
        true_shares,
        quality(unmix(given, true_shares)),
    )

# %%
print(f"{'':29}    a1     a2   layers [dB]")
for (words, how), (found, (first, second)) in answers.items():
    print(
        f"{words}: {how:22} {found[0]:.3f}  {found[1]:.3f}   {first:.1f}  {second:.1f}"
    )

# %% [markdown]
# Read the *clean* lines of the table first.
# On clean mixtures, the classical search is by far the best: it finds the coefficients to within 0.002 in a tenth of a second.
# With only two unknown numbers and an exact formula, networks add nothing.
# The networks start near the correct coefficients, but the layers that they output are far worse than the layers of the closed form.
#
# In the *noisy* lines of the table, the classical search fails.
# Noise has edges everywhere.
# Each computed layer combines both mixtures, so each layer contains the noise of both.
# So the search finds the coefficients with the smallest exclusion of the *noise*, and these coefficients are wrong.
# **If you blur both mixtures by a pixel or two before the search, the search works again.**
# Our networks' coefficients start from this blurred search; in the paper the networks find the coefficients alone.
# Our networks can also find the coefficients alone: they reproduce almost no noise, so their loss depends on the edges of the pictures.
# But when the coefficients started with errors of 0.1 or 0.2, our networks needed 800 steps.
# On six scenes and three seeds, the mean error of the coefficients was 0.02 and the largest error was 0.08.
# The reason for these errors is that the coefficients depend on edges that the networks have not yet reproduced.
# If you know that there is noise, the blurred search finds the two coefficients at a lower cost.
# The layers that the networks output have no noise, but this is no advantage over a denoiser.
# On six pairs at 64 pixels with noise of 5 grey levels (three seeds, 400 steps), the worse layer of the blurred search has 24.9 dB, the networks' layer has 26.6 dB, and the layer of the blurred search has 29.2 dB after denoising by BM3D.
# Without half of the pixels, which the search must interpolate first, the networks' layers are better than the closed form even with the true coefficients: 25.2 against 23.9 dB on three pairs (we have not compared them with a denoiser).
# The next figure shows the second layer of the noisy mixtures, computed in four ways.
# The PSNR below each picture is computed on luma only; the PSNR in the table is computed over all channels:

# %%
compared = {how: unmix(noisy, answers["noisy", how][0])[1] for how in tried}
show(
    {name: layer.clamp(0, 1) for name, layer in compared.items()}
    | {"networks' own": learned.network_second},
    alt="The pagoda, computed from noisy mixtures. Search: a noisy pagoda with a ghost "
    "of the dahlia. Blurred search: a noisy pagoda. Networks' coefficients: a noisy "
    "pagoda. Networks' own layer: a smooth pagoda.",
    truth=layers[1],
    crop=(8, 8, 40, 40),
    zoom=3,
)

# %% [markdown]
# The ghost of the dahlia on the first pagoda shows that a coefficient is wrong.
# The second and the third pagoda are nearly the same.
# Both are noisy, because the division by $a_1 - a_2$ amplifies the noise of the mixtures.
# The layer that the network outputs itself has no noise, and little detail.

# %%
off = {
    key: max(abs(a - b) for a, b in zip(found, true_shares, strict=True))
    for key, (found, _) in answers.items()
}
own_gap = min(answers["clean", "networks"][1]) - min(
    answers["clean", "networks' own layers"][1]
)

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "clean: the search has an error under 0.01": off["clean", "search"] < 0.01,
    "clean: the networks have an error under 0.1": off["clean", "networks"] < 0.1,
    "clean: the closed form is 2 dB better than the networks' layers": own_gap > 2,
    "noisy: the search has an error over 0.2": off["noisy", "search"] > 0.2,
    "noisy: the search has over twice the networks' error": off["noisy", "networks"]
    < 0.5 * off["noisy", "search"],
    "noisy: the blurred search has an error under 0.05": off[
        "noisy", "search, blurred first"
    ]
    < 0.05,
}
check_claims(claims)

# %% [markdown]
# ## One mixture: ill-posed
#
# Now remove the second mixture.
# With one mixture, each pixel has one equation for two unknowns [@levin2004].
# For any picture $h$, the pictures $I + h$ and $I - h$ are two layers whose mean is $I$.
# Try this with a picture of coins, which are in neither layer:

# %%
lone = layers.mean(dim=0)
coins = resize(parts["coins"], size=lone.shape[1:]).clamp(0, 1) - 0.5


def render_added(share):
    one, other = lone + share * coins, lone - share * coins
    error = 255 * float(((one + other) / 2 - lone).abs().max())
    panels = {"one layer": one.clamp(0, 1), "the other": other.clamp(0, 1)}
    panels[f"their mean, error {error:.1f}"] = (one + other) / 2
    return strip(panels, crop=middle, zoom=3)


# %%
added = explore(
    render_added,
    {
        "share": Slider(
            "Coins added to one layer, subtracted from the other", -0.5, 0.5, 0.3, 0.1
        )
    },
    alt="Two layers and their mean; {share} times the coins are added to one layer and "
    "subtracted from the other layer. Both layers show coins, except at 0; the mean "
    "never shows coins.",
    examples=[{"share": 0.0}, {"share": 0.4}],
    live=True,
)

# %% [markdown]
# The coins cancel in the mean.
# The mixture contains no information about the *difference* of its layers.
# Brightness, colour and every edge may belong to one layer, to the other layer, or partly to both.
# Only a prior can choose a split, such as 'networks reproduce both layers easily' or 'the edges of the layers do not coincide'.
# Are such priors enough to find the true layers?
# We train twice, with the exclusion loss and without it, and score each training after half of its steps and at the end.
# The first two rows of the table are baselines.
# The first baseline uses the mixture itself as both layers.
# The second baseline adds a constant colour to one layer and subtracts it from the other; an [oracle](glossary.md#oracle) chose the colour with the ground truth.

# %%
small = resize(layers, size=(side, side)).clamp(0, 1)
mixture = small.mean(dim=0, keepdim=True)
lone_steps = {"quick": 50, "standard": 400, "full": 1200}[budget]
alone = SeparationSettings(steps=lone_steps, seed=seed)
lone_ways = {"exclusion": Separation(mixture, alone)}
lone_ways["nothing"] = Separation(mixture, replace(alone, exclusion=0))


def split(difference):
    """Return the mean PSNR of mixture ± difference as layers, in the better order."""
    ways = [(mixture[0] + d, mixture[0] - d) for d in (difference, -difference)]
    pairs = [zip(way, small, strict=True) for way in ways]
    return max(sum(psnr(y.clamp(0, 1), t) for y, t in p) / 2 for p in pairs)


# %%
half_colour = (small[0] - small[1]).mean(dim=(1, 2), keepdim=True) / 2
split_score = {"the mixture, twice": split(torch.zeros_like(half_colour))}
split_score["best constant split (oracle)"] = split(half_colour)
explained = {}
for name, separation in lone_ways.items():
    for progress in train(separation, report_every=lone_steps // 2):
        key = f"{name}, step {progress.step}"
        found = separation.dip.layers()
        split_score[key] = split((found.front[0] - found.back[0]) / 2)
        explained[key] = psnr(found.compose()[0].clamp(0, 1), mixture[0])
print(f"{'':30} layers   reconstruction [dB]")
for name, decibels in split_score.items():
    print(f"{name:30} {decibels:6.2f}   {explained.get(name, torch.inf):.2f}")

# %%
lone_found = lone_ways["exclusion"].dip.layers()
show(
    {"mixture": mixture[0], "front": lone_found.front[0], "back": lone_found.back[0]}
    | {"layer 1": small[0], "layer 2": small[1]},
    alt="A mixture of dahlia and pagoda; the front and back layers of the networks "
    "with the exclusion loss, both blurred; and the two true layers",
    zoom=2,
)

# %% [markdown]
# The networks are not better than the baselines here.
# A wrong difference between the layers is worse than no difference, and most trainings end below the first baseline.
# The result depends on chance: with other seeds, or with other rounding errors, we got layers between 11 and 15 dB, while the reconstruction changed by less than a decibel.
# A second mixture helps more than any prior that we tried.
# On six pairs at 128 pixels, with 800 steps and three seeds, the mixture itself, taken as both layers, has 15.1 dB, and the networks' layers have 14.3 to 14.4 dB.
#
# For question 3, compare the two rows of one training in the table.
# In the second half of the steps **the reconstruction improves by about three decibels, and the layers hardly change**; some layers become worse.
# The published code keeps the step with the best reconstruction error; this choice would not help here.

# %%
# NBVAL_CHECK_OUTPUT
by_half = {n: [k for k in explained if k.startswith(n)] for n in lone_ways}
better = [explained[late] - explained[early] for early, late in by_half.values()]
gained = [split_score[late] - split_score[early] for early, late in by_half.values()]
apart = [explained[late] - split_score[late] for _, late in by_half.values()]
claims = {
    "the reconstruction gains over 1 dB in the second half": min(better) > 1,
    "the layers gain less than half as much as the reconstruction": max(gained)
    < 0.5 * min(better),
    "the mixture's PSNR is over 8 dB above that of the layers": min(apart) > 8,
}
check_claims(claims)

# %% [markdown]
# ## When it fails
#
# **The same texture in both layers.**
# We cut a blob out of grass and put it on other grass.
# A person cannot see the blob; can a method find it?

# %%
meadow = resize(photo("grass"), size=(256, 256)).clamp(0, 1).expand(3, -1, -1)
shape = small_scene("blob", 64)
shape_hints = [shape["foreground_hint"], shape["background_hint"]]
pieces = [meadow[:, 100:164, 10:74], meadow[:, 10:74, 150:214]]
front, back = (piece.to(device()) for piece in pieces)
hidden = shape["mask"] * front + (1 - shape["mask"]) * back
lost = {"nearest hint": nearer(*shape_hints)}
lost["GrabCut"] = grab_cut(hidden, *shape_hints, seed=seed)
lost["ours, final"] = fit(Segmentation(hidden, *shape_hints, settings)).mask()
lost_score = {name: agreement(mask, shape["mask"]) for name, mask in lost.items()}

# %%
show(
    {"grass on grass": hidden}
    | {f"{name}\nIoU {lost_score[name]:.2f}": mask for name, mask in lost.items()}
    | {"truth": shape["mask"]},
    alt="Grass without a visible blob; three different masks, computed by the nearest "
    "hint, by GrabCut and by our method; and the true blob",
    zoom=2,
)

# %% [markdown]
# GrabCut and our method are worse than the nearest-hint baseline, which ignores the image.
# The image has no information about the mask of the blob.
# If both layers have the same texture, no split is easier to learn than another split, as with grass and gravel.
#
# **Hints that contain the answer.**
# The quality of a segmentation depends on its hints.
# Hints for a test are often made by shrinking and enlarging the true mask.
# How good is the nearest-hint baseline with such hints?

# %%
star = scene("star").images
solid = (star["mask"] > 0.5).float()
inner = 1 - F.max_pool2d(1 - solid, 11, stride=1, padding=5)
outer = 1 - F.max_pool2d(solid, 11, stride=1, padding=5)
ruler = {"true mask, smaller and larger": nearer(inner, outer)}
ruler["disk and border"] = nearer(star["foreground_hint"], star["background_hint"])
ruler_score = {name: agreement(mask, solid) for name, mask in ruler.items()}

# %%
show(
    {"picture": resize(star["image"], scale=0.5).clamp(0, 1)}
    | {
        f"{name}\nIoU {ruler_score[name]:.2f}": resize(mask, scale=0.5).clamp(0, 1)
        for name, mask in ruler.items()
    },
    alt="A star of one texture on another texture, and two nearest-hint masks: with "
    "hints made from the true mask, the mask is nearly exact; with a disk and the "
    "border as hints, the mask is a round shape",
    zoom=2,
)

# %% [markdown]
# With hints from the true mask, the baseline's mask is nearly perfect although it ignores the image.
# A score with such hints measures the hints, not the method.
# Our hints are always a disk and the border of the picture.
# We always print the score of the nearest-hint baseline: compare every score with this baseline.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "grass on grass: we are worse than the nearest hint": lost_score["ours, final"]
    < lost_score["nearest hint"],
    "grass on grass: GrabCut is worse than the nearest hint": lost_score["GrabCut"]
    < lost_score["nearest hint"],
    "hints from the true mask: the nearest hint has IoU over 0.9": ruler_score[
        "true mask, smaller and larger"
    ]
    > 0.9,
    "hints from disk and border: IoU is under 0.7": ruler_score["disk and border"]
    < 0.7,
}
check_claims(claims)

# %% [markdown]
# ## On your own
#
# - On the command line: `dil-teach segment IN.png MASK.png`, and `dil-teach separate MIX1.png MIX2.png --out-first A.png --out-second B.png`.
# - Put the camera on a table and photograph a window twice, once with the light behind you on and once with this light off.
#   Does `separate` find the outside and the reflection?
#   Which parts of your two photographs does the model not describe?
#
# ## Summary
#
# - A network needs more steps for a mixture of two layers with recurrence than for its layers; without recurrence it does not.
#   Two networks reproduce the mixture easily, but the correct split is not the only easy split: architecture, penalties and chance decide.
# - There is one model, $m\,y_1 + (1-m)\,y_2$, and each application adds penalties: hints, a binary mask, edges that do not coincide.
# - If a formula gives the layers, use the formula.
# Then only a few parameters are unknown, and a classical search may be more accurate than a network.
# - A baseline is best where its model is right: GrabCut is best where colours differ, and the exclusion search is best where there is no noise.
#   The grown hints do the work in the library's segmentation.
# - One mixture does not determine the difference of its layers, and the reconstruction error does not distinguish a good split from a bad split.
#
# ## References
