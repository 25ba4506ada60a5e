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
# - enlarge a photograph by hand: find the matches of a [patch](glossary.md#patch), and paste the larger [parents](glossary.md#parent) of these matches;
# - define when two patches are 'similar', and say how each choice in the definition changes the number of matches;
# - draw the curve of [recurrence](glossary.md#recurrence) against scale, for smooth and for detailed patches;
# - say how much of a super-resolved image is due to the parents, and how much to [back-projection](glossary.md#back-projection);
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
start(budget, seconds={"quick": 30, "standard": 50, "full": 90})

# %% [markdown]
# `budget` changes only the size of the photograph.
# The [seed](glossary.md#seed) is only used to generate noise; nothing else in this chapter is random.
#
# ## What recurrence can do
#
# First, results that were computed beforehand: a photograph of 200 x 200 pixels, enlarged to 400 x 400.
# No network was used, and no other image: the new details were copied from the small photograph itself.
# The first figure shows how, for three patches; the other pictures show a part of the result, with each pixel drawn twice as large.
# `data/draw_openings.py` made these pictures.

# %%
from dil_teach.course.openings import beside_opening, show_opening

opening = show_opening(
    "recurrence",
    {
        "patches, matches and parents": "Three patches on the rim of a cup; arrows go "
        "to their matches in the half-size photograph, and back to larger parents",
        "bicubic interpolation": "The rim and a spoon, enlarged and blurred",
        "bicubic, back-projected": "The rim, sharper, with small steps",
        "parents pasted": "The rim, sharp, and errors in the grain of the wood",
        "parents pasted, back-projected": "The rim, sharp and smooth",
        "ground truth": "The rim and the spoon in their true sharpness",
    },
)

# %% [markdown]
# An arrow goes from each patch to its *match*, the most similar patch of the photograph at half its size.
# The photograph itself shows this match at twice the size: the *parent*.
# In the enlarged tiles, patch and match look alike, and the parent has the same edge with four times as many pixels.
# These three patches were chosen by hand, because their matches are good.
#
# In this chapter you make such pictures by hand, and you find out which part of the method makes the gain.
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
from dil_teach import photo, resize
from dil_teach.notebook import show, uploaded_image

