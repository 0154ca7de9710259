"""Which class wins a direction with its margin: regions of the circle and of the sphere.

Class j wins a direction u where its margined logit is greater than every other logit; an embedding
of class j in that direction needs no further push. Between the regions lie directions that no
class wins. The border of a region depends on the loss, for a rival class k:

* CosFace: cos θ_j − m > cos θ_k; on the sphere each rival leaves a spherical cap.
* ArcFace: θ_j + m < θ_k; on the sphere one side of a hyperbola drawn on it.
* SphereFace: ψ(θ_j) > cos θ_k; near the class vector that is mθ_j < θ_k.
* Without a margin: half of the circle, or of the sphere, for each rival.

:func:`on_circle` takes a margin function and spaces the class vectors evenly; :func:`on_sphere`
takes a head and its class vectors, and evaluates the head's own logits.
"""

import math
from typing import NamedTuple

import numpy as np
import torch

from lossbook.utils.validation import require

__all__ = ["SphericalRegions", "on_circle", "on_sphere"]

HALVINGS = 16  # of 180°: a rim is found to 0.003°
GRID = 2000  # directions tried for a class that does not win its own class vector


def on_circle(margin_of, num_classes, points=3600):
    """The class that wins each direction of the circle, for evenly spaced class vectors.

    Class 0 is at angle 0. Class j wins direction φ where its margined target beats every other
    cosine: margin_of(cos θ_j) > max over k ≠ j of cos θ_k.

    Parameters
    ----------
    margin_of : callable
        Target cosines (N,), a float64 tensor → margined target (N,).
    num_classes : int
        C, the number of class vectors.
    points : int
        The number of directions.

    Returns
    -------
    directions : (points,) floats
        Radians, evenly spaced from half-way between class C − 1 and class 0.
    winners : (points,) integers
        The class that wins each direction, or −1.
    """
    directions = (np.arange(points) + 0.5) * 2 * math.pi / points - math.pi / num_classes
    class_angles = 2 * math.pi * np.arange(num_classes) / num_classes
    cos = torch.cos(torch.from_numpy(directions[:, None] - class_angles))
    with torch.no_grad():
        target = margin_of(cos.flatten()).reshape(cos.shape)
    rival = torch.stack(
        [cos.roll(-j, dims=1)[:, 1:].amax(dim=1) for j in range(num_classes)], dim=1
    )
    wins = target > rival
    return directions, torch.where(wins.any(dim=1), wins.int().argmax(dim=1), -1).numpy()


class SphericalRegions(NamedTuple):
    """The regions of the C classes on the sphere; see :func:`on_sphere`.

    rims : (C, A, 3), unit vectors once around each region; all equal where a class wins nothing
    share : (C,), the fraction of the sphere that each class wins
    """

    rims: np.ndarray
    share: np.ndarray


