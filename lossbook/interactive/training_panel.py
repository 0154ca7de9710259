"""A panel of ipywidgets that trains while you watch, in a running kernel."""

import html
import threading

from lossbook import data, figures, heads, profiles, training

__all__ = ["train_panel", "TrainPanel"]

# The margin slider of each loss: (min, max, step, value). None: the loss has no margin.
LOSSES = {
    "Softmax": None,
    "NormSoftmax": None,
    "LSoftmax": (1, 4, 1, 2),
    "SphereFace": (1, 4, 1, 4),
    "CosFace": (0, 0.5, 0.01, 0.1),
    "ArcFace": (0, 1, 0.01, 0.3),
}
SCALED = ("NormSoftmax", "CosFace", "ArcFace")

# A page without a kernel keeps this text alone; where the panel lives, its own style hides it.
NOTE = (
    '<p class="lossbook-needs-kernel">This panel trains in a running kernel, and this page has '
    "none: open the notebook in Colab or Jupyter and run the cell there.</p>"
)
HIDE_NOTE = "<style>.lossbook-needs-kernel { display: none }</style>"


class TrainPanel:
    """What :func:`train_panel` returns.

    Attributes: ``run``, the Run so far (None before the first epoch), and ``thread``, in which
    the training runs.
    """

    def __init__(self, dataset=None):
        widgets = _import_ipywidgets()
        self.profile = profiles.current()
        self.dataset = data.load(self.profile.dataset) if dataset is None else dataset
        self.run, self.thread, self._stop_requested = None, None, threading.Event()
        look = {"style": {"description_width": "70px"}, "layout": {"width": "330px"}}
        self.loss = widgets.Dropdown(
            options=list(LOSSES), value="ArcFace", description="loss", **look
        )
        self.scale = widgets.FloatSlider(
            value=16, min=1, max=64, step=0.5, description="scale s", **look
        )
        self.margin = widgets.FloatSlider(
            value=0.3, min=0, max=1, step=0.01, description="margin m", **look
        )
        self.epochs = widgets.IntSlider(
            value=self.profile.recipe["epochs"], min=1, max=40, description="epochs", **look
        )
        self.go = widgets.Button(description="Train", button_style="primary", icon="play")
        self.stop = widgets.Button(description="Stop", icon="stop", disabled=True)
        self.status = widgets.HTML(HIDE_NOTE)
        self.picture = widgets.Image(format="png", layout={"max_width": "100%", "display": "none"})
        self.box = widgets.VBox(
            [
                self.loss,
                self.scale,
                self.margin,
                self.epochs,
                widgets.HBox([self.go, self.stop]),
                self.status,
                self.picture,
            ]
        )
        self.loss.observe(self._update_sliders, "value")
        self.go.on_click(self._start)
        self.stop.on_click(lambda _: self._stop_requested.set())

    def _ipython_display_(self):
        from IPython.display import HTML, display

        display(HTML(NOTE))
        display(self.box)

    def _update_sliders(self, change):
        self.scale.disabled, limits = change["new"] not in SCALED, LOSSES[change["new"]]
        self.margin.disabled = limits is None
        if limits:
            # All at once: the old value may lie outside the new range.
            with self.margin.hold_trait_notifications():
                self.margin.min, self.margin.max, self.margin.step, self.margin.value = limits

    def head(self):
        """A new head with the settings of the panel."""
        settings = {"scale": self.scale.value} if self.loss.value in SCALED else {}
        if LOSSES[self.loss.value]:
            settings["margin"] = self.margin.value
        return getattr(heads, self.loss.value)(2, len(self.dataset.classes), **settings)

    def _start(self, _):
        self._stop_requested.clear()
        self.run, self.go.disabled, self.stop.disabled = None, True, False
        self._show_status("The first epoch is under way.")
        self.thread = threading.Thread(
            target=self._train, args=(self.head(), self.epochs.value), daemon=True
        )
        self.thread.start()

    def _train(self, head, epochs):
        recipe = {**self.profile.recipe, "epochs": epochs}
        try:
            training.fit(
                self.profile.backbone(2),
                head,
                self.dataset,
                progress=False,
                on_epoch=self._show_epoch,
                **recipe,
            )
        except training.TrainingDiverged as error:
            self._show_status(f"Training diverged. {error}")
        except Exception as error:  # also shown here: nobody sees the traceback of a thread
            self._show_status(f"{type(error).__name__}: {error}")
            raise
        finally:
            self.go.disabled, self.stop.disabled = False, True

    def _show_epoch(self, run):
        """Draw the run so far; returns whether to stop."""
        self.run, last = run, run.history.iloc[-1]
        self.picture.value = figures.train_test(run)._repr_png_()
        self.picture.layout.display = None
        self._show_status(
            f"{run.name}: epoch {last.epoch:.0f} of {run.config['recipe']['epochs']}, "
            f"loss {last.train_loss:.3f}, test accuracy {last.test_acc:.1%}"
        )
        return self._stop_requested.is_set()

    def _show_status(self, text):
        self.status.value = HIDE_NOTE + html.escape(text)


def train_panel(dataset=None):
    """A panel to choose a loss, its scale, margin and epochs, train, and watch the embeddings move.

    For a running kernel only (Jupyter, Colab), with ipywidgets 7.7 or later: a page without a
    kernel shows a note in its place. The training is that of the chapters, in a thread: backbone
    and recipe of the current profile. The button Stop ends it after the epoch.

    Parameters
    ----------
    dataset : Dataset, optional
        With at most ten classes; that of the current profile by default.

    Returns
    -------
    TrainPanel
        A notebook shows it; its ``run`` is the Run so far.

    Raises
    ------
    ImportError
        If ipywidgets is not installed.
    """
    return TrainPanel(dataset)


def _import_ipywidgets():
    try:
        import ipywidgets
    except ImportError as error:
        raise ImportError(
            f"train_panel needs ipywidgets 7.7 or later ({error}): pip install ipywidgets, "
            "then restart the kernel"
        ) from error
    return ipywidgets
