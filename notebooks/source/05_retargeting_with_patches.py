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
# Suppose that an image must fit a frame of another shape.
# If you squeeze the image, faces become thin; if you crop the image, somebody may be cut off.
# This chapter defines what the new image should have in common with the old image, and measures this similarity as a number.
# The chapter also shows that an image can have a good number and still be wrong.
#
# **After this chapter you can**
#
# - find the [seam](glossary.md#seam) of least energy by dynamic programming, and say what [forward energy](glossary.md#forward-energy) changes;
# - measure [completeness](glossary.md#completeness) and [coherence](glossary.md#coherence) of two images, and draw where in the images each of these two measures is bad;
# - show that a useless result can have perfect completeness, and another useless result perfect coherence;
# - say which part of a method made its result good, its initialisation or its patches;
# - name three [baselines](glossary.md#baseline) whose measures are good but whose images are bad, and say what the measures cannot detect.
#
# **What you need**: chapter [01](01_patch_recurrence.ipynb).
# No network is trained here, and no GPU is needed.
# Reading takes 40 minutes; running all cells takes less than a minute (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 40, "standard": 80, "full": 170})

# %% [markdown]
# `budget` changes only the size of the pictures.
# The [seed](glossary.md#seed) sets the noise of two experiments; nothing else in this chapter is random.
#
# ## What the methods achieve
#
# First, results that were computed beforehand, from a photograph of 512 x 288 pixels (dandelions; Clemens Engelhardt, 2018, CC0, reduced in size).
# The photograph should lose 40% of its width, but the flowers should stay round.
# All pictures have one scale.

# %%
from dil_teach.course.openings import show_opening

show_opening(
    "retargeting",
    {
        "photograph": "A large round dandelion in a meadow, smaller ones to its right",
        "plain resizing": "0.6 of the width: all dandelions are tall ovals",
        "every 12th seam": "Cyan seams run down left and right of the large dandelion",
        "seams": "The large dandelion unchanged, the meadow beside it narrower",
        "content-aware stretch": "0.6 of the width: the large dandelion is nearly "
        "round, two small ones behind it are thin",
        "patches, from the stretch": "0.6 of the width: all dandelions are round, and "
        "some of the small ones are missing",
    },
)
# %% [markdown]
# Plain resizing makes every flower an oval.
# No seam crosses the large dandelion, so it keeps its shape; the small flowers that seams cross become narrower.
# The content-aware stretch moves whole columns, so the small flowers in its narrow columns become thin.
# The patches start from this stretch: they replace the thin flowers, and show fewer flowers that are round again, but they bend the stalk.
# The animation removes seams one after another.
# Below, seams run live at a similar size; the methods by patches run on a smaller picture.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, press the button and choose a file.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# The file stays on the computer where this notebook runs.
# Photographs with one or two objects in front of a smooth background work best.
# Every method of this chapter fails on a crowd, a page of text or straight lines across the whole image.
# You will see below how the methods fail.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo
from dil_teach.image.resize import limit_side
from dil_teach.notebook import show, strip, uploaded_image

sizes = {"quick": (320, 80), "standard": (384, 104), "full": (512, 128)}
large, side = sizes[budget]
ours = photo("astronaut", size=large)
chosen = uploaded_image(button.value, default=ours, max_side=large)
own = chosen is not ours
picture = chosen.to(device())
photograph = limit_side(picture, side)  # for the methods by patches

# %%
height, width = photograph.shape[1:]
narrow, wide = round(0.6 * width), round(1.6 * width)
subject = (
    "your photograph" if own else "an astronaut before a flag, a model and a table"
)
show(photograph, alt=f"{subject}, {width} x {height} pixels", zoom=4)

# %% [markdown]
# This smaller photograph of Eileen Collins shows one face, one model of a rocket, one helmet and the stripes of a flag (photograph: NASA, public domain).
# Remember how often each object occurs: you will compare the results with these numbers.
#
# ## Predict first
#
# Write down your answers; the chapter tests each of them.
#
# 1.
#    We want a narrower image.
#    From each row we remove one pixel after another, always where the image changes least.
#    Which parts of the image stay as they are, and which parts are distorted?
# 2.
#    One result contains every patch of the photograph.
#    Another result contains only patches of the photograph.
#    Find a useless image of each of these two kinds.
# 3.
#    One result has better completeness *and* better coherence than another result.
#    Is the result with the better values also the better image?
#
# ## The smallest demo: remove one pixel from each row
#
# A [seam](glossary.md#seam) is a path from the top of the image to the bottom: one pixel in each row, at most one column away from the pixel in the row above.
# Removing a seam makes the image one column narrower; duplicating a seam makes the image one column wider [@avidan2007].
# We compute the seams once, in order of increasing cost; then the image of every width is available immediately:

# %%
from dil_teach import resize
from dil_teach.classical.seams.seam_carving import at_width, seam_order

