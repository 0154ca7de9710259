"""Losses after ArcFace: margins that follow the image, and rivals that count for more.

What moves with the training batches, AdaFace's and CurricularFace's averages and AdaCos's scale,
stays as it is in evaluation mode and under the transforms of ``torch.func``.
"""

import math

import torch

from lossbook import bounds, margins
from lossbook.heads.input_checks import is_transformed
from lossbook.heads.margin_heads import NormSoftmax
from lossbook.heads.per_sample import PerSampleMargin
from lossbook.utils.validation import require

__all__ = ["AdaFace", "MagFace", "ElasticFace", "CurricularFace", "MVSoftmax", "AdaCos"]


class AdaFace(PerSampleMargin):
    """The margin follows the length of the embedding, which stands for the image's quality.

    Target s·(cos(θ_y − m·ẑ) − (m + m·ẑ)), with ẑ = (‖x‖ − μ)/(σ/h) clipped to [−1, 1]: an additive
    cosine margin for long embeddings and an angular one for short ones. μ and σ are moving averages
    over the training batches; no gradient flows through the length.

    Source: Kim et al., "AdaFace", CVPR 2022, section 3.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    margin : float
        m, in [0, 1).
    spread : float
        h, above 0: the larger, the more lengths are clipped.
    rate : float
        The share of the present batch in the moving averages, in (0, 1].
    """

    def __init__(self, embedding_dim, num_classes, scale=64.0, margin=0.4, spread=0.333, rate=0.99):
        settings = {"margin": margin, "spread": spread, "rate": rate}
        super().__init__(embedding_dim, num_classes, scale, **settings)
        self.register_buffer("mean_length", torch.tensor(20.0))
        self.register_buffer("deviation", torch.tensor(100.0))

    def check_settings(self):
        require(0 <= self.margin < 1, f"margin = {self.margin!r}: expected m in [0, 1)")
        require(self.spread > 0, f"spread = {self.spread!r}: expected h above 0")
        _check_rate(self.rate)

    def margin_of(self, cos):
        return cos - self.margin

    def margin_of_samples(self, targets):
        length = targets.length.detach()
        if self.training and not is_transformed() and len(length) > 1:
            self.mean_length.lerp_(length.mean().to(self.mean_length), self.rate)
            self.deviation.lerp_(length.std().to(self.deviation), self.rate)
        quality = (length - self.mean_length) / (self.deviation + 1e-3) * self.spread
        shift = self.margin * quality.clamp(-1, 1)
        return _turned(targets.cos, -shift) - (self.margin + shift)


class MagFace(PerSampleMargin):
    """A margin that grows with the length of the embedding, and a penalty that makes it grow.

    Target s·cos(θ_y + m(a)), a = ‖x‖, with m(a) on the line from (l_a, l_m) to (u_a, u_m); the
    loss has λ_g·(1/a + a/u_a²) added. Lengths are clipped to [l_a, u_a] in both. ``loss`` alone
    has the penalty: ``F.cross_entropy(head(x, labels), labels)`` has not.

    Source: Meng et al., "MagFace", CVPR 2021, section 3.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    low_length, high_length : float
        l_a and u_a, with 0 < l_a < u_a.
    low_margin, high_margin : float
        l_m and u_m in radians, with 0 ≤ l_m ≤ u_m < π.
    balance : float
        λ_g, at least 0.
    """

    def __init__(
        self,
        embedding_dim,
        num_classes,
        scale=64.0,
        low_length=10.0,
        high_length=110.0,
        low_margin=0.45,
        high_margin=0.8,
        balance=35.0,
    ):
        super().__init__(
            embedding_dim,
            num_classes,
            scale,
            low_length=low_length,
            high_length=high_length,
            low_margin=low_margin,
            high_margin=high_margin,
            balance=balance,
        )

    def check_settings(self):
        low, high = self.low_length, self.high_length
        require(0 < low < high, f"lengths {low!r}, {high!r}: expected 0 < l_a < u_a")
        low, high = self.low_margin, self.high_margin
        require(0 <= low <= high < math.pi, f"margins {low!r}, {high!r}: expected 0 ≤ l_m ≤ u_m")
        require(self.balance >= 0, f"balance = {self.balance!r}: expected λ_g of at least 0")

    def margin_of(self, cos):
        return margins.arcface(cos, self.low_margin)

    def margin_of_samples(self, targets):
        length = targets.length.clamp(self.low_length, self.high_length)
        slope = (self.high_margin - self.low_margin) / (self.high_length - self.low_length)
        return _turned(targets.cos, self.low_margin + slope * (length - self.low_length))

    def penalties(self, x):
        length = torch.linalg.vector_norm(x, dim=1).clamp(self.low_length, self.high_length)
        return self.balance * (1 / length + length / self.high_length**2)


class ElasticFace(PerSampleMargin):
    """ArcFace or CosFace with a margin drawn for each sample, from N(m, σ²); in evaluation, m.

    torch's global generator draws.

    Source: Boutros et al., "ElasticFace", CVPR Workshops 2022.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    margin : float
        m: radians in [0, π), or a difference of cosines in [0, 2) with ``angular=False``.
    deviation : float
        σ, at least 0.
    angular : bool
        ElasticFace-Arc; False is ElasticFace-Cos, with the paper's ``margin=0.35``.
    """

    def __init__(
        self, embedding_dim, num_classes, scale=64.0, margin=0.5, deviation=0.0125, angular=True
    ):
        settings = {"margin": margin, "deviation": deviation, "angular": angular}
        super().__init__(embedding_dim, num_classes, scale, **settings)

    def check_settings(self):
        super().check_settings()
        require(self.deviation >= 0, f"deviation = {self.deviation!r}: expected σ of at least 0")

    def margin_of(self, cos):
        return _fixed_margin(cos, self.margin, self.angular)

    def margin_of_samples(self, targets):
        if not self.training:
            return self.margin_of(targets.cos)
        drawn = self.margin + self.deviation * torch.randn_like(targets.cos)
        return _turned(targets.cos, drawn) if self.angular else targets.cos - drawn


