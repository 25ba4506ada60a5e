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
# # 01 · Patch recurrence: do patches recur, within and across scales?
#
# All methods of this course rest on one observation: small pieces of a photograph recur in the same photograph, many times, at the same scale and at other scales.
# In this chapter you observe and measure recurrence, and find its limits.
#
# **After this chapter you can**
#
# - find the matches of a [patch](glossary.md#patch), and the larger [parents](glossary.md#parent) of these matches, which show more detail;
# - define when two patches are 'similar', and say how each choice in the definition changes the number of matches;
# - draw the curve of [recurrence](glossary.md#recurrence) against scale, for smooth and for detailed patches, beside the published curve;
# - predict from which images an internal method cannot learn anything.
#
# **What you need**: chapter [00](00_tour.ipynb).
# No network is trained here, and no GPU is needed.
# Reading takes 40 minutes; running all cells takes less than 40 seconds (*Run > Run All Cells*).
# The [glossary](glossary.md) explains the terms; the page [notation](notation.md) explains the symbols.
# If something does not run, see [if you are stuck](if_you_are_stuck.md).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 30, "standard": 45, "full": 80})

# %% [markdown]
# `budget` changes only the size of the photograph.
# The [seed](glossary.md#seed) is only used to generate noise; nothing else in this chapter is random.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, press the button and choose a file.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# The file stays on the computer where this notebook runs.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo
from dil_teach.notebook import show, uploaded_image

side = {"quick": 144, "standard": 192, "full": 256}[budget]
ours = photo("coffee", size=side)
photograph = uploaded_image(button.value, default=ours, max_side=side).to(device())
own = photograph.cpu() is not ours and not torch.equal(photograph.cpu(), ours)
height, width = photograph.shape[1:]
subject = "your photograph" if own else "a cup of coffee with its saucer and a spoon"
show(photograph, alt=f"{subject}, {width} x {height} pixels", zoom=2)

# %% [markdown]
# Our photograph shows a cup on a wooden table (by Rachel Michetti, licence CC0); chapter [09](09_zssr.ipynb) learns from the same cup.
#
# ## Predict first
#
# In this chapter, a patch has 5 by 5 pixels, which are 75 values in colour.
# Write down your answers before you go on:
#
# 1.
#    Take a patch on the rim of the cup.
#    Where in the photograph are the nearest matches of this patch?
#    And where are its nearest matches in the photograph at *half* the size?
# 2.
#    What percentage of all patches have at least nine good matches in the same photograph?
#    What percentage of all patches have at least nine good matches in the photograph at 0.41 of its size?
# 3.
#    Which patches have no good match?
#
# ## The smallest demo: click a patch
#
# A match at a smaller [scale](glossary.md#across-scale) is a patch of the downscaled photograph.
# The *parent* of such a match is the same region of the original photograph; the parent has more pixels and shows more detail.
# The next cell finds the nearest matches of one patch:

# %%
from functools import cache

from dil_teach import resize


@cache
def at_scale(scale):
    return photograph if scale == 1 else resize(photograph, scale).clamp(0, 1)


