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
# Only two things change: the meaning of the layers, and what we know about them.
#
# **After this chapter you can**
#
# - describe haze, a watermark, a reflection and a foreground on a background by one [compositing](glossary.md#composition) formula, and say what the mask is in each case;
# - explain why haze must be added and removed in [linear light](glossary.md#linear-light);
# - solve the compositing formula for a layer, and say when this solution is better than the layer that a network outputs;
# - name the [baseline](glossary.md#baseline) of each application, and say on which pictures the baseline is better.
#
# **What you need**: [chapter 14](14_double_dip_layers.ipynb).
# No GPU is needed.
# Reading takes 40 minutes, and the computation takes less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 35, "standard": 100, "full": 300})

# %% [markdown]
# `budget` changes image sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is fixed: two runs of the chapter on one computer give the same pictures, bit for bit.
#
# ## A hazy photograph: ours, or yours
#
# Choose a hazy photograph of your own (a street in fog, hills on a summer day), then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# If you choose no photograph, the chapter uses a *rendered* alley: its haze was added with a known depth map, so every layer is known.
# (The alley is made of textures from CC0Textures, CC0, and of our own rendered street front.)

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
clear = None if own else alley["clear"]  # not known for your photograph
subject = "your photograph" if own else "an alley of brick walls"

# %% [markdown]
# ## Predict first
# Write your answers down; the chapter tests each answer.
#
# 1.
#    A method that removes haze estimates two things: a map of the haze's thickness, and the haze's *colour*, which is three numbers.
#    Both estimates, the map and the colour, have errors.
#    Which error does more harm: the error of the map, or the error of the colour?
# 2.
#    Three photographs have the same watermark.
#    We can remove the watermark from each photograph separately, or from all three together.
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
    print(f"{name:13} is wrong by at most {levels:4.1f} grey levels")

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
# The mask of the reflection has the same grey value in the whole picture.
# The back layer of haze is a single colour, and so is the back layer of a watermark.
# Some of these four problems are easier than others, because more is known about their layers:
#
# | | front $y_1$ | back $y_2$ | mask $m$ | what else is known |
# |---|---|---|---|---|
# | segmentation (chapter 14) | the foreground | the background | black or white | hints; foreground and background have different textures |
# | reflection (chapter 14) | one scene | another scene | one number | the edges of the two scenes do not coincide |
# | **haze** | the scene | the [airlight](glossary.md#airlight): one colour, or a smooth layer | the [transmission](glossary.md#transmission), which depends only on depth | light is not negative |
# | **watermark** | the photograph | one colour | 1 - [opacity](glossary.md#opacity) $\alpha$ | the opacity $\alpha$ is the same in each picture, and 0 in most pixels |
# | **video** | the foreground of each frame | the background of each frame | black or white | neighbouring frames are nearly the same; foreground and background move differently |
#
# The formula reproduces three of the four pictures up to rounding errors.
# The formula does not reproduce the hazy picture, although the layers of this picture are correct: the numbers printed above show the error.
# What is wrong?
#
# ## Exercise: haze
#
# Light adds up.
# The numbers in a file are not proportional to light: they are sRGB values, a nonlinear encoding that uses more of its 256 levels for dark tones.
# Haze adds its light to the light of the scene *before* the camera encodes the sum.
# So the formula holds in linear light: $I = t J + (1 - t) A$.
# Here $J$ is the clear scene, $A$ the airlight and $t$ the transmission, which falls as $e^{-\beta d}$ with the distance $d$ [@narasimhan2002].
# (A program adds a watermark to the *file*, so for watermarks the formula holds for sRGB values.)
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
# Once the mask and the back layer are known, the front layer needs no network: we solve the compositing formula for the front layer.
# The solution for the front layer has one difficulty.
# Where the mask is nearly 0, the front layer is almost invisible, and we would divide noise and rounding errors by almost 0.
# So a *floor* limits the divisor: where the mask is below the floor, we divide by the floor instead.
#
# Write `front_layer(image, mask, back, floor)`.
#
# - `image`: Float[Tensor, "c h w"], in sRGB values or in linear light, like the layers.
# - `mask`: Float[Tensor, "1 h w"] in [0, 1].
# - `back`: Float[Tensor, "c h w"], or "c 1 1" if it is one colour.
# - `floor`: a float above 0.
# - Returns the front layer, Float[Tensor, "c h w"], not clamped to [0, 1].
#   Where the mask is 0, the front layer should equal the back layer, and be neither black nor infinite.
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
# The same line of code removes haze (with `to_linear` before it and `to_srgb` after it) and a watermark (with `1 - alpha` as the mask).
# **Only the meaning of the formula's symbols has changed.**
# The rest of the chapter is about how to find the mask and the back layer.
#
# ## Haze: the dark channel
#
# We begin with the [baseline](glossary.md#baseline), which learns nothing.
# Consider a clear outdoor picture.
# Nearly everywhere except in the sky, a window of a few pixels contains a value near 0 in at least one of the three channels.
# Such a dark value comes from a shadow, a leaf or a brick.
# The [dark channel](glossary.md#dark-channel) is the minimum over the channels and the window, so it is close to 0 [@he2011].
# In haze, such a dark value becomes $(1-t)\,A$ instead of 0.
# So the dark channel of $I/A$ is $1 - t$, which is a map of the haze.

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
    """The transmission from the dark channel, aligned with the picture's edges."""
    light = to_linear(image)[None]
    rough = dark_channel_transmission(light, linear_airlight, patch)
    return guided_filter(image[None], rough, radius, eps=1e-3)[0].clamp(0.05, 1)


