"""Compare the patches of one image with the patches of other images.

    python benchmarks/internal_statistics.py --folder FOLDER --unfinished NEW_FOLDER
    python benchmarks/internal_statistics.py        # the bundled photographs alone

The measurements are those of Zontak and Irani, "Internal Statistics of a Single Natural
Image", CVPR 2011. Each section writes ``internal_statistics_SECTION.json``. FOLDER
holds the external pictures, also in folders inside it. A query picture that it holds is
left out of the search for its own patches. If ``--unfinished`` names the same folder
again, an interrupted search is resumed. Errors are in grey levels of luma.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median

import numpy as np
import record
import torch
import tyro
from torch import Tensor

from dil_teach import load_image, photo, photos, resize
from dil_teach.image.convention import Image, split_alpha
from dil_teach.image.metrics import luma
from dil_teach.patches.parents import MATCHES, parent_pairs, predict_parent
from dil_teach.patches.statistics import (
    GRADIENT_NAMES,
    draw_places,
    external_matches,
    gradient_bins,
    gradient_magnitude,
    internal_matches,
    patch_bag,
    patches_at,
    recurrence_density,
)

SIZE = 384
"""Side of the bundled photographs: as many pixels as in a Berkeley picture."""
QUERIES = ("astronaut", "coffee", "camera")
"""Photographs with patches in all five gradient bins."""
HELD_OUT = 3
"""Number of query pictures from FOLDER, evenly spaced by name."""
PER_BIN, PER_BIN_LOW = 40, 30
"""Query patches in each gradient bin, at full size and at half the size."""
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200)
PREDICTION_COUNTS = (1, 10, 100)
"""Numbers of external pictures; the number of all pictures is added."""
ORDERS, PREDICTION_ORDERS = 20, 5
"""Random orders in which the external pictures are added."""
RADII = (8, 16, 32, 64, 128, 256)


@dataclasses.dataclass(frozen=True)
class Query:
    """A picture and some of its patches: at its own size, and at half its size."""

    name: str
    image: Image
    places: Tensor
    bins: Tensor
    low: Image
    low_places: Tensor
    low_bins: Tensor

    @staticmethod
    def of(name: str, image: Image, seed: int = 0) -> "Query":
        image = luma(image[:, : image.shape[1] // 2 * 2, : image.shape[2] // 2 * 2])
        image = image.float()
        low = resize(image, 0.5).clamp(0, 1)
        rng = torch.Generator().manual_seed(seed)
        chosen = []
        for each, number in ((image, PER_BIN), (low, PER_BIN_LOW)):
            gradient = gradient_magnitude(each)
            places = draw_places(gradient, number, rng)
            chosen += [places, gradient_bins(gradient[places[:, 0], places[:, 1]])]
        return Query(name, image, *chosen[:2], low, *chosen[2:])


@dataclasses.dataclass(frozen=True)
class Pictures:
    """The external pictures, the queries, and a folder for intermediate results."""

    external: dict[str, Callable[[], Image]]
    queries: list[Query]
    unfinished: Path | None

    def others(self, name: str) -> list[int]:
        """The numbers of the external pictures that are not this query."""
        return [i for i, other in enumerate(self.external) if other != name]


def pictures(folder: Path | None, unfinished: Path | None) -> Pictures:
    queries = [Query.of(name, photo(name, SIZE)) for name in QUERIES]
    if folder is None:
        names = [name for name in photos() if name not in QUERIES]
        external = {
            n: lambda n=n: photo(n, min(SIZE, *photos()[n].size)) for n in names
        }
        return Pictures(external, queries, unfinished)
    paths = {p.stem: p for p in sorted(folder.rglob("*.[pj][np]g"))}
    external = {n: lambda p=p: split_alpha(load_image(p))[0] for n, p in paths.items()}
    large = [n for n, p in paths.items() if load_image(p)[0].numel() > SIZE**2]
    for name in large[:: -(-len(large) // HELD_OUT)]:
        queries.append(Query.of(name, external[name]()))
    return Pictures(external, queries, unfinished)


def search(given: Pictures) -> tuple[Tensor, Tensor, Tensor]:
    """Search all query patches in each external picture.

    Returns distances (pictures, patches) of the best representatives; and distances and
    indices (pictures, low patches, matches) of the best matches at half the size.
    """
    patches = torch.cat([patches_at(q.image, q.places) for q in given.queries])
    low = torch.cat([patches_at(q.low, q.low_places) for q in given.queries])
    found = []
    for name, load in given.external.items():
        file = given.unfinished and given.unfinished / f"{name}.npz"
        if file and file.exists():
            kept = np.load(file)
            found.append([torch.from_numpy(kept[key]) for key in kept.files])
            continue
        image = load()
        best = external_matches(patches, patch_bag(image)).distance[:, 0]
        matches = external_matches(low, parent_pairs(image).low, MATCHES)
        found.append([best, *matches])
        if file:
            file.parent.mkdir(exist_ok=True, parents=True)
            part = file.with_suffix(".part.npz")  # an interrupt leaves no broken file
            np.savez(part, *(x.numpy() for x in found[-1]))
            part.replace(file)
        print(name, f"{len(found)} of {len(given.external)}", flush=True)
    best, distance, index = (torch.stack(x) for x in zip(*found, strict=True))
    return best, distance, index


def rms(distance: Tensor) -> float:
    """Root mean squared difference in grey levels."""
    return 255 * distance.double().mean().sqrt().item()


def orders(among: Sequence[int], number: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.permutation(among) for _ in range(number)]


def expressiveness(given: Pictures) -> list[dict]:
    """The error of the best representative inside, and in more and more pictures.

    `pictures needed` is the number of external pictures whose root mean squared error
    is at most that of the image itself; `for 90%` is the number in which nine tenths of
    the patches have a representative that is at least as good as their own inside. One
    more than the number of pictures means that all of them are too few.
    """
    best, _, _ = search(given)
    rows, first = [], 0
    for query in given.queries:
        outside = best[:, first : first + len(query.places)]
        first += len(query.places)
        among = given.others(query.name)
        grown = [
            outside[torch.from_numpy(order)].cummin(0).values
            for order in orders(among, ORDERS)
        ]
        own = internal_matches(query.image, query.places, scales=(1.0,)).distance[:, 0]
        inside = {
            kind: internal_matches(
                query.image, query.places, overlapping=kind != "apart"
            ).distance[:, 0]
            for kind in ("apart", "overlapping")
        }
        for number, name in enumerate(GRADIENT_NAMES):
            chosen = query.bins == number
            if not chosen.any():
                continue
            some = [g[:, chosen] for g in grown]
            curves = [255 * g.double().mean(1).sqrt() for g in some]
            counts = [n for n in COUNTS if n < len(among)] + [len(among)]
            at = [[curve[n - 1].item() for curve in curves] for n in counts]
            row = {"image": query.name, "gradient": name, "patches": int(chosen.sum())}
            row |= {
                "pictures": counts,
                "external, mean": [mean(values) for values in at],
                "external, least": [min(values) for values in at],
                "external, most": [max(values) for values in at],
                "internal, own scale alone": rms(own[chosen]),
            }
            for kind, distance in inside.items():
                goal = distance[chosen]
                matched = [(g <= goal).double().mean(1) for g in some]
                needed = [first_true(curve <= rms(goal)) for curve in curves]
                for_most = [first_true(share >= 0.9) for share in matched]
                row |= {
                    f"internal, {kind}": rms(goal),
                    f"{kind}: matched outside, %": [
                        100 * mean(share[n - 1].item() for share in matched)
                        for n in counts
                    ],
                    f"{kind}: pictures needed": median(needed),
                    f"{kind}: pictures needed, range": [min(needed), max(needed)],
                    f"{kind}: for 90%": median(for_most),
                    f"{kind}: for 90%, range": [min(for_most), max(for_most)],
                }
            rows.append(row)
            print(row, flush=True)
    return rows


def first_true(reached: Tensor) -> int:
    """The number of pictures at which it is true; one more than all if never."""
    places = reached.nonzero()
    return int(places[0]) + 1 if len(places) else len(reached) + 1


def prediction(given: Pictures) -> list[dict]:
    """How well the parents of the best matches predict a patch's own parent."""
    _, distances, indices = search(given)
    rows, first = [], 0
    kept = []
    for query in given.queries:
        rank = slice(first, first + len(query.low_places))
        first = rank.stop
        among = given.others(query.name)
        counts = [n for n in PREDICTION_COUNTS if n < len(among)] + [len(among)]
        for order in orders(among, PREDICTION_ORDERS):
            for n in counts:
                chosen = torch.from_numpy(order[:n])
                near = distances[chosen, rank].transpose(0, 1).flatten(1)
                where = indices[chosen, rank].transpose(0, 1).flatten(1)
                picture = chosen.repeat_interleave(MATCHES).expand_as(where)
                top = near.topk(MATCHES, largest=False).indices
                kept.append(
                    (query, n, *(x.gather(1, top) for x in (near, picture, where)))
                )
    parents = [torch.empty(*near.shape, 100) for _, _, near, _, _ in kept]
    for number, load in enumerate(given.external.values()):
        high = parent_pairs(load()).high
        for (_, _, _, picture, where), parent in zip(kept, parents, strict=True):
            mine = picture == number
            parent[mine] = high[where[mine]]
    outside = [predict_parent(k[2], p) for k, p in zip(kept, parents, strict=True)]
    for query in given.queries:
        truth = patches_at(query.image, 2 * query.low_places, 10)
        smooth = resize(query.low, 2).clamp(0, 1)
        smooth = patches_at(smooth, 2 * query.low_places, 10)
        pairs = parent_pairs(query.low)
        near = external_matches(
            patches_at(query.low, query.low_places), pairs.low, MATCHES
        )
        found = pairs.high[near.row.flatten()].view(*near.row.shape, -1)
        inside, inside_spread = predict_parent(near.distance, found)
        mine = [(k[1], *o) for k, o in zip(kept, outside, strict=True) if k[0] is query]
        for number, name in enumerate(GRADIENT_NAMES):
            chosen = query.low_bins == number
            if not chosen.any():
                continue
            counts = sorted({n for n, _, _ in mine})
            right = truth[chosen]
            errors = [
                [
                    rms((guess[chosen] - right).square())
                    for m, guess, _ in mine
                    if m == n
                ]
                for n in counts
            ]
            spreads = [
                [rms(spread[chosen]) for m, _, spread in mine if m == n] for n in counts
            ]
            rows.append(
                {
                    "image": query.name,
                    "gradient": name,
                    "patches": int(chosen.sum()),
                    "bicubic, error": rms((smooth[chosen] - right).square()),
                    "internal, error": rms((inside[chosen] - right).square()),
                    "internal, spread": rms(inside_spread[chosen]),
                    "pictures": counts,
                    "external, error": [mean(x) for x in errors],
                    "external, error, least": [min(x) for x in errors],
                    "external, error, most": [max(x) for x in errors],
                    "external, spread": [mean(x) for x in spreads],
                }
            )
            print(rows[-1], flush=True)
    return rows


