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
# - solve the compositing formula for a layer or, by least squares, for its mask, and say when this solution is better than the layer that a network outputs;
# - say which part of a method made its gain: an estimate, the initialisation, the training or the closed form.
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
start(budget, seconds={"quick": 40, "standard": 100, "full": 300})

# %% [markdown]
# `budget` changes image sizes and numbers of steps, never the method.
# The [seed](glossary.md#seed) is fixed: two runs of the chapter on one computer give the same pictures, bit for bit.
#
# ## The haze lifts, and a watermark vanishes
#
# We added haze to a photograph of a brook: it gets thicker with the distance.
# Each method gets only the hazy picture.
# (Photograph: Aitzol Berasategi, CC BY 4.0.)

# %%
from dil_teach.course.openings import beside_opening, show_opening

opening = show_opening(
    "lifted",
    {
        "under rendered haze": "A brook between rocks in dense grey haze",
        "dark channel": "The brook in strong contrast with a violet cast",
        "upper envelope": "The brook with wet rocks and green leaves",
        "Double-DIP, its own layer": "Grey and brown blobs without detail",
        "ground truth": "The brook, a little darker below the trees",
    },
)

# %% [markdown]
# The violet cast of the dark channel comes from its airlight, which contains too little blue and red.
# The upper envelope uses our airlight and no network; Double-DIP's result in closed form looks the same, and has the same PSNR within 0.01 dB.
# The layer that the network of Double-DIP outputs is a blur, and the method discards it.
#
# A text and a ring were added to three photographs.
# Total variation, the first step of the method below, removed them without a network and without any hint.
# (If the networks of Double-DIP are trained after it, the results are 3 to 4 dB worse at this size.)
# (Photographs: Aitzol Berasategi and Jakub Mede, CC BY 4.0; the mark is rendered.)

# %%
mark_opening = show_opening(
    "mark",
    {
        "marked 1": "Two dogs in a window below a white text and a ring",
        "marked 2": "A room with a drum below the same white text and ring",
        "marked 3": "A path to snowy rocks below the same white text and ring",
        "result 1": "The two dogs without the text",
        "result 2": "The room without the text",
        "result 3": "The path and the rocks without the text",
        "true photograph 1": "The two dogs as they were photographed",
        "opacity found": "The text SAMPLE and the ring on black",
    },
)

# %% [markdown]
# The rest of the chapter measures which part of a method makes such results: the estimate of the airlight or of the mark, the start, the penalties or the networks.
#
# ## Start the long computations
#
# The last two topics of the chapter, watermarks and video, need the longest computations.
# Other threads start with them now, while the main thread computes what we need for haze.
# Run the next four cells now, and read them later: the sections on watermarks and video explain the methods.

# %%
import dataclasses

import torch.nn.functional as F

from dil_teach import WatermarkSettings, resize
from dil_teach.image.scenes import scene

mark = scene("watermark").images
cut = (..., slice(16, 112), slice(16, 112)) if budget == "quick" else (...,)
marked, clean, alpha = (mark[n][cut].to(device()) for n in ("marked", "clean", "alpha"))
steps = {"quick": 15, "standard": 100, "full": 300}[budget]
mark_settings = WatermarkSettings(steps=steps, seed=seed)
top, left, *size = scene("watermark").known["box"]
moved = marked.shape[-1] != 128  # the pictures were cropped at row and column 16
box = (top - 16 * moved, left - 16 * moved, *size)
outline = F.max_pool2d((alpha > 0).float(), 3, stride=1, padding=1)

# %%
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

from threadpoolctl import threadpool_limits

from dil_teach import WatermarkRemoval, fit

