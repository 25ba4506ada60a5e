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
# # 15 · Double-DIP: what else is a sum of two layers?
#
# [Chapter 14](14_double_dip_layers.ipynb) decomposed pictures into two layers and a mask.
# Here the same model, without any change, removes haze and watermarks and segments a moving object in a film.
# Only the meaning of the layers changes, and what is known about them.
#
# **After this chapter you can**
#
# - write haze, a watermark, a reflection and a foreground on a background as one [composition](glossary.md#composition), and say what the mask is in each case;
# - explain why haze must be added and removed in [linear light](glossary.md#linear-light);
# - solve the composition for a layer, and say when this is better than the network's own layer;
# - name the [baseline](glossary.md#baseline) of each application, and the pictures on which the baseline wins.
#
# **What you need**: [chapter 14](14_double_dip_layers.ipynb).
# No GPU.
# Reading takes 40 minutes, computing less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 35, "standard": 100, "full": 300})

# %% [markdown]
# `budget` changes sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is fixed: two runs of the chapter on one computer give the same pictures, bit for bit.
#
# ## A hazy photograph: ours, or yours
#
# Choose a hazy photograph of your own (a street in fog, hills on a summer day), then select the cell below the button, and *Run > Run Selected Cell and All Below*.
# Without one you get an alley that is *rendered*: haze was added over a known depth, so every layer is known.
# (It is made of textures from CC0Textures, CC0, and of our own street front.)

# %%
from dil_teach.notebook import upload

button = upload("A hazy photograph of your own")

# %%
from dil_teach.image.scenes import scene
from dil_teach.notebook import uploaded_image

alley = {n: i.to(device()) for n, i in scene("haze_alley").images.items()}
side = {"quick": 128, "standard": 192, "full": 256}[budget]
chosen = uploaded_image(button.value, default=alley["image"], max_side=side)
hazy = chosen[:3].to(device())
own = chosen is not alley["image"]
clear = None if own else alley["clear"]  # unknown for your photograph
subject = "your photograph" if own else "an alley of brick walls"

# %% [markdown]
# ## Predict first
#
# Write your answers down; each is tested below.
#
# 1.
#    Two things can be wrong when haze is removed: the map of its thickness, or its *colour*, which is three numbers.
#    Which of the two errors does more harm?
# 2.
#    A watermark covers three photographs.
#    We could remove it from each photograph separately, or from all three together.
#    What can a single photograph not tell us?
# 3.
#    Patches of a clear photograph [recur](glossary.md#recurrence).
#    In the same photograph under haze, do more patches have a [good match](glossary.md#good-match), or fewer?
#
# ## The smallest demo: one formula, four pictures
#
# Chapter 14 used a single model:
#
# $$I = m \cdot y_1 + (1 - m) \cdot y_2 .$$
#
# Here are four pictures of which every layer is known, and one function that should reproduce all of them:

# %%
star, reflection, mark = scene("star"), scene("mix_cat"), scene("watermark")


def compose(front, back, mask):
    return mask * front + (1 - mask) * back


white = torch.tensor(mark.known["colour"])[:, None, None]
share = torch.tensor(reflection.known["coefficients"][0])
star, reflection, mark = star.images, reflection.images, mark.images
haze_layers = [alley[name].cpu() for name in ("clear", "airlight", "transmission")]
parts = {
    "a foreground": (star["front"], star["back"], star["mask"]),
    "a reflection": (*reflection["layers"], share),
    "haze": haze_layers,
    "a watermark": (mark["clean"][0], white, 1 - mark["alpha"]),
}

# %%
shipped = {
    "a foreground": star["image"],
    "a reflection": reflection["mixtures"][0],
    "haze": alley["image"].cpu(),
    "a watermark": mark["marked"][0],
}
off = {
    name: 255 * float((compose(*parts[name]) - picture).abs().max())
    for name, picture in shipped.items()
}
for name, levels in off.items():
    print(f"{name:13} off by {levels:4.1f} grey levels at most")

# %%
import torch.nn.functional as F

from dil_teach import resize
from dil_teach.notebook import show


def column(front, back, mask, whole):
    rows = [picture.expand(3, 128, 128) for picture in (front, back, mask, whole)]
    tall = torch.cat([F.pad(row, (0, 0, 4, 0), value=1) for row in rows], dim=1)
    return resize(tall, scale=0.75).clamp(0, 1)


show(
    {name: column(*parts[name], whole) for name, whole in shipped.items()},
    alt="Four columns, from top to bottom front layer, back layer, mask and picture: a "
    "star of brick on gravel, a cat mixed with a second photograph, a brick alley with "
    "pale haze behind a mask that darkens into the distance, a cat under white letters",
    zoom=1,
)

