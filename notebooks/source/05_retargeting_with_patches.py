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
# # 05 · Retargeting with patches: what makes two images alike?
#
# An image must fit a frame of another shape.
# If you squeeze it, faces become thin; if you crop it, somebody may be cut off.
# This chapter defines what the new image should have in common with the old one, measures it as a number, and shows that an image can have a good number and still be wrong.
#
# **After this chapter you can**
#
# - find the [seam](glossary.md#seam) of least energy by dynamic programming, and say what [forward energy](glossary.md#forward-energy) changes;
# - measure [completeness](glossary.md#completeness) and [coherence](glossary.md#coherence) of two images, and draw where each is bad;
# - show that each of the two alone accepts useless results;
# - name two [baselines](glossary.md#baseline) with good measures and bad images, and say what the measures cannot detect.
#
# **What you need**: chapter [01](01_patch_recurrence.ipynb).
# No network is trained here, and no GPU is needed.
# Reading takes 40 minutes, computing less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 25, "standard": 80, "full": 170})

# %% [markdown]
# `budget` changes only the size of the pictures.
# The [seed](glossary.md#seed) sets the noise of two experiments; nothing else here is random.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, choose a file, then select the cell below and *Run > Run Selected Cell and All Below*.
# The file stays on the computer where this notebook runs.
# One or two objects in front of a smooth background work best.
# Every method of this chapter fails on a crowd, a page of text or straight lines across the whole image.
# You will see below how they fail.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo
from dil_teach.notebook import show, strip, uploaded_image

side = {"quick": 80, "standard": 104, "full": 128}[budget]
ours = photo("astronaut", size=side)
chosen = uploaded_image(button.value, default=ours, max_side=side)
own = chosen is not ours
photograph = chosen.to(device())
height, width = photograph.shape[1:]
narrow, wide = round(0.6 * width), round(1.6 * width)
subject = (
    "your photograph" if own else "an astronaut before a flag, a model and a table"
)
show(photograph, alt=f"{subject}, {width} x {height} pixels", zoom=3)

# %% [markdown]
# Ours shows one face, one model of a rocket, one helmet and the stripes of a flag (Eileen Collins, photograph: NASA, public domain).
# Remember how often each object occurs: you will need it.
#
# ## Predict first
#
# Write down your answers; the chapter tests each of them.
#
# 1.
#    We want a narrower image.
#    From each row we remove one pixel after another, always where the image changes least.
#    Which parts stay as they are, and which are distorted?
# 2.
#    One result contains every patch of the photograph.
#    Another result contains only patches of the photograph.
#    Find a useless image of each kind.
# 3.
#    One result has better completeness *and* better coherence than another.
#    Is it the better image?
#
# ## The smallest demo: remove one pixel from each row
#
# A [seam](glossary.md#seam) is a path from the top of the image to the bottom: one pixel in each row, at most one column away from the pixel in the row above.
# Removing a seam makes the image one column narrower; duplicating it makes it one column wider [@avidan2007].
# We compute the seams once, in order of increasing cost; then every width is available immediately:

# %%
from dil_teach import resize
from dil_teach.classical.seams.seam_carving import at_width, seam_order

