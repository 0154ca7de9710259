"""Figures that a reader moves: in a notebook, in Colab and on a page without a kernel."""

from lossbook.interactive.decision_plane import decision_plane
from lossbook.interactive.epoch_slider import scrub
from lossbook.interactive.explorer import margin_explorer
from lossbook.interactive.quiz import quiz
from lossbook.interactive.rotating_sphere import sphere
from lossbook.interactive.sector_ring import sector_ring
from lossbook.interactive.training_panel import TrainPanel, train_panel
from lossbook.interactive.widget import Widget

__all__ = [
    "scrub",
    "sphere",
    "margin_explorer",
    "sector_ring",
    "decision_plane",
    "quiz",
    "train_panel",
    "TrainPanel",
    "Widget",
]
