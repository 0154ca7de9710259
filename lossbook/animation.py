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


def animate(run, split="both", view="plane", between=2, seconds=0.6):
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
    frames, durations = [], []
    with matplotlib.style.context(["default", STYLE, {"figure.dpi": 90}]):
        figure, grid = axes(None, (3.6 * len(splits), 4.55), 1, len(splits))
        panels = [view_named(view)(ax, run, name, run.snapshots) for ax, name in zip(grid[0], splits)]
        canvas = FigureCanvasAgg(key(figure, run.classes))
        for snapshot, title, share in _moments(run.snapshots, between):
            for panel in panels:
                panel.show(snapshot, f"{panel.split}, {title}")
            canvas.draw()
            figure.set_layout_engine("none")                 # laid out once: nothing jumps between frames
            frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
            durations.append(1000 * seconds * share)
    durations[-1] += 2000                                    # the end is what one wants to look at
    shown = " and ".join(splits)
    return Animation(_with_one_palette(frames), durations,
                     f"{run.name}: {shown} embeddings ({view}), epoch 1 to {run.snapshots[-1].epoch}")


def _moments(snapshots, between):
    """(snapshot, title, share of an epoch's time): each epoch, then the frames on the way to the next.

    An epoch's own frame stays for two shares, so that the eye can rest on what was measured.
    """
    share = 1 / (between + 2)
    for start, end in zip(snapshots, snapshots[1:]):
        yield start, f"epoch {start.epoch}", 2 * share
        for t in np.arange(1, between + 1) / (between + 1):
            moved = {name: (1 - t) * getattr(start, name) + t * getattr(end, name)
                     for name in ("train", "test", "weight")}
            yield (SimpleNamespace(**moved, train_pred=start.train_pred, test_pred=start.test_pred),
                   f"epoch {start.epoch} → {end.epoch}", share)
    yield snapshots[-1], f"epoch {snapshots[-1].epoch}", 1


def _with_one_palette(frames, colors=64):
    """One palette for all frames, taken from the first, middle and last: smaller files, and no flicker."""
    samples = [np.asarray(frames[j]) for j in (0, len(frames) // 2, -1)]
    palette = Image.fromarray(np.concatenate(samples)).quantize(colors, dither=Image.Dither.NONE)
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
