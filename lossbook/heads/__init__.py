"""Heads: the last layer of each loss, from embeddings to logits."""

from lossbook.heads.adaptive import (
    AdaCos,
    AdaFace,
    CurricularFace,
    ElasticFace,
    MagFace,
    MVSoftmax,
)
from lossbook.heads.base import Head, MarginHead, NonFiniteEmbedding
from lossbook.heads.distributed import WithLoss
from lossbook.heads.euclidean import (
    Center,
    CenterAlone,
    Contrastive,
    Marginal,
    NearestMean,
    Range,
    Triplet,
)
from lossbook.heads.margin_heads import (
    ArcFace,
    CombinedMargin,
    CosFace,
    LSoftmax,
    NormSoftmax,
    Softmax,
    SphereFace,
)
from lossbook.heads.pairs_and_proxies import Circle, ProxyAnchor, SupCon
from lossbook.heads.per_sample import PerSampleMargin
from lossbook.heads.presets import (
    MORE_PRESETS,
    PRESETS,
    Preset,
    from_preset,
    head_from_name,
    head_from_preset,
    head_from_run,
    preset_from_name,
    preset_names,
)
from lossbook.heads.sphereface2 import SphereFace2
from lossbook.heads.subcenter import SubCenterArcFace

__all__ = [
    "Head",
    "MarginHead",
    "NonFiniteEmbedding",
    "ArcFace",
    "CombinedMargin",
    "CosFace",
    "LSoftmax",
    "NormSoftmax",
    "Softmax",
    "SphereFace",
    "Center",
    "CenterAlone",
    "Contrastive",
    "Marginal",
    "NearestMean",
    "Range",
    "Triplet",
    "Circle",
    "ProxyAnchor",
    "SupCon",
    "SubCenterArcFace",
    "WithLoss",
    "PerSampleMargin",
    "AdaCos",
    "AdaFace",
    "CurricularFace",
    "ElasticFace",
    "MagFace",
    "MVSoftmax",
    "SphereFace2",
    "MORE_PRESETS",
    "PRESETS",
    "Preset",
    "from_preset",
    "head_from_name",
    "head_from_preset",
    "head_from_run",
    "preset_from_name",
    "preset_names",
]
