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
# Here the same model removes haze and watermarks and segments a moving object in a video.
# Only the meaning of the layers and our knowledge about them change.
#
# **After this chapter you can**
#
# - describe haze, a watermark, a reflection and a foreground on a background by one [compositing](glossary.md#composition) formula, and say what the mask is in each case;
# - explain why haze must be added and removed in [linear light](glossary.md#linear-light);
# - solve this formula for a layer, and say when the solution is better than the network's own layer;
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
# If you choose none, the chapter uses a *rendered* alley: haze was added with a known depth map, so every layer is known.
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
#    A method that removes haze estimates a map of its thickness and its *colour*, which is three numbers.
#    Both estimates have errors.
#    Which error does more harm?
# 2.
#    Three photographs have the same watermark.
#    We can remove it from each photograph separately, or from all three together.
#    Which information is missing in a single photograph?
# 3.
#    Patches of a clear photograph [recur](glossary.md#recurrence).
#    If haze is added to the photograph, do more or fewer patches have a [good match](glossary.md#good-match)?
#
# ## The smallest demo: one formula, four pictures
#
# Chapter 14 used a single model:
#
# $$I = m \cdot y_1 + (1 - m) \cdot y_2 .$$
#
# Here are four pictures with known layers, and one function that should reproduce all of them:

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
    alt="Four columns with front layer, back layer, mask and picture from top to "
    "bottom: a star of brick on gravel; a cat mixed with a second photograph; a brick "
    "alley with pale haze, its mask darker far away; and a cat under white letters.",
    zoom=1,
)

# %% [markdown]
# Each column shows, from top to bottom, the front layer, the back layer, the mask (white where the front is visible) and the picture.
# The reflection's mask is one grey for the whole picture.
# The back layers of haze and watermark are single colours.
# Because of such differences, some of these problems are easier than others:
#
# | | front $y_1$ | back $y_2$ | mask $m$ | what else is known |
# |---|---|---|---|---|
# | segmentation (chapter 14) | the foreground | the background | black or white | hints; foreground and background have different textures |
# | reflection (chapter 14) | one scene | another scene | one number | their edges do not coincide |
# | **haze** | the scene | the [airlight](glossary.md#airlight): one colour, or a smooth layer | the [transmission](glossary.md#transmission), which depends only on depth | light is not negative |
# | **watermark** | the photograph | one colour | 1 - [opacity](glossary.md#opacity) $\alpha$ | $\alpha$ is the same in each picture, and 0 in most pixels |
# | **video** | the foreground of each frame | the background of each frame | black or white | neighbouring frames are nearly the same; foreground and background move differently |
#
# Three pictures are reproduced up to rounding errors.
# The hazy picture is not, although all its layers are correct: the numbers printed above show the error.
# What is wrong?
#
# ## Exercise: haze
#
# Light adds up.
# The numbers in a file are not proportional to light: they are sRGB values, a nonlinear encoding that uses more of its 256 levels for dark tones.
# Haze adds light to light *before* the camera encodes it.
# So the formula holds in linear light: $I = t J + (1 - t) A$.
# Here $J$ is the clear scene, $A$ the airlight and $t$ the transmission, which falls as $e^{-\beta d}$ with the distance $d$ [@narasimhan2002].
# (A program adds a watermark to the *file*, so there the formula holds for sRGB values.)
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
# Which of the three arguments are sRGB values, and which is a fraction?
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
# Once the mask and the back layer are known, the front layer needs no network: solve the compositing formula for it.
# There is one difficulty.
# Where the mask is nearly 0, the front layer is almost invisible, and we would divide noise and rounding errors by almost 0.
# So a *floor* limits the divisor: where the mask is below the floor, we divide by the floor instead.
#
# Write `front_layer(image, mask, back, floor)`.
#
# - `image`: Float[Tensor, "c h w"], in sRGB or in linear light, as the layers are.
# - `mask`: Float[Tensor, "1 h w"] in [0, 1].
# - `back`: Float[Tensor, "c h w"], or "c 1 1" if it is one colour.
# - `floor`: a float above 0.
# - Returns the front layer, Float[Tensor, "c h w"], not clamped to [0, 1].
#   Where the mask is 0, it should equal the back layer and be neither black nor infinite.
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
# Solve the compositing formula for the front layer.
# What do you subtract, and by what do you divide?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Work with *differences* from the back layer.
# How many times larger is (front - back) than (image - back)?
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
# We begin with the [baseline](glossary.md#baseline), which learns nothing.
# Consider a clear outdoor picture.
# Nearly everywhere except in the sky, a window of a few pixels contains a value near 0 in at least one of the three channels, because of a shadow, a leaf or a brick.
# So the minimum over channels and window, the [dark channel](glossary.md#dark-channel), is close to 0 [@he2011].
# In haze the dark pixel has the value $(1-t)\,A$ instead of 0, so the dark channel of $I/A$ is $1 - t$, which is a map of the haze.

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
# Because of the window the map has blocks, so the [guided filter](glossary.md#guided-filter) aligns it with the edges of the picture [@he2010].
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
    alt=f"The dark channel of {subject}, pale where the haze is thick. The estimated "
    "transmission: dark grey far away, like the true one, but with visible bricks. The "
    "dark channel of the clear picture: black nearly everywhere.",
    zoom=1,
)

