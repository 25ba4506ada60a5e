"""Denoising by a learned dictionary: Elad and Aharon, 'Image Denoising Via Sparse and
Redundant Representations Over Learned Dictionaries', TIP 2006. The dictionary is
learned by K-SVD: Aharon, Elad and Bruckstein, 'K-SVD: An Algorithm for Designing
Overcomplete Dictionaries for Sparse Representation', TSP 2006.

Each patch of 8 x 8 pixels is written as a sum of few atoms. Two steps alternate on the
patches x of the noisy image:

1. Sparse coding: orthogonal matching pursuit adds atoms of the dictionary D to the sum
   D a until |x - D a|^2 <= n (C sigma)^2. Here n = 64 is the number of pixels, and
   C = 1.15.
2. Update of each atom: take the patches that use it, and subtract their other atoms.
   What is left is a matrix with one row for each of these patches. Its best
   approximation of rank one gives the new atom and the new weights of these patches.

The result is the mean of the overlapping sums D a and of the noisy image, which has the
weight lambda = 30 / sigma (sigma in grey levels).

Departures: the mean of a patch is subtracted before sparse coding, and added after it.
In the papers, a constant atom has this task, and it almost always comes first. A colour
image is denoised in opponent colours, with one dictionary for each channel. The papers
have no colour images.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from dil_teach.classical.denoise.opponent import from_opponent, to_opponent
from dil_teach.image.convention import Image, check_image
from dil_teach.image.metrics import check_sigma
from dil_teach.patches.extract import extract_patches
from dil_teach.training.conditions import same_conditions

PATCH_SIZE = 8
"""Side of a patch in pixels."""
FREQUENCIES = 16
"""The overcomplete DCT has this many frequencies along each side: 256 atoms."""
GAIN = 1.15
"""C: the error of a patch may be this many times the noise."""
FIDELITY = 30 / 255
"""lambda times sigma, for an image in [0, 1]."""
MOST_ATOMS = 32
"""Largest number of atoms in a patch: half the number of its pixels."""
ITERATIONS = 10
"""Number of iterations of K-SVD, as in the paper."""
MOST_PATCHES = 40_000
"""Largest number of patches from which a dictionary is learned. Larger images give
patches at regular distances."""
BATCH = 512
"""Number of patches that are coded at a time: few enough for the processor's cache."""
STRIP = 8192
"""Number of patches in a strip of the image, which is denoised at a time."""

Patches = Float[Tensor, "n values"]
Dictionary = Float[Tensor, "atoms values"]
"""One atom of norm 1 in each row."""


@dataclass(frozen=True)
class Codes:
    """Patches as sums of atoms."""

    atoms: Int[Tensor, "n most"]
    """The atoms of each patch, in the order in which they were chosen; -1 for none."""
    weights: Float[Tensor, "n most"]
    """The weights of these atoms; 0 for none."""
    residual: Patches
    """What the atoms do not explain."""


@same_conditions()
def ksvd(noisy: Image, sigma: float) -> Image:
    """Denoise with a dictionary that is learned from the noisy image itself.

    Parameters
    ----------
    noisy : Image
        The noisy image, Float[Tensor, "c h w"] in [0, 1]; noise may exceed this range.
    sigma : float
        Standard deviation of the white noise, for an image in [0, 1]; estimate it with
        :func:`dil_teach.image.metrics.noise_level`.

    Returns
    -------
    Image
        Float[Tensor, "c h w"], not clamped.

    Raises
    ------
    ValueError
        If ``sigma`` is out of range, or the image has fewer patches than the dictionary
        has atoms.
    """
    noisy = _check(noisy, sigma)
    planes, deviations = to_opponent(noisy, sigma)
    clean = [
        denoise_plane(plane, float(level), learn_dictionary(plane, float(level)))
        for plane, level in zip(planes.split(1), deviations, strict=True)
    ]
    return from_opponent(torch.cat(clean))