threadpool_limits(1)  # in each thread, NumPy and SciPy use one core
background = ThreadPoolExecutor(cpu_count())
short = dataclasses.replace(mark_settings, steps=mark_settings.steps // 2)


def remove_from_one(*known):
    return fit(WatermarkRemoval(marked[:1], *known))  # the first photograph, a cat


one_runs = {
    "a box": background.submit(remove_from_one, box, short),
    "the outline": background.submit(remove_from_one, None, short, outline),
}
three_run = background.submit(WatermarkRemoval, marked, settings=mark_settings)

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

steps = {"quick": 30, "standard": 60, "full": 150}[budget]
film_settings = getattr(SegmentationSettings, budget)(steps=steps, seed=seed)


def segment(pictures):
    return Segmentation(pictures, *hints, film_settings)


film_run = background.submit(lambda: fit(segment(frames)))
frame_runs = [background.submit(segment, frame) for frame in frames]

# %% [markdown]
# ## A hazy photograph: ours, or yours
#
# Choose a hazy photograph of your own (a street in fog, hills on a summer day), then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# If you choose no photograph, the chapter uses a *rendered* alley: its haze was added with a known depth map, so every layer is known.
# (The alley is made of textures from CC0Textures, CC0, and of our own rendered street front.)

# %%
from dil_teach.notebook import upload

button = upload("A hazy photograph of your own")

# %%
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
#    Suppose that someone offers to tell you one of the two exactly.
#    Which do you ask for: the map, or the colour?
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
star, reflection = scene("star"), scene("mix_cat")


def compose(front, back, mask):
    return mask * front + (1 - mask) * back


white = torch.tensor(scene("watermark").known["colour"])[:, None, None]
share = torch.tensor(reflection.known["coefficients"][0])
star, reflection = star.images, reflection.images
haze_layers = [alley[name].cpu() for name in ("clear", "airlight", "transmission")]
parts = {
    "a foreground": (star["front"], star["back"], star["mask"]),
    "a reflection": (*reflection["layers"], share),
    "haze": haze_layers,
    "a watermark": (mark["clean"][0], white, 1 - mark["alpha"]),
}

# %%
composed = {
    "a foreground": star["image"],
    "a reflection": reflection["mixtures"][0],
    "haze": alley["image"].cpu(),
    "a watermark": mark["marked"][0],
}
off = {
    name: 255 * float((compose(*parts[name]) - picture).abs().max())
    for name, picture in composed.items()
}
for name, levels in off.items():
    print(f"{name:13} is wrong by at most {levels:4.1f} grey levels")

# %%
from dil_teach.notebook import Choice, explore, show


def render_layers(of):
    front, back, mask = (x.expand(3, 128, 128) for x in parts[of])
    return {"front": front, "back": back, "mask": mask, "picture": composed[of]}


layer_choice = explore(
    render_layers,
    {"of": Choice("Picture", tuple(parts), "haze")},
    "The front layer, the back layer, the mask and the picture of {of}. For haze: a "
    "clear alley, one pale colour, a mask that is darker far away, and a pale alley",
    examples=[{"of": "haze"}],
)

# %% [markdown]
# The mask is white where the front layer is visible.
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
# ## Light adds up, sRGB values do not
#
# Light adds up.
# The numbers in a file are not proportional to light: they are sRGB values, a nonlinear encoding that uses more of its 256 levels for dark tones.
# Haze adds its light to the light of the scene *before* the camera encodes the sum.
# So the formula holds in linear light: $I = t J + (1 - t) A$.
# Here $J$ is the clear scene, $A$ the airlight and $t$ the transmission, which falls as $e^{-\beta d}$ with the distance $d$ [@narasimhan2002].
# (A program adds a watermark to the *file*, so for watermarks the formula holds for sRGB values.)
# `to_linear` converts sRGB values to linear light, and `to_srgb` converts them back:

# %%
from dil_teach.image.colour import to_linear, to_srgb

clear_alley, far_light, t = haze_layers
attempts = {
    "added in sRGB values": compose(clear_alley, far_light, t),
    "added in linear light": to_srgb(
        compose(to_linear(clear_alley), to_linear(far_light), t)
    ),
}
for name, picture in attempts.items():
    levels = 255 * float((picture - alley["image"].cpu()).abs().max())
    print(f"{name}: wrong by at most {levels:.1f} grey levels")

# %% [markdown]
# In linear light, the formula reproduces the hazy picture up to rounding errors.
#
# ## The closed form
#
# Once the mask and the back layer are known, the front layer needs no network: we solve the compositing formula for the front layer.
#
# $$y_1 = y_2 + \frac{I - y_2}{\max(m, \text{floor})} .$$
#
# Where the mask is nearly 0, the front layer is almost invisible, and we would divide noise and rounding errors by almost 0.
# So the *floor* limits the divisor.
# Where the mask is 0, the result is the back layer.
#
# The same formula removes haze (with `to_linear` before it and `to_srgb` after it) and a watermark (with `1 - alpha` as the mask).
# **Only the meaning of the formula's symbols has changed.**
# The rest of the chapter is about how to find the mask and the back layer; your exercises find both masks, one with a prior and one by least squares.
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

# %% [markdown]
# ## Exercise: lift the haze
#
# Write `lift_haze(hazy, airlight, side, floor)`, which removes the haze from a picture when the airlight is known.
# The picture becomes linear light; the dark channel of $I/A$ gives the transmission; the closed form gives the clear picture.
#
# - `hazy`: Float[Tensor, "3 h w"] in [0, 1], sRGB as in a file.
# - `airlight`: Float[Tensor, "3 1 1"] in (0, 1], sRGB.
# - `side`: an odd whole number, the side of the window in pixels.
#   The window is centred on its pixel; at the border of the picture, ignore the part of the window that is outside.
# - `floor`: a float above 0, the least transmission.
# - Returns the picture without haze, Float[Tensor, "3 h w"] in [0, 1], sRGB.
#
# `F.max_pool2d(x, side, 1, side // 2)` is the *maximum* over the window around each pixel.
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def lift_haze(hazy, airlight, side, floor):
    ### BEGIN SOLUTION
    light, air = to_linear(hazy), to_linear(airlight)
    darkest = (light / air).amin(dim=0, keepdim=True)  # over the channels
    dark = -F.max_pool2d(-darkest, side, 1, side // 2)  # over the window
    transmission = (1 - dark).clamp_min(floor)
    return to_srgb(air + (light - air) / transmission)
    ### END SOLUTION


# %%
from dil_teach.course import check

check.lift_haze(lift_haze)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# The formula holds in linear light: which two arguments must be converted first, and what must be converted back?
# A minimum over channels and window is taken of which quotient?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The minimum of $x$ is minus the maximum of $-x$.
# `x.amin(dim=0, keepdim=True)` is the minimum over the channels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The dark channel is 1 - t.
# Work with *differences* from the airlight: how many times larger is (clear - airlight) than (hazy - airlight)?
#
# </details>

# %%
from dil_teach.classical.haze.dark_channel import (
    FLOOR,
    brightest_haze,
    dark_channel,
    dark_channel_transmission,
    guided_dark_channel,
    remove_haze,
)

# %%
airlight = brightest_haze(to_linear(hazy)[None])
done_1 = check.lift_haze(lift_haze).state == "passed"
lift = lift_haze if done_1 else check.lift_haze.reference
lifted = {
    f"window of {side} x {side}": lift(hazy, to_srgb(airlight)[0], side, FLOOR)
    for side in (1, 7, 31)
}
show(
    lifted,
    alt=f"{subject} without haze, by three windows. One pixel: dark brick walls in "
    "far too strong colours. 7 pixels: natural colours on the near walls, and a pale "
    "seam around the far end. 31 pixels: haze remains before the far end.",
    crop=None if own else (0, 24, 78, 100),
)

# %% [markdown]
# Your function drew the three pictures (the library's version did, if the exercise is unsolved).
# A window of one pixel makes the darkest channel of *every* pixel black: the prior claims too much, and the colours are far too strong.
# In a large window, something is black in most places, but the distance is no longer the same in the whole window: the far end gets the transmission of the nearer walls, and keeps its haze.
# The window is a compromise, and its result has pale seams where near and far meet.
# (Its far end is bluish, because the airlight is an estimate, too: here it is that of the brightest haze.)
#
# The library's function computes the transmission in the same way:

# %%
from dil_teach.notebook import show_source

show_source(dark_channel_transmission)

# %% [markdown]
# Because of the minimum over a window, the map shows blocks.
# Therefore the [guided filter](glossary.md#guided-filter) aligns the map with the edges of the picture [@he2010].
# (The factor `omega` leaves a little haze on purpose: without any haze, distant objects look near.
# The settings of the guided dark channel were chosen on practice scenes that this chapter does not show.)

# %%
linear_hazy = to_linear(hazy)[None]
transmission = guided_dark_channel(hazy[None], airlight)[0]
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
    "transmission: dark grey far away, like the true transmission, but with faint "
    "stains. The dark channel of the clear picture: black nearly everywhere.",
)

# %% [markdown]
# In the first picture, bright pixels have thick haze; in the second picture, bright pixels are near the camera.
# The last picture tests the prior: the dark channel of the clear alley is black nearly everywhere, but not everywhere.
# Where this dark channel is brighter (at the pale windows of the houses and the mortar between the bricks), the method mistakes pale surfaces for haze.
# So the transmission map is too dark at such surfaces, and faint stains remain, for example on the right wall.
#
# Two parameters control the result of the method.
# *Airlight*: the assumed brightness of the haze itself.
# *Smoothness*: the number of pixels over which the guided filter averages.


# %%
from dil_teach.image.guided_filter import guided_filter


def dehaze(image, linear_airlight, transmission):
    """Remove haze in closed form, in linear light; the result is sRGB."""
    light = to_linear(image)[None]
    return to_srgb(remove_haze(light, transmission[None], linear_airlight))[0]


def render_haze(brightness, smoothness):
    assumed = (brightness * airlight).clamp(0.05, 1)
    rough = dark_channel_transmission(linear_hazy, assumed, patch=7)
    t = guided_filter(hazy[None], rough, smoothness, eps=1e-2)[0].clamp(0.05, 1)
    return {
        "airlight": to_srgb(assumed)[0].expand_as(hazy),
        "transmission": t,
        "without haze": dehaze(hazy, assumed, t),
    }


# %%
from dil_teach.notebook import Slider

haze_controls = {
    "brightness": Slider("Airlight (times the estimate)", 0.7, 1.3, 1.0, 0.05),
    "smoothness": Slider("Smoothness (radius in pixels)", 1, 40, 4, 1),
}

# %%
haze_slider = explore(
    render_haze,
    haze_controls,
    "Assumed airlight, transmission and result; the airlight is {brightness} times "
    "the estimate, and the transmission is smoothed over {smoothness} pixels",
    examples=[{"brightness": 0.8, "smoothness": 4}],
    live=True,
)

# %% [markdown]
# If the airlight is too dark, the far end of the alley is wrong, because haze cannot explain a pixel that is brighter than the haze itself.
# If the airlight is too bright, some haze remains everywhere.
# Smoothness matters less.
# With a small radius, the map keeps the blocks of the window minimum; with a large radius, the map copies the edges of the picture, including the bricks.
#
# ## Haze: the map or the colour?
#
# Question 1 asks which of the two you would rather be told.
# The next cells use four hazy scenes (six with the larger budgets), and three estimates of each kind:
#
# - the airlight: by the brightest haze; by recurring patches (chapter [08](08_haze.ipynb)); and by recurring patches and contrast (`estimate_airlight`, which the rest of this chapter uses);
# - the map: by the dark channel; by the guided dark channel; and by the lower bounds, which are a dark channel in windows of 5 x 5 pixels.
#
# For each pair of estimates, the cells compute three results: with both estimates, with the true airlight, and with the true map.

# %%
from dil_teach import psnr
from dil_teach.classical.haze.airlight import estimate_airlight
from dil_teach.classical.haze.dark_channel import transmission_bound
from dil_teach.classical.haze.recurrence import recurrent_airlight

of_airlight = {
    "brightest haze": lambda frames: brightest_haze(to_linear(frames)),
    "recurring patches": lambda frames: recurrent_airlight(frames[0]),
    "patches and contrast": estimate_airlight,
}
of_map = {
    "dark channel": lambda frames, a: dark_channel_transmission(to_linear(frames), a),
    "guided dark channel": guided_dark_channel,
    "lower bounds": transmission_bound,
}
our_airs, maps_of = {}, of_map.values()


# %%
def tell(name):
    """The PSNR of each pair of estimates; the last axis is what the method is told."""
    layers = {n: i.to(device()) for n, i in scene(f"haze_{name}").images.items()}
    image, true_t = layers["image"], layers["transmission"]
    true_a = to_linear(layers["airlight"])[None]
    airs = [estimate(image[None]) for estimate in of_airlight.values()]
    our_airs[name] = airs[-1]  # used again below

    def score(a, t):
        return psnr(dehaze(image, a, t), layers["clear"])

    told_air = [score(true_a, map_of(image[None], true_a)[0]) for map_of in maps_of]
    decibels = []
    for a in airs:
        estimated = [score(a, map_of(image[None], a)[0]) for map_of in maps_of]
        decibels.append([estimated, 3 * [score(a, true_t)], told_air])
    return torch.tensor(decibels).transpose(1, 2)


# %%
names = ("lake", "alley", "garden", "gallery", "square", "sunset")
names = names[:4] if budget == "quick" else names
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    of_scenes = torch.stack(list(pool.map(tell, names)))
# scenes x three estimates of the airlight x three estimates of the map
nothing, true_map, true_air = of_scenes.unbind(-1)
told = {"nothing": nothing, "the map": true_map, "the airlight": true_air}

# %%
print(
    f"{f'mean PSNR over {len(names)} scenes [dB]':46}"
    + "".join(f"{n:>14}" for n in told)
)
for i, one in enumerate(of_airlight):
    for j, other in enumerate(of_map):
        means = [float(decibels[:, i, j].mean()) for decibels in told.values()]
        line = "".join(f"{decibels:14.1f}" for decibels in means)
        print(f"{one + ' & ' + other:46}{line}")

# %% [markdown]
# The first column uses both estimates, the second the *true* map, and the third the *true* airlight.
# **No single answer to question 1 holds for all estimates: the worse estimate does more harm.**
# With the airlight of the brightest haze, or of patches and contrast, the true airlight gains more than the true map, whichever map is estimated.
# The airlight of recurring patches is better on these scenes, and with it the true map gains more.
#
# Two lessons hold in every line.
# The true airlight always helps.
# The true map need not help: with the airlight of patches and contrast, the *true* map gives a worse result than the dark channel's map.
# The closed form $J = A + (I - A)/t$ explains this.
# It multiplies an error of $A$ by $1/t - 1$, which is nine at $t = 0.1$.
# An estimated map was computed with the same wrong airlight; where this airlight is too bright, the map is too high, and the error is multiplied by less.
# So the two errors partly cancel, and a method that is *given* the airlight, or the map, cannot be compared with one that estimates both.
#
# ## Haze: the upper envelope
#
# Can we improve the transmission map?
# Light is never negative: $J \ge 0$.
# So $I \ge (1-t)\,A$ holds in each channel, which gives this bound on the transmission $t$:
#
# $$t \;\ge\; 1 - \min_c \frac{I_c}{A_c} .$$
#
# So every pixel gives a **lower bound** on its own transmission.
# Meng, Wang, Duan, Xiang and Pan introduced this bound, the *boundary constraint*, in 2013 [@meng2013]; @berman2016 use it as well.
# The bound equals the transmission only where one channel of the clear scene is exactly 0.
# The figure shows the lower bound along one row of the alley, computed with the true airlight:

# %%
from dil_teach.notebook import curves

row, columns = 40, range(128)
true_air = to_linear(alley["airlight"])[None]
bound = 1 - (to_linear(alley["image"]) / true_air[0]).amin(dim=0)
too_high = float((bound > alley["transmission"][0] + 0.02).float().mean())
baseline_t = guided_dark_channel(alley["image"][None], true_air)[0, 0]

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
    "true transmission. The dark channel's map is smooth; on the slopes of the valley "
    "it is above the true transmission.",
)

