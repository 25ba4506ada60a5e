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
# # 10 · Inside against outside: who wins, and when?
#
# Most networks for [super-resolution](glossary.md#super-resolution) learn from many other photographs: they are *[external](glossary.md#external)* methods.
# ZSSR of [chapter 09](09_zssr.ipynb) learns from the given image alone: it is an *[internal](glossary.md#internal)* method.
# This chapter compares three external networks with ZSSR on the same images, and looks for the conditions under which each of them wins.
#
# **After this chapter you can**
#
# - say what an external network assumes about the [degradation](glossary.md#degradation) of an image, and predict what happens if the assumption is wrong;
# - run SRCNN by hand, from its weights;
# - measure without [ground truth](glossary.md#ground-truth) how well a result explains the given image;
# - give both opponents the same information, and say which part of a gain is due to learning, and which part to knowing the [blur kernel](glossary.md#blur-kernel);
# - name the cases in which internal learning loses.
#
# **What you need**: chapter [09](09_zssr.ipynb).
# No GPU is needed.
# Reading takes 40 minutes, and computing takes less than 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, device, start

seed = 0
start(budget, seconds={"quick": 40, "standard": 90, "full": 240})

# %% [markdown]
# The setting `budget` changes numbers of training steps, but never the method.
# The [seed](glossary.md#seed) is fixed, so two runs of the chapter on one computer give the same pictures.
# ZSSR stops after a number of steps that the budget fixes beforehand.
# The ground truth scores the results, but no method sees it.
#
# ## A photograph: ours, or yours
#
# To use your own photograph, choose a file.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# Without a file, the chapter uses a portrait of Grace Hopper, who wrote one of the first compilers.
# (Photograph: James S. Davis, US Navy, public domain; matplotlib ships it.)
# Neither the external networks nor the settings of ZSSR were developed with this photograph.

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %%
from matplotlib.cbook import get_sample_data

from dil_teach import load_image, resize
from dil_teach.notebook import uploaded_image

sample = get_sample_data("grace_hopper.jpg", asfileobj=False)
portrait = load_image(sample)[:, :448, 32:480]  # the head, with cap and flag
photograph = uploaded_image(button.value, default=portrait)
own = photograph is not portrait
shortest = min(photograph.shape[1:])
truth = photograph[:3, :shortest, :shortest]
truth = resize(truth, size=(160, 160)).clamp(0, 1).expand(3, -1, -1).to(device())
subject = "your photograph" if own else "a woman with glasses, a cap and a flag"

# %% [markdown]
# `truth` is the photograph at 160 x 160 pixels.
# All given images of this chapter are made from `truth`, except in the section on real photographs.
#
# ## Predict first
#
# Five copies of the photograph are degraded in five ways, and each copy is about half as large as `truth`:
#
# - `"ideal"`: [bicubic](glossary.md#bicubic) downscaling;
# - `"wide blur"`: a wide, oblique Gaussian blur before the subsampling;
# - `"motion"`: the blur of a camera that moved during the exposure;
# - `"noise"`: bicubic downscaling, then strong [white noise](glossary.md#white-noise), with a standard deviation of 20 grey levels;
# - `"other shape"`: bicubic downscaling by 1.3 in height and by 1.8 in width.
#
# Two methods enlarge each copy.
# **EDSR+** [@lim2017] is an external network that was trained on pairs made by bicubic downscaling by 2.
# **ZSSR** trains on the copy alone, and is told the true blur kernel, or the strength of the noise as estimated from the copy.
#
# Write down for each of the five copies which method has the larger [PSNR](glossary.md#psnr), and why.
# The table of all results answers the question.
#
# ## One of the five at full size
#
# Before this chapter runs small examples, here is a result that was computed beforehand: the portrait at 448 x 448 pixels with the wide blur, and a part of 256 x 256 pixels of each result.
# `data/draw_openings.py` made these pictures with the budget `standard` of ZSSR.
# The square in a corner shows the kernel that a method was made for or was told, and in the last picture the kernel that blurred the portrait; all kernels have the same scale.
# Look at the glasses and at the badge on the cap.

# %%
from dil_teach.course.openings import show_opening

opening = show_opening(
    "outside",
    {
        "bicubic interpolation": "A woman with glasses and a cap, blurred",
        "EDSR+": "The woman, nearly as blurred; a small square kernel",
        "ZSSR, bicubic kernel": "The woman, as blurred as by EDSR+, same kernel",
        "EDSR+, true kernel": "Sharp, but softer than the truth; an oblique kernel",
        "ZSSR, true kernel": "Sharper glasses and badge; the oblique kernel",
        "ground truth": "The woman with glasses and a cap, sharp; the oblique kernel",
    },
)

# %% [markdown]
# Without the kernel, EDSR+ and ZSSR are equally blurred, and hardly better than bicubic interpolation.
# With the true kernel, ZSSR is the best.
# EDSR+ is second: its result was corrected by [back-projection](glossary.md#back-projection) with the true kernel, a control that learns nothing from this photograph.
# So the kernel gains more here than the choice between inside and outside.
#
# ## One image against 291 photographs
#
# Before the kernel, the case for which external networks were made: bicubic downscaling, on the data set Set5.

# %%
from dil_teach.course.credit import show_credit

set5 = show_credit("outside_ideal")

# %%
# NBVAL_CHECK_OUTPUT
ours_full, published = set5["ZSSR, full"], set5["VDSR, published weights"]
claims = {
    "ZSSR full and the published VDSR differ by under 0.1 dB": abs(
        ours_full - published
    )
    < 0.1,
    "EDSR+ is better than both": set5["EDSR+, ours"] > max(ours_full, published),
}
check_claims(claims)

# %% [markdown]
# **With the budget `full`, ZSSR reaches 37.53 dB from one image alone; the published weights of VDSR, trained on 291 photographs, reach 37.59 dB with the same resampler.**
# (The VDSR paper reports 37.53 dB [@kim2016]. One of the 291 photographs is a larger copy of the test picture 'woman', see the end of this chapter.)
# ZSSR's network makes this result: with both budgets, the mean over orientations and the correction after it add 0.2 dB to the network of the same budget, and back-projection alone is over two decibels worse.
# Patches of the image, without a network (Glasner), already have more than half of ZSSR's gain over back-projection.
# Our EDSR+ is about 0.3 dB better than both: in this case, a larger network with many photographs still wins.
#
# ## The smallest demo: the ranking turns
#
# We downscale the photograph twice: once by bicubic downscaling, and once with a wide Gaussian blur.
# Both copies are rounded to eight bits, as in a file.

# %%
from dil_teach import blur_and_subsample
from dil_teach.image.kernel import gaussian_kernel

WIDE = gaussian_kernel((2.0, 1.0), angle=0.5)


def rounded(image):
    return (image.clamp(0, 1) * 255).round() / 255


ideal = rounded(resize(truth, scale=0.5))
blurred = rounded(blur_and_subsample(truth, WIDE, scale=2))

# %% [markdown]
# The external network is loaded once and enlarges both copies.
# ZSSR trains a new network for each copy, with the kernel that made the copy.
# To save time, this network has half the channels of the library's network with the budget `quick`.