# %% [markdown]
# Each column shows, from top to bottom, the front layer, the back layer, the mask (white where the front is visible) and the picture.
# The reflection's mask is one grey for the whole picture.
# The back layers of haze and watermark are single colours.
# These differences make one problem easier than another:
#
# | | front $y_1$ | back $y_2$ | mask $m$ | what else is known |
# |---|---|---|---|---|
# | segmentation (chapter 14) | the foreground | the background | black or white | hints; each has its own texture |
# | reflection (chapter 14) | one scene | another scene | one number | their edges do not coincide |
# | **haze** | the scene | the [airlight](glossary.md#airlight): one colour, or a smooth layer | the [transmission](glossary.md#transmission), which changes with depth alone | light is not negative |
# | **watermark** | the photograph | one colour | 1 - [opacity](glossary.md#opacity) $\alpha$ | $\alpha$ is the same in each picture, and 0 in most pixels |
# | **film** | the foreground of each frame | the background of each frame | black or white | neighbouring frames are nearly the same; foreground and background move differently |
#
# Three pictures agree to within rounding.
# Haze does not, although all its layers are correct: the numbers printed above show the error.
# What is wrong?
#
# ## Exercise: haze
#
# Light adds up.
# The numbers in a file are not light: they are sRGB values, a nonlinear encoding that spends more of its 256 levels on dark tones.
# Haze adds light to light *before* the camera encodes it.
# So the composition holds in linear light, $I = t J + (1 - t) A$, where $J$ is the clear scene, $A$ the airlight and $t$ the transmission, which falls as $e^{-\beta d}$ with the distance $d$ [@narasimhan2002].
# (A program puts a watermark on the *file*, so there the sRGB values do add up.)
#
# Write `haze(clear, transmission, airlight)`.
#
# - `clear`: Float[Tensor, "3 h w"] in [0, 1], sRGB as in a file.
# - `transmission`: Float[Tensor, "1 h w"] in [0, 1], 1 where there is no haze.
# - `airlight`: Float[Tensor, "3 1 1"] in [0, 1], sRGB.
# - Returns the hazy picture, Float[Tensor, "3 h w"] in [0, 1], sRGB.
#
# `to_linear` converts sRGB values to linear light, and `to_srgb` converts them back.
# Expected run time: a few milliseconds.

# %% tags=["exercise"]
from dil_teach.image.colour import to_linear, to_srgb


def haze(clear, transmission, airlight):
    ### BEGIN SOLUTION
    light = transmission * to_linear(clear) + (1 - transmission) * to_linear(airlight)
    return to_srgb(light)
    ### END SOLUTION


# %%
from dil_teach.course import check

check.haze(haze)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Which of the three arguments are sRGB values, and which is a share?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Two arguments must be converted to linear light before they are added, and the sum must be converted back.
#
# </details>
# <details><summary>Hint 3</summary>
#
# You may use `compose` from the demo as it is: the formula is the same for linear light.
#
# </details>

# %% [markdown]
# ## Exercise: the front layer, in closed form
#
# Once the mask and the back layer are known, the front layer needs no network: solve the composition for it.
# One difficulty remains.
# Where the mask is nearly 0, almost nothing of the front is visible, and noise and rounding errors would be divided by almost 0.
# So a *floor* limits the divisor: where the mask is lower, we divide by the floor instead.
#
# Write `front_layer(image, mask, back, floor)`.
#
# - `image`: Float[Tensor, "c h w"], in sRGB or in linear light, as the layers are.
# - `mask`: Float[Tensor, "1 h w"] in [0, 1].
# - `back`: Float[Tensor, "c h w"], or "c 1 1" where it is one colour.
# - `floor`: a float above 0.
# - Returns the front, Float[Tensor, "c h w"], not clamped to [0, 1].
#   Where the mask is 0, it should be the back layer: neither black nor infinite.
#
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def front_layer(image, mask, back, floor):
    ### BEGIN SOLUTION
    return back + (image - back) / mask.clamp_min(floor)
    ### END SOLUTION


# %%
check.front_layer(front_layer)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Write the composition with the front alone on one side.
# What do you subtract, and by what do you divide?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Write it as a *difference* from the back layer.
# How much larger is the front's difference than the image's?
#
# </details>
# <details><summary>Hint 3</summary>
#
# image - back = mask * (front - back).
# `clamp_min` keeps the mask above the floor.
#
# </details>

# %% [markdown]
# The same line removes haze (with `to_linear` before and `to_srgb` after) and a watermark (with `1 - alpha` as the mask).
# **Only the meaning of the symbols has changed.**
# The rest of the chapter is about how to find the mask and the back layer.
#
# ## Haze: the dark channel
#
# First the [baseline](glossary.md#baseline), which learns nothing.
# Consider a clear outdoor picture.
# Nearly everywhere except in the sky, a window of a few pixels contains something dark in at least one of the three channels: a shadow, a leaf, a brick.
# So the minimum over channels and window, the [dark channel](glossary.md#dark-channel), is close to 0 [@he2011].
# In haze this pixel has the value $(1-t)\,A$ instead of 0, so the dark channel of $I/A$ is $1 - t$: a map of the haze.

# %%
from dil_teach.classical.haze.dark_channel import (
    brightest_haze,
    dark_channel,
    dark_channel_transmission,
)
from dil_teach.notebook import show_source

show_source(dark_channel_transmission)

# %%
from dil_teach.image.guided_filter import guided_filter


def baseline_map(image, linear_airlight, radius, patch=7):
    """The dark channel's transmission, aligned with the picture's edges."""
    light = to_linear(image)[None]
    rough = dark_channel_transmission(light, linear_airlight, patch)
    return guided_filter(image[None], rough, radius, eps=1e-3)[0].clamp(0.05, 1)


# %% [markdown]
# The window makes the map blocky, and the [guided filter](glossary.md#guided-filter) aligns it with the edges of the picture again [@he2010].
# (The factor 0.95 leaves a little haze on purpose: without any haze, distant objects look near.)

# %%
linear_hazy = to_linear(hazy)[None]
airlight = brightest_haze(linear_hazy, patch=7)
transmission = baseline_map(hazy, airlight, radius=16)
shown = {
    "its dark channel": dark_channel(linear_hazy, 7)[0],
    "transmission": transmission,
}
if not own:
    shown["true transmission"] = alley["transmission"]
    shown["dark channel of the truth"] = dark_channel(to_linear(clear)[None], 7)[0]

# %%
show(
    shown,
    alt=f"The dark channel of {subject}, pale where the haze is thick; the map of "
    "transmission made of it, dark grey far away, much like the true one beside it, "
    "but with bricks in it; the dark channel of the clear picture, black nearly "
    "everywhere",
    zoom=1,
)

