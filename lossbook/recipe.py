"""Recipe: the settings of a training, checked once."""

from dataclasses import dataclass

import torch

__all__ = ["Recipe"]


@dataclass(frozen=True)
class Recipe:
    """How to train. ``fit`` takes these by name.

    epochs : passes over the training images
    batch_size : images a step; the last, smaller batch of an epoch is kept
    learning_rate : the peak of the one-cycle schedule (a third of the way up, then down to 0)
    optimizer : "adamw" or "sgd" (with momentum 0.9)
    weight_decay : of all weights
    max_shift : pixels; each training batch is moved by a random shift of at most this much each way
    clip_norm : the gradient's norm is cut to this; ``math.inf`` leaves it as it is
    """

    epochs: int = 15
    batch_size: int = 64
    learning_rate: float = 3e-3
    optimizer: str = "adamw"
    weight_decay: float = 1e-4
    max_shift: int = 2
    clip_norm: float = 1.0

    def __post_init__(self):
        for name, smallest in [("epochs", 1), ("batch_size", 1), ("max_shift", 0)]:
            value = getattr(self, name)
            if not isinstance(value, int) or value < smallest:
                raise ValueError(f"{name} = {value!r}: expected a whole number of at least {smallest}")
        for name in ("learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} = {getattr(self, name)!r}: expected a number above 0")
        if self.optimizer not in ("adamw", "sgd"):
            raise ValueError(f"optimizer = {self.optimizer!r}: expected 'adamw' or 'sgd'")

    def optimizer_for(self, parameters):
        """A torch optimizer of ``parameters`` at the peak learning rate."""
        if self.optimizer == "sgd":
            return torch.optim.SGD(parameters, self.learning_rate, momentum=0.9, weight_decay=self.weight_decay)
        return torch.optim.AdamW(parameters, self.learning_rate, weight_decay=self.weight_decay)