# %% [markdown]
# Because of the minimum over a window, the map shows blocks.
# Therefore the [guided filter](glossary.md#guided-filter) aligns the map with the edges of the picture [@he2010].
# (The factor 0.95 in the code leaves a little haze on purpose: without any haze, distant objects look near.)

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
    "transmission: dark grey far away, like the true transmission, but with visible "
    "bricks. The dark channel of the clear picture: black nearly everywhere.",
    zoom=1,
)

# %% [markdown]
# In the first picture, bright pixels have thick haze; in the second picture, bright pixels are near the camera.
# The last picture tests the prior: the dark channel of the clear alley is black nearly everywhere, but not everywhere.
# Where this dark channel is brighter (at the pale windows of the houses and the mortar between the bricks), the method mistakes pale surfaces for haze.
# So bricks appear in the transmission map, which should show only depth.
#
# Two parameters control the result of the method.
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
# If the airlight is too bright, some haze remains everywhere.
# Smoothness matters less.
# With a small radius, the map keeps the blocks of the window minimum; with a large radius, the map copies the edges of the picture, including the bricks.
#
# Question 1 asks which error does more harm: the error of the map, or the error of the airlight's colour.
# The next cell measures each of these errors alone, on four scenes with a uniform airlight:

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
# The first column of the table uses the *true* transmission map and the estimated airlight.
# The second column uses the true airlight and the estimated map, which needs ten lines of code.
# On average, **the error of the airlight does more harm**, although the airlight is three numbers and the map has 16,384.
# (On the lake and in the garden, the airlight's error does much more harm; in the alley and on the square, the map's error does a little more harm.)
# The closed form $J = A + (I - A)/t$ shows why the error of the airlight $A$ does more harm than the error of the map.
# Where the haze is thick, $t$ is small, and the error of $A$ is multiplied by $1/t - 1$, which is nine at $t = 0.1$.
# The error that a wrong airlight causes has the same sign in the whole far half of the picture.
# The errors of $t$ vary over the picture, and they do less harm far away, because the colours of the far scene are close to $A$ anyway.
# A method that is *given* the airlight is given most of the answer; remember this when you compare tables.

