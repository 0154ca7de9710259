"""Where a training computes, and with how many bits."""

import torch

__all__ = ["pick_device", "pick_precision", "describe"]


def pick_device(device=None):
    """The device asked for, else CUDA, else MPS, else the CPU. Raises ``ValueError`` for one that is not here."""
    if device is not None:
        try:
            torch.empty(0, device=device)
            return torch.device(device)
        except (RuntimeError, AssertionError) as error:
            raise ValueError(
                f"device = {str(device)!r}: expected 'cpu', or 'cuda' or 'mps' where torch has it "
                f"({str(error).splitlines()[0]})"
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_precision(precision, device, scales=True):
    """The dtype of a name; "auto" is mixed precision on CUDA, float32 elsewhere. Raises ``ValueError``.

    Without ``scales`` the loss cannot be scaled, which float16 needs.
    """
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        return torch.float16 if scales else torch.float32
    if precision == "float16" and not scales:
        raise ValueError(
            "precision = 'float16': class-parallel training cannot scale its loss; take 'bfloat16' or 'float32'"
        )
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in known:
        raise ValueError(
            f"precision = {precision!r}: expected 'auto', {', '.join(map(repr, known))}"
        )
    return known[precision]


def describe(device):
    """The device in words, for the record of a run."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