side = {"quick": 144, "standard": 192, "full": 200}[budget]
ours = photo("coffee", size=2 * side)
truth = uploaded_image(button.value, default=ours, max_side=2 * side).to(device())
own = truth.cpu() is not ours and not torch.equal(truth.cpu(), ours)
truth = truth[:, : truth.shape[1] // 4 * 4, : truth.shape[2] // 4 * 4]
photograph = (resize(truth, 0.5).clamp(0, 1) * 255).round() / 255
height, width = photograph.shape[1:]
subject = "your photograph" if own else "a cup of coffee with its saucer and a spoon"
show(
    {"the photograph": photograph, "at twice its size": truth},
    alt=f"{subject}, {width} x {height} pixels; and the same at twice its size",
    zoom=2,
)

# %% [markdown]
# Our photograph shows a cup on a wooden table (by Rachel Michetti, licence CC0); chapter [09](09_zssr.ipynb) learns from the same cup.
# The larger picture is the ground truth: it is used only to judge results.
#
# ## Super-resolution by hand
#
# We want the larger picture, and have only the photograph.
# Take a patch of the photograph, and search for it in the photograph at *half* its size.
# The match that we find is small, but we know how it looks at twice its size, because it comes from the photograph: this larger piece is the match's *parent*.
# Paste the parent into the large picture, with the mean of the patch.
# The slider sets how many patches get a parent, beginning with the patches of the strongest contrast.

# %%
from dil_teach.classical.super_resolution.by_hand import (
    find_sons,
    most_contrast,
    paste_parents,
)
from dil_teach.patches.recurrence import contrast

sons = find_sons(photograph)  # the nearest patches at half the size
places = sons.row[..., 0], sons.column[..., 0]
smooth = resize(photograph, 2).clamp(0, 1)
contrasts = contrast(photograph)


def by_hand(percent):
    chosen = most_contrast(contrasts, percent / 100)
    return paste_parents(photograph, smooth, *places, chosen).clamp(0, 1)


# %%
from dil_teach.classical.back_projection import back_project
from dil_teach.notebook import Slider, Toggle, explore, strip

top, left = (0, 0) if own else (round(0.31 * 2 * height), round(0.17 * 2 * width))
part = (top, left, min(84, 2 * height), min(84, 2 * width))


def render_by_hand(percent, corrected):
    pictures = {"bicubic": smooth, f"{percent}% pasted": by_hand(percent)}
    if corrected:
        pictures = {
            f"{name}, back-projected": back_project(image, photograph, "bicubic", 2)
            for name, image in pictures.items()
        }
    pictures = {name: image.clamp(0, 1) for name, image in pictures.items()}
    return strip(pictures, crop=part, truth=truth, zoom=4)


# %%
sharpened = explore(
    render_by_hand,
    {
        "percent": Slider("Patches that get a parent (%)", 0, 100, 100, 5),
        "corrected": Toggle("Back-project both pictures", False),
    },
    "A part of the enlarged photograph by bicubic interpolation; with the parents of "
    "{percent}% of the patches pasted; and the ground truth",
    examples=[
        {"percent": 30, "corrected": False},
        {"percent": 100, "corrected": False},
        {"percent": 100, "corrected": True},
    ],
)

# %% [markdown]
# The pasted rim is sharper than the bicubic rim, although nobody told the method what a rim is.
# But its PSNR (of the whole picture) is *lower* than that of bicubic interpolation: the pasted edges are a fraction of a pixel away from their true places, and small errors of sharp edges cost more than blur.
# [Back-projection](glossary.md#back-projection) corrects this: it changes the result until its copy at half the size equals the photograph.
# After back-projection, the pasted picture is better than the bicubic one: its rim is smooth, where the bicubic rim has small steps.
# You write the pasting yourself below, and then we ask who did the work.
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
#    What percentage of all patches have at least nine good matches in the photograph at half its size?
# 3.
#    Which patches have no good match?
#
# ## Click a patch
#
# A match at a smaller [scale](glossary.md#across-scale) is a patch of the downscaled photograph.
# Its *parent* is the same region of the original photograph; the parent has more pixels and shows more detail.
# The next cell finds the nearest matches of one patch:

# %%
from functools import cache


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
def matches_of(row, column, patch_size, k, scale, apart):
    """Distance, row and column of each of the k nearest matches of a patch."""
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
    chosen = [(0, top * scale, left * scale)]
    for match in zip(distances, rows, columns, strict=True):
        near = [max(abs(match[1] - y), abs(match[2] - x)) for _, y, x in chosen]
        if len(chosen) <= k and (not apart or min(near) >= patch_size):
            chosen.append(match)
    return chosen[1:]


# %% [markdown]
# The search compares the given patch with *every* patch of the photograph at the chosen scale (`exact=True`).
# The patch itself is not a match (`exclude_self=True`).
# Matches may overlap the patch and one another; this is the rule of the whole chapter.
# With *Only separate matches*, you see the stricter rule, in which they may not.
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


def patch_and_matches(row, column, patch_size, k, scale, threshold, apart):
    top, left = corner(row, column, patch_size)
    patch = cut(photograph, top, left, patch_size)
    larger = resize(patch, size=(round(patch_size / scale),) * 2).clamp(0, 1)
    limit = threshold * good_distance(photograph, patch_size)[top, left].item()
    tiles = {"patch": above(patch, larger)}
    for number, (d, y, x) in enumerate(
        matches_of(row, column, patch_size, k, scale, apart), start=1
    ):
        word = "good" if d <= limit else "too far"
        match = cut(at_scale(scale), y, x, patch_size)
        parent = cut(photograph, y / scale, x / scale, patch_size / scale)
        tiles[f"{number}: {word}, {d / limit:.2g}"] = above(match, parent)
    return tiles


def marks(row, column, patch_size, k, scale, threshold, apart):
    where = corner(row, column, patch_size)
    found = matches_of(row, column, patch_size, k, scale, apart)
    size = patch_size / scale
    parents = [(y / scale, x / scale, size, size) for _, y, x in found]
    patch = Mark(*where, patch_size, patch_size, "patch")
    return [patch] + [Mark(*p, str(n), style=1) for n, p in enumerate(parents, start=1)]


# %% [markdown]
# Click anywhere in the picture, or move *Row* and *Column* with the arrow keys.
# At a smaller scale of the search, the parents are larger.

# %%
from dil_teach.notebook import Clickable

controls = {
    "row": Slider("Row", 0, height - 1, round(0.23 * height), 1),
    "column": Slider("Column", 0, width - 1, round(0.19 * width), 1),
    "patch_size": Slider("Patch size (pixels)", 3, 9, 5, 2),
    "k": Slider("Matches k", 1, 6, 3, 1),
    "scale": Slider("Scale of the search", 0.41, 1.0, 0.8, 0.01),
    "threshold": Slider("Threshold (factor)", 0.25, 4.0, 1.0, 0.25),
    "apart": Toggle("Only separate matches", False),
}

# %%
first = {name: control.default for name, control in controls.items()}
clicked = explore(
    patch_and_matches,
    controls,
    "The patch at row {row}, column {column}, {patch_size} pixels wide, and its {k} "
    "nearest matches at scale {scale}, each above its larger parent",
    examples=[
        first | {"scale": 1.0},
        first | {"scale": 0.5},
        first | {"row": height // 8, "column": width // 8},
    ],
    click=Clickable(photograph, marks=marks, alt=subject),
)

# %% [markdown]
# The left column shows the patch above its bicubic enlargement; the other columns show each match above its parent.
# The number printed with each match is its distance divided by the patch's *half-pixel threshold*, which the next section explains: at most 1 is a good match.
# This patch lies on the rim of the cup (question 1).
# Its nearest matches lie on the rim, too, a few pixels away: in the photograph itself, and also at half the size.
# An outline recurs along itself, and a nearly straight piece looks the same at any scale.
# (Choose *Only separate matches*: where are the nearest matches now, and how far are they?)
# The patch of the wooden table, in the last row of pictures, has no match that is near enough.
# Glasner, Bagon and Irani use such parents as examples for super-resolution [@glasner2009]; the older fractal zoom of chapter [06](06_fractals_and_classical_sr.ipynb) also takes its detail from the image itself.
# ZSSR trains a network on all parents in the image (chapter [09](09_zssr.ipynb)).
#
# ## What 'similar' means
#
# **The mean is subtracted.**
# Two edges with the same step should be the same pattern, also if one of them is brighter.
# Therefore we first subtract from each patch the mean of each channel.
# This corrects an *added* constant.
# Shade *multiplies* the values, so an edge in the shade also has a smaller step, and its distance from the same edge in the sun is above 0.
# (Dividing by the contrast would correct this, too, but then the noise of a smooth wall would match everything.)
# The distance between two patches is then the sum of squared differences (SSD).
#
# ## Exercise: the nearest match
#
# Write `nearest_match(patch, image)`.
# `patch` is `Float[Tensor, "c p p"]` and `image` is `Float[Tensor, "c h w"]`, both with values in [0, 1].
# Compare the patch with all patches of the image: subtract from both the mean of each channel, and sum the squared differences over all values.
# The result is three numbers: the smallest distance, and the row and the column of the top left pixel of the patch that has it.
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def nearest_match(patch, image):
    ### BEGIN SOLUTION
    side = patch.shape[-1]
    windows = image.unfold(1, side, 1).unfold(2, side, 1)  # c rows columns p p
    difference = windows - patch[:, None, None]
    difference = difference - difference.mean(dim=(3, 4), keepdim=True)
    distances = difference.square().sum(dim=(0, 3, 4))
    row, column = divmod(int(distances.argmin()), distances.shape[1])
    return distances[row, column], row, column
    ### END SOLUTION


# %%
from dil_teach.course import check

check.nearest_match(nearest_match)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# `image.unfold(1, p, 1).unfold(2, p, 1)` has the shape (c, rows, columns, p, p): one window for each position.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The mean of a difference is the difference of the means: it is enough to subtract the mean once, from the difference.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The index of `argmin` counts through the table row by row: `divmod` with the number of columns gives row and column.
#
# </details>

# %% [markdown]
# The next figure uses your function if it passed the check, and the library's otherwise: it finds the nearest match of a patch on the rim of the cup at half the size, and pastes only the parent of this patch.

# %%
solved = check.nearest_match(nearest_match).state == "passed"
search = nearest_match if solved else check.nearest_match.reference
y, x = corner(controls["row"].default, controls["column"].default, 5)
patch = cut(photograph, y, x, 5)
distance, row, column = search(patch, at_scale(0.5))
parent = cut(photograph, 2 * row, 2 * column, 10)

# %%
pasted = smooth.clone()
pasted[:, 2 * y : 2 * y + 10, 2 * x : 2 * x + 10] = (
    parent - parent.mean((1, 2), keepdim=True) + patch.mean((1, 2), keepdim=True)
).clamp(0, 1)
show(
    {"bicubic": smooth, "one parent pasted": pasted, "ground truth": truth},
    alt="A small part of the rim: blurred; with one sharp square in the middle; sharp",
    crop=(max(2 * y - 10, 0), max(2 * x - 10, 0), 30, 30),
    zoom=9,
)

# %% [markdown]
# The edge in the pasted square is sharp, but it is not quite where the true edge is, and the square has a tint.
# In the complete picture, each pixel is the mean of up to 25 such squares.
#
# **Each patch has its own threshold.**
# One threshold for all patches does not work: any two pieces of a wall are closer to each other than two sharp edges that look the same.
# A search over whole pixels cannot avoid a misalignment of up to half a pixel.
# Therefore Glasner et al. measure the distance between the patch and the same patch shifted by *half a pixel*.
# This distance is the [half-pixel threshold](glossary.md#half-pixel-threshold) of the patch: a match is good if its distance is at most the threshold.
# Smooth patches get small thresholds, and detailed patches large ones.
# The library's function `good_distance` computes the threshold of each patch:

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach.notebook import show_source

show_source(good_distance)

# %% [markdown]
# `good_distance` also limits the threshold by a maximum and a minimum, which are our additions.
# To see why these limits are needed, we count the patches with at least one good match.
# We count these patches in the photograph, and in **white noise**, where nothing recurs:

# %% tags=["algorithm"]
from dil_teach.patches.recurrence import match_distances, moved_by_half

rng = torch.Generator().manual_seed(seed)
noise = torch.rand(1, height, width, generator=rng).to(device())


def shares(image):
    moved = torch.stack([contrast(m - image) for m in moved_by_half(image)])
    nearest = match_distances(image)[..., 0]
    good = good_distance(image)
    limits = {
        "the library's threshold": good,
        "without maximum and minimum": moved.amax(0),
        "mean over four shift directions": torch.minimum(
            moved.mean(0), contrast(image) / 4
        ).clamp_min((2 / 255) ** 2 * 25 * len(image)),
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
    none, nine = (float(100 * m.float().mean()) for m in (counts == 0, counts >= 9))
    title = f"{none:.0f}% have none, {nine:.0f}% have nine"
    return beside_maps(
        {"photograph": photograph}, {title: counts}, (0, 16), "good matches"
    )


# %%
from dil_teach.notebook import beside_maps

map_controls = {name: controls[name] for name in ("patch_size", "threshold")}
map_controls["scale"] = Slider("Scale of the search", 0.4, 1.0, 1.0, 0.1)
at_first = {"patch_size": 5, "scale": 1.0, "threshold": 1.0}
mapped = explore(
    map_of_matches,
    map_controls,
    "The photograph and its map of recurrence at patch size {patch_size}, scale "
    "{scale}, threshold {threshold}: bright where a patch has 16 good matches, dark "
    "where it has none",
    examples=[at_first, at_first | {"scale": 0.5}],
)

# %% [markdown]
# Two kinds of places are bright in the map: smooth parts (the inside of the cup, the saucer), and long clean outlines, which recur along their own length.
# The spoon, the handle with its reflections and the grain of the table are dark, because their detail occurs only once.
# At half the size, the outlines are dark as well.
# With larger patches, less of the map is bright, because larger patches recur less often.
# For this reason, the methods of this course use *small* patches.
#
# ### Between the pixels: the within-scale half
#
# A match at the same scale has no larger parent, and still it can help.
# A match is usually not aligned with the patch to the pixel: it is the same pattern, shifted by a fraction of a pixel.
# So its pixels show the pattern *between* the pixels of the patch, like a second photograph taken from a slightly different place.
# Glasner et al. call this the classical half of their method; chapter [06](06_fractals_and_classical_sr.ipynb) has the code.
# The next cell finds such samples with the library, and draws them over the pixels:

# %%
from dil_teach.classical.super_resolution.within_scale import similar_samples
from dil_teach.image.metrics import luma
from dil_teach.notebook.figures import canvas
from dil_teach.patches.recurrence import detailed

grey = luma(photograph).float()
samples = similar_samples(grey, 5, 9)
top, left = (min(n - 7, edge - 14) for n, edge in ((y, height), (x, width)))
top, left = max(top, 0), max(left, 0)
figure = canvas(grey[:, top : top + 14, left : left + 14], zoom=32)
rows, columns = samples.row - top, samples.column - left
inside = (rows > -0.4) & (rows < 13.4) & (columns > -0.4) & (columns < 13.4)
figure.axes[0].scatter(
    columns[inside].cpu(), rows[inside].cpu(), c=samples.value[inside].cpu(), s=50,
    cmap="gray", vmin=0, vmax=1, edgecolors="#D55E00",
)  # fmt: skip

# %%
show(figure, alt="Pixels of the rim, and samples between the pixels as grey discs")
has_sample = torch.zeros(height, width, dtype=torch.bool, device=device())
has_sample[samples.row.round().long(), samples.column.round().long()] = True
centres, quarter = has_sample[2:-2, 2:-2], detailed(grey)
for name, among in {"smooth": ~quarter, "detailed quarter": quarter}.items():
    print(f"{name:17} {centres[among].float().mean():.0%} of the pixels have a sample")

# %% [markdown]
# Each disc is a sample that another patch of the photograph contributes, with its grey value.
# Most discs lie in smooth parts, and hardly any on the edge of the rim.
# Only patches that agree to about one grey level count, and few detailed patches do.
# So in a single photograph this half of the method gains little, as the table below shows.
#
# ## Across scales, and parents
#
# At scale 0.5, we search for the *same* patches in the photograph at half its size.
# We downscale only the image that is searched, not the patches.
# Few detailed patches have nine good matches there (one in fifty, with the budget `quick`), and more than half have none: the outlines are dark in the second map.
# That is why Glasner et al. enlarge in small steps: at 0.8 of the size, most of the detailed patches still have a good match.
# Each match at a smaller scale has a parent, an example with more detail.
# **Super-resolution methods that learn from one image use such examples.**
#
# ## Smooth and detailed patches
#
# Many smooth patches recur, but a method can learn little from them.
# Therefore we separate the *detailed quarter* (the quarter of the patches with the most contrast) from the other patches.

# %%
from dil_teach.notebook import curves
from dil_teach.patches.recurrence import SCALES


def curve(patch_size, least, threshold):
    lines = {}
    quarter = detailed(photograph, patch_size)
    for name, among in {"smooth": ~quarter, "detailed quarter": quarter}.items():
        counts = [count(patch_size, s, threshold)[among] for s in SCALES]
        percent = [100 * (c >= least).float().mean().item() for c in counts]
        lines[name] = (list(SCALES), percent)
    return curves(lines, "scale of the search", "patches that recur (%)")


# %%
curve_controls = {
    "patch_size": controls["patch_size"],
    "least": Slider("Minimum number of good matches", 1, 16, 9, 1),
    "threshold": controls["threshold"],
}
with_nine = {"patch_size": 5, "least": 9, "threshold": 1.0}
drawn = explore(
    curve,
    curve_controls,
    "Percentage of patches of {patch_size} pixels with at least {least} good matches, "
    "against scale: one curve for smooth patches and one for detailed patches. Both "
    "curves fall towards small scales.",
    examples=[with_nine, with_nine | {"least": 1}],
)

# %% [markdown]
# Both curves fall towards small scales: a smaller image has fewer patches, and its details are smaller than those of the photograph (we have not separated the two causes).
# With at least nine matches, the curve of the detailed patches starts beside the curve of the smooth patches, and falls much faster.
# With at least *one* match, the curves cross: near scale 1, more detailed patches than smooth patches have a match (outlines recur along themselves), and at small scales fewer have one.
# So whether 'smooth patches recur more' is true depends on the scale, and on the definition of recurrence.
#
# ## Exercise: paste the parents
#
# Write `paste_parents_by_hand(image, smooth, row, column, chosen)`: such a function made the pictures at the beginning of the chapter.
# `image` is `Float[Tensor, "c h w"]`, and `smooth` is the same image enlarged, `Float[Tensor, "c 2h 2w"]`.
# `row`, `column` and `chosen` have one value for each patch of 5 x 5 pixels, `[Tensor, "h-4 w-4"]`: the top left pixel of the patch's match in the image at half the size (integers), and whether its parent is pasted (booleans).
# The parent of a match at (row, column) is the square of 10 x 10 pixels of `image` at (2 row, 2 column).
# Subtract its mean (of each channel), add the mean of the patch, and paste it over the patch's own square of 10 x 10 pixels.
# Where pasted parents overlap, take their mean; where no parent is pasted, keep `smooth`.
# Expected run time: a second or two for the photograph.


# %% tags=["exercise"]
def paste_parents_by_hand(image, smooth, row, column, chosen):
    ### BEGIN SOLUTION
    total, number = torch.zeros_like(smooth), torch.zeros_like(smooth[:1])
    for y, x in chosen.nonzero().tolist():
        top, left = 2 * int(row[y, x]), 2 * int(column[y, x])
        parent = image[:, top : top + 10, left : left + 10]
        mean = image[:, y : y + 5, x : x + 5].mean(dim=(1, 2), keepdim=True)
        parent = parent - parent.mean(dim=(1, 2), keepdim=True) + mean
        total[:, 2 * y : 2 * y + 10, 2 * x : 2 * x + 10] += parent
        number[:, 2 * y : 2 * y + 10, 2 * x : 2 * x + 10] += 1
    return torch.where(number > 0, total / number.clamp_min(1), smooth)
    ### END SOLUTION


# %%
check.paste_parents_by_hand(paste_parents_by_hand)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# `chosen.nonzero().tolist()` lists the corners (y, x) of the patches whose parents are pasted.
#
# </details>
# <details><summary>Hint 2</summary>
#
# Keep two pictures: the sum of the pasted parents, and the number of parents at each pixel.
#
# </details>
# <details><summary>Hint 3</summary>
#
# At the end, `torch.where(number > 0, total / number.clamp_min(1), smooth)` divides only where something was pasted.
#
# </details>

# %% [markdown]
# ## Who did the work?
#
# The next cell enlarges the photograph with your function if it passed the check, and with the library's otherwise.

# %%
solved_2 = check.paste_parents_by_hand(paste_parents_by_hand).state == "passed"
paste = paste_parents_by_hand if solved_2 else paste_parents
everywhere = torch.ones_like(places[0], dtype=torch.bool)
pasted = paste(photograph, smooth, *places, everywhere).clamp(0, 1)
pictures = {
    "bicubic interpolation": smooth,
    "bicubic, back-projected": back_project(smooth, photograph, "bicubic", 2),
    "parents pasted": pasted,
    "parents pasted, back-projected": back_project(pasted, photograph, "bicubic", 2),
}

# %%
pictures = {name: image.clamp(0, 1) for name, image in pictures.items()}
show(
    pictures,
    alt="Four enlargements of the photograph, and the ground truth: blurred; sharper "
    "with small steps; sharp with errors; sharp",
    truth=truth,
    crop=part,
)

# %% [markdown]
# Compare the rim: bicubic interpolation blurs it, back-projection draws small steps, the parents alone change its colour, and both together give a sharp and smooth rim.
# The next cell compares this run with the longer run, and with five photographs:

# %%
from dil_teach import psnr_y
from dil_teach.course.credit import show_credit

decibels = {name: psnr_y(image, truth, shave=4) for name, image in pictures.items()}
inner = {name: psnr_y(image, truth, shave=8) for name, image in pictures.items()}
beside_opening(opening, inner)
credit = show_credit("super_resolution_by_hand", decibels)

# %% [markdown]
# Read the table from the top.
# Back-projection alone gains more than 1 dB over bicubic interpolation, and it uses no patches.
# The parents alone *lose* more than 2 dB.
# Both together are on average only slightly better than back-projection alone: the gain of the parents is about 0.1 dB on five photographs, and it is negative on the photograph of the cat, whose hairs have no good match.
# On the cup, it is half a decibel.
# So most of the credit goes to back-projection.
# The complete method of Glasner et al. gains about 1 dB more: it enlarges in small steps, at which more patches have a good match, and weights each parent by the distance of its match.
# With its within-scale half alone, it is less than 0.1 dB above back-projection, and chapter 06 shows that the samples have nearly no part in this; its across-scale half makes the gain.
# (The captions of the pictures leave out a border of 2 pixels, the comparison with the longer run 8 pixels, and the table 4 pixels.)
# The oracle, which chooses the best of nine parents with the ground truth, shows that a part of the loss is due to the choice of the match.
#
# ## Other photographs
#
# Glasner et al. report that patches of natural images recur many times, both within the same scale and across scales.
# We cannot repeat their percentages, because they depend on the definition of a good match, as you saw; so we only report ours.
# The next cell shows the mean over the photographs of this course and over the data set Set5, in grey, at 256 pixels.

# %%
from statistics import mean

from dil_teach.course.records import record

kinds = {"9 or more, all": "nine matches, all", "9 or more, detailed": "nine, detailed"}
kinds |= {"1 or more, all": "one match, all", "1 or more, detailed": "one, detailed"}
print(f"{'percentage, at scale':32}" + "".join(f"{s:8}" for s in SCALES))
for name in ("bundled", "Set5"):
    every = [r for r in record("recurrence_paper") if r["set"] == name]
    every = [r for r in every if r["channels"] == "grey"]
    for key, words in kinds.items():
        means = [mean(values) for values in zip(*(r[key] for r in every), strict=True)]
        print(f"{f'{name}, {words}':32}" + "".join(f"{m:8.0f}" for m in means))

# %% [markdown]
# On average, fewer patches recur at each smaller scale.
# With nine matches, the detailed quarter recurs less often than all patches; with one match, it does so only at the smaller scales.
# (`benchmarks/results/recurrence_paper.json` contains all images, also in colour.)
#
# ## When it fails
#
# We measure the recurrence of white noise and of a photograph of grass.
# How does weak noise, with a standard deviation of 10 grey levels, change the map of the cup?

# %%
grass = photo("grass", size=side).to(device())
rng = torch.Generator().manual_seed(seed)
grain = torch.randn(photograph.shape, generator=rng).to(device()) * 10 / 255
noisy = (photograph + grain).clamp(0, 1)
fails = {"white noise": noise, "grass": grass, "the cup with noise": noisy}
show(fails, alt="White noise, a lawn, and the photograph with weak coloured noise")

# %% [markdown]
# Write down where patches recur in each of these pictures.
# Then look at the maps.

# %%
from dil_teach.patches.recurrence import recurrence_map

show(
    beside_maps(
        {}, {n: recurrence_map(image) for n, image in fails.items()}, (0, 16), "matches"
    ),
    alt="Three recurrence maps: white noise, grass, and the photograph with noise. "
    "The first two maps are dark; in the third map, only some outlines are bright.",
)

# %% [markdown]
# White noise has almost no good matches.
# Grass has thousands of blades that look alike to us, but at this size almost no patch of grass recurs: **two patches can look alike to us, although the sum of their squared differences is large.**
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
# Blur removes detail, but it hardly changes the score: the threshold of a patch depends on its own detail, so it becomes smaller as well.
# The image that repeats one corner of the photograph has a high score, but it is not a photograph.
# The result of a method should have the *same recurrence score as its ground truth*.
# This is necessary, not sufficient: a blurred picture can have the same score, too.

# %%
counts = {scale: count(5, scale, 1) for scale in (1.0, 0.5)}
quarter = detailed(photograph)


def share(scale, least, among):
    return float((counts[scale][among] >= least).float().mean())


# %%
claims = {
    "white noise: at most 1% of the patches recur": score["white noise"] <= 0.01,
    "photograph: over a third of patches recur on average": score["photograph"] > 0.33,
    "grass has under half of the photograph's score": (
        score["grass"] < score["photograph"] / 2
    ),
    "noise lowers the photograph's score by over a third": (
        score["the cup with noise"] < 0.67 * score["photograph"]
    ),
    "at scale 0.8, most patches have a good match": (
        float((count(5, 0.8, 1) >= 1).float().mean()) > 0.55
    ),
}

# %%
claims |= {
    "one match: at scale 1, detailed patches recur more than smooth patches": (
        share(1.0, 1, quarter) > share(1.0, 1, ~quarter)
    ),
    "one match: at scale 0.5, detailed patches recur less than smooth patches": (
        share(0.5, 1, quarter) < share(0.5, 1, ~quarter)
    ),
    "nine matches, scale 0.5: detailed patches have them under half as often": (
        share(0.5, 9, quarter) < share(0.5, 9, ~quarter) / 2
    ),
}

# %%
# NBVAL_CHECK_OUTPUT
claims |= {
    "at scale 0.5, over half of the detailed patches have none": (
        share(0.5, 1, quarter) < 0.5
    ),
    "pasted parents alone are worse than bicubic interpolation": (
        decibels["parents pasted"] < decibels["bicubic interpolation"] - 1
    ),
    "back-projected parents are better than back-projected bicubic": (
        decibels["parents pasted, back-projected"]
        > decibels["bicubic, back-projected"] + 0.1
    ),
}
check_claims(claims, own)  # the claims may not hold for your own photograph

# %% [markdown]
# ## Mini-project: a better paste
#
# Change one thing in the pasting so that the PSNR rises on photographs that you did not use to choose it.
# Ideas: a smaller step than 2, weights by distance, parents from several scales, only good matches, other patch sizes.
# Hand in one page with your code, a table and two pictures.
#
# | criterion | points |
# |---|---|
# | the question and a prediction, written down before the first run | 2 |
# | exact credit: bicubic, back-projection, the paste alone, both together, the same pictures | 3 |
# | at least four photographs, of which two were not used for any choice | 2 |
# | a picture of where your change helps, and one of where it fails | 2 |
# | a conclusion that the numbers support, also if the change does not help | 1 |
#
# On the command line, `dil-teach recurrence PHOTO.jpg map.png --scale 0.5` writes a map of recurrence to `map.png` and its values to `map.json`.
#
# ## Summary
#
# - Small patches of a photograph recur in the same photograph, within and across scales; outlines recur along their length.
#   At half the size, most detailed patches of our photograph have no good match.
# - 'Similar' needs a definition.
#   Our definition subtracts the means and allows the difference that a shift by half a pixel makes, up to a maximum set by the patch's contrast.
#   Another definition, for example of overlaps, gives other percentages of recurrence.
# - A match at a smaller scale has a parent, which shows the patch at a higher resolution.
#   Parents are internal examples for super-resolution; pasted by hand, they sharpen edges but need back-projection.
#   Matches at the same scale show the patch between its pixels.
# - Noise and unique detail do not recur; texture may (bricks) or may not (grass).
#   An internal method has nothing to learn from in these parts of an image.
#
# ## References