@torch.no_grad()
def on_sphere(head, weight, points=48, previous=None):
    """The region of the sphere that each class wins, with the margin of ``head``.

    A bias is left out: a region is what its class wins for very long embeddings.

    Parameters
    ----------
    head : Module
        A head from :mod:`lossbook.heads`, or a module with the same ``forward``, for 3-D
        embeddings. Its own class vectors are neither read nor changed.
    weight : array, shape (C, 3)
        Class vectors as trained; their lengths count where the head keeps them.
    points : int
        A, the number of points on a rim. Each is the end of the region along one great circle,
        outwards from the centre of the region: the class vector, if the class wins that.
    previous : SphericalRegions, optional
        Those of the epoch before: rims then start on the same side, and a picture can move from
        one to the other.

    Returns
    -------
    SphericalRegions

    Raises
    ------
    ValueError
        If ``weight`` is not 3-D or has a zero row, or if the head has more vectors than these.
    """
    weight = torch.as_tensor(np.asarray(weight), dtype=torch.float64, device="cpu")
    require(
        weight.ndim == 2 and weight.shape[1] == 3,
        f"weight has shape {tuple(weight.shape)}: a sphere needs class vectors of shape (C, 3)",
    )
    require(bool(weight.norm(dim=1).all()), "a class vector is zero: it has no direction")
    wins = _winning_test(head, weight)
    centres = _region_centres(wins, weight)
    towards = None if previous is None else torch.from_numpy(previous.rims[:, 0])
    first_axis = _perpendicular(centres, towards)
    second_axis = torch.linalg.cross(centres, first_axis)
    azimuth = (2 * math.pi * torch.arange(points, device="cpu") / points)[None, :, None]
    outwards = azimuth.cos() * first_axis[:, None] + azimuth.sin() * second_axis[:, None]

    def at(theta):
        return theta.cos()[..., None] * centres[:, None] + theta.sin()[..., None] * outwards

    # Bisection: the class wins at angle low from the centre, and not at angle high.
    low = torch.zeros(len(weight), points, dtype=torch.float64, device="cpu")
    high = torch.full((len(weight), points), math.pi, device="cpu")
    for _ in range(HALVINGS):
        half = (low + high) / 2
        inside = wins(at(half))
        low, high = torch.where(inside, half, low), torch.where(inside, high, half)
    low[~wins(centres[:, None])[:, 0]] = 0
    return SphericalRegions(at(low).numpy(), ((1 - low.cos()) / 2).mean(dim=1).numpy())


def _winning_test(head, weight):
    """A function of directions (C, P, 3): whether class j wins those of row j, (C, P) bool."""
    extra = [name for name, value in head.named_parameters() if value.ndim > 1 and name != "weight"]
    require(
        not extra,
        f"{type(head).__name__} has more vectors than one per class ({', '.join(extra)}): "
        "its regions cannot be drawn",
    )
    parameters = {name: value.double() for name, value in head.named_parameters()}
    parameters["weight"] = weight
    if "bias" in parameters:
        parameters["bias"] = torch.zeros_like(parameters["bias"])

    def wins(directions):
        x = directions.reshape(-1, 3)
        labels = torch.arange(len(weight), device="cpu").repeat_interleave(directions.shape[1])
        logits = torch.func.functional_call(head, parameters, (x, labels))
        target = logits.gather(1, labels[:, None])
        best_rival = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1, keepdim=True)
        return (target > best_rival).reshape(directions.shape[:2])

    return wins


def _region_centres(wins, weight):
    """A direction (C, 3) inside each region: the class vector's, or another that the class wins."""
    centres = torch.nn.functional.normalize(weight)
    loses_own_vector = ~wins(centres[:, None])[:, 0]
    if loses_own_vector.any():  # where lengths count, a short vector may not win its own direction
        grid = _fibonacci_sphere(GRID)
        won_on_grid = wins(grid.expand(len(weight), -1, -1))
        for j in (loses_own_vector & won_on_grid.any(dim=1)).nonzero()[:, 0]:
            won = grid[won_on_grid[j]]
            centres[j] = won[(won @ won.mean(dim=0)).argmax()]
    return centres


def _perpendicular(vectors, towards):
    """Unit vectors (C, 3) perpendicular to ``vectors``, if possible on the side of ``towards``."""
    axis = torch.eye(3, dtype=torch.float64, device="cpu")[vectors.abs().argmin(dim=1)]
    if towards is not None:
        leaning = towards - (towards * vectors).sum(dim=1, keepdim=True) * vectors
        axis = torch.where(leaning.norm(dim=1, keepdim=True) > 1e-3, leaning, axis)
    projection = (axis * vectors).sum(dim=1, keepdim=True) * vectors
    return torch.nn.functional.normalize(axis - projection)


def _fibonacci_sphere(count):
    """(count, 3): directions along a spiral, each standing for an equal area."""
    k = torch.arange(count, dtype=torch.float64, device="cpu") + 0.5
    z, azimuth = 1 - 2 * k / count, k * math.pi * (3 - math.sqrt(5))
    radius = torch.sqrt(1 - z**2)
    return torch.stack([radius * azimuth.cos(), radius * azimuth.sin(), z], dim=1)