# %% [markdown]
# In the first picture, bright means thick haze; in the second, bright means near.
# The last picture shows the prior: the clear alley is dark nearly everywhere, but not quite.
# Where it is not dark (the pale windows, the mortar between the bricks), the second picture mistakes paleness for haze.
# So bricks appear in a map that should show depth only.
#
# Two parameters control the result.
# *Airlight*: the assumed brightness of the haze itself.
# *Smoothness*: the number of pixels over which the guided filter averages.


# %%
from dil_teach.classical.haze.dark_channel import remove_haze
from dil_teach.notebook import strip


def dehaze(image, linear_airlight, transmission):
    """Remove haze in closed form, in linear light; the result is sRGB."""
    light = remove_haze(to_linear(image)[None], transmission[None], linear_airlight)
    return to_srgb(light)[0]


def render_haze(brightness, smoothness):
    assumed = (brightness * airlight).clamp(0.05, 1)
    t = baseline_map(hazy, assumed, smoothness)
    pictures = {
        "airlight": to_srgb(assumed)[0].expand_as(hazy),
        "transmission": t,
        "without haze": dehaze(hazy, assumed, t),
    }
    return strip(pictures, zoom=1)


# %%
from dil_teach.notebook import Slider, explore

haze_controls = {
    "brightness": Slider("Airlight (times the estimate)", 0.7, 1.3, 1.0, 0.05),
    "smoothness": Slider("Smoothness (radius in pixels)", 1, 40, 16, 1),
}

# %%
haze_slider = explore(
    render_haze,
    haze_controls,
    "The assumed airlight, the transmission and the result, the airlight {brightness} "
    "times the estimate and the transmission smooth over {smoothness} pixels",
    examples=[
        {"brightness": 1.0, "smoothness": 16},
        {"brightness": 0.8, "smoothness": 16},
    ],
    live=True,
)

# %% [markdown]
# If the airlight is too dark, the far end of the alley breaks: haze cannot explain a pixel that is brighter than the haze itself.
# If it is too bright, some haze remains everywhere.
# Smoothness matters less.
# With a small radius the map keeps the blocks of the minimum; with a large radius it copies the edges of the picture, including the bricks.
# Question 1 asks which of the two errors does more harm.
# Here are four scenes with a uniform airlight, with each error alone:

# %%
from dil_teach import psnr

errors = []
print("scene          airlight estimated  transmission estimated   both")
for name in ("haze_lake", "haze_alley", "haze_garden", "haze_square"):
    known = {n: i.to(device()) for n, i in scene(name).images.items()}
    picture, true_t = known["image"], known["transmission"]
    true_air = to_linear(known["airlight"])[None]
    air = brightest_haze(to_linear(picture)[None], patch=7)
    guesses = ((air, true_t), (true_air, baseline_map(picture, true_air, 16)))
    guesses += ((air, baseline_map(picture, air, 16)),)
    results = [dehaze(picture, a, t) for a, t in guesses]
    errors.append([psnr(result, known["clear"]) for result in results])
    print(f"{name:14}" + "".join(f"{decibels:15.1f} dB" for decibels in errors[-1]))
wrong_airlight, wrong_transmission, both_wrong = torch.tensor(errors).mean(dim=0)

# %% [markdown]
# The first column uses the *true* transmission map and a wrong colour.
# The second uses the true colour and a map from ten lines of code.
# On average **the airlight does more harm**: three numbers against 16,384.
# (It does much more harm on the lake and in the garden; in the alley and on the square, the map does a little more harm.)
# The reason is in the closed form, $J = A + (I - A)/t$.
# Where the haze is thick, $t$ is small, and the error of $A$ is multiplied by $1/t - 1$, which is nine at $t = 0.1$.
# This happens over the whole far half of the picture, and in the same direction.
# The errors of $t$ differ from place to place, and the colours of the far scene are close to $A$ anyway.
# A method that is *given* the airlight has been given most of the answer; remember this when you compare tables.

# %% [markdown]
# ## Haze: the upper envelope
#
# Can the map be improved?
# Light is not negative: $J \ge 0$, so $I \ge (1-t)\,A$ in each channel, and
#
# $$t \;\ge\; 1 - \min_c \frac{I_c}{A_c} .$$
#
# Every pixel gives a **lower bound** on its own transmission, the boundary constraint of @meng2013, which @berman2016 use as well.
# The bound holds with equality only where something is really black.
# Here it is along one row of the alley, with the true airlight:

# %%
from dil_teach.notebook import curves

row, columns = 40, range(128)
true_air = to_linear(alley["airlight"])[None]
bound = 1 - (to_linear(alley["image"]) / true_air[0]).amin(dim=0)
too_high = float((bound > alley["transmission"][0] + 0.02).float().mean())
baseline_t = baseline_map(alley["image"], true_air, radius=16)[0]

# %%
show(
    curves(
        {
            "lower bound of each pixel": (columns, bound[row].tolist()),
            "dark channel, guided": (columns, baseline_t[row].tolist()),
            "truth": (columns, alley["transmission"][0, row].tolist()),
        },
        xlabel="column [pixels]",
        ylabel="transmission",
    ),
    alt="Three curves along a row of the alley: the lower bound jumps at each brick "
    "and never passes the truth, a smooth valley along its highest points; the dark "
    "channel's map jumps as well and runs above the truth in the valley",
)

# %% [markdown]
# The true transmission runs along the *peaks* of the jagged curve, or a little above them where nothing is quite black: it is the [upper envelope](glossary.md#upper-envelope) of the bounds.
# The dark channel's map is too high at the far end of the alley, where its window takes the bound of nearer walls.
# It is too low at the window on the right (columns 98 to 104), where nothing is dark.
# It also copies the bricks.
#
# Double-DIP uses the envelope as prior knowledge about the mask.
# This is all that turns the model of chapter 14 into a method for haze:

# %%
from dil_teach import Dehazing, DehazingSettings
from dil_teach.deep.double_dip.dehazing import (
    envelope,
    neighbour_similarity,
    roughness,
)

show_source(Dehazing.train_step)
show_source(envelope)
show_source(roughness)
show_source(neighbour_similarity)

# %% [markdown]
# - **Envelope.**
#   A bound *above* the map costs 0.9 of the difference, a bound below it only 0.1.
#   So the best map has nine of ten bounds below it.
#   (This loss is also called pinball loss; at 0.5 its minimum is the median.)
# - **Roughness.**
#   $-\log t = \beta d$ is the depth up to a factor, and depth is smooth except where colours change.
# - **The airlight comes first** and is then frozen.
#   Its tint comes from the topic of this course: patches that [recur](glossary.md#recurrence) at two distances differ by haze alone, and their colours fade along lines that meet in the airlight [@bahat2016].
#   Its brightness comes from the haziest part, extrapolated to the point at which no contrast would remain.
# - A network draws the front layer, the mask is a coarse grid that is interpolated, and the back layer is one colour.
# - The final transmission is a blend of the learned mask and the guided dark channel.
#
# **Stopping rule**: the number of steps in the budget.

# %%
import dataclasses

from dil_teach import train
from dil_teach.notebook import LivePanel

steps = {"quick": 40, "standard": 200, "full": 400}[budget]
haze_settings = DehazingSettings(steps=steps, seed=seed)
dehazing = Dehazing(hazy, settings=haze_settings)
panel = LivePanel(alt="The transmission learned so far")

