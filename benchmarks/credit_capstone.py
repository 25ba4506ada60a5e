"""Exact credit for the default experiment of chapter 16: ``credit_capstone.json``.

``python benchmarks/credit_capstone.py`` repeats the chapter's own run: the question on
denoising, on the cup of coffee at 64 x 64 pixels, with budget ``quick`` and the seeds
0, 1 and 2. Each row has one value for each seed, which draws the noise and the first
weights of the network.
"""

import record
import torch

from dil_teach import photo
from dil_teach.course.questions import asked

PHOTOGRAPH, SIDE, BUDGET, SEEDS = "coffee", 64, "quick", (0, 1, 2)
INPUT = "given"
ROLES = {
    INPUT: "input",
    "TV (control)": "baseline",
    "NLM": "final",
    "BM3D": "final",
    "ZS-N2N": "network",
}


def main() -> None:
    """Run the experiment, and write the record."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/credit_capstone.py")
    truth = photo(PHOTOGRAPH, size=SIDE)
    decibels: dict[str, list[float]] = {name: [] for name in ROLES}
    for seed in SEEDS:
        trial = asked("denoising")(truth, seed, BUDGET)
        results = {INPUT: trial.given}
        results |= {name: method() for name, method in trial.methods.items()}
        for name in ROLES:
            error = trial.errors(results[name]).mean()
            decibels[name].append(float(-10 * error.log10()))
        print(seed, {name: round(v[-1], 2) for name, v in decibels.items()}, flush=True)
    record.write(
        "credit_capstone",
        [
            {"role": role, "name": name, "values": decibels[name]}
            for name, role in ROLES.items()
        ],
        commit,
        result="the default report of the capstone: denoising",
        measure="PSNR over all pixels and channels [dB]",
        better="higher",
        where=f"one photograph of {SIDE} pixels, noise of 25 grey levels, three seeds",
        missing={
            "initialisation": "the network starts from random weights, the others from "
            "the given picture",
            "oracle": "no method of this question sees the ground truth",
        },
    )


if __name__ == "__main__":
    main()
