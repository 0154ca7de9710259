"""The settings of a head, scale and margins: one value each, checked whenever it is set."""

import functools
import inspect
import math
import numbers

import numpy as np
import torch
from torch import nn

from lossbook.utils.validation import require

__all__ = ["ModuleWithSettings"]

# What other libraries call the arguments of a head.
OTHER_NAMES = {
    "embedding_dim": ("embedding_size", "in_features", "feat_dim", "feature_dim", "emb_size"),
    "num_classes": ("n_classes", "out_features", "class_num", "classes"),
    "scale": ("s", "gamma"),
    "margin": ("m",),
}
SETTINGS = ("scale", "margin")  # those of OTHER_NAMES that may be set later
STATE_PREFIX = "settings."


class ModuleWithSettings(nn.Module):
    """A module whose ``hyperparameters`` are attributes that may be set during training.

    A value is checked when it is set. The state dict holds those that were changed after the
    module was made, as float64 tensors ``[made with, now]`` under ``settings.NAME``. A module that
    was made with the same value takes the new one over when it loads them: training goes on with
    the margin that it had reached. One that was made with another value keeps its own.
    """

    always_saved = ()

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = _explain_unknown_arguments(cls.__init__)

    def __init__(self):
        super().__init__()
        self._setting_names, self._made_with = [], {}

    @property
    def hyperparameters(self):
        """The settings and their present values, a new dict; a learned one as a float."""
        return {name: _as_number(getattr(self, name)) for name in self._setting_names}

    @hyperparameters.setter
    def hyperparameters(self, settings):
        self._setting_names = list(settings)
        for name, value in settings.items():
            setattr(self, name, value)

    @property
    def name(self):
        """The loss and its settings, e.g. ``ArcFace(scale=64, margin=0.5)``."""
        settings = ", ".join(_written(*item) for item in self.hyperparameters.items())
        return f"{type(self).__name__}({settings})" if settings else type(self).__name__

    def extra_repr(self):
        settings = [_written(*item) for item in self.hyperparameters.items()]
        sizes = [f"embedding_dim={self.embedding_dim}", f"num_classes={self.num_classes}"]
        return ", ".join(sizes + settings)

    def check_settings(self):
        """Raise ``ValueError`` or ``TypeError`` if the present settings do not fit together."""

    def __setattr__(self, name, value):
        is_setting = (
            name == "scale"
            or name in self.always_saved
            or name in self.__dict__.get("_setting_names", ())
        )
        if not is_setting:
            self._check_is_no_setting(name)
            super().__setattr__(name, value)
        elif name in self.__dict__:
            self._change_setting(name, value)
        else:
            super().__setattr__(name, check_scale(value) if name == "scale" else value)

    def _check_is_no_setting(self, name):
        """Raise ``AttributeError`` for a name that means a setting and would have no effect."""
        names = self.__dict__.get("_setting_names", ())
        right_name = next((key for key in SETTINGS if name in (key, *OTHER_NAMES[key])), None)
        if (
            right_name is None
            or not names
            or hasattr(self, name)
            or not type(self).__module__.startswith("lossbook.")  # others may call theirs s or m
        ):
            return
        hint = f"it is called {right_name}" if right_name in names else f"its settings are {names}"
        raise AttributeError(f"{type(self).__name__} has no setting {name!r}: {hint}")

    def _change_setting(self, name, value):
        before = self.__dict__[name]
        value = _checked(name, value, before)
        if not _is_learned(value) and value == before:
            return
        super().__setattr__(name, value)
        try:
            self.check_settings()
        except (TypeError, ValueError):
            if isinstance(value, nn.Parameter):
                del self._parameters[name]
            super().__setattr__(name, before)
            raise
        self._made_with.setdefault(name, before)
        if name == "scale" and name not in self._setting_names:
            self._setting_names.insert(0, name)

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in dict.fromkeys([*self.always_saved, *self._made_with]):
            value = getattr(self, name)
            if isinstance(value, numbers.Real):
                values = [float(self._made_with.get(name, value)), float(value)]
                key = prefix + STATE_PREFIX + name
                destination[key] = torch.tensor(values, dtype=torch.float64)

    def _load_from_state_dict(self, state_dict, prefix, metadata, strict, missing, unexpected, err):
        super()._load_from_state_dict(
            state_dict, prefix, metadata, strict, missing, unexpected, err
        )
        start = prefix + STATE_PREFIX
        for key in [key for key in state_dict if key.startswith(start)]:
            if key in unexpected:
                unexpected.remove(key)
            name = key.removeprefix(start)
            if name in self.__dict__ and name in {
                "scale",
                *self.always_saved,
                *self._setting_names,
            }:
                self._load_setting(name, *state_dict[key].tolist())

    def _load_setting(self, name, made_with, value):
        before = self.__dict__[name]
        if float(self._made_with.get(name, before)) != made_with:
            return
        if isinstance(before, int) and value == int(value):  # 4, not 4.0; True, not 1.0
            value = type(before)(value)
        setattr(self, name, value)


def check_scale(value):
    """``value`` as a float, or as it is if it is a parameter.

    Raises ``ValueError`` unless it is above 0 and finite, and ``TypeError`` if it is no number.
    """
    number = _as_number(value)
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise TypeError(f"scale = {value!r}: expected a number, got {type(value).__name__}")
    require(
        math.isfinite(number) and number > 0,
        f"scale = {number!r}: the scale s multiplies cosines and must be above 0 and finite",
    )
    return value if _is_learned(value) else float(number)


def _checked(name, value, before):
    """The new value of a setting, of the kind that it had before."""
    if name == "scale":
        return check_scale(value)
    if _is_learned(value):
        return value
    number = _as_number(value)
    if isinstance(before, (bool, str)) or not isinstance(before, numbers.Real):
        if type(number) is not type(before):
            raise TypeError(
                f"{name} = {value!r}: expected {type(before).__name__}, got {type(value).__name__}"
            )
        return number
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise TypeError(f"{name} = {value!r}: expected a number, got {type(value).__name__}")
    require(math.isfinite(number), f"{name} = {number!r}: expected a finite number")
    return number


def _is_learned(value):
    return torch.is_tensor(value) and value.requires_grad


def _as_number(value):
    """A tensor or NumPy scalar of one element as a Python number, anything else as it is."""
    if torch.is_tensor(value) and value.numel() == 1:
        return value.item()
    return value.item() if isinstance(value, np.generic) else value


def _written(name, value):
    return f"{name}={value:g}" if isinstance(value, float) else f"{name}={value}"


def _explain_unknown_arguments(init):
    """``init`` with a ``TypeError`` for an unknown keyword that names the right call."""
    signature = inspect.signature(init)
    parameters = list(signature.parameters.values())
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return init
    call = signature.replace(parameters=parameters[1:])

    @functools.wraps(init)
    def checked_init(self, *arguments, **keywords):
        for name in keywords:
            if name not in signature.parameters:
                kind = type(self).__name__
                hint = _hint(name, signature.parameters)
                raise TypeError(f"{kind} has no argument {name!r}{hint}; the call is {kind}{call}")
        init(self, *arguments, **keywords)

    return checked_init


def _hint(name, parameters):
    right_name = next((key for key, others in OTHER_NAMES.items() if name in others), name)
    if right_name in parameters:
        return f": it is called {right_name}"
    if right_name == "scale":
        return ": its logits have the lengths of the embeddings in the place of a scale"
    return ""
