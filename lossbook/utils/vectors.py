"""Directions and lengths of vectors, computed without overflow, underflow or half precision."""

import torch

__all__ = ["at_least_float32", "polar", "safe_to_square"]

# A length between 1 / LARGE and LARGE can be squared and multiplied in float32 without leaving it.
LARGE = 2.0**40


def at_least_float32(tensor):
    """A half-precision tensor as float32, any other as it is.

    Lengths and angles are never computed in half precision.
    """
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def polar(vectors, shortest):
    """Directions (N, d) and lengths (N,) of the rows of ``vectors``, in float32 or wider.

    Rows are divided by their largest entry first, so squares neither overflow nor underflow.
    A row shorter than ``shortest`` gets a direction shorter than 1, and so a bounded gradient;
    a zero row has no direction: it gets zero, and a zero gradient.
    """
    vectors = at_least_float32(vectors)
    largest = vectors.detach().abs().amax(dim=1, keepdim=True)
    unit = largest.clamp_min(shortest)
    scaled = torch.where(largest > 0, vectors / unit, 0.0)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / length.clamp_min(1.0), (length * unit).squeeze(1)


def safe_to_square(lengths, least=1 / LARGE):
    """Whether all ``lengths`` (N,) can be squared, multiplied and divided by as they stand.

    True if every one is at least ``least`` and below 2⁴⁰.
    """
    shortest, longest = lengths.aminmax()
    return bool(least <= shortest and longest < LARGE)
