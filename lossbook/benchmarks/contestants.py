"""What ``benchmark heads`` compares.

The loss of every head, a plain linear layer, PyTorch's own fused form of it, ArcFace in other
ways, and the losses of a peer library.
"""

import math

import torch
import torch.nn.functional as F

from lossbook import heads
from lossbook.utils.validation import require

__all__ = [
    "CONTESTANTS",
    "PLAIN",
    "FUSED_PLAIN",
    "PEER",
    "IN_CHUNKS",
    "CHUNK",
    "build_contestant",
    "import_peer_losses",
    "make_inputs",
]

PLAIN = "linear + cross-entropy"
FUSED_PLAIN = "F.linear_cross_entropy"  # with chunks, in PyTorch 2.13 and later
PEER = "pytorch-metric-learning"
CHUNK = 4096  # classes at a time in the contestant that works in chunks
IN_CHUNKS = "ArcFace in chunks"
_SCALE = 64.0
_HEADS = {
    "Softmax": lambda d, C: heads.Softmax(d, C),
    "NormSoftmax": lambda d, C: heads.NormSoftmax(d, C, _SCALE),
    "LSoftmax": lambda d, C: heads.LSoftmax(d, C, margin=4),
    "SphereFace": lambda d, C: heads.SphereFace(d, C, margin=4),
    "CosFace": lambda d, C: heads.CosFace(d, C, _SCALE, 0.35),
    "ArcFace": lambda d, C: heads.ArcFace(d, C, _SCALE, 0.5),
    "CombinedMargin": lambda d, C: heads.CombinedMargin(d, C, _SCALE, 1.0, 0.3, 0.2),
}

# The peer's names and settings for the same losses. Its angles are in degrees.
_PEERS = {
    "NormSoftmax": lambda losses, d, C: losses.NormalizedSoftmaxLoss(C, d, temperature=1 / _SCALE),
    "LSoftmax": lambda losses, d, C: losses.LargeMarginSoftmaxLoss(C, d, margin=4, scale=1),
    "SphereFace": lambda losses, d, C: losses.SphereFaceLoss(C, d, margin=4, scale=1),
    "CosFace": lambda losses, d, C: losses.CosFaceLoss(C, d, margin=0.35, scale=_SCALE),
    "ArcFace": lambda losses, d, C: losses.ArcFaceLoss(
        C, d, margin=math.degrees(0.5), scale=_SCALE
    ),
}
CONTESTANTS = (
    PLAIN,
    *([FUSED_PLAIN] if hasattr(F, "linear_cross_entropy") else []),
    *_HEADS,
    IN_CHUNKS,
    "ArcFace as it is read",
    *(f"{PEER} {name}" for name in _PEERS),
)


def build_contestant(name, weight):
    """(loss, parameter): a function of (x, labels), and the class vectors that it trains.

    The vectors start as ``weight`` (C, d). Raises ``ValueError`` for an unknown name, and
    ``ModuleNotFoundError`` for the peer's losses where it is not installed.
    """
    require(
        name in CONTESTANTS, f"{name!r} is not compared: expected one of {', '.join(CONTESTANTS)}"
    )
    C, d = weight.shape
    if name == PLAIN:
        vectors = torch.nn.Parameter(weight)
        return lambda x, labels: F.cross_entropy(F.linear(x, vectors), labels), vectors
    if name == FUSED_PLAIN:
        vectors, options = torch.nn.Parameter(weight), torch.nn.LinearCrossEntropyOptions()
        return lambda x, labels: F.linear_cross_entropy(
            x, vectors, labels, options=options
        ), vectors
    if name.startswith(PEER):
        loss = _PEERS[name.removeprefix(PEER + " ")](import_peer_losses(), d, C).to(weight.device)
        loss.W = torch.nn.Parameter(weight.T.contiguous())
        return loss, loss.W
    kind, _, way = name.partition(" ")
    with torch.device("meta"):
        head = _HEADS[kind](d, C)
    if head.bias is not None:
        head.bias = torch.nn.Parameter(torch.zeros(C, device=weight.device))
    head.weight = torch.nn.Parameter(weight)
    ways = {
        "": head.loss,
        "in chunks": lambda x, labels: head.loss(x, labels, chunk=CHUNK),
        "as it is read": lambda x, labels: F.cross_entropy(head(x, labels), labels),
    }
    return ways[way], head.weight


def make_inputs(N, d, C, device="cpu", seed=0):
    """Random embeddings (N, d), labels (N,) and class vectors (C, d), the same for all."""
    generator = torch.Generator(device).manual_seed(seed)
    x = torch.randn(N, d, device=device, generator=generator)
    weight = torch.randn(C, d, device=device, generator=generator).mul_(math.sqrt(2 / (C + d)))
    labels = torch.randint(0, C, (N,), device=device, generator=generator)
    return x, labels, weight


def import_peer_losses():
    """The peer's module of losses.

    Raises ``ModuleNotFoundError`` with the command that installs it.
    """
    try:
        from pytorch_metric_learning import losses
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f"{PEER} is not installed, and its heads are part of the comparison: "
            f"pip install {PEER}, or leave them out with --without-peers"
        ) from missing
    return losses