# %% [markdown]
# ## Haze: the upper envelope
#
# Can we improve the transmission map?
# Light is never negative: $J \ge 0$.
# So $I \ge (1-t)\,A$ holds in each channel, which gives this bound on the transmission $t$:
#
# $$t \;\ge\; 1 - \min_c \frac{I_c}{A_c} .$$
#
# So every pixel gives a **lower bound** on its own transmission.
# @meng2013 call this bound the boundary constraint, and @berman2016 use it as well.
# The bound equals the transmission only where one channel of the clear scene is exactly 0.
# The figure shows the lower bound along one row of the alley, computed with the true airlight:

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
    alt="Three curves along a row of the alley. The true transmission is a smooth "
    "valley. The lower bound jumps at each brick; only its highest points reach the "
    "true transmission. The dark channel's map jumps as well, and in the valley it is "
    "above the true transmission.",
)

# %% [markdown]
# The true transmission is the [upper envelope](glossary.md#upper-envelope) of the bounds: it touches the *peaks* of the bounds, or is slightly above them where nothing is black.
# The dark channel's map is too high at the far end of the alley, because the window around a far pixel also contains pixels of nearer walls.
# The map is too low at the house window on the right (columns 98 to 104), where nothing is dark.
# The map also copies the bricks.
#
# Double-DIP uses the upper envelope as prior knowledge about the mask.
# Together with the following code, the model of chapter 14 becomes a method that removes haze:

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
#   The loss is 0.9 times the difference between bound and map where the bound is *above* the map, and 0.1 times this difference where the bound is below the map.
#   So the map with the smallest loss has nine of ten bounds below it.
#   (This loss is also called pinball loss; if both weights are 0.5, its minimum is the median.)
# - **Roughness.**
#   $-\log t = \beta d$ is proportional to the depth $d$, and depth is smooth except where colours change.
# - **The airlight** is estimated first and then kept fixed.
#   The tint of the airlight comes from recurrence: patches that [recur](glossary.md#recurrence) at two distances differ only by haze.
#   The colours of such patches lie on lines that meet in the airlight [@bahat2016].
#   The brightness of the airlight comes from the haziest part of the picture, whose brightness is extrapolated to zero contrast.
# - The front layer is the output of a network, the mask is a coarse grid that is interpolated, and the back layer is one colour.
# - The final transmission is a blend of the learned mask and the guided dark channel.
#
# **Stopping rule**: training stops after the number of steps in the budget.

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
# The losses stop falling within the first half of the steps.
# The reconstruction error soon becomes small, because the map and the airlight are nearly right from the start.
# The network only has to find the colours.
# The reconstruction error does not measure the quality of the *map*.

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
# The layer that the network outputs is blurred and shows no bricks, because in so few steps a network fits only smooth content.
# This blur does no harm, because the network's layer is not the result.
# **The closed form takes the map and the airlight from the training, and every detail from the given picture.**
#
# How much does the result depend on the airlight?
# We process the alley again, and now the method is *given* the true airlight:

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
# On the alley, the upper envelope and the airlight from recurring patches gain one and a half to two decibels over the baseline.
# Most of the gain over the baseline is in colour: the PSNR below the pictures is computed on luma only, and there the two results differ little.
# The scores that the cell above prints use all three channels.
# If the method knows the true airlight, its gain is about two decibels larger.
# If the method warns about the airlight of the alley, the warning is right.
# Even at the far end of the alley, a fifth of the wall's light reaches the camera, so no pixel shows the airlight alone.
# (The baseline is ten lines of code, with settings that we chose for this picture.
# If we choose the window and the filter *with the ground truth* of this picture, the baseline gains half a decibel.)

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "haze added in sRGB values is wrong by over 30 grey levels": off["haze"] > 30,
    "no bound exceeds the true transmission by over 0.02": too_high == 0,
    "the estimated airlight costs over 0.5 dB more than the estimated map": bool(
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
# In smoke near a window, or in haze near a low sun, the airlight is brighter on one side.
# If the airlight is not uniform, the back layer is not one colour, but it may still be *smooth*.
# We use the same model for haze, but its back layer is now a quadratic function of the position.
# (The scene is rendered from the coffee cup by Rachel Michetti, the cat by Stéfan van der Walt, the astronaut by NASA, and the bricks of CC0Textures.)

# %%
gallery = {n: i.to(device()) for n, i in scene("haze_gallery").images.items()}
picture = gallery["image"]
by_airlight = {
    name: Dehazing(picture, non_uniform=varies, settings=side_settings)
    for name, varies in (("one colour", False), ("a smooth layer", True))
}

# %%
from dil_teach import fit_all

fit_all(by_airlight.values())  # trains both methods in parallel on the available cores
freed = {name: method.haze_free() for name, method in by_airlight.items()}
gallery_score = {n: psnr(image, gallery["clear"]) for n, image in freed.items()}

# %%
pictures = {"under haze": picture, "clear": gallery["clear"]}
airlights = {"": torch.ones_like(picture), "true": gallery["airlight"]}
for name, method in by_airlight.items():
    pictures[f"with {name}\n{gallery_score[name]:.1f} dB"] = freed[name]
    airlights[name] = method.airlight()[0].expand_as(picture)
stacked = zip(pictures, pictures.values(), airlights.values(), strict=True)
show(
    {title: torch.cat([above, below], dim=1) for title, above, below in stacked},
    alt="A gallery in smoke, and three columns with a picture above its airlight. "
    "Clear: the true airlight is cream on the right and bluish on the left. One "
    "colour: a cream airlight, and a picture with a blue cast on the left. Smooth "
    "layer: a picture with less blue cast.",
    zoom=1,
)

# %% [markdown]
# The upper row shows the pictures, and the lower row shows their airlights.
# If the airlight is one colour for the whole picture, the left half of the result turns blue.
# The haze in the left half *was* bluish.
# A cream airlight does not explain this blue, so the blue remains on the wall.
# The airlight that is a smooth layer correctly changes from bluish to cream, but it is too bright everywhere.
# The smooth layer removes the blue cast but leaves a reddish cast; its gain is about one decibel.
# This gain is not larger, because the colour and the thickness of haze are hard to separate if both may vary over the picture.

# %% [markdown]
# ## Watermark: three photographs that share it
#
# For a watermark, the mask is $1 - \alpha$ and the back layer is one colour.
# The mask and the back layer are the same in all three pictures; only the photographs differ.
# At each position, the method takes the *median* of the gradients of the three photographs.
# The median is the gradient of the mark, because the gradients of the photographs themselves have nothing in common [@dekel2017].
# So the median shows the outline of the mark.
# From this outline, gradient descent finds $\alpha$ and the colour that make all three photographs smooth when the mark is removed.
# This solution is called the **total-variation start**, and it is our baseline.
#
# Double-DIP [@gandelsman2019] adds the prior of a network: one network outputs all three clean photographs.
# The compositing formula has to reproduce the marked photographs from these outputs.
# (In the code of the library, `front` and `back` are exchanged: there the front layer is the mark.)

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
# The method was given no box, no outline and no colour of the mark.
# The printed total variation hardly changes during the training, because the total-variation start has already minimised it.
# **Stopping rule**: training stops after the number of steps in the budget.
# (We do not stop at the step with the best reconstruction, because two wrong grey layers could also reconstruct the picture very well.)

# %%
import math

inside = alpha > 0.02  # the ground truth, used for scores only


def score_inside(image, truth):
    """The PSNR in dB, computed over the marked pixels only."""
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
    alt="A cat's face under white letters and a ring. Result of the total-variation "
    "start: the face without a trace of the mark. Result of Double-DIP: the same. The "
    "network's own layer: a brown blur. Ground truth: the face.",
    truth=clean[0],
    zoom=1,
)

