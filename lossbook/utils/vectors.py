"""Directions and lengths of vectors, in sound precision."""

import torch

__all__ = ["polar", "at_least_float32", "safe_to_square"]

MODERATE = 2.0**40


def polar(vectors, shortest):
    """Directions and lengths of the rows of ``vectors``, in float32 or wider.

    Rows are divided by their largest entry first, so squares neither overflow nor underflow.
    A row shorter than ``shortest`` gets a direction shorter than 1, and so a bounded gradient;
    a zero row has no direction: it gets zero, and a zero gradient.
    """
    wide = at_least_float32(vectors)
    largest = wide.detach().abs().amax(dim=1, keepdim=True)
    unit = largest.clamp_min(shortest)
    scaled = torch.where(largest > 0, wide / unit, 0.0)
    length = torch.linalg.vector_norm(scaled, dim=1, keepdim=True)
    return scaled / length.clamp_min(1.0), (length * unit).squeeze(1)


def at_least_float32(tensor):
    """At least float32: no length and no angle is computed in half precision's own arithmetic."""
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def safe_to_square(length, least=1 / MODERATE):
    """Whether all lengths can be squared, multiplied and divided by as they stand."""
    return bool((length >= least).all() and length.amax() < MODERATE)