# %% [markdown]
# In the first picture, bright means thick haze; in the second, bright means near.
# The last picture tests the prior: the dark channel of the clear alley is black nearly everywhere, but not everywhere.
# Where it is brighter (pale windows, the mortar between the bricks), the method mistakes pale surfaces for haze.
# So bricks appear in a map that should show only depth.
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
    "Assumed airlight, transmission and result; the airlight is {brightness} times "
    "the estimate, and the transmission is smoothed over {smoothness} pixels",
    examples=[
        {"brightness": 1.0, "smoothness": 16},
        {"brightness": 0.8, "smoothness": 16},
    ],
    live=True,
)

# %% [markdown]
# If the airlight is too dark, the far end of the alley is wrong, because haze cannot explain a pixel that is brighter than the haze itself.
# If it is too bright, some haze remains everywhere.
# Smoothness matters less.
# With a small radius the map keeps the blocks of the minimum; with a large radius it copies the edges of the picture, including the bricks.
#
# Question 1 asks which of the two errors does more harm.
# The next cell measures each error alone on four scenes with a uniform airlight:

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
# The first column uses the *true* transmission map and the estimated colour.
# The second uses the true colour and the estimated map, which needs ten lines of code.
# On average **the airlight does more harm**, although it is three numbers and the map 16,384.
# (It does much more harm on the lake and in the garden; in the alley and on the square, the map does a little more harm.)
# The closed form $J = A + (I - A)/t$ shows the reason.
# Where the haze is thick, $t$ is small, and the error of $A$ is multiplied by $1/t - 1$, which is nine at $t = 0.1$.
# The error has the same sign in the whole far half of the picture.
# The errors of $t$ vary over the picture, and the colours of the far scene are close to $A$ anyway.
# If a method is *given* the airlight, it is given most of the answer; remember this when you compare tables.

# %% [markdown]
# ## Haze: the upper envelope
#
# Can we improve the map?
# Light is not negative: $J \ge 0$, so $I \ge (1-t)\,A$ in each channel, and
#
# $$t \;\ge\; 1 - \min_c \frac{I_c}{A_c} .$$
#
# Every pixel gives a **lower bound** on its own transmission, the boundary constraint of @meng2013, which @berman2016 use as well.
# The bound equals the transmission only where one channel of the clear scene is exactly 0.
# The figure shows it along one row of the alley, with the true airlight:

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
    alt="Three curves along a row of the alley. The truth is a smooth valley. The "
    "lower bound jumps at each brick; only its highest points reach the truth. The "
    "dark channel's map jumps as well, and is above the truth in the valley.",
)