def corner(row, column, patch_size):
    """Row and column of the top left pixel of the patch around a pixel."""
    top = min(max(row - patch_size // 2, 0), height - patch_size)
    return top, min(max(column - patch_size // 2, 0), width - patch_size)


# %% tags=["algorithm"]
from dil_teach.patches.search import nearest_patches


@cache
def matches_of(row, column, patch_size, k, scale):
    """Distance, row and column of each of the k nearest patches without overlaps."""
    top, left = corner(row, column, patch_size)
    asked = torch.zeros(height, width, dtype=torch.bool, device=photograph.device)
    asked[top : top + patch_size, left : left + patch_size] = True
    found = nearest_patches(
        photograph,
        at_scale(scale),
        patch_size,
        k=100,
        exact=True,
        remove_mean=True,
        exclude_self=True,
        query_mask=asked,
    )
    distances, _, rows, columns = (field[top, left].tolist() for field in found)
    chosen = [(0, top * scale, left * scale)]  # no match may overlap the patch
    for match in zip(distances, rows, columns, strict=True):
        apart = [max(abs(match[1] - y), abs(match[2] - x)) for _, y, x in chosen]
        if min(apart) >= patch_size and len(chosen) <= k:
            chosen.append(match)
    return chosen[1:]


# %% [markdown]
# The search compares the given patch with *every* patch of the photograph at the chosen scale (`exact=True`).
# We keep only matches that overlap neither the patch nor one another.
# If overlaps were allowed, the nearest matches of a patch on a straight outline would all be shifted copies of the patch itself.
# The pictures below show each match above its parent:

# %%
import torch.nn.functional as F

from dil_teach.patches.recurrence import good_distance


def cut(image, top, left, size):
    top, left, size = round(top), round(left), round(size)
    return image[:, top : top + size, left : left + size]


def above(match, parent):
    """One image that shows the match above its parent, on a white background."""
    room = max(parent.shape[2] - match.shape[2], 0)
    match = F.pad(match, (0, room, 0, 1), value=1)
    return torch.cat([match, parent], dim=1)


# %% tags=["algorithm"]
from dil_teach.notebook import Mark


def patch_and_matches(row, column, patch_size, k, scale, threshold):
    top, left = corner(row, column, patch_size)
    patch = cut(photograph, top, left, patch_size)
    larger = resize(patch, size=(round(patch_size / scale),) * 2).clamp(0, 1)
    limit = threshold * good_distance(photograph, patch_size)[top, left].item()
    tiles = {"patch": above(patch, larger)}
    for number, (d, y, x) in enumerate(
        matches_of(row, column, patch_size, k, scale), start=1
    ):
        word = "good" if d <= limit else "too far"
        match = cut(at_scale(scale), y, x, patch_size)
        parent = cut(photograph, y / scale, x / scale, patch_size / scale)
        tiles[f"{number}: {word}, {d / limit:.2g}"] = above(match, parent)
    return tiles


def marks(row, column, patch_size, k, scale, threshold):
    where = corner(row, column, patch_size)
    found = matches_of(row, column, patch_size, k, scale)
    size = patch_size / scale
    parents = [(y / scale, x / scale, size, size) for _, y, x in found]
    patch = Mark(*where, patch_size, patch_size, "patch")
    return [patch] + [Mark(*p, str(n), style=1) for n, p in enumerate(parents, start=1)]


# %% [markdown]
# Click anywhere in the picture, or move *Row* and *Column* with the arrow keys.
# At a smaller scale of the search, the parents are larger.

# %%
from dil_teach.notebook import Clickable, Slider, explore

controls = {
    "row": Slider("Row", 0, height - 1, round(0.868 * height), 1),
    "column": Slider("Column", 0, width - 1, round(0.2 * width), 1),
    "patch_size": Slider("Patch size (pixels)", 3, 9, 5, 2),
    "k": Slider("Matches k", 1, 6, 5, 1),
    "scale": Slider("Scale of the search", 0.41, 1.0, 0.64, 0.01),
    "threshold": Slider("Threshold (factor)", 0.25, 4.0, 1.0, 0.25),
}

# %%
first = {name: control.default for name, control in controls.items()}
clicked = explore(
    patch_and_matches,
    controls,
    "The patch at row {row}, column {column}, {patch_size} pixels wide, and its {k} "
    "nearest matches at scale {scale}, each above its larger parent",
    examples=[first, first | {"row": height // 8, "column": width // 8}],
    click=Clickable(photograph, marks=marks, alt=subject),
)

# %% [markdown]
# The left column shows the patch above its bicubic enlargement; the other columns show each match above its parent.
# The number printed with each match is its distance divided by the patch's *half-pixel threshold*, which the next section explains.
# If the number printed with a match is at most 1, the match is good.
# A patch of the saucer's edge matches the rim of the cup, the spoon and the ring in the coffee.
# These objects have different colours, but they contain the same small pattern.
# The patch of the wooden table, in the second row of pictures, has no match that is near enough.
# The parents show the edge with more detail than the patch, but bicubic interpolation only makes the edge larger and smooth.
# The first method that took its examples for super-resolution from a single image pastes such parents into the result [@glasner2009].
# ZSSR trains a network on all parents in the image (chapter [09](09_zssr.ipynb)).
#
# ## What 'similar' means
#
# **The mean is subtracted.**
# An edge in sunlight and the same edge in shadow should be the same pattern.
# Therefore we first subtract from each patch the mean of each channel.
# The distance between two patches is then the sum of squared differences (SSD).
#
# ## Exercise: mean-removed SSD
#
# Write `mean_removed_ssd(a, b)`.
# `a` and `b` are two patches of the same shape, `Float[Tensor, "c h w"]`, with values in [0, 1]; the result is one number.
# First subtract from each patch the mean of each channel over its pixels, then sum the squared difference over all values.
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def mean_removed_ssd(a, b):
    ### BEGIN SOLUTION
    difference = a - b
    return (difference - difference.mean(dim=(1, 2), keepdim=True)).square().sum()
    ### END SOLUTION


# %%
from dil_teach.course import check

check.mean_removed_ssd(mean_removed_ssd)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Two patches that differ only by a constant in each channel must have distance 0.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The mean of a difference is the difference of the means: it is enough to subtract the mean once, from the difference.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `x.mean(dim=(1, 2), keepdim=True)` has shape (c, 1, 1), so you can subtract it from `x` directly.
#
# </details>

# %% [markdown]
# **Each patch has its own threshold.**
# One threshold for all patches does not work: any two pieces of a wall are closer to each other than two sharp edges that look the same.
# A search over whole pixels cannot avoid a misalignment of up to half a pixel.
# Therefore the paper measures the distance between the patch and the same patch shifted by *half a pixel*.
# This distance is the [half-pixel threshold](glossary.md#half-pixel-threshold) of the patch: a match is good if its distance is at most the threshold.
# The next cell prints the thresholds of three patches: those with the lowest, the median and the highest contrast.

# %%
from dil_teach.patches.recurrence import contrast, match_distances

contrasts = contrast(photograph).flatten()
good = good_distance(photograph).flatten()
found = match_distances(photograph).flatten(0, 1)
order = contrasts.argsort()
for name, place in (("lowest", 0), ("median", len(order) // 2), ("highest", -1)):
    i = order[place]
    nearest = f"distance of the nearest match {found[i, 0]:.4f}"
    print(f"{name:7} contrast {contrasts[i]:8.4f}, threshold {good[i]:.4f}, {nearest}")

# %% [markdown]
# The three thresholds differ by a factor of more than a hundred.
# The library's function `good_distance` computes the threshold of each patch:

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach.notebook import show_source

show_source(good_distance)

# %% [markdown]
# `good_distance` also limits the threshold by a maximum and a minimum, which the paper does not have.
# To see why these limits are needed, we count the patches with at least one good match.
# We count these patches in the photograph, and in **white noise**, where nothing recurs:

# %% tags=["algorithm"]
from dil_teach.patches.recurrence import moved_by_half

rng = torch.Generator().manual_seed(seed)
noise = torch.rand(1, height, width, generator=rng).to(device())


def shares(image):
    moved = torch.stack([contrast(m - image) for m in moved_by_half(image)])
    nearest = match_distances(image)[..., 0]
    good = good_distance(image)
    limits = {
        "the library's threshold": good,
        "without maximum and minimum": moved.amax(0),
        "mean over four shift directions": torch.minimum(moved.mean(0), good),
        "half the library's threshold": good / 2,
        "one threshold for all patches": good.median().expand_as(good),
    }
    return {name: (nearest <= limit).float().mean() for name, limit in limits.items()}


print(f"{'at least one good match':32} photograph   grey noise")
for (name, here), there in zip(
    shares(photograph).items(), shares(noise).values(), strict=True
):
    print(f"{name:32} {here:9.1%} {there:12.1%}")

# %% [markdown]
# If the threshold has no maximum and no minimum, more than half of the patches of *noise* have a 'good' match.
# A shift by half a pixel changes noise so much that the nearest unrelated patch is often as close as the shifted patch.
# Therefore the maximum of the threshold is a quarter of the contrast of the patch.
# The minimum of the threshold is two grey levels.
# Patches of a smooth wall or sky differ only by the camera's noise; with the minimum, such patches are similar.
# The other lines of the table show how much the percentage depends on the definition of a good match.
# **A percentage of recurrence means nothing without the definition of a good match.**
# (`benchmarks/results/recurrence_choices.json` contains the percentages for more definitions and more photographs.)
#
# ## Within scale: where do patches recur?
# Now we count the good matches of every patch, up to 16; the patch itself is not a match.
# Comparing all pairs of patches is slow.
# A [KD-tree](glossary.md#kd-tree) on the principal components of the patches finds nearly the same matches in much less time; the distances that it finds are up to 3% too large.


# %%
@cache
def distances(patch_size, scale):
    return match_distances(photograph, patch_size, scale)


def count(patch_size, scale, threshold):
    limit = threshold * good_distance(photograph, patch_size)
    return (distances(patch_size, scale) <= limit[..., None]).sum(dim=2)


def map_of_matches(patch_size, scale, threshold):
    counts = count(patch_size, scale, threshold)
    return {
        "photograph": photograph,
        "good matches: black 0, white 16 or more": counts[None] / 16,
    }


# %%
map_controls = {name: controls[name] for name in ("patch_size", "threshold")}
map_controls["scale"] = Slider("Scale of the search", 0.4, 1.0, 1.0, 0.1)
at_first = {"patch_size": 5, "scale": 1.0, "threshold": 1.0}
mapped = explore(
    map_of_matches,
    map_controls,
    "The photograph and its map of recurrence at patch size {patch_size}, scale "
    "{scale}, threshold {threshold}: white where a patch has 16 good matches, black "
    "where it has none",
    examples=[at_first, at_first | {"scale": 0.5}],
)

# %% [markdown]
# Two kinds of places are white in the map: smooth parts (the inside of the cup, the saucer), and long clean outlines, which recur along their own length.
# The spoon, the handle with its reflections and the grain of the table are black in the map, because their detail occurs only once.
# With larger patches, less of the map is white, because larger patches recur less often.
# For this reason, the methods of this course use *small* patches.
#
# ## Across scales, and parents
#
# The second example above has scale 0.5: we search for the *same* patches in the photograph at half its size.
# We downscale only the image that is searched, not the patches.
# At scale 0.5, less of the map is white than at scale 1, but many outlines are still white.
# An edge looks the same at any scale, and objects in a photograph are at many distances from the camera.
#
# Each match at scale 0.5 has a parent that is twice as large as the match.
# Therefore, for a large part of the photograph, the photograph itself contains examples with more detail.
# **Super-resolution methods that learn from one image use such larger examples.**
#
# ## Smooth and detailed patches
#
# Smooth patches recur everywhere, but a method can learn little from them.
# Therefore we separate the *detailed quarter* (the quarter of the patches with the most contrast) from the other patches.

# %%
from dil_teach.notebook import curves
from dil_teach.patches.recurrence import SCALES, detailed

PAPER = ([1.0, 0.41, 0.26], [90, 80, 70])  # the paper's lower bounds, in percent


def curve(patch_size, least, threshold):
    lines = {}
    quarter = detailed(photograph, patch_size)
    for name, among in {"smooth": ~quarter, "detailed quarter": quarter}.items():
        counts = [count(patch_size, s, threshold)[among] for s in SCALES]
        percent = [100 * (c >= least).float().mean().item() for c in counts]
        lines[name] = (list(SCALES), percent)
    lines["the paper, 9 or more matches"] = PAPER
    return curves(lines, "scale of the search", "patches that recur (%)")


# %%
curve_controls = {
    "patch_size": controls["patch_size"],
    "least": Slider("Minimum number of good matches", 1, 16, 9, 1),
    "threshold": controls["threshold"],
}
as_paper = {"patch_size": 5, "least": 9, "threshold": 1.0}
drawn = explore(
    curve,
    curve_controls,
    "Percentage of patches of {patch_size} pixels with at least {least} good matches, "
    "against scale: curves for smooth and for detailed patches, and the paper's three "
    "points. All curves fall towards small scales; ours are below the paper's points.",
    examples=[as_paper, as_paper | {"least": 1}],
)

# %% [markdown]
# Both curves fall towards small scales, because a smaller image has fewer patches.
# The smooth patches recur at all scales.
# At scale 1, many detailed patches have *one* good match, and fewer have nine; at scale 0.41, almost no detailed patch has nine.
# If you move the sliders *Minimum number of good matches* and *Threshold*, the order of the curves stays the same, but their heights change.
#
# ## Exercise: percentage against scale
#
# Write `percentage_against_scale(image, scales, patch_size=5, least=9)`.
# `image` is `Float[Tensor, "c h w"]` with values in [0, 1]; `scales` is a list of floats.
# The result is a list of floats, one for each scale: the percentage of the image's patches that have at least `least` good matches at that scale.
# The library's `recurrence_map(image, patch_size, scale)` returns, for each patch, the number of its good matches, an integer.
# Expected run time: under a second for each scale.

# %% tags=["exercise"]
from dil_teach.patches.recurrence import recurrence_map


def percentage_against_scale(image, scales, patch_size=5, least=9):
    ### BEGIN SOLUTION
    percentages = []
    for scale in scales:
        counts = recurrence_map(image, patch_size, scale)
        percentages.append(100 * (counts >= least).float().mean().item())
    return percentages
    ### END SOLUTION


# %%
check.percentage_against_scale(percentage_against_scale)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# At every scale, the map has one count for each patch of `image`, because only the image that is searched is downscaled.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Compare the map with `least`: what is the mean of the resulting boolean values?
#
# </details>
# <details><summary>Hint 3</summary>
#
# 'At least' includes patches with exactly `least` good matches, and a percentage is a hundred times a fraction.
# `.item()` converts a tensor with one value to a float.
#
# </details>

# %% [markdown]
# ## Comparison with the paper
#
# The paper measured recurrence in 300 grey photographs of the Berkeley set, which have 481 x 321 pixels.
# The paper reports lower bounds for the percentage of 5 x 5 patches that have nine or more similar patches.
# (We could not check the paper's text when we wrote this chapter: look up the percentages before you cite them.)
# The next cell prints the percentages of our photograph, in colour and in grey:

# %%
from dil_teach.image.metrics import luma

grey = luma(photograph).float()
quarter = detailed(grey)
counts = {
    "colour": torch.stack([count(5, scale, 1) for scale in SCALES]),
    "grey": torch.stack([recurrence_map(grey, 5, scale) for scale in SCALES]),
}
recur = {name: 100 * (c >= 9).double() for name, c in counts.items()}
rows = {
    "colour, all patches": recur["colour"].mean(dim=(1, 2)).tolist(),
    "grey, all patches": recur["grey"].mean(dim=(1, 2)).tolist(),
    "grey, detailed quarter": recur["grey"][:, quarter].mean(dim=1).tolist(),
}

# %%
print(f"{'9 or more matches, %, at scale':30}" + "".join(f"{s:8}" for s in SCALES))
for name, percent in rows.items():
    print(f"{name:30}" + "".join(f"{p:8.1f}" for p in percent))
print(f"{'the paper, all patches':30}{'> 90':>8}{'> 80':>32}")
print(f"{'the paper, detailed quarter':30}{'> 80':>8}{'> 70':>32}")

# %% [markdown]
# Our percentages are clearly lower than the paper's.
# The difference has several possible reasons, and you can test each of them:
#
# - **Size.**
#   At this size, our photograph has only a seventh as many patches as the paper's photographs, so nine matches are harder to find.
# - **Colour.**
#   In colour, two patches must agree in 75 values; in grey, they must agree in only 25 values.
# - **The maximum of the threshold.**
#   The paper has no maximum; without the maximum, even patches of pure noise would recur.
# - **Weights.**
#   The paper weights the patch's pixels by a Gaussian, so similar patches may differ at their corners.
#   The paper does not state the width of the Gaussian.
# - **The shift by half a pixel.**
#   The paper does not state the direction of the shift or the interpolation.
#
# Therefore we confirm only the qualitative claim: patches recur within and across scales, and they recur less at each smaller scale (with one exception).
# The table shows the percentages of eight of our photographs, whose longer side has 256 pixels, and the mean of the data set Set5.
# (`benchmarks/results/recurrence_paper.json` contains the percentages of all images, also in colour.)
# Smooth patches usually recur more than detailed patches.
# The exceptions are images whose detail itself repeats: our rendered facade, gravel, grass, and Set5's butterfly.
# At small scales, most of the patches that recur show smooth sky or walls.
# Their differences are below the minimum of our threshold, which is two grey levels. <!-- recurrence table -->
#
# | grey, 5 x 5, 9 or more, % | 1 | 0.8 | 0.64 | 0.51 | 0.41 |
# |---|---|---|---|---|---|
# | astronaut | 66 | 60 | 54 | 47 | 41 |
# | chelsea | 33 | 27 | 20 | 14 | 8 |
# | coffee | 67 | 62 | 58 | 54 | 50 |
# | china | 53 | 48 | 46 | 44 | 43 |
# | flower | 76 | 72 | 68 | 66 | 64 |
# | hubble | 78 | 77 | 71 | 64 | 55 |
# | retina | 90 | 88 | 83 | 77 | 72 |
# | clock | 99 | 99 | 98 | 96 | 93 |
# | **mean of the eight** | 70 | 67 | 62 | 58 | 53 |
# | mean of the eight, detailed quarter | 56 | 49 | 41 | 33 | 25 |
# | **mean of Set5** | 57 | 54 | 48 | 43 | 38 |
# | mean of Set5, detailed quarter | 45 | 41 | 34 | 27 | 19 |
# | the paper, all patches | > 90 |  |  |  | > 80 |
# | the paper, detailed quarter | > 80 |  |  |  | > 70 |
#
# <!-- end of recurrence table -->
#
# ## When it fails
#
# We measure the recurrence of white noise and of a photograph of grass.
# Predict the recurrence maps of both images before you run the next cell.
# How does weak noise, with a standard deviation of 10 grey levels, change the map of the cup?

# %%
grass = photo("grass", size=side).to(device())
rng = torch.Generator().manual_seed(seed)
grain = torch.randn(photograph.shape, generator=rng).to(device()) * 10 / 255
noisy = (photograph + grain).clamp(0, 1)
fails = {"white noise": noise, "grass": grass, "the cup with noise": noisy}

# %%
counted = {name: recurrence_map(image)[None] / 16 for name, image in fails.items()}
show(
    {
        name: above(counted[name].expand(3, -1, -1), image.expand(3, -1, -1))
        for name, image in fails.items()
    },
    alt="Three recurrence maps, each above its picture: white noise, grass, and the "
    "photograph with weak noise. The first two maps are black; in the third map, only "
    "some strong outlines are white.",
)

# %% [markdown]
# White noise has no good matches at all.
# Grass has thousands of blades that look alike to us, but almost no patch of grass recurs: **two patches can look alike to us, although the sum of their squared differences is large.**
# With weak noise, smooth patches no longer recur, because each smooth patch now contains only its own noise.
# In the noisy photograph, the strong outlines still recur.
# Therefore methods that need recurrence start with clean images, or first estimate the noise (chapters 03 and 09).
#
# ## One number: the recurrence score
#
# Later chapters use one number to compare the results of methods.
# The [recurrence score](glossary.md#recurrence-score) is the fraction of patches with at least one good match, averaged over the five scales of this chapter.

# %%
from dil_teach.patches.recurrence import recurrence_score

blurred = resize(resize(photograph, 0.5), size=(height, width)).clamp(0, 1)
tiled = photograph[:, :24, :24].repeat(1, height // 24, width // 24)
scored = {"photograph": photograph, "downscaled and upscaled": blurred}
scored |= fails | {"one corner, tiled": tiled}
score = {name: recurrence_score(image) for name, image in scored.items()}
for name, value in score.items():
    print(f"{name:24} {value:.2f}")

# %% [markdown]
# A higher score does not mean a better image.
# Blur removes detail, but it hardly changes the score, because the remaining patterns recur at least as often as before.
# The image that repeats one corner of the photograph has a high score, but it is not a photograph.
# The result of a method should have the *same recurrence score as its ground truth*.

# %%
# NBVAL_CHECK_OUTPUT
all_patches, at_grey, detail = rows.values()
claims = {
    "white noise: at most 1% of the patches recur": score["white noise"] <= 0.01,
    "photograph: over a third of patches recur on average": score["photograph"] > 0.33,
    "grass has under half of the photograph's score": (
        score["grass"] < score["photograph"] / 2
    ),
    "noise lowers the photograph's score by over a third": (
        score["the cup with noise"] < 0.67 * score["photograph"]
    ),
    "detailed patches recur less than all patches": detail[0] < at_grey[0],
    "fewer patches recur at scale 0.41 than at scale 1": at_grey[-1] < at_grey[0],
}
check_claims(claims, own)  # the claims may not hold for your own photograph

# %% [markdown]
# ## On your own
#
# - Upload photographs of printed text, of a brick wall, of a crowd, and one photograph that is out of focus.
#   First predict the order of their recurrence scores.
#   (Each photograph takes half a minute.)
# - On the command line, `dil-teach recurrence PHOTO.jpg map.png --scale 0.5` writes the map to `map.png` and its values to `map.json`.
#
# ## Summary
#
# - Small patches of a photograph recur in the same photograph, within and across scales.
#   Smooth patches recur everywhere; outlines recur along their length and at other scales.
# - 'Similar' needs a definition.
#   Our definition subtracts the means and allows the difference that a shift by half a pixel makes, up to a maximum set by the patch's contrast.
#   Another definition gives other percentages of recurrence.
# - A match at a smaller scale has a parent, which shows the patch at a higher resolution.
#   Parents are internal examples for super-resolution.
# - Texture, noise and unique detail do not recur.
#   An internal method has nothing to learn from in these parts of an image.
#
# ## References
