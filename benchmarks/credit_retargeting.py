"""Exact credit for retargeting: which part makes a result similar to its photograph?

``python benchmarks/credit_retargeting.py`` changes the width of ten photographs, 112
pixels wide, by the factors of chapter 05: 0.6 and 1.6. It writes three records, which
the chapter shows:

- ``results/credit_retargeting_narrower.json`` and ``..._wider.json``: d(S, T), the sum
  of completeness and coherence, in units of 1e-4;
- ``results/credit_retargeting_moved.json``: how far patches of the wider results moved,
  in percent of the width.

No method is random, so a row has one value: the mean over the photographs. Our settings
were chosen on five of the photographs at other factors.
"""

from statistics import mean

import record
import torch
import tyro
from retargeting_with_patches import METHODS, SETS, WIDTH, as_in_the_paper

from dil_teach.classical.retarget import bidirectional
from dil_teach.classical.seams.seam_carving import carve
from dil_teach.image.photos import photo
from dil_teach.image.resize import resize
from dil_teach.patches.similarity import bidirectional_similarity, relative_location

PHOTOGRAPHS = tuple(name for names in SETS.values() for name in names)
FACTORS = {"narrower": 0.6, "wider": 1.6}
ROWS = {
    "content-aware stretch": ("initialisation", METHODS["stretch alone"]),
    "plain resizing": ("baseline", METHODS["bicubic"]),
    "seams": ("baseline", carve),
    "a crop, or tiled copies": ("baseline", METHODS["tiled"]),
    "column warp": ("baseline", METHODS["column warp"]),
    "patches, from plain resizing": (
        "final",
        as_in_the_paper(bidirectional.retarget),
    ),
    "patches, from the stretch": ("final", METHODS["bidirectional"]),
    "GPNN, from the stretch": ("final", METHODS["GPNN"]),
}
"""The role and the method of each row."""
MISSING = {
    "input": "the photograph itself has the wrong size",
    "network": "the method has no network",
    "oracle": "no correct result is known",
}


def main(photographs: tuple[str, ...] = PHOTOGRAPHS) -> None:
    """Measure all rows on all photographs, and write the three records."""
    torch.set_num_threads(1)
    commit = record.commit_of_code("benchmarks/credit_retargeting.py")
    errors: dict[tuple[str, str], list[float]] = {}
    moved: dict[tuple[str, str], list[float]] = {}
    for name in photographs:
        image = photo(name)
        height = round(WIDTH * image.shape[-2] / image.shape[-1])
        image = resize(image, size=(height, WIDTH)).clamp(0, 1)
        for words, factor in FACTORS.items():
            for row, (_, retarget) in ROWS.items():
                result = retarget(image, (height, round(factor * WIDTH))).clamp(0, 1)
                error = 1e4 * sum(bidirectional_similarity(image, result))
                errors.setdefault((words, row), []).append(error)
                far = 100 * relative_location(image, result)
                moved.setdefault((words, row), []).append(far)
                print(f"{name} {words} {row}: {error:.2f}, {far:.1f} %", flush=True)
    where = f"mean over {len(photographs)} photographs, {WIDTH} pixels wide"
    for words, factor in FACTORS.items():
        record.write(
            f"credit_retargeting_{words}",
            rows({row: errors[words, row] for row in ROWS}),
            commit,
            result=f"retargeting to {factor} times the width",
            measure="d(S, T) = completeness + coherence, in units of 0.0001",
            better="lower",
            where=where,
            missing=MISSING,
        )
    record.write(
        "credit_retargeting_moved",
        rows({row: moved["wider", row] for row in ROWS}),
        commit,
        result=f"retargeting to {FACTORS['wider']} times the width",
        measure="mean distance by which patches moved, in percent of the width",
        better="lower",
        where=where,
        missing=MISSING,
    )


def rows(found: dict[str, list[float]]) -> list[dict]:
    """The rows of a record; each value is the mean over the photographs."""
    return [
        {"role": ROWS[name][0], "name": name, "values": [mean(values)]}
        for name, values in found.items()
    ]


if __name__ == "__main__":
    tyro.cli(main)
