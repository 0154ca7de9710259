"""Where a training computes, and with how many bits."""

import torch

__all__ = ["pick_device", "pick_precision", "describe"]


def pick_device(device=None):
    """The device asked for, else CUDA, else MPS, else the CPU."""
    if device is not None:
        return torch.device(device)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_precision(precision, device):
    """The dtype of a name; "auto" is mixed precision on CUDA, float32 elsewhere. Raises ``ValueError``."""
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in known:
        raise ValueError(f"precision = {precision!r}: expected 'auto', {', '.join(map(repr, known))}")
    return known[precision]


def describe(device):
    """The device in words, for the record of a run."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
