"""Progress bars: drawn on a terminal and in a notebook, not in a log file."""

import sys

from tqdm.auto import tqdm

__all__ = ["progress_bar"]


def progress_bar(iterable=None, *, show=True, **options):
    """A tqdm bar over ``iterable``, or one that is updated by hand; ``options`` are tqdm's.

    Nothing is drawn if ``show`` is false, or where a line cannot be redrawn: a log file would hold
    every state of the bar. Elsewhere tqdm's environment variable ``TQDM_DISABLE`` decides.
    """
    can_redraw = sys.stderr.isatty() or "ipykernel" in sys.modules  # a notebook has no terminal
    if not (show and can_redraw):
        options["disable"] = True
    return tqdm(iterable, **options)
