"""Embeddings and labels for the tests of the heads."""

import torch


def batch(n, dim, classes, seed=0):
    """``n`` embeddings about two units long, (n, dim) in float64, and labels, (n,)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dim, generator=generator, dtype=torch.float64) * 2
    return x, torch.randint(0, classes, (n,), generator=generator)


def hard_embeddings(weight):
    """Parallel, opposite, orthogonal, zero, tiny, huge, denormal."""
    w = weight.detach()
    tiny = torch.full_like(w[:1], torch.finfo(w.dtype).tiny)
    return torch.cat([w, -w, torch.zeros_like(w[:1]), w[:1] * 1e-4, w[:1] * 1e3, tiny, tiny / 4])
