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
# # 03 · Denoising with patches: how far do recurring patches carry?
#
# A photograph taken in weak light is noisy.
# In this chapter, we remove the noise with the [patches](glossary.md#patch) of the noisy photograph itself, by three methods that have no network.
#
# **After this chapter you can**
#
# - write [non-local means](glossary.md#non-local-means), and say how much noise its weights leave in a pixel;
# - filter a group of similar blocks by [collaborative filtering](glossary.md#collaborative-filtering), the heart of BM3D;
# - update one atom of a learned [dictionary](glossary.md#dictionary), as in K-SVD;
# - read the [method noise](glossary.md#method-noise) of a result, and name the pictures on which the methods fail.
#
# **What you need**: chapter [01](01_patch_recurrence.ipynb), and matrix products.
# No network is trained here, and no GPU is needed.
# Reading takes 45 minutes; running all cells takes less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, start

seed = 0
start(budget, seconds={"quick": 30, "standard": 60, "full": 110})

# %% [markdown]
# `budget` changes only the size of the photograph.
# The [seed](glossary.md#seed) determines the noise.
#
# ## What the methods achieve
#
# First, results that were computed beforehand, from a photograph of 512 x 512 pixels; the pictures show a part of 256 x 256 pixels.
# (Photograph: Lav Varshney, CC0.)
# The methods saw nothing but this noisy photograph and the strength of its noise.
# `data/draw_openings.py` made these pictures.

# %%
from dil_teach.course.openings import show_opening

opening = show_opening(
    "denoising",
    {
        "noisy": "A man with a camera, under strong grain",
        "non-local means": "The same, with sharp outlines and a little uneven noise",
        "K-SVD": "The same without noise, with slightly soft outlines",
        "BM3D": "The same without noise, with sharp outlines",
        "ground truth": "The photograph of the man with the camera",
    },
)

# %% [markdown]
# BM3D, from the year 2007, removes nearly all of the noise and keeps the outlines, without any training.
# You will write the central step of each method, and see what they lose: fine texture.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, press the button and choose a file.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# Choose a photograph *without* visible noise: the chapter adds the noise, so that the truth is known.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from dil_teach import photo, resize
from dil_teach.notebook import uploaded_image

