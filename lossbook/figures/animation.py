"""Training as a moving picture: embeddings and class vectors, epoch after epoch."""

import base64
import io
from types import SimpleNamespace

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from PIL import Image

from lossbook.figures.style import CLASS_COLORS, INK, STYLE
from lossbook.figures.views import side_by_side, snapshot_at
from lossbook.utils.files import write_atomically

__all__ = ["Animation", "animate"]


class Animation:
    """A GIF that repeats for ever: a notebook shows it, and ``save(path)`` writes it.

    Attributes: ``data``, the GIF as bytes; ``alt``, a description; ``size``, (width, height) in
    pixels.
    """

    def __init__(self, frames, durations, alt):
        buffer = io.BytesIO()
        frames[0].save(
            buffer,
            format="GIF",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=0,
            optimize=False,
        )
        self.data, self.alt, self.size = buffer.getvalue(), alt, frames[0].size

    def save(self, path):
        """Write the GIF to ``path``, whole or not at all; raises ``OSError`` if it cannot."""
        write_atomically(path, lambda file: file.write(self.data))

    def _repr_mimebundle_(self, include=None, exclude=None):
        return (
            {"image/gif": base64.b64encode(self.data).decode(), "text/plain": self.alt},
            {"image/gif": {"alt": self.alt, "width": self.size[0]}},
        )

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

    Raises
    ------
    ValueError
        If the embeddings are not 2-D, the run has no snapshot, or an argument is outside its
        domain.
    """
    if between < 0 or not seconds > 0:
        raise ValueError(
            f"between = {between!r}, seconds = {seconds!r}: expected at least 0, and above 0"
        )
    splits = ("train", "test") if split == "both" else (split,)
    last = snapshot_at(run, -1)
    frames, durations = [], []
    with matplotlib.style.context(["default", STYLE, {"figure.dpi": 90}]):
        figure, panels = side_by_side(run, splits, view, run.snapshots)
        canvas = FigureCanvasAgg(figure)
        for snapshot, title, share in _moments(run.snapshots, between):
            for panel in panels:
                panel.show(snapshot, f"{panel.split}, {title}")
            canvas.draw()
            figure.set_layout_engine("none")  # laid out once: nothing jumps between frames
            frames.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
            durations.append(1000 * seconds * share)
    durations[-1] += 2000  # milliseconds: time to look at the end
    alt = f"{run.name}: {' and '.join(splits)} embeddings ({view}), epoch 1 to {last.epoch}"
    return Animation(_quantize(frames), durations, alt)


def _moments(snapshots, between):
    """Yield (snapshot, title, share of an epoch's time): each epoch, and the frames after it.

    An epoch's own frame stays for two shares, so that the eye can rest on what was measured.
    """
    share = 1 / (between + 2)
    for start, end in zip(snapshots, snapshots[1:]):
        yield start, f"epoch {start.epoch}", 2 * share
        for t in np.arange(1, between + 1) / (between + 1):
            moved = SimpleNamespace(
                train=(1 - t) * start.train + t * end.train,
                test=(1 - t) * start.test + t * end.test,
                weight=(1 - t) * start.weight + t * end.weight,
                train_pred=start.train_pred,
                test_pred=start.test_pred,
            )
            yield moved, f"epoch {start.epoch} → {end.epoch}", share
    yield snapshots[-1], f"epoch {snapshots[-1].epoch}", 1


def _quantize(frames):
    """The frames in one palette of 60 colours, for small files without flicker.

    The palette has the class colours, their blends with white and black (edges are smooth), and
    greys from ink to white.
    """
    pure = np.array([to_rgb(color) for color in CLASS_COLORS])
    greys = np.linspace(to_rgb(INK), (1, 1, 1), 18)
    colors = np.concatenate(
        [pure, pure + (1 - pure) / 3, pure + (1 - pure) * 2 / 3, pure / 2, greys, [[0, 0, 0]]]
    )
    palette = Image.new("P", (1, 1))
    palette.putpalette((255 * colors).round().astype(np.uint8).tobytes())
    return [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
