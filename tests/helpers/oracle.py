"""Margin losses written from the papers, one sample at a time in float64 Python. Slow on purpose.

Nothing here uses lossbook or vectorised code: it is what the library is checked against.
"""

import math


def psi(theta, m):
    """L-softmax eq. 6: (−1)^k cos(mθ) − 2k on the piece [kπ/m, (k+1)π/m]."""
    k = 0
    while theta > (k + 1) * math.pi / m:
        k += 1
    return (-1) ** k * math.cos(m * theta) - 2 * k


def turned(theta, m1, m2):
    """cos(m1·θ + m2), continued past π by the same pieces as ψ."""
    u = m1 * theta + m2
    k = 0
    while u > (k + 1) * math.pi:
        k += 1
    return (-1) ** k * math.cos(u) - 2 * k


def target_functions(m=None, m1=1.0, m2=0.0, m3=0.0, lam=0.0):
    """name → function of θ_y, for each loss of the book."""
    annealed = lambda theta: (lam * math.cos(theta) + psi(theta, m)) / (1 + lam)  # noqa: E731
    return {
        "Softmax": math.cos,
        "NormSoftmax": math.cos,
        "LSoftmax": annealed,
        "SphereFace": annealed,
        "CosFace": lambda theta: math.cos(theta) - m,
        "ArcFace": lambda theta: turned(theta, 1, m),
        "CombinedMargin": lambda theta: turned(theta, m1, m2) - m3,
    }


def norm(vector):
    return math.sqrt(sum(v * v for v in vector))


def loss(embeddings, labels, weight, target, scale, unit_weight, unit_embedding, bias=None):
    """Mean cross-entropy over the batch, by explicit loops over samples, classes and dimensions."""
    total = 0.0
    for x, y in zip(embeddings, labels):
        logits = []
        for j, w in enumerate(weight):
            length = (1 if unit_embedding else norm(x)) * (1 if unit_weight else norm(w)) * scale
            cosine = sum(a * b for a, b in zip(x, w)) / (norm(x) * norm(w))
            cosine = max(-1.0, min(1.0, cosine))
            value = target(math.acos(cosine)) if j == y else cosine
            logits.append(length * value + (bias[j] if bias is not None else 0.0))
        largest = max(logits)
        total += largest + math.log(sum(math.exp(z - largest) for z in logits)) - logits[y]
    return total / len(labels)
