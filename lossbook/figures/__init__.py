"""Every picture in the book: each function takes runs or arrays and returns one figure."""

from lossbook.figures.animation import Animation, animate
from lossbook.figures.benchmarks import build_times, head_costs, training_rates
from lossbook.figures.decision_regions import decision_boundaries, regions, sectors
from lossbook.figures.embedding_plots import circle, comparison, embeddings, filmstrip, train_test
from lossbook.figures.experiments import against_noise, error_ratios, scale_margin_map
from lossbook.figures.margin_curves import target_curves
from lossbook.figures.sphere_plots import sphere, spherical_regions
from lossbook.figures.training import angle_histograms, over_epochs, training_curves
from lossbook.figures.verification import neighbours, roc_curves, score_histograms, worst_pairs

__all__ = [
    "Animation",
    "animate",
    "build_times",
    "head_costs",
    "training_rates",
    "decision_boundaries",
    "regions",
    "sectors",
    "circle",
    "comparison",
    "embeddings",
    "filmstrip",
    "train_test",
    "against_noise",
    "error_ratios",
    "scale_margin_map",
    "target_curves",
    "sphere",
    "spherical_regions",
    "angle_histograms",
    "over_epochs",
    "training_curves",
    "neighbours",
    "roc_curves",
    "score_histograms",
    "worst_pairs",
]