order = seam_order(photograph, width // 2)


def coloured(image, seams):
    """The image with the marked pixels in cyan."""
    cyan = torch.tensor([0.0, 1.0, 1.0], device=image.device)[:, None, None]
    return torch.where(seams, cyan, image.expand(3, -1, -1))


def render_width(target):
    gone = order < abs(target - width)
    pictures = {
        "seams": coloured(photograph, gone),
        "seams removed or duplicated": at_width(photograph, order, target),
        "plain resizing": resize(photograph, size=(height, target)).clamp(0, 1),
    }
    return strip(pictures, zoom=2)


# %%
from dil_teach.notebook import Slider, explore

width_slider = explore(
    render_width,
    {"target": Slider("Width (pixels)", width - width // 2, width * 3 // 2, narrow, 1)},
    f"{subject} with its seams in cyan, and resized to a width of {{target}} pixels by "
    "seams and by plain resizing, which squeezes or stretches every part equally",
    examples=[{"target": narrow}, {"target": width * 3 // 2}],
    live=True,
)

# %% [markdown]
# In the narrower image (question 1), the seams were removed from the wall, the table and the smooth parts of the suit.
# The face keeps its shape, while plain resizing makes it thin.
# The method does not know what a face is, and it distorts the helmet and the suit.
# At 1.2 times the width (move the slider), the wall and the black helmet are stretched, and the face does not change.
# At 1.5 times the width, the smooth parts are used up.
# Half of all pixels are duplicated, also in the face, so seams are hardly better than plain resizing.
#
# ## Seams: which path has the minimum cost?
#
# Avidan and Shamir define the cost of a pixel as its gradient; all costs form the [energy map](glossary.md#energy-map) $e = |\partial I/\partial x| + |\partial I/\partial y|$.
# The best path does not always contain the cheapest pixel of a row, and it does not always take the cheapest step.
# But if you cut the best path at one of its pixels, the part above is the best path to *that* pixel.
# So it is enough to fill one table $M$, row by row:
#
# $$M(i, j) = e(i, j) + \min\bigl(M(i-1, j-1),\; M(i-1, j),\; M(i-1, j+1)\bigr).$$
#
# The last row of $M$ contains the costs of the best seams that end at its pixels.

# %%
from dil_teach.classical.seams.seams import energy_map

energy = energy_map(photograph)
cheapest = seam_order(photograph, width // 4, energy="backward")
show(
    {
        "energy map": (energy / energy.quantile(0.98)).clamp(0, 1)[None],
        "the first quarter of the seams": coloured(photograph, cheapest < width // 4),
    },
    alt="The energy map, white on outlines and black in smooth parts; and the "
    "photograph with its first seams in cyan, which wind between the outlines",
    zoom=2,
)

# %% [markdown]
# White outlines have a high cost, so the seams follow the dark parts.
# Where a row has few dark pixels, many seams pass through the same narrow gap.
#
# ## Exercise: the seam of least energy
#
# Write `least_seam(energy)`.
# `energy` is `Float[Tensor, "h w"]`, with values of at least 0.
# The result is `Int[Tensor, "h"]`: for each row, from top to bottom, the column of the seam in pixels from the left.
# Neighbouring rows differ by at most one column, and the sum of the energies along the seam is minimal.
# (If several seams are equal, return any of them.)
# Expected run time: well under a second.


# %% tags=["exercise"]
def least_seam(energy):
    ### BEGIN SOLUTION
    sums = [energy[0]]
    for row in energy[1:]:
        above = torch.nn.functional.pad(sums[-1], (1, 1), value=torch.inf)
        best = torch.minimum(torch.minimum(above[:-2], above[1:-1]), above[2:])
        sums.append(row + best)
    seam = [int(sums[-1].argmin())]
    for row in reversed(sums[:-1]):
        left = max(seam[-1] - 1, 0)
        seam.append(left + int(row[left : seam[-1] + 2].argmin()))
    return torch.tensor(seam[::-1])
    ### END SOLUTION


# %%
from dil_teach.course import check

check.least_seam(least_seam)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Use two passes: fill the table downwards, then trace the seam back upwards.
# Where does the trace start?
#
# </details>
# <details><summary>Hint 2</summary>
#
# Pad a row of sums with infinity on both sides.
# Then every pixel has three neighbours above it, and three slices of the padded row contain them.
#
# </details>
# <details><summary>Hint 3</summary>
#
# In the trace, compare the *sums* of the (at most) three pixels above, not their energies.
# The resulting list goes from bottom to top.
#
# </details>

# %% [markdown]
# ## Forward energy: what will the image look like afterwards?
#
# The gradient describes the image *before* the seam is removed.
# But we see the image afterwards, when other pixels are neighbours.
# The forward energy [@rubinstein2008] is the sum of the differences between these new neighbours.
# Which pixels become neighbours depends on the direction from which the seam comes, so there are three costs.
# This is the whole method, with its table:


# %% tags=["algorithm"]
def forward_seam(grey):
    """The seam after which neighbouring pixels differ least; grey is [h w]."""
    replicated = torch.cat([grey[:, :1], grey, grey[:, -1:]], dim=1)
    left, right = replicated[:, :-2], replicated[:, 2:]
    meet = (right - left).abs()  # neighbours in the row afterwards
    total, came = meet[0], []
    for i in range(1, len(grey)):
        above, edge = grey[i - 1], total.new_full((1,), torch.inf)
        costs = torch.stack(
            [
                torch.cat([edge, total[:-1]]) + (above - left[i]).abs(),
                total,
                torch.cat([total[1:], edge]) + (above - right[i]).abs(),
            ]
        )
        least, step = costs.min(dim=0)
        total = least + meet[i]
        came.append(step - 1)
    seam = [int(total.argmin())]
    for step in reversed(came):
        seam.append(seam[-1] + int(step[seam[-1]]))
    return torch.tensor(seam[::-1], device=grey.device)


# %% [markdown]
# The library does the same, but after each seam it recomputes only the costs that changed.
# Here we compare our seam with the library's, and remove four of ten columns with both energies:

# %%
from dil_teach.classical.seams.seam_carving import carve
from dil_teach.classical.seams.seams import find_seam, seam_energy
from dil_teach.image.metrics import luma

forward_costs = energy_map(photograph, "forward")
seam_sums = [
    seam_energy(forward_costs, seam)
    for seam in (forward_seam(luma(photograph)[0].float()), find_seam(forward_costs))
]
print("energy of our seam {:.4f}, of the library's {:.4f}".format(*seam_sums))
narrower = {
    f"{name} energy": carve(photograph, (height, narrow), energy=name)
    for name in ("backward", "forward")
}

# %%
show(
    narrower,
    alt=f"{subject} at 0.6 of the width: with backward energy the outlines are "
    "jagged, with forward energy they are smooth",
    zoom=3,
)

# %% [markdown]
# Backward energy creates steps where seams cross an oblique outline: at the rim of the flag, the chest and the edge of the helmet.
# Forward energy avoids visible crossings, and removes a little more of the smooth suit.
# It is the library's default.
#
# ## Protect, and remove
#
# You know better than a gradient which parts matter.
# Paint a part that should be *protected*: seams avoid it as long as possible.
# Paint a part that should be *removed*: seams pass through it until it is gone.
# Then run the cells below again.
# (At first, the face is protected and the model is removed.)


# %%
def ellipse(top, left, bottom, right):
    """A mask, 1 inside an ellipse; its box is in fractions of height and width."""
    y = (torch.arange(height) + 0.5)[:, None] / height
    x = (torch.arange(width) + 0.5) / width
    down = (2 * y - top - bottom) / (bottom - top)
    across = (2 * x - left - right) / (right - left)
    return (down**2 + across**2 < 1).float()[None]


middle = ellipse(0.25, 0.3, 0.75, 0.7)
face = middle if own else ellipse(-0.02, 0.27, 0.42, 0.62)
thing = middle if own else ellipse(-0.08, 0.67, 0.68, 0.95)

# %%
from dil_teach.notebook import paint

protected = paint(photograph, "protected part", mask=face)
removed = paint(photograph, "part to remove", mask=thing)

# %% [markdown]
# Stripes show the painted parts: in our photograph, the head is protected and the model of the rocket is removed.

# %%
from dil_teach.classical.seams.seam_carving import remove_object

keep, drop = (p.mask[0].to(device()) for p in (protected, removed))
half = round(0.45 * width)
masked = {
    "0.45 wide": carve(photograph, (height, half)),
    "0.45 wide, protected": carve(photograph, (height, half), protect=keep),
    "removed": remove_object(photograph, drop > 0, protect=keep * (drop == 0)),
}

# %%
show(
    masked,
    alt=f"{subject} at less than half its width with the face squeezed; the same "
    "with the face protected; and the photograph without the painted object",
    zoom=2,
)

# %% [markdown]
# At 0.45 of the width, an unprotected face is squeezed.
# A protected face keeps its shape, but everything else is distorted.
# On the right, the model is gone.
# But each seam continues to the bottom of the image, so half of the helmet, *below* the model, was removed as well.
# At the edge of the table, a step shows where the two halves do not fit.
# (If you pass a `size`, `remove_object` then duplicates seams elsewhere to restore the width.)
#
# ## Bidirectional similarity
#
# What should a result have in common with its photograph?
# @simakov2008 ask two questions about patches, here of 7 x 7 pixels.
# Does the target $T$ contain every patch of the source $S$ (**completeness**)?
# Does the source contain every patch of the target (**coherence**)?
#
# $$d(S, T) = \underbrace{\frac{1}{N_S}\sum_{p \in S} \min_{q \in T} D(p, q)}_{\text{completeness}} \;+\; \underbrace{\frac{1}{N_T}\sum_{q \in T} \min_{p \in S} D(p, q)}_{\text{coherence}}$$
#
# Both are errors, so 0 is best.
# The distance between two patches is the mean squared difference.
# Unlike in chapter 01, we do not subtract the patches' means, because a dark wall should differ from a bright one:

# %%
from dil_teach.patches.extract import extract_patches


def patch_distances(patch, image):
    """Distances from one patch, as a row of values, to each patch of an image."""
    return (extract_patches(image, 7) - patch).square().mean(dim=1)


narrowed = resize(photograph, size=(height, narrow)).clamp(0, 1)
for row, column in ((0, 0), (height // 4, int(0.38 * width))):
    one = extract_patches(photograph[:, row : row + 7, column : column + 7], 7)
    nearest = patch_distances(one, narrowed).min().sqrt()
    print(f"patch at {row}, {column}: nearest is {255 * nearest:.1f} grey levels away")

# %% [markdown]
# The sum is the [bidirectional similarity](glossary.md#bidirectional-similarity); despite its name, it is a distance.
# It ignores positions: the nearest patch may be anywhere.
#
# ## Exercise: the similarity score
#
# Write `similarity(source, target, patch_size=7)`.
# `source` and `target` are images, `Float[Tensor, "c h w"]`, with the same number of channels and values in [0, 1]; their sizes may differ.
# The result is two numbers, first completeness, then coherence.
# Each is the mean squared difference from a patch to its nearest patch in the other image, averaged over all patches.
# `extract_patches(image, patch_size)` returns the patches as rows, `Float[Tensor, "patches values"]`.
# Expected run time: about a second.


# %% tags=["exercise"]
def similarity(source, target, patch_size=7):
    ### BEGIN SOLUTION
    ours = extract_patches(source, patch_size)
    theirs = extract_patches(target, patch_size)
    distances = torch.cdist(ours, theirs).square() / ours.shape[1]
    completeness = distances.min(dim=1).values.mean()
    coherence = distances.min(dim=0).values.mean()
    return completeness, coherence
    ### END SOLUTION


# %%
check.similarity(similarity)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# One table contains the distance from each source patch to each target patch.
# Compute completeness along one axis of it and coherence along the other.
#
# </details>
# <details><summary>Hint 2</summary>
#
# For each row of `a` and each row of `b`, `torch.cdist(a, b)` gives the *root* of the sum of squared differences.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Square it, divide by the number of values in a patch, take the minimum along one axis, and average the minima.
#
# </details>

# %% [markdown]
# ## Each term alone
#
# Here are two useless images (question 2), made from the photograph at half the size.
# One is a corner of the photograph.
# The other is the photograph pasted into noise.

# %%
from dil_teach.patches.similarity import bidirectional_similarity, completeness

rng = torch.Generator().manual_seed(seed)
small = resize(photograph, 0.5).clamp(0, 1)
channels, rows, columns = small.shape
corner = small[:, : max(rows // 2, 7), : max(columns // 2, 7)]
pasted = torch.rand(channels, rows, 2 * columns, generator=rng).to(device())
pasted[:, :, columns // 2 : columns // 2 + columns] = small

# %%
alone = {"a corner": corner, "pasted into noise": pasted}
alone_errors = {n: bidirectional_similarity(small, i) for n, i in alone.items()}
show(
    alone,
    alt=f"A corner of {subject}; and the whole photograph between two broad stripes "
    "of coloured noise",
    zoom=3,
)
for name, (missing, made_up) in alone_errors.items():
    print(f"{name:20} completeness {missing:.5f}, coherence {made_up:.5f}")

# %% [markdown]
# The corner has a coherence error of exactly 0, because it has no new patches, but most of the photograph is missing.
# The photograph in noise has a completeness error of exactly 0, because nothing is missing, but half of the image is noise.
# **Each term alone accepts useless results.**
#
# The same happens if a method minimises only one term.
# In the paper's update, pixels receive votes.
# For every target patch, its nearest source patch votes at the position of the target patch.
# Every source patch votes at the position of its nearest target patch.
# Each pixel becomes the mean of its votes.
# `alpha` weights the two terms: 0 is coherence only, 1 is completeness only.

# %%
from dil_teach.classical.retarget.bidirectional import update
from dil_teach.notebook import show_source

show_source(update)

# %% [markdown]
# We start from pure noise, so everything in the result comes from the update:

# %%
noise = torch.rand(channels, rows, 2 * columns, generator=rng)
from_noise, noise_errors = {}, {}
for words, alpha in {
    "coherence alone": 0.0,
    "both": 0.5,
    "completeness alone": 1.0,
}.items():
    target = noise.to(device())
    for _ in range(15):
        target = update(target, [small], [None], alpha)
    from_noise[words] = target
    noise_errors[words] = bidirectional_similarity(small, target)

# %%
show(
    {"source": small} | from_noise,
    alt="A small photograph and three results from noise: coherence alone repeats a "
    "few parts; both terms give all parts in a wrong order; completeness alone gives "
    "scattered pieces with noise between them",
    zoom=2,
)
for words, (missing, made_up) in noise_errors.items():
    print(f"{words:20} completeness {missing:.5f}, coherence {made_up:.5f}")

# %% [markdown]
# Coherence alone repeats a few parts of the photograph, here the wall and the hair.
# Completeness alone places every piece somewhere and leaves noise in between.
# Both terms together give pieces of everything without noise.
# But they do not give an astronaut, because patches of 7 pixels do not contain the arrangement of objects.
# So the update needs a good *initialisation*.
#
# ## Gradual resizing
#
# The paper starts from the source itself.
# It changes the width by a few pixels, improves the image by updates, and repeats both steps.
# The result at each width initialises the next one, so there is a result for every width in between.
# (Photograph: vultilion, CC BY 2.0, as scikit-learn ships it.)

# %%
flower = photo("flower", size=side).to(device())
little = resize(flower, size=(40, 40)).clamp(0, 1)


def gradually(source, width, updates=2):
    """The result at each width from source to target, as {width: image}."""
    target, reached = source, {source.shape[2]: source}
    step = 2 if width > source.shape[2] else -2
    for now in range(source.shape[2] + step, width + step, step):
        target = resize(target, size=(source.shape[1], now)).clamp(0, 1)
        for _ in range(updates):
            target = update(target, [source], [None])
        reached[now] = target
    return reached


by_width = gradually(little, 24) | gradually(little, 64)

# %%
seams_of_little = seam_order(little, 24)


def render_gradually(now):
    versions = {
        "gradual resizing": by_width[now],
        "seams": at_width(little, seams_of_little, now),
        "plain resizing": resize(little, size=(40, now)).clamp(0, 1),
    }
    return strip(versions, zoom=4)


# %%
gradual_slider = explore(
    render_gradually,
    {"now": Slider("Width (pixels)", 24, 64, 40, 2)},
    "A dahlia of 40 pixels resized to a width of {now} pixels by gradual resizing, by "
    "seams and by plain resizing",
    examples=[{"now": 24}, {"now": 64}],
    live=True,
)

# %% [markdown]
# The results of gradual resizing are close to those of plain resizing.
# The narrower flower is an oval and softer than before; the wider one is asymmetric, with petals added on one side.
# Each step was so small that the patches hardly changed, and no patch contains the flower's round shape.
# Seams are better for the narrower image, because they remove the smooth background first; for the wider image they are not.
#
# The library works from coarse to fine, because in an image of 20 pixels, a patch of 7 pixels covers a third of the width.
# It differs from the paper in two ways.
# Its initial image is the photograph stretched so that columns with much detail keep their width.
# And among similar patches it prefers those near the position that they have in the initial image.

# %%
from dil_teach.classical.retarget import bidirectional

flower_size = flower.shape[1:]
flowers = {"source": flower}
for words, wanted in {"narrower": 0.6, "wider": 1.6}.items():
    size = (flower_size[0], round(wanted * flower_size[1]))
    flowers[f"seams, {words}"] = carve(flower, size)
    flowers[f"patches, {words}"] = bidirectional.retarget(flower, size)
show(
    flowers,
    alt="A round dahlia. At 0.6 of the width, seams keep it round, and patches nearly "
    "so. At 1.6 times the width, seams make an oval with pointed sides; patches keep "
    "it round.",
    zoom=2,
)

# %% [markdown]
# In the wider image, the patches keep the dahlia round and add background, while the seams make it an oval.
# In the narrower image, both keep it nearly round.
# With patches, the flower is a little flat on its left side, and the background beside it is almost gone.
#
# ## Where is it bad? Two heatmaps
#
# Each patch has its own distance to its nearest patch.
# We draw this distance at the position of the patch, before we take the average.
# On the photograph, these distances show what is *missing*; on the result, they show what is *new*.
# We make the photograph narrower and wider in several ways.
# Two of them are simple [baselines](glossary.md#baseline).
# **Tiled** places copies of the photograph side by side.
# The **column warp** repeats or omits groups of neighbouring columns, and cuts where the joint is least visible.

# %%
from dil_teach.classical.retarget import patch_generation
from dil_teach.classical.retarget.column_warp import column_warp

sizes = {"narrower": (height, narrow), "wider": (height, wide)}
results = {}
for words, size in sizes.items():
    plainly = resize(photograph, size=size).clamp(0, 1)
    results[f"plain resizing, {words}"] = plainly
    results[f"seams, {words}"] = carve(photograph, size)
    results[f"patches, {words}"] = bidirectional.retarget(photograph, size)
left = (width - narrow) // 2
results["a crop, narrower"] = photograph[:, :, left : left + narrow]
results["GPNN, wider"] = patch_generation.retarget(photograph, sizes["wider"])
results["tiled, wider"] = photograph.repeat(1, 1, 2)[:, :, :wide]
results["column warp, wider"] = column_warp(photograph, wide)

# %%
from functools import cache

from dil_teach.patches.search import nearest_patches


def errors(asking, answering):
    """Squared error of each patch to its nearest patch in the other image."""
    found = nearest_patches(asking, answering, 7, exact=True)
    return found.distance[..., 0] / (49 * len(asking))


@cache
def heat(name):
    """What is missing, on the photograph, and what is new, on the result."""
    return errors(photograph, results[name]), errors(results[name], photograph)


# %%
def as_picture(distances):
    """A picture of the distances, white from 51 grey levels on."""
    picture = (distances.sqrt() / 0.2).clamp(0, 1)[None]
    return torch.nn.functional.pad(picture, (3, 3, 3, 3))


def render_heat(name):
    missing, made_up = heat(name)
    maps = {
        f"completeness {missing.mean():.5f}": as_picture(missing),
        f"coherence {made_up.mean():.5f}": as_picture(made_up),
        name: results[name],
    }
    return strip(maps, zoom=2)


# %%
from dil_teach.notebook import Choice

heat_choice = explore(
    render_heat,
    {"name": Choice("Result", tuple(results), "plain resizing, narrower")},
    "Two heatmaps, bright where a patch has no similar patch in the other image: one "
    "of the photograph, one of the result; beside them the result: {name}",
    examples=[
        {"name": name}
        for name in (
            "plain resizing, narrower",
            "patches, narrower",
            "a crop, narrower",
        )
    ],
)

# %% [markdown]
# The first map belongs to the photograph, the second to the result.
# For plain resizing, both maps are bright at outlines that were squeezed: the stripes, the collar, the helmet.
# For the crop, the second map is black, because the crop has no new patches.
# Its first map is bright at the two sides, which were cut off.
# For patches, the mean of the second map is a seventh of plain resizing's, so the narrow image has few new patches.
# But the brightest line of this map runs down the face, and the face in the image is distorted.
# **The map shows the place of the error; its mean does not.**
#
# ## Importance weights
#
# If you know which parts matter, you can set [importance weights](glossary.md#importance-weights): patches with a large weight count more in both terms.
# The protected part, which was painted above, has weight 10; the rest has weight 1.

# %%
importance = 1 + 9 * keep[None]
weighted = bidirectional.retarget(photograph, sizes["narrower"], importance=importance)
pair = {"without weights": results["patches, narrower"], "with weights": weighted}
show(
    pair,
    alt=f"{subject} at 0.6 of the width by patches: the face is distorted without "
    "weights, and not distorted with ten times the weight on the face",
    zoom=2,
)
kept_face = {
    name: completeness(photograph, picture, importance=keep[None])
    for name, picture in pair.items()
}
for name, missing in kept_face.items():
    print(f"{name:16} completeness of the painted part {missing:.5f}")

# %% [markdown]
# Without weights, the face is distorted.
# With weights, the face is as in the photograph, but the rest of the flag is distorted.
# In both results, the border cuts the model and the helmet.
# The result with weights is almost a crop.
# Weights do not create space; they select which parts lose it.
#
# ## Reshuffling: move an object
#
# The same update can work under a constraint.
# We cut out the lower flower, fill the hole smoothly, and paste the flower further to the left.
# The flower stays fixed there, while the update changes the rest; we try two values of `alpha`.
# Which result would you like?
# Which result do the two terms prefer?

# %%
from dil_teach.classical.retarget.layouts import move_object

side_of_flower = flower.shape[1]
y = (torch.arange(side_of_flower)[:, None] + 0.5) / side_of_flower
lower = ((y > 0.86) & (y.T > 0.42) & (y.T < 0.86)).float()[None].to(device())
edited, fixed = move_object(flower, lower, (0, -round(0.38 * side_of_flower)))
moved = {"the rough edit": edited}
for words, alpha in {"mostly coherence": 0.05, "both": 0.5}.items():
    moved[words] = bidirectional.reshuffle(flower, edited, fixed, alpha)
show(
    moved,
    alt="A dahlia above a second one that was cut out and pasted further to the "
    "left; and two results whose surroundings fit the pasted flower",
    zoom=2,
)

# %% [markdown]
# The lower flower is where we fixed it, and its surroundings fit.
# But it is also back at its old position, so there are three flowers instead of two.
# Completeness does not cause this, because every patch of the flower exists at the left.
# It also happens when completeness has almost no weight.
# The cause is coherence: parts of the flower remain around the hole, so the most coherent filling is the original content.
# Neither term penalises a repeated object.
#
# ## Good values, bad images
#
# The table has all measures of the wider images; below it are the images (without plain resizing, which you have seen).
# *Moved* is the mean distance between the positions of a patch and of its nearest patch in the photograph, as a fraction of the width.
# (If an object appears twice, at least one copy has moved.)
# The last column is the [recurrence score](glossary.md#recurrence-score) of chapter 01.

# %%
from concurrent.futures import ThreadPoolExecutor

from dil_teach.patches.recurrence import recurrence_score
from dil_teach.patches.similarity import relative_location


def measured(name):
    missing, made_up = (float(distances.mean()) for distances in heat(name))
    far = relative_location(photograph, results[name])
    return missing, made_up, far, recurrence_score(results[name])


compared = [name for name in results if "wider" in name]
table = {"photograph": (0.0, 0.0, 0.0, recurrence_score(photograph))}
with ThreadPoolExecutor(2) as pool:  # two images at a time
    table |= zip(compared, pool.map(measured, compared), strict=True)
print(f"{'':24} completeness  coherence  moved  recurrence")
for name, (missing, made_up, far, recurs) in table.items():
    print(f"{name:24} {missing:12.5f} {made_up:10.5f} {far:6.2f} {recurs:11.2f}")

# %%
show(
    {name: results[name] for name in list(table)[2:]},
    alt=f"{subject} at 1.6 times the width in five ways. Seams stretch objects. "
    "Patches and GPNN repeat some objects. Tiling repeats the photograph. The column "
    "warp repeats parts, with visible cuts between them.",
    zoom=2,
)

# %% [markdown]
# First read the measures.
# The two baselines have almost perfect completeness, because they contain nearly all patches of the photograph.
# Their coherence is no worse than that of the methods.
# Now count the objects.
# **Tiled** shows two astronauts, the second cut off, and two flags.
# The **column warp** shows half an astronaut, cut along a straight edge, beside a whole one; at the right there is a second piece of the model and the helmet.
# **Patches** and **GPNN** [@granot2022] show one astronaut, but a helmet with two humps, a piece of a second model at the right border, and a distorted face.
# **Seams** show each object once, with the collar and the helmet stretched, and have much worse measures.
# So the answer to question 3 is no: *a bad image can have good patch measures, so never rely on them alone.*
#
# *Moved* detects the tiled image, but not the column warp, whose copies are close to their originals.
# The recurrence score of every wider image is higher than that of the photograph, because stretched and repeated parts recur more.
# So the score does not separate good from bad results here.
# Plain resizing has the closest score, but it is not the best result.
# No single number replaces looking at the image.
#
# ## When it fails: where everything matters
#
# This image shows coins (Greek coins from Pompeii, photograph: Brooklyn Museum, no known copyright restrictions).
# It has no smooth column for seams, and patches cannot count objects.

# %%
coins = photo("coins", size=side).to(device())
fails = {"source": coins}
for words, wanted in {"narrower": 0.6, "wider": 1.6}.items():
    size = (side, round(wanted * side))
    fails[f"seams, {words}"] = carve(coins, size)
    fails[f"patches, {words}"] = bidirectional.retarget(coins, size)
show(
    fails,
    alt="Four rows of coins; in the narrower image, seams make them thin and patches "
    "leave some out; in the wider image, seams make them long and patches add some",
    zoom=2,
)

# %% [markdown]
# In the narrower image, seams keep all coins, but the coins that they cross become thin ovals.
# Patches keep most coins round and leave some out, because one of two similar coins is enough for completeness.
# In the wider image, seams stretch the coins.
# Patches add coins: whole ones, small ovals, and a few that have merged.
# Which result is right depends on the purpose of the image, which neither method knows.
# In *your* photograph, look at repeated objects, at straight lines across the image, and at faces, where errors are most visible.

# %%
wider = {n.removesuffix(", wider"): row for n, row in table.items() if "wider" in n}
sums = {name: sum(row[:2]) for name, row in wider.items()}
lost, invented = ({n: e[i] for n, e in noise_errors.items()} for i in (0, 1))
missing, added = ({n: e[i] for n, e in alone_errors.items()} for i in (0, 1))
claims = {
    "our seam costs as much as the library's": abs(seam_sums[0] - seam_sums[1]) < 1e-4,
    "a corner adds nothing new": added["a corner"] < 1e-9,
    "a corner misses much of the photograph": missing["a corner"] > 0.005,
    "a photograph pasted into noise misses nothing": missing["pasted into noise"]
    < 1e-9,
    "the surrounding noise adds much": added["pasted into noise"] > 0.01,
    "coherence alone loses over three times as much as both": (
        lost["coherence alone"] > 3 * lost["both"]
    ),
}

# %%
claims |= {
    "completeness alone adds over 1.5 times as much as both": (
        invented["completeness alone"] > 1.5 * invented["both"]
    ),
    "wider: patches have under half the error of plain resizing": (
        sums["patches"] < sums["plain resizing"] / 2
    ),
    "tiled and column warp have less error than patches": (
        max(sums["tiled"], sums["column warp"]) < sums["patches"]
    ),
    "tiled: patches moved by over 0.2 widths": wider["tiled"][2] > 0.2,
    "column warp: patches moved by under 0.15 widths": wider["column warp"][2] < 0.15,
}

# %%
# NBVAL_CHECK_OUTPUT
claims |= {
    "weights reduce the painted part's error to under a third": (
        kept_face["with weights"] < kept_face["without weights"] / 3
    ),
    "every wider image has a higher recurrence score": (
        min(row[3] for row in wider.values()) > table["photograph"][3]
    ),
}
check_claims(claims, own)  # they may not hold for your own photograph

# %% [markdown]
# ## On your own
#
# - Upload a group of people, a page of text, a bird in front of the sky.
#   First predict: on which of them will seams fail, and on which patches?
# - Paint the helmet instead of the face, and run the cells below it again.
#   Is there enough space for the face and the helmet?
# - On the command line: `dil-teach retarget PHOTO.jpg wide.png --method seam --scale-x 1.5`, or `--method bidirectional`.
#
# ## Summary
#
# - Dynamic programming finds the best seam with one table, row by row.
#   Forward energy measures the differences that appear when the seam is removed.
#   Seams distort the objects that they cross, and in an image full of detail they must cross objects.
# - Completeness measures what is missing, and coherence measures what is new.
#   Each alone accepts useless results; together they still need a good initialisation.
# - Heatmaps show where a result is bad; importance weights select the parts that are kept.
# - A tiled copy and a column warp have good completeness and coherence.
#   Patches contain neither the positions nor the number of the objects, so look at the image and count.
#   Chapter [12](12_ingan.ipynb) shows the results of a network that learns the distribution of patches.
#
# ## References
