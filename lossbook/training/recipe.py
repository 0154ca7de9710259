"""Recipe: the settings of a training, checked once."""

from dataclasses import dataclass, fields

import torch

from lossbook.utils.validation import check_int, check_number, require

__all__ = ["Recipe", "recipe_from_settings"]


@dataclass(frozen=True)
class Recipe:
    """How to train; :func:`lossbook.training.fit` takes these settings by name.

    Raises ``ValueError`` for a setting outside its domain.

    Parameters
    ----------
    epochs : int
        Passes over the training images.
    batch_size : int
        Images per step; the last, smaller batch of an epoch is kept, but a single image that is
        left over joins the batch before it, as batch normalisation needs more than one.
    learning_rate : float
        The peak of the one-cycle schedule (a third of the way up, then down to 0). A training of
        a single step takes it at four fifths of the peak.
    optimizer : {"adamw", "sgd"}
        The schedule moves the momentum (AdamW's β₁) from 0.95 to 0.85 and back.
    weight_decay : float
        Of all weights.
    max_shift : int
        In pixels; each training batch is moved by one random shift, at most this far in each
        direction.
    clip_norm : float or None
        The gradient is scaled down to this norm; None leaves it as it is.
    per_class : int or None
        Every batch has this many images of each of its classes, and ``batch_size`` is a multiple
        of it; losses on pairs and triplets learn more from such batches, see
        :class:`lossbook.data.samplers.MPerClassSampler`. None draws images at random.
    """

    epochs: int = 15
    batch_size: int = 64
    learning_rate: float = 3e-3
    optimizer: str = "adamw"
    weight_decay: float = 1e-4
    max_shift: int = 2
    clip_norm: float | None = 1.0
    per_class: int | None = None

    def __post_init__(self):
        for name, smallest in [("epochs", 1), ("batch_size", 1), ("max_shift", 0)]:
            object.__setattr__(self, name, check_int(name, getattr(self, name), smallest))
        check_number("learning_rate", self.learning_rate)
        check_number("weight_decay", self.weight_decay, zero_allowed=True)
        if self.clip_norm is not None:
            check_number("clip_norm", self.clip_norm)
        if self.per_class is not None:
            object.__setattr__(self, "per_class", check_int("per_class", self.per_class))
        require(
            self.optimizer in ("adamw", "sgd"),
            f"optimizer = {self.optimizer!r}: expected 'adamw' or 'sgd'",
        )

    def optimizer_for(self, parameters):
        """A torch optimizer of ``parameters`` at the peak learning rate."""
        if self.optimizer == "sgd":
            return torch.optim.SGD(
                parameters, self.learning_rate, momentum=0.9, weight_decay=self.weight_decay
            )
        return torch.optim.AdamW(parameters, self.learning_rate, weight_decay=self.weight_decay)


def recipe_from_settings(settings):
    """The :class:`Recipe` with these settings, a dict; ``TypeError`` names one that it lacks."""
    names = [field.name for field in fields(Recipe)]
    for name in settings:
        require(
            name in names,
            f"fit has no argument {name!r}: a recipe has {', '.join(names)}; options of the loss, "
            "such as weight or label_smoothing, are given as loss_options={'label_smoothing': 0.1}",
            TypeError,
        )
    return Recipe(**settings)