# %% [markdown]
# In the marked pixels, the result gains about eighteen decibels over the given picture, and almost no trace of the mark remains.
# (The PSNR below the pictures is computed over the whole picture.)
# We draw three conclusions:
#
# - **Nearly all of the gain comes from the baseline.**
#   Training changes the result of the baseline by a fraction of a decibel, and with this budget the result becomes worse.
#   The network could improve the result only if it predicted the photographs better than the closed form does, but it predicts them worse.
# - **The layer that the network outputs is blurred.**
#   A network fits smooth content first.
#   Therefore a network can separate layers, but the layer that it outputs lacks detail.
#   The closed form takes opacity and colour from the model and *every detail from the given picture*.
# - **Where the method finds no mark, nothing changes**, because the closed form is the identity where $\alpha = 0$.
#   The layer that the network outputs would change every pixel a little.
#
# ## Watermark: one photograph and a box
#
# Now the method gets only one of the three photographs, and a box around the mark.
# A second baseline is *inpainting*: discard all pixels under the mark, and fill the hole with the smoothest surface [@damelin2018].
# We give inpainting an advantage: it knows the true outline of the mark, which Double-DIP has to find.

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
# The opacity estimated from three photographs shows almost only the letters and the ring of the mark.
# The opacity estimated from the cat alone shows the letters, the ring, an eye and half of the fur.
# In a single picture, the method cannot distinguish a pale stroke of fur from a stroke of the mark.
# The picture becomes smoother if a stroke of either kind is removed.
# This answers question 2: a single picture does not show what belongs to the mark and what to the photograph.
# Better training would not add the missing information.
#
# So on the cat, **inpainting is better than Double-DIP by far**.
# Inpainting knows the outline of the mark, the strokes of the mark are thin, and the fur is similar everywhere.
# On the cup, Double-DIP is better than inpainting.
# The saucer under the mark has no texture, so the estimated $\alpha$ is nearly right.
# The letters of the mark cover the handle of the spoon and the rim of the cup.
# A smooth surface cannot reproduce the handle and the rim, but both *are visible in the picture* at half contrast.
# The closed form restores the handle and the rim; inpainting discards them.
# In general, inpainting is better where the mark cannot be distinguished from the photograph, and where the discarded pixels contain little detail.

