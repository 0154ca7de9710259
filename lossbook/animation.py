"""Training as a moving picture: the embeddings and class vectors of every epoch, one after another."""

import base64
import io
from types import SimpleNamespace

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from .palette import STYLE, axes, key
from .views import view_named

__all__ = ["animate", "Animation"]


class Animation:
    """A GIF that repeats for ever: shows itself in a notebook, and ``save(path)`` writes it.

    Attributes: ``data``, the GIF's bytes; ``alt``, what it shows, in words; ``size`` in pixels.
    """

    def __init__(self, frames, durations, alt):
        buffer = io.BytesIO()
        frames[0].save(buffer, format="GIF", save_all=True, append_images=frames[1:], duration=durations,
                       loop=0, optimize=False)
        self.data, self.alt, self.size = buffer.getvalue(), alt, frames[0].size

    def save(self, path):
        """Write the GIF to ``path``."""
        with open(path, "wb") as file:
            file.write(self.data)

    def _repr_mimebundle_(self, include=None, exclude=None):
        return ({"image/gif": base64.b64encode(self.data).decode(), "text/plain": self.alt},
                {"image/gif": {"alt": self.alt, "width": self.size[0], "height": self.size[1]}})

    def __repr__(self):
        return self.alt


def animate(run, split="both", view="plane", between=3, seconds=0.6):
    """The embeddings from the first epoch to the last, on axes that stay fixed.

    Parameters
    ----------
    run : Run
        With 2-D embeddings.
    split : "both", "train" or "test"
        ``"both"`` puts train and test side by side.
    view : "plane" or "circle"
        As in :func:`lossbook.figures.embeddings` or :func:`lossbook.figures.circle`.
    between : int, at least 0
        In-between frames after each epoch. They are not measured: embeddings and class vectors
        move in straight lines from one epoch's snapshot to the next, under a title such as
        "epoch 3 → 4"; mistakes and accuracy stay those of the epoch before.
    seconds : float, above 0
        Time an epoch takes on the screen.

    Returns
    -------
    Animation
    """
    if between < 0 or not seconds > 0:
        raise ValueError(f"between = {between!r}, seconds = {seconds!r}: expected at least 0, and above 0")
    splits = ("train", "test") if split == "both" else (split,)
    durations, frames = [], []
    with matplotlib.style.context(["default", STYLE, {"figure.dpi": 90}]):
        figure, grid = axes(None, (3.6 * len(splits), 4.2), 1, len(splits))
        views = [view_named(view)(ax, run, name, run.snapshots) for ax, name in zip(grid[0], splits)]
        canvas = FigureCanvasAgg(key(figure, run.classes))
        for snapshot, title in _moments(run.snapshots, between):
            for panel in views:
                panel.show(snapshot, f"{panel.split}, {title}")
            canvas.draw()
            figure.set_layout_engine("none")                 # laid out once: nothing jumps between frames
            frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
            durations.append(1000 * seconds / (between + 1))
    return None