# %% [markdown]
# The true transmission is the [upper envelope](glossary.md#upper-envelope) of the bounds: it touches the *peaks* of the bounds, or is slightly above them where nothing is black.
# The dark channel's map is too high at the far end of the alley, because its window includes the bounds of nearer walls.
# It is too low at the window on the right (columns 98 to 104), where nothing is dark.
# It also copies the bricks.
#
# Double-DIP uses the envelope as prior knowledge about the mask.
# The model of chapter 14 needs only this code to become a method for haze:

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
#   The loss is 0.9 times the difference for a bound *above* the map, and 0.1 times the difference for a bound below it.
#   So nine of ten bounds are below the best map.
#   (This loss is also called pinball loss; at 0.5 its minimum is the median.)
# - **Roughness.**
#   $-\log t = \beta d$ is the depth up to a factor, and depth is smooth except where colours change.
# - **The airlight** is estimated first and then kept fixed.
#   Its tint comes from recurrence: patches that [recur](glossary.md#recurrence) at two distances differ only by haze, and their colours lie on lines that meet in the airlight [@bahat2016].
#   Its brightness comes from the haziest part, extrapolated to zero contrast.
# - The front layer is a network's output, the mask is an interpolated coarse grid, and the back layer is one colour.
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
panel = LivePanel(alt="The current transmission")

# %%
for progress in train(dehazing, report_every=dehazing.total_steps // 3):
    panel.update(progress, dehazing.transmission())

# %% [markdown]
# The losses level off within the first half of the steps.
# The reconstruction error soon becomes small, because map and airlight are nearly right from the start and the network only has to find the colours.
# This error does not measure the quality of the *map*.

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
    alt=f"{subject}: under haze; the baseline's result, with less haze, but still pale "
    "at the far end; Double-DIP's result, clearer; and the network's own layer, a "
    "grey-brown blur",
    truth=clear,
    zoom=1,
)

# %% [markdown]
# The network's own layer is a blur without bricks, because in so few steps a network fits only smooth content.
# This does no harm, because the network's layer is not the result.
# **The closed form takes map and airlight from the training, and every detail from the given picture.**
#
# How much does the result depend on the airlight?
# We process the alley again, and now the method is *given* the true colour:

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
print("The method's warning:", dehazing.doubts() or "none")

# %% [markdown]
# Here the envelope and the airlight from recurring patches gain one and a half to two decibels over the baseline.
# Most of the gain is in colour: the PSNR below the pictures, on luma only, differs little.
# The printed scores use all three channels.
# If the airlight is known, the gain is about two decibels larger.
# If the method warns about the airlight of the alley, it is right: even at the far end, a fifth of the wall's light reaches the camera, so no pixel shows the airlight alone.
# (The baseline here is ten lines with settings that we chose for this picture.
# Other settings of window and filter, chosen *with the ground truth* of this picture, gain half a decibel.)

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "haze in sRGB instead of linear light: over 30 levels off": off["haze"] > 30,
    "no bound exceeds the true transmission by over 0.02": too_high == 0,
    "the estimated airlight costs over 0.5 dB more than the map": bool(
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
# Then the back layer is not one colour, but it may still be *smooth*.
# We use the same model, with a quadratic function of the position as its back layer.
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
    alt="A gallery in smoke, and three columns with a picture above its airlight. "
    "Clear: the true airlight is cream on the right and bluish on the left. One "
    "colour: cream, and a blue cast on the left. Smooth layer: less blue cast.",
    zoom=1,
)

# %% [markdown]
# The upper row shows the pictures, the lower row their airlights.
# With one colour for the whole picture, the left half turns blue.
# Its haze *was* bluish, and a cream airlight does not explain this colour, so it remains on the wall.
# The smooth layer correctly changes from bluish to cream, but it is too bright everywhere.
# It removes the blue cast and leaves a reddish one; it gains about one decibel.
# The gain is not larger, because the colour and the thickness of haze are hard to separate if both may vary over the picture.