def dct_denoise(noisy: Image, sigma: float) -> Image:
    """Denoise with the overcomplete DCT, the dictionary with which K-SVD starts.

    The parameters and errors are those of :func:`ksvd`.
    """
    noisy = _check(noisy, sigma)
    planes, deviations = to_opponent(noisy, sigma)
    clean = [
        denoise_plane(plane, float(level), dct_dictionary().to(plane))
        for plane, level in zip(planes.split(1), deviations, strict=True)
    ]
    return from_opponent(torch.cat(clean))


def learn_dictionary(
    plane: Float[Tensor, "1 h w"], sigma: float, iterations: int = ITERATIONS
) -> Dictionary:
    """Learn a dictionary from the patches of one noisy channel by K-SVD.

    Parameters
    ----------
    plane : Float[Tensor, "1 h w"]
        A grey image or one channel.
    sigma : float
        Standard deviation of its noise.
    iterations : int
        Number of iterations; 0 returns the overcomplete DCT.
    """
    plane = _check(plane, sigma, "plane")
    patches = _training_patches(plane)
    dictionary = dct_dictionary().to(plane)
    for _ in range(iterations):
        codes = sparse_codes(patches, dictionary, _largest_error(sigma))
        dictionary = update_dictionary(dictionary, codes)
    return dictionary


def update_dictionary(dictionary: Dictionary, codes: Codes) -> Dictionary:
    """Improve each atom, and its weights in all patches that use it (K-SVD).

    A later atom sees the new weights of an earlier atom. An atom that no patch uses
    becomes the patch with the largest residual.
    """
    dictionary = dictionary.clone()
    residual, weights = codes.residual.clone(), codes.weights.clone()
    for number, atom in enumerate(dictionary):
        users, slots = (codes.atoms == number).nonzero(as_tuple=True)
        if len(users) == 0:
            worst = residual.square().sum(1).argmax()
            if residual[worst].any():
                dictionary[number] = F.normalize(residual[worst], dim=0)
                residual[worst] = 0  # the next unused atom takes another patch
            continue
        error = residual[users] + weights[users, slots, None] * atom
        # The first right singular vector of the error, and weights = error @ vector,
        # are its best approximation of rank one.
        vector = torch.linalg.eigh(error.T @ error).eigenvectors[:, -1]
        weights[users, slots] = error @ vector
        residual[users] = error - torch.outer(error @ vector, vector)
        dictionary[number] = vector
    return dictionary


def sparse_codes(
    patches: Patches, dictionary: Dictionary, largest_error: float
) -> Codes:
    """Orthogonal matching pursuit: few atoms with a small squared error.

    Parameters
    ----------
    patches : Patches
        Float[Tensor, "n values"].
    dictionary : Dictionary
        Float[Tensor, "atoms values"]: rows of norm 1.
    largest_error : float
        A patch gets atoms until the sum of its squared errors is at most this value,
        or until it has ``MOST_ATOMS`` atoms.
    """
    found = [_pursue(p, dictionary, largest_error) for p in patches.split(BATCH)]
    return Codes(
        torch.cat([codes.atoms for codes in found]),
        torch.cat([codes.weights for codes in found]),
        torch.cat([codes.residual for codes in found]),
    )


def _pursue(patches: Patches, dictionary: Dictionary, largest_error: float) -> Codes:
    """:func:`sparse_codes` of one batch."""
    count = len(patches)
    residual = patches.clone()
    atoms = torch.full((count, MOST_ATOMS), -1, device=patches.device)
    # The chosen atoms of a patch are orthogonalised (Gram and Schmidt): atom k is the
    # sum over j <= k of triangle[j, k] basis[j]. Then each step needs one projection.
    basis = patches.new_zeros(count, MOST_ATOMS, patches.shape[1])
    triangle = torch.eye(MOST_ATOMS).to(patches).repeat(count, 1, 1)
    projections = patches.new_zeros(count, MOST_ATOMS)
    for step in range(MOST_ATOMS):
        left = (residual.square().sum(1) > largest_error).nonzero()[:, 0]
        if len(left) == 0:
            break
        best = (residual[left] @ dictionary.T).abs().argmax(1)
        atom, chosen = dictionary[best], basis[left, :step]
        shares = (chosen * atom[:, None]).sum(2)
        rest = atom - (shares[:, :, None] * chosen).sum(1)
        length = rest.norm(dim=1)
        direction = rest / length[:, None]
        projection = (direction * residual[left]).sum(1)
        residual[left] -= projection[:, None] * direction
        atoms[left, step], basis[left, step] = best, direction
        triangle[left, :step, step], triangle[left, step, step] = shares, length
        projections[left, step] = projection
    weights = torch.linalg.solve_triangular(
        triangle, projections[:, :, None], upper=True
    )
    return Codes(atoms, weights[:, :, 0], residual)