# %%
from dil_teach import ZSSR, ZSSRSettings, fit, load_external_network, super_resolve_with

edsr = load_external_network("edsr").to(device())
demo_steps = {"quick": 180, "standard": 1600, "full": 4000}[budget]
demo_width = {"quick": 32, "standard": 64, "full": 64}[budget]
settings = ZSSRSettings(steps=demo_steps, width=demo_width, seed=seed)


def two_opponents(given, kernel):
    return {
        "bicubic": resize(given, scale=2).clamp(0, 1),
        "EDSR+": super_resolve_with(edsr, given, ensemble=True),
        "ZSSR": fit(ZSSR(given, 2, kernel, settings)).super_resolve(),
    }


# %%
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count

from dil_teach.notebook import show

CROP = (54, 44, 46, 64)
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    in_ideal, in_blur = pool.map(two_opponents, (ideal, blurred), ("bicubic", WIDE))
both = {f"ideal: {name}": image for name, image in in_ideal.items()}
both |= {f"wide blur: {name}": image for name, image in in_blur.items()}

# %%
show(
    both,
    alt=f"Part of {subject}, by bicubic interpolation, EDSR+ and ZSSR. First row, "
    "ideal downscaling: EDSR+ is the sharpest, and ZSSR nearly as sharp. Second row, "
    "wide blur: EDSR+ is as blurred as bicubic interpolation, and ZSSR is sharp. Last, "
    "the ground truth",
    truth=truth,
    crop=CROP,
    zoom=4,
)

# %% [markdown]
# **First row**: the image was downscaled exactly as in EDSR's training.
# EDSR+ has the larger PSNR: from many photographs it has learned what outlines, eyes and skin look like at twice the resolution.
# **Second row**: the same photograph, the same network, another blur.
# Now EDSR+ gains little over bicubic interpolation, and ZSSR is several decibels better.
# But the comparison is not fair yet: ZSSR was told the blur kernel, and EDSR+ was not.
# We return to this point in *The same information for both*.

# %%
from dil_teach import psnr_y
from dil_teach.course.openings import beside_opening

here = {
    "bicubic interpolation": in_blur["bicubic"],
    "EDSR+": in_blur["EDSR+"],
    "ZSSR, true kernel": in_blur["ZSSR"],
}
if not own:
    beside_opening(opening, {k: psnr_y(x, truth, shave=8) for k, x in here.items()})

# %% [markdown]
# The longer run is that of the pictures at 448 x 448 pixels, with the same kernel; both columns leave out a border of 8 pixels.
# Here, at 160 x 160 pixels, all values are four to five and a half decibels lower.
# But the order is the same, and ZSSR with the true kernel is five to six decibels better than EDSR+ in both runs.


# %%


def decibels(results):
    return {name: psnr_y(image, truth, shave=2) for name, image in results.items()}


# %%
# NBVAL_CHECK_OUTPUT
clear, wide = decibels(in_ideal), decibels(in_blur)
claims = {
    "ideal: EDSR+ beats ZSSR by over 0.5 dB": clear["EDSR+"] > clear["ZSSR"] + 0.5,
    "ideal: ZSSR beats bicubic by over 1.5 dB": clear["ZSSR"] > clear["bicubic"] + 1.5,
    "wide blur: ZSSR beats EDSR+ by over 3 dB": wide["ZSSR"] > wide["EDSR+"] + 3,
    "wide blur: EDSR+ gains under 1 dB over bicubic": wide["EDSR+"]
    < wide["bicubic"] + 1,
}
check_claims(claims, own)

# %% [markdown]
# ## Theory: what does an external network assume?
#
# A camera blurs the scene $X$ with a kernel $k$, keeps every $s$-th sample, and adds noise $n$:
#
# $$I = (X * k)\downarrow_s + n .$$
#
# An external network $f_\theta$ is trained before anyone has seen $I$.
# Its pairs come from other photographs $Y$ and from one chosen degradation $d_0$, usually bicubic downscaling:
#
# $$\min_\theta\ \sum_{Y \in\, \text{photographs}} \bigl\lVert f_\theta\bigl(d_0(Y)\bigr) - Y \bigr\rVert .$$
#
# The weights answer the question: *which image, downscaled by $d_0$, gives $I$?*
# If the camera's kernel is wider than that of $d_0$, the right answer to this question is a blurred image.
# So the network is not broken, and its training was not too short: it answers another question than ours.
#
# An internal method trains after it has seen $I$, so the degradation $d$ of this image is an *argument* of the training:
#
# $$\min_\theta\ \sum_{F \subset I} \bigl\lVert f_\theta\bigl(d(F)\bigr) - F \bigr\rVert .$$
#
# The internal method has few examples, but it can use the right $d$ if someone knows or estimates $d$ [@shocher2018].
#
# ## The visible method: three external networks
#
# SRCNN [@dong2016] was the first network for super-resolution.
# It enlarges the [luma](glossary.md#luma) by bicubic interpolation and applies three convolutions: *patch extraction*, *nonlinear mapping* and *reconstruction*.

# %%
from dil_teach.deep.external_sr.networks import SRCNN
from dil_teach.notebook import show_source

show_source(SRCNN.forward)

# %% [markdown]
# VDSR [@kim2016] has twenty convolutions, which predict only the [residual](glossary.md#residual) between the interpolated and the sharp luma.
# EDSR [@lim2017] works on the small RGB image, and ends in a [pixel shuffle](glossary.md#pixel-shuffle), as our ZSSR does.
# The '+' of EDSR+ means the [mean over eight orientations](glossary.md#self-ensemble).

# %%
external = {
    name: load_external_network(name.lower()).to(device())
    for name in ("SRCNN", "VDSR", "EDSR")
}
ours = ZSSR(ideal, settings=settings).network
for name, network in {**external, "ZSSR": ours}.items():
    weights = sum(weight.numel() for weight in network.parameters())
    print(f"{name:6}{weights:10,} weights")

# %% [markdown]
# We trained the three networks on 290 of the 291 photographs of VDSR's authors, with bicubic downscaling (`data/train_external_sr.py`).
# The authors of EDSR used 800 larger photographs and a larger network, so our EDSR is weaker than theirs.
# The papers report 36.66 dB (SRCNN) and 37.53 dB (VDSR) on the data set Set5 at scale 2; the record *Case 1* below has our figures.
#
# ZSSR's training needs one change for another kernel: the sons are made with this kernel.
# Find the line in which the kernel is used:

# %%
show_source(ZSSR.father_and_son)

# %% [markdown]
# ## Experiment: five degradations
#
# For each degradation we know the true kernel and what ZSSR is told about the image.

# %% tags=["algorithm"]
from dil_teach.image.augment import add_noise
from dil_teach.image.metrics import noise_level

rng = torch.Generator().manual_seed(seed)
steps = torch.linspace(-1, 1, 201)
MOTION = torch.zeros(13, 13)  # an oblique streak, nine pixels long
for row, column in zip(2 * steps + 6, 4 * steps + 6, strict=True):
    MOTION[int(row.round()), int(column.round())] += 1 / len(steps)
