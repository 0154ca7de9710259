"""Where a training computes, and in which precision."""

import torch

__all__ = ["pick_device", "pick_precision", "device_name"]


def pick_device(device=None):
    """The given device; by default CUDA, else MPS, else the CPU.

    Raises ``ValueError`` for a device that is not available here.
    """
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


def pick_precision(precision, device, supports_loss_scaling=True):
    """The dtype of a name; "auto" is mixed precision on CUDA and float32 elsewhere.

    Raises ``ValueError`` for an unknown name, and for "float16" without ``supports_loss_scaling``:
    small gradients would become 0 in float16.
    """
    if precision == "auto":
        if device.type != "cuda":
            return torch.float32
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return torch.bfloat16
        return torch.float16 if supports_loss_scaling else torch.float32
    if precision == "float16" and not supports_loss_scaling:
        raise ValueError(
            "precision = 'float16': class-parallel training cannot scale its loss; "
            "take 'bfloat16' or 'float32'"
        )
    dtypes = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in dtypes:
        raise ValueError(
            f"precision = {precision!r}: expected 'auto', {', '.join(map(repr, dtypes))}"
        )
    return dtypes[precision]


def device_name(device):
    """The name of the device for the record of a run: the graphics card's, or "cpu" or "mps"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