def density(given: Pictures) -> list[dict]:
    """The density of similar patches, by distance and by gradient magnitude."""
    rows = []
    for query in given.queries:
        few = torch.arange(0, len(query.places), 2)  # half of the patches are enough
        places, bins = query.places[few], query.bins[few]
        apart = recurrence_density(query.image, places, RADII)
        shifted = recurrence_density(
            query.image, places, (2, 4, *RADII), overlapping=True
        )
        for number, name in enumerate(GRADIENT_NAMES):
            chosen = bins == number
            if not chosen.any():
                continue
            row = {"image": query.name, "gradient": name, "patches": int(chosen.sum())}
            for kind, found, radii in (
                ("apart", apart, RADII),
                ("overlapping", shifted, (2, 4, *RADII)),
            ):
                row[f"{kind}, radii"] = list(radii)
                for what, values in found._asdict().items():
                    row[f"{kind}, {what}"] = values[chosen].double().mean(0).tolist()
            rows.append(row)
            print(row, flush=True)
    return rows


SECTIONS: dict[str, Callable[[Pictures], list[dict]]] = {
    f.__name__: f for f in (density, expressiveness, prediction)
}


def main(
    folder: Path | None = None,
    unfinished: Path | None = None,
    sections: tuple[str, ...] = tuple(SECTIONS),
) -> None:
    """Measure section by section; each writes its record at once."""
    torch.set_num_threads(1)
    given = pictures(folder, unfinished)
    for section in sections:
        start = time.process_time()
        commit = record.commit_of_code("benchmarks/internal_statistics.py")
        rows = SECTIONS[section](given)
        more = {"external pictures": len(given.external)}
        more["cpu seconds"] = round(time.process_time() - start)
        record.write(f"internal_statistics_{section}", rows, commit, **more)


if __name__ == "__main__":
    tyro.cli(main)