# %% [markdown]
# The true transmission is the [upper envelope](glossary.md#upper-envelope) of the bounds: it touches the *peaks* of the bounds, or is slightly above them where nothing is black.
# The dark channel's map is too high at the far end of the alley, because the window around a far pixel also contains pixels of nearer walls.
# Near the left and right edges the map is too low, because nothing there is quite dark.
# At the house window (columns 98 to 104) the bounds drop, but the map does not follow them.
#
# The upper envelope is prior knowledge about the mask.
# With it, the model of chapter 14 becomes a method that removes haze, our version of Double-DIP:

# %%
from dil_teach import Dehazing, DehazingSettings
from dil_teach.classical.haze.envelope import (
    envelope,
    fit_mask,
    roughness,
    upper_envelope,
)

show_source(Dehazing.train_step)
show_source(envelope)
show_source(roughness)
show_source(fit_mask)

# %% [markdown]
# - **The airlight** is estimated before the training and never changes.
#   Its tint comes from recurrence: the colours of patches that [recur](glossary.md#recurrence) at two distances lie on lines that meet in the airlight [@bahat2016].
#   Its brightness comes from the haziest part of the picture, extrapolated to zero contrast.
# - **The mask** is a coarse grid that is interpolated.
#   It does not start from noise: its initialisation is the guided dark channel.
# - **Envelope.**
#   The loss is 0.9 times the difference between bound and map where the bound is *above* the map, and 0.1 times this difference where the bound is below the map.
#   So the map with the smallest loss has nine of ten bounds below it.
#   (This loss is also called pinball loss; if both weights are 0.5, its minimum is the median.)
# - **Roughness.**
#   $-\log t = \beta d$ is proportional to the depth $d$, and depth is smooth except where colours change.
# - **The front layer** is the output of a network, and the back layer is one colour.
#   `fit_mask` trains the mask with both penalties alone, without this network and without the reconstruction error.
# - **After the training**, the transmission is blended: it is the geometric mean of the mask (weight 0.65, `TRUST` in the code) and the guided dark channel (weight 0.35).
#   The closed form then gives the picture.
#   The layer that the network has learned is discarded.
#
# So four parts could make the gain: the airlight, the start, the training and the blend.
# The experiment separates the effects of the airlight and of the start; it does not separate training from blending.
#
# **Stopping rule**: training stops after the number of steps in the budget.

