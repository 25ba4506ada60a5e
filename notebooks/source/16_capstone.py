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
# # 16 · Capstone: your photograph, your question
#
# Each chapter so far showed one method on our photographs.
# In this chapter, you ask: does the method work on *my* photograph, and how would I know?
# You run an experiment, and hand in a report.
#
# **After this chapter you can**
#
# - turn a question into an experiment: a [degradation](glossary.md#degradation), a [control](glossary.md#control), a measure, and several [seeds](glossary.md#seed);
# - draw a [failure map](glossary.md#failure-map), which shows where in the picture a method is worse than the control;
# - decide from [paired differences](glossary.md#paired-difference) whether a method wins, loses, or whether the experiment cannot tell;
# - name two ways in which a true number supports a false conclusion.
#
# **What you need**: chapter [01](01_patch_recurrence.ipynb), and the chapter that your question comes from.
# No GPU is needed.
# Reading takes 35 minutes; running all cells takes less than a minute (*Run > Run All Cells*).

# %% tags=["parameters"]
budget = "quick"

# %%
import torch

from dil_teach.notebook import check_claims, start

seed = 0
start(budget, seconds={"quick": 30, "standard": 170, "full": 600})

# %% [markdown]
# `budget` changes the size of the photograph and the training of networks.
# The seed draws what is random: the noise, the kernel or the place of the hole, and the start of the networks.
#
# ## A finished report
#
# First, a report that was computed beforehand, from a photograph of 144 x 144 pixels; each pixel is drawn twice as large.
# Its question: which method removes noise best, and where does it fail?
# (Photograph: vultilion, CC BY 2.0.)
# `data/draw_openings.py` made these pictures.

# %%
from dil_teach.course.openings import show_opening

opening = show_opening(
    "report",
    {
        "photograph": "A dahlia with many orange petals in front of a dark ground",
        "given": "The dahlia with strong grain of noise in all colours",
        "TV (control)": "The dahlia without grain; its petals are flat and blotchy",
        "NLM": "The dahlia with petals that are smooth, but clearer than before",
        "BM3D": "The dahlia with clear and smooth petals, and a smooth ground",
        "ZS-N2N": "The dahlia with clear petals, and fine grain left everywhere",
        "failure maps: the error against TV (control)": "Three maps: purple where the "
        "method is better than the control, orange where it is worse",
        "verdicts: three seeds": "Three points with intervals; one meets the line at 0",
    },
)

# %% [markdown]
# The pictures show the first of three seeds.
# Total variation, the control, makes the petals flat; BM3D keeps most of them; ZS-N2N keeps the petals, and leaves grain.
# In the failure maps, purple means that the method is better than the control there, and orange that it is worse.
# ZS-N2N has a better PSNR than the control, but it is worse on more than half of the area.
# The last figure decides with three seeds: NLM and BM3D win by 1.05 and 2.00 dB, and for ZS-N2N the experiment is undecided, because its interval reaches the line at 0.
# At the end of this chapter, you hand in such a report on your own photograph.
#
# ## Your photograph
#
# Press the button and choose a photograph.
# Then select the cell below the button, and choose *Run > Run Selected Cell and All Below*.
# Without a photograph, the chapter uses a cup of coffee.
# (Photograph: Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0.)

# %%
from dil_teach.notebook import upload

button = upload("Your own photograph")

# %% [markdown]
# You can also write the name of a file in the next cell.
# `question` is one of the six questions of the table below.

# %% tags=["choices"]
photograph_file = ""  # for example "holiday.jpg"; empty: the photograph above
question = "denoising"

# %%
from dil_teach import load_image, photo, resize
from dil_teach.image.convention import split_alpha
from dil_teach.notebook import uploaded_image

side = {"quick": 64, "standard": 128, "full": 192}[budget]
ours = photo("coffee", size=side)
chosen = uploaded_image(button.value, default=ours)
if photograph_file:
    chosen, _transparency = split_alpha(load_image(photograph_file))