# %% [markdown]
# ## Watermark: three photographs that share it
#
# Now the mask is $1 - \alpha$ and the back layer is one colour.
# Both are the same in all photographs, and only the photographs differ.
# The method uses this.
# At each position it takes the *median* of the three photographs' gradients.
# This is the gradient of the mark, because the gradients of the photographs themselves have nothing in common [@dekel2017].
# From this outline, gradient descent finds $\alpha$ and the colour that make all three photographs smooth when the mark is removed.
# This is the **total-variation start**, and our baseline.
#
# Double-DIP [@gandelsman2019] adds the prior of a network: one network outputs all three clean photographs, and the compositing formula has to reproduce the marked photographs.
# (In the library `front` and `back` are exchanged: the front layer is the mark.)

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
# The method was given no box, no outline and no colour.
# The variation hardly changes during the training, because the total-variation start has already minimised it.
# **Stopping rule**: the number of steps in the budget.
# (We do not stop at the best reconstruction, because two wrong grey layers could also reconstruct the picture very well.)

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
print(f"largest change where no mark was found: {255 * changed:.1f} grey levels")
show(
    {name: images[0] for name, images in versions.items()},
    alt="A cat's face under white letters and a ring; the total-variation start and "
    "Double-DIP, which both remove them without a trace; the network's own layer, a "
    "brown blur; and the ground truth",
    truth=clean[0],
    zoom=1,
)

# %% [markdown]
# In the marked pixels the result gains about eighteen decibels, and almost no trace of the mark remains.
# (The PSNR below the pictures is for the whole picture.)
# We draw three conclusions:
#
# - **The baseline has done the work.**
#   Training changes its result by a fraction of a decibel, and at this budget for the worse.
#   To improve it, the network would have to predict the photographs better than the closed form does, but it predicts them worse.
# - **The network's own layer is a blur.**
#   A network fits smooth content first; so it can separate layers, but its own layer lacks detail.
#   The closed form takes opacity and colour from the model and *every detail from the given picture*.
# - **Where the method finds no mark, nothing changes**, because the closed form is the identity where $\alpha = 0$.
#   The network's layer would have changed every pixel a little.
#
# ## Watermark: one photograph and a box
#
# Now the method gets only one of the three photographs, and a box around the mark.
# A second baseline is *inpainting*: discard all pixels under the mark, and fill the hole with the smoothest surface [@damelin2018].
# We give inpainting an advantage: it knows the true outline of the mark, which the method has to find.

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
        "estimated opacity": (2 * removal.opacity()).clamp(0, 1),
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
    "The opacity estimated from {photographs} photograph(s); the {of} without the "
    "mark; the result of inpainting; and the ground truth",
    examples=[
        {"photographs": "one", "of": "cat"},
        {"photographs": "three", "of": "cat"},
    ],
)

# %% [markdown]
# Look at the *estimated opacity*.
# From three photographs, it shows almost only the letters and the ring.
# From the cat alone, it shows letters, ring, an eye and half of the fur.
# In one picture, the method cannot distinguish a pale stroke of fur from a stroke of the mark, because the picture becomes smoother if either is removed.
# This answers question 2: a single picture does not show what belongs to the mark and what to the photograph.
# Better training would not help.
#
# So on the cat, **inpainting is better by far**: it knows the outline, fur is similar everywhere, and the strokes are thin.
# On the cup the method is better.
# The saucer under the mark is plain, so $\alpha$ is nearly right.
# The letters cover the spoon's handle and the rim of the cup.
# A smooth surface cannot reproduce them, but they *are visible in the picture* at half contrast.
# The closed form restores them, and inpainting discards them.
# Inpainting is better where the mark cannot be distinguished from the photograph, and where the discarded pixels contain little detail.

# %%
# NBVAL_CHECK_OUTPUT
before, start, closed, network = map(min, mark_score.values())
ahead = {what: scores[2] - scores[1] for what, scores in one_score.items()}
claims = {
    "three photographs: over 12 dB gained inside the mark": closed > before + 12,
    "training changes the start's PSNR by under 1.5 dB": abs(closed - start) < 1.5,
    "the network's own layer is over 8 dB worse": network < closed - 8,
    "nothing changes where no mark was found": changed == 0,
    "one photograph, cat: inpainting is better": ahead["cat"] > 2,
    "one photograph, cup: inpainting is worse": ahead["cup"] < -2,
}
check_claims(claims)

