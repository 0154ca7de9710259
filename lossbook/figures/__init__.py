"""Every picture in the book: each function takes runs or arrays and returns one figure.

Nothing here trains or changes matplotlib's settings. A returned figure shows itself once when it
is the last expression of a cell; ``figure.savefig("name.png")`` keeps it. What points, lines and ✖
mean in the pictures of embeddings: ``lossbook.figures.embedding_plots``.
"""

from lossbook.figures.animation import Animation, animate
from lossbook.figures.benchmarks import build_times, head_costs, training_rates
from lossbook.figures.decision_regions import (
    decision_boundaries,
    magnified_regions,
    regions,
    sectors,
)
from lossbook.figures.embedding_plots import circle, comparison, embeddings, filmstrip, train_test
from lossbook.figures.experiments import (
    against_noise,
    against_scale,
    error_ratios,
    margin_gains,
    row_accuracies,
    scale_margin_map,
)
from lossbook.figures.margin_curves import (
    against_angle,
    best_posteriors,
    pulls_by_precision,
    rival_curves,
    target_curves,
)
from lossbook.figures.quality import error_versus_discard, images_by_length
from lossbook.figures.schematics import angle_scheme, comparison_schemes, network_scheme
from lossbook.figures.sphere_plots import sphere, spherical_regions
from lossbook.figures.training import (
    angle_histograms,
    over_epochs,
    own_angle_histogram,
    small_angles,
    training_curves,
)
from lossbook.figures.verification import (
    against_gallery,
    neighbours,
    roc_curves,
    score_histograms,
    typeface_grid,
    worst_pairs,
)

__all__ = [
    # embeddings in 2-D
    "embeddings",
    "circle",
    "train_test",
    "filmstrip",
    "comparison",
    "animate",
    "Animation",
    # embeddings in 3-D
    "sphere",
    "spherical_regions",
    # margins
    "target_curves",
    "pulls_by_precision",
    "against_angle",
    "rival_curves",
    "decision_boundaries",
    "regions",
    "magnified_regions",
    "sectors",
    # the scale
    "best_posteriors",
    # schematics
    "network_scheme",
    "angle_scheme",
    "comparison_schemes",
    # training
    "angle_histograms",
    "own_angle_histogram",
    "small_angles",
    "training_curves",
    "over_epochs",
    # verification
    "score_histograms",
    "roc_curves",
    "against_gallery",
    "neighbours",
    "worst_pairs",
    "typeface_grid",
    # quality
    "images_by_length",
    "error_versus_discard",
    # saved experiments and benchmarks
    "scale_margin_map",
    "error_ratios",
    "margin_gains",
    "row_accuracies",
    "against_noise",
    "against_scale",
    "head_costs",
    "training_rates",
    "build_times",
]