noisy = rounded(add_noise(ideal.cpu(), 20 / 255, rng)).to(device())
moved = rounded(blur_and_subsample(truth, MOTION, scale=2))
conditions = {
    "ideal": (ideal, "bicubic", {}),
    "wide blur": (blurred, WIDE, {}),
    "motion": (moved, MOTION, {}),
    "noise": (noisy, "bicubic", {"noise": noise_level(noisy)}),
    "other shape": (rounded(resize(truth, size=(123, 89))), "bicubic", {}),
}

# %%
kernels = {"wide blur": WIDE, "motion": MOTION}
show(
    {f"kernel: {n}": (k / k.max()).float()[None] for n, k in kernels.items()},
    alt="Two kernels: an oblique oval and an oblique streak",
)
show(
    {
        name: conditions[name][0][:, 20:52, 22:54]
        for name in ("wide blur", "motion", "noise")
    },
    alt="Three degraded copies: soft, smeared along an oblique line, and grainy",
)

# %% [markdown]
# The streak smears fine lines into bands.
#
# Our external networks were trained to enlarge by 2 only.
# For another shape, we enlarge by 2 and resize the result; ZSSR trains for any shape.
# To save time, ZSSR has a smaller network and fewer steps than in the smallest demo, and EDSR enlarges only one orientation instead of eight (so it is called EDSR, not EDSR+).

# %%
side_steps = {"quick": 60, "standard": 600, "full": 2000}[budget]
SMALL = dict(steps=side_steps, gradual=1, width=32, depth=6, crop=16, batch=4)
size = truth.shape[1:]


def outside(given):
    """The results of the three external networks, at the size of the truth."""
    large = {name: super_resolve_with(net, given) for name, net in external.items()}
    return {name: resize(x, size=size).clamp(0, 1) for name, x in large.items()}


# %% [markdown]
# The *[control](glossary.md#control)* is told the same kernel as ZSSR, but learns nothing.
# It looks for the smooth image whose degraded copy is nearest to the given image, by regularised *least squares*.
#
# ## Exercise: the control that learns nothing
#
# Write `control_loss(high, given, kernel)`, the number that the control minimises.
#
# - `high`: Float[Tensor, "c H W"] in [0, 1], the large image that we look for.
# - `given`: Float[Tensor, "c h w"] in [0, 1], the given image.
# - `kernel`: the blur kernel, or the name `"bicubic"`.
# - Returns the sum of the squared differences between `given` and the degraded copy of `high`, plus 0.0001 times the sum of the squared slopes of `high`: a tensor without axes, with a gradient for `high`.
#
# A slope is the difference of two neighbours, below each other or beside each other.
# `blur_and_subsample(high, kernel, scale, size=given.shape[1:])` degrades an image; `scale` is a pair of floats, H / h and W / w.
# Expected run time: a few milliseconds.


# %% tags=["exercise"]
def control_loss(high, given, kernel):
    ### BEGIN SOLUTION
    scale = tuple(n / m for n, m in zip(high.shape[1:], given.shape[1:], strict=True))
    again = blur_and_subsample(high, kernel, scale, size=given.shape[1:])
    slopes = high.diff(dim=1).square().sum() + high.diff(dim=2).square().sum()
    return (again - given).square().sum() + 1e-4 * slopes
    ### END SOLUTION


# %%
from dil_teach.course import check

check.control_loss(control_loss)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Compare two small images, not two large images: degrade `high` first.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `x.diff(dim=1)` contains the differences of neighbours below each other; `dim=2` those of neighbours beside each other.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Use `.square().sum()` three times.
# Do not call `float`, because then the loss has no gradient.
#
# </details>

# %% [markdown]
# All results of *least squares* in this chapter are made with your function, if it passed the check, and with the library's function otherwise.
# The loss is quadratic, so the method of conjugate gradients finds its minimum.

# %%
from dil_teach.classical.least_squares import conjugate_gradients

passed = check.control_loss(control_loss).state == "passed"
loss_of = control_loss if passed else check.control_loss.reference


def least_squares(given, kernel):
    def slope(high):
        high = high.detach().requires_grad_()
        loss_of(high, given, kernel).backward()
        return high.grad

    start = resize(given, size=size)
    at_zero = slope(torch.zeros_like(start))
    correction = conjugate_gradients(lambda x: slope(x) - at_zero, -slope(start), 40)
    return (start + correction).clamp(0, 1)


# %%
def inside(given, kernel, told):
    small = ZSSRSettings(**SMALL, **told, seed=seed)
    model = ZSSR(given, kernel=kernel, settings=small, size=tuple(size))
    control = least_squares(given, kernel)
    return {"least squares": control, "ZSSR": fit(model).super_resolve()}


# %% [markdown]
# The kernel comes from one of three sources: we *assume* bicubic downscaling, we *estimate* the kernel from the given image, or someone tells us the *true* kernel.
# `choose_kernel` estimates a Gaussian kernel, and refuses its own estimate if patches of two scales contradict it; then we assume bicubic downscaling.
# (For images of at least 128 pixels a side, it first looks for a kernel of motion.)
# The third image of the next cell is a part of the photograph at its full resolution, for the section *Real photographs*.

# %%
from dil_teach import choose_kernel

