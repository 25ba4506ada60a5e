"""Exercises of chapter 01: the nearest match of a patch, and pasting the parents."""

from collections.abc import Callable

import torch
from torch import Tensor

from dil_teach.classical.super_resolution.by_hand import paste_parents
from dil_teach.course.check.engine import Case, Exercise, as_number, as_numbers, rand

# ---- nearest_match


def _match(
    mean: Callable[[Tensor], Tensor | float] = lambda d: d.mean((3, 4), keepdim=True),
    distance: Callable[[Tensor], Tensor] = lambda d: d.square().sum((0, 3, 4)),
    place: Callable[[int, int], tuple] = lambda row, column: (row, column),
    used: int = 0,
) -> Callable:
    """Make a search with this mean, this distance and this place of the match.

    The last ``used`` rows and columns of positions are left out.
    """

    def nearest_match(patch: Tensor, image: Tensor) -> tuple:
        side = patch.shape[-1]
        windows = image.unfold(1, side, 1).unfold(2, side, 1)
        difference = windows - patch[:, None, None]
        table = distance(difference - mean(difference))
        rows, columns = (max(n - used, 1) for n in table.shape)
        table = table[:rows, :columns]
        row, column = divmod(int(table.argmin()), table.shape[1])
        return (float(table[row, column]), *place(row, column))

    return nearest_match


PATCH = torch.tensor([[[0.0, 0.4], [0.0, 0.4]]])
ROW = torch.tensor([[[0.5, 0.2, 0.6], [0.5, 0.2, 0.6]]])
SCENE = rand(2, 9, 12)
CORNER = SCENE[:, -3:, -3:] + torch.tensor([0.1, -0.2])[:, None, None]


def _contrast_counts(answer: Callable) -> dict:
    whole, half = (as_number(answer(k * PATCH, k * ROW[..., :2])[0]) for k in (1, 0.5))
    return {
        "Half the contrast does not change your distance. Remove only the mean, and do "
        "not divide by the contrast.": whole and abs(half / whole - 1) < 0.01
    }


nearest_match = Exercise(
    "nearest_match",
    _match(),
    [
        Case((PATCH, ROW), wanted=(0.0, 0, 1)),
        _contrast_counts,
        Case((CORNER, SCENE), "Does each channel have its own mean?"),
        Case((rand(3, 5, 5, seed=1), rand(3, 11, 14))),
        Case((rand(1, 3, 3, seed=2), rand(1, 12, 8))),
    ],
    {
        "You did not remove the mean. A patch and a brighter patch with the same steps "
        "should have distance 0.": _match(mean=lambda d: 0.0),
        "You take one mean over all channels together. A tint should not change the "
        "distance.": _match(mean=lambda d: d.mean((0, 3, 4), keepdim=True)),
        "You average the squares. Take their sum.": _match(
            distance=lambda d: d.square().mean((0, 3, 4))
        ),
        "Use squares, not absolute values.": _match(
            distance=lambda d: d.abs().sum((0, 3, 4))
        ),
        "Do not take a square root at the end.": _match(
            distance=lambda d: d.square().sum((0, 3, 4)).sqrt()
        ),
        "You return the column before the row.": _match(place=lambda r, c: (c, r)),
        "You leave out the last row and column of positions.": _match(used=1),
    },
    "Two patches that differ only by a constant in each channel now have distance 0.",
    as_numbers,
)


# ---- paste_parents_by_hand


def _paste(
    parent_mean: Callable = lambda parent: parent.mean((1, 2), keepdim=True),
    patch_mean: Callable = lambda patch: patch.mean((1, 2), keepdim=True),
    son: int = 2,
    average: bool = True,
    last: bool = False,
    everything: bool = False,
) -> Callable:
    """Make a function that pastes parents one after another, perhaps wrongly."""

    def by_hand(
        image: Tensor, smooth: Tensor, row: Tensor, column: Tensor, chosen: Tensor
    ) -> Tensor:
        total, number = torch.zeros_like(smooth), torch.zeros_like(smooth[:1])
        places = (torch.ones_like(chosen) if everything else chosen).nonzero()
        for y, x in places.tolist():
            top, left = son * int(row[y, x]), son * int(column[y, x])
            parent = image[:, top : top + 10, left : left + 10]
            patch = image[:, y : y + 5, x : x + 5]
            parent = parent - parent_mean(parent) + patch_mean(patch)
            where = slice(2 * y, 2 * y + 10), slice(2 * x, 2 * x + 10)
            if last:
                total[:, *where], number[:, *where] = 0, 0
            total[:, *where] += parent
            number[:, *where] += 1
        divisor = number.clamp_min(1) if average else torch.ones_like(number)
        return torch.where(number > 0, total / divisor, smooth)

    return by_hand


def _given(channels: int, height: int, width: int, share: float) -> tuple:
    image = rand(channels, height, width)
    smooth = rand(channels, 2 * height, 2 * width, seed=1)
    rows, columns = height - 4, width - 4
    luck = rand(3, rows, columns, seed=2)
    row = (luck[0] * (height // 2 - 4)).long()
    column = (luck[1] * (width // 2 - 4)).long()
    return image, smooth, row, column, luck[2] < share


NOTHING = _given(1, 10, 12, share=0.0)

paste_parents_by_hand = Exercise(
    "paste_parents_by_hand",
    paste_parents,
    [
        Case(NOTHING, "Nothing is chosen: keep `smooth`.", wanted=NOTHING[1]),
        Case(_given(2, 14, 12, share=0.05)),
        Case(_given(3, 12, 16, share=0.5)),
        Case(_given(1, 12, 14, share=1.0)),
    ],
    {
        "You paste all patches. Paste only the chosen ones.": _paste(everything=True),
        "You did not restore the mean: the parent keeps its own mean.": _paste(
            lambda parent: 0.0, lambda patch: 0.0
        ),
        "You subtract the parent's mean, but do not add the mean of the patch.": _paste(
            patch_mean=lambda patch: 0.0
        ),
        "You add the mean of the patch, but do not subtract the parent's.": _paste(
            lambda parent: 0.0
        ),
        "Each channel has its own mean.": _paste(
            lambda parent: parent.mean(), lambda patch: patch.mean()
        ),
        "You take the parent at (row, column). Where is this place in an image of "
        "twice the size?": _paste(son=1),
        "You add up overlapping parents. Divide by their number.": _paste(
            average=False
        ),
        "The last parent replaces the others. Take the mean of all that "
        "overlap.": _paste(last=True),
    },
    "The edges are sharp now. Are they in the right place?",
)