across = picture.shape[2]
order = seam_order(picture, across // 2)

# %%


def coloured(image, seams):
    """The image with the marked pixels in cyan."""
    cyan = torch.tensor([0.0, 1.0, 1.0], device=image.device)[:, None, None]
    return torch.where(seams, cyan, image.expand(3, -1, -1))


def render_width(target):
    gone = (order < abs(target - across)) & (order % 8 == 0)
    size = (picture.shape[1], target)
    pictures = {
        "every eighth seam": coloured(picture, gone),
        "seams removed or duplicated": at_width(picture, order, target),
        "plain resizing": resize(picture, size=size).clamp(0, 1),
    }
    return strip(pictures, zoom=1)


# %%
from dil_teach.notebook import Slider, explore

least, most = across - across // 2, across + across // 2
width_slider = explore(
    render_width,
    {"target": Slider("Width (pixels)", least, most, round(0.6 * across), 1)},
    f"{subject} with its seams in cyan, and resized to a width of {{target}} pixels by "
    "seams and by plain resizing, which squeezes or stretches every part equally",
    examples=[{"target": round(0.6 * across)}],
    live=True,
)

# %% [markdown]
# In the narrower image (question 1), the seams were removed from the wall, the table and the smooth parts of the suit.
# The face keeps its shape, while plain resizing makes the face thin.
# Removing seams also distorts the helmet and the suit, because the method does not know what a face or a helmet is.
# At 1.5 times the width (move the slider), the wall, the table and the helmet are stretched most; the face becomes only a little wider, while plain resizing makes it broad.
#
# ## Seams: which path has the minimum cost?
#
# Avidan and Shamir define the cost of a pixel as its gradient; all costs form the [energy map](glossary.md#energy-map) $e = |\partial I/\partial x| + |\partial I/\partial y|$.
# The best path does not always contain the cheapest pixel of a row, and it does not always take the cheapest step.
# But if you cut the best path at one of its pixels, the part above that pixel is the best path to that pixel.
# Therefore it is enough to fill one table $M$, row by row:
#
# $$M(i, j) = e(i, j) + \min\bigl(M(i-1, j-1),\; M(i-1, j),\; M(i-1, j+1)\bigr).$$
#
# For each pixel of the bottom row, the last row of $M$ contains the cost of the best seam that ends at this pixel.

# %%
from dil_teach.classical.seams.seams import energy_map
from dil_teach.notebook import beside_maps

energy = energy_map(picture)
show(
    beside_maps(
        {},
        {"energy map": energy},
        (0.0, float(energy.quantile(0.98))),
        "energy: sum of two gradients",
    ),
    alt="The energy map of the photograph, with large values on outlines and values "
    "near 0 in smooth parts",
)

# %% [markdown]
# The outlines have a high cost, so seams avoid them.
#
# ## Exercise: the seam of least energy
#
# Write `least_seam(energy)`.
# `energy` is `Float[Tensor, "h w"]`, with values of at least 0.
# The result is `Int[Tensor, "h"]`: for each row, from top to bottom, the column of the seam in pixels from the left.
# From one row to the next, the seam moves by at most one column, and the sum of the energies along the seam is minimal.
# (If several seams have this minimal sum, return any of them.)
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
# At which pixel of the last row does the trace start?
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
# The resulting list of columns goes from the bottom row to the top row.
#
# </details>

# %% [markdown]
# The next cell removes two of every five columns with your function if it passed the check, and with the library's otherwise.

# %%
done = check.least_seam(least_seam).state == "passed"
seam_of = least_seam if done else check.least_seam.reference


def without(image, seam):
    """The image without the pixels of a seam."""
    kept = torch.ones(image.shape[1:], dtype=torch.bool)
    kept[torch.arange(image.shape[1]), seam.cpu()] = False
    return image[:, kept].view(len(image), image.shape[1], -1)


carved = picture
for _ in range(across - round(0.6 * across)):
    carved = without(carved, seam_of(energy_map(carved)))

# %% [markdown]
# ## Forward energy: what will the image look like without the seam?
#
# The gradient describes the image *before* the seam is removed.
# But we see the image *after* the removal, when other pixels are neighbours.
# The forward energy [@rubinstein2008] is the sum of the differences between the pixels that become neighbours.
# In each row, the pixels left and right of the seam become neighbours.
# If the seam comes from the upper left, pixel $(i-1, j)$ also comes to lie above pixel $(i, j-1)$; if it comes from the upper right, above pixel $(i, j+1)$.
# So each pixel has three costs:
#
# $$C_U = |I_{i,j+1} - I_{i,j-1}|, \quad C_L = C_U + |I_{i-1,j} - I_{i,j-1}|, \quad C_R = C_U + |I_{i-1,j} - I_{i,j+1}|,$$
#
# $$M(i, j) = \min\bigl(M(i-1, j-1) + C_L,\; M(i-1, j) + C_U,\; M(i-1, j+1) + C_R\bigr).$$
#
# The next cell contains the whole method, including its table:


# %% tags=["algorithm"]
def forward_seam(grey):
    """The seam whose removal creates the smallest differences; grey is [h w]."""
    replicated = torch.cat([grey[:, :1], grey, grey[:, -1:]], dim=1)
    left, right = replicated[:, :-2], replicated[:, 2:]
    meet = (right - left).abs()  # pixels that the removal makes neighbours
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
# The library uses the same method, but after each seam it recomputes only the costs that changed.
# The next cell compares our seam with the library's seam, and shows the images that both energies leave:

# %%
from dil_teach.classical.seams.seam_carving import carve
from dil_teach.classical.seams.seams import find_seam, seam_energy
from dil_teach.image.metrics import luma

forward_costs = energy_map(photograph, "forward")
seam_sums = [
    seam_energy(forward_costs, seam)
    for seam in (forward_seam(luma(photograph)[0].float()), find_seam(forward_costs))
]
print("energy of our seam {:.4f}, of the library's seam {:.4f}".format(*seam_sums))
forward = carve(picture, (picture.shape[1], round(0.6 * across)))

# %%
show(
    {"backward energy": carved, "forward energy": forward},
    alt=f"{subject}, at 0.6 of the width with backward energy; and with forward energy",
)

# %% [markdown]
# Backward energy creates steps where seams cross an oblique outline, most clearly at the edge of the helmet.
# Forward energy avoids crossings that would be visible.
# Forward energy is the library's default.
#
# ## Protect, and remove
#
# You know better than a gradient which parts of a photograph matter.
# Paint a part that should be *protected*: seams avoid this part as long as possible.
# Paint a part that should be *removed*: seams pass through this part until nothing of it is left.
# Then run the cells below again.
# (Before you paint, the face is protected and the model of the rocket is removed.)


# %%
def ellipse(top, left, bottom, right):
    """A mask: 1 in the ellipse inside a box, given in fractions of height and width."""
    y = (torch.arange(height) + 0.5)[:, None] / height
    x = (torch.arange(width) + 0.5) / width
    down = (2 * y - top - bottom) / (bottom - top)
    aside = (2 * x - left - right) / (right - left)
    return (down**2 + aside**2 < 1).float()[None]


middle = ellipse(0.25, 0.3, 0.75, 0.7)
face = middle if own else ellipse(-0.02, 0.27, 0.42, 0.62)
features = middle if own else ellipse(0.08, 0.34, 0.34, 0.55)  # without the hair
thing = middle if own else ellipse(-0.08, 0.67, 0.68, 0.95)

# %%
from dil_teach.notebook import paint

protected = paint(photograph, "protected part", mask=face)
removed = paint(photograph, "part to remove", mask=thing)

# %% [markdown]
# Stripes show the painted parts: in our photograph, the head is protected and the model of the rocket is removed.

# %%
from dil_teach.classical.seams.seam_carving import remove_object

small_keep = protected.mask.to(device())
keep, drop = (  # the masks at the size of the larger picture
    torch.nn.functional.interpolate(mask[None], picture.shape[1:])[0, 0].to(device())
    for mask in (protected.mask, removed.mask)
)
half = (picture.shape[1], round(0.45 * across))
masked = {
    "0.45 wide": carve(picture, half),
    "0.45 wide, protected": carve(picture, half, protect=keep),
    "removed": remove_object(picture, drop > 0, protect=keep * (drop == 0)),
}

# %%
show(
    masked,
    alt=f"{subject} at less than half its width with the face squeezed; the same "
    "width with the face protected; and the photograph without the painted object",
)

# %% [markdown]
# At 0.45 of the width, an unprotected face is squeezed.
# A protected face keeps its shape, but everything else is distorted.
# In the image on the right, the model of the rocket is gone.
# But each seam continues to the bottom of the image, so half of the helmet, *below* the model, was removed as well.
# The edge of the table has a visible jump, where the parts on both sides of the removed model do not fit together.
# (If you pass a `size` to `remove_object`, the function duplicates other seams after the removal to restore the width.)
#
# ## Bidirectional similarity
#
# What should a result have in common with its photograph?
# @simakov2008 ask two questions about patches, which have 7 x 7 pixels in this chapter.
# Does the target $T$ contain every patch of the source $S$ (**completeness**)?
# Does the source $S$ contain every patch of the target $T$ (**coherence**)?
#
# $$d(S, T) = \underbrace{\frac{1}{N_S}\sum_{p \in S} \min_{q \in T} D(p, q)}_{\text{completeness}} \;+\; \underbrace{\frac{1}{N_T}\sum_{q \in T} \min_{p \in S} D(p, q)}_{\text{coherence}}$$
#
# Completeness and coherence are both errors, so 0 is the best value.
# The dissimilarity $D(p, q)$ of two patches is the mean squared difference of their values.
# Unlike in chapter 01, we do not subtract the patches' means, because a dark wall should differ from a bright wall.
# The sum $d(S, T)$ is called [bidirectional similarity](glossary.md#bidirectional-similarity); despite its name, it measures *dis*similarity.
# It is not a distance: $d(S, T) = 0$ for any two images with the same patches, wherever the patches are.
#
# ## Exercise: the similarity score
#
# Write `similarity(source, target, patch_size=7)`.
# `source` and `target` are images, `Float[Tensor, "c h w"]`, with the same number of channels and values in [0, 1]; their sizes may differ.
# The result is two numbers, first completeness, then coherence.
# Each number is the mean squared difference from a patch to its nearest patch in the other image, averaged over all patches.
# `extract_patches(image, patch_size)` returns the patches as rows, `Float[Tensor, "patches values"]`.
# Expected run time: about a second.


# %% tags=["exercise"]
from dil_teach.patches.extract import extract_patches


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
# Make one table that contains the distance from each source patch to each target patch.
# Compute completeness along one axis of this table and coherence along the other axis.
#
# </details>
# <details><summary>Hint 2</summary>
#
# For each row of `a` and each row of `b`, `torch.cdist(a, b)` gives the *root* of the sum of squared differences.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Square the output of `torch.cdist`, divide by the number of values in a patch, take the minimum along one axis, and average the minima.
#
# </details>

# %% [markdown]
# ## Each term alone
#
# The next cells make two useless images (question 2) from the photograph at half its size, and measure them with your function if it passed the check.
# The first image is a corner of the photograph.
# The second image is the photograph pasted into noise.

# %%
from dil_teach.patches.similarity import bidirectional_similarity, completeness

done_2 = check.similarity(similarity).state == "passed"
measure = similarity if done_2 else bidirectional_similarity

rng = torch.Generator().manual_seed(seed)
small = resize(photograph, 0.5).clamp(0, 1)
channels, rows, columns = small.shape
corner = small[:, : max(rows // 2, 7), : max(columns // 2, 7)]
pasted = torch.rand(channels, rows, 2 * columns, generator=rng).to(device())
pasted[:, :, columns // 2 : columns // 2 + columns] = small

# %%
alone = {"a corner": corner, "pasted into noise": pasted}
alone_errors = {n: measure(small, i) for n, i in alone.items()}
show(
    alone,
    alt=f"A corner of {subject}; and the whole photograph between two broad stripes "
    "of coloured noise",
    zoom=3,
)
for name, (missing, made_up) in alone_errors.items():
    print(f"{name:20} completeness {missing:.5f}, coherence {made_up:.5f}")

# %% [markdown]
# The corner has no new patches, so its coherence error is exactly 0, but most of the photograph is missing.
# The photograph in noise misses nothing, so its completeness error is exactly 0, but half of the image is noise.
# So each term alone accepts a useless image.
#
# In the paper's update of the target, patches vote for the values of its pixels.
# For every target patch, its nearest source patch votes at the position of the target patch (coherence).
# Every source patch votes at the position of its nearest target patch (completeness).
# Each pixel of the target becomes the mean of the votes for this pixel.
# `alpha` is the weight of completeness: 0 means coherence only, 1 means completeness only.

# %%
from dil_teach.classical.retarget.bidirectional import update
from dil_teach.notebook import show_source

show_source(update)

# %% [markdown]
# We start from pure noise, so everything in the result comes from the update:

# %%
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

noise = torch.rand(channels, rows, 2 * columns, generator=rng)
alphas = {"coherence alone": 0.0, "both terms": 0.5, "completeness alone": 1.0}


def updated(alpha):
    target = noise.to(device())
    for _ in range(15):
        target = update(target, [small], [None], alpha)
    return target, measure(small, target)


with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    targets, errors = zip(*pool.map(updated, alphas.values()), strict=True)
from_noise = dict(zip(alphas, targets, strict=True))
noise_errors = dict(zip(alphas, errors, strict=True))

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
# Completeness alone places every piece of the photograph somewhere and leaves noise between the pieces.
# Both terms together give pieces of all parts of the photograph, without noise.
# But these pieces do not form an astronaut, because patches of 7 pixels do not contain the arrangement of objects.
# Therefore the update needs a good *initialisation*.
#
# ## Gradual resizing
#
# The paper starts from the source itself, changes its width by a few pixels, improves the image by updates, and repeats both steps.
# So the result at each width initialises the next width.
# (The photograph of the flower is by vultilion, licence CC BY 2.0; scikit-learn contains it.)

# %%
flower = photo("flower", size=side).to(device())
little = resize(flower, size=(40, 40)).clamp(0, 1)


def gradually(source, width, updates=2):
    """The results at all widths between the source's and ``width``: {width: image}."""
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
    "A dahlia of 40 x 40 pixels, resized to a width of {now} pixels by gradual "
    "resizing, by seams and by plain resizing",
    examples=[{"now": 24}, {"now": 64}],
    live=True,
)

# %% [markdown]
# The results of gradual resizing look much like those of plain resizing.
# The narrower flower is an oval and less sharp than before; the wider flower is asymmetric, with petals added on one side.
# Each step of gradual resizing was so small that the patches hardly changed, and no patch contains the flower's round shape.
# Seams keep the flower rounder in both directions, because they remove or repeat the smooth background first.
# (The cell above is a reduction of the paper's method: the paper compares patches at several scales.)
#
# ## Who keeps the flower round: the initialisation
#
# The library's method also starts with a coarse image: if the image is only 20 pixels wide, a patch of 7 pixels covers a third of the width.
# It differs from the paper's method in two ways.
# Its initial image is a [content-aware stretch](glossary.md#content-aware-stretch) of the photograph: columns with much detail keep their width, and smooth columns change most [@wang2008, here each axis alone].
# Among similar patches, the search prefers patches near the position that they have in the initial image.
# The next figure shows the initialisation itself, too, and measures the width of the flower divided by its height:

# %%
from scipy import ndimage

from dil_teach.classical.retarget import bidirectional
from dil_teach.classical.retarget.layouts import stretch

square = {"narrower": (side, round(0.6 * side)), "wider": (side, round(1.6 * side))}
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    by_patches = pool.map(lambda n: bidirectional.retarget(flower, n), square.values())
flowers = {}
for (words, size), by_patch in zip(square.items(), by_patches, strict=True):
    flowers[f"seams, {words}"] = carve(flower, size)
    flowers[f"stretch alone, {words}"] = stretch(flower, size)[0]
    flowers[f"patches, {words}"] = by_patch


# %%
def aspect_ratio(image):
    """Width divided by height of the largest orange object."""
    orange = (image[0] - image[2] > 0.25).cpu().numpy()
    labels, _ = ndimage.label(orange)
    boxes = ndimage.find_objects(labels)
    rows, columns = max(boxes, key=lambda b: b[0].stop - b[0].start)
    return (columns.stop - columns.start) / (rows.stop - rows.start)


# %%
ratios = {name: aspect_ratio(image) for name, image in flowers.items()}
print(f"{'source':26} width / height of the flower {aspect_ratio(flower):.2f}")
for name, ratio in ratios.items():
    print(f"{name:26} {ratio:.2f}")
show(
    {"source": flower} | flowers,
    alt="A round dahlia, and six results. Seams: nearly round if narrower, an oval if "
    "wider. Stretch alone and patches: nearly round.",
    zoom=2,
)

# %% [markdown]
# **The initialisation keeps the flower nearly round; the patches keep this shape.**
# (In the narrower image, the flower is wider than the image, so no method can keep it quite round.)
# The patches make its outline irregular.
# What do they add?
# In the wider image, the stretch draws the background out sideways, and the patches replace it by background that looks like the photograph's.
#
# ## Where is a result bad? Two heatmaps
#
# Each patch has its own distance to its nearest patch in the other image.
# A heatmap shows the distance of each patch at the position of the patch; completeness and coherence are the averages of these distances.
# The heatmap of the photograph shows what is *missing* in the result; the heatmap of the result shows what is *new* in the result.
# We make the photograph narrower and wider in several ways.
# Three of these ways are simple [baselines](glossary.md#baseline).
# **A crop** keeps the middle of the photograph.
# **Tiled** places copies of the photograph side by side.
# The **column warp** repeats or omits groups of neighbouring columns, and cuts where the joint is least visible.

# %%
from dil_teach.classical.retarget import patch_generation
from dil_teach.classical.retarget.column_warp import column_warp


def retargeted(words, size):
    made = {
        "plain resizing": resize(photograph, size=size).clamp(0, 1),
        "seams": carve(photograph, size),
        "stretch alone": stretch(photograph, size)[0],
        "patches": bidirectional.retarget(photograph, size),
        "GPNN": patch_generation.retarget(photograph, size),
        "column warp": column_warp(photograph, size[1]),
    }
    return {f"{name}, {words}": image for name, image in made.items()}


# %%
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    longer_job = pool.submit(retargeted, "wider", (height, wide))
    results = retargeted("narrower", (height, narrow)) | longer_job.result()

# %%
left = (width - narrow) // 2
results["a crop, narrower"] = photograph[:, :, left : left + narrow]
results["tiled, wider"] = photograph.repeat(1, 1, 2)[:, :, :wide]

# %%
from functools import cache

from dil_teach.patches.search import nearest_patches


@cache
def matches(name):
    """The nearest patches of the photograph in a result, and the other way round."""
    pair = photograph, results[name]
    return [nearest_patches(*two, 7, exact=True) for two in (pair, pair[::-1])]


def heat(name):
    """Two maps of D: what of the photograph is missing, what in the result is new."""
    return [found.distance[..., 0] / (49 * channels) for found in matches(name)]


# %%
def render_heat(name):
    missing, made_up = heat(name)
    maps = {
        f"completeness {missing.mean():.5f}": 255 * missing.sqrt(),
        f"coherence {made_up.mean():.5f}": 255 * made_up.sqrt(),
    }
    return beside_maps({name: results[name]}, maps, (0.0, 51.0), "grey levels")


# %%
from dil_teach.notebook import Choice

heat_choice = explore(
    render_heat,
    {"name": Choice("Result", tuple(results), "patches, narrower")},
    "The result: {name}; and two heatmaps, with large values where a patch has no "
    "similar patch in the other image: one of the photograph, one of the result",
    examples=[
        {"name": name}
        for name in (
            "patches, narrower",
            "a crop, narrower",
        )
    ],
)

# %% [markdown]
# The first map belongs to the photograph, and the second map belongs to the result; the colours are the root of $D$.
# For plain resizing (choose it), both maps are bright at outlines that were squeezed: the stripes, the collar, the helmet.
# For the crop, the second map is 0 everywhere, because the crop has no new patches.
# The first map of the crop is bright at the two sides of the photograph, which were cut off.
# For the method *patches*, the mean of the second map is only a seventh of the mean for plain resizing.
# But its brighter lines run down the face and the chest, and the face is distorted.
# **The map shows where the error is; the mean of the map does not.**
#
# And the crop has a smaller $d(S, T)$ than the patches: **the crop is a way to cheat the measure.**
# Who keeps the face?
# The next cell prints the completeness of the face alone (without the hair):


# %%
from dil_teach.patches.similarity import patch_weights

looks = features.to(device())
ways = [n.removesuffix(", narrower") for n in results if "narrower" in n]
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    maps = list(pool.map(lambda n: heat(f"{n}, narrower")[0].flatten(), ways))
weights = patch_weights(looks, photograph, 7)  # the weight of each patch
faces = {
    name: float((weights * errors).sum() / weights.sum())
    for name, errors in zip(ways, maps, strict=True)
}

# %%
for name, missing in faces.items():
    print(f"{name:15} completeness of the face {missing:.5f}")
kept = ("seams", "stretch alone", "patches")
show(
    {n: results[f"{n}, narrower"] for n in kept},
    alt=f"{subject}, at 0.6 of the width by seams, by the stretch alone and by patches",
    zoom=3,
)

# %% [markdown]
# Seams keep the face unchanged.
# With 80 pixels (the budget `quick`), the stretch alone also keeps the face better than the patches do: the patches start from this stretch, lower $d(S, T)$, and damage the face.
# With 104 pixels (`standard`), a patch covers a smaller part of the face, and the patches keep it better than the stretch.
# So in this photograph, the patches damage the face if a patch is large compared with the face; one photograph proves no rule.
#
# ## Importance weights
#
# If you know which parts matter, you can set [importance weights](glossary.md#importance-weights): patches with a large weight have more influence on completeness and coherence than other patches.
# The protected part, which was painted above, has weight 10; the rest of the image has weight 1.

# %%
importance = 1 + 9 * small_keep
weighted = bidirectional.retarget(photograph, (height, narrow), importance=importance)
pair = {"without weights": results["patches, narrower"], "with weights": weighted}
show(
    pair,
    alt=f"{subject}, resized to 0.6 of the width by patches: the face is distorted "
    "without weights, and not distorted with ten times the weight on the face",
)
kept_face = {
    name: completeness(photograph, image, importance=small_keep)
    for name, image in pair.items()
}
for name, missing in kept_face.items():
    print(f"{name:16} completeness of the painted part {missing:.5f}")

# %% [markdown]
# With weights, the face looks as in the photograph, but the flag is gone, except for specks and a red smear beside the collar; the result is almost a crop.
# Weights do not create space; they select which parts of the image lose space.
#
# ## Reshuffling: move an object
#
# The same update also works if a part of the image must not change.
# We cut the lower flower out of the photograph, fill the hole smoothly, and paste the flower further to the left.
# The pasted flower stays fixed, while the update changes the rest of the image; we try two values of `alpha`.
# Which result would you like to see?
# Which result do completeness and coherence prefer?

# %%
from dil_teach.classical.retarget.layouts import move_object

side_of_flower = flower.shape[1]
y = (torch.arange(side_of_flower)[:, None] + 0.5) / side_of_flower
lower = ((y > 0.86) & (y.T > 0.42) & (y.T < 0.86)).float()[None].to(device())
edited, fixed = move_object(flower, lower, (0, -round(0.38 * side_of_flower)))
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    made = pool.map(
        lambda alpha: bidirectional.reshuffle(flower, edited, fixed, alpha), (0.05, 0.5)
    )
names = ("the rough edit", "mostly coherence", "both terms")
moved = dict(zip(names, (edited, *made), strict=True))

# %%
show(
    moved,
    alt="A dahlia above a second dahlia that was cut out and pasted further to the "
    "left; and two results in which the surroundings of the pasted flower fit",
    zoom=2,
)

# %% [markdown]
# The lower flower is at the position where we fixed it, and its surroundings fit.
# But the lower flower is also back at its old position, so there are three flowers instead of two, even when completeness has almost no weight.
# The cause is coherence: parts of the flower remain around the hole, so the most coherent filling is the original content.
# Neither completeness nor coherence penalises a repeated object.
#
# ## Good values, bad images
#
# The table contains all measures; below it are four of the wider images.
# The column *moved* is the mean distance between the position of a patch in the result and the position of its nearest patch in the photograph, as a fraction of the width.
# (If an object appears twice in the result, at least one copy has moved.)
# The last column of the table is the [recurrence score](glossary.md#recurrence-score) of chapter 01, for the wider images.

# %%
from dil_teach.patches.recurrence import recurrence_score


def moved_by(name):
    """Mean distance between a patch of the result and its nearest patch, in widths."""
    columns = matches(name)[1].column[..., 0].double()
    before = (columns + 7 / 2) / width
    place = torch.arange(columns.shape[1]).to(columns)
    return float((before - (place + 7 / 2) / results[name].shape[2]).abs().mean())


def measured(name):
    missing, made_up = (float(values.mean()) for values in heat(name))
    return missing, made_up, missing + made_up, moved_by(name)


# %%
recur = {name: image for name, image in results.items() if "wider" in name}
recur["photograph"] = photograph
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    scores = pool.map(recurrence_score, recur.values())
    table = dict(zip(results, pool.map(measured, results), strict=True))
scores = dict(zip(recur, scores, strict=True))
table["photograph"] = (0.0, 0.0, 0.0, 0.0)

# %%
print(f"{'':26} completeness  coherence   d(S, T)  moved  recurrence")
for name in sorted(table, key=lambda name: ("wider" in name, table[name][2])):
    missing, made_up, total, far = table[name]
    print(f"{name:26} {missing:12.5f} {made_up:10.5f} {total:9.5f}", end="")
    print(f" {far:6.2f} {scores.get(name, float('nan')):11.2f}")

# %%
show(
    {name: results[name] for name in [*list(results)[9:12], "tiled, wider"]},
    alt=f"{subject}, made 1.6 times as wide in four ways. Patches and GPNN: some "
    "repeated objects. Column warp: repeated parts with visible cuts. "
    "Tiled: the photograph beside a part of its copy.",
    zoom=2,
)

# %% [markdown]
# First read the measures of the wider images.
# The tiled image and the column warp have almost perfect completeness, because they contain nearly all patches of the photograph.
# Their coherence is no worse than that of the methods, so they are a second way to cheat the measure.
# Now count the objects in the images.
# **Tiled** shows two flags and two astronauts, and the second astronaut is cut off.
# The **column warp** shows half an astronaut, cut along a straight edge, beside a whole astronaut; at the right it shows a second piece of the model and the helmet.
# **Patches** and **GPNN** [@granot2022] show one astronaut, but a helmet with two humps, a piece of a second model at the right border, and a distorted face.
# **Seams** and the **stretch** (choose them above the heatmaps) show each object once, with the collar and the helmet stretched, but their measures are much worse.
# Therefore the answer to question 3 is no: *a bad image can have good patch measures, so never rely on them alone.*
#
# The measure *moved* detects the tiled image, but not the column warp, whose copies are close to their originals.
# The recurrence score of every wider image is higher than that of the photograph, because stretched and repeated parts recur more.
# The score of plain resizing is closest to that of the photograph, but plain resizing is not the best result.
#
# ### Who did the work?
#
# The next tables show the same on ten photographs, with the run of this chapter beside it.

# %%
from dil_teach.course.credit import show_credit

names = {
    "content-aware stretch": "stretch alone",
    "plain resizing": "plain resizing",
    "seams": "seams",
    "column warp": "column warp",
    "patches, from the stretch": "patches",
    "GPNN, from the stretch": "GPNN",
}


def of_this_run(words, cheat):
    """d(S, T) in units of 0.0001, by the names of the record."""
    here = {n: 1e4 * table[f"{m}, {words}"][2] for n, m in names.items()}
    return here | {"a crop, or tiled copies": 1e4 * table[f"{cheat}, {words}"][2]}


credit = show_credit("retargeting_narrower", of_this_run("narrower", "a crop"))

# %%
credit_wider = show_credit("retargeting_wider", of_this_run("wider", "tiled"))

# %%
here = {n: 100 * table[f"{m}, wider"][3] for n, m in names.items()}
moved_credit = show_credit("retargeting_moved", here)

# %% [markdown]
# By $d(S, T)$, the *patches* make the gain: compared with their initialisation, they halve $d$ in narrower images, and divide it by five in wider images.
# The initialisation changes $d$ less: from plain resizing, the patches reach 21.0 instead of 19.4 in narrower images, and 5.7 instead of 4.3 in wider ones.
# But the initialisation keeps the *shapes* of objects, which $d$ cannot see.
# The crop is as good as the patches; the tiled images and the wider column warp are better.
# The third table detects only the tiled images.
# So each number gives the credit to another part of the method, and none of them replaces looking at the image.
#
# ## When it fails: images in which every part matters
#
# The next image shows Greek coins from Pompeii (photograph: Brooklyn Museum, no known copyright restrictions).
# The image has no smooth columns that seams could remove, and patches cannot count objects.

# %%
coins = photo("coins", size=side).to(device())
fails = {"source": coins}
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    by_patches = pool.map(lambda n: bidirectional.retarget(coins, n), square.values())
for (words, size), by_patch in zip(square.items(), by_patches, strict=True):
    fails[f"seams, {words}"] = carve(coins, size)
    fails[f"patches, {words}"] = by_patch

# %%
show(
    fails,
    alt="Four rows of coins. The narrower image by seams: thin coins. The narrower "
    "image by patches: fewer coins. The wider image by seams: long coins. The wider "
    "image by patches: more coins.",
    zoom=2,
)

# %% [markdown]
# Seams keep all coins, but make the coins that they cross thin or wide.
# The patches keep most coins round; some coins are missing in the narrower image, because one of two similar coins is enough for completeness.
# Their wider image contains additional coins: whole coins, small ovals, and a few coins that have merged.
# Which result is right depends on the purpose of the image, which neither method knows.
# In *your* photograph, look at repeated objects, at straight lines across the image, and at faces, where errors are most visible.

# %%
wider = {n.removesuffix(", wider"): row for n, row in table.items() if "wider" in n}
narrower = {n.removesuffix(", narrower"): r for n, r in table.items() if "narr" in n}
lost, invented = ({n: e[i] for n, e in noise_errors.items()} for i in (0, 1))
missing, added = ({n: e[i] for n, e in alone_errors.items()} for i in (0, 1))
claims = {
    "our seam costs as much as the library's seam": (
        abs(seam_sums[0] - seam_sums[1]) < 1e-4
    ),
    "a corner contains no new patches": added["a corner"] < 1e-6,
    "much of the photograph is missing in a corner": missing["a corner"] > 0.005,
    "the image pasted into noise contains all patches of the photograph": (
        missing["pasted into noise"] < 1e-6
    ),
    "the noise around a photograph is new": added["pasted into noise"] > 0.01,
}

# %%
claims |= {
    "coherence alone loses over three times as much as both terms together": (
        lost["coherence alone"] > 3 * lost["both terms"]
    ),
    "completeness alone adds over 1.5 times as much as both terms together": (
        invented["completeness alone"] > 1.5 * invented["both terms"]
    ),
}

# %%
claims |= {
    "wider: the stretch alone keeps the flower within 10% of round": (
        abs(ratios["stretch alone, wider"] - 1) < 0.1
    ),
    "the patches keep the flower's shape as the stretch made it": all(
        abs(ratios[f"stretch alone, {n}"] - ratios[f"patches, {n}"]) < 0.1
        for n in ("narrower", "wider")
    ),
    "seams keep the face better than the patches": faces["seams"] < faces["patches"],
    "with 80 pixels, so does the stretch alone": (
        side > 80 or faces["stretch alone"] < faces["patches"]
    ),
}

# %%
claims |= {
    "a crop has a smaller d than the patches": (
        narrower["a crop"][2] < narrower["patches"][2]
    ),
    "wider image: patches have under half the error of plain resizing": (
        wider["patches"][2] < wider["plain resizing"][2] / 2
    ),
    "wider image: tiled and column warp have less error than patches": (
        max(wider["tiled"][2], wider["column warp"][2]) < wider["patches"][2]
    ),
    "tiled: patches moved by over 0.2 of the width": wider["tiled"][3] > 0.2,
    "column warp: patches moved by under 0.15 of the width": (
        wider["column warp"][3] < 0.15
    ),
}

# %%
# NBVAL_CHECK_OUTPUT
claims |= {
    "ten photographs, narrower: patches halve the d of their initialisation": (
        credit["patches, from the stretch"] < 0.55 * credit["content-aware stretch"]
    ),
    "weights reduce the error of the painted part to under a third": (
        kept_face["with weights"] < kept_face["without weights"] / 3
    ),
    "every wider image has a higher recurrence score than the photograph": (
        min(scores[f"{name}, wider"] for name in wider) > scores["photograph"]
    ),
}
check_claims(claims, own)  # the claims may not hold for your own photograph

# %% [markdown]
# ## Mini-project: a measure that cannot be cheated
#
# Propose a measure, or a term beside $d(S, T)$, that the crop, the tiled image and the column warp cannot cheat, and test it.
# Hand in one page with the formula, a table and the pictures.
#
# | criterion | points |
# |---|---|
# | the measure as a formula, and a prediction of the order of all results | 2 |
# | the order of at least six results by the measure, on at least three photographs | 3 |
# | the three cheats of the chapter, and one new attempt to cheat your measure | 3 |
# | the order by eye of at least two people, written down before the measure was computed | 1 |
# | a conclusion that the numbers support, also if the measure fails | 1 |
#
# On the command line, `dil-teach retarget PHOTO.jpg wide.png --method seam --scale-x 1.5` makes a photograph wider by seams; `--method bidirectional` uses patches instead.
#
# ## Summary
#
# - Dynamic programming finds the best seam with one table, row by row.
#   Forward energy measures the differences that appear when the seam is removed.
#   Seams distort the objects that they cross, and in an image full of detail they must cross objects.
# - Completeness measures what is missing, and coherence measures what is new; their sum is a dissimilarity.
#   A useless image can be perfect in completeness or in coherence.
# - A method that minimises both needs a good initialisation: the content-aware stretch keeps the shape of objects, and the patches replace what the stretch has drawn out.
# - Heatmaps show where a result is bad; importance weights select the parts that are kept.
# - A crop, a tiled image and a column warp that makes the image wider have good completeness and coherence, although all three are bad images.
#   Patches contain neither the positions nor the number of the objects, so look at the image and count the objects.
#   Chapter [12](12_ingan.ipynb) shows the results of a network that learns the distribution of patches.
#
# ## References
