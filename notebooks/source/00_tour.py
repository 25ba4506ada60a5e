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
# # 00 · Tour: what can one image teach?
#
# Most networks learn from millions of pictures, and are then shown yours. The networks of this course see **one picture only: yours**. They learn from it, answer for it, and are thrown away.
#
# **After this chapter you can**
# - say how one image can be both the training set and the test;
# - tell an image from its *father* and its *son*, and say which of them a network is trained on;
# - predict in which parts of a photograph this helps, and in which it cannot.
#
# **What you need**: to know what a pixel is, and that a network is trained by making a loss smaller. No GPU. About 15 minutes of reading; the whole chapter computes in under 40 seconds (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
from dataclasses import replace

from dil_teach import ZSSR, ZSSRSettings, photo, psnr_y, resize, train
from dil_teach.notebook import LivePanel, before_after, device, show, show_source
from dil_teach.notebook import start, upload, uploaded_image

seed = 0
start(budget, seconds={"quick": 30, "standard": 60, "full": 180})

# %% [markdown]
# The seed is 0: run the chapter twice on one computer and you get the same picture, bit for bit.
#
# ## A photograph: ours, or yours
#
# Choose a file below to take a photograph of your own, then select the next cell and *Run > Run Selected Cell and All Below*. Nothing leaves your computer. Without a file you get ours.

# %%
button = upload("Your own photograph")

# %%
ours = photo("china", size=256)
photograph = uploaded_image(button.value, default=ours, max_side=256)
height, width = (side - side % 2 for side in photograph.shape[1:])
truth = photograph[:, :height, :width].to(device())
own = photograph is not ours
subject = "your photograph" if own else "a pagoda with tiled roofs, trees, lake and sky"
show(truth, alt=f"The photograph in full detail, {width} x {height} pixels: {subject}")

# %% [markdown]
# This is the **ground truth**: an image with all its detail. It will be hidden from the methods, and shown again to score them. (Ours is scikit-learn's `china.jpg`; its author and licence stand in `data/photos.json`. Yours is made small, so that everything is quick: that also makes it sharp and clean, which is the ideal case.)
#
# ## Predict first
#
# We are going to throw away three of every four pixels, and ask two methods to bring them back: bicubic interpolation, which knows no image at all, and a network that has seen nothing but the small image. Write your answers down before you go on:
#
# 1. The network never sees the large image, nor any other. What, then, can it be trained on?
# 2. Where will it beat bicubic interpolation: in the **sky**, at the **roof edges and railings**, or in the **leaves**?
#
# ## The smallest demo
#
# Halving the image is our *forward model*, the step that loses the detail. Bicubic interpolation is the plainest way back.

# %%
small = resize(truth, scale=0.5).clamp(0, 1)
bicubic = resize(small, scale=2).clamp(0, 1)
show(
    {"ground truth": truth, "given: half the size": small, "bicubic": bicubic},
    alt=f"Three versions of {subject}: full detail, half the size, and the half-size "
    "one enlarged by bicubic interpolation, which is soft along every edge",
)

# %% [markdown]
# Bicubic interpolation puts a smooth surface through the pixels it has. Edges come out soft, because smooth is all it knows of the world.
#
# ## The idea: patches recur
#
# Look at the roofs: the same tile ends, again and again, and in perspective the far ones are *smaller copies* of the near ones. Small patches of a natural image recur in it many times, at its own scale and at coarser ones (Glasner, Bagon and Irani 2009; chapter 01 lets you touch this). So the image holds examples of how a small blurred thing looks when it is large and sharp. **The training set is inside.**
#
# To get at it, do to the given image what was done to the unknown one: halve it.

# %%
son = resize(small, scale=0.5).clamp(0, 1)
show(
    {"unknown": truth, "given: the father": small, "made: its son": son},
    alt="The same picture at three sizes, each half of the one before: the unknown "
    "large image, the given image called the father, and the smaller son made from it",
    zoom=1,
)

# %% [markdown]
# Two arrows of one kind: *unknown to given* and *father to son* are the same forward model. A network that learns to turn **sons back into fathers**, for which we have the answer, can then be asked to turn the given image into the unknown one. That is ZSSR, 'zero-shot' super-resolution (Shocher, Cohen and Irani 2018).
#
# ## The method
#
# One training step, from the library that this course is written on: cut sons and fathers from the given image, compare the network's answer with the father, improve the network. Chapter 09 takes it apart line by line.