side = {"quick": 256, "standard": 384, "full": 512}[budget]
ours = photo("camera", size=side)
photograph = uploaded_image(button.value, default=ours)
own = photograph is not ours
if own:  # the square in the middle, in grey, at the size of our photograph
    short = min(photograph.shape[1:])
    top, left = ((n - short) // 2 for n in photograph.shape[1:])
    photograph = photograph[:, top : top + short, left : left + short]
    photograph = resize(photograph.mean(0, keepdim=True), size=(side, side))
truth = photograph.clamp(0, 1)
subject = "your photograph" if own else "a man with a camera on a tripod, on grass"

# %% [markdown]
# We add [white noise](glossary.md#white-noise) with a [standard deviation](glossary.md#standard-deviation) of 25 grey levels, and neither clamp nor round the result.
# All methods are told this standard deviation.

# %%
from dil_teach import psnr
from dil_teach.image.augment import add_noise
from dil_teach.notebook import show

sigma = 25 / 255
noisy = add_noise(truth, sigma, torch.Generator().manual_seed(seed))


def titled(pictures):
    """Give each picture a title: its name and its PSNR; the ground truth comes last."""
    found = {f"{t}\n{psnr(p, truth):.2f} dB": p for t, p in pictures.items()}
    return found | {"ground truth": truth}


show(
    titled({"noisy": noisy}),
    alt=f"The noisy photograph and its ground truth: {subject}",
)

# %% [markdown]
# Learning the dictionary of the section *A learned dictionary* takes longest, so we start it now, in a second thread.

# %%
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

from dil_teach.classical.denoise import ksvd

background = ThreadPoolExecutor(1)
learning = background.submit(ksvd.learn_dictionary, noisy, sigma)

# %% [markdown]
# The noise covers the grass and the small buildings; the man and the tripod remain visible.
# The titles show the [PSNR](glossary.md#psnr) of the whole picture, also where we show only a part.
#
# ## Predict first
#
# Write down your answers to these four questions; the chapter tests each answer.
#
# 1.
#    The mean of $n$ pixels with the same true value and independent noise has $1/\sqrt{n}$ times the noise.
#    A method averages each pixel with those pixels of its neighbourhood whose surroundings look alike.
#    Where does it leave more noise: in the sky, or at the white collar of the man?
# 2.
#    A stack of 16 similar blocks of 8 x 8 pixels has 1024 values.
#    We transform the stack, and keep only coefficients above 2.7 times the noise.
#    How many of the 1024 coefficients remain in the sky?
# 3.
#    K-SVD learns 256 small pictures, called atoms, from *noisy* patches, and from nothing else.
#    Do the atoms look noisy?
# 4.
#    You save the noisy photograph as a JPEG file before you denoise it.
#    Is denoising now easier, or harder?
#
# ## The smallest demo: averages
#
# The simplest way to remove noise is to replace each pixel by the mean of a square around it.

# %%
import torch.nn.functional as F


def mean_of_square(image, width):
    padded = F.pad(image[None], [width // 2] * 4, mode="reflect")
    return F.avg_pool2d(padded, width, stride=1)[0]


show(
    titled({f"mean of {n} x {n}": mean_of_square(noisy, n) for n in (3, 7)}),
    alt="The mean of 3 x 3 pixels is still noisy and slightly soft; the mean of 7 x 7 "
    "pixels has hardly any noise, but all outlines are blurred",
    crop=(side // 16, side // 4, side // 2, side // 2),
    zoom=2,
)

# %% [markdown]
# A larger square removes more noise, but it also averages pixels with *different* true values, so all edges are blurred.
# We want an average over many pixels with the *same* true value.
# Chapter 01 says where to find them: small patches recur in the photograph.
#
# ## Theory: non-local means
#
# Buades, Coll and Morel replace each pixel $i$ by a weighted mean of the pixels $j$ in a window around it [@buades2005]:
#
# $$\hat x_i = \frac{\sum_j w_{ij}\, y_j}{\sum_j w_{ij}}, \qquad w_{ij} = \exp\left(-\frac{\max(d_{ij} - 2\sigma^2,\, 0)}{h^2}\right).$$
#
# Here $d_{ij}$ is the mean squared difference of the patches around $i$ and $j$, in which pixels near the centre count more.
# Two noisy patches of the *same* pattern have an expected distance of $2\sigma^2$, because the noise of both contributes $\sigma^2$.
# So we subtract $2\sigma^2$; the paper does not.
# The filter strength $h$ says how much two patches may differ and still be averaged.
# The method has no other step:

# %% tags=["algorithm"]
from itertools import product

REACH, EDGE = 10, 3  # as in the paper: windows of 21 x 21, patches of 7 x 7 pixels
H = 0.85 * sigma
position = torch.arange(7) - 3.0
bell = torch.exp(-(position**2) / (2 * 1.5**2))
bell = torch.outer(bell, bell) / bell.sum() ** 2  # weights of the pixels of a patch


def nlm_in_ten_lines(y, sigma, h):
    near = F.pad(y, [EDGE] * 4, mode="reflect")
    far = F.pad(near, [REACH] * 4, value=1e4)  # nothing outside looks similar
    total = weights = 0
    for top, left in product(range(2 * REACH + 1), repeat=2):
        shifted = far[:, top : top + side + 6, left : left + side + 6]
        distance = F.conv2d((near - shifted) ** 2, bell[None, None])
        weight = torch.exp(-(distance - 2 * sigma**2).clamp_min(0) / h**2)
        total = total + weight * shifted[:, EDGE:-EDGE, EDGE:-EDGE]
        weights = weights + weight
    return total / weights


averaged = nlm_in_ten_lines(noisy, sigma, H)

# %%
show(
    titled({"non-local means": averaged}),
    alt="Non-local means: the outlines are sharp, and a weak uneven noise remains, "
    "most visibly in the sky and on the face",
    crop=(side // 16, side // 4, side // 2, side // 2),
    zoom=2,
)

# %% [markdown]
# Non-local means keeps the outlines sharp, because it averages along an outline and not across it.
# It removes most of the noise, but not all: a weak, uneven noise remains in the sky and on the face.
#
# ## Exercise: the weights of one pixel
#
# Write `patch_weights(patch, others, bell, sigma, h)`.
#
# - `patch`: Float[Tensor, "p p"], the patch around the pixel, with values of about [0, 1].
# - `others`: Float[Tensor, "n p p"], the patches around the pixels of the window.
# - `bell`: Float[Tensor, "p p"], the weights of a patch's pixels in the distance; their sum is 1.
# - `sigma`, `h`: the standard deviation of the noise and the filter strength, for an image in [0, 1].
# - Returns Float[Tensor, "n"]: the weights $w_{ij}$, divided by their sum.
#
# Expected run time: under a millisecond.


# %% tags=["exercise"]
def patch_weights(patch, others, bell, sigma, h):
    ### BEGIN SOLUTION
    distance = (bell * (others - patch) ** 2).sum((1, 2))
    weights = torch.exp(-(distance - 2 * sigma**2).clamp_min(0) / h**2)
    return weights / weights.sum()
    ### END SOLUTION


# %%
from dil_teach.course import check

check.patch_weights(patch_weights)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# `others - patch` subtracts the patch from each of the n patches.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The distance is a weighted sum over the last two axes; `bell` already has the sum 1, so do not divide by the number of pixels.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `clamp_min(0)` is the maximum with 0, and `torch.exp` is the exponential function.
# Divide by the sum at the end.
#
# </details>

# %% [markdown]
# The next figure uses your function if it passed the check, and the library's function otherwise.
# Click a pixel of the ground truth, or move *Row* and *Column* with the arrow keys.

# %%
weighed = check.patch_weights(patch_weights).state == "passed"
weigh = patch_weights if weighed else check.patch_weights.reference
padded = F.pad(noisy[None], [REACH + EDGE] * 4, mode="reflect")[0, 0]
all_patches = padded.unfold(0, 7, 1).unfold(1, 7, 1)


def weights_of(row, column, strength):
    """The 21 x 21 weights of one pixel; ``strength`` is h in units of sigma."""
    window = all_patches[row : row + 21, column : column + 21]
    weights = weigh(
        window[10, 10], window.reshape(-1, 7, 7), bell, sigma, strength * sigma
    )
    return weights.view(21, 21)


# %%
from matplotlib.figure import Figure


def draw_weights(row, column, strength):
    weights = weights_of(row, column, strength)
    left = float(weights.square().sum().sqrt())
    figure = Figure(figsize=(7.6, 3.4), dpi=100, layout="constrained")
    near, map_of_weights = figure.subplots(1, 2)
    window = padded[row + 3 : row + 24, column + 3 : column + 24]
    near.imshow(window, cmap="gray", vmin=0, vmax=1)
    near.set_title("noisy window")
    shown = map_of_weights.imshow(weights, cmap="viridis", vmin=0)
    map_of_weights.set_title(f"weights; noise left: {25 * left:.1f} of 25 grey levels")
    figure.colorbar(shown, ax=map_of_weights)
    for axes in (near, map_of_weights):
        axes.set_axis_off()
    return figure


# %%
from dil_teach.notebook import Clickable, Slider, explore

controls = {
    "row": Slider("Row", 0, side - 1, round(0.1 * side), 1),
    "column": Slider("Column", 0, side - 1, round(0.15 * side), 1),
    "strength": Slider("Filter strength h / sigma", 0.3, 2.0, 0.85, 0.05),
}
sky = {name: slider.default for name, slider in controls.items()}
collar = sky | {"row": round(0.4 * side), "column": round(0.352 * side)}

# %%
clicked = explore(
    draw_weights,
    controls,
    "The window around row {row}, column {column}, and its weights at filter strength "
    "{strength}: the brighter a pixel, the larger its weight",
    examples=[sky, collar],
    click=Clickable(truth, alt=f"The ground truth: {subject}"),
)

# %% [markdown]
# In the first example, a place in the sky, about three quarters of the pixels of the window have the same weight.
# In the second example, the lower end of the white collar, only the pixel itself has a large weight, so nearly all of its noise stays.
# If the weights were independent of the noise, the noise left in the mean would be $\sigma \sqrt{\sum_j w_j^2}$, the number above the weights.
# So more noise stays where few patches are similar (question 1).
# But the weights are computed from noisy patches: the dark squares in the sky's weights are places where the noise is strong.
# These pixels find few similar patches, and keep much of their noise; it is the uneven noise in the picture above.
# A larger $h$ removes more noise, but it averages patches that differ.
#
# ## Grouping: BM3D
#
# Non-local means uses similar patches only to average their central pixels.
# Dabov, Foi, Katkovnik and Egiazarian filter the similar patches *together* [@dabov2007].
# Their method is BM3D: block matching and 3-D filtering.
#
# 1. **Group.** For each reference block of 8 x 8 pixels, the most similar blocks within a window are stacked.
# 2. **Transform.** A 2-D transform of each block, and then a Haar transform along the stack, give the 3-D spectrum.
# 3. **Shrink.** All small coefficients become 0; the inverse transform gives filtered blocks.
# 4. **Average.** Each pixel becomes a weighted mean of all filtered blocks that contain it.
#
# The transforms do not change the noise: it has the standard deviation $\sigma$ in each coefficient.
# But they concentrate the picture: what the blocks have in common is stored in few large coefficients.

# %%
from dil_teach.classical.denoise.bm3d import group_spectrum
from dil_teach.classical.denoise.transforms import cosine, haar

across = cosine(8)


def blocks_at(image, places):
    return torch.stack([image[0, y : y + 8, x : x + 8] for y, x in places])


def spectrum(blocks):
    """The 3-D spectrum: a cosine transform of each block, and Haar along the stack."""
    planes = across @ blocks @ across.T
    return torch.einsum("kn,nij->kij", haar(len(blocks)), planes)


# %%
def draw_stacks(blocks, values):
    """The blocks of a group, and their spectrum beside them."""
    figure = Figure(figsize=(8.4, 4.4), dpi=100, layout="constrained")
    left, right = figure.subfigures(1, 2)
    grey, green = {"cmap": "gray", "vmax": 1}, {"cmap": "viridis", "vmax": 8}
    for part, stack, colours in ((left, blocks, grey), (right, values, green)):
        panels = part.subplots(4, 4).ravel()
        for axes in panels:
            axes.set_axis_off()
        for axes, picture in zip(panels, stack, strict=False):
            axes.imshow(picture, vmin=0, **colours)
    return figure


# %%
def draw_group(doublings, row, column):
    places, _ = group_spectrum(noisy, sigma, row, column)
    blocks = blocks_at(noisy, places[: 2**doublings])
    values = spectrum(blocks).abs() / sigma
    figure = draw_stacks(blocks, values)
    kept = (values > 2.7).sum(), values.numel()
    figure.suptitle("blocks | spectrum / sigma: {} of {} above 2.7".format(*kept))
    return figure


# %%
last = side - 8
grouped = explore(
    draw_group,
    {
        "doublings": Slider("Blocks in the group: 2 to the power of", 0, 4, 4, 1),
        "row": Slider("Row of the block", 0, last, round(0.1 * side), 1),
        "column": Slider("Column of the block", 0, last, round(0.15 * side), 1),
    },
    "Left: up to 2 to the power of {doublings} similar blocks, the first at row {row}, "
    "column {column}. Right: their spectrum; few coefficients are bright",
    examples=[
        {"doublings": 4, "row": sky["row"], "column": sky["column"]},
        {"doublings": 4, "row": round(0.258 * side), "column": round(0.172 * side)},
    ],
)

# %% [markdown]
# On the left are the blocks of the group in the noisy photograph, the most similar first.
# On the right is their spectrum: the first small square holds the sums over all blocks, and the other squares hold differences between blocks.
# In the first example, the sky, only few of the 1024 coefficients are above 2.7 standard deviations of the noise; the title shows the number (question 2).
# Pure noise would put 0.7 percent above this limit: about 7 of 1024.
# In the second example, the outline of the shoulder, most of the large coefficients are in a corner of the first square: they describe the edge that all blocks have in common.
# (A group has fewer than 16 blocks if fewer are similar enough.)
#
# ## Exercise: the collaborative threshold
#
# Write `threshold_group(blocks, along, across, limit)`.
#
# - `blocks`: Float[Tensor, "n b b"], the stack, with values of about [0, 1].
# - `along`: Float[Tensor, "n n"], the orthonormal transform along the stack.
# - `across`: Float[Tensor, "b b"], the orthonormal transform of the rows and of the columns of each block.
# - `limit`: coefficients of the 3-D spectrum with an absolute value of at most `limit` become 0.
# - Returns Float[Tensor, "n b b"]: the filtered blocks, after the inverse transform.
#
# The inverse of an orthonormal matrix is its transpose.
# Expected run time: under a millisecond.


# %% tags=["exercise"]
def threshold_group(blocks, along, across, limit):
    ### BEGIN SOLUTION
    planes = across @ blocks @ across.T
    values = torch.einsum("kn,nij->kij", along, planes)
    values = values * (values.abs() > limit)
    planes = torch.einsum("kn,kij->nij", along, values)
    return across.T @ planes @ across
    ### END SOLUTION


# %%
check.threshold_group(threshold_group)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# The function `spectrum` above computes the 3-D spectrum, but with fixed matrices.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `values * (values.abs() > limit)` keeps the large coefficients, with their signs.
#
# </details>
# <details><summary>Hint 3</summary>
#
# For the inverse, replace each matrix by its transpose: `across.T @ x @ across` inverts `across @ x @ across.T`.
#
# </details>

# %% [markdown]
# Your function (or the library's, as long as the check does not pass) filters the groups of 150 random blocks, with 1 to 16 blocks in each group.
# The curve shows the error of the reference blocks, in which a group with one block is ordinary thresholding of a single block.

# %%
filtered = check.threshold_group(threshold_group).state == "passed"
by_threshold = threshold_group if filtered else check.threshold_group.reference
rng = torch.Generator().manual_seed(seed)
corners = torch.randint(0, last, (150, 2), generator=rng).tolist()
errors = torch.zeros(5)
for row, column in corners:
    places, _ = group_spectrum(noisy, sigma, row, column)
    for doublings in range(5):
        blocks = blocks_at(noisy, places[: 2**doublings])
        clean = by_threshold(blocks, haar(len(blocks)), across, 2.7 * sigma)
        wanted = truth[0, row : row + 8, column : column + 8]
        errors[doublings] += (clean[0] - wanted).square().mean() / len(corners)
levels = (255 * errors.sqrt()).tolist()

# %%
from dil_teach.notebook import curves

sizes = [1, 2, 4, 8, 16]
show(
    curves(
        {"thresholded groups": (sizes, levels), "noisy": (sizes, 5 * [25.0])},
        "largest number of blocks in a group",
        "error (grey levels)",
    ),
    alt=f"The error falls from {levels[0]:.1f} grey levels for single blocks to "
    f"{levels[-1]:.1f} for groups of up to 16; the noisy blocks are at 25",
)

# %% [markdown]
# With the same transform and the same limit, larger groups have a smaller error.
# A detail that is too weak to be found in one noisy block can be found in 16 similar blocks together.
#
# ## The two stages
#
# BM3D runs twice.
# The first stage is the threshold.
# The second stage matches the blocks again, in the result of the first stage, where the noise hardly disturbs the matching.
# It multiplies each noisy coefficient by the *Wiener gain* $b^2 / (b^2 + \sigma^2)$, in which $b$ is the coefficient of the first result.

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach.classical.denoise.bm3d import hard_threshold_stage, wiener_stage
from dil_teach.notebook import show_source

show_source(wiener_stage)

# %%
first_stage = hard_threshold_stage(noisy, sigma)
second_stage = wiener_stage(noisy, first_stage, sigma)
show(
    titled({"stage 1": first_stage, "stage 2": second_stage}),
    alt="Stage 1: sharp outlines, and a faint mottled pattern in flat regions. Stage "
    "2: the same without the pattern. Both have lost fine texture",
    crop=(side // 4, side // 2, side // 2, side // 2),
    zoom=2,
)

# %% [markdown]
# The first stage does most of the work, but it leaves a faint mottled pattern on the sky and the grass.
# The second stage removes most of it.
# Both stages erase the texture of the grass together with the noise, and the white tower, which is hardly brighter than the sky, is nearly lost.
#
# ## A learned dictionary: K-SVD
#
# Non-local means and BM3D compare patches with patches.
# Elad and Aharon describe all patches of the photograph with one common *[dictionary](glossary.md#dictionary)* [@elad2006]: 256 small pictures of 8 x 8 pixels, the *atoms*.
# Each patch is a sum of few weighted atoms.
# Two steps alternate [@aharon2006]:
#
# 1. **Sparse coding.** [Orthogonal matching pursuit](glossary.md#orthogonal-matching-pursuit) adds atoms to the sum until its error is no larger than the noise: with $n = 64$ pixels, until $|x - Da|^2 \le n (1.15\,\sigma)^2$.
# 2. **Atom update.** For each atom, take the patches that use it, and subtract their *other* atoms.
#    The new atom is the one that describes these remainders best.
#
# ## Exercise: update one atom
#
# Let $X$ be the matrix with one patch in each row, $D$ the dictionary with one atom in each row, and $W$ the weights: $X \approx W D$.
# The update changes one atom and its weights, and keeps all others.
# The remainders of the patches that *use* the atom (what their other atoms leave) are the rows of a matrix $E$.
# We look for the atom $d$ of norm 1 and the weights $a$ for which $|E - a\,d^\top|^2$ is smallest.
# This is the best approximation of rank one, which the singular value decomposition (SVD) gives.
#
# Write `update_atom(patches, weights, dictionary, number)`.
#
# - `patches`: Float[Tensor, "m n"], one patch of n pixels in each row, with its mean removed: values of about [-1, 1], not [0, 1].
# - `weights`: Float[Tensor, "m k"], 0 where a patch does not use an atom.
# - `dictionary`: Float[Tensor, "k n"], one atom of norm 1 in each row.
# - `number`: the atom to update; at least one patch uses it.
# - Returns the pair `(dictionary, weights)`, two new tensors with the new atom and its new weights.
#   A patch that did not use the atom does not use it now.
#   $(d, a)$ and $(-d, -a)$ are equally good; take the one whose scalar product with the old atom is not negative.
#
# Expected run time: a hundredth of a second for the patches of the photograph.


# %% tags=["exercise"]
def update_atom(patches, weights, dictionary, number):
    ### BEGIN SOLUTION
    dictionary, weights = dictionary.clone(), weights.clone()
    users = weights[:, number] != 0
    weights[users, number] = 0
    remainders = patches[users] - weights[users] @ dictionary
    u, s, vh = torch.linalg.svd(remainders, full_matrices=False)
    sign = 1 if vh[0] @ dictionary[number] >= 0 else -1
    dictionary[number], weights[users, number] = sign * vh[0], sign * s[0] * u[:, 0]
    return dictionary, weights
    ### END SOLUTION


# %%
check.update_atom(update_atom)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Which rows of `patches` use the atom?
# Without this atom, these patches are the product of *their* rows of `weights`, with a 0 at `number`, and the dictionary.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The singular value decomposition writes the matrix as $E = U S V^\top$, with the largest singular value first.
# A row of $E$ is a patch.
# So the atom is a *right* singular vector: a row of $V^\top$.
#
# </details>
# <details><summary>Hint 3</summary>
#
# `torch.linalg.svd(matrix, full_matrices=False)` returns $U$, $S$ and $V^\top$.
# The best approximation of rank one is `S[0]` times the first column of $U$ times the first row of $V^\top$; the atom has norm 1, so `S[0]` belongs to the weights.
# If you change the sign of the atom, change the sign of its weights, too.
#
# </details>

# %% [markdown]
# The next cell runs a part of one iteration of K-SVD: sparse coding with the first dictionary, a cosine transform with 256 atoms, and then your update (or the library's) of the 24 atoms that most patches use.
# To save time, it uses every fourth patch.
# Each update gets the dictionary and the weights of the update before.

# %% tags=["algorithm"]
from dil_teach.patches.extract import extract_patches

updated = check.update_atom(update_atom).state == "passed"
by_svd = update_atom if updated else check.update_atom.reference
patches = extract_patches(noisy, 8)
patches = patches - patches.mean(1, keepdim=True)
dct = ksvd.dct_dictionary()
codes = ksvd.sparse_codes(patches, dct, (8 * 1.15 * sigma) ** 2)
uses = torch.bincount(codes.atoms[codes.atoms >= 0], minlength=256)
most_used = uses.topk(24).indices.tolist()

some = patches[::4]  # every fourth patch
weights = torch.zeros(len(patches), 256)
weights = weights.scatter_add(1, codes.atoms.clamp_min(0), codes.weights)[::4]
dictionary = dct
errors = [float((some - weights @ dictionary).square().sum())]
for number in most_used:
    dictionary, weights = by_svd(some, weights, dictionary, number)
    errors.append(float((some - weights @ dictionary).square().sum()))

# %%
print(f"squared error after 24 updates: {errors[-1] / errors[0]:.3f} of that before")
rising = int((torch.tensor(errors).diff() > 1e-4 * errors[0]).sum())
print(f"updates that increased the error: {rising}")


# %%
def mosaic(atoms, columns):
    """Pictures of atoms, with white lines between them; grey is 0."""
    pictures = [0.5 + 0.5 * a.view(1, 8, 8) / a.abs().max() for a in atoms]
    pictures = [F.pad(picture, [0, 1, 0, 1], value=1.0) for picture in pictures]
    starts = range(0, len(pictures), columns)
    return torch.cat([torch.cat(pictures[n : n + columns], 2) for n in starts], 1)


show(
    {
        "24 atoms": mosaic(dct[most_used], 6),
        "after one update of each": mosaic(dictionary[most_used], 6),
    },
    alt="Left: 24 smooth waves of the cosine transform. Right: the same 24 atoms "
    "after one update of each, similar waves with slightly changed shapes",
)

# %% [markdown]
# No update can increase the error, because the old atom with its old weights is one of the choices of the new one.
# The error falls by less than one per cent, because most of it is noise; after the update, new sparse codes use the better atoms, and the two steps alternate.
# The updated atoms are no longer pure waves: each has moved towards the patches that use it.
# The updated atom is the first singular vector of many remainders. Patches overlap, so their noise is not independent, but it differs from patch to patch and is mostly averaged; some updated atoms are still a little grainy.
#
# ## What the dictionary learned
#
# Now the library repeats both steps ten times, for all atoms (**stopping rule**).

# %%
learned = learning.result()  # from the second thread
dct_result = ksvd.denoise_plane(noisy, sigma, dct)
ksvd_result = ksvd.denoise_plane(noisy, sigma, learned)
after = ksvd.sparse_codes(patches, learned, (8 * 1.15 * sigma) ** 2)
atoms_used = {"DCT": codes, "learned": after}
for title, found in atoms_used.items():
    print(f"{title:8}{float((found.atoms >= 0).sum(1).float().mean()):.2f} atoms/patch")


# %%
def most_used_of(dictionary, found):
    uses = torch.bincount(found.atoms[found.atoms >= 0], minlength=256)
    return mosaic(dictionary[uses.topk(64).indices], 8)


show(
    {
        "DCT: 64 atoms": most_used_of(dct, codes),
        "learned: 64 atoms": most_used_of(learned, after),
    },
    alt="Left: the 64 most used atoms of the cosine transform, regular waves. Right: "
    "the 64 most used learned atoms: edges at several positions, spots and oblique "
    "stripes",
)

# %% [markdown]
# The most used atoms stand at the top left.
# The learned atoms are edges at several positions, spots and oblique stripes, which the cosine transform does not have.
# Most of them look nearly clean, although every patch that K-SVD saw was noisy (question 3).
# With the learned dictionary, patches need fewer atoms for the same error.
# (Many patches need no atom at all: their mean is enough, which is subtracted before the coding and added afterwards.)
#
# ## The comparison
#
# All methods get the same noisy photograph and the true $\sigma$.
# [Total variation](glossary.md#total-variation) [@rudin1992] is our control: it knows nothing about patches.
# For K-SVD, the dictionary of the cosine transform is a second control: it has the same coding, but learns nothing.

# %%
from dil_teach.classical.denoising import tv_denoise

results = {
    "total variation": tv_denoise(noisy, sigma),
    "non-local means": averaged,
    "DCT dictionary": dct_result,
    "K-SVD": ksvd_result,
    "BM3D": second_stage,
}
decibels = {title: psnr(image, truth) for title, image in results.items()}

# %%
show(
    titled(results),
    alt="A part of the results. Total variation: flat spots. Non-local means: sharp "
    "outlines, with noise. DCT dictionary and K-SVD: clean and slightly soft. BM3D: "
    "clean, with sharper outlines than K-SVD",
    crop=(side // 5, 3 * side // 10, 88, 88),
    zoom=3,
)

# %% [markdown]
# Total variation turns the noise into flat spots on the coat and the hair, and loses the detail of the face and the folds of the sleeve.
# Non-local means has the steepest outlines, but leaves noise on the face and beside the outlines.
# The DCT dictionary and K-SVD look alike: both are clean and slightly soft, with ripples beside the outlines; the outlines of K-SVD are a little sharper.
# Of these clean results, BM3D has the sharpest outlines, but the folds of the sleeve are lost here too.
#
# ### Eleven photographs
#
# One photograph says little.
# The script `benchmarks/denoising.py` measures six grey and five colour photographs of 256 x 256 pixels, with the true noise level.
# *NLM* has the library's sizes, which are faster; *NLM, sizes of the paper* has those of this chapter.
# *Package bm3d* is a later version of BM3D, published by one of its authors; the course does not use it otherwise.

# %%
from dil_teach.course.records import record, table

rows = record("denoising")
methods = ("noisy", "TV", "NLM", "NLM, sizes of the paper", "DCT dictionary")
methods += ("K-SVD", "BM3D", "package bm3d")
for kind in ("grey", "colour"):
    print(f"{kind}, noise of 25 grey levels")
    some = [r for r in rows if (r["kind"], r["sigma"]) == (kind, 25)]
    print(table(some, methods, reference="TV"), "\n")

# %% [markdown]
# Our BM3D and the package differ by 0.1 dB or less on the mean.
# BM3D is our best method on ten of the eleven photographs; on the grass, K-SVD is 0.1 dB better.
# K-SVD is better than its control, the DCT dictionary, by 0.8 dB on the mean of the grey photographs.
# But it loses to its control on one of them, by 0.2 dB: a clock, blurred by motion, of which smooth waves describe nearly all patches.
# With the sizes of the paper, non-local means is better than total variation on all photographs but the clock.

# %%
from statistics import mean

grey = [r for r in rows if r["kind"] == "grey"]
strengths = sorted({r["sigma"] for r in grey})


def mean_gain(method, strength):
    return mean(r[method] - r["TV"] for r in grey if r["sigma"] == strength)


gains = {m: [mean_gain(m, n) for n in strengths] for m in methods[2:7]}

# %%
figure = curves(
    {m: (strengths, values) for m, values in gains.items()},
    "noise (grey levels)",
    "gain over total variation [dB]",
)
figure.axes[0].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
show(
    figure,
    alt="Gain over total variation against the noise level: all five curves fall; BM3D "
    "from 2.7 to 2.0 dB, K-SVD from 2.2 to 0.6, the DCT dictionary from 2.1 to 0.2, "
    "non-local means with the sizes of the paper from 1.4 to -0.3, and with ours from "
    "1.1 to -1.5",
)

# %% [markdown]
# On the mean of the six grey photographs, BM3D is 2.0 to 2.7 dB better than total variation at all four noise levels.
# With the sizes of the paper, the mean gain of non-local means falls from 1.4 dB for weak noise to -0.3 dB at 50 grey levels.
# With patches of 5 x 5 and windows of 13 x 13 pixels, it is lower, and negative from 25 grey levels on; we did not measure which of the two sizes costs more.
# In colour, a patch of 5 x 5 pixels has 75 values, and there the small sizes are better (table above).
# BM3D compares blocks of 8 x 8 pixels, and compares them again in a picture that is already clean.
#
# ### Beside two networks
#
# Chapter [13](13_deep_image_prior.ipynb) removes noise with an untrained network, the deep image prior (DIP) [@ulyanov2018]; ZS-N2N trains a small network on the noisy picture [@mansour2023].
# The script `benchmarks/deep_image_prior.py` compares both with the methods of this chapter, on five colour photographs of 128 x 128 pixels and with three seeds.
# There, the noisy pictures are clipped and rounded to eight bits, all methods without a network use an *estimated* noise level, and the networks have the budget `standard`.

# %%
small = record("dip_denoise")
names = ("noisy", "TV", "ZS-N2N", "NLM", "K-SVD", "DIP", "BM3D")
print(table(small, names, reference="TV"))

# %% [markdown]
# On these small photographs, the two networks are better than total variation in all 15 runs, and the deep image prior is better than non-local means on the mean.
# But BM3D is better than both networks on every photograph and with every seed: 0.7 dB better than the deep image prior on the mean, in less than a second instead of 49.
# K-SVD and the deep image prior are equally good on the mean.
# So whoever claims that a network denoises well must compare it with BM3D, and not only with non-local means.
#
# ### Method noise
#
# The [method noise](glossary.md#method-noise) is what a method removes: the noisy picture minus the result [@buades2005].
# For a perfect method, it is the noise itself, in which nothing of the picture can be seen.

# %%
show(
    {
        title: 0.5 + 2 * (noisy - results[title]).clamp(-0.25, 0.25)
        for title in ("total variation", "non-local means", "BM3D")
    },
    alt="Method noise of a part. Total variation: outlines are clearly visible. "
    "Non-local means: noise, slightly weaker in the middle. BM3D: noise without any "
    "outline",
    crop=(side // 2, 2 * side // 5, 88, 88),
    zoom=3,
)

# %% [markdown]
# Outlines in the method noise are detail that the method removed together with the noise.
# Total variation removes the outlines of the tripod.
# Places where the method noise is weak are places where the method left the noise in the picture: for non-local means, the joint of the tripod.
#
# ### Who did the work
#
# All methods get the noisy picture and the standard deviation of its noise; nothing is learned from other pictures.
# K-SVD starts from an overcomplete cosine transform, which is its control with the same coding.
# At its end, the noisy picture itself is blended in, with the weight $30 / \sigma$ ($\sigma$ in grey levels), here 1.2; each of the up to 64 patches that cover a pixel has the weight 1.
# The table has the six grey photographs and three seeds of the noise; the last columns are this run.
# Its *oracle* is the second stage of BM3D, whose first result is replaced by the ground truth.

# %%
from dil_teach.course.credit import show_credit

same = {"noisy": noisy, "BM3D stage 1": first_stage, "TV": results["total variation"]}
same["NLM, sizes of the paper"] = averaged
same |= {name: results[name] for name in ("DCT dictionary", "K-SVD", "BM3D")}
parts = show_credit("denoising", {name: psnr(x, truth) for name, x in same.items()})

# %% [markdown]
# Coding with the fixed dictionary already gains 1.0 dB over total variation; learning the dictionary adds 0.8 dB.
# The first stage of BM3D gains 1.6 dB, and the second stage adds 0.8 dB.
# Estimating the noise level instead of knowing it costs 0.1 dB.
# With a perfect guide, for the groups and for the estimate of the coefficients, the same second stage would be nearly 3 dB better: about half of BM3D's squared error would disappear.
# Non-local means depends on its sizes: with patches of 5 x 5 and windows of 13 x 13 pixels, which take less than half of the time, it loses 0.9 dB and falls below total variation.

# %%
from dil_teach.patches.recurrence import recurrence_score

middle = (slice(None), *2 * [slice(side // 2 - 48, side // 2 + 48)])
shown = ("total variation", "non-local means", "BM3D")
pictures = {"noisy": noisy} | {t: results[t] for t in shown}
pictures["ground truth"] = truth
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    scores = pool.map(recurrence_score, [x[middle] for x in pictures.values()])
for title, score in zip(pictures, scores, strict=True):
    print(f"{title:18}recurrence score {score:.2f}")

# %% [markdown]
# Chapter 01 measured which fraction of the patches [recurs](glossary.md#recurrence-score); here we measure it in the middle of the pictures.
# In the noisy picture hardly any patch recurs, because noise does not recur.
# After non-local means, the uneven noise that is left still lowers the score.
# After total variation and BM3D, *more* patches recur than in the ground truth: the irregular texture of the grass is gone, and smooth patches are similar to each other.
# So a high score does not mean a good picture; unlike the PSNR, it shows in which way a picture is wrong.

# %%
from dil_teach.classical.denoise.nlm import nlm

ten_lines = float((averaged - nlm(noisy, sigma, 0.85, 7, REACH)).abs().max())
counts = {t: float((c.atoms >= 0).sum()) for t, c in atoms_used.items()}
places, _ = group_spectrum(noisy, sigma, sky["row"], sky["column"])
sky_spectrum = spectrum(blocks_at(noisy, places)).abs() / sigma
sky_kept = float((sky_spectrum > 2.7).float().mean())


def noise_of(place):
    return float(weights_of(**place).square().sum().sqrt())


better = all(r["BM3D"] > max(r["DIP"], r["ZS-N2N"]) for r in small)

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the ten lines agree with the library to 1e-5": ten_lines < 1e-5,
    "groups of 16 have a smaller error than single blocks": levels[4] < levels[0],
    "stage 2 is better than stage 1": decibels["BM3D"] > psnr(first_stage, truth),
    "learned atoms: fewer atoms per patch than the DCT": counts["learned"]
    < counts["DCT"],
    "BM3D is the best of the methods": max(decibels, key=decibels.get) == "BM3D",
    "in the sky, under 2% of the coefficients are above the limit": sky_kept < 0.02,
    "more noise is left at the collar than in the sky": noise_of(collar)
    > 3 * noise_of(sky),
    "in the record, BM3D is better than both networks in all cases": better,
}
check_claims(claims, own)

# %% [markdown]
# ## When it fails
#
# **Rare patches.** Where no other patch is similar, there is nothing to average: the *rare patch effect* [@duval2011].
# The map shows for each pixel how much noise the weights of non-local means leave.


# %%
def noise_left_by_weights(y, sigma, h):
    """The standard deviation that the weights leave, in units of sigma."""
    near = F.pad(y, [EDGE] * 4, mode="reflect")
    far = F.pad(near, [REACH] * 4, value=1e4)
    squares = weights = 0
    for top, left in product(range(2 * REACH + 1), repeat=2):
        shifted = far[:, top : top + side + 6, left : left + side + 6]
        distance = F.conv2d((near - shifted) ** 2, bell[None, None])
        weight = torch.exp(-(distance - 2 * sigma**2).clamp_min(0) / h**2)
        squares, weights = squares + weight**2, weights + weight
    return squares.sqrt() / weights


# %%
rare = noise_left_by_weights(noisy, sigma, H)
error = (averaged - truth).square()
quarters = rare.quantile(torch.tensor([0.25, 0.75]))
common_error, rare_error = (
    255 * float(error[where].mean().sqrt())
    for where in (rare < quarters[0], rare > quarters[1])
)
print(f"error in grey levels: {common_error:.1f} common, {rare_error:.1f} rare patches")

# %%
figure = Figure(figsize=(4.6, 3.8), dpi=100, layout="constrained")
axes = figure.subplots()
drawn = axes.imshow(rare[0], cmap="viridis", vmin=0, vmax=1)
axes.set_axis_off()
figure.colorbar(drawn, label="noise left / noise")
show(
    figure,
    alt="Map of the noise that the weights leave: low in flat regions, higher along "
    "outlines, and highest at a few points with rare patterns",
)

# %% [markdown]
# In the sky, on the coat and on the grass, the weights leave less than a tenth of the noise.
# Along the outlines they leave more, because similar patches lie only along the line.
# At a few points of the collar, the camera and the tripod, hardly any other patch is similar: nearly all of the noise stays.
# The printed errors confirm the map, but they are larger than the map says for the common patches, because the weights depend on the noise.
#
# **Texture.** Patches of grass look alike, but they are not equal.
# **Noise that is not independent.** JPEG compression mixes the noise of the pixels of each block of 8 x 8.
# We compare the gain in three cases: this photograph, grass, and this photograph after JPEG compression.
# In the third case, the method gets the *true* root mean squared error of the compressed picture as $\sigma$.

# %%
from dil_teach import bm3d
from dil_teach.image.augment import jpeg

grass = photo("grass", size=side)
noisy_grass = add_noise(grass, sigma, torch.Generator().manual_seed(seed))
compressed = jpeg(noisy, 30)
level = float((compressed - truth).square().mean().sqrt())
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    by_grass, by_jpeg = pool.map(bm3d, (noisy_grass, compressed), (sigma, level))
cases = {
    "photograph": (noisy, second_stage, truth),
    "grass": (noisy_grass, by_grass, grass),
    "JPEG": (compressed, by_jpeg, truth),
}

# %%
gain = {}
for title, (given, result, wanted) in cases.items():
    before, after_bm3d = psnr(given, wanted), psnr(result, wanted)
    gain[title] = after_bm3d - before
    print(f"{title:11} from {before:.2f} to {after_bm3d:.2f} dB: {gain[title]:+.2f} dB")

# %%
show(
    {"noisy grass": noisy_grass, "BM3D": cases["grass"][1], "ground truth": grass},
    alt="Grass: with noise; after BM3D, where thick blades remain and thin blades have "
    "merged into smooth stripes; and the ground truth with its many thin blades",
    crop=(side // 4, side // 4, 88, 88),
    zoom=3,
)

# %% [markdown]
# BM3D keeps the thick blades, and merges the thin ones into smooth stripes, because the blocks of a group contain similar but different blades.
# The gain on grass is only a third of the gain on the photograph.

# %%
show(
    titled({"noise, then JPEG": compressed, "BM3D": cases["JPEG"][1]}),
    alt="The noisy photograph after JPEG compression; the result of BM3D with short "
    "false stripes in flat regions; and the ground truth",
    crop=(side // 4, 3 * side // 5, 88, 88),
    zoom=3,
)

# %% [markdown]
# JPEG compression removes some of the noise, so the compressed picture is *nearer* to the ground truth than the noisy one.
# But denoising is harder (question 4): BM3D ends more than a decibel lower than without the compression.
# JPEG has turned the noise into waves of its own cosine transform.
# The noise is no longer equally strong in all coefficients, so some waves exceed the threshold of BM3D and stay as short stripes.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the error at rare patches is larger than at common patches": rare_error
    > common_error,
    "the gain on grass is smaller than on the photograph": gain["grass"]
    < gain["photograph"],
    "the gain after JPEG is smaller than before": gain["JPEG"] < gain["photograph"],
}
check_claims(claims, own)

# %% [markdown]
# ## On your own
#
# - On the command line, `dil-teach denoise NOISY.png clean.png --method bm3d` denoises a picture, and estimates the noise level if you do not give `--noise`.
# - Tell BM3D half of the true noise level, and twice the true level: which mistake costs more?
#
# ### Mini-project: the noise of your own camera
#
# Put a camera on a table in weak light, and take 20 photographs of the same scene with a high ISO value.
# Their mean is nearly free of noise; use it as the ground truth.
# Denoise one of the photographs with the three methods and with total variation.
#
# | part | points | full points for |
# |---|---|---|
# | prediction | 2 | the order of the methods, and a place where each one fails, written before |
# | noise | 3 | the standard deviation by brightness and the correlation of neighbouring pixels, and which assumption of the chapter they break |
# | evidence | 3 | PSNR of several of the 20 photographs, with their spread, and the method noise |
# | limits | 2 | why the mean is not the truth, and how this changes the numbers |
#
# ## Summary
#
# - Patches recur, so a noisy photograph contains many noisy copies of each pattern.
# - Non-local means averages pixels with similar surroundings; the noise it leaves is $\sigma \sqrt{\sum_j w_j^2}$, if the weights do not depend on the noise.
# - BM3D filters a group of similar blocks together: large groups have few large coefficients.
# - K-SVD learns the atoms from the noisy patches themselves.
# - All three fail where patches are rare, on irregular texture, and on noise that is not independent.
#
# ## References