# %%
# NBVAL_CHECK_OUTPUT
before, start, closed, network = map(min, mark_score.values())
ahead = {what: scores[2] - scores[1] for what, scores in one_score.items()}
claims = {
    "three photographs gain over 12 dB inside the mark": closed > before + 12,
    "training changes the baseline's PSNR by under 1.5 dB": abs(closed - start) < 1.5,
    "the network's own layer is over 8 dB worse than the result": network < closed - 8,
    "nothing changes where no mark was found": changed == 0,
    "on the cat alone, inpainting beats Double-DIP": ahead["cat"] > 2,
    "on the cup alone, Double-DIP beats inpainting": ahead["cup"] < -2,
}
check_claims(claims)

# %% [markdown]
# ## Exercise: flicker
#
# The masks of a video may be nearly correct in each frame and still flicker along the outline of the object.
# Write `flicker(masks, motion)`, which measures the flicker of the masks of a video that moves by whole pixels.
#
# - `masks`: Float[Tensor, "t 1 h w"] in [0, 1], one for each frame.
# - `motion`: a list of t - 1 pairs `(down, right)` in whole pixels: the motion of the whole picture from each frame to the next.
#   A point in row $y$ of one frame is in row $y$ + down of the next frame.
# - Returns one float.
#   Shift each mask by the motion, and take the mean absolute difference between the shifted mask and the next mask.
#   Average this difference over all pairs of neighbouring frames.
#   Leave out pixels that are visible in only one of the two frames.
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
# Which row of the first frame corresponds to row 5 of the second frame?
#
# </details>
# <details><summary>Hint 2</summary>
#
# `roll` shifts a mask, but rows that leave at the bottom reappear at the top.
# Which rows and columns must the comparison leave out?
#
# </details>
# <details><summary>Hint 3</summary>
#
# After a shift down by 2, the first two rows are unknown; after a shift by -2, the last two rows are unknown.
# The known rows begin at `max(down, 0)` and end at `height + min(down, 0)`.
#
# </details>

