"""The weights that a training starts from, and the layers that it leaves as they are."""

import warnings

import torch
from torch.nn.parallel import DistributedDataParallel

from lossbook.utils.validation import require

__all__ = ["check_trainable", "prepare_weights", "initialize_weights", "frozen_layers"]


def check_trainable(backbone, head):
    """Raise unless these are plain modules with a parameter that is not frozen."""
    for part, module in (("backbone", backbone), ("head", head)):
        if not isinstance(module, torch.nn.Module):
            kind = "a class" if isinstance(module, type) else type(module).__name__
            name = getattr(module, "__name__", "")
            hint = (
                f"call it, {name}(…)"
                if isinstance(module, type)
                else "put its computation into the forward of an nn.Module"
            )
            raise TypeError(
                f"the {part} is {kind} {name}".rstrip() + f": expected a torch.nn.Module; {hint}"
            )
        require(
            not isinstance(module, DistributedDataParallel),
            f"the {part} is wrapped in DistributedDataParallel: expected the plain module, its "
            ".module; to train on several processes pass fit a process_group, see "
            "lossbook.training.class_parallel",
            TypeError,
        )
    require(
        any(p.requires_grad for module in (backbone, head) for p in module.parameters()),
        "all parameters of the backbone and of the head are frozen (requires_grad is False): "
        "there is nothing to train",
    )


def prepare_weights(backbone, head, seed, warm_start):
    """Draw the weights that are to be drawn; of each part, whether its weights were kept."""
    return {
        "backbone": _prepare_part("backbone", backbone, seed, warm_start),
        "head": _prepare_part("head", head, seed + 1, warm_start),
    }


def _prepare_part(part, module, seed, warm_start):
    """Draw the weights of ``module`` anew from ``seed`` unless they are to be kept.

    ``part`` ("backbone" or "head") names the module in messages. ``warm_start`` is that of
    :func:`lossbook.training.fit`. Returns whether the weights were kept.

    Warns if ``warm_start`` is None and weights are lost that were trained, loaded or set. Raises
    ``ValueError`` if ``warm_start`` is False and a parameter is frozen.
    """
    frozen = [name for name, p in module.named_parameters() if not p.requires_grad]
    if warm_start or (warm_start is None and frozen):
        return True
    if frozen:
        raise ValueError(
            f"warm_start = False draws all weights anew, but {frozen[0]} of the {part} is frozen "
            f"(requires_grad is False): leave warm_start out to keep the weights of the {part} as "
            "they are, or unfreeze them"
        )
    signs = _signs_of_training(module)
    signs += [f"{name} for one" for name in initialize_weights(module, seed)]
    if signs and warm_start is None:
        warnings.warn(
            f"fit drew the weights of the {part}, {type(module).__name__}, anew from the seed, "
            f"although some had been trained, loaded, copied or set ({signs[0]}). To "
            "train from them, restore them and pass warm_start=True; to draw them anew without "
            "this warning, pass warm_start=False",
            stacklevel=3,  # the caller of fit
        )
    return False


def _signs_of_training(module):
    """What tells that a module was trained although nobody wrote to its weights: it is a copy."""
    signs = [] if module.training else ["it is in evaluation mode, as after a training"]
    for name, layer in module.named_modules():
        batches = getattr(layer, "num_batches_tracked", None)
        if batches is not None and batches > 0:
            signs.append(f"{name} has normalized {int(batches):,} batches")
    return signs


def initialize_weights(module, seed):
    """Draw the weights of every layer from ``seed`` alone, on the CPU: the same on every device.

    The weights keep their memory format. Returns the names of the parameters that were no longer
    as their layer had drawn them when it was made: trained, loaded, copied or set.

    Raises ``ValueError`` for a layer with weights that has no ``reset_parameters``.
    """
    changed, drawn = [], set()
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(seed)
        for name, layer in module.cpu().named_modules():
            parameters = dict(layer.named_parameters(name, recurse=False))
            if hasattr(layer, "reset_parameters"):
                times_written = {key: p._version for key, p in parameters.items()}
                _draw(layer)
                # A new layer has been written by one reset_parameters at most.
                changed += [
                    key
                    for key, p in parameters.items()
                    if p not in drawn and times_written[key] > p._version - times_written[key]
                ]
                drawn.update(parameters.values())
            elif parameters:
                raise ValueError(
                    "cannot draw the weights of layer "
                    f"{name or type(module).__name__!r} from the seed: "
                    f"{type(layer).__name__} has no reset_parameters(); write one, "
                    "or pass warm_start=True to train from its weights as they are"
                )
    return changed


def _draw(layer):
    """Call ``reset_parameters`` on contiguous weights: random numbers come in memory order."""
    strided = {p: p.data for p in layer.parameters(recurse=False) if not p.is_contiguous()}
    for parameter, data in strided.items():
        parameter.data = data.contiguous()
    layer.reset_parameters()
    for parameter, data in strided.items():
        parameter.data = data.copy_(parameter.data)


def frozen_layers(module):
    """The layers of ``module`` that stay in evaluation mode while it trains.

    These are the layers whose parameters are all frozen: in training mode the statistics of a
    batch normalisation among them would follow the new data. So do layers that are in evaluation
    mode while ``module`` itself is in training mode, as somebody must have chosen that.
    """
    layers = []
    for layer in module.modules():
        parameters = list(layer.parameters())
        is_frozen = parameters and not any(p.requires_grad for p in parameters)
        if is_frozen or module.training and not layer.training:
            layers += layer.modules()
    return layers