short = min(chosen.shape[1:])  # the square in the middle, in RGB
top, left = ((n - short) // 2 for n in chosen.shape[1:])
square = chosen[:, top : top + short, left : left + short]
photograph = resize(square, size=(side, side)).clamp(0, 1).expand(3, -1, -1)
yours = not torch.equal(photograph, ours)
subject = "your photograph" if yours else "a cup of coffee on a saucer with a spoon"
own = yours or question != "denoising"  # the claims below are about the default

# %% [markdown]
# The chapter cuts out the square in the middle, and makes it small, so that each method takes seconds.
#
# ## Six questions
#
# | `question` | chapter | what is done to the photograph | control | methods |
# |---|---|---|---|---|
# | `denoising` | [03](03_denoising_with_patches.ipynb), [13](13_deep_image_prior.ipynb) | white noise of 25 grey levels, which is known | total variation | NLM, BM3D, ZS-N2N |
# | `super-resolution` | [06](06_fractals_and_classical_sr.ipynb), [09](09_zssr.ipynb) | a random Gaussian blur, which is known; half the size | back-projection | bicubic, Glasner et al., ZSSR |
# | `completion` | [04](04_completion.ipynb), [13](13_deep_image_prior.ipynb) | a square hole at a random place | biharmonic interpolation | Telea, Wexler et al., Deep Image Prior |
# | `dehazing` | [08](08_haze.ipynb), [15](15_double_dip_haze_watermark_video.ipynb) | haze that gets thicker upwards; random colour and density | dark channel | dark channel with the airlight of recurrence, recurrence |
# | `deblurring` | [07](07_blur.ipynb) | a random camera shake, which is unknown | unsharp mask | blind deblurring, true kernel (oracle) |
# | `retargeting` | [05](05_retargeting_with_patches.ipynb), [12](12_ingan.ipynb) | 60 to 75 percent of the width | plain resizing | seams, bidirectional similarity, GPNN |
#
# Each question is a function of the library.
# This is the first one:

# %%
# NBVAL_CHECK_OUTPUT
from dil_teach.course import questions as library
from dil_teach.notebook import show_source

ask = library.asked(question)  # a ValueError if there is no such question
show_source(library.denoising)

# %% [markdown]
# A trial has three parts: the *given* picture, the *methods*, and a function that returns the squared *error* of a result at each pixel.
# All methods get the same given picture, and the ground truth is used only by the errors.
# The first method is the control.
#
# ## The smallest demo: where does the control fail?
#
# A method can only gain where the control leaves an error.
# So look at the control of each question first, on a copy of the photograph with 64 x 64 pixels.
# The map shows the error at each pixel, in grey levels.

# %%
from functools import cache

from dil_teach.notebook import Choice, Slider, beside_maps, explore

small = resize(photograph, size=(64, 64)).clamp(0, 1)


@cache
def first_look(name):
    """The given picture, the control's name, its result and its errors."""
    trial = library.asked(name)(small, seed, budget)
    control, run_control = next(iter(trial.methods.items()))
    result = run_control()
    return trial.given, control, result.clamp(0, 1), trial.errors(result)


def look(name):
    given, control, result, errors = first_look(name)
    pictures = {"given": given, control: result}
    grey_levels = 255 * errors.sqrt()
    return beside_maps(pictures, {"error": grey_levels}, (0, 60), "grey levels")


# %%
looked = explore(
    look,
    {"name": Choice("Question", tuple(library.QUESTIONS), question)},
    "The given picture, the control's result and a map of its errors, which is "
    "brightest where the error is largest; question: {name}",
    examples=[{"name": name} for name in library.QUESTIONS],
)

# %% [markdown]
# The six rows differ in *where* the control fails.
# After noise, the largest errors of total variation lie at the outlines and in the detail of the spoon.
# Back-projection and the unsharp mask err along the strong outlines.
# In the completion, all error is in the hole, where the smooth surface has no detail.
# In the haze, whole areas are wrong: the control takes too much or too little haze away.
# (The map of retargeting shows patches of the photograph that are missing in the narrower picture.)
#
# **Choose the question whose map interests you**: write its name in the cell with `question`, and run that cell and all below.
#
# ## Predict first
#
# Write your prediction down *before* you run the methods: a prediction that is made afterwards is always right.
# Which method has the smallest error?
# By how many decibels does it beat the control?
# Where in the picture will it be *worse* than the control?

# %% tags=["choices"]
prediction = ""  # two or three sentences

# %% [markdown]
# ## Theory: when is a comparison an experiment?
#
# 1.
#    **A control with the same inputs.**
#    'The method reaches 29 dB' says nothing; the noisy picture may have had 28.
#    The control gets the same picture and the same knowledge, but lacks the idea that is under test.
# 2.
#    **One measure, named before.**
#    For a result with the errors $e_i$, the score is $-10 \log_{10} \frac{1}{N} \sum_i e_i$: the PSNR, in decibels.
#    (For retargeting, the errors are those of [completeness](glossary.md#completeness).)
# 3.
#    **Pairs.**
#    Each seed draws another noise, and some draws are harder than others, for *all* methods.
#    So we subtract the scores of the same seed: $d_s = m_s - c_s$, the score of the method minus that of the control.
# 4.
#    **Uncertainty.**
#    The mean of $n$ differences is uncertain by its [standard error](glossary.md#standard-error), $\mathrm{sd}(d) / \sqrt n$.
#    With few seeds, the standard deviation $\mathrm{sd}(d)$ is itself uncertain.
#    Student computed how much wider the interval must be [@student1908]:
#
# $$\bar d \pm t_{n-1} \frac{\mathrm{sd}(d)}{\sqrt n}, \qquad t_2 = 4.30, \quad t_9 = 2.26, \quad t_\infty = 1.96 .$$
#
# This is the 95% [confidence interval](glossary.md#confidence-interval) of the mean difference.
# The method **wins** if the whole interval is above 0, and **loses** if it is below 0.
# Otherwise, the experiment is **undecided**: this is a result, too.
#
# ## The experiment: three seeds
#
# The next two cells are the whole experiment: all methods, for three seeds.
# A method may refuse a photograph, such as a grey one; then it is left out.

# %%
from concurrent.futures import ThreadPoolExecutor
from time import thread_time


def run(trial):
    """The results of all methods, and their CPU seconds."""
    results, seconds = {}, {}
    for name, method in trial.methods.items():
        begin = thread_time()
        try:
            results[name] = method().clamp(0, 1)
        except ValueError as refusal:
            print(f"{name}: {refusal}")
        seconds[name] = thread_time() - begin
    return results, seconds


# %%
seeds = [seed, seed + 1, seed + 2]
trials = {s: ask(photograph, s, budget) for s in seeds}
with ThreadPoolExecutor(2) as pool:  # in parallel
    runs = dict(zip(seeds, pool.map(run, trials.values()), strict=True))
names = [n for n in trials[seed].methods if all(n in runs[s][0] for s in seeds)]
control, *methods = names
errors = {
    (name, s): trials[s].errors(runs[s][0][name]) for name in names for s in seeds
}


def scores(name):
    """The score of a method for each seed, in dB: Float[Tensor, "n"]."""
    return torch.stack([-10 * errors[name, s].mean().log10() for s in seeds])


# %% [markdown] tags=["report"]
# ### Report: question, prediction and results

# %% tags=["report"]
import textwrap

print(f"Question: {question}, on {subject}")
print(f"Experiment: {side} x {side} pixels, budget {budget}, seeds {seeds}")
print(f"Control: {control}")
print(textwrap.fill(f"Prediction: {prediction or '(not written)'}", 88))

# %% tags=["report"]
from dil_teach.notebook import show

results = runs[seed][0]
panels = {f"{n}\n{scores(n)[0]:.2f} dB": results[n] for n in names}
show(
    {"photograph": photograph, "given": trials[seed].given} | panels,
    alt=f"Question: {question}. The photograph, {subject}; the given picture; and the "
    f"results of {', '.join(names)}",
    zoom=-(-256 // side),
)

# %% [markdown] tags=["report"]
# These are the results of the first seed, with their scores.

# %% [markdown]
# For denoising on our photograph, total variation leaves the picture blotchy, NLM and BM3D keep the outlines of the cup and the spoon, and ZS-N2N leaves fine grain everywhere.
#
# ### The leaderboard
#
# The spread after '±' is the standard deviation over the seeds.

# %%
print(f"{'':36}{'score [dB]':>14}   minus control [dB]   CPU s")
for name in sorted(names, key=lambda n: -scores(n).mean()):
    mine, gain = scores(name), scores(name) - scores(control)
    cpu = sum(runs[s][1][name] for s in seeds) / len(seeds)
    row = f"{name:36}{mine.mean():7.2f} ± {mine.std():4.2f}"
    print(f"{row}{gain.mean():+12.2f} ± {gain.std():4.2f}{cpu:11.1f}")

# %% [markdown]
# A leaderboard ranks, and nothing else: it does not say where the methods differ, or whether a difference is more than chance.
# The two exercises answer these questions.
#
# ## Exercise: a failure map
#
# A score is one number for the whole picture.
# The failure map compares the errors *near each pixel*: in a window of `size` x `size` pixels, take the mean of the method's errors and the mean of the control's errors, and compare them in decibels:
#
# $$10 \log_{10} \frac{\text{local mean of the method's errors} + \varepsilon}{\text{local mean of the control's errors} + \varepsilon}, \qquad \varepsilon = \frac{1}{255^2} .$$
#
# Without the floor $\varepsilon$, one grey level squared, two invisible errors could have any ratio.
#
# Write `failure_map(error, control, size)`.
#
# - `error`, `control`: Float[Tensor, "h w"], the squared error of each pixel, of the method and of the control; the pictures have values in [0, 1].
# - `size`: side of the window in pixels, at most h and w.
# - Returns Float[Tensor, "h-size+1 w-size+1"] in dB, for all windows inside the picture.
#   The map is positive where the method is worse.
#
# `F.avg_pool2d(x, size, stride=1)` computes the means of all windows of a tensor of shape (1, 1, h, w).
# Expected run time: a few milliseconds.

# %% tags=["exercise"]
import torch.nn.functional as F


def failure_map(error, control, size):
    ### BEGIN SOLUTION
    floor = (1 / 255) ** 2
    pair = torch.stack([error, control])[:, None]
    method, baseline = F.avg_pool2d(pair, size, stride=1)[:, 0] + floor
    return 10 * (method / baseline).log10()
    ### END SOLUTION


# %%
from dil_teach.course import check

check.failure_map(failure_map)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# There are three steps: the two local means, the ratio of both, the logarithm.
# Do not change their order.
#
# </details>
# <details><summary>Hint 2</summary>
#
# `error[None, None]` has the shape (1, 1, h, w), and `[0, 0]` removes the two axes again.
#
# </details>
# <details><summary>Hint 3</summary>
#
# Add the floor to both local means.
# `x.log10()` is the logarithm to the base 10 of each value.
#
# </details>

# %% [markdown]
# Your function (or the library's, as long as the check does not pass) draws the failure maps of all methods.

# %% tags=["report"]
mapped = check.failure_map(failure_map).state == "passed"
local_failure = failure_map if mapped else check.failure_map.reference
WINDOW = 9
maps = {
    name: local_failure(errors[name, seed], errors[control, seed], WINDOW)
    for name in methods[:3]
}
who = "Your" if mapped else "The library's"
show(
    beside_maps({}, maps, (-6, 6), f"error against {control} [dB]"),
    alt=f"{who} failure maps of {', '.join(maps)} against the control: purple where "
    "the method has the smaller error, orange where the control has",
)

# %% [markdown] tags=["report"]
# These failure maps belong to the first seed.
# Purple means that the method is better than the control there, orange that it is worse, and white that both are equal.

# %% [markdown]
# For our photograph, BM3D is purple nearly everywhere, most at the rim of the cup and the spoon.
# ZS-N2N also has a better score than the control, but half of its map is orange: it is better along the outlines, and worse in the smooth areas, where its grain remains.
# **A better score does not mean better everywhere.**
#
# The next figure is the experiment's control panel: any method against any other, for each seed.


# %%
def compare(name, against, s):
    local = local_failure(errors[name, s], errors[against, s], WINDOW)
    label = f"error against {against} [dB]"
    return beside_maps({name: runs[s][0][name]}, {"failure": local}, (-6, 6), label)


compared = explore(
    compare,
    {
        "name": Choice("Method", tuple(names), methods[-1]),
        "against": Choice("Compared with", tuple(names), control),
        "s": Slider("Seed", seeds[0], seeds[-1], seed, 1),
    },
    "The result of {name}, and its failure map against {against}: purple where {name} "
    "has the smaller error, orange where it has the larger error",
    examples=[{"name": methods[-1], "against": control, "s": seeds[1]}],
)

# %% [markdown]
# This is the map of the second seed; the last map of the figure above belongs to the first seed.
# What is in the same place in both maps belongs to the photograph; what moves is chance.
# Choose another 'Compared with', and the same result looks strong or weak: **a gain is always a gain over something.**

# %% [markdown]
# ## Where does recurrence fail?
#
# The methods of this course use patches that recur (chapter [01](01_patch_recurrence.ipynb)).
# So we expect them to win where patches have many [good matches](glossary.md#good-match), and to fail where patches are unique.
# The next map counts the good matches of each patch of the photograph, and the lines below it compare the methods in both parts.

# %%
from dil_teach.patches.recurrence import LEAST, recurrence_map, recurrence_score


def middle(values, shape):
    """The middle part with this shape."""
    top, left = ((n - m) // 2 for n, m in zip(values.shape, shape, strict=True))
    return values[top : top + shape[0], left : left + shape[1]]


counts = recurrence_map(photograph)
shape = [min(n) for n in zip(counts.shape, errors[control, seed].shape, strict=True)]
recurs = middle(counts, shape) >= LEAST


# %%
def gain_in(name, part):
    """How much smaller the method's error is in a part of the picture, in dB."""
    mine, other = (
        sum(middle(errors[n, s], shape)[part].mean() for s in seeds)
        for n in (name, control)
    )
    return float(10 * (other / mine).log10())


# %%
least = f"at least {LEAST} good matches"
print(f"{float(recurs.float().mean()):.0%} of the patches recur: {least}\n")
print(f"{'gain over the control [dB] where patches':44}recur     do not")
for name in methods:
    parts = "".join(f"{gain_in(name, part):+10.2f}" for part in (recurs, ~recurs))
    print(f"{name:39}{parts}")
show(
    beside_maps({}, {"good matches": counts}, (0, 16), "number of good matches"),
    alt="A map of the number of good matches of each patch of the photograph, from 0 "
    "(dark) to 16 (bright)",
)

# %% [markdown]
# Bright patches recur.
# For our photograph, they are the smooth areas: parts of the saucer, the coffee, the shadow below the cup.
# The rim of the cup recurs in part; the spoon and the grain of the wood hardly recur at all.
# NLM and BM3D win in both parts, but they gain almost a decibel more where patches recur: both use patches that are alike, and there are more of them.
# ZS-N2N compares no patches, and it gains *less* there.
# (The map uses the clean photograph, which no method sees.
# Smooth areas are also easier for other reasons, so these numbers are a hint, and not a proof.)
#
# This is the thread of the course, measured once more on all results of the first seed, as the [recurrence score](glossary.md#recurrence-score):

# %%
score_of = {
    name: recurrence_score(image)
    for name, image in ({"photograph": photograph} | results).items()
}
for name, value in score_of.items():
    print(f"{name:39}{value:6.2f}")

# %% [markdown]
# Noise that is left over recurs nowhere, so it lowers the score, as for ZS-N2N; total variation makes blotches, which do not recur either.
# The score of NLM is near that of the photograph.
# That of BM3D is above: it makes patches more alike than they were.
# A result should have the score of its photograph, not the highest one.
#
# ## Exercise: a verdict that survives three seeds
#
# Write `verdict(method, control)`.
#
# - `method`, `control`: Float[Tensor, "n"], the scores in dB of the method and of the control for the same $n \ge 2$ seeds.
#   A larger score is better.
# - Returns `"wins"` if the 95% confidence interval of the mean difference is above 0, `"loses"` if it is below 0, and `"undecided"` otherwise.
#
# `stats.t.ppf(0.975, n - 1)` is the factor $t_{n-1}$, and `x.std()` is the standard deviation with $n - 1$ in its denominator.
# Expected run time: under a millisecond.

# %% tags=["exercise"]
from scipy import stats


def verdict(method, control):
    ### BEGIN SOLUTION
    difference = method - control
    n = len(difference)
    margin = stats.t.ppf(0.975, n - 1) * difference.std() / n**0.5
    if difference.mean() > margin:
        return "wins"
    return "loses" if difference.mean() < -margin else "undecided"
    ### END SOLUTION


# %%
check.verdict(verdict)

# %% [markdown] tags=["hints"]
# <details><summary>Hint 1</summary>
#
# Subtract first: the method's score and the control's score of one seed belong together.
#
# </details>
# <details><summary>Hint 2</summary>
#
# The interval reaches from `mean - margin` to `mean + margin`.
# The margin is $t$ times the standard deviation of the differences, divided by the root of $n$.
#
# </details>
# <details><summary>Hint 3</summary>
#
# The interval is above 0 if `mean > margin`, and below 0 if `mean < -margin`.
#
# </details>

# %% [markdown]
# Your function (or the library's, as long as the check does not pass) gives the verdicts in the next figure.

# %%
from matplotlib.figure import Figure

judged = check.verdict(verdict).state == "passed"
decide = verdict if judged else check.verdict.reference
verdicts = {name: decide(scores(name), scores(control)) for name in methods}


def interval(gain):
    """Mean and margin of the 95% confidence interval, in dB."""
    n = len(gain)
    return float(gain.mean()), float(stats.t.ppf(0.975, n - 1) * gain.std() / n**0.5)


# %%
def intervals_figure(gains, said, xlabel):
    figure = Figure(figsize=(7.2, 0.9 + 0.6 * len(gains)), dpi=120)
    axes = figure.subplots()
    axes.axvline(0, color="black", linewidth=0.8)
    for row, gain in enumerate(gains.values()):
        mean, margin = interval(gain)
        axes.errorbar(mean, row, xerr=margin, fmt="D", color="#0072B2", capsize=5)
        below = [row + 0.25] * len(gain)
        axes.plot(gain, below, "o", color="#D55E00", fillstyle="none")
    axes.set_yticks(range(len(gains)), [f"{n}: {said[n]}" for n in gains])
    axes.set(xlabel=xlabel, ylim=(len(gains) - 0.4, -0.6))
    figure.set_layout_engine("constrained")
    return figure


# %% tags=["report"]
show(
    intervals_figure(
        {name: scores(name) - scores(control) for name in methods},
        verdicts,
        f"score minus score of {control} [dB]",
    ),
    alt="For each method, three circles, the differences of the seeds, and a diamond "
    "with a bar, the mean and its confidence interval: "
    + ", ".join(f"{name} {word}" for name, word in verdicts.items()),
)

# %% [markdown] tags=["report"]
# The circles are the differences of the three seeds; the diamond and the bar are their mean and its confidence interval.

# %% tags=["report"]
print(f"{'':39}{'score [dB]':>14}   minus control [dB]   verdict")
for name in names:
    mine, (mean, margin) = scores(name), interval(scores(name) - scores(control))
    line = f"{name:39}{mine.mean():7.2f} ± {mine.std():4.2f}"
    tested = f"{mean:+12.2f} ± {margin:4.2f}   {verdicts.get(name)}"
    print(line + (tested if name in methods else f"{'control':>18}"))

# %% [markdown] tags=["report"]
# The first '±' is the standard deviation over the seeds, and the second is the margin of the confidence interval.

# %% [markdown]
# For our photograph, NLM and BM3D win: their bars are short and far from 0.
# The bar of ZS-N2N is longer; its random start may be a reason, but three seeds are too few to tell.
# (With `quick`, its training of 250 steps has not converged: 400 steps gained 0.2 to 0.4 dB on two photographs of 80 pixels.)
# If a bar crosses the line at 0, three seeds cannot tell.
#
# ### Who did the work
#
# The table is for the default question; write your own for yours.
#
# | part | where it comes from |
# |---|---|
# | given | one noisy picture, and the standard deviation of its noise |
# | start | ZS-N2N: random weights; the others: the given picture |
# | control with the same inputs | total variation, with a fixed weight of 0.8 standard deviations |
# | NLM, BM3D: the method | similar patches of the given picture: their mean, or their common spectrum |
# | ZS-N2N: the method | a network that is trained on two halves of the given picture; it does not use the known standard deviation |
# | solved or blended afterwards | nothing; values outside [0, 1] are cut off |
# | oracle | none here; for `deblurring`, the true kernel |
# | learned from other pictures | nothing by training; BM3D's constants and the weight of TV were chosen on other pictures |
# | measure | PSNR over all pixels and channels |

# %% [markdown]
# The next table is the record of the default question, with three seeds.
# For our photograph, the column 'this run' stands beside it.

# %%
from dil_teach.course.credit import show_credit

this_run = {} if own else {n: float(scores(n).mean()) for n in names}
credit = show_credit("capstone", this_run)

# %% [markdown]
# In the record, total variation, the control, gains 4.6 dB over the given picture.
# NLM and BM3D, which have no network, gain 2.0 and 2.7 dB more; the network gains 0.5 dB more.

# %%
# NBVAL_CHECK_OUTPUT
zero = errors[control, seed]
same = check.failure_map.reference(zero, zero, WINDOW).abs().max()
claims = {
    "the control against itself has an empty failure map": float(same) == 0,
}
if not own:
    claims |= {
        "NLM wins against TV": verdicts["NLM"] == "wins",
        "BM3D wins against TV": verdicts["BM3D"] == "wins",
        "BM3D beats NLM for every seed": bool((scores("BM3D") > scores("NLM")).all()),
    }
check_claims(claims, own)

# %% [markdown]
# ## When it fails
#
# ### A measure that flatters
#
# We fill a hole in the picture of a dahlia, once with the smoothest surface and once with patches from the rest of the picture.
# Predict which of the two has the higher PSNR.
# (Photograph: vultilion, CC BY 2.0.)


# %%
def holes(name, count, method="Wexler et al."):
    """For each seed, a hole and two fillings: the control's and the method's."""
    truth = photo(name, size=96).expand(3, -1, -1)
    trials = [library.completion(truth, s, "quick") for s in range(seed, seed + count)]

    def fill(trial):
        return [trial.methods[m]() for m in ("biharmonic (control)", method)]

    with ThreadPoolExecutor(2) as pool:  # in parallel
        for trial, fillings in zip(trials, pool.map(fill, trials), strict=True):
            yield truth, trial, *fillings


# %%
def sharpness(image, truth, hole):
    """The squared slope in the hole, divided by that of the truth."""
    sums = []
    for picture in (image, truth):
        slopes = torch.gradient(picture.mean(0))
        sums.append(sum(slope[hole].square().sum() for slope in slopes))
    return float(sums[0] / sums[1])


# %%
print(f"{'seed':8}{'PSNR [dB]':>22}{'sharpness (truth: 1)':>28}")
print(f"{'':8}{'smooth':>12}{'patches':>10}{'smooth':>18}{'patches':>10}")
flattered = []
for number, (truth, trial, *fillings) in enumerate(holes("flower", 2), start=seed):
    hole = (trial.given != truth).any(0)
    decibels = [float(-10 * trial.errors(x).mean().log10()) for x in fillings]
    sharp = [sharpness(x, truth, hole) for x in fillings]
    flattered.append((decibels, sharp))
    columns = f"{decibels[0]:12.2f}{decibels[1]:10.2f}{sharp[0]:18.2f}{sharp[1]:10.2f}"
    print(f"{number:<8}{columns}")

# %%
show(
    {"smooth surface": fillings[0], "patches": fillings[1]},
    alt="The dahlia with a blurred spot; and with petals in the place of the spot, "
    "which are sharp but not the true ones",
    truth=truth,
    zoom=3,
)

# %% [markdown]
# The smooth surface has the higher PSNR for both holes, and everybody sees the blurred spot.
# The patches invent petals: sharp, plausible, and not where the true petals were.
# The PSNR punishes an invented edge twice: where it is, and where it should be.
# The mean of all possible edges, which is a blur, is safer.
# This holds for every such measure: the result with the smallest mean error is in general not one that looks natural [@blau2018].
# So choose the measure before, name it, *and look*.
#
# ### A conclusion from one seed
#
# Telea's method fills a hole with weighted means, from its border inwards [@telea2004].
# Is it better than the smooth surface?
# Here are six holes in the picture of the cup.

# %%
six = [
    [float(-10 * trial.errors(x).mean().log10()) for x in fillings]
    for _, trial, *fillings in holes("coffee", 6, "Telea")
]
smooth_six, telea_six = torch.tensor(six).T
by_hole = telea_six - smooth_six
for number, gain in enumerate(by_hole, start=seed):
    print(f"seed {number} alone: Telea minus smooth surface {gain:+6.2f} dB")
said = decide(telea_six, smooth_six)
show(
    intervals_figure(
        {"Telea": by_hole}, {"Telea": said}, "score minus that of smooth surface [dB]"
    ),
    alt=f"Six circles on both sides of 0, several decibels apart; a wide bar: {said}",
)

# %% [markdown]
# One seed says that Telea's method is better, and another seed says that it is worse.
# Each of these numbers is true for its hole, and none is a conclusion about the photograph.
# The wide bar says so; a single seed has no bar.
# The verdict on ZS-N2N above depends on the seeds as well: on our computer it wins with the seeds 0, 1 and 2, and with the seeds 1, 2 and 3 it is undecided.
# In machine learning, the sample of the data, the first weights and the settings change the results markedly as well [@bouthillier2021].
#
# ### Three seeds, one photograph
#
# Three seeds tell something about *this* photograph.
# How much does the gain of NLM over total variation vary between photographs?

# %%
from dil_teach.course.records import gain_figure

others = ("coffee", "astronaut", "chelsea", "flower", "hubble", "brick")
gains = {}
for name in others:
    picture = photo(name, size=64).expand(3, -1, -1)
    pairs = []
    for s in seeds:
        trial = library.denoising(picture, s, budget)
        tv, nlm = (trial.methods[m]() for m in ("TV (control)", "NLM"))
        ratio = trial.errors(tv).mean() / trial.errors(nlm).mean()
        pairs.append(float(10 * ratio.log10()))
    gains[name] = {"one seed": pairs}

# %%
show(
    gain_figure(gains, "score of NLM minus score of TV [dB]"),
    alt="Gains of NLM on six photographs: the three seeds of a photograph lie close "
    "together, and the photographs lie far apart",
)

# %% [markdown]
# The three seeds of one photograph lie close together; the photographs lie far apart.
# So the short bar of the verdict is no promise for another photograph.
# For a claim about *photographs*, the photographs are the sample: take at least ten, and one difference from each.

# %%
# NBVAL_CHECK_OUTPUT
means = torch.tensor([sum(g["one seed"]) / 3 for g in gains.values()])
within = torch.tensor([g["one seed"] for g in gains.values()]).std(dim=1).mean()
higher = all(decibels[0] > decibels[1] for decibels, _ in flattered)
sharper = all(sharp[1] > 2 * sharp[0] for _, sharp in flattered)
claims = {
    "dahlia: the smooth surface has the higher PSNR for both holes": higher,
    "dahlia: the patches are over twice as sharp": sharper,
    "coffee: single seeds contradict each other": by_hole.min() < 0 < by_hole.max(),
    "photographs vary over three times as much as seeds": means.std() > 3 * within,
}
check_claims(claims)

# %% [markdown]
# ## Your conclusion
#
# Complete the four lines.
# A good answer has a number *with its spread*, names the control, and says where it stops being true.

# %% tags=["choices"]
conclusion = """
Answer:
Evidence (difference, spread, number of seeds, control):
Where and why it fails (see the failure map):
Limits (for which pictures and damages would you not claim this?):
"""

# %% [markdown] tags=["report"]
# ### Conclusion

# %% tags=["report"]
for line in conclusion.strip().splitlines():
    print(textwrap.fill(line, 88))
    if line.endswith(":"):
        print("    (not written)")

# %% [markdown]
# ### Hand it in
#
# The report consists of the question, the prediction, the pictures, the failure maps, the verdicts and the conclusion.
# This command runs the chapter, and writes the report as one page with its pictures inside:
#
# ```
# dil-teach lesson 16 report.html --report --photograph holiday.jpg --question denoising \
#     --prediction "BM3D wins by 2 dB ..." --conclusion "Answer: ..."
# ```
#
# Without these options, the command takes what you saved in `notebooks/16_capstone.ipynb` in the folder of the course.
# Without `--report`, the page is the whole chapter.
#
# ## Mini-project: a report that could change a mind
#
# Take a claim of this course, or of a paper that it cites, that you do not believe.
# Write a report with this chapter that would convince a reader who believes it, or that convinces you.
# Use at least five photographs of your own, and a control that the claim's author would accept.
#
# | part | points | full points for |
# |---|---|---|
# | claim | 2 | one sentence that an experiment can contradict, with its source |
# | prediction | 1 | a method, a number and a place in the picture, written before the run |
# | fairness | 3 | the same inputs for all methods; settings chosen on other photographs than those of the report |
# | evidence | 3 | paired differences over photographs and seeds, with a confidence interval, and the measure named before |
# | failure | 2 | a failure map, and one photograph for which the conclusion is false |
# | conclusion | 1 | says what the numbers show, names what stays undecided, and nothing more |
#
# ## On your own
#
# - Take a stronger control: which methods still win against BM3D?
#   (Replace `control` in the cell of the three seeds.)
# - Write a seventh question: a function with a degradation of your own, a control that was made for it, and one method of the course.
#   For example: 10% of the pixels become black or white, and the control is a median filter.
# - Take ten photographs instead of three seeds, with one difference from each.
#   Does the verdict change?
#
# ## Summary
#
# - An experiment has a control with the same inputs, a measure that is named before, and several seeds.
# - The failure map shows *where* a method is worse than the control; equal scores can hide opposite failures.
# - A verdict compares the mean of paired differences with its uncertainty; 'undecided' is a result.
# - A measure can flatter: the PSNR prefers a blur to a sharp guess.
# - One seed has no spread, and seeds of one photograph say nothing about other photographs.
#
# ## References