# %% [markdown]
# ## Exercise: flicker
#
# The masks of a video may be nearly correct in each frame and still flicker along the outline.
# Write `flicker(masks, motion)`, which measures this for a video that moves by whole pixels.
#
# - `masks`: Float[Tensor, "t 1 h w"] in [0, 1], one for each frame.
# - `motion`: a list of t - 1 pairs `(down, right)` in whole pixels: the motion of the whole picture from each frame to the next.
#   A point in row $y$ of one frame is in row $y$ + down of the next.
# - Returns one float.
#   Shift each mask by the motion, and take the mean absolute difference from the next mask.
#   Average over all pairs of neighbouring frames.
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
# Suppose that the second of two frames shows everything one row lower.
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
# ## Video: one network for all frames
#
# In a video, each frame has its own layers and its own mask.
# The same two networks output the layers of all frames.
# Each frame has its own network input, and the inputs of neighbouring frames are nearly the same, so the layers change little from frame to frame.
# The mask of each pixel is a small function of its texture, and it is the *same* function in all frames.
# Hints are given for the first frame only.
#
# A video also contains information that a single picture lacks: objects move, and pixels that move together belong together.
# [Optical flow](glossary.md#optical-flow) estimates for each pixel how far down and right it moves to the next frame [@zach2007].
# These two numbers are additional features from which the mask is computed.
# The graph cut also uses all frames at once.
# Different labels for a pixel and for its position in the next frame cost as much as different labels for two neighbours.
#
# To test whether this helps, we measure the [flicker](glossary.md#flicker).
# We shift each mask back by the motion of the foreground, which is known for this rendered video, and compare it with the mask of the next frame.
# Unlike in your exercise, the motion may be a fraction of a pixel.

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
    """The masks, each moved back to the foreground's position in frame 1."""
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
    "Frame {frame}: a cat's face that moves over a cup; its true mask; and three "
    "computed masks: the face with almost none, some and all of the spoon's bowl",
    examples=[{"frame": 1}, {"frame": count}],
    live=True,
)

# %% [markdown]
# Change the frame and look at the spoon below the cat.
# It has the same grey tones as the cat, so a single frame does not show where the cat ends.
# GrabCut (chapter 14) models the colours of the two layers.
# In each frame separately it assigns a different part of the spoon to the cat, so it flickers most.
# Double-DIP on single frames assigns the bowl of the spoon to the cat in all frames, which is wrong but flickers less.
# Double-DIP on all frames together separates cat and spoon, or nearly so at this size, because the spoon moves left with the cup and the cat moves right.
# Without the motion features, averaging over frames does not help.
# The texture is nearly the same in every frame, so the average contains the same wrong spoon with less noise.
#
# (In the runs on single frames, both methods use the first frame's hints for every frame.
# The masks of the video have soft edges, so they flicker less.
# The flicker of the ground truth is not 0, because its outline moves by fractions of a pixel.
# At this size, a flicker of one pixel along the outline is about three percent.
# If neither foreground nor camera moves, only texture distinguishes the foreground.)
#
# **Low flicker alone does not prove a good mask.**
# A black mask has no flicker.
# So also compare the overlap.
#
# Haze in a video has one airlight for all frames.
# Here Double-DIP gets all frames together, and the baseline gets one frame at a time:

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
    "Frame {frame}: a dahlia and a pagoda before a wall: under haze; by the baseline, "
    "with a white wall; by Double-DIP, with a greyish violet wall; and clear, with a "
    "dark wall",
    examples=[{"frame": 1}],
    live=True,
)

# %% [markdown]
# The wall in the background is dark and far away, and even where the haze is thickest, some light of the wall is visible.
# The baseline mistakes this mixture for the airlight, so its airlight is too dark and its wall becomes white.
# Double-DIP estimates an airlight that is brighter than every pixel of the picture, and its result is closer to the ground truth.
# Some haze remains around the pagoda.
# As for one picture, the airlight matters most.