# %% [markdown]
# ## Video: one network for all frames
#
# In a video, each frame has its own layers and its own mask.
# The same two networks output the layers of all frames.
# Each frame has its own network input, and the inputs of neighbouring frames are nearly the same.
# So the layers change little from frame to frame.
# A small function computes the mask at each pixel from the texture around the pixel; the function is the *same* in all frames.
# The method is given hints for the first frame only.
#
# A video also contains information that a single picture lacks: objects move, and pixels that move together belong together.
# [Optical flow](glossary.md#optical-flow) estimates how far each pixel moves down and right from one frame to the next [@zach2007].
# These two numbers per pixel, the motion down and right, are additional features for the computation of the mask.
# The graph cut also processes all frames at once.
# The graph cut treats a pixel and the position of this pixel in the next frame like two neighbouring pixels: if their labels differ, the cost is the same.
#
# To test whether the information from several frames helps, we measure the [flicker](glossary.md#flicker) of the masks.
# We shift each mask back by the motion of the foreground, and compare the shifted masks of neighbouring frames.
# The motion is known, because this video is rendered.
# In your exercise, the motion was a whole number of pixels; here it may be a fraction of a pixel.

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
    """Move each mask back to the position that the foreground has in frame 1."""
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
    "Frame {frame}: a cat's face that moves over a cup; and the true mask of the face. "
    "Mask from all frames: the face and almost nothing of the spoon. GrabCut: the face "
    "and a part of the spoon. Double-DIP on one frame: the face and the spoon's bowl.",
    examples=[{"frame": 1}, {"frame": count}],
    live=True,
)

# %% [markdown]
# Change the frame with the slider, and look at the spoon below the cat.
# The spoon has the same grey tones as the cat, so a single frame does not show where the cat ends.
# GrabCut (chapter 14) models the colours of the two layers.
# GrabCut processes each frame separately and assigns a different part of the spoon to the cat each time, so its masks flicker most.
# Double-DIP on single frames assigns the bowl of the spoon to the cat in all frames; these masks are wrong, but they flicker less.
# Double-DIP on all frames together separates the cat from the spoon, at this size not quite completely.
# The motion makes this separation possible: the spoon moves left with the cup, and the cat moves right.
# Averaging over frames does not help without the motion features.
# The texture is nearly the same in every frame, so the average still assigns the spoon to the cat, only with less noise.
#
# (On single frames, GrabCut and Double-DIP use the hints of the first frame for every frame.
# The masks of all frames together have soft edges, which also makes them flicker less.
# The flicker of the true masks is not 0, because their outline moves by fractions of a pixel.
# At this size, a mask whose outline jumps by one pixel has a flicker of about three percent.
# If neither the foreground nor the camera moves, only texture distinguishes the foreground.)
#
# **Low flicker alone does not prove a good mask.**
# A mask that is black everywhere has no flicker.
# So also compare the overlap of each mask with the true mask.
#
# In a hazy video, all frames have the same airlight.
# In the next cell, Double-DIP gets all frames together, and the baseline gets one frame at a time:

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
    "Frame {frame}: a dahlia and a pagoda before a wall: under haze; the baseline's "
    "result, with a white wall; Double-DIP's result, with a greyish violet wall; and "
    "the clear frame, with a dark wall",
    examples=[{"frame": 1}],
    live=True,
)

# %% [markdown]
# The wall in the background is dark and far away, and even where the haze is thickest, some light of the wall is visible.
# The baseline mistakes this mixture of wall and haze for the airlight.
# So the airlight of the baseline is too dark, and the wall becomes white in its result.
# Double-DIP estimates an airlight that is brighter than every pixel of the picture, and its result is closer to the ground truth.
# In the result of Double-DIP, some haze remains around the pagoda.
# For a video, as for a single picture, the airlight matters most.

# %%
# NBVAL_CHECK_OUTPUT
joint, single = "all frames together", "GrabCut, each frame"
gain = film_score["Double-DIP, all frames"] - film_score["baseline, each frame"]
claims = {
    "Double-DIP's masks overlap the truth by over 0.85": overlap[joint] > 0.85,
    "GrabCut's masks of single frames overlap the truth less than Double-DIP's": (
        overlap[joint] > overlap[single]
    ),
    "GrabCut's masks flicker over twice as much as Double-DIP's masks": (
        flickers[joint] < flickers[single] / 2
    ),
    "on the hazy video, Double-DIP beats the baseline by over 2 dB": gain > 2,
}
check_claims(claims)