class CurricularFace(PerSampleMargin):
    """ArcFace in which hard rivals count for more as training goes on.

    A rival with cos θ_j above the margined target counts as cos θ_j·(t + cos θ_j); t is the moving
    average of the target cosines, from 0.

    Source: Huang et al., "CurricularFace", CVPR 2020, section 3.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    margin : float
        m in radians, in [0, π).
    rate : float
        The share of the present batch in t, in (0, 1].
    """

    adapts_rivals = True

    def __init__(self, embedding_dim, num_classes, scale=64.0, margin=0.5, rate=0.01):
        super().__init__(embedding_dim, num_classes, scale, margin=margin, rate=rate)
        self.register_buffer("t", torch.tensor(0.0))

    def check_settings(self):
        super().check_settings()
        _check_rate(self.rate)

    def margin_of(self, cos):
        return margins.arcface(cos, self.margin)

    def margin_of_samples(self, targets):
        if self.training and not is_transformed():
            self.t.lerp_(targets.cos.detach().mean().to(self.t), self.rate)
        return self.margin_of(targets.cos)

    def adapt_rivals(self, cos, targets):
        t = self.t.to(cos.dtype)
        return torch.where(cos > targets.margined[:, None], cos * (t + cos), cos)


class MVSoftmax(PerSampleMargin):
    """CosFace or ArcFace in which rivals beyond the margined target are re-weighted.

    The exponential of such a rival is multiplied by e^{s(t−1)}, or with ``adaptive`` by
    e^{s(t−1)(cos θ_j + 1)}.

    Source: Wang et al., "Mis-classified Vector Guided Softmax Loss", AAAI 2020.

    Parameters
    ----------
    embedding_dim, num_classes : int
    scale : float
        s, above 0.
    margin : float
        m: a difference of cosines in [0, 2), or radians in [0, π) with ``angular=True``.
    t : float
        At least 1, which re-weights nothing.
    adaptive, angular : bool
    """

    adapts_rivals = True

    def __init__(
        self,
        embedding_dim,
        num_classes,
        scale=32.0,
        margin=0.35,
        t=1.2,
        adaptive=True,
        angular=False,
    ):
        settings = {"margin": margin, "t": t, "adaptive": adaptive, "angular": angular}
        super().__init__(embedding_dim, num_classes, scale, **settings)

    def check_settings(self):
        super().check_settings()
        require(self.t >= 1, f"t = {self.t!r}: expected at least 1")

    def margin_of(self, cos):
        return _fixed_margin(cos, self.margin, self.angular)

    def adapt_rivals(self, cos, targets):
        weighted = self.t * cos if self.adaptive else cos
        return torch.where(cos > targets.margined[:, None], weighted + (self.t - 1), cos)


class AdaCos(NormSoftmax):
    """NormSoftmax whose scale follows the angles of training.

    It begins at √2·ln(C−1). Before each training loss, s ← ln(B)/cos(min(π/4, θ_med)), with B the
    batch mean of Σ_{j≠y} e^{s·cos θ_j} and θ_med the median target angle. A step that would give
    no positive scale (B ≤ 1, possible with few classes) leaves it as it is.

    Source: Zhang et al., "AdaCos", CVPR 2019, section 3.

    Parameters
    ----------
    embedding_dim, num_classes : int
        C is at least 3.
    """

    def __init__(self, embedding_dim, num_classes):
        require(num_classes >= 3, f"num_classes = {num_classes!r}: AdaCos needs at least 3")
        super().__init__(embedding_dim, num_classes, bounds.adacos_scale(num_classes))

    def apply_margin(self, logits, x, labels):
        if not self.training or is_transformed():
            return logits
        scale = self.scale
        with torch.no_grad():
            cos = logits.gather(1, labels[:, None]).squeeze(1) / scale
            rivals = logits.scatter(1, labels[:, None], -math.inf)
            self.adapt_scale(cos, rivals.logsumexp(dim=1))
        return logits * (self.scale / scale)

    def adapt_scale(self, cos, log_sums):
        """Set the scale by target cosines (N,) and ln Σ_{j≠y} e^{s·cos θ_j} of a batch, (N,)."""
        angle = torch.arccos(cos.clamp(-1, 1)).median().item()
        log_mean = log_sums.logsumexp(dim=0).item() - math.log(len(log_sums))
        if log_mean > 0:
            self.scale = log_mean / math.cos(min(math.pi / 4, angle))


def _turned(cos, angle):
    """cos(θ + a) for an angle (N,) per sample, falling on where θ + a passes π; |a| < π."""
    squared_sine = (1 - cos) * (1 + cos)
    inside = squared_sine > 0  # at cos θ = ±1 the slope of the sine is infinite
    sine = torch.where(inside, torch.where(inside, squared_sine, 1.0).sqrt(), 0.0)
    turned = cos * torch.cos(angle) - sine * torch.sin(angle)
    passes_pi = (angle > 0) & (cos < -torch.cos(angle))
    return torch.where(passes_pi, -2 - turned, turned)


def _fixed_margin(cos, margin, angular):
    return margins.arcface(cos, margin) if angular else margins.cosface(cos, margin)


def _check_rate(rate):
    require(0 < rate <= 1, f"rate = {rate!r}: expected the share of the present batch, in (0, 1]")