# %%
# NBVAL_CHECK_OUTPUT
joint, single = "all frames together", "GrabCut, each frame"
gain = film_score["Double-DIP, all frames"] - film_score["baseline, each frame"]
claims = {
    "Double-DIP's masks overlap the truth by over 0.85": overlap[joint] > 0.85,
    "GrabCut's masks of single frames overlap the truth less": (
        overlap[joint] > overlap[single]
    ),
    "GrabCut's flicker over twice as much": flickers[joint] < flickers[single] / 2,
    "hazy video: over 2 dB better than the baseline": gain > 2,
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
# Under haze *more* patches have a good match, not fewer (question 3), and the score falls again when the haze is removed.
# Haze multiplies all contrasts by $t$.
# A brick at the far end keeps a fifth of its contrast and differs from its neighbours by at most two grey levels, and patches that are nearly indistinguishable count as similar.
# A high score is not a sign of quality here, because a photograph that has lost its detail has a high score.
# This is also why haze is hard for all methods of this course: many patches match, but they contain no detail to learn from.
# (The planned chapter 08 will use recurrence differently.
# A near patch and a far patch that are the *same* in the clear scene have different contrasts under haze, so they no longer match; such pairs reveal the airlight.)

# %% [markdown]
# ## When it fails: a scene with sky
#
# Here are two more scenes; the method's own warnings are printed with the results.
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
    print(f"  warning: {doubts[name] or 'none'}")
    if name == "haze_lake":
        lake = {"under haze": images["image"], "result": made, "clear": wanted}
        lake |= {"map found": found_map, "true map": images["transmission"]}

# %%
show(
    lake,
    alt="A pagoda before a lake and a pale sky; the result, clear but with rosy and "
    "blue stains in the sky; the ground truth; the estimated map, black in the sky "
    "and over the lake; and the true map, dark grey there",
    zoom=1,
)

# %% [markdown]
# The result is good on the pagoda and wrong in the sky.
# A clear sky is *bright in every channel*.
# It contains nothing dark, so the bounds are far below the true transmission.
# Smoothness does not raise the map there, because the sky is large and its boundary is an edge.
# So the map is almost 0 in the sky, and the closed form multiplies all differences there by ten, including rounding errors.
# They appear as coloured stains.
# No loss and no network can repair this: sky and opaque haze look the same, and the picture does not show which it is.
#
# But a method can notice the problem and warn the user.
# Contrast falls with transmission, so if the haziest part has no contrast at all, it may be sky.
# This is a suspicion, not a proof.
# The garden has no sky: its far end is a hedge out of focus, which is just as smooth.
# There the warning is right for another reason: in a smooth part, the airlight cannot be distinguished from the colour of a surface.
# A white wall, snow, or a pale dress near the camera mislead the method in the same way, and it does not notice all of them.
# If *your* photograph has much sky, judge only the rest of the picture, or give the method the airlight.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the method warns on the scene with sky": doubts["haze_lake"] is not None,
    "the method also warns on the smooth far end": doubts["haze_garden"] is not None,
    "gallery: a smooth airlight beats one colour by over 0.5 dB": (
        gallery_score["a smooth layer"] > gallery_score["one colour"] + 0.5
    ),
}
check_claims(claims)

# %% [markdown]
# ## Summary
#
# - One compositing formula describes foreground and background, a reflection, haze and a watermark; only the meaning of its symbols differs.
#   For haze it holds in linear light, for the others in sRGB values.
# - If mask and back layer are known, the closed form gives the front layer, with all the detail of the image.
#   The training finds the mask and the back layer; the result is not a network's output.
# - Each pixel gives a lower bound on its transmission, so the transmission map is an upper envelope.
#   But the three numbers of the airlight may matter more than the map.
# - From several pictures, a method can separate the shared watermark from the photographs.
#   A single picture does not contain this information, so inpainting, which uses no model of the mark, may be better.
# - Compare every result with a baseline; and a method should warn the user where it is unsure.
#
# Further reading: there are two other ways to find the airlight and the map.
# One uses the lines that the colours of one surface form in haze [@fattal2014].
# The other uses pairs of patches that recur at different distances [@bahat2016]; the planned chapter 08 will use it.
#
# ## References