top, left = ((side - 80) // 2 for side in photograph.shape[1:])
real = photograph[:3, top : top + 80, left : left + 80].to(device())
unknown = {name: conditions[name][0] for name in ("wide blur", "motion")}
unknown["real photograph"] = real
estimates = {}
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    choices = pool.map(lambda image: choose_kernel(image, seed), unknown.values())
for name, choice in zip(unknown, choices, strict=True):
    estimates[name] = choice.kernel
    verdict = "refused" if choice.kernel is None else "accepted"
    print(f"{name:15} {verdict}: {choice.reason}")

# %% [markdown]
# The kernel of the wide blur is estimated well: the true variances are 3.3 pixels² along x and 1.7 pixels² along y.
# For the streak, the estimate is refused, so bicubic downscaling is assumed.
# For the other three degradations, the downscaling is bicubic, so the assumed kernel is the true kernel, and we do not estimate it.


# %%
def by_each_source(name):
    given, true, told = conditions[name]
    shared = {"bicubic": resize(given, size=size).clamp(0, 1)} | outside(given)
    found = {"assumed": inside(given, "bicubic", told)}
    for source, kernel in (("estimated", estimates.get(name)), ("true", true)):
        known = isinstance(kernel, torch.Tensor)
        found[source] = inside(given, kernel, told) if known else found["assumed"]
    return {(name, source): shared | images for source, images in found.items()}


results = {}
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    for found in pool.map(by_each_source, conditions):
        results |= found

# %%
scores = {key: decibels(found) for key, found in results.items()}
SHOWN = ("bicubic", "SRCNN", "VDSR", "EDSR", "least squares", "ZSSR")
print(f"{'PSNR [dB]':23}" + "".join(f"{method:>16}" for method in SHOWN))
for (name, source), score in scores.items():
    if source == "assumed" or score["ZSSR"] != scores[name, "assumed"]["ZSSR"]:
        row = "".join(f"{score[method]:16.2f}" for method in SHOWN)
        print(f"{name:12}{source:11}{row}")

# %% [markdown]
# A row is left out if its kernel is the same as the assumed kernel.
# Read the columns EDSR and ZSSR first: the order changes with the degradation.
# Then compare the rows of one blur: with the kernel *assumed*, ZSSR is as helpless as EDSR.
# With the true kernel, even least squares, which learn nothing, beat all external networks.
# (In 60 steps, the smaller ZSSR of this table does not reach least squares: it is 1.2 dB worse for the wide blur and 0.3 dB for the streak. The larger ZSSR of the smallest demo, in 180 steps, is 0.5 dB better than least squares for the wide blur.)
# So learning inside is no remedy against a wrong kernel; **the remedy is to know the kernel, and internal learning can use this knowledge at once**.

# %% [markdown]
# Compare the table with your predictions, kernel *true*.
# EDSR wins in the ideal case and for the other shape: there, the blur before the subsampling is that of its training, and resizing an image that is too large loses little.
# ZSSR wins for the two blurs, because it is told the kernel, and for noise, because it is told its strength; a network that was trained on clean images sharpens noise like detail.
# Neither comparison gives both methods the same information; *The same information for both* and case 3 do.

# %% [markdown]
# Choose a degradation and the source of the kernel, and look at all results:

# %%
from dil_teach.notebook import Choice, explore, strip


def render_case(degradation, kernel):
    return strip(results[degradation, kernel], crop=CROP, zoom=4, truth=truth)


# %%
case = explore(
    render_case,
    {
        "degradation": Choice("Degradation", tuple(conditions), "wide blur"),
        "kernel": Choice("Kernel", ("assumed", "estimated", "true"), "true"),
    },
    alt="Part of the photograph by bicubic interpolation, three external networks, "
    "least squares and ZSSR, and the ground truth. Degradation: {degradation}; "
    "kernel of least squares and ZSSR: {kernel}",
    examples=[
        dict(degradation="motion", kernel="true"),
        dict(degradation="noise", kernel="assumed"),
    ],
)

# %% [markdown]
# Motion, true kernel: the external networks keep the smear, and EDSR sharpens both sides of a smeared line, so that outlines are double; least squares and ZSSR remove the smear.
# Noise: the external networks sharpen the grain together with the image; ZSSR, which was told the strength of the noise, smooths the grain.
# (With half as much noise, ZSSR and EDSR are nearly equal on this portrait: then the loss of detail costs more than the noise. Case 3 below has this weaker noise.)


# %%
# NBVAL_CHECK_OUTPUT
def gain(name, source="true", over="EDSR"):
    return scores[name, source]["ZSSR"] - scores[name, source][over]


assumed_alike = [abs(gain(name, "assumed")) < 0.6 for name in kernels]
claims = {
    "ideal: EDSR beats ZSSR": gain("ideal") < 0,
    "wide blur, true kernel: ZSSR gains over 3 dB on EDSR": gain("wide blur") > 3,
    "motion, true kernel: ZSSR gains over 1.5 dB on EDSR": gain("motion") > 1.5,
    "kernel assumed: ZSSR and EDSR differ by under 0.6 dB": all(assumed_alike),
    "noise: ZSSR gains over 0.5 dB": gain("noise") > 0.5,
    "the estimate for motion is refused": estimates["motion"] is None,
}
check_claims(claims, own)

# %% [markdown]
# ## The same information for both
#
# ZSSR was told the blur kernel.
# What can EDSR+ gain from the same information, without any training?
# We correct its result by [back-projection](glossary.md#back-projection) with the true kernel, and compare again:

# %%
from dil_teach.classical.back_projection import back_project

corrected = back_project(in_blur["EDSR+"], blurred, WIDE, scale=2)
fair = {
    "bicubic": in_blur["bicubic"],
    "EDSR+": in_blur["EDSR+"],
    "EDSR+, back-projected": corrected.clamp(0, 1),
    "least squares": results["wide blur", "true"]["least squares"],
    "ZSSR": in_blur["ZSSR"],
}

# %%
told = ("EDSR+, back-projected", "least squares", "ZSSR")
show(
    {name: fair[name] for name in told},
    alt="Wide blur: EDSR+ with back-projection with the true kernel, least squares, "
    "and ZSSR are sharp; ZSSR has the cleanest outlines, and the others have ripples "
    "on the skin. Last, the ground truth",
    truth=truth,
    crop=CROP,
    zoom=4,
)

# %% [markdown]
# Back-projection with the true kernel gains several decibels for EDSR+, and least squares are as good without any network.
# ZSSR adds less than this on top.
# So most of the distance between EDSR+ and ZSSR is the value of *knowing the kernel*; the rest is the value of *learning with it*.

# %%
# NBVAL_CHECK_OUTPUT
credit = decibels(fair)
claims = {
    "EDSR+ gains over 2 dB from the true kernel": credit["EDSR+, back-projected"]
    > credit["EDSR+"] + 2,
    "least squares gain over 2 dB over EDSR+": credit["least squares"]
    > credit["EDSR+"] + 2,
    "ZSSR is over 0.2 dB better than both": credit["ZSSR"]
    > max(credit["least squares"], credit["EDSR+, back-projected"]) + 0.2,
}
check_claims(claims, own)

# %% [markdown]
# ### Who did the work
#
# The table has ten photographs with one random Gaussian for each seed, and this run for the methods that it has; there, ZSSR *estimates* the kernel.
# The *[oracle](glossary.md#oracle)* rows know the true kernel, which nobody knows about a real photograph.

# %%
print("PSNR [dB] on the copy with the wide blur, and gain over bicubic interpolation:")
for method, score in credit.items():
    print(f"{method:26}{score:6.2f}{score - credit['bicubic']:+7.2f}")
rows = {
    "bicubic": "bicubic interpolation",
    "EDSR+": "EDSR+ (no kernel)",
    "least squares": "least squares, true kernel",
    "ZSSR": "ZSSR, true kernel",
}
here = {row: psnr_y(fair[name], truth, shave=8) for name, row in rows.items()}
kernel_credit = show_credit("outside_kernels", here)

# %% [markdown]
# Without the kernel, inside and outside are equal: ZSSR with the bicubic kernel has the PSNR of EDSR+.
# The estimated kernel makes most of the gain: least squares with it, which learn nothing, are 2.7 dB better than EDSR+.
# The network adds 0.6 dB, and the true kernel would add 0.7 dB more.
#
# ## Exercise: SRCNN, by hand
#
# Write `srcnn(image, weights)`, which applies SRCNN to an interpolated colour picture.
#
# - `image`: Float[Tensor, "3 h w"] in [0, 1], the photograph after bicubic interpolation.
# - `weights`: a dictionary of tensors; the layers are called `extract`, `map` and `reconstruct`, and layer `extract` has `weights["extract.weight"]`, Float[Tensor, "n 1 k k"] with odd k, and `weights["extract.bias"]`.
# - Returns Float[Tensor, "3 h w"], not clamped to [0, 1].
#
# Compute the luma with `luma(image).float()`, Float[Tensor, "1 h w"].
# Apply the three convolutions, each padded by zeros so that the size stays the same; a ReLU follows the first and the second convolution.
# The network changes the luma only.
# Add the change of the luma to the three channels, so that the colour stays as interpolation left it.
# The luma of this library runs from 16 to 235, while R, G and B run from 0 to 255, so multiply the change by 255 / 219.
# Expected run time: less than a second.

# %% tags=["exercise"]
import torch.nn.functional as F

from dil_teach.image.metrics import luma


def srcnn(image, weights):
    ### BEGIN SOLUTION
    def layer(x, name):
        kernel, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.conv2d(x, kernel, bias, padding=kernel.shape[-1] // 2)

    before = luma(image).float()
    x = F.relu(layer(F.relu(layer(before, "extract")), "map"))
    change = layer(x, "reconstruct") - before
    return image + 255 / 219 * change
    ### END SOLUTION


# %%
check.srcnn(srcnn)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# `F.conv2d(x, kernel, bias, padding=...)` is one layer.
# A kernel of 9 x 9 pixels needs 4 pixels of padding on each side.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The output of the third convolution is the new luma, not the change of the luma.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The same change is added to R, G and B: torch repeats a tensor of one channel by itself.
#
# </details>

# %% [markdown]
# The next figure uses your function if it passed the check, and the library's function otherwise.

# %%
passed = check.srcnn(srcnn).state == "passed"
by_hand = srcnn if passed else check.srcnn.reference
weights = external["SRCNN"].state_dict()
shown = {}
for name, given in (("ideal", ideal), ("wide blur", blurred)):
    before = resize(given, scale=2).clamp(0, 1)
    after = by_hand(before, weights).detach().clamp(0, 1)
    shown[f"{name}: bicubic"], shown[f"{name}: SRCNN"] = before, after
    shown[f"{name}: change x 5"] = (0.5 + 5 * (after - before)).clamp(0, 1)

# %%
who = "your SRCNN" if passed else "SRCNN"
show(
    {title.replace("SRCNN", who): image for title, image in shown.items()},
    alt="Two rows: ideal downscaling and wide blur. Each has bicubic interpolation, "
    "SRCNN, and the change by SRCNN, five times stronger on grey. The change shows "
    "lines along all outlines; these lines are weaker for the wide blur",
    crop=CROP,
    zoom=4,
)

# %% [markdown]
# The two lines of pictures show the same network with the same weights.
# SRCNN adds a thin dark and a thin bright line along each outline, as wide as bicubic downscaling needs.
# The blurred copy has softer outlines, so the network finds less to sharpen, although more is missing.
#
# ## Does a result explain the given image?
#
# For a real photograph there is no ground truth.
# But we can ask of every result: if it is blurred and subsampled again, is it the given image?
# The *disagreement* is the mean absolute difference at low resolution, in grey levels of 255:


# %%
def difference(high, low, kernel):
    """The difference from the given image at low resolution, in grey levels."""
    again = blur_and_subsample(high, kernel, scale=2)
    return 255 * (again - low).abs().mean(0)


asked = {"bicubic": "bicubic", "true": WIDE}
print(f"{'wide blur, grey levels':30}" + "".join(f"{n + ' kernel':>16}" for n in asked))
levels = {
    method: {n: float(difference(image, blurred, k).mean()) for n, k in asked.items()}
    for method, image in {**fair, "ground truth": truth}.items()
}
for method, row in levels.items():
    print(f"{method:30}" + "".join(f"{row[name]:16.2f}" for name in asked))

# %%
from dil_teach.notebook import beside_maps

for method in ("EDSR+", "ZSSR"):
    maps = {
        f"{method}, {name} kernel": difference(fair[method], blurred, kernel)
        for name, kernel in asked.items()
    }
    show(
        beside_maps({}, maps, (0.0, 32.0), "difference in grey levels"),
        alt=f"Two maps of the difference between the given image and {method} at low "
        "resolution. EDSR+ is dark for the bicubic kernel and shows all outlines for "
        "the true kernel; ZSSR is the other way round",
    )

# %% [markdown]
# EDSR+ explains the given image almost perfectly *as a bicubic copy*, and ZSSR explains it almost perfectly *as a blurred copy*.
# EDSR+'s number is the work of its network; ZSSR's last step is back-projection with the true kernel, which makes its copy agree (EDSR+ after this step agrees as well).
# Each method gives a right answer to its own question; only the question of ZSSR is ours.
# The ground truth is on ZSSR's side.
# (This measure does not choose between results that explain the image equally well: least squares with ripples may score as well as ZSSR.)

# %%
# NBVAL_CHECK_OUTPUT
out, ins, right = (levels[method] for method in ("EDSR+", "ZSSR", "ground truth"))
claims = {
    "as a bicubic copy, EDSR+ explains the image twice as well": out["bicubic"]
    < ins["bicubic"] / 2,
    "as a blurred copy, ZSSR explains the image twice as well": ins["true"]
    < out["true"] / 2,
    "the truth explains the blurred copy to half a level": right["true"] < 0.5,
}
check_claims(claims, own)

# %% [markdown]
# ### The recurrence score
#
# Chapter [01](01_patch_recurrence.ipynb) measured how many patches of an image [recur](glossary.md#recurrence-score) in it.
# Does a result have the internal statistics of the photograph?

# %%
from dil_teach.patches.recurrence import recurrence_score

parts = {k: x[:, 40:112, 40:112] for k, x in {**fair, "ground truth": truth}.items()}
with ThreadPoolExecutor(cpu_count()) as pool:  # in parallel
    for method, value in zip(
        parts, pool.map(recurrence_score, parts.values()), strict=True
    ):
        print(f"{method:26}{value:.2f}")

# %% [markdown]
# The score is measured on 72 x 72 pixels in the middle, for the copy with the wide blur.
# Compare each score with the score of the ground truth.
# The two sharp results without learning from this image have lower scores, probably because their ripples make patches unlike each other.
# ZSSR sharpens the image without this loss.
# (Blurred results recur as well, because blur removes differences; so the score alone does not show which result is best.)
#
# ## The talk's four cases, on ten photographs
#
# One photograph proves little.
# Two scripts, `benchmarks/inside_outside.py` and `benchmarks/unknown_kernels.py`, repeated the experiment on ten photographs of up to 512 x 512 pixels, with ZSSR's complete settings.
# The external networks and ZSSR were not developed on these photographs.
# The tables also have the two methods of chapter [06](06_fractals_and_classical_sr.ipynb), which enlarge an image by its own patches, without a network [@freedman2011] [@glasner2009].
# The next cells print the scripts' records; the spread after '±' is the [standard deviation](glossary.md#standard-deviation) over photographs and kernels.
#
# ### Case 1: ideal

# %%
from dil_teach.course.records import per_picture, record, table

EXTERNAL = (
    "bicubic interpolation",
    "SRCNN",
    "VDSR",
    "VDSR, published weights",
    "EDSR+",
)
PATCHES = ("Freedman-Fattal", "Glasner")

# %%
case_1 = record("inside_outside_ideal")
for kind in ("Set5", "photographs"):
    rows = [row for row in case_1 if row["pictures"] == kind]
    methods = (*EXTERNAL, "back-projection", *PATCHES, "ZSSR")
    print(f"{kind}:\n{table(rows, methods, 'EDSR+')}\n")

won = [row["image"] for row in case_1 if row["ZSSR"] > row["EDSR+"]]
print(f"ZSSR is better than EDSR+ on {len(won)} of {len(case_1)}: {', '.join(won)}")
lost = [r["image"] for r in case_1 if r["Glasner"] < r["bicubic interpolation"]]
print(f"Glasner is worse than bicubic on {len(lost)}: {', '.join(lost)}")

# %% [markdown]
# The column on the right counts the pictures on which a method is better than EDSR+.
# Here ZSSR has the budget `standard`, and on Set5 three seeds.
# The talk shows a strongly recurrent picture on which ZSSR is better than EDSR+ even in the ideal case (25.68 dB against 25.29 dB) [@irani_talk].
# The line below the tables lists the pictures on which ZSSR is better.
# On the brick wall, whose pattern repeats over the whole picture, ZSSR is ahead by one decibel; on most other pictures, EDSR+ is ahead.
#
# The local examples of Freedman and Fattal are 0.2 dB better than back-projection on Set5, and slightly worse on the ten photographs.
# On the pictures of the last line, Glasner's method is even worse than bicubic interpolation.
# A likely reason is its tolerance, which is a fixed difference of grey values: in a picture with little contrast, dissimilar patches count as similar, and their mean is flat.
#
# ### Case 2: another kernel
#
# Each row of the record is one photograph with one kernel: a random Gaussian, or one of the eight camera shakes that @levin2009 recorded.

# %%
KERNELS = ("bicubic assumed", "estimated kernel", "true kernel")
INTERNAL = [f"{m}, {k}" for k in KERNELS for m in ("back-projection", "ZSSR")]
LEARN_NOTHING = [f"least squares, {k}" for k in KERNELS[1:]]
case_2 = {
    "random Gaussians": record("unknown_kernels_gaussians"),
    "camera shake": record("unknown_kernels_levin2009"),
}
for kind, rows in case_2.items():
    refused = sum(not row["estimate accepted"] for row in rows)
    print(f"{kind}: {refused} of {len(rows)} estimates were refused")
    print(table(rows, (*EXTERNAL, *INTERNAL, *LEARN_NOTHING), "EDSR+"))
    print()

# %% [markdown]
# Three observations:
#
# - If bicubic downscaling is *assumed*, ZSSR and EDSR+ are equally bad: both answer the wrong question.
# - With the *true* kernel, ZSSR is several decibels better than EDSR+, for Gaussians and for camera shake.
# - With the *estimated* kernel, ZSSR keeps most of this gain for Gaussians, and 40% of it for camera shake.
#   Where an estimate is refused, ZSSR assumes bicubic downscaling, so nothing is gained or lost.
#
# Back-projection fails with kernels of camera shake, because it amplifies the waves whose contrast the kernel inverts.
# Least squares do not fail, so ZSSR corrects its result with them.
# An estimated kernel of motion has an error, which acts like noise: so ZSSR trains with weak noise, and its least squares make a smoother correction.
# For camera shake with the estimated kernel, least squares alone are nearly as good as ZSSR: most of the gain is due to the kernel.
#
# ### Case 3: poor quality

# %%
case_3 = record("inside_outside_poor_quality")
BOTH = ("ZSSR, clean mode", "ZSSR, noise mode", "EDSR+ of BM3D")
spoilt = {}
for kind in ("noise 10", "speckle", "JPEG 50"):
    rows = [row for row in case_3 if row["degradation"] == kind]
    spoilt[kind] = per_picture(rows)
    print(f"{kind}:\n{table(spoilt[kind], (*EXTERNAL, *PATCHES, *BOTH), 'EDSR+')}\n")

# %% [markdown]
# *ZSSR, clean mode* is not told that the image is spoilt.
# Speckle multiplies each pixel by a random factor.
# In *noise mode*, ZSSR spoils the sons as the image is spoilt: by noise of the estimated strength, or by JPEG compression of quality 50, which a file states.
# *EDSR+ of BM3D* is the control: EDSR+ enlarges the image after BM3D (chapter [03](03_denoising_with_patches.ipynb)) has denoised it with the estimated strength.
# For noise and speckle, it has the same information as ZSSR; for JPEG it has less, because ZSSR is told the quality.
# For noise, this control is as good as ZSSR in noise mode.
# So denoising alone explains the gain of ZSSR over EDSR+ there.
# For speckle, ZSSR is 0.7 dB better on the mean, mostly on two of the five photographs.
# For JPEG compression, ZSSR is 1.1 dB better, but there the control is not fair.
#
# ### Case 4: any size and shape

# %%
case_4 = record("inside_outside_shapes")
for scale in dict.fromkeys(tuple(row["scale"]) for row in case_4):
    rows = [row for row in case_4 if tuple(row["scale"]) == scale]
    print(f"height x {scale[0]}, width x {scale[1]}:")
    methods = ("bicubic interpolation", "EDSR+ and bicubic", *PATCHES, "ZSSR")
    print(f"{table(rows, methods, 'EDSR+ and bicubic')}\n")

# %% [markdown]
# EDSR+ enlarges by 2, and the result is resized to fit; ZSSR was trained for each shape.
# On the mean, EDSR+ with a bicubic resize is better: the downscaling is bicubic, so this is the ideal case in another shape.
# That ZSSR can be trained for any shape is convenient, but it is no advantage in quality here: the patches of Glasner, which also allow any shape, are 0.1 to 0.2 dB better than ZSSR on the mean.
#
# The next figure shows all four cases: one mark for each photograph.

# %%
from dil_teach.course.records import differences, gain_figure

gains = {}
for kind in ("Set5", "photographs"):
    rows = [row for row in case_1 if row["pictures"] == kind]
    gains[f"ideal, {kind}"] = {"true kernel": differences(rows, "ZSSR", "EDSR+")}
for kind, rows in case_2.items():
    gains[kind] = {k: differences(rows, f"ZSSR, {k}", "EDSR+") for k in KERNELS}
for kind, rows in spoilt.items():
    gains[kind] = {"true kernel": differences(rows, "ZSSR, noise mode", "EDSR+")}
shape_gains = differences(case_4, "ZSSR", "EDSR+ and bicubic")
gains["other shapes"] = {"true kernel": shape_gains}
gains = {kind: found for kind, found in gains.items() if any(found.values())}

# %%
show(
    gain_figure(gains, "PSNR of ZSSR minus PSNR of EDSR+ [dB]"),
    alt="Gain of ZSSR over EDSR+ in dB, one mark for each photograph, with the mean as "
    "a bar. In the ideal case the marks lie near zero; for other blurs with an assumed "
    "kernel they lie on zero, and with the true kernel far to the right",
)

# %% [markdown]
# A mark to the right of the line is a photograph on which ZSSR wins.
# Marks differ in shape by the source of the kernel; for the ideal case, poor quality and other shapes, bicubic downscaling *is* the true kernel.
# Whether ZSSR wins depends less on the photograph than on the distance between the degradation and that of EDSR's training, and on what ZSSR is told.
#
# How much does an estimate of the kernel help?
# The *gap* is the gain from the assumed kernel to the true kernel, and an estimate closes a part of it: the mean gain by the estimate, divided by the mean gap.

# %%
closed, points = {}, {}
for kind, rows in case_2.items():
    columns = [torch.tensor([row[f"ZSSR, {k}"] for row in rows]) for k in KERNELS]
    gain_by_estimate, gap = (columns[i] - columns[0] for i in (1, 2))
    closed[kind] = float(gain_by_estimate.mean() / gap.mean())
    points[f"{kind}: {closed[kind]:.0%} of the gap closed"] = {
        "gap: true kernel": gap.tolist(),
        "gain by the estimate": gain_by_estimate.tolist(),
    }

# %%
show(
    gain_figure(points, "PSNR of ZSSR minus PSNR of ZSSR, bicubic assumed [dB]"),
    alt="For random Gaussians and for camera shake: the gap and the gain by the "
    "estimate on each photograph, with their means. For Gaussians, most gains are "
    "nearly as large as the gaps. For camera shake, they are much smaller than the "
    "gaps, but none is negative. Refused estimates lie at zero",
)

# %% [markdown]
# A gain of exactly zero is an estimate that was refused.
# Whenever an estimate was accepted, ZSSR with this estimate was at least as good as ZSSR with the bicubic kernel, for Gaussians and for camera shake.
# Chapter [09](09_zssr.ipynb) showed why a refusal is wise: assuming too much blur is worse than assuming too little.

# %%
# NBVAL_CHECK_OUTPUT
means = {k: sum(v) / len(v) for k, v in gains["random Gaussians"].items()}
largest_loss = min(
    min(differences(rows, "ZSSR, estimated kernel", "ZSSR, bicubic assumed"))
    for rows in case_2.values()
)
claims = {
    "Gaussians, true kernel: ZSSR over EDSR+ by over 3 dB": means["true kernel"] > 3,
    "Gaussians, estimate: ZSSR over EDSR+ by over 2 dB": means["estimated kernel"] > 2,
    "Gaussians: the gap is closed by over 65%": closed["random Gaussians"] > 0.65,
    "camera shake: the gap is closed by over 35%": closed["camera shake"] > 0.35,
    "no estimate loses over 0.1 dB": largest_loss > -0.1,
}
check_claims(claims)

# %% [markdown]
# ## The counter-argument: why not train for it?
#
# If an external network fails for another kernel, we can train it for this kernel.
# That is a fair objection.
# Here we train SRCNN further, on six other photographs of the course that we blur with the true kernel.
# The training step is the same as for the first training:

# %%
from dil_teach.deep.external_sr.external_sr import ExternalSettings, ExternalTraining

show_source(ExternalTraining.train_step)

# %%
from dil_teach import photo, train

others = ("astronaut", "coffee", "flower", "facade", "chelsea", "china")
tiles = torch.stack([photo(name, size=240) for name in others]).to(device())
tuning_steps = {"quick": 25, "standard": 400, "full": 2000}[budget]
tuning = ExternalTraining(
    tiles,
    ExternalSettings("srcnn", WIDE, tuning_steps, batch=4, seed=seed),
    external["SRCNN"].state_dict(),
)

# %%
copies = {"wide blur": blurred, "ideal": ideal}
tuned = {name: [scores[name, "true"]["SRCNN"]] for name in copies}
at = [0]
for progress in train(tuning, report_every=tuning_steps // 5):
    at.append(progress.step)
    for name, given in copies.items():
        image = super_resolve_with(tuning.network, given)
        tuned[name].append(psnr_y(image, truth, shave=2))

# %%
from dil_teach.notebook import curves

zssr = wide["ZSSR"]
show(
    curves(
        {f"SRCNN, {name}": (at, values) for name, values in tuned.items()}
        | {"ZSSR, wide blur": ((0, at[-1]), (zssr, zssr))},
        xlabel="steps of further training",
        ylabel="PSNR of Y [dB]",
    ),
    alt="PSNR against steps of further training. SRCNN rises on the blurred copy and "
    "falls on the ideal copy; a level line for ZSSR on the blurred copy lies above",
)

# %% [markdown]
# Within seconds, the network gets better for the new kernel, and at the same time worse for the old kernel.
# (This training is short, so the curve does not show how good such a network can become; the record below has a longer training.)
# So the objection is right: an external network does not have to assume bicubic downscaling.
# But the weights of such a network assume *one* degradation, whichever it is.
#
# The benchmark did the same with EDSR and its own training photographs, for the kernels of four photographs, and compared it with ZSSR with the same kernel:

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "further training gains over 1 dB for the new kernel": tuned["wide blur"][-1]
    > tuned["wide blur"][0] + 1,
    "further training loses over 1 dB for the old kernel": tuned["ideal"][-1]
    < tuned["ideal"][0] - 1,
}
check_claims(claims, own)

# %%
further = record("inside_outside_fine_tuned")
methods = [key for key in (further or [{}])[0] if "fine-tuned" in key]
print(table(further, ("EDSR+", *methods, "ZSSR, true kernel"), "ZSSR, true kernel"))
for row in further[-1:]:
    cost = {key: row[key] for key in row if key.endswith("CPU s")}
    print("\nComputing time of the last picture in CPU seconds:")
    print(", ".join(f"{what[:-7]} {value:.0f}" for what, value in cost.items()))

# %% [markdown]
# The table says by how much each network is better than ZSSR, and the line below it says what that cost.
# Training further works: each hundred steps gain about 0.3 dB, also the last ones, so this training had not converged.
# So the table does not say how good such a network can become, only what it costs to come this far.
# Its price is that somebody must know the kernel *before* the training, must still have the training photographs, and must train again for the next kernel.
# ZSSR pays once for each image as well, but needs the image only.
# (Newer external networks take the kernel as an input, or are trained on many degradations; this course does not compare them.)
#
# ## A true story: the test picture in the training set
#
# A benchmark is fair only if no test picture was trained on.
# Set5, the most used test set of super-resolution, has a picture called 'woman'.
# It is a smaller copy of picture 302003 of BSD200, and BSD200 is part of the 291 training pictures that VDSR and many later networks used.
# We noticed this when the thumbnails of the two pictures correlated by 0.99, and removed picture 302003 before we trained our networks.

# %%
twins = record("inside_outside_twins")
best = max(twins, key=lambda row: row["correlation"])
print(f"After the removal, the nearest pair of {len(twins)} test pictures:")
print(f"{best['image']} and {best['nearest']}, correlation {best['correlation']:.2f}")

# %% [markdown]
# So no other test picture of this chapter has a twin among the training pictures.
#
# What does a network gain if it has seen a test picture?
# We trained EDSR further, twice with the same number of steps: once without 'woman', and once with 40 copies of it, so that it is seen as often as in a long training.

# %%
NAMES = ("baby", "bird", "butterfly", "head", "woman")
print("PSNR [dB]   " + "".join(f"{name:>11}" for name in NAMES))
seen_or_not = {row["woman"]: row for row in record("inside_outside_seen_test_picture")}
for what, row in seen_or_not.items():
    values = [row[f"img_00{number}"] for number in range(1, 6)]
    print(f"woman {what:6}" + "".join(f"{value:11.2f}" for value in values))

# %% [markdown]
# The last column differs by 0.1 dB, the gain from the seen picture; but these are single trainings, and 'bird' differs by 0.06 dB by chance.
# The gain is small, but the order of two published methods often depends on less.
# An internal method cannot have this problem, because it has no training set.
#
# ## Any type of data
#
# An external network has learned from photographs of daily life.
# A network for one image needs no other data, so it also works on pictures with other statistics, bit depths or numbers of channels.

# %%
kinds = record("inside_outside_data_types")
columns = ("bicubic interpolation", "EDSR+", *PATCHES, "ZSSR")
print(f"{'PSNR [dB]':46}" + "".join(f"{name[:8]:>9}" for name in columns))
for row in kinds:
    seeds = [row[key] for key in row if key.startswith("ZSSR, seed")]
    row["ZSSR"] = sum(seeds) / len(seeds)
    about = f"{row['picture']} ({row['channels']} channels, {row['bits']} bits)"
    print(f"{about:46}" + "".join(f"{row[name]:9.2f}" for name in columns))
won = [row["picture"] for row in kinds if row["ZSSR"] > row["EDSR+"]]
print(f"ZSSR is better on {len(won)} of {len(kinds)}: {', '.join(won)}")

# %% [markdown]
# EDSR+ was given three channels at a time, because it knows no other number; ZSSR was given all channels together.
# All these pictures were downscaled with the bicubic kernel, as in EDSR's training.
# So only the *content* was new.
# The last line says how often the new content was enough for ZSSR to win; on the retina, the two methods are equal (0.01 dB), and the local examples of Freedman and Fattal are the best.
# EDSR+ stays better on tissue and on the two views, although it had never seen such pictures: new content alone harms it less than a new degradation.
# Glasner's method is worse than bicubic interpolation on the retina and on the dark picture, which have little contrast, as in case 1.
# On the dark picture, all values lie below 1/16, and EDSR+ is even worse than bicubic interpolation: its errors do not shrink with the brightness of the picture.
# (Would it help EDSR+ to multiply the dark picture by 16 first, and to divide the result by 16? Try it.)
#
# ## Real photographs
#
# Nobody knows how a real photograph was degraded.
# There is no ground truth, so there is no PSNR either: we can only look, and measure the disagreement for the kernel that we believe in.
# We took 80 x 80 pixels from the middle of the photograph at its full resolution; the cell with `choose_kernel` also estimated their kernel.

# %%
known = estimates["real photograph"] is not None
believed = estimates["real photograph"] if known else "bicubic"
model = ZSSR(real, 2, believed, ZSSRSettings(**SMALL, seed=seed))
enlarged = {
    "bicubic": resize(real, 2).clamp(0, 1),
    "EDSR": super_resolve_with(edsr, real),
    "ZSSR": fit(model).super_resolve(),
}

# %%
show(
    {name: image[:, 16:144, 16:144] for name, image in enlarged.items()},
    alt="The middle of the photograph at full resolution, enlarged by bicubic "
    "interpolation, EDSR and ZSSR. There is no ground truth",
    zoom=2,
)

# %% [markdown]
# Look for three things: are outlines sharp, is grain amplified, and are there ripples beside outlines?
# On our portrait, the estimate is refused, so ZSSR assumes bicubic downscaling, as EDSR does. Do not expect an advantage of ZSSR here.
# The file was compressed as JPEG before we got it: EDSR turns the traces of the compression beside the nose into thin curls, which no face has.
# ZSSR stays close to bicubic interpolation.
# Without ground truth, a picture that looks sharper is not always closer to the scene.
#
# ## When internal learning fails
#
# First, a kernel that cannot be estimated; and then two defeats from the records.

# %%
lost = scores["motion", "estimated"]
print(f"motion, estimate refused: EDSR {lost['EDSR']:.2f}, ZSSR {lost['ZSSR']:.2f} dB")
rows = case_2["camera shake"]
classical = differences(rows, "ZSSR, true kernel", "least squares, true kernel")
print(f"camera shake, true kernel: ZSSR minus least squares, {len(rows)} rows:")
print("  " + ", ".join(f"{gain:+.1f}" for gain in sorted(classical)) + " dB")
for kind, found in gains.items():
    if kind.startswith("ideal"):
        print(f"{kind}: ZSSR minus EDSR+, {len(found['true kernel'])} pictures:")
        values = sorted(found["true kernel"])
        print("  " + ", ".join(f"{gain:+.1f}" for gain in values) + " dB")

# %% [markdown]
# **A kernel that cannot be estimated from an image of 80 x 80 pixels.**
# For the streak, the estimate was refused.
# ZSSR assumed bicubic downscaling, and failed as EDSR did: internal learning alone does not find the kernel.
#
# **Camera shake with the true kernel.**
# Where the number is negative, least squares are better than ZSSR with the same kernel, although least squares learn nothing.
# A likely reason: the fathers are parts of the given image, so their outlines are doubled, too, and the network never sees an outline as it should be.
# A father with a Gaussian blur is only soft, and its smaller copies are sharp.
#
# **The ideal case.**
# Where the degradation is that of the training, many photographs usually know more than one image.

# %%
# NBVAL_CHECK_OUTPUT
claims = {
    "the estimate was refused, and ZSSR is as bad as EDSR": abs(
        lost["ZSSR"] - lost["EDSR"]
    )
    < 0.3,
    "least squares beat ZSSR on some photographs with camera shake": min(classical) < 0,
}
check_claims(claims, own)

# %% [markdown]
# ## Mini-project: when does one image know more?
#
# In the ideal case, ZSSR wins on a brick wall.
# Find a rule that predicts from the *given* image alone whether ZSSR or EDSR+ is better under bicubic downscaling; the recurrence score of chapter 01 is one candidate.
# Choose the rule on five photographs of your own, and test it once on five others.
#
# | criterion | 2 points | 1 point |
# |---|---|---|
# | hypothesis | a measure of the image, and a reason why it should decide | a measure without a reason |
# | fairness | same kernel, same inputs, rule fixed before the test | rule changed after the test |
# | measurement | PSNR of both for ten photographs, three seeds of ZSSR | one seed, or fewer photographs |
# | failure | a photograph on which the rule is wrong, shown and explained | a failure without a reason |
# | conclusion | says how often the rule is right, beside the rule 'always EDSR+' | no comparison with that rule |
#
# ## Summary
#
# - An external network answers the question of its training: which image, downscaled as in the training, gives this image?
# - In the ideal case, EDSR+ is ahead of ZSSR on most pictures.
#   ZSSR is ahead on a picture whose pattern repeats all over, such as a brick wall.
# - On Set5, ZSSR `full` is within 0.1 dB of the published VDSR, and patches of the image without any network have more than half of its gain over back-projection.
# - With another kernel, EDSR+ loses most of its gain.
#   ZSSR is several decibels better if it is told the kernel or can estimate it, and no better if it is not told.
# - Most of this advantage is due to the kernel: least squares with the kernel, which learn nothing, reach most of it.
# - For noise of constant strength, EDSR+ after BM3D is as good as ZSSR; for speckle and JPEG compression, ZSSR is better.
# - A new shape or new content alone is no reason for ZSSR: EDSR+ wins for other shapes on the mean, and on some pictures that are no photographs of daily life.
# - An external network can be trained for a new kernel, but somebody must know the kernel before, and must pay again for the next kernel.
# - Least squares with the true kernel, which learn nothing, beat ZSSR on some photographs with camera shake.
#
# ## References
