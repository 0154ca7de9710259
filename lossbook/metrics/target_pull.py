"""How strongly a margin's target pulls an embedding towards its class vector."""

import torch

__all__ = ["target_pull"]


def target_pull(target, theta, dtype=torch.float32, direction=0.0):
    """The derivative of a target by the angle to its class vector, with the sign reversed, (N,).

    It is positive where gradient ascent on the target turns the embedding towards its class vector,
    and NaN where autograd has no value. For ArcFace it is sin(θ + m) on paper.

    Parameters
    ----------
    target : callable
        Turns embeddings of length 1, (N, 2), and a class vector of length 1, (2,), into targets
        (N,), in units of s, in torch.
    theta : tensor (N,)
        Angles of the embeddings from the class vector, in radians.
    dtype : torch.dtype
        The precision that the embeddings are rounded to before ``target`` gets them. The class
        vector is in float32.
    direction : float
        The angle at which the class vector stands, in radians. At 0 it is (1, 0), which every
        precision holds exactly.

    Returns
    -------
    tensor (N,), float64

    Examples
    --------
    >>> def arcface(x, w):
    ...     return torch.cos(torch.arccos(x @ w) + 0.3)
    >>> target_pull(arcface, torch.tensor([0.5]))  # sin(0.5 + 0.3)
    tensor([0.7174], dtype=torch.float64)
    """
    theta = torch.as_tensor(theta, dtype=torch.float64).detach().requires_grad_()
    angle = theta + direction
    x = torch.stack([angle.cos(), angle.sin()], dim=1).to(dtype)
    at = torch.tensor(direction, dtype=torch.float64)
    w = torch.stack([at.cos(), at.sin()]).float()
    (slope,) = torch.autograd.grad(target(x, w).double().sum(), theta)
    return -slope