def denoise_plane(
    plane: Float[Tensor, "1 h w"], sigma: float, dictionary: Dictionary
) -> Float[Tensor, "1 h w"]:
    """Denoise one channel with a given dictionary.

    The result is the mean of the sparse approximations of all overlapping patches, and
    of the noisy channel with the weight lambda.
    """
    fidelity = FIDELITY / sigma
    total, count = fidelity * plane, torch.full_like(plane, fidelity)
    for strip in _strips(plane):
        here = plane[:, strip]
        patches = extract_patches(here, PATCH_SIZE)
        mean = patches.mean(1, keepdim=True)
        codes = sparse_codes(patches - mean, dictionary, _largest_error(sigma))
        clean = patches - codes.residual
        size = (here.shape[1], here.shape[2])
        total[:, strip] += F.fold(clean.T[None], size, PATCH_SIZE)[0]
        ones = torch.ones_like(clean).T[None]
        count[:, strip] += F.fold(ones, size, PATCH_SIZE)[0]
    return total / count


def dct_dictionary() -> Dictionary:
    """The overcomplete DCT: products of 16 frequencies along rows and columns.

    All frequencies except 0 have mean 0, as in the papers.
    """
    place = torch.arange(PATCH_SIZE, dtype=torch.float32)
    frequency = torch.arange(FREQUENCIES) / FREQUENCIES
    waves = torch.cos(torch.pi * torch.outer(frequency, place))
    waves[1:] -= waves[1:].mean(1, keepdim=True)
    return F.normalize(torch.kron(waves, waves), dim=1)


def _largest_error(sigma: float) -> float:
    """The sum of squared errors at which the coding of a patch stops."""
    return (PATCH_SIZE * GAIN * sigma) ** 2


def _training_patches(plane: Float[Tensor, "1 h w"]) -> Patches:
    """At most ``MOST_PATCHES`` patches without their means, at regular distances."""
    places = (plane.shape[1] - PATCH_SIZE + 1) * (plane.shape[2] - PATCH_SIZE + 1)
    stride = 1
    while places / stride**2 > MOST_PATCHES:
        stride += 1
    patches = extract_patches(plane, PATCH_SIZE, stride)
    return patches - patches.mean(1, keepdim=True)


def _strips(plane: Float[Tensor, "1 h w"]) -> Iterator[slice]:
    """Rows of the image, with about ``STRIP`` patches in each strip."""
    _, height, width = plane.shape
    rows = max(STRIP // (width - PATCH_SIZE + 1), 1)
    last = height - PATCH_SIZE + 1
    for first in range(0, last, rows):
        yield slice(first, min(first + rows, last) + PATCH_SIZE - 1)


def _check(noisy: Image, sigma: float, name: str = "noisy") -> Image:
    noisy = check_image(noisy, name, min_side=PATCH_SIZE, in_range=False)
    check_sigma(sigma)
    height, width = noisy.shape[1:]
    places = (height - PATCH_SIZE + 1) * (width - PATCH_SIZE + 1)
    if places < FREQUENCIES**2:
        raise ValueError(
            f"{name}: expected at least {FREQUENCIES**2} patches of {PATCH_SIZE} x "
            f"{PATCH_SIZE} pixels, one for each atom of the dictionary, got {places} "
            f"in {height} x {width} pixels; take a larger picture"
        )
    return noisy