# %%
show_source(ZSSR.train_step)

# %% [markdown]
# It stops after a fixed number of steps, set by the budget; the ground truth has no say in it. Training has a cell to itself: stop it with the stop button and nothing is lost, run it again and it carries on.

# %%
settings = replace(getattr(ZSSRSettings, budget)(), seed=seed)
zssr = ZSSR(small, scale=2, settings=settings)
panel = LivePanel(alt=f"The network's present answer for {subject}")

# %%
for progress in train(zssr, report_every=100):
    panel.update(progress, zssr.super_resolve())

# %% [markdown]
# The loss falls fast, then slowly: the network first finds the image's few strong edges, then its rarer patterns.
#
# ## What came out

# %%
results = zssr.results()
zssr_image = results["final"]
score = {name: psnr_y(image, truth, shave=2) for name, image in results.items()}
for name in ("bicubic", "bicubic + back-projection", "final"):
    print(f"{name:27} {score[name]:.2f} dB")

# %% [markdown]
# These are peak signal-to-noise ratios of the brightness (dB; 3 dB more is half the squared error). The middle line is the control: *back-projection* nudges an enlarged image until halving it gives the small image again. It has no network. Only what ZSSR gains **beyond that line** was learned.

# %%
crop = (height // 4, width // 16, 72, 72)
show(
    {
        "bicubic": results["bicubic"],
        "with back-projection": results["bicubic + back-projection"],
        "ZSSR": zssr_image,
    },
    alt="One part of the photograph, enlarged: soft edges with bicubic, crisper ones "
    "with back-projection, and the crispest lines with ZSSR, next to the ground truth",
    truth=truth,
    crop=crop,
)

# %% [markdown]
# Follow one edge from left to right: bicubic smears it, back-projection sharpens it and leaves a ripple beside it, ZSSR draws a clean line, nearly as the ground truth has it.
#
# Now move the divider yourself (the arrow keys do it too, once the slider is selected):

# %%
divider = before_after(results["bicubic"], zssr_image, ("bicubic", "ZSSR"), zoom=2)

# %% [markdown]
# Stop at a roof edge, then in the sky, then in the leaves, and go back to your prediction.
#
# ## Experiment: where does it win?
#
# The errors themselves, eight times brighter, so that they can be seen:


# %%
def error(image):
    return (8 * (image - truth).abs().mean(dim=0, keepdim=True)).clamp(0, 1)


show(
    {"error of bicubic": error(results["bicubic"]), "error of ZSSR": error(zssr_image)},
    alt="Two maps of error, bright where an image is wrong: bicubic is wrong along all "
    "edges; ZSSR is darker there, while both are black in smooth parts",
)

# %% [markdown]
# Interpretation to be written on what is seen.

# %%
# NBVAL_CHECK_OUTPUT
gain = score["final"] - score["bicubic"]
print("ZSSR beats bicubic by more than 1 dB:", gain > 1)
assert own or gain > 1

# %% [markdown]
# ## What the course holds
#
# | chapter | question | state |
# |---|---|---|
# | [00 tour](00_tour.ipynb) | what can one image teach? | you are here |
# | 01 patch recurrence | do patches recur, within and across scales? | planned |
# | 02 internal statistics | is the inside better than the outside? | planned |
# | 03 denoising | how far do recurring patches carry? | planned |
# | 04 completion | can an image fill its own hole? | planned |
# | 05 retargeting with patches | what makes two images alike? | planned |
# | 06 fractals and classical super-resolution | is an image its own codebook? | planned |
# | 07 blur | which kernel made this image? | planned |
# | 08 haze | what does fog do to recurrence? | planned |
# | [09 ZSSR](09_zssr.ipynb) | can a network learn from one image alone? | ready |
# | 10 inside against outside | who wins, and when? | planned |
# | 11 KernelGAN | can a GAN find the kernel? | planned |
# | 12 InGAN | can one network remap an image to any shape? | planned |
# | 13 deep image prior | why does an untrained network like images? | planned |
# | 14 Double-DIP: layers | why do two networks split a mixture? | planned |
# | 15 Double-DIP: haze, watermark, video | what else is a sum of two layers? | planned |
# | 16 capstone | your photograph, your question | planned |