# %%
from dil_teach import train
from dil_teach.notebook import LivePanel

steps = {"quick": 45, "standard": 400, "full": 1000}[budget]
haze_settings = DehazingSettings(steps=steps, seed=seed)
dehazing = Dehazing(hazy, settings=haze_settings)
our_airlight = dehazing.air
by_start = dehazing.haze_free()  # before the first step
by_envelope = dehaze(hazy, our_airlight, upper_envelope(hazy[None], our_airlight)[0])
panel = LivePanel(alt="The current transmission")

# %%
for progress in train(dehazing, report_every=dehazing.total_steps // 3):
    panel.update(progress, dehazing.transmission())

# %% [markdown]
# In the last third of the training, the reconstruction error hardly changes.
# The network can output any front layer, so it could reproduce the picture with a wrong map, too.
# So this error does not measure the quality of the *map*.

# %%
haze_free = dehazing.haze_free()
versions = {
    "under haze": hazy,
    "dark channel with its own airlight": dehaze(hazy, airlight, transmission),
    "guided dark channel": dehaze(hazy, our_airlight, dehazing.dark[0]),
    "upper envelope, without networks": by_envelope,
    "Double-DIP: closed form of the blended mask": haze_free,
    "Double-DIP: the network's own layer": to_srgb(dehazing.dip.layers().front[0]),
}

# %%
final, guided = "upper envelope, without networks", "guided dark channel"
by_networks, own_airlight = list(versions)[4], list(versions)[1]
own_layer = list(versions)[-1]
show(
    {name: versions[name] for name in (own_airlight, guided, final)},
    alt=f"{subject} without haze: the dark channel's result with its own airlight, "
    "pale at the far end; the same with the other airlight, clearer; and the result of "
    "the envelope, which is much like it",
    truth=clear,
)

# %% [markdown]
# The result of Double-DIP looks like the last one.
# The layer that the network outputs is blurred, as in the opening, because in so few steps a network fits only smooth content.
# **The closed form takes the map and the airlight from the model, and every detail from the given picture.**
# (The PSNR below the pictures is that of the luma; all other scores of this section use all three channels.)
#
# One scene proves little.
# The next table shows the means over ten pictures: the six rendered scenes, and four photographs to which we added haze with a known depth.
# Every method gets *the same* estimated airlight, except the row that says otherwise.
# The column 'this run' is the run above.

# %%
from dil_teach.course.credit import show_credit

start_row, haze_score = "start: coarse guided dark channel", {}
if not own:
    versions[start_row] = by_start
    truth_of_haze = to_linear(alley["airlight"])[None], alley["transmission"]
    oracle = dehaze(hazy, *truth_of_haze)
    versions["closed form of the true airlight and map"] = oracle
    haze_score = {name: psnr(version, clear) for name, version in versions.items()}
credit = show_credit("dehazing", here=haze_score)

# %%
from dil_teach.course.records import per_picture, record

known_credit = show_credit("dehazing_known_airlight")
of_pictures = [row for row in record("dehazing") if row["airlight"] == "estimated"]
for row in per_picture(of_pictures, "picture"):
    gained = row["final"] - row["dark"]
    print(f"{row['picture']:14}result minus guided dark channel {gained:+.2f} dB")
print("The method's warning:", dehazing.doubts() or "none")

# %% [markdown]
# Read the first table from the top:
#
# - **On the mean, the airlight makes most of the gain.**
#   Seven of the ten pictures gain, by 1.9 to 5.0 dB, and three lose.
#   With the estimated airlight, the dark channel is two decibels better than with its own.
# - **The start is already there.**
#   The mask starts from the guided dark channel, so before the first step the result has nearly the same PSNR.
# - **The penalties and the blend together gain half a decibel** on the mean over the guided dark channel with the same airlight.
#   Ten pictures do not prove it: the 95% interval of the mean reaches from -0.1 to 1.1 dB.
#   Nearly all of this comes from the photographs: the pale walls of room and dogs, which the dark channel takes for haze, and the brook.
#   On the six rendered scenes, the mean difference is under a tenth of a decibel; no picture loses over 0.2 dB.
# - **The networks add nothing.**
#   The result of Double-DIP is the same within 0.1 dB; the networks' own layer is worse than the dark channel.
#   We also looked for pictures on which the networks gain (`benchmarks/dehazing.py --regimes`, true airlight, one seed).
#   On four photographs of 256 pixels and on a film, the results with and without networks differ by under 0.1 dB.
#   With noise of 10 grey levels, the networks' own layer is between 0.5 dB worse and 1.2 dB better than the envelope.
#   Here a classical method is much better: if BM3D removes the noise first, the envelope gains 5 to 8 dB.
#   (On the film, the guided dark channel is 1.2 dB better than the envelope.)
# - **The oracle is far away.**
#   With the true airlight *and* the true map, the closed form would have around 40 dB.
#
# The second table gives the *true* airlight to all methods.
# The guided dark channel and the results that start from it are over two decibels better, and the penalties gain 0.7 dB; on the alley they lose 0.3 dB.
#
# So `dil-teach dehaze` uses the upper envelope without networks, and Double-DIP for haze is an idea to understand: one formula, and penalties that say what a mask of haze looks like.
# (If the method warns about the airlight of the alley, the warning is right.
# Even at the far end of the alley, a fifth of the wall's light reaches the camera, so no pixel shows the airlight alone.)

# %%
from dil_teach import photo
from dil_teach.classical.haze.dark_channel import add_haze

near_water = photo("brook", 128)
row_of = (torch.arange(128)[:, None] + 0.5) / 128
depth_of = (0.532 / (row_of + 0.33)).clamp(max=1.4)  # as in the opening
veil = to_linear(torch.tensor([0.80, 0.83, 0.86])).reshape(1, 3, 1, 1)
in_haze = to_srgb(add_haze(to_linear(near_water)[None], (-depth_of).exp(), veil))
methods = {"dark channel": brightest_haze(to_linear(in_haze))}
methods["upper envelope"] = estimate_airlight(in_haze)
brook = {}
for name, a in methods.items():
    map_of_it = (guided_dark_channel if "dark" in name else upper_envelope)(in_haze, a)
    brook[name] = psnr(dehaze(in_haze[0], a, map_of_it[0]), near_water)
beside_opening(opening, brook)

# %% [markdown]
# The brook of the opening at 128 x 128 pixels, computed here, confirms the order: the envelope with our airlight is far better than the dark channel with its own.

# %%
# NBVAL_CHECK_OUTPUT
nothing, true_map, true_air = (x.mean(dim=0) for x in told.values())
claims = {
    "haze added in sRGB values is wrong by over 30 grey levels": off["haze"] > 30,
    "no bound exceeds the true transmission by over 0.02": too_high == 0,
    "the true airlight always gains over 0.5 dB": (true_air > nothing + 0.5).all(),
    "except with recurring patches, it gains more than the true map": (
        (true_air > true_map)[[0, 2]].all()
    ),
    "with recurring patches, the map gains more": (true_map > true_air)[1].all(),
    "the true map can lose over 1 dB": true_map[2, 1] < nothing[2, 1] - 1,
}
check_claims(claims, own)

# %% tags=["algorithm"]
# NBVAL_CHECK_OUTPUT
first, second = (c[final] - c[guided] for c in (credit, known_credit))
brook_gain = brook["upper envelope"] - brook["dark channel"]
claims = {
    "the airlight gains over 1 dB": credit[guided] > credit[own_airlight] + 1,
    "the penalties gain over 0.3 dB over their start": (
        credit[final] > credit[start_row] + 0.3
    ),
    "they gain over 0.3 dB over the dark channel with the same airlight": first > 0.3,
    "with the true airlight, they gain over 0.3 dB": second > 0.3,
    "with the networks, the result is the same within 0.1 dB": (
        abs(credit[final] - credit[by_networks]) < 0.1
    ),
    "on the brook, the envelope gains over 5 dB": brook_gain > 5,
    "the network's own layer is worse": credit[own_layer] < credit[guided],
}
check_claims(claims)


# %% [markdown]
# ## Haze: an airlight that is not uniform
#
# In smoke near a window, or in haze near a low sun, the airlight is brighter on one side.
# If the airlight is not uniform, the back layer is not one colour, but it may still be *smooth*.
# `vary_airlight` fits a quadratic function of the position (`Dehazing(..., non_uniform=True)` uses it).
# The next cell compares the two airlights, both with the guided dark channel, without any training.
# (The scene is rendered from the coffee cup by Rachel Michetti, the cat by Stéfan van der Walt, the astronaut by NASA, and the bricks of CC0Textures.)

# %%
from dil_teach.classical.haze.airlight import vary_airlight
from dil_teach.classical.haze.dark_channel import resample_airlight

gallery = {n: i.to(device()) for n, i in scene("haze_gallery").images.items()}
picture = gallery["image"]
freed, gallery_score = {}, {}
airlights = {"true airlight": gallery["airlight"]}
uniform = our_airs["gallery"]  # estimated above
estimates = {"one colour": uniform}
estimates["a smooth layer"] = vary_airlight(picture[None], uniform)
for name, found in estimates.items():
    found = resample_airlight(found, picture.shape[1:])
    freed[name] = dehaze(picture, found, guided_dark_channel(picture[None], found)[0])
    gallery_score[name] = psnr(freed[name], gallery["clear"])
    airlights[f"airlight: {name}"] = to_srgb(found)[0].expand_as(picture)
    print(f"{name:16}{gallery_score[name]:.1f} dB (all three channels)")

# %%
show(
    {"under haze": picture} | freed,
    alt="A gallery in smoke. With one colour, the result has a blue cast on the left; "
    "with a smooth layer, it has less blue.",
    truth=gallery["clear"],
    crop=(0, 0, 100, 128) if picture.shape[1] == 128 else None,
)
show(
    airlights,
    alt="The true airlight is cream on the right and bluish on the left. One colour: "
    "cream everywhere. The smooth layer: cooler at the top left, and too bright.",
)

# %% [markdown]
# If the airlight is one colour for the whole picture, the left half of the result turns blue.
# The haze in the left half *was* bluish.
# A cream airlight does not explain this blue, so the blue remains on the wall.
# The airlight that is a smooth layer is cooler on the left at the top, as it should be, but it is too bright at nearly every place, and orange at the bottom.
# The gain is not larger, because the colour and the thickness of haze are hard to separate if both may vary over the picture.

# %% [markdown]
# ## Watermark: three photographs that share it
#
# For a watermark, the mask is $1 - \alpha$ and the back layer is one colour.
# The mask and the back layer are the same in all three pictures; only the photographs differ.
# At each position, the method takes the *median* of the gradients of the three photographs.
# The median is the gradient of the mark, because the gradients of the photographs themselves have nothing in common [@dekel2017].
# So the median shows the outline of the mark.
# From this outline, gradient descent finds $\alpha$ and the colour that make all three photographs smooth when the mark is removed.
# (A lower $\alpha$ also weakens the texture below the mark, so smoothness alone would choose an $\alpha$ that is too low; the objective contains a correction for this.
# In pictures larger than these, the pixels on both sides of the mark's border then correct $\alpha$ and the colour: without the mark, both sides would have the same distribution.)
# This solution is called the **total-variation start**.
#
# Double-DIP [@gandelsman2019] adds the prior of a network: one network outputs all three clean photographs.
# The compositing formula has to reproduce the marked photographs from these outputs.
# (In the code of the library, `front` and `back` are exchanged: there the front layer is the mark.)

# %%
show_source(WatermarkRemoval.train_step)
shared = three_run.result()  # the total-variation start, from another thread

# %%
for progress in train(shared, report_every=shared.total_steps // 3):
    print(f"step {progress.step}: variation {progress.losses['variation']:.4f}")

# %% [markdown]
# The method was given no box, no outline and no colour of the mark.
# The printed total variation hardly changes during the training, because it is already low at the start.
# **Stopping rule**: training stops after the number of steps in the budget.
# (We do not stop at the step with the best reconstruction, because two wrong grey layers could also reconstruct the picture very well.)

# %%
import math

from dil_teach.classical.watermark.total_variation import without_mark

inside = alpha > 0.02  # the ground truth, used for scores only


def score_inside(image, truth):
    """The PSNR in dB, computed over the marked pixels only."""
    error = (image - truth)[inside.expand_as(truth)].square().mean()
    return -10 * math.log10(error)


def unmark(images, opacity, colour):
    return without_mark(images, opacity, colour).clamp(0, 1)


# %%
by_three = unmark(marked, shared.opacity(), shared.colour())
true_mark = alpha, torch.tensor(scene("watermark").known["colour"], device=device())
versions = {
    "with the mark": marked,
    "total-variation start": unmark(marked, *shared.start),
    "the network's own layer": shared.dip.layers().back,
    "closed form of the trained mark": by_three,
    "closed form of the true mark": unmark(marked, *true_mark),
}
mark_score = {
    name: sum(map(score_inside, images, clean)) / 3 for name, images in versions.items()
}

# %%
changed = float(((by_three - marked).abs() * (shared.opacity() == 0)).max())
print(f"largest change where no mark was found: {255 * changed:.1f} grey levels")
named = ("with the mark", "the network's own layer", "closed form of the trained mark")
show(
    {name: versions[name][0] for name in named},
    alt="A cat's face under white letters and a ring; the network's own layer, a brown "
    "blur; and the result, the face without a trace of the mark.",
)
mark_credit = show_credit("watermark", here=mark_score)

# %% [markdown]
# In the marked pixels, the result gains about eighteen decibels over the given picture, and almost no trace of the mark remains.
# The table tells us what made this gain:
#
# - **Nearly all of the gain comes from the start**, that is, from the median of the gradients and the total variation.
#   Training changes the start by a fraction of a decibel.
#   The network could improve the result clearly only if it predicted the photographs better than the closed form does, but it predicts them worse.
# - **The layer that the network outputs is blurred.**
#   A network fits smooth content first, so it can separate layers, but its layer lacks detail.
#   The closed form takes opacity and colour from the model and *every detail from the given picture*.
# - **Where the method finds no mark, nothing changes**, because the closed form is the identity where $\alpha = 0$.

# %% [markdown]
# ## Exercise: the mark by least squares
#
# Why are three photographs better than one?
# Suppose that someone paints the outline of the mark, and tells you its colour $c$.
# [Inpainting](glossary.md#inpainting) then fills the outline in each photograph with the smoothest surface [@damelin2018]: a rough *guess* $\hat J_k$ of the photograph under the mark.
# With the mask $m = 1 - \alpha$, the model $I_k = m J_k + (1 - m)\,c$ becomes a line through the origin:
#
# $$I_k - c \;\approx\; m\,(\hat J_k - c) .$$
#
# At each pixel, all photographs and channels have the same slope $m$, so *one* unknown has nine equations.
# [@dekel2017] solve for the mark in a similar way, in turns with the photographs.
#
# Write `remove_mark(marked, guesses, colour, floor)`.
#
# - `marked`: Float[Tensor, "n c h w"] in [0, 1], photographs with the same mark.
# - `guesses`: Float[Tensor, "n c h w"] in [0, 1], the photographs as inpainting guesses them.
# - `colour`: Float[Tensor, "c 1 1"] in [0, 1], the colour of the mark.
# - `floor`: a float in (0, 1), the least mask.
# - Returns the pair `(opacity, clean)`.
#   `opacity`: Float[Tensor, "1 h w"], 1 minus the slope of least squares, which you clamp to [floor, 1].
#   Divide by a sum of squares of at least 1e-6.
#   `clean`: Float[Tensor, "n c h w"], the closed form with this opacity, not clamped.
#
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def remove_mark(marked, guesses, colour, floor):
    ### BEGIN SOLUTION
    x, y = guesses - colour, marked - colour
    squares = x.square().sum(dim=(0, 1)).clamp_min(1e-6)
    slope = (x * y).sum(dim=(0, 1)) / squares
    mask = slope.clamp(floor, 1)[None]
    return 1 - mask, colour + y / mask
    ### END SOLUTION


# %%
check.remove_mark(remove_mark)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# The slope $m$ of a line through the origin minimises the sum of $(y_k - m x_k)^2$.
# Set the derivative to 0.
# What are $x_k$ and $y_k$ here?
#
# </details>
# <details><summary>Hint 2</summary>
#
# The slope is a sum of products, divided by a sum of squares.
# Over which of the four axes do the sums run, if each pixel has its own slope?
#
# </details>
# <details><summary>Hint 3</summary>
#
# The details of the result come from `marked`; the guesses only serve to find the mask.
# The closed form adds `(marked - colour) / mask` to the colour.
#
# </details>

# %%
from dil_teach.classical.inpainting import biharmonic

guesses = torch.stack([biharmonic(picture, outline) for picture in marked])
done_2 = check.remove_mark(remove_mark).state == "passed"
by_lines = remove_mark if done_2 else check.remove_mark.reference
told_colour = true_mark[1][:, None, None]
each = [
    by_lines(marked[k][None], guesses[k][None], told_colour, 0.05)[1] for k in range(3)
]

# %%
ways = {
    "guess: inpainting": guesses,
    "least squares, each alone": torch.cat(each),
    "least squares, three together": by_lines(marked, guesses, told_colour, 0.05)[1],
}
means = {}
for name, pictures in ways.items():
    ways[name] = pictures.clamp(0, 1)
    means[name] = sum(map(score_inside, ways[name], clean)) / 3
    print(f"{name:40}{means[name]:5.1f} dB inside the mark")

# %%
show(
    {"marked": marked[1]} | {name: pictures[1] for name, pictures in ways.items()},
    alt="A pagoda under pale letters and a ring. Inpainting smears roofs and columns "
    "under the mark; least squares with this photograph alone leave the smears; with "
    "three photographs, the roofs and columns are sharp and the letters are gone.",
    crop=(14, 12, 60, 68) if budget == "quick" else None,
)

# %% [markdown]
# Your function made the two results (the library's, if the exercise is unsolved).
# The three photographs together gain over five decibels over their own guesses, and the details of the pagoda return, because they come from the marked picture; only faint dark traces of the letters remain.
# Each photograph alone hardly gains: the line then has only the three channels of one guess, and follows the errors of this guess.
# (With one *grey* photograph, the line passes through the one point, and the result *is* the guess, as in the check's first case.)
# The errors of three guesses have little in common, so they average out; this is a part of the answer to question 2.
#
# The total-variation start is still better by six decibels, although it gets neither the outline nor the colour.
# Least squares treat each pixel by itself; total variation also knows that the mark and the photographs are smooth.

# %%
# NBVAL_CHECK_OUTPUT
guessed, alone, together_9 = means.values()
claims = {
    "three photographs gain over 4 dB over their guesses": together_9 > guessed + 4,
    "one photograph gains less than half of it": (
        alone - guessed < (together_9 - guessed) / 2
    ),
    "the total-variation start is over 4 dB better": (
        mark_score["total-variation start"] > together_9 + 4
    ),
}
check_claims(claims)

# %% [markdown]
# ## Watermark: one photograph
#
# Now the method gets only one of the three photographs, the cat, and a box around the mark.
# In a second run, it gets the *outline* instead: a mask of the marked pixels, painted one pixel too wide.
# (The function `remove_from_one` at the beginning of the chapter has computed both runs.)
# The control with the same outline is inpainting, which discards all pixels under the mark.

# %%
removals = {known: run.result() for known, run in one_runs.items()}
results = {known: removal.clean()[0] for known, removal in removals.items()}
results |= {"inpainting": guesses[0], "three photographs": by_three[0]}
one_score = {name: score_inside(image, clean[0]) for name, image in results.items()}
print("the cat, PSNR inside the mark:")
for name, decibels in one_score.items():
    print(f"{name:24}{decibels:5.1f} dB")

# %%
# longer runs with each of the three photographs: PSNR inside the mark
for number, what in enumerate(("cat", "pagoda", "cup")):
    of_it = [row for row in record("watermark") if row.get("photographs") == [number]]
    by_known = {row["case"]: row["final"] for row in per_picture(of_it, "case")}
    print(f"{what:8}box {by_known['box']:.1f} dB, outline {by_known['outline']:.1f} dB")


# %%
opacities = {known: removal.opacity() for known, removal in removals.items()}
opacities["three photographs"] = shared.opacity()


def render_mark(known):
    return {
        "opacity found": (2 * opacities[known]).clamp(0, 1),
        f"result with {known}": results[known],
        "inpainting with the outline": results["inpainting"],
        "ground truth": clean[0],
    }


# %%
mark_choice = explore(
    render_mark,
    {"known": Choice("What the method gets", tuple(opacities), "a box")},
    "The opacity found with {known}; the cat without the mark, by the method and by "
    "inpainting; and the ground truth",
    examples=[{"known": "a box"}, {"known": "the outline"}],
)
one_credit = show_credit("watermark_one")

# %% [markdown]
# Look at the opacity found with a box.
# The opacity found in the cat alone shows the letters, the ring, an eye and half of the fur.
# In a single picture, the method cannot distinguish a pale stroke of fur from a stroke of the mark: the picture becomes smoother if either is removed.
# Where it removes white light from fur that has no mark, an orange stain remains.
# This answers question 2: a single picture does not show what belongs to the mark and what to the photograph, and better training would not add this information.
#
# (On the cup, the box is nearly as good as the outline.)
# **A painted outline adds a part of it.**
# With the outline, the stains are gone, and on the mean of the three photographs the closed form is also better than inpainting with the same outline.
# The mark is half transparent, so the photograph below it *is visible*, with at least half of its contrast.
# The closed form restores it; inpainting discards it.
# (For your own pictures: `dil-teach remove-watermark picture.png --mark mark.png`.)
# As with three photographs, the start makes the gain, and the network adds nothing to it.

# %%
# NBVAL_CHECK_OUTPUT
before, begun, network, closed, _ = mark_score.values()
by_box, by_outline, by_filling, _ = one_score.values()
claims = {
    "three photographs gain over 12 dB inside the mark": closed > before + 12,
    "training changes the start's PSNR by under 1.5 dB": abs(closed - begun) < 1.5,
    "the network's own layer is over 8 dB worse than the result": network < closed - 8,
    "nothing changes where no mark was found": changed < 1e-6,
    "the outline gains over 4 dB more than the box": by_outline > by_box + 4,
    "with the outline, the closed form beats inpainting": by_outline > by_filling,
}
check_claims(claims)


# %% [markdown]
# ## Watermark: a film that moves below its mark
#
# Does a film help like three photographs?
# The film shows skyscrapers at night in two shots; the camera moves slowly.
# (Film: `cityCC0.mpg` of the Kivy project, MIT licence; see `data/README.md`.)
# We added the same mark to all frames, and removed it with the total-variation start from different sets of frames.

# %%
film_gain = {
    row["case"].removeprefix("film: "): row["start"] - row["input"]
    for row in record("watermark")
    if row["case"].startswith("film")
}
for name, decibels in film_gain.items():
    print(f"{name:24}{decibels:+6.1f} dB inside the mark of the first frame")

# %% [markdown]
# One frame gains about as much as the photograph of the cat alone.
# Three *neighbouring* frames even do harm: the skyscrapers have moved by a few pixels only, so the method takes their dark parts for a dark mark.
# Three frames that are spread over the same shot help much more, because by then other windows are below each stroke of the mark.
# Frames of a second shot are not needed.
# So a film helps if its content *moves below the mark*; a fixed camera before a still scene would not help at all.

# %%
# NBVAL_CHECK_OUTPUT
spread, near = (
    film_gain[f"3 {n}"] for n in ("frames of one shot", "neighbouring frames")
)
check_claims(
    {"frames far apart gain over 2 dB more than neighbours": spread > near + 2}
)


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
#
# (The model of all frames was trained by the cells at the beginning of the chapter, from `count, wide` on.)

# %%
from dil_teach.classical.segmentation.grab_cut import grab_cut

by_grab_cut = torch.stack([grab_cut(frame, *hints) for frame in frames])
together = film_run.result()
one_by_one = [run.result().start.mask[0] for run in frame_runs]
film_masks = {"all frames together": together.mask()}
film_masks["GrabCut, each frame"] = by_grab_cut
film_masks["start without networks"] = together.start.mask
film_masks["start, each frame alone"] = torch.stack(one_by_one)


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
done_3 = check.flicker(flicker).state == "passed"
measure = flicker if done_3 else check.flicker.reference
# the stabilised masks do not move, so their motion is 0
still, flickers, overlap = [(0, 0)] * (count - 1), {}, {}
for name, masks in ({"truth": true_masks} | film_masks).items():
    flickers[name] = float(measure(stabilised(masks, film.known), still))
    both = torch.minimum(masks, true_masks).sum(dim=(1, 2, 3))
    either = torch.maximum(masks, true_masks).sum(dim=(1, 2, 3))
    overlap[name] = float((both / either).mean())
    print(f"{name:32}overlap {overlap[name]:.2f}, flicker {100 * flickers[name]:.1f} %")


def render_film(frame):
    shown = {"frame": frames[frame - 1], "truth": true_masks[frame - 1]}
    return shown | {name: masks[frame - 1] for name, masks in film_masks.items()}


# %%
film_slider = explore(
    render_film,
    {"frame": Slider("Frame", 1, count, 1, 1)},
    "Frame {frame}: a cat's face that moves over a cup; and the true mask of the face. "
    "Mask from all frames: the face and a small part of the spoon. GrabCut: the face "
    "and a part of the spoon. Start from one frame: the face and the spoon's bowl.",
    examples=[{"frame": 1}, {"frame": count}],
    live=True,
)
film_credit = show_credit("film_masks")

# %% [markdown]
# Change the frame with the slider, and look at the spoon below the cat.
# The spoon has the same grey tones as the cat, so a single frame does not show where the cat ends.
# GrabCut (chapter 14) models the colours of the two layers in each frame, and assigns a different part of the spoon to the cat each time, so its masks flicker most.
# The start without networks, computed from each frame alone, assigns the bowl of the spoon to the cat in all frames; these masks are wrong, but they flicker less than GrabCut's.
# Training does not repair this: in the table, Double-DIP on single frames is no better than GrabCut.
# The spoon moves left with the cup, and the cat moves right: the masks of all frames together contain less of the spoon than the start from each frame alone, but a part of it remains.
# The start from all frames has almost nothing of the spoon.
#
# **But the networks do not make this gain.**
# The row 'start without networks' of the table is the segmentation from which the training starts: it grows the hints by discriminant analysis of texture and motion, and cuts a graph over all frames.
# Its overlap is as large as that of the final masks; the mask that the networks output is worse, and the graph cut after the training repairs it.
# The start uses motion, a graph cut over all frames, and hints only where they are valid; one rendered video does not tell which of the three makes the gain over single frames.
#
# (On single frames, all methods use the hints of the first frame for every frame.
# The final masks are averaged over frames and have soft edges, which also makes them flicker less.
# The flicker of the true masks is not 0, because their outline moves by fractions of a pixel.)
#
# **Low flicker alone does not prove a good mask.**
# A mask that is black everywhere has no flicker.
# So also compare the overlap of each mask with the true mask.

# %%
# NBVAL_CHECK_OUTPUT
joint, single = "all frames together", "GrabCut, each frame"
grown, *_, cut_mask = film_credit.values()
claims = {
    "Double-DIP's masks overlap the truth by over 0.85": overlap[joint] > 0.85,
    "GrabCut's masks of single frames overlap the truth less than Double-DIP's": (
        overlap[joint] > overlap[single]
    ),
    "GrabCut's masks flicker over twice as much as Double-DIP's masks": (
        flickers[joint] < flickers[single] / 2
    ),
    "without networks, the start is as good within 0.05": abs(grown - cut_mask) < 0.05,
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
top, left = (max(size - 64, 0) // 2 for size in hazy.shape[1:])
middles = [p[:, top : top + 64, left : left + 64] for p in recurring.values()]
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    recurs = dict(zip(recurring, pool.map(recurrence_score, middles), strict=True))
for name, score in recurs.items():
    print(f"{name:16}{score:.2f}")

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
# Here are two more scenes, with the guided dark channel and our airlight, and the method's own warning.
# (Photograph of the pagoda: danielbuechele, CC BY 2.0; photograph of the dahlia: vultilion, CC BY 2.0; both photographs come from scikit-learn.)

# %%
from dil_teach.classical.haze.airlight import doubt

doubts = {}
for name in ("garden", "lake"):
    layers = {n: i.to(device()) for n, i in scene(f"haze_{name}").images.items()}
    frames_of_it, wanted = layers["image"][None], layers["clear"]
    found = our_airs[name]  # estimated above
    found_map = guided_dark_channel(frames_of_it, found)[0]
    made = dehaze(layers["image"], found, found_map)
    doubts[name] = doubt(frames_of_it, found, estimated=True)
    print(f"{name}: {psnr(made, wanted):.1f} dB; warning: {doubts[name] or 'none'}")

# %%
lake = {"under haze": layers["image"], "result": made}
lake |= {"map found": found_map, "true map": layers["transmission"]}
show(
    lake,
    alt="A pagoda before a lake and a pale sky; the result, clear but with rosy and "
    "blue stains in the sky; the estimated map, black in the sky "
    "and over the lake; and the true map, dark grey in both places",
)

# %% [markdown]
# The result for the lake is good on the pagoda and wrong in the sky.
# A clear sky is *bright in every channel*.
# The sky contains nothing dark, so the lower bounds there are far below the true transmission.
# The guided filter does not raise the map in the sky, because the sky is larger than its window.
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
    "the method warns on the scene with sky": doubts["lake"] is not None,
    "the method also warns on the scene with a smooth far end": (
        doubts["garden"] is not None
    ),
    "in the gallery, a smooth airlight beats one colour by over 0.5 dB": (
        gallery_score["a smooth layer"] > gallery_score["one colour"] + 0.5
    ),
}
check_claims(claims)

# %% [markdown]
# ## Mini-project: one more sum of two layers
#
# A dirty window pane, rain, a shadow, a scratch on a film, a reflection in glasses: choose a picture that is a sum of two layers and that this chapter does not cover.
# Write two pages, with pictures:
#
# | what | points |
# |---|---|
# | the formula: what are front, back and mask, do they add in linear light or in sRGB values, and what else is known? | 4 |
# | a test picture of your own with known layers, rendered with your formula | 4 |
# | a method and a baseline with *the same* inputs | 4 |
# | a table of exact credit: input, start, baseline, your result, oracle, on at least three pictures | 5 |
# | a picture on which the method fails, and the reason | 3 |
#
# A result that is worse than its baseline earns full points if the table shows it and the text explains it.
#
# ## Summary
#
# - One compositing formula describes foreground and background, a reflection, haze and a watermark; only the meaning of its symbols differs.
#   For haze, the formula holds in linear light; our watermarks, foregrounds and mixtures were composed in sRGB values.
# - If the mask and the back layer are known, the closed form gives the front layer, with all the detail of the image.
#   The result is not the output of a network.
# - Several pictures with the same mask give several equations for one unknown per pixel, and the errors of rough guesses average out.
# - Each pixel gives a lower bound on its transmission, so the transmission map is the upper envelope of these bounds.
#   A wrong airlight and a wrong map can cancel each other, so compare methods only with the same airlight.
# - For haze, the airlight, the start and the penalties make the gain; the networks add nothing, and their own layers are blurred.
# - From several pictures, a method can separate the shared watermark from the photographs.
#   A single picture often does not show what belongs to the watermark; a painted outline helps.
# - Before you credit a method, give its baseline the same inputs, and look at its start.
#   A method should warn the user where its result is uncertain.
#
# Further reading: there are two other ways to find the airlight and the map.
# One method uses the lines that the colours of one surface form in haze [@fattal2014].
# Another method uses pairs of patches that recur at different distances [@bahat2016]; chapter [08](08_haze.ipynb) uses this method.
#
# ## References