# %% [markdown]
# ## The thread of the course: the recurrence score
#
# Does haze change how much of a picture [recurs](glossary.md#recurrence-score)?
# (We measure the recurrence score of the 64 x 64 pixels in the middle.)

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
# Under haze, *more* patches have a good match, not fewer, which answers question 3.
# The recurrence score falls again when the haze is removed.
# Haze multiplies all contrasts by $t$.
# A brick at the far end keeps a fifth of its contrast and differs from the bricks around it by at most two grey levels.
# By our definition, patches that are nearly indistinguishable are similar.
# A high recurrence score is not a sign of quality here, because a photograph that has lost its detail has a high score, too.
# Haze is therefore hard for all methods of this course: many patches match, but they contain no detail to learn from.
# (Chapter [08](08_haze.ipynb) uses recurrence in another way.
# A near patch and a far patch may be the *same* in the clear scene, but under haze they have different contrasts and no longer match.
# Such pairs of patches reveal the airlight.)

# %% [markdown]
# ## When it fails: a scene with sky
#
# Here are two more scenes; the method's own warnings are printed with the results.
# (Photograph of the pagoda: danielbuechele, CC BY 2.0; photograph of the dahlia: vultilion, CC BY 2.0; both photographs come from scikit-learn.)

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
    "and over the lake; and the true map, dark grey in both places",
    zoom=1,
)

# %% [markdown]
# The result for the lake is good on the pagoda and wrong in the sky.
# A clear sky is *bright in every channel*.
# The sky contains nothing dark, so the lower bounds there are far below the true transmission.
# The smoothness term does not raise the map in the sky, because the sky is large and its boundary is an edge.
# So the map is almost 0 in the sky.
# The closed form then multiplies all differences in the sky by ten, including rounding errors.
# The multiplied errors appear as coloured stains in the sky.
# No loss and no network can repair this error: a sky and opaque haze look the same, and the picture does not show which of the two is there.
#
# But a method can notice the problem and warn the user.
# Contrast falls with transmission, so if the haziest part has no contrast at all, it may be sky.
# A lack of contrast suggests that there is sky, but does not prove it.
# The garden has no sky: its far end is a hedge out of focus, which is as smooth as a sky.
# In the garden, the warning is right for another reason: in a smooth part, the airlight cannot be distinguished from the colour of a surface.
# A white wall, snow, or a pale dress near the camera misleads the method in the same way, and the method does not always notice.
# If *your* photograph has much sky, judge only the rest of the picture, or give the method the airlight.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the method warns on the scene with sky": doubts["haze_lake"] is not None,
    "the method also warns on the scene with a smooth far end": (
        doubts["haze_garden"] is not None
    ),
    "in the gallery, a smooth airlight beats one colour by over 0.5 dB": (
        gallery_score["a smooth layer"] > gallery_score["one colour"] + 0.5
    ),
}
check_claims(claims)

# %% [markdown]
# ## Summary
#
# - One compositing formula describes foreground and background, a reflection, haze and a watermark; only the meaning of its symbols differs.
#   For haze, the formula holds in linear light; for the other three, it holds in sRGB values.
# - If the mask and the back layer are known, the closed form gives the front layer, with all the detail of the image.
#   The training finds the mask and the back layer; the result is not the output of a network.
# - Each pixel gives a lower bound on its transmission, so the transmission map is the upper envelope of these bounds.
#   But the three numbers of the airlight may matter more than the map.
# - From several pictures, a method can separate the shared watermark from the photographs.
#   A single picture does not show what belongs to the watermark, so inpainting, which uses no model of the mark, may be better.
# - Compare every result with a baseline.
#   A method should warn the user where its result is uncertain.
#
# Further reading: there are two other ways to find the airlight and the map.
# One method uses the lines that the colours of one surface form in haze [@fattal2014].
# Another method uses pairs of patches that recur at different distances [@bahat2016]; chapter [08](08_haze.ipynb) uses this method.
#
# ## References