# %%
for progress in train(dehazing, report_every=dehazing.total_steps // 3):
    panel.update(progress, dehazing.transmission())

# %% [markdown]
# The losses level off within the first half of the steps.
# The reconstruction error is small early: map and airlight are nearly right from the start, and the network only has to find the colours.
# This error does not show how good the *map* is.

# %%
haze_free = dehazing.haze_free()
versions = {
    "under haze": hazy,
    "baseline: dark channel": dehaze(hazy, airlight, transmission),
    "Double-DIP, closed form": haze_free,
    "the network's own layer": to_srgb(dehazing.dip.layers().front[0]),
}
show(
    versions,
    alt=f"{subject} under haze; with most of it removed by the baseline, still pale "
    "at the far end; clearer by Double-DIP; and the network's own layer, a "
    "grey-brown blur",
    truth=clear,
    zoom=1,
)

# %% [markdown]
# The network's own layer is a blur without bricks: in so few steps a network draws only smooth content.
# This does no harm, because the network's layer is not the result.
# **The closed form takes map and airlight from the training, and every detail from the given picture.**
#
# How much of the result depends on the airlight?
# Here is the same alley again, and now the method is *given* the true colour:

# %%
from dil_teach import fit

side_settings = dataclasses.replace(haze_settings, steps=steps // 2)
known = scene("haze_alley").known["airlight"]
informed = fit(Dehazing(alley["image"], airlight=known, settings=side_settings))
versions["closed form, airlight given"] = informed.haze_free()
haze_score = {}
for name, version in versions.items():
    if not own:
        haze_score[name] = psnr(version, clear)
        print(f"{name:28}{haze_score[name]:5.1f} dB")
print("The method says:", dehazing.doubts() or "no doubts.")

# %% [markdown]
# The envelope and the airlight of recurring patches gain one and a half to two decibels over the baseline here.
# Most of the gain is colour: the captions, which measure brightness alone, differ little.
# Knowing the airlight gains about two more.
# If the method expresses a doubt about the airlight of the alley, it is right: even at the far end, a fifth of the wall's light comes through, so the airlight is nowhere visible alone.
# (The baseline here is ten lines with settings that we chose for this picture.
# Other settings of window and filter, chosen *with the ground truth* of this picture, gain half a decibel.)
# The printed scores are of all three channels.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "composing sRGB values instead of light is over 30 levels off": off["haze"] > 30,
    "no bound exceeds the true transmission by over 0.02": too_high == 0,
    "a wrong airlight costs more than a wrong map": bool(
        wrong_airlight < wrong_transmission - 0.5
    ),
}
for other in () if own else ("baseline: dark channel", "the network's own layer"):
    gain = haze_score["Double-DIP, closed form"] - haze_score[other]
    claims[f"the closed form beats {other} by over 1 dB"] = gain > 1
check_claims(claims)

# %% [markdown]
# ## Haze: an airlight that is not uniform
#
# In smoke near a window, or near a low sun, the airlight is brighter on one side.
# Then the back layer cannot be one colour, but it may still be *smooth*: the same model, with a quadratic function of the position as its back layer.
# (Rendered from the coffee cup, Rachel Michetti; the cat, Stéfan van der Walt; the astronaut, NASA; and CC0Textures' bricks.)

# %%
gallery = {n: i.to(device()) for n, i in scene("haze_gallery").images.items()}
picture = gallery["image"]
by_airlight = {
    name: Dehazing(picture, non_uniform=varies, settings=side_settings)
    for name, varies in (("one colour", False), ("a smooth layer", True))
}

# %%
from dil_teach import fit_all

fit_all(by_airlight.values())  # in parallel on the available cores
freed = {name: method.haze_free() for name, method in by_airlight.items()}
gallery_score = {n: psnr(image, gallery["clear"]) for n, image in freed.items()}

# %%
pictures = {"under haze": picture, "clear": gallery["clear"]}
airlights = {"": torch.ones_like(picture), "true": gallery["airlight"]}
for name, method in by_airlight.items():
    pictures[f"by {name}\n{gallery_score[name]:.1f} dB"] = freed[name]
    airlights[name] = method.airlight()[0].expand_as(picture)
stacked = zip(pictures, pictures.values(), airlights.values(), strict=True)
show(
    {title: torch.cat([above, below], dim=1) for title, above, below in stacked},
    alt="A gallery in smoke; the clear gallery over its true airlight, cream on the "
    "right and bluish on the left; a result with a blue cast on the left over one "
    "cream colour; and one with less of that cast over a smooth airlight",
    zoom=1,
)

# %% [markdown]
# The upper row shows the pictures, the lower row their airlights.
# With one colour for the whole picture, the left half turns blue: its haze *was* bluish, and the wall takes the colour that a cream airlight does not explain.
# The smooth layer has the right tendency, from bluish to cream, but is too bright everywhere.
# It removes the blue and leaves a reddish cast instead: a gain of about one decibel.
# The gain is not larger, because the colour and the thickness of haze are hard to separate when both may change from place to place.

# %% [markdown]
# ## Watermark: three photographs that share it
#
# Now the mask is $1 - \alpha$ and the back layer is one colour.
# Neither changes from photograph to photograph; everything else does.
# The method uses this.
# At each position, the *median* of the three photographs' gradients is the gradient of the mark, because outside the mark their gradients have nothing in common [@dekel2017].
# From this outline, gradient descent then finds $\alpha$ and the colour: without the mark, all three photographs should be smooth.
# This is the **total-variation start**, and our baseline.
#
# Double-DIP [@gandelsman2019] adds the prior of a network: one network draws all three clean photographs, and the composition has to explain the marked ones.
# (In the library `front` and `back` are exchanged: its front is the mark.)

# %%
from dil_teach import WatermarkRemoval, WatermarkSettings

show_source(WatermarkRemoval.train_step)

# %%
cut = (..., slice(12, 116), slice(12, 116)) if budget == "quick" else (...,)
marked, clean, alpha = (mark[n][cut].to(device()) for n in ("marked", "clean", "alpha"))
steps = {"quick": 30, "standard": 100, "full": 300}[budget]
mark_settings = WatermarkSettings(steps=steps, seed=seed)
shared = WatermarkRemoval(marked, settings=mark_settings)

# %%
for progress in train(shared, report_every=shared.total_steps // 3):
    print(f"step {progress.step}: variation {progress.losses['variation']:.4f}")

# %% [markdown]
# No box, no outline and no colour was given.
# The variation, which the total-variation start has already minimised, hardly changes while the network trains.
# **Stopping rule**: the number of steps in the budget.
# (We do not stop at the best reconstruction: two grey layers could reconstruct the picture very well.)

# %%
import math

inside = alpha > 0.02  # the ground truth, used for scores only


def score_inside(image, truth):
    """PSNR in dB over the marked pixels only."""
    error = (image - truth)[inside.expand_as(truth)].square().mean()
    return -10 * math.log10(error)


# %%
by_three = shared.clean()
versions = {
    "as given": marked,
    "total-variation start": shared.clean_by_start(),
    "Double-DIP, closed form": by_three,
    "the network's own layer": shared.dip.layers().back,
}
mark_score = {
    name: [score_inside(*pair) for pair in zip(images, clean, strict=True)]
    for name, images in versions.items()
}

# %%
for name, values in mark_score.items():
    print(f"{name:25}" + "".join(f"{decibels:7.1f}" for decibels in values) + "  dB")
changed = float(((by_three - marked).abs() * (shared.opacity() == 0)).max())
print(f"where it found no mark it changes {255 * changed:.1f} grey levels at most")
show(
    {name: images[0] for name, images in versions.items()},
    alt="A cat's face under white letters and a ring; without any trace of them by the "
    "total-variation start and by Double-DIP, which look the same; the network's own "
    "layer, a brown blur; and the truth",
    truth=clean[0],
    zoom=1,
)

# %% [markdown]
# The result gains about eighteen decibels over the marked pixels, and hardly a trace of the mark remains.
# (The captions measure the whole picture.)
# Three conclusions:
#
# - **The baseline has done the work.**
#   Training changes its result by a fraction of a decibel, and at this budget for the worse.
#   To improve it, the network would have to know the photographs better than the composition does, and it knows less.
# - **The network's own layer is a blur.**
#   A network draws smooth content first; that is why it can separate layers at all, and why its layer is not the result.
#   The closed form takes opacity and colour from the model and *every detail from the given picture*.
# - **Where the method finds no mark, nothing changes**, not by one grey level: where $\alpha = 0$, the closed form is the identity.
#   A network's layer would have changed everything a little.
#
# ## Watermark: one photograph and a box
#
# Now the method gets only one of the three photographs.
# Instead of the other two it gets a box around the mark.
# A second baseline is *inpainting*: discard all pixels under the mark, and fill the hole with the smoothest surface [@damelin2018].
# Inpainting is given an advantage: the true outline of the mark, which the method has to find.

# %%
from dil_teach.classical.inpainting import biharmonic

top, left, *size = scene("watermark").known["box"]
moved = marked.shape[-1] != 128  # the pictures were cropped at row and column 12
box = (top - 12 * moved, left - 12 * moved, *size)
short = dataclasses.replace(mark_settings, steps=mark_settings.steps // 2)
chosen = {"cat": 0, "cup": 2}
one_each = {
    what: WatermarkRemoval(marked[number][None], box, short)
    for what, number in chosen.items()
}

# %%
fit_all(one_each.values())
alone = {what: removal.clean()[0] for what, removal in one_each.items()}
outline = F.max_pool2d(inside.float(), 3, stride=1, padding=1)
inpainted = {what: biharmonic(marked[n], outline) for what, n in chosen.items()}
one_score = {}
for what, number in chosen.items():
    results = {
        "three photographs": by_three[number],
        "one photograph and a box": alone[what],
        "inpainting, outline given": inpainted[what],
    }
    one_score[what] = [score_inside(i, clean[number]) for i in results.values()]
    for name, decibels in zip(results, one_score[what], strict=True):
        print(f"{what}: {name:26}{decibels:5.1f} dB")

# %%
from dil_teach.notebook import Choice


def render_mark(photographs, of):
    number, removal = chosen[of], shared
    cleaned = by_three[number]
    if photographs == "one":
        removal, cleaned = one_each[of], alone[of]
    pictures = {
        "opacity found": (2 * removal.opacity()).clamp(0, 1),
        "without the mark": cleaned,
        "inpainting": inpainted[of],
        "truth": clean[number],
    }
    return strip(pictures, zoom=1)


# %%
mark_choice = explore(
    render_mark,
    {
        "photographs": Choice("Photographs with this mark", ("one", "three"), "one"),
        "of": Choice("Shown", ("cat", "cup"), "cat"),
    },
    "The opacity found from {photographs} photograph(s); the {of} with the mark "
    "removed by it; by inpainting; and the ground truth",
    examples=[
        {"photographs": "one", "of": "cat"},
        {"photographs": "three", "of": "cat"},
    ],
)

# %% [markdown]
# Look at the *opacity found*.
# From three photographs, it shows the letters, the ring and little else.
# From the cat alone, it shows letters, ring, an eye and half of the fur.
# In one picture, nothing distinguishes a pale stroke of fur from a stroke of the mark: removing either leaves something smooth.
# This answers question 2: a single picture does not tell what belongs to the mark and what to the photograph.
# Better training would not help.
#
# So on the cat, **inpainting wins by far**: it knows the outline, fur is similar everywhere, and the strokes are thin enough to be bridged.
# On the cup the method wins.
# The saucer under the mark is plain, so $\alpha$ is nearly right.
# Under the letters lie the spoon's handle and the rim of the cup.
# No smooth surface can invent them, but they *are in the picture*, dimmed to a half.
# The composition restores what inpainting discards.
# Inpainting wins where the mark cannot be told apart from the photograph, and where little is lost by discarding pixels.

# %%
# NBVAL_CHECK_OUTPUT
before, start, closed, network = map(min, mark_score.values())
ahead = {what: scores[2] - scores[1] for what, scores in one_score.items()}
claims = {
    "three photographs: over 12 dB gained inside the mark": closed > before + 12,
    "training changes the start's result by under 1.5 dB": abs(closed - start) < 1.5,
    "the network's own layer is over 8 dB worse": network < closed - 8,
    "where it found no mark nothing changes": changed == 0,
    "one photograph: inpainting wins on the cat": ahead["cat"] > 2,
    "and loses on the cup": ahead["cup"] < -2,
}
check_claims(claims)

# %% [markdown]
# ## Exercise: flicker
#
# Masks of a film may be right in each single frame and still flicker along the outline.
# Write `flicker(masks, motion)`, which measures this for a film that moves by whole pixels.
#
# - `masks`: Float[Tensor, "t 1 h w"] in [0, 1], one for each frame.
# - `motion`: a list of t - 1 pairs `(down, right)` in whole pixels: the motion of the whole picture from each frame to the next.
#   A point in row $y$ of one frame is in row $y$ + down of the next.
# - Returns one float: the mean absolute difference between each mask and the previous mask, shifted by the motion; averaged over all pairs of neighbouring frames.
#   Pixels that are visible in only one of the two frames do not count.
#
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def flicker(masks, motion):
    ### BEGIN SOLUTION
    height, width = masks.shape[-2:]
    total = 0.0
    for before, after, (down, right) in zip(masks[:-1], masks[1:], motion, strict=True):
        rows = slice(max(down, 0), height + min(down, 0))
        columns = slice(max(right, 0), width + min(right, 0))
        moved = before.roll((down, right), (-2, -1))
        total += (after - moved)[..., rows, columns].abs().mean().item()
    return total / len(motion)
    ### END SOLUTION


# %%
check.flicker(flicker)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Take two frames; the second shows everything one row lower.
# Which row of the first frame corresponds to row 5 of the second?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `roll` shifts a mask, but rows that leave at the bottom reappear at the top.
# Which rows and columns must be left out?
#
# </details>
# <details><summary>Hint 3</summary>
#
# After a shift down by 2, the first two rows are unknown; after a shift by -2, the last two.
# The known rows begin at `max(down, 0)` and end at `height + min(down, 0)`.
#
# </details>

# %% [markdown]
# ## Film: one network for all frames
#
# A film is a set of pictures with one composition each.
# The same two networks draw the layers of all frames.
# Each frame has its own network input, and the inputs of neighbouring frames are nearly the same, so the layers change little from frame to frame.
# The mask of each pixel is a small function of its texture, and it is the *same* function in all frames.
# Hints are given for the first frame only.
#
# A film also contains information that a single picture lacks: things move, and pixels that move together belong together.
# [Optical flow](glossary.md#optical-flow) estimates for each pixel how far down and right it moves to the next frame [@zach2007].
# These two numbers join the features from which the mask is computed.
# The graph cut also runs through all frames at once: separating a pixel from the position to which it moved costs as much as separating two neighbours.
#
# To test whether this helps, we shift each mask back by the motion of the foreground, which is known for this rendered film, and compare it with its neighbour.
# This is the [flicker](glossary.md#flicker) of your exercise, for motions that are not whole pixels.

# %%
count, wide = {"quick": (3, 64), "standard": (4, 96), "full": (8, 128)}[budget]
film = scene("video_figure")


def smaller(pictures):
    made = [resize(p, size=(wide, wide)).clamp(0, 1) for p in pictures]
    return torch.stack(made).to(device())


frames, true_masks = (smaller(film.images[n][:count]) for n in ("frames", "masks"))
hints = [
    (smaller(film.images[f"{name}_hint"][None])[0] > 0.5).float()
    for name in ("foreground", "background")
]

# %%
from dil_teach import Segmentation, SegmentationSettings
from dil_teach.classical.segmentation.grab_cut import grab_cut

steps = {"quick": 30, "standard": 60, "full": 150}[budget]
film_settings = getattr(SegmentationSettings, budget)(steps=steps, seed=seed)
together = Segmentation(frames, *hints, film_settings)
one_by_one = [Segmentation(frame, *hints, film_settings) for frame in frames]

# %%
fit_all([together, *one_by_one])
film_masks = {"all frames together": together.mask()}
film_masks["GrabCut, each frame"] = torch.stack([grab_cut(f, *hints) for f in frames])
film_masks["Double-DIP, each frame"] = torch.stack(
    [segmentation.mask() for segmentation in one_by_one]
)


# %% tags=["algorithm"]
def stabilised(masks, known):
    """Each mask, moved back to the foreground's position in the first frame."""
    size = masks.shape[-1]
    still = []
    for mask, (down, right), turn in zip(
        masks, known["figure_motion"], known["figure_turn"], strict=False
    ):
        angle, scale = math.radians(turn), size / 128
        cy, cx = (scale * at for at in known["figure_centre"])
        at = torch.arange(size, device=mask.device) + 0.5
        y, x = (at - cy)[:, None], (at - cx)[None]
        there_y = cy + scale * down + math.cos(angle) * y + math.sin(angle) * x
        there_x = cx + scale * right + math.cos(angle) * x - math.sin(angle) * y
        grid = torch.stack([there_x, there_y], dim=-1) / size * 2 - 1
        still.append(F.grid_sample(mask[None], grid[None], align_corners=False)[0])
    return torch.stack(still)


# %%
flickers, overlap = {}, {}
for name, masks in ({"truth": true_masks} | film_masks).items():
    flickers[name] = float(stabilised(masks, film.known).diff(dim=0).abs().mean())
    both = torch.minimum(masks, true_masks).sum(dim=(1, 2, 3))
    either = torch.maximum(masks, true_masks).sum(dim=(1, 2, 3))
    overlap[name] = float((both / either).mean())
    print(f"{name:24}overlap {overlap[name]:.2f}, flicker {100 * flickers[name]:.1f} %")


def render_film(frame):
    shown = {"frame": frames[frame - 1], "truth": true_masks[frame - 1]}
    shown |= {name: masks[frame - 1] for name, masks in film_masks.items()}
    return strip(shown, zoom=2 if wide == 64 else 1)


# %%
film_slider = explore(
    render_film,
    {"frame": Slider("Frame", 1, count, 1, 1)},
    "Frame {frame}: a cat's face gliding over a cup, its true mask, a white patch, and "
    "three masks found: the face with hardly any, some and all of the spoon's bowl",
    examples=[{"frame": 1}, {"frame": count}],
    live=True,
)

# %% [markdown]
# Step through the frames and watch the spoon below the cat.
# Its grey tones are those of the cat, and nothing in a single frame shows where the cat ends.
# GrabCut (chapter 14) models the colours of the two layers.
# It decides in each frame separately how much of the spoon is cat, so it flickers most.
# Double-DIP on each single frame takes the bowl of the spoon for cat in all frames, which is wrong but rather steady.
# All frames together separate the two, or nearly so at this size: the spoon moves left with the cup, the cat moves right.
# Without the motion, the result was different.
# The texture says nearly the same in every frame, so averaging masks over frames could not help: the same wrong spoon came back with less noise.
#
# (In the runs on single frames, both methods use the first frame's hints for every frame.
# The masks of the film have soft edges, which makes them flicker less.
# The flicker of the ground truth is not 0, because its outline moves by fractions of a pixel.
# At this size, a flicker of one pixel along the outline is about three percent.
# A foreground that stands still in front of a still camera has no motion; only its texture distinguishes it.)
#
# **Low flicker alone is no merit.**
# A black mask has none.
# Read both columns.
#
# Haze in a film has one airlight for all frames.
# Here Double-DIP gets all frames together, and the baseline one at a time:

# %%
wall = scene("video_haze").images
hazy_film, clear_film = (smaller(wall[n][:count]) for n in ("frames", "clear"))
freed_film = fit(Dehazing(hazy_film, settings=side_settings)).haze_free()
airs = [brightest_haze(to_linear(frame)[None], patch=7) for frame in hazy_film]
each = [
    dehaze(f, a, baseline_map(f, a, 8)) for f, a in zip(hazy_film, airs, strict=True)
]
film_score = {
    "baseline, each frame": psnr(torch.stack(each), clear_film),
    "Double-DIP, all frames": psnr(freed_film, clear_film),
}
for name, decibels in film_score.items():
    print(f"{name:24}{decibels:.1f} dB")


# %%
def render_haze_film(frame):
    films = {"under haze": hazy_film, "baseline": each, "Double-DIP": freed_film}
    films["clear"] = clear_film
    return strip({name: film[frame - 1] for name, film in films.items()}, zoom=2)


haze_film_slider = explore(
    render_haze_film,
    {"frame": Slider("Frame", 1, count, 1, 1)},
    "Frame {frame}: a dahlia and a pagoda before a wall under haze; by the baseline, "
    "with the wall white; by Double-DIP, with the wall a greyish violet; and clear, "
    "with it dark",
    examples=[{"frame": 1}],
    live=True,
)

# %% [markdown]
# The wall in the background is dark and far away, and even where the haze is thickest, a part of the wall is visible.
# The baseline takes this mixture for the airlight, which is then too dark, and its wall becomes white.
# Double-DIP estimates an airlight that is brighter than anything in the picture, and comes closer; a seam of haze remains around the pagoda.
# The conclusion for one picture also holds for a film: the airlight matters most.

# %%
# NBVAL_CHECK_OUTPUT
joint, single = "all frames together", "GrabCut, each frame"
gain = film_score["Double-DIP, all frames"] - film_score["baseline, each frame"]
claims = {
    "Double-DIP's masks overlap the truth by over 0.85": overlap[joint] > 0.85,
    "they overlap it more than GrabCut's masks of each frame": (
        overlap[joint] > overlap[single]
    ),
    "they flicker less than half as much": flickers[joint] < flickers[single] / 2,
    "the hazy film gains over 2 dB on the baseline": gain > 2,
}
check_claims(claims)

# %% [markdown]
# ## The thread of the course: the recurrence score
#
# Does haze change how much of a picture [recurs](glossary.md#recurrence-score)?
# (We measure the 64 x 64 pixels in the middle.)

# %%
from dil_teach import recurrence_score

recurring = {"under haze": hazy, "without haze": haze_free}
if not own:
    recurring["clear"] = clear
recurs = {}
for name, picture in recurring.items():
    top, left = (max(size - 64, 0) // 2 for size in picture.shape[1:])
    recurs[name] = recurrence_score(picture[:, top : top + 64, left : left + 64])
    print(f"{name:16}{recurs[name]:.2f}")

# %% [markdown]
# Under haze *more* patches find a good match, not fewer (question 3), and removing the haze lowers the score again.
# Haze multiplies all contrasts by $t$.
# A brick at the far end keeps a fifth of its contrast and differs from its neighbours by at most two grey levels, and patches that are nearly indistinguishable count as similar.
# A high score is no praise here: a photograph that has lost its detail has a high score.
# This also shows why haze is hard for all methods of this course: the examples are there, but they teach nothing.
# (Chapter 08, planned, will ask the question differently.
# A near patch and a far patch that are the *same* in the clear scene no longer match under haze, because each has its own contrast; the airlight can be found from such pairs.)

# %% [markdown]
# ## When it fails: a scene with sky
#
# Here are two more scenes, and this time the method's own doubts are printed with the result.
# (Photograph of the pagoda: danielbuechele, CC BY 2.0; of the dahlia: vultilion, CC BY 2.0; both as scikit-learn ships them.)

# %%
smooth_ends = {
    name: {n: i.to(device()) for n, i in scene(name).images.items()}
    for name in ("haze_lake", "haze_garden")
}
doubtful = {
    name: Dehazing(images["image"], settings=side_settings)
    for name, images in smooth_ends.items()
}

# %%
fit_all(doubtful.values())
doubts = {}
for name, images in smooth_ends.items():
    method, wanted = doubtful[name], images["clear"]
    made, found_map = method.haze_free(), method.transmission()
    doubts[name] = method.doubts()
    wrong = (found_map - images["transmission"]).square().mean().sqrt()
    print(f"{name}: {psnr(made, wanted):.1f} dB, the error of the map is {wrong:.2f}")
    print(f"  says: {doubts[name] or 'no doubts'}")
    if name == "haze_lake":
        lake = {"under haze": images["image"], "result": made, "clear": wanted}
        lake |= {"map found": found_map, "true map": images["transmission"]}

# %%
show(
    lake,
    alt="A pagoda before a lake and a pale sky; the result, clear, with rosy and blue "
    "stains in the sky; the truth; the map found, black in the sky and over the lake; "
    "and the true map, a dark grey there",
    zoom=1,
)

# %% [markdown]
# The pagoda is good, the sky is not.
# A clear sky is *bright in every channel*.
# It contains nothing dark, so the bounds are far below the true transmission.
# No smoothness raises them, because the sky is large and its border is an edge.
# The map says 'hardly anything is visible through this haze', and everything in that part of the picture, including rounding errors, is multiplied by ten.
# This appears as coloured stains.
# No loss and no network repairs this: sky and opaque haze look the same, and the picture does not say which it is.
#
# A method can notice this and say so.
# Contrast falls with transmission; where the haziest part has no contrast at all, it may be sky.
# This is a suspicion, not a proof.
# The garden has no sky: its far end is a hedge out of focus, which is just as smooth.
# There the doubt is right for another reason: in a smooth part, the airlight cannot be distinguished from paint.
# A white wall, snow, or a pale dress near the camera mislead the method in the same way, and it does not notice all of them.
# If *your* photograph has much sky, judge the rest of the picture, or give the airlight.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the method doubts its result on the scene with sky": doubts["haze_lake"]
    is not None,
    "and on the one with a smooth far end": doubts["haze_garden"] is not None,
    "a smooth airlight beats one colour on the gallery by over 0.5 dB": (
        gallery_score["a smooth layer"] > gallery_score["one colour"] + 0.5
    ),
}
check_claims(claims)

# %% [markdown]
# ## Summary
#
# - Foreground and background, a reflection, haze and a watermark are one composition with different meanings of its symbols; haze is composed in linear light, the others in sRGB values.
# - Where mask and back layer are known, the front follows in closed form, with all the detail of the image.
#   The networks find the mask and the back layer; they do not draw the result.
# - Each pixel bounds the transmission from below, so the map of haze is an upper envelope.
#   But the three numbers of the airlight may matter more than the map.
# - Several pictures allow us to separate what they share from what they do not share.
#   A single picture does not contain this information; there inpainting, which knows nothing about the mark, may win.
# - Every result belongs beside a baseline, and a method should say where it is unsure.
#
# Further reading: two other ways to find the airlight and the map, from the lines that the colours of one surface form in haze [@fattal2014], and from pairs of patches that recur at different distances [@bahat2016], which chapter 08, planned, will use.
#
# ## References
