"""Caps: which directions of the sphere each class wins with its margin; 3-D embeddings.

Class j wins a direction u where its margined logit beats every other logit, ``head(u, j)``: there
the loss is content with an image of class j. The region's rim depends on the loss.

* CosFace: cos θ_j − m > cos θ_k cuts off a spherical cap, so a region is the common part of C − 1 caps.
* ArcFace: θ_j + m < θ_k, one side of a hyperbola drawn on the sphere.
* SphereFace: ψ(θ_j) > cos θ_k, near the class vector mθ_j < θ_k.
* Without a margin, half of the sphere for every rival: great circles.

The regions are found with the head's own logits, so no formula is written down twice.
"""

import math
from typing import NamedTuple

import numpy as np
import torch

from lossbook.utils.validation import require

__all__ = ["Caps", "on_sphere", "on_circle"]

HALVINGS = 16  # of 180°: a rim is found to 0.003°
GRID = 2000  # directions tried for a class that does not win its own class vector


class Caps(NamedTuple):
    """What :func:`won` returns.

    ``rims`` (C, A, 3): unit vectors once around the region of each class, all alike where it wins
    nothing; ``share`` (C,): how much of the sphere each class wins, a fraction.
    """

    rims: np.ndarray
    share: np.ndarray


@torch.no_grad()
def on_sphere(head, weight, around=48, after=None):
    """The region of the sphere that each class wins, with the margin of ``head``.

    A bias is left out: a region is what its class wins at great length.

    Parameters
    ----------
    head : a head from :mod:`lossbook.heads`, or a module with the same ``forward``, for 3-D embeddings
        Its class vectors are not read, and not changed.
    weight : array, shape (C, 3)
        Class vectors as trained; their lengths count where the head keeps them.
    around : int
        Points on a rim: on each of so many great circles outwards from the middle of a region (its
        class vector, if it wins that), the end of what is won.
    after : Caps, optional
        Those of the epoch before: rims then start on the same side, and a picture can move from one to the other.

    Raises
    ------
    ValueError
        If ``weight`` is not 3-D or has a zero row, or if the head has more vectors than these.
    """
    weight = torch.as_tensor(np.asarray(weight), dtype=torch.float64)
    require(
        weight.ndim == 2 and weight.shape[1] == 3,
        f"weight has shape {tuple(weight.shape)}: a sphere needs class vectors of shape (C, 3)",
    )
    require(bool(weight.norm(dim=1).all()), "a class vector is zero: it has no direction")
    wins = _judge(head, weight)
    middle = torch.nn.functional.normalize(weight)
    homeless = ~wins(middle[:, None])[:, 0]
    if homeless.any():  # free lengths: a short vector may not win its own place
        grid = _even(GRID)
        on_grid = wins(grid.expand(len(weight), -1, -1))
        for j in (homeless & on_grid.any(dim=1)).nonzero()[:, 0]:
            mine = grid[on_grid[j]]
            middle[j] = mine[(mine @ mine.mean(dim=0)).argmax()]
    first = _across(middle, None if after is None else torch.from_numpy(after.rims[:, 0]))
    second = torch.linalg.cross(middle, first)
    azimuth = (2 * math.pi * torch.arange(around) / around)[None, :, None]
    outwards = azimuth.cos() * first[:, None] + azimuth.sin() * second[:, None]

    def at(theta):
        return theta.cos()[..., None] * middle[:, None] + theta.sin()[..., None] * outwards

    low, high = (
        torch.zeros(len(weight), around, dtype=torch.float64),
        torch.full((len(weight), around), math.pi),
    )
    for _ in range(HALVINGS):
        half = (low + high) / 2
        inside = wins(at(half))
        low, high = torch.where(inside, half, low), torch.where(inside, high, half)
    low[~wins(middle[:, None])[:, 0]] = 0
    return Caps(at(low).numpy(), ((1 - low.cos()) / 2).mean(dim=1).numpy())


def _judge(head, weight):
    """A function from directions (C, P, 3) to whether class j wins the directions of row j, (C, P) bool."""
    more = [name for name, value in head.named_parameters() if value.ndim > 1 and name != "weight"]
    require(
        not more,
        f"{type(head).__name__} has more vectors than one a class ({', '.join(more)}): its regions are not drawn",
    )

    def wins(directions):
        flat = directions.reshape(-1, 3)
        labels = torch.arange(len(weight)).repeat_interleave(directions.shape[1])
        state = {
            name: torch.zeros(value.shape, dtype=torch.float64)
            if name == "bias"
            else value.double()
            for name, value in head.named_parameters()
        }
        logits = torch.func.functional_call(head, {**state, "weight": weight}, (flat, labels))
        own = logits.gather(1, labels[:, None])
        best_other = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1, keepdim=True)
        return (own > best_other).reshape(directions.shape[:2])

    return wins


def _across(middle, towards):
    """Unit vectors at right angles to ``middle`` (C, 3), on the side of ``towards`` where that is possible."""
    axis = torch.eye(3, dtype=torch.float64)[middle.abs().argmin(dim=1)]
    if towards is not None:
        leaning = towards - (towards * middle).sum(dim=1, keepdim=True) * middle
        axis = torch.where(leaning.norm(dim=1, keepdim=True) > 1e-3, leaning, axis)
    return torch.nn.functional.normalize(axis - (axis * middle).sum(dim=1, keepdim=True) * middle)


def _even(count):
    """(count, 3): a spiral of directions of equal area each (Fibonacci lattice)."""
    k = torch.arange(count, dtype=torch.float64) + 0.5
    z, turn = 1 - 2 * k / count, k * math.pi * (3 - math.sqrt(5))
    flat = torch.sqrt(1 - z**2)
    return torch.stack([flat * turn.cos(), flat * turn.sin(), z], dim=1)


def on_circle(function, num_classes, points=3600):
    """For each direction on the circle, the class that wins it with its margin, or −1; d = 2.

    The C class vectors are spaced evenly, class 0 at angle 0. Class j wins direction φ where its
    margined target beats every other cosine, function(cos θ_j) > max over k ≠ j of cos θ_k.
    Returns the directions ``(points,)``, radians counted from half-way to the class before, and the winners ``(points,)``.
    """
    directions = (np.arange(points) + 0.5) * 2 * math.pi / points - math.pi / num_classes
    vectors = 2 * math.pi * np.arange(num_classes) / num_classes
    cos = torch.cos(torch.from_numpy(directions[:, None] - vectors))
    with torch.no_grad():
        target = function(cos.flatten()).reshape(cos.shape)
    rival = torch.stack(
        [cos.roll(-j, dims=1)[:, 1:].amax(dim=1) for j in range(num_classes)], dim=1
    )
    wins = target > rival
    return directions, torch.where(wins.any(dim=1), wins.int().argmax(dim=1), -1).numpy()
